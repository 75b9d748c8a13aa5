/* Instances of stack sets: made, changed, taken away, told of. What an operation does to each is stack_set_run.c. */
#include "base/rand.h"
#include "base/vec.h"
#include "services/cloudformation/stack_set.h"

enum { PAGE = 100 };

static status check_regions(struct call *c, const struct cloudformation_region_list *regions)
{
	if (!regions->n) return call_fail(c, ERR_VALIDATION, "Regions list cannot be empty");
	for (size_t i = 0; i < regions->n; i++)
		for (size_t k = 0; k < i; k++)
			if (str_eq(regions->v[i], regions->v[k]))
				return call_fail(
					c, ERR_VALIDATION, "Duplicate region provided: %.*s", STR_ARG(regions->v[i]));
	return OK;
}

/* Overrides are of parameters that the template declares. */
static status overrides(struct call *c, const struct cloudformation_rec_stack_set *s,
	const struct cloudformation_parameters *given, struct cloudformation_rec_parameters *out)
{
	struct cfn_template t;
	struct str why = STR("");
	size_t capacity = 0;
	*out = (struct cloudformation_rec_parameters){0};
	if (!given->n) return OK;
	if (!is_ok(cfn_template_read(c->arena, s->template, &t, &why))) return cfn_invalid(c, why);
	for (size_t i = 0; i < given->n; i++) {
		if (!str_has(given->v[i].parameter_key) || !json_member(t.parameters, given->v[i].parameter_key))
			return call_fail(c, ERR_VALIDATION, "Parameters: [%.*s] do not exist in the template",
				STR_ARG(str_or(given->v[i].parameter_key, STR(""))));
		*VEC_PUSH(c->arena, out, &capacity) = (struct cloudformation_rec_parameter){
			.key = given->v[i].parameter_key, .value = given->v[i].parameter_value};
	}
	return OK;
}

static void add_target(struct arena *a, struct cloudformation_rec_set_operation *o, size_t *capacity,
	struct cfn_set_account account, struct str region)
{
	*VEC_PUSH(a, &o->targets, capacity) = (struct cloudformation_rec_target){
		.account = account.account, .region = region, .unit = account.unit, .status = STR("PENDING")};
}

/* Automatic deployment goes to the units and regions that instances were ever made for. */
static void remember(struct call *c, struct cloudformation_rec_stack_set *s,
	const struct cloudformation_deployment_targets *targets, const struct cloudformation_region_list *regions)
{
	struct cloudformation_rec_texts units = {0}, all = {0};
	size_t units_capacity = 0, regions_capacity = 0;
	for (size_t i = 0; i < s->units.n; i++) *VEC_PUSH(c->arena, &units, &units_capacity) = s->units.v[i];
	for (size_t i = 0; i < s->regions.n; i++) *VEC_PUSH(c->arena, &all, &regions_capacity) = s->regions.v[i];
	for (size_t i = 0; targets && i < targets->organizational_unit_ids.n; i++) {
		struct cfn_names names = {units.v, units.n};
		if (!cfn_names_have(&names, targets->organizational_unit_ids.v[i]))
			*VEC_PUSH(c->arena, &units, &units_capacity) = targets->organizational_unit_ids.v[i];
	}
	for (size_t i = 0; i < regions->n; i++) {
		struct cfn_names names = {all.v, all.n};
		if (!cfn_names_have(&names, regions->v[i]))
			*VEC_PUSH(c->arena, &all, &regions_capacity) = regions->v[i];
	}
	s->units = units;
	s->regions = all;
}

status cloudformation_create_stack_instances(struct call *c,
	const struct cloudformation_create_stack_instances_input *in,
	struct cloudformation_create_stack_instances_output *out)
{
	struct cloudformation_rec_stack_set s;
	struct cloudformation_rec_set_operation o = {0};
	struct cloudformation_rec_parameters own;
	struct cfn_set_accounts accounts;
	size_t capacity = 0;
	TRY(cfn_set_load(c, in->stack_set_name, &s));
	TRY(check_regions(c, &in->regions));
	TRY(cfn_set_targets(c, &s, &in->accounts, in->deployment_targets, &accounts));
	TRY(overrides(c, &s, &in->parameter_overrides, &own));
	struct cfn_set_place p = cfn_set_place_of(c, in->stack_set_name);
	for (size_t r = 0; r < in->regions.n; r++)
		for (size_t i = 0; i < accounts.n; i++) {
			struct cloudformation_rec_set_instance old;
			status there = cfn_set_instance_get(p, accounts.v[i].account, in->regions.v[r], &old);
			if (!is_ok(there) && !status_is(there, STATUS_NOT_FOUND)) return there;
			if (!is_ok(there))
				old = (struct cloudformation_rec_set_instance){.account = accounts.v[i].account,
					.region = in->regions.v[r],
					.uuid = rand_uuid(c->arena)};
			if (own.n || !is_ok(there)) old.overrides = own;
			old.unit = accounts.v[i].unit;
			old.status = STR("OUTDATED");
			cfn_set_instance_put(p, &old);
			add_target(c->arena, &o, &capacity, accounts.v[i], in->regions.v[r]);
		}
	if (in->deployment_targets)
		o.units = (struct cloudformation_rec_texts){in->deployment_targets->organizational_unit_ids.v,
			in->deployment_targets->organizational_unit_ids.n};
	remember(c, &s, in->deployment_targets, &in->regions);
	TRY(cfn_set_begin(c, &s, in->operation_id, "CREATE", in->operation_preferences, &o));
	out->operation_id = o.id;
	return OK;
}

/* Those of the request that are there. FAILED: none is. */
static status existing(struct call *c, struct cfn_set_place p, const struct cfn_set_accounts *accounts,
	const struct cloudformation_region_list *regions, struct cloudformation_rec_set_operation *o)
{
	size_t capacity = 0;
	for (size_t r = 0; r < regions->n; r++)
		for (size_t i = 0; i < accounts->n; i++) {
			struct cloudformation_rec_set_instance old;
			status there = cfn_set_instance_get(p, accounts->v[i].account, regions->v[r], &old);
			if (status_is(there, STATUS_NOT_FOUND)) continue;
			TRY(there);
			add_target(c->arena, o, &capacity, accounts->v[i], regions->v[r]);
		}
	return OK;
}

status cloudformation_update_stack_instances(struct call *c,
	const struct cloudformation_update_stack_instances_input *in,
	struct cloudformation_update_stack_instances_output *out)
{
	struct cloudformation_rec_stack_set s;
	struct cloudformation_rec_set_operation o = {0};
	struct cloudformation_rec_parameters own;
	struct cfn_set_accounts accounts;
	TRY(cfn_set_load(c, in->stack_set_name, &s));
	TRY(check_regions(c, &in->regions));
	TRY(cfn_set_targets(c, &s, &in->accounts, in->deployment_targets, &accounts));
	TRY(overrides(c, &s, &in->parameter_overrides, &own));
	struct cfn_set_place p = cfn_set_place_of(c, in->stack_set_name);
	TRY(existing(c, p, &accounts, &in->regions, &o));
	if (o.targets.n < accounts.n * in->regions.n || !o.targets.n)
		return call_fail(c, CLOUDFORMATION_ERR_STACK_INSTANCE_NOT_FOUND_EXCEPTION,
			"One or more of the stack instances do not exist in StackSet %.*s", STR_ARG(s.id));
	for (size_t i = 0; i < o.targets.n; i++) {
		struct cloudformation_rec_set_instance r;
		TRY(cfn_set_instance_get(p, o.targets.v[i].account, o.targets.v[i].region, &r));
		/* "To leave an override as it is, specify UsePreviousValue; what is left out goes back to the stack
		 * set's value." */
		for (size_t k = 0; k < own.n; k++)
			for (size_t q = 0; in->parameter_overrides.v[k].use_previous_value.v && q < r.overrides.n; q++)
				if (str_eq(r.overrides.v[q].key, own.v[k].key)) own.v[k].value = r.overrides.v[q].value;
		r.overrides = own;
		r.status = STR("OUTDATED");
		cfn_set_instance_put(p, &r);
	}
	TRY(cfn_set_begin(c, &s, in->operation_id, "UPDATE", in->operation_preferences, &o));
	out->operation_id = o.id;
	return OK;
}

status cloudformation_delete_stack_instances(struct call *c,
	const struct cloudformation_delete_stack_instances_input *in,
	struct cloudformation_delete_stack_instances_output *out)
{
	struct cloudformation_rec_stack_set s;
	struct cloudformation_rec_set_operation o = {.retain = SOME_BOOL(in->retain_stacks.v)};
	struct cfn_set_accounts accounts;
	TRY(cfn_set_load(c, in->stack_set_name, &s));
	TRY(check_regions(c, &in->regions));
	TRY(cfn_set_targets(c, &s, &in->accounts, in->deployment_targets, &accounts));
	TRY(existing(c, cfn_set_place_of(c, in->stack_set_name), &accounts, &in->regions, &o));
	/* What automatic deployment was told of a unit is taken back with its instances. */
	if (in->deployment_targets && !in->deployment_targets->accounts.n) {
		struct cloudformation_rec_texts left = {0};
		size_t capacity = 0;
		for (size_t i = 0; i < s.units.n; i++) {
			bool gone = false;
			for (size_t k = 0; k < in->deployment_targets->organizational_unit_ids.n; k++)
				gone |= str_eq(s.units.v[i], in->deployment_targets->organizational_unit_ids.v[k]);
			if (!gone) *VEC_PUSH(c->arena, &left, &capacity) = s.units.v[i];
		}
		bool all_regions = true;
		for (size_t i = 0; i < s.regions.n; i++) {
			bool found = false;
			for (size_t k = 0; k < in->regions.n; k++) found |= str_eq(s.regions.v[i], in->regions.v[k]);
			all_regions &= found;
		}
		if (all_regions) s.units = left;
	}
	TRY(cfn_set_begin(c, &s, in->operation_id, "DELETE", in->operation_preferences, &o));
	out->operation_id = o.id;
	return OK;
}

status cloudformation_detect_stack_set_drift(struct call *c,
	const struct cloudformation_detect_stack_set_drift_input *in,
	struct cloudformation_detect_stack_set_drift_output *out)
{
	struct cloudformation_rec_stack_set s;
	struct cloudformation_rec_set_operation o = {0};
	struct cfn_set_instances all;
	size_t capacity = 0;
	TRY(cfn_set_load(c, in->stack_set_name, &s));
	TRY(cfn_set_instances(cfn_set_place_of(c, in->stack_set_name), &all));
	for (size_t i = 0; i < all.n; i++)
		if (str_has(all.v[i].stack_id))
			add_target(c->arena, &o, &capacity, (struct cfn_set_account){all.v[i].account, all.v[i].unit},
				all.v[i].region);
	TRY(cfn_set_begin(c, &s, in->operation_id, "DETECT_DRIFT", in->operation_preferences, &o));
	out->operation_id = o.id;
	return OK;
}

static struct opt_time at(struct opt_i64 t)
{
	return (struct opt_time){.has = t.has, .ms = t.v};
}

static struct cloudformation_stack_instance_comprehensive_status *detailed(
	struct arena *a, const struct cloudformation_rec_set_instance *i)
{
	struct cloudformation_stack_instance_comprehensive_status *d =
		arena_new(a, struct cloudformation_stack_instance_comprehensive_status);
	d->detailed_status = i->detailed;
	return d;
}

status cloudformation_describe_stack_instance(struct call *c,
	const struct cloudformation_describe_stack_instance_input *in,
	struct cloudformation_describe_stack_instance_output *out)
{
	struct cloudformation_rec_stack_set s;
	struct cloudformation_rec_set_instance i;
	size_t capacity = 0;
	TRY(cfn_set_load(c, in->stack_set_name, &s));
	status there = cfn_set_instance_get(
		cfn_set_place_of(c, in->stack_set_name), in->stack_instance_account, in->stack_instance_region, &i);
	if (status_is(there, STATUS_NOT_FOUND))
		return call_fail(c, CLOUDFORMATION_ERR_STACK_INSTANCE_NOT_FOUND_EXCEPTION,
			"Stack instance not found for Stack Set %.*s, Account %.*s, Region %.*s", STR_ARG(s.id),
			STR_ARG(in->stack_instance_account), STR_ARG(in->stack_instance_region));
	TRY(there);
	struct cloudformation_stack_instance *to = out->stack_instance =
		arena_new(c->arena, struct cloudformation_stack_instance);
	*to = (struct cloudformation_stack_instance){.stack_set_id = s.id,
		.region = i.region,
		.account = i.account,
		.stack_id = i.stack_id,
		.status = i.status,
		.stack_instance_status = detailed(c->arena, &i),
		.status_reason = i.reason,
		.organizational_unit_id = i.unit,
		.drift_status = str_or(i.drift_status, STR("NOT_CHECKED")),
		.last_drift_check_timestamp = at(i.drift_checked),
		.last_operation_id = i.operation};
	VEC_PRESENT(c->arena, &to->parameter_overrides);
	for (size_t k = 0; k < i.overrides.n; k++)
		*VEC_PUSH(c->arena, &to->parameter_overrides, &capacity) = (struct cloudformation_parameter){
			.parameter_key = i.overrides.v[k].key, .parameter_value = i.overrides.v[k].value};
	return OK;
}

static bool wanted(
	const struct cloudformation_list_stack_instances_input *in, const struct cloudformation_rec_set_instance *i)
{
	if (str_has(in->stack_instance_account) && !str_eq(in->stack_instance_account, i->account)) return false;
	if (str_has(in->stack_instance_region) && !str_eq(in->stack_instance_region, i->region)) return false;
	for (size_t k = 0; k < in->filters.n; k++) {
		struct str name = str_or(in->filters.v[k].name, STR("")),
			   value = str_or(in->filters.v[k].values, STR(""));
		struct str have = str_is(name, "DETAILED_STATUS")     ? i->detailed
				  : str_is(name, "LAST_OPERATION_ID") ? i->operation
				  : str_is(name, "DRIFT_STATUS")      ? str_or(i->drift_status, STR("NOT_CHECKED"))
								      : STR_NONE;
		if (!str_eq(str_or(have, STR("")), value)) return false;
	}
	return true;
}

status cloudformation_list_stack_instances(struct call *c, const struct cloudformation_list_stack_instances_input *in,
	struct cloudformation_list_stack_instances_output *out)
{
	struct cloudformation_rec_stack_set s;
	struct cfn_set_instances all;
	uint64_t from = 0;
	size_t capacity = 0, most = in->max_results.has ? (size_t)in->max_results.v : PAGE, i;
	TRY(cfn_set_load(c, in->stack_set_name, &s));
	TRY(cfn_set_instances(cfn_set_place_of(c, in->stack_set_name), &all));
	if (str_has(in->next_token) && (!is_ok(str_to_u64(in->next_token, &from)) || from > all.n))
		return call_fail(c, ERR_VALIDATION, "Invalid NextToken");
	VEC_PRESENT(c->arena, &out->summaries);
	for (i = (size_t)from; i < all.n && out->summaries.n < most; i++) {
		const struct cloudformation_rec_set_instance *r = &all.v[i];
		if (!wanted(in, r)) continue;
		*VEC_PUSH(c->arena, &out->summaries, &capacity) =
			(struct cloudformation_stack_instance_summary){.stack_set_id = s.id,
				.region = r->region,
				.account = r->account,
				.stack_id = r->stack_id,
				.status = r->status,
				.status_reason = r->reason,
				.stack_instance_status = detailed(c->arena, r),
				.organizational_unit_id = r->unit,
				.drift_status = str_or(r->drift_status, STR("NOT_CHECKED")),
				.last_drift_check_timestamp = at(r->drift_checked),
				.last_operation_id = r->operation};
	}
	if (i < all.n) out->next_token = str_fmt(c->arena, "%zu", i);
	return OK;
}

status cloudformation_list_stack_set_auto_deployment_targets(struct call *c,
	const struct cloudformation_list_stack_set_auto_deployment_targets_input *in,
	struct cloudformation_list_stack_set_auto_deployment_targets_output *out)
{
	struct cloudformation_rec_stack_set s;
	size_t capacity = 0;
	TRY(cfn_set_load(c, in->stack_set_name, &s));
	if (!cfn_set_is_service_managed(&s))
		return call_fail(
			c, ERR_VALIDATION, "Only StackSets with SERVICE_MANAGED permission model have such targets");
	VEC_PRESENT(c->arena, &out->summaries);
	for (size_t i = 0; i < s.units.n; i++)
		*VEC_PUSH(c->arena, &out->summaries, &capacity) =
			(struct cloudformation_stack_set_auto_deployment_target_summary){
				.organizational_unit_id = s.units.v[i], .regions = {s.regions.v, s.regions.n}};
	return OK;
}
