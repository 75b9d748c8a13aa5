/* Topics and subscriptions in the store, and what their ARNs tell. */
#include "services/sns/room.h"

struct str sns_key(struct arena *a, const char *kind, struct str account, struct str region, struct str name)
{
	struct key k = key_for(a, STR("sns"), str_c(kind), account, region);
	if (str_has(name)) key_str(&k, name);
	return key_done(&k);
}

static const char *partition_of(struct str region)
{
	return str_starts(region, STR("cn-")) ? "aws-cn" : str_starts(region, STR("us-gov-")) ? "aws-us-gov" : "aws";
}

struct str sns_topic_arn(struct arena *a, const struct sns_rec_topic *t)
{
	return str_fmt(a, "arn:%s:sns:%.*s:%.*s:%.*s", partition_of(t->region), STR_ARG(t->region), STR_ARG(t->account),
		STR_ARG(t->name));
}

struct str sns_subscription_arn(struct arena *a, const struct sns_rec_topic *t, struct str id)
{
	return str_fmt(a, "%.*s:%.*s", STR_ARG(sns_topic_arn(a, t)), STR_ARG(id));
}

bool sns_read_arn(struct str arn, struct str *account, struct str *region, struct str *name, struct str *id)
{
	struct str rest = arn, part[5] = {{0}};
	size_t n = 0;
	while (n < 5 && str_has(rest)) part[n++] = str_cut(&rest, ':');
	if (n < 5 || !str_has(rest) || !str_is(part[0], "arn") || !str_is(part[2], "sns") || part[4].n != 12)
		return false;
	*region = part[3];
	*account = part[4];
	*name = str_cut(&rest, ':');
	*id = rest;
	return name->n > 0;
}

status sns_topic_get(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name,
	struct sns_rec_topic *out)
{
	struct str bytes;
	*out = (struct sns_rec_topic){0};
	TRY(store_get(tx, sns_key(a, "topic", account, region, name), &bytes));
	return sns_rec_topic_decode(a, bytes, out);
}

status sns_topic_load(struct call *c, struct str arn, struct sns_rec_topic *out)
{
	struct str account, region, name, id;
	if (!sns_read_arn(str_or(arn, STR("")), &account, &region, &name, &id) || str_has(id) ||
		!str_eq(region, c->region))
		return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: TopicArn");
	status s = sns_topic_get(c->tx, c->arena, account, region, name, out);
	return status_is(s, STATUS_NOT_FOUND) ? SNS_FAIL(c, NOT_FOUND, "Topic does not exist") : s;
}

void sns_topic_put(struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t)
{
	store_put(tx, sns_key(a, "topic", t->account, t->region, t->name), sns_rec_topic_encode(a, t));
}

static struct str subscription_key(struct arena *a, const struct sns_rec_topic *t, struct str id)
{
	struct key k = key_begin(a);
	key_append(&k, sns_key(a, "subscription", t->account, t->region, t->name));
	key_str(&k, id);
	return key_done(&k);
}

static struct str owned_key(struct arena *a, const struct sns_rec_topic *t, const struct sns_rec_subscription *s)
{
	struct key k = key_begin(a);
	key_append(&k, sns_key(a, "owned", s->owner, t->region, t->account));
	key_str(&k, t->name);
	key_str(&k, s->id);
	return key_done(&k);
}

status sns_subscription_get(struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t, struct str id,
	struct sns_rec_subscription *out)
{
	struct str bytes;
	*out = (struct sns_rec_subscription){0};
	TRY(store_get(tx, subscription_key(a, t, id), &bytes));
	return sns_rec_subscription_decode(a, bytes, out);
}

status sns_subscription_load(struct call *c, struct str arn, struct sns_rec_topic *t, struct sns_rec_subscription *out)
{
	struct str account, region, name, id;
	if (!sns_read_arn(str_or(arn, STR("")), &account, &region, &name, &id) || !str_has(id) || !id.n)
		return SNS_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1");
	status s = sns_topic_get(c->tx, c->arena, account, region, name, t);
	if (is_ok(s)) s = sns_subscription_get(c->tx, c->arena, t, id, out);
	return status_is(s, STATUS_NOT_FOUND) ? SNS_FAIL(c, NOT_FOUND, "Subscription does not exist") : s;
}

void sns_subscription_put(struct call *c, const struct sns_rec_topic *t, const struct sns_rec_subscription *s)
{
	store_put(c->tx, subscription_key(c->arena, t, s->id), sns_rec_subscription_encode(c->arena, s));
	store_put(c->tx, owned_key(c->arena, t, s), STR(""));
}

void sns_subscription_remove(
	struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t, const struct sns_rec_subscription *s)
{
	store_delete(tx, subscription_key(a, t, s->id));
	store_delete(tx, owned_key(a, t, s));
}

void sns_subscription_drop(struct call *c, const struct sns_rec_topic *t, const struct sns_rec_subscription *s)
{
	sns_subscription_remove(c->tx, c->arena, t, s);
}

status sns_subscriptions_of(
	struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t, struct sns_subscriptions *out)
{
	struct str from = sns_key(a, "subscription", t->account, t->region, t->name), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	*out = (struct sns_subscriptions){0};
	while (store_scan_next(scan, &key, &value)) {
		struct sns_rec_subscription s = {0};
		TRY(sns_rec_subscription_decode(a, str_dup(a, value), &s));
		*VEC_PUSH(a, out, &out->capacity) = s;
	}
	return store_scan_end(scan);
}

struct str sns_get(const struct sns_rec_strings *m, struct str name)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].key, name)) return m->v[i].value;
	return STR_NONE;
}

void sns_set(struct arena *a, struct sns_rec_strings *m, struct str name, struct str value)
{
	struct sns_rec_strings now = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < m->n; i++)
		if (!str_eq(m->v[i].key, name)) *VEC_PUSH(a, &now, &capacity) = m->v[i];
	if (str_has(value)) *VEC_PUSH(a, &now, &capacity) = (struct sns_rec_strings_entry){name, value};
	*m = now;
}

status sns_token(struct call *c, struct str token, size_t *from)
{
	struct str text;
	uint64_t n;
	*from = 0;
	if (!str_has(token) || !token.n) return OK;
	if (!is_ok(str_unbase64(c->arena, token, &text)) || !str_starts(text, STR("from:")) ||
		!is_ok(str_to_u64(str_from(text, 5), &n)))
		return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: NextToken");
	*from = (size_t)n;
	return OK;
}

struct str sns_next(struct call *c, size_t at)
{
	return str_base64(c->arena, str_fmt(c->arena, "from:%zu", at));
}
