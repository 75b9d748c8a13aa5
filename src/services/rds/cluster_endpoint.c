/* A cluster's endpoints: names in the VPCs' resolvers, custom ones among them, and addresses of this machine's
 * loopback. "Amazon Aurora endpoint connections", "Custom endpoints for Amazon Aurora", the Aurora guide. */
#include "base/rand.h"
#include "services/ec2/dns.h"
#include "services/rds/auth.h"
#include "services/rds/cluster.h"
#include "services/rds/watch.h"

struct str rds_cluster_name(struct arena *a, struct rds_place at, struct str id, const char *what)
{
	struct str name = rds_endpoint_name(a, at, id), rest = name, label = str_cut(&rest, '.');
	return str_fmt(a, "%.*s.%s-%.*s", STR_ARG(label), what, STR_ARG(rest));
}

static bool serves(struct rds_work *w, const struct rds_rec_node *n)
{
	return str_has(n->address) && !n->leaving.v && (str_is(n->state, "up") || str_is(n->state, "parting")) &&
	       !ec2_zone_is_down(w->at.tx, w->at.a, n->zone);
}

static bool among(const struct rds_rec_strings *l, struct str s)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i], s)) return true;
	return false;
}

static status set(struct rds_work *w, struct str name, const struct rds_rec_strings *to)
{
	struct ec2_rec_published_name old;
	status s = ec2_dns_published(w->at.tx, w->at.a, name, &old);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	bool same = is_ok(s) && old.addresses.n == to->n;
	for (size_t i = 0; same && i < to->n; i++) same = str_eq(old.addresses.v[i], to->v[i]);
	/* Each question gets one of them: so connections spread. */
	if (!same) ec2_dns_publish_one_of(w->at.tx, w->at.a, name, to->v, to->n);
	return OK;
}

static status publish_custom(struct rds_work *w)
{
	const struct rds_rec_instance *r = w->r;
	struct rds_each e = rds_each(w->at, &rds_kind_cluster_endpoint);
	status s = OK;
	while (is_ok(s) && rds_next(&e)) {
		struct rds_rec_cluster_endpoint *k = e.record;
		struct rds_rec_strings to = {0};
		size_t capacity = 0;
		if (!str_eq(k->db_cluster_identifier, r->db_instance_identifier)) continue;
		for (size_t i = 0; i < r->nodes.n; i++) {
			const struct rds_rec_node *n = &r->nodes.v[i];
			bool writer = str_eq(n->letter, r->primary);
			if (!serves(w, n) || (writer && str_is(k->custom_endpoint_type, "READER"))) continue;
			if (k->static_members.n ? !among(&k->static_members, n->instance)
						: among(&k->excluded_members, n->instance))
				continue;
			*VEC_PUSH(w->at.a, &to, &capacity) = n->address;
		}
		s = set(w, k->name, &to);
		if (is_ok(s) && !k->available.v) {
			k->available = SOME_BOOL(true);
			rds_put(w->at, &rds_kind_cluster_endpoint, k->db_cluster_endpoint_identifier, k);
		}
	}
	status end = rds_each_end(&e);
	return is_ok(s) ? end : s;
}

/* The public address of a node's interface; STR_NONE. */
static struct str public_of(struct rds_work *w, const struct rds_rec_node *n)
{
	struct ec2_rec_eni e;
	struct ec2_place at = {w->at.tx, w->at.a, w->at.account, w->at.region};
	if (!str_has(n->eni) || !is_ok(ec2_load(at, &ec2_type_eni, n->eni, &e)) || !e.addresses.n) return STR_NONE;
	return e.addresses.v[0].public;
}

void rds_watch_nothing(struct rds_work *w, struct str resource_id)
{
	if (!w->real) return;
	rds_watch(rds_of(w->cloud), resource_id, STR_NONE, NULL, 0);
	rds_forward(rds_of(w->cloud), resource_id, STR_NONE, 0, STR_NONE);
	rds_auth_open(rds_auth_of(w->cloud), resource_id, STR_NONE);
}

static struct str reader_id(struct rds_work *w)
{
	return str_cat(w->at.a, w->r->dbi_resource_id, STR(RDS_READERS));
}

void rds_cluster_unwatch(struct rds_work *w)
{
	rds_watch_nothing(w, w->r->dbi_resource_id);
	rds_watch_nothing(w, reader_id(w));
	for (size_t i = 0; i < w->r->nodes.n; i++) {
		struct rds_rec_instance m;
		if (is_ok(rds_member_load(w->at, &w->r->nodes.v[i], &m))) rds_watch_nothing(w, m.dbi_resource_id);
	}
}

status rds_cluster_publish(struct rds_work *w)
{
	struct rds_rec_instance *r = w->r;
	struct rds_rec_strings writer = {0}, readers = {0};
	struct buf outside = BUF_IN(w->at.a);
	size_t capacity = 0, writers = 0;
	struct str writer_outside = STR_NONE;
	for (size_t i = 0; i < r->nodes.n; i++) {
		const struct rds_rec_node *n = &r->nodes.v[i];
		struct rds_rec_instance m;
		bool leads = str_eq(n->letter, r->primary);
		struct str public = public_of(w, n);
		if (str_has(n->address) && is_ok(rds_member_load(w->at, n, &m))) {
			TRY(set(w, m.name, &(struct rds_rec_strings){(struct str *)(uintptr_t)&n->address, 1}));
			if (w->real && str_is(n->state, "up")) {
				rds_forward(rds_of(w->cloud), m.dbi_resource_id,
					str_has(public) ? m.loopback : STR_NONE, (uint16_t)r->port.v, public);
				rds_auth_open(rds_auth_of(w->cloud), m.dbi_resource_id,
					r->iam_database_authentication_enabled.v ? n->eni : STR_NONE);
				rds_watch(rds_of(w->cloud), m.dbi_resource_id, r->engine,
					rds_path(w->cloud, w->at.a, rds_folder(w->at.a, r),
						str_fmt(w->at.a, "%.*s/socket", STR_ARG(n->letter)).p),
					(uint16_t)r->port.v);
			}
		}
		if (leads && str_has(n->address)) {
			*VEC_PUSH(w->at.a, &writer, &writers) = n->address;
			writer_outside = public;
		} else if (serves(w, n)) {
			*VEC_PUSH(w->at.a, &readers, &capacity) = n->address;
			if (str_has(public)) buf_fmt(&outside, "%s%.*s", outside.n ? "," : "", STR_ARG(public));
		}
	}
	TRY(set(w, r->name, &writer));
	/* "If the cluster contains only a primary instance, the reader endpoint connects to it." */
	TRY(set(w, r->reader_name, readers.n ? &readers : &writer));
	TRY(publish_custom(w));
	struct str readers_outside = readers.n ? buf_done(&outside) : writer_outside;
	if (str_has(readers_outside) && !readers_outside.n) readers_outside = STR_NONE;
	r->writer_public = SOME_BOOL(str_has(writer_outside));
	r->reader_public = SOME_BOOL(str_has(readers_outside));
	if (!w->real) return OK;
	rds_forward(rds_of(w->cloud), r->dbi_resource_id, str_has(writer_outside) ? r->loopback : STR_NONE,
		(uint16_t)r->port.v, writer_outside);
	rds_forward(rds_of(w->cloud), reader_id(w), str_has(readers_outside) ? r->reader_loopback : STR_NONE,
		(uint16_t)r->port.v, readers_outside);
	return OK;
}

void rds_cluster_unpublish(struct rds_work *w)
{
	ec2_dns_unpublish(w->at.tx, w->at.a, w->r->name);
	ec2_dns_unpublish(w->at.tx, w->at.a, w->r->reader_name);
}

status rds_cluster_endpoints_drop(struct rds_work *w)
{
	struct rds_each e = rds_each(w->at, &rds_kind_cluster_endpoint);
	while (rds_next(&e)) {
		const struct rds_rec_cluster_endpoint *k = e.record;
		if (!str_eq(k->db_cluster_identifier, w->r->db_instance_identifier)) continue;
		ec2_dns_unpublish(w->at.tx, w->at.a, k->name);
		rds_drop(w->at, &rds_kind_cluster_endpoint, e.name);
	}
	return rds_each_end(&e);
}

/* ── custom endpoints ── */

static void show(struct call *c, const struct rds_rec_cluster_endpoint *k, struct rds_db_cluster_endpoint *out)
{
	rds_show(c->arena, RDS_REC_CLUSTER_ENDPOINT, k, RDS_SHAPE_DB_CLUSTER_ENDPOINT, out);
	out->endpoint = k->name;
	out->endpoint_type = STR("CUSTOM");
	out->status = k->available.v ? STR("available") : STR("creating");
	out->static_members = (struct rds_string_list){k->static_members.v, k->static_members.n};
	out->excluded_members = (struct rds_string_list){k->excluded_members.v, k->excluded_members.n};
	VEC_PRESENT(c->arena, &out->static_members);
	VEC_PRESENT(c->arena, &out->excluded_members);
	out->db_cluster_endpoint_arn = rds_arn(c, &rds_kind_cluster_endpoint, k->db_cluster_endpoint_identifier);
}

static status find(struct call *c, struct str name, struct rds_rec_cluster_endpoint *k)
{
	status s = rds_load(rds_here(c), &rds_kind_cluster_endpoint, name, k);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return RDS_FAIL(c, DB_CLUSTER_ENDPOINT_NOT_FOUND_FAULT, "DBClusterEndpoint %.*s not found.", STR_ARG(name));
}

static status check(struct call *c, const struct rds_rec_instance *r, const struct rds_rec_cluster_endpoint *k)
{
	const struct rds_rec_strings *lists[] = {&k->static_members, &k->excluded_members};
	if (!str_is(k->custom_endpoint_type, "READER") && !str_is(k->custom_endpoint_type, "ANY"))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Invalid endpoint type: %.*s. It must be READER or ANY.",
			STR_ARG(k->custom_endpoint_type));
	if (k->static_members.n && k->excluded_members.n)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"StaticMembers and ExcludedMembers can't be specified together.");
	for (size_t l = 0; l < 2; l++)
		for (size_t i = 0; i < lists[l]->n; i++)
			if (!rds_member_node(r, lists[l]->v[i]))
				return RDS_FAIL(c, DB_INSTANCE_NOT_FOUND_FAULT,
					"DBInstance %.*s not found in the DB cluster %.*s.", STR_ARG(lists[l]->v[i]),
					STR_ARG(r->db_instance_identifier));
	return OK;
}

static struct rds_rec_strings lowered(struct arena *a, const struct rds_string_list *l)
{
	struct rds_rec_strings out = {arena_new_n(a, struct str, l->n), l->n};
	for (size_t i = 0; i < l->n; i++) out.v[i] = str_lower(a, l->v[i]);
	return out;
}

status rds_custom_endpoints(struct call *c, const struct rds_rec_instance *r, struct rds_string_list *out)
{
	struct rds_each e = rds_each(rds_here(c), &rds_kind_cluster_endpoint);
	size_t capacity = 0;
	while (rds_next(&e)) {
		const struct rds_rec_cluster_endpoint *k = e.record;
		if (str_eq(k->db_cluster_identifier, r->db_instance_identifier))
			*VEC_PUSH(c->arena, out, &capacity) = k->name;
	}
	return rds_each_end(&e);
}

status rds_create_db_cluster_endpoint(struct call *c, const struct rds_create_db_cluster_endpoint_input *in,
	struct rds_create_db_cluster_endpoint_output *out)
{
	struct rds_rec_instance r;
	struct rds_rec_cluster_endpoint other;
	struct rds_string_list have = {0};
	TRY(rds_cluster_find(c, in->db_cluster_identifier, &r));
	if (!rds_is_aurora(&r))
		return RDS_FAIL(c, INVALID_DB_CLUSTER_STATE_FAULT, "Custom endpoints are for Aurora DB clusters.");
	TRY(rds_name_check(c, in->db_cluster_endpoint_identifier, "DBClusterEndpointIdentifier", 63));
	struct rds_rec_cluster_endpoint k = {
		.db_cluster_endpoint_identifier = str_lower(c->arena, in->db_cluster_endpoint_identifier),
		.db_cluster_identifier = r.db_instance_identifier,
		.db_cluster_endpoint_resource_identifier = str_cat(c->arena, STR("cluster-endpoint-"),
			rand_text(c->arena, STR("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), 26)),
		.custom_endpoint_type = in->endpoint_type,
		.static_members = lowered(c->arena, &in->static_members),
		.excluded_members = lowered(c->arena, &in->excluded_members)};
	status s = rds_load(rds_here(c), &rds_kind_cluster_endpoint, k.db_cluster_endpoint_identifier, &other);
	if (is_ok(s)) return RDS_FAIL(c, DB_CLUSTER_ENDPOINT_ALREADY_EXISTS_FAULT, "DBClusterEndpoint already exists");
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(check(c, &r, &k));
	TRY(rds_custom_endpoints(c, &r, &have));
	if (have.n >= RDS_CUSTOM_ENDPOINTS_MAX)
		return RDS_FAIL(c, DB_CLUSTER_ENDPOINT_QUOTA_EXCEEDED_FAULT,
			"A DB cluster can have at most %d custom endpoints.", RDS_CUSTOM_ENDPOINTS_MAX);
	k.name = rds_cluster_name(c->arena, rds_here(c), k.db_cluster_endpoint_identifier, "cluster-custom");
	TRY(rds_tags_set(c, &k.tags, in->tags.v, in->tags.n));
	rds_put(rds_here(c), &rds_kind_cluster_endpoint, k.db_cluster_endpoint_identifier, &k);
	rds_cluster_save(c, &r);
	show(c, &k, out);
	return OK;
}

status rds_modify_db_cluster_endpoint(struct call *c, const struct rds_modify_db_cluster_endpoint_input *in,
	struct rds_modify_db_cluster_endpoint_output *out)
{
	struct rds_rec_instance r;
	struct rds_rec_cluster_endpoint k;
	TRY(find(c, in->db_cluster_endpoint_identifier, &k));
	TRY(rds_cluster_find(c, k.db_cluster_identifier, &r));
	if (str_has(in->endpoint_type)) k.custom_endpoint_type = in->endpoint_type;
	if (in->static_members.n)
		k.static_members = lowered(c->arena, &in->static_members),
		k.excluded_members = (struct rds_rec_strings){0};
	if (in->excluded_members.n) {
		if (!in->static_members.n) k.static_members = (struct rds_rec_strings){0};
		k.excluded_members = lowered(c->arena, &in->excluded_members);
	}
	TRY(check(c, &r, &k));
	rds_put(rds_here(c), &rds_kind_cluster_endpoint, k.db_cluster_endpoint_identifier, &k);
	rds_cluster_save(c, &r);
	show(c, &k, out);
	return OK;
}

status rds_delete_db_cluster_endpoint(struct call *c, const struct rds_delete_db_cluster_endpoint_input *in,
	struct rds_delete_db_cluster_endpoint_output *out)
{
	struct rds_rec_cluster_endpoint k;
	TRY(find(c, in->db_cluster_endpoint_identifier, &k));
	ec2_dns_unpublish(c->tx, c->arena, k.name);
	rds_drop(rds_here(c), &rds_kind_cluster_endpoint, k.db_cluster_endpoint_identifier);
	show(c, &k, out);
	out->status = STR("deleting");
	return OK;
}

static bool wanted(const struct rds_describe_db_cluster_endpoints_input *in, const struct rds_db_cluster_endpoint *e)
{
	return (!str_has(in->db_cluster_identifier) || str_ieq(in->db_cluster_identifier, e->db_cluster_identifier)) &&
	       (!str_has(in->db_cluster_endpoint_identifier) ||
		       str_ieq(in->db_cluster_endpoint_identifier,
			       str_or(e->db_cluster_endpoint_identifier, STR("")))) &&
	       rds_filter_passes(&in->filters, "db-cluster-endpoint-type", e->endpoint_type) &&
	       rds_filter_passes(
		       &in->filters, "db-cluster-endpoint-custom-type", str_or(e->custom_endpoint_type, STR(""))) &&
	       rds_filter_passes(
		       &in->filters, "db-cluster-endpoint-id", str_or(e->db_cluster_endpoint_identifier, STR(""))) &&
	       rds_filter_passes(&in->filters, "db-cluster-endpoint-status", e->status);
}

status rds_describe_db_cluster_endpoints(struct call *c, const struct rds_describe_db_cluster_endpoints_input *in,
	struct rds_describe_db_cluster_endpoints_output *out)
{
	static const char *const names[] = {"db-cluster-endpoint-type", "db-cluster-endpoint-custom-type",
		"db-cluster-endpoint-id", "db-cluster-endpoint-status", NULL};
	struct rds_rec_instance one;
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, names));
	if (str_has(in->db_cluster_identifier)) TRY(rds_cluster_find(c, in->db_cluster_identifier, &one));
	struct rds_each e = rds_each(rds_here(c), &rds_kind_cluster);
	while (rds_next(&e)) {
		const struct rds_rec_instance *r = e.record;
		struct rds_db_cluster_endpoint own[] = {
			{.db_cluster_identifier = r->db_instance_identifier,
				.endpoint = r->name,
				.status = r->started.has ? STR("available") : STR("creating"),
				.endpoint_type = STR("WRITER")},
			{.db_cluster_identifier = r->db_instance_identifier,
				.endpoint = r->reader_name,
				.status = r->started.has ? STR("available") : STR("creating"),
				.endpoint_type = STR("READER")}};
		for (size_t i = 0; i < 2; i++)
			if (wanted(in, &own[i])) *VEC_PUSH(c->arena, &out->db_cluster_endpoints, &capacity) = own[i];
	}
	TRY(rds_each_end(&e));
	struct rds_each k = rds_each(rds_here(c), &rds_kind_cluster_endpoint);
	while (rds_next(&k)) {
		struct rds_db_cluster_endpoint o = {0};
		show(c, k.record, &o);
		if (wanted(in, &o)) *VEC_PUSH(c->arena, &out->db_cluster_endpoints, &capacity) = o;
	}
	TRY(rds_each_end(&k));
	return rds_page(c, &out->db_cluster_endpoints, sizeof(*out->db_cluster_endpoints.v), in->max_records,
		in->marker, &out->marker);
}
