/* Filter policies ("Amazon SNS subscription filter policies"): which messages a subscription gets, by their attributes
 * or by their JSON body. A key's conditions are alternatives; all keys have to fit; "$or" makes keys alternatives. */
#include "base/json.h"
#include "services/sns/room.h"
#include <arpa/inet.h>

/* "A filter policy can have a maximum of five attribute names … The total combination of values must not exceed 150";
 * the policy 256 KB. */
enum { KEYS_MAX = 5, COMBINATIONS_MAX = 150, POLICY_MAX = 262144, DEPTH_MAX = 5 };

/* ── what may be asked ── */

static status invalid(struct call *c, const char *why)
{
	return SNS_FAIL(c, INVALID_PARAMETER, "Invalid parameter: FilterPolicy: %s", why);
}

static bool is_number(const struct json_value *v)
{
	double d;
	return json_is(v, JSON_IS_NUMBER) && is_ok(str_to_f64(v->text, &d)) && d >= -1e9 && d <= 1e9;
}

static bool read_cidr(struct str s, struct in_addr *net, unsigned *bits)
{
	char text[32];
	uint64_t n;
	struct str rest = s, host = str_cut(&rest, '/');
	if (!str_has(rest) || host.n >= sizeof(text) || !is_ok(str_to_u64(rest, &n)) || n > 32) return false;
	memcpy(text, host.p, host.n);
	text[host.n] = 0;
	*bits = (unsigned)n;
	return inet_pton(AF_INET, text, net) == 1;
}

static bool wildcards_are_few(struct str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '*') continue;
		if (i && s.p[i - 1] == '*') return false;
		n++;
	}
	return n <= 3;
}

static status check_numeric(struct call *c, const struct json_value *v)
{
	if (!json_is(v, JSON_IS_ARRAY) || !v->length || v->length % 2)
		return invalid(c, "numeric must be a list of operators and numbers");
	for (const struct json_value *op = v->first; op; op = op->next->next) {
		struct str o = str_or(json_string(op), STR(""));
		if (!str_is(o, "=") && !str_is(o, "<") && !str_is(o, "<=") && !str_is(o, ">") && !str_is(o, ">="))
			return invalid(c, "Unrecognized numeric range operator");
		if (!is_number(op->next)) return invalid(c, "Value of a numeric range operator must be numeric");
	}
	return OK;
}

static status check_operator(struct call *c, const struct json_value *op)
{
	struct in_addr net;
	unsigned bits;
	bool text = json_is(op, JSON_IS_STRING);
	if (str_is(op->name, "exists"))
		return json_is(op, JSON_IS_BOOL) ? OK
						 : invalid(c, "exists match pattern must be either true or false.");
	if (str_is(op->name, "prefix") || str_is(op->name, "suffix") || str_is(op->name, "equals-ignore-case"))
		return text ? OK : invalid(c, "prefix, suffix and equals-ignore-case match patterns must be strings");
	if (str_is(op->name, "wildcard"))
		return text && wildcards_are_few(op->text)
			       ? OK
			       : invalid(c, "wildcard match pattern must be a string of at most three single stars");
	if (str_is(op->name, "cidr"))
		return text && read_cidr(op->text, &net, &bits) ? OK : invalid(c, "Malformed CIDR");
	if (str_is(op->name, "numeric")) return check_numeric(c, op);
	if (!str_is(op->name, "anything-but")) return invalid(c, "Unrecognized match type");
	if (json_is(op, JSON_IS_STRING) || is_number(op)) return OK;
	if (json_is(op, JSON_IS_OBJECT) && op->length == 1)
		return str_is(op->first->name, "prefix") || str_is(op->first->name, "suffix") ||
				       str_is(op->first->name, "wildcard") ||
				       str_is(op->first->name, "equals-ignore-case")
			       ? check_operator(c, op->first)
			       : invalid(c, "Unsupported anything-but pattern");
	if (!json_is(op, JSON_IS_ARRAY) || !op->length)
		return invalid(c, "anything-but must be a value, a list or a pattern");
	for (const struct json_value *v = op->first; v; v = v->next)
		if (!json_is(v, JSON_IS_STRING) && !is_number(v))
			return invalid(c, "anything-but must be a value, a list or a pattern");
	return OK;
}

static status check_values(struct call *c, const struct json_value *list)
{
	if (!list->length) return invalid(c, "Empty arrays are not allowed");
	for (const struct json_value *v = list->first; v; v = v->next) {
		if (json_is(v, JSON_IS_ARRAY))
			return invalid(c, "Match value must be String, number, true, false, or null");
		if (json_is(v, JSON_IS_NUMBER) && !is_number(v)) return invalid(c, "Match value is out of range");
		if (!json_is(v, JSON_IS_OBJECT)) continue;
		if (v->length != 1) return invalid(c, "Only one key allowed in match expression");
		TRY(check_operator(c, v->first));
	}
	return OK;
}

struct measure {
	size_t keys, combinations;
};

static status check_object(struct call *c, const struct json_value *o, bool body, unsigned depth, struct measure *m);

static status check_or(struct call *c, const struct json_value *list, bool body, unsigned depth, struct measure *m)
{
	size_t sum = 0;
	if (!json_is(list, JSON_IS_ARRAY) || list->length < 2)
		return invalid(c, "$or must have at least two alternatives");
	for (const struct json_value *o = list->first; o; o = o->next) {
		struct measure inner = {.combinations = 1};
		if (!json_is(o, JSON_IS_OBJECT)) return invalid(c, "$or must hold objects");
		TRY(check_object(c, o, body, depth, &inner));
		sum += inner.combinations;
		m->keys += inner.keys;
	}
	m->combinations *= sum;
	return OK;
}

static status check_object(struct call *c, const struct json_value *o, bool body, unsigned depth, struct measure *m)
{
	for (const struct json_value *k = o->first; k; k = k->next) {
		if (str_is(k->name, "$or")) {
			TRY(check_or(c, k, body, depth, m));
		} else if (json_is(k, JSON_IS_ARRAY)) {
			TRY(check_values(c, k));
			m->keys++;
			m->combinations *= k->length * depth;
		} else if (json_is(k, JSON_IS_OBJECT) && body && depth < DEPTH_MAX * 4) {
			TRY(check_object(c, k, body, depth + 1, m));
		} else {
			return invalid(c,
				body ? "\"value\" must be an object or an array"
				     : "Filter policy scope MessageAttributes does not support nested filter policy");
		}
		if (m->combinations > COMBINATIONS_MAX) return invalid(c, "Filter policy is too complex");
	}
	return OK;
}

status sns_filter_check(struct call *c, struct str policy, bool body)
{
	struct json_value *json;
	struct measure m = {.combinations = 1};
	if (policy.n > POLICY_MAX) return invalid(c, "Filter policy is too long");
	if (!is_ok(json_read(c->arena, policy, &json)) || !json_is(json, JSON_IS_OBJECT))
		return invalid(c, "failed to parse JSON.");
	TRY(check_object(c, json, body, 1, &m));
	return m.keys > KEYS_MAX ? invalid(c, "Filter policy can not have more than 5 keys") : OK;
}

/* ── does it fit? ── */

static bool compare(struct str op, double x, double y)
{
	if (str_is(op, "=")) return x <= y && x >= y;
	if (str_is(op, "<")) return x < y;
	if (str_is(op, "<=")) return x <= y;
	if (str_is(op, ">")) return x > y;
	return x >= y;
}

static bool in_cidr(struct str s, struct str range)
{
	struct in_addr net, address;
	unsigned bits;
	char text[32];
	if (!read_cidr(range, &net, &bits) || s.n >= sizeof(text)) return false;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	if (inet_pton(AF_INET, text, &address) != 1) return false;
	uint32_t mask = bits ? htonl(0xffffffffu << (32 - bits)) : 0;
	return (net.s_addr & mask) == (address.s_addr & mask);
}

static bool equal(const struct json_value *want, const struct json_value *v)
{
	double x, y;
	if (json_is(want, JSON_IS_NUMBER) && json_is(v, JSON_IS_NUMBER))
		return is_ok(str_to_f64(want->text, &x)) && is_ok(str_to_f64(v->text, &y)) && compare(STR("="), x, y);
	if (want->type != v->type) return false;
	return want->type == JSON_IS_NULL ||
	       (want->type == JSON_IS_BOOL ? want->truth == v->truth : str_eq(want->text, v->text));
}

/* One value against one operator (not exists). */
static bool operator_fits(const struct json_value *op, const struct json_value *v)
{
	bool text = json_is(v, JSON_IS_STRING);
	double x, y;
	if (str_is(op->name, "prefix")) return text && str_starts(v->text, op->text);
	if (str_is(op->name, "suffix")) return text && str_ends(v->text, op->text);
	if (str_is(op->name, "equals-ignore-case")) return text && str_ieq(v->text, op->text);
	if (str_is(op->name, "wildcard")) {
		/* A question mark is one here. */
		if (!text || str_chr(op->text, '?') >= 0) return text && str_eq(v->text, op->text);
		return str_glob(op->text, v->text);
	}
	if (str_is(op->name, "cidr")) return text && in_cidr(v->text, op->text);
	if (str_is(op->name, "numeric")) {
		if (!json_is(v, JSON_IS_NUMBER) || !is_ok(str_to_f64(v->text, &x))) return false;
		for (const struct json_value *o = op->first; o; o = o->next->next)
			if (!is_ok(str_to_f64(o->next->text, &y)) || !compare(o->text, x, y)) return false;
		return true;
	}
	if (!str_is(op->name, "anything-but")) return false;
	if (json_is(op, JSON_IS_OBJECT)) return !operator_fits(op->first, v);
	if (!json_is(op, JSON_IS_ARRAY)) return !equal(op, v);
	for (const struct json_value *o = op->first; o; o = o->next)
		if (equal(o, v)) return false;
	return true;
}

/* The alternatives of one key against its values; v NULL: it is not there. An array's elements are values each. */
static bool values_fit(const struct json_value *list, const struct json_value *v)
{
	for (const struct json_value *want = list->first; want; want = want->next) {
		bool operation = json_is(want, JSON_IS_OBJECT);
		if (operation && str_is(want->first->name, "exists")) {
			if (want->first->truth == (v != NULL && !json_is(v, JSON_IS_OBJECT))) return true;
			continue;
		}
		if (!v || json_is(v, JSON_IS_OBJECT)) continue;
		for (const struct json_value *one = json_is(v, JSON_IS_ARRAY) ? v->first : v; one;
			one = json_is(v, JSON_IS_ARRAY) ? one->next : NULL)
			if (operation ? operator_fits(want->first, one) : equal(want, one)) return true;
	}
	return false;
}

static bool object_fits(const struct json_value *policy, const struct json_value *o)
{
	for (const struct json_value *k = policy->first; k; k = k->next) {
		if (str_is(k->name, "$or")) {
			bool any = false;
			for (const struct json_value *alternative = k->first; alternative;
				alternative = alternative->next)
				any |= object_fits(alternative, o);
			if (!any) return false;
			continue;
		}
		const struct json_value *v = json_member(o, k->name);
		if (json_is(k, JSON_IS_ARRAY)) {
			if (!values_fit(k, v)) return false;
		} else if (json_is(v, JSON_IS_ARRAY)) {
			bool any = false; /* objects in an array are alternatives */
			for (const struct json_value *e = v->first; e; e = e->next)
				any |= json_is(e, JSON_IS_OBJECT) && object_fits(k, e);
			if (!any) return false;
		} else if (!object_fits(k, v)) {
			return false;
		}
	}
	return true;
}

/* Attributes as one JSON object: String, Number, String.Array ("Message attribute data types"). */
static struct json_value *attributes_as_json(struct arena *a, const struct sns_rec_message *m)
{
	struct buf b = BUF_IN(a);
	struct json_value *out;
	size_t n = 0;
	double d;
	buf_byte(&b, '{');
	for (size_t i = 0; i < m->attributes.n; i++) {
		const struct sns_rec_attribute *at = &m->attributes.v[i];
		struct json_value *array;
		if (!str_has(at->text)) continue;
		if (n++) buf_byte(&b, ',');
		json_quote(&b, at->name);
		buf_byte(&b, ':');
		bool number = str_starts(at->type, STR("Number")) && is_ok(str_to_f64(at->text, &d));
		bool list = str_is(at->type, "String.Array") && is_ok(json_read(a, at->text, &array));
		if (number || list)
			buf_str(&b, at->text);
		else
			json_quote(&b, at->text);
	}
	buf_byte(&b, '}');
	if (is_ok(json_read(a, buf_done(&b), &out))) return out;
	return is_ok(json_read(a, STR("{}"), &out)) ? out : NULL;
}

bool sns_filter_passes(struct arena *a, struct str policy, bool body, const struct sns_rec_message *m)
{
	struct json_value *p, *o;
	if (!is_ok(json_read(a, policy, &p))) return false;
	if (!body) return object_fits(p, attributes_as_json(a, m));
	/* "If the message body is not valid JSON, the message is not delivered." */
	return is_ok(json_read(a, m->body, &o)) && json_is(o, JSON_IS_OBJECT) && object_fits(p, o);
}
