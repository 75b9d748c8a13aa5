/* Policy generation: the actions that a user or role was seen to call, as a policy ("IAM Access Analyzer policy
 * generation"). The calls are those that CloudTrail has recorded: the event history of every region, of at most 90
 * days. */
#include "base/rand.h"
#include "cloudtrail_state.h"
#include "policy/authz.h"
#include "services/accessanalyzer/room.h"
#include "services/cloudtrail/door.h"

enum { ACTIONS_MAX = 1000 };

struct seen {
	struct str *v;
	size_t n, capacity;
};

/* iam.amazonaws.com, CreateUser: iam:CreateUser, where the reference has such an action. */
static bool action_of(struct arena *a, const struct cloudtrail_rec_event *e, struct str *out)
{
	struct str rest = e->source, signing = str_cut(&rest, '.');
	for (size_t i = 0; i < wire_services_length; i++) {
		if (!str_eq(str_c(wire_services[i]->signing_name), signing)) continue;
		const struct authz_service *s = authz_find(str_c(wire_services[i]->name));
		const struct authz_action *action = s ? authz_find_action(s, e->name) : NULL;
		if (!action) continue;
		*out = str_fmt(a, "%.*s:%.*s", STR_ARG(authz_str(s->prefix)), STR_ARG(authz_str(action->name)));
		return true;
	}
	return false;
}

static void add(struct arena *a, struct seen *l, struct str action)
{
	size_t at = 0;
	while (at < l->n && str_cmp(l->v[at], action) < 0) at++;
	if ((at < l->n && str_eq(l->v[at], action)) || l->n >= ACTIONS_MAX) return;
	(void)VEC_PUSH(a, l, &l->capacity);
	for (size_t i = l->n - 1; i > at; i--) l->v[i] = l->v[i - 1];
	l->v[at] = action;
}

static status collect(struct call *c, const struct accessanalyzer_rec_generation *g, struct seen *out)
{
	struct key k = key_begin(c->arena);
	key_str(&k, STR("cloudtrail"));
	key_str(&k, STR("event"));
	key_str(&k, c->account);
	struct str from = key_done(&k), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct arena_mark mark = arena_mark(c->arena);
		struct cloudtrail_rec_event e = {0};
		struct str action = STR_NONE;
		bool good = is_ok(cloudtrail_rec_event_decode(c->arena, str_dup(c->arena, value), &e)) &&
			    str_eq(str_or(e.issuer, STR("")), g->principal) && e.time.ms >= g->from.ms &&
			    e.time.ms <= g->to.ms && action_of(c->arena, &e, &action);
		if (good)
			add(c->arena, out, action);
		else
			arena_release(c->arena, mark);
	}
	return store_scan_end(scan);
}

static void write_policy(struct call *c, struct accessanalyzer_rec_generation *g, const struct seen *l)
{
	struct buf b = BUF_IN(c->arena);
	if (!l->n) return;
	buf_lit(&b, "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[");
	for (size_t i = 0; i < l->n; i++) {
		if (i) buf_byte(&b, ',');
		json_quote(&b, l->v[i]);
	}
	buf_lit(&b, "],\"Resource\":\"*\"}]}");
	g->policy = buf_done(&b);
}

status accessanalyzer_start_policy_generation(struct call *c,
	const struct accessanalyzer_start_policy_generation_request *in,
	struct accessanalyzer_start_policy_generation_response *out)
{
	const struct accessanalyzer_cloud_trail_details *d = in->cloud_trail_details;
	struct accessanalyzer_rec_generation g = {.id = rand_uuid(c->arena),
		.principal = in->policy_generation_details->principal_arn,
		.started = SOME_TIME(c->now_ms),
		.to = d && d->end_time.has ? d->end_time : SOME_TIME(c->now_ms)};
	struct seen actions = {0};
	size_t trails = 0;
	g.from = d && d->start_time.has ? d->start_time : SOME_TIME(g.to.ms - 90ll * 86400000);
	struct str prefix = str_fmt(c->arena, "arn:%.*s:iam::%.*s:", STR_ARG(c->partition), STR_ARG(c->account));
	if (!str_starts(g.principal, prefix))
		return AA_FAIL(c, VALIDATION, "The principal %.*s is not of this account.", STR_ARG(g.principal));
	if (g.from.ms > g.to.ms || g.to.ms - g.from.ms > 90ll * 86400000)
		return AA_FAIL(c, VALIDATION, "The time range must end after it starts, and last 90 days at most.");
	for (size_t i = 0; d && i < d->trails.n; i++)
		*VEC_PUSH(c->arena, &g.trails, &trails) = d->trails.v[i].cloud_trail_arn;
	cloudtrail_settle(c->cloud); /* what was answered before is to be seen: before the transaction reads */
	c->tx = store_begin(c->cloud->store, c->arena, false);
	status s = collect(c, &g, &actions);
	store_ticket ticket;
	if (is_ok(s)) {
		write_policy(c, &g, &actions);
		store_put(c->tx, aa_key(c->arena, "generation", c, g.id),
			accessanalyzer_rec_generation_encode(c->arena, &g));
		s = store_commit(c->tx, &ticket);
	}
	store_end(c->tx);
	c->tx = NULL;
	TRY(s);
	call_ticket(c, ticket);
	out->job_id = g.id;
	return OK;
}

status accessanalyzer_get_generated_policy(struct call *c, const struct accessanalyzer_get_generated_policy_request *in,
	struct accessanalyzer_get_generated_policy_response *out)
{
	struct accessanalyzer_rec_generation g = {0};
	struct str bytes;
	status s = store_get(c->tx, aa_key(c->arena, "generation", c, in->job_id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return AA_FAIL(c, VALIDATION, "The job %.*s does not exist.", STR_ARG(in->job_id));
	TRY(s);
	TRY(accessanalyzer_rec_generation_decode(c->arena, bytes, &g));
	out->job_details = arena_new(c->arena, struct accessanalyzer_job_details);
	*out->job_details = (struct accessanalyzer_job_details){
		.job_id = g.id, .status = STR("SUCCEEDED"), .started_on = g.started, .completed_on = g.started};
	struct accessanalyzer_generated_policy_result *r = out->generated_policy_result =
		arena_new(c->arena, struct accessanalyzer_generated_policy_result);
	r->properties = arena_new(c->arena, struct accessanalyzer_generated_policy_properties);
	r->properties->principal_arn = g.principal;
	r->properties->is_complete = SOME_BOOL(true);
	VEC_PRESENT(c->arena, &r->generated_policies);
	if (str_has(g.policy)) {
		r->generated_policies.v = arena_new(c->arena, struct accessanalyzer_generated_policy);
		r->generated_policies.v[0].policy = g.policy;
		r->generated_policies.n = 1;
	}
	if (!g.trails.n) return OK;
	struct accessanalyzer_cloud_trail_properties *p = r->properties->cloud_trail_properties =
		arena_new(c->arena, struct accessanalyzer_cloud_trail_properties);
	size_t capacity = 0;
	p->start_time = g.from;
	p->end_time = g.to;
	for (size_t i = 0; i < g.trails.n; i++)
		VEC_PUSH(c->arena, &p->trail_properties, &capacity)->cloud_trail_arn = g.trails.v[i];
	return OK;
}

status accessanalyzer_list_policy_generations(struct call *c,
	const struct accessanalyzer_list_policy_generations_request *in,
	struct accessanalyzer_list_policy_generations_response *out)
{
	struct str from = aa_key(c->arena, "generation", c, STR_NONE), key, value;
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->policy_generations);
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct accessanalyzer_rec_generation g = {0};
		TRY(accessanalyzer_rec_generation_decode(c->arena, str_dup(c->arena, value), &g));
		if (str_has(in->principal_arn) && !str_eq(in->principal_arn, g.principal)) continue;
		*VEC_PUSH(c->arena, &out->policy_generations, &capacity) =
			(struct accessanalyzer_policy_generation){.job_id = g.id,
				.principal_arn = g.principal,
				.status = STR("SUCCEEDED"),
				.started_on = g.started,
				.completed_on = g.started};
	}
	TRY(store_scan_end(scan));
	return aa_page(c, in->max_results, in->next_token, 100, sizeof(*out->policy_generations.v),
		(void **)&out->policy_generations.v, &out->policy_generations.n, &out->next_token);
}
