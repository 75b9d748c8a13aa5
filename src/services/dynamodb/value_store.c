/* Values as they are stored: a byte of type, then a varint length or count, then bytes or elements. An item begins with
 * a byte that names this format. */
#include "services/dynamodb/value.h"

enum { FORMAT = 1, STORED_FALSE = 0x20, STORED_TRUE = 0x21 };

static void put_length(struct buf *b, uint64_t n)
{
	while (n >= 0x80) {
		buf_byte(b, (char)(n | 0x80));
		n >>= 7;
	}
	buf_byte(b, (char)n);
}

static void put_str(struct buf *b, struct str s)
{
	put_length(b, s.n);
	buf_str(b, s);
}

static void put_map(struct buf *b, const struct value *v)
{
	put_length(b, v->n);
	for (uint32_t i = 0; i < v->n; i++) {
		put_str(b, v->map[i].name);
		ddb_value_store(b, &v->map[i].value);
	}
}

void ddb_value_store(struct buf *b, const struct value *v)
{
	buf_byte(b, v->type == V_BOOL ? (v->truth ? STORED_TRUE : STORED_FALSE) : (char)v->type);
	switch ((enum value_type)v->type) {
	case V_S:
	case V_N:
	case V_B:
		put_str(b, value_str(v));
		break;
	case V_SS:
	case V_NS:
	case V_BS:
		put_length(b, v->n);
		for (uint32_t i = 0; i < v->n; i++) put_str(b, v->set[i]);
		break;
	case V_L:
		put_length(b, v->n);
		for (uint32_t i = 0; i < v->n; i++) ddb_value_store(b, &v->list[i]);
		break;
	case V_M:
		put_map(b, v);
		break;
	case V_NULL:
	case V_BOOL:
		break;
	case V_NONE:
		UNREACHABLE();
	}
}

struct str ddb_item_store(struct arena *a, const struct value *item)
{
	struct buf b = BUF_IN(a);
	buf_reserve(&b, 256);
	buf_byte(&b, FORMAT);
	put_map(&b, item);
	return buf_done(&b);
}

/* ── back ── */

static bool get_length(struct str *s, uint32_t *out)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 35; shift += 7) {
		if (s->n == 0) return false;
		unsigned char c = (unsigned char)s->p[0];
		s->p++;
		s->n--;
		v |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80) {
			*out = (uint32_t)v;
			return v <= UINT32_MAX;
		}
	}
	return false;
}

static bool get_str(struct str *s, struct str *out)
{
	uint32_t n;
	if (!get_length(s, &n) || n > s->n) return false;
	*out = str_n(s->p, n);
	s->p += n;
	s->n -= n;
	return true;
}

static bool get_value(struct arena *a, struct str *s, struct value *v, int depth);

static bool get_map(struct arena *a, struct str *s, struct value *v, int depth)
{
	uint32_t n;
	if (!get_length(s, &n) || n > s->n) return false;
	*v = (struct value){.type = V_M, .n = n};
	v->map = arena_alloc_raw(a, ddb_map_room(n) * sizeof(*v->map));
	for (uint32_t i = 0; i < n; i++)
		if (!get_str(s, &v->map[i].name) || !get_value(a, s, &v->map[i].value, depth)) return false;
	return true;
}

static bool get_value(struct arena *a, struct str *s, struct value *v, int depth)
{
	struct str text;
	uint32_t n;
	if (s->n == 0 || depth > VALUE_DEPTH_MAX + 1) return false;
	unsigned type = (unsigned char)s->p[0];
	s->p++;
	s->n--;
	switch (type) {
	case V_S:
	case V_N:
	case V_B:
		if (!get_str(s, &text) || (type == V_N && !ddb_number_valid(text))) return false;
		*v = value_text((enum value_type)type, text);
		return true;
	case V_SS:
	case V_NS:
	case V_BS:
		if (!get_length(s, &n) || n > s->n) return false;
		*v = (struct value){.type = (uint8_t)type, .n = n};
		v->set = arena_array(a, n, sizeof(*v->set));
		for (uint32_t i = 0; i < n; i++)
			if (!get_str(s, &v->set[i]) || (type == V_NS && !ddb_number_valid(v->set[i]))) return false;
		return true;
	case V_L:
		if (!get_length(s, &n) || n > s->n) return false;
		*v = (struct value){.type = V_L, .n = n};
		v->list = arena_array(a, n, sizeof(*v->list));
		for (uint32_t i = 0; i < n; i++)
			if (!get_value(a, s, &v->list[i], depth + 1)) return false;
		return true;
	case V_M:
		return get_map(a, s, v, depth + 1);
	case V_NULL:
		*v = (struct value){.type = V_NULL};
		return true;
	case STORED_FALSE:
		*v = (struct value){.type = V_BOOL};
		return true;
	case STORED_TRUE:
		*v = (struct value){.type = V_BOOL, .truth = true};
		return true;
	default:
		return false;
	}
}

status ddb_item_load(struct arena *a, struct str bytes, struct value *item)
{
	struct str rest = bytes;
	if (rest.n == 0 || rest.p[0] != FORMAT) return STATUS(CORRUPT);
	rest = str_from(rest, 1);
	return get_map(a, &rest, item, 0) && rest.n == 0 ? OK : STATUS(CORRUPT);
}

status ddb_value_load(struct arena *a, struct str *rest, struct value *v)
{
	return get_value(a, rest, v, 0) ? OK : STATUS(CORRUPT);
}
