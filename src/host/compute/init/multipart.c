/* MIME messages of several parts (RFC 2046, section 5.1), as far as user data uses them ("MIME multi-part archive" in
 * cloud-init's documentation): parts are text as it is, quoted nowhere, or base64. */
#include "host/compute/init/init.h"

struct head {
	struct str type, boundary;
	bool base64;
};

static struct str cut_line(struct str *rest)
{
	struct str line = str_cut(rest, '\n');
	if (line.n && line.p[line.n - 1] == '\r') line.n--;
	return line;
}

static struct str parameter(struct str s, struct str name)
{
	str_cut(&s, ';');
	while (str_has(s)) {
		struct str part = str_trim(str_cut(&s, ';')), key = str_cut(&part, '=');
		if (!str_ieq(str_trim(key), name) || !str_has(part)) continue;
		part = str_trim(part);
		if (part.n >= 2 && part.p[0] == '"' && part.p[part.n - 1] == '"') part = str_sub(part, 1, part.n - 2);
		return part;
	}
	return STR_NONE;
}

/* Headers up to the empty line; a line that begins with a blank goes on the one before. */
static struct head read_head(struct arena *a, struct str *rest)
{
	struct head h = {.type = STR("text/plain")};
	struct str name = STR(""), value = STR("");
	for (;;) {
		struct str line = str_has(*rest) ? cut_line(rest) : STR("");
		if (line.n && (line.p[0] == ' ' || line.p[0] == '\t')) {
			value = str_cat(a, value, line);
			continue;
		}
		if (str_ieq(name, STR("content-type"))) {
			struct str whole = value;
			h.boundary = parameter(value, STR("boundary"));
			h.type = str_lower(a, str_trim(str_cut(&whole, ';')));
		}
		if (str_ieq(name, STR("content-transfer-encoding"))) h.base64 = str_ieq(str_trim(value), STR("base64"));
		if (line.n == 0) return h;
		value = line;
		name = str_cut(&value, ':');
		value = str_or(value, STR(""));
	}
}

static struct str decode(struct arena *a, struct str body)
{
	struct buf b = BUF_IN(a);
	struct str out;
	while (str_has(body)) buf_str(&b, str_trim(cut_line(&body)));
	return is_ok(str_unbase64(a, buf_done(&b), &out)) ? out : STR_NONE;
}

bool multipart_each(
	struct arena *a, struct str text, void (*fn)(void *ctx, struct str type, struct str body), void *ctx)
{
	struct str rest = text;
	struct head h = read_head(a, &rest);
	if (!str_starts(h.type, STR("multipart/")) || str_empty(h.boundary)) return false;
	struct str mark = str_cat(a, STR("--"), h.boundary);
	const char *begin = NULL;
	while (str_has(rest)) {
		const char *at = rest.p;
		struct str line = cut_line(&rest);
		if (!str_starts(line, mark)) continue;
		if (begin) {
			/* The line's end before the mark is the mark's. */
			struct str part = str_n(begin, (size_t)(at - begin));
			if (part.n && part.p[part.n - 1] == '\n') part.n--;
			if (part.n && part.p[part.n - 1] == '\r') part.n--;
			struct head p = read_head(a, &part);
			struct str body = str_or(part, STR(""));
			if (p.base64) body = decode(a, body);
			if (str_has(body)) fn(ctx, p.type, body);
		}
		if (str_starts(str_from(line, mark.n), STR("--"))) return true;
		begin = str_has(rest) ? rest.p : NULL;
	}
	return begin != NULL;
}
