/* Templates that clients send, JSON or YAML: read, checked for what they name, their conditions and outputs evaluated
 * with nothing there. Either it is a template, or there is a reason why not. */
#include "services/cloudformation/evaluate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena a;
	static bool ready;
	if (!ready) arena_init(&a);
	ready = true;
	if (size > 65536) return 0;
	struct cfn_template t;
	struct str why = STR_NONE;
	status s = cfn_template_read(&a, str_n((const char *)data, size), &t, &why);
	INVARIANT(is_ok(s) || why.n);
	if (is_ok(s)) {
		INVARIANT(t.resources && t.resources->type == JSON_IS_OBJECT);
		s = cfn_template_check(&a, &t, &why);
		INVARIANT(is_ok(s) || why.n);
	}
	if (is_ok(s)) {
		struct cfn_scope scope = {.a = &a,
			.t = &t,
			.account = STR("000000000000"),
			.region = STR("us-east-1"),
			.partition = STR("aws"),
			.url_suffix = STR("amazonaws.com"),
			.stack_id = STR("arn"),
			.stack_name = STR("s"),
			.preview = true};
		for (const struct json_value *r = t.resources->first; r; r = r->next) {
			const struct json_value *out, *properties = json_member(r, STR("Properties"));
			struct cfn_names needs;
			bool applies;
			cfn_resource_needs(&a, &t, r, &needs);
			INVARIANT(!cfn_names_have(&needs, r->name));
			why = STR_NONE;
			s = cfn_applies(&scope, r, &applies, &why);
			INVARIANT(is_ok(s) || why.n);
			if (!properties || !is_ok(s)) continue;
			s = cfn_evaluate(&scope, properties, &out, &why);
			INVARIANT(is_ok(s) || why.n);
		}
	}
	arena_reset(&a);
	return 0;
}
