/* Access points' records and names. What they let through is decided in permit.c; they are made by S3 Control. */
#include "services/s3/point.h"
#include "services/s3/names.h"

static struct key point_key(struct arena *a, const char *kind)
{
	struct key k = key_begin(a);
	key_str(&k, STR("s3"));
	key_str(&k, str_c(kind));
	return k;
}

struct str s3_point_key(struct arena *a, struct str account, struct str region, struct str name)
{
	struct key k = point_key(a, "point");
	key_str(&k, account);
	key_str(&k, region);
	if (str_has(name)) key_str(&k, name);
	return key_done(&k);
}

static struct str alias_key(struct arena *a, struct str alias)
{
	struct key k = point_key(a, "alias");
	key_str(&k, alias);
	return key_done(&k);
}

struct str s3_point_index(struct arena *a, int64_t bucket_id, const struct s3_rec_point *p)
{
	struct key k = point_key(a, "points");
	key_u64(&k, (uint64_t)bucket_id);
	if (p) {
		key_str(&k, p->account);
		key_str(&k, p->region);
		key_str(&k, p->name);
	}
	return key_done(&k);
}

static status load_at(struct store_tx *tx, struct arena *a, struct str key, struct s3_rec_point *out)
{
	struct str bytes;
	*out = (struct s3_rec_point){0};
	TRY(store_get(tx, key, &bytes));
	return s3_rec_point_decode(a, bytes, out);
}

status s3_point_load(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name,
	struct s3_rec_point *out)
{
	return load_at(tx, a, s3_point_key(a, account, region, name), out);
}

void s3_point_save(struct store_tx *tx, struct arena *a, const struct s3_rec_point *p)
{
	struct str key = s3_point_key(a, p->account, p->region, p->name);
	store_put(tx, key, s3_rec_point_encode(a, p));
	store_put(tx, alias_key(a, p->alias), key);
	store_put(tx, s3_point_index(a, p->bucket_id.v, p), STR(""));
}

void s3_point_drop(struct store_tx *tx, struct arena *a, const struct s3_rec_point *p)
{
	store_delete(tx, s3_point_key(a, p->account, p->region, p->name));
	store_delete(tx, alias_key(a, p->alias));
	store_delete(tx, s3_point_index(a, p->bucket_id.v, p));
}

/* NAME-123456789012 */
static bool split_name(struct str text, struct str *name, struct str *account)
{
	if (text.n < 3 + 1 + 12 || text.p[text.n - 13] != '-') return false;
	*name = str_sub(text, 0, text.n - 13);
	*account = str_from(text, text.n - 12);
	return s3_name_is_account(*account);
}

status s3_point_find(struct store_tx *tx, struct arena *a, struct str region, struct str name, struct s3_rec_point *out)
{
	struct str key, account;
	if (str_ends(name, STR("-s3alias"))) {
		TRY(store_get(tx, alias_key(a, name), &key));
		return load_at(tx, a, str_dup(a, key), out);
	}
	if (str_starts(name, STR(S3_POINT_PREFIX))) name = str_from(name, strlen(S3_POINT_PREFIX));
	if (!split_name(name, &name, &account)) return STATUS(NOT_FOUND);
	return s3_point_load(tx, a, account, region, name, out);
}

struct str s3_point_arn(struct arena *a, struct str partition, const struct s3_rec_point *p)
{
	return str_fmt(a, "arn:%.*s:s3:%.*s:%.*s:accesspoint/%.*s", STR_ARG(partition), STR_ARG(p->region),
		STR_ARG(p->account), STR_ARG(p->name));
}

bool s3_point_of_arn(struct arena *a, struct str arn, struct str *bucket, struct str *key)
{
	struct str rest = arn;
	for (int i = 0; i < 4; i++) (void)str_cut(&rest, ':');
	struct str account = str_cut(&rest, ':');
	if (!str_has(rest) || !s3_name_is_account(account) || !str_starts(rest, STR("accesspoint/"))) return false;
	rest = str_from(rest, strlen("accesspoint/"));
	struct str name = str_cut(&rest, '/');
	if (!str_has(rest) || !str_starts(rest, STR("object/"))) return false;
	*bucket = str_fmt(a, S3_POINT_PREFIX "%.*s-%.*s", STR_ARG(name), STR_ARG(account));
	*key = str_from(rest, strlen("object/"));
	return true;
}

bool s3_point_serves(uint32_t op)
{
	static const uint16_t served[] = {S3_OP_ABORT_MULTIPART_UPLOAD, S3_OP_COMPLETE_MULTIPART_UPLOAD,
		S3_OP_COPY_OBJECT, S3_OP_CREATE_MULTIPART_UPLOAD, S3_OP_DELETE_OBJECT, S3_OP_DELETE_OBJECTS,
		S3_OP_DELETE_OBJECT_TAGGING, S3_OP_GET_BUCKET_ACL, S3_OP_GET_BUCKET_CORS, S3_OP_GET_BUCKET_LOCATION,
		S3_OP_GET_BUCKET_NOTIFICATION_CONFIGURATION, S3_OP_GET_BUCKET_POLICY, S3_OP_GET_OBJECT,
		S3_OP_GET_OBJECT_ACL, S3_OP_GET_OBJECT_ATTRIBUTES, S3_OP_GET_OBJECT_LEGAL_HOLD,
		S3_OP_GET_OBJECT_RETENTION, S3_OP_GET_OBJECT_TAGGING, S3_OP_HEAD_BUCKET, S3_OP_HEAD_OBJECT,
		S3_OP_LIST_MULTIPART_UPLOADS, S3_OP_LIST_OBJECTS, S3_OP_LIST_OBJECTS_V2, S3_OP_LIST_OBJECT_VERSIONS,
		S3_OP_LIST_PARTS, S3_OP_PUT_OBJECT, S3_OP_PUT_OBJECT_LEGAL_HOLD, S3_OP_PUT_OBJECT_RETENTION,
		S3_OP_PUT_OBJECT_ACL, S3_OP_PUT_OBJECT_TAGGING, S3_OP_RESTORE_OBJECT, S3_OP_SELECT_OBJECT_CONTENT,
		S3_OP_UPLOAD_PART, S3_OP_UPLOAD_PART_COPY};
	for (size_t i = 0; i < sizeof served / sizeof *served; i++)
		if (served[i] == op) return true;
	return false;
}
