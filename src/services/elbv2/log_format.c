/* What HAProxy writes down for logs.h, in one line of fields between tabs. What a client may have sent is written in
 * hexadecimal: no byte of it can end a field or a line. */
#include "services/elbv2/logs.h"

bool elbv2_logs(const struct elbv2_rec_balancer *b, enum elbv2_log which)
{
	const char *name = which == ELBV2_LOG_ACCESS ? "access_logs.s3.enabled" : "connection_logs.s3.enabled";
	return str_is(elbv2_balancer_attribute(b, name), "true");
}

static bool wanted(const struct elbv2_plan *p, const struct elbv2_plan_listener *l)
{
	/* "Access logs are created only if the load balancer has a TLS listener", the NLB guide. */
	if (elbv2_is_classic(p->b)) return false;
	if (!elbv2_is_app(p->b)) return elbv2_logs(p->b, ELBV2_LOG_ACCESS) && str_is(l->l.protocol, "TLS");
	return elbv2_logs(p->b, ELBV2_LOG_ACCESS) || elbv2_logs(p->b, ELBV2_LOG_CONNECTION);
}

/* LOG_KIND to LOG_FAULT. */
static void common(
	const struct elbv2_plan_listener *l, const char *kind, const char *start, const char *error, struct buf *b)
{
	bool secure = l->l.certificates.n > 0;
	buf_fmt(b, "\"%s\\t%.*s\\t%%[date(0,us)]\\t%s\\t%%ci\\t%%cp\\t%%fi\\t%%fp\\t%%Th\\t%s\\t%%[var(sess.tid)]\\t%s",
		kind, STR_ARG(l->l.id), start,
		secure ? "%sslc\\t%sslv\\t%[ssl_f_serial,hex]\\t%[ssl_fc_sni,hex]" : "-\\t-\\t-\\t-", error);
}

void elbv2_log_before(const struct elbv2_plan *p, const struct elbv2_plan_listener *l, struct buf *b)
{
	if (!wanted(p, l)) return;
	bool app = elbv2_is_app(p->b);
	buf_lit(b, "\tlog stdout format raw local0 info\n\tlog-format ");
	common(l, app ? "A" : "T", app ? "%[var(txn.t)]" : "%Ts.%ms", "-", b);
	if (app)
		buf_lit(b, "\\t%si\\t%sp\\t%Tw\\t%Tc\\t%Tr\\t%ST\\t%[var(txn.ts)]\\t%U\\t%B\\t%[var(txn.m),hex]\\t"
			   "%[capture.req.uri,hex]\\t%[var(txn.v)]\\t%[var(txn.ua),hex]\\t%[var(txn.hh),hex]\\t%[var("
			   "txn.rule)]\\t"
			   "%[var(txn.be)]\\t%[var(txn.first)]\\t%ts\\t%[var(txn.trid),hex]\\t%[var(txn.up)]\\t%[var("
			   "txn.loc),hex]\\t"
			   "%[var(txn.nh),hex]\\t%[var(txn.nu),hex]\"\n");
	else
		buf_lit(b, "\\t%Tt\\t%U\\t%B\\t%[ssl_fc_alpn,hex]\"\n");
	buf_lit(b, "\terror-log-format ");
	common(l, "E", "%Ts.%ms", "%[ssl_fc_err]", b);
	buf_lit(b, "\"\n");
	if (!app) return;
	buf_lit(b, "\ttcp-request session set-var-fmt(sess.tid) %[uuid]\n"
		   "\thttp-request set-var(txn.t) date(0,us)\n\thttp-request set-var(txn.m) method\n"
		   "\thttp-request set-var(txn.v) req.ver\n\thttp-request set-var(txn.ua) req.fhdr(user-agent)\n"
		   "\thttp-request set-var(txn.hh) req.fhdr(host)\n"
		   "\thttp-request set-var(txn.first) int(1) if !{ var(sess.seen) -m found }\n"
		   "\thttp-request set-var(sess.seen) int(1)\n");
}

void elbv2_log_after(const struct elbv2_plan *p, const struct elbv2_plan_listener *l, struct buf *b)
{
	bool transforms = false;
	if (!wanted(p, l) || !elbv2_is_app(p->b)) return;
	for (size_t i = 0; i < l->rules.n; i++) transforms = transforms || l->rules.v[i].transforms.n;
	if (transforms)
		buf_lit(b, "\thttp-request set-var(txn.nh) req.fhdr(host)\n\thttp-request set-var(txn.nu) pathq\n");
	buf_lit(b, "\thttp-response set-var(txn.ts) status\n"
		   "\thttp-response set-var(txn.up) int(1) if { status 101 }\n"
		   "\thttp-after-response set-var(txn.loc) res.fhdr(Location) if { status 301 302 }\n");
}
