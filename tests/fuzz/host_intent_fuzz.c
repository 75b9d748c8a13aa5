/* What the agent reads: a frame's head, and an intent, whose model, rules, routes and traces have to stand any bytes.
 * The first byte chooses. */
#include "base/buf.h"
#include "host/frame.h"
#include "host/net/plan.h"
#include "host/net/rules.h"
#include "host/net/trace.h"
#include "store/crc.h"

/* No id or address may say more to nft than it should. */
static void check_words(const struct ruleset *r)
{
	for (size_t i = 0; i < r->n; i++)
		for (size_t k = 0; k < r->v[i]->n; k++)
			INVARIANT(str_chr(r->v[i]->v[k], '\n') < 0 && str_chr(r->v[i]->v[k], ';') < 0);
}

static void read_intent(struct arena *a, struct str bytes)
{
	struct host_rec_vpc intent = {0};
	struct model m;
	struct str why = STR_NONE;
	if (!is_ok(host_rec_vpc_decode(a, bytes, &intent)) || !is_ok(model_read(a, &intent, &m, &why))) return;
	struct ruleset rules = {.arena = a}, again = {.arena = a};
	struct rtnl_things things = {0};
	struct buf commands = BUF_IN(a);
	unsigned changes = 0;
	rules_of_vpc(&m, &rules);
	rules_of_vpc(&m, &again);
	check_words(&rules);
	ruleset_diff(NULL, &rules, &commands, &changes);
	commands.n = 0;
	ruleset_diff(&rules, &again, &commands, &changes);
	INVARIANT(commands.n == 0); /* the same intent changes nothing */
	plan_router(a, &m, &things);
	const struct model *models[] = {&m};
	struct trace_world world = {.vpcs = models, .n_vpcs = 1};
	for (size_t i = 0; i < m.n_interfaces && i < 4; i++) {
		struct host_rec_trace q = {
			.source = m.interfaces[i].in->id, .destination = STR("10.0.1.10"), .port = SOME_I32(80)};
		struct host_rec_traced out;
		plan_place(a, &m, m.interfaces[i].in->place, &things);
		if (is_ok(trace_packet(a, &world, &q, &out, &why))) INVARIANT(out.hops.n > 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct frame f;
	uint32_t length = 0;
	if (size < 1 || size > 64 << 10) return 0;
	arena_init(&a);
	if (data[0] == 'h') {
		if (is_ok(frame_head_read(str_n(data + 1, size - 1), &f, &length))) {
			char head[FRAME_HEAD];
			frame_head_write(head, length, f.op, (unsigned)f.n_fds, f.id);
			INVARIANT(memcmp(head, data + 1, FRAME_HEAD) == 0);
		}
	} else {
		struct buf b = BUF_IN(&a);
		uint32_t crc = store_crc32c(0, data + 1, size - 1);
		buf_add(&b, data + 1, size - 1);
		buf_add(&b, &crc, sizeof(crc));
		read_intent(&a, buf_done(&b));
	}
	arena_cleanup(&a);
	return 0;
}
