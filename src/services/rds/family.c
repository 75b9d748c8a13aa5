/* Families of parameter groups: the engines' parameters, and what RDS sets where a group does not. */
#include "services/rds/parameters.h"

/* "Default parameter group" of RDS for PostgreSQL 15: what differs from the engine's own. */
static const struct rds_system_value postgres15[] = {
	{"autovacuum_max_workers", "GREATEST({DBInstanceClassMemory/64371566592},3)"},
	{"checkpoint_completion_target", "0.9"},
	{"effective_cache_size", "{DBInstanceClassMemory/16384}"},
	{"log_autovacuum_min_duration", "10000"},
	{"log_checkpoints", "1"},
	{"maintenance_work_mem", "GREATEST({DBInstanceClassMemory*1024/63963136},65536)"},
	{"max_connections", "LEAST({DBInstanceClassMemory/9531392},5000)"},
	{"max_wal_senders", "20"},
	{"max_replication_slots", "20"},
	{"password_encryption", "scram-sha-256"},
	{"rds.force_ssl", "1"},
	{"rds.logical_replication", "0"},
	{"rds.log_retention_period", "4320"},
	{"shared_buffers", "{DBInstanceClassMemory/32768}"},
	{"shared_preload_libraries", "pg_stat_statements"},
	{"timezone", "UTC"},
};
/* The same of RDS for MariaDB 10.11. */
static const struct rds_system_value mariadb1011[] = {
	{"binlog_cache_size", "32768"},
	{"binlog_format", "MIXED"},
	{"explicit_defaults_for_timestamp", "1"},
	{"innodb_buffer_pool_size", "{DBInstanceClassMemory*3/4}"},
	{"innodb_file_per_table", "1"},
	{"innodb_flush_log_at_trx_commit", "1"},
	{"innodb_flush_method", "O_DIRECT"},
	{"innodb_log_buffer_size", "8388608"},
	{"innodb_log_file_size", "134217728"},
	{"local_infile", "1"},
	{"log_output", "TABLE"},
	{"max_connections", "LEAST({DBInstanceClassMemory/25165760},12000)"},
	{"performance_schema", "0"},
	{"read_buffer_size", "262144"},
	{"read_rnd_buffer_size", "524288"},
	{"sync_binlog", "1"},
	{"thread_stack", "262144"},
};
#define FAMILY(n, table)                                                                                               \
	{                                                                                                              \
		(n), rds_parameters_##table, &rds_parameters_##table##_length, table, sizeof(table) / sizeof(*table)   \
	}
static const struct rds_family families[] = {FAMILY("postgres15", postgres15), FAMILY("mariadb10.11", mariadb1011),
	FAMILY("aurora-postgresql15", postgres15)};

const struct rds_family *rds_family_find(struct str name)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
		if (str_eq(name, str_c(families[i].name))) return &families[i];
	return NULL;
}

const struct rds_parameter_info *rds_parameter_find(const struct rds_family *f, struct str name)
{
	for (size_t i = 0; i < *f->n; i++)
		if (str_eq(name, str_c(f->v[i].name))) return &f->v[i];
	return NULL;
}

const char *rds_parameter_default(const struct rds_family *f, struct str name)
{
	for (size_t i = 0; i < f->n_defaults; i++)
		if (str_eq(name, str_c(f->defaults[i].name))) return f->defaults[i].value;
	return NULL;
}
