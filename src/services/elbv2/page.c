/* Small things that several files need: pages of lists, copies between records and answers, names. */
#include "services/elbv2/room.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct any_list {
	char *v;
	size_t n;
};

status elbv2_page(
	struct call *c, void *list, size_t element_size, struct opt_i32 size, struct str marker, struct str *next)
{
	struct any_list *l = list;
	uint64_t from = 0;
	struct str text;
	size_t limit = size.has ? (size_t)size.v : ELBV2_PAGE;
	bool given = str_has(marker) && marker.n;
	if (given && (!is_ok(str_unbase64(c->arena, marker, &text)) || !is_ok(str_to_u64(text, &from))))
		return call_fail(c, ERR_VALIDATION, "The marker is not valid");
	if (from > l->n) from = l->n;
	if (l->n - from > limit) *next = str_base64(c->arena, str_fmt(c->arena, "%zu", (size_t)from + limit));
	l->v = l->v ? l->v + from * element_size : arena_alloc(c->arena, 0);
	l->n -= from;
	if (l->n > limit) l->n = limit;
	return OK;
}

void elbv2_show(struct arena *a, uint16_t record, const void *from, uint16_t shape, void *to)
{
	ec2_copy(a, &elbv2_state_tables, record, from, &wire_service_elbv2.tables, shape, to);
}

void elbv2_take(struct arena *a, uint16_t shape, const void *from, uint16_t record, void *to)
{
	ec2_copy(a, &wire_service_elbv2.tables, shape, from, &elbv2_state_tables, record, to);
}

status elbv2_name_check(struct call *c, const char *what, struct str name)
{
	if (!name.n) return call_fail(c, ERR_VALIDATION, "A %s name must be specified", what);
	if (name.n > 32)
		return call_fail(c, ERR_VALIDATION, "The %s name '%.*s' cannot be longer than '32' characters", what,
			STR_ARG(name));
	for (size_t i = 0; i < name.n; i++) {
		char ch = name.p[i];
		bool well =
			(ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '-';
		if (!well)
			return call_fail(c, ERR_VALIDATION,
				"The %s name '%.*s' can only contain characters that are alphanumeric characters and "
				"hyphens(-)",
				what, STR_ARG(name));
	}
	if (name.p[0] == '-' || name.p[name.n - 1] == '-')
		return call_fail(c, ERR_VALIDATION, "The %s name '%.*s' cannot begin or end with a hyphen(-)", what,
			STR_ARG(name));
	return OK;
}

bool elbv2_regex_legal(struct str s)
{
	int error;
	PCRE2_SIZE at;
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)s.p, s.n, 0, &error, &at, NULL);
	pcre2_code_free(code);
	return code != NULL;
}
