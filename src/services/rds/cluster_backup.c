/* What clusters can be restored from: "Retaining automated backups", the Aurora guide. */
#include "services/rds/cluster.h"

status rds_describe_db_cluster_automated_backups(struct call *c,
	const struct rds_describe_db_cluster_automated_backups_input *in,
	struct rds_describe_db_cluster_automated_backups_output *out)
{
	static const char *const names[] = {"status", "db-cluster-id", "db-cluster-resource-id", NULL};
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, names));
	struct rds_each e = rds_each(rds_here(c), &rds_kind_cluster);
	while (rds_next(&e)) {
		const struct rds_rec_instance *r = e.record;
		if (!r->restorable_from.has || !rds_filter_passes(&in->filters, "status", STR("active")) ||
			!rds_filter_passes(&in->filters, "db-cluster-id", r->db_instance_identifier) ||
			!rds_filter_passes(&in->filters, "db-cluster-resource-id", r->dbi_resource_id) ||
			(str_has(in->db_cluster_identifier) &&
				!str_ieq(in->db_cluster_identifier, r->db_instance_identifier)) ||
			(str_has(in->db_cluster_resource_id) &&
				!str_eq(in->db_cluster_resource_id, r->dbi_resource_id)))
			continue;
		struct rds_db_cluster_automated_backup *o =
			VEC_PUSH(c->arena, &out->db_cluster_automated_backups, &capacity);
		rds_show(c->arena, RDS_REC_INSTANCE, r, RDS_SHAPE_DB_CLUSTER_AUTOMATED_BACKUP, o);
		o->db_cluster_identifier = r->db_instance_identifier;
		o->db_cluster_resource_id = r->dbi_resource_id;
		o->db_cluster_arn = rds_arn(c, &rds_kind_cluster, r->db_instance_identifier);
		o->cluster_create_time = r->started;
		o->status = STR("active");
		o->region = c->region;
		o->vpc_id = r->vpc;
		o->port = r->port;
		o->engine_mode = STR("provisioned");
		o->allocated_storage = r->allocated_storage.has ? r->allocated_storage : SOME_I32(1);
		o->storage_encrypted = SOME_BOOL(str_has(r->kms_key_id));
		o->iam_database_authentication_enabled = SOME_BOOL(r->iam_database_authentication_enabled.v);
		o->restore_window = arena_new(c->arena, struct rds_restore_window);
		o->restore_window->earliest_time = r->restorable_from;
		o->restore_window->latest_time = r->latest_restorable_time;
		o->tag_list = rds_tags_out(c->arena, &r->tags);
	}
	TRY(rds_each_end(&e));
	return rds_page(c, &out->db_cluster_automated_backups, sizeof(*out->db_cluster_automated_backups.v),
		in->max_records, in->marker, &out->marker);
}
