/* Threads for what may block: sealing files, long scans, waking long polls. Started on demand, at most `max`; a queue in
 * front, first come first served. */
#pragma once

struct workers;
struct workers *workers_new(unsigned max);
/* Runs what is queued, then ends. */
void workers_free(struct workers *w);
void workers_run(struct workers *w, void (*fn)(void *ctx), void *ctx);
