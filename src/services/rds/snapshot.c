/* DB snapshots: CreateDBSnapshot and what can be done with them. "Creating a DB snapshot", "Sharing a DB snapshot", the
 * guide. */
#include "services/rds/crypt.h"
#include "services/rds/snapshot_share.h"

enum { SHARED_MAX = 20 };

static status show(struct call *c, const struct rds_rec_snapshot *r, struct rds_db_snapshot *out)
{
	rds_show(c->arena, RDS_REC_SNAPSHOT, r, RDS_SHAPE_DB_SNAPSHOT, out);
	out->encrypted = SOME_BOOL(str_has(r->kms_key_id));
	out->iam_database_authentication_enabled = SOME_BOOL(r->iam_database_authentication_enabled.v);
	out->dedicated_log_volume = SOME_BOOL(false);
	out->snapshot_target = STR("region");
	out->db_snapshot_arn = rds_arn(c, &rds_kind_snapshot, r->db_snapshot_identifier);
	out->tag_list = rds_tags_out(c->arena, &r->tags);
	return OK;
}

static struct rds_db_snapshot *answer(struct call *c, const struct rds_rec_snapshot *r)
{
	struct rds_db_snapshot *out = arena_new(c->arena, struct rds_db_snapshot);
	return is_ok(show(c, r, out)) ? out : NULL;
}

bool rds_snapshot_shared_with(const struct rds_rec_snapshot *r, struct str account)
{
	for (size_t i = 0; i < r->shared.n; i++)
		if (str_is(r->shared.v[i], "all") || str_eq(r->shared.v[i], account)) return true;
	return false;
}

status rds_snapshot_find(struct call *c, struct str id, struct rds_rec_snapshot *r)
{
	struct rds_place at = rds_here(c);
	struct str rest = id, part[6] = {{0}};
	if (str_starts(id, STR("arn:"))) {
		for (unsigned i = 0; i < 6 && str_has(rest); i++) part[i] = str_cut(&rest, ':');
		if (!str_has(rest))
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Invalid snapshot ARN: %.*s", STR_ARG(id));
		at.region = part[3], at.account = part[4];
	}
	status s = rds_load(at, &rds_kind_snapshot, rest, r);
	if (is_ok(s) && !str_eq(at.account, c->account) && !rds_snapshot_shared_with(r, c->account))
		s = STATUS(NOT_FOUND);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return RDS_FAIL(c, DB_SNAPSHOT_NOT_FOUND_FAULT, "DBSnapshot %.*s not found.", STR_ARG(id));
}

static status own(struct call *c, struct str id, struct rds_rec_snapshot *r)
{
	TRY(rds_snapshot_find(c, id, r));
	struct rds_rec_snapshot mine;
	status s = rds_load(rds_here(c), &rds_kind_snapshot, r->db_snapshot_identifier, &mine);
	if (is_ok(s) && str_eq(mine.folder, r->folder)) return OK;
	return RDS_FAIL(c, DB_SNAPSHOT_NOT_FOUND_FAULT, "DBSnapshot %.*s not found.", STR_ARG(id));
}

/* The name of a new manual snapshot. */
static status check_new(struct call *c, struct str given, struct str *name)
{
	struct rds_rec_snapshot other;
	size_t n = 0;
	TRY(rds_name_check(c, given, "DBSnapshotIdentifier", 255));
	*name = str_lower(c->arena, given);
	status s = rds_load(rds_here(c), &rds_kind_snapshot, *name, &other);
	if (is_ok(s))
		return RDS_FAIL(c, DB_SNAPSHOT_ALREADY_EXISTS_FAULT,
			"Cannot create the snapshot because a snapshot with the identifier %.*s already exists.",
			STR_ARG(*name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	struct rds_each e = rds_each(rds_here(c), &rds_kind_snapshot);
	while (rds_next(&e)) n += str_is(((const struct rds_rec_snapshot *)e.record)->snapshot_type, "manual");
	TRY(rds_each_end(&e));
	if (n < RDS_SNAPSHOTS_MAX) return OK;
	return RDS_FAIL(c, SNAPSHOT_QUOTA_EXCEEDED_FAULT,
		"The request cannot be processed because it would exceed the maximum number of snapshots.");
}

status rds_create_db_snapshot(
	struct call *c, const struct rds_create_db_snapshot_input *in, struct rds_create_db_snapshot_output *out)
{
	struct rds_rec_instance r;
	struct rds_rec_snapshot s;
	struct str name;
	TRY(rds_instance_find(c, in->db_instance_identifier, &r));
	if (str_has(r.db_cluster_identifier))
		return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT,
			"The specified instance is a member of a cluster and a snapshot cannot be created directly. "
			"Please "
			"use the CreateDBClusterSnapshot API instead.");
	TRY(check_new(c, in->db_snapshot_identifier, &name));
	bool stopped = str_is(r.db_instance_status, "stopped");
	if (!stopped && !str_is(r.db_instance_status, "available"))
		return RDS_FAIL(c, INVALID_DB_INSTANCE_STATE_FAULT,
			"Cannot create a snapshot because the database instance %.*s is not currently in the available "
			"state.",
			STR_ARG(r.db_instance_identifier));
	TRY(rds_snapshot_begin(rds_here(c), c->now_ms, &r, name, "manual"));
	TRY(rds_load(rds_here(c), &rds_kind_snapshot, name, &s));
	TRY(rds_tags_set(c, &s.tags, in->tags.v, in->tags.n));
	rds_put(rds_here(c), &rds_kind_snapshot, name, &s);
	if (!stopped) r.db_instance_status = STR("backing-up");
	rds_instance_put(rds_here(c), &r);
	rds_poke(c);
	out->db_snapshot = answer(c, &s);
	return OK;
}

static bool wanted(
	struct call *c, const struct rds_describe_db_snapshots_input *in, const struct rds_rec_snapshot *r, bool mine)
{
	struct str type = in->snapshot_type;
	bool shared = !mine && rds_snapshot_shared_with(r, c->account), all = false;
	for (size_t i = 0; i < r->shared.n; i++) all = all || str_is(r->shared.v[i], "all");
	if (str_is(type, "shared") && !(shared && !all)) return false;
	if (str_is(type, "public") && !all) return false;
	if ((str_is(type, "manual") || str_is(type, "automated")) && !(mine && str_eq(type, r->snapshot_type)))
		return false;
	if (str_is(type, "awsbackup")) return false;
	if (!str_has(type) && !mine && !(shared && ((in->include_shared.v && !all) || (in->include_public.v && all))))
		return false;
	return (!str_has(in->db_instance_identifier) ||
		       str_ieq(in->db_instance_identifier, r->db_instance_identifier)) &&
	       (!str_has(in->dbi_resource_id) || str_eq(in->dbi_resource_id, r->dbi_resource_id)) &&
	       rds_filter_passes(&in->filters, "db-instance-id", r->db_instance_identifier) &&
	       rds_filter_passes(&in->filters, "db-snapshot-id", r->db_snapshot_identifier) &&
	       rds_filter_passes(&in->filters, "dbi-resource-id", r->dbi_resource_id) &&
	       rds_filter_passes(&in->filters, "snapshot-type", r->snapshot_type) &&
	       rds_filter_passes(&in->filters, "engine", r->engine);
}

status rds_describe_db_snapshots(
	struct call *c, const struct rds_describe_db_snapshots_input *in, struct rds_describe_db_snapshots_output *out)
{
	static const char *const names[] = {
		"db-instance-id", "db-snapshot-id", "dbi-resource-id", "snapshot-type", "engine", NULL};
	struct rds_rec_snapshot r;
	size_t capacity = 0;
	status s = OK;
	TRY(rds_filters_check(c, &in->filters, names));
	if (str_has(in->db_snapshot_identifier)) {
		TRY(rds_snapshot_find(c, in->db_snapshot_identifier, &r));
		return show(c, &r, VEC_PUSH(c->arena, &out->db_snapshots, &capacity));
	}
	/* Others' that are shared are found among all: there are few snapshots. */
	struct rds_each e = rds_each(rds_here(c), &rds_kind_snapshot);
	while (is_ok(s) && rds_next(&e))
		if (wanted(c, in, e.record, true))
			s = show(c, e.record, VEC_PUSH(c->arena, &out->db_snapshots, &capacity));
	status end = rds_each_end(&e);
	TRY(s);
	TRY(end);
	if (str_is(in->snapshot_type, "shared") || str_is(in->snapshot_type, "public") || in->include_shared.v ||
		in->include_public.v) {
		e = rds_each_snapshot(c->tx, c->arena);
		while (is_ok(s) && rds_next(&e)) {
			if (str_eq(e.at.account, c->account) || !str_eq(e.at.region, c->region) ||
				!wanted(c, in, e.record, false))
				continue;
			struct rds_db_snapshot *o = VEC_PUSH(c->arena, &out->db_snapshots, &capacity);
			s = show(c, e.record, o);
			o->db_snapshot_arn = str_fmt(c->arena, "arn:aws:rds:%.*s:%.*s:snapshot:%.*s",
				STR_ARG(e.at.region), STR_ARG(e.at.account), STR_ARG(o->db_snapshot_identifier));
			o->db_snapshot_identifier = o->db_snapshot_arn;
		}
		end = rds_each_end(&e);
		TRY(s);
		TRY(end);
	}
	return rds_page(c, &out->db_snapshots, sizeof(*out->db_snapshots.v), in->max_records, in->marker, &out->marker);
}

status rds_delete_db_snapshot(
	struct call *c, const struct rds_delete_db_snapshot_input *in, struct rds_delete_db_snapshot_output *out)
{
	struct rds_rec_snapshot r;
	TRY(own(c, in->db_snapshot_identifier, &r));
	if (str_is(r.snapshot_type, "automated"))
		return RDS_FAIL(c, INVALID_DB_SNAPSHOT_STATE_FAULT,
			"Only manual snapshots may be deleted: %.*s is an automated one.",
			STR_ARG(r.db_snapshot_identifier));
	if (str_is(r.status, "creating"))
		return RDS_FAIL(c, INVALID_DB_SNAPSHOT_STATE_FAULT, "DBSnapshot %.*s is not in available state.",
			STR_ARG(r.db_snapshot_identifier));
	/* Nobody restores from it just now. */
	struct rds_each e = rds_each_instance(c->tx, c->arena);
	while (rds_next(&e)) {
		const struct rds_rec_instance *i = e.record;
		if (i->origin && str_has(r.folder) && str_eq(i->origin->folder, r.folder))
			return RDS_FAIL(c, INVALID_DB_SNAPSHOT_STATE_FAULT, "DBSnapshot %.*s is being restored.",
				STR_ARG(r.db_snapshot_identifier));
	}
	TRY(rds_each_end(&e));
	rds_drop(rds_here(c), &rds_kind_snapshot, r.db_snapshot_identifier);
	if (str_has(r.folder)) rds_folder_drop(rds_here(c), r.folder);
	rds_poke(c);
	r.status = STR("deleted");
	out->db_snapshot = answer(c, &r);
	return OK;
}

status rds_copy_db_snapshot(
	struct call *c, const struct rds_copy_db_snapshot_input *in, struct rds_copy_db_snapshot_output *out)
{
	struct rds_rec_snapshot from, r;
	struct rds_rec_instance like = {0};
	struct str name;
	if (in->copy_option_group.v || str_has(in->target_custom_availability_zone))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Copies with options are not implemented.");
	TRY(rds_snapshot_find(c, in->source_db_snapshot_identifier, &from));
	TRY(check_new(c, in->target_db_snapshot_identifier, &name));
	if (!str_is(from.status, "available"))
		return RDS_FAIL(c, INVALID_DB_SNAPSHOT_STATE_FAULT, "DBSnapshot %.*s is not in available state.",
			STR_ARG(in->source_db_snapshot_identifier));
	TRY(rds_snapshot_begin(rds_here(c), c->now_ms, &like, name, "manual"));
	TRY(rds_load(rds_here(c), &rds_kind_snapshot, name, &r));
	struct str folder = r.folder;
	r = from;
	r.db_snapshot_identifier = name;
	r.snapshot_create_time = SOME_TIME(c->now_ms);
	r.snapshot_type = STR("manual"), r.status = STR("creating"), r.percent_progress = SOME_I32(0);
	TRY(rds_snapshot_copied(c, &from, in->kms_key_id, folder, &r));
	r.shared = (struct rds_rec_strings){0};
	r.source_db_snapshot_identifier = str_starts(in->source_db_snapshot_identifier, STR("arn:"))
						  ? in->source_db_snapshot_identifier
						  : rds_arn(c, &rds_kind_snapshot, from.db_snapshot_identifier);
	if (!in->copy_tags.v) r.tags = (struct rds_rec_pairs){0};
	TRY(rds_tags_set(c, &r.tags, in->tags.v, in->tags.n));
	rds_put(rds_here(c), &rds_kind_snapshot, name, &r);
	rds_poke(c);
	out->db_snapshot = answer(c, &r);
	return OK;
}

status rds_snapshot_copied(struct call *c, const struct rds_rec_snapshot *from, struct str key, struct str folder,
	struct rds_rec_snapshot *to)
{
	struct str arn = from->kms_key_id, rest = arn, account = STR_NONE;
	for (unsigned i = 0; i < 5 && str_has(rest); i++) account = str_cut(&rest, ':');
	to->folder = folder, to->source_folder = from->folder, to->source_key = from->data_key;
	/* "If you copy an encrypted DB snapshot that is shared from another account, you must specify KmsKeyId." */
	if (str_has(arn) && !key.n && !str_eq(account, c->account))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"KmsKeyId must be specified to copy an encrypted snapshot that another account has shared.");
	if (!str_has(arn) && !key.n) return OK;
	to->folder = rds_sealed_folder(c->arena, folder);
	return rds_crypt_new(c, key.n ? key : arn, from->dbi_resource_id, &to->kms_key_id, &to->data_key);
}

static struct rds_db_snapshot_attributes_result *attributes_of(struct call *c, const struct rds_rec_snapshot *r)
{
	struct rds_db_snapshot_attributes_result *o = arena_new(c->arena, struct rds_db_snapshot_attributes_result);
	size_t capacity = 0;
	o->db_snapshot_identifier = r->db_snapshot_identifier;
	struct rds_db_snapshot_attribute *a = VEC_PUSH(c->arena, &o->db_snapshot_attributes, &capacity);
	a->attribute_name = STR("restore");
	a->attribute_values = (struct rds_attribute_value_list){r->shared.v, r->shared.n};
	VEC_PRESENT(c->arena, &a->attribute_values);
	return o;
}

status rds_describe_db_snapshot_attributes(struct call *c, const struct rds_describe_db_snapshot_attributes_input *in,
	struct rds_describe_db_snapshot_attributes_output *out)
{
	struct rds_rec_snapshot r;
	TRY(own(c, in->db_snapshot_identifier, &r));
	out->db_snapshot_attributes_result = attributes_of(c, &r);
	return OK;
}

status rds_snapshot_share(struct call *c, struct rds_rec_snapshot *r, const struct rds_attribute_value_list *add,
	const struct rds_attribute_value_list *remove)
{
	size_t kept = 0;
	/* "Sharing encrypted snapshots" */
	for (size_t i = 0; i < add->n && str_has(r->kms_key_id); i++) {
		if (str_is(add->v[i], "all"))
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Encrypted snapshots can't be shared publicly.");
		if (rds_crypt_is_default(c, r->kms_key_id))
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
				"Snapshots that are encrypted with the default KMS key can't be shared.");
	}
	for (size_t i = 0; i < r->shared.n; i++) {
		bool gone = false;
		for (size_t k = 0; k < remove->n; k++) gone |= str_eq(remove->v[k], r->shared.v[i]);
		if (!gone) r->shared.v[kept++] = r->shared.v[i];
	}
	r->shared.n = kept;
	size_t capacity = kept;
	for (size_t k = 0; k < add->n; k++) {
		struct str v = add->v[k];
		int64_t digits;
		if (!str_is(v, "all") && (v.n != 12 || !is_ok(str_to_i64(v, &digits))))
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Invalid account: %.*s", STR_ARG(v));
		bool there = false;
		for (size_t i = 0; i < r->shared.n; i++) there = there || str_eq(r->shared.v[i], v);
		if (!there) *VEC_PUSH(c->arena, &r->shared, &capacity) = v;
	}
	if (r->shared.n > SHARED_MAX)
		return RDS_FAIL(c, SHARED_SNAPSHOT_QUOTA_EXCEEDED_FAULT,
			"A snapshot can be shared with at most %d accounts.", SHARED_MAX);
	return OK;
}

status rds_modify_db_snapshot_attribute(struct call *c, const struct rds_modify_db_snapshot_attribute_input *in,
	struct rds_modify_db_snapshot_attribute_output *out)
{
	struct rds_rec_snapshot r;
	TRY(own(c, in->db_snapshot_identifier, &r));
	if (!str_is(in->attribute_name, "restore"))
		return RDS_FAIL(
			c, INVALID_PARAMETER_VALUE, "Invalid attribute name: %.*s", STR_ARG(in->attribute_name));
	if (str_is(r.snapshot_type, "automated"))
		return RDS_FAIL(
			c, INVALID_DB_SNAPSHOT_STATE_FAULT, "Automated snapshots can't be shared: copy them first.");
	TRY(rds_snapshot_share(c, &r, &in->values_to_add, &in->values_to_remove));
	rds_put(rds_here(c), &rds_kind_snapshot, r.db_snapshot_identifier, &r);
	out->db_snapshot_attributes_result = attributes_of(c, &r);
	return OK;
}
