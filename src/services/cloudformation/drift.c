/* Drift: resources as they are, held against what their stack made of them ("Detect unmanaged configuration changes to
 * stacks and resources with drift detection"). Only properties that are both in the stack's record and in the service's
 * description, and of one form in both, are compared; types that cannot be described are NOT_CHECKED. */
#include "base/rand.h"
#include "base/vec.h"
#include "services/cloudformation/operations.h"
#include "store/key.h"

struct comparison {
	struct arena *a;
	struct json_value *differences, *actual;
};

static const struct json_value *unpacked(struct arena *a, const struct json_value *v)
{
	struct json_value *read;
	bool text = v->type == JSON_IS_STRING && v->text.n && (v->text.p[0] == '{' || v->text.p[0] == '[');
	return text && is_ok(json_read(a, v->text, &read)) ? read : v;
}

static bool is_scalar(const struct json_value *v)
{
	return v->type != JSON_IS_ARRAY && v->type != JSON_IS_OBJECT;
}

/* Is what is expected there? -1: of another form, so that it cannot be told. Objects may have more members, lists
 * another order. */
int cfn_holds(struct arena *a, const struct json_value *expected, const struct json_value *live)
{
	live = unpacked(a, live);
	expected = unpacked(a, expected);
	if (is_scalar(expected) != is_scalar(live) || (!is_scalar(expected) && expected->type != live->type)) return -1;
	if (is_scalar(expected)) return cfn_equal(expected, live);
	if (expected->type == JSON_IS_OBJECT) {
		int all = 1;
		for (const struct json_value *m = expected->first; m; m = m->next) {
			const struct json_value *there = json_member(live, m->name);
			int one = there ? cfn_holds(a, m, there) : -1;
			if (one < 0) continue;
			all &= one;
		}
		return all;
	}
	if (expected->length != live->length) return 0;
	for (const struct json_value *e = expected->first; e; e = e->next) {
		int found = 0;
		for (const struct json_value *l = live->first; l && found != 1; l = l->next) {
			int one = cfn_holds(a, e, l);
			found = one == 1 ? 1 : one < 0 && !found ? -1 : found;
		}
		if (found != 1) return found;
	}
	return 1;
}

static struct str text_of(struct arena *a, const struct json_value *v)
{
	return str_or(json_scalar(v), cfn_json(a, v));
}

static void compare(struct comparison *c, const struct json_value *expected, const struct json_value *live)
{
	for (const struct json_value *p = expected->first; p; p = p->next) {
		const struct json_value *now = json_member(live, p->name);
		if (!now) continue;
		cfn_set(c->actual, p->name, cfn_copy(c->a, now));
		if (cfn_holds(c->a, p, now) != 0) continue;
		struct json_value *d = cfn_one(c->a, "PropertyPath", str_fmt(c->a, "/%.*s", STR_ARG(p->name)));
		cfn_put(d, c->a, "ExpectedValue", text_of(c->a, p));
		cfn_put(d, c->a, "ActualValue", text_of(c->a, now));
		cfn_put(d, c->a, "DifferenceType", STR("NOT_EQUAL"));
		cfn_append(c->differences, STR_NONE, d);
	}
}

/* Checks one resource and writes what came of it into its record. */
static void check(struct call *c, const struct cloudformation_rec_stack *s, struct cloudformation_rec_resource *r)
{
	struct arena *a = c->arena;
	struct inside_caller who = cfn_call_who(c);
	struct json_value *properties = NULL, *told = cfn_object(a);
	struct cfn_work w;
	struct comparison cmp = {.a = a, .differences = cfn_list(a), .actual = cfn_object(a)};
	const char *found = "NOT_CHECKED";
	if (!is_ok(json_read(a, str_or(r->properties, STR("{}")), &properties))) properties = cfn_object(a);
	status st = STATUS(FAILED);
	struct json_value *attributes;
	if (!is_ok(json_read(a, str_or(r->attributes, STR("{}")), &attributes))) attributes = NULL;
	if (str_has(r->physical_id))
		st = cfn_read_live(
			c->cloud, &who, a, cfn_place_of(s), r->type, r->physical_id, properties, attributes, &w);
	if (status_is(st, STATUS_NOT_FOUND)) found = "DELETED";
	if (is_ok(st) && w.live) {
		compare(&cmp, properties, w.live);
		found = cmp.differences->length ? "MODIFIED" : "IN_SYNC";
	}
	cfn_put(told, a, "Status", str_c(found));
	cfn_append(told, STR("Differences"), cmp.differences);
	cfn_append(told, STR("Actual"), cmp.actual);
	r->drift = cfn_json(a, told);
	r->drift_checked = SOME_I64(c->now_ms);
	cfn_resource_put(c->tx, a, s, r);
}

struct str cfn_drift_status(struct arena *a, const struct cloudformation_rec_resource *r)
{
	struct json_value *told;
	if (!str_has(r->drift) || !is_ok(json_read(a, r->drift, &told))) return STR("NOT_CHECKED");
	return str_or(cfn_at(told, "Status"), STR("NOT_CHECKED"));
}

void cfn_drift_tell(struct arena *a, const struct cloudformation_rec_stack *s,
	const struct cloudformation_rec_resource *r, struct cloudformation_stack_resource_drift *out)
{
	struct json_value *told;
	size_t capacity = 0;
	*out = (struct cloudformation_stack_resource_drift){.stack_id = s->id,
		.logical_resource_id = r->logical_id,
		.physical_resource_id = r->physical_id,
		.resource_type = r->type,
		.expected_properties = r->properties,
		.stack_resource_drift_status = cfn_drift_status(a, r),
		.timestamp = SOME_TIME(r->drift_checked.v)};
	if (!is_ok(json_read(a, str_or(r->drift, STR("{}")), &told))) return;
	const struct json_value *actual = cfn_in(told, "Actual"), *all = cfn_in(told, "Differences");
	if (actual) out->actual_properties = cfn_json(a, actual);
	VEC_PRESENT(a, &out->property_differences);
	for (const struct json_value *d = all ? all->first : NULL; d; d = d->next)
		*VEC_PUSH(a, &out->property_differences, &capacity) =
			(struct cloudformation_property_difference){.property_path = cfn_at(d, "PropertyPath"),
				.expected_value = cfn_at(d, "ExpectedValue"),
				.actual_value = cfn_at(d, "ActualValue"),
				.difference_type = cfn_at(d, "DifferenceType")};
}

static status may_detect(struct call *c, const struct cloudformation_rec_stack *s)
{
	if (!str_ends(s->status, STR("_IN_PROGRESS")) && !str_is(s->status, "DELETE_COMPLETE")) return OK;
	return call_fail(c, ERR_VALIDATION, "Drift detection cannot be performed on stack [%.*s] while in status %.*s",
		STR_ARG(s->id), STR_ARG(s->status));
}

static struct str detection_key(struct call *c, struct str id)
{
	struct key k = cfn_key(c->arena, "drift", cfn_call_place(c));
	key_str(&k, id);
	return key_done(&k);
}

status cloudformation_detect_stack_drift(struct call *c, const struct cloudformation_detect_stack_drift_input *in,
	struct cloudformation_detect_stack_drift_output *out)
{
	struct arena *a = c->arena;
	struct cloudformation_rec_stack s = {0};
	struct cfn_resources all;
	int32_t drifted = 0;
	TRY(cfn_load_stack(c, in->stack_name, &s));
	TRY(may_detect(c, &s));
	TRY(cfn_resources_load(c->tx, a, &s, &all));
	const struct cfn_names wanted = {in->logical_resource_ids.v, in->logical_resource_ids.n};
	for (size_t i = 0; i < all.n; i++) {
		if (wanted.n && !cfn_names_have(&wanted, all.v[i].logical_id)) continue;
		check(c, &s, &all.v[i]);
		struct str now = cfn_drift_status(a, &all.v[i]);
		drifted += str_is(now, "MODIFIED") || str_is(now, "DELETED");
	}
	s.drift_status = drifted ? STR("DRIFTED") : STR("IN_SYNC");
	s.drift_checked = SOME_I64(c->now_ms);
	cfn_stack_put(c->tx, a, &s);
	struct cloudformation_rec_detection d = {.id = rand_uuid(a),
		.stack = s.id,
		.drift_status = s.drift_status,
		.drifted = SOME_I32(drifted),
		.at = SOME_I64(c->now_ms)};
	store_put(c->tx, detection_key(c, d.id), cloudformation_rec_detection_encode(a, &d));
	out->stack_drift_detection_id = d.id;
	return OK;
}

status cloudformation_describe_stack_drift_detection_status(struct call *c,
	const struct cloudformation_describe_stack_drift_detection_status_input *in,
	struct cloudformation_describe_stack_drift_detection_status_output *out)
{
	struct cloudformation_rec_detection d = {0};
	struct str bytes;
	status s = store_get(c->tx, detection_key(c, in->stack_drift_detection_id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(c, ERR_VALIDATION, "StackDriftDetectionId %.*s does not exist",
			STR_ARG(in->stack_drift_detection_id));
	TRY(s);
	TRY(cloudformation_rec_detection_decode(c->arena, bytes, &d));
	*out = (struct cloudformation_describe_stack_drift_detection_status_output){.stack_id = d.stack,
		.stack_drift_detection_id = d.id,
		.stack_drift_status = d.drift_status,
		.detection_status = STR("DETECTION_COMPLETE"),
		.drifted_stack_resource_count = d.drifted,
		.timestamp = SOME_TIME(d.at.v)};
	return OK;
}

status cloudformation_detect_stack_resource_drift(struct call *c,
	const struct cloudformation_detect_stack_resource_drift_input *in,
	struct cloudformation_detect_stack_resource_drift_output *out)
{
	struct cloudformation_rec_stack s = {0};
	struct cloudformation_rec_resource r = {0};
	TRY(cfn_load_stack(c, in->stack_name, &s));
	TRY(may_detect(c, &s));
	status found = cfn_resource_get(c->tx, c->arena, &s, in->logical_resource_id, &r);
	if (status_is(found, STATUS_NOT_FOUND))
		return call_fail(c, ERR_VALIDATION, "Resource %.*s does not exist for stack %.*s",
			STR_ARG(in->logical_resource_id), STR_ARG(s.name));
	TRY(found);
	check(c, &s, &r);
	out->stack_resource_drift = arena_new(c->arena, struct cloudformation_stack_resource_drift);
	cfn_drift_tell(c->arena, &s, &r, out->stack_resource_drift);
	return OK;
}

status cloudformation_describe_stack_resource_drifts(struct call *c,
	const struct cloudformation_describe_stack_resource_drifts_input *in,
	struct cloudformation_describe_stack_resource_drifts_output *out)
{
	struct cloudformation_rec_stack s = {0};
	struct cfn_resources all;
	size_t capacity = 0;
	const struct cfn_names wanted = {
		in->stack_resource_drift_status_filters.v, in->stack_resource_drift_status_filters.n};
	TRY(cfn_load_stack(c, in->stack_name, &s));
	TRY(cfn_resources_load(c->tx, c->arena, &s, &all));
	VEC_PRESENT(c->arena, &out->stack_resource_drifts);
	for (size_t i = 0; i < all.n; i++) {
		if (!str_has(all.v[i].drift)) continue;
		if (wanted.n && !cfn_names_have(&wanted, cfn_drift_status(c->arena, &all.v[i]))) continue;
		cfn_drift_tell(c->arena, &s, &all.v[i], VEC_PUSH(c->arena, &out->stack_resource_drifts, &capacity));
	}
	return OK;
}
