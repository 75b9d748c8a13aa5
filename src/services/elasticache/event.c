/* Events: kept for 14 days. "Monitoring ElastiCache events", the guide. */
#include "base/rand.h"
#include "services/elasticache/room.h"

#define KEPT_MS (14ll * 24 * 60 * 60 * 1000)

void cache_event(struct cache_place at, int64_t now_ms, const char *type, struct str source, const char *text)
{
	struct str random = rand_text(at.a, STR("0123456789abcdef"), 12);
	struct elasticache_rec_event e = {.source_identifier = source,
		.source_type = str_c(type),
		.message = str_dup(at.a, str_c(text)),
		.date = SOME_TIME(now_ms)};
	cache_put(at, &cache_kind_event, str_fmt(at.a, "%015lld-%.*s", (long long)now_ms, STR_ARG(random)), &e);
	/* What is past its time goes with each new one: some at a time. */
	struct cache_each old = cache_each(at, &cache_kind_event);
	for (unsigned i = 0; i < 4 && cache_next(&old); i++) {
		const struct elasticache_rec_event *r = old.record;
		if (r->date.ms + KEPT_MS >= now_ms) break;
		cache_drop(at, &cache_kind_event, old.name);
	}
	if (!is_ok(cache_each_end(&old))) return; /* the next event tries again */
}

void cache_unit_event(struct cache_place at, int64_t now_ms, const struct elasticache_rec_unit *u, const char *text)
{
	bool group = str_has(u->replication_group_id);
	cache_event(at, now_ms, group ? "replication-group" : "cache-cluster",
		group ? u->replication_group_id : u->cache_cluster_id, text);
}

status elasticache_describe_events(struct call *c, const struct elasticache_describe_events_input *in,
	struct elasticache_describe_events_output *out)
{
	size_t capacity = 0;
	if (str_has(in->source_identifier) && !str_has(in->source_type))
		return CACHE_BAD_COMBINATION(c, "Cannot specify SourceIdentifier without SourceType.");
	/* "Duration: the number of minutes worth of events to retrieve"; an hour where nothing is said. */
	int64_t to = in->end_time.has ? in->end_time.ms : c->now_ms;
	int64_t from = in->start_time.has ? in->start_time.ms : to - (in->duration.has ? in->duration.v : 60) * 60000ll;
	if (from > to) return CACHE_BAD_VALUE(c, "StartTime must be before EndTime.");
	struct cache_each e = cache_each(cache_here(c), &cache_kind_event);
	while (cache_next(&e)) {
		const struct elasticache_rec_event *r = e.record;
		if (r->date.ms < from || r->date.ms > to ||
			(str_has(in->source_identifier) && !str_ieq(in->source_identifier, r->source_identifier)) ||
			(str_has(in->source_type) && !str_eq(in->source_type, r->source_type)))
			continue;
		cache_show(c->arena, ELASTICACHE_REC_EVENT, r, ELASTICACHE_SHAPE_EVENT,
			VEC_PUSH(c->arena, &out->events, &capacity));
	}
	TRY(cache_each_end(&e));
	return cache_page(c, &out->events, sizeof(*out->events.v), in->max_records, in->marker, &out->marker);
}
