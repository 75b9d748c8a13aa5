/* Values: from JSON and text, compared, converted, written ("Data types", "CAST", Amazon S3 User Guide). */
#include "services/s3/select/select.h"
#include <math.h>

status sel_fail(struct sel_error *why, const char *code, const char *message)
{
	if (!str_has(why->code)) *why = (struct sel_error){str_c(code), str_c(message)};
	return STATUS(FAILED);
}

bool sel_number(struct str text, struct sel_value *out)
{
	struct str s = str_trim(text);
	int64_t i;
	double f;
	if (s.n > 1 && s.p[0] == '+' && s.p[1] >= '0' && s.p[1] <= '9') s = str_from(s, 1);
	if (is_ok(str_to_i64(s, &i))) {
		*out = (struct sel_value){.type = SEL_INT, .i = i};
		return true;
	}
	if (s.n > 1 && s.p[s.n - 1] == '.') s.n--;
	if (!is_ok(str_to_f64(s, &f)) || !isfinite(f)) return false;
	*out = (struct sel_value){.type = SEL_FLOAT, .f = f};
	return true;
}

struct sel_value sel_of_json(const struct json_value *v)
{
	struct sel_value out = {.type = SEL_MISSING};
	if (!v) return out;
	switch (v->type) {
	case JSON_IS_NULL:
		out.type = SEL_NULL;
		break;
	case JSON_IS_BOOL:
		out = (struct sel_value){.type = SEL_BOOL, .truth = v->truth};
		break;
	case JSON_IS_NUMBER:
		if (!sel_number(v->text, &out)) out = (struct sel_value){.type = SEL_STRING, .s = v->text};
		break;
	case JSON_IS_STRING:
		out = (struct sel_value){.type = SEL_STRING, .s = v->text};
		break;
	case JSON_IS_ARRAY:
	case JSON_IS_OBJECT:
		out.type = SEL_JSON;
		break;
	}
	out.json = v;
	return out;
}

/* ── written ── */

void sel_write_text(struct buf *b, const struct sel_value *v)
{
	switch (v->type) {
	case SEL_MISSING:
	case SEL_NULL:
		return;
	case SEL_BOOL:
		buf_str(b, v->truth ? STR("true") : STR("false"));
		return;
	case SEL_INT:
		/* A number that was not computed stays as it was written. */
		if (v->json)
			buf_str(b, v->json->text);
		else
			buf_i64(b, v->i);
		return;
	case SEL_FLOAT:
		if (v->json)
			buf_str(b, v->json->text);
		else
			buf_f64(b, v->f);
		return;
	case SEL_STRING:
		buf_str(b, v->s);
		return;
	case SEL_TIME:
		sel_time_write(b, &v->time);
		return;
	case SEL_JSON:
		json_write(b, v->json);
		return;
	}
}

void sel_write_json(struct buf *b, const struct sel_value *v)
{
	if (v->type == SEL_MISSING || v->type == SEL_NULL) {
		buf_lit(b, "null");
	} else if (v->type == SEL_STRING) {
		json_quote(b, v->s);
	} else if (v->type == SEL_TIME) {
		buf_byte(b, '"');
		sel_time_write(b, &v->time);
		buf_byte(b, '"');
	} else {
		sel_write_text(b, v);
	}
}

/* ── compared ── */

static bool is_number(const struct sel_value *v)
{
	return v->type == SEL_INT || v->type == SEL_FLOAT;
}
static double number(const struct sel_value *v)
{
	return v->type == SEL_INT ? (double)v->i : v->f;
}

bool sel_compare(const struct sel_value *x, const struct sel_value *y, int *out)
{
	struct sel_value parsed;
	struct sel_time t;
	/* Text beside a number or a timestamp counts as one, where it is one: so are CSV's fields. */
	if (is_number(x) && y->type == SEL_STRING) {
		if (!sel_number(y->s, &parsed)) return false;
		y = &parsed;
	} else if (is_number(y) && x->type == SEL_STRING) {
		if (!sel_number(x->s, &parsed)) return false;
		x = &parsed;
	} else if (x->type == SEL_TIME && y->type == SEL_STRING) {
		if (!sel_time_read(y->s, &t)) return false;
		parsed = (struct sel_value){.type = SEL_TIME, .time = t};
		y = &parsed;
	} else if (y->type == SEL_TIME && x->type == SEL_STRING) {
		if (!sel_time_read(x->s, &t)) return false;
		parsed = (struct sel_value){.type = SEL_TIME, .time = t};
		x = &parsed;
	}
	if (x->type == SEL_INT && y->type == SEL_INT) {
		*out = (x->i > y->i) - (x->i < y->i);
		return true;
	}
	if (is_number(x) && is_number(y)) {
		double p = number(x), q = number(y);
		*out = (p > q) - (p < q);
		return true;
	}
	if (x->type != y->type) return false;
	if (x->type == SEL_STRING)
		*out = str_cmp(x->s, y->s);
	else if (x->type == SEL_BOOL)
		*out = (int)x->truth - (int)y->truth;
	else if (x->type == SEL_TIME)
		*out = (x->time.us > y->time.us) - (x->time.us < y->time.us);
	else
		return false;
	return true;
}

/* ── converted ── */

static status cast_failed(struct sel_error *why)
{
	return sel_fail(why, "CastFailed",
		"Attempt to convert from one data type to another using CAST failed in the SQL expression.");
}

static status to_int(const struct sel_value *v, struct sel_value *out, struct sel_error *why)
{
	struct sel_value n = *v;
	if (v->type == SEL_STRING && !sel_number(v->s, &n)) return cast_failed(why);
	if (v->type == SEL_BOOL) n = (struct sel_value){.type = SEL_INT, .i = v->truth};
	if (n.type == SEL_FLOAT) {
		if (!(n.f >= -9223372036854775808.0 && n.f < 9223372036854775808.0)) return cast_failed(why);
		n.i = (int64_t)n.f;
	} else if (n.type != SEL_INT) {
		return cast_failed(why);
	}
	*out = (struct sel_value){.type = SEL_INT, .i = n.i};
	return OK;
}

static status to_float(const struct sel_value *v, struct sel_value *out, struct sel_error *why)
{
	struct sel_value n = *v;
	if (v->type == SEL_STRING && !sel_number(v->s, &n)) return cast_failed(why);
	if (v->type == SEL_BOOL) n = (struct sel_value){.type = SEL_INT, .i = v->truth};
	if (!is_number(&n)) return cast_failed(why);
	*out = (struct sel_value){.type = SEL_FLOAT, .f = number(&n)};
	return OK;
}

static status to_bool(const struct sel_value *v, struct sel_value *out, struct sel_error *why)
{
	*out = (struct sel_value){.type = SEL_BOOL};
	switch (v->type) {
	case SEL_BOOL:
		out->truth = v->truth;
		return OK;
	case SEL_INT:
		out->truth = v->i != 0;
		return OK;
	case SEL_FLOAT:
		out->truth = v->f != 0;
		return OK;
	case SEL_STRING:
		out->truth = str_ieq(v->s, STR("true"));
		return out->truth || str_ieq(v->s, STR("false")) ? OK : cast_failed(why);
	case SEL_MISSING:
	case SEL_NULL:
	case SEL_TIME:
	case SEL_JSON:
		break;
	}
	return cast_failed(why);
}

status sel_cast(
	struct arena *a, const struct sel_value *v, enum sel_type to, struct sel_value *out, struct sel_error *why)
{
	struct buf b = BUF_IN(a);
	if (v->type == SEL_MISSING || v->type == SEL_NULL || v->type == to) {
		*out = *v;
		return OK;
	}
	switch (to) {
	case SEL_BOOL:
		return to_bool(v, out, why);
	case SEL_INT:
		return to_int(v, out, why);
	case SEL_FLOAT:
		return to_float(v, out, why);
	case SEL_STRING:
		sel_write_text(&b, v);
		*out = (struct sel_value){.type = SEL_STRING, .s = buf_done(&b)};
		return OK;
	case SEL_TIME:
		*out = (struct sel_value){.type = SEL_TIME};
		return v->type == SEL_STRING && sel_time_read(v->s, &out->time) ? OK : cast_failed(why);
	case SEL_MISSING:
	case SEL_NULL:
	case SEL_JSON:
		break;
	}
	return cast_failed(why);
}
