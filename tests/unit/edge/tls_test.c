/* The same port speaks TLS, under the local authority's certificate; and the authority itself. */
#include "edge/ca.h"
#include "unit/edge/server.h"
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#define NOW_MS INT64_C(1795248000000) /* 2026-11-21 */
#define DAY_MS INT64_C(86400000)

static char dir[64];
static struct arena a;

static void make_dir(void)
{
	strcpy(dir, "/tmp/virga_ca_XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	strcat(dir, "/");
	arena_init(&a);
}

static const char *in_dir(const char *name) { return str_z(&a, str_fmt(&a, "%s%s", dir, name)); }

static void remove_dir(void)
{
	static const char *const names[] = {"ca.pem", "ca.key", "server.pem", "server.key"};
	for (size_t i = 0; i < 4; i++) unlink(in_dir(names[i]));
	CHECK(rmdir(dir) == 0);
	arena_cleanup(&a);
}

static X509 *parse(struct str pem)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
	BIO_free(b);
	CHECK(x != NULL);
	return x;
}

/* As a client verifies: the chain to the root, the purpose, the name, strictly. */
static int verify(const struct ca_files *f, const char *host, int64_t at_ms)
{
	X509 *ca = parse(f->ca_pem), *server = parse(f->cert_pem);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_STORE_add_cert(store, ca);
	X509_STORE_CTX_init(ctx, store, server, NULL);
	X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_X509_STRICT);
	X509_VERIFY_PARAM_set_purpose(p, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_time(p, (time_t)(at_ms / 1000));
	if (X509_VERIFY_PARAM_set1_ip_asc(p, host) != 1) X509_VERIFY_PARAM_set1_host(p, host, 0);
	int error = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_free(ca);
	X509_free(server);
	return error;
}

TEST(authority_is_made_once)
{
	struct ca_files f, g;
	struct stat st;

	make_dir();
	CHECK_OK(ca_load(dir, NOW_MS, &a, &f));
	CHECK_OK(ca_load(dir, NOW_MS + DAY_MS, &a, &g));
	CHECK_STR(g.ca_pem, f.ca_pem);
	CHECK_STR(g.cert_pem, f.cert_pem);
	CHECK_STR(g.key_pem, f.key_pem);
	CHECK(stat(in_dir("ca.key"), &st) == 0 && (st.st_mode & 0777) == 0600);
	CHECK(stat(in_dir("server.key"), &st) == 0 && (st.st_mode & 0777) == 0600);
	static const char *const good[] = {"localhost", "bucket.s3.localhost", "s3.localhost", "127.0.0.1", "::1",
		"s3.localhost.localstack.cloud", "localhost.localstack.cloud", "bucket.s3.localhost.localstack.cloud"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) CHECK(verify(&f, good[i], NOW_MS) == X509_V_OK);
	CHECK(verify(&f, "example.com", NOW_MS) == X509_V_ERR_HOSTNAME_MISMATCH);
	CHECK(verify(&f, "127.0.0.2", NOW_MS) == X509_V_ERR_IP_ADDRESS_MISMATCH);
	CHECK(verify(&f, "localhost", NOW_MS + 820 * DAY_MS) == X509_V_OK);
	CHECK(verify(&f, "localhost", NOW_MS + 826 * DAY_MS) == X509_V_ERR_CERT_HAS_EXPIRED);
	remove_dir();
}

TEST(certificate_is_renewed_under_the_same_authority)
{
	struct ca_files f, g;

	make_dir();
	CHECK_OK(ca_load(dir, NOW_MS, &a, &f));
	CHECK_OK(ca_load(dir, NOW_MS + 700 * DAY_MS, &a, &g));
	CHECK_STR(g.cert_pem, f.cert_pem);
	CHECK_OK(ca_load(dir, NOW_MS + 800 * DAY_MS, &a, &g));
	CHECK_STR(g.ca_pem, f.ca_pem);
	CHECK(!str_eq(g.cert_pem, f.cert_pem));
	CHECK(verify(&g, "localhost", NOW_MS + 1600 * DAY_MS) == X509_V_OK);
	/* A lost or foreign server certificate is made anew. */
	unlink(in_dir("server.pem"));
	CHECK_OK(ca_load(dir, NOW_MS, &a, &f));
	CHECK_STR(f.ca_pem, g.ca_pem);
	CHECK(verify(&f, "localhost", NOW_MS) == X509_V_OK);
	remove_dir();
}

TEST(a_damaged_authority_is_not_replaced)
{
	struct ca_files f;

	make_dir();
	CHECK_OK(ca_load(dir, NOW_MS, &a, &f));
	int fd = open(in_dir("ca.pem"), O_WRONLY | O_TRUNC);
	CHECK(write(fd, "junk", 4) == 4);
	close(fd);
	CHECK(status_is(ca_load(dir, NOW_MS, &a, &f), STATUS_CORRUPT));
	remove_dir();
	CHECK(status_is(ca_load("/nonexistent/", NOW_MS, &a, &f), STATUS_IO));
	arena_cleanup(&a);
}

static struct server s;

static SSL *tls_dial(SSL_CTX *ctx, int *fd)
{
	*fd = dial(&s);
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, *fd);
	SSL_set_tlsext_host_name(ssl, "localhost");
	SSL_set1_host(ssl, "localhost");
	CHECK(SSL_connect(ssl) == 1);
	CHECK(SSL_get_verify_result(ssl) == X509_V_OK);
	return ssl;
}

static size_t tls_ask(SSL *ssl, const char *text, char *out, size_t size)
{
	size_t n = 0, want = 0;

	CHECK(SSL_write(ssl, text, (int)strlen(text)) > 0);
	memset(out, 0, size);
	while (n < size - 1) {
		int got = SSL_read(ssl, out + n, (int)(size - 1 - n));
		if (got <= 0) break;
		n += (size_t)got;
		char *end = strstr(out, "\r\n\r\n"), *length = strcasestr(out, "content-length: ");
		if (end && length) want = (size_t)(end + 4 - out) + strtoull(length + 16, NULL, 10);
		if (want && n >= want) break;
	}
	return n;
}

TEST(one_port_speaks_both)
{
	struct ca_files f;
	char *out = mem_new(1 << 20);

	make_dir();
	int64_t now_ms = (int64_t)time(NULL) * 1000;
	CHECK_OK(ca_load(dir, now_ms, &a, &f));
	server_start(&s, (struct edge_options){
				 .tls_certificate = str_z(&a, f.cert_pem), .tls_key = str_z(&a, f.key_pem), .idle_timeout_s = 1});
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	X509 *ca = parse(f.ca_pem);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca);
	X509_free(ca);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);

	int fd, silent = dial(&s);
	SSL *ssl = tls_dial(ctx, &fd);
	tls_ask(ssl, "GET /target?q HTTP/1.1\r\nHost: localhost\r\n\r\n", out, 1 << 20);
	CHECK(strstr(out, "/target?q|/target|q|localhost|query") != NULL);
	tls_ask(ssl, "GET /async HTTP/1.1\r\nHost: localhost\r\n\r\n", out, 1 << 20);
	CHECK(strstr(out, "later") != NULL);
	/* A file cannot go by sendfile here. */
	tls_ask(ssl, "GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n", out, 1 << 20);
	char *body = strstr(out, "\r\n\r\n");
	bool same = body != NULL;
	for (size_t i = 0; same && i < 500000; i++) same = (unsigned char)body[4 + i] == (1000 + i) % 251;
	CHECK(same);
	struct reply r = ask(&s, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	CHECK(r.code == 200 && r.whole);
	free(r.body);
	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);

	/* Neither TLS nor HTTP; and a first byte of TLS with nothing behind it. */
	struct client c = {.fd = dial(&s)};
	say_n(&c, "\x16\x03\x01", 3);
	struct client junk = {.fd = dial(&s)};
	say_n(&junk, "\x16\xff\xff\xff\xff\xff\xff\xff\xff", 9);
	/* Perhaps with an alert first. */
	while (fill(&junk)) junk.n = 0;
	while (fill(&c)) c.n = 0;
	CHECK(closed(&junk));
	CHECK(closed(&c));
	struct client quiet = {.fd = silent};
	CHECK(closed(&quiet));
	close(c.fd), close(junk.fd), close(silent);
	SSL_CTX_free(ctx);
	server_stop(&s, 1000);

	/* Without TLS a TLS client is just a bad request. */
	server_start(&s, (struct edge_options){.idle_timeout_s = 1});
	c = (struct client){.fd = dial(&s)};
	say_n(&c, "\x16\x03\x01\x00\x05hello\r\n\r\n", 14);
	while (fill(&c)) c.n = 0;
	CHECK(closed(&c));
	close(c.fd);
	server_stop(&s, 1000);
	remove_dir();
	free(out);
}

TEST_MAIN()
