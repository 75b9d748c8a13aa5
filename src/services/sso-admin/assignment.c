/* Account assignments: who has which permission set where. What is asked for is done by a job, which tells in its
 * operation's record how it went: an assignment's creation provisions the role, the last one's deletion takes it away.
 */
#include "services/sso-admin/room.h"

#define OPERATION_MS 50

static struct str assignment_key(struct arena *a, struct str instance, const struct sso_admin_rec_operation *o)
{
	return ssoa_key(a, "assignment", instance, o->account, o->set, o->principal);
}

static struct str operation_key(struct arena *a, struct str instance, struct str id)
{
	return ssoa_key(a, "operation", instance, id, STR_NONE, STR_NONE);
}

/* ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void poke(void *jobs)
{
	jobs_poke(jobs);
}

static void begin(struct call *c, const struct sso_admin_rec_instance *i, struct sso_admin_rec_operation *o)
{
	o->id = rand_uuid(c->arena);
	o->status = STR("IN_PROGRESS");
	o->created = SOME_TIME(c->now_ms);
	store_put(c->tx, operation_key(c->arena, i->id, o->id), sso_admin_rec_operation_encode(c->arena, o));
	struct job job = {.kind = STR(SSOA_JOB),
		.id = str_fmt(c->arena, "%.*s/%.*s", STR_ARG(i->id), STR_ARG(o->id)),
		.due_ms = c->now_ms + OPERATION_MS,
		.payload = STR("")};
	jobs_schedule(c->tx, &job);
	call_after_commit(c, poke, c->cloud->jobs);
}

static struct sso_admin_account_assignment_operation_status *operation_out(
	struct call *c, const struct sso_admin_rec_instance *i, const struct sso_admin_rec_operation *o)
{
	struct sso_admin_account_assignment_operation_status *out =
		arena_new(c->arena, struct sso_admin_account_assignment_operation_status);
	out->status = o->status;
	out->request_id = o->id;
	out->failure_reason = o->failure;
	out->target_id = o->account;
	out->target_type = STR("AWS_ACCOUNT");
	out->permission_set_arn = ssoa_set_arn(c->arena, i, o->set);
	out->principal_type = o->principal_type;
	out->principal_id = o->principal;
	out->created_date = o->created;
	return out;
}

static status require_account(struct call *c, const struct sso_admin_rec_instance *i, struct str account)
{
	struct organizations_member m;
	status s = organizations_member(c->tx, c->arena, i->organization, account, &m);
	if (status_is(s, STATUS_NOT_FOUND))
		return SSOA_FAIL(c, RESOURCE_NOT_FOUND, "Could not find AWS account %.*s in the organization.",
			STR_ARG(account));
	TRY(s);
	/* "Delegated administration": permission sets of the management account are its own affair. */
	if (str_eq(account, i->owner) && !str_eq(c->account, i->owner))
		return SSOA_FAIL(
			c, ACCESS_DENIED, "A delegated administrator can't assign access to the management account.");
	return OK;
}

static status require_principal(struct call *c, const struct sso_admin_rec_instance *i, struct str type, struct str id)
{
	struct identitystore_rec_user u;
	struct identitystore_rec_group g;
	status s = str_is(type, "USER") ? identitystore_user(c->tx, c->arena, i->store, id, &u)
					: identitystore_group(c->tx, c->arena, i->store, id, &g);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return SSOA_FAIL(c, RESOURCE_NOT_FOUND, "Could not find %.*s with id %.*s", STR_ARG(type), STR_ARG(id));
}

status sso_admin_create_account_assignment(struct call *c, const struct sso_admin_create_account_assignment_input *in,
	struct sso_admin_create_account_assignment_output *out)
{
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	TRY(require_account(c, &i, in->target_id));
	TRY(require_principal(c, &i, in->principal_type, in->principal_id));
	struct sso_admin_rec_operation o = {.kind = STR("CREATE"),
		.account = in->target_id,
		.set = s.id,
		.principal = in->principal_id,
		.principal_type = in->principal_type};
	begin(c, &i, &o);
	out->account_assignment_creation_status = operation_out(c, &i, &o);
	return OK;
}

status sso_admin_delete_account_assignment(struct call *c, const struct sso_admin_delete_account_assignment_input *in,
	struct sso_admin_delete_account_assignment_output *out)
{
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	struct str bytes;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	struct sso_admin_rec_operation o = {.kind = STR("DELETE"),
		.account = in->target_id,
		.set = s.id,
		.principal = in->principal_id,
		.principal_type = in->principal_type};
	status there = store_get(c->tx, assignment_key(c->arena, i.id, &o), &bytes);
	if (status_is(there, STATUS_NOT_FOUND))
		return SSOA_FAIL(c, RESOURCE_NOT_FOUND, "Could not find the account assignment.");
	TRY(there);
	TRY(require_account(c, &i, in->target_id));
	begin(c, &i, &o);
	out->account_assignment_deletion_status = operation_out(c, &i, &o);
	return OK;
}

static struct sso_admin_permission_set_provisioning_status *provisioning_out(
	struct call *c, const struct sso_admin_rec_instance *i, const struct sso_admin_rec_operation *o)
{
	struct sso_admin_permission_set_provisioning_status *out =
		arena_new(c->arena, struct sso_admin_permission_set_provisioning_status);
	out->status = o->status;
	out->request_id = o->id;
	out->account_id = o->account;
	out->permission_set_arn = ssoa_set_arn(c->arena, i, o->set);
	out->failure_reason = o->failure;
	out->created_date = o->created;
	return out;
}

status sso_admin_provision_permission_set(struct call *c, const struct sso_admin_provision_permission_set_input *in,
	struct sso_admin_provision_permission_set_output *out)
{
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	struct str bytes;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	struct sso_admin_rec_operation o = {.kind = STR("PROVISION"), .set = s.id};
	if (str_is(in->target_type, "AWS_ACCOUNT")) {
		if (!str_has(in->target_id)) return SSOA_FAIL(c, VALIDATION, "TargetId is required for AWS_ACCOUNT.");
		status there = store_get(
			c->tx, ssoa_key(c->arena, "provisioned", i.id, s.id, in->target_id, STR_NONE), &bytes);
		if (status_is(there, STATUS_NOT_FOUND))
			return SSOA_FAIL(c, RESOURCE_NOT_FOUND,
				"The permission set is not provisioned to account %.*s.", STR_ARG(in->target_id));
		TRY(there);
		o.account = in->target_id;
	}
	begin(c, &i, &o);
	out->permission_set_provisioning_status = provisioning_out(c, &i, &o);
	return OK;
}

/* ── doing ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static status create(struct store_tx *tx, struct arena *a, const struct sso_admin_rec_instance *i,
	const struct sso_admin_rec_set *s, const struct sso_admin_rec_operation *o, int64_t now_ms, struct str *why)
{
	struct sso_admin_rec_assignment r = {.account = o->account,
		.set = o->set,
		.principal = o->principal,
		.principal_type = o->principal_type,
		.created = SOME_TIME(now_ms)};
	TRY(ssoa_provision(tx, a, i, s, o->account, now_ms, why));
	store_put(tx, assignment_key(a, i->id, o), sso_admin_rec_assignment_encode(a, &r));
	return OK;
}

static status remove_one(struct store_tx *tx, struct arena *a, const struct sso_admin_rec_instance *i,
	const struct sso_admin_rec_operation *o)
{
	struct ssoa_rows left = {0};
	store_delete(tx, assignment_key(a, i->id, o));
	TRY(ssoa_rows(tx, a, ssoa_key(a, "assignment", i->id, o->account, o->set, STR_NONE), &left));
	return left.n ? OK : ssoa_withdraw(tx, a, i, o->set, o->account);
}

static status provision(struct store_tx *tx, struct arena *a, const struct sso_admin_rec_instance *i,
	const struct sso_admin_rec_set *s, const struct sso_admin_rec_operation *o, int64_t now_ms, struct str *why)
{
	if (str_has(o->account) && o->account.n) return ssoa_provision(tx, a, i, s, o->account, now_ms, why);
	struct str from = ssoa_key(a, "provisioned", i->id, s->id, STR_NONE, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	status done = OK;
	while (is_ok(done) && store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(str_dup(a, key), from.n), account;
		done = key_read_str(a, &rest, &account);
		if (is_ok(done)) done = ssoa_provision(tx, a, i, s, account, now_ms, why);
	}
	TRY(store_scan_end(scan));
	return done;
}

status ssoa_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	(void)again_ms;
	struct cloud *cloud = ctx;
	struct str rest = job->id, instance = str_cut(&rest, '/'), bytes, why = STR_NONE;
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_operation o = {0};
	struct sso_admin_rec_set s;
	int64_t now_ms = clock_now(cloud->clock);
	status st = sso_admin_instance(tx, a, instance, &i);
	if (is_ok(st)) st = store_get(tx, operation_key(a, instance, rest), &bytes);
	if (status_is(st, STATUS_NOT_FOUND)) return OK;
	TRY(st);
	TRY(sso_admin_rec_operation_decode(a, bytes, &o));
	if (!str_is(o.status, "IN_PROGRESS")) return OK;
	st = ssoa_set_load(tx, a, instance, o.set, &s);
	if (status_is(st, STATUS_NOT_FOUND)) {
		why = STR("The permission set was deleted.");
		st = STATUS(INVALID);
	} else if (is_ok(st)) {
		st = str_is(o.kind, "CREATE")   ? create(tx, a, &i, &s, &o, now_ms, &why)
		     : str_is(o.kind, "DELETE") ? remove_one(tx, a, &i, &o)
						: provision(tx, a, &i, &s, &o, now_ms, &why);
	}
	if (!is_ok(st) && !status_is(st, STATUS_INVALID)) return st;
	o.status = is_ok(st) ? STR("SUCCEEDED") : STR("FAILED");
	o.failure = is_ok(st) ? STR_NONE : why;
	store_put(tx, operation_key(a, instance, o.id), sso_admin_rec_operation_encode(a, &o));
	return OK;
}

/* ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static status get_operation(struct call *c, const struct sso_admin_rec_instance *i, struct str id, const char *kind,
	struct sso_admin_rec_operation *out)
{
	struct str bytes;
	*out = (struct sso_admin_rec_operation){0};
	status s = store_get(c->tx, operation_key(c->arena, i->id, id), &bytes);
	if (is_ok(s)) TRY(sso_admin_rec_operation_decode(c->arena, bytes, out));
	if (is_ok(s) && str_eq(out->kind, str_c(kind))) return OK;
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	return SSOA_FAIL(c, RESOURCE_NOT_FOUND, "Could not find the request with id %.*s", STR_ARG(id));
}

status sso_admin_describe_account_assignment_creation_status(struct call *c,
	const struct sso_admin_describe_account_assignment_creation_status_input *in,
	struct sso_admin_describe_account_assignment_creation_status_output *out)
{
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_operation o;
	TRY(ssoa_get_organization_instance(c, in->instance_arn, &i));
	TRY(get_operation(c, &i, in->account_assignment_creation_request_id, "CREATE", &o));
	out->account_assignment_creation_status = operation_out(c, &i, &o);
	return OK;
}

status sso_admin_describe_account_assignment_deletion_status(struct call *c,
	const struct sso_admin_describe_account_assignment_deletion_status_input *in,
	struct sso_admin_describe_account_assignment_deletion_status_output *out)
{
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_operation o;
	TRY(ssoa_get_organization_instance(c, in->instance_arn, &i));
	TRY(get_operation(c, &i, in->account_assignment_deletion_request_id, "DELETE", &o));
	out->account_assignment_deletion_status = operation_out(c, &i, &o);
	return OK;
}

status sso_admin_describe_permission_set_provisioning_status(struct call *c,
	const struct sso_admin_describe_permission_set_provisioning_status_input *in,
	struct sso_admin_describe_permission_set_provisioning_status_output *out)
{
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_operation o;
	TRY(ssoa_get_organization_instance(c, in->instance_arn, &i));
	TRY(get_operation(c, &i, in->provision_permission_set_request_id, "PROVISION", &o));
	out->permission_set_provisioning_status = provisioning_out(c, &i, &o);
	return OK;
}

/* Operations of one kind, newest ones too; status STR_NONE: all. */
static status operations_of(struct call *c, const struct sso_admin_rec_instance *i, const char *kind, struct str wanted,
	struct sso_admin_rec_operation **out, size_t *n)
{
	struct ssoa_rows rows = {0};
	TRY(ssoa_rows(c->tx, c->arena, ssoa_key(c->arena, "operation", i->id, STR_NONE, STR_NONE, STR_NONE), &rows));
	*out = arena_new_n(c->arena, struct sso_admin_rec_operation, rows.n + 1);
	*n = 0;
	for (size_t k = 0; k < rows.n; k++) {
		struct sso_admin_rec_operation *o = &(*out)[*n];
		*o = (struct sso_admin_rec_operation){0};
		TRY(sso_admin_rec_operation_decode(c->arena, rows.v[k], o));
		*n += str_eq(o->kind, str_c(kind)) && (!str_has(wanted) || str_eq(o->status, wanted));
	}
	return OK;
}

#define OPERATIONS(name, kind, list, metadata)                                                                         \
	status sso_admin_list_##name(struct call *c, const struct sso_admin_list_##name##_input *in,                   \
		struct sso_admin_list_##name##_output *out)                                                            \
	{                                                                                                              \
		struct sso_admin_rec_instance i;                                                                       \
		struct sso_admin_rec_operation *o;                                                                     \
		struct ssoa_page page;                                                                                 \
		size_t n, capacity = 0;                                                                                \
		TRY(ssoa_get_organization_instance(c, in->instance_arn, &i));                                          \
		TRY(ssoa_page_begin(c, in->next_token, in->max_results, &page));                                       \
		TRY(operations_of(c, &i, kind, in->filter ? in->filter->status : STR_NONE, &o, &n));                   \
		VEC_PRESENT(c->arena, &out->list);                                                                     \
		for (size_t k = 0; k < n; k++)                                                                         \
			if (ssoa_page_take(&page, k))                                                                  \
				*VEC_PUSH(c->arena, &out->list, &capacity) = (struct metadata){                        \
					.status = o[k].status, .request_id = o[k].id, .created_date = o[k].created};   \
		out->next_token = ssoa_page_end(&page);                                                                \
		return OK;                                                                                             \
	}
OPERATIONS(account_assignment_creation_status, "CREATE", account_assignments_creation_status,
	sso_admin_account_assignment_operation_status_metadata)
OPERATIONS(account_assignment_deletion_status, "DELETE", account_assignments_deletion_status,
	sso_admin_account_assignment_operation_status_metadata)
OPERATIONS(permission_set_provisioning_status, "PROVISION", permission_sets_provisioning_status,
	sso_admin_permission_set_provisioning_status_metadata)

status sso_admin_list_account_assignments(struct call *c, const struct sso_admin_list_account_assignments_input *in,
	struct sso_admin_list_account_assignments_output *out)
{
	struct sso_admin_rec_instance i;
	struct sso_admin_rec_set s;
	struct ssoa_rows rows = {0};
	struct ssoa_page page;
	size_t capacity = 0;
	TRY(ssoa_get_set(c, in->instance_arn, in->permission_set_arn, &i, &s));
	TRY(ssoa_page_begin(c, in->next_token, in->max_results, &page));
	TRY(ssoa_rows(c->tx, c->arena, ssoa_key(c->arena, "assignment", i.id, in->account_id, s.id, STR_NONE), &rows));
	VEC_PRESENT(c->arena, &out->account_assignments);
	for (size_t n = 0; n < rows.n; n++) {
		struct sso_admin_rec_assignment r = {0};
		if (!ssoa_page_take(&page, n)) continue;
		TRY(sso_admin_rec_assignment_decode(c->arena, rows.v[n], &r));
		*VEC_PUSH(c->arena, &out->account_assignments, &capacity) =
			(struct sso_admin_account_assignment){.account_id = r.account,
				.permission_set_arn = in->permission_set_arn,
				.principal_type = r.principal_type,
				.principal_id = r.principal};
	}
	out->next_token = ssoa_page_end(&page);
	return OK;
}

/* A user's own and their groups'. */
status sso_admin_list_account_assignments_for_principal(struct call *c,
	const struct sso_admin_list_account_assignments_for_principal_input *in,
	struct sso_admin_list_account_assignments_for_principal_output *out)
{
	struct sso_admin_rec_instance i;
	struct ssoa_rows rows = {0};
	struct ssoa_page page;
	struct identitystore_ids groups = {0};
	size_t capacity = 0;
	TRY(ssoa_get_organization_instance(c, in->instance_arn, &i));
	TRY(require_principal(c, &i, in->principal_type, in->principal_id));
	TRY(ssoa_page_begin(c, in->next_token, in->max_results, &page));
	if (str_is(in->principal_type, "USER"))
		TRY(identitystore_groups_of(c->tx, c->arena, i.store, in->principal_id, &groups));
	struct str only = in->filter ? in->filter->account_id : STR_NONE;
	TRY(ssoa_rows(c->tx, c->arena, ssoa_key(c->arena, "assignment", i.id, only, STR_NONE, STR_NONE), &rows));
	VEC_PRESENT(c->arena, &out->account_assignments);
	for (size_t n = 0; n < rows.n; n++) {
		struct sso_admin_rec_assignment r = {0};
		TRY(sso_admin_rec_assignment_decode(c->arena, rows.v[n], &r));
		bool matches = str_eq(r.principal, in->principal_id);
		for (size_t g = 0; g < groups.n && !matches; g++) matches = str_eq(r.principal, groups.v[g]);
		if (!matches || !ssoa_page_take(&page, n)) continue;
		*VEC_PUSH(c->arena, &out->account_assignments, &capacity) =
			(struct sso_admin_account_assignment_for_principal){.account_id = r.account,
				.permission_set_arn = ssoa_set_arn(c->arena, &i, r.set),
				.principal_id = r.principal,
				.principal_type = r.principal_type};
	}
	out->next_token = ssoa_page_end(&page);
	return OK;
}
