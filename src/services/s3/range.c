/* Byte ranges. One range is served; several, or what is no range of bytes, give the whole object, as AWS does. */
#include "services/s3/object.h"

enum s3_range s3_range_read(struct str header, uint64_t size, uint64_t *first, uint64_t *last)
{
	if (!str_has(header) || !str_istarts(header, STR("bytes="))) return S3_RANGE_NONE;
	struct str spec = str_trim(str_from(header, 6));
	ptrdiff_t dash = str_chr(spec, '-');
	if (dash < 0 || str_chr(spec, ',') >= 0) return S3_RANGE_NONE;
	struct str from = str_trim(str_sub(spec, 0, (size_t)dash)), to = str_trim(str_from(spec, (size_t)dash + 1));
	uint64_t a = 0, b = UINT64_MAX;
	if (str_empty(from)) { /* a suffix: the last b bytes */
		if (!is_ok(str_to_u64(to, &b))) return S3_RANGE_NONE;
		if (b == 0 || size == 0) return S3_RANGE_UNSATISFIABLE;
		*first = b >= size ? 0 : size - b;
		*last = size - 1;
		return S3_RANGE_OK;
	}
	if (!is_ok(str_to_u64(from, &a)) || (!str_empty(to) && !is_ok(str_to_u64(to, &b))) || b < a)
		return S3_RANGE_NONE;
	if (a >= size) return S3_RANGE_UNSATISFIABLE;
	*first = a;
	*last = b < size ? b : size - 1;
	return S3_RANGE_OK;
}
