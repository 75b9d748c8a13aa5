/* What clients of CloudWatch write: the first byte chooses metric math, a search expression, a composite alarm's rule,
 * a statistic's name or a Metrics Insights query. What was read can be asked. */
#include "services/cloudwatch/alarm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void search(struct arena *a, struct str text)
{
	struct cw_search *s;
	struct cloudwatch_rec_dimension d[] = {{STR("InstanceId"), STR("i-1234")}, {STR("Host"), STR("web-1")}};
	struct cloudwatch_rec_metric m = {.space = STR("AWS/EC2"), .name = STR("CPUUtilization"), .dimensions = {d, 2}};
	if (!is_ok(cw_search_parse(a, text, &s))) return;
	(void)cw_search_passes(a, s, &m);
	(void)cw_search_space(s);
}

static void rule(struct arena *a, struct str text)
{
	struct cw_rule *r;
	struct cw_rule_names names = {0};
	struct str why;
	if (!is_ok(cw_rule_parse(a, text, &r, &why))) {
		INVARIANT(why.n > 0);
		return;
	}
	cw_rule_names(a, r, &names);
	struct str *states = arena_array(a, names.n + 1, sizeof(*states));
	for (size_t i = 0; i < names.n; i++) states[i] = STR("ALARM");
	(void)cw_rule_holds(r, &names, states);
}

static void stat(struct str text)
{
	struct cw_stat s;
	struct cw_pair pairs[] = {{1, 2}, {7, 1}, {3, 4}};
	struct cw_sum sum = {.n = 7, .sum = 21, .min = 1, .max = 7, .pairs = {pairs, 3, 3, false}};
	double v;
	if (cw_stat_read(text, &s)) (void)cw_stat_of(&s, &sum, &v);
}

static void select_query(struct arena *a, struct str text)
{
	struct cw_select *s;
	struct str why;
	if (is_ok(cw_select_parse(a, text, &s, &why)))
		(void)cw_select_groups(s);
	else
		INVARIANT(why.n > 0);
}

static void math(struct arena *a, struct str text)
{
	/* A constant expression can be evaluated without a store. */
	struct cloudwatch_metric_data_query q = {.id = STR("e"), .expression = text, .period = SOME_I32(60)};
	struct cloudwatch_metric_data_queries list = {&q, 1};
	struct cw_math m = {.a = a,
		.account = STR("000000000000"),
		.region = STR("us-east-1"),
		.now = 6000,
		.from = 0,
		.to = 600,
		.queries = &list};
	struct cw_value v;
	if (str_find(text, STR("SEARCH")) >= 0 || cw_select_is(str_trim(text))) return;
	status s = cw_math_prepare(&m);
	if (is_ok(s)) s = cw_math_run(&m, 0, &v);
	if (status_is(s, STATUS_INVALID)) INVARIANT(m.why.n > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena a;
	static bool ready;
	if (!ready) arena_init(&a);
	ready = true;
	if (size < 1) return 0;
	struct str text = str_n((const char *)data + 1, size - 1);
	switch (data[0] & 7) {
	case 0:
		math(&a, text);
		break;
	case 1:
		search(&a, text);
		break;
	case 2:
		rule(&a, text);
		break;
	case 4:
		select_query(&a, text);
		break;
	default:
		stat(text);
		break;
	}
	arena_reset(&a);
	return 0;
}
