/* Operations of stack sets: how they begin, are told of and stopped. */
#include "base/rand.h"
#include "base/vec.h"
#include "services/cloudformation/stack_set.h"

enum { PAGE = 100 };

static struct opt_i32 number(const struct opt_i32 *v)
{
	return *v;
}

static bool is_open(const struct cloudformation_rec_set_operation *o)
{
	return str_is(o->status, "RUNNING") || str_is(o->status, "QUEUED") || str_is(o->status, "STOPPING");
}

void cfn_set_enqueue(struct cfn_set_place p, struct cloudformation_rec_stack_set *s,
	struct cloudformation_rec_set_operation *o, int64_t now_ms)
{
	struct cloudformation_rec_set_work work = {.account = p.account, .region = p.region, .name = p.name};
	struct job job = {.kind = STR(CFN_SET_JOB),
		.id = str_fmt(p.a, "%.*s/%.*s/%.*s", STR_ARG(p.account), STR_ARG(p.region), STR_ARG(p.name)),
		.due_ms = now_ms,
		.payload = cloudformation_rec_set_work_encode(p.a, &work)};
	s->operations = SOME_I64(s->operations.v + 1);
	o->number = s->operations;
	o->created = SOME_I64(now_ms);
	for (size_t i = 0; i < o->targets.n; i++) {
		struct cloudformation_rec_set_instance r;
		const struct cloudformation_rec_target *t = &o->targets.v[i];
		if (!is_ok(cfn_set_instance_get(p, t->account, t->region, &r))) continue;
		r.detailed = STR("PENDING");
		r.operation = o->id;
		cfn_set_instance_put(p, &r);
	}
	cfn_set_put(p, s);
	cfn_set_operation_put(p, o);
	jobs_schedule(p.tx, &job);
}

static void poke(void *jobs)
{
	jobs_poke(jobs);
}

status cfn_set_begin(struct call *c, struct cloudformation_rec_stack_set *s, struct str id, const char *action,
	const struct cloudformation_stack_set_operation_preferences *preferences,
	struct cloudformation_rec_set_operation *o)
{
	struct cfn_set_place p = cfn_set_place_of(c, s->name);
	struct cfn_set_operations all;
	TRY(cfn_set_operations(p, &all));
	o->id = str_has(id) ? id : rand_uuid(c->arena);
	o->action = str_c(action);
	o->status = STR("RUNNING");
	for (size_t i = 0; i < all.n; i++) {
		if (str_eq(all.v[i].id, o->id))
			return call_fail(c, CLOUDFORMATION_ERR_OPERATION_ID_ALREADY_EXISTS_EXCEPTION,
				"Operation %.*s already exists", STR_ARG(o->id));
		if (!is_open(&all.v[i])) continue;
		/* "Managed execution … performs non-conflicting operations concurrently and queues conflicting
		 * operations." */
		if (!s->managed_execution.v)
			return call_fail(c, CLOUDFORMATION_ERR_OPERATION_IN_PROGRESS_EXCEPTION,
				"Another Operation on StackSet %.*s is in progress: %.*s", STR_ARG(s->id),
				STR_ARG(all.v[i].id));
		o->status = STR("QUEUED");
	}
	if (preferences) {
		if (preferences->failure_tolerance_count.has && preferences->failure_tolerance_percentage.has)
			return call_fail(c, ERR_VALIDATION,
				"Only one of FailureToleranceCount and FailureTolerancePercentage can be specified");
		if (preferences->max_concurrent_count.has && preferences->max_concurrent_percentage.has)
			return call_fail(c, ERR_VALIDATION,
				"Only one of MaxConcurrentCount and MaxConcurrentPercentage can be specified");
		o->region_order =
			(struct cloudformation_rec_texts){preferences->region_order.v, preferences->region_order.n};
		o->parallel = SOME_BOOL(str_is(str_or(preferences->region_concurrency_type, STR("")), "PARALLEL"));
		o->tolerance = number(&preferences->failure_tolerance_count);
		o->tolerance_percent = number(&preferences->failure_tolerance_percentage);
		o->concurrent = number(&preferences->max_concurrent_count);
		o->concurrent_percent = number(&preferences->max_concurrent_percentage);
		o->soft = SOME_BOOL(str_is(str_or(preferences->concurrency_mode, STR("")), "SOFT_FAILURE_TOLERANCE"));
	}
	cfn_set_enqueue(p, s, o, c->now_ms);
	call_after_commit(c, poke, c->cloud->jobs);
	return OK;
}

static status load(struct call *c, struct str set, struct str id, struct cloudformation_rec_stack_set *s,
	struct cloudformation_rec_set_operation *o)
{
	struct cfn_set_operations all;
	TRY(cfn_set_load(c, set, s));
	TRY(cfn_set_operations(cfn_set_place_of(c, set), &all));
	for (size_t i = 0; i < all.n; i++) {
		if (!str_eq(all.v[i].id, id)) continue;
		*o = all.v[i];
		return OK;
	}
	return call_fail(c, CLOUDFORMATION_ERR_OPERATION_NOT_FOUND_EXCEPTION,
		"Operation %.*s not found for StackSet %.*s", STR_ARG(id), STR_ARG(s->id));
}

static struct cloudformation_stack_set_operation_preferences *preferences(
	struct arena *a, const struct cloudformation_rec_set_operation *o)
{
	struct cloudformation_stack_set_operation_preferences *p =
		arena_new(a, struct cloudformation_stack_set_operation_preferences);
	*p = (struct cloudformation_stack_set_operation_preferences){
		.region_order = {o->region_order.v, o->region_order.n},
		.region_concurrency_type = o->parallel.v ? STR("PARALLEL") : STR_NONE,
		.failure_tolerance_count = o->tolerance,
		.failure_tolerance_percentage = o->tolerance_percent,
		.max_concurrent_count = o->concurrent,
		.max_concurrent_percentage = o->concurrent_percent,
		.concurrency_mode = o->soft.v ? STR("SOFT_FAILURE_TOLERANCE") : STR_NONE};
	VEC_PRESENT(a, &p->region_order);
	return p;
}

static struct cloudformation_stack_set_operation_status_details *details(
	struct arena *a, const struct cloudformation_rec_set_operation *o)
{
	struct cloudformation_stack_set_operation_status_details *d =
		arena_new(a, struct cloudformation_stack_set_operation_status_details);
	int32_t failed = 0;
	for (size_t i = 0; i < o->targets.n; i++) failed += str_is(o->targets.v[i].status, "FAILED");
	d->failed_stack_instances_count = SOME_I32(failed);
	return d;
}

static struct opt_time at(struct opt_i64 t)
{
	return (struct opt_time){.has = t.has, .ms = t.v};
}

status cloudformation_describe_stack_set_operation(struct call *c,
	const struct cloudformation_describe_stack_set_operation_input *in,
	struct cloudformation_describe_stack_set_operation_output *out)
{
	struct cloudformation_rec_stack_set s;
	struct cloudformation_rec_set_operation o = {0};
	TRY(load(c, in->stack_set_name, in->operation_id, &s, &o));
	struct cloudformation_stack_set_operation *to = out->stack_set_operation =
		arena_new(c->arena, struct cloudformation_stack_set_operation);
	*to = (struct cloudformation_stack_set_operation){.operation_id = o.id,
		.stack_set_id = s.id,
		.action = o.action,
		.status = o.status,
		.status_reason = o.reason,
		.operation_preferences = preferences(c->arena, &o),
		.administration_role_arn = s.admin_role,
		.execution_role_name = s.execution_role,
		.creation_timestamp = at(o.created),
		.end_timestamp = at(o.ended),
		.status_details = details(c->arena, &o)};
	if (str_is(o.action, "DELETE")) to->retain_stacks = SOME_BOOL(o.retain.v);
	if (o.units.n) {
		to->deployment_targets = arena_new(c->arena, struct cloudformation_deployment_targets);
		to->deployment_targets->organizational_unit_ids =
			(struct cloudformation_organizational_unit_id_list){o.units.v, o.units.n};
	}
	return OK;
}

/* A list's token is the place of its next page. */
static status page(struct call *c, struct str token, size_t n, size_t *from)
{
	uint64_t i = 0;
	if (str_has(token) && (!is_ok(str_to_u64(token, &i)) || i > n))
		return call_fail(c, ERR_VALIDATION, "Invalid NextToken");
	*from = (size_t)i;
	return OK;
}

status cloudformation_list_stack_set_operations(struct call *c,
	const struct cloudformation_list_stack_set_operations_input *in,
	struct cloudformation_list_stack_set_operations_output *out)
{
	struct cloudformation_rec_stack_set s;
	struct cfn_set_operations all;
	size_t from = 0, capacity = 0, most = in->max_results.has ? (size_t)in->max_results.v : PAGE;
	TRY(cfn_set_load(c, in->stack_set_name, &s));
	TRY(cfn_set_operations(cfn_set_place_of(c, in->stack_set_name), &all));
	TRY(page(c, in->next_token, all.n, &from));
	VEC_PRESENT(c->arena, &out->summaries);
	for (size_t i = from; i < all.n && out->summaries.n < most; i++) {
		const struct cloudformation_rec_set_operation *o = &all.v[i];
		*VEC_PUSH(c->arena, &out->summaries, &capacity) =
			(struct cloudformation_stack_set_operation_summary){.operation_id = o->id,
				.action = o->action,
				.status = o->status,
				.status_reason = o->reason,
				.creation_timestamp = at(o->created),
				.end_timestamp = at(o->ended),
				.status_details = details(c->arena, o),
				.operation_preferences = preferences(c->arena, o)};
	}
	if (from + out->summaries.n < all.n) out->next_token = str_fmt(c->arena, "%zu", from + out->summaries.n);
	return OK;
}

status cloudformation_list_stack_set_operation_results(struct call *c,
	const struct cloudformation_list_stack_set_operation_results_input *in,
	struct cloudformation_list_stack_set_operation_results_output *out)
{
	struct cloudformation_rec_stack_set s;
	struct cloudformation_rec_set_operation o = {0};
	size_t from = 0, capacity = 0, most = in->max_results.has ? (size_t)in->max_results.v : PAGE, i;
	TRY(load(c, in->stack_set_name, in->operation_id, &s, &o));
	TRY(page(c, in->next_token, o.targets.n, &from));
	VEC_PRESENT(c->arena, &out->summaries);
	for (i = from; i < o.targets.n && out->summaries.n < most; i++) {
		const struct cloudformation_rec_target *t = &o.targets.v[i];
		bool wanted = true;
		for (size_t k = 0; k < in->filters.n; k++)
			if (str_is(str_or(in->filters.v[k].name, STR("")), "OPERATION_RESULT_STATUS"))
				wanted &= str_eq(str_or(in->filters.v[k].values, STR("")), t->status);
		if (!wanted) continue;
		*VEC_PUSH(c->arena, &out->summaries, &capacity) =
			(struct cloudformation_stack_set_operation_result_summary){.account = t->account,
				.region = t->region,
				.status = t->status,
				.status_reason = t->reason,
				.organizational_unit_id = t->unit};
	}
	if (i < o.targets.n) out->next_token = str_fmt(c->arena, "%zu", i);
	return OK;
}

status cloudformation_stop_stack_set_operation(struct call *c,
	const struct cloudformation_stop_stack_set_operation_input *in,
	struct cloudformation_stop_stack_set_operation_output *out)
{
	struct cloudformation_rec_stack_set s;
	struct cloudformation_rec_set_operation o = {0};
	(void)out;
	TRY(load(c, in->stack_set_name, in->operation_id, &s, &o));
	if (!is_open(&o))
		return call_fail(c, CLOUDFORMATION_ERR_INVALID_OPERATION_EXCEPTION,
			"Operation %.*s is not in a stoppable state: %.*s", STR_ARG(o.id), STR_ARG(o.status));
	o.status = STR("STOPPING");
	cfn_set_operation_put(cfn_set_place_of(c, in->stack_set_name), &o);
	call_after_commit(c, poke, c->cloud->jobs);
	return OK;
}
