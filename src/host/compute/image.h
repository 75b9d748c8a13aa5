/* Images: root file systems, unpacked, which never change; machines share their layers. The default one, Debian 12 with
 * what a server needs, is made by mmdebstrap once and is the machine's own cache (IMAGE_CACHE), shared by all data
 * folders; imported ones are below the data folder. Inside the agent, and for `virga engines install machine-image`:
 * all of it needs root. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#define IMAGE_CACHE "/var/cache/virga/images/"
/* The version is told by the name: another recipe is another image. */
#define IMAGE_DEFAULT "debian-12-v1"

/* The layers of an image below `dir` (a folder of images, with a trailing slash), lowest first, as whole paths.
 * "default" is IMAGE_DEFAULT in the cache. NOT_FOUND. */
struct image_layers {
	const char **v;
	size_t n;
};
status image_layers(struct arena *a, const char *dir, struct str name, struct image_layers *out) MUST_USE;
bool image_name_valid(struct str name);

/* Is the default image there? */
bool image_default_ready(void);
/* Builds it, blocking (15 s to minutes); one process at a time, others wait for it. Progress goes to `log` (a
 * descriptor; -1: none). IO with *why: mmdebstrap is missing, or failed. */
status image_default_build(struct arena *a, int log, struct str *why) MUST_USE;

/* Unpacks an archive into dir/NAME: see host_image_import. */
status image_import(struct arena *a, const char *dir, struct str name, int fd, struct str *why) MUST_USE;
status image_remove(const char *dir, struct str name) MUST_USE;
/* Removes layers that no image has: of imports that were cut short. */
void image_sweep(const char *dir);
