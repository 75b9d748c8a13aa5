/* Pages and filters of the Describe operations. */
#include "services/rds/room.h"

enum { PAGE_MIN = 20, PAGE_MAX = 100 };
struct list {
	char *v;
	size_t n;
};

status rds_page(
	struct call *c, void *list, size_t element_size, struct opt_i32 max, struct str marker, struct str *next)
{
	struct list *l = list;
	uint64_t from = 0;
	struct str text = STR("");
	size_t most = PAGE_MAX;
	if (max.has && (max.v < PAGE_MIN || max.v > PAGE_MAX))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"Invalid value %d for MaxRecords. Must be between %d and %d", max.v, PAGE_MIN, PAGE_MAX);
	if (max.has) most = (size_t)max.v;
	if (str_has(marker) && marker.n &&
		(!is_ok(str_unbase64(c->arena, marker, &text)) || !is_ok(str_to_u64(text, &from))))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Invalid Marker: %.*s", STR_ARG(marker));
	if (from > l->n) from = l->n;
	l->v += from * element_size;
	l->n -= from;
	if (l->n > most) {
		*next = str_base64(c->arena, str_fmt(c->arena, "%llu", (unsigned long long)(from + most)));
		l->n = most;
	}
	if (!l->v) l->v = arena_alloc(c->arena, 0);
	return OK;
}

status rds_filters_check(struct call *c, const struct rds_filter_list *filters, const char *const *names)
{
	for (size_t i = 0; i < filters->n; i++) {
		bool known = false;
		for (size_t k = 0; names[k]; k++) known = known || str_eq(filters->v[i].name, str_c(names[k]));
		if (!known)
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Unrecognized filter name: %.*s",
				STR_ARG(filters->v[i].name));
	}
	return OK;
}

bool rds_filter_passes(const struct rds_filter_list *filters, const char *name, struct str value)
{
	for (size_t i = 0; i < filters->n; i++) {
		bool among = false;
		if (!str_eq(filters->v[i].name, str_c(name))) continue;
		for (size_t k = 0; k < filters->v[i].values.n; k++) {
			struct str v = filters->v[i].values.v[k];
			if (str_starts(v, STR("arn:"))) v = str_from(v, (size_t)(str_rchr(v, ':') + 1));
			among = among || str_ieq(v, value);
		}
		if (!among) return false;
	}
	return true;
}
