/* SendMessage and SendMessageBatch. */
#include "base/rand.h"
#include "services/sqs/sqs_internal.h"

/* What both operations are given for one message. */
struct given {
	struct str body, dedup, group;
	struct opt_i32 delay;
	const struct sqs_message_body_attribute_map *attributes;
	const struct sqs_message_body_system_attribute_map *system;
};
struct ready {
	struct sqs_new_message m;
	struct str md5, md5_attributes, md5_system, dedup_key;
	struct seen *duplicate;
	size_t bytes;
};

/* "A message can include only XML, JSON, and unformatted text": #x9 #xA #xD #x20-#xD7FF #xE000-#xFFFD #x10000-#x10FFFF.
 */
static bool legal_text(struct str s)
{
	if (!str_utf8_valid(s)) return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)s.p[i];
		if (ch < 0x20 && ch != '\t' && ch != '\n' && ch != '\r') return false;
		if (ch == 0xef && i + 2 < s.n && (unsigned char)s.p[i + 1] == 0xbf && (unsigned char)s.p[i + 2] >= 0xbe)
			return false;
	}
	return true;
}

static bool legal_attribute_name(struct str n)
{
	if (n.n < 1 || n.n > 256 || n.p[0] == '.' || n.p[n.n - 1] == '.') return false;
	if (str_istarts(n, STR("AWS.")) || str_istarts(n, STR("Amazon."))) return false;
	for (size_t i = 0; i < n.n; i++) {
		char ch = n.p[i];
		if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '-' ||
			    ch == '_' || ch == '.'))
			return false;
		if (ch == '.' && i && n.p[i - 1] == '.') return false;
	}
	return true;
}

static status check_attribute(struct call *c, struct str name, const struct sqs_message_attribute_value *v)
{
	struct str type = v->data_type;
	if (!legal_attribute_name(name))
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE, "The message attribute name '%.*s' is invalid.",
			STR_ARG(name));
	if (v->string_list_values.n || v->binary_list_values.n)
		return call_fail(c, SQS_ERR_UNSUPPORTED_OPERATION,
			"Message attribute list values in SendMessage operation are not supported.");
	struct str base = type;
	base = str_cut(&base, '.');
	bool text = str_is(base, "String") || str_is(base, "Number"), binary = str_is(base, "Binary");
	if (type.n > 256 || (!text && !binary))
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"The type of message attribute '%.*s' is invalid. You must use only the following supported "
			"type prefixes: Binary, "
			"Number, String.",
			STR_ARG(name));
	if (text ? str_empty(v->string_value) : str_empty(v->binary_value))
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"The message attribute '%.*s' must contain non-empty message attribute value for message "
			"attribute type '%.*s'.",
			STR_ARG(name), STR_ARG(type));
	if (text && !legal_text(v->string_value))
		return call_fail(c, SQS_ERR_INVALID_MESSAGE_CONTENTS,
			"Invalid characters were found in the message attribute '%.*s'.", STR_ARG(name));
	double number;
	if (str_is(base, "Number") && !is_ok(str_to_f64(v->string_value, &number)))
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Can't cast the value of message attribute '%.*s' to a number.", STR_ARG(name));
	return OK;
}

static void keep(struct call *c, struct sqs_rec_attributes *list, struct str name, struct str type, struct str text,
	struct str bytes, size_t *capacity, size_t *size)
{
	struct sqs_rec_attribute *a = VEC_PUSH(c->arena, list, capacity);
	bool binary = str_starts(type, STR("Binary"));
	*a = (struct sqs_rec_attribute){name, type, binary ? STR_NONE : text, binary ? bytes : STR_NONE};
	*size += name.n + type.n + (binary ? bytes.n : text.n);
}

static status read_attributes(struct call *c, const struct given *g, struct ready *r)
{
	size_t capacity = 0;
	if (g->attributes->n > ATTRIBUTES_MAX)
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Number of message attributes [%zu] exceeds the allowed maximum [10].", g->attributes->n);
	for (size_t i = 0; i < g->attributes->n; i++) {
		const struct sqs_message_body_attribute_map_entry *e = &g->attributes->v[i];
		TRY(check_attribute(c, e->key, &e->value));
		keep(c, &r->m.body.attributes, e->key, e->value.data_type, e->value.string_value, e->value.binary_value,
			&capacity, &r->bytes);
	}
	capacity = 0;
	size_t ignored =
		0; /* "The size of a message system attribute doesn't count towards the total size of a message." */
	for (size_t i = 0; i < g->system->n; i++) {
		const struct sqs_message_body_system_attribute_map_entry *e = &g->system->v[i];
		if (!str_is(e->key, "AWSTraceHeader"))
			return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
				"Message system attribute name '%.*s' is invalid.", STR_ARG(e->key));
		if (!str_is(e->value.data_type, "String") || str_empty(e->value.string_value))
			return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
				"The message system attribute '%.*s' must be of type String with a non-empty value.",
				STR_ARG(e->key));
		keep(c, &r->m.body.system_attributes, e->key, e->value.data_type, e->value.string_value, STR_NONE,
			&capacity, &ignored);
	}
	return OK;
}

static bool legal_fifo_id(struct str s)
{
	if (s.n < 1 || s.n > 128) return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e) return false;
	return true;
}

static status check_fifo(struct call *c, const struct queue *q, const struct given *g, struct ready *r)
{
	static const char unsuited[] = "Value %.*s for parameter %s is invalid. Reason: The request include parameter "
				       "that is not valid for this queue type";
	if (!q->fifo) {
		if (str_has(g->dedup))
			return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE, unsuited, STR_ARG(g->dedup),
				"MessageDeduplicationId");
		if (str_has(g->group) && !legal_fifo_id(g->group))
			return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
				"Value %.*s for parameter MessageGroupId is invalid. Reason: MessageGroupId can only "
				"include alphanumeric and "
				"punctuation characters. 1 to 128 in length.",
				STR_ARG(g->group));
		return OK;
	}
	if (!str_has(g->group) || str_empty(g->group))
		return call_fail(
			c, SQS_ERR_MISSING_PARAMETER, "The request must contain the parameter MessageGroupId.");
	if (!legal_fifo_id(g->group) || (str_has(g->dedup) && !legal_fifo_id(g->dedup))) {
		bool group = !legal_fifo_id(g->group);
		const char *name = group ? "MessageGroupId" : "MessageDeduplicationId";
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %.*s for parameter %s is invalid. Reason: %s can only include alphanumeric and "
			"punctuation characters. 1 to "
			"128 in length.",
			STR_ARG(group ? g->group : g->dedup), name, name);
	}
	if (g->delay.has && g->delay.v != 0) {
		struct str n = str_fmt(c->arena, "%d", g->delay.v);
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE, unsuited, STR_ARG(n), "DelaySeconds");
	}
	struct str id = g->dedup;
	if (!str_has(id)) {
		if (!q->content_dedup)
			return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
				"The queue should either have ContentBasedDeduplication enabled or "
				"MessageDeduplicationId provided explicitly");
		uint8_t hash[32];
		digest_sha256(g->body, hash);
		id = str_hex(c->arena, str_n(hash, sizeof(hash)));
	}
	r->m.body.dedup = id;
	r->dedup_key = sqs_dedup_key(c->arena, q, g->group, id);
	return OK;
}

/* All that can be said without the queue's lock. */
static status prepare(struct call *c, const struct queue *q, const struct given *g, struct ready *r)
{
	*r = (struct ready){0};
	if (str_empty(g->body))
		return call_fail(c, SQS_ERR_MISSING_PARAMETER, "The request must contain the parameter MessageBody.");
	if (g->delay.has && (g->delay.v < 0 || g->delay.v > DELAY_MAX_S))
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
			g->delay.v);
	if (!legal_text(g->body))
		return call_fail(c, SQS_ERR_INVALID_MESSAGE_CONTENTS,
			"Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | "
			"#xE000 to #xFFFD | #x10000 "
			"to #x10FFFF");
	r->bytes = g->body.n;
	TRY(read_attributes(c, g, r));
	if ((int64_t)r->bytes > q->message_bytes_max)
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"One or more parameters are invalid. Reason: Message must be shorter than %ld bytes.",
			(long)q->message_bytes_max);
	TRY(check_fifo(c, q, g, r));
	r->m.group = g->group;
	r->m.sent_ms = c->now_ms;
	int64_t delay_s = g->delay.has && !q->fifo ? g->delay.v : q->delay_s;
	r->m.delayed = delay_s > 0;
	r->m.visible_ms = c->now_ms + delay_s * 1000;
	r->m.body.body = g->body;
	r->m.body.sender = c->principal.user_id;
	r->m.body.message_id = rand_uuid(c->arena);
	r->md5 = sqs_md5(c->arena, g->body);
	r->md5_attributes = sqs_md5_attributes(c->arena, &r->m.body.attributes);
	r->md5_system = sqs_md5_attributes(c->arena, &r->m.body.system_attributes);
	return OK;
}

/* All messages in one transaction; then they are in the queue. */
static status put_all(struct call *c, struct queue *q, struct ready *v, size_t n)
{
	struct store_tx *tx = store_begin(c->cloud->store, c->arena, false);
	size_t fresh = 0;
	for (size_t i = 0; i < n; i++) {
		struct ready *r = &v[i];
		if (q->fifo && (r->duplicate = sqs_seen(q, r->dedup_key, c->now_ms))) continue;
		struct kms_refusal why;
		status st = sqs_put_message(tx, c->arena, q, &r->m, &why);
		if (!is_ok(st)) {
			store_end(tx);
			return status_is(st, STATUS_FAILED) ? sqs_kms_failed(c, &why) : st;
		}
		if (q->fifo) {
			int64_t expires = c->now_ms + DEDUP_MS;
			sqs_put_dedup(tx, c->arena, q, r->dedup_key, expires, r->m.seq, r->m.body.message_id);
			/* Within the same batch, too, the second of two is a duplicate. */
			sqs_remember(q, r->dedup_key, expires, r->m.seq, r->m.body.message_id);
		}
		fresh++;
	}
	if (q->fifo) sqs_forget(tx, c->arena, q, c->now_ms);
	if (!fresh && !store_has_writes(tx)) {
		store_end(tx);
		return OK;
	}
	TRY(sqs_commit(c, tx));
	for (size_t i = 0; i < n; i++)
		if (!v[i].duplicate) sqs_index_message(q, &v[i].m);
	sqs_wake(q, c->now_ms);
	return OK;
}

/* "The length of SequenceNumber is 128 bits": AWS's are decimal numbers of 20 digits. */
struct str sqs_sequence_number(struct arena *a, uint64_t seq)
{
	return str_fmt(a, "%lu", (unsigned long)(seq + 10000000000000000000u));
}

static void tell(struct call *c, const struct queue *q, const struct ready *r, struct str *id, struct str *sequence)
{
	*id = r->duplicate ? str_dup(c->arena, str_c(r->duplicate->message_id)) : r->m.body.message_id;
	if (q->fifo) *sequence = sqs_sequence_number(c->arena, r->duplicate ? r->duplicate->seq : r->m.seq);
}

status sqs_send_message(struct call *c, const struct sqs_send_message_input *in, struct sqs_send_message_output *out)
{
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	struct given g = {in->message_body, in->message_deduplication_id, in->message_group_id, in->delay_seconds,
		&in->message_attributes, &in->message_system_attributes};
	struct ready r;
	status st = prepare(c, q, &g, &r);
	if (is_ok(st)) st = sqs_queue_lock(c, q);
	if (is_ok(st)) {
		st = put_all(c, q, &r, 1);
		tell(c, q, &r, &out->message_id, &out->sequence_number);
		sqs_queue_unlock(q);
	}
	out->md5_of_message_body = r.md5;
	out->md5_of_message_attributes = r.md5_attributes;
	out->md5_of_message_system_attributes = r.md5_system;
	sqs_queue_release(q);
	return st;
}

static status send_batch(struct call *c, struct queue *q, const struct sqs_send_message_batch_input *in,
	struct sqs_send_message_batch_output *out)
{
	struct ready ready[BATCH_MAX];
	size_t from[BATCH_MAX], n = 0, total = 0, capacity = 0;
	struct str ids[BATCH_MAX];
	TRY(sqs_check_batch(c, in->entries.n, "SendMessageBatchRequestEntry"));
	for (size_t i = 0; i < in->entries.n; i++) ids[i] = in->entries.v[i].id;
	TRY(sqs_check_batch_ids(c, ids, in->entries.n));
	VEC_PRESENT(c->arena, &out->successful);
	VEC_PRESENT(c->arena, &out->failed);
	for (size_t i = 0; i < in->entries.n; i++) {
		const struct sqs_send_message_batch_request_entry *e = &in->entries.v[i];
		struct given g = {e->message_body, e->message_deduplication_id, e->message_group_id, e->delay_seconds,
			&e->message_attributes, &e->message_system_attributes};
		if (is_ok(prepare(c, q, &g, &ready[n])))
			from[n++] = i;
		else
			sqs_batch_failure(c, e->id, &out->failed, &capacity);
		total += e->message_body.n;
		for (size_t k = 0; k < e->message_attributes.n; k++) {
			const struct sqs_message_body_attribute_map_entry *a = &e->message_attributes.v[k];
			total += a->key.n + a->value.data_type.n + a->value.string_value.n + a->value.binary_value.n;
		}
	}
	if (total > MESSAGE_BYTES_MAX)
		return call_fail(c, SQS_ERR_BATCH_REQUEST_TOO_LONG,
			"Batch requests cannot be longer than %d bytes. You have sent %zu bytes.", MESSAGE_BYTES_MAX,
			total);
	if (!n) return OK;
	TRY(sqs_queue_lock(c, q));
	status st = put_all(c, q, ready, n);
	capacity = 0;
	for (size_t i = 0; i < n && is_ok(st); i++) {
		struct sqs_send_message_batch_result_entry *e = VEC_PUSH(c->arena, &out->successful, &capacity);
		e->id = in->entries.v[from[i]].id;
		e->md5_of_message_body = ready[i].md5;
		e->md5_of_message_attributes = ready[i].md5_attributes;
		e->md5_of_message_system_attributes = ready[i].md5_system;
		tell(c, q, &ready[i], &e->message_id, &e->sequence_number);
	}
	sqs_queue_unlock(q);
	return st;
}

status sqs_send_message_batch(
	struct call *c, const struct sqs_send_message_batch_input *in, struct sqs_send_message_batch_output *out)
{
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	status st = send_batch(c, q, in, out);
	sqs_queue_release(q);
	return st;
}
