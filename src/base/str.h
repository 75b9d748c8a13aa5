/* A string is a pointer and a length; it need not end in NUL and may hold any byte. `p == NULL` means absent, which
 * is not the same as empty (`n == 0` with `p != NULL`). A str never owns its bytes: an arena, a record or the program
 * text does. Pass it by value. */
#pragma once
#include "base/status.h"
#include <stddef.h>
#include <string.h>

struct arena;

struct str {
	const char *p;
	size_t n;
};

#define STR(lit) ((struct str){"" lit, sizeof(lit) - 1})
#define STR_NONE ((struct str){NULL, 0})
/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline struct str str_c(const char *z) { return (struct str){z, z ? strlen(z) : 0}; }
static inline struct str str_n(const void *p, size_t n) { return (struct str){(const char *)p, n}; }
static inline bool str_has(struct str s) { return s.p != NULL; }
static inline bool str_empty(struct str s) { return s.n == 0; }
static inline bool str_eq(struct str a, struct str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }
#define str_is(s, lit) str_eq((s), STR(lit))
static inline struct str str_or(struct str s, struct str other) { return s.p ? s : other; }

/* memcmp order; a prefix sorts before what it begins. */
int str_cmp(struct str a, struct str b);
/* ASCII case only. */
bool str_ieq(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_istarts(struct str s, struct str prefix);
/* Index of the first `c` or of `needle`; -1 where there is none. */
ptrdiff_t str_chr(struct str s, char c);
ptrdiff_t str_rchr(struct str s, char c);
ptrdiff_t str_find(struct str s, struct str needle);
/* Clamped substring: never past the end. */
struct str str_sub(struct str s, size_t from, size_t n);
struct str str_from(struct str s, size_t from);
/* Cut at the first `c`: the part before is returned, *s becomes the rest; without `c` all is returned and *s is
 * STR_NONE. Loop with: while (str_has(rest)) { part = str_cut(&rest, ','); … } */
struct str str_cut(struct str *s, char c);
/* Without leading and trailing spaces and tabs. */
struct str str_trim(struct str s);
/* '*' any run, '?' one byte. Linear in practice: no exponential backtracking. */
bool str_glob(struct str pattern, struct str s);

/* Strict decimal: an optional '-', digits, nothing else; STATUS_INVALID for anything else, STATUS_LIMIT past range. */
status str_to_i64(struct str s, int64_t *out) MUST_USE;
status str_to_u64(struct str s, uint64_t *out) MUST_USE;
/* A finite double (also NaN, Infinity, -Infinity as AWS spells them). */
status str_to_f64(struct str s, double *out) MUST_USE;
/* Well-formed UTF-8 (RFC 3629; no surrogates, nothing past U+10FFFF). */
bool str_utf8_valid(struct str s);
/* Number of code points; the length that AWS's length constraints count. Needs valid UTF-8. */
size_t str_utf8_length(struct str s);

/* Copies into the arena, with a NUL behind the end. STR_NONE stays STR_NONE. */
struct str str_dup(struct arena *a, struct str s);
const char *str_z(struct arena *a, struct str s);
struct str str_fmt(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct str str_cat(struct arena *a, struct str x, struct str y);
struct str str_lower(struct arena *a, struct str s);

/* Lower-case hexadecimal. Decoding accepts both cases; STATUS_INVALID for anything else. */
struct str str_hex(struct arena *a, struct str bytes);
status str_unhex(struct arena *a, struct str hex, struct str *out) MUST_USE;
/* RFC 4648 section 4, with padding. Decoding is strict: no white space, padding required. */
struct str str_base64(struct arena *a, struct str bytes);
status str_unbase64(struct arena *a, struct str text, struct str *out) MUST_USE;
/* RFC 3986 percent-encoding of everything but unreserved characters (and '/' where keep_slash). */
struct str str_uri_encode(struct arena *a, struct str s, bool keep_slash);
/* Decodes %XX; STATUS_INVALID on a malformed escape. plus_is_space for form data. */
status str_uri_decode(struct arena *a, struct str s, bool plus_is_space, struct str *out) MUST_USE;
/* Constant-time in the content (not in the length). */
bool str_eq_secret(struct str a, struct str b);
