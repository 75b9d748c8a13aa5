/* Strings: comparing, searching, cutting, matching and copying. */
#include "base/str.h"
#include "base/arena.h"
#include <stdarg.h>
#include <stdio.h>

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n ? memcmp(a.p, b.p, n) : 0;
	return r ? r : (a.n > b.n) - (a.n < b.n);
}

bool str_ieq(struct str a, struct str b)
{
	if (a.n != b.n) return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i])) return false;
	return true;
}

bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq(str_n(s.p, prefix.n), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

bool str_istarts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_ieq(str_n(s.p, prefix.n), prefix);
}

ptrdiff_t str_chr(struct str s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
	return at ? at - s.p : -1;
}

ptrdiff_t str_rchr(struct str s, char c)
{
	const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;
	return at ? at - s.p : -1;
}

ptrdiff_t str_find(struct str s, struct str needle)
{
	if (needle.n == 0) return 0;
	const char *at = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
	return at ? at - s.p : -1;
}

struct str str_sub(struct str s, size_t from, size_t n)
{
	if (!s.p) return s;
	if (from > s.n) from = s.n;
	if (n > s.n - from) n = s.n - from;
	return str_n(s.p + from, n);
}

struct str str_from(struct str s, size_t from)
{
	return str_sub(s, from, s.n);
}

struct str str_cut(struct str *s, char c)
{
	struct str part = *s;
	ptrdiff_t at = str_chr(*s, c);
	if (at < 0) {
		*s = STR_NONE;
		return part;
	}
	*s = str_from(part, (size_t)at + 1);
	return str_n(part.p, (size_t)at);
}

struct str str_trim(struct str s)
{
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) s.n--;
	while (s.n && (*s.p == ' ' || *s.p == '\t')) s.p++, s.n--;
	return s;
}

bool str_glob(struct str pattern, struct str s)
{
	/* Only the last '*' need ever be tried again: what an earlier one could take, the last can take too. */
	size_t p = 0, i = 0, star = SIZE_MAX, retry = 0;
	while (i < s.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			retry = i;
		} else if (p < pattern.n && (pattern.p[p] == '?' || pattern.p[p] == s.p[i])) {
			p++;
			i++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			i = ++retry;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*') p++;
	return p == pattern.n;
}

struct str str_dup(struct arena *a, struct str s)
{
	return s.p ? str_n(str_z(a, s), s.n) : STR_NONE;
}

const char *str_z(struct arena *a, struct str s)
{
	if (!s.p) return NULL;
	char *p = arena_alloc_raw(a, s.n + 1);
	memcpy(p, s.p, s.n);
	p[s.n] = 0;
	return p;
}

struct str str_fmt(struct arena *a, const char *fmt, ...)
{
	char small[256];
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int n = vsnprintf(small, sizeof small, fmt, args);
	INVARIANT(n >= 0);
	char *p = arena_alloc_raw(a, (size_t)n + 1);
	if ((size_t)n < sizeof small)
		memcpy(p, small, (size_t)n + 1);
	else
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(args);
	return str_n(p, (size_t)n);
}

struct str str_cat(struct arena *a, struct str x, struct str y)
{
	char *p = arena_alloc_raw(a, x.n + y.n + 1);
	if (x.n) memcpy(p, x.p, x.n);
	if (y.n) memcpy(p + x.n, y.p, y.n);
	p[x.n + y.n] = 0;
	return str_n(p, x.n + y.n);
}

struct str str_lower(struct arena *a, struct str s)
{
	if (!s.p) return s;
	char *p = arena_alloc_raw(a, s.n + 1);
	for (size_t i = 0; i < s.n; i++) p[i] = (char)lower(s.p[i]);
	p[s.n] = 0;
	return str_n(p, s.n);
}

bool str_eq_secret(struct str a, struct str b)
{
	if (a.n != b.n) return false;
	volatile unsigned char differ = 0;
	for (size_t i = 0; i < a.n; i++) differ = (unsigned char)(differ | (a.p[i] ^ b.p[i]));
	return differ == 0;
}
