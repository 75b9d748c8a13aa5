/* What a template's parts need of each other: names that have to be there, and no circles among resources. */
#include "base/vec.h"
#include "services/cloudformation/template.h"

bool cfn_names_have(const struct cfn_names *names, struct str name)
{
	for (size_t i = 0; i < names->n; i++)
		if (str_eq(names->v[i], name)) return true;
	return false;
}

struct walk {
	struct arena *a;
	const struct cfn_template *t;
	struct cfn_names *needs; /* resources that are referred to */
	size_t capacity;
	/* of checking */
	bool check;
	struct cfn_names missing; /* neither resource nor parameter */
	size_t missing_capacity;
	const char *where;
	bool resources_allowed; /* Conditions and Rules may not refer to resources */
	struct str *why;
	const struct json_value *locals; /* Fn::Sub's own names */
};

static void add(struct arena *a, struct cfn_names *names, size_t *capacity, struct str name)
{
	if (!cfn_names_have(names, name)) *VEC_PUSH(a, names, capacity) = name;
}

static bool is_pseudo(struct str name)
{
	static const char *const all[] = {"AWS::AccountId", "AWS::NotificationARNs", "AWS::NoValue", "AWS::Partition",
		"AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix"};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (str_eq(name, str_c(all[i]))) return true;
	return false;
}

static void refer(struct walk *w, struct str name)
{
	if (is_pseudo(name) || json_member(w->t->parameters, name)) return;
	if (json_member(w->t->resources, name) && w->resources_allowed)
		add(w->a, w->needs, &w->capacity, name);
	else
		add(w->a, &w->missing, &w->missing_capacity, name);
}

static status get_attribute(struct walk *w, struct str name)
{
	if (json_member(w->t->resources, name) && w->resources_allowed) {
		add(w->a, w->needs, &w->capacity, name);
		return OK;
	}
	if (!w->check) return OK;
	*w->why = str_fmt(
		w->a, "Template error: instance of Fn::GetAtt references undefined resource %.*s", STR_ARG(name));
	return STATUS(INVALID);
}

static status walk(struct walk *w, const struct json_value *v);

static status walk_sub(struct walk *w, const struct json_value *f)
{
	struct str text = json_string(f);
	const struct json_value *locals = NULL;
	if (f->type == JSON_IS_ARRAY && f->length == 2 && f->first->next->type == JSON_IS_OBJECT) {
		text = json_string(f->first);
		locals = f->first->next;
		for (const struct json_value *c = locals->first; c; c = c->next) TRY(walk(w, c));
	}
	if (!str_has(text)) {
		if (!w->check) return OK;
		*w->why = STR("Template error: One or more Fn::Sub intrinsic functions don't specify expected "
			      "arguments. Specify a "
			      "string as first argument, and an optional second argument to specify a mapping of "
			      "values to replace "
			      "in the string");
		return STATUS(INVALID);
	}
	struct cfn_sub_piece p;
	while (cfn_sub_next(w->a, &text, &p)) {
		if (p.kind != '$' || (locals && json_member(locals, p.text))) continue;
		ptrdiff_t dot = str_chr(p.text, '.');
		if (dot > 0)
			TRY(get_attribute(w, str_sub(p.text, 0, (size_t)dot)));
		else
			refer(w, p.text);
	}
	return OK;
}

static status walk_condition_name(struct walk *w, struct str name)
{
	if (!w->check || json_member(w->t->conditions, name)) return OK;
	*w->why = str_fmt(w->a,
		"Template format error: Unresolved condition dependency %.*s in the %s block of the template",
		STR_ARG(name), w->where);
	return STATUS(INVALID);
}

static status walk(struct walk *w, const struct json_value *v)
{
	const struct json_value *f = cfn_function(v);
	if (f && str_is(f->name, "Ref") && f->type == JSON_IS_STRING) {
		refer(w, f->text);
		return OK;
	}
	if (f && str_is(f->name, "Fn::GetAtt")) {
		struct str name = f->type == JSON_IS_ARRAY ? json_string(f->first) : json_string(f);
		if (f->type == JSON_IS_STRING && str_chr(name, '.') > 0)
			name = str_sub(name, 0, (size_t)str_chr(name, '.'));
		if (!str_has(name) || (f->type == JSON_IS_ARRAY && f->length < 2)) {
			if (!w->check) return OK;
			*w->why = STR("Template error: Fn::GetAtt object requires two non-empty parameters, the "
				      "resource name and the "
				      "resource attribute");
			return STATUS(INVALID);
		}
		TRY(get_attribute(w, name));
		return f->type == JSON_IS_ARRAY ? walk(w, f->first->next) : OK;
	}
	if (f && str_is(f->name, "Fn::Sub")) return walk_sub(w, f);
	if (f && str_is(f->name, "Condition")) return walk_condition_name(w, f->text);
	if (f && str_is(f->name, "Fn::If") && f->type == JSON_IS_ARRAY && json_is(f->first, JSON_IS_STRING))
		TRY(walk_condition_name(w, f->first->text));
	for (const struct json_value *c = v->first; c; c = c->next) TRY(walk(w, c));
	return OK;
}

static status depends_on(struct walk *w, const struct json_value *resource)
{
	const struct json_value *d = json_member(resource, STR("DependsOn"));
	if (!d) return OK;
	const struct json_value *c = d->type == JSON_IS_ARRAY ? d->first : d;
	for (; c; c = d->type == JSON_IS_ARRAY ? c->next : NULL) {
		struct str name = json_string(c);
		if (!str_has(name)) {
			if (!w->check) continue;
			*w->why =
				str_fmt(w->a, "Template format error: DependsOn must be a string or list of strings.");
			return STATUS(INVALID);
		}
		if (json_member(w->t->resources, name))
			add(w->a, w->needs, &w->capacity, name);
		else
			add(w->a, &w->missing, &w->missing_capacity, name);
	}
	return OK;
}

void cfn_resource_needs(
	struct arena *a, const struct cfn_template *t, const struct json_value *resource, struct cfn_names *out)
{
	struct str why;
	*out = (struct cfn_names){0};
	struct walk w = {.a = a, .t = t, .needs = out, .resources_allowed = true, .why = &why};
	static const char *const parts[] = {"Properties", "Metadata", "UpdatePolicy", "CreationPolicy"};
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		const struct json_value *v = json_member(resource, str_c(parts[i]));
		if (v) (void)!is_ok(walk(&w, v));
	}
	(void)!is_ok(depends_on(&w, resource));
}

static struct str listed(struct arena *a, const struct cfn_names *names)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < names->n; i++) {
		if (i) buf_lit(&b, ", ");
		buf_str(&b, names->v[i]);
	}
	return buf_done(&b);
}

static status check_section(struct walk *w, const struct json_value *section, const char *where, bool resources_allowed)
{
	if (!section) return OK;
	w->where = where;
	w->resources_allowed = resources_allowed;
	for (const struct json_value *c = section->first; c; c = c->next) {
		struct cfn_names needs = {0};
		w->needs = &needs;
		w->capacity = 0;
		if (section == w->t->resources) {
			for (const struct json_value *p = c->first; p; p = p->next)
				if (str_is(p->name, "Properties") || str_is(p->name, "Metadata") ||
					str_is(p->name, "UpdatePolicy") || str_is(p->name, "CreationPolicy"))
					TRY(walk(w, p));
			TRY(depends_on(w, c));
		} else {
			TRY(walk(w, c));
		}
		const struct json_value *condition = json_member(c, STR("Condition"));
		if (section != w->t->conditions && json_is(condition, JSON_IS_STRING))
			TRY(walk_condition_name(w, condition->text));
	}
	if (!w->missing.n) return OK;
	*w->why = str_fmt(w->a,
		"Template format error: Unresolved resource dependencies [%.*s] in the %s block of the template",
		STR_ARG(listed(w->a, &w->missing)), where);
	return STATUS(INVALID);
}

/* Resources that stay when all that need nothing more are taken away again and again. */
static status check_circles(struct arena *a, const struct cfn_template *t, struct str *why)
{
	size_t n = t->resources->length, left = n, i = 0;
	const struct json_value **r = arena_new_n(a, const struct json_value *, n);
	struct cfn_names *needs = arena_new_n(a, struct cfn_names, n);
	bool *gone = arena_new_n(a, bool, n);
	for (const struct json_value *c = t->resources->first; c; c = c->next, i++) {
		r[i] = c;
		cfn_resource_needs(a, t, c, &needs[i]);
	}
	struct cfn_names taken = {0};
	size_t capacity = 0;
	for (bool some = true; some && left;) {
		some = false;
		for (i = 0; i < n; i++) {
			if (gone[i]) continue;
			bool ready = true;
			for (size_t k = 0; k < needs[i].n && ready; k++) ready = cfn_names_have(&taken, needs[i].v[k]);
			if (!ready) continue;
			gone[i] = some = true;
			left--;
			*VEC_PUSH(a, &taken, &capacity) = r[i]->name;
		}
	}
	if (!left) return OK;
	struct cfn_names circle = {0};
	capacity = 0;
	for (i = 0; i < n; i++)
		if (!gone[i]) *VEC_PUSH(a, &circle, &capacity) = r[i]->name;
	*why = str_fmt(a, "Circular dependency between resources: [%.*s]", STR_ARG(listed(a, &circle)));
	return STATUS(INVALID);
}

/* Conditions may use each other, but not in a circle: none is met again while it is open. */
enum mark { UNSEEN, OPEN, DONE };
struct condition_walk {
	struct arena *a;
	const struct json_value *conditions;
	enum mark *marks; /* by place in the section */
	struct str *why;
};
static status visit_condition(struct condition_walk *w, struct str name);
static status visit_value(struct condition_walk *w, const struct json_value *v)
{
	const struct json_value *f = cfn_function(v);
	if (f && str_is(f->name, "Condition")) return visit_condition(w, f->text);
	for (const struct json_value *c = v->first; c; c = c->next) TRY(visit_value(w, c));
	return OK;
}
static status visit_condition(struct condition_walk *w, struct str name)
{
	size_t i = 0;
	const struct json_value *c = w->conditions->first;
	while (c && !str_eq(c->name, name)) c = c->next, i++;
	if (!c || w->marks[i] == DONE) return OK;
	if (w->marks[i] == OPEN) {
		*w->why = str_fmt(
			w->a, "Template format error: Circular dependency between conditions: [%.*s]", STR_ARG(name));
		return STATUS(INVALID);
	}
	w->marks[i] = OPEN;
	TRY(visit_value(w, c));
	w->marks[i] = DONE;
	return OK;
}

status cfn_template_check(struct arena *a, const struct cfn_template *t, struct str *why)
{
	struct walk w = {.a = a, .t = t, .check = true, .why = why};
	TRY(check_section(&w, t->conditions, "Conditions", false));
	TRY(check_section(&w, t->resources, "Resources", true));
	TRY(check_section(&w, t->outputs, "Outputs", true));
	if (t->conditions) {
		struct condition_walk conditions = {
			a, t->conditions, arena_new_n(a, enum mark, t->conditions->length + 1), why};
		for (const struct json_value *c = t->conditions->first; c; c = c->next)
			TRY(visit_condition(&conditions, c->name));
	}
	return check_circles(a, t, why);
}
