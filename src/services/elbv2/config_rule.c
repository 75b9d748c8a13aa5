/* How a frontend decides: the first rule that fits names itself in txn.rule, and what it does follows from there; so a
 * later rule's redirect cannot overtake an earlier rule's forward. */
#include "services/elbv2/logs.h"

#define IF_NONE_YET " if !{ var(txn.rule) -m found }"

/* ── conditions ── */

/* '*' any run, '?' one character; the rest is meant as it stands. within: what a wildcard may not cross. */
static void glob_to_regex(struct buf *b, struct str s, const char *any)
{
	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];
		bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
		if (ch == '*')
			buf_fmt(b, "%s*", any);
		else if (ch == '?')
			buf_fmt(b, "%s", any);
		else
			buf_fmt(b, "%s%c", plain ? "" : "\\", ch);
	}
}

/* What HAProxy compares without a regular expression. */
enum shape { ANY_SHAPE, WHOLE, BEGINNING, END_OF };

static enum shape shape_of(struct str s)
{
	size_t stars = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '?') return ANY_SHAPE;
		stars += s.p[i] == '*';
	}
	if (!stars) return WHOLE;
	if (stars > 1 || s.n < 2) return ANY_SHAPE;
	return s.p[s.n - 1] == '*' ? BEGINNING : s.p[0] == '*' ? END_OF : ANY_SHAPE;
}

/* One for all of them, or none. */
static enum shape common_shape(const struct elbv2_rec_condition *k)
{
	const struct elbv2_rec_strings *v = elbv2_condition_values(k);
	if (!v->n || elbv2_condition_regexes(k)->n) return ANY_SHAPE;
	enum shape first = shape_of(v->v[0]);
	for (size_t i = 1; i < v->n; i++)
		if (shape_of(v->v[i]) != first) return ANY_SHAPE;
	return first;
}

static const char *const ways[] = {"reg", "str", "beg", "end"};

static void patterns(struct buf *b, const struct elbv2_rec_condition *k)
{
	enum shape shape = common_shape(k);
	const struct elbv2_rec_strings *all = elbv2_condition_values(k);
	for (size_t i = 0; shape != ANY_SHAPE && i < all->n; i++) {
		struct str s = all->v[i];
		buf_byte(b, ' ');
		elbv2_word(b, shape == WHOLE ? s : shape == BEGINNING ? str_sub(s, 0, s.n - 1) : str_from(s, 1), false);
	}
	if (shape != ANY_SHAPE) return;
	const struct elbv2_rec_strings *v = elbv2_condition_values(k), *r = elbv2_condition_regexes(k);
	for (size_t i = 0; i < v->n; i++) {
		struct buf one = BUF_IN(b->arena);
		buf_lit(&one, "^");
		glob_to_regex(&one, v->v[i], ".");
		buf_lit(&one, "$");
		buf_byte(b, ' ');
		elbv2_word(b, buf_done(&one), false);
	}
	for (size_t i = 0; i < r->n; i++) {
		buf_byte(b, ' ');
		elbv2_word(b, r->v[i], false);
	}
}

static void condition(struct buf *b, const struct elbv2_rec_condition *k)
{
	struct str f = k->field;
	if (str_is(f, "host-header")) {
		buf_fmt(b, " { req.hdr(host),field(1,:) -m %s -i --", ways[common_shape(k)]);
		patterns(b, k);
	} else if (str_is(f, "path-pattern")) {
		buf_fmt(b, " { path -m %s --", ways[common_shape(k)]);
		patterns(b, k);
	} else if (str_is(f, "http-header")) {
		buf_fmt(b, " { req.fhdr(%.*s) -m %s -i --", STR_ARG(k->http_header_config->http_header_name),
			ways[common_shape(k)]);
		patterns(b, k);
	} else if (str_is(f, "http-request-method")) {
		const struct elbv2_rec_strings *v = elbv2_condition_values(k);
		buf_lit(b, " { method");
		for (size_t i = 0; i < v->n; i++) buf_fmt(b, " %.*s", STR_ARG(v->v[i]));
	} else if (str_is(f, "source-ip")) {
		const struct elbv2_rec_strings *v = elbv2_condition_values(k);
		buf_lit(b, " { src --");
		for (size_t i = 0; i < v->n; i++) buf_fmt(b, " %.*s", STR_ARG(v->v[i]));
	} else {
		buf_lit(b, " { query -m reg -i --");
		for (size_t i = 0; i < k->query_string_config->values.n; i++) {
			const struct elbv2_rec_query_pair *q = &k->query_string_config->values.v[i];
			struct buf one = BUF_IN(b->arena);
			buf_lit(&one, "(^|&)");
			if (str_has(q->key) && q->key.n)
				glob_to_regex(&one, q->key, "[^&=]");
			else
				buf_lit(&one, "[^&=]*");
			buf_lit(&one, "=");
			glob_to_regex(&one, q->value, "[^&]");
			buf_lit(&one, "(&|$)");
			buf_byte(b, ' ');
			elbv2_word(b, buf_done(&one), false);
		}
	}
	buf_lit(b, " }");
}

/* ── actions ── */

/* "#{host}" and the like become what they stand for. */
static void expand(struct buf *b, struct str s, const struct elbv2_rec_listener *l)
{
	static const char *const names[][2] = {
		{"#{host}", "%[var(txn.host)]"}, {"#{path}", "%[path,regsub(^/,)]"}, {"#{query}", "%[var(txn.query)]"}};
	while (s.n) {
		bool done = false;
		for (size_t i = 0; !done && i < 3; i++) {
			if (!str_starts(s, str_c(names[i][0]))) continue;
			buf_str(b, str_c(names[i][1]));
			s = str_from(s, strlen(names[i][0]));
			done = true;
		}
		if (!done && str_starts(s, STR("#{port}"))) {
			buf_fmt(b, "%d", l->port.v);
			s = str_from(s, 7);
			done = true;
		}
		if (done) continue;
		struct buf one = BUF_IN(b->arena);
		elbv2_word(&one, str_sub(s, 0, 1), true);
		struct str word = buf_done(&one);
		buf_str(b, str_sub(word, 1, word.n - 2)); /* without its quotes */
		s = str_from(s, 1);
	}
}

static void redirect(struct buf *b, const struct elbv2_plan_listener *l, const struct elbv2_rec_rule *r,
	const struct elbv2_rec_redirect *to)
{
	const char *code = str_is(to->status_code, "HTTP_301") ? "301" : "302";
	bool only_query = str_is(to->query, "#{query}"), https = str_is(l->l.protocol, "HTTPS");
	for (int with = 1; with >= 0; with--) {
		if (with ? !to->query.n : to->query.n && !only_query) continue;
		struct str protocol = str_is(to->protocol, "#{protocol}") ? (https ? STR("https") : STR("http"))
									  : str_lower(b->arena, to->protocol);
		buf_fmt(b, "\thttp-request redirect location \"%.*s://", STR_ARG(protocol));
		expand(b, to->host, &l->l);
		buf_lit(b, ":");
		expand(b, to->port, &l->l);
		expand(b, to->path, &l->l);
		if (with) {
			buf_lit(b, "?");
			expand(b, to->query, &l->l);
		}
		buf_fmt(b, "\" code %s if { var(txn.rule) -m str r%.*s }%s\n", code, STR_ARG(r->id),
			with && only_query ? " { var(txn.query) -m len gt 0 }" : "");
	}
}

static void fixed_response(
	struct elbv2_plan *p, struct buf *b, const struct elbv2_rec_rule *r, const struct elbv2_rec_fixed_response *f)
{
	buf_fmt(b, "\thttp-request return status %.*s", STR_ARG(f->status_code));
	if (str_has(f->message_body) && f->message_body.n) {
		struct str name = str_fmt(p->at.a, "body-%.*s", STR_ARG(r->id));
		struct str type = str_has(f->content_type) && f->content_type.n ? f->content_type : STR("text/plain");
		*VEC_PUSH(p->at.a, &p->files, &p->files.capacity) =
			(struct elbv2_plan_file){.name = name, .bytes = f->message_body};
		buf_fmt(b, " content-type \"%.*s; charset=utf-8\" file /srv/engine/%.*s", STR_ARG(type), STR_ARG(name));
	}
	buf_fmt(b, " if { var(txn.rule) -m str r%.*s }\n", STR_ARG(r->id));
}

/* What AWSALBTG says of a group: nothing that tells anything. */
static struct str token_of(struct arena *a, const struct elbv2_rec_rule *r, struct str group)
{
	return str_fmt(a, "%.*s%.*s", STR_ARG(r->id), STR_ARG(group));
}

static const char *scope(const struct elbv2_plan_listener *l)
{
	return elbv2_is_web(&l->l) ? "http-request" : "tcp-request content";
}

static void forward(struct elbv2_plan *p, const struct elbv2_plan_listener *l, struct buf *b,
	const struct elbv2_rec_rule *r, const struct elbv2_rec_forward *f)
{
	int64_t total = 0, at = 0;
	bool sticky = elbv2_is_web(&l->l) && f->target_groups.n > 1 && f->target_group_stickiness_config &&
		      f->target_group_stickiness_config->enabled.v;
	for (size_t i = 0; i < f->target_groups.n; i++) total += f->target_groups.v[i].weight.v;
	struct str rule = str_fmt(p->at.a, "{ var(txn.rule) -m str r%.*s }", STR_ARG(r->id));
	if (f->target_groups.n > 1 && total)
		buf_fmt(b, "\t%s set-var(txn.w) rand(%lld) if %.*s\n", scope(l), (long long)total, STR_ARG(rule));
	for (size_t i = 0; i < f->target_groups.n; i++) {
		const struct elbv2_plan_group *g = elbv2_plan_group_of(p, f->target_groups.v[i].target_group_arn);
		if (!g) continue;
		struct str token = token_of(p->at.a, r, g->g.id);
		if (sticky && f->target_groups.v[i].weight.v)
			buf_fmt(b,
				"\thttp-request set-var(txn.be) str(%.*s) if %.*s { req.cook(AWSALBTG) -m str %.*s }\n",
				STR_ARG(g->g.id), STR_ARG(rule), STR_ARG(token));
	}
	for (size_t i = 0; i < f->target_groups.n; i++) {
		const struct elbv2_plan_group *g = elbv2_plan_group_of(p, f->target_groups.v[i].target_group_arn);
		if (!f->target_groups.v[i].weight.v) continue;
		at += f->target_groups.v[i].weight.v;
		if (!g) continue;
		buf_fmt(b, "\t%s set-var(txn.be) str(%.*s) if %.*s !{ var(txn.be) -m found }", scope(l),
			STR_ARG(g->g.id), STR_ARG(rule));
		if (f->target_groups.n > 1) buf_fmt(b, " { var(txn.w) -m int lt %lld }", (long long)at);
		buf_lit(b, "\n");
	}
	if (!sticky) return;
	int32_t seconds = f->target_group_stickiness_config->duration_seconds.v;
	for (size_t i = 0; i < f->target_groups.n; i++) {
		const struct elbv2_plan_group *g = elbv2_plan_group_of(p, f->target_groups.v[i].target_group_arn);
		if (!g) continue;
		struct str token = token_of(p->at.a, r, g->g.id);
		buf_fmt(b,
			"\thttp-response add-header Set-Cookie \"AWSALBTG=%.*s; Expires=%%[date(%d),http_date]; "
			"Path=/\" if %.*s { "
			"var(txn.be) -m str %.*s }\n",
			STR_ARG(token), seconds, STR_ARG(rule), STR_ARG(g->g.id));
	}
}

static void transforms(struct buf *b, const struct elbv2_rec_rule *r)
{
	for (size_t i = 0; i < r->transforms.n; i++) {
		const struct elbv2_rec_transform *t = &r->transforms.v[i];
		bool url = str_is(t->type, "url-rewrite");
		const struct elbv2_rec_rewrite *w =
			url ? &t->url_rewrite_config->rewrites.v[0] : &t->host_header_rewrite_config->rewrites.v[0];
		struct buf to = BUF_IN(b->arena);
		for (size_t k = 0; k < w->replace.n; k++) {
			char ch = w->replace.p[k];
			if (ch == '\\') buf_byte(&to, '\\');
			buf_byte(&to, ch == '$' ? '\\' : ch);
		}
		buf_fmt(b, "\thttp-request %s ", url ? "replace-pathq" : "replace-header Host");
		elbv2_word(b, w->regex, false);
		buf_byte(b, ' ');
		elbv2_word(b, buf_done(&to), true);
		buf_fmt(b, " if { var(txn.rule) -m str r%.*s }\n", STR_ARG(r->id));
	}
}

/* ── headers ("HTTP headers and Application Load Balancers", the ALB guide) ── */

/* 1, the time, and 24 digits: the ends of two UUIDs. */
#define ROOT "1-%%[date,hex,lower,bytes(8,8)]-%%[uuid,bytes(24,12)]%%[uuid,bytes(24,12)]"

/* The log asks for them. */
static bool names_rules(const struct elbv2_plan *p)
{
	return elbv2_logs(p->b, ELBV2_LOG_ACCESS) || elbv2_logs(p->b, ELBV2_LOG_CONNECTION);
}

static void request_headers(const struct elbv2_plan *p, const struct elbv2_plan_listener *l, struct buf *b)
{
	struct str mode = elbv2_balancer_attribute(p->b, "routing.http.xff_header_processing.mode");
	bool port = str_is(elbv2_balancer_attribute(p->b, "routing.http.xff_client_port.enabled"), "true");
	bool https = str_is(l->l.protocol, "HTTPS");
	const char *who = port ? "%[src]:%[src_port]" : "%[src]";
	if (str_is(elbv2_balancer_attribute(p->b, "routing.http.drop_invalid_header_fields.enabled"), "true"))
		buf_lit(b, "\thttp-request del-header \"[^-A-Za-z0-9]\" -m reg\n");
	/* "HTTP 463: The load balancer received an X-Forwarded-For request header with too many IP addresses. The upper
	 * limit for IP addresses is 30." */
	if (str_is(mode, "append"))
		buf_fmt(b,
			"\thttp-request set-var(txn.xff) req.fhdr(X-Forwarded-For)\n"
			"\thttp-request deny status 463 if { var(txn.xff) -m found } { req.hdr_cnt(X-Forwarded-For) "
			"gt 30 }\n"
			"\thttp-request set-header X-Forwarded-For \"%%[var(txn.xff)], %s\" if { var(txn.xff) -m found "
			"}\n"
			"\thttp-request set-header X-Forwarded-For \"%s\" if !{ var(txn.xff) -m found }\n",
			who, who);
	if (str_is(mode, "remove")) buf_lit(b, "\thttp-request del-header X-Forwarded-For\n");
	buf_fmt(b,
		"\thttp-request set-header X-Forwarded-Proto %s\n\thttp-request set-header X-Forwarded-Port %d\n"
		"\thttp-request set-header X-Amzn-Trace-Id \"Self=" ROOT ";%%[req.fhdr(X-Amzn-Trace-Id)]\" if { "
		"req.fhdr(X-Amzn-Trace-Id) -m sub Root= }\n"
		"\thttp-request set-header X-Amzn-Trace-Id \"Root=" ROOT "\" if !{ req.fhdr(X-Amzn-Trace-Id) -m sub "
		"Root= }\n",
		https ? "https" : "http", l->l.port.v);
	if (names_rules(p)) buf_lit(b, "\thttp-request capture req.fhdr(X-Amzn-Trace-Id) len 1024\n");
	if (https && str_is(elbv2_balancer_attribute(p->b, "routing.http.x_amzn_tls_version_and_cipher_suite.enabled"),
			     "true"))
		buf_fmt(b,
			"\thttp-request set-header %.*s %%[ssl_fc_protocol]\n"
			"\thttp-request set-header %.*s %%[ssl_fc_cipher]\n",
			STR_ARG(elbv2_listener_attribute(&l->l, "routing.http.request.x_amzn_tls_version.header_name")),
			STR_ARG(elbv2_listener_attribute(
				&l->l, "routing.http.request.x_amzn_tls_cipher_suite.header_name")));
	elbv2_mutual_headers(l, b);
}

static void response_headers(const struct elbv2_rec_listener *l, struct buf *b)
{
	static const char *const names[][2] = {{"strict_transport_security", "Strict-Transport-Security"},
		{"access_control_allow_origin", "Access-Control-Allow-Origin"},
		{"access_control_allow_methods", "Access-Control-Allow-Methods"},
		{"access_control_allow_headers", "Access-Control-Allow-Headers"},
		{"access_control_allow_credentials", "Access-Control-Allow-Credentials"},
		{"access_control_expose_headers", "Access-Control-Expose-Headers"},
		{"access_control_max_age", "Access-Control-Max-Age"},
		{"content_security_policy", "Content-Security-Policy"},
		{"x_content_type_options", "X-Content-Type-Options"}, {"x_frame_options", "X-Frame-Options"}};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct str value = elbv2_listener_attribute(
			l, str_fmt(b->arena, "routing.http.response.%s.header_value", names[i][0]).p);
		if (!value.n) continue;
		buf_fmt(b, "\thttp-response set-header %s ", names[i][1]);
		elbv2_word(b, value, true);
		buf_lit(b, "\n");
	}
	if (str_is(elbv2_listener_attribute(l, "routing.http.response.server.enabled"), "true"))
		buf_lit(b, "\thttp-after-response set-header Server awselb/2.0 if !{ srv_id -m found } !{ "
			   "res.hdr(Server) -m "
			   "found }\n\thttp-after-response set-header Server awselb/2.0 if { status 502:504 } !{ "
			   "var(txn.own) -m found }\n");
}

/* ── all of it ── */

/* No server of it takes requests. A process that a newer one has replaced still answers what its kept connections ask:
 * there nbsrv is 0 for each backend, whatever its servers are, since all have stopped; be_conn_free looks at the
 * servers themselves (-1: one at least takes any number). */
#define NONE_IN(kind) "{ be_conn_free(" kind "%.*s) eq 0 }"

static void choose(const struct elbv2_plan *p, const struct elbv2_plan_listener *l, struct buf *b)
{
	for (size_t i = 0; i < p->groups.n; i++) {
		struct str id = p->groups.v[i].g.id;
		struct str mine = str_fmt(b->arena, "if { var(txn.be) -m str %.*s }", STR_ARG(id));
		bool web = elbv2_is_web(&l->l), classic = elbv2_is_classic(p->b);
		/* Only a Classic Load Balancer has both kinds. */
		if (str_starts(p->groups.v[i].g.protocol, STR("HTTP")) != web) continue;
		/* Without healthy instances, a Classic Load Balancer sends to none of them. */
		if (web)
			buf_fmt(b, "\tuse_backend none %.*s " NONE_IN("%s_") "\n", STR_ARG(mine), classic ? "g" : "o",
				STR_ARG(id));
		if (!classic)
			buf_fmt(b, "\tuse_backend o_%.*s %.*s " NONE_IN("g_") "\n", STR_ARG(id), STR_ARG(mine),
				STR_ARG(id));
		buf_fmt(b, "\tuse_backend g_%.*s %.*s\n", STR_ARG(id), STR_ARG(mine));
	}
	if (elbv2_is_web(&l->l)) buf_lit(b, "\tdefault_backend none\n");
}

/* Then the rules are the choice of a backend themselves. */
bool elbv2_only_forwards(const struct elbv2_plan *p, const struct elbv2_plan_listener *l)
{
	if (!elbv2_is_web(&l->l) || elbv2_is_classic(p->b)) return false;
	for (size_t i = 0; i < l->rules.n; i++) {
		const struct elbv2_rec_rule *r = &l->rules.v[i];
		const struct elbv2_rec_forward *f = r->actions.n ? r->actions.v[0].forward_config : NULL;
		if (!f || f->target_groups.n != 1 || !f->target_groups.v[0].weight.v || r->transforms.n) return false;
	}
	return true;
}

static const struct elbv2_plan_group *only_group(const struct elbv2_plan *p, const struct elbv2_rec_rule *r)
{
	return elbv2_plan_group_of(p, r->actions.v[0].forward_config->target_groups.v[0].target_group_arn);
}

/* when: conditions, each with a space before. */
static void to_group(struct buf *b, struct str id, struct str when)
{
	buf_fmt(b, "\tuse_backend none if " NONE_IN("o_") "%.*s\n", STR_ARG(id), STR_ARG(when));
	buf_fmt(b, "\tuse_backend o_%.*s if " NONE_IN("g_") "%.*s\n", STR_ARG(id), STR_ARG(id), STR_ARG(when));
	buf_fmt(b, "\tuse_backend g_%.*s%s%.*s\n", STR_ARG(id), when.n ? " if" : "", STR_ARG(when));
}

static void choose_by_rules(const struct elbv2_plan *p, const struct elbv2_plan_listener *l, struct buf *b)
{
	for (size_t i = 0; i < l->rules.n; i++) {
		const struct elbv2_rec_rule *r = &l->rules.v[i];
		const struct elbv2_plan_group *g = only_group(p, r);
		struct buf when = BUF_IN(b->arena);
		for (size_t k = 0; k < r->conditions.n; k++) condition(&when, &r->conditions.v[k]);
		struct str c = buf_done(&when);
		if (g)
			to_group(b, g->g.id, c);
		else
			buf_fmt(b, "\tuse_backend none%s%.*s\n", c.n ? " if" : "", STR_ARG(c));
	}
	buf_lit(b, "\tdefault_backend none\n");
}

/* The same where the log asks which rule it was: all rules to a group at once. */
static void choose_by_names(const struct elbv2_plan *p, const struct elbv2_plan_listener *l, struct buf *b)
{
	for (size_t i = 0; i < p->groups.n; i++) {
		struct buf names = BUF_IN(b->arena);
		for (size_t k = 0; k < l->rules.n; k++)
			if (only_group(p, &l->rules.v[k]) == &p->groups.v[i])
				buf_fmt(&names, " r%.*s", STR_ARG(l->rules.v[k].id));
		if (names.n)
			to_group(b, p->groups.v[i].g.id,
				str_fmt(b->arena, " { var(txn.rule) -m str%.*s }", STR_ARG(buf_done(&names))));
	}
	buf_lit(b, "\tdefault_backend none\n");
}

static void name_rules(const struct elbv2_plan_listener *l, struct buf *b)
{
	for (size_t i = 0; i < l->rules.n; i++) {
		const struct elbv2_rec_rule *r = &l->rules.v[i];
		buf_fmt(b, "\t%s set-var(txn.rule) str(r%.*s)%s", scope(l), STR_ARG(r->id),
			i ? IF_NONE_YET : " if TRUE");
		for (size_t k = 0; k < r->conditions.n; k++) condition(b, &r->conditions.v[k]);
		buf_lit(b, "\n");
	}
}

bool elbv2_redirects(const struct elbv2_plan_listener *l)
{
	for (size_t i = 0; i < l->rules.n; i++)
		if (l->rules.v[i].actions.n && l->rules.v[i].actions.v[0].redirect_config) return true;
	return false;
}

void elbv2_config_rules(struct elbv2_plan *p, const struct elbv2_plan_listener *l, struct buf *b)
{
	bool app = elbv2_is_web(&l->l);
	if (app) buf_lit(b, "\thttp-request set-var(txn.began) date(0,ms)\n");
	if (elbv2_only_forwards(p, l)) {
		if (names_rules(p)) name_rules(l, b);
		request_headers(p, l, b);
		response_headers(&l->l, b);
		elbv2_log_after(p, l, b);
		elbv2_own_rules(b);
		if (names_rules(p))
			choose_by_names(p, l, b);
		else
			choose_by_rules(p, l, b);
		return;
	}
	if (app && elbv2_redirects(l))
		buf_lit(b, "\thttp-request set-var(txn.host) req.hdr(host),field(1,:)\n"
			   "\thttp-request set-var(txn.query) query\n");
	name_rules(l, b);
	if (app) request_headers(p, l, b);
	for (size_t i = 0; i < l->rules.n; i++) {
		const struct elbv2_rec_rule *r = &l->rules.v[i];
		const struct elbv2_rec_action *a = &r->actions.v[0];
		if (a->redirect_config)
			redirect(b, l, r, a->redirect_config);
		else if (a->fixed_response_config)
			fixed_response(p, b, r, a->fixed_response_config);
		else if (a->forward_config)
			forward(p, l, b, r, a->forward_config);
		transforms(b, r);
	}
	if (app) response_headers(&l->l, b);
	elbv2_log_after(p, l, b);
	if (app) elbv2_own_rules(b);
	choose(p, l, b);
}
