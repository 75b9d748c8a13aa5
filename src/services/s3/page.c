/* The walk, its tokens and the small rules that all listings share. */
#include "services/s3/page.h"

/* The first string after all that begin with s; STR_NONE where there is none. */
static struct str successor(struct arena *a, struct str s)
{
	while (s.n && (unsigned char)s.p[s.n - 1] == 0xff) s.n--;
	if (!s.n) return STR_NONE;
	char *p = arena_copy(a, s.p, s.n);
	p[s.n - 1] = (char)(p[s.n - 1] + 1);
	return str_n(p, s.n);
}

static struct str element(struct arena *a, struct str space, struct str s)
{
	struct key k = key_begin(a);
	key_append(&k, space);
	key_str(&k, s);
	return key_done(&k);
}

/* The common prefix that key rolls up into, or STR_NONE. */
static struct str common_prefix(const struct s3_walk *w, struct str key)
{
	if (str_empty(w->delimiter)) return STR_NONE;
	ptrdiff_t at = str_find(str_from(key, w->prefix.n), w->delimiter);
	return at < 0 ? STR_NONE : str_sub(key, 0, w->prefix.n + (size_t)at + w->delimiter.n);
}

/* Where all that begins with s ends in the store. */
static struct str end_of(struct arena *a, struct str space, struct str s)
{
	struct str next = successor(a, s);
	return str_has(next) ? key_with_prefix(a, space, next) : key_after(a, space);
}

void s3_walk_begin_at(
	struct s3_walk *w, struct call *c, struct str space, struct str prefix, struct str delimiter, struct str from)
{
	struct arena *a = c->arena;
	*w = (struct s3_walk){
		.c = c, .space = space, .prefix = str_or(prefix, STR("")), .delimiter = str_or(delimiter, STR(""))};
	w->to = end_of(a, space, w->prefix);
	struct str start = str_empty(w->prefix) ? space : key_with_prefix(a, space, w->prefix);
	if (str_has(from) && str_cmp(from, start) > 0) start = from;
	w->done = str_cmp(start, w->to) >= 0;
	if (!w->done) w->scan = store_scan_begin(c->tx, start, w->to, false);
}

void s3_walk_begin(
	struct s3_walk *w, struct call *c, struct str space, struct str prefix, struct str delimiter, struct str after)
{
	struct str from = STR_NONE;
	if (!str_empty(after)) {
		struct s3_walk probe = {.prefix = str_or(prefix, STR("")), .delimiter = str_or(delimiter, STR(""))};
		struct str passed = str_starts(after, probe.prefix) ? common_prefix(&probe, after) : STR_NONE;
		from = str_has(passed) ? end_of(c->arena, space, passed)
				       : key_after(c->arena, element(c->arena, space, after));
	}
	s3_walk_begin_at(w, c, space, prefix, delimiter, from);
}

bool s3_walk_next(struct s3_walk *w, struct s3_walk_item *item)
{
	struct arena *a = w->c->arena;
	struct str key, value, text;
	if (w->done || !store_scan_next(w->scan, &key, &value)) {
		w->done = true;
		return false;
	}
	struct str rest = str_from(key, w->space.n);
	INVARIANT(is_ok(key_read_str(a, &rest, &text)));
	struct str common = common_prefix(w, text);
	item->common = str_has(common);
	item->key = str_dup(a, item->common ? common : text);
	item->rest = rest;
	item->value = value;
	if (item->common) {
		struct str next = end_of(a, w->space, item->key);
		item->rest = item->value = STR_NONE;
		if (str_cmp(next, w->to) >= 0)
			w->done = true;
		else
			store_scan_seek(w->scan, next);
	}
	return true;
}

status s3_walk_end(struct s3_walk *w)
{
	status s = w->scan ? store_scan_end(w->scan) : OK;
	w->scan = NULL;
	return s;
}

/* ── tokens ── */

enum { TOKEN_VERSION = 1, TOKEN_HEAD = 5 };

struct str s3_token_make(struct call *c, struct str last)
{
	struct buf b = BUF_IN(c->arena);
	uint32_t crc = digest_crc32c(TOKEN_VERSION, last.p, last.n);
	buf_byte(&b, TOKEN_VERSION);
	for (int i = 0; i < 4; i++) buf_byte(&b, (char)(crc >> (8 * i) & 0xff));
	buf_str(&b, last);
	return str_base64(c->arena, buf_done(&b));
}

status s3_token_read(struct call *c, struct str token, struct str *after)
{
	struct str raw;
	*after = STR_NONE;
	if (!str_has(token)) return OK;
	if (is_ok(str_unbase64(c->arena, token, &raw)) && raw.n > TOKEN_HEAD && raw.p[0] == TOKEN_VERSION) {
		struct str last = str_from(raw, TOKEN_HEAD);
		uint32_t crc = digest_crc32c(TOKEN_VERSION, last.p, last.n), said = 0;
		for (int i = 0; i < 4; i++) said |= (uint32_t)(unsigned char)raw.p[1 + i] << (8 * i);
		if (crc == said) {
			*after = last;
			return OK;
		}
	}
	return s3_invalid_argument(c, STR("continuation-token"), token, "The continuation token provided is incorrect");
}

/* ── rules ── */

status s3_encoding_check(struct call *c, struct str encoding_type, bool *url)
{
	*url = str_is(encoding_type, "url");
	if (!str_has(encoding_type) || *url) return OK;
	return s3_invalid_argument(
		c, STR("encoding-type"), encoding_type, "Invalid Encoding Method specified in Request");
}

struct str s3_shown(struct call *c, bool url, struct str s)
{
	if (!url || !str_has(s)) return s;
	struct str e = str_uri_encode(c->arena, s, true);
	if (str_find(e, STR("%20")) < 0) return e;
	struct buf b = BUF_IN(c->arena);
	for (size_t i = 0; i < e.n; i++) {
		bool space = str_starts(str_from(e, i), STR("%20"));
		buf_byte(&b, space ? '+' : e.p[i]);
		if (space) i += 2;
	}
	return buf_done(&b);
}

status s3_page_limit(struct call *c, struct opt_i32 asked, const char *name, size_t *limit)
{
	*limit = S3_PAGE_MAX;
	if (!asked.has) return OK;
	if (asked.v < 0)
		return s3_invalid_argument(c, str_c(name), str_fmt(c->arena, "%d", asked.v),
			str_z(c->arena,
				str_fmt(c->arena, "Argument %s must be an integer between 0 and 2147483647", name)));
	if (asked.v < S3_PAGE_MAX) *limit = (size_t)asked.v;
	return OK;
}
