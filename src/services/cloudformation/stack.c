/* Stacks: CreateStack, UpdateStack, DeleteStack and what ends or mends them. */
#include "services/cloudformation/operations.h"

status cloudformation_create_stack(struct call *c, const struct cloudformation_create_stack_input *in,
	struct cloudformation_create_stack_output *out)
{
	struct arena *a = c->arena;
	struct cfn_template t;
	struct cloudformation_rec_stack s = {0};
	struct cloudformation_rec_settings *settings = arena_new(a, struct cloudformation_rec_settings);
	bool same;
	if (in->on_failure.p && in->disable_rollback.has)
		return call_fail(
			c, ERR_VALIDATION, "You can specify either DisableRollback or OnFailure, but not both.");
	TRY(cfn_stack_new(c, in->stack_name, &s, in->client_request_token, &same));
	out->stack_id = s.id;
	if (same) return OK;
	if (str_is(str_or(s.status, STR("")), "REVIEW_IN_PROGRESS"))
		return call_fail(c, CLOUDFORMATION_ERR_ALREADY_EXISTS_EXCEPTION, "Stack [%.*s] already exists",
			STR_ARG(in->stack_name));
	struct cfn_request request = {.template_body = in->template_body,
		.template_url = in->template_url,
		.parameters = &in->parameters,
		.tags = &in->tags,
		.capabilities = &in->capabilities,
		.notification_arns = &in->notification_ar_ns,
		.role_arn = in->role_arn};
	TRY(cfn_settings_read(c, &request, NULL, settings, &t));
	TRY(cfn_policy_read(c, in->stack_policy_body, in->stack_policy_url, &s.policy));
	s.settings = settings;
	s.on_failure = in->on_failure;
	s.disable_rollback = in->disable_rollback;
	s.timeout_minutes = in->timeout_in_minutes;
	if (in->timeout_in_minutes.has) s.deadline = SOME_I64(c->now_ms + (int64_t)in->timeout_in_minutes.v * 60000);
	s.termination_protection = in->enable_termination_protection;
	s.retain_except_on_create = in->retain_except_on_create;
	s.operation_id = SOME_I64(1);
	cfn_stack_status(c->tx, a, &s, "CREATE_IN_PROGRESS", STR("User Initiated"), c->now_ms);
	cfn_poke_after(c, s.id);
	return OK;
}

status cloudformation_update_stack(struct call *c, const struct cloudformation_update_stack_input *in,
	struct cloudformation_update_stack_output *out)
{
	struct arena *a = c->arena;
	struct cfn_template t;
	struct cloudformation_rec_stack s = {0};
	struct cloudformation_rec_settings *settings = arena_new(a, struct cloudformation_rec_settings);
	TRY(cfn_load_stack(c, in->stack_name, &s));
	out->stack_id = s.id;
	if (str_has(in->client_request_token) && str_has(s.client_token) &&
		str_eq(in->client_request_token, s.client_token))
		return OK;
	TRY(cfn_may_update(c, &s));
	struct cfn_request request = {.template_body = in->template_body,
		.template_url = in->template_url,
		.use_previous_template = in->use_previous_template.v,
		.parameters = &in->parameters,
		.tags = &in->tags,
		.capabilities = &in->capabilities,
		.notification_arns = &in->notification_ar_ns,
		.role_arn = in->role_arn};
	TRY(cfn_settings_read(c, &request, &s, settings, &t));
	struct json_value *changes;
	TRY(cfn_changes(c, &s, settings, &t, NULL, NULL, &changes));
	bool outputs = !str_eq(settings->template, s.settings->template) && t.outputs,
	     tags = !cfn_tags_same(a, &settings->tags, &s.settings->tags);
	if (!changes->length && !outputs && !tags && !str_is(s.status, "UPDATE_FAILED"))
		return call_fail(c, ERR_VALIDATION, "No updates are to be performed.");
	struct str policy;
	TRY(cfn_policy_read(c, in->stack_policy_body, in->stack_policy_url, &policy));
	if (str_has(policy)) s.policy = policy;
	TRY(cfn_policy_read(
		c, in->stack_policy_during_update_body, in->stack_policy_during_update_url, &s.policy_during_update));
	s.disable_rollback = in->disable_rollback;
	cfn_begin_update(c, &s, settings, in->client_request_token);
	return OK;
}

status cloudformation_delete_stack(
	struct call *c, const struct cloudformation_delete_stack_input *in, struct wire_nothing *out)
{
	struct arena *a = c->arena;
	struct cloudformation_rec_stack s = {0};
	(void)out;
	status st = cfn_stack_find(c->tx, a, cfn_call_place(c), in->stack_name, &s);
	/* "If the stack doesn't exist, the call succeeds." */
	if (status_is(st, STATUS_NOT_FOUND) || (is_ok(st) && str_is(s.status, "DELETE_COMPLETE"))) return OK;
	TRY(st);
	if (str_is(s.status, "DELETE_IN_PROGRESS")) return OK;
	if (s.termination_protection.v)
		return call_fail(c, ERR_VALIDATION,
			"Stack [%.*s] cannot be deleted while TerminationProtection is enabled", STR_ARG(s.name));
	if (in->retain_resources.n && !str_is(s.status, "DELETE_FAILED"))
		return call_fail(c, ERR_VALIDATION,
			"Invalid operation on stack [%.*s]. The RetainResources parameter may only be used with a "
			"stack in the DELETE_FAILED state.",
			STR_ARG(s.id));
	if (str_ends(s.status, STR("_IN_PROGRESS")) && !str_is(s.status, "CREATE_IN_PROGRESS") &&
		!str_is(s.status, "REVIEW_IN_PROGRESS"))
		return call_fail(c, ERR_VALIDATION, "Stack [%.*s] cannot be deleted while in status %.*s",
			STR_ARG(s.id), STR_ARG(s.status));
	for (size_t i = 0; i < s.outputs.n; i++) {
		struct cfn_names users = {0};
		if (!str_has(s.outputs.v[i].export)) continue;
		TRY(cfn_export_users(c->tx, a, cfn_place_of(&s), s.outputs.v[i].export, &users));
		if (users.n)
			return call_fail(c, ERR_VALIDATION, "Export %.*s cannot be deleted as it is in use by %.*s",
				STR_ARG(s.outputs.v[i].export), STR_ARG(users.v[0]));
	}
	struct cloudformation_rec_caller *caller = arena_new(a, struct cloudformation_rec_caller);
	cfn_caller_keep(c, caller);
	s.caller = caller;
	s.client_token = in->client_request_token;
	s.retain = (struct cloudformation_rec_texts){in->retain_resources.v, in->retain_resources.n};
	bool review = str_is(s.status, "REVIEW_IN_PROGRESS");
	if (!s.settings) s.settings = arena_new(a, struct cloudformation_rec_settings);
	if (str_has(in->role_arn)) s.settings->role_arn = in->role_arn;
	s.operation_id = SOME_I64(s.operation_id.v + 1);
	if (review) s.deleted = SOME_I64(c->now_ms);
	cfn_stack_status(
		c->tx, a, &s, review ? "DELETE_COMPLETE" : "DELETE_IN_PROGRESS", STR("User Initiated"), c->now_ms);
	cfn_poke_after(c, s.id);
	return OK;
}

status cloudformation_cancel_update_stack(
	struct call *c, const struct cloudformation_cancel_update_stack_input *in, struct wire_nothing *out)
{
	struct cloudformation_rec_stack s = {0};
	(void)out;
	TRY(cfn_load_stack(c, in->stack_name, &s));
	if (!str_is(s.status, "UPDATE_IN_PROGRESS"))
		return call_fail(c, ERR_VALIDATION, "CancelUpdateStack cannot be called from current stack status");
	/* What is under way is let finish, nothing more begins, and the engine goes back. */
	s.operation = STR("cancel");
	cfn_stack_put(c->tx, c->arena, &s);
	cfn_poke_after(c, s.id);
	return OK;
}

status cloudformation_continue_update_rollback(struct call *c,
	const struct cloudformation_continue_update_rollback_input *in,
	struct cloudformation_continue_update_rollback_output *out)
{
	struct cloudformation_rec_stack s = {0};
	(void)out;
	TRY(cfn_load_stack(c, in->stack_name, &s));
	if (!str_is(s.status, "UPDATE_ROLLBACK_FAILED"))
		return call_fail(c, ERR_VALIDATION, "Stack:%.*s is in %.*s state and can not continue its rollback.",
			STR_ARG(s.id), STR_ARG(s.status));
	s.operation_id = SOME_I64(s.operation_id.v + 1);
	for (size_t i = 0; i < in->resources_to_skip.n; i++) {
		struct cloudformation_rec_resource r;
		status st = cfn_resource_get(c->tx, c->arena, &s, in->resources_to_skip.v[i], &r);
		if (status_is(st, STATUS_NOT_FOUND))
			return call_fail(c, ERR_VALIDATION, "Resource %.*s does not exist in stack",
				STR_ARG(in->resources_to_skip.v[i]));
		TRY(st);
		r.status = STR("UPDATE_COMPLETE");
		r.step = STR("done");
		r.step_operation = s.operation_id;
		cfn_resource_put(c->tx, c->arena, &s, &r);
	}
	cfn_stack_status(c->tx, c->arena, &s, "UPDATE_ROLLBACK_IN_PROGRESS", STR("User Initiated"), c->now_ms);
	cfn_poke_after(c, s.id);
	return OK;
}

status cloudformation_rollback_stack(struct call *c, const struct cloudformation_rollback_stack_input *in,
	struct cloudformation_rollback_stack_output *out)
{
	struct cloudformation_rec_stack s = {0};
	TRY(cfn_load_stack(c, in->stack_name, &s));
	bool create = str_is(s.status, "CREATE_FAILED"), update = str_is(s.status, "UPDATE_FAILED");
	if (!create && !update)
		return call_fail(c, ERR_VALIDATION, "Stack:%.*s is in %.*s state and can not be rolled back.",
			STR_ARG(s.id), STR_ARG(s.status));
	out->stack_id = s.id;
	s.operation_id = SOME_I64(s.operation_id.v + 1);
	cfn_stack_status(c->tx, c->arena, &s, create ? "ROLLBACK_IN_PROGRESS" : "UPDATE_ROLLBACK_IN_PROGRESS",
		STR("User Initiated"), c->now_ms);
	cfn_poke_after(c, s.id);
	return OK;
}

status cloudformation_update_termination_protection(struct call *c,
	const struct cloudformation_update_termination_protection_input *in,
	struct cloudformation_update_termination_protection_output *out)
{
	struct cloudformation_rec_stack s = {0};
	TRY(cfn_load_stack(c, in->stack_name, &s));
	s.termination_protection = in->enable_termination_protection;
	cfn_stack_put(c->tx, c->arena, &s);
	out->stack_id = s.id;
	return OK;
}
