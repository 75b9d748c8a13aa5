/* Tags and resource policies of streams and of their consumers. */
#include "policy/policy.h"
#include "services/kinesis/room.h"
#include <stdlib.h>

static void set(struct arena *a, struct kinesis_rec_pairs *m, struct str key, struct str value)
{
	struct kinesis_rec_pairs all = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < m->n; i++)
		if (!str_eq(m->v[i].key, key)) *VEC_PUSH(a, &all, &capacity) = m->v[i];
	if (str_has(value)) *VEC_PUSH(a, &all, &capacity) = (struct kinesis_rec_pairs_entry){key, value};
	*m = all;
}

status kinesis_tags_set(struct call *c, struct kinesis_rec_pairs *tags, const struct kinesis_tag_map *given)
{
	for (size_t i = 0; i < given->n; i++) {
		if (str_istarts(given->v[i].key, STR("aws:")) && !c->system_tags)
			return KINESIS_FAIL(
				c, INVALID_ARGUMENT, "Tag keys starting with 'aws:' are reserved for system use.");
		set(c->arena, tags, given->v[i].key, str_or(given->v[i].value, STR("")));
	}
	if (tags->n > KINESIS_TAGS_MAX)
		return KINESIS_FAIL(c, INVALID_ARGUMENT,
			"Failed to add tags because a given resource cannot have more than %d tags associated with it.",
			KINESIS_TAGS_MAX);
	return OK;
}

status kinesis_resource_find(struct call *c, struct str arn, struct kinesis_resource *out)
{
	struct kinesis_arn parts;
	*out = (struct kinesis_resource){0};
	if (!kinesis_arn_read(arn, &parts))
		return KINESIS_FAIL(c, INVALID_ARGUMENT, "Invalid ResourceARN: %.*s", STR_ARG(arn));
	out->is_consumer = str_has(parts.consumer);
	status st = str_eq(parts.region, c->region) ? kinesis_stream_get(c->tx, c->arena, parts.account, parts.region,
							      parts.stream, &out->stream)
						    : STATUS(NOT_FOUND);
	if (is_ok(st) && out->is_consumer)
		st = kinesis_consumer_get(c->tx, c->arena, &out->stream, &parts, &out->consumer);
	if (!status_is(st, STATUS_NOT_FOUND)) return st;
	return KINESIS_FAIL(c, RESOURCE_NOT_FOUND, "%s %.*s under account %.*s not found.",
		out->is_consumer ? "Consumer" : "Stream", STR_ARG(out->is_consumer ? arn : parts.stream),
		STR_ARG(parts.account));
}

void kinesis_resource_put(struct call *c, const struct kinesis_resource *r)
{
	if (r->is_consumer)
		kinesis_consumer_put(c->tx, c->arena, &r->stream, &r->consumer);
	else
		kinesis_stream_put(c->tx, c->arena, &r->stream);
}

static struct kinesis_rec_pairs *tags_of(struct kinesis_resource *r)
{
	return r->is_consumer ? &r->consumer.tags : &r->stream.tags;
}

static int by_key(const void *x, const void *y)
{
	const struct kinesis_rec_pairs_entry *a = x, *b = y;
	return str_cmp(a->key, b->key);
}

static void sort(struct arena *a, struct kinesis_rec_pairs *m)
{
	if (!m->n) return;
	m->v = arena_copy(a, m->v, m->n * sizeof(*m->v));
	qsort(m->v, m->n, sizeof(*m->v), by_key);
}

/* ── of streams, by name ── */

status kinesis_add_tags_to_stream(
	struct call *c, const struct kinesis_add_tags_to_stream_input *in, struct wire_nothing *out)
{
	(void)out;
	struct kinesis_rec_stream s;
	TRY(kinesis_find(c, in->stream_name, in->stream_arn, &s));
	TRY(kinesis_tags_set(c, &s.tags, &in->tags));
	kinesis_stream_put(c->tx, c->arena, &s);
	return OK;
}

status kinesis_remove_tags_from_stream(
	struct call *c, const struct kinesis_remove_tags_from_stream_input *in, struct wire_nothing *out)
{
	(void)out;
	struct kinesis_rec_stream s;
	TRY(kinesis_find(c, in->stream_name, in->stream_arn, &s));
	for (size_t i = 0; i < in->tag_keys.n; i++) set(c->arena, &s.tags, in->tag_keys.v[i], STR_NONE);
	kinesis_stream_put(c->tx, c->arena, &s);
	return OK;
}

status kinesis_list_tags_for_stream(struct call *c, const struct kinesis_list_tags_for_stream_input *in,
	struct kinesis_list_tags_for_stream_output *out)
{
	struct kinesis_rec_stream s;
	size_t limit = in->limit.has ? (size_t)in->limit.v : KINESIS_TAGS_MAX, capacity = 0;
	TRY(kinesis_find(c, in->stream_name, in->stream_arn, &s));
	sort(c->arena, &s.tags);
	VEC_PRESENT(c->arena, &out->tags);
	out->has_more_tags = SOME_BOOL(false);
	for (size_t i = 0; i < s.tags.n; i++) {
		if (str_has(in->exclusive_start_tag_key) && str_cmp(s.tags.v[i].key, in->exclusive_start_tag_key) <= 0)
			continue;
		if (out->tags.n == limit) {
			out->has_more_tags.v = true;
			break;
		}
		*VEC_PUSH(c->arena, &out->tags, &capacity) = (struct kinesis_tag){s.tags.v[i].key, s.tags.v[i].value};
	}
	return OK;
}

/* ── of resources, by ARN ── */

status kinesis_tag_resource(struct call *c, const struct kinesis_tag_resource_input *in, struct wire_nothing *out)
{
	(void)out;
	struct kinesis_resource r;
	TRY(kinesis_resource_find(c, in->resource_arn, &r));
	TRY(kinesis_tags_set(c, tags_of(&r), &in->tags));
	kinesis_resource_put(c, &r);
	return OK;
}

status kinesis_untag_resource(struct call *c, const struct kinesis_untag_resource_input *in, struct wire_nothing *out)
{
	(void)out;
	struct kinesis_resource r;
	TRY(kinesis_resource_find(c, in->resource_arn, &r));
	for (size_t i = 0; i < in->tag_keys.n; i++) set(c->arena, tags_of(&r), in->tag_keys.v[i], STR_NONE);
	kinesis_resource_put(c, &r);
	return OK;
}

status kinesis_list_tags_for_resource(struct call *c, const struct kinesis_list_tags_for_resource_input *in,
	struct kinesis_list_tags_for_resource_output *out)
{
	struct kinesis_resource r;
	size_t capacity = 0;
	TRY(kinesis_resource_find(c, in->resource_arn, &r));
	struct kinesis_rec_pairs *tags = tags_of(&r);
	sort(c->arena, tags);
	VEC_PRESENT(c->arena, &out->tags);
	for (size_t i = 0; i < tags->n; i++)
		*VEC_PUSH(c->arena, &out->tags, &capacity) = (struct kinesis_tag){tags->v[i].key, tags->v[i].value};
	return OK;
}

/* ── resource policies ("Share access using resource-based policies", the guide) ── */

enum { POLICY_BYTES_MAX = 20480 };

static struct str *policy_of(struct kinesis_resource *r)
{
	return r->is_consumer ? &r->consumer.policy : &r->stream.policy;
}

status kinesis_put_resource_policy(
	struct call *c, const struct kinesis_put_resource_policy_input *in, struct wire_nothing *out)
{
	(void)out;
	struct kinesis_resource r;
	struct policy *p;
	struct policy_error why = {0};
	struct policy_source source = {
		.type = POLICY_RESOURCE, .label = in->resource_arn, .max_size = POLICY_BYTES_MAX};
	TRY(kinesis_resource_find(c, in->resource_arn, &r));
	if (!is_ok(policy_parse(in->policy, &source, &p, &why)))
		return KINESIS_FAIL(c, INVALID_ARGUMENT, "The resource policy is malformed: %s", why.message);
	policy_free(p);
	*policy_of(&r) = in->policy;
	kinesis_resource_put(c, &r);
	return OK;
}

static status no_policy(struct call *c, struct str arn)
{
	return KINESIS_FAIL(c, RESOURCE_NOT_FOUND, "No resource policy found for resource ARN %.*s.", STR_ARG(arn));
}

status kinesis_get_resource_policy(struct call *c, const struct kinesis_get_resource_policy_input *in,
	struct kinesis_get_resource_policy_output *out)
{
	struct kinesis_resource r;
	TRY(kinesis_resource_find(c, in->resource_arn, &r));
	out->policy = *policy_of(&r);
	return str_has(out->policy) ? OK : no_policy(c, in->resource_arn);
}

status kinesis_delete_resource_policy(
	struct call *c, const struct kinesis_delete_resource_policy_input *in, struct wire_nothing *out)
{
	(void)out;
	struct kinesis_resource r;
	TRY(kinesis_resource_find(c, in->resource_arn, &r));
	if (!str_has(*policy_of(&r))) return no_policy(c, in->resource_arn);
	*policy_of(&r) = STR_NONE;
	kinesis_resource_put(c, &r);
	return OK;
}
