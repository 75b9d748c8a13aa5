/* ListMetrics: metrics that had data within the past two weeks; 500 to a page. */
#include "services/cloudwatch/room.h"

enum { PAGE = 500 };

static bool passes(const struct cloudwatch_rec_metric *m, const struct cloudwatch_list_metrics_input *in)
{
	if (str_has(in->metric_name) && !str_eq(in->metric_name, m->name)) return false;
	for (size_t i = 0; i < in->dimensions.n; i++) {
		bool has = false;
		for (size_t k = 0; k < m->dimensions.n && !has; k++)
			has = str_eq(m->dimensions.v[k].name, in->dimensions.v[i].name) &&
			      (!str_has(in->dimensions.v[i].value) ||
				      str_eq(m->dimensions.v[k].value, in->dimensions.v[i].value));
		if (!has) return false;
	}
	return true;
}

static void show(struct call *c, const struct cloudwatch_rec_metric *m, struct cloudwatch_metric *out)
{
	size_t capacity = 0;
	out->namespace = m->space;
	out->metric_name = m->name;
	VEC_PRESENT(c->arena, &out->dimensions);
	for (size_t i = 0; i < m->dimensions.n; i++)
		*VEC_PUSH(c->arena, &out->dimensions, &capacity) =
			(struct cloudwatch_dimension){m->dimensions.v[i].name, m->dimensions.v[i].value};
}

status cloudwatch_list_metrics(
	struct call *c, const struct cloudwatch_list_metrics_input *in, struct cloudwatch_list_metrics_output *out)
{
	struct str after = STR_NONE, last = STR_NONE;
	struct cw_metrics w;
	struct cloudwatch_rec_metric m;
	size_t capacity = 0, owners = 0;
	status s = OK;
	int64_t since = c->now_ms - (str_has(in->recently_active) ? 3 * 3600000 + 10 * 60000 : 14 * CW_DAY_MS);
	VEC_PRESENT(c->arena, &out->metrics);
	if (str_has(in->next_token) && !is_ok(str_unbase64(c->arena, in->next_token, &after)))
		return CW_VALUE(c, "The value %.*s for parameter NextToken is invalid.", STR_ARG(in->next_token));
	if (str_has(in->owning_account) && !str_eq(in->owning_account, c->account)) return OK;
	cw_metrics_begin(&w, c->tx, c->arena, c->account, c->region, in->namespace, in->metric_name, after);
	while (cw_metrics_next(&w, &m, &s)) {
		if (m.updated.ms < since || !passes(&m, in)) continue;
		if (out->metrics.n == PAGE) {
			out->next_token = str_base64(c->arena, last);
			return store_scan_end(w.scan);
		}
		show(c, &m, VEC_PUSH(c->arena, &out->metrics, &capacity));
		if (in->include_linked_accounts.v) *VEC_PUSH(c->arena, &out->owning_accounts, &owners) = c->account;
		last = str_dup(c->arena, w.key);
	}
	return s;
}
