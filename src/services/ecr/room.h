/* Inside the room of ECR. Keys:
 *
 *     ("ecr", "repository", account, region, name)
 *     ("ecr", "image", account, region, name, digest)     its tags are in it
 *     ("ecr", "layer", account, region, name, digest)
 *     ("ecr", "upload", account, region, name, id)        a layer's upload, and what of it has come:
 *     ("ecr", "part", account, region, name, id, first byte) */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "ecr.h"
#include "ecr_state.h"
#include "store/blob.h"
#include "store/key.h"

#define ECR_FAIL(c, NAME, ...) call_fail((c), ECR_ERR_##NAME##_EXCEPTION, __VA_ARGS__)
enum { ECR_PAGE = 100, ECR_TAGS_MAX = 50 };

struct ecr_images {
	struct ecr_rec_image *v;
	size_t n;
};

/* ── records.c ── */
/* id may be STR_NONE: the beginning of all of them. */
struct str ecr_key(struct arena *a, const char *kind, const struct ecr_rec_repository *r, struct str id);
/* NOT_FOUND. */
status ecr_repository_get(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name,
	struct ecr_rec_repository *out) MUST_USE;
/* RepositoryNotFoundException; a registry of another account is refused. */
status ecr_repository_load(
	struct call *c, struct str registry, struct str name, struct ecr_rec_repository *out) MUST_USE;
void ecr_repository_put(struct store_tx *tx, struct arena *a, const struct ecr_rec_repository *r);
struct str ecr_repository_arn(struct arena *a, const struct ecr_rec_repository *r);
status ecr_images_load(
	struct store_tx *tx, struct arena *a, const struct ecr_rec_repository *r, struct ecr_images *out) MUST_USE;
void ecr_image_put(
	struct store_tx *tx, struct arena *a, const struct ecr_rec_repository *r, const struct ecr_rec_image *i);
/* Takes an image away; layers that no image of the repository names go with it. */
status ecr_image_drop(struct store_tx *tx, struct arena *a, const struct ecr_rec_repository *r,
	const struct ecr_images *all, const struct ecr_rec_image *gone) MUST_USE;
/* All blobs and records of that kind below the repository. */
status ecr_drop_all(struct store_tx *tx, struct arena *a, const struct ecr_rec_repository *r, const char *kind,
	bool blobs) MUST_USE;
bool ecr_has_text(const struct ecr_rec_texts *t, struct str s);
/* Digests of the layers (and the configuration) that a manifest names. INVALID where it is none. */
status ecr_manifest_read(struct arena *a, struct str manifest, struct ecr_rec_texts *layers, int64_t *size,
	struct str *media_type) MUST_USE;
struct str ecr_page_token(struct arena *a, size_t at);
/* Where the next page begins; InvalidParameterException. */
status ecr_page_from(struct call *c, struct str token, size_t *from) MUST_USE;

/* ── repository.c ── */
status ecr_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context);

/* ── lifecycle.c ── */
#define ECR_LIFECYCLE_JOB "ecr.lifecycle"
void ecr_lifecycle_start(struct cloud *cloud);
void ecr_lifecycle_schedule(struct call *c, const struct ecr_rec_repository *r);
