/* The local certificate authority: one self-signed P-256 root per data folder, and under it the server's certificate,
 * with what browsers and SDKs ask of each (RFC 5280 section 4.2.1: basic constraints, key usage, key identifiers,
 * alternative names; EKU serverAuth; at most 825 days, as Apple's platforms refuse more). The server's key and
 * certificate are kept beside the root's (server.key, server.pem) and made anew when they end soon, do not fit, or miss
 * a name. */
#include "edge/ca.h"
#include "base/aws_regions.h"
#include "base/buf.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CA_DAYS = 3650, SERVER_DAYS = 825, RENEW_DAYS = 30, SKEW_S = 3600, DAY_S = 86400, MAX_FILE = 64 * 1024 };

static const char *const server_names[] = {"DNS:localhost",
	"DNS:*.localhost", /* OpenSSL matches no wildcard directly under a top-level name: hence the next */
	"DNS:s3.localhost", "DNS:*.s3.localhost", "DNS:*.s3.us-east-1.localhost", "DNS:*.execute-api.localhost",
	"DNS:*.lambda-url.us-east-1.localhost", "DNS:localhost.localstack.cloud", "DNS:*.localhost.localstack.cloud",
	"DNS:*.s3.localhost.localstack.cloud", "DNS:*.execute-api.localhost.localstack.cloud", "IP:127.0.0.1", "IP:::1",
	/* AWS's own names: what SDKs inside a VPC's machines ask for. */
	"DNS:*.amazonaws.com", "DNS:*.s3.amazonaws.com",
#define NAMES(region, ...)                                                                                             \
	"DNS:*." region ".amazonaws.com", "DNS:*.s3." region ".amazonaws.com",                                         \
		"DNS:*.s3-control." region ".amazonaws.com",
	AWS_REGIONS(NAMES)
#undef NAMES
};

struct pair {
	X509 *certificate;
	EVP_PKEY *key;
};

static void pair_cleanup(struct pair *p)
{
	X509_free(p->certificate);
	EVP_PKEY_free(p->key);
	*p = (struct pair){0};
}

/* ── files ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static status read_file(const char *path, struct arena *a, struct str *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t n = 0;

	if (fd < 0) return errno == ENOENT ? STATUS(NOT_FOUND) : STATUS(IO);
	char *p = arena_alloc(a, MAX_FILE);
	for (;;) {
		ssize_t got = read(fd, p + n, MAX_FILE - 1 - n);
		if (got < 0 && errno == EINTR) continue;
		if (got <= 0) break;
		n += (size_t)got;
	}
	close(fd);
	*out = (struct str){p, n};
	return n == MAX_FILE - 1 ? STATUS(LIMIT) : OK;
}

/* Whole or not at all: a name of its own, synced, renamed. */
static status write_file(const char *path, struct arena *a, struct str text, mode_t mode)
{
	const char *temporary = str_z(a, str_fmt(a, "%s.new", path));
	size_t done = 0;

	unlink(temporary);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) return STATUS(IO);
	while (done < text.n) {
		ssize_t n = write(fd, text.p + done, text.n - done);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) break;
		done += (size_t)n;
	}
	bool ok = done == text.n && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	if (ok && rename(temporary, path) == 0) return OK;
	unlink(temporary);
	return STATUS(IO);
}

static struct str bio_text(BIO *b, struct arena *a)
{
	char *p;
	long n = BIO_get_mem_data(b, &p);

	return str_dup(a, str_n(p, n > 0 ? (size_t)n : 0));
}

static struct str certificate_pem(X509 *x, struct arena *a)
{
	BIO *b = BIO_new(BIO_s_mem());

	INVARIANT(b && PEM_write_bio_X509(b, x));
	struct str s = bio_text(b, a);
	BIO_free(b);
	return s;
}

static struct str key_pem(EVP_PKEY *k, struct arena *a)
{
	BIO *b = BIO_new(BIO_s_mem());

	INVARIANT(b && PEM_write_bio_PrivateKey(b, k, NULL, NULL, 0, NULL, NULL));
	struct str s = bio_text(b, a);
	BIO_free(b);
	return s;
}

/* OK with a pair whose key fits its certificate; NOT_FOUND where a file is missing; CORRUPT otherwise. */
static status read_pair(const char *certificate_path, const char *key_path, struct arena *a, struct pair *out)
{
	struct str c, k;

	TRY(read_file(certificate_path, a, &c));
	TRY(read_file(key_path, a, &k));
	BIO *cb = BIO_new_mem_buf(c.p, (int)c.n), *kb = BIO_new_mem_buf(k.p, (int)k.n);
	INVARIANT(cb && kb);
	out->certificate = PEM_read_bio_X509(cb, NULL, NULL, NULL);
	out->key = PEM_read_bio_PrivateKey(kb, NULL, NULL, NULL);
	BIO_free(cb);
	BIO_free(kb);
	if (out->certificate && out->key && X509_check_private_key(out->certificate, out->key) == 1) return OK;
	pair_cleanup(out);
	return STATUS(CORRUPT);
}

/* The key goes first: a certificate without its key would be taken for a damaged pair. */
static status write_pair(const char *certificate_path, const char *key_path, struct arena *a, const struct pair *p)
{
	TRY(write_file(key_path, a, key_pem(p->key, a), 0600));
	return write_file(certificate_path, a, certificate_pem(p->certificate, a), 0644);
}

/* ── certificates ─────────────────────────────────────────────────────────────────────────────────────────────── */

static void extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	INVARIANT(e && X509_add_ext(x, e, -1) == 1);
	X509_EXTENSION_free(e);
}

static void set_name(X509_NAME *n, const char *common_name)
{
	INVARIANT(X509_NAME_add_entry_by_txt(n, "O", MBSTRING_UTF8, (const unsigned char *)"virga", -1, -1, 0) == 1);
	INVARIANT(
		X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0) == 1);
}

static void set_serial(X509 *x)
{
	BIGNUM *b = BN_new();

	INVARIANT(b && BN_rand(b, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1);
	INVARIANT(BN_to_ASN1_INTEGER(b, X509_get_serialNumber(x)));
	BN_free(b);
}

static X509 *new_certificate(EVP_PKEY *key, const char *common_name, int64_t now_s, int days)
{
	X509 *x = X509_new();

	INVARIANT(x && X509_set_version(x, X509_VERSION_3) == 1);
	set_serial(x);
	/* A clock that stands a little behind must accept it too. */
	INVARIANT(ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(now_s - SKEW_S)));
	INVARIANT(ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(now_s - SKEW_S + (int64_t)days * DAY_S - 1)));
	set_name(X509_get_subject_name(x), common_name);
	INVARIANT(X509_set_pubkey(x, key) == 1);
	return x;
}

static void make_authority(int64_t now_s, struct pair *out)
{
	out->key = EVP_EC_gen("P-256");
	INVARIANT(out->key);
	X509 *x = out->certificate = new_certificate(out->key, "virga local authority", now_s, CA_DAYS);
	INVARIANT(X509_set_issuer_name(x, X509_get_subject_name(x)) == 1);
	extend(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
	extend(x, x, NID_key_usage, "critical,keyCertSign,cRLSign");
	extend(x, x, NID_subject_key_identifier, "hash");
	extend(x, x, NID_authority_key_identifier, "keyid:always");
	INVARIANT(X509_sign(x, out->key, EVP_sha256()) > 0);
}

static const char *names_text(struct arena *a)
{
	struct buf b = BUF_IN(a);

	for (size_t i = 0; i < sizeof(server_names) / sizeof(server_names[0]); i++) {
		if (i) buf_byte(&b, ',');
		buf_str(&b, str_c(server_names[i]));
	}
	return str_z(a, buf_done(&b));
}

static void make_server(const struct pair *ca, int64_t now_s, struct arena *a, struct pair *out)
{
	out->key = EVP_EC_gen("P-256");
	INVARIANT(out->key);
	X509 *x = out->certificate = new_certificate(out->key, "localhost", now_s, SERVER_DAYS);
	INVARIANT(X509_set_issuer_name(x, X509_get_subject_name(ca->certificate)) == 1);
	extend(x, ca->certificate, NID_basic_constraints, "critical,CA:FALSE");
	extend(x, ca->certificate, NID_key_usage, "critical,digitalSignature");
	extend(x, ca->certificate, NID_ext_key_usage, "serverAuth");
	extend(x, ca->certificate, NID_subject_key_identifier, "hash");
	extend(x, ca->certificate, NID_authority_key_identifier, "keyid:always");
	extend(x, ca->certificate, NID_subject_alt_name, names_text(a));
	INVARIANT(X509_sign(x, ca->key, EVP_sha256()) > 0);
}

static bool lasts(X509 *x, int64_t now_s, int64_t days)
{
	time_t now = (time_t)now_s, then = (time_t)(now_s + days * DAY_S);

	return X509_cmp_time(X509_get0_notBefore(x), &now) < 0 && X509_cmp_time(X509_get0_notAfter(x), &then) > 0;
}

static bool has_every_name(X509 *x, struct arena *a)
{
	BIO *want_text = BIO_new(BIO_s_mem()), *have_text = BIO_new(BIO_s_mem());
	X509_EXTENSION *want = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names_text(a));
	int at = X509_get_ext_by_NID(x, NID_subject_alt_name, -1);

	INVARIANT(want_text && have_text && want);
	bool same = at >= 0 && X509V3_EXT_print(want_text, want, 0, 0) == 1 &&
		    X509V3_EXT_print(have_text, X509_get_ext(x, at), 0, 0) == 1 &&
		    str_eq(bio_text(want_text, a), bio_text(have_text, a));
	X509_EXTENSION_free(want);
	BIO_free(want_text);
	BIO_free(have_text);
	return same;
}

status ca_load(const char *dir, int64_t now_ms, struct arena *a, struct ca_files *out)
{
	const char *ca_path = str_z(a, str_fmt(a, "%sca.pem", dir)), *ca_key = str_z(a, str_fmt(a, "%sca.key", dir));
	const char *path = str_z(a, str_fmt(a, "%sserver.pem", dir)), *key = str_z(a, str_fmt(a, "%sserver.key", dir));
	struct pair ca = {0}, server = {0};
	int64_t now_s = now_ms / 1000;
	status s = read_pair(ca_path, ca_key, a, &ca);

	/* An authority that cannot be read is not replaced behind the user's back, unless a first start broke off
	 * between key and certificate: users have installed it in their browsers. One that has ended is of no use to
	 * anyone. */
	bool ended = is_ok(s) && !lasts(ca.certificate, now_s, RENEW_DAYS);
	if (status_is(s, STATUS_NOT_FOUND) || ended) {
		pair_cleanup(&ca);
		make_authority(now_s, &ca);
		s = write_pair(ca_path, ca_key, a, &ca);
	}
	if (!is_ok(s)) {
		pair_cleanup(&ca);
		return s;
	}
	s = read_pair(path, key, a, &server);
	bool fits = is_ok(s) && lasts(server.certificate, now_s, RENEW_DAYS) && has_every_name(server.certificate, a) &&
		    X509_verify(server.certificate, ca.key) == 1;
	if (!fits) {
		pair_cleanup(&server);
		make_server(&ca, now_s, a, &server);
		s = write_pair(path, key, a, &server);
	}
	if (is_ok(s)) {
		out->ca_pem = certificate_pem(ca.certificate, a);
		out->ca_hash = str_fmt(a, "%08lx", X509_subject_name_hash(ca.certificate));
		out->cert_pem = str_cat(a, certificate_pem(server.certificate, a), out->ca_pem);
		out->key_pem = key_pem(server.key, a);
	}
	pair_cleanup(&ca);
	pair_cleanup(&server);
	return s;
}

/* ── for others ───────────────────────────────────────────────────────────────────────────────────────────────── */

static void issue(const struct pair *ca, const struct ca_order *o, struct arena *a, struct ca_signed *out)
{
	struct buf b = BUF_IN(a);
	int64_t begin = o->now_ms / 1000 - SKEW_S, end = begin + o->valid_ms / 1000 - 1;
	const char *usage = EVP_PKEY_get_base_id(o->key) == EVP_PKEY_RSA ? "critical,digitalSignature,keyEncipherment"
									 : "critical,digitalSignature";
	X509 *x = X509_new();

	INVARIANT(x && X509_set_version(x, X509_VERSION_3) == 1);
	set_serial(x);
	INVARIANT(ASN1_TIME_set(X509_getm_notBefore(x), (time_t)begin));
	INVARIANT(ASN1_TIME_set(X509_getm_notAfter(x), (time_t)end));
	if (ASN1_TIME_compare(X509_get0_notAfter(x), X509_get0_notAfter(ca->certificate)) > 0)
		INVARIANT(X509_set1_notAfter(x, X509_get0_notAfter(ca->certificate)) == 1);
	/* RFC 5280, appendix A: a common name has 64 characters at most. */
	if (o->names[0].n <= 64)
		INVARIANT(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
				  (const unsigned char *)o->names[0].p, (int)o->names[0].n, -1, 0) == 1);
	INVARIANT(X509_set_issuer_name(x, X509_get_subject_name(ca->certificate)) == 1);
	INVARIANT(X509_set_pubkey(x, o->key) == 1);
	for (size_t i = 0; i < o->n_names; i++) buf_fmt(&b, "%sDNS:%.*s", i ? "," : "", STR_ARG(o->names[i]));
	extend(x, ca->certificate, NID_basic_constraints, "critical,CA:FALSE");
	extend(x, ca->certificate, NID_key_usage, usage);
	extend(x, ca->certificate, NID_ext_key_usage, "serverAuth,clientAuth");
	extend(x, ca->certificate, NID_subject_key_identifier, "hash");
	extend(x, ca->certificate, NID_authority_key_identifier, "keyid:always");
	extend(x, ca->certificate, NID_subject_alt_name, str_z(a, buf_done(&b)));
	INVARIANT(X509_sign(x, ca->key, EVP_sha256()) > 0);
	out->certificate = certificate_pem(x, a);
	out->ca = certificate_pem(ca->certificate, a);
	X509_free(x);
}

status ca_issue(const char *dir, const struct ca_order *o, struct arena *a, struct ca_signed *out)
{
	const char *path = str_z(a, str_fmt(a, "%sca.pem", dir)), *key = str_z(a, str_fmt(a, "%sca.key", dir));
	struct ca_files files;
	struct pair ca = {0};
	status s = read_pair(path, key, a, &ca);

	if (status_is(s, STATUS_NOT_FOUND)) {
		TRY(ca_load(dir, o->now_ms, a, &files));
		s = read_pair(path, key, a, &ca);
	}
	if (is_ok(s)) issue(&ca, o, a, out);
	pair_cleanup(&ca);
	return s;
}

status ca_issue_server(const char *dir, const struct ca_order *o, struct arena *a, struct ca_server *out)
{
	struct ca_order order = *o;
	struct ca_signed made;
	order.key = EVP_EC_gen("P-256");
	INVARIANT(order.key);
	status s = ca_issue(dir, &order, a, &made);
	if (is_ok(s)) *out = (struct ca_server){str_cat(a, made.certificate, made.ca), key_pem(order.key, a)};
	EVP_PKEY_free(order.key);
	return s;
}
