/* The IAM policy language: documents are parsed once into an immutable compiled form (one heap block) and evaluated
 * against a request in microseconds. Pure: no store, no HTTP,
	no clock; any thread. What a rule rests on is named by the
 * title of the page of the IAM User Guide that states it. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* What a document is attached to: decides its grammar ("Grammar of the IAM JSON policy "
	"language") and how a denial names
 * it ("Troubleshoot access denied error messages"). */
enum policy_type {
	POLICY_IDENTITY, /* no Principal, no Id */
	POLICY_BOUNDARY, /* as identity-based policies */
	POLICY_SESSION,  /* as identity-based policies */
	POLICY_RESOURCE, /* Principal or NotPrincipal required; Resource may be left out (SQS,
		SNS: the resource itself) */
	POLICY_TRUST,    /* Principal required, no NotPrincipal, no Resource, only STS actions */
	POLICY_SCP,      /* as identity-based policies */
	POLICY_RCP,      /* Principal "*" */
	POLICY_ENDPOINT, /* VPC endpoint policies: as resource-based policies */
};

/* Bytes of text that any document may have, white space included: the policyDocument shape of IAM's model. */
#define POLICY_TEXT_MAX 131072u

struct policy;
/* Why a document was refused: the message that goes with MalformedPolicyDocument. */
struct policy_error {
	char message[256];
	size_t at;     /* byte offset in the text, where one place is to blame */
	bool too_long; /* longer than max_size: LimitExceeded, not MalformedPolicyDocument */
};
struct policy_source {
	enum policy_type type;
	size_t max_size;  /* characters without white space; 0: only POLICY_TEXT_MAX */
	struct str label; /* ARN or name, for explanations and denials; copied; STR_NONE allowed */
};
/* INVALID (or LIMIT) with *why filled; *out is the caller's, policy_free() frees it. why may be NULL. */
status policy_parse(struct str text, const struct policy_source *source, struct policy **out, struct policy_error *why)
	MUST_USE;
/* Drops a reference; the last one frees. NULL allowed. */
void policy_free(struct policy *p);
/* One more reference, to be dropped with policy_free. */
struct policy *policy_retain(struct policy *p);
struct str policy_label(const struct policy *p);
enum policy_type policy_type_of(const struct policy *p);
size_t policy_statements(const struct policy *p);
/* Characters that AWS counts: without white space ("IAM and AWS STS quotas"). */
size_t policy_size(struct str text);
/* The heap block's size in bytes. */
size_t policy_bytes(const struct policy *p);

/* ── a request ────────────────────────────────────────────────────────────────────────────────────────────────── */

enum policy_caller {
	POLICY_CALLER_ANONYMOUS,
	POLICY_CALLER_ROOT,      /* arn:aws:iam::ACCOUNT:root */
	POLICY_CALLER_USER,      /* an IAM user, also with GetSessionToken's credentials */
	POLICY_CALLER_ROLE,      /* a role session; issuer_arn is the role's */
	POLICY_CALLER_FEDERATED, /* a GetFederationToken session; issuer_arn is the user's (or root's) */
	POLICY_CALLER_SERVICE,   /* name: sns.amazonaws.com */
	POLICY_CALLER_PROVIDER,  /* AssumeRoleWithWebIdentity, …WithSAML: name is the Federated principal */
};
struct policy_principal {
	enum policy_caller kind;
	struct str account;        /* 12 digits; "" for anonymous callers, services and providers */
	struct str arn;            /* of the session for sessions */
	struct str issuer_arn;     /* see above; with the role's path */
	struct str user_id;        /* AIDA…, AROA…:session, the account for root */
	struct str name;
	struct str canonical_user; /* S3's; or STR_NONE */
};

/* Condition keys and their values. Names are compared without case ("IAM JSON policy elements: Condition"). */
struct policy_key {
	struct str name;
	uint32_t hash;
	size_t n;
	const struct str *values;
	struct str one; /* the value, where there is one */
};
struct policy_context {
	struct arena *arena;
	struct policy_key *keys;
	size_t n, capacity;
};
#define POLICY_CONTEXT_IN(a) ((struct policy_context){.arena = (a)})
/* One value; the str's bytes must live as long as the context. A key that is there is replaced. */
void policy_context_set(struct policy_context *c, struct str name, struct str value);
/* A multi-valued key; values are kept by reference. n == 0: the key is present and empty. */
void policy_context_set_list(struct policy_context *c, struct str name, const struct str *values, size_t n);
void policy_context_set_bool(struct policy_context *c, struct str name, bool value);
void policy_context_set_i64(struct policy_context *c, struct str name, int64_t value);
/* aws:CurrentTime and aws:EpochTime. */
void policy_context_set_now(struct policy_context *c, int64_t now_ms);
/* aws:ResourceTag/KEY and its kin: prefix "aws:ResourceTag/". */
void policy_context_set_tag(struct policy_context *c, struct str prefix, struct str key, struct str value);
/* aws:PrincipalArn, aws:PrincipalAccount, aws:PrincipalType, aws:userid, aws:username, aws:PrincipalIsAWSService,
 * aws:PrincipalServiceName: what "AWS global condition context keys" says is present for this kind of caller. */
void policy_context_set_principal(struct policy_context *c, const struct policy_principal *p);
const struct policy_key *policy_context_get(const struct policy_context *c, struct str name);

struct policy_list {
	const struct policy *const *v;
	size_t n;
};
/* Policies of each level of an organization, from the root to the account: every level has to allow. n == 0: none apply
 * (no organization, the management account, a service-linked role). */
struct policy_levels {
	const struct policy_list *v;
	size_t n;
};

struct policy_resource {
	struct str arn;               /* "*" where the action has no resource-level permissions */
	struct str account;           /* the owner's; "" means the caller's own */
	struct policy_list policies;  /* resource-based (or trust) policies attached to it */
	bool policy_required;         /* roles' trust policies and KMS key policies: nothing passes without them */
	struct policy_levels rcps;    /* of the owner's account */
	struct policy_context *context; /* further keys of this resource alone, or NULL */
};
struct policy_request {
	const struct policy_principal *principal;
	struct str action; /* s3:GetObject; compared without case */
	const struct policy_resource *resources; /* each has to be allowed; at least one */
	size_t n_resources;
	const struct policy_context *context; /* or NULL */
	const struct policy_context *caller_context; /* keys of the caller alone, kept between requests; or NULL */
};
/* What binds the caller. */
struct policy_subject {
	struct policy_list identity;  /* user, groups, role: managed and inline */
	struct policy_list boundary;
	bool has_boundary;
	struct policy_list session;   /* inline and managed session policies */
	bool has_session;
	struct policy_levels scps;    /* of the caller's account */
	struct policy_list endpoint;  /* of the VPC endpoint that the request came through */
	bool has_endpoint;
};

enum policy_outcome { POLICY_ALLOWED, POLICY_DENIED_EXPLICITLY, POLICY_DENIED_IMPLICITLY };
struct policy_decision {
	enum policy_outcome outcome;
	enum policy_type by;         /* the kind that denied, or that granted */
	const struct policy *policy; /* with the statement that decided; NULL where none did (implicit; root) */
	size_t statement;            /* its index in the document */
	size_t resource;             /* the index of the resource that was refused */
};
/* "Policy evaluation logic" and "Cross-account policy evaluation "
	"logic". True when allowed; *d is filled either way. The
 * arena is scratch: what is taken from it is given back. */
bool policy_evaluate(struct arena *a, const struct policy_request *r, const struct policy_subject *s,
	struct policy_decision *d);

/* ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* User: ARN is not authorized to perform: ACTION on resource: ARN because no identity-based policy allows the ACTION
 * action. quoted: S3 puts the resource in double quotes. */
struct str policy_denial(struct arena *a, const struct policy_request *r, const struct policy_decision *d, bool quoted);
/* One line for people: which policy's which statement decided. */
struct str policy_explain(struct arena *a, const struct policy_request *r, const struct policy_decision *d);
/* The Sid of a statement; "" where it has none. */
struct str policy_sid(const struct policy *p, size_t statement);
/* "identity-based policy", "permissions boundary", … */
struct str policy_type_name(enum policy_type t);

/* Does this pattern of a Resource element cover the ARN (no variables)? For services that validate their own policies. */
bool policy_arn_matches(struct str pattern, struct str arn);
