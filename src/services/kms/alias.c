/* Aliases ("Aliases in AWS KMS"): names that can be moved from key to key. */
#include "services/kms/room.h"

static status check_name(struct kms_scope *s, struct str name)
{
	struct str prefix = STR("alias/");
	if (!str_starts(name, prefix) || name.n == prefix.n) return kms_refuse(s, ERR_VALIDATION, "Invalid identifier");
	if (str_starts(name, STR("alias/aws/")))
		return kms_refuse(s, KMS_ERR_INVALID_ALIAS_NAME_EXCEPTION,
			"The alias name prefix alias/aws/ is reserved for AWS managed keys.");
	if (str_chr(name, ':') >= 0)
		return kms_refuse(s, KMS_ERR_INVALID_ALIAS_NAME_EXCEPTION,
			"%.*s contains invalid characters for an alias", STR_ARG(name));
	return OK;
}

static status check_target(struct kms_scope *s, struct str reference, struct kms_key *k)
{
	TRY(kms_find(s, reference, 0, k));
	TRY(kms_check_customer(s, k));
	TRY(kms_check_state(s, k, KMS_IN_DISABLED | KMS_IN_PENDING_IMPORT));
	if (k->r.aliases.n < KMS_ALIASES_PER_KEY_MAX) return OK;
	return kms_refuse(s, KMS_ERR_LIMIT_EXCEEDED_EXCEPTION, "The key %.*s has %d aliases already.", STR_ARG(k->arn),
		KMS_ALIASES_PER_KEY_MAX);
}

status kms_create_alias(struct call *c, const struct kms_create_alias_input *in, struct kms_create_alias_output *out)
{
	(void)out;
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	struct kms_rec_alias r;
	TRY(check_name(&s, in->alias_name));
	TRY(check_target(&s, in->target_key_id, &k));
	status st = kms_alias_get(&s, c->account, c->region, in->alias_name, &r);
	if (is_ok(st))
		return kms_refuse(&s, KMS_ERR_ALREADY_EXISTS_EXCEPTION, "An alias with the name %.*s already exists",
			STR_ARG(kms_arn(c->arena, c->region, c->account, STR(""), in->alias_name)));
	if (!status_is(st, STATUS_NOT_FOUND)) return st;
	kms_alias_add(&s, &k, in->alias_name);
	kms_key_put(&s, &k);
	r = (struct kms_rec_alias){.key_id = k.id, .created = SOME_TIME(s.now_ms), .updated = SOME_TIME(s.now_ms)};
	kms_alias_put(&s, in->alias_name, &r);
	return OK;
}

static status find_alias(struct kms_scope *s, struct str name, struct kms_rec_alias *r)
{
	TRY(check_name(s, name));
	status st = kms_alias_get(s, s->account, s->region, name, r);
	if (!status_is(st, STATUS_NOT_FOUND)) return st;
	return kms_refuse(s, KMS_ERR_NOT_FOUND_EXCEPTION, "Alias %.*s is not found.",
		STR_ARG(kms_arn(s->arena, s->region, s->account, STR(""), name)));
}

status kms_update_alias(struct call *c, const struct kms_update_alias_input *in, struct kms_update_alias_output *out)
{
	(void)out;
	struct kms_scope s = kms_scope_of(c);
	struct kms_key to, now;
	struct kms_rec_alias r;
	TRY(find_alias(&s, in->alias_name, &r));
	TRY(check_target(&s, in->target_key_id, &to));
	/* "The current and new KMS key must be the same type … and … have the same key usage." */
	status st = kms_key_get(&s, c->account, c->region, r.key_id, &now);
	if (is_ok(st) && ((now.spec->kind == KMS_SYMMETRIC) != (to.spec->kind == KMS_SYMMETRIC) ||
				 (now.spec->kind == KMS_HMAC) != (to.spec->kind == KMS_HMAC) ||
				 !str_eq(now.r.usage, to.r.usage)))
		return kms_refuse(&s, ERR_VALIDATION,
			"Alias %.*s cannot be updated: the current and new keys must be of the same type and key "
			"usage.",
			STR_ARG(kms_arn(c->arena, c->region, c->account, STR(""), in->alias_name)));
	if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
	if (is_ok(st) && !str_eq(now.id, to.id)) {
		kms_alias_remove(&now, in->alias_name);
		kms_key_put(&s, &now);
		kms_alias_add(&s, &to, in->alias_name);
		kms_key_put(&s, &to);
	}
	r.key_id = to.id;
	r.updated = SOME_TIME(s.now_ms);
	kms_alias_put(&s, in->alias_name, &r);
	return OK;
}

status kms_delete_alias(struct call *c, const struct kms_delete_alias_input *in, struct kms_delete_alias_output *out)
{
	(void)out;
	struct kms_scope s = kms_scope_of(c);
	struct kms_key k;
	struct kms_rec_alias r;
	TRY(find_alias(&s, in->alias_name, &r));
	status st = kms_key_get(&s, c->account, c->region, r.key_id, &k);
	if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
	if (is_ok(st)) {
		kms_alias_remove(&k, in->alias_name);
		kms_key_put(&s, &k);
	}
	store_delete(c->tx, kms_alias_key(c->arena, c->account, c->region, in->alias_name));
	return OK;
}

status kms_list_aliases(struct call *c, const struct kms_list_aliases_input *in, struct kms_list_aliases_output *out)
{
	struct kms_scope s = kms_scope_of(c);
	struct str last, key, value, wanted = STR_NONE;
	TRY(kms_marker_read(&s, in->marker, &last));
	if (str_has(in->key_id)) {
		struct kms_key k;
		TRY(kms_find(&s, in->key_id, 0, &k));
		wanted = k.id;
	}
	struct key prefix = key_for(c->arena, STR("kms"), STR("alias"), c->account, c->region);
	struct str all = key_done(&prefix), from = all;
	if (str_has(last)) from = key_next(c->arena, kms_alias_key(c->arena, c->account, c->region, last));
	size_t capacity = 0, limit = in->limit.has ? (size_t)in->limit.v : 50;
	if (limit > 100) limit = 100;
	VEC_PRESENT(c->arena, &out->aliases);
	out->truncated = SOME_BOOL(false);
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, all), false);
	while (store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(key, all.n), name;
		struct kms_rec_alias r = {0};
		TRY(key_read_str(c->arena, &rest, &name));
		TRY(kms_rec_alias_decode(c->arena, str_dup(c->arena, value), &r));
		if (str_has(wanted) && !str_eq(r.key_id, wanted)) continue;
		if (out->aliases.n == limit) {
			out->truncated = SOME_BOOL(true);
			out->next_marker = kms_marker(&s, out->aliases.v[limit - 1].alias_name);
			break;
		}
		name = str_dup(c->arena, name);
		*VEC_PUSH(c->arena, &out->aliases, &capacity) = (struct kms_alias_list_entry){.alias_name = name,
			.alias_arn = kms_arn(c->arena, c->region, c->account, STR(""), name),
			.target_key_id = r.key_id,
			.creation_date = r.created,
			.last_updated_date = r.updated};
	}
	return store_scan_end(scan);
}
