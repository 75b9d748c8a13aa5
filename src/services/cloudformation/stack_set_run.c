/* Operations of stack sets at work: a durable job looks at the set's open operation, begins what may begin (one region
 * after the other, so many accounts at a time, as long as not too many have failed) and asks what is under way. All
 * that it asks other accounts for can be asked twice: stacks have the names of their instances, and the operation's
 * token. */
#include "base/rand.h"
#include "base/vec.h"
#include "clock/clock.h"
#include "services/cloudformation/stack_set.h"
#include "services/organizations/door.h"

enum { LOOK_MS = 50, WATCH_MS = 2000 };

struct set_run {
	struct cloud *cloud;
	struct cfn_set_place p;
	struct cloudformation_rec_stack_set s;
	struct cloudformation_rec_set_operation *o;
	int64_t now_ms;
	bool changed;
};

static bool is(struct str s, const char *word)
{
	return str_eq(str_or(s, STR("")), str_c(word));
}

/* Who makes stacks in an account: a session of the execution role, which the administration role assumes; or StackSets
 * itself, where Organizations trusts it. */
static status who_in(
	struct set_run *x, const struct cloudformation_rec_target *t, struct inside_caller *out, struct str *why)
{
	struct arena *a = x->p.a;
	struct str ignored;
	if (cfn_set_is_service_managed(&x->s)) {
		*out = inside_service(a, t->account, t->region, STR(CFN_SETS_PRINCIPAL));
		return OK;
	}
	ptrdiff_t slash = str_rchr(x->s.admin_role, '/');
	struct str admin = str_from(x->s.admin_role, (size_t)(slash + 1));
	*out = inside_service(a, x->p.account, x->p.region, STR("cloudformation.amazonaws.com"));
	out->trusted = false;
	if (!is_ok(cfn_as_role(x->cloud, a, x->s.admin_role, out, &ignored))) {
		*why = str_fmt(a,
			"Account %.*s should have '%.*s' role with trust relationship to CloudFormation service.",
			STR_ARG(x->p.account), STR_ARG(admin));
		return STATUS(FAILED);
	}
	struct str role = str_fmt(a, "arn:aws:iam::%.*s:role/%.*s", STR_ARG(t->account), STR_ARG(x->s.execution_role));
	if (!is_ok(cfn_assume(x->cloud, a, role, STR("StackSets"), out, &ignored))) {
		*why = str_fmt(a, "Account %.*s should have '%.*s' role with trust relationship to Role '%.*s'.",
			STR_ARG(t->account), STR_ARG(x->s.execution_role), STR_ARG(admin));
		return STATUS(FAILED);
	}
	out->region = t->region;
	return OK;
}

static struct str stack_name(struct set_run *x, const struct cloudformation_rec_set_instance *i)
{
	struct str set = x->s.name.n > 82 ? str_sub(x->s.name, 0, 82) : x->s.name;
	return str_fmt(x->p.a, "StackSet-%.*s-%.*s", STR_ARG(set), STR_ARG(i->uuid));
}

/* The set's parameters and the instance's own. */
static struct json_value *parameters(struct set_run *x, const struct cloudformation_rec_set_instance *i)
{
	struct arena *a = x->p.a;
	struct json_value *list = cfn_list(a);
	for (size_t k = 0; k < x->s.parameters.n + i->overrides.n; k++) {
		bool own = k >= x->s.parameters.n;
		const struct cloudformation_rec_parameter *p =
			own ? &i->overrides.v[k - x->s.parameters.n] : &x->s.parameters.v[k];
		bool overridden = false;
		for (size_t q = 0; !own && q < i->overrides.n; q++) overridden |= str_eq(i->overrides.v[q].key, p->key);
		if (overridden) continue;
		struct json_value *one = cfn_one(a, "ParameterKey", p->key);
		cfn_append(list, STR_NONE, cfn_put(one, a, "ParameterValue", str_or(p->value, STR(""))));
	}
	return list;
}

static struct json_value *request(struct set_run *x, const struct cloudformation_rec_set_instance *i, struct str name)
{
	struct arena *a = x->p.a;
	struct json_value *in = cfn_one(a, "StackName", name), *tags = cfn_list(a), *capabilities = cfn_list(a);
	cfn_put(in, a, "TemplateBody", x->s.template);
	cfn_append(in, STR("Parameters"), parameters(x, i));
	for (size_t k = 0; k < x->s.tags.n; k++) {
		struct json_value *tag = cfn_one(a, "Key", x->s.tags.v[k].key);
		cfn_append(tags, STR_NONE, cfn_put(tag, a, "Value", x->s.tags.v[k].value));
	}
	if (tags->length) cfn_append(in, STR("Tags"), tags);
	for (size_t k = 0; k < x->s.capabilities.n; k++)
		cfn_append(capabilities, STR_NONE, cfn_text(a, x->s.capabilities.v[k]));
	cfn_append(in, STR("Capabilities"), capabilities);
	cfn_put(in, a, "ClientRequestToken", x->o->id);
	return in;
}

/* The first failure that the stack's events tell. */
static struct str first_failure(struct set_run *x, const struct inside_caller *who, struct str stack)
{
	struct cfn_api_answer answer;
	struct arena *a = x->p.a;
	struct str found = STR("The stack failed");
	cfn_api(x->cloud, who, a, "cloudformation", "DescribeStackEvents", cfn_one(a, "StackName", stack), &answer);
	const struct json_value *all = answer.ok ? cfn_in(answer.out, "StackEvents") : NULL;
	for (const struct json_value *e = all ? all->first : NULL; e; e = e->next) {
		if (!str_ends(cfn_at(e, "ResourceStatus"), STR("_FAILED"))) continue;
		found = str_fmt(a, "ResourceLogicalId:%.*s, ResourceType:%.*s, ResourceStatusReason:%.*s.",
			STR_ARG(cfn_at(e, "LogicalResourceId")), STR_ARG(cfn_at(e, "ResourceType")),
			STR_ARG(str_or(cfn_at(e, "ResourceStatusReason"), STR(""))));
		if (str_is(cfn_at(e, "ResourceStatus"), "DELETE_COMPLETE")) break;
	}
	return found;
}

static void finish(struct set_run *x, struct cloudformation_rec_target *t, struct cloudformation_rec_set_instance *i,
	const char *result, struct str reason)
{
	bool good = strcmp(result, "SUCCEEDED") == 0, drift = is(x->o->action, "DETECT_DRIFT");
	t->status = str_c(result);
	t->reason = reason;
	t->step = STR_NONE;
	x->changed = true;
	if (good && is(x->o->action, "DELETE")) {
		cfn_set_instance_drop(x->p, t->account, t->region);
		return;
	}
	i->detailed = str_c(result);
	i->reason = reason;
	i->operation = x->o->id;
	if (good && !drift) i->status = STR("CURRENT");
	/* "INOPERABLE: a DeleteStackInstances operation has failed and left the stack in an unstable state." */
	if (!good && is(x->o->action, "DELETE") && strcmp(result, "FAILED") == 0) i->status = STR("INOPERABLE");
	cfn_set_instance_put(x->p, i);
}

static void detect_drift(struct set_run *x, struct cloudformation_rec_target *t,
	struct cloudformation_rec_set_instance *i, const struct inside_caller *who)
{
	struct cfn_api_answer answer;
	struct arena *a = x->p.a;
	cfn_api(x->cloud, who, a, "cloudformation", "DetectStackDrift", cfn_one(a, "StackName", i->stack_id), &answer);
	if (answer.ok)
		cfn_api(x->cloud, who, a, "cloudformation", "DescribeStackDriftDetectionStatus",
			cfn_one(a, "StackDriftDetectionId", cfn_at(answer.out, "StackDriftDetectionId")), &answer);
	if (answer.ok) {
		i->drift_status = cfn_at(answer.out, "StackDriftStatus");
		i->drift_checked = SOME_I64(x->now_ms);
	}
	finish(x, t, i, answer.ok ? "SUCCEEDED" : "FAILED", answer.ok ? STR_NONE : answer.message);
}

static void ask_for(struct set_run *x, struct cloudformation_rec_target *t, struct cloudformation_rec_set_instance *i,
	const struct inside_caller *who, struct str status_)
{
	struct arena *a = x->p.a;
	struct cfn_api_answer answer;
	bool there = str_has(status_) && !is(status_, "DELETE_COMPLETE");
	const char *op = is(x->o->action, "DELETE") ? "DeleteStack" : there ? "UpdateStack" : "CreateStack";
	/* "ROLLBACK_COMPLETE": only deleting it is possible; a new one takes its place. */
	bool broken = there && (is(status_, "ROLLBACK_COMPLETE") || is(status_, "CREATE_FAILED") ||
				       is(status_, "ROLLBACK_FAILED") || is(status_, "DELETE_FAILED"));
	if (broken && !is(x->o->action, "DELETE")) {
		op = "DeleteStack";
		t->step = STR("clearing");
	} else {
		t->step = STR("begun");
	}
	struct json_value *in;
	if (strcmp(op, "CreateStack") == 0) {
		if (str_has(status_))
			i->uuid = x->o->id; /* after one that is gone: another name, the same when asked again */
		in = request(x, i, stack_name(x, i));
	} else if (strcmp(op, "UpdateStack") == 0) {
		in = request(x, i, i->stack_id);
	} else {
		in = cfn_one(a, "StackName", i->stack_id);
	}
	cfn_api(x->cloud, who, a, "cloudformation", op, in, &answer);
	bool same = !answer.ok && str_find(answer.message, STR("No updates are to be performed")) >= 0;
	if (same) {
		finish(x, t, i, "SUCCEEDED", STR_NONE);
		return;
	}
	/* Made by a run whose answer was lost: it is looked at. */
	if (!answer.ok && is(answer.code, "AlreadyExistsException")) {
		cfn_api(x->cloud, who, a, "cloudformation", "DescribeStacks", cfn_one(a, "StackName", stack_name(x, i)),
			&answer);
		if (answer.ok) i->stack_id = cfn_at(answer.out, "Stacks.0.StackId");
	} else if (answer.ok && strcmp(op, "CreateStack") == 0) {
		i->stack_id = cfn_at(answer.out, "StackId");
	}
	if (!answer.ok) {
		finish(x, t, i, "FAILED", answer.message);
		return;
	}
	cfn_set_instance_put(x->p, i);
}

/* The stack's status; STR_NONE: none was made yet. */
static struct str status_of(
	struct set_run *x, const struct inside_caller *who, const struct cloudformation_rec_set_instance *i)
{
	struct cfn_api_answer answer;
	if (!str_has(i->stack_id)) return STR_NONE;
	cfn_api(x->cloud, who, x->p.a, "cloudformation", "DescribeStacks", cfn_one(x->p.a, "StackName", i->stack_id),
		&answer);
	return answer.ok ? cfn_at(answer.out, "Stacks.0.StackStatus") : STR("DELETE_COMPLETE");
}

static void work_on(struct set_run *x, struct cloudformation_rec_target *t)
{
	struct cloudformation_rec_set_instance i;
	struct inside_caller who;
	struct str why = STR("");
	if (!is_ok(cfn_set_instance_get(x->p, t->account, t->region, &i))) {
		t->status = STR("SUCCEEDED");
		x->changed = true;
		return;
	}
	if (is(t->status, "PENDING")) {
		t->status = STR("RUNNING");
		i.detailed = STR("RUNNING");
		i.operation = x->o->id;
		x->changed = true;
		cfn_set_instance_put(x->p, &i);
	}
	bool removal = is(x->o->action, "DELETE");
	if (removal && (x->o->retain.v || !str_has(i.stack_id))) {
		finish(x, t, &i, "SUCCEEDED", STR_NONE);
		return;
	}
	if (!is_ok(who_in(x, t, &who, &why))) {
		finish(x, t, &i, "FAILED", why);
		return;
	}
	if (is(x->o->action, "DETECT_DRIFT")) {
		detect_drift(x, t, &i, &who);
		return;
	}
	struct str now = status_of(x, &who, &i);
	if (str_has(now) && str_ends(now, STR("_IN_PROGRESS"))) return;
	if (is(t->step, "clearing")) {
		if (!is(now, "DELETE_COMPLETE"))
			finish(x, t, &i, "FAILED", first_failure(x, &who, i.stack_id));
		else
			ask_for(x, t, &i, &who, now);
		return;
	}
	if (!is(t->step, "begun")) {
		if (removal && (!str_has(now) || is(now, "DELETE_COMPLETE")))
			finish(x, t, &i, "SUCCEEDED", STR_NONE);
		else
			ask_for(x, t, &i, &who, now);
		return;
	}
	bool good = removal ? is(now, "DELETE_COMPLETE") : is(now, "CREATE_COMPLETE") || is(now, "UPDATE_COMPLETE");
	finish(x, t, &i, good ? "SUCCEEDED" : "FAILED", good ? STR_NONE : first_failure(x, &who, i.stack_id));
}

/* ── which may begin ── */

struct region {
	size_t targets, pending, running, failed;
};

static struct region count(const struct cloudformation_rec_set_operation *o, struct str region)
{
	struct region r = {0};
	for (size_t i = 0; i < o->targets.n; i++) {
		const struct cloudformation_rec_target *t = &o->targets.v[i];
		if (!str_eq(t->region, region)) continue;
		r.targets++;
		r.pending += is(t->status, "PENDING");
		r.running += is(t->status, "RUNNING");
		r.failed += is(t->status, "FAILED");
	}
	return r;
}

/* "FailureTolerancePercentage … rounds down"; "MaxConcurrentPercentage … rounds down", but to one at least. */
static size_t tolerance(const struct cloudformation_rec_set_operation *o, size_t accounts)
{
	if (o->tolerance.has) return (size_t)o->tolerance.v;
	return o->tolerance_percent.has ? accounts * (size_t)o->tolerance_percent.v / 100 : 0;
}
static size_t at_once(const struct cloudformation_rec_set_operation *o, const struct region *r)
{
	size_t n = o->concurrent.has           ? (size_t)o->concurrent.v
		   : o->concurrent_percent.has ? r->targets * (size_t)o->concurrent_percent.v / 100
					       : 1;
	size_t allowed = tolerance(o, r->targets);
	if (!n) n = 1;
	/* "STRICT_FAILURE_TOLERANCE … ensures that the number of failed accounts never exceeds FailureToleranceCount by
	 * more than one" */
	size_t strict = allowed + 1 > r->failed ? allowed + 1 - r->failed : 0;
	return o->soft.v || n < strict ? n : strict;
}

/* Regions in their order: those that the preferences name first. */
static void regions_of(struct set_run *x, struct cfn_names *out)
{
	size_t capacity = 0;
	*out = (struct cfn_names){0};
	for (size_t i = 0; i < x->o->region_order.n; i++) *VEC_PUSH(x->p.a, out, &capacity) = x->o->region_order.v[i];
	for (size_t i = 0; i < x->o->targets.n; i++)
		if (!cfn_names_have(out, x->o->targets.v[i].region))
			*VEC_PUSH(x->p.a, out, &capacity) = x->o->targets.v[i].region;
}

static void cancel_rest(struct set_run *x, struct str reason)
{
	for (size_t i = 0; i < x->o->targets.n; i++) {
		struct cloudformation_rec_target *t = &x->o->targets.v[i];
		struct cloudformation_rec_set_instance r;
		if (!is(t->status, "PENDING")) continue;
		if (is_ok(cfn_set_instance_get(x->p, t->account, t->region, &r)))
			finish(x, t, &r, "CANCELLED", reason);
		else
			t->status = STR("CANCELLED"), t->reason = reason, x->changed = true;
	}
}

static void end(struct set_run *x, const char *status_, struct str reason)
{
	x->o->status = str_c(status_);
	x->o->reason = reason;
	x->o->ended = SOME_I64(x->now_ms);
	x->changed = true;
	if (!is(x->o->action, "DETECT_DRIFT")) return;
	struct cfn_set_instances all;
	bool drifted = false;
	if (!is_ok(cfn_set_instances(x->p, &all))) return;
	for (size_t i = 0; i < all.n; i++) drifted |= is(all.v[i].drift_status, "DRIFTED");
	x->s.drift_status = drifted ? STR("DRIFTED") : STR("IN_SYNC");
	x->s.drift_checked = SOME_I64(x->now_ms);
	cfn_set_put(x->p, &x->s);
}

/* One look. False: it is over. */
static bool look(struct set_run *x)
{
	struct cfn_names regions;
	struct cloudformation_rec_set_operation *o = x->o;
	bool stopping = is(o->status, "STOPPING"), broken = false;
	if (is(o->status, "QUEUED")) o->status = STR("RUNNING"), x->changed = true;
	for (size_t i = 0; i < o->targets.n; i++)
		if (is(o->targets.v[i].status, "RUNNING")) work_on(x, &o->targets.v[i]);
	regions_of(x, &regions);
	if (stopping) cancel_rest(x, STR("Cancelled since the operation was stopped"));
	for (size_t k = 0; k < regions.n; k++) {
		struct region r = count(o, regions.v[k]);
		bool over = r.failed > tolerance(o, r.targets);
		broken |= over;
		for (size_t i = 0; !over && i < o->targets.n && r.pending && r.running < at_once(o, &r); i++) {
			struct cloudformation_rec_target *t = &o->targets.v[i];
			if (!is(t->status, "PENDING") || !str_eq(t->region, regions.v[k])) continue;
			work_on(x, t);
			r = count(o, regions.v[k]);
			over = r.failed > tolerance(o, r.targets);
			broken |= over;
		}
		if (over) cancel_rest(x, STR("Cancelled since failure tolerance has exceeded"));
		if (!o->parallel.v && (r.pending || r.running)) break;
	}
	size_t open = 0;
	for (size_t i = 0; i < o->targets.n; i++)
		open += is(o->targets.v[i].status, "PENDING") || is(o->targets.v[i].status, "RUNNING");
	if (open) return true;
	if (stopping)
		end(x, "STOPPED", STR_NONE);
	else
		end(x, broken ? "FAILED" : "SUCCEEDED", broken ? STR("Failure tolerance has exceeded") : STR_NONE);
	return false;
}

static status run(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloudformation_rec_set_work work = {0};
	struct cfn_set_operations all;
	struct set_run x = {.cloud = ctx};
	TRY(cloudformation_rec_set_work_decode(a, job->payload, &work));
	x.p = (struct cfn_set_place){tx, a, work.account, work.region, work.name};
	x.now_ms = clock_now(x.cloud->clock);
	status s = cfn_set_get(x.p, &x.s);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(cfn_set_operations(x.p, &all));
	/* The oldest that is open; newest come first. */
	for (size_t i = all.n; i > 0 && !x.o; i--)
		if (!all.v[i - 1].ended.has) x.o = &all.v[i - 1];
	if (!x.o) return OK;
	bool more = look(&x);
	if (x.changed) cfn_set_operation_put(x.p, x.o);
	for (size_t i = 0; !more && i < all.n; i++) more = !all.v[i].ended.has;
	if (more) *again_ms = clock_now(x.cloud->clock) + LOOK_MS;
	return OK;
}

/* ── automatic deployment ── */

static bool in_units(const struct cfn_set_accounts *accounts, struct str account)
{
	for (size_t i = 0; i < accounts->n; i++)
		if (str_eq(accounts->v[i].account, account)) return true;
	return false;
}

/* "Accounts added to a target organization or OU get the stacks; from those that leave, they are deleted or retained."
 */
static status deploy(struct cfn_set_place p, struct cloudformation_rec_stack_set *s, int64_t now_ms)
{
	struct cfn_set_accounts accounts;
	struct cfn_set_instances all;
	struct cloudformation_rec_set_operation add = {.action = STR("CREATE")}, drop = {.action = STR("DELETE")};
	size_t add_capacity = 0, drop_capacity = 0;
	TRY(cfn_set_unit_accounts(p.tx, p.a, p.account, &s->units, &accounts));
	TRY(cfn_set_instances(p, &all));
	for (size_t i = 0; i < accounts.n; i++)
		for (size_t r = 0; r < s->regions.n; r++) {
			struct cloudformation_rec_set_instance there;
			status found = cfn_set_instance_get(p, accounts.v[i].account, s->regions.v[r], &there);
			if (!status_is(found, STATUS_NOT_FOUND)) continue;
			there = (struct cloudformation_rec_set_instance){.account = accounts.v[i].account,
				.region = s->regions.v[r],
				.unit = accounts.v[i].unit,
				.status = STR("OUTDATED"),
				.uuid = rand_uuid(p.a)};
			cfn_set_instance_put(p, &there);
			*VEC_PUSH(p.a, &add.targets, &add_capacity) =
				(struct cloudformation_rec_target){.account = there.account,
					.region = there.region,
					.unit = there.unit,
					.status = STR("PENDING")};
		}
	for (size_t i = 0; i < all.n; i++)
		if (str_has(all.v[i].unit) && !in_units(&accounts, all.v[i].account))
			*VEC_PUSH(p.a, &drop.targets, &drop_capacity) =
				(struct cloudformation_rec_target){.account = all.v[i].account,
					.region = all.v[i].region,
					.unit = all.v[i].unit,
					.status = STR("PENDING")};
	drop.retain = s->retain_on_removal;
	struct cloudformation_rec_set_operation *both[] = {&add, &drop};
	for (size_t i = 0; i < 2; i++) {
		if (!both[i]->targets.n) continue;
		both[i]->id = rand_uuid(p.a);
		both[i]->status = STR("QUEUED");
		cfn_set_enqueue(p, s, both[i], now_ms);
	}
	return OK;
}

static status watch(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct cloudformation_rec_set_work work = {0};
	struct cloudformation_rec_stack_set s;
	int64_t now_ms = clock_now(cloud->clock);
	TRY(cloudformation_rec_set_work_decode(a, job->payload, &work));
	struct cfn_set_place p = {tx, a, work.account, work.region, work.name};
	status found = cfn_set_get(p, &s);
	if (status_is(found, STATUS_NOT_FOUND)) return OK;
	TRY(found);
	if (!s.auto_deploy.v || is(s.status, "DELETED")) return OK;
	*again_ms = now_ms + WATCH_MS;
	struct str id = organizations_of(tx, a, work.account);
	int64_t generation = str_has(id) ? (int64_t)organizations_generation(tx, a, id) : 0;
	if (!str_has(id) || generation == s.generation.v || !s.units.n) return OK;
	s.generation = SOME_I64(generation);
	TRY(deploy(p, &s, now_ms));
	cfn_set_put(p, &s);
	return OK;
}

void cfn_set_run_start(struct cloud *cloud)
{
	jobs_register(cloud->jobs, CFN_SET_JOB, run, cloud);
	jobs_register(cloud->jobs, CFN_SET_WATCH_JOB, watch, cloud);
}
