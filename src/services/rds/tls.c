/* Servers' certificates, signed by the installation's authority, and that authority as DescribeCertificates shows it.
 * "Using SSL/TLS to encrypt a connection to a DB instance", the guide. */
#include "edge/ca.h"
#include "services/rds/controller.h"
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#define VALID_MS (825ll * 24 * 60 * 60 * 1000)

status rds_certificate_write(
	struct cloud *cloud, struct arena *a, struct str folder, const struct str *names, size_t n_names)
{
	struct stat st;
	struct ca_server made;
	if (stat(rds_path(cloud, a, folder, "server.key"), &st) == 0) return OK;
	struct ca_order order = {.names = names,
		.n_names = n_names,
		.now_ms = clock_now(cloud->clock) - clock_offset(cloud->clock),
		.valid_ms = VALID_MS};
	TRY(ca_issue_server(store_dir(cloud->store), &order, a, &made));
	TRY(rds_write(cloud, a, folder, "server.crt", made.chain, false));
	/* The key last: with it TLS is on. The agent gives it to the server's user before the server starts. */
	return rds_write(cloud, a, folder, "server.key", made.key, true);
}

status rds_node_certificate(struct rds_work *w, const struct rds_rec_node *n)
{
	struct str folder = str_fmt(w->at.a, "%.*s/%.*s", STR_ARG(rds_folder(w->at.a, w->r)), STR_ARG(n->letter));
	struct str names[4] = {w->r->name, w->r->reader_name};
	size_t n_names = rds_is_cluster(w->r->dbi_resource_id) ? 2 : 1;
	if (n_names > 1 && str_has(n->instance)) {
		struct str rest = names[1];
		(void)str_cut(&rest, '.');
		names[n_names++] = rds_endpoint_name(w->at.a, w->at, n->instance);
		/* Custom endpoints: "cluster-ro-…" is "cluster-custom-…" for them. */
		names[n_names++] =
			str_cat(w->at.a, STR("*.cluster-custom-"), str_from(rest, sizeof("cluster-ro-") - 1));
	}
	return rds_certificate_write(w->cloud, w->at.a, folder, names, n_names);
}

static int64_t time_of(const ASN1_TIME *t)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;
	int64_t ms = epoch && ASN1_TIME_diff(&days, &seconds, epoch, t) == 1 ? (days * 86400ll + seconds) * 1000 : 0;
	ASN1_TIME_free(epoch);
	return ms;
}

status rds_describe_certificates(
	struct call *c, const struct rds_describe_certificates_input *in, struct rds_describe_certificates_output *out)
{
	static const char *const none[] = {NULL};
	struct ca_files files;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, none));
	if (str_has(in->certificate_identifier) && !str_is(in->certificate_identifier, RDS_CA))
		return RDS_FAIL(c, CERTIFICATE_NOT_FOUND_FAULT, "Certificate not found: %.*s",
			STR_ARG(in->certificate_identifier));
	TRY(ca_load(store_dir(c->cloud->store), c->now_ms - clock_offset(c->cloud->clock), c->arena, &files));
	BIO *b = BIO_new_mem_buf(files.ca_pem.p, (int)files.ca_pem.n);
	X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
	BIO_free(b);
	if (!x) return STATUS(CORRUPT);
	X509_digest(x, EVP_sha1(), digest, &n);
	*VEC_PUSH(c->arena, &out->certificates, &capacity) =
		(struct rds_certificate){.certificate_identifier = STR(RDS_CA),
			.certificate_type = STR("CA"),
			.thumbprint = str_hex(c->arena, str_n(digest, n)),
			.valid_from = SOME_TIME(time_of(X509_get0_notBefore(x))),
			.valid_till = SOME_TIME(time_of(X509_get0_notAfter(x))),
			.certificate_arn = str_fmt(c->arena, "arn:aws:rds:%.*s::cert:" RDS_CA, STR_ARG(c->region)),
			.customer_override = SOME_BOOL(false)};
	X509_free(x);
	out->default_certificate_for_new_launches = STR(RDS_CA);
	return OK;
}
