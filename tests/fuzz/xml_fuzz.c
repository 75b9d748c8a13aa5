/* XML bodies into the structs of S3, Route 53 and their kin. What is read can be written and read again. (Not to the
 * same bytes at once: a name may stand twice in a document, and control characters cannot come back.) */
#include "fuzz/wire_shapes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct fuzz_shape f;
	if (!fuzz_choose(data, size, WIRE_REST_XML, &f)) return 0;
	arena_init(&a);
	const struct wire_tables *t = &f.service->tables;
	void *in = fuzz_new(&a, &f), *back = fuzz_new(&a, &f);
	struct str message = STR_NONE;
	if (is_ok(wire_xml_read(&a, t, f.shape, f.body, in, false, &message))) {
		struct buf one = BUF_IN(&a), two = BUF_IN(&a);
		wire_xml_open_struct(&one, t, NULL, STR("R"), &t->shapes[f.shape], in, STR_NONE);
		wire_xml_members(&one, t, (struct wire_xml_style){0}, f.shape, in);
		wire_xml_close(&one, STR("R"));
		fuzz_must(is_ok(wire_xml_read(&a, t, f.shape, buf_done(&one), back, false, &message)));
		wire_xml_open_struct(&two, t, NULL, STR("R"), &t->shapes[f.shape], back, STR_NONE);
		wire_xml_members(&two, t, (struct wire_xml_style){0}, f.shape, back);
		wire_xml_close(&two, STR("R"));
		fuzz_must(str_eq(buf_done(&one), buf_done(&two)));
	} else {
		fuzz_must(message.n > 0);
	}
	arena_cleanup(&a);
	return 0;
}
