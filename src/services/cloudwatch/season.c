/* Sums of points by hour, kept as the window moves: each point comes into its level, its hour of the day and its hour
 * of the week once, and goes once. */
#include "services/cloudwatch/season.h"
#include <math.h>

enum { LEVEL = 1, DAY = 24, WEEK = 168, LEAST = 3, SHRINK = 3 };

struct slot {
	double n, sum, squares;
};
/* One way of telling hours apart. */
struct kind {
	struct slot *v;
	double spread, points; /* squares about the slots' means, of all of them */
	int used;              /* slots that hold something */
};
struct window {
	struct slot level[LEVEL], day[DAY], week[WEEK];
	struct kind kinds[3];
};

static int64_t hour_of(const struct cw_season *s, size_t i)
{
	int64_t at = s->from + (int64_t)i * s->period + s->zone_s;
	return at / 3600;
}

static double about(const struct slot *b)
{
	double v = b->n > 0 ? b->squares - b->sum * b->sum / b->n : 0;
	return v > 0 ? v : 0;
}

static void change(struct kind *k, size_t slot, double v, double by)
{
	struct slot *b = &k->v[slot];
	k->spread -= about(b);
	k->used -= b->n > 0;
	b->n += by;
	b->sum += by * v;
	b->squares += by * v * v;
	if (b->n < 0.5) *b = (struct slot){0};
	k->used += b->n > 0;
	k->points += by;
	k->spread += about(b);
}

static bool left_out(const struct cw_season *s, size_t i)
{
	int64_t at = s->from + (int64_t)i * s->period;
	if (isnan(s->v[i])) return true;
	for (size_t k = 0; k < s->n_excluded; k++)
		if (at >= s->excluded[k][0] && at < s->excluded[k][1]) return true;
	return false;
}

static void count(struct window *w, const struct cw_season *s, size_t i, double by)
{
	if (left_out(s, i)) return;
	int64_t hour = hour_of(s, i);
	change(&w->kinds[0], 0, s->v[i], by);
	change(&w->kinds[1], (size_t)(hour % DAY), s->v[i], by);
	change(&w->kinds[2], (size_t)(hour % WEEK), s->v[i], by);
}

/* A slot of few points is taken to scatter as all do. */
static double deviation_of(const struct kind *k, const struct slot *b)
{
	double freedom = k->points - k->used, all = freedom > 0 ? k->spread / freedom : 0;
	return sqrt((about(b) + SHRINK * all) / (b->n - 1 + SHRINK));
}

static void predict(const struct window *w, int64_t hour, int64_t known_s, double *mean, double *deviation)
{
	const struct slot *level = &w->level[0], *day = &w->day[hour % DAY], *week = &w->week[hour % WEEK];
	*mean = *deviation = NAN;
	if (level->n < LEAST) return;
	*mean = level->sum / level->n;
	*deviation = deviation_of(&w->kinds[0], level);
	if (known_s >= 86400 && day->n > 0) {
		*mean = day->sum / day->n;
		*deviation = deviation_of(&w->kinds[1], day);
	}
	/* Two weeks hold an hour of the week twice: the day's tells something too. */
	if (known_s >= 8 * 86400 && week->n > 0) {
		*mean = (2 * week->sum / week->n + *mean) / 3;
		*deviation = deviation_of(&w->kinds[2], week);
	}
	/* What never moved may still move a little. */
	double least = fabs(*mean) * 0.01;
	if (*deviation < least) *deviation = least;
}

void cw_season_predict(const struct cw_season *s, size_t first, double *mean, double *deviation)
{
	struct window w = {0};
	size_t oldest = 0, begin = s->n, keep = (size_t)(CW_SEASON_S / s->period);
	w.kinds[0].v = w.level;
	w.kinds[1].v = w.day;
	w.kinds[2].v = w.week;
	for (size_t i = 0; i < s->n; i++) {
		while (i - oldest > keep) count(&w, s, oldest++, -1);
		if (i >= first) {
			int64_t known = begin < i ? (int64_t)(i - (begin > oldest ? begin : oldest)) * s->period : 0;
			predict(&w, hour_of(s, i), known, &mean[i - first], &deviation[i - first]);
		}
		if (begin == s->n && !left_out(s, i)) begin = i;
		count(&w, s, i, 1);
	}
}
