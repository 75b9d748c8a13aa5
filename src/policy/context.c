/* The request context: condition keys with their values ("AWS global condition context keys"). */
#include "policy/internal.h"
#include <stdio.h>

const struct policy_key *policy_context_get(const struct policy_context *c, struct str name)
{
	uint32_t hash = key_hash(name);
	for (size_t i = 0; i < c->n; i++)
		if (c->keys[i].hash == hash && str_ieq(c->keys[i].name, name)) return &c->keys[i];
	return NULL;
}

static struct policy_key *slot(struct policy_context *c, struct str name)
{
	uint32_t hash = key_hash(name);
	for (size_t i = 0; i < c->n; i++)
		if (c->keys[i].hash == hash && str_ieq(c->keys[i].name, name)) return &c->keys[i];
	if (c->n == c->capacity) {
		size_t capacity = c->capacity ? c->capacity * 2 : 8;
		struct policy_key *keys = arena_new_n(c->arena, struct policy_key, capacity);
		for (size_t i = 0; i < c->n; i++) {
			keys[i] = c->keys[i];
			if (keys[i].values == &c->keys[i].one) keys[i].values = &keys[i].one;
		}
		c->keys = keys;
		c->capacity = capacity;
	}
	struct policy_key *k = &c->keys[c->n++];
	*k = (struct policy_key){.name = name, .hash = hash};
	return k;
}

void policy_context_set(struct policy_context *c, struct str name, struct str value)
{
	struct policy_key *k = slot(c, name);
	k->one = value;
	k->values = &k->one;
	k->n = 1;
}

void policy_context_set_list(struct policy_context *c, struct str name, const struct str *values, size_t n)
{
	struct policy_key *k = slot(c, name);
	k->values = values;
	k->n = n;
}

void policy_context_set_bool(struct policy_context *c, struct str name, bool value)
{
	policy_context_set(c, name, value ? STR("true") : STR("false"));
}

void policy_context_set_i64(struct policy_context *c, struct str name, int64_t value)
{
	struct buf b = BUF_IN(c->arena);
	buf_i64(&b, value);
	policy_context_set(c, name, buf_done(&b));
}

/* The civil date of a number of days since 1970-01-01. */
static void civil(int64_t days, int64_t *y, int64_t *m, int64_t *d)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097, doe = days - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365,
		doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = yoe + era * 400 + (*m <= 2);
}

void policy_context_set_now(struct policy_context *c, int64_t now_ms)
{
	int64_t s = now_ms / 1000, days = s / 86400, rest = s % 86400, y, m, d;
	civil(days, &y, &m, &d);
	policy_context_set(c, STR("aws:CurrentTime"), str_fmt(c->arena, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)y,
		(int)m,
		(int)d, (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60)));
	policy_context_set_i64(c, STR("aws:EpochTime"), s);
}

void policy_context_set_tag(struct policy_context *c, struct str prefix, struct str key, struct str value)
{
	policy_context_set(c, str_cat(c->arena, prefix, key), value);
}

void policy_context_set_principal(struct policy_context *c, const struct policy_principal *p)
{
	static const struct str types[] = {
		[POLICY_CALLER_ANONYMOUS] = {"Anonymous", 9},
		[POLICY_CALLER_ROOT] = {"Account", 7},
		[POLICY_CALLER_USER] = {"User", 4},
		[POLICY_CALLER_ROLE] = {"AssumedRole", 11},
		[POLICY_CALLER_FEDERATED] = {"FederatedUser", 13},
	};
	bool service = p->kind == POLICY_CALLER_SERVICE;
	/* "Anonymous requests do not include this key." */
	if (p->kind != POLICY_CALLER_ANONYMOUS && p->kind != POLICY_CALLER_PROVIDER)
		policy_context_set_bool(c, STR("aws:PrincipalIsAWSService"), service);
	if (service) {
		policy_context_set(c, STR("aws:PrincipalServiceName"), p->name);
		return;
	}
	if (p->kind == POLICY_CALLER_PROVIDER) {
		policy_context_set(c, STR("aws:FederatedProvider"), p->name);
		return;
	}
	policy_context_set(c, STR("aws:PrincipalType"), types[p->kind]);
	if (p->kind == POLICY_CALLER_ANONYMOUS) {
		policy_context_set(c, STR("aws:userid"), STR("anonymous"));
		return;
	}
	policy_context_set(c, STR("aws:PrincipalAccount"), p->account);
	/* "For IAM roles, the request context returns the ARN of the role, not the ARN of the user that assumed "
		"the role." */
	bool role = p->kind == POLICY_CALLER_ROLE && str_has(p->issuer_arn);
	policy_context_set(c, STR("aws:PrincipalArn"), role ? p->issuer_arn : p->arn);
	if (str_has(p->user_id)) policy_context_set(c, STR("aws:userid"), p->user_id);
	if (p->kind == POLICY_CALLER_USER) policy_context_set(c, STR("aws:username"), p->name);
}
