/* URI templates of the rest protocols (Smithy's http trait) against raw paths: literal text, {label} up to the next
 * slash, {label+} over slashes, and literal query keys behind '?'. Everything stays percent-encoded. */
#include "wire/internal.h"

struct str wire_query_raw(struct str query, struct str key)
{
	if (query.n == 0) return STR_NONE;
	const char *p = query.p, *end = query.p + query.n;
	while (p < end) {
		const char *amp = memchr(p, '&', (size_t)(end - p)), *stop = amp ? amp : end;
		if ((size_t)(stop - p) >= key.n && memcmp(p, key.p, key.n) == 0) {
			const char *rest = p + key.n;
			if (rest == stop) return STR("");
			if (*rest == '=') return str_n(rest + 1, (size_t)(stop - rest - 1));
		}
		p = stop + 1;
	}
	return STR_NONE;
}

static inline uint64_t key_bit(char first, size_t n)
{
	return 1ull << (((unsigned)(unsigned char)first * 5 + n) & 63);
}

uint64_t wire_query_keys(struct str query)
{
	uint64_t keys = 0;
	for (size_t i = 0; i < query.n; i++) {
		size_t start = i;
		while (i < query.n && query.p[i] != '=' && query.p[i] != '&') i++;
		if (i > start) keys |= key_bit(query.p[start], i - start);
		while (i < query.n && query.p[i] != '&') i++;
	}
	return keys;
}

/* Number of the template's literal query keys, all present; -1 where one is not. x-id only repeats the operation's
 * name. */
static int match_query(const char *p, const char *end, struct str query, uint64_t keys)
{
	int n = 0;
	while (p < end) {
		const char *start = p;
		while (p < end && *p != '=' && *p != '&') p++;
		struct str key = str_n(start, (size_t)(p - start)), value = STR_NONE;
		if (p < end && *p == '=') {
			const char *v = ++p;
			while (p < end && *p != '&') p++;
			value = str_n(v, (size_t)(p - v));
		}
		p++;
		if (str_is(key, "x-id")) continue;
		if (!key.n || !(keys & key_bit(key.p[0], key.n))) return -1;
		struct str got = wire_query_raw(query, key);
		if (!str_has(got) || (str_has(value) && !str_eq(got, value))) return -1;
		n++;
	}
	return n;
}

static bool add_label(struct wire_match *out, struct str name, struct str value)
{
	if (value.n == 0 || out->n_labels == sizeof out->labels / sizeof out->labels[0]) return false;
	out->labels[out->n_labels++] = (struct wire_label){name, value};
	return true;
}

/* Bytes of literal text that matched, -1 for no match. */
static int match_path(struct str uri, struct str path, struct wire_match *out, bool *greedy)
{
	const char *u = uri.p, *ue = u + uri.n, *p = path.p, *pe = p + path.n;
	int literal = 0;
	while (u < ue) {
		if (*u != '{') {
			if (p == pe) return ue - u == 1 && *u == '/' ? literal : -1; /* a final slash may be missing */
			if (*u != *p) return -1;
			u++, p++, literal++;
			continue;
		}
		const char *close = memchr(u, '}', (size_t)(ue - u));
		if (!close) return -1;
		struct str name = str_n(u + 1, (size_t)(close - u - 1));
		u = close + 1;
		if (str_ends(name, STR("+"))) {
			/* It takes all but what the template has behind it, which holds no further label. */
			size_t tail = (size_t)(ue - u);
			name.n--;
			*greedy = true;
			if ((size_t)(pe - p) < tail || memcmp(pe - tail, u, tail) != 0) return -1;
			if (!add_label(out, name, str_n(p, (size_t)(pe - p) - tail))) return -1;
			return literal + (int)tail;
		}
		char stop = u < ue ? *u : '/';
		const char *v = p;
		while (p < pe && *p != stop && *p != '/') p++;
		if (!add_label(out, name, str_n(v, (size_t)(p - v)))) return -1;
	}
	if (p == pe || (pe - p == 1 && *p == '/')) return literal;
	return -1;
}

int wire_uri_match(struct str uri, struct str path, struct str query, uint64_t query_keys, struct wire_match *out)
{
	const char *mark = memchr(uri.p, '?', uri.n);
	int keys = 0;
	bool greedy = false;
	if (mark) {
		if (query.n == 0) return -1;
		keys = match_query(mark + 1, uri.p + uri.n, query, query_keys);
		if (keys < 0) return -1;
		uri.n = (size_t)(mark - uri.p);
	}
	out->n_labels = 0;
	int literal = match_path(uri, path, out, &greedy);
	if (literal < 0) return -1;
	return literal * 4096 + (greedy ? 0 : 2048) + keys * 128;
}
