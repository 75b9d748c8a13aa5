/* Where virga keeps things. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* The default data folder: $XDG_DATA_HOME/virga, else $HOME/.local/share/virga (XDG Base Directory Specification), else
 * /var/lib/virga (a service without a home). */
const char *folder_default(struct arena *a);
/* Makes every missing folder of the path, 0700. STATUS_IO with errno set. */
status folder_make(struct arena *a, const char *path) MUST_USE;
/* Removes a folder and all in it, following no links. Says what could not be removed in the log. */
void folder_remove(const char *path);

/* A data folder that goes with its process, below $TMPDIR or /tmp. What processes that were killed left there is
 * removed by the next one: a lock that nobody holds tells. */
struct folder_ephemeral {
	const char *dir;  /* what to remove at the end */
	const char *data; /* the data folder */
	int lock_fd;
};
status folder_ephemeral_make(struct arena *a, struct folder_ephemeral *out) MUST_USE;
void folder_ephemeral_remove(struct folder_ephemeral *e);
