/* Metric widgets: JSON into what is to be drawn, with its metrics and expressions evaluated; and the operation. */
#include "services/cloudwatch/widget.h"
#include "services/cloudwatch/alarm.h"
#include <math.h>

enum { SIZE_MAX_PX = 2000, METRICS_MAX = 100, WIDTH = 600, HEIGHT = 400, PERIOD = 300 };

/* ── values ── */

static bool number_of(const struct json_value *v, double *out)
{
	return v && (v->type == JSON_IS_NUMBER || v->type == JSON_IS_STRING) && is_ok(str_to_f64(v->text, out));
}

bool cw_colour_read(struct str text, struct colour *out)
{
	struct str hex = text;
	double v[3];
	if (hex.n && hex.p[0] == '#') hex = str_from(hex, 1);
	if (hex.n != 3 && hex.n != 6) return false;
	for (size_t i = 0; i < 3; i++) {
		int n = 0;
		for (size_t k = 0; k < hex.n / 3; k++) {
			char c = hex.p[i * (hex.n / 3) + k];
			int d = c >= '0' && c <= '9'   ? c - '0'
				: c >= 'a' && c <= 'f' ? c - 'a' + 10
				: c >= 'A' && c <= 'F' ? c - 'A' + 10
						       : -1;
			if (d < 0) return false;
			n = n * 16 + d;
		}
		v[i] = n / (hex.n == 3 ? 15.0 : 255.0);
	}
	*out = (struct colour){v[0], v[1], v[2], 1};
	return true;
}

/* "-PT3H", "-P7D", "-P1DT12H": back from now; an absolute time; seconds. */
static bool time_of(const struct json_value *v, int64_t now, int64_t *out)
{
	int64_t ms, n = 0;
	struct str s = json_scalar(v);
	double d;
	bool clock = false;
	if (!str_has(s)) return false;
	if (json_is(v, JSON_IS_NUMBER) && number_of(v, &d)) {
		*out = (int64_t)(d > 1e11 ? d / 1000 : d);
		return true;
	}
	if (!str_starts(s, STR("-P")) && !str_starts(s, STR("P"))) {
		if (!is_ok(time_read_iso8601(s, &ms))) return false;
		*out = ms / 1000;
		return true;
	}
	int64_t back = 0;
	for (size_t i = s.p[0] == '-' ? 2 : 1; i < s.n; i++) {
		char c = s.p[i];
		if (c >= '0' && c <= '9' && n < 100000) {
			n = n * 10 + (c - '0');
			continue;
		}
		if (c == 'T') {
			clock = true;
			continue;
		}
		int64_t unit = c == 'W'            ? 7 * 86400
			       : c == 'D'          ? 86400
			       : c == 'M' && clock ? 60
			       : c == 'M'          ? 30 * 86400
			       : c == 'H'          ? 3600
			       : c == 'S'          ? 1
						   : 0;
		if (!unit) return false;
		back += n * unit;
		n = 0;
	}
	*out = now - back;
	return true;
}

/* "+0130" */
static int32_t zone_of(struct str s)
{
	int64_t v;
	if (s.n != 5 || (s.p[0] != '+' && s.p[0] != '-') || !is_ok(str_to_i64(str_from(s, 1), &v))) return 0;
	int32_t east = (int32_t)(v / 100 * 3600 + v % 100 * 60);
	return s.p[0] == '-' ? -east : east;
}

static const char *const palette[] = {
	"#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"};

static struct colour palette_at(size_t i)
{
	struct colour c = {0};
	(void)cw_colour_read(str_c(palette[i % (sizeof(palette) / sizeof(*palette))]), &c);
	return c;
}

/* ── metrics ── */

/* One of the array "metrics": what is asked for, and how it shall look. */
struct entry {
	struct cloudwatch_metric_data_query q;
	struct str colour;
	bool right, visible;
};
struct reading {
	struct call *c;
	struct cw_widget *w;
	struct str stat;
	double period;
	struct entry *v;
	size_t n, capacity;
	struct {
		struct str *v;
		size_t n, capacity;
	} last; /* the words of the entry before, for "." and "..." */
};

static status read_options(
	struct reading *r, struct entry *e, const struct json_value *o, struct str *stat, double *period)
{
	const struct json_value *visible = json_member(o, STR("visible"));
	struct str s;
	*stat = str_or(json_string(json_member(o, STR("stat"))), *stat);
	(void)number_of(json_member(o, STR("period")), period);
	e->q.label = json_string(json_member(o, STR("label")));
	e->q.id = json_string(json_member(o, STR("id")));
	e->q.expression = json_string(json_member(o, STR("expression")));
	e->colour = json_string(json_member(o, STR("color")));
	s = json_string(json_member(o, STR("yAxis")));
	e->right = str_has(s) && str_is(s, "right");
	e->visible = !visible || !json_is(visible, JSON_IS_BOOL) || visible->truth;
	s = json_string(json_member(o, STR("region")));
	if (str_has(s) && !str_eq(s, r->c->region))
		return call_fail(r->c, ERR_NOT_IMPLEMENTED, "Widgets over several regions are not implemented yet.");
	return OK;
}

/* "." is the word above, "..." all that are not told. */
static status read_words(struct reading *r, const struct json_value *m, size_t i, const struct json_value **options)
{
	struct call *c = r->c;
	struct {
		struct str *v;
		size_t n, capacity;
	} words = {0};
	size_t told = 0;
	*options = NULL;
	for (const struct json_value *v = m->first; v; v = v->next) {
		if (json_is(v, JSON_IS_OBJECT)) {
			*options = v;
			continue;
		}
		if (!json_is(v, JSON_IS_STRING))
			return cw_invalid(c, "/metrics/%zu should hold strings and one object", i);
		told++;
	}
	for (const struct json_value *v = m->first; v; v = v->next) {
		if (!json_is(v, JSON_IS_STRING)) continue;
		if (str_is(v->text, "...")) {
			size_t skip = r->last.n + 1 > told ? r->last.n + 1 - told : 0;
			for (size_t k = 0; k < skip && words.n < r->last.n; k++)
				*VEC_PUSH(c->arena, &words, &words.capacity) = r->last.v[words.n];
		} else if (str_is(v->text, ".")) {
			if (words.n >= r->last.n)
				return cw_invalid(c, "/metrics/%zu: there is nothing above that \".\" stands for", i);
			*VEC_PUSH(c->arena, &words, &words.capacity) = r->last.v[words.n];
		} else {
			*VEC_PUSH(c->arena, &words, &words.capacity) = v->text;
		}
	}
	if (!words.n) return OK;
	if (words.n < 2 || words.n % 2)
		return cw_invalid(c,
			"/metrics/%zu should have a namespace, a metric name, and names and values of dimensions", i);
	r->last.v = words.v;
	r->last.n = words.n;
	return OK;
}

static status read_metric(struct reading *r, const struct json_value *m, size_t i)
{
	struct call *c = r->c;
	const struct json_value *options;
	struct str stat = r->stat;
	double period = r->period;
	struct entry e = {.visible = true};
	size_t dimensions = 0;
	if (!json_is(m, JSON_IS_ARRAY)) return cw_invalid(c, "/metrics/%zu should be an array", i);
	struct str *before = r->last.v;
	TRY(read_words(r, m, i, &options));
	if (options) TRY(read_options(r, &e, options, &stat, &period));
	if (!str_has(e.q.expression)) {
		if (r->last.v == before) return cw_invalid(c, "/metrics/%zu names no metric", i);
		struct cloudwatch_metric_stat *s = arena_new(c->arena, struct cloudwatch_metric_stat);
		s->metric = arena_new(c->arena, struct cloudwatch_metric);
		s->metric->namespace = r->last.v[0];
		s->metric->metric_name = r->last.v[1];
		for (size_t k = 2; k + 1 < r->last.n; k += 2)
			*VEC_PUSH(c->arena, &s->metric->dimensions, &dimensions) =
				(struct cloudwatch_dimension){r->last.v[k], r->last.v[k + 1]};
		s->stat = stat;
		s->period = SOME_I32((int32_t)period);
		e.q.metric_stat = s;
	}
	if (!str_has(e.q.id)) e.q.id = str_fmt(c->arena, "virga_%zu", i);
	e.q.return_data = SOME_BOOL(e.visible);
	*VEC_PUSH(c->arena, r, &r->capacity) = e;
	return OK;
}

static void add_curves(struct reading *r, const struct entry *e, const struct cw_math *m, const struct cw_value *v)
{
	struct arena *a = r->c->arena;
	struct cw_widget *w = r->w;
	bool band = v->n == 2 && str_has(e->q.expression) &&
		    str_starts(str_trim(e->q.expression), STR("ANOMALY_DETECTION_BAND"));
	for (size_t i = 0; i < v->n; i++) {
		const struct cw_series *s = &v->v[i];
		if (band && i == 1) {
			w->curves.v[w->curves.n - 1].low = s->v;
			break;
		}
		struct colour colour = palette_at(w->curves.n);
		if (band) colour = (struct colour){0.55, 0.55, 0.55, 1};
		if (str_has(e->colour)) (void)cw_colour_read(e->colour, &colour);
		*VEC_PUSH(a, &w->curves, &w->curves.capacity) = (struct cw_curve){
			.label = cw_label(a, str_or(s->label, s->id), s, &m->axis, r->c->account, r->c->region),
			.v = s->v,
			.axis = m->axis,
			.colour = colour,
			.right = e->right};
	}
}

static status evaluate(struct reading *r)
{
	struct call *c = r->c;
	struct cloudwatch_metric_data_queries queries = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < r->n; i++) *VEC_PUSH(c->arena, &queries, &capacity) = r->v[i].q;
	struct cw_math m = {.a = c->arena,
		.tx = c->tx,
		.account = c->account,
		.region = c->region,
		.now = c->now_ms / 1000,
		.from = r->w->from,
		.to = r->w->to,
		.queries = &queries};
	if (!r->n) return OK;
	status s = cw_math_prepare(&m);
	for (size_t i = 0; is_ok(s) && i < r->n; i++) {
		struct cw_value v;
		if (!r->v[i].visible) continue;
		s = cw_math_run(&m, i, &v);
		if (is_ok(s)) add_curves(r, &r->v[i], &m, &v);
	}
	return is_ok(s) ? OK : cw_math_error(c, &m, s);
}

/* ── annotations ── */

static void read_mark(struct call *c, struct cw_widget *w, const struct json_value *v, bool vertical)
{
	struct cw_mark m = {.vertical = vertical, .to = NAN, .colour = palette_at(w->marks.n + 3)};
	/* A band is an array of two: its edges. */
	const struct json_value *one = json_is(v, JSON_IS_ARRAY) ? v->first : v, *other = one ? one->next : NULL;
	if (!json_is(v, JSON_IS_ARRAY)) other = NULL;
	const struct json_value *visible = json_member(one, STR("visible"));
	struct str fill = str_or(json_string(json_member(one, STR("fill"))), STR("")),
		   colour = json_string(json_member(one, STR("color")));
	if (json_is(visible, JSON_IS_BOOL) && !visible->truth) return;
	m.label = json_string(json_member(one, STR("label")));
	if (str_has(colour)) (void)cw_colour_read(colour, &m.colour);
	m.right = str_is(str_or(json_string(json_member(one, STR("yAxis"))), STR("")), "right");
	m.fill = str_is(fill, "above")    ? CW_FILL_ABOVE
		 : str_is(fill, "below")  ? CW_FILL_BELOW
		 : str_is(fill, "before") ? CW_FILL_BEFORE
		 : str_is(fill, "after")  ? CW_FILL_AFTER
					  : CW_FILL_NONE;
	if (vertical) {
		if (!time_of(json_member(one, STR("value")), c->now_ms / 1000, &m.at)) return;
		if (other) (void)time_of(json_member(other, STR("value")), c->now_ms / 1000, &m.until);
	} else {
		if (!number_of(json_member(one, STR("value")), &m.value)) return;
		if (other) (void)number_of(json_member(other, STR("value")), &m.to);
	}
	*VEC_PUSH(c->arena, &w->marks, &w->marks.capacity) = m;
}

static void read_scale(const struct json_value *v, struct cw_scale *s)
{
	s->min.has = number_of(json_member(v, STR("min")), &s->min.v);
	s->max.has = number_of(json_member(v, STR("max")), &s->max.v);
	s->label = json_string(json_member(v, STR("label")));
}

/* ── the whole ── */

static status read_size(struct call *c, const struct json_value *j, struct cw_widget *w)
{
	double width = WIDTH, height = HEIGHT;
	(void)number_of(json_member(j, STR("width")), &width);
	(void)number_of(json_member(j, STR("height")), &height);
	if (!(width >= 1 && width <= SIZE_MAX_PX && height >= 1 && height <= SIZE_MAX_PX))
		return cw_invalid(c, "The width and height of a widget must be from 1 to %d", SIZE_MAX_PX);
	w->width = (int)width;
	w->height = (int)height;
	return OK;
}

static status read_view(struct call *c, const struct json_value *j, struct cw_widget *w)
{
	struct str view = str_or(json_string(json_member(j, STR("view"))), STR("timeSeries"));
	const struct json_value *stacked = json_member(j, STR("stacked")), *axes = json_member(j, STR("yAxis"));
	struct str legend =
		str_or(json_string(json_member(json_member(j, STR("legend")), STR("position"))), STR("bottom"));
	if (str_is(view, "bar"))
		w->view = CW_VIEW_BARS;
	else if (str_is(view, "pie"))
		w->view = CW_VIEW_PIE;
	else if (str_is(view, "singleValue"))
		w->view = CW_VIEW_NUMBERS;
	else if (str_is(view, "gauge"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Widgets with the view gauge are not implemented yet.");
	else if (!str_is(view, "timeSeries"))
		return cw_invalid(c, "The view %.*s of a widget is not supported", STR_ARG(view));
	w->stacked = json_is(stacked, JSON_IS_BOOL) && stacked->truth;
	w->dark = str_is(str_or(json_string(json_member(j, STR("theme"))), STR("light")), "dark");
	w->title = json_string(json_member(j, STR("title")));
	w->legend = str_is(legend, "hidden")  ? CW_LEGEND_HIDDEN
		    : str_is(legend, "right") ? CW_LEGEND_RIGHT
					      : CW_LEGEND_BOTTOM;
	read_scale(json_member(axes, STR("left")), &w->left);
	read_scale(json_member(axes, STR("right")), &w->right);
	return OK;
}

static status read_range(struct call *c, const struct json_value *j, struct cw_widget *w)
{
	const struct json_value *start = json_member(j, STR("start")), *end = json_member(j, STR("end"));
	int64_t now = c->now_ms / 1000;
	w->from = now - 3 * 3600;
	w->to = now;
	if ((start && !time_of(start, now, &w->from)) || (end && !time_of(end, now, &w->to)))
		return cw_invalid(c, "The start and end of a widget must be ISO 8601 times or durations such as -PT3H");
	if (w->from >= w->to) return cw_invalid(c, "The start of a widget must be before its end");
	w->zone_s = zone_of(str_or(json_string(json_member(j, STR("timezone"))), STR("")));
	return OK;
}

status cw_widget_read(struct call *c, struct str text, struct cw_widget *out)
{
	struct json_value *j;
	struct reading r = {.c = c, .w = out, .period = PERIOD};
	size_t i = 0;
	*out = (struct cw_widget){0};
	if (!is_ok(json_read(c->arena, text, &j)) || !json_is(j, JSON_IS_OBJECT))
		return cw_invalid(c, "The value of MetricWidget must be a JSON object");
	TRY(read_size(c, j, out));
	TRY(read_view(c, j, out));
	TRY(read_range(c, j, out));
	r.stat = str_or(json_string(json_member(j, STR("stat"))), STR("Average"));
	(void)number_of(json_member(j, STR("period")), &r.period);
	const struct json_value *whole = json_member(j, STR("setPeriodToTimeRange"));
	if (json_is(whole, JSON_IS_BOOL) && whole->truth) r.period = (double)((out->to - out->from + 59) / 60 * 60);
	if (!cw_period_legal((int64_t)r.period))
		return cw_invalid(c, "The period of a widget must be 1, 5, 10, 20, 30 or a multiple of 60");
	const struct json_value *metrics = json_member(j, STR("metrics")), *marks = json_member(j, STR("annotations"));
	if (!metrics && !marks) return cw_invalid(c, "The widget should have the property metrics or annotations");
	if (metrics && !json_is(metrics, JSON_IS_ARRAY)) return cw_invalid(c, "/metrics should be an array");
	if (json_length(metrics) > METRICS_MAX)
		return cw_invalid(c, "A widget must not have more than %d metrics", METRICS_MAX);
	if (json_member(marks, STR("alarms")))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Widgets with annotations of alarms are not implemented yet.");
	for (const struct json_value *m = metrics ? metrics->first : NULL; m; m = m->next) TRY(read_metric(&r, m, i++));
	const struct json_value *list = json_member(marks, STR("horizontal"));
	for (const struct json_value *m = json_is(list, JSON_IS_ARRAY) ? list->first : NULL; m; m = m->next)
		read_mark(c, out, m, false);
	list = json_member(marks, STR("vertical"));
	for (const struct json_value *m = json_is(list, JSON_IS_ARRAY) ? list->first : NULL; m; m = m->next)
		read_mark(c, out, m, true);
	return evaluate(&r);
}

status cloudwatch_get_metric_widget_image(struct call *c, const struct cloudwatch_get_metric_widget_image_input *in,
	struct cloudwatch_get_metric_widget_image_output *out)
{
	struct cw_widget w;
	struct str why, format = str_or(in->output_format, STR("png"));
	if (!str_is(format, "png"))
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "The output format %.*s is not implemented: png is.", STR_ARG(format));
	TRY(cw_widget_read(c, in->metric_widget, &w));
	struct colour ground = {1, 1, 1, 1};
	if (w.dark) ground = (struct colour){0.16, 0.18, 0.2, 1};
	struct paint *p = paint_new(c->arena, w.width, w.height, ground, &why);
	if (!p) return CW_FAIL(c, INTERNAL_SERVICE_FAULT, "%.*s", STR_ARG(why));
	cw_chart_paint(p, c->arena, &w);
	out->metric_widget_image = paint_png(p, c->arena);
	paint_free(p);
	return str_has(out->metric_widget_image) ? OK : STATUS(IO);
}
