/* What is past its group's retention goes, once an hour; readers do not see it before that either. */
#include "base/log.h"
#include "services/logs/chunk.h"

static const char kind[] = "logs.retention";
enum { AT_ONCE = 2000 };

static status sweep(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct logs *l = ctx;
	int64_t now = clock_now(l->cloud->clock);
	size_t dropped = 0;
	struct key k = key_begin(a);
	struct str key, value;
	status s = OK;
	(void)job;
	key_str(&k, STR("logs"));
	key_str(&k, STR("group"));
	struct str space = key_done(&k);
	struct store_scan *scan = store_scan_begin(tx, space, key_after(a, space), false);
	while (is_ok(s) && dropped < AT_ONCE && store_scan_next(scan, &key, &value)) {
		struct logs_rec_group g = {0};
		struct logs_streams streams = {0};
		s = logs_rec_group_decode(a, str_dup(a, value), &g);
		if (!is_ok(s) || !g.retention_days.has) continue;
		s = logs_streams_of(tx, a, g.account, g.region, g.name, STR(""), &streams);
		for (size_t i = 0; is_ok(s) && i < streams.n && dropped < AT_ONCE; i++) {
			size_t n = 0;
			s = logs_chunks_drop(
				tx, a, (uint64_t)streams.v[i].id.v, logs_kept_since(&g, now), AT_ONCE - dropped, &n);
			dropped += n;
		}
	}
	status end = store_scan_end(scan);
	TRY(s);
	TRY(end);
	*again_ms = dropped >= AT_ONCE ? now : now + 3600000;
	return OK;
}

void logs_retention_start(struct logs *l)
{
	jobs_register(l->cloud->jobs, kind, sweep, l);
}

void logs_retention_ready(struct logs *l)
{
	struct arena a;
	store_ticket ticket;
	arena_init(&a);
	struct store_tx *tx = store_begin(l->cloud->store, &a, false);
	struct job job = {
		.kind = str_c(kind), .id = STR("all"), .due_ms = clock_now(l->cloud->clock), .payload = STR("")};
	jobs_schedule(tx, &job);
	status s = store_commit(tx, &ticket);
	/* Lost to the job itself, which goes on by itself. */
	if (!is_ok(s)) log_info("logs", "retention_not_scheduled", "status=%s", status_name(s));
	store_end(tx);
	arena_cleanup(&a);
}
