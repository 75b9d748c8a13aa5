/* Whole texts as gzip members (RFC 1952). */
#pragma once
#include "base/str.h"

struct str gzip_pack(struct arena *a, struct str s);
