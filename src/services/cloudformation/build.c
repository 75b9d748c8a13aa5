/* Making and changing a stack's resources until they are what a template says: the phases CREATE, UPDATE and
 * UPDATE_ROLLBACK. */
#include "base/vec.h"
#include "clock/clock.h"
#include "services/cloudformation/engine.h"

/* What one look at the stack decides; written in one transaction, then the tasks begin. */
struct begun {
	struct cloudformation_rec_resource r;
	bool task, told; /* told: an event says what begins */
	enum cfn_task_kind kind;
};
struct look {
	struct cfn_engine *e;
	struct cfn_op *op;
	struct arena *a;
	struct cloudformation_rec_stack *s;
	struct cfn_resources *r;
	struct cfn_view view;
	bool back;
	int64_t now_ms;
	struct {
		struct begun *v;
		size_t n;
	} begun;
	size_t capacity;
	/* How the phase ends. */
	const char *next;
	struct str reason;
	bool outputs_known;
	struct cloudformation_rec_outputs outputs;
};

static const struct cloudformation_rec_settings *settings_of(const struct look *l)
{
	return l->back ? l->s->previous : l->s->settings;
}

/* The phase's template, read once. */
static status load_template(struct look *l, struct str *why)
{
	struct cfn_op *op = l->op;
	if (op->loaded && op->phase == l->s->operation_id.v) return OK;
	arena_reset(&op->arena);
	op->loaded = false;
	const struct cloudformation_rec_settings *settings = settings_of(l);
	/* The template may hold values of parameters, and lives longer than this look. */
	struct cloudformation_rec_kept given = {.settings = arena_copy(l->a, settings, sizeof(*settings))}, kept = {0};
	struct str bytes = cloudformation_rec_kept_encode(&op->arena, &given);
	if (!is_ok(cloudformation_rec_kept_decode(&op->arena, bytes, &kept))) return STATUS(CORRUPT);
	struct inside_caller who;
	TRY(cfn_who(l->e->cloud, l->a, l->s, &who, why));
	TRY(cfn_template_load(l->e->cloud, &who, &op->arena, kept.settings->template, &kept.settings->parameters,
		&op->template, why));
	op->loaded = true;
	op->phase = l->s->operation_id.v;
	return OK;
}

static struct cloudformation_rec_resource *find(const struct cfn_resources *r, struct str logical_id)
{
	for (size_t i = 0; i < r->n; i++)
		if (str_eq(r->v[i].logical_id, logical_id)) return &r->v[i];
	return NULL;
}

static bool mine(const struct look *l, const struct cloudformation_rec_resource *r)
{
	return r && r->step_operation.has && r->step_operation.v == l->s->operation_id.v;
}
static bool is_step(const struct cloudformation_rec_resource *r, const char *step)
{
	return str_eq(str_or(r->step, STR("")), str_c(step));
}

static void describe(struct look *l, const struct json_value *c, struct cloudformation_rec_resource *r,
	const struct cfn_names *needs)
{
	struct str deletion = json_string(json_member(c, STR("DeletionPolicy")));
	r->deletion_policy = deletion;
	r->replace_policy = json_string(json_member(c, STR("UpdateReplacePolicy")));
	r->description = json_string(json_member(c, STR("Description")));
	const struct json_value *metadata = json_member(c, STR("Metadata")), *value = NULL;
	struct str ignored;
	r->metadata = metadata && is_ok(cfn_evaluate(&l->view.scope, metadata, &value, &ignored)) && value
			      ? cfn_json(l->a, value)
			      : STR_NONE;
	const struct json_value *policy = json_member(c, STR("CreationPolicy"));
	value = NULL;
	r->creation_policy = policy && is_ok(cfn_evaluate(&l->view.scope, policy, &value, &ignored)) && value
				     ? cfn_json(l->a, value)
				     : STR_NONE;
	policy = json_member(c, STR("UpdatePolicy"));
	value = NULL;
	r->update_policy = policy && is_ok(cfn_evaluate(&l->view.scope, policy, &value, &ignored)) && value
				   ? cfn_json(l->a, value)
				   : STR_NONE;
	r->needs.v = needs->v;
	r->needs.n = needs->n;
}

static void begin_failed(struct look *l, struct cloudformation_rec_resource *r, struct str why)
{
	r->status = str_has(r->physical_id) ? STR("UPDATE_FAILED") : STR("CREATE_FAILED");
	r->reason = why;
	r->step = STR("failed");
	r->step_operation = l->s->operation_id;
	r->changed = SOME_I64(l->now_ms);
	*VEC_PUSH(l->a, &l->begun, &l->capacity) = (struct begun){.r = *r, .told = true};
}

/* A resource whose needs are all there. */
static void begin(struct look *l, const struct json_value *c, struct cloudformation_rec_resource *there,
	const struct cfn_names *needs)
{
	struct arena *a = l->a;
	struct cloudformation_rec_resource r = {
		.logical_id = c->name, .token = cfn_new_token(a), .made_by = l->s->operation_id};
	struct str type_name = json_string(json_member(c, STR("Type"))), why = STR_NONE;
	const struct json_value *properties = json_member(c, STR("Properties")), *wanted = cfn_object(a);
	struct cfn_type type;
	struct cfn_names changed, replacing;
	if (there) r = *there;
	if (!str_has(r.type)) r.type = type_name;
	describe(l, c, &r, needs);
	r.reason = STR_NONE;
	bool ok = !properties || is_ok(cfn_evaluate(&l->view.scope, properties, &wanted, &why));
	if (ok && !wanted) wanted = cfn_object(a);
	if (ok && !is_ok(cfn_type_find(a, type_name, &type)))
		ok = (why = str_fmt(a, "Unrecognized resource types: [%.*s]", STR_ARG(type_name)), false);
	if (ok && !cfn_handler_of(type_name))
		ok = (why = str_fmt(a, "Resource type %.*s is not supported by virga yet", STR_ARG(type_name)), false);
	if (ok) ok = is_ok(cfn_type_check(a, &type, c->name, wanted, &why));
	if (!ok) {
		begin_failed(l, &r, why);
		return;
	}
	struct begun b = {.task = true, .told = true};
	struct str physical = there ? STR_NONE : cfn_import_of(a, l->s, c->name);
	r.step_operation = l->s->operation_id;
	r.changed = SOME_I64(l->now_ms);
	r.wanted = cfn_json(a, wanted);
	if (str_has(physical)) {
		r.status = STR("IMPORT_IN_PROGRESS");
		r.step = STR("import");
		r.type = type_name;
		r.physical_id = physical;
		r.imported = SOME_BOOL(true);
		b.kind = TASK_IMPORT;
		b.r = r;
		*VEC_PUSH(a, &l->begun, &l->capacity) = b;
		return;
	}
	enum cfn_action action = cfn_decide(a, &type, there, wanted, &changed, &replacing);
	if (action == CFN_UPDATE && !l->back && str_has(r.update_policy)) {
		struct json_value *policy;
		bool replaced =
			is_ok(json_read(a, r.update_policy, &policy)) && cfn_group_replaced(&type, policy, &changed);
		if (replaced) action = CFN_REPLACE;
	}
	if (action == CFN_KEEP && l->s->settings &&
		cfn_tags_due(a, &type, there, &settings_of(l)->tags,
			l->s->previous ? &l->s->previous->tags : &l->s->settings->tags))
		action = CFN_RETAG;
	bool guarded = !l->back && (action == CFN_UPDATE || action == CFN_REPLACE);
	if (guarded &&
		!cfn_policy_allows(a, l->s, action == CFN_UPDATE ? "Update:Modify" : "Update:Replace", there, &why)) {
		begin_failed(l, &r, why);
		return;
	}
	switch (action) {
	case CFN_KEEP:
		r.wanted = STR_NONE;
		r.step = STR("done");
		b.task = b.told = false;
		break;
	case CFN_CREATE:
		r.status = STR("CREATE_IN_PROGRESS");
		r.step = STR("create");
		r.signals = (struct cloudformation_rec_texts){0};
		r.signal_deadline = (struct opt_i64){0};
		r.type = type_name;
		b.kind = TASK_CREATE;
		break;
	case CFN_UPDATE:
		r.status = STR("UPDATE_IN_PROGRESS");
		r.step = STR("update");
		r.signals = (struct cloudformation_rec_texts){0};
		r.signal_deadline = (struct opt_i64){0};
		/* An update that failed half-way may have done any of what was wanted then. */
		if (str_is(there->status, "UPDATE_FAILED") && str_has(there->wanted)) r.properties = there->wanted;
		b.kind = TASK_UPDATE;
		break;
	case CFN_RETAG:
		r.status = STR("UPDATE_IN_PROGRESS");
		r.step = STR("retag");
		b.kind = TASK_RETAG;
		break;
	case CFN_REPLACE:
		r.status = STR("UPDATE_IN_PROGRESS");
		r.reason =
			STR("Requested update requires the creation of a new physical resource; hence creating one.");
		r.step = STR("create");
		r.old_physical_id = r.physical_id;
		r.old_properties = r.properties;
		r.old_attributes = r.attributes;
		r.old_type = r.type;
		r.physical_id = r.attributes = STR_NONE;
		r.signals = (struct cloudformation_rec_texts){0};
		r.signal_deadline = (struct opt_i64){0};
		r.properties = STR("{}");
		r.type = type_name;
		r.token = cfn_new_token(a);
		b.kind = TASK_CREATE;
		break;
	}
	b.r = r;
	*VEC_PUSH(a, &l->begun, &l->capacity) = b;
}

static bool needs_are_done(struct look *l, const struct cfn_names *needs)
{
	for (size_t i = 0; i < needs->n; i++) {
		const struct cloudformation_rec_resource *r = find(l->r, needs->v[i]);
		bool applies = true;
		struct str ignored;
		/* A need whose condition is false is not there to be waited for. */
		if (!is_ok(cfn_applies(
			    &l->view.scope, json_member(l->op->template.resources, needs->v[i]), &applies, &ignored)))
			applies = true;
		if (applies && !(mine(l, r) && is_step(r, "done"))) return false;
	}
	return true;
}

/* In the rollback of an update, what was replaced is again what it was; its replacement goes when all is well. */
static void swap_back(struct store_tx *tx, struct arena *a, struct cloudformation_rec_stack *s)
{
	struct cfn_resources all;
	if (!is_ok(cfn_resources_load(tx, a, s, &all))) return;
	for (size_t i = 0; i < all.n; i++) {
		struct cloudformation_rec_resource *r = &all.v[i], was = *r;
		if (!str_has(r->old_physical_id)) continue;
		r->physical_id = was.old_physical_id;
		r->properties = was.old_properties;
		r->attributes = was.old_attributes;
		r->type = str_or(was.old_type, was.type);
		r->status = STR("UPDATE_COMPLETE");
		r->old_physical_id = was.physical_id;
		r->old_properties = str_has(was.physical_id) ? str_or(was.wanted, was.properties) : STR_NONE;
		r->old_attributes = was.attributes;
		r->old_type = was.type;
		r->wanted = STR_NONE;
		r->step = STR_NONE;
		cfn_resource_put(tx, a, s, r);
	}
}

/* What was to be imported stays where it is, outside of the stack. */
static void forget_imported(struct store_tx *tx, struct arena *a, struct cloudformation_rec_stack *s, int64_t operation)
{
	struct cfn_resources all;
	if (!is_ok(cfn_resources_load(tx, a, s, &all))) return;
	for (size_t i = 0; i < all.n; i++)
		if (all.v[i].imported.v && all.v[i].made_by.v == operation)
			cfn_resource_drop(tx, a, s, all.v[i].logical_id);
	if (s->previous) s->settings = s->previous;
	s->previous = NULL;
}

static status write_look(void *ctx, struct store_tx *tx, struct arena *a, struct cloudformation_rec_stack *s)
{
	struct look *l = ctx;
	/* Another operation may have begun meanwhile (a deletion, a cancelled update). */
	if (s->operation_id.v != l->s->operation_id.v || !str_eq(s->status, l->s->status)) return STATUS(FAILED);
	for (size_t i = 0; i < l->begun.n; i++) {
		struct begun *b = &l->begun.v[i];
		if (b->told) cfn_event(tx, a, s, &b->r, b->r.status, b->r.reason, l->now_ms);
		cfn_resource_put(tx, a, s, &b->r);
	}
	if (l->next) {
		s->operation_id = SOME_I64(s->operation_id.v + 1);
		s->operation = STR_NONE;
		if (l->outputs_known) {
			struct str why = STR("The exports could not be written");
			if (is_ok(cfn_exports_set(tx, a, s, &l->outputs, &l->view.imports, &why))) {
				s->outputs = l->outputs;
			} else {
				/* Nothing of it was done: the phase fails instead. */
				l->outputs_known = false;
				l->next = NULL;
				l->reason = str_dup(l->a, why);
				return STATUS(FAILED);
			}
		}
		if (str_is(str_c(l->next), "IMPORT_ROLLBACK_COMPLETE")) forget_imported(tx, a, s, l->s->operation_id.v);
		if (str_is(str_c(l->next), "IMPORT_COMPLETE")) s->previous = NULL;
		if (str_is(str_c(l->next), "UPDATE_ROLLBACK_IN_PROGRESS")) swap_back(tx, a, s);
		if (str_is(str_c(l->next), "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")) s->settings = s->previous;
		if (str_is(str_c(l->next), "CREATE_COMPLETE")) s->client_token = STR_NONE;
		cfn_stack_status(tx, a, s, l->next, l->reason, l->now_ms);
	} else {
		cfn_stack_put(tx, a, s);
	}
	return OK;
}

static void end_failed(struct look *l, struct str why)
{
	bool create = str_is(l->s->status, "CREATE_IN_PROGRESS");
	l->reason = why;
	if (str_is(l->s->status, "IMPORT_IN_PROGRESS")) {
		l->next = "IMPORT_ROLLBACK_COMPLETE";
		return;
	}
	if (l->back)
		l->next = "UPDATE_ROLLBACK_FAILED";
	else if (create)
		l->next = str_is(str_or(l->s->on_failure, STR("")), "DO_NOTHING") || l->s->disable_rollback.v
				  ? "CREATE_FAILED"
			  : str_is(str_or(l->s->on_failure, STR("")), "DELETE") ? "DELETE_IN_PROGRESS"
										: "ROLLBACK_IN_PROGRESS";
	else
		l->next = l->s->disable_rollback.v ? "UPDATE_FAILED" : "UPDATE_ROLLBACK_IN_PROGRESS";
	if (str_ends(str_c(l->next), STR("ROLLBACK_IN_PROGRESS")) && create)
		l->reason = str_fmt(l->a, "%.*s Rollback requested by user.", STR_ARG(why));
}

static bool evaluate_outputs(struct look *l, struct str *why)
{
	const struct json_value *all = l->op->template.outputs;
	size_t capacity = 0;
	l->view.scope.shown = true;
	for (const struct json_value *o = all ? all->first : NULL; o; o = o->next) {
		bool applies;
		const struct json_value *value = NULL,
					*export = json_member(json_member(o, STR("Export")), STR("Name")), *name = NULL;
		if (!is_ok(cfn_applies(&l->view.scope, o, &applies, why))) return false;
		if (!applies) continue;
		if (!is_ok(cfn_evaluate(&l->view.scope, json_member(o, STR("Value")), &value, why))) return false;
		if (export && !is_ok(cfn_evaluate(&l->view.scope, export, &name, why))) return false;
		if (!str_has(json_scalar(value))) {
			*why = str_fmt(l->a, "Template format error: The Value field of every Outputs member must "
					     "evaluate to a String.");
			return false;
		}
		*VEC_PUSH(l->a, &l->outputs, &capacity) = (struct cloudformation_rec_output){.key = o->name,
			.value = json_scalar(value),
			.description = json_string(json_member(o, STR("Description"))),
			.export = json_scalar(name)};
	}
	return true;
}

/* Properties were evaluated in earlier looks: what they import is asked for again. */
static void collect_imports(struct look *l)
{
	const struct json_value *all = l->op->template.resources, *ignored;
	struct str why;
	if (str_find(settings_of(l)->template, STR("ImportValue")) < 0) return;
	for (const struct json_value *c = all->first; c; c = c->next) {
		const struct json_value *properties = json_member(c, STR("Properties"));
		bool applies;
		if (properties && is_ok(cfn_applies(&l->view.scope, c, &applies, &why)) && applies)
			(void)!is_ok(cfn_evaluate(&l->view.scope, properties, &ignored, &why));
	}
}

static void end_done(struct look *l)
{
	struct str why = STR_NONE;
	collect_imports(l);
	if (!evaluate_outputs(l, &why)) {
		end_failed(l, why);
		return;
	}
	l->outputs_known = true;
	l->reason = STR_NONE;
	l->next = l->back                                      ? "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
		  : str_is(l->s->status, "CREATE_IN_PROGRESS") ? "CREATE_COMPLETE"
		  : str_is(l->s->status, "IMPORT_IN_PROGRESS") ? "IMPORT_COMPLETE"
							       : "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS";
}

/* The stack policy's reason why a resource that is not in the template any more may not go; STR_NONE: all may. */
static struct str denied_removal(struct look *l)
{
	struct str why = STR_NONE, ignored;
	if (!str_is(l->s->status, "UPDATE_IN_PROGRESS")) return why;
	for (size_t i = 0; i < l->r->n; i++) {
		const struct json_value *c = json_member(l->op->template.resources, l->r->v[i].logical_id);
		bool applies = c != NULL;
		if (c && !is_ok(cfn_applies(&l->view.scope, c, &applies, &ignored))) applies = true;
		if (!applies && !cfn_policy_allows(l->a, l->s, "Update:Delete", &l->r->v[i], &why)) return why;
	}
	return STR_NONE;
}

/* Counts what is done, under way and failed, and begins what can begin. */
static void look_at_resources(struct look *l)
{
	struct buf failed = BUF_IN(l->a);
	size_t left = 0, under_way = 0, room = 0;
	struct cfn_scope *scope = &l->view.scope;
	struct str why = STR_NONE;
	const struct json_value *all = l->op->template.resources;
	for (const struct json_value *c = all->first; c; c = c->next) {
		struct cloudformation_rec_resource *r = find(l->r, c->name);
		if (!mine(l, r)) continue;
		if (is_step(r, "failed")) {
			if (failed.n) buf_lit(&failed, ", ");
			buf_str(&failed, c->name);
		} else if (!is_step(r, "done")) {
			under_way++;
			enum cfn_task_kind kind = is_step(r, "create")   ? TASK_CREATE_AGAIN
						  : is_step(r, "import") ? TASK_IMPORT
						  : is_step(r, "update") ? TASK_UPDATE
						  : is_step(r, "retag")  ? TASK_RETAG
									 : TASK_SETTLE;
			cfn_task_begin(l->e, l->op, r->logical_id, kind); /* after a crash; else it runs */
		}
	}
	bool late = l->s->deadline.has && l->now_ms > l->s->deadline.v && str_is(l->s->status, "CREATE_IN_PROGRESS");
	bool cancelled =
		str_is(str_or(l->s->operation, STR("")), "cancel") && str_is(l->s->status, "UPDATE_IN_PROGRESS");
	if (cancelled && !failed.n) {
		if (!under_way) end_failed(l, STR("User Initiated"));
		return;
	}
	if (failed.n || late) {
		if (under_way && !late) return;
		bool update = !str_is(l->s->status, "CREATE_IN_PROGRESS");
		end_failed(l, failed.n ? str_fmt(l->a, "The following resource(s) failed to %s: [%.*s].",
						 update ? "update" : "create", STR_ARG(buf_done(&failed)))
				       : STR("Stack creation time exceeded the specified timeout."));
		return;
	}
	room = under_way < CFN_TASKS_MAX ? CFN_TASKS_MAX - under_way : 0;
	for (const struct json_value *c = all->first; c; c = c->next) {
		struct cloudformation_rec_resource *r = find(l->r, c->name);
		bool applies;
		if (mine(l, r)) continue;
		if (!is_ok(cfn_applies(scope, c, &applies, &why))) {
			end_failed(l, why);
			return;
		}
		if (!applies) continue;
		left++;
		struct cfn_names needs;
		cfn_resource_needs(l->a, &l->op->template, c, &needs);
		if (!room || !needs_are_done(l, &needs)) continue;
		begin(l, c, r, &needs);
		if (l->begun.v[l->begun.n - 1].task) room--;
	}
	if (!left && !under_way && !l->back) why = denied_removal(l);
	if (str_has(why))
		end_failed(l, why);
	else if (!left && !under_way)
		end_done(l);
}

bool cfn_build(struct cfn_engine *e, struct cfn_op *op, struct arena *a, struct cloudformation_rec_stack *s,
	struct cfn_resources *r, bool back)
{
	struct look l = {.e = e,
		.op = op,
		.a = a,
		.s = s,
		.r = r,
		.back = back,
		.now_ms = clock_now(e->cloud->clock),
		.reason = STR_NONE};
	struct str why = STR_NONE;
	status loaded = load_template(&l, &why);
	if (is_ok(loaded)) {
		cfn_view_init(&l.view, e->cloud, a, s, &op->template, &settings_of(&l)->parameters, r);
		loaded = cfn_who(e->cloud, a, s, &l.view.who, &why);
	}
	if (is_ok(loaded))
		look_at_resources(&l);
	else
		end_failed(&l, why);
	if (!l.begun.n && !l.next) return false;
	bool ending = l.next != NULL;
	status written = cfn_write(e, op, write_look, &l);
	if (!is_ok(written)) {
		/* The exports were refused: the phase fails with their reason. */
		if (!ending || l.next || !str_has(l.reason)) return false;
		end_failed(&l, l.reason);
		return is_ok(cfn_write(e, op, write_look, &l));
	}
	bool more = l.next != NULL;
	for (size_t i = 0; i < l.begun.n; i++) {
		if (l.begun.v[i].task)
			cfn_task_begin(e, op, l.begun.v[i].r.logical_id, l.begun.v[i].kind);
		else
			more = true;
	}
	return more;
}
