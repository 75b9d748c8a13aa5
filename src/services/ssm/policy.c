/* Policies of parameters, carried out on the virtual clock by a durable job: Expiration deletes the parameter, the
 * notifications tell the bus ("Assigning parameter policies in Parameter Store", the user guide). */
#include "base/json.h"
#include "services/ssm/events.h"
#include "services/ssm/room.h"

#define HOUR_MS (60ll * 60 * 1000)

static status bad_attribute(struct call *c)
{
	return call_fail(c, SSM_ERR_INVALID_POLICY_ATTRIBUTE_EXCEPTION, "A policy attribute or its value is invalid.");
}

static status incompatible(struct call *c)
{
	return call_fail(c, SSM_ERR_INCOMPATIBLE_POLICY_EXCEPTION,
		"There is a conflict in the policies specified for this parameter.");
}

/* {"Before":"15","Unit":"Days"} in milliseconds. */
static bool read_span(const struct json_value *attributes, struct str name, int64_t *ms)
{
	struct str text = json_scalar(json_member(attributes, name)),
		   unit = json_string(json_member(attributes, STR("Unit")));
	int64_t n;
	if (!str_has(text) || !is_ok(str_to_i64(text, &n)) || n < 1 || n > 100000) return false;
	if (!str_is(unit, "Days") && !str_is(unit, "Hours")) return false;
	*ms = n * HOUR_MS * (str_is(unit, "Days") ? 24 : 1);
	return true;
}

/* Fills type and due: the time itself, or the span before the expiry or after the last change. */
static status read_one(struct call *c, const struct json_value *v, struct ssm_rec_policy *out)
{
	const struct json_value *attributes = json_member(v, STR("Attributes"));
	struct buf text = BUF_IN(c->arena);
	int64_t ms;
	json_write(&text, v);
	*out = (struct ssm_rec_policy){
		.type = json_string(json_member(v, STR("Type"))), .text = buf_done(&text), .status = STR("Pending")};
	if (!str_is(json_string(json_member(v, STR("Version"))), "1.0") || !json_is(attributes, JSON_IS_OBJECT))
		return bad_attribute(c);
	if (str_is(out->type, "Expiration")) {
		struct str at = json_string(json_member(attributes, STR("Timestamp")));
		if (!str_has(at) || !is_ok(time_read_iso8601(at, &ms)) || ms <= c->now_ms) return bad_attribute(c);
	} else if (str_is(out->type, "ExpirationNotification")) {
		if (!read_span(attributes, STR("Before"), &ms)) return bad_attribute(c);
	} else if (str_is(out->type, "NoChangeNotification")) {
		if (!read_span(attributes, STR("After"), &ms)) return bad_attribute(c);
	} else {
		return call_fail(c, SSM_ERR_INVALID_POLICY_TYPE_EXCEPTION,
			"The policy type isn't supported. Parameter Store supports the following policy types: "
			"Expiration, "
			"ExpirationNotification, and NoChangeNotification.");
	}
	out->due = SOME_TIME(ms);
	return OK;
}

status ps_policies_read(struct call *c, struct str text, struct ssm_rec_policies *out)
{
	struct json_value *doc;
	size_t capacity = 0;
	const struct ssm_rec_policy *expiration = NULL;
	*out = (struct ssm_rec_policies){0};
	if (!is_ok(json_read(c->arena, text, &doc)) || !(json_is(doc, JSON_IS_ARRAY) || json_length(doc) == 0))
		return call_fail(
			c, ERR_VALIDATION, "Invalid policies input: %.*s. It has to be a JSON array.", STR_ARG(text));
	/* An empty policy takes the policies away. */
	if (json_length(doc) == 0 ||
		(json_length(doc) == 1 && json_is(doc->first, JSON_IS_OBJECT) && json_length(doc->first) == 0))
		return OK;
	if (json_length(doc) > PS_POLICIES_MAX)
		return call_fail(c, SSM_ERR_POLICIES_LIMIT_EXCEEDED_EXCEPTION,
			"You specified more than the maximum number of allowed policies for the parameter. The maximum "
			"is %d.",
			PS_POLICIES_MAX);
	for (const struct json_value *v = doc->first; v; v = v->next)
		TRY(read_one(c, v, VEC_PUSH(c->arena, out, &capacity)));
	for (size_t i = 0; i < out->n; i++) {
		if (!str_is(out->v[i].type, "Expiration")) continue;
		if (expiration) return incompatible(c);
		expiration = &out->v[i];
	}
	for (size_t i = 0; i < out->n; i++) {
		if (!str_is(out->v[i].type, "ExpirationNotification")) continue;
		if (!expiration) return incompatible(c);
		out->v[i].due = SOME_TIME(expiration->due.ms - out->v[i].due.ms);
	}
	return OK;
}

/* The span that a stored NoChangeNotification tells. */
static int64_t no_change_span(struct arena *a, struct str text)
{
	struct json_value *doc;
	int64_t ms = 0;
	if (is_ok(json_read(a, text, &doc))) (void)read_span(json_member(doc, STR("Attributes")), STR("After"), &ms);
	return ms;
}

void ps_policies_touch(struct arena *a, struct ssm_rec_policies *policies, int64_t now_ms)
{
	for (size_t i = 0; i < policies->n; i++) {
		struct ssm_rec_policy *p = &policies->v[i];
		if (!str_is(p->type, "NoChangeNotification")) continue;
		p->due = SOME_TIME(now_ms + no_change_span(a, p->text));
		p->status = STR("Pending");
	}
}

void ps_policies_schedule(
	struct store_tx *tx, struct arena *a, const struct ps_parameter *p, const struct ssm_rec_version *v)
{
	int64_t due = INT64_MAX;
	for (size_t i = 0; i < v->policies.n; i++)
		if (str_is(v->policies.v[i].status, "Pending") && v->policies.v[i].due.ms < due)
			due = v->policies.v[i].due.ms;
	struct job job = {.kind = STR(PS_JOB_POLICY), .id = ps_job_id(a, p), .due_ms = due, .payload = STR("")};
	if (due == INT64_MAX)
		jobs_cancel(tx, job.kind, job.id);
	else
		jobs_schedule(tx, &job);
}

struct ssm_parameter_policy_list ps_policies_out(struct arena *a, const struct ssm_rec_policies *policies)
{
	struct ssm_parameter_policy_list out = {0};
	size_t capacity = 0;
	VEC_PRESENT(a, &out);
	for (size_t i = 0; i < policies->n; i++)
		*VEC_PUSH(a, &out, &capacity) = (struct ssm_parameter_inline_policy){
			policies->v[i].text, policies->v[i].type, policies->v[i].status};
	return out;
}

/* ── carrying them out ────────────────────────────────────────────────────────────────────────────────────────── */

static void tell(struct cloud *cloud, struct store_tx *tx, const struct ps_parameter *p,
	const struct ssm_rec_version *v, const struct ssm_rec_policy *policy)
{
	struct ssm_policy_event detail = {p->arn, p->name, v->type, policy->type, policy->text};
	struct bus_event e = {SSM_EVENT_POLICY, p->account, p->region, &detail};
	if (cloud->bus && bus_wants(cloud->bus, BUS_COMMITTING, SSM_EVENT_POLICY))
		bus_publish(cloud->bus, BUS_COMMITTING, tx, &e);
}

status ps_policy_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct str rest = job->id, account = str_cut(&rest, ':'), region = str_cut(&rest, ':');
	struct ps_parameter p;
	struct ssm_rec_version v;
	status s = ps_load(tx, a, account, region, rest, &p);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(ps_version_get(tx, a, &p, p.r.version.v, &v));
	int64_t now = clock_now(cloud->clock), next = INT64_MAX;
	bool changed = false, expired = false;
	for (size_t i = 0; i < v.policies.n; i++) {
		struct ssm_rec_policy *policy = &v.policies.v[i];
		if (!str_is(policy->status, "Pending")) continue;
		if (policy->due.ms > now) {
			if (policy->due.ms < next) next = policy->due.ms;
			continue;
		}
		tell(cloud, tx, &p, &v, policy);
		policy->status = STR("Finished");
		changed = true;
		expired |= str_is(policy->type, "Expiration");
	}
	if (expired) {
		ps_purge(tx, a, &p);
		ps_tell_change(cloud, tx, &p, v.type, STR("Delete"), STR_NONE);
		return OK;
	}
	if (changed) ps_version_put(tx, a, &p, p.r.version.v, &v);
	if (next != INT64_MAX) *again_ms = next;
	return OK;
}
