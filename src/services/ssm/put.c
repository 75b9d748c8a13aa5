/* PutParameter: new parameters and new versions of them. */
#include "services/ssm/room.h"

static status check_data_type(struct call *c, struct str type, struct str value)
{
	if (str_empty(type) || str_is(type, "text")) return OK;
	/* "Native parameter support for Amazon Machine Image IDs", the user guide: ami-12345abcdeEXAMPLE. */
	if (str_is(type, "aws:ec2:image")) {
		if (str_starts(value, STR("ami-")) && value.n > 4) return OK;
		return call_fail(c, ERR_VALIDATION,
			"The value of a parameter of data type aws:ec2:image must be the ID of an AMI: ami-...");
	}
	return call_fail(c, ERR_VALIDATION,
		"The following data type is not supported: %.*s (Data type names are all lowercase.)", STR_ARG(type));
}

static status check_value(struct call *c, struct str value, struct str type, bool advanced)
{
	if (str_empty(value))
		return call_fail(c, ERR_VALIDATION,
			"1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member "
			"must have length greater than or equal to 1");
	if (advanced && value.n > PS_ADVANCED_BYTES)
		return call_fail(c, ERR_VALIDATION,
			"Advanced tier parameters support a maximum parameter value of %d characters.",
			PS_ADVANCED_BYTES);
	if (!advanced && value.n > PS_STANDARD_BYTES)
		return call_fail(c, ERR_VALIDATION,
			"Standard tier parameters support a maximum parameter value of %d characters. To create a "
			"larger parameter value, "
			"upgrade the parameter to use the advanced-parameter tier. For more information, see "
			"https://docs.aws.amazon.com/systems-manager/latest/userguide/"
			"parameter-store-advanced-parameters.html",
			PS_STANDARD_BYTES);
	if (str_is(type, "StringList") &&
		(str_starts(value, STR(",")) || str_ends(value, STR(",")) || str_find(value, STR(",,")) >= 0))
		return call_fail(c, ERR_VALIDATION, "Parameter value of a StringList can't have empty elements.");
	return OK;
}

static status check_pattern(struct call *c, struct str pattern, struct str value)
{
	bool matches;
	if (str_empty(pattern)) return OK;
	if (!is_ok(ps_pattern(c->arena, pattern, value, &matches)))
		return call_fail(c, SSM_ERR_INVALID_ALLOWED_PATTERN_EXCEPTION,
			"The request does not meet the regular expression requirement: %.*s is not a regular "
			"expression.",
			STR_ARG(pattern));
	if (matches) return OK;
	return call_fail(c, SSM_ERR_PARAMETER_PATTERN_MISMATCH_EXCEPTION,
		"Parameter value, cannot be validated against allowedPattern: %.*s", STR_ARG(pattern));
}

/* "Managing parameter tiers": Intelligent-Tiering takes the advanced tier where the standard one will not do. */
static status choose_tier(struct call *c, struct str asked, const struct ssm_rec_version *before, struct str value,
	bool policies, struct str *tier)
{
	bool was_advanced = before && str_is(before->tier, "Advanced");
	if (!str_has(asked)) {
		if (was_advanced)
			asked = STR("Advanced");
		else
			TRY(ps_default_tier(c, &asked));
	}
	if (str_is(asked, "Intelligent-Tiering"))
		asked = was_advanced || policies || value.n > PS_STANDARD_BYTES ? STR("Advanced") : STR("Standard");
	if (was_advanced && str_is(asked, "Standard"))
		return call_fail(c, ERR_VALIDATION,
			"This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the "
			"advanced-parameter tier to "
			"the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate "
			"it as a standard "
			"parameter. Be aware: When you recreate the parameter, you must provide a new parameter "
			"value.");
	if (policies && !str_is(asked, "Advanced"))
		return call_fail(c, ERR_VALIDATION,
			"Parameter policies are only supported for parameters of the advanced tier.");
	*tier = asked;
	return OK;
}

/* "Parameter Store does not support changing a parameter type in a hierarchy. For example, you can't change a parameter
 * from a String type to a SecureString type" (HierarchyTypeMismatchException, the reference). Plain names may change
 * theirs. */
static status check_type(struct call *c, const struct ssm_put_parameter_input *in, const struct ssm_rec_version *before)
{
	if (!before && !str_has(in->type))
		return call_fail(c, ERR_VALIDATION, "A parameter type is required when you create a parameter.");
	struct str rest = str_starts(in->name, STR("/")) ? str_from(in->name, 1) : in->name;
	if (before && str_has(in->type) && !str_eq(in->type, before->type) && str_chr(rest, '/') >= 0)
		return call_fail(c, SSM_ERR_HIERARCHY_TYPE_MISMATCH_EXCEPTION,
			"Parameter Store does not support changing a parameter type in a hierarchy. For example, you "
			"can't change a parameter "
			"from a String type to a SecureString type. You must create a new, unique parameter.");
	return OK;
}

/* "When a parameter reaches 100 versions and a new one is created, the oldest is deleted", but not one that is
 * labelled. */
static status make_room(struct call *c, struct ps_parameter *p)
{
	while (p->r.version.v - p->r.oldest.v + 1 >= PS_VERSIONS_MAX) {
		if (ps_labels_of(c->arena, p, p->r.oldest.v).n)
			return call_fail(c, SSM_ERR_PARAMETER_MAX_VERSION_LIMIT_EXCEEDED,
				"You attempted to create a new version of %.*s by calling the PutParameter API with "
				"the overwrite flag. Version %lld, "
				"the oldest version, can't be deleted because it has a label associated with it. Move "
				"the label to another version "
				"of the parameter, and try again.",
				STR_ARG(p->name), (long long)p->r.oldest.v);
		ps_version_delete(c->tx, c->arena, p, p->r.oldest.v++);
	}
	return OK;
}

static status compose(struct call *c, const struct ssm_put_parameter_input *in, const struct ssm_rec_version *before,
	struct ssm_rec_version *v)
{
	*v = (struct ssm_rec_version){.type = before ? str_or(in->type, before->type) : in->type,
		.modified = SOME_TIME(c->now_ms),
		.user = c->principal.arn,
		.description = before ? str_or(in->description, before->description) : in->description,
		.pattern = before ? str_or(in->allowed_pattern, before->pattern) : in->allowed_pattern,
		.data_type = before ? str_or(in->data_type, before->data_type) : str_or(in->data_type, STR("text"))};
	bool secure = str_is(v->type, "SecureString");
	if (str_has(in->key_id) && !secure)
		return call_fail(c, ERR_VALIDATION, "KeyId is required for SecureString type parameter only.");
	if (secure) v->key_id = str_or(in->key_id, PS_DEFAULT_KEY);
	/* "All existing policies are preserved until you send new policies or an empty policy." */
	if (str_has(in->policies))
		TRY(ps_policies_read(c, in->policies, &v->policies));
	else if (before)
		v->policies = before->policies;
	ps_policies_touch(c->arena, &v->policies, c->now_ms);
	TRY(choose_tier(c, in->tier, before, in->value, v->policies.n > 0, &v->tier));
	TRY(check_value(c, in->value, v->type, str_is(v->tier, "Advanced")));
	TRY(check_data_type(c, v->data_type, in->value));
	return check_pattern(c, v->pattern, in->value);
}

status ssm_put_parameter(struct call *c, const struct ssm_put_parameter_input *in, struct ssm_put_parameter_output *out)
{
	struct ps_parameter p;
	struct ssm_rec_version before, v;
	TRY(ps_name_check(c, in->name, true));
	status s = ps_load(c->tx, c->arena, c->account, c->region, in->name, &p);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	bool exists = is_ok(s);
	if (in->overwrite.v && in->tags.n)
		return call_fail(c, ERR_VALIDATION,
			"Invalid request: tags and overwrite can't be used together. To create a parameter with tags, "
			"please remove overwrite "
			"flag. To update tags for an existing parameter, please use AddTagsToResource or "
			"RemoveTagsFromResource.");
	if (exists && !in->overwrite.v)
		return call_fail(c, SSM_ERR_PARAMETER_ALREADY_EXISTS,
			"The parameter already exists. To overwrite this value, set the overwrite option in the "
			"request to true.");
	if (exists) TRY(ps_version_get(c->tx, c->arena, &p, p.r.version.v, &before));
	TRY(check_type(c, in, exists ? &before : NULL));
	TRY(compose(c, in, exists ? &before : NULL, &v));
	if (exists) {
		TRY(make_room(c, &p));
		p.r.version.v++;
	} else {
		p.arn = ps_arn(c->arena, c->region, c->account, in->name);
		p.r = (struct ssm_rec_parameter){
			.version = SOME_I64(1), .oldest = SOME_I64(1), .created = SOME_TIME(c->now_ms)};
		TRY(ps_tags_set(c, &p, in->tags.v, in->tags.n));
	}
	if (str_is(v.type, "SecureString"))
		TRY(ps_seal(c, &p, &v, in->value));
	else
		v.value = in->value;
	ps_version_put(c->tx, c->arena, &p, p.r.version.v, &v);
	ps_put(c->tx, c->arena, &p);
	ps_policies_schedule(c->tx, c->arena, &p, &v);
	ps_tell_change(c->cloud, c->tx, &p, v.type, exists ? STR("Update") : STR("Create"), STR_NONE);
	out->version = p.r.version;
	out->tier = v.tier;
	return OK;
}
