/* What a Redis server says to virga: values cut from a stream, INFO's lines read. */
#include "services/elasticache/resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct str bytes = str_n(data, size);
	struct resp_value v;
	size_t at = 0, before = 0;
	arena_init(&a);
	while (is_ok(resp_parse(&a, bytes, &at, &v))) {
		INVARIANT(at > before && at <= size && v.text.n <= at - before && v.n <= at - before);
		before = at;
	}
	INVARIANT(at == before);
	INVARIANT(resp_info(bytes, "role").n <= size);
	arena_cleanup(&a);
	return 0;
}
