/* Cron expressions: what is taken has times that follow each other, on whole minutes. */
#include "clock/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct cron *c)
{
	int64_t ms = 1764417600000;
	for (int i = 0; i < 3; i++) {
		int64_t next = cron_next(c, ms);
		if (next == INT64_MAX) return;
		INVARIANT(next > ms && next % 60000 == 0);
		ms = next;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cron c;
	if (size > 256) return 0;
	struct str text = str_n((const char *)data, size);
	if (is_ok(cron_read(text, &c))) walk(&c);
	if (is_ok(cron_read_aws(text, &c))) walk(&c);
	return 0;
}
