/* HTTP subscribers ("Fanout Amazon SNS notifications to HTTPS endpoints"): the confirmation that an endpoint has to
 * answer, and the delivery of notifications with retries on virtual time. Only endpoints on this machine's loopback;
 * what is sent is a durable job of its own for each message and subscriber. A status of 2xx is a success; 4xx but 429
 * is a client-side error, which is not tried again; all else is, as the delivery policy says ("Amazon SNS message
 * delivery retries"). */
#include "base/json.h"
#include "base/log.h"
#include "base/rand.h"
#include "edge/loopback.h"
#include "services/sns/feedback.h"

static const char kind[] = "sns.http", pending_kind[] = "sns.pending";
enum { WAIT_S = 15, ANSWER_MAX = 64 << 10 };
#define TOKEN_MS (2 * 24 * 3600 * 1000ll) /* "Confirmation tokens are valid for two days" */

/* ── the delivery policy ── */

struct retries {
	int64_t min_s, max_s, n, immediate, at_min, at_max;
	struct str backoff, content_type;
};
static const struct retries by_default = {20, 20, 3, 0, 0, 0, {"linear", 6}, {NULL, 0}};

static void number(const struct json_value *o, const char *name, int64_t *out)
{
	const struct json_value *v = json_member(o, str_c(name));
	int64_t n;
	if (v && is_ok(str_to_i64(v->text, &n))) *out = n;
}

static void read_retries(const struct json_value *o, struct retries *r)
{
	number(o, "minDelayTarget", &r->min_s);
	number(o, "maxDelayTarget", &r->max_s);
	number(o, "numRetries", &r->n);
	number(o, "numNoDelayRetries", &r->immediate);
	number(o, "numMinDelayRetries", &r->at_min);
	number(o, "numMaxDelayRetries", &r->at_max);
	struct str f = json_string(json_member(o, STR("backoffFunction")));
	if (str_has(f)) r->backoff = f;
}

static const char *bad_retries(const struct retries *r)
{
	static const char *const known[] = {"linear", "arithmetic", "geometric", "exponential"};
	bool named = false;
	for (size_t i = 0; i < 4; i++) named |= str_eq(r->backoff, str_c(known[i]));
	if (r->min_s < 1 || r->max_s > 3600 || r->min_s > r->max_s)
		return "minDelayTarget must be at least 1 and at most maxDelayTarget, which is at most 3600";
	if (r->n < 0 || r->n > 100) return "numRetries must be between 0 and 100";
	if (r->immediate < 0 || r->at_min < 0 || r->at_max < 0 || r->immediate + r->at_min + r->at_max > r->n)
		return "numRetries must be at least the sum of numNoDelayRetries, numMinDelayRetries and "
		       "numMaxDelayRetries";
	return named ? NULL : "backoffFunction must be linear, arithmetic, geometric or exponential";
}

status sns_delivery_policy_check(struct call *c, struct str text, bool of_topic)
{
	struct json_value *doc;
	struct retries r = by_default;
	if (!is_ok(json_read(c->arena, text, &doc)) || !json_is(doc, JSON_IS_OBJECT))
		return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: DeliveryPolicy: failed to parse JSON.");
	const struct json_value *o = of_topic ? json_member(doc, STR("http")) : doc;
	if (json_member(o, of_topic ? STR("defaultThrottlePolicy") : STR("throttlePolicy")))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "virga does not throttle deliveries yet (throttlePolicy).");
	read_retries(json_member(o, of_topic ? STR("defaultHealthyRetryPolicy") : STR("healthyRetryPolicy")), &r);
	const char *why = bad_retries(&r);
	return why ? SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: DeliveryPolicy: %s", why) : OK;
}

/* The subscription's, over the topic's, over the default. */
static struct retries retries_of(struct arena *a, const struct sns_rec_topic *t, const struct sns_rec_subscription *to)
{
	struct retries r = by_default;
	struct json_value *doc;
	struct str own = sns_get(&to->attributes, STR("DeliveryPolicy")),
		   topics = sns_get(&t->attributes, STR("DeliveryPolicy"));
	if (str_has(topics) && is_ok(json_read(a, topics, &doc))) {
		const struct json_value *http = json_member(doc, STR("http")),
					*no = json_member(http, STR("disableSubscriptionOverrides"));
		read_retries(json_member(http, STR("defaultHealthyRetryPolicy")), &r);
		r.content_type = json_string(
			json_member(json_member(http, STR("defaultRequestPolicy")), STR("headerContentType")));
		if (no && str_is(no->text, "true")) return r;
	}
	if (str_has(own) && is_ok(json_read(a, own, &doc))) {
		struct str content =
			json_string(json_member(json_member(doc, STR("requestPolicy")), STR("headerContentType")));
		read_retries(json_member(doc, STR("healthyRetryPolicy")), &r);
		if (str_has(content)) r.content_type = content;
	}
	return r;
}

/* Seconds before the retry of that number, from 1. "Phases": at once, the least delay, the backoff, the greatest. */
static int64_t delay(const struct retries *r, int64_t retry)
{
	int64_t n = r->n - r->immediate - r->at_min - r->at_max, k = retry - r->immediate - r->at_min;
	if (retry <= r->immediate) return 0;
	if (k <= 0) return r->min_s;
	if (k > n) return r->max_s;
	double part = n > 1 ? (double)(k - 1) / (double)(n - 1) : 0, span = (double)(r->max_s - r->min_s);
	if (str_is(r->backoff, "arithmetic")) part = part * part;
	if (str_is(r->backoff, "geometric") || str_is(r->backoff, "exponential")) part = part * part * part;
	return r->min_s + (int64_t)(span * part);
}

/* ── what is sent ── */

status sns_http_enqueue(struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	const struct sns_rec_subscription *to, struct str type, struct str message, int64_t now_ms)
{
	struct sns_rec_posting p = {.account = t->account,
		.region = t->region,
		.topic = t->name,
		.subscription = to->id,
		.type = type,
		.message = message,
		.tries = SOME_I32(0),
		.id = rand_uuid(a)};
	jobs_schedule(tx,
		&(struct job){
			.kind = str_c(kind), .id = p.id, .due_ms = now_ms, .payload = sns_rec_posting_encode(a, &p)});
	return OK;
}

static void header(struct buf *b, const char *name, struct str value)
{
	buf_fmt(b, "%s: %.*s\r\n", name, STR_ARG(value));
}

static status body_of(struct sns *s, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	const struct sns_rec_subscription *to, const struct sns_rec_posting *p, struct str *id, struct str *body,
	bool *raw)
{
	struct sns_rec_message m = {0};
	*raw = false;
	*id = p->id;
	if (!str_is(p->type, "Notification")) return sns_confirmation(s, tx, a, t, to, p->id, body);
	TRY(sns_rec_message_decode(a, p->message, &m));
	TRY(sns_message_open(s, tx, a, t, &m));
	*id = m.id;
	*raw = str_is(str_or(sns_get(&to->attributes, STR("RawMessageDelivery")), STR("")), "true");
	if (!*raw) return sns_envelope(s, tx, a, t, &m, to, body);
	*body = sns_body_for(a, &m, to->protocol);
	return OK;
}

/* OK, IO (to be tried again) or INVALID (not to be). */
static status post(struct sns *s, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	const struct sns_rec_subscription *to, const struct sns_rec_posting *p, const struct retries *r,
	struct str *body, struct loopback_answer *told)
{
	struct loopback_url u;
	struct loopback_answer answer = {0};
	struct str id;
	struct buf h = BUF_IN(a);
	bool raw;
	TRY(body_of(s, tx, a, t, to, p, &id, body, &raw));
	header(&h, "x-amz-sns-message-type", p->type);
	header(&h, "x-amz-sns-message-id", id);
	header(&h, "x-amz-sns-topic-arn", sns_topic_arn(a, t));
	if (!to->pending.v) header(&h, "x-amz-sns-subscription-arn", sns_subscription_arn(a, t, to->id));
	if (raw) header(&h, "x-amz-sns-rawdelivery", STR("true"));
	header(&h, "Content-Type", str_or(r->content_type, STR("text/plain; charset=UTF-8")));
	header(&h, "User-Agent", STR("Amazon Simple Notification Service Agent"));
	if (!is_ok(loopback_url(to->endpoint, &u))) return STATUS(INVALID);
	status st = loopback_ask(a, &u, "POST", buf_done(&h), *body, WAIT_S, ANSWER_MAX, &answer);
	log_info("sns", "posted", "topic=%.*s endpoint=%.*s status=%s code=%u", STR_ARG(t->name), STR_ARG(to->endpoint),
		status_name(st), answer.status);
	*told = answer;
	if (!is_ok(st) && !status_is(st, STATUS_LIMIT)) return STATUS(IO);
	if (answer.status >= 200 && answer.status < 300) return OK;
	return answer.status >= 400 && answer.status < 500 && answer.status != 429 ? STATUS(INVALID) : STATUS(IO);
}

/* After the last try. */
static status tell(struct sns *s, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	const struct sns_rec_subscription *to, const struct sns_rec_posting *p, bool good,
	const struct loopback_answer *answer)
{
	struct sns_rec_message m = {0};
	if (!str_is(p->type, "Notification")) return OK;
	TRY(sns_rec_message_decode(a, p->message, &m));
	TRY(sns_message_open(s, tx, a, t, &m));
	const struct sns_outcome o = {
		&m, good, answer->status, (int)p->tries.v + 1, str_sub(str_or(answer->body, STR("")), 0, 1024)};
	sns_outcome(s, tx, a, t, to, &o);
	return OK;
}

static status run(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct sns *s = ctx;
	struct sns_rec_posting p = {0};
	struct sns_rec_topic t;
	struct sns_rec_subscription to;
	struct str body = STR("");
	(void)again_ms;
	TRY(sns_rec_posting_decode(a, job->payload, &p));
	status st = sns_topic_get(tx, a, p.account, p.region, p.topic, &t);
	if (is_ok(st)) st = sns_subscription_get(tx, a, &t, p.subscription, &to);
	if (status_is(st, STATUS_NOT_FOUND)) return OK; /* gone meanwhile */
	TRY(st);
	if (str_is(p.type, "SubscriptionConfirmation") && !to.pending.v) return OK;
	struct retries r = retries_of(a, &t, &to);
	struct loopback_answer answer = {0};
	st = post(s, tx, a, &t, &to, &p, &r, &body, &answer);
	if (!is_ok(st) && !status_is(st, STATUS_IO) && !status_is(st, STATUS_INVALID)) return st;
	int64_t retry = p.tries.v + 1;
	if (is_ok(st) || status_is(st, STATUS_INVALID) || retry > r.n)
		TRY(tell(s, tx, a, &t, &to, &p, is_ok(st), &answer));
	if (is_ok(st)) return OK;
	if (status_is(st, STATUS_IO) && retry <= r.n) {
		p.tries = SOME_I32((int32_t)retry);
		jobs_schedule(tx, &(struct job){.kind = str_c(kind),
					  .id = str_fmt(a, "%.*s.%lld", STR_ARG(p.id), (long long)retry),
					  .due_ms = clock_now(s->cloud->clock) + delay(&r, retry) * 1000,
					  .payload = sns_rec_posting_encode(a, &p)});
		return OK;
	}
	return str_is(p.type, "Notification") ? sns_dead_letter(s, a, &t, &to, body) : OK;
}

/* ── confirmation ── */

bool sns_is_http(const struct sns_rec_subscription *s)
{
	return str_is(s->protocol, "http");
}

status sns_http_subscribe(struct call *c, const struct sns_rec_topic *t, struct sns_rec_subscription *s)
{
	struct sns_rec_posting p = {
		.account = t->account, .region = t->region, .topic = t->name, .subscription = s->id};
	char token[96];
	rand_bytes(token, sizeof(token));
	s->pending = SOME_BOOL(true);
	s->token = str_hex(c->arena, str_n(token, sizeof(token)));
	s->token_expires = SOME_TIME(c->now_ms + TOKEN_MS);
	jobs_schedule(c->tx, &(struct job){.kind = str_c(pending_kind),
				     .id = s->id,
				     .due_ms = s->token_expires.ms + 1,
				     .payload = sns_rec_posting_encode(c->arena, &p)});
	return sns_http_enqueue(c->tx, c->arena, t, s, STR("SubscriptionConfirmation"), STR_NONE, c->now_ms);
}

/* "If the subscription isn't confirmed within 48 hours, it is deleted." */
static status forget(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct sns *s = ctx;
	struct sns_rec_posting p = {0};
	struct sns_rec_topic t;
	struct sns_rec_subscription to;
	TRY(sns_rec_posting_decode(a, job->payload, &p));
	status st = sns_topic_get(tx, a, p.account, p.region, p.topic, &t);
	if (is_ok(st)) st = sns_subscription_get(tx, a, &t, p.subscription, &to);
	if (status_is(st, STATUS_NOT_FOUND)) return OK;
	TRY(st);
	if (!to.pending.v) return OK;
	if (to.token_expires.ms > clock_now(s->cloud->clock)) {
		*again_ms = to.token_expires.ms + 1;
		return OK;
	}
	sns_subscription_remove(tx, a, &t, &to);
	return OK;
}

status sns_find_token(struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t, struct str token,
	int64_t now_ms, struct sns_rec_subscription *out)
{
	struct sns_subscriptions list;
	TRY(sns_subscriptions_of(tx, a, t, &list));
	for (size_t i = 0; i < list.n; i++)
		if (str_has(list.v[i].token) && str_eq_secret(list.v[i].token, token) &&
			list.v[i].token_expires.ms > now_ms) {
			*out = list.v[i];
			return OK;
		}
	return STATUS(NOT_FOUND);
}

/* Who has the token may confirm: by the SubscribeURL, without a signature, too. */
status sns_confirm_subscription(
	struct call *c, const struct sns_confirm_subscription_input *in, struct sns_confirm_subscription_output *out)
{
	struct str account, region, name, id;
	struct sns_rec_topic t;
	struct sns_rec_subscription s;
	bool authenticate = str_is(str_or(in->authenticate_on_unsubscribe, STR("")), "true");
	if (!sns_read_arn(in->topic_arn, &account, &region, &name, &id) || str_has(id))
		return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: TopicArn");
	status st = sns_topic_get(c->tx, c->arena, account, region, name, &t);
	if (status_is(st, STATUS_NOT_FOUND)) return SNS_FAIL(c, NOT_FOUND, "Topic does not exist");
	TRY(st);
	if (authenticate && c->principal.kind == PRINCIPAL_ANONYMOUS)
		return SNS_FAIL(c, AUTHORIZATION_ERROR, "AuthenticateOnUnsubscribe needs a signed request");
	st = sns_find_token(c->tx, c->arena, &t, in->token, c->now_ms, &s);
	if (status_is(st, STATUS_NOT_FOUND)) return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: Token");
	TRY(st);
	if (s.pending.v) {
		s.pending = SOME_BOOL(false);
		s.authenticated = SOME_BOOL(c->principal.kind != PRINCIPAL_ANONYMOUS);
		s.unsubscribe_authenticated = SOME_BOOL(authenticate);
		sns_subscription_put(c, &t, &s);
	}
	out->subscription_arn = sns_subscription_arn(c->arena, &t, s.id);
	return OK;
}

void sns_http_start(struct sns *s)
{
	jobs_register(s->cloud->jobs, kind, run, s);
	jobs_register(s->cloud->jobs, pending_kind, forget, s);
}
