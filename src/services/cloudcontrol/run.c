/* Requests at work: a durable job calls the resource's handler, waits until it has settled, and writes what came of it.
 */
#include "clock/clock.h"
#include "services/cloudcontrol/room.h"
#include "store/key.h"

enum { STABILIZE_MS = 2 * 60 * 60 * 1000, SETTLE_FIRST_MS = 20, SETTLE_LAST_MS = 640 };

struct running {
	struct cloud *cloud;
	struct store_tx *tx;
	struct arena *a;
	struct cloudcontrol_rec_request *r;
	struct cfn_type type;
	struct cfn_work w;
	const struct cfn_handler *handler;
	int64_t now_ms;
};

static const struct json_value *parsed(struct arena *a, struct str text)
{
	struct json_value *v;
	return str_has(text) && is_ok(json_read(a, text, &v)) ? v : cfn_object(a);
}

static status who_of(struct running *x, struct inside_caller *out)
{
	const struct cloudcontrol_rec_caller *c = x->r->caller;
	*out = (struct inside_caller){
		.region = x->r->region, .agent = STR("cloudcontrolapi.amazonaws.com"), .system_tags = true};
	out->principal = (struct principal){.kind = (enum principal_kind)c->kind.v,
		.account = x->r->account,
		.arn = str_or(c->arn, STR("")),
		.user_id = str_or(c->user_id, STR("")),
		.access_key = str_or(c->access_key, STR("")),
		.name = str_or(c->name, STR("")),
		.session = str_or(c->session, STR("")),
		.session_record = str_or(c->session_record, STR(""))};
	if (!str_has(x->r->role_arn)) return OK;
	if (is_ok(cfn_as_role(x->cloud, x->a, x->r->role_arn, out, &x->w.why))) return OK;
	x->w.code = STR("AccessDenied");
	return STATUS(FAILED);
}

static status prepare(struct running *x)
{
	struct arena *a = x->a;
	struct cloudcontrol_rec_request *r = x->r;
	x->w = (struct cfn_work){.a = a, .why = STR_NONE, .code = STR_NONE};
	x->handler = cfn_handler_of(r->type);
	if (!x->handler || !is_ok(cfn_type_find(a, r->type, &x->type)))
		return cfn_fail(&x->w, "The type is not there any more");
	struct inside_caller who;
	TRY(who_of(x, &who));
	struct str region = r->region;
	x->w = (struct cfn_work){.a = a,
		.cloud = x->cloud,
		.who = who,
		.account = r->account,
		.region = region,
		.partition = str_starts(region, STR("cn-"))       ? STR("aws-cn")
			     : str_starts(region, STR("us-gov-")) ? STR("aws-us-gov")
								  : STR("aws"),
		.stack_id = r->token,
		.stack_name = STR("CloudControl"),
		.logical_id = STR("Resource"),
		.type = &x->type,
		.token = r->making,
		.why = STR_NONE,
		.code = STR_NONE,
		.physical_id = r->physical_id,
		.properties = parsed(a, r->desired),
		.before = parsed(a, r->before),
		.tags = cfn_list(a),
		.attributes = cfn_object(a),
		.now_ms = x->now_ms,
		.deadline_ms = r->deadline.v,
		.updating = str_is(r->operation, "UPDATE")};
	if (str_is(r->operation, "DELETE")) x->w.before = x->w.properties;
	const struct json_value *known = parsed(a, r->attributes);
	for (const struct json_value *c = known->first; c; c = c->next)
		cfn_append(x->w.attributes, c->name, cfn_copy(a, c));
	return OK;
}

/* Was it asked for before, by a run that a crash of virga cut short? In a transaction of its own. */
static bool was_begun(struct running *x)
{
	for (;;) {
		struct str key = cloudcontrol_key(x->a, "begun", x->r->account, x->r->region, x->r->token, STR_NONE),
			   ignored;
		store_ticket ticket = 0;
		struct store_tx *tx = store_begin(x->cloud->store, x->a, false);
		bool there = is_ok(store_get(tx, key, &ignored));
		if (!there) store_put(tx, key, STR("1"));
		status s = there ? OK : store_commit(tx, &ticket);
		store_end(tx);
		if (status_is(s, STATUS_CONFLICT)) continue;
		if (!there) store_wait(x->cloud->store, ticket);
		return there;
	}
}

static status create(struct running *x)
{
	struct str why;
	if (!is_ok(cfn_type_check(x->a, &x->type, STR(""), x->w.properties, &why))) {
		ptrdiff_t line = str_chr(why, '\n');
		x->w.code = STR("InvalidRequest");
		return cfn_fail(&x->w, "Model validation failed (%.*s)", STR_ARG(str_from(why, (size_t)(line + 1))));
	}
	x->w.again = was_begun(x);
	TRY(x->handler->create(&x->w));
	return x->handler->settle ? x->handler->settle(&x->w) : OK;
}

static status remove_it(struct running *x)
{
	/* "NotFound": deleting what is not there fails, unlike in a stack. */
	bool again = !x->r->begun.v && was_begun(x);
	if (!x->r->begun.v && !again && x->handler->read) {
		struct cfn_work look = x->w;
		look.attributes = cfn_object(x->a);
		for (const struct json_value *c = x->w.attributes->first; c; c = c->next)
			cfn_append(look.attributes, c->name, cfn_copy(x->a, c));
		if (!is_ok(x->handler->read(&look)) && str_has(look.code) && cfn_says_gone(look.code)) {
			x->w.code = STR("NotFound");
			return cfn_fail(&x->w, "Resource of type '%.*s' with identifier '%.*s' was not found.",
				STR_ARG(x->r->type), STR_ARG(x->r->identifier));
		}
	}
	return x->handler->remove(&x->w);
}

static status handle(struct running *x)
{
	const struct cfn_handler *h = x->handler;
	if (str_is(x->r->operation, "DELETE")) return remove_it(x);
	if (x->r->begun.v) return h->settle ? h->settle(&x->w) : OK;
	if (str_is(x->r->operation, "CREATE")) return create(x);
	TRY(h->update(&x->w));
	return h->settle ? h->settle(&x->w) : OK;
}

/* What came of it, in a transaction of its own: the job's may lose and be run again, which must not do anything twice.
 */
static status write_down(struct running *x)
{
	struct cloudcontrol_rec_request *r = x->r;
	struct arena *a = x->a;
	bool over = !str_is(r->status, "IN_PROGRESS");
	struct cloudcontrol_rec_made made = {.physical_id = r->physical_id,
		.properties = r->desired,
		.attributes = r->attributes,
		.making = r->making};
	for (;;) {
		store_ticket ticket = 0;
		struct store_tx *tx = store_begin(x->cloud->store, a, false);
		if (over && str_has(r->identifier)) {
			struct str key = cloudcontrol_key(a, "made", r->account, r->region, r->type, r->identifier);
			if (str_is(r->status, "SUCCESS") && str_is(r->operation, "DELETE"))
				store_delete(tx, key);
			else if (str_is(r->status, "SUCCESS"))
				store_put(tx, key, cloudcontrol_rec_made_encode(a, &made));
			store_delete(tx, cloudcontrol_key(a, "busy", r->account, r->region, r->type, r->identifier));
		}
		if (over) store_delete(tx, cloudcontrol_key(a, "cancel", r->account, r->region, r->token, STR_NONE));
		cloudcontrol_request_put(tx, a, r);
		status s = store_commit(tx, &ticket);
		store_end(tx);
		if (!status_is(s, STATUS_CONFLICT)) return s;
	}
}

static void failed(struct running *x)
{
	struct cloudcontrol_rec_request *r = x->r;
	r->status = STR("FAILED");
	r->message = str_or(x->w.why, STR("Internal Failure"));
	if (r->message.n > 1024) r->message = str_sub(r->message, 0, 1024);
	r->error_code = str_c(cloudcontrol_error_code(x->w.code));
}

/* What failed or was cancelled half-way is taken away again, as a stack's rollback does. */
static void take_back(struct running *x)
{
	if (!str_is(x->r->operation, "CREATE") || !str_has(x->r->physical_id)) return;
	struct str why = x->w.why, code = x->w.code;
	(void)!is_ok(x->handler->remove(&x->w));
	x->w.why = why;
	x->w.code = code;
}

static void step(struct running *x, int64_t *again_ms)
{
	struct cloudcontrol_rec_request *r = x->r;
	struct str ignored, cancel = cloudcontrol_key(x->a, "cancel", r->account, r->region, r->token, STR_NONE);
	bool cancelled = is_ok(store_peek(x->tx, cancel, &ignored));
	status s = prepare(x);
	if (is_ok(s) && cancelled) {
		take_back(x);
		r->status = STR("CANCEL_COMPLETE");
		r->changed = SOME_I64(x->now_ms);
		return;
	}
	if (is_ok(s)) s = handle(x);
	r->physical_id = str_or(x->w.physical_id, r->physical_id);
	if (x->w.attributes) r->attributes = cfn_json(x->a, x->w.attributes);
	if (x->w.deadline_ms) r->deadline = SOME_I64(x->w.deadline_ms);
	r->changed = SOME_I64(x->now_ms);
	if (str_has(r->physical_id) && str_is(r->operation, "CREATE"))
		r->identifier =
			cloudcontrol_identifier(x->a, &x->type, x->w.properties, x->w.attributes, r->physical_id);
	bool late = x->now_ms > r->created.v + STABILIZE_MS;
	if (status_is(s, STATUS_PENDING) && late) {
		x->w.code = STR("NotStabilized");
		s = cfn_fail(&x->w, "The resource did not stabilize");
	}
	if (status_is(s, STATUS_PENDING)) {
		int64_t wait = SETTLE_FIRST_MS << (r->tries.v < 5 ? r->tries.v : 5);
		r->begun = SOME_BOOL(true);
		r->tries = SOME_I32(r->tries.v + 1);
		*again_ms = clock_now(x->cloud->clock) + (wait < SETTLE_LAST_MS ? wait : SETTLE_LAST_MS);
	} else if (is_ok(s)) {
		r->status = STR("SUCCESS");
	} else {
		take_back(x);
		failed(x);
	}
}

static status run(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloudcontrol_rec_work work = {0};
	struct cloudcontrol_rec_request r;
	struct running x = {.cloud = ctx, .tx = tx, .a = a, .r = &r};
	x.now_ms = clock_now(x.cloud->clock);
	TRY(cloudcontrol_rec_work_decode(a, job->payload, &work));
	status s = cloudcontrol_request_get(tx, a, work.account, work.region, work.token, &r);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (!str_is(r.status, "IN_PROGRESS")) { /* its week is over */
		if (x.now_ms >= r.created.v + CLOUDCONTROL_KEPT_MS) {
			store_delete(tx, cloudcontrol_key(a, "request", r.account, r.region, r.token, STR_NONE));
			store_delete(tx, cloudcontrol_key(a, "begun", r.account, r.region, r.token, STR_NONE));
			if (str_has(r.client_token))
				store_delete(tx,
					cloudcontrol_key(a, "client", r.account, r.region, r.client_token, STR_NONE));
		} else {
			*again_ms = r.created.v + CLOUDCONTROL_KEPT_MS;
		}
		return OK;
	}
	step(&x, again_ms);
	if (!*again_ms) *again_ms = r.created.v + CLOUDCONTROL_KEPT_MS;
	return write_down(&x);
}

void cloudcontrol_run_start(struct cloud *cloud)
{
	jobs_register(cloud->jobs, CLOUDCONTROL_JOB, run, cloud);
}

static void poke(void *jobs)
{
	jobs_poke(jobs);
}

void cloudcontrol_begin(struct call *c, struct cloudcontrol_rec_request *r)
{
	struct cloudcontrol_rec_work work = {.account = r->account, .region = r->region, .token = r->token};
	struct job job = {.kind = STR(CLOUDCONTROL_JOB),
		.id = str_fmt(c->arena, "%.*s/%.*s/%.*s", STR_ARG(r->account), STR_ARG(r->region), STR_ARG(r->token)),
		.due_ms = c->now_ms,
		.payload = cloudcontrol_rec_work_encode(c->arena, &work)};
	cloudcontrol_request_put(c->tx, c->arena, r);
	if (str_has(r->client_token))
		store_put(c->tx, cloudcontrol_key(c->arena, "client", r->account, r->region, r->client_token, STR_NONE),
			r->token);
	if (str_has(r->identifier))
		store_put(c->tx, cloudcontrol_key(c->arena, "busy", r->account, r->region, r->type, r->identifier),
			r->token);
	jobs_schedule(c->tx, &job);
	call_after_commit(c, poke, c->cloud->jobs);
}
