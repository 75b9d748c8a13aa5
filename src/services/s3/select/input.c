/* Cutting records from the stream. A record that the window does not hold whole is begun again once more is read. */
#include "services/s3/select/input.h"

enum { PIECE = 128 * 1024 };

void sel_input_init(struct sel_input *in, sel_source read, void *ctx)
{
	in->read = read;
	in->ctx = ctx;
	in->window = BUF_HEAP;
}

void sel_input_cleanup(struct sel_input *in)
{
	buf_cleanup(&in->window);
}

void sel_input_restart(struct sel_input *in, uint64_t offset)
{
	in->window.n = in->at = 0;
	in->offset = offset;
	in->ended = false;
}

/* One piece more; false at the end of the stream. */
static status more(struct sel_input *in, bool *got_some, struct sel_error *why)
{
	size_t got;
	*got_some = false;
	if (in->ended) return OK;
	if (in->at > 0) {
		memmove(in->window.p, in->window.p + in->at, in->window.n - in->at);
		in->window.n -= in->at;
		in->offset += in->at;
		in->at = 0;
	}
	if (in->window.n > SEL_RECORD_MAX)
		return sel_fail(why, "OverMaxRecordSize",
			"The length of a record in the input or result is greater than maxCharsPerRecord of 1 MB.");
	char *p = buf_reserve(&in->window, PIECE);
	TRY(in->read(in->ctx, p, PIECE, &got));
	in->window.n += got;
	*got_some = got > 0;
	in->ended = got == 0;
	return OK;
}

/* ── CSV ── */

static bool is_end(const struct sel_csv *o, const char *p, const char *end)
{
	return (size_t)(end - p) >= o->record.n && memcmp(p, o->record.p, o->record.n) == 0;
}

struct cut {
	enum { CUT_DONE, CUT_SHORT, CUT_BAD } outcome;
	const char *after; /* DONE */
};

/* A field within quotes, from behind the opening one. */
static struct cut quoted(const struct sel_csv *o, const char *p, const char *end, bool last, struct buf *field)
{
	for (;;) {
		if (p == end) return (struct cut){.outcome = last ? CUT_BAD : CUT_SHORT};
		if (*p == o->escape && *p != o->quote) {
			if (p + 1 == end) return (struct cut){.outcome = last ? CUT_BAD : CUT_SHORT};
			if (p[1] != o->quote && p[1] != o->escape) buf_byte(field, *p);
			buf_byte(field, p[1]);
			p += 2;
		} else if (*p == o->quote) {
			if (p + 1 == end && !last) return (struct cut){.outcome = CUT_SHORT};
			if (o->escape != o->quote || p + 1 == end || p[1] != o->quote)
				return (struct cut){.outcome = CUT_DONE, .after = p + 1};
			buf_byte(field, *p);
			p += 2;
		} else if (!o->quoted_records && is_end(o, p, end)) {
			return (struct cut){.outcome = CUT_BAD};
		} else {
			buf_byte(field, *p++);
		}
	}
}

struct fields {
	struct str *v;
	size_t n;
};
static struct cut cut_csv(
	const struct sel_csv *o, struct arena *a, const char *p, const char *end, bool last, struct fields *out)
{
	size_t capacity = 0;
	*out = (struct fields){0};
	for (;;) {
		struct buf field = BUF_IN(a);
		const char *from = p;
		struct str text;
		bool was_quoted = p < end && o->quote && *p == o->quote;
		if (was_quoted) {
			struct cut c = quoted(o, p + 1, end, last, &field);
			if (c.outcome != CUT_DONE) return c;
			from = p = c.after;
		}
		/* A delimiter of two bytes may be cut by the window's end. */
		while (p < end && *p != o->field && !is_end(o, p, end)) p++;
		if (!last && (size_t)(end - p) < o->record.n) return (struct cut){.outcome = CUT_SHORT};
		bool record = p == end || is_end(o, p, end);
		text = str_n(from, (size_t)(p - from));
		/* Lines may end as those of Windows do. */
		if (record && text.n && o->record.n == 1 && o->record.p[0] == '\n' && text.p[text.n - 1] == '\r')
			text.n--;
		if (was_quoted) {
			buf_str(&field, text);
			text = buf_done(&field);
		} else {
			text = str_dup(a, text);
		}
		*VEC_PUSH(a, out, &capacity) = text;
		if (record) return (struct cut){.outcome = CUT_DONE, .after = p == end ? end : p + o->record.n};
		p++;
	}
}

static bool skip_line(const struct sel_csv *o, const char **p, const char *end, bool last)
{
	for (const char *q = *p; q < end; q++)
		if (is_end(o, q, end)) {
			*p = q + o->record.n;
			return true;
		}
	if (last) *p = end;
	return last;
}

status sel_next_csv(struct sel_input *in, struct arena *a, struct str **fields, size_t *n, struct sel_error *why)
{
	struct arena_mark mark = arena_mark(a);
	bool got;
	for (;;) {
		const char *p = in->window.p ? in->window.p + in->at : "",
			   *end = in->window.p ? in->window.p + in->window.n : p;
		struct cut c = {.outcome = CUT_SHORT};
		struct fields f;
		bool empty = p == end;
		if (!empty && in->csv.comment && *p == in->csv.comment) {
			const char *after = p;
			if (skip_line(&in->csv, &after, end, in->ended)) {
				in->at += (size_t)(after - p);
				continue;
			}
		} else if (!empty && is_end(&in->csv, p, end)) {
			in->at += in->csv.record.n; /* an empty line is no record */
			continue;
		} else if (!empty) {
			c = cut_csv(&in->csv, a, p, end, in->ended, &f);
		}
		if (c.outcome == CUT_BAD)
			return sel_fail(why, "CSVParsingError",
				"Encountered an error parsing the CSV file. Check the file and try again.");
		if (c.outcome == CUT_DONE) {
			in->at += (size_t)(c.after - p);
			*fields = f.v;
			*n = f.n;
			return OK;
		}
		arena_release(a, mark);
		if (in->ended) return STATUS(NOT_FOUND);
		TRY(more(in, &got, why));
		(void)got;
	}
}

/* ── JSON ── */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The end of the value that begins at p; NULL where the window does not tell. */
static const char *value_end(const char *p, const char *end, bool last)
{
	size_t depth = 0;
	bool text = false, escaped = false;
	for (const char *q = p; q < end; q++) {
		if (text) {
			if (escaped)
				escaped = false;
			else if (*q == '\\')
				escaped = true;
			else if (*q == '"')
				text = false;
			if (!text && !depth) return q + 1;
			continue;
		}
		if (*q == '"') {
			text = true;
		} else if (*q == '{' || *q == '[') {
			depth++;
		} else if (*q == '}' || *q == ']') {
			if (depth <= 1) return q + 1;
			depth--;
		} else if (!depth && is_space(*q)) {
			return q;
		}
	}
	return last ? end : NULL;
}

status sel_next_json(struct sel_input *in, struct arena *a, struct json_value **out, struct sel_error *why)
{
	bool got;
	for (;;) {
		while (in->at < in->window.n && is_space(in->window.p[in->at])) in->at++;
		const char *p = in->window.p ? in->window.p + in->at : "",
			   *end = in->window.p ? in->window.p + in->window.n : p;
		const char *after = p == end ? NULL : value_end(p, end, in->ended);
		if (after) {
			/* The values point into the text: it has to stay when the window moves. */
			struct str text = str_dup(a, str_n(p, (size_t)(after - p)));
			in->at += text.n;
			if (!is_ok(json_read(a, text, out)))
				return sel_fail(why, "JSONParsingError",
					"Encountered an error parsing the JSON file. Check the file and try again.");
			return OK;
		}
		if (in->ended) return STATUS(NOT_FOUND);
		TRY(more(in, &got, why));
		(void)got;
	}
}

status sel_input_skip(struct sel_input *in, struct sel_error *why)
{
	static const struct sel_csv lines = {.record = {"\n", 1}};
	const struct sel_csv *o = in->json ? &lines : &in->csv;
	bool got;
	for (;;) {
		const char *p = in->window.p ? in->window.p + in->at : "",
			   *end = in->window.p ? in->window.p + in->window.n : p;
		const char *after = p;
		if (skip_line(o, &after, end, in->ended)) {
			in->at += (size_t)(after - p);
			return OK;
		}
		TRY(more(in, &got, why));
		(void)got;
	}
}
