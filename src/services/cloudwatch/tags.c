/* Tags of alarms, dashboards and alarm mute rules. */
#include "services/cloudwatch/alarm.h"
#include "services/cloudwatch/dashboard.h"

struct tagged {
	bool dashboard, mute;
	struct cw_alarm alarm;
	struct cloudwatch_rec_dashboard board;
	struct cloudwatch_rec_mute rule;
	struct cloudwatch_rec_tags *tags;
};

static status find(struct call *c, struct str arn, struct tagged *out)
{
	struct str rest = arn, part[6];
	status s = STATUS(NOT_FOUND);
	*out = (struct tagged){0};
	for (int i = 0; i < 5; i++) part[i] = str_cut(&rest, ':');
	if (!str_is(part[0], "arn") || !str_has(part[2]) || !str_is(part[2], "cloudwatch") || !str_has(rest))
		return CW_VALUE(c, "The value %.*s for parameter ResourceARN is invalid.", STR_ARG(arn));
	if (str_eq(part[4], c->account) && str_starts(rest, STR("alarm:"))) {
		s = cw_alarm_get(c->tx, c->arena, c->account, part[3], str_from(rest, 6), &out->alarm);
		out->tags = &out->alarm.r.tags;
	} else if (str_eq(part[4], c->account) && str_starts(rest, STR("dashboard/"))) {
		out->dashboard = true;
		s = cw_dashboard_get(c, str_from(rest, 10), &out->board);
		out->tags = &out->board.tags;
	} else if (str_eq(part[4], c->account) && str_starts(rest, STR("alarm-mute-rule:"))) {
		out->mute = true;
		s = cw_mute_get(c, str_from(rest, 16), &out->rule);
		out->tags = &out->rule.tags;
	}
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	s = CW_FAIL(c, RESOURCE_NOT_FOUND_EXCEPTION, "The resource %.*s does not exist.", STR_ARG(arn));
	struct cloudwatch_resource_not_found_exception *members =
		arena_new(c->arena, struct cloudwatch_resource_not_found_exception);
	members->resource_id = arn;
	members->resource_type = out->dashboard ? STR("dashboard") : out->mute ? STR("alarm-mute-rule") : STR("alarm");
	call_fail_members(c, members);
	return s;
}

static void put(struct call *c, struct tagged *t)
{
	if (t->dashboard)
		cw_dashboard_put(c, &t->board);
	else if (t->mute)
		cw_mute_put(c, &t->rule);
	else
		cw_alarm_put(c->tx, c->arena, &t->alarm);
}

status cloudwatch_tag_resource(
	struct call *c, const struct cloudwatch_tag_resource_input *in, struct cloudwatch_tag_resource_output *out)
{
	struct tagged t;
	(void)out;
	TRY(find(c, in->resource_arn, &t));
	TRY(cw_tags_read(c, &in->tags, t.tags));
	put(c, &t);
	return OK;
}

status cloudwatch_untag_resource(
	struct call *c, const struct cloudwatch_untag_resource_input *in, struct cloudwatch_untag_resource_output *out)
{
	struct tagged t;
	size_t n = 0;
	(void)out;
	TRY(find(c, in->resource_arn, &t));
	for (size_t i = 0; i < t.tags->n; i++) {
		bool gone = false;
		for (size_t k = 0; k < in->tag_keys.n && !gone; k++) gone = str_eq(t.tags->v[i].key, in->tag_keys.v[k]);
		if (!gone) t.tags->v[n++] = t.tags->v[i];
	}
	t.tags->n = n;
	put(c, &t);
	return OK;
}

status cloudwatch_list_tags_for_resource(struct call *c, const struct cloudwatch_list_tags_for_resource_input *in,
	struct cloudwatch_list_tags_for_resource_output *out)
{
	struct tagged t;
	size_t capacity = 0;
	TRY(find(c, in->resource_arn, &t));
	VEC_PRESENT(c->arena, &out->tags);
	for (size_t i = 0; i < t.tags->n; i++)
		*VEC_PUSH(c->arena, &out->tags, &capacity) =
			(struct cloudwatch_tag){t.tags->v[i].key, t.tags->v[i].value};
	return OK;
}
