/* A statement of S3 Select, up to a newline (0x1e), then what it runs over. The first byte chooses the format. What is
 * answered must be well-formed messages, and must not depend on how the object's bytes come. */
#include "services/s3/select/run.h"
#include "wire/event.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
	struct str text;
	size_t piece;
};
static int64_t read_bytes(void *ctx, uint64_t at, char *p, size_t n)
{
	const struct bytes *b = ctx;
	if (at >= b->text.n) return 0;
	if (n > b->piece) n = b->piece;
	if (n > b->text.n - at) n = b->text.n - (size_t)at;
	memcpy(p, b->text.p + at, n);
	return (int64_t)n;
}

/* The payloads of all Records, one behind the other, and how it ended. */
static void run(const struct sel_plan *plan, struct str text, size_t piece, struct buf *out)
{
	struct bytes b = {text, piece};
	struct buf answer = BUF_HEAP;
	struct sel_run *r = sel_run_new(plan, read_bytes, NULL, &b);
	char p[997];
	int64_t got;
	for (uint64_t at = 0; (got = sel_run_read(r, at, p, sizeof p)) > 0; at += (uint64_t)got)
		buf_add(&answer, p, (size_t)got);
	if (got < 0) abort();
	sel_run_free(r);
	struct str rest = buf_done(&answer), last = STR("");
	while (rest.n) {
		struct wire_event e;
		if (!is_ok(wire_event_read(&rest, &e)) || e.n_headers < 1) abort();
		last = e.headers[e.n_headers > 1].value;
		if (str_is(last, "Records")) buf_str(out, e.payload);
	}
	buf_str(out, last);
	buf_cleanup(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct sel_error why;
	struct sel_plan plan = {.csv = {.field = ',', .quote = '"', .escape = '"', .record = {"\n", 1}},
		.out = {.quote = '"', .escape = '"', .field = {",", 1}, .record = {"\n", 1}}};
	if (size < 2) return 0;
	struct str text = str_n(data + 1, size - 1), sql = str_cut(&text, 0x1e);
	text = str_or(text, STR(""));
	plan.json_in = data[0] & 1;
	plan.out.json = data[0] & 2;
	plan.header_use = data[0] & 4;
	plan.csv.quoted_records = data[0] & 8;
	if (data[0] & 16) plan.csv.escape = '\\';
	plan.gzip = data[0] & 32;
	plan.bzip2 = !plan.gzip && data[0] & 64;
	arena_init(&a);
	if (is_ok(sel_parse(&a, sql, &plan.statement, &why))) {
		struct buf one = BUF_HEAP, two = BUF_HEAP;
		run(&plan, text, SIZE_MAX, &one);
		run(&plan, text, 1 + data[0] % 7, &two);
		/* How much of a damaged archive is seen before the damage depends on the pieces. */
		if (!plan.gzip && !plan.bzip2 && !str_eq(buf_done(&one), buf_done(&two))) abort();
		buf_cleanup(&one);
		buf_cleanup(&two);
	} else if (!why.code.n || !why.message.n) {
		abort();
	}
	struct wire_event e;
	struct str rest = str_n(data, size);
	(void)!is_ok(wire_event_read(&rest, &e));
	arena_cleanup(&a);
	return 0;
}
