/* PutBucketVersioning, GetBucketVersioning and ListObjectVersions. */
#include "base/vec.h"
#include "services/s3/archive.h"
#include "services/s3/mfa.h"
#include "services/s3/page.h"
#include "services/s3/version.h"

/* "The bucket owner … is the only one who can enable MFA delete", as root. */
static status change_mfa(struct call *c, struct str wanted, struct s3_rec_bucket *b)
{
	bool on = str_is(wanted, "Enabled");
	if (str_has(wanted) && !on && !str_is(wanted, "Disabled"))
		return call_fail(c, S3_ERR_MALFORMED_XML,
			"The XML you provided was not well-formed or did not validate against our published schema");
	if (!on && !b->mfa_delete.v) return OK;
	if (str_has(wanted) && on != b->mfa_delete.v &&
		(c->principal.kind != PRINCIPAL_ROOT || !str_eq(c->account, b->owner)))
		return call_fail(c, ERR_ACCESS_DENIED, "This operation may only be performed by the bucket owner");
	if (on && b->lock.v)
		return call_fail(c, S3_ERR_INVALID_BUCKET_STATE,
			"Object Lock is enabled on this bucket: MFA delete cannot be used with it.");
	TRY(s3_mfa_demand(c));
	if (str_has(wanted)) b->mfa_delete = SOME_BOOL(on);
	return OK;
}

status s3_put_bucket_versioning(
	struct call *c, const struct s3_put_bucket_versioning_input *in, struct s3_put_bucket_versioning_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	const struct s3_versioning_configuration *conf = in->versioning_configuration;
	if (!conf || (!str_is(conf->status, "Enabled") && !str_is(conf->status, "Suspended")))
		return call_fail(c, S3_ERR_ILLEGAL_VERSIONING_CONFIGURATION_EXCEPTION,
			"The Versioning element must be specified");
	TRY(change_mfa(c, conf->mfa_delete, &b));
	if (b.lock.v && str_is(conf->status, "Suspended"))
		return call_fail(c, S3_ERR_INVALID_BUCKET_STATE,
			"An Object Lock configuration is present on this bucket, so the versioning state cannot be "
			"changed.");
	b.versioning = conf->status;
	store_put(c->tx, s3_key_bucket(c->arena, c->partition, b.name), s3_rec_bucket_encode(c->arena, &b));
	return OK;
}

status s3_get_bucket_versioning(
	struct call *c, const struct s3_get_bucket_versioning_input *in, struct s3_get_bucket_versioning_output *out)
{
	struct s3_rec_bucket b;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	out->status = b.versioning;
	if (b.mfa_delete.has) out->mfa_delete = b.mfa_delete.v ? STR("Enabled") : STR("Disabled");
	return OK;
}

/* ── ListObjectVersions ── */

/* Two spaces walked side by side: the current objects, and the older versions and markers; of one key the current
 * object comes first. A common prefix counts once. */
struct merge {
	struct s3_walk walks[2];
	struct s3_walk_item items[2];
	bool have[2];
};

static void advance(struct merge *m, int i)
{
	m->have[i] = s3_walk_next(&m->walks[i], &m->items[i]);
}

static int lesser(const struct merge *m)
{
	if (!m->have[0]) return m->have[1] ? 1 : -1;
	if (!m->have[1]) return 0;
	return str_cmp(m->items[0].key, m->items[1].key) <= 0 ? 0 : 1;
}

struct listing {
	bool url, restore;
	struct str last_key; /* whose newest version was shown */
	size_t versions, markers, prefixes;
	struct str shown_key, shown_id; /* the last item of the page */
};

static status show(
	struct call *c, struct listing *l, const struct s3_walk_item *item, struct s3_list_object_versions_output *out)
{
	struct s3_rec_object r = {0};
	TRY(s3_rec_object_decode(c->arena, str_dup(c->arena, item->value), &r));
	bool latest = !str_eq(l->last_key, item->key);
	struct str id = str_has(r.version_id) ? r.version_id : STR("null");
	l->last_key = l->shown_key = item->key;
	l->shown_id = id;
	if (r.marker.v) {
		struct s3_delete_marker_entry *d = VEC_PUSH(c->arena, &out->delete_markers, &l->markers);
		d->key = s3_shown(c, l->url, item->key);
		d->version_id = id;
		d->is_latest = SOME_BOOL(latest);
		d->last_modified = r.modified;
		d->owner = s3_owner_of(c, r.owner);
		return OK;
	}
	struct s3_object_version *v = VEC_PUSH(c->arena, &out->versions, &l->versions);
	v->key = s3_shown(c, l->url, item->key);
	v->version_id = id;
	v->is_latest = SOME_BOOL(latest);
	v->last_modified = r.modified;
	v->e_tag = s3_quoted(c->arena, r.e_tag);
	v->size = r.size;
	v->storage_class = r.storage_class;
	if (l->restore) v->restore_status = s3_archive_listed(c, &r);
	v->owner = s3_owner_of(c, r.owner);
	v->checksum_type = r.checksum_type;
	if (str_has(r.checksum_algorithm)) {
		v->checksum_algorithm.v = arena_new(c->arena, struct str);
		v->checksum_algorithm.v[0] = r.checksum_algorithm;
		v->checksum_algorithm.n = 1;
	}
	return OK;
}

/* Where the walks begin: after the key marker, or within its versions after the one named. */
static status begin(struct call *c, const struct s3_list_object_versions_input *in, const struct s3_rec_bucket *b,
	struct merge *m, struct listing *l)
{
	struct str spaces[2];
	struct key k = s3_key_space(c->arena, STR("object"), b);
	spaces[0] = key_done(&k);
	k = s3_key_space(c->arena, STR("version"), b);
	spaces[1] = key_done(&k);
	for (int i = 0; i < 2; i++)
		s3_walk_begin(&m->walks[i], c, spaces[i], in->prefix, in->delimiter, in->key_marker);
	if (!str_has(in->version_id_marker)) return OK;
	if (str_empty(in->key_marker))
		return s3_invalid_argument(c, STR("version-id-marker"), in->version_id_marker,
			"A version-id marker cannot be specified without a key marker.");
	if (str_empty(in->version_id_marker))
		return s3_invalid_argument(
			c, STR("version-id-marker"), in->version_id_marker, "A version-id marker cannot be empty.");
	struct s3_rec_object o;
	struct s3_place place;
	status s = s3_version_load(c, b, in->key_marker, in->version_id_marker, &o, &place);
	if (status_is(s, STATUS_NOT_FOUND)) return OK; /* gone meanwhile: on with the next key */
	TRY(s);
	/* The rest of this key's versions is in the second space alone. */
	k = s3_key_space(c->arena, STR("version"), b);
	key_str(&k, in->key_marker);
	struct str from = key_done(&k);
	if (!place.current) from = key_next(c->arena, s3_key_version(c->arena, b, in->key_marker, place.number));
	TRY(s3_walk_end(&m->walks[1]));
	s3_walk_begin_at(&m->walks[1], c, spaces[1], in->prefix, in->delimiter, from);
	l->last_key = in->key_marker;
	return OK;
}

static status fill(
	struct call *c, struct merge *m, struct listing *l, size_t limit, struct s3_list_object_versions_output *out)
{
	for (int i = 0; i < 2; i++) advance(m, i);
	struct str prefix = STR_NONE;
	size_t n = 0;
	int i;
	while ((i = lesser(m)) >= 0) {
		struct s3_walk_item *item = &m->items[i];
		if (item->common && str_has(prefix) && str_eq(prefix, item->key)) {
			advance(m, i);
			continue;
		}
		if (n == limit) {
			out->is_truncated = SOME_BOOL(true);
			out->next_key_marker = s3_shown(c, l->url, l->shown_key);
			if (str_has(l->shown_id)) out->next_version_id_marker = l->shown_id;
			return OK;
		}
		n++;
		if (item->common) {
			prefix = l->shown_key = item->key;
			l->shown_id = STR_NONE;
			VEC_PUSH(c->arena, &out->common_prefixes, &l->prefixes)->prefix =
				s3_shown(c, l->url, item->key);
		} else {
			TRY(show(c, l, item, out));
		}
		advance(m, i);
	}
	return OK;
}

status s3_list_object_versions(
	struct call *c, const struct s3_list_object_versions_input *in, struct s3_list_object_versions_output *out)
{
	struct s3_rec_bucket b;
	struct merge m = {0};
	struct listing l = {.last_key = STR_NONE, .restore = in->optional_object_attributes.n > 0};
	size_t limit;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_encoding_check(c, in->encoding_type, &l.url));
	TRY(s3_page_limit(c, in->max_keys, "max-keys", &limit));
	out->name = in->bucket;
	out->prefix = s3_shown(c, l.url, str_or(in->prefix, STR("")));
	out->key_marker = s3_shown(c, l.url, str_or(in->key_marker, STR("")));
	out->version_id_marker = str_or(in->version_id_marker, STR(""));
	if (!str_empty(in->delimiter)) out->delimiter = s3_shown(c, l.url, in->delimiter);
	if (l.url) out->encoding_type = STR("url");
	out->max_keys = SOME_I32((int32_t)limit);
	out->is_truncated = SOME_BOOL(false);
	if (!limit) return OK;
	status s = begin(c, in, &b, &m, &l);
	if (is_ok(s)) s = fill(c, &m, &l, limit, out);
	for (int i = 0; i < 2; i++) {
		status ended = s3_walk_end(&m.walks[i]);
		if (is_ok(s)) s = ended;
	}
	return s;
}
