/* Making, dropping and blaming a model. */
#include "modelc/model.h"
#include "base/buf.h"
#include <stdarg.h>

void model_init(struct model *m, bool state)
{
	*m = (struct model){.state = state};
	arena_init(&m->arena);
	map_init(&m->shape_names);
	map_init(&m->op_names);
}

void model_cleanup(struct model *m)
{
	map_cleanup(&m->shape_names, NULL);
	map_cleanup(&m->op_names, NULL);
	arena_cleanup(&m->arena);
}

bool model_fail(struct model *m, struct place at, const char *fmt, ...)
{
	if (str_has(m->problem)) return false;
	struct buf b = BUF_IN(&m->arena);
	buf_fmt(&b, "%s:%u: ", at.file, at.line);
	va_list args;
	va_start(args, fmt);
	buf_vfmt(&b, fmt, args);
	va_end(args);
	m->problem = buf_done(&b);
	return false;
}
