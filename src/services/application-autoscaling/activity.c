/* Scaling activities of scalable targets, kept for six weeks ("Scaling activities", the guide). */
#include "base/rand.h"
#include "services/application-autoscaling/room.h"
#include <stdlib.h>

#define SHAPE APPLICATION_AUTOSCALING_SHAPE_SCALING_ACTIVITY

static struct str key_of(struct aas_target *t, int64_t at_ms, struct str id)
{
	struct key k = key_begin(t->at.a);
	key_append(&k, aas_prefix(t->at, "activity", t->what));
	key_i64(&k, at_ms);
	key_str(&k, id);
	return key_done(&k);
}

static void put(struct aas_target *t, const struct application_autoscaling_scaling_activity *s)
{
	struct application_autoscaling_rec_activity r = {.document = wire_shape_write(t->at.a, AAS_TABLES, SHAPE, s)};
	store_put(t->at.tx, key_of(t, s->start_time.ms, s->activity_id),
		application_autoscaling_rec_activity_encode(t->at.a, &r));
}

void aas_activity_begin(struct aas_target *t, int32_t capacity, struct str cause, int64_t now_ms)
{
	struct application_autoscaling_scaling_activity s = {.activity_id = rand_uuid(t->at.a),
		.service_namespace = t->s.service_namespace,
		.resource_id = t->s.resource_id,
		.scalable_dimension = t->s.scalable_dimension,
		.description =
			str_fmt(t->at.a, "Setting %.*s to %d.", STR_ARG(aas_unit(t->s.scalable_dimension)), capacity),
		.cause = cause,
		.start_time = SOME_TIME(now_ms),
		.status_code = STR("InProgress"),
		.status_message =
			str_fmt(t->at.a, "Successfully set %.*s to %d. Waiting for change to be fulfilled by dynamodb.",
				STR_ARG(aas_unit(t->s.scalable_dimension)), capacity)};
	put(t, &s);
	t->r.activity = s.activity_id;
	t->r.activity_at = SOME_TIME(now_ms);
}

status aas_activity_end(struct aas_target *t, bool well, struct str message, int64_t now_ms)
{
	struct application_autoscaling_rec_activity r = {0};
	struct application_autoscaling_scaling_activity s = {0};
	struct str bytes;
	if (!str_has(t->r.activity)) return OK;
	status found = store_get(t->at.tx, key_of(t, t->r.activity_at.ms, t->r.activity), &bytes);
	t->r.activity = STR_NONE;
	if (status_is(found, STATUS_NOT_FOUND)) return OK;
	TRY(found);
	TRY(application_autoscaling_rec_activity_decode(t->at.a, bytes, &r));
	TRY(aas_document(t->at, r.document, SHAPE, &s));
	s.status_code = well ? STR("Successful") : STR("Failed");
	s.status_message = message;
	s.end_time = SOME_TIME(now_ms);
	put(t, &s);
	return OK;
}

static int newest_first(const void *x, const void *y)
{
	const struct application_autoscaling_scaling_activity *a = x, *b = y;
	return a->start_time.ms < b->start_time.ms ? 1 : a->start_time.ms > b->start_time.ms ? -1 : 0;
}

status application_autoscaling_describe_scaling_activities(struct call *c,
	const struct application_autoscaling_describe_scaling_activities_input *in,
	struct application_autoscaling_describe_scaling_activities_output *out)
{
	size_t capacity = 0;
	if (str_has(in->scalable_dimension) && !str_has(in->resource_id))
		return AAS_FAIL(c, VALIDATION, "ResourceId is required when ScalableDimension is specified.");
	struct aas_each e = aas_each(aas_here(c), "activity", STR_NONE);
	status s = OK;
	while (is_ok(s) && aas_next(&e)) {
		struct application_autoscaling_rec_activity r = {0};
		struct application_autoscaling_scaling_activity a = {0};
		if (!aas_concerns(e.what, in->service_namespace, in->resource_id, in->scalable_dimension)) continue;
		s = application_autoscaling_rec_activity_decode(c->arena, e.value, &r);
		if (is_ok(s)) s = aas_document(aas_here(c), r.document, SHAPE, &a);
		if (is_ok(s) && a.start_time.ms + AAS_ACTIVITIES_MS > c->now_ms)
			*VEC_PUSH(c->arena, &out->scaling_activities, &capacity) = a;
	}
	status end = aas_each_end(&e);
	TRY(is_ok(s) ? end : s);
	VEC_PRESENT(c->arena, &out->scaling_activities);
	qsort(out->scaling_activities.v, out->scaling_activities.n, sizeof(*out->scaling_activities.v), newest_first);
	return aas_page(c, &out->scaling_activities, sizeof(*out->scaling_activities.v), in->max_results,
		in->next_token, &out->next_token);
}
