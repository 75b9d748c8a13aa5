/* See resp.h: values cut from a stream. */
#include "services/elasticache/resp.h"

static status line_of(struct str bytes, size_t *at, struct str *out)
{
	struct str rest = str_from(bytes, *at);
	ptrdiff_t end = str_chr(rest, '\n');
	if (end < 0) return rest.n > RESP_MAX ? STATUS(INVALID) : STATUS(NOT_FOUND);
	if (end < 1 || rest.p[end - 1] != '\r') return STATUS(INVALID);
	*out = str_sub(rest, 0, (size_t)end - 1);
	*at += (size_t)end + 1;
	return OK;
}

static status parse(struct arena *a, struct str bytes, size_t *at, struct resp_value *out, unsigned depth)
{
	struct str line;
	int64_t n;
	*out = (struct resp_value){0};
	if (*at >= bytes.n) return STATUS(NOT_FOUND);
	char type = bytes.p[*at];
	if (!memchr("+-:$*", type, 5) || depth > RESP_DEPTH) return STATUS(INVALID);
	TRY(line_of(bytes, at, &line));
	line = str_from(line, 1);
	if (type == '+' || type == '-') {
		*out = (struct resp_value){.kind = type == '+' ? RESP_TEXT : RESP_ERROR, .text = str_dup(a, line)};
		return OK;
	}
	if (!is_ok(str_to_i64(line, &n))) return STATUS(INVALID);
	if (type == ':') {
		*out = (struct resp_value){.kind = RESP_NUMBER, .number = n};
		return OK;
	}
	if (n < 0) return n == -1 ? OK : STATUS(INVALID);
	if (n > RESP_MAX) return STATUS(INVALID);
	if (type == '$') {
		size_t length = (size_t)n;
		if (bytes.n - *at < length + 2) return STATUS(NOT_FOUND);
		if (memcmp(bytes.p + *at + length, "\r\n", 2) != 0) return STATUS(INVALID);
		*out = (struct resp_value){.kind = RESP_TEXT, .text = str_dup(a, str_sub(bytes, *at, length))};
		*at += length + 2;
		return OK;
	}
	/* Each element has three bytes at least: what has not come yet needs no room. */
	if ((size_t)n > (bytes.n - *at) / 3) return STATUS(NOT_FOUND);
	*out = (struct resp_value){
		.kind = RESP_LIST, .v = arena_new_n(a, struct resp_value, (size_t)n), .n = (size_t)n};
	for (size_t i = 0; i < out->n; i++) TRY(parse(a, bytes, at, &out->v[i], depth + 1));
	return OK;
}

status resp_parse(struct arena *a, struct str bytes, size_t *at, struct resp_value *out)
{
	size_t to = *at;
	TRY(parse(a, bytes, &to, out, 0));
	*at = to;
	return OK;
}

struct str resp_info(struct str info, const char *name)
{
	struct str want = str_c(name);
	while (str_has(info) && info.n) {
		struct str line = str_cut(&info, '\n');
		if (line.n && line.p[line.n - 1] == '\r') line.n--;
		if (line.n > want.n && str_starts(line, want) && line.p[want.n] == ':')
			return str_from(line, want.n + 1);
	}
	return STR_NONE;
}
