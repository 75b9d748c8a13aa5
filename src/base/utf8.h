/* Writing UTF-8 (RFC 3629 section 3). Checking and counting it: str.h. */
#pragma once
#include "base/buf.h"

/* c: at most 0x10ffff, and no surrogate. */
void buf_utf8(struct buf *b, uint32_t c);
