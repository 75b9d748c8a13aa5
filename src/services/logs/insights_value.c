/* What Insights' functions of addresses and of JSON say, and how a path leads into JSON: message.users[0].`first name`
 * ("Supported operations and functions in queries"). */
#include "base/cidr.h"
#include "base/json.h"
#include "services/logs/insights.h"

/* ── paths ── */

static struct str json_text(struct arena *a, const struct json_value *v)
{
	struct buf b = BUF_IN(a);
	if (!v || v->type == JSON_IS_NULL) return STR_NONE;
	if (v->type == JSON_IS_BOOL) return v->truth ? STR("1") : STR("0");
	if (str_has(json_scalar(v))) return json_scalar(v);
	json_write(&b, v);
	return buf_done(&b);
}

static struct json_value *element(struct json_value *v, struct str text)
{
	uint64_t index;
	if (!json_is(v, JSON_IS_ARRAY) || !is_ok(str_to_u64(text, &index)) || index >= v->length) return NULL;
	v = v->first;
	while (v && index--) v = v->next;
	return v;
}

/* The next part of a path, and what it is: "a.b[3]['c d'].`e`". */
static struct json_value *step(struct json_value *v, struct str *rest)
{
	size_t i = 0;
	char c = rest->p[0], end = c == '`' ? '`' : c == '[' ? ']' : 0;
	struct str part;
	if (c == '.') {
		*rest = str_from(*rest, 1);
		return rest->n ? v : NULL;
	}
	if (end) {
		for (i = 1; i < rest->n && rest->p[i] != end; i++) continue;
		if (i >= rest->n) return NULL;
		part = str_sub(*rest, 1, i - 1);
		*rest = str_from(*rest, i + 1);
		if (part.n >= 2 && (part.p[0] == '\'' || part.p[0] == '"') && part.p[part.n - 1] == part.p[0])
			return json_member(v, str_sub(part, 1, part.n - 2));
		return end == ']' ? element(v, part) : json_member(v, part);
	}
	while (i < rest->n && rest->p[i] != '.' && rest->p[i] != '[') i++;
	part = str_sub(*rest, 0, i);
	*rest = str_from(*rest, i);
	struct json_value *found = json_is(v, JSON_IS_ARRAY) ? element(v, part) : json_member(v, part);
	return found;
}

struct str ins_path(struct arena *a, struct json_value *v, struct str path)
{
	struct json_value *whole = json_member(v, path);
	if (whole) return json_text(a, whole);
	while (v && path.n) v = step(v, &path);
	return json_text(a, v);
}

/* A field of what jsonParse, unnest or parse have named: its first part is the name. */
struct str ins_path_in_pairs(struct arena *a, const struct ins_row *r, struct str name)
{
	for (size_t i = 1; i < name.n; i++) {
		if (name.p[i] != '.' && name.p[i] != '[') continue;
		struct str base = str_sub(name, 0, i);
		for (size_t k = r->pairs.n; k-- > 0;) {
			struct json_value *v;
			struct str text = r->pairs.v[k].value;
			if (!str_eq(r->pairs.v[k].name, base)) continue;
			if (!str_starts(text, STR("{")) && !str_starts(text, STR("["))) return STR_NONE;
			if (!is_ok(json_read(a, text, &v))) return STR_NONE;
			return ins_path(a, v, name.p[i] == '.' ? str_from(name, i + 1) : str_from(name, i));
		}
	}
	return STR_NONE;
}

/* ── functions ── */

static bool is_ip(struct str s, bool v4, bool v6)
{
	struct cidr c;
	return is_ok(cidr_parse_address(s, &c)) && (c.v6 ? v6 : v4);
}

static bool within(struct str address, struct str subnet, bool v4, bool v6)
{
	struct cidr a, s;
	if (!is_ok(cidr_parse_address(address, &a)) || !is_ok(cidr_parse(subnet, &s))) return false;
	return a.v6 == s.v6 && (a.v6 ? v6 : v4) && cidr_contains(s, a);
}

static struct str parsed(struct arena *a, struct str text)
{
	struct json_value *v;
	struct buf b = BUF_IN(a);
	text = str_trim(text);
	if (!str_starts(text, STR("{")) && !str_starts(text, STR("["))) return STR_NONE;
	if (!is_ok(json_read(a, text, &v))) return STR_NONE;
	json_write(&b, v);
	return buf_done(&b);
}

bool ins_special(struct arena *a, struct str name, const struct str *t, struct ins_value *out)
{
	bool truth;
	*out = (struct ins_value){0};
	if (str_is(name, "jsonparse")) {
		out->text = parsed(a, t[0]);
		out->has = str_has(out->text);
		return true;
	}
	if (str_is(name, "jsonstringify")) {
		*out = (struct ins_value){.has = true, .text = t[0]};
		return true;
	}
	if (str_is(name, "isvalidip"))
		truth = is_ip(t[0], true, true);
	else if (str_is(name, "isvalidipv4"))
		truth = is_ip(t[0], true, false);
	else if (str_is(name, "isvalidipv6"))
		truth = is_ip(t[0], false, true);
	else if (str_is(name, "isipinsubnet"))
		truth = within(t[0], t[1], true, true);
	else if (str_is(name, "isipv4insubnet"))
		truth = within(t[0], t[1], true, false);
	else if (str_is(name, "isipv6insubnet"))
		truth = within(t[0], t[1], false, true);
	else
		return false;
	*out = (struct ins_value){.has = true, .numeric = true, .number = truth};
	return true;
}
