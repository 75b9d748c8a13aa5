/* Any bytes as a manifest of Batch Operations: its reader ends, and gives what the text holds. */
#include "services/s3control/batch_csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_n(data, size), fields[BATCH_COLUMNS_MAX];
	struct arena a;
	size_t n, all = 0;
	arena_init(&a);
	while (is_ok(batch_csv_next(&a, &rest, fields, &n))) {
		INVARIANT(n >= 1 && n <= BATCH_COLUMNS_MAX);
		for (size_t i = 0; i < n; i++) all += fields[i].n;
		INVARIANT(rest.n <= size);
	}
	INVARIANT(all <= size);
	arena_cleanup(&a);
	return 0;
}
