/* Formulas of parameter values; see parameters.h. Integers only: results are rounded down. Depth and length are bounded
 * by those of the text, at most 255 characters. */
#include "services/rds/parameters.h"

enum { TEXT_MAX = 255, DEPTH_MAX = 16 };
struct reader {
	struct str s;
	const struct rds_formula_of *of;
	bool bad;
	unsigned depth;
};

static void skip(struct reader *r)
{
	while (r->s.n && (r->s.p[0] == ' ' || r->s.p[0] == '\t')) r->s = str_from(r->s, 1);
}

static bool take(struct reader *r, char c)
{
	skip(r);
	if (!r->s.n || r->s.p[0] != c) return false;
	r->s = str_from(r->s, 1);
	return true;
}

static void need(struct reader *r, char c)
{
	if (!take(r, c)) r->bad = true;
}

static struct str word(struct reader *r)
{
	size_t n = 0;
	skip(r);
	while (n < r->s.n && ((r->s.p[n] >= 'a' && r->s.p[n] <= 'z') || (r->s.p[n] >= 'A' && r->s.p[n] <= 'Z') ||
				     (r->s.p[n] >= '0' && r->s.p[n] <= '9')))
		n++;
	struct str w = str_sub(r->s, 0, n);
	r->s = str_from(r->s, n);
	return w;
}

static int64_t sum(struct reader *r);

/* LEAST(a, b, …) and the like; "DBInstanceClassMemory" and numbers. */
static int64_t atom(struct reader *r)
{
	static const char *const functions[] = {"LEAST", "GREATEST", "SUM"};
	int64_t v = 0;
	if (r->bad || ++r->depth > DEPTH_MAX) {
		r->bad = true;
		return 0;
	}
	if (take(r, '(') || take(r, '{')) {
		v = sum(r);
		if (!take(r, ')')) need(r, '}');
		r->depth--;
		return v;
	}
	struct str w = word(r);
	for (unsigned f = 0; f < 3; f++) {
		if (!str_ieq(w, str_c(functions[f]))) continue;
		need(r, '(');
		v = sum(r);
		while (!r->bad && take(r, ',')) {
			int64_t x = sum(r);
			if (f == 2) {
				if (__builtin_add_overflow(v, x, &v)) r->bad = true;
			} else if ((f == 0) == (x < v))
				v = x;
		}
		need(r, ')');
		r->depth--;
		return v;
	}
	r->depth--;
	if (str_ieq(w, STR("DBInstanceClassMemory"))) return r->of->memory_bytes;
	if (str_ieq(w, STR("DBInstanceVCPU"))) return r->of->vcpus;
	if (str_ieq(w, STR("AllocatedStorage"))) return r->of->storage_bytes;
	if (str_ieq(w, STR("EndPointPort"))) return r->of->port;
	if (!is_ok(str_to_i64(w, &v))) r->bad = true;
	return v;
}

static int64_t product(struct reader *r)
{
	int64_t v = atom(r);
	for (;;) {
		if (take(r, '*')) {
			if (__builtin_mul_overflow(v, atom(r), &v)) r->bad = true;
		} else if (take(r, '/')) {
			int64_t by = atom(r);
			if (by == 0 || (v == INT64_MIN && by == -1))
				r->bad = true;
			else
				v /= by;
		} else {
			return v;
		}
		if (r->bad) return 0;
	}
}

static int64_t sum(struct reader *r)
{
	int64_t v = product(r);
	for (;;) {
		if (take(r, '+')) {
			if (__builtin_add_overflow(v, product(r), &v)) r->bad = true;
		} else if (take(r, '-')) {
			if (__builtin_sub_overflow(v, product(r), &v)) r->bad = true;
		} else {
			return v;
		}
		if (r->bad) return 0;
	}
}

status rds_formula(struct arena *a, struct str text, const struct rds_formula_of *of, struct str *out)
{
	struct reader r = {.s = text, .of = of};
	bool formula = str_chr(text, '{') >= 0;
	static const char *const functions[] = {"LEAST(", "GREATEST(", "SUM("};
	for (unsigned i = 0; i < 3; i++) formula = formula || str_istarts(text, str_c(functions[i]));
	*out = text;
	if (!formula) return OK;
	if (text.n > TEXT_MAX) return STATUS(INVALID);
	int64_t v = sum(&r);
	skip(&r);
	if (r.bad || r.s.n) return STATUS(INVALID);
	*out = str_fmt(a, "%lld", (long long)v);
	return OK;
}

struct str rds_parameter_value(
	struct arena *a, const struct rds_rec_parameter_group *g, struct str name, const struct rds_formula_of *of)
{
	const struct rds_family *f = rds_family_find(g->db_parameter_group_family);
	struct str text = f ? str_c(rds_parameter_default(f, name)) : STR_NONE, out;
	for (size_t i = 0; i < g->values.n; i++)
		if (str_eq(g->values.v[i].name, name)) text = g->values.v[i].value;
	if (!text.p) return STR_NONE;
	return is_ok(rds_formula(a, text, of, &out)) ? out : STR_NONE;
}
