/* Queue attributes: their names, ranges and defaults, as a table ("SetQueueAttributes", "CreateQueue", Amazon SQS API
 * Reference). */
#include "base/json.h"
#include "services/sqs/sqs_internal.h"

enum attribute_kind { NUMBER, BOOLEAN, ONE_OF, JSON_OBJECT, TEXT, READ_ONLY };
enum { FIFO_ONLY = 1, AT_CREATION = 2 };
struct attribute {
	const char *name;
	enum attribute_kind kind;
	int64_t min, max;
	const char *otherwise; /* the default; NULL: not shown unless set */
	const char *values;    /* ONE_OF: a|b */
	int flags;
};
static const struct attribute table[] = {
	{"ContentBasedDeduplication", BOOLEAN, 0, 0, NULL, NULL, FIFO_ONLY},
	{"DeduplicationScope", ONE_OF, 0, 0, NULL, "queue|messageGroup", FIFO_ONLY},
	{"DelaySeconds", NUMBER, 0, DELAY_MAX_S, "0", NULL, 0},
	{"FifoQueue", BOOLEAN, 0, 0, NULL, NULL, FIFO_ONLY | AT_CREATION},
	{"FifoThroughputLimit", ONE_OF, 0, 0, NULL, "perQueue|perMessageGroupId", FIFO_ONLY},
	{"KmsDataKeyReusePeriodSeconds", NUMBER, 60, 86400, NULL, NULL, 0},
	{"KmsMasterKeyId", TEXT, 0, 0, NULL, NULL, 0},
	{"MaximumMessageSize", NUMBER, 1024, MESSAGE_BYTES_MAX, "1048576", NULL, 0},
	{"MessageRetentionPeriod", NUMBER, 60, 1209600, "345600", NULL, 0},
	{"Policy", JSON_OBJECT, 0, 0, NULL, NULL, 0},
	{"ReceiveMessageWaitTimeSeconds", NUMBER, 0, WAIT_MAX_S, "0", NULL, 0},
	{"RedriveAllowPolicy", JSON_OBJECT, 0, 0, NULL, NULL, 0},
	{"RedrivePolicy", JSON_OBJECT, 0, 0, NULL, NULL, 0},
	{"SqsManagedSseEnabled", BOOLEAN, 0, 0, "true", NULL, 0},
	{"VisibilityTimeout", NUMBER, 0, VISIBILITY_MAX_S, "30", NULL, 0},
	{"All", READ_ONLY, 0, 0, NULL, NULL, 0},
	{"ApproximateNumberOfMessages", READ_ONLY, 0, 0, NULL, NULL, 0},
	{"ApproximateNumberOfMessagesDelayed", READ_ONLY, 0, 0, NULL, NULL, 0},
	{"ApproximateNumberOfMessagesNotVisible", READ_ONLY, 0, 0, NULL, NULL, 0},
	{"CreatedTimestamp", READ_ONLY, 0, 0, NULL, NULL, 0},
	{"LastModifiedTimestamp", READ_ONLY, 0, 0, NULL, NULL, 0},
	{"QueueArn", READ_ONLY, 0, 0, NULL, NULL, 0},
};
enum { N_ATTRIBUTES = sizeof(table) / sizeof(table[0]) };

static const struct attribute *find(struct str name)
{
	for (size_t i = 0; i < N_ATTRIBUTES; i++)
		if (str_eq(str_c(table[i].name), name)) return &table[i];
	return NULL;
}

struct str sqs_strings_get(const struct sqs_rec_strings *m, struct str name)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].key, name)) return m->v[i].value;
	return STR_NONE;
}

struct str sqs_default_attribute(struct str name)
{
	const struct attribute *a = find(name);
	return a && a->otherwise ? str_c(a->otherwise) : STR_NONE;
}

static int64_t number(const struct sqs_rec_queue *r, const char *name)
{
	struct str v = sqs_strings_get(&r->attributes, str_c(name));
	int64_t n = 0;
	if (!str_has(v)) v = sqs_default_attribute(str_c(name));
	return is_ok(str_to_i64(v, &n)) ? n : 0;
}

/* ── redrive policies ─────────────────────────────────────────────────────────────────────────────────────────── */

static status read_redrive(struct arena *a, struct str text, struct str *arn, uint32_t *most)
{
	struct json_value *j;
	TRY(json_read(a, text, &j));
	struct str target = json_string(json_member(j, STR("deadLetterTargetArn")));
	struct str times = json_scalar(json_member(j, STR("maxReceiveCount")));
	int64_t n = 0;
	if (!str_has(target) || !str_has(times) || !is_ok(str_to_i64(times, &n)) || n < 1 || n > 1000)
		return STATUS(INVALID);
	*arn = target;
	*most = (uint32_t)n;
	return OK;
}

/* Does the target's RedriveAllowPolicy let `source` send its dead letters there? */
static bool allows(struct arena *a, const struct queue *target, struct str source)
{
	struct str text = sqs_strings_get(&target->record.attributes, STR("RedriveAllowPolicy"));
	struct json_value *j;
	if (!str_has(text) || str_empty(text) || !is_ok(json_read(a, text, &j))) return true;
	struct str permission = json_string(json_member(j, STR("redrivePermission")));
	if (str_is(permission, "denyAll")) return false;
	if (!str_is(permission, "byQueue")) return true;
	struct json_value *arns = json_member(j, STR("sourceQueueArns"));
	for (struct json_value *v = arns ? arns->first : NULL; v; v = v->next)
		if (str_eq(json_string(v), source)) return true;
	return false;
}

static status invalid(struct call *c, struct str name)
{
	return call_fail(c, SQS_ERR_INVALID_ATTRIBUTE_VALUE, "Invalid value for the parameter %.*s.", STR_ARG(name));
}

static status check_redrive(struct call *c, bool fifo, struct str text, const struct sqs_rec_queue *now)
{
	struct str arn;
	uint32_t most;
	if (!is_ok(read_redrive(c->arena, text, &arn, &most)))
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %.*s for parameter RedrivePolicy is invalid. Reason: Redrive policy is not a valid JSON "
			"map of "
			"deadLetterTargetArn and maxReceiveCount (1 to 1000).",
			STR_ARG(text));
	struct queue *target = sqs_queue_by_arn(sqs_of(c), c->arena, arn);
	if (!target)
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %.*s for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist.",
			STR_ARG(text));
	status st = OK;
	struct str self = now ? call_arn(c, STR("sqs"), "%.*s", STR_ARG(now->name)) : STR_NONE;
	if (target->fifo != fifo)
		st = call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %.*s for parameter RedrivePolicy is invalid. Reason: Dead-letter queue must be same "
			"type of queue as "
			"the source.",
			STR_ARG(text));
	else if (str_has(self) && !allows(c->arena, target, self))
		st = call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %.*s for parameter RedrivePolicy is invalid. Reason: Queue %.*s is not allowed as a "
			"dead-letter source by "
			"the target's RedriveAllowPolicy.",
			STR_ARG(text), STR_ARG(self));
	sqs_queue_release(target);
	return st;
}

static status check_allow(struct call *c, struct str text)
{
	struct json_value *j;
	if (is_ok(json_read(c->arena, text, &j))) {
		struct str p = json_string(json_member(j, STR("redrivePermission")));
		struct json_value *arns = json_member(j, STR("sourceQueueArns"));
		if (str_is(p, "allowAll") || str_is(p, "denyAll")) {
			if (!arns) return OK;
		} else if (str_is(p, "byQueue") && json_length(arns) >= 1 && json_length(arns) <= 10) {
			return OK;
		}
	}
	return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE, "Value %.*s for parameter RedriveAllowPolicy is invalid.",
		STR_ARG(text));
}

/* ── checking and applying ────────────────────────────────────────────────────────────────────────────────────── */

static bool one_of(struct str v, const char *values)
{
	struct str rest = str_c(values);
	while (str_has(rest))
		if (str_eq(str_cut(&rest, '|'), v)) return true;
	return false;
}

static status check_one(struct call *c, bool fifo, struct str name, struct str value, const struct sqs_rec_queue *now)
{
	const struct attribute *a = find(name);
	if (!a || a->kind == READ_ONLY || ((a->flags & FIFO_ONLY) && !fifo))
		return call_fail(c, SQS_ERR_INVALID_ATTRIBUTE_NAME, "Unknown Attribute %.*s.", STR_ARG(name));
	if (now && (a->flags & AT_CREATION)) return invalid(c, name);
	int64_t n;
	struct json_value *j;
	switch (a->kind) {
	case NUMBER:
		return is_ok(str_to_i64(value, &n)) && n >= a->min && n <= a->max ? OK : invalid(c, name);
	case BOOLEAN:
		return str_is(value, "true") || str_is(value, "false") ? OK : invalid(c, name);
	case ONE_OF:
		return one_of(value, a->values) ? OK : invalid(c, name);
	case JSON_OBJECT:
		if (str_empty(value)) return OK; /* takes it away */
		if (str_is(name, "RedrivePolicy")) return check_redrive(c, fifo, value, now);
		if (str_is(name, "RedriveAllowPolicy")) return check_allow(c, value);
		return is_ok(json_read(c->arena, value, &j)) && json_is(j, JSON_IS_OBJECT) ? OK : invalid(c, name);
	case TEXT:
		/* "The length constraints of a key's id": AWS takes one that is not there, and refuses messages then.
		 */
		if (value.n > 2048) return invalid(c, name);
		break;
	case READ_ONLY:
		break;
	}
	return OK;
}

status sqs_check_attributes(
	struct call *c, bool fifo, const struct sqs_queue_attribute_map *given, const struct sqs_rec_queue *now)
{
	for (size_t i = 0; i < given->n; i++) TRY(check_one(c, fifo, given->v[i].key, given->v[i].value, now));
	/* High throughput needs deduplication by group ("High throughput for FIFO queues"). */
	struct str limit = STR_NONE, scope = STR_NONE;
	if (now) {
		limit = sqs_strings_get(&now->attributes, STR("FifoThroughputLimit"));
		scope = sqs_strings_get(&now->attributes, STR("DeduplicationScope"));
	}
	for (size_t i = 0; i < given->n; i++) {
		if (str_is(given->v[i].key, "FifoThroughputLimit")) limit = given->v[i].value;
		if (str_is(given->v[i].key, "DeduplicationScope")) scope = given->v[i].value;
	}
	if (str_is(limit, "perMessageGroupId") && !str_is(scope, "messageGroup"))
		return call_fail(c, SQS_ERR_INVALID_ATTRIBUTE_VALUE,
			"The perMessageGroupId value for FifoThroughputLimit is allowed only when the value for "
			"DeduplicationScope is "
			"messageGroup.");
	return OK;
}

void sqs_queue_apply(struct queue *q)
{
	const struct sqs_rec_queue *r = &q->record;
	q->visibility_s = number(r, "VisibilityTimeout");
	q->delay_s = number(r, "DelaySeconds");
	q->retention_s = number(r, "MessageRetentionPeriod");
	q->wait_s = number(r, "ReceiveMessageWaitTimeSeconds");
	q->message_bytes_max = number(r, "MaximumMessageSize");
	q->content_dedup = str_is(sqs_strings_get(&r->attributes, STR("ContentBasedDeduplication")), "true");
	q->dedup_per_group = str_is(sqs_strings_get(&r->attributes, STR("DeduplicationScope")), "messageGroup");
	struct str key = sqs_strings_get(&r->attributes, STR("KmsMasterKeyId"));
	int64_t reuse_s = number(r, "KmsDataKeyReusePeriodSeconds");
	sqs_set_key(q, key, reuse_s ? reuse_s : DATA_KEY_REUSE_S);
	q->sealed = str_has(key) || !str_is(sqs_strings_get(&r->attributes, STR("SqsManagedSseEnabled")), "false");
	struct str redrive = sqs_strings_get(&r->attributes, STR("RedrivePolicy"));
	q->max_receives = 0;
	q->dlq_arn = STR("");
	if (str_has(redrive) && !str_empty(redrive) &&
		!is_ok(read_redrive(&q->record_arena, redrive, &q->dlq_arn, &q->max_receives)))
		q->max_receives = 0;
}

/* Replaces the record: in the store first, then in memory. Under the queue's lock. */
status sqs_replace_record(struct call *c, struct queue *q, const struct sqs_rec_queue *r)
{
	struct store_tx *tx = store_begin(c->cloud->store, c->arena, false);
	sqs_put_queue(tx, c->arena, q, r);
	TRY(sqs_commit(c, tx));
	struct arena fresh;
	arena_init(&fresh);
	struct str bytes = str_dup(&fresh, sqs_rec_queue_encode(c->arena, r));
	struct sqs_rec_queue copy = {0};
	INVARIANT(is_ok(sqs_rec_queue_decode(&fresh, bytes, &copy)));
	arena_cleanup(&q->record_arena);
	q->record_arena = fresh;
	q->record = copy;
	sqs_queue_apply(q);
	return OK;
}

static void set(struct arena *a, struct sqs_rec_strings *m, struct str name, struct str value)
{
	for (size_t i = 0; i < m->n; i++) {
		if (!str_eq(m->v[i].key, name)) continue;
		m->v[i].value = value;
		return;
	}
	struct sqs_rec_strings_entry *more = arena_new_n(a, struct sqs_rec_strings_entry, m->n + 1);
	if (m->n) memcpy(more, m->v, m->n * sizeof(*more));
	more[m->n] = (struct sqs_rec_strings_entry){name, value};
	m->v = more;
	m->n++;
}

static void unset(struct sqs_rec_strings *m, struct str name)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].key, name)) m->v[i--] = m->v[--m->n];
}

static struct sqs_rec_strings copy_of(struct arena *a, const struct sqs_rec_strings *m)
{
	struct sqs_rec_strings out = {.n = m->n};
	out.v = arena_copy(a, m->v, m->n * sizeof(*out.v));
	return out;
}

status sqs_set_queue_attributes(
	struct call *c, const struct sqs_set_queue_attributes_input *in, struct sqs_set_queue_attributes_output *out)
{
	(void)out;
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	status st = sqs_check_attributes(c, q->fifo, &in->attributes, &q->record);
	if (is_ok(st)) st = sqs_queue_lock(c, q);
	if (is_ok(st)) {
		struct sqs_rec_queue r = q->record;
		r.attributes = copy_of(c->arena, &q->record.attributes);
		for (size_t i = 0; i < in->attributes.n; i++) {
			struct str name = in->attributes.v[i].key, value = in->attributes.v[i].value;
			if (str_empty(value))
				unset(&r.attributes, name);
			else
				set(c->arena, &r.attributes, name, value);
			/* One kind of encryption excludes the other. */
			if (str_is(name, "KmsMasterKeyId") && !str_empty(value))
				set(c->arena, &r.attributes, STR("SqsManagedSseEnabled"), STR("false"));
			if (str_is(name, "SqsManagedSseEnabled") && str_is(value, "true"))
				unset(&r.attributes, STR("KmsMasterKeyId"));
		}
		r.modified = SOME_I64(c->now_ms);
		st = sqs_replace_record(c, q, &r);
		sqs_queue_unlock(q);
	}
	sqs_queue_release(q);
	return st;
}

struct wanted {
	struct sqs_queue_attribute_map *out;
	size_t capacity;
	struct arena *arena;
};

static void add(struct wanted *w, struct str name, struct str value)
{
	struct sqs_queue_attribute_map_entry *e = VEC_PUSH(w->arena, w->out, &w->capacity);
	e->key = name;
	e->value = str_dup(w->arena, value);
}

static void add_number(struct wanted *w, const char *name, int64_t n)
{
	add(w, str_c(name), str_fmt(w->arena, "%ld", (long)n));
}

static void add_named(struct wanted *w, struct queue *q, const char *name)
{
	if (strcmp(name, "ApproximateNumberOfMessages") == 0)
		add_number(w, name, q->index.n_ready);
	else if (strcmp(name, "ApproximateNumberOfMessagesDelayed") == 0)
		add_number(w, name, q->index.n_delayed);
	else if (strcmp(name, "ApproximateNumberOfMessagesNotVisible") == 0)
		add_number(w, name, q->index.n_in_flight);
	else if (strcmp(name, "CreatedTimestamp") == 0)
		add_number(w, name, q->created_ms / 1000);
	else if (strcmp(name, "LastModifiedTimestamp") == 0)
		add_number(w, name, q->record.modified.v / 1000);
	else if (strcmp(name, "QueueArn") == 0)
		add(w, STR("QueueArn"), sqs_queue_arn(w->arena, q));
	else {
		struct str v = sqs_strings_get(&q->record.attributes, str_c(name));
		/* One kind of encryption excludes the other. */
		if (!str_has(v) && strcmp(name, "SqsManagedSseEnabled") == 0 &&
			str_has(sqs_strings_get(&q->record.attributes, STR("KmsMasterKeyId"))))
			v = STR("false");
		if (!str_has(v)) v = sqs_default_attribute(str_c(name));
		if (!str_has(v) && q->fifo) {
			if (strcmp(name, "ContentBasedDeduplication") == 0) v = STR("false");
			if (strcmp(name, "DeduplicationScope") == 0) v = STR("queue");
			if (strcmp(name, "FifoThroughputLimit") == 0) v = STR("perQueue");
		}
		if (!str_has(v) && strcmp(name, "KmsDataKeyReusePeriodSeconds") == 0 &&
			str_has(sqs_strings_get(&q->record.attributes, STR("KmsMasterKeyId"))))
			v = STR("300");
		if (str_has(v)) add(w, str_c(name), v);
	}
}

status sqs_get_queue_attributes(
	struct call *c, const struct sqs_get_queue_attributes_input *in, struct sqs_get_queue_attributes_output *out)
{
	bool all = false;
	for (size_t i = 0; i < in->attribute_names.n; i++) {
		if (str_is(in->attribute_names.v[i], "All"))
			all = true;
		else if (!find(in->attribute_names.v[i]))
			return call_fail(c, SQS_ERR_INVALID_ATTRIBUTE_NAME, "Unknown Attribute %.*s.",
				STR_ARG(in->attribute_names.v[i]));
	}
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	status st = sqs_queue_lock(c, q);
	if (is_ok(st)) {
		sqs_ripen(q, c->now_ms);
		sqs_expire(q, c->arena, c->now_ms);
		struct wanted w = {&out->attributes, 0, c->arena};
		for (size_t i = 0; i < N_ATTRIBUTES; i++) {
			if (strcmp(table[i].name, "All") == 0) continue;
			bool asked = false;
			for (size_t k = 0; k < in->attribute_names.n; k++)
				asked |= str_eq(in->attribute_names.v[k], str_c(table[i].name));
			if (all || asked) add_named(&w, q, table[i].name);
		}
		sqs_queue_unlock(q);
	}
	sqs_queue_release(q);
	return st;
}

/* ── tags ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

status sqs_tag_queue(struct call *c, const struct sqs_tag_queue_input *in, struct sqs_tag_queue_output *out)
{
	(void)out;
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	status st = sqs_queue_lock(c, q);
	if (is_ok(st)) {
		struct sqs_rec_queue r = q->record;
		r.tags = copy_of(c->arena, &q->record.tags);
		for (size_t i = 0; i < in->tags.n; i++) set(c->arena, &r.tags, in->tags.v[i].key, in->tags.v[i].value);
		st = r.tags.n > TAGS_MAX ? call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
						   "Too many tags added for queue %.*s.", STR_ARG(q->name))
					 : sqs_replace_record(c, q, &r);
		sqs_queue_unlock(q);
	}
	sqs_queue_release(q);
	return st;
}

status sqs_untag_queue(struct call *c, const struct sqs_untag_queue_input *in, struct sqs_untag_queue_output *out)
{
	(void)out;
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	status st = sqs_queue_lock(c, q);
	if (is_ok(st)) {
		struct sqs_rec_queue r = q->record;
		r.tags = copy_of(c->arena, &q->record.tags);
		for (size_t i = 0; i < in->tag_keys.n; i++) unset(&r.tags, in->tag_keys.v[i]);
		st = sqs_replace_record(c, q, &r);
		sqs_queue_unlock(q);
	}
	sqs_queue_release(q);
	return st;
}

status sqs_list_queue_tags(
	struct call *c, const struct sqs_list_queue_tags_input *in, struct sqs_list_queue_tags_output *out)
{
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	status st = sqs_queue_lock(c, q);
	if (is_ok(st)) {
		size_t capacity = 0;
		for (size_t i = 0; i < q->record.tags.n; i++) {
			struct sqs_tag_map_entry *e = VEC_PUSH(c->arena, &out->tags, &capacity);
			e->key = str_dup(c->arena, q->record.tags.v[i].key);
			e->value = str_dup(c->arena, q->record.tags.v[i].value);
		}
		sqs_queue_unlock(q);
	}
	sqs_queue_release(q);
	return st;
}
