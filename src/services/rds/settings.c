/* What is written for a server before it starts, and while it runs: see node.h. */
#include "services/rds/auth.h"
#include "services/rds/node.h"

/* Where RDS's default would take a quarter of an instance class's memory, this machine's is not asked for more. */
enum { SHARED_BUFFERS_DEFAULT_MAX = 128 << 20, PAGE = 8192 };

struct rds_formula_of rds_settings_formula(const struct rds_rec_instance *r)
{
	struct rds_class k = {2, 1024};
	rds_class_find(r->db_instance_class, &k);
	return (struct rds_formula_of){.memory_bytes = (int64_t)k.memory_mib << 20,
		.storage_bytes = (int64_t)r->allocated_storage.v << 30,
		.vcpus = k.vcpus,
		.port = r->port.v};
}

const struct rds_rec_value *rds_settings_given(const struct rds_rec_parameter_group *g, struct str name)
{
	for (size_t i = 0; i < g->values.n; i++)
		if (str_eq(g->values.v[i].name, name)) return &g->values.v[i];
	return NULL;
}

struct str rds_settings_line(struct arena *a, struct str lines, struct str name)
{
	struct str rest = lines, start = str_cat(a, name, STR(" = "));
	while (str_has(rest) && rest.n) {
		struct str line = str_cut(&rest, '\n');
		if (str_starts(line, start)) return line;
	}
	return STR("");
}

static struct str escaped(struct arena *a, struct str value)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\'' || value.p[i] == '\\') buf_byte(&b, value.p[i]);
		buf_byte(&b, value.p[i]);
	}
	return buf_done(&b);
}

/* pg_stat_statements is what RDS loads: a list of the customer's does not take it away. */
static struct str with_statements(struct arena *a, struct str libraries)
{
	if (str_find(libraries, STR("pg_stat_statements")) >= 0) return libraries;
	return libraries.n ? str_cat(a, STR("pg_stat_statements,"), libraries) : STR("pg_stat_statements");
}

struct str rds_settings_values(struct arena *a, const struct rds_settings *s, struct str old)
{
	struct rds_formula_of of = rds_settings_formula(s->r);
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < rds_parameters_postgres15_length; i++) {
		const struct rds_parameter_info *p = &rds_parameters_postgres15[i];
		struct str name = str_c(p->name), value = rds_parameter_value(a, s->group, name, &of);
		const struct rds_rec_value *v = rds_settings_given(s->group, name);
		int64_t pages;
		/* The engine knows wal_level where RDS says rds.logical_replication. */
		if (str_is(name, "rds.logical_replication"))
			name = STR("wal_level"), value = str_is(value, "1") ? STR("logical") : STR("replica");
		else if (!p->modifiable || (str_starts(name, STR("rds.")) && !str_is(name, "rds.force_ssl")))
			continue;
		if (str_is(name, "shared_buffers") && !v && is_ok(str_to_i64(value, &pages)) &&
			pages > SHARED_BUFFERS_DEFAULT_MAX / PAGE)
			value = str_fmt(a, "%d", SHARED_BUFFERS_DEFAULT_MAX / PAGE);
		if (str_is(name, "shared_preload_libraries")) value = with_statements(a, value);
		if (str_has(old) && (p->is_static || (v && v->pending.v))) {
			struct str line = rds_settings_line(a, old, name);
			if (line.n) buf_str(&b, line), buf_byte(&b, '\n');
		} else if (str_has(value)) {
			buf_fmt(&b, "%.*s = '%.*s'\n", STR_ARG(name), STR_ARG(escaped(a, value)));
		}
	}
	return buf_done(&b);
}

struct str rds_settings_text(struct arena *a, const struct rds_settings *s, struct str values)
{
	struct buf b = BUF_IN(a);
	struct str own = str_fmt(a, "/srv/engine/%.*s", STR_ARG(s->node->letter)), rest = values;
	buf_lit(&b, "# Written by virga; see the DB parameter group.\n");
	while (str_has(rest) && rest.n) {
		struct str line = str_cut(&rest, '\n');
		/* Not the engine's; see rds_access_text. */
		if (!str_starts(line, STR("rds."))) buf_str(&b, line), buf_byte(&b, '\n');
	}
	buf_fmt(&b,
		"data_directory = '%.*s/data'\nhba_file = '%.*s/pg_hba.conf'\nident_file = '%.*s/data/pg_ident.conf'\n"
		"unix_socket_directories = '%.*s/socket'\nunix_socket_permissions = 0777\n"
		"listen_addresses = '*'\nport = %d\n",
		STR_ARG(own), STR_ARG(own), STR_ARG(own), STR_ARG(own), s->r->port.v);
	buf_fmt(&b,
		"logging_collector = on\nlog_destination = 'stderr'\nlog_directory = '%.*s/error'\n"
		"log_filename = 'postgresql.log.%%Y-%%m-%%d-%%H'\nlog_file_mode = 0640\nlog_rotation_age = 60\n"
		"log_rotation_size = 0\nlog_truncate_on_rotation = off\nlog_line_prefix = '%%t:%%r:%%u@%%d:[%%p]:'\n",
		STR_ARG(own));
	buf_fmt(&b, "archive_mode = on\narchive_timeout = 300\narchive_command = '%s'\n",
		s->r->backup_retention_period.v > 0
			? "f=/srv/engine/wal/%f; cmp -s %p $f || { cp %p $f.new && sync $f.new && mv "
			  "$f.new $f; }"
			: "/bin/true");
	buf_lit(&b, "hot_standby = on\nrestart_after_crash = on\n");
	if (str_has(s->follow))
		buf_fmt(&b,
			"primary_conninfo = 'host=%.*s port=%d user=rdsrepladmin application_name=node_%.*s'\n"
			"wal_retrieve_retry_interval = 200\n",
			STR_ARG(s->follow), s->follow_port ? s->follow_port : s->r->port.v, STR_ARG(s->node->letter));
	buf_fmt(&b, "synchronous_standby_names = '%.*s'\n", STR_ARG(str_or(s->synchronous, STR(""))));
	if (s->tls)
		buf_fmt(&b, "ssl = on\nssl_cert_file = '%.*s/server.crt'\nssl_key_file = '%.*s/server.key'\n",
			STR_ARG(own), STR_ARG(own));
	buf_str(&b, s->restore);
	return buf_done(&b);
}

struct str rds_access_text(struct arena *a, const struct rds_settings *s)
{
	struct rds_formula_of of = rds_settings_formula(s->r);
	bool forced = s->tls && str_is(rds_parameter_value(a, s->group, STR("rds.force_ssl"), &of), "1");
	const char *host = forced ? "hostssl" : "host";
	struct buf b = BUF_IN(a);
	/* The sockets are in folders that only virga and the servers see. */
	buf_lit(&b, "local all rdsadmin trust\nlocal replication rdsrepladmin trust\nlocal all all reject\n"
		    "host all rdsadmin,rdsrepladmin all reject\nhost replication rdsadmin,rdsrepladmin all reject\n");
	/* A member of rds_iam has no password but a token, and gives it over TLS. */
	if (!s->hidden && s->r->iam_database_authentication_enabled.v)
		buf_fmt(&b,
			"hostnossl all +rds_iam all reject\nhostssl all +rds_iam all ldap ldapserver=" RDS_AUTH_ADDRESS
			" ldapport=%d ldapprefix=\"cn=\"\n",
			RDS_AUTH_PORT);
	if (s->hidden)
		buf_lit(&b, "host all all all reject\n");
	else
		buf_fmt(&b, "%s all all all scram-sha-256\n%s replication all all scram-sha-256\n", host, host);
	return buf_done(&b);
}
