/* Server certificates. The private key is wrapped by the vault: no operation answers it. */
#include "services/iam/internal.h"
#include "services/iam/pem.h"
#include "vault/vault.h"
#include <openssl/err.h>
#include <openssl/pem.h>

#define CERTIFICATES_MAX 20 /* "IAM and AWS STS quotas" */

static status certificate_get(struct call *c, struct str name, struct iam_rec_certificate *out)
{
	struct str bytes;
	*out = (struct iam_rec_certificate){0};
	status s = store_get(c->tx, iam_key(c->arena, "certificate", c->account, name), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return IAM_FAIL(
			c, NO_SUCH_ENTITY, "The Server Certificate with name %.*s cannot be found.", STR_ARG(name));
	TRY(s);
	return iam_rec_certificate_decode(c->arena, bytes, out);
}

static void certificate_put(struct call *c, const struct iam_rec_certificate *k)
{
	store_put(
		c->tx, iam_key(c->arena, "certificate", c->account, k->name), iam_rec_certificate_encode(c->arena, k));
}

static status require_new(struct call *c, struct str name)
{
	struct str bytes;
	status s = store_get(c->tx, iam_key(c->arena, "certificate", c->account, name), &bytes);
	if (is_ok(s))
		return IAM_FAIL(c, ENTITY_ALREADY_EXISTS, "The Server Certificate with name %.*s already exists.",
			STR_ARG(name));
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

static struct iam_server_certificate_metadata *metadata_out(
	struct call *c, const struct iam_rec_certificate *k, struct iam_server_certificate_metadata *out)
{
	*out = (struct iam_server_certificate_metadata){.path = k->path,
		.server_certificate_name = k->name,
		.server_certificate_id = k->id,
		.arn = iam_arn(c, "server-certificate", k->path, k->name),
		.upload_date = k->uploaded,
		.expiration = k->expires};
	return out;
}

static status check_pair(struct call *c, const struct iam_upload_server_certificate_input *in, int64_t *expires_ms)
{
	X509 *x = iam_pem_certificate(in->certificate_body, expires_ms);
	if (!x)
		return IAM_FAIL(c, MALFORMED_CERTIFICATE,
			"Unable to parse certificate. Please ensure the certificate is in PEM format.");
	EVP_PKEY *key = iam_pem_private_key(in->private_key);
	bool pair = key && X509_check_private_key(x, key) == 1;
	bool readable = key != NULL;
	EVP_PKEY_free(key);
	X509_free(x);
	ERR_clear_error();
	if (!readable)
		return IAM_FAIL(c, MALFORMED_CERTIFICATE,
			"Unable to parse private key. It has to be unencrypted and in PEM format.");
	if (!pair) return IAM_FAIL(c, KEY_PAIR_MISMATCH, "Private key does not match certificate.");
	if (!str_has(in->certificate_chain)) return OK;
	x = iam_pem_certificate(in->certificate_chain, NULL);
	if (!x)
		return IAM_FAIL(c, MALFORMED_CERTIFICATE,
			"Unable to parse certificate chain. Please ensure it is in PEM format.");
	X509_free(x);
	return OK;
}

status iam_upload_server_certificate(struct call *c, const struct iam_upload_server_certificate_input *in,
	struct iam_upload_server_certificate_output *out)
{
	TRY(require_new(c, in->server_certificate_name));
	if (iam_count(c, "certificate", CERTIFICATES_MAX) >= CERTIFICATES_MAX)
		return IAM_FAIL(c, LIMIT_EXCEEDED, "Cannot exceed quota for ServerCertificatesPerAccount: %d",
			CERTIFICATES_MAX);
	int64_t expires_ms = 0;
	TRY(check_pair(c, in, &expires_ms));
	struct iam_rec_certificate k = {.name = in->server_certificate_name,
		.path = str_or(in->path, STR("/")),
		.id = iam_new_id(c->arena, "ASCA"),
		.uploaded = SOME_TIME(c->now_ms),
		.expires = SOME_TIME(expires_ms),
		.body = in->certificate_body,
		.chain = in->certificate_chain};
	struct str wrapped = vault_wrap(
		c->cloud->vault, c->arena, str_cat(c->arena, STR("iam/certificate/"), k.id), in->private_key);
	k.private_key = str_base64(c->arena, wrapped);
	TRY(iam_tags_set(c, &k.tags, &in->tags));
	certificate_put(c, &k);
	out->server_certificate_metadata =
		metadata_out(c, &k, arena_new(c->arena, struct iam_server_certificate_metadata));
	if (k.tags.n) iam_tags_out(c, &k.tags, &out->tags);
	return OK;
}

status iam_get_server_certificate(struct call *c, const struct iam_get_server_certificate_input *in,
	struct iam_get_server_certificate_output *out)
{
	struct iam_rec_certificate k;
	TRY(certificate_get(c, in->server_certificate_name, &k));
	struct iam_server_certificate *o = out->server_certificate = arena_new(c->arena, struct iam_server_certificate);
	o->server_certificate_metadata =
		metadata_out(c, &k, arena_new(c->arena, struct iam_server_certificate_metadata));
	o->certificate_body = k.body;
	o->certificate_chain = k.chain;
	if (k.tags.n) iam_tags_out(c, &k.tags, &o->tags);
	return OK;
}

status iam_list_server_certificates(struct call *c, const struct iam_list_server_certificates_input *in,
	struct iam_list_server_certificates_output *out)
{
	struct iam_page page;
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	VEC_PRESENT(c->arena, &out->server_certificate_metadata_list);
	size_t capacity = 0;
	struct iam_rows r = iam_rows_begin(c, "certificate");
	while (!page.truncated && iam_rows_next(&r)) {
		struct iam_rec_certificate k = {0};
		TRY(iam_rec_certificate_decode(c->arena, str_dup(c->arena, r.value), &k));
		if (!str_starts(k.path, str_or(in->path_prefix, STR("/"))) || !iam_page_take(&page, r.name)) continue;
		metadata_out(c, &k, VEC_PUSH(c->arena, &out->server_certificate_metadata_list, &capacity));
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return iam_rows_end(&r);
}

status iam_update_server_certificate(struct call *c, const struct iam_update_server_certificate_input *in,
	struct iam_update_server_certificate_output *out)
{
	(void)out;
	struct iam_rec_certificate k;
	TRY(certificate_get(c, in->server_certificate_name, &k));
	if (str_has(in->new_server_certificate_name)) {
		if (!str_ieq(in->new_server_certificate_name, k.name))
			TRY(require_new(c, in->new_server_certificate_name));
		store_delete(c->tx, iam_key(c->arena, "certificate", c->account, k.name));
		k.name = in->new_server_certificate_name;
	}
	if (str_has(in->new_path)) k.path = in->new_path;
	certificate_put(c, &k);
	return OK;
}

status iam_delete_server_certificate(struct call *c, const struct iam_delete_server_certificate_input *in,
	struct iam_delete_server_certificate_output *out)
{
	(void)out;
	struct iam_rec_certificate k;
	TRY(certificate_get(c, in->server_certificate_name, &k));
	store_delete(c->tx, iam_key(c->arena, "certificate", c->account, k.name));
	return OK;
}

status iam_tag_server_certificate(struct call *c, const struct iam_tag_server_certificate_input *in,
	struct iam_tag_server_certificate_output *out)
{
	(void)out;
	struct iam_rec_certificate k;
	TRY(certificate_get(c, in->server_certificate_name, &k));
	TRY(iam_tags_set(c, &k.tags, &in->tags));
	certificate_put(c, &k);
	return OK;
}

status iam_untag_server_certificate(struct call *c, const struct iam_untag_server_certificate_input *in,
	struct iam_untag_server_certificate_output *out)
{
	(void)out;
	struct iam_rec_certificate k;
	TRY(certificate_get(c, in->server_certificate_name, &k));
	iam_tags_drop(&k.tags, &in->tag_keys);
	certificate_put(c, &k);
	return OK;
}

status iam_list_server_certificate_tags(struct call *c, const struct iam_list_server_certificate_tags_input *in,
	struct iam_list_server_certificate_tags_output *out)
{
	struct iam_rec_certificate k;
	TRY(certificate_get(c, in->server_certificate_name, &k));
	return iam_tags_page(c, &k.tags, in->marker, in->max_items, &out->tags, &out->is_truncated, &out->marker);
}
