/* Predefined security policies ("Security policies for your Application Load Balancer"): which protocols and ciphers a
 * listener offers. */
#include "services/elbv2/room.h"

const char *const elbv2_ciphers[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
	"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256",
	"ECDHE-RSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-GCM-SHA384",
	"ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA",
	"ECDHE-ECDSA-AES256-SHA", "AES128-GCM-SHA256", "AES128-SHA256", "AES128-SHA", "AES256-GCM-SHA384",
	"AES256-SHA256", "AES256-SHA"};
const size_t elbv2_ciphers_length = sizeof(elbv2_ciphers) / sizeof(elbv2_ciphers[0]);

enum {
	TLS13 = 0x7,
	ECDHE_GCM = 1 << 3 | 1 << 4 | 1 << 9 | 1 << 10,
	ECDHE_SHA2 = 1 << 5 | 1 << 6 | 1 << 11 | 1 << 12,
	ECDHE_SHA1 = 1 << 7 | 1 << 8 | 1 << 13 | 1 << 14,
	RSA_GOOD = 1 << 15 | 1 << 16 | 1 << 18 | 1 << 19,
	RSA_SHA1 = 1 << 17 | 1 << 20,
	ECDHE = ECDHE_GCM | ECDHE_SHA2 | ECDHE_SHA1,
	ALL12 = ECDHE | RSA_GOOD | RSA_SHA1,
};

static const struct elbv2_policy policies[] = {
	{"ELBSecurityPolicy-2016-08", true, true, true, false, ALL12},
	{"ELBSecurityPolicy-TLS-1-2-2017-01", false, false, true, false, ECDHE_GCM | ECDHE_SHA2 | RSA_GOOD},
	{"ELBSecurityPolicy-TLS-1-1-2017-01", false, true, true, false, ALL12},
	{"ELBSecurityPolicy-TLS-1-2-Ext-2018-06", false, false, true, false, ALL12},
	{"ELBSecurityPolicy-FS-2018-06", true, true, true, false, ECDHE},
	{"ELBSecurityPolicy-2015-05", true, true, true, false, ALL12},
	{"ELBSecurityPolicy-FS-1-2-Res-2019-08", false, false, true, false, ECDHE_GCM | ECDHE_SHA2},
	{"ELBSecurityPolicy-FS-1-1-2019-08", false, true, true, false, ECDHE},
	{"ELBSecurityPolicy-FS-1-2-2019-08", false, false, true, false, ECDHE},
	{"ELBSecurityPolicy-FS-1-2-Res-2020-10", false, false, true, false, ECDHE_GCM},
	{"ELBSecurityPolicy-TLS13-1-2-2021-06", false, false, true, true, TLS13 | ECDHE_GCM | ECDHE_SHA2},
	{"ELBSecurityPolicy-TLS13-1-2-Res-2021-06", false, false, true, true, TLS13 | ECDHE_GCM},
	{"ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", false, false, true, true,
		TLS13 | ECDHE_GCM | ECDHE_SHA2 | RSA_GOOD},
	{"ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06", false, false, true, true, TLS13 | ALL12},
	{"ELBSecurityPolicy-TLS13-1-1-2021-06", false, true, true, true, TLS13 | ALL12},
	{"ELBSecurityPolicy-TLS13-1-0-2021-06", true, true, true, true, TLS13 | ALL12},
	{"ELBSecurityPolicy-TLS13-1-3-2021-06", false, false, false, true, TLS13},
};

const struct elbv2_policy *elbv2_policy_find(struct str name)
{
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (str_eq(name, str_c(policies[i].name))) return &policies[i];
	return NULL;
}

static void show(struct call *c, const struct elbv2_policy *p, struct elbv2_ssl_policy *out)
{
	size_t protocols = 0, ciphers = 0, types = 0;
	out->name = str_c(p->name);
	if (p->v10) *VEC_PUSH(c->arena, &out->ssl_protocols, &protocols) = STR("TLSv1");
	if (p->v11) *VEC_PUSH(c->arena, &out->ssl_protocols, &protocols) = STR("TLSv1.1");
	if (p->v12) *VEC_PUSH(c->arena, &out->ssl_protocols, &protocols) = STR("TLSv1.2");
	if (p->v13) *VEC_PUSH(c->arena, &out->ssl_protocols, &protocols) = STR("TLSv1.3");
	for (size_t i = 0; i < elbv2_ciphers_length; i++)
		if (p->ciphers >> i & 1) {
			struct elbv2_cipher *k = VEC_PUSH(c->arena, &out->ciphers, &ciphers);
			k->name = str_c(elbv2_ciphers[i]);
			k->priority = SOME_I32((int32_t)out->ciphers.n);
		}
	*VEC_PUSH(c->arena, &out->supported_load_balancer_types, &types) = STR("application");
	*VEC_PUSH(c->arena, &out->supported_load_balancer_types, &types) = STR("network");
}

status elbv2_describe_ssl_policies(struct call *c, const struct elbv2_describe_ssl_policies_input *in,
	struct elbv2_describe_ssl_policies_output *out)
{
	size_t capacity = 0;
	for (size_t i = 0; i < in->names.n; i++) {
		const struct elbv2_policy *p = elbv2_policy_find(in->names.v[i]);
		if (!p)
			return call_fail(c, ELBV2_ERR_SSL_POLICY_NOT_FOUND_EXCEPTION, "SSL policy '%.*s' not found",
				STR_ARG(in->names.v[i]));
		show(c, p, VEC_PUSH(c->arena, &out->ssl_policies, &capacity));
	}
	for (size_t i = 0; !in->names.n && i < sizeof(policies) / sizeof(policies[0]); i++)
		show(c, &policies[i], VEC_PUSH(c->arena, &out->ssl_policies, &capacity));
	if (str_is(in->load_balancer_type, "gateway")) out->ssl_policies.n = 0;
	return elbv2_page(
		c, &out->ssl_policies, sizeof(*out->ssl_policies.v), in->page_size, in->marker, &out->next_marker);
}
