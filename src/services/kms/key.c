/* Keys: create, describe, list, enable, disable, describe anew. */
#include "base/rand.h"
#include "services/kms/room.h"

struct kms_key kms_key_new(
	struct kms_scope *s, const struct kms_spec *spec, struct str usage, struct str origin, bool multi_region)
{
	struct kms_key k = {.account = s->account, .region = s->region, .spec = spec};
	/* "Multi-Region keys have a distinctive key ID that begins with mrk-". */
	k.id = multi_region ? str_cat(s->arena, STR("mrk-"), rand_text(s->arena, STR("0123456789abcdef"), 32))
			    : rand_uuid(s->arena);
	k.arn = kms_arn(s->arena, k.region, k.account, STR("key"), k.id);
	k.r = (struct kms_rec_key){.spec = str_c(spec->name),
		.usage = usage,
		.origin = origin,
		.state = str_is(origin, "EXTERNAL") ? STR("PendingImport") : STR("Enabled"),
		.manager = STR("CUSTOMER"),
		.description = STR(""),
		.created = SOME_TIME(s->now_ms),
		.multi_region = SOME_BOOL(multi_region),
		.primary_region = multi_region ? s->region : STR_NONE,
		.policy = kms_default_policy(s, s->account)};
	return k;
}

static status choose_spec(struct kms_scope *s, const struct kms_create_key_input *in, const struct kms_spec **spec)
{
	if (str_has(in->key_spec) && str_has(in->customer_master_key_spec))
		return kms_refuse(s, ERR_VALIDATION,
			"You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
			"CustomerMasterKeySpec is deprecated.");
	struct str name = str_or(str_or(in->key_spec, in->customer_master_key_spec), STR("SYMMETRIC_DEFAULT"));
	*spec = kms_spec_find(name);
	if (*spec) return OK;
	return kms_refuse(s, KMS_ERR_UNSUPPORTED_OPERATION_EXCEPTION, "KeySpec %.*s is not supported in this Region.",
		STR_ARG(name));
}

static status choose_usage(
	struct kms_scope *s, const struct kms_create_key_input *in, const struct kms_spec *spec, struct str *usage)
{
	*usage = in->key_usage;
	if (!str_has(*usage)) {
		if (spec->kind != KMS_SYMMETRIC)
			return kms_refuse(s, ERR_VALIDATION,
				"You must specify a KeyUsage value for all KMS keys except for symmetric encryption "
				"keys.");
		*usage = STR("ENCRYPT_DECRYPT");
	}
	if (kms_spec_allows_usage(spec, *usage)) return OK;
	return kms_refuse(
		s, ERR_VALIDATION, "KeyUsage %.*s is not compatible with KeySpec %s", STR_ARG(*usage), spec->name);
}

static status choose_origin(struct kms_scope *s, const struct kms_create_key_input *in, struct str *origin)
{
	*origin = str_or(in->origin, STR("AWS_KMS"));
	if (str_is(*origin, "AWS_CLOUDHSM") || str_is(*origin, "EXTERNAL_KEY_STORE") ||
		str_has(in->custom_key_store_id) || str_has(in->xks_key_id))
		return kms_refuse(s, KMS_ERR_UNSUPPORTED_OPERATION_EXCEPTION, "Custom key stores are not implemented.");
	return OK;
}

status kms_create_key(struct call *c, const struct kms_create_key_input *in, struct kms_create_key_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	const struct kms_spec *spec;
	struct str usage, origin;
	TRY(choose_spec(&s, in, &spec));
	TRY(choose_usage(&s, in, spec, &usage));
	TRY(choose_origin(&s, in, &origin));
	TRY(kms_check_tags(&s, in->tags.v, in->tags.n));
	struct kms_key k = kms_key_new(&s, spec, usage, origin, in->multi_region.v);
	if (str_has(in->policy)) {
		TRY(kms_check_policy(&s, in->policy, in->bypass_policy_lockout_safety_check, &k));
		k.r.policy = in->policy;
	}
	k.r.description = str_or(in->description, STR(""));
	kms_tags_set(&s, &k.r.tags, in->tags.v, in->tags.n);
	if (str_is(origin, "AWS_KMS")) TRY(kms_material_make(&s, &k, STR("")));
	kms_key_put(&s, &k);
	out->key_metadata = kms_metadata(&s, &k);
	return OK;
}

status kms_describe_key(struct call *c, const struct kms_describe_key_input *in, struct kms_describe_key_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	TRY(kms_check_grant_tokens(&s, &in->grant_tokens));
	/* "If you specify a predefined AWS alias (an AWS alias with no key ID), AWS KMS associates the alias with an
	 * AWS managed key and returns its KeyId and Arn in the response." */
	TRY(kms_find(&s, in->key_id, KMS_FIND_ALIAS | KMS_FIND_FOREIGN | KMS_FIND_MANAGED, &k));
	out->key_metadata = kms_metadata(&s, &k);
	return OK;
}

status kms_list_keys(struct call *c, const struct kms_list_keys_input *in, struct kms_list_keys_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct str last, key, value;
	TRY(kms_marker_read(&s, in->marker, &last));
	struct key prefix = key_for(c->arena, STR("kms"), STR("key"), c->account, c->region);
	struct str all = key_done(&prefix), from = all;
	if (str_has(last)) from = key_next(c->arena, kms_key_key(c->arena, c->account, c->region, last));
	size_t capacity = 0, limit = in->limit.has ? (size_t)in->limit.v : 100;
	VEC_PRESENT(c->arena, &out->keys);
	out->truncated = SOME_BOOL(false);
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, all), false);
	while (store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(key, all.n), id;
		TRY(key_read_str(c->arena, &rest, &id));
		if (out->keys.n == limit) {
			out->truncated = SOME_BOOL(true);
			out->next_marker = kms_marker(&s, out->keys.v[limit - 1].key_id);
			break;
		}
		id = str_dup(c->arena, id);
		*VEC_PUSH(c->arena, &out->keys, &capacity) =
			(struct kms_key_list_entry){id, kms_arn(c->arena, c->region, c->account, STR("key"), id)};
	}
	return store_scan_end(scan);
}

static status set_state(struct call *c, struct str id, struct str state)
{
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	TRY(kms_find(&s, id, 0, &k));
	TRY(kms_check_customer(&s, &k));
	TRY(kms_check_state(&s, &k, KMS_IN_DISABLED));
	k.r.state = state;
	kms_key_put(&s, &k);
	return OK;
}

status kms_enable_key(struct call *c, const struct kms_enable_key_input *in, struct kms_enable_key_output *out)
{
	(void)out;
	return set_state(c, in->key_id, STR("Enabled"));
}

status kms_disable_key(struct call *c, const struct kms_disable_key_input *in, struct kms_disable_key_output *out)
{
	(void)out;
	return set_state(c, in->key_id, STR("Disabled"));
}

status kms_update_key_description(struct call *c, const struct kms_update_key_description_input *in,
	struct kms_update_key_description_output *out)
{
	(void)out;
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	TRY(kms_find(&s, in->key_id, 0, &k));
	TRY(kms_check_customer(&s, &k));
	TRY(kms_check_state(&s, &k, KMS_IN_DISABLED | KMS_IN_PENDING_IMPORT));
	k.r.description = in->description;
	kms_key_put(&s, &k);
	return OK;
}
