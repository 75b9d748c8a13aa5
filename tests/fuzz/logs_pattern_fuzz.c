/* What clients of CloudWatch Logs write, and what their applications log: the first byte chooses a filter pattern or an
 * Insights query; then that, a zero byte, a message. What was read is held against the message. */
#include "services/logs/insights.h"
#include "services/logs/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void pattern(struct arena *a, struct str text, struct str message)
{
	struct logs_pattern *p;
	struct logs_pattern_values values = {0};
	struct str why;
	if (!is_ok(logs_pattern_read(a, text, &p, &why))) {
		INVARIANT(why.n > 0);
		return;
	}
	bool passes = logs_pattern_passes(p, a, message);
	struct str literal = logs_pattern_literal(p);
	if (passes && str_has(literal)) INVARIANT(str_find(message, literal) >= 0);
	if (logs_pattern_all(p)) INVARIANT(passes);
	logs_pattern_extract(p, a, message, &values);
	(void)logs_pattern_value(p, a, message, STR("$.a.b"));
	logs_pattern_end(p);
}

static void query(struct arena *a, struct str text, struct str message)
{
	struct ins_query *q;
	struct ins_rows rows = {0};
	struct logs_query_results out = {0};
	struct logs_event events[2] = {{.position = {.at = 1700000000000}, .stream = STR("s"), .message = message},
		{.position = {.at = 1700000060000},
			.stream = STR("t"),
			.message = STR("{\"a\":1,\"b\":{\"c\":\"x\"}}")}};
	struct str why;
	double matched;
	for (size_t i = 0; i < 2; i++) {
		struct ins_row *r = VEC_PUSH(a, &rows, &rows.capacity);
		r->event = &events[i];
		r->log = STR("1:g");
	}
	if (is_ok(ins_parse(a, text, &q, &why)))
		ins_run(a, q, &rows, 100, &out, &matched);
	else
		INVARIANT(why.n > 0);
	ins_end(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena a;
	static bool ready;
	if (!ready) arena_init(&a);
	ready = true;
	if (size < 1) return 0;
	struct str rest = str_n((const char *)data + 1, size - 1), text = str_cut(&rest, '\0');
	struct str message = str_or(rest, STR(""));
	if (data[0] & 1)
		query(&a, text, message);
	else
		pattern(&a, text, message);
	arena_reset(&a);
	return 0;
}
