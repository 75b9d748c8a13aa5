/* What the fuzz targets of the wire room share: real services' structs, chosen by the input's first bytes. */
#pragma once
#include "wire/internal.h"
#include <stdlib.h>

struct fuzz_shape {
	const struct wire_service *service;
	uint16_t shape;
	struct str body;
};

/* Bytes 0 to 3 choose a service (among those that speak one of the protocols) and one of its operations' inputs or
 * outputs. */
static inline bool fuzz_choose(const uint8_t *data, size_t size, uint32_t protocols, struct fuzz_shape *out)
{
	if (size < 4) return false;
	size_t n = 0, pick = data[0];
	for (size_t i = 0; i < wire_services_length; i++) n += (wire_services[i]->protocols & protocols) != 0;
	if (!n) return false;
	pick %= n;
	for (size_t i = 0; i < wire_services_length; i++) {
		if (!(wire_services[i]->protocols & protocols) || pick--) continue;
		const struct wire_tables *t = &wire_services[i]->tables;
		const struct wire_op *op = &t->ops[(data[1] | (unsigned)data[2] << 8) % t->n_ops];
		*out = (struct fuzz_shape){wire_services[i], data[3] & 1 ? op->out : op->in, str_n(data + 4, size - 4)};
		return out->shape != WIRE_NO_SHAPE;
	}
	return false;
}
static inline void *fuzz_new(struct arena *a, const struct fuzz_shape *f)
{
	return arena_alloc(a, f->service->tables.shapes[f->shape].size);
}
/* What was written must be read back, to the same bytes. */
static inline void fuzz_must(bool good)
{
	if (!good) abort();
}
