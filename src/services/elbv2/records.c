/* Balancers, listeners, rules, groups and targets in the store, and what their ARNs tell. */
#include "base/rand.h"
#include "services/ec2/volume.h"
#include "services/elbv2/room.h"

static struct str key2(struct ec2_place at, const char *kind, struct str first, struct str second)
{
	struct key k = key_for(at.a, STR("elbv2"), str_c(kind), at.account, at.region);
	if (str_has(first)) key_str(&k, first);
	if (str_has(second)) key_str(&k, second);
	return key_done(&k);
}

static struct str index_key(struct arena *a, const char *kind, struct str what)
{
	struct key k = key_for(a, STR("elbv2"), str_c(kind), STR(""), STR(""));
	key_str(&k, what);
	return key_done(&k);
}

struct str elbv2_new_id(struct arena *a)
{
	uint8_t b[8];
	rand_bytes(b, sizeof(b));
	return str_hex(a, str_n(b, sizeof(b)));
}

bool elbv2_is_app(const struct elbv2_rec_balancer *b)
{
	return !str_is(b->type, "network");
}

bool elbv2_is_classic(const struct elbv2_rec_balancer *b)
{
	return str_is(b->type, "classic");
}

/* ── ARNs ── */

static struct str arn_head(struct ec2_place at)
{
	const char *partition = str_starts(at.region, STR("cn-"))       ? "aws-cn"
				: str_starts(at.region, STR("us-gov-")) ? "aws-us-gov"
									: "aws";
	return str_fmt(
		at.a, "arn:%s:elasticloadbalancing:%.*s:%.*s:", partition, STR_ARG(at.region), STR_ARG(at.account));
}

static const char *short_type(const struct elbv2_rec_balancer *b)
{
	return elbv2_is_app(b) ? "app" : "net";
}

struct str elbv2_balancer_arn(struct ec2_place at, const struct elbv2_rec_balancer *b)
{
	if (elbv2_is_classic(b))
		return str_fmt(at.a, "%.*sloadbalancer/%.*s", STR_ARG(arn_head(at)), STR_ARG(str_from(b->name, 8)));
	return str_fmt(at.a, "%.*sloadbalancer/%s/%.*s/%.*s", STR_ARG(arn_head(at)), short_type(b), STR_ARG(b->name),
		STR_ARG(b->id));
}

struct str elbv2_listener_arn(struct ec2_place at, const struct elbv2_rec_balancer *b, struct str listener)
{
	return str_fmt(at.a, "%.*slistener/%s/%.*s/%.*s/%.*s", STR_ARG(arn_head(at)), short_type(b), STR_ARG(b->name),
		STR_ARG(b->id), STR_ARG(listener));
}

struct str elbv2_rule_arn(struct ec2_place at, const struct elbv2_rec_balancer *b, struct str listener, struct str rule)
{
	return str_fmt(at.a, "%.*slistener-rule/%s/%.*s/%.*s/%.*s/%.*s", STR_ARG(arn_head(at)), short_type(b),
		STR_ARG(b->name), STR_ARG(b->id), STR_ARG(listener), STR_ARG(rule));
}

struct str elbv2_group_arn(struct ec2_place at, const struct elbv2_rec_group *g)
{
	return str_fmt(at.a, "%.*stargetgroup/%.*s/%.*s", STR_ARG(arn_head(at)), STR_ARG(g->target_group_name),
		STR_ARG(g->id));
}

/* The parts of what follows the account, cut at slashes. False: not of this place and kind, or of other length. */
static bool arn_parts(struct ec2_place at, struct str arn, const char *kind, struct str *parts, size_t n)
{
	struct str head = arn_head(at);
	if (!str_starts(arn, head)) return false;
	struct str rest = str_from(arn, head.n);
	if (!str_eq(str_cut(&rest, '/'), str_c(kind))) return false;
	for (size_t i = 0; i < n; i++) {
		if (!str_has(rest)) return false;
		parts[i] = str_cut(&rest, '/');
	}
	return !str_has(rest);
}

/* ── balancers ── */

status elbv2_balancer_get(struct ec2_place at, struct str name, struct elbv2_rec_balancer *out)
{
	struct str bytes;
	*out = (struct elbv2_rec_balancer){0};
	TRY(store_get(at.tx, key2(at, "balancer", name, STR_NONE), &bytes));
	return elbv2_rec_balancer_decode(at.a, bytes, out);
}

static status balancer_of(struct ec2_place at, const struct str *parts, struct elbv2_rec_balancer *out)
{
	TRY(elbv2_balancer_get(at, parts[1], out));
	return str_eq(out->id, parts[2]) && str_eq(parts[0], str_c(short_type(out))) ? OK : STATUS(NOT_FOUND);
}

status elbv2_balancer_find(struct call *c, struct str arn, struct elbv2_rec_balancer *out)
{
	struct str parts[3];
	status s = arn_parts(ec2_here(c), arn, "loadbalancer", parts, 3) ? balancer_of(ec2_here(c), parts, out)
									 : STATUS(NOT_FOUND);
	if (status_is(s, STATUS_NOT_FOUND) && !str_starts(arn, STR("arn:")))
		return call_fail(c, ERR_VALIDATION, "'%.*s' is not a valid load balancer ARN", STR_ARG(arn));
	if (status_is(s, STATUS_NOT_FOUND))
		return ELBV2_FAIL(c, LOAD_BALANCER_NOT_FOUND, "Load balancer '%.*s' not found", STR_ARG(arn));
	return s;
}

#define SCAN(at, kind, first, decode, list)                                                                            \
	do {                                                                                                           \
		struct str from_ = key2((at), (kind), (first), STR_NONE), key_, value_;                                \
		size_t capacity_ = 0;                                                                                  \
		struct store_scan *scan_ = store_scan_begin((at).tx, from_, key_after((at).a, from_), false);          \
		while (store_scan_next(scan_, &key_, &value_))                                                         \
			TRY(decode((at).a, str_dup((at).a, value_), VEC_PUSH((at).a, (list), &capacity_)));            \
		TRY(store_scan_end(scan_));                                                                            \
	} while (0)

status elbv2_balancers(struct ec2_place at, struct elbv2_all_balancers *out)
{
	*out = (struct elbv2_all_balancers){0};
	SCAN(at, "balancer", STR_NONE, elbv2_rec_balancer_decode, out);
	return OK;
}

void elbv2_balancer_put(struct ec2_place at, const struct elbv2_rec_balancer *b)
{
	store_put(at.tx, key2(at, "balancer", b->name, STR_NONE), elbv2_rec_balancer_encode(at.a, b));
}

void elbv2_balancer_change(struct ec2_place at, struct elbv2_rec_balancer *b)
{
	b->generation = SOME_I64(b->generation.v + 1);
	if (b->generation.v == 1) {
		struct elbv2_rec_whose w = {.account = at.account, .region = at.region, .name = b->name};
		struct str bytes = elbv2_rec_whose_encode(at.a, &w);
		store_put(at.tx, index_key(at.a, "name", b->label), bytes);
		store_put(at.tx, index_key(at.a, "index", b->id), bytes);
	}
	elbv2_balancer_put(at, b);
	elbv2_mark(at, b->name);
}

void elbv2_balancer_changed(struct call *c, struct elbv2_rec_balancer *b)
{
	elbv2_balancer_change(ec2_here(c), b);
	ec2_poke_jobs(c);
}

void elbv2_balancer_drop(struct ec2_place at, const struct elbv2_rec_balancer *b)
{
	store_delete(at.tx, key2(at, "balancer", b->name, STR_NONE));
	store_delete(at.tx, index_key(at.a, "name", b->label));
	store_delete(at.tx, index_key(at.a, "index", b->id));
}

status elbv2_whose(struct store_tx *tx, struct arena *a, const char *kind, struct str what, struct elbv2_rec_whose *out)
{
	struct str bytes;
	*out = (struct elbv2_rec_whose){0};
	TRY(store_get(tx, index_key(a, kind, what), &bytes));
	return elbv2_rec_whose_decode(a, bytes, out);
}

status elbv2_addresses(struct store_tx *tx, struct arena *a, struct str label, struct elbv2_addresses *out)
{
	struct elbv2_rec_whose w;
	struct elbv2_rec_balancer b;
	*out = (struct elbv2_addresses){0};
	TRY(elbv2_whose(tx, a, "name", str_lower(a, label), &w));
	TRY(elbv2_balancer_get((struct ec2_place){tx, a, w.account, w.region}, w.name, &b));
	for (int any = 0; any < 2 && !out->n; any++) {
		size_t capacity = 0;
		for (size_t i = 0; i < b.zones.n; i++)
			if (any || !ec2_zone_is_down(tx, a, b.zones.v[i].zone))
				*VEC_PUSH(a, out, &capacity) = str_or(b.zones.v[i].public, b.zones.v[i].address);
	}
	return OK;
}

/* ── listeners and rules ── */

status elbv2_listeners(struct ec2_place at, struct str balancer, struct elbv2_all_listeners *out)
{
	*out = (struct elbv2_all_listeners){0};
	SCAN(at, "listener", balancer, elbv2_rec_listener_decode, out);
	return OK;
}

static status listener_get(struct ec2_place at, struct str balancer, struct str id, struct elbv2_rec_listener *out)
{
	struct str bytes;
	*out = (struct elbv2_rec_listener){0};
	TRY(store_get(at.tx, key2(at, "listener", balancer, id), &bytes));
	return elbv2_rec_listener_decode(at.a, bytes, out);
}

status elbv2_listener_find(struct call *c, struct str arn, struct elbv2_rec_balancer *b, struct elbv2_rec_listener *out)
{
	struct str parts[4];
	status s = arn_parts(ec2_here(c), arn, "listener", parts, 4) ? balancer_of(ec2_here(c), parts, b)
								     : STATUS(NOT_FOUND);
	if (is_ok(s)) s = listener_get(ec2_here(c), b->id, parts[3], out);
	if (status_is(s, STATUS_NOT_FOUND) && !str_starts(arn, STR("arn:")))
		return call_fail(c, ERR_VALIDATION, "'%.*s' is not a valid listener ARN", STR_ARG(arn));
	if (status_is(s, STATUS_NOT_FOUND))
		return ELBV2_FAIL(c, LISTENER_NOT_FOUND, "Listener '%.*s' not found", STR_ARG(arn));
	return s;
}

void elbv2_listener_put(struct ec2_place at, struct str balancer, const struct elbv2_rec_listener *l)
{
	store_put(at.tx, key2(at, "listener", balancer, l->id), elbv2_rec_listener_encode(at.a, l));
}

void elbv2_listener_drop(struct ec2_place at, struct str balancer, struct str id)
{
	store_delete(at.tx, key2(at, "listener", balancer, id));
}

static int32_t rank(const struct elbv2_rec_rule *r)
{
	return r->priority.v ? r->priority.v : INT32_MAX;
}

status elbv2_rules(struct ec2_place at, struct str listener, struct elbv2_all_rules *out)
{
	*out = (struct elbv2_all_rules){0};
	SCAN(at, "rule", listener, elbv2_rec_rule_decode, out);
	for (size_t i = 1; i < out->n; i++) {
		struct elbv2_rec_rule moving = out->v[i];
		size_t to = i;
		for (; to && rank(&out->v[to - 1]) > rank(&moving); to--) out->v[to] = out->v[to - 1];
		out->v[to] = moving;
	}
	return OK;
}

status elbv2_rule_find(struct call *c, struct str arn, struct elbv2_rec_balancer *b, struct elbv2_rec_listener *l,
	struct elbv2_rec_rule *out)
{
	struct str parts[5], bytes;
	struct ec2_place at = ec2_here(c);
	*out = (struct elbv2_rec_rule){0};
	status s = arn_parts(at, arn, "listener-rule", parts, 5) ? balancer_of(at, parts, b) : STATUS(NOT_FOUND);
	if (is_ok(s)) s = listener_get(at, b->id, parts[3], l);
	if (is_ok(s)) s = store_get(at.tx, key2(at, "rule", parts[3], parts[4]), &bytes);
	if (status_is(s, STATUS_NOT_FOUND) && !str_starts(arn, STR("arn:")))
		return call_fail(c, ERR_VALIDATION, "'%.*s' is not a valid listener rule ARN", STR_ARG(arn));
	if (status_is(s, STATUS_NOT_FOUND)) return ELBV2_FAIL(c, RULE_NOT_FOUND, "One or more rules not found");
	TRY(s);
	return elbv2_rec_rule_decode(at.a, bytes, out);
}

void elbv2_rule_put(struct ec2_place at, struct str listener, const struct elbv2_rec_rule *r)
{
	store_put(at.tx, key2(at, "rule", listener, r->id), elbv2_rec_rule_encode(at.a, r));
}

void elbv2_rule_drop(struct ec2_place at, struct str listener, struct str id)
{
	store_delete(at.tx, key2(at, "rule", listener, id));
}

/* ── groups and targets ── */

status elbv2_group_get(struct ec2_place at, struct str name, struct elbv2_rec_group *out)
{
	struct str bytes;
	*out = (struct elbv2_rec_group){0};
	TRY(store_get(at.tx, key2(at, "group", name, STR_NONE), &bytes));
	return elbv2_rec_group_decode(at.a, bytes, out);
}

status elbv2_group_by_arn(struct ec2_place at, struct str arn, struct elbv2_rec_group *out)
{
	struct str parts[2];
	if (!arn_parts(at, arn, "targetgroup", parts, 2)) return STATUS(NOT_FOUND);
	TRY(elbv2_group_get(at, parts[0], out));
	return str_eq(out->id, parts[1]) ? OK : STATUS(NOT_FOUND);
}

status elbv2_group_find(struct call *c, struct str arn, struct elbv2_rec_group *out)
{
	status s = elbv2_group_by_arn(ec2_here(c), arn, out);
	if (status_is(s, STATUS_NOT_FOUND) && !str_starts(arn, STR("arn:")))
		return call_fail(c, ERR_VALIDATION, "'%.*s' is not a valid target group ARN", STR_ARG(arn));
	if (status_is(s, STATUS_NOT_FOUND))
		return ELBV2_FAIL(c, TARGET_GROUP_NOT_FOUND, "Target groups '%.*s' not found", STR_ARG(arn));
	return s;
}

/* Without those of Classic Load Balancers. */
status elbv2_groups(struct ec2_place at, struct elbv2_all_groups *out)
{
	size_t n = 0;
	*out = (struct elbv2_all_groups){0};
	SCAN(at, "group", STR_NONE, elbv2_rec_group_decode, out);
	for (size_t i = 0; i < out->n; i++)
		if (str_chr(out->v[i].target_group_name, ':') < 0) out->v[n++] = out->v[i];
	out->n = n;
	return OK;
}

void elbv2_group_put(struct ec2_place at, const struct elbv2_rec_group *g)
{
	store_put(at.tx, key2(at, "group", g->target_group_name, STR_NONE), elbv2_rec_group_encode(at.a, g));
}

void elbv2_group_drop(struct ec2_place at, const struct elbv2_rec_group *g)
{
	store_delete(at.tx, key2(at, "group", g->target_group_name, STR_NONE));
}

static struct str target_key(struct ec2_place at, struct str group, struct str id, int32_t port, struct str zone)
{
	struct key k = key_begin(at.a);
	key_append(&k, key2(at, "target", group, id));
	key_i64(&k, port);
	key_str(&k, str_or(zone, STR("")));
	return key_done(&k);
}

status elbv2_targets(struct ec2_place at, struct str group, struct elbv2_all_targets *out)
{
	*out = (struct elbv2_all_targets){0};
	SCAN(at, "target", group, elbv2_rec_target_decode, out);
	return OK;
}

status elbv2_target_get(struct ec2_place at, struct str group, struct str id, int32_t port, struct str zone,
	struct elbv2_rec_target *out)
{
	struct str bytes;
	*out = (struct elbv2_rec_target){0};
	TRY(store_get(at.tx, target_key(at, group, id, port, zone), &bytes));
	return elbv2_rec_target_decode(at.a, bytes, out);
}

void elbv2_target_put(struct ec2_place at, struct str group, const struct elbv2_rec_target *t)
{
	store_put(at.tx, target_key(at, group, t->id, t->port.v, t->zone), elbv2_rec_target_encode(at.a, t));
}

void elbv2_target_drop(struct ec2_place at, struct str group, const struct elbv2_rec_target *t)
{
	store_delete(at.tx, target_key(at, group, t->id, t->port.v, t->zone));
}

status elbv2_group_changed(struct ec2_place at, const struct elbv2_rec_group *g)
{
	for (size_t i = 0; i < g->balancers.n; i++) {
		struct str parts[3];
		struct elbv2_rec_balancer b;
		if (!arn_parts(at, g->balancers.v[i], "loadbalancer", parts, 3)) continue;
		status s = balancer_of(at, parts, &b);
		if (is_ok(s)) elbv2_mark(at, b.name);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	}
	return OK;
}

/* ── maps and lists ── */

struct str elbv2_get(const struct elbv2_rec_pairs *m, struct str name)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].key, name)) return m->v[i].value;
	return STR_NONE;
}

void elbv2_set(struct arena *a, struct elbv2_rec_pairs *m, struct str name, struct str value)
{
	struct elbv2_rec_pairs now = {0};
	size_t capacity = 0;
	bool there = false;
	for (size_t i = 0; i < m->n; i++) {
		bool same = str_eq(m->v[i].key, name);
		there = there || same;
		if (!same || str_has(value))
			*VEC_PUSH(a, &now, &capacity) =
				(struct elbv2_rec_pairs_entry){m->v[i].key, same ? value : m->v[i].value};
	}
	if (!there && str_has(value)) *VEC_PUSH(a, &now, &capacity) = (struct elbv2_rec_pairs_entry){name, value};
	*m = now;
}

bool elbv2_among(const struct elbv2_rec_strings *list, struct str s)
{
	for (size_t i = 0; i < list->n; i++)
		if (str_eq(list->v[i], s)) return true;
	return false;
}
