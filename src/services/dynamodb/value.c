/* Values: access, comparison, sizes, sets. */
#include "services/dynamodb/value.h"
#include <stdlib.h>

static const char *const names[] = {"", "S", "N", "B", "SS", "NS", "BS", "L", "M", "NULL", "BOOL"};
static const char *const words[] = {
	"", "STRING", "NUMBER", "BINARY", "STRING_SET", "NUMBER_SET", "BINARY_SET", "LIST", "MAP", "NULL", "BOOLEAN"};

const char *ddb_type_name(unsigned type)
{
	return names[type];
}
const char *ddb_type_word(unsigned type)
{
	return words[type];
}

uint32_t ddb_map_room(uint32_t n)
{
	uint32_t room = 8;
	while (room < n) room *= 2;
	return room;
}

struct value ddb_map(void)
{
	return (struct value){.type = V_M};
}

struct value *ddb_get(const struct value *map, struct str name)
{
	for (uint32_t i = 0; i < map->n; i++)
		if (str_eq(map->map[i].name, name)) return &map->map[i].value;
	return NULL;
}

void ddb_set(struct arena *a, struct value *map, struct str name, const struct value *v)
{
	struct value *old = ddb_get(map, name);
	if (old) {
		*old = *v;
		return;
	}
	/* An array has room for a power of two of attributes, at least 8: a full one doubles. */
	if (!map->map || (map->n >= 8 && (map->n & (map->n - 1)) == 0)) {
		uint32_t room = map->n < 8 ? 8 : map->n * 2;
		struct attr *grown = arena_array(a, room, sizeof(*grown));
		if (map->n) memcpy(grown, map->map, map->n * sizeof(*grown));
		map->map = grown;
	}
	map->map[map->n++] = (struct attr){name, *v};
}

void ddb_remove(struct value *map, struct str name)
{
	for (uint32_t i = 0; i < map->n; i++) {
		if (!str_eq(map->map[i].name, name)) continue;
		memmove(&map->map[i], &map->map[i + 1], (map->n - i - 1) * sizeof(map->map[0]));
		map->n--;
		return;
	}
}

struct value ddb_copy(struct arena *a, const struct value *v)
{
	struct value out = *v;
	if (v->type == V_L) {
		out.list = arena_array(a, v->n, sizeof(*out.list));
		for (uint32_t i = 0; i < v->n; i++) out.list[i] = ddb_copy(a, &v->list[i]);
	} else if (v->type == V_M) {
		out.map = arena_array(a, ddb_map_room(v->n), sizeof(*out.map));
		for (uint32_t i = 0; i < v->n; i++)
			out.map[i] = (struct attr){v->map[i].name, ddb_copy(a, &v->map[i].value)};
	}
	return out;
}

bool ddb_equal(const struct value *x, const struct value *y)
{
	if (x->type != y->type) return false;
	switch ((enum value_type)x->type) {
	case V_S:
	case V_N:
	case V_B:
		return str_eq(value_str(x), value_str(y));
	case V_BOOL:
		return x->truth == y->truth;
	case V_NULL:
		return true;
	case V_SS:
	case V_NS:
	case V_BS:
		if (x->n != y->n) return false;
		for (uint32_t i = 0; i < x->n; i++)
			if (!str_eq(x->set[i], y->set[i])) return false;
		return true;
	case V_L:
		if (x->n != y->n) return false;
		for (uint32_t i = 0; i < x->n; i++)
			if (!ddb_equal(&x->list[i], &y->list[i])) return false;
		return true;
	case V_M:
		if (x->n != y->n) return false;
		for (uint32_t i = 0; i < x->n; i++) {
			const struct value *other = ddb_get(y, x->map[i].name);
			if (!other || !ddb_equal(&x->map[i].value, other)) return false;
		}
		return true;
	case V_NONE:
		break;
	}
	return false;
}

int ddb_compare(const struct value *x, const struct value *y)
{
	return str_cmp(value_str(x), value_str(y));
}

size_t ddb_value_size(const struct value *v)
{
	size_t n = 0;
	switch ((enum value_type)v->type) {
	case V_S:
	case V_B:
		return v->n;
	case V_N:
		return ddb_number_size(value_str(v));
	case V_BOOL:
	case V_NULL:
		return 1;
	case V_SS:
	case V_BS:
		for (uint32_t i = 0; i < v->n; i++) n += v->set[i].n;
		return n;
	case V_NS:
		for (uint32_t i = 0; i < v->n; i++) n += ddb_number_size(v->set[i]);
		return n;
	case V_L:
		for (uint32_t i = 0; i < v->n; i++) n += 1 + ddb_value_size(&v->list[i]);
		return n + 3;
	case V_M:
		for (uint32_t i = 0; i < v->n; i++) n += 1 + v->map[i].name.n + ddb_value_size(&v->map[i].value);
		return n + 3;
	case V_NONE:
		break;
	}
	return 0;
}

size_t ddb_item_size(const struct value *item)
{
	size_t n = 0;
	for (uint32_t i = 0; i < item->n; i++) n += item->map[i].name.n + ddb_value_size(&item->map[i].value);
	return n;
}

enum value_type ddb_set_of(unsigned type)
{
	return type == V_S ? V_SS : type == V_N ? V_NS : type == V_B ? V_BS : V_NONE;
}
enum value_type ddb_element_of(unsigned type)
{
	return type == V_SS ? V_S : type == V_NS ? V_N : type == V_BS ? V_B : V_NONE;
}

bool ddb_set_has(const struct value *set, struct str element)
{
	for (uint32_t i = 0; i < set->n; i++)
		if (str_eq(set->set[i], element)) return true;
	return false;
}

struct value ddb_set_union(struct arena *a, const struct value *x, const struct value *y)
{
	struct value out = {.type = x->type};
	uint32_t i = 0, j = 0;
	out.set = arena_array(a, (size_t)x->n + y->n, sizeof(*out.set));
	while (i < x->n || j < y->n) {
		int c = i == x->n ? 1 : j == y->n ? -1 : str_cmp(x->set[i], y->set[j]);
		out.set[out.n++] = c <= 0 ? x->set[i] : y->set[j];
		if (c <= 0) i++;
		if (c >= 0) j++;
	}
	return out;
}

struct value ddb_set_minus(struct arena *a, const struct value *x, const struct value *y)
{
	struct value out = {.type = x->type};
	out.set = arena_array(a, x->n, sizeof(*out.set));
	for (uint32_t i = 0; i < x->n; i++)
		if (!ddb_set_has(y, x->set[i])) out.set[out.n++] = x->set[i];
	return out;
}

static void describe_text(struct buf *b, unsigned type, struct str s)
{
	if (type == V_N)
		ddb_number_write(b, s);
	else if (type == V_B)
		buf_base64(b, s);
	else
		buf_str(b, s);
}

void ddb_value_describe(struct buf *b, const struct value *v)
{
	buf_fmt(b, "{%s:", ddb_type_name(v->type));
	switch ((enum value_type)v->type) {
	case V_S:
	case V_N:
	case V_B:
		describe_text(b, v->type, value_str(v));
		break;
	case V_BOOL:
		buf_str(b, v->truth ? STR("true") : STR("false"));
		break;
	case V_NULL:
		buf_lit(b, "true");
		break;
	case V_SS:
	case V_NS:
	case V_BS:
		buf_byte(b, '[');
		for (uint32_t i = 0; i < v->n; i++) {
			if (i) buf_lit(b, ", ");
			describe_text(b, ddb_element_of(v->type), v->set[i]);
		}
		buf_byte(b, ']');
		break;
	case V_L:
		buf_byte(b, '[');
		for (uint32_t i = 0; i < v->n; i++) {
			if (i) buf_lit(b, ", ");
			ddb_value_describe(b, &v->list[i]);
		}
		buf_byte(b, ']');
		break;
	case V_M:
		buf_byte(b, '{');
		for (uint32_t i = 0; i < v->n; i++) {
			if (i) buf_lit(b, ", ");
			buf_str(b, v->map[i].name);
			buf_byte(b, '=');
			ddb_value_describe(b, &v->map[i].value);
		}
		buf_byte(b, '}');
		break;
	case V_NONE:
		break;
	}
	buf_byte(b, '}');
}
