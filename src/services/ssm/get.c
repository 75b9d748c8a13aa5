/* GetParameter, GetParameters and GetParameterHistory. */
#include "services/ec2/door.h"
#include "services/ssm/room.h"

static bool is_number(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9') return false;
	return s.n > 0;
}

/* The version that a selector means; ParameterVersionNotFound. */
static status choose(
	struct call *c, const struct ps_parameter *p, struct str selector, int64_t *number, struct ssm_rec_version *v)
{
	*number = p->r.version.v;
	if (str_has(selector)) {
		*number = 0;
		if (!is_number(selector))
			*number = ps_label_get(p, selector);
		else if (!is_ok(str_to_i64(selector, number)))
			*number = 0;
	}
	status s = *number > 0 ? ps_version_get(c->tx, c->arena, p, *number, v) : STATUS(NOT_FOUND);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return call_fail(c, SSM_ERR_PARAMETER_VERSION_NOT_FOUND,
		"Systems Manager could not find version %.*s of %.*s. Verify the version and try again.",
		STR_ARG(selector), STR_ARG(p->name));
}

/* "Working with public parameters", the user guide: AWS's own, of no account; those that name images. */
static bool read_public(struct call *c, struct str name, struct ssm_parameter *out)
{
	struct str value;
	if (!str_starts(name, STR("/aws/service/")) || !ec2_public_parameter(c->arena, c->region, name, &value))
		return false;
	*out = (struct ssm_parameter){.name = name,
		.type = STR("String"),
		.value = value,
		.version = SOME_I64(1),
		.last_modified_date = SOME_TIME(1793491200000), /* 2026-11-01, as its image */
		.arn = str_fmt(c->arena, "arn:%.*s:ssm:%.*s::parameter%.*s", STR_ARG(c->partition), STR_ARG(c->region),
			STR_ARG(name)),
		.data_type = STR("text")};
	return true;
}

static status read_one(struct call *c, struct str given, bool decrypt, struct ssm_parameter *out)
{
	struct ps_name n = ps_name_read(c, given);
	struct ps_parameter p;
	struct ssm_rec_version v;
	int64_t number;
	if (read_public(c, n.name, out)) return OK;
	if (!n.from_arn) TRY(ps_name_check(c, n.name, false));
	TRY(ps_find(c, &n, &p));
	TRY(choose(c, &p, n.selector, &number, &v));
	*out = (struct ssm_parameter){.name = p.name,
		.type = v.type,
		.version = SOME_I64(number),
		.selector = str_has(n.selector) ? str_cat(c->arena, STR(":"), n.selector) : STR_NONE,
		.last_modified_date = v.modified,
		.arn = p.arn,
		.data_type = v.data_type};
	return ps_value(c, &p, &v, decrypt, &out->value);
}

status ssm_get_parameter(struct call *c, const struct ssm_get_parameter_input *in, struct ssm_get_parameter_output *out)
{
	out->parameter = arena_new(c->arena, struct ssm_parameter);
	return read_one(c, in->name, in->with_decryption.v, out->parameter);
}

status ssm_get_parameters(
	struct call *c, const struct ssm_get_parameters_input *in, struct ssm_get_parameters_output *out)
{
	size_t found = 0, missing = 0;
	VEC_PRESENT(c->arena, &out->parameters);
	VEC_PRESENT(c->arena, &out->invalid_parameters);
	for (size_t i = 0; i < in->names.n; i++) {
		struct ssm_parameter p;
		bool again = false;
		for (size_t j = 0; j < i; j++) again |= str_eq(in->names.v[i], in->names.v[j]);
		if (again) continue;
		status s = read_one(c, in->names.v[i], in->with_decryption.v, &p);
		if (is_ok(s)) {
			*VEC_PUSH(c->arena, &out->parameters, &found) = p;
			continue;
		}
		if (!status_is(s, STATUS_FAILED) || (c->failure.id != SSM_ERR_PARAMETER_NOT_FOUND &&
							    c->failure.id != SSM_ERR_PARAMETER_VERSION_NOT_FOUND))
			return s;
		c->failure = (struct wire_failure){0};
		*VEC_PUSH(c->arena, &out->invalid_parameters, &missing) = in->names.v[i];
	}
	return OK;
}

status ssm_get_parameter_history(
	struct call *c, const struct ssm_get_parameter_history_input *in, struct ssm_get_parameter_history_output *out)
{
	struct ps_name n = ps_name_read(c, in->name);
	struct ps_parameter p;
	int64_t from, limit = in->max_results.has ? in->max_results.v : 50;
	size_t capacity = 0;
	if (!n.from_arn) TRY(ps_name_check(c, in->name, false));
	TRY(ps_find(c, &n, &p));
	from = p.r.oldest.v;
	if (str_has(in->next_token)) {
		struct str text;
		if (!is_ok(str_unbase64(c->arena, in->next_token, &text)) || !is_ok(str_to_i64(text, &from)) ||
			from < 1)
			return call_fail(c, SSM_ERR_INVALID_NEXT_TOKEN, "The specified token isn't valid.");
		if (from < p.r.oldest.v) from = p.r.oldest.v;
	}
	VEC_PRESENT(c->arena, &out->parameters);
	for (int64_t i = from; i <= p.r.version.v; i++) {
		struct ssm_rec_version v;
		if (i - from == limit) {
			out->next_token = str_base64(c->arena, str_fmt(c->arena, "%lld", (long long)i));
			break;
		}
		TRY(ps_version_get(c->tx, c->arena, &p, i, &v));
		struct ssm_parameter_history *h = VEC_PUSH(c->arena, &out->parameters, &capacity);
		*h = (struct ssm_parameter_history){.name = p.name,
			.type = v.type,
			.key_id = v.key_id,
			.last_modified_date = v.modified,
			.last_modified_user = v.user,
			.description = v.description,
			.allowed_pattern = v.pattern,
			.version = SOME_I64(i),
			.labels = ps_labels_of(c->arena, &p, i),
			.tier = v.tier,
			.policies = ps_policies_out(c->arena, &v.policies),
			.data_type = v.data_type};
		TRY(ps_value(c, &p, &v, in->with_decryption.v, &h->value));
	}
	return OK;
}
