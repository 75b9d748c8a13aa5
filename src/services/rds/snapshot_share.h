/* What DB snapshots and DB cluster snapshots have in common: snapshot.c, restore.c. */
#pragma once
#include "services/rds/room.h"

bool rds_snapshot_shared_with(const struct rds_rec_snapshot *r, struct str account);
/* ValuesToAdd and ValuesToRemove of the attribute "restore". */
status rds_snapshot_share(struct call *c, struct rds_rec_snapshot *r, const struct rds_attribute_value_list *add,
	const struct rds_attribute_value_list *remove) MUST_USE;
/* Where a copy's data come from and go to: folder, or one sealed by that key or the source's ("": none was given). The
 * client's error. */
status rds_snapshot_copied(struct call *c, const struct rds_rec_snapshot *from, struct str key, struct str folder,
	struct rds_rec_snapshot *to) MUST_USE;
/* The newest automated snapshot that was whole by then; without a name where there is none. */
status rds_restore_base(
	struct call *c, const struct rds_rec_instance *from, int64_t ms, struct rds_rec_snapshot *out) MUST_USE;
/* The machine's time of a moment of virtual time. */
int64_t rds_machine_time(const struct rds_rec_instance *r, int64_t ms);
