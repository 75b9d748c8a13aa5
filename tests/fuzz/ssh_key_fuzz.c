/* Public keys as clients import them: what is read must be written and read again alike. */
#include "base/arena.h"
#include "services/ec2/ssh_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct ssh_public k, again;
	arena_init(&a);
	if (is_ok(ssh_public_read(&a, str_n(data, size), &k))) {
		INVARIANT(is_ok(ssh_public_read(&a, ssh_public_line(&a, &k, STR("comment")), &again)));
		INVARIANT(str_eq(k.blob, again.blob) && k.kind == again.kind && k.bits == again.bits);
		INVARIANT(str_eq(ssh_public_fingerprint(&a, &k), ssh_public_fingerprint(&a, &again)));
	}
	arena_cleanup(&a);
	return 0;
}
