/* CreateDBInstance. */
#include "base/rand.h"
#include "services/rds/room.h"

/* What stands behind these is not built: better no instance than one that lacks what was asked for. */
static status refuse_unbuilt(struct call *c, const struct rds_create_db_instance_input *in)
{
	const char *what = in->enable_performance_insights.v                                ? "Performance Insights"
			   : in->monitoring_interval.v > 0                                  ? "Enhanced Monitoring"
			   : str_has(in->domain) || str_has(in->domain_fqdn)                ? "Directory domains"
			   : in->processor_features.n                                       ? "Processor features"
			   : in->dedicated_log_volume.v || in->additional_storage_volumes.n ? "Further volumes"
			   : str_is(in->network_type, "DUAL")                               ? "Dual-stack networks"
			   : in->multi_tenant.v || str_has(in->tde_credential_arn) ? "Features of other engines"
			   : str_is(in->backup_target, "outposts")                 ? "Outposts"
			   : str_has(in->master_user_authentication_type) &&
					   !str_is(in->master_user_authentication_type, "password")
				   ? "Master users without passwords"
				   : NULL;
	return what ? call_fail(c, ERR_NOT_IMPLEMENTED, "%s are not implemented.", what) : OK;
}

status rds_key_check(struct call *c, struct opt_bool encrypted, struct str kms_key)
{
	if (!encrypted.has || encrypted.v || !str_has(kms_key) || !kms_key.n) return OK;
	return RDS_FAIL(
		c, INVALID_PARAMETER_COMBINATION, "KmsKeyId can only be specified when StorageEncrypted is true.");
}

static bool is_word(struct str s, size_t max)
{
	bool good = s.n > 0 && s.n <= max;
	for (size_t i = 0; i < s.n; i++) {
		char b = s.p[i];
		bool letter = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z');
		good = good && (letter || (i > 0 && ((b >= '0' && b <= '9') || b == '_')));
	}
	return good;
}

status rds_database_check(struct call *c, struct str name)
{
	if (!str_has(name) || !name.n || is_word(name, 63)) return OK;
	return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
		"The database's name must begin with a letter and contain only alphanumeric characters.");
}

/* "Reserved words" of each engine, and whom virga's own servers know. */
static bool is_reserved(struct str engine, struct str name)
{
	static const char *const postgres[] = {"admin", "rdsadmin", "rdsrepladmin", "rds_superuser", "rds_replication",
		"rdstopmgr", "rds_iam", "rds_password", "user", "table", "select", "public", "none", "all", "default",
		"grant", "order", "group", NULL};
	static const char *const mariadb[] = {
		"root", "engine", "rdsadmin", "rdsrepladmin", "mysql", "mariadb", "public", NULL};
	const char *const *reserved = str_is(engine, "mariadb") ? mariadb : postgres;
	const char *const prefix = str_is(engine, "mariadb") ? "repl_" : "pg_";
	for (size_t i = 0; reserved[i]; i++)
		if (str_ieq(name, str_c(reserved[i]))) return true;
	return str_istarts(name, str_c(prefix));
}

status rds_master_check(struct call *c, struct str engine, struct str name)
{
	/* "Constraints: Must be 1 to 16 letters or numbers" for MariaDB, 63 for PostgreSQL (CreateDBInstance). */
	size_t most = str_is(engine, "mariadb") ? 16 : 63;
	if (!str_has(name))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"The parameter MasterUsername must be provided and must not be blank.");
	if (!is_word(name, most))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"MasterUsername must be 1 to %zu letters, numbers or underscores, and its first character a "
			"letter.",
			most);
	if (!is_reserved(engine, name)) return OK;
	return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
		"MasterUsername %.*s cannot be used as it is a reserved word used by the engine", STR_ARG(name));
}

status rds_master_password(struct call *c, struct rds_rec_instance *r, bool cluster, struct str password, bool managed,
	struct str managed_key)
{
	if (managed) {
		if (str_has(password))
			return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
				"You can't specify MasterUserPassword when ManageMasterUserPassword is turned on.");
		r->secret_name =
			str_fmt(c->arena, "rds!%s-%.*s", cluster ? "cluster" : "db", STR_ARG(rand_uuid(c->arena)));
		r->secret_status = STR("creating");
		r->secret_key = managed_key;
		return OK;
	}
	if (str_has(managed_key))
		return RDS_FAIL(
			c, INVALID_PARAMETER_COMBINATION, "MasterUserSecretKmsKeyId needs ManageMasterUserPassword.");
	if (!str_has(password))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"The parameter MasterUserPassword must be provided and must not be blank.");
	TRY(rds_password_check(c, password));
	r->verifier = rds_verifier(c->arena, r->engine, password);
	return OK;
}

/* Clients send what they leave to RDS as an empty text, too. */
static struct str given(struct str s)
{
	return s.n ? s : STR_NONE;
}

status rds_create_db_instance(
	struct call *c, const struct rds_create_db_instance_input *in, struct rds_create_db_instance_output *out)
{
	if (!rds_engine_find(in->engine, STR_NONE))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"Invalid DB engine: %.*s. The engines of this installation are: postgres, mariadb",
			STR_ARG(in->engine));
	if (str_has(in->db_cluster_identifier) && in->db_cluster_identifier.n) return rds_member_create(c, in, out);
	if (str_starts(in->engine, STR("aurora")))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"DB instances of engine %.*s are members of a DB cluster: DBClusterIdentifier is required.",
			STR_ARG(in->engine));
	TRY(refuse_unbuilt(c, in));
	TRY(rds_key_check(c, in->storage_encrypted, in->kms_key_id));
	if (in->db_security_groups.n)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"DBSecurityGroups are not supported for DB instances in a VPC. Use VpcSecurityGroupIds.");
	TRY(rds_master_check(c, in->engine, in->master_username));
	if (str_has(in->db_name) && in->db_name.n && !is_word(in->db_name, 63))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"DBName must begin with a letter and contain only alphanumeric characters.");
	if (!in->allocated_storage.has)
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"The parameter AllocatedStorage must be provided and must not be blank.");
	struct rds_rec_instance r = {.db_instance_identifier = in->db_instance_identifier,
		.db_instance_class = in->db_instance_class,
		.engine = in->engine,
		.engine_version = given(in->engine_version),
		.master_username = in->master_username,
		.db_name = given(in->db_name),
		.allocated_storage = in->allocated_storage,
		.preferred_backup_window = given(in->preferred_backup_window),
		.backup_retention_period = in->backup_retention_period.has ? in->backup_retention_period : SOME_I32(1),
		.parameter_group = given(in->db_parameter_group_name),
		.preferred_maintenance_window = given(in->preferred_maintenance_window),
		.multi_az = in->multi_az,
		.auto_minor_version_upgrade = in->auto_minor_version_upgrade,
		.license_model = given(in->license_model),
		.iops = in->iops,
		.storage_throughput = in->storage_throughput,
		.option_group = given(in->option_group_name),
		.storage_type = given(in->storage_type),
		.ca_certificate_identifier = given(in->ca_certificate_identifier),
		.copy_tags_to_snapshot = in->copy_tags_to_snapshot,
		.deletion_protection = in->deletion_protection,
		.max_allocated_storage = in->max_allocated_storage,
		.iam_database_authentication_enabled = in->enable_iam_database_authentication,
		.port = in->port};
	struct rds_make m = {.zone = given(in->availability_zone),
		.subnet_group = given(in->db_subnet_group_name),
		.groups = in->vpc_security_group_ids.v,
		.n_groups = in->vpc_security_group_ids.n,
		.public = in->publicly_accessible,
		.tags = in->tags.v,
		.n_tags = in->tags.n,
		.encrypted = in->storage_encrypted.v,
		.kms_key = in->kms_key_id};
	TRY(rds_exports_check(
		c, in->engine, in->enable_cloudwatch_logs_exports.v, in->enable_cloudwatch_logs_exports.n));
	r.exports =
		(struct rds_rec_strings){in->enable_cloudwatch_logs_exports.v, in->enable_cloudwatch_logs_exports.n};
	TRY(rds_master_password(c, &r, false, in->master_user_password, in->manage_master_user_password.v,
		in->master_user_secret_kms_key_id));
	TRY(rds_make(c, &r, &m));
	out->db_instance = rds_instance_answer(c, &r);
	return OK;
}
