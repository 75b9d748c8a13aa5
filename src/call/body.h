/* Streaming bodies: what a member of kind STREAM points to. In an input the body has been received whole, digested, checked
 * and sealed before the handler runs; in an output the handler says where the bytes come from. */
#pragma once
#include "identity/digest.h"
#include "store/blob.h"
#include "wire/wire.h"

struct call;

/* Set by an operation's `prepare`, before the first byte is read. */
struct body_plan {
	uint32_t digests;    /* DIGEST_… that the handler wants, besides what the client's headers need checked */
	uint64_t max_size;   /* decoded bytes; more is EntityTooLarge. 0: 5 GiB */
	/* Optional: stands between the decoded bytes and the blob (encryption). */
	status (*filter)(void *ctx, struct blob_writer *w, const void *p, size_t n);
	uint64_t (*filter_size)(uint64_t plain); /* bytes that it makes of so many */
	status (*filter_end)(void *ctx, struct blob_writer *w);
	void (*filter_free)(void *ctx); /* at the call's end, however it ends */
	void *filter_ctx;
};

struct body {
	/* input */
	uint64_t size;              /* decoded bytes, before the filter */
	struct blob_writer *writer; /* sealed; blob_adopt it. The call frees it */
	struct blob_ref ref;
	struct digests digests;
	void *filter_ctx;           /* the plan's */
	const struct wire_header *trailers; /* of aws-chunked: x-amz-checksum-… */
	size_t n_trailers;

	/* output: exactly one of them. size is the number of bytes that the response body has. */
	struct str bytes;           /* in the call's arena */
	struct blob *blob;          /* with offset; the call closes it */
	uint64_t offset;
	int64_t (*read)(void *ctx, uint64_t at, char *p, size_t n); /* see edge_response.read; may block */
	void (*close)(void *ctx);
	void *read_ctx;
};
