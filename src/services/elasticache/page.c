/* Pages of the Describe operations. */
#include "services/elasticache/room.h"

enum { PAGE_MIN = 20, PAGE_MAX = 100 };
struct list {
	char *v;
	size_t n;
};

status cache_page(
	struct call *c, void *list, size_t element_size, struct opt_i32 max, struct str marker, struct str *next)
{
	struct list *l = list;
	uint64_t from = 0;
	struct str text = STR("");
	size_t most = PAGE_MAX;
	if (max.has && (max.v < PAGE_MIN || max.v > PAGE_MAX))
		return CACHE_BAD_VALUE(
			c, "Invalid value %d for MaxRecords. Must be between %d and %d", max.v, PAGE_MIN, PAGE_MAX);
	if (max.has) most = (size_t)max.v;
	if (str_has(marker) && marker.n &&
		(!is_ok(str_unbase64(c->arena, marker, &text)) || !is_ok(str_to_u64(text, &from))))
		return CACHE_BAD_VALUE(c, "Invalid Marker: %.*s", STR_ARG(marker));
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
