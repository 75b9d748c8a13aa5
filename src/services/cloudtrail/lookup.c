/* LookupEvents: the management events of this account and region, newest first ("LookupEvents", API reference). A token
 * tells the place after which the next page begins. */
#include "services/cloudtrail/room.h"

enum { PAGE_MAX = 50 };

struct lookup {
	struct call *c;
	struct str attribute, value; /* attribute STR_NONE: all */
	int64_t from, to;            /* inclusive */
	struct cloudtrail_lookup_events_response *out;
	size_t most, capacity;
	bool more;
	int64_t last_ms;
	struct str last_id;
};

/* Time and id of the last event that was told, in base64. */
static struct str token_of(struct lookup *l)
{
	struct key k = key_begin(l->c->arena);
	key_str(&k, str_or(l->attribute, STR("")));
	key_str(&k, str_or(l->value, STR("")));
	key_i64(&k, l->last_ms);
	key_str(&k, l->last_id);
	return str_base64(l->c->arena, key_done(&k));
}

static status read_token(struct lookup *l, struct str token)
{
	struct arena *a = l->c->arena;
	struct str bytes, attribute, value;
	if (is_ok(str_unbase64(a, token, &bytes)) && is_ok(key_read_str(a, &bytes, &attribute)) &&
		is_ok(key_read_str(a, &bytes, &value)) && is_ok(key_read_i64(&bytes, &l->last_ms)) &&
		is_ok(key_read_str(a, &bytes, &l->last_id)) && str_eq(attribute, str_or(l->attribute, STR(""))) &&
		str_eq(value, str_or(l->value, STR(""))))
		return OK;
	return CT_FAIL(l->c, INVALID_NEXT_TOKEN,
		"A token that is not valid, or a token that was previously used in a request with different "
		"parameters.");
}

static void tell(struct lookup *l, const struct cloudtrail_rec_event *e)
{
	struct cloudtrail_event *o = VEC_PUSH(l->c->arena, &l->out->events, &l->capacity);
	*o = (struct cloudtrail_event){
		.event_id = e->id,
		.event_name = e->name,
		.read_only = e->read_only.v ? STR("true") : STR("false"),
		.access_key_id = e->access_key,
		.event_time = SOME_TIME(e->time.ms / 1000 * 1000),
		.event_source = e->source,
		.username = e->username,
		.cloud_trail_event = e->text,
	};
	size_t capacity = 0;
	VEC_PRESENT(l->c->arena, &o->resources);
	for (size_t i = 0; i < e->resources.n; i++)
		*VEC_PUSH(l->c->arena, &o->resources, &capacity) = (struct cloudtrail_resource){
			.resource_type = e->resources.v[i].type, .resource_name = e->resources.v[i].name};
}

/* False where the page is full. */
static bool offer(struct lookup *l, struct str value)
{
	struct cloudtrail_rec_event e = {0};
	if (!is_ok(cloudtrail_rec_event_decode(l->c->arena, str_dup(l->c->arena, value), &e))) return true;
	if (str_has(l->attribute) && str_is(l->attribute, "ReadOnly") &&
		!str_eq(l->value, e.read_only.v ? STR("true") : STR("false")))
		return true;
	if (l->out->events.n == l->most) {
		l->more = true;
		return false;
	}
	tell(l, &e);
	l->last_ms = e.time.ms;
	l->last_id = e.id;
	return true;
}

/* The end (exclusive) of what is to be scanned: behind `to`, or before the last that was told. */
static struct str end_of(struct lookup *l, struct str space, bool resumed)
{
	struct key k = key_begin(l->c->arena);
	key_append(&k, space);
	key_i64(&k, resumed ? l->last_ms : l->to + 1);
	if (resumed) key_str(&k, l->last_id);
	return key_done(&k);
}

static struct str begin_of(struct lookup *l, struct str space)
{
	struct key k = key_begin(l->c->arena);
	key_append(&k, space);
	key_i64(&k, l->from);
	return key_done(&k);
}

static status scan_all(struct lookup *l, bool resumed)
{
	struct call *c = l->c;
	struct str space = ct_history_space(c->arena, c->account, c->region), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, begin_of(l, space), end_of(l, space, resumed), true);
	while (store_scan_next(scan, &key, &value) && offer(l, value)) continue;
	return store_scan_end(scan);
}

static status scan_index(struct lookup *l, bool resumed)
{
	struct call *c = l->c;
	struct arena *a = c->arena;
	struct str space = ct_history_by(a, c->account, c->region, l->attribute, l->value), key, value, bytes;
	struct store_scan *scan = store_scan_begin(c->tx, begin_of(l, space), end_of(l, space, resumed), true);
	bool room = true;
	while (room && store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(key, space.n), id;
		int64_t ms;
		TRY(key_read_i64(&rest, &ms));
		TRY(key_read_str(a, &rest, &id));
		status s = store_peek(c->tx, ct_history_event(a, c->account, c->region, ms, id), &bytes);
		if (is_ok(s)) room = offer(l, bytes);
	}
	return store_scan_end(scan);
}

static status check(struct lookup *l, const struct cloudtrail_lookup_events_request *in)
{
	struct call *c = l->c;
	if (in->lookup_attributes.n > 1)
		return CT_FAIL(c, INVALID_LOOKUP_ATTRIBUTES, "You can only specify one attribute for LookupEvents.");
	if (in->start_time.has && in->end_time.has && in->start_time.ms > in->end_time.ms)
		return CT_FAIL(c, INVALID_TIME_RANGE, "The start time %.*s occurs after the end time %.*s.",
			STR_ARG(time_iso8601(c->arena, in->start_time.ms, false)),
			STR_ARG(time_iso8601(c->arena, in->end_time.ms, false)));
	return OK;
}

status cloudtrail_lookup_events(struct call *c, const struct cloudtrail_lookup_events_request *in,
	struct cloudtrail_lookup_events_response *out)
{
	struct ct *ct = c->state;
	struct lookup l = {.c = c, .out = out, .attribute = STR_NONE, .value = STR_NONE};
	TRY(check(&l, in));
	if (!ct_limits_take(ct->limits, c->account, c->region)) return call_fail(c, ERR_THROTTLED, "Rate exceeded");
	if (in->lookup_attributes.n) {
		l.attribute = in->lookup_attributes.v[0].attribute_key;
		l.value = in->lookup_attributes.v[0].attribute_value;
	}
	l.from = c->now_ms - CT_HISTORY_DAYS * CT_DAY_MS;
	l.to = in->end_time.has ? in->end_time.ms + 999 : INT64_MAX - 1;
	if (in->start_time.has && in->start_time.ms > l.from) l.from = in->start_time.ms;
	l.most = in->max_results.has ? (size_t)in->max_results.v : PAGE_MAX;
	bool resumed = str_has(in->next_token) && in->next_token.n;
	if (resumed) TRY(read_token(&l, in->next_token));
	VEC_PRESENT(c->arena, &out->events);
	/* Insights are not computed: there are none to find. */
	if (str_has(in->event_category) && in->event_category.n) return OK;
	/* What this caller has done before is to be found: nothing was read yet, so the snapshot comes after. */
	ct_recorder_settle(ct->recorder);
	bool indexed = str_has(l.attribute) && !str_is(l.attribute, "ReadOnly");
	TRY(indexed ? scan_index(&l, resumed) : scan_all(&l, resumed));
	if (l.more) out->next_token = token_of(&l);
	return OK;
}
