/* A metric widget: what GetMetricWidgetImage is asked to draw ("GetMetricWidgetImage: Metric Widget Structure and
 * Syntax"). */
#pragma once
#include "base/json.h"
#include "services/cloudwatch/math.h"
#include "services/cloudwatch/paint.h"

enum cw_view { CW_VIEW_LINES, CW_VIEW_BARS, CW_VIEW_PIE, CW_VIEW_NUMBERS };
struct cw_curve {
	struct str label;
	const double *v;   /* axis.n of them; NaN: missing */
	const double *low; /* of a band: its lower edge; v is the upper one */
	struct cw_axis axis;
	struct colour colour;
	bool right;
};
struct cw_mark {
	bool vertical, right;
	double value;      /* of horizontal ones */
	int64_t at, until; /* of vertical ones, seconds; until 0: none */
	double to;         /* the other edge of a horizontal band; NaN: none */
	enum { CW_FILL_NONE, CW_FILL_ABOVE, CW_FILL_BELOW, CW_FILL_BEFORE, CW_FILL_AFTER } fill;
	struct str label;
	struct colour colour;
};
struct cw_scale {
	struct opt_f64 min, max;
	struct str label;
};
struct cw_widget {
	int width, height;
	struct str title;
	enum cw_view view;
	bool stacked, dark;
	enum { CW_LEGEND_BOTTOM, CW_LEGEND_RIGHT, CW_LEGEND_HIDDEN } legend;
	int64_t from, to; /* seconds */
	int32_t zone_s;   /* of the times that are written */
	struct cw_scale left, right;
	struct {
		struct cw_curve *v;
		size_t n, capacity;
	} curves;
	struct {
		struct cw_mark *v;
		size_t n, capacity;
	} marks;
};
/* Reads and evaluates. FAILED: the client's error. */
status cw_widget_read(struct call *c, struct str text, struct cw_widget *out) MUST_USE;
/* "#1f77b4", "#0a0"; false where it is none. */
bool cw_colour_read(struct str text, struct colour *out);
/* ── chart.c ── */
void cw_chart_paint(struct paint *p, struct arena *a, const struct cw_widget *w);
