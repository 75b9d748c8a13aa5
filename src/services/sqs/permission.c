/* AddPermission and RemovePermission: statements of the queue's policy, by label. */
#include "base/json.h"
#include "services/sqs/sqs_internal.h"

static const char *const actions[] = {"*", "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility",
	"GetQueueAttributes", "GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue"};

static bool known_action(struct str a)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (str_eq(str_c(actions[i]), a)) return true;
	return false;
}

/* A statement of the policy whose Sid is the label; NULL where there is none. */
static const struct json_value *labelled(const struct json_value *policy, struct str label)
{
	const struct json_value *list = json_member(policy, STR("Statement"));
	for (const struct json_value *s = list ? list->first : NULL; s; s = s->next)
		if (str_eq(str_or(json_string(json_member(s, STR("Sid"))), STR("")), label)) return s;
	return NULL;
}

static void begin_policy(struct call *c, struct buf *b, const struct queue *q, const struct json_value *old)
{
	buf_lit(b, "{\"Version\":");
	json_quote(b, str_or(json_string(json_member(old, STR("Version"))), STR("2008-10-17")));
	buf_lit(b, ",\"Id\":");
	struct str id = json_string(json_member(old, STR("Id")));
	if (!str_has(id)) id = str_fmt(c->arena, "%.*s/SQSDefaultPolicy", STR_ARG(sqs_queue_arn(c->arena, q)));
	json_quote(b, id);
	buf_lit(b, ",\"Statement\":[");
}

/* The old statements but the one labelled so; returns how many. */
static size_t copy_statements(struct buf *b, const struct json_value *old, const struct json_value *but)
{
	const struct json_value *list = json_member(old, STR("Statement"));
	size_t n = 0;
	for (const struct json_value *s = list ? list->first : NULL; s; s = s->next) {
		if (s == but) continue;
		if (n++) buf_byte(b, ',');
		json_write(b, s);
	}
	return n;
}

static status replace_policy(struct call *c, struct queue *q, struct str policy)
{
	struct sqs_rec_queue r = q->record;
	struct sqs_rec_strings_entry *v =
		arena_new_n(c->arena, struct sqs_rec_strings_entry, q->record.attributes.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < q->record.attributes.n; i++)
		if (!str_is(q->record.attributes.v[i].key, "Policy")) v[n++] = q->record.attributes.v[i];
	if (str_has(policy)) v[n++] = (struct sqs_rec_strings_entry){STR("Policy"), policy};
	r.attributes.v = v;
	r.attributes.n = n;
	r.modified = SOME_I64(c->now_ms);
	return sqs_replace_record(c, q, &r);
}

static struct json_value *read_policy(struct call *c, const struct queue *q)
{
	struct json_value *old = NULL;
	struct str text = sqs_strings_get(&q->record.attributes, STR("Policy"));
	if (!str_has(text) || !is_ok(json_read(c->arena, str_dup(c->arena, text), &old))) return NULL;
	return old;
}

static status add(struct call *c, struct queue *q, const struct sqs_add_permission_input *in)
{
	struct json_value *old = read_policy(c, q);
	if (labelled(old, in->label))
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %.*s for parameter Label is invalid. Reason: Already exists.", STR_ARG(in->label));
	struct buf b = BUF_IN(c->arena);
	begin_policy(c, &b, q, old);
	if (copy_statements(&b, old, NULL)) buf_byte(&b, ',');
	buf_lit(&b, "{\"Sid\":");
	json_quote(&b, in->label);
	buf_lit(&b, ",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[");
	for (size_t i = 0; i < in->aws_account_ids.n; i++)
		buf_fmt(&b, "%s\"arn:%.*s:iam::%.*s:root\"", i ? "," : "", STR_ARG(c->partition),
			STR_ARG(in->aws_account_ids.v[i]));
	buf_lit(&b, "]},\"Action\":[");
	for (size_t i = 0; i < in->actions.n; i++)
		buf_fmt(&b, "%s\"SQS:%.*s\"", i ? "," : "", STR_ARG(in->actions.v[i]));
	buf_lit(&b, "],\"Resource\":");
	json_quote(&b, sqs_queue_arn(c->arena, q));
	buf_lit(&b, "}]}");
	return replace_policy(c, q, buf_done(&b));
}

status sqs_add_permission(
	struct call *c, const struct sqs_add_permission_input *in, struct sqs_add_permission_output *out)
{
	(void)out;
	if (in->label.n < 1 || in->label.n > 80)
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %.*s for parameter Label is invalid. Reason: Must be 1 to 80 characters long.",
			STR_ARG(in->label));
	if (in->actions.n > 7 || in->actions.n == 0)
		return call_fail(c, in->actions.n ? SQS_ERR_OVER_LIMIT : SQS_ERR_MISSING_PARAMETER,
			in->actions.n ? "%zu Actions were found, maximum allowed is 7."
				      : "The request must contain the parameter Actions (%zu given).",
			in->actions.n);
	for (size_t i = 0; i < in->actions.n; i++)
		if (!known_action(in->actions.v[i]))
			return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
				"Value SQS:%.*s for parameter ActionName is invalid. Reason: Only the queue owner is "
				"allowed to invoke this action.",
				STR_ARG(in->actions.v[i]));
	for (size_t i = 0; i < in->aws_account_ids.n; i++) {
		int64_t n;
		if (in->aws_account_ids.v[i].n != 12 || !is_ok(str_to_i64(in->aws_account_ids.v[i], &n)) || n < 0)
			return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
				"Value %.*s for parameter PrincipalId is invalid. Reason: Unable to verify.",
				STR_ARG(in->aws_account_ids.v[i]));
	}
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	status st = sqs_queue_lock(c, q);
	if (is_ok(st)) {
		st = add(c, q, in);
		sqs_queue_unlock(q);
	}
	sqs_queue_release(q);
	return st;
}

status sqs_remove_permission(
	struct call *c, const struct sqs_remove_permission_input *in, struct sqs_remove_permission_output *out)
{
	(void)out;
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	status st = sqs_queue_lock(c, q);
	if (is_ok(st)) {
		struct json_value *old = read_policy(c, q);
		const struct json_value *gone = labelled(old, in->label);
		if (!gone) {
			st = call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
				"Value %.*s for parameter Label is invalid. Reason: can't find label on existing "
				"policy.",
				STR_ARG(in->label));
		} else {
			struct buf b = BUF_IN(c->arena);
			begin_policy(c, &b, q, old);
			size_t n = copy_statements(&b, old, gone);
			buf_lit(&b, "]}");
			st = replace_policy(c, q, n ? buf_done(&b) : STR_NONE);
		}
		sqs_queue_unlock(q);
	}
	sqs_queue_release(q);
	return st;
}
