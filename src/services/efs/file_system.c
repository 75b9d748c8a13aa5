/* File systems: made, described, changed, deleted; their policies of life cycle, kept as records, and of backup. */
#include "base/log.h"
#include "host/host.h"
#include "host/seal/sealer.h"
#include "services/efs/room.h"
#include "wire/shape.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_SYSTEMS_MAX = 1000, EMPTY_BYTES = 6144 };
#define AGAIN_MS 1000

struct str efs_folder(struct arena *a, struct str file_system)
{
	return str_fmt(a, "efs/%.*s", STR_ARG(file_system));
}

struct str efs_files(struct arena *a, const struct efs_rec_file_system *f)
{
	struct str folder = efs_folder(a, f->file_system_id);
	return f->encrypted.v ? str_cat(a, folder, STR("/files")) : folder;
}

static const char *path_of(struct cloud *cloud, struct arena *a, const char *relative)
{
	return str_z(a, str_fmt(a, "%s%s", store_dir(cloud->store), relative));
}

/* ── shown ── */

/* "The latest known metered size": what its files take, and 6 KiB, which an empty one has. */
static status size_of(struct call *c, const struct efs_rec_file_system *f, struct efs_file_system_size **out)
{
	uint64_t bytes = 0;
	if (host_available(c->cloud->host)) TRY(host_share_measure(c->cloud->host, efs_files(c->arena, f), &bytes));
	int64_t all = (int64_t)bytes + EMPTY_BYTES;
	*out = arena_new(c->arena, struct efs_file_system_size);
	**out = (struct efs_file_system_size){.value = SOME_I64(all),
		.timestamp = SOME_TIME(c->now_ms),
		.value_in_ia = SOME_I64(0),
		.value_in_standard = SOME_I64(all),
		.value_in_archive = SOME_I64(0)};
	return OK;
}

static status show(struct call *c, const struct efs_rec_file_system *f, struct efs_file_system_description *out)
{
	struct efs_all targets;
	*out = (struct efs_file_system_description){0};
	wire_shape_copy(c->arena, &efs_state_tables, EFS_REC_FILE_SYSTEM, f, &wire_service_efs.tables,
		EFS_SHAPE_FILE_SYSTEM_DESCRIPTION, out);
	TRY(efs_all(c, EFS_MOUNT_TARGET, f->file_system_id, &targets));
	TRY(size_of(c, f, &out->size_in_bytes));
	out->owner_id = c->account;
	out->file_system_arn = call_arn(c, STR("elasticfilesystem"), "file-system/%.*s", STR_ARG(f->file_system_id));
	bool opens = f->encrypted.v && !f->opened.v && host_available(c->cloud->host);
	out->life_cycle_state = opens ? STR("creating") : STR("available");
	out->number_of_mount_targets = SOME_I32((int32_t)targets.n);
	out->tags = efs_tags_out(c->arena, &f->tags);
	for (size_t i = 0; i < f->tags.n; i++)
		if (str_is(f->tags.v[i].key, "Name")) out->name = f->tags.v[i].value;
	out->file_system_protection = arena_new(c->arena, struct efs_file_system_protection_description);
	out->file_system_protection->replication_overwrite_protection = str_or(f->protection, STR("ENABLED"));
	return OK;
}

/* ── CreateFileSystem ── */

static status check_throughput(struct call *c, struct str mode, struct opt_f64 mibps, struct str performance)
{
	if (str_is(mode, "provisioned") && !mibps.has)
		return EFS_BAD(c, "ProvisionedThroughputInMibps is required when ThroughputMode is provisioned.");
	if (!str_is(mode, "provisioned") && mibps.has)
		return EFS_BAD(c, "ProvisionedThroughputInMibps can only be given when ThroughputMode is provisioned.");
	if (str_is(mode, "elastic") && str_is(performance, "maxIO"))
		return EFS_BAD(c, "The elastic throughput mode is not supported with the maxIO performance mode.");
	return OK;
}

static status check_token(struct call *c, struct str token)
{
	struct efs_all all;
	TRY(efs_all(c, EFS_FILE_SYSTEM, STR_NONE, &all));
	if (all.n >= FILE_SYSTEMS_MAX)
		return efs_fail(c, EFS_ERR_FILE_SYSTEM_LIMIT_EXCEEDED, "FileSystemLimitExceeded",
			"There can be %d file systems in a Region.", FILE_SYSTEMS_MAX);
	for (size_t i = 0; i < all.n; i++) {
		const struct efs_rec_file_system *f = (const struct efs_rec_file_system *)all.v + i;
		if (!str_eq(f->creation_token, token)) continue;
		call_fail(c, EFS_ERR_FILE_SYSTEM_ALREADY_EXISTS,
			"File system '%.*s' already exists with creation token '%.*s'", STR_ARG(f->file_system_id),
			STR_ARG(token));
		struct efs_file_system_already_exists *e = arena_new(c->arena, struct efs_file_system_already_exists);
		*e = (struct efs_file_system_already_exists){
			STR("FileSystemAlreadyExists"), c->failure.message, f->file_system_id};
		call_fail_members(c, e);
		return STATUS(FAILED);
	}
	return OK;
}

/* Nothing copies files. */
static status refuse(struct call *c, const struct efs_create_file_system_input *in)
{
	if (str_has(in->kms_key_id) && !in->encrypted.v)
		return EFS_BAD(c, "KmsKeyId can only be given when Encrypted is true.");
	const char *why;
	if (in->encrypted.v && host_available(c->cloud->host) && !sealer_possible(&why))
		return EFS_BAD(c, "Encrypted file systems cannot be used here: %s.", why);
	return in->backup.v ? call_fail(c, ERR_NOT_IMPLEMENTED, "virga does not back up file systems.") : OK;
}

status efs_create_file_system(
	struct call *c, const struct efs_create_file_system_input *in, struct efs_create_file_system_output *out)
{
	struct efs_rec_file_system f = {.file_system_id = ec2_new_id(c->arena, "fs-"),
		.creation_token = in->creation_token,
		.creation_time = SOME_TIME(c->now_ms),
		.performance_mode = str_or(in->performance_mode, STR("generalPurpose")),
		.throughput_mode = str_or(in->throughput_mode, STR("bursting")),
		.provisioned_throughput_in_mibps = in->provisioned_throughput_in_mibps,
		.encrypted = SOME_BOOL(in->encrypted.v),
		.backup = STR("DISABLED")};
	TRY(check_token(c, in->creation_token));
	TRY(check_throughput(c, f.throughput_mode, in->provisioned_throughput_in_mibps, f.performance_mode));
	if (str_has(in->availability_zone_name)) {
		struct ec2_zones zones;
		TRY(ec2_zones(c->tx, c->arena, c->region, &zones));
		for (size_t i = 0; i < zones.n; i++)
			if (str_eq(zones.v[i].name, in->availability_zone_name)) {
				f.availability_zone_name = zones.v[i].name;
				f.availability_zone_id = zones.v[i].id;
			}
		if (!str_has(f.availability_zone_name))
			return efs_fail(c, EFS_ERR_UNSUPPORTED_AVAILABILITY_ZONE, "UnsupportedAvailabilityZone",
				"The Availability Zone '%.*s' is not supported.", STR_ARG(in->availability_zone_name));
	}
	TRY(refuse(c, in));
	TRY(efs_tags_take(c, &in->tags, &f.tags));
	if (in->encrypted.v) {
		TRY(efs_crypt_new(c, in->kms_key_id, &f));
		efs_open_soon(c->tx, c->account, c->region, f.file_system_id, c->now_ms);
		ec2_poke_jobs(c);
	}
	const char *all = path_of(c->cloud, c->arena, "efs"),
		   *own = path_of(c->cloud, c->arena, efs_folder(c->arena, f.file_system_id).p);
	/* One that no record names, after a lost transaction, is empty and harms nobody. */
	if ((mkdir(all, 0700) != 0 && errno != EEXIST) || mkdir(own, 0755) != 0) {
		log_error("efs", "folder", "errno=%d", errno);
		return STATUS(IO);
	}
	efs_put(c, EFS_FILE_SYSTEM, f.file_system_id, &f);
	TRY(show(c, &f, out));
	out->life_cycle_state = STR("creating");
	return OK;
}

status efs_describe_file_systems(
	struct call *c, const struct efs_describe_file_systems_input *in, struct efs_describe_file_systems_output *out)
{
	struct efs_all all;
	struct efs_rec_file_system one;
	size_t capacity = 0, kept = 0;
	if (str_has(in->file_system_id)) TRY(efs_file_system(c, in->file_system_id, &one));
	TRY(efs_all(c, EFS_FILE_SYSTEM, str_has(in->file_system_id) ? efs_id(in->file_system_id) : STR_NONE, &all));
	struct efs_rec_file_system *v = all.v;
	for (size_t i = 0; i < all.n; i++)
		if (!str_has(in->creation_token) || str_eq(v[i].creation_token, in->creation_token)) v[kept++] = v[i];
	struct str *ids = arena_new_n(c->arena, struct str, kept);
	for (size_t i = 0; i < kept; i++) ids[i] = v[i].file_system_id;
	struct efs_page p = {.max = in->max_items, .marker = in->marker};
	efs_page(ids, kept, &p);
	VEC_PRESENT(c->arena, &out->file_systems);
	for (size_t i = 0; i < p.n; i++)
		TRY(show(c, &v[p.from + i], VEC_PUSH(c->arena, &out->file_systems, &capacity)));
	out->marker = in->marker;
	out->next_marker = p.next;
	return OK;
}

status efs_update_file_system(
	struct call *c, const struct efs_update_file_system_input *in, struct efs_update_file_system_output *out)
{
	struct efs_rec_file_system f;
	TRY(efs_file_system(c, in->file_system_id, &f));
	struct str mode = str_or(in->throughput_mode, f.throughput_mode);
	struct opt_f64 mibps = in->provisioned_throughput_in_mibps;
	if (!mibps.has && str_is(mode, "provisioned")) mibps = f.provisioned_throughput_in_mibps;
	TRY(check_throughput(c, mode, mibps, f.performance_mode));
	f.throughput_mode = mode;
	f.provisioned_throughput_in_mibps = mibps;
	efs_put(c, EFS_FILE_SYSTEM, f.file_system_id, &f);
	return show(c, &f, out);
}

status efs_update_file_system_protection(struct call *c, const struct efs_update_file_system_protection_input *in,
	struct efs_update_file_system_protection_output *out)
{
	struct efs_rec_file_system f;
	TRY(efs_file_system(c, in->file_system_id, &f));
	if (str_is(in->replication_overwrite_protection, "REPLICATING"))
		return EFS_BAD(c, "ReplicationOverwriteProtection has to be ENABLED or DISABLED.");
	if (str_has(in->replication_overwrite_protection)) f.protection = in->replication_overwrite_protection;
	efs_put(c, EFS_FILE_SYSTEM, f.file_system_id, &f);
	out->replication_overwrite_protection = str_or(f.protection, STR("ENABLED"));
	return OK;
}

/* ── its end ── */

status efs_delete_file_system(
	struct call *c, const struct efs_delete_file_system_input *in, struct efs_delete_file_system_output *out)
{
	struct efs_rec_file_system f;
	struct efs_all targets, points;
	(void)out;
	TRY(efs_file_system(c, in->file_system_id, &f));
	TRY(efs_all(c, EFS_MOUNT_TARGET, f.file_system_id, &targets));
	if (targets.n)
		return efs_fail(c, EFS_ERR_FILE_SYSTEM_IN_USE, "FileSystemInUse",
			"File system '%.*s' has mount targets. Please delete them and try again.",
			STR_ARG(f.file_system_id));
	TRY(efs_all(c, EFS_ACCESS_POINT, f.file_system_id, &points));
	for (size_t i = 0; i < points.n; i++)
		efs_drop(c, EFS_ACCESS_POINT, ((const struct efs_rec_access_point *)points.v)[i].access_point_id);
	efs_drop(c, EFS_FILE_SYSTEM, f.file_system_id);
	jobs_schedule(c->tx, &(struct job){.kind = STR(EFS_REMOVE_JOB),
				     .id = f.file_system_id,
				     .due_ms = c->now_ms,
				     .payload = f.file_system_id});
	ec2_poke_jobs(c);
	return OK;
}

status efs_folder_remove(struct cloud *cloud, struct arena *a, struct str folder)
{
	const char *sealed = path_of(cloud, a, str_cat(a, folder, STR(".sealed")).p);
	if (host_available(cloud->host) && access(sealed, F_OK) == 0) TRY(host_folder_close(cloud->host, folder));
	if (unlink(sealed) != 0 && errno != ENOENT) return STATUS(IO);
	if (host_available(cloud->host)) return host_share_remove(cloud->host, folder);
	/* Without a host agent nobody but virga has written there. */
	return rmdir(path_of(cloud, a, folder.p)) == 0 || errno == ENOENT ? OK : STATUS(IO);
}

status efs_remove_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct str folder = efs_folder(a, job->payload);
	(void)tx;
	status s = efs_folder_remove(cloud, a, folder);
	if (!is_ok(s) || access(path_of(cloud, a, folder.p), F_OK) == 0) *again_ms = clock_now(cloud->clock) + AGAIN_MS;
	return OK;
}

/* ── policies kept as records ── */

status efs_put_lifecycle_configuration(struct call *c, const struct efs_put_lifecycle_configuration_input *in,
	struct efs_put_lifecycle_configuration_output *out)
{
	struct efs_rec_file_system f;
	TRY(efs_file_system(c, in->file_system_id, &f));
	for (size_t i = 0; i < in->lifecycle_policies.n; i++) {
		const struct efs_lifecycle_policy *p = &in->lifecycle_policies.v[i];
		int n = str_has(p->transition_to_ia) + str_has(p->transition_to_archive) +
			str_has(p->transition_to_primary_storage_class);
		if (n != 1) return EFS_BAD(c, "Each LifecyclePolicy object can have only a single transition.");
	}
	out->lifecycle_policies = in->lifecycle_policies;
	f.lifecycle = wire_shape_write(
		c->arena, &wire_service_efs.tables, EFS_SHAPE_LIFECYCLE_CONFIGURATION_DESCRIPTION, out);
	efs_put(c, EFS_FILE_SYSTEM, f.file_system_id, &f);
	return OK;
}

status efs_describe_lifecycle_configuration(struct call *c, const struct efs_describe_lifecycle_configuration_input *in,
	struct efs_describe_lifecycle_configuration_output *out)
{
	struct efs_rec_file_system f;
	TRY(efs_file_system(c, in->file_system_id, &f));
	if (str_has(f.lifecycle))
		TRY(wire_shape_read(c->arena, &wire_service_efs.tables, EFS_SHAPE_LIFECYCLE_CONFIGURATION_DESCRIPTION,
			f.lifecycle, out));
	VEC_PRESENT(c->arena, &out->lifecycle_policies);
	return OK;
}

status efs_put_backup_policy(
	struct call *c, const struct efs_put_backup_policy_input *in, struct efs_put_backup_policy_output *out)
{
	struct efs_rec_file_system f;
	TRY(efs_file_system(c, in->file_system_id, &f));
	if (!str_is(in->backup_policy->status, "ENABLED") && !str_is(in->backup_policy->status, "DISABLED"))
		return EFS_BAD(c, "The status of a backup policy has to be ENABLED or DISABLED.");
	if (str_is(in->backup_policy->status, "ENABLED"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "virga does not back up file systems.");
	f.backup = in->backup_policy->status;
	efs_put(c, EFS_FILE_SYSTEM, f.file_system_id, &f);
	out->backup_policy = in->backup_policy;
	return OK;
}

status efs_describe_backup_policy(struct call *c, const struct efs_describe_backup_policy_input *in,
	struct efs_describe_backup_policy_output *out)
{
	struct efs_rec_file_system f;
	TRY(efs_file_system(c, in->file_system_id, &f));
	out->backup_policy = arena_new(c->arena, struct efs_backup_policy);
	out->backup_policy->status = str_or(f.backup, STR("DISABLED"));
	return OK;
}
