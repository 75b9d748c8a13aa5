/* Policy documents: parse as every type, then evaluate a fixed request against what was accepted. */
#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void evaluate(struct arena *a, const struct policy *p, enum policy_type type)
{
	static const struct str tags[] = {{"team", 4}, {"cost", 4}};
	struct policy_principal who = {.kind = POLICY_CALLER_ROLE, .account = STR("111122223333"),
		.arn = STR("arn:aws:sts::111122223333:assumed-role/app/s1"),
			.issuer_arn = STR("arn:aws:iam::111122223333:role/app"),
		.user_id = STR("AROAAPPAPPAPPAPPAPP0:s1"), .name = STR("app")};
	struct policy_context c = POLICY_CONTEXT_IN(a);
	policy_context_set_principal(&c, &who);
	policy_context_set_now(&c, 1795248000000);
	policy_context_set(&c, STR("aws:SourceIp"), STR("203.0.113.7"));
	policy_context_set(&c, STR("aws:username"), STR("al*ce\xff"));
	policy_context_set(&c, STR("s3:prefix"), STR("home/\xfe\xfd:x"));
	policy_context_set_bool(&c, STR("aws:SecureTransport"), true);
	policy_context_set_i64(&c, STR("s3:max-keys"), 10);
	policy_context_set_list(&c, STR("aws:TagKeys"), tags, 2);
	const struct policy *v[] = {p};
	struct policy_list list = {v, 1};
	struct policy_levels levels = {&list, 1};
	struct policy_resource resources[] = {{.arn = STR("arn:aws:s3:::bucket/home/alice/k")}, {.arn = STR("*")}};
	struct policy_subject s = {.identity = list};
	if (type == POLICY_BOUNDARY) s.boundary = list, s.has_boundary = true;
	if (type == POLICY_SESSION) s.session = list, s.has_session = true;
	if (type == POLICY_ENDPOINT) s.endpoint = list, s.has_endpoint = true;
	if (type == POLICY_SCP) s.scps = levels;
	if (type == POLICY_RESOURCE || type == POLICY_TRUST) resources[0].policies = list;
	if (type == POLICY_RCP) resources[0].rcps = levels;
	struct policy_request r = {&who, STR("s3:GetObject"), resources, 2, &c};
	struct policy_decision d;
	bool allowed = policy_evaluate(a, &r, &s, &d);
	INVARIANT(allowed == (d.outcome == POLICY_ALLOWED));
	INVARIANT(!d.policy || d.statement < policy_statements(d.policy));
	(void)policy_denial(a, &r, &d, true);
	(void)policy_explain(a, &r, &d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	arena_init(&a);
	for (enum policy_type type = POLICY_IDENTITY; type <= POLICY_ENDPOINT; type++) {
		struct policy *p;
		struct policy_source source = {.type = type, .max_size = 20480,
			.label = STR("arn:aws:iam::111122223333:policy/p")};
		if (!is_ok(policy_parse(str_n(data, size), &source, &p, NULL))) continue;
		evaluate(&a, p, type);
		policy_free(p);
	}
	arena_cleanup(&a);
	return 0;
}
