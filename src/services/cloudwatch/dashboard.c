/* Dashboards: bodies are JSON with a list of widgets ("Dashboard body structure and syntax"). What is wrong with a
 * widget is told as a message and kept nonetheless, as AWS does; what is no such JSON is refused. */
#include "services/cloudwatch/dashboard.h"
#include "base/json.h"
#include "services/cloudwatch/alarm.h"

enum { WIDGETS_MAX = 500, PAGE = 1000 };

static struct str key_of(struct call *c, struct str name)
{
	struct key k = key_begin(c->arena);
	key_append(&k, cw_key(c->arena, "dashboard", c->account, STR("")));
	if (str_has(name)) key_str(&k, name);
	return key_done(&k);
}

status cw_dashboard_get(struct call *c, struct str name, struct cloudwatch_rec_dashboard *out)
{
	struct str bytes;
	*out = (struct cloudwatch_rec_dashboard){0};
	TRY(store_get(c->tx, key_of(c, name), &bytes));
	return cloudwatch_rec_dashboard_decode(c->arena, bytes, out);
}

void cw_dashboard_put(struct call *c, const struct cloudwatch_rec_dashboard *d)
{
	store_put(c->tx, key_of(c, d->name), cloudwatch_rec_dashboard_encode(c->arena, d));
}

static struct str arn_of(struct call *c, struct str name)
{
	return str_fmt(c->arena, "arn:%.*s:cloudwatch::%.*s:dashboard/%.*s", STR_ARG(c->partition), STR_ARG(c->account),
		STR_ARG(name));
}

struct messages {
	struct call *c;
	struct cloudwatch_dashboard_validation_messages *list;
	size_t capacity;
};

static void say(struct messages *m, struct str path, const char *text)
{
	*VEC_PUSH(m->c->arena, m->list, &m->capacity) =
		(struct cloudwatch_dashboard_validation_message){path, str_c(text)};
}

static status refuse(struct call *c, struct messages *m)
{
	struct cloudwatch_dashboard_invalid_input_error *members =
		arena_new(c->arena, struct cloudwatch_dashboard_invalid_input_error);
	status s = CW_FAIL(c, DASHBOARD_INVALID_INPUT_ERROR,
		"The dashboard body is invalid, there are %zu validation errors.", m->list->n);
	members->message = c->failure.message;
	members->dashboard_validation_messages = *m->list;
	call_fail_members(c, members);
	return s;
}

static bool in_range(const struct json_value *v, double low, double high)
{
	double d;
	return !v || (json_is(v, JSON_IS_NUMBER) && is_ok(str_to_f64(v->text, &d)) && d >= low && d <= high);
}

/* false: the body is refused. */
static bool check_widget(struct messages *m, const struct json_value *w, size_t i)
{
	static const char *const types[] = {"metric", "text", "log", "alarm", "explorer", "custom"};
	struct arena *a = m->c->arena;
	struct str type = json_string(json_member(w, STR("type"))), path = str_fmt(a, "/widgets/%zu", i);
	bool known = false, good = true;
	if (!json_is(w, JSON_IS_OBJECT)) {
		say(m, path, "Should be an object");
		return false;
	}
	for (size_t k = 0; k < sizeof(types) / sizeof(*types); k++) known = known || str_eq(type, str_c(types[k]));
	if (!known) {
		say(m, str_fmt(a, "%.*s/type", STR_ARG(path)),
			"Should be one of metric, text, log, alarm, explorer, custom");
		good = false;
	}
	if (!json_is(json_member(w, STR("properties")), JSON_IS_OBJECT)) {
		say(m, path, "Should have required property 'properties'");
		good = false;
	}
	if (!in_range(json_member(w, STR("width")), 1, 24) || !in_range(json_member(w, STR("height")), 1, 1000) ||
		!in_range(json_member(w, STR("x")), 0, 23) || !in_range(json_member(w, STR("y")), 0, 1e9)) {
		say(m, path, "x, y, width or height is out of range");
		good = false;
	}
	if (str_is(type, "metric") && good && !json_member(json_member(w, STR("properties")), STR("metrics")) &&
		!json_member(json_member(w, STR("properties")), STR("annotations")))
		say(m, str_fmt(a, "%.*s/properties", STR_ARG(path)), "Should have required property 'metrics'");
	return good;
}

status cloudwatch_put_dashboard(
	struct call *c, const struct cloudwatch_put_dashboard_input *in, struct cloudwatch_put_dashboard_output *out)
{
	struct json_value *json;
	struct messages m = {c, &out->dashboard_validation_messages, 0};
	struct cloudwatch_rec_dashboard d;
	size_t i = 0;
	VEC_PRESENT(c->arena, &out->dashboard_validation_messages);
	bool named = in->dashboard_name.n >= 1 && in->dashboard_name.n <= 255;
	for (size_t k = 0; k < in->dashboard_name.n; k++) {
		char ch = in->dashboard_name.p[k];
		named = named && ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
					 ch == '-' || ch == '_');
	}
	if (!named)
		return CW_VALUE(c,
			"The value %.*s for field DashboardName contains invalid characters. It can only contain "
			"alphanumerics, dash (-) and underscore (_).",
			STR_ARG(in->dashboard_name));
	if (!is_ok(json_read(c->arena, in->dashboard_body, &json)) || !json_is(json, JSON_IS_OBJECT)) {
		say(&m, STR(""), "The field DashboardBody must be a valid JSON object");
		return refuse(c, &m);
	}
	const struct json_value *widgets = json_member(json, STR("widgets"));
	if (!json_is(widgets, JSON_IS_ARRAY)) {
		say(&m, STR(""), "Should have required property 'widgets'");
		return refuse(c, &m);
	}
	bool good = json_length(widgets) <= WIDGETS_MAX;
	if (!good) say(&m, STR("/widgets"), "Should have no more than 500 items");
	for (const struct json_value *w = widgets->first; w; w = w->next) good = check_widget(&m, w, i++) && good;
	if (!good) return refuse(c, &m);
	status s = cw_dashboard_get(c, in->dashboard_name, &d);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (!is_ok(s)) TRY(cw_tags_read(c, &in->tags, &d.tags));
	d.name = in->dashboard_name;
	d.body = in->dashboard_body;
	d.modified = SOME_TIME(c->now_ms);
	cw_dashboard_put(c, &d);
	return OK;
}

static status missing(struct call *c, struct str name)
{
	return CW_FAIL(c, DASHBOARD_NOT_FOUND_ERROR, "Dashboard %.*s does not exist", STR_ARG(name));
}

status cloudwatch_get_dashboard(
	struct call *c, const struct cloudwatch_get_dashboard_input *in, struct cloudwatch_get_dashboard_output *out)
{
	struct cloudwatch_rec_dashboard d;
	status s = cw_dashboard_get(c, in->dashboard_name, &d);
	if (status_is(s, STATUS_NOT_FOUND)) return missing(c, in->dashboard_name);
	TRY(s);
	out->dashboard_arn = arn_of(c, d.name);
	out->dashboard_name = d.name;
	out->dashboard_body = d.body;
	return OK;
}

status cloudwatch_list_dashboards(struct call *c, const struct cloudwatch_list_dashboards_input *in,
	struct cloudwatch_list_dashboards_output *out)
{
	struct str space = key_of(c, STR_NONE),
		   from = key_with_prefix(c->arena, space, str_or(in->dashboard_name_prefix, STR(""))), key, value;
	size_t capacity = 0, at = 0;
	uint64_t skip = 0;
	status s = OK;
	if (str_has(in->next_token) && !is_ok(str_to_u64(in->next_token, &skip)))
		return CW_VALUE(c, "The value %.*s for parameter NextToken is invalid.", STR_ARG(in->next_token));
	VEC_PRESENT(c->arena, &out->dashboard_entries);
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after_prefix(c->arena, from), false);
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct cloudwatch_rec_dashboard d = {0};
		if (at++ < skip) continue;
		if (out->dashboard_entries.n == PAGE) {
			out->next_token = str_fmt(c->arena, "%zu", at - 1);
			break;
		}
		s = cloudwatch_rec_dashboard_decode(c->arena, str_dup(c->arena, value), &d);
		if (is_ok(s))
			*VEC_PUSH(c->arena, &out->dashboard_entries, &capacity) = (struct cloudwatch_dashboard_entry){
				d.name, arn_of(c, d.name), d.modified, SOME_I64((int64_t)d.body.n)};
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

/* "… if any does not exist, none is deleted." */
status cloudwatch_delete_dashboards(struct call *c, const struct cloudwatch_delete_dashboards_input *in,
	struct cloudwatch_delete_dashboards_output *out)
{
	(void)out;
	for (size_t i = 0; i < in->dashboard_names.n; i++) {
		struct cloudwatch_rec_dashboard d;
		status s = cw_dashboard_get(c, in->dashboard_names.v[i], &d);
		if (status_is(s, STATUS_NOT_FOUND)) return missing(c, in->dashboard_names.v[i]);
		TRY(s);
		store_delete(c->tx, key_of(c, d.name));
	}
	return OK;
}
