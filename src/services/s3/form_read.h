/* multipart/form-data, whole in memory (RFC 7578): for browsers' uploads. Pure. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct s3_form_field {
	struct str name, value;
};
struct s3_form {
	struct s3_form_field *v; /* those before the file: what comes behind it does not count */
	size_t n;
	struct str file, file_name, file_type; /* STR_NONE where there is none */
	size_t fields_size;                    /* bytes before the file's part */
};
/* The boundary of a Content-Type; STR_NONE where it has none. */
struct str s3_form_boundary(struct str content_type);
/* INVALID for what is malformed, LIMIT past 1,000 fields. Strings point into the body. */
status s3_form_read(struct arena *a, struct str body, struct str boundary, struct s3_form *out) MUST_USE;
/* The field of that name, without case; STR_NONE. */
struct str s3_form_get(const struct s3_form *f, struct str name);
