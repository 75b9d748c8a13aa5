/* A selection under way: reads an object's bytes piece by piece and turns them into event stream messages (Records,
 * Progress, Cont, Stats, End; or an error in their midst), in flat memory. Used by one thread at a time. */
#pragma once
#include "services/s3/select/input.h"

struct sel_plan {
	struct sel_statement statement; /* lives in the call's arena, which outlives the run */
	struct sel_csv csv;
	bool json_in, header_use, header_skip, gzip, bzip2, progress;
	struct sel_output out;
	bool ranged;
	uint64_t start, end; /* records that begin within; end is exclusive */
	int64_t now_ms;
};
/* Reads at most n of the object's bytes from `at` on: bytes, 0 at the end, -1. */
typedef int64_t (*sel_read)(void *ctx, uint64_t at, char *p, size_t n);

struct sel_run;
/* close(ctx) at the run's end. */
struct sel_run *sel_run_new(const struct sel_plan *plan, sel_read read, void (*close)(void *ctx), void *ctx);
/* For struct body: the next bytes of the answer (`at` goes on from call to call); 0 at the end. */
int64_t sel_run_read(void *run, uint64_t at, char *p, size_t n);
void sel_run_free(void *run);
