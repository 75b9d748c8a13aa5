/* JSON bodies into the structs of real services. What is read can be written, and that reads back to the same bytes;
 * and the checker agrees with the reader on what JSON is. */
#include "fuzz/wire_shapes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct fuzz_shape f;
	if (!fuzz_choose(data, size, WIRE_JSON10 | WIRE_JSON11 | WIRE_REST_JSON, &f)) return 0;
	arena_init(&a);
	const struct wire_tables *t = &f.service->tables;
	void *in = fuzz_new(&a, &f), *back = fuzz_new(&a, &f);
	struct str message = STR_NONE;
	bool valid = wire_json_valid(f.body, WIRE_DOCUMENT_DEPTH + WIRE_JSON_DEPTH);
	if (is_ok(wire_json_read(&a, t, f.shape, f.body, in, false, &message))) {
		struct buf one = BUF_IN(&a), two = BUF_IN(&a);
		fuzz_must(valid);
		wire_json_write(&one, t, f.shape, in, false);
		fuzz_must(wire_json_valid(buf_done(&one), WIRE_DOCUMENT_DEPTH + WIRE_JSON_DEPTH));
		fuzz_must(is_ok(wire_json_read(&a, t, f.shape, buf_done(&one), back, false, &message)));
		wire_json_write(&two, t, f.shape, back, false);
		fuzz_must(str_eq(buf_done(&one), buf_done(&two)));
	} else {
		fuzz_must(message.n > 0);
	}
	arena_cleanup(&a);
	return 0;
}
