/* Growing arrays in an arena: double the room, in place where the array was allocated last. */
#include "base/vec.h"
#include "base/status.h"
#include <string.h>

void *vec_push(struct arena *a, void **v, size_t *n, size_t *capacity, size_t size)
{
	if (*n >= *capacity) {
		size_t want = *n < 4 ? 4 : *n * 2, bytes;
		INVARIANT(!__builtin_mul_overflow(want, size, &bytes));
		if (!*v || *capacity == 0 || !arena_extend(a, *v, *capacity * size, bytes)) {
			void *grown = arena_alloc_raw(a, bytes);
			if (*n) memcpy(grown, *v, *n * size);
			*v = grown;
		}
		*capacity = want;
	}
	char *slot = (char *)*v + (*n)++ * size;
	return memset(slot, 0, size);
}
