/* From a JSON document to the compiled form: the grammar of "Grammar of the IAM JSON policy language", with what each
 * type of policy requires and prohibits. Refusals are worded as IAM words them in MalformedPolicyDocument. */
#include "base/json.h"
#include "base/map.h"
#include "policy/internal.h"
#include <stdarg.h>
#include <stdio.h>

struct parser {
	struct builder b;
	struct arena arena;
	const struct policy_source *source;
	struct policy_error *why;
	struct str text;
};

static status refuse(struct parser *p, size_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static status refuse(struct parser *p, size_t at, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(p->why->message, sizeof p->why->message, fmt, args);
	va_end(args);
	p->why->at = at;
	return STATUS(INVALID);
}

static bool bears_principal(enum policy_type t)
{
	return t == POLICY_RESOURCE || t == POLICY_TRUST || t == POLICY_RCP || t == POLICY_ENDPOINT;
}

/* The messages quote at most so much of the document. */
#define QUOTED(s) (int)((s).n < 100 ? (s).n : 100), (s).p

/* ── lists of strings ─────────────────────────────────────────────────────────────────────────────────────────── */

/* "If the element takes an array but only one value is included, the brackets are optional." */
static const struct json_value *items(const struct json_value *v)
{
	return v->type == JSON_IS_ARRAY ? v->first : v;
}
static const struct json_value *next_item(const struct json_value *list, const struct json_value *item)
{
	return list->type == JSON_IS_ARRAY ? item->next : NULL;
}
#define EACH(item, list) (const struct json_value *item = items(list); item; item = next_item(list, item))

static bool printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t' && s.p[i] != '\n' && s.p[i] != '\r') return false;
	return true;
}

static bool name_char(char c, bool wild)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
	       c == '.' || (wild && (c == '*' || c == '?'));
}

static status check_action(struct parser *p, const struct json_value *item)
{
	struct str s = item->text;
	if (str_is(s, "*") || str_is(s, "*:*")) return OK;
	ptrdiff_t colon = str_chr(s, ':');
	if (colon < 0) return refuse(p, item->at,
		"Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
	struct str vendor = str_sub(s, 0, (size_t)colon), name = str_from(s, (size_t)colon + 1);
	if (str_chr(name, ':') >= 0) return refuse(p, item->at, "Actions/Condition can contain only one colon.");
	bool good = vendor.n > 0;
	for (size_t i = 0; i < vendor.n; i++) good = good && name_char(vendor.p[i], false) && vendor.p[i] != '_';
	if (!good) return refuse(p, item->at, "Vendor %.*s is not valid", QUOTED(vendor));
	good = name.n > 0;
	for (size_t i = 0; i < name.n; i++) good = good && name_char(name.p[i], true);
	if (!good) return refuse(p, item->at, "The action %.*s is not valid.", QUOTED(s));
	if (p->source->type == POLICY_TRUST && !str_istarts(s, STR("sts:")))
		return refuse(p, item->at, "AssumeRole policy may only specify STS AssumeRole actions.");
	return OK;
}

static status check_resource(struct parser *p, const struct json_value *item)
{
	struct str s = item->text;
	if (str_is(s, "*")) return OK;
	if (!str_starts(s, STR("arn:")))
		return refuse(p, item->at, "Resource %.*s must be in ARN format or \"*\".", QUOTED(s));
	struct str partition = str_from(s, 4);
	partition = str_cut(&partition, ':');
	if (!str_starts(partition, STR("aws")) && str_chr(partition, '*') < 0)
		return refuse(p, item->at, "Partition \"%.*s\" is not valid for resource \"%.*s\".",
			QUOTED(partition), QUOTED(s));
	return OK;
}

static status add_patterns(struct parser *p, const struct json_value *v, bool action, struct range *out)
{
	const char *missing = action ? "Policy statement must contain actions."
		: "Policy statement must contain resources.";
	if (v->type == JSON_IS_ARRAY && !v->length) return refuse(p, v->at, "%s", missing);
	out->first = (uint32_t)(p->b.patterns.n / sizeof(struct pattern));
	for EACH(item, v) {
		if (item->type != JSON_IS_STRING) return refuse(p, item->at, "Syntax errors in policy.");
		if (!printable(item->text)) return refuse(p, item->at, "Syntax errors in policy.");
		TRY(action ? check_action(p, item) : check_resource(p, item));
		struct pattern t;
		if (!builder_pattern(&p->b, item->text, action ? USE_ACTION : USE_RESOURCE, &t))
			return refuse(p, item->at, "%s: %.*s", p->b.why, QUOTED(item->text));
		buf_add(&p->b.patterns, &t, sizeof t);
		out->n++;
	}
	return OK;
}

/* ── principals ───────────────────────────────────────────────────────────────────────────────────────────────── */

static status add_principal(struct parser *p, struct str type, const struct json_value *item, struct range *out)
{
	if (item->type != JSON_IS_STRING) return refuse(p, item->at, "Invalid principal in policy.");
	struct principal_entry entry;
	struct str kept;
	const char *wrong = principal_entry(type, item->text, &entry, &kept);
	if (wrong) return refuse(p, item->at, "%s: \"%.*s\":\"%.*s\"", wrong, QUOTED(type), QUOTED(item->text));
	entry.text = builder_text(&p->b, kept);
	entry.n = (uint32_t)kept.n;
	buf_add(&p->b.principals, &entry, sizeof entry);
	out->n++;
	return OK;
}

static status add_principals(struct parser *p, const struct json_value *v, struct range *out)
{
	out->first = (uint32_t)(p->b.principals.n / sizeof(struct principal_entry));
	if (v->type == JSON_IS_STRING && str_is(v->text, "*")) return add_principal(p, STR("AWS"), v, out);
	if (v->type != JSON_IS_OBJECT || !v->length) return refuse(p, v->at, "Invalid principal in policy.");
	if (p->source->type == POLICY_RCP)
		return refuse(p, v->at, "The principal of a resource control policy must be \"*\".");
	for (const struct json_value *m = v->first; m; m = m->next) {
		if (m->type == JSON_IS_ARRAY && !m->length) return refuse(p, m->at, "Invalid principal in policy.");
		for EACH(item, m) TRY(add_principal(p, m->name, item, out));
	}
	return OK;
}

/* ── conditions ───────────────────────────────────────────────────────────────────────────────────────────────── */

static status add_value(struct parser *p, const struct condition *c, const struct json_value *item)
{
	struct condition_value v;
	memset(&v, 0, sizeof v);
	struct str s = item->text, bytes;
	if (item->type != JSON_IS_STRING && item->type != JSON_IS_NUMBER && item->type != JSON_IS_BOOL)
		return refuse(p, item->at, "Syntax errors in policy.");
	bool good = true;
	switch ((enum condition_family)c->family) {
	case FAMILY_STRING:
	case FAMILY_STRING_IGNORE_CASE:
	case FAMILY_BOOL:
	case FAMILY_LIKE:
	case FAMILY_ARN:
		if (!builder_pattern(&p->b, s, c->family == FAMILY_LIKE ? USE_LIKE : c->family == FAMILY_ARN
			? USE_ARN : USE_STRING,
			&v.pattern))
			return refuse(p, item->at, "%s: %.*s", p->b.why, QUOTED(s));
		break;
	case FAMILY_NUMERIC: good = value_number(s, &v.number); break;
	case FAMILY_DATE: good = value_date(s, &v.ms); break;
	case FAMILY_IP: good = value_ip(s, true, &v.ip); break;
	case FAMILY_NULL:
		good = str_ieq(s, STR("true")) || str_ieq(s, STR("false"));
		v.truth = str_ieq(s, STR("true"));
		break;
	case FAMILY_BINARY:
		good = is_ok(str_unbase64(&p->arena, s, &bytes));
		if (!good) break;
		v.bytes.text = builder_text(&p->b, bytes);
		v.bytes.n = (uint32_t)bytes.n;
		break;
	}
	if (!good) return refuse(p, item->at, "The policy failed legacy parsing: invalid condition value %.*s",
		QUOTED(s));
	buf_add(&p->b.values, &v, sizeof v);
	return OK;
}

static status add_condition(struct parser *p, struct condition c, const struct json_value *key)
{
	ptrdiff_t colon = str_chr(key->name, ':');
	if (colon <= 0 || (size_t)colon + 1 == key->name.n)
		return refuse(p, key->at, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
	struct str lower = str_lower(&p->arena, key->name);
	c.key_hash = key_hash(lower);
	c.key = builder_text(&p->b, lower);
	c.key_n = (uint32_t)lower.n;
	c.values = (uint32_t)(p->b.values.n / sizeof(struct condition_value));
	if (key->type == JSON_IS_OBJECT || key->type == JSON_IS_NULL) return refuse(p, key->at, "Syntax errors in policy.");
	for EACH(item, key) {
		TRY(add_value(p, &c, item));
		c.n_values++;
	}
	buf_add(&p->b.conditions, &c, sizeof c);
	return OK;
}

static status add_conditions(struct parser *p, const struct json_value *v, struct range *out)
{
	if (v->type != JSON_IS_OBJECT) return refuse(p, v->at, "Syntax errors in policy.");
	out->first = (uint32_t)(p->b.conditions.n / sizeof(struct condition));
	for (const struct json_value *op = v->first; op; op = op->next) {
		struct condition c;
		if (!condition_operator(op->name, &c)) return refuse(p, op->at, "Invalid Condition type : %.*s.",
			QUOTED(op->name));
		if (op->type != JSON_IS_OBJECT) return refuse(p, op->at, "Syntax errors in policy.");
		for (const struct json_value *key = op->first; key; key = key->next) {
			TRY(add_condition(p, c, key));
			out->n++;
		}
	}
	return OK;
}

/* ── statements ───────────────────────────────────────────────────────────────────────────────────────────────── */

struct elements {
	const struct json_value *sid, *effect, *principal, *not_principal, *action, *not_action, *resource, *not_resource,
		*condition;
};

static status read_elements(struct parser *p, const struct json_value *v, struct elements *e)
{
	if (v->type != JSON_IS_OBJECT) return refuse(p, v->at, "Syntax errors in policy.");
	const struct {
		const char *name;
		const struct json_value **slot;
	} known[] = {{"Sid", &e->sid}, {"Effect", &e->effect}, {"Principal", &e->principal}, {"NotPrincipal",
		&e->not_principal},
		{"Action", &e->action}, {"NotAction", &e->not_action}, {"Resource", &e->resource},
		{"NotResource", &e->not_resource}, {"Condition", &e->condition}};
	for (const struct json_value *m = v->first; m; m = m->next) {
		size_t i = 0, n = sizeof known / sizeof *known;
		while (i < n && !str_eq(m->name, str_c(known[i].name))) i++;
		if (i == n) return refuse(p, m->at, "Syntax errors in policy. Unknown field %.*s", QUOTED(m->name));
		*known[i].slot = m;
	}
	return OK;
}

static status check_elements(struct parser *p, const struct json_value *v, const struct elements *e)
{
	enum policy_type t = p->source->type;
	if (!e->effect) return refuse(p, v->at, "Missing required field Effect");
	if (e->action && e->not_action) return refuse(p, v->at, "Statement cannot contain both Action and NotAction.");
	if (!e->action && !e->not_action) return refuse(p, v->at, "Policy statement must contain actions.");
	if (e->resource && e->not_resource) return refuse(p, v->at,
		"Statement cannot contain both Resource and NotResource.");
	if (e->principal && e->not_principal) return refuse(p, v->at,
		"Statement cannot contain both Principal and NotPrincipal.");
	if (!bears_principal(t)) {
		if (e->principal || e->not_principal) return refuse(p, v->at,
			"Policy document should not specify a principal.");
		if (!e->resource && !e->not_resource) return refuse(p, v->at,
			"Policy statement must contain resources.");
		return OK;
	}
	if (t == POLICY_TRUST && (e->resource || e->not_resource)) return refuse(p, v->at,
		"Has prohibited field Resource");
	/* "You cannot use the NotPrincipal element in an IAM identity-based policy or in an IAM role trust policy." */
	if ((t == POLICY_TRUST || t == POLICY_RCP) && e->not_principal) return refuse(p, v->at,
		"Has prohibited field NotPrincipal");
	if (!e->principal && !e->not_principal) return refuse(p, v->at, "Missing required field Principal");
	return OK;
}

static status add_sid(struct parser *p, const struct json_value *v, struct statement *out)
{
	if (v->type != JSON_IS_STRING) return refuse(p, v->at, "Syntax errors in policy.");
	/* "For IAM policies, basic alphanumeric characters are the only allowed characters in the Sid value. "
		"[…] some services
	 * allow additional characters such as spaces." */
	bool iam = !bears_principal(p->source->type) || p->source->type == POLICY_TRUST;
	for (size_t i = 0; iam && i < v->text.n; i++)
		if (!name_char(v->text.p[i], false) || v->text.p[i] == '-' || v->text.p[i] == '_' ||
			v->text.p[i] == '.')
			return refuse(p, v->at,
				"Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the "
				"regular expression [0-9A-Za-z]*");
	out->sid = (struct range){builder_text(&p->b, v->text), (uint32_t)v->text.n};
	return OK;
}

static status add_statement(struct parser *p, const struct json_value *v)
{
	struct elements e = {0};
	struct statement s;
	memset(&s, 0, sizeof s);
	TRY(read_elements(p, v, &e));
	TRY(check_elements(p, v, &e));
	if (e.effect->type != JSON_IS_STRING || !(str_is(e.effect->text, "Allow") || str_is(e.effect->text, "Deny")))
		return refuse(p, e.effect->at, "Invalid effect: %.*s", QUOTED(e.effect->text.p ? e.effect->text
			: STR("")));
	s.deny = str_is(e.effect->text, "Deny");
	if (e.sid) TRY(add_sid(p, e.sid, &s));
	s.not_action = e.not_action != NULL;
	TRY(add_patterns(p, e.action ? e.action : e.not_action, true, &s.actions));
	s.not_resource = e.not_resource != NULL;
	s.has_resource = e.resource || e.not_resource;
	if (s.has_resource) TRY(add_patterns(p, e.resource ? e.resource : e.not_resource, false, &s.resources));
	s.not_principal = e.not_principal != NULL;
	s.has_principal = e.principal || e.not_principal;
	if (s.has_principal) TRY(add_principals(p, e.principal ? e.principal : e.not_principal, &s.principals));
	if (e.condition) TRY(add_conditions(p, e.condition, &s.conditions));
	buf_add(&p->b.statements, &s, sizeof s);
	return OK;
}

/* "In IAM, the Sid value must be unique within a JSON policy" ("IAM JSON policy elements: Sid"). */
static status check_sids(struct parser *p, const struct json_value *list)
{
	for EACH(s, list)
		for (const struct json_value *m = s->first; m; m = m->next) {
			if (!str_is(m->name, "Sid") || !m->text.n) continue;
			for (const struct json_value *o = next_item(list, s); o; o = o->next)
				for (const struct json_value *om = o->first; om; om = om->next)
					if (str_is(om->name, "Sid") && str_eq(om->text, m->text))
						return refuse(p, om->at,
							"Statement IDs (SID) in a single policy must be unique.");
		}
	return OK;
}

/* The second of two members of one name; NULL where there is none. Large objects are compared through a map, so that the time
 * stays linear. */
static const struct json_value *duplicate(const struct json_value *object)
{
	const struct json_value *twice = NULL;
	if (object->length <= 16) {
		for (const struct json_value *m = object->first; m; m = m->next)
			for (const struct json_value *o = m->next; o; o = o->next)
				if (str_eq(m->name, o->name)) return o;
		return NULL;
	}
	struct map seen;
	map_init(&seen);
	for (struct json_value *m = object->first; m && !twice; m = m->next)
		if (map_set(&seen, m->name, m)) twice = m;
	map_cleanup(&seen, NULL);
	return twice;
}

/* "Individual elements must not contain multiple instances of the same key." */
static status check_names(struct parser *p, const struct json_value *v)
{
	const struct json_value *twice = v->type == JSON_IS_OBJECT ? duplicate(v) : NULL;
	if (twice) return refuse(p, twice->at, "Syntax errors in policy. Duplicate field %.*s", QUOTED(twice->name));
	for (const struct json_value *m = v->first; m; m = m->next) TRY(check_names(p, m));
	return OK;
}

static status read_document(struct parser *p, const struct json_value *root)
{
	const struct json_value *statements = NULL;
	if (root->type != JSON_IS_OBJECT) return refuse(p, root->at, "Syntax errors in policy.");
	for (const struct json_value *m = root->first; m; m = m->next) {
		if (str_is(m->name, "Version")) {
			if (m->type != JSON_IS_STRING || !(str_is(m->text, "2012-10-17") || str_is(m->text, "2008-10-17")))
				return refuse(p, m->at, "The policy must contain a valid version string.");
			p->b.variables = str_is(m->text, "2012-10-17");
		} else if (str_is(m->name, "Id")) {
			/* "The id_block is allowed in resource-based policies, but not in identity-based "
				"policies"; IAM itself
			 * takes and keeps it. */
			if (m->type != JSON_IS_STRING) return refuse(p, m->at, "Syntax errors in policy.");
		} else if (str_is(m->name, "Statement")) {
			statements = m;
		} else {
			return refuse(p, m->at, "Syntax errors in policy. Unknown field %.*s", QUOTED(m->name));
		}
	}
	enum policy_type t = p->source->type;
	if ((t == POLICY_RCP || t == POLICY_SCP) && !p->b.variables)
		return refuse(p, 0, "Policy document must be version 2012-10-17 or greater.");
	if (!statements) return refuse(p, root->at, "Syntax errors in policy. Missing required field Statement");
	if (statements->type == JSON_IS_ARRAY && !statements->length) return refuse(p, statements->at,
		"Statement is empty!");
	if (statements->type != JSON_IS_ARRAY && statements->type != JSON_IS_OBJECT)
		return refuse(p, statements->at, "Syntax errors in policy.");
	if (statements->type == JSON_IS_OBJECT) return add_statement(p, statements);
	for (const struct json_value *s = statements->first; s; s = s->next) TRY(add_statement(p, s));
	return check_sids(p, statements);
}

size_t policy_size(struct str text)
{
	size_t n = 0;
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		n += !(c == ' ' || c == '\t' || c == '\n' || c == '\r') && (c & 0xC0) != 0x80;
	}
	return n;
}

static status parse(struct parser *p, struct policy **out)
{
	size_t size = policy_size(p->text);
	if (p->text.n > POLICY_TEXT_MAX || (p->source->max_size && size > p->source->max_size)) {
		refuse(p, 0, "Cannot exceed quota for PolicySize: %zu", p->source->max_size ? p->source->max_size
			: POLICY_TEXT_MAX);
		p->why->too_long = true;
		return STATUS(LIMIT);
	}
	struct json_value *root;
	if (!is_ok(json_read(&p->arena, p->text, &root))) return refuse(p, 0, "Syntax errors in policy.");
	TRY(check_names(p, root));
	builder_init(&p->b, &p->arena);
	struct str label = str_or(p->source->label, STR(""));
	struct range kept = {builder_text(&p->b, label), (uint32_t)label.n};
	TRY(read_document(p, root));
	*out = builder_finish(&p->b, p->source->type, kept);
	return OK;
}

status policy_parse(struct str text, const struct policy_source *source, struct policy **out, struct policy_error *why)
{
	struct policy_error unused;
	struct parser p = {.source = source, .why = why ? why : &unused, .text = text};
	*p.why = (struct policy_error){0};
	*out = NULL;
	arena_init(&p.arena);
	status s = parse(&p, out);
	arena_cleanup(&p.arena);
	return s;
}

struct str policy_label(const struct policy *p) { return policy_text(p, p->label.first, p->label.n); }
enum policy_type policy_type_of(const struct policy *p) { return (enum policy_type)p->type; }
size_t policy_statements(const struct policy *p) { return p->n_statements; }
size_t policy_bytes(const struct policy *p) { return p->bytes; }
