/* DB subnet groups. "Working with DB subnet groups", the guide. */
#include "services/rds/room.h"

enum { NAME_MAX_LENGTH = 255, SUBNETS_MAX = 20 };

/* Spaces, periods, underscores and hyphens may be in its name; "must not be Default". */
static status check_name(struct call *c, struct str name)
{
	bool good = name.n > 0 && name.n <= NAME_MAX_LENGTH;
	for (size_t i = 0; i < name.n; i++) {
		char b = name.p[i];
		good = good && ((b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
				       memchr(" ._-", b, 4));
	}
	if (!good)
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"The parameter DBSubnetGroupName must be provided and must not be blank. It may hold letters, "
			"digits, spaces, periods, underscores and hyphens.");
	if (str_ieq(name, STR("default")))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "The parameter DBSubnetGroupName must not be default.");
	return OK;
}

/* The subnets are there, of one VPC, in at least two zones. */
static status read_subnets(struct call *c, const struct str *ids, size_t n, struct rds_rec_subnet_group *r)
{
	struct str first_zone = STR_NONE;
	bool zones = false;
	if (n > SUBNETS_MAX)
		return RDS_FAIL(c, DB_SUBNET_QUOTA_EXCEEDED_FAULT,
			"The request would result in the user exceeding the allowed number of subnets in a DB subnet "
			"group.");
	r->subnets = (struct rds_rec_strings){arena_new_n(c->arena, struct str, n), 0};
	for (size_t i = 0; i < n; i++) {
		struct ec2_rec_subnet s;
		bool again = false;
		status st = ec2_load(ec2_here(c), &ec2_type_subnet, ids[i], &s);
		if (status_is(st, STATUS_NOT_FOUND))
			return RDS_FAIL(
				c, INVALID_SUBNET, "Some input subnets in :[%.*s] are invalid.", STR_ARG(ids[i]));
		TRY(st);
		if (str_has(r->vpc_id) && !str_eq(r->vpc_id, s.vpc_id))
			return RDS_FAIL(c, INVALID_SUBNET, "The requested subnets are not in the same VPC.");
		r->vpc_id = s.vpc_id;
		for (size_t k = 0; k < r->subnets.n; k++) again = again || str_eq(r->subnets.v[k], ids[i]);
		if (again) continue;
		r->subnets.v[r->subnets.n++] = ids[i];
		if (!str_has(first_zone)) first_zone = s.availability_zone;
		zones = zones || !str_eq(first_zone, s.availability_zone);
	}
	if (!zones)
		return RDS_FAIL(c, DB_SUBNET_GROUP_DOES_NOT_COVER_ENOUGH_A_ZS,
			"The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ "
			"coverage: "
			"%.*s. Add subnets to cover at least 2 AZs.",
			STR_ARG(str_or(first_zone, STR("none"))));
	return OK;
}

status rds_subnet_group_show(struct call *c, const struct rds_rec_subnet_group *r, struct rds_db_subnet_group *out)
{
	size_t capacity = 0;
	rds_show(c->arena, RDS_REC_SUBNET_GROUP, r, RDS_SHAPE_DB_SUBNET_GROUP, out);
	out->subnet_group_status = STR("Complete");
	out->db_subnet_group_arn = rds_arn(c, &rds_kind_subnet_group, r->db_subnet_group_name);
	out->supported_network_types = (struct rds_string_list){arena_new(c->arena, struct str), 1};
	out->supported_network_types.v[0] = STR("IPV4");
	for (size_t i = 0; i < r->subnets.n; i++) {
		struct ec2_rec_subnet s;
		status st = ec2_load(ec2_here(c), &ec2_type_subnet, r->subnets.v[i], &s);
		if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
		struct rds_subnet *o = VEC_PUSH(c->arena, &out->subnets, &capacity);
		o->subnet_identifier = r->subnets.v[i];
		o->subnet_status = is_ok(st) ? STR("Active") : STR("Inactive");
		o->subnet_outpost = arena_new(c->arena, struct rds_outpost);
		o->subnet_availability_zone = arena_new(c->arena, struct rds_availability_zone);
		o->subnet_availability_zone->name = s.availability_zone;
	}
	return OK;
}

static status find(struct call *c, struct str name, struct rds_rec_subnet_group *r)
{
	status s = rds_load(rds_here(c), &rds_kind_subnet_group, name, r);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return RDS_FAIL(c, DB_SUBNET_GROUP_NOT_FOUND_FAULT, "DB subnet group '%.*s' does not exist.", STR_ARG(name));
}

/* "If there's no DB subnet group, the DB instance isn't in a DB subnet group of yours": RDS makes "default" of the
 * default VPC's subnets. */
static status default_group(struct call *c, struct rds_rec_subnet_group *r)
{
	size_t capacity = 0;
	status s = rds_load(rds_here(c), &rds_kind_subnet_group, STR("default"), r);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	*r = (struct rds_rec_subnet_group){
		.db_subnet_group_name = STR("default"), .db_subnet_group_description = STR("default")};
	TRY(ec2_default_vpc(ec2_here(c), &r->vpc_id));
	if (!str_has(r->vpc_id))
		return RDS_FAIL(c, INVALID_VPC_NETWORK_STATE_FAULT,
			"No default VPC exists in this region: name a DB subnet group.");
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_subnet);
	while (ec2_next(&e)) {
		const struct ec2_rec_subnet *n = e.item.record;
		if (str_eq(n->vpc_id, r->vpc_id) && n->default_for_az.v)
			*VEC_PUSH(c->arena, &r->subnets, &capacity) = n->subnet_id;
	}
	TRY(ec2_each_end(&e));
	rds_put(rds_here(c), &rds_kind_subnet_group, STR("default"), r);
	return OK;
}

status rds_subnet_group_for(struct call *c, struct str name, struct rds_rec_subnet_group *r)
{
	if (!str_has(name) || str_ieq(name, STR("default"))) return default_group(c, r);
	return find(c, name, r);
}

status rds_create_db_subnet_group(struct call *c, const struct rds_create_db_subnet_group_input *in,
	struct rds_create_db_subnet_group_output *out)
{
	struct rds_rec_subnet_group r, other;
	size_t n = 0;
	TRY(check_name(c, in->db_subnet_group_name));
	struct str name = str_lower(c->arena, in->db_subnet_group_name);
	status s = rds_load(rds_here(c), &rds_kind_subnet_group, name, &other);
	if (is_ok(s))
		return RDS_FAIL(c, DB_SUBNET_GROUP_ALREADY_EXISTS_FAULT, "The DB subnet group '%.*s' already exists.",
			STR_ARG(name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	struct rds_each e = rds_each(rds_here(c), &rds_kind_subnet_group);
	while (rds_next(&e)) n++;
	TRY(rds_each_end(&e));
	if (n >= RDS_SUBNET_GROUPS_MAX)
		return RDS_FAIL(c, DB_SUBNET_GROUP_QUOTA_EXCEEDED_FAULT,
			"The request would result in the user exceeding the allowed number of DB subnet groups.");
	r = (struct rds_rec_subnet_group){
		.db_subnet_group_name = name, .db_subnet_group_description = in->db_subnet_group_description};
	TRY(read_subnets(c, in->subnet_ids.v, in->subnet_ids.n, &r));
	TRY(rds_tags_set(c, &r.tags, in->tags.v, in->tags.n));
	rds_put(rds_here(c), &rds_kind_subnet_group, name, &r);
	/* Instances will follow: what they begin with can be made ready. */
	rds_spares_want(c->tx);
	rds_poke(c);
	out->db_subnet_group = arena_new(c->arena, struct rds_db_subnet_group);
	return rds_subnet_group_show(c, &r, out->db_subnet_group);
}

status rds_modify_db_subnet_group(struct call *c, const struct rds_modify_db_subnet_group_input *in,
	struct rds_modify_db_subnet_group_output *out)
{
	struct rds_rec_subnet_group r, given = {0};
	TRY(find(c, in->db_subnet_group_name, &r));
	TRY(read_subnets(c, in->subnet_ids.v, in->subnet_ids.n, &given));
	if (!str_eq(given.vpc_id, r.vpc_id))
		return RDS_FAIL(
			c, INVALID_SUBNET, "The new Subnets are not in the same Vpc as the existing subnet group");
	struct rds_each e = rds_each(rds_here(c), &rds_kind_instance);
	while (rds_next(&e)) {
		const struct rds_rec_instance *i = e.record;
		if (!str_eq(i->subnet_group, r.db_subnet_group_name)) continue;
		for (size_t k = 0; k < i->nodes.n; k++) {
			bool stays = false;
			for (size_t n = 0; n < given.subnets.n; n++)
				stays = stays || str_eq(given.subnets.v[n], i->nodes.v[k].subnet);
			if (!stays)
				return RDS_FAIL(c, SUBNET_ALREADY_IN_USE,
					"The subnet %.*s is currently in use by the DB instance %.*s.",
					STR_ARG(i->nodes.v[k].subnet), STR_ARG(i->db_instance_identifier));
		}
	}
	TRY(rds_each_end(&e));
	r.subnets = given.subnets;
	if (str_has(in->db_subnet_group_description)) r.db_subnet_group_description = in->db_subnet_group_description;
	rds_put(rds_here(c), &rds_kind_subnet_group, r.db_subnet_group_name, &r);
	out->db_subnet_group = arena_new(c->arena, struct rds_db_subnet_group);
	return rds_subnet_group_show(c, &r, out->db_subnet_group);
}

status rds_delete_db_subnet_group(struct call *c, const struct rds_delete_db_subnet_group_input *in,
	struct rds_delete_db_subnet_group_output *out)
{
	struct rds_rec_subnet_group r;
	(void)out;
	if (str_ieq(in->db_subnet_group_name, STR("default")))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "The default DB subnet group can't be deleted.");
	TRY(find(c, in->db_subnet_group_name, &r));
	struct rds_each e = rds_each(rds_here(c), &rds_kind_instance);
	while (rds_next(&e)) {
		const struct rds_rec_instance *i = e.record;
		if (str_eq(i->subnet_group, r.db_subnet_group_name))
			return RDS_FAIL(c, INVALID_DB_SUBNET_GROUP_STATE_FAULT,
				"Cannot delete the subnet group '%.*s' because at least one database instance: %.*s is "
				"still "
				"using it.",
				STR_ARG(r.db_subnet_group_name), STR_ARG(i->db_instance_identifier));
	}
	TRY(rds_each_end(&e));
	rds_drop(rds_here(c), &rds_kind_subnet_group, r.db_subnet_group_name);
	return OK;
}

status rds_describe_db_subnet_groups(struct call *c, const struct rds_describe_db_subnet_groups_input *in,
	struct rds_describe_db_subnet_groups_output *out)
{
	static const char *const none[] = {NULL};
	size_t capacity = 0;
	struct rds_rec_subnet_group one;
	TRY(rds_filters_check(c, &in->filters, none));
	if (str_has(in->db_subnet_group_name)) TRY(find(c, in->db_subnet_group_name, &one));
	struct rds_each e = rds_each(rds_here(c), &rds_kind_subnet_group);
	status s = OK;
	while (is_ok(s) && rds_next(&e)) {
		const struct rds_rec_subnet_group *r = e.record;
		if (str_has(in->db_subnet_group_name) && !str_ieq(in->db_subnet_group_name, r->db_subnet_group_name))
			continue;
		s = rds_subnet_group_show(c, r, VEC_PUSH(c->arena, &out->db_subnet_groups, &capacity));
	}
	status end = rds_each_end(&e);
	TRY(s);
	TRY(end);
	return rds_page(
		c, &out->db_subnet_groups, sizeof(*out->db_subnet_groups.v), in->max_records, in->marker, &out->marker);
}
