/* RSA and elliptic curve keys by OpenSSL: pairs, their encodings, OAEP. */
#include "services/kms/room.h"
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

status kms_generate_pair(const struct kms_spec *spec, EVP_PKEY **out)
{
	*out = spec->kind == KMS_RSA ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)spec->size)
				     : EVP_PKEY_Q_keygen(NULL, NULL, "EC", spec->curve);
	return *out ? OK : STATUS(IO);
}

struct str kms_private_der(struct arena *a, EVP_PKEY *key)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	unsigned char *p = NULL;
	int n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &p) : -1;
	INVARIANT(n > 0);
	struct str der = str_n(arena_copy(a, p, (size_t)n), (size_t)n);
	OPENSSL_clear_free(p, (size_t)n);
	PKCS8_PRIV_KEY_INFO_free(info);
	return der;
}

struct str kms_public_der(struct arena *a, EVP_PKEY *key)
{
	unsigned char *p = NULL;
	int n = i2d_PUBKEY(key, &p);
	INVARIANT(n > 0);
	struct str der = str_n(arena_copy(a, p, (size_t)n), (size_t)n);
	OPENSSL_free(p);
	return der;
}

EVP_PKEY *kms_private_from_der(struct str der)
{
	const unsigned char *p = (const unsigned char *)der.p, *end = p + der.n;
	if (der.n > INT32_MAX) return NULL;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.n);
	EVP_PKEY *key = info && p == end ? EVP_PKCS82PKEY(info) : NULL;
	PKCS8_PRIV_KEY_INFO_free(info);
	return key;
}

EVP_PKEY *kms_public_from_der(struct str der)
{
	const unsigned char *p = (const unsigned char *)der.p, *end = p + der.n;
	if (der.n > INT32_MAX) return NULL;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)der.n);
	if (key && p == end) return key;
	EVP_PKEY_free(key);
	return NULL;
}

bool kms_pair_matches(EVP_PKEY *key, const struct kms_spec *spec)
{
	if (spec->kind == KMS_RSA) return EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) == spec->size;
	if (spec->kind != KMS_EC || !EVP_PKEY_is_a(key, "EC")) return false;
	char group[64];
	size_t n;
	if (EVP_PKEY_get_group_name(key, group, sizeof(group), &n) != 1) return false;
	/* OpenSSL tells P-256 by its X9.62 name. */
	int has = OBJ_txt2nid(group), wants = EC_curve_nist2nid(spec->curve);
	if (wants == NID_undef) wants = OBJ_txt2nid(spec->curve);
	return has != NID_undef && has == wants;
}

status kms_oaep(struct arena *a, EVP_PKEY *key, const char *digest, bool encrypt, struct str in, struct str *out)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	INVARIANT(c);
	const EVP_MD *md = EVP_get_digestbyname(digest);
	bool good = (encrypt ? EVP_PKEY_encrypt_init(c) : EVP_PKEY_decrypt_init(c)) == 1 &&
		    EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_oaep_md(c, md) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(c, md) == 1;
	INVARIANT(good);
	size_t n = (size_t)EVP_PKEY_get_size(key);
	unsigned char *p = arena_alloc_raw(a, n);
	const unsigned char *from = (const unsigned char *)in.p;
	good = (encrypt ? EVP_PKEY_encrypt(c, p, &n, from, in.n) : EVP_PKEY_decrypt(c, p, &n, from, in.n)) == 1;
	EVP_PKEY_CTX_free(c);
	if (!good) return STATUS(INVALID);
	*out = str_n(p, n);
	return OK;
}
