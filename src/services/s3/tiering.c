/* Intelligent-Tiering: its configurations, and the archive tiers that objects come into by days without a read ("Amazon
 * S3 Intelligent-Tiering storage class"). The tier follows from the last read and the configuration; only reads are
 * written down. (The frequent, infrequent and archive instant tiers differ in price alone: no answer of S3 tells them.)
 */
#include "base/vec.h"
#include "call/workers.h"
#include "services/s3/archive.h"
#include "services/s3/headers.h"
#include "services/s3/object.h"
#include "services/s3/page.h"
#include "services/s3/version.h"
#include <stdlib.h>

#define DAY_MS (24ll * 60 * 60 * 1000)
enum { INFREQUENT_DAYS = 30, INSTANT_DAYS = 90 };
enum { ARCHIVE_DAYS_MIN = 90, DEEP_DAYS_MIN = 180, DAYS_MAX = 730, CONFIGURATIONS_MAX = 1000, ID_MAX = 64 };

/* ── the tier ── */

static bool applies(
	const struct s3_intelligent_tiering_configuration *conf, struct str key, const struct s3_rec_object *o)
{
	const struct s3_intelligent_tiering_filter *f = conf->filter;
	if (!str_is(conf->status, "Enabled")) return false;
	if (!f) return true;
	if (str_has(f->prefix) && !str_starts(key, f->prefix)) return false;
	if (f->tag && !s3_tags_hold(&o->tags, f->tag)) return false;
	if (!f->and) return true;
	if (str_has(f->and->prefix) && !str_starts(key, f->and->prefix)) return false;
	for (size_t i = 0; i < f->and->tags.n; i++)
		if (!s3_tags_hold(&o->tags, &f->and->tags.v[i])) return false;
	return true;
}

/* A restored object is one that was read. */
static int64_t last_read(const struct call *c, const struct s3_rec_object *o)
{
	int64_t at = o->transitioned.has ? o->transitioned.ms : o->modified.ms;
	if (o->accessed.has && o->accessed.ms > at) at = o->accessed.ms;
	if (o->restore && o->restore->ready.ms <= c->now_ms && o->restore->ready.ms > at) at = o->restore->ready.ms;
	return at;
}

status s3_tiering_of(
	struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o, struct str *tier)
{
	*tier = STR_NONE;
	if (!s3_config_may(b, S3_CONFIG_TIERING)) return OK;
	int64_t idle_days = (c->now_ms - last_read(c, o)) / DAY_MS;
	struct str from = s3_config_space(c->arena, b, S3_CONFIG_TIERING), k, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &k, &value)) {
		struct s3_put_bucket_intelligent_tiering_configuration_input in = {0};
		s = s3_config_decode(c->arena, S3_CONFIG_TIERING, str_dup(c->arena, value), &in);
		const struct s3_intelligent_tiering_configuration *conf = in.intelligent_tiering_configuration;
		if (!is_ok(s) || !conf || !applies(conf, key, o)) continue;
		for (size_t i = 0; i < conf->tierings.n; i++)
			if (idle_days >= conf->tierings.v[i].days.v && !str_is(*tier, "DEEP_ARCHIVE_ACCESS"))
				*tier = conf->tierings.v[i].access_tier;
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}

/* "Objects not accessed for 30 consecutive days move to the Infrequent Access tier …, 90 … to the Archive Instant Access
 * tier". */
status s3_tiering_name(
	struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o, struct str *name)
{
	struct str tier;
	*name = STR_NONE;
	if (!str_is(o->storage_class, "INTELLIGENT_TIERING")) return OK;
	TRY(s3_tiering_of(c, b, key, o, &tier));
	int64_t idle_days = (c->now_ms - last_read(c, o)) / DAY_MS;
	*name = str_is(tier, "DEEP_ARCHIVE_ACCESS") ? STR("DEEP_ARCHIVE")
		: str_has(tier)                     ? STR("ARCHIVE")
		: idle_days >= INSTANT_DAYS         ? STR("ARCHIVE_INSTANT_ACCESS")
		: idle_days >= INFREQUENT_DAYS      ? STR("INFREQUENT")
						    : STR("FREQUENT");
	return OK;
}

/* ── reads ── */

struct touch {
	struct cloud *cloud;
	int64_t now_ms;
	struct arena arena;
	struct str bucket, key, version_id;
	int64_t bucket_id;
};

static status write_touch(struct touch *t, struct arena *a)
{
	struct call c = {.arena = a, .cloud = t->cloud, .now_ms = t->now_ms};
	struct s3_rec_bucket b;
	struct s3_rec_object o;
	struct s3_place place;
	store_ticket ticket;
	c.tx = store_begin(t->cloud->store, a, false);
	status s = s3_bucket_by_name(c.tx, a, t->bucket, &b, NULL);
	if (is_ok(s) && b.id.v != t->bucket_id) s = STATUS(NOT_FOUND);
	if (is_ok(s)) s = s3_version_load(&c, &b, t->key, t->version_id, &o, &place);
	if (is_ok(s)) {
		o.accessed = SOME_TIME(t->now_ms);
		s3_version_rewrite(&c, &b, t->key, &place, &o);
		s = store_commit(c.tx, &ticket);
	}
	store_end(c.tx);
	return s;
}

static void touch_in_worker(void *ctx)
{
	struct touch *t = ctx;
	status s = STATUS(CONFLICT);
	for (int tries = 0; tries < 10 && status_is(s, STATUS_CONFLICT); tries++) {
		struct arena a;
		arena_init(&a);
		s = write_touch(t, &a);
		arena_cleanup(&a);
	}
	arena_cleanup(&t->arena);
	free(t);
}

void s3_tiering_touch(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o)
{
	if (!str_is(o->storage_class, "INTELLIGENT_TIERING") || !s3_config_may(b, S3_CONFIG_TIERING)) return;
	if (c->now_ms - last_read(c, o) < DAY_MS) return;
	struct touch *t = mem_new(sizeof *t);
	arena_init(&t->arena);
	t->cloud = c->cloud;
	t->now_ms = c->now_ms;
	t->bucket = str_dup(&t->arena, b->name);
	t->bucket_id = b->id.v;
	t->key = str_dup(&t->arena, key);
	t->version_id = str_dup(&t->arena, str_has(o->version_id) ? o->version_id : STR("null"));
	workers_run(c->cloud->workers, touch_in_worker, t);
}

/* ── configurations ── */

static status check_tierings(struct call *c, const struct s3_tiering_list *l)
{
	int32_t archive = 0, deep = 0;
	if (l->n == 0 || l->n > 2) return s3_malformed_xml(c);
	for (size_t i = 0; i < l->n; i++) {
		const struct s3_tiering *t = &l->v[i];
		bool is_deep = str_is(t->access_tier, "DEEP_ARCHIVE_ACCESS");
		if ((!is_deep && !str_is(t->access_tier, "ARCHIVE_ACCESS")) || !t->days.has) return s3_malformed_xml(c);
		int32_t *days = is_deep ? &deep : &archive;
		if (*days) return s3_malformed_xml(c);
		*days = t->days.v;
		if (t->days.v < (is_deep ? DEEP_DAYS_MIN : ARCHIVE_DAYS_MIN) || t->days.v > DAYS_MAX)
			return s3_invalid_argument(c, STR("Days"), str_fmt(c->arena, "%d", t->days.v),
				is_deep ? "Number of days for DEEP_ARCHIVE_ACCESS must be between 180 and 730"
					: "Number of days for ARCHIVE_ACCESS must be between 90 and 730");
	}
	if (archive && deep && archive >= deep)
		return s3_invalid_argument(c, STR("Days"), str_fmt(c->arena, "%d", deep),
			"Number of days for DEEP_ARCHIVE_ACCESS must be greater than that for ARCHIVE_ACCESS");
	return OK;
}

static status check_filter(struct call *c, const struct s3_intelligent_tiering_filter *f)
{
	if (!f) return OK;
	if (str_has(f->prefix) + (f->tag != NULL) + (f->and != NULL) > 1) return s3_malformed_xml(c);
	if (f->and &&str_has(f->and->prefix) + f->and->tags.n < 2) return s3_malformed_xml(c);
	for (size_t i = 0; i < (f->tag ? 1 : f->and ? f->and->tags.n : 0); i++) {
		const struct s3_tag *t = f->tag ? f->tag : &f->and->tags.v[i];
		struct s3_rec_tag tag = {t->key, str_or(t->value, STR(""))};
		TRY(s3_tag_check(c, &tag));
	}
	return OK;
}

status s3_put_bucket_intelligent_tiering_configuration(struct call *c,
	const struct s3_put_bucket_intelligent_tiering_configuration_input *in,
	struct s3_put_bucket_intelligent_tiering_configuration_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	const struct s3_intelligent_tiering_configuration *conf = in->intelligent_tiering_configuration;
	if (!conf || (!str_is(conf->status, "Enabled") && !str_is(conf->status, "Disabled")))
		return s3_malformed_xml(c);
	if (str_empty(in->id) || in->id.n > ID_MAX || !str_eq(in->id, conf->id))
		return s3_invalid_argument(
			c, STR("id"), in->id, "The configuration id does not match the id of the request");
	TRY(check_filter(c, conf->filter));
	TRY(check_tierings(c, &conf->tierings));
	return s3_config_put(c, &b, S3_CONFIG_TIERING, in->id);
}

static status no_such_configuration(struct call *c)
{
	return call_fail(c, S3_ERR_NO_SUCH_CONFIGURATION, "The specified configuration does not exist.");
}

status s3_get_bucket_intelligent_tiering_configuration(struct call *c,
	const struct s3_get_bucket_intelligent_tiering_configuration_input *in,
	struct s3_get_bucket_intelligent_tiering_configuration_output *out)
{
	struct s3_rec_bucket b;
	struct s3_put_bucket_intelligent_tiering_configuration_input stored;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	status s = s3_config_get(c, &b, S3_CONFIG_TIERING, in->id, &stored);
	if (status_is(s, STATUS_NOT_FOUND)) return no_such_configuration(c);
	TRY(s);
	out->intelligent_tiering_configuration = stored.intelligent_tiering_configuration;
	return OK;
}

status s3_delete_bucket_intelligent_tiering_configuration(struct call *c,
	const struct s3_delete_bucket_intelligent_tiering_configuration_input *in,
	struct s3_delete_bucket_intelligent_tiering_configuration_output *out)
{
	struct s3_rec_bucket b;
	bool existed = false;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_config_drop(c, &b, S3_CONFIG_TIERING, in->id, &existed));
	return existed ? OK : no_such_configuration(c);
}

status s3_list_bucket_intelligent_tiering_configurations(struct call *c,
	const struct s3_list_bucket_intelligent_tiering_configurations_input *in,
	struct s3_list_bucket_intelligent_tiering_configurations_output *out)
{
	enum { PAGE = 100 };
	struct s3_rec_bucket b;
	struct s3_walk walk;
	struct s3_walk_item item;
	struct str after, last = STR_NONE;
	size_t capacity = 0;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_token_read(c, in->continuation_token, &after));
	out->continuation_token = in->continuation_token;
	out->is_truncated = SOME_BOOL(false);
	s3_walk_begin(&walk, c, s3_config_space(c->arena, &b, S3_CONFIG_TIERING), STR_NONE, STR_NONE, after);
	status s = OK;
	while (is_ok(s) && s3_walk_next(&walk, &item)) {
		if (out->intelligent_tiering_configuration_list.n == PAGE) {
			out->is_truncated = SOME_BOOL(true);
			out->next_continuation_token = s3_token_make(c, last);
			break;
		}
		struct s3_put_bucket_intelligent_tiering_configuration_input stored = {0};
		s = s3_config_decode(c->arena, S3_CONFIG_TIERING, str_dup(c->arena, item.value), &stored);
		if (is_ok(s))
			*VEC_PUSH(c->arena, &out->intelligent_tiering_configuration_list, &capacity) =
				*stored.intelligent_tiering_configuration;
		last = item.key;
	}
	status ended = s3_walk_end(&walk);
	return is_ok(s) ? ended : s;
}
