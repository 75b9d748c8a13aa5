/* Instances from snapshots and from a moment of another instance, and read replicas. "Restoring to a DB instance",
 * "Restoring a DB instance to a specified time", "Working with DB instance read replicas", the guide. */
#include "services/rds/crypt.h"
#include "services/rds/snapshot_share.h"

static status refuse(struct call *c, bool unbuilt)
{
	return unbuilt ? call_fail(c, ERR_NOT_IMPLEMENTED,
				 "This parameter asks for a feature that is not implemented (a directory domain, "
				 "log exports, a cluster, a further volume or another "
				 "master user).")
		       : OK;
}

static struct rds_rec_origin *origin(struct call *c, const char *kind, struct str folder)
{
	struct rds_rec_origin *o = arena_new(c->arena, struct rds_rec_origin);
	o->kind = str_c(kind), o->folder = folder;
	return o;
}

status rds_restore_db_instance_from_db_snapshot(struct call *c,
	const struct rds_restore_db_instance_from_db_snapshot_input *in,
	struct rds_restore_db_instance_from_db_snapshot_output *out)
{
	struct rds_rec_snapshot s;
	TRY(refuse(c, str_has(in->domain) || in->enable_cloudwatch_logs_exports.n ||
			      str_has(in->db_cluster_snapshot_identifier) || in->dedicated_log_volume.v ||
			      in->manage_master_user_password.v));
	if (!str_has(in->db_snapshot_identifier))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"The parameter DBSnapshotIdentifier must be provided and must not be blank.");
	TRY(rds_snapshot_find(c, in->db_snapshot_identifier, &s));
	if (!str_is(s.status, "available"))
		return RDS_FAIL(c, INVALID_DB_SNAPSHOT_STATE_FAULT, "DBSnapshot %.*s is not in available state.",
			STR_ARG(in->db_snapshot_identifier));
	if (str_has(in->engine) && !str_eq(in->engine, s.engine))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "The snapshot is of engine %.*s.", STR_ARG(s.engine));
	struct rds_rec_instance r = {.db_instance_identifier = in->db_instance_identifier,
		.db_instance_class = str_or(in->db_instance_class, s.db_instance_class),
		.engine = s.engine,
		.master_username = s.master_username,
		.db_name = s.db_name,
		.allocated_storage = in->allocated_storage.has ? in->allocated_storage : s.allocated_storage,
		.preferred_backup_window = str_or(in->preferred_backup_window, s.preferred_backup_window),
		.backup_retention_period =
			in->backup_retention_period.has ? in->backup_retention_period : s.backup_retention_period,
		.parameter_group = in->db_parameter_group_name,
		.multi_az = in->multi_az,
		.auto_minor_version_upgrade = in->auto_minor_version_upgrade,
		.license_model = in->license_model,
		.option_group = in->option_group_name,
		.storage_type = str_or(in->storage_type, s.storage_type),
		.iops = in->iops.has                ? in->iops
			: str_has(in->storage_type) ? (struct opt_i32){0}
						    : s.iops,
		.storage_throughput = in->storage_throughput,
		.ca_certificate_identifier = in->ca_certificate_identifier,
		.copy_tags_to_snapshot = in->copy_tags_to_snapshot,
		.deletion_protection = in->deletion_protection,
		.iam_database_authentication_enabled = in->enable_iam_database_authentication.has
							       ? in->enable_iam_database_authentication
							       : s.iam_database_authentication_enabled,
		.port = in->port.has ? in->port : s.port,
		.origin = str_has(s.folder) ? origin(c, "snapshot", s.folder) : NULL};
	if (r.origin) rds_crypt_from(r.origin, &s);
	struct rds_make m = {.zone = in->availability_zone,
		.subnet_group = in->db_subnet_group_name,
		.groups = in->vpc_security_group_ids.v,
		.n_groups = in->vpc_security_group_ids.n,
		.public = in->publicly_accessible,
		.tags = in->tags.v,
		.n_tags = in->tags.n,
		.kms_key = s.kms_key_id};
	TRY(rds_make(c, &r, &m));
	out->db_instance = rds_instance_answer(c, &r);
	return OK;
}

int64_t rds_machine_time(const struct rds_rec_instance *r, int64_t ms)
{
	size_t i = 0;
	while (i + 1 < r->epochs.n && r->epochs.v[i + 1].from.ms <= ms) i++;
	if (!r->epochs.n) return ms;
	int64_t at = ms - r->epochs.v[i].offset_ms.v;
	if (i + 1 == r->epochs.n) return at;
	/* Time that was jumped over never was. */
	int64_t end = r->epochs.v[i + 1].from.ms - r->epochs.v[i + 1].offset_ms.v;
	return at < end ? at : end;
}

status rds_restore_base(struct call *c, const struct rds_rec_instance *from, int64_t ms, struct rds_rec_snapshot *out)
{
	struct rds_each e = rds_each(rds_here(c), rds_snapshot_kind_of(from->dbi_resource_id));
	*out = (struct rds_rec_snapshot){0};
	while (rds_next(&e)) {
		const struct rds_rec_snapshot *s = e.record;
		if (str_eq(s->dbi_resource_id, from->dbi_resource_id) && str_is(s->snapshot_type, "automated") &&
			str_is(s->status, "available") && s->snapshot_create_time.ms <= ms &&
			s->snapshot_create_time.ms >= out->snapshot_create_time.ms)
			*out = *s;
	}
	return rds_each_end(&e);
}

status rds_restore_db_instance_to_point_in_time(struct call *c,
	const struct rds_restore_db_instance_to_point_in_time_input *in,
	struct rds_restore_db_instance_to_point_in_time_output *out)
{
	struct rds_rec_instance from;
	struct rds_rec_snapshot base;
	TRY(refuse(c, str_has(in->domain) || in->enable_cloudwatch_logs_exports.n ||
			      str_has(in->source_dbi_resource_id) ||
			      str_has(in->source_db_instance_automated_backups_arn) || in->dedicated_log_volume.v ||
			      in->manage_master_user_password.v));
	if (!str_has(in->source_db_instance_identifier))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"The parameter SourceDBInstanceIdentifier must be provided and must not be blank.");
	if (in->restore_time.has == in->use_latest_restorable_time.v)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"One of RestoreTime and UseLatestRestorableTime has to be given, and not both.");
	TRY(rds_instance_find(c, in->source_db_instance_identifier, &from));
	if (str_has(from.db_cluster_identifier))
		return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT,
			"The DB instance is a member of a DB cluster: use RestoreDBClusterToPointInTime.");
	if (from.backup_retention_period.v == 0)
		return RDS_FAIL(c, POINT_IN_TIME_RESTORE_NOT_ENABLED_FAULT,
			"Point in time restore is not enabled for instance %.*s", STR_ARG(from.db_instance_identifier));
	if (!str_is(from.db_instance_status, "available") && !str_is(from.db_instance_status, "backing-up"))
		return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT, "Instance %.*s is not in available state.",
			STR_ARG(from.db_instance_identifier));
	int64_t moment = in->restore_time.has ? in->restore_time.ms : c->now_ms;
	TRY(rds_restore_base(c, &from, moment, &base));
	if (!from.restorable_from.has || moment > c->now_ms || moment < from.restorable_from.ms ||
		!str_has(base.db_snapshot_identifier))
		return RDS_FAIL(c, INVALID_RESTORE_FAULT,
			"The specified instance cannot be restored to a time earlier than %.*s or later than %.*s",
			STR_ARG(from.restorable_from.has ? time_iso8601(c->arena, from.restorable_from.ms, false)
							 : STR("its first backup")),
			STR_ARG(time_iso8601(c->arena, c->now_ms, false)));
	struct rds_rec_instance r = {.db_instance_identifier = in->target_db_instance_identifier,
		.db_instance_class = str_or(in->db_instance_class, from.db_instance_class),
		.engine = from.engine,
		.master_username = from.master_username,
		.db_name = from.db_name,
		.allocated_storage = in->allocated_storage.has ? in->allocated_storage : from.allocated_storage,
		.preferred_backup_window = str_or(in->preferred_backup_window, from.preferred_backup_window),
		.backup_retention_period =
			in->backup_retention_period.has ? in->backup_retention_period : from.backup_retention_period,
		.parameter_group = str_or(in->db_parameter_group_name, from.parameter_group),
		.multi_az = in->multi_az,
		.auto_minor_version_upgrade = in->auto_minor_version_upgrade,
		.license_model = in->license_model,
		.option_group = str_or(in->option_group_name, from.option_group),
		.storage_type = str_or(in->storage_type, from.storage_type),
		.iops = in->iops.has                ? in->iops
			: str_has(in->storage_type) ? (struct opt_i32){0}
						    : from.iops,
		.storage_throughput = in->storage_throughput,
		.ca_certificate_identifier = in->ca_certificate_identifier,
		.copy_tags_to_snapshot = in->copy_tags_to_snapshot,
		.deletion_protection = in->deletion_protection,
		.max_allocated_storage = in->max_allocated_storage,
		.iam_database_authentication_enabled = in->enable_iam_database_authentication.has
							       ? in->enable_iam_database_authentication
							       : from.iam_database_authentication_enabled,
		.port = in->port.has ? in->port : from.port};
	if (str_has(base.folder)) {
		r.origin = origin(c, "time", base.folder);
		r.origin->log_folder = rds_folder(c->arena, &from);
		r.origin->source = from.dbi_resource_id;
		rds_crypt_from(r.origin, &base);
		if (in->restore_time.has) r.origin->until = SOME_TIME(rds_machine_time(&from, moment));
	}
	struct rds_make m = {.zone = in->availability_zone,
		.subnet_group = str_or(in->db_subnet_group_name, from.subnet_group),
		.groups = in->vpc_security_group_ids.v,
		.n_groups = in->vpc_security_group_ids.n,
		.public = in->publicly_accessible,
		.tags = in->tags.v,
		.n_tags = in->tags.n,
		.kms_key = from.kms_key_id};
	TRY(rds_make(c, &r, &m));
	out->db_instance = rds_instance_answer(c, &r);
	return OK;
}

enum { REPLICAS_MAX = 15 };

status rds_create_db_instance_read_replica(struct call *c, const struct rds_create_db_instance_read_replica_input *in,
	struct rds_create_db_instance_read_replica_output *out)
{
	struct rds_rec_instance from;
	size_t capacity;
	TRY(refuse(c, str_has(in->domain) || in->enable_cloudwatch_logs_exports.n ||
			      str_has(in->source_db_cluster_identifier) || in->monitoring_interval.v > 0 ||
			      in->enable_performance_insights.v || in->dedicated_log_volume.v));
	struct str source = str_or(in->source_db_instance_identifier, STR(""));
	struct str region = source;
	for (unsigned i = 0; i < 3 && str_has(region); i++) (void)str_cut(&region, ':');
	if (str_starts(source, STR("arn:")) && !str_eq(str_cut(&region, ':'), c->region))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Read replicas in another Region are not implemented.");
	TRY(rds_instance_find(c, source, &from));
	if (str_has(from.db_cluster_identifier))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Read replicas of DB clusters are not implemented.");
	if (!str_is(from.db_instance_status, "available") && !str_is(from.db_instance_status, "backing-up"))
		return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT, "Instance %.*s is not in available state.",
			STR_ARG(from.db_instance_identifier));
	if (from.backup_retention_period.v == 0)
		return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT,
			"Automated backups are not enabled for this database instance. To enable automated backups, "
			"use "
			"ModifyDBInstance to set the backup retention period to a non-zero value.");
	if (str_has(from.read_replica_source_db_instance_identifier))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Read replicas of read replicas are not implemented.");
	if (from.replicas.n >= REPLICAS_MAX)
		return RDS_FAIL(c, INSTANCE_QUOTA_EXCEEDED_FAULT, "A DB instance can have at most %d read replicas.",
			REPLICAS_MAX);
	/* "A read replica in the same Region is always encrypted with the same KMS key as the source DB instance." */
	if (in->kms_key_id.n && !str_eq(in->kms_key_id, str_or(from.kms_key_id, STR(""))))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"A read replica in the same AWS Region as its source has the source's encryption: KmsKeyId "
			"can't be specified.");
	if (in->multi_az.v) return call_fail(c, ERR_NOT_IMPLEMENTED, "Multi-AZ read replicas are not implemented.");
	struct rds_rec_instance r = {.db_instance_identifier = in->db_instance_identifier,
		.db_instance_class = str_or(in->db_instance_class, from.db_instance_class),
		.engine = from.engine,
		.master_username = from.master_username,
		.db_name = from.db_name,
		.allocated_storage = in->allocated_storage.has ? in->allocated_storage : from.allocated_storage,
		.backup_retention_period = SOME_I32(0),
		.parameter_group = str_or(in->db_parameter_group_name, from.parameter_group),
		.auto_minor_version_upgrade = in->auto_minor_version_upgrade,
		.option_group = str_or(in->option_group_name, from.option_group),
		.storage_type = str_or(in->storage_type, from.storage_type),
		.iops = in->iops.has                ? in->iops
			: str_has(in->storage_type) ? (struct opt_i32){0}
						    : from.iops,
		.storage_throughput = in->storage_throughput,
		.ca_certificate_identifier = in->ca_certificate_identifier,
		.copy_tags_to_snapshot = in->copy_tags_to_snapshot,
		.deletion_protection = in->deletion_protection,
		.max_allocated_storage = in->max_allocated_storage,
		.iam_database_authentication_enabled = in->enable_iam_database_authentication.has
							       ? in->enable_iam_database_authentication
							       : from.iam_database_authentication_enabled,
		.port = in->port.has ? in->port : from.port,
		.read_replica_source_db_instance_identifier = from.db_instance_identifier};
	if (rds_real(c->cloud)) {
		r.origin = origin(c, "replica", STR_NONE);
		r.origin->log_folder = rds_folder(c->arena, &from);
		r.origin->source = from.dbi_resource_id;
		r.origin->port = from.port;
	}
	struct rds_make m = {.zone = in->availability_zone,
		.subnet_group = str_or(in->db_subnet_group_name, from.subnet_group),
		.groups = in->vpc_security_group_ids.n ? in->vpc_security_group_ids.v : from.groups.v,
		.n_groups = in->vpc_security_group_ids.n ? in->vpc_security_group_ids.n : from.groups.n,
		.public = in->publicly_accessible,
		.tags = in->tags.v,
		.n_tags = in->tags.n,
		.kms_key = from.kms_key_id};
	TRY(rds_make(c, &r, &m));
	capacity = from.replicas.n;
	*VEC_PUSH(c->arena, &from.replicas, &capacity) = r.db_instance_identifier;
	rds_instance_put(rds_here(c), &from);
	out->db_instance = rds_instance_answer(c, &r);
	return OK;
}

status rds_promote_read_replica(
	struct call *c, const struct rds_promote_read_replica_input *in, struct rds_promote_read_replica_output *out)
{
	struct rds_rec_instance r;
	TRY(rds_instance_find(c, in->db_instance_identifier, &r));
	if (!str_has(r.read_replica_source_db_instance_identifier))
		return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT, "DB Instance is not a read replica.");
	TRY(rds_instance_must_be(c, &r, "available"));
	if (in->backup_retention_period.has &&
		(in->backup_retention_period.v < 0 || in->backup_retention_period.v > 35))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"Invalid backup retention period: %d. Retention period must be between 0 and 35.",
			in->backup_retention_period.v);
	TRY(rds_window_check(c, r.preferred_maintenance_window, in->preferred_backup_window));
	if (str_has(in->preferred_backup_window)) r.preferred_backup_window = in->preferred_backup_window;
	r.backup_retention_period = in->backup_retention_period.has ? in->backup_retention_period : SOME_I32(1);
	r.db_instance_status = STR("modifying");
	r.wanted = STR("promote");
	rds_instance_put(rds_here(c), &r);
	rds_mark(rds_here(c), r.dbi_resource_id, 0);
	rds_poke(c);
	out->db_instance = rds_instance_answer(c, &r);
	return OK;
}

status rds_describe_db_instance_automated_backups(struct call *c,
	const struct rds_describe_db_instance_automated_backups_input *in,
	struct rds_describe_db_instance_automated_backups_output *out)
{
	static const char *const names[] = {"status", "db-instance-id", "dbi-resource-id", NULL};
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, names));
	struct rds_each e = rds_each(rds_here(c), &rds_kind_instance);
	while (rds_next(&e)) {
		const struct rds_rec_instance *r = e.record;
		if (str_has(r->db_cluster_identifier) || !r->restorable_from.has ||
			!rds_filter_passes(&in->filters, "status", STR("active")) ||
			!rds_filter_passes(&in->filters, "db-instance-id", r->db_instance_identifier) ||
			!rds_filter_passes(&in->filters, "dbi-resource-id", r->dbi_resource_id) ||
			(str_has(in->db_instance_identifier) &&
				!str_ieq(in->db_instance_identifier, r->db_instance_identifier)) ||
			(str_has(in->dbi_resource_id) && !str_eq(in->dbi_resource_id, r->dbi_resource_id)))
			continue;
		struct rds_db_instance_automated_backup *o =
			VEC_PUSH(c->arena, &out->db_instance_automated_backups, &capacity);
		rds_show(c->arena, RDS_REC_INSTANCE, r, RDS_SHAPE_DB_INSTANCE_AUTOMATED_BACKUP, o);
		o->db_instance_arn = rds_arn(c, &rds_kind_instance, r->db_instance_identifier);
		o->status = STR("active");
		o->region = c->region;
		o->vpc_id = r->vpc;
		o->port = r->port;
		o->option_group_name = r->option_group;
		o->encrypted = SOME_BOOL(str_has(r->kms_key_id));
		o->backup_target = STR("region");
		o->restore_window = arena_new(c->arena, struct rds_restore_window);
		o->restore_window->earliest_time = r->restorable_from;
		o->restore_window->latest_time = r->latest_restorable_time;
		o->tag_list = rds_tags_out(c->arena, &r->tags);
	}
	TRY(rds_each_end(&e));
	return rds_page(c, &out->db_instance_automated_backups, sizeof(*out->db_instance_automated_backups.v),
		in->max_records, in->marker, &out->marker);
}
