/* Configurations of which a bucket has many, each with an id: metrics, analytics, inventory. They are put, read, listed
 * and deleted alike ("GetBucketMetricsConfiguration" and its kin, Amazon S3 API reference). */
#include "base/vec.h"
#include "services/s3/analysis.h"
#include "services/s3/config.h"
#include "services/s3/inventory.h"
#include "services/s3/page.h"
#include "services/s3/replicate.h"

enum { CONFIGURATIONS_MAX = 1000, PAGE = 100, ID_MAX = 64 };

static status check_id(struct call *c, struct str query, struct str body)
{
	bool ok = query.n >= 1 && query.n <= ID_MAX;
	for (size_t i = 0; ok && i < query.n; i++) {
		char ch = query.p[i];
		ok = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '.' ||
		     ch == '-' || ch == '_';
	}
	if (!ok) return s3_invalid_argument(c, STR("id"), query, "Invalid configuration id");
	if (str_has(body) && !str_eq(query, body))
		return s3_invalid_argument(
			c, STR("Id"), body, "The id of the configuration is not that of the request");
	return OK;
}

static status no_such(struct call *c, struct str id)
{
	status s = call_fail(c, S3_ERR_NO_SUCH_CONFIGURATION, "The specified configuration does not exist.");
	call_fail_detail(c, STR("Id"), id);
	return s;
}

/* The limit counts what is there. */
static status put(struct call *c, struct s3_rec_bucket *b, enum s3_config kind, struct str id)
{
	struct str from = s3_config_space(c->arena, b, kind), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	size_t n = 0;
	while (n < CONFIGURATIONS_MAX && store_scan_next(scan, &key, &value)) n++;
	TRY(store_scan_end(scan));
	if (n >= CONFIGURATIONS_MAX)
		return call_fail(c, S3_ERR_INVALID_REQUEST,
			"You are attempting to create more configurations than allowed: %d", CONFIGURATIONS_MAX);
	return s3_config_put(c, b, kind, id);
}

static status drop(struct call *c, struct str bucket, struct str owner, enum s3_config kind, struct str id)
{
	struct s3_rec_bucket b;
	bool existed;
	TRY(s3_bucket_load(c, bucket, owner, &b));
	TRY(check_id(c, id, STR_NONE));
	TRY(s3_config_drop(c, &b, kind, id, &existed));
	if (kind == S3_CONFIG_ANALYTICS) TRY(s3_analysis_forget(c, &b, id));
	return existed ? OK : no_such(c, id);
}

/* The texts of one page; *next is where the following one begins, STR_NONE at the end. */
struct page {
	struct str *v;
	size_t n;
	struct str next;
};
static status list(struct call *c, const struct s3_rec_bucket *b, enum s3_config kind, struct str token, struct page *p)
{
	struct str after, key, value, last = STR_NONE;
	size_t capacity = 0;
	*p = (struct page){.next = STR_NONE};
	TRY(s3_token_read(c, token, &after));
	struct str space = s3_config_space(c->arena, b, kind);
	struct store_scan *scan = store_scan_begin(c->tx, space, key_after(c->arena, space), false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(key, space.n), id;
		s = key_read_str(c->arena, &rest, &id);
		if (!is_ok(s) || (str_has(after) && str_cmp(id, after) <= 0)) continue;
		if (p->n == PAGE) {
			p->next = s3_token_make(c, last);
			break;
		}
		last = str_dup(c->arena, id);
		*VEC_PUSH(c->arena, p, &capacity) = str_dup(c->arena, value);
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}

/* The four operations of a kind; CHECK(c, b, conf) judges the configuration. */
#define OPERATIONS(kind, KIND, CHECK)                                                                                  \
	status s3_put_bucket_##kind##_configuration(struct call *c,                                                    \
		const struct s3_put_bucket_##kind##_configuration_input *in,                                           \
		struct s3_put_bucket_##kind##_configuration_output *out)                                               \
	{                                                                                                              \
		struct s3_rec_bucket b;                                                                                \
		(void)out;                                                                                             \
		TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));                                     \
		if (!in->kind##_configuration)                                                                         \
			return call_fail(c, S3_ERR_MISSING_REQUEST_BODY_ERROR, "Request Body is empty");               \
		TRY(check_id(c, in->id, in->kind##_configuration->id));                                                \
		TRY(CHECK(c, &b, in->kind##_configuration));                                                           \
		return put(c, &b, S3_CONFIG_##KIND, in->id);                                                           \
	}                                                                                                              \
	status s3_get_bucket_##kind##_configuration(struct call *c,                                                    \
		const struct s3_get_bucket_##kind##_configuration_input *in,                                           \
		struct s3_get_bucket_##kind##_configuration_output *out)                                               \
	{                                                                                                              \
		struct s3_rec_bucket b;                                                                                \
		struct s3_put_bucket_##kind##_configuration_input conf;                                                \
		TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));                                     \
		status s = s3_config_get(c, &b, S3_CONFIG_##KIND, in->id, &conf);                                      \
		if (status_is(s, STATUS_NOT_FOUND)) return no_such(c, in->id);                                         \
		TRY(s);                                                                                                \
		out->kind##_configuration = conf.kind##_configuration;                                                 \
		return OK;                                                                                             \
	}                                                                                                              \
	status s3_delete_bucket_##kind##_configuration(struct call *c,                                                 \
		const struct s3_delete_bucket_##kind##_configuration_input *in,                                        \
		struct s3_delete_bucket_##kind##_configuration_output *out)                                            \
	{                                                                                                              \
		(void)out;                                                                                             \
		return drop(c, in->bucket, in->expected_bucket_owner, S3_CONFIG_##KIND, in->id);                       \
	}                                                                                                              \
	status s3_list_bucket_##kind##_configurations(struct call *c,                                                  \
		const struct s3_list_bucket_##kind##_configurations_input *in,                                         \
		struct s3_list_bucket_##kind##_configurations_output *out)                                             \
	{                                                                                                              \
		struct s3_rec_bucket b;                                                                                \
		struct page p;                                                                                         \
		TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));                                     \
		TRY(list(c, &b, S3_CONFIG_##KIND, in->continuation_token, &p));                                        \
		out->is_truncated = SOME_BOOL(str_has(p.next));                                                        \
		out->continuation_token = in->continuation_token;                                                      \
		out->next_continuation_token = p.next;                                                                 \
		out->kind##_configuration_list.n = p.n;                                                                \
		out->kind##_configuration_list.v = arena_new_n(c->arena, struct s3_##kind##_configuration, p.n);       \
		for (size_t i = 0; i < p.n; i++) {                                                                     \
			struct s3_put_bucket_##kind##_configuration_input conf = {0};                                  \
			TRY(s3_config_decode(c->arena, S3_CONFIG_##KIND, p.v[i], &conf));                              \
			out->kind##_configuration_list.v[i] = *conf.kind##_configuration;                              \
		}                                                                                                      \
		return OK;                                                                                             \
	}

static status check_metrics(struct call *c, const struct s3_rec_bucket *b, const struct s3_metrics_configuration *m)
{
	const struct s3_metrics_filter *f = m->filter;
	(void)b;
	if (!f) return OK;
	if (str_has(f->prefix) + (f->tag != NULL) + str_has(f->access_point_arn) + (f->and != NULL) != 1)
		return s3_malformed_xml(c);
	return OK;
}

static status check_target(struct call *c, struct str arn, const struct s3_rec_bucket *b)
{
	struct s3_rec_bucket to;
	struct str name = s3_replication_bucket(arn);
	if (!str_has(name)) return s3_invalid_argument(c, STR("Bucket"), arn, "Invalid bucket ARN.");
	status s = s3_bucket_by_name(c->tx, c->arena, name, &to, NULL);
	if (status_is(s, STATUS_NOT_FOUND))
		return s3_invalid_argument(c, STR("Bucket"), arn, "The destination bucket does not exist.");
	TRY(s);
	if (str_eq(to.region, b->region)) return OK;
	return s3_invalid_argument(
		c, STR("Bucket"), arn, "The destination bucket must be in the region of the source bucket.");
}

static status check_analytics(struct call *c, const struct s3_rec_bucket *b, const struct s3_analytics_configuration *a)
{
	const struct s3_analytics_filter *f = a->filter;
	if (f && str_has(f->prefix) + (f->tag != NULL) + (f->and != NULL) != 1) return s3_malformed_xml(c);
	if (!a->storage_class_analysis) return s3_malformed_xml(c);
	const struct s3_storage_class_analysis_data_export *e = a->storage_class_analysis->data_export;
	if (!e) return OK;
	if (!str_is(e->output_schema_version, "V_1") || !e->destination || !e->destination->s3_bucket_destination)
		return s3_malformed_xml(c);
	if (!str_is(e->destination->s3_bucket_destination->format, "CSV")) return s3_malformed_xml(c);
	TRY(check_target(c, e->destination->s3_bucket_destination->bucket, b));
	s3_analysis_schedule(c, b, a);
	return OK;
}

static status check_inventory(struct call *c, const struct s3_rec_bucket *b, const struct s3_inventory_configuration *i)
{
	const struct s3_inventory_s3_bucket_destination *d =
		i->destination ? i->destination->s3_bucket_destination : NULL;
	if (!d || !i->schedule || !i->is_enabled.has) return s3_malformed_xml(c);
	if (!str_is(d->format, "CSV"))
		return call_fail(c, S3_ERR_NOT_IMPLEMENTED,
			"Inventories in the format %.*s are not implemented; CSV is", STR_ARG(d->format));
	if (d->encryption && (d->encryption->sses3 != NULL) == (d->encryption->ssekms != NULL)) return s3_malformed_xml(c);
	if (!str_is(i->included_object_versions, "All") && !str_is(i->included_object_versions, "Current"))
		return s3_malformed_xml(c);
	if (!str_is(i->schedule->frequency, "Daily") && !str_is(i->schedule->frequency, "Weekly"))
		return s3_malformed_xml(c);
	for (size_t j = 0; j < i->optional_fields.n; j++)
		if (!s3_inventory_field(i->optional_fields.v[j]))
			return call_fail(c, S3_ERR_NOT_IMPLEMENTED, "The inventory field %.*s is not implemented",
				STR_ARG(i->optional_fields.v[j]));
	TRY(check_target(c, d->bucket, b));
	s3_inventory_schedule(c, b, i);
	return OK;
}

OPERATIONS(metrics, METRICS, check_metrics)
OPERATIONS(analytics, ANALYTICS, check_analytics)
OPERATIONS(inventory, INVENTORY, check_inventory)
