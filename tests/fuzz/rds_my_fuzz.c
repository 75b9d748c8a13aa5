/* What a MariaDB server says to virga: packets cut from a stream, rows and errors read. */
#include "services/rds/my.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct str bytes = str_n(data, size), body;
	size_t at = 0, before = 0;
	unsigned char number;
	arena_init(&a);
	while (is_ok(my_packet(bytes, &at, &number, &body))) {
		struct pg_row row;
		uint64_t n;
		size_t from = 0;
		INVARIANT(at > before && at <= size && body.n + 4 == at - before);
		before = at;
		if (is_ok(my_length(body, &from, &n))) INVARIANT(from > 0 && from <= body.n);
		if (is_ok(my_row(&a, body, number, &row)))
			for (size_t i = 0; i < row.n; i++) INVARIANT(row.v[i].n <= body.n);
		INVARIANT(my_error_text(&a, body).n <= body.n + 8);
	}
	arena_cleanup(&a);
	return 0;
}
