/* Encryption of volumes and snapshots: a data key of KMS for each volume, shared by its snapshots ("How Amazon EBS
 * encryption works", the EBS guide); the account's defaults. Blocks of encrypted snapshots lie sealed, and so does the
 * file behind an encrypted volume: plain bytes are only where a machine has them (decision 0094). */
#include "base/rand.h"
#include "host/seal/sealed.h"
#include "host/seal/sealer.h"
#include "services/ec2/machine.h"
#include "services/ec2/volume.h"
#include "services/kms/blob.h"
#include "vault/vault.h"
#include <openssl/evp.h>

enum { IV = 12, TAG = 16, KEY = 32 };
#define DEFAULT_KEY STR("alias/aws/ebs")

static struct str settings_key(struct ec2_place at)
{
	struct key k = key_for(at.a, STR("ec2"), STR("settings"), at.account, at.region);
	return key_done(&k);
}

status ec2_settings_get(struct ec2_place at, struct ec2_rec_settings *out)
{
	struct str bytes;
	*out = (struct ec2_rec_settings){0};
	status s = store_get(at.tx, settings_key(at), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	return ec2_rec_settings_decode(at.a, bytes, out);
}

void ec2_settings_put(struct ec2_place at, const struct ec2_rec_settings *s)
{
	store_put(at.tx, settings_key(at), ec2_rec_settings_encode(at.a, s));
}

status ec2_crypt_refused(struct call *c, status s, const struct kms_refusal *why)
{
	if (!status_is(s, STATUS_FAILED)) return s;
	if (why->why == KMS_WHY_NOT_FOUND || why->why == KMS_WHY_INVALID_INPUT)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "%.*s", STR_ARG(why->message));
	return call_fail(c, EC2_ERR_CUSTOMER_KEY_HAS_BEEN_REVOKED, "%.*s", STR_ARG(why->message));
}

status ec2_crypt_new(struct call *c, struct str reference, struct str id, struct str *key_arn, struct str *wrapped)
{
	struct kms_use u = kms_use_of(c);
	struct kms_pair context = {STR("aws:ebs:id"), id};
	struct kms_data_key key;
	struct kms_refusal why;
	struct ec2_rec_settings s;
	TRY(ec2_settings_get(ec2_here(c), &s));
	reference = str_or(str_or(reference, s.kms_key), DEFAULT_KEY);
	status st = kms_use_data_key(&u, reference, &context, 1, KEY, &key, &why);
	if (!is_ok(st)) return ec2_crypt_refused(c, st, &why);
	vault_wipe(key.plain);
	*key_arn = key.key_arn;
	*wrapped = key.blob;
	return OK;
}

status ec2_crypt_open(
	const struct kms_use *u, struct str wrapped, struct str id, struct str *plain, struct kms_refusal *why)
{
	struct kms_pair context = {STR("aws:ebs:id"), id};
	return kms_use_decrypt(u, wrapped, STR_NONE, &context, 1, plain, NULL, why);
}

struct kms_use ec2_kms_use(struct cloud *cloud, struct ec2_place at)
{
	return (struct kms_use){.cloud = cloud,
		.tx = at.tx,
		.arena = at.a,
		.account = at.account,
		.region = at.region,
		.now_ms = clock_now(cloud->clock)};
}

status ec2_crypt_file(
	const struct kms_use *u, const struct ec2_rec_volume *v, struct str *key, struct kms_refusal *why)
{
	struct str plain;
	*key = STR_NONE;
	if (!v->sealed.v) return OK;
	TRY(ec2_crypt_open(u, v->data_key, v->data_key_id, &plain, why));
	*key = sealed_key(u->arena, plain, v->volume_id);
	vault_wipe(plain);
	return OK;
}

status ec2_crypt_possible(struct call *c)
{
	const char *why;
	if (!ec2_machines_are_real(c->cloud) || sealer_possible(&why)) return OK;
	return call_fail(c, EC2_ERR_UNSUPPORTED_OPERATION, "Encrypted volumes cannot be used here: %s.", why);
}

struct str ec2_crypt_seal(struct arena *a, struct str key, struct str plain)
{
	char *out = arena_alloc_raw(a, IV + TAG + plain.n);
	unsigned char *o = (unsigned char *)out;
	int n = 0, end = 0;
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	INVARIANT(x && key.n == KEY);
	rand_bytes(out, IV);
	INVARIANT(EVP_EncryptInit_ex(x, EVP_aes_256_gcm(), NULL, (const unsigned char *)key.p, o) == 1);
	INVARIANT(EVP_EncryptUpdate(x, o + IV + TAG, &n, (const unsigned char *)plain.p, (int)plain.n) == 1);
	INVARIANT(EVP_EncryptFinal_ex(x, o + IV + TAG + n, &end) == 1);
	INVARIANT(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_GET_TAG, TAG, o + IV) == 1);
	EVP_CIPHER_CTX_free(x);
	return str_n(out, IV + TAG + plain.n);
}

status ec2_crypt_unseal(struct arena *a, struct str key, struct str sealed, struct str *plain)
{
	if (sealed.n < IV + TAG || key.n != KEY) return STATUS(CORRUPT);
	size_t size = sealed.n - IV - TAG;
	const unsigned char *in = (const unsigned char *)sealed.p;
	unsigned char tag[TAG], *out = arena_alloc_raw(a, size);
	int n = 0, end = 0;
	memcpy(tag, in + IV, TAG);
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	bool well = x && EVP_DecryptInit_ex(x, EVP_aes_256_gcm(), NULL, (const unsigned char *)key.p, in) == 1 &&
		    EVP_DecryptUpdate(x, out, &n, in + IV + TAG, (int)size) == 1 &&
		    EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
		    EVP_DecryptFinal_ex(x, out + n, &end) == 1;
	EVP_CIPHER_CTX_free(x);
	*plain = str_n(out, size);
	return well ? OK : STATUS(CORRUPT);
}

/* ── encryption by default ── */

status ec2_enable_ebs_encryption_by_default(struct call *c, const struct ec2_enable_ebs_encryption_by_default_input *in,
	struct ec2_enable_ebs_encryption_by_default_output *out)
{
	struct ec2_rec_settings s;
	(void)in;
	TRY(ec2_settings_get(ec2_here(c), &s));
	s.encrypt = SOME_BOOL(true);
	ec2_settings_put(ec2_here(c), &s);
	out->ebs_encryption_by_default = SOME_BOOL(true);
	return OK;
}

status ec2_disable_ebs_encryption_by_default(struct call *c,
	const struct ec2_disable_ebs_encryption_by_default_input *in,
	struct ec2_disable_ebs_encryption_by_default_output *out)
{
	struct ec2_rec_settings s;
	(void)in;
	TRY(ec2_settings_get(ec2_here(c), &s));
	s.encrypt = SOME_BOOL(false);
	ec2_settings_put(ec2_here(c), &s);
	out->ebs_encryption_by_default = SOME_BOOL(false);
	return OK;
}

status ec2_get_ebs_encryption_by_default(struct call *c, const struct ec2_get_ebs_encryption_by_default_input *in,
	struct ec2_get_ebs_encryption_by_default_output *out)
{
	struct ec2_rec_settings s;
	(void)in;
	TRY(ec2_settings_get(ec2_here(c), &s));
	out->ebs_encryption_by_default = SOME_BOOL(s.encrypt.v);
	out->sse_type = s.encrypt.v ? STR("sse-kms") : STR("none");
	return OK;
}

status ec2_get_ebs_default_kms_key_id(struct call *c, const struct ec2_get_ebs_default_kms_key_id_input *in,
	struct ec2_get_ebs_default_kms_key_id_output *out)
{
	struct ec2_rec_settings s;
	(void)in;
	TRY(ec2_settings_get(ec2_here(c), &s));
	out->kms_key_id = str_or(s.kms_key, DEFAULT_KEY);
	return OK;
}

status ec2_modify_ebs_default_kms_key_id(struct call *c, const struct ec2_modify_ebs_default_kms_key_id_input *in,
	struct ec2_modify_ebs_default_kms_key_id_output *out)
{
	struct ec2_rec_settings s;
	struct kms_use u = kms_use_of(c);
	struct kms_refusal why;
	if (str_empty(in->kms_key_id))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter KmsKeyId");
	TRY(ec2_settings_get(ec2_here(c), &s));
	status st = kms_use_resolve(&u, in->kms_key_id, &s.kms_key, &why);
	if (!is_ok(st)) return ec2_crypt_refused(c, st, &why);
	ec2_settings_put(ec2_here(c), &s);
	out->kms_key_id = s.kms_key;
	return OK;
}

status ec2_reset_ebs_default_kms_key_id(struct call *c, const struct ec2_reset_ebs_default_kms_key_id_input *in,
	struct ec2_reset_ebs_default_kms_key_id_output *out)
{
	struct ec2_rec_settings s;
	struct kms_use u = kms_use_of(c);
	struct kms_refusal why;
	(void)in;
	TRY(ec2_settings_get(ec2_here(c), &s));
	s.kms_key = STR_NONE;
	ec2_settings_put(ec2_here(c), &s);
	status st = kms_ensure_managed_key(&u, DEFAULT_KEY, &out->kms_key_id, &why);
	return is_ok(st) ? OK : ec2_crypt_refused(c, st, &why);
}
