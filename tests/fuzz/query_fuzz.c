/* Form bodies of the query and ec2 protocols into the structs of real services; then the struct is checked against the
 * model and written as the response's XML, which must be well-formed where its text is XML's. */
#include "fuzz/wire_shapes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct fuzz_shape f;
	if (!fuzz_choose(data, size, WIRE_QUERY | WIRE_EC2, &f)) return 0;
	arena_init(&a);
	const struct wire_tables *t = &f.service->tables;
	void *in = fuzz_new(&a, &f);
	struct str message = STR_NONE;
	bool ec2 = f.service->protocol == WIRE_EC2;
	if (is_ok(wire_query_read(&a, t, f.shape, ec2, STR_NONE, f.body, in, &message))) {
		struct wire_op op = {.in = f.shape, .out = WIRE_NO_SHAPE};
		struct wire_match m = {.service = f.service, .op = &op, .protocol = ec2 ? WIRE_EC2 : WIRE_QUERY};
		struct wire_failure why = {0};
		struct buf b = BUF_IN(&a);
		if (!is_ok(wire_validate(&a, &m, in, &why)))
			fuzz_must(why.message.n > 0 && str_utf8_valid(why.message));
		wire_xml_members(&b, t, (struct wire_xml_style){.query = !ec2}, f.shape, in);
		fuzz_must(str_utf8_valid(buf_done(&b)));
	} else {
		fuzz_must(message.n > 0);
	}
	arena_cleanup(&a);
	return 0;
}
