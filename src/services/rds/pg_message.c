/* Messages of PostgreSQL's protocol; see pg.h. */
#include "base/vec.h"
#include "services/rds/pg.h"

static uint32_t number(struct str s, size_t at, unsigned bytes)
{
	uint32_t v = 0;
	for (unsigned i = 0; i < bytes; i++) v = v << 8 | (unsigned char)s.p[at + i];
	return v;
}

status pg_message(struct str bytes, size_t *at, char *type, struct str *body)
{
	if (bytes.n - *at < 5) return STATUS(NOT_FOUND);
	uint32_t length = number(bytes, *at + 1, 4);
	if (length < 4 || length > PG_MESSAGE_MAX) return STATUS(INVALID);
	if (bytes.n - *at < 1 + (size_t)length) return STATUS(NOT_FOUND);
	*type = bytes.p[*at];
	*body = str_sub(bytes, *at + 5, length - 4);
	*at += 1 + (size_t)length;
	return OK;
}

status pg_row(struct arena *a, struct str body, struct pg_row *out)
{
	size_t at = 2;
	if (body.n < 2) return STATUS(INVALID);
	size_t n = number(body, 0, 2);
	/* Each column has its length at least. */
	if (n > (body.n - 2) / 4) return STATUS(INVALID);
	*out = (struct pg_row){arena_new_n(a, struct str, n), n};
	for (size_t i = 0; i < n; i++) {
		if (body.n - at < 4) return STATUS(INVALID);
		uint32_t length = number(body, at, 4);
		at += 4;
		if (length == UINT32_MAX) continue;
		if (length > body.n - at) return STATUS(INVALID);
		out->v[i] = str_dup(a, str_sub(body, at, length));
		at += length;
	}
	return at == body.n ? OK : STATUS(INVALID);
}

struct str pg_error_text(struct arena *a, struct str body)
{
	struct str code = STR("?"), text = STR("?");
	while (body.n > 1 && body.p[0]) {
		char field = body.p[0];
		body = str_from(body, 1);
		ptrdiff_t end = str_chr(body, 0);
		if (end < 0) break;
		if (field == 'C') code = str_sub(body, 0, (size_t)end);
		if (field == 'M') text = str_sub(body, 0, (size_t)end);
		body = str_from(body, (size_t)end + 1);
	}
	return str_fmt(a, "%.*s: %.*s", STR_ARG(code), STR_ARG(text));
}
