/* Any bytes behind a right checksum: decoding refuses or yields a record that encodes and decodes to itself. */
#include "base/buf.h"
#include "store/crc.h"
#include "store/record.h"
#include "store_tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 64 << 10) return 0;
	struct arena a;
	arena_init(&a);
	struct buf b = BUF_IN(&a);
	uint32_t crc = store_crc32c(0, data, size);
	buf_add(&b, data, size);
	buf_add(&b, &crc, sizeof crc);
	struct node first = {0}, second = {0};
	if (is_ok(record_decode(&a, &store_tables, SHAPE_NODE, buf_done(&b), &first))) {
		struct str x = record_encode(&a, &store_tables, SHAPE_NODE, &first);
		INVARIANT(is_ok(record_decode(&a, &store_tables, SHAPE_NODE, x, &second)));
		INVARIANT(str_eq(x, record_encode(&a, &store_tables, SHAPE_NODE, &second)));
	}
	struct old_node old = {0};
	status r = record_decode(&a, &store_tables, SHAPE_OLD, buf_done(&b), &old);
	INVARIANT(is_ok(r) || status_is(r, STATUS_CORRUPT));
	arena_cleanup(&a);
	return 0;
}
