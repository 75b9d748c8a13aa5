/* What clients say first, as the edge looks at it: a ClientHello's server name, a head's Host. The name lies within. */
#include "edge/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(struct str name, struct str bytes)
{
	if (!str_has(name) || !name.n) return;
	INVARIANT(name.p >= bytes.p && name.p + name.n <= bytes.p + bytes.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_n((const char *)data, size);
	within(edge_hello_name(bytes), bytes);
	within(edge_host_name(bytes), bytes);
	return 0;
}
