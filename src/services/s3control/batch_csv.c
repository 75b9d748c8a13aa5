/* See batch_csv.h. */
#include "services/s3control/batch_csv.h"
#include "base/buf.h"

static bool at_end(struct str s)
{
	return s.n == 0 || s.p[0] == '\n' || s.p[0] == '\r';
}

/* One field; *rest stands behind it, at ',' or the line's end. */
static status field(struct arena *a, struct str *rest, struct str *out)
{
	struct str s = *rest;
	if (s.n == 0 || s.p[0] != '"') {
		size_t n = 0;
		while (n < s.n && s.p[n] != ',' && s.p[n] != '\n' && s.p[n] != '\r') n++;
		*out = str_sub(s, 0, n);
		*rest = str_from(s, n);
		return OK;
	}
	struct buf b = BUF_IN(a);
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] != '"') {
			buf_byte(&b, s.p[i]);
			continue;
		}
		if (i + 1 < s.n && s.p[i + 1] == '"') {
			buf_byte(&b, s.p[++i]);
			continue;
		}
		*out = str_or(buf_done(&b), STR(""));
		*rest = str_from(s, i + 1);
		return at_end(*rest) || rest->p[0] == ',' ? OK : STATUS(INVALID);
	}
	return STATUS(INVALID);
}

status batch_csv_next(struct arena *a, struct str *rest, struct str fields[BATCH_COLUMNS_MAX], size_t *n)
{
	while (rest->n && at_end(*rest)) *rest = str_from(*rest, 1);
	if (!rest->n) return STATUS(NOT_FOUND);
	for (*n = 0; *n < BATCH_COLUMNS_MAX;) {
		TRY(field(a, rest, &fields[(*n)++]));
		if (at_end(*rest)) return OK;
		*rest = str_from(*rest, 1);
	}
	return STATUS(INVALID);
}
