/* Topics and their tags. */
#include "services/sns/room.h"

static bool legal_name(struct str n, bool fifo)
{
	struct str base = fifo ? str_sub(n, 0, n.n - 5) : n;
	if (!base.n || n.n > 256) return false;
	for (size_t i = 0; i < base.n; i++) {
		char ch = base.p[i];
		if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '-' ||
			    ch == '_'))
			return false;
	}
	return true;
}

static status set_tags(struct call *c, struct sns_rec_topic *t, const struct sns_tag_list *tags)
{
	for (size_t i = 0; i < tags->n; i++) {
		if (!c->system_tags && str_istarts(tags->v[i].key, STR("aws:")))
			return SNS_FAIL(
				c, INVALID_PARAMETER, "Invalid parameter: Tag keys that begin with aws: are reserved");
		sns_set(c->arena, &t->tags, tags->v[i].key, tags->v[i].value);
	}
	if (t->tags.n > SNS_TAGS_MAX)
		return SNS_FAIL(
			c, TAG_LIMIT_EXCEEDED, "Could not complete request: tag quota of per resource exceeded");
	return OK;
}

static bool same_tags(const struct sns_rec_strings *a, const struct sns_tag_list *b)
{
	if (a->n != b->n) return false;
	for (size_t i = 0; i < b->n; i++)
		if (!str_eq(str_or(sns_get(a, b->v[i].key), STR("")), b->v[i].value)) return false;
	return true;
}

/* "If the requester already owns a topic with the specified name, that topic's ARN is returned without creating a new
 * topic." With other attributes or tags that is refused. */
static status there_already(struct call *c, const struct sns_create_topic_input *in, const struct sns_rec_topic *t)
{
	for (size_t i = 0; i < in->attributes.n; i++) {
		struct str name = in->attributes.v[i].key, now = sns_get(&t->attributes, name);
		if (str_is(name, "FifoTopic")) now = t->fifo.v ? STR("true") : STR("false");
		if (!str_eq(str_or(now, STR("")), in->attributes.v[i].value))
			return SNS_FAIL(c, INVALID_PARAMETER,
				"Invalid parameter: Attributes Reason: Topic already exists with different attributes");
	}
	if (in->tags.n && !same_tags(&t->tags, &in->tags))
		return SNS_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter: Tags Reason: Topic already exists with different tags");
	return OK;
}

status sns_create_topic(struct call *c, const struct sns_create_topic_input *in, struct sns_create_topic_output *out)
{
	struct sns_rec_topic t;
	bool named = str_ends(in->name, STR(".fifo")), fifo = false;
	for (size_t i = 0; i < in->attributes.n; i++)
		if (str_is(in->attributes.v[i].key, "FifoTopic")) fifo = str_is(in->attributes.v[i].value, "true");
	if (fifo && !named)
		return SNS_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter: Fifo Topic names must end with .fifo and must be made up of only uppercase "
			"and lowercase ASCII "
			"letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long.");
	if (!legal_name(in->name, named && fifo))
		return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: Topic Name");
	if (str_has(in->data_protection_policy) && in->data_protection_policy.n)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Data protection policies are not implemented yet.");
	status s = sns_topic_get(c->tx, c->arena, c->account, c->region, in->name, &t);
	if (is_ok(s)) {
		out->topic_arn = sns_topic_arn(c->arena, &t);
		return there_already(c, in, &t);
	}
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	t = (struct sns_rec_topic){.name = in->name,
		.account = c->account,
		.region = c->region,
		.created = SOME_TIME(c->now_ms),
		.fifo = SOME_BOOL(fifo)};
	for (size_t i = 0; i < in->attributes.n; i++)
		if (!str_is(in->attributes.v[i].key, "FifoTopic"))
			TRY(sns_topic_attribute(c, &t, in->attributes.v[i].key, in->attributes.v[i].value));
	TRY(set_tags(c, &t, &in->tags));
	sns_topic_put(c->tx, c->arena, &t);
	out->topic_arn = sns_topic_arn(c->arena, &t);
	return OK;
}

static status drop_space(struct call *c, struct str space)
{
	struct str key, value;
	struct store_scan *scan = store_scan_begin(c->tx, space, key_after(c->arena, space), false);
	while (store_scan_next(scan, &key, &value)) store_delete(c->tx, str_dup(c->arena, key));
	return store_scan_end(scan);
}

/* "This action is idempotent, so deleting a topic that does not exist does not result in an error." */
status sns_delete_topic(struct call *c, const struct sns_delete_topic_input *in, struct sns_delete_topic_output *out)
{
	struct str account, region, name, id;
	struct sns_rec_topic t;
	struct sns_subscriptions list;
	(void)out;
	if (!sns_read_arn(in->topic_arn, &account, &region, &name, &id) || str_has(id))
		return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: TopicArn");
	status s = sns_topic_get(c->tx, c->arena, account, region, name, &t);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(sns_subscriptions_of(c->tx, c->arena, &t, &list));
	for (size_t i = 0; i < list.n; i++) sns_subscription_drop(c, &t, &list.v[i]);
	TRY(drop_space(c, sns_key(c->arena, "fifo", account, region, name)));
	TRY(drop_space(c, sns_key(c->arena, "dedup", account, region, name)));
	store_delete(c->tx, sns_key(c->arena, "topic", account, region, name));
	return OK;
}

status sns_list_topics(struct call *c, const struct sns_list_topics_input *in, struct sns_list_topics_output *out)
{
	struct str from = sns_key(c->arena, "topic", c->account, c->region, STR_NONE), key, value;
	size_t capacity = 0, skip, at = 0;
	TRY(sns_token(c, in->next_token, &skip));
	VEC_PRESENT(c->arena, &out->topics);
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct sns_rec_topic t = {0};
		if (at++ < skip) continue;
		if (out->topics.n == SNS_PAGE) {
			out->next_token = sns_next(c, at - 1);
			break;
		}
		TRY(sns_rec_topic_decode(c->arena, str_dup(c->arena, value), &t));
		VEC_PUSH(c->arena, &out->topics, &capacity)->topic_arn = sns_topic_arn(c->arena, &t);
	}
	return store_scan_end(scan);
}

/* ── tags ── */

static status tagged(struct call *c, struct str arn, struct sns_rec_topic *t)
{
	struct str account, region, name, id;
	if (!sns_read_arn(arn, &account, &region, &name, &id) || str_has(id))
		return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: ResourceArn");
	status s = sns_topic_get(c->tx, c->arena, account, region, name, t);
	return status_is(s, STATUS_NOT_FOUND) ? SNS_FAIL(c, RESOURCE_NOT_FOUND, "Resource does not exist") : s;
}

status sns_tag_resource(struct call *c, const struct sns_tag_resource_input *in, struct sns_tag_resource_output *out)
{
	struct sns_rec_topic t;
	(void)out;
	TRY(tagged(c, in->resource_arn, &t));
	TRY(set_tags(c, &t, &in->tags));
	sns_topic_put(c->tx, c->arena, &t);
	return OK;
}

status sns_untag_resource(
	struct call *c, const struct sns_untag_resource_input *in, struct sns_untag_resource_output *out)
{
	struct sns_rec_topic t;
	(void)out;
	TRY(tagged(c, in->resource_arn, &t));
	for (size_t i = 0; i < in->tag_keys.n; i++) sns_set(c->arena, &t.tags, in->tag_keys.v[i], STR_NONE);
	sns_topic_put(c->tx, c->arena, &t);
	return OK;
}

status sns_list_tags_for_resource(struct call *c, const struct sns_list_tags_for_resource_input *in,
	struct sns_list_tags_for_resource_output *out)
{
	struct sns_rec_topic t;
	size_t capacity = 0;
	TRY(tagged(c, in->resource_arn, &t));
	VEC_PRESENT(c->arena, &out->tags);
	for (size_t i = 0; i < t.tags.n; i++)
		*VEC_PUSH(c->arena, &out->tags, &capacity) = (struct sns_tag){t.tags.v[i].key, t.tags.v[i].value};
	return OK;
}
