/* What a widget looks like: lines, stacked areas and bands over time, bars, a pie, or numbers; with a title, axes, a
 * legend and annotations, after what the console of CloudWatch draws. */
#include "services/cloudwatch/widget.h"
#include <math.h>

enum { TICKS = 5, FONT = 11, ROW = 16, MARGIN = 10 };

struct frame {
	struct paint *p;
	struct arena *a;
	const struct cw_widget *w;
	double x, y, width, height; /* of the plot */
	double low[2], high[2];     /* of the axes: left, right */
	bool has[2];
	struct colour ink, faint;
};

static struct str text_of(struct arena *a, double v)
{
	static const struct {
		double from;
		const char *suffix;
	} units[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (fabs(v) >= units[i].from * 9.9995) return str_fmt(a, "%.4g%s", v / units[i].from, units[i].suffix);
	return str_fmt(a, "%.4g", fabs(v) < 1e-12 ? 0 : v);
}

/* 1, 2 or 5 times a power of ten. */
static double nice(double v)
{
	double power = pow(10, floor(log10(v))), m = v / power;
	return (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10) * power;
}

static double x_of(const struct frame *f, int64_t at)
{
	return f->x + f->width * (double)(at - f->w->from) / (double)(f->w->to - f->w->from);
}

static double y_of(const struct frame *f, bool right, double v)
{
	return f->y + f->height * (1 - (v - f->low[right]) / (f->high[right] - f->low[right]));
}

static int64_t when(const struct cw_curve *k, size_t i)
{
	return k->axis.from + (int64_t)i * k->axis.period;
}

/* ── scales ── */

static void widen(double v, double *low, double *high)
{
	if (isnan(v)) return;
	if (v < *low) *low = v;
	if (v > *high) *high = v;
}

/* Of stacked curves, what lies below this one at each point: they share the axis, where their periods agree. */
static double below(const struct cw_widget *w, size_t curve, size_t i)
{
	const struct cw_curve *k = &w->curves.v[curve];
	double sum = 0;
	for (size_t n = 0; n < curve; n++) {
		const struct cw_curve *o = &w->curves.v[n];
		if (o->low || o->right != k->right || o->axis.period != k->axis.period || i >= o->axis.n) continue;
		if (!isnan(o->v[i])) sum += o->v[i];
	}
	return sum;
}

static void scale(struct frame *f, bool right)
{
	const struct cw_widget *w = f->w;
	const struct cw_scale *s = right ? &w->right : &w->left;
	double low = INFINITY, high = -INFINITY;
	for (size_t n = 0; n < w->curves.n; n++) {
		const struct cw_curve *k = &w->curves.v[n];
		if (k->right != right) continue;
		f->has[right] = true;
		for (size_t i = 0; i < k->axis.n; i++) {
			widen(k->v[i] + (w->stacked && !k->low ? below(w, n, i) : 0), &low, &high);
			if (k->low) widen(k->low[i], &low, &high);
		}
	}
	for (size_t n = 0; n < w->marks.n; n++) {
		if (w->marks.v[n].vertical || w->marks.v[n].right != right) continue;
		widen(w->marks.v[n].value, &low, &high);
		widen(w->marks.v[n].to, &low, &high);
	}
	if (low > high) low = 0, high = 1;
	if (w->stacked || w->view != CW_VIEW_LINES) low = low > 0 ? 0 : low;
	if (low == high) {
		double about = fabs(low) > 0 ? fabs(low) * 0.5 : 1;
		low -= about;
		high += about;
	}
	double step = nice((high - low) / TICKS);
	f->low[right] = s->min.has ? s->min.v : floor(low / step) * step;
	f->high[right] = s->max.has ? s->max.v : ceil(high / step) * step;
	if (!(f->high[right] > f->low[right])) f->high[right] = f->low[right] + 1;
}

static void paint_axis(struct frame *f, bool right)
{
	double step = nice((f->high[right] - f->low[right]) / TICKS), eps = step * 1e-6;
	double edge = right ? f->x + f->width + 6 : f->x - 6;
	for (double v = ceil(f->low[right] / step - 1e-6) * step; v <= f->high[right] + eps; v += step) {
		double y = floor(y_of(f, right, v)) + 0.5;
		struct point line[] = {{f->x, y}, {f->x + f->width, y}};
		if (!right || !f->has[0]) paint_line(f->p, line, 2, 1, 0, f->faint);
		paint_text(f->p, edge, y + 4, right ? -1 : 1, FONT, false, 0, f->ink, text_of(f->a, v));
	}
	const struct cw_scale *s = right ? &f->w->right : &f->w->left;
	if (str_has(s->label))
		paint_text(f->p, right ? f->x + f->width : f->x, f->y - 5, right ? 1 : -1, FONT, false, f->width / 2,
			f->ink, s->label);
}

static void paint_times(struct frame *f)
{
	static const int64_t steps[] = {
		60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 31536000};
	const struct cw_widget *w = f->w;
	int64_t step = steps[0];
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		step = steps[i];
		if ((double)(w->to - w->from) / (double)step * 70 <= f->width) break;
	}
	int64_t first = (w->from + w->zone_s + step - 1) / step * step - w->zone_s;
	for (int64_t at = first; at <= w->to; at += step) {
		double x = floor(x_of(f, at)) + 0.5;
		struct str t = time_iso8601(f->a, (at + w->zone_s) * 1000, false);
		struct point tick[] = {{x, f->y + f->height}, {x, f->y + f->height + 4}};
		paint_line(f->p, tick, 2, 1, 0, f->ink);
		paint_text(f->p, x, f->y + f->height + 16, 0, FONT, false, 0, f->ink,
			step >= 86400 ? str_fmt(f->a, "%.5s", t.p + 5) : str_fmt(f->a, "%.5s", t.p + 11));
	}
}

/* ── what is drawn into the plot ── */

/* A curve breaks where points are missing; one between two gaps is a dot. */
static void paint_curve(struct frame *f, const struct cw_curve *k)
{
	struct point *v = arena_array(f->a, k->axis.n + 1, sizeof(*v));
	size_t n = 0;
	for (size_t i = 0; i <= k->axis.n; i++) {
		if (i < k->axis.n && !isnan(k->v[i])) {
			v[n++] = (struct point){x_of(f, when(k, i)), y_of(f, k->right, k->v[i])};
			continue;
		}
		if (n == 1) paint_slice(f->p, v[0].x, v[0].y, 2, 0, 1, k->colour);
		if (n > 1) paint_line(f->p, v, n, 1.5, 0, k->colour);
		n = 0;
	}
}

static void paint_between(struct frame *f, const struct cw_curve *k, const double *high, const double *low)
{
	struct point *v = arena_array(f->a, 2 * k->axis.n + 2, sizeof(*v));
	struct colour c = k->colour;
	size_t from = 0;
	c.a = 0.25;
	for (size_t i = 0; i <= k->axis.n; i++) {
		if (i < k->axis.n && !isnan(high[i]) && !isnan(low[i])) continue;
		size_t n = 0;
		for (size_t j = from; j < i; j++)
			v[n++] = (struct point){x_of(f, when(k, j)), y_of(f, k->right, high[j])};
		for (size_t j = i; j-- > from;) v[n++] = (struct point){x_of(f, when(k, j)), y_of(f, k->right, low[j])};
		if (n > 2) paint_area(f->p, v, n, c);
		from = i + 1;
	}
}

static void paint_stacked(struct frame *f, size_t which)
{
	const struct cw_curve *k = &f->w->curves.v[which];
	double *low = arena_array(f->a, k->axis.n + 1, sizeof(*low)),
	       *high = arena_array(f->a, k->axis.n + 1, sizeof(*high));
	struct cw_curve top = *k;
	for (size_t i = 0; i < k->axis.n; i++) {
		low[i] = below(f->w, which, i);
		high[i] = isnan(k->v[i]) ? NAN : low[i] + k->v[i];
	}
	paint_between(f, k, high, low);
	top.v = high;
	paint_curve(f, &top);
}

static void paint_mark(struct frame *f, const struct cw_mark *m)
{
	struct colour soft = m->colour;
	soft.a = 0.15;
	double right = f->x + f->width, bottom = f->y + f->height;
	if (m->vertical) {
		double x = x_of(f, m->at), until = m->until ? x_of(f, m->until) : x;
		if (m->until || m->fill == CW_FILL_AFTER)
			paint_box(f->p, x, f->y, (m->until ? until : right) - x, f->height, soft);
		if (m->fill == CW_FILL_BEFORE) paint_box(f->p, f->x, f->y, x - f->x, f->height, soft);
		struct point line[] = {{x, f->y}, {x, bottom}};
		paint_line(f->p, line, 2, 1.5, 4, m->colour);
		if (str_has(m->label))
			paint_text(f->p, x + 4, f->y + 12, -1, FONT, false, right - x, m->colour, m->label);
		return;
	}
	double y = y_of(f, m->right, m->value);
	if (!isnan(m->to)) {
		double other = y_of(f, m->right, m->to);
		paint_box(f->p, f->x, fmin(y, other), f->width, fabs(y - other), soft);
	} else if (m->fill == CW_FILL_ABOVE) {
		paint_box(f->p, f->x, f->y, f->width, y - f->y, soft);
	} else if (m->fill == CW_FILL_BELOW) {
		paint_box(f->p, f->x, y, f->width, bottom - y, soft);
	}
	struct point line[] = {{f->x, y}, {right, y}};
	paint_line(f->p, line, 2, 1.5, 4, m->colour);
	if (str_has(m->label)) paint_text(f->p, right - 4, y - 4, 1, FONT, false, f->width / 2, m->colour, m->label);
}

static void paint_plot(struct frame *f)
{
	const struct cw_widget *w = f->w;
	scale(f, false);
	scale(f, true);
	paint_axis(f, false);
	if (f->has[1]) paint_axis(f, true);
	paint_times(f);
	paint_within(f->p, f->x, f->y - 1, f->width, f->height + 2);
	for (size_t i = 0; i < w->curves.n; i++) {
		const struct cw_curve *k = &w->curves.v[i];
		if (k->low)
			paint_between(f, k, k->v, k->low);
		else if (w->stacked)
			paint_stacked(f, i);
		else
			paint_curve(f, k);
	}
	for (size_t i = 0; i < w->marks.n; i++) paint_mark(f, &w->marks.v[i]);
	paint_whole(f->p);
}

/* ── one value for each ── */

static double newest(const struct cw_curve *k)
{
	for (size_t i = k->axis.n; i-- > 0;)
		if (!isnan(k->v[i])) return k->v[i];
	return NAN;
}

static void paint_bars(struct frame *f)
{
	const struct cw_widget *w = f->w;
	size_t n = w->curves.n;
	scale(f, false);
	paint_axis(f, false);
	for (size_t i = 0; i < n; i++) {
		double v = newest(&w->curves.v[i]), each = f->width / (double)n,
		       zero = y_of(f, false, fmax(0, f->low[0]));
		if (isnan(v)) continue;
		double y = y_of(f, false, v);
		paint_box(f->p, f->x + each * ((double)i + 0.15), fmin(y, zero), each * 0.7, fabs(zero - y),
			w->curves.v[i].colour);
		paint_text(f->p, f->x + each * ((double)i + 0.5), fmin(y, zero) - 4, 0, FONT, false, each, f->ink,
			text_of(f->a, v));
	}
}

static void paint_pie(struct frame *f)
{
	const struct cw_widget *w = f->w;
	double sum = 0, at = 0, radius = fmin(f->width, f->height) / 2;
	for (size_t i = 0; i < w->curves.n; i++) sum += fmax(0, newest(&w->curves.v[i]));
	for (size_t i = 0; i < w->curves.n && sum > 0; i++) {
		double share = fmax(0, newest(&w->curves.v[i])) / sum;
		paint_slice(
			f->p, f->x + f->width / 2, f->y + f->height / 2, radius, at, at + share, w->curves.v[i].colour);
		at += share;
	}
}

static void paint_numbers(struct frame *f)
{
	const struct cw_widget *w = f->w;
	double each = f->width / (double)(w->curves.n ? w->curves.n : 1);
	for (size_t i = 0; i < w->curves.n; i++) {
		double v = newest(&w->curves.v[i]), x = f->x + each * ((double)i + 0.5),
		       size = fmin(each / 5, f->height / 2);
		if (size > 64) size = 64;
		paint_text(f->p, x, f->y + f->height / 2 + size / 3, 0, size, true, each, f->ink,
			isnan(v) ? STR("--") : text_of(f->a, v));
		paint_text(f->p, x, f->y + f->height / 2 + size / 3 + 20, 0, FONT, false, each - 8,
			w->curves.v[i].colour, w->curves.v[i].label);
	}
}

/* ── the whole ── */

static void paint_entry(struct frame *f, double x, double y, double width, const struct cw_curve *k)
{
	paint_box(f->p, x, y - 8, 9, 9, k->colour);
	paint_text(f->p, x + 14, y, -1, FONT, false, width - 18, f->ink, k->label);
}

/* Takes its room from the plot. */
static void paint_legend(struct frame *f)
{
	const struct cw_widget *w = f->w;
	size_t n = w->curves.n;
	if (w->legend == CW_LEGEND_HIDDEN || w->view == CW_VIEW_NUMBERS || !n) return;
	double widest = 0;
	for (size_t i = 0; i < n; i++)
		widest = fmax(widest, paint_text_width(f->p, FONT, false, w->curves.v[i].label) + 30);
	if (w->legend == CW_LEGEND_RIGHT) {
		double width = fmin(widest, f->width / 3), x = f->x + f->width - width + MARGIN;
		for (size_t i = 0; i < n && f->y + (double)(i + 1) * ROW < w->height; i++)
			paint_entry(f, x, f->y + 10 + (double)i * ROW, width - MARGIN, &w->curves.v[i]);
		f->width -= width;
		return;
	}
	size_t columns = (size_t)fmax(1, floor(f->width / fmin(widest, f->width))), rows = (n + columns - 1) / columns;
	size_t most = (size_t)fmax(1, f->height / 3 / ROW);
	if (rows > most) rows = most;
	for (size_t i = 0; i < n && i < rows * columns; i++)
		paint_entry(f, f->x + f->width / (double)columns * (double)(i % columns),
			w->height - MARGIN - (double)(rows - 1 - i / columns) * ROW, f->width / (double)columns,
			&w->curves.v[i]);
	f->height -= (double)rows * ROW + 4;
}

void cw_chart_paint(struct paint *p, struct arena *a, const struct cw_widget *w)
{
	bool axes = w->view == CW_VIEW_LINES || w->view == CW_VIEW_BARS, right = false;
	for (size_t i = 0; i < w->curves.n; i++) right = right || (axes && w->curves.v[i].right);
	struct frame f = {.p = p,
		.a = a,
		.w = w,
		.x = axes ? 56 : MARGIN,
		.y = MARGIN + 4,
		.ink = w->dark ? (struct colour){0.85, 0.85, 0.85, 1} : (struct colour){0.33, 0.36, 0.4, 1},
		.faint = w->dark ? (struct colour){0.3, 0.32, 0.34, 1} : (struct colour){0.9, 0.9, 0.9, 1}};
	f.width = w->width - f.x - (right ? 56 : MARGIN);
	if (str_has(w->title)) {
		paint_text(p, w->width / 2.0, 20, 0, 14, true, w->width - 2 * MARGIN, f.ink, w->title);
		f.y += 20;
	}
	if (axes && (str_has(w->left.label) || str_has(w->right.label))) f.y += ROW;
	f.height = w->height - f.y - (axes ? 26 : MARGIN);
	paint_legend(&f);
	if (f.width < 20 || f.height < 20) return; /* nothing can be seen */
	if (w->view == CW_VIEW_LINES)
		paint_plot(&f);
	else if (w->view == CW_VIEW_BARS)
		paint_bars(&f);
	else if (w->view == CW_VIEW_PIE)
		paint_pie(&f);
	else
		paint_numbers(&f);
}
