/* Lifecycle policies: made, changed, described, tagged, deleted. */
#include "base/rand.h"
#include "services/dlm/room.h"
#include "wire/shape.h"

enum { POLICIES_MAX = 100 }; /* "Quotas", the guide */

/* ── records ── */

static struct str key_of(struct ec2_place at, struct str id)
{
	struct key k = key_for(at.a, STR("dlm"), STR("policy"), at.account, at.region);
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

status dlm_policy_load(struct ec2_place at, struct str id, struct dlm_rec_policy *out)
{
	struct str bytes;
	*out = (struct dlm_rec_policy){0};
	TRY(store_get(at.tx, key_of(at, id), &bytes));
	return dlm_rec_policy_decode(at.a, bytes, out);
}

void dlm_policy_put(struct ec2_place at, const struct dlm_rec_policy *p)
{
	store_put(at.tx, key_of(at, p->id), dlm_rec_policy_encode(at.a, p));
}

status dlm_details(struct arena *a, const struct dlm_rec_policy *p, struct dlm_policy_details *out)
{
	*out = (struct dlm_policy_details){0};
	return wire_shape_read(a, &wire_service_dlm.tables, DLM_SHAPE_POLICY_DETAILS, p->details, out);
}

bool dlm_of_images(const struct dlm_policy_details *d)
{
	return str_is(d->policy_type, "IMAGE_MANAGEMENT");
}

bool dlm_of_instances(const struct dlm_policy_details *d)
{
	return d->resource_types.n && str_is(d->resource_types.v[0], "INSTANCE");
}

static status find(struct call *c, struct str id, struct dlm_rec_policy *out)
{
	status s = dlm_policy_load(ec2_here(c), id, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	size_t capacity = 0;
	struct dlm_resource_not_found_exception *e = arena_new(c->arena, struct dlm_resource_not_found_exception);
	call_fail(c, DLM_ERR_RESOURCE_NOT_FOUND_EXCEPTION, "The policy with ID %.*s does not exist.", STR_ARG(id));
	e->message = c->failure.message;
	e->code = STR("RESOURCE_NOT_FOUND");
	e->resource_type = STR("policy");
	*VEC_PUSH(c->arena, &e->resource_ids, &capacity) = id;
	call_fail_members(c, e);
	return STATUS(FAILED);
}

/* ── tags ── */

static struct dlm_tag_map tags_out(struct arena *a, const struct dlm_rec_pairs *t)
{
	struct dlm_tag_map out = {arena_new_n(a, struct dlm_tag_map_entry, t->n), t->n};
	for (size_t i = 0; i < t->n; i++) out.v[i] = (struct dlm_tag_map_entry){t->v[i].key, t->v[i].value};
	return out;
}

static void tags_add(struct arena *a, const struct dlm_tag_map *from, struct dlm_rec_pairs *to)
{
	struct dlm_rec_pairs all = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < to->n; i++) *VEC_PUSH(a, &all, &capacity) = to->v[i];
	for (size_t i = 0; i < from->n; i++) {
		size_t at = 0;
		while (at < all.n && !str_eq(all.v[at].key, from->v[i].key)) at++;
		if (at == all.n) VEC_PUSH(a, &all, &capacity)->key = from->v[i].key;
		all.v[at].value = from->v[i].value;
	}
	*to = all;
}

static struct str arn_of(const struct call *c, const struct dlm_rec_policy *p)
{
	return call_arn(c, STR("dlm"), "policy/%.*s", STR_ARG(p->id));
}

static status of_arn(struct call *c, struct str arn, struct dlm_rec_policy *out)
{
	struct str id = str_from(arn, (size_t)str_rchr(arn, '/') + 1);
	TRY(find(c, id, out));
	return str_eq(arn, arn_of(c, out)) ? OK : find(c, arn, out);
}

status dlm_list_tags_for_resource(struct call *c, const struct dlm_list_tags_for_resource_input *in,
	struct dlm_list_tags_for_resource_output *out)
{
	struct dlm_rec_policy p;
	TRY(of_arn(c, in->resource_arn, &p));
	out->tags = tags_out(c->arena, &p.tags);
	return OK;
}

status dlm_tag_resource(struct call *c, const struct dlm_tag_resource_input *in, struct dlm_tag_resource_output *out)
{
	struct dlm_rec_policy p;
	(void)out;
	TRY(of_arn(c, in->resource_arn, &p));
	tags_add(c->arena, &in->tags, &p.tags);
	dlm_policy_put(ec2_here(c), &p);
	return OK;
}

status dlm_untag_resource(
	struct call *c, const struct dlm_untag_resource_input *in, struct dlm_untag_resource_output *out)
{
	struct dlm_rec_policy p;
	size_t kept = 0;
	(void)out;
	TRY(of_arn(c, in->resource_arn, &p));
	for (size_t i = 0; i < p.tags.n; i++)
		if (!ec2_is_among(in->tag_keys.v, in->tag_keys.n, p.tags.v[i].key)) p.tags.v[kept++] = p.tags.v[i];
	p.tags.n = kept;
	dlm_policy_put(ec2_here(c), &p);
	return OK;
}

/* ── policies ── */

struct policies {
	struct dlm_rec_policy *v;
	size_t n;
};

static status all_policies(struct call *c, struct policies *out)
{
	struct str from = key_of(ec2_here(c), STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	size_t capacity = 0;
	status s = OK;
	*out = (struct policies){0};
	while (is_ok(s) && store_scan_next(scan, &key, &value))
		s = dlm_rec_policy_decode(c->arena, str_dup(c->arena, value), VEC_PUSH(c->arena, out, &capacity));
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

/* The parameters of the request that are a default policy's. */
#define TAKE_DEFAULTS(in, d)                                                                                           \
	do {                                                                                                           \
		if ((in)->create_interval.has) (d)->create_interval = (in)->create_interval;                           \
		if ((in)->retain_interval.has) (d)->retain_interval = (in)->retain_interval;                           \
		if ((in)->copy_tags.has) (d)->copy_tags = (in)->copy_tags;                                             \
		if ((in)->extend_deletion.has) (d)->extend_deletion = (in)->extend_deletion;                           \
		if ((in)->exclusions) (d)->exclusions = (in)->exclusions;                                              \
		if ((in)->cross_region_copy_targets.v)                                                                 \
			(d)->cross_region_copy_targets = (in)->cross_region_copy_targets;                              \
	} while (0)
#define HAS_DEFAULTS(in)                                                                                               \
	((in)->create_interval.has || (in)->retain_interval.has || (in)->copy_tags.has || (in)->extend_deletion.has || \
		(in)->exclusions || (in)->cross_region_copy_targets.n)

/* What the request describes: a default policy, of which there is one of each kind, or another. */
static status describe(struct call *c, const struct dlm_create_lifecycle_policy_input *in, const struct policies *all,
	struct dlm_policy_details *d)
{
	if (!str_has(in->default_policy)) {
		if (HAS_DEFAULTS(in)) return dlm_invalid(c, "These parameters are of default policies.");
		if (!in->policy_details) return dlm_invalid(c, "The request needs PolicyDetails.");
		*d = *in->policy_details;
		return dlm_check(c, d);
	}
	if (in->policy_details) return dlm_invalid(c, "A default policy has no PolicyDetails in the request.");
	for (size_t i = 0; i < all->n; i++) {
		struct dlm_policy_details other;
		TRY(dlm_details(c->arena, &all->v[i], &other));
		if (dlm_is_default(&other) && str_eq(other.resource_type, in->default_policy))
			return dlm_invalid(
				c, "There is a default policy of type %.*s already.", STR_ARG(in->default_policy));
	}
	*d = (struct dlm_policy_details){.resource_type = in->default_policy};
	TAKE_DEFAULTS(in, d);
	return dlm_default_check(c, d);
}

status dlm_create_lifecycle_policy(struct call *c, const struct dlm_create_lifecycle_policy_input *in,
	struct dlm_create_lifecycle_policy_output *out)
{
	struct policies all;
	struct dlm_policy_details d;
	TRY(all_policies(c, &all));
	TRY(describe(c, in, &all, &d));
	if (all.n >= POLICIES_MAX)
		return call_fail(
			c, DLM_ERR_LIMIT_EXCEEDED_EXCEPTION, "There can be %d policies in a Region.", POLICIES_MAX);
	struct dlm_rec_policy p = {.id = ec2_new_id(c->arena, "policy-"),
		.description = in->description,
		.state = in->state,
		.role = in->execution_role_arn,
		.created = SOME_TIME(c->now_ms),
		.modified = SOME_TIME(c->now_ms),
		.details = wire_shape_write(c->arena, &wire_service_dlm.tables, DLM_SHAPE_POLICY_DETAILS, &d)};
	tags_add(c->arena, &in->tags, &p.tags);
	dlm_policy_put(ec2_here(c), &p);
	dlm_schedules_begin(ec2_here(c), &p, dlm_schedules(&d), c->now_ms);
	ec2_poke_jobs(c);
	out->policy_id = p.id;
	return OK;
}

status dlm_update_lifecycle_policy(struct call *c, const struct dlm_update_lifecycle_policy_input *in,
	struct dlm_update_lifecycle_policy_output *out)
{
	struct dlm_rec_policy p;
	struct dlm_policy_details old, d;
	(void)out;
	TRY(find(c, in->policy_id, &p));
	TRY(dlm_details(c->arena, &p, &old));
	d = old;
	if (dlm_is_default(&old)) {
		if (in->policy_details) return dlm_invalid(c, "A default policy has no PolicyDetails in the request.");
		TAKE_DEFAULTS(in, &d);
		TRY(dlm_default_check(c, &d));
		p.details = wire_shape_write(c->arena, &wire_service_dlm.tables, DLM_SHAPE_POLICY_DETAILS, &d);
	} else if (HAS_DEFAULTS(in)) {
		return dlm_invalid(c, "These parameters are of default policies.");
	}
	if (in->policy_details) {
		struct dlm_policy_details given = *in->policy_details;
		if (!str_has(given.policy_type)) given.policy_type = old.policy_type;
		if (!str_eq(given.policy_type, old.policy_type))
			return dlm_invalid(c, "A policy's type can't be changed.");
		ec2_replace(&wire_service_dlm.tables, DLM_SHAPE_POLICY_DETAILS, &given, &d);
		TRY(dlm_check(c, &d));
		p.details = wire_shape_write(c->arena, &wire_service_dlm.tables, DLM_SHAPE_POLICY_DETAILS, &d);
	}
	if (str_has(in->execution_role_arn)) p.role = in->execution_role_arn;
	if (str_has(in->state)) p.state = in->state;
	if (str_has(in->description)) p.description = in->description;
	p.problem = STR_NONE;
	p.modified = SOME_TIME(c->now_ms);
	dlm_policy_put(ec2_here(c), &p);
	dlm_schedules_stop(ec2_here(c), &p, dlm_schedules(&old));
	dlm_schedules_begin(ec2_here(c), &p, dlm_schedules(&d), c->now_ms);
	ec2_poke_jobs(c);
	return OK;
}

/* What it has made stays, for good. */
status dlm_delete_lifecycle_policy(struct call *c, const struct dlm_delete_lifecycle_policy_input *in,
	struct dlm_delete_lifecycle_policy_output *out)
{
	struct dlm_rec_policy p;
	struct dlm_policy_details d;
	(void)out;
	TRY(find(c, in->policy_id, &p));
	TRY(dlm_details(c->arena, &p, &d));
	dlm_schedules_stop(ec2_here(c), &p, dlm_schedules(&d));
	struct key k = key_for(c->arena, STR("dlm"), STR("made"), c->account, c->region);
	key_str(&k, p.id);
	struct str from = key_done(&k), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) store_delete(c->tx, str_dup(c->arena, key));
	TRY(store_scan_end(scan));
	store_delete(c->tx, key_of(ec2_here(c), p.id));
	return OK;
}

static struct str state_of(const struct dlm_rec_policy *p)
{
	return str_has(p->problem) && str_is(p->state, "ENABLED") ? STR("ERROR") : p->state;
}

status dlm_get_lifecycle_policy(
	struct call *c, const struct dlm_get_lifecycle_policy_input *in, struct dlm_get_lifecycle_policy_output *out)
{
	struct dlm_rec_policy p;
	TRY(find(c, in->policy_id, &p));
	out->policy = arena_new(c->arena, struct dlm_lifecycle_policy);
	*out->policy = (struct dlm_lifecycle_policy){.policy_id = p.id,
		.description = p.description,
		.state = state_of(&p),
		.status_message = str_or(p.problem, STR_NONE),
		.execution_role_arn = p.role,
		.date_created = p.created,
		.date_modified = p.modified,
		.policy_details = arena_new(c->arena, struct dlm_policy_details),
		.tags = tags_out(c->arena, &p.tags),
		.policy_arn = arn_of(c, &p)};
	TRY(dlm_details(c->arena, &p, out->policy->policy_details));
	out->policy->default_policy = SOME_BOOL(dlm_is_default(out->policy->policy_details));
	/* It tells its one type by ResourceType alone. */
	if (out->policy->default_policy.v)
		out->policy->policy_details->resource_types = (struct dlm_resource_type_values_list){0};
	return OK;
}

/* "key=value", any of the filter's among the tags. */
static bool any_tag(const struct str *filter, size_t n, const struct dlm_tag *tags, size_t n_tags)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n_tags; k++) {
			struct str rest = filter[i], key = str_cut(&rest, '=');
			if (str_eq(key, tags[k].key) && str_eq(str_or(rest, STR("")), tags[k].value)) return true;
		}
	return n == 0;
}

static bool wanted(const struct dlm_get_lifecycle_policies_input *in, const struct dlm_rec_policy *p,
	const struct dlm_policy_details *d)
{
	bool adds = in->tags_to_add.n == 0;
	if (in->policy_ids.n && !ec2_is_among(in->policy_ids.v, in->policy_ids.n, p->id)) return false;
	if (str_has(in->state) && !str_eq(in->state, state_of(p))) return false;
	if (in->resource_types.n && !str_eq(in->resource_types.v[0], d->resource_types.v[0])) return false;
	/* "[Default policies only]" */
	if (str_has(in->default_policy_type) &&
		(!dlm_is_default(d) || (!str_is(in->default_policy_type, "ALL") &&
					       !str_eq(in->default_policy_type, d->resource_type))))
		return false;
	for (size_t i = 0; i < d->schedules.n; i++)
		adds = adds || any_tag(in->tags_to_add.v, in->tags_to_add.n, d->schedules.v[i].tags_to_add.v,
				       d->schedules.v[i].tags_to_add.n);
	return adds && any_tag(in->target_tags.v, in->target_tags.n, d->target_tags.v, d->target_tags.n);
}

status dlm_get_lifecycle_policies(struct call *c, const struct dlm_get_lifecycle_policies_input *in,
	struct dlm_get_lifecycle_policies_output *out)
{
	struct policies all;
	size_t capacity = 0;
	for (size_t i = 0; i < in->policy_ids.n; i++) {
		struct dlm_rec_policy p;
		TRY(find(c, in->policy_ids.v[i], &p));
	}
	TRY(all_policies(c, &all));
	VEC_PRESENT(c->arena, &out->policies);
	for (size_t i = 0; i < all.n; i++) {
		struct dlm_policy_details d;
		TRY(dlm_details(c->arena, &all.v[i], &d));
		if (!wanted(in, &all.v[i], &d)) continue;
		*VEC_PUSH(c->arena, &out->policies, &capacity) =
			(struct dlm_lifecycle_policy_summary){.policy_id = all.v[i].id,
				.description = all.v[i].description,
				.state = state_of(&all.v[i]),
				.tags = tags_out(c->arena, &all.v[i].tags),
				.policy_type = d.policy_type,
				.default_policy = SOME_BOOL(dlm_is_default(&d))};
	}
	return OK;
}
