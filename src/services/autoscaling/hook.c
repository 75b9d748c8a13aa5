/* Lifecycle hooks: what instances wait for on their way in and out ("Amazon EC2 Auto Scaling lifecycle hooks", the
 * guide). */
#include "base/json.h"
#include "base/log.h"
#include "base/rand.h"
#include "services/autoscaling/room.h"
#include "services/iam/door.h"
#include "services/sns/door.h"
#include "services/sqs/send.h"
#include <openssl/sha.h>

#define SHAPE AUTOSCALING_SHAPE_LIFECYCLE_HOOK
enum { HEARTBEAT_S = 3600, HEARTBEAT_MIN_S = 30, HEARTBEAT_MAX_S = 7200, GLOBAL_MAX_S = 172800 };

static status read(struct as_place at, struct str bytes, struct autoscaling_lifecycle_hook *out)
{
	struct autoscaling_rec_hook r = {0};
	*out = (struct autoscaling_lifecycle_hook){0};
	TRY(autoscaling_rec_hook_decode(at.a, bytes, &r));
	return as_document(at, r.document, SHAPE, out);
}

static status find(struct as_group *g, struct str name, struct autoscaling_lifecycle_hook *out)
{
	struct str bytes;
	*out = (struct autoscaling_lifecycle_hook){0};
	TRY(store_get(g->at.tx, as_key(g->at, "hook", g->name, name), &bytes));
	return read(g->at, bytes, out);
}

/* ── telling ── */

struct message {
	struct cloud *cloud;
	struct as_group *g;
	const struct autoscaling_lifecycle_hook *h;
	struct str text;
};

/* A queue or a topic. OK also where it refuses: then only the log tells. */
static status send(const struct message *m)
{
	struct str to = m->h->notification_target_arn;
	struct as_place at = m->g->at;
	if (!str_has(to) || str_empty(to)) return OK;
	status s;
	if (str_find(to, STR(":sqs:")) > 0) {
		struct sqs_delivery d = {.queue_arn = to,
			.body = m->text,
			.service = AS_PRINCIPAL,
			.source_arn = m->g->g.auto_scaling_group_arn,
			.source_account = at.account,
			.by_role = true};
		s = sqs_deliver(m->cloud, at.a, &d);
	} else {
		struct sns_publication p = {.topic_arn = to,
			.message = m->text,
			.subject = str_fmt(
				at.a, "Auto Scaling:  Lifecycle action '%.*s'", STR_ARG(m->h->lifecycle_transition)),
			.service = AS_PRINCIPAL,
			.source_arn = m->g->g.auto_scaling_group_arn,
			.source_account = at.account,
			.by_role = true};
		s = sns_publish_in(m->cloud, at.tx, at.a, &p);
	}
	if (!is_ok(s))
		log_warn("autoscaling", "hook_not_told", "group=%.*s target=%.*s why=%s", STR_ARG(m->g->name),
			STR_ARG(to), status_name(s));
	return status_is(s, STATUS_CONFLICT) ? s : OK;
}

static void member(struct buf *b, const char *name, struct str value)
{
	buf_fmt(b, "%s\"%s\":", b->n > 1 ? "," : "", name);
	json_quote(b, str_or(value, STR("")));
}

static struct buf head(struct as_group *g, int64_t now_ms)
{
	struct buf b = BUF_IN(g->at.a);
	buf_lit(&b, "{");
	member(&b, "Service", STR("AWS Auto Scaling"));
	member(&b, "Time", time_iso8601(g->at.a, now_ms, true));
	member(&b, "RequestId", rand_uuid(g->at.a));
	member(&b, "AccountId", g->at.account);
	member(&b, "AutoScalingGroupName", g->name);
	member(&b, "AutoScalingGroupARN", g->g.auto_scaling_group_arn);
	return b;
}

/* The same again when the transaction runs again: a queue may have heard of the first run. */
static struct str token_of(struct as_group *g, const struct autoscaling_rec_instance *i, struct str hook)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct str text = str_fmt(g->at.a, "%.*s %.*s %.*s %.*s %lld", STR_ARG(g->g.auto_scaling_group_arn),
		STR_ARG(i->id), STR_ARG(hook), STR_ARG(i->state), (long long)i->since.ms);
	SHA256((const unsigned char *)text.p, text.n, digest);
	struct str h = str_hex(g->at.a, str_n(digest, 16));
	return str_fmt(g->at.a, "%.8s-%.4s-4%.3s-8%.3s-%.12s", h.p, h.p + 8, h.p + 13, h.p + 17, h.p + 20);
}

status as_hooks_begin(struct cloud *cloud, struct as_group *g, struct autoscaling_rec_instance *i,
	struct str transition, int64_t now_ms, bool *waits)
{
	size_t capacity = 0;
	struct as_each e = as_each(g->at, "hook", g->name);
	status s = OK;
	i->waits = (struct autoscaling_rec_waits){0};
	while (is_ok(s) && as_next(&e)) {
		struct autoscaling_lifecycle_hook h;
		s = read(g->at, e.value, &h);
		if (!is_ok(s) || !str_eq(h.lifecycle_transition, transition)) continue;
		struct autoscaling_rec_wait *w = VEC_PUSH(g->at.a, &i->waits, &capacity);
		*w = (struct autoscaling_rec_wait){.hook = h.lifecycle_hook_name,
			.token = token_of(g, i, h.lifecycle_hook_name),
			.heartbeat_ms = SOME_I64(h.heartbeat_timeout.v * 1000ll),
			.deadline = SOME_TIME(now_ms + h.heartbeat_timeout.v * 1000ll),
			.last = SOME_TIME(now_ms + h.global_timeout.v * 1000ll),
			.default_result = h.default_result};
		struct buf b = head(g, now_ms);
		bool in = str_eq(transition, AS_LAUNCHING);
		member(&b, "LifecycleHookName", h.lifecycle_hook_name);
		member(&b, "EC2InstanceId", i->id);
		member(&b, "LifecycleTransition", transition);
		member(&b, "LifecycleActionToken", w->token);
		if (str_has(h.notification_metadata)) member(&b, "NotificationMetadata", h.notification_metadata);
		member(&b, "Origin", in ? STR("EC2") : STR("AutoScalingGroup"));
		member(&b, "Destination", in ? i->pool.v ? STR("WarmPool") : STR("AutoScalingGroup") : STR("EC2"));
		buf_lit(&b, "}");
		s = send(&(struct message){cloud, g, &h, buf_done(&b)});
	}
	status end = as_each_end(&e);
	*waits = i->waits.n > 0;
	return is_ok(s) ? end : s;
}

void as_hooks_look(struct autoscaling_rec_instance *i, int64_t now_ms, bool *over, bool *abandon, int64_t *next_ms)
{
	*over = true;
	*abandon = false;
	for (size_t k = 0; k < i->waits.n; k++) {
		struct autoscaling_rec_wait *w = &i->waits.v[k];
		int64_t until = w->deadline.ms < w->last.ms ? w->deadline.ms : w->last.ms;
		if (!str_has(w->result) && until <= now_ms) w->result = w->default_result;
		if (str_is(w->result, "ABANDON")) *abandon = true;
		if (str_has(w->result)) continue;
		*over = false;
		if (until < *next_ms) *next_ms = until;
	}
	/* "ABANDON … stops any remaining actions, such as other lifecycle hooks" (CompleteLifecycleAction's guide). */
	if (*abandon) *over = true;
}

/* ── PutLifecycleHook ── */

static status check(struct call *c, struct as_group *g, const struct autoscaling_lifecycle_hook *h)
{
	if (!str_eq(h->lifecycle_transition, AS_LAUNCHING) && !str_eq(h->lifecycle_transition, AS_TERMINATING))
		return AS_FAIL(c, "Invalid lifecycle transition: %.*s", STR_ARG(h->lifecycle_transition));
	if (!str_is(h->default_result, "CONTINUE") && !str_is(h->default_result, "ABANDON"))
		return AS_FAIL(c, "Invalid default result: %.*s. It has to be CONTINUE or ABANDON.",
			STR_ARG(h->default_result));
	if (h->heartbeat_timeout.v < HEARTBEAT_MIN_S || h->heartbeat_timeout.v > HEARTBEAT_MAX_S)
		return AS_FAIL(
			c, "HeartbeatTimeout must be between %d and %d seconds.", HEARTBEAT_MIN_S, HEARTBEAT_MAX_S);
	struct str to = h->notification_target_arn;
	if (!str_has(to) || str_empty(to)) return OK;
	/* The role that lets Auto Scaling send: it has to be there, one of this account's. */
	struct iam_rec_entity role = {0};
	struct str head = str_fmt(c->arena, "arn:%.*s:iam::%.*s:role/", STR_ARG(c->partition), STR_ARG(c->account));
	if (!str_has(h->role_arn)) return AS_FAIL(c, "Role ARN is required when a notification target is specified.");
	if (!str_starts(h->role_arn, head)) return AS_FAIL(c, "Invalid IAM role ARN: %.*s", STR_ARG(h->role_arn));
	status found = iam_peek(c->tx, c->arena, IAM_ROLE, c->account,
		str_from(h->role_arn, (size_t)str_rchr(h->role_arn, '/') + 1), &role);
	if (!is_ok(found) && !status_is(found, STATUS_NOT_FOUND)) return found;
	bool queue = str_find(to, STR(":sqs:")) > 0, topic = str_find(to, STR(":sns:")) > 0;
	if (!queue && !topic)
		return AS_FAIL(c,
			"Invalid notification target: %.*s. It has to be a queue of Amazon SQS or a topic of "
			"Amazon SNS.",
			STR_ARG(to));
	status s = found;
	if (!is_ok(s))
		s = STATUS(NOT_FOUND);
	else if (queue)
		s = sqs_delivery_check(c->cloud, c->arena,
			&(struct sqs_delivery){.queue_arn = to,
				.service = AS_PRINCIPAL,
				.source_arn = g->g.auto_scaling_group_arn,
				.source_account = c->account,
				.by_role = true});
	else
		s = sns_publication_check(c->cloud, c->tx, c->arena,
			&(struct sns_publication){.topic_arn = to,
				.service = AS_PRINCIPAL,
				.source_arn = g->g.auto_scaling_group_arn,
				.source_account = c->account,
				.by_role = true});
	if (is_ok(s)) return OK;
	if (!status_is(s, STATUS_NOT_FOUND) && !status_is(s, STATUS_LIMIT) && !status_is(s, STATUS_INVALID)) return s;
	return AS_FAIL(c,
		"Unable to publish test message to notification target %.*s using IAM role %.*s. Please check your "
		"target and role configuration and try to put lifecycle hook again.",
		STR_ARG(to), STR_ARG(h->role_arn));
}

status as_hook_make(struct call *c, struct as_group *g, const struct autoscaling_put_lifecycle_hook_type *in)
{
	struct autoscaling_lifecycle_hook h;
	size_t n;
	status s = find(g, in->lifecycle_hook_name, &h);
	bool fresh = status_is(s, STATUS_NOT_FOUND);
	if (!fresh) TRY(s);
	if (fresh) {
		TRY(as_count(g->at, "hook", g->name, &n));
		if (n >= AS_HOOKS_MAX)
			return call_fail(c, AUTOSCALING_ERR_LIMIT_EXCEEDED_FAULT,
				"You may only have %d lifecycle hooks for an Auto Scaling group.", AS_HOOKS_MAX);
		if (!str_has(in->lifecycle_transition))
			return AS_FAIL(c, "Lifecycle transition is required when a lifecycle hook is created.");
		h.heartbeat_timeout = SOME_I32(HEARTBEAT_S);
		h.default_result = STR("ABANDON");
	}
	as_copy(c->arena, AUTOSCALING_SHAPE_PUT_LIFECYCLE_HOOK_TYPE, in, SHAPE, &h);
	/* "100 times the heartbeat timeout or 48 hours, whichever is smaller". */
	int64_t all = h.heartbeat_timeout.v * 100ll;
	h.global_timeout = SOME_I32((int32_t)(all < GLOBAL_MAX_S ? all : GLOBAL_MAX_S));
	TRY(check(c, g, &h));
	struct autoscaling_rec_hook r = {.document = wire_shape_write(c->arena, AS_TABLES, SHAPE, &h)};
	store_put(c->tx, as_key(g->at, "hook", g->name, h.lifecycle_hook_name),
		autoscaling_rec_hook_encode(c->arena, &r));
	struct buf b = head(g, c->now_ms);
	member(&b, "Event", STR("autoscaling:TEST_NOTIFICATION"));
	buf_lit(&b, "}");
	return send(&(struct message){c->cloud, g, &h, buf_done(&b)});
}

static void poke(void *jobs)
{
	jobs_poke(jobs);
}

status autoscaling_put_lifecycle_hook(struct call *c, const struct autoscaling_put_lifecycle_hook_input *in,
	struct autoscaling_put_lifecycle_hook_output *out)
{
	struct as_group g;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	TRY(as_hook_make(c, &g, in));
	as_group_put(&g);
	call_after_commit(c, poke, c->cloud->jobs);
	return OK;
}

status autoscaling_delete_lifecycle_hook(struct call *c, const struct autoscaling_delete_lifecycle_hook_input *in,
	struct autoscaling_delete_lifecycle_hook_output *out)
{
	struct as_group g;
	struct autoscaling_lifecycle_hook h;
	struct as_instances all;
	(void)out;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	status s = find(&g, in->lifecycle_hook_name, &h);
	if (status_is(s, STATUS_NOT_FOUND))
		return AS_FAIL(c, "No Lifecycle Hook found with name: %.*s", STR_ARG(in->lifecycle_hook_name));
	TRY(s);
	store_delete(c->tx, as_key(g.at, "hook", g.name, in->lifecycle_hook_name));
	/* "If there are any outstanding lifecycle actions, they are completed first (ABANDON for launching instances,
	 * CONTINUE for terminating instances)" (the reference). */
	TRY(as_instances(&g, &all));
	for (size_t i = 0; i < all.n; i++)
		for (size_t k = 0; k < all.v[i].waits.n; k++) {
			struct autoscaling_rec_wait *w = &all.v[i].waits.v[k];
			if (!str_eq(w->hook, in->lifecycle_hook_name) || str_has(w->result)) continue;
			w->result = str_eq(h.lifecycle_transition, AS_LAUNCHING) ? STR("ABANDON") : STR("CONTINUE");
			as_instance_put(&g, &all.v[i]);
		}
	as_group_change(c, &g);
	return OK;
}

status autoscaling_describe_lifecycle_hooks(struct call *c, const struct autoscaling_describe_lifecycle_hooks_input *in,
	struct autoscaling_describe_lifecycle_hooks_output *out)
{
	struct as_group g;
	size_t capacity = 0;
	TRY(as_group_find(c, in->auto_scaling_group_name, &g));
	struct as_each e = as_each(g.at, "hook", g.name);
	status s = OK;
	while (is_ok(s) && as_next(&e)) {
		const struct autoscaling_lifecycle_hook_names *names = &in->lifecycle_hook_names;
		if (names->n && !as_has(names->v, names->n, e.name)) continue;
		s = read(g.at, e.value, VEC_PUSH(c->arena, &out->lifecycle_hooks, &capacity));
	}
	status end = as_each_end(&e);
	VEC_PRESENT(c->arena, &out->lifecycle_hooks);
	return is_ok(s) ? end : s;
}

/* ── CompleteLifecycleAction, RecordLifecycleActionHeartbeat ── */

/* The action by token, or by instance. */
static status action(struct call *c, struct str group, struct str hook, struct str token, struct str instance,
	struct as_group *g, struct autoscaling_rec_instance *out, struct autoscaling_rec_wait **wait)
{
	struct as_instances all;
	*wait = NULL;
	TRY(as_group_find(c, group, g));
	if (!str_has(token) && !str_has(instance))
		return AS_FAIL(c, "Either LifecycleActionToken or InstanceId must be specified.");
	TRY(as_instances(g, &all));
	for (size_t i = 0; i < all.n; i++)
		for (size_t k = 0; k < all.v[i].waits.n; k++) {
			struct autoscaling_rec_wait *w = &all.v[i].waits.v[k];
			bool mine = str_eq(w->hook, hook) && !str_has(w->result) &&
				    str_ends(all.v[i].state, STR(":Wait")) &&
				    (!str_has(token) || str_eq(w->token, token)) &&
				    (!str_has(instance) || str_eq(all.v[i].id, instance));
			if (!mine) continue;
			*out = all.v[i];
			*wait = w;
			return OK;
		}
	if (str_has(instance))
		return AS_FAIL(c, "No active Lifecycle Action found with instance ID %.*s", STR_ARG(instance));
	return AS_FAIL(c, "No active Lifecycle Action found with token %.*s", STR_ARG(token));
}

status autoscaling_complete_lifecycle_action(struct call *c,
	const struct autoscaling_complete_lifecycle_action_input *in,
	struct autoscaling_complete_lifecycle_action_output *out)
{
	struct as_group g;
	struct autoscaling_rec_instance i;
	struct autoscaling_rec_wait *w;
	(void)out;
	if (!str_is(in->lifecycle_action_result, "CONTINUE") && !str_is(in->lifecycle_action_result, "ABANDON"))
		return AS_FAIL(c, "Invalid lifecycle action result: %.*s. It has to be CONTINUE or ABANDON.",
			STR_ARG(in->lifecycle_action_result));
	TRY(action(c, in->auto_scaling_group_name, in->lifecycle_hook_name, in->lifecycle_action_token, in->instance_id,
		&g, &i, &w));
	w->result = in->lifecycle_action_result;
	as_instance_put(&g, &i);
	as_group_change(c, &g);
	return OK;
}

status autoscaling_record_lifecycle_action_heartbeat(struct call *c,
	const struct autoscaling_record_lifecycle_action_heartbeat_input *in,
	struct autoscaling_record_lifecycle_action_heartbeat_output *out)
{
	struct as_group g;
	struct autoscaling_rec_instance i;
	struct autoscaling_rec_wait *w;
	(void)out;
	TRY(action(c, in->auto_scaling_group_name, in->lifecycle_hook_name, in->lifecycle_action_token, in->instance_id,
		&g, &i, &w));
	w->deadline = SOME_TIME(c->now_ms + w->heartbeat_ms.v);
	as_instance_put(&g, &i);
	as_group_change(c, &g);
	return OK;
}
