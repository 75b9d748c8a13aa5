/* Certificates and keys as texts: PEM by OpenSSL, OpenSSH's public keys by hand (RFC 4251, 4253). */
#include "services/iam/pem.h"
#include "base/buf.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <time.h>

#define SSH_BITS_MIN 2048
#define SSH_BITS_MAX 16384

/* A key that is encrypted is refused, never asked about on a terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *ctx)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)ctx;
	return -1;
}

X509 *iam_pem_certificate(struct str pem, int64_t *expires_ms)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *x = PEM_read_bio_X509(b, NULL, no_passphrase, NULL);
	BIO_free(b);
	ERR_clear_error();
	struct tm tm;
	if (x && expires_ms && ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1)
		*expires_ms = (int64_t)timegm(&tm) * 1000;
	return x;
}

EVP_PKEY *iam_pem_private_key(struct str pem)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL);
	BIO_free(b);
	ERR_clear_error();
	return key;
}

static bool read_field(struct str *rest, struct str *out)
{
	if (rest->n < 4) return false;
	const unsigned char *p = (const unsigned char *)rest->p;
	size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	if (n > rest->n - 4) return false;
	*out = str_sub(*rest, 4, n);
	*rest = str_from(*rest, 4 + n);
	return true;
}

static EVP_PKEY *rsa_of(struct str e, struct str n)
{
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	BIGNUM *be = BN_bin2bn((const unsigned char *)e.p, (int)e.n, NULL),
	       *bn = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
	if (ctx && b && be && bn && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, bn) &&
		OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, be) && (params = OSSL_PARAM_BLD_to_param(b)) &&
		EVP_PKEY_fromdata_init(ctx) > 0 && EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		key = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	BN_free(be);
	BN_free(bn);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

EVP_PKEY *iam_ssh_public_key(struct arena *a, struct str text)
{
	EVP_PKEY *key = NULL;
	text = str_trim(text);
	if (str_starts(text, STR("ssh-rsa "))) {
		struct str rest = str_from(text, 8), encoded = str_cut(&rest, ' '), blob, type, e, n;
		while (encoded.n && (encoded.p[encoded.n - 1] == '\n' || encoded.p[encoded.n - 1] == '\r')) encoded.n--;
		if (is_ok(str_unbase64(a, encoded, &blob)) && read_field(&blob, &type) && read_field(&blob, &e) &&
			read_field(&blob, &n) && !blob.n && str_is(type, "ssh-rsa") && e.n && e.n <= 8 && n.n &&
			n.n <= SSH_BITS_MAX / 8 + 1)
			key = rsa_of(e, n);
	} else {
		BIO *b = BIO_new_mem_buf(text.p, (int)text.n);
		key = PEM_read_bio_PUBKEY(b, NULL, no_passphrase, NULL);
		BIO_free(b);
	}
	ERR_clear_error();
	if (key && EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= SSH_BITS_MIN) return key;
	EVP_PKEY_free(key);
	return NULL;
}

static void add_number(struct buf *b, EVP_PKEY *key, const char *name)
{
	BIGNUM *n = NULL;
	INVARIANT(EVP_PKEY_get_bn_param(key, name, &n) == 1);
	unsigned size = (unsigned)BN_num_bytes(n);
	bool high = BN_num_bits(n) % 8 == 0; /* a leading zero keeps it positive */
	unsigned length = size + high;
	for (int shift = 24; shift >= 0; shift -= 8) buf_byte(b, (char)(length >> shift));
	if (high) buf_byte(b, 0);
	BN_bn2bin(n, (unsigned char *)buf_reserve(b, size));
	b->n += size;
	BN_free(n);
}

struct str iam_ssh_blob(struct arena *a, EVP_PKEY *key)
{
	struct buf b = BUF_IN(a);
	buf_lit(&b, "\0\0\0\7ssh-rsa");
	add_number(&b, key, OSSL_PKEY_PARAM_RSA_E);
	add_number(&b, key, OSSL_PKEY_PARAM_RSA_N);
	return buf_done(&b);
}

struct str iam_pem_public_key(struct arena *a, EVP_PKEY *key)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p = NULL;
	INVARIANT(b && PEM_write_bio_PUBKEY(b, key) == 1);
	long n = BIO_get_mem_data(b, &p);
	struct str out = str_dup(a, str_n(p, (size_t)n));
	BIO_free(b);
	return out;
}
