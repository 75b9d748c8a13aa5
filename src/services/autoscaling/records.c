/* Auto Scaling's records: keys, groups, instances, and what they have in common. */
#include "services/autoscaling/door.h"
#include "services/autoscaling/room.h"

struct str as_prefix(struct as_place at, const char *kind, struct str group)
{
	struct key k = key_for(at.a, STR("autoscaling"), str_c(kind), at.account, at.region);
	if (str_has(group)) key_str(&k, group);
	return key_done(&k);
}

struct str as_key(struct as_place at, const char *kind, struct str group, struct str name)
{
	struct key k = key_for(at.a, STR("autoscaling"), str_c(kind), at.account, at.region);
	key_str(&k, group);
	key_str(&k, name);
	return key_done(&k);
}

/* ── groups ── */

status as_document(struct as_place at, struct str text, uint16_t shape, void *out)
{
	return wire_shape_read(at.a, AS_TABLES, shape, text, out);
}

void as_copy(struct arena *a, uint16_t from_shape, const void *from, uint16_t to_shape, void *to)
{
	wire_shape_copy(a, AS_TABLES, from_shape, from, AS_TABLES, to_shape, to);
}

status as_group_load(struct as_place at, struct str name, struct as_group *out)
{
	struct str bytes;
	*out = (struct as_group){.at = at, .name = name};
	TRY(store_get(at.tx, as_prefix(at, "group", name), &bytes));
	TRY(autoscaling_rec_group_decode(at.a, bytes, &out->r));
	return as_document(at, out->r.document, AUTOSCALING_SHAPE_AUTO_SCALING_GROUP, &out->g);
}

status as_group_find(struct call *c, struct str name, struct as_group *out)
{
	status s = as_group_load(as_here(c), name, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return AS_FAIL(c, "AutoScalingGroup name not found - AutoScalingGroup '%.*s' not found", STR_ARG(name));
}

void as_group_put(struct as_group *g)
{
	g->r.version = SOME_I64(g->r.version.v + 1);
	g->r.document = wire_shape_write(g->at.a, AS_TABLES, AUTOSCALING_SHAPE_AUTO_SCALING_GROUP, &g->g);
	store_put(g->at.tx, as_prefix(g->at, "group", g->name), autoscaling_rec_group_encode(g->at.a, &g->r));
}

struct str as_job_id(struct as_place at, struct str group, struct str name)
{
	struct key k = key_begin(at.a);
	key_str(&k, at.account);
	key_str(&k, at.region);
	key_str(&k, group);
	if (str_has(name)) key_str(&k, name);
	return key_done(&k);
}

status as_job_read(struct store_tx *tx, struct arena *a, const struct job *job, struct as_place *at, struct str *group,
	struct str *name)
{
	struct str rest = str_dup(a, job->id);
	*at = (struct as_place){.tx = tx, .a = a};
	TRY(key_read_str(a, &rest, &at->account));
	TRY(key_read_str(a, &rest, &at->region));
	TRY(key_read_str(a, &rest, group));
	*name = STR_NONE;
	return rest.n ? key_read_str(a, &rest, name) : OK;
}

void as_group_poke(struct as_group *g, int64_t now_ms)
{
	struct str id = as_job_id(g->at, g->name, STR_NONE);
	jobs_schedule(
		g->at.tx, &(struct job){.kind = STR(AS_JOB_GROUP), .id = id, .due_ms = now_ms, .payload = STR("")});
}

static void poke(void *jobs)
{
	jobs_poke(jobs);
}

void as_group_change(struct call *c, struct as_group *g)
{
	as_group_put(g);
	as_group_poke(g, c->now_ms);
	call_after_commit(c, poke, c->cloud->jobs);
}

/* ── scans ── */

static struct as_each begin(struct as_place at, const char *kind, struct str group, bool backwards)
{
	struct str from = as_prefix(at, kind, group);
	return (struct as_each){
		.at = at, .scan = store_scan_begin(at.tx, from, key_after(at.a, from), backwards), .group = group};
}

struct as_each as_each(struct as_place at, const char *kind, struct str group)
{
	return begin(at, kind, group, false);
}

struct as_each as_each_back(struct as_place at, const char *kind, struct str group)
{
	return begin(at, kind, group, true);
}

bool as_next(struct as_each *e)
{
	struct str key, value;
	if (!store_scan_next(e->scan, &key, &value)) return false;
	e->key = str_dup(e->at.a, key);
	e->value = str_dup(e->at.a, value);
	struct str rest = e->key, skipped;
	bool well = true;
	for (unsigned i = 0; i < 4 && well; i++) well = is_ok(key_read_str(e->at.a, &rest, &skipped));
	if (well) well = is_ok(key_read_str(e->at.a, &rest, &e->group));
	/* What has a time in its key has no name there. */
	if (!well || !rest.n || !is_ok(key_read_str(e->at.a, &rest, &e->name))) e->name = STR_NONE;
	return true;
}

status as_each_end(struct as_each *e)
{
	return store_scan_end(e->scan);
}

status as_drop_below(struct as_place at, struct str prefix)
{
	struct str key, value;
	struct store_scan *scan = store_scan_begin(at.tx, prefix, key_after(at.a, prefix), false);
	while (store_scan_next(scan, &key, &value)) store_delete(at.tx, str_dup(at.a, key));
	return store_scan_end(scan);
}

status as_count(struct as_place at, const char *kind, struct str group, size_t *n)
{
	struct as_each e = as_each(at, kind, group);
	for (*n = 0; as_next(&e);) ++*n;
	return as_each_end(&e);
}

/* ── instances ── */

status as_instances(const struct as_group *g, struct as_instances *out)
{
	size_t capacity = 0;
	struct as_each e = as_each(g->at, "instance", g->name);
	status s = OK;
	*out = (struct as_instances){0};
	while (is_ok(s) && as_next(&e))
		s = autoscaling_rec_instance_decode(g->at.a, e.value, VEC_PUSH(g->at.a, out, &capacity));
	status end = as_each_end(&e);
	return is_ok(s) ? end : s;
}

static struct str of_instance(struct as_place at, struct str instance)
{
	return as_prefix(at, "of-instance", instance);
}

void as_instance_put(const struct as_group *g, const struct autoscaling_rec_instance *i)
{
	store_put(g->at.tx, as_key(g->at, "instance", g->name, i->id), autoscaling_rec_instance_encode(g->at.a, i));
	store_put(g->at.tx, of_instance(g->at, i->id), g->name);
}

void as_instance_drop(const struct as_group *g, const struct autoscaling_rec_instance *i)
{
	store_delete(g->at.tx, as_key(g->at, "instance", g->name, i->id));
	store_delete(g->at.tx, of_instance(g->at, i->id));
}

status as_instance_group(struct as_place at, struct str instance, struct str *group)
{
	struct str value;
	TRY(store_get(at.tx, of_instance(at, instance), &value));
	*group = str_dup(at.a, value);
	return OK;
}

status as_instance_find(
	struct call *c, struct str group, struct str instance, struct as_group *g, struct autoscaling_rec_instance *out)
{
	struct str name, bytes;
	status s = as_instance_group(as_here(c), instance, &name);
	if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && str_has(group) && !str_eq(group, name))) {
		if (str_has(group))
			return AS_FAIL(c, "The instance %.*s is not part of Auto Scaling group %.*s.",
				STR_ARG(instance), STR_ARG(group));
		return AS_FAIL(c, "Instance Id not found - No managed instance found for instance ID: %.*s",
			STR_ARG(instance));
	}
	TRY(s);
	TRY(as_group_find(c, name, g));
	TRY(store_get(c->tx, as_key(as_here(c), "instance", name, instance), &bytes));
	*out = (struct autoscaling_rec_instance){0};
	return autoscaling_rec_instance_decode(c->arena, bytes, out);
}

void as_state(struct autoscaling_rec_instance *i, struct str state, int64_t now_ms)
{
	i->state = state;
	i->since = SOME_TIME(now_ms);
}

bool as_in(struct str state, const char *const *list)
{
	for (; *list; list++)
		if (str_eq(state, str_c(*list))) return true;
	return false;
}

bool as_counts(const struct autoscaling_rec_instance *i)
{
	static const char *const counted[] = {"Pending", "Pending:Wait", "Pending:Proceed", "InService", NULL};
	return as_in(i->state, counted);
}

int32_t as_warmup_s(const struct as_group *g)
{
	return g->g.default_instance_warmup.has && g->g.default_instance_warmup.v >= 0
		       ? g->g.default_instance_warmup.v
		       : g->g.health_check_grace_period.v;
}

bool as_is_warm(const struct as_group *g, const struct autoscaling_rec_instance *i, int32_t warmup_s, int64_t now_ms)
{
	(void)g;
	return str_is(i->state, "InService") && i->in_service.ms + warmup_s * 1000ll <= now_ms;
}

/* ── pages ── */

status as_page(struct call *c, void *list, size_t element_size, struct opt_i32 max, int32_t most, struct str token,
	struct str *next)
{
	struct {
		char *v;
		size_t n;
	} *l = list;
	uint64_t from = 0;
	if (max.has && (max.v < 1 || max.v > most))
		return AS_FAIL(c,
			"1 validation error detected: Value '%d' at 'maxRecords' failed to satisfy constraint: Member "
			"must "
			"have value %s than or equal to %d",
			max.v, max.v < 1 ? "greater" : "less", max.v < 1 ? 1 : most);
	if (str_has(token) && (!is_ok(str_to_u64(token, &from)) || from > l->n))
		return call_fail(c, AUTOSCALING_ERR_INVALID_NEXT_TOKEN, "The token '%.*s' is invalid.", STR_ARG(token));
	size_t size = max.has ? (size_t)max.v : (size_t)most;
	if (from) {
		l->v += from * element_size;
		l->n -= from;
	}
	if (l->n > size) {
		l->n = size;
		*next = str_fmt(c->arena, "%llu", (unsigned long long)(from + size));
	}
	return OK;
}

/* ── the door ── */

status autoscaling_group_of(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str instance, struct str *group)
{
	return as_instance_group((struct as_place){tx, a, account, region}, instance, group);
}
