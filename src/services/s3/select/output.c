/* Rows of results as CSV or JSON ("OutputSerialization", SelectObjectContent). */
#include "services/s3/select/input.h"

static bool needs_quotes(const struct sel_output *o, struct str s)
{
	if (o->quote_always) return true;
	if (!o->quote) return false;
	return str_chr(s, o->quote) >= 0 || str_find(s, o->field) >= 0 || str_find(s, o->record) >= 0 ||
	       str_chr(s, '\n') >= 0 || str_chr(s, '\r') >= 0;
}

static void write_field(struct buf *b, const struct sel_output *o, struct str s)
{
	if (!needs_quotes(o, s)) {
		buf_str(b, s);
		return;
	}
	buf_byte(b, o->quote);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == o->quote || (s.p[i] == o->escape && o->escape != o->quote)) buf_byte(b, o->escape);
		buf_byte(b, s.p[i]);
	}
	buf_byte(b, o->quote);
}

static void write_name(struct buf *b, struct arena *a, struct str name, size_t i, bool *comma)
{
	if (*comma) buf_byte(b, ',');
	*comma = true;
	json_quote(b, str_has(name) ? name : str_fmt(a, "_%zu", i + 1));
	buf_byte(b, ':');
}

static void all_csv(struct buf *b, const struct sel_output *o, struct sel_row *row)
{
	bool comma = false;
	if (!row->json) {
		for (size_t i = 0; i < row->n_fields; i++) {
			if (i) buf_str(b, o->field);
			write_field(b, o, row->fields[i]);
		}
		return;
	}
	bool one = !json_is(row->json, JSON_IS_OBJECT);
	for (const struct json_value *m = one ? row->json : row->json->first; m; m = one ? NULL : m->next) {
		struct sel_value v = sel_of_json(m);
		struct buf text = BUF_IN(row->arena);
		sel_write_text(&text, &v);
		if (comma) buf_str(b, o->field);
		write_field(b, o, buf_done(&text));
		comma = true;
	}
}

static void all_json(struct buf *b, struct sel_row *row)
{
	bool comma = false;
	if (json_is(row->json, JSON_IS_OBJECT)) {
		json_write(b, row->json);
		return;
	}
	buf_byte(b, '{');
	if (row->json) {
		write_name(b, row->arena, STR_NONE, 0, &comma);
		json_write(b, row->json);
	}
	for (size_t i = 0; i < row->n_fields; i++) {
		write_name(b, row->arena, i < row->n_names ? row->names[i] : STR_NONE, i, &comma);
		json_quote(b, row->fields[i]);
	}
	buf_byte(b, '}');
}

static status columns(struct buf *b, const struct sel_output *o, struct sel_row *row, const struct sel_statement *s,
	struct sel_error *why)
{
	bool comma = false;
	if (o->json) buf_byte(b, '{');
	for (size_t i = 0; i < s->columns.n; i++) {
		const struct sel_column *c = &s->columns.v[i];
		struct sel_value v;
		TRY(sel_eval(row, c->node, &v, why));
		if (o->json) {
			if (v.type == SEL_MISSING) continue;
			write_name(b, row->arena, c->name, i, &comma);
			sel_write_json(b, &v);
		} else {
			struct buf text = BUF_IN(row->arena);
			if (i) buf_str(b, o->field);
			sel_write_text(&text, &v);
			write_field(b, o, buf_done(&text));
		}
	}
	if (o->json) buf_byte(b, '}');
	return OK;
}

status sel_write_row(struct buf *b, const struct sel_output *o, struct sel_row *row, const struct sel_statement *s,
	struct sel_error *why)
{
	size_t before = b->n;
	if (!s->star)
		TRY(columns(b, o, row, s, why));
	else if (o->json)
		all_json(b, row);
	else
		all_csv(b, o, row);
	if (b->n - before > SEL_RECORD_MAX)
		return sel_fail(why, "OverMaxRecordSize",
			"The length of a record in the input or result is greater than maxCharsPerRecord of 1 MB.");
	buf_str(b, o->record);
	return OK;
}
