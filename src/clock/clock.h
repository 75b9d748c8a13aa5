/* Virtual time: the machine's clock plus an offset that can be moved (virga clock advance 30d). The offset is stored,
 * so time does not run backwards over a restart. All code asks here; nothing else reads the wall clock (but logs). */
#pragma once
#include "base/str.h"
#include "store/store.h"

struct clock;
/* Loads the offset. s may be NULL (tests): nothing is stored then. */
struct clock *clock_new(struct store *s);
void clock_free(struct clock *c);
/* Milliseconds since 1970-01-01T00:00Z, virtual. Thread-safe, lock-free. */
int64_t clock_now(const struct clock *c);
/* Microseconds of the machine's monotonic clock: for measuring, not for telling the time. */
int64_t clock_monotonic_us(void);
/* Moves time and wakes all timers that are due. Durable on return. INVALID for a move backwards, LIMIT past year
 * 9999, IO where the offset cannot be stored (then time has not moved). */
status clock_advance(struct clock *c, int64_t advance_ms) MUST_USE;
status clock_set(struct clock *c, int64_t to_ms) MUST_USE;
/* Back to the machine's time: the one way in which time runs backwards. */
status clock_reset(struct clock *c) MUST_USE;
int64_t clock_offset(const struct clock *c);
/* When time was last moved, by the machine's clock; 0: never since the data folder was made or its clock reset. */
int64_t clock_moved_at(const struct clock *c);

/* Timers on virtual time. fn runs in the clock's thread and must be short; a moved clock fires what became due, in
 * order. Returns an id for clock_cancel (0 is never an id). */
uint64_t clock_at(struct clock *c, int64_t due_ms, void (*fn)(void *ctx), void *ctx);
/* True if it was removed before it ran; otherwise fn runs, ran, or is running. */
bool clock_cancel(struct clock *c, uint64_t id);

/* Formatting and reading, UTC, years 0000 to 9999 (formatting clamps): 2026-11-21T07:33:00.000Z; Sat, 21 Nov 2026
 * 07:33:00 GMT; 20261121T073300Z. */
struct str time_iso8601(struct arena *a, int64_t ms, bool fraction);
struct str time_rfc822(struct arena *a, int64_t ms);
struct str time_basic(struct arena *a, int64_t ms);
/* ISO 8601 with offsets and fractions (a date alone is its midnight; no zone means UTC) / RFC 822 (also RFC 850 and
 * asctime, RFC 9110 5.6.7) / basic. INVALID otherwise. */
status time_read_iso8601(struct str s, int64_t *ms) MUST_USE;
status time_read_http(struct str s, int64_t *ms) MUST_USE;
status time_read_basic(struct str s, int64_t *ms) MUST_USE;
/* 90d, 1h30m, 45s, 250ms, 2w, 1y (365 d). */
status time_read_duration(struct str s, int64_t *ms) MUST_USE;
