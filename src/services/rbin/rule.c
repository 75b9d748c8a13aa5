/* Retention rules: made, changed, locked, listed, and asked what they keep. "Recycle Bin" in the Amazon EBS User Guide
 * is "the guide" here. */
#include "base/rand.h"
#include "base/vec.h"
#include "call/call.h"
#include "rbin.h"
#include "rbin_state.h"
#include "services/rbin/door.h"
#include "store/key.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)
/* "Quotas for Recycle Bin", the guide. */
enum { RULES_MAX = 250, DAYS_MAX = 365, VOLUME_DAYS_MAX = 7, ID_LENGTH = 11, PAGE = 1000 };

/* ── errors ── */

static status invalid(struct call *c, const char *reason)
{
	struct rbin_validation_exception *e = arena_new(c->arena, struct rbin_validation_exception);
	*e = (struct rbin_validation_exception){c->failure.message, str_c(reason)};
	call_fail_members(c, e);
	return STATUS(FAILED);
}
#define INVALID_VALUE(c, ...)                                                                                          \
	(call_fail((c), RBIN_ERR_VALIDATION_EXCEPTION, __VA_ARGS__), invalid((c), "INVALID_PARAMETER_VALUE"))

static status absent(struct call *c)
{
	struct rbin_resource_not_found_exception *e = arena_new(c->arena, struct rbin_resource_not_found_exception);
	call_fail(c, RBIN_ERR_RESOURCE_NOT_FOUND_EXCEPTION, "Rule not found");
	*e = (struct rbin_resource_not_found_exception){c->failure.message, STR("RULE_NOT_FOUND")};
	call_fail_members(c, e);
	return STATUS(FAILED);
}

static status conflict(struct call *c, const char *why)
{
	struct rbin_conflict_exception *e = arena_new(c->arena, struct rbin_conflict_exception);
	call_fail(c, RBIN_ERR_CONFLICT_EXCEPTION, "%s", why);
	*e = (struct rbin_conflict_exception){c->failure.message, STR("INVALID_RULE_STATE")};
	call_fail_members(c, e);
	return STATUS(FAILED);
}

/* ── records ── */

static struct str key_of(struct arena *a, struct str account, struct str region, struct str id)
{
	struct key k = key_for(a, STR("rbin"), STR("rule"), account, region);
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

static status load(struct call *c, struct str id, struct rbin_rec_rule *out)
{
	struct str bytes;
	*out = (struct rbin_rec_rule){0};
	status s = store_get(c->tx, key_of(c->arena, c->account, c->region, id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return absent(c);
	TRY(s);
	return rbin_rec_rule_decode(c->arena, bytes, out);
}

static void save(struct call *c, const struct rbin_rec_rule *r)
{
	store_put(c->tx, key_of(c->arena, c->account, c->region, r->identifier), rbin_rec_rule_encode(c->arena, r));
}

struct rules {
	struct rbin_rec_rule *v;
	size_t n;
};

static status all_rules(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct rules *out)
{
	struct str from = key_of(a, account, region, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	size_t capacity = 0;
	status s = OK;
	*out = (struct rules){0};
	while (is_ok(s) && store_scan_next(scan, &key, &value))
		s = rbin_rec_rule_decode(a, str_dup(a, value), VEC_PUSH(a, out, &capacity));
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

/* ── shown ── */

/* "locked: can't be modified or deleted. pending_unlock: has been unlocked but is still within the unlock delay period.
 * unlocked: is unlocked and can be modified and deleted" ("Lock a retention rule", the guide). */
static struct str lock_state(const struct rbin_rec_rule *r, int64_t now_ms)
{
	if (!r->delay.has) return STR_NONE;
	if (r->locked.v) return STR("locked");
	return r->lock_end.has && r->lock_end.ms > now_ms ? STR("pending_unlock") : STR("unlocked");
}

static struct rbin_resource_tags tags_out(struct arena *a, const struct rbin_rec_tags *t)
{
	struct rbin_resource_tags out = {arena_new_n(a, struct rbin_resource_tag, t->n), t->n};
	for (size_t i = 0; i < t->n; i++) out.v[i] = (struct rbin_resource_tag){t->v[i].key, t->v[i].value};
	return out;
}

static struct rbin_tag_list own_tags(struct arena *a, const struct rbin_rec_tags *t)
{
	struct rbin_tag_list out = {arena_new_n(a, struct rbin_tag, t->n), t->n};
	for (size_t i = 0; i < t->n; i++) out.v[i] = (struct rbin_tag){t->v[i].key, t->v[i].value};
	return out;
}

static struct rbin_retention_period *period(struct arena *a, const struct rbin_rec_rule *r)
{
	struct rbin_retention_period *p = arena_new(a, struct rbin_retention_period);
	*p = (struct rbin_retention_period){r->days, STR("DAYS")};
	return p;
}

static struct rbin_lock_configuration *lock_of(struct arena *a, const struct rbin_rec_rule *r)
{
	if (!r->delay.has) return NULL;
	struct rbin_lock_configuration *l = arena_new(a, struct rbin_lock_configuration);
	l->unlock_delay = arena_new(a, struct rbin_unlock_delay);
	*l->unlock_delay = (struct rbin_unlock_delay){r->delay, STR("DAYS")};
	return l;
}

static struct str arn_of(const struct call *c, const struct rbin_rec_rule *r)
{
	return call_arn(c, STR("rbin"), "rule/%.*s", STR_ARG(r->identifier));
}

/* The answers differ in a member or two. */
#define SHOW(c, r, out)                                                                                                \
	do {                                                                                                           \
		(out)->identifier = (r)->identifier;                                                                   \
		(out)->description = (r)->description;                                                                 \
		(out)->resource_type = (r)->resource_type;                                                             \
		(out)->retention_period = period((c)->arena, (r));                                                     \
		(out)->resource_tags = tags_out((c)->arena, &(r)->resource_tags);                                      \
		(out)->exclude_resource_tags.v = tags_out((c)->arena, &(r)->exclude).v;                                \
		(out)->exclude_resource_tags.n = (r)->exclude.n;                                                       \
		(out)->status = STR("available");                                                                      \
		(out)->lock_state = lock_state((r), (c)->now_ms);                                                      \
		(out)->rule_arn = arn_of((c), (r));                                                                    \
	} while (0)
#define SHOW_END(c, r, out)                                                                                            \
	((out)->lock_end_time =                                                                                        \
			str_is(lock_state((r), (c)->now_ms), "pending_unlock") ? (r)->lock_end : (struct opt_time){0})

/* ── checks ── */

static status check_days(struct call *c, struct str type, const struct rbin_retention_period *p)
{
	int32_t max = str_is(type, "EBS_VOLUME") ? VOLUME_DAYS_MAX : DAYS_MAX;
	if (p->retention_period_value.v <= max) return OK;
	return INVALID_VALUE(c, "The retention period of %.*s has to be from 1 to %d days.", STR_ARG(type), max);
}

static void take_tags(struct arena *a, const struct rbin_resource_tag *v, size_t n, struct rbin_rec_tags *out)
{
	*out = (struct rbin_rec_tags){arena_new_n(a, struct rbin_rec_tag, n), n};
	for (size_t i = 0; i < n; i++)
		out->v[i] = (struct rbin_rec_tag){v[i].resource_tag_key, str_or(v[i].resource_tag_value, STR(""))};
}

/* "You can't specify both" (CreateRule): exclusions are of Region-level rules. */
static status check_tags(struct call *c, const struct rbin_rec_rule *r)
{
	if (r->resource_tags.n && r->exclude.n)
		return INVALID_VALUE(c, "You can't specify both ResourceTags and ExcludeResourceTags.");
	return OK;
}

static status lock(struct call *c, const struct rbin_lock_configuration *l, struct rbin_rec_rule *r)
{
	if (r->resource_tags.n) return INVALID_VALUE(c, "Only Region-level retention rules can be locked.");
	r->delay = l->unlock_delay->unlock_delay_value;
	r->locked = SOME_BOOL(true);
	r->lock_end.has = false;
	return OK;
}

static status check_open(struct call *c, const struct rbin_rec_rule *r)
{
	struct str state = lock_state(r, c->now_ms);
	if (!str_has(state) || str_is(state, "unlocked")) return OK;
	return conflict(c,
		"The retention rule is locked. It can be modified and deleted once it was unlocked and the unlock "
		"delay period has ended.");
}

/* ── operations ── */

status rbin_create_rule(struct call *c, const struct rbin_create_rule_input *in, struct rbin_create_rule_output *out)
{
	struct rules all;
	struct rbin_rec_rule r = {
		.identifier = rand_text(
			c->arena, STR("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"), ID_LENGTH),
		.resource_type = in->resource_type,
		.days = in->retention_period->retention_period_value,
		.description = in->description};
	TRY(check_days(c, in->resource_type, in->retention_period));
	take_tags(c->arena, in->resource_tags.v, in->resource_tags.n, &r.resource_tags);
	take_tags(c->arena, in->exclude_resource_tags.v, in->exclude_resource_tags.n, &r.exclude);
	TRY(check_tags(c, &r));
	if (in->lock_configuration) TRY(lock(c, in->lock_configuration, &r));
	r.tags = (struct rbin_rec_tags){arena_new_n(c->arena, struct rbin_rec_tag, in->tags.n), in->tags.n};
	for (size_t i = 0; i < in->tags.n; i++)
		r.tags.v[i] = (struct rbin_rec_tag){in->tags.v[i].key, in->tags.v[i].value};
	TRY(all_rules(c->tx, c->arena, c->account, c->region, &all));
	if (all.n >= RULES_MAX) {
		struct rbin_service_quota_exceeded_exception *e =
			arena_new(c->arena, struct rbin_service_quota_exceeded_exception);
		call_fail(c, RBIN_ERR_SERVICE_QUOTA_EXCEEDED_EXCEPTION, "There can be %d retention rules in a Region.",
			RULES_MAX);
		*e = (struct rbin_service_quota_exceeded_exception){c->failure.message, STR("SERVICE_QUOTA_EXCEEDED")};
		call_fail_members(c, e);
		return STATUS(FAILED);
	}
	save(c, &r);
	SHOW(c, &r, out);
	out->tags = own_tags(c->arena, &r.tags);
	out->lock_configuration = lock_of(c->arena, &r);
	return OK;
}

status rbin_get_rule(struct call *c, const struct rbin_get_rule_input *in, struct rbin_get_rule_output *out)
{
	struct rbin_rec_rule r;
	TRY(load(c, in->identifier, &r));
	SHOW(c, &r, out);
	SHOW_END(c, &r, out);
	out->lock_configuration = lock_of(c->arena, &r);
	return OK;
}

status rbin_update_rule(struct call *c, const struct rbin_update_rule_input *in, struct rbin_update_rule_output *out)
{
	struct rbin_rec_rule r;
	TRY(load(c, in->identifier, &r));
	TRY(check_open(c, &r));
	if (str_has(in->resource_type) && !str_eq(in->resource_type, r.resource_type))
		return INVALID_VALUE(c, "A retention rule's resource type can't be changed.");
	if (in->retention_period) {
		TRY(check_days(c, r.resource_type, in->retention_period));
		r.days = in->retention_period->retention_period_value;
	}
	if (str_has(in->description)) r.description = in->description;
	if (in->resource_tags.v) take_tags(c->arena, in->resource_tags.v, in->resource_tags.n, &r.resource_tags);
	if (in->exclude_resource_tags.v)
		take_tags(c->arena, in->exclude_resource_tags.v, in->exclude_resource_tags.n, &r.exclude);
	TRY(check_tags(c, &r));
	save(c, &r);
	SHOW(c, &r, out);
	SHOW_END(c, &r, out);
	return OK;
}

status rbin_delete_rule(struct call *c, const struct rbin_delete_rule_input *in, struct rbin_delete_rule_output *out)
{
	struct rbin_rec_rule r;
	(void)out;
	TRY(load(c, in->identifier, &r));
	TRY(check_open(c, &r));
	store_delete(c->tx, key_of(c->arena, c->account, c->region, r.identifier));
	return OK;
}

status rbin_lock_rule(struct call *c, const struct rbin_lock_rule_input *in, struct rbin_lock_rule_output *out)
{
	struct rbin_rec_rule r;
	TRY(load(c, in->identifier, &r));
	if (r.locked.v) return conflict(c, "The retention rule is already locked.");
	TRY(lock(c, in->lock_configuration, &r));
	save(c, &r);
	SHOW(c, &r, out);
	out->lock_configuration = lock_of(c->arena, &r);
	return OK;
}

status rbin_unlock_rule(struct call *c, const struct rbin_unlock_rule_input *in, struct rbin_unlock_rule_output *out)
{
	struct rbin_rec_rule r;
	TRY(load(c, in->identifier, &r));
	if (!r.locked.v) return conflict(c, "The retention rule is not locked.");
	r.locked = SOME_BOOL(false);
	r.lock_end = SOME_TIME(c->now_ms + r.delay.v * DAY_MS);
	save(c, &r);
	SHOW(c, &r, out);
	SHOW_END(c, &r, out);
	out->lock_configuration = lock_of(c->arena, &r);
	return OK;
}

/* Each tag asked for is among the rule's; without a value, any. */
static bool has_tags(const struct rbin_rec_tags *have, const struct rbin_resource_tag *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool found = false;
		for (size_t k = 0; k < have->n; k++)
			found = found || (str_eq(have->v[k].key, v[i].resource_tag_key) &&
						 (!str_has(v[i].resource_tag_value) ||
							 str_eq(have->v[k].value, v[i].resource_tag_value)));
		if (!found) return false;
	}
	return true;
}

status rbin_list_rules(struct call *c, const struct rbin_list_rules_input *in, struct rbin_list_rules_output *out)
{
	struct rules all;
	struct str after = STR_NONE;
	size_t capacity = 0, max = (size_t)(in->max_results.has ? in->max_results.v : PAGE);
	if (str_has(in->next_token) &&
		(!is_ok(str_unbase64(c->arena, in->next_token, &after)) || after.n != ID_LENGTH)) {
		call_fail(c, RBIN_ERR_VALIDATION_EXCEPTION, "The page token is invalid.");
		return invalid(c, "INVALID_PAGE_TOKEN");
	}
	TRY(all_rules(c->tx, c->arena, c->account, c->region, &all));
	VEC_PRESENT(c->arena, &out->rules);
	for (size_t i = 0; i < all.n; i++) {
		const struct rbin_rec_rule *r = &all.v[i];
		struct str state = lock_state(r, c->now_ms);
		if (str_has(after) && str_cmp(r->identifier, after) <= 0) continue;
		if (!str_eq(r->resource_type, in->resource_type)) continue;
		if (str_has(in->lock_state) && !str_eq(state, in->lock_state)) continue;
		if (!has_tags(&r->resource_tags, in->resource_tags.v, in->resource_tags.n)) continue;
		if (!has_tags(&r->exclude, in->exclude_resource_tags.v, in->exclude_resource_tags.n)) continue;
		if (out->rules.n == max) {
			out->next_token = str_base64(c->arena, out->rules.v[max - 1].identifier);
			break;
		}
		*VEC_PUSH(c->arena, &out->rules, &capacity) = (struct rbin_rule_summary){.identifier = r->identifier,
			.description = r->description,
			.retention_period = period(c->arena, r),
			.lock_state = state,
			.rule_arn = arn_of(c, r)};
	}
	return OK;
}

/* ── tags of rules ── */

static status of_arn(struct call *c, struct str arn, struct rbin_rec_rule *out)
{
	TRY(load(c, str_from(arn, (size_t)str_rchr(arn, '/') + 1), out));
	return str_eq(arn, arn_of(c, out)) ? OK : absent(c);
}

status rbin_list_tags_for_resource(struct call *c, const struct rbin_list_tags_for_resource_input *in,
	struct rbin_list_tags_for_resource_output *out)
{
	struct rbin_rec_rule r;
	TRY(of_arn(c, in->resource_arn, &r));
	out->tags = own_tags(c->arena, &r.tags);
	return OK;
}

status rbin_tag_resource(struct call *c, const struct rbin_tag_resource_input *in, struct rbin_tag_resource_output *out)
{
	struct rbin_rec_rule r;
	struct rbin_rec_tags all = {0};
	size_t capacity = 0;
	(void)out;
	TRY(of_arn(c, in->resource_arn, &r));
	for (size_t i = 0; i < r.tags.n; i++) *VEC_PUSH(c->arena, &all, &capacity) = r.tags.v[i];
	for (size_t i = 0; i < in->tags.n; i++) {
		size_t at = 0;
		while (at < all.n && !str_eq(all.v[at].key, in->tags.v[i].key)) at++;
		if (at == all.n) VEC_PUSH(c->arena, &all, &capacity)->key = in->tags.v[i].key;
		all.v[at].value = in->tags.v[i].value;
	}
	r.tags = all;
	save(c, &r);
	return OK;
}

status rbin_untag_resource(
	struct call *c, const struct rbin_untag_resource_input *in, struct rbin_untag_resource_output *out)
{
	struct rbin_rec_rule r;
	size_t kept = 0;
	(void)out;
	TRY(of_arn(c, in->resource_arn, &r));
	for (size_t i = 0; i < r.tags.n; i++) {
		bool gone = false;
		for (size_t k = 0; k < in->tag_keys.n; k++) gone = gone || str_eq(in->tag_keys.v[k], r.tags.v[i].key);
		if (!gone) r.tags.v[kept++] = r.tags.v[i];
	}
	r.tags.n = kept;
	save(c, &r);
	return OK;
}

/* ── what they keep ── */

static bool any_of(const struct rbin_rec_tags *t, const struct rbin_resource *r)
{
	for (size_t i = 0; i < t->n; i++)
		for (size_t k = 0; k < r->n_tags; k++)
			if (str_eq(t->v[i].key, r->tags[k].key) &&
				(str_empty(t->v[i].value) || str_eq(t->v[i].value, r->tags[k].value)))
				return true;
	return false;
}

/* "If a resource matches more than one retention rule … the retention rule with the longest retention period takes
 * precedence" ("How it works", the guide). A rule without tags is the Region's. */
status rbin_retention(struct store_tx *tx, struct arena *a, const struct rbin_resource *r, int32_t *days)
{
	struct rules all;
	*days = 0;
	TRY(all_rules(tx, a, r->account, r->region, &all));
	for (size_t i = 0; i < all.n; i++) {
		const struct rbin_rec_rule *rule = &all.v[i];
		if (!str_eq(rule->resource_type, r->type) || rule->days.v <= *days) continue;
		if (rule->resource_tags.n ? any_of(&rule->resource_tags, r) : !any_of(&rule->exclude, r))
			*days = rule->days.v;
	}
	return OK;
}
