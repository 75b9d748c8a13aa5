/* GenerateMac and VerifyMac. */
#include "services/kms/room.h"
#include <openssl/hmac.h>

struct mac {
	struct kms_key key;
	uint8_t bytes[64];
	size_t n;
};

static status compute(struct kms_scope *s, struct str reference, struct str algorithm, struct str message,
	struct opt_bool dry_run, const char *operation, struct mac *out)
{
	TRY(kms_find(s, reference, KMS_FIND_ALIAS | KMS_FIND_FOREIGN, &out->key));
	TRY(kms_check_use(s, &out->key, STR("GENERATE_VERIFY_MAC"), operation));
	if (!str_eq(algorithm, str_c(out->key.spec->mac)))
		return kms_refuse(s, KMS_ERR_INVALID_KEY_USAGE_EXCEPTION,
			"Algorithm %.*s is incompatible with key spec %s.", STR_ARG(algorithm), out->key.spec->name);
	TRY(kms_check_dry_run(s, dry_run));
	const struct kms_algorithm *a = kms_algorithm_find(algorithm);
	struct str material;
	unsigned n = 0;
	TRY(kms_material_open(s, &out->key, out->key.r.material, &material));
	bool good = HMAC(EVP_get_digestbyname(a->digest), material.p, (int)material.n, (const unsigned char *)message.p,
			    message.n, out->bytes, &n) != NULL;
	vault_wipe(material);
	out->n = n;
	kms_used(s, &out->key, operation);
	return good ? OK : STATUS(IO);
}

status kms_generate_mac(struct call *c, const struct kms_generate_mac_input *in, struct kms_generate_mac_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct mac m;
	TRY(kms_check_grant_tokens(&s, &in->grant_tokens));
	TRY(compute(&s, in->key_id, in->mac_algorithm, in->message, in->dry_run, "GenerateMac", &m));
	out->mac = str_n(arena_copy(c->arena, m.bytes, m.n), m.n);
	out->mac_algorithm = in->mac_algorithm;
	out->key_id = m.key.arn;
	return OK;
}

status kms_verify_mac(struct call *c, const struct kms_verify_mac_input *in, struct kms_verify_mac_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct mac m;
	TRY(kms_check_grant_tokens(&s, &in->grant_tokens));
	TRY(compute(&s, in->key_id, in->mac_algorithm, in->message, in->dry_run, "VerifyMac", &m));
	if (!str_eq_secret(str_n(m.bytes, m.n), in->mac))
		return kms_refuse(&s, KMS_ERR_KMS_INVALID_MAC_EXCEPTION, "%s", "");
	out->mac_valid = SOME_BOOL(true);
	out->mac_algorithm = in->mac_algorithm;
	out->key_id = m.key.arn;
	return OK;
}
