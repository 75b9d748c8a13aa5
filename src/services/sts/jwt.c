/* JSON Web Tokens as identity providers issue them: the compact form (RFC 7515), signed by RS256 or ES256 (RFC 7518),
 * with a key of a JSON Web Key Set (RFC 7517). */
#include "base/json.h"
#include "services/sts/internal.h"
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#define TOKEN_MAX 20000

/* base64url without padding (RFC 7515, section 2). */
static status unbase64url(struct arena *a, struct str s, struct str *out)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];
		if (ch == '+' || ch == '/' || ch == '=') return STATUS(INVALID);
		buf_byte(&b, ch == '-' ? '+' : ch == '_' ? '/' : ch);
	}
	while (b.n % 4) buf_byte(&b, '=');
	return str_unbase64(a, buf_done(&b), out);
}

status jwt_read(struct arena *a, struct str token, struct jwt *out)
{
	*out = (struct jwt){0};
	if (token.n > TOKEN_MAX) return STATUS(INVALID);
	struct str rest = token, head = str_cut(&rest, '.');
	if (!str_has(rest)) return STATUS(INVALID);
	struct str body = str_cut(&rest, '.');
	if (!str_has(rest) || str_chr(rest, '.') >= 0) return STATUS(INVALID);
	struct str head_text, body_text;
	TRY(unbase64url(a, head, &head_text));
	TRY(unbase64url(a, body, &body_text));
	TRY(unbase64url(a, rest, &out->signature));
	out->signed_part = str_sub(token, 0, head.n + 1 + body.n);
	struct json_value *h;
	TRY(json_read(a, head_text, &h));
	TRY(json_read(a, body_text, &out->claims));
	if (!json_is(h, JSON_IS_OBJECT) || !json_is(out->claims, JSON_IS_OBJECT)) return STATUS(INVALID);
	out->algorithm = json_string(json_member(h, STR("alg")));
	out->key_id = json_string(json_member(h, STR("kid")));
	if (json_member(h, STR("crit"))) return STATUS(INVALID);
	return str_is(out->algorithm, "RS256") || str_is(out->algorithm, "ES256") ? OK : STATUS(INVALID);
}

static status number(struct arena *a, const struct json_value *key, struct str name, struct str *out)
{
	struct str text = json_string(json_member(key, name));
	if (!str_has(text) || !text.n) return STATUS(INVALID);
	return unbase64url(a, text, out);
}

static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *build)
{
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) <= 0 ||
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

static EVP_PKEY *rsa_key(struct arena *a, const struct json_value *k)
{
	struct str n, e;
	if (!is_ok(number(a, k, STR("n"), &n)) || !is_ok(number(a, k, STR("e"), &e)) || n.n > 1024 || e.n > 8)
		return NULL;
	BIGNUM *bn = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL),
	       *be = BN_bin2bn((const unsigned char *)e.p, (int)e.n, NULL);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;
	if (bn && be && b && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, bn) &&
		OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, be))
		key = make_key("RSA", b);
	OSSL_PARAM_BLD_free(b);
	BN_free(bn);
	BN_free(be);
	return key;
}

static EVP_PKEY *ec_key(struct arena *a, const struct json_value *k)
{
	struct str x, y;
	if (!str_is(json_string(json_member(k, STR("crv"))), "P-256") || !is_ok(number(a, k, STR("x"), &x)) ||
		!is_ok(number(a, k, STR("y"), &y)) || x.n != 32 || y.n != 32)
		return NULL;
	unsigned char point[65] = {4};
	memcpy(point + 1, x.p, 32);
	memcpy(point + 33, y.p, 32);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;
	if (b && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
		OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)))
		key = make_key("EC", b);
	OSSL_PARAM_BLD_free(b);
	return key;
}

/* A JWS carries r and s one behind the other; OpenSSL wants them in DER. */
static status ecdsa_der(struct arena *a, struct str raw, struct str *out)
{
	if (raw.n != 64) return STATUS(INVALID);
	ECDSA_SIG *s = ECDSA_SIG_new();
	INVARIANT(s);
	BIGNUM *r = BN_bin2bn((const unsigned char *)raw.p, 32, NULL),
	       *t = BN_bin2bn((const unsigned char *)raw.p + 32, 32, NULL);
	INVARIANT(r && t && ECDSA_SIG_set0(s, r, t));
	unsigned char *der = NULL;
	int n = i2d_ECDSA_SIG(s, &der);
	ECDSA_SIG_free(s);
	if (n <= 0) return STATUS(INVALID);
	*out = str_dup(a, str_n(der, (size_t)n));
	OPENSSL_free(der);
	return OK;
}

static bool verify(EVP_PKEY *key, struct str text, struct str signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		    EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n,
			    (const unsigned char *)text.p, text.n) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

status jwt_verify(struct arena *a, const struct jwt *t, const struct json_value *jwks)
{
	const struct json_value *keys = json_member(jwks, STR("keys"));
	bool rsa = str_is(t->algorithm, "RS256"), found = false;
	struct str signature = t->signature;
	if (!rsa) TRY(ecdsa_der(a, t->signature, &signature));
	for (const struct json_value *k = json_is(keys, JSON_IS_ARRAY) ? keys->first : NULL; k; k = k->next) {
		struct str id = json_string(json_member(k, STR("kid"))), use = json_string(json_member(k, STR("use")));
		if (!str_is(json_string(json_member(k, STR("kty"))), "RSA") == rsa) continue;
		if (str_has(t->key_id) && str_has(id) && !str_eq(id, t->key_id)) continue;
		if (str_has(use) && !str_is(use, "sig")) continue;
		EVP_PKEY *key = rsa ? rsa_key(a, k) : ec_key(a, k);
		if (!key) continue;
		found = true;
		bool good = verify(key, t->signed_part, signature);
		EVP_PKEY_free(key);
		if (good) return OK;
	}
	return found ? STATUS(INVALID) : STATUS(NOT_FOUND);
}
