/* Configurations as documents: stored as they came, read by the wire room's reader. */
#include "services/s3/config.h"
#include "base/rand.h"
#include "services/s3/checksum.h"

struct kind {
	const char *name;
	uint32_t put; /* the operation that takes the document */
};
static const struct kind kinds[S3_CONFIGS] = {
	[S3_CONFIG_CORS] = {"cors", S3_OP_PUT_BUCKET_CORS},
	[S3_CONFIG_WEBSITE] = {"website", S3_OP_PUT_BUCKET_WEBSITE},
	[S3_CONFIG_NOTIFICATION] = {"notification", S3_OP_PUT_BUCKET_NOTIFICATION_CONFIGURATION},
	[S3_CONFIG_REPLICATION] = {"replication", S3_OP_PUT_BUCKET_REPLICATION},
	[S3_CONFIG_LOGGING] = {"logging", S3_OP_PUT_BUCKET_LOGGING},
	[S3_CONFIG_PAYMENT] = {"payment", S3_OP_PUT_BUCKET_REQUEST_PAYMENT},
	[S3_CONFIG_ACCELERATE] = {"accelerate", S3_OP_PUT_BUCKET_ACCELERATE_CONFIGURATION},
	[S3_CONFIG_ANALYTICS] = {"analytics", S3_OP_PUT_BUCKET_ANALYTICS_CONFIGURATION},
	[S3_CONFIG_METRICS] = {"metrics", S3_OP_PUT_BUCKET_METRICS_CONFIGURATION},
	[S3_CONFIG_INVENTORY] = {"inventory", S3_OP_PUT_BUCKET_INVENTORY_CONFIGURATION},
	[S3_CONFIG_ENCRYPTION] = {"encryption", S3_OP_PUT_BUCKET_ENCRYPTION},
	[S3_CONFIG_LIFECYCLE] = {"lifecycle", S3_OP_PUT_BUCKET_LIFECYCLE_CONFIGURATION},
	[S3_CONFIG_TIERING] = {"tiering", S3_OP_PUT_BUCKET_INTELLIGENT_TIERING_CONFIGURATION},
};

status s3_malformed_xml(struct call *c)
{
	return call_fail(c, S3_ERR_MALFORMED_XML,
		"The XML you provided was not well-formed or did not validate against our published schema");
}

struct str s3_config_space(struct arena *a, const struct s3_rec_bucket *b, enum s3_config kind)
{
	struct key k = s3_key_space(a, STR("config"), b);
	key_str(&k, str_c(kinds[kind].name));
	return key_done(&k);
}

static struct str key_of(struct arena *a, const struct s3_rec_bucket *b, enum s3_config kind, struct str id)
{
	struct key k = s3_key_space(a, STR("config"), b);
	key_str(&k, str_c(kinds[kind].name));
	key_str(&k, id);
	return key_done(&k);
}

status s3_config_check_digest(struct call *c)
{
	struct s3_claim claim;
	TRY(s3_claim_of_request(c, STR_NONE, &claim));
	if (!claim.algorithm && !claim.has_md5) return OK;
	return s3_claim_check_body(c, &claim);
}

status s3_config_put(struct call *c, struct s3_rec_bucket *b, enum s3_config kind, struct str id)
{
	TRY(s3_config_check_digest(c));
	store_put(c->tx, key_of(c->arena, b, kind, id), c->body);
	b->configured = SOME_I64((int64_t)((uint64_t)b->configured.v | 1ull << kind));
	if (kind == S3_CONFIG_METRICS) b->metrics_revision = SOME_I64((int64_t)(rand_u64() >> 1));
	/* Rewritten also where the bit stood: whoever is writing an object by the old configuration does so again. */
	store_put(c->tx, s3_key_bucket(c->arena, c->partition, b->name), s3_rec_bucket_encode(c->arena, b));
	return OK;
}

status s3_config_drop(struct call *c, struct s3_rec_bucket *b, enum s3_config kind, struct str id, bool *existed)
{
	struct str bytes, key = key_of(c->arena, b, kind, id);
	status s = store_get(c->tx, key, &bytes);
	if (existed) *existed = is_ok(s);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	store_delete(c->tx, key);
	if (kind == S3_CONFIG_METRICS) b->metrics_revision = SOME_I64((int64_t)(rand_u64() >> 1));
	if (str_empty(id)) b->configured = SOME_I64((int64_t)((uint64_t)b->configured.v & ~(1ull << kind)));
	store_put(c->tx, s3_key_bucket(c->arena, c->partition, b->name), s3_rec_bucket_encode(c->arena, b));
	return OK;
}

status s3_config_decode(struct arena *a, enum s3_config kind, struct str text, void *in)
{
	struct wire_failure why = {0};
	struct wire_match m = {
		.service = &wire_service_s3,
		.op = &wire_service_s3.tables.ops[kinds[kind].put],
		.op_index = kinds[kind].put,
		.protocol = WIRE_REST_XML,
	};
	struct wire_request r = {.method = STR("PUT"), .path = STR("/"), .host = STR(""), .body = text};
	return is_ok(wire_decode(a, &m, &r, in, &why)) ? OK : STATUS(CORRUPT);
}

status s3_config_read(struct store_tx *tx, struct arena *a, const struct s3_rec_bucket *b, enum s3_config kind,
	struct str id, void *in, size_t size)
{
	struct str text;
	memset(in, 0, size);
	if (!s3_config_may(b, kind)) return STATUS(NOT_FOUND);
	TRY(store_peek(tx, key_of(a, b, kind, id), &text));
	return s3_config_decode(a, kind, text, in);
}

status s3_config_drop_all(struct call *c, const struct s3_rec_bucket *b)
{
	struct key k = s3_key_space(c->arena, STR("config"), b);
	struct str from = key_done(&k), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) store_delete(c->tx, str_dup(c->arena, key));
	return store_scan_end(scan);
}

status s3_bucket_by_name(
	struct store_tx *tx, struct arena *a, struct str name, struct s3_rec_bucket *out, struct str *partition)
{
	static const char *const partitions[] = {"aws", "aws-cn", "aws-us-gov"};
	for (size_t i = 0; i < sizeof partitions / sizeof *partitions; i++) {
		struct str bytes;
		*out = (struct s3_rec_bucket){0};
		status s = store_get(tx, s3_key_bucket(a, str_c(partitions[i]), name), &bytes);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		if (partition) *partition = str_c(partitions[i]);
		return s3_rec_bucket_decode(a, bytes, out);
	}
	return STATUS(NOT_FOUND);
}
