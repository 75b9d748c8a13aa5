/* A service's side of an engine's folder: what it writes there before the start, and where. The agent gives what lies
 * there to the engine's user when the engine starts; its group stays virga's, which may read, write and remove there.
 */
#pragma once
#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"
#include <sys/types.h>

/* dir: the data folder, with a trailing slash (store_dir). rest: "" for the folder itself. */
const char *engine_path(const char *dir, struct arena *a, struct str folder, const char *rest);
/* OK too where it is there already. */
status engine_folder_make(const char *path, mode_t mode) MUST_USE;
/* Replaces a file; secret: nobody but its owner may read it. */
status engine_file_write(const char *path, struct arena *a, struct str text, bool secret) MUST_USE;
/* Removes the folder's files (not what lies in folders within it) and the folder. */
void engine_folder_remove(const char *path);
