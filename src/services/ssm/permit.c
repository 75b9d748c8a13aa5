/* What the policy step needs to know of parameters: their ARNs (without selectors), their tags; and that who reads or
 * writes a SecureString under a key of the customer's own needs that key too ("Restricting access to Parameter Store
 * parameters using IAM policies", the user guide). */
#include "policy/authz.h"
#include "services/ssm/room.h"

struct ask {
	struct call *c;
	struct store_tx *tx;
	struct authz_demands *demands;
	struct policy_context *context;
};

/* The key's own policy counts; alias/aws/ssm lets the whole account through. */
static status demand_key(struct ask *k, struct str reference, struct str action, struct str parameter_arn)
{
	if (!str_has(reference) || str_eq(reference, PS_DEFAULT_KEY)) return OK;
	struct kms_use u = kms_use_of(k->c);
	u.tx = k->tx;
	struct str arn, text;
	struct kms_refusal why;
	struct policy *p;
	status st = kms_use_find(&u, reference, &arn, &why);
	if (status_is(st, STATUS_FAILED)) return OK; /* the handler says what is wrong with the key */
	TRY(st);
	TRY(kms_use_policy(&u, arn, &text));
	struct policy_resource *r = authz_add(k->c->arena, k->demands, action, arn);
	struct str rest = arn;
	for (int i = 0; i < 4; i++) (void)str_cut(&rest, ':');
	r->account = str_cut(&rest, ':');
	r->policy_required = true;
	r->context = arena_new(k->c->arena, struct policy_context);
	*r->context = POLICY_CONTEXT_IN(k->c->arena);
	policy_context_set(r->context, STR("kms:ViaService"),
		str_fmt(k->c->arena, "ssm.%.*s.amazonaws.com", STR_ARG(k->c->region)));
	policy_context_set(r->context, STR("kms:CallerAccount"), k->c->account);
	policy_context_set(r->context, STR("kms:EncryptionContext:PARAMETER_ARN"), parameter_arn);
	struct policy_source source = {.type = POLICY_RESOURCE, .label = arn};
	if (!is_ok(policy_parse(text, &source, &p, NULL))) return STATUS(CORRUPT);
	authz_attach(k->c->arena, k->demands, r, p);
	return OK;
}

static void describe(struct ask *k, struct policy_resource *r, const struct ps_parameter *p)
{
	r->context = arena_new(k->c->arena, struct policy_context);
	*r->context = POLICY_CONTEXT_IN(k->c->arena);
	for (size_t i = 0; i < p->r.tags.n; i++) {
		policy_context_set_tag(r->context, STR("aws:ResourceTag/"), p->r.tags.v[i].key, p->r.tags.v[i].value);
		policy_context_set_tag(r->context, STR("ssm:resourceTag/"), p->r.tags.v[i].key, p->r.tags.v[i].value);
	}
}

/* One parameter that the action has to be allowed on; with decrypt also the key of the version that is read. */
static status demand_parameter(struct ask *k, struct str action, struct str given, bool decrypt)
{
	struct call *c = k->c;
	struct ps_name n = ps_name_read(c, given);
	struct ps_parameter p;
	status st = ps_lookup(c, k->tx, &n, &p);
	if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
	struct policy_resource *r = authz_add(
		c->arena, k->demands, action, n.foreign ? given : ps_arn(c->arena, c->region, c->account, n.name));
	r->account = c->account;
	if (!is_ok(st)) return OK;
	describe(k, r, &p);
	if (!decrypt) return OK;
	/* A selector may name any of them: the keys of all versions are few, but only those that differ are asked. */
	struct str asked = STR_NONE;
	for (int64_t i = str_has(n.selector) ? p.r.oldest.v : p.r.version.v; i <= p.r.version.v; i++) {
		struct ssm_rec_version v;
		TRY(ps_version_get(k->tx, c->arena, &p, i, &v));
		if (!str_has(v.key_id) || (str_has(asked) && str_eq(asked, v.key_id))) continue;
		asked = v.key_id;
		TRY(demand_key(k, v.key_id, STR("kms:Decrypt"), p.arn));
	}
	return OK;
}

static status demand_put(struct ask *k, const struct ssm_put_parameter_input *in)
{
	struct call *c = k->c;
	TRY(demand_parameter(k, STR("ssm:PutParameter"), in->name, false));
	policy_context_set_bool(k->context, STR("ssm:Overwrite"), in->overwrite.v);
	if (in->tags.n) TRY(demand_parameter(k, STR("ssm:AddTagsToResource"), in->name, false));
	if (!str_has(in->key_id)) return OK;
	struct str arn = ps_arn(c->arena, c->region, c->account, in->name);
	bool large = str_is(in->tier, "Advanced") || in->value.n > PS_STANDARD_BYTES;
	struct ps_parameter p;
	struct ssm_rec_version v;
	status st = ps_load(k->tx, c->arena, c->account, c->region, in->name, &p);
	if (is_ok(st)) st = ps_version_get(k->tx, c->arena, &p, p.r.version.v, &v);
	if (is_ok(st))
		large |= str_is(v.tier, "Advanced");
	else if (!status_is(st, STATUS_NOT_FOUND))
		return st;
	return demand_key(k, in->key_id, large ? STR("kms:GenerateDataKey") : STR("kms:Encrypt"), arn);
}

static status demand_path(struct ask *k, const struct ssm_get_parameters_by_path_input *in)
{
	struct call *c = k->c;
	struct ps_matches page;
	struct str next, asked = STR_NONE;
	struct ps_query q = {.filters = &in->parameter_filters,
		.path = in->path,
		.recursive = in->recursive.v,
		.token = in->next_token,
		.limit = in->max_results.has ? (size_t)in->max_results.v : 10};
	struct str path = str_ends(in->path, STR("/")) ? str_sub(in->path, 0, in->path.n - 1) : in->path;
	struct policy_resource *r = authz_add(
		c->arena, k->demands, STR("ssm:GetParametersByPath"), ps_arn(c->arena, c->region, c->account, path));
	r->account = c->account;
	policy_context_set_bool(k->context, STR("ssm:Recursive"), in->recursive.v);
	if (!in->with_decryption.v) return OK;
	TRY(ps_path_check(c, in->path));
	TRY(ps_filters_check(c, &in->parameter_filters, true));
	TRY(ps_select(c, k->tx, &q, &page, &next));
	for (size_t i = 0; i < page.n; i++) {
		struct str key = page.v[i].v.key_id;
		if (!str_has(key) || (str_has(asked) && str_eq(asked, key))) continue;
		asked = key;
		TRY(demand_key(k, key, STR("kms:Decrypt"), page.v[i].p.arn));
	}
	return OK;
}

static status demand_tags(struct ask *k, struct str action, struct str type, struct str id)
{
	if (!str_is(type, "Parameter")) return OK;
	k->demands->n = 0;
	return demand_parameter(k, action, id, false);
}

status ps_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	struct ask k = {c, tx, demands, context};
	if (c->principal.kind == PRINCIPAL_ANONYMOUS)
		return call_fail(c, ERR_MISSING_AUTHENTICATION, "Request is missing Authentication Token");
	if (!tx || !in) return OK;
	const struct ssm_get_parameter_input *get = in;
	const struct ssm_get_parameters_input *many = in;
	const struct ssm_delete_parameters_input *gone = in;
	const struct ssm_add_tags_to_resource_input *tagged = in;
	const struct ssm_remove_tags_from_resource_input *untagged = in;
	const struct ssm_list_tags_for_resource_input *listed = in;
	switch (c->match.op_index) {
	case SSM_OP_PUT_PARAMETER:
		demands->n = 0;
		return demand_put(&k, in);
	case SSM_OP_GET_PARAMETER:
		demands->n = 0;
		return demand_parameter(&k, STR("ssm:GetParameter"), get->name, get->with_decryption.v);
	case SSM_OP_GET_PARAMETERS:
		demands->n = 0;
		for (size_t i = 0; i < many->names.n; i++)
			TRY(demand_parameter(&k, STR("ssm:GetParameters"), many->names.v[i], many->with_decryption.v));
		return OK;
	case SSM_OP_GET_PARAMETERS_BY_PATH:
		demands->n = 0;
		return demand_path(&k, in);
	case SSM_OP_GET_PARAMETER_HISTORY: {
		const struct ssm_get_parameter_history_input *history = in;
		demands->n = 0;
		TRY(demand_parameter(&k, STR("ssm:GetParameterHistory"), history->name, false));
		if (!history->with_decryption.v) return OK;
		demands->n = 0;
		/* Each version's key: as if any of them were selected. */
		return demand_parameter(
			&k, STR("ssm:GetParameterHistory"), str_cat(c->arena, history->name, STR(":1")), true);
	}
	case SSM_OP_DELETE_PARAMETER:
		demands->n = 0;
		return demand_parameter(
			&k, STR("ssm:DeleteParameter"), ((const struct ssm_delete_parameter_input *)in)->name, false);
	case SSM_OP_DELETE_PARAMETERS:
		demands->n = 0;
		for (size_t i = 0; i < gone->names.n; i++)
			TRY(demand_parameter(&k, STR("ssm:DeleteParameters"), gone->names.v[i], false));
		return OK;
	case SSM_OP_LABEL_PARAMETER_VERSION:
		demands->n = 0;
		return demand_parameter(&k, STR("ssm:LabelParameterVersion"),
			((const struct ssm_label_parameter_version_input *)in)->name, false);
	case SSM_OP_UNLABEL_PARAMETER_VERSION:
		demands->n = 0;
		return demand_parameter(&k, STR("ssm:UnlabelParameterVersion"),
			((const struct ssm_unlabel_parameter_version_input *)in)->name, false);
	case SSM_OP_ADD_TAGS_TO_RESOURCE:
		return demand_tags(&k, STR("ssm:AddTagsToResource"), tagged->resource_type, tagged->resource_id);
	case SSM_OP_REMOVE_TAGS_FROM_RESOURCE:
		return demand_tags(
			&k, STR("ssm:RemoveTagsFromResource"), untagged->resource_type, untagged->resource_id);
	case SSM_OP_LIST_TAGS_FOR_RESOURCE:
		return demand_tags(&k, STR("ssm:ListTagsForResource"), listed->resource_type, listed->resource_id);
	default:
		return OK;
	}
}
