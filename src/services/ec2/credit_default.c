/* CPU credits that burstable instances of a family are launched with where nobody says otherwise, in an account's
 * region. "Set the default credit specification for the account", the guide. */
#include "services/ec2/instance.h"

static const char *const families[] = {"t2", "t3", "t3a", "t4g"};

static struct str credits_of(const struct ec2_rec_settings *s, struct str family)
{
	for (size_t i = 0; i < s->credits.n; i++)
		if (str_eq(s->credits.v[i].key, family)) return s->credits.v[i].value;
	return str_is(family, "t2") ? STR("standard") : STR("unlimited");
}

status ec2_credits_default(struct call *c, struct str family, struct str *out)
{
	struct ec2_rec_settings s;
	TRY(ec2_settings_get(ec2_here(c), &s));
	*out = credits_of(&s, family);
	return OK;
}

static status check_family(struct call *c, struct str family)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
		if (str_eq(family, str_c(families[i]))) return OK;
	return call_fail(
		c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid value '%.*s' for InstanceFamily.", STR_ARG(family));
}

static struct ec2_instance_family_credit_specification *shown(struct call *c, struct str family, struct str credits)
{
	struct ec2_instance_family_credit_specification *out =
		arena_new(c->arena, struct ec2_instance_family_credit_specification);
	*out = (struct ec2_instance_family_credit_specification){family, credits};
	return out;
}

status ec2_get_default_credit_specification(struct call *c, const struct ec2_get_default_credit_specification_input *in,
	struct ec2_get_default_credit_specification_output *out)
{
	struct str credits;
	TRY(check_family(c, in->instance_family));
	TRY(ec2_credits_default(c, in->instance_family, &credits));
	out->instance_family_credit_specification = shown(c, in->instance_family, credits);
	return OK;
}

status ec2_modify_default_credit_specification(struct call *c,
	const struct ec2_modify_default_credit_specification_input *in,
	struct ec2_modify_default_credit_specification_output *out)
{
	struct ec2_rec_settings s;
	size_t i = 0;
	TRY(check_family(c, in->instance_family));
	if (!str_is(in->cpu_credits, "standard") && !str_is(in->cpu_credits, "unlimited"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid value '%.*s' for CpuCredits.",
			STR_ARG(in->cpu_credits));
	TRY(ec2_settings_get(ec2_here(c), &s));
	size_t capacity = s.credits.n;
	while (i < s.credits.n && !str_eq(s.credits.v[i].key, in->instance_family)) i++;
	if (i == s.credits.n) VEC_PUSH(c->arena, &s.credits, &capacity)->key = in->instance_family;
	s.credits.v[i].value = in->cpu_credits;
	ec2_settings_put(ec2_here(c), &s);
	out->instance_family_credit_specification = shown(c, in->instance_family, in->cpu_credits);
	return OK;
}
