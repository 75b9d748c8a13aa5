/* Images, between their files. An image is a description (the API's own shape, kept as text) with a root snapshot, over
 * one of the host's images; the public ones are a table in the program. */
#pragma once
#include "services/ec2/volume.h"

#define EC2_BASE_DEFAULT STR("default") /* the host's image: Debian 12 */

struct ec2_image_found {
	struct ec2_rec_image r;
	struct ec2_image shape; /* complete: state, public, owner, tags of the account's own */
	struct str owner, base;
	bool built_in;
};
/* One that this account sees: public, its own, or shared with it; also deprecated and disabled ones. With the client's
 * error. */
status ec2_image_find(struct call *c, struct str region, struct str id, struct ec2_image_found *out) MUST_USE;
/* Its own, with its record. */
status ec2_image_own(struct call *c, struct str id, struct ec2_image_found *out) MUST_USE;
void ec2_image_put(struct ec2_place at, const struct ec2_rec_image *r, const struct ec2_image *shape);
/* Calls fn with each that this account sees. */
status ec2_images_each(struct call *c, status (*fn)(void *ctx, const struct ec2_image_found *i), void *ctx) MUST_USE;
/* A new image of this account's in its region: id, name (checked), what its shape says, root snapshot's base. */
status ec2_image_make(struct call *c, struct str name, struct str description, const struct ec2_image *like,
	struct str base, struct str *id) MUST_USE;
/* The account has no image of that name in its region; with the client's error. Takes the guard of names. */
status ec2_image_name_free(struct call *c, struct str name) MUST_USE;
/* Launched just now. */
void ec2_image_launched(struct call *c, const struct ec2_image_found *i);

/* ── image_public.c ── */
size_t ec2_public_images(void);
void ec2_public_image(struct arena *a, struct str region, size_t i, struct ec2_image *out);

EC2_TYPES_DECLARE(image);
