/* Inside the room of Cloud Control ("What is AWS Cloud Control API?"): resources one by one, over the handlers that
 * CloudFormation's stacks have. A request is a record; a durable job brings it to its end, and goes on after a crash.
 * Keys:
 *
 *     ("cloudcontrol", "request", account, region, token)
 *     ("cloudcontrol", "client", account, region, client token)   the token of the request that it named
 *     ("cloudcontrol", "busy", account, region, type, identifier) the request that works on it
 *     ("cloudcontrol", "begun", account, region, token)           written before a creation is asked for
 *     ("cloudcontrol", "cancel", account, region, token)
 *     ("cloudcontrol", "made", account, region, type, identifier) */
#pragma once
#include "call/call.h"
#include "cloudcontrol.h"
#include "cloudcontrol_state.h"
#include "services/cloudformation/door.h"
#include "store/key.h"

/* "RequestToken … expires after 7 days" (GetResourceRequestStatus). */
#define CLOUDCONTROL_KEPT_MS (7 * 24 * 3600 * 1000ll)
#define CLOUDCONTROL_JOB "cloudcontrol.request"

/* ── records.c ── */
struct str cloudcontrol_key(
	struct arena *a, const char *kind, struct str account, struct str region, struct str x, struct str y);
/* NOT_FOUND. */
status cloudcontrol_request_get(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str token, struct cloudcontrol_rec_request *out) MUST_USE;
void cloudcontrol_request_put(struct store_tx *tx, struct arena *a, const struct cloudcontrol_rec_request *r);
status cloudcontrol_made_get(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str type, struct str identifier, struct cloudcontrol_rec_made *out) MUST_USE;
/* One of the API's HandlerErrorCodes for a service's error code. */
const char *cloudcontrol_error_code(struct str code);

/* ── model.c ── */
/* Of "A|B": by the type's recipe and primary identifier, what CloudFormation calls the physical id. */
struct str cloudcontrol_physical_id(struct arena *a, const struct cfn_type *type, struct str identifier);
/* The primary identifier of a resource with these properties and attributes; the physical id where it has one part. */
struct str cloudcontrol_identifier(struct arena *a, const struct cfn_type *type, const struct json_value *properties,
	const struct json_value *attributes, struct str physical_id);
/* The parts of an identifier, as properties. */
struct json_value *cloudcontrol_id_properties(struct arena *a, const struct cfn_type *type, struct str identifier);
/* A resource as it is: its properties and attributes as one object. *made may be all empty. NOT_FOUND; FAILED with
 * w->why and w->code. */
status cloudcontrol_read(struct cloud *cloud, const struct inside_caller *who, struct arena *a, struct str region,
	struct str type, struct str identifier, const struct cloudcontrol_rec_made *made, struct cfn_work *w,
	struct json_value **model) MUST_USE;

/* ── patch.c ── */
/* RFC 6902. *out: the changed document; v is left as it is. INVALID: *why. */
status cloudcontrol_patch(struct arena *a, const struct json_value *v, const struct json_value *patch,
	struct json_value **out, struct str *why) MUST_USE;

/* ── run.c ── */
void cloudcontrol_run_start(struct cloud *cloud);
/* Writes the request with the job that does it. */
void cloudcontrol_begin(struct call *c, struct cloudcontrol_rec_request *r);

/* ── request.c ── */
/* In whose name a call's resource is read. FAILED: the failure is recorded. */
status cloudcontrol_who(struct call *c, struct str role_arn, struct inside_caller *out) MUST_USE;
/* The type and its handler, or the failure: TypeNotFound, UnsupportedAction. */
status cloudcontrol_type(struct call *c, struct str name, const char *action, struct cfn_type *type,
	const struct cfn_handler **handler) MUST_USE;
/* A reading that failed, as the caller sees it. */
status cloudcontrol_fail_read(
	struct call *c, struct str type, struct str identifier, status s, const struct cfn_work *w) MUST_USE;
