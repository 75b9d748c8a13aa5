/* Publish and PublishBatch, and publishing by virga's other services. */
#include "base/json.h"
#include "base/rand.h"
#include "identity/digest.h"
#include "policy/policy.h"
#include "services/sns/room.h"

struct given {
	struct str message, subject, structure, dedup, group;
	const struct sns_message_attribute_map *attributes;
};

/* ── what may be published ── */

static status check_subject(struct call *c, struct str s)
{
	if (!str_has(s)) return OK;
	bool good = s.n > 0 && s.n <= 100 && str_utf8_valid(s) && (unsigned char)s.p[0] > 0x20;
	for (size_t i = 0; i < s.n; i++) good = good && (unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f;
	return good ? OK : SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: Subject");
}

static status check_structure(struct call *c, const struct given *g)
{
	struct json_value *v;
	if (!str_has(g->structure) || !g->structure.n) return OK;
	if (!str_is(g->structure, "json")) return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: MessageStructure");
	if (!is_ok(json_read(c->arena, g->message, &v)) || !json_is(v, JSON_IS_OBJECT))
		return SNS_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter: Message Structure - JSON message body failed to parse");
	if (!str_has(json_string(json_member(v, STR("default")))))
		return SNS_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter: Message Structure - No default entry in JSON message body");
	return OK;
}

static bool legal_attribute_name(struct str n)
{
	if (!n.n || n.n > 256 || n.p[0] == '.' || n.p[n.n - 1] == '.' || str_istarts(n, STR("AWS.")) ||
		str_istarts(n, STR("Amazon.")))
		return false;
	for (size_t i = 0; i < n.n; i++) {
		char ch = n.p[i];
		bool word = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
			    ch == '-' || ch == '_' || ch == '.';
		if (!word || (ch == '.' && i && n.p[i - 1] == '.')) return false;
	}
	return true;
}

static status read_attributes(struct call *c, const struct given *g, struct sns_rec_message *m, size_t *bytes)
{
	size_t capacity = 0;
	for (size_t i = 0; i < g->attributes->n; i++) {
		struct str name = g->attributes->v[i].key;
		const struct sns_message_attribute_value *v = &g->attributes->v[i].value;
		struct str rest = v->data_type, base = str_cut(&rest, '.');
		bool binary = str_is(base, "Binary"), number = str_is(base, "Number");
		struct json_value *array;
		double d;
		if (!legal_attribute_name(name))
			return SNS_FAIL(c, INVALID_PARAMETER_VALUE, "The message attribute name '%.*s' is invalid.",
				STR_ARG(name));
		if (!binary && !number && !str_is(base, "String"))
			return SNS_FAIL(c, INVALID_PARAMETER_VALUE,
				"The message attribute '%.*s' has an invalid message attribute type, the set of "
				"supported type prefixes is "
				"Binary, Number, and String.",
				STR_ARG(name));
		struct str value = binary ? v->binary_value : v->string_value;
		if (!str_has(value) || !value.n)
			return SNS_FAIL(c, INVALID_PARAMETER_VALUE,
				"The message attribute '%.*s' must contain non-empty message attribute value for "
				"message attribute type '%.*s'.",
				STR_ARG(name), STR_ARG(v->data_type));
		if (number && !is_ok(str_to_f64(value, &d)))
			return SNS_FAIL(c, INVALID_PARAMETER_VALUE,
				"Could not cast message attribute '%.*s' value to number.", STR_ARG(name));
		if (str_is(v->data_type, "String.Array") &&
			(!is_ok(json_read(c->arena, value, &array)) || !json_is(array, JSON_IS_ARRAY)))
			return SNS_FAIL(c, INVALID_PARAMETER_VALUE, "The message attribute '%.*s' is no JSON array.",
				STR_ARG(name));
		*VEC_PUSH(c->arena, &m->attributes, &capacity) = (struct sns_rec_attribute){
			name, v->data_type, binary ? STR_NONE : value, binary ? value : STR_NONE};
		*bytes += name.n + v->data_type.n + value.n;
	}
	return OK;
}

static bool legal_id(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e) return false;
	return s.n >= 1 && s.n <= 128;
}

static status check_fifo(
	struct call *c, const struct sns_rec_topic *t, const struct given *g, struct sns_rec_message *m)
{
	m->group = str_has(g->group) && g->group.n ? g->group : STR_NONE;
	if (!t->fifo.v) {
		if (str_has(g->dedup) && g->dedup.n)
			return SNS_FAIL(c, INVALID_PARAMETER,
				"Invalid parameter: MessageDeduplicationId Reason: The request includes "
				"MessageDeduplicationId parameter that is not "
				"valid for this topic type");
		return OK;
	}
	if (!str_has(m->group))
		return SNS_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter: The MessageGroupId parameter is required for FIFO topics");
	if (!legal_id(m->group)) return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: MessageGroupId");
	m->dedup = g->dedup;
	if (str_has(g->dedup) && g->dedup.n)
		return legal_id(g->dedup) ? OK
					  : SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: MessageDeduplicationId");
	if (!str_is(str_or(sns_get(&t->attributes, STR("ContentBasedDeduplication")), STR("")), "true"))
		return SNS_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter: The topic should either have ContentBasedDeduplication enabled or "
			"MessageDeduplicationId provided "
			"explicitly");
	uint8_t hash[32];
	digest_sha256(g->message, hash);
	m->dedup = str_hex(c->arena, str_n(hash, sizeof(hash)));
	return OK;
}

static status prepare(
	struct call *c, const struct sns_rec_topic *t, const struct given *g, struct sns_rec_message *m, size_t *bytes)
{
	*m = (struct sns_rec_message){.account = t->account,
		.region = t->region,
		.topic = t->name,
		.id = rand_uuid(c->arena),
		.body = g->message,
		.subject = g->subject,
		.structured = SOME_BOOL(str_has(g->structure) && g->structure.n),
		.published = SOME_TIME(c->now_ms)};
	*bytes = g->message.n;
	if (!g->message.n) return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: Empty message");
	if (!str_utf8_valid(g->message))
		return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: Message is not UTF-8");
	TRY(check_subject(c, g->subject));
	TRY(check_structure(c, g));
	TRY(read_attributes(c, g, m, bytes));
	if (*bytes > SNS_MESSAGE_MAX) return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: Message too long");
	return check_fifo(c, t, g, m);
}

/* ── FIFO ── */

static struct str dedup_key(struct arena *a, const struct sns_rec_topic *t, const struct sns_rec_message *m)
{
	bool by_group = str_is(str_or(sns_get(&t->attributes, STR("FifoThroughputScope")), STR("")), "MessageGroup");
	struct key k = key_begin(a);
	key_append(&k, sns_key(a, "dedup", t->account, t->region, t->name));
	if (by_group) key_str(&k, m->group);
	key_str(&k, m->dedup);
	return key_done(&k);
}

/* Numbers the message, unless it was published within the last five minutes: then *known, with its id and number. */
static status number(struct call *c, struct sns_rec_topic *t, struct sns_rec_message *m, bool *known)
{
	struct str key = dedup_key(c->arena, t, m), bytes;
	struct sns_rec_dedup r = {0};
	*known = false;
	status s = store_get(c->tx, key, &bytes);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (is_ok(s)) TRY(sns_rec_dedup_decode(c->arena, bytes, &r));
	if (is_ok(s) && r.expires.ms > c->now_ms) {
		m->id = r.message_id;
		m->sequence = r.sequence;
		*known = true;
		return OK;
	}
	t->sequence = SOME_I64(t->sequence.v + 1);
	m->sequence = t->sequence;
	r = (struct sns_rec_dedup){SOME_TIME(c->now_ms + SNS_DEDUP_MS), m->id, m->sequence};
	store_put(c->tx, key, sns_rec_dedup_encode(c->arena, &r));
	return OK;
}

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

static status send(struct call *c, struct sns_rec_topic *t, struct sns_rec_message *m, struct str *sequence)
{
	bool known = false;
	struct kms_refusal why = {0};
	if (t->fifo.v) TRY(number(c, t, m, &known));
	if (m->sequence.has) *sequence = str_fmt(c->arena, "1%019lld", (long long)m->sequence.v);
	if (known) return OK;
	return sns_kms_failed(c, sns_enqueue(c->cloud, c->tx, c->arena, t, m, c->now_ms, &why), &why);
}

/* ── the operations ── */

status sns_publish(struct call *c, const struct sns_publish_input *in, struct sns_publish_output *out)
{
	struct sns_rec_topic t;
	struct sns_rec_message m;
	size_t bytes;
	struct given g = {in->message, in->subject, in->message_structure, in->message_deduplication_id,
		in->message_group_id, &in->message_attributes};
	if (str_has(in->phone_number))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Publishing to phone numbers is not implemented.");
	if (str_has(in->topic_arn) + str_has(in->target_arn) != 1)
		return SNS_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter");
	struct str arn = str_or(in->topic_arn, in->target_arn);
	if (str_find(arn, STR(":endpoint/")) >= 0)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Publishing to mobile endpoints is not implemented.");
	TRY(sns_topic_load(c, arn, &t));
	TRY(prepare(c, &t, &g, &m, &bytes));
	TRY(send(c, &t, &m, &out->sequence_number));
	if (t.fifo.v) sns_topic_put(c->tx, c->arena, &t);
	out->message_id = m.id;
	call_after_commit(c, poke, c->cloud->jobs);
	return OK;
}

static status check_batch(struct call *c, const struct sns_publish_batch_request_entry_list *l)
{
	if (!l->n) return SNS_FAIL(c, EMPTY_BATCH_REQUEST, "The batch request doesn't contain any entries.");
	if (l->n > SNS_BATCH_MAX)
		return SNS_FAIL(c, TOO_MANY_ENTRIES_IN_BATCH_REQUEST,
			"The batch request contains more entries than permissible.");
	for (size_t i = 0; i < l->n; i++) {
		struct str id = l->v[i].id;
		bool good = id.n >= 1 && id.n <= 80;
		for (size_t k = 0; k < id.n; k++) {
			char ch = id.p[k];
			good = good && ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
					       (ch >= '0' && ch <= '9') || ch == '-' || ch == '_');
		}
		if (!good)
			return SNS_FAIL(c, INVALID_BATCH_ENTRY_ID,
				"The Id of a batch entry in a batch request doesn't abide by the specification.");
		for (size_t k = 0; k < i; k++)
			if (str_eq(id, l->v[k].id))
				return SNS_FAIL(c, BATCH_ENTRY_IDS_NOT_DISTINCT,
					"Two or more batch entries in the request have the same Id.");
	}
	return OK;
}

status sns_publish_batch(struct call *c, const struct sns_publish_batch_input *in, struct sns_publish_batch_output *out)
{
	struct sns_rec_topic t;
	size_t total = 0, good = 0, bad = 0;
	TRY(check_batch(c, &in->publish_batch_request_entries));
	TRY(sns_topic_load(c, in->topic_arn, &t));
	VEC_PRESENT(c->arena, &out->successful);
	VEC_PRESENT(c->arena, &out->failed);
	for (size_t i = 0; i < in->publish_batch_request_entries.n; i++) {
		const struct sns_publish_batch_request_entry *e = &in->publish_batch_request_entries.v[i];
		struct given g = {e->message, e->subject, e->message_structure, e->message_deduplication_id,
			e->message_group_id, &e->message_attributes};
		struct sns_rec_message m;
		size_t bytes;
		status s = prepare(c, &t, &g, &m, &bytes);
		if (status_is(s, STATUS_FAILED)) {
			unsigned code;
			*VEC_PUSH(c->arena, &out->failed, &bad) = (struct sns_batch_result_error_entry){.id = e->id,
				.code = wire_error_code(&c->match, c->failure.id, &code),
				.message = c->failure.message,
				.sender_fault = SOME_BOOL(true)};
			c->failure = (struct wire_failure){0};
			continue;
		}
		TRY(s);
		total += bytes;
		struct sns_publish_batch_result_entry *o = VEC_PUSH(c->arena, &out->successful, &good);
		TRY(send(c, &t, &m, &o->sequence_number));
		o->id = e->id;
		o->message_id = m.id;
	}
	if (total > SNS_MESSAGE_MAX)
		return SNS_FAIL(c, BATCH_REQUEST_TOO_LONG,
			"The length of all the batch messages put together is more than the limit.");
	if (t.fifo.v) sns_topic_put(c->tx, c->arena, &t);
	call_after_commit(c, poke, c->cloud->jobs);
	return OK;
}

/* ── other services ── */

static status find(struct store_tx *tx, struct arena *a, struct str arn, struct sns_rec_topic *t)
{
	struct str account, region, name, id;
	if (!sns_read_arn(arn, &account, &region, &name, &id) || str_has(id)) return STATUS(NOT_FOUND);
	return sns_topic_get(tx, a, account, region, name, t);
}

static status judge(
	struct cloud *cloud, struct arena *a, const struct sns_rec_topic *t, const struct sns_publication *p)
{
	struct policy *policy;
	struct policy_source source = {.type = POLICY_RESOURCE};
	struct str arn = sns_topic_arn(a, t), text = sns_get(&t->attributes, STR("Policy"));
	if (t->fifo.v) return STATUS(LIMIT);
	if (p->by_role && str_eq(p->source_account, t->account)) return OK;
	if (!str_has(text)) text = sns_default_policy(a, arn, t->account);
	if (!is_ok(policy_parse(text, &source, &policy, NULL))) return STATUS(INVALID);
	struct policy_principal who = {.kind = POLICY_CALLER_SERVICE,
		.account = STR(""),
		.arn = p->service,
		.user_id = STR(""),
		.name = p->service};
	struct policy_context x = POLICY_CONTEXT_IN(a);
	policy_context_set_principal(&x, &who);
	policy_context_set_now(&x, clock_now(cloud->clock));
	policy_context_set(&x, STR("aws:SourceArn"), p->source_arn);
	policy_context_set(&x, STR("aws:SourceAccount"), p->source_account);
	if (str_has(p->source_owner)) policy_context_set(&x, STR("aws:SourceOwner"), p->source_owner);
	const struct policy *const list[] = {policy};
	struct policy_resource r = {.arn = arn, .account = t->account, .policies = {list, 1}, .policy_required = true};
	struct policy_request q = {
		.principal = &who, .action = STR("sns:Publish"), .resources = &r, .n_resources = 1, .context = &x};
	struct policy_subject subject = {0};
	struct policy_decision d;
	bool allowed = policy_evaluate(a, &q, &subject, &d);
	policy_free(policy);
	return allowed ? OK : STATUS(INVALID);
}

status sns_publication_check(struct cloud *cloud, struct store_tx *tx, struct arena *a, const struct sns_publication *p)
{
	struct sns_rec_topic t;
	TRY(find(tx, a, p->topic_arn, &t));
	return judge(cloud, a, &t, p);
}

status sns_publish_in(struct cloud *cloud, struct store_tx *tx, struct arena *a, const struct sns_publication *p)
{
	struct sns_rec_topic t;
	TRY(find(tx, a, p->topic_arn, &t));
	TRY(judge(cloud, a, &t, p));
	int64_t now = clock_now(cloud->clock);
	struct sns_rec_message m = {.account = t.account,
		.region = t.region,
		.topic = t.name,
		.id = rand_uuid(a),
		.body = p->message,
		.subject = p->subject,
		.published = SOME_TIME(now)};
	/* What the topic's key refuses is refused as the topic's policy would. */
	struct kms_refusal why;
	status s = sns_enqueue(cloud, tx, a, &t, &m, now, &why);
	return status_is(s, STATUS_FAILED) ? STATUS(INVALID) : s;
}
