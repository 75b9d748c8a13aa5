/* One call of a resource's handler, and what comes of it in the stack's records: see engine.c. */
#include "clock/clock.h"
#include "services/cloudformation/engine.h"
#include "services/cloudformation/recipe.h"

struct task_run {
	struct cfn_task *t;
	struct cfn_engine *e;
	struct arena a;
	struct cloudformation_rec_stack stack;
	struct cloudformation_rec_resource r;
	struct cfn_type type;
	struct cfn_work w;
	const struct cfn_handler *handler;
	status result;
	bool stale; /* somebody has done it meanwhile */
};

/* The step that a resource is at when such a task is due. Who looked at the stack may have seen it before its task
 * ended. */
static bool is_due(const struct cloudformation_rec_resource *r, enum cfn_task_kind kind)
{
	static const char *const steps[] = {[TASK_CREATE] = "create",
		[TASK_CREATE_AGAIN] = "create",
		[TASK_IMPORT] = "import",
		[TASK_SETTLE] = "settle",
		[TASK_UPDATE] = "update",
		[TASK_RETAG] = "retag",
		[TASK_REMOVE] = "remove",
		[TASK_REMOVE_OLD] = "remove-old"};
	return str_eq(str_or(r->step, STR("")), str_c(steps[kind]));
}

static const struct json_value *read_json(struct arena *a, struct str text)
{
	struct json_value *v;
	return str_has(text) && is_ok(json_read(a, text, &v)) ? v : cfn_object(a);
}

/* Of a creation that failed half-way only what was wanted is known. */
static struct str made_with(const struct cloudformation_rec_resource *r)
{
	bool whole = str_has(r->properties) && !str_is(r->properties, "{}");
	return whole || !str_has(r->wanted) ? r->properties : r->wanted;
}

static status prepare(struct task_run *x)
{
	struct cfn_op *op = x->t->op;
	struct arena *a = &x->a;
	struct cfn_work *w = &x->w;
	bool old = x->t->kind == TASK_REMOVE_OLD;
	struct store_tx *tx = store_begin(x->e->cloud->store, a, true);
	status st = cfn_stack_find(
		tx, a, (struct cfn_place){str_c(op->account), str_c(op->region)}, str_c(op->id), &x->stack);
	if (is_ok(st)) st = cfn_resource_get(tx, a, &x->stack, str_dup(a, str_c(x->t->logical_id)), &x->r);
	store_end(tx);
	TRY(st);
	x->stale = !is_due(&x->r, x->t->kind) || (old && !str_has(x->r.old_physical_id));
	if (x->stale) return OK;
	struct str type = old ? str_or(x->r.old_type, x->r.type) : x->r.type;
	*w = (struct cfn_work){.a = a,
		.cloud = x->e->cloud,
		.account = x->stack.account,
		.region = x->stack.region,
		.stack_id = x->stack.id,
		.stack_name = x->stack.name,
		.partition = str_starts(x->stack.region, STR("cn-"))       ? STR("aws-cn")
			     : str_starts(x->stack.region, STR("us-gov-")) ? STR("aws-us-gov")
									   : STR("aws"),
		.logical_id = x->r.logical_id,
		.type = &x->type,
		.token = x->r.token,
		.why = STR_NONE,
		.code = STR_NONE,
		.note = STR_NONE,
		.physical_id = old ? x->r.old_physical_id : x->r.physical_id,
		.again = x->t->kind == TASK_CREATE_AGAIN,
		.old_physical_id = x->r.old_physical_id,
		.now_ms = clock_now(x->e->cloud->clock),
		.deadline_ms = x->r.signal_deadline.v,
		.update_policy = str_has(x->r.update_policy) ? read_json(a, x->r.update_policy) : NULL,
		.updating = str_starts(x->r.status, STR("UPDATE_")),
		.snapshot = str_is(str_or(x->r.deletion_policy, STR("")), "Snapshot")};
	x->handler = cfn_handler_of(type);
	if (!is_ok(cfn_type_find(a, type, &x->type)) || !x->handler)
		return cfn_fail(w, "Resource type %.*s is not supported by virga yet", STR_ARG(type));
	TRY(cfn_who(x->e->cloud, a, &x->stack, &w->who, &w->why));
	w->tags = cfn_tags_now(a, &x->stack, &x->r);
	w->tags_before = cfn_tags_before(a, &x->stack, &x->r);
	w->only_tags = x->t->kind == TASK_RETAG;
	w->properties = read_json(a, x->t->kind == TASK_REMOVE_OLD ? x->r.old_properties
				     : x->t->kind == TASK_REMOVE   ? made_with(&x->r)
								   : x->r.wanted);
	bool removal = old || x->t->kind == TASK_REMOVE;
	w->before = removal ? w->properties : read_json(a, x->r.properties);
	w->attributes = cfn_object(a);
	const struct json_value *known = read_json(a, old ? x->r.old_attributes : x->r.attributes);
	for (const struct json_value *c = known->first; c; c = c->next)
		cfn_append(w->attributes, c->name, cfn_copy(a, c));
	return OK;
}

static status handle(struct task_run *x)
{
	const struct cfn_handler *h = x->handler;
	switch (x->t->kind) {
	case TASK_CREATE:
	case TASK_CREATE_AGAIN:
		TRY(h->create(&x->w));
		return h->settle ? h->settle(&x->w) : OK;
	case TASK_UPDATE:
		TRY(h->update(&x->w));
		return h->settle ? h->settle(&x->w) : OK;
	case TASK_RETAG:
		if (h->create == cfn_recipe_create) return cfn_recipe_retag(&x->w);
		TRY(h->update(&x->w));
		return h->settle ? h->settle(&x->w) : OK;
	case TASK_IMPORT:
		return h->read ? h->read(&x->w) : cfn_fail(&x->w, "Resources of this type cannot be imported");
	case TASK_SETTLE:
		return h->settle ? h->settle(&x->w) : OK;
	case TASK_REMOVE:
	case TASK_REMOVE_OLD:
		return str_has(x->w.physical_id) ? h->remove(&x->w) : OK;
	}
	return OK;
}

/* A creation that is done as far as the handler goes waits for what its CreationPolicy wants. */
static status wait_for_signals(struct task_run *x)
{
	struct cloudformation_rec_resource *r = &x->r;
	int64_t ms = 0;
	bool creating = x->t->kind != TASK_IMPORT && (str_empty(r->properties) || str_is(r->properties, "{}"));
	if (!str_has(r->creation_policy) || !creating || x->t->kind > TASK_SETTLE) return OK;
	if (!x->w.deadline_ms) {
		struct json_value *policy;
		struct str timeout = STR_NONE;
		if (is_ok(json_read(&x->a, r->creation_policy, &policy)))
			timeout = cfn_at(policy, "ResourceSignal.Timeout");
		if (!is_ok(cfn_duration_ms(str_or(timeout, STR("PT5M")), &ms))) ms = 300000;
		x->w.deadline_ms = x->w.now_ms + ms;
		r->signal_deadline = SOME_I64(x->w.deadline_ms);
	}
	return cfn_signals_wanted(&x->a, r, x->w.now_ms, &x->w.why);
}

static bool was_update(const struct cloudformation_rec_resource *r)
{
	return str_starts(r->status, STR("UPDATE_"));
}

bool cfn_others_under_way(struct cfn_work *w)
{
	struct cloudformation_rec_stack s = {0};
	struct cfn_resources all = {0};
	bool found = false;
	struct store_tx *tx = store_begin(w->cloud->store, w->a, true);
	if (is_ok(cfn_stack_find(tx, w->a, (struct cfn_place){w->account, w->region}, w->stack_id, &s)) &&
		is_ok(cfn_resources_load(tx, w->a, &s, &all)))
		for (size_t i = 0; i < all.n && !found; i++)
			found = !str_eq(all.v[i].logical_id, w->logical_id) && !all.v[i].waiting.v &&
				str_ends(str_or(all.v[i].status, STR("")), STR("E_IN_PROGRESS"));
	store_end(tx);
	return found;
}

static void finish_made(struct task_run *x, struct store_tx *tx, struct arena *a, struct cloudformation_rec_stack *s,
	struct cloudformation_rec_resource *r)
{
	bool update = was_update(r), had = str_has(r->physical_id);
	if (x->w.not_yet) {
		if (r->waiting.v) return;
		r->waiting = SOME_BOOL(true);
		r->signal_deadline = SOME_I64(x->w.deadline_ms);
		cfn_resource_put(tx, a, s, r);
		return;
	}
	r->waiting = (struct opt_bool){0};
	/* A custom resource says by another id that its update made a new one: the old one goes with the clean-up. */
	if (is_ok(x->result) && update && had && str_has(x->w.physical_id) && !str_has(r->old_physical_id) &&
		!str_eq(x->w.physical_id, r->physical_id)) {
		r->old_physical_id = r->physical_id;
		r->old_properties = r->properties;
		r->old_attributes = r->attributes;
		r->old_type = r->type;
	}
	r->physical_id = str_or(x->w.physical_id, r->physical_id);
	r->attributes = cfn_json(a, x->w.attributes);
	r->changed = SOME_I64(x->w.now_ms);
	if (x->w.deadline_ms) r->signal_deadline = SOME_I64(x->w.deadline_ms);
	if (status_is(x->result, STATUS_PENDING)) {
		r->step = STR("settle");
		if (str_has(x->w.note)) cfn_event(tx, a, s, r, r->status, x->w.note, x->w.now_ms);
		if (!had && str_has(r->physical_id) && !update)
			cfn_event(tx, a, s, r, STR("CREATE_IN_PROGRESS"), STR("Resource creation Initiated"),
				x->w.now_ms);
	} else if (is_ok(x->result)) {
		r->signal_deadline = (typeof(r->signal_deadline)){0};
		if (!had && !update)
			cfn_event(tx, a, s, r, STR("CREATE_IN_PROGRESS"), STR("Resource creation Initiated"),
				x->w.now_ms);
		bool imported = x->t->kind == TASK_IMPORT;
		r->properties = r->wanted;
		r->wanted = STR_NONE;
		if (!imported) r->stack_tags = cfn_tags_text(a, cfn_tags_wanted(&x->stack));
		r->step = STR("done");
		r->status = imported ? STR("IMPORT_COMPLETE")
			    : update ? STR("UPDATE_COMPLETE")
				     : STR("CREATE_COMPLETE");
		r->reason = STR_NONE;
		cfn_event(tx, a, s, r, r->status, imported ? STR("Resource import completed.") : STR_NONE, x->w.now_ms);
	} else {
		r->signal_deadline = (typeof(r->signal_deadline)){0};
		r->step = STR("failed");
		r->status = x->t->kind == TASK_IMPORT ? STR("IMPORT_FAILED")
			    : update                  ? STR("UPDATE_FAILED")
						      : STR("CREATE_FAILED");
		r->reason = str_or(x->w.why, STR("Internal Failure"));
		cfn_event(tx, a, s, r, r->status, r->reason, x->w.now_ms);
	}
	cfn_resource_put(tx, a, s, r);
	cfn_stack_put(tx, a, s);
}

static void finish_removed(struct task_run *x, struct store_tx *tx, struct arena *a, struct cloudformation_rec_stack *s,
	struct cloudformation_rec_resource *r)
{
	bool old = x->t->kind == TASK_REMOVE_OLD;
	struct cloudformation_rec_resource told = *r;
	if (old) told.physical_id = r->old_physical_id, told.type = str_or(r->old_type, r->type);
	if (status_is(x->result, STATUS_PENDING)) {
		if (x->w.deadline_ms == r->signal_deadline.v) return;
		r->signal_deadline = SOME_I64(x->w.deadline_ms);
		cfn_resource_put(tx, a, s, r);
		return;
	}
	if (is_ok(x->result)) {
		cfn_event(tx, a, s, &told, STR("DELETE_COMPLETE"), STR_NONE, x->w.now_ms);
		if (old) {
			r->old_physical_id = r->old_properties = r->old_type = r->old_attributes = STR_NONE;
			cfn_resource_put(tx, a, s, r);
		} else {
			cfn_resource_drop(tx, a, s, r->logical_id);
		}
	} else {
		struct str why = str_or(x->w.why, STR("Internal Failure"));
		cfn_event(tx, a, s, &told, STR("DELETE_FAILED"), why, x->w.now_ms);
		if (old) {
			/* "Clean-up that fails leaves the resource, but not the stack, behind" */
			r->old_physical_id = r->old_properties = r->old_type = r->old_attributes = STR_NONE;
		} else {
			r->status = STR("DELETE_FAILED");
			r->reason = why;
			r->step = STR("failed");
		}
		cfn_resource_put(tx, a, s, r);
	}
	cfn_stack_put(tx, a, s);
}

static status finish(void *ctx, struct store_tx *tx, struct arena *a, struct cloudformation_rec_stack *s)
{
	struct task_run *x = ctx;
	struct cloudformation_rec_resource r;
	TRY(cfn_resource_get(tx, a, s, str_dup(a, str_c(x->t->logical_id)), &r));
	if (x->t->kind == TASK_REMOVE || x->t->kind == TASK_REMOVE_OLD)
		finish_removed(x, tx, a, s, &r);
	else
		finish_made(x, tx, a, s, &r);
	return OK;
}

void cfn_task_run(void *arg)
{
	struct task_run x = {.t = arg};
	struct cfn_engine *e = x.e = x.t->engine;
	arena_init(&x.a);
	x.result = prepare(&x);
	if (x.stale) {
		arena_cleanup(&x.a);
		cfn_task_done(e, x.t);
		return;
	}
	if (is_ok(x.result)) x.result = handle(&x);
	if (is_ok(x.result)) x.result = wait_for_signals(&x);
	status written = x.stack.id.p && x.r.logical_id.p ? cfn_write(e, x.t->op, finish, &x) : STATUS(FAILED);
	bool again = is_ok(written) && status_is(x.result, STATUS_PENDING);
	if (again && x.w.not_yet && x.t->tries > 3) x.t->tries = 3; /* as soon as it is there */
	arena_cleanup(&x.a);
	if (!again) {
		cfn_task_done(e, x.t);
		return;
	}
	if (x.t->kind != TASK_REMOVE && x.t->kind != TASK_REMOVE_OLD && !x.w.not_yet) x.t->kind = TASK_SETTLE;
	int64_t wait_ms = 20 << (x.t->tries < 5 ? x.t->tries : 5);
	x.t->tries++;
	cfn_task_later(e, x.t, wait_ms);
}
