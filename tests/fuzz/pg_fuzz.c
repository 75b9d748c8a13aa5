/* What a PostgreSQL server says to virga: messages cut from a stream, rows and errors read. */
#include "services/rds/pg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct str bytes = str_n(data, size), body;
	size_t at = 0, before = 0;
	char type;
	arena_init(&a);
	while (is_ok(pg_message(bytes, &at, &type, &body))) {
		struct pg_row row;
		INVARIANT(at > before && at <= size && body.n + 5 == at - before);
		before = at;
		if (type == 'D' && is_ok(pg_row(&a, body, &row)))
			for (size_t i = 0; i < row.n; i++) INVARIANT(row.v[i].n <= body.n);
		if (type == 'E') INVARIANT(pg_error_text(&a, body).n <= 2 * body.n + 8);
	}
	arena_cleanup(&a);
	return 0;
}
