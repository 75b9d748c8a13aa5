/* Mutual TLS of HTTPS listeners ("Mutual authentication with TLS in Application Load Balancer", the ALB guide). verify:
 * HAProxy asks for a certificate that the trust store vouches for, and tells the target whose it is; passthrough: it
 * asks for any, and passes it on for the target to judge. */
#include "services/elbv2/node.h"

static status bind_store(struct call *c, struct str store, struct str listener, bool uses)
{
	struct elbv2_rec_trust_store t;
	struct elbv2_rec_strings users = {0};
	size_t capacity = 0;
	status s = elbv2_trust_by_arn(ec2_here(c), store, &t);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	for (size_t i = 0; i < t.users.n; i++)
		if (!str_eq(t.users.v[i], listener)) *VEC_PUSH(c->arena, &users, &capacity) = t.users.v[i];
	if (uses) *VEC_PUSH(c->arena, &users, &capacity) = listener;
	t.users = users;
	elbv2_trust_put(ec2_here(c), &t);
	return OK;
}

status elbv2_mutual_end(struct call *c, const struct elbv2_rec_balancer *b, struct elbv2_rec_listener *l)
{
	struct str arn = elbv2_listener_arn(ec2_here(c), b, l->id);
	if (str_has(l->trust_store)) TRY(bind_store(c, l->trust_store, arn, false));
	l->mutual = l->trust_store = STR_NONE;
	l->ignore_expiry = l->advertise = (struct opt_bool){0};
	return OK;
}

status elbv2_mutual_given(struct call *c, const struct elbv2_rec_balancer *b, struct elbv2_rec_listener *l,
	const struct elbv2_mutual_authentication_attributes *m)
{
	struct elbv2_rec_trust_store t;
	bool https = str_is(l->protocol, "HTTPS");
	if (!m || !str_has(m->mode)) return https ? OK : elbv2_mutual_end(c, b, l);
	if (str_is(m->mode, "off")) return elbv2_mutual_end(c, b, l);
	if (!str_is(m->mode, "verify") && !str_is(m->mode, "passthrough"))
		return call_fail(c, ERR_VALIDATION,
			"Mutual authentication mode '%.*s' must be one of 'off, passthrough, verify'",
			STR_ARG(m->mode));
	if (!https)
		return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
			"Mutual authentication is not supported for listeners with protocol '%.*s'",
			STR_ARG(l->protocol));
	bool verify = str_is(m->mode, "verify");
	if (verify != str_has(m->trust_store_arn))
		return call_fail(c, ERR_VALIDATION,
			verify ? "A trust store ARN must be specified for the mutual authentication mode 'verify'"
			       : "A trust store ARN can only be specified for the mutual authentication mode 'verify'");
	if (!verify && (m->ignore_client_certificate_expiry.v || str_is(m->advertise_trust_store_ca_names, "on")))
		return call_fail(c, ERR_VALIDATION,
			"Certificate expiry and CA names can only be configured for the mutual authentication mode "
			"'verify'");
	if (verify) TRY(elbv2_trust_find(c, m->trust_store_arn, &t));
	TRY(elbv2_mutual_end(c, b, l));
	l->mutual = m->mode;
	if (!verify) return OK;
	l->trust_store = m->trust_store_arn;
	l->ignore_expiry = SOME_BOOL(m->ignore_client_certificate_expiry.v);
	l->advertise = SOME_BOOL(str_is(m->advertise_trust_store_ca_names, "on"));
	return bind_store(c, l->trust_store, elbv2_listener_arn(ec2_here(c), b, l->id), true);
}

void elbv2_mutual_show(struct call *c, const struct elbv2_rec_listener *l, struct elbv2_listener *out)
{
	if (!str_is(l->protocol, "HTTPS")) return;
	struct elbv2_mutual_authentication_attributes *m =
		arena_new(c->arena, struct elbv2_mutual_authentication_attributes);
	out->mutual_authentication = m;
	m->mode = str_or(l->mutual, STR("off"));
	if (!str_is(m->mode, "verify")) return;
	m->trust_store_arn = l->trust_store;
	m->trust_store_association_status = STR("active");
	m->ignore_client_certificate_expiry = l->ignore_expiry;
	m->advertise_trust_store_ca_names = l->advertise.v ? STR("on") : STR("off");
}

/* ── the configuration ── */

/* 3: an authority without a list of revocation; 10: a certificate that has expired (openssl-verify(1)). */
void elbv2_mutual_bind(const struct elbv2_plan_listener *l, struct buf *b)
{
	if (str_is(l->l.mutual, "passthrough") && l->n_files) {
		/* Any file of authorities: what it says of a certificate is not asked. */
		buf_fmt(b,
			" verify optional ca-file /srv/engine/%.*s no-ca-names ca-ignore-err all crt-ignore-err all "
			"no-tls-tickets",
			STR_ARG(l->files[0]));
		return;
	}
	if (!str_is(l->l.mutual, "verify")) return;
	/* A store that cannot be read vouches for nobody. */
	buf_fmt(b, " verify required ca-file /srv/engine/%.*s%s", STR_ARG(str_has(l->trust) ? l->trust : STR("none")),
		l->l.advertise.v ? "" : " no-ca-names");
	if (str_has(l->revoked)) buf_fmt(b, " crl-file /srv/engine/%.*s ca-ignore-err 3", STR_ARG(l->revoked));
	if (str_has(l->revoked) || l->l.ignore_expiry.v)
		buf_fmt(b, " crt-ignore-err %s%s%s", str_has(l->revoked) ? "3" : "",
			str_has(l->revoked) && l->l.ignore_expiry.v ? "," : "", l->l.ignore_expiry.v ? "10" : "");
}

/* One DER after the other, in hexadecimal (a string ends at a zero), becomes one PEM after the other, URL-encoded as
 * below. HAProxy has no converter that could take them apart. */
static const char chain_lua[] =
	"local digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'\n"
	"local function base64(s)\n"
	"\tlocal out = {}\n"
	"\tfor i = 1, #s, 3 do\n"
	"\t\tlocal a, b, c = s:byte(i, i + 2)\n"
	"\t\tlocal n = a << 16 | (b or 0) << 8 | (c or 0)\n"
	"\t\tfor k = 0, 3 do\n"
	"\t\t\tlocal at = (n >> (18 - 6 * k) & 63) + 1\n"
	"\t\t\tout[#out + 1] = (k == 2 and not b or k == 3 and not c) and '=' or digits:sub(at, at)\n"
	"\t\tend\n"
	"\tend\n"
	"\treturn table.concat(out)\n"
	"end\n"
	"local function size(s, at)\n"
	"\tlocal n = s:byte(at + 1)\n"
	"\tif not n or s:byte(at) ~= 0x30 then return nil end\n"
	"\tif n < 128 then return n + 2 end\n"
	"\tlocal total = 0\n"
	"\tfor i = 1, n - 128 do total = total << 8 | (s:byte(at + 1 + i) or 0) end\n"
	"\treturn total + 2 + n - 128\n"
	"end\n"
	"core.register_converters('pem_chain', function(hex)\n"
	"\tlocal s = hex:gsub('%x%x', function(h) return string.char(tonumber(h, 16)) end)\n"
	"\tlocal out, at = {}, 1\n"
	"\twhile at <= #s do\n"
	"\t\tlocal n = size(s, at)\n"
	"\t\tif not n or at + n - 1 > #s then break end\n"
	"\t\tlocal text = base64(s:sub(at, at + n - 1)):gsub(('.'):rep(64), '%0%%0A'):gsub('%%0A$', '')\n"
	"\t\tout[#out + 1] = '-----BEGIN%20CERTIFICATE-----%0A' .. text .. '%0A-----END%20CERTIFICATE-----%0A'\n"
	"\t\tat = at + n\n"
	"\tend\n"
	"\treturn table.concat(out)\n"
	"end)\n";

/* A session that is resumed brings no chain: so none is. */
void elbv2_mutual_global(struct elbv2_plan *p, struct buf *b)
{
	bool any = false;
	for (size_t i = 0; i < p->listeners.n; i++) any = any || str_is(p->listeners.v[i].l.mutual, "passthrough");
	if (!any) return;
	*VEC_PUSH(p->at.a, &p->files, &p->files.capacity) =
		(struct elbv2_plan_file){.name = STR("chain.lua"), .bytes = str_c(chain_lua)};
	buf_lit(b, "\ttune.ssl.cachesize 0\n\tlua-load-per-thread /srv/engine/chain.lua\n");
}

/* pem: URL-encoded, "with +=/ as safe characters", in lines of 64. */
static void header(const struct elbv2_plan_listener *l, struct buf *b, const char *name, const char *value)
{
	struct str called = elbv2_listener_attribute(
		&l->l, str_fmt(b->arena, "routing.http.request.x_amzn_mtls_clientcert%s.header_name", name).p);
	buf_fmt(b, "\thttp-request del-header %.*s\n\thttp-request set-header %.*s \"%s\" if { ssl_c_used }\n",
		STR_ARG(called), STR_ARG(called), value);
}

/* "HTTP headers and mutual TLS". */
void elbv2_mutual_headers(const struct elbv2_plan_listener *l, struct buf *b)
{
	static const char pem[] =
		"-----BEGIN%%20CERTIFICATE-----%%0A%[ssl_c_der,base64,regsub('(.{64})(?=.)','\\1%0A',g)]"
		"%%0A-----END%%20CERTIFICATE-----%%0A";
	/* "… the entire client certificate chain presented in the connection": the client's own is not in OpenSSL's
	 * chain. */
	if (str_is(l->l.mutual, "passthrough"))
		header(l, b, "", str_fmt(b->arena, "%s%%[ssl_c_chain_der,hex,lua.pem_chain]", pem).p);
	if (!str_is(l->l.mutual, "verify")) return;
	header(l, b, "_serial_number", "%[ssl_c_serial,hex]");
	header(l, b, "_issuer", "%[ssl_c_i_dn(,0,rfc2253)]");
	header(l, b, "_subject", "%[ssl_c_s_dn(,0,rfc2253)]");
	/* YYMMDDhhmmssZ becomes what people read. */
	header(l, b, "_validity",
		"NotBefore=%[ssl_c_notbefore,regsub('^(..)(..)(..)(..)(..)(..).*','20\\1-\\2-\\3T\\4:\\5:\\6Z')];"
		"NotAfter=%[ssl_c_notafter,regsub('^(..)(..)(..)(..)(..)(..).*','20\\1-\\2-\\3T\\4:\\5:\\6Z')]");
	header(l, b, "_leaf", pem);
}
