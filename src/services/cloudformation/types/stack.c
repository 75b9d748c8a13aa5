/* AWS::CloudFormation::* that the engine itself makes: nested stacks, wait conditions; and CDK's metadata. */
#include "services/cloudformation/internal.h"

/* ── wait conditions ("Create wait conditions in a CloudFormation template") ──────────────────────────────────── */

static status create_handle(struct cfn_work *w)
{
	w->physical_id = cfn_signal_url(
		w->a, w->cloud, (struct cfn_place){w->account, w->region}, w->stack_id, w->logical_id, w->token, true);
	cfn_attribute(w, "Id", w->physical_id);
	return OK;
}

static status keep(struct cfn_work *w)
{
	(void)w;
	return OK;
}

static status create_condition(struct cfn_work *w)
{
	int64_t seconds = 0;
	if (!is_ok(str_to_i64(str_or(cfn_prop(w, "Timeout"), STR("")), &seconds)) || seconds < 1 || seconds > 43200)
		return cfn_fail(w, "Timeout of a wait condition has to be a number of seconds from 1 to 43200");
	w->physical_id = str_fmt(w->a, "%.*s/%.*s", STR_ARG(w->stack_id), STR_ARG(w->logical_id));
	if (!w->deadline_ms) w->deadline_ms = w->now_ms + seconds * 1000;
	return OK;
}

/* The signals that came to the handle with this URL. */
static const struct json_value *signals_of(struct cfn_work *w, struct str handle)
{
	struct cloudformation_rec_stack s = {0};
	struct cfn_resources all = {0};
	const struct json_value *found = NULL;
	struct store_tx *tx = store_begin(w->cloud->store, w->a, true);
	if (is_ok(cfn_stack_find(tx, w->a, (struct cfn_place){w->account, w->region}, w->stack_id, &s)) &&
		is_ok(cfn_resources_load(tx, w->a, &s, &all)))
		for (size_t i = 0; i < all.n && !found; i++)
			if (str_has(all.v[i].physical_id) && str_eq(all.v[i].physical_id, handle))
				found = cfn_signals(w->a, &all.v[i]);
	store_end(tx);
	return found;
}

static status settle_condition(struct cfn_work *w)
{
	int64_t count = 1, good = 0;
	struct json_value *data = cfn_object(w->a);
	const struct json_value *all = signals_of(w, str_or(cfn_prop(w, "Handle"), STR("")));
	if (str_has(cfn_prop(w, "Count")) && !is_ok(str_to_i64(cfn_prop(w, "Count"), &count))) count = 1;
	for (const struct json_value *s = all ? all->first : NULL; s; s = s->next) {
		if (!str_is(str_or(cfn_at(s, "Status"), STR("")), "SUCCESS"))
			return cfn_fail(w, "WaitCondition received failed message: '%.*s' for uniqueId: %.*s",
				STR_ARG(str_or(cfn_at(s, "Reason"), STR(""))),
				STR_ARG(str_or(cfn_at(s, "UniqueId"), STR(""))));
		good++;
		cfn_set(data, str_or(cfn_at(s, "UniqueId"), STR("")),
			cfn_text(w->a, str_or(cfn_at(s, "Data"), STR(""))));
	}
	cfn_attribute(w, "Data", cfn_json(w->a, data));
	cfn_attribute(w, "Id", w->physical_id);
	if (good >= count) return OK;
	if (!w->deadline_ms || w->now_ms <= w->deadline_ms) return STATUS(PENDING);
	return cfn_fail(w, "WaitCondition timed out. Received %lld conditions when expecting %lld", (long long)good,
		(long long)count);
}

/* ── nested stacks ("AWS::CloudFormation::Stack") ─────────────────────────────────────────────────────────────── */

/* The parent's tags but not those that CloudFormation sets, and the resource's own. */
static const struct json_value *nested_tags(struct cfn_work *w)
{
	struct json_value *list = cfn_list(w->a);
	const struct json_value *all = cfn_tags(w);
	for (const struct json_value *t = all->first; t; t = t->next)
		if (!str_starts(cfn_at(t, "Key"), STR("aws:"))) cfn_append(list, STR_NONE, cfn_copy(w->a, t));
	return list;
}

static struct json_value *text_list(struct arena *a, const struct cloudformation_rec_texts *texts)
{
	struct json_value *list = cfn_list(a);
	for (size_t i = 0; i < texts->n; i++) cfn_append(list, STR_NONE, cfn_text(a, texts->v[i]));
	return list;
}

static status load_parent(struct cfn_work *w, struct cloudformation_rec_stack *s)
{
	struct store_tx *tx = store_begin(w->cloud->store, w->a, true);
	*s = (struct cloudformation_rec_stack){0};
	status st = cfn_stack_find(tx, w->a, (struct cfn_place){w->account, w->region}, w->stack_id, s);
	store_end(tx);
	return is_ok(st) ? OK : cfn_fail(w, "The stack itself could not be read");
}

static struct json_value *request(struct cfn_work *w, const struct cloudformation_rec_stack *parent)
{
	struct json_value *in = cfn_take(w, "TemplateURL"), *parameters = cfn_list(w->a);
	const struct json_value *given = cfn_value(w, "Parameters");
	for (const struct json_value *p = given ? given->first : NULL; p; p = p->next) {
		struct json_value *one = cfn_one(w->a, "ParameterKey", p->name);
		cfn_put(one, w->a, "ParameterValue", json_scalar(p));
		cfn_append(parameters, STR_NONE, one);
	}
	cfn_append(in, STR("Parameters"), parameters);
	cfn_append(in, STR("Tags"), cfn_copy(w->a, nested_tags(w)));
	cfn_append(in, STR("Capabilities"), text_list(w->a, &parent->settings->capabilities));
	cfn_put(in, w->a, "RoleARN", parent->settings->role_arn);
	cfn_put_value(in, w->a, "NotificationARNs", cfn_value(w, "NotificationARNs"));
	return in;
}

/* The nested stack's record says whose it is. */
static status adopt(struct cfn_work *w, const struct cloudformation_rec_stack *parent)
{
	status st;
	do {
		struct cloudformation_rec_stack s = {0};
		store_ticket ticket = 0;
		struct store_tx *tx = store_begin(w->cloud->store, w->a, false);
		st = cfn_stack_find(tx, w->a, (struct cfn_place){w->account, w->region}, w->physical_id, &s);
		if (is_ok(st)) {
			s.parent = parent->id;
			s.root = str_or(parent->root, parent->id);
			s.parent_logical_id = w->logical_id;
			cfn_stack_put(tx, w->a, &s);
			st = store_commit(tx, &ticket);
		}
		store_end(tx);
	} while (status_is(st, STATUS_CONFLICT));
	return is_ok(st) ? OK : cfn_fail(w, "The nested stack could not be read");
}

static status create_nested(struct cfn_work *w)
{
	struct cloudformation_rec_stack parent;
	const struct json_value *out;
	TRY(load_parent(w, &parent));
	struct json_value *in = request(w, &parent);
	struct str name = cfn_name(w, "-", 128, false);
	cfn_put(in, w->a, "StackName", name);
	cfn_put_value(in, w->a, "TimeoutInMinutes", cfn_value(w, "TimeoutInMinutes"));
	cfn_put(in, w->a, "ClientRequestToken", w->token);
	status s = cfn_do(w, "cloudformation", "CreateStack", in, &out);
	if (is_ok(s)) {
		w->physical_id = cfn_at(out, "StackId");
	} else if (w->again && cfn_says_exists(w->code)) {
		TRY(cfn_do(w, "cloudformation", "DescribeStacks", cfn_one(w->a, "StackName", name), &out));
		w->physical_id = cfn_at(out, "Stacks.0.StackId");
	} else {
		return s;
	}
	return adopt(w, &parent);
}

static status tell_outputs(struct cfn_work *w, const struct json_value *stack)
{
	w->attributes = cfn_object(w->a);
	cfn_attribute(w, "StackId", w->physical_id);
	const struct json_value *all = cfn_in(stack, "Outputs");
	for (const struct json_value *o = all ? all->first : NULL; o; o = o->next)
		cfn_attribute(w, str_z(w->a, str_fmt(w->a, "Outputs.%.*s", STR_ARG(cfn_at(o, "OutputKey")))),
			cfn_at(o, "OutputValue"));
	return OK;
}

static status settle_nested(struct cfn_work *w)
{
	const struct json_value *out;
	TRY(cfn_do(w, "cloudformation", "DescribeStacks", cfn_one(w->a, "StackName", w->physical_id), &out));
	const struct json_value *stack = cfn_in(out, "Stacks.0");
	struct str now = str_or(cfn_at(stack, "StackStatus"), STR(""));
	if (str_ends(now, STR("_IN_PROGRESS"))) return STATUS(PENDING);
	if (str_is(now, "CREATE_COMPLETE") || str_is(now, "UPDATE_COMPLETE")) return tell_outputs(w, stack);
	bool update = str_starts(now, STR("UPDATE_"));
	return cfn_fail(w, "Embedded stack %.*s was not successfully %s: %.*s", STR_ARG(w->physical_id),
		update ? "updated" : "created", STR_ARG(str_or(cfn_at(stack, "StackStatusReason"), now)));
}

static status update_nested(struct cfn_work *w)
{
	struct cloudformation_rec_stack parent;
	TRY(load_parent(w, &parent));
	struct json_value *in = request(w, &parent);
	cfn_put(in, w->a, "StackName", w->physical_id);
	status s = cfn_do(w, "cloudformation", "UpdateStack", in, NULL);
	bool same = !is_ok(s) && str_find(w->why, STR("No updates are to be performed")) >= 0;
	/* Asked for again after a crash: it is under way, or was rolled back by itself and is what it was. */
	bool under_way = !is_ok(s) && str_find(w->why, STR("_IN_PROGRESS state")) >= 0;
	return same || under_way ? OK : s;
}

static status remove_nested(struct cfn_work *w)
{
	const struct json_value *out;
	struct json_value *in = cfn_one(w->a, "StackName", w->physical_id);
	status s = cfn_do(w, "cloudformation", "DescribeStacks", in, &out);
	if (!is_ok(s)) return str_find(w->why, STR("does not exist")) >= 0 ? OK : s;
	struct str now = str_or(cfn_at(out, "Stacks.0.StackStatus"), STR(""));
	if (str_is(now, "DELETE_COMPLETE")) return OK;
	if (str_is(now, "DELETE_IN_PROGRESS")) return STATUS(PENDING);
	/* Of an earlier deletion it may stand as failed: it is tried once by each deletion of the parent. */
	if (str_is(now, "DELETE_FAILED") && w->deadline_ms)
		return cfn_fail(w, "Embedded stack %.*s was not successfully deleted: %.*s", STR_ARG(w->physical_id),
			STR_ARG(str_or(cfn_at(out, "Stacks.0.StackStatusReason"), STR(""))));
	w->deadline_ms = w->now_ms;
	if (str_ends(now, STR("_IN_PROGRESS")) && !str_is(now, "CREATE_IN_PROGRESS")) return STATUS(PENDING);
	TRY(cfn_do(w, "cloudformation", "DeleteStack", in, NULL));
	return STATUS(PENDING);
}

/* ── CDK's metadata: what built the template, for AWS's statistics ────────────────────────────────────────────── */

static status create_metadata(struct cfn_work *w)
{
	w->physical_id = str_lower(w->a, w->token);
	return OK;
}

const struct cfn_handler cfn_stacks[] = {
	{"AWS::CloudFormation::WaitConditionHandle", create_handle, NULL, keep, keep, NULL},
	{"AWS::CloudFormation::WaitCondition", create_condition, settle_condition, NULL, keep, NULL},
	{"AWS::CloudFormation::Stack", create_nested, settle_nested, update_nested, remove_nested, NULL},
	{"AWS::CDK::Metadata", create_metadata, NULL, keep, keep, NULL},
	{0},
};
