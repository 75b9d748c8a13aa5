/* What HAProxy writes down for logs.h, in one line of fields between tabs. What a client may have sent is written in
 * hexadecimal, or as HAProxy writes a request and captured headers: control characters and what ends a field as #XX
 * ("#" itself too). No byte of it can end a field or a line. What costs is each sample of a request's: so what can be
 * told from other fields, or only by some listeners, is not asked for. */
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
	buf_fmt(b, "\"%s\\t%.*s\\t%%[date(0,us)]\\t%s\\t%%ci\\t%%cp\\t%s\\t%s\\t%s\\t%%[var(sess.tid)]\\t%s", kind,
		STR_ARG(l->l.id), start, *kind == 'A' ? "-\\t-" : "%fi\\t%fp", secure ? "%Th" : "-",
		secure ? "%sslc\\t%sslv\\t%[ssl_f_serial,hex]\\t%[ssl_fc_sni,hex]" : "-\\t-\\t-\\t-", error);
}

static bool transforms(const struct elbv2_plan_listener *l)
{
	for (size_t i = 0; i < l->rules.n; i++)
		if (l->rules.v[i].transforms.n) return true;
	return false;
}

/* LOG_TARGET to LOG_NEW_URI. */
static void request(const struct elbv2_plan *p, const struct elbv2_plan_listener *l, struct buf *b)
{
	buf_fmt(b,
		"\\t%%si\\t%%sp\\t%%Tw\\t%%Tc\\t%%Tr\\t%%ST\\t%%ts\\t%%U\\t%%B\\t%%r\\t%%hr\\t%%[var(txn.rule)]\\t%"
		"s\\t%s\\t%s\\t%s\"\n",
		elbv2_only_forwards(p, l) ? "%b" : "%[var(txn.be)]",
		elbv2_logs(p->b, ELBV2_LOG_CONNECTION) ? "%[var(txn.first)]" : "-",
		elbv2_redirects(l) ? "%[var(txn.loc),hex]" : "-",
		transforms(l) ? "%[var(txn.nh),hex]\\t%[var(txn.nu),hex]" : "-\\t-");
}

void elbv2_log_before(const struct elbv2_plan *p, const struct elbv2_plan_listener *l, struct buf *b)
{
	if (!wanted(p, l)) return;
	bool app = elbv2_is_app(p->b);
	buf_lit(b, "\tlog stdout len 65535 format raw local0 info\n\tlog-format ");
	common(l, app ? "A" : "T", app ? "%Ta" : "%Ts.%ms", "-", b);
	if (app)
		request(p, l, b);
	else
		buf_lit(b, "\\t%Tt\\t%U\\t%B\\t%[ssl_fc_alpn,hex]\"\n");
	buf_lit(b, "\terror-log-format ");
	common(l, "E", "%Ts.%ms", "%[ssl_fc_err]", b);
	buf_lit(b, "\"\n");
	if (!app) return;
	/* "User-agent strings longer than 8 KB are truncated." */
	buf_lit(b, "\ttcp-request session set-var-fmt(sess.tid) %[uuid]\n\tcapture request header User-Agent len 8192\n"
		   "\tcapture request header Host len 1024\n");
	if (elbv2_logs(p->b, ELBV2_LOG_CONNECTION))
		buf_lit(b, "\thttp-request set-var(txn.first) int(1) if !{ var(sess.seen) -m found }\n"
			   "\thttp-request set-var(sess.seen) int(1)\n");
}

void elbv2_log_after(const struct elbv2_plan *p, const struct elbv2_plan_listener *l, struct buf *b)
{
	if (!wanted(p, l) || !elbv2_is_app(p->b)) return;
	if (transforms(l))
		buf_lit(b, "\thttp-request set-var(txn.nh) req.fhdr(host)\n\thttp-request set-var(txn.nu) pathq\n");
	if (elbv2_redirects(l))
		buf_lit(b, "\thttp-after-response set-var(txn.loc) res.fhdr(Location) if { status 301 302 }\n");
}
