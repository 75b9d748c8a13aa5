/* See noted.h. */
#include "services/s3/noted.h"

void s3_note(struct call *c, struct store_tx *tx, const struct s3_rec_bucket *b)
{
	bool counted = s3_config_may(b, S3_CONFIG_METRICS), analysed = s3_config_may(b, S3_CONFIG_ANALYTICS);
	if (c->noted || !c->http || !(counted || analysed || s3_config_may(b, S3_CONFIG_LOGGING))) return;
	struct s3_noted *n = arena_new(c->arena, struct s3_noted);
	*n = (struct s3_noted){.bucket = *b, .point_arn = STR_NONE};
	if (counted) s3_request_metrics_note(c, tx, n);
	if (analysed) s3_analysis_note(c, tx, n);
	c->noted = n;
}

const struct s3_noted *s3_noted(const struct call *c)
{
	return c->match.service == &wire_service_s3 ? c->noted : NULL;
}

struct str s3_noted_label(const struct call *c, const char *name)
{
	for (size_t i = 0; i < c->match.n_labels; i++)
		if (str_eq(c->match.labels[i].name, str_c(name))) return c->match.labels[i].value;
	return STR_NONE;
}
