/* Amazon RDS: what it does, operation by operation. The engines are PostgreSQL and MariaDB: driver.h. */
#include "base/log.h"
#include "services/ec2/network_door.h"
#include "services/rds/auth.h"
#include "services/rds/cluster.h"
#include "services/rds/crypt.h"
#include "services/rds/proxy.h"
#include <dirent.h>
#include <unistd.h>

static const struct service_op operations[RDS_OP_COUNT] = {
	[RDS_OP_ADD_TAGS_TO_RESOURCE] = OP(rds_add_tags_to_resource, 0),
	[RDS_OP_COPY_DB_PARAMETER_GROUP] = OP(rds_copy_db_parameter_group, 0),
	[RDS_OP_COPY_DB_SNAPSHOT] = OP(rds_copy_db_snapshot, 0),
	[RDS_OP_CREATE_DB_INSTANCE] = OP(rds_create_db_instance, 0),
	[RDS_OP_CREATE_DB_PARAMETER_GROUP] = OP(rds_create_db_parameter_group, 0),
	[RDS_OP_CREATE_DB_SNAPSHOT] = OP(rds_create_db_snapshot, 0),
	[RDS_OP_CREATE_DB_SUBNET_GROUP] = OP(rds_create_db_subnet_group, 0),
	[RDS_OP_CREATE_OPTION_GROUP] = OP(rds_create_option_group, 0),
	[RDS_OP_DELETE_DB_INSTANCE] = OP(rds_delete_db_instance, 0),
	[RDS_OP_DELETE_DB_PARAMETER_GROUP] = OP(rds_delete_db_parameter_group, 0),
	[RDS_OP_DELETE_DB_SNAPSHOT] = OP(rds_delete_db_snapshot, 0),
	[RDS_OP_DELETE_DB_SUBNET_GROUP] = OP(rds_delete_db_subnet_group, 0),
	[RDS_OP_DELETE_OPTION_GROUP] = OP(rds_delete_option_group, 0),
	[RDS_OP_DESCRIBE_DB_ENGINE_VERSIONS] = OP(rds_describe_db_engine_versions, OP_READ),
	[RDS_OP_DESCRIBE_DB_INSTANCES] = OP(rds_describe_db_instances, OP_READ),
	[RDS_OP_DESCRIBE_DB_LOG_FILES] = OP(rds_describe_db_log_files, OP_READ | OP_BLOCKING),
	[RDS_OP_DESCRIBE_DB_PARAMETERS] = OP(rds_describe_db_parameters, OP_READ),
	[RDS_OP_DESCRIBE_DB_PARAMETER_GROUPS] = OP(rds_describe_db_parameter_groups, OP_READ),
	[RDS_OP_DESCRIBE_DB_SNAPSHOTS] = OP(rds_describe_db_snapshots, OP_READ),
	[RDS_OP_DESCRIBE_DB_SNAPSHOT_ATTRIBUTES] = OP(rds_describe_db_snapshot_attributes, OP_READ),
	[RDS_OP_DESCRIBE_DB_SUBNET_GROUPS] = OP(rds_describe_db_subnet_groups, OP_READ),
	[RDS_OP_DESCRIBE_ENGINE_DEFAULT_PARAMETERS] = OP(rds_describe_engine_default_parameters, OP_READ),
	[RDS_OP_DESCRIBE_EVENTS] = OP(rds_describe_events, OP_READ),
	[RDS_OP_DESCRIBE_OPTION_GROUPS] = OP(rds_describe_option_groups, OP_READ),
	[RDS_OP_DESCRIBE_ORDERABLE_DB_INSTANCE_OPTIONS] = OP(rds_describe_orderable_db_instance_options, OP_READ),
	[RDS_OP_DOWNLOAD_DB_LOG_FILE_PORTION] = OP(rds_download_db_log_file_portion, OP_READ | OP_BLOCKING),
	[RDS_OP_LIST_TAGS_FOR_RESOURCE] = OP(rds_list_tags_for_resource, OP_READ),
	[RDS_OP_MODIFY_DB_INSTANCE] = OP(rds_modify_db_instance, 0),
	[RDS_OP_MODIFY_DB_PARAMETER_GROUP] = OP(rds_modify_db_parameter_group, 0),
	[RDS_OP_MODIFY_DB_SNAPSHOT_ATTRIBUTE] = OP(rds_modify_db_snapshot_attribute, 0),
	[RDS_OP_MODIFY_DB_SUBNET_GROUP] = OP(rds_modify_db_subnet_group, 0),
	[RDS_OP_REBOOT_DB_INSTANCE] = OP(rds_reboot_db_instance, 0),
	[RDS_OP_REMOVE_TAGS_FROM_RESOURCE] = OP(rds_remove_tags_from_resource, 0),
	[RDS_OP_RESET_DB_PARAMETER_GROUP] = OP(rds_reset_db_parameter_group, 0),
	[RDS_OP_CREATE_DB_INSTANCE_READ_REPLICA] = OP(rds_create_db_instance_read_replica, 0),
	[RDS_OP_DESCRIBE_ACCOUNT_ATTRIBUTES] = OP(rds_describe_account_attributes, OP_READ),
	[RDS_OP_DESCRIBE_EVENT_CATEGORIES] = OP(rds_describe_event_categories, OP_READ),
	[RDS_OP_DESCRIBE_CERTIFICATES] = OP(rds_describe_certificates, OP_READ | OP_BLOCKING),
	[RDS_OP_DESCRIBE_DB_INSTANCE_AUTOMATED_BACKUPS] = OP(rds_describe_db_instance_automated_backups, OP_READ),
	[RDS_OP_PROMOTE_READ_REPLICA] = OP(rds_promote_read_replica, 0),
	[RDS_OP_RESTORE_DB_INSTANCE_FROM_DB_SNAPSHOT] = OP(rds_restore_db_instance_from_db_snapshot, 0),
	[RDS_OP_RESTORE_DB_INSTANCE_TO_POINT_IN_TIME] = OP(rds_restore_db_instance_to_point_in_time, 0),
	[RDS_OP_START_DB_INSTANCE] = OP(rds_start_db_instance, 0),
	[RDS_OP_ADD_SOURCE_IDENTIFIER_TO_SUBSCRIPTION] = OP(rds_add_source_identifier_to_subscription, 0),
	[RDS_OP_CREATE_EVENT_SUBSCRIPTION] = OP(rds_create_event_subscription, 0),
	[RDS_OP_DELETE_EVENT_SUBSCRIPTION] = OP(rds_delete_event_subscription, 0),
	[RDS_OP_DESCRIBE_EVENT_SUBSCRIPTIONS] = OP(rds_describe_event_subscriptions, OP_READ),
	[RDS_OP_MODIFY_EVENT_SUBSCRIPTION] = OP(rds_modify_event_subscription, 0),
	[RDS_OP_REMOVE_SOURCE_IDENTIFIER_FROM_SUBSCRIPTION] = OP(rds_remove_source_identifier_from_subscription, 0),
	[RDS_OP_CREATE_DB_PROXY] = OP(rds_create_db_proxy, 0),
	[RDS_OP_MODIFY_DB_PROXY] = OP(rds_modify_db_proxy, 0),
	[RDS_OP_DELETE_DB_PROXY] = OP(rds_delete_db_proxy, 0),
	[RDS_OP_DESCRIBE_DB_PROXIES] = OP(rds_describe_db_proxies, OP_READ),
	[RDS_OP_DESCRIBE_DB_PROXY_TARGET_GROUPS] = OP(rds_describe_db_proxy_target_groups, OP_READ),
	[RDS_OP_MODIFY_DB_PROXY_TARGET_GROUP] = OP(rds_modify_db_proxy_target_group, 0),
	[RDS_OP_DESCRIBE_DB_PROXY_TARGETS] = OP(rds_describe_db_proxy_targets, OP_READ),
	[RDS_OP_REGISTER_DB_PROXY_TARGETS] = OP(rds_register_db_proxy_targets, 0),
	[RDS_OP_DEREGISTER_DB_PROXY_TARGETS] = OP(rds_deregister_db_proxy_targets, 0),
	[RDS_OP_DESCRIBE_PENDING_MAINTENANCE_ACTIONS] = OP(rds_describe_pending_maintenance_actions, OP_READ),
	[RDS_OP_STOP_DB_INSTANCE] = OP(rds_stop_db_instance, 0),
	[RDS_OP_COPY_DB_CLUSTER_PARAMETER_GROUP] = OP(rds_copy_db_cluster_parameter_group, 0),
	[RDS_OP_COPY_DB_CLUSTER_SNAPSHOT] = OP(rds_copy_db_cluster_snapshot, 0),
	[RDS_OP_CREATE_DB_CLUSTER] = OP(rds_create_db_cluster, 0),
	[RDS_OP_CREATE_DB_CLUSTER_ENDPOINT] = OP(rds_create_db_cluster_endpoint, 0),
	[RDS_OP_CREATE_DB_CLUSTER_PARAMETER_GROUP] = OP(rds_create_db_cluster_parameter_group, 0),
	[RDS_OP_CREATE_DB_CLUSTER_SNAPSHOT] = OP(rds_create_db_cluster_snapshot, 0),
	[RDS_OP_DELETE_DB_CLUSTER] = OP(rds_delete_db_cluster, 0),
	[RDS_OP_DELETE_DB_CLUSTER_ENDPOINT] = OP(rds_delete_db_cluster_endpoint, 0),
	[RDS_OP_DELETE_DB_CLUSTER_PARAMETER_GROUP] = OP(rds_delete_db_cluster_parameter_group, 0),
	[RDS_OP_DELETE_DB_CLUSTER_SNAPSHOT] = OP(rds_delete_db_cluster_snapshot, 0),
	[RDS_OP_DESCRIBE_DB_CLUSTERS] = OP(rds_describe_db_clusters, OP_READ),
	[RDS_OP_DESCRIBE_DB_CLUSTER_AUTOMATED_BACKUPS] = OP(rds_describe_db_cluster_automated_backups, OP_READ),
	[RDS_OP_DESCRIBE_DB_MAJOR_ENGINE_VERSIONS] = OP(rds_describe_db_major_engine_versions, OP_READ),
	[RDS_OP_DESCRIBE_DB_CLUSTER_ENDPOINTS] = OP(rds_describe_db_cluster_endpoints, OP_READ),
	[RDS_OP_DESCRIBE_DB_CLUSTER_PARAMETERS] = OP(rds_describe_db_cluster_parameters, OP_READ),
	[RDS_OP_DESCRIBE_DB_CLUSTER_PARAMETER_GROUPS] = OP(rds_describe_db_cluster_parameter_groups, OP_READ),
	[RDS_OP_DESCRIBE_DB_CLUSTER_SNAPSHOTS] = OP(rds_describe_db_cluster_snapshots, OP_READ),
	[RDS_OP_DESCRIBE_DB_CLUSTER_SNAPSHOT_ATTRIBUTES] = OP(rds_describe_db_cluster_snapshot_attributes, OP_READ),
	[RDS_OP_DESCRIBE_ENGINE_DEFAULT_CLUSTER_PARAMETERS] =
		OP(rds_describe_engine_default_cluster_parameters, OP_READ),
	[RDS_OP_FAILOVER_DB_CLUSTER] = OP(rds_failover_db_cluster, 0),
	[RDS_OP_MODIFY_DB_CLUSTER] = OP(rds_modify_db_cluster, 0),
	[RDS_OP_MODIFY_DB_CLUSTER_ENDPOINT] = OP(rds_modify_db_cluster_endpoint, 0),
	[RDS_OP_MODIFY_DB_CLUSTER_PARAMETER_GROUP] = OP(rds_modify_db_cluster_parameter_group, 0),
	[RDS_OP_MODIFY_DB_CLUSTER_SNAPSHOT_ATTRIBUTE] = OP(rds_modify_db_cluster_snapshot_attribute, 0),
	[RDS_OP_REBOOT_DB_CLUSTER] = OP(rds_reboot_db_cluster, 0),
	[RDS_OP_RESET_DB_CLUSTER_PARAMETER_GROUP] = OP(rds_reset_db_cluster_parameter_group, 0),
	[RDS_OP_RESTORE_DB_CLUSTER_FROM_SNAPSHOT] = OP(rds_restore_db_cluster_from_snapshot, 0),
	[RDS_OP_RESTORE_DB_CLUSTER_TO_POINT_IN_TIME] = OP(rds_restore_db_cluster_to_point_in_time, 0),
	[RDS_OP_START_DB_CLUSTER] = OP(rds_start_db_cluster, 0),
	[RDS_OP_STOP_DB_CLUSTER] = OP(rds_stop_db_cluster, 0),
};

/* Instances and clusters: what is theirs alike. */
static const struct rds_kind *const kinds[] = {&rds_kind_instance, &rds_kind_cluster};
enum { N_KINDS = sizeof(kinds) / sizeof(*kinds) };

/* A zone fails or comes back: who has a node there looks at it. */
static void on_zone(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	const struct ec2_zone_event *z = e->detail;
	struct arena a;
	(void)ctx, (void)phase;
	arena_init(&a);
	for (size_t n = 0; n < N_KINDS; n++) {
		struct rds_each i = rds_each_anywhere(tx, &a, kinds[n]);
		while (rds_next(&i)) {
			const struct rds_rec_instance *r = i.record;
			for (size_t k = 0; k < r->nodes.n; k++)
				if (str_eq(r->nodes.v[k].zone, z->zone)) rds_mark(i.at, r->dbi_resource_id, 0);
		}
		status s = rds_each_end(&i);
		if (!is_ok(s)) log_error("rds", "zone", "status=%s", status_name(s));
	}
	arena_cleanup(&a);
}

static status start(struct cloud *cloud, void **state)
{
	struct rds *s;
	TRY(rds_start(cloud, &s));
	*state = s;
	jobs_register(cloud->jobs, RDS_JOB, rds_instance_job, cloud);
	jobs_register(cloud->jobs, RDS_JOB_CLUSTER, rds_cluster_job, cloud);
	jobs_register(cloud->jobs, RDS_JOB_SNAPSHOT, rds_snapshot_job, cloud);
	jobs_register(cloud->jobs, RDS_JOB_PROXY, rds_proxy_job, cloud);
	jobs_register(cloud->jobs, RDS_JOB_NOTICE, rds_notice_job, cloud);
	jobs_register(cloud->jobs, RDS_JOB_FOLDER, rds_folder_job, cloud);
	jobs_register(cloud->jobs, RDS_JOB_SPARE, rds_spare_job, cloud);
	bus_subscribe(cloud->bus, BUS_COMMITTING, "ec2.zone", on_zone, cloud);
	return OK;
}

/* What was there when virga ended is looked at: servers that live on are adopted, others start again. */
static void ready(struct cloud *cloud, void *state)
{
	struct arena a;
	store_ticket ticket;
	status s;
	(void)state;
	arena_init(&a);
	do {
		struct store_tx *tx = store_begin(cloud->store, &a, false);
		s = OK;
		for (size_t n = 0; n < N_KINDS && is_ok(s); n++) {
			struct rds_each i = rds_each_anywhere(tx, &a, kinds[n]);
			while (rds_next(&i))
				rds_mark(i.at, ((const struct rds_rec_instance *)i.record)->dbi_resource_id, 0);
			s = rds_each_end(&i);
		}
		struct rds_each p = rds_each_proxy(tx, &a);
		while (is_ok(s) && rds_next(&p))
			rds_proxy_mark(p.at, ((const struct rds_rec_proxy *)p.record)->db_proxy_name);
		status end = rds_each_end(&p);
		if (is_ok(s)) s = end;
		if (is_ok(s) && store_has_writes(tx)) s = store_commit(tx, &ticket);
		store_end(tx);
	} while (status_is(s, STATUS_CONFLICT));
	if (!is_ok(s)) log_error("rds", "ready", "status=%s", status_name(s));
	arena_cleanup(&a);
	jobs_poke(cloud->jobs);
}

static void stop(void *state)
{
	rds_stop(state);
}

/* The servers have gone with the host's places; their folders go with the records. */
static void silence(struct cloud *cloud, void *state, struct arena *a, const struct rds_rec_instance *r)
{
	struct str ids[] = {r->dbi_resource_id, str_cat(a, r->dbi_resource_id, STR(RDS_READERS))};
	for (size_t i = 0; i < 2; i++) {
		rds_watch(state, ids[i], STR_NONE, NULL, 0);
		rds_forward(state, ids[i], STR_NONE, 0, STR_NONE);
	}
	rds_auth_open(rds_auth_of(cloud), r->dbi_resource_id, STR_NONE);
	for (size_t k = 0; rds_real(cloud) && k < r->nodes.n; k++) {
		status s = rds_node_stop(cloud, a, r, r->nodes.v[k].letter, true);
		if (!is_ok(s)) log_warn("rds", "reset", "status=%s", status_name(s));
	}
}

static void remove_one(struct cloud *cloud, struct arena *a, struct str folder)
{
	bool sealed = access(rds_path(cloud, a, str_cat(a, folder, STR(".sealed")), ""), F_OK) == 0;
	rds_remove_folder(cloud, a, sealed ? rds_sealed_folder(a, folder) : folder);
}

static status reset(struct cloud *cloud, void *state, bool gone)
{
	struct arena a;
	arena_init(&a);
	if (!gone) {
		struct store_tx *tx = store_begin(cloud->store, &a, true);
		status s = OK;
		for (size_t n = 0; n < N_KINDS && is_ok(s); n++) {
			struct rds_each i = rds_each_anywhere(tx, &a, kinds[n]);
			while (rds_next(&i)) silence(cloud, state, &a, i.record);
			s = rds_each_end(&i);
		}
		if (is_ok(s)) s = rds_proxies_stop(cloud, tx, &a);
		store_end(tx);
		arena_cleanup(&a);
		return s;
	}
	DIR *d = rds_real(cloud) ? opendir(rds_path(cloud, &a, STR("rds"), "")) : NULL;
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.' && strncmp(e->d_name, "template", 8) != 0 && strcmp(e->d_name, "spares") != 0 &&
			!strchr(e->d_name, '.'))
			remove_one(cloud, &a, str_fmt(&a, "rds/%s", e->d_name));
	if (d) closedir(d);
	arena_cleanup(&a);
	return OK;
}

/* An account's first call in a region finds a default VPC there. */
static status before(struct call *c, const void *in)
{
	(void)in;
	return ec2_furnish(c);
}

extern const struct service service_rds;
const struct service service_rds = {.model = &wire_service_rds,
	.ops = operations,
	.start = start,
	.ready = ready,
	.stop = stop,
	.before = before,
	.reset = reset};
