/* A stack's own tags, which every resource carries that takes tags ("Resource tag", CloudFormation Template Reference),
 * beside those that CloudFormation itself sets. What a resource was last tagged with stands in its record, so that a
 * change of the stack's tags alone finds the resources that are to be tagged anew. */
#include "services/cloudformation/internal.h"
#include "services/cloudformation/recipe.h"

static struct json_value *own_tags(struct arena *a, const struct cloudformation_rec_tags *tags)
{
	struct json_value *list = cfn_list(a);
	for (size_t i = 0; i < tags->n; i++)
		cfn_append(list, STR_NONE,
			cfn_put(cfn_one(a, "Key", tags->v[i].key), a, "Value", str_or(tags->v[i].value, STR(""))));
	return list;
}

const struct cloudformation_rec_tags *cfn_tags_wanted(const struct cloudformation_rec_stack *s)
{
	bool back = str_is(str_or(s->status, STR("")), "UPDATE_ROLLBACK_IN_PROGRESS") && s->previous;
	return back ? &s->previous->tags : &s->settings->tags;
}

struct str cfn_tags_text(struct arena *a, const struct cloudformation_rec_tags *tags)
{
	return cfn_json(a, own_tags(a, tags));
}

/* With those that CloudFormation sets. */
static const struct json_value *with_system_tags(struct arena *a, const struct cloudformation_rec_stack *s,
	const struct cloudformation_rec_resource *r, struct json_value *list)
{
	const struct {
		const char *key;
		struct str value;
	} own[] = {
		{"aws:cloudformation:stack-name", s->name},
		{"aws:cloudformation:stack-id", s->id},
		{"aws:cloudformation:logical-id", r->logical_id},
	};
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		cfn_append(list, STR_NONE, cfn_put(cfn_one(a, "Key", str_c(own[i].key)), a, "Value", own[i].value));
	return list;
}

const struct json_value *cfn_tags_now(
	struct arena *a, const struct cloudformation_rec_stack *s, const struct cloudformation_rec_resource *r)
{
	return with_system_tags(a, s, r, own_tags(a, cfn_tags_wanted(s)));
}

static struct json_value *tags_had(struct arena *a, const struct cloudformation_rec_resource *r)
{
	struct json_value *list;
	return str_has(r->stack_tags) && is_ok(json_read(a, r->stack_tags, &list)) ? list : NULL;
}

const struct json_value *cfn_tags_before(
	struct arena *a, const struct cloudformation_rec_stack *s, const struct cloudformation_rec_resource *r)
{
	struct json_value *list = tags_had(a, r);
	if (!list) list = own_tags(a, s->previous ? &s->previous->tags : &s->settings->tags);
	return with_system_tags(a, s, r, list);
}

static bool holds(const struct json_value *list, const struct json_value *tag)
{
	for (const struct json_value *t = list->first; t; t = t->next)
		if (cfn_equal(t, tag)) return true;
	return false;
}

bool cfn_tags_same(
	struct arena *a, const struct cloudformation_rec_tags *one, const struct cloudformation_rec_tags *other)
{
	const struct json_value *x = own_tags(a, one), *y = own_tags(a, other);
	if (x->length != y->length) return false;
	for (const struct json_value *t = x->first; t; t = t->next)
		if (!holds(y, t)) return false;
	return true;
}

static bool takes_tags(struct arena *a, const struct cfn_type *type)
{
	static const char *const by_themselves[] = {"AWS::CloudFormation::Stack", "AWS::CloudFormation::StackSet",
		"AWS::SQS::Queue", "AWS::SSM::Parameter"};
	struct cfn_recipe recipe;
	if (!str_has(type->tags)) return false;
	for (size_t i = 0; i < sizeof(by_themselves) / sizeof(*by_themselves); i++)
		if (str_eq(type->name, str_c(by_themselves[i]))) return true;
	return is_ok(cfn_recipe_find(a, type->name, &recipe)) && str_has(cfn_recipe_line(&recipe, "tag"));
}

bool cfn_tags_due(struct arena *a, const struct cfn_type *type, const struct cloudformation_rec_resource *r,
	const struct cloudformation_rec_tags *wanted, const struct cloudformation_rec_tags *before)
{
	const struct json_value *had = tags_had(a, r), *want = own_tags(a, wanted);
	if (!had) had = own_tags(a, before);
	bool same = had->length == want->length;
	for (const struct json_value *t = want->first; t && same; t = t->next) same = holds(had, t);
	return !same && takes_tags(a, type);
}
