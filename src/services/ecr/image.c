/* Images: put by their manifest, read, listed, deleted ("Amazon ECR private image manifest format support"). */
#include "identity/digest.h"
#include "services/ecr/room.h"
#include "store/key.h"

static struct str digest_of(struct arena *a, struct str manifest)
{
	uint8_t hash[32];
	digest_sha256(manifest, hash);
	return str_cat(a, STR("sha256:"), str_hex(a, str_n(hash, sizeof(hash))));
}

static struct ecr_image_identifier *identifier(struct arena *a, struct str digest, struct str tag)
{
	struct ecr_image_identifier *i = arena_new(a, struct ecr_image_identifier);
	i->image_digest = digest;
	i->image_tag = tag;
	return i;
}

static struct ecr_rec_image *find(struct ecr_images *all, const struct ecr_image_identifier *id)
{
	for (size_t i = 0; i < all->n; i++) {
		struct ecr_rec_image *image = &all->v[i];
		if (str_has(id->image_digest) && !str_eq(image->digest, id->image_digest)) continue;
		if (str_has(id->image_tag) && !ecr_has_text(&image->tags, id->image_tag)) continue;
		return image;
	}
	return NULL;
}

static void untag(struct arena *a, struct ecr_rec_image *image, struct str tag)
{
	struct ecr_rec_texts kept = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < image->tags.n; i++)
		if (!str_eq(image->tags.v[i], tag)) *VEC_PUSH(a, &kept, &capacity) = image->tags.v[i];
	image->tags = kept;
}

/* "Image tag mutability": immutable but for the tags that an exclusion filter matches, or the other way round. */
static bool is_immutable(const struct ecr_rec_repository *r, struct str tag)
{
	bool excluded = false;
	for (size_t i = 0; i < r->exclusions.n; i++) excluded |= str_glob(r->exclusions.v[i], tag);
	return str_starts(r->mutability, STR("IMMUTABLE")) != excluded;
}

static status check_layers(struct call *c, const struct ecr_rec_repository *r, const struct ecr_rec_texts *layers)
{
	for (size_t i = 0; i < layers->n; i++) {
		struct str bytes;
		status s = store_get(c->tx, ecr_key(c->arena, "layer", r, layers->v[i]), &bytes);
		if (status_is(s, STATUS_NOT_FOUND))
			return ECR_FAIL(c, LAYERS_NOT_FOUND,
				"The layers with digests '[%.*s]' required for this image could not be found",
				STR_ARG(layers->v[i]));
		TRY(s);
	}
	return OK;
}

status ecr_put_image(struct call *c, const struct ecr_put_image_input *in, struct ecr_put_image_output *out)
{
	struct arena *a = c->arena;
	struct ecr_rec_repository r;
	struct ecr_images all;
	struct ecr_rec_texts layers;
	struct str type = STR_NONE, digest = digest_of(a, in->image_manifest);
	int64_t size = 0;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	if (!is_ok(ecr_manifest_read(a, in->image_manifest, &layers, &size, &type)))
		return ECR_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'");
	if (str_has(in->image_digest) && !str_eq(in->image_digest, digest))
		return ECR_FAIL(c, IMAGE_DIGEST_DOES_NOT_MATCH,
			"The specified digest '%.*s' does not match the calculated digest '%.*s'",
			STR_ARG(in->image_digest), STR_ARG(digest));
	TRY(check_layers(c, &r, &layers));
	TRY(ecr_images_load(c->tx, a, &r, &all));
	struct ecr_rec_image image = {.digest = digest,
		.media_type = str_or(in->image_manifest_media_type, type),
		.manifest = in->image_manifest,
		.pushed = SOME_TIME(c->now_ms),
		.size = SOME_I64(size)};
	struct ecr_image_identifier by_digest = {.image_digest = digest, .image_tag = STR_NONE};
	const struct ecr_rec_image *there = find(&all, &by_digest);
	if (there) image = *there;
	bool tagged = str_has(in->image_tag) && ecr_has_text(&image.tags, in->image_tag);
	if (there && (tagged || !str_has(in->image_tag)))
		return ECR_FAIL(c, IMAGE_ALREADY_EXISTS,
			"Image with digest '%.*s' and tag '%.*s' already exists in the repository with "
			"name '%.*s' in registry with id '%.*s'",
			STR_ARG(digest), STR_ARG(str_or(in->image_tag, STR("null"))), STR_ARG(r.name),
			STR_ARG(r.account));
	if (str_has(in->image_tag)) {
		struct ecr_image_identifier by_tag = {.image_digest = STR_NONE, .image_tag = in->image_tag};
		struct ecr_rec_image *holder = find(&all, &by_tag);
		if (holder && is_immutable(&r, in->image_tag))
			return ECR_FAIL(c, IMAGE_TAG_ALREADY_EXISTS,
				"The image tag '%.*s' already exists in the '%.*s' repository and cannot be "
				"overwritten because the tag is "
				"immutable.",
				STR_ARG(in->image_tag), STR_ARG(r.name));
		if (holder) {
			untag(a, holder, in->image_tag);
			ecr_image_put(c->tx, a, &r, holder);
		}
		size_t capacity = 0;
		struct ecr_rec_texts tags = {0};
		for (size_t i = 0; i < image.tags.n; i++) *VEC_PUSH(a, &tags, &capacity) = image.tags.v[i];
		*VEC_PUSH(a, &tags, &capacity) = in->image_tag;
		image.tags = tags;
	}
	ecr_image_put(c->tx, a, &r, &image);
	out->image = arena_new(a, struct ecr_image);
	*out->image = (struct ecr_image){.registry_id = r.account,
		.repository_name = r.name,
		.image_id = identifier(a, digest, in->image_tag),
		.image_manifest = image.manifest,
		.image_manifest_media_type = image.media_type};
	return OK;
}

static void fail_one(
	struct call *c, struct ecr_image_failure_list *list, size_t *capacity, const struct ecr_image_identifier *id)
{
	bool none = !str_has(id->image_digest) && !str_has(id->image_tag);
	*VEC_PUSH(c->arena, list, capacity) =
		(struct ecr_image_failure){.image_id = arena_copy(c->arena, id, sizeof(*id)),
			.failure_code = none ? STR("MissingDigestAndTag") : STR("ImageNotFound"),
			.failure_reason = none ? STR("Image digest and tag cannot be both null")
					       : STR("Requested image not found")};
}

status ecr_batch_get_image(
	struct call *c, const struct ecr_batch_get_image_input *in, struct ecr_batch_get_image_output *out)
{
	struct ecr_rec_repository r;
	struct ecr_images all;
	size_t capacity = 0, failures = 0;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	TRY(ecr_images_load(c->tx, c->arena, &r, &all));
	VEC_PRESENT(c->arena, &out->images);
	VEC_PRESENT(c->arena, &out->failures);
	for (size_t i = 0; i < in->image_ids.n; i++) {
		const struct ecr_image_identifier *id = &in->image_ids.v[i];
		bool given = str_has(id->image_digest) || str_has(id->image_tag);
		const struct ecr_rec_image *image = given ? find(&all, id) : NULL;
		if (!image) {
			fail_one(c, &out->failures, &failures, id);
			continue;
		}
		*VEC_PUSH(c->arena, &out->images, &capacity) = (struct ecr_image){.registry_id = r.account,
			.repository_name = r.name,
			.image_id = identifier(c->arena, image->digest, id->image_tag),
			.image_manifest = image->manifest,
			.image_manifest_media_type = image->media_type};
	}
	return OK;
}

/* "If you remove an image's last tag, the image is deleted" (BatchDeleteImage). */
status ecr_batch_delete_image(
	struct call *c, const struct ecr_batch_delete_image_input *in, struct ecr_batch_delete_image_output *out)
{
	struct arena *a = c->arena;
	struct ecr_rec_repository r;
	struct ecr_images all;
	size_t capacity = 0, failures = 0;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	TRY(ecr_images_load(c->tx, a, &r, &all));
	VEC_PRESENT(a, &out->image_ids);
	VEC_PRESENT(a, &out->failures);
	for (size_t i = 0; i < in->image_ids.n; i++) {
		const struct ecr_image_identifier *id = &in->image_ids.v[i];
		bool given = str_has(id->image_digest) || str_has(id->image_tag);
		struct ecr_rec_image *image = given ? find(&all, id) : NULL;
		if (!image) {
			fail_one(c, &out->failures, &failures, id);
			continue;
		}
		*VEC_PUSH(a, &out->image_ids, &capacity) = *identifier(a, image->digest, id->image_tag);
		if (str_has(id->image_tag) && image->tags.n > 1) {
			untag(a, image, id->image_tag);
			ecr_image_put(c->tx, a, &r, image);
			continue;
		}
		TRY(ecr_image_drop(c->tx, a, &r, &all, image));
		image->tags = (struct ecr_rec_texts){0};
	}
	return OK;
}

static bool wanted(struct str status_, const struct ecr_rec_image *image)
{
	return !str_has(status_) || str_is(status_, "ANY") || str_is(status_, "TAGGED") == (image->tags.n > 0);
}

status ecr_list_images(struct call *c, const struct ecr_list_images_input *in, struct ecr_list_images_output *out)
{
	struct ecr_rec_repository r;
	struct ecr_images all;
	size_t capacity = 0, skip, at = 0, page = in->max_results.has ? (size_t)in->max_results.v : ECR_PAGE;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	TRY(ecr_page_from(c, in->next_token, &skip));
	TRY(ecr_images_load(c->tx, c->arena, &r, &all));
	VEC_PRESENT(c->arena, &out->image_ids);
	for (size_t i = 0; i < all.n; i++) {
		const struct ecr_rec_image *image = &all.v[i];
		if (!wanted(in->filter ? in->filter->tag_status : STR_NONE, image)) continue;
		for (size_t k = 0; k < (image->tags.n ? image->tags.n : 1); k++) {
			if (at++ < skip) continue;
			if (out->image_ids.n == page) {
				out->next_token = ecr_page_token(c->arena, at - 1);
				return OK;
			}
			*VEC_PUSH(c->arena, &out->image_ids, &capacity) =
				(struct ecr_image_identifier){.image_digest = image->digest,
					.image_tag = image->tags.n ? image->tags.v[k] : STR_NONE};
		}
	}
	return OK;
}

static void detail(struct call *c, const struct ecr_rec_repository *r, const struct ecr_rec_image *image,
	struct ecr_image_detail *to)
{
	(void)c;
	*to = (struct ecr_image_detail){.registry_id = r->account,
		.repository_name = r->name,
		.image_digest = image->digest,
		.image_tags = {image->tags.v, image->tags.n},
		.image_size_in_bytes = image->size,
		.image_pushed_at = image->pushed,
		.image_manifest_media_type = image->media_type};
}

status ecr_describe_images(
	struct call *c, const struct ecr_describe_images_input *in, struct ecr_describe_images_output *out)
{
	struct ecr_rec_repository r;
	struct ecr_images all;
	size_t capacity = 0, skip, at = 0, page = in->max_results.has ? (size_t)in->max_results.v : ECR_PAGE;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	TRY(ecr_page_from(c, in->next_token, &skip));
	TRY(ecr_images_load(c->tx, c->arena, &r, &all));
	VEC_PRESENT(c->arena, &out->image_details);
	for (size_t i = 0; i < in->image_ids.n; i++) {
		const struct ecr_image_identifier *id = &in->image_ids.v[i];
		const struct ecr_rec_image *image = find(&all, id);
		if (!image)
			return ECR_FAIL(c, IMAGE_NOT_FOUND,
				"The image with imageId {imageDigest:'%.*s', imageTag:'%.*s'} does not exist within "
				"the repository with name "
				"'%.*s' in the registry with id '%.*s'",
				STR_ARG(str_or(id->image_digest, STR("null"))),
				STR_ARG(str_or(id->image_tag, STR("null"))), STR_ARG(r.name), STR_ARG(r.account));
		detail(c, &r, image, VEC_PUSH(c->arena, &out->image_details, &capacity));
	}
	for (size_t i = 0; i < all.n && !in->image_ids.n; i++) {
		if (!wanted(in->filter ? in->filter->tag_status : STR_NONE, &all.v[i]) || at++ < skip) continue;
		if (out->image_details.n == page) {
			out->next_token = ecr_page_token(c->arena, at - 1);
			return OK;
		}
		detail(c, &r, &all.v[i], VEC_PUSH(c->arena, &out->image_details, &capacity));
	}
	return OK;
}
