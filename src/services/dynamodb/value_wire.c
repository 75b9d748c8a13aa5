/* Values from and to the generated structs, with what DynamoDB checks of any value wherever it stands. */
#include "dynamodbstreams.h"
#include "services/dynamodb/value.h"
#include <stddef.h>
#include <stdlib.h>

/* Every map from a name to a value is laid out as this one, in both services. */
typedef struct dynamodb_attribute_map_entry entry; /* lint:allow(typedef-struct) */
_Static_assert(sizeof(entry) == sizeof(struct dynamodb_key_entry) &&
		       sizeof(entry) == sizeof(struct dynamodb_map_attribute_value_entry) &&
		       sizeof(entry) == sizeof(struct dynamodb_put_item_input_attribute_map_entry) &&
		       sizeof(entry) == sizeof(struct dynamodb_expression_attribute_value_map_entry) &&
		       sizeof(entry) == sizeof(struct dynamodb_item_collection_key_attribute_map_entry) &&
		       sizeof(entry) == sizeof(struct dynamodbstreams_attribute_map_entry) &&
		       sizeof(struct dynamodb_attribute_value) == sizeof(struct dynamodbstreams_attribute_value) &&
		       offsetof(struct dynamodb_attribute_value, bool_) ==
			       offsetof(struct dynamodbstreams_attribute_value, bool_),
	"the generated maps of values are alike");
struct entries {
	entry *v;
	size_t n;
};
struct strings {
	struct str *v;
	size_t n;
};

static bool fail(struct str *why, struct str text)
{
	*why = text;
	return false;
}

static bool read_number(struct arena *a, struct str text, struct str *out, struct str *why)
{
	enum number_result r = ddb_number_read(a, text, out);
	return r == NUMBER_OK || fail(why, ddb_number_problem(a, r, text));
}

static int by_bytes(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static bool duplicates(struct arena *a, enum value_type t, const struct strings *in, struct str *why)
{
	struct buf b = BUF_IN(a);
	if (t == V_NS || t == V_BS) return fail(why, STR("Input collection contains duplicates"));
	buf_lit(&b, "One or more parameter values were invalid: Input collection [");
	for (size_t i = 0; i < in->n && b.n < 2000; i++) {
		if (i) buf_lit(&b, ", ");
		buf_str(&b, in->v[i]);
	}
	buf_lit(&b, "] contains duplicates.");
	return fail(why, buf_done(&b));
}

static bool read_set(struct arena *a, enum value_type t, const void *generated, struct value *out, struct str *why)
{
	const struct strings *in = generated;
	if (in->n == 0)
		return fail(why,
			t == V_SS ? STR("One or more parameter values were invalid: An string set  may not be empty")
			: t == V_NS
				? STR("One or more parameter values were invalid: An number set  may not be empty")
				: STR("One or more parameter values were invalid: Binary sets should not be empty"));
	*out = (struct value){.type = (uint8_t)t, .n = (uint32_t)in->n};
	out->set = arena_array(a, in->n, sizeof(*out->set));
	for (size_t i = 0; i < in->n; i++) {
		if (t == V_NS) {
			if (!read_number(a, in->v[i], &out->set[i], why)) return false;
		} else {
			out->set[i] = in->v[i];
		}
	}
	qsort(out->set, out->n, sizeof(*out->set), by_bytes);
	for (uint32_t i = 1; i < out->n; i++)
		if (str_eq(out->set[i - 1], out->set[i])) return duplicates(a, t, in, why);
	return true;
}

static bool read_any(
	struct arena *a, const struct dynamodb_attribute_value *in, struct value *out, int depth, struct str *why);

/* Of equal names the last counts. */
static void drop_doubles(struct value *map)
{
	for (uint32_t i = 0; i < map->n; i++)
		for (uint32_t j = i + 1; j < map->n; j++) {
			if (!str_eq(map->map[i].name, map->map[j].name)) continue;
			memmove(&map->map[i], &map->map[i + 1], (map->n - i - 1) * sizeof(map->map[0]));
			map->n--;
			i--;
			break;
		}
}

static int by_name(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static bool has_doubles(struct arena *a, const struct value *map)
{
	if (map->n <= 32) return true; /* the quadratic look is as cheap */
	struct str *sorted = arena_array(a, map->n, sizeof(*sorted));
	for (uint32_t i = 0; i < map->n; i++) sorted[i] = map->map[i].name;
	qsort(sorted, map->n, sizeof(*sorted), by_name);
	for (uint32_t i = 1; i < map->n; i++)
		if (str_eq(sorted[i - 1], sorted[i])) return true;
	return false;
}

static bool read_map(struct arena *a, const struct entries *in, struct value *out, int depth, struct str *why)
{
	*out = (struct value){.type = V_M, .n = (uint32_t)in->n};
	out->map = arena_array(a, ddb_map_room(out->n), sizeof(*out->map));
	for (size_t i = 0; i < in->n; i++) {
		out->map[i].name = in->v[i].key;
		if (!read_any(a, &in->v[i].value, &out->map[i].value, depth, why)) return false;
	}
	if (has_doubles(a, out)) drop_doubles(out);
	return true;
}

static bool read_any(
	struct arena *a, const struct dynamodb_attribute_value *in, struct value *out, int depth, struct str *why)
{
	unsigned set = (unsigned)str_has(in->s) + str_has(in->n) + str_has(in->b) + (in->ss.v != NULL) +
		       (in->ns.v != NULL) + (in->bs.v != NULL) + (in->m.v != NULL) + (in->l.v != NULL) + in->null.has +
		       in->bool_.has;
	if (set == 0)
		return fail(why,
			STR("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"));
	if (set > 1)
		return fail(why,
			STR("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the "
			    "supported datatypes"));
	if (depth > VALUE_DEPTH_MAX)
		return fail(why, STR("Nesting Levels have exceeded supported limits: Attributes in the item have "
				     "nested levels beyond "
				     "supported limit"));
	if (str_has(in->s)) {
		*out = value_text(V_S, in->s);
	} else if (str_has(in->n)) {
		struct str number;
		if (!read_number(a, in->n, &number, why)) return false;
		*out = value_text(V_N, number);
	} else if (str_has(in->b)) {
		*out = value_text(V_B, in->b);
	} else if (in->ss.v) {
		return read_set(a, V_SS, &in->ss, out, why);
	} else if (in->ns.v) {
		return read_set(a, V_NS, &in->ns, out, why);
	} else if (in->bs.v) {
		return read_set(a, V_BS, &in->bs, out, why);
	} else if (in->m.v) {
		return read_map(a, (const struct entries *)(const void *)&in->m, out, depth + 1, why);
	} else if (in->l.v) {
		*out = (struct value){.type = V_L, .n = (uint32_t)in->l.n};
		out->list = arena_array(a, in->l.n, sizeof(*out->list));
		for (size_t i = 0; i < in->l.n; i++)
			if (!read_any(a, &in->l.v[i], &out->list[i], depth + 1, why)) return false;
	} else if (in->null.has) {
		if (!in->null.v)
			return fail(why, STR("One or more parameter values were invalid: Null attribute value types "
					     "must have the value "
					     "of true"));
		*out = (struct value){.type = V_NULL};
	} else {
		*out = (struct value){.type = V_BOOL, .truth = in->bool_.v};
	}
	return true;
}

bool ddb_value_read(struct arena *a, const struct dynamodb_attribute_value *in, struct value *out, struct str *why)
{
	return read_any(a, in, out, 0, why);
}

bool ddb_map_read(struct arena *a, const void *generated_map, struct value *out, struct str *why)
{
	return read_map(a, generated_map, out, 0, why);
}

/* ── out ── */

static struct str number_text(struct arena *a, struct str number)
{
	struct buf b = BUF_IN(a);
	ddb_number_write(&b, number);
	return buf_done(&b);
}

static void write_set(struct arena *a, const struct value *v, void *generated)
{
	struct strings *out = generated;
	out->n = v->n;
	if (v->type != V_NS) {
		out->v = v->set;
		return;
	}
	out->v = arena_array(a, v->n, sizeof(*out->v));
	for (uint32_t i = 0; i < v->n; i++) out->v[i] = number_text(a, v->set[i]);
}

void ddb_value_write(struct arena *a, const struct value *v, void *generated_value)
{
	struct dynamodb_attribute_value *out = generated_value;
	switch ((enum value_type)v->type) {
	case V_S:
		out->s = value_str(v);
		break;
	case V_N:
		out->n = number_text(a, value_str(v));
		break;
	case V_B:
		out->b = value_str(v);
		break;
	case V_SS:
		write_set(a, v, &out->ss);
		break;
	case V_NS:
		write_set(a, v, &out->ns);
		break;
	case V_BS:
		write_set(a, v, &out->bs);
		break;
	case V_M:
		ddb_map_write(a, v, &out->m);
		break;
	case V_L:
		out->l.v = arena_array(a, v->n, sizeof(*out->l.v));
		out->l.n = v->n;
		for (uint32_t i = 0; i < v->n; i++) ddb_value_write(a, &v->list[i], &out->l.v[i]);
		break;
	case V_NULL:
		out->null = SOME_BOOL(true);
		break;
	case V_BOOL:
		out->bool_ = SOME_BOOL(v->truth);
		break;
	case V_NONE:
		UNREACHABLE();
	}
}

void ddb_map_write(struct arena *a, const struct value *map, void *generated_map)
{
	struct entries *out = generated_map;
	out->v = arena_array(a, map->n, sizeof(*out->v));
	out->n = map->n;
	for (uint32_t i = 0; i < map->n; i++) {
		out->v[i].key = map->map[i].name;
		ddb_value_write(a, &map->map[i].value, &out->v[i].value);
	}
}
