/* What the policy step needs to know of secrets: their full ARNs, owners, tags and resource policies; which secrets a
 * batch reads; and that who reads or writes a secret under a key of the customer's own needs that key too
 * ("Authentication and access control for AWS Secrets Manager" and "Secret encryption and decryption in AWS Secrets
 * Manager", the user guide). */
#include "base/rand.h"
#include "policy/authz.h"
#include "services/secretsmanager/room.h"

struct ask {
	struct call *c;
	struct store_tx *tx;
	struct authz_demands *demands;
	struct policy_context *context;
};

static status attach_policy(struct ask *k, struct policy_resource *r, struct str text, struct str label)
{
	struct policy *p;
	struct policy_source source = {.type = POLICY_RESOURCE, .label = label};
	/* What was stored was parsed before. */
	if (!is_ok(policy_parse(text, &source, &p, NULL))) return STATUS(CORRUPT);
	authz_attach(k->c->arena, k->demands, r, p);
	return OK;
}

static status describe(struct ask *k, struct policy_resource *r, const struct sm_secret *s)
{
	struct arena *a = k->c->arena;
	r->arn = s->arn;
	r->account = s->account;
	r->context = arena_new(a, struct policy_context);
	*r->context = POLICY_CONTEXT_IN(a);
	policy_context_set(r->context, STR("secretsmanager:SecretId"), s->arn);
	if (str_has(s->r.primary_region))
		policy_context_set(r->context, STR("secretsmanager:SecretPrimaryRegion"), s->r.primary_region);
	for (size_t i = 0; i < s->r.tags.n; i++) {
		policy_context_set_tag(r->context, STR("aws:ResourceTag/"), s->r.tags.v[i].key, s->r.tags.v[i].value);
		policy_context_set_tag(
			r->context, STR("secretsmanager:ResourceTag/"), s->r.tags.v[i].key, s->r.tags.v[i].value);
	}
	return str_has(s->r.policy) ? attach_policy(k, r, s->r.policy, s->arn) : OK;
}

/* A key of the customer's own is asked in the caller's name; alias/aws/secretsmanager lets the whole account through.
 */
static status demand_key(struct ask *k, const struct sm_secret *s, struct str reference, struct str action)
{
	if (str_empty(reference) || str_eq(reference, SM_DEFAULT_KEY)) return OK;
	struct kms_use u = kms_use_of(k->c);
	u.tx = k->tx;
	u.account = s->account;
	u.region = s->region;
	struct str arn, text;
	struct kms_refusal why;
	status st = kms_use_find(&u, reference, &arn, &why);
	if (status_is(st, STATUS_FAILED)) return OK; /* the handler says what is wrong with the key */
	TRY(st);
	struct policy_resource *r = authz_add(k->c->arena, k->demands, action, arn);
	struct str rest = arn;
	for (int i = 0; i < 4; i++) (void)str_cut(&rest, ':');
	r->account = str_cut(&rest, ':');
	r->policy_required = true;
	r->context = arena_new(k->c->arena, struct policy_context);
	*r->context = POLICY_CONTEXT_IN(k->c->arena);
	policy_context_set(r->context, STR("kms:ViaService"),
		str_fmt(k->c->arena, "secretsmanager.%.*s.amazonaws.com", STR_ARG(s->region)));
	policy_context_set(r->context, STR("kms:CallerAccount"), k->c->account);
	policy_context_set(r->context, STR("kms:EncryptionContext:SecretARN"), s->arn);
	TRY(kms_use_policy(&u, arn, &text));
	return attach_policy(k, r, text, arn);
}

static status find(struct ask *k, struct str id, struct sm_secret *s, bool *there)
{
	status st = sm_lookup(k->c, k->tx, id, s);
	*there = is_ok(st);
	return status_is(st, STATUS_NOT_FOUND) ? OK : st;
}

/* The secrets that a batch reads each need GetSecretValue. */
static status demand_value(struct ask *k, struct str id, const struct sm_secret *s)
{
	struct policy_resource *r = authz_add(k->c->arena, k->demands, STR("secretsmanager:GetSecretValue"),
		s ? s->arn
		  : str_fmt(k->c->arena, "arn:%.*s:secretsmanager:%.*s:%.*s:secret:%.*s", STR_ARG(k->c->partition),
			    STR_ARG(k->c->region), STR_ARG(k->c->account), STR_ARG(id)));
	if (!s) return OK;
	TRY(describe(k, r, s));
	return demand_key(k, s, s->r.kms_key_id, STR("kms:Decrypt"));
}

static status demand_batch(struct ask *k, const struct secretsmanager_batch_get_secret_value_input *in)
{
	for (size_t i = 0; i < in->secret_id_list.n; i++) {
		struct sm_secret s;
		bool there;
		TRY(find(k, in->secret_id_list.v[i], &s, &there));
		TRY(demand_value(k, in->secret_id_list.v[i], there ? &s : NULL));
	}
	if (!in->filters.n) return OK;
	struct sm_secrets page;
	struct str next;
	struct sm_query q = {.filters = &in->filters,
		.sort_by = STR("created-date"),
		.order = STR("desc"),
		.token = in->next_token,
		.limit = in->max_results.has ? (size_t)in->max_results.v : 20};
	authz_add(k->c->arena, k->demands, STR("secretsmanager:ListSecrets"), STR("*"));
	TRY(sm_select(k->c, k->tx, &q, &page, &next));
	for (size_t i = 0; i < page.n; i++) TRY(demand_value(k, page.v[i].name, &page.v[i]));
	return OK;
}

/* A secret that is not there yet has an ARN with characters that nobody knows. */
static struct str future_arn(struct ask *k, struct str name)
{
	return str_fmt(k->c->arena, "arn:%.*s:secretsmanager:%.*s:%.*s:secret:%.*s-%.*s", STR_ARG(k->c->partition),
		STR_ARG(k->c->region), STR_ARG(k->c->account), STR_ARG(name),
		STR_ARG(rand_text(k->c->arena, STR("abcdefghijklmnopqrstuvwxyz"), SM_SUFFIX_LENGTH)));
}

static status demand_create(
	struct ask *k, const struct secretsmanager_create_secret_input *in, struct policy_resource *r)
{
	struct sm_secret s = {.account = k->c->account, .region = k->c->region, .name = in->name};
	r->arn = s.arn = future_arn(k, in->name);
	policy_context_set(k->context, STR("secretsmanager:Name"), in->name);
	if (str_has(in->description))
		policy_context_set(k->context, STR("secretsmanager:Description"), in->description);
	if (str_has(in->kms_key_id)) policy_context_set(k->context, STR("secretsmanager:KmsKeyId"), in->kms_key_id);
	if (!str_has(in->secret_string) && !str_has(in->secret_binary)) return OK;
	TRY(demand_key(k, &s, in->kms_key_id, STR("kms:GenerateDataKey")));
	return demand_key(k, &s, in->kms_key_id, STR("kms:Decrypt"));
}

static status demand_keys(struct ask *k, const void *in, const struct sm_secret *s)
{
	const struct secretsmanager_update_secret_input *update = in;
	const struct secretsmanager_get_secret_value_input *get = in;
	switch (k->c->match.op_index) {
	case SECRETSMANAGER_OP_GET_SECRET_VALUE:
		if (str_has(get->version_id))
			policy_context_set(k->context, STR("secretsmanager:VersionId"), get->version_id);
		policy_context_set(
			k->context, STR("secretsmanager:VersionStage"), str_or(get->version_stage, SM_CURRENT));
		return demand_key(k, s, s->r.kms_key_id, STR("kms:Decrypt"));
	case SECRETSMANAGER_OP_PUT_SECRET_VALUE:
		TRY(demand_key(k, s, s->r.kms_key_id, STR("kms:GenerateDataKey")));
		return demand_key(k, s, s->r.kms_key_id, STR("kms:Decrypt"));
	case SECRETSMANAGER_OP_UPDATE_SECRET:
		if (str_has(update->description))
			policy_context_set(k->context, STR("secretsmanager:Description"), update->description);
		if (str_has(update->kms_key_id))
			policy_context_set(k->context, STR("secretsmanager:KmsKeyId"), update->kms_key_id);
		if (str_has(update->kms_key_id)) TRY(demand_key(k, s, update->kms_key_id, STR("kms:GenerateDataKey")));
		if (!str_has(update->secret_string) && !str_has(update->secret_binary) && !str_has(update->kms_key_id))
			return OK;
		TRY(demand_key(k, s, s->r.kms_key_id, STR("kms:GenerateDataKey")));
		return demand_key(k, s, s->r.kms_key_id, STR("kms:Decrypt"));
	default:
		return OK;
	}
}

static void describe_request(struct ask *k, const void *in)
{
	const struct secretsmanager_delete_secret_input *del = in;
	const struct secretsmanager_put_resource_policy_input *put = in;
	const struct secretsmanager_update_secret_version_stage_input *stage = in;
	switch (k->c->match.op_index) {
	case SECRETSMANAGER_OP_DELETE_SECRET:
		policy_context_set_bool(k->context, STR("secretsmanager:ForceDeleteWithoutRecovery"),
			del->force_delete_without_recovery.v);
		if (del->recovery_window_in_days.has)
			policy_context_set_i64(
				k->context, STR("secretsmanager:RecoveryWindowInDays"), del->recovery_window_in_days.v);
		break;
	case SECRETSMANAGER_OP_PUT_RESOURCE_POLICY:
		policy_context_set_bool(
			k->context, STR("secretsmanager:BlockPublicPolicy"), put->block_public_policy.v);
		break;
	case SECRETSMANAGER_OP_UPDATE_SECRET_VERSION_STAGE:
		policy_context_set(k->context, STR("secretsmanager:VersionStage"), stage->version_stage);
		break;
	default:
		break;
	}
}

status sm_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	struct ask k = {c, tx, demands, context};
	if (c->principal.kind == PRINCIPAL_ANONYMOUS)
		return call_fail(c, ERR_MISSING_AUTHENTICATION, "Request is missing Authentication Token");
	if (!tx || !in) return OK;
	if (c->match.op_index == SECRETSMANAGER_OP_BATCH_GET_SECRET_VALUE) return demand_batch(&k, in);
	struct policy_resource *r = demands->n && demands->v[0].n ? &demands->v[0].resources[0] : NULL;
	if (!r || str_is(r->arn, "*")) return OK;
	if (c->match.op_index == SECRETSMANAGER_OP_CREATE_SECRET) return demand_create(&k, in, r);
	/* arn:...:secret:NAME, or what the client gave as an ARN. */
	struct str id = r->arn, rest = r->arn;
	for (int i = 0; i < 4; i++) (void)str_cut(&rest, ':');
	if (str_has(rest) && str_eq(str_cut(&rest, ':'), c->account)) {
		(void)str_cut(&rest, ':');
		struct sm_secret by_name;
		bool named;
		if (str_has(rest)) TRY(find(&k, rest, &by_name, &named));
		if (str_has(rest) && named) id = rest;
	}
	struct sm_secret s;
	bool there;
	TRY(find(&k, id, &s, &there));
	describe_request(&k, in);
	if (!there) return OK;
	TRY(describe(&k, r, &s));
	return demand_keys(&k, in, &s);
}
