/* Service settings, of which only one acts here: the tier that PutParameter takes where none is given ("Specifying a
 * default parameter tier", the user guide). */
#include "services/ssm/room.h"

#define DEFAULT_TIER "/ssm/parameter-store/default-parameter-tier"

static struct str setting_key(struct call *c)
{
	struct key k = key_for(c->arena, STR("ssm"), STR("setting"), c->account, c->region);
	key_str(&k, STR(DEFAULT_TIER));
	return key_done(&k);
}

static status load(struct call *c, struct ssm_rec_setting *out, bool *set)
{
	struct str bytes;
	*out = (struct ssm_rec_setting){0};
	status s = store_get(c->tx, setting_key(c), &bytes);
	*set = is_ok(s);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	return ssm_rec_setting_decode(c->arena, bytes, out);
}

status ps_default_tier(struct call *c, struct str *tier)
{
	struct ssm_rec_setting r;
	bool set;
	TRY(load(c, &r, &set));
	*tier = set ? r.value : STR("Standard");
	return OK;
}

/* By its path or ARN. */
static status check_id(struct call *c, struct str id)
{
	struct str arn = call_arn(c, STR("ssm"), "servicesetting%s", DEFAULT_TIER);
	if (str_is(id, DEFAULT_TIER) || str_eq(id, arn)) return OK;
	return call_fail(c, ERR_NOT_IMPLEMENTED,
		"The service setting %.*s is not implemented: only %s has an effect here.", STR_ARG(id), DEFAULT_TIER);
}

static struct ssm_service_setting *describe(struct call *c, const struct ssm_rec_setting *r, bool set)
{
	struct ssm_service_setting *s = arena_new(c->arena, struct ssm_service_setting);
	s->setting_id = STR(DEFAULT_TIER);
	s->setting_value = set ? r->value : STR("Standard");
	s->arn = call_arn(c, STR("ssm"), "servicesetting%s", DEFAULT_TIER);
	s->status = set ? STR("Customized") : STR("Default");
	s->last_modified_date = r->modified;
	s->last_modified_user = set ? r->user : STR("System");
	return s;
}

status ssm_get_service_setting(
	struct call *c, const struct ssm_get_service_setting_input *in, struct ssm_get_service_setting_output *out)
{
	struct ssm_rec_setting r;
	bool set;
	TRY(check_id(c, in->setting_id));
	TRY(load(c, &r, &set));
	out->service_setting = describe(c, &r, set);
	return OK;
}

status ssm_update_service_setting(struct call *c, const struct ssm_update_service_setting_input *in,
	struct ssm_update_service_setting_output *out)
{
	(void)out;
	TRY(check_id(c, in->setting_id));
	if (!str_is(in->setting_value, "Standard") && !str_is(in->setting_value, "Advanced") &&
		!str_is(in->setting_value, "Intelligent-Tiering"))
		return call_fail(c, ERR_VALIDATION,
			"The setting value %.*s is not valid. Valid values include: [Standard, Advanced, "
			"Intelligent-Tiering]",
			STR_ARG(in->setting_value));
	struct ssm_rec_setting r = {in->setting_value, SOME_TIME(c->now_ms), c->principal.arn};
	store_put(c->tx, setting_key(c), ssm_rec_setting_encode(c->arena, &r));
	return OK;
}

status ssm_reset_service_setting(
	struct call *c, const struct ssm_reset_service_setting_input *in, struct ssm_reset_service_setting_output *out)
{
	struct ssm_rec_setting none = {0};
	TRY(check_id(c, in->setting_id));
	store_delete(c->tx, setting_key(c));
	out->service_setting = describe(c, &none, false);
	return OK;
}
