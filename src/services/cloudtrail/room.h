/* Inside the room of CloudTrail. Keys:
 *
 *     ("cloudtrail", "inbox", time, random)                       events written with their transaction, until they are
 * filed
 *     ("cloudtrail", "event", account, region, time, event id)    the event history of 90 days
 *     ("cloudtrail", "by", account, region, attribute, value, time, event id)   what LookupEvents finds by
 *     ("cloudtrail", "trail", account, home region, name)         trails; "status" and "digest" beside them
 *     ("cloudtrail", "pending", account, home region, name, account, region, time, random)   events of the next log
 * file
 *     ("cloudtrail", "logs", …)                                   likewise, for the trail's log group
 *     ("cloudtrail", "file", …)                                   log files that the next digest tells of */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "cloudtrail.h"
#include "cloudtrail_state.h"
#include "store/key.h"

#define CT_DAY_MS (24ll * 60 * 60 * 1000)
enum { CT_HISTORY_DAYS = 90, CT_TRAILS_MAX = 5 /* "Quotas in AWS CloudTrail": trails per region */ };

#define CT_FAIL(c, NAME, ...) call_fail((c), CLOUDTRAIL_ERR_##NAME##_EXCEPTION, __VA_ARGS__)

struct ct_recorder;
struct ct_trails;
struct ct_limits;
struct ct_classes;
struct ct {
	struct cloud *cloud;
	struct ct_classes *classes;
	struct ct_recorder *recorder;
	struct ct_trails *trails;
	struct ct_limits *limits;
};
/* NULL where the user left CloudTrail out. */
struct ct *ct_of(const struct cloud *cloud);

/* ── classify.c: what kind of event an operation makes ── */

/* Types of resources whose data events trails select; 0 is no data event. */
enum ct_data {
	CT_MANAGEMENT,
	CT_S3_OBJECT,
	CT_DYNAMODB_TABLE,
	CT_DYNAMODB_STREAM,
	CT_SQS_QUEUE,
	CT_SNS_TOPIC,
	CT_LAMBDA_FUNCTION,
	CT_KINESIS_STREAM,
	CT_CLOUDWATCH_METRIC,
	CT_SSM_MESSAGES,
	CT_EBS_SNAPSHOT,
	CT_XRAY_TRACE,
	CT_COGNITO_POOL,
	CT_DATA_TYPES,
};
struct ct_class {
	uint8_t data; /* enum ct_data */
	bool read_only;
	bool known;
};
struct ct_classes *ct_classes_new(const struct cloud *cloud);
void ct_classes_free(struct ct_classes *c);
/* NULL for operations of services that are not there. */
const struct ct_class *ct_class_of(const struct ct_classes *c, const struct wire_match *m);
struct str ct_data_type(enum ct_data d); /* AWS::S3::Object */
/* The type that a selector names; CT_MANAGEMENT where there is none such. */
enum ct_data ct_data_named(struct str type);
/* s3.amazonaws.com; GetBucketEncryption. */
struct str ct_event_source(struct arena *a, const struct wire_match *m);
struct str ct_event_name(const struct wire_match *m);
/* Services whose events are us-east-1's, whatever region was asked ("Global service events"). */
bool ct_is_global(struct str signing_name);

/* ── identity.c ── */

/* The userIdentity element. foreign: as the resource's owner sees a caller of another account. */
void ct_identity(struct buf *b, struct call *c, bool foreign);
/* The virga-internal caller's service, where no client asked (call/inside.h); else STR_NONE. */
struct str ct_invoker(const struct call *c);
struct str ct_username(struct call *c);
struct str ct_address(const struct call *c);

/* ── elements.c ── requestParameters and responseElements; "null" where there are none. */
void ct_parameters(struct buf *b, struct call *c);
void ct_response(struct buf *b, struct call *c, bool read_only);

/* ── resources.c ── */

/* The resources that the call was about, with their types as AWS names them; and who owns them. */
void ct_resources(struct call *c, struct cloudtrail_rec_resources *out);
/* AWS::IAM::User and its name from an ARN; false where the ARN is none of one resource. */
bool ct_resource_of(struct arena *a, struct str arn, struct cloudtrail_rec_resource *out);

/* ── record.c ── */

enum { CT_EVENTS_PER_CALL = 2 };
/* What the call leaves behind, in c->arena: its account's event, and that of the account whose resource it used. done:
 * it is answered. Returns how many. resources: see ct_resources. */
size_t ct_events(struct call *c, const struct ct_class *k, const struct cloudtrail_rec_resources *resources, bool done,
	struct cloudtrail_rec_event out[CT_EVENTS_PER_CALL]);

/* ── recorder.c ── */

/* Listens to calls from now on. */
struct ct_recorder *ct_recorder_new(struct ct *ct);
/* Files what waits, ends. */
void ct_recorder_free(struct ct_recorder *r);
/* Blocks until all that was answered so far is filed. Not within a transaction that read already. */
void ct_recorder_settle(struct ct_recorder *r);
void ct_recorder_forget(struct ct_recorder *r);

/* ── history.c ── */

void ct_history_put(struct store_tx *tx, struct arena *a, const struct cloudtrail_rec_event *e);
void ct_history_start(struct ct *ct);
struct str ct_history_space(struct arena *a, struct str account, struct str region);
/* attribute: one of LookupAttributeKey. */
struct str ct_history_by(
	struct arena *a, struct str account, struct str region, struct str attribute, struct str value);
struct str ct_history_event(struct arena *a, struct str account, struct str region, int64_t ms, struct str id);

/* ── trails.c ── */

struct ct_trails *ct_trails_new(struct ct *ct);
void ct_trails_free(struct ct_trails *t);
/* Reads all trails anew: after a commit that changed one. */
void ct_trails_reload(void *ct);
/* Does any trail anywhere select data events of this type? Cheap. */
bool ct_trails_want(const struct ct_trails *t, enum ct_data d);
/* Calls fn for each trail that selects the event, of its account or of its organization. */
void ct_trails_select(struct ct_trails *t, const struct cloudtrail_rec_event *e, struct store_tx *tx, struct arena *a,
	void (*fn)(void *ctx, const struct cloudtrail_rec_trail *trail), void *ctx);
/* Is there one, whoever's account it is of? */
bool ct_trails_select_any(
	struct ct_trails *t, enum ct_data d, bool read_only, const struct cloudtrail_rec_resources *r);

struct str ct_trail_key(struct arena *a, const char *kind, struct str account, struct str region, struct str name);
struct str ct_trail_arn(struct arena *a, const struct cloudtrail_rec_trail *t);
/* By name (in this region) or ARN: TrailNotFoundException, CloudTrailARNInvalidException, InvalidTrailNameException. */
status ct_trail_find(struct call *c, struct str reference, struct cloudtrail_rec_trail *out) MUST_USE;
/* The same, and changeable here: InvalidHomeRegionException where it is another region's. */
status ct_trail_find_home(struct call *c, struct str reference, struct cloudtrail_rec_trail *out) MUST_USE;
/* NOT_FOUND. */
status ct_trail_get(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name,
	struct cloudtrail_rec_trail *out) MUST_USE;
/* Stores it; what is recorded follows with the commit. */
void ct_trail_put(struct call *c, const struct cloudtrail_rec_trail *t);
status ct_check_trail_name(struct call *c, struct str name) MUST_USE;
/* The trails that region sees: its own, and (shadows) the multi-region ones of others. */
struct ct_trail_list {
	struct cloudtrail_rec_trail *v;
	size_t n, capacity;
};
status ct_trails_everywhere(struct call *c, struct ct_trail_list *out) MUST_USE;
status ct_trails_of(struct call *c, bool shadows, struct ct_trail_list *out) MUST_USE;

/* ── tags.c ── */
status ct_tags_set(struct call *c, struct cloudtrail_rec_trail *t, const struct cloudtrail_tags_list *tags) MUST_USE;

/* ── selectors.c ── */

/* Does the trail's selection cover it? */
bool ct_selects(const struct cloudtrail_rec_trail *t, const struct cloudtrail_rec_event *e);
/* As far as type, resources and readOnly tell: the event is not made yet. */
bool ct_may_select(const struct cloudtrail_rec_trail *t, const struct cloudtrail_rec_event *e);
bool ct_selects_data(const struct cloudtrail_rec_trail *t, enum ct_data d);

/* ── bucket.c ── */

/* S3BucketDoesNotExistException, InsufficientS3BucketPolicyException, …: can this trail deliver? Its key becomes an
 * ARN. */
status ct_bucket_check(struct call *c, struct cloudtrail_rec_trail *t) MUST_USE;
struct ct_put {
	struct str key, bytes;
	struct str signature; /* of digests, hexadecimal; else STR_NONE */
};
/* Puts one file into the trail's bucket, in c's transaction (a job's). FAILED: c->failure tells why, as
 * LatestDeliveryError. */
status ct_bucket_put(struct call *c, const struct cloudtrail_rec_trail *t, const struct ct_put *p) MUST_USE;
/* PREFIX/AWSLogs/[ORGANIZATION/]ACCOUNT/ */
struct str ct_log_prefix(struct arena *a, const struct cloudtrail_rec_trail *t, struct str account);

/* ── deliver.c ── */

/* Registers the job that delivers each logging trail's events every five minutes, and its digests every hour. */
void ct_deliver_start(struct ct *ct);
void ct_deliver_schedule(struct call *c, const struct cloudtrail_rec_trail *t, bool on);
struct str ct_pending_space(struct arena *a, const struct cloudtrail_rec_trail *t);
status ct_status_get(struct store_tx *tx, struct arena *a, const struct cloudtrail_rec_trail *t,
	struct cloudtrail_rec_status *out) MUST_USE;
/* Where log files and digests of one account and region lie: ("cloudtrail", kind, trail…, account, region). */
struct str ct_stream_key(
	struct arena *a, const char *kind, const struct cloudtrail_rec_trail *t, struct str account, struct str region);

/* ── logs.c ── */
/* What waits for the trail's log group. */
struct str ct_logs_space(struct arena *a, const struct cloudtrail_rec_trail *t);
/* Sends it there, as the trail's role. In transactions of its own; blocks. */
status ct_logs_deliver(struct ct *ct, struct arena *a, struct str account, struct str region, struct str name) MUST_USE;
/* What CreateTrail and UpdateTrail are given. */
status ct_logs_set(struct call *c, struct cloudtrail_rec_trail *t, struct str group, struct str role) MUST_USE;

/* ── digest.c ── */

/* Signs what was delivered since the last digest. last: the chain ends with it. */
status ct_digest(struct call *c, const struct cloudtrail_rec_trail *t, const struct cloudtrail_rec_status *st,
	bool last) MUST_USE;

/* ── sign.c ── */

/* The region's signing key, made on first use; RSASSA-PKCS1-v1_5 with SHA-256 over text, hexadecimal. */
struct ct_signer {
	struct str private_der; /* to be wiped */
	struct str fingerprint;
};
status ct_signer(struct call *c, struct str region, struct ct_signer *out) MUST_USE;
struct str ct_sign(struct arena *a, const struct ct_signer *s, struct str text);
/* ── permit.c ── */
status ct_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context) MUST_USE;
/* ── limits.c ── */
struct ct_limits *ct_limits_new(void);
void ct_limits_free(struct ct_limits *l);
/* One more LookupEvents of this account in this region now? */
bool ct_limits_take(struct ct_limits *l, struct str account, struct str region);
