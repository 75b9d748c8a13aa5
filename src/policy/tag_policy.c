/* See tag_policy.h. What is tagged is told, in this order, by the request's tag specification, by the ARNs of an
 * operation whose purpose is tagging, and for one that creates by its name and the types that the authorization
 * reference has for it. */
#include "policy/tag_policy.h"
#include "base/json.h"

struct judging {
	struct arena *arena;
	struct str prefix, op; /* "dynamodb", "CreateTable" */
	const struct authz_demand *demand;
	const struct authz_service *service;
};

/* An ARN's, or template's, word for the type: table of …:table/Movies. S3's, SNS's and SQS's ARNs have none. */
static struct str word_of(struct str arn)
{
	struct str service = STR_NONE;
	for (int i = 0; i < 5 && str_has(arn); i++) {
		struct str field = str_cut(&arn, ':');
		if (i == 2) service = field;
	}
	if (!str_has(arn)) return STR_NONE;
	if (str_is(service, "sns")) return STR("topic");
	if (str_is(service, "sqs")) return STR("queue");
	if (str_is(service, "s3")) {
		if (str_starts(arn, STR("job/"))) return STR("job");
		return str_find(arn, STR("/")) < 0 ? STR("bucket") : STR("object");
	}
	size_t n = 0;
	while (n < arn.n && arn.p[n] != '/' && arn.p[n] != ':') n++;
	return n < arn.n ? str_sub(arn, 0, n) : STR_NONE;
}

/* In lower case and without hyphens: auto-scaling-group and autoScalingGroup are one. */
static struct str plain(struct arena *a, struct str s)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '-') buf_byte(&b, s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + 32 : s.p[i]);
	return buf_done(&b);
}

static bool is_same(struct arena *a, struct str x, struct str y)
{
	return str_eq(plain(a, x), plain(a, y));
}

static bool is_tagging(struct str op)
{
	return str_find(op, STR("Tag")) >= 0;
}

static void consider(const struct judging *j, struct str name, struct str word, struct str *best)
{
	if (!str_has(word) || str_find(name, plain(j->arena, word)) < 0) return;
	if (!str_has(*best) || word.n > best->n) *best = word;
}

/* What an operation creates: the longest type's word that its name has, before a From or To: a snapshot for
 * CreateDBSnapshot, whose first resource is the database. */
static struct str created(const struct judging *j)
{
	struct str op = j->op, best = STR_NONE;
	ptrdiff_t from = str_find(op, STR("From")), to = str_find(op, STR("To"));
	if (from > 0)
		op = str_sub(op, 0, (size_t)from);
	else if (to > 0 && str_find(op, STR("Topic")) < 0 && str_find(op, STR("Token")) < 0)
		op = str_sub(op, 0, (size_t)to);
	struct str name = plain(j->arena, op);
	for (size_t i = 0; i < j->demand->n; i++) consider(j, name, word_of(j->demand->resources[i].arn), &best);
	if (!str_has(best) && j->demand->n) best = word_of(j->demand->resources[0].arn);
	const struct authz_service *s = j->service;
	for (uint32_t i = 0; !str_has(best) && s && i < s->types.n; i++)
		consider(j, name, word_of(authz_str(authz_types[s->types.first + i].arn)), &best);
	return best;
}

static bool is_for_type(const struct judging *j, const struct authz_tag *tag, struct str type)
{
	if (str_has(tag->type)) return is_same(j->arena, tag->type, type);
	if (!is_tagging(j->op)) return is_same(j->arena, str_or(created(j), STR("")), type);
	for (size_t i = 0; i < j->demand->n; i++)
		if (is_same(j->arena, str_or(word_of(j->demand->resources[i].arn), STR("")), type)) return true;
	return false;
}

/* Objects of S3 are not among what supports enforcement. */
static bool is_supported(const struct judging *j)
{
	if (str_is(j->prefix, "sts")) return false;
	return !str_is(j->prefix, "s3") || !j->demand->n ||
	       !str_is(str_or(word_of(j->demand->resources[0].arn), STR("")), "object");
}

/* "ec2:instance", "ec2:ALL_SUPPORTED", "ec2:*". */
static bool is_enforced(const struct judging *j, const struct authz_tag *tag, const struct json_value *list)
{
	for (const struct json_value *i = json_is(list, JSON_IS_ARRAY) ? list->first : list; i; i = i->next) {
		struct str type = json_string(i);
		if (!str_has(type)) continue;
		struct str service = str_cut(&type, ':');
		if (!str_ieq(service, j->prefix) || !str_has(type)) continue;
		if (str_is(type, "*") || str_is(type, "ALL_SUPPORTED") || is_for_type(j, tag, type)) return true;
	}
	return false;
}

/* "You can use only one wildcard per tag value." */
static bool has_value(struct str pattern, struct str value)
{
	ptrdiff_t star = str_find(pattern, STR("*"));
	if (star < 0) return str_eq(pattern, value);
	struct str head = str_sub(pattern, 0, (size_t)star), tail = str_from(pattern, (size_t)star + 1);
	return value.n >= head.n + tail.n && str_starts(value, head) && str_ends(value, tail);
}

static bool is_allowed_value(const struct json_value *list, struct str value)
{
	/* "If the tag policy doesn't specify a tag value for a tag key, any value (including no value) is compliant."
	 */
	if (!list || (json_is(list, JSON_IS_ARRAY) && !list->first)) return true;
	for (const struct json_value *i = json_is(list, JSON_IS_ARRAY) ? list->first : list; i; i = i->next)
		if (str_has(json_scalar(i)) && has_value(json_scalar(i), value)) return true;
	return false;
}

static struct str one(const struct json_value *v)
{
	return json_scalar(json_is(v, JSON_IS_ARRAY) ? v->first : v);
}

static enum tag_fault judge(const struct judging *j, const struct json_value *rules, const struct authz_tag *tag)
{
	for (const struct json_value *r = rules ? rules->first : NULL; r; r = r->next) {
		/* "If case treatment isn't defined, lowercase is the default case treatment for tag keys." */
		struct str wanted = str_or(one(json_member(r, STR("tag_key"))), str_lower(j->arena, r->name));
		if (!str_ieq(wanted, tag->key) || !is_enforced(j, tag, json_member(r, STR("enforced_for")))) continue;
		if (!str_eq(wanted, tag->key)) return TAG_FAULT_CAPITALIZATION;
		if (!is_allowed_value(json_member(r, STR("tag_value")), tag->value)) return TAG_FAULT_VALUE;
	}
	return TAG_FAULT_NONE;
}

static bool takes_away(struct str op)
{
	return str_starts(op, STR("Delete")) || str_starts(op, STR("Untag")) || str_starts(op, STR("Remove"));
}

enum tag_fault tag_policy_judge(struct arena *a, struct str effective, const struct wire_match *m, const void *in,
	const struct authz_demands *d, struct str *key)
{
	struct authz_tags tags;
	struct json_value *policy;
	struct judging j = {.arena = a, .op = wire_str(&m->service->tables, m->op->name), .demand = &d->v[0]};
	struct str action = d->v[0].action;
	j.prefix = str_cut(&action, ':');
	j.service = authz_find(str_c(m->service->name));
	if (takes_away(j.op) || !is_supported(&j)) return TAG_FAULT_NONE;
	authz_tags(a, m, in, &tags);
	if (!tags.n || !is_ok(json_read(a, effective, &policy))) return TAG_FAULT_NONE;
	for (size_t i = 0; i < tags.n; i++) {
		const struct authz_tag *t = &tags.v[i];
		if (!str_has(t->value) || str_istarts(t->key, STR("aws:"))) continue;
		enum tag_fault fault = judge(&j, json_member(policy, STR("tags")), t);
		if (fault == TAG_FAULT_NONE) continue;
		*key = t->key;
		return fault;
	}
	return TAG_FAULT_NONE;
}
