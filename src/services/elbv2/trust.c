/* Trust stores ("Mutual authentication with TLS in Application Load Balancer", the ALB guide): a bundle of CA
 * certificates and lists of revocation, read from S3 as the caller may and kept; a change reaches the listeners that
 * use it by their balancers' jobs. */
#include "call/inside.h"
#include "s3.h"
#include "services/elbv2/room.h"
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* "Quotas for your Application Load Balancers". */
enum {
	STORES_MAX = 20,
	CERTIFICATES_MAX = 25,
	LISTS_MAX = 30,
	ENTRIES_MAX = 500000,
	BUNDLE_BYTES = 1 << 20,
	LIST_BYTES = 50 << 20
};

static struct str key_of(struct ec2_place at, struct str name)
{
	struct key k = key_for(at.a, STR("elbv2"), STR("trust"), at.account, at.region);
	if (str_has(name)) key_str(&k, name);
	return key_done(&k);
}

static struct str arn_of(struct ec2_place at, const struct elbv2_rec_trust_store *t)
{
	return str_fmt(at.a, "arn:aws:elasticloadbalancing:%.*s:%.*s:truststore/%.*s/%.*s", STR_ARG(at.region),
		STR_ARG(at.account), STR_ARG(t->name), STR_ARG(t->id));
}

static void put(struct ec2_place at, const struct elbv2_rec_trust_store *t)
{
	store_put(at.tx, key_of(at, t->name), elbv2_rec_trust_store_encode(at.a, t));
}

static status get(struct ec2_place at, struct str name, struct elbv2_rec_trust_store *out)
{
	struct str bytes;
	*out = (struct elbv2_rec_trust_store){0};
	TRY(store_get(at.tx, key_of(at, name), &bytes));
	return elbv2_rec_trust_store_decode(at.a, bytes, out);
}

status elbv2_trust_by_arn(struct ec2_place at, struct str arn, struct elbv2_rec_trust_store *out)
{
	ptrdiff_t i = str_find(arn, STR(":truststore/"));
	if (i < 0) return STATUS(NOT_FOUND);
	struct str rest = str_from(arn, (size_t)i + 12), name = str_cut(&rest, '/');
	if (!name.n) return STATUS(NOT_FOUND);
	TRY(get(at, name, out));
	return str_eq(arn_of(at, out), arn) ? OK : STATUS(NOT_FOUND);
}

status elbv2_trust_find(struct call *c, struct str arn, struct elbv2_rec_trust_store *out)
{
	status s = elbv2_trust_by_arn(ec2_here(c), arn, out);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(
			c, ELBV2_ERR_TRUST_STORE_NOT_FOUND_EXCEPTION, "Trust store '%.*s' not found", STR_ARG(arn));
	return s;
}

void elbv2_trust_put(struct ec2_place at, const struct elbv2_rec_trust_store *t)
{
	put(at, t);
}

static int64_t revoked(const struct elbv2_rec_trust_store *t)
{
	int64_t n = 0;
	for (size_t i = 0; i < t->revocations.n; i++) n += t->revocations.v[i].entries.v;
	return n;
}

static void show(struct call *c, const struct elbv2_rec_trust_store *t, struct elbv2_trust_store *out)
{
	out->name = t->name;
	out->trust_store_arn = arn_of(ec2_here(c), t);
	out->status = STR("ACTIVE");
	out->number_of_ca_certificates = t->certificates;
	out->total_revoked_entries = SOME_I64(revoked(t));
}

/* ── what is in S3 ── */

/* As the caller may read it. FAILED: *missing where there is no such object, or it may not be read. */
static status read_object(
	struct call *c, struct str bucket, struct str key, struct str version, size_t most, struct str *bytes)
{
	struct s3_get_object_input in = {.bucket = bucket, .key = key, .version_id = version};
	struct inside_caller who = {.principal = c->principal, .region = c->region};
	struct inside *i = inside_run(c->cloud, &who, "s3", S3_OP_GET_OBJECT, &in, NULL);
	status s = i->ok ? inside_body(i, c->arena, ((const struct s3_get_object_output *)i->out)->body, most, bytes)
			 : STATUS(NOT_FOUND);
	inside_free(i);
	return s;
}

/* Their number; 0: something in it is no certificate of an authority. */
static int32_t count_certificates(struct str pem)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
	int32_t n = 0;
	bool well = true;
	for (X509 *x; (x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL; X509_free(x)) {
		n++;
		well = well && X509_check_ca(x) > 0;
	}
	BIO_free(b);
	return well ? n : 0;
}

/* The revoked serial numbers of PEM or DER lists, as PEM; negative: none can be read. */
static int64_t read_lists(struct arena *a, struct str given, struct str *pem)
{
	BIO *b = BIO_new_mem_buf(given.p, (int)given.n), *out = BIO_new(BIO_s_mem());
	int64_t n = 0;
	size_t lists = 0;
	X509_CRL *crl = PEM_read_bio_X509_CRL(b, NULL, NULL, NULL);
	if (!crl) {
		const unsigned char *p = (const unsigned char *)given.p;
		crl = d2i_X509_CRL(NULL, &p, (long)given.n);
	}
	while (crl) {
		STACK_OF(X509_REVOKED) *r = X509_CRL_get_REVOKED(crl);
		n += r ? sk_X509_REVOKED_num(r) : 0;
		lists += (size_t)PEM_write_bio_X509_CRL(out, crl);
		X509_CRL_free(crl);
		crl = PEM_read_bio_X509_CRL(b, NULL, NULL, NULL);
	}
	char *text;
	long length = BIO_get_mem_data(out, &text);
	*pem = str_dup(a, str_n(text, (size_t)length));
	BIO_free(out);
	BIO_free(b);
	return lists ? n : -1;
}

static status read_bundle(
	struct call *c, struct str bucket, struct str key, struct str version, struct elbv2_rec_trust_store *t)
{
	status s = read_object(c, bucket, key, version, BUNDLE_BYTES, &t->bundle);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(c, ELBV2_ERR_CA_CERTIFICATES_BUNDLE_NOT_FOUND_EXCEPTION,
			"The specified CA certificates bundle 's3://%.*s/%.*s' does not exist or cannot be accessed",
			STR_ARG(bucket), STR_ARG(key));
	int32_t n = is_ok(s) ? count_certificates(t->bundle) : 0;
	if (!n || n > CERTIFICATES_MAX)
		return call_fail(c, ELBV2_ERR_INVALID_CA_CERTIFICATES_BUNDLE_EXCEPTION,
			n ? "The CA certificates bundle has more than 25 certificates"
			  : "The CA certificates bundle is invalid, or empty");
	t->certificates = SOME_I32(n);
	return OK;
}

/* ── operations ── */

struct all_stores {
	struct elbv2_rec_trust_store *v;
	size_t n;
};

static status all_of(struct call *c, struct all_stores *out)
{
	size_t capacity = 0;
	struct str key, value, from = key_of(ec2_here(c), STR_NONE);
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	status s = OK;
	*out = (struct all_stores){0};
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct elbv2_rec_trust_store *t = VEC_PUSH(c->arena, out, &capacity);
		*t = (struct elbv2_rec_trust_store){0};
		s = elbv2_rec_trust_store_decode(c->arena, str_dup(c->arena, value), t);
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

status elbv2_create_trust_store(
	struct call *c, const struct elbv2_create_trust_store_input *in, struct elbv2_create_trust_store_output *out)
{
	struct elbv2_rec_trust_store t = {.name = in->name, .created = SOME_TIME(c->now_ms), .next = SOME_I64(1)}, old;
	struct all_stores all;
	size_t capacity = 0;
	TRY(elbv2_name_check(c, "trust store", in->name));
	status s = get(ec2_here(c), in->name, &old);
	if (is_ok(s))
		return call_fail(c, ELBV2_ERR_DUPLICATE_TRUST_STORE_NAME_EXCEPTION,
			"A trust store with the same name '%.*s' exists", STR_ARG(in->name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(all_of(c, &all));
	if (all.n >= STORES_MAX)
		return call_fail(c, ELBV2_ERR_TOO_MANY_TRUST_STORES_EXCEPTION,
			"The maximum number of trust stores has been reached");
	TRY(elbv2_tags_given(c, &t.tags, &in->tags));
	TRY(read_bundle(c, in->ca_certificates_bundle_s3_bucket, in->ca_certificates_bundle_s3_key,
		in->ca_certificates_bundle_s3_object_version, &t));
	t.id = elbv2_new_id(c->arena);
	put(ec2_here(c), &t);
	show(c, &t, VEC_PUSH(c->arena, &out->trust_stores, &capacity));
	return OK;
}

/* Who uses it takes it anew. */
static status changed(struct call *c, const struct elbv2_rec_trust_store *t)
{
	put(ec2_here(c), t);
	for (size_t i = 0; i < t->users.n; i++) {
		struct elbv2_rec_balancer b;
		struct elbv2_rec_listener l;
		if (is_ok(elbv2_listener_find(c, t->users.v[i], &b, &l))) elbv2_balancer_changed(c, &b);
		c->failure = (struct wire_failure){0};
	}
	return OK;
}

status elbv2_modify_trust_store(
	struct call *c, const struct elbv2_modify_trust_store_input *in, struct elbv2_modify_trust_store_output *out)
{
	struct elbv2_rec_trust_store t;
	size_t capacity = 0;
	TRY(elbv2_trust_find(c, in->trust_store_arn, &t));
	TRY(read_bundle(c, in->ca_certificates_bundle_s3_bucket, in->ca_certificates_bundle_s3_key,
		in->ca_certificates_bundle_s3_object_version, &t));
	TRY(changed(c, &t));
	show(c, &t, VEC_PUSH(c->arena, &out->trust_stores, &capacity));
	return OK;
}

status elbv2_delete_trust_store(
	struct call *c, const struct elbv2_delete_trust_store_input *in, struct elbv2_delete_trust_store_output *out)
{
	struct elbv2_rec_trust_store t;
	(void)out;
	TRY(elbv2_trust_find(c, in->trust_store_arn, &t));
	if (t.users.n)
		return call_fail(c, ELBV2_ERR_TRUST_STORE_IN_USE_EXCEPTION,
			"Trust store '%.*s' is currently in use by a listener", STR_ARG(in->trust_store_arn));
	store_delete(c->tx, key_of(ec2_here(c), t.name));
	return OK;
}

status elbv2_describe_trust_stores(struct call *c, const struct elbv2_describe_trust_stores_input *in,
	struct elbv2_describe_trust_stores_output *out)
{
	struct elbv2_rec_trust_store t;
	struct all_stores all;
	size_t capacity = 0;
	if (in->names.n && in->trust_store_arns.n)
		return call_fail(c, ERR_VALIDATION,
			"Trust store names and trust store ARNs cannot be specified at the same time");
	VEC_PRESENT(c->arena, &out->trust_stores);
	for (size_t i = 0; i < in->trust_store_arns.n; i++) {
		TRY(elbv2_trust_find(c, in->trust_store_arns.v[i], &t));
		show(c, &t, VEC_PUSH(c->arena, &out->trust_stores, &capacity));
	}
	for (size_t i = 0; i < in->names.n; i++) {
		status s = get(ec2_here(c), in->names.v[i], &t);
		if (status_is(s, STATUS_NOT_FOUND))
			return call_fail(
				c, ELBV2_ERR_TRUST_STORE_NOT_FOUND_EXCEPTION, "One or more trust stores not found");
		TRY(s);
		show(c, &t, VEC_PUSH(c->arena, &out->trust_stores, &capacity));
	}
	if (!in->names.n && !in->trust_store_arns.n) {
		TRY(all_of(c, &all));
		for (size_t i = 0; i < all.n; i++)
			show(c, &all.v[i], VEC_PUSH(c->arena, &out->trust_stores, &capacity));
	}
	return elbv2_page(
		c, &out->trust_stores, sizeof(*out->trust_stores.v), in->page_size, in->marker, &out->next_marker);
}

status elbv2_describe_trust_store_associations(struct call *c,
	const struct elbv2_describe_trust_store_associations_input *in,
	struct elbv2_describe_trust_store_associations_output *out)
{
	struct elbv2_rec_trust_store t;
	size_t capacity = 0;
	TRY(elbv2_trust_find(c, in->trust_store_arn, &t));
	VEC_PRESENT(c->arena, &out->trust_store_associations);
	for (size_t i = 0; i < t.users.n; i++)
		VEC_PUSH(c->arena, &out->trust_store_associations, &capacity)->resource_arn = t.users.v[i];
	return elbv2_page(c, &out->trust_store_associations, sizeof(*out->trust_store_associations.v), in->page_size,
		in->marker, &out->next_marker);
}

/* ── revocations ── */

status elbv2_add_trust_store_revocations(struct call *c, const struct elbv2_add_trust_store_revocations_input *in,
	struct elbv2_add_trust_store_revocations_output *out)
{
	struct elbv2_rec_trust_store t;
	size_t capacity = 0, shown = 0;
	TRY(elbv2_trust_find(c, in->trust_store_arn, &t));
	struct elbv2_rec_revocations now = {0};
	for (size_t i = 0; i < t.revocations.n; i++) *VEC_PUSH(c->arena, &now, &capacity) = t.revocations.v[i];
	t.revocations = now;
	for (size_t i = 0; i < in->revocation_contents.n; i++) {
		const struct elbv2_revocation_content *r = &in->revocation_contents.v[i];
		struct str bytes, pem;
		status s = read_object(c, r->s3_bucket, r->s3_key, r->s3_object_version, LIST_BYTES, &bytes);
		if (status_is(s, STATUS_NOT_FOUND))
			return call_fail(c, ELBV2_ERR_REVOCATION_CONTENT_NOT_FOUND_EXCEPTION,
				"The specified revocation file 's3://%.*s/%.*s' does not exist or cannot be accessed",
				STR_ARG(r->s3_bucket), STR_ARG(r->s3_key));
		int64_t n = is_ok(s) ? read_lists(c->arena, bytes, &pem) : -1;
		if (n < 0)
			return call_fail(c, ELBV2_ERR_INVALID_REVOCATION_CONTENT_EXCEPTION,
				"The provided revocation file 's3://%.*s/%.*s' is an invalid format, or uses an "
				"incorrect algorithm",
				STR_ARG(r->s3_bucket), STR_ARG(r->s3_key));
		*VEC_PUSH(c->arena, &t.revocations, &capacity) = (struct elbv2_rec_revocation){
			.id = t.next, .content = pem, .entries = SOME_I64(n), .type = STR("CRL")};
		struct elbv2_trust_store_revocation *o = VEC_PUSH(c->arena, &out->trust_store_revocations, &shown);
		*o = (struct elbv2_trust_store_revocation){.trust_store_arn = in->trust_store_arn,
			.revocation_id = t.next,
			.revocation_type = STR("CRL"),
			.number_of_revoked_entries = SOME_I64(n)};
		t.next = SOME_I64(t.next.v + 1);
	}
	if (t.revocations.n > LISTS_MAX || revoked(&t) > ENTRIES_MAX)
		return call_fail(c, ELBV2_ERR_TOO_MANY_TRUST_STORE_REVOCATION_ENTRIES_EXCEPTION,
			"The trust store has too many revocation entries");
	return changed(c, &t);
}

static const struct elbv2_rec_revocation *revocation_of(const struct elbv2_rec_trust_store *t, int64_t id)
{
	for (size_t i = 0; i < t->revocations.n; i++)
		if (t->revocations.v[i].id.v == id) return &t->revocations.v[i];
	return NULL;
}

static status no_revocation(struct call *c, int64_t id)
{
	return call_fail(
		c, ELBV2_ERR_REVOCATION_ID_NOT_FOUND_EXCEPTION, "Revocation ID '%lld' not found", (long long)id);
}

status elbv2_remove_trust_store_revocations(struct call *c, const struct elbv2_remove_trust_store_revocations_input *in,
	struct elbv2_remove_trust_store_revocations_output *out)
{
	struct elbv2_rec_trust_store t;
	struct elbv2_rec_revocations kept = {0};
	size_t capacity = 0;
	(void)out;
	TRY(elbv2_trust_find(c, in->trust_store_arn, &t));
	for (size_t i = 0; i < in->revocation_ids.n; i++)
		if (!revocation_of(&t, in->revocation_ids.v[i].v)) return no_revocation(c, in->revocation_ids.v[i].v);
	for (size_t i = 0; i < t.revocations.n; i++) {
		bool goes = false;
		for (size_t k = 0; k < in->revocation_ids.n; k++)
			goes = goes || in->revocation_ids.v[k].v == t.revocations.v[i].id.v;
		if (!goes) *VEC_PUSH(c->arena, &kept, &capacity) = t.revocations.v[i];
	}
	t.revocations = kept;
	return changed(c, &t);
}

status elbv2_describe_trust_store_revocations(struct call *c,
	const struct elbv2_describe_trust_store_revocations_input *in,
	struct elbv2_describe_trust_store_revocations_output *out)
{
	struct elbv2_rec_trust_store t;
	size_t capacity = 0;
	TRY(elbv2_trust_find(c, in->trust_store_arn, &t));
	for (size_t i = 0; i < in->revocation_ids.n; i++)
		if (!revocation_of(&t, in->revocation_ids.v[i].v)) return no_revocation(c, in->revocation_ids.v[i].v);
	VEC_PRESENT(c->arena, &out->trust_store_revocations);
	for (size_t i = 0; i < t.revocations.n; i++) {
		bool wanted = !in->revocation_ids.n;
		for (size_t k = 0; k < in->revocation_ids.n; k++)
			wanted = wanted || in->revocation_ids.v[k].v == t.revocations.v[i].id.v;
		if (!wanted) continue;
		*VEC_PUSH(c->arena, &out->trust_store_revocations, &capacity) =
			(struct elbv2_describe_trust_store_revocation){.trust_store_arn = in->trust_store_arn,
				.revocation_id = t.revocations.v[i].id,
				.revocation_type = t.revocations.v[i].type,
				.number_of_revoked_entries = t.revocations.v[i].entries};
	}
	return elbv2_page(c, &out->trust_store_revocations, sizeof(*out->trust_store_revocations.v), in->page_size,
		in->marker, &out->next_marker);
}
