/* Engines, versions and instance classes. What runs is Debian's PostgreSQL: a request for an older minor version of 15
 * is met by it, and DescribeDBInstances tells the server's own version. */
#include "services/rds/room.h"

static const struct rds_engine engines[] = {
	{"postgres", "15.18", "15", "postgres15", "PostgreSQL", 2, 5432, "postgresql-license", "default:postgres-15",
		{"postgresql", "upgrade"}, true},
	{"mariadb", "10.11.19", "10.11", "mariadb10.11", "MariaDB Community Edition", 4, 3306, "general-public-license",
		"default:mariadb-10-11", {"audit", "error", "general", "slowquery"}, false},
	{"aurora-postgresql", "15.18", "15", "aurora-postgresql15", "Aurora PostgreSQL", 2, 5432, "postgresql-license",
		"default:aurora-postgresql-15", {"postgresql"}, true}};
enum { N_ENGINES = sizeof(engines) / sizeof(*engines), N_LOGS = 4 };

const struct rds_engine *rds_engine_first(void)
{
	return engines;
}

const struct rds_engine *rds_engine_next(const struct rds_engine *e)
{
	return e + 1 < engines + N_ENGINES ? e + 1 : NULL;
}

const struct rds_engine *rds_engine_find(struct str engine, struct str version)
{
	for (size_t i = 0; i < N_ENGINES; i++) {
		struct str major = str_c(engines[i].major), own = str_from(str_c(engines[i].version), major.n + 1);
		int64_t minor, newest;
		if (!str_eq(engine, str_c(engines[i].engine))) continue;
		if (!str_has(version) || str_eq(version, major)) return &engines[i];
		if (!str_starts(version, major) || version.p[major.n] != '.') continue;
		if (is_ok(str_to_i64(str_from(version, major.n + 1), &minor)) && is_ok(str_to_i64(own, &newest)) &&
			minor >= engines[i].oldest && minor <= newest)
			return &engines[i];
	}
	return NULL;
}

static bool has_log(const struct rds_engine *e, struct str type)
{
	for (size_t i = 0; i < N_LOGS && e->logs[i]; i++)
		if (str_eq(type, str_c(e->logs[i]))) return true;
	return false;
}

status rds_exports_check(struct call *c, struct str engine, const struct str *types, size_t n)
{
	const struct rds_engine *e = rds_engine_find(engine, STR_NONE);
	for (size_t i = 0; i < n; i++)
		if (!e || !has_log(e, types[i]))
			return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
				"You cannot use the log types '%.*s' with engine version %.*s.", STR_ARG(types[i]),
				STR_ARG(engine));
	return OK;
}

status rds_exports_change(
	struct call *c, const struct rds_cloudwatch_logs_export_configuration *k, struct rds_rec_instance *r)
{
	struct rds_rec_strings kept = {0};
	size_t capacity = 0;
	if (!k) return OK;
	TRY(rds_exports_check(c, r->engine, k->enable_log_types.v, k->enable_log_types.n));
	TRY(rds_exports_check(c, r->engine, k->disable_log_types.v, k->disable_log_types.n));
	for (size_t i = 0; i < r->exports.n; i++) {
		bool gone = false;
		for (size_t n = 0; n < k->disable_log_types.n; n++)
			gone = gone || str_eq(k->disable_log_types.v[n], r->exports.v[i]);
		for (size_t n = 0; n < k->enable_log_types.n; n++)
			gone = gone || str_eq(k->enable_log_types.v[n], r->exports.v[i]);
		if (!gone) *VEC_PUSH(c->arena, &kept, &capacity) = r->exports.v[i];
	}
	for (size_t n = 0; n < k->enable_log_types.n; n++)
		*VEC_PUSH(c->arena, &kept, &capacity) = k->enable_log_types.v[n];
	r->exports = kept;
	return OK;
}

/* "DB instance classes", the guide: memory for each vCPU by family, vCPUs by size. */
static const struct {
	const char *family;
	unsigned gib_per_vcpu;
	bool burst;
} families[] = {{"t3", 4, true}, {"t4g", 4, true}, {"m5", 4, false}, {"m5d", 4, false}, {"m6g", 4, false},
	{"m6gd", 4, false}, {"m6i", 4, false}, {"m7g", 4, false}, {"m7i", 4, false}, {"r5", 8, false},
	{"r5b", 8, false}, {"r6g", 8, false}, {"r6i", 8, false}, {"r7g", 8, false}, {"r7i", 8, false},
	{"c6gd", 2, false}};
static const struct {
	const char *size;
	unsigned vcpus, burst_mib; /* burst_mib: of burstable families, which have no larger ones */
} sizes[] = {{"micro", 2, 1024}, {"small", 2, 2048}, {"medium", 2, 4096}, {"large", 2, 8192}, {"xlarge", 4, 16384},
	{"2xlarge", 8, 32768}, {"4xlarge", 16, 0}, {"8xlarge", 32, 0}, {"12xlarge", 48, 0}, {"16xlarge", 64, 0},
	{"24xlarge", 96, 0}};
enum { N_FAMILIES = sizeof(families) / sizeof(*families), N_SIZES = sizeof(sizes) / sizeof(*sizes), FIRST_LARGE = 3 };

static bool class_of(size_t family, size_t size, struct rds_class *out)
{
	out->vcpus = sizes[size].vcpus;
	out->memory_mib =
		families[family].burst ? sizes[size].burst_mib : out->vcpus * families[family].gib_per_vcpu * 1024;
	return families[family].burst ? sizes[size].burst_mib > 0 : size >= FIRST_LARGE;
}

bool rds_class_find(struct str name, struct rds_class *out)
{
	struct str rest = name, db = str_cut(&rest, '.'), family = str_has(rest) ? str_cut(&rest, '.') : STR_NONE;
	if (!str_is(db, "db") || !str_has(rest)) return false;
	for (size_t f = 0; f < N_FAMILIES; f++)
		for (size_t s = 0; s < N_SIZES; s++)
			if (str_eq(family, str_c(families[f].family)) && str_eq(rest, str_c(sizes[s].size)))
				return class_of(f, s, out);
	return false;
}

status rds_class_check(struct call *c, struct str name)
{
	struct rds_class k;
	if (rds_class_find(name, &k)) return OK;
	return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Invalid DB Instance class: %.*s", STR_ARG(name));
}

static status check_engine(struct call *c, struct str engine)
{
	if (!str_has(engine) || rds_engine_find(engine, STR_NONE)) return OK;
	static const char *const known[] = {"mysql", "mariadb", "aurora-mysql", "aurora-postgresql", "custom-oracle-ee",
		"oracle-ee", "oracle-ee-cdb", "oracle-se2", "oracle-se2-cdb", "sqlserver-ee", "sqlserver-se",
		"sqlserver-ex", "sqlserver-web", "db2-ae", "db2-se"};
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (str_eq(engine, str_c(known[i]))) return OK;
	return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Unrecognized engine name: %.*s", STR_ARG(engine));
}

static void show_version(struct call *c, const struct rds_engine *e, struct rds_db_engine_version *o)
{
	size_t capacity = 0;
	*o = (struct rds_db_engine_version){.engine = str_c(e->engine),
		.major_engine_version = str_c(e->major),
		.engine_version = str_c(e->version),
		.db_parameter_group_family = str_c(e->family),
		.db_engine_description = str_c(e->description),
		.db_engine_version_description = str_fmt(c->arena, "%s %s", e->description, e->version),
		.status = STR("available"),
		.supports_log_exports_to_cloudwatch_logs = SOME_BOOL(true),
		.supports_read_replica = SOME_BOOL(true),
		.supports_parallel_query = SOME_BOOL(false),
		.supports_global_databases = SOME_BOOL(false),
		.supports_babelfish = SOME_BOOL(false),
		.supports_certificate_rotation_without_restart = SOME_BOOL(true)};
	VEC_PRESENT(c->arena, &o->valid_upgrade_target);
	*VEC_PUSH(c->arena, &o->supported_ca_certificate_identifiers, &capacity) = STR("rds-ca-rsa2048-g1");
	capacity = 0;
	for (size_t i = 0; i < N_LOGS && e->logs[i]; i++)
		*VEC_PUSH(c->arena, &o->exportable_log_types, &capacity) = str_c(e->logs[i]);
}

status rds_describe_db_engine_versions(struct call *c, const struct rds_describe_db_engine_versions_input *in,
	struct rds_describe_db_engine_versions_output *out)
{
	static const char *const names[] = {
		"db-parameter-group-family", "engine", "engine-mode", "engine-version", "status", NULL};
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, names));
	TRY(check_engine(c, in->engine));
	for (size_t i = 0; i < N_ENGINES; i++) {
		struct rds_db_engine_version v;
		show_version(c, &engines[i], &v);
		if ((str_has(in->engine) && !str_eq(in->engine, v.engine)) ||
			(str_has(in->engine_version) && !str_eq(in->engine_version, v.engine_version) &&
				!str_eq(in->engine_version, v.major_engine_version)) ||
			(str_has(in->db_parameter_group_family) &&
				!str_eq(in->db_parameter_group_family, v.db_parameter_group_family)))
			continue;
		if (rds_filter_passes(&in->filters, "engine", v.engine) &&
			rds_filter_passes(&in->filters, "engine-version", v.engine_version) &&
			rds_filter_passes(&in->filters, "status", v.status) &&
			rds_filter_passes(&in->filters, "engine-mode", STR("provisioned")) &&
			rds_filter_passes(&in->filters, "db-parameter-group-family", v.db_parameter_group_family))
			*VEC_PUSH(c->arena, &out->db_engine_versions, &capacity) = v;
	}
	return rds_page(c, &out->db_engine_versions, sizeof(*out->db_engine_versions.v), in->max_records, in->marker,
		&out->marker);
}

status rds_describe_orderable_db_instance_options(struct call *c,
	const struct rds_describe_orderable_db_instance_options_input *in,
	struct rds_describe_orderable_db_instance_options_output *out)
{
	static const char *const storage[] = {"gp2", "gp3", "io1"};
	static const char *const none[] = {NULL};
	struct ec2_zones zones;
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, none));
	TRY(check_engine(c, in->engine));
	TRY(ec2_zones(c->tx, c->arena, c->region, &zones));
	const struct rds_engine *e = rds_engine_find(in->engine, in->engine_version);
	struct rds_availability_zone_list all = {arena_new_n(c->arena, struct rds_availability_zone, zones.n), zones.n};
	for (size_t z = 0; z < zones.n; z++) all.v[z].name = zones.v[z].name;
	if (e && str_has(in->license_model) && !str_eq(in->license_model, str_c(e->license))) e = NULL;
	for (size_t f = 0; e && f < N_FAMILIES; f++)
		for (size_t s = 0; s < N_SIZES; s++)
			for (size_t t = 0; t < 3; t++) {
				struct rds_class k;
				struct str name = str_fmt(c->arena, "db.%s.%s", families[f].family, sizes[s].size);
				if (!class_of(f, s, &k)) continue;
				if (str_has(in->db_instance_class) && !str_eq(in->db_instance_class, name)) continue;
				bool iops = strcmp(storage[t], "io1") == 0;
				*VEC_PUSH(c->arena, &out->orderable_db_instance_options, &capacity) =
					(struct rds_orderable_db_instance_option){.engine = str_c(e->engine),
						.engine_version = str_c(e->version),
						.db_instance_class = name,
						.license_model = str_c(e->license),
						.availability_zones = all,
						.multi_az_capable = SOME_BOOL(true),
						.read_replica_capable = SOME_BOOL(true),
						.vpc = SOME_BOOL(true),
						.supports_storage_encryption = SOME_BOOL(true),
						.storage_type = str_c(storage[t]),
						.supports_iops = SOME_BOOL(iops),
						.supports_enhanced_monitoring = SOME_BOOL(false),
						.supports_iam_database_authentication = SOME_BOOL(e->iam),
						.supports_performance_insights = SOME_BOOL(false),
						.min_storage_size = SOME_I32(iops ? 100 : 20),
						.max_storage_size = SOME_I32(65536),
						.supports_storage_autoscaling = SOME_BOOL(true),
						.outpost_capable = SOME_BOOL(false),
						.supports_clusters = SOME_BOOL(false)};
			}
	return rds_page(c, &out->orderable_db_instance_options, sizeof(*out->orderable_db_instance_options.v),
		in->max_records, in->marker, &out->marker);
}

status rds_describe_db_major_engine_versions(struct call *c,
	const struct rds_describe_db_major_engine_versions_input *in,
	struct rds_describe_db_major_engine_versions_output *out)
{
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->db_major_engine_versions);
	for (const struct rds_engine *e = rds_engine_first(); e; e = rds_engine_next(e)) {
		if ((str_has(in->engine) && !str_eq(in->engine, str_c(e->engine))) ||
			(str_has(in->major_engine_version) && !str_eq(in->major_engine_version, str_c(e->major))))
			continue;
		*VEC_PUSH(c->arena, &out->db_major_engine_versions, &capacity) = (struct rds_db_major_engine_version){
			.engine = str_c(e->engine), .major_engine_version = str_c(e->major)};
	}
	return rds_page(c, &out->db_major_engine_versions, sizeof(*out->db_major_engine_versions.v), in->max_records,
		in->marker, &out->marker);
}
