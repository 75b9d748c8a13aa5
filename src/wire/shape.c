/* Structs of the models as text. See shape.h. */
#include "wire/shape.h"
#include "wire/internal.h"

struct str wire_shape_write(struct arena *a, const struct wire_tables *t, uint16_t shape, const void *p)
{
	struct buf b = BUF_IN(a);
	wire_json_write(&b, t, shape, p, false);
	return buf_done(&b);
}

status wire_shape_read(struct arena *a, const struct wire_tables *t, uint16_t shape, struct str text, void *p)
{
	struct str why;
	if (!is_ok(wire_json_read(a, t, shape, text, p, false, &why))) return STATUS(CORRUPT);
	return OK;
}
