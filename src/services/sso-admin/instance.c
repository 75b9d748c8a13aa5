/* Instances: an organization's, which its management account has, and those of single accounts. AWS makes the
 * organization's in its console only ("Enable IAM Identity Center"); here CreateInstance, asked by the management
 * account, does what the console does: the service is trusted in the organization and the instance is the
 * organization's. */
#include "services/sso-admin/room.h"

static status instances(struct call *c, struct sso_admin_rec_instance **out, size_t *n)
{
	struct ssoa_rows rows = {0};
	TRY(ssoa_rows(c->tx, c->arena, ssoa_instance_key(c->arena, STR_NONE), &rows));
	*out = arena_new_n(c->arena, struct sso_admin_rec_instance, rows.n + 1);
	for (*n = 0; *n < rows.n; (*n)++) TRY(sso_admin_rec_instance_decode(c->arena, rows.v[*n], &(*out)[*n]));
	return OK;
}

status sso_admin_create_instance(
	struct call *c, const struct sso_admin_create_instance_input *in, struct sso_admin_create_instance_output *out)
{
	struct sso_admin_rec_instance *all;
	struct organizations_place place;
	size_t n;
	TRY(instances(c, &all, &n));
	for (size_t i = 0; i < n; i++)
		if (str_eq(all[i].owner, c->account))
			return SSOA_FAIL(
				c, CONFLICT, "An instance of IAM Identity Center already exists for this account.");
	TRY(organizations_place(c->tx, c->arena, c->account, &place));
	bool whole = str_has(place.id) && str_eq(place.master, c->account);
	struct sso_admin_rec_instance r = {
		.id = str_cat(c->arena, STR("ssoins-"), rand_text(c->arena, STR("0123456789abcdef"), 16)),
		.owner = c->account,
		.region = c->region,
		.partition = c->partition,
		.store = identitystore_create(c->tx, c->arena, c->account, c->region, c->now_ms),
		.name = in->name,
		.created = SOME_TIME(c->now_ms),
		.organization = whole ? place.id : STR_NONE,
	};
	TRY(ssoa_tags_set(c, &r.tags, &in->tags));
	if (whole) TRY(organizations_trust(c->tx, c->arena, place.id, SSOA_PRINCIPAL, c->now_ms));
	ssoa_put_instance(c, &r);
	out->instance_arn = ssoa_instance_arn(c->arena, &r);
	return OK;
}

status sso_admin_describe_instance(struct call *c, const struct sso_admin_describe_instance_input *in,
	struct sso_admin_describe_instance_output *out)
{
	struct sso_admin_rec_instance r;
	TRY(ssoa_get_instance(c, in->instance_arn, &r));
	out->instance_arn = in->instance_arn;
	out->identity_store_id = r.store;
	out->owner_account_id = r.owner;
	out->name = r.name;
	out->created_date = r.created;
	out->status = STR("ACTIVE");
	return OK;
}

status sso_admin_update_instance(
	struct call *c, const struct sso_admin_update_instance_input *in, struct sso_admin_update_instance_output *out)
{
	(void)out;
	struct sso_admin_rec_instance r;
	TRY(ssoa_get_instance(c, in->instance_arn, &r));
	if (in->encryption_configuration)
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "virga does not encrypt directories by customer managed keys.");
	if (str_has(in->name)) r.name = in->name;
	ssoa_put_instance(c, &r);
	return OK;
}

status sso_admin_list_instances(
	struct call *c, const struct sso_admin_list_instances_input *in, struct sso_admin_list_instances_output *out)
{
	struct sso_admin_rec_instance *all;
	struct ssoa_page page;
	size_t n, capacity = 0;
	TRY(ssoa_page_begin(c, in->next_token, in->max_results, &page));
	TRY(instances(c, &all, &n));
	struct str organization = organizations_of(c->tx, c->arena, c->account);
	VEC_PRESENT(c->arena, &out->instances);
	for (size_t i = 0; i < n; i++) {
		bool own = str_eq(all[i].owner, c->account);
		bool visible = own || (str_has(organization) && str_eq(all[i].organization, organization));
		if (!visible || !str_eq(all[i].region, c->region) || !ssoa_page_take(&page, i)) continue;
		*VEC_PUSH(c->arena, &out->instances, &capacity) =
			(struct sso_admin_instance_metadata){.instance_arn = ssoa_instance_arn(c->arena, &all[i]),
				.identity_store_id = all[i].store,
				.owner_account_id = all[i].owner,
				.name = all[i].name,
				.created_date = all[i].created,
				.status = STR("ACTIVE")};
	}
	out->next_token = ssoa_page_end(&page);
	return OK;
}

status sso_admin_delete_instance(
	struct call *c, const struct sso_admin_delete_instance_input *in, struct sso_admin_delete_instance_output *out)
{
	(void)out;
	static const char *const kinds[] = {"set", "assignment", "provisioned", "operation", "setname"};
	struct sso_admin_rec_instance r;
	TRY(ssoa_get_instance(c, in->instance_arn, &r));
	if (!str_eq(r.owner, c->account))
		return SSOA_FAIL(c, ACCESS_DENIED, "You do not have sufficient access to perform this action.");
	/* With the instance go its directory, and its roles in every account. */
	struct str from = ssoa_key(c->arena, "provisioned", r.id, STR_NONE, STR_NONE, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(str_dup(c->arena, key), from.n), set, account;
		TRY(key_read_str(c->arena, &rest, &set));
		TRY(key_read_str(c->arena, &rest, &account));
		TRY(ssoa_withdraw(c->tx, c->arena, &r, set, account));
	}
	TRY(store_scan_end(scan));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		from = ssoa_key(c->arena, kinds[i], r.id, STR_NONE, STR_NONE, STR_NONE);
		scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
		while (store_scan_next(scan, &key, &value)) store_delete(c->tx, str_dup(c->arena, key));
		TRY(store_scan_end(scan));
	}
	store_delete(c->tx, ssoa_instance_key(c->arena, r.id));
	return identitystore_drop(c->tx, c->arena, r.store);
}

/* ── attributes for access control ────────────────────────────────────────────────────────────────────────────── */

static status set_attributes(struct call *c, struct sso_admin_rec_instance *r,
	const struct sso_admin_instance_access_control_attribute_configuration *in)
{
	const struct sso_admin_access_control_attribute_list *l = &in->access_control_attributes;
	size_t capacity = 0;
	if (l->n > 50)
		return SSOA_FAIL(c, VALIDATION, "An instance may have 50 attributes for access control at most.");
	r->attributes = (struct sso_admin_rec_attributes){0};
	for (size_t i = 0; i < l->n; i++)
		*VEC_PUSH(c->arena, &r->attributes, &capacity) = (struct sso_admin_rec_attribute){
			.key = l->v[i].key, .sources = {l->v[i].value->source.v, l->v[i].value->source.n}};
	r->has_attributes = SOME_BOOL(true);
	ssoa_put_instance(c, r);
	return OK;
}

static status require_configured(struct call *c, const struct sso_admin_rec_instance *r)
{
	if (r->has_attributes.v) return OK;
	return SSOA_FAIL(c, RESOURCE_NOT_FOUND, "Attributes for access control are not configured for the instance.");
}

status sso_admin_create_instance_access_control_attribute_configuration(struct call *c,
	const struct sso_admin_create_instance_access_control_attribute_configuration_input *in,
	struct sso_admin_create_instance_access_control_attribute_configuration_output *out)
{
	(void)out;
	struct sso_admin_rec_instance r;
	TRY(ssoa_get_organization_instance(c, in->instance_arn, &r));
	if (r.has_attributes.v)
		return SSOA_FAIL(c, CONFLICT, "Attributes for access control are already configured for the instance.");
	return set_attributes(c, &r, in->instance_access_control_attribute_configuration);
}

status sso_admin_update_instance_access_control_attribute_configuration(struct call *c,
	const struct sso_admin_update_instance_access_control_attribute_configuration_input *in,
	struct sso_admin_update_instance_access_control_attribute_configuration_output *out)
{
	(void)out;
	struct sso_admin_rec_instance r;
	TRY(ssoa_get_organization_instance(c, in->instance_arn, &r));
	TRY(require_configured(c, &r));
	return set_attributes(c, &r, in->instance_access_control_attribute_configuration);
}

status sso_admin_delete_instance_access_control_attribute_configuration(struct call *c,
	const struct sso_admin_delete_instance_access_control_attribute_configuration_input *in,
	struct sso_admin_delete_instance_access_control_attribute_configuration_output *out)
{
	(void)out;
	struct sso_admin_rec_instance r;
	TRY(ssoa_get_organization_instance(c, in->instance_arn, &r));
	TRY(require_configured(c, &r));
	r.has_attributes = SOME_BOOL(false);
	r.attributes.n = 0;
	ssoa_put_instance(c, &r);
	return OK;
}

status sso_admin_describe_instance_access_control_attribute_configuration(struct call *c,
	const struct sso_admin_describe_instance_access_control_attribute_configuration_input *in,
	struct sso_admin_describe_instance_access_control_attribute_configuration_output *out)
{
	struct sso_admin_rec_instance r;
	size_t capacity = 0;
	TRY(ssoa_get_organization_instance(c, in->instance_arn, &r));
	TRY(require_configured(c, &r));
	out->status = STR("ENABLED");
	out->instance_access_control_attribute_configuration =
		arena_new(c->arena, struct sso_admin_instance_access_control_attribute_configuration);
	struct sso_admin_access_control_attribute_list *l =
		&out->instance_access_control_attribute_configuration->access_control_attributes;
	VEC_PRESENT(c->arena, l);
	for (size_t i = 0; i < r.attributes.n; i++) {
		struct sso_admin_access_control_attribute *a = VEC_PUSH(c->arena, l, &capacity);
		a->key = r.attributes.v[i].key;
		a->value = arena_new(c->arena, struct sso_admin_access_control_attribute_value);
		a->value->source.v = r.attributes.v[i].sources.v;
		a->value->source.n = r.attributes.v[i].sources.n;
	}
	return OK;
}
