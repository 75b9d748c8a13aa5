/* Tags of balancers, listeners, rules, target groups and trust stores, and the limits of an account. */
#include "services/elbv2/room.h"

status elbv2_tags_given(struct call *c, struct elbv2_rec_pairs *tags, const struct elbv2_tag_list *given)
{
	for (size_t i = 0; i < given->n; i++) {
		for (size_t k = 0; k < i; k++)
			if (str_eq(given->v[i].key, given->v[k].key))
				return ELBV2_FAIL(c, DUPLICATE_TAG_KEYS, "Tag keys must be unique: '%.*s'",
					STR_ARG(given->v[i].key));
		if (str_istarts(given->v[i].key, STR("aws:")) && !c->system_tags)
			return call_fail(c, ERR_VALIDATION,
				"Caller is not authorized to add or remove tags whose keys begin with 'aws:'");
		elbv2_set(c->arena, tags, given->v[i].key, str_or(given->v[i].value, STR("")));
	}
	if (tags->n > ELBV2_TAGS_MAX)
		return ELBV2_FAIL(c, TOO_MANY_TAGS, "The maximum number of tags for a resource is %d", ELBV2_TAGS_MAX);
	return OK;
}

/* The record that an ARN names, and where its tags are. */
struct tagged {
	struct elbv2_rec_balancer b;
	struct elbv2_rec_listener l;
	struct elbv2_rec_rule r;
	struct elbv2_rec_group g;
	struct elbv2_rec_trust_store s;
	struct elbv2_rec_pairs *tags;
};

static status find(struct call *c, struct str arn, struct tagged *t)
{
	*t = (struct tagged){0};
	if (str_find(arn, STR(":listener-rule/")) >= 0) {
		t->tags = &t->r.tags;
		return elbv2_rule_find(c, arn, &t->b, &t->l, &t->r);
	}
	if (str_find(arn, STR(":listener/")) >= 0) {
		t->tags = &t->l.tags;
		return elbv2_listener_find(c, arn, &t->b, &t->l);
	}
	if (str_find(arn, STR(":targetgroup/")) >= 0) {
		t->tags = &t->g.tags;
		return elbv2_group_find(c, arn, &t->g);
	}
	if (str_find(arn, STR(":truststore/")) >= 0) {
		t->tags = &t->s.tags;
		return elbv2_trust_find(c, arn, &t->s);
	}
	t->tags = &t->b.tags;
	return elbv2_balancer_find(c, arn, &t->b);
}

static void save(struct call *c, const struct tagged *t)
{
	if (t->tags == &t->r.tags) elbv2_rule_put(ec2_here(c), t->l.id, &t->r);
	if (t->tags == &t->l.tags) elbv2_listener_put(ec2_here(c), t->b.id, &t->l);
	if (t->tags == &t->g.tags) elbv2_group_put(ec2_here(c), &t->g);
	if (t->tags == &t->s.tags) elbv2_trust_put(ec2_here(c), &t->s);
	if (t->tags == &t->b.tags) elbv2_balancer_put(ec2_here(c), &t->b);
}

status elbv2_add_tags(struct call *c, const struct elbv2_add_tags_input *in, struct elbv2_add_tags_output *out)
{
	(void)out;
	for (size_t i = 0; i < in->resource_arns.n; i++) {
		struct tagged t;
		TRY(find(c, in->resource_arns.v[i], &t));
		TRY(elbv2_tags_given(c, t.tags, &in->tags));
		save(c, &t);
	}
	return OK;
}

status elbv2_remove_tags(struct call *c, const struct elbv2_remove_tags_input *in, struct elbv2_remove_tags_output *out)
{
	(void)out;
	for (size_t i = 0; i < in->resource_arns.n; i++) {
		struct tagged t;
		TRY(find(c, in->resource_arns.v[i], &t));
		for (size_t k = 0; k < in->tag_keys.n; k++) elbv2_set(c->arena, t.tags, in->tag_keys.v[k], STR_NONE);
		save(c, &t);
	}
	return OK;
}

status elbv2_describe_tags(
	struct call *c, const struct elbv2_describe_tags_input *in, struct elbv2_describe_tags_output *out)
{
	size_t capacity = 0;
	if (in->resource_arns.n > 20)
		return call_fail(c, ERR_VALIDATION, "Up to 20 resource names can be described at a time");
	VEC_PRESENT(c->arena, &out->tag_descriptions);
	for (size_t i = 0; i < in->resource_arns.n; i++) {
		struct tagged t;
		size_t tags = 0;
		TRY(find(c, in->resource_arns.v[i], &t));
		struct elbv2_tag_description *d = VEC_PUSH(c->arena, &out->tag_descriptions, &capacity);
		d->resource_arn = in->resource_arns.v[i];
		VEC_PRESENT(c->arena, &d->tags);
		for (size_t k = 0; k < t.tags->n; k++)
			*VEC_PUSH(c->arena, &d->tags, &tags) = (struct elbv2_tag){t.tags->v[k].key, t.tags->v[k].value};
	}
	return OK;
}

status elbv2_describe_account_limits(struct call *c, const struct elbv2_describe_account_limits_input *in,
	struct elbv2_describe_account_limits_output *out)
{
	static const struct {
		const char *name;
		int max;
	} limits[] = {{"application-load-balancers", ELBV2_BALANCERS_MAX},
		{"certificates-per-application-load-balancer", ELBV2_CERTIFICATES_MAX},
		{"certificates-per-network-load-balancer", ELBV2_CERTIFICATES_MAX},
		{"condition-values-per-alb-rule", ELBV2_VALUES_PER_RULE_MAX},
		{"listeners-per-application-load-balancer", ELBV2_LISTENERS_MAX},
		{"listeners-per-network-load-balancer", ELBV2_LISTENERS_MAX},
		{"network-load-balancers", ELBV2_BALANCERS_MAX},
		{"rules-per-application-load-balancer", ELBV2_RULES_MAX}, {"target-groups", ELBV2_GROUPS_MAX},
		{"target-groups-per-action-on-application-load-balancer", ELBV2_GROUPS_PER_ACTION_MAX},
		{"target-groups-per-application-load-balancer", ELBV2_GROUPS_PER_BALANCER_MAX},
		{"targets-per-application-load-balancer", ELBV2_TARGETS_MAX},
		{"targets-per-network-load-balancer", ELBV2_TARGETS_MAX},
		{"targets-per-target-group", ELBV2_TARGETS_MAX}};
	size_t capacity = 0;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		*VEC_PUSH(c->arena, &out->limits, &capacity) =
			(struct elbv2_limit){str_c(limits[i].name), str_fmt(c->arena, "%d", limits[i].max)};
	return elbv2_page(c, &out->limits, sizeof(*out->limits.v), in->page_size, in->marker, &out->next_marker);
}
