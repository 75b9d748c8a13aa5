/* KMS's ciphertext blobs, as they come from clients: read, and opened under a fixed key; what opens must have been
 * sealed there. */
#include "base/arena.h"
#include "services/kms/blob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[32] = "the key of kms_blob_fuzz's corpu";
	struct arena a;
	struct kms_blob b;
	struct str plain, bytes = str_n(data, size);
	arena_init(&a);
	if (is_ok(kms_blob_read(bytes, &b))) {
		INVARIANT(b.header.n + b.iv.n + b.tag.n + b.ciphertext.n == size);
		INVARIANT(b.key_arn.n && b.material_id.n == KMS_BLOB_ID_BYTES);
		if (is_ok(kms_blob_open(&a, key, &b, STR(""), &plain))) INVARIANT(plain.n == b.ciphertext.n);
		struct str again = kms_blob_seal(&a, key, b.key_arn, b.material_id, STR("context"), b.ciphertext);
		INVARIANT(is_ok(kms_blob_read(again, &b)));
		INVARIANT(is_ok(kms_blob_open(&a, key, &b, STR("context"), &plain)));
	}
	/* A context is any bytes: two halves of the input as key and value. */
	struct kms_pair pairs[] = {
		{str_sub(bytes, 0, size / 2), str_from(bytes, size / 2)}, {str_from(bytes, size / 2), bytes}};
	INVARIANT(kms_context_bytes(&a, pairs, 2).n == 16 + 2 * size + (size - size / 2));
	arena_cleanup(&a);
	return 0;
}
