/* DB clusters: several servers of the same data, of which one writes. "The Aurora guide" is the Amazon Aurora User
 * Guide.
 *
 * A cluster's record is an instance's (state.model) at the kind "cluster": its resource id begins with "cluster-", its
 * nodes (node.h) are the members' servers, `primary` is the writer's letter. A member is a record of an instance too,
 * at the kind "db", with DBClusterIdentifier and without nodes: what is its own (class, parameter group, tags,
 * endpoint) stands there, and the cluster's job, the only one that acts, keeps its status. So everything that is done
 * for the one server of an instance (settings, the master user, backups, restores) is done for a cluster by the same
 * functions.
 *
 * Aurora's members share a volume: no committed row is lost when the writer fails, however far its readers are. Here
 * readers follow by streaming, and the one that takes over first reads what is left of the log in the fallen writer's
 * folder, which lies beside its own and outlives the failure of a server or a zone as Aurora's volume does. The data of
 * a cluster without instances stay in the folder of its last writer.
 *
 * A Multi-AZ DB cluster has three nodes with disks of their own; a commit waits for one of the two others. The furthest
 * of them has all, provided that all that may have confirmed something can be asked (cluster_failover.c). */
#pragma once
#include "services/rds/postgres.h"

enum { RDS_CLUSTERS_MAX = 40, RDS_CLUSTER_READERS_MAX = 15, RDS_CLUSTER_GROUPS_MAX = 50, RDS_CUSTOM_ENDPOINTS_MAX = 5 };

/* ── cluster.c ── */
bool rds_is_aurora(const struct rds_rec_instance *r);
status rds_cluster_find(struct call *c, struct str name, struct rds_rec_instance *out) MUST_USE;
status rds_cluster_show(struct call *c, const struct rds_rec_instance *r, struct rds_db_cluster *out) MUST_USE;
struct rds_db_cluster *rds_cluster_answer(struct call *c, const struct rds_rec_instance *r);
status rds_cluster_must_be(struct call *c, const struct rds_rec_instance *r, const char *state) MUST_USE;
/* Saves it and has its job run. */
void rds_cluster_save(struct call *c, const struct rds_rec_instance *r);
/* What CreateDBCluster and the restores have in common. */
status rds_cluster_make(struct call *c, struct rds_rec_instance *r, const struct rds_make *m) MUST_USE;
/* An engine that there are clusters of. */
status rds_cluster_engine_check(struct call *c, struct str engine) MUST_USE;
void rds_cluster_event(struct rds_work *w, const char *category, const char *text);

/* ── cluster_group.c ── */
status rds_cluster_group_load(struct rds_place at, struct str name, struct rds_rec_parameter_group *out) MUST_USE;
status rds_cluster_group_find(struct call *c, struct str name, struct rds_rec_parameter_group *out) MUST_USE;

/* ── cluster_member.c ── */
struct rds_rec_node *rds_member_node(const struct rds_rec_instance *cluster, struct str member);
/* A new node of the cluster and its instance's record, "creating". */
status rds_member_add(struct call *c, struct rds_rec_instance *cluster, struct rds_rec_instance *member,
	struct str zone, struct opt_bool public) MUST_USE;
/* Its record, at the same place. NOT_FOUND. */
status rds_member_load(struct rds_place at, const struct rds_rec_node *n, struct rds_rec_instance *out) MUST_USE;

/* ── cluster_job.c ── */
/* A member's status is that now. */
status rds_member_tell(struct rds_work *w, const struct rds_rec_node *n, const char *state) MUST_USE;
status rds_cluster_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);

/* ── log_export.c ── its members' logs, as an instance's. */
status rds_cluster_log_export(struct rds_work *w) MUST_USE;
/* ── measure.c ── a member's metrics when they are due, by a session with its server. */
status rds_member_measure(struct rds_work *w, const struct rds_rec_node *n, struct pg *p) MUST_USE;

/* ── cluster_failover.c ── */
/* Whether another node has to take over, and its steps: *moved: something was done, commit and come again. *lost: the
 * writer has ended, and nobody may take over. */
status rds_cluster_failover(struct rds_work *w, bool *moved, bool *lost) MUST_USE;
/* A node has ended, or is about to: its state says that it is not counted on. */
void rds_cluster_lose(const struct rds_rec_instance *r, struct rds_rec_node *n);
/* The writer serves, asked by p: how the others follow. */
status rds_cluster_follow(struct rds_work *w, struct pg *p) MUST_USE;

/* Behind a cluster's resource id: whose the listener of the reader endpoint is (watch.h). */
#define RDS_READERS "-ro"
/* ── cluster_endpoint.c ── the cluster's names in the VPCs' resolvers, and on this machine's loopback. */
status rds_cluster_publish(struct rds_work *w) MUST_USE;
void rds_cluster_unpublish(struct rds_work *w);
/* No more is listened or watched for: of a resource id; of the cluster and its members. */
void rds_watch_nothing(struct rds_work *w, struct str resource_id);
void rds_cluster_unwatch(struct rds_work *w);
status rds_cluster_endpoints_drop(struct rds_work *w) MUST_USE;
struct str rds_cluster_name(struct arena *a, struct rds_place at, struct str id, const char *what);
status rds_custom_endpoints(struct call *c, const struct rds_rec_instance *r, struct rds_string_list *out) MUST_USE;
