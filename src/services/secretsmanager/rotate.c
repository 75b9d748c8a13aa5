/* Rotation of the secrets that RDS manages ("Managed rotation for AWS Secrets Manager secrets", the user guide): RDS
 * made the secret, RDS sets the new password in the database and in the secret, every seven days and when it is asked
 * to. Rotation by Lambda functions is not built. */
#include "call/inside.h"
#include "rds.h"
#include "services/secretsmanager/room.h"

enum { MANAGED_DAYS = 7 };

static struct str tag(const struct sm_secret *s, struct str key)
{
	for (size_t i = 0; i < s->r.tags.n; i++)
		if (str_eq(s->r.tags.v[i].key, key)) return s->r.tags.v[i].value;
	return STR_NONE;
}

struct str sm_owner(const struct sm_secret *s)
{
	return tag(s, STR("aws:secretsmanager:owningService"));
}

status sm_refuse_managed(struct call *c, const struct sm_secret *s)
{
	struct str owner = sm_owner(s);
	if (!str_has(owner) || c->principal.kind == PRINCIPAL_SERVICE) return OK;
	return call_fail(c, SECRETSMANAGER_ERR_INVALID_REQUEST_EXCEPTION,
		"You can't perform this operation on the secret because it's managed by another service: %.*s.",
		STR_ARG(owner));
}

status sm_rotation(struct call *c, const struct sm_secret *s, struct sm_rotation *out)
{
	*out = (struct sm_rotation){.owner = sm_owner(s)};
	if (!str_has(out->owner)) return OK;
	struct secretsmanager_rec_version v;
	struct str current = sm_stage_get(s, SM_CURRENT);
	out->rules = arena_new(c->arena, struct secretsmanager_rotation_rules_type);
	out->rules->automatically_after_days = SOME_I64(MANAGED_DAYS);
	if (!str_has(current)) return OK;
	TRY(sm_version_get(c->tx, c->arena, s, current, &v));
	if (str_has(sm_stage_get(s, SM_PREVIOUS))) out->last = v.created;
	out->next = SOME_TIME(v.created.ms + MANAGED_DAYS * SM_DAY_MS);
	return OK;
}

static status find(struct call *c, struct str id, struct sm_secret *s)
{
	c->tx = store_begin(c->cloud->store, c->arena, true);
	status st = sm_find(c, id, 0, s);
	store_end(c->tx);
	c->tx = NULL;
	return st;
}

static status check(struct call *c, const struct secretsmanager_rotate_secret_input *in, const struct sm_secret *s)
{
	const struct secretsmanager_rotation_rules_type *r = in->rotation_rules;
	if (str_has(in->external_secret_rotation_role_arn) || in->external_secret_rotation_metadata.v)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Managed external secrets are not implemented.");
	if (!str_is(str_or(sm_owner(s), STR("")), "rds")) {
		if (str_has(in->rotation_lambda_arn))
			return call_fail(c, ERR_NOT_IMPLEMENTED, "Rotation by Lambda functions is not implemented.");
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_REQUEST_EXCEPTION,
			"No Lambda rotation function ARN is associated with this secret.");
	}
	if (str_has(in->rotation_lambda_arn))
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_REQUEST_EXCEPTION,
			"You can't specify a rotation function for a secret that's managed by another service.");
	if (r && (str_has(r->duration) || str_has(r->schedule_expression) ||
			 (r->automatically_after_days.has && r->automatically_after_days.v != MANAGED_DAYS)))
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "Managed rotation every seven days is the only one implemented.");
	return OK;
}

/* arn:aws:rds:REGION:ACCOUNT:db:NAME */
static struct str instance_of(const struct sm_secret *s)
{
	struct str arn = str_or(tag(s, STR("aws:rds:primaryDBInstanceArn")), STR(""));
	return str_from(arn, (size_t)(str_rchr(arn, ':') + 1));
}

status secretsmanager_rotate_secret(struct call *c, const struct secretsmanager_rotate_secret_input *in,
	struct secretsmanager_rotate_secret_output *out)
{
	struct sm_secret s;
	TRY(find(c, in->secret_id, &s));
	TRY(check(c, in, &s));
	out->arn = s.arn;
	out->name = s.name;
	if (in->rotate_immediately.has && !in->rotate_immediately.v) return OK;
	struct inside_caller who = inside_service(c->arena, s.account, s.region, STR("secretsmanager.amazonaws.com"));
	const struct rds_modify_db_instance_input change = {.db_instance_identifier = instance_of(&s),
		.rotate_master_user_password = SOME_BOOL(true),
		.apply_immediately = SOME_BOOL(true)};
	struct inside *i = inside_run(c->cloud, &who, "rds", RDS_OP_MODIFY_DB_INSTANCE, &change, NULL);
	status st = OK;
	if (!i->ok)
		st = call_fail(c, SECRETSMANAGER_ERR_INVALID_REQUEST_EXCEPTION,
			"RDS cannot rotate the secret now: %.*s", STR_ARG(i->message));
	inside_free(i);
	return st;
}
