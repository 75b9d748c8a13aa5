/* Events: kept for 14 days. "Viewing Amazon RDS events", the guide. */
#include "base/rand.h"
#include "services/rds/room.h"

#define KEPT_MS (14ll * 24 * 60 * 60 * 1000)

static struct str event_name(struct arena *a, int64_t ms, const char *rest)
{
	return str_fmt(a, "%015lld-%s", (long long)ms, rest);
}

void rds_event(struct rds_place at, int64_t now_ms, const struct rds_rec_event *e)
{
	struct str random = rand_text(at.a, STR("0123456789abcdef"), 12);
	struct str name = event_name(at.a, now_ms, random.p);
	rds_put(at, &rds_kind_event, name, e);
	rds_event_tell(at, name, e);
	/* What is past its time goes with each new one: some at a time. */
	struct rds_each old = rds_each(at, &rds_kind_event);
	for (unsigned i = 0; i < 4 && rds_next(&old); i++) {
		const struct rds_rec_event *r = old.record;
		if (r->date.ms + KEPT_MS >= now_ms) break;
		rds_drop(at, &rds_kind_event, old.name);
	}
	if (!is_ok(rds_each_end(&old))) return; /* the next event tries again */
}

void rds_instance_event(
	struct rds_place at, int64_t now_ms, const struct rds_rec_instance *r, const char *category, const char *text)
{
	struct str *categories = arena_new(at.a, struct str);
	*categories = str_c(category);
	rds_event(at, now_ms,
		&(struct rds_rec_event){.source_identifier = r->db_instance_identifier,
			.source_type = rds_is_cluster(r->dbi_resource_id) ? STR("db-cluster") : STR("db-instance"),
			.message = str_dup(at.a, str_c(text)),
			.categories = {categories, 1},
			.date = SOME_TIME(now_ms),
			.source_arn =
				str_fmt(at.a, "arn:aws:rds:%.*s:%.*s:%s:%.*s", STR_ARG(at.region), STR_ARG(at.account),
					rds_kind_of(r->dbi_resource_id)->name, STR_ARG(r->db_instance_identifier))});
}

static bool wanted(const struct rds_describe_events_input *in, const struct rds_rec_event *e, int64_t from, int64_t to)
{
	bool category = in->event_categories.n == 0;
	for (size_t i = 0; i < in->event_categories.n; i++)
		for (size_t k = 0; k < e->categories.n; k++)
			category = category || str_ieq(in->event_categories.v[i], e->categories.v[k]);
	return category && e->date.ms >= from && e->date.ms <= to &&
	       (!str_has(in->source_identifier) || str_ieq(in->source_identifier, e->source_identifier)) &&
	       (!str_has(in->source_type) || str_eq(in->source_type, e->source_type));
}

status rds_describe_events(
	struct call *c, const struct rds_describe_events_input *in, struct rds_describe_events_output *out)
{
	static const char *const none[] = {NULL};
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, none));
	if (str_has(in->source_identifier) && !str_has(in->source_type))
		return RDS_FAIL(
			c, INVALID_PARAMETER_COMBINATION, "Cannot specify SourceIdentifier without SourceType.");
	/* "Duration: default 60" minutes; with a start, until now. */
	int64_t to = in->end_time.has ? in->end_time.ms : c->now_ms;
	int64_t from = in->start_time.has ? in->start_time.ms : to - (in->duration.has ? in->duration.v : 60) * 60000ll;
	if (from > to) return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "StartTime must be before EndTime.");
	struct rds_each e = rds_each(rds_here(c), &rds_kind_event);
	while (rds_next(&e)) {
		const struct rds_rec_event *r = e.record;
		if (!wanted(in, r, from, to)) continue;
		struct rds_event *o = VEC_PUSH(c->arena, &out->events, &capacity);
		rds_show(c->arena, RDS_REC_EVENT, r, RDS_SHAPE_EVENT, o);
		o->event_categories = (struct rds_event_categories_list){r->categories.v, r->categories.n};
	}
	TRY(rds_each_end(&e));
	return rds_page(c, &out->events, sizeof(*out->events.v), in->max_records, in->marker, &out->marker);
}
