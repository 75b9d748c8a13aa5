/* Accounts: created by the organization (asynchronously, on the virtual clock), shown, listed and closed. A created
 * account works at once: its number is its root's key, and OrganizationAccountAccessRole lets the management account
 * in. */
#include "services/iam/door.h"
#include "services/organizations/room.h"

#define CREATION_MS 100
#define CLOSING_MS 1000
/* "Close an account": "within a rolling 30-day period", 10 % of the member accounts, 10 at least, 1000 at most. */
#define CLOSE_WINDOW_MS (30 * ORGS_DAY_MS)
/* "Post-closure period" */
#define POST_CLOSURE_MS (90 * ORGS_DAY_MS)

status orgs_get_account(struct call *c, const struct organizations_rec_organization *o, struct str id,
	struct organizations_rec_account *out)
{
	status s = orgs_account_load(c->tx, c->arena, o->id, id, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return ORGS_FAIL(c, ACCOUNT_NOT_FOUND, "You specified an account that doesn't exist.");
}

void orgs_account_out(struct call *c, const struct organizations_rec_organization *o,
	const struct organizations_rec_account *r, struct organizations_account *out)
{
	struct organizations_place place;
	out->id = r->id;
	out->arn = orgs_arn(c->arena, o, "account", r->id);
	out->email = r->email;
	out->name = r->name;
	out->status = r->state;
	out->state = r->state;
	out->joined_method = r->created.v ? STR("CREATED") : STR("INVITED");
	out->joined_timestamp = r->joined;
	if (!is_ok(organizations_place(c->tx, c->arena, r->id, &place)) || !str_has(place.id)) return;
	out->paths.v = arena_new(c->arena, struct str);
	out->paths.v[out->paths.n++] = str_fmt(c->arena, "%.*s%.*s/", STR_ARG(place.path), STR_ARG(r->id));
}

/* ── joining and leaving ──────────────────────────────────────────────────────────────────────────────────────── */

status orgs_joined(struct store_tx *tx, struct arena *a, const struct organizations_rec_organization *o,
	const struct organizations_rec_account *r)
{
	store_put(tx, orgs_free_key(a, "member", r->id), o->id);
	store_put(tx, orgs_key2(a, "child", o->id, r->parent, r->id), STR(""));
	orgs_email_put(tx, a, r->email, r->id);
	orgs_attach_defaults(tx, a, o, r->id);
	orgs_account_put(tx, a, o->id, r);
	/* "AWS Organizations and service-linked roles": every member has it. */
	return iam_service_role_ensure(tx, a, r->id, STR("organizations.amazonaws.com"), r->joined.ms);
}

status orgs_left(struct store_tx *tx, struct arena *a, const struct organizations_rec_organization *o,
	const struct organizations_rec_account *r)
{
	struct organizations_rec_former f = {.name = r->name, .email = r->email};
	orgs_detach_all(tx, a, o, r->id);
	store_delete(tx, orgs_key2(a, "child", o->id, r->parent, r->id));
	store_delete(tx, orgs_key(a, "account", o->id, r->id));
	store_delete(tx, orgs_free_key(a, "member", r->id));
	store_put(tx, orgs_free_key(a, "former", r->id), organizations_rec_former_encode(a, &f));
	orgs_changed(tx, a, o->id);
	return OK;
}

/* ── creating ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void creation_out(const struct organizations_rec_creation *r, struct organizations_create_account_status *out)
{
	out->id = r->id;
	out->account_name = r->name;
	out->state = r->state;
	out->requested_timestamp = r->requested;
	out->completed_timestamp = r->completed;
	out->account_id = r->account;
	out->failure_reason = r->failure;
}

static void poke(void *jobs)
{
	jobs_poke(jobs);
}

status organizations_create_account(struct call *c, const struct organizations_create_account_input *in,
	struct organizations_create_account_output *out)
{
	struct organizations_rec_organization o;
	struct orgs_ids accounts = {0};
	TRY(orgs_manage(c, &o));
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "account", o.id, STR_NONE), &accounts));
	if (accounts.n >= ORGS_ACCOUNTS_MAX)
		return orgs_constraint(
			c, "ACCOUNT_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of AWS Accounts.");
	struct organizations_rec_creation r = {
		.id = str_fmt(c->arena, "car-%.*s", STR_ARG(rand_text(c->arena, STR("0123456789abcdef"), 32))),
		.name = in->account_name,
		.email = in->email,
		.role = str_or(in->role_name, STR("OrganizationAccountAccessRole")),
		.state = STR("IN_PROGRESS"),
		.requested = SOME_TIME(c->now_ms),
	};
	TRY(orgs_tags_set(c, &r.tags, &in->tags));
	store_put(c->tx, orgs_key(c->arena, "creation", o.id, r.id), organizations_rec_creation_encode(c->arena, &r));
	struct job job = {.kind = STR(ORGS_JOB_CREATE),
		.id = str_fmt(c->arena, "%.*s/%.*s", STR_ARG(o.id), STR_ARG(r.id)),
		.due_ms = c->now_ms + CREATION_MS,
		.payload = STR("")};
	jobs_schedule(c->tx, &job);
	call_after_commit(c, poke, c->cloud->jobs);
	out->create_account_status = arena_new(c->arena, struct organizations_create_account_status);
	creation_out(&r, out->create_account_status);
	return OK;
}

static struct str new_number(struct store_tx *tx, struct arena *a)
{
	for (;;) {
		struct str first = rand_text(a, STR("123456789"), 1),
			   id = str_cat(a, first, rand_text(a, STR("0123456789"), 11));
		struct str unused;
		if (status_is(store_get(tx, orgs_free_key(a, "member", id), &unused), STATUS_NOT_FOUND) &&
			status_is(store_get(tx, orgs_free_key(a, "former", id), &unused), STATUS_NOT_FOUND))
			return id;
	}
}

/* "Access member accounts that have OrganizationAccountAccessRole". */
static status make_access_role(struct store_tx *tx, struct arena *a, const struct organizations_rec_organization *o,
	struct str account, struct str name, int64_t now_ms)
{
	struct str *attached = arena_new(a, struct str);
	*attached = str_fmt(a, "arn:%.*s:iam::aws:policy/AdministratorAccess", STR_ARG(o->partition));
	struct iam_wanted_role w = {
		.account = account,
		.name = name,
		.path = STR("/"),
		.trust = str_fmt(a,
			"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":"
			"\"arn:%.*s:iam::%.*s:root\"},\"Action\":\"sts:AssumeRole\"}]}",
			STR_ARG(o->partition), STR_ARG(o->master)),
		.max_session_s = 3600,
		.attached = {attached, 1},
	};
	return iam_role_ensure(tx, a, &w, now_ms);
}

status orgs_create_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	(void)again_ms;
	struct cloud *cloud = ctx;
	struct str rest = job->id, organization = str_cut(&rest, '/'), bytes;
	struct organizations_rec_organization o;
	struct organizations_rec_creation r = {0};
	status s = orgs_load(tx, a, organization, &o);
	if (is_ok(s)) s = store_get(tx, orgs_key(a, "creation", organization, rest), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(organizations_rec_creation_decode(a, bytes, &r));
	if (!str_is(r.state, "IN_PROGRESS")) return OK;
	r.completed = SOME_TIME(clock_now(cloud->clock));
	if (str_has(orgs_account_by_email(tx, a, r.email))) {
		r.state = STR("FAILED");
		r.failure = STR("EMAIL_ALREADY_EXISTS");
	} else {
		struct organizations_rec_account account = {.id = new_number(tx, a),
			.name = r.name,
			.email = r.email,
			.parent = o.root,
			.state = STR("ACTIVE"),
			.created = SOME_BOOL(true),
			.joined = r.completed,
			.tags = r.tags};
		TRY(orgs_joined(tx, a, &o, &account));
		TRY(make_access_role(tx, a, &o, account.id, r.role, r.completed.ms));
		r.state = STR("SUCCEEDED");
		r.account = account.id;
	}
	store_put(tx, orgs_key(a, "creation", organization, r.id), organizations_rec_creation_encode(a, &r));
	return OK;
}

status organizations_describe_create_account_status(struct call *c,
	const struct organizations_describe_create_account_status_input *in,
	struct organizations_describe_create_account_status_output *out)
{
	struct organizations_rec_organization o;
	struct organizations_rec_creation r = {0};
	struct str bytes;
	TRY(orgs_read(c, &o));
	status s = store_get(c->tx, orgs_key(c->arena, "creation", o.id, in->create_account_request_id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return ORGS_FAIL(c, CREATE_ACCOUNT_STATUS_NOT_FOUND,
			"You specified an account creation request that doesn't exist.");
	TRY(s);
	TRY(organizations_rec_creation_decode(c->arena, bytes, &r));
	out->create_account_status = arena_new(c->arena, struct organizations_create_account_status);
	creation_out(&r, out->create_account_status);
	return OK;
}

status organizations_list_create_account_status(struct call *c,
	const struct organizations_list_create_account_status_input *in,
	struct organizations_list_create_account_status_output *out)
{
	struct organizations_rec_organization o;
	struct orgs_ids ids = {0};
	struct orgs_page page;
	TRY(orgs_read(c, &o));
	TRY(orgs_page_begin(c, in->next_token, in->max_results, &page));
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "creation", o.id, STR_NONE), &ids));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->create_account_statuses);
	for (size_t i = 0; i < ids.n; i++) {
		struct organizations_rec_creation r = {0};
		struct str bytes;
		TRY(store_get(c->tx, orgs_key(c->arena, "creation", o.id, ids.v[i]), &bytes));
		TRY(organizations_rec_creation_decode(c->arena, bytes, &r));
		bool wanted = !in->states.n;
		for (size_t j = 0; j < in->states.n; j++) wanted |= str_eq(in->states.v[j], r.state);
		if (wanted && orgs_page_take(&page, r.id))
			creation_out(&r, VEC_PUSH(c->arena, &out->create_account_statuses, &capacity));
	}
	out->next_token = orgs_page_end(&page);
	return OK;
}

/* ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────── */

status organizations_describe_account(struct call *c, const struct organizations_describe_account_input *in,
	struct organizations_describe_account_output *out)
{
	struct organizations_rec_organization o;
	struct organizations_rec_account r;
	TRY(orgs_read(c, &o));
	TRY(orgs_get_account(c, &o, in->account_id, &r));
	out->account = arena_new(c->arena, struct organizations_account);
	orgs_account_out(c, &o, &r, out->account);
	return OK;
}

status organizations_list_accounts(struct call *c, const struct organizations_list_accounts_input *in,
	struct organizations_list_accounts_output *out)
{
	struct organizations_rec_organization o;
	struct orgs_ids ids = {0};
	struct orgs_page page;
	TRY(orgs_read(c, &o));
	TRY(orgs_page_begin(c, in->next_token, in->max_results, &page));
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "account", o.id, STR_NONE), &ids));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->accounts);
	for (size_t i = 0; i < ids.n; i++) {
		struct organizations_rec_account r;
		if (!orgs_page_take(&page, ids.v[i])) continue;
		TRY(orgs_account_load(c->tx, c->arena, o.id, ids.v[i], &r));
		orgs_account_out(c, &o, &r, VEC_PUSH(c->arena, &out->accounts, &capacity));
	}
	out->next_token = orgs_page_end(&page);
	return OK;
}

/* ── closing ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static status check_quota(struct call *c, const struct organizations_rec_organization *o)
{
	struct organizations_members members = {0};
	size_t closed = 0;
	TRY(organizations_members(c->tx, c->arena, o->id, &members));
	for (size_t i = 0; i < members.n; i++) {
		struct organizations_rec_account r;
		TRY(orgs_account_load(c->tx, c->arena, o->id, members.v[i].id, &r));
		closed += r.closed.has && r.closed.ms + CLOSE_WINDOW_MS > c->now_ms;
	}
	size_t most = members.n / 10 < 10 ? 10 : members.n / 10 > 1000 ? 1000 : members.n / 10;
	if (closed < most) return OK;
	return orgs_constraint(
		c, "CLOSE_ACCOUNT_QUOTA_EXCEEDED", "You have exceeded close account quota for the past 30 days.");
}

status organizations_close_account(struct call *c, const struct organizations_close_account_input *in,
	struct organizations_close_account_output *out)
{
	(void)out;
	struct organizations_rec_organization o;
	struct organizations_rec_account r;
	TRY(orgs_manage(c, &o));
	TRY(orgs_get_account(c, &o, in->account_id, &r));
	if (str_eq(r.id, o.master))
		return orgs_constraint(c, "CANNOT_CLOSE_MANAGEMENT_ACCOUNT", "You can't close the management account.");
	if (!str_is(r.state, "ACTIVE")) return ORGS_FAIL(c, ACCOUNT_ALREADY_CLOSED, "The account is already closed.");
	TRY(check_quota(c, &o));
	r.state = STR("PENDING_CLOSURE");
	r.closed = SOME_TIME(c->now_ms);
	orgs_account_put(c->tx, c->arena, o.id, &r);
	struct job job = {.kind = STR(ORGS_JOB_CLOSE),
		.id = str_fmt(c->arena, "%.*s/%.*s", STR_ARG(o.id), STR_ARG(r.id)),
		.due_ms = c->now_ms + CLOSING_MS,
		.payload = STR("")};
	jobs_schedule(c->tx, &job);
	return OK;
}

/* Suspended at first, and out of the organization once it can't be reopened any more. */
status orgs_close_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct str rest = job->id, organization = str_cut(&rest, '/');
	struct organizations_rec_organization o;
	struct organizations_rec_account r;
	status s = orgs_load(tx, a, organization, &o);
	if (is_ok(s)) s = orgs_account_load(tx, a, organization, rest, &r);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (!r.closed.has) return OK;
	if (clock_now(cloud->clock) >= r.closed.ms + POST_CLOSURE_MS) return orgs_left(tx, a, &o, &r);
	r.state = STR("SUSPENDED");
	orgs_account_put(tx, a, organization, &r);
	*again_ms = r.closed.ms + POST_CLOSURE_MS;
	return OK;
}
