/* Whole texts as gzip members (RFC 1952). */
#pragma once
#include "base/str.h"

struct str gzip_pack(struct arena *a, struct str s);
/* INVALID where the bytes are not whole members, LIMIT past max bytes. */
status gzip_unpack(struct arena *a, struct str s, size_t max, struct str *out) MUST_USE;
