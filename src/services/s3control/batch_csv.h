/* Rows of a manifest (RFC 4180: quotes around a field, doubled within). Bytes of a client's own. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

enum { BATCH_COLUMNS_MAX = 64 };
/* Cuts the next row that is not empty off *rest. NOT_FOUND at the end; INVALID where there are more columns or quotes
 * stay open. Fields live in `a`, or point into the text. */
status batch_csv_next(struct arena *a, struct str *rest, struct str fields[BATCH_COLUMNS_MAX], size_t *n) MUST_USE;
