/* What clients of this virga need in their environment; for `virga env` and the init hooks. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* The installation's root key, from the file `credentials` in the data folder (with a trailing slash). False when it
 * cannot be read. */
bool environment_root_key(struct arena *a, struct str data_folder, struct str *key, struct str *secret);
