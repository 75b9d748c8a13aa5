/* modelc --out DIR FILE…: compiles models (NAME.model, with NAME.overlay beside it) and descriptions of stored records
 * (…/NAME/state.model) to C. A file is written only when its content changes. Problems go to standard error as
 * `file:line: message`; exit 1. */
#include "base/buf.h"
#include "modelc/check.h"
#include "modelc/emit.h"
#include "modelc/names.h"
#include "modelc/reader.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static bool complain(const char *path, const char *what)
{
	fprintf(stderr, "%s:0: %s\n", path, what);
	return false;
}

/* The whole file, in the arena. *absent (where not NULL) is set instead of a complaint when there is no such file. */
static bool read_file(struct arena *a, const char *path, struct str *out, bool *absent)
{
	FILE *f = fopen(path, "rb");
	if (!f) {
		if (absent && errno == ENOENT) {
			*absent = true;
			return true;
		}
		return complain(path, strerror(errno));
	}
	struct buf b = BUF_IN(a);
	size_t n = 0;
	do {
		char *to = buf_reserve(&b, 1 << 16);
		n = fread(to, 1, 1 << 16, f);
		b.n += n;
	} while (n && b.n <= MODEL_BYTES_MAX);
	bool failed = ferror(f) != 0;
	fclose(f);
	*out = buf_done(&b);
	return !failed || complain(path, "cannot be read");
}

static bool write_changed(const char *path, struct str content)
{
	struct arena a;
	arena_init(&a);
	struct str now = STR_NONE;
	bool absent = false;
	bool same = read_file(&a, path, &now, &absent) && !absent && str_eq(now, content);
	arena_cleanup(&a);
	if (same) return true;
	FILE *f = fopen(path, "wb");
	if (!f) return complain(path, strerror(errno));
	bool ok = fwrite(content.p, 1, content.n, f) == content.n;
	ok = fclose(f) == 0 && ok;
	return ok || complain(path, "cannot be written");
}

/* DIR/NAME + suffix */
static bool put(struct model *m, const char *dir, const char *suffix, struct buf *b)
{
	struct str path = str_fmt(&m->arena, "%s/%.*s%s", dir, STR_ARG(m->name), suffix);
	bool ok = write_changed(str_z(&m->arena, path), buf_done(b));
	b->n = 0;
	return ok;
}

static bool emit(struct model *m, const char *dir)
{
	struct buf b = BUF_HEAP;
	bool ok = true;
	if (m->state)
		emit_state_header(m, &b);
	else
		emit_header(m, &b);
	ok = put(m, dir, m->state ? "_state.h" : ".h", &b);
	ok = ok && (m->state ? emit_state_tables(m, &b) : emit_service_tables(m, &b));
	ok = ok && put(m, dir, m->state ? "_state.c" : "_tables.c", &b);
	buf_cleanup(&b);
	return ok;
}

/* "a/b/c.model": folder "a/b", base "c.model". */
static struct str folder_of(struct str path)
{
	ptrdiff_t slash = str_rchr(path, '/');
	return slash < 0 ? STR("") : str_sub(path, 0, (size_t)slash);
}

static struct str base_of(struct str path)
{
	ptrdiff_t slash = str_rchr(path, '/');
	return str_from(path, (size_t)(slash + 1));
}

static bool read_model(struct model *m, const char *path)
{
	struct str text = STR_NONE, p = str_c(path);
	if (!str_ends(p, STR(".model"))) return complain(path, "not a .model file");
	if (!read_file(&m->arena, path, &text, NULL)) return false;
	if (m->state) {
		m->name = base_of(folder_of(p));
		if (!m->name.n) return complain(path, "a state.model needs the folder that names its service");
	}
	if (!model_read(m, path, text, false)) return false;
	struct str stem = str_sub(base_of(p), 0, base_of(p).n - strlen(".model"));
	if (!m->state && !str_eq(stem, m->name)) return complain(path, "the service line gives another name than the file");
	const char *overlay = str_z(&m->arena, str_cat(&m->arena, str_sub(p, 0, p.n - strlen("model")), STR("overlay")));
	bool absent = m->state;
	if (!absent && !read_file(&m->arena, overlay, &text, &absent)) return false;
	return absent || model_read(m, overlay, text, true);
}

static bool compile(struct model *m, const char *path, const char *dir)
{
	bool ok = read_model(m, path) && model_check(m) && names_assign(m) && emit(m, dir);
	if (!ok && str_has(m->problem)) fprintf(stderr, "%.*s\n", STR_ARG(m->problem));
	return ok;
}

static int by_name(const void *a, const void *b)
{
	return str_cmp((*(struct model *const *)a)->name, (*(struct model *const *)b)->name);
}

int main(int argc, char **argv)
{
	if (argc < 3 || strcmp(argv[1], "--out") != 0) {
		fprintf(stderr, "usage: modelc --out DIR FILE.model…\n");
		return 2;
	}
	const char *dir = argv[2];
	struct model *models = mem_new((size_t)argc * sizeof *models);
	struct model **services = mem_new((size_t)argc * sizeof *services);
	size_t n = 0;
	bool ok = true;
	for (int i = 3; i < argc; i++) {
		struct model *m = &models[i];
		model_init(m, str_is(base_of(str_c(argv[i])), "state.model"));
		ok = compile(m, argv[i], dir) && ok;
		if (!m->state) services[n++] = m;
	}
	if (ok) {
		if (n) qsort(services, n, sizeof *services, by_name);
		struct arena a;
		arena_init(&a);
		struct buf b = BUF_IN(&a);
		emit_services(services, n, &b);
		ok = write_changed(str_z(&a, str_fmt(&a, "%s/services.c", dir)), buf_done(&b));
		arena_cleanup(&a);
	}
	for (int i = 3; i < argc; i++) model_cleanup(&models[i]);
	free(services);
	free(models);
	return ok ? 0 : 1;
}
