/* The canonical request and the string to sign ("Create a signed AWS API request" in the IAM User Guide, "Signature
 * Calculations for the Authorization Header" in the S3 API Reference). Built in one buffer sized beforehand. */
#include "identity/sigv4_internal.h"
#include <stdlib.h>

static const uint8_t unreserved[256] = {
	['A' ... 'Z'] = 1,
	['a' ... 'z'] = 1,
	['0' ... '9'] = 1,
	['-'] = 1,
	['.'] = 1,
	['_'] = 1,
	['~'] = 1,
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	if (c >= 'A' && c <= 'F') return c - 'A' + 10;
	return -1;
}

static char *put_encoded(char *to, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";
	*to++ = '%';
	*to++ = digits[c >> 4];
	*to++ = digits[c & 15];
	return to;
}

enum { KEEP_SLASH = 1, DECODE = 2, PLUS_IS_SPACE = 4 };
/* Percent-encodes s to `to` (room for 3 * s.n); with DECODE, what s encodes already stands for its byte, and a '%' that
 * begins no escape for itself. */
static char *put_uri(char *to, struct str s, unsigned how)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (unreserved[c]) {
			*to++ = (char)c;
			continue;
		}
		if (c == '%' && (how & DECODE) && s.n - i > 2) {
			int high = hex_value(s.p[i + 1]), low = hex_value(s.p[i + 2]);
			if (high >= 0 && low >= 0) {
				c = (unsigned char)(high << 4 | low);
				i += 2;
			}
		} else if (c == '+' && (how & PLUS_IS_SPACE)) {
			c = ' ';
		}
		if (unreserved[c] || (c == '/' && (how & KEEP_SLASH)))
			*to++ = (char)c;
		else
			to = put_encoded(to, c);
	}
	return to;
}

static void add_uri(struct buf *b, struct str s, unsigned how)
{
	char *to = buf_reserve(b, 3 * s.n);
	b->n += (size_t)(put_uri(to, s, how) - to);
}

/* RFC 3986 section 5.2.4, with empty segments dropped as well: what every service but S3 does before signing. */
static struct str normalise(struct arena *a, struct str path)
{
	char *out = arena_alloc_raw(a, path.n + 1), *end = out;
	struct str rest = path;
	bool directory = true;
	while (str_has(rest)) {
		struct str segment = str_cut(&rest, '/');
		directory = segment.n == 0 || str_is(segment, ".") || str_is(segment, "..");
		if (str_is(segment, "..")) {
			while (end > out && *--end != '/') {
			}
		} else if (!directory) {
			*end++ = '/';
			end = (char *)memcpy(end, segment.p, segment.n) + segment.n;
		}
	}
	if (directory || end == out) *end++ = '/';
	return str_n(out, (size_t)(end - out));
}

static void add_path(struct buf *b, struct arena *a, struct str path, bool s3)
{
	if (path.n == 0) {
		buf_byte(b, '/');
		return;
	}
	if (s3) {
		add_uri(b, path, KEEP_SLASH | DECODE);
		return;
	}
	bool plain = path.p[0] == '/';
	for (size_t i = 0; plain && i + 1 < path.n; i++)
		plain = path.p[i] != '/' || (path.p[i + 1] != '/' && path.p[i + 1] != '.');
	add_uri(b, plain ? path : normalise(a, path), KEEP_SLASH);
}

struct parameter {
	struct str name, value;
};

static int by_name_and_value(const void *x, const void *y)
{
	const struct parameter *p = x, *q = y;
	int order = str_cmp(p->name, q->name);
	return order ? order : str_cmp(p->value, q->value);
}

static bool is_signed_parameter(const struct sigv4 *s, struct str name)
{
	if (s->kind != SIG_QUERY) return true;
	if (str_is(name, "X-Amz-Signature")) return false;
	return !(s->token_unsigned && str_is(name, "X-Amz-Security-Token"));
}

static void add_query(struct buf *b, struct arena *a, struct str query, const struct sigv4 *s)
{
	if (query.n == 0) return;
	size_t count = 1;
	for (size_t i = 0; i < query.n; i++) count += query.p[i] == '&';
	struct parameter *v = arena_array(a, count, sizeof(*v));
	char *to = arena_alloc_raw(a, 3 * query.n);
	unsigned how = DECODE | (s->plus_is_space ? PLUS_IS_SPACE : 0);
	size_t n = 0;
	bool sorted = true;
	while (str_has(query)) {
		struct str value = str_cut(&query, '&');
		if (value.n == 0) continue;
		struct str name = str_cut(&value, '=');
		if (!is_signed_parameter(s, name)) continue;
		char *name_end = put_uri(to, name, how), *value_end = put_uri(name_end, str_or(value, STR("")), how);
		v[n] = (struct parameter){
			str_n(to, (size_t)(name_end - to)), str_n(name_end, (size_t)(value_end - name_end))};
		to = value_end;
		if (n > 0 && sorted) sorted = by_name_and_value(&v[n - 1], &v[n]) <= 0;
		n++;
	}
	if (!sorted) qsort(v, n, sizeof(*v), by_name_and_value);
	for (size_t i = 0; i < n; i++) {
		if (i) buf_byte(b, '&');
		buf_str(b, v[i].name);
		buf_byte(b, '=');
		buf_str(b, v[i].value);
	}
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Without white space at the ends, and each run of it within (line folds too) as one space. */
static void add_header_value(struct buf *b, struct str v)
{
	while (v.n && is_space(v.p[0])) v = str_from(v, 1);
	while (v.n && is_space(v.p[v.n - 1])) v.n--;
	char *to = buf_reserve(b, v.n), *start = to;
	for (size_t i = 0; i < v.n; i++) {
		if (!is_space(v.p[i])) {
			*to++ = v.p[i];
		} else {
			*to++ = ' ';
			while (is_space(v.p[i + 1])) i++; /* the last character is none */
		}
	}
	b->n += (size_t)(to - start);
}

static void add_lower(struct buf *b, struct str s)
{
	char *to = buf_reserve(b, s.n);
	for (size_t i = 0; i < s.n; i++) to[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] | 0x20 : s.p[i]);
	b->n += s.n;
}

static void add_headers(struct buf *b, const struct wire_request *r, const struct sig_names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		struct str name = names->v[i];
		bool found = false;
		add_lower(b, name);
		buf_byte(b, ':');
		for (size_t h = 0; h < r->n_headers; h++) {
			if (r->headers[h].name.n != name.n || !str_ieq(r->headers[h].name, name)) continue;
			if (found) buf_byte(b, ',');
			add_header_value(b, r->headers[h].value);
			found = true;
		}
		if (!found && str_ieq(name, STR("host"))) add_header_value(b, r->host);
		buf_byte(b, '\n');
	}
}

struct str sigv4_canonical_request(
	struct arena *a, const struct wire_request *r, const struct sigv4 *s, bool s3, struct str payload_hash)
{
	struct sig_names names;
	if (!sig_names_split(s->signed_headers, &names)) names.n = 0;
	struct buf b = BUF_IN(a);
	buf_reserve(&b, 1024 + r->path.n + r->query.n);
	buf_str(&b, r->method);
	buf_byte(&b, '\n');
	add_path(&b, a, r->path, s3);
	buf_byte(&b, '\n');
	add_query(&b, a, r->query, s);
	buf_byte(&b, '\n');
	add_headers(&b, r, &names);
	buf_byte(&b, '\n');
	add_lower(&b, s->signed_headers);
	buf_byte(&b, '\n');
	buf_str(&b, payload_hash);
	return buf_done(&b);
}

struct str sigv4_string_to_sign(struct arena *a, const struct sigv4 *s, struct str canonical_request)
{
	uint8_t hash[32];
	sha256_once(canonical_request, hash);
	struct sig_time_text time = sig_time_write(s->time_ms);
	struct buf b = BUF_IN(a);
	buf_reserve(&b, 160 + s->date.n + s->region.n + s->service.n);
	buf_lit(&b, "AWS4-HMAC-SHA256\n");
	buf_add(&b, time.p, sizeof(time.p));
	buf_byte(&b, '\n');
	buf_str(&b, s->date);
	buf_byte(&b, '/');
	buf_str(&b, s->region);
	buf_byte(&b, '/');
	buf_str(&b, s->service);
	buf_lit(&b, "/aws4_request\n");
	sha256_hex(hash, buf_reserve(&b, 64));
	b.n += 64;
	return buf_done(&b);
}
