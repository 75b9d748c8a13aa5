/* PutSecretValue, GetSecretValue, UpdateSecretVersionStage and ListSecretVersionIds. */
#include "services/secretsmanager/read.h"
#include "services/secretsmanager/room.h"

status secretsmanager_put_secret_value(struct call *c, const struct secretsmanager_put_secret_value_input *in,
	struct secretsmanager_put_secret_value_output *out)
{
	struct sm_secret s;
	struct sm_value value;
	bool given, existed;
	TRY(sm_find(c, in->secret_id, 0, &s));
	TRY(sm_refuse_managed(c, &s));
	TRY(sm_value_given(c, in->secret_string, in->secret_binary, &value, &given));
	if (!given)
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_REQUEST_EXCEPTION,
			"You must provide either SecretString or SecretBinary.");
	struct str id = in->client_request_token;
	bool first = !s.r.stages.n;
	TRY(sm_version_add(c, &s, id, &value, &existed));
	if (!existed) {
		for (size_t i = 0; i < in->version_stages.n; i++)
			sm_stage_move(c->arena, &s, in->version_stages.v[i], id);
		/* "If this operation creates the first version for the secret, then Secrets Manager automatically
		 * attaches the staging label AWSCURRENT to it." */
		if (first || !in->version_stages.n) sm_stage_move(c->arena, &s, SM_CURRENT, id);
		s.r.changed = SOME_TIME(c->now_ms);
		TRY(sm_save(c, &s));
	}
	out->arn = s.arn;
	out->name = s.name;
	out->version_id = id;
	out->version_stages = sm_stages_of(c->arena, &s, id);
	return OK;
}

/* Which version a request means: by id, by label, both agreeing, or AWSCURRENT. */
static status choose(struct call *c, const struct sm_secret *s, struct str id, struct str stage, struct str *version,
	struct secretsmanager_rec_version *v)
{
	struct str labelled = str_has(id) && !str_has(stage) ? id : sm_stage_get(s, str_or(stage, SM_CURRENT));
	*version = str_or(id, labelled);
	status st = str_has(*version) ? sm_version_get(c->tx, c->arena, s, *version, v) : STATUS(NOT_FOUND);
	if (status_is(st, STATUS_NOT_FOUND) && str_has(id))
		return call_fail(c, SECRETSMANAGER_ERR_RESOURCE_NOT_FOUND_EXCEPTION,
			"Secrets Manager can't find the specified secret value for VersionId: %.*s", STR_ARG(id));
	if (status_is(st, STATUS_NOT_FOUND))
		return call_fail(c, SECRETSMANAGER_ERR_RESOURCE_NOT_FOUND_EXCEPTION,
			"Secrets Manager can't find the specified secret value for staging label: %.*s",
			STR_ARG(str_or(stage, SM_CURRENT)));
	TRY(st);
	if (str_has(labelled) && str_eq(labelled, *version)) return OK;
	return call_fail(c, SECRETSMANAGER_ERR_INVALID_REQUEST_EXCEPTION,
		"You provided a VersionStage that is not associated to the provided VersionId.");
}

/* "The last date that this secret version was accessed": to the day. Only the first use of a day writes. */
static void note_access(struct call *c, struct sm_secret *s, struct str id, struct secretsmanager_rec_version *v)
{
	int64_t today = c->now_ms - c->now_ms % SM_DAY_MS;
	if (!v->accessed.has || v->accessed.ms != today) {
		v->accessed = SOME_TIME(today);
		sm_version_put(c->tx, c->arena, s, id, v);
	}
	if (!s->r.accessed.has || s->r.accessed.ms != today) {
		s->r.accessed = SOME_TIME(today);
		sm_put(c->tx, c->arena, s);
	}
}

status sm_read(struct call *c, struct sm_secret *s, struct str id, struct str stage,
	struct secretsmanager_get_secret_value_output *out)
{
	struct secretsmanager_rec_version v;
	struct str plain;
	struct kms_refusal why;
	TRY(choose(c, s, id, stage, &id, &v));
	if (!str_eq(s->account, c->account) && !str_has(v.kms_key_id))
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_REQUEST_EXCEPTION,
			"You can't access a secret from a different AWS account if you encrypt the secret with the "
			"default KMS service key.");
	status st = sm_value_open(c, s, id, &plain, &why);
	if (!is_ok(st)) return sm_decryption_failure(c, st, &why);
	note_access(c, s, id, &v);
	*out = (struct secretsmanager_get_secret_value_output){.arn = s->arn,
		.name = s->name,
		.version_id = id,
		.secret_binary = v.binary.v ? plain : STR_NONE,
		.secret_string = v.binary.v ? STR_NONE : plain,
		.version_stages = sm_stages_of(c->arena, s, id),
		.created_date = v.created};
	return OK;
}

status secretsmanager_get_secret_value(struct call *c, const struct secretsmanager_get_secret_value_input *in,
	struct secretsmanager_get_secret_value_output *out)
{
	struct sm_secret s;
	TRY(sm_find(c, in->secret_id, SM_REPLICA_TOO, &s));
	return sm_read(c, &s, in->version_id, in->version_stage, out);
}

/* ── UpdateSecretVersionStage ─────────────────────────────────────────────────────────────────────────────────── */

static status check_version(struct call *c, const struct sm_secret *s, struct str id)
{
	struct secretsmanager_rec_version v;
	if (!str_has(id)) return OK;
	status st = sm_version_get(c->tx, c->arena, s, id, &v);
	if (!status_is(st, STATUS_NOT_FOUND)) return st;
	return call_fail(c, SECRETSMANAGER_ERR_RESOURCE_NOT_FOUND_EXCEPTION,
		"Secrets Manager can't find the specified secret value for VersionId: %.*s", STR_ARG(id));
}

status secretsmanager_update_secret_version_stage(struct call *c,
	const struct secretsmanager_update_secret_version_stage_input *in,
	struct secretsmanager_update_secret_version_stage_output *out)
{
	struct sm_secret s;
	struct str stage = in->version_stage, from = in->remove_from_version_id, to = in->move_to_version_id;
	TRY(sm_find(c, in->secret_id, 0, &s));
	TRY(check_version(c, &s, from));
	TRY(check_version(c, &s, to));
	struct str held = sm_stage_get(&s, stage);
	if (!str_has(from) && !str_has(to))
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION,
			"You must specify RemoveFromVersionId, MoveToVersionId, or both.");
	if (str_eq(stage, SM_CURRENT) && !str_has(to))
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION,
			"You can only move staging label AWSCURRENT to a different secret version. It can't be "
			"completely removed.");
	/* "If the staging label is already attached to a different version of the secret, then you must also specify
	 * RemoveFromVersionId." */
	if (str_has(held) && !str_has(from) && !str_eq(held, to))
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION,
			"The parameter RemoveFromVersionId can't be empty. Staging label %.*s is currently attached to "
			"version %.*s, so you must "
			"explicitly reference that version in RemoveFromVersionId.",
			STR_ARG(stage), STR_ARG(held));
	if (str_has(from) && !str_eq(held, from))
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION,
			"The parameter RemoveFromVersionId can't be %.*s. Staging label %.*s is not attached to that "
			"version.",
			STR_ARG(from), STR_ARG(stage));
	if (str_has(to)) {
		sm_stage_move(c->arena, &s, stage, to);
		if (sm_stages_of(c->arena, &s, to).n > SM_STAGES_PER_VERSION_MAX)
			return call_fail(c, SECRETSMANAGER_ERR_LIMIT_EXCEEDED_EXCEPTION,
				"The version %.*s can't have more than %d staging labels.", STR_ARG(to),
				SM_STAGES_PER_VERSION_MAX);
	} else {
		sm_stage_drop(&s, stage);
	}
	s.r.changed = SOME_TIME(c->now_ms);
	TRY(sm_save(c, &s));
	out->arn = s.arn;
	out->name = s.name;
	return OK;
}

/* ── ListSecretVersionIds ─────────────────────────────────────────────────────────────────────────────────────── */

status secretsmanager_list_secret_version_ids(struct call *c,
	const struct secretsmanager_list_secret_version_ids_input *in,
	struct secretsmanager_list_secret_version_ids_output *out)
{
	struct sm_secret s;
	struct sm_versions all;
	TRY(sm_find(c, in->secret_id, SM_DELETED_TOO | SM_REPLICA_TOO, &s));
	TRY(sm_versions(c->tx, c->arena, &s, &all));
	size_t i = 0, limit = in->max_results.has ? (size_t)in->max_results.v : 100, capacity = 0;
	if (str_has(in->next_token)) {
		struct str last;
		bool readable = is_ok(str_unbase64(c->arena, in->next_token, &last));
		while (readable && i < all.n && !str_eq(all.v[i].id, last)) i++;
		if (!readable || i == all.n)
			return call_fail(c, SECRETSMANAGER_ERR_INVALID_NEXT_TOKEN_EXCEPTION, "Invalid Next Token.");
		i++;
	}
	VEC_PRESENT(c->arena, &out->versions);
	for (; i < all.n; i++) {
		struct secretsmanager_secret_version_stages_type stages = sm_stages_of(c->arena, &s, all.v[i].id);
		if (!stages.n && !in->include_deprecated.v) continue;
		if (out->versions.n == limit) {
			out->next_token = str_base64(c->arena, out->versions.v[limit - 1].version_id);
			break;
		}
		struct secretsmanager_secret_versions_list_entry *e = VEC_PUSH(c->arena, &out->versions, &capacity);
		size_t keys = 0;
		e->version_id = all.v[i].id;
		if (stages.n) e->version_stages = stages;
		e->created_date = all.v[i].r.created;
		e->last_accessed_date = all.v[i].r.accessed;
		*VEC_PUSH(c->arena, &e->kms_key_ids, &keys) =
			str_or(all.v[i].r.kms_key_id, STR("DefaultEncryptionKey"));
	}
	out->arn = s.arn;
	out->name = s.name;
	return OK;
}
