/* The tables of key specs and algorithms; see spec.h. */
#include "services/kms/spec.h"

#define ENCRYPT "ENCRYPT_DECRYPT"
#define SIGN "SIGN_VERIFY"
#define MAC "GENERATE_VERIFY_MAC"
#define AGREE "KEY_AGREEMENT"

#define RSA_SPEC(bits)                                                                                                 \
	{                                                                                                              \
		.name = "RSA_" #bits, .kind = KMS_RSA, .size = bits, .usages = {ENCRYPT, SIGN},                        \
		.encryption = {"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"}, .signing = {                                 \
			"RSASSA_PKCS1_V1_5_SHA_256",                                                                   \
			"RSASSA_PKCS1_V1_5_SHA_384",                                                                   \
			"RSASSA_PKCS1_V1_5_SHA_512",                                                                   \
			"RSASSA_PSS_SHA_256",                                                                          \
			"RSASSA_PSS_SHA_384",                                                                          \
			"RSASSA_PSS_SHA_512"                                                                           \
		}                                                                                                      \
	}
#define HMAC_SPEC(bits)                                                                                                \
	{                                                                                                              \
		.name = "HMAC_" #bits, .kind = KMS_HMAC, .size = bits / 8, .usages = {MAC}, .mac = "HMAC_SHA_" #bits   \
	}

static const struct kms_spec specs[] = {
	{.name = "SYMMETRIC_DEFAULT",
		.kind = KMS_SYMMETRIC,
		.size = 32,
		.usages = {ENCRYPT},
		.encryption = {"SYMMETRIC_DEFAULT"}},
	RSA_SPEC(2048),
	RSA_SPEC(3072),
	RSA_SPEC(4096),
	{.name = "ECC_NIST_P256",
		.kind = KMS_EC,
		.curve = "P-256",
		.usages = {SIGN, AGREE},
		.signing = {"ECDSA_SHA_256"},
		.agreement = "ECDH"},
	{.name = "ECC_NIST_P384",
		.kind = KMS_EC,
		.curve = "P-384",
		.usages = {SIGN, AGREE},
		.signing = {"ECDSA_SHA_384"},
		.agreement = "ECDH"},
	{.name = "ECC_NIST_P521",
		.kind = KMS_EC,
		.curve = "P-521",
		.usages = {SIGN, AGREE},
		.signing = {"ECDSA_SHA_512"},
		.agreement = "ECDH"},
	{.name = "ECC_SECG_P256K1",
		.kind = KMS_EC,
		.curve = "secp256k1",
		.usages = {SIGN},
		.signing = {"ECDSA_SHA_256"}},
	HMAC_SPEC(224),
	HMAC_SPEC(256),
	HMAC_SPEC(384),
	HMAC_SPEC(512),
};

static const struct kms_algorithm algorithms[] = {
	{"RSAES_OAEP_SHA_1", "SHA1", 20, false},
	{"RSAES_OAEP_SHA_256", "SHA256", 32, false},
	{"RSASSA_PKCS1_V1_5_SHA_256", "SHA256", 32, false},
	{"RSASSA_PKCS1_V1_5_SHA_384", "SHA384", 48, false},
	{"RSASSA_PKCS1_V1_5_SHA_512", "SHA512", 64, false},
	{"RSASSA_PSS_SHA_256", "SHA256", 32, true},
	{"RSASSA_PSS_SHA_384", "SHA384", 48, true},
	{"RSASSA_PSS_SHA_512", "SHA512", 64, true},
	{"ECDSA_SHA_256", "SHA256", 32, false},
	{"ECDSA_SHA_384", "SHA384", 48, false},
	{"ECDSA_SHA_512", "SHA512", 64, false},
	{"HMAC_SHA_224", "SHA224", 28, false},
	{"HMAC_SHA_256", "SHA256", 32, false},
	{"HMAC_SHA_384", "SHA384", 48, false},
	{"HMAC_SHA_512", "SHA512", 64, false},
};

const struct kms_spec *kms_spec_find(struct str name)
{
	for (size_t i = 0; i < sizeof(specs) / sizeof(*specs); i++)
		if (str_eq(name, str_c(specs[i].name))) return &specs[i];
	return NULL;
}

bool kms_list_has(const char *const *list, struct str name)
{
	for (; *list; list++)
		if (str_eq(name, str_c(*list))) return true;
	return false;
}

bool kms_spec_allows_usage(const struct kms_spec *s, struct str usage)
{
	return kms_list_has(s->usages, usage);
}

const struct kms_algorithm *kms_algorithm_find(struct str name)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(*algorithms); i++)
		if (str_eq(name, str_c(algorithms[i].name))) return &algorithms[i];
	return NULL;
}
