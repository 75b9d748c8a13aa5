/* Maintenance and snapshot windows: "ddd:hh24:mi-ddd:hh24:mi" and "hh24:mi-hh24:mi", of an hour at least
 * (CreateReplicationGroup, the reference). Their arithmetic is RDS's. */
#include "services/elasticache/room.h"
#include "services/rds/room.h"

status cache_windows_check(struct call *c, struct str maintenance, struct str snapshot)
{
	int64_t lasts;
	if (str_has(maintenance) && (!rds_window_length(maintenance, true, &lasts) || lasts < 60))
		return CACHE_BAD_VALUE(c,
			"Invalid PreferredMaintenanceWindow %.*s. Must be ddd:hh24:mi-ddd:hh24:mi, at least "
			"60 minutes",
			STR_ARG(maintenance));
	if (str_has(snapshot) && (!rds_window_length(snapshot, false, &lasts) || lasts < 60))
		return CACHE_BAD_VALUE(c, "Invalid SnapshotWindow %.*s. Must be hh24:mi-hh24:mi, at least 60 minutes",
			STR_ARG(snapshot));
	return OK;
}
