/* What clients of CloudWatch Logs write, and what their applications log: the first byte chooses a filter pattern, an
 * Insights query or a grok pattern with every other processor; then that, a zero byte, a message. What was read is held
 * against the message. */
#include "services/logs/insights.h"
#include "services/logs/pattern.h"
#include "services/logs/transform.h"

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

static void transform(struct arena *a, struct str text, struct str message)
{
	struct str keys[] = {STR("a"), STR("b.c"), STR("list[0].x")};
	struct logs_grok grok = {.match = text};
	struct logs_parse_json json = {.destination = STR("b")};
	struct logs_parse_key_value pairs = {.non_match_value = STR("none"), .overwrite_if_exists = SOME_BOOL(true)};
	struct logs_csv csv = {.delimiter = STR(";")};
	struct logs_delete_keys gone = {.with_keys = {keys, 3}};
	struct logs_upper_case_string upper = {.with_keys = {keys, 3}};
	struct logs_split_string_entry part = {keys[0], STR(",")};
	struct logs_split_string split = {.entries = {&part, 1}};
	struct logs_move_key_entry move = {keys[1], keys[0], SOME_BOOL(true)};
	struct logs_move_keys moves = {.entries = {&move, 1}};
	struct logs_rename_key_entry name = {keys[0], keys[2], SOME_BOOL(true)};
	struct logs_rename_keys names = {.entries = {&name, 1}};
	struct logs_list_to_map map = {.source = STR("b.list"), .key = STR("k"), .value_key = STR("v")};
	struct logs_processor all[] = {{.parse_key_value = &pairs}, {.grok = &grok}, {.csv = &csv},
		{.parse_json = &json}, {.upper_case_string = &upper}, {.split_string = &split}, {.move_keys = &moves},
		{.rename_keys = &names}, {.list_to_map = &map}, {.delete_keys = &gone}};
	struct logs_origin o = {STR("1"), STR("r"), STR("g"), STR("s")};
	for (size_t first = 0; first < 4; first++) {
		struct logs_processors some = {all + first, sizeof(all) / sizeof(*all) - first};
		struct logs_transformer *t;
		struct json_value *v;
		struct str why;
		status s = logs_transformer_read(a, &some, &t, &why);
		if (is_ok(s)) {
			struct str made = logs_transform(t, a, &o, message);
			if (str_has(made) && str_utf8_valid(message) && str_utf8_valid(text)) {
				status r = json_read(a, made, &v);
				INVARIANT(is_ok(r) || status_is(r, STATUS_LIMIT));
			}
		} else {
			INVARIANT(why.n > 0);
		}
		logs_transformer_end(t);
	}
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
	if (data[0] == 't')
		transform(&a, text, message);
	else if (data[0] & 1)
		query(&a, text, message);
	else
		pattern(&a, text, message);
	arena_reset(&a);
	return 0;
}
