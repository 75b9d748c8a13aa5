/* Launch templates: the template itself, its default version, its end. Versions are in launch_template_version.c. */
#include "services/ec2/launch_template.h"

static const char *const filters[] = {"create-time", "launch-template-name", NULL};
const struct ec2_type ec2_type_launch_template = {.name = "launch-template",
	.prefix = "lt-",
	.absent = "The specified launch template, with template ID @, does not exist.",
	.not_found = EC2_ERR_INVALID_LAUNCH_TEMPLATE_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_LAUNCH_TEMPLATE_ID_MALFORMED,
	.record = EC2_REC_LAUNCH_TEMPLATE,
	.shape = EC2_SHAPE_LAUNCH_TEMPLATE,
	.filters = filters};

enum { NAME_MIN = 3, NAME_MAX = 128 };

/* NOT_FOUND. */
static status by_name(struct call *c, struct str name, struct ec2_rec_launch_template *out)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_launch_template);
	bool found = false;
	while (!found && ec2_next(&e)) {
		*out = *(const struct ec2_rec_launch_template *)e.item.record;
		found = str_eq(out->launch_template_name, name);
	}
	TRY(ec2_each_end(&e));
	return found ? OK : STATUS(NOT_FOUND);
}

status ec2_template_find(struct call *c, struct str id, struct str name, struct ec2_rec_launch_template *out)
{
	if (str_has(id) && str_has(name))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"You must specify either a launch template ID or a launch template name, but not both.");
	if (str_has(id)) return ec2_find(c, &ec2_type_launch_template, id, out);
	if (!str_has(name))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"You must specify either a launch template ID or a launch template name.");
	status s = by_name(c, name, out);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(c, EC2_ERR_INVALID_LAUNCH_TEMPLATE_NAME_NOT_FOUND_EXCEPTION,
			"The specified launch template, with template name %.*s, does not exist.", STR_ARG(name));
	return s;
}

static status check_name(struct call *c, struct str name)
{
	bool well = name.n >= NAME_MIN && name.n <= NAME_MAX;
	for (size_t i = 0; well && i < name.n; i++) {
		char b = name.p[i];
		well = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
		       memchr("().-/_", b, 6);
	}
	if (well) return OK;
	return call_fail(c, EC2_ERR_INVALID_LAUNCH_TEMPLATE_NAME_MALFORMED_EXCEPTION,
		"Launch template name '%.*s' is invalid. A launch template name must be between 3 and 128 characters, "
		"and may "
		"contain letters, numbers, and the following characters: ( ) . - / _",
		STR_ARG(name));
}

static status show(struct call *c, struct str id, struct ec2_launch_template **out)
{
	*out = arena_new(c->arena, struct ec2_launch_template);
	return ec2_describe_one(c, &ec2_type_launch_template, id, *out);
}

status ec2_create_launch_template(struct call *c, const struct ec2_create_launch_template_input *in,
	struct ec2_create_launch_template_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_launch_template};
	struct ec2_rec_launch_template t;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(check_name(c, in->launch_template_name));
	TRY(ec2_template_data_check(c, in->launch_template_data));
	TRY(ec2_guard(ec2_here(c), STR("launch-template"), NULL));
	status s = by_name(c, in->launch_template_name, &t);
	if (is_ok(s)) {
		if (str_has(in->client_token) && str_eq(in->client_token, t.client_token))
			return show(c, t.launch_template_id, &out->launch_template);
		return call_fail(c, EC2_ERR_INVALID_LAUNCH_TEMPLATE_NAME_ALREADY_EXISTS_EXCEPTION,
			"Launch template name already in use.");
	}
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	t = (struct ec2_rec_launch_template){
		.launch_template_id = ec2_new_id(c->arena, ec2_type_launch_template.prefix),
		.launch_template_name = in->launch_template_name,
		.create_time = SOME_TIME(c->now_ms / 1000 * 1000),
		.created_by = c->principal.arn,
		.default_version_number = SOME_I64(1),
		.latest_version_number = SOME_I64(1),
		.client_token = in->client_token};
	struct ec2_response_launch_template_data *data = ec2_template_data_taken(c->arena, in->launch_template_data);
	ec2_template_version_put(c, &t, 1, in->version_description, data);
	ec2_put(ec2_here(c), &ec2_type_launch_template, t.launch_template_id, &t);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_launch_template, t.launch_template_id));
	return show(c, t.launch_template_id, &out->launch_template);
}

status ec2_modify_launch_template(struct call *c, const struct ec2_modify_launch_template_input *in,
	struct ec2_modify_launch_template_output *out)
{
	struct ec2_rec_launch_template t;
	struct ec2_launch_template_version v;
	TRY(ec2_template_find(c, in->launch_template_id, in->launch_template_name, &t));
	if (str_has(in->default_version)) {
		TRY(ec2_template_version(c, &t, in->default_version, &v));
		t.default_version_number = v.version_number;
		ec2_put(ec2_here(c), &ec2_type_launch_template, t.launch_template_id, &t);
	}
	return show(c, t.launch_template_id, &out->launch_template);
}

status ec2_delete_launch_template(struct call *c, const struct ec2_delete_launch_template_input *in,
	struct ec2_delete_launch_template_output *out)
{
	struct ec2_rec_launch_template t;
	TRY(ec2_template_find(c, in->launch_template_id, in->launch_template_name, &t));
	TRY(show(c, t.launch_template_id, &out->launch_template));
	TRY(ec2_template_versions_drop(c, &t));
	ec2_drop(ec2_here(c), &ec2_type_launch_template, t.launch_template_id);
	return OK;
}

status ec2_describe_launch_templates(struct call *c, const struct ec2_describe_launch_templates_input *in,
	struct ec2_describe_launch_templates_output *out)
{
	struct ec2_value_string_list ids = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < in->launch_template_ids.n; i++)
		*VEC_PUSH(c->arena, &ids, &capacity) = in->launch_template_ids.v[i];
	for (size_t i = 0; i < in->launch_template_names.n; i++) {
		struct ec2_rec_launch_template t;
		TRY(ec2_template_find(c, STR_NONE, in->launch_template_names.v[i], &t));
		*VEC_PUSH(c->arena, &ids, &capacity) = t.launch_template_id;
	}
	return ec2_describe(c, &(struct ec2_describe){.type = &ec2_type_launch_template,
				       .ids = &ids,
				       .filters = &in->filters,
				       .max_results = in->max_results,
				       .next_token = in->next_token,
				       .out = &out->launch_templates,
				       .next_out = &out->next_token});
}
