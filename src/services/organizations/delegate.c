/* Services that may act in the organization (trusted access), and members that administer them for it. */
#include "services/organizations/room.h"

static ptrdiff_t at(const struct organizations_rec_services *l, struct str principal)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].principal, principal)) return (ptrdiff_t)i;
	return -1;
}

static void add(struct call *c, struct organizations_rec_services *l, struct str principal)
{
	size_t capacity = 0;
	struct organizations_rec_services more = {0};
	for (size_t i = 0; i < l->n; i++) *VEC_PUSH(c->arena, &more, &capacity) = l->v[i];
	*VEC_PUSH(c->arena, &more, &capacity) = (struct organizations_rec_service){principal, SOME_TIME(c->now_ms)};
	*l = more;
}

static void drop(struct organizations_rec_services *l, size_t i)
{
	l->n--;
	for (; i < l->n; i++) l->v[i] = l->v[i + 1];
}

static status check_principal(struct call *c, struct str principal)
{
	if (str_ends(principal, STR(".amazonaws.com")) && principal.n > sizeof(".amazonaws.com") - 1) return OK;
	return orgs_input(c, "UNRECOGNIZED_SERVICE_PRINCIPAL", "You specified an unrecognized service principal.");
}

static status require_all_features(struct call *c, const struct organizations_rec_organization *o)
{
	if (orgs_all_features(o)) return OK;
	return orgs_constraint(c, "ORGANIZATION_NOT_IN_ALL_FEATURES_MODE",
		"The organization must be in all features mode for this operation.");
}

status organizations_enable_aws_service_access(struct call *c,
	const struct organizations_enable_aws_service_access_input *in,
	struct organizations_enable_aws_service_access_output *out)
{
	(void)out;
	struct organizations_rec_organization o;
	TRY(orgs_manage(c, &o));
	TRY(check_principal(c, in->service_principal));
	TRY(require_all_features(c, &o));
	return organizations_trust(c->tx, c->arena, o.id, in->service_principal, c->now_ms);
}

static status drop_delegations(struct call *c, const struct organizations_rec_organization *o, struct str principal)
{
	struct orgs_ids ids = {0};
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "account", o->id, STR_NONE), &ids));
	for (size_t i = 0; i < ids.n; i++) {
		struct organizations_rec_account r;
		TRY(orgs_account_load(c->tx, c->arena, o->id, ids.v[i], &r));
		ptrdiff_t there = at(&r.delegations, principal);
		if (there < 0) continue;
		drop(&r.delegations, (size_t)there);
		orgs_account_put(c->tx, c->arena, o->id, &r);
	}
	return OK;
}

/* Who administered the service for the organization does so no longer. */
status organizations_disable_aws_service_access(struct call *c,
	const struct organizations_disable_aws_service_access_input *in,
	struct organizations_disable_aws_service_access_output *out)
{
	(void)out;
	struct organizations_rec_organization o;
	TRY(orgs_manage(c, &o));
	TRY(check_principal(c, in->service_principal));
	ptrdiff_t there = at(&o.services, in->service_principal);
	if (there < 0) return OK;
	drop(&o.services, (size_t)there);
	orgs_put(c, &o);
	return drop_delegations(c, &o, in->service_principal);
}

status organizations_list_aws_service_access_for_organization(struct call *c,
	const struct organizations_list_aws_service_access_for_organization_input *in,
	struct organizations_list_aws_service_access_for_organization_output *out)
{
	struct organizations_rec_organization o;
	struct orgs_page page;
	TRY(orgs_read(c, &o));
	TRY(orgs_page_begin(c, in->next_token, in->max_results, &page));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->enabled_service_principals);
	for (size_t i = 0; i < o.services.n; i++)
		if (orgs_page_take(&page, str_fmt(c->arena, "%06zu", i)))
			*VEC_PUSH(c->arena, &out->enabled_service_principals,
				&capacity) = (struct organizations_enabled_service_principal){
				.service_principal = o.services.v[i].principal, .date_enabled = o.services.v[i].since};
	out->next_token = orgs_page_end(&page);
	return OK;
}

status organizations_register_delegated_administrator(struct call *c,
	const struct organizations_register_delegated_administrator_input *in,
	struct organizations_register_delegated_administrator_output *out)
{
	(void)out;
	struct organizations_rec_organization o;
	struct organizations_rec_account r;
	TRY(orgs_manage(c, &o));
	TRY(check_principal(c, in->service_principal));
	TRY(require_all_features(c, &o));
	TRY(orgs_get_account(c, &o, in->account_id, &r));
	if (str_eq(r.id, o.master))
		return orgs_constraint(c, "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR",
			"You cannot register master account/yourself as delegated administrator for your "
			"organization.");
	if (!str_is(r.state, "ACTIVE"))
		return orgs_constraint(c, "CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR",
			"You cannot register a suspended account as a delegated administrator.");
	if (at(&o.services, in->service_principal) < 0)
		return orgs_constraint(c, "SERVICE_ACCESS_NOT_ENABLED",
			"You must enable service access for this service before you register a delegated "
			"administrator.");
	if (at(&r.delegations, in->service_principal) >= 0)
		return ORGS_FAIL(c, ACCOUNT_ALREADY_REGISTERED,
			"The specified account is already a delegated administrator for this AWS service.");
	add(c, &r.delegations, in->service_principal);
	orgs_account_put(c->tx, c->arena, o.id, &r);
	return OK;
}

status organizations_deregister_delegated_administrator(struct call *c,
	const struct organizations_deregister_delegated_administrator_input *in,
	struct organizations_deregister_delegated_administrator_output *out)
{
	(void)out;
	struct organizations_rec_organization o;
	struct organizations_rec_account r;
	TRY(orgs_manage(c, &o));
	TRY(orgs_get_account(c, &o, in->account_id, &r));
	ptrdiff_t there = at(&r.delegations, in->service_principal);
	if (there < 0)
		return ORGS_FAIL(c, ACCOUNT_NOT_REGISTERED,
			"The specified account is not a delegated administrator for this AWS service.");
	drop(&r.delegations, (size_t)there);
	orgs_account_put(c->tx, c->arena, o.id, &r);
	return OK;
}

static struct opt_time first_of(const struct organizations_rec_services *l)
{
	struct opt_time t = l->v[0].since;
	for (size_t i = 1; i < l->n; i++)
		if (l->v[i].since.ms < t.ms) t = l->v[i].since;
	return t;
}

status organizations_list_delegated_administrators(struct call *c,
	const struct organizations_list_delegated_administrators_input *in,
	struct organizations_list_delegated_administrators_output *out)
{
	struct organizations_rec_organization o;
	struct orgs_ids ids = {0};
	struct orgs_page page;
	TRY(orgs_read(c, &o));
	TRY(orgs_page_begin(c, in->next_token, in->max_results, &page));
	TRY(orgs_ids(c->tx, c->arena, orgs_key(c->arena, "account", o.id, STR_NONE), &ids));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->delegated_administrators);
	for (size_t i = 0; i < ids.n; i++) {
		struct organizations_rec_account r;
		TRY(orgs_account_load(c->tx, c->arena, o.id, ids.v[i], &r));
		if (!r.delegations.n) continue;
		ptrdiff_t there = str_has(in->service_principal) ? at(&r.delegations, in->service_principal) : 0;
		if (there < 0 || !orgs_page_take(&page, r.id)) continue;
		*VEC_PUSH(c->arena, &out->delegated_administrators, &capacity) =
			(struct organizations_delegated_administrator){.id = r.id,
				.arn = orgs_arn(c->arena, &o, "account", r.id),
				.email = r.email,
				.name = r.name,
				.status = r.state,
				.state = r.state,
				.joined_method = r.created.v ? STR("CREATED") : STR("INVITED"),
				.joined_timestamp = r.joined,
				.delegation_enabled_date = str_has(in->service_principal) ? r.delegations.v[there].since
											  : first_of(&r.delegations)};
	}
	out->next_token = orgs_page_end(&page);
	return OK;
}

status organizations_list_delegated_services_for_account(struct call *c,
	const struct organizations_list_delegated_services_for_account_input *in,
	struct organizations_list_delegated_services_for_account_output *out)
{
	struct organizations_rec_organization o;
	struct organizations_rec_account r;
	struct orgs_page page;
	TRY(orgs_read(c, &o));
	TRY(orgs_get_account(c, &o, in->account_id, &r));
	if (!r.delegations.n)
		return ORGS_FAIL(c, ACCOUNT_NOT_REGISTERED, "The specified account is not a delegated administrator.");
	TRY(orgs_page_begin(c, in->next_token, in->max_results, &page));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->delegated_services);
	for (size_t i = 0; i < r.delegations.n; i++)
		if (orgs_page_take(&page, str_fmt(c->arena, "%06zu", i)))
			*VEC_PUSH(c->arena, &out->delegated_services, &capacity) =
				(struct organizations_delegated_service){
					.service_principal = r.delegations.v[i].principal,
					.delegation_enabled_date = r.delegations.v[i].since};
	out->next_token = orgs_page_end(&page);
	return OK;
}
