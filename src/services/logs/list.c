/* What groups there are, by pattern; which groups a query asked; and which fields a group's events have. */
#include "base/json.h"
#include "base/map.h"
#include "services/logs/chunk.h"
#include <stdlib.h>

enum { PAGE = 50, SAMPLE_MAX = 10000, FIELDS_MAX = 200, DEPTH_MAX = 32 };

/* ── ListLogGroups ── */

/* "^prefix" or "substring"; a dot stands for any character. */
static bool fits(struct str name, struct str part)
{
	bool anchored = str_starts(part, STR("^"));
	if (anchored) part = str_from(part, 1);
	for (size_t i = 0; i + part.n <= name.n; i++) {
		size_t k = 0;
		while (k < part.n && (part.p[k] == '.' || part.p[k] == name.p[i + k])) k++;
		if (k == part.n) return true;
		if (anchored) break;
	}
	return false;
}

static bool fits_any(struct str name, struct str pattern)
{
	while (str_has(pattern))
		if (fits(name, str_cut(&pattern, '|'))) return true;
	return false;
}

static bool has_tags(const struct logs_rec_group *g, const struct logs_tag_filters *filters)
{
	for (size_t i = 0; i < filters->n; i++) {
		struct str value = logs_get(&g->tags, filters->v[i].key);
		bool match = str_has(value) && !filters->v[i].values.n;
		for (size_t k = 0; k < filters->v[i].values.n && str_has(value); k++)
			match = match || str_eq(value, filters->v[i].values.v[k]);
		if (!match) return false;
	}
	return true;
}

status logs_list_log_groups(
	struct call *c, const struct logs_list_log_groups_input *in, struct logs_list_log_groups_output *out)
{
	struct str space = logs_key(c->arena, "group", c->account, c->region), after, key, value;
	size_t capacity = 0, most = in->limit.has ? (size_t)in->limit.v : PAGE;
	bool ours = !in->account_identifiers.n;
	status s = OK;
	if (in->data_sources.n || in->field_index_names.n)
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "Lists by data sources and field indexes are not implemented yet.");
	if (in->account_identifiers.n && !in->include_linked_accounts.v)
		return LOGS_FAIL(c, INVALID_PARAMETER, "accountIdentifiers needs includeLinkedAccounts.");
	for (size_t i = 0; i < in->account_identifiers.n; i++)
		ours = ours || str_eq(in->account_identifiers.v[i], c->account);
	TRY(logs_token(c, in->next_token, &after));
	VEC_PRESENT(c->arena, &out->log_groups);
	struct store_scan *scan = store_scan_begin(c->tx, space, key_after(c->arena, space), false);
	while (ours && is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct logs_rec_group g = {0};
		s = logs_rec_group_decode(c->arena, str_dup(c->arena, value), &g);
		if (!is_ok(s) || str_cmp(g.name, after) <= 0) continue;
		if (str_has(in->log_group_name_pattern) && !fits_any(g.name, in->log_group_name_pattern)) continue;
		if (str_has(in->log_group_class) && !str_eq(in->log_group_class, g.class)) continue;
		if (!has_tags(&g, &in->log_group_tags)) continue;
		if (out->log_groups.n == most) {
			out->next_token = str_base64(c->arena, out->log_groups.v[most - 1].log_group_name);
			break;
		}
		*VEC_PUSH(c->arena, &out->log_groups, &capacity) = (struct logs_log_group_summary){
			g.name, logs_group_arn(c->arena, c->account, c->region, g.name), g.class};
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

/* ── ListLogGroupsForQuery ── */

status logs_list_log_groups_for_query(struct call *c, const struct logs_list_log_groups_for_query_input *in,
	struct logs_list_log_groups_for_query_output *out)
{
	struct logs_rec_query q = {0};
	struct str bytes;
	uint64_t from = 0;
	size_t capacity = 0, most = in->max_results.has ? (size_t)in->max_results.v : PAGE;
	status s = store_get(c->tx, logs_key_of(c->arena, "query", c->account, c->region, in->query_id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return LOGS_FAIL(c, RESOURCE_NOT_FOUND, "The specified query does not exist.");
	TRY(s);
	TRY(logs_rec_query_decode(c->arena, bytes, &q));
	if (str_has(in->next_token) && !is_ok(str_to_u64(in->next_token, &from)))
		return LOGS_FAIL(c, INVALID_PARAMETER, "The specified nextToken is invalid.");
	VEC_PRESENT(c->arena, &out->log_group_identifiers);
	for (size_t i = (size_t)from; i < q.groups.n; i++) {
		if (out->log_group_identifiers.n == most) {
			out->next_token = str_fmt(c->arena, "%zu", i);
			break;
		}
		*VEC_PUSH(c->arena, &out->log_group_identifiers, &capacity) = q.groups.v[i];
	}
	return OK;
}

/* ── GetLogGroupFields ── */

struct count {
	struct str name;
	size_t n, last; /* events that have it; the last one that was counted */
};
struct counts {
	struct arena *a;
	struct map index;
	struct count **v;
	size_t n, capacity, event, in_event;
};

static void found(struct counts *k, struct str name)
{
	struct count *one = map_get(&k->index, name);
	if (!one) {
		one = arena_new(k->a, struct count);
		one->name = name;
		map_set(&k->index, name, one);
		*VEC_PUSH(k->a, k, &k->capacity) = one;
	}
	if (one->last == k->event) return;
	one->last = k->event;
	one->n++;
	k->in_event++;
}

/* "a.b", "list.0.c": as queries call them. At most 200 fields of an event ("Supported logs and discovered fields"). */
static void discover(struct counts *k, struct str path, const struct json_value *v, unsigned depth)
{
	size_t i = 0;
	bool list = json_is(v, JSON_IS_ARRAY);
	if (depth > DEPTH_MAX || k->in_event >= FIELDS_MAX) return;
	if (!list && !json_is(v, JSON_IS_OBJECT)) {
		if (path.n) found(k, path);
		return;
	}
	for (const struct json_value *m = v->first; m; m = m->next, i++) {
		struct str name = list ? str_fmt(k->a, "%zu", i) : m->name;
		discover(k, path.n ? str_fmt(k->a, "%.*s.%.*s", STR_ARG(path), STR_ARG(name)) : name, m, depth + 1);
	}
}

static int by_share(const void *x, const void *y)
{
	const struct count *a = *(struct count *const *)x, *b = *(struct count *const *)y;
	return a->n != b->n ? (a->n > b->n ? -1 : 1) : str_cmp(a->name, b->name);
}

/* "If you specify time, the 8 minutes before and 8 minutes after this time are searched. If you omit time, the most
 * recent 15 minutes up to the current time are searched." time is in seconds. */
static void span(const struct logs_get_log_group_fields_input *in, int64_t now_ms, struct logs_scan *s)
{
	int64_t at = in->time.v > INT64_MAX / 1000 ? INT64_MAX / 1000 * 1000 : in->time.v * 1000;
	s->from = in->time.has ? at - 8 * 60000 : now_ms - 15 * 60000;
	s->to = in->time.has ? at + 8 * 60000 : now_ms + 1;
}

status logs_get_log_group_fields(
	struct call *c, const struct logs_get_log_group_fields_input *in, struct logs_get_log_group_fields_output *out)
{
	static const char *const made[] = {"@ingestionTime", "@log", "@logStream", "@message", "@timestamp"};
	struct logs_rec_group g;
	struct logs_streams streams = {0};
	struct counts k = {.a = c->arena};
	struct str name;
	size_t capacity = 0;
	TRY(logs_group_name(c, in->log_group_name, in->log_group_identifier, &name));
	TRY(logs_group_load(c, name, &g));
	TRY(logs_streams_of(c->tx, c->arena, c->account, c->region, g.name, STR(""), &streams));
	struct logs_owner owner = {.cloud = c->cloud, .group = &g, .now_ms = c->now_ms};
	struct logs_scan s = {.tx = c->tx,
		.a = c->arena,
		.owner = &owner,
		.streams = &streams,
		.backwards = true,
		.limit = SAMPLE_MAX,
		.bytes = SIZE_MAX};
	span(in, c->now_ms, &s);
	int64_t kept = logs_kept_since(&g, c->now_ms);
	if (kept > s.from) s.from = kept;
	TRY(logs_sealed_failed(c, logs_scan(&s), &owner));
	map_init(&k.index);
	for (size_t i = 0; i < s.out.n; i++) {
		struct str text = str_trim(s.out.v[i].message);
		struct json_value *v = NULL;
		k.event = i + 1;
		for (size_t m = 0; m < sizeof(made) / sizeof(*made); m++) found(&k, str_c(made[m]));
		k.in_event = 0;
		if (str_starts(text, STR("{")) && is_ok(json_read(c->arena, text, &v))) discover(&k, STR(""), v, 0);
	}
	map_cleanup(&k.index, NULL);
	if (k.n) qsort(k.v, k.n, sizeof(*k.v), by_share);
	VEC_PRESENT(c->arena, &out->log_group_fields);
	for (size_t i = 0; i < k.n; i++)
		*VEC_PUSH(c->arena, &out->log_group_fields, &capacity) = (struct logs_log_group_field){
			k.v[i]->name, SOME_I32((int32_t)((k.v[i]->n * 100 + s.out.n / 2) / s.out.n))};
	return OK;
}
