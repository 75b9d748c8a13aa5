/* Repositories, images and layers as they are stored: see room.h. */
#include "base/json.h"
#include "services/ecr/room.h"

struct str ecr_key(struct arena *a, const char *kind, const struct ecr_rec_repository *r, struct str id)
{
	struct key k = key_for(a, STR("ecr"), str_c(kind), r->account, r->region);
	key_str(&k, r->name);
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

status ecr_repository_get(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name,
	struct ecr_rec_repository *out)
{
	struct ecr_rec_repository at = {.account = account, .region = region, .name = name};
	struct str bytes;
	TRY(store_get(tx, ecr_key(a, "repository", &at, STR_NONE), &bytes));
	*out = (struct ecr_rec_repository){0};
	return ecr_rec_repository_decode(a, bytes, out);
}

status ecr_repository_load(struct call *c, struct str registry, struct str name, struct ecr_rec_repository *out)
{
	struct str account = str_or(registry, c->account);
	status s = ecr_repository_get(c->tx, c->arena, account, c->region, name, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return ECR_FAIL(c, REPOSITORY_NOT_FOUND,
		"The repository with name '%.*s' does not exist in the registry with id '%.*s'", STR_ARG(name),
		STR_ARG(account));
}

void ecr_repository_put(struct store_tx *tx, struct arena *a, const struct ecr_rec_repository *r)
{
	store_put(tx, ecr_key(a, "repository", r, STR_NONE), ecr_rec_repository_encode(a, r));
}

struct str ecr_repository_arn(struct arena *a, const struct ecr_rec_repository *r)
{
	const char *partition = str_starts(r->region, STR("cn-"))       ? "aws-cn"
				: str_starts(r->region, STR("us-gov-")) ? "aws-us-gov"
									: "aws";
	return str_fmt(a, "arn:%s:ecr:%.*s:%.*s:repository/%.*s", partition, STR_ARG(r->region), STR_ARG(r->account),
		STR_ARG(r->name));
}

bool ecr_has_text(const struct ecr_rec_texts *t, struct str s)
{
	for (size_t i = 0; i < t->n; i++)
		if (str_eq(t->v[i], s)) return true;
	return false;
}

status ecr_images_load(struct store_tx *tx, struct arena *a, const struct ecr_rec_repository *r, struct ecr_images *out)
{
	struct str from = ecr_key(a, "image", r, STR_NONE), key, value;
	size_t capacity = 0;
	*out = (struct ecr_images){0};
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct ecr_rec_image *i = VEC_PUSH(a, out, &capacity);
		TRY(ecr_rec_image_decode(a, str_dup(a, value), i));
	}
	return store_scan_end(scan);
}

void ecr_image_put(
	struct store_tx *tx, struct arena *a, const struct ecr_rec_repository *r, const struct ecr_rec_image *i)
{
	store_put(tx, ecr_key(a, "image", r, i->digest), ecr_rec_image_encode(a, i));
}

static status drop_layer(struct store_tx *tx, struct arena *a, struct str key)
{
	struct ecr_rec_layer l = {0};
	struct str bytes;
	status s = store_get(tx, key, &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(ecr_rec_layer_decode(a, bytes, &l));
	store_delete(tx, key);
	s = blob_release(tx, (struct blob_ref){(uint64_t)l.blob.v, (uint64_t)l.size.v, l.inlined.v});
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

status ecr_image_drop(struct store_tx *tx, struct arena *a, const struct ecr_rec_repository *r,
	const struct ecr_images *all, const struct ecr_rec_image *gone)
{
	struct ecr_rec_texts own = {0};
	int64_t size;
	struct str type;
	store_delete(tx, ecr_key(a, "image", r, gone->digest));
	if (!is_ok(ecr_manifest_read(a, gone->manifest, &own, &size, &type))) return OK;
	for (size_t i = 0; i < own.n; i++) {
		bool used = false;
		for (size_t k = 0; k < all->n && !used; k++) {
			struct ecr_rec_texts layers = {0};
			struct str ignored;
			if (str_eq(all->v[k].digest, gone->digest)) continue;
			/* Taken away in this transaction already? */
			if (!is_ok(store_peek(tx, ecr_key(a, "image", r, all->v[k].digest), &ignored))) continue;
			if (is_ok(ecr_manifest_read(a, all->v[k].manifest, &layers, &size, &type)))
				used = ecr_has_text(&layers, own.v[i]);
		}
		if (!used) TRY(drop_layer(tx, a, ecr_key(a, "layer", r, own.v[i])));
	}
	return OK;
}

status ecr_drop_all(
	struct store_tx *tx, struct arena *a, const struct ecr_rec_repository *r, const char *kind, bool blobs)
{
	struct str from = ecr_key(a, kind, r, STR_NONE), key, value;
	struct ecr_rec_texts keys = {0};
	size_t capacity = 0;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	while (store_scan_next(scan, &key, &value)) *VEC_PUSH(a, &keys, &capacity) = str_dup(a, key);
	TRY(store_scan_end(scan));
	for (size_t i = 0; i < keys.n; i++) {
		if (blobs)
			TRY(drop_layer(tx, a, keys.v[i]));
		else
			store_delete(tx, keys.v[i]);
	}
	return OK;
}

status ecr_manifest_read(
	struct arena *a, struct str manifest, struct ecr_rec_texts *layers, int64_t *size, struct str *media_type)
{
	struct json_value *m;
	size_t capacity = 0;
	*layers = (struct ecr_rec_texts){0};
	*size = 0;
	TRY(json_read(a, manifest, &m));
	const struct json_value *list = json_member(m, STR("layers")), *config = json_member(m, STR("config"));
	if (m->type != JSON_IS_OBJECT || (!list && !json_member(m, STR("manifests")))) return STATUS(INVALID);
	*media_type = json_string(json_member(m, STR("mediaType")));
	const struct json_value *all[] = {config, list ? list->first : NULL};
	for (size_t i = 0; i < 2; i++)
		for (const struct json_value *l = all[i]; l; l = i ? l->next : NULL) {
			struct str digest = json_string(json_member(l, STR("digest")));
			int64_t bytes = 0;
			if (!str_has(digest) ||
				!is_ok(str_to_i64(str_or(json_scalar(json_member(l, STR("size"))), STR("")), &bytes)))
				return STATUS(INVALID);
			*size += bytes;
			*VEC_PUSH(a, layers, &capacity) = digest;
		}
	return OK;
}

struct str ecr_page_token(struct arena *a, size_t at)
{
	return str_base64(a, str_fmt(a, "%zu", at));
}

status ecr_page_from(struct call *c, struct str token, size_t *from)
{
	struct str text;
	uint64_t n = 0;
	*from = 0;
	if (!str_has(token)) return OK;
	if (!is_ok(str_unbase64(c->arena, token, &text)) || !is_ok(str_to_u64(text, &n)))
		return ECR_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid next token'");
	*from = (size_t)n;
	return OK;
}
