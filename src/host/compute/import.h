/* The parts of an import that judge names; apart, so that they are tested with anything. Inside compute/. */
#pragma once
#include "base/str.h"
#include <limits.h>

/* "./a//b" -> "a/b"; the root is "". False for a path that leads out, holds a NUL or is too long. */
bool import_path(struct str path, char out[static PATH_MAX]);

/* OCI Image Format Specification, "Whiteouts". path is import_path's; out: what it hides, or the folder whose lower
 * contents are hidden. */
enum import_kind { IMPORT_PLAIN, IMPORT_WHITEOUT, IMPORT_OPAQUE, IMPORT_REFUSED };
enum import_kind import_whiteout(const char *path, char out[static PATH_MAX]);
