/* The request's head, checked where libmicrohttpd is lax. What two parsers could read differently is refused rather than
 * guessed (RFC 9112 sections 3.2, 5 and 6.3; request smuggling). */
#include "edge/internal.h"
#include <limits.h>

/* RFC 9110 section 5.6.2. */
static bool is_token(struct str s)
{
	static const char mark[] = "!#$%&'*+-.^_`|~";

	if (s.n == 0) return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!alnum && (c == 0 || !strchr(mark, c))) return false;
	}
	return true;
}

static bool is_field_value(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
	}
	return true;
}

/* Bytes above 0x7f are let through: some clients send raw UTF-8, and the signature covers what was sent. */
static bool is_target(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c <= 0x20 || c == 0x7f) return false;
	}
	return s.n > 0;
}

/* Origin form, absolute form (its authority goes before Host, RFC 9112 section 3.2.2) or "*". */
static bool split_target(struct edge_request *r)
{
	struct str t = r->target;

	if (!is_target(t)) return false;
	if (t.p[0] != '/') {
		if (str_is(t, "*") && str_is(r->method, "OPTIONS")) {
			r->path = t;
			r->query = STR_NONE;
			return true;
		}
		size_t scheme = str_istarts(t, STR("http://")) ? 7 : str_istarts(t, STR("https://")) ? 8 : 0;
		if (scheme == 0) return false;
		t = str_from(t, scheme);
		size_t n = 0;
		while (n < t.n && t.p[n] != '/' && t.p[n] != '?') n++;
		r->host = str_sub(t, 0, n);
		if (n == 0 || str_chr(r->host, '@') >= 0) return false;
		t = str_from(t, n);
	}
	ptrdiff_t q = str_chr(t, '?');
	r->path = q < 0 ? t : str_sub(t, 0, (size_t)q);
	r->query = q < 0 ? STR_NONE : str_from(t, (size_t)q + 1);
	if (r->path.n == 0) r->path = STR("/");
	return true;
}

static bool parse_length(struct str s, int64_t *out)
{
	int64_t v = 0;

	if (s.n == 0) return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9') return false;
		if (v > (INT64_MAX - 9) / 10) return false;
		v = v * 10 + (s.p[i] - '0');
	}
	*out = v;
	return true;
}

unsigned edge_head_check(struct edge_request *r, bool http_1_1)
{
	unsigned hosts = 0, lengths = 0, encodings = 0;

	r->content_length = -1;
	r->chunked = false;
	r->host = STR("");
	if (!is_token(r->method) || str_is(r->method, "CONNECT")) return 400;
	for (size_t i = 0; i < r->n_headers; i++) {
		struct edge_header *h = &r->headers[i];
		if (!is_token(h->name) || !is_field_value(h->value)) return 400;
		if (str_ieq(h->name, STR("transfer-encoding"))) {
			/* Compared before trimming: libmicrohttpd takes anything but the bare word as "until the end". */
			if (!str_ieq(h->value, STR("chunked"))) return 501;
			encodings++;
			r->chunked = true;
		}
		h->value = str_trim(h->value);
		if (str_ieq(h->name, STR("content-length"))) {
			if (!parse_length(h->value, &r->content_length)) return 400;
			lengths++;
		} else if (str_ieq(h->name, STR("host"))) {
			r->host = h->value;
			hosts++;
		}
	}
	/* RFC 9112 section 3.2: exactly one Host; section 6.1: a chunked body from an HTTP/1.0 client has faulty framing. */
	if (http_1_1 ? hosts != 1 : r->chunked) return 400;
	if (hosts > 1 || lengths > 1 || encodings > 1 || (lengths && encodings)) return 400;
	return split_target(r) ? 0 : 400;
}

struct str edge_header_get(const struct edge_request *r, struct str name)
{
	for (size_t i = 0; i < r->n_headers; i++)
		if (r->headers[i].name.n == name.n && str_ieq(r->headers[i].name, name)) return r->headers[i].value;
	return STR_NONE;
}
