/* DB instances that are members of a cluster: CreateDBInstance with DBClusterIdentifier, and what ModifyDBInstance,
 * DeleteDBInstance and RebootDBInstance do with them. "Adding Aurora Replicas to a DB cluster", the Aurora guide. */
#include "base/rand.h"
#include "services/rds/cluster.h"

enum { TIER_MAX = 15 };

struct rds_rec_node *rds_member_node(const struct rds_rec_instance *cluster, struct str member)
{
	for (size_t i = 0; i < cluster->nodes.n; i++)
		if (str_eq(cluster->nodes.v[i].instance, member)) return &cluster->nodes.v[i];
	return NULL;
}

status rds_member_load(struct rds_place at, const struct rds_rec_node *n, struct rds_rec_instance *out)
{
	return str_has(n->instance) ? rds_load(at, &rds_kind_instance, n->instance, out) : STATUS(NOT_FOUND);
}

status rds_member_add(struct call *c, struct rds_rec_instance *cluster, struct rds_rec_instance *m, struct str zone,
	struct opt_bool public)
{
	struct opt_bool was = cluster->publicly_accessible;
	bool first = cluster->nodes.n == 0;
	TRY(rds_name_check(c, m->db_instance_identifier, "DBInstanceIdentifier", 63));
	m->db_instance_identifier = str_lower(c->arena, m->db_instance_identifier);
	TRY(rds_instance_name_free(c, m->db_instance_identifier));
	m->dbi_resource_id =
		str_cat(c->arena, STR("db-"), rand_text(c->arena, STR("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), 26));
	m->db_cluster_identifier = cluster->db_instance_identifier;
	m->engine = cluster->engine, m->engine_version = cluster->engine_version;
	m->license_model = cluster->license_model;
	m->master_username = cluster->master_username, m->db_name = cluster->db_name;
	m->allocated_storage = rds_is_aurora(cluster) ? SOME_I32(1) : cluster->allocated_storage;
	m->storage_type = cluster->storage_type, m->iops = cluster->iops;
	m->backup_retention_period = cluster->backup_retention_period;
	m->preferred_backup_window = cluster->preferred_backup_window;
	if (!str_has(m->preferred_maintenance_window))
		m->preferred_maintenance_window = cluster->preferred_maintenance_window;
	m->port = cluster->port, m->vpc = cluster->vpc, m->subnet_group = cluster->subnet_group;
	m->iam_database_authentication_enabled = cluster->iam_database_authentication_enabled;
	m->kms_key_id = cluster->kms_key_id; /* what is sealed is the cluster's folder */
	m->groups = cluster->groups, m->option_group = cluster->option_group;
	m->ca_certificate_identifier = STR(RDS_CA);
	m->network_type = STR("IPV4"), m->multi_az = SOME_BOOL(false);
	m->engine_lifecycle_support = STR("open-source-rds-extended-support");
	m->deletion_protection = m->dedicated_log_volume = SOME_BOOL(false);
	m->copy_tags_to_snapshot = SOME_BOOL(cluster->copy_tags_to_snapshot.v);
	if (!m->auto_minor_version_upgrade.has) m->auto_minor_version_upgrade = SOME_BOOL(true);
	m->db_instance_status = STR("creating"), m->parameter_state = STR("in-sync");
	m->name = rds_endpoint_name(c->arena, rds_here(c), m->db_instance_identifier);
	TRY(rds_public_set(c, m, public.v));
	cluster->publicly_accessible = m->publicly_accessible;
	TRY(rds_node_add(c, cluster, zone));
	cluster->publicly_accessible = was;
	struct rds_rec_node *n = &cluster->nodes.v[cluster->nodes.n - 1];
	/* The data that the last instance has left, or that a restore has brought. */
	if (first && str_has(cluster->primary)) n->letter = cluster->primary;
	if (first && cluster->volume.v) n->state = STR("made");
	n->instance = m->db_instance_identifier;
	n->db_instance_class = m->db_instance_class;
	n->tier = m->promotion_tier;
	m->availability_zone = n->zone;
	rds_instance_put(rds_here(c), m);
	return OK;
}

/* What is the cluster's is not said of a member. */
static status refuse(struct call *c, const struct rds_create_db_instance_input *in)
{
	const char *what = in->allocated_storage.has               ? "AllocatedStorage"
			   : str_has(in->master_username)          ? "MasterUsername"
			   : str_has(in->master_user_password)     ? "MasterUserPassword"
			   : in->manage_master_user_password.v     ? "ManageMasterUserPassword"
			   : str_has(in->db_name) && in->db_name.n ? "DBName"
			   : in->backup_retention_period.has       ? "BackupRetentionPeriod"
			   : in->multi_az.v                        ? "MultiAZ"
			   : in->vpc_security_group_ids.n          ? "VpcSecurityGroupIds"
			   : in->iops.has                          ? "Iops"
			   : in->storage_throughput.has            ? "StorageThroughput"
			   : in->max_allocated_storage.has         ? "MaxAllocatedStorage"
			   : in->port.has                          ? "Port"
			   : in->deletion_protection.v             ? "DeletionProtection"
								   : NULL;
	if (what)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"The requested DB Instance will be a member of a DB Cluster. Set %s for the DB Cluster.", what);
	what = in->enable_performance_insights.v                ? "Performance Insights"
	       : in->monitoring_interval.v > 0                  ? "Enhanced Monitoring"
	       : str_is(in->db_instance_class, "db.serverless") ? "Serverless instances"
								: NULL;
	return what ? call_fail(c, ERR_NOT_IMPLEMENTED, "%s are not implemented.", what) : OK;
}

status rds_member_create(
	struct call *c, const struct rds_create_db_instance_input *in, struct rds_create_db_instance_output *out)
{
	struct rds_rec_instance r;
	TRY(rds_cluster_find(c, in->db_cluster_identifier, &r));
	if (!rds_is_aurora(&r))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"The instances of a Multi-AZ DB cluster are made with it: none can be added.");
	if (!str_eq(in->engine, r.engine))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"The engine name requested for your DB instance (%.*s) doesn't match the engine name of your "
			"DB cluster "
			"(%.*s).",
			STR_ARG(in->engine), STR_ARG(r.engine));
	TRY(refuse(c, in));
	if (in->enable_cloudwatch_logs_exports.n ||
		(in->enable_iam_database_authentication.has &&
			in->enable_iam_database_authentication.v != r.iam_database_authentication_enabled.v))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"Log exports and IAM database authentication of the DB instance are the DB cluster's.");
	if ((in->storage_encrypted.has && in->storage_encrypted.v != str_has(r.kms_key_id)) ||
		(in->kms_key_id.n && !str_eq(in->kms_key_id, str_or(r.kms_key_id, STR("")))))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"The encryption of the DB instance's storage is the DB cluster's.");
	if (str_is(r.db_instance_status, "deleting") || str_is(r.db_instance_status, "stopped") ||
		str_is(r.db_instance_status, "stopping") || str_is(r.db_instance_status, "failed"))
		return rds_cluster_must_be(c, &r, "available");
	if (str_has(in->engine_version) && in->engine_version.n && !rds_engine_find(r.engine, in->engine_version))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "Cannot find version %.*s for %.*s",
			STR_ARG(in->engine_version), STR_ARG(r.engine));
	TRY(rds_class_check(c, in->db_instance_class));
	if (r.nodes.n > RDS_CLUSTER_READERS_MAX)
		return RDS_FAIL(c, INSTANCE_QUOTA_EXCEEDED_FAULT, "A DB cluster can have at most %d readers.",
			RDS_CLUSTER_READERS_MAX);
	if (in->promotion_tier.has && (in->promotion_tier.v < 0 || in->promotion_tier.v > TIER_MAX))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Promotion tiers are 0 to %d.", TIER_MAX);
	if (str_has(in->db_subnet_group_name) && in->db_subnet_group_name.n &&
		!str_ieq(in->db_subnet_group_name, r.subnet_group))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "The DB subnet group is the DB cluster's: %.*s",
			STR_ARG(r.subnet_group));
	struct rds_rec_instance m = {.db_instance_identifier = in->db_instance_identifier,
		.db_instance_class = in->db_instance_class,
		.parameter_group = in->db_parameter_group_name.n ? in->db_parameter_group_name : STR_NONE,
		.preferred_maintenance_window = in->preferred_maintenance_window,
		.auto_minor_version_upgrade = in->auto_minor_version_upgrade,
		.promotion_tier = in->promotion_tier.has ? in->promotion_tier : SOME_I32(1)};
	if (!str_has(m.parameter_group)) m.parameter_group = STR("default.aurora-postgresql15");
	m.parameter_group = str_lower(c->arena, m.parameter_group);
	TRY(rds_parameter_group_check(c, m.parameter_group, STR("aurora-postgresql15")));
	TRY(rds_tags_set(c, &m.tags, in->tags.v, in->tags.n));
	TRY(rds_member_add(
		c, &r, &m, in->availability_zone.n ? in->availability_zone : STR_NONE, in->publicly_accessible));
	rds_cluster_save(c, &r);
	out->db_instance = rds_instance_answer(c, &m);
	return OK;
}

/* ── with a member that is there ── */

static status with(
	struct call *c, const struct rds_rec_instance *m, struct rds_rec_instance *r, struct rds_rec_node **n)
{
	TRY(rds_cluster_find(c, m->db_cluster_identifier, r));
	*n = rds_member_node(r, m->db_instance_identifier);
	if (*n) return OK;
	return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT, "Instance %.*s is being deleted.",
		STR_ARG(m->db_instance_identifier));
}

status rds_member_modify(struct call *c, const struct rds_modify_db_instance_input *in, struct rds_rec_instance *m,
	struct rds_db_instance **out)
{
	struct rds_rec_instance r;
	struct rds_rec_node *n;
	bool restart = false;
	const char *what = in->allocated_storage.has              ? "AllocatedStorage"
			   : str_has(in->master_user_password)    ? "MasterUserPassword"
			   : in->backup_retention_period.has      ? "BackupRetentionPeriod"
			   : in->multi_az.has                     ? "MultiAZ"
			   : in->vpc_security_group_ids.n         ? "VpcSecurityGroupIds"
			   : in->db_port_number.has               ? "DBPortNumber"
			   : in->iops.has                         ? "Iops"
			   : in->storage_throughput.has           ? "StorageThroughput"
			   : str_has(in->storage_type)            ? "StorageType"
			   : str_has(in->preferred_backup_window) ? "PreferredBackupWindow"
			   : in->manage_master_user_password.has  ? "ManageMasterUserPassword"
			   : in->rotate_master_user_password.has  ? "RotateMasterUserPassword"
			   : in->deletion_protection.v            ? "DeletionProtection"
								  : NULL;
	TRY(with(c, m, &r, &n));
	TRY(rds_instance_must_be(c, m, "available"));
	if (what)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"The DB instance is a member of a DB cluster. Modify %s for the DB cluster.", what);
	if (str_has(in->new_db_instance_identifier) || in->cloudwatch_logs_export_configuration ||
		str_has(in->db_subnet_group_name) || in->enable_performance_insights.v ||
		in->monitoring_interval.v > 0 || in->enable_iam_database_authentication.v)
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"New names, subnet groups, log exports, monitoring and IAM authentication of a cluster's "
			"members are "
			"not implemented.");
	if (str_has(in->db_instance_class)) {
		TRY(rds_class_check(c, in->db_instance_class));
		if (!rds_is_aurora(&r))
			return RDS_FAIL(
				c, INVALID_PARAMETER_COMBINATION, "Modify DBClusterInstanceClass for the DB cluster.");
		if (!in->apply_immediately.v && !str_eq(in->db_instance_class, m->db_instance_class))
			return call_fail(c, ERR_NOT_IMPLEMENTED,
				"Changing the class of a cluster's member in its maintenance window is not "
				"implemented: say "
				"ApplyImmediately.");
		restart = !str_eq(in->db_instance_class, m->db_instance_class);
		m->db_instance_class = n->db_instance_class = in->db_instance_class;
	}
	if (in->promotion_tier.has) {
		if (in->promotion_tier.v < 0 || in->promotion_tier.v > TIER_MAX)
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Promotion tiers are 0 to %d.", TIER_MAX);
		m->promotion_tier = n->tier = in->promotion_tier;
	}
	if (str_has(in->db_parameter_group_name) && !str_ieq(in->db_parameter_group_name, m->parameter_group)) {
		TRY(rds_parameter_group_check(c, in->db_parameter_group_name, STR("aurora-postgresql15")));
		m->parameter_group = str_lower(c->arena, in->db_parameter_group_name);
	}
	if (str_has(in->preferred_maintenance_window)) {
		TRY(rds_window_check(c, in->preferred_maintenance_window, r.preferred_backup_window));
		m->preferred_maintenance_window = str_lower(c->arena, in->preferred_maintenance_window);
	}
	if (in->auto_minor_version_upgrade.has) m->auto_minor_version_upgrade = in->auto_minor_version_upgrade;
	if (in->copy_tags_to_snapshot.has) m->copy_tags_to_snapshot = in->copy_tags_to_snapshot;
	if (in->publicly_accessible.has && in->publicly_accessible.v != m->publicly_accessible.v) {
		TRY(rds_public_set(c, m, in->publicly_accessible.v));
		TRY(in->publicly_accessible.v ? ec2_eni_public_give(c, n->eni) : ec2_eni_public_take(c, n->eni));
	}
	struct rds_rec_instance shown = *m;
	if (restart) {
		n->restart = SOME_BOOL(true);
		m->db_instance_status = STR("modifying");
	}
	rds_instance_put(rds_here(c), m);
	rds_cluster_save(c, &r);
	*out = rds_instance_answer(c, &shown);
	return OK;
}

status rds_member_delete(struct call *c, const struct rds_delete_db_instance_input *in, struct rds_rec_instance *m,
	struct rds_db_instance **out)
{
	struct rds_rec_instance r;
	struct rds_rec_node *n;
	TRY(with(c, m, &r, &n));
	if (!rds_is_aurora(&r))
		return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT,
			"The DB instance is a member of a Multi-AZ DB cluster: delete the DB cluster.");
	if (str_is(m->db_instance_status, "deleting"))
		return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT, "Instance %.*s is already being deleted.",
			STR_ARG(m->db_instance_identifier));
	if (str_has(in->final_db_snapshot_identifier))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"FinalDBSnapshotIdentifier can not be specified when deleting a cluster instance");
	if (str_is(r.db_instance_status, "stopped") || str_is(r.db_instance_status, "stopping"))
		return RDS_FAIL(c, INVALID_DB_CLUSTER_STATE_FAULT, "DbCluster %.*s is not in available state.",
			STR_ARG(r.db_instance_identifier));
	n->leaving = SOME_BOOL(true);
	m->db_instance_status = STR("deleting");
	rds_instance_put(rds_here(c), m);
	rds_cluster_save(c, &r);
	*out = rds_instance_answer(c, m);
	return OK;
}

status rds_member_reboot(struct call *c, const struct rds_reboot_db_instance_input *in, struct rds_rec_instance *m,
	struct rds_db_instance **out)
{
	struct rds_rec_instance r;
	struct rds_rec_node *n;
	TRY(with(c, m, &r, &n));
	if (!str_is(m->db_instance_status, "incompatible-parameters")) TRY(rds_instance_must_be(c, m, "available"));
	if (in->force_failover.v)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"Cannot specify ForceFailover when the DB instance is not configured for Multi-AZ.");
	n->restart = SOME_BOOL(true);
	m->db_instance_status = STR("rebooting");
	rds_instance_put(rds_here(c), m);
	rds_cluster_save(c, &r);
	*out = rds_instance_answer(c, m);
	return OK;
}
