/* What a stack refactor comes to: which resource moves where, and that nothing else would change. */
#include "base/vec.h"
#include "services/cloudformation/refactor.h"
#include "services/cloudformation/types.h"

static struct refactor_stack *stack_named(struct refactor_plan *p, struct str name)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->v[i].name, name)) return &p->v[i];
	return NULL;
}

static const struct cloudformation_rec_resource *there(const struct cfn_resources *r, struct str logical_id)
{
	for (size_t i = 0; i < r->n; i++)
		if (str_eq(r->v[i].logical_id, logical_id)) return &r->v[i];
	return NULL;
}

static bool leaves(const struct refactor_plan *p, const struct refactor_stack *s, struct str logical_id)
{
	for (size_t i = 0; i < p->moves.n; i++)
		if (str_eq(p->moves.v[i].source_stack, s->name) && str_eq(p->moves.v[i].source, logical_id))
			return true;
	return false;
}

static struct cloudformation_rec_refactor_move *arrives(
	const struct refactor_plan *p, const struct refactor_stack *s, struct str logical_id)
{
	for (size_t i = 0; i < p->moves.n; i++)
		if (str_eq(p->moves.v[i].stack, s->name) && str_eq(p->moves.v[i].logical_id, logical_id))
			return &p->moves.v[i];
	return NULL;
}

/* The stack as it is, and the template that it is to have. */
static status read_stack(struct refactor_plan *p, struct refactor_stack *s, bool may_create, struct str *why)
{
	struct call *c = p->c;
	struct arena *a = c->arena;
	struct inside_caller who = cfn_call_who(c);
	bool same;
	status found = cfn_stack_find(c->tx, a, cfn_call_place(c), s->name, &s->s);
	s->made = status_is(found, STATUS_NOT_FOUND);
	if (!is_ok(found) && !s->made) return found;
	if (s->made && !may_create) {
		*why = str_fmt(a, "Stack %.*s does not exist, and EnableStackCreation is not set", STR_ARG(s->name));
		return STATUS(INVALID);
	}
	if (s->made) TRY(cfn_stack_new(c, s->name, &s->s, STR_NONE, &same));
	if (!s->made) {
		if (!str_ends(s->s.status, STR("_COMPLETE")) || str_ends(s->s.status, STR("ROLLBACK_COMPLETE"))) {
			*why = str_fmt(a, "Stack %.*s is in %.*s state and can not be refactored.", STR_ARG(s->name),
				STR_ARG(s->s.status));
			return STATUS(INVALID);
		}
		s->settings = *s->s.settings;
		TRY(cfn_resources_load(c->tx, a, &s->s, &s->before));
	}
	s->settings.template = s->text;
	if (!is_ok(cfn_template_read(a, s->text, &s->t, why))) return STATUS(INVALID);
	struct cloudformation_rec_parameters parameters = {0}, before = s->settings.parameters;
	struct cfn_given *given = arena_new_n(a, struct cfn_given, before.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < before.n; i++)
		if (json_member(s->t.parameters, before.v[i].key))
			given[n++] = (struct cfn_given){before.v[i].key, STR_NONE, true};
	if (!is_ok(cfn_parameters_read(c->cloud, &who, a, &s->t, given, n, &before, &parameters, why)))
		return STATUS(INVALID);
	s->settings.parameters = parameters;
	if (!is_ok(cfn_template_load(c->cloud, &who, a, s->text, &s->settings.parameters, &s->t, why)))
		return STATUS(INVALID);
	s->settings.description = s->t.description;
	return OK;
}

/* "If you don't provide a mapping, CloudFormation matches resources": of those that leave other stacks, the one of the
 * same logical id and type. */
static void find_source(struct refactor_plan *p, struct refactor_stack *to, const struct json_value *c)
{
	struct str type = json_string(json_member(c, STR("Type")));
	for (size_t i = 0; i < p->n; i++) {
		struct refactor_stack *from = &p->v[i];
		const struct cloudformation_rec_resource *r = there(&from->before, c->name);
		if (from == to || !r || !str_eq(r->type, type) || json_member(from->t.resources, c->name) ||
			leaves(p, from, c->name))
			continue;
		*VEC_PUSH(p->c->arena, &p->moves, &p->moves_capacity) =
			(struct cloudformation_rec_refactor_move){.source_stack = from->name,
				.source = c->name,
				.stack = to->name,
				.logical_id = c->name,
				.automatic = SOME_BOOL(true)};
		return;
	}
}

static status take_moves(struct refactor_plan *p, struct str *why)
{
	struct arena *a = p->c->arena;
	for (size_t i = 0; i < p->n; i++)
		for (const struct json_value *c = p->v[i].t.resources->first; c; c = c->next)
			if (!there(&p->v[i].before, c->name) && !arrives(p, &p->v[i], c->name))
				find_source(p, &p->v[i], c);
	for (size_t i = 0; i < p->moves.n; i++) {
		struct cloudformation_rec_refactor_move *m = &p->moves.v[i];
		struct refactor_stack *from = stack_named(p, m->source_stack), *to = stack_named(p, m->stack);
		const struct cloudformation_rec_resource *r = from ? there(&from->before, m->source) : NULL;
		const struct json_value *c = to ? json_member(to->t.resources, m->logical_id) : NULL;
		if (!r || !c) {
			*why = str_fmt(a, "The mapping of %.*s.%.*s to %.*s.%.*s names %s", STR_ARG(m->source_stack),
				STR_ARG(m->source), STR_ARG(m->stack), STR_ARG(m->logical_id),
				r ? "no resource of the destination's template" : "no resource of the source stack");
			return STATUS(INVALID);
		}
		for (size_t k = 0; k < i; k++) {
			const struct cloudformation_rec_refactor_move *o = &p->moves.v[k];
			bool twice = str_eq(o->source_stack, m->source_stack) && str_eq(o->source, m->source);
			twice |= str_eq(o->stack, m->stack) && str_eq(o->logical_id, m->logical_id);
			if (twice) {
				*why = str_fmt(a, "Resource %.*s is mapped twice", STR_ARG(m->source));
				return STATUS(INVALID);
			}
		}
		if (str_starts(r->type, STR("AWS::CloudFormation::")) || str_starts(r->type, STR("Custom::"))) {
			*why = str_fmt(a, "Resource type %.*s does not support stack refactoring", STR_ARG(r->type));
			return STATUS(INVALID);
		}
		m->physical_id = r->physical_id;
		m->type = r->type;
		if (!str_eq(r->type, json_string(json_member(c, STR("Type"))))) {
			*why = str_fmt(a, "Resource %.*s is a %.*s and can not become a %.*s", STR_ARG(m->source),
				STR_ARG(r->type), STR_ARG(json_string(json_member(c, STR("Type")))));
			return STATUS(INVALID);
		}
	}
	return OK;
}

/* The stack's resources as they are going to be: those that stay and those that come; no others may be. */
static status place_resources(struct refactor_plan *p, struct refactor_stack *s, struct str *why)
{
	struct arena *a = p->c->arena;
	size_t capacity = 0;
	for (size_t i = 0; i < s->before.n; i++) {
		const struct cloudformation_rec_resource *r = &s->before.v[i];
		if (leaves(p, s, r->logical_id)) continue;
		if (!json_member(s->t.resources, r->logical_id)) {
			*why = str_fmt(a,
				"Stack Refactor does not support removing resources: %.*s of %.*s goes nowhere",
				STR_ARG(r->logical_id), STR_ARG(s->name));
			return STATUS(INVALID);
		}
		*VEC_PUSH(a, &s->after, &capacity) = *r;
	}
	for (size_t i = 0; i < p->moves.n; i++) {
		const struct cloudformation_rec_refactor_move *m = &p->moves.v[i];
		if (!str_eq(m->stack, s->name)) continue;
		const struct refactor_stack *from = stack_named(p, m->source_stack);
		struct cloudformation_rec_resource *r = VEC_PUSH(a, &s->after, &capacity);
		*r = *there(&from->before, m->source);
		r->logical_id = m->logical_id;
	}
	return OK;
}

/* Exports of the refactor's own stacks count as they are going to be. */
static status import(void *ctx, struct str name, struct str *value, struct str *why)
{
	struct cfn_view *view = ctx;
	struct refactor_stack *s =
		(struct refactor_stack *)(void *)((char *)view - offsetof(struct refactor_stack, view));
	struct refactor_plan *p = s->plan;
	for (size_t i = 0; i < p->n; i++)
		for (size_t k = 0; k < p->v[i].outputs.n; k++) {
			const struct cloudformation_rec_output *o = &p->v[i].outputs.v[k];
			if (!str_has(o->export) || !str_eq(o->export, name)) continue;
			*value = o->value;
			if (!cfn_names_have(&view->imports, name))
				*VEC_PUSH(p->c->arena, &view->imports, &view->imports_capacity) = name;
			return OK;
		}
	struct cloudformation_rec_export e = {0};
	if (!is_ok(cfn_export_get(p->c->tx, p->c->arena, cfn_call_place(p->c), name, &e))) {
		*why = str_fmt(p->c->arena, "No export named %.*s found.", STR_ARG(name));
		return STATUS(INVALID);
	}
	*value = e.value;
	if (!cfn_names_have(&view->imports, name))
		*VEC_PUSH(p->c->arena, &view->imports, &view->imports_capacity) = name;
	return OK;
}

static status outputs_of(struct refactor_stack *s, struct str *why)
{
	struct arena *a = s->plan->c->arena;
	const struct json_value *all = s->t.outputs;
	size_t capacity = 0;
	s->outputs = (struct cloudformation_rec_outputs){0};
	for (const struct json_value *o = all ? all->first : NULL; o; o = o->next) {
		bool applies;
		const struct json_value *value = NULL, *name = NULL,
					*export = json_member(json_member(o, STR("Export")), STR("Name"));
		TRY(cfn_applies(&s->view.scope, o, &applies, why));
		if (!applies) continue;
		TRY(cfn_evaluate(&s->view.scope, json_member(o, STR("Value")), &value, why));
		if (export) TRY(cfn_evaluate(&s->view.scope, export, &name, why));
		*VEC_PUSH(a, &s->outputs, &capacity) = (struct cloudformation_rec_output){.key = o->name,
			.value = json_scalar(value),
			.description = json_string(json_member(o, STR("Description"))),
			.export = json_scalar(name)};
	}
	s->outputs_known = true;
	return OK;
}

/* "Resource configurations stay the same." */
static status check_unchanged(struct refactor_stack *s, struct str *why)
{
	struct arena *a = s->plan->c->arena;
	for (const struct json_value *c = s->t.resources->first; c; c = c->next) {
		bool applies;
		const struct json_value *properties = json_member(c, STR("Properties")), *wanted = cfn_object(a);
		struct cloudformation_rec_resource *r = NULL;
		struct cfn_names changed, replacing, needs = {0};
		struct cfn_type type;
		TRY(cfn_applies(&s->view.scope, c, &applies, why));
		for (size_t i = 0; i < s->after.n; i++)
			if (str_eq(s->after.v[i].logical_id, c->name)) r = &s->after.v[i];
		if (!applies && !r) continue;
		if (!r || !applies) {
			*why = str_fmt(a,
				r ? "Stack Refactor does not support removing resources: the condition of %.*s of %.*s "
				    "is false"
				  : "Stack Refactor does not support creating resources: %.*s of %.*s comes from "
				    "nowhere",
				STR_ARG(c->name), STR_ARG(s->name));
			return STATUS(INVALID);
		}
		if (!is_ok(cfn_type_find(a, r->type, &type))) return STATUS(CORRUPT);
		if (properties) TRY(cfn_evaluate(&s->view.scope, properties, &wanted, why));
		if (cfn_decide(a, &type, r, wanted ? wanted : cfn_object(a), &changed, &replacing) != CFN_KEEP) {
			*why = str_fmt(a,
				"Stack Refactor does not support modifying resources: %.*s of %.*s would change (%.*s)",
				STR_ARG(c->name), STR_ARG(s->name),
				STR_ARG(changed.n ? changed.v[0] : STR("it failed before")));
			return STATUS(INVALID);
		}
		cfn_resource_needs(a, &s->t, c, &needs);
		r->needs.v = needs.v;
		r->needs.n = needs.n;
		r->deletion_policy = json_string(json_member(c, STR("DeletionPolicy")));
		r->replace_policy = json_string(json_member(c, STR("UpdateReplacePolicy")));
	}
	return OK;
}

status cfn_refactor_plan(struct refactor_plan *p, bool may_create, struct str *why)
{
	struct arena *a = p->c->arena;
	struct inside_caller who = cfn_call_who(p->c);
	for (size_t i = 0; i < p->n; i++) {
		p->v[i].plan = p;
		TRY(read_stack(p, &p->v[i], may_create, why));
	}
	TRY(take_moves(p, why));
	for (size_t i = 0; i < p->n; i++) TRY(place_resources(p, &p->v[i], why));
	for (size_t i = 0; i < p->n; i++) {
		struct refactor_stack *s = &p->v[i];
		s->s.settings = &s->settings;
		cfn_view_init(&s->view, p->c->cloud, a, &s->s, &s->t, &s->settings.parameters, &s->after);
		s->view.who = who;
		s->view.scope.import = import;
	}
	/* One stack's outputs may need another's. */
	struct str ignored;
	for (size_t round = 0; round < p->n; round++)
		for (size_t i = 0; i < p->n; i++)
			if (!p->v[i].outputs_known && !is_ok(outputs_of(&p->v[i], &ignored))) continue;
	for (size_t i = 0; i < p->n; i++) {
		if (!p->v[i].outputs_known) TRY(outputs_of(&p->v[i], why));
		TRY(check_unchanged(&p->v[i], why));
	}
	return OK;
}
