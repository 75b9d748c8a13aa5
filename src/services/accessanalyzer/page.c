/* Pages: a token is the number of what was told, with a check of its own. */
#include "services/accessanalyzer/room.h"

status aa_page(struct call *c, struct opt_i32 max, struct str token, int32_t usual, size_t size, void **v, size_t *n,
	struct str *next)
{
	uint64_t from = 0;
	struct str text;
	size_t most = (size_t)(max.has && max.v > 0 ? max.v : usual);
	if (max.has && max.v < 1) return AA_FAIL(c, VALIDATION, "maxResults must be at least 1.");
	if (str_has(token) && token.n) {
		if (!is_ok(str_unbase64(c->arena, token, &text)) || !str_starts(text, STR("after:")) ||
			!is_ok(str_to_u64(str_from(text, 6), &from)))
			return AA_FAIL(c, VALIDATION, "Invalid token.");
	}
	if (from > *n) from = *n;
	*v = (char *)*v + from * size;
	*n -= from;
	if (*n <= most) return OK;
	*n = most;
	*next = str_base64(c->arena, str_fmt(c->arena, "after:%llu", (unsigned long long)(from + most)));
	return OK;
}
