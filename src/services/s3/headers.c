/* Reading the headers that describe an object to be, and refusing those whose function is not there: what is accepted
 * has its effect. */
#include "services/s3/headers.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "services/s3/acl.h"
#include "services/s3/express.h"
#include "services/s3/lock.h"
#include "services/s3/names.h"
#include "services/s3/sse.h"

enum { USER_METADATA_MAX = 2048, TAGS_MAX = 10, TAG_KEY_MAX = 128, TAG_VALUE_MAX = 256 };

/* ── access ── */

status s3_headers_access(
	struct call *c, const struct s3_rec_bucket *b, const struct s3_headers *h, struct s3_rec_object *o)
{
	TRY(s3_acl_of_upload(c, b, h, o));
	struct s3_sse_wish wish = {h->server_side_encryption, h->ssekms_key_id, h->ssekms_encryption_context,
		h->bucket_key_enabled, {STR_NONE, STR_NONE}};
	TRY(S3_CUSTOMER(c, h, &wish.customer));
	TRY(s3_sse_choose(c, b, &wish, &o->sse));
	return s3_lock_read(c, b, h, o);
}

/* ── metadata ── */

/* What the transport added to the object's own content encoding does not stay with it. */
static struct str own_encoding(struct arena *a, struct str encoding)
{
	if (!str_has(encoding) || str_find(encoding, STR("aws-chunked")) < 0) return encoding;
	struct buf b = BUF_IN(a);
	while (str_has(encoding)) {
		struct str part = str_trim(str_cut(&encoding, ','));
		if (str_is(part, "aws-chunked") || str_empty(part)) continue;
		if (b.n) buf_byte(&b, ',');
		buf_str(&b, part);
	}
	return b.n ? buf_done(&b) : STR_NONE;
}

/* "Values of such headers are character decoded as per RFC 2047 before storing and encoded as per RFC 2047 to make them
 * mail-safe before returning" ("Working with object metadata"): a value of other bytes than ASCII is kept as it will be
 * returned. HTTP's bytes are Latin-1. */
static struct str mail_safe(struct arena *a, struct str value)
{
	struct buf utf8 = BUF_IN(a);
	bool ascii = true;
	for (size_t i = 0; i < value.n; i++) {
		unsigned char u = (unsigned char)value.p[i];
		ascii = ascii && u < 0x80;
		buf_utf8(&utf8, u);
	}
	return ascii ? value : str_fmt(a, "=?UTF-8?B?%.*s?=", STR_ARG(str_base64(a, buf_done(&utf8))));
}

static status read_user_metadata(struct call *c, const struct s3_metadata *in, struct s3_rec_metadata *out)
{
	size_t total = 0, capacity = 0;
	*out = (struct s3_rec_metadata){0};
	for (size_t i = 0; i < in->n; i++) {
		struct str name = str_lower(c->arena, in->v[i].key);
		struct str value = mail_safe(c->arena, str_or(in->v[i].value, STR("")));
		struct s3_rec_metadata_entry *e = NULL;
		for (size_t j = 0; j < out->n && !e; j++)
			if (str_eq(out->v[j].key, name)) e = &out->v[j];
		if (e) {
			e->value = str_fmt(c->arena, "%.*s,%.*s", STR_ARG(e->value), STR_ARG(value));
			total += 1 + value.n;
			continue;
		}
		e = VEC_PUSH(c->arena, out, &capacity);
		*e = (struct s3_rec_metadata_entry){name, value};
		total += name.n + value.n;
	}
	if (total <= USER_METADATA_MAX) return OK;
	status s = call_fail(
		c, S3_ERR_METADATA_TOO_LARGE, "Your metadata headers exceed the maximum allowed metadata size");
	call_fail_detail(c, STR("Size"), str_fmt(c->arena, "%zu", total));
	call_fail_detail(c, STR("MaxSizeAllowed"), str_fmt(c->arena, "%d", USER_METADATA_MAX));
	return s;
}

status s3_headers_metadata(struct call *c, const struct s3_headers *h, struct s3_rec_object *o)
{
	o->cache_control = h->cache_control;
	o->content_disposition = h->content_disposition;
	o->content_encoding = own_encoding(c->arena, h->content_encoding);
	o->content_language = h->content_language;
	o->content_type = str_empty(h->content_type) ? STR("binary/octet-stream") : h->content_type;
	o->expires = h->expires;
	return read_user_metadata(c, &h->metadata, &o->metadata);
}

static status read_redirect(struct call *c, struct str location, struct s3_rec_object *o)
{
	o->website_redirect = location;
	if (!str_has(location) || str_starts(location, STR("/")) || str_starts(location, STR("http://")) ||
		str_starts(location, STR("https://")))
		return OK;
	return call_fail(c, S3_ERR_INVALID_REDIRECT_LOCATION,
		"The website redirect location must have a prefix of 'http://' or 'https://' or '/'.");
}

status s3_headers_storage_class(struct call *c, struct str storage_class, struct s3_rec_object *o)
{
	static const char *const known[] = {"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA",
		"INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"};
	o->storage_class = str_has(storage_class) ? storage_class : STR("STANDARD");
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (str_eq(o->storage_class, str_c(known[i]))) return OK;
	status s = call_fail(c, S3_ERR_INVALID_STORAGE_CLASS, "The storage class you specified is not valid");
	call_fail_detail(c, STR("StorageClassRequested"), storage_class);
	return s;
}

/* ── tags ── */

status s3_tag_check(struct call *c, const struct s3_rec_tag *t)
{
	if (!s3_name_is_tag_text(t->key, 1, TAG_KEY_MAX))
		return call_fail(c, S3_ERR_INVALID_TAG, "The TagKey you have provided is invalid");
	if (!s3_name_is_tag_text(t->value, 0, TAG_VALUE_MAX))
		return call_fail(c, S3_ERR_INVALID_TAG, "The TagValue you have provided is invalid");
	if (!c->system_tags && str_istarts(t->key, STR("aws:")))
		return call_fail(c, S3_ERR_INVALID_TAG, "System tags cannot be added/updated by requester");
	return OK;
}

static status malformed_tagging(struct call *c, struct str tagging)
{
	return s3_invalid_argument(c, STR("x-amz-tagging"), tagging,
		"The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag "
		"name "
		"duplicates.");
}

status s3_headers_tags(struct call *c, struct str tagging, struct s3_rec_tags *out)
{
	size_t capacity = 0;
	*out = (struct s3_rec_tags){0};
	struct str rest = str_empty(tagging) ? STR_NONE : tagging;
	while (str_has(rest)) {
		struct str pair = str_cut(&rest, '&');
		if (str_empty(pair)) continue;
		struct str key = str_cut(&pair, '=');
		struct s3_rec_tag t;
		if (!is_ok(str_uri_decode(c->arena, key, true, &t.key)) ||
			!is_ok(str_uri_decode(c->arena, str_or(pair, STR("")), true, &t.value)))
			return malformed_tagging(c, tagging);
		TRY(s3_tag_check(c, &t));
		for (size_t i = 0; i < out->n; i++)
			if (str_eq(out->v[i].key, t.key)) return malformed_tagging(c, tagging);
		*VEC_PUSH(c->arena, out, &capacity) = t;
	}
	if (out->n > TAGS_MAX)
		return call_fail(c, S3_ERR_BAD_REQUEST, "Object tags cannot be greater than %d", TAGS_MAX);
	return OK;
}

/* "Directory buckets only support EXPRESS_ONEZONE", and no other bucket does. */
static status storage_class_of(struct call *c, bool directory, struct str class, struct s3_rec_object *o)
{
	if (!directory || (str_has(class) && !str_is(class, "EXPRESS_ONEZONE")))
		return s3_headers_storage_class(c, directory ? STR("none of a directory bucket") : class, o);
	o->storage_class = STR("EXPRESS_ONEZONE");
	return OK;
}

status s3_headers_read(
	struct call *c, const struct s3_rec_bucket *b, const struct s3_headers *h, struct s3_rec_object *o)
{
	bool directory = s3_is_directory(b);
	if (directory) TRY(s3_express_headers(c, h));
	TRY(s3_headers_access(c, b, h, o));
	TRY(s3_headers_metadata(c, h, o));
	TRY(read_redirect(c, h->website_redirect_location, o));
	TRY(storage_class_of(c, directory, h->storage_class, o));
	return s3_headers_tags(c, h->tagging, &o->tags);
}
