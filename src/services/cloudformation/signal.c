/* Signals that resources wait for: SignalResource, wait condition handles and answers of custom resources, which arrive
 * by PUT at a URL of virga's own ("CreationPolicy attribute", "Create wait conditions", "Custom resource response
 * objects"). They are kept with the resource; whoever waits looks there. */
#include "base/vec.h"
#include "clock/clock.h"
#include "host/host.h"
#include "services/cloudformation/operations.h"

enum { SIGNALS_MAX = 1000, SIGNAL_BYTES = 4096 };

status cfn_duration_ms(struct str text, int64_t *ms)
{
	int64_t total = 0, n = 0;
	bool digits = false;
	if (!str_starts(text, STR("PT")) || text.n < 4) return STATUS(INVALID);
	for (size_t i = 2; i < text.n; i++) {
		char c = text.p[i];
		if (c >= '0' && c <= '9') {
			n = n * 10 + (c - '0');
			digits = true;
			if (n > 1000000) return STATUS(INVALID);
			continue;
		}
		if (!digits || (c != 'H' && c != 'M' && c != 'S')) return STATUS(INVALID);
		total += n * (c == 'H' ? 3600 : c == 'M' ? 60 : 1);
		n = 0;
		digits = false;
	}
	*ms = total * 1000;
	return digits ? STATUS(INVALID) : OK;
}

const struct json_value *cfn_signals(struct arena *a, const struct cloudformation_rec_resource *r)
{
	struct json_value *list = cfn_list(a), *v;
	for (size_t i = 0; i < r->signals.n; i++)
		if (is_ok(json_read(a, r->signals.v[i], &v))) cfn_append(list, STR_NONE, v);
	return list;
}

static int64_t number_at(const struct json_value *v, const char *path, int64_t other)
{
	int64_t n;
	return is_ok(str_to_i64(str_or(cfn_at(v, path), STR("")), &n)) ? n : other;
}

status cfn_signals_wanted(struct arena *a, const struct cloudformation_rec_resource *r, int64_t now_ms, struct str *why)
{
	struct json_value *policy;
	if (!is_ok(json_read(a, r->creation_policy, &policy)) || !cfn_in(policy, "ResourceSignal")) return OK;
	int64_t count = number_at(policy, "ResourceSignal.Count", 1), good = 0, bad = 0;
	int64_t percent = number_at(policy, "AutoScalingCreationPolicy.MinSuccessfulInstancesPercent", 100);
	int64_t needed = (count * percent + 99) / 100;
	const struct json_value *all = cfn_signals(a, r);
	for (const struct json_value *s = all->first; s; s = s->next)
		if (str_is(str_or(cfn_at(s, "Status"), STR("")), "SUCCESS"))
			good++;
		else
			bad++;
	if (good >= needed) return OK;
	if (bad > count - needed) {
		*why = str_fmt(a,
			"Received %lld FAILURE signal(s) out of %lld.  Unable to satisfy %lld%% "
			"MinSuccessfulInstancesPercent "
			"requirement",
			(long long)bad, (long long)count, (long long)percent);
		return STATUS(FAILED);
	}
	if (!r->signal_deadline.has || now_ms <= r->signal_deadline.v) return STATUS(PENDING);
	*why = str_fmt(a, "Failed to receive %lld resource signal(s) within the specified duration",
		(long long)(needed - good));
	return STATUS(FAILED);
}

struct str cfn_signal_url(struct arena *a, const struct cloud *cloud, struct cfn_place p, struct str stack_id,
	struct str logical_id, struct str token, bool inside)
{
	struct str rest = stack_id, at = str_fmt(a, "http://%.*s", STR_ARG(cloud->public_host));
	str_cut(&rest, '/'); /* arn:…:stack / NAME / UUID */
	if (inside && host_available(cloud->host))
		at = str_fmt(a, "https://cloudformation-waitcondition-%.*s.s3.%.*s.amazonaws.com", STR_ARG(p.region),
			STR_ARG(p.region));
	return str_fmt(a, "%.*s/_virga/cloudformation/signal/%.*s/%.*s/%.*s/%.*s/%.*s", STR_ARG(at), STR_ARG(p.account),
		STR_ARG(p.region), STR_ARG(rest), STR_ARG(logical_id), STR_ARG(token));
}

/* One signal for each UniqueId: a second one with it is the same. */
static status add_signal(
	struct arena *a, struct cloudformation_rec_resource *r, struct str unique_id, const struct json_value *signal)
{
	size_t capacity = 0;
	struct cloudformation_rec_texts all = {0};
	/* Of a custom resource only the newest request's answer counts. */
	bool answer = str_has(cfn_at(signal, "RequestId"));
	for (const struct json_value *s = cfn_signals(a, r)->first; s && !answer; s = s->next)
		if (str_eq(str_or(cfn_at(s, "UniqueId"), STR("")), unique_id)) return OK;
	if (r->signals.n >= SIGNALS_MAX) return STATUS(LIMIT);
	for (size_t i = 0; i < r->signals.n && !answer; i++) *VEC_PUSH(a, &all, &capacity) = r->signals.v[i];
	*VEC_PUSH(a, &all, &capacity) = cfn_json(a, signal);
	r->signals = all;
	return OK;
}

status cloudformation_signal_resource(
	struct call *c, const struct cloudformation_signal_resource_input *in, struct wire_nothing *out)
{
	struct arena *a = c->arena;
	struct cloudformation_rec_stack s = {0};
	struct cloudformation_rec_resource r = {0};
	(void)out;
	TRY(cfn_load_stack(c, in->stack_name, &s));
	status found = cfn_resource_get(c->tx, a, &s, in->logical_resource_id, &r);
	if (status_is(found, STATUS_NOT_FOUND))
		return call_fail(c, ERR_VALIDATION, "Resource %.*s does not exist for stack %.*s",
			STR_ARG(in->logical_resource_id), STR_ARG(s.name));
	TRY(found);
	if (!str_ends(r.status, STR("_IN_PROGRESS")))
		return call_fail(c, ERR_VALIDATION, "Resource %.*s is in %.*s state and cannot be signaled",
			STR_ARG(r.logical_id), STR_ARG(r.status));
	struct json_value *signal = cfn_one(a, "UniqueId", in->unique_id);
	cfn_put(signal, a, "Status", in->status);
	if (!is_ok(add_signal(a, &r, in->unique_id, signal)))
		return call_fail(
			c, ERR_VALIDATION, "Resource %.*s has received too many signals", STR_ARG(r.logical_id));
	cfn_event(c->tx, a, &s, &r, r.status,
		str_fmt(a, "Received %.*s signal with UniqueId %.*s", STR_ARG(in->status), STR_ARG(in->unique_id)),
		c->now_ms);
	cfn_resource_put(c->tx, a, &s, &r);
	cfn_stack_put(c->tx, a, &s);
	return OK;
}

/* ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────── */

struct arrival {
	struct cfn_place place;
	struct str stack, logical_id, token;
	struct str unique_id;
	const struct json_value *signal;
};

static status take(struct cloud *cloud, struct arena *a, const struct arrival *r)
{
	for (;;) {
		struct cloudformation_rec_stack s = {0};
		struct cloudformation_rec_resource resource = {0};
		store_ticket ticket = 0;
		struct store_tx *tx = store_begin(cloud->store, a, false);
		status st = cfn_stack_find(tx, a, r->place, r->stack, &s);
		if (is_ok(st)) st = cfn_resource_get(tx, a, &s, r->logical_id, &resource);
		if (is_ok(st) && !str_eq_secret(str_or(resource.token, STR("")), r->token)) st = STATUS(NOT_FOUND);
		if (is_ok(st)) st = add_signal(a, &resource, r->unique_id, r->signal);
		if (is_ok(st)) {
			cfn_resource_put(tx, a, &s, &resource);
			st = store_commit(tx, &ticket);
		}
		store_end(tx);
		if (status_is(st, STATUS_CONFLICT)) continue;
		if (is_ok(st)) store_wait(cloud->store, ticket);
		if (is_ok(st)) cfn_engine_hurry(cfn_engine_of(cloud), r->stack);
		return st;
	}
}

static void answer(struct wire_response *response, unsigned code, struct str text)
{
	response->code = code;
	response->headers[response->n_headers++] = (struct wire_header){STR("Content-Type"), STR("text/plain")};
	response->body = text;
}

void cfn_page(struct cloud *cloud, struct arena *a, const struct edge_request *r, struct str path, struct str body,
	struct wire_response *response)
{
	struct arrival in = {0};
	struct json_value *signal;
	struct str rest = path, kind = str_cut(&rest, '/'),
		   *parts[] = {&in.place.account, &in.place.region, NULL, NULL, &in.logical_id, &in.token},
		   name = STR_NONE, uuid = STR_NONE;
	parts[2] = &name;
	parts[3] = &uuid;
	for (size_t i = 0; i < 6; i++) *parts[i] = str_has(rest) ? str_cut(&rest, '/') : STR_NONE;
	if (!str_is(kind, "signal") || !str_has(in.token) || str_has(rest)) {
		answer(response, 404, STR("There is no such page.\n"));
		return;
	}
	if (!str_is(r->method, "PUT")) {
		answer(response, 405, STR("A signal is put here.\n"));
		return;
	}
	if (body.n > SIGNAL_BYTES || !is_ok(json_read(a, body, &signal)) || signal->type != JSON_IS_OBJECT ||
		!str_has(cfn_at(signal, "Status"))) {
		answer(response, 400,
			STR("A signal is a JSON object of at most 4 KiB with Status, UniqueId, Data and Reason.\n"));
		return;
	}
	struct str partition = str_starts(in.place.region, STR("cn-"))       ? STR("aws-cn")
			       : str_starts(in.place.region, STR("us-gov-")) ? STR("aws-us-gov")
									     : STR("aws");
	in.stack = str_fmt(a, "arn:%.*s:cloudformation:%.*s:%.*s:stack/%.*s/%.*s", STR_ARG(partition),
		STR_ARG(in.place.region), STR_ARG(in.place.account), STR_ARG(name), STR_ARG(uuid));
	in.unique_id = str_or(cfn_at(signal, "UniqueId"), str_or(cfn_at(signal, "RequestId"), STR("")));
	in.signal = signal;
	status s = take(cloud, a, &in);
	bool absent = status_is(s, STATUS_NOT_FOUND);
	answer(response, is_ok(s) ? 200 : absent ? 404 : 500, is_ok(s) ? STR("") : STR("The signal was not taken.\n"));
}
