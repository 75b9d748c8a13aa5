/* Time zone files: what is read has offsets of less than a week, and times that follow each other. */
#include "clock/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct zone *z;
	struct cron c;
	if (size > 65536) return 0;
	arena_init(&a);
	if (is_ok(zone_read(&a, str_n((const char *)data, size), &z)) && is_ok(cron_read(STR("30 2 * * *"), &c))) {
		int64_t ms = 1764417600000;
		for (int i = 0; i < 4; i++) {
			int64_t next = zone_cron_next(z, &c, ms);
			if (next == INT64_MAX) break;
			INVARIANT(next > ms);
			ms = next;
		}
	}
	arena_cleanup(&a);
	return 0;
}
