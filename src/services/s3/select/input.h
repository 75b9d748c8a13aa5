/* Records of a stream of bytes: CSV as the request describes it, or JSON values one behind the other. Holds a window of
 * the stream no larger than the longest record that S3 Select takes. */
#pragma once
#include "services/s3/select/select.h"

/* "The maximum length of a record in the input or result is 1 MB" ("Filtering and retrieving data", Requirements and
 * limits). */
enum { SEL_RECORD_MAX = 1024 * 1024 };

/* Up to n bytes from the stream; *got 0: it ends. */
typedef status (*sel_source)(void *ctx, char *p, size_t n, size_t *got);

struct sel_csv {
	char field, quote, escape; /* quote 0: none */
	char comment;              /* 0: none */
	struct str record;         /* 1 or 2 bytes */
	bool quoted_records;       /* a record's end within quotes is text */
};
struct sel_input {
	bool json;
	struct sel_csv csv;
	sel_source read;
	void *ctx;
	struct buf window; /* heap */
	size_t at;         /* in the window */
	uint64_t offset;   /* of the window's first byte in the stream */
	bool ended;
};
void sel_input_init(struct sel_input *in, sel_source read, void *ctx);
void sel_input_cleanup(struct sel_input *in);
/* Where the next record begins, in the stream. */
static inline uint64_t sel_input_offset(const struct sel_input *in)
{
	return in->offset + in->at;
}
/* The stream goes on elsewhere: forgets the window. */
void sel_input_restart(struct sel_input *in, uint64_t offset);
/* Past the end of the record that the window begins in. */
status sel_input_skip(struct sel_input *in, struct sel_error *why) MUST_USE;

/* The next record, into the arena. NOT_FOUND: there is none; FAILED: *why tells; else the source's own. */
status sel_next_csv(
	struct sel_input *in, struct arena *a, struct str **fields, size_t *n, struct sel_error *why) MUST_USE;
status sel_next_json(struct sel_input *in, struct arena *a, struct json_value **out, struct sel_error *why) MUST_USE;

/* How results are written. */
struct sel_output {
	bool json, quote_always;
	char quote, escape;
	struct str field, record;
};
/* One row of results: a statement's columns, or all of the row. */
status sel_write_row(struct buf *b, const struct sel_output *o, struct sel_row *row, const struct sel_statement *s,
	struct sel_error *why) MUST_USE;
