/* Policies that clients want examined: the first byte says of which type. Each finding points at a place of the text; a
 * policy grants nothing new over itself. */
#include "services/accessanalyzer/room.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void validate(struct call *c, struct str text, unsigned kind)
{
	static const char *const types[] = {
		"IDENTITY_POLICY", "RESOURCE_POLICY", "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"};
	struct accessanalyzer_validate_policy_request in = {
		.policy_document = text, .policy_type = str_c(types[kind % 4])};
	struct accessanalyzer_validate_policy_response out = {0};
	if (kind % 8 == 5) in.validate_policy_resource_type = STR("AWS::IAM::AssumeRolePolicyDocument");
	if (!is_ok(accessanalyzer_validate_policy(c, &in, &out))) return;
	for (size_t i = 0; i < out.findings.n; i++) {
		const struct accessanalyzer_span *s = out.findings.v[i].locations.v[0].span;
		INVARIANT(s->start->offset.v <= s->end->offset.v && (size_t)s->end->offset.v <= text.n);
		INVARIANT(str_has(out.findings.v[i].finding_details) && s->start->line.v >= 1);
	}
}

static void compare(struct call *c, struct str text)
{
	struct accessanalyzer_check_no_new_access_request in = {
		.new_policy_document = text, .existing_policy_document = text, .policy_type = STR("IDENTITY_POLICY")};
	struct accessanalyzer_check_no_new_access_response out = {0};
	if (is_ok(accessanalyzer_check_no_new_access(c, &in, &out))) INVARIANT(str_has(out.result));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena a;
	static bool ready;
	if (!ready) arena_init(&a);
	ready = true;
	if (size < 1 || size > 4096) return 0;
	struct str text = str_n((const char *)data + 1, size - 1);
	struct call c = {.arena = &a,
		.account = STR("000000000000"),
		.region = STR("us-east-1"),
		.partition = STR("aws"),
		.now_ms = 1700000000000};
	validate(&c, text, data[0]);
	compare(&c, text);
	arena_reset(&a);
	return 0;
}
