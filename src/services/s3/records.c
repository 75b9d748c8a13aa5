/* Keys and the bookkeeping of references: whoever replaces or drops an object gives its blobs up in the same
 * transaction. */
#include "services/s3/records.h"
#include "services/s3/version.h"
#include "base/rand.h"
#include "base/vec.h"

struct str s3_key_bucket(struct arena *a, struct str partition, struct str name)
{
	struct key k = key_begin(a);
	key_str(&k, STR("s3"));
	key_str(&k, STR("bucket"));
	key_str(&k, partition);
	key_str(&k, name);
	return key_done(&k);
}

struct str s3_key_owned(struct arena *a, struct str partition, struct str account, struct str name)
{
	struct key k = key_begin(a);
	key_str(&k, STR("s3"));
	key_str(&k, STR("owned"));
	key_str(&k, partition);
	key_str(&k, account);
	if (str_has(name)) key_str(&k, name);
	return key_done(&k);
}

struct key s3_key_space(struct arena *a, struct str kind, const struct s3_rec_bucket *b)
{
	struct key k = key_begin(a);
	key_str(&k, STR("s3"));
	key_str(&k, kind);
	key_u64(&k, (uint64_t)b->id.v);
	return k;
}

struct str s3_key_object(struct arena *a, const struct s3_rec_bucket *b, struct str key)
{
	struct key k = s3_key_space(a, STR("object"), b);
	key_str(&k, key);
	return key_done(&k);
}

struct str s3_key_version(struct arena *a, const struct s3_rec_bucket *b, struct str key, uint64_t number)
{
	struct key k = s3_key_space(a, STR("version"), b);
	key_str(&k, key);
	key_u64(&k, number);
	return key_done(&k);
}

struct str s3_key_null(struct arena *a, const struct s3_rec_bucket *b, struct str key)
{
	struct key k = s3_key_space(a, STR("null"), b);
	key_str(&k, key);
	return key_done(&k);
}

struct str s3_key_upload(struct arena *a, const struct s3_rec_bucket *b, struct str key, struct str upload_id)
{
	struct key k = s3_key_space(a, STR("upload"), b);
	key_str(&k, key);
	key_str(&k, upload_id);
	return key_done(&k);
}

struct str s3_key_part(struct arena *a, const struct s3_rec_bucket *b, struct str upload_id, unsigned number)
{
	struct key k = s3_key_space(a, STR("part"), b);
	key_str(&k, upload_id);
	if (number) key_u64(&k, number);
	return key_done(&k);
}

static struct str key_manifest(struct arena *a, const struct s3_rec_bucket *b, int64_t number)
{
	struct key k = s3_key_space(a, STR("manifest"), b);
	key_u64(&k, (uint64_t)number);
	return key_done(&k);
}

/* ── extents ── */

struct blob_ref s3_extent_ref(const struct s3_rec_extent *x)
{
	return (struct blob_ref){.id = (uint64_t)x->blob.v, .size = (uint64_t)x->blob_size.v, .inlined = x->inlined.v};
}

status s3_extents_retain(struct store_tx *tx, const struct s3_rec_extents *x)
{
	for (size_t i = 0; i < x->n; i++) TRY(blob_retain(tx, s3_extent_ref(&x->v[i])));
	return OK;
}

status s3_extents_release(struct store_tx *tx, const struct s3_rec_extents *x)
{
	for (size_t i = 0; i < x->n; i++) TRY(blob_release(tx, s3_extent_ref(&x->v[i])));
	return OK;
}

void s3_extents_slice(
	struct arena *a, const struct s3_rec_extents *x, uint64_t offset, uint64_t length, struct s3_rec_extents *out)
{
	size_t capacity = 0;
	*out = (struct s3_rec_extents){0};
	for (size_t i = 0; i < x->n && length; i++) {
		uint64_t here = (uint64_t)x->v[i].length.v;
		if (offset >= here) {
			offset -= here;
			continue;
		}
		uint64_t take = here - offset < length ? here - offset : length;
		struct s3_rec_extent *e = VEC_PUSH(a, out, &capacity);
		*e = x->v[i];
		e->offset = SOME_I64(x->v[i].offset.v + (int64_t)offset);
		e->length = SOME_I64((int64_t)take);
		length -= take;
		offset = 0;
	}
}

void s3_extents_adopt(struct call *c, const struct body *body, struct s3_rec_extents *out)
{
	*out = (struct s3_rec_extents){0};
	if (!body->ref.id) return;
	blob_adopt(c->tx, body->writer);
	out->v = arena_new(c->arena, struct s3_rec_extent);
	out->n = 1;
	out->v[0] = (struct s3_rec_extent){
		.blob = SOME_I64((int64_t)body->ref.id),
		.blob_size = SOME_I64((int64_t)body->ref.size),
		.inlined = SOME_BOOL(body->ref.inlined),
		.offset = SOME_I64(0),
		.length = SOME_I64((int64_t)body->size),
	};
}

/* ── objects ── */

status s3_object_load(struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *out)
{
	struct str bytes;
	*out = (struct s3_rec_object){0};
	TRY(store_get(c->tx, s3_key_object(c->arena, b, key), &bytes));
	return s3_rec_object_decode(c->arena, bytes, out);
}

status s3_object_parts(
	struct call *c, const struct s3_rec_bucket *b, const struct s3_rec_object *o, struct s3_rec_parts *out)
{
	struct str bytes;
	struct s3_rec_manifest m = {0};
	if (!o->manifest.has) return STATUS(NOT_FOUND);
	TRY(store_get(c->tx, key_manifest(c->arena, b, o->manifest.v), &bytes));
	TRY(s3_rec_manifest_decode(c->arena, bytes, &m));
	*out = m.parts;
	return OK;
}

status s3_object_extents(
	struct call *c, const struct s3_rec_bucket *b, const struct s3_rec_object *o, struct s3_rec_extents *out)
{
	*out = o->extents;
	if (!o->manifest.has) return OK;
	struct s3_rec_parts parts;
	TRY(s3_object_parts(c, b, o, &parts));
	size_t capacity = 0;
	*out = (struct s3_rec_extents){0};
	for (size_t i = 0; i < parts.n; i++)
		for (size_t j = 0; j < parts.v[i].extents.n; j++)
			*VEC_PUSH(c->arena, out, &capacity) = parts.v[i].extents.v[j];
	return OK;
}

status s3_object_give_up(struct call *c, const struct s3_rec_bucket *b, const struct s3_rec_object *o)
{
	struct s3_rec_extents x;
	TRY(s3_object_extents(c, b, o, &x));
	if (o->manifest.has) store_delete(c->tx, key_manifest(c->arena, b, o->manifest.v));
	return s3_extents_release(c->tx, &x);
}

void s3_object_put_parts(
	struct call *c, const struct s3_rec_bucket *b, struct s3_rec_object *o, const struct s3_rec_parts *parts)
{
	struct s3_rec_manifest m = {.parts = *parts};
	o->manifest = SOME_I64((int64_t)(rand_u64() >> 1));
	store_put(c->tx, key_manifest(c->arena, b, o->manifest.v), s3_rec_manifest_encode(c->arena, &m));
}

status s3_object_save(struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *o,
	const struct s3_rec_parts *parts, const struct s3_rec_object *replaced)
{
	TRY(s3_version_make_room(c, b, key, replaced, o));
	if (parts) s3_object_put_parts(c, b, o, parts);
	s3_object_rewrite(c, b, key, o);
	return OK;
}

void s3_object_rewrite(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *o)
{
	store_put(c->tx, s3_key_object(c->arena, b, key), s3_rec_object_encode(c->arena, o));
}

bool s3_tags_hold(const struct s3_rec_tags *tags, const struct s3_tag *t)
{
	for (size_t i = 0; i < tags->n; i++)
		if (str_eq(tags->v[i].key, t->key) && str_eq(tags->v[i].value, str_or(t->value, STR("")))) return true;
	return false;
}
