/* Values of rows: fields that CloudWatch knows (@timestamp, …), those of JSON messages, and what a query has named. */
#include "base/json.h"
#include "services/logs/insights.h"
#include <math.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define TIME_MAX_MS 253402300799999.0 /* the year 9999 */

/* 2026-11-29 12:05:00.000 */
static struct str time_text(struct arena *a, int64_t ms)
{
	struct str t = time_iso8601(a, ms, true);
	return str_fmt(a, "%.10s %.12s", t.p, t.p + 11);
}

struct str ins_field(struct arena *a, struct ins_row *r, struct str name)
{
	for (size_t i = r->pairs.n; i-- > 0;)
		if (str_eq(r->pairs.v[i].name, name)) return r->pairs.v[i].value;
	struct str within = ins_path_in_pairs(a, r, name);
	if (str_has(within) || !r->event) return within;
	if (str_is(name, "@message")) return r->event->message;
	if (str_is(name, "@timestamp")) return time_text(a, r->event->position.at);
	if (str_is(name, "@ingestionTime")) return time_text(a, r->event->ingested);
	if (str_is(name, "@logStream")) return r->event->stream;
	if (str_is(name, "@log")) return r->log;
	if (str_is(name, "@ptr")) return r->ptr;
	if (!r->json_tried) {
		r->json_tried = true;
		struct str text = str_trim(r->event->message);
		if (str_starts(text, STR("{")) && !is_ok(json_read(a, text, &r->json))) r->json = NULL;
	}
	if (!r->json) return STR_NONE;
	return ins_path(a, r->json, name);
}

bool ins_regex_matches(const void *regex, struct str s)
{
	pcre2_match_data *m = pcre2_match_data_create(1, NULL);
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_set_match_limit(limits, 100000);
	int r = pcre2_match(regex, (PCRE2_SPTR)s.p, s.n, 0, 0, m, limits);
	pcre2_match_context_free(limits);
	pcre2_match_data_free(m);
	return r >= 0;
}

static struct ins_value of_number(double d)
{
	return (struct ins_value){.has = isfinite(d), .numeric = true, .number = d};
}

static struct ins_value of_text(struct str s)
{
	struct ins_value v = {.has = str_has(s), .text = s};
	if (v.has && s.n && s.n < 40) v.numeric = is_ok(str_to_f64(s, &v.number)) && isfinite(v.number);
	return v;
}

static struct ins_value of_string(struct str s)
{
	return (struct ins_value){.has = str_has(s), .text = s};
}

struct str ins_text(struct arena *a, struct ins_value v)
{
	struct buf b = BUF_IN(a);
	if (!v.has) return STR_NONE;
	if (str_has(v.text)) return v.text;
	buf_f64(&b, v.number);
	return buf_done(&b);
}

bool ins_true(struct ins_value v)
{
	return v.has && (v.numeric ? v.number != 0 : v.text.n > 0 && !str_ieq(v.text, STR("false")));
}

/* @timestamp is shown as text, and counts as milliseconds. */
static double as_number(struct ins_value v)
{
	int64_t ms;
	char text[32];
	if (!v.has) return NAN;
	if (v.numeric) return v.number;
	if (v.text.n != 23 || v.text.p[10] != ' ') return NAN;
	memcpy(text, v.text.p, 23);
	text[10] = 'T';
	text[23] = 'Z';
	return is_ok(time_read_iso8601(str_n(text, 24), &ms)) ? (double)ms : NAN;
}

static struct ins_value compare(struct arena *a, char op, struct ins_value x, struct ins_value y)
{
	double p = as_number(x), q = as_number(y);
	int order;
	if (!x.has || !y.has) return op == '!' ? of_number(x.has != y.has) : of_number(0);
	if (!isnan(p) && !isnan(q))
		order = p < q ? -1 : p > q;
	else
		order = str_cmp(ins_text(a, x), ins_text(a, y));
	bool r = op == '='   ? order == 0
		 : op == '!' ? order != 0
		 : op == '<' ? order < 0
		 : op == '>' ? order > 0
		 : op == 'l' ? order <= 0
			     : order >= 0;
	return of_number(r);
}

static struct ins_value binary(struct arena *a, struct ins_row *r, const struct ins_expr *e)
{
	struct ins_value x = ins_eval(a, r, e->first);
	if (e->op == '&') return of_number(ins_true(x) && ins_true(ins_eval(a, r, e->first->next)));
	if (e->op == '|') return of_number(ins_true(x) || ins_true(ins_eval(a, r, e->first->next)));
	struct ins_value y = ins_eval(a, r, e->first->next);
	double p = as_number(x), q = as_number(y);
	switch (e->op) {
	case '+':
		return of_number(p + q);
	case '-':
		return of_number(p - q);
	case '*':
		return of_number(p * q);
	case '/':
		return of_number(q == 0 ? NAN : p / q);
	case '%':
		return of_number(q == 0 ? NAN : fmod(p, q));
	case '^':
		return of_number(pow(p, q));
	default:
		return compare(a, e->op, x, y);
	}
}

static struct ins_value replace(struct arena *a, struct str s, struct str what, struct str with)
{
	struct buf b = BUF_IN(a);
	while (what.n) {
		ptrdiff_t at = str_find(s, what);
		if (at < 0) break;
		buf_str(&b, str_sub(s, 0, (size_t)at));
		buf_str(&b, with);
		s = str_from(s, (size_t)at + what.n);
	}
	buf_str(&b, s);
	return of_string(buf_done(&b));
}

static struct ins_value case_of(struct arena *a, struct str s, bool up)
{
	if (!up) return of_string(str_lower(a, s));
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < s.n; i++) buf_byte(&b, s.p[i] >= 'a' && s.p[i] <= 'z' ? (char)(s.p[i] - 32) : s.p[i]);
	return of_string(buf_done(&b));
}

/* "If the function has a second argument, it does not remove white space. Instead, it removes the characters in it." */
static struct str trim_of(struct str s, struct str chars, bool left, bool right)
{
	while (left && s.n && str_chr(chars, s.p[0]) >= 0) s = str_from(s, 1);
	while (right && s.n && str_chr(chars, s.p[s.n - 1]) >= 0) s.n--;
	return s;
}

/* A number of bytes, at most `most`. */
static size_t place_of(double d, size_t most)
{
	return !(d > 0) ? 0 : d < (double)most ? (size_t)d : most;
}

static struct ins_value call(struct arena *a, struct ins_row *r, const struct ins_expr *e)
{
	struct ins_value v[3] = {{0}};
	struct str f = e->text, t[3] = {STR_NONE, STR_NONE, STR_NONE};
	size_t n = 0;
	if (str_is(f, "coalesce")) {
		for (const struct ins_expr *k = e->first; k; k = k->next) {
			struct ins_value one = ins_eval(a, r, k);
			if (one.has) return one;
		}
		return (struct ins_value){0};
	}
	if (str_is(f, "concat")) {
		struct buf b = BUF_IN(a);
		for (const struct ins_expr *k = e->first; k; k = k->next) buf_str(&b, ins_text(a, ins_eval(a, r, k)));
		return of_string(buf_done(&b));
	}
	bool greatest = str_is(f, "greatest");
	if (greatest || str_is(f, "least")) {
		double best = NAN;
		for (const struct ins_expr *k = e->first; k; k = k->next) {
			double d = as_number(ins_eval(a, r, k));
			if (isnan(best) || (greatest ? d > best : d < best)) best = d;
		}
		return of_number(best);
	}
	for (const struct ins_expr *k = e->first; k && n < 3; k = k->next, n++) {
		v[n] = ins_eval(a, r, k);
		t[n] = str_or(ins_text(a, v[n]), STR(""));
	}
	double x = as_number(v[0]), y = as_number(v[1]);
	if (str_is(f, "bin") || str_is(f, "datefloor") || str_is(f, "dateceil")) {
		double at = str_is(f, "bin") ? (r->event ? (double)r->event->position.at : NAN) : x,
		       step = str_is(f, "bin") ? x : y;
		if (!(fabs(at) < TIME_MAX_MS) || !(step >= 1 && step < TIME_MAX_MS)) return (struct ins_value){0};
		return of_string(
			time_text(a, (int64_t)((str_is(f, "dateceil") ? ceil(at / step) : floor(at / step)) * step)));
	}
	if (str_is(f, "abs")) return of_number(fabs(x));
	if (str_is(f, "ceil")) return of_number(ceil(x));
	if (str_is(f, "floor")) return of_number(floor(x));
	if (str_is(f, "log")) return of_number(log(x));
	if (str_is(f, "sqrt")) return of_number(sqrt(x));
	if (str_is(f, "frommillis"))
		return !(fabs(x) < TIME_MAX_MS) ? (struct ins_value){0} : of_string(time_text(a, (int64_t)x));
	if (str_is(f, "tomillis")) return of_number(x);
	if (str_is(f, "now")) return of_number(floor((double)r->now_ms / 1000));
	if (str_is(f, "ispresent")) return of_number(v[0].has);
	if (str_is(f, "isempty")) return of_number(!v[0].has || !t[0].n);
	if (str_is(f, "isblank")) return of_number(!v[0].has || !str_trim(t[0]).n);
	if (!v[0].has) return (struct ins_value){0};
	struct ins_value special;
	if (ins_special(a, f, t, &special)) return special;
	if (str_is(f, "strlen")) return of_number((double)(str_utf8_valid(t[0]) ? str_utf8_length(t[0]) : t[0].n));
	if (str_is(f, "toupper") || str_is(f, "tolower")) return case_of(a, t[0], str_is(f, "toupper"));
	if (str_is(f, "trim") || str_is(f, "ltrim") || str_is(f, "rtrim"))
		return of_string(
			trim_of(t[0], n > 1 ? t[1] : STR(" \t\r\n"), !str_is(f, "rtrim"), !str_is(f, "ltrim")));
	if (str_is(f, "strcontains")) return of_number(str_find(t[0], t[1]) >= 0);
	if (str_is(f, "replace")) return replace(a, t[0], t[1], t[2]);
	if (str_is(f, "substr")) {
		size_t from = place_of(y, t[0].n);
		return of_string(str_sub(t[0], from, n > 2 ? place_of(as_number(v[2]), t[0].n) : t[0].n));
	}
	return (struct ins_value){0};
}

struct ins_value ins_eval(struct arena *a, struct ins_row *r, const struct ins_expr *e)
{
	struct ins_value x;
	switch (e->kind) {
	case INS_NUMBER:
		return of_number(e->number);
	case INS_STRING:
		return of_string(e->text);
	case INS_FIELD:
		return of_text(ins_field(a, r, e->text));
	case INS_NEGATE:
		return of_number(-as_number(ins_eval(a, r, e->first)));
	case INS_NOT:
		return of_number(!ins_true(ins_eval(a, r, e->first)));
	case INS_BINARY:
		return binary(a, r, e);
	case INS_LIKE: {
		struct str s = ins_text(a, ins_eval(a, r, e->first));
		bool has = str_has(s) && (e->regex ? ins_regex_matches(e->regex, s) : str_find(s, e->text) >= 0);
		return of_number(has != e->negated);
	}
	case INS_IN: {
		bool has = false;
		x = ins_eval(a, r, e->first);
		for (const struct ins_expr *k = e->first->next; k && !has; k = k->next)
			has = compare(a, '=', x, ins_eval(a, r, k)).number != 0;
		return of_number(has != e->negated);
	}
	case INS_CALL:
		break;
	}
	return call(a, r, e);
}
