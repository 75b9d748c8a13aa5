/* See value_text.h. */
#include "services/dynamodb/value_text.h"
#include "base/status.h"

/* ── DynamoDB JSON ── */

static void json_scalar_text(struct buf *b, unsigned type, struct str s)
{
	buf_byte(b, '"');
	if (type == V_N)
		ddb_number_write(b, s);
	else
		buf_base64(b, s);
	buf_byte(b, '"');
}

static void json_element(struct buf *b, unsigned type, struct str s)
{
	if (type == V_S)
		json_quote(b, s);
	else
		json_scalar_text(b, type, s);
}

void ddb_json_value(struct buf *b, const struct value *v)
{
	buf_fmt(b, "{\"%s\":", ddb_type_name(v->type));
	switch ((enum value_type)v->type) {
	case V_S:
	case V_N:
	case V_B:
		json_element(b, v->type, value_str(v));
		break;
	case V_SS:
	case V_NS:
	case V_BS:
		buf_byte(b, '[');
		for (uint32_t i = 0; i < v->n; i++) {
			if (i) buf_byte(b, ',');
			json_element(b, ddb_element_of(v->type), v->set[i]);
		}
		buf_byte(b, ']');
		break;
	case V_L:
		buf_byte(b, '[');
		for (uint32_t i = 0; i < v->n; i++) {
			if (i) buf_byte(b, ',');
			ddb_json_value(b, &v->list[i]);
		}
		buf_byte(b, ']');
		break;
	case V_M:
		ddb_json_item(b, v);
		break;
	case V_BOOL:
		buf_str(b, v->truth ? STR("true") : STR("false"));
		break;
	case V_NULL:
	case V_NONE:
		buf_lit(b, "true");
		break;
	}
	buf_byte(b, '}');
}

void ddb_json_item(struct buf *b, const struct value *item)
{
	buf_byte(b, '{');
	for (uint32_t i = 0; i < item->n; i++) {
		if (i) buf_byte(b, ',');
		json_quote(b, item->map[i].name);
		buf_byte(b, ':');
		ddb_json_value(b, &item->map[i].value);
	}
	buf_byte(b, '}');
}

/* The reader makes the API's own struct of it, so that one place checks and converts: ddb_value_read. */
static bool read_value(
	struct arena *a, const struct json_value *in, struct dynamodb_attribute_value *out, struct str *why);

static bool bad(struct str *why, const char *text)
{
	*why = str_c(text);
	return false;
}

static bool read_strings(
	struct arena *a, const struct json_value *in, bool base64, struct str **v, size_t *n, struct str *why)
{
	if (!json_is(in, JSON_IS_ARRAY)) return bad(why, "a set is no array");
	*v = arena_new_n(a, struct str, in->length);
	for (const struct json_value *e = in->first; e; e = e->next) {
		struct str s = json_scalar(e);
		if (!str_has(s)) return bad(why, "an element of a set is no string");
		if (base64 && !is_ok(str_unbase64(a, s, &s))) return bad(why, "a binary value is not base64");
		(*v)[(*n)++] = s;
	}
	return true;
}

static bool read_members(
	struct arena *a, const struct json_value *in, struct dynamodb_map_attribute_value *out, struct str *why)
{
	if (!json_is(in, JSON_IS_OBJECT)) return bad(why, "a map is no object");
	out->v = arena_new_n(a, struct dynamodb_map_attribute_value_entry, in->length + 1);
	for (const struct json_value *e = in->first; e; e = e->next) {
		struct dynamodb_map_attribute_value_entry *m = &out->v[out->n++];
		m->key = e->name;
		if (!read_value(a, e, &m->value, why)) return false;
	}
	return true;
}

static bool read_value(
	struct arena *a, const struct json_value *in, struct dynamodb_attribute_value *out, struct str *why)
{
	*out = (struct dynamodb_attribute_value){0};
	if (!json_is(in, JSON_IS_OBJECT) || in->length != 1)
		return bad(why, "an attribute's value has not exactly one type");
	const struct json_value *v = in->first;
	struct str type = v->name, text = json_scalar(v);
	if (str_is(type, "S") || str_is(type, "N") || str_is(type, "B")) {
		if (!str_has(text)) return bad(why, "a scalar is no string");
		if (str_is(type, "S")) out->s = text;
		if (str_is(type, "N")) out->n = text;
		if (str_is(type, "B") && !is_ok(str_unbase64(a, text, &out->b)))
			return bad(why, "a binary value is not base64");
		return true;
	}
	if (str_is(type, "SS")) return read_strings(a, v, false, &out->ss.v, &out->ss.n, why);
	if (str_is(type, "NS")) return read_strings(a, v, false, &out->ns.v, &out->ns.n, why);
	if (str_is(type, "BS")) return read_strings(a, v, true, &out->bs.v, &out->bs.n, why);
	if (str_is(type, "M")) return read_members(a, v, &out->m, why);
	if (str_is(type, "L")) {
		if (!json_is(v, JSON_IS_ARRAY)) return bad(why, "a list is no array");
		out->l.v = arena_new_n(a, struct dynamodb_attribute_value, v->length + 1);
		for (const struct json_value *e = v->first; e; e = e->next)
			if (!read_value(a, e, &out->l.v[out->l.n++], why)) return false;
		return true;
	}
	bool *to = str_is(type, "BOOL") ? &out->bool_.v : &out->null.v;
	if (!str_is(type, "BOOL") && !str_is(type, "NULL")) return bad(why, "an attribute's value has an unknown type");
	if (str_is(type, "BOOL")) out->bool_.has = true;
	if (str_is(type, "NULL")) out->null.has = true;
	*to = str_is(text, "true");
	return true;
}

bool ddb_json_read(struct arena *a, const struct json_value *in, struct value *item, struct str *why)
{
	struct dynamodb_map_attribute_value m = {0};
	return read_members(a, in, &m, why) && ddb_map_read(a, &m, item, why);
}

/* ── Ion ── */

static void ion_text(struct buf *b, struct str s)
{
	static const char hex[] = "0123456789abcdef";
	buf_byte(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c == '"' || c == '\\') {
			buf_byte(b, '\\');
			buf_byte(b, (char)c);
		} else if (c == '\n') {
			buf_lit(b, "\\n");
		} else if (c == '\r') {
			buf_lit(b, "\\r");
		} else if (c == '\t') {
			buf_lit(b, "\\t");
		} else if (c < 0x20 || c == 0x7f) {
			buf_lit(b, "\\x");
			buf_byte(b, hex[c >> 4]);
			buf_byte(b, hex[c & 15]);
		} else {
			buf_byte(b, (char)c);
		}
	}
	buf_byte(b, '"');
}

/* "Numbers are Ion decimals": a point makes one of an integer. */
static void ion_number(struct buf *b, struct str number)
{
	size_t at = b->n;
	ddb_number_write(b, number);
	if (str_chr(str_n(b->p + at, b->n - at), '.') < 0) buf_byte(b, '.');
}

static void ion_element(struct buf *b, unsigned type, struct str s)
{
	if (type == V_S) {
		ion_text(b, s);
	} else if (type == V_N) {
		ion_number(b, s);
	} else {
		buf_lit(b, "{{");
		buf_base64(b, s);
		buf_lit(b, "}}");
	}
}

void ddb_ion_value(struct buf *b, const struct value *v)
{
	switch ((enum value_type)v->type) {
	case V_S:
	case V_N:
	case V_B:
		ion_element(b, v->type, value_str(v));
		break;
	case V_SS:
	case V_NS:
	case V_BS:
		buf_fmt(b, "$dynamodb_%s::[", ddb_type_name(v->type));
		for (uint32_t i = 0; i < v->n; i++) {
			if (i) buf_byte(b, ',');
			ion_element(b, ddb_element_of(v->type), v->set[i]);
		}
		buf_byte(b, ']');
		break;
	case V_L:
		buf_byte(b, '[');
		for (uint32_t i = 0; i < v->n; i++) {
			if (i) buf_byte(b, ',');
			ddb_ion_value(b, &v->list[i]);
		}
		buf_byte(b, ']');
		break;
	case V_M:
		ddb_ion_item(b, v);
		break;
	case V_BOOL:
		buf_str(b, v->truth ? STR("true") : STR("false"));
		break;
	case V_NULL:
	case V_NONE:
		buf_lit(b, "null");
		break;
	}
}

void ddb_ion_item(struct buf *b, const struct value *item)
{
	buf_byte(b, '{');
	for (uint32_t i = 0; i < item->n; i++) {
		if (i) buf_byte(b, ',');
		ion_text(b, item->map[i].name);
		buf_byte(b, ':');
		ddb_ion_value(b, &item->map[i].value);
	}
	buf_byte(b, '}');
}
