/* A growing byte buffer. With an arena its memory comes from there (buf_cleanup does nothing); without, from the heap
 * and buf_cleanup frees it. Appending never fails. */
#pragma once
#include "base/arena.h"
#include "base/str.h"
#include <stdarg.h>

struct buf {
	char *p;
	size_t n, capacity;
	struct arena *arena;
};

#define BUF_IN(a) ((struct buf){.arena = (a)})
#define BUF_HEAP ((struct buf){0})

void buf_cleanup(struct buf *b);
/* Room for `more` bytes behind the end; returns where they go. Then add to b->n. */
char *buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, struct str s);
#define buf_lit(b, lit) buf_add((b), "" lit, sizeof(lit) - 1)
void buf_byte(struct buf *b, char c);
void buf_i64(struct buf *b, int64_t v);
void buf_u64(struct buf *b, uint64_t v);
/* The shortest decimal that reads back as the same double; NaN, Infinity, -Infinity. */
void buf_f64(struct buf *b, double v);
void buf_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vfmt(struct buf *b, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
void buf_base64(struct buf *b, struct str bytes);
void buf_hex(struct buf *b, struct str bytes);
/* The content; valid until the next append (or as long as the arena, once appending has ended). */
static inline struct str buf_done(const struct buf *b) { return (struct str){b->p ? b->p : "", b->n}; }
