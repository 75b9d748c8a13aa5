/* Trails: stored, found by name or ARN, and kept in memory for the recorder, which asks for each event which of them
 * select it. The copy in memory is read anew after each commit that changed a trail. */
#include "base/log.h"
#include "services/cloudtrail/room.h"
#include "services/organizations/door.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct copy {
	struct arena arena;
	struct cloudtrail_rec_trail *v;
	size_t n;
};
struct ct_trails {
	struct ct *ct;
	pthread_rwlock_t lock;
	struct copy *now;
	_Atomic uint32_t wanted; /* bits by enum ct_data */
};

/* ── stored ── */

struct str ct_trail_key(struct arena *a, const char *kind, struct str account, struct str region, struct str name)
{
	struct key k = key_for(a, STR("cloudtrail"), str_c(kind), account, region);
	if (str_has(name)) key_str(&k, name);
	return key_done(&k);
}

struct str ct_trail_arn(struct arena *a, const struct cloudtrail_rec_trail *t)
{
	const char *partition = str_starts(t->region, STR("cn-"))       ? "aws-cn"
				: str_starts(t->region, STR("us-gov-")) ? "aws-us-gov"
									: "aws";
	return str_fmt(a, "arn:%s:cloudtrail:%.*s:%.*s:trail/%.*s", partition, STR_ARG(t->region), STR_ARG(t->account),
		STR_ARG(t->name));
}

status ct_trail_get(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name,
	struct cloudtrail_rec_trail *out)
{
	struct str bytes;
	*out = (struct cloudtrail_rec_trail){0};
	TRY(store_get(tx, ct_trail_key(a, "trail", account, region, name), &bytes));
	return cloudtrail_rec_trail_decode(a, bytes, out);
}

void ct_trail_put(struct call *c, const struct cloudtrail_rec_trail *t)
{
	store_put(c->tx, ct_trail_key(c->arena, "trail", t->account, t->region, t->name),
		cloudtrail_rec_trail_encode(c->arena, t));
	call_after_commit(c, ct_trails_reload, c->state);
}

static status add_trails(struct call *c, struct str account, bool organizations_only, struct ct_trail_list *out)
{
	struct key k = key_begin(c->arena);
	key_str(&k, STR("cloudtrail"));
	key_str(&k, STR("trail"));
	key_str(&k, account);
	struct str from = key_done(&k), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct cloudtrail_rec_trail t = {0};
		TRY(cloudtrail_rec_trail_decode(c->arena, str_dup(c->arena, value), &t));
		if (!organizations_only || t.organization.v) *VEC_PUSH(c->arena, out, &out->capacity) = t;
	}
	return store_scan_end(scan);
}

/* All of an account, of every region; and those of its organization, which members see but cannot change. */
status ct_trails_everywhere(struct call *c, struct ct_trail_list *out)
{
	struct organizations_place place = {0};
	TRY(add_trails(c, c->account, false, out));
	TRY(organizations_place(c->tx, c->arena, c->account, &place));
	if (!str_has(place.id) || str_eq(place.master, c->account)) return OK;
	return add_trails(c, place.master, true, out);
}

status ct_trails_of(struct call *c, bool shadows, struct ct_trail_list *out)
{
	struct ct_trail_list all = {0};
	TRY(ct_trails_everywhere(c, &all));
	for (size_t i = 0; i < all.n; i++)
		if (str_eq(all.v[i].region, c->region) || (shadows && all.v[i].multi.v))
			*VEC_PUSH(c->arena, out, &out->capacity) = all.v[i];
	return OK;
}

/* ── names ── "Naming requirements for CloudTrail resources, Amazon S3 buckets, and KMS keys" */

static bool is_word(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
}

static bool is_mark(char ch)
{
	return ch == '.' || ch == '_' || ch == '-';
}

static bool looks_like_address(struct str s)
{
	int dots = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.')
			dots++;
		else if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return dots == 3;
}

status ct_check_trail_name(struct call *c, struct str name)
{
	if (name.n < 3)
		return CT_FAIL(c, INVALID_TRAIL_NAME,
			"Trail name too short. Minimum allowed length: 3 characters. Specified name length: %zu "
			"characters.",
			name.n);
	if (name.n > 128)
		return CT_FAIL(c, INVALID_TRAIL_NAME,
			"Trail name too long. Maximum allowed length: 128 characters. Specified name length: %zu "
			"characters.",
			name.n);
	if (!is_word(name.p[0]))
		return CT_FAIL(c, INVALID_TRAIL_NAME, "Trail name must starts with a letter or number.");
	if (!is_word(name.p[name.n - 1]))
		return CT_FAIL(c, INVALID_TRAIL_NAME, "Trail name must ends with a letter or number.");
	for (size_t i = 0; i < name.n; i++) {
		if (!is_word(name.p[i]) && !is_mark(name.p[i]))
			return CT_FAIL(c, INVALID_TRAIL_NAME,
				"Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, "
				"periods (.), hyphens (-), and underscores (_).");
		if (i && is_mark(name.p[i]) && is_mark(name.p[i - 1]))
			return CT_FAIL(c, INVALID_TRAIL_NAME,
				"Trail name can't have adjacent periods, underscores or dashes.");
	}
	if (looks_like_address(name))
		return CT_FAIL(c, INVALID_TRAIL_NAME, "Trail name must not be formatted as an IP address.");
	return OK;
}

static status unknown(struct call *c, struct str reference)
{
	return CT_FAIL(
		c, TRAIL_NOT_FOUND, "Unknown trail: %.*s for the user: %.*s", STR_ARG(reference), STR_ARG(c->account));
}

/* By name a region finds its own trail, else the shadow of a multi-region one. */
static status by_name(struct call *c, struct str name, struct str reference, struct cloudtrail_rec_trail *out)
{
	struct ct_trail_list list = {0};
	status s = ct_trail_get(c->tx, c->arena, c->account, c->region, name, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(ct_trails_of(c, true, &list));
	for (size_t i = 0; i < list.n; i++)
		if (str_eq(list.v[i].name, name)) {
			*out = list.v[i];
			return OK;
		}
	return unknown(c, reference);
}

status ct_trail_find(struct call *c, struct str reference, struct cloudtrail_rec_trail *out)
{
	struct str rest = reference, part[5] = {{0}};
	if (!str_starts(reference, STR("arn:"))) {
		TRY(ct_check_trail_name(c, reference));
		return by_name(c, reference, reference, out);
	}
	for (size_t i = 0; i < 5 && str_has(rest); i++) part[i] = str_cut(&rest, ':');
	if (!str_has(rest) || !str_is(part[2], "cloudtrail") || part[4].n != 12 || !str_starts(rest, STR("trail/")))
		return CT_FAIL(c, CLOUD_TRAIL_ARN_INVALID, "Invalid ARN: %.*s", STR_ARG(reference));
	status s = ct_trail_get(c->tx, c->arena, part[4], part[3], str_from(rest, 6), out);
	if (is_ok(s) && !str_eq(part[4], c->account) &&
		(!out->organization.v || !str_eq(organizations_of(c->tx, c->arena, c->account), out->organization_id)))
		return unknown(c, reference);
	return status_is(s, STATUS_NOT_FOUND) ? unknown(c, reference) : s;
}

status ct_trail_find_home(struct call *c, struct str reference, struct cloudtrail_rec_trail *out)
{
	TRY(ct_trail_find(c, reference, out));
	if (!str_eq(out->account, c->account))
		return CT_FAIL(c, NOT_ORGANIZATION_MASTER_ACCOUNT,
			"Only the management account can change the organization trail %.*s.", STR_ARG(out->name));
	if (str_eq(out->region, c->region)) return OK;
	return CT_FAIL(c, INVALID_HOME_REGION,
		"Trail %.*s is a shadow trail: it can only be changed from its home Region, %.*s.", STR_ARG(out->name),
		STR_ARG(out->region));
}

/* ── in memory ── */

static void free_copy(struct copy *c)
{
	if (!c) return;
	arena_cleanup(&c->arena);
	free(c);
}

static uint32_t wanted_of(const struct copy *c)
{
	uint32_t bits = 0;
	for (size_t i = 0; i < c->n; i++)
		for (unsigned d = 1; d < CT_DATA_TYPES; d++)
			if (c->v[i].logging.v && ct_selects_data(&c->v[i], (enum ct_data)d)) bits |= 1u << d;
	return bits;
}

static status read_all(struct ct_trails *t, struct copy *c)
{
	struct arena *a = &c->arena;
	struct key k = key_begin(a);
	struct {
		struct cloudtrail_rec_trail *v;
		size_t n;
	} list = {0};
	size_t capacity = 0;
	key_str(&k, STR("cloudtrail"));
	key_str(&k, STR("trail"));
	struct str from = key_done(&k), key, value;
	struct store_tx *tx = store_begin(t->ct->cloud->store, a, true);
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct cloudtrail_rec_trail r = {0};
		if (is_ok(cloudtrail_rec_trail_decode(a, str_dup(a, value), &r))) *VEC_PUSH(a, &list, &capacity) = r;
	}
	status s = store_scan_end(scan);
	store_end(tx);
	c->v = list.v;
	c->n = list.n;
	return s;
}

void ct_trails_reload(void *ctx)
{
	struct ct_trails *t = ((struct ct *)ctx)->trails;
	struct copy *c = mem_new(sizeof(*c)), *old;
	arena_init(&c->arena);
	/* Under the lock from the first read on: of two that come together the later one stays. */
	pthread_rwlock_wrlock(&t->lock);
	if (!is_ok(read_all(t, c))) log_warn("cloudtrail", "trails-unreadable", "n=%zu", c->n);
	old = t->now;
	t->now = c;
	atomic_store(&t->wanted, wanted_of(c));
	pthread_rwlock_unlock(&t->lock);
	free_copy(old);
}

struct ct_trails *ct_trails_new(struct ct *ct)
{
	struct ct_trails *t = mem_new(sizeof(*t));
	t->ct = ct;
	pthread_rwlock_init(&t->lock, NULL);
	ct->trails = t;
	ct_trails_reload(ct);
	return t;
}

void ct_trails_free(struct ct_trails *t)
{
	free_copy(t->now);
	pthread_rwlock_destroy(&t->lock);
	free(t);
}

bool ct_trails_want(const struct ct_trails *t, enum ct_data d)
{
	return atomic_load_explicit(&t->wanted, memory_order_relaxed) >> d & 1;
}

/* Was it logging when the event happened? What stopped it is logged, too. */
static bool logged_at(const struct cloudtrail_rec_trail *t, int64_t ms)
{
	if (!t->started.has || ms < t->started.ms) return false;
	return t->logging.v || (t->stopped.has && ms <= t->stopped.ms);
}

/* "Global service events": IAM's, STS's at the global endpoint and CloudFront's. */
static bool is_global_event(const struct cloudtrail_rec_event *e)
{
	struct str rest = e->source;
	return str_is(e->region, "us-east-1") &&
	       (ct_is_global(str_cut(&rest, '.')) || str_is(e->source, "sts.amazonaws.com"));
}

/* Its own account's, or an organization's in which the account is now. */
static bool concerns(const struct cloudtrail_rec_trail *r, const struct cloudtrail_rec_event *e, struct store_tx *tx,
	struct arena *a)
{
	if (str_eq(r->account, e->account)) return true;
	return r->organization.v && str_eq(organizations_of(tx, a, e->account), r->organization_id);
}

void ct_trails_select(struct ct_trails *t, const struct cloudtrail_rec_event *e, struct store_tx *tx, struct arena *a,
	void (*fn)(void *ctx, const struct cloudtrail_rec_trail *trail), void *ctx)
{
	pthread_rwlock_rdlock(&t->lock);
	for (size_t i = 0; i < t->now->n; i++) {
		const struct cloudtrail_rec_trail *r = &t->now->v[i];
		if (!logged_at(r, e->time.ms) || !concerns(r, e, tx, a)) continue;
		if (!r->multi.v && !str_eq(r->region, e->region)) continue;
		if (!r->global.v && is_global_event(e)) continue;
		if (ct_selects(r, e)) fn(ctx, r);
	}
	pthread_rwlock_unlock(&t->lock);
}

bool ct_trails_select_any(struct ct_trails *t, enum ct_data d, bool read_only, const struct cloudtrail_rec_resources *r)
{
	struct cloudtrail_rec_event e = {
		.data_type = ct_data_type(d), .read_only = SOME_BOOL(read_only), .resources = *r};
	bool any = false;
	pthread_rwlock_rdlock(&t->lock);
	for (size_t i = 0; i < t->now->n && !any; i++) any = t->now->v[i].logging.v && ct_may_select(&t->now->v[i], &e);
	pthread_rwlock_unlock(&t->lock);
	return any;
}
