/* Packets of MariaDB's protocol; see my.h. */
#include "services/rds/my.h"

enum { HEAD = 4, WHOLE_MAX = 0xffffff, ERROR = 0xff, NULL_VALUE = 0xfb };

static uint64_t number(struct str s, size_t at, unsigned bytes)
{
	uint64_t v = 0;
	for (unsigned i = bytes; i-- > 0;) v = v << 8 | (unsigned char)s.p[at + i];
	return v;
}

status my_packet(struct str bytes, size_t *at, unsigned char *seq, struct str *body)
{
	if (bytes.n - *at < HEAD) return STATUS(NOT_FOUND);
	size_t length = (size_t)number(bytes, *at, 3);
	if (length == WHOLE_MAX) return STATUS(LIMIT);
	if (bytes.n - *at - HEAD < length) return STATUS(NOT_FOUND);
	*seq = (unsigned char)bytes.p[*at + 3];
	*body = str_sub(bytes, *at + HEAD, length);
	*at += HEAD + length;
	return OK;
}

status my_length(struct str body, size_t *at, uint64_t *out)
{
	if (*at >= body.n) return STATUS(INVALID);
	unsigned char first = (unsigned char)body.p[(*at)++];
	unsigned bytes = first == 0xfc ? 2 : first == 0xfd ? 3 : first == 0xfe ? 8 : 0;
	*out = first;
	if (first < NULL_VALUE) return OK;
	if (!bytes || body.n - *at < bytes) return STATUS(INVALID);
	*out = number(body, *at, bytes);
	*at += bytes;
	return OK;
}

status my_row(struct arena *a, struct str body, size_t n, struct pg_row *out)
{
	size_t at = 0;
	/* Each column takes a byte at least. */
	if (n > body.n) return STATUS(INVALID);
	*out = (struct pg_row){arena_new_n(a, struct str, n), n};
	for (size_t i = 0; i < n; i++) {
		uint64_t length;
		if (at < body.n && (unsigned char)body.p[at] == NULL_VALUE) {
			at++;
			continue;
		}
		TRY(my_length(body, &at, &length));
		if (length > body.n - at) return STATUS(INVALID);
		out->v[i] = str_dup(a, str_sub(body, at, (size_t)length));
		at += (size_t)length;
	}
	return at == body.n ? OK : STATUS(INVALID);
}

struct str my_error_text(struct arena *a, struct str body)
{
	if (body.n < 3 || (unsigned char)body.p[0] != ERROR) return STR("?");
	struct str text = str_from(body, 3);
	/* '#' and five characters of SQLSTATE */
	if (text.n >= 6 && text.p[0] == '#') text = str_from(text, 6);
	return str_fmt(a, "%u: %.*s", (unsigned)number(body, 1, 2), STR_ARG(text));
}
