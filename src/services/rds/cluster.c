/* CreateDBCluster and DescribeDBClusters. "Creating an Amazon Aurora DB cluster", the Aurora guide; "Creating a
 * Multi-AZ DB cluster", the guide. */
#include "services/rds/cluster.h"
#include "base/rand.h"
#include "services/rds/crypt.h"

enum { ZONES = 3, SNAPSHOT_DAYS_MAX = 35, PORT_MIN = 1150, PORT_MAX = 65535 };

bool rds_is_aurora(const struct rds_rec_instance *r)
{
	return str_starts(r->engine, STR("aurora"));
}

status rds_cluster_find(struct call *c, struct str name, struct rds_rec_instance *out)
{
	if (str_starts(name, STR("arn:"))) name = str_from(name, (size_t)(str_rchr(name, ':') + 1));
	status s = rds_load(rds_here(c), &rds_kind_cluster, str_or(name, STR("")), out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return RDS_FAIL(c, DB_CLUSTER_NOT_FOUND_FAULT, "DBCluster %.*s not found.", STR_ARG(str_or(name, STR(""))));
}

status rds_cluster_must_be(struct call *c, const struct rds_rec_instance *r, const char *state)
{
	if (str_eq(r->db_instance_status, str_c(state))) return OK;
	return RDS_FAIL(c, INVALID_DB_CLUSTER_STATE_FAULT, "DbCluster %.*s is in %.*s state but expected in one of %s.",
		STR_ARG(r->db_instance_identifier), STR_ARG(r->db_instance_status), state);
}

void rds_cluster_save(struct call *c, const struct rds_rec_instance *r)
{
	rds_instance_put(rds_here(c), r);
	rds_mark(rds_here(c), r->dbi_resource_id, 0);
	rds_poke(c);
}

void rds_cluster_event(struct rds_work *w, const char *category, const char *text)
{
	rds_instance_event(w->at, w->now_ms, w->r, category, text);
}

status rds_cluster_engine_check(struct call *c, struct str engine)
{
	if (str_is(engine, "aurora-postgresql") || str_is(engine, "postgres")) return OK;
	if (str_is(engine, "aurora-mysql") || str_is(engine, "mysql") || str_is(engine, "aurora") ||
		str_is(engine, "neptune") || str_is(engine, "docdb"))
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "DB clusters of engine %.*s are not implemented.", STR_ARG(engine));
	return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
		"Invalid DB engine: %.*s. Valid values: aurora-postgresql, postgres", STR_ARG(engine));
}

/* What stands behind these is not built: better no cluster than one that lacks what was asked for. */
static status refuse_unbuilt(struct call *c, const struct rds_create_db_cluster_input *in)
{
	const char *what =
		in->backtrack_window.v > 0 ? "Backtracking"
		: str_has(in->engine_mode) && !str_is(in->engine_mode, "provisioned")
			? "Engine modes other than provisioned"
		: in->scaling_configuration || in->serverless_v2_scaling_configuration ? "Serverless clusters"
		: str_has(in->global_cluster_identifier)                               ? "Global clusters"
		: in->enable_http_endpoint.v                                           ? "The Data API"
		: str_has(in->replication_source_identifier)                           ? "Replicas of clusters"
		: str_has(in->domain)                                                  ? "Directory domains"
		: in->enable_performance_insights.v                                    ? "Performance Insights"
		: in->monitoring_interval.v > 0                                        ? "Enhanced Monitoring"
		: str_is(in->network_type, "DUAL")                                     ? "Dual-stack networks"
		: in->enable_limitless_database.v || str_is(in->cluster_scalability_type, "limitless")
			? "Limitless databases"
		: in->enable_local_write_forwarding.v || in->enable_global_write_forwarding.v ? "Write forwarding"
		: in->rds_custom_cluster_configuration || str_has(in->db_system_id) ? "Features of other engines"
		: in->with_express_configuration.v                                  ? "Express configurations"
		: str_has(in->character_set_name)                                   ? "Character sets"
		: str_has(in->master_user_authentication_type) &&
				!str_is(in->master_user_authentication_type, "password")
			? "Master users without passwords"
			: NULL;
	return what ? call_fail(c, ERR_NOT_IMPLEMENTED, "%s are not implemented.", what) : OK;
}

/* ── showing ── */

/* As an instance's (instance.c): outside is this machine. */
static struct str address_for(const struct call *c, struct str name, struct str loopback, bool public)
{
	struct str peer = c->http ? str_or(c->http->peer, STR("")) : STR("");
	bool outside = str_starts(peer, STR("127.")) || str_starts(peer, STR("[::1]"));
	return outside && public && str_has(loopback) ? loopback : name;
}

static status zones_of(struct call *c, const struct rds_rec_instance *r, struct rds_availability_zones *out)
{
	struct rds_rec_subnet_group g;
	size_t capacity = 0;
	status s = rds_load(rds_here(c), &rds_kind_subnet_group, r->subnet_group, &g);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	for (size_t i = 0; i < g.subnets.n && out->n < ZONES; i++) {
		struct ec2_rec_subnet n;
		bool there = false;
		s = ec2_load(ec2_here(c), &ec2_type_subnet, g.subnets.v[i], &n);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		for (size_t k = 0; k < out->n; k++) there = there || str_eq(out->v[k], n.availability_zone);
		if (!there) *VEC_PUSH(c->arena, out, &capacity) = n.availability_zone;
	}
	return OK;
}

static status show_members(struct call *c, const struct rds_rec_instance *r, struct rds_db_cluster *out)
{
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->db_cluster_members);
	for (size_t i = 0; i < r->nodes.n; i++) {
		const struct rds_rec_node *n = &r->nodes.v[i];
		*VEC_PUSH(c->arena, &out->db_cluster_members, &capacity) =
			(struct rds_db_cluster_member){.db_instance_identifier = n->instance,
				.is_cluster_writer = SOME_BOOL(str_eq(n->letter, str_or(r->primary, STR("")))),
				.db_cluster_parameter_group_status = str_or(n->parameter_state, STR("in-sync")),
				.promotion_tier = n->tier.has ? n->tier : SOME_I32(1)};
	}
	return OK;
}

status rds_cluster_show(struct call *c, const struct rds_rec_instance *r, struct rds_db_cluster *out)
{
	struct arena *a = c->arena;
	bool aurora = rds_is_aurora(r);
	size_t capacity = 0, up = 0;
	for (size_t i = 0; i < r->nodes.n; i++) up += str_is(r->nodes.v[i].state, "up");
	*out = (struct rds_db_cluster){.db_cluster_identifier = r->db_instance_identifier,
		.backup_retention_period = r->backup_retention_period,
		.database_name = r->db_name,
		.db_cluster_parameter_group = r->parameter_group,
		.db_subnet_group = r->subnet_group,
		.status = r->db_instance_status,
		.earliest_restorable_time = r->restorable_from,
		.latest_restorable_time = r->latest_restorable_time,
		.endpoint = address_for(c, r->name, r->loopback, r->writer_public.v),
		.reader_endpoint = address_for(c, r->reader_name, r->reader_loopback, r->reader_public.v),
		.multi_az = SOME_BOOL(!aurora || r->nodes.n > 1),
		.engine = r->engine,
		.engine_version = r->engine_version,
		.port = r->port,
		.master_username = r->master_username,
		.preferred_backup_window = r->preferred_backup_window,
		.preferred_maintenance_window = r->preferred_maintenance_window,
		.hosted_zone_id = STR("Z2R2ITUGPM61AM"),
		.storage_encrypted = SOME_BOOL(str_has(r->kms_key_id)),
		.kms_key_id = r->kms_key_id,
		.db_cluster_arn = rds_arn(c, &rds_kind_cluster, r->db_instance_identifier),
		.db_cluster_resource_id = r->dbi_resource_id,
		.iam_database_authentication_enabled = SOME_BOOL(r->iam_database_authentication_enabled.v),
		.cluster_create_time = r->started.has ? r->started : r->instance_create_time,
		.engine_mode = STR("provisioned"),
		.deletion_protection = SOME_BOOL(r->deletion_protection.v),
		.http_endpoint_enabled = SOME_BOOL(false),
		.copy_tags_to_snapshot = SOME_BOOL(r->copy_tags_to_snapshot.v),
		.cross_account_clone = SOME_BOOL(false),
		.auto_minor_version_upgrade = SOME_BOOL(r->auto_minor_version_upgrade.v),
		.activity_stream_status = STR("stopped"),
		.network_type = STR("IPV4"),
		.allocated_storage = aurora ? SOME_I32(1) : r->allocated_storage,
		.tag_list = rds_tags_out(a, &r->tags)};
	if (r->exports.n) out->enabled_cloudwatch_logs_exports = (struct rds_log_type_list){r->exports.v, r->exports.n};
	if (!aurora) {
		out->db_cluster_instance_class = r->db_instance_class;
		out->storage_type = r->storage_type;
		out->iops = r->iops;
		out->publicly_accessible = SOME_BOOL(r->publicly_accessible.v);
	} else if (str_is(str_or(r->storage_type, STR("aurora")), "aurora-iopt1")) {
		out->storage_type = r->storage_type; /* "aurora" is not told */
	}
	TRY(zones_of(c, r, &out->availability_zones));
	TRY(show_members(c, r, out));
	TRY(rds_custom_endpoints(c, r, &out->custom_endpoints));
	for (size_t i = 0; i < r->groups.n; i++)
		*VEC_PUSH(a, &out->vpc_security_groups, &capacity) =
			(struct rds_vpc_security_group_membership){r->groups.v[i], STR("active")};
	VEC_PRESENT(a, &out->associated_roles);
	VEC_PRESENT(a, &out->read_replica_identifiers);
	if (r->verifier_due.v && str_has(r->verifier) && r->started.has) {
		out->pending_modified_values = arena_new(a, struct rds_cluster_pending_modified_values);
		out->pending_modified_values->master_user_password = STR("****");
	}
	if (str_has(r->secret_arn)) {
		out->master_user_secret = arena_new(a, struct rds_master_user_secret);
		*out->master_user_secret = (struct rds_master_user_secret){
			.secret_arn = r->secret_arn, .secret_status = r->secret_status, .kms_key_id = r->secret_key};
	}
	return OK;
}

struct rds_db_cluster *rds_cluster_answer(struct call *c, const struct rds_rec_instance *r)
{
	struct rds_db_cluster *out = arena_new(c->arena, struct rds_db_cluster);
	return is_ok(rds_cluster_show(c, r, out)) ? out : NULL;
}

status rds_describe_db_clusters(
	struct call *c, const struct rds_describe_db_clusters_input *in, struct rds_describe_db_clusters_output *out)
{
	static const char *const names[] = {
		"clone-group-id", "db-cluster-id", "db-cluster-resource-id", "domain", "engine", NULL};
	struct rds_rec_instance r;
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, names));
	VEC_PRESENT(c->arena, &out->db_clusters);
	if (str_has(in->db_cluster_identifier)) {
		TRY(rds_cluster_find(c, in->db_cluster_identifier, &r));
		return rds_cluster_show(c, &r, VEC_PUSH(c->arena, &out->db_clusters, &capacity));
	}
	struct rds_each e = rds_each(rds_here(c), &rds_kind_cluster);
	status s = OK;
	while (is_ok(s) && rds_next(&e)) {
		const struct rds_rec_instance *i = e.record;
		/* The value may be an identifier or an ARN. */
		bool named = rds_filter_passes(&in->filters, "db-cluster-id", i->db_instance_identifier) ||
			     rds_filter_passes(&in->filters, "db-cluster-id",
				     rds_arn(c, &rds_kind_cluster, i->db_instance_identifier));
		if (named && rds_filter_passes(&in->filters, "db-cluster-resource-id", i->dbi_resource_id) &&
			rds_filter_passes(&in->filters, "engine", i->engine) &&
			rds_filter_passes(&in->filters, "domain", STR("")) &&
			rds_filter_passes(&in->filters, "clone-group-id", STR("")))
			s = rds_cluster_show(c, i, VEC_PUSH(c->arena, &out->db_clusters, &capacity));
	}
	status end = rds_each_end(&e);
	TRY(s);
	TRY(end);
	return rds_page(c, &out->db_clusters, sizeof(*out->db_clusters.v), in->max_records, in->marker, &out->marker);
}

/* ── making ── */

static status check_free(struct call *c, struct str name)
{
	struct rds_rec_instance other;
	size_t n = 0;
	status s = rds_load(rds_here(c), &rds_kind_cluster, name, &other);
	if (is_ok(s)) return RDS_FAIL(c, DB_CLUSTER_ALREADY_EXISTS_FAULT, "DB Cluster already exists");
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	struct rds_each e = rds_each(rds_here(c), &rds_kind_cluster);
	while (rds_next(&e)) n++;
	TRY(rds_each_end(&e));
	if (n < RDS_CLUSTERS_MAX) return OK;
	return RDS_FAIL(c, DB_CLUSTER_QUOTA_EXCEEDED_FAULT,
		"The request cannot be processed because it would exceed the maximum number of DB clusters.");
}

static status storage(struct call *c, struct rds_rec_instance *r)
{
	if (rds_is_aurora(r)) {
		if (str_has(r->db_instance_class) || r->allocated_storage.has || r->iops.has)
			return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
				"DBClusterInstanceClass, AllocatedStorage and Iops aren't supported for DB engine "
				"%.*s.",
				STR_ARG(r->engine));
		if (!str_has(r->storage_type)) r->storage_type = STR("aurora");
		if (str_is(r->storage_type, "aurora") || str_is(r->storage_type, "aurora-iopt1")) return OK;
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Invalid storage type: %.*s", STR_ARG(r->storage_type));
	}
	if (!str_has(r->db_instance_class))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"DBClusterInstanceClass is required for Multi-AZ DB clusters.");
	TRY(rds_class_check(c, r->db_instance_class));
	if (!r->allocated_storage.has)
		return RDS_FAIL(
			c, INVALID_PARAMETER_COMBINATION, "AllocatedStorage is required for Multi-AZ DB clusters.");
	if (!str_has(r->storage_type)) r->storage_type = STR("io1");
	return rds_storage_check(c, r);
}

/* The three instances of a Multi-AZ DB cluster come with it. */
static status add_members(struct call *c, struct rds_rec_instance *r)
{
	struct rds_availability_zones zones = {0};
	TRY(zones_of(c, r, &zones));
	if (zones.n < ZONES)
		return RDS_FAIL(c, DB_SUBNET_GROUP_DOES_NOT_COVER_ENOUGH_A_ZS,
			"DB Subnet Group doesn't meet availability zone coverage requirement. Please add subnets to "
			"cover at "
			"least %d availability zones. Current coverage: %zu",
			ZONES, zones.n);
	for (unsigned i = 1; i <= ZONES; i++) {
		struct rds_rec_instance m = {.db_instance_identifier = str_fmt(c->arena, "%.*s-instance-%u",
						     STR_ARG(r->db_instance_identifier), i),
			.db_instance_class = r->db_instance_class,
			.parameter_group = STR("default.postgres15"),
			.promotion_tier = SOME_I32(1)};
		TRY(rds_member_add(c, r, &m, STR_NONE, r->publicly_accessible));
	}
	return OK;
}

static struct str loopback(struct call *c)
{
	return str_fmt(c->arena, "127.%u.%u.%u", 64 + (unsigned)rand_below(128), (unsigned)rand_below(256),
		1 + (unsigned)rand_below(254));
}

status rds_cluster_make(struct call *c, struct rds_rec_instance *r, const struct rds_make *m)
{
	struct rds_rec_subnet_group g;
	struct rds_rec_parameter_group pg;
	TRY(rds_name_check(c, r->db_instance_identifier, "DBClusterIdentifier", rds_is_aurora(r) ? 63 : 52));
	r->db_instance_identifier = str_lower(c->arena, r->db_instance_identifier);
	TRY(check_free(c, r->db_instance_identifier));
	const struct rds_engine *engine = rds_engine_find(r->engine, r->engine_version);
	if (!engine)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "Cannot find version %.*s for %.*s",
			STR_ARG(r->engine_version), STR_ARG(r->engine));
	r->engine_version = str_c(engine->version);
	TRY(storage(c, r));
	if (!r->backup_retention_period.has) r->backup_retention_period = SOME_I32(1);
	if (r->backup_retention_period.v < 1 || r->backup_retention_period.v > SNAPSHOT_DAYS_MAX)
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"Invalid backup retention period: %d. Retention period must be between 1 and 35.",
			r->backup_retention_period.v);
	if (!r->port.has) r->port = SOME_I32(5432);
	if (r->port.v < PORT_MIN || r->port.v > PORT_MAX)
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Invalid endpoint port %d, valid port range is %d - %d",
			r->port.v, PORT_MIN, PORT_MAX);
	TRY(rds_window_choose(c, &r->preferred_maintenance_window, &r->preferred_backup_window));
	r->preferred_maintenance_window = str_lower(c->arena, r->preferred_maintenance_window);
	if (!str_has(r->parameter_group)) r->parameter_group = str_fmt(c->arena, "default.%s", engine->family);
	TRY(rds_cluster_group_find(c, r->parameter_group, &pg));
	if (!str_eq(pg.db_parameter_group_family, str_c(engine->family)))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"The parameter group %.*s with DBParameterGroupFamily %.*s can't be used for this cluster. "
			"Please use a "
			"Parameter Group with DBParameterGroupFamily %s",
			STR_ARG(r->parameter_group), STR_ARG(pg.db_parameter_group_family), engine->family);
	r->parameter_group = pg.db_parameter_group_name;
	TRY(rds_tags_set(c, &r->tags, m->tags, m->n_tags));
	r->dbi_resource_id =
		str_cat(c->arena, STR("cluster-"), rand_text(c->arena, STR("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), 26));
	TRY(rds_crypt_instance(c, m->encrypted, m->kms_key, r));
	TRY(rds_subnet_group_for(c, m->subnet_group, &g));
	r->subnet_group = g.db_subnet_group_name;
	r->vpc = g.vpc_id;
	TRY(rds_groups_check(c, r->vpc, m->groups, m->n_groups));
	r->groups = (struct rds_rec_strings){
		arena_copy(c->arena, m->groups, m->n_groups * sizeof(*m->groups)), m->n_groups};
	if (!r->groups.n) {
		struct ec2_rec_strings own = {0};
		TRY(ec2_groups_for(c, r->vpc, NULL, 0, &own));
		r->groups = (struct rds_rec_strings){own.v, own.n};
	}
	r->name = rds_cluster_name(c->arena, rds_here(c), r->db_instance_identifier, "cluster");
	r->reader_name = rds_cluster_name(c->arena, rds_here(c), r->db_instance_identifier, "cluster-ro");
	r->loopback = loopback(c), r->reader_loopback = loopback(c);
	r->db_instance_status = STR("creating");
	r->instance_create_time = SOME_TIME(c->now_ms);
	r->parameter_state = STR("in-sync");
	if (!r->auto_minor_version_upgrade.has) r->auto_minor_version_upgrade = SOME_BOOL(true);
	r->multi_az = SOME_BOOL(false);
	r->option_group = STR("default:postgres-15");
	r->license_model = STR("postgresql-license");
	r->publicly_accessible = SOME_BOOL(m->public.v);
	if (!rds_is_aurora(r)) TRY(add_members(c, r));
	rds_spares_want(c->tx);
	rds_cluster_save(c, r);
	return OK;
}

static struct str given(struct str s)
{
	return s.n ? s : STR_NONE;
}

status rds_create_db_cluster(
	struct call *c, const struct rds_create_db_cluster_input *in, struct rds_create_db_cluster_output *out)
{
	TRY(rds_cluster_engine_check(c, in->engine));
	TRY(refuse_unbuilt(c, in));
	TRY(rds_key_check(c, in->storage_encrypted, in->kms_key_id));
	TRY(rds_master_check(c, in->engine, in->master_username));
	TRY(rds_database_check(c, in->database_name));
	struct rds_rec_instance r = {.db_instance_identifier = in->db_cluster_identifier,
		.db_instance_class = given(in->db_cluster_instance_class),
		.engine = in->engine,
		.engine_version = given(in->engine_version),
		.master_username = in->master_username,
		.db_name = given(in->database_name),
		.allocated_storage = in->allocated_storage,
		.preferred_backup_window = given(in->preferred_backup_window),
		.backup_retention_period = in->backup_retention_period,
		.parameter_group = given(in->db_cluster_parameter_group_name),
		.preferred_maintenance_window = given(in->preferred_maintenance_window),
		.auto_minor_version_upgrade = in->auto_minor_version_upgrade,
		.iops = in->iops,
		.storage_type = given(in->storage_type),
		.copy_tags_to_snapshot = in->copy_tags_to_snapshot,
		.deletion_protection = in->deletion_protection,
		.iam_database_authentication_enabled = in->enable_iam_database_authentication,
		.exports = {in->enable_cloudwatch_logs_exports.v, in->enable_cloudwatch_logs_exports.n},
		.port = in->port};
	TRY(rds_exports_check(c, in->engine, r.exports.v, r.exports.n));
	struct rds_make m = {.subnet_group = given(in->db_subnet_group_name),
		.groups = in->vpc_security_group_ids.v,
		.n_groups = in->vpc_security_group_ids.n,
		.public = in->publicly_accessible,
		.tags = in->tags.v,
		.n_tags = in->tags.n,
		.encrypted = in->storage_encrypted.v,
		.kms_key = in->kms_key_id};
	if (rds_is_aurora(&r) && in->publicly_accessible.has)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"PubliclyAccessible isn't supported for DB engine %.*s: it is the DB instances'.",
			STR_ARG(r.engine));
	TRY(rds_master_password(c, &r, true, in->master_user_password, in->manage_master_user_password.v,
		in->master_user_secret_kms_key_id));
	TRY(rds_cluster_make(c, &r, &m));
	out->db_cluster = rds_cluster_answer(c, &r);
	return OK;
}
