/* What a deleted bucket leaves: its unfinished uploads are removed by a durable job, a few at a time. Nobody can reach
 * them meanwhile: the bucket's id is gone with its record. */
#include "services/s3/multipart.h"

enum { UPLOADS_AT_ONCE = 16 };
static const char purge_kind[] = "s3.purge";

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

status s3_purge_uploads(struct call *c, const struct s3_rec_bucket *b)
{
	struct key k = s3_key_space(c->arena, STR("upload"), b);
	struct str from = key_done(&k), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	bool any = store_scan_next(scan, &key, &value);
	TRY(store_scan_end(scan));
	if (!any) return OK;
	struct job job = {
		.kind = str_c(purge_kind),
		.id = str_fmt(c->arena, "%llx", (unsigned long long)b->id.v),
		.due_ms = c->now_ms,
		.payload = s3_rec_bucket_encode(c->arena, b),
	};
	jobs_schedule(c->tx, &job);
	call_after_commit(c, poke, c->cloud->jobs);
	return OK;
}

static status purge(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct call c = {
		.arena = a, .cloud = cloud, .tx = tx, .now_ms = clock_now(cloud->clock)}; /* no client waits for it */
	struct s3_rec_bucket b = {0};
	struct {
		struct str key, id;
	} found[UPLOADS_AT_ONCE];
	size_t n = 0;
	struct str k, value;
	TRY(s3_rec_bucket_decode(a, job->payload, &b));
	struct key space = s3_key_space(a, STR("upload"), &b);
	struct str from = key_done(&space);
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	status s = OK;
	while (n < UPLOADS_AT_ONCE && is_ok(s) && store_scan_next(scan, &k, &value)) {
		struct str rest = str_dup(a, str_from(k, from.n));
		s = key_read_str(a, &rest, &found[n].key);
		if (is_ok(s)) s = key_read_str(a, &rest, &found[n].id);
		n++;
	}
	status ended = store_scan_end(scan);
	TRY(s);
	TRY(ended);
	for (size_t i = 0; i < n; i++) TRY(s3_upload_remove(&c, &b, found[i].key, found[i].id, NULL, NULL));
	if (n == UPLOADS_AT_ONCE) *again_ms = c.now_ms;
	return OK;
}

void s3_purge_register(struct cloud *cloud)
{
	jobs_register(cloud->jobs, purge_kind, purge, cloud);
}
