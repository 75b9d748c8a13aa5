/* Stack refactors: resources move between stacks, or get another logical id, and stay what they are ("Stack
 * refactoring"). A refactor is checked as a whole when it is made, and once more when it is executed; then all stacks
 * become what it says in one transaction. */
#include "base/rand.h"
#include "base/vec.h"
#include "services/cloudformation/recipe.h"
#include "services/cloudformation/refactor.h"
#include "store/key.h"

enum { PAGE = 100, STACKS_MAX = 5 };

static struct str refactor_key(struct call *c, struct str id)
{
	struct key k = cfn_key(c->arena, "refactor", cfn_call_place(c));
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

static void put(struct call *c, const struct cloudformation_rec_refactor *r)
{
	store_put(c->tx, refactor_key(c, r->id), cloudformation_rec_refactor_encode(c->arena, r));
}

static status load(struct call *c, struct str id, struct cloudformation_rec_refactor *r)
{
	struct str bytes;
	status s = store_get(c->tx, refactor_key(c, id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(c, CLOUDFORMATION_ERR_STACK_REFACTOR_NOT_FOUND_EXCEPTION,
			"StackRefactor [%.*s] does not exist", STR_ARG(id));
	TRY(s);
	*r = (struct cloudformation_rec_refactor){0};
	return cloudformation_rec_refactor_decode(c->arena, bytes, r);
}

status cloudformation_create_stack_refactor(struct call *c, const struct cloudformation_create_stack_refactor_input *in,
	struct cloudformation_create_stack_refactor_output *out)
{
	struct arena *a = c->arena;
	struct inside_caller who = cfn_call_who(c);
	struct cfn_object_read reader = {c->cloud, &who, a};
	struct refactor_plan p = {.c = c, .n = in->stack_definitions.n};
	struct cloudformation_rec_refactor r = {.id = rand_uuid(a),
		.description = in->description,
		.created = SOME_I64(c->now_ms),
		.status = STR("CREATE_COMPLETE"),
		.execution = STR("AVAILABLE")};
	struct str why = STR_NONE;
	size_t capacity = 0;
	if (!p.n || p.n > STACKS_MAX)
		return call_fail(c, ERR_VALIDATION, "A stack refactor is about 1 to %d stacks", STACKS_MAX);
	p.v = arena_new_n(a, struct refactor_stack, p.n);
	for (size_t i = 0; i < p.n; i++) {
		const struct cloudformation_stack_definition *d = &in->stack_definitions.v[i];
		for (size_t k = 0; k < i; k++)
			if (str_eq(p.v[k].name, str_or(d->stack_name, STR(""))))
				return call_fail(
					c, ERR_VALIDATION, "Stack %.*s is defined twice", STR_ARG(d->stack_name));
		if (!str_has(d->stack_name))
			return call_fail(c, ERR_VALIDATION, "Every stack definition needs a StackName");
		p.v[i].name = d->stack_name;
		if (!is_ok(cfn_template_text(&reader, d->template_body, d->template_url, &p.v[i].text, &why)))
			return cfn_invalid(c, why);
	}
	for (size_t i = 0; i < in->resource_mappings.n; i++) {
		const struct cloudformation_resource_mapping *m = &in->resource_mappings.v[i];
		*VEC_PUSH(a, &p.moves, &p.moves_capacity) =
			(struct cloudformation_rec_refactor_move){.source_stack = m->source->stack_name,
				.source = m->source->logical_resource_id,
				.stack = m->destination->stack_name,
				.logical_id = m->destination->logical_resource_id};
	}
	status planned = cfn_refactor_plan(&p, in->enable_stack_creation.v, &why);
	if (!is_ok(planned) && !str_has(why)) return planned;
	if (!is_ok(planned)) {
		r.status = STR("CREATE_FAILED");
		r.reason = why;
		r.execution = STR("UNAVAILABLE");
	}
	for (size_t i = 0; i < p.n; i++)
		*VEC_PUSH(a, &r.stacks, &capacity) = (struct cloudformation_rec_refactor_stack){.name = p.v[i].name,
			.stack = p.v[i].made ? STR_NONE : p.v[i].s.id,
			.template = p.v[i].text,
			.operation_id = p.v[i].s.operation_id};
	r.moves = p.moves;
	put(c, &r);
	out->stack_refactor_id = r.id;
	return OK;
}

status cloudformation_describe_stack_refactor(struct call *c,
	const struct cloudformation_describe_stack_refactor_input *in,
	struct cloudformation_describe_stack_refactor_output *out)
{
	struct cloudformation_rec_refactor r;
	size_t capacity = 0;
	TRY(load(c, in->stack_refactor_id, &r));
	*out = (struct cloudformation_describe_stack_refactor_output){.description = r.description,
		.stack_refactor_id = r.id,
		.execution_status = r.execution,
		.execution_status_reason = r.execution_reason,
		.status = r.status,
		.status_reason = r.reason};
	VEC_PRESENT(c->arena, &out->stack_ids);
	for (size_t i = 0; i < r.stacks.n; i++)
		if (str_has(r.stacks.v[i].stack)) *VEC_PUSH(c->arena, &out->stack_ids, &capacity) = r.stacks.v[i].stack;
	return OK;
}

status cloudformation_list_stack_refactors(struct call *c, const struct cloudformation_list_stack_refactors_input *in,
	struct cloudformation_list_stack_refactors_output *out)
{
	struct arena *a = c->arena;
	struct str from = refactor_key(c, STR_NONE), start = from, key, value;
	size_t capacity = 0, most = in->max_results.has && in->max_results.v > 0 ? (size_t)in->max_results.v : PAGE;
	if (str_has(in->next_token)) start = key_after(a, refactor_key(c, in->next_token));
	struct store_scan *scan = store_scan_begin(c->tx, start, key_after(a, from), false);
	VEC_PRESENT(a, &out->stack_refactor_summaries);
	status st = OK;
	while (is_ok(st) && store_scan_next(scan, &key, &value)) {
		struct cloudformation_rec_refactor r = {0};
		st = cloudformation_rec_refactor_decode(a, str_dup(a, value), &r);
		bool wanted = !in->execution_status_filter.n;
		for (size_t i = 0; i < in->execution_status_filter.n; i++)
			wanted |= str_eq(in->execution_status_filter.v[i], r.execution);
		if (!is_ok(st) || !wanted) continue;
		if (out->stack_refactor_summaries.n == most) {
			out->next_token = out->stack_refactor_summaries.v[most - 1].stack_refactor_id;
			break;
		}
		*VEC_PUSH(a, &out->stack_refactor_summaries, &capacity) =
			(struct cloudformation_stack_refactor_summary){.stack_refactor_id = r.id,
				.description = r.description,
				.execution_status = r.execution,
				.execution_status_reason = r.execution_reason,
				.status = r.status,
				.status_reason = r.reason};
	}
	status ended = store_scan_end(scan);
	return is_ok(st) ? ended : st;
}

/* The names of tags that tell a resource's stack; their values are the new ones. */
static void tell_tags(struct arena *a, const struct cloudformation_rec_refactor_move *m, struct str stack_id,
	struct cloudformation_stack_refactor_tag_resources *out)
{
	size_t capacity = 0;
	*VEC_PUSH(a, out, &capacity) = (struct cloudformation_tag){STR("aws:cloudformation:stack-name"), m->stack};
	if (str_has(stack_id))
		*VEC_PUSH(a, out, &capacity) =
			(struct cloudformation_tag){STR("aws:cloudformation:stack-id"), stack_id};
	*VEC_PUSH(a, out, &capacity) = (struct cloudformation_tag){STR("aws:cloudformation:logical-id"), m->logical_id};
}

status cloudformation_list_stack_refactor_actions(struct call *c,
	const struct cloudformation_list_stack_refactor_actions_input *in,
	struct cloudformation_list_stack_refactor_actions_output *out)
{
	struct arena *a = c->arena;
	struct cloudformation_rec_refactor r;
	size_t capacity = 0;
	TRY(load(c, in->stack_refactor_id, &r));
	VEC_PRESENT(a, &out->stack_refactor_actions);
	for (size_t i = 0; i < r.stacks.n; i++)
		if (!str_has(r.stacks.v[i].stack))
			*VEC_PUSH(a, &out->stack_refactor_actions, &capacity) =
				(struct cloudformation_stack_refactor_action){.action = STR("CREATE"),
					.entity = STR("STACK"),
					.description = str_fmt(a, "Stack %.*s created.", STR_ARG(r.stacks.v[i].name))};
	for (size_t i = 0; i < r.moves.n; i++) {
		const struct cloudformation_rec_refactor_move *m = &r.moves.v[i];
		struct cloudformation_stack_refactor_action *o = VEC_PUSH(a, &out->stack_refactor_actions, &capacity);
		struct cloudformation_resource_mapping *mapping = arena_new(a, struct cloudformation_resource_mapping);
		struct str stack_id = STR_NONE;
		for (size_t k = 0; k < r.stacks.n; k++)
			if (str_eq(r.stacks.v[k].name, m->stack)) stack_id = r.stacks.v[k].stack;
		mapping->source = arena_new(a, struct cloudformation_resource_location);
		mapping->destination = arena_new(a, struct cloudformation_resource_location);
		*mapping->source = (struct cloudformation_resource_location){m->source_stack, m->source};
		*mapping->destination = (struct cloudformation_resource_location){m->stack, m->logical_id};
		*o = (struct cloudformation_stack_refactor_action){.action = STR("MOVE"),
			.entity = STR("RESOURCE"),
			.physical_resource_id = m->physical_id,
			.description = str_fmt(a, "Resource %.*s moved.", STR_ARG(m->source)),
			.detection = m->automatic.v ? STR("AUTO") : STR("MANUAL"),
			.resource_mapping = mapping};
		tell_tags(a, m, stack_id, &o->tag_resources);
	}
	return OK;
}

/* ── executing ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void add_tag(struct arena *a, struct json_value *list, const char *key, struct str value)
{
	cfn_append(list, STR_NONE, cfn_put(cfn_one(a, "Key", str_c(key)), a, "Value", value));
}

/* The moved resource's own tags tell its stack. What cannot be tagged is moved all the same. */
static void tag_anew(struct call *c, const struct refactor_stack *s, const struct cloudformation_rec_resource *r)
{
	struct arena *a = c->arena;
	struct cfn_type type;
	struct json_value *properties, *attributes, *tags = cfn_list(a);
	if (!is_ok(cfn_type_find(a, r->type, &type)) ||
		!is_ok(json_read(a, str_or(r->properties, STR("{}")), &properties)) ||
		!is_ok(json_read(a, str_or(r->attributes, STR("{}")), &attributes)))
		return;
	for (size_t i = 0; i < s->settings.tags.n; i++)
		add_tag(a, tags, str_z(a, s->settings.tags.v[i].key), s->settings.tags.v[i].value);
	add_tag(a, tags, "aws:cloudformation:stack-name", s->s.name);
	add_tag(a, tags, "aws:cloudformation:stack-id", s->s.id);
	add_tag(a, tags, "aws:cloudformation:logical-id", r->logical_id);
	struct cfn_work w = {.a = a,
		.cloud = c->cloud,
		.who = cfn_call_who(c),
		.account = c->account,
		.region = c->region,
		.partition = STR("aws"),
		.stack_id = s->s.id,
		.stack_name = s->s.name,
		.logical_id = r->logical_id,
		.type = &type,
		.properties = properties,
		.before = properties,
		.tags = tags,
		.token = r->token,
		.physical_id = r->physical_id,
		.attributes = attributes,
		.why = STR_NONE,
		.code = STR_NONE,
		.now_ms = c->now_ms};
	const struct cfn_handler *h = cfn_handler_of(r->type);
	bool by_itself = str_is(r->type, "AWS::SQS::Queue") || str_is(r->type, "AWS::SSM::Parameter"); /* no recipe */
	w.moved = true;
	(void)!is_ok(by_itself ? h->update(&w) : cfn_recipe_tag_anew(&w));
}

static status write_stack(struct call *c, struct refactor_plan *p, struct refactor_stack *s)
{
	struct arena *a = c->arena;
	struct str why = STR_NONE;
	s->s.operation_id = SOME_I64(s->s.operation_id.v + 1);
	for (size_t i = 0; i < s->before.n; i++) cfn_resource_drop(c->tx, a, &s->s, s->before.v[i].logical_id);
	for (size_t i = 0; i < p->moves.n; i++)
		for (size_t k = 0; k < s->after.n; k++)
			if (str_eq(p->moves.v[i].stack, s->name) &&
				str_eq(p->moves.v[i].logical_id, s->after.v[k].logical_id))
				s->after.v[k].stack_tags = cfn_tags_text(a, &s->settings.tags);
	for (size_t i = 0; i < s->after.n; i++) cfn_resource_put(c->tx, a, &s->s, &s->after.v[i]);
	if (!is_ok(cfn_exports_set(c->tx, a, &s->s, &s->outputs, &s->view.imports, &why))) return cfn_invalid(c, why);
	s->s.outputs = s->outputs;
	s->s.settings = &s->settings;
	s->s.updated = s->made ? (struct opt_i64){0} : SOME_I64(c->now_ms);
	cfn_stack_status(c->tx, a, &s->s, s->made ? "CREATE_IN_PROGRESS" : "UPDATE_IN_PROGRESS",
		STR("Stack Refactor Initiated"), c->now_ms);
	for (size_t i = 0; i < p->moves.n; i++) {
		const struct cloudformation_rec_refactor_move *m = &p->moves.v[i];
		for (size_t k = 0; k < s->after.n && str_eq(m->stack, s->name); k++)
			if (str_eq(s->after.v[k].logical_id, m->logical_id))
				cfn_event(c->tx, a, &s->s, &s->after.v[k], STR("UPDATE_COMPLETE"),
					str_fmt(a, "Resource moved from stack %.*s", STR_ARG(m->source_stack)),
					c->now_ms);
	}
	cfn_stack_status(c->tx, a, &s->s, s->made ? "CREATE_COMPLETE" : "UPDATE_COMPLETE", STR_NONE, c->now_ms);
	return OK;
}

status cloudformation_execute_stack_refactor(
	struct call *c, const struct cloudformation_execute_stack_refactor_input *in, struct wire_nothing *out)
{
	struct arena *a = c->arena;
	struct cloudformation_rec_refactor r;
	struct str why = STR_NONE;
	(void)out;
	TRY(load(c, in->stack_refactor_id, &r));
	if (!str_is(r.execution, "AVAILABLE"))
		return call_fail(c, ERR_VALIDATION,
			"StackRefactor [%.*s] cannot be executed in its current status of [%.*s]", STR_ARG(r.id),
			STR_ARG(r.execution));
	struct refactor_plan p = {.c = c, .n = r.stacks.n, .v = arena_new_n(a, struct refactor_stack, r.stacks.n)};
	bool may_create = false, obsolete = false;
	for (size_t i = 0; i < p.n; i++) {
		p.v[i].name = r.stacks.v[i].name;
		p.v[i].text = r.stacks.v[i].template;
		may_create |= !str_has(r.stacks.v[i].stack);
	}
	for (size_t i = 0; i < r.moves.n; i++) *VEC_PUSH(a, &p.moves, &p.moves_capacity) = r.moves.v[i];
	status planned = cfn_refactor_plan(&p, may_create, &why);
	if (!is_ok(planned) && !str_has(why)) return planned;
	for (size_t i = 0; i < p.n && is_ok(planned); i++)
		obsolete |= p.v[i].made ? str_has(r.stacks.v[i].stack)
					: !str_has(r.stacks.v[i].stack) || !str_eq(r.stacks.v[i].stack, p.v[i].s.id) ||
						  r.stacks.v[i].operation_id.v != p.v[i].s.operation_id.v;
	if (!is_ok(planned) || obsolete) {
		r.execution = STR("OBSOLETE");
		r.execution_reason = is_ok(planned) ? STR("A stack has changed since the refactor was created") : why;
		put(c, &r);
		return OK;
	}
	for (size_t i = 0; i < p.n; i++) TRY(write_stack(c, &p, &p.v[i]));
	for (size_t i = 0; i < p.n; i++) {
		struct refactor_stack *s = &p.v[i];
		r.stacks.v[i].stack = s->s.id;
		for (size_t k = 0; k < s->after.n; k++)
			for (size_t m = 0; m < p.moves.n; m++)
				if (str_eq(p.moves.v[m].stack, s->name) &&
					str_eq(p.moves.v[m].logical_id, s->after.v[k].logical_id))
					tag_anew(c, s, &s->after.v[k]);
	}
	r.execution = STR("EXECUTE_COMPLETE");
	put(c, &r);
	return OK;
}
