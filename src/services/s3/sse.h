/* Server-side encryption: what requests say of it, the key that wraps the keys of an object's bodies, and what answers
 * tell
 * ("Protecting data with server-side encryption", Amazon S3 User Guide). Every body is sealed (cipher.h) under a key of
 * its own; that key is kept in its extent, wrapped: by the keyring (SSE-S3), by a data key of KMS that lies with the
 * object (SSE-KMS, DSSE-KMS), or by what a customer's key yields (SSE-C). A copy under another encryption rewraps, and
 * shares the sealed bytes.
 *
 * In hand the extents' keys are clear: s3_sse_unlock on the way out, s3_sse_lock before they are written. */
#pragma once
#include "services/s3/cipher.h"
#include "services/s3/keyring.h"
#include "services/s3/records.h"

struct policy_library;
/* What start() made, in c->state and for jobs. */
struct s3_state {
	struct s3_keyring *keyring;
	struct policy_library *policies; /* buckets' policies, and those that ACLs amount to */
	struct s3_request_metrics *request_metrics;
	struct s3_analysis *analysis;
	struct s3_roles *roles; /* that replication acts as */
};
struct s3_state *s3_state_of(const struct cloud *cloud);

/* A customer's key as a request tells it; key absent: none. */
struct s3_customer {
	struct str key; /* 32 bytes */
	struct str md5; /* base64, as sent */
};
/* Reads the three headers, all of which may be absent; fails as S3 does where they do not go together. source: they are
 * those of a copy's source. */
status s3_customer_read(struct call *c, struct str algorithm, struct str key, struct str md5, bool source,
	struct s3_customer *out) MUST_USE;
#define S3_CUSTOMER(c, in, out)                                                                                        \
	s3_customer_read(                                                                                              \
		(c), (in)->sse_customer_algorithm, (in)->sse_customer_key, (in)->sse_customer_key_md5, false, (out))
#define S3_CUSTOMER_OF_SOURCE(c, in, out)                                                                              \
	s3_customer_read((c), (in)->copy_source_sse_customer_algorithm, (in)->copy_source_sse_customer_key,            \
		(in)->copy_source_sse_customer_key_md5, true, (out))

/* The encryption that a request asks for; any may be absent. */
struct s3_sse_wish {
	struct str algorithm, kms_key, context;
	struct opt_bool bucket_key;
	struct s3_customer customer;
};
/* The encryption of an object to be: as asked for, else as the bucket's default says, else SSE-S3. Nothing is made yet.
 * *out is in the arena. */
status s3_sse_choose(struct call *c, const struct s3_rec_bucket *b, const struct s3_sse_wish *wish,
	struct s3_rec_sse **out) MUST_USE;
static inline bool s3_sse_asked(const struct s3_sse_wish *w)
{
	return str_has(w->algorithm) || str_has(w->customer.key) || str_has(w->kms_key);
}

/* The key that wraps those of an object's bodies. */
struct s3_wrap {
	uint8_t key[S3_KEY_BYTES];
	uint32_t generation; /* of the keyring; 0: the object's own */
};
/* Makes what the object needs (a data key of KMS, the check of a customer's key) and writes it into o->sse. Fails where
 * the key cannot serve. key: the object's. */
status s3_sse_make(struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *o,
	const struct s3_customer *customer, struct s3_wrap *out) MUST_USE;
/* That of an object that is there: asks KMS, checks the customer's key. o->sse NULL: a plain one, out is empty. */
status s3_sse_open(struct call *c, const struct s3_rec_object *o, const struct s3_customer *customer,
	struct s3_wrap *out) MUST_USE;
/* For authorization: the caller has to be allowed the KMS action ("kms:Decrypt", "kms:GenerateDataKey") on the key of
 * an object that is there, or is to be (b, key: its bucket and name). Nothing where KMS is not used. */
struct authz_demands;
status s3_sse_demand(struct call *c, struct store_tx *tx, struct authz_demands *demands, const struct s3_rec_bucket *b,
	struct str key, const struct s3_rec_sse *e, struct str action) MUST_USE;
/* Only the checks that need no key: for HEAD and its like. */
status s3_sse_check(struct call *c, const struct s3_rec_object *o, const struct s3_customer *customer) MUST_USE;
/* The parts of an upload are wrapped as its object is; fails in the words that are for parts. */
status s3_sse_open_part(struct call *c, const struct s3_rec_object *o, const struct s3_customer *customer,
	struct s3_wrap *out) MUST_USE;

/* Replaces each wrapped key by the clear one, in place (x->v is not shared with anything); CORRUPT where one does not
 * unwrap. */
status s3_sse_unlock(struct call *c, const struct s3_wrap *w, struct s3_rec_extents *x) MUST_USE;
/* The other way. */
void s3_sse_lock(struct call *c, const struct s3_wrap *w, struct s3_rec_extents *x);
/* From one wrapping key to another; x->v becomes x's own. */
status s3_sse_rewrap(
	struct call *c, const struct s3_wrap *was, const struct s3_wrap *is, struct s3_rec_extents *x) MUST_USE;
/* All extents of an object, to be read: with clear keys. Fails as a GET with that key (NULL: without one) would. */
status s3_sse_extents(struct call *c, const struct s3_rec_bucket *b, const struct s3_rec_object *o,
	const struct s3_customer *customer, struct s3_rec_extents *out) MUST_USE;
/* A received body becomes the transaction's: s3_extents_adopt, with its key wrapped. */
void s3_sse_adopt(struct call *c, const struct body *body, const struct s3_wrap *w, struct s3_rec_extents *out);
/* Bytes that virga itself writes as an object's body (reports, logs): sealed, adopted, and told in o->sse (as the
 * bucket's default says, where that is absent), o->size, o->e_tag and o->extents. key: the object's. */
status s3_sse_write(struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *o,
	struct str bytes) MUST_USE;

/* The MD5 of the bytes is the entity tag of objects under SSE-S3 alone ("Common response headers": ETag). */
static inline bool s3_sse_has_md5_tag(const struct s3_rec_sse *e)
{
	return !e || str_is(e->algorithm, "AES256");
}
/* 16 bytes: the MD5, or what stands for it. */
struct str s3_sse_tag(struct call *c, const struct s3_rec_sse *e, const uint8_t md5[16]);

static inline bool s3_sse_is_customer(const struct s3_rec_sse *e)
{
	return e && str_is(e->algorithm, "customer");
}
/* Members that all answers share. customer: of the request, whose MD5 is told again. */
#define S3_SSE_SHOW(out, e, customer)                                                                                  \
	do {                                                                                                           \
		const struct s3_rec_sse *sse_ = (e);                                                                   \
		if (!sse_) break;                                                                                      \
		if (s3_sse_is_customer(sse_)) {                                                                        \
			(out)->sse_customer_algorithm = STR("AES256");                                                 \
			(out)->sse_customer_key_md5 = (customer)->md5;                                                 \
			break;                                                                                         \
		}                                                                                                      \
		(out)->server_side_encryption = sse_->algorithm;                                                       \
		(out)->ssekms_key_id = sse_->kms_key;                                                                  \
		if (sse_->bucket_key.v) (out)->bucket_key_enabled = SOME_BOOL(true);                                   \
	} while (0)
