/* The JSON that an alarm's topic gets ("Amazon SNS notification format" of alarms), and regions' names as it has them.
 */
#include "base/json.h"
#include "services/cloudwatch/alarm.h"

struct str cw_region_title(struct str region)
{
	static const char *const titles[][2] = {{"us-east-1", "US East (N. Virginia)"}, {"us-east-2", "US East (Ohio)"},
		{"us-west-1", "US West (N. California)"}, {"us-west-2", "US West (Oregon)"},
		{"eu-west-1", "EU (Ireland)"}, {"eu-west-2", "EU (London)"}, {"eu-west-3", "EU (Paris)"},
		{"eu-central-1", "EU (Frankfurt)"}, {"eu-central-2", "Europe (Zurich)"},
		{"eu-north-1", "EU (Stockholm)"}, {"eu-south-1", "Europe (Milan)"}, {"eu-south-2", "Europe (Spain)"},
		{"ap-south-1", "Asia Pacific (Mumbai)"}, {"ap-northeast-1", "Asia Pacific (Tokyo)"},
		{"ap-northeast-2", "Asia Pacific (Seoul)"}, {"ap-northeast-3", "Asia Pacific (Osaka)"},
		{"ap-southeast-1", "Asia Pacific (Singapore)"}, {"ap-southeast-2", "Asia Pacific (Sydney)"},
		{"ca-central-1", "Canada (Central)"}, {"sa-east-1", "South America (Sao Paulo)"}};
	for (size_t i = 0; i < sizeof(titles) / sizeof(*titles); i++)
		if (str_eq(region, str_c(titles[i][0]))) return str_c(titles[i][1]);
	return region;
}

static void member(struct buf *b, const char *name, struct str v)
{
	buf_fmt(b, "%s\"%s\":", b->n && b->p[b->n - 1] == '{' ? "" : ",", name);
	if (str_has(v))
		json_quote(b, v);
	else
		buf_lit(b, "null");
}

static void list(struct buf *b, const char *name, const struct cloudwatch_resource_list *l)
{
	buf_fmt(b, ",\"%s\":[", name);
	for (size_t i = 0; i < l->n; i++) {
		if (i) buf_byte(b, ',');
		json_quote(b, l->v[i]);
	}
	buf_byte(b, ']');
}

static void dimensions(struct buf *b, const struct cloudwatch_dimensions *d)
{
	buf_lit(b, "\"Dimensions\":[");
	for (size_t i = 0; i < d->n; i++) {
		buf_fmt(b, "%s{\"value\":", i ? "," : "");
		json_quote(b, d->v[i].value);
		buf_lit(b, ",\"name\":");
		json_quote(b, d->v[i].name);
		buf_byte(b, '}');
	}
	buf_byte(b, ']');
}

static struct str upper(struct arena *a, struct str s)
{
	/* Average ─▶ AVERAGE, SampleCount ─▶ SAMPLE_COUNT, as the message has it. */
	struct buf b = BUF_IN(a);
	if (str_is(s, "SampleCount")) return STR("SAMPLE_COUNT");
	for (size_t i = 0; i < s.n; i++) buf_byte(&b, s.p[i] >= 'a' && s.p[i] <= 'z' ? (char)(s.p[i] - 32) : s.p[i]);
	return buf_done(&b);
}

static void query(struct arena *a, struct buf *b, const struct cloudwatch_metric_data_query *q)
{
	buf_byte(b, '{');
	if (str_has(q->expression)) member(b, "Expression", q->expression);
	member(b, "Id", q->id);
	if (str_has(q->label)) member(b, "Label", q->label);
	if (q->metric_stat) {
		buf_lit(b, ",\"MetricStat\":{\"Metric\":{");
		dimensions(b, &q->metric_stat->metric->dimensions);
		member(b, "MetricName", q->metric_stat->metric->metric_name);
		member(b, "Namespace", q->metric_stat->metric->namespace);
		buf_fmt(b, "},\"Period\":%d", q->metric_stat->period.v);
		member(b, "Stat", q->metric_stat->stat);
		buf_byte(b, '}');
	}
	(void)a;
	buf_fmt(b, ",\"ReturnData\":%s}", !q->return_data.has || q->return_data.v ? "true" : "false");
}

static void trigger(struct arena *a, struct buf *b, const struct cloudwatch_metric_alarm *m)
{
	buf_lit(b, ",\"Trigger\":{");
	if (m->metrics.n) {
		buf_lit(b, "\"Metrics\":[");
		for (size_t i = 0; i < m->metrics.n; i++) {
			if (i) buf_byte(b, ',');
			query(a, b, &m->metrics.v[i]);
		}
		buf_byte(b, ']');
	} else {
		member(b, "MetricName", m->metric_name);
		member(b, "Namespace", m->namespace);
		member(b, "StatisticType", str_has(m->statistic) ? STR("Statistic") : STR("ExtendedStatistic"));
		if (str_has(m->statistic))
			member(b, "Statistic", upper(a, m->statistic));
		else
			member(b, "ExtendedStatistic", m->extended_statistic);
		member(b, "Unit", m->unit);
		buf_byte(b, ',');
		dimensions(b, &m->dimensions);
	}
	buf_fmt(b, ",\"Period\":%d,\"EvaluationPeriods\":%d", m->period.v, m->evaluation_periods.v);
	if (m->datapoints_to_alarm.has) buf_fmt(b, ",\"DatapointsToAlarm\":%d", m->datapoints_to_alarm.v);
	member(b, "ComparisonOperator", m->comparison_operator);
	buf_lit(b, ",\"Threshold\":");
	buf_f64(b, m->threshold.v);
	member(b, "TreatMissingData", str_or(m->treat_missing_data, STR("missing")));
	member(b, "EvaluateLowSampleCountPercentile", str_or(m->evaluate_low_sample_count_percentile, STR("")));
	buf_byte(b, '}');
}

struct str cw_alarm_message(struct arena *a, struct cw_alarm *alarm, struct str old_state, int64_t now_ms)
{
	struct cw_face f = cw_face(alarm);
	struct buf b = BUF_IN(a);
	buf_byte(&b, '{');
	member(&b, "AlarmName", f.name);
	member(&b, "AlarmDescription", f.description);
	member(&b, "AWSAccountId", alarm->account);
	member(&b, "AlarmConfigurationUpdatedTimestamp", cw_time_text(a, f.configured->ms));
	if (alarm->composite) member(&b, "AlarmRule", alarm->whole.alarm_rule);
	member(&b, "NewStateValue", *f.state);
	member(&b, "NewStateReason", *f.reason);
	member(&b, "StateChangeTime", cw_time_text(a, now_ms));
	member(&b, "Region", cw_region_title(alarm->region));
	member(&b, "AlarmArn", f.arn);
	member(&b, "OldStateValue", old_state);
	list(&b, "OKActions", f.ok);
	list(&b, "AlarmActions", f.alarm);
	list(&b, "InsufficientDataActions", f.insufficient);
	if (!alarm->composite) trigger(a, &b, &alarm->metric);
	buf_byte(&b, '}');
	return buf_done(&b);
}
