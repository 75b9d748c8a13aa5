/* Values of recipes ("#name") of balancers, groups of instances and databases: see recipe.h. */
#include "services/cloudformation/recipe.h"

/* Does the group hand this tag on to its instances? What the template says; the stack's tags are. */
static bool propagates(const struct cfn_work *w, struct str key)
{
	const struct json_value *own = cfn_value(w, "Tags");
	for (const struct json_value *t = own ? own->first : NULL; t; t = t->next)
		if (str_eq(str_or(cfn_at(t, "Key"), STR("")), key))
			return str_is(str_or(cfn_at(t, "PropagateAtLaunch"), STR("")), "true");
	return true;
}

static struct json_value *group_tag(struct cfn_eval *x, struct str key)
{
	struct json_value *tag = cfn_one(x->w->a, "Key", key);
	if (!x->add) return tag;
	cfn_put(tag, x->w->a, "ResourceId", x->w->physical_id);
	return cfn_put(tag, x->w->a, "ResourceType", STR("auto-scaling-group"));
}

const struct json_value *cfn_group_tags(struct cfn_eval *x)
{
	struct arena *a = x->w->a;
	struct json_value *list = cfn_list(a);
	const struct json_value *tags = x->add ? x->add : cfn_tags(x->w);
	for (const struct json_value *t = tags->first; t; t = t->next) {
		struct str key = cfn_at(t, "Key");
		struct json_value *tag = group_tag(x, key);
		cfn_put(tag, a, "Value", cfn_at(t, "Value"));
		cfn_put(tag, a, "PropagateAtLaunch", propagates(x->w, key) ? STR("true") : STR("false"));
		cfn_append(list, STR_NONE, tag);
	}
	return list->length ? list : NULL;
}

const struct json_value *cfn_group_tags_gone(struct cfn_eval *x)
{
	struct json_value *list = cfn_list(x->w->a);
	for (const struct json_value *k = x->del ? x->del->first : NULL; k; k = k->next)
		cfn_append(list, STR_NONE, group_tag(x, json_scalar(k)));
	return list;
}

/* A classic balancer's listeners as its creation takes them: who uses which policy is told afterwards. */
const struct json_value *cfn_classic_listeners(struct cfn_eval *x)
{
	struct json_value *list = cfn_list(x->w->a);
	const struct json_value *all = cfn_value(x->w, "Listeners");
	for (const struct json_value *l = all ? all->first : NULL; l; l = l->next) {
		struct json_value *one = cfn_object(x->w->a);
		for (const struct json_value *m = l->first; m; m = m->next)
			if (!str_is(m->name, "PolicyNames")) cfn_append(one, m->name, cfn_copy(x->w->a, m));
		cfn_append(list, STR_NONE, one);
	}
	return list;
}

/* A database's version as the template has it, where what runs is of that major one: minor ones come by themselves. */
const struct json_value *cfn_engine_version(struct cfn_eval *x)
{
	const struct json_value *wanted = cfn_value(x->w, "EngineVersion"),
				*live = json_member(x->item, STR("EngineVersion"));
	struct str one = str_or(json_scalar(wanted), STR("")), other = str_or(json_scalar(live), STR(""));
	bool same = wanted && live && str_eq(str_cut(&one, '.'), str_cut(&other, '.'));
	return same ? wanted : live;
}
