/* Reading a statistic's name, and computing it from a sum and the values it was made of. */
#include "services/cloudwatch/stat.h"
#include "services/cloudwatch/block.h"
#include <math.h>

/* Digits, perhaps a point and at most ten more. */
static bool read_number(struct str s, double *out)
{
	if (!s.n) return false;
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '.' || s.p[i] == '-' || s.p[i] == 'e' ||
			    s.p[i] == 'E' || s.p[i] == '+'))
			return false;
	return is_ok(str_to_f64(s, out)) && isfinite(*out);
}

static bool percent(struct str s, double *out)
{
	return s.n && s.p[0] != '-' && read_number(s, out) && *out >= 0 && *out <= 100;
}

static bool read_range(enum cw_stat_kind kind, struct str range, struct cw_stat *out)
{
	struct str high = range, low = str_cut(&high, ':');
	if (!str_has(high) || (!low.n && !high.n)) return false;
	bool percents = str_ends(low.n ? low : high, STR("%"));
	if (percents && kind == CW_PERCENTILE_RANK) return false;
	*out = (struct cw_stat){kind, !percents, percents ? 0 : -INFINITY, percents ? 100 : INFINITY};
	if (percents) {
		if (low.n && (!str_ends(low, STR("%")) || !percent(str_sub(low, 0, low.n - 1), &out->low)))
			return false;
		if (high.n && (!str_ends(high, STR("%")) || !percent(str_sub(high, 0, high.n - 1), &out->high)))
			return false;
		return out->low < out->high;
	}
	return (!low.n || read_number(low, &out->low)) && (!high.n || read_number(high, &out->high)) &&
	       out->low < out->high;
}

bool cw_stat_read(struct str name, struct cw_stat *out)
{
	static const struct {
		const char *name;
		enum cw_stat_kind kind;
	} plain[] = {{"SampleCount", CW_SAMPLE_COUNT}, {"Average", CW_AVERAGE}, {"Sum", CW_SUM},
		{"Minimum", CW_MINIMUM}, {"Maximum", CW_MAXIMUM}},
	  lower[] = {{"p", CW_PERCENTILE}, {"tm", CW_TRIMMED_MEAN}, {"tc", CW_TRIMMED_COUNT}, {"ts", CW_TRIMMED_SUM},
		  {"wm", CW_WINSORIZED_MEAN}},
	  upper[] = {{"TM(", CW_TRIMMED_MEAN}, {"TC(", CW_TRIMMED_COUNT}, {"TS(", CW_TRIMMED_SUM},
		  {"WM(", CW_WINSORIZED_MEAN}, {"PR(", CW_PERCENTILE_RANK}};
	*out = (struct cw_stat){0};
	if (str_is(name, "IQM")) {
		*out = (struct cw_stat){CW_TRIMMED_MEAN, false, 25, 75};
		return true;
	}
	for (size_t i = 0; i < 5; i++) {
		struct str l = str_c(lower[i].name), u = str_c(upper[i].name);
		double p;
		if (str_eq(name, str_c(plain[i].name))) {
			out->kind = plain[i].kind;
			return true;
		}
		if (str_starts(name, u) && str_ends(name, STR(")")))
			return read_range(upper[i].kind, str_sub(name, u.n, name.n - u.n - 1), out);
		if (str_starts(name, l) && percent(str_from(name, l.n), &p)) {
			*out = (struct cw_stat){lower[i].kind, false, i ? 0 : p, p};
			return true;
		}
	}
	return false;
}

/* ── computing ── */

/* The smallest value that p percent of all do not exceed. */
static double percentile(const struct cw_sum *s, double p)
{
	double rank = p / 100 * s->n, seen = 0;
	for (size_t i = 0; i < s->pairs.n; i++) {
		seen += s->pairs.v[i].times;
		if (seen >= rank - 1e-9 && seen > 0) return s->pairs.v[i].value;
	}
	return s->max;
}

/* How many values and their sum are within the bounds; a percentile may cut through equal values. */
static void within(const struct cw_stat *stat, const struct cw_sum *s, double *count, double *sum)
{
	double from = stat->low / 100 * s->n, to = stat->high / 100 * s->n, seen = 0;
	*count = *sum = 0;
	for (size_t i = 0; i < s->pairs.n; i++) {
		double v = s->pairs.v[i].value, times = s->pairs.v[i].times, part = times;
		if (stat->values) {
			/* "The lower bound is exclusive, the upper inclusive." */
			part = v > stat->low && v <= stat->high ? times : 0;
		} else {
			double a = seen > from ? seen : from, b = seen + times < to ? seen + times : to;
			part = b > a ? b - a : 0;
		}
		seen += times;
		*count += part;
		*sum += part * v;
	}
}

static bool winsorized(const struct cw_stat *stat, const struct cw_sum *s, double *out)
{
	double low = stat->values ? stat->low : percentile(s, stat->low),
	       high = stat->values ? stat->high : percentile(s, stat->high), sum = 0;
	for (size_t i = 0; i < s->pairs.n; i++) {
		double v = s->pairs.v[i].value;
		sum += s->pairs.v[i].times * (v < low ? low : v > high ? high : v);
	}
	*out = sum / s->n;
	return true;
}

bool cw_stat_of(const struct cw_stat *stat, struct cw_sum *s, double *out)
{
	double count, sum;
	if (!(s->n > 0)) return false;
	if (cw_stat_needs_pairs(stat)) {
		if (s->pairs.lost) return false;
		cw_pairs_compact(&s->pairs);
	}
	switch (stat->kind) {
	case CW_SAMPLE_COUNT:
		*out = s->n;
		return true;
	case CW_AVERAGE:
		*out = s->sum / s->n;
		return true;
	case CW_SUM:
		*out = s->sum;
		return true;
	case CW_MINIMUM:
		*out = s->min;
		return true;
	case CW_MAXIMUM:
		*out = s->max;
		return true;
	case CW_PERCENTILE:
		*out = percentile(s, stat->low);
		return true;
	case CW_WINSORIZED_MEAN:
		return winsorized(stat, s, out);
	case CW_TRIMMED_MEAN:
	case CW_TRIMMED_COUNT:
	case CW_TRIMMED_SUM:
	case CW_PERCENTILE_RANK:
		break;
	}
	within(stat, s, &count, &sum);
	if (stat->kind == CW_TRIMMED_MEAN && count <= 0) return false;
	*out = stat->kind == CW_TRIMMED_MEAN    ? sum / count
	       : stat->kind == CW_TRIMMED_SUM   ? sum
	       : stat->kind == CW_TRIMMED_COUNT ? count
						: count / s->n * 100;
	return true;
}
