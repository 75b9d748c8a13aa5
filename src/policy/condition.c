/* Condition operators: which there are, and whether a statement's conditions hold ("IAM JSON policy elements: Condition
 * operators", "Creating a condition with multiple keys or values"). */
#include "policy/internal.h"

static const struct {
	const char *name;
	uint8_t family, comparison;
	bool negated;
} operators[] = {
	{"StringEquals", FAMILY_STRING, COMPARE_EQUAL, false},
	{"StringNotEquals", FAMILY_STRING, COMPARE_EQUAL, true},
	{"StringEqualsIgnoreCase", FAMILY_STRING_IGNORE_CASE, COMPARE_EQUAL, false},
	{"StringNotEqualsIgnoreCase", FAMILY_STRING_IGNORE_CASE, COMPARE_EQUAL, true},
	{"StringLike", FAMILY_LIKE, COMPARE_EQUAL, false},
	{"StringNotLike", FAMILY_LIKE, COMPARE_EQUAL, true},
	{"NumericEquals", FAMILY_NUMERIC, COMPARE_EQUAL, false},
	{"NumericNotEquals", FAMILY_NUMERIC, COMPARE_EQUAL, true},
	{"NumericLessThan", FAMILY_NUMERIC, COMPARE_LESS, false},
	{"NumericLessThanEquals", FAMILY_NUMERIC, COMPARE_LESS_EQUAL, false},
	{"NumericGreaterThan", FAMILY_NUMERIC, COMPARE_GREATER, false},
	{"NumericGreaterThanEquals", FAMILY_NUMERIC, COMPARE_GREATER_EQUAL, false},
	{"DateEquals", FAMILY_DATE, COMPARE_EQUAL, false},
	{"DateNotEquals", FAMILY_DATE, COMPARE_EQUAL, true},
	{"DateLessThan", FAMILY_DATE, COMPARE_LESS, false},
	{"DateLessThanEquals", FAMILY_DATE, COMPARE_LESS_EQUAL, false},
	{"DateGreaterThan", FAMILY_DATE, COMPARE_GREATER, false},
	{"DateGreaterThanEquals", FAMILY_DATE, COMPARE_GREATER_EQUAL, false},
	{"Bool", FAMILY_BOOL, COMPARE_EQUAL, false},
	{"BinaryEquals", FAMILY_BINARY, COMPARE_EQUAL, false},
	{"IpAddress", FAMILY_IP, COMPARE_EQUAL, false},
	{"NotIpAddress", FAMILY_IP, COMPARE_EQUAL, true},
	{"ArnEquals", FAMILY_ARN, COMPARE_EQUAL, false},
	{"ArnLike", FAMILY_ARN, COMPARE_EQUAL, false},
	{"ArnNotEquals", FAMILY_ARN, COMPARE_EQUAL, true},
	{"ArnNotLike", FAMILY_ARN, COMPARE_EQUAL, true},
	{"Null", FAMILY_NULL, COMPARE_EQUAL, false},
};

bool condition_operator(struct str name, struct condition *out)
{
	*out = (struct condition){0};
	if (str_istarts(name, STR("ForAllValues:"))) {
		out->quantifier = QUANTIFIER_ALL;
		name = str_from(name, 13);
	} else if (str_istarts(name, STR("ForAnyValue:"))) {
		out->quantifier = QUANTIFIER_ANY;
		name = str_from(name, 12);
	}
	if (name.n > 8 && str_ieq(str_from(name, name.n - 8), STR("IfExists"))) {
		out->if_exists = true;
		name.n -= 8;
	}
	for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
		if (!str_ieq(name, str_c(operators[i].name))) continue;
		out->family = operators[i].family;
		out->comparison = operators[i].comparison;
		out->negated = operators[i].negated;
		/* "You can add IfExists to the end of any condition operator name except the Null condition." */
		return out->family != FAMILY_NULL || (!out->if_exists && out->quantifier == QUANTIFIER_NONE);
	}
	return false;
}

static bool compare(int sign, uint8_t comparison)
{
	switch ((enum comparison)comparison) {
	case COMPARE_EQUAL: return sign == 0;
	case COMPARE_LESS: return sign < 0;
	case COMPARE_LESS_EQUAL: return sign <= 0;
	case COMPARE_GREATER: return sign > 0;
	case COMPARE_GREATER_EQUAL: return sign >= 0;
	}
	return false;
}

static bool text_matches(uint8_t family, struct str pattern, struct str value)
{
	switch ((enum condition_family)family) {
	case FAMILY_STRING: return str_eq(pattern, value);
	case FAMILY_STRING_IGNORE_CASE:
	case FAMILY_BOOL: return str_ieq(pattern, value);
	case FAMILY_LIKE: return glob_matches(pattern, value);
	case FAMILY_ARN: return str_starts(value, STR("arn:")) && glob_matches(pattern, value);
	case FAMILY_NUMERIC: case FAMILY_DATE: case FAMILY_BINARY: case FAMILY_IP: case FAMILY_NULL: break;
	}
	return false;
}

static bool pattern_matches(struct evaluation *e, const struct policy *p, const struct condition *c,
	const struct pattern *t, struct str value)
{
	struct str text = policy_text(p, t->text, t->n);
	if (t->kind == PATTERN_ANY) return c->family != FAMILY_ARN || str_starts(value, STR("arn:"));
	if (t->kind == PATTERN_PREFIX)
		return str_starts(value, text) && (c->family != FAMILY_ARN || str_starts(value, STR("arn:")));
	if (t->kind != PATTERN_VARIABLE) return text_matches(c->family, text, value);
	struct arena_mark mark = arena_mark(e->arena);
	struct str expanded;
	bool found = pattern_expand(e, text, &expanded) && text_matches(c->family, expanded, value);
	arena_release(e->arena, mark);
	return found;
}

/* Does one value of the request match any of the policy's? ("…evaluated using a logical OR") */
static bool value_matches(struct evaluation *e, const struct policy *p, const struct condition *c, struct str value)
{
	const struct condition_value *v = p->values + c->values;
	double number = 0;
	int64_t ms = 0;
	struct ip_range ip;
	if (c->family == FAMILY_NUMERIC && !value_number(value, &number)) return false;
	if (c->family == FAMILY_DATE && !value_date(value, &ms)) return false;
	if (c->family == FAMILY_IP && !value_ip(value, false, &ip)) return false;
	for (uint32_t i = 0; i < c->n_values; i++, v++) {
		switch ((enum condition_family)c->family) {
		case FAMILY_STRING:
		case FAMILY_STRING_IGNORE_CASE:
		case FAMILY_LIKE:
		case FAMILY_BOOL:
		case FAMILY_ARN:
			if (pattern_matches(e, p, c, &v->pattern, value)) return true;
			break;
		case FAMILY_NUMERIC:
			if (compare((number > v->number) - (number < v->number), c->comparison)) return true;
			break;
		case FAMILY_DATE:
			if (compare((ms > v->ms) - (ms < v->ms), c->comparison)) return true;
			break;
		case FAMILY_BINARY:
			if (str_eq(policy_text(p, v->bytes.text, v->bytes.n), value)) return true;
			break;
		case FAMILY_IP:
			if (value_in_range(&v->ip, &ip)) return true;
			break;
		case FAMILY_NULL: break;
		}
	}
	return false;
}

static bool null_holds(const struct policy *p, const struct condition *c, bool absent)
{
	for (uint32_t i = 0; i < c->n_values; i++)
		if (p->values[c->values + i].truth == absent) return true;
	return false;
}

static bool condition_holds(struct evaluation *e, const struct policy *p, const struct condition *c)
{
	const struct policy_key *k = evaluation_key(e, c->key_hash, policy_text(p, c->key, c->key_n));
	if (c->family == FAMILY_NULL) return null_holds(p, c, !k || k->n == 0);
	/* ForAllValues "also returns true if there are no keys in the request, or if the key values resolve to "
		"a null data
	 * set, such as an empty string"; ForAnyValue: "for no matching key or a null dataset,
		the condition returns false". */
	bool nothing = !k || k->n == 0 || (c->quantifier != QUANTIFIER_NONE && k->n == 1 && k->values[0].n == 0);
	if (nothing && c->quantifier == QUANTIFIER_ALL) return true;
	if (nothing && c->quantifier == QUANTIFIER_ANY) return c->if_exists && (!k || k->n == 0);
	/* "If the policy condition requires that the key is not matched […] and the right key is not present, "
		"the condition
	 * is true." */
	if (nothing) return c->if_exists || c->negated;
	bool all = true, any = false;
	for (size_t i = 0; i < k->n; i++) {
		bool holds = value_matches(e, p, c, k->values[i]) != c->negated;
		all = all && holds;
		any = any || holds;
	}
	if (c->quantifier == QUANTIFIER_ALL) return all;
	if (c->quantifier == QUANTIFIER_ANY) return any;
	/* A key that happens to have many values: one match is a match, and "not" means none. */
	return c->negated ? all : any;
}

bool conditions_match(struct evaluation *e, const struct policy *p, const struct statement *s)
{
	const struct condition *c = p->conditions + s->conditions.first;
	for (uint32_t i = 0; i < s->conditions.n; i++, c++)
		if (!condition_holds(e, p, c)) return false;
	return true;
}
