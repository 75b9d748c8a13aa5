/* StartLiveTail: what comes into up to ten log groups, as it comes, for at most three hours ("Use Live Tail to view
 * logs in near real time", the guide; the operation in the reference). The answer is a stream of events over the
 * request's own connection, which rests between them. Sessions are in memory: PutLogEvents offers each of them what it
 * has committed; once a second what was taken becomes an update. A client that is slow loses the oldest ones:
 * "CloudWatch Logs buffers up to 10 LiveTailSessionUpdate events or 5000 log events, after which it starts dropping the
 * oldest events". */
#include "base/rand.h"
#include "call/later.h"
#include "services/logs/pattern.h"
#include "services/logs/room.h"
#include "wire/event.h"
#include <stdlib.h>

enum {
	LIFE_MS = 3 * 3600 * 1000,
	TICK_MS = 1000,
	SESSIONS_MAX = 15, /* "CloudWatch Logs quotas": concurrent sessions of an account and region */
	PER_UPDATE = 500,  /* "sampled down to 500 log events" */
	UPDATES_MAX = 10,
	BYTES_MAX = 2 << 20, /* of an update's messages: a message of an event stream has to stay below 16 MiB */
};

struct update {
	struct arena a;
	struct logs_live_tail_session_log_event v[PER_UPDATE];
	size_t n, bytes;
	uint64_t seen; /* events that matched */
};

struct logs_tail {
	struct logs *l;
	struct edge_exchange *x;
	struct logs_tail *next;
	struct arena own; /* of the texts and the pattern */
	struct str account, region;
	struct logs_start_live_tail_log_group_identifiers groups; /* ARNs */
	struct str *names;                                        /* theirs */
	struct logs_input_log_stream_names streams, prefixes;
	struct logs_pattern *pattern;
	int64_t begun_ms;
	/* under l->lock */
	bool ended; /* virga stops */
	struct update *now, *waiting[UPDATES_MAX];
	size_t n_waiting;
	/* the reader's own */
	bool finished; /* nothing will follow what is in out */
	struct buf out;
	size_t sent;
};

/* ── updates ── */

static struct update *update_new(void)
{
	struct update *u = mem_new(sizeof(*u));
	arena_init(&u->a);
	return u;
}

static void update_free(struct update *u)
{
	if (!u) return;
	arena_cleanup(&u->a);
	free(u);
}

static bool listed(const struct logs_input_log_stream_names *names, struct str s, bool prefix)
{
	for (size_t i = 0; i < names->n; i++)
		if (prefix ? str_starts(s, names->v[i]) : str_eq(s, names->v[i])) return true;
	return false;
}

/* Each that matches is as likely to be among those that stay as any other. */
static void take(
	struct logs_tail *t, size_t group, struct str stream, const struct logs_input_log_event *e, int64_t now_ms)
{
	struct update *u = t->now;
	size_t at = u->n;
	u->seen++;
	if (u->n == PER_UPDATE) at = (size_t)(rand_u64() % u->seen);
	if (at >= PER_UPDATE) return;
	size_t instead = at < u->n ? u->v[at].message.n : 0;
	if (u->bytes - instead + e->message.n > BYTES_MAX) return;
	u->bytes += e->message.n - instead;
	u->v[at] = (struct logs_live_tail_session_log_event){.log_stream_name = str_dup(&u->a, stream),
		.log_group_identifier = t->groups.v[group],
		.message = str_dup(&u->a, e->message),
		.timestamp = e->timestamp,
		.ingestion_time = SOME_I64(now_ms)};
	if (at == u->n) u->n++;
}

struct offer {
	struct logs *l;
	struct str account, region, group, stream;
	const struct logs_input_log_event *v;
	size_t n;
	int64_t now_ms;
};

static void offer_to(struct logs_tail *t, const struct offer *o)
{
	struct arena scratch;
	size_t group = 0;
	if (!str_eq(t->account, o->account) || !str_eq(t->region, o->region)) return;
	while (group < t->groups.n && !str_eq(t->names[group], o->group)) group++;
	if (group == t->groups.n) return;
	if (t->streams.n && !listed(&t->streams, o->stream, false)) return;
	if (t->prefixes.n && !listed(&t->prefixes, o->stream, true)) return;
	arena_init(&scratch);
	for (size_t i = 0; i < o->n; i++)
		if (logs_pattern_all(t->pattern) || logs_pattern_passes(t->pattern, &scratch, o->v[i].message))
			take(t, group, o->stream, &o->v[i], o->now_ms);
	arena_cleanup(&scratch);
}

static void on_committed(void *ctx)
{
	struct offer *o = ctx;
	pthread_mutex_lock(&o->l->lock);
	for (struct logs_tail *t = o->l->tails; t; t = t->next) offer_to(t, o);
	pthread_mutex_unlock(&o->l->lock);
}

void logs_tails_offer(
	struct call *c, struct str group, struct str stream, const struct logs_input_log_event *v, size_t n)
{
	struct logs *l = c->state;
	if (!atomic_load(&l->n_tails)) return;
	struct offer *o = arena_new(c->arena, struct offer);
	*o = (struct offer){l, c->account, c->region, group, stream, v, n, c->now_ms};
	call_after_commit(c, on_committed, o);
}

/* ── events ── */

static void write_event(struct logs_tail *t, const char *kind, struct str type, struct str payload)
{
	bool error = strcmp(kind, "exception") == 0;
	struct wire_header h[] = {{error ? STR(":exception-type") : STR(":event-type"), type},
		{STR(":content-type"), STR("application/json")}, {STR(":message-type"), str_c(kind)}};
	wire_event_write(&t->out, h, 3, payload);
}

static void write_update(struct logs_tail *t, struct update *u)
{
	struct logs_live_tail_session_metadata m = {SOME_BOOL(u->seen > u->n)};
	struct logs_live_tail_session_update e = {&m, {u->v, u->n}};
	write_event(t, "event", STR("sessionUpdate"),
		wire_json_of(&u->a, &wire_service_logs.tables, LOGS_SHAPE_LIVE_TAIL_SESSION_UPDATE, &e));
	update_free(u);
}

static void refill(struct logs_tail *t)
{
	struct update *next = NULL;
	int64_t now = clock_now(t->l->cloud->clock);
	pthread_mutex_lock(&t->l->lock);
	if (t->n_waiting) {
		next = t->waiting[0];
		t->n_waiting--;
		memmove(t->waiting, t->waiting + 1, t->n_waiting * sizeof(*t->waiting));
	}
	t->finished = !next && t->ended;
	pthread_mutex_unlock(&t->l->lock);
	if (next) {
		write_update(t, next);
	} else if (!t->finished && now >= t->begun_ms + LIFE_MS) {
		write_event(t, "exception", STR("SessionTimeoutException"),
			STR("{\"message\":\"Your Live Tail session has timed out.\"}"));
		t->finished = true;
	}
}

/* ── the body ── */

static int64_t read_some(void *ctx, uint64_t at, char *p, size_t n)
{
	struct logs_tail *t = ctx;
	(void)at;
	if (t->sent == t->out.n) {
		buf_cleanup(&t->out);
		t->out = BUF_HEAP;
		t->sent = 0;
		if (!t->finished) refill(t);
	}
	size_t left = t->out.n - t->sent;
	if (!left) return t->finished ? 0 : EDGE_LATER;
	struct str all = buf_done(&t->out);
	if (n > left) n = left;
	memcpy(p, all.p + t->sent, n);
	t->sent += n;
	return (int64_t)n;
}

static void tail_free(struct logs_tail *t)
{
	update_free(t->now);
	for (size_t i = 0; i < t->n_waiting; i++) update_free(t->waiting[i]);
	if (t->pattern) logs_pattern_end(t->pattern);
	buf_cleanup(&t->out);
	arena_cleanup(&t->own);
	free(t);
}

static void end(void *ctx)
{
	struct logs_tail *t = ctx;
	struct logs *l = t->l;
	pthread_mutex_lock(&l->lock);
	for (struct logs_tail **at = &l->tails; *at; at = &(*at)->next)
		if (*at == t) {
			*at = t->next;
			atomic_fetch_sub(&l->n_tails, 1);
			break;
		}
	pthread_mutex_unlock(&l->lock);
	tail_free(t);
}

/* ── every second ── */

static void on_tick(void *ctx);

/* Under l->lock. */
static void set_tick(struct logs *l)
{
	if (l->tick || !l->tails || l->stopping) return;
	l->tick = clock_at(l->cloud->clock, clock_now(l->cloud->clock) + TICK_MS, on_tick, l);
}

/* "If no new log events were ingested in the past second, the LiveTailSessionUpdate object will contain an empty
 * array": unless others wait, which an empty one need not push out. */
static void close_update(struct logs_tail *t)
{
	if (t->n_waiting && !t->now->n) return;
	if (t->n_waiting == UPDATES_MAX) {
		update_free(t->waiting[0]);
		t->n_waiting--;
		memmove(t->waiting, t->waiting + 1, t->n_waiting * sizeof(*t->waiting));
	}
	t->waiting[t->n_waiting++] = t->now;
	t->now = update_new();
}

static void on_tick(void *ctx)
{
	struct logs *l = ctx;
	pthread_mutex_lock(&l->lock);
	l->tick = 0;
	for (struct logs_tail *t = l->tails; t; t = t->next) {
		close_update(t);
		edge_more(t->x);
	}
	set_tick(l);
	pthread_mutex_unlock(&l->lock);
}

void logs_tails_end(struct logs *l)
{
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	for (struct logs_tail *t = l->tails; t; t = t->next) {
		t->ended = true;
		edge_more(t->x);
	}
	uint64_t tick = l->tick;
	pthread_mutex_unlock(&l->lock);
	if (tick && clock_cancel(l->cloud->clock, tick)) return;
	for (bool runs = tick != 0; runs;) { /* it is about to take the lock */
		pthread_mutex_lock(&l->lock);
		runs = l->tick != 0;
		pthread_mutex_unlock(&l->lock);
	}
}

/* ── the operation ── */

static status check_streams(struct call *c, const struct logs_start_live_tail_input *in)
{
	if (in->log_stream_names.n && in->log_stream_name_prefixes.n)
		return LOGS_FAIL(c, INVALID_PARAMETER,
			"logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.");
	/* "If you specify this parameter, you must specify only one log group". */
	if ((in->log_stream_names.n || in->log_stream_name_prefixes.n) && in->log_group_identifiers.n != 1)
		return LOGS_FAIL(c, INVALID_PARAMETER,
			"logStreamNames and logStreamNamePrefixes can only be specified with exactly one log group.");
	return OK;
}

/* "You must specify log groups by using their ARNs … ARNs can't end with an asterisk". */
static status find_groups(struct call *c, const struct logs_start_live_tail_input *in, struct str *names)
{
	for (size_t i = 0; i < in->log_group_identifiers.n; i++) {
		struct str arn = in->log_group_identifiers.v[i];
		struct logs_rec_group g;
		if (!str_starts(arn, STR("arn:")) || str_ends(arn, STR("*")))
			return LOGS_FAIL(c, INVALID_PARAMETER,
				"The log group identifier '%.*s' is not valid: Live Tail needs the ARN of a log group, "
				"without "
				"an asterisk.",
				STR_ARG(arn));
		TRY(logs_group_name(c, STR_NONE, arn, &names[i]));
		TRY(logs_group_load(c, names[i], &g));
		if (!str_is(g.class, "STANDARD"))
			return LOGS_FAIL(
				c, INVALID_OPERATION, "Live Tail serves log groups of the class STANDARD only.");
		for (size_t k = 0; k < i; k++)
			if (str_eq(names[k], names[i]))
				return LOGS_FAIL(
					c, INVALID_PARAMETER, "Log group %.*s is specified twice.", STR_ARG(names[i]));
	}
	return OK;
}

static struct str *copies(struct arena *a, const struct str *v, size_t n)
{
	struct str *out = arena_new_n(a, struct str, n + 1);
	for (size_t i = 0; i < n; i++) out[i] = str_dup(a, v[i]);
	return out;
}

static struct logs_tail *make(struct call *c, const struct logs_start_live_tail_input *in, const struct str *names)
{
	struct logs_tail *t = mem_new(sizeof(*t));
	arena_init(&t->own);
	t->l = c->state;
	t->x = call_exchange(c);
	t->account = str_dup(&t->own, c->account);
	t->region = str_dup(&t->own, c->region);
	t->groups.n = in->log_group_identifiers.n;
	t->groups.v = copies(&t->own, in->log_group_identifiers.v, t->groups.n);
	t->names = copies(&t->own, names, t->groups.n);
	t->streams.n = in->log_stream_names.n;
	t->streams.v = copies(&t->own, in->log_stream_names.v, t->streams.n);
	t->prefixes.n = in->log_stream_name_prefixes.n;
	t->prefixes.v = copies(&t->own, in->log_stream_name_prefixes.v, t->prefixes.n);
	t->begun_ms = c->now_ms;
	t->now = update_new();
	t->out = BUF_HEAP;
	return t;
}

static bool enlist(struct logs_tail *t)
{
	struct logs *l = t->l;
	size_t n = 0;
	pthread_mutex_lock(&l->lock);
	for (struct logs_tail *o = l->tails; o; o = o->next)
		n += str_eq(o->account, t->account) && str_eq(o->region, t->region);
	bool may = n < SESSIONS_MAX && !l->stopping;
	if (may) {
		t->next = l->tails;
		l->tails = t;
		atomic_fetch_add(&l->n_tails, 1);
		set_tick(l);
	}
	pthread_mutex_unlock(&l->lock);
	return may;
}

status logs_start_live_tail(
	struct call *c, const struct logs_start_live_tail_input *in, struct logs_start_live_tail_output *out)
{
	struct str *names = arena_new_n(c->arena, struct str, in->log_group_identifiers.n + 1), why;
	TRY(check_streams(c, in));
	TRY(find_groups(c, in, names));
	struct logs_tail *t = make(c, in, names);
	struct str text = str_dup(&t->own, str_or(in->log_event_filter_pattern, STR("")));
	if (!is_ok(logs_pattern_read(&t->own, text, &t->pattern, &why))) {
		why = str_dup(c->arena, why);
		t->pattern = NULL;
		tail_free(t);
		return LOGS_FAIL(c, INVALID_PARAMETER, "%.*s", STR_ARG(why));
	}
	struct logs_live_tail_session_start first = {.request_id = c->request_id,
		.session_id = rand_uuid(c->arena),
		.log_group_identifiers = in->log_group_identifiers,
		.log_stream_names = in->log_stream_names,
		.log_stream_name_prefixes = in->log_stream_name_prefixes,
		.log_event_filter_pattern = in->log_event_filter_pattern};
	VEC_PRESENT(c->arena, &first.log_stream_names);
	VEC_PRESENT(c->arena, &first.log_stream_name_prefixes);
	write_event(t, "event", STR("initial-response"), STR("{}"));
	write_event(t, "event", STR("sessionStart"),
		wire_json_of(c->arena, &wire_service_logs.tables, LOGS_SHAPE_LIVE_TAIL_SESSION_START, &first));
	if (!enlist(t)) {
		tail_free(t);
		return LOGS_FAIL(c, LIMIT_EXCEEDED,
			"The maximum number of concurrent Live Tail sessions (%d) is reached.", SESSIONS_MAX);
	}
	struct body *b = arena_new(c->arena, struct body);
	*b = (struct body){.size = UINT64_MAX, .read = read_some, .close = end, .read_ctx = t};
	out->response_stream = b;
	return OK;
}
