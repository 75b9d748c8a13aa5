/* Stack sets: made, changed, told of, deleted ("CreateStackSet" and its kin, CloudFormation API Reference). */
#include "services/cloudformation/stack_set.h"
#include "base/rand.h"
#include "base/vec.h"
#include "services/organizations/door.h"

enum { PAGE = 100 };

#define ADMIN_ROLE "AWSCloudFormationStackSetAdministrationRole"
#define EXECUTION_ROLE "AWSCloudFormationStackSetExecutionRole"

static bool valid_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];
		bool letter = (ch | 32) >= 'a' && (ch | 32) <= 'z', other = (ch >= '0' && ch <= '9') || ch == '-';
		if (!letter && (i == 0 || !other)) return false;
	}
	return s.n > 0 && s.n <= 128;
}

/* Parameters that the template declares; keys are checked, values are as they are given. */
static status take_parameters(struct call *c, const struct cfn_template *t,
	const struct cloudformation_parameters *given, const struct cloudformation_rec_parameters *before,
	struct cloudformation_rec_parameters *out)
{
	size_t capacity = 0;
	*out = (struct cloudformation_rec_parameters){0};
	for (size_t i = 0; i < given->n; i++) {
		const struct cloudformation_parameter *p = &given->v[i];
		struct str value = p->parameter_value;
		if (!str_has(p->parameter_key) || !json_member(t->parameters, p->parameter_key))
			return call_fail(c, ERR_VALIDATION, "Parameters: [%.*s] do not exist in the template",
				STR_ARG(str_or(p->parameter_key, STR(""))));
		for (size_t k = 0; p->use_previous_value.v && before && k < before->n; k++)
			if (str_eq(before->v[k].key, p->parameter_key)) value = before->v[k].value;
		*VEC_PUSH(c->arena, out, &capacity) =
			(struct cloudformation_rec_parameter){.key = p->parameter_key, .value = value};
	}
	return OK;
}

/* Every parameter without a default needs a value of the set's; those of instances come on top. */
static status all_given(struct call *c, const struct cfn_template *t, const struct cloudformation_rec_parameters *p)
{
	struct buf missing = BUF_IN(c->arena);
	for (const struct json_value *d = t->parameters ? t->parameters->first : NULL; d; d = d->next) {
		bool found = json_member(d, STR("Default")) != NULL;
		for (size_t i = 0; i < p->n; i++) found |= str_eq(p->v[i].key, d->name);
		if (found) continue;
		if (missing.n) buf_lit(&missing, ", ");
		buf_str(&missing, d->name);
	}
	if (!missing.n) return OK;
	return call_fail(c, ERR_VALIDATION, "Parameters: [%.*s] must have values", STR_ARG(buf_done(&missing)));
}

static status read_template(
	struct call *c, struct str body, struct str url, struct cloudformation_rec_stack_set *s, struct cfn_template *t)
{
	struct inside_caller who = cfn_call_who(c);
	struct cfn_object_read reader = {c->cloud, &who, c->arena};
	struct str why = STR("");
	if (!is_ok(cfn_template_text(&reader, body, url, &s->template, &why))) return cfn_invalid(c, why);
	if (!is_ok(cfn_template_read(c->arena, s->template, t, &why))) return cfn_invalid(c, why);
	if (!str_has(s->description)) s->description = t->description;
	return OK;
}

static void take_tags(struct call *c, const struct cloudformation_tags *tags, struct cloudformation_rec_stack_set *s)
{
	if (!tags->v) return;
	s->tags.v = arena_new_n(c->arena, struct cloudformation_rec_tag, tags->n + 1);
	s->tags.n = tags->n;
	for (size_t i = 0; i < tags->n; i++)
		s->tags.v[i] = (struct cloudformation_rec_tag){tags->v[i].key, tags->v[i].value};
}

/* "You must enable trusted access … before you create a stack set with service-managed permissions." */
static status check_organization(struct call *c)
{
	struct str id = organizations_of(c->tx, c->arena, c->account);
	struct organizations_place place;
	if (!str_has(id) || !organizations_trusts(c->tx, c->arena, id, STR(CFN_SETS_PRINCIPAL)))
		return call_fail(c, ERR_VALIDATION,
			"You must enable organizations access to operate a service managed stack set");
	TRY(organizations_place(c->tx, c->arena, c->account, &place));
	if (str_eq(place.master, c->account)) return OK;
	return call_fail(c, ERR_VALIDATION, "Only the management account can operate a service managed stack set here");
}

static status take_auto_deployment(
	struct call *c, const struct cloudformation_auto_deployment *a, struct cloudformation_rec_stack_set *s)
{
	if (a && !cfn_set_is_service_managed(s))
		return call_fail(c, ERR_VALIDATION,
			"AutoDeployment can only be specified for StackSets with SERVICE_MANAGED permission model");
	if (!a) return OK;
	if (a->enabled.v && !a->retain_stacks_on_account_removal.has)
		return call_fail(c, ERR_VALIDATION,
			"RetainStacksOnAccountRemoval has to be specified with AutoDeployment enabled");
	s->auto_deploy = SOME_BOOL(a->enabled.v);
	s->retain_on_removal = SOME_BOOL(a->retain_stacks_on_account_removal.v);
	return OK;
}

/* Automatic deployment looks at the organization now and then. */
static void watch(struct call *c, const struct cloudformation_rec_stack_set *s)
{
	struct cloudformation_rec_set_work work = {.account = s->account, .region = s->region, .name = s->name};
	struct job job = {.kind = STR(CFN_SET_WATCH_JOB),
		.id = str_fmt(c->arena, "%.*s/%.*s/%.*s", STR_ARG(s->account), STR_ARG(s->region), STR_ARG(s->name)),
		.due_ms = c->now_ms,
		.payload = cloudformation_rec_set_work_encode(c->arena, &work)};
	if (s->auto_deploy.v) jobs_schedule(c->tx, &job);
}

status cloudformation_create_stack_set(struct call *c, const struct cloudformation_create_stack_set_input *in,
	struct cloudformation_create_stack_set_output *out)
{
	struct cloudformation_rec_stack_set s, was;
	struct cfn_template t;
	struct cfn_set_place p = cfn_set_place_of(c, in->stack_set_name);
	if (!valid_name(in->stack_set_name))
		return call_fail(c, ERR_VALIDATION,
			"1 validation error detected: Value '%.*s' at 'stackSetName' failed to satisfy constraint: "
			"Member must "
			"satisfy regular expression pattern: [a-zA-Z][a-zA-Z0-9-]{0,127}",
			STR_ARG(in->stack_set_name));
	if (str_has(in->stack_id))
		return call_fail(c, ERR_VALIDATION, "virga does not make stack sets from a stack: give its template");
	status there = cfn_set_get(p, &was);
	if (!is_ok(there) && !status_is(there, STATUS_NOT_FOUND)) return there;
	if (is_ok(there) && !str_is(was.status, "DELETED")) {
		bool same = str_has(in->client_request_token) && str_has(was.client_token) &&
			    str_eq(in->client_request_token, was.client_token);
		out->stack_set_id = was.id;
		if (same) return OK;
		return call_fail(c, CLOUDFORMATION_ERR_NAME_ALREADY_EXISTS_EXCEPTION, "StackSet %.*s already exists",
			STR_ARG(in->stack_set_name));
	}
	s = (struct cloudformation_rec_stack_set){.name = in->stack_set_name,
		.id = str_fmt(c->arena, "%.*s:%.*s", STR_ARG(in->stack_set_name), STR_ARG(rand_uuid(c->arena))),
		.account = c->account,
		.region = c->region,
		.status = STR("ACTIVE"),
		.description = in->description,
		.permission_model = str_or(in->permission_model, STR("SELF_MANAGED")),
		.managed_execution = SOME_BOOL(in->managed_execution && in->managed_execution->active.v),
		.created = SOME_I64(c->now_ms),
		.operations = is_ok(there) ? was.operations : SOME_I64(0),
		.client_token = in->client_request_token};
	bool managed = cfn_set_is_service_managed(&s);
	if (managed) TRY(check_organization(c));
	if (managed && (str_has(in->administration_role_arn) || str_has(in->execution_role_name)))
		return call_fail(c, ERR_VALIDATION,
			"Roles cannot be specified for a StackSet with SERVICE_MANAGED permission model");
	if (!managed) {
		s.admin_role = str_has(in->administration_role_arn)
				       ? in->administration_role_arn
				       : str_fmt(c->arena, "arn:%.*s:iam::%.*s:role/" ADMIN_ROLE, STR_ARG(c->partition),
						 STR_ARG(c->account));
		s.execution_role = str_or(in->execution_role_name, STR(EXECUTION_ROLE));
	}
	TRY(take_auto_deployment(c, in->auto_deployment, &s));
	TRY(read_template(c, in->template_body, in->template_url, &s, &t));
	TRY(take_parameters(c, &t, &in->parameters, NULL, &s.parameters));
	TRY(all_given(c, &t, &s.parameters));
	take_tags(c, &in->tags, &s);
	s.capabilities = (struct cloudformation_rec_texts){in->capabilities.v, in->capabilities.n};
	cfn_set_put(p, &s);
	watch(c, &s);
	out->stack_set_id = s.id;
	return OK;
}

/* Does the operation go to this instance? accounts and regions both empty: to all. */
static bool chosen(const struct cfn_set_accounts *accounts, const struct cloudformation_region_list *regions,
	const struct cloudformation_rec_set_instance *i)
{
	bool account = !accounts->n, region = !regions->n;
	for (size_t k = 0; k < accounts->n; k++) account |= str_eq(accounts->v[k].account, i->account);
	for (size_t k = 0; k < regions->n; k++) region |= str_eq(regions->v[k], i->region);
	return account && region;
}

status cloudformation_update_stack_set(struct call *c, const struct cloudformation_update_stack_set_input *in,
	struct cloudformation_update_stack_set_output *out)
{
	struct cloudformation_rec_stack_set s;
	struct cloudformation_rec_parameters before;
	struct cloudformation_rec_set_operation o = {0};
	struct cfn_set_instances all;
	struct cfn_set_accounts accounts = {0};
	struct cfn_template t;
	struct str why = STR("");
	size_t capacity = 0;
	TRY(cfn_set_load(c, in->stack_set_name, &s));
	struct cfn_set_place p = cfn_set_place_of(c, in->stack_set_name);
	if (str_has(in->permission_model)) s.permission_model = in->permission_model;
	if (cfn_set_is_service_managed(&s)) TRY(check_organization(c));
	if (str_has(in->description)) s.description = in->description;
	if (str_has(in->administration_role_arn)) s.admin_role = in->administration_role_arn;
	if (str_has(in->execution_role_name)) s.execution_role = in->execution_role_name;
	TRY(take_auto_deployment(c, in->auto_deployment, &s));
	if (in->managed_execution) s.managed_execution = SOME_BOOL(in->managed_execution->active.v);
	if (in->use_previous_template.v) {
		if (!is_ok(cfn_template_read(c->arena, s.template, &t, &why))) return cfn_invalid(c, why);
	} else {
		TRY(read_template(c, in->template_body, in->template_url, &s, &t));
	}
	before = s.parameters;
	TRY(take_parameters(c, &t, &in->parameters, &before, &s.parameters));
	TRY(all_given(c, &t, &s.parameters));
	take_tags(c, &in->tags, &s);
	if (in->capabilities.v)
		s.capabilities = (struct cloudformation_rec_texts){in->capabilities.v, in->capabilities.n};
	if (in->accounts.n || in->deployment_targets)
		TRY(cfn_set_targets(c, &s, &in->accounts, in->deployment_targets, &accounts));
	TRY(cfn_set_instances(p, &all));
	for (size_t i = 0; i < all.n; i++) {
		struct cloudformation_rec_set_instance *r = &all.v[i];
		/* "OUTDATED: the stack isn't currently up to date with the stack set" */
		r->status = STR("OUTDATED");
		cfn_set_instance_put(p, r);
		if (chosen(&accounts, &in->regions, r))
			*VEC_PUSH(c->arena, &o.targets, &capacity) = (struct cloudformation_rec_target){
				.account = r->account, .region = r->region, .unit = r->unit, .status = STR("PENDING")};
	}
	TRY(cfn_set_begin(c, &s, in->operation_id, "UPDATE", in->operation_preferences, &o));
	watch(c, &s);
	out->operation_id = o.id;
	return OK;
}

status cloudformation_delete_stack_set(struct call *c, const struct cloudformation_delete_stack_set_input *in,
	struct cloudformation_delete_stack_set_output *out)
{
	struct cloudformation_rec_stack_set s;
	struct cfn_set_instances all;
	struct cfn_set_operations operations;
	(void)out;
	struct cfn_set_place p = cfn_set_place_of(c, in->stack_set_name);
	status there = cfn_set_get(p, &s);
	if (status_is(there, STATUS_NOT_FOUND) || (is_ok(there) && str_is(s.status, "DELETED"))) return OK;
	TRY(there);
	TRY(cfn_set_operations(p, &operations));
	for (size_t i = 0; i < operations.n; i++)
		if (!operations.v[i].ended.has)
			return call_fail(c, CLOUDFORMATION_ERR_OPERATION_IN_PROGRESS_EXCEPTION,
				"Another Operation on StackSet %.*s is in progress: %.*s", STR_ARG(s.id),
				STR_ARG(operations.v[i].id));
	TRY(cfn_set_instances(p, &all));
	if (all.n) return call_fail(c, CLOUDFORMATION_ERR_STACK_SET_NOT_EMPTY_EXCEPTION, "StackSet is not empty");
	s.status = STR("DELETED");
	cfn_set_put(p, &s);
	return OK;
}

status cloudformation_describe_stack_set(struct call *c, const struct cloudformation_describe_stack_set_input *in,
	struct cloudformation_describe_stack_set_output *out)
{
	struct cloudformation_rec_stack_set s;
	struct cfn_set_instances all;
	size_t regions = 0, units = 0;
	TRY(cfn_set_load(c, in->stack_set_name, &s));
	TRY(cfn_set_instances(cfn_set_place_of(c, in->stack_set_name), &all));
	struct cloudformation_stack_set *to = out->stack_set = arena_new(c->arena, struct cloudformation_stack_set);
	*to = (struct cloudformation_stack_set){.stack_set_name = s.name,
		.stack_set_id = s.id,
		.description = s.description,
		.status = s.status,
		.template_body = s.template,
		.stack_set_arn = call_arn(c, STR("cloudformation"), "stackset/%.*s", STR_ARG(s.id)),
		.administration_role_arn = s.admin_role,
		.execution_role_name = s.execution_role,
		.permission_model = s.permission_model,
		.capabilities = {s.capabilities.v, s.capabilities.n}};
	VEC_PRESENT(c->arena, &to->parameters);
	VEC_PRESENT(c->arena, &to->tags);
	VEC_PRESENT(c->arena, &to->regions);
	size_t parameters = 0, tags = 0;
	for (size_t i = 0; i < s.parameters.n; i++)
		*VEC_PUSH(c->arena, &to->parameters, &parameters) = (struct cloudformation_parameter){
			.parameter_key = s.parameters.v[i].key, .parameter_value = s.parameters.v[i].value};
	for (size_t i = 0; i < s.tags.n; i++)
		*VEC_PUSH(c->arena, &to->tags, &tags) = (struct cloudformation_tag){s.tags.v[i].key, s.tags.v[i].value};
	for (size_t i = 0; i < all.n; i++) {
		bool region = false, unit = !str_has(all.v[i].unit);
		for (size_t k = 0; k < to->regions.n; k++) region |= str_eq(to->regions.v[k], all.v[i].region);
		for (size_t k = 0; k < to->organizational_unit_ids.n; k++)
			unit |= str_eq(to->organizational_unit_ids.v[k], all.v[i].unit);
		if (!region) *VEC_PUSH(c->arena, &to->regions, &regions) = all.v[i].region;
		if (!unit) *VEC_PUSH(c->arena, &to->organizational_unit_ids, &units) = all.v[i].unit;
	}
	to->managed_execution = arena_new(c->arena, struct cloudformation_managed_execution);
	to->managed_execution->active = SOME_BOOL(s.managed_execution.v);
	if (cfn_set_is_service_managed(&s)) {
		to->auto_deployment = arena_new(c->arena, struct cloudformation_auto_deployment);
		to->auto_deployment->enabled = SOME_BOOL(s.auto_deploy.v);
		if (s.auto_deploy.v)
			to->auto_deployment->retain_stacks_on_account_removal = SOME_BOOL(s.retain_on_removal.v);
	}
	to->stack_set_drift_detection_details =
		arena_new(c->arena, struct cloudformation_stack_set_drift_detection_details);
	struct cloudformation_stack_set_drift_detection_details *d = to->stack_set_drift_detection_details;
	int32_t drifted = 0, same = 0;
	for (size_t i = 0; i < all.n; i++) {
		drifted += str_is(str_or(all.v[i].drift_status, STR("")), "DRIFTED");
		same += str_is(str_or(all.v[i].drift_status, STR("")), "IN_SYNC");
	}
	d->drift_status = str_or(s.drift_status, STR("NOT_CHECKED"));
	d->total_stack_instances_count = SOME_I32((int32_t)all.n);
	d->drifted_stack_instances_count = SOME_I32(drifted);
	d->in_sync_stack_instances_count = SOME_I32(same);
	d->in_progress_stack_instances_count = d->failed_stack_instances_count = SOME_I32(0);
	if (s.drift_checked.has) {
		d->last_drift_check_timestamp = SOME_TIME(s.drift_checked.v);
		d->drift_detection_status = STR("COMPLETED");
	}
	return OK;
}

status cloudformation_list_stack_sets(struct call *c, const struct cloudformation_list_stack_sets_input *in,
	struct cloudformation_list_stack_sets_output *out)
{
	struct key k = cfn_key(c->arena, "stackset", cfn_call_place(c));
	struct str from = key_done(&k), to = key_after(c->arena, from), key, value;
	if (str_has(in->next_token)) {
		key_str(&k, in->next_token);
		from = key_next(c->arena, key_done(&k));
	}
	size_t capacity = 0, most = in->max_results.has ? (size_t)in->max_results.v : PAGE;
	struct store_scan *scan = store_scan_begin(c->tx, from, to, false);
	status st = OK;
	VEC_PRESENT(c->arena, &out->summaries);
	while (is_ok(st) && store_scan_next(scan, &key, &value)) {
		struct cloudformation_rec_stack_set s = {0};
		st = cloudformation_rec_stack_set_decode(c->arena, str_dup(c->arena, value), &s);
		if (!is_ok(st) || (str_has(in->status) && !str_eq(in->status, s.status))) continue;
		if (out->summaries.n == most) {
			out->next_token = out->summaries.v[most - 1].stack_set_name;
			break;
		}
		struct cloudformation_stack_set_summary *o = VEC_PUSH(c->arena, &out->summaries, &capacity);
		*o = (struct cloudformation_stack_set_summary){.stack_set_name = s.name,
			.stack_set_id = s.id,
			.description = s.description,
			.status = s.status,
			.permission_model = s.permission_model,
			.drift_status = str_or(s.drift_status, STR("NOT_CHECKED"))};
		if (s.drift_checked.has) o->last_drift_check_timestamp = SOME_TIME(s.drift_checked.v);
	}
	status ended = store_scan_end(scan);
	return is_ok(st) ? ended : st;
}

/* ── the organization ── */

status cloudformation_activate_organizations_access(struct call *c,
	const struct cloudformation_activate_organizations_access_input *in,
	struct cloudformation_activate_organizations_access_output *out)
{
	(void)in, (void)out;
	struct str id = organizations_of(c->tx, c->arena, c->account);
	struct organizations_place place = {0};
	if (str_has(id)) TRY(organizations_place(c->tx, c->arena, c->account, &place));
	if (!str_has(id) || !str_eq(place.master, c->account) || !organizations_has_all_features(c->tx, c->arena, id))
		return call_fail(c, CLOUDFORMATION_ERR_INVALID_OPERATION_EXCEPTION,
			"Your account is not the management account of an organization with all features");
	return organizations_trust(c->tx, c->arena, id, STR(CFN_SETS_PRINCIPAL), c->now_ms);
}

status cloudformation_describe_organizations_access(struct call *c,
	const struct cloudformation_describe_organizations_access_input *in,
	struct cloudformation_describe_organizations_access_output *out)
{
	(void)in;
	struct str id = organizations_of(c->tx, c->arena, c->account);
	if (!str_has(id))
		return call_fail(
			c, CLOUDFORMATION_ERR_INVALID_OPERATION_EXCEPTION, "Your account is not in an organization");
	bool trusted = organizations_trusts(c->tx, c->arena, id, STR(CFN_SETS_PRINCIPAL));
	out->status = trusted ? STR("ENABLED") : STR("DISABLED");
	return OK;
}
