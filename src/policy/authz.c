/* Applying the authorization tables to a decoded input: members are found by name in the model's descriptors,
	their values
 * become resource ARNs. */
#include "policy/authz.h"
#include "policy/provider.h"
#include "base/buf.h"
#include "base/vec.h"

/* ── finding ──────────────────────────────────────────────────────────────────────────────────────────────────── */

const struct authz_service *authz_find(struct str service)
{
	uint32_t low = 0, high = authz_services_length;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int c = str_cmp(authz_str(authz_services[mid].name), service);
		if (c == 0) return &authz_services[mid];
		if (c < 0) low = mid + 1;
		else high = mid;
	}
	return NULL;
}

const struct authz_service *authz_find_prefix(struct str prefix)
{
	for (uint32_t i = 0; i < authz_services_length; i++)
		if (str_ieq(authz_str(authz_services[i].prefix), prefix)) return &authz_services[i];
	return NULL;
}

const struct authz_op *authz_find_op(const struct authz_service *s, struct str op)
{
	uint32_t low = s->ops.first, high = s->ops.first + s->ops.n;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int c = str_cmp(authz_str(authz_ops[mid].name), op);
		if (c == 0) return &authz_ops[mid];
		if (c < 0) low = mid + 1;
		else high = mid;
	}
	return NULL;
}

const struct authz_action *authz_find_action(const struct authz_service *s, struct str action)
{
	for (uint32_t i = 0; i < s->actions.n; i++)
		if (str_ieq(authz_str(authz_actions[s->actions.first + i].name),
			action)) return &authz_actions[s->actions.first + i];
	return NULL;
}

/* ── values of members ────────────────────────────────────────────────────────────────────────────────────────── */

struct values {
	struct str *v;
	size_t n, capacity;
	bool present; /* something was there, a string or not */
};
struct walk {
	struct arena *arena;
	const struct wire_tables *t;
	struct values *out;
};

static const struct wire_member *member_named(const struct wire_tables *t, const struct wire_shape *s, struct str name)
{
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		if (str_eq(wire_str(t, m->name), name)) return m;
	}
	return NULL;
}

static void push(struct walk *w, struct str value)
{
	*(struct str *)VEC_PUSH(w->arena, w->out, &w->out->capacity) = value;
	w->out->present = true;
}

static void walk_struct(struct walk *w, const struct wire_shape *s, const char *p, struct str path);

static void walk_slot(struct walk *w, const struct wire_shape *s, const char *slot, struct str path, bool pointer)
{
	const struct wire_list *list = (const struct wire_list *)(const void *)slot;
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRUCT: {
		const char *p = slot;
		if (pointer) memcpy(&p, slot, sizeof p);
		if (!p) return;
		w->out->present |= !str_has(path);
		if (str_has(path)) walk_struct(w, s, p, path);
		return;
	}
	case WIRE_LIST: {
		const struct wire_shape *element = &w->t->shapes[w->t->members[s->first].shape];
		for (size_t i = 0; list->v && i < list->n; i++)
			walk_slot(w, element, (const char *)list->v + i * s->size, path, s->flags & WIRE_S_SPARSE);
		return;
	}
	case WIRE_STRING: {
		struct str v;
		memcpy(&v, slot, sizeof v);
		if (str_has(v) && !str_has(path)) push(w, v);
		return;
	}
	case WIRE_MAP:
		for (size_t i = 0; list->v && i < list->n; i++) {
			struct str key;
			memcpy(&key, (const char *)list->v + i * s->size, sizeof key);
			push(w, key);
		}
		return;
	case WIRE_BOOL: w->out->present |= ((const struct opt_bool *)(const void *)slot)->has; return;
	case WIRE_I32: w->out->present |= ((const struct opt_i32 *)(const void *)slot)->has; return;
	case WIRE_I64: w->out->present |= ((const struct opt_i64 *)(const void *)slot)->has; return;
	case WIRE_F32:
	case WIRE_F64: w->out->present |= ((const struct opt_f64 *)(const void *)slot)->has; return;
	case WIRE_TIME: w->out->present |= ((const struct opt_time *)(const void *)slot)->has; return;
	case WIRE_BLOB:
	case WIRE_DOCUMENT:
	case WIRE_STREAM:
	case WIRE_EVENTS: return;
	}
}

static void walk_struct(struct walk *w, const struct wire_shape *s, const char *p, struct str path)
{
	struct str name = str_cut(&path, '.');
	if (str_ends(name, STR("{}"))) name.n -= 2;
	const struct wire_member *m = member_named(w->t, s, name);
	if (m) walk_slot(w, &w->t->shapes[m->shape], p + m->offset, path, true);
}

static struct values values_of(struct arena *a, const struct wire_match *m, const void *in, struct str path)
{
	struct values out = {0};
	if (!in || m->op->in == WIRE_NO_SHAPE) return out;
	struct walk w = {a, &m->service->tables, &out};
	walk_struct(&w, &w.t->shapes[m->op->in], in, path);
	return out;
}

/* ── ARNs ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_account(struct str s)
{
	if (s.n != 12) return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9') return false;
	return true;
}

/* The fifth field of an ARN; "" where it names none. */
static struct str account_of(struct str arn)
{
	struct str field = STR("");
	for (int i = 0; i < 5 && str_has(arn); i++) field = str_cut(&arn, ':');
	return is_account(field) ? field : STR("");
}

struct substitution {
	struct arena *arena;
	const struct authz_place *place;
	struct str account; /* of a URL */
};

/* What stands for a variable: SQS's queue URLs end in ACCOUNT/NAME; a name may repeat what the ARN has before it
 * ("alias/x" in …:alias/${Alias}, "/a/b" in …:parameter/${ParameterNameWithoutLeadingSlash}). */
static struct str plain_value(struct substitution *s, struct str value, struct str before)
{
	if (str_find(value, STR("://")) > 0) {
		ptrdiff_t slash = str_rchr(value, '/');
		struct str head = str_sub(value, 0, (size_t)slash);
		struct str account = str_from(head, (size_t)(str_rchr(head, '/') + 1));
		if (is_account(account)) s->account = account;
		return str_from(value, (size_t)slash + 1);
	}
	struct str part = str_from(before, (size_t)(str_rchr(before, ':') + 1));
	if (part.n && str_starts(value, part)) return str_from(value, part.n);
	if (str_ends(part, STR("/")) && str_starts(value, STR("/"))) return str_from(value, 1);
	return value;
}

static struct str place_value(const struct substitution *s, struct str variable)
{
	if (str_is(variable, "Partition")) return s->place->partition;
	if (str_is(variable, "Region")) return s->place->region;
	if (str_is(variable, "Account")) return s->account.n ? s->account : s->place->account;
	return STR_NONE;
}

static struct str fill(struct substitution *s, struct str template, const struct authz_target *t,
	const struct values *values,
	size_t index)
{
	struct buf b = BUF_IN(s->arena);
	while (template.n) {
		ptrdiff_t at = str_find(template, STR("${"));
		buf_str(&b, str_sub(template, 0, at < 0 ? template.n : (size_t)at));
		if (at < 0) break;
		struct str rest = str_from(template, (size_t)at + 2);
		struct str variable = str_cut(&rest, '}'), value = place_value(s, variable);
		for (uint32_t i = 0; i < t->bindings.n && !str_has(value); i++) {
			if (!str_eq(authz_str(authz_bindings[t->bindings.first + i].variable), variable) ||
				!values[i].n) continue;
			value = values[i].v[values[i].n == 1 ? 0 : index % values[i].n];
			value = plain_value(s, value, buf_done(&b));
		}
		buf_str(&b, str_has(value) ? value : STR("*"));
		template = str_has(rest) ? rest : STR("");
	}
	return buf_done(&b);
}

/* ── demands ──────────────────────────────────────────────────────────────────────────────────────────────────── */

struct demand_builder {
	struct arena *arena;
	const struct wire_match *match;
	const void *in;
	const struct authz_place *place;
	struct authz_demand *demand;
};

static struct policy_resource *push_resource(struct arena *a, struct authz_demand *demand, struct str arn)
{
	struct {
		struct policy_resource *v;
		size_t n;
	} list = {demand->resources, demand->n};
	struct policy_resource *r = VEC_PUSH(a, &list, &demand->capacity);
	r->arn = arn;
	r->account = STR("");
	demand->resources = list.v;
	demand->n = list.n;
	return r;
}

static void add_resource(struct demand_builder *d, struct str arn, struct str account)
{
	for (size_t i = 0; i < d->demand->n; i++)
		if (str_eq(d->demand->resources[i].arn, arn)) return;
	push_resource(d->arena, d->demand, arn)->account = account.n ? account : d->place->account;
}

struct policy_resource *authz_add(struct arena *a, struct authz_demands *d, struct str action, struct str arn)
{
	for (size_t i = 0; i < d->n; i++)
		if (str_eq(d->v[i].action, action)) return push_resource(a, &d->v[i], arn);
	struct authz_demand *v = arena_new_n(a, struct authz_demand, d->n + 1);
	for (size_t i = 0; i < d->n; i++) v[i] = d->v[i];
	v[d->n].action = action;
	d->v = v;
	return push_resource(a, &v[d->n++], arn);
}

void authz_hold(struct arena *a, struct authz_demands *d, struct policy *p)
{
	*VEC_PUSH(a, &d->held, &d->held.capacity) = p;
}

void authz_attach(struct arena *a, struct authz_demands *d, struct policy_resource *r, struct policy *p)
{
	const struct policy **v = arena_new_n(a, const struct policy *, r->policies.n + 1);
	for (size_t i = 0; i < r->policies.n; i++) v[i] = r->policies.v[i];
	v[r->policies.n] = p;
	r->policies.v = v;
	r->policies.n++;
	authz_hold(a, d, p);
}

void authz_hold_bundle(struct arena *a, struct authz_demands *d, struct policy_bundle *b)
{
	*VEC_PUSH(a, &d->held_bundles, &d->held_bundles.capacity) = b;
}

void authz_release(struct authz_demands *d)
{
	for (size_t i = 0; i < d->held.n; i++) policy_free(d->held.v[i]);
	for (size_t i = 0; i < d->held_bundles.n; i++) policy_bundle_release(d->held_bundles.v[i]);
	d->held.n = d->held_bundles.n = 0;
}

/* SQS's URLs are read before the account is written, so a URL's account takes effect in a second filling. */
static void add_filled(struct demand_builder *d, const struct authz_target *t, const struct values *values,
	size_t index)
{
	struct substitution s = {.arena = d->arena, .place = d->place, .account = STR("")};
	struct str arn = fill(&s, authz_str(t->arn), t, values, index);
	if (s.account.n) arn = fill(&s, authz_str(t->arn), t, values, index);
	add_resource(d, arn, s.account);
}

static bool add_type(struct demand_builder *d, const struct authz_target *t)
{
	struct values *values = arena_new_n(d->arena, struct values, t->bindings.n + 1);
	size_t most = 0;
	for (uint32_t i = 0; i < t->bindings.n; i++) {
		values[i] = values_of(d->arena, d->match, d->in,
			authz_str(authz_bindings[t->bindings.first + i].member));
		if (values[i].n > most) most = values[i].n;
	}
	if (t->bindings.n && !most) return false;
	for (size_t i = 0; i < (most ? most : 1); i++) {
		struct str whole = STR_NONE;
		for (uint32_t j = 0; j < t->bindings.n; j++) {
			if (!values[j].n) continue;
			struct str v = values[j].v[values[j].n == 1 ? 0 : i % values[j].n];
			if (str_starts(v, STR("arn:"))) whole = v;
		}
		if (str_has(whole)) add_resource(d, whole, account_of(whole));
		else add_filled(d, t, values, i);
	}
	return true;
}

static void add_target(struct demand_builder *d, const struct authz_target *t)
{
	if (t->kind == AUTHZ_PATH) {
		add_resource(d, str_fmt(d->arena, "arn:%.*s:apigateway:%.*s::%.*s", STR_ARG(d->place->partition),
			STR_ARG(d->place->region), STR_ARG(d->place->path)), d->place->account);
		return;
	}
	if (t->kind == AUTHZ_TYPE) {
		(void)add_type(d, t);
		return;
	}
	struct values v = values_of(d->arena, d->match, d->in, authz_str(authz_bindings[t->bindings.first].member));
	for (size_t i = 0; i < v.n; i++)
		if (str_starts(v.v[i], STR("arn:"))) add_resource(d, v.v[i], account_of(v.v[i]));
}

static bool applies(const struct demand_builder *d, const struct authz_check *c)
{
	if (c->if_member && !values_of(d->arena, d->match, d->in, authz_str(c->if_member)).present) return false;
	return !c->unless_member || !values_of(d->arena, d->match, d->in, authz_str(c->unless_member)).present;
}

static void demand(struct demand_builder *d, const struct authz_check *c, struct authz_demand *out)
{
	*out = (struct authz_demand){.action = authz_str(c->action)};
	d->demand = out;
	const struct authz_target *t = &authz_targets[c->targets.first];
	for (uint32_t i = 0; i < c->targets.n; i++) add_target(d, &t[i]);
	/* Nothing in the input names a resource: all of the first type, or no resource at all. */
	if (!out->n && c->targets.n && t->kind == AUTHZ_TYPE) {
		static const struct values none[1];
		struct authz_target bare = {.arn = t->arn};
		add_filled(d, &bare, none, 0);
	}
	if (!out->n) add_resource(d, STR("*"), d->place->account);
}

void authz_demands(struct arena *a, const struct wire_match *m, const void *in, const struct authz_place *place,
	struct authz_demands *out)
{
	struct str op = wire_str(&m->service->tables, m->op->name);
	const struct authz_service *s = authz_find(str_c(m->service->name));
	const struct authz_op *o = s ? authz_find_op(s, op) : NULL;
	struct demand_builder d = {.arena = a, .match = m, .in = in, .place = place};
	*out = (struct authz_demands){.v = arena_new_n(a, struct authz_demand, (o ? o->checks.n : 0) + 1)};
	for (uint32_t i = 0; o && i < o->checks.n; i++) {
		const struct authz_check *c = &authz_checks[o->checks.first + i];
		if (applies(&d, c)) demand(&d, c, &out->v[out->n++]);
	}
	if (out->n) return;
	/* An operation that the tables do not know, or whose every check has a condition that does not hold. */
	struct str prefix = s ? authz_str(s->prefix) : str_c(m->service->signing_name);
	out->v[0] = (struct authz_demand){.action = str_fmt(a, "%.*s:%.*s", STR_ARG(prefix), STR_ARG(op))};
	d.demand = &out->v[0];
	add_resource(&d, STR("*"), place->account);
	out->n = 1;
}
