/* What the files of RDS share. "The reference" is the Amazon RDS API Reference, "the guide" the Amazon RDS User Guide.
 *
 * A resource is a record of state.model at (rds, KIND, ACCOUNT, REGION, NAME), its name in lower case. Behind an
 * instance runs a real server in one or two nodes (node.h), brought about by a level-triggered job (controller.c). */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "rds.h"
#include "rds_state.h"
#include "services/ec2/network.h"
#include "store/key.h"

struct rds; /* watch.h: what runs for RDS; one to an installation */

/* Where records are read and written. */
struct rds_place {
	struct store_tx *tx;
	struct arena *a;
	struct str account, region;
};
static inline struct rds_place rds_here(const struct call *c)
{
	return (struct rds_place){c->tx, c->arena, c->account, c->region};
}

/* "Quotas in Amazon RDS", the guide: an account's in a region. */
enum {
	RDS_INSTANCES_MAX = 40,
	RDS_PARAMETER_GROUPS_MAX = 50,
	RDS_SUBNET_GROUPS_MAX = 50,
	RDS_OPTION_GROUPS_MAX = 20,
	RDS_SNAPSHOTS_MAX = 100,
};

/* ── records.c ── */
struct rds_kind {
	const char *name; /* of keys and ARNs */
	uint16_t record;  /* RDS_REC_… */
};
extern const struct rds_kind rds_kind_instance, rds_kind_subnet_group, rds_kind_parameter_group, rds_kind_option_group,
	rds_kind_snapshot, rds_kind_event, rds_kind_cluster, rds_kind_cluster_snapshot,
	rds_kind_cluster_parameter_group, rds_kind_cluster_endpoint;
/* Of an instance or a cluster, and of its snapshots, by its resource id. */
bool rds_is_cluster(struct str resource_id);
const struct rds_kind *rds_kind_of(struct str resource_id);
const struct rds_kind *rds_snapshot_kind_of(struct str resource_id);
/* *record is zeroed first. NOT_FOUND. */
status rds_load(struct rds_place at, const struct rds_kind *k, struct str name, void *record) MUST_USE;
void rds_put(struct rds_place at, const struct rds_kind *k, struct str name, const void *record);
void rds_drop(struct rds_place at, const struct rds_kind *k, struct str name);
/* for (struct rds_each e = rds_each(at, k); rds_next(&e);) … e.record … ; then TRY(rds_each_end(&e)). */
struct rds_each {
	struct rds_place at;
	const struct rds_kind *kind;
	struct str name;
	void *record;
	struct store_scan *scan;
	status failed;
};
struct rds_each rds_each(struct rds_place at, const struct rds_kind *k);
bool rds_next(struct rds_each *e);
status rds_each_end(struct rds_each *e) MUST_USE;
/* Of all accounts and regions: at is the owner's. */
struct rds_each rds_each_anywhere(struct store_tx *tx, struct arena *a, const struct rds_kind *k);
/* Instances. */
struct rds_each rds_each_instance(struct store_tx *tx, struct arena *a);
struct str rds_arn(const struct call *c, const struct rds_kind *k, struct str name);
/* Saves the instance under its name, and whose it is under its resource id. */
void rds_instance_put(struct rds_place at, const struct rds_rec_instance *r);
status rds_owner(struct store_tx *tx, struct arena *a, struct str resource_id, struct rds_rec_owner *out) MUST_USE;
void rds_owner_drop(struct rds_place at, struct str resource_id);
/* With the client's error where it is not there. */
status rds_instance_find(struct call *c, struct str name, struct rds_rec_instance *out) MUST_USE;
/* Names as the reference constrains them: letters, digits, hyphens, the first a letter, no hyphen at the end and no two
 * in a row. what: the parameter, for the message. */
status rds_name_check(struct call *c, struct str name, const char *what, size_t max) MUST_USE;
#define RDS_FAIL(c, id, ...) call_fail((c), RDS_ERR_##id, __VA_ARGS__)
/* A shape's members from a record's of the same names, and the other way round. */
void rds_show(struct arena *a, uint16_t record, const void *from, uint16_t shape, void *to);

/* ── page.c ── */
/* Cuts a list that was filled whole into a page by MaxRecords (20 to 100) and Marker. */
status rds_page(struct call *c, void *list, size_t element_size, struct opt_i32 max, struct str marker,
	struct str *next) MUST_USE;
/* Refuses a filter that is not among names (NULL-ended). */
status rds_filters_check(struct call *c, const struct rds_filter_list *filters, const char *const *names) MUST_USE;
/* True where no filter of that name is there, or one of its values is `value`. */
bool rds_filter_passes(const struct rds_filter_list *filters, const char *name, struct str value);

/* ── tags.c ── */
status rds_tags_set(struct call *c, struct rds_rec_pairs *to, const struct rds_tag *tags, size_t n) MUST_USE;
struct rds_tag_list rds_tags_out(struct arena *a, const struct rds_rec_pairs *from);

/* ── subnet_group.c ── */
/* The group by its name; absent name: the default one, made for the default VPC when it is first asked for. */
status rds_subnet_group_for(struct call *c, struct str name, struct rds_rec_subnet_group *out) MUST_USE;
status rds_subnet_group_show(
	struct call *c, const struct rds_rec_subnet_group *r, struct rds_db_subnet_group *out) MUST_USE;

/* ── parameter_group.c ── */
/* The group by its name. Defaults ("default.postgres15") are always there. */
status rds_parameter_group_load(struct rds_place at, struct str name, struct rds_rec_parameter_group *out) MUST_USE;
status rds_parameter_group_check(struct call *c, struct str name, struct str family) MUST_USE;
status rds_option_group_check(struct call *c, struct str name, struct str engine) MUST_USE;

/* ── engine_version.c ── */
struct rds_engine {
	const char *engine, *version, *major, *family, *description;
	int oldest; /* the minor version that is taken at least */
	int port;
	const char *license, *option_group;
	const char *logs[4]; /* what can go to CloudWatch Logs; NULL-ended where fewer */
	bool iam;            /* authentication by tokens */
};
const struct rds_engine *rds_engine_first(void);
const struct rds_engine *rds_engine_next(const struct rds_engine *e); /* NULL: there are no more */
/* NULL where virga has no such engine. The version may be a major one; absent: the newest. */
const struct rds_engine *rds_engine_find(struct str engine, struct str version);
struct rds_class {
	unsigned vcpus, memory_mib;
};
bool rds_class_find(struct str name, struct rds_class *out);
status rds_class_check(struct call *c, struct str name) MUST_USE;

/* ── event.c ── */
void rds_event(struct rds_place at, int64_t now_ms, const struct rds_rec_event *e);
/* Of an instance: category ("availability") and text. */
void rds_instance_event(
	struct rds_place at, int64_t now_ms, const struct rds_rec_instance *r, const char *category, const char *text);

/* ── account.c ── NULL where this RDS tells of no such source; whether the source (STR_NONE: any) has that category. */
const char *rds_event_source(struct str type);
bool rds_event_category(struct str type, struct str category);

/* ── subscription.c ── */
extern const struct rds_kind rds_kind_subscription;
/* Who has subscribed to it hears of the event, by jobs of this transaction. */
void rds_event_tell(struct rds_place at, struct str event_name, const struct rds_rec_event *e);
#define RDS_JOB_NOTICE "rds.notice"
status rds_notice_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);

/* ── instance.c ── */
status rds_instance_show(struct call *c, const struct rds_rec_instance *r, struct rds_db_instance *out) MUST_USE;
struct rds_rec_node *rds_node(const struct rds_rec_instance *r, struct str letter);
status rds_instance_must_be(struct call *c, const struct rds_rec_instance *r, const char *state) MUST_USE;
/* The answer's instance. */
struct rds_db_instance *rds_instance_answer(struct call *c, const struct rds_rec_instance *r);

/* ── create.c ── of instances and clusters: the master user's name and password, a database's name. */
status rds_master_check(struct call *c, struct str engine, struct str name) MUST_USE;
status rds_master_password(struct call *c, struct rds_rec_instance *r, bool cluster, struct str password, bool managed,
	struct str managed_key) MUST_USE;
/* A key is for storage that is encrypted. */
status rds_key_check(struct call *c, struct opt_bool encrypted, struct str kms_key) MUST_USE;
status rds_database_check(struct call *c, struct str name) MUST_USE;

/* ── cluster_member.c ── what is asked of an instance that is a member of a DB cluster: see cluster.h. */
status rds_member_create(struct call *c, const struct rds_create_db_instance_input *in,
	struct rds_create_db_instance_output *out) MUST_USE;
status rds_member_modify(struct call *c, const struct rds_modify_db_instance_input *in, struct rds_rec_instance *m,
	struct rds_db_instance **out) MUST_USE;
status rds_member_delete(struct call *c, const struct rds_delete_db_instance_input *in, struct rds_rec_instance *m,
	struct rds_db_instance **out) MUST_USE;
status rds_member_reboot(struct call *c, const struct rds_reboot_db_instance_input *in, struct rds_rec_instance *m,
	struct rds_db_instance **out) MUST_USE;

/* ── make.c ── what CreateDBInstance, the restores and read replicas have in common: `r` holds what the request said
 * (or the source had); names, network, defaults are checked and filled in, interfaces made, and the job scheduled. */
struct rds_make {
	struct str zone, subnet_group;
	const struct str *groups;
	size_t n_groups;
	struct opt_bool public;
	const struct rds_tag *tags;
	size_t n_tags;
	bool encrypted;     /* its storage; also where a key is given */
	struct str kms_key; /* absent or "": RDS's own */
};
status rds_make(struct call *c, struct rds_rec_instance *r, const struct rds_make *m) MUST_USE;
/* Security groups of the instance's VPC. */
status rds_groups_check(struct call *c, struct str vpc, const struct str *groups, size_t n) MUST_USE;
/* With the client's error where another instance has that name, or there are too many. */
status rds_instance_name_free(struct call *c, struct str name) MUST_USE;
/* One more node in a zone of the subnet group where none is yet (zone: STR_NONE for any). */
status rds_node_add(struct call *c, struct rds_rec_instance *r, struct str zone) MUST_USE;
/* With a public address and one of this machine's loopback, or without. */
status rds_public_set(struct call *c, struct rds_rec_instance *r, bool public) MUST_USE;
status rds_storage_check(struct call *c, struct rds_rec_instance *r) MUST_USE;
/* Logs of the engine that can go to CloudWatch Logs. */
status rds_exports_check(struct call *c, struct str engine, const struct str *types, size_t n) MUST_USE;
/* Logs that go there from now on, and no more. k NULL: no change. */
status rds_exports_change(
	struct call *c, const struct rds_cloudwatch_logs_export_configuration *k, struct rds_rec_instance *r) MUST_USE;
status rds_password_check(struct call *c, struct str password) MUST_USE;
/* The endpoint's name, for an identifier. */
struct str rds_endpoint_name(struct arena *a, struct rds_place at, struct str id);

/* ── window.c ── "sun:05:00-sun:06:00", "05:00-05:30", UTC. */
status rds_window_check(struct call *c, struct str maintenance, struct str backup) MUST_USE;
/* The windows of something new: those that were not given are drawn. They do not meet. */
status rds_window_choose(struct call *c, struct str *maintenance, struct str *backup) MUST_USE;
/* False where it is none. */
bool rds_window_length(struct str window, bool weekly, int64_t *minutes);
/* The next beginning after now. */
int64_t rds_window_next(struct str window, int64_t now_ms);

/* ── scram.c ── */
/* What PostgreSQL keeps of a password (RFC 5803), so that the password itself is kept nowhere. */
struct str rds_scram_verifier(struct arena *a, struct str password);
/* driver.h: what that engine keeps. */
struct str rds_verifier(struct arena *a, struct str engine, struct str password);

/* The one authority that signs servers' certificates, by the name of AWS's default. */
#define RDS_CA "rds-ca-rsa2048-g1"

/* ── controller.c ── */
#define RDS_JOB "rds.instance"
#define RDS_JOB_CLUSTER "rds.cluster"
status rds_instance_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);
#define RDS_JOB_SNAPSHOT "rds.snapshot"
/* The job that brings an instance to what it shall be, at due_ms (0: now). */
void rds_mark(struct rds_place at, struct str resource_id, int64_t due_ms);
/* After the commit the jobs are looked at. */
void rds_poke(struct call *c);

/* ── snapshot.c ── of this account, or another's that is shared, by name or ARN. */
status rds_snapshot_find(struct call *c, struct str id, struct rds_rec_snapshot *r) MUST_USE;
/* Of all accounts and regions. */
struct rds_each rds_each_snapshot(struct store_tx *tx, struct arena *a);
struct rds_each rds_each_proxy(struct store_tx *tx, struct arena *a);
/* snapshot_take.c: a snapshot's record as the instance is now, "creating", with its job. */
status rds_snapshot_begin(struct rds_place at, int64_t now_ms, const struct rds_rec_instance *r, struct str name,
	const char *type) MUST_USE;
/* A folder below the data folder goes, by a job, once this is committed. */
#define RDS_JOB_FOLDER "rds.folder"
void rds_folder_drop(struct rds_place at, struct str folder);

/* ── spare.c ── the job that keeps copies of the template ready runs soon. */
#define RDS_JOB_SPARE "rds.spare"
void rds_spares_want(struct store_tx *tx);
status rds_spare_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);
