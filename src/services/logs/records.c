/* Log groups and streams in the store, and what their ARNs tell. */
#include "services/logs/room.h"

struct str logs_key(struct arena *a, const char *kind, struct str account, struct str region)
{
	struct key k = key_for(a, STR("logs"), str_c(kind), account, region);
	return key_done(&k);
}

struct str logs_key_of(struct arena *a, const char *kind, struct str account, struct str region, struct str name)
{
	struct key k = key_for(a, STR("logs"), str_c(kind), account, region);
	key_str(&k, name);
	return key_done(&k);
}

struct str logs_key_in(
	struct arena *a, const char *kind, struct str account, struct str region, struct str group, struct str name)
{
	struct key k = key_for(a, STR("logs"), str_c(kind), account, region);
	key_str(&k, group);
	if (str_has(name)) key_str(&k, name);
	return key_done(&k);
}

struct str logs_group_arn(struct arena *a, struct str account, struct str region, struct str name)
{
	const char *partition = str_starts(region, STR("cn-"))       ? "aws-cn"
				: str_starts(region, STR("us-gov-")) ? "aws-us-gov"
								     : "aws";
	return str_fmt(
		a, "arn:%s:logs:%.*s:%.*s:log-group:%.*s", partition, STR_ARG(region), STR_ARG(account), STR_ARG(name));
}

status logs_group_name(struct call *c, struct str name, struct str identifier, struct str *out)
{
	struct str rest = str_or(identifier, name), part[6];
	if (str_has(name) && str_has(identifier))
		return LOGS_FAIL(
			c, INVALID_PARAMETER, "LogGroup name and LogGroup ARN are mutually exclusive parameters.");
	if (!str_has(rest))
		return LOGS_FAIL(c, INVALID_PARAMETER, "Either LogGroup name or LogGroup identifier is required.");
	*out = rest;
	if (!str_starts(rest, STR("arn:"))) return OK;
	for (int i = 0; i < 6; i++) part[i] = str_cut(&rest, ':');
	if (!str_has(rest) || !str_is(part[2], "logs") || !str_is(part[5], "log-group"))
		return LOGS_FAIL(c, INVALID_PARAMETER, "The log group ARN is malformed.");
	*out = str_cut(&rest, ':');
	if (!str_eq(part[3], c->region) || !str_eq(part[4], c->account))
		return LOGS_FAIL(c, RESOURCE_NOT_FOUND, "The specified log group does not exist.");
	return OK;
}

status logs_group_load(struct call *c, struct str name, struct logs_rec_group *out)
{
	struct str bytes;
	*out = (struct logs_rec_group){0};
	status s = store_get(c->tx, logs_key_of(c->arena, "group", c->account, c->region, name), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return LOGS_FAIL(c, RESOURCE_NOT_FOUND, "The specified log group does not exist.");
	TRY(s);
	return logs_rec_group_decode(c->arena, bytes, out);
}

void logs_group_put(struct call *c, const struct logs_rec_group *g)
{
	store_put(c->tx, logs_key_of(c->arena, "group", g->account, g->region, g->name),
		logs_rec_group_encode(c->arena, g));
}

status logs_stream_load(struct call *c, struct str group, struct str name, struct logs_rec_stream *out)
{
	struct str bytes;
	*out = (struct logs_rec_stream){0};
	status s = store_get(c->tx, logs_key_in(c->arena, "stream", c->account, c->region, group, name), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return LOGS_FAIL(c, RESOURCE_NOT_FOUND, "The specified log stream does not exist.");
	TRY(s);
	return logs_rec_stream_decode(c->arena, bytes, out);
}

status logs_streams_of(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str group,
	struct str prefix, struct logs_streams *out)
{
	struct str space = logs_key_in(a, "stream", account, region, group, STR_NONE),
		   from = key_with_prefix(a, space, prefix), key, value;
	status s = OK;
	struct store_scan *scan = store_scan_begin(tx, from, key_after_prefix(a, from), false);
	while (is_ok(s) && store_scan_next(scan, &key, &value))
		s = logs_rec_stream_decode(a, str_dup(a, value), VEC_PUSH(a, out, &out->capacity));
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

int64_t logs_kept_since(const struct logs_rec_group *g, int64_t now_ms)
{
	return g->retention_days.has ? now_ms - g->retention_days.v * LOGS_DAY_MS : INT64_MIN;
}

struct str logs_get(const struct logs_rec_strings *m, struct str name)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].key, name)) return m->v[i].value;
	return STR_NONE;
}

void logs_set(struct arena *a, struct logs_rec_strings *m, struct str name, struct str value)
{
	size_t capacity = 0;
	struct logs_rec_strings out = {0};
	for (size_t i = 0; i < m->n; i++)
		if (!str_eq(m->v[i].key, name)) *VEC_PUSH(a, &out, &capacity) = m->v[i];
	if (str_has(value)) {
		struct logs_rec_strings_entry *e = VEC_PUSH(a, &out, &capacity);
		e->key = name;
		e->value = value;
	}
	*m = out;
}

status logs_drop(struct store_tx *tx, struct arena *a, struct str space)
{
	struct str key, value;
	struct store_scan *scan = store_scan_begin(tx, space, key_after(a, space), false);
	while (store_scan_next(scan, &key, &value)) store_delete(tx, str_dup(a, key));
	return store_scan_end(scan);
}

status logs_token(struct call *c, struct str token, struct str *after)
{
	*after = STR("");
	if (!str_has(token)) return OK;
	return is_ok(str_unbase64(c->arena, token, after))
		       ? OK
		       : LOGS_FAIL(c, INVALID_PARAMETER, "The specified nextToken is invalid.");
}
