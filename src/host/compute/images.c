/* Images, as the agent is asked about them. The default one is built by a child of the agent when it is first needed.
 */
#include "base/log.h"
#include "base/vec.h"
#include "host/compute/compute.h"
#include "host/compute/door.h"
#include "host/compute/operations.h"
#include "host/compute/spawn.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_built(void *ctx)
{
	struct compute *c = ctx;
	int how = 0;
	agent_unwatch(c->g, c->builder_fd);
	close(c->builder_fd);
	waitpid(c->builder, &how, 0);
	c->builder = 0, c->builder_fd = -1;
	c->build_failed = !image_default_ready();
	log_info("host", "image_built", "name=" IMAGE_DEFAULT " good=%s", c->build_failed ? "false" : "true");
}

static void build_default(struct compute *c)
{
	if (c->builder > 0 || image_default_ready()) return;
	pid_t pid = fork();
	if (pid == 0) {
		struct arena a;
		struct str why = STR_NONE;
		arena_init(&a);
		spawn_clean_signals();
		_exit(is_ok(image_default_build(&a, -1, &why)) ? 0 : 1);
	}
	if (pid < 0) return;
	c->builder = pid;
	c->builder_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	log_info("host", "image_build", "name=" IMAGE_DEFAULT);
	if (c->builder_fd >= 0) agent_watch(c->g, c->builder_fd, on_built, c);
}

static const char *const failed_text =
	"the default machine image could not be built: `virga engines install machine-image` shows why";

status compute_image(struct compute *c, struct arena *a, struct str name, struct image_layers *out, struct str *why)
{
	status s = image_layers(a, c->images, name, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	if (str_has(name) && !str_is(name, "default")) {
		*why = STR("there is no such image");
		return s;
	}
	if (c->build_failed) {
		/* Told once; the next request tries again. */
		c->build_failed = false;
		*why = str_c(failed_text);
		return STATUS(IO);
	}
	build_default(c);
	*why = STR("the default machine image is being built (once, by mmdebstrap)");
	return STATUS(BUSY);
}

static void tell_image(struct arena *a, struct compute *c, struct str name, struct compute_rec_image_status *out)
{
	struct image_layers l;
	*out = (struct compute_rec_image_status){.name = name, .state = STR("ready")};
	if (!is_ok(image_layers(a, c->images, name, &l))) {
		out->state = c->builder > 0 ? STR("building") : STR("failed");
		if (c->builder <= 0) out->why = str_c(failed_text);
		return;
	}
	out->layers.v = arena_new_n(a, struct str, l.n);
	for (size_t i = 0; i < l.n; i++) {
		struct str path = str_c(l.v[i]);
		out->layers.v[out->layers.n++] = str_from(path, (size_t)str_rchr(path, '/') + 1);
	}
}

void image_on_list(struct agent *g, struct agent_request *r)
{
	struct compute *c = agent_compute(g);
	struct compute_rec_image_statuses out = {0};
	size_t capacity = 0;
	if (!c->build_failed) build_default(c);
	tell_image(r->arena, c, STR("default"), VEC_PUSH(r->arena, &out.images, &capacity));
	DIR *d = opendir(str_fmt(r->arena, "%simages", c->images).p);
	for (struct dirent *e; d && (e = readdir(d));) {
		struct str name = str_dup(r->arena, str_c(e->d_name));
		if (image_name_valid(name)) tell_image(r->arena, c, name, VEC_PUSH(r->arena, &out.images, &capacity));
	}
	if (d) closedir(d);
	agent_answer(g, r->id, OK, STR_NONE, compute_rec_image_statuses_encode(r->arena, &out), NULL, 0);
}

struct import {
	struct compute *c;
	struct str name;
	int fd;
};

static status import(void *ctx, struct arena *a, struct str *why)
{
	struct import *w = ctx;
	spawn_clean_signals();
	return image_import(a, w->c->images, w->name, w->fd, why);
}

void image_on_import(struct agent *g, struct agent_request *r)
{
	struct compute_rec_image_import q = {0};
	if (!is_ok(compute_rec_image_import_decode(r->arena, r->body, &q)) || !image_name_valid(q.name) ||
		r->n_fds != 1) {
		agent_answer(g, r->id, STATUS(INVALID), STR("the image's name is not one"), STR_NONE, NULL, 0);
		return;
	}
	struct import w = {agent_compute(g), q.name, r->fds[0]};
	answer_from_child(g, r->id, import, &w);
}

static status remove_image(void *ctx, struct arena *a, struct str *why)
{
	struct import *w = ctx;
	(void)a, (void)why;
	return image_remove(w->c->images, w->name);
}

void image_on_remove(struct agent *g, struct agent_request *r)
{
	struct compute_rec_image_import q = {0};
	struct compute *c = agent_compute(g);
	if (!is_ok(compute_rec_image_import_decode(r->arena, r->body, &q)) || !image_name_valid(q.name)) {
		agent_answer(g, r->id, STATUS(INVALID), STR("the image's name is not one"), STR_NONE, NULL, 0);
		return;
	}
	for (struct map_entry *e = NULL; (e = map_next(&c->machines, e));) {
		struct machine *m = e->value;
		if (m->state == MACHINE_ENDED || !str_eq(str_c(m->image), q.name)) continue;
		agent_answer(g, r->id, STATUS(BUSY), STR("a machine stands on it"), STR_NONE, NULL, 0);
		return;
	}
	struct import w = {c, q.name, -1};
	answer_from_child(g, r->id, remove_image, &w);
}
