/* What an update would do, before it is done: for change sets, and to tell an update that changes nothing. */
#include "base/vec.h"
#include "services/cloudformation/operations.h"

struct preview {
	struct call *c;
	const struct cloudformation_rec_stack *s;
	const struct cfn_template *t;
	struct cfn_resources resources;
	struct cfn_view view;
	struct cfn_names unknown, done, versioned;
	size_t unknown_capacity, done_capacity, versioned_capacity;
	struct json_value *changes;
	struct cfn_imports *imports;
	const struct cloudformation_rec_tags *tags, *tags_before; /* of the stack */
};

static const struct cloudformation_rec_resource *find(const struct cfn_resources *r, struct str logical_id)
{
	for (size_t i = 0; i < r->n; i++)
		if (str_eq(r->v[i].logical_id, logical_id)) return &r->v[i];
	return NULL;
}

static bool has_unknown(const struct json_value *v)
{
	if (v->type == JSON_IS_STRING) return str_find(v->text, STR(CFN_UNKNOWN)) >= 0;
	for (const struct json_value *c = v->first; c; c = c->next)
		if (has_unknown(c)) return true;
	return false;
}

static struct json_value *details(struct arena *a, const struct cfn_names *changed, const struct cfn_names *replacing,
	const struct json_value *before, const struct json_value *after, const struct cfn_type *type)
{
	struct json_value *list = cfn_list(a);
	for (size_t i = 0; i < changed->n; i++) {
		struct json_value *target = cfn_object(a), *detail = cfn_object(a);
		const struct cfn_property *p = cfn_struct_property(&type->properties, changed->v[i]);
		bool tags = str_has(type->tags) && str_eq(changed->v[i], type->tags);
		cfn_put(target, a, "Attribute", tags ? STR("Tags") : STR("Properties"));
		if (!tags) cfn_put(target, a, "Name", changed->v[i]);
		cfn_put(target, a, "RequiresRecreation",
			cfn_names_have(replacing, changed->v[i]) ? STR("Always")
			: p && p->change == CFN_MAY_REPLACE      ? STR("Conditionally")
								 : STR("Never"));
		const struct json_value *x = json_member(before, changed->v[i]), *y = json_member(after, changed->v[i]);
		if (x) cfn_put(target, a, "BeforeValue", str_or(json_scalar(x), cfn_json(a, x)));
		if (y) cfn_put(target, a, "AfterValue", str_or(json_scalar(y), cfn_json(a, y)));
		cfn_append(detail, STR("Target"), target);
		/* "Dynamic: the value depends on the execution of the change set" (ResourceChangeDetail). */
		bool later = y && has_unknown(y);
		cfn_put(detail, a, "Evaluation", later ? STR("Dynamic") : STR("Static"));
		cfn_put(detail, a, "ChangeSource", later ? STR("ResourceAttribute") : STR("DirectModification"));
		cfn_append(list, STR_NONE, detail);
	}
	return list;
}

/* The stack's tags, which the resource carries, change. */
static void add_tags_detail(struct arena *a, struct json_value *list)
{
	for (const struct json_value *d = list->first; d; d = d->next)
		if (str_is(cfn_at(d, "Target.Attribute"), "Tags")) return;
	struct json_value *target = cfn_one(a, "Attribute", STR("Tags")), *detail = cfn_object(a);
	cfn_put(target, a, "RequiresRecreation", STR("Never"));
	cfn_append(detail, STR("Target"), target);
	cfn_put(detail, a, "Evaluation", STR("Static"));
	cfn_put(detail, a, "ChangeSource", STR("DirectModification"));
	cfn_append(list, STR_NONE, detail);
}

static void add_change(struct preview *p, const char *action, struct str logical_id, struct str physical_id,
	struct str type, const char *replacement, struct json_value *detail_list)
{
	struct arena *a = p->c->arena;
	struct json_value *change = cfn_object(a), *outer = cfn_object(a), *scope = cfn_list(a);
	cfn_put(change, a, "Action", str_c(action));
	cfn_put(change, a, "LogicalResourceId", logical_id);
	cfn_put(change, a, "PhysicalResourceId", physical_id);
	cfn_put(change, a, "ResourceType", type);
	if (replacement) cfn_put(change, a, "Replacement", str_c(replacement));
	bool properties = false, tags = false;
	for (const struct json_value *d = detail_list ? detail_list->first : NULL; d; d = d->next) {
		bool t = str_is(cfn_at(d, "Target.Attribute"), "Tags");
		if (!(t ? tags : properties)) cfn_append(scope, STR_NONE, cfn_text(a, cfn_at(d, "Target.Attribute")));
		if (t)
			tags = true;
		else
			properties = true;
	}
	cfn_append(change, STR("Scope"), scope);
	cfn_append(change, STR("Details"), detail_list ? detail_list : cfn_list(a));
	cfn_put(outer, a, "Type", STR("Resource"));
	cfn_append(outer, STR("ResourceChange"), change);
	cfn_append(p->changes, STR_NONE, outer);
}

static status judge(struct preview *p, const struct json_value *c)
{
	struct arena *a = p->c->arena;
	const struct cloudformation_rec_resource *r = find(&p->resources, c->name);
	const struct json_value *properties = json_member(c, STR("Properties")), *wanted = cfn_object(a);
	struct cfn_type type;
	struct cfn_names changed, replacing;
	struct json_value *before = NULL;
	struct str why = STR_NONE, name = json_string(json_member(c, STR("Type")));
	if (!is_ok(cfn_type_find(a, name, &type)))
		return cfn_invalid(p->c, str_fmt(a, "Unrecognized resource types: [%.*s]", STR_ARG(name)));
	if (properties && !is_ok(cfn_evaluate(&p->view.scope, properties, &wanted, &why)))
		return cfn_invalid(p->c, why);
	enum cfn_action action = cfn_decide(a, &type, r, wanted, &changed, &replacing);
	if (r && !is_ok(json_read(a, str_or(r->properties, STR("{}")), &before))) before = NULL;
	const struct json_value *policy = json_member(c, STR("UpdatePolicy")), *rules = NULL;
	if (action == CFN_UPDATE && policy && is_ok(cfn_evaluate(&p->view.scope, policy, &rules, &why)) && rules &&
		cfn_group_replaced(&type, rules, &changed)) {
		action = CFN_REPLACE;
		size_t n = 0;
		replacing = (struct cfn_names){0};
		for (size_t i = 0; i < changed.n; i++)
			if (cfn_group_replaced(&type, rules, &(struct cfn_names){&changed.v[i], 1}))
				*VEC_PUSH(a, &replacing, &n) = changed.v[i];
	}
	bool retag =
		r && (action == CFN_KEEP || action == CFN_UPDATE) && cfn_tags_due(a, &type, r, p->tags, p->tags_before);
	if (retag && action == CFN_KEEP) action = CFN_RETAG;
	switch (action) {
	case CFN_KEEP:
		return OK;
	case CFN_RETAG: {
		struct json_value *list = cfn_list(a);
		add_tags_detail(a, list);
		add_change(p, "Modify", c->name, r->physical_id, name, "False", list);
		return OK;
	}
	case CFN_CREATE: {
		struct str physical = STR_NONE;
		if (p->imports) TRY(cfn_import_find(p->c, &p->view.who, p->imports, &type, c->name, wanted, &physical));
		if (str_has(physical)) cfn_put(p->imports->found, a, str_z(a, c->name), physical);
		add_change(p, str_has(physical) ? "Import" : "Add", c->name, physical, name, NULL, NULL);
		break;
	}
	case CFN_UPDATE: {
		bool maybe = false;
		if (str_is(name, "AWS::EC2::LaunchTemplate") && cfn_names_have(&changed, STR("LaunchTemplateData")))
			*VEC_PUSH(a, &p->versioned, &p->versioned_capacity) = c->name;
		if (p->imports && p->imports->nested && str_is(name, "AWS::CloudFormation::Stack")) {
			struct json_value *n = cfn_one(a, "LogicalId", c->name);
			cfn_put(n, a, "StackId", r->physical_id);
			cfn_put_value(n, a, "Properties", wanted);
			cfn_append(p->imports->nested, STR_NONE, n);
		}
		for (size_t i = 0; i < changed.n; i++) {
			const struct cfn_property *known = cfn_struct_property(&type.properties, changed.v[i]);
			maybe |= known && known->change == CFN_MAY_REPLACE;
		}
		struct json_value *list = details(a, &changed, &replacing, before, wanted, &type);
		if (retag) add_tags_detail(a, list);
		add_change(p, "Modify", c->name, r->physical_id, name, maybe ? "Conditional" : "False", list);
		return OK;
	}
	case CFN_REPLACE: {
		bool only_unknown = replacing.n > 0;
		for (size_t i = 0; i < replacing.n; i++) {
			const struct json_value *v = json_member(wanted, replacing.v[i]);
			only_unknown &= v && has_unknown(v);
		}
		add_change(p, "Modify", c->name, r->physical_id, name, only_unknown ? "Conditional" : "True",
			details(a, &changed, &replacing, before, wanted, &type));
		break;
	}
	}
	*VEC_PUSH(a, &p->unknown, &p->unknown_capacity) = c->name;
	return OK;
}

status cfn_changes(struct call *c, const struct cloudformation_rec_stack *s,
	const struct cloudformation_rec_settings *settings, const struct cfn_template *t, struct cfn_imports *imports,
	struct json_value **out)
{
	struct arena *a = c->arena;
	struct preview p = {.c = c,
		.s = s,
		.t = t,
		.changes = cfn_list(a),
		.imports = imports,
		.tags = &settings->tags,
		.tags_before = s->settings ? &s->settings->tags : &settings->tags};
	struct cloudformation_rec_stack next = *s;
	struct str why;
	next.settings = arena_copy(a, settings, sizeof(*settings));
	TRY(cfn_resources_load(c->tx, a, s, &p.resources));
	cfn_view_init(&p.view, c->cloud, a, &next, t, &settings->parameters, &p.resources);
	/* With a role given, it is the role that looks things up, as it will be the one that makes them. */
	struct cloudformation_rec_caller caller;
	cfn_caller_keep(c, &caller);
	next.account = c->account;
	next.region = c->region;
	next.caller = &caller;
	if (!is_ok(cfn_who(c->cloud, a, &next, &p.view.who, &why))) return cfn_invalid(c, why);
	p.view.scope.preview = true;
	p.view.unknown = &p.unknown;
	p.view.versioned = &p.versioned;
	/* Each after what it needs, so that what will be replaced is known to be unknown. */
	for (size_t left = t->resources->length + 1; left;) {
		size_t before = p.done.n;
		for (const struct json_value *r = t->resources->first; r; r = r->next) {
			struct cfn_names needs;
			bool ready = !cfn_names_have(&p.done, r->name), applies;
			if (!ready) continue;
			cfn_resource_needs(a, t, r, &needs);
			for (size_t i = 0; i < needs.n && ready; i++) ready = cfn_names_have(&p.done, needs.v[i]);
			if (!ready) continue;
			*VEC_PUSH(a, &p.done, &p.done_capacity) = r->name;
			if (!is_ok(cfn_applies(&p.view.scope, r, &applies, &why))) return cfn_invalid(c, why);
			if (applies) TRY(judge(&p, r));
		}
		left = p.done.n > before && p.done.n < t->resources->length;
	}
	for (size_t i = 0; i < p.resources.n; i++) {
		const struct cloudformation_rec_resource *r = &p.resources.v[i];
		const struct json_value *kept = json_member(t->resources, r->logical_id);
		bool applies = kept != NULL;
		if (kept && !is_ok(cfn_applies(&p.view.scope, kept, &applies, &why))) return cfn_invalid(c, why);
		if (!applies) add_change(&p, "Remove", r->logical_id, r->physical_id, r->type, NULL, NULL);
	}
	*out = p.changes;
	return OK;
}
