/* What an import reads: an object's bytes as items, in DynamoDB JSON (one {"Item":{…}} a line), Ion (the same, import_ion.h)
 * or CSV ("Amazon S3 import formats for DynamoDB"), plain or compressed. The bytes are a client's own: anything may be
 * in them. */
#pragma once
#include "services/dynamodb/service.h"

struct import_file {
	struct str format;      /* DYNAMODB_JSON, ION, CSV */
	struct str compression; /* GZIP, ZSTD, NONE */
	char delimiter;
	const struct str *headers; /* of CSV; without them the first line tells */
	size_t n_headers;
	const struct table *table; /* CSV's key attributes have its types, all others are strings */
	/* item NULL: what stands there is none. Lives until it returns; another status than OK ends the reading. */
	status (*item)(void *ctx, const struct value *item);
	void *ctx;
};
/* INVALID where the bytes are not compressed as told. */
status import_file_read(const struct import_file *f, struct arena *a, struct str bytes) MUST_USE;
