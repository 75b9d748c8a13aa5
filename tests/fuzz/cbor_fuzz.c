/* CBOR bodies into the structs of real services (their tables serve whether or not the service speaks CBOR). */
#include "fuzz/wire_shapes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct fuzz_shape f;
	if (!fuzz_choose(data, size, WIRE_CBOR | WIRE_JSON10 | WIRE_JSON11, &f)) return 0;
	arena_init(&a);
	const struct wire_tables *t = &f.service->tables;
	void *in = fuzz_new(&a, &f), *back = fuzz_new(&a, &f);
	struct str message = STR_NONE;
	bool millis = f.service->protocols & WIRE_JSON11;
	if (is_ok(wire_cbor_read(&a, t, f.shape, millis, f.body, in, &message))) {
		struct buf one = BUF_IN(&a), two = BUF_IN(&a);
		wire_cbor_write(&one, t, f.shape, millis, in);
		fuzz_must(is_ok(wire_cbor_read(&a, t, f.shape, millis, buf_done(&one), back, &message)));
		wire_cbor_write(&two, t, f.shape, millis, back);
		fuzz_must(str_eq(buf_done(&one), buf_done(&two)));
	} else {
		fuzz_must(message.n > 0);
	}
	arena_cleanup(&a);
	return 0;
}
