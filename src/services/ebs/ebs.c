/* Amazon EBS direct APIs: what they do, operation by operation; and the snapshots that they are asked about. */
#include "services/ebs/room.h"
#include "services/kms/keys.h"

status ebs_put_snapshot_block_prepare(struct call *c, const void *in, struct body_plan *plan);

static const struct service_op operations[EBS_OP_COUNT] = {
	[EBS_OP_COMPLETE_SNAPSHOT] = OP(ebs_complete_snapshot, OP_BLOCKING),
	[EBS_OP_GET_SNAPSHOT_BLOCK] = OP(ebs_get_snapshot_block, OP_READ | OP_BLOCKING),
	[EBS_OP_LIST_CHANGED_BLOCKS] = OP(ebs_list_changed_blocks, OP_READ | OP_BLOCKING),
	[EBS_OP_LIST_SNAPSHOT_BLOCKS] = OP(ebs_list_snapshot_blocks, OP_READ | OP_BLOCKING),
	[EBS_OP_PUT_SNAPSHOT_BLOCK] = OP_STREAM(ebs_put_snapshot_block, OP_BLOCKING, ebs_put_snapshot_block_prepare),
	[EBS_OP_START_SNAPSHOT] = OP(ebs_start_snapshot, OP_BLOCKING),
};

extern const struct service service_ebs;
const struct service service_ebs = {.model = &wire_service_ebs, .ops = operations};

status ebs_reason_validation(struct call *c, const char *reason)
{
	struct ebs_validation_exception *e = arena_new(c->arena, struct ebs_validation_exception);
	e->message = c->failure.message;
	e->reason = str_c(reason);
	call_fail_members(c, e);
	return STATUS(FAILED);
}

status ebs_reason_not_found(struct call *c, const char *reason)
{
	struct ebs_resource_not_found_exception *e = arena_new(c->arena, struct ebs_resource_not_found_exception);
	e->message = c->failure.message;
	e->reason = str_c(reason);
	call_fail_members(c, e);
	return STATUS(FAILED);
}

status ebs_reason_access_denied(struct call *c, const char *reason)
{
	struct ebs_access_denied_exception *e = arena_new(c->arena, struct ebs_access_denied_exception);
	e->message = c->failure.message;
	e->reason = str_c(reason);
	call_fail_members(c, e);
	return STATUS(FAILED);
}

static status open_key(struct call *c, struct ebs_snapshot *s)
{
	struct kms_use u = kms_use_of(c);
	struct kms_refusal why;
	if (!s->record.encrypted.v) return OK;
	status st = ec2_crypt_open(&u, s->record.data_key, s->record.data_key_id, &s->blocks.key, &why);
	if (status_is(st, STATUS_FAILED)) return EBS_INVALID(c, "INVALID_CUSTOMER_KEY", "%.*s", STR_ARG(why.message));
	return st;
}

status ebs_find(struct call *c, struct str id, struct ebs_snapshot *out)
{
	struct ec2_place at = ec2_here(c);
	*out = (struct ebs_snapshot){0};
	status s = ec2_load(at, &ec2_type_snapshot, id, &out->record);
	if (status_is(s, STATUS_NOT_FOUND)) {
		s = ec2_share_owner(at, id, &at.account);
		if (is_ok(s)) {
			at.account = str_dup(c->arena, at.account);
			s = ec2_load(at, &ec2_type_snapshot, id, &out->record);
		}
		if (is_ok(s) && !ec2_permitted(&out->record.permissions, c->account)) s = STATUS(NOT_FOUND);
	}
	if (status_is(s, STATUS_NOT_FOUND))
		return EBS_FAIL(c, RESOURCE_NOT_FOUND, not_found, "SNAPSHOT_NOT_FOUND",
			"The snapshot '%.*s' does not exist.", STR_ARG(id));
	TRY(s);
	if (!str_is(out->record.state, "completed"))
		return EBS_INVALID(
			c, "INVALID_SNAPSHOT_ID", "The snapshot '%.*s' is not in the completed state.", STR_ARG(id));
	if (str_is(out->record.storage_tier, "archive"))
		return EBS_INVALID(c, "INVALID_SNAPSHOT_ID", "The snapshot '%.*s' is archived.", STR_ARG(id));
	out->blocks = (struct ec2_blocks){.at = at, .snapshot = id};
	/* "Permissions to use AWS KMS keys", EBS direct APIs. */
	if (out->record.encrypted.v && !ec2_key_may(c, out->record.kms_key_id, out->record.data_key_id, EC2_KEY_READ))
		return EBS_FAIL(c, ACCESS_DENIED, access_denied, "DEPENDENCY_ACCESS_DENIED",
			"The requester lacks permission to use the KMS key of the snapshot '%.*s'.", STR_ARG(id));
	return open_key(c, out);
}

status ebs_find_open(struct call *c, struct str id, struct ebs_snapshot *out)
{
	*out = (struct ebs_snapshot){.blocks = {.at = ec2_here(c), .snapshot = id}};
	status s = ec2_load(ec2_here(c), &ec2_type_snapshot, id, &out->record);
	if (status_is(s, STATUS_NOT_FOUND))
		return EBS_FAIL(c, RESOURCE_NOT_FOUND, not_found, "SNAPSHOT_NOT_FOUND",
			"The snapshot '%.*s' does not exist.", STR_ARG(id));
	TRY(s);
	if (!out->record.direct.v || !str_is(out->record.state, "pending"))
		return EBS_INVALID(c, "INVALID_SNAPSHOT_ID",
			"The snapshot '%.*s' was not started by StartSnapshot, or is not pending.", STR_ARG(id));
	return open_key(c, out);
}
