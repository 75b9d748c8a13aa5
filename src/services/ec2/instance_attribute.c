/* Attributes of instances: read, changed, reset; metadata options, monitoring, credits, maintenance, placement. */
#include "services/ec2/dedicated_host.h"
#include "services/ec2/machine.h"

#define TABLES (&wire_service_ec2.tables)

static struct ec2_attribute_value *text_value(struct call *c, struct str v)
{
	struct ec2_attribute_value *a = arena_new(c->arena, struct ec2_attribute_value);
	a->value = v;
	return a;
}

static struct ec2_attribute_boolean_value *bool_value(struct call *c, bool v)
{
	struct ec2_attribute_boolean_value *a = arena_new(c->arena, struct ec2_attribute_boolean_value);
	a->value = SOME_BOOL(v);
	return a;
}

/* ── DescribeInstanceAttribute ── */

status ec2_describe_instance_attribute(struct call *c, const struct ec2_describe_instance_attribute_input *in,
	struct ec2_describe_instance_attribute_output *out)
{
	struct ec2_rec_instance i;
	struct ec2_instance shape = {0};
	struct str a = in->attribute;
	TRY(ec2_find(c, &ec2_type_instance, in->instance_id, &i));
	TRY(ec2_describe_one(c, &ec2_type_instance, i.instance_id, &shape));
	out->instance_id = i.instance_id;
	if (str_is(a, "instanceType")) out->instance_type = text_value(c, shape.instance_type);
	if (str_is(a, "kernel")) out->kernel_id = text_value(c, shape.kernel_id);
	if (str_is(a, "ramdisk")) out->ramdisk_id = text_value(c, shape.ramdisk_id);
	if (str_is(a, "userData"))
		out->user_data = text_value(c, str_empty(i.user_data) ? STR_NONE : str_base64(c->arena, i.user_data));
	if (str_is(a, "disableApiTermination"))
		out->disable_api_termination = bool_value(c, i.disable_api_termination.v);
	if (str_is(a, "disableApiStop")) out->disable_api_stop = bool_value(c, i.disable_api_stop.v);
	if (str_is(a, "instanceInitiatedShutdownBehavior"))
		out->instance_initiated_shutdown_behavior = text_value(c, i.shutdown_behavior);
	if (str_is(a, "rootDeviceName")) out->root_device_name = text_value(c, shape.root_device_name);
	if (str_is(a, "blockDeviceMapping")) out->block_device_mappings = shape.block_device_mappings;
	if (str_is(a, "productCodes")) VEC_PRESENT(c->arena, &out->product_codes);
	if (str_is(a, "sourceDestCheck")) out->source_dest_check = bool_value(c, shape.source_dest_check.v);
	if (str_is(a, "groupSet")) out->groups = shape.security_groups;
	if (str_is(a, "ebsOptimized")) out->ebs_optimized = bool_value(c, shape.ebs_optimized.v);
	if (str_is(a, "sriovNetSupport")) out->sriov_net_support = text_value(c, shape.sriov_net_support);
	if (str_is(a, "enaSupport")) out->ena_support = bool_value(c, shape.ena_support.v);
	if (str_is(a, "enclaveOptions")) out->enclave_options = shape.enclave_options;
	return OK;
}

/* ── ModifyInstanceAttribute ── */

static status must_be_stopped(struct call *c, const struct ec2_rec_instance *i)
{
	if (i->state.v == EC2_STOPPED) return OK;
	return call_fail(c, EC2_ERR_INCORRECT_INSTANCE_STATE, "The instance '%.*s' is not in the 'stopped' state.",
		STR_ARG(i->instance_id));
}

static status change_type(struct call *c, struct ec2_rec_instance *i, struct ec2_instance *shape, struct str type)
{
	struct ec2_machine_type m;
	TRY(must_be_stopped(c, i));
	if (!ec2_machine_type_find(type, &m))
		return call_fail(c, EC2_ERR_INVALID_INSTANCE_ATTRIBUTE_VALUE, "Invalid value '%.*s' for instanceType.",
			STR_ARG(type));
	if (!str_eq(m.family->arm ? STR("arm64") : STR("x86_64"), shape->architecture))
		return call_fail(c, EC2_ERR_INVALID_INSTANCE_ATTRIBUTE_VALUE,
			"The instance type '%.*s' does not have the architecture '%.*s'.", STR_ARG(type),
			STR_ARG(shape->architecture));
	shape->instance_type = type;
	unsigned threads = m.family->no_threads || m.vcpus == 1 ? 1 : 2;
	shape->cpu_options->core_count = SOME_I32((int32_t)(m.vcpus / threads));
	shape->cpu_options->threads_per_core = SOME_I32((int32_t)threads);
	i->credits = !m.family->burstable ? STR_NONE : str_or(i->credits, STR("unlimited"));
	return OK;
}

static status change_user_data(struct call *c, struct ec2_rec_instance *i, struct str text)
{
	TRY(must_be_stopped(c, i));
	if (!is_ok(str_unbase64(c->arena, str_or(text, STR("")), &i->user_data)))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid BASE64 encoding of user data.");
	if (i->user_data.n > 16384)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "User data is limited to 16384 bytes");
	return OK;
}

static status change_devices(struct call *c, struct ec2_rec_instance *i,
	const struct ec2_instance_block_device_mapping_specification_list *l)
{
	for (size_t k = 0; k < l->n; k++) {
		struct ec2_rec_volume v;
		const struct ec2_rec_instance_volume *found = NULL;
		for (size_t n = 0; n < i->volumes.n; n++)
			if (str_eq(i->volumes.v[n].device, l->v[k].device_name)) found = &i->volumes.v[n];
		if (!found)
			return call_fail(c, EC2_ERR_INVALID_INSTANCE_ATTRIBUTE_VALUE,
				"No device is currently mapped at %.*s", STR_ARG(l->v[k].device_name));
		if (!l->v[k].ebs || !l->v[k].ebs->delete_on_termination.has) continue;
		TRY(ec2_find(c, &ec2_type_volume, found->id, &v));
		struct ec2_rec_attachment *a = ec2_volume_attachment(&v, i->instance_id);
		if (!a) continue;
		a->delete_on_termination = l->v[k].ebs->delete_on_termination;
		ec2_volume_put(ec2_here(c), &v);
	}
	return OK;
}

/* Of the primary interface. */
static status change_interface(struct call *c, struct ec2_rec_instance *i, const struct opt_bool *check,
	const struct ec2_group_id_string_list *groups)
{
	struct ec2_enis enis = {0};
	TRY(ec2_eni_of_instance(ec2_here(c), i->instance_id, &enis));
	if (!enis.n) return OK;
	if (enis.n > 1)
		return call_fail(c, EC2_ERR_INVALID_INSTANCE_ID,
			"There are multiple interfaces attached to instance '%.*s'. Please specify an interface ID for "
			"the operation "
			"instead.",
			STR_ARG(i->instance_id));
	struct ec2_rec_eni e = enis.v[0];
	if (check && check->has) e.source_dest_check = *check;
	if (groups && groups->n) TRY(ec2_groups_for(c, e.vpc_id, groups->v, groups->n, &e.groups));
	return ec2_eni_save(c, &e);
}

static bool truth(struct str v)
{
	return str_ieq(v, STR("true"));
}

/* The old form: Attribute and Value. */
static status change_named(
	struct call *c, struct ec2_rec_instance *i, struct ec2_instance *shape, struct str name, struct str v)
{
	struct opt_bool flag = SOME_BOOL(truth(v));
	if (str_is(name, "instanceType")) return change_type(c, i, shape, v);
	if (str_is(name, "userData")) return change_user_data(c, i, v);
	if (str_is(name, "disableApiTermination"))
		i->disable_api_termination = flag;
	else if (str_is(name, "disableApiStop"))
		i->disable_api_stop = flag;
	else if (str_is(name, "instanceInitiatedShutdownBehavior"))
		i->shutdown_behavior = v;
	else if (str_is(name, "ebsOptimized"))
		shape->ebs_optimized = flag;
	else if (str_is(name, "sourceDestCheck"))
		return change_interface(c, i, &flag, NULL);
	else
		return call_fail(
			c, EC2_ERR_INVALID_PARAMETER_VALUE, "The attribute '%.*s' cannot be changed.", STR_ARG(name));
	return OK;
}

status ec2_modify_instance_attribute(
	struct call *c, const struct ec2_modify_instance_attribute_input *in, struct wire_nothing *out)
{
	struct ec2_rec_instance i;
	struct ec2_instance shape = {0};
	(void)out;
	TRY(ec2_find(c, &ec2_type_instance, in->instance_id, &i));
	TRY(ec2_instance_document(c->arena, &i, &shape));
	if (str_has(in->attribute) && str_has(in->value)) TRY(change_named(c, &i, &shape, in->attribute, in->value));
	if (in->instance_type) TRY(change_type(c, &i, &shape, in->instance_type->value));
	if (in->user_data) TRY(change_user_data(c, &i, str_base64(c->arena, str_or(in->user_data->value, STR("")))));
	if (in->disable_api_termination) i.disable_api_termination = in->disable_api_termination->value;
	if (in->disable_api_stop) i.disable_api_stop = in->disable_api_stop->value;
	if (in->instance_initiated_shutdown_behavior) {
		struct str b = in->instance_initiated_shutdown_behavior->value;
		if (!str_is(b, "stop") && !str_is(b, "terminate"))
			return call_fail(c, EC2_ERR_INVALID_INSTANCE_ATTRIBUTE_VALUE,
				"Invalid value '%.*s' for instanceInitiatedShutdownBehavior.", STR_ARG(b));
		i.shutdown_behavior = b;
	}
	if (in->ebs_optimized) {
		TRY(must_be_stopped(c, &i));
		shape.ebs_optimized = in->ebs_optimized->value;
	}
	if (in->ena_support) shape.ena_support = in->ena_support->value;
	if (in->sriov_net_support) shape.sriov_net_support = in->sriov_net_support->value;
	if (in->kernel) shape.kernel_id = in->kernel->value;
	if (in->ramdisk) shape.ramdisk_id = in->ramdisk->value;
	if (in->source_dest_check) TRY(change_interface(c, &i, &in->source_dest_check->value, NULL));
	if (in->groups.n) TRY(change_interface(c, &i, NULL, &in->groups));
	TRY(change_devices(c, &i, &in->block_device_mappings));
	ec2_instance_document_put(c->arena, &i, &shape);
	ec2_instance_put(ec2_here(c), &i);
	return OK;
}

status ec2_reset_instance_attribute(
	struct call *c, const struct ec2_reset_instance_attribute_input *in, struct wire_nothing *out)
{
	struct ec2_rec_instance i;
	struct ec2_instance shape = {0};
	struct opt_bool on = SOME_BOOL(true);
	(void)out;
	TRY(ec2_find(c, &ec2_type_instance, in->instance_id, &i));
	TRY(ec2_instance_document(c->arena, &i, &shape));
	if (str_is(in->attribute, "sourceDestCheck")) return change_interface(c, &i, &on, NULL);
	if (str_is(in->attribute, "kernel") || str_is(in->attribute, "ramdisk")) {
		TRY(must_be_stopped(c, &i));
		if (str_is(in->attribute, "kernel"))
			shape.kernel_id = STR_NONE;
		else
			shape.ramdisk_id = STR_NONE;
		ec2_instance_document_put(c->arena, &i, &shape);
		ec2_instance_put(ec2_here(c), &i);
		return OK;
	}
	return call_fail(
		c, EC2_ERR_INVALID_PARAMETER_VALUE, "The attribute '%.*s' cannot be reset.", STR_ARG(in->attribute));
}

/* ── metadata options ── */

status ec2_modify_instance_metadata_options(struct call *c, const struct ec2_modify_instance_metadata_options_input *in,
	struct ec2_modify_instance_metadata_options_output *out)
{
	struct ec2_rec_instance i;
	struct ec2_instance shape = {0};
	TRY(ec2_find(c, &ec2_type_instance, in->instance_id, &i));
	if (i.state.v == EC2_TERMINATED || i.state.v == EC2_SHUTTING_DOWN)
		return call_fail(c, EC2_ERR_INCORRECT_INSTANCE_STATE,
			"The instance '%.*s' is not in a state to be modified.", STR_ARG(i.instance_id));
	if (in->http_put_response_hop_limit.has &&
		(in->http_put_response_hop_limit.v < 1 || in->http_put_response_hop_limit.v > 64))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "HttpPutResponseHopLimit has to be from 1 to 64.");
	TRY(ec2_instance_document(c->arena, &i, &shape));
	ec2_copy(c->arena, TABLES, EC2_SHAPE_MODIFY_INSTANCE_METADATA_OPTIONS_REQUEST, in, TABLES,
		EC2_SHAPE_INSTANCE_METADATA_OPTIONS_RESPONSE, shape.metadata_options);
	ec2_instance_document_put(c->arena, &i, &shape);
	ec2_instance_put(ec2_here(c), &i);
	out->instance_id = i.instance_id;
	out->instance_metadata_options = shape.metadata_options;
	return OK;
}

status ec2_get_instance_metadata_defaults(struct call *c, const struct ec2_get_instance_metadata_defaults_input *in,
	struct ec2_get_instance_metadata_defaults_output *out)
{
	struct ec2_rec_settings s;
	(void)in;
	TRY(ec2_settings_get(ec2_here(c), &s));
	out->account_level = arena_new(c->arena, struct ec2_instance_metadata_defaults_response);
	*out->account_level = (struct ec2_instance_metadata_defaults_response){.http_tokens = s.http_tokens,
		.http_put_response_hop_limit = s.http_hops,
		.http_endpoint = s.http_endpoint,
		.instance_metadata_tags = s.http_tags};
	return OK;
}

static void set_default(struct str *to, struct str from)
{
	if (str_is(from, "no-preference"))
		*to = STR_NONE;
	else if (str_has(from))
		*to = from;
}

status ec2_modify_instance_metadata_defaults(struct call *c,
	const struct ec2_modify_instance_metadata_defaults_input *in,
	struct ec2_modify_instance_metadata_defaults_output *out)
{
	struct ec2_rec_settings s;
	TRY(ec2_settings_get(ec2_here(c), &s));
	set_default(&s.http_tokens, in->http_tokens);
	set_default(&s.http_endpoint, in->http_endpoint);
	set_default(&s.http_tags, in->instance_metadata_tags);
	if (in->http_put_response_hop_limit.has)
		s.http_hops =
			in->http_put_response_hop_limit.v < 0 ? (struct opt_i32){0} : in->http_put_response_hop_limit;
	ec2_settings_put(ec2_here(c), &s);
	out->return_ = SOME_BOOL(true);
	return OK;
}

/* ── monitoring ── */

static status monitoring(struct call *c, const struct ec2_instance_id_string_list *ids, const char *state,
	const char *said, struct ec2_instance_monitoring_list *out)
{
	struct ec2_rec_instance *list;
	size_t capacity = 0;
	TRY(ec2_instances_find(c, ids, &list));
	for (size_t k = 0; k < ids->n; k++) {
		struct ec2_instance shape = {0};
		TRY(ec2_instance_document(c->arena, &list[k], &shape));
		shape.monitoring->state = str_c(state);
		ec2_instance_document_put(c->arena, &list[k], &shape);
		ec2_instance_put(ec2_here(c), &list[k]);
		struct ec2_instance_monitoring *m = VEC_PUSH(c->arena, out, &capacity);
		m->instance_id = list[k].instance_id;
		m->monitoring = arena_new(c->arena, struct ec2_monitoring);
		m->monitoring->state = str_c(said);
	}
	return OK;
}

status ec2_monitor_instances(
	struct call *c, const struct ec2_monitor_instances_input *in, struct ec2_monitor_instances_output *out)
{
	return monitoring(c, &in->instance_ids, "enabled", "pending", &out->instance_monitorings);
}

status ec2_unmonitor_instances(
	struct call *c, const struct ec2_unmonitor_instances_input *in, struct ec2_unmonitor_instances_output *out)
{
	return monitoring(c, &in->instance_ids, "disabled", "disabling", &out->instance_monitorings);
}

/* ── credits ── */

static const char *const credit_filters[] = {"instance-id", NULL};

static bool has_credits(struct call *c, const struct ec2_item *item)
{
	const struct ec2_rec_instance *i = item->record;
	(void)c;
	return str_has(i->credits) && i->state.v != EC2_TERMINATED;
}

static status render_credits(struct call *c, const struct ec2_item *item, void *out)
{
	(void)c;
	((struct ec2_instance_credit_specification *)out)->cpu_credits =
		((const struct ec2_rec_instance *)item->record)->credits;
	return OK;
}

status ec2_describe_instance_credit_specifications(struct call *c,
	const struct ec2_describe_instance_credit_specifications_input *in,
	struct ec2_describe_instance_credit_specifications_output *out)
{
	return ec2_describe(c, &(struct ec2_describe){.type = &ec2_type_instance,
				       .ids = &in->instance_ids,
				       .filters = &in->filters,
				       .max_results = in->max_results,
				       .next_token = in->next_token,
				       .out = &out->instance_credit_specifications,
				       .next_out = &out->next_token,
				       .shape = EC2_SHAPE_INSTANCE_CREDIT_SPECIFICATION,
				       .filter_names = credit_filters,
				       .visible = has_credits,
				       .render = render_credits});
}

status ec2_modify_instance_credit_specification(struct call *c,
	const struct ec2_modify_instance_credit_specification_input *in,
	struct ec2_modify_instance_credit_specification_output *out)
{
	size_t done = 0, refused = 0;
	VEC_PRESENT(c->arena, &out->successful_instance_credit_specifications);
	VEC_PRESENT(c->arena, &out->unsuccessful_instance_credit_specifications);
	for (size_t k = 0; k < in->instance_credit_specifications.n; k++) {
		const struct ec2_instance_credit_specification_request *r = &in->instance_credit_specifications.v[k];
		struct ec2_rec_instance i;
		TRY(ec2_check_id(c, &ec2_type_instance, r->instance_id));
		status s = ec2_load(ec2_here(c), &ec2_type_instance, r->instance_id, &i);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		bool known = str_is(r->cpu_credits, "standard") || str_is(r->cpu_credits, "unlimited");
		if (is_ok(s) && str_has(i.credits) && known) {
			i.credits = r->cpu_credits;
			ec2_instance_put(ec2_here(c), &i);
			VEC_PUSH(c->arena, &out->successful_instance_credit_specifications, &done)->instance_id =
				i.instance_id;
			continue;
		}
		struct ec2_unsuccessful_instance_credit_specification_item *u =
			VEC_PUSH(c->arena, &out->unsuccessful_instance_credit_specifications, &refused);
		u->instance_id = r->instance_id;
		u->error = arena_new(c->arena, struct ec2_unsuccessful_instance_credit_specification_item_error);
		u->error->code =
			is_ok(s) ? STR("InstanceCreditSpecification.NotSupported") : STR("InvalidInstanceID.NotFound");
		u->error->message =
			is_ok(s) ? STR("The instance type does not support this CPU credit specification.")
				 : str_fmt(c->arena, "The instance ID '%.*s' does not exist", STR_ARG(r->instance_id));
	}
	return OK;
}

/* ── maintenance, placement ── */

status ec2_modify_instance_maintenance_options(struct call *c,
	const struct ec2_modify_instance_maintenance_options_input *in,
	struct ec2_modify_instance_maintenance_options_output *out)
{
	struct ec2_rec_instance i;
	struct ec2_instance shape = {0};
	TRY(ec2_find(c, &ec2_type_instance, in->instance_id, &i));
	TRY(ec2_instance_document(c->arena, &i, &shape));
	if (str_has(in->auto_recovery)) shape.maintenance_options->auto_recovery = in->auto_recovery;
	if (str_has(in->reboot_migration)) shape.maintenance_options->reboot_migration = in->reboot_migration;
	ec2_instance_document_put(c->arena, &i, &shape);
	ec2_instance_put(ec2_here(c), &i);
	out->instance_id = i.instance_id;
	out->auto_recovery = shape.maintenance_options->auto_recovery;
	out->reboot_migration = shape.maintenance_options->reboot_migration;
	return OK;
}

status ec2_modify_instance_placement(struct call *c, const struct ec2_modify_instance_placement_input *in,
	struct ec2_modify_instance_placement_output *out)
{
	struct ec2_rec_instance i;
	struct ec2_instance shape = {0};
	TRY(ec2_find(c, &ec2_type_instance, in->instance_id, &i));
	TRY(must_be_stopped(c, &i));
	if (str_has(in->group_name) && in->group_name.n) TRY(ec2_placement_group_check(c, in->group_name, STR_NONE));
	TRY(ec2_instance_document(c->arena, &i, &shape));
	ec2_copy(c->arena, TABLES, EC2_SHAPE_MODIFY_INSTANCE_PLACEMENT_REQUEST, in, TABLES, EC2_SHAPE_PLACEMENT,
		shape.placement);
	TRY(ec2_host_placement_check(c, shape.placement, shape.instance_type, i.zone));
	/* The next start looks for a host anew. */
	if (str_has(in->host_id) || str_has(in->tenancy)) i.dedicated_host = STR_NONE;
	ec2_instance_document_put(c->arena, &i, &shape);
	ec2_instance_put(ec2_here(c), &i);
	out->return_ = SOME_BOOL(true);
	return OK;
}
