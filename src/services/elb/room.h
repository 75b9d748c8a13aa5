/* What the files of Classic Load Balancers share. "The guide" in these files is the User Guide for Classic Load
 * Balancers, "the reference" its API Reference (2012-06-01). A balancer is one record; who changes it calls elb_save,
 * which also writes what serves: records of the newer API's (services/elbv2), whose nodes, checks and metrics are the
 * same. */
#pragma once
#include "call/call.h"
#include "elb.h"
#include "elb_state.h"
#include "services/elbv2/room.h"
#include "store/key.h"

/* "Quotas for your Classic Load Balancer". */
enum {
	ELB_BALANCERS_MAX = 20,
	ELB_LISTENERS_MAX = 100,
	ELB_INSTANCES_MAX = 1000,
	ELB_POLICIES_MAX = 100,
	ELB_TAGS_MAX = 50
};
#define ELB_FAIL(c, NAME, ...) call_fail((c), ELB_ERR_##NAME##_EXCEPTION, __VA_ARGS__)

struct elb_all {
	struct elb_rec_balancer *v;
	size_t n;
};

/* ── records.c ── */
/* LoadBalancerNotFound */
status elb_find(struct call *c, struct str name, struct elb_rec_balancer *out) MUST_USE;
status elb_all(struct call *c, struct elb_all *out) MUST_USE;
struct elb_rec_listener *elb_listener_at(struct elb_rec_balancer *b, int32_t port);
const struct elb_rec_policy *elb_policy_named(const struct elb_rec_balancer *b, struct str name);
bool elb_among(const struct elb_rec_strings *list, struct str s);
/* Without and, where with, behind its end. */
void elb_list_set(struct arena *a, struct elb_rec_strings *list, struct str s, bool with);
struct str elb_pair(const struct elb_rec_pairs *m, struct str key);
void elb_pair_set(struct arena *a, struct elb_rec_pairs *m, struct str key, struct str value);

/* ── apply.c ── */
/* Writes it, and what serves follows. had: the record as it was; NULL: it is new. */
status elb_save(struct call *c, const struct elb_rec_balancer *had, const struct elb_rec_balancer *b) MUST_USE;
status elb_drop(struct call *c, const struct elb_rec_balancer *b) MUST_USE;
/* How what serves is called: NOT_FOUND where it is not there. */
status elb_serving(struct call *c, const struct elb_rec_balancer *b, struct elbv2_rec_balancer *out) MUST_USE;
struct str elb_dns_name(struct call *c, const struct elbv2_rec_balancer *b);

/* ── listener.c ── checks them, and adds those that are not there. */
status elb_listeners_take(struct call *c, struct elb_rec_balancer *b, const struct elb_listeners *given) MUST_USE;
/* ── attribute.c ── */
status elb_tags_take(struct call *c, struct elb_rec_balancer *b, const struct elb_tag_list *given) MUST_USE;

/* ── health.c ── */
/* "HTTP:80/path" */
bool elb_health_target(struct str target, struct str *protocol, struct str *port, struct str *path);
