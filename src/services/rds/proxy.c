/* DB proxies as resources: made, changed, shown, deleted. What runs is proxy_controller.c's. */
#include "services/rds/proxy.h"
#include "base/rand.h"

enum { PROXIES_MAX = 20, NODES_MAX = 6, IDLE_DEFAULT_S = 1800, IDLE_MAX_S = 28800, AUTH_MAX = 200 };

const struct rds_kind rds_kind_proxy = {"db-proxy", RDS_REC_PROXY};

status rds_proxy_find(struct call *c, struct str name, struct rds_rec_proxy *out)
{
	status s = rds_load(rds_here(c), &rds_kind_proxy, name, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return RDS_FAIL(c, DB_PROXY_NOT_FOUND_FAULT, "DBProxy %.*s not found.", STR_ARG(name));
}

struct str rds_proxy_folder(struct arena *a, const struct rds_rec_proxy *r)
{
	return str_cat(a, STR("rds/"), r->id);
}

void rds_proxy_mark(struct rds_place at, struct str name)
{
	struct rds_rec_task t = {.account = at.account, .region = at.region, .name = name};
	jobs_schedule(at.tx,
		&(struct job){.kind = STR(RDS_JOB_PROXY),
			.id = str_fmt(at.a, "%.*s %.*s %.*s", STR_ARG(at.account), STR_ARG(at.region), STR_ARG(name)),
			.payload = rds_rec_task_encode(at.a, &t)});
}

static void show(struct call *c, const struct rds_rec_proxy *r, struct rds_db_proxy *out)
{
	size_t capacity = 0;
	rds_show(c->arena, RDS_REC_PROXY, r, RDS_SHAPE_DB_PROXY, out);
	out->db_proxy_arn = rds_arn(c, &rds_kind_proxy, r->id);
	out->vpc_security_group_ids = (struct rds_string_list){r->groups.v, r->groups.n};
	out->vpc_subnet_ids = (struct rds_string_list){r->subnets.v, r->subnets.n};
	for (size_t i = 0; i < r->auth.n; i++) {
		struct rds_user_auth_config_info *a = VEC_PUSH(c->arena, &out->auth, &capacity);
		rds_show(c->arena, RDS_REC_PROXY_AUTH, &r->auth.v[i], RDS_SHAPE_USER_AUTH_CONFIG_INFO, a);
	}
	VEC_PRESENT(c->arena, &out->auth);
	out->default_auth_scheme = STR("NONE");
	out->endpoint_network_type = STR("IPV4");
	out->target_connection_network_type = STR("IPV4");
}

static struct rds_db_proxy *answer(struct call *c, const struct rds_rec_proxy *r)
{
	struct rds_db_proxy *out = arena_new(c->arena, struct rds_db_proxy);
	show(c, r, out);
	return out;
}

/* How clients prove who they are. */
static status set_auth(struct call *c, const struct rds_user_auth_config_list *in, struct rds_rec_proxy *r)
{
	size_t capacity = 0;
	if (in->n == 0 || in->n > AUTH_MAX)
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Auth must hold between 1 and %d entries.", AUTH_MAX);
	r->auth.n = 0, r->auth.v = NULL;
	for (size_t i = 0; i < in->n; i++) {
		const struct rds_user_auth_config *a = &in->v[i];
		if (str_has(a->iam_auth) && !str_is(a->iam_auth, "DISABLED"))
			return call_fail(c, ERR_NOT_IMPLEMENTED, "IAM authentication at proxies is not implemented.");
		if (str_has(a->client_password_auth_type) &&
			!str_is(a->client_password_auth_type, "POSTGRES_SCRAM_SHA_256"))
			return call_fail(c, ERR_NOT_IMPLEMENTED,
				"Client password authentication types other than POSTGRES_SCRAM_SHA_256 are not "
				"implemented.");
		if (!str_starts(a->secret_arn, STR("arn:")))
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "SecretArn must be the ARN of a secret.");
		*VEC_PUSH(c->arena, &r->auth, &capacity) = (struct rds_rec_proxy_auth){.description = a->description,
			.auth_scheme = STR("SECRETS"),
			.secret_arn = a->secret_arn,
			.iam_auth = STR("DISABLED"),
			.client_password_auth_type = STR("POSTGRES_SCRAM_SHA_256")};
	}
	return OK;
}

static status set_idle(struct call *c, struct opt_i32 given, struct rds_rec_proxy *r)
{
	if (given.has && (given.v < 1 || given.v > IDLE_MAX_S))
		return RDS_FAIL(
			c, INVALID_PARAMETER_VALUE, "IdleClientTimeout must be between 1 and %d seconds.", IDLE_MAX_S);
	if (given.has) r->idle_client_timeout = given;
	return OK;
}

/* An interface in each subnet. */
static status make_nodes(struct call *c, struct rds_rec_proxy *r)
{
	static const char letters[] = "abcdef";
	size_t capacity = 0;
	for (size_t i = 0; i < r->subnets.n; i++) {
		struct ec2_rec_subnet s;
		struct ec2_rec_eni e;
		status st = ec2_load(ec2_here(c), &ec2_type_subnet, r->subnets.v[i], &s);
		if (status_is(st, STATUS_NOT_FOUND) ||
			(is_ok(st) && str_has(r->vpc_id) && !str_eq(s.vpc_id, r->vpc_id)))
			return RDS_FAIL(c, INVALID_SUBNET, "The subnet %.*s does not exist in the VPC of the others.",
				STR_ARG(r->subnets.v[i]));
		TRY(st);
		r->vpc_id = s.vpc_id;
		if (i == 0) TRY(rds_groups_check(c, r->vpc_id, r->groups.v, r->groups.n));
		struct ec2_eni_make m = {.subnet = s.subnet_id,
			.description =
				str_fmt(c->arena, "Network interface for DBProxy %.*s", STR_ARG(r->db_proxy_name)),
			.groups = r->groups.v,
			.n_groups = r->groups.n,
			.requester_id = STR("amazon-rds"),
			.kind = STR("service")};
		TRY(ec2_eni_make(c, &m, &e));
		TRY(ec2_eni_attach(c,
			&(struct ec2_eni_attach){
				.eni = e.network_interface_id, .place = e.network_interface_id, .kind = STR("service")},
			NULL));
		if (i == 0) r->groups = (struct rds_rec_strings){e.groups.v, e.groups.n};
		*VEC_PUSH(c->arena, &r->nodes, &capacity) = (struct rds_rec_node){.letter = str_n(letters + i, 1),
			.eni = e.network_interface_id,
			.address = e.addresses.v[0].private_ip_address,
			.zone = s.availability_zone,
			.subnet = s.subnet_id,
			.state = STR("new")};
	}
	bool zones = false;
	for (size_t i = 1; i < r->nodes.n; i++) zones = zones || !str_eq(r->nodes.v[i].zone, r->nodes.v[0].zone);
	if (zones) return OK;
	return RDS_FAIL(c, INVALID_SUBNET, "The subnets have to be in at least two Availability Zones.");
}

status rds_create_db_proxy(
	struct call *c, const struct rds_create_db_proxy_input *in, struct rds_create_db_proxy_output *out)
{
	struct rds_rec_proxy other;
	size_t n = 0;
	if (!str_is(in->engine_family, "POSTGRESQL"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Proxies of the engine family %.*s are not implemented.",
			STR_ARG(in->engine_family));
	if (str_is(in->default_auth_scheme, "IAM_AUTH"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "IAM authentication at proxies is not implemented.");
	if ((str_has(in->endpoint_network_type) && !str_is(in->endpoint_network_type, "IPV4")) ||
		(str_has(in->target_connection_network_type) && !str_is(in->target_connection_network_type, "IPV4")))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Only IPv4 is implemented for proxies.");
	TRY(rds_name_check(c, in->db_proxy_name, "DBProxyName", 63));
	if (in->vpc_subnet_ids.n < 2 || in->vpc_subnet_ids.n > NODES_MAX)
		return RDS_FAIL(c, INVALID_SUBNET, "Between 2 and %d subnets have to be given.", NODES_MAX);
	struct rds_rec_proxy r = {.db_proxy_name = str_lower(c->arena, in->db_proxy_name),
		.id = str_cat(c->arena, STR("prx-"), rand_text(c->arena, STR("0123456789abcdef"), 17)),
		.target_group = str_cat(c->arena, STR("prx-tg-"), rand_text(c->arena, STR("0123456789abcdef"), 17)),
		.engine_family = in->engine_family,
		.role_arn = in->role_arn,
		.subnets = {in->vpc_subnet_ids.v, in->vpc_subnet_ids.n},
		.groups = {in->vpc_security_group_ids.v, in->vpc_security_group_ids.n},
		.require_tls = SOME_BOOL(in->require_tls.v),
		.debug_logging = SOME_BOOL(in->debug_logging.v),
		.idle_client_timeout = SOME_I32(IDLE_DEFAULT_S),
		.status = STR("creating"),
		.created_date = SOME_TIME(c->now_ms),
		.updated_date = SOME_TIME(c->now_ms),
		.max_connections_percent = SOME_I32(100),
		.max_idle_connections_percent = SOME_I32(50),
		.connection_borrow_timeout = SOME_I32(120)};
	status s = rds_load(rds_here(c), &rds_kind_proxy, r.db_proxy_name, &other);
	if (is_ok(s))
		return RDS_FAIL(
			c, DB_PROXY_ALREADY_EXISTS_FAULT, "DBProxy %.*s already exists.", STR_ARG(r.db_proxy_name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	struct rds_each e = rds_each(rds_here(c), &rds_kind_proxy);
	while (rds_next(&e)) n++;
	TRY(rds_each_end(&e));
	if (n >= PROXIES_MAX)
		return RDS_FAIL(c, DB_PROXY_QUOTA_EXCEEDED_FAULT,
			"Your AWS account already has the maximum number of proxies in the specified AWS Region.");
	TRY(set_auth(c, &in->auth, &r));
	TRY(set_idle(c, in->idle_client_timeout, &r));
	TRY(rds_tags_set(c, &r.tags, in->tags.v, in->tags.n));
	TRY(make_nodes(c, &r));
	/* proxy1.proxy-c0123456789a.us-east-1.rds.amazonaws.com */
	struct str name = rds_endpoint_name(c->arena, rds_here(c), r.db_proxy_name);
	struct str rest = name, first = str_cut(&rest, '.');
	r.endpoint = str_fmt(c->arena, "%.*s.proxy-%.*s", STR_ARG(first), STR_ARG(rest));
	rds_put(rds_here(c), &rds_kind_proxy, r.db_proxy_name, &r);
	rds_proxy_mark(rds_here(c), r.db_proxy_name);
	rds_poke(c);
	out->db_proxy = answer(c, &r);
	return OK;
}

static status is_settled(struct call *c, const struct rds_rec_proxy *r)
{
	if (str_is(r->status, "available")) return OK;
	return RDS_FAIL(c, INVALID_DB_PROXY_STATE_FAULT, "DBProxy %.*s is %.*s.", STR_ARG(r->db_proxy_name),
		STR_ARG(r->status));
}

status rds_modify_db_proxy(
	struct call *c, const struct rds_modify_db_proxy_input *in, struct rds_modify_db_proxy_output *out)
{
	struct rds_rec_proxy r;
	TRY(rds_proxy_find(c, in->db_proxy_name, &r));
	TRY(is_settled(c, &r));
	if (str_has(in->new_db_proxy_name) && !str_ieq(in->new_db_proxy_name, r.db_proxy_name))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "New names of proxies are not implemented.");
	if (str_is(in->default_auth_scheme, "IAM_AUTH"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "IAM authentication at proxies is not implemented.");
	if (in->auth.n) TRY(set_auth(c, &in->auth, &r));
	r.checked = (struct opt_time){0}; /* secrets are read anew */
	TRY(set_idle(c, in->idle_client_timeout, &r));
	if (in->require_tls.has) r.require_tls = in->require_tls;
	if (in->debug_logging.has) r.debug_logging = in->debug_logging;
	if (str_has(in->role_arn)) r.role_arn = in->role_arn;
	if (in->security_groups.n) {
		TRY(rds_groups_check(c, r.vpc_id, in->security_groups.v, in->security_groups.n));
		r.groups = (struct rds_rec_strings){in->security_groups.v, in->security_groups.n};
		for (size_t i = 0; i < r.nodes.n; i++) {
			struct ec2_rec_eni e;
			TRY(ec2_load(ec2_here(c), &ec2_type_eni, r.nodes.v[i].eni, &e));
			e.groups = (struct ec2_rec_strings){r.groups.v, r.groups.n};
			TRY(ec2_eni_save(c, &e));
		}
	}
	r.updated_date = SOME_TIME(c->now_ms);
	rds_put(rds_here(c), &rds_kind_proxy, r.db_proxy_name, &r);
	rds_proxy_mark(rds_here(c), r.db_proxy_name);
	rds_poke(c);
	out->db_proxy = answer(c, &r);
	return OK;
}

status rds_delete_db_proxy(
	struct call *c, const struct rds_delete_db_proxy_input *in, struct rds_delete_db_proxy_output *out)
{
	struct rds_rec_proxy r;
	TRY(rds_proxy_find(c, in->db_proxy_name, &r));
	r.status = STR("deleting");
	rds_put(rds_here(c), &rds_kind_proxy, r.db_proxy_name, &r);
	rds_proxy_mark(rds_here(c), r.db_proxy_name);
	rds_poke(c);
	out->db_proxy = answer(c, &r);
	return OK;
}

status rds_describe_db_proxies(
	struct call *c, const struct rds_describe_db_proxies_input *in, struct rds_describe_db_proxies_output *out)
{
	static const char *const none[] = {NULL};
	struct rds_rec_proxy r;
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, none));
	if (str_has(in->db_proxy_name)) {
		TRY(rds_proxy_find(c, in->db_proxy_name, &r));
		show(c, &r, VEC_PUSH(c->arena, &out->db_proxies, &capacity));
		return OK;
	}
	struct rds_each e = rds_each(rds_here(c), &rds_kind_proxy);
	while (rds_next(&e)) show(c, e.record, VEC_PUSH(c->arena, &out->db_proxies, &capacity));
	TRY(rds_each_end(&e));
	return rds_page(c, &out->db_proxies, sizeof(*out->db_proxies.v), in->max_records, in->marker, &out->marker);
}
