/* Whole requests as text: method, target, signing name, headers, an empty line, the body. Routed, decoded, validated
 * and answered with an error as the server would. */
#include "fuzz/wire_shapes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct str rest = str_n(data, size), line;
	struct wire_header headers[16];
	struct wire_request r = {.headers = headers, .host = STR("localhost"), .body = STR("")};
	arena_init(&a);
	r.method = str_or(str_cut(&rest, '\n'), STR(""));
	struct str target = str_has(rest) ? str_cut(&rest, '\n') : STR("/");
	r.path = str_cut(&target, '?');
	r.query = target;
	line = str_has(rest) ? str_cut(&rest, '\n') : STR("");
	r.signing_name = line.n ? line : STR_NONE;
	while (str_has(rest)) {
		line = str_cut(&rest, '\n');
		if (line.n == 0) break;
		struct str value = line, name = str_cut(&value, ':');
		if (!str_has(value) || name.n == 0 || r.n_headers == 16) continue;
		if (str_ieq(name, STR("host"))) r.host = str_trim(value);
		headers[r.n_headers++] = (struct wire_header){name, str_trim(value)};
	}
	if (str_has(rest)) r.body = rest;

	struct wire_match m;
	struct wire_failure why = {0};
	struct wire_response response;
	(void)wire_read_host(r.host);
	if (is_ok(wire_route(&a, &r, &m, &why))) {
		fuzz_must(m.service && m.op && m.op_index < m.service->tables.n_ops && m.protocol);
		void *in = m.op->in == WIRE_NO_SHAPE ? NULL : arena_alloc(&a, m.service->tables.shapes[m.op->in].size);
		if (in && is_ok(wire_decode(&a, &m, &r, in, &why)) && is_ok(wire_validate(&a, &m, in, &why))) {
			arena_cleanup(&a);
			return 0;
		}
	}
	if (why.id == ERR_NONE) why = (struct wire_failure){.id = ERR_INTERNAL, .message = STR("x")};
	wire_encode_error(&a, &m, &why, STR("id"), &response);
	fuzz_must(response.code >= 400 && response.code < 600);
	arena_cleanup(&a);
	return 0;
}
