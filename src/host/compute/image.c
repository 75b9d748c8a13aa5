/* Images by name: DIR/images/NAME is a text, the digests of its layers, lowest first; DIR/layers/DIGEST is a layer,
 * unpacked. */
#include "host/compute/image.h"
#include "base/log.h"
#include "base/vec.h"
#include "host/compute/files.h"
#include "host/compute/spawn.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define LIST_MAX (64u << 10)
#define NAME_MAX_ 128

bool image_name_valid(struct str name)
{
	if (!str_has(name) || name.n == 0 || name.n > NAME_MAX_ || name.p[0] == '.') return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
			    c == '.' || c == '_'))
			return false;
	}
	return !str_is(name, "default");
}

static status read_list(struct arena *a, const char *dir, struct str name, struct str *out)
{
	char path[PATH_MAX], *room = arena_alloc(a, LIST_MAX);
	snprintf(path, sizeof(path), "%simages/%.*s", dir, STR_ARG(name));
	size_t n = 0;
	TRY(files_slurp(path, room, LIST_MAX, &n));
	*out = str_n(room, n);
	return OK;
}

status image_layers(struct arena *a, const char *dir, struct str name, struct image_layers *out)
{
	*out = (struct image_layers){0};
	if (str_empty(name) || str_is(name, "default")) {
		if (!image_default_ready()) return STATUS(NOT_FOUND);
		out->v = arena_new_n(a, const char *, 1);
		out->v[out->n++] = IMAGE_CACHE IMAGE_DEFAULT;
		return OK;
	}
	if (!image_name_valid(name)) return STATUS(NOT_FOUND);
	struct str list;
	TRY(read_list(a, dir, name, &list));
	size_t capacity = 0;
	while (str_has(list)) {
		struct str digest = str_cut(&list, '\n');
		if (digest.n == 0) continue;
		const char **slot = vec_push(a, (void **)&out->v, &out->n, &capacity, sizeof(*out->v));
		*slot = str_fmt(a, "%slayers/%.*s", dir, STR_ARG(digest)).p;
	}
	return out->n ? OK : STATUS(CORRUPT);
}

/* Is the layer one of any image's? */
static bool is_used(struct arena *a, const char *dir, const char *digest)
{
	DIR *d = opendir(str_fmt(a, "%simages", dir).p);
	bool used = false;
	for (struct dirent *e; d && !used && (e = readdir(d));) {
		struct str list;
		if (e->d_name[0] == '.') continue;
		/* One that cannot be read may name it. */
		used = !is_ok(read_list(a, dir, str_c(e->d_name), &list)) || str_find(list, str_c(digest)) >= 0;
	}
	if (d) closedir(d);
	return used;
}

void image_sweep(const char *dir)
{
	struct arena a;
	arena_init(&a);
	const char *layers = str_fmt(&a, "%slayers", dir).p;
	DIR *d = opendir(layers);
	for (struct dirent *e; d && (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || is_used(&a, dir, e->d_name))
			continue;
		const char *argv[] = {"rm", "-rf", "--one-file-system", e->d_name, NULL};
		spawn_wait(argv, layers, -1);
	}
	if (d) closedir(d);
	arena_cleanup(&a);
}

status image_remove(const char *dir, struct str name)
{
	char path[PATH_MAX];
	if (!image_name_valid(name)) return STATUS(NOT_FOUND);
	snprintf(path, sizeof(path), "%simages/%.*s", dir, STR_ARG(name));
	if (unlink(path) != 0) return errno == ENOENT ? STATUS(NOT_FOUND) : STATUS(IO);
	image_sweep(dir);
	return OK;
}
