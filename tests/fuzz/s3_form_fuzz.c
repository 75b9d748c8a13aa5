/* Browsers' forms: the body's first line is the boundary. Whatever comes back lies within the body. */
#include "services/s3/form_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool within(struct str part, struct str whole)
{
	return !part.p || !part.n || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct s3_form f;
	arena_init(&a);
	struct str body = str_dup(&a, str_n(data, size)), type = str_cut(&body, '\n');
	struct str boundary = s3_form_boundary(type);
	if (str_has(boundary) && str_has(body) && is_ok(s3_form_read(&a, body, boundary, &f))) {
		INVARIANT(within(f.file, body) && within(f.file_name, body) && f.fields_size <= body.n);
		for (size_t i = 0; i < f.n; i++) INVARIANT(within(f.v[i].name, body) && within(f.v[i].value, body));
	}
	arena_cleanup(&a);
	return 0;
}
