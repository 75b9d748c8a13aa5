/* What the files of Elastic Load Balancing share. "The ALB guide" and "the NLB guide" in these files are the User
 * Guides for Application and Network Load Balancers, "the reference" the API Reference.
 *
 * The control plane (balancer.c, listener.c, rule.c, group.c, target.c, …) writes records; each change of a balancer
 * takes its record and schedules its job (controller.c), which brings what stands to what is written. */
#pragma once
#include "base/vec.h"
#include "call/call.h"
#include "elbv2.h"
#include "elbv2_state.h"
#include "services/ec2/network.h"
#include "services/elbv2/door.h"
#include "store/key.h"

/* "Quotas for your Application Load Balancers", "… Network Load Balancers". */
enum {
	ELBV2_BALANCERS_MAX = 50,
	ELBV2_LISTENERS_MAX = 50,
	ELBV2_RULES_MAX = 100, /* without default rules, of a balancer */
	ELBV2_GROUPS_MAX = 3000,
	ELBV2_TARGETS_MAX = 1000,    /* of a group and of a balancer */
	ELBV2_CERTIFICATES_MAX = 25, /* of a balancer, without default ones */
	ELBV2_GROUPS_PER_ACTION_MAX = 5,
	ELBV2_GROUPS_PER_BALANCER_MAX = 100,
	ELBV2_VALUES_PER_RULE_MAX = 5,
	ELBV2_TAGS_MAX = 50,
	ELBV2_PAGE = 400,
};
#define ELBV2_FAIL(c, NAME, ...) call_fail((c), ELBV2_ERR_##NAME##_EXCEPTION, __VA_ARGS__)

struct elbv2_all_balancers {
	struct elbv2_rec_balancer *v;
	size_t n;
};
struct elbv2_all_listeners {
	struct elbv2_rec_listener *v;
	size_t n;
};
struct elbv2_all_rules {
	struct elbv2_rec_rule *v;
	size_t n;
};
struct elbv2_all_groups {
	struct elbv2_rec_group *v;
	size_t n;
};
struct elbv2_all_targets {
	struct elbv2_rec_target *v;
	size_t n;
};

/* ── records.c ── get: NOT_FOUND; find: with the client's error, by ARN, of the call's place. */
struct str elbv2_new_id(struct arena *a);
struct str elbv2_balancer_arn(struct ec2_place at, const struct elbv2_rec_balancer *b);
struct str elbv2_listener_arn(struct ec2_place at, const struct elbv2_rec_balancer *b, struct str listener);
struct str elbv2_rule_arn(
	struct ec2_place at, const struct elbv2_rec_balancer *b, struct str listener, struct str rule);
struct str elbv2_group_arn(struct ec2_place at, const struct elbv2_rec_group *g);
/* Of HTTP: Application and Classic Load Balancers; these also have listeners of other protocols. */
bool elbv2_is_app(const struct elbv2_rec_balancer *b);
/* One of services/elb: "classic:NAME", not to be seen by this API. */
bool elbv2_is_classic(const struct elbv2_rec_balancer *b);
status elbv2_balancer_get(struct ec2_place at, struct str name, struct elbv2_rec_balancer *out) MUST_USE;
status elbv2_balancer_find(struct call *c, struct str arn, struct elbv2_rec_balancer *out) MUST_USE;
status elbv2_balancers(struct ec2_place at, struct elbv2_all_balancers *out) MUST_USE;
/* Writes it with a new generation, and schedules its job. */
void elbv2_balancer_change(struct ec2_place at, struct elbv2_rec_balancer *b);
/* The same in an operation: the job runs as soon as it has committed. */
void elbv2_balancer_changed(struct call *c, struct elbv2_rec_balancer *b);
void elbv2_balancer_put(struct ec2_place at, const struct elbv2_rec_balancer *b);
void elbv2_balancer_drop(struct ec2_place at, const struct elbv2_rec_balancer *b);
status elbv2_listener_find(
	struct call *c, struct str arn, struct elbv2_rec_balancer *b, struct elbv2_rec_listener *out) MUST_USE;
status elbv2_listeners(struct ec2_place at, struct str balancer, struct elbv2_all_listeners *out) MUST_USE;
void elbv2_listener_put(struct ec2_place at, struct str balancer, const struct elbv2_rec_listener *l);
void elbv2_listener_drop(struct ec2_place at, struct str balancer, struct str id);
status elbv2_rule_find(struct call *c, struct str arn, struct elbv2_rec_balancer *b, struct elbv2_rec_listener *l,
	struct elbv2_rec_rule *out) MUST_USE;
/* In order of priority; the default rule last. */
status elbv2_rules(struct ec2_place at, struct str listener, struct elbv2_all_rules *out) MUST_USE;
void elbv2_rule_put(struct ec2_place at, struct str listener, const struct elbv2_rec_rule *r);
void elbv2_rule_drop(struct ec2_place at, struct str listener, struct str id);
status elbv2_group_get(struct ec2_place at, struct str name, struct elbv2_rec_group *out) MUST_USE;
/* NOT_FOUND also where the ARN is of another place or none. */
status elbv2_group_by_arn(struct ec2_place at, struct str arn, struct elbv2_rec_group *out) MUST_USE;
status elbv2_group_find(struct call *c, struct str arn, struct elbv2_rec_group *out) MUST_USE;
status elbv2_groups(struct ec2_place at, struct elbv2_all_groups *out) MUST_USE;
void elbv2_group_put(struct ec2_place at, const struct elbv2_rec_group *g);
void elbv2_group_drop(struct ec2_place at, const struct elbv2_rec_group *g);
/* In order of their keys. */
status elbv2_targets(struct ec2_place at, struct str group, struct elbv2_all_targets *out) MUST_USE;
status elbv2_target_get(struct ec2_place at, struct str group, struct str id, int32_t port, struct str zone,
	struct elbv2_rec_target *out) MUST_USE;
void elbv2_target_put(struct ec2_place at, struct str group, const struct elbv2_rec_target *t);
void elbv2_target_drop(struct ec2_place at, struct str group, const struct elbv2_rec_target *t);
/* The job of each balancer that uses the group. */
status elbv2_group_changed(struct ec2_place at, const struct elbv2_rec_group *g) MUST_USE;
/* Of a DNS name's first label, or of an id. NOT_FOUND. */
status elbv2_whose(
	struct store_tx *tx, struct arena *a, const char *kind, struct str what, struct elbv2_rec_whose *out) MUST_USE;
struct str elbv2_get(const struct elbv2_rec_pairs *m, struct str name);
/* STR_NONE removes. */
void elbv2_set(struct arena *a, struct elbv2_rec_pairs *m, struct str name, struct str value);
bool elbv2_among(const struct elbv2_rec_strings *list, struct str s);

/* ── balancer.c ── for services/elb: the balancer has interfaces in exactly these subnets, one to a zone (checked by
 * the caller), with its security groups. The balancer is not written. */
status elbv2_zones_set(struct call *c, struct elbv2_rec_balancer *b, const struct elbv2_rec_strings *subnets) MUST_USE;

/* ── page.c ── */
/* Cuts a list that was filled whole into a page. FAILED: a marker that is none. */
status elbv2_page(struct call *c, void *list, size_t element_size, struct opt_i32 size, struct str marker,
	struct str *next) MUST_USE;
/* Members by their names (services/ec2/copy.c). */
void elbv2_show(struct arena *a, uint16_t record, const void *from, uint16_t shape, void *to);
void elbv2_take(struct arena *a, uint16_t shape, const void *from, uint16_t record, void *to);
/* "The load balancer name 'x_y' …": at most 32 letters, digits and hyphens, none at an end. */
status elbv2_name_check(struct call *c, const char *what, struct str name) MUST_USE;
/* Can PCRE2, which HAProxy asks too, compile it? */
bool elbv2_regex_legal(struct str s);

/* ── tags.c ── */
status elbv2_tags_given(struct call *c, struct elbv2_rec_pairs *tags, const struct elbv2_tag_list *given) MUST_USE;

/* ── attribute.c ── */
enum elbv2_attributes { ELBV2_OF_BALANCER, ELBV2_OF_GROUP, ELBV2_OF_LISTENER };
/* The value, given or the default; STR_NONE where this kind has no such attribute. */
struct str elbv2_balancer_attribute(const struct elbv2_rec_balancer *b, const char *name);
struct str elbv2_group_attribute(const struct elbv2_rec_group *g, const char *name);
struct str elbv2_listener_attribute(const struct elbv2_rec_listener *l, const char *name);
int32_t elbv2_number(struct str value, int32_t otherwise);

/* ── trust.c ── */
status elbv2_trust_by_arn(struct ec2_place at, struct str arn, struct elbv2_rec_trust_store *out) MUST_USE;
status elbv2_trust_find(struct call *c, struct str arn, struct elbv2_rec_trust_store *out) MUST_USE;
void elbv2_trust_put(struct ec2_place at, const struct elbv2_rec_trust_store *t);
/* ── mutual.c ── what MutualAuthentication says, checked; which trust store the listener uses is remembered there. */
status elbv2_mutual_given(struct call *c, const struct elbv2_rec_balancer *b, struct elbv2_rec_listener *l,
	const struct elbv2_mutual_authentication_attributes *given) MUST_USE;
/* The listener has gone, or its protocol has no use for it. */
status elbv2_mutual_end(struct call *c, const struct elbv2_rec_balancer *b, struct elbv2_rec_listener *l) MUST_USE;
void elbv2_mutual_show(struct call *c, const struct elbv2_rec_listener *l, struct elbv2_listener *out);

/* ── policy.c ── */
struct elbv2_policy {
	const char *name;
	bool v10, v11, v12, v13;
	uint32_t ciphers; /* bits: elbv2_ciphers */
};
const struct elbv2_policy *elbv2_policy_find(struct str name);
extern const char *const elbv2_ciphers[];
extern const size_t elbv2_ciphers_length;
#define ELBV2_POLICY_DEFAULT STR("ELBSecurityPolicy-2016-08")

/* ── action.c ── */
/* Checks a rule's actions, of a listener with this protocol, and makes them what is stored (each forward has a
 * ForwardConfig). */
status elbv2_actions_given(struct call *c, const struct elbv2_rec_balancer *b, struct str protocol,
	const struct elbv2_actions *given, struct elbv2_rec_rule *r) MUST_USE;
/* ── condition.c ── */
status elbv2_conditions_given(
	struct call *c, const struct elbv2_rule_condition_list *given, struct elbv2_rec_rule *r) MUST_USE;
status elbv2_transforms_given(
	struct call *c, const struct elbv2_rule_transform_list *given, struct elbv2_rec_rule *r) MUST_USE;
/* What a condition with Values alone means: its configuration. */
const struct elbv2_rec_strings *elbv2_condition_values(const struct elbv2_rec_condition *k);
const struct elbv2_rec_strings *elbv2_condition_regexes(const struct elbv2_rec_condition *k);

/* ── rule.c ── */
void elbv2_rule_show(struct call *c, const struct elbv2_rec_balancer *b, const struct elbv2_rec_listener *l,
	const struct elbv2_rec_rule *r, struct elbv2_rule *out);
/* After a change of rules: which groups the balancer uses now, in its record and in theirs. The balancer is not
 * written. */
status elbv2_rebind(struct call *c, struct elbv2_rec_balancer *b) MUST_USE;

/* ── listener.c ── */
status elbv2_listener_delete(struct call *c, struct elbv2_rec_balancer *b, const struct elbv2_rec_listener *l) MUST_USE;

/* ── target.c ── */
/* Where a target is: its address, zone, VPC. NOT_FOUND: the instance has gone; BUSY: it does not run. */
struct elbv2_spot {
	struct str address, zone, vpc;
	int32_t port, check_port;
};
/* A target of type alb. NOT_FOUND: it has gone. */
status elbv2_target_balancer(struct ec2_place at, struct str arn, struct elbv2_rec_balancer *out) MUST_USE;
status elbv2_target_spot(struct ec2_place at, const struct elbv2_rec_group *g, const struct elbv2_rec_target *t,
	struct elbv2_spot *out) MUST_USE;
/* Is the zone enabled in one of the group's balancers? */
status elbv2_zone_used(struct ec2_place at, const struct elbv2_rec_group *g, struct str zone, bool *yes) MUST_USE;

/* ── controller.c ── */
void elbv2_mark(struct ec2_place at, struct str balancer_name);
/* Deleted: the job takes down what stands and drops its interfaces. */
void elbv2_mark_gone(struct ec2_place at, const struct elbv2_rec_balancer *b);
struct elbv2_watch;
struct elbv2_outside;
struct elbv2 {
	struct cloud *cloud;
	struct elbv2_watch *watch; /* both NULL where nothing real stands */
	struct elbv2_outside *outside;
};
/* ── elbv2.c ── NULL where the service is switched off. */
struct elbv2 *elbv2_of(const struct cloud *cloud);
status elbv2_controller_start(struct elbv2 *e) MUST_USE;
/* Looks at all balancers: what stands is adopted. */
void elbv2_controller_ready(struct elbv2 *e);
