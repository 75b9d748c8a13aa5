/* Application Auto Scaling's records: keys, targets, scans, pages. */
#include "services/application-autoscaling/room.h"

#define SERVICE STR("application-autoscaling")

struct str aas_what(struct arena *a, struct str space, struct str resource, struct str dimension)
{
	return str_fmt(a, "%.*s|%.*s|%.*s", STR_ARG(space), STR_ARG(resource), STR_ARG(dimension));
}

struct str aas_prefix(struct aas_place at, const char *kind, struct str what)
{
	struct key k = key_for(at.a, SERVICE, str_c(kind), at.account, at.region);
	if (str_has(what)) key_str(&k, what);
	return key_done(&k);
}

struct str aas_key(struct aas_place at, const char *kind, struct str what, struct str name)
{
	struct key k = key_for(at.a, SERVICE, str_c(kind), at.account, at.region);
	key_str(&k, what);
	key_str(&k, name);
	return key_done(&k);
}

status aas_document(struct aas_place at, struct str text, uint16_t shape, void *out)
{
	return wire_shape_read(at.a, AAS_TABLES, shape, text, out);
}

/* ── targets ── */

status aas_target_load(struct aas_place at, struct str what, struct aas_target *out)
{
	struct str bytes;
	*out = (struct aas_target){.at = at, .what = what};
	TRY(store_get(at.tx, aas_prefix(at, "target", what), &bytes));
	TRY(application_autoscaling_rec_target_decode(at.a, bytes, &out->r));
	return aas_document(at, out->r.document, APPLICATION_AUTOSCALING_SHAPE_SCALABLE_TARGET, &out->s);
}

void aas_target_put(struct aas_target *t)
{
	t->r.document = wire_shape_write(t->at.a, AAS_TABLES, APPLICATION_AUTOSCALING_SHAPE_SCALABLE_TARGET, &t->s);
	store_put(t->at.tx, aas_prefix(t->at, "target", t->what),
		application_autoscaling_rec_target_encode(t->at.a, &t->r));
}

status aas_check(struct call *c, struct str space, struct str resource, struct str dimension)
{
	if (!str_is(space, "dynamodb"))
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "Scalable targets of %.*s are not implemented.", STR_ARG(space));
	ptrdiff_t index = str_find(resource, STR("/index/"));
	bool table = str_starts(resource, STR("table/"));
	bool of_table = str_starts(dimension, STR("dynamodb:table:")),
	     of_index = str_starts(dimension, STR("dynamodb:index:"));
	if (!of_table && !of_index)
		return AAS_FAIL(c, VALIDATION, "Unsupported service namespace, resource type or scalable dimension");
	if (!table || (index > 0) != of_index)
		return AAS_FAIL(c, VALIDATION, "Unsupported resource type for scalable dimension %.*s: %.*s",
			STR_ARG(dimension), STR_ARG(resource));
	return OK;
}

status aas_target_find(
	struct call *c, struct str space, struct str resource, struct str dimension, struct aas_target *out)
{
	TRY(aas_check(c, space, resource, dimension));
	status s = aas_target_load(aas_here(c), aas_what(c->arena, space, resource, dimension), out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return AAS_FAIL(c, OBJECT_NOT_FOUND,
		"No scalable target registered for namespace: %.*s, resource ID: %.*s, scalable dimension: %.*s",
		STR_ARG(space), STR_ARG(resource), STR_ARG(dimension));
}

/* ── jobs ── */

struct str aas_job_id(struct aas_place at, struct str what, struct str name)
{
	struct key k = key_begin(at.a);
	key_str(&k, at.account);
	key_str(&k, at.region);
	key_str(&k, what);
	if (str_has(name)) key_str(&k, name);
	return key_done(&k);
}

status aas_job_read(struct arena *a, const struct job *job, struct aas_place *at, struct str *what, struct str *name)
{
	struct str rest = str_dup(a, job->id);
	*at = (struct aas_place){.a = a};
	*name = STR_NONE;
	TRY(key_read_str(a, &rest, &at->account));
	TRY(key_read_str(a, &rest, &at->region));
	TRY(key_read_str(a, &rest, what));
	return rest.n ? key_read_str(a, &rest, name) : OK;
}

void aas_schedule(
	struct aas_place at, const char *kind, struct str what, struct str name, struct str payload, int64_t due_ms)
{
	struct str id = aas_job_id(at, what, name);
	jobs_schedule(at.tx, &(struct job){.kind = str_c(kind), .id = id, .due_ms = due_ms, .payload = payload});
}

/* ── scans ── */

bool aas_concerns(struct str what, struct str space, struct str resource, struct str dimension)
{
	struct str s = str_cut(&what, '|'), r = str_cut(&what, '|');
	return str_eq(s, space) && (!str_has(resource) || str_eq(r, resource)) &&
	       (!str_has(dimension) || str_eq(what, dimension));
}

struct aas_each aas_each(struct aas_place at, const char *kind, struct str what)
{
	struct str from = aas_prefix(at, kind, what);
	return (struct aas_each){.at = at, .scan = store_scan_begin(at.tx, from, key_after(at.a, from), false)};
}

bool aas_next(struct aas_each *e)
{
	struct str key, skipped;
	if (!store_scan_next(e->scan, &key, &e->value)) return false;
	struct str rest = str_dup(e->at.a, key);
	bool well = true;
	e->value = str_dup(e->at.a, e->value);
	for (unsigned i = 0; i < 4 && well; i++) well = is_ok(key_read_str(e->at.a, &rest, &skipped));
	if (!well || !is_ok(key_read_str(e->at.a, &rest, &e->what))) e->what = STR("");
	if (!rest.n || !is_ok(key_read_str(e->at.a, &rest, &e->name))) e->name = STR_NONE;
	return true;
}

status aas_each_end(struct aas_each *e)
{
	return store_scan_end(e->scan);
}

status aas_page(struct call *c, void *list, size_t element_size, struct opt_i32 max, struct str token, struct str *next)
{
	struct {
		char *v;
		size_t n;
	} *l = list;
	uint64_t from = 0;
	if (max.has && (max.v < 1 || max.v > AAS_PAGE))
		return AAS_FAIL(c, VALIDATION, "MaxResults must be between 1 and %d", AAS_PAGE);
	if (str_has(token) && (!is_ok(str_to_u64(token, &from)) || from > l->n))
		return AAS_FAIL(c, INVALID_NEXT_TOKEN, "Invalid nextToken: %.*s", STR_ARG(token));
	size_t size = max.has ? (size_t)max.v : AAS_PAGE;
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
