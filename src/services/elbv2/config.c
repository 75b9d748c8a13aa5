/* HAProxy's configuration of a node. Names in it: frontend f_LISTENER; for each target group two backends, g_GROUP with
 * its healthy targets and o_GROUP with all of them ("If a target group contains only unhealthy registered targets, the
 * load balancer routes requests to all those targets", the ALB guide), and "none", which answers for groups that are
 * empty. */
#include "identity/digest.h"
#include "services/elbv2/logs.h"

/* A target that does not answer is tried twice, or another one after it: in 10 seconds together. */
enum { MAX_CONNECTIONS = 8000, CONNECT_MS = 5000 };

void elbv2_word(struct buf *b, struct str s, bool fmt)
{
	buf_byte(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)s.p[i];
		bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
		if (plain || (ch && strchr("/.-_:", ch)))
			buf_byte(b, (char)ch);
		else if (ch == '%' && fmt)
			buf_lit(b, "\\x25\\x25");
		else
			buf_fmt(b, "\\x%02x", ch);
	}
	buf_byte(b, '"');
}

bool elbv2_is_web(const struct elbv2_rec_listener *l)
{
	return str_starts(l->protocol, STR("HTTP"));
}

/* ── backends ── */

static bool is_http(const struct elbv2_rec_group *g)
{
	return str_starts(g->protocol, STR("HTTP"));
}

static bool is_h2(const struct elbv2_rec_group *g)
{
	return str_is(g->protocol_version, "HTTP2") || str_is(g->protocol_version, "GRPC");
}

struct str elbv2_server_options(
	struct arena *a, const struct elbv2_plan_group *g, const struct elbv2_plan_server *s, bool open)
{
	const struct elbv2_rec_group *r = &g->g;
	struct buf b = BUF_IN(a);
	bool secure = str_is(r->protocol, "HTTPS") || str_is(r->protocol, "TLS");
	bool check_secure = str_is(r->health_check_protocol, "HTTPS");
	if (secure) buf_fmt(&b, "ssl verify none%s", is_h2(r) ? " alpn h2" : "");
	if (!secure && is_h2(r)) buf_lit(&b, "proto h2");
	if (str_is(elbv2_group_attribute(r, "proxy_protocol_v2.enabled"), "true")) buf_lit(&b, " send-proxy-v2");
	/* Of Classic Load Balancers (ProxyProtocolPolicyType). */
	if (str_is(elbv2_get(&r->attributes, STR("proxy_protocol_v1.enabled")), "true")) buf_lit(&b, " send-proxy");
	if (open || str_is(r->target_type, "alb")) {
		if (!open) buf_lit(&b, " check inter 5s rise 1 fall 2");
		return buf_done(&b);
	}
	int32_t slow = elbv2_number(elbv2_group_attribute(r, "slow_start.duration_seconds"), 0);
	if (!is_http(r) && str_chr(r->target_group_name, ':') < 0 &&
		str_is(elbv2_group_attribute(r, "target_health_state.unhealthy.connection_termination.enabled"),
			"true"))
		buf_lit(&b, " on-marked-down shutdown-sessions");
	buf_fmt(&b, " check inter %ds rise %d fall %d", r->health_check_interval_seconds.v,
		r->healthy_threshold_count.v, r->unhealthy_threshold_count.v);
	if (s->check_port != s->port) buf_fmt(&b, " port %d", s->check_port);
	if (check_secure && !secure) buf_lit(&b, " check-ssl verify none");
	if (!check_secure && secure) buf_lit(&b, " no-check-ssl");
	/* What a server speaks is not what its checks speak, unless told. */
	if (is_h2(r)) buf_fmt(&b, " %s h2", check_secure ? "check-alpn" : "check-proto");
	if (slow) buf_fmt(&b, " slowstart %ds", slow);
	return buf_done(&b);
}

static void check(const struct elbv2_rec_group *g, struct buf *b)
{
	buf_fmt(b, "\ttimeout check %ds\n", g->health_check_timeout_seconds.v);
	if (!str_starts(g->health_check_protocol, STR("HTTP")) || str_is(g->target_type, "alb")) return;
	bool grpc = str_is(g->protocol_version, "GRPC"), h2 = is_h2(g);
	buf_fmt(b, "\toption httpchk\n\thttp-check send meth %s uri ", grpc ? "POST" : "GET");
	elbv2_word(b, g->health_check_path, true);
	/* Of HTTP/2, HAProxy's checks cannot tell where they go. */
	buf_fmt(b, " ver %s hdr Host \"%%[%s]\" hdr User-Agent ELB-HealthChecker/2.0", h2 ? "HTTP/2.0" : "HTTP/1.1",
		h2 ? "srv_name" : "dst");
	if (grpc) buf_lit(b, " hdr content-type application/grpc hdr te trailers");
	if (!h2) buf_lit(b, " hdr Connection close");
	buf_lit(b, "\n");
	if (!grpc) {
		struct str codes = g->matcher ? g->matcher->http_code : STR("200");
		buf_fmt(b, "\thttp-check expect status %.*s\n", STR_ARG(codes));
		return;
	}
	/* A list of codes and ranges becomes a pattern. */
	struct str rest = g->matcher ? g->matcher->grpc_code : STR("12");
	struct buf codes = BUF_IN(b->arena);
	bool success = false;
	for (bool first = true; str_has(rest);) {
		struct str part = str_cut(&rest, ','), from = str_cut(&part, '-');
		int32_t lo = elbv2_number(from, 0), hi = str_has(part) ? elbv2_number(part, lo) : lo;
		success = success || lo == 0;
		for (int32_t v = lo; v <= hi; v++, first = false) buf_fmt(&codes, "%s%d", first ? "" : "|", v);
	}
	/* Failures come in a head without a body, which holds the code; a success has it behind its message, where
	 * HAProxy's checks do not look: so no code at all is one. */
	if (success)
		buf_fmt(b,
			"\thttp-check expect status 200\n\thttp-check expect ! hdr name grpc-status value -m reg "
			"\"^(?!(?:%.*s)\\x24)\"\n",
			STR_ARG(buf_done(&codes)));
	else
		buf_fmt(b, "\thttp-check expect hdr name grpc-status value -m reg \"^(%.*s)\\x24\"\n",
			STR_ARG(buf_done(&codes)));
}

static void stick(const struct elbv2_rec_group *g, struct buf *b)
{
	if (!str_is(elbv2_group_attribute(g, "stickiness.enabled"), "true")) return;
	struct str type = elbv2_group_attribute(g, "stickiness.type");
	if (str_is(type, "lb_cookie") && str_chr(g->target_group_name, ':') >= 0) {
		/* A Classic Load Balancer's: for the browser's session, unless a period was given. */
		struct str n = elbv2_get(&g->attributes, STR("stickiness.lb_cookie.duration_seconds"));
		buf_lit(b, "\tcookie AWSELB insert indirect nocache dynamic");
		if (str_has(n)) buf_fmt(b, " maxidle %.*ss attr \"Max-Age=%.*s\"", STR_ARG(n), STR_ARG(n));
		buf_fmt(b, "\n\tdynamic-cookie-key %.*s\n", STR_ARG(g->id));
	} else if (str_is(type, "lb_cookie")) {
		struct str n = elbv2_group_attribute(g, "stickiness.lb_cookie.duration_seconds");
		buf_fmt(b,
			"\tcookie AWSALB insert indirect nocache dynamic maxidle %.*ss attr \"Max-Age=%.*s\"\n"
			"\tdynamic-cookie-key %.*s\n",
			STR_ARG(n), STR_ARG(n), STR_ARG(g->id));
	} else if (str_is(type, "app_cookie")) {
		struct str name = elbv2_group_attribute(g, "stickiness.app_cookie.cookie_name");
		struct str n = elbv2_group_attribute(g, "stickiness.app_cookie.duration_seconds");
		buf_fmt(b,
			"\tstick-table type string len 128 size 100k expire %.*ss\n\tstick on req.cook(%.*s)\n"
			"\tstick store-response res.cook(%.*s)\n",
			STR_ARG(n), STR_ARG(name), STR_ARG(name));
	}
}

static const char *balance(const struct elbv2_rec_group *g)
{
	struct str type = elbv2_group_attribute(g, "load_balancing.algorithm.type");
	if (!is_http(g)) {
		bool sticky = str_is(elbv2_group_attribute(g, "stickiness.enabled"), "true");
		return sticky ? "source\n\thash-type consistent" : "random(1)";
	}
	if (str_is(type, "least_outstanding_requests")) return "leastconn";
	return str_is(type, "weighted_random") ? "random(1)" : "roundrobin";
}

/* The page that AWS's balancers send where HAProxy says `code`. kind: of the title, "string" or "lf-string". */
static void page(struct buf *b, int code, const char *kind, struct str title)
{
	buf_fmt(b,
		"\thttp-error status %d content-type text/html %s "
		"\"<html>\\r\\n<head><title>%.*s</title></head>\\r\\n"
		"<body>\\r\\n<center><h1>%.*s</h1></center>\\r\\n</body>\\r\\n</html>\\r\\n\"\n",
		code, kind, STR_ARG(title), STR_ARG(title));
}

/* No target could be reached, which HAProxy calls 503: "HTTP 502: Bad gateway", or "HTTP 504: … The load balancer
 * failed to establish a connection to the target before the connection timeout expired (10 seconds)", the ALB guide.
 * Who refuses does so at once; in the node's own subnet, nobody's address is known to be one after six. A target may
 * say 503 itself: what it says passes the rules for responses, which what HAProxy says does not. */
static void unreached(struct buf *b)
{
	const int slow = CONNECT_MS / 2;
	struct str title = str_fmt(
		b->arena, "%%[date(0,ms),sub(txn.began),div(%d),bool,iif(504 Gateway Time-out,502 Bad Gateway)]", slow);
	page(b, 503, "lf-string", title);
	buf_fmt(b,
		"\thttp-response set-var(txn.own) int(1) if { status 500:504 }\n"
		"\thttp-after-response set-status 504 if { status 503 } !{ var(txn.own) -m found } { "
		"date(0,ms),sub(txn.began) ge %d }\n"
		"\thttp-after-response set-status 502 if { status 503 } !{ var(txn.own) -m found }\n",
		slow);
}

static void backend(const struct elbv2_plan_group *g, bool open, struct buf *text, struct buf *all)
{
	struct buf b = BUF_IN(all->arena);
	const struct elbv2_rec_group *r = &g->g;
	buf_fmt(&b, "backend %s_%.*s\n\tmode %s\n\tbalance %s\n", open ? "o" : "g", STR_ARG(r->id),
		is_http(r) ? "http" : "tcp", balance(r));
	if (is_http(r)) {
		stick(r, &b);
		unreached(&b);
	}
	/* Who connects to the target has the client's address; its answers come back by the VPC's router. */
	if (!is_http(r) && elbv2_preserves(r)) buf_lit(&b, "\tsource 0.0.0.0 usesrc clientip\n");
	if (!open) check(r, &b);
	/* Every kind of server is in the hash, and none of them. */
	struct elbv2_plan_server sample = {.port = 1, .check_port = elbv2_number(r->health_check_port, 1)};
	buf_fmt(text, "%.*s# %.*s\n", STR_ARG(buf_done(&b)),
		STR_ARG(elbv2_server_options(all->arena, g, &sample, open)));
	buf_str(all, buf_done(&b));
	for (size_t i = 0; i < g->n; i++)
		if (!g->v[i].draining)
			buf_fmt(all, "\tserver %.*s %.*s:%d %.*s\n", STR_ARG(g->v[i].name), STR_ARG(g->v[i].address),
				g->v[i].port, STR_ARG(elbv2_server_options(all->arena, g, &g->v[i], open)));
}

/* ── frontends ── */

static void tls(const struct elbv2_plan *p, const struct elbv2_plan_listener *l, struct buf *b)
{
	const struct elbv2_policy *policy = elbv2_policy_find(l->l.ssl_policy);
	if (!l->n_files || !policy) return;
	buf_lit(b, " ssl");
	for (size_t i = 0; i < l->n_files; i++) buf_fmt(b, " crt /srv/engine/%.*s", STR_ARG(l->files[i]));
	buf_fmt(b, " ssl-min-ver %s ssl-max-ver %s",
		policy->v10   ? "TLSv1.0"
		: policy->v11 ? "TLSv1.1"
		: policy->v12 ? "TLSv1.2"
			      : "TLSv1.3",
		policy->v13 ? "TLSv1.3" : "TLSv1.2");
	bool first = true;
	for (size_t i = 3; i < elbv2_ciphers_length; i++)
		if (policy->ciphers >> i & 1) {
			buf_fmt(b, "%s%s", first ? " ciphers " : ":", elbv2_ciphers[i]);
			first = false;
		}
	/* OpenSSL offers the old protocols at its lowest level of security only. */
	if (policy->v10 || policy->v11) buf_lit(b, ":@SECLEVEL=0");
	elbv2_mutual_bind(l, b);
	bool app = elbv2_is_web(&l->l), h2 = str_is(elbv2_balancer_attribute(p->b, "routing.http2.enabled"), "true");
	struct str alpn = l->l.alpn.n ? l->l.alpn.v[0] : STR("None");
	if (app) buf_fmt(b, " alpn %shttp/1.1", h2 ? "h2," : "");
	if (!app && str_is(alpn, "HTTP2Only")) buf_lit(b, " alpn h2");
	if (!app && str_is(alpn, "HTTP1Only")) buf_lit(b, " alpn http/1.1");
	if (!app && str_is(alpn, "HTTP2Preferred")) buf_lit(b, " alpn h2,http/1.1");
	if (!app && str_is(alpn, "HTTP2Optional")) buf_lit(b, " alpn http/1.1,h2");
}

/* "Desync mitigation mode", the ALB guide: HAProxy's parser refuses what is severe, and closes after what is ambiguous;
 * monitor lets more through, strictest refuses also what is but unusual. */
static void desync(const struct elbv2_plan *p, struct buf *b)
{
	struct str mode = elbv2_balancer_attribute(p->b, "routing.http.desync_mitigation_mode");
	if (str_is(mode, "monitor")) buf_lit(b, "\toption accept-invalid-http-request\n");
	if (!str_is(mode, "strictest")) return;
	static const char *const refused[] = {"{ method GET HEAD } { req.hdr(content-length) -m found }",
		"{ method GET HEAD } { req.hdr(transfer-encoding) -m found }", "{ req.hdr_cnt(host) gt 1 }",
		"{ req.ver 1.1 } !{ req.hdr(host) -m found }"};
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		buf_fmt(b, "\thttp-request deny deny_status 400 if %s\n", refused[i]);
}

static void frontend(struct elbv2_plan *p, const struct elbv2_plan_listener *l, struct buf *b)
{
	bool app = elbv2_is_web(&l->l);
	buf_fmt(b, "frontend f_%.*s\n\tmode %s\n\tbind :%d", STR_ARG(l->l.id), app ? "http" : "tcp", l->l.port.v);
	tls(p, l, b);
	buf_lit(b, "\n");
	if (str_has(p->zone->ipv6)) {
		buf_fmt(b, "\tbind [::]:%d v6only", l->l.port.v);
		tls(p, l, b);
		buf_lit(b, "\n");
	}
	if (app) desync(p, b);
	if (!app) {
		struct str idle = elbv2_is_classic(p->b)
					  ? elbv2_balancer_attribute(p->b, "idle_timeout.timeout_seconds")
					  : elbv2_listener_attribute(&l->l, "tcp.idle_timeout.seconds");
		buf_fmt(b, "\ttimeout client %.*ss\n", STR_ARG(idle));
	}
	elbv2_log_before(p, l, b);
	elbv2_config_rules(p, l, b);
}

static void head(struct elbv2_plan *p, struct buf *b)
{
	bool app = elbv2_is_app(p->b);
	struct str idle = app ? elbv2_balancer_attribute(p->b, "idle_timeout.timeout_seconds") : STR("350");
	static const char *const waits[] = {"client", "server", "tunnel", "http-keep-alive"};
	buf_fmt(b,
		"defaults\n\tmode http\n\ttimeout connect %dms\n\ttimeout http-request 60s\n\ttimeout queue "
		"10s\n\toption "
		"idle-close-on-response\n\toption abortonclose\n\toption redispatch 1\n\tretries 1\n"
		"\tload-server-state-from-file global\n",
		CONNECT_MS);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		buf_fmt(b, "\ttimeout %s %.*ss\n", waits[i], STR_ARG(idle));
	page(b, 400, "string", STR("400 Bad Request"));
	page(b, 408, "string", STR("408 Request Time-out"));
	page(b, 500, "string", STR("500 Internal Server Error"));
	page(b, 502, "string", STR("502 Bad Gateway"));
	page(b, 503, "string", STR("503 Service Temporarily Unavailable"));
	page(b, 504, "string", STR("504 Gateway Time-out"));
}

struct elbv2_config elbv2_config(struct elbv2_plan *p)
{
	struct arena *a = p->at.a;
	struct buf text = BUF_IN(a), all = BUF_IN(a), front = BUF_IN(a), out = BUF_IN(a), global = BUF_IN(a);
	uint8_t digest[32];
	head(p, &front);
	for (size_t i = 0; i < p->listeners.n; i++)
		if (!elbv2_is_flow(p, &p->listeners.v[i])) frontend(p, &p->listeners.v[i], &front);
	buf_lit(&front, "backend none\n\tmode http\n");
	elbv2_mutual_global(p, &global);
	buf_str(&text, buf_done(&front));
	for (size_t i = 0; i < p->groups.n; i++) {
		backend(&p->groups.v[i], false, &text, &all);
		backend(&p->groups.v[i], true, &text, &all);
	}
	for (size_t i = 0; i < p->files.n; i++) {
		buf_str(&text, p->files.v[i].name);
		buf_str(&text, p->files.v[i].bytes);
	}
	digest_sha256(buf_done(&text), digest);
	struct str hash = str_hex(a, str_n(digest, 10));
	buf_fmt(&out,
		"# Written by virga; changes are lost.\nglobal\n\tdescription %.*s\n\tstats socket /srv/engine/stats "
		"mode 666 level "
		"admin expose-fd listeners\n\tserver-state-file /srv/engine/state\n\tno "
		"strict-limits\n\tmax-spread-checks 100\n\ttune.http.logurilen 8192\n\tmaxconn %d\n"
		"\thard-stop-after 1h\n\tlog stderr format raw local0 info\n\ttune.ssl.default-dh-param 2048\n",
		STR_ARG(hash), MAX_CONNECTIONS);
	elbv2_own_global(&out);
	buf_str(&out, buf_done(&global));
	buf_str(&out, buf_done(&front));
	buf_str(&out, buf_done(&all));
	return (struct elbv2_config){buf_done(&out), hash};
}
