/* Inside the room of Access Analyzer: analyzers with their archive rules and findings. A finding follows from the
 * policies as they are: analyzers are brought up to date whenever their findings are asked for, so nothing is ever
 * stale. */
#pragma once
#include "accessanalyzer.h"
#include "accessanalyzer_state.h"
#include "base/json.h"
#include "base/vec.h"
#include "call/call.h"
#include "store/key.h"

#define AA_FAIL(c, NAME, ...) call_fail((c), ACCESSANALYZER_ERR_##NAME##_EXCEPTION, __VA_ARGS__)

/* "If the element takes an array but only one value is included, the brackets are optional." */
static inline const struct json_value *aa_items(const struct json_value *v)
{
	return json_is(v, JSON_IS_ARRAY) ? v->first : v;
}
static inline const struct json_value *aa_next(const struct json_value *list, const struct json_value *item)
{
	return json_is(list, JSON_IS_ARRAY) ? item->next : NULL;
}
#define AA_EACH(item, list) for (const struct json_value *item = aa_items(list); item; item = aa_next(list, item))

/* ── page.c ── one page of a list that was made whole: from behind the token's place, of at most max (usual where
 * absent). */
status aa_page(struct call *c, struct opt_i32 max, struct str token, int32_t usual, size_t size, void **v, size_t *n,
	struct str *next) MUST_USE;

/* ── analyzer.c ── */
struct str aa_key(struct arena *a, const char *kind, const struct call *c, struct str name);
struct str aa_analyzer_arn(struct call *c, struct str name);
/* By name, or by ARN of this account and region: ResourceNotFoundException, ValidationException. */
status aa_analyzer_named(struct call *c, struct str name, struct accessanalyzer_rec_analyzer *out) MUST_USE;
status aa_analyzer_by_arn(struct call *c, struct str arn, struct accessanalyzer_rec_analyzer *out) MUST_USE;
void aa_analyzer_put(struct call *c, const struct accessanalyzer_rec_analyzer *a);
status aa_not_found(struct call *c, const char *type, struct str id) MUST_USE;

/* ── rules.c ── */
status aa_read_filter(struct call *c, const struct accessanalyzer_filter_criteria_map *in,
	struct accessanalyzer_rec_criteria *out) MUST_USE;
bool aa_filter_fits(
	struct arena *a, const struct accessanalyzer_rec_criteria *f, const struct accessanalyzer_rec_finding *x);

/* ── scan.c ── */
struct aa_findings {
	struct accessanalyzer_rec_finding *v;
	size_t n, capacity;
};
/* Brings the analyzer's findings up to date, in c's transaction, and gives all of them. */
status aa_refresh(struct call *c, struct accessanalyzer_rec_analyzer *a, struct aa_findings *out) MUST_USE;
void aa_finding_put(struct call *c, struct str analyzer, const struct accessanalyzer_rec_finding *f);

/* ── sources.c ── what has policies here: every resource of this account (and region) that one may be shared by. */
struct aa_resource {
	struct str arn, type, policy; /* policy STR_NONE: none */
	struct str source;            /* POLICY, BUCKET_ACL */
};
struct aa_resources {
	struct aa_resource *v;
	size_t n, capacity;
};
status aa_resources(struct call *c, struct aa_resources *out) MUST_USE;

/* ── unused.c ── roles, keys, passwords and permissions that nobody used for a->age days. */
status aa_unused(struct call *c, const struct accessanalyzer_rec_analyzer *a, struct aa_findings *out) MUST_USE;
static inline bool aa_is_unused(const struct accessanalyzer_rec_analyzer *a)
{
	return str_is(a->type, "ACCOUNT_UNUSED_ACCESS");
}
/* A UUID that follows from what a finding is about. */
struct str aa_id(struct arena *a, struct str about);

/* ── access.c ── what a policy's statements let whom do */
/* Every value of this glob is one of the other's: a sufficient test. */
bool aa_within(struct str pattern, struct str wider);
/* Some value is of both. */
bool aa_meet(struct str a, struct str b);
bool aa_list_has(const struct json_value *list, struct str text);
/* Is this Allow confined by a condition on who calls or from where? account: the zone of trust; then only values
 * outside of it leave the statement open. */
bool aa_confined(const struct json_value *statement, struct str account);
const struct json_value *aa_statements(const struct json_value *policy);
bool aa_is_allow(const struct json_value *statement);
/* Anyone at all: "*". */
bool aa_names_anyone(const struct json_value *statement);
/* An unconditional Deny for everyone that covers this action on this resource. */
bool aa_denied(struct arena *a, const struct json_value *policy, struct str action, struct str resource);
