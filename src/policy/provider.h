/* Where a caller's policies come from,
	and the authorization of an operation with them. The service that knows identities
 * implements struct policy_provider; what it gathers for a caller is a bundle: immutable once shared, counted,
	kept in a cache
 * under a version stamp so that a change takes effect with its commit. All of it may be used from any thread. */
#pragma once
#include "policy/authz.h"
#include "policy/policy.h"

struct store_tx;

/* ── bundles ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* All that binds one caller. Made by one thread (the functions up to policy_bundle_key), then only read. */
struct policy_bundle;
/* With one reference. version: the stamp of the data that it is made from (see policy_cache_get). */
struct policy_bundle *policy_bundle_new(uint64_t version);
/* Takes a reference of its own. type: IDENTITY, BOUNDARY, SESSION or ENDPOINT. */
void policy_bundle_add(struct policy_bundle *b, enum policy_type type, struct policy *p);
/* The caller has a boundary, session policies or an endpoint's policies,
	even if none was added: then nothing passes them. */
void policy_bundle_limit(struct policy_bundle *b, enum policy_type type);
/* A service control policy at a level of the organization,
	0 the root; every level up to the highest one used counts. */
void policy_bundle_scp(struct policy_bundle *b, size_t level, struct policy *p);
/* There are this many levels, also where nothing is attached to them: then nothing passes them. */
void policy_bundle_levels(struct policy_bundle *b, size_t n);
/* The ARN of the role or user that a session belongs to; copied. */
void policy_bundle_issuer(struct policy_bundle *b, struct str arn);
/* A condition key that describes the caller: aws:PrincipalTag/…, aws:PrincipalOrgID, aws:MultiFactorAuthPresent,
 * aws:TokenIssueTime, …; copied. */
void policy_bundle_key(struct policy_bundle *b, struct str name, struct str value);

const struct policy_subject *policy_bundle_subject(const struct policy_bundle *b);
const struct policy_context *policy_bundle_context(const struct policy_bundle *b);
struct str policy_bundle_issuer_arn(const struct policy_bundle *b); /* STR_NONE where none was set */
struct policy_bundle *policy_bundle_retain(struct policy_bundle *b);
void policy_bundle_release(struct policy_bundle *b); /* NULL allowed */

/* ── caches ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Bundles by caller. max: entries; a part of the cache that is full is emptied. */
struct policy_cache;
struct policy_cache *policy_cache_new(size_t max);
void policy_cache_free(struct policy_cache *c);
/* With a reference for the caller; NULL where it is absent or was made from data of another version. */
struct policy_bundle *policy_cache_get(struct policy_cache *c, struct str key, uint64_t version);
void policy_cache_put(struct policy_cache *c, struct str key, struct policy_bundle *b);
void policy_cache_clear(struct policy_cache *c);

/* Compiled documents by key (an ARN and its policy version,
	a hash of an inline document): thousands of callers share one
 * managed policy. */
struct policy_library;
struct policy_library *policy_library_new(size_t max);
void policy_library_free(struct policy_library *l);
/* The document under this key,
	parsed where it is not there yet; with a reference for the caller (policy_free). A key must
 * not be used for two texts. */
status policy_library_get(struct policy_library *l, struct str key, struct str text,
	const struct policy_source *source, struct policy **out, struct policy_error *why) MUST_USE;

/* ── the provider ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* A request's way through a VPC endpoint. */
struct policy_way {
	struct str endpoint, vpc, owner; /* STR_NONE: it came through none */
	struct str policy;               /* the endpoint's; STR_NONE: it is gone, and lets nothing pass */
};

struct policy_provider {
	void *ctx;
	/* Optional: the way of a request that ended in another network namespace (edge/arrival.h). Leaves *out as it is
	 * where that is no endpoint's. */
	status (*arrive)(void *ctx, struct store_tx *tx, struct arena *a, uint64_t netns, struct str local,
		struct policy_way *out);
	/* What binds `who`,
		with a reference for the caller. session_record: the bytes that were stored with the caller's key.
	 * *out NULL: nothing is attached. tx: a read-only transaction. A status other than OK is answered as an internal
	 * error. */
	status (*bundle)(void *ctx, struct store_tx *tx, struct arena *a, const struct policy_principal *who,
		struct str session_record, struct policy_bundle **out);
	/* Optional: what the owner's account adds to a resource (r->account, or the caller's where that is ""): r->rcps, for
	 * this action, and keys such as aws:ResourceOrgID in its context. */
	status (*account)(void *ctx, struct store_tx *tx, struct arena *a, struct str caller, struct str action,
		struct authz_demands *d, struct policy_resource *r);
	/* Optional: the effective tag policy of an account, in `a`; STR_NONE where none binds it. */
	status (*tags)(void *ctx, struct store_tx *tx, struct arena *a, struct str account, struct str *policy);
};

struct policy_verdict {
	bool allowed;
	struct policy_decision decision;
	struct str message;       /* of a denial: see policy_denial */
	struct str action;        /* what was refused; or the first of what was allowed */
	struct str resource;
	struct str resource_account;
};
/* Every demand has to be allowed. bundle may be NULL (nothing attached: only root, and whom resources allow,
	passes). endpoint: the policies of the VPC endpoint that the request came through, or NULL. */
bool policy_authorize(struct arena *a, const struct policy_principal *who, const struct policy_bundle *bundle,
	const struct policy_list *endpoint, const struct authz_demands *demands, const struct policy_context *context,
	bool quoted, struct policy_verdict *v);
