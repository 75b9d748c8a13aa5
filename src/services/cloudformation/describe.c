/* What stacks, their resources and their events are told as. */
#include "base/vec.h"
#include "services/cloudformation/operations.h"
#include "store/key.h"

enum { PAGE = 100 };
#define HIDDEN STR("****")

static struct opt_time at(struct opt_i64 ms)
{
	return ms.has ? SOME_TIME(ms.v) : (struct opt_time){0};
}

static void tell_parameters(
	struct arena *a, const struct cloudformation_rec_parameters *p, struct cloudformation_parameters *out)
{
	if (!p->n) return;
	out->v = arena_new_n(a, struct cloudformation_parameter, p->n);
	out->n = p->n;
	for (size_t i = 0; i < p->n; i++) {
		const struct cloudformation_rec_parameter *r = &p->v[i];
		bool looked_up = str_has(r->resolved) && !str_eq(r->resolved, r->value);
		out->v[i] = (struct cloudformation_parameter){.parameter_key = r->key,
			.parameter_value = r->no_echo.v ? HIDDEN : r->value,
			.resolved_value = looked_up ? r->resolved : STR_NONE};
	}
}

static void tell_tags(struct arena *a, const struct cloudformation_rec_tags *t, struct cloudformation_tags *out)
{
	out->v = arena_new_n(a, struct cloudformation_tag, t->n + 1);
	out->n = t->n;
	for (size_t i = 0; i < t->n; i++) out->v[i] = (struct cloudformation_tag){t->v[i].key, t->v[i].value};
}

static void tell_stack(struct arena *a, const struct cloudformation_rec_stack *s, struct cloudformation_stack *out)
{
	*out = (struct cloudformation_stack){.stack_id = s->id,
		.stack_name = s->name,
		.change_set_id = s->change_set,
		.creation_time = at(s->created),
		.last_updated_time = at(s->updated),
		.deletion_time = at(s->deleted),
		.stack_status = s->status,
		.stack_status_reason = s->reason,
		.disable_rollback = SOME_BOOL(s->disable_rollback.v),
		.timeout_in_minutes = s->timeout_minutes,
		.enable_termination_protection = SOME_BOOL(s->termination_protection.v),
		.parent_id = s->parent,
		.root_id = s->root};
	VEC_PRESENT(a, &out->notification_ar_ns);
	VEC_PRESENT(a, &out->tags);
	out->rollback_configuration = arena_new(a, struct cloudformation_rollback_configuration);
	out->drift_information = arena_new(a, struct cloudformation_stack_drift_information);
	out->drift_information->stack_drift_status = str_or(s->drift_status, STR("NOT_CHECKED"));
	if (s->drift_checked.has) out->drift_information->last_check_timestamp = SOME_TIME(s->drift_checked.v);
	if (s->settings) {
		const struct cloudformation_rec_settings *g = s->settings;
		if (g->notification_arns.n)
			out->notification_ar_ns = (struct cloudformation_notification_ar_ns){
				g->notification_arns.v, g->notification_arns.n};
		out->description = g->description;
		out->role_arn = g->role_arn;
		tell_parameters(a, &g->parameters, &out->parameters);
		tell_tags(a, &g->tags, &out->tags);
		if (g->capabilities.n)
			out->capabilities = (struct cloudformation_capabilities){g->capabilities.v, g->capabilities.n};
		if (g->notification_arns.n)
			out->notification_ar_ns = (struct cloudformation_notification_ar_ns){
				g->notification_arns.v, g->notification_arns.n};
	}
	if (!s->outputs.n) return;
	out->outputs.v = arena_new_n(a, struct cloudformation_output, s->outputs.n);
	out->outputs.n = s->outputs.n;
	for (size_t i = 0; i < s->outputs.n; i++) {
		const struct cloudformation_rec_output *o = &s->outputs.v[i];
		out->outputs.v[i] = (struct cloudformation_output){.output_key = o->key,
			.output_value = o->value,
			.description = o->description,
			.export_name = o->export};
	}
}

/* Every stack of the account and region, those behind `token` first; newest ids are in no order of time. */
typedef bool (*each_stack)(void *ctx, const struct cloudformation_rec_stack *s);
static status for_stacks(struct call *c, struct str token, size_t most, each_stack fn, void *ctx, struct str *next)
{
	struct key k = cfn_key(c->arena, "stack", cfn_call_place(c));
	struct str from = key_done(&k), to = key_after(c->arena, from), key, value;
	if (str_has(token)) {
		struct str id;
		if (!is_ok(str_unhex(c->arena, token, &id))) return call_fail(c, ERR_VALIDATION, "Invalid next token");
		key_str(&k, id);
		from = key_next(c->arena, key_done(&k));
	}
	struct store_scan *scan = store_scan_begin(c->tx, from, to, false);
	size_t n = 0;
	status st = OK;
	while (is_ok(st) && store_scan_next(scan, &key, &value)) {
		struct cloudformation_rec_stack s = {0};
		st = cloudformation_rec_stack_decode(c->arena, str_dup(c->arena, value), &s);
		if (!is_ok(st) || !fn(ctx, &s)) continue;
		if (++n < most) continue;
		*next = str_hex(c->arena, s.id);
		break;
	}
	status ended = store_scan_end(scan);
	return is_ok(st) ? ended : st;
}

struct describing {
	struct arena *a;
	struct cloudformation_stacks *out;
	size_t capacity;
};
static bool describe_one(void *ctx, const struct cloudformation_rec_stack *s)
{
	struct describing *d = ctx;
	if (str_is(s->status, "DELETE_COMPLETE")) return false;
	tell_stack(d->a, s, VEC_PUSH(d->a, d->out, &d->capacity));
	return true;
}

status cloudformation_describe_stacks(struct call *c, const struct cloudformation_describe_stacks_input *in,
	struct cloudformation_describe_stacks_output *out)
{
	struct describing d = {c->arena, &out->stacks, 0};
	VEC_PRESENT(c->arena, &out->stacks);
	if (!str_has(in->stack_name)) return for_stacks(c, in->next_token, PAGE, describe_one, &d, &out->next_token);
	struct cloudformation_rec_stack s = {0};
	TRY(cfn_load_stack(c, in->stack_name, &s));
	tell_stack(c->arena, &s, VEC_PUSH(c->arena, &out->stacks, &d.capacity));
	return OK;
}

struct listing {
	struct arena *a;
	const struct cloudformation_stack_status_filter *filter;
	struct cloudformation_stack_summaries *out;
	size_t capacity;
};
static bool list_one(void *ctx, const struct cloudformation_rec_stack *s)
{
	struct listing *l = ctx;
	bool wanted = !l->filter->n;
	for (size_t i = 0; i < l->filter->n && !wanted; i++) wanted = str_eq(l->filter->v[i], s->status);
	if (!wanted) return false;
	struct cloudformation_stack_summary *o = VEC_PUSH(l->a, l->out, &l->capacity);
	*o = (struct cloudformation_stack_summary){.stack_id = s->id,
		.stack_name = s->name,
		.template_description = s->settings ? s->settings->description : STR_NONE,
		.creation_time = at(s->created),
		.last_updated_time = at(s->updated),
		.deletion_time = at(s->deleted),
		.stack_status = s->status,
		.stack_status_reason = s->reason,
		.parent_id = s->parent,
		.root_id = s->root};
	o->drift_information = arena_new(l->a, struct cloudformation_stack_drift_information_summary);
	o->drift_information->stack_drift_status = str_or(s->drift_status, STR("NOT_CHECKED"));
	return true;
}

status cloudformation_list_stacks(struct call *c, const struct cloudformation_list_stacks_input *in,
	struct cloudformation_list_stacks_output *out)
{
	struct listing l = {c->arena, &in->stack_status_filter, &out->stack_summaries, 0};
	VEC_PRESENT(c->arena, &out->stack_summaries);
	return for_stacks(c, in->next_token, PAGE, list_one, &l, &out->next_token);
}

status cloudformation_describe_stack_events(struct call *c, const struct cloudformation_describe_stack_events_input *in,
	struct cloudformation_describe_stack_events_output *out)
{
	struct cloudformation_rec_stack s = {0};
	if (!str_has(in->stack_name)) return call_fail(c, ERR_VALIDATION, "Stack name must be specified");
	TRY(cfn_load_stack(c, in->stack_name, &s));
	struct key k = cfn_key(c->arena, "event", cfn_place_of(&s));
	key_str(&k, s.id);
	struct str from = key_done(&k), to = key_after(c->arena, from), key, value;
	if (str_has(in->next_token)) {
		uint64_t n;
		if (!is_ok(str_to_u64(in->next_token, &n))) return call_fail(c, ERR_VALIDATION, "Invalid next token");
		key_u64(&k, n);
		to = key_done(&k);
	}
	struct store_scan *scan = store_scan_begin(c->tx, from, to, true);
	size_t capacity = 0;
	status st = OK;
	VEC_PRESENT(c->arena, &out->stack_events);
	while (is_ok(st) && store_scan_next(scan, &key, &value)) {
		struct cloudformation_rec_event e = {0};
		uint64_t n;
		struct str rest = str_from(key, from.n);
		st = cloudformation_rec_event_decode(c->arena, str_dup(c->arena, value), &e);
		if (!is_ok(st)) break;
		*VEC_PUSH(c->arena, &out->stack_events, &capacity) =
			(struct cloudformation_stack_event){.stack_id = s.id,
				.stack_name = s.name,
				.event_id = e.id,
				.logical_resource_id = e.logical_id,
				.physical_resource_id = str_or(e.physical_id, STR("")),
				.resource_type = e.type,
				.timestamp = at(e.at),
				.resource_status = e.status,
				.resource_status_reason = e.reason,
				.resource_properties = e.properties,
				.client_request_token = e.token};
		if (out->stack_events.n < PAGE) continue;
		if (is_ok(key_read_u64(&rest, &n))) out->next_token = str_fmt(c->arena, "%llu", (unsigned long long)n);
		break;
	}
	status ended = store_scan_end(scan);
	return is_ok(st) ? ended : st;
}

static status load_one(struct call *c, struct str stack_name, struct str logical_id, struct cloudformation_rec_stack *s,
	struct cloudformation_rec_resource *r)
{
	TRY(cfn_load_stack(c, stack_name, s));
	status st = cfn_resource_get(c->tx, c->arena, s, logical_id, r);
	if (status_is(st, STATUS_NOT_FOUND))
		return call_fail(c, ERR_VALIDATION, "Resource %.*s does not exist for stack %.*s", STR_ARG(logical_id),
			STR_ARG(s->name));
	return st;
}

status cloudformation_describe_stack_resource(struct call *c,
	const struct cloudformation_describe_stack_resource_input *in,
	struct cloudformation_describe_stack_resource_output *out)
{
	struct cloudformation_rec_stack s = {0};
	struct cloudformation_rec_resource r;
	TRY(load_one(c, in->stack_name, in->logical_resource_id, &s, &r));
	struct cloudformation_stack_resource_detail *d = out->stack_resource_detail =
		arena_new(c->arena, struct cloudformation_stack_resource_detail);
	*d = (struct cloudformation_stack_resource_detail){.stack_name = s.name,
		.stack_id = s.id,
		.logical_resource_id = r.logical_id,
		.physical_resource_id = r.physical_id,
		.resource_type = r.type,
		.last_updated_timestamp = at(r.changed),
		.resource_status = r.status,
		.resource_status_reason = r.reason,
		.description = r.description,
		.metadata = str_or(r.metadata, STR("{}"))};
	d->drift_information = arena_new(c->arena, struct cloudformation_stack_resource_drift_information);
	d->drift_information->stack_resource_drift_status = cfn_drift_status(c->arena, &r);
	return OK;
}

/* "If PhysicalResourceId is specified, all of the resources of the stack that the resource belongs to are returned." */
static status owner_of(struct call *c, struct str physical_id, struct cloudformation_rec_stack *s)
{
	struct key k = cfn_key(c->arena, "resource", cfn_call_place(c));
	struct str from = key_done(&k), key, value, id = STR_NONE;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (!str_has(id) && store_scan_next(scan, &key, &value)) {
		struct cloudformation_rec_resource r = {0};
		struct str rest = str_from(key, from.n);
		if (!is_ok(cloudformation_rec_resource_decode(c->arena, value, &r))) continue;
		if (!str_has(r.physical_id) || !str_eq(r.physical_id, physical_id)) continue;
		if (!is_ok(key_read_str(c->arena, &rest, &id))) id = STR_NONE;
		id = str_has(id) ? str_dup(c->arena, id) : id;
	}
	TRY(store_scan_end(scan));
	if (!str_has(id)) return call_fail(c, ERR_VALIDATION, "Stack for %.*s does not exist", STR_ARG(physical_id));
	return cfn_load_stack(c, id, s);
}

status cloudformation_describe_stack_resources(struct call *c,
	const struct cloudformation_describe_stack_resources_input *in,
	struct cloudformation_describe_stack_resources_output *out)
{
	struct cloudformation_rec_stack s = {0};
	struct cfn_resources all;
	size_t capacity = 0;
	if (str_has(in->stack_name) == str_has(in->physical_resource_id))
		return call_fail(
			c, ERR_VALIDATION, "Either StackName or PhysicalResourceId must be specified, but not both");
	if (str_has(in->stack_name))
		TRY(cfn_load_stack(c, in->stack_name, &s));
	else
		TRY(owner_of(c, in->physical_resource_id, &s));
	TRY(cfn_resources_load(c->tx, c->arena, &s, &all));
	VEC_PRESENT(c->arena, &out->stack_resources);
	for (size_t i = 0; i < all.n; i++) {
		const struct cloudformation_rec_resource *r = &all.v[i];
		if (str_has(in->logical_resource_id) && !str_eq(in->logical_resource_id, r->logical_id)) continue;
		if (!str_has(r->status)) continue;
		struct cloudformation_stack_resource *o = VEC_PUSH(c->arena, &out->stack_resources, &capacity);
		*o = (struct cloudformation_stack_resource){.stack_name = s.name,
			.stack_id = s.id,
			.logical_resource_id = r->logical_id,
			.physical_resource_id = r->physical_id,
			.resource_type = r->type,
			.timestamp = at(r->changed),
			.resource_status = r->status,
			.resource_status_reason = r->reason,
			.description = r->description};
		o->drift_information = arena_new(c->arena, struct cloudformation_stack_resource_drift_information);
		o->drift_information->stack_resource_drift_status = cfn_drift_status(c->arena, r);
	}
	if (str_has(in->logical_resource_id) && !out->stack_resources.n)
		return call_fail(c, ERR_VALIDATION, "Resource %.*s does not exist for stack %.*s",
			STR_ARG(in->logical_resource_id), STR_ARG(s.name));
	return OK;
}

status cloudformation_list_stack_resources(struct call *c, const struct cloudformation_list_stack_resources_input *in,
	struct cloudformation_list_stack_resources_output *out)
{
	struct cloudformation_rec_stack s = {0};
	struct cfn_resources all;
	size_t capacity = 0;
	TRY(cfn_load_stack(c, in->stack_name, &s));
	TRY(cfn_resources_load(c->tx, c->arena, &s, &all));
	VEC_PRESENT(c->arena, &out->stack_resource_summaries);
	for (size_t i = 0; i < all.n; i++) {
		const struct cloudformation_rec_resource *r = &all.v[i];
		if (str_has(in->next_token) && str_cmp(r->logical_id, in->next_token) <= 0) continue;
		if (out->stack_resource_summaries.n == PAGE) {
			out->next_token = out->stack_resource_summaries.v[PAGE - 1].logical_resource_id;
			break;
		}
		struct cloudformation_stack_resource_summary *o =
			VEC_PUSH(c->arena, &out->stack_resource_summaries, &capacity);
		*o = (struct cloudformation_stack_resource_summary){.logical_resource_id = r->logical_id,
			.physical_resource_id = r->physical_id,
			.resource_type = r->type,
			.last_updated_timestamp = at(r->changed),
			.resource_status = r->status,
			.resource_status_reason = r->reason};
		o->drift_information =
			arena_new(c->arena, struct cloudformation_stack_resource_drift_information_summary);
		o->drift_information->stack_resource_drift_status = cfn_drift_status(c->arena, r);
	}
	return OK;
}

status cloudformation_list_exports(struct call *c, const struct cloudformation_list_exports_input *in,
	struct cloudformation_list_exports_output *out)
{
	struct key k = cfn_key(c->arena, "export", cfn_call_place(c));
	struct str from = key_done(&k), to = key_after(c->arena, from), key, value;
	if (str_has(in->next_token)) {
		key_str(&k, in->next_token);
		from = key_next(c->arena, key_done(&k));
	}
	struct store_scan *scan = store_scan_begin(c->tx, from, to, false);
	size_t capacity = 0;
	status st = OK;
	VEC_PRESENT(c->arena, &out->exports);
	while (is_ok(st) && store_scan_next(scan, &key, &value)) {
		struct cloudformation_rec_export e = {0};
		st = cloudformation_rec_export_decode(c->arena, str_dup(c->arena, value), &e);
		if (is_ok(st))
			*VEC_PUSH(c->arena, &out->exports, &capacity) =
				(struct cloudformation_export){e.stack, e.name, e.value};
		if (out->exports.n < PAGE) continue;
		out->next_token = e.name;
		break;
	}
	status ended = store_scan_end(scan);
	return is_ok(st) ? ended : st;
}

status cloudformation_list_imports(struct call *c, const struct cloudformation_list_imports_input *in,
	struct cloudformation_list_imports_output *out)
{
	struct cfn_names users;
	TRY(cfn_export_users(c->tx, c->arena, cfn_call_place(c), in->export_name, &users));
	if (!users.n)
		return call_fail(
			c, ERR_VALIDATION, "Export '%.*s' is not imported by any stack.", STR_ARG(in->export_name));
	out->imports = (struct cloudformation_imports){users.v, users.n};
	return OK;
}

status cloudformation_get_template(struct call *c, const struct cloudformation_get_template_input *in,
	struct cloudformation_get_template_output *out)
{
	struct cloudformation_rec_stack s = {0};
	static struct str stages[] = {{"Original", 8}, {"Processed", 9}};
	const struct cloudformation_rec_settings *g;
	if (!str_has(in->stack_name)) return call_fail(c, ERR_VALIDATION, "StackName must be specified");
	TRY(cfn_load_stack(c, in->stack_name, &s));
	g = s.settings;
	if (str_has(in->change_set_name)) TRY(cfn_change_set_settings(c, &s, in->change_set_name, &g));
	/* In REVIEW_IN_PROGRESS it has none yet. */
	if (!g || !str_has(g->template)) {
		out->template_body = STR("");
		return OK;
	}
	out->template_body = g->template;
	out->stages_available = (struct cloudformation_stage_list){stages, 2};
	if (!str_is(str_or(in->template_stage, STR("Original")), "Processed")) return OK;
	struct cfn_template t;
	struct inside_caller who = cfn_call_who(c);
	struct str why;
	if (!is_ok(cfn_template_load(c->cloud, &who, c->arena, g->template, &g->parameters, &t, &why)))
		return cfn_invalid(c, why);
	if (t.transform || t.language_extensions) out->template_body = cfn_json(c->arena, t.root);
	return OK;
}
