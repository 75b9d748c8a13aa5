/* The little grammars of Parameter Store that clients send as text: names with selectors, ARNs and paths, policies,
 * patterns. The first byte chooses one. What is accepted has to keep its promises. */
#include "services/ssm/room.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void names(struct call *c, struct str s)
{
	struct ps_name n = ps_name_read(c, s);
	INVARIANT(str_has(n.name) && n.name.n <= s.n);
	if (n.foreign || !is_ok(ps_name_check(c, n.name, true))) return;
	INVARIANT(n.name.n > 0 && str_chr(n.name, ':') < 0 && is_ok(ps_name_check(c, n.name, false)));
	/* Its ARN names it. */
	struct ps_name again = ps_name_read(c, ps_arn(c->arena, c->region, c->account, n.name));
	struct str bare = str_starts(n.name, STR("/")) ? str_from(n.name, 1) : n.name;
	INVARIANT(!again.foreign && str_eq(str_from(again.name, 1), bare));
	if (is_ok(ps_path_check(c, n.name))) INVARIANT(str_starts(n.name, STR("/")));
}

static void policies(struct call *c, struct str s)
{
	struct ssm_rec_policies out;
	if (!is_ok(ps_policies_read(c, s, &out))) return;
	INVARIANT(out.n <= PS_POLICIES_MAX);
	for (size_t i = 0; i < out.n; i++)
		INVARIANT(str_has(out.v[i].type) && out.v[i].due.has && str_is(out.v[i].status, "Pending"));
	ps_policies_touch(c->arena, &out, c->now_ms);
	INVARIANT(ps_policies_out(c->arena, &out).n == out.n);
}

static void pattern(struct call *c, struct str s)
{
	struct str text = s, expression = str_cut(&text, '\n');
	bool matches;
	if (!str_has(text) || expression.n > 1024) return;
	(void)!is_ok(ps_pattern(c->arena, expression, text, &matches));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena a;
	static bool ready;
	if (!ready) arena_init(&a);
	ready = true;
	if (size < 1 || !str_utf8_valid(str_n((const char *)data + 1, size - 1))) return 0;
	struct str s = str_n((const char *)data + 1, size - 1);
	struct call c = {.arena = &a,
		.account = STR("000000000000"),
		.region = STR("us-east-1"),
		.partition = STR("aws"),
		.now_ms = 1700000000000};
	switch (data[0] % 3) {
	case 0:
		names(&c, s);
		break;
	case 1:
		policies(&c, s);
		break;
	default:
		pattern(&c, s);
		break;
	}
	arena_reset(&a);
	return 0;
}
