/* Random bytes and ids. All from the kernel's generator, buffered per thread; fit for secrets. */
#pragma once
#include "base/str.h"

void rand_bytes(void *p, size_t n);
uint64_t rand_u64(void);
/* 0 <= result < bound, without bias; bound > 0. */
uint64_t rand_below(uint64_t bound);
/* n characters from the alphabet. */
struct str rand_text(struct arena *a, struct str alphabet, size_t n);
/* Version 4, RFC 9562, lower case. */
struct str rand_uuid(struct arena *a);
