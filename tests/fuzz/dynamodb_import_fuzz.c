/* Any bytes as an object that is imported: the first chooses the format and the compression. What is read as an item can
 * be stored, and is the same when written as DynamoDB JSON or as Ion and read again. */
#include "services/dynamodb/import_file.h"
#include "services/dynamodb/import_ion.h"
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
	buf_lit(&ion, "{Item:");
	ddb_ion_item(&ion, item);
	buf_byte(&ion, '}');
	/* The names of CSV's columns are any bytes. */
	if (str_utf8_valid(buf_done(&ion)))
		INVARIANT(ddb_ion_read(&a, buf_done(&ion), &back) && ddb_equal(item, &back));
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
	struct import_file f = {.format = data[0] & 1 ? STR("CSV") : data[0] & 4 ? STR("ION") : STR("DYNAMODB_JSON"),
		.compression = data[0] & 2 ? STR("GZIP") : data[0] & 8 ? STR("ZSTD") : STR("NONE"),
		.delimiter = ';',
		.table = &t,
		.item = take};
	(void)!is_ok(import_file_read(&f, &a, str_n(data + 1, size - 1)));
	arena_cleanup(&a);
	return 0;
}
