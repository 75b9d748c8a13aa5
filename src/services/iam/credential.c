/* What else users sign in with: SSH public keys, signing certificates, service-specific credentials. They are records:
 * the services that take them look them up here. */
#include "base/rand.h"
#include "identity/digest.h"
#include "services/iam/internal.h"
#include "services/iam/pem.h"

/* "IAM and AWS STS quotas" */
#define SSH_MAX 5
#define SIGNING_MAX 2
#define SPECIFIC_MAX 2

static struct str record_key(struct call *c, const char *kind, struct str user, struct str id)
{
	struct key k = key_for(c->arena, STR("iam"), str_c(kind), c->account, STR(""));
	if (str_has(user)) key_str(&k, str_lower(c->arena, user));
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

static const char *const kinds[] = {"signing", "ssh", "credential"};
static const char *const words[] = {
	"delete signing certificate", "delete SSH public key", "delete service specific credentials"};

const char *iam_credentials_left(struct call *c, struct str user)
{
	for (size_t i = 0; i < 3; i++) {
		struct iam_rows r = iam_rows_under(c, record_key(c, kinds[i], user, STR_NONE));
		bool left = iam_rows_next(&r);
		if (!is_ok(iam_rows_end(&r)) || left) return words[i];
	}
	return NULL;
}

status iam_credentials_renamed(struct call *c, struct str from, struct str to)
{
	for (size_t i = 0; i < 3; i++) {
		struct iam_rec_strings ids = {0};
		struct iam_rows r = iam_rows_under(c, record_key(c, kinds[i], from, STR_NONE));
		while (iam_rows_next(&r)) iam_strings_add(c->arena, &ids, str_dup(c->arena, r.name));
		TRY(iam_rows_end(&r));
		for (size_t n = 0; n < ids.n; n++) {
			struct str bytes;
			struct iam_rec_credential k = {0};
			TRY(store_get(c->tx, record_key(c, kinds[i], from, ids.v[n]), &bytes));
			TRY(iam_rec_credential_decode(c->arena, bytes, &k));
			k.user = to;
			store_delete(c->tx, record_key(c, kinds[i], from, ids.v[n]));
			store_put(
				c->tx, record_key(c, kinds[i], to, ids.v[n]), iam_rec_credential_encode(c->arena, &k));
		}
	}
	return OK;
}

/* ── records ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static status credential_get(
	struct call *c, const char *kind, struct str user, struct str id, struct iam_rec_credential *out)
{
	struct str bytes;
	*out = (struct iam_rec_credential){0};
	status s = store_get(c->tx, record_key(c, kind, user, id), &bytes);
	if (is_ok(s)) return iam_rec_credential_decode(c->arena, bytes, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	const char *title = kind[0] == 'c'   ? "Service Specific Credential"
			    : kind[1] == 's' ? "Public Key"
					     : "Certificate";
	return IAM_FAIL(c, NO_SUCH_ENTITY, "The %s with id %.*s cannot be found.", title, STR_ARG(id));
}

static void credential_put(struct call *c, const char *kind, const struct iam_rec_credential *k)
{
	store_put(c->tx, record_key(c, kind, k->user, k->id), iam_rec_credential_encode(c->arena, k));
}

static status update_status(struct call *c, const char *kind, struct str user, struct str id, struct str word)
{
	struct iam_rec_entity e;
	struct iam_rec_credential k;
	TRY(iam_get_user_or_caller(c, user, &e));
	TRY(credential_get(c, kind, e.name, id, &k));
	k.status = word;
	credential_put(c, kind, &k);
	return OK;
}

static status drop(struct call *c, const char *kind, struct str user, struct str id)
{
	struct iam_rec_entity e;
	struct iam_rec_credential k;
	TRY(iam_get_user_or_caller(c, user, &e));
	TRY(credential_get(c, kind, e.name, id, &k));
	store_delete(c->tx, record_key(c, kind, e.name, id));
	return OK;
}

struct credentials {
	struct iam_rec_credential *v;
	size_t n;
};

/* user STR_NONE: all of the account's. */
static status all_of(struct call *c, const char *kind, struct str user, struct credentials *out)
{
	size_t capacity = 0;
	*out = (struct credentials){0};
	struct iam_rows r = iam_rows_under(c, record_key(c, kind, user, STR_NONE));
	while (iam_rows_next(&r))
		TRY(iam_rec_credential_decode(
			c->arena, str_dup(c->arena, r.value), VEC_PUSH(c->arena, out, &capacity)));
	return iam_rows_end(&r);
}

/* ── SSH public keys ──────────────────────────────────────────────────────────────────────────────────────────── */

/* MD5 over the binary key, as OpenSSH writes it. */
static struct str fingerprint(struct arena *a, struct str blob)
{
	uint8_t md5[16];
	digest_md5(blob, md5);
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < sizeof(md5); i++) buf_fmt(&b, "%s%02x", i ? ":" : "", md5[i]);
	return buf_done(&b);
}

static void ssh_out(struct call *c, const struct iam_rec_credential *k, struct iam_ssh_public_key *out)
{
	(void)c;
	*out = (struct iam_ssh_public_key){k->user, k->id, k->fingerprint, k->body, k->status, k->created};
}

status iam_upload_ssh_public_key(
	struct call *c, const struct iam_upload_ssh_public_key_input *in, struct iam_upload_ssh_public_key_output *out)
{
	struct iam_rec_entity e;
	struct credentials have;
	TRY(iam_get(c, IAM_USER, in->user_name, &e));
	EVP_PKEY *key = iam_ssh_public_key(c->arena, in->ssh_public_key_body);
	if (!key)
		return IAM_FAIL(c, INVALID_PUBLIC_KEY,
			"The SSH public key is not an RSA key of at least 2048 bits in ssh-rsa or PEM format.");
	struct str blob = iam_ssh_blob(c->arena, key);
	EVP_PKEY_free(key);
	struct iam_rec_credential k = {.id = iam_new_id(c->arena, "APKA"),
		.user = e.name,
		.status = STR("Active"),
		.created = SOME_TIME(c->now_ms),
		.body = str_cat(c->arena, STR("ssh-rsa "), str_base64(c->arena, blob)),
		.fingerprint = fingerprint(c->arena, blob)};
	TRY(all_of(c, "ssh", e.name, &have));
	for (size_t i = 0; i < have.n; i++)
		if (str_eq(have.v[i].body, k.body))
			return IAM_FAIL(
				c, DUPLICATE_SSH_PUBLIC_KEY, "The SSH public key is already associated with the user.");
	if (have.n >= SSH_MAX)
		return IAM_FAIL(c, LIMIT_EXCEEDED, "Cannot exceed quota for SSHPublicKeysPerUser: %d", SSH_MAX);
	credential_put(c, "ssh", &k);
	out->ssh_public_key = arena_new(c->arena, struct iam_ssh_public_key);
	ssh_out(c, &k, out->ssh_public_key);
	return OK;
}

status iam_get_ssh_public_key(
	struct call *c, const struct iam_get_ssh_public_key_input *in, struct iam_get_ssh_public_key_output *out)
{
	struct iam_rec_entity e;
	struct iam_rec_credential k;
	TRY(iam_get(c, IAM_USER, in->user_name, &e));
	TRY(credential_get(c, "ssh", e.name, in->ssh_public_key_id, &k));
	out->ssh_public_key = arena_new(c->arena, struct iam_ssh_public_key);
	ssh_out(c, &k, out->ssh_public_key);
	if (!str_is(in->encoding, "PEM")) return OK;
	EVP_PKEY *key = iam_ssh_public_key(c->arena, k.body);
	INVARIANT(key);
	out->ssh_public_key->ssh_public_key_body = iam_pem_public_key(c->arena, key);
	EVP_PKEY_free(key);
	return OK;
}

status iam_list_ssh_public_keys(
	struct call *c, const struct iam_list_ssh_public_keys_input *in, struct iam_list_ssh_public_keys_output *out)
{
	struct iam_rec_entity e;
	struct iam_page page;
	struct credentials have;
	TRY(iam_get_user_or_caller(c, in->user_name, &e));
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	TRY(all_of(c, "ssh", e.name, &have));
	VEC_PRESENT(c->arena, &out->ssh_public_keys);
	size_t capacity = 0;
	for (size_t i = 0; i < have.n; i++)
		if (iam_page_take(&page, have.v[i].id))
			*VEC_PUSH(c->arena, &out->ssh_public_keys, &capacity) = (struct iam_ssh_public_key_metadata){
				e.name, have.v[i].id, have.v[i].status, have.v[i].created};
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return OK;
}

status iam_update_ssh_public_key(
	struct call *c, const struct iam_update_ssh_public_key_input *in, struct iam_update_ssh_public_key_output *out)
{
	(void)out;
	return update_status(c, "ssh", in->user_name, in->ssh_public_key_id, in->status);
}

status iam_delete_ssh_public_key(
	struct call *c, const struct iam_delete_ssh_public_key_input *in, struct iam_delete_ssh_public_key_output *out)
{
	(void)out;
	return drop(c, "ssh", in->user_name, in->ssh_public_key_id);
}

/* ── signing certificates ─────────────────────────────────────────────────────────────────────────────────────── */

static void certificate_out(const struct iam_rec_credential *k, struct iam_signing_certificate *out)
{
	*out = (struct iam_signing_certificate){k->user, k->id, k->body, k->status, k->created};
}

status iam_upload_signing_certificate(struct call *c, const struct iam_upload_signing_certificate_input *in,
	struct iam_upload_signing_certificate_output *out)
{
	struct iam_rec_entity e;
	struct credentials have;
	TRY(iam_get_user_or_caller(c, in->user_name, &e));
	X509 *x = iam_pem_certificate(in->certificate_body, NULL);
	if (!x)
		return IAM_FAIL(c, MALFORMED_CERTIFICATE,
			"Unable to parse certificate. Please ensure the certificate is in PEM format.");
	X509_free(x);
	TRY(all_of(c, "signing", e.name, &have));
	for (size_t i = 0; i < have.n; i++)
		if (str_eq(have.v[i].body, in->certificate_body))
			return IAM_FAIL(
				c, DUPLICATE_CERTIFICATE, "The certificate is already associated with the user.");
	if (have.n >= SIGNING_MAX)
		return IAM_FAIL(c, LIMIT_EXCEEDED, "Cannot exceed quota for CertificatesPerUser: %d", SIGNING_MAX);
	struct iam_rec_credential k = {.id = rand_text(c->arena, STR("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), 32),
		.user = e.name,
		.status = STR("Active"),
		.created = SOME_TIME(c->now_ms),
		.body = in->certificate_body};
	credential_put(c, "signing", &k);
	out->certificate = arena_new(c->arena, struct iam_signing_certificate);
	certificate_out(&k, out->certificate);
	return OK;
}

status iam_list_signing_certificates(struct call *c, const struct iam_list_signing_certificates_input *in,
	struct iam_list_signing_certificates_output *out)
{
	struct iam_rec_entity e;
	struct iam_page page;
	struct credentials have;
	TRY(iam_get_user_or_caller(c, in->user_name, &e));
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	TRY(all_of(c, "signing", e.name, &have));
	VEC_PRESENT(c->arena, &out->certificates);
	size_t capacity = 0;
	for (size_t i = 0; i < have.n; i++)
		if (iam_page_take(&page, have.v[i].id))
			certificate_out(&have.v[i], VEC_PUSH(c->arena, &out->certificates, &capacity));
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return OK;
}

status iam_signing_certificates_of(struct call *c, struct str user, struct iam_opt_times *out)
{
	struct credentials have;
	*out = (struct iam_opt_times){0};
	TRY(all_of(c, "signing", user, &have));
	for (size_t i = 0; i < have.n && i < 2; i++) {
		out->active[i] = str_is(have.v[i].status, "Active");
		out->at[i] = have.v[i].created;
	}
	return OK;
}

status iam_update_signing_certificate(struct call *c, const struct iam_update_signing_certificate_input *in,
	struct iam_update_signing_certificate_output *out)
{
	(void)out;
	return update_status(c, "signing", in->user_name, in->certificate_id, in->status);
}

status iam_delete_signing_certificate(struct call *c, const struct iam_delete_signing_certificate_input *in,
	struct iam_delete_signing_certificate_output *out)
{
	(void)out;
	return drop(c, "signing", in->user_name, in->certificate_id);
}

/* ── service-specific credentials ─────────────────────────────────────────────────────────────────────────────── */

static void specific_out(
	const struct iam_rec_credential *k, struct str password, struct iam_service_specific_credential *out)
{
	bool api_key = k->alias.n > 0;
	*out = (struct iam_service_specific_credential){.create_date = k->created,
		.expiration_date = k->expires,
		.service_name = k->service,
		.service_specific_credential_id = k->id,
		.user_name = k->user,
		.status = k->status};
	if (api_key) {
		out->service_credential_alias = k->alias;
		out->service_credential_secret = password;
	} else {
		out->service_user_name = k->login;
		out->service_password = password;
	}
}

static struct str new_password(struct call *c, struct iam_rec_credential *k)
{
	char bytes[33];
	rand_bytes(bytes, sizeof(bytes));
	struct str password = str_base64(c->arena, str_n(bytes, sizeof(bytes)));
	uint8_t *hash = arena_alloc_raw(c->arena, 32);
	digest_sha256(password, hash);
	k->secret_hash = str_n(hash, 32);
	return password;
}

status iam_create_service_specific_credential(struct call *c,
	const struct iam_create_service_specific_credential_input *in,
	struct iam_create_service_specific_credential_output *out)
{
	struct iam_rec_entity e;
	struct credentials have;
	TRY(iam_get(c, IAM_USER, in->user_name, &e));
	bool bedrock = str_is(in->service_name, "bedrock.amazonaws.com");
	if (!bedrock && !str_is(in->service_name, "codecommit.amazonaws.com") &&
		!str_is(in->service_name, "cassandra.amazonaws.com"))
		return IAM_FAIL(c, SERVICE_NOT_SUPPORTED,
			"No such service %.*s is supported for Service Specific Credentials",
			STR_ARG(in->service_name));
	TRY(all_of(c, "credential", e.name, &have));
	size_t of_service = 0;
	for (size_t i = 0; i < have.n; i++) of_service += str_eq(have.v[i].service, in->service_name);
	if (of_service >= SPECIFIC_MAX)
		return IAM_FAIL(c, LIMIT_EXCEEDED, "Cannot exceed quota for ServiceSpecificCredentialsPerUser: %d",
			SPECIFIC_MAX);
	struct iam_rec_credential k = {.id = iam_new_id(c->arena, "ACCA"),
		.user = e.name,
		.status = STR("Active"),
		.created = SOME_TIME(c->now_ms),
		.service = in->service_name};
	struct str login = str_fmt(c->arena, "%.*s-at-%.*s", STR_ARG(e.name), STR_ARG(c->account));
	if (of_service) login = str_fmt(c->arena, "%.*s+%zu", STR_ARG(login), of_service);
	if (bedrock)
		k.alias = login;
	else
		k.login = login;
	if (bedrock && in->credential_age_days.has)
		k.expires = SOME_TIME(c->now_ms + in->credential_age_days.v * (24 * 3600 * INT64_C(1000)));
	struct str password = new_password(c, &k);
	credential_put(c, "credential", &k);
	out->service_specific_credential = arena_new(c->arena, struct iam_service_specific_credential);
	specific_out(&k, password, out->service_specific_credential);
	return OK;
}

status iam_reset_service_specific_credential(struct call *c,
	const struct iam_reset_service_specific_credential_input *in,
	struct iam_reset_service_specific_credential_output *out)
{
	struct iam_rec_entity e;
	struct iam_rec_credential k;
	TRY(iam_get_user_or_caller(c, in->user_name, &e));
	TRY(credential_get(c, "credential", e.name, in->service_specific_credential_id, &k));
	struct str password = new_password(c, &k);
	credential_put(c, "credential", &k);
	out->service_specific_credential = arena_new(c->arena, struct iam_service_specific_credential);
	specific_out(&k, password, out->service_specific_credential);
	return OK;
}

status iam_list_service_specific_credentials(struct call *c,
	const struct iam_list_service_specific_credentials_input *in,
	struct iam_list_service_specific_credentials_output *out)
{
	struct iam_rec_entity e = {0};
	struct iam_page page;
	struct credentials have;
	if (!in->all_users.v) TRY(iam_get_user_or_caller(c, in->user_name, &e));
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	TRY(all_of(c, "credential", in->all_users.v ? STR_NONE : e.name, &have));
	VEC_PRESENT(c->arena, &out->service_specific_credentials);
	size_t capacity = 0;
	for (size_t i = 0; i < have.n; i++) {
		const struct iam_rec_credential *k = &have.v[i];
		if (str_has(in->service_name) && !str_eq(k->service, in->service_name)) continue;
		if (!iam_page_take(&page, str_fmt(c->arena, "%06zu", i))) continue;
		*VEC_PUSH(c->arena, &out->service_specific_credentials, &capacity) =
			(struct iam_service_specific_credential_metadata){.user_name = k->user,
				.status = k->status,
				.service_user_name = k->login,
				.service_credential_alias = k->alias,
				.create_date = k->created,
				.expiration_date = k->expires,
				.service_specific_credential_id = k->id,
				.service_name = k->service};
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return OK;
}

status iam_update_service_specific_credential(struct call *c,
	const struct iam_update_service_specific_credential_input *in,
	struct iam_update_service_specific_credential_output *out)
{
	(void)out;
	return update_status(c, "credential", in->user_name, in->service_specific_credential_id, in->status);
}

status iam_delete_service_specific_credential(struct call *c,
	const struct iam_delete_service_specific_credential_input *in,
	struct iam_delete_service_specific_credential_output *out)
{
	(void)out;
	return drop(c, "credential", in->user_name, in->service_specific_credential_id);
}
