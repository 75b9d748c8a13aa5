/* Requests to the metadata service, as an instance sends them: what is read lies within what came. */
#include "base/arena.h"
#include "services/ec2/imds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imds_request r;
	size_t used = 0;
	struct str bytes = str_n(data, size);
	struct arena a;
	arena_init(&a);
	if (is_ok(imds_read(bytes, &r, &used))) {
		INVARIANT(used <= size && used <= IMDS_HEAD_MAX + 4u);
		INVARIANT(r.method.n && r.path.n && r.path.p[0] == '/');
		INVARIANT(r.path.p >= bytes.p && r.path.p + r.path.n <= bytes.p + used);
		struct str text = imds_write(&a, &(struct imds_response){.code = 200, .body = r.path}, r.close);
		INVARIANT(str_ends(text, r.path));
	}
	arena_cleanup(&a);
	return 0;
}
