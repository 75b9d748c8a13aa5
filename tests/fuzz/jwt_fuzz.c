/* Web identity tokens, and key sets that a made-up issuer answers. The first line is the key set, the rest the token.
 * What is read has claims; nothing that was not signed verifies, which no input here can be. */
#include "base/json.h"
#include "services/sts/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	arena_init(&a);
	struct str rest = str_n(data, size), set = str_cut(&rest, '\n');
	struct jwt t;
	struct json_value *keys;
	if (str_has(rest) && is_ok(jwt_read(&a, rest, &t))) {
		INVARIANT(json_is(t.claims, JSON_IS_OBJECT));
		INVARIANT(str_is(t.algorithm, "RS256") || str_is(t.algorithm, "ES256"));
		if (is_ok(json_read(&a, set, &keys)))
			INVARIANT(!is_ok(jwt_verify(&a, &t, keys)) || t.signature.n >= 64);
	}
	arena_cleanup(&a);
	return 0;
}
