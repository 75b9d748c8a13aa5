/* SSH keys by OpenSSL; see ssh_key.h. */
#include "services/ec2/ssh_key.h"
#include "base/buf.h"
#include "base/rand.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#define RSA_NAME STR("ssh-rsa")
#define ED_NAME STR("ssh-ed25519")
enum { ED_BYTES = 32, RSA_BITS_MIN = 1024, RSA_BITS_MAX = 8192 };

/* ── RFC 4251's strings and numbers ── */

static void put_u32(struct buf *b, uint32_t v)
{
	char n[4] = {(char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v};
	buf_add(b, n, 4);
}

static void put_str(struct buf *b, struct str s)
{
	put_u32(b, (uint32_t)s.n);
	buf_str(b, s);
}

static void put_number(struct buf *b, const BIGNUM *v)
{
	int n = BN_num_bytes(v);
	bool lead = n > 0 && BN_num_bits(v) % 8 == 0;
	put_u32(b, (uint32_t)n + lead);
	if (lead) buf_byte(b, 0);
	BN_bn2bin(v, (unsigned char *)buf_reserve(b, (size_t)n));
	b->n += (size_t)n;
}

static bool get_str(struct str *rest, struct str *out)
{
	if (rest->n < 4) return false;
	const unsigned char *p = (const unsigned char *)rest->p;
	size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	if (rest->n - 4 < n) return false;
	*out = str_sub(*rest, 4, n);
	*rest = str_from(*rest, 4 + n);
	return true;
}

/* ── public keys ── */

static status read_blob(struct arena *a, struct str blob, struct ssh_public *out)
{
	struct str rest = blob, name, e, n, point;
	*out = (struct ssh_public){.blob = str_dup(a, blob)};
	if (!get_str(&rest, &name)) return STATUS(INVALID);
	if (str_eq(name, ED_NAME)) {
		if (!get_str(&rest, &point) || point.n != ED_BYTES || rest.n) return STATUS(INVALID);
		out->kind = SSH_ED25519;
		out->bits = 256;
		return OK;
	}
	if (!str_eq(name, RSA_NAME) || !get_str(&rest, &e) || !get_str(&rest, &n) || rest.n) return STATUS(INVALID);
	while (n.n && n.p[0] == 0) n = str_from(n, 1);
	if (!e.n || e.n > 8 || !n.n || n.n > RSA_BITS_MAX / 8) return STATUS(INVALID);
	unsigned lead = (unsigned char)n.p[0], zeros = 0;
	while (!(lead & 0x80)) {
		lead <<= 1;
		zeros++;
	}
	out->kind = SSH_RSA;
	out->bits = (unsigned)n.n * 8 - zeros;
	return out->bits < RSA_BITS_MIN ? STATUS(INVALID) : OK;
}

static struct str without_space(struct arena *a, struct str s)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < s.n; i++)
		if (!memchr(" \t\r\n", s.p[i], 4)) buf_byte(&b, s.p[i]);
	return buf_done(&b);
}

/* "---- BEGIN SSH2 PUBLIC KEY ----", headers (Comment: …), base64, "---- END …". */
static status read_4716(struct arena *a, struct str text, struct str *blob)
{
	struct buf b = BUF_IN(a);
	struct str rest = text;
	bool inside = false, ended = false, continued = false;
	while (str_has(rest) && !ended) {
		struct str line = str_trim(str_cut(&rest, '\n'));
		if (line.n && line.p[line.n - 1] == '\r') line.n--;
		if (str_starts(line, STR("---- BEGIN SSH2 PUBLIC KEY"))) {
			inside = true;
			continue;
		}
		ended = str_starts(line, STR("---- END SSH2 PUBLIC KEY"));
		if (!inside || ended) continue;
		bool header = continued || str_chr(line, ':') >= 0;
		continued = header && str_ends(line, STR("\\"));
		if (!header) buf_str(&b, line);
	}
	if (!ended) return STATUS(INVALID);
	return str_unbase64(a, without_space(a, buf_done(&b)), blob);
}

struct ssh_public ssh_public_of(struct arena *a, EVP_PKEY *key)
{
	struct buf b = BUF_IN(a);
	struct ssh_public out = {0};
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) {
		unsigned char raw[ED_BYTES];
		size_t n = sizeof(raw);
		INVARIANT(EVP_PKEY_get_raw_public_key(key, raw, &n) == 1);
		put_str(&b, ED_NAME);
		put_str(&b, str_n(raw, n));
		out.kind = SSH_ED25519;
	} else {
		BIGNUM *n = NULL, *e = NULL;
		INVARIANT(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) == 1);
		INVARIANT(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1);
		put_str(&b, RSA_NAME);
		put_number(&b, e);
		put_number(&b, n);
		BN_free(n);
		BN_free(e);
		out.kind = SSH_RSA;
	}
	out.bits = (unsigned)EVP_PKEY_get_bits(key);
	out.blob = buf_done(&b);
	return out;
}

static status read_pem(struct arena *a, struct str text, struct ssh_public *out)
{
	BIO *in = BIO_new_mem_buf(text.p, (int)text.n);
	EVP_PKEY *key = in ? PEM_read_bio_PUBKEY(in, NULL, NULL, NULL) : NULL;
	BIO_free(in);
	if (!key) return STATUS(INVALID);
	int id = EVP_PKEY_get_base_id(key);
	status s = STATUS(INVALID);
	if (id == EVP_PKEY_RSA || id == EVP_PKEY_ED25519) s = read_blob(a, ssh_public_of(a, key).blob, out);
	EVP_PKEY_free(key);
	return s;
}

status ssh_public_read(struct arena *a, struct str text, struct ssh_public *out)
{
	struct str blob;
	if (text.n > 16384) return STATUS(INVALID);
	while (text.n && memchr(" \t\r\n", text.p[text.n - 1], 4)) text.n--;
	while (text.n && memchr(" \t\r\n", text.p[0], 4)) text = str_from(text, 1);
	if (str_starts(text, STR("---- BEGIN SSH2"))) {
		TRY(read_4716(a, text, &blob));
	} else if (str_starts(text, STR("-----BEGIN PUBLIC KEY"))) {
		return read_pem(a, text, out);
	} else if (str_starts(text, STR("ssh-"))) {
		struct str rest = text;
		str_cut(&rest, ' ');
		if (!str_has(rest)) return STATUS(INVALID);
		rest = str_trim(rest);
		TRY(str_unbase64(a, str_cut(&rest, ' '), &blob));
	} else {
		/* The base64 alone: of a blob, or of DER ("Base64 encoded DER format"). */
		struct str der;
		TRY(str_unbase64(a, without_space(a, text), &der));
		const unsigned char *p = (const unsigned char *)der.p;
		EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)der.n);
		if (!key) return read_blob(a, der, out);
		int id = EVP_PKEY_get_base_id(key);
		blob = id == EVP_PKEY_RSA || id == EVP_PKEY_ED25519 ? ssh_public_of(a, key).blob : STR("");
		EVP_PKEY_free(key);
	}
	return read_blob(a, blob, out);
}

struct str ssh_public_line(struct arena *a, const struct ssh_public *k, struct str comment)
{
	struct str b64 = str_base64(a, k->blob), name = k->kind == SSH_RSA ? RSA_NAME : ED_NAME;
	return str_fmt(a, "%.*s %.*s %.*s", STR_ARG(name), STR_ARG(b64), STR_ARG(comment));
}

/* ── fingerprints ── */

static struct str colons(struct arena *a, const unsigned char *p, size_t n)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < n; i++) buf_fmt(&b, "%s%02x", i ? ":" : "", p[i]);
	return buf_done(&b);
}

static struct str blob_sha256(struct arena *a, struct str blob)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)blob.p, blob.n, digest);
	return str_base64(a, str_n(digest, sizeof(digest)));
}

/* SubjectPublicKeyInfo of an RSA blob. */
static EVP_PKEY *rsa_of_blob(struct str blob)
{
	struct str rest = blob, name, e, n;
	if (!get_str(&rest, &name) || !get_str(&rest, &e) || !get_str(&rest, &n)) return NULL;
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *x = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM params[3];
	unsigned char nb[RSA_BITS_MAX / 8 + 1], eb[16];
	if (n.n > sizeof(nb) || e.n > sizeof(eb)) goto end;
	/* OSSL_PARAM wants native order: little endian here. */
	for (size_t i = 0; i < n.n; i++) nb[i] = (unsigned char)n.p[n.n - 1 - i];
	for (size_t i = 0; i < e.n; i++) eb[i] = (unsigned char)e.p[e.n - 1 - i];
	params[0] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, nb, n.n);
	params[1] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, eb, e.n);
	params[2] = OSSL_PARAM_construct_end();
	if (EVP_PKEY_fromdata_init(x) != 1 || EVP_PKEY_fromdata(x, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) key = NULL;
end:
	EVP_PKEY_CTX_free(x);
	return key;
}

struct str ssh_public_fingerprint(struct arena *a, const struct ssh_public *k)
{
	if (k->kind == SSH_ED25519) return blob_sha256(a, k->blob);
	EVP_PKEY *key = rsa_of_blob(k->blob);
	unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	int size = key ? i2d_PUBKEY(key, &der) : -1;
	EVP_PKEY_free(key);
	if (size < 0 || EVP_Digest(der, (size_t)size, digest, &n, EVP_md5(), NULL) != 1) n = 0;
	OPENSSL_free(der);
	return colons(a, digest, n);
}

struct str ssh_private_fingerprint(struct arena *a, EVP_PKEY *key)
{
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) return blob_sha256(a, ssh_public_of(a, key).blob);
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	unsigned char *der = NULL, digest[SHA_DIGEST_LENGTH];
	int size = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
	PKCS8_PRIV_KEY_INFO_free(info);
	INVARIANT(size > 0);
	SHA1(der, (size_t)size, digest);
	OPENSSL_clear_free(der, (size_t)size);
	return colons(a, digest, sizeof(digest));
}

/* ── private keys ── */

EVP_PKEY *ssh_private_new(enum ssh_kind kind)
{
	return kind == SSH_RSA ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
			       : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static void put_wrapped(struct buf *b, struct str text, size_t width)
{
	for (size_t i = 0; i < text.n; i += width) {
		buf_str(b, str_sub(text, i, width));
		buf_byte(b, '\n');
	}
}

static void ed_private(EVP_PKEY *key, unsigned char out[ED_BYTES])
{
	size_t n = ED_BYTES;
	INVARIANT(EVP_PKEY_get_raw_private_key(key, out, &n) == 1);
}

/* OpenSSH's PROTOCOL.key, unencrypted. */
static struct str openssh_private(struct arena *a, EVP_PKEY *key)
{
	struct ssh_public public = ssh_public_of(a, key);
	struct buf in = BUF_IN(a), all = BUF_IN(a), text = BUF_IN(a);
	unsigned char secret[ED_BYTES], check[4];
	ed_private(key, secret);
	rand_bytes(check, sizeof(check));
	buf_add(&in, check, 4);
	buf_add(&in, check, 4);
	buf_str(&in, public.blob);
	put_u32(&in, 2 * ED_BYTES);
	buf_add(&in, secret, ED_BYTES);
	buf_str(&in, str_from(public.blob, public.blob.n - ED_BYTES));
	put_str(&in, STR(""));
	for (char pad = 1; in.n % 8; pad++) buf_byte(&in, pad);
	buf_add(&all, "openssh-key-v1", 15);
	put_str(&all, STR("none"));
	put_str(&all, STR("none"));
	put_str(&all, STR(""));
	put_u32(&all, 1);
	put_str(&all, public.blob);
	put_str(&all, buf_done(&in));
	buf_lit(&text, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
	put_wrapped(&text, str_base64(a, buf_done(&all)), 70);
	buf_lit(&text, "-----END OPENSSH PRIVATE KEY-----\n");
	OPENSSL_cleanse(secret, sizeof(secret));
	return buf_done(&text);
}

struct str ssh_private_pem(struct arena *a, EVP_PKEY *key)
{
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) return openssh_private(a, key);
	BIO *out = BIO_new(BIO_s_mem());
	char *p;
	INVARIANT(out && PEM_write_bio_PrivateKey_traditional(out, key, NULL, NULL, 0, NULL, NULL) == 1);
	long n = BIO_get_mem_data(out, &p);
	struct str text = str_dup(a, str_n(p, (size_t)n));
	BIO_free(out);
	return text;
}

static void put_rsa_private(struct buf *b, EVP_PKEY *key)
{
	static const char *const names[] = {OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1,
		OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
	for (size_t i = 0; i < 4; i++) {
		BIGNUM *v = NULL;
		INVARIANT(EVP_PKEY_get_bn_param(key, names[i], &v) == 1);
		put_number(b, v);
		BN_clear_free(v);
	}
}

struct str ssh_private_ppk(struct arena *a, EVP_PKEY *key, struct str comment)
{
	struct ssh_public public = ssh_public_of(a, key);
	struct str name = public.kind == SSH_RSA ? RSA_NAME : ED_NAME;
	struct buf secret = BUF_IN(a), macced = BUF_IN(a), text = BUF_IN(a);
	unsigned char mac_key[SHA_DIGEST_LENGTH], mac[SHA_DIGEST_LENGTH], raw[ED_BYTES];
	if (public.kind == SSH_RSA) {
		put_rsa_private(&secret, key);
	} else {
		ed_private(key, raw);
		put_str(&secret, str_n(raw, sizeof(raw)));
		OPENSSL_cleanse(raw, sizeof(raw));
	}
	put_str(&macced, name);
	put_str(&macced, STR("none"));
	put_str(&macced, comment);
	put_str(&macced, public.blob);
	put_str(&macced, buf_done(&secret));
	SHA1((const unsigned char *)"putty-private-key-file-mac-key", 30, mac_key);
	HMAC(EVP_sha1(), mac_key, sizeof(mac_key), (const unsigned char *)macced.p, macced.n, mac, NULL);
	struct str pub64 = str_base64(a, public.blob), secret64 = str_base64(a, buf_done(&secret));
	buf_fmt(&text, "PuTTY-User-Key-File-2: %.*s\nEncryption: none\nComment: %.*s\nPublic-Lines: %zu\n",
		STR_ARG(name), STR_ARG(comment), (pub64.n + 63) / 64);
	put_wrapped(&text, pub64, 64);
	buf_fmt(&text, "Private-Lines: %zu\n", (secret64.n + 63) / 64);
	put_wrapped(&text, secret64, 64);
	struct str hex = str_hex(a, str_n(mac, sizeof(mac)));
	buf_fmt(&text, "Private-MAC: %.*s\n", STR_ARG(hex));
	return buf_done(&text);
}
