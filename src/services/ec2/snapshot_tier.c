/* DescribeSnapshotTierStatus: where an account's snapshots lie, and what last became of that ("Archive Amazon EBS
 * snapshots", the EBS guide). */
#include "services/ec2/volume.h"

static const char *const filters[] = {
	"last-tiering-operation=LastTieringOperationStatus", "snapshot-id", "volume-id", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_snapshot *s = item->record;
	struct ec2_snapshot_tier_status *out = to;
	bool archived = str_is(s->storage_tier, "archive");
	(void)c;
	out->status = s->state;
	out->owner_id = item->at.account;
	if (!s->tier_changed.has) return OK;
	out->last_tiering_start_time = s->tier_changed;
	out->last_tiering_progress = SOME_I32(100);
	out->last_tiering_operation_status = archived                ? STR("archival-completed")
					     : s->restore_expiry.has ? STR("temporary-restore-completed")
								     : STR("permanent-restore-completed");
	if (archived) out->archival_complete_time = s->tier_changed;
	out->restore_expiry_time = s->restore_expiry;
	return OK;
}

status ec2_describe_snapshot_tier_status(struct call *c, const struct ec2_describe_snapshot_tier_status_input *in,
	struct ec2_describe_snapshot_tier_status_output *out)
{
	return ec2_describe(c, &(struct ec2_describe){.type = &ec2_type_snapshot,
				       .filters = &in->filters,
				       .max_results = in->max_results,
				       .next_token = in->next_token,
				       .out = &out->snapshot_tier_statuses,
				       .next_out = &out->next_token,
				       .shape = EC2_SHAPE_SNAPSHOT_TIER_STATUS,
				       .filter_names = filters,
				       .render = render});
}
