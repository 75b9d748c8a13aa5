/* Conditions and transforms of rules ("Condition types for listener rules", the ALB guide). What passes here is written
 * into a configuration file and compiled as a pattern there: nothing but what these checks let through. */
#include "services/elbv2/room.h"

static bool printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || (unsigned char)s.p[i] > 0x7e) return false;
	return true;
}

const struct elbv2_rec_strings *elbv2_condition_values(const struct elbv2_rec_condition *k)
{
	if (k->host_header_config) return &k->host_header_config->values;
	if (k->path_pattern_config) return &k->path_pattern_config->values;
	if (k->http_header_config) return &k->http_header_config->values;
	if (k->http_request_method_config) return &k->http_request_method_config->values;
	if (k->source_ip_config) return &k->source_ip_config->values;
	return &k->values;
}

const struct elbv2_rec_strings *elbv2_condition_regexes(const struct elbv2_rec_condition *k)
{
	if (k->host_header_config) return &k->host_header_config->regex_values;
	if (k->path_pattern_config) return &k->path_pattern_config->regex_values;
	if (k->http_header_config) return &k->http_header_config->regex_values;
	return &k->regex_values;
}

static status check_values(struct call *c, const struct elbv2_rec_condition *k, const char *allowed)
{
	const struct elbv2_rec_strings *v = elbv2_condition_values(k), *r = elbv2_condition_regexes(k);
	if (!v->n && !r->n) return call_fail(c, ERR_VALIDATION, "A condition value must be specified");
	for (size_t i = 0; i < v->n; i++) {
		struct str s = v->v[i];
		bool well = s.n && s.n <= 128 && printable(s);
		for (size_t b = 0; well && allowed && b < s.n; b++) {
			char ch = s.p[b];
			bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
			well = letter || str_chr(str_c(allowed), ch) >= 0;
		}
		if (!well && s.n > 128)
			return call_fail(c, ERR_VALIDATION,
				"Condition value '%.*s' contains too many characters. The limit is 128", STR_ARG(s));
		if (!well)
			return call_fail(c, ERR_VALIDATION,
				"Condition value '%.*s' contains a character that is not valid", STR_ARG(s));
	}
	for (size_t i = 0; i < r->n; i++) {
		struct str s = r->v[i];
		if (!s.n || s.n > 128 || !printable(s) || !elbv2_regex_legal(s))
			return call_fail(c, ERR_VALIDATION, "Condition regex value '%.*s' is not valid", STR_ARG(s));
	}
	return OK;
}

static status check_method(struct call *c, const struct elbv2_rec_strings *v)
{
	for (size_t i = 0; i < v->n; i++) {
		struct str s = v->v[i];
		bool well = s.n && s.n <= 40;
		for (size_t b = 0; well && b < s.n; b++)
			well = (s.p[b] >= 'A' && s.p[b] <= 'Z') || s.p[b] == '-' || s.p[b] == '_';
		if (!well) return call_fail(c, ERR_VALIDATION, "'%.*s' is not a valid HTTP request method", STR_ARG(s));
	}
	return v->n ? OK : call_fail(c, ERR_VALIDATION, "A condition value must be specified");
}

static status check_source(struct call *c, const struct elbv2_rec_strings *v)
{
	struct cidr block;
	for (size_t i = 0; i < v->n; i++)
		if (!is_ok(cidr_parse(v->v[i], &block)))
			return call_fail(
				c, ERR_VALIDATION, "The source IP '%.*s' is not a valid CIDR block", STR_ARG(v->v[i]));
	return v->n ? OK : call_fail(c, ERR_VALIDATION, "A condition value must be specified");
}

static status check_query(struct call *c, const struct elbv2_rec_query_patterns *q)
{
	if (!q || !q->values.n) return call_fail(c, ERR_VALIDATION, "A condition value must be specified");
	for (size_t i = 0; i < q->values.n; i++) {
		struct str key = q->values.v[i].key, value = q->values.v[i].value;
		if (!str_has(value) || !value.n || value.n > 128 || key.n > 128 || !printable(value) || !printable(key))
			return call_fail(
				c, ERR_VALIDATION, "The query string value '%.*s' is not valid", STR_ARG(value));
	}
	return OK;
}

static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];
		bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
		if (!letter && str_chr(STR("!#$%&'*+-.^_`|~"), ch) < 0) return false;
	}
	return s.n > 0 && s.n <= 40;
}

static status check_one(struct call *c, struct elbv2_rec_condition *k)
{
	struct str f = str_or(k->field, STR(""));
	bool host = str_is(f, "host-header"), path = str_is(f, "path-pattern");
	if (k->values.n && !host && !path)
		return call_fail(c, ERR_VALIDATION,
			"The 'Values' field is not supported for the condition field '%.*s'", STR_ARG(f));
	if ((k->values.n || k->regex_values.n) && (k->host_header_config || k->path_pattern_config))
		return call_fail(
			c, ERR_VALIDATION, "A condition can have either 'Values' or a configuration, not both");
	if (host) return check_values(c, k, "-.*?");
	if (path) return check_values(c, k, "_-.$/~\"'@:+&()!,;=*?");
	if (str_is(f, "http-header")) {
		if (!k->http_header_config || !is_token(str_or(k->http_header_config->http_header_name, STR(""))))
			return call_fail(
				c, ERR_VALIDATION, "An HTTP header name must be specified, of at most 40 characters");
		if (str_ieq(k->http_header_config->http_header_name, STR("host")))
			return call_fail(c, ERR_VALIDATION, "Use a host-header condition for the 'Host' header");
		return check_values(c, k, NULL);
	}
	if (str_is(f, "http-request-method")) {
		static const struct elbv2_rec_strings none;
		return check_method(c, k->http_request_method_config ? &k->http_request_method_config->values : &none);
	}
	if (str_is(f, "source-ip")) {
		static const struct elbv2_rec_strings none;
		return check_source(c, k->source_ip_config ? &k->source_ip_config->values : &none);
	}
	if (str_is(f, "query-string")) return check_query(c, k->query_string_config);
	return call_fail(c, ERR_VALIDATION,
		"Condition field '%.*s' must be one of '[http-request-method, source-ip, host-header, query-string, "
		"http-header, path-pattern]'",
		STR_ARG(f));
}

static size_t wildcards(const struct elbv2_rec_strings *v)
{
	size_t n = 0;
	for (size_t i = 0; i < v->n; i++)
		for (size_t b = 0; b < v->v[i].n; b++) n += v->v[i].p[b] == '*' || v->v[i].p[b] == '?';
	return n;
}

status elbv2_conditions_given(struct call *c, const struct elbv2_rule_condition_list *given, struct elbv2_rec_rule *r)
{
	struct elbv2_rule_condition one;
	size_t capacity = 0, values = 0, stars = 0;
	r->conditions = (struct elbv2_rec_conditions){0};
	for (size_t i = 0; i < given->n; i++) {
		struct elbv2_rec_condition *k = VEC_PUSH(c->arena, &r->conditions, &capacity);
		one = given->v[i];
		elbv2_take(c->arena, ELBV2_SHAPE_RULE_CONDITION, &one, ELBV2_REC_CONDITION, k);
		TRY(check_one(c, k));
		for (size_t e = 0; e < i; e++) {
			struct str f = k->field;
			bool once = str_is(f, "host-header") || str_is(f, "path-pattern") ||
				    str_is(f, "http-request-method") || str_is(f, "source-ip");
			if (once && str_eq(f, r->conditions.v[e].field))
				return call_fail(
					c, ERR_VALIDATION, "A rule can only have one '%.*s' condition", STR_ARG(f));
		}
		values += elbv2_condition_values(k)->n + elbv2_condition_regexes(k)->n;
		if (k->query_string_config) values += k->query_string_config->values.n;
		stars += wildcards(elbv2_condition_values(k));
	}
	if (!given->n) return call_fail(c, ERR_VALIDATION, "A condition must be specified");
	if (values > ELBV2_VALUES_PER_RULE_MAX)
		return call_fail(c, ERR_VALIDATION, "The rule has too many condition values. The limit is '%d'",
			ELBV2_VALUES_PER_RULE_MAX);
	if (stars > 6) return call_fail(c, ERR_VALIDATION, "The rule has too many wildcards. The limit is '6'");
	return OK;
}

status elbv2_transforms_given(struct call *c, const struct elbv2_rule_transform_list *given, struct elbv2_rec_rule *r)
{
	size_t capacity = 0;
	r->transforms = (struct elbv2_rec_transforms){0};
	for (size_t i = 0; i < given->n; i++) {
		struct elbv2_rec_transform *t = VEC_PUSH(c->arena, &r->transforms, &capacity);
		elbv2_take(c->arena, ELBV2_SHAPE_RULE_TRANSFORM, &given->v[i], ELBV2_REC_TRANSFORM, t);
		const struct elbv2_rec_rewrites *w =
			str_is(t->type, "url-rewrite") ? t->url_rewrite_config : t->host_header_rewrite_config;
		if (!w || w->rewrites.n != 1)
			return call_fail(c, ERR_VALIDATION, "A transform of type '%.*s' must have one rewrite",
				STR_ARG(t->type));
		const struct elbv2_rec_rewrite *rw = &w->rewrites.v[0];
		if (rw->regex.n > 1024 || !rw->regex.n || !printable(rw->regex) || !elbv2_regex_legal(rw->regex) ||
			rw->replace.n > 1024 || !printable(rw->replace))
			return call_fail(c, ERR_VALIDATION, "The rewrite '%.*s' is not valid", STR_ARG(rw->regex));
		for (size_t k = 0; k < i; k++)
			if (str_eq(t->type, r->transforms.v[k].type))
				return call_fail(c, ERR_VALIDATION, "A rule can only have one '%.*s' transform",
					STR_ARG(t->type));
	}
	return OK;
}
