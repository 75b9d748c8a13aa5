/* AWS::ElasticLoadBalancing::LoadBalancer ("AWS::ElasticLoadBalancing::LoadBalancer" and its property types,
 * CloudFormation Template Reference): made by its recipe, and then its policies: three properties define them, and two
 * more places (a listener's PolicyNames, a policy's LoadBalancerPorts and InstancePorts) say who uses them. */
#include "base/vec.h"
#include "services/cloudformation/recipe.h"

static void define(struct cfn_work *w, struct json_value *all, const char *op, struct json_value *in)
{
	struct json_value *one = cfn_one(w->a, "Op", str_c(op));
	cfn_put(in, w->a, "LoadBalancerName", w->physical_id);
	cfn_append(one, STR("In"), in);
	cfn_set(all, str_or(cfn_at(in, "PolicyName"), STR("")), one);
}

/* {name: {Op: what makes it, In: with what}} */
static const struct json_value *defined(struct cfn_work *w, const struct json_value *properties)
{
	static const struct {
		const char *property, *op;
	} cookies[] = {{"AppCookieStickinessPolicy", "CreateAppCookieStickinessPolicy"},
		{"LBCookieStickinessPolicy", "CreateLBCookieStickinessPolicy"}};
	struct json_value *all = cfn_object(w->a);
	for (size_t i = 0; i < sizeof(cookies) / sizeof(*cookies); i++) {
		const struct json_value *list = json_member(properties, str_c(cookies[i].property));
		for (const struct json_value *p = list ? list->first : NULL; p; p = p->next) {
			struct json_value *in = cfn_object(w->a);
			for (const struct json_value *m = p->first; m; m = m->next)
				cfn_append(in, m->name, cfn_copy(w->a, m));
			define(w, all, cookies[i].op, in);
		}
	}
	const struct json_value *policies = json_member(properties, STR("Policies"));
	for (const struct json_value *p = policies ? policies->first : NULL; p; p = p->next) {
		struct json_value *in = cfn_one(w->a, "PolicyName", cfn_at(p, "PolicyName")),
				  *attributes = cfn_list(w->a);
		const struct json_value *given = cfn_in(p, "Attributes");
		for (const struct json_value *m = given ? given->first : NULL; m; m = m->next) {
			struct json_value *one = cfn_one(w->a, "AttributeName", cfn_at(m, "Name"));
			cfn_append(attributes, STR_NONE, cfn_put(one, w->a, "AttributeValue", cfn_at(m, "Value")));
		}
		cfn_put(in, w->a, "PolicyTypeName", cfn_at(p, "PolicyType"));
		cfn_append(in, STR("PolicyAttributes"), attributes);
		define(w, all, "CreateLoadBalancerPolicy", in);
	}
	return all;
}

static bool lists(const struct json_value *list, struct str text)
{
	for (const struct json_value *v = list ? list->first : NULL; v; v = v->next)
		if (str_eq(str_or(json_scalar(v), STR("")), text)) return true;
	return false;
}

/* Names of the policies that say themselves that this port uses them. */
static void add_users(struct cfn_work *w, const struct json_value *properties, const char *ports, struct str port,
	struct json_value *names)
{
	const struct json_value *policies = json_member(properties, STR("Policies"));
	for (const struct json_value *p = policies ? policies->first : NULL; p; p = p->next) {
		struct str name = str_or(cfn_at(p, "PolicyName"), STR(""));
		if (lists(cfn_in(p, ports), port) && !lists(names, name))
			cfn_append(names, STR_NONE, cfn_text(w->a, name));
	}
}

static const struct json_value *listener_at(const struct json_value *properties, struct str port)
{
	const struct json_value *all = json_member(properties, STR("Listeners"));
	for (const struct json_value *l = all ? all->first : NULL; l; l = l->next)
		if (str_eq(str_or(cfn_at(l, "LoadBalancerPort"), STR("")), port)) return l;
	return NULL;
}

static struct json_value *names_at(struct cfn_work *w, const struct json_value *properties, struct str port)
{
	struct json_value *names = cfn_list(w->a);
	const struct json_value *own = cfn_in(listener_at(properties, port), "PolicyNames");
	for (const struct json_value *n = own ? own->first : NULL; n; n = n->next)
		cfn_append(names, STR_NONE, cfn_copy(w->a, n));
	add_users(w, properties, "LoadBalancerPorts", port, names);
	return names;
}

static struct json_value *names_behind(struct cfn_work *w, const struct json_value *properties, struct str port)
{
	struct json_value *names = cfn_list(w->a);
	add_users(w, properties, "InstancePorts", port, names);
	return names;
}

static status use(struct cfn_work *w, bool listener, struct str port, const struct json_value *names)
{
	struct json_value *in = cfn_one(w->a, "LoadBalancerName", w->physical_id);
	cfn_put(in, w->a, listener ? "LoadBalancerPort" : "InstancePort", port);
	cfn_put_value(in, w->a, "PolicyNames", names);
	/* Of a port that no listener has, or forwards to, any more there is nothing to take away. */
	return cfn_do_unless(w, "elb",
		listener ? "SetLoadBalancerPoliciesOfListener" : "SetLoadBalancerPoliciesForBackendServer", in,
		names->length ? "" : "InvalidConfigurationRequest,ListenerNotFound");
}

/* Ports of instances that policies of either side name. */
static struct json_value *instance_ports(struct cfn_work *w, const struct json_value *before)
{
	struct json_value *ports = cfn_list(w->a);
	const struct json_value *sides[] = {before, w->properties};
	for (size_t i = 0; i < 2; i++) {
		const struct json_value *policies = json_member(sides[i], STR("Policies"));
		for (const struct json_value *p = policies ? policies->first : NULL; p; p = p->next) {
			const struct json_value *own = cfn_in(p, "InstancePorts");
			for (const struct json_value *n = own ? own->first : NULL; n; n = n->next)
				if (!lists(ports, json_scalar(n)))
					cfn_append(ports, STR_NONE, cfn_text(w->a, json_scalar(n)));
		}
	}
	return ports;
}

static bool any_stale(const struct json_value *was, const struct json_value *now)
{
	for (const struct json_value *d = was->first; d; d = d->next)
		if (!cfn_equal(d, json_member(now, d->name))) return true;
	return false;
}

/* Before listeners change: policies that go or change (they are made anew) are used by nobody any more, and deleted;
 * and no port of the instances uses what it is not to. */
static status let_go(struct cfn_work *w)
{
	const struct json_value *was = defined(w, w->before), *now = defined(w, w->properties), *none = cfn_list(w->a),
				*ports = instance_ports(w, w->before),
				*listeners = json_member(w->before, STR("Listeners"));
	bool stale = any_stale(was, now);
	for (const struct json_value *l = listeners ? listeners->first : NULL; l && stale; l = l->next) {
		struct str port = str_or(cfn_at(l, "LoadBalancerPort"), STR(""));
		if (names_at(w, w->before, port)->length) TRY(use(w, true, port, none));
	}
	for (const struct json_value *p = ports->first; p; p = p->next) {
		bool unwanted = stale || !names_behind(w, w->properties, json_scalar(p))->length;
		if (unwanted && names_behind(w, w->before, json_scalar(p))->length)
			TRY(use(w, false, json_scalar(p), none));
	}
	for (const struct json_value *d = was->first; d; d = d->next) {
		if (cfn_equal(d, json_member(now, d->name))) continue;
		struct json_value *in = cfn_one(w->a, "LoadBalancerName", w->physical_id);
		cfn_put(in, w->a, "PolicyName", d->name);
		TRY(cfn_do_unless(w, "elb", "DeleteLoadBalancerPolicy", in, "PolicyNotFound"));
	}
	return OK;
}

static status settle_policies(struct cfn_work *w, const struct json_value *before)
{
	const struct json_value *was = defined(w, before), *now = defined(w, w->properties),
				*ports = instance_ports(w, before), *listeners = cfn_value(w, "Listeners");
	bool stale = any_stale(was, now);
	for (const struct json_value *d = now->first; d; d = d->next)
		if (!cfn_equal(d, json_member(was, d->name)))
			TRY(cfn_do_unless(w, "elb", str_z(w->a, cfn_at(d, "Op")), cfn_in(d, "In"),
				w->again ? "DuplicatePolicyName" : ""));
	for (const struct json_value *l = listeners ? listeners->first : NULL; l; l = l->next) {
		struct str port = str_or(cfn_at(l, "LoadBalancerPort"), STR(""));
		struct json_value *want = names_at(w, w->properties, port), *had = names_at(w, before, port);
		bool same = !stale && cfn_equal(want, had) && cfn_equal(l, listener_at(before, port));
		if (!same && (want->length || had->length)) TRY(use(w, true, port, want));
	}
	for (const struct json_value *p = ports->first; p; p = p->next) {
		struct json_value *want = names_behind(w, w->properties, json_scalar(p)),
				  *had = names_behind(w, before, json_scalar(p));
		if (want->length && (stale || !cfn_equal(want, had))) TRY(use(w, false, json_scalar(p), want));
	}
	return OK;
}

static status create(struct cfn_work *w)
{
	TRY(cfn_recipe_create(w));
	return settle_policies(w, cfn_object(w->a));
}

static status update(struct cfn_work *w)
{
	if (w->only_tags) return cfn_recipe_retag(w);
	TRY(let_go(w));
	TRY(cfn_recipe_update(w));
	return settle_policies(w, w->before);
}

const struct cfn_handler cfn_classic_balancer[] = {
	{"AWS::ElasticLoadBalancing::LoadBalancer", create, cfn_recipe_settle, update, cfn_recipe_remove,
		cfn_recipe_read},
	{0},
};
