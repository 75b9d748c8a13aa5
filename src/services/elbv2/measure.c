/* Metrics of balancers, from their nodes' counters ("CloudWatch metrics for your Application Load Balancer", the ALB
 * guide; the NLB guide's likewise). Each look puts what was counted since the last one; a reload begins at zero again,
 * and what the former process counted after its last look is lost. */
#include "base/map.h"
#include "host/host.h"
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
	const struct elbv2_rec_zone *zone;
	struct str folder, balancer;
	int64_t now_ms;
	double seconds; /* since the last look */
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

static void put_with(struct measuring *m, const char *name, const struct metric_dimension *d, size_t n,
	const char *unit, double value, double times)
{
	struct metric *metric = arena_new(m->a, struct metric);
	*metric = (struct metric){.account = m->at.account,
		.region = m->at.region,
		.space = elbv2_is_classic(m->b) ? STR("AWS/ELB")
			 : elbv2_is_app(m->b)   ? STR("AWS/ApplicationELB")
						: STR("AWS/NetworkELB"),
		.name = str_c(name),
		.dimensions = d,
		.n_dimensions = n};
	*VEC_PUSH(m->a, &m->points, &m->points.capacity) = (struct metric_point){
		.metric = metric, .at_ms = m->now_ms, .unit = unit, .value = value, .times = times};
}

/* By balancer, by balancer and zone, and by each with the target group ("Metric dimensions for Application Load
 * Balancers"); without the balancer, by group alone. */
static void put(struct measuring *m, const char *name, struct str group, bool with_balancer, const char *unit,
	double value, double times)
{
	struct metric_dimension *d = arena_new_n(m->a, struct metric_dimension, 3);
	size_t n = 0;
	d[n++] = (struct metric_dimension){STR("AvailabilityZone"), m->zone->zone};
	if (with_balancer) d[n++] = (struct metric_dimension){STR("LoadBalancer"), m->balancer};
	if (str_has(group)) d[n++] = (struct metric_dimension){STR("TargetGroup"), group};
	put_with(m, name, d + 1, n - 1, unit, value, times);
	if (with_balancer) put_with(m, name, d, n, unit, value, times);
}

static void put_count(struct measuring *m, const char *name, struct str group, int64_t n)
{
	if (n > 0) put(m, name, group, true, "Count", (double)n, 1);
}

struct counted {
	int64_t requests, connections, bytes, codes[6]; /* codes[4]: 4xx */
	int64_t intercepted;                            /* fixed responses and redirects */
	int64_t response_ms_requests;
	double response_ms;
	int64_t up, down, active;
	int64_t connect_errors, tls_errors, fail_open, client_resets, target_resets, own_resets, packets;
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
	if (front) c->intercepted += grown(m, name, "intercepted", elbv2_column(t, line, "intercepted"));
	c->active += elbv2_number(elbv2_column(t, line, "scur"), 0);
	c->tls_errors += grown(m, name, "tls", elbv2_column(t, line, "ssl_failed_handshake"));
	c->connect_errors += grown(m, name, "econ", elbv2_column(t, line, "econ"));
	c->client_resets += grown(m, name, "cli", elbv2_column(t, line, "cli_abrt"));
	c->target_resets += grown(m, name, "srv", elbv2_column(t, line, "srv_abrt"));
	if (str_starts(line, STR("o_"))) c->fail_open += requests;
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
		/* One healthy target suffices, unless configured otherwise (which is refused). */
		put(m, "HealthyStateDNS", name, true, "Count", c->up ? 1 : 0, 1);
		put(m, "UnhealthyStateDNS", name, true, "Count", c->up ? 0 : 1, 1);
		put(m, "HealthyStateRouting", name, true, "Count", c->up ? 1 : 0, 1);
		put(m, "UnhealthyStateRouting", name, true, "Count", c->up ? 0 : 1, 1);
	}
	put_count(m, elbv2_is_app(m->b) ? "UnhealthyRoutingRequestCount" : "UnhealthyRoutingFlowCount", name,
		c->fail_open);
	if (!elbv2_is_app(m->b)) {
		put_count(m, "TCP_Target_Reset_Count", name, c->target_resets);
		return;
	}
	put_count(m, "TargetConnectionErrorCount", name, c->connect_errors);
	put_count(m, "TargetTLSNegotiationErrorCount", name, c->tls_errors);
	if (!c->requests) return;
	double each = (double)c->requests / (double)(c->up ? c->up : 1);
	put(m, "RequestCount", name, true, "Count", (double)c->requests, 1);
	put(m, "RequestCountPerTarget", name, true, "Count", each, 1);
	put(m, "RequestCountPerTarget", name, false, "Count", each, 1);
	if (str_is(g->protocol_version, "GRPC")) put_count(m, "GrpcRequestCount", name, c->requests);
	put_codes(m, name, c);
}

/* Of listeners with this protocol. */
static void put_flows(struct measuring *m, const char *suffix, const struct counted *c)
{
	if (!c->active && !c->connections && !c->bytes) return;
	put(m, str_fmt(m->a, "ActiveFlowCount%s", suffix).p, STR_NONE, true, "Count", (double)c->active, 1);
	put_count(m, str_fmt(m->a, "NewFlowCount%s", suffix).p, STR_NONE, c->connections);
	if (c->bytes) put(m, str_fmt(m->a, "ProcessedBytes%s", suffix).p, STR_NONE, true, "Bytes", (double)c->bytes, 1);
}

/* "The number of load balancer capacity units (LCU) used": what costs most of new and active connections and bytes, as
 * the price list counts them for an hour, for the time of this look. */
static double capacity_units(const struct measuring *m, const struct counted *c, double connections, double active)
{
	double by_new = (double)c->connections / m->seconds / connections, by_active = (double)c->active / active,
	       by_bytes = (double)c->bytes / m->seconds / (1e9 / 3600);
	double most = by_new > by_active ? by_new : by_active;
	return (most > by_bytes ? most : by_bytes) * m->seconds / 3600;
}

static void put_units(struct measuring *m, const char *suffix, double units)
{
	if (units > 0) put(m, str_fmt(m->a, "ConsumedLCUs%s", suffix).p, STR_NONE, true, "Count", units, 1);
}

static int64_t grown_number(struct measuring *m, const char *column, struct opt_i64 now)
{
	return grown(m, STR("flows"), column, str_fmt(m->a, "%lld", (long long)now.v));
}

/* What the kernel has carried (flows.c). */
static void count_flows(struct measuring *m, const struct host_rec_balance_counted *k, struct counted *tcp,
	struct counted *udp, struct counted *resets)
{
	if (!k->tcp || !k->udp) return;
	tcp->connections += grown_number(m, "tcp", k->tcp->flows);
	tcp->bytes += grown_number(m, "tcp-bytes", k->tcp->bytes);
	tcp->packets += grown_number(m, "tcp-packets", k->tcp->packets);
	tcp->active += k->tcp->active.v;
	udp->connections += grown_number(m, "udp", k->udp->flows);
	udp->bytes += grown_number(m, "udp-bytes", k->udp->bytes);
	udp->packets += grown_number(m, "udp-packets", k->udp->packets);
	udp->active += k->udp->active.v;
	resets->client_resets += grown_number(m, "client-resets", k->client_resets);
	resets->target_resets += grown_number(m, "target-resets", k->target_resets);
	resets->own_resets += grown_number(m, "own-resets", k->own_resets);
}

static void put_network(struct measuring *m, const struct counted *tcp, const struct counted *udp,
	const struct counted *tls, const struct counted *targets)
{
	struct counted all = *tcp;
	all.active += tls->active + udp->active;
	all.connections += tls->connections + udp->connections;
	all.bytes += tls->bytes + udp->bytes;
	all.packets += udp->packets;
	put_flows(m, "", &all);
	put_flows(m, "_TCP", tcp);
	put_flows(m, "_UDP", udp);
	put_flows(m, "_TLS", tls);
	put_count(m, "ProcessedPackets", STR_NONE, all.packets);
	double units[3] = {capacity_units(m, tcp, 800, 100000), capacity_units(m, udp, 400, 50000),
		capacity_units(m, tls, 50, 3000)};
	put_units(m, "_TCP", units[0]);
	put_units(m, "_UDP", units[1]);
	put_units(m, "_TLS", units[2]);
	put_units(m, "", units[0] + units[1] + units[2]);
	put_count(m, "TCP_ELB_Reset_Count", STR_NONE, targets->own_resets);
	put_count(m, "ClientTLSNegotiationErrorCount", STR_NONE, tls->tls_errors);
	put_count(m, "TargetTLSNegotiationErrorCount", STR_NONE, targets->tls_errors);
	put_count(m, "TCP_Client_Reset_Count", STR_NONE, targets->client_resets);
	put_count(m, "TCP_Target_Reset_Count", STR_NONE, targets->target_resets);
}

static void put_balancer(
	struct measuring *m, const struct elbv2_socket *s, const struct counted *front, const struct counted *targets)
{
	put_count(m, "RequestCount", STR_NONE, front->requests);
	put_count(m, "NewConnectionCount", STR_NONE, front->connections);
	put_count(m, "ActiveConnectionCount", STR_NONE, front->active);
	put_count(m, "ClientTLSNegotiationErrorCount", STR_NONE, front->tls_errors);
	put_count(m, "TargetConnectionErrorCount", STR_NONE, targets->connect_errors);
	put_count(m, "TargetTLSNegotiationErrorCount", STR_NONE, targets->tls_errors);
	put_count(m, "UnhealthyRoutingRequestCount", STR_NONE, targets->fail_open);
	if (front->bytes) put(m, "ProcessedBytes", STR_NONE, true, "Bytes", (double)front->bytes, 1);
	put_units(m, "", capacity_units(m, front, 25, 3000));
	/* What the targets have not said, the balancer has: of 3xx, its redirects. */
	put_count(m, "HTTPCode_ELB_3XX_Count", STR_NONE, front->codes[3] - targets->codes[3]);
	put_count(m, "HTTP_Redirect_Count", STR_NONE, front->codes[3] - targets->codes[3]);
	put_count(m, "HTTP_Fixed_Response_Count", STR_NONE, front->intercepted - (front->codes[3] - targets->codes[3]));
	put_count(m, "HTTPCode_ELB_4XX_Count", STR_NONE, front->codes[4] - targets->codes[4]);
	put_count(m, "HTTPCode_ELB_5XX_Count", STR_NONE, front->codes[5] - targets->codes[5]);
	put_codes(m, STR_NONE, targets);
	int64_t own[ELBV2_OWN_CODES];
	elbv2_own_read(m->a, s, own);
	for (size_t i = 0; i < ELBV2_OWN_CODES; i++) {
		struct str name = str_fmt(m->a, "HTTPCode_ELB_%d_Count", elbv2_own_codes[i]);
		put_count(m, name.p, STR_NONE, grown(m, STR("own"), name.p, str_fmt(m->a, "%lld", (long long)own[i])));
	}
}

/* "CloudWatch metrics for your Classic Load Balancer": by balancer, by zone, and by both. */
static void put_classic(struct measuring *m, const struct counted *front, const struct counted *targets)
{
	static const char *const names[] = {NULL, NULL, "HTTPCode_Backend_2XX", "HTTPCode_Backend_3XX",
		"HTTPCode_Backend_4XX", "HTTPCode_Backend_5XX"};
	struct metric_dimension *d = arena_new_n(m->a, struct metric_dimension, 2);
	d[0] = (struct metric_dimension){STR("AvailabilityZone"), m->zone->zone};
	d[1] = (struct metric_dimension){STR("LoadBalancerName"), str_from(m->b->name, 8)};
	double latency =
		targets->response_ms_requests ? targets->response_ms / (double)targets->response_ms_requests / 1000 : 0;
	struct {
		const char *name, *unit;
		double value, times;
		bool told;
	} points[] = {{"HealthyHostCount", "Count", (double)targets->up, 1, targets->up + targets->down > 0},
		{"UnHealthyHostCount", "Count", (double)targets->down, 1, targets->up + targets->down > 0},
		{"RequestCount", "Count", (double)front->requests, 1, front->requests > 0},
		{"Latency", "Seconds", latency, (double)targets->response_ms_requests,
			targets->response_ms_requests > 0},
		{"BackendConnectionErrors", "Count", (double)targets->connect_errors, 1, targets->connect_errors > 0},
		{"HTTPCode_ELB_4XX", "Count", (double)(front->codes[4] - targets->codes[4]), 1,
			front->codes[4] > targets->codes[4]},
		{"HTTPCode_ELB_5XX", "Count", (double)(front->codes[5] - targets->codes[5]), 1,
			front->codes[5] > targets->codes[5]}};
	for (size_t way = 0; way < 3; way++) {
		const struct metric_dimension *by = way == 1 ? d : way == 0 ? d + 1 : d;
		size_t n = way == 2 ? 2 : 1;
		for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
			if (points[i].told)
				put_with(m, points[i].name, by, n, points[i].unit, points[i].value, points[i].times);
		for (size_t i = 2; i < 6; i++)
			if (targets->codes[i] > 0) put_with(m, names[i], by, n, "Count", (double)targets->codes[i], 1);
	}
}

static void add(struct counted *to, const struct counted *c)
{
	for (size_t i = 1; i < 6; i++) to->codes[i] += c->codes[i];
	to->up = c->up; /* of a Classic Load Balancer: each of its groups has the same instances */
	to->down = c->down;
	to->connect_errors += c->connect_errors;
	to->tls_errors += c->tls_errors;
	to->fail_open += c->fail_open;
	to->client_resets += c->client_resets;
	to->target_resets += c->target_resets;
	to->response_ms += c->response_ms;
	to->response_ms_requests += c->response_ms_requests;
}

/* A Network Load Balancer's TLS listener? */
static bool is_tls(struct ec2_place at, const struct elbv2_rec_balancer *b, struct str proxy)
{
	struct elbv2_all_listeners l;
	if (elbv2_is_app(b) || !is_ok(elbv2_listeners(at, b->id, &l))) return false;
	for (size_t i = 0; i < l.n; i++)
		if (str_ends(proxy, l.v[i].id)) return str_is(l.v[i].protocol, "TLS");
	return false;
}

void elbv2_measure(struct elbv2 *e, struct map *counters, struct ec2_place at, const struct elbv2_rec_balancer *b,
	const struct elbv2_rec_zone *zone, double seconds)
{
	struct measuring m = {.a = at.a,
		.seconds = seconds > 0 ? seconds : 1,
		.counters = counters,
		.at = at,
		.b = b,
		.zone = zone,
		.folder = elbv2_folder(at.a, zone->eni),
		.now_ms = clock_now(e->cloud->clock)};
	struct elbv2_socket s = {e->cloud, m.folder};
	struct counted front = {0}, tls = {0}, udp = {0}, targets = {0};
	struct host_rec_balance_counted kernel;
	struct str text, line;
	m.balancer = str_fmt(at.a, "%s/%.*s/%.*s", elbv2_is_app(b) ? "app" : "net", STR_ARG(b->name), STR_ARG(b->id));
	if (!is_ok(elbv2_ask(at.a, &s, STR("show stat"), &text))) return;
	struct elbv2_table t = {.rest = text};
	while (elbv2_table_next(&t, &line))
		if (str_starts(line, STR("f_")))
			count_line(&m, &t, line, is_tls(at, b, elbv2_column(&t, line, "pxname")) ? &tls : &front);
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
		if (!elbv2_is_classic(b)) put_group(&m, &g, &c);
		add(&targets, &c);
	}
	if (!elbv2_is_app(b) && is_ok(host_balance_count(e->cloud->host, at.a, zone->eni, &kernel)))
		count_flows(&m, &kernel, &front, &udp, &targets);
	if (elbv2_is_classic(b))
		put_classic(&m, &front, &targets);
	else if (elbv2_is_app(b))
		put_balancer(&m, &s, &front, &targets);
	else
		put_network(&m, &front, &udp, &tls, &targets);
	status put_status = m.points.n ? metrics_put(e->cloud, m.points.v, m.points.n) : OK;
	(void)is_ok(put_status);
}
