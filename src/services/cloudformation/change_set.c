/* Change sets: an update (or a creation) that is told before it is done. */
#include "base/rand.h"
#include "base/vec.h"
#include "services/cloudformation/operations.h"
#include "store/key.h"

struct str cfn_change_set_key(struct arena *a, const struct cloudformation_rec_stack *s, struct str name)
{
	struct key k = cfn_key(a, "change_set", cfn_place_of(s));
	key_str(&k, s->id);
	if (str_has(name)) key_str(&k, name);
	return key_done(&k);
}

static void put(
	struct call *c, const struct cloudformation_rec_stack *s, const struct cloudformation_rec_change_set *set)
{
	store_put(
		c->tx, cfn_change_set_key(c->arena, s, set->name), cloudformation_rec_change_set_encode(c->arena, set));
}

/* arn:aws:cloudformation:…:changeSet/NAME/ID gives NAME. */
static struct str name_of(struct str name_or_arn)
{
	ptrdiff_t at = str_find(name_or_arn, STR(":changeSet/"));
	if (at < 0) return name_or_arn;
	struct str rest = str_from(name_or_arn, (size_t)at + 11);
	return str_cut(&rest, '/');
}

status cfn_change_set_find(
	struct call *c, struct str arn, struct cloudformation_rec_stack *s, struct cloudformation_rec_change_set *set)
{
	struct key k = cfn_key(c->arena, "change_set", cfn_call_place(c));
	struct str from = key_done(&k), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	bool found = false;
	while (!found && store_scan_next(scan, &key, &value)) {
		*set = (struct cloudformation_rec_change_set){0};
		found = is_ok(cloudformation_rec_change_set_decode(c->arena, str_dup(c->arena, value), set)) &&
			str_eq(set->id, arn);
	}
	TRY(store_scan_end(scan));
	if (!found) return STATUS(NOT_FOUND);
	return cfn_stack_find(c->tx, c->arena, cfn_call_place(c), set->stack, s);
}

static status load(struct call *c, struct str stack_name, struct str name, struct cloudformation_rec_stack *s,
	struct cloudformation_rec_change_set *set)
{
	status st;
	if (str_has(stack_name)) {
		struct str bytes;
		TRY(cfn_load_stack(c, stack_name, s));
		st = store_get(c->tx, cfn_change_set_key(c->arena, s, name_of(name)), &bytes);
		if (is_ok(st)) st = cloudformation_rec_change_set_decode(c->arena, bytes, set);
	} else if (str_starts(name, STR("arn:"))) {
		st = cfn_change_set_find(c, name, s, set);
	} else {
		return call_fail(
			c, ERR_VALIDATION, "StackName must be specified if ChangeSetName is not specified as an ARN.");
	}
	if (status_is(st, STATUS_NOT_FOUND))
		return call_fail(c, CLOUDFORMATION_ERR_CHANGE_SET_NOT_FOUND_EXCEPTION,
			"ChangeSet [%.*s] does not exist", STR_ARG(name));
	return st;
}

status cfn_change_set_settings(struct call *c, const struct cloudformation_rec_stack *s, struct str name,
	const struct cloudformation_rec_settings **out)
{
	struct cloudformation_rec_stack ignored;
	struct cloudformation_rec_change_set set = {0};
	TRY(load(c, s->id, name, &ignored, &set));
	*out = set.settings;
	return OK;
}

static status stack_for(struct call *c, const struct cloudformation_create_change_set_input *in, bool create,
	struct cloudformation_rec_stack *s)
{
	bool same;
	if (!create) {
		TRY(cfn_load_stack(c, in->stack_name, s));
		return cfn_may_update(c, s);
	}
	TRY(cfn_stack_new(c, in->stack_name, s, STR_NONE, &same));
	if (str_has(s->status)) return OK;
	s->settings = arena_new(c->arena, struct cloudformation_rec_settings);
	cfn_stack_status(c->tx, c->arena, s, "REVIEW_IN_PROGRESS", STR("User Initiated"), c->now_ms);
	return OK;
}

/* "You can't create, update or delete resources in the operation that imports" */
static status only_imports(struct call *c, const struct json_value *changes, size_t found, size_t wanted)
{
	for (const struct json_value *v = changes->first; v; v = v->next)
		if (!str_is(str_or(cfn_at(v, "ResourceChange.Action"), STR("")), "Import"))
			return call_fail(c, ERR_VALIDATION,
				"As part of the import operation, you cannot modify or add [%.*s]",
				STR_ARG(str_or(cfn_at(v, "ResourceChange.LogicalResourceId"), STR(""))));
	if (found == wanted) return OK;
	return call_fail(c, ERR_VALIDATION, "Resources to import have to be in the template, and not in the stack yet");
}

status cloudformation_create_change_set(struct call *c, const struct cloudformation_create_change_set_input *in,
	struct cloudformation_create_change_set_output *out)
{
	struct arena *a = c->arena;
	struct cloudformation_rec_stack s = {0};
	struct cloudformation_rec_settings *settings = arena_new(a, struct cloudformation_rec_settings);
	struct cloudformation_rec_caller *caller = arena_new(a, struct cloudformation_rec_caller);
	struct cfn_template t;
	struct json_value *changes;
	struct str type = str_or(in->change_set_type, STR("UPDATE")), bytes;
	bool create = str_is(type, "CREATE"), import = str_is(type, "IMPORT");
	if (import != (in->resources_to_import.n > 0))
		return call_fail(c, ERR_VALIDATION,
			"ResourcesToImport is required for, and only for, change sets of type IMPORT");
	if (import) {
		struct cloudformation_rec_stack there = {0};
		create = status_is(
			cfn_stack_find(c->tx, a, cfn_call_place(c), in->stack_name, &there), STATUS_NOT_FOUND);
	}
	struct cfn_imports imports = {.existing = in->import_existing_resources.v,
		.given = &in->resources_to_import,
		.found = cfn_object(a),
		.nested = in->include_nested_stacks.v ? cfn_list(a) : NULL};
	struct cfn_actual actual = {.found = cfn_object(a)};
	bool revert = str_has(in->deployment_mode);
	if (revert && !str_is(type, "UPDATE"))
		return call_fail(c, ERR_VALIDATION,
			"DeploymentMode %.*s is only supported for change sets of type UPDATE",
			STR_ARG(in->deployment_mode));
	TRY(stack_for(c, in, create, &s));
	status st = store_get(c->tx, cfn_change_set_key(a, &s, in->change_set_name), &bytes);
	if (is_ok(st))
		return call_fail(c, CLOUDFORMATION_ERR_ALREADY_EXISTS_EXCEPTION, "ChangeSet %.*s already exists",
			STR_ARG(in->change_set_name));
	struct cfn_request request = {.template_body = in->template_body,
		.template_url = in->template_url,
		.use_previous_template = in->use_previous_template.v,
		.parameters = &in->parameters,
		.tags = &in->tags,
		.capabilities = &in->capabilities,
		.notification_arns = &in->notification_ar_ns,
		.role_arn = in->role_arn};
	TRY(cfn_settings_read(c, &request, create ? NULL : &s, settings, &t));
	TRY(cfn_changes(c, &s, settings, &t, &imports, revert ? &actual : NULL, &changes));
	if (import) TRY(only_imports(c, changes, imports.found->length, in->resources_to_import.n));
	cfn_caller_keep(c, caller);
	struct cloudformation_rec_change_set set = {.id = call_arn(c, STR("cloudformation"), "changeSet/%.*s/%.*s",
							    STR_ARG(in->change_set_name), STR_ARG(rand_uuid(a))),
		.name = in->change_set_name,
		.stack = s.id,
		.type = type,
		.status = STR("CREATE_COMPLETE"),
		.execution = STR("AVAILABLE"),
		.created = SOME_I64(c->now_ms),
		.settings = settings,
		.changes = cfn_json(a, changes),
		.import_resources = imports.found->length ? cfn_json(a, imports.found) : STR_NONE,
		.client_token = in->client_token,
		.description = in->description,
		.nested = in->include_nested_stacks,
		.on_failure = in->on_stack_failure,
		.mode = in->deployment_mode,
		.actual = actual.found->length ? cfn_json(a, actual.found) : STR_NONE,
		.drift_status = !revert          ? STR_NONE
				: actual.drifted ? STR("DRIFTED")
						 : STR("IN_SYNC"),
		.caller = caller};
	bool outputs = t.outputs && s.settings && !str_eq(settings->template, str_or(s.settings->template, STR("")));
	bool tags = s.settings && !cfn_tags_same(a, &settings->tags, &s.settings->tags);
	if (!create && !changes->length && !outputs && !tags) {
		set.status = STR("FAILED");
		set.execution = STR("UNAVAILABLE");
		set.reason = STR("The submitted information didn't contain changes. Submit different information to "
				 "create a change set.");
	}
	if (imports.nested) {
		cfn_nested_sets(c, &set, imports.nested, changes);
		set.changes = cfn_json(a, changes);
	}
	put(c, &s, &set);
	out->id = set.id;
	out->stack_id = s.id;
	return OK;
}

/* From the JSON in which they are kept. */
static void tell_changes(struct call *c, struct str text, bool values, struct cloudformation_changes *out)
{
	struct json_value *all;
	const struct wire_tables *t = &wire_service_cloudformation.tables;
	VEC_PRESENT(c->arena, out);
	if (!is_ok(json_read(c->arena, text, &all))) return;
	struct json_value *holder = cfn_object(c->arena);
	cfn_append(holder, STR("Changes"), all);
	struct str unknown;
	struct cloudformation_describe_change_set_output *o =
		cfn_api_input(c->arena, t, t->ops[CLOUDFORMATION_OP_DESCRIBE_CHANGE_SET].out, holder, &unknown);
	*out = o->changes;
	for (size_t i = 0; i < out->n && !values; i++) {
		struct cloudformation_resource_change *r = out->v[i].resource_change;
		for (size_t k = 0; k < r->details.n; k++)
			r->details.v[k].target->before_value = r->details.v[k].target->after_value = STR_NONE;
	}
}

status cloudformation_describe_change_set(struct call *c, const struct cloudformation_describe_change_set_input *in,
	struct cloudformation_describe_change_set_output *out)
{
	struct cloudformation_rec_stack s = {0};
	struct cloudformation_rec_change_set set = {0};
	TRY(load(c, in->stack_name, in->change_set_name, &s, &set));
	*out = (struct cloudformation_describe_change_set_output){.change_set_name = set.name,
		.change_set_id = set.id,
		.stack_id = s.id,
		.stack_name = s.name,
		.description = set.description,
		.creation_time = SOME_TIME(set.created.v),
		.execution_status = set.execution,
		.status = set.status,
		.status_reason = set.reason,
		.on_stack_failure = set.on_failure,
		.parent_change_set_id = set.parent,
		.root_change_set_id = set.root,
		.deployment_mode = set.mode,
		.stack_drift_status = set.drift_status,
		.include_nested_stacks = SOME_BOOL(set.nested.v)};
	out->rollback_configuration = arena_new(c->arena, struct cloudformation_rollback_configuration);
	tell_changes(c, str_or(set.changes, STR("[]")), in->include_property_values.v, &out->changes);
	size_t parameters = 0, tags = 0;
	for (size_t i = 0; set.settings && i < set.settings->parameters.n; i++) {
		const struct cloudformation_rec_parameter *p = &set.settings->parameters.v[i];
		*VEC_PUSH(c->arena, &out->parameters, &parameters) = (struct cloudformation_parameter){
			.parameter_key = p->key, .parameter_value = p->no_echo.v ? STR("****") : p->value};
	}
	for (size_t i = 0; set.settings && i < set.settings->tags.n; i++)
		*VEC_PUSH(c->arena, &out->tags, &tags) =
			(struct cloudformation_tag){set.settings->tags.v[i].key, set.settings->tags.v[i].value};
	if (set.settings && set.settings->capabilities.n)
		out->capabilities = (struct cloudformation_capabilities){
			set.settings->capabilities.v, set.settings->capabilities.n};
	VEC_PRESENT(c->arena, &out->notification_ar_ns);
	return OK;
}

/* All of a stack's; drop: they go. */
static status for_sets(struct call *c, const struct cloudformation_rec_stack *s, bool drop,
	struct cloudformation_change_set_summaries *out)
{
	struct str from = cfn_change_set_key(c->arena, s, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	size_t capacity = 0;
	status st = OK;
	while (is_ok(st) && store_scan_next(scan, &key, &value)) {
		struct cloudformation_rec_change_set set = {0};
		if (drop) {
			store_delete(c->tx, str_dup(c->arena, key));
			continue;
		}
		st = cloudformation_rec_change_set_decode(c->arena, str_dup(c->arena, value), &set);
		if (is_ok(st))
			*VEC_PUSH(c->arena, out, &capacity) =
				(struct cloudformation_change_set_summary){.stack_id = s->id,
					.stack_name = s->name,
					.change_set_id = set.id,
					.change_set_name = set.name,
					.execution_status = set.execution,
					.status = set.status,
					.status_reason = set.reason,
					.creation_time = SOME_TIME(set.created.v),
					.description = set.description,
					.include_nested_stacks = SOME_BOOL(set.nested.v)};
	}
	status ended = store_scan_end(scan);
	return is_ok(st) ? ended : st;
}

status cloudformation_list_change_sets(struct call *c, const struct cloudformation_list_change_sets_input *in,
	struct cloudformation_list_change_sets_output *out)
{
	struct cloudformation_rec_stack s = {0};
	TRY(cfn_load_stack(c, in->stack_name, &s));
	VEC_PRESENT(c->arena, &out->summaries);
	return for_sets(c, &s, false, &out->summaries);
}

status cloudformation_delete_change_set(struct call *c, const struct cloudformation_delete_change_set_input *in,
	struct cloudformation_delete_change_set_output *out)
{
	struct cloudformation_rec_stack s = {0};
	struct str bytes;
	(void)out;
	if (str_has(in->stack_name)) {
		TRY(cfn_load_stack(c, in->stack_name, &s));
		/* "DeleteChangeSet succeeds if the change set does not exist." */
		status st = store_get(c->tx, cfn_change_set_key(c->arena, &s, name_of(in->change_set_name)), &bytes);
		if (status_is(st, STATUS_NOT_FOUND)) return OK;
		TRY(st);
	} else {
		struct cloudformation_rec_change_set set = {0};
		TRY(load(c, STR_NONE, in->change_set_name, &s, &set));
	}
	struct cloudformation_rec_change_set gone = {0};
	TRY(load(c, s.id, in->change_set_name, &s, &gone));
	TRY(cfn_nested_drop(c, &gone));
	store_delete(c->tx, cfn_change_set_key(c->arena, &s, gone.name));
	return OK;
}

/* What the change set found to be otherwise than the records say stands in them from now on: the update brings it to
 * what the template says, and makes anew what is gone. */
static status take_actual(struct call *c, const struct cloudformation_rec_stack *s, struct str text)
{
	struct json_value *all;
	if (!str_has(text) || !is_ok(json_read(c->arena, text, &all))) return OK;
	for (const struct json_value *v = all->first; v; v = v->next) {
		struct cloudformation_rec_resource r = {0};
		status found = cfn_resource_get(c->tx, c->arena, s, v->name, &r);
		if (status_is(found, STATUS_NOT_FOUND)) continue;
		TRY(found);
		if (v->type == JSON_IS_NULL) {
			/* Under another name: services may remember the old one for a while. */
			r.physical_id = r.properties = r.attributes = STR_NONE;
			r.token = cfn_new_token(c->arena);
		} else {
			r.properties = cfn_json(c->arena, v);
		}
		r.drift = STR_NONE;
		cfn_resource_put(c->tx, c->arena, s, &r);
	}
	return OK;
}

status cloudformation_execute_change_set(struct call *c, const struct cloudformation_execute_change_set_input *in,
	struct cloudformation_execute_change_set_output *out)
{
	struct cloudformation_rec_stack s = {0};
	struct cloudformation_rec_change_set set = {0};
	(void)out;
	TRY(load(c, in->stack_name, in->change_set_name, &s, &set));
	if (!str_is(set.execution, "AVAILABLE"))
		return call_fail(c, CLOUDFORMATION_ERR_INVALID_CHANGE_SET_STATUS_EXCEPTION,
			"ChangeSet [%.*s] cannot be executed in its current status of [%.*s]", STR_ARG(set.id),
			STR_ARG(set.status));
	if (str_has(set.parent))
		return call_fail(c, ERR_VALIDATION,
			"ChangeSet [%.*s] is nested and cannot be executed by itself: execute the root change set %.*s",
			STR_ARG(set.id), STR_ARG(set.root));
	TRY(cfn_nested_drop(c, &set));
	bool import = str_is(set.type, "IMPORT"),
	     create = str_is(set.type, "CREATE") || (import && str_is(s.status, "REVIEW_IN_PROGRESS"));
	if (create && !str_is(s.status, "REVIEW_IN_PROGRESS"))
		return call_fail(c, ERR_VALIDATION,
			"Stack:%.*s is in %.*s state and can not be created by a change set.", STR_ARG(s.id),
			STR_ARG(s.status));
	if (!create) TRY(cfn_may_update(c, &s));
	/* The others were made for a stack that will not be the same. */
	TRY(for_sets(c, &s, true, NULL));
	s.change_set = set.id;
	s.policy_during_update = STR_NONE;
	s.disable_rollback = in->disable_rollback;
	s.on_failure = set.on_failure;
	if (!create) {
		TRY(take_actual(c, &s, set.actual));
		cfn_begin_update(c, &s, set.settings, in->client_request_token);
	} else {
		struct cloudformation_rec_caller *caller = arena_new(c->arena, struct cloudformation_rec_caller);
		cfn_caller_keep(c, caller);
		s.caller = caller;
		s.settings = set.settings;
		s.client_token = in->client_request_token;
		s.operation_id = SOME_I64(s.operation_id.v + 1);
		if (!import)
			cfn_stack_status(c->tx, c->arena, &s, "CREATE_IN_PROGRESS", STR("User Initiated"), c->now_ms);
		cfn_poke_after(c, s.id);
	}
	s.imports = set.import_resources;
	if (import) cfn_stack_status(c->tx, c->arena, &s, "IMPORT_IN_PROGRESS", STR("User Initiated"), c->now_ms);
	cfn_stack_put(c->tx, c->arena, &s);
	set.execution = STR("EXECUTE_COMPLETE");
	put(c, &s, &set);
	return OK;
}
