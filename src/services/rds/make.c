/* The making of an instance's record and network: see room.h. */
#include "base/rand.h"
#include "services/rds/crypt.h"

enum { GROUPS_MAX = 5, STORAGE_MAX = 65536, SNAPSHOT_DAYS_MAX = 35, PORT_MIN = 1150, PORT_MAX = 65535 };

/* The random part of all of an account's endpoints in a region. */
struct str rds_endpoint_name(struct arena *a, struct rds_place at, struct str id)
{
	uint64_t h = 0xcbf29ce484222325ull;
	struct str text = str_cat(a, at.account, at.region);
	char label[13] = "c";
	for (size_t i = 0; i < text.n; i++) h = (h ^ (unsigned char)text.p[i]) * 0x100000001b3ull;
	for (unsigned i = 1; i < 12; i++, h /= 36) label[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[h % 36];
	return str_fmt(a, "%.*s.%s.%.*s.rds.amazonaws.com", STR_ARG(id), label, STR_ARG(at.region));
}

status rds_password_check(struct call *c, struct str p)
{
	bool good = true;
	if (p.n < 8)
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"The parameter MasterUserPassword is not a valid password because it is shorter than 8 "
			"characters.");
	for (size_t i = 0; i < p.n; i++) good = good && p.p[i] >= ' ' && p.p[i] <= '~' && !memchr("/@\" ", p.p[i], 4);
	if (good && p.n <= 128) return OK;
	return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
		"The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides "
		"'/', '@', "
		"'\"', ' ' may be used.");
}

status rds_storage_check(struct call *c, struct rds_rec_instance *r)
{
	bool io = str_is(r->storage_type, "io1") || str_is(r->storage_type, "io2");
	int32_t least = io ? 100 : str_is(r->storage_type, "standard") ? 5 : 20, size = r->allocated_storage.v;
	if (!io && !str_is(r->storage_type, "gp2") && !str_is(r->storage_type, "gp3") &&
		!str_is(r->storage_type, "standard"))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Invalid storage type: %.*s", STR_ARG(r->storage_type));
	if (size < least || size > STORAGE_MAX)
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"Invalid storage size for engine name %.*s and storage type %.*s: %d", STR_ARG(r->engine),
			STR_ARG(r->storage_type), size);
	if (io && (r->iops.v < 1000 || r->iops.v > 256000 || r->iops.v / size > 1000))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"Invalid iops value for engine name %.*s and storage type %.*s", STR_ARG(r->engine),
			STR_ARG(r->storage_type));
	if (r->iops.has && !io && !str_is(r->storage_type, "gp3"))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "You can't specify IOPS for storage type %.*s.",
			STR_ARG(r->storage_type));
	/* "for storage of less than 400 GiB you can't": they come with 3,000 IOPS and 125 MiB/s, 12,000 and 500 above.
	 */
	if (str_is(r->storage_type, "gp3")) {
		if (!r->iops.has) r->iops = SOME_I32(size < 400 ? 3000 : 12000);
		if (!r->storage_throughput.has) r->storage_throughput = SOME_I32(size < 400 ? 125 : 500);
		if (size < 400 && (r->iops.v != 3000 || r->storage_throughput.v != 125))
			return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
				"You can't specify IOPS or storage throughput for engine %.*s and a storage size "
				"less than 400.",
				STR_ARG(r->engine));
	}
	if (r->max_allocated_storage.has && r->max_allocated_storage.v <= size)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "Max storage size must be greater than storage size");
	return OK;
}

status rds_groups_check(struct call *c, struct str vpc, const struct str *groups, size_t n)
{
	if (n > GROUPS_MAX)
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "At most %d VPC security groups can be given.", GROUPS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct ec2_rec_security_group g;
		status s = ec2_load(ec2_here(c), &ec2_type_security_group, groups[i], &g);
		if (status_is(s, STATUS_NOT_FOUND))
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
				"Invalid security group , groupId= %.*s, groupName=.", STR_ARG(groups[i]));
		TRY(s);
		if (!str_eq(g.vpc_id, vpc))
			return RDS_FAIL(c, INVALID_VPC_NETWORK_STATE_FAULT,
				"The DB instance and EC2 security group are in different VPCs. The DB instance is in "
				"%.*s and the "
				"EC2 security group is in %.*s",
				STR_ARG(vpc), STR_ARG(g.vpc_id));
	}
	return OK;
}

static status has_gateway(struct call *c, struct str vpc, bool *has)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_internet_gateway);
	*has = false;
	while (ec2_next(&e)) *has = *has || str_eq(((const struct ec2_rec_internet_gateway *)e.item.record)->vpc, vpc);
	return ec2_each_end(&e);
}

/* A subnet of the group in that zone, or in one that works and has no node yet. (A cluster has more nodes than zones.)
 */
static status choose_subnet(
	struct call *c, const struct rds_rec_instance *r, struct str zone, struct ec2_rec_subnet *out)
{
	bool cluster = rds_is_cluster(r->dbi_resource_id);
	struct rds_rec_subnet_group g;
	TRY(rds_subnet_group_for(c, r->subnet_group, &g));
	size_t first = g.subnets.n && !str_has(zone) ? (size_t)rand_below(g.subnets.n) : 0;
	for (size_t i = 0; i < g.subnets.n * (cluster ? 2 : 1); i++) {
		bool taken = false;
		status s = ec2_load(ec2_here(c), &ec2_type_subnet, g.subnets.v[(first + i) % g.subnets.n], out);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		for (size_t k = 0; k < r->nodes.n && !(cluster && (str_has(zone) || i >= g.subnets.n)); k++)
			taken = taken || str_eq(r->nodes.v[k].zone, out->availability_zone);
		if (taken || (str_has(zone) && !str_eq(zone, out->availability_zone))) continue;
		if (!str_has(zone) && ec2_zone_is_down(c->tx, c->arena, out->availability_zone)) continue;
		return OK;
	}
	if (str_has(zone))
		return RDS_FAIL(c, INVALID_VPC_NETWORK_STATE_FAULT,
			"DB Subnet Group doesn't meet availability zone coverage requirement. Please add subnets to "
			"cover "
			"availability zone %.*s.",
			STR_ARG(zone));
	return RDS_FAIL(c, INSUFFICIENT_DB_INSTANCE_CAPACITY_FAULT,
		"No Availability Zone of the DB subnet group can take the DB instance.");
}

status rds_node_add(struct call *c, struct rds_rec_instance *r, struct str zone)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	struct ec2_rec_subnet s;
	struct ec2_rec_eni e;
	size_t capacity = r->nodes.n, letter = 0;
	TRY(choose_subnet(c, r, zone, &s));
	struct ec2_eni_make m = {.subnet = s.subnet_id,
		.description = STR("RDSNetworkInterface"),
		.groups = r->groups.v,
		.n_groups = r->groups.n,
		.requester_id = STR("amazon-rds"),
		.kind = STR("service")};
	TRY(ec2_eni_make(c, &m, &e));
	TRY(ec2_eni_attach(c,
		&(struct ec2_eni_attach){.eni = e.network_interface_id,
			.place = e.network_interface_id,
			.kind = STR("service"),
			.device = 0},
		NULL));
	r->groups = (struct rds_rec_strings){e.groups.v, e.groups.n};
	while (rds_node(r, str_n(letters + letter, 1))) letter++;
	*VEC_PUSH(c->arena, &r->nodes, &capacity) = (struct rds_rec_node){.letter = str_n(letters + letter, 1),
		.eni = e.network_interface_id,
		.address = e.addresses.v[0].private_ip_address,
		.zone = s.availability_zone,
		.subnet = s.subnet_id,
		.state = STR("new")};
	if (r->publicly_accessible.v) TRY(ec2_eni_public_give(c, e.network_interface_id));
	return OK;
}

status rds_instance_name_free(struct call *c, struct str name)
{
	struct rds_rec_instance other;
	size_t n = 0;
	status s = rds_load(rds_here(c), &rds_kind_instance, name, &other);
	if (is_ok(s)) return RDS_FAIL(c, DB_INSTANCE_ALREADY_EXISTS_FAULT, "DB instance already exists");
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	struct rds_each e = rds_each(rds_here(c), &rds_kind_instance);
	while (rds_next(&e)) n++;
	TRY(rds_each_end(&e));
	if (n < RDS_INSTANCES_MAX) return OK;
	return RDS_FAIL(c, INSTANCE_QUOTA_EXCEEDED_FAULT,
		"DB instance quota exceeded: the request would exceed the allowed number of DB instances.");
}

status rds_public_set(struct call *c, struct rds_rec_instance *r, bool public)
{
	bool gateway;
	TRY(has_gateway(c, r->vpc, &gateway));
	if (public && !gateway)
		return RDS_FAIL(c, INVALID_VPC_NETWORK_STATE_FAULT,
			"Cannot create a publicly accessible DBInstance. The specified VPC has no internet gateway "
			"attached. "
			"Update the VPC and then try again");
	r->publicly_accessible = SOME_BOOL(public);
	/* An address of this machine's own for each, so that all keep their ports. */
	if (public && !str_has(r->loopback))
		r->loopback = str_fmt(c->arena, "127.%u.%u.%u", 64 + (unsigned)rand_below(128),
			(unsigned)rand_below(256), 1 + (unsigned)rand_below(254));
	for (size_t i = 0; i < r->nodes.n; i++)
		TRY(public ? ec2_eni_public_give(c, r->nodes.v[i].eni) : ec2_eni_public_take(c, r->nodes.v[i].eni));
	return OK;
}

static status fill_network(struct call *c, struct rds_rec_instance *r, const struct rds_make *m)
{
	struct rds_rec_subnet_group g;
	bool gateway;
	TRY(rds_subnet_group_for(c, m->subnet_group, &g));
	r->subnet_group = g.db_subnet_group_name;
	r->vpc = g.vpc_id;
	TRY(has_gateway(c, g.vpc_id, &gateway));
	/* "If the VPC has an internet gateway attached to it, the DB instance is public" where nothing is said. */
	TRY(rds_public_set(c, r, m->public.has ? m->public.v : gateway));
	if (str_has(m->zone) && r->multi_az.v)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"Requesting a specific availability zone is not valid for Multi-AZ instances.");
	TRY(rds_groups_check(c, r->vpc, m->groups, m->n_groups));
	r->groups = (struct rds_rec_strings){
		arena_copy(c->arena, m->groups, m->n_groups * sizeof(*m->groups)), m->n_groups};
	TRY(rds_node_add(c, r, m->zone));
	if (r->multi_az.v) TRY(rds_node_add(c, r, STR_NONE));
	r->primary = r->nodes.v[0].letter;
	r->availability_zone = r->nodes.v[0].zone;
	return OK;
}

status rds_make(struct call *c, struct rds_rec_instance *r, const struct rds_make *m)
{
	struct str given = r->db_instance_identifier;
	TRY(rds_name_check(c, given, "DBInstanceIdentifier", 63));
	r->db_instance_identifier = str_lower(c->arena, given);
	TRY(rds_instance_name_free(c, r->db_instance_identifier));
	TRY(rds_class_check(c, r->db_instance_class));
	const struct rds_engine *engine = rds_engine_find(r->engine, r->engine_version);
	if (!engine)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "Cannot find version %.*s for %.*s",
			STR_ARG(r->engine_version), STR_ARG(r->engine));
	r->engine_version = str_c(engine->version);
	if (str_has(r->license_model) && !str_eq(r->license_model, str_c(engine->license)))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "Invalid license model '%.*s' for engine '%s'.",
			STR_ARG(r->license_model), engine->engine);
	r->license_model = str_c(engine->license);
	if (!str_has(r->storage_type)) r->storage_type = r->iops.has ? STR("io1") : STR("gp2");
	TRY(rds_storage_check(c, r));
	if (r->backup_retention_period.v < 0 || r->backup_retention_period.v > SNAPSHOT_DAYS_MAX)
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"Invalid backup retention period: %d. Retention period must be between 0 and 35.",
			r->backup_retention_period.v);
	if (!r->port.has) r->port = SOME_I32(engine->port);
	if (r->port.v < PORT_MIN || r->port.v > PORT_MAX)
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Invalid endpoint port %d, valid port range is %d - %d",
			r->port.v, PORT_MIN, PORT_MAX);
	TRY(rds_window_choose(c, &r->preferred_maintenance_window, &r->preferred_backup_window));
	r->preferred_maintenance_window = str_lower(c->arena, r->preferred_maintenance_window);
	if (!str_has(r->parameter_group)) r->parameter_group = str_fmt(c->arena, "default.%s", engine->family);
	r->parameter_group = str_lower(c->arena, r->parameter_group);
	TRY(rds_parameter_group_check(c, r->parameter_group, str_c(engine->family)));
	if (!str_has(r->option_group)) r->option_group = str_c(engine->option_group);
	TRY(rds_option_group_check(c, r->option_group, r->engine));
	if (!str_has(r->ca_certificate_identifier)) r->ca_certificate_identifier = STR("rds-ca-rsa2048-g1");
	if (!str_is(r->ca_certificate_identifier, "rds-ca-rsa2048-g1"))
		return RDS_FAIL(c, CERTIFICATE_NOT_FOUND_FAULT, "Certificate not found: %.*s",
			STR_ARG(r->ca_certificate_identifier));
	TRY(rds_tags_set(c, &r->tags, m->tags, m->n_tags));
	r->dbi_resource_id =
		str_cat(c->arena, STR("db-"), rand_text(c->arena, STR("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), 26));
	TRY(rds_crypt_instance(c, m->encrypted, m->kms_key, r));
	TRY(fill_network(c, r, m));
	r->name = rds_endpoint_name(c->arena, rds_here(c), r->db_instance_identifier);
	r->db_instance_status = STR("creating");
	r->parameter_state = STR("in-sync");
	r->network_type = STR("IPV4");
	r->engine_lifecycle_support = STR("open-source-rds-extended-support");
	if (!r->auto_minor_version_upgrade.has) r->auto_minor_version_upgrade = SOME_BOOL(true);
	if (!r->multi_az.has) r->multi_az = SOME_BOOL(false);
	if (r->iam_database_authentication_enabled.v && !engine->iam)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "IAM database authentication is not implemented for %s.",
			engine->engine);
	r->iam_database_authentication_enabled = SOME_BOOL(r->iam_database_authentication_enabled.v);
	r->deletion_protection = SOME_BOOL(r->deletion_protection.v);
	r->copy_tags_to_snapshot = SOME_BOOL(r->copy_tags_to_snapshot.v);
	rds_instance_put(rds_here(c), r);
	rds_mark(rds_here(c), r->dbi_resource_id, 0);
	rds_poke(c);
	return OK;
}
