/* What has to happen to a resource: nothing, a change in place, or a replacement ("Update behaviors of stack
 * resources"). */
#include "base/vec.h"
#include "services/cloudformation/internal.h"

static void compare(struct arena *a, const struct cfn_type *type, const struct json_value *x,
	const struct json_value *y, const struct json_value *names_of, struct cfn_names *changed,
	size_t *changed_capacity, struct cfn_names *replacing, size_t *replacing_capacity)
{
	for (const struct json_value *p = names_of ? names_of->first : NULL; p; p = p->next) {
		if (cfn_names_have(changed, p->name) || cfn_equal(json_member(x, p->name), json_member(y, p->name)))
			continue;
		*VEC_PUSH(a, changed, changed_capacity) = p->name;
		const struct cfn_property *known = cfn_struct_property(&type->properties, p->name);
		if (known && known->change == CFN_REPLACES) *VEC_PUSH(a, replacing, replacing_capacity) = p->name;
	}
}

enum cfn_action cfn_decide(struct arena *a, const struct cfn_type *type, const struct cloudformation_rec_resource *r,
	const struct json_value *wanted, struct cfn_names *changed, struct cfn_names *replacing)
{
	*changed = *replacing = (struct cfn_names){0};
	if (!r || !str_has(r->physical_id)) return CFN_CREATE;
	if (!str_eq(r->type, type->name)) return CFN_REPLACE;
	struct json_value *before = NULL;
	size_t n = 0, m = 0;
	if (!is_ok(json_read(a, str_or(r->properties, STR("{}")), &before))) before = cfn_object(a);
	compare(a, type, before, wanted, wanted, changed, &n, replacing, &m);
	compare(a, type, before, wanted, before, changed, &n, replacing, &m);
	if (replacing->n) return CFN_REPLACE;
	const struct cfn_handler *h = cfn_handler_of(type->name);
	if (changed->n) return h && h->update ? CFN_UPDATE : CFN_REPLACE;
	/* What failed half-way is done once more, so that it is as its record says. */
	return str_is(r->status, "UPDATE_FAILED") ? CFN_UPDATE : CFN_KEEP;
}
