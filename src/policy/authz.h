/* Which actions and resources an operation is authorized on: facts of the service authorization reference beside the models
 * (models/NAME.authz, compiled by tools/authzc), applied to a decoded input. Pure,
	any thread. What the reference does not
 * map one to one (a copy's source, a batch's versions) is added by the service's own code. */
#pragma once
#include "policy/policy.h"
#include "wire/wire.h"

struct policy_bundle;

/* ── the tables, as tools/authzc writes them; text is at offsets in authz_text: two bytes of length,
	the bytes ─────── */

enum authz_level { AUTHZ_READ, AUTHZ_LIST, AUTHZ_WRITE, AUTHZ_TAGGING, AUTHZ_PERMISSIONS };
struct authz_range {
	uint32_t first, n;
};
struct authz_key {
	uint32_t name, type; /* s3:prefix, String */
};
struct authz_type {
	uint32_t name, arn; /* bucket, arn:${Partition}:s3:::${BucketName} */
};
struct authz_action {
	uint32_t name;
	uint32_t level;              /* enum authz_level */
	struct authz_range types;    /* in authz_type_refs: type << 1 | required */
	struct authz_range keys;     /* in authz_key_refs: text offsets of names */
	struct authz_range needs;    /* in authz_need_refs: further actions that a caller may need */
};
enum authz_target_kind { AUTHZ_TYPE, AUTHZ_ARN, AUTHZ_PATH };
struct authz_binding {
	uint32_t variable, member; /* BucketName,
		Bucket; members may be Delete.Objects.Key or RequestItems{} (a map's keys) */
};
struct authz_target {
	uint32_t kind;               /* enum authz_target_kind */
	uint32_t arn;                /* TYPE: the template; ARN: 0 */
	struct authz_range bindings; /* ARN: one, whose member holds whole ARNs */
};
struct authz_check {
	uint32_t action;             /* with its prefix */
	uint32_t if_member, unless_member; /* 0: none */
	struct authz_range targets;  /* none: "*" */
};
struct authz_op {
	uint32_t name;
	struct authz_range checks;
};
struct authz_service {
	uint32_t name, prefix;
	struct authz_range ops;      /* sorted by name */
	struct authz_range actions;  /* of the prefix; shared by services with one prefix */
	struct authz_range types, keys;
};
extern const char authz_text[];
extern const struct authz_service authz_services[]; /* sorted by name */
extern const uint32_t authz_services_length;
extern const struct authz_op authz_ops[];
extern const struct authz_check authz_checks[];
extern const struct authz_target authz_targets[];
extern const struct authz_binding authz_bindings[];
extern const struct authz_action authz_actions[];
extern const struct authz_type authz_types[];
extern const struct authz_key authz_keys[];
extern const uint32_t authz_type_refs[], authz_key_refs[], authz_need_refs[];

static inline struct str authz_str(uint32_t at)
{
	const unsigned char *p = (const unsigned char *)authz_text + at;
	return str_n(p + 2, (size_t)p[0] | (size_t)p[1] << 8);
}

/* By the model's name ("s3control"); NULL where there is none. */
const struct authz_service *authz_find(struct str service);
const struct authz_op *authz_find_op(const struct authz_service *s, struct str op);
/* An action of a service by its name without prefix, without case; NULL where the reference has none. */
const struct authz_action *authz_find_action(const struct authz_service *s, struct str action);
/* Any service that has this action prefix; NULL where there is none. */
const struct authz_service *authz_find_prefix(struct str prefix);

/* ── applied ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Where the call is made: fills ${Partition}, ${Region} and ${Account}. */
struct authz_place {
	struct str partition, region, account;
	struct str path; /* raw, of the request: API Gateway's resources */
};
/* One thing that has to be allowed: an action on resources. */
struct authz_demand {
	struct str action;
	struct policy_resource *resources;
	size_t n, capacity;
};
struct authz_demands {
	struct authz_demand *v;
	size_t n;
	struct {
		struct policy **v;
		size_t n, capacity;
	} held; /* references that end with the decision: see authz_hold */
	struct {
		struct policy_bundle **v;
		size_t n, capacity;
	} held_bundles;
};
/* What the matched operation demands,
	in the arena: always at least one. A name in the input that is an ARN already is taken
 * as it is,
	a URL (SQS) by its last segment; what no member names is "*". resource.account is the account that the ARN or URL
 * tells, else place->account. in may be NULL for an operation without input. */
void authz_demands(struct arena *a, const struct wire_match *m, const void *in, const struct authz_place *place,
	struct authz_demands *out);
/* One more resource that an action has to be allowed on,
	for what services add in code. Owned by the caller's account until
 * told otherwise. */
struct policy_resource *authz_add(struct arena *a, struct authz_demands *d, struct str action, struct str arn);
/* Takes over a reference to a policy that the resources point at, until authz_release. */
void authz_hold(struct arena *a, struct authz_demands *d, struct policy *p);
/* A resource-based policy of this resource; takes over the reference. */
void authz_attach(struct arena *a, struct authz_demands *d, struct policy_resource *r, struct policy *p);
/* Takes over a reference to a bundle whose policies the resources point at. */
void authz_hold_bundle(struct arena *a, struct authz_demands *d, struct policy_bundle *b);
void authz_release(struct authz_demands *d);
/* The tags in a decoded input, in its order; they point into it. */
struct authz_tag {
	struct str key;
	struct str value; /* STR_NONE: a bare key, as for removal */
	struct str type;  /* the resource type that a specification names ("instance"); or STR_NONE */
};
struct authz_tags {
	struct authz_tag *v;
	size_t n, capacity;
};
void authz_tags(struct arena *a, const struct wire_match *m, const void *in, struct authz_tags *out);
/* aws:RequestTag/KEY for each tag in the input and aws:TagKeys ("Controlling access during AWS requests"). */
void authz_request_tags(struct arena *a, const struct wire_match *m, const void *in, struct policy_context *c);
