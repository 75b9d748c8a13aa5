/* CreateSecret, DescribeSecret and UpdateSecret. */
#include "base/rand.h"
#include "services/secretsmanager/room.h"

static status check_name(struct call *c, struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		unsigned char b = (unsigned char)name.p[i];
		bool letter = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9');
		if (!letter && !memchr("/_+=.@!-", b, 8))
			return call_fail(c, ERR_VALIDATION,
				"Invalid name. Must be a valid name containing alphanumeric characters, or any of the "
				"following: -/_+=.@!");
	}
	return OK;
}

static status check_type(struct call *c, struct str type)
{
	if (str_empty(type)) return OK;
	return call_fail(c, ERR_NOT_IMPLEMENTED, "Managed external secrets (the Type parameter) are not implemented.");
}

/* The name is taken: the same request again is answered as before, everything else is refused. */
static status create_again(struct call *c, const struct secretsmanager_create_secret_input *in, struct sm_secret *s,
	const struct sm_value *value, bool given, struct secretsmanager_create_secret_output *out)
{
	struct secretsmanager_rec_version v;
	if (s->r.deletion.has)
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_REQUEST_EXCEPTION,
			"You can't create this secret because a secret with this name is already scheduled for "
			"deletion.");
	bool same = false;
	if (given && str_has(in->client_request_token)) {
		status st = sm_version_get(c->tx, c->arena, s, in->client_request_token, &v);
		if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
		if (is_ok(st)) {
			struct str plain;
			struct kms_refusal why;
			st = sm_value_open(c, s, in->client_request_token, &plain, &why);
			if (!is_ok(st)) return sm_decryption_failure(c, st, &why);
			same = v.binary.v == value->binary && str_eq_secret(plain, value->bytes);
			vault_wipe(plain);
		}
	}
	if (!same)
		return call_fail(c, SECRETSMANAGER_ERR_RESOURCE_EXISTS_EXCEPTION,
			"The operation failed because the secret %.*s already exists.", STR_ARG(in->name));
	out->arn = s->arn;
	out->name = s->name;
	out->version_id = in->client_request_token;
	return OK;
}

status secretsmanager_create_secret(struct call *c, const struct secretsmanager_create_secret_input *in,
	struct secretsmanager_create_secret_output *out)
{
	struct sm_secret s;
	struct sm_value value;
	bool given, existed;
	TRY(check_name(c, in->name));
	TRY(check_type(c, in->type));
	TRY(sm_value_given(c, in->secret_string, in->secret_binary, &value, &given));
	status st = sm_load(c->tx, c->arena, c->account, c->region, in->name, &s);
	if (is_ok(st)) return create_again(c, in, &s, &value, given, out);
	if (!status_is(st, STATUS_NOT_FOUND)) return st;
	s = (struct sm_secret){.account = c->account, .region = c->region, .name = in->name};
	s.r = (struct secretsmanager_rec_secret){
		.suffix = rand_text(c->arena, STR("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
			SM_SUFFIX_LENGTH),
		.description = str_empty(in->description) ? STR_NONE : in->description,
		.kms_key_id = str_empty(in->kms_key_id) ? STR_NONE : in->kms_key_id,
		.created = SOME_TIME(c->now_ms),
		.changed = SOME_TIME(c->now_ms)};
	sm_name_arn(c->arena, &s);
	TRY(sm_tags_set(c, &s, in->tags.v, in->tags.n));
	if (given) {
		TRY(sm_version_add(c, &s, in->client_request_token, &value, &existed));
		sm_stage_move(c->arena, &s, SM_CURRENT, in->client_request_token);
		out->version_id = in->client_request_token;
	}
	if (in->add_replica_regions.n)
		TRY(sm_replicas_add(c, &s, in->add_replica_regions.v, in->add_replica_regions.n,
			in->force_overwrite_replica_secret.v));
	sm_put(c->tx, c->arena, &s);
	out->arn = s.arn;
	out->name = s.name;
	if (s.r.replicas.n) out->replication_status = sm_replication_out(c, &s);
	return OK;
}

status secretsmanager_describe_secret(struct call *c, const struct secretsmanager_describe_secret_input *in,
	struct secretsmanager_describe_secret_output *out)
{
	struct sm_secret s;
	struct sm_rotation rotation;
	TRY(sm_find(c, in->secret_id, SM_DELETED_TOO | SM_REPLICA_TOO, &s));
	TRY(sm_rotation(c, &s, &rotation));
	*out = (struct secretsmanager_describe_secret_output){.arn = s.arn,
		.name = s.name,
		.description = s.r.description,
		.kms_key_id = s.r.kms_key_id,
		.last_changed_date = s.r.changed,
		.last_accessed_date = s.r.accessed,
		.deleted_date = s.r.deletion,
		.created_date = s.r.created,
		.primary_region = s.r.primary_region,
		.owning_service = rotation.owner,
		.rotation_rules = rotation.rules,
		.last_rotated_date = rotation.last,
		.next_rotation_date = rotation.next,
		.version_ids_to_stages = sm_versions_to_stages(c->arena, &s)};
	if (str_has(rotation.owner)) out->rotation_enabled = SOME_BOOL(true);
	if (s.r.tags.n) out->tags = sm_tags_out(c->arena, &s);
	if (s.r.replicas.n) out->replication_status = sm_replication_out(c, &s);
	return OK;
}

/* "If you set this to a new key, Secrets Manager re-encrypts the versions with the staging labels AWSCURRENT,
 * AWSPENDING, and AWSPREVIOUS" (UpdateSecret, the reference). */
static status change_key(struct call *c, struct sm_secret *s, struct str key)
{
	static const char *const labels[] = {"AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"};
	struct str done[3] = {STR_NONE, STR_NONE, STR_NONE};
	s->r.kms_key_id = str_empty(key) || str_eq(key, SM_DEFAULT_KEY) ? STR_NONE : key;
	for (size_t i = 0; i < 3; i++) {
		struct str id = sm_stage_get(s, str_c(labels[i])), plain;
		struct secretsmanager_rec_version v;
		struct kms_refusal why;
		if (!str_has(id) || str_eq(id, done[0]) || str_eq(id, done[1])) continue;
		done[i] = id;
		status st = sm_value_open(c, s, id, &plain, &why);
		if (!is_ok(st)) return sm_decryption_failure(c, st, &why);
		st = sm_value_seal(c, s, id, plain, &why);
		vault_wipe(plain);
		if (!is_ok(st)) return sm_encryption_failure(c, st, &why);
		TRY(sm_version_get(c->tx, c->arena, s, id, &v));
		v.kms_key_id = s->r.kms_key_id;
		sm_version_put(c->tx, c->arena, s, id, &v);
	}
	return OK;
}

status secretsmanager_update_secret(struct call *c, const struct secretsmanager_update_secret_input *in,
	struct secretsmanager_update_secret_output *out)
{
	struct sm_secret s;
	struct sm_value value;
	bool given, existed = false;
	TRY(check_type(c, in->type));
	TRY(sm_find(c, in->secret_id, 0, &s));
	TRY(sm_refuse_managed(c, &s));
	TRY(sm_value_given(c, in->secret_string, in->secret_binary, &value, &given));
	if (str_has(in->description)) s.r.description = str_empty(in->description) ? STR_NONE : in->description;
	if (str_has(in->kms_key_id)) TRY(change_key(c, &s, in->kms_key_id));
	if (given) {
		TRY(sm_version_add(c, &s, in->client_request_token, &value, &existed));
		if (!existed) sm_stage_move(c->arena, &s, SM_CURRENT, in->client_request_token);
		out->version_id = in->client_request_token;
	}
	s.r.changed = SOME_TIME(c->now_ms);
	TRY(sm_save(c, &s));
	out->arn = s.arn;
	out->name = s.name;
	return OK;
}
