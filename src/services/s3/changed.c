/* What follows from a change to an object. */
#include "services/s3/changed.h"
#include "services/s3/config.h"
#include "services/s3/replicate.h"

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

void s3_poke_jobs(struct call *c)
{
	if (c->http) call_after_commit(c, poke, c->cloud->jobs);
}

status s3_changed(struct call *c, const struct s3_rec_bucket *b, struct str key, enum s3_event event,
	const struct s3_rec_object *o)
{
	if (s3_config_may(b, S3_CONFIG_NOTIFICATION)) TRY(s3_notify(c, b, key, event, o));
	if (s3_config_may(b, S3_CONFIG_REPLICATION)) TRY(s3_replicate(c, b, key, event, o));
	return OK;
}
