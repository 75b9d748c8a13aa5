/* What asks virga for somebody's password in a database server's place. */
#include "services/rds/bind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct str bytes = str_n(data, size);
	struct rds_bind b;
	size_t used;
	arena_init(&a);
	while (is_ok(rds_bind_read(bytes, &used, &b))) {
		INVARIANT(used > 0 && used <= bytes.n && b.name.n + b.password.n < used);
		/* An answer is a message, too; one that asks nothing. */
		struct str said = rds_bind_answer(&a, b.id, b.name.n % 2, b.password);
		struct rds_bind again;
		size_t length;
		INVARIANT(is_ok(rds_bind_read(said, &length, &again)) && length == said.n && again.id == b.id &&
			  !again.asks);
		bytes = str_from(bytes, used);
	}
	arena_cleanup(&a);
	return 0;
}
