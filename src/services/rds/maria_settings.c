/* A MariaDB server's option file, and what one that runs is told of its changes. */
#include "services/rds/maria.h"

/* Where RDS's default would take most of an instance class's memory, and where the engine's would take disk that a
 * small database has no use for, this machine's is not asked for more. */
static const struct {
	const char *name;
	int64_t most;
} bounds[] = {{"innodb_buffer_pool_size", 128 << 20}, {"innodb_log_file_size", 32 << 20}};

static bool is_text(const struct rds_parameter_info *p)
{
	return strcmp(p->type, "string") == 0;
}

static struct str quoted(struct arena *a, struct str value)
{
	struct buf b = BUF_IN(a);
	buf_byte(&b, '"');
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '"' || value.p[i] == '\\') buf_byte(&b, '\\');
		buf_byte(&b, value.p[i]);
	}
	buf_byte(&b, '"');
	return buf_done(&b);
}

struct str rds_maria_values(
	struct arena *a, const struct rds_rec_instance *r, const struct rds_rec_parameter_group *g, struct str old)
{
	struct rds_formula_of of = rds_settings_formula(r);
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < rds_parameters_mariadb1011_length; i++) {
		const struct rds_parameter_info *p = &rds_parameters_mariadb1011[i];
		struct str name = str_c(p->name), value = rds_parameter_value(a, g, name, &of);
		const struct rds_rec_value *v = rds_settings_given(g, name);
		int64_t number;
		if (!p->modifiable) continue;
		for (size_t k = 0; k < sizeof(bounds) / sizeof(*bounds); k++)
			if (str_eq(name, str_c(bounds[k].name)) && !v &&
				(!str_has(value) || (is_ok(str_to_i64(value, &number)) && number > bounds[k].most)))
				value = str_fmt(a, "%lld", (long long)bounds[k].most);
		if (str_has(old) && (p->is_static || (v && v->pending.v))) {
			struct str line = rds_settings_line(a, old, name);
			if (line.n) buf_str(&b, line), buf_byte(&b, '\n');
		} else if (str_has(value)) {
			buf_fmt(&b, "%.*s = %.*s\n", STR_ARG(name), STR_ARG(is_text(p) ? quoted(a, value) : value));
		}
	}
	return buf_done(&b);
}

/* Of an instance, for its replicas to tell servers apart. */
static uint32_t server_id(const struct rds_rec_instance *r)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < r->dbi_resource_id.n; i++) h = (h ^ (unsigned char)r->dbi_resource_id.p[i]) * 16777619u;
	return h | 1;
}

struct str rds_maria_text(
	struct arena *a, const struct rds_rec_instance *r, const struct rds_rec_node *n, bool tls, struct str values)
{
	struct buf b = BUF_IN(a);
	struct str own = str_fmt(a, "/srv/engine/%.*s", STR_ARG(n->letter));
	bool replica = r->origin && str_is(r->origin->kind, "replica"),
	     replays = r->origin && str_is(r->origin->kind, "time");
	buf_lit(&b, "# Written by virga; see the DB parameter group.\n[mariadbd]\n");
	buf_str(&b, values);
	buf_fmt(&b,
		"datadir = /srv/engine/data\nsocket = %.*s/socket/mysqld.sock\npid_file = /tmp/mysqld.pid\n"
		"log_error = %.*s/error/mysql-error.log\ngeneral_log_file = %.*s/error/mysql-general.log\n"
		"slow_query_log_file = %.*s/error/mysql-slowquery.log\ntmpdir = /tmp\nsecure_file_priv = /tmp\n"
		"lc_messages_dir = /usr/share/mysql\nport = %d\nbind_address = 0.0.0.0\nskip_name_resolve = ON\n",
		STR_ARG(own), STR_ARG(own), STR_ARG(own), STR_ARG(own), r->port.v);
	/* Not every kernel lets a confined process have its asynchronous requests. */
	buf_lit(&b, "innodb_use_native_aio = OFF\n");
	buf_fmt(&b, "server_id = %u\ngtid_strict_mode = ON\nrelay_log = /srv/engine/relay/relay\n", server_id(r));
	/* "To enable binary logging, set the backup retention period to a positive value." */
	if (r->backup_retention_period.v > 0 || replays)
		buf_lit(&b, "log_bin = /srv/engine/binlog/mysql-bin-changelog\nlog_slave_updates = OFF\n");
	if (replica) buf_lit(&b, "read_only = ON\n");
	if (replays) buf_lit(&b, "skip_networking = ON\n");
	if (tls) buf_fmt(&b, "ssl_cert = %.*s/server.crt\nssl_key = %.*s/server.key\n", STR_ARG(own), STR_ARG(own));
	return buf_done(&b);
}

static const char *statement_value(struct arena *a, const struct rds_parameter_info *p, struct str line)
{
	struct str value = line;
	(void)str_cut(&value, '=');
	value = str_trim(str_or(value, STR("")));
	if (!line.n) return "DEFAULT";
	if (!is_text(p)) return str_z(a, value);
	/* As the option file has it, without its quotes. */
	struct buf b = BUF_IN(a);
	for (size_t i = 1; i + 1 < value.n; i++) {
		if (value.p[i] == '\\') i++;
		buf_byte(&b, value.p[i]);
	}
	return str_z(a, my_literal(a, buf_done(&b)));
}

struct rds_rec_strings rds_maria_changes(struct arena *a, struct str old, struct str values)
{
	struct rds_rec_strings out = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < rds_parameters_mariadb1011_length; i++) {
		const struct rds_parameter_info *p = &rds_parameters_mariadb1011[i];
		if (p->is_static || !p->modifiable) continue;
		struct str before = rds_settings_line(a, old, str_c(p->name)),
			   now = rds_settings_line(a, values, str_c(p->name));
		if (!str_eq(before, now))
			*VEC_PUSH(a, &out, &capacity) =
				str_fmt(a, "SET GLOBAL %s = %s", p->name, statement_value(a, p, now));
	}
	return out;
}
