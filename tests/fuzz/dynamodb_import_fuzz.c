/* Any bytes as an object that is imported: the first chooses the format. What is read as an item can be stored and,
 * where it came as DynamoDB JSON, is written and read again as the same. */
#include "services/dynamodb/import_file.h"
#include "services/dynamodb/value_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static status take(void *ctx, const struct value *item)
{
	struct arena a;
	struct value back;
	(void)ctx;
	if (!item) return OK;
	arena_init(&a);
	INVARIANT(is_ok(ddb_item_load(&a, ddb_item_store(&a, item), &back)) && ddb_equal(item, &back));
	struct buf b = BUF_IN(&a), ion = BUF_IN(&a);
	struct json_value *j;
	struct str why;
	ddb_json_item(&b, item);
	ddb_ion_item(&ion, item);
	if (is_ok(json_read(&a, buf_done(&b), &j)))
		INVARIANT(ddb_json_read(&a, j, &back, &why) && ddb_equal(item, &back));
	arena_cleanup(&a);
	return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct table t = {.key = {.hash = STR("pk"), .range = STR("n"), .hash_type = V_S, .range_type = V_N}};
	if (size == 0) return 0;
	arena_init(&a);
	struct import_file f = {.format = data[0] & 1 ? STR("CSV") : STR("DYNAMODB_JSON"),
		.gzip = data[0] & 2,
		.delimiter = ';',
		.table = &t,
		.item = take};
	(void)!is_ok(import_file_read(&f, &a, str_n(data + 1, size - 1)));
	arena_cleanup(&a);
	return 0;
}
