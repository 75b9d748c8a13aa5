/* GetMetricData: up to 500 metrics and expressions at once; 100,800 data points to a page, unless MaxDatapoints says
 * fewer. */
#include "services/cloudwatch/math.h"
#include <math.h>

enum { POINTS_MAX = 100800 };

status cw_math_error(struct call *c, const struct cw_math *m, status s)
{
	if (status_is(s, STATUS_LIMIT)) return call_fail(c, ERR_NOT_IMPLEMENTED, "%.*s.", STR_ARG(m->why));
	if (!status_is(s, STATUS_INVALID)) return s;
	s = call_fail(c, ERR_VALIDATION, "%.*s", STR_ARG(m->why));
	/* The code of the query protocol, in all protocols: what is older than the others in this service. */
	c->failure.code = STR("ValidationError");
	c->failure.http_status = 400;
	return s;
}

struct page {
	struct call *c;
	const struct cloudwatch_get_metric_data_input *in;
	struct cloudwatch_get_metric_data_output *out;
	size_t capacity, skip, room; /* points of earlier pages that are passed over; that still fit */
	size_t seen;
	bool more;
};

static void show(struct page *p, const struct cw_math *m, const struct cw_series *s, struct str id)
{
	struct call *c = p->c;
	bool up = str_is(str_or(p->in->scan_by, STR("")), "TimestampAscending");
	size_t total = 0, here = 0, at = 0, times, values;
	for (size_t k = 0; k < m->axis.n; k++) total += !isnan(s->v[k]);
	size_t from = p->skip > p->seen ? p->skip - p->seen : 0;
	p->seen += total;
	if (from >= total && total && p->skip) return; /* told on an earlier page */
	if (!total && p->skip) return;
	struct cloudwatch_metric_data_result *r = VEC_PUSH(c->arena, &p->out->metric_data_results, &p->capacity);
	r->id = id;
	r->label = cw_label(c->arena, str_or(s->label, id), s, &m->axis, c->account, c->region);
	r->status_code = STR("Complete");
	size_t left = total - (from < total ? from : total);
	times = values = left < p->room ? left : p->room;
	r->timestamps.v = arena_array(c->arena, times, sizeof(*r->timestamps.v));
	r->values.v = arena_array(c->arena, values, sizeof(*r->values.v));
	for (size_t i = 0; i < m->axis.n; i++) {
		size_t k = up ? i : m->axis.n - 1 - i;
		if (isnan(s->v[k]) || at++ < from) continue;
		if (!p->room) {
			r->status_code = STR("PartialData");
			p->more = true;
			break;
		}
		p->room--;
		here++;
		*VEC_PUSH(c->arena, &r->timestamps, &times) =
			SOME_TIME((m->axis.from + (int64_t)k * m->axis.period) * 1000);
		*VEC_PUSH(c->arena, &r->values, &values) = SOME_F64(s->v[k]);
	}
}

status cloudwatch_get_metric_data(struct call *c, const struct cloudwatch_get_metric_data_input *in,
	struct cloudwatch_get_metric_data_output *out)
{
	struct cw_math m = {.a = c->arena,
		.tx = c->tx,
		.account = c->account,
		.region = c->region,
		.now = c->now_ms / 1000,
		.from = in->start_time.ms / 1000,
		.to = (in->end_time.ms + 999) / 1000,
		.queries = &in->metric_data_queries};
	struct page p = {.c = c, .in = in, .out = out, .room = POINTS_MAX};
	uint64_t skip = 0;
	VEC_PRESENT(c->arena, &out->metric_data_results);
	VEC_PRESENT(c->arena, &out->messages);
	if (in->start_time.ms >= in->end_time.ms)
		return cw_math_error(c,
			&(struct cw_math){
				.why = STR("The parameter StartTime must be less than the parameter EndTime.")},
			STATUS(INVALID));
	if (in->max_datapoints.has && (in->max_datapoints.v < 1 || in->max_datapoints.v > POINTS_MAX))
		return CW_VALUE(c, "The value %d for parameter MaxDatapoints is invalid.", in->max_datapoints.v);
	if (in->max_datapoints.has) p.room = (size_t)in->max_datapoints.v;
	if (str_has(in->next_token) && !is_ok(str_to_u64(in->next_token, &skip)))
		return CW_FAIL(c, INVALID_NEXT_TOKEN, "The value %.*s for parameter NextToken is invalid.",
			STR_ARG(in->next_token));
	p.skip = (size_t)skip;
	size_t room = p.room;
	status s = cw_math_prepare(&m);
	for (size_t i = 0; is_ok(s) && i < m.queries->n; i++) {
		const struct cloudwatch_metric_data_query *q = &m.queries->v[i];
		struct cw_value v;
		if (q->return_data.has && !q->return_data.v) continue;
		s = cw_math_run(&m, i, &v);
		for (size_t k = 0; is_ok(s) && k < v.n; k++) show(&p, &m, &v.v[k], q->id);
	}
	if (!is_ok(s)) return cw_math_error(c, &m, s);
	if (p.more) out->next_token = str_fmt(c->arena, "%zu", p.skip + room);
	return OK;
}
