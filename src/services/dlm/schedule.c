/* Schedules: when their turns are, and the job that makes and tends. The job can end anywhere: what it made is found
 * again by its tags, what it tends is compared with what stands. */
#include "base/log.h"
#include "clock/cron.h"
#include "iam.h"
#include "services/dlm/room.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define HOUR_MS ((int64_t)3600 * 1000)
#define PRINCIPAL STR("dlm.amazonaws.com")

int64_t dlm_next(const struct dlm_create_rule *r, int64_t after_ms)
{
	struct cron cron;
	int64_t hour = 0, minute = 0;
	if (!r->interval.has) {
		struct str text = str_sub(r->cron_expression, 5, r->cron_expression.n - 6);
		return is_ok(cron_read_aws(text, &cron)) ? cron_next(&cron, after_ms) : INT64_MAX;
	}
	if (r->times.n && (!is_ok(str_to_i64(str_sub(r->times.v[0], 0, 2), &hour)) ||
				  !is_ok(str_to_i64(str_from(r->times.v[0], 3), &minute))))
		return INT64_MAX;
	/* Every so many hours of each day, from that time on: the intervals divide the day. */
	int64_t step = r->interval.v * HOUR_MS, first = (hour * 60 + minute) * 60000 % step;
	int64_t day = after_ms / DAY_MS * DAY_MS, passed = after_ms - day - first;
	return passed < 0 ? day + first : day + first + (passed / step + 1) * step;
}

/* ── records ── */

static struct str run_key(struct ec2_place at, struct str policy, uint64_t n)
{
	struct key k = key_for(at.a, STR("dlm"), STR("run"), at.account, at.region);
	key_str(&k, policy);
	key_u64(&k, n);
	return key_done(&k);
}

static void run_put(struct ec2_place at, struct str policy, uint64_t n, int64_t next_ms)
{
	store_put(at.tx, run_key(at, policy, n),
		dlm_rec_run_encode(at.a, &(struct dlm_rec_run){.next = SOME_TIME(next_ms)}));
}

static struct str made_key(const struct dlm_work *w, struct str id)
{
	struct key k = key_for(w->at.a, STR("dlm"), STR("made"), w->at.account, w->at.region);
	key_str(&k, w->policy->id);
	key_u64(&k, w->n);
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

void dlm_made_put(struct dlm_work *w, const struct dlm_rec_made *m)
{
	store_put(w->at.tx, made_key(w, m->id), dlm_rec_made_encode(w->at.a, m));
}

void dlm_made_drop(struct dlm_work *w, struct str id)
{
	store_delete(w->at.tx, made_key(w, id));
}

status dlm_made_all(struct dlm_work *w, struct dlm_made *out)
{
	struct str from = made_key(w, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(w->at.tx, from, key_after(w->at.a, from), false);
	size_t capacity = 0;
	status s = OK;
	*out = (struct dlm_made){0};
	while (is_ok(s) && store_scan_next(scan, &key, &value))
		s = dlm_rec_made_decode(w->at.a, str_dup(w->at.a, value), VEC_PUSH(w->at.a, out, &capacity));
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

/* ── jobs ── */

static struct str job_id(struct ec2_place at, struct str policy, uint64_t n)
{
	return str_fmt(at.a, "%.*s %.*s %.*s %llu", STR_ARG(at.account), STR_ARG(at.region), STR_ARG(policy),
		(unsigned long long)n);
}

void dlm_schedules_begin(struct ec2_place at, const struct dlm_rec_policy *p, size_t n, int64_t now_ms)
{
	for (size_t i = 0; i < n; i++) {
		struct str id = job_id(at, p->id, i);
		jobs_schedule(at.tx, &(struct job){.kind = STR(DLM_JOB), .id = id, .due_ms = now_ms, .payload = id});
	}
}

void dlm_schedules_stop(struct ec2_place at, const struct dlm_rec_policy *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		jobs_cancel(at.tx, STR(DLM_JOB), job_id(at, p->id, i));
		store_delete(at.tx, run_key(at, p->id, i));
	}
}

static status read_job(struct store_tx *tx, struct arena *a, const struct job *job, struct ec2_place *at,
	struct str *policy, uint64_t *n)
{
	struct str rest = str_dup(a, job->payload);
	*at = (struct ec2_place){.tx = tx, .a = a};
	at->account = str_cut(&rest, ' ');
	at->region = str_cut(&rest, ' ');
	*policy = str_cut(&rest, ' ');
	return str_has(rest) ? str_to_u64(rest, n) : STATUS(CORRUPT);
}

void dlm_again(struct dlm_work *w, int64_t at_ms)
{
	if (at_ms < w->again_ms) w->again_ms = at_ms;
}

struct inside *dlm_ask(struct dlm_work *w, struct str region, uint32_t op, const void *in, const char *const *expected,
	struct str *code)
{
	struct inside_caller who = w->who;
	who.region = region;
	struct inside *i = inside_run(w->cloud, &who, "ec2", op, in, NULL);
	*code = STR_NONE;
	if (i->ok) return i;
	*code = str_dup(w->at.a, i->code);
	for (; expected && *expected; expected++)
		if (str_eq(*code, str_c(*expected))) {
			inside_free(i);
			return NULL;
		}
	if (!str_has(w->problem)) w->problem = str_fmt(w->at.a, "%.*s: %.*s", STR_ARG(i->code), STR_ARG(i->message));
	log_warn("dlm", "run", "policy=%.*s code=%.*s", STR_ARG(w->policy->id), STR_ARG(i->code));
	inside_free(i);
	return NULL;
}

/* The execution role's session, where it is there and trusts Data Lifecycle Manager; else the problem is noted. */
static bool as_role(struct dlm_work *w)
{
	struct arena *a = w->at.a;
	struct str role = w->policy->role, rest = role, owner = STR_NONE;
	for (int i = 0; i < 5 && str_has(rest); i++) owner = str_cut(&rest, ':');
	struct str name = str_from(role, (size_t)str_rchr(role, '/') + 1);
	w->who = inside_service(a, w->at.account, w->at.region, PRINCIPAL);
	struct iam_get_role_input in = {.role_name = name};
	struct inside *i = inside_run(w->cloud, &w->who, "iam", IAM_OP_GET_ROLE, &in, NULL);
	const struct iam_get_role_output *out = i->ok ? i->out : NULL;
	bool good = out && str_eq(owner, w->at.account) &&
		    str_find(str_or(out->role->assume_role_policy_document, STR("")), PRINCIPAL) >= 0;
	struct str id = good ? str_dup(a, out->role->role_id) : STR_NONE;
	inside_free(i);
	if (!good) {
		w->problem = str_fmt(a, "The role %.*s does not exist or cannot be assumed by Data Lifecycle Manager.",
			STR_ARG(role));
		return false;
	}
	w->who.trusted = false;
	w->who.system_tags = true;
	w->who.principal = (struct principal){.kind = PRINCIPAL_ASSUMED_ROLE,
		.account = w->at.account,
		.name = name,
		.session = STR("DLM"),
		.arn = str_fmt(a, "arn:aws:sts::%.*s:assumed-role/%.*s/DLM", STR_ARG(w->at.account), STR_ARG(name)),
		.user_id = str_fmt(a, "%.*s:DLM", STR_ARG(id)),
		.access_key = STR(""),
		.session_record = STR("")};
	return true;
}

/* Makes for that turn, or tends (0), with EC2's records as they are now. */
static status looking(struct dlm_work *w, int64_t turn_ms)
{
	w->look = w->at;
	w->look.tx = store_begin(w->cloud->store, w->at.a, true);
	status s = turn_ms ? dlm_make(w, turn_ms) : dlm_tend(w);
	store_end(w->look.tx);
	return s;
}

status dlm_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct dlm_work w = {.cloud = ctx, .again_ms = INT64_MAX};
	struct dlm_rec_policy p;
	struct dlm_policy_details d;
	struct dlm_rec_run run = {0};
	struct str id, bytes;
	TRY(read_job(tx, a, job, &w.at, &id, &w.n));
	status s = dlm_policy_load(w.at, id, &p);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(dlm_details(a, &p, &d));
	dlm_default_schedule(a, &p, &d);
	/* "When you disable a policy, it stops creating and deleting"; one that is enabled again begins anew. */
	if (!str_is(p.state, "ENABLED") || w.n >= d.schedules.n) return OK;
	w.policy = &p;
	w.details = &d;
	w.schedule = &d.schedules.v[w.n];
	w.now_ms = clock_now(w.cloud->clock);
	s = store_get(tx, run_key(w.at, id, w.n), &bytes);
	if (is_ok(s))
		TRY(dlm_rec_run_decode(a, bytes, &run));
	else if (!status_is(s, STATUS_NOT_FOUND))
		return s;
	if (!run.next.has) run.next = SOME_TIME(dlm_next(w.schedule->create_rule, w.now_ms));
	bool turn = run.next.ms <= w.now_ms;
	if (as_role(&w)) {
		s = turn ? looking(&w, run.next.ms) : OK;
		if (is_ok(s)) s = looking(&w, 0);
		TRY(s);
	}
	if (turn) run.next = SOME_TIME(dlm_next(w.schedule->create_rule, w.now_ms));
	run_put(w.at, id, w.n, run.next.ms);
	/* A problem stands until a turn goes well. */
	if (!str_eq(w.problem, p.problem) && (turn || str_has(w.problem))) {
		p.problem = w.problem;
		dlm_policy_put(w.at, &p);
	}
	dlm_again(&w, run.next.ms);
	if (w.again_ms != INT64_MAX) *again_ms = w.again_ms;
	return OK;
}
