/* Parameters: types, constraints, defaults, values from Parameter Store ("CloudFormation template Parameters syntax").
 */
#include "base/vec.h"
#include "services/cloudformation/internal.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct reading {
	struct cloud *cloud;
	const struct inside_caller *who;
	struct arena *a;
	struct str *why;
};

static status refuse(struct reading *r, struct str message)
{
	*r->why = message;
	return STATUS(INVALID);
}

static struct str text(const struct json_value *p, const char *name)
{
	return json_scalar(json_member(p, str_c(name)));
}

static bool is_list_type(struct str type)
{
	return str_is(type, "CommaDelimitedList") || str_starts(type, STR("List<"));
}

/* AWS::SSM::Parameter::Value<T> gives T. */
static struct str ssm_inner(struct str type)
{
	struct str head = STR("AWS::SSM::Parameter::Value<");
	return str_starts(type, head) ? str_sub(type, head.n, type.n - head.n - 1) : STR_NONE;
}

static bool known_type(struct str type)
{
	static const char *const all[] = {"String", "Number", "CommaDelimitedList", "List<Number>", "List<String>",
		"AWS::EC2::AvailabilityZone::Name", "AWS::EC2::Image::Id", "AWS::EC2::Instance::Id",
		"AWS::EC2::KeyPair::KeyName", "AWS::EC2::SecurityGroup::GroupName", "AWS::EC2::SecurityGroup::Id",
		"AWS::EC2::Subnet::Id", "AWS::EC2::Volume::Id", "AWS::EC2::VPC::Id", "AWS::Route53::HostedZone::Id",
		"AWS::SSM::Parameter::Name"};
	struct str inner = ssm_inner(type);
	if (str_has(inner)) return known_type(inner);
	if (str_starts(type, STR("List<")) && str_ends(type, STR(">"))) type = str_sub(type, 5, type.n - 6);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (str_eq(type, str_c(all[i]))) return true;
	return false;
}

/* A template's pattern is not ours: its matching is bounded. */
static bool matches(struct reading *r, struct str pattern, struct str value, bool *good)
{
	int error;
	size_t at;
	pcre2_code *code = pcre2_compile(
		(PCRE2_SPTR)pattern.p, pattern.n, PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED, &error, &at, NULL);
	(void)r;
	*good = code;
	if (!code) return false;
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_set_match_limit(limits, 1000000);
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	int n = pcre2_match(code, (PCRE2_SPTR)value.p, value.n, 0, 0, data, limits);
	pcre2_match_data_free(data);
	pcre2_match_context_free(limits);
	pcre2_code_free(code);
	return n >= 0;
}

/* One value (a list's element) against the constraints. */
static status check_one(struct reading *r, const struct json_value *p, bool number, struct str value)
{
	struct arena *a = r->a;
	struct str said = text(p, "ConstraintDescription"), limit;
	double v = 0, bound;
	int64_t n;
	const char *complaint = NULL;
	struct str detail = STR("");
	if (number && !is_ok(str_to_f64(value, &v)))
		return refuse(r, str_fmt(a, "Parameter '%.*s' must be a number.", STR_ARG(p->name)));
	const struct json_value *allowed = json_member(p, STR("AllowedValues"));
	if (json_is(allowed, JSON_IS_ARRAY)) {
		bool found = false;
		for (const struct json_value *c = allowed->first; c; c = c->next)
			found |= str_eq(str_or(json_scalar(c), STR("")), value);
		if (!found) complaint = "must be one of AllowedValues";
	}
	struct str pattern = text(p, "AllowedPattern");
	bool good = true;
	if (!complaint && str_has(pattern) && !matches(r, pattern, value, &good)) {
		if (!good)
			return refuse(r, str_fmt(a,
						 "Template format error: AllowedPattern of parameter %.*s is no valid "
						 "regular expression.",
						 STR_ARG(p->name)));
		complaint = "must match pattern ";
		detail = pattern;
	}
	if (!complaint && str_has(limit = text(p, "MinLength")) && is_ok(str_to_i64(limit, &n)) &&
		(int64_t)str_utf8_length(value) < n)
		complaint = "must contain at least ", detail = str_fmt(a, "%.*s characters", STR_ARG(limit));
	if (!complaint && str_has(limit = text(p, "MaxLength")) && is_ok(str_to_i64(limit, &n)) &&
		(int64_t)str_utf8_length(value) > n)
		complaint = "must contain at most ", detail = str_fmt(a, "%.*s characters", STR_ARG(limit));
	if (!complaint && number && str_has(limit = text(p, "MinValue")) && is_ok(str_to_f64(limit, &bound)) &&
		v < bound)
		complaint = "must be a number not less than ", detail = limit;
	if (!complaint && number && str_has(limit = text(p, "MaxValue")) && is_ok(str_to_f64(limit, &bound)) &&
		v > bound)
		complaint = "must be a number not greater than ", detail = limit;
	if (!complaint) return OK;
	if (str_has(said))
		return refuse(r, str_fmt(a, "Parameter %.*s failed to satisfy constraint: %.*s", STR_ARG(p->name),
					 STR_ARG(said)));
	return refuse(r, str_fmt(a, "Parameter '%.*s' %s%.*s", STR_ARG(p->name), complaint, STR_ARG(detail)));
}

static status check(struct reading *r, const struct json_value *p, struct str type, struct str value)
{
	bool number = str_is(type, "Number") || str_is(type, "List<Number>");
	if (!is_list_type(type)) return check_one(r, p, number, value);
	for (struct str rest = value; str_has(rest) && value.n;) {
		struct str one = str_trim(str_cut(&rest, ','));
		TRY(check_one(r, p, number, one));
	}
	return OK;
}

static status look_up(struct reading *r, const struct json_value *p, struct str name, struct str *value)
{
	struct cfn_api_answer answer;
	struct json_value *in = cfn_one(r->a, "Name", name);
	cfn_api(r->cloud, r->who, r->a, "ssm", "GetParameter", in, &answer);
	if (!answer.ok && str_is(answer.code, "ParameterNotFound"))
		return refuse(
			r, str_fmt(r->a, "Unable to fetch parameters [%.*s] from parameter store for this account.",
				   STR_ARG(name)));
	if (!answer.ok)
		return refuse(r, str_fmt(r->a, "Parameter '%.*s': %.*s", STR_ARG(p->name), STR_ARG(answer.message)));
	if (str_is(str_or(cfn_at(answer.out, "Parameter.Type"), STR("")), "SecureString"))
		return refuse(r,
			str_fmt(r->a,
				"Parameters [%.*s] referenced by template have types not supported by CloudFormation.",
				STR_ARG(name)));
	*value = cfn_at(answer.out, "Parameter.Value");
	return OK;
}

static const struct cloudformation_rec_parameter *find(const struct cloudformation_rec_parameters *all, struct str key)
{
	for (size_t i = 0; all && i < all->n; i++)
		if (str_eq(all->v[i].key, key)) return &all->v[i];
	return NULL;
}

static status one(struct reading *r, const struct json_value *p, const struct cfn_given *given, size_t n,
	const struct cloudformation_rec_parameters *before, struct cloudformation_rec_parameter *out, bool *missing)
{
	struct str type = text(p, "Type"), value = text(p, "Default"), inner;
	if (!known_type(type))
		return refuse(
			r, str_fmt(r->a, "Template format error: Unrecognized parameter type: %.*s", STR_ARG(type)));
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(given[i].key, p->name)) continue;
		const struct cloudformation_rec_parameter *old = find(before, p->name);
		if (given[i].use_previous && !old)
			return refuse(r, str_fmt(r->a,
						 "Invalid input for parameter key %.*s. Cannot specify "
						 "usePreviousValue as true for a parameter key not in "
						 "the previous template",
						 STR_ARG(p->name)));
		value = given[i].use_previous ? old->value : str_or(given[i].value, STR(""));
	}
	*missing = !str_has(value);
	if (*missing) return OK;
	inner = ssm_inner(type);
	*out = (struct cloudformation_rec_parameter){.key = p->name,
		.value = value,
		.resolved = value,
		.no_echo = SOME_BOOL(str_is(str_or(text(p, "NoEcho"), STR("")), "true"))};
	if (str_has(inner)) {
		TRY(look_up(r, p, value, &out->resolved));
		return check(r, p, inner, out->resolved);
	}
	return check(r, p, type, value);
}

static void add_name(struct buf *b, struct str name)
{
	if (b->n) buf_lit(b, ", ");
	buf_str(b, name);
}

status cfn_parameters_read(struct cloud *cloud, const struct inside_caller *who, struct arena *a,
	const struct cfn_template *t, const struct cfn_given *given, size_t n,
	const struct cloudformation_rec_parameters *before, struct cloudformation_rec_parameters *out, struct str *why)
{
	struct reading r = {cloud, who, a, why};
	struct buf unknown = BUF_IN(a), missing = BUF_IN(a);
	size_t capacity = 0;
	*out = (struct cloudformation_rec_parameters){0};
	for (size_t i = 0; i < n; i++) {
		if (!json_member(t->parameters, given[i].key)) add_name(&unknown, given[i].key);
		for (size_t k = 0; k < i; k++)
			if (str_eq(given[i].key, given[k].key))
				return refuse(
					&r, str_fmt(a, "Parameter key %.*s is specified twice", STR_ARG(given[i].key)));
	}
	if (unknown.n)
		return refuse(
			&r, str_fmt(a, "Parameters: [%.*s] do not exist in the template", STR_ARG(buf_done(&unknown))));
	for (const struct json_value *p = t->parameters ? t->parameters->first : NULL; p; p = p->next) {
		struct cloudformation_rec_parameter value;
		bool absent = false;
		TRY(one(&r, p, given, n, before, &value, &absent));
		if (absent)
			add_name(&missing, p->name);
		else
			*VEC_PUSH(a, out, &capacity) = value;
	}
	if (missing.n)
		return refuse(&r, str_fmt(a, "Parameters: [%.*s] must have values", STR_ARG(buf_done(&missing))));
	return OK;
}

const struct json_value *cfn_parameters_values(
	struct arena *a, const struct cfn_template *t, const struct cloudformation_rec_parameters *p)
{
	struct json_value *all = cfn_object(a);
	for (size_t i = 0; i < p->n; i++) {
		const struct json_value *declared = json_member(t->parameters, p->v[i].key);
		struct str type = declared ? text(declared, "Type") : STR("String"), inner = ssm_inner(type);
		struct str value = str_or(p->v[i].resolved, p->v[i].value);
		if (str_has(inner)) type = inner;
		if (!is_list_type(type)) {
			struct json_value *v = cfn_text(a, value);
			if (str_is(type, "Number")) v->type = JSON_IS_NUMBER;
			cfn_append(all, p->v[i].key, v);
			continue;
		}
		struct json_value *list = cfn_list(a);
		for (struct str rest = value; str_has(rest) && value.n;)
			cfn_append(list, STR_NONE, cfn_text(a, str_trim(str_cut(&rest, ','))));
		cfn_append(all, p->v[i].key, list);
	}
	return all;
}
