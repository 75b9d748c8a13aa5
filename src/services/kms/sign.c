/* Sign, Verify, GetPublicKey and DeriveSharedSecret: what asymmetric keys do beside encrypting. */
#include "services/kms/room.h"
#include <openssl/rsa.h>

struct signing {
	struct kms_key key;
	const struct kms_algorithm *algorithm;
	uint8_t digest[64];
};

static status find_for_signing(struct kms_scope *s, struct str reference, struct str algorithm, struct str message,
	struct str message_type, const char *operation, struct signing *out)
{
	TRY(kms_find(s, reference, KMS_FIND_ALIAS | KMS_FIND_FOREIGN, &out->key));
	TRY(kms_check_use(s, &out->key, STR("SIGN_VERIFY"), operation));
	out->algorithm = kms_algorithm_find(algorithm);
	if (!out->algorithm || !kms_list_has(out->key.spec->signing, algorithm))
		return kms_refuse(s, KMS_ERR_INVALID_KEY_USAGE_EXCEPTION,
			"Algorithm %.*s is incompatible with key spec %s.", STR_ARG(algorithm), out->key.spec->name);
	if (str_is(message_type, "EXTERNAL_MU"))
		return kms_refuse(s, ERR_VALIDATION, "MessageType EXTERNAL_MU is not valid for algorithm %.*s.",
			STR_ARG(algorithm));
	if (str_is(message_type, "DIGEST")) {
		if (message.n != (size_t)out->algorithm->digest_bytes)
			return kms_refuse(
				s, ERR_VALIDATION, "Digest is invalid length for algorithm %.*s.", STR_ARG(algorithm));
		memcpy(out->digest, message.p, message.n);
		return OK;
	}
	const EVP_MD *md = EVP_get_digestbyname(out->algorithm->digest);
	return EVP_Digest(message.p, message.n, out->digest, NULL, md, NULL) == 1 ? OK : STATUS(IO);
}

/* RFC 8017: PSS with MGF1 of the same hash and a salt as long as it. */
static EVP_PKEY_CTX *signing_context(const struct signing *g, EVP_PKEY *key, bool verify)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	const EVP_MD *md = EVP_get_digestbyname(g->algorithm->digest);
	INVARIANT(c && (verify ? EVP_PKEY_verify_init(c) : EVP_PKEY_sign_init(c)) == 1);
	if (g->key.spec->kind == KMS_RSA) {
		int padding = g->algorithm->pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
		INVARIANT(EVP_PKEY_CTX_set_rsa_padding(c, padding) == 1);
		if (g->algorithm->pss) INVARIANT(EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) == 1);
	}
	INVARIANT(EVP_PKEY_CTX_set_signature_md(c, md) == 1);
	return c;
}

status kms_sign(struct call *c, const struct kms_sign_input *in, struct kms_sign_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct signing g;
	EVP_PKEY *key;
	TRY(kms_check_grant_tokens(&s, &in->grant_tokens));
	TRY(find_for_signing(&s, in->key_id, in->signing_algorithm, in->message, in->message_type, "Sign", &g));
	TRY(kms_check_dry_run(&s, in->dry_run));
	TRY(kms_private_key(&s, &g.key, &key));
	EVP_PKEY_CTX *x = signing_context(&g, key, false);
	size_t n = (size_t)EVP_PKEY_get_size(key);
	unsigned char *p = arena_alloc_raw(c->arena, n);
	bool good = EVP_PKEY_sign(x, p, &n, g.digest, (size_t)g.algorithm->digest_bytes) == 1;
	EVP_PKEY_CTX_free(x);
	EVP_PKEY_free(key);
	if (!good) return STATUS(IO);
	kms_used(&s, &g.key, "Sign");
	out->signature = str_n(p, n);
	out->key_id = g.key.arn;
	out->signing_algorithm = in->signing_algorithm;
	return OK;
}

status kms_verify(struct call *c, const struct kms_verify_input *in, struct kms_verify_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct signing g;
	TRY(kms_check_grant_tokens(&s, &in->grant_tokens));
	TRY(find_for_signing(&s, in->key_id, in->signing_algorithm, in->message, in->message_type, "Verify", &g));
	TRY(kms_check_dry_run(&s, in->dry_run));
	EVP_PKEY *key = kms_public_from_der(g.key.r.public_key);
	if (!key) return STATUS(CORRUPT);
	EVP_PKEY_CTX *x = signing_context(&g, key, true);
	bool good = EVP_PKEY_verify(x, (const unsigned char *)in->signature.p, in->signature.n, g.digest,
			    (size_t)g.algorithm->digest_bytes) == 1;
	EVP_PKEY_CTX_free(x);
	EVP_PKEY_free(key);
	kms_used(&s, &g.key, "Verify");
	if (!good) return kms_refuse(&s, KMS_ERR_KMS_INVALID_SIGNATURE_EXCEPTION, "%s", "");
	out->signature_valid = SOME_BOOL(true);
	out->key_id = g.key.arn;
	out->signing_algorithm = in->signing_algorithm;
	return OK;
}

status kms_get_public_key(
	struct call *c, const struct kms_get_public_key_input *in, struct kms_get_public_key_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	TRY(kms_check_grant_tokens(&s, &in->grant_tokens));
	TRY(kms_find(&s, in->key_id, KMS_FIND_ALIAS | KMS_FIND_FOREIGN, &k));
	if (k.spec->kind != KMS_RSA && k.spec->kind != KMS_EC)
		return kms_refuse(&s, KMS_ERR_UNSUPPORTED_OPERATION_EXCEPTION,
			"%.*s key spec is %s which is not valid for GetPublicKey.", STR_ARG(k.arn), k.spec->name);
	TRY(kms_check_state(&s, &k, 0));
	struct kms_key_metadata *m = kms_metadata(&s, &k);
	out->key_id = k.arn;
	out->public_key = k.r.public_key;
	out->customer_master_key_spec = m->customer_master_key_spec;
	out->key_spec = m->key_spec;
	out->key_usage = m->key_usage;
	out->encryption_algorithms = m->encryption_algorithms;
	out->signing_algorithms = m->signing_algorithms;
	out->key_agreement_algorithms = m->key_agreement_algorithms;
	return OK;
}

/* NIST SP 800-56A, 5.7.1.2: the x coordinate. NONE where the peer's key does not fit. */
static struct str derive(struct arena *a, EVP_PKEY *own, EVP_PKEY *peer)
{
	EVP_PKEY_CTX *x = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
	struct str secret = STR_NONE;
	size_t n = 0;
	INVARIANT(x && EVP_PKEY_derive_init(x) == 1);
	/* Checks that the point is on the curve, too. */
	if (EVP_PKEY_derive_set_peer_ex(x, peer, 1) == 1 && EVP_PKEY_derive(x, NULL, &n) == 1) {
		unsigned char *p = arena_alloc_raw(a, n);
		if (EVP_PKEY_derive(x, p, &n) == 1) secret = str_n(p, n);
	}
	EVP_PKEY_CTX_free(x);
	return secret;
}

status kms_derive_shared_secret(
	struct call *c, const struct kms_derive_shared_secret_input *in, struct kms_derive_shared_secret_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	TRY(kms_check_recipient(&s, in->recipient));
	TRY(kms_check_grant_tokens(&s, &in->grant_tokens));
	TRY(kms_find(&s, in->key_id, KMS_FIND_ALIAS | KMS_FIND_FOREIGN, &k));
	TRY(kms_check_use(&s, &k, STR("KEY_AGREEMENT"), "DeriveSharedSecret"));
	EVP_PKEY *peer = kms_public_from_der(in->public_key), *own;
	if (!peer || !kms_pair_matches(peer, k.spec)) {
		EVP_PKEY_free(peer);
		return kms_refuse(
			&s, ERR_VALIDATION, "The public key is not a valid DER-encoded %s public key.", k.spec->name);
	}
	status st = kms_check_dry_run(&s, in->dry_run);
	if (is_ok(st)) st = kms_private_key(&s, &k, &own);
	if (!is_ok(st)) {
		EVP_PKEY_free(peer);
		return st;
	}
	out->shared_secret = derive(c->arena, own, peer);
	EVP_PKEY_free(peer);
	EVP_PKEY_free(own);
	if (!str_has(out->shared_secret))
		return kms_refuse(
			&s, ERR_VALIDATION, "The public key is not a valid DER-encoded %s public key.", k.spec->name);
	kms_used(&s, &k, "DeriveSharedSecret");
	out->key_id = k.arn;
	out->key_agreement_algorithm = in->key_agreement_algorithm;
	out->key_origin = k.r.origin;
	return OK;
}
