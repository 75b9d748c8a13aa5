/* Tags, kept with their resources. "Tagging Amazon RDS resources", the guide. */
#include "services/rds/proxy.h"

enum { TAGS_MAX = 50, KEY_MAX = 128, VALUE_MAX = 256 };

status rds_tags_set(struct call *c, struct rds_rec_pairs *to, const struct rds_tag *tags, size_t n)
{
	size_t capacity = to->n;
	for (size_t i = 0; i < n; i++) {
		struct rds_rec_pair *found = NULL;
		if (!tags[i].key.n || str_utf8_length(tags[i].key) > KEY_MAX ||
			str_utf8_length(tags[i].value) > VALUE_MAX)
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
				"Tag keys have 1 to %d characters, tag values at most %d.", KEY_MAX, VALUE_MAX);
		if (str_istarts(tags[i].key, STR("aws:")) && !c->system_tags)
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Tag keys can't begin with aws:.");
		for (size_t k = 0; k < to->n; k++)
			if (str_eq(to->v[k].key, tags[i].key)) found = &to->v[k];
		if (!found) found = VEC_PUSH(c->arena, to, &capacity);
		*found = (struct rds_rec_pair){.key = tags[i].key, .value = str_or(tags[i].value, STR(""))};
	}
	if (to->n > TAGS_MAX)
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "A resource can have at most %d tags.", TAGS_MAX);
	return OK;
}

struct rds_tag_list rds_tags_out(struct arena *a, const struct rds_rec_pairs *from)
{
	struct rds_tag_list out = {arena_new_n(a, struct rds_tag, from->n), from->n};
	for (size_t i = 0; i < from->n; i++) out.v[i] = (struct rds_tag){from->v[i].key, from->v[i].value};
	return out;
}

/* What an ARN names: its kind, its record and where its tags lie. */
struct tagged {
	const struct rds_kind *kind;
	struct str name;
	void *record;
	struct rds_rec_pairs *pairs;
};

static status find(struct call *c, struct str arn, struct tagged *out)
{
	struct str rest = arn, part[6] = {{0}};
	for (unsigned i = 0; i < 6 && str_has(rest); i++) part[i] = str_cut(&rest, ':');
	*out = (struct tagged){.name = rest};
	if (!str_is(part[0], "arn") || !str_is(part[2], "rds") || !str_has(rest) || !str_eq(part[3], c->region) ||
		!str_eq(part[4], c->account))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Invalid resource name: %.*s", STR_ARG(arn));
	struct rds_place at = rds_here(c);
	if (str_eq(part[5], str_c(rds_kind_cluster.name))) {
		struct rds_rec_instance *r = arena_new(c->arena, struct rds_rec_instance);
		out->kind = &rds_kind_cluster, out->record = r, out->pairs = &r->tags;
		status s = rds_load(at, out->kind, rest, r);
		if (!status_is(s, STATUS_NOT_FOUND)) return s;
		return RDS_FAIL(c, DB_CLUSTER_NOT_FOUND_FAULT, "DBCluster %.*s not found.", STR_ARG(rest));
	}
	if (str_eq(part[5], str_c(rds_kind_instance.name))) {
		struct rds_rec_instance *r = arena_new(c->arena, struct rds_rec_instance);
		out->kind = &rds_kind_instance, out->record = r, out->pairs = &r->tags;
		return rds_instance_find(c, rest, r);
	}
	status s = STATUS(NOT_FOUND);
	error_id absent = RDS_ERR_RESOURCE_NOT_FOUND_FAULT;
	if (str_eq(part[5], str_c(rds_kind_subnet_group.name))) {
		struct rds_rec_subnet_group *r = arena_new(c->arena, struct rds_rec_subnet_group);
		out->kind = &rds_kind_subnet_group, out->record = r, out->pairs = &r->tags;
		s = rds_load(at, out->kind, rest, r);
		absent = RDS_ERR_DB_SUBNET_GROUP_NOT_FOUND_FAULT;
	} else if (str_eq(part[5], str_c(rds_kind_parameter_group.name))) {
		struct rds_rec_parameter_group *r = arena_new(c->arena, struct rds_rec_parameter_group);
		out->kind = &rds_kind_parameter_group, out->record = r, out->pairs = &r->tags;
		s = rds_parameter_group_load(at, rest, r);
		absent = RDS_ERR_DB_PARAMETER_GROUP_NOT_FOUND_FAULT;
	} else if (str_eq(part[5], str_c(rds_kind_option_group.name))) {
		struct rds_rec_option_group *r = arena_new(c->arena, struct rds_rec_option_group);
		out->kind = &rds_kind_option_group, out->record = r, out->pairs = &r->tags;
		s = rds_load(at, out->kind, rest, r);
		absent = RDS_ERR_OPTION_GROUP_NOT_FOUND_FAULT;
	} else if (str_eq(part[5], str_c(rds_kind_snapshot.name))) {
		struct rds_rec_snapshot *r = arena_new(c->arena, struct rds_rec_snapshot);
		out->kind = &rds_kind_snapshot, out->record = r, out->pairs = &r->tags;
		s = rds_load(at, out->kind, rest, r);
		absent = RDS_ERR_DB_SNAPSHOT_NOT_FOUND_FAULT;
	} else if (str_eq(part[5], str_c(rds_kind_subscription.name))) {
		struct rds_rec_subscription *r = arena_new(c->arena, struct rds_rec_subscription);
		out->kind = &rds_kind_subscription, out->record = r, out->pairs = &r->tags;
		s = rds_load(at, out->kind, rest, r);
		absent = RDS_ERR_SUBSCRIPTION_NOT_FOUND_FAULT;
	} else if (str_eq(part[5], str_c(rds_kind_proxy.name))) {
		/* Its ARN bears its id, its record its name. */
		struct rds_rec_proxy *r = arena_new(c->arena, struct rds_rec_proxy);
		struct rds_each e = rds_each(at, &rds_kind_proxy);
		while (rds_next(&e))
			if (str_eq(((const struct rds_rec_proxy *)e.record)->id, rest)) {
				*r = *(const struct rds_rec_proxy *)e.record;
				out->name = r->db_proxy_name;
				s = OK;
			}
		TRY(rds_each_end(&e));
		out->kind = &rds_kind_proxy, out->record = r, out->pairs = &r->tags;
		absent = RDS_ERR_DB_PROXY_NOT_FOUND_FAULT;
	} else if (str_eq(part[5], str_c(rds_kind_cluster_snapshot.name))) {
		struct rds_rec_snapshot *r = arena_new(c->arena, struct rds_rec_snapshot);
		out->kind = &rds_kind_cluster_snapshot, out->record = r, out->pairs = &r->tags;
		s = rds_load(at, out->kind, rest, r);
		absent = RDS_ERR_DB_CLUSTER_SNAPSHOT_NOT_FOUND_FAULT;
	} else if (str_eq(part[5], str_c(rds_kind_cluster_parameter_group.name))) {
		struct rds_rec_parameter_group *r = arena_new(c->arena, struct rds_rec_parameter_group);
		out->kind = &rds_kind_cluster_parameter_group, out->record = r, out->pairs = &r->tags;
		s = rds_load(at, out->kind, rest, r);
		absent = RDS_ERR_DB_PARAMETER_GROUP_NOT_FOUND_FAULT;
	} else if (str_eq(part[5], str_c(rds_kind_cluster_endpoint.name))) {
		struct rds_rec_cluster_endpoint *r = arena_new(c->arena, struct rds_rec_cluster_endpoint);
		out->kind = &rds_kind_cluster_endpoint, out->record = r, out->pairs = &r->tags;
		s = rds_load(at, out->kind, rest, r);
		absent = RDS_ERR_DB_CLUSTER_ENDPOINT_NOT_FOUND_FAULT;
	} else {
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Unsupported resource type in %.*s", STR_ARG(arn));
	}
	return status_is(s, STATUS_NOT_FOUND) ? call_fail(c, absent, "%.*s not found.", STR_ARG(rest)) : s;
}

status rds_add_tags_to_resource(
	struct call *c, const struct rds_add_tags_to_resource_input *in, struct rds_add_tags_to_resource_output *out)
{
	struct tagged t;
	(void)out;
	TRY(find(c, in->resource_name, &t));
	TRY(rds_tags_set(c, t.pairs, in->tags.v, in->tags.n));
	rds_put(rds_here(c), t.kind, t.name, t.record);
	return OK;
}

status rds_remove_tags_from_resource(struct call *c, const struct rds_remove_tags_from_resource_input *in,
	struct rds_remove_tags_from_resource_output *out)
{
	struct tagged t;
	size_t kept = 0;
	(void)out;
	TRY(find(c, in->resource_name, &t));
	for (size_t i = 0; i < t.pairs->n; i++) {
		bool gone = false;
		for (size_t k = 0; k < in->tag_keys.n; k++) gone |= str_eq(in->tag_keys.v[k], t.pairs->v[i].key);
		if (!gone) t.pairs->v[kept++] = t.pairs->v[i];
	}
	t.pairs->n = kept;
	rds_put(rds_here(c), t.kind, t.name, t.record);
	return OK;
}

status rds_list_tags_for_resource(struct call *c, const struct rds_list_tags_for_resource_input *in,
	struct rds_list_tags_for_resource_output *out)
{
	struct tagged t;
	TRY(find(c, in->resource_name, &t));
	out->tag_list = rds_tags_out(c->arena, t.pairs);
	return OK;
}
