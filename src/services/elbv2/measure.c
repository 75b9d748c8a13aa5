/* Metrics of balancers, from their nodes' counters ("CloudWatch metrics for your Application Load Balancer", the ALB
 * guide; the NLB guide's likewise). Each look puts what was counted since the last one; a reload begins at zero again,
 * and what the former process counted after its last look is lost. */
#include "base/map.h"
#include "services/cloudwatch/metrics.h"
#include "services/elbv2/node.h"
#include <stdlib.h>

struct points {
	struct metric_point *v;
	size_t n, capacity;
};
struct measuring {
	struct arena *a;
	struct map *counters;
	struct ec2_place at;
	const struct elbv2_rec_balancer *b;
	struct str folder, balancer;
	int64_t now_ms;
	struct points points;
};

/* How much a counter has grown; the first look only remembers it. */
static int64_t grown(struct measuring *m, struct str line_name, const char *column, struct str text)
{
	int64_t now = 0;
	if (!is_ok(str_to_i64(text, &now)) || now < 0) return 0;
	struct str key = str_fmt(m->a, "%.*s %.*s %s", STR_ARG(m->folder), STR_ARG(line_name), column);
	int64_t *last = map_get(m->counters, key);
	if (!last) {
		last = mem_new(sizeof(*last));
		*last = now;
		map_set(m->counters, key, last);
		return 0;
	}
	int64_t more = now >= *last ? now - *last : now;
	*last = now;
	return more;
}

static void put(struct measuring *m, const char *name, struct str group, bool with_balancer, const char *unit,
	double value, double times)
{
	struct metric *metric = arena_new(m->a, struct metric);
	struct metric_dimension *d = arena_new_n(m->a, struct metric_dimension, 2);
	size_t n = 0;
	if (with_balancer) d[n++] = (struct metric_dimension){STR("LoadBalancer"), m->balancer};
	if (str_has(group)) d[n++] = (struct metric_dimension){STR("TargetGroup"), group};
	*metric = (struct metric){.account = m->at.account,
		.region = m->at.region,
		.space = elbv2_is_app(m->b) ? STR("AWS/ApplicationELB") : STR("AWS/NetworkELB"),
		.name = str_c(name),
		.dimensions = d,
		.n_dimensions = n};
	*VEC_PUSH(m->a, &m->points, &m->points.capacity) = (struct metric_point){
		.metric = metric, .at_ms = m->now_ms, .unit = unit, .value = value, .times = times};
}

struct counted {
	int64_t requests, connections, bytes, codes[6]; /* codes[4]: 4xx */
	int64_t response_ms_requests;
	double response_ms;
	int64_t up, down;
};

static void count_line(struct measuring *m, const struct elbv2_table *t, struct str line, struct counted *c)
{
	static const char *const codes[] = {NULL, "hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx"};
	struct str name = str_fmt(
		m->a, "%.*s/%.*s", STR_ARG(elbv2_column(t, line, "pxname")), STR_ARG(elbv2_column(t, line, "svname")));
	bool front = str_is(elbv2_column(t, line, "type"), "0");
	int64_t requests =
		grown(m, name, "requests", elbv2_column(t, line, front && elbv2_is_app(m->b) ? "req_tot" : "stot"));
	c->requests += requests;
	c->connections += grown(m, name, "connections", elbv2_column(t, line, "conn_tot"));
	c->bytes += grown(m, name, "in", elbv2_column(t, line, "bin")) +
		    grown(m, name, "out", elbv2_column(t, line, "bout"));
	for (size_t i = 1; i < 6; i++) c->codes[i] += grown(m, name, codes[i], elbv2_column(t, line, codes[i]));
	if (front || !requests) return;
	c->response_ms += (double)requests * elbv2_number(elbv2_column(t, line, "rtime"), 0);
	c->response_ms_requests += requests;
}

static void put_codes(struct measuring *m, struct str group, const struct counted *c)
{
	static const char *const names[] = {NULL, NULL, "HTTPCode_Target_2XX_Count", "HTTPCode_Target_3XX_Count",
		"HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count"};
	for (size_t i = 2; i < 6; i++)
		if (c->codes[i]) put(m, names[i], group, true, "Count", (double)c->codes[i], 1);
	if (c->response_ms_requests)
		put(m, "TargetResponseTime", group, true, "Seconds",
			c->response_ms / (double)c->response_ms_requests / 1000, (double)c->response_ms_requests);
}

static void put_group(struct measuring *m, const struct elbv2_rec_group *g, const struct counted *c)
{
	struct str name = str_fmt(m->a, "targetgroup/%.*s/%.*s", STR_ARG(g->target_group_name), STR_ARG(g->id));
	if (c->up + c->down) {
		put(m, "HealthyHostCount", name, true, "Count", (double)c->up, 1);
		put(m, "UnHealthyHostCount", name, true, "Count", (double)c->down, 1);
	}
	if (!elbv2_is_app(m->b) || !c->requests) return;
	double each = (double)c->requests / (double)(c->up ? c->up : 1);
	put(m, "RequestCount", name, true, "Count", (double)c->requests, 1);
	put(m, "RequestCountPerTarget", name, true, "Count", each, 1);
	put(m, "RequestCountPerTarget", name, false, "Count", each, 1);
	put_codes(m, name, c);
}

static void put_balancer(struct measuring *m, const struct counted *front, const struct counted *targets)
{
	if (!elbv2_is_app(m->b)) {
		if (front->connections) put(m, "NewFlowCount", STR_NONE, true, "Count", (double)front->connections, 1);
		if (front->bytes) put(m, "ProcessedBytes", STR_NONE, true, "Bytes", (double)front->bytes, 1);
		return;
	}
	if (front->requests) put(m, "RequestCount", STR_NONE, true, "Count", (double)front->requests, 1);
	if (front->connections) put(m, "NewConnectionCount", STR_NONE, true, "Count", (double)front->connections, 1);
	if (front->bytes) put(m, "ProcessedBytes", STR_NONE, true, "Bytes", (double)front->bytes, 1);
	/* What the targets have not said, the balancer has. */
	int64_t own4 = front->codes[4] - targets->codes[4], own5 = front->codes[5] - targets->codes[5];
	if (own4 > 0) put(m, "HTTPCode_ELB_4XX_Count", STR_NONE, true, "Count", (double)own4, 1);
	if (own5 > 0) put(m, "HTTPCode_ELB_5XX_Count", STR_NONE, true, "Count", (double)own5, 1);
	put_codes(m, STR_NONE, targets);
}

static void add(struct counted *to, const struct counted *c)
{
	for (size_t i = 1; i < 6; i++) to->codes[i] += c->codes[i];
	to->response_ms += c->response_ms;
	to->response_ms_requests += c->response_ms_requests;
}

void elbv2_measure(struct elbv2 *e, struct map *counters, struct ec2_place at, const struct elbv2_rec_balancer *b,
	const struct elbv2_rec_zone *zone)
{
	struct measuring m = {.a = at.a,
		.counters = counters,
		.at = at,
		.b = b,
		.folder = elbv2_folder(at.a, zone->eni),
		.now_ms = clock_now(e->cloud->clock)};
	struct elbv2_socket s = {e->cloud, m.folder};
	struct counted front = {0}, targets = {0};
	struct str text, line;
	m.balancer = str_fmt(at.a, "%s/%.*s/%.*s", elbv2_is_app(b) ? "app" : "net", STR_ARG(b->name), STR_ARG(b->id));
	if (!is_ok(elbv2_ask(at.a, &s, STR("show stat"), &text))) return;
	struct elbv2_table t = {.rest = text};
	while (elbv2_table_next(&t, &line))
		if (str_starts(line, STR("f_"))) count_line(&m, &t, line, &front);
	for (size_t i = 0; i < b->groups.n; i++) {
		struct elbv2_rec_group g;
		struct counted c = {0};
		if (!is_ok(elbv2_group_get(at, b->groups.v[i], &g))) continue;
		t = (struct elbv2_table){.rest = text};
		while (elbv2_table_next(&t, &line)) {
			struct str name = str_from(elbv2_column(&t, line, "pxname"), 2);
			if (!str_eq(name, g.id) || !str_is(elbv2_column(&t, line, "type"), "2")) continue;
			count_line(&m, &t, line, &c);
			if (!str_starts(line, STR("g_"))) continue;
			struct str state = elbv2_column(&t, line, "status");
			c.up += str_starts(state, STR("UP"));
			c.down += str_starts(state, STR("DOWN"));
		}
		put_group(&m, &g, &c);
		add(&targets, &c);
	}
	put_balancer(&m, &front, &targets);
	status put_status = m.points.n ? metrics_put(e->cloud, m.points.v, m.points.n) : OK;
	(void)is_ok(put_status);
}
