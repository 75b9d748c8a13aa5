/* Modifying, starting, stopping, rebooting and deleting DB instances: the request is checked and noted, the controller
 * acts. */
#include "services/rds/room.h"

static status answer(struct call *c, const struct rds_rec_instance *r, struct rds_db_instance **out)
{
	rds_instance_put(rds_here(c), r);
	rds_mark(rds_here(c), r->dbi_resource_id, 0);
	rds_poke(c);
	*out = rds_instance_answer(c, r);
	return OK;
}

static status refuse_unbuilt(
	struct call *c, const struct rds_modify_db_instance_input *in, const struct rds_rec_instance *r)
{
	const char *what = in->enable_performance_insights.v                 ? "Performance Insights"
			   : in->monitoring_interval.v > 0                   ? "Enhanced Monitoring"
			   : str_has(in->domain) || str_has(in->domain_fqdn) ? "Directory domains"
			   : in->enable_iam_database_authentication.v && !rds_engine_find(r->engine, STR_NONE)->iam
				   ? "IAM database authentication of this engine"
			   : in->processor_features.n                                       ? "Processor features"
			   : in->dedicated_log_volume.v || in->additional_storage_volumes.n ? "Further volumes"
			   : str_is(in->network_type, "DUAL")                               ? "Dual-stack networks"
			   : str_has(in->automation_mode) && !str_is(in->automation_mode, "full") ? "Automation modes"
			   : str_has(in->db_subnet_group_name)                     ? "Moves to another DB subnet group"
			   : str_has(in->engine) && !str_eq(in->engine, r->engine) ? "Changes of the engine"
			   : str_has(in->master_user_authentication_type) &&
					   !str_is(in->master_user_authentication_type, "password")
				   ? "Master users without passwords"
				   : NULL;
	return what ? call_fail(c, ERR_NOT_IMPLEMENTED, "%s are not implemented.", what) : OK;
}

static status change_password(struct call *c, const struct rds_modify_db_instance_input *in, struct rds_rec_instance *r)
{
	bool managed = str_has(r->secret_name);
	if (str_has(in->master_user_password)) {
		if (managed && !(in->manage_master_user_password.has && !in->manage_master_user_password.v))
			return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
				"You can't specify MasterUserPassword for an instance whose master user password is "
				"managed in "
				"Secrets Manager.");
		TRY(rds_password_check(c, in->master_user_password));
		r->verifier = rds_verifier(c->arena, r->engine, in->master_user_password);
		r->verifier_due = SOME_BOOL(true);
	}
	if (in->manage_master_user_password.has && in->manage_master_user_password.v != managed)
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Turning the management of the master user password on or off for an existing DB instance is "
			"not "
			"implemented.");
	if (!in->rotate_master_user_password.v) return OK;
	if (!managed)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"RotateMasterUserPassword needs a master user password that is managed in Secrets Manager.");
	if (!in->apply_immediately.v)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"You must apply the change immediately when rotating the master user password.");
	r->secret_status = STR("rotating");
	r->secret_rotate = SOME_TIME(c->now_ms);
	return OK;
}

static status change_groups(struct call *c, const struct rds_modify_db_instance_input *in, struct rds_rec_instance *r)
{
	if (in->vpc_security_group_ids.n) {
		TRY(rds_groups_check(c, r->vpc, in->vpc_security_group_ids.v, in->vpc_security_group_ids.n));
		r->groups = (struct rds_rec_strings){in->vpc_security_group_ids.v, in->vpc_security_group_ids.n};
		for (size_t i = 0; i < r->nodes.n; i++) {
			struct ec2_rec_eni e;
			TRY(ec2_load(ec2_here(c), &ec2_type_eni, r->nodes.v[i].eni, &e));
			e.groups = (struct ec2_rec_strings){r->groups.v, r->groups.n};
			TRY(ec2_eni_save(c, &e));
		}
	}
	if (str_has(in->db_parameter_group_name) && !str_ieq(in->db_parameter_group_name, r->parameter_group)) {
		struct rds_rec_parameter_group g;
		TRY(rds_parameter_group_check(
			c, in->db_parameter_group_name, str_c(rds_engine_find(r->engine, STR_NONE)->family)));
		TRY(rds_parameter_group_load(rds_here(c), in->db_parameter_group_name, &g));
		r->parameter_group = g.db_parameter_group_name;
		/* "You must reboot the DB instance for the new group to be used" */
		r->parameter_state = STR("pending-reboot");
		r->wanted = STR("group");
	}
	if (str_has(in->option_group_name)) {
		TRY(rds_option_group_check(c, in->option_group_name, r->engine));
		r->option_group = in->option_group_name;
	}
	if (in->db_security_groups.n)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "DBSecurityGroups are not supported in a VPC.");
	return OK;
}

/* What takes effect at once in any case. */
static status change_settings(struct call *c, const struct rds_modify_db_instance_input *in, struct rds_rec_instance *r)
{
	if (str_has(in->preferred_maintenance_window))
		r->preferred_maintenance_window = str_lower(c->arena, in->preferred_maintenance_window);
	if (str_has(in->preferred_backup_window)) r->preferred_backup_window = in->preferred_backup_window;
	TRY(rds_window_check(c, r->preferred_maintenance_window, r->preferred_backup_window));
	if (str_has(in->preferred_backup_window) && r->next_backup.has && r->restorable_from.has)
		r->next_backup = SOME_TIME(rds_window_next(r->preferred_backup_window, c->now_ms));
	r->next_window = (struct opt_time){0};
	if (in->auto_minor_version_upgrade.has) r->auto_minor_version_upgrade = in->auto_minor_version_upgrade;
	if (in->copy_tags_to_snapshot.has) r->copy_tags_to_snapshot = in->copy_tags_to_snapshot;
	if (in->deletion_protection.has) r->deletion_protection = in->deletion_protection;
	if (in->max_allocated_storage.has) r->max_allocated_storage = in->max_allocated_storage;
	if (in->publicly_accessible.has && in->publicly_accessible.v != r->publicly_accessible.v)
		TRY(rds_public_set(c, r, in->publicly_accessible.v));
	TRY(rds_exports_change(c, in->cloudwatch_logs_export_configuration, r));
	if (!str_has(in->engine_version)) return OK;
	if (!rds_engine_find(r->engine, in->engine_version))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "Cannot upgrade %.*s from %.*s to %.*s",
			STR_ARG(r->engine), STR_ARG(r->engine_version), STR_ARG(in->engine_version));
	return OK;
}

/* What waits for the maintenance window unless it is to be applied immediately. */
static status change_pending(
	struct call *c, const struct rds_modify_db_instance_input *in, struct rds_rec_instance *r, bool *some)
{
	struct rds_rec_pending p = r->pending ? *r->pending : (struct rds_rec_pending){0};
	struct rds_rec_instance would = *r;
	if (str_has(in->db_instance_class)) TRY(rds_class_check(c, in->db_instance_class));
	if (str_has(in->db_instance_class) && !str_eq(in->db_instance_class, r->db_instance_class))
		p.db_instance_class = in->db_instance_class;
	if (in->allocated_storage.has && in->allocated_storage.v != r->allocated_storage.v) {
		if (in->allocated_storage.v < r->allocated_storage.v + (r->allocated_storage.v + 9) / 10)
			return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
				"Invalid storage size modification: the allocated storage can only grow, by at least "
				"10 percent.");
		p.allocated_storage = would.allocated_storage = in->allocated_storage;
	}
	if (in->iops.has) p.iops = would.iops = in->iops;
	if (in->storage_throughput.has) p.storage_throughput = would.storage_throughput = in->storage_throughput;
	if (str_has(in->storage_type) && !str_eq(in->storage_type, r->storage_type)) {
		p.storage_type = would.storage_type = in->storage_type;
		if (!in->iops.has) would.iops = (struct opt_i32){0};
		if (!in->storage_throughput.has) would.storage_throughput = (struct opt_i32){0};
	}
	if (p.allocated_storage.has || p.iops.has || str_has(p.storage_type)) TRY(rds_storage_check(c, &would));
	if (str_has(in->ca_certificate_identifier) && !str_is(in->ca_certificate_identifier, "rds-ca-rsa2048-g1"))
		return RDS_FAIL(c, CERTIFICATE_NOT_FOUND_FAULT, "Certificate not found: %.*s",
			STR_ARG(in->ca_certificate_identifier));
	if (in->backup_retention_period.has && in->backup_retention_period.v != r->backup_retention_period.v) {
		if (in->backup_retention_period.v < 0 || in->backup_retention_period.v > 35)
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
				"Invalid backup retention period: %d. Retention period must be between 0 and 35.",
				in->backup_retention_period.v);
		/* "If you change the parameter from one non-zero value to another, the change is asynchronously applied
		 * as soon as possible." */
		if (in->backup_retention_period.v && r->backup_retention_period.v)
			r->backup_retention_period = in->backup_retention_period;
		else
			p.backup_retention_period = in->backup_retention_period;
	}
	if (in->db_port_number.has && in->db_port_number.v != r->port.v) {
		if (in->db_port_number.v < 1150 || in->db_port_number.v > 65535)
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
				"Invalid endpoint port %d, valid port range is 1150 - 65535", in->db_port_number.v);
		p.port = in->db_port_number;
	}
	if (in->multi_az.has && in->multi_az.v != r->multi_az.v) p.multi_az = in->multi_az;
	if (in->multi_az.has && in->multi_az.v == r->multi_az.v) p.multi_az = (struct opt_bool){0};
	if (in->enable_iam_database_authentication.has)
		p.iam_database_authentication_enabled =
			in->enable_iam_database_authentication.v == r->iam_database_authentication_enabled.v
				? (struct opt_bool){0}
				: in->enable_iam_database_authentication;
	if (str_has(in->new_db_instance_identifier)) {
		struct rds_rec_instance other;
		TRY(rds_name_check(c, in->new_db_instance_identifier, "NewDBInstanceIdentifier", 63));
		p.db_instance_identifier = str_lower(c->arena, in->new_db_instance_identifier);
		status s = rds_load(rds_here(c), &rds_kind_instance, p.db_instance_identifier, &other);
		if (is_ok(s)) return RDS_FAIL(c, DB_INSTANCE_ALREADY_EXISTS_FAULT, "DB instance already exists");
		if (!status_is(s, STATUS_NOT_FOUND)) return s;
	}
	*some = str_has(p.db_instance_class) || p.allocated_storage.has || p.iops.has || p.storage_throughput.has ||
		str_has(p.storage_type) || p.backup_retention_period.has || p.port.has || p.multi_az.has ||
		str_has(p.db_instance_identifier) || p.iam_database_authentication_enabled.has;
	r->pending = NULL;
	if (*some) {
		r->pending = arena_new(c->arena, struct rds_rec_pending);
		*r->pending = p;
	}
	return OK;
}

status rds_modify_db_instance(
	struct call *c, const struct rds_modify_db_instance_input *in, struct rds_modify_db_instance_output *out)
{
	struct rds_rec_instance r;
	bool some = false;
	TRY(rds_instance_find(c, in->db_instance_identifier, &r));
	if (str_has(r.db_cluster_identifier)) return rds_member_modify(c, in, &r, &out->db_instance);
	TRY(refuse_unbuilt(c, in, &r));
	TRY(rds_instance_must_be(c, &r, "available"));
	TRY(change_password(c, in, &r));
	TRY(change_groups(c, in, &r));
	TRY(change_settings(c, in, &r));
	TRY(change_pending(c, in, &r, &some));
	struct rds_rec_instance shown = r;
	if (some && in->apply_immediately.v) r.db_instance_status = STR("modifying");
	TRY(answer(c, &r, &out->db_instance));
	/* The answer is of the moment before: "available", and what is about to change as pending. */
	out->db_instance = rds_instance_answer(c, &shown);
	return OK;
}

status rds_delete_db_instance(
	struct call *c, const struct rds_delete_db_instance_input *in, struct rds_delete_db_instance_output *out)
{
	struct rds_rec_instance r;
	struct rds_rec_snapshot other;
	TRY(rds_instance_find(c, in->db_instance_identifier, &r));
	if (str_has(r.db_cluster_identifier)) return rds_member_delete(c, in, &r, &out->db_instance);
	bool stopped = str_is(r.db_instance_status, "stopped"),
	     works = stopped || str_is(r.db_instance_status, "available");
	if (r.deletion_protection.v)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"Cannot delete protected DB Instance, please disable deletion protection and try again.");
	if (str_is(r.db_instance_status, "deleting"))
		return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT, "Instance %.*s is already being deleted.",
			STR_ARG(r.db_instance_identifier));
	if (in->delete_automated_backups.has && !in->delete_automated_backups.v)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Retained automated backups are not implemented.");
	if (in->skip_final_snapshot.v && str_has(in->final_db_snapshot_identifier))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"FinalDBSnapshotIdentifier can not be specified when deleting with SkipFinalSnapshot.");
	if (!in->skip_final_snapshot.v && !str_has(r.read_replica_source_db_instance_identifier)) {
		if (!str_has(in->final_db_snapshot_identifier))
			return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
				"FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.");
		TRY(rds_name_check(c, in->final_db_snapshot_identifier, "FinalDBSnapshotIdentifier", 255));
		struct str name = str_lower(c->arena, in->final_db_snapshot_identifier);
		status s = rds_load(rds_here(c), &rds_kind_snapshot, name, &other);
		if (is_ok(s))
			return RDS_FAIL(c, DB_SNAPSHOT_ALREADY_EXISTS_FAULT,
				"Cannot create the snapshot because a snapshot with the identifier %.*s already "
				"exists.",
				STR_ARG(name));
		if (!status_is(s, STATUS_NOT_FOUND)) return s;
		if (!works)
			return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT,
				"Cannot take a final snapshot of the instance %.*s because it is in %.*s state.",
				STR_ARG(r.db_instance_identifier), STR_ARG(r.db_instance_status));
		TRY(rds_snapshot_begin(rds_here(c), c->now_ms, &r, name, "manual"));
		r.final_snapshot = name;
	}
	/* "its read replicas are promoted" */
	for (size_t i = 0; i < r.replicas.n; i++) {
		struct rds_rec_instance replica;
		status s = rds_load(rds_here(c), &rds_kind_instance, r.replicas.v[i], &replica);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		if (str_is(replica.db_instance_status, "deleting")) continue;
		replica.db_instance_status = STR("modifying");
		replica.wanted = STR("promote");
		rds_instance_put(rds_here(c), &replica);
		rds_mark(rds_here(c), replica.dbi_resource_id, 0);
	}
	r.db_instance_status = STR("deleting");
	return answer(c, &r, &out->db_instance);
}

static status refuse_member(struct call *c, const struct rds_rec_instance *r)
{
	if (!str_has(r->db_cluster_identifier)) return OK;
	return RDS_FAIL(c, INVALID_DB_CLUSTER_STATE_FAULT,
		"The DB instance %.*s is a member of a DB cluster: start and stop the DB cluster.",
		STR_ARG(r->db_instance_identifier));
}

status rds_start_db_instance(
	struct call *c, const struct rds_start_db_instance_input *in, struct rds_start_db_instance_output *out)
{
	struct rds_rec_instance r;
	TRY(rds_instance_find(c, in->db_instance_identifier, &r));
	TRY(refuse_member(c, &r));
	/* "To recover the DB instance, enable the KMS key and start it." */
	if (!str_is(r.db_instance_status, "stopped") &&
		!str_is(r.db_instance_status, "inaccessible-encryption-credentials-recoverable"))
		return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT, "Instance %.*s is not stopped.",
			STR_ARG(r.db_instance_identifier));
	r.db_instance_status = STR("starting");
	return answer(c, &r, &out->db_instance);
}

status rds_stop_db_instance(
	struct call *c, const struct rds_stop_db_instance_input *in, struct rds_stop_db_instance_output *out)
{
	struct rds_rec_instance r;
	TRY(rds_instance_find(c, in->db_instance_identifier, &r));
	TRY(refuse_member(c, &r));
	if (!str_is(r.db_instance_status, "available"))
		return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT, "Instance %.*s is not in available state.",
			STR_ARG(r.db_instance_identifier));
	if (r.replicas.n || str_has(r.read_replica_source_db_instance_identifier))
		return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT,
			"A DB instance that is or has a read replica can't be stopped.");
	if (str_has(in->db_snapshot_identifier)) {
		struct rds_rec_snapshot other;
		TRY(rds_name_check(c, in->db_snapshot_identifier, "DBSnapshotIdentifier", 255));
		struct str name = str_lower(c->arena, in->db_snapshot_identifier);
		status s = rds_load(rds_here(c), &rds_kind_snapshot, name, &other);
		if (is_ok(s))
			return RDS_FAIL(c, DB_SNAPSHOT_ALREADY_EXISTS_FAULT,
				"Cannot create the snapshot because a snapshot with the identifier %.*s already "
				"exists.",
				STR_ARG(name));
		if (!status_is(s, STATUS_NOT_FOUND)) return s;
		TRY(rds_snapshot_begin(rds_here(c), c->now_ms, &r, name, "manual"));
	}
	r.db_instance_status = STR("stopping");
	return answer(c, &r, &out->db_instance);
}

status rds_reboot_db_instance(
	struct call *c, const struct rds_reboot_db_instance_input *in, struct rds_reboot_db_instance_output *out)
{
	struct rds_rec_instance r;
	TRY(rds_instance_find(c, in->db_instance_identifier, &r));
	if (str_has(r.db_cluster_identifier)) return rds_member_reboot(c, in, &r, &out->db_instance);
	if (!str_is(r.db_instance_status, "incompatible-parameters")) TRY(rds_instance_must_be(c, &r, "available"));
	r.failures = SOME_I32(0);
	if (in->force_failover.v && !r.multi_az.v)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"Cannot specify ForceFailover when the DB instance is not configured for Multi-AZ.");
	r.wanted = in->force_failover.v ? STR("failover") : STR("reboot");
	r.db_instance_status = STR("rebooting");
	return answer(c, &r, &out->db_instance);
}
