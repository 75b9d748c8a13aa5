/* Describing, listing, tagging, revoking and deleting certificates. */
#include "services/acm/room.h"

enum { PAGE = 1000, SUMMARY_NAMES = 100 };

static bool is_eligible(const struct acm_cert *cert, int64_t now_ms)
{
	return str_is(cert->r.type, "AMAZON_ISSUED") && str_is(acm_status(&cert->r, now_ms), "ISSUED") &&
	       (cert->r.users.n || cert->r.exported.v);
}

static struct acm_renewal_summary *renewal_of(struct call *c, const struct acm_cert *cert)
{
	if (!cert->r.renewed.has) return NULL;
	struct acm_renewal_summary *r = arena_new(c->arena, struct acm_renewal_summary);
	r->renewal_status = STR("SUCCESS");
	r->domain_validation_options = acm_validations(c, cert, STR("SUCCESS"));
	r->updated_at = cert->r.renewed;
	return r;
}

static void show_usages(struct call *c, const struct acm_cert *cert, struct acm_certificate_detail *d)
{
	static const struct {
		const char *name, *oid;
	} oids[] = {{"TLS_WEB_SERVER_AUTHENTICATION", "1.3.6.1.5.5.7.3.1"},
		{"TLS_WEB_CLIENT_AUTHENTICATION", "1.3.6.1.5.5.7.3.2"}, {"CODE_SIGNING", "1.3.6.1.5.5.7.3.3"},
		{"EMAIL_PROTECTION", "1.3.6.1.5.5.7.3.4"}, {"TIME_STAMPING", "1.3.6.1.5.5.7.3.8"},
		{"OCSP_SIGNING", "1.3.6.1.5.5.7.3.9"}, {"ANY", "2.5.29.37.0"}};
	size_t keys = 0, more = 0;
	for (size_t i = 0; i < cert->r.key_usages.n; i++)
		VEC_PUSH(c->arena, &d->key_usages, &keys)->name = cert->r.key_usages.v[i];
	for (size_t i = 0; i < cert->r.extended_key_usages.n; i++) {
		struct acm_extended_key_usage *u = VEC_PUSH(c->arena, &d->extended_key_usages, &more);
		u->name = cert->r.extended_key_usages.v[i];
		for (size_t k = 0; k < sizeof(oids) / sizeof(oids[0]); k++)
			if (str_eq(u->name, str_c(oids[k].name))) u->oid = str_c(oids[k].oid);
	}
}

status acm_describe_certificate(
	struct call *c, const struct acm_describe_certificate_input *in, struct acm_describe_certificate_output *out)
{
	struct acm_cert cert;
	TRY(acm_find(c, in->certificate_arn, &cert));
	struct acm_certificate_detail *d = out->certificate = arena_new(c->arena, struct acm_certificate_detail);
	const struct acm_rec_certificate *r = &cert.r;
	bool imported = str_is(r->type, "IMPORTED"), issued = str_has(r->certificate);
	d->certificate_arn = cert.arn;
	d->domain_name = r->domain;
	d->subject_alternative_names.v = r->names.v;
	d->subject_alternative_names.n = r->names.n;
	d->status = acm_status(r, c->now_ms);
	d->type = r->type;
	d->key_algorithm = r->key_algorithm;
	d->created_at = r->created;
	d->issued_at = r->issued;
	d->imported_at = r->imported;
	d->in_use_by.v = r->users.v;
	d->in_use_by.n = r->users.n;
	VEC_PRESENT(c->arena, &d->in_use_by);
	d->subject = issued ? r->subject : str_fmt(c->arena, "CN=%.*s", STR_ARG(r->domain));
	d->issuer = issued ? r->issuer : STR("Amazon");
	d->serial = r->serial;
	d->signature_algorithm = str_or(r->signature_algorithm, STR("SHA256WITHRSA"));
	d->not_before = r->not_before;
	d->not_after = r->not_after;
	d->revoked_at = r->revoked;
	d->revocation_reason = r->revocation_reason;
	d->renewal_eligibility = is_eligible(&cert, c->now_ms) ? STR("ELIGIBLE") : STR("INELIGIBLE");
	d->options = arena_new(c->arena, struct acm_certificate_options);
	d->options->certificate_transparency_logging_preference = r->transparency;
	if (!imported) d->options->export = r->export;
	if (!imported)
		d->domain_validation_options =
			acm_validations(c, &cert, issued ? STR("SUCCESS") : STR("PENDING_VALIDATION"));
	d->renewal_summary = renewal_of(c, &cert);
	show_usages(c, &cert, d);
	return OK;
}

/* ── ListCertificates ── */

static bool any_of(const struct str *v, size_t n, struct str s)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i], s)) return true;
	return n == 0;
}

static bool has_any(const struct str *wanted, size_t n, const struct acm_rec_strings *have)
{
	for (size_t i = 0; i < have->n; i++)
		if (any_of(wanted, n, have->v[i])) return true;
	return n == 0;
}

/* "Default filtering returns only RSA_1024 and RSA_2048 certificates" (Filters, the reference). */
static bool wanted(const struct acm_list_certificates_input *in, const struct acm_cert *cert, struct str state)
{
	static const struct str usual[] = {{"RSA_1024", 8}, {"RSA_2048", 8}};
	const struct acm_filters *f = in->includes;
	if (!any_of(in->certificate_statuses.v, in->certificate_statuses.n, state)) return false;
	bool typed = f && f->key_types.n;
	if (!any_of(typed ? f->key_types.v : usual, typed ? f->key_types.n : 2, cert->r.key_algorithm)) return false;
	if (!f) return true;
	if (str_has(f->managed_by)) return false;
	if (str_has(f->export_option) && !str_eq(f->export_option, str_or(cert->r.export, STR("DISABLED"))))
		return false;
	return has_any(f->key_usage.v, f->key_usage.n, &cert->r.key_usages) &&
	       has_any(f->extended_key_usage.v, f->extended_key_usage.n, &cert->r.extended_key_usages);
}

static void summarize(struct call *c, const struct acm_cert *cert, struct acm_certificate_summary *s)
{
	const struct acm_rec_certificate *r = &cert->r;
	s->certificate_arn = cert->arn;
	s->domain_name = r->domain;
	s->subject_alternative_name_summaries.v = r->names.v;
	s->subject_alternative_name_summaries.n = r->names.n < SUMMARY_NAMES ? r->names.n : SUMMARY_NAMES;
	s->has_additional_subject_alternative_names = SOME_BOOL(r->names.n > SUMMARY_NAMES);
	s->status = acm_status(r, c->now_ms);
	s->type = r->type;
	s->key_algorithm = r->key_algorithm;
	s->key_usages.v = r->key_usages.v;
	s->key_usages.n = r->key_usages.n;
	s->extended_key_usages.v = r->extended_key_usages.v;
	s->extended_key_usages.n = r->extended_key_usages.n;
	VEC_PRESENT(c->arena, &s->key_usages);
	VEC_PRESENT(c->arena, &s->extended_key_usages);
	s->in_use = SOME_BOOL(r->users.n > 0);
	s->exported = SOME_BOOL(r->exported.v);
	if (!str_is(r->type, "IMPORTED")) s->export_option = r->export;
	s->renewal_eligibility = is_eligible(cert, c->now_ms) ? STR("ELIGIBLE") : STR("INELIGIBLE");
	s->not_before = r->not_before;
	s->not_after = r->not_after;
	s->created_at = r->created;
	s->issued_at = r->issued;
	s->imported_at = r->imported;
	s->revoked_at = r->revoked;
}

struct found {
	struct acm_cert *v;
	size_t n;
};

static void sort_by_age(struct found *f, bool descending)
{
	for (size_t i = 1; i < f->n; i++) {
		struct acm_cert moving = f->v[i];
		size_t at = i;
		for (; at && (descending ? f->v[at - 1].r.created.ms < moving.r.created.ms
					 : f->v[at - 1].r.created.ms > moving.r.created.ms);
			at--)
			f->v[at] = f->v[at - 1];
		f->v[at] = moving;
	}
}

static status read_token(struct call *c, struct str token, size_t *from)
{
	struct str text;
	uint64_t n;
	*from = 0;
	if (!str_has(token)) return OK;
	if (!is_ok(str_unbase64(c->arena, token, &text)) || !is_ok(str_to_u64(text, &n)))
		return call_fail(c, ACM_ERR_INVALID_ARGS_EXCEPTION, "The NextToken is not valid.");
	*from = (size_t)n;
	return OK;
}

status acm_list_certificates(
	struct call *c, const struct acm_list_certificates_input *in, struct acm_list_certificates_output *out)
{
	struct str from = acm_prefix(c->arena, c->account, c->region), key, value, id;
	struct found f = {0};
	size_t capacity = 0, shown = 0, skip;
	if (str_has(in->sort_by) != str_has(in->sort_order))
		return call_fail(c, ERR_VALIDATION, "SortBy and SortOrder must be given together.");
	TRY(read_token(c, in->next_token, &skip));
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct str rest = str_dup(c->arena, str_from(key, from.n));
		struct acm_cert cert;
		TRY(key_read_str(c->arena, &rest, &id));
		TRY(acm_get(c->tx, c->arena, c->account, c->region, id, &cert));
		if (wanted(in, &cert, acm_status(&cert.r, c->now_ms))) *VEC_PUSH(c->arena, &f, &capacity) = cert;
	}
	TRY(store_scan_end(scan));
	if (str_has(in->sort_by)) sort_by_age(&f, str_is(in->sort_order, "DESCENDING"));
	size_t limit = in->max_items.has ? (size_t)in->max_items.v : PAGE;
	VEC_PRESENT(c->arena, &out->certificate_summary_list);
	for (size_t i = skip; i < f.n && i < skip + limit; i++)
		summarize(c, &f.v[i], VEC_PUSH(c->arena, &out->certificate_summary_list, &shown));
	if (skip + limit < f.n) out->next_token = str_base64(c->arena, str_fmt(c->arena, "%zu", skip + limit));
	return OK;
}

/* ── tags ── */

status acm_tags_set(struct call *c, struct acm_cert *cert, const struct acm_tag_list *tags)
{
	size_t capacity = cert->r.tags.n;
	for (size_t i = 0; i < tags->n; i++) {
		struct str key = tags->v[i].key, value = str_or(tags->v[i].value, STR(""));
		bool there = false;
		if (str_istarts(key, STR("aws:")) && !c->system_tags)
			return call_fail(c, ACM_ERR_INVALID_TAG_EXCEPTION,
				"Tag keys that begin with aws: are reserved: %.*s", STR_ARG(key));
		for (size_t k = 0; k < cert->r.tags.n; k++)
			if (str_eq(cert->r.tags.v[k].key, key)) {
				cert->r.tags.v[k].value = value;
				there = true;
			}
		if (!there) *VEC_PUSH(c->arena, &cert->r.tags, &capacity) = (struct acm_rec_pairs_entry){key, value};
	}
	if (cert->r.tags.n > ACM_TAGS_MAX)
		return call_fail(
			c, ACM_ERR_TOO_MANY_TAGS_EXCEPTION, "A certificate may have at most %d tags.", ACM_TAGS_MAX);
	return OK;
}

status acm_add_tags_to_certificate(struct call *c, const struct acm_add_tags_to_certificate_input *in,
	struct acm_add_tags_to_certificate_output *out)
{
	struct acm_cert cert;
	(void)out;
	TRY(acm_find(c, in->certificate_arn, &cert));
	TRY(acm_tags_set(c, &cert, &in->tags));
	acm_put(c->tx, c->arena, &cert);
	return OK;
}

/* "If you specify a value, the tag is removed only if it is associated with the specified value". */
status acm_remove_tags_from_certificate(struct call *c, const struct acm_remove_tags_from_certificate_input *in,
	struct acm_remove_tags_from_certificate_output *out)
{
	struct acm_cert cert;
	struct acm_rec_pairs left = {0};
	size_t capacity = 0;
	(void)out;
	TRY(acm_find(c, in->certificate_arn, &cert));
	for (size_t i = 0; i < cert.r.tags.n; i++) {
		bool goes = false;
		for (size_t k = 0; k < in->tags.n; k++)
			goes = goes || (str_eq(in->tags.v[k].key, cert.r.tags.v[i].key) &&
					       (!str_has(in->tags.v[k].value) ||
						       str_eq(in->tags.v[k].value, cert.r.tags.v[i].value)));
		if (!goes) *VEC_PUSH(c->arena, &left, &capacity) = cert.r.tags.v[i];
	}
	cert.r.tags = left;
	acm_put(c->tx, c->arena, &cert);
	return OK;
}

status acm_list_tags_for_certificate(struct call *c, const struct acm_list_tags_for_certificate_input *in,
	struct acm_list_tags_for_certificate_output *out)
{
	struct acm_cert cert;
	size_t capacity = 0;
	TRY(acm_find(c, in->certificate_arn, &cert));
	VEC_PRESENT(c->arena, &out->tags);
	for (size_t i = 0; i < cert.r.tags.n; i++)
		*VEC_PUSH(c->arena, &out->tags, &capacity) =
			(struct acm_tag){cert.r.tags.v[i].key, cert.r.tags.v[i].value};
	return OK;
}

/* ── the end ── */

/* Only what was exported can be revoked ("Revoke an ACM public certificate", the guide). */
status acm_revoke_certificate(
	struct call *c, const struct acm_revoke_certificate_input *in, struct acm_revoke_certificate_output *out)
{
	struct acm_cert cert;
	TRY(acm_find(c, in->certificate_arn, &cert));
	if (!cert.r.exported.v || !str_is(acm_status(&cert.r, c->now_ms), "ISSUED"))
		return call_fail(c, ERR_VALIDATION,
			"Certificate %.*s was not exported, or is not issued: it cannot be revoked.",
			STR_ARG(cert.arn));
	if (cert.r.users.n)
		return call_fail(c, ACM_ERR_RESOURCE_IN_USE_EXCEPTION, "Certificate %.*s in account %.*s is in use.",
			STR_ARG(cert.arn), STR_ARG(c->account));
	cert.r.status = STR("REVOKED");
	cert.r.revoked = SOME_TIME(c->now_ms);
	cert.r.revocation_reason = in->revocation_reason;
	acm_put(c->tx, c->arena, &cert);
	out->certificate_arn = cert.arn;
	return OK;
}

status acm_delete_certificate(
	struct call *c, const struct acm_delete_certificate_input *in, struct acm_delete_certificate_output *out)
{
	struct acm_cert cert;
	(void)out;
	TRY(acm_find(c, in->certificate_arn, &cert));
	if (cert.r.users.n)
		return call_fail(c, ACM_ERR_RESOURCE_IN_USE_EXCEPTION, "Certificate %.*s in account %.*s is in use.",
			STR_ARG(cert.arn), STR_ARG(c->account));
	struct key k = key_begin(c->arena);
	key_append(&k, acm_prefix(c->arena, c->account, c->region));
	key_str(&k, cert.id);
	store_delete(c->tx, key_done(&k));
	struct str id =
		str_fmt(c->arena, "%.*s/%.*s/%.*s", STR_ARG(cert.account), STR_ARG(cert.region), STR_ARG(cert.id));
	jobs_cancel(c->tx, STR(ACM_JOB), id);
	return OK;
}
