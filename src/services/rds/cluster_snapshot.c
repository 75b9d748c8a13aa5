/* DB cluster snapshots, and clusters from them and from moments of other clusters. "Backing up and restoring an Amazon
 * Aurora DB cluster", the Aurora guide; "Creating a Multi-AZ DB cluster snapshot", the guide. The records are those of
 * DB snapshots, at another kind. */
#include "services/rds/cluster.h"
#include "services/rds/crypt.h"
#include "services/rds/snapshot_share.h"

static status show(struct call *c, const struct rds_rec_snapshot *r, struct rds_db_cluster_snapshot *out)
{
	*out = (struct rds_db_cluster_snapshot){.db_cluster_snapshot_identifier = r->db_snapshot_identifier,
		.db_cluster_identifier = r->db_instance_identifier,
		.snapshot_create_time = r->snapshot_create_time,
		.engine = r->engine,
		.engine_mode = STR("provisioned"),
		.allocated_storage = r->allocated_storage.has ? r->allocated_storage : SOME_I32(1),
		.status = r->status,
		.port = r->port,
		.vpc_id = r->vpc_id,
		.cluster_create_time = r->instance_create_time,
		.master_username = r->master_username,
		.engine_version = r->engine_version,
		.license_model = r->license_model,
		.snapshot_type = r->snapshot_type,
		.percent_progress = r->percent_progress,
		.storage_encrypted = SOME_BOOL(str_has(r->kms_key_id)),
		.kms_key_id = r->kms_key_id,
		.iam_database_authentication_enabled = SOME_BOOL(r->iam_database_authentication_enabled.v),
		.backup_retention_period = r->backup_retention_period,
		.preferred_backup_window = r->preferred_backup_window,
		.db_cluster_snapshot_arn = rds_arn(c, &rds_kind_cluster_snapshot, r->db_snapshot_identifier),
		.source_db_cluster_snapshot_arn = r->source_db_snapshot_identifier,
		.storage_type = r->storage_type,
		.db_cluster_resource_id = r->dbi_resource_id,
		.tag_list = rds_tags_out(c->arena, &r->tags)};
	size_t capacity = 0;
	if (str_has(r->availability_zone))
		*VEC_PUSH(c->arena, &out->availability_zones, &capacity) = r->availability_zone;
	return OK;
}

static struct rds_db_cluster_snapshot *answer(struct call *c, const struct rds_rec_snapshot *r)
{
	struct rds_db_cluster_snapshot *out = arena_new(c->arena, struct rds_db_cluster_snapshot);
	return is_ok(show(c, r, out)) ? out : NULL;
}

static status find(struct call *c, struct str id, struct rds_rec_snapshot *r)
{
	struct rds_place at = rds_here(c);
	struct str rest = id, part[6] = {{0}};
	if (str_starts(id, STR("arn:"))) {
		for (unsigned i = 0; i < 6 && str_has(rest); i++) part[i] = str_cut(&rest, ':');
		if (!str_has(rest))
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Invalid snapshot ARN: %.*s", STR_ARG(id));
		at.region = part[3], at.account = part[4];
	}
	status s = rds_load(at, &rds_kind_cluster_snapshot, rest, r);
	if (is_ok(s) && !str_eq(at.account, c->account) && !rds_snapshot_shared_with(r, c->account))
		s = STATUS(NOT_FOUND);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return RDS_FAIL(c, DB_CLUSTER_SNAPSHOT_NOT_FOUND_FAULT, "DBClusterSnapshot %.*s not found.", STR_ARG(id));
}

static status own(struct call *c, struct str id, struct rds_rec_snapshot *r)
{
	TRY(find(c, id, r));
	struct rds_rec_snapshot mine;
	status s = rds_load(rds_here(c), &rds_kind_cluster_snapshot, r->db_snapshot_identifier, &mine);
	if (is_ok(s) && str_eq(str_or(mine.folder, STR("")), str_or(r->folder, STR("")))) return OK;
	return RDS_FAIL(c, DB_CLUSTER_SNAPSHOT_NOT_FOUND_FAULT, "DBClusterSnapshot %.*s not found.", STR_ARG(id));
}

static status check_new(struct call *c, struct str given, struct str *name)
{
	struct rds_rec_snapshot other;
	size_t n = 0;
	TRY(rds_name_check(c, given, "DBClusterSnapshotIdentifier", 63));
	*name = str_lower(c->arena, given);
	status s = rds_load(rds_here(c), &rds_kind_cluster_snapshot, *name, &other);
	if (is_ok(s))
		return RDS_FAIL(c, DB_CLUSTER_SNAPSHOT_ALREADY_EXISTS_FAULT,
			"Cannot create the cluster snapshot because a snapshot with the identifier %.*s already "
			"exists.",
			STR_ARG(*name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	struct rds_each e = rds_each(rds_here(c), &rds_kind_cluster_snapshot);
	while (rds_next(&e)) n += str_is(((const struct rds_rec_snapshot *)e.record)->snapshot_type, "manual");
	TRY(rds_each_end(&e));
	if (n < RDS_SNAPSHOTS_MAX) return OK;
	return RDS_FAIL(c, SNAPSHOT_QUOTA_EXCEEDED_FAULT,
		"The request cannot be processed because it would exceed the maximum number of snapshots.");
}

static status must_be_available(struct call *c, const struct rds_rec_snapshot *r)
{
	if (str_is(r->status, "available")) return OK;
	return RDS_FAIL(c, INVALID_DB_CLUSTER_SNAPSHOT_STATE_FAULT, "DBClusterSnapshot %.*s is not in available state.",
		STR_ARG(r->db_snapshot_identifier));
}

status rds_create_db_cluster_snapshot(struct call *c, const struct rds_create_db_cluster_snapshot_input *in,
	struct rds_create_db_cluster_snapshot_output *out)
{
	struct rds_rec_instance r;
	struct rds_rec_snapshot s;
	struct str name;
	TRY(rds_cluster_find(c, in->db_cluster_identifier, &r));
	TRY(check_new(c, in->db_cluster_snapshot_identifier, &name));
	if (!str_is(r.db_instance_status, "stopped")) TRY(rds_cluster_must_be(c, &r, "available"));
	TRY(rds_snapshot_begin(rds_here(c), c->now_ms, &r, name, "manual"));
	TRY(rds_load(rds_here(c), &rds_kind_cluster_snapshot, name, &s));
	TRY(rds_tags_set(c, &s.tags, in->tags.v, in->tags.n));
	rds_put(rds_here(c), &rds_kind_cluster_snapshot, name, &s);
	rds_poke(c);
	out->db_cluster_snapshot = answer(c, &s);
	return OK;
}

static bool wanted(struct call *c, const struct rds_describe_db_cluster_snapshots_input *in,
	const struct rds_rec_snapshot *r, bool mine)
{
	struct str type = in->snapshot_type;
	bool shared = rds_snapshot_shared_with(r, c->account), all = false;
	for (size_t i = 0; i < r->shared.n; i++) all = all || str_is(r->shared.v[i], "all");
	if (str_is(type, "shared") && !(shared && !mine && !all)) return false;
	if (str_is(type, "public") && !all) return false;
	if ((str_is(type, "manual") || str_is(type, "automated")) && !(mine && str_eq(type, r->snapshot_type)))
		return false;
	if (str_is(type, "awsbackup")) return false;
	if (!str_has(type) && !mine && !(shared && ((in->include_shared.v && !all) || (in->include_public.v && all))))
		return false;
	return (!str_has(in->db_cluster_identifier) || str_ieq(in->db_cluster_identifier, r->db_instance_identifier)) &&
	       (!str_has(in->db_cluster_resource_id) || str_eq(in->db_cluster_resource_id, r->dbi_resource_id)) &&
	       rds_filter_passes(&in->filters, "db-cluster-id", r->db_instance_identifier) &&
	       rds_filter_passes(&in->filters, "db-cluster-snapshot-id", r->db_snapshot_identifier) &&
	       rds_filter_passes(&in->filters, "snapshot-type", r->snapshot_type) &&
	       rds_filter_passes(&in->filters, "engine", r->engine);
}

status rds_describe_db_cluster_snapshots(struct call *c, const struct rds_describe_db_cluster_snapshots_input *in,
	struct rds_describe_db_cluster_snapshots_output *out)
{
	static const char *const names[] = {"db-cluster-id", "db-cluster-snapshot-id", "snapshot-type", "engine", NULL};
	struct rds_rec_snapshot r;
	size_t capacity = 0;
	status s = OK;
	TRY(rds_filters_check(c, &in->filters, names));
	if (str_has(in->db_cluster_snapshot_identifier)) {
		TRY(find(c, in->db_cluster_snapshot_identifier, &r));
		return show(c, &r, VEC_PUSH(c->arena, &out->db_cluster_snapshots, &capacity));
	}
	bool others = str_is(in->snapshot_type, "shared") || str_is(in->snapshot_type, "public") ||
		      in->include_shared.v || in->include_public.v;
	struct rds_each e = others ? rds_each_anywhere(c->tx, c->arena, &rds_kind_cluster_snapshot)
				   : rds_each(rds_here(c), &rds_kind_cluster_snapshot);
	while (is_ok(s) && rds_next(&e)) {
		bool mine = str_eq(e.at.account, c->account);
		if (!str_eq(e.at.region, c->region) || !wanted(c, in, e.record, mine)) continue;
		struct rds_db_cluster_snapshot *o = VEC_PUSH(c->arena, &out->db_cluster_snapshots, &capacity);
		s = show(c, e.record, o);
		if (mine) continue;
		o->db_cluster_snapshot_arn = str_fmt(c->arena, "arn:aws:rds:%.*s:%.*s:cluster-snapshot:%.*s",
			STR_ARG(e.at.region), STR_ARG(e.at.account), STR_ARG(o->db_cluster_snapshot_identifier));
		o->db_cluster_snapshot_identifier = o->db_cluster_snapshot_arn;
	}
	status end = rds_each_end(&e);
	TRY(s);
	TRY(end);
	return rds_page(c, &out->db_cluster_snapshots, sizeof(*out->db_cluster_snapshots.v), in->max_records,
		in->marker, &out->marker);
}

status rds_delete_db_cluster_snapshot(struct call *c, const struct rds_delete_db_cluster_snapshot_input *in,
	struct rds_delete_db_cluster_snapshot_output *out)
{
	struct rds_rec_snapshot r;
	TRY(own(c, in->db_cluster_snapshot_identifier, &r));
	if (str_is(r.snapshot_type, "automated"))
		return RDS_FAIL(c, INVALID_DB_CLUSTER_SNAPSHOT_STATE_FAULT,
			"Only manual snapshots may be deleted: %.*s is an automated one.",
			STR_ARG(r.db_snapshot_identifier));
	if (!str_is(r.status, "failed")) TRY(must_be_available(c, &r));
	struct rds_each e = rds_each_anywhere(c->tx, c->arena, &rds_kind_cluster);
	bool used = false;
	while (rds_next(&e)) {
		const struct rds_rec_instance *i = e.record;
		used = used || (i->origin && str_has(r.folder) && str_eq(i->origin->folder, r.folder));
	}
	TRY(rds_each_end(&e));
	if (used)
		return RDS_FAIL(c, INVALID_DB_CLUSTER_SNAPSHOT_STATE_FAULT, "DBClusterSnapshot %.*s is being restored.",
			STR_ARG(r.db_snapshot_identifier));
	rds_drop(rds_here(c), &rds_kind_cluster_snapshot, r.db_snapshot_identifier);
	if (str_has(r.folder)) rds_folder_drop(rds_here(c), r.folder);
	rds_poke(c);
	r.status = STR("deleted");
	out->db_cluster_snapshot = answer(c, &r);
	return OK;
}

status rds_copy_db_cluster_snapshot(struct call *c, const struct rds_copy_db_cluster_snapshot_input *in,
	struct rds_copy_db_cluster_snapshot_output *out)
{
	struct rds_rec_snapshot from, r;
	struct str name;
	TRY(find(c, in->source_db_cluster_snapshot_identifier, &from));
	TRY(check_new(c, in->target_db_cluster_snapshot_identifier, &name));
	TRY(must_be_available(c, &from));
	/* "If you copy an unencrypted DB cluster snapshot and specify a value for KmsKeyId, an error is returned." */
	if (in->kms_key_id.n && !str_has(from.kms_key_id))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"KmsKeyId can't be specified for the copy of a DB cluster snapshot that is not encrypted.");
	struct rds_rec_instance like = {.dbi_resource_id = from.dbi_resource_id};
	TRY(rds_snapshot_begin(rds_here(c), c->now_ms, &like, name, "manual"));
	TRY(rds_load(rds_here(c), &rds_kind_cluster_snapshot, name, &r));
	struct str folder = r.folder;
	r = from;
	r.db_snapshot_identifier = name;
	r.snapshot_create_time = SOME_TIME(c->now_ms);
	r.snapshot_type = STR("manual"), r.status = STR("creating"), r.percent_progress = SOME_I32(0);
	TRY(rds_snapshot_copied(c, &from, in->kms_key_id, folder, &r));
	r.shared = (struct rds_rec_strings){0};
	r.source_db_snapshot_identifier = str_starts(in->source_db_cluster_snapshot_identifier, STR("arn:"))
						  ? in->source_db_cluster_snapshot_identifier
						  : rds_arn(c, &rds_kind_cluster_snapshot, from.db_snapshot_identifier);
	if (!in->copy_tags.v) r.tags = (struct rds_rec_pairs){0};
	TRY(rds_tags_set(c, &r.tags, in->tags.v, in->tags.n));
	rds_put(rds_here(c), &rds_kind_cluster_snapshot, name, &r);
	rds_poke(c);
	out->db_cluster_snapshot = answer(c, &r);
	return OK;
}

static struct rds_db_cluster_snapshot_attributes_result *attributes_of(struct call *c, const struct rds_rec_snapshot *r)
{
	struct rds_db_cluster_snapshot_attributes_result *o =
		arena_new(c->arena, struct rds_db_cluster_snapshot_attributes_result);
	size_t capacity = 0;
	o->db_cluster_snapshot_identifier = r->db_snapshot_identifier;
	struct rds_db_cluster_snapshot_attribute *a = VEC_PUSH(c->arena, &o->db_cluster_snapshot_attributes, &capacity);
	a->attribute_name = STR("restore");
	a->attribute_values = (struct rds_attribute_value_list){r->shared.v, r->shared.n};
	VEC_PRESENT(c->arena, &a->attribute_values);
	return o;
}

status rds_describe_db_cluster_snapshot_attributes(struct call *c,
	const struct rds_describe_db_cluster_snapshot_attributes_input *in,
	struct rds_describe_db_cluster_snapshot_attributes_output *out)
{
	struct rds_rec_snapshot r;
	TRY(own(c, in->db_cluster_snapshot_identifier, &r));
	out->db_cluster_snapshot_attributes_result = attributes_of(c, &r);
	return OK;
}

status rds_modify_db_cluster_snapshot_attribute(struct call *c,
	const struct rds_modify_db_cluster_snapshot_attribute_input *in,
	struct rds_modify_db_cluster_snapshot_attribute_output *out)
{
	struct rds_rec_snapshot r;
	TRY(own(c, in->db_cluster_snapshot_identifier, &r));
	if (!str_is(in->attribute_name, "restore"))
		return RDS_FAIL(
			c, INVALID_PARAMETER_VALUE, "Invalid attribute name: %.*s", STR_ARG(in->attribute_name));
	if (str_is(r.snapshot_type, "automated"))
		return RDS_FAIL(c, INVALID_DB_CLUSTER_SNAPSHOT_STATE_FAULT,
			"Automated snapshots can't be shared: copy them first.");
	TRY(rds_snapshot_share(c, &r, &in->values_to_add, &in->values_to_remove));
	rds_put(rds_here(c), &rds_kind_cluster_snapshot, r.db_snapshot_identifier, &r);
	out->db_cluster_snapshot_attributes_result = attributes_of(c, &r);
	return OK;
}

/* ── restores ── */

static struct rds_rec_origin *origin(struct call *c, const char *kind, struct str folder)
{
	struct rds_rec_origin *o = arena_new(c->arena, struct rds_rec_origin);
	o->kind = str_c(kind), o->folder = folder;
	return o;
}

#define REFUSE_UNBUILT(c, in)                                                                                          \
	((in)->backtrack_window.v > 0 || (in)->scaling_configuration || (in)->serverless_v2_scaling_configuration ||   \
				str_has((in)->domain) || (in)->enable_performance_insights.v ||                        \
				(in)->monitoring_interval.v > 0 ||                                                     \
				(str_has((in)->engine_mode) && !str_is((in)->engine_mode, "provisioned"))              \
			? call_fail((c), ERR_NOT_IMPLEMENTED,                                                          \
				  "This parameter asks for a feature of clusters that is not implemented ("            \
				  "backtracking, serverless, a directory "                                             \
				  "domain, monitoring).")                                                              \
			: OK)

status rds_restore_db_cluster_from_snapshot(struct call *c, const struct rds_restore_db_cluster_from_snapshot_input *in,
	struct rds_restore_db_cluster_from_snapshot_output *out)
{
	struct rds_rec_snapshot s;
	TRY(REFUSE_UNBUILT(c, in));
	TRY(rds_cluster_engine_check(c, in->engine));
	TRY(find(c, in->snapshot_identifier, &s));
	TRY(must_be_available(c, &s));
	if (!str_eq(in->engine, s.engine))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "The snapshot is of engine %.*s.", STR_ARG(s.engine));
	bool aurora = str_starts(s.engine, STR("aurora"));
	struct rds_rec_instance r = {.db_instance_identifier = in->db_cluster_identifier,
		.db_instance_class = aurora ? in->db_cluster_instance_class
					    : str_or(in->db_cluster_instance_class, s.db_instance_class),
		.engine = s.engine,
		.engine_version = in->engine_version,
		.master_username = s.master_username,
		.db_name = s.db_name,
		.allocated_storage = aurora ? (struct opt_i32){0} : s.allocated_storage,
		.preferred_backup_window = str_or(in->preferred_backup_window, s.preferred_backup_window),
		.backup_retention_period =
			in->backup_retention_period.has ? in->backup_retention_period : s.backup_retention_period,
		.parameter_group = in->db_cluster_parameter_group_name,
		.storage_type = str_or(in->storage_type, s.storage_type),
		.iops = in->iops.has ? in->iops : s.iops,
		.copy_tags_to_snapshot = in->copy_tags_to_snapshot,
		.deletion_protection = in->deletion_protection,
		.iam_database_authentication_enabled = in->enable_iam_database_authentication.has
							       ? in->enable_iam_database_authentication
							       : s.iam_database_authentication_enabled,
		.exports = {in->enable_cloudwatch_logs_exports.v, in->enable_cloudwatch_logs_exports.n},
		.port = in->port.has ? in->port : s.port,
		.origin = str_has(s.folder) ? origin(c, "snapshot", s.folder) : NULL};
	if (r.origin) rds_crypt_from(r.origin, &s);
	struct rds_make m = {.subnet_group = in->db_subnet_group_name,
		.groups = in->vpc_security_group_ids.v,
		.n_groups = in->vpc_security_group_ids.n,
		.public = in->publicly_accessible,
		.tags = in->tags.v,
		.n_tags = in->tags.n,
		.kms_key = in->kms_key_id.n ? in->kms_key_id : s.kms_key_id};
	TRY(rds_exports_check(c, r.engine, r.exports.v, r.exports.n));
	TRY(rds_cluster_make(c, &r, &m));
	out->db_cluster = rds_cluster_answer(c, &r);
	return OK;
}

status rds_restore_db_cluster_to_point_in_time(struct call *c,
	const struct rds_restore_db_cluster_to_point_in_time_input *in,
	struct rds_restore_db_cluster_to_point_in_time_output *out)
{
	struct rds_rec_instance from;
	struct rds_rec_snapshot base;
	TRY(REFUSE_UNBUILT(c, in));
	if (str_has(in->source_db_cluster_resource_id))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Restores by a resource id are not implemented.");
	/* A clone is a restore to now here: the same data, copied at once and not when they are written. */
	bool clone = str_is(in->restore_type, "copy-on-write");
	if (str_has(in->restore_type) && !clone && !str_is(in->restore_type, "full-copy"))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Invalid restore type: %.*s", STR_ARG(in->restore_type));
	if (clone && in->restore_to_time.has)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "A clone is of the latest restorable time.");
	if (in->restore_to_time.has == in->use_latest_restorable_time.v)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"One of RestoreToTime and UseLatestRestorableTime has to be given, and not both.");
	TRY(rds_cluster_find(c, in->source_db_cluster_identifier, &from));
	TRY(rds_cluster_must_be(c, &from, "available"));
	if (in->kms_key_id.n && !str_has(from.kms_key_id))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"KmsKeyId can't be specified: the source DB cluster is not encrypted.");
	int64_t moment = in->restore_to_time.has ? in->restore_to_time.ms : c->now_ms;
	TRY(rds_restore_base(c, &from, moment, &base));
	if (!from.restorable_from.has || moment > c->now_ms || moment < from.restorable_from.ms ||
		!str_has(base.db_snapshot_identifier))
		return RDS_FAIL(c, INVALID_RESTORE_FAULT,
			"The specified cluster cannot be restored to a time earlier than %.*s or later than %.*s",
			STR_ARG(from.restorable_from.has ? time_iso8601(c->arena, from.restorable_from.ms, false)
							 : STR("its first backup")),
			STR_ARG(time_iso8601(c->arena, c->now_ms, false)));
	bool aurora = rds_is_aurora(&from);
	struct rds_rec_instance r = {.db_instance_identifier = in->db_cluster_identifier,
		.db_instance_class = aurora ? in->db_cluster_instance_class
					    : str_or(in->db_cluster_instance_class, from.db_instance_class),
		.engine = from.engine,
		.master_username = from.master_username,
		.db_name = from.db_name,
		.allocated_storage = from.allocated_storage,
		.preferred_backup_window = str_or(in->preferred_backup_window, from.preferred_backup_window),
		.backup_retention_period =
			in->backup_retention_period.has ? in->backup_retention_period : from.backup_retention_period,
		.parameter_group = str_or(in->db_cluster_parameter_group_name, from.parameter_group),
		.storage_type = str_or(in->storage_type, from.storage_type),
		.iops = in->iops.has ? in->iops : from.iops,
		.copy_tags_to_snapshot = in->copy_tags_to_snapshot,
		.deletion_protection = in->deletion_protection,
		.iam_database_authentication_enabled = in->enable_iam_database_authentication.has
							       ? in->enable_iam_database_authentication
							       : from.iam_database_authentication_enabled,
		.exports = {in->enable_cloudwatch_logs_exports.v, in->enable_cloudwatch_logs_exports.n},
		.port = in->port.has ? in->port : from.port};
	if (str_has(base.folder)) {
		r.origin = origin(c, "time", base.folder);
		r.origin->log_folder = rds_folder(c->arena, &from);
		r.origin->source = from.dbi_resource_id;
		rds_crypt_from(r.origin, &base);
		if (in->restore_to_time.has) r.origin->until = SOME_TIME(rds_machine_time(&from, moment));
	}
	struct rds_make m = {.subnet_group = str_or(in->db_subnet_group_name, from.subnet_group),
		.groups = in->vpc_security_group_ids.v,
		.n_groups = in->vpc_security_group_ids.n,
		.public = in->publicly_accessible,
		.tags = in->tags.v,
		.n_tags = in->tags.n,
		.kms_key = in->kms_key_id.n ? in->kms_key_id : from.kms_key_id};
	TRY(rds_exports_check(c, r.engine, r.exports.v, r.exports.n));
	TRY(rds_cluster_make(c, &r, &m));
	out->db_cluster = rds_cluster_answer(c, &r);
	return OK;
}
