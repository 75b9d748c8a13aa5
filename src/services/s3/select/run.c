/* The loop of a selection. Each call does a bounded piece of the work, so that a scan which finds nothing still lets
 * the thread that it runs in serve others, and tells the client that it is alive ("SelectObjectContent": Cont,
 * Progress). */
#include "services/s3/select/run.h"
#include "services/s3/select/unpack.h"
#include "wire/event.h"
#include <stdlib.h>

enum { SCAN_STEP = 1024 * 1024 /* bytes in one call */, RECORDS_FLUSH = 64 * 1024, RECORDS_MAX = 4 * 1024 * 1024 };

struct sel_run {
	struct sel_plan plan;
	sel_read read;
	void (*close)(void *ctx);
	void *ctx;
	uint64_t at; /* in the object: how far it is read */
	struct sel_input input;
	struct sel_unpack *unpack; /* NULL: it is not compressed */
	struct arena record, kept; /* kept: the header's names */
	struct str *names;
	size_t n_names;
	struct sel_total *totals;
	struct sel_error why;
	struct buf rows;   /* not yet a message */
	struct buf answer; /* messages; handed out from `sent` on */
	size_t sent;
	bool begun, scanned, finished;
	uint64_t n_rows, returned;
};

/* ── the object's bytes ── */

static status read_plain(struct sel_run *r, char *p, size_t n, size_t *got)
{
	int64_t k = r->read(r->ctx, r->at, p, n);
	if (k < 0) return STATUS(CORRUPT);
	r->at += (uint64_t)k;
	*got = (size_t)k;
	return OK;
}

static status more_packed(void *ctx, char *p, size_t n, size_t *got)
{
	return read_plain(ctx, p, n, got);
}

static status read_packed(struct sel_run *r, char *p, size_t n, size_t *got)
{
	status s = sel_unpack_read(r->unpack, p, n, got);
	if (!status_is(s, STATUS_INVALID)) return s;
	return sel_fail(&r->why, "InvalidCompressionFormat",
		"The file is not in a supported compression format. Only GZIP and BZIP2 are supported.");
}

static status source(void *ctx, char *p, size_t n, size_t *got)
{
	struct sel_run *r = ctx;
	return r->unpack ? read_packed(r, p, n, got) : read_plain(r, p, n, got);
}

/* ── messages ── */

static void message(struct sel_run *r, struct str type, struct str content_type, struct str payload)
{
	struct wire_header h[3] = {
		{STR(":message-type"), STR("event")}, {STR(":event-type"), type}, {STR(":content-type"), content_type}};
	wire_event_write(&r->answer, h, str_has(content_type) ? 3 : 2, payload);
}

static void tell_counts(struct sel_run *r, const char *root)
{
	struct buf b = BUF_HEAP;
	/* What was inflated is what was processed. */
	uint64_t processed = sel_input_offset(&r->input);
	buf_fmt(&b,
		"<%s><BytesScanned>%llu</BytesScanned><BytesProcessed>%llu</BytesProcessed><BytesReturned>%llu"
		"</BytesReturned></%s>",
		root, (unsigned long long)(r->unpack ? r->at - sel_unpack_waiting(r->unpack) : processed),
		(unsigned long long)processed, (unsigned long long)r->returned, root);
	message(r, str_c(root), STR("text/xml"), buf_done(&b));
	buf_cleanup(&b);
}

static void flush_rows(struct sel_run *r)
{
	if (!r->rows.n) return;
	message(r, STR("Records"), STR("application/octet-stream"), buf_done(&r->rows));
	r->returned += r->rows.n;
	r->rows.n = 0;
}

static void finish(struct sel_run *r)
{
	flush_rows(r);
	if (r->plan.progress) tell_counts(r, "Progress");
	tell_counts(r, "Stats");
	message(r, STR("End"), STR_NONE, STR(""));
	r->finished = true;
}

static void finish_badly(struct sel_run *r)
{
	if (!str_has(r->why.code))
		r->why = (struct sel_error){
			STR("InternalError"), STR("We encountered an internal error. Please try again.")};
	struct wire_header h[3] = {{STR(":message-type"), STR("error")}, {STR(":error-code"), r->why.code},
		{STR(":error-message"), r->why.message}};
	flush_rows(r);
	wire_event_write(&r->answer, h, 3, STR(""));
	r->finished = true;
}

/* ── rows ── */

static bool is_full(const struct sel_run *r)
{
	return r->plan.statement.limited && r->n_rows >= r->plan.statement.limit;
}

static status take_row(struct sel_run *r, struct sel_row *row)
{
	const struct sel_statement *s = &r->plan.statement;
	bool matches;
	TRY(sel_matches(row, s, &matches, &r->why));
	if (!matches) return OK;
	if (s->aggregates.n) return sel_count(row, s, r->totals, &r->why);
	if (is_full(r)) return OK;
	r->n_rows++;
	return sel_write_row(&r->rows, &r->plan.out, row, s, &r->why);
}

static struct sel_row row_of(struct sel_run *r)
{
	return (struct sel_row){
		.arena = &r->record, .now_ms = r->plan.now_ms, .names = r->names, .n_names = r->n_names};
}

static status take_json(void *ctx, const struct json_value *v)
{
	struct sel_run *r = ctx;
	struct sel_row row = row_of(r);
	row.json = v;
	return take_row(r, &row);
}

/* NOT_FOUND: there is no more. */
static status one_record(struct sel_run *r)
{
	arena_reset(&r->record);
	if (r->plan.ranged && sel_input_offset(&r->input) >= r->plan.end) return STATUS(NOT_FOUND);
	if (r->plan.json_in) {
		struct json_value *v;
		TRY(sel_next_json(&r->input, &r->record, &v, &r->why));
		return sel_from(&r->plan.statement.from, v, take_json, r);
	}
	struct sel_row row = row_of(r);
	struct str *fields;
	TRY(sel_next_csv(&r->input, &r->record, &fields, &row.n_fields, &r->why));
	row.fields = fields;
	return take_row(r, &row);
}

static status begin(struct sel_run *r)
{
	const struct sel_plan *p = &r->plan;
	r->begun = true;
	if (p->header_use || p->header_skip) {
		struct str *names;
		size_t n;
		status s = sel_next_csv(&r->input, &r->kept, &names, &n, &r->why);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		if (is_ok(s) && p->header_use) {
			r->names = names;
			r->n_names = n;
			for (size_t i = 0; i < n; i++) names[i] = str_trim(names[i]);
		}
	}
	if (!p->ranged || p->start <= sel_input_offset(&r->input)) return OK;
	/* A record that begins before the range belongs to whoever scans what is before it. */
	r->at = p->start - 1;
	sel_input_restart(&r->input, p->start - 1);
	return sel_input_skip(&r->input, &r->why);
}

static status totals(struct sel_run *r)
{
	const struct sel_statement *s = &r->plan.statement;
	if (!s->aggregates.n || (s->limited && s->limit == 0)) return OK;
	struct sel_value *v = arena_new_n(&r->kept, struct sel_value, s->aggregates.n);
	for (size_t i = 0; i < s->aggregates.n; i++) sel_total_value(s->aggregates.v[i], &r->totals[i], &v[i]);
	struct sel_row row = row_of(r);
	row.totals = v;
	return sel_write_row(&r->rows, &r->plan.out, &row, s, &r->why);
}

static status scan(struct sel_run *r)
{
	if (!r->begun) TRY(begin(r));
	uint64_t until = sel_input_offset(&r->input) + SCAN_STEP;
	while (!r->scanned && r->rows.n < RECORDS_FLUSH && sel_input_offset(&r->input) < until) {
		if (!r->plan.statement.aggregates.n && is_full(r)) {
			r->scanned = true;
			break;
		}
		status s = one_record(r);
		if (status_is(s, STATUS_NOT_FOUND))
			r->scanned = true;
		else
			TRY(s);
	}
	return r->scanned ? totals(r) : OK;
}

/* Makes some messages. */
static void advance(struct sel_run *r)
{
	r->answer.n = r->sent = 0;
	if (!is_ok(scan(r))) {
		finish_badly(r);
		return;
	}
	if (r->scanned) {
		finish(r);
		return;
	}
	flush_rows(r);
	if (r->plan.progress)
		tell_counts(r, "Progress");
	else if (!r->answer.n)
		message(r, STR("Cont"), STR_NONE, STR(""));
}

int64_t sel_run_read(void *run, uint64_t at, char *p, size_t n)
{
	struct sel_run *r = run;
	(void)at;
	if (r->sent == r->answer.n) {
		if (r->finished) return 0;
		advance(r);
	}
	size_t take = r->answer.n - r->sent < n ? r->answer.n - r->sent : n;
	memcpy(p, r->answer.p + r->sent, take);
	r->sent += take;
	return (int64_t)take;
}

struct sel_run *sel_run_new(const struct sel_plan *plan, sel_read read, void (*close)(void *ctx), void *ctx)
{
	struct sel_run *r = mem_new(sizeof *r);
	r->plan = *plan;
	r->read = read;
	r->close = close;
	r->ctx = ctx;
	arena_init(&r->record);
	arena_init(&r->kept);
	sel_input_init(&r->input, source, r);
	r->input.json = plan->json_in;
	r->input.csv = plan->csv;
	size_t n = plan->statement.aggregates.n;
	r->totals = mem_new((n ? n : 1) * sizeof *r->totals);
	if (plan->gzip || plan->bzip2) r->unpack = sel_unpack_new(plan->bzip2, more_packed, r);
	return r;
}

void sel_run_free(void *run)
{
	struct sel_run *r = run;
	for (size_t i = 0; i < r->plan.statement.aggregates.n; i++) buf_cleanup(&r->totals[i].text);
	sel_unpack_free(r->unpack);
	free(r->totals);
	sel_input_cleanup(&r->input);
	buf_cleanup(&r->rows);
	buf_cleanup(&r->answer);
	arena_cleanup(&r->record);
	arena_cleanup(&r->kept);
	if (r->close) r->close(r->ctx);
	free(r);
}
