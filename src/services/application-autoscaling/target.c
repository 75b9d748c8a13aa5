/* Scalable targets: registered, changed, shown, deregistered; their tags. */
#include "base/rand.h"
#include "services/application-autoscaling/room.h"
#include "services/iam/door.h"

static struct str role_arn(const struct call *c)
{
	return str_fmt(c->arena,
		"arn:%.*s:iam::%.*s:role/aws-service-role/%.*s/AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
		STR_ARG(c->partition), STR_ARG(c->account), STR_ARG(AAS_PRINCIPAL));
}

static void poke(void *jobs)
{
	jobs_poke(jobs);
}

static status set_tags(struct call *c, struct aas_target *t, const struct application_autoscaling_tag_map *tags)
{
	struct application_autoscaling_rec_strings now = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < t->r.tags.n; i++) *VEC_PUSH(c->arena, &now, &capacity) = t->r.tags.v[i];
	for (size_t i = 0; i < tags->n; i++) {
		size_t k = 0;
		if (str_istarts(tags->v[i].key, STR("aws:")) && !c->system_tags)
			return AAS_FAIL(c, VALIDATION, "Tag keys that begin with aws: are reserved for system use.");
		while (k < now.n && !str_eq(now.v[k].key, tags->v[i].key)) k++;
		if (k == now.n) VEC_PUSH(c->arena, &now, &capacity)->key = tags->v[i].key;
		now.v[k].value = tags->v[i].value;
	}
	if (now.n > AAS_TAGS_MAX)
		return AAS_FAIL(c, TOO_MANY_TAGS, "A scalable target may have %d tags at most.", AAS_TAGS_MAX);
	t->r.tags = now;
	return OK;
}

status application_autoscaling_register_scalable_target(struct call *c,
	const struct application_autoscaling_register_scalable_target_input *in,
	struct application_autoscaling_register_scalable_target_output *out)
{
	struct aas_target t;
	int64_t current;
	bool busy;
	TRY(aas_check(c, in->service_namespace, in->resource_id, in->scalable_dimension));
	struct str what = aas_what(c->arena, in->service_namespace, in->resource_id, in->scalable_dimension);
	status s = aas_target_load(aas_here(c), what, &t);
	bool fresh = status_is(s, STATUS_NOT_FOUND);
	if (!fresh) TRY(s);
	if (fresh && (!in->min_capacity.has || !in->max_capacity.has))
		return AAS_FAIL(c, VALIDATION,
			"MinCapacity and MaxCapacity are required when a scalable target is registered.");
	if (fresh) {
		t.s.service_namespace = in->service_namespace;
		t.s.resource_id = in->resource_id;
		t.s.scalable_dimension = in->scalable_dimension;
		t.s.creation_time = SOME_TIME(c->now_ms);
		t.s.suspended_state = arena_new(c->arena, struct application_autoscaling_suspended_state);
		*t.s.suspended_state = (struct application_autoscaling_suspended_state){
			SOME_BOOL(false), SOME_BOOL(false), SOME_BOOL(false)};
		t.r.id = str_sub(rand_uuid(c->arena), 0, 36);
		t.s.scalable_target_arn =
			str_fmt(c->arena, "arn:%.*s:application-autoscaling:%.*s:%.*s:scalable-target/%.*s",
				STR_ARG(c->partition), STR_ARG(c->region), STR_ARG(c->account), STR_ARG(t.r.id));
	}
	if (in->min_capacity.has) t.s.min_capacity = in->min_capacity;
	if (in->max_capacity.has) t.s.max_capacity = in->max_capacity;
	if (in->suspended_state)
		wire_shape_copy(c->arena, AAS_TABLES, APPLICATION_AUTOSCALING_SHAPE_SUSPENDED_STATE,
			in->suspended_state, AAS_TABLES, APPLICATION_AUTOSCALING_SHAPE_SUSPENDED_STATE,
			t.s.suspended_state);
	/* "Application Auto Scaling creates a service-linked role … and uses it": also where another is named. */
	t.s.role_arn = role_arn(c);
	if (t.s.min_capacity.v < 1) return AAS_FAIL(c, VALIDATION, "Minimum capacity cannot be less than 1");
	if (t.s.max_capacity.v < t.s.min_capacity.v)
		return AAS_FAIL(c, VALIDATION, "Maximum capacity cannot be less than minimum capacity");
	s = aas_capacity(c->cloud, c->arena, aas_here(c), in->resource_id, in->scalable_dimension, &current, &busy);
	if (status_is(s, STATUS_NOT_FOUND))
		return AAS_FAIL(c, VALIDATION, "DynamoDB table does not exist: %.*s", STR_ARG(in->resource_id));
	if (status_is(s, STATUS_LIMIT))
		return AAS_FAIL(c, VALIDATION,
			"Auto scaling is not supported for tables with pay-per-request billing mode: %.*s",
			STR_ARG(in->resource_id));
	TRY(s);
	TRY(set_tags(c, &t, &in->tags));
	TRY(iam_service_role_ensure(c->tx, c->arena, c->account, AAS_PRINCIPAL, c->now_ms));
	if (in->min_capacity.has || in->max_capacity.has)
		aas_bound(&t, current,
			current < t.s.min_capacity.v
				? str_fmt(c->arena, "minimum capacity was set to %d", t.s.min_capacity.v)
				: str_fmt(c->arena, "maximum capacity was set to %d", t.s.max_capacity.v),
			c->now_ms);
	aas_target_put(&t);
	call_after_commit(c, poke, c->cloud->jobs);
	out->scalable_target_arn = t.s.scalable_target_arn;
	return OK;
}

status application_autoscaling_deregister_scalable_target(struct call *c,
	const struct application_autoscaling_deregister_scalable_target_input *in,
	struct application_autoscaling_deregister_scalable_target_output *out)
{
	struct aas_target t;
	(void)out;
	TRY(aas_target_find(c, in->service_namespace, in->resource_id, in->scalable_dimension, &t));
	/* "Deregistering a scalable target deletes the scaling policies and the scheduled actions that are associated
	 * with it" (the reference). */
	aas_policies_drop(c->cloud, &t);
	struct aas_each e = aas_each(t.at, "action", t.what);
	while (aas_next(&e)) {
		jobs_cancel(c->tx, STR(AAS_JOB_ACTION), aas_job_id(t.at, t.what, e.name));
		store_delete(c->tx, aas_key(t.at, "action", t.what, e.name));
	}
	TRY(aas_each_end(&e));
	jobs_cancel(c->tx, STR(AAS_JOB_SCALE), aas_job_id(t.at, t.what, STR_NONE));
	store_delete(c->tx, aas_prefix(t.at, "target", t.what));
	return OK;
}

status application_autoscaling_describe_scalable_targets(struct call *c,
	const struct application_autoscaling_describe_scalable_targets_input *in,
	struct application_autoscaling_describe_scalable_targets_output *out)
{
	size_t capacity = 0;
	struct aas_each e = aas_each(aas_here(c), "target", STR_NONE);
	status s = OK;
	while (is_ok(s) && aas_next(&e)) {
		struct aas_target t;
		if (!aas_concerns(e.what, in->service_namespace, STR_NONE, in->scalable_dimension)) continue;
		s = aas_target_load(aas_here(c), e.what, &t);
		bool named = !in->resource_ids.n;
		for (size_t i = 0; i < in->resource_ids.n; i++)
			named = named || str_eq(in->resource_ids.v[i], t.s.resource_id);
		if (is_ok(s) && named) *VEC_PUSH(c->arena, &out->scalable_targets, &capacity) = t.s;
	}
	status end = aas_each_end(&e);
	TRY(is_ok(s) ? end : s);
	VEC_PRESENT(c->arena, &out->scalable_targets);
	return aas_page(c, &out->scalable_targets, sizeof(*out->scalable_targets.v), in->max_results, in->next_token,
		&out->next_token);
}

/* ── tags ── */

static status by_arn(struct call *c, struct str arn, struct aas_target *out)
{
	struct aas_each e = aas_each(aas_here(c), "target", STR_NONE);
	bool found = false;
	status s = OK;
	while (is_ok(s) && !found && aas_next(&e)) {
		s = aas_target_load(aas_here(c), e.what, out);
		found = is_ok(s) && str_eq(out->s.scalable_target_arn, arn);
	}
	status end = aas_each_end(&e);
	TRY(is_ok(s) ? end : s);
	if (found) return OK;
	return AAS_FAIL(c, RESOURCE_NOT_FOUND, "The resource %.*s does not exist.", STR_ARG(arn));
}

status application_autoscaling_tag_resource(struct call *c, const struct application_autoscaling_tag_resource_input *in,
	struct application_autoscaling_tag_resource_output *out)
{
	struct aas_target t;
	(void)out;
	TRY(by_arn(c, in->resource_arn, &t));
	TRY(set_tags(c, &t, &in->tags));
	aas_target_put(&t);
	return OK;
}

status application_autoscaling_untag_resource(struct call *c,
	const struct application_autoscaling_untag_resource_input *in,
	struct application_autoscaling_untag_resource_output *out)
{
	struct aas_target t;
	struct application_autoscaling_rec_strings left = {0};
	size_t capacity = 0;
	(void)out;
	TRY(by_arn(c, in->resource_arn, &t));
	for (size_t i = 0; i < t.r.tags.n; i++) {
		bool goes = false;
		for (size_t k = 0; k < in->tag_keys.n; k++) goes = goes || str_eq(in->tag_keys.v[k], t.r.tags.v[i].key);
		if (!goes) *VEC_PUSH(c->arena, &left, &capacity) = t.r.tags.v[i];
	}
	t.r.tags = left;
	aas_target_put(&t);
	return OK;
}

status application_autoscaling_list_tags_for_resource(struct call *c,
	const struct application_autoscaling_list_tags_for_resource_input *in,
	struct application_autoscaling_list_tags_for_resource_output *out)
{
	struct aas_target t;
	size_t capacity = 0;
	TRY(by_arn(c, in->resource_arn, &t));
	for (size_t i = 0; i < t.r.tags.n; i++)
		*VEC_PUSH(c->arena, &out->tags, &capacity) =
			(struct application_autoscaling_tag_map_entry){t.r.tags.v[i].key, t.r.tags.v[i].value};
	VEC_PRESENT(c->arena, &out->tags);
	return OK;
}
