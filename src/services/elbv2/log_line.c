/* From HAProxy's line to AWS's ("Access log entries" and "Connection log entries", the ALB guide; "Access log entries",
 * the NLB guide). Pure: all that it needs stands in its arguments. */
#include "services/elbv2/logs.h"

struct reading {
	const struct elbv2_log_names *n;
	struct str f[LOG_A_FIELDS];
	const struct elbv2_plan_listener *l;
	const struct elbv2_rec_rule *rule;
	const struct elbv2_plan_group *group;
	struct str method, uri, version, agent, host, trace; /* as they came; "" */
};

static int64_t number(struct str s, int64_t otherwise)
{
	int64_t n;
	return is_ok(str_to_i64(s, &n)) ? n : otherwise;
}

/* In microseconds: 1795965179.133, or before the end of it. */
static int64_t start_of(const struct reading *r, int64_t end)
{
	struct str ms = r->f[LOG_START];
	if (str_is(r->f[LOG_KIND], "A")) {
		int64_t took = number(ms, 0);
		return end - (took > 0 ? took : 0) * 1000;
	}
	struct str s = str_cut(&ms, '.');
	int64_t n = number(s, -1);
	return n < 0 ? end : n * 1000000 + number(ms, 0) * 1000;
}

static bool is_empty(struct str s)
{
	return !s.n || str_is(s, "-");
}

/* What would end a field or a line becomes \\xHH. */
static struct str plain(const struct reading *r, struct str bytes)
{
	struct buf b = BUF_IN(r->n->a);
	if (!bytes.n) return STR("-");
	for (size_t i = 0; i < bytes.n; i++) {
		unsigned char ch = (unsigned char)bytes.p[i];
		if (ch < 0x20 || ch >= 0x7f || ch == '"' || ch == '\\')
			buf_fmt(&b, "\\x%02x", ch);
		else
			buf_byte(&b, (char)ch);
	}
	return buf_done(&b);
}

/* Of a field in hexadecimal. */
static struct str text(const struct reading *r, int field)
{
	struct str raw = r->f[field], bytes;
	return is_empty(raw) || !is_ok(str_unhex(r->n->a, raw, &bytes)) ? STR("-") : plain(r, bytes);
}

/* HAProxy's #XX back into bytes. */
static struct str decode(struct arena *a, struct str s)
{
	struct buf b = BUF_IN(a);
	struct str one;
	if (str_chr(s, '#') < 0) return s;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '#' && i + 2 < s.n && is_ok(str_unhex(a, str_sub(s, i + 1, 2), &one))) {
			buf_str(&b, one);
			i += 2;
		} else {
			buf_byte(&b, s.p[i]);
		}
	}
	return buf_done(&b);
}

/* The fields that hold several. */
static void take_apart(struct reading *r)
{
	struct str line = r->f[LOG_REQUEST], heads = r->f[LOG_HEADERS];
	ptrdiff_t first = str_chr(line, ' '), last = str_rchr(line, ' ');
	if (first > 0 && last > first) {
		struct str version = str_from(line, (size_t)last + 1);
		r->method = decode(r->n->a, str_sub(line, 0, (size_t)first));
		r->uri = decode(r->n->a, str_sub(line, (size_t)first + 1, (size_t)(last - first) - 1));
		r->version = str_starts(version, STR("HTTP/")) ? str_from(version, 5) : version;
	}
	if (heads.n >= 2 && heads.p[0] == '{' && heads.p[heads.n - 1] == '}') heads = str_sub(heads, 1, heads.n - 2);
	struct str *const to[] = {&r->agent, &r->host, &r->trace};
	for (size_t i = 0; i < 3 && str_has(heads); i++) *to[i] = decode(r->n->a, str_cut(&heads, '|'));
}

/* 2018-07-02T22:23:00.186641Z of the machine's microseconds, on the virtual clock. */
static struct str stamp(const struct reading *r, int64_t us, bool fraction)
{
	int64_t moved = us < r->n->moved_us ? r->n->before_ms : r->n->after_ms;
	struct str day = time_iso8601(r->n->a, us / 1000 + moved, false);
	day = str_sub(day, 0, 19);
	return fraction ? str_fmt(r->n->a, "%.*s.%06dZ", STR_ARG(day),
				  (int)(((us / 1000 + moved) % 1000) * 1000 + us % 1000))
			: day;
}

static struct str seconds(const struct reading *r, int64_t ms)
{
	if (ms < 0) return STR("-1");
	return str_fmt(r->n->a, "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
}

static struct str certificate_of(const struct reading *r)
{
	struct str serial = str_lower(r->n->a, r->f[LOG_SERIAL]);
	while (serial.n > 1 && serial.p[0] == '0') serial = str_from(serial, 1);
	for (size_t i = 0; i < r->n->n_certificates; i++)
		if (str_eq(r->n->certificates[i].serial, serial)) return r->n->certificates[i].arn;
	return STR("-");
}

static bool secure(const struct reading *r)
{
	return str_is(r->l->l.protocol, "HTTPS") || str_is(r->l->l.protocol, "TLS");
}

/* ── ALB ── */

static const char *type_of(const struct reading *r)
{
	if (str_is(r->f[LOG_STATUS], "101")) return secure(r) ? "wss" : "ws";
	if (r->group && str_is(r->group->g.protocol_version, "GRPC") && secure(r)) return "grpcs";
	if (str_is(r->version, "2.0")) return "h2";
	return secure(r) ? "https" : "http";
}

/* "GET http://www.example.com:80/ HTTP/1.1" */
static struct str request_of(const struct reading *r)
{
	struct str method = r->method, uri = plain(r, r->uri), host = plain(r, r->host);
	struct str own = is_empty(r->f[LOG_OWN]) ? r->n->plan->zone->address : r->f[LOG_OWN];
	const char *scheme = secure(r) ? "https" : "http";
	ptrdiff_t at = str_find(uri, STR("://"));
	if (!method.n) /* what was sent is no request */
		return str_fmt(r->n->a, "- %s://%.*s:%d- - ", scheme, STR_ARG(own), r->l->l.port.v);
	if (at > 0 && uri.p[0] != '/') {
		uri = str_from(uri, (size_t)at + 3);
		at = str_chr(uri, '/');
		uri = at < 0 ? STR("/") : str_from(uri, (size_t)at);
	}
	if (is_empty(host)) host = own;
	at = host.n && host.p[0] == '[' ? str_find(host, STR("]:")) + 1 : str_rchr(host, ':');
	if (at > 0) host = str_sub(host, 0, (size_t)at);
	return str_fmt(r->n->a, "%.*s %s://%.*s:%d%.*s HTTP/%.*s", STR_ARG(plain(r, method)), scheme, STR_ARG(host),
		r->l->l.port.v, STR_ARG(uri), STR_ARG(plain(r, r->version)));
}

static const char *action_of(const struct reading *r)
{
	if (!r->rule || !r->rule->actions.n) return "-";
	const struct elbv2_rec_action *a = &r->rule->actions.v[0];
	return a->redirect_config ? "redirect" : a->fixed_response_config ? "fixed-response" : "forward";
}

/* Whose answer it was ("Session state at disconnection", HAProxy's Configuration Manual): one that broke off within its
 * data is the target's still. */
static bool answered_by_target(const struct reading *r)
{
	struct str how = r->f[LOG_HOW];
	return how.n >= 2 && how.p[0] != 'L' && memchr("-DL", how.p[1], 3) && !is_empty(r->f[LOG_TARGET]);
}

/* "HTTP 460: the client closed the connection before the idle timeout elapsed". */
static struct str status_of(const struct reading *r)
{
	int64_t code = number(r->f[LOG_STATUS], -1);
	bool client = r->f[LOG_HOW].n && r->f[LOG_HOW].p[0] == 'C';
	if (client && !answered_by_target(r)) return STR("460");
	return code < 100 ? STR("-") : str_fmt(r->n->a, "%lld", (long long)code);
}

static void access_line(const struct reading *r, struct buf *b)
{
	struct arena *a = r->n->a;
	bool target = !is_empty(r->f[LOG_TARGET]), answered = answered_by_target(r);
	int64_t end = number(r->f[LOG_END_US], 0), start = start_of(r, end);
	int64_t queue = number(r->f[LOG_QUEUE_MS], -1), connect = number(r->f[LOG_CONNECT_MS], -1);
	int64_t response = number(r->f[LOG_RESPONSE_MS], -1);
	bool whole = answered && queue >= 0 && connect >= 0 && response >= 0;
	struct str to =
		target ? str_fmt(a, "%.*s:%.*s", STR_ARG(r->f[LOG_TARGET]), STR_ARG(r->f[LOG_TARGET_PORT])) : STR("-");
	bool transformed = r->rule && r->rule->transforms.n;
	buf_fmt(b, "%s %.*s %.*s %.*s:%.*s %.*s %.*s %.*s %s %.*s %.*s %lld %lld ", type_of(r),
		STR_ARG(stamp(r, end, true)), STR_ARG(r->n->balancer), STR_ARG(r->f[LOG_CLIENT]),
		STR_ARG(r->f[LOG_CLIENT_PORT]), STR_ARG(to), STR_ARG(seconds(r, whole ? queue + connect : -1)),
		STR_ARG(seconds(r, whole ? response : -1)), whole ? "0.000" : "-1", STR_ARG(status_of(r)),
		STR_ARG(answered ? r->f[LOG_STATUS] : STR("-")), (long long)number(r->f[LOG_IN], 0),
		(long long)number(r->f[LOG_OUT], 0));
	buf_fmt(b, "\"%.*s\" \"%.*s\" %.*s %.*s %.*s \"%.*s\" \"%.*s\" \"%.*s\" ", STR_ARG(request_of(r)),
		STR_ARG(plain(r, r->agent)), STR_ARG(secure(r) ? r->f[LOG_CIPHER] : STR("-")),
		STR_ARG(secure(r) ? r->f[LOG_TLS] : STR("-")),
		STR_ARG(r->group ? elbv2_group_arn(r->n->plan->at, &r->group->g) : STR("-")),
		STR_ARG(plain(r, r->trace)), STR_ARG(text(r, LOG_SNI)), STR_ARG(certificate_of(r)));
	buf_fmt(b, "%d %.*s \"%s\" \"%.*s\" \"-\" \"%.*s\" \"%.*s\" \"-\" \"-\" ", r->rule ? r->rule->priority.v : -1,
		STR_ARG(stamp(r, start, true)), action_of(r), STR_ARG(text(r, LOG_LOCATION)), STR_ARG(to),
		STR_ARG(answered ? r->f[LOG_STATUS] : STR("-")));
	struct str connection = str_has(r->f[LOG_CONNECTION]) ? r->f[LOG_CONNECTION] : STR("-");
	buf_lit(b, "TID_");
	for (size_t i = 0; i < connection.n; i++)
		if (connection.p[i] != '-') buf_byte(b, connection.p[i]);
	buf_fmt(b, " \"%.*s\" \"%.*s\" \"%s\"\n", STR_ARG(transformed ? text(r, LOG_NEW_HOST) : STR("-")),
		STR_ARG(transformed ? text(r, LOG_NEW_URI) : STR("-")), transformed ? "TransformSuccess" : "-");
}

static void connection_line(const struct reading *r, bool failed, struct buf *b)
{
	bool tls = secure(r);
	buf_fmt(b, "%.*s %.*s %.*s %d ", STR_ARG(stamp(r, start_of(r, 0), true)), STR_ARG(r->f[LOG_CLIENT]),
		STR_ARG(r->f[LOG_CLIENT_PORT]), r->l->l.port.v);
	if (tls && !failed)
		buf_fmt(b, "%.*s %.*s %.*s \"-\" - - - TID_", STR_ARG(r->f[LOG_TLS]), STR_ARG(r->f[LOG_CIPHER]),
			STR_ARG(seconds(r, number(r->f[LOG_TLS_MS], -1))));
	else
		buf_fmt(b, "- - - \"-\" - - %s TID_", failed ? "Failed:UnmappedConnectionError" : "-");
	for (size_t i = 0; i < r->f[LOG_CONNECTION].n; i++)
		if (r->f[LOG_CONNECTION].p[i] != '-') buf_byte(b, r->f[LOG_CONNECTION].p[i]);
	buf_byte(b, '\n');
}

/* ── NLB ── */

/* "tlsv12" */
static struct str protocol_of(const struct reading *r)
{
	struct str v = str_lower(r->n->a, r->f[LOG_TLS]);
	struct buf b = BUF_IN(r->n->a);
	if (is_empty(v)) return STR("-");
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] != '.') buf_byte(&b, v.p[i]);
	if (str_is(v, "tlsv1")) buf_byte(&b, '0');
	return buf_done(&b);
}

static void tls_line(const struct reading *r, struct buf *b)
{
	struct str alpn = text(r, LOG_T_ALPN);
	int64_t end = number(r->f[LOG_END_US], 0), start = start_of(r, end);
	if (!is_empty(alpn)) alpn = str_fmt(r->n->a, "\"%.*s\"", STR_ARG(alpn));
	buf_fmt(b,
		"tls 2.0 %.*s %.*s %.*s %.*s:%.*s %.*s:%.*s %lld %lld %lld %lld - %.*s - %.*s %.*s - %.*s %.*s %s - "
		"%.*s\n",
		STR_ARG(stamp(r, end, false)), STR_ARG(r->n->balancer), STR_ARG(r->l->l.id), STR_ARG(r->f[LOG_CLIENT]),
		STR_ARG(r->f[LOG_CLIENT_PORT]), STR_ARG(r->f[LOG_OWN]), STR_ARG(r->f[LOG_OWN_PORT]),
		(long long)number(r->f[LOG_T_TOTAL_MS], 0), (long long)number(r->f[LOG_TLS_MS], 0),
		(long long)number(r->f[LOG_T_IN], 0), (long long)number(r->f[LOG_T_OUT], 0), STR_ARG(certificate_of(r)),
		STR_ARG(is_empty(r->f[LOG_CIPHER]) ? STR("-") : r->f[LOG_CIPHER]), STR_ARG(protocol_of(r)),
		STR_ARG(text(r, LOG_SNI)), STR_ARG(alpn), "-", STR_ARG(stamp(r, start, false)));
}

/* ── all ── */

static bool split(struct reading *r, struct str line)
{
	size_t n = 0;
	while (n < LOG_A_FIELDS && str_has(line)) r->f[n++] = str_cut(&line, '\t');
	size_t want = str_is(r->f[LOG_KIND], "A")   ? LOG_A_FIELDS
		      : str_is(r->f[LOG_KIND], "T") ? LOG_T_FIELDS
		      : str_is(r->f[LOG_KIND], "E") ? LOG_FAULT + 1
						    : 0;
	if (!want || n != want || str_has(line)) return false;
	for (size_t i = 0; i < r->n->plan->listeners.n; i++)
		if (str_eq(r->n->plan->listeners.v[i].l.id, r->f[LOG_LISTENER])) r->l = &r->n->plan->listeners.v[i];
	return r->l != NULL;
}

void elbv2_log_line(const struct elbv2_log_names *n, struct str line, struct buf *access, struct buf *connections)
{
	struct reading r = {.n = n};
	if (!split(&r, line)) return;
	if (str_is(r.f[LOG_KIND], "T")) {
		tls_line(&r, access);
		return;
	}
	if (str_is(r.f[LOG_KIND], "E")) {
		/* The client spoke nonsense within a connection that stood: a request that is none. */
		bool failed = number(r.f[LOG_FAULT], 0) != 0;
		if (!elbv2_is_app(n->plan->b)) return;
		for (int i = LOG_FAULT + 1; i < LOG_A_FIELDS; i++) r.f[i] = STR("-");
		r.f[LOG_STATUS] = STR("400");
		if (!failed) access_line(&r, access);
		connection_line(&r, failed, connections);
		return;
	}
	take_apart(&r);
	if (str_starts(r.f[LOG_GROUP], STR("g_")) || str_starts(r.f[LOG_GROUP], STR("o_")))
		r.f[LOG_GROUP] = str_from(r.f[LOG_GROUP], 2);
	struct str rule = r.f[LOG_RULE].n ? str_from(r.f[LOG_RULE], 1) : STR("");
	for (size_t i = 0; i < r.l->rules.n; i++)
		if (str_eq(r.l->rules.v[i].id, rule)) r.rule = &r.l->rules.v[i];
	for (size_t i = 0; i < n->plan->groups.n; i++)
		if (str_eq(n->plan->groups.v[i].g.id, r.f[LOG_GROUP])) r.group = &n->plan->groups.v[i];
	/* Of a group without targets there is no backend. */
	if (!r.group && r.rule && r.rule->actions.n && r.rule->actions.v[0].forward_config &&
		r.rule->actions.v[0].forward_config->target_groups.n == 1)
		r.group = elbv2_plan_group_of(
			n->plan, r.rule->actions.v[0].forward_config->target_groups.v[0].target_group_arn);
	access_line(&r, access);
	if (str_is(r.f[LOG_FIRST], "1")) connection_line(&r, false, connections);
}
