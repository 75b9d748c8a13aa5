/* Sealed folders (host.h) whose key is a data key of KMS: what services keep encrypted at rest. Blocks; any thread. */
#pragma once
#include "services/kms/blob.h"
#include "services/kms/keys.h"

struct kms_folder {
	struct str folder;   /* below the data folder, its last part unlike any other's: "rds/db-…". It has to be there */
	struct str data_key; /* as KMS wrapped it */
	struct kms_pair context;
	uint64_t bytes; /* of its file, where that is made; it is sparse */
};
/* What is in it is FOLDER/files from then on. OK where it is open already. FAILED where the key does not serve (*why);
 * else what the store or the host said. */
status kms_folder_open(const struct kms_use *u, const struct kms_folder *f, struct kms_refusal *why) MUST_USE;

/* For folders that several may use at once, and that are closed with the last of them: who has which. One to a service;
 * locks itself. */
struct kms_holders;
struct kms_holders *kms_holders_new(void);
void kms_holders_free(struct kms_holders *h);
/* As kms_folder_open. */
status kms_folder_hold(struct kms_holders *h, const struct kms_use *u, const struct kms_folder *f,
	struct kms_refusal *why) MUST_USE;
void kms_folder_let_go(struct kms_holders *h, struct cloud *cloud, struct str folder);
