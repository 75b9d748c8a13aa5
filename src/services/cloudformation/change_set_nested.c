/* Change sets of nested stacks ("Change sets for nested stacks"): for each nested stack that an update would change,
 * one of its own, which tells what would happen inside. They are executed and deleted with their root. */
#include "services/cloudformation/operations.h"

/* Whose it is. In a transaction of its own, as the operation that made it had. */
static status adopt(
	struct call *c, struct str stack_id, struct str name, const struct cloudformation_rec_change_set *parent)
{
	for (;;) {
		struct cloudformation_rec_stack s = {0};
		struct cloudformation_rec_change_set set = {0};
		store_ticket ticket = 0;
		struct str bytes;
		struct store_tx *tx = store_begin(c->cloud->store, c->arena, false);
		status st = cfn_stack_find(tx, c->arena, cfn_call_place(c), stack_id, &s);
		if (is_ok(st)) st = store_get(tx, cfn_change_set_key(c->arena, &s, name), &bytes);
		if (is_ok(st)) st = cloudformation_rec_change_set_decode(c->arena, bytes, &set);
		set.parent = parent->id;
		set.root = str_or(parent->root, parent->id);
		if (is_ok(st)) {
			store_put(tx, cfn_change_set_key(c->arena, &s, name),
				cloudformation_rec_change_set_encode(c->arena, &set));
			st = store_commit(tx, &ticket);
		}
		store_end(tx);
		if (!status_is(st, STATUS_CONFLICT)) return st;
	}
}

static struct json_value *request(struct call *c, const struct cloudformation_rec_change_set *set,
	const struct json_value *nested, struct str name)
{
	struct arena *a = c->arena;
	struct json_value *in = cfn_one(a, "StackName", cfn_at(nested, "StackId")), *parameters = cfn_list(a),
			  *capabilities = cfn_list(a);
	cfn_put(in, a, "ChangeSetName", name);
	cfn_put(in, a, "TemplateURL", cfn_at(nested, "Properties.TemplateURL"));
	cfn_put(in, a, "IncludeNestedStacks", STR("true"));
	const struct json_value *given = cfn_in(nested, "Properties.Parameters");
	for (const struct json_value *p = given ? given->first : NULL; p; p = p->next) {
		struct json_value *one = cfn_one(a, "ParameterKey", p->name);
		cfn_append(parameters, STR_NONE, cfn_put(one, a, "ParameterValue", json_scalar(p)));
	}
	cfn_append(in, STR("Parameters"), parameters);
	for (size_t i = 0; i < set->settings->capabilities.n; i++)
		cfn_append(capabilities, STR_NONE, cfn_text(a, set->settings->capabilities.v[i]));
	if (capabilities->length) cfn_append(in, STR("Capabilities"), capabilities);
	return in;
}

static void tell(struct arena *a, struct json_value *changes, struct str logical_id, struct str set_id)
{
	for (struct json_value *v = changes->first; v; v = v->next) {
		struct json_value *change = json_member(v, STR("ResourceChange"));
		if (str_eq(str_or(cfn_at(change, "LogicalResourceId"), STR("")), logical_id))
			cfn_put(change, a, "ChangeSetId", set_id);
	}
}

void cfn_nested_sets(struct call *c, struct cloudformation_rec_change_set *set, const struct json_value *nested,
	struct json_value *changes)
{
	struct arena *a = c->arena;
	struct inside_caller who = cfn_call_who(c);
	for (const struct json_value *n = nested->first; n; n = n->next) {
		struct cfn_api_answer answer;
		struct str logical = cfn_at(n, "LogicalId"), stack = cfn_at(n, "StackId");
		struct str name = str_fmt(a, "%.*s-%.*s", STR_ARG(set->name), STR_ARG(logical));
		if (name.n > 128) name = str_sub(name, 0, 128);
		/* Of a run of the same request that lost. */
		struct json_value *old = cfn_one(a, "StackName", stack);
		cfn_api(c->cloud, &who, a, "cloudformation", "DeleteChangeSet", cfn_put(old, a, "ChangeSetName", name),
			&answer);
		cfn_api(c->cloud, &who, a, "cloudformation", "CreateChangeSet", request(c, set, n, name), &answer);
		struct str id = answer.ok ? cfn_at(answer.out, "Id") : STR_NONE;
		if (answer.ok)
			cfn_api(c->cloud, &who, a, "cloudformation", "DescribeChangeSet",
				cfn_one(a, "ChangeSetName", id), &answer);
		if (!answer.ok) {
			set->status = STR("FAILED");
			set->execution = STR("UNAVAILABLE");
			set->reason = str_fmt(a, "The nested change set of %.*s was not successfully created: %.*s",
				STR_ARG(logical), STR_ARG(answer.message));
			return;
		}
		if (str_is(str_or(cfn_at(answer.out, "Status"), STR("")), "FAILED")) { /* nothing changes inside */
			cfn_api(c->cloud, &who, a, "cloudformation", "DeleteChangeSet", old, &answer);
			continue;
		}
		if (is_ok(adopt(c, stack, name, set))) tell(a, changes, logical, id);
	}
}

status cfn_nested_drop(struct call *c, const struct cloudformation_rec_change_set *set)
{
	struct json_value *all;
	if (!set->nested.v || !is_ok(json_read(c->arena, str_or(set->changes, STR("[]")), &all))) return OK;
	for (const struct json_value *v = all->first; v; v = v->next) {
		struct cloudformation_rec_stack s = {0};
		struct cloudformation_rec_change_set inner = {0};
		struct str id = cfn_at(v, "ResourceChange.ChangeSetId");
		if (!str_has(id)) continue;
		status found = cfn_change_set_find(c, id, &s, &inner);
		if (status_is(found, STATUS_NOT_FOUND)) continue;
		TRY(found);
		TRY(cfn_nested_drop(c, &inner));
		store_delete(c->tx, cfn_change_set_key(c->arena, &s, inner.name));
	}
	return OK;
}
