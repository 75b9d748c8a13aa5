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
	struct cfn_actual *actual;                                /* of a drift-aware one, or NULL */
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

/* ── drift-aware change sets ("Using drift-aware change sets", CloudFormation User Guide) ───────────────────────────
 */

/* A resource as a drift-aware change set sees it. */
struct seen {
	const char *status;                   /* of its drift; NULL: not looked at */
	struct cloudformation_rec_resource r; /* with its properties as they are */
	const struct json_value *deployed, *live;
};

/* Properties as they are, where they can be told: what differs from both the record and the template is the live value.
 */
static void look(struct preview *p, const struct cloudformation_rec_resource *r, const struct json_value *wanted,
	struct seen *out)
{
	struct arena *a = p->c->arena;
	struct json_value *deployed, *attributes, *actual = cfn_object(a);
	struct cfn_work w;
	*out = (struct seen){.r = *r};
	if (!p->actual || !str_has(r->physical_id)) return;
	if (!is_ok(json_read(a, str_or(r->properties, STR("{}")), &deployed))) deployed = cfn_object(a);
	if (!is_ok(json_read(a, str_or(r->attributes, STR("{}")), &attributes))) attributes = NULL;
	status read = cfn_read_live(
		p->c->cloud, &p->view.who, a, cfn_place_of(p->s), r->type, r->physical_id, deployed, attributes, &w);
	out->deployed = deployed;
	out->status = "NOT_CHECKED";
	if (status_is(read, STATUS_NOT_FOUND)) {
		out->status = "DELETED";
		out->r.physical_id = STR_NONE;
		struct json_value *gone = cfn_object(a);
		gone->type = JSON_IS_NULL;
		cfn_set(p->actual->found, r->logical_id, gone);
		p->actual->drifted = true;
		return;
	}
	if (!is_ok(read) || !w.live) return;
	out->live = w.live;
	bool drifted = false;
	for (const struct json_value *d = deployed->first; d; d = d->next) {
		const struct json_value *now = json_member(w.live, d->name), *want = json_member(wanted, d->name);
		bool differs = now && cfn_holds(a, d, now) == 0;
		drifted |= differs;
		bool as_wanted = differs && want && cfn_holds(a, want, now) == 1;
		cfn_set(actual, d->name, cfn_copy(a, as_wanted ? want : differs ? now : d));
	}
	out->status = drifted ? "MODIFIED" : "IN_SYNC";
	if (!drifted) return;
	p->actual->drifted = true;
	out->r.properties = cfn_json(a, actual);
	cfn_set(p->actual->found, r->logical_id, actual);
}

/* What the details of a change owe to drift. */
static void tell_drift(
	struct preview *p, const struct seen *s, const struct json_value *wanted, struct json_value *list)
{
	struct arena *a = p->c->arena;
	for (struct json_value *d = list->first; d && s->live; d = d->next) {
		struct json_value *target = json_member(d, STR("Target"));
		struct str name = cfn_at(target, "Name");
		const struct json_value *was = str_has(name) ? json_member(s->deployed, name) : NULL,
					*now = str_has(name) ? json_member(s->live, name) : NULL;
		if (!was || !now || cfn_holds(a, was, now) != 0) continue;
		struct json_value *drift = cfn_one(a, "PreviousValue", str_or(json_scalar(was), cfn_json(a, was)));
		cfn_put(drift, a, "ActualValue", str_or(json_scalar(now), cfn_json(a, now)));
		cfn_put(drift, a, "DriftDetectionTimestamp", time_iso8601(a, p->c->now_ms, true));
		cfn_append(target, STR("Drift"), drift);
		cfn_put(target, a, "BeforeValueFrom", STR("ACTUAL_STATE"));
		cfn_put(target, a, "AfterValueFrom", STR("TEMPLATE"));
		cfn_put(target, a, "AttributeChangeType", json_member(wanted, name) ? STR("Modify") : STR("Remove"));
	}
}

/* The change that was added last. */
static void tell_drift_status(struct preview *p, const struct seen *s)
{
	struct json_value *last = p->changes->first;
	while (last && last->next) last = last->next;
	if (s->status && last)
		cfn_put(json_member(last, STR("ResourceChange")), p->c->arena, "ResourceDriftStatus", str_c(s->status));
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
	struct seen seen = {0};
	const struct cloudformation_rec_resource *recorded = r;
	if (r) {
		look(p, r, wanted, &seen);
		r = &seen.r;
	}
	enum cfn_action action = cfn_decide(a, &type, r, wanted, &changed, &replacing);
	if (r && !is_ok(json_read(a, str_or(r->properties, STR("{}")), &before))) before = NULL;
	/* The template says by now what the resource is already: only its record changes. */
	if (action == CFN_KEEP && seen.status && str_is(str_c(seen.status), "MODIFIED")) {
		add_change(p, "SyncWithActual", c->name, r->physical_id, name, "False", NULL);
		tell_drift_status(p, &seen);
		return OK;
	}
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
		add_change(p, str_has(physical) ? "Import" : "Add", c->name,
			str_or(physical, recorded ? recorded->physical_id : STR_NONE), name, NULL, NULL);
		if (recorded) tell_drift_status(p, &seen);
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
		tell_drift(p, &seen, wanted, list);
		add_change(p, "Modify", c->name, r->physical_id, name, maybe ? "Conditional" : "False", list);
		tell_drift_status(p, &seen);
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
	struct cfn_actual *actual, struct json_value **out)
{
	struct arena *a = c->arena;
	struct preview p = {.c = c,
		.s = s,
		.t = t,
		.changes = cfn_list(a),
		.imports = imports,
		.actual = actual,
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
