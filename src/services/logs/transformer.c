/* PutTransformer, GetTransformer, DeleteTransformer, TestTransformer; and what a group's transformer makes of a batch.
 *
 *     ("logs", "transformer", account, region, group)    the API's GetTransformerResponse in JSON */
#include "services/logs/transform.h"

#define TABLES (&wire_service_logs.tables)

static status refuse(struct call *c, status s, struct str why)
{
	if (status_is(s, STATUS_LIMIT)) return call_fail(c, ERR_NOT_IMPLEMENTED, "%.*s", STR_ARG(why));
	return status_is(s, STATUS_INVALID) ? LOGS_FAIL(c, INVALID_PARAMETER, "%.*s", STR_ARG(why)) : s;
}

static struct str key_of(struct call *c, struct str group)
{
	return logs_key_of(c->arena, "transformer", c->account, c->region, group);
}

static status load(struct call *c, struct str group, struct logs_get_transformer_response *out)
{
	struct str bytes;
	*out = (struct logs_get_transformer_response){0};
	TRY(store_get(c->tx, key_of(c, group), &bytes));
	return wire_json_to(c->arena, TABLES, LOGS_SHAPE_GET_TRANSFORMER_RESPONSE, bytes, out);
}

status logs_put_transformer(
	struct call *c, const struct logs_put_transformer_input *in, struct logs_put_transformer_output *out)
{
	struct logs_transformer *t;
	struct logs_get_transformer_response kept;
	struct logs_rec_group g;
	struct str name, why;
	(void)out;
	TRY(logs_group_name(c, STR_NONE, in->log_group_identifier, &name));
	TRY(logs_group_load(c, name, &g));
	if (str_has(g.class) && !str_is(g.class, "STANDARD"))
		return LOGS_FAIL(c, INVALID_OPERATION, "Transformers need a log group of the Standard class.");
	status s = logs_transformer_read(c->arena, &in->transformer_config, &t, &why);
	logs_transformer_end(t);
	if (!is_ok(s)) return refuse(c, s, why);
	s = load(c, name, &kept);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (!is_ok(s)) kept.creation_time = SOME_I64(c->now_ms);
	kept.log_group_identifier = in->log_group_identifier;
	kept.last_modified_time = SOME_I64(c->now_ms);
	kept.transformer_config = in->transformer_config;
	store_put(c->tx, key_of(c, name), wire_json_of(c->arena, TABLES, LOGS_SHAPE_GET_TRANSFORMER_RESPONSE, &kept));
	g.transformed = SOME_BOOL(true); /* from now on there may be chunks with a transformed twin */
	logs_group_put(c, &g);
	return OK;
}

status logs_get_transformer(
	struct call *c, const struct logs_get_transformer_input *in, struct logs_get_transformer_output *out)
{
	struct logs_rec_group g;
	struct str name;
	TRY(logs_group_name(c, STR_NONE, in->log_group_identifier, &name));
	TRY(logs_group_load(c, name, &g));
	status s = load(c, name, out);
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

status logs_delete_transformer(
	struct call *c, const struct logs_delete_transformer_input *in, struct logs_delete_transformer_output *out)
{
	struct logs_rec_group g;
	struct logs_get_transformer_response kept;
	struct str name;
	(void)out;
	TRY(logs_group_name(c, STR_NONE, in->log_group_identifier, &name));
	TRY(logs_group_load(c, name, &g));
	status s = load(c, name, &kept);
	if (status_is(s, STATUS_NOT_FOUND))
		return LOGS_FAIL(c, RESOURCE_NOT_FOUND, "The log group has no transformer.");
	TRY(s);
	store_delete(c->tx, key_of(c, name));
	return OK;
}

status logs_test_transformer(
	struct call *c, const struct logs_test_transformer_input *in, struct logs_test_transformer_output *out)
{
	struct logs_transformer *t;
	struct str why;
	struct logs_origin o = {c->account, c->region, STR("TestLogGroup"), STR("TestLogStream")};
	size_t capacity = 0;
	status s = logs_transformer_read(c->arena, &in->transformer_config, &t, &why);
	if (!is_ok(s)) {
		logs_transformer_end(t);
		return refuse(c, s, why);
	}
	VEC_PRESENT(c->arena, &out->transformed_logs);
	for (size_t i = 0; i < in->log_event_messages.n; i++)
		*VEC_PUSH(c->arena, &out->transformed_logs, &capacity) =
			(struct logs_transformed_log_record){SOME_I64((int64_t)i + 1), in->log_event_messages.v[i],
				str_or(logs_transform(t, c->arena, &o, in->log_event_messages.v[i]), STR(""))};
	logs_transformer_end(t);
	return OK;
}

status logs_transform_batch(struct call *c, const struct logs_rec_group *g, struct str stream,
	const struct logs_input_log_event *v, size_t n, const struct logs_input_log_event **out)
{
	struct logs_get_transformer_response kept;
	struct logs_transformer *t;
	struct str why;
	struct logs_origin o = {g->account, g->region, g->name, stream};
	*out = NULL;
	if (!g->transformed.v) return OK;
	status s = load(c, g->name, &kept);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	struct logs_input_log_event *made = arena_copy(c->arena, v, n * sizeof(*v));
	s = logs_transformer_read(c->arena, &kept.transformer_config, &t, &why);
	for (size_t i = 0; is_ok(s) && i < n; i++) {
		struct str text = logs_transform(t, c->arena, &o, v[i].message);
		if (str_has(text)) made[i].message = text; /* what cannot be parsed stays as it is */
	}
	logs_transformer_end(t);
	TRY(s);
	*out = made;
	return OK;
}
