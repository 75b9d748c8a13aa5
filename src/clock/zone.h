/* Time zones of the machine's tz database (Debian's tzdata): what a local time is in UTC. Read from TZif files (RFC
 * 8536); what lies behind their last transition follows from the rule at their end. Pure but for reading the file; any
 * thread. */
#pragma once
#include "base/arena.h"
#include "clock/cron.h"

struct zone;
/* By its canonical name ("Europe/Berlin", "Etc/UTC"), in `a`. NOT_FOUND: there is none of that name, or no database;
 * CORRUPT: the file is none. */
status zone_find(struct arena *a, struct str name, struct zone **out) MUST_USE;
/* The bytes of a TZif file; CORRUPT. They have to stay. */
status zone_read(struct arena *a, struct str bytes, struct zone **out) MUST_USE;
/* Seconds east of Greenwich at that time. */
int32_t zone_offset_s(const struct zone *z, int64_t at_ms);
/* A time on the wall there (as if it were UTC) in UTC. One that a change to daylight time leaves out is an hour later;
 * of one that happens twice it is the first. */
int64_t zone_to_utc(const struct zone *z, int64_t local_ms);
/* cron_next in local time. */
int64_t zone_cron_next(const struct zone *z, const struct cron *c, int64_t after_ms);
