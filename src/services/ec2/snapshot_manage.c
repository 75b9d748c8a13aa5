/* Snapshots once they are there: described, shared, moved between tiers, locked, deleted. */
#include "services/ec2/volume.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)

/* ── DescribeSnapshots ── */

struct listing {
	struct call *c;
	const struct ec2_describe_snapshots_input *in;
	struct ec2_snapshot_list *out;
	size_t capacity;
	status s;
};

/* OwnerIds and RestorableByUserIds: any of each. */
static bool wanted(const struct listing *l, const struct ec2_rec_snapshot *s)
{
	const struct ec2_owner_string_list *owners = &l->in->owner_ids;
	const struct ec2_restorable_by_string_list *by = &l->in->restorable_by_user_ids;
	bool own = str_eq(s->owner_id, l->c->account), match = !owners->n;
	for (size_t i = 0; i < owners->n; i++)
		match = match || str_eq(owners->v[i], s->owner_id) || (str_is(owners->v[i], "self") && own);
	if (!match) return false;
	match = !by->n;
	for (size_t i = 0; i < by->n; i++) {
		bool all = ec2_permitted(&s->permissions, STR("all-accounts"));
		match = match || (str_is(by->v[i], "all") && all) || (str_is(by->v[i], "self") && own) ||
			(!str_is(by->v[i], "all") && ec2_permitted(&s->permissions, by->v[i])) ||
			str_eq(by->v[i], s->owner_id);
	}
	return match;
}

static status add(struct listing *l, const struct ec2_rec_snapshot *s)
{
	struct ec2_snapshot out = {0};
	if (!wanted(l, s)) return OK;
	ec2_show(l->c->arena, EC2_REC_SNAPSHOT, s, EC2_SHAPE_SNAPSHOT, &out);
	if (str_eq(s->owner_id, l->c->account)) TRY(ec2_tags_get(ec2_here(l->c), s->snapshot_id, &out.tags));
	if (ec2_filters_match(l->c->arena, EC2_SHAPE_SNAPSHOT, ec2_type_snapshot.filters, &l->in->filters, &out))
		*VEC_PUSH(l->c->arena, l->out, &l->capacity) = out;
	return OK;
}

static bool add_shared(void *ctx, struct str id, struct str owner)
{
	struct listing *l = ctx;
	struct ec2_place at = ec2_here(l->c);
	struct ec2_rec_snapshot s;
	if (str_eq(owner, l->c->account)) return true;
	at.account = owner;
	l->s = ec2_load(at, &ec2_type_snapshot, id, &s);
	if (is_ok(l->s) && ec2_permitted(&s.permissions, l->c->account)) l->s = add(l, &s);
	return is_ok(l->s);
}

status ec2_describe_snapshots(
	struct call *c, const struct ec2_describe_snapshots_input *in, struct ec2_describe_snapshots_output *out)
{
	struct listing l = {.c = c, .in = in, .out = &out->snapshots, .s = OK};
	TRY(ec2_filters_check(c, ec2_type_snapshot.filters, &in->filters));
	if (in->snapshot_ids.n && in->max_results.has)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"The parameter snapshotSet cannot be used with the parameter maxResults");
	for (size_t i = 0; i < in->snapshot_ids.n; i++) {
		struct ec2_rec_snapshot s;
		struct str owner;
		TRY(ec2_snapshot_usable(c, c->region, in->snapshot_ids.v[i], &s, &owner));
		TRY(add(&l, &s));
	}
	if (!in->snapshot_ids.n) {
		struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_snapshot);
		status s = OK;
		while (is_ok(s) && ec2_next(&e)) s = add(&l, e.item.record);
		TRY(s);
		TRY(ec2_each_end(&e));
		TRY(ec2_share_each(ec2_here(c), "snap-", add_shared, &l));
		TRY(l.s);
	}
	return ec2_page(
		c, &out->snapshots, sizeof(*out->snapshots.v), in->max_results, in->next_token, &out->next_token);
}

/* ── attributes ── */

status ec2_describe_snapshot_attribute(struct call *c, const struct ec2_describe_snapshot_attribute_input *in,
	struct ec2_describe_snapshot_attribute_output *out)
{
	struct ec2_rec_snapshot s;
	size_t capacity = 0;
	TRY(ec2_find(c, &ec2_type_snapshot, in->snapshot_id, &s));
	out->snapshot_id = s.snapshot_id;
	if (str_is(in->attribute, "productCodes")) {
		VEC_PRESENT(c->arena, &out->product_codes);
		return OK;
	}
	VEC_PRESENT(c->arena, &out->create_volume_permissions);
	for (size_t i = 0; i < s.permissions.n; i++)
		*VEC_PUSH(c->arena, &out->create_volume_permissions, &capacity) = (struct ec2_create_volume_permission){
			.user_id = s.permissions.v[i].user_id, .group = s.permissions.v[i].group};
	return OK;
}

status ec2_modify_snapshot_attribute(
	struct call *c, const struct ec2_modify_snapshot_attribute_input *in, struct wire_nothing *out)
{
	struct ec2_rec_snapshot s;
	struct ec2_rec_settings settings;
	struct ec2_permission_change change = {0};
	size_t add = 0, remove = 0;
	(void)out;
	TRY(ec2_find(c, &ec2_type_snapshot, in->snapshot_id, &s));
	TRY(ec2_permission_listed(
		c, in->operation_type, in->user_ids.v, in->user_ids.n, in->group_names.v, in->group_names.n, &change));
	if (in->create_volume_permission) {
		const struct ec2_create_volume_permission_list *a = &in->create_volume_permission->add;
		const struct ec2_create_volume_permission_list *r = &in->create_volume_permission->remove;
		for (size_t i = 0; i < a->n; i++)
			*VEC_PUSH(c->arena, &change.add, &add) =
				(struct ec2_rec_permission){.user_id = a->v[i].user_id, .group = a->v[i].group};
		for (size_t i = 0; i < r->n; i++)
			*VEC_PUSH(c->arena, &change.remove, &remove) =
				(struct ec2_rec_permission){.user_id = r->v[i].user_id, .group = r->v[i].group};
	}
	if (!change.add.n && !change.remove.n)
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"The request must contain the parameter CreateVolumePermission, or UserIds or GroupNames");
	TRY(ec2_settings_get(ec2_here(c), &settings));
	for (size_t i = 0; i < change.add.n; i++) {
		if (!str_is(change.add.v[i].group, "all")) continue;
		if (s.encrypted.v)
			return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED,
				"Encrypted snapshots with EBS default key cannot be shared publicly.");
		if (str_has(settings.snapshot_block) && !str_is(settings.snapshot_block, "unblocked"))
			return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED,
				"You can't publicly share this snapshot because block public access for snapshots is "
				"enabled "
				"for this Region.");
	}
	TRY(ec2_permission_apply(c, &change, &s.permissions));
	ec2_snapshot_put(ec2_here(c), &s);
	ec2_share_index(ec2_here(c), s.snapshot_id, &s.permissions);
	return OK;
}

status ec2_reset_snapshot_attribute(
	struct call *c, const struct ec2_reset_snapshot_attribute_input *in, struct wire_nothing *out)
{
	struct ec2_rec_snapshot s;
	(void)out;
	TRY(ec2_find(c, &ec2_type_snapshot, in->snapshot_id, &s));
	if (!str_is(in->attribute, "createVolumePermission"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "The attribute '%.*s' cannot be reset.",
			STR_ARG(in->attribute));
	s.permissions.n = 0;
	ec2_snapshot_put(ec2_here(c), &s);
	ec2_share_index(ec2_here(c), s.snapshot_id, &s.permissions);
	return OK;
}

/* ── block public access ── */

status ec2_enable_snapshot_block_public_access(struct call *c,
	const struct ec2_enable_snapshot_block_public_access_input *in,
	struct ec2_enable_snapshot_block_public_access_output *out)
{
	struct ec2_rec_settings s;
	TRY(ec2_settings_get(ec2_here(c), &s));
	s.snapshot_block = out->state = in->state;
	ec2_settings_put(ec2_here(c), &s);
	return OK;
}

status ec2_disable_snapshot_block_public_access(struct call *c,
	const struct ec2_disable_snapshot_block_public_access_input *in,
	struct ec2_disable_snapshot_block_public_access_output *out)
{
	struct ec2_rec_settings s;
	(void)in;
	TRY(ec2_settings_get(ec2_here(c), &s));
	s.snapshot_block = out->state = STR("unblocked");
	ec2_settings_put(ec2_here(c), &s);
	return OK;
}

status ec2_get_snapshot_block_public_access_state(struct call *c,
	const struct ec2_get_snapshot_block_public_access_state_input *in,
	struct ec2_get_snapshot_block_public_access_state_output *out)
{
	struct ec2_rec_settings s;
	(void)in;
	TRY(ec2_settings_get(ec2_here(c), &s));
	out->state = str_or(s.snapshot_block, STR("unblocked"));
	out->managed_by = STR("account");
	return OK;
}

/* ── locks ── "Amazon EBS snapshot lock", the EBS guide ── */

static bool is_locked(const struct ec2_rec_snapshot *s, int64_t now_ms)
{
	return s->locked_until.has && s->locked_until.ms > now_ms;
}

status ec2_lock_snapshot(struct call *c, const struct ec2_lock_snapshot_input *in, struct ec2_lock_snapshot_output *out)
{
	struct ec2_rec_snapshot s;
	TRY(ec2_find(c, &ec2_type_snapshot, in->snapshot_id, &s));
	if (in->lock_duration.has == in->expiration_date.has)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"You must specify either LockDuration or ExpirationDate, but not both.");
	int64_t until = in->expiration_date.has ? in->expiration_date.ms : c->now_ms + in->lock_duration.v * DAY_MS;
	if (until <= c->now_ms)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "The lock has to end in the future.");
	if (is_locked(&s, c->now_ms) && str_is(s.lock_mode, "compliance") && until < s.locked_until.ms)
		return call_fail(c, EC2_ERR_INVALID_STATE, "A lock in compliance mode can only be extended.");
	s.locked_until = SOME_TIME(until);
	s.lock_mode = in->lock_mode;
	ec2_snapshot_put(ec2_here(c), &s);
	*out = (struct ec2_lock_snapshot_output){.snapshot_id = s.snapshot_id,
		.lock_state = in->lock_mode,
		.lock_duration = SOME_I32((int32_t)((until - c->now_ms) / DAY_MS)),
		.lock_created_on = SOME_TIME(c->now_ms),
		.lock_expires_on = SOME_TIME(until),
		.lock_duration_start_time = SOME_TIME(c->now_ms)};
	return OK;
}

status ec2_unlock_snapshot(
	struct call *c, const struct ec2_unlock_snapshot_input *in, struct ec2_unlock_snapshot_output *out)
{
	struct ec2_rec_snapshot s;
	TRY(ec2_find(c, &ec2_type_snapshot, in->snapshot_id, &s));
	if (!is_locked(&s, c->now_ms))
		return call_fail(c, EC2_ERR_INVALID_STATE, "The snapshot %.*s is not locked.", STR_ARG(s.snapshot_id));
	if (str_is(s.lock_mode, "compliance"))
		return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED,
			"The snapshot %.*s is locked in compliance mode and cannot be unlocked.",
			STR_ARG(s.snapshot_id));
	s.locked_until.has = false;
	ec2_snapshot_put(ec2_here(c), &s);
	out->snapshot_id = s.snapshot_id;
	return OK;
}

/* ── tiers ── */

status ec2_modify_snapshot_tier(
	struct call *c, const struct ec2_modify_snapshot_tier_input *in, struct ec2_modify_snapshot_tier_output *out)
{
	struct ec2_rec_snapshot s;
	TRY(ec2_find(c, &ec2_type_snapshot, in->snapshot_id, &s));
	if (!str_is(s.state, "completed") || str_is(s.storage_tier, "archive"))
		return call_fail(c, EC2_ERR_INCORRECT_STATE, "The snapshot %.*s cannot be archived in its state.",
			STR_ARG(s.snapshot_id));
	s.storage_tier = STR("archive");
	s.tier_changed = SOME_TIME(c->now_ms);
	ec2_snapshot_put(ec2_here(c), &s);
	out->snapshot_id = s.snapshot_id;
	out->tiering_start_time = SOME_TIME(c->now_ms);
	return OK;
}

status ec2_restore_snapshot_tier(
	struct call *c, const struct ec2_restore_snapshot_tier_input *in, struct ec2_restore_snapshot_tier_output *out)
{
	struct ec2_rec_snapshot s;
	TRY(ec2_find(c, &ec2_type_snapshot, in->snapshot_id, &s));
	if (!str_is(s.storage_tier, "archive"))
		return call_fail(
			c, EC2_ERR_INCORRECT_STATE, "The snapshot %.*s is not archived.", STR_ARG(s.snapshot_id));
	if (in->permanent_restore.v == in->temporary_restore_days.has)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"You must specify either TemporaryRestoreDays or PermanentRestore.");
	s.storage_tier = STR("standard");
	s.tier_changed = SOME_TIME(c->now_ms);
	s.restore_expiry = in->permanent_restore.v ? (struct opt_time){0}
						   : SOME_TIME(c->now_ms + in->temporary_restore_days.v * DAY_MS);
	if (s.restore_expiry.has) ec2_snapshot_poke(ec2_here(c), s.snapshot_id, s.restore_expiry.ms);
	ec2_snapshot_put(ec2_here(c), &s);
	*out = (struct ec2_restore_snapshot_tier_output){.snapshot_id = s.snapshot_id,
		.restore_start_time = SOME_TIME(c->now_ms),
		.restore_duration = in->temporary_restore_days,
		.is_permanent_restore = SOME_BOOL(in->permanent_restore.v)};
	return OK;
}

/* ── DeleteSnapshot ── */

status ec2_delete_snapshot(struct call *c, const struct ec2_delete_snapshot_input *in, struct wire_nothing *out)
{
	struct ec2_rec_snapshot s;
	struct str image;
	(void)out;
	TRY(ec2_find(c, &ec2_type_snapshot, in->snapshot_id, &s));
	if (is_locked(&s, c->now_ms))
		return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED,
			"The snapshot %.*s is locked and cannot be deleted.", STR_ARG(s.snapshot_id));
	TRY(ec2_image_of_snapshot(c, s.snapshot_id, &image));
	if (str_has(image))
		return call_fail(c, EC2_ERR_INVALID_SNAPSHOT_IN_USE, "The snapshot %.*s is currently in use by %.*s",
			STR_ARG(s.snapshot_id), STR_ARG(image));
	bool kept = false;
	if (str_is(s.state, "completed")) TRY(ec2_recycle(c, &ec2_type_snapshot, s.snapshot_id, &s, &kept));
	TRY(ec2_fast_restores_drop(ec2_here(c), s.snapshot_id));
	s.permissions.n = 0;
	ec2_share_index(ec2_here(c), s.snapshot_id, &s.permissions);
	if (kept) return OK;
	struct ec2_blocks b = {.at = ec2_here(c), .snapshot = s.snapshot_id};
	TRY(ec2_blocks_drop(&b));
	/* The job finds nothing, and removes what was copied aside for it. */
	ec2_snapshot_poke(ec2_here(c), s.snapshot_id, c->now_ms);
	ec2_drop(ec2_here(c), &ec2_type_snapshot, s.snapshot_id);
	return OK;
}
