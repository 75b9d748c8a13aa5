/* Keys that sign digests: an RSA key of 2,048 bits for each region, valid for a year, and told by ListPublicKeys
 * ("CloudTrail digest file structure"). The private half lies in the store wrapped by the vault. */
#include "identity/digest.h"
#include "services/cloudtrail/room.h"
#include "vault/vault.h"
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define YEAR_MS (365 * CT_DAY_MS)
/* A digest of the hour before the key was made is signed by it, too. */
#define BEFORE_MS (2 * 60 * 60 * 1000ll)

static struct key key_space(struct arena *a, struct str region)
{
	return key_for(a, STR("cloudtrail"), STR("key"), STR(""), region);
}

static struct str context_of(struct arena *a, struct str region)
{
	return str_cat(a, STR("cloudtrail digest key/"), region);
}

static void make(struct call *c, struct str region, struct cloudtrail_rec_key *r, struct str *private_der)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	unsigned char *der = NULL;
	uint8_t hash[16];
	INVARIANT(key);
	int n = i2d_PublicKey(key, &der); /* PKCS #1's RSAPublicKey */
	INVARIANT(n > 0);
	struct str public_der = str_dup(c->arena, str_n(der, (size_t)n));
	OPENSSL_free(der);
	der = NULL;
	n = i2d_PrivateKey(key, &der);
	INVARIANT(n > 0);
	*private_der = str_dup(c->arena, str_n(der, (size_t)n));
	OPENSSL_clear_free(der, (size_t)n);
	EVP_PKEY_free(key);
	digest_md5(public_der, hash);
	*r = (struct cloudtrail_rec_key){
		.public_key = public_der,
		.private_key = vault_wrap(c->cloud->vault, c->arena, context_of(c->arena, region), *private_der),
		.fingerprint = str_hex(c->arena, str_n(hash, sizeof(hash))),
		.from = SOME_TIME(c->now_ms - BEFORE_MS),
		.to = SOME_TIME(c->now_ms + YEAR_MS),
	};
	struct key k = key_space(c->arena, region);
	key_i64(&k, r->from.ms);
	store_put(c->tx, key_done(&k), cloudtrail_rec_key_encode(c->arena, r));
}

status ct_signer(struct call *c, struct str region, struct ct_signer *out)
{
	struct key k = key_space(c->arena, region);
	struct str from = key_done(&k), key, value;
	struct cloudtrail_rec_key r = {0};
	bool found = false;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), true);
	if (store_scan_next(scan, &key, &value)) {
		TRY(cloudtrail_rec_key_decode(c->arena, str_dup(c->arena, value), &r));
		found = r.to.ms > c->now_ms && r.from.ms <= c->now_ms;
	}
	TRY(store_scan_end(scan));
	if (found)
		TRY(vault_unwrap(
			c->cloud->vault, c->arena, context_of(c->arena, region), r.private_key, &out->private_der));
	else
		make(c, region, &r, &out->private_der);
	out->fingerprint = r.fingerprint;
	return OK;
}

struct str ct_sign(struct arena *a, const struct ct_signer *s, struct str text)
{
	const unsigned char *p = (const unsigned char *)s->private_der.p;
	EVP_PKEY *key = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &p, (long)s->private_der.n);
	EVP_MD_CTX *x = EVP_MD_CTX_new();
	unsigned char signature[512];
	size_t n = sizeof(signature);
	INVARIANT(key && x && EVP_DigestSignInit(x, NULL, EVP_sha256(), NULL, key) == 1);
	INVARIANT(EVP_DigestSign(x, signature, &n, (const unsigned char *)text.p, text.n) == 1);
	EVP_MD_CTX_free(x);
	EVP_PKEY_free(key);
	return str_hex(a, str_n(signature, n));
}

status cloudtrail_list_public_keys(struct call *c, const struct cloudtrail_list_public_keys_request *in,
	struct cloudtrail_list_public_keys_response *out)
{
	/* "If not specified, the current time is used, and the current public key is returned." */
	int64_t from = in->start_time.has ? in->start_time.ms : c->now_ms,
		to = in->end_time.has ? in->end_time.ms : c->now_ms;
	struct key k = key_space(c->arena, c->region);
	struct str space = key_done(&k), key, value;
	size_t capacity = 0;
	if (from > to) return CT_FAIL(c, INVALID_TIME_RANGE, "The start time occurs after the end time.");
	if (str_has(in->next_token) && in->next_token.n) return CT_FAIL(c, INVALID_TOKEN, "Reserved for future use.");
	VEC_PRESENT(c->arena, &out->public_key_list);
	struct store_scan *scan = store_scan_begin(c->tx, space, key_after(c->arena, space), false);
	while (store_scan_next(scan, &key, &value)) {
		struct cloudtrail_rec_key r = {0};
		TRY(cloudtrail_rec_key_decode(c->arena, str_dup(c->arena, value), &r));
		if (r.from.ms > to || r.to.ms < from) continue;
		*VEC_PUSH(c->arena, &out->public_key_list, &capacity) =
			(struct cloudtrail_public_key){r.public_key, r.from, r.to, r.fingerprint};
	}
	return store_scan_end(scan);
}
