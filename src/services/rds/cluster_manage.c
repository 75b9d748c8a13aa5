/* Modifying, starting, stopping, rebooting, failing over and deleting DB clusters: the request is checked and noted,
 * the cluster's job acts. */
#include "services/rds/cluster.h"

static status answer(struct call *c, const struct rds_rec_instance *r, struct rds_db_cluster **out)
{
	rds_cluster_save(c, r);
	*out = rds_cluster_answer(c, r);
	return OK;
}

static status all_members(struct call *c, const struct rds_rec_instance *r, const char *state)
{
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct rds_rec_instance m;
		status s = rds_member_load(rds_here(c), &r->nodes.v[i], &m);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		m.db_instance_status = str_c(state);
		m.groups = r->groups, m.port = r->port, m.db_instance_class = r->nodes.v[i].db_instance_class;
		rds_instance_put(rds_here(c), &m);
	}
	return OK;
}

static status refuse_unbuilt(
	struct call *c, const struct rds_modify_db_cluster_input *in, const struct rds_rec_instance *r)
{
	const char *what =
		in->backtrack_window.v > 0                                             ? "Backtracking"
		: in->scaling_configuration || in->serverless_v2_scaling_configuration ? "Serverless clusters"
		: str_has(in->engine_mode) && !str_is(in->engine_mode, "provisioned")
			? "Engine modes other than provisioned"
		: in->enable_http_endpoint.v                                                  ? "The Data API"
		: str_has(in->domain)                                                         ? "Directory domains"
		: in->enable_performance_insights.v                                           ? "Performance Insights"
		: in->monitoring_interval.v > 0                                               ? "Enhanced Monitoring"
		: str_is(in->network_type, "DUAL")                                            ? "Dual-stack networks"
		: in->enable_limitless_database.v                                             ? "Limitless databases"
		: in->enable_local_write_forwarding.v || in->enable_global_write_forwarding.v ? "Write forwarding"
		: str_has(in->new_db_cluster_identifier) &&
				!str_ieq(in->new_db_cluster_identifier, r->db_instance_identifier)
			? "New names of clusters"
		: in->port.has && in->port.v != r->port.v ? "New ports of clusters"
		: in->manage_master_user_password.has && in->manage_master_user_password.v != str_has(r->secret_name)
			? "Turning the management of the master user password on or off"
			: NULL;
	return what ? call_fail(c, ERR_NOT_IMPLEMENTED, "%s are not implemented.", what) : OK;
}

static status change_groups(struct call *c, const struct rds_modify_db_cluster_input *in, struct rds_rec_instance *r)
{
	if (!in->vpc_security_group_ids.n) return OK;
	TRY(rds_groups_check(c, r->vpc, in->vpc_security_group_ids.v, in->vpc_security_group_ids.n));
	r->groups = (struct rds_rec_strings){in->vpc_security_group_ids.v, in->vpc_security_group_ids.n};
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct ec2_rec_eni e;
		struct rds_rec_instance m;
		TRY(ec2_load(ec2_here(c), &ec2_type_eni, r->nodes.v[i].eni, &e));
		e.groups = (struct ec2_rec_strings){r->groups.v, r->groups.n};
		TRY(ec2_eni_save(c, &e));
		TRY(rds_member_load(rds_here(c), &r->nodes.v[i], &m));
		m.groups = r->groups;
		rds_instance_put(rds_here(c), &m);
	}
	return OK;
}

/* In force as soon as the servers have read their access files anew. */
static status change_authentication(
	struct call *c, const struct rds_modify_db_cluster_input *in, struct rds_rec_instance *r)
{
	if (!in->enable_iam_database_authentication.has) return OK;
	r->iam_database_authentication_enabled = in->enable_iam_database_authentication;
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct rds_rec_instance m;
		TRY(rds_member_load(rds_here(c), &r->nodes.v[i], &m));
		m.iam_database_authentication_enabled = r->iam_database_authentication_enabled;
		rds_instance_put(rds_here(c), &m);
	}
	return OK;
}

static status change_password(struct call *c, const struct rds_modify_db_cluster_input *in, struct rds_rec_instance *r)
{
	bool managed = str_has(r->secret_name);
	if (str_has(in->master_user_password)) {
		if (managed)
			return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
				"You can't specify MasterUserPassword for a cluster whose master user password is "
				"managed in Secrets "
				"Manager.");
		TRY(rds_password_check(c, in->master_user_password));
		r->verifier = rds_scram_verifier(c->arena, in->master_user_password);
		r->verifier_due = SOME_BOOL(true);
	}
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

static status change_parameters(
	struct call *c, const struct rds_modify_db_cluster_input *in, struct rds_rec_instance *r)
{
	struct rds_rec_parameter_group old, fresh;
	if (str_has(in->db_cluster_parameter_group_name) &&
		!str_ieq(in->db_cluster_parameter_group_name, r->parameter_group)) {
		TRY(rds_cluster_group_find(c, r->parameter_group, &old));
		TRY(rds_cluster_group_find(c, in->db_cluster_parameter_group_name, &fresh));
		if (!str_eq(old.db_parameter_group_family, fresh.db_parameter_group_family))
			return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
				"The parameter group %.*s with DBParameterGroupFamily %.*s can't be used for this "
				"cluster.",
				STR_ARG(in->db_cluster_parameter_group_name), STR_ARG(fresh.db_parameter_group_family));
		r->parameter_group = fresh.db_parameter_group_name;
	}
	if (str_has(in->db_instance_parameter_group_name))
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"DBInstanceParameterGroupName is for upgrades to another major version, which are not "
			"implemented.");
	return OK;
}

/* Of a Multi-AZ DB cluster: class and storage. *restart: its nodes have to. */
static status change_hardware(
	struct call *c, const struct rds_modify_db_cluster_input *in, struct rds_rec_instance *r, bool *restart)
{
	struct rds_rec_instance would = *r;
	bool some = str_has(in->db_cluster_instance_class) || in->allocated_storage.has || in->iops.has;
	if (rds_is_aurora(r)) {
		if (some)
			return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
				"DBClusterInstanceClass, AllocatedStorage and Iops aren't supported for DB engine "
				"%.*s.",
				STR_ARG(r->engine));
		if (str_has(in->storage_type) && !str_is(in->storage_type, "aurora") &&
			!str_is(in->storage_type, "aurora-iopt1"))
			return RDS_FAIL(
				c, INVALID_PARAMETER_VALUE, "Invalid storage type: %.*s", STR_ARG(in->storage_type));
		if (str_has(in->storage_type)) r->storage_type = in->storage_type;
		return OK;
	}
	if ((some || str_has(in->storage_type)) && !in->apply_immediately.v)
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Changing a cluster's hardware in its maintenance window is not implemented: say "
			"ApplyImmediately.");
	if (in->allocated_storage.has && in->allocated_storage.v < r->allocated_storage.v)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"Invalid storage size modification: the allocated storage can only grow.");
	if (in->allocated_storage.has) would.allocated_storage = in->allocated_storage;
	if (in->iops.has) would.iops = in->iops;
	if (str_has(in->storage_type)) would.storage_type = in->storage_type;
	if (some || str_has(in->storage_type)) TRY(rds_storage_check(c, &would));
	if (str_has(in->db_cluster_instance_class)) {
		TRY(rds_class_check(c, in->db_cluster_instance_class));
		*restart = !str_eq(in->db_cluster_instance_class, r->db_instance_class);
		would.db_instance_class = in->db_cluster_instance_class;
	}
	*r = would;
	for (size_t i = 0; *restart && i < r->nodes.n; i++) {
		r->nodes.v[i].db_instance_class = r->db_instance_class;
		r->nodes.v[i].restart = SOME_BOOL(true);
	}
	return OK;
}

status rds_modify_db_cluster(
	struct call *c, const struct rds_modify_db_cluster_input *in, struct rds_modify_db_cluster_output *out)
{
	struct rds_rec_instance r;
	bool restart = false;
	TRY(rds_cluster_find(c, in->db_cluster_identifier, &r));
	TRY(refuse_unbuilt(c, in, &r));
	TRY(rds_cluster_must_be(c, &r, "available"));
	if (str_has(in->engine_version) && !rds_engine_find(r.engine, in->engine_version))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "Cannot upgrade %.*s from %.*s to %.*s",
			STR_ARG(r.engine), STR_ARG(r.engine_version), STR_ARG(in->engine_version));
	if (in->backup_retention_period.has &&
		(in->backup_retention_period.v < 1 || in->backup_retention_period.v > 35))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"Invalid backup retention period: %d. Retention period must be between 1 and 35.",
			in->backup_retention_period.v);
	if (str_has(in->preferred_maintenance_window))
		r.preferred_maintenance_window = str_lower(c->arena, in->preferred_maintenance_window);
	if (str_has(in->preferred_backup_window)) r.preferred_backup_window = in->preferred_backup_window;
	TRY(rds_window_check(c, r.preferred_maintenance_window, r.preferred_backup_window));
	if (str_has(in->preferred_backup_window) && r.next_backup.has && r.restorable_from.has)
		r.next_backup = SOME_TIME(rds_window_next(r.preferred_backup_window, c->now_ms));
	if (in->backup_retention_period.has) r.backup_retention_period = in->backup_retention_period;
	if (in->deletion_protection.has) r.deletion_protection = in->deletion_protection;
	if (in->copy_tags_to_snapshot.has) r.copy_tags_to_snapshot = in->copy_tags_to_snapshot;
	if (in->auto_minor_version_upgrade.has) r.auto_minor_version_upgrade = in->auto_minor_version_upgrade;
	TRY(rds_exports_change(c, in->cloudwatch_logs_export_configuration, &r));
	TRY(change_authentication(c, in, &r));
	TRY(change_groups(c, in, &r));
	TRY(change_password(c, in, &r));
	TRY(change_parameters(c, in, &r));
	TRY(change_hardware(c, in, &r, &restart));
	struct rds_rec_instance shown = r;
	if (restart) {
		r.db_instance_status = STR("modifying");
		TRY(all_members(c, &r, "modifying"));
	}
	TRY(answer(c, &r, &out->db_cluster));
	out->db_cluster = rds_cluster_answer(c, &shown);
	return OK;
}

status rds_delete_db_cluster(
	struct call *c, const struct rds_delete_db_cluster_input *in, struct rds_delete_db_cluster_output *out)
{
	struct rds_rec_instance r;
	struct rds_rec_snapshot other;
	TRY(rds_cluster_find(c, in->db_cluster_identifier, &r));
	if (r.deletion_protection.v)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"Cannot delete protected Cluster, please disable deletion protection and try again.");
	if (str_is(r.db_instance_status, "deleting"))
		return RDS_FAIL(c, INVALID_DB_CLUSTER_STATE_FAULT, "DbCluster %.*s is already being deleted.",
			STR_ARG(r.db_instance_identifier));
	if (in->delete_automated_backups.has && !in->delete_automated_backups.v)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Retained automated backups are not implemented.");
	for (size_t i = 0; rds_is_aurora(&r) && i < r.nodes.n; i++)
		if (!r.nodes.v[i].leaving.v)
			return RDS_FAIL(c, INVALID_DB_CLUSTER_STATE_FAULT,
				"Cluster cannot be deleted, it still contains DB instances in non-deleting state.");
	if (in->skip_final_snapshot.v && str_has(in->final_db_snapshot_identifier))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"FinalDBSnapshotIdentifier can not be specified when deleting with SkipFinalSnapshot.");
	if (!in->skip_final_snapshot.v) {
		if (!str_has(in->final_db_snapshot_identifier))
			return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
				"FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.");
		TRY(rds_name_check(c, in->final_db_snapshot_identifier, "FinalDBSnapshotIdentifier", 255));
		struct str name = str_lower(c->arena, in->final_db_snapshot_identifier);
		status s = rds_load(rds_here(c), &rds_kind_cluster_snapshot, name, &other);
		if (is_ok(s))
			return RDS_FAIL(c, DB_CLUSTER_SNAPSHOT_ALREADY_EXISTS_FAULT,
				"Cannot create the cluster snapshot because a snapshot with the identifier %.*s "
				"already exists.",
				STR_ARG(name));
		if (!status_is(s, STATUS_NOT_FOUND)) return s;
		if (!str_is(r.db_instance_status, "available") && !str_is(r.db_instance_status, "stopped"))
			return rds_cluster_must_be(c, &r, "available");
		TRY(rds_snapshot_begin(rds_here(c), c->now_ms, &r, name, "manual"));
		r.final_snapshot = name;
	}
	r.db_instance_status = STR("deleting");
	TRY(all_members(c, &r, "deleting"));
	return answer(c, &r, &out->db_cluster);
}

status rds_failover_db_cluster(
	struct call *c, const struct rds_failover_db_cluster_input *in, struct rds_failover_db_cluster_output *out)
{
	struct rds_rec_instance r;
	TRY(rds_cluster_find(c, in->db_cluster_identifier, &r));
	TRY(rds_cluster_must_be(c, &r, "available"));
	if (str_has(in->target_db_instance_identifier)) {
		const struct rds_rec_node *n =
			rds_member_node(&r, str_lower(c->arena, in->target_db_instance_identifier));
		if (!n)
			return RDS_FAIL(c, DB_INSTANCE_NOT_FOUND_FAULT, "DBInstance %.*s not found in the DB cluster.",
				STR_ARG(in->target_db_instance_identifier));
		if (str_eq(n->letter, str_or(r.primary, STR(""))))
			return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT,
				"The DB instance %.*s is the writer already.", STR_ARG(n->instance));
		r.target = n->instance;
	}
	if (r.nodes.n < 2)
		return RDS_FAIL(c, INVALID_DB_CLUSTER_STATE_FAULT,
			"The DB cluster %.*s has no reader that could take over.", STR_ARG(r.db_instance_identifier));
	r.wanted = STR("failover");
	r.db_instance_status = STR("failing-over");
	return answer(c, &r, &out->db_cluster);
}

status rds_reboot_db_cluster(
	struct call *c, const struct rds_reboot_db_cluster_input *in, struct rds_reboot_db_cluster_output *out)
{
	struct rds_rec_instance r;
	TRY(rds_cluster_find(c, in->db_cluster_identifier, &r));
	if (rds_is_aurora(&r))
		return RDS_FAIL(c, INVALID_DB_CLUSTER_STATE_FAULT,
			"Only Multi-AZ DB clusters can be rebooted: reboot the DB instances of %.*s.",
			STR_ARG(r.db_instance_identifier));
	TRY(rds_cluster_must_be(c, &r, "available"));
	for (size_t i = 0; i < r.nodes.n; i++) r.nodes.v[i].restart = SOME_BOOL(true);
	r.db_instance_status = STR("rebooting");
	TRY(all_members(c, &r, "rebooting"));
	return answer(c, &r, &out->db_cluster);
}

status rds_start_db_cluster(
	struct call *c, const struct rds_start_db_cluster_input *in, struct rds_start_db_cluster_output *out)
{
	struct rds_rec_instance r;
	TRY(rds_cluster_find(c, in->db_cluster_identifier, &r));
	/* "To recover the DB cluster, enable the KMS key and start it." */
	if (!str_is(r.db_instance_status, "inaccessible-encryption-credentials-recoverable"))
		TRY(rds_cluster_must_be(c, &r, "stopped"));
	r.db_instance_status = STR("starting");
	TRY(all_members(c, &r, "starting"));
	return answer(c, &r, &out->db_cluster);
}

status rds_stop_db_cluster(
	struct call *c, const struct rds_stop_db_cluster_input *in, struct rds_stop_db_cluster_output *out)
{
	struct rds_rec_instance r;
	TRY(rds_cluster_find(c, in->db_cluster_identifier, &r));
	TRY(rds_cluster_must_be(c, &r, "available"));
	for (size_t i = 0; i < r.nodes.n; i++)
		if (r.nodes.v[i].leaving.v)
			return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT, "Instance %.*s is being deleted.",
				STR_ARG(r.nodes.v[i].instance));
	r.db_instance_status = STR("stopping");
	TRY(all_members(c, &r, "stopping"));
	return answer(c, &r, &out->db_cluster);
}
