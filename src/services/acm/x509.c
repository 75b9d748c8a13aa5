/* Certificates and private keys as OpenSSL reads and makes them. What comes in is a client's: everything that is not
 * exactly what it should be is refused. */
#include "edge/ca.h"
#include "services/acm/room.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

enum { CHAIN_MAX = 16 };

static struct str bio_take(BIO *b, struct arena *a)
{
	char *p;
	long n = BIO_get_mem_data(b, &p);
	struct str s = str_dup(a, str_n(p, n > 0 ? (size_t)n : 0));
	BIO_free(b);
	return s;
}

static BIO *bio_of(struct str s)
{
	BIO *b = s.n <= INT32_MAX ? BIO_new_mem_buf(s.p, (int)s.n) : NULL;
	INVARIANT(b);
	return b;
}

/* No prompt on the terminal for an encrypted key. */
static int no_passphrase(char *to, int n, int writes, void *ctx)
{
	(void)to;
	(void)n;
	(void)writes;
	*(bool *)ctx = true;
	return -1;
}

static X509 *read_one(struct str pem)
{
	BIO *b = bio_of(pem);
	X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL), *more = x ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
	BIO_free(b);
	if (more) {
		X509_free(more);
		X509_free(x);
		return NULL;
	}
	return x;
}

static struct str pem_of(struct arena *a, X509 *x)
{
	BIO *b = BIO_new(BIO_s_mem());
	INVARIANT(b && PEM_write_bio_X509(b, x));
	return bio_take(b, a);
}

static struct str key_pem(struct arena *a, EVP_PKEY *k)
{
	BIO *b = BIO_new(BIO_s_mem());
	INVARIANT(b && PEM_write_bio_PKCS8PrivateKey(b, k, NULL, NULL, 0, NULL, NULL));
	return bio_take(b, a);
}

static int64_t time_of(const ASN1_TIME *t)
{
	int days = 0, seconds = 0;
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	INVARIANT(epoch);
	if (!ASN1_TIME_diff(&days, &seconds, epoch, t)) days = seconds = 0;
	ASN1_TIME_free(epoch);
	return ((int64_t)days * 86400 + seconds) * 1000;
}

static struct str name_of(struct arena *a, const X509_NAME *n)
{
	BIO *b = BIO_new(BIO_s_mem());
	INVARIANT(b);
	X509_NAME_print_ex(b, n, 0, XN_FLAG_RFC2253 & ~XN_FLAG_DN_REV);
	return bio_take(b, a);
}

static struct str common_name(struct arena *a, X509 *x)
{
	const X509_NAME *n = X509_get_subject_name(x);
	int at = X509_NAME_get_index_by_NID(n, NID_commonName, -1);
	unsigned char *utf8 = NULL;
	if (at < 0) return STR_NONE;
	int length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(n, at)));
	if (length <= 0) return STR_NONE;
	struct str s = str_dup(a, str_n(utf8, (size_t)length));
	OPENSSL_free(utf8);
	return s;
}

static struct str serial_of(struct arena *a, X509 *x)
{
	const ASN1_INTEGER *n = X509_get0_serialNumber(x);
	const unsigned char *p = ASN1_STRING_get0_data(n);
	struct buf b = BUF_IN(a);
	for (int i = 0; i < ASN1_STRING_length(n); i++) buf_fmt(&b, "%s%02x", i ? ":" : "", p[i]);
	return buf_done(&b);
}

static struct str algorithm_of(struct arena *a, EVP_PKEY *k)
{
	char curve[64];
	size_t n = 0;
	if (EVP_PKEY_get_base_id(k) == EVP_PKEY_RSA) return str_fmt(a, "RSA_%d", EVP_PKEY_get_bits(k));
	if (EVP_PKEY_get_base_id(k) != EVP_PKEY_EC || !EVP_PKEY_get_group_name(k, curve, sizeof(curve), &n))
		return STR_NONE;
	return str_fmt(a, "EC_%.*s", (int)n, curve);
}

static struct str signature_of(X509 *x)
{
	switch (X509_get_signature_nid(x)) {
	case NID_sha256WithRSAEncryption:
		return STR("SHA256WITHRSA");
	case NID_sha384WithRSAEncryption:
		return STR("SHA384WITHRSA");
	case NID_sha512WithRSAEncryption:
		return STR("SHA512WITHRSA");
	case NID_sha1WithRSAEncryption:
		return STR("SHA1WITHRSA");
	case NID_ecdsa_with_SHA256:
		return STR("SHA256WITHECDSA");
	case NID_ecdsa_with_SHA384:
		return STR("SHA384WITHECDSA");
	case NID_ecdsa_with_SHA512:
		return STR("SHA512WITHECDSA");
	default:
		return str_c(OBJ_nid2sn(X509_get_signature_nid(x)));
	}
}

static void read_names(struct arena *a, X509 *x, struct acm_x509 *out)
{
	size_t capacity = 0;
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
		if (g->type != GEN_DNS) continue;
		struct str s = str_n(ASN1_STRING_get0_data(g->d.dNSName), (size_t)ASN1_STRING_length(g->d.dNSName));
		*VEC_PUSH(a, &out->names, &capacity) = str_dup(a, s);
	}
	GENERAL_NAMES_free(names);
	if (!str_has(out->domain) && out->names.n) out->domain = out->names.v[0];
	if (!out->names.n && str_has(out->domain)) *VEC_PUSH(a, &out->names, &capacity) = out->domain;
}

static void read_usages(struct arena *a, X509 *x, struct acm_x509 *out)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} key[] = {{KU_DIGITAL_SIGNATURE, "DIGITAL_SIGNATURE"}, {KU_NON_REPUDIATION, "NON_REPUDIATION"},
		{KU_KEY_ENCIPHERMENT, "KEY_ENCIPHERMENT"}, {KU_DATA_ENCIPHERMENT, "DATA_ENCIPHERMENT"},
		{KU_KEY_AGREEMENT, "KEY_AGREEMENT"}, {KU_KEY_CERT_SIGN, "CERTIFICATE_SIGNING"},
		{KU_CRL_SIGN, "CRL_SIGNING"}, {KU_ENCIPHER_ONLY, "ENCIPHER_ONLY"}, {KU_DECIPHER_ONLY, "DECIPHER_ONLY"}},
	  extended[] = {{XKU_SSL_SERVER, "TLS_WEB_SERVER_AUTHENTICATION"},
		  {XKU_SSL_CLIENT, "TLS_WEB_CLIENT_AUTHENTICATION"}, {XKU_CODE_SIGN, "CODE_SIGNING"},
		  {XKU_SMIME, "EMAIL_PROTECTION"}, {XKU_TIMESTAMP, "TIME_STAMPING"}, {XKU_OCSP_SIGN, "OCSP_SIGNING"},
		  {XKU_ANYEKU, "ANY"}};
	size_t keys = 0, more = 0;
	uint32_t usage = X509_get_key_usage(x), purposes = X509_get_extended_key_usage(x);
	for (size_t i = 0; i < sizeof(key) / sizeof(key[0]); i++)
		if (usage == UINT32_MAX ? i == 0 : usage & key[i].bit)
			*VEC_PUSH(a, &out->key_usages, &keys) = str_c(usage == UINT32_MAX ? "ANY" : key[i].name);
	for (size_t i = 0; purposes != UINT32_MAX && i < sizeof(extended) / sizeof(extended[0]); i++)
		if (purposes & extended[i].bit)
			*VEC_PUSH(a, &out->extended_key_usages, &more) = str_c(extended[i].name);
	if (!out->extended_key_usages.n) *VEC_PUSH(a, &out->extended_key_usages, &more) = STR("NONE");
}

status acm_x509_read(struct arena *a, struct str pem, struct acm_x509 *out)
{
	X509 *x = read_one(pem);
	*out = (struct acm_x509){0};
	if (!x) return STATUS(INVALID);
	EVP_PKEY *k = X509_get0_pubkey(x);
	if (k) out->key_algorithm = algorithm_of(a, k);
	if (!k || !str_has(out->key_algorithm)) {
		X509_free(x);
		return STATUS(INVALID);
	}
	out->pem = pem_of(a, x);
	out->domain = common_name(a, x);
	out->serial = serial_of(a, x);
	out->subject = name_of(a, X509_get_subject_name(x));
	out->issuer = name_of(a, X509_get_issuer_name(x));
	out->signature_algorithm = signature_of(x);
	out->not_before_ms = time_of(X509_get0_notBefore(x));
	out->not_after_ms = time_of(X509_get0_notAfter(x));
	read_names(a, x, out);
	read_usages(a, x, out);
	X509_free(x);
	return OK;
}

/* Each is signed by the next. */
static enum acm_mismatch check_chain(X509 *x, struct str chain)
{
	enum acm_mismatch found = ACM_FITS;
	X509 *of = x;
	BIO *b = bio_of(chain);
	size_t n = 0;
	for (X509 *next; found == ACM_FITS && (next = PEM_read_bio_X509(b, NULL, NULL, NULL)); n++) {
		EVP_PKEY *k = X509_get0_pubkey(next);
		if (n == CHAIN_MAX || !k)
			found = ACM_BAD_CHAIN;
		else if (X509_NAME_cmp(X509_get_issuer_name(of), X509_get_subject_name(next)) != 0 ||
			 X509_verify(of, k) != 1)
			found = ACM_OTHER_CHAIN;
		if (of != x) X509_free(of);
		of = next;
	}
	if (of != x) X509_free(of);
	BIO_free(b);
	return n ? found : ACM_BAD_CHAIN;
}

enum acm_mismatch acm_x509_check(
	struct arena *a, struct str certificate, struct str chain, struct str given, struct str *key)
{
	bool locked = false;
	BIO *b = bio_of(given);
	EVP_PKEY *k = PEM_read_bio_PrivateKey(b, NULL, no_passphrase, &locked);
	X509 *x = read_one(certificate);
	enum acm_mismatch found = ACM_FITS;
	BIO_free(b);
	INVARIANT(x);
	if (!k)
		found = locked ? ACM_ENCRYPTED_KEY : ACM_BAD_KEY;
	else if (X509_check_private_key(x, k) != 1)
		found = ACM_OTHER_KEY;
	else if (chain.n)
		found = check_chain(x, chain);
	if (found == ACM_FITS) *key = key_pem(a, k);
	EVP_PKEY_free(k);
	X509_free(x);
	return found;
}

static EVP_PKEY *new_key(struct str algorithm)
{
	if (str_is(algorithm, "RSA_2048")) return EVP_RSA_gen(2048);
	if (str_is(algorithm, "RSA_3072")) return EVP_RSA_gen(3072);
	if (str_is(algorithm, "RSA_4096")) return EVP_RSA_gen(4096);
	if (str_is(algorithm, "EC_secp384r1")) return EVP_EC_gen("P-384");
	if (str_is(algorithm, "EC_secp521r1")) return EVP_EC_gen("P-521");
	return EVP_EC_gen("P-256");
}

status acm_x509_issue(struct cloud *cloud, struct arena *a, const struct acm_order *o, struct str *certificate,
	struct str *chain, struct str *key)
{
	struct ca_signed made;
	EVP_PKEY *k = new_key(o->algorithm);
	INVARIANT(k);
	struct ca_order order = {
		.key = k, .names = o->names->v, .n_names = o->names->n, .now_ms = o->now_ms, .valid_ms = o->valid_ms};
	status s = ca_issue(store_dir(cloud->store), &order, a, &made);
	if (is_ok(s)) {
		*certificate = made.certificate;
		*chain = made.ca;
		*key = key_pem(a, k);
	}
	EVP_PKEY_free(k);
	return s;
}

status acm_x509_lock(struct arena *a, struct str key, struct str passphrase, struct str *out)
{
	BIO *from = bio_of(key), *to = BIO_new(BIO_s_mem());
	EVP_PKEY *k = PEM_read_bio_PrivateKey(from, NULL, NULL, NULL);
	BIO_free(from);
	INVARIANT(to && k);
	bool well = PEM_write_bio_PKCS8PrivateKey(
			    to, k, EVP_aes_256_cbc(), passphrase.p, (int)passphrase.n, NULL, NULL) == 1;
	EVP_PKEY_free(k);
	*out = bio_take(to, a);
	return well ? OK : STATUS(INVALID);
}
