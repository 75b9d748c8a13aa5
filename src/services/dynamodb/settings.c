/* What is set beside a table: tags, time to live; what is told of the account: limits, endpoints. */
#include "services/dynamodb/service.h"
#include <stdlib.h>

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

/* ── tags ── */

static status open_resource(struct work *w, struct str arn, struct table **out)
{
	struct str name = STR_NONE;
	if (!str_starts(arn, STR("arn:")))
		return VALIDATION(w, "Invalid TableArn: Invalid ResourceArn provided as input %.*s", STR_ARG(arn));
	TRY(ddb_table_name(w, arn, &name));
	status s = ddb_find(w, w->c->account, w->c->region, name, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return call_fail(w->c, DYNAMODB_ERR_RESOURCE_NOT_FOUND_EXCEPTION,
		"Requested resource not found: ResourcArn: %.*s not found", STR_ARG(arn));
}

static status tag(struct work *w, const struct dynamodb_tag_resource_input *in)
{
	struct table *t;
	TRY(ddb_check_tags(w, &in->tags));
	TRY(open_resource(w, in->resource_arn, &t));
	struct dynamodb_rec_table r = ddb_edit(t);
	struct dynamodb_rec_tags tags = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < r.tags.n; i++) *VEC_PUSH(w->a, &tags, &capacity) = r.tags.v[i];
	for (size_t i = 0; i < in->tags.n; i++) {
		struct dynamodb_rec_tags_entry *e = NULL;
		for (size_t j = 0; j < tags.n && !e; j++)
			if (str_eq(tags.v[j].key, in->tags.v[i].key)) e = &tags.v[j];
		if (!e) e = VEC_PUSH(w->a, &tags, &capacity);
		*e = (struct dynamodb_rec_tags_entry){in->tags.v[i].key, in->tags.v[i].value};
	}
	if (tags.n > 50)
		return VALIDATION(
			w, "One or more parameter values were invalid: Too many tags: a resource can have at most 50");
	r.tags = tags;
	ddb_put_table(w, &r);
	ddb_cache(w, &r, false);
	return OK;
}

status dynamodb_tag_resource(struct call *c, const struct dynamodb_tag_resource_input *in, struct wire_nothing *out)
{
	struct work w;
	(void)out;
	work_begin(&w, c);
	return work_end(&w, tag(&w, in));
}

static status untag(struct work *w, const struct dynamodb_untag_resource_input *in)
{
	struct table *t;
	TRY(open_resource(w, in->resource_arn, &t));
	struct dynamodb_rec_table r = ddb_edit(t);
	struct dynamodb_rec_tags tags = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < r.tags.n; i++) {
		bool goes = false;
		for (size_t j = 0; j < in->tag_keys.n; j++) goes |= str_eq(r.tags.v[i].key, in->tag_keys.v[j]);
		if (!goes) *VEC_PUSH(w->a, &tags, &capacity) = r.tags.v[i];
	}
	r.tags = tags;
	ddb_put_table(w, &r);
	ddb_cache(w, &r, false);
	return OK;
}

status dynamodb_untag_resource(struct call *c, const struct dynamodb_untag_resource_input *in, struct wire_nothing *out)
{
	struct work w;
	(void)out;
	work_begin(&w, c);
	return work_end(&w, untag(&w, in));
}

static status list_tags(struct work *w, const struct dynamodb_list_tags_of_resource_input *in,
	struct dynamodb_list_tags_of_resource_output *out)
{
	struct table *t;
	size_t capacity = 0;
	TRY(open_resource(w, in->resource_arn, &t));
	VEC_PRESENT(w->a, &out->tags);
	for (size_t i = 0; i < t->record.tags.n; i++)
		*VEC_PUSH(w->a, &out->tags, &capacity) =
			(struct dynamodb_tag){t->record.tags.v[i].key, t->record.tags.v[i].value};
	return OK;
}

status dynamodb_list_tags_of_resource(struct call *c, const struct dynamodb_list_tags_of_resource_input *in,
	struct dynamodb_list_tags_of_resource_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, list_tags(&w, in, out));
}

/* ── time to live ── */

/* All replicas of a table have the same. */
static status set_ttl(struct work *w, void *attribute, struct dynamodb_rec_table *r)
{
	r->ttl_attribute = *(struct str *)attribute;
	if (str_has(r->ttl_attribute)) ddb_ttl_begin(w, r);
	return OK;
}

static status update_ttl(struct work *w, const struct dynamodb_update_time_to_live_input *in,
	struct dynamodb_update_time_to_live_output *out)
{
	struct table *t;
	const struct dynamodb_time_to_live_specification *s = in->time_to_live_specification;
	TRY(ddb_open_named(w, in->table_name, &t));
	struct dynamodb_rec_table r = ddb_edit(t);
	bool on = str_has(r.ttl_attribute);
	if (s->enabled.v && on) return VALIDATION(w, "TimeToLive is already enabled");
	if (!s->enabled.v && !on) return VALIDATION(w, "TimeToLive is already disabled");
	if (!s->enabled.v && !str_eq(r.ttl_attribute, s->attribute_name))
		return VALIDATION(w, "TimeToLive is active on a different AttributeName: current AttributeName is %.*s",
			STR_ARG(r.ttl_attribute));
	struct str attribute = s->enabled.v ? s->attribute_name : STR_NONE;
	TRY(set_ttl(w, &attribute, &r));
	TRY(ddb_replica_each(w, &r, set_ttl, &attribute));
	ddb_put_table(w, &r);
	if (s->enabled.v) call_after_commit(w->c, poke, w->c->cloud->jobs);
	out->time_to_live_specification = arena_new(w->a, struct dynamodb_time_to_live_specification);
	*out->time_to_live_specification = *s;
	return OK;
}

status dynamodb_update_time_to_live(struct call *c, const struct dynamodb_update_time_to_live_input *in,
	struct dynamodb_update_time_to_live_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, update_ttl(&w, in, out));
}

static status describe_ttl(struct work *w, const struct dynamodb_describe_time_to_live_input *in,
	struct dynamodb_describe_time_to_live_output *out)
{
	struct table *t;
	TRY(ddb_open_named(w, in->table_name, &t));
	bool on = str_has(t->record.ttl_attribute);
	out->time_to_live_description = arena_new(w->a, struct dynamodb_time_to_live_description);
	out->time_to_live_description->time_to_live_status = on ? STR("ENABLED") : STR("DISABLED");
	if (on) out->time_to_live_description->attribute_name = t->record.ttl_attribute;
	return OK;
}

status dynamodb_describe_time_to_live(struct call *c, const struct dynamodb_describe_time_to_live_input *in,
	struct dynamodb_describe_time_to_live_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, describe_ttl(&w, in, out));
}

/* ── what is told of the account ── */

/* "Service, account, and table quotas in Amazon DynamoDB": the defaults of a region. */
status dynamodb_describe_limits(
	struct call *c, const struct dynamodb_describe_limits_input *in, struct dynamodb_describe_limits_output *out)
{
	(void)c, (void)in;
	out->account_max_read_capacity_units = out->account_max_write_capacity_units = SOME_I64(80000);
	out->table_max_read_capacity_units = out->table_max_write_capacity_units = SOME_I64(40000);
	return OK;
}

status dynamodb_describe_endpoints(struct call *c, const struct dynamodb_describe_endpoints_request *in,
	struct dynamodb_describe_endpoints_response *out)
{
	(void)in;
	out->endpoints.v = arena_new(c->arena, struct dynamodb_endpoint);
	out->endpoints.n = 1;
	out->endpoints.v[0].address = str_empty(c->http->host) ? c->cloud->public_host : c->http->host;
	out->endpoints.v[0].cache_period_in_minutes = SOME_I64(1440);
	return OK;
}
