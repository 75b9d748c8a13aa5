/* Trails into CloudWatch Logs ("Sending events to CloudWatch Logs"): with each round of deliveries, what waits for a
 * trail's log group is put into a stream for each account and region, by requests of the trail's role, which its own
 * policies judge. An event leaves what waits once it was put: a crash between puts it twice. */
#include "logs.h"
#include "base/log.h"
#include "services/cloudtrail/room.h"
#include "services/iam/door.h"
#include "services/sts/inside.h"

#define SERVICE STR("cloudtrail.amazonaws.com")
enum { EVENTS_AT_ONCE = 500, BYTES_AT_ONCE = 900000, EVENT_BYTES_MAX = 256 * 1024, BATCHES = 20, TRIES = 50 };

struct str ct_logs_space(struct arena *a, const struct cloudtrail_rec_trail *t)
{
	return ct_trail_key(a, "logs", t->account, t->region, t->name);
}

/* arn:aws:logs:REGION:ACCOUNT:log-group:NAME:*, of the trail's own place; STR_NONE where it is none. */
static struct str group_name(const struct cloudtrail_rec_trail *t, struct str arn)
{
	struct str rest = arn, part[6] = {{0}};
	for (size_t i = 0; i < 6 && str_has(rest); i++) part[i] = str_cut(&rest, ':');
	if (!str_has(rest) || !str_is(part[2], "logs") || !str_eq(part[3], t->region) || !str_eq(part[4], t->account) ||
		!str_is(part[5], "log-group"))
		return STR_NONE;
	struct str name = str_cut(&rest, ':');
	return name.n && str_has(rest) && str_is(rest, "*") ? name : STR_NONE;
}

status ct_logs_set(struct call *c, struct cloudtrail_rec_trail *t, struct str group, struct str role)
{
	struct iam_rec_entity entity;
	if (str_has(group)) t->log_group = group.n ? group : STR_NONE;
	if (str_has(role)) t->log_role = role.n ? role : STR_NONE;
	if (!str_has(t->log_group) && !str_has(t->log_role)) return OK;
	if (!str_has(t->log_group) || !str_has(group_name(t, t->log_group)))
		return CT_FAIL(c, INVALID_CLOUD_WATCH_LOGS_LOG_GROUP_ARN,
			"CloudTrail cannot validate the specified log group ARN.");
	ptrdiff_t slash = str_has(t->log_role) ? str_rchr(t->log_role, '/') : -1;
	status s = STATUS(NOT_FOUND);
	if (slash >= 0 && str_find(t->log_role, STR(":role/")) >= 0)
		s = iam_peek(c->tx, c->arena, IAM_ROLE, t->account, str_from(t->log_role, (size_t)slash + 1), &entity);
	if (status_is(s, STATUS_NOT_FOUND))
		return CT_FAIL(
			c, INVALID_CLOUD_WATCH_LOGS_ROLE_ARN, "CloudTrail cannot validate the specified role ARN.");
	return s;
}

/* ── a batch: events of one account and region, oldest first ── */

struct batch {
	struct cloudtrail_rec_trail t;
	struct str account, region;
	struct logs_input_log_events events;
	struct {
		struct str *v;
		size_t n;
	} keys;
};

static status collect(struct ct *ct, struct arena *a, struct batch *b)
{
	struct str key, value, from = ct_logs_space(a, &b->t);
	size_t events = 0, keys = 0, bytes = 0;
	struct store_tx *tx = store_begin(ct->cloud->store, a, true);
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	status s = OK;
	while (is_ok(s) && b->keys.n < EVENTS_AT_ONCE && bytes < BYTES_AT_ONCE && store_scan_next(scan, &key, &value)) {
		struct cloudtrail_rec_event e = {0};
		s = cloudtrail_rec_event_decode(a, str_dup(a, value), &e);
		if (!is_ok(s) || (b->keys.n && (!str_eq(e.account, b->account) || !str_eq(e.region, b->region)))) break;
		b->account = e.account;
		b->region = e.region;
		*VEC_PUSH(a, &b->keys, &keys) = str_dup(a, key);
		/* "CloudTrail does not send events larger than 256 KB to CloudWatch Logs." */
		if (e.text.n > EVENT_BYTES_MAX) continue;
		*VEC_PUSH(a, &b->events, &events) = (struct logs_input_log_event){SOME_I64(e.time.ms), e.text};
		bytes += e.text.n + 26;
	}
	status ended = store_scan_end(scan);
	store_end(tx);
	TRY(s);
	return ended;
}

/* FAILED: *why is the error's code. */
static status ask(
	struct ct *ct, struct arena *a, const struct inside_caller *who, uint32_t op, const void *in, struct str *why)
{
	struct inside *i = inside_run(ct->cloud, who, "logs", op, in, NULL);
	bool ok = i->ok;
	if (!ok) *why = str_dup(a, i->code);
	inside_free(i);
	return ok ? OK : STATUS(FAILED);
}

static status put(
	struct ct *ct, struct arena *a, const struct inside_caller *who, const struct batch *b, struct str *why)
{
	struct str group = group_name(&b->t, b->t.log_group);
	struct str stream = str_fmt(a, "%.*s%s%.*s_CloudTrail_%.*s", STR_ARG(str_or(b->t.organization_id, STR(""))),
		str_has(b->t.organization_id) ? "_" : "", STR_ARG(b->account), STR_ARG(b->region));
	struct logs_put_log_events_input in = {
		.log_group_name = group, .log_stream_name = stream, .log_events = b->events};
	if (!b->events.n) return OK;
	status s = ask(ct, a, who, LOGS_OP_PUT_LOG_EVENTS, &in, why);
	if (is_ok(s) || !str_is(*why, "ResourceNotFoundException")) return s;
	struct logs_create_log_stream_input make = {.log_group_name = group, .log_stream_name = stream};
	TRY(ask(ct, a, who, LOGS_OP_CREATE_LOG_STREAM, &make, why));
	return ask(ct, a, who, LOGS_OP_PUT_LOG_EVENTS, &in, why);
}

/* error STR_NONE: it was put. */
static status note(struct ct *ct, struct arena *a, const struct batch *b, struct str error)
{
	status s = STATUS(CONFLICT);
	for (int i = 0; i < TRIES && status_is(s, STATUS_CONFLICT); i++) {
		struct cloudtrail_rec_status st;
		store_ticket ticket;
		struct store_tx *tx = store_begin(ct->cloud->store, a, false);
		s = ct_status_get(tx, a, &b->t, &st);
		if (is_ok(s)) {
			for (size_t k = 0; !str_has(error) && k < b->keys.n; k++) store_delete(tx, b->keys.v[k]);
			st.logs_error = error;
			if (!str_has(error)) st.logs_delivered = SOME_TIME(clock_now(ct->cloud->clock));
			store_put(tx, ct_trail_key(a, "status", b->t.account, b->t.region, b->t.name),
				cloudtrail_rec_status_encode(a, &st));
			s = store_commit(tx, &ticket);
		}
		store_end(tx);
	}
	return s;
}

status ct_logs_deliver(struct ct *ct, struct arena *a, struct str account, struct str region, struct str name)
{
	struct cloudtrail_rec_trail t;
	struct inside_caller who = {0};
	struct str why = STR("");
	struct store_tx *tx = store_begin(ct->cloud->store, a, true);
	status s = ct_trail_get(tx, a, account, region, name, &t);
	store_end(tx);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	for (int i = 0; i < BATCHES && str_has(t.log_group); i++) {
		struct batch b = {.t = t};
		TRY(collect(ct, a, &b));
		if (!b.keys.n) return OK;
		s = OK;
		if (!str_has(who.principal.arn)) {
			s = sts_assume_inside(ct->cloud, a, account, region, SERVICE, t.log_role,
				STR("CLOUDWATCH_LOGS_DELIVERY_SESSION"), &who, &why);
			if (status_is(s, STATUS_FAILED)) why = STR("AccessDenied");
		}
		if (is_ok(s)) s = put(ct, a, &who, &b, &why);
		if (!is_ok(s) && !status_is(s, STATUS_FAILED)) return s;
		TRY(note(ct, a, &b, is_ok(s) ? STR_NONE : why));
		if (!is_ok(s)) return OK; /* with the next round */
	}
	return OK;
}
