/* Handshakes: invitations to an organization, and the approval of all features by invited members. A handshake that
 * nobody answers ends on the virtual clock: invitations after 15 days, the others after 90 ("Inviting an AWS account to
 * join your organization", "Enabling all features for an organization"). */
#include "services/organizations/room.h"
#include <stdlib.h>

#define INVITE_MS (15 * ORGS_DAY_MS)
#define APPROVE_MS (90 * ORGS_DAY_MS)

static status load(struct store_tx *tx, struct arena *a, struct str id, struct organizations_rec_handshake *out)
{
	struct str bytes;
	*out = (struct organizations_rec_handshake){0};
	TRY(store_get(tx, orgs_free_key(a, "handshake", id), &bytes));
	return organizations_rec_handshake_decode(a, bytes, out);
}

static void put(struct store_tx *tx, struct arena *a, const struct organizations_rec_handshake *h)
{
	store_put(tx, orgs_free_key(a, "handshake", h->id), organizations_rec_handshake_encode(a, h));
}

static struct str asked_key(struct arena *a, struct str whom, struct str id)
{
	return orgs_key(a, "asked", str_lower(a, whom), id);
}

static bool is_open(const struct organizations_rec_handshake *h)
{
	return str_is(h->state, "OPEN") || str_is(h->state, "REQUESTED");
}

static bool is_recipient(struct call *c, const struct organizations_rec_handshake *h)
{
	if (str_has(h->account) && h->account.n) return str_eq(h->account, c->account);
	struct organizations_rec_former self = orgs_identity(c->tx, c->arena, c->account);
	return str_has(h->email) && str_ieq(h->email, self.email);
}

/* ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct str arn_of(struct call *c, const struct organizations_rec_handshake *h)
{
	return str_fmt(c->arena, "arn:%.*s:organizations::%.*s:handshake/%.*s/%.*s/%.*s", STR_ARG(c->partition),
		STR_ARG(h->master), STR_ARG(h->organization), STR_ARG(str_lower(c->arena, h->action)), STR_ARG(h->id));
}

static void add_resource(struct call *c, struct organizations_handshake_resources *l, size_t *capacity,
	const char *type, struct str value)
{
	if (!str_has(value)) return;
	struct organizations_handshake_resource *r = VEC_PUSH(c->arena, l, capacity);
	r->type = str_c(type);
	r->value = value;
}

static struct organizations_handshake *handshake_out(
	struct call *c, const struct organizations_rec_handshake *h, struct organizations_handshake *out)
{
	size_t parties = 0, resources = 0, inner = 0;
	out->id = h->id;
	out->arn = arn_of(c, h);
	out->state = h->state;
	out->action = h->action;
	out->requested_timestamp = h->requested;
	out->expiration_timestamp = h->expires;
	*VEC_PUSH(c->arena, &out->parties, &parties) =
		(struct organizations_handshake_party){.id = h->organization, .type = STR("ORGANIZATION")};
	bool by_email = str_has(h->email) && h->email.n;
	if (by_email || h->account.n)
		*VEC_PUSH(c->arena, &out->parties, &parties) = (struct organizations_handshake_party){
			.id = by_email ? h->email : h->account, .type = by_email ? STR("EMAIL") : STR("ACCOUNT")};
	struct organizations_handshake_resource *o = VEC_PUSH(c->arena, &out->resources, &resources);
	o->type = STR("ORGANIZATION");
	o->value = h->organization;
	add_resource(c, &o->resources, &inner, "MASTER_EMAIL", h->master_email);
	add_resource(c, &o->resources, &inner, "MASTER_NAME", h->master_name);
	add_resource(c, &o->resources, &inner, "ORGANIZATION_FEATURE_SET",
		h->all_features.v ? STR("ALL") : STR("CONSOLIDATED_BILLING"));
	if (by_email)
		add_resource(c, &out->resources, &resources, "EMAIL", h->email);
	else if (h->account.n)
		add_resource(c, &out->resources, &resources, "ACCOUNT", h->account);
	if (h->notes.n) add_resource(c, &out->resources, &resources, "NOTES", h->notes);
	if (h->parent.n) add_resource(c, &out->resources, &resources, "PARENT_HANDSHAKE", h->parent);
	return out;
}

static struct organizations_handshake *new_out(struct call *c, const struct organizations_rec_handshake *h)
{
	return handshake_out(c, h, arena_new(c->arena, struct organizations_handshake));
}

/* For a party of it. */
static status get(struct call *c, struct str id, struct organizations_rec_handshake *out)
{
	status s = load(c->tx, c->arena, id, out);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (is_ok(s) && (str_eq(out->master, c->account) || is_recipient(c, out))) return OK;
	return ORGS_FAIL(c, HANDSHAKE_NOT_FOUND, "You specified a handshake that doesn't exist.");
}

status organizations_describe_handshake(struct call *c, const struct organizations_describe_handshake_input *in,
	struct organizations_describe_handshake_output *out)
{
	struct organizations_rec_handshake h;
	TRY(get(c, in->handshake_id, &h));
	out->handshake = new_out(c, &h);
	return OK;
}

static status list(struct call *c, const struct orgs_ids *ids, const struct organizations_handshake_filter *filter,
	struct orgs_page *page, struct organizations_handshakes *out)
{
	size_t capacity = 0;
	VEC_PRESENT(c->arena, out);
	for (size_t i = 0; i < ids->n; i++) {
		struct organizations_rec_handshake h;
		TRY(load(c->tx, c->arena, ids->v[i], &h));
		if (filter && str_has(filter->action_type) && !str_eq(filter->action_type, h.action)) continue;
		if (filter && str_has(filter->parent_handshake_id) && !str_eq(filter->parent_handshake_id, h.parent))
			continue;
		if (orgs_page_take(page, h.id)) handshake_out(c, &h, VEC_PUSH(c->arena, out, &capacity));
	}
	return OK;
}

status organizations_list_handshakes_for_organization(struct call *c,
	const struct organizations_list_handshakes_for_organization_input *in,
	struct organizations_list_handshakes_for_organization_output *out)
{
	struct organizations_rec_organization o;
	struct orgs_ids ids = {0};
	struct orgs_page page;
	TRY(orgs_read(c, &o));
	TRY(orgs_page_begin(c, in->next_token, in->max_results, &page));
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "invited", o.id, STR_NONE), &ids));
	TRY(list(c, &ids, in->filter, &page, &out->handshakes));
	out->next_token = orgs_page_end(&page);
	return OK;
}

static int by_id(const void *x, const void *y)
{
	const struct str *a = x, *b = y;
	return str_cmp(*a, *b);
}

status organizations_list_handshakes_for_account(struct call *c,
	const struct organizations_list_handshakes_for_account_input *in,
	struct organizations_list_handshakes_for_account_output *out)
{
	struct orgs_ids ids = {0};
	struct orgs_page page;
	struct organizations_rec_former self = orgs_identity(c->tx, c->arena, c->account);
	TRY(orgs_page_begin(c, in->next_token, in->max_results, &page));
	TRY(orgs_ids(c->tx, c->arena, asked_key(c->arena, c->account, STR_NONE), &ids));
	TRY(orgs_ids(c->tx, c->arena, asked_key(c->arena, self.email, STR_NONE), &ids));
	if (ids.n) qsort(ids.v, ids.n, sizeof(ids.v[0]), by_id);
	TRY(list(c, &ids, in->filter, &page, &out->handshakes));
	out->next_token = orgs_page_end(&page);
	return OK;
}

/* ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct organizations_rec_handshake begin(
	struct call *c, const struct organizations_rec_organization *o, const char *action, int64_t lives_ms)
{
	struct organizations_rec_former master = orgs_identity(c->tx, c->arena, o->master);
	return (struct organizations_rec_handshake){
		.id = orgs_new_id(c->arena, "h-", 32),
		.organization = o->id,
		.master = o->master,
		.action = str_c(action),
		.state = STR("OPEN"),
		.requested = SOME_TIME(c->now_ms),
		.expires = SOME_TIME(c->now_ms + lives_ms),
		.master_email = master.email,
		.master_name = master.name,
		.all_features = o->all_features,
	};
}

static void open_it(struct call *c, const struct organizations_rec_handshake *h)
{
	put(c->tx, c->arena, h);
	store_put(c->tx, orgs_key(c->arena, "invited", h->organization, h->id), STR(""));
	struct str whom = h->account.n ? h->account : h->email;
	if (whom.n) store_put(c->tx, asked_key(c->arena, whom, h->id), STR(""));
	struct job job = {.kind = STR(ORGS_JOB_EXPIRE), .id = h->id, .due_ms = h->expires.ms, .payload = STR("")};
	jobs_schedule(c->tx, &job);
	orgs_changed(c->tx, c->arena, h->organization);
}

static status open_handshakes(struct call *c, const struct organizations_rec_organization *o, const char *action,
	struct organizations_rec_handshake **out, size_t *n)
{
	struct orgs_ids ids = {0};
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "invited", o->id, STR_NONE), &ids));
	*out = arena_new_n(c->arena, struct organizations_rec_handshake, ids.n + 1);
	*n = 0;
	for (size_t i = 0; i < ids.n; i++) {
		TRY(load(c->tx, c->arena, ids.v[i], &(*out)[*n]));
		*n += is_open(&(*out)[*n]) && str_eq((*out)[*n].action, str_c(action));
	}
	return OK;
}

status organizations_invite_account_to_organization(struct call *c,
	const struct organizations_invite_account_to_organization_input *in,
	struct organizations_invite_account_to_organization_output *out)
{
	struct organizations_rec_organization o;
	struct organizations_rec_handshake *open;
	size_t n;
	TRY(orgs_manage(c, &o));
	struct organizations_rec_handshake h = begin(c, &o, "INVITE", INVITE_MS);
	h.notes = in->notes;
	if (str_is(in->target->type, "ACCOUNT")) {
		if (!orgs_is_account(in->target->id))
			return orgs_input(
				c, "INVALID_PATTERN_TARGET_ID", "You provided a target that isn't an account id.");
		h.account = in->target->id;
	} else if (str_is(in->target->type, "EMAIL")) {
		if (str_chr(in->target->id, '@') < 1)
			return orgs_input(c, "INVALID_EMAIL_ADDRESS_TARGET", "You specified an invalid email address.");
		h.email = in->target->id;
		h.account = str_or(orgs_account_by_email(c->tx, c->arena, h.email), STR(""));
	} else {
		return orgs_input(
			c, "INVALID_PARTY_TYPE_TARGET", "You specified the wrong type of entity as the target.");
	}
	if (o.upgrade.n)
		return orgs_handshake_constraint(c, "INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES",
			"You can't issue new invitations to join an organization while it's in the process of enabling "
			"all "
			"features.");
	if (h.account.n && str_has(organizations_of(c->tx, c->arena, h.account)))
		return orgs_handshake_constraint(c, "ALREADY_IN_AN_ORGANIZATION",
			"The handshake request is invalid because the account is already a member of an organization.");
	TRY(open_handshakes(c, &o, "INVITE", &open, &n));
	for (size_t i = 0; i < n; i++)
		if ((h.account.n && str_eq(open[i].account, h.account)) ||
			(h.email.n && str_ieq(open[i].email, h.email)))
			return ORGS_FAIL(
				c, DUPLICATE_HANDSHAKE, "A handshake with the same action and target already exists.");
	TRY(orgs_tags_set(c, &h.tags, &in->tags));
	open_it(c, &h);
	out->handshake = new_out(c, &h);
	return OK;
}

/* Members that the organization created have approved with their creation. */
status organizations_enable_all_features(struct call *c, const struct organizations_enable_all_features_input *in,
	struct organizations_enable_all_features_output *out)
{
	(void)in;
	struct organizations_rec_organization o;
	struct orgs_ids accounts = {0};
	size_t asked = 0;
	TRY(orgs_manage(c, &o));
	if (orgs_all_features(&o))
		return orgs_handshake_constraint(c, "ORGANIZATION_ALREADY_HAS_ALL_FEATURES",
			"The handshake request is invalid because the organization has already enabled all features.");
	if (o.upgrade.n)
		return orgs_handshake_constraint(c, "ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION",
			"The handshake request is invalid because the organization is already in the process of "
			"enabling all "
			"features.");
	struct organizations_rec_handshake parent = begin(c, &o, "ENABLE_ALL_FEATURES", APPROVE_MS);
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "account", o.id, STR_NONE), &accounts));
	for (size_t i = 0; i < accounts.n; i++) {
		struct organizations_rec_account r;
		TRY(orgs_account_load(c->tx, c->arena, o.id, accounts.v[i], &r));
		if (r.created.v || str_eq(r.id, o.master)) continue;
		struct organizations_rec_handshake h = begin(c, &o, "APPROVE_ALL_FEATURES", APPROVE_MS);
		h.account = r.id;
		h.parent = parent.id;
		open_it(c, &h);
		asked++;
	}
	if (asked) parent.state = STR("REQUESTED");
	open_it(c, &parent);
	o.upgrade = parent.id;
	orgs_put(c, &o);
	out->handshake = new_out(c, &parent);
	return OK;
}

/* ── answering ────────────────────────────────────────────────────────────────────────────────────────────────── */

static status require_open(struct call *c, const struct organizations_rec_handshake *h, const char *wanted)
{
	if (str_eq(h->state, str_c(wanted)))
		return ORGS_FAIL(
			c, HANDSHAKE_ALREADY_IN_STATE, "The specified handshake is already in the requested state.");
	if (is_open(h)) return OK;
	return ORGS_FAIL(c, INVALID_HANDSHAKE_TRANSITION,
		"You can't perform the operation on the handshake in its current state.");
}

static status join(
	struct call *c, const struct organizations_rec_organization *o, const struct organizations_rec_handshake *h)
{
	if (str_has(organizations_of(c->tx, c->arena, c->account)))
		return orgs_handshake_constraint(c, "ALREADY_IN_AN_ORGANIZATION",
			"The handshake request is invalid because the account is already a member of an organization.");
	struct organizations_rec_former self = orgs_identity(c->tx, c->arena, c->account);
	struct organizations_rec_account r = {.id = c->account,
		.name = self.name,
		.email = self.email,
		.parent = o->root,
		.state = STR("ACTIVE"),
		.joined = SOME_TIME(c->now_ms),
		.tags = h->tags};
	return orgs_joined(c->tx, c->arena, o, &r);
}

/* The last approval lets the management account finish. */
static status approve(
	struct call *c, const struct organizations_rec_organization *o, const struct organizations_rec_handshake *h)
{
	struct organizations_rec_handshake *open, parent;
	size_t n;
	TRY(open_handshakes(c, o, "APPROVE_ALL_FEATURES", &open, &n));
	for (size_t i = 0; i < n; i++)
		if (!str_eq(open[i].id, h->id)) return OK;
	TRY(load(c->tx, c->arena, h->parent, &parent));
	parent.state = STR("OPEN");
	put(c->tx, c->arena, &parent);
	return OK;
}

static status finish_upgrade(
	struct call *c, struct organizations_rec_organization *o, const struct organizations_rec_handshake *h)
{
	if (!str_is(h->state, "OPEN"))
		return ORGS_FAIL(c, INVALID_HANDSHAKE_TRANSITION,
			"You can't perform the operation on the handshake in its current state.");
	o->all_features = SOME_BOOL(true);
	o->upgrade = STR("");
	orgs_put(c, o);
	return OK;
}

static void close_it(struct call *c, struct organizations_rec_handshake *h, const char *state)
{
	h->state = str_c(state);
	put(c->tx, c->arena, h);
	jobs_cancel(c->tx, STR(ORGS_JOB_EXPIRE), h->id);
	orgs_changed(c->tx, c->arena, h->organization);
}

status organizations_accept_handshake(struct call *c, const struct organizations_accept_handshake_input *in,
	struct organizations_accept_handshake_output *out)
{
	struct organizations_rec_handshake h;
	struct organizations_rec_organization o;
	TRY(get(c, in->handshake_id, &h));
	bool upgrade = str_is(h.action, "ENABLE_ALL_FEATURES");
	if (upgrade ? !str_eq(c->account, h.master) : !is_recipient(c, &h))
		return ORGS_FAIL(c, ACCESS_DENIED, "You don't have permissions to access this resource.");
	TRY(require_open(c, &h, "ACCEPTED"));
	TRY(orgs_load(c->tx, c->arena, h.organization, &o));
	if (upgrade)
		TRY(finish_upgrade(c, &o, &h));
	else if (str_is(h.action, "INVITE"))
		TRY(join(c, &o, &h));
	else
		TRY(approve(c, &o, &h));
	close_it(c, &h, "ACCEPTED");
	out->handshake = new_out(c, &h);
	return OK;
}

status organizations_decline_handshake(struct call *c, const struct organizations_decline_handshake_input *in,
	struct organizations_decline_handshake_output *out)
{
	struct organizations_rec_handshake h;
	TRY(get(c, in->handshake_id, &h));
	if (!is_recipient(c, &h))
		return ORGS_FAIL(c, ACCESS_DENIED, "You don't have permissions to access this resource.");
	TRY(require_open(c, &h, "DECLINED"));
	close_it(c, &h, "DECLINED");
	out->handshake = new_out(c, &h);
	return OK;
}

static status end_upgrade(struct store_tx *tx, struct arena *a, const struct organizations_rec_handshake *h)
{
	struct organizations_rec_organization o;
	status s = orgs_load(tx, a, h->organization, &o);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (!str_eq(o.upgrade, h->id)) return OK;
	o.upgrade = STR("");
	store_put(tx, orgs_key(a, "organization", o.id, STR_NONE), organizations_rec_organization_encode(a, &o));
	orgs_changed(tx, a, o.id);
	return OK;
}

status organizations_cancel_handshake(struct call *c, const struct organizations_cancel_handshake_input *in,
	struct organizations_cancel_handshake_output *out)
{
	struct organizations_rec_handshake h;
	TRY(get(c, in->handshake_id, &h));
	if (!str_eq(c->account, h.master))
		return ORGS_FAIL(c, ACCESS_DENIED, "You don't have permissions to access this resource.");
	TRY(require_open(c, &h, "CANCELED"));
	close_it(c, &h, "CANCELED");
	TRY(end_upgrade(c->tx, c->arena, &h));
	out->handshake = new_out(c, &h);
	return OK;
}

status orgs_cancel_handshakes(struct call *c, struct str organization)
{
	struct orgs_ids ids = {0};
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "invited", organization, STR_NONE), &ids));
	for (size_t i = 0; i < ids.n; i++) {
		struct organizations_rec_handshake h;
		TRY(load(c->tx, c->arena, ids.v[i], &h));
		if (is_open(&h)) close_it(c, &h, "CANCELED");
	}
	return OK;
}

status orgs_expire_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	(void)ctx;
	(void)again_ms;
	struct organizations_rec_handshake h;
	status s = load(tx, a, job->id, &h);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (!is_open(&h)) return OK;
	h.state = STR("EXPIRED");
	put(tx, a, &h);
	return end_upgrade(tx, a, &h);
}
