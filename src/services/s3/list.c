/* ListObjects and ListObjectsV2. */
#include "base/vec.h"
#include "services/s3/archive.h"
#include "services/s3/express.h"
#include "services/s3/page.h"
#include "services/s3/records.h"

/* What both ask, and the page that both show. */
struct page {
	struct str prefix, delimiter, after;
	size_t limit;
	bool url, owner, restore;
	struct s3_object_list contents;
	struct s3_common_prefix_list prefixes;
	bool truncated;
	struct str last; /* the last item shown, raw */
};

static status add_object(struct call *c, const struct page *p, const struct s3_walk_item *item, struct s3_object *o)
{
	struct s3_rec_object r = {0};
	TRY(s3_rec_object_decode(c->arena, str_dup(c->arena, item->value), &r));
	o->key = s3_shown(c, p->url, item->key);
	o->last_modified = r.modified;
	o->e_tag = s3_quoted(c->arena, r.e_tag);
	o->size = r.size;
	o->storage_class = r.storage_class;
	if (p->restore) o->restore_status = s3_archive_listed(c, &r);
	o->checksum_type = r.checksum_type;
	if (str_has(r.checksum_algorithm)) {
		o->checksum_algorithm.v = arena_new(c->arena, struct str);
		o->checksum_algorithm.v[0] = r.checksum_algorithm;
		o->checksum_algorithm.n = 1;
	}
	if (p->owner) o->owner = s3_owner_of(c, r.owner);
	return OK;
}

static status fill(struct call *c, const struct s3_rec_bucket *b, struct page *p)
{
	struct s3_walk walk;
	struct s3_walk_item item;
	size_t objects = 0, prefixes = 0;
	struct key space = s3_key_space(c->arena, STR("object"), b);
	status s = OK;
	if (p->limit == 0) return OK;
	s3_walk_begin(&walk, c, key_done(&space), p->prefix, p->delimiter, p->after);
	while (is_ok(s) && s3_walk_next(&walk, &item)) {
		if (p->contents.n + p->prefixes.n == p->limit) {
			p->truncated = true;
			break;
		}
		if (item.common)
			VEC_PUSH(c->arena, &p->prefixes, &prefixes)->prefix = s3_shown(c, p->url, item.key);
		else
			s = add_object(c, p, &item, VEC_PUSH(c->arena, &p->contents, &objects));
		p->last = item.key;
	}
	status ended = s3_walk_end(&walk);
	return is_ok(s) ? ended : s;
}

static status check_attributes(struct call *c, const struct s3_optional_object_attributes_list *wanted)
{
	for (size_t i = 0; i < wanted->n; i++)
		if (!str_is(wanted->v[i], "RestoreStatus"))
			return s3_invalid_argument(c, STR("x-amz-optional-object-attributes"), wanted->v[i],
				"Invalid attribute name specified");
	return OK;
}

/* Members that both outputs have. */
#define SHOW(out, c, in, p)                                                                                            \
	do {                                                                                                           \
		(out)->name = (in)->bucket;                                                                            \
		(out)->prefix = s3_shown((c), (p)->url, str_or((in)->prefix, STR("")));                                \
		if (!str_empty((in)->delimiter)) (out)->delimiter = s3_shown((c), (p)->url, (in)->delimiter);          \
		if ((p)->url) (out)->encoding_type = STR("url");                                                       \
		(out)->max_keys = SOME_I32((int32_t)(p)->limit);                                                       \
		(out)->is_truncated = SOME_BOOL((p)->truncated);                                                       \
		(out)->contents = (p)->contents;                                                                       \
		(out)->common_prefixes = (p)->prefixes;                                                                \
	} while (0)

status s3_list_objects(struct call *c, const struct s3_list_objects_input *in, struct s3_list_objects_output *out)
{
	struct s3_rec_bucket b;
	struct page p = {.prefix = in->prefix, .delimiter = in->delimiter, .after = in->marker, .owner = true};
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	TRY(s3_encoding_check(c, in->encoding_type, &p.url));
	TRY(s3_page_limit(c, in->max_keys, "maxKeys", &p.limit));
	TRY(check_attributes(c, &in->optional_object_attributes));
	p.restore = in->optional_object_attributes.n > 0;
	TRY(fill(c, &b, &p));
	SHOW(out, c, in, &p);
	out->marker = s3_shown(c, p.url, str_or(in->marker, STR("")));
	/* "This element is returned only if you have the delimiter request parameter specified." */
	if (p.truncated && !str_empty(in->delimiter)) out->next_marker = s3_shown(c, p.url, p.last);
	return OK;
}

/* "prefixes must end in a delimiter and only "/" can be specified as the delimiter" ("Differences for directory
 * buckets"). */
static status check_directory(struct call *c, const struct s3_list_objects_v2_input *in)
{
	if (!str_empty(in->delimiter) && !str_is(in->delimiter, "/"))
		return s3_invalid_argument(
			c, STR("delimiter"), in->delimiter, "Directory buckets only support \"/\" as the delimiter");
	if (!str_empty(in->prefix) && !str_ends(in->prefix, STR("/")))
		return s3_invalid_argument(c, STR("prefix"), in->prefix,
			"Directory buckets only support prefixes that end in a delimiter (\"/\")");
	if (!str_empty(in->start_after))
		return call_fail(c, S3_ERR_NOT_IMPLEMENTED, "StartAfter is not supported for directory buckets");
	return OK;
}

status s3_list_objects_v2(
	struct call *c, const struct s3_list_objects_v2_input *in, struct s3_list_objects_v2_output *out)
{
	struct s3_rec_bucket b;
	struct page p = {.prefix = in->prefix, .delimiter = in->delimiter, .owner = in->fetch_owner.v};
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	if (s3_is_directory(&b)) TRY(check_directory(c, in));
	TRY(s3_encoding_check(c, in->encoding_type, &p.url));
	TRY(s3_page_limit(c, in->max_keys, "max-keys", &p.limit));
	TRY(check_attributes(c, &in->optional_object_attributes));
	p.restore = in->optional_object_attributes.n > 0;
	TRY(s3_token_read(c, in->continuation_token, &p.after));
	if (!str_has(p.after)) p.after = in->start_after;
	TRY(fill(c, &b, &p));
	SHOW(out, c, in, &p);
	out->key_count = SOME_I32((int32_t)(p.contents.n + p.prefixes.n));
	out->continuation_token = in->continuation_token;
	if (str_has(in->start_after)) out->start_after = s3_shown(c, p.url, in->start_after);
	if (p.truncated) out->next_continuation_token = s3_token_make(c, p.last);
	return OK;
}
