/* Compressed objects, piece by piece: members of gzip (RFC 1952) or streams of bzip2, one after another. */
#pragma once
#include "base/str.h"

struct sel_unpack;
/* Reads more compressed bytes: *got 0 at the end. */
typedef status (*sel_more)(void *ctx, char *p, size_t n, size_t *got);
struct sel_unpack *sel_unpack_new(bool bzip2, sel_more more, void *ctx);
/* At most n bytes; *got 0 at the end. INVALID: they are not of that format, or end within; else the status of `more`.
 */
status sel_unpack_read(struct sel_unpack *u, char *p, size_t n, size_t *got) MUST_USE;
/* Compressed bytes that were read and not yet used. */
size_t sel_unpack_waiting(const struct sel_unpack *u);
/* NULL is fine. */
void sel_unpack_free(struct sel_unpack *u);
