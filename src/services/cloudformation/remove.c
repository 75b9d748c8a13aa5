/* Removing a stack's resources, those that nothing needs any more first: deletion, the rollback of a creation, and the
 * clean-up after an update. */
#include "base/vec.h"
#include "clock/clock.h"
#include "services/cloudformation/engine.h"

struct removal {
	struct cfn_engine *e;
	struct cfn_op *op;
	struct arena *a;
	struct cloudformation_rec_stack *s;
	struct cfn_resources *r;
	int64_t now_ms;
	const struct cfn_template *keep; /* resources that stay; NULL: none do */
	struct cfn_scope *scope;
	/* decided */
	struct {
		struct cloudformation_rec_resource *v;
		size_t n;
	} changed;
	struct cfn_names begin, begin_old, dropped;
	size_t changed_capacity, begin_capacity, begin_old_capacity, dropped_capacity;
	const char *next;
	struct str reason;
};

static bool stays(struct removal *m, const struct cloudformation_rec_resource *r)
{
	const struct json_value *c = m->keep ? json_member(m->keep->resources, r->logical_id) : NULL;
	bool applies = true;
	struct str ignored;
	if (!c) return false;
	return is_ok(cfn_applies(m->scope, c, &applies, &ignored)) && applies;
}

static bool mine(const struct removal *m, const struct cloudformation_rec_resource *r)
{
	return r->step_operation.has && r->step_operation.v == m->s->operation_id.v;
}
static bool is_step(const struct cloudformation_rec_resource *r, const char *step)
{
	return str_eq(str_or(r->step, STR("")), str_c(step));
}

/* Its creation may have been begun, by a task that runs or that a crash cut short: only its end tells what was made, and
 * so what there is to remove. */
static bool is_being_made(const struct cloudformation_rec_resource *r)
{
	return is_step(r, "create") && !str_has(r->physical_id);
}

static bool dropped(const struct removal *m, struct str name)
{
	return cfn_names_have(&m->dropped, name);
}

static bool needed(struct removal *m, const struct cloudformation_rec_resource *r)
{
	for (size_t i = 0; i < m->r->n; i++) {
		const struct cloudformation_rec_resource *other = &m->r->v[i];
		if (other == r || stays(m, other) || dropped(m, other->logical_id)) continue;
		/* What could not be removed keeps what it needs. */
		for (size_t k = 0; k < other->needs.n; k++)
			if (str_eq(other->needs.v[k], r->logical_id)) return true;
	}
	return false;
}

static bool retained(const struct removal *m, const struct cloudformation_rec_resource *r)
{
	struct str policy = str_or(r->deletion_policy, STR("Delete"));
	for (size_t i = 0; i < m->s->retain.n; i++)
		if (str_eq(m->s->retain.v[i], r->logical_id)) return true;
	if (str_is(policy, "Retain")) return true;
	/* What this very operation imported is not the stack's to delete. */
	bool back = str_is(m->s->status, "ROLLBACK_IN_PROGRESS") ||
		    str_is(m->s->status, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS");
	if (r->imported.v && back && str_has(m->s->imports)) return true;
	return str_is(policy, "RetainExceptOnCreate") && !str_is(m->s->status, "ROLLBACK_IN_PROGRESS");
}

static void begin(struct removal *m, struct cloudformation_rec_resource *r, bool old)
{
	if (!old && (retained(m, r) || !str_has(r->physical_id))) {
		*VEC_PUSH(m->a, &m->dropped, &m->dropped_capacity) = r->logical_id;
		return;
	}
	struct str policy = str_or(r->replace_policy, STR("Delete"));
	struct cloudformation_rec_resource changed = *r;
	changed.step_operation = m->s->operation_id;
	if (old && str_is(policy, "Retain")) {
		changed.old_physical_id = changed.old_properties = changed.old_type = changed.old_attributes = STR_NONE;
		*r = changed;
	} else if (old) {
		changed.step = STR("remove-old");
		changed.signal_deadline = (struct opt_i64){0};
		*VEC_PUSH(m->a, &m->begin_old, &m->begin_old_capacity) = r->logical_id;
	} else {
		changed.status = STR("DELETE_IN_PROGRESS");
		changed.reason = STR_NONE;
		changed.changed = SOME_I64(m->now_ms);
		changed.step = STR("remove");
		changed.signal_deadline = (struct opt_i64){0};
		*VEC_PUSH(m->a, &m->begin, &m->begin_capacity) = r->logical_id;
	}
	*VEC_PUSH(m->a, &m->changed, &m->changed_capacity) = changed;
}

static status write_removal(void *ctx, struct store_tx *tx, struct arena *a, struct cloudformation_rec_stack *s)
{
	struct removal *m = ctx;
	if (s->operation_id.v != m->s->operation_id.v || !str_eq(s->status, m->s->status)) return STATUS(FAILED);
	for (size_t i = 0; i < m->changed.n; i++) {
		struct cloudformation_rec_resource *r = &m->changed.v[i], told = *r;
		if (is_step(r, "remove-old"))
			told.physical_id = r->old_physical_id, told.type = str_or(r->old_type, r->type);
		if (is_step(r, "remove") || is_step(r, "remove-old"))
			cfn_event(tx, a, s, &told, STR("DELETE_IN_PROGRESS"), STR_NONE, m->now_ms);
		cfn_resource_put(tx, a, s, r);
	}
	for (size_t i = 0; i < m->dropped.n; i++) {
		struct cloudformation_rec_resource r;
		if (!is_ok(cfn_resource_get(tx, a, s, m->dropped.v[i], &r))) continue;
		cfn_event(tx, a, s, &r, str_has(r.physical_id) ? STR("DELETE_SKIPPED") : STR("DELETE_COMPLETE"),
			STR_NONE, m->now_ms);
		cfn_resource_drop(tx, a, s, r.logical_id);
	}
	if (!m->next) {
		cfn_stack_put(tx, a, s);
		return OK;
	}
	s->operation_id = SOME_I64(s->operation_id.v + 1);
	if (str_is(str_c(m->next), "DELETE_COMPLETE")) {
		static const struct cloudformation_rec_outputs none = {0};
		static const struct cfn_names no_imports = {0};
		struct str why;
		if (!is_ok(cfn_exports_set(tx, a, s, &none, &no_imports, &why))) {
			cfn_stack_status(tx, a, s, "DELETE_FAILED", why, m->now_ms);
			return OK;
		}
		s->deleted = SOME_I64(m->now_ms);
	}
	if (str_ends(str_c(m->next), STR("UPDATE_COMPLETE")) || str_is(str_c(m->next), "UPDATE_ROLLBACK_COMPLETE"))
		s->previous = NULL;
	s->client_token = str_is(str_c(m->next), "DELETE_COMPLETE") ? s->client_token : STR_NONE;
	cfn_stack_status(tx, a, s, m->next, m->reason, m->now_ms);
	return OK;
}

/* tolerant: what cannot be removed is left behind. */
static bool remove_some(struct removal *m, bool tolerant, const char *done, const char *failed_status)
{
	struct buf failed = BUF_IN(m->a);
	size_t under_way = 0, left = 0;
	for (size_t i = 0; i < m->r->n; i++) {
		struct cloudformation_rec_resource *r = &m->r->v[i];
		if (is_being_made(r) && !stays(m, r)) {
			under_way++;
			cfn_task_begin(m->e, m->op, r->logical_id, TASK_CREATE_AGAIN);
			continue;
		}
		if (!mine(m, r)) continue;
		if (is_step(r, "remove") || (is_step(r, "remove-old") && str_has(r->old_physical_id))) {
			under_way++;
			cfn_task_begin(
				m->e, m->op, r->logical_id, is_step(r, "remove") ? TASK_REMOVE : TASK_REMOVE_OLD);
		} else if (is_step(r, "failed") && str_is(r->status, "DELETE_FAILED") && tolerant) {
			*VEC_PUSH(m->a, &m->dropped, &m->dropped_capacity) = r->logical_id;
		} else if (is_step(r, "failed") && str_is(r->status, "DELETE_FAILED")) {
			if (failed.n) buf_lit(&failed, ", ");
			buf_str(&failed, r->logical_id);
		}
	}
	size_t room = under_way < CFN_TASKS_MAX ? CFN_TASKS_MAX - under_way : 0;
	for (size_t i = 0; i < m->r->n; i++) {
		struct cloudformation_rec_resource *r = &m->r->v[i];
		bool stay = stays(m, r);
		if (dropped(m, r->logical_id)) continue;
		bool old = str_has(r->old_physical_id);
		if (mine(m, r) && (is_step(r, "remove") || (is_step(r, "remove-old") && old))) continue;
		if (mine(m, r) && is_step(r, "failed") && str_is(r->status, "DELETE_FAILED")) continue;
		if (stay && !old) continue;
		left++;
		if (is_being_made(r)) continue;
		if (!room || (!old && needed(m, r))) continue;
		size_t before = m->begin.n + m->begin_old.n;
		begin(m, r, old);
		if (m->begin.n + m->begin_old.n > before) room--;
	}
	if (!m->changed.n && !m->dropped.n && !under_way) {
		if (failed.n) {
			m->reason = str_fmt(m->a, "The following resource(s) failed to delete: [%.*s]. ",
				STR_ARG(buf_done(&failed)));
			m->next = failed_status;
		} else if (!left) {
			m->next = done;
		}
	}
	if (!m->changed.n && !m->dropped.n && !m->next) return false;
	if (!is_ok(cfn_write(m->e, m->op, write_removal, m))) return false;
	for (size_t i = 0; i < m->begin.n; i++) cfn_task_begin(m->e, m->op, m->begin.v[i], TASK_REMOVE);
	for (size_t i = 0; i < m->begin_old.n; i++) cfn_task_begin(m->e, m->op, m->begin_old.v[i], TASK_REMOVE_OLD);
	return m->dropped.n || m->next || m->changed.n > m->begin.n + m->begin_old.n;
}

bool cfn_remove_all(struct cfn_engine *e, struct cfn_op *op, struct arena *a, struct cloudformation_rec_stack *s,
	struct cfn_resources *r)
{
	struct removal m = {
		.e = e, .op = op, .a = a, .s = s, .r = r, .now_ms = clock_now(e->cloud->clock), .reason = STR_NONE};
	bool rollback = str_is(s->status, "ROLLBACK_IN_PROGRESS");
	return remove_some(&m, false, rollback ? "ROLLBACK_COMPLETE" : "DELETE_COMPLETE",
		rollback ? "ROLLBACK_FAILED" : "DELETE_FAILED");
}

bool cfn_clean_up(struct cfn_engine *e, struct cfn_op *op, struct arena *a, struct cloudformation_rec_stack *s,
	struct cfn_resources *r)
{
	struct removal m = {
		.e = e, .op = op, .a = a, .s = s, .r = r, .now_ms = clock_now(e->cloud->clock), .reason = STR_NONE};
	bool back = str_is(s->status, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS");
	struct cfn_template t;
	struct cfn_view view;
	struct inside_caller who;
	struct str why;
	if (is_ok(cfn_who(e->cloud, a, s, &who, &why)) &&
		is_ok(cfn_template_load(
			e->cloud, &who, a, s->settings->template, &s->settings->parameters, &t, &why))) {
		cfn_view_init(&view, e->cloud, a, s, &t, &s->settings->parameters, r);
		view.who = who;
		m.keep = &t;
		m.scope = &view.scope;
	} else {
		/* A template that was built from cannot be read now: nothing is removed that might be needed. */
		m.next = back ? "UPDATE_ROLLBACK_FAILED" : "UPDATE_COMPLETE";
		m.reason = why;
		return is_ok(cfn_write(e, op, write_removal, &m));
	}
	return remove_some(&m, true, back ? "UPDATE_ROLLBACK_COMPLETE" : "UPDATE_COMPLETE",
		back ? "UPDATE_ROLLBACK_COMPLETE" : "UPDATE_COMPLETE");
}
