/* Which events a trail takes: event selectors and advanced event selectors ("Logging management events", "Logging data
 * events", and AdvancedFieldSelector in the API reference). */
#include "services/cloudtrail/room.h"

enum { SELECTORS_MAX = 5, DATA_VALUES_MAX = 250, CONDITIONS_MAX = 500 };

/* ── does it select? ── */

static bool is_in(const struct cloudtrail_rec_strings *l, struct str s)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i], s)) return true;
	return false;
}

static bool any_starts(const struct cloudtrail_rec_strings *l, struct str s)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_starts(s, l->v[i])) return true;
	return false;
}

static bool any_ends(const struct cloudtrail_rec_strings *l, struct str s)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_ends(s, l->v[i])) return true;
	return false;
}

/* "arn:aws:s3" and "arn:aws:s3:::" stand for all buckets, "arn:aws:lambda" for all functions. */
static bool covers(enum ct_data type, const struct cloudtrail_rec_strings *values, struct str arn)
{
	for (size_t i = 0; i < values->n; i++) {
		struct str v = values->v[i];
		if (type == CT_S3_OBJECT ? str_starts(arn, v) : str_eq(arn, v)) return true;
		if (type == CT_S3_OBJECT && str_ends(v, STR("/")) && str_eq(arn, str_sub(v, 0, v.n - 1))) return true;
		if (str_is(v, "arn:aws:lambda") || str_is(v, "arn:aws:dynamodb")) return true;
	}
	return false;
}

/* Of a data event the resources that are of its type; S3's events on buckets (ListObjects) count by the bucket. */
static bool is_of(const struct cloudtrail_rec_resource *r, struct str type)
{
	if (str_eq(r->type, type)) return true;
	if (str_is(type, "AWS::S3::Object")) return str_is(r->type, "AWS::S3::Bucket");
	return str_is(type, "AWS::DynamoDB::Stream") && str_is(r->type, "AWS::DynamoDB::Table");
}

static bool basic(const struct cloudtrail_rec_selector *s, const struct cloudtrail_rec_event *e)
{
	if (str_is(s->read_write, "ReadOnly") && !e->read_only.v) return false;
	if (str_is(s->read_write, "WriteOnly") && e->read_only.v) return false;
	if (!str_has(e->data_type)) return s->management.v && !is_in(&s->excluded, e->source);
	for (size_t i = 0; i < s->data.n; i++) {
		if (!str_eq(s->data.v[i].type, e->data_type)) continue;
		for (size_t k = 0; k < e->resources.n; k++)
			if (is_of(&e->resources.v[k], e->data_type) &&
				covers(ct_data_named(e->data_type), &s->data.v[i].values, e->resources.v[k].arn))
				return true;
	}
	return false;
}

static bool fits(const struct cloudtrail_rec_field *f, struct str v)
{
	bool wanted = f->equals.n + f->starts.n + f->ends.n == 0 || is_in(&f->equals, v) || any_starts(&f->starts, v) ||
		      any_ends(&f->ends, v);
	return wanted && !is_in(&f->not_equals, v) && !any_starts(&f->not_starts, v) && !any_ends(&f->not_ends, v);
}

static bool field(const struct cloudtrail_rec_field *f, const struct cloudtrail_rec_event *e)
{
	if (str_is(f->field, "eventCategory")) return fits(f, str_has(e->data_type) ? STR("Data") : STR("Management"));
	if (str_is(f->field, "readOnly")) return fits(f, e->read_only.v ? STR("true") : STR("false"));
	if (str_is(f->field, "eventSource")) return fits(f, e->source);
	if (str_is(f->field, "eventName")) return fits(f, e->name);
	if (str_is(f->field, "eventType")) return fits(f, STR("AwsApiCall"));
	if (str_is(f->field, "resources.type")) return fits(f, str_or(e->data_type, STR("")));
	if (str_is(f->field, "userIdentity.arn")) return fits(f, str_or(e->identity, STR("")));
	if (str_is(f->field, "sessionCredentialFromConsole")) return fits(f, STR("false"));
	if (str_is(f->field, "errorCode")) return fits(f, str_or(e->error, STR("")));
	if (!str_is(f->field, "resources.ARN")) return false;
	for (size_t i = 0; i < e->resources.n; i++)
		if (is_of(&e->resources.v[i], str_or(e->data_type, STR(""))) && fits(f, e->resources.v[i].arn))
			return true;
	return false;
}

static bool advanced(const struct cloudtrail_rec_advanced *s, const struct cloudtrail_rec_event *e)
{
	for (size_t i = 0; i < s->fields.n; i++)
		if (!field(&s->fields.v[i], e)) return false;
	return true;
}

bool ct_selects(const struct cloudtrail_rec_trail *t, const struct cloudtrail_rec_event *e)
{
	for (size_t i = 0; i < t->advanced.n; i++)
		if (advanced(&t->advanced.v[i], e)) return true;
	for (size_t i = 0; i < t->selectors.n; i++)
		if (basic(&t->selectors.v[i], e)) return true;
	/* "By default, trails log management events." */
	return !t->advanced.n && !t->selectors.n && !str_has(e->data_type);
}

bool ct_may_select(const struct cloudtrail_rec_trail *t, const struct cloudtrail_rec_event *e)
{
	static const char *const told[] = {"eventCategory", "readOnly", "resources.type", "resources.ARN"};
	if (!t->advanced.n) return ct_selects(t, e);
	for (size_t i = 0; i < t->advanced.n; i++) {
		bool may = true;
		for (size_t k = 0; k < t->advanced.v[i].fields.n && may; k++)
			for (size_t n = 0; n < sizeof(told) / sizeof(*told); n++)
				if (str_eq(t->advanced.v[i].fields.v[k].field, str_c(told[n])))
					may &= field(&t->advanced.v[i].fields.v[k], e);
		if (may) return true;
	}
	return false;
}

bool ct_selects_data(const struct cloudtrail_rec_trail *t, enum ct_data d)
{
	for (size_t i = 0; i < t->advanced.n; i++)
		for (size_t k = 0; k < t->advanced.v[i].fields.n; k++) {
			const struct cloudtrail_rec_field *f = &t->advanced.v[i].fields.v[k];
			if (str_is(f->field, "resources.type") && fits(f, ct_data_type(d))) return true;
		}
	for (size_t i = 0; i < t->selectors.n; i++)
		for (size_t k = 0; k < t->selectors.v[i].data.n; k++)
			if (str_eq(t->selectors.v[i].data.v[k].type, ct_data_type(d))) return true;
	return false;
}

/* ── what may be selected ── */

static status invalid(struct call *c, struct str why)
{
	return CT_FAIL(c, INVALID_EVENT_SELECTORS, "%.*s", STR_ARG(why));
}

static status check_data(struct call *c, const struct cloudtrail_data_resource *d, size_t *values)
{
	struct str type = str_or(d->type, STR(""));
	if (!str_is(type, "AWS::S3::Object") && !str_is(type, "AWS::Lambda::Function") &&
		!str_is(type, "AWS::DynamoDB::Table"))
		return invalid(
			c, str_fmt(c->arena,
				   "The DataResources object can only contain the following types: AWS::S3::Object, "
				   "AWS::Lambda::Function, AWS::DynamoDB::Table. Type %.*s needs advanced event "
				   "selectors.",
				   STR_ARG(type)));
	const char *prefix = str_is(type, "AWS::S3::Object")         ? "arn:aws:s3"
			     : str_is(type, "AWS::Lambda::Function") ? "arn:aws:lambda"
								     : "arn:aws:dynamodb";
	for (size_t i = 0; i < d->values.n; i++)
		if (!str_starts(d->values.v[i], str_c(prefix)))
			return invalid(c, str_fmt(c->arena, "Value %.*s for DataResources.Values is invalid.",
						  STR_ARG(d->values.v[i])));
	*values += d->values.n;
	return OK;
}

static status read_basic(struct call *c, const struct cloudtrail_event_selectors *in, struct cloudtrail_rec_trail *t)
{
	size_t capacity = 0, values = 0;
	if (in->n > SELECTORS_MAX) return invalid(c, STR("The number of event selectors exceeds the limit of 5."));
	for (size_t i = 0; i < in->n; i++) {
		const struct cloudtrail_event_selector *s = &in->v[i];
		struct cloudtrail_rec_selector *r = VEC_PUSH(c->arena, &t->selectors, &capacity);
		size_t data = 0;
		r->read_write = str_has(s->read_write_type) ? s->read_write_type : STR("All");
		r->management = SOME_BOOL(!s->include_management_events.has || s->include_management_events.v);
		r->excluded = (struct cloudtrail_rec_strings){
			s->exclude_management_event_sources.v, s->exclude_management_event_sources.n};
		for (size_t k = 0; k < r->excluded.n; k++)
			if (!str_is(r->excluded.v[k], "kms.amazonaws.com") &&
				!str_is(r->excluded.v[k], "rdsdata.amazonaws.com"))
				return invalid(
					c, STR("ExcludeManagementEventSources can only contain kms.amazonaws.com "
					       "and rdsdata.amazonaws.com."));
		for (size_t k = 0; k < s->data_resources.n; k++) {
			const struct cloudtrail_data_resource *d = &s->data_resources.v[k];
			TRY(check_data(c, d, &values));
			*VEC_PUSH(c->arena, &r->data, &data) =
				(struct cloudtrail_rec_data_resource){d->type, {d->values.v, d->values.n}};
		}
	}
	if (values > DATA_VALUES_MAX)
		return invalid(
			c, STR("The number of data resources exceeds the limit of 250 across all event selectors."));
	return OK;
}

static const struct cloudtrail_rec_field *find(const struct cloudtrail_rec_advanced *s, const char *name)
{
	for (size_t i = 0; i < s->fields.n; i++)
		if (str_eq(s->fields.v[i].field, str_c(name))) return &s->fields.v[i];
	return NULL;
}

/* "eventCategory … required, must be set to Equals": the fields that each category has. */
static status check_advanced(struct call *c, const struct cloudtrail_rec_advanced *s)
{
	static const char *const names[] = {"eventCategory", "readOnly", "eventSource", "eventName", "eventType",
		"resources.type", "resources.ARN", "userIdentity.arn", "sessionCredentialFromConsole", "errorCode"};
	const struct cloudtrail_rec_field *category = find(s, "eventCategory"), *type = find(s, "resources.type");
	if (!category || category->equals.n != 1)
		return invalid(c, STR("An advanced event selector needs eventCategory with Equals and one value."));
	bool management = str_is(category->equals.v[0], "Management"), data = str_is(category->equals.v[0], "Data");
	if (!management && !data)
		return invalid(c, str_fmt(c->arena, "Trails here take the categories Management and Data, not %.*s.",
					  STR_ARG(category->equals.v[0])));
	if (data && (!type || type->equals.n != 1))
		return invalid(c, STR("Data events need resources.type with Equals and one value."));
	if (data && ct_data_named(type->equals.v[0]) == CT_MANAGEMENT)
		return invalid(
			c, str_fmt(c->arena, "resources.type %.*s is not supported.", STR_ARG(type->equals.v[0])));
	for (size_t i = 0; i < s->fields.n; i++) {
		const struct cloudtrail_rec_field *f = &s->fields.v[i];
		bool known = false;
		for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) known |= str_eq(f->field, str_c(names[k]));
		if (!known || (management && str_starts(f->field, STR("resources."))))
			return invalid(c, str_fmt(c->arena, "The field %.*s is not valid for this event category.",
						  STR_ARG(f->field)));
		if (!(f->equals.n + f->starts.n + f->ends.n + f->not_equals.n + f->not_starts.n + f->not_ends.n))
			return invalid(c, str_fmt(c->arena, "The field %.*s has no operator.", STR_ARG(f->field)));
		if (str_is(f->field, "readOnly") &&
			(f->equals.n != 1 || (!str_is(f->equals.v[0], "true") && !str_is(f->equals.v[0], "false"))))
			return invalid(c, STR("readOnly takes Equals with true or false."));
		for (size_t k = i + 1; k < s->fields.n; k++)
			if (str_eq(f->field, s->fields.v[k].field))
				return invalid(
					c, str_fmt(c->arena, "The field %.*s is there twice.", STR_ARG(f->field)));
	}
	return OK;
}

static status read_advanced(
	struct call *c, const struct cloudtrail_advanced_event_selectors *in, struct cloudtrail_rec_trail *t)
{
	size_t capacity = 0, conditions = 0;
	for (size_t i = 0; i < in->n; i++) {
		struct cloudtrail_rec_advanced *r = VEC_PUSH(c->arena, &t->advanced, &capacity);
		size_t fields = 0;
		r->name = in->v[i].name;
		for (size_t k = 0; k < in->v[i].field_selectors.n; k++) {
			const struct cloudtrail_advanced_field_selector *f = &in->v[i].field_selectors.v[k];
			*VEC_PUSH(c->arena, &r->fields, &fields) = (struct cloudtrail_rec_field){
				.field = f->field,
				.equals = {f->equals.v, f->equals.n},
				.starts = {f->starts_with.v, f->starts_with.n},
				.ends = {f->ends_with.v, f->ends_with.n},
				.not_equals = {f->not_equals.v, f->not_equals.n},
				.not_starts = {f->not_starts_with.v, f->not_starts_with.n},
				.not_ends = {f->not_ends_with.v, f->not_ends_with.n},
			};
			conditions += f->equals.n + f->starts_with.n + f->ends_with.n + f->not_equals.n +
				      f->not_starts_with.n + f->not_ends_with.n;
		}
		TRY(check_advanced(c, r));
	}
	if (conditions > CONDITIONS_MAX)
		return invalid(
			c, STR("The number of values for all advanced event selectors exceeds the limit of 500."));
	return OK;
}

/* ── telling them ── */

static void tell_advanced(
	struct call *c, const struct cloudtrail_rec_trail *t, struct cloudtrail_advanced_event_selectors *out)
{
	size_t capacity = 0;
	for (size_t i = 0; i < t->advanced.n; i++) {
		struct cloudtrail_advanced_event_selector *o = VEC_PUSH(c->arena, out, &capacity);
		size_t fields = 0;
		o->name = t->advanced.v[i].name;
		for (size_t k = 0; k < t->advanced.v[i].fields.n; k++) {
			const struct cloudtrail_rec_field *f = &t->advanced.v[i].fields.v[k];
			struct cloudtrail_advanced_field_selector *n = VEC_PUSH(c->arena, &o->field_selectors, &fields);
			n->field = f->field;
#define TELL(to, from)                                                                                                 \
	if (f->from.n) n->to = (struct cloudtrail_operator){f->from.v, f->from.n}
			TELL(equals, equals);
			TELL(starts_with, starts);
			TELL(ends_with, ends);
			TELL(not_equals, not_equals);
			TELL(not_starts_with, not_starts);
			TELL(not_ends_with, not_ends);
#undef TELL
		}
	}
}

static void tell_basic(struct call *c, const struct cloudtrail_rec_trail *t, struct cloudtrail_event_selectors *out)
{
	static const struct cloudtrail_rec_selector usual = {.read_write = {"All", 3}, .management = {true, true}};
	size_t capacity = 0, n = t->selectors.n ? t->selectors.n : 1;
	for (size_t i = 0; i < n; i++) {
		const struct cloudtrail_rec_selector *s = t->selectors.n ? &t->selectors.v[i] : &usual;
		struct cloudtrail_event_selector *o = VEC_PUSH(c->arena, out, &capacity);
		size_t data = 0;
		o->read_write_type = s->read_write;
		o->include_management_events = s->management;
		VEC_PRESENT(c->arena, &o->data_resources);
		for (size_t k = 0; k < s->data.n; k++)
			*VEC_PUSH(c->arena, &o->data_resources, &data) = (struct cloudtrail_data_resource){
				s->data.v[k].type, {s->data.v[k].values.v, s->data.v[k].values.n}};
		o->exclude_management_event_sources =
			(struct cloudtrail_exclude_management_event_sources){s->excluded.v, s->excluded.n};
		VEC_PRESENT(c->arena, &o->exclude_management_event_sources);
	}
}

status cloudtrail_put_event_selectors(struct call *c, const struct cloudtrail_put_event_selectors_request *in,
	struct cloudtrail_put_event_selectors_response *out)
{
	struct cloudtrail_rec_trail t;
	TRY(ct_trail_find_home(c, in->trail_name, &t));
	if ((in->event_selectors.n != 0) == (in->advanced_event_selectors.n != 0))
		return CT_FAIL(c, INVALID_EVENT_SELECTORS,
			"You must specify either EventSelectors or AdvancedEventSelectors, and not both.");
	t.selectors = (struct cloudtrail_rec_selectors){0};
	t.advanced = (struct cloudtrail_rec_advanceds){0};
	TRY(read_basic(c, &in->event_selectors, &t));
	TRY(read_advanced(c, &in->advanced_event_selectors, &t));
	ct_trail_put(c, &t);
	out->trail_arn = ct_trail_arn(c->arena, &t);
	if (t.selectors.n) tell_basic(c, &t, &out->event_selectors);
	tell_advanced(c, &t, &out->advanced_event_selectors);
	return OK;
}

status cloudtrail_get_event_selectors(struct call *c, const struct cloudtrail_get_event_selectors_request *in,
	struct cloudtrail_get_event_selectors_response *out)
{
	struct cloudtrail_rec_trail t;
	TRY(ct_trail_find(c, in->trail_name, &t));
	out->trail_arn = ct_trail_arn(c->arena, &t);
	if (t.advanced.n)
		tell_advanced(c, &t, &out->advanced_event_selectors);
	else
		tell_basic(c, &t, &out->event_selectors);
	return OK;
}
