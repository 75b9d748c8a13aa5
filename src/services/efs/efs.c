/* Amazon Elastic File System: what it does, operation by operation. Replication has no rows.
 */
#include "services/efs/room.h"
#include <dirent.h>

static const struct service_op operations[EFS_OP_COUNT] = {
	[EFS_OP_CREATE_ACCESS_POINT] = OP(efs_create_access_point, 0),
	[EFS_OP_CREATE_FILE_SYSTEM] = OP(efs_create_file_system, OP_BLOCKING),
	[EFS_OP_CREATE_MOUNT_TARGET] = OP(efs_create_mount_target, 0),
	[EFS_OP_CREATE_TAGS] = OP(efs_create_tags, 0),
	[EFS_OP_DELETE_ACCESS_POINT] = OP(efs_delete_access_point, 0),
	[EFS_OP_DELETE_FILE_SYSTEM_POLICY] = OP(efs_delete_file_system_policy, 0),
	[EFS_OP_DELETE_FILE_SYSTEM] = OP(efs_delete_file_system, 0),
	[EFS_OP_DELETE_MOUNT_TARGET] = OP(efs_delete_mount_target, 0),
	[EFS_OP_DELETE_TAGS] = OP(efs_delete_tags, 0),
	[EFS_OP_DESCRIBE_ACCESS_POINTS] = OP(efs_describe_access_points, OP_READ),
	[EFS_OP_DESCRIBE_BACKUP_POLICY] = OP(efs_describe_backup_policy, OP_READ),
	[EFS_OP_DESCRIBE_FILE_SYSTEMS] = OP(efs_describe_file_systems, OP_READ | OP_BLOCKING),
	[EFS_OP_DESCRIBE_FILE_SYSTEM_POLICY] = OP(efs_describe_file_system_policy, OP_READ),
	[EFS_OP_DESCRIBE_LIFECYCLE_CONFIGURATION] = OP(efs_describe_lifecycle_configuration, OP_READ),
	[EFS_OP_DESCRIBE_MOUNT_TARGET_SECURITY_GROUPS] = OP(efs_describe_mount_target_security_groups, OP_READ),
	[EFS_OP_DESCRIBE_MOUNT_TARGETS] = OP(efs_describe_mount_targets, OP_READ),
	[EFS_OP_DESCRIBE_TAGS] = OP(efs_describe_tags, OP_READ),
	[EFS_OP_LIST_TAGS_FOR_RESOURCE] = OP(efs_list_tags_for_resource, OP_READ),
	[EFS_OP_MODIFY_MOUNT_TARGET_SECURITY_GROUPS] = OP(efs_modify_mount_target_security_groups, 0),
	[EFS_OP_PUT_BACKUP_POLICY] = OP(efs_put_backup_policy, 0),
	[EFS_OP_PUT_FILE_SYSTEM_POLICY] = OP(efs_put_file_system_policy, 0),
	[EFS_OP_PUT_LIFECYCLE_CONFIGURATION] = OP(efs_put_lifecycle_configuration, 0),
	[EFS_OP_TAG_RESOURCE] = OP(efs_tag_resource, 0),
	[EFS_OP_UNTAG_RESOURCE] = OP(efs_untag_resource, 0),
	[EFS_OP_UPDATE_FILE_SYSTEM] = OP(efs_update_file_system, OP_BLOCKING),
	[EFS_OP_UPDATE_FILE_SYSTEM_PROTECTION] = OP(efs_update_file_system_protection, 0),
};

/* The folders, which only the host can take away whole. */
static status reset(struct cloud *cloud, void *state, bool gone)
{
	struct arena a;
	(void)state;
	if (!gone) return OK;
	arena_init(&a);
	DIR *d = opendir(str_fmt(&a, "%sefs", store_dir(cloud->store)).p);
	status s = OK;
	for (struct dirent *e; d && is_ok(s) && (e = readdir(d));)
		if (strncmp(e->d_name, "fs-", 3) == 0 && !strchr(e->d_name, '.'))
			s = efs_folder_remove(cloud, &a, efs_folder(&a, str_c(e->d_name)));
	if (d) closedir(d);
	arena_cleanup(&a);
	return s;
}

static status start(struct cloud *cloud, void **state)
{
	*state = NULL;
	jobs_register(cloud->jobs, EFS_REMOVE_JOB, efs_remove_job, cloud);
	jobs_register(cloud->jobs, EFS_OPEN_JOB, efs_open_job, cloud);
	return OK;
}

extern const struct service service_efs;
const struct service service_efs = {
	.model = &wire_service_efs, .ops = operations, .start = start, .ready = efs_open_all, .reset = reset};
