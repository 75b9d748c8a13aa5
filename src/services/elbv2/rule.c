/* Rules of listeners ("Listener rules", the ALB guide), and which target groups a balancer uses by them. */
#include "services/elbv2/room.h"

void elbv2_rule_show(struct call *c, const struct elbv2_rec_balancer *b, const struct elbv2_rec_listener *l,
	const struct elbv2_rec_rule *r, struct elbv2_rule *out)
{
	elbv2_show(c->arena, ELBV2_REC_RULE, r, ELBV2_SHAPE_RULE, out);
	out->rule_arn = elbv2_rule_arn(ec2_here(c), b, l->id, r->id);
	out->priority = r->priority.v ? str_fmt(c->arena, "%d", r->priority.v) : STR("default");
	out->is_default = SOME_BOOL(!r->priority.v);
	VEC_PRESENT(c->arena, &out->conditions);
	for (size_t i = 0; i < out->conditions.n; i++) {
		struct elbv2_rule_condition *k = &out->conditions.v[i];
		/* Values given alone are shown as both. */
		if (str_is(k->field, "host-header")) {
			if (!k->host_header_config) {
				k->host_header_config = arena_new(c->arena, struct elbv2_host_header_condition_config);
				k->host_header_config->values = k->values;
				k->host_header_config->regex_values = k->regex_values;
			}
			k->values = k->host_header_config->values;
		} else if (str_is(k->field, "path-pattern")) {
			if (!k->path_pattern_config) {
				k->path_pattern_config =
					arena_new(c->arena, struct elbv2_path_pattern_condition_config);
				k->path_pattern_config->values = k->values;
				k->path_pattern_config->regex_values = k->regex_values;
			}
			k->values = k->path_pattern_config->values;
		}
	}
}

/* ── which groups are used ── */

static status collect(struct call *c, const struct elbv2_rec_balancer *b, struct elbv2_rec_strings *names)
{
	struct elbv2_all_listeners listeners;
	size_t capacity = 0;
	*names = (struct elbv2_rec_strings){0};
	TRY(elbv2_listeners(ec2_here(c), b->id, &listeners));
	for (size_t i = 0; i < listeners.n; i++) {
		struct elbv2_all_rules rules;
		TRY(elbv2_rules(ec2_here(c), listeners.v[i].id, &rules));
		for (size_t k = 0; k < rules.n; k++)
			for (size_t m = 0; m < rules.v[k].actions.n; m++) {
				const struct elbv2_rec_forward *f = rules.v[k].actions.v[m].forward_config;
				for (size_t t = 0; f && t < f->target_groups.n; t++) {
					struct elbv2_rec_group g;
					status s = elbv2_group_by_arn(
						ec2_here(c), f->target_groups.v[t].target_group_arn, &g);
					if (status_is(s, STATUS_NOT_FOUND)) continue;
					TRY(s);
					if (!elbv2_among(names, g.target_group_name))
						*VEC_PUSH(c->arena, names, &capacity) = g.target_group_name;
				}
			}
	}
	return OK;
}

static status bind_group(struct call *c, const struct elbv2_rec_balancer *b, struct str name, bool uses)
{
	struct elbv2_rec_group g;
	struct elbv2_rec_strings now = {0};
	struct str arn = elbv2_balancer_arn(ec2_here(c), b);
	size_t capacity = 0;
	status s = elbv2_group_get(ec2_here(c), name, &g);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	for (size_t i = 0; i < g.balancers.n; i++)
		if (!str_eq(g.balancers.v[i], arn)) *VEC_PUSH(c->arena, &now, &capacity) = g.balancers.v[i];
	if (uses && now.n)
		return ELBV2_FAIL(c, TARGET_GROUP_ASSOCIATION_LIMIT,
			"The following target groups cannot be associated with more than one load balancer: %.*s",
			STR_ARG(elbv2_group_arn(ec2_here(c), &g)));
	if (uses) *VEC_PUSH(c->arena, &now, &capacity) = arn;
	g.balancers = now;
	elbv2_group_put(ec2_here(c), &g);
	return OK;
}

status elbv2_rebind(struct call *c, struct elbv2_rec_balancer *b)
{
	struct elbv2_rec_strings now;
	TRY(collect(c, b, &now));
	if (now.n > ELBV2_GROUPS_PER_BALANCER_MAX)
		return ELBV2_FAIL(c, TOO_MANY_UNIQUE_TARGET_GROUPS_PER_LOAD_BALANCER,
			"The maximum number of unique target groups of a load balancer is %d",
			ELBV2_GROUPS_PER_BALANCER_MAX);
	for (size_t i = 0; i < now.n; i++)
		if (!elbv2_among(&b->groups, now.v[i])) TRY(bind_group(c, b, now.v[i], true));
	for (size_t i = 0; i < b->groups.n; i++)
		if (!elbv2_among(&now, b->groups.v[i])) TRY(bind_group(c, b, b->groups.v[i], false));
	b->groups = now;
	return OK;
}

/* ── operations ── */

static status http_only(struct call *c, const struct elbv2_rec_balancer *b)
{
	if (elbv2_is_app(b)) return OK;
	return ELBV2_FAIL(c, INVALID_CONFIGURATION_REQUEST,
		"Rules are only supported for listeners of Application Load Balancers");
}

static status priority_free(struct call *c, const struct elbv2_all_rules *rules, int32_t priority, struct str but)
{
	for (size_t i = 0; i < rules->n; i++)
		if (rules->v[i].priority.v == priority && !str_eq(rules->v[i].id, but))
			return ELBV2_FAIL(c, PRIORITY_IN_USE, "Priority '%d' is currently in use", priority);
	return OK;
}

static status count_rules(struct call *c, const struct elbv2_rec_balancer *b)
{
	struct elbv2_all_listeners listeners;
	size_t n = 0;
	TRY(elbv2_listeners(ec2_here(c), b->id, &listeners));
	for (size_t i = 0; i < listeners.n; i++) {
		struct elbv2_all_rules rules;
		TRY(elbv2_rules(ec2_here(c), listeners.v[i].id, &rules));
		n += rules.n ? rules.n - 1 : 0;
	}
	if (n >= ELBV2_RULES_MAX)
		return ELBV2_FAIL(c, TOO_MANY_RULES,
			"The maximum number of rules has been reached on the load balancer '%.*s'",
			STR_ARG(elbv2_balancer_arn(ec2_here(c), b)));
	return OK;
}

status elbv2_create_rule(struct call *c, const struct elbv2_create_rule_input *in, struct elbv2_create_rule_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_rec_listener l;
	struct elbv2_rec_rule r = {0};
	struct elbv2_all_rules rules;
	size_t capacity = 0;
	TRY(elbv2_listener_find(c, in->listener_arn, &b, &l));
	TRY(http_only(c, &b));
	TRY(elbv2_rules(ec2_here(c), l.id, &rules));
	TRY(priority_free(c, &rules, in->priority.v, STR_NONE));
	TRY(count_rules(c, &b));
	TRY(elbv2_conditions_given(c, &in->conditions, &r));
	TRY(elbv2_actions_given(c, &b, l.protocol, &in->actions, &r));
	TRY(elbv2_transforms_given(c, &in->transforms, &r));
	TRY(elbv2_tags_given(c, &r.tags, &in->tags));
	r.id = elbv2_new_id(c->arena);
	r.priority = in->priority;
	elbv2_rule_put(ec2_here(c), l.id, &r);
	TRY(elbv2_rebind(c, &b));
	elbv2_balancer_changed(c, &b);
	elbv2_rule_show(c, &b, &l, &r, VEC_PUSH(c->arena, &out->rules, &capacity));
	return OK;
}

status elbv2_modify_rule(struct call *c, const struct elbv2_modify_rule_input *in, struct elbv2_modify_rule_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_rec_listener l;
	struct elbv2_rec_rule r;
	size_t capacity = 0;
	TRY(elbv2_rule_find(c, in->rule_arn, &b, &l, &r));
	if (!r.priority.v)
		return ELBV2_FAIL(
			c, OPERATION_NOT_PERMITTED, "Default rule '%.*s' cannot be modified", STR_ARG(in->rule_arn));
	if (in->conditions.n) TRY(elbv2_conditions_given(c, &in->conditions, &r));
	if (in->actions.n) TRY(elbv2_actions_given(c, &b, l.protocol, &in->actions, &r));
	if (in->transforms.n || in->reset_transforms.v) TRY(elbv2_transforms_given(c, &in->transforms, &r));
	elbv2_rule_put(ec2_here(c), l.id, &r);
	TRY(elbv2_rebind(c, &b));
	elbv2_balancer_changed(c, &b);
	elbv2_rule_show(c, &b, &l, &r, VEC_PUSH(c->arena, &out->rules, &capacity));
	return OK;
}

status elbv2_delete_rule(struct call *c, const struct elbv2_delete_rule_input *in, struct elbv2_delete_rule_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_rec_listener l;
	struct elbv2_rec_rule r;
	(void)out;
	TRY(elbv2_rule_find(c, in->rule_arn, &b, &l, &r));
	if (!r.priority.v)
		return ELBV2_FAIL(
			c, OPERATION_NOT_PERMITTED, "Default rule '%.*s' cannot be deleted", STR_ARG(in->rule_arn));
	elbv2_rule_drop(ec2_here(c), l.id, r.id);
	TRY(elbv2_rebind(c, &b));
	elbv2_balancer_changed(c, &b);
	return OK;
}

status elbv2_describe_rules(
	struct call *c, const struct elbv2_describe_rules_input *in, struct elbv2_describe_rules_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_rec_listener l;
	struct elbv2_rec_rule r;
	struct elbv2_all_rules rules;
	size_t capacity = 0;
	bool listed = str_has(in->listener_arn);
	if (listed == (in->rule_arns.n > 0))
		return call_fail(c, ERR_VALIDATION,
			listed ? "Listener ARN and rule ARNs cannot be specified at the same time"
			       : "Either a listener ARN or rule ARNs must be specified");
	for (size_t i = 0; i < in->rule_arns.n; i++) {
		TRY(elbv2_rule_find(c, in->rule_arns.v[i], &b, &l, &r));
		elbv2_rule_show(c, &b, &l, &r, VEC_PUSH(c->arena, &out->rules, &capacity));
	}
	if (listed) {
		TRY(elbv2_listener_find(c, in->listener_arn, &b, &l));
		TRY(elbv2_rules(ec2_here(c), l.id, &rules));
		for (size_t i = 0; i < rules.n; i++)
			elbv2_rule_show(c, &b, &l, &rules.v[i], VEC_PUSH(c->arena, &out->rules, &capacity));
	}
	return elbv2_page(c, &out->rules, sizeof(*out->rules.v), in->page_size, in->marker, &out->next_marker);
}

/* All at once: two rules may change places. */
status elbv2_set_rule_priorities(
	struct call *c, const struct elbv2_set_rule_priorities_input *in, struct elbv2_set_rule_priorities_output *out)
{
	struct elbv2_rec_balancer b;
	struct elbv2_rec_listener l;
	struct elbv2_all_rules rules;
	size_t capacity = 0;
	struct str listener = STR_NONE;
	if (!in->rule_priorities.n) return call_fail(c, ERR_VALIDATION, "A rule priority must be specified");
	for (size_t i = 0; i < in->rule_priorities.n; i++) {
		const struct elbv2_rule_priority_pair *p = &in->rule_priorities.v[i];
		struct elbv2_rec_rule r;
		if (!str_has(p->rule_arn) || !p->priority.has)
			return call_fail(c, ERR_VALIDATION, "A rule ARN and a priority must be specified");
		TRY(elbv2_rule_find(c, p->rule_arn, &b, &l, &r));
		if (!r.priority.v)
			return ELBV2_FAIL(
				c, OPERATION_NOT_PERMITTED, "The priority of default rules cannot be modified");
		if (str_has(listener) && !str_eq(listener, l.id))
			return call_fail(c, ERR_VALIDATION, "The rules must belong to the same listener");
		listener = l.id;
		r.priority = p->priority;
		elbv2_rule_put(ec2_here(c), l.id, &r);
	}
	TRY(elbv2_rules(ec2_here(c), l.id, &rules));
	for (size_t i = 1; i < rules.n; i++)
		if (rules.v[i].priority.v == rules.v[i - 1].priority.v)
			return ELBV2_FAIL(
				c, PRIORITY_IN_USE, "Priority '%d' is currently in use", rules.v[i].priority.v);
	elbv2_balancer_changed(c, &b);
	for (size_t i = 0; i < in->rule_priorities.n; i++) {
		struct elbv2_rec_rule r;
		TRY(elbv2_rule_find(c, in->rule_priorities.v[i].rule_arn, &b, &l, &r));
		elbv2_rule_show(c, &b, &l, &r, VEC_PUSH(c->arena, &out->rules, &capacity));
	}
	return OK;
}
