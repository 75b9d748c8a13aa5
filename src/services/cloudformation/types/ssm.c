/* AWS::SSM::Parameter. */
#include "services/cloudformation/handlers.h"

static status put(struct cfn_work *w, bool overwrite)
{
	struct json_value *in = cfn_take(w, "AllowedPattern,DataType,Description,Policies,Tier,Type,Value");
	struct str name = overwrite ? w->physical_id : cfn_name(w, "Name", 1011, false);
	cfn_put(in, w->a, "Name", name);
	if (overwrite)
		cfn_put(in, w->a, "Overwrite", STR("true"));
	else
		cfn_put_value(in, w->a, "Tags", cfn_tags(w));
	TRY(cfn_do(w, "ssm", "PutParameter", in, NULL));
	w->physical_id = name;
	cfn_attribute(w, "Type", cfn_prop(w, "Type"));
	cfn_attribute(w, "Value", cfn_prop(w, "Value"));
	cfn_attribute(
		w, "Arn", cfn_arn(w, "ssm", "parameter%s%.*s", str_starts(name, STR("/")) ? "" : "/", STR_ARG(name)));
	return OK;
}

static bool is_ours(struct cfn_work *w, struct str name)
{
	struct json_value *in = cfn_one(w->a, "ResourceId", name);
	const struct json_value *out;
	cfn_put(in, w->a, "ResourceType", STR("Parameter"));
	if (!is_ok(cfn_do(w, "ssm", "ListTagsForResource", in, &out))) return false;
	const struct json_value *tags = cfn_in(out, "TagList");
	for (const struct json_value *t = tags ? tags->first : NULL; t; t = t->next)
		if (str_is(str_or(cfn_at(t, "Key"), STR("")), "aws:cloudformation:stack-id"))
			return str_eq(str_or(cfn_at(t, "Value"), STR("")), w->stack_id);
	return false;
}

/* A parameter of this name from an earlier run of the same creation is taken as made. */
static status create(struct cfn_work *w)
{
	status s = put(w, false);
	struct str why = w->why, code = w->code;
	if (is_ok(s) || !str_is(code, "ParameterAlreadyExists")) return s;
	w->physical_id = cfn_name(w, "Name", 1011, false);
	if (is_ours(w, w->physical_id)) return put(w, true);
	w->physical_id = STR_NONE;
	w->why = why;
	return STATUS(FAILED);
}

static status update(struct cfn_work *w)
{
	const struct json_value *add, *gone;
	/* A value that is put once more would be another version. */
	if (!w->only_tags) TRY(put(w, true));
	if (!cfn_tags_changed(w, &add, &gone)) return OK;
	struct json_value *in = cfn_one(w->a, "ResourceId", w->physical_id);
	cfn_put(in, w->a, "ResourceType", STR("Parameter"));
	if (gone->length) {
		struct json_value *keys = cfn_one(w->a, "ResourceId", w->physical_id);
		cfn_put(keys, w->a, "ResourceType", STR("Parameter"));
		cfn_put_value(keys, w->a, "TagKeys", gone);
		TRY(cfn_do(w, "ssm", "RemoveTagsFromResource", keys, NULL));
	}
	cfn_put_value(in, w->a, "Tags", add);
	return add->length ? cfn_do(w, "ssm", "AddTagsToResource", in, NULL) : OK;
}

static status remove_parameter(struct cfn_work *w)
{
	return cfn_do_unless(w, "ssm", "DeleteParameter", cfn_one(w->a, "Name", w->physical_id), "ParameterNotFound");
}

static status read_parameter(struct cfn_work *w)
{
	const struct json_value *out;
	struct json_value *in = cfn_one(w->a, "Name", w->physical_id);
	cfn_put(in, w->a, "WithDecryption", STR("true"));
	status s = cfn_do(w, "ssm", "GetParameter", in, &out);
	if (!is_ok(s) && str_is(w->code, "ParameterNotFound")) w->code = STR("NotFound");
	TRY(s);
	w->live = cfn_one(w->a, "Name", w->physical_id);
	cfn_put(w->live, w->a, "Type", cfn_at(out, "Parameter.Type"));
	cfn_put(w->live, w->a, "Value", cfn_at(out, "Parameter.Value"));
	return OK;
}

const struct cfn_handler cfn_ssm[] = {
	{"AWS::SSM::Parameter", create, NULL, update, remove_parameter, read_parameter},
	{0},
};
