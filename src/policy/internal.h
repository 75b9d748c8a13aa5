/* Inside the room: the compiled form. All parts of a policy stand in one block and refer to each other by index, so the
 * block can be copied and freed as a whole. Text is in the pool at its end. */
#pragma once
#include "base/buf.h"
#include "policy/policy.h"

/* Patterns are kept in an encoding whose special marks are bytes that UTF-8 never has, so that no value of a request
 * and no literal can be taken for a wildcard. */
enum {
	MARK_STAR = 0xFF,         /* any run of characters */
	MARK_ONE = 0xFE,          /* any one character */
	MARK_SEGMENT_STAR = 0xFD, /* any run without ':' */
	MARK_VARIABLE = 0xFC,     /* then: hash (4), length of the name (2), of the default + 1 (2), name, default */
};

enum pattern_kind { PATTERN_ANY, PATTERN_EXACT, PATTERN_PREFIX, PATTERN_GLOB, PATTERN_VARIABLE };
struct pattern {
	uint64_t head, mask; /* the literal's first eight bytes: most patterns are told apart by one comparison */
	uint32_t text, n;    /* PATTERN_PREFIX: without its star */
	uint8_t kind;
};

enum principal_entry_kind {
	ENTRY_ANY, ENTRY_ACCOUNT, ENTRY_ARN, ENTRY_UNIQUE_ID, ENTRY_SERVICE, ENTRY_FEDERATED, ENTRY_CANONICAL,
};
struct principal_entry {
	uint8_t kind;
	uint32_t text, n;
};

enum condition_family {
	FAMILY_STRING, FAMILY_STRING_IGNORE_CASE, FAMILY_LIKE, FAMILY_NUMERIC, FAMILY_DATE, FAMILY_BOOL, FAMILY_BINARY,
	FAMILY_IP, FAMILY_ARN, FAMILY_NULL,
};
enum comparison { COMPARE_EQUAL, COMPARE_LESS, COMPARE_LESS_EQUAL, COMPARE_GREATER, COMPARE_GREATER_EQUAL };
enum quantifier { QUANTIFIER_NONE, QUANTIFIER_ALL, QUANTIFIER_ANY };
struct condition {
	uint8_t family, comparison, quantifier;
	bool negated, if_exists;
	uint32_t key_hash, key, key_n; /* lower case */
	uint32_t values, n_values;
};
struct ip_range {
	uint8_t bytes[16], bits;
	bool v6;
};
struct condition_value {
	union {
		struct pattern pattern;
		double number;
		int64_t ms;
		struct ip_range ip;
		struct {
			uint32_t text, n;
		} bytes;
		bool truth;
	};
};

struct range {
	uint32_t first, n;
};
struct statement {
	bool deny, not_action, not_resource, not_principal, has_principal, has_resource;
	struct range actions, resources, principals, conditions; /* actions and resources in patterns */
	struct range sid;                                        /* in text */
};

struct policy {
	uint32_t magic, bytes;
	_Atomic uint32_t refs;
	uint8_t type;
	uint32_t n_statements;
	struct range label; /* in text */
	const struct statement *statements;
	const struct pattern *patterns;
	const struct condition *conditions;
	const struct condition_value *values;
	const struct principal_entry *principals;
	const char *text;
};
#define POLICY_MAGIC 0x70306c69u

static inline struct str policy_text(const struct policy *p, uint32_t at, uint32_t n) { return str_n(p->text + at, n); }

/* build.c: the parts while they grow. */
struct builder {
	struct arena *arena;
	struct buf statements, patterns, conditions, values, principals, text;
	bool variables; /* Version 2012-10-17 */
	const char *why; /* of a false answer */
};
void builder_init(struct builder *b, struct arena *a);
uint32_t builder_text(struct builder *b, struct str s);
enum pattern_use { USE_ACTION, USE_RESOURCE, USE_STRING, USE_LIKE, USE_ARN };
/* False with b->why when the text has a malformed variable. */
bool builder_pattern(struct builder *b, struct str text, enum pattern_use use, struct pattern *out);
struct policy *builder_finish(struct builder *b, enum policy_type type, struct range label);

/* values.c: the typed values of conditions. */
bool value_number(struct str s, double *out);
bool value_date(struct str s, int64_t *ms);
bool value_ip(struct str s, bool prefix, struct ip_range *out);
bool value_in_range(const struct ip_range *range, const struct ip_range *address);

/* match.c */
bool glob_matches(struct str pattern, struct str s);
uint64_t pattern_head(struct str s);
uint32_t key_hash(struct str name);
/* Replaces variables; false when one has no value ("Policy variables with no value"). The result is in the arena. */
struct evaluation;
bool pattern_expand(struct evaluation *e, struct str template, struct str *out);

/* What an evaluation of one resource carries. */
struct evaluation {
	struct arena *arena;
	const struct policy_request *request;
	const struct policy_resource *resource;
	struct str action; /* lower case */
	uint64_t action_head, resource_head;
};
bool action_matches(const struct evaluation *e, const struct policy *p, const struct statement *s);
bool resource_matches(struct evaluation *e, const struct policy *p, const struct statement *s);
const struct policy_key *evaluation_key(const struct evaluation *e, uint32_t hash, struct str name);

/* condition.c */
bool conditions_match(struct evaluation *e, const struct policy *p, const struct statement *s);
/* Reads an operator's name with its prefix and suffix. */
bool condition_operator(struct str name, struct condition *out);

/* bundle.c */
struct policy_bundle;
uint64_t policy_bundle_version(const struct policy_bundle *b);

/* principal.c: how directly a statement names the caller; each grants more than the one before it. */
enum grant { GRANT_NONE, GRANT_ACCOUNT /* delegated */, GRANT_ISSUER /* the session's role or user */, GRANT_DIRECT };
enum grant principal_grant(const struct policy_principal *who, const struct policy *p, const struct statement *s);
/* NULL, or why a principal cannot stand in a policy. */
const char *principal_entry(struct str type, struct str text, struct principal_entry *out, struct str *kept);
