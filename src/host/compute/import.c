/* See image.h: unpacking foreign archives. Three kinds: the tar of a root file system; `docker save` (manifest.json
 * names layers); an OCI image layout as tar (index.json names a manifest, that its layers; OCI Image Format
 * Specification, "Image Layout", "Layer"). Layers are kept by the SHA-256 of their archive and shared.
 *
 * Nothing of an archive is believed: each layer is unpacked by a child that has no other root than the layer's folder
 * (chroot(2)), so no path and no link leads out; device nodes, foreign overlayfs attributes and ids past 65535 are
 * refused or left out; sizes are bounded.
 *
 * libarchive is loaded when an image is imported: linked, it and what it needs would cost every start of virga. */
#include "host/compute/import.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "host/compute/archive.h"
#include "host/compute/files.h"
#include "host/compute/image.h"
#include "host/compute/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define JSON_MAX (4u << 20)
#define JSON_FILES_MAX 4096
#define LAYERS_MAX 120
#define BYTES_MAX (64ll << 30)
#define BLOCK (256u << 10)

struct job {
	struct arena *a;
	const char *dir;
	int fd;
	struct archive_library lib;
	struct map texts; /* of small files of the outer archive: struct str */
	struct str *why;
};

static status bad(struct job *j, const char *what)
{
	*j->why = str_c(what);
	return STATUS(INVALID);
}

/* ── names within layers ──────────────────────────────────────────────────────────────────────────────────────── */

bool import_path(struct str path, char out[static PATH_MAX])
{
	size_t n = 0;
	while (str_has(path)) {
		struct str part = str_cut(&path, '/');
		if (part.n == 0 || str_is(part, ".")) continue;
		if (str_is(part, "..") || part.n > 255 || n + part.n + 2 > PATH_MAX) return false;
		for (size_t i = 0; i < part.n; i++)
			if (part.p[i] == 0) return false;
		if (n) out[n++] = '/';
		memcpy(out + n, part.p, part.n);
		n += part.n;
	}
	out[n] = 0;
	return true;
}

enum import_kind import_whiteout(const char *path, char out[static PATH_MAX])
{
	struct str s = str_c(path);
	ptrdiff_t slash = str_rchr(s, '/');
	struct str folder = slash < 0 ? STR("") : str_sub(s, 0, (size_t)slash + 1),
		   name = str_from(s, (size_t)(slash + 1));
	if (!str_starts(name, STR(".wh."))) return IMPORT_PLAIN;
	if (str_is(name, ".wh..wh..opq")) {
		snprintf(out, PATH_MAX, "%.*s", folder.n ? (int)folder.n - 1 : 1, folder.n ? folder.p : ".");
		return IMPORT_OPAQUE;
	}
	name = str_from(name, 4);
	if (name.n == 0 || str_is(name, ".") || str_is(name, "..") || str_starts(name, STR(".wh.")))
		return IMPORT_REFUSED;
	snprintf(out, PATH_MAX, "%.*s%.*s", STR_ARG(folder), STR_ARG(name));
	return IMPORT_WHITEOUT;
}

/* ── one layer ────────────────────────────────────────────────────────────────────────────────────────────────── */

struct source { /* an archive within an archive, or a file */
	struct job *j;
	struct archive *outer; /* NULL: from fd */
	int fd;
	EVP_MD_CTX *digest;
	char room[BLOCK];
	long long bytes;
};

static la_ssize_t read_source(struct archive *inner, void *ctx, const void **p)
{
	struct source *s = ctx;
	(void)inner;
	ssize_t n;
	if (s->outer)
		n = s->j->lib.read_data(s->outer, s->room, sizeof(s->room));
	else
		do n = read(s->fd, s->room, sizeof(s->room));
		while (n < 0 && errno == EINTR);
	if (n > 0) EVP_DigestUpdate(s->digest, s->room, (size_t)n);
	*p = s->room;
	return n;
}

/* Only what a file system in a machine means: file capabilities and what users attach. overlayfs' own would redirect
 * into other layers. */
static void keep_attributes(struct job *j, struct archive_entry *e)
{
	struct archive_library *l = &j->lib;
	const char *name;
	const void *value;
	size_t size, n = 0;
	struct {
		struct str name, value;
	} kept[16];
	l->entry_xattr_reset(e);
	while (l->entry_xattr_next(e, &name, &value, &size) == ARCHIVE_OK && n < 16) {
		struct str s = str_c(name);
		if (!str_is(s, "security.capability") && !str_starts(s, STR("user."))) continue;
		kept[n].name = str_dup(j->a, s), kept[n++].value = str_dup(j->a, str_n(value, size));
	}
	l->entry_xattr_clear(e);
	for (size_t i = 0; i < n; i++) l->entry_xattr_add(e, kept[i].name.p, kept[i].value.p, kept[i].value.n);
}

static void make_parents(const char *path)
{
	char part[PATH_MAX];
	for (size_t i = 1; path[i]; i++) {
		if (path[i] != '/') continue;
		memcpy(part, path, i);
		part[i] = 0;
		mkdir(part, 0755);
	}
}

static status put_whiteout(struct job *j, enum import_kind kind, const char *path)
{
	if (kind == IMPORT_OPAQUE) {
		make_parents(path);
		mkdir(path, 0755);
		if (setxattr(path, "trusted.overlay.opaque", "y", 1, 0) == 0) return OK;
	} else {
		make_parents(path);
		/* What the same layer has at this name counts: whiteouts are about those below. */
		if (mknod(path, S_IFCHR, makedev(0, 0)) == 0 || errno == EEXIST) return OK;
	}
	return bad(j, "the layer's whiteouts cannot be kept");
}

static status copy_data(struct job *j, struct archive *in, struct archive *out, long long *bytes)
{
	const void *p;
	size_t n;
	la_int64_t at;
	for (;;) {
		int r = j->lib.read_data_block(in, &p, &n, &at);
		if (r == ARCHIVE_EOF) return OK;
		if (r < ARCHIVE_WARN) return bad(j, "the layer is damaged");
		*bytes += (long long)n;
		if (*bytes > BYTES_MAX) return bad(j, "the image is larger than 64 GiB");
		if (j->lib.write_data_block(out, p, n, at) < ARCHIVE_WARN)
			return bad(j, "the layer cannot be written: is the disk full?");
	}
}

static status unpack_entry(
	struct job *j, struct archive *in, struct archive *out, struct archive_entry *e, long long *bytes)
{
	struct archive_library *l = &j->lib;
	char path[PATH_MAX], target[PATH_MAX];
	const char *name = l->entry_pathname(e), *link = l->entry_hardlink(e);
	if (!name || !import_path(str_c(name), path)) return bad(j, "the layer has a path that leads out of it");
	enum import_kind kind = import_whiteout(path, target);
	if (kind == IMPORT_REFUSED) return bad(j, "the layer has a whiteout of nothing");
	if (kind != IMPORT_PLAIN) return put_whiteout(j, kind, target);
	if (link && !import_path(str_c(link), target)) return bad(j, "the layer has a link that leads out of it");
	unsigned type = l->entry_filetype(e);
	/* Devices and sockets are nothing in a machine, which has a /dev of its own. */
	if (!link && type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK && type != AE_IFIFO) return OK;
	if (l->entry_uid(e) < 0 || l->entry_uid(e) > 65535 || l->entry_gid(e) < 0 || l->entry_gid(e) > 65535)
		return bad(j, "the layer has files of a user or group past 65535");
	if (!*path) {
		if (type != AE_IFDIR) return OK;
		snprintf(path, sizeof(path), ".");
	}
	l->entry_set_pathname(e, path);
	if (link) l->entry_set_hardlink(e, target);
	keep_attributes(j, e);
	if (l->write_header(out, e) < ARCHIVE_WARN) return bad(j, "the layer cannot be written");
	if (!link && l->entry_size(e) > 0) TRY(copy_data(j, in, out, bytes));
	return l->write_finish_entry(out) < ARCHIVE_WARN ? bad(j, "the layer cannot be written") : OK;
}

static status unpack(struct job *j, struct source *s)
{
	struct archive_library *l = &j->lib;
	struct archive *in = l->read_new(), *out = l->write_disk_new();
	struct archive_entry *e;
	archive_library_formats(l, in);
	/* Links are followed as they will be in the machine: the folder is the root. */
	l->write_disk_set_options(out, ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
					       ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_UNLINK);
	status r = l->read_open(in, s, NULL, read_source, NULL) == ARCHIVE_OK ? OK : bad(j, "it is no archive");
	while (is_ok(r)) {
		int n = l->read_next_header(in, &e);
		if (n == ARCHIVE_EOF) break;
		r = n < ARCHIVE_WARN ? bad(j, "the archive is damaged") : unpack_entry(j, in, out, e, &s->bytes);
	}
	if (is_ok(r) && l->write_close(out) < ARCHIVE_WARN) r = bad(j, "the layer cannot be written");
	/* The rest belongs to the digest. */
	const void *p;
	while (is_ok(r) && read_source(in, s, &p) > 0) continue;
	l->read_free(in), l->write_free(out);
	return r;
}

/* In a child whose root is the folder; what it says comes by a pipe: a status, the digest, why. */
struct said {
	char code;
	unsigned char digest[32];
	char why[200];
};

static struct said unpack_confined(struct job *j, const char *folder, struct archive *outer)
{
	struct said said = {.code = STATUS_IO};
	struct source *s = mem_new(sizeof(*s));
	*s = (struct source){.j = j, .outer = outer, .fd = j->fd, .digest = EVP_MD_CTX_new()};
	EVP_DigestInit_ex(s->digest, EVP_sha256(), NULL);
	umask(0);
	status r = chdir(folder) == 0 && chroot(".") == 0 ? OK : STATUS(IO);
	if (is_ok(r)) r = unpack(j, s);
	EVP_DigestFinal_ex(s->digest, said.digest, NULL);
	said.code = (char)r.code;
	snprintf(said.why, sizeof(said.why), "%.*s", STR_ARG(*j->why));
	EVP_MD_CTX_free(s->digest);
	free(s);
	return said;
}

static void remove_folder(const char *path)
{
	const char *argv[] = {"rm", "-rf", "--one-file-system", path, NULL};
	spawn_wait(argv, "/", -1);
}

static status unpack_layer(struct job *j, struct archive *outer, struct str wanted, struct str *digest)
{
	struct said said = {.code = STATUS_IO};
	int ends[2], how = 0;
	const char *beside = str_fmt(j->a, "%slayers/.import-%d", j->dir, getpid()).p;
	remove_folder(beside);
	if (mkdir(beside, 0755) != 0 || pipe2(ends, O_CLOEXEC) != 0) return STATUS(IO);
	pid_t pid = fork();
	if (pid == 0) {
		said = unpack_confined(j, beside, outer);
		_exit(write(ends[1], &said, sizeof(said)) == sizeof(said) ? 0 : 1);
	}
	close(ends[1]);
	bool heard = pid > 0 && read(ends[0], &said, sizeof(said)) == sizeof(said);
	close(ends[0]);
	if (pid > 0) waitpid(pid, &how, 0);
	status r = heard ? (status){(enum status_code)said.code} : STATUS(IO);
	if (!is_ok(r)) *j->why = said.why[0] ? str_dup(j->a, str_c(said.why)) : STR("the layer cannot be unpacked");
	*digest = str_hex(j->a, str_n(said.digest, sizeof(said.digest)));
	if (is_ok(r) && str_has(wanted) && !str_eq(wanted, *digest)) r = bad(j, "a layer is not what its digest says");
	const char *path = str_fmt(j->a, "%slayers/%.*s", j->dir, STR_ARG(*digest)).p;
	if (is_ok(r) && access(path, F_OK) != 0 && rename(beside, path) != 0) r = STATUS(IO);
	remove_folder(beside);
	return r;
}

/* ── the outer archive ────────────────────────────────────────────────────────────────────────────────────────── */

/* Each pass begins anew. fn returns PENDING when it has seen enough. */
static status each_entry(
	struct job *j, status (*fn)(struct job *j, struct archive *in, struct archive_entry *e, void *ctx), void *ctx)
{
	struct archive_library *l = &j->lib;
	struct archive *in = l->read_new();
	struct archive_entry *e;
	archive_library_formats(l, in);
	if (lseek(j->fd, 0, SEEK_SET) != 0) return bad(j, "the archive has to be a file");
	status r = l->read_open_fd(in, j->fd, BLOCK) == ARCHIVE_OK ? OK : bad(j, "it is no archive");
	while (is_ok(r)) {
		int n = l->read_next_header(in, &e);
		if (n == ARCHIVE_EOF) break;
		r = n < ARCHIVE_WARN ? bad(j, "the archive is damaged") : fn(j, in, e, ctx);
	}
	l->read_free(in);
	return status_is(r, STATUS_PENDING) ? OK : r;
}

static status collect_text(struct job *j, struct archive *in, struct archive_entry *e, void *ctx)
{
	struct archive_library *l = &j->lib;
	char path[PATH_MAX];
	(void)ctx;
	const char *name = l->entry_pathname(e);
	la_int64_t size = l->entry_size(e);
	if (!name || !import_path(str_c(name), path) || l->entry_filetype(e) != AE_IFREG || size <= 0 ||
		size > JSON_MAX)
		return OK;
	bool wanted = strcmp(path, "manifest.json") == 0 || strcmp(path, "index.json") == 0 ||
		      str_starts(str_c(path), STR("blobs/"));
	if (!wanted || j->texts.count >= JSON_FILES_MAX) return OK;
	struct str *text = arena_new(j->a, struct str);
	char *p = arena_alloc_raw(j->a, (size_t)size);
	if (l->read_data(in, p, (size_t)size) != size) return bad(j, "the archive is damaged");
	*text = str_n(p, (size_t)size);
	map_set(&j->texts, str_c(path), text);
	return OK;
}

struct wanted {
	const char *path;
	struct str digest, got;
	bool found;
};

static status find_layer(struct job *j, struct archive *in, struct archive_entry *e, void *ctx)
{
	struct wanted *w = ctx;
	char path[PATH_MAX];
	const char *name = j->lib.entry_pathname(e);
	if (!name || !import_path(str_c(name), path) || strcmp(path, w->path) != 0) return OK;
	w->found = true;
	/* `docker save` of older versions stores a layer once, and links to it. */
	const char *link = j->lib.entry_symlink(e);
	if (link) return bad(j, "a layer is a link: save the image with a newer docker");
	/* The child has read on in the file: this pass ends here. */
	TRY(unpack_layer(j, in, w->digest, &w->got));
	return STATUS(PENDING);
}

static status read_text(struct job *j, struct str path, struct json_value **out)
{
	struct str *text = map_get(&j->texts, path);
	return text && is_ok(json_read(j->a, *text, out)) ? OK : bad(j, "the image's manifest cannot be read");
}

static status import_layers(struct job *j, const struct json_value *layers, bool oci, struct buf *list)
{
	size_t n = 0;
	if (!json_is(layers, JSON_IS_ARRAY) || !layers->first) return bad(j, "the image's manifest names no layers");
	for (const struct json_value *v = layers->first; v; v = v->next) {
		struct wanted w = {0};
		struct str name = oci ? json_string(json_member(v, STR("digest"))) : json_string(v);
		char path[PATH_MAX];
		if (++n > LAYERS_MAX) return bad(j, "the image has more than 120 layers");
		if (oci) {
			if (!str_starts(name, STR("sha256:")) || name.n != 7 + 64)
				return bad(j, "the image's manifest names a layer by no SHA-256");
			w.digest = str_from(name, 7);
			name = str_cat(j->a, STR("blobs/sha256/"), w.digest);
		}
		if (!str_has(name) || !import_path(name, path)) return bad(j, "the image's manifest cannot be read");
		w.path = path;
		TRY(each_entry(j, find_layer, &w));
		if (!w.found) return bad(j, "a layer that the manifest names is missing");
		buf_fmt(list, "%.*s\n", STR_ARG(w.got));
	}
	return OK;
}

/* An index may name an index (of platforms): at most a few deep; the first for Linux and this processor, else the
 * first. */
static status import_oci(struct job *j, struct buf *list)
{
#if defined(__aarch64__)
	struct str here = STR("arm64");
#else
	struct str here = STR("amd64");
#endif
	struct json_value *v = NULL;
	TRY(read_text(j, STR("index.json"), &v));
	for (int depth = 0; depth < 4; depth++) {
		const struct json_value *manifests = json_member(v, STR("manifests")),
					*layers = json_member(v, STR("layers"));
		if (layers) return import_layers(j, layers, true, list);
		const struct json_value *chosen = manifests ? manifests->first : NULL;
		for (const struct json_value *m = chosen; m; m = m->next) {
			struct str arch =
				json_string(json_member(json_member(m, STR("platform")), STR("architecture")));
			if (!str_has(arch) || !str_eq(arch, here)) continue;
			chosen = m;
			break;
		}
		struct str digest = json_string(json_member(chosen, STR("digest")));
		if (!str_starts(digest, STR("sha256:"))) break;
		TRY(read_text(j, str_cat(j->a, STR("blobs/sha256/"), str_from(digest, 7)), &v));
	}
	return bad(j, "the image's index names no manifest");
}

/* Something that can be started: a shell or the folders of programs. */
static bool is_root(struct job *j, struct str list)
{
	bool found = false;
	while (str_has(list) && !found) {
		struct str digest = str_cut(&list, '\n');
		static const char *const parts[] = {"bin", "usr", "sbin", "app"};
		for (size_t i = 0; digest.n && i < 4 && !found; i++)
			found = faccessat(AT_FDCWD,
					str_fmt(j->a, "%slayers/%.*s/%s", j->dir, STR_ARG(digest), parts[i]).p, F_OK,
					AT_SYMLINK_NOFOLLOW) == 0;
	}
	return found;
}

static status import(struct job *j, struct str name)
{
	struct buf list = BUF_IN(j->a);
	TRY(each_entry(j, collect_text, NULL));
	if (map_get(&j->texts, STR("manifest.json"))) {
		struct json_value *v = NULL;
		TRY(read_text(j, STR("manifest.json"), &v));
		TRY(import_layers(j, json_member(v->first, STR("Layers")), false, &list));
	} else if (map_get(&j->texts, STR("index.json"))) {
		TRY(import_oci(j, &list));
	} else {
		struct str digest;
		if (lseek(j->fd, 0, SEEK_SET) != 0) return bad(j, "the archive has to be a file");
		TRY(unpack_layer(j, NULL, STR_NONE, &digest));
		buf_fmt(&list, "%.*s\n", STR_ARG(digest));
	}
	if (!is_root(j, buf_done(&list))) return bad(j, "it holds no root file system");
	return files_replace(str_fmt(j->a, "%simages/%.*s", j->dir, STR_ARG(name)).p, buf_done(&list), true);
}

static bool make_folders(struct arena *a, const char *dir)
{
	const char *parts[] = {dir, str_fmt(a, "%simages", dir).p, str_fmt(a, "%slayers", dir).p};
	for (size_t i = 0; i < 3; i++)
		if (mkdir(parts[i], 0700) != 0 && errno != EEXIST) return false;
	return true;
}

status image_import(struct arena *a, const char *dir, struct str name, int fd, struct str *why)
{
	struct job j = {.a = a, .dir = dir, .fd = fd, .why = why};
	if (!image_name_valid(name)) return STATUS(INVALID);
	if (!archive_library_load(&j.lib)) return bad(&j, "libarchive is not installed: apt install libarchive13");
	if (!make_folders(a, dir)) return STATUS(IO);
	if (access(str_fmt(a, "%simages/%.*s", dir, STR_ARG(name)).p, F_OK) == 0) {
		*why = STR("there is an image of that name");
		return STATUS(BUSY);
	}
	/* Names in archives are UTF-8, whatever the agent's locale. */
	setlocale(LC_CTYPE, "C.UTF-8");
	map_init(&j.texts);
	status s = import(&j, name);
	map_cleanup(&j.texts, NULL);
	if (!is_ok(s)) image_sweep(dir);
	return s;
}
