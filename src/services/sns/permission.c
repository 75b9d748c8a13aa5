/* AddPermission and RemovePermission: statements of the topic's policy, by label. */
#include "base/json.h"
#include "services/sns/room.h"

static status read(struct call *c, const struct sns_rec_topic *t, struct json_value **out)
{
	struct str text = sns_get(&t->attributes, STR("Policy"));
	if (!str_has(text)) text = sns_default_policy(c->arena, sns_topic_arn(c->arena, t), t->account);
	return json_read(c->arena, text, out);
}

static bool is_labelled(const struct json_value *s, struct str label)
{
	return str_eq(str_or(json_string(json_member(s, STR("Sid"))), STR("")), label);
}

/* The policy again: its statements but the one labelled so, and one more. */
static struct str rewrite(struct call *c, const struct json_value *old, struct str without, struct str more)
{
	struct buf b = BUF_IN(c->arena);
	const struct json_value *list = json_member(old, STR("Statement"));
	size_t n = 0;
	buf_lit(&b, "{\"Version\":");
	json_quote(&b, str_or(json_string(json_member(old, STR("Version"))), STR("2008-10-17")));
	buf_lit(&b, ",\"Id\":");
	json_quote(&b, str_or(json_string(json_member(old, STR("Id"))), STR("__default_policy_ID")));
	buf_lit(&b, ",\"Statement\":[");
	for (const struct json_value *s = json_is(list, JSON_IS_ARRAY) ? list->first : list; s;
		s = json_is(list, JSON_IS_ARRAY) ? s->next : NULL) {
		if (str_has(without) && is_labelled(s, without)) continue;
		if (n++) buf_byte(&b, ',');
		json_write(&b, s);
	}
	if (str_has(more)) {
		if (n) buf_byte(&b, ',');
		buf_str(&b, more);
	}
	buf_lit(&b, "]}");
	return buf_done(&b);
}

static bool find(const struct json_value *policy, struct str label)
{
	const struct json_value *list = json_member(policy, STR("Statement"));
	for (const struct json_value *s = json_is(list, JSON_IS_ARRAY) ? list->first : list; s;
		s = json_is(list, JSON_IS_ARRAY) ? s->next : NULL)
		if (is_labelled(s, label)) return true;
	return false;
}

status sns_add_permission(
	struct call *c, const struct sns_add_permission_input *in, struct sns_add_permission_output *out)
{
	static const char *const actions[] = {"Publish", "RemovePermission", "SetTopicAttributes", "DeleteTopic",
		"ListSubscriptionsByTopic", "GetTopicAttributes", "AddPermission", "Subscribe", "Receive"};
	struct sns_rec_topic t;
	struct json_value *old;
	struct buf b = BUF_IN(c->arena);
	(void)out;
	TRY(sns_topic_load(c, in->topic_arn, &t));
	TRY(read(c, &t, &old));
	if (!in->label.n || find(old, in->label))
		return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: Statement already exists");
	if (!in->aws_account_id.n || !in->action_name.n)
		return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: AWSAccountId and ActionName are required");
	buf_lit(&b, "{\"Sid\":");
	json_quote(&b, in->label);
	buf_lit(&b, ",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[");
	for (size_t i = 0; i < in->aws_account_id.n; i++) {
		struct str id = in->aws_account_id.v[i];
		for (size_t k = 0; k < id.n; k++)
			if (id.n != 12 || id.p[k] < '0' || id.p[k] > '9')
				return SNS_FAIL(c, INVALID_PARAMETER,
					"Invalid parameter: Policy statement principal must be an account");
		buf_fmt(&b, "%s\"arn:aws:iam::%.*s:root\"", i ? "," : "", STR_ARG(id));
	}
	buf_lit(&b, "]},\"Action\":[");
	for (size_t i = 0; i < in->action_name.n; i++) {
		bool known = str_is(in->action_name.v[i], "*");
		for (size_t k = 0; k < sizeof(actions) / sizeof(*actions); k++)
			known |= str_eq(in->action_name.v[i], str_c(actions[k]));
		if (!known)
			return SNS_FAIL(c, INVALID_PARAMETER,
				"Invalid parameter: Policy statement action out of service scope!");
		buf_fmt(&b, "%s\"SNS:%.*s\"", i ? "," : "", STR_ARG(in->action_name.v[i]));
	}
	buf_lit(&b, "],\"Resource\":");
	json_quote(&b, sns_topic_arn(c->arena, &t));
	buf_byte(&b, '}');
	TRY(sns_topic_attribute(c, &t, STR("Policy"), rewrite(c, old, STR_NONE, buf_done(&b))));
	sns_topic_put(c->tx, c->arena, &t);
	return OK;
}

status sns_remove_permission(
	struct call *c, const struct sns_remove_permission_input *in, struct sns_remove_permission_output *out)
{
	struct sns_rec_topic t;
	struct json_value *old;
	(void)out;
	TRY(sns_topic_load(c, in->topic_arn, &t));
	TRY(read(c, &t, &old));
	if (!find(old, in->label)) return OK;
	TRY(sns_topic_attribute(c, &t, STR("Policy"), rewrite(c, old, in->label, STR_NONE)));
	sns_topic_put(c->tx, c->arena, &t);
	return OK;
}
