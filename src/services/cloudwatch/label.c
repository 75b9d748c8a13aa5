/* Dynamic labels: values of the series and properties of its metric within a label. */
#include "services/cloudwatch/math.h"
#include <math.h>

static struct str number(struct arena *a, double v)
{
	struct buf b = BUF_IN(a);
	if (isnan(v)) return STR("--");
	/* As the console shows numbers: at most three digits behind the point. */
	buf_f64(&b, round(v * 1000) / 1000);
	return buf_done(&b);
}

static double end_value(const struct cw_series *s, const struct cw_axis *axis, bool last)
{
	for (size_t i = 0; i < axis->n; i++) {
		double v = s->v[last ? axis->n - 1 - i : i];
		if (!isnan(v)) return v;
	}
	return NAN;
}

static struct str property(struct arena *a, struct str name, const struct cw_series *s, const struct cw_axis *axis,
	struct str account, struct str region)
{
	const struct cloudwatch_metric_stat *of = s->source;
	if (str_is(name, "AccountId")) return account;
	if (str_is(name, "Region")) return region;
	if (str_is(name, "Period")) return str_fmt(a, "%d", axis->period);
	if (!of) return STR_NONE;
	if (str_is(name, "MetricName")) return of->metric->metric_name;
	if (str_is(name, "Namespace")) return of->metric->namespace;
	if (str_is(name, "Stat")) return of->stat;
	if (!str_starts(name, STR("Dim."))) return STR_NONE;
	for (size_t i = 0; i < of->metric->dimensions.n; i++)
		if (str_eq(of->metric->dimensions.v[i].name, str_from(name, 4)))
			return of->metric->dimensions.v[i].value;
	return STR_NONE;
}

static struct str value(struct arena *a, struct str name, const struct cw_series *s, const struct cw_axis *axis,
	struct str account, struct str region)
{
	static const struct {
		const char *name;
		char how;
	} reduced[] = {{"AVG", 'a'}, {"DATAPOINT_COUNT", 'n'}, {"MAX", '>'}, {"MIN", '<'}, {"SUM", 's'}};
	for (size_t i = 0; i < sizeof(reduced) / sizeof(*reduced); i++)
		if (str_eq(name, str_c(reduced[i].name))) return number(a, cw_reduce(s->v, axis->n, reduced[i].how));
	if (str_is(name, "FIRST")) return number(a, end_value(s, axis, false));
	if (str_is(name, "LAST")) return number(a, end_value(s, axis, true));
	if (str_is(name, "LABEL")) return s->source ? s->source->metric->metric_name : s->id;
	if (str_starts(name, STR("PROP('")) && str_ends(name, STR("')")))
		return property(a, str_sub(name, 6, name.n - 8), s, axis, account, region);
	return STR_NONE;
}

struct str cw_label(struct arena *a, struct str label, const struct cw_series *s, const struct cw_axis *axis,
	struct str account, struct str region)
{
	struct buf b = BUF_IN(a);
	if (str_find(label, STR("${")) < 0) return label;
	while (label.n) {
		ptrdiff_t from = str_find(label, STR("${")),
			  to = from < 0 ? -1 : str_chr(str_from(label, (size_t)from), '}');
		if (to < 0) break;
		struct str name = str_sub(label, (size_t)from + 2, (size_t)to - 2),
			   v = value(a, name, s, axis, account, region);
		buf_str(&b, str_sub(label, 0, (size_t)from));
		buf_str(&b, str_has(v) ? v : str_sub(label, (size_t)from, (size_t)to + 1));
		label = str_from(label, (size_t)(from + to) + 1);
	}
	buf_str(&b, label);
	return buf_done(&b);
}
