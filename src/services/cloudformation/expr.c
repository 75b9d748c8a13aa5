/* A recipe's expressions: see recipe.h and docs/decisions/0041-cloudformation-recipes.md. */
#include "base/vec.h"
#include "services/cloudformation/recipe.h"

struct str cfn_cut_outside(struct str *rest, char c)
{
	int depth = 0;
	for (size_t i = 0; i < rest->n; i++) {
		char ch = rest->p[i];
		if (ch == '[' || ch == '(' || ch == '{') depth++;
		if (ch == ']' || ch == ')' || ch == '}') depth--;
		if (ch != c || depth) continue;
		struct str head = str_sub(*rest, 0, i);
		*rest = str_from(*rest, i + 1);
		return head;
	}
	struct str all = *rest;
	*rest = STR_NONE;
	return all;
}

static const struct json_value *member_like(const struct json_value *v, struct str name)
{
	const struct json_value *exact = json_member(v, name);
	if (exact || !json_is(v, JSON_IS_OBJECT)) return exact;
	for (const struct json_value *c = v->first; c; c = c->next)
		if (str_ieq(c->name, name)) return c;
	return NULL;
}

const struct json_value *cfn_path(const struct json_value *v, struct str path)
{
	while (v && str_has(path)) {
		struct str part = str_cut(&path, '.');
		int64_t i;
		if (str_empty(part)) continue;
		if (v->type != JSON_IS_ARRAY) {
			v = member_like(v, part);
			continue;
		}
		if (!is_ok(str_to_i64(part, &i))) return NULL;
		for (v = v->first; v && i > 0; i--) v = v->next;
	}
	return v;
}

/* ── aliases: names of a property's members that the API spells otherwise ────────────────────────────────────────── */

/* "DestinationBucketName=TargetBucket ExpirationInDays=Expiration.Days Event=Events[]" */
static struct str alias_of(struct str words, struct str name)
{
	while (str_has(words)) {
		struct str to = str_cut(&words, ' '), from = str_cut(&to, '=');
		if (str_eq(from, name)) return str_or(to, STR(""));
	}
	return STR_NONE;
}

/* Puts v under a dotted name; objects on the way are made, or taken further where they are there. */
static void put_path(struct arena *a, struct json_value *object, struct str path, const struct json_value *v)
{
	while (str_chr(path, '.') >= 0) {
		struct str head = str_cut(&path, '.');
		const struct json_value *there = json_member(object, head);
		struct json_value *next = there ? cfn_copy(a, there) : cfn_object(a);
		cfn_set(object, head, next);
		object = next;
	}
	cfn_set(object, path, cfn_copy(a, v));
}

static const struct json_value *rename_members(struct arena *a, const struct json_value *v, struct str words)
{
	if (v->type != JSON_IS_OBJECT && v->type != JSON_IS_ARRAY) return v;
	struct json_value *to = v->type == JSON_IS_OBJECT ? cfn_object(a) : cfn_list(a);
	for (const struct json_value *c = v->first; c; c = c->next) {
		const struct json_value *value = rename_members(a, c, words);
		if (v->type == JSON_IS_ARRAY) {
			cfn_append(to, STR_NONE, cfn_copy(a, value));
			continue;
		}
		struct str name = alias_of(words, c->name);
		if (!str_has(name)) {
			cfn_set(to, c->name, cfn_copy(a, value));
			continue;
		}
		if (str_ends(name, STR("[]"))) {
			struct json_value *list = cfn_list(a);
			cfn_append(list, STR_NONE, cfn_copy(a, value));
			value = list;
			name = str_sub(name, 0, name.n - 2);
		}
		if (name.n) put_path(a, to, name, value); /* "A=": it is left out */
	}
	return to;
}

/* Lines "alias Property A=B …". */
static const struct json_value *with_aliases(struct cfn_eval *x, struct str property, const struct json_value *v)
{
	for (size_t i = 0; v && i < x->r->n; i++) {
		struct str words = x->r->v[i].words;
		if (!str_is(x->r->v[i].kind, "alias")) continue;
		if (str_eq(str_cut(&words, ' '), property) && str_has(words)) v = rename_members(x->w->a, v, words);
	}
	return v;
}

/* ── values ───────────────────────────────────────────────────────────────────────────────────────────────────── */

const struct json_value *cfn_aliased(struct cfn_eval *x, const struct json_value *properties, struct str name)
{
	return with_aliases(x, name, json_member(properties, name));
}

static const struct json_value *property(struct cfn_eval *x, const struct json_value *all, struct str path)
{
	struct str rest = path, name = str_cut(&rest, '.');
	const struct json_value *v = cfn_aliased(x, all, name);
	return str_has(rest) ? cfn_path(v, rest) : v;
}

static const struct json_value *text(struct cfn_eval *x, struct str s)
{
	return str_has(s) ? cfn_text(x->w->a, s) : NULL;
}

static struct json_value *filter(struct arena *a, const char *name, struct str value)
{
	struct json_value *f = cfn_one(a, "Name", str_c(name)), *values = cfn_list(a);
	cfn_append(values, STR_NONE, cfn_text(a, value));
	cfn_append(f, STR("Values"), values);
	return f;
}

/* Filters of EC2 for what this resource's creation made. */
static const struct json_value *mine(struct cfn_work *w)
{
	struct json_value *list = cfn_list(w->a);
	cfn_append(list, STR_NONE, filter(w->a, "tag:aws:cloudformation:stack-id", w->stack_id));
	cfn_append(list, STR_NONE, filter(w->a, "tag:aws:cloudformation:logical-id", w->logical_id));
	return list;
}

static const struct json_value *tag_list(struct cfn_work *w, const struct json_value *tags, struct str names)
{
	struct str key = str_cut(&names, ',');
	return cfn_tags_named(w, tags, str_z(w->a, key), str_z(w->a, str_or(names, STR("Value"))));
}

static const struct json_value *specification(struct cfn_work *w, struct str type)
{
	struct json_value *list = cfn_list(w->a), *spec = cfn_one(w->a, "ResourceType", type);
	cfn_put_value(spec, w->a, "Tags", cfn_tags(w));
	cfn_append(list, STR_NONE, spec);
	return list;
}

static const struct json_value *keys(struct cfn_eval *x, struct str name)
{
	if (!str_has(name) || !x->del) return x->del;
	struct json_value *list = cfn_list(x->w->a);
	for (const struct json_value *k = x->del->first; k; k = k->next)
		cfn_append(list, STR_NONE, cfn_one(x->w->a, str_z(x->w->a, name), json_scalar(k)));
	return list;
}

/* "$name(RoleName,64)" */
static const struct json_value *name_of(struct cfn_eval *x, struct str args, bool lower)
{
	struct str name = str_cut(&args, ',');
	int64_t max = 0;
	if (!str_has(args) || !is_ok(str_to_i64(args, &max))) return NULL;
	return text(x, cfn_name(x->w, str_z(x->w->a, name), (size_t)max, lower));
}

static struct str id_part(struct str id, struct str n)
{
	int64_t i;
	if (!is_ok(str_to_i64(n, &i))) return STR_NONE;
	struct str part = STR_NONE;
	for (; i >= 0; i--) {
		if (!str_has(id)) return STR_NONE;
		part = str_cut(&id, '|');
	}
	return part;
}

/* "$filters(vpc-id=$id,default='true)": EC2's, of one value each. */
static const struct json_value *filters(struct cfn_eval *x, struct str args)
{
	struct json_value *list = cfn_list(x->w->a);
	while (str_has(args)) {
		struct str value = cfn_cut_outside(&args, ','), name = str_cut(&value, '=');
		struct str text_ = cfn_expr_text(x, str_or(value, STR("")));
		if (str_has(text_)) cfn_append(list, STR_NONE, filter(x->w->a, str_z(x->w->a, name), text_));
	}
	return list;
}

/* "$pluck(<CidrBlockAssociationSet,AssociationId)": that member of each. */
static const struct json_value *pluck(struct cfn_eval *x, struct str args)
{
	struct str from = cfn_cut_outside(&args, ',');
	const struct json_value *all = cfn_expr(x, from);
	if (!json_is(all, JSON_IS_ARRAY)) return NULL;
	struct json_value *list = cfn_list(x->w->a);
	for (const struct json_value *c = all->first; c; c = c->next) {
		const struct json_value *v = cfn_path(c, args);
		if (v) cfn_append(list, STR_NONE, cfn_copy(x->w->a, v));
	}
	return list;
}

/* "$join(VPCZoneIdentifier)": a list's texts with commas between. */
static const struct json_value *join(struct cfn_eval *x, struct str args)
{
	const struct json_value *all = cfn_expr(x, args);
	struct buf b = BUF_IN(x->w->a);
	if (!json_is(all, JSON_IS_ARRAY)) return all;
	for (const struct json_value *c = all->first; c; c = c->next) {
		if (c != all->first) buf_byte(&b, ',');
		buf_str(&b, str_or(json_scalar(c), STR("")));
	}
	return all->first ? text(x, buf_done(&b)) : NULL;
}

/* "$after($id,:loadbalancer/)": what comes behind those letters. */
static const struct json_value *after(struct cfn_eval *x, struct str args)
{
	struct str given = cfn_expr_text(x, cfn_cut_outside(&args, ','));
	ptrdiff_t at = str_has(given) && str_has(args) ? str_find(given, args) : -1;
	return at < 0 ? NULL : text(x, str_from(given, (size_t)at + args.n));
}

/* "$part(ScalingTargetId,1)": between bars. */
static const struct json_value *part(struct cfn_eval *x, struct str args)
{
	struct str given = cfn_expr_text(x, cfn_cut_outside(&args, ','));
	struct str found = str_has(given) && str_has(args) ? id_part(given, args) : STR_NONE;
	return str_has(found) ? text(x, found) : NULL;
}

/* Of AWS::DynamoDB::GlobalTable: the replica of this region. */
static const struct json_value *replica_here(struct cfn_work *w)
{
	const struct json_value *all = cfn_value(w, "Replicas");
	for (const struct json_value *c = all ? all->first : NULL; c; c = c->next)
		if (str_eq(str_or(cfn_at(c, "Region"), STR("")), w->region)) return c;
	return NULL;
}

static const struct json_value *read_text(struct cfn_eval *x, struct str args)
{
	struct json_value *v;
	struct str given = cfn_expr_text(x, args), plain;
	if (!str_has(given)) return NULL;
	if (str_starts(given, STR("%")) && is_ok(str_uri_decode(x->w->a, given, false, &plain))) given = plain;
	return is_ok(json_read(x->w->a, given, &v)) ? v : NULL;
}

/* Of services whose tags may not begin with aws: at all. */
static const struct json_value *own_tags(struct cfn_work *w)
{
	struct json_value *list = cfn_list(w->a);
	for (const struct json_value *t = cfn_tags(w)->first; t; t = t->next)
		if (!str_starts(cfn_at(t, "Key"), STR("aws:"))) cfn_append(list, STR_NONE, cfn_copy(w->a, t));
	return list->length ? list : NULL;
}

static const struct json_value *builtin(struct cfn_eval *x, struct str e)
{
	struct cfn_work *w = x->w;
	struct str args = STR_NONE, name = e;
	ptrdiff_t open = str_chr(e, '(');
	if (open > 0) {
		name = str_sub(e, 0, (size_t)open);
		args = str_sub(e, (size_t)open + 1, e.n - (size_t)open - 2);
	}
	const struct json_value *tags = x->add ? x->add : w->tags;
	if (str_is(name, "id")) return text(x, w->physical_id);
	if (str_starts(name, STR("id/"))) return text(x, id_part(w->physical_id, str_from(name, 3)));
	if (str_is(name, "token")) return text(x, w->token);
	if (str_is(name, "account")) return text(x, w->account);
	if (str_is(name, "region")) return text(x, w->region);
	if (str_is(name, "partition")) return text(x, w->partition);
	if (str_is(name, "logical")) return text(x, w->logical_id);
	if (str_is(name, "stack")) return text(x, w->stack_name);
	if (str_is(name, "each")) return x->each;
	if (str_starts(name, STR("each."))) return cfn_path(x->each, str_from(name, 5));
	if (str_is(name, "was")) return x->was;
	if (str_is(name, "now")) return cfn_recipe_now(x);
	if (str_starts(name, STR("now."))) return cfn_path(cfn_recipe_now(x), str_from(name, 4));
	if (str_is(name, "here")) return replica_here(w);
	if (str_starts(name, STR("here."))) return cfn_path(replica_here(w), str_from(name, 5));
	if (str_is(name, "mine")) return mine(w);
	if (str_is(name, "filters")) return filters(x, args);
	if (str_is(name, "pluck")) return pluck(x, args);
	if (str_is(name, "join")) return join(x, args);
	if (str_is(name, "after")) return after(x, args);
	if (str_is(name, "part")) return part(x, args);
	if (str_is(name, "json")) return read_text(x, args);
	if (str_is(name, "changed")) return cfn_changed(w, str_z(w->a, args)) ? cfn_text(w->a, STR("true")) : NULL;
	/* Without any (Cloud Control adds none) the member is left out. */
	bool none = !x->add && !cfn_tags(w)->length;
	if (none && (str_is(name, "alltags") || str_is(name, "tags") || str_is(name, "tagmap") || str_is(name, "spec")))
		return NULL;
	if (str_is(name, "owntags")) return own_tags(w);
	if (str_is(name, "owntagmap")) return own_tags(w) ? cfn_tags_map(w, own_tags(w)) : NULL;
	if (str_is(name, "alltags")) return cfn_tags(w);
	if (str_is(name, "name")) return name_of(x, args, false);
	if (str_is(name, "lname")) return name_of(x, args, true);
	if (str_is(name, "spec")) return specification(w, args);
	if (str_is(name, "keys")) return keys(x, args);
	if (!x->add) tags = cfn_tags(w);
	if (str_is(name, "tags")) return str_has(args) ? tag_list(w, tags, args) : tags;
	if (str_is(name, "tagmap")) return cfn_tags_map(w, tags);
	return NULL;
}

static const struct json_value *template_text(struct cfn_eval *x, struct str t)
{
	struct buf b = BUF_IN(x->w->a);
	while (str_has(t)) {
		ptrdiff_t open = str_chr(t, '{'), close = open < 0 ? -1 : str_chr(t, '}');
		if (open < 0 || close < open) {
			buf_str(&b, t);
			break;
		}
		buf_str(&b, str_sub(t, 0, (size_t)open));
		struct str inner = cfn_expr_text(x, str_sub(t, (size_t)open + 1, (size_t)(close - open - 1)));
		if (!str_has(inner)) return NULL;
		buf_str(&b, inner);
		t = str_from(t, (size_t)close + 1);
	}
	return text(x, buf_done(&b));
}

/* "{Name=expression,…}": nothing where none of what is not a literal is there. */
static const struct json_value *object(struct cfn_eval *x, struct str members)
{
	struct json_value *to = cfn_object(x->w->a);
	bool any = false, all_literal = true;
	while (str_has(members)) {
		struct str value = cfn_cut_outside(&members, ','), name = str_cut(&value, '=');
		const struct json_value *v = cfn_expr(x, str_or(value, STR("")));
		bool literal = str_starts(str_or(value, STR("")), STR("'"));
		if (v) cfn_set(to, name, cfn_copy(x->w->a, v));
		any |= v && !literal;
		all_literal &= literal;
	}
	return any || all_literal ? to : NULL;
}

static const struct json_value *one(struct cfn_eval *x, struct str e)
{
	struct json_value *list, *literal;
	bool known;
	struct str rest = str_from(e, 1);
	switch (e.n ? e.p[0] : 0) {
	case 0:
		return NULL;
	case '[':
		list = cfn_list(x->w->a);
		rest = str_sub(e, 1, e.n - 2);
		while (str_has(rest)) {
			const struct json_value *v = cfn_expr(x, cfn_cut_outside(&rest, ','));
			if (v) cfn_append(list, STR_NONE, cfn_copy(x->w->a, v));
		}
		return list->length ? list : NULL;
	case '{':
		return object(x, str_sub(e, 1, e.n - 2));
	case '%':
		return template_text(x, rest);
	case '\'':
		return text(x, rest);
	case '!':
		return text(
			x, str_is(str_or(cfn_expr_text(x, rest), STR("false")), "true") ? STR("false") : STR("true"));
	case '`':
		return is_ok(json_read(x->w->a, rest, &literal)) ? literal : NULL;
	case '@':
		return json_member(x->w->attributes, rest);
	case '<':
		return cfn_path(x->item, rest) ? cfn_path(x->item, rest) : cfn_path(x->out, rest);
	case '>':
		return cfn_path(x->in, rest);
	case '-':
		return property(x, x->w->before, rest);
	case '$':
		return builtin(x, rest);
	case '#':
		return cfn_shape(x, rest, &known);
	default:
		return property(x, x->w->properties, e);
	}
}

const struct json_value *cfn_expr(struct cfn_eval *x, struct str e)
{
	if (str_starts(e, STR("%"))) return template_text(x, str_from(e, 1));
	if (str_starts(e, STR("`"))) return one(x, e);
	while (str_has(e)) {
		const struct json_value *v = one(x, cfn_cut_outside(&e, '|'));
		if (v) return v;
	}
	return NULL;
}

struct str cfn_expr_text(struct cfn_eval *x, struct str e)
{
	return json_scalar(cfn_expr(x, e));
}

void cfn_expr_names(struct arena *a, struct str e, struct cfn_names *names, size_t *capacity)
{
	if (str_starts(e, STR("`"))) return;
	if (str_starts(e, STR("%"))) {
		for (ptrdiff_t open; (open = str_chr(e, '{')) >= 0;) {
			e = str_from(e, (size_t)open + 1);
			cfn_expr_names(a, str_cut(&e, '}'), names, capacity);
			if (!str_has(e)) return;
		}
		return;
	}
	while (str_has(e)) {
		struct str part = cfn_cut_outside(&e, '|');
		char c = part.n ? part.p[0] : '\'';
		if (c == '[' || c == '{') {
			struct str rest = str_sub(part, 1, part.n - 2);
			while (str_has(rest)) {
				struct str inner = cfn_cut_outside(&rest, ',');
				if (c == '{') str_cut(&inner, '=');
				if (str_has(inner)) cfn_expr_names(a, inner, names, capacity);
			}
		} else if (c == '%') {
			cfn_expr_names(a, part, names, capacity);
		} else if (c == '!') {
			cfn_expr_names(a, str_from(part, 1), names, capacity);
		} else if (str_starts(part, STR("$name(")) || str_starts(part, STR("$lname("))) {
			struct str rest = str_from(part, (size_t)str_chr(part, '(') + 1);
			struct str property_name = str_cut(&rest, ',');
			if (!str_is(property_name, "-")) *VEC_PUSH(a, names, capacity) = property_name;
		} else if (str_starts(part, STR("$pluck(")) || str_starts(part, STR("$part(")) ||
			   str_starts(part, STR("$after("))) {
			struct str rest = str_from(part, (size_t)str_chr(part, '(') + 1);
			cfn_expr_names(a, str_cut(&rest, ','), names, capacity);
		} else if (str_starts(part, STR("$join("))) {
			cfn_expr_names(a, str_sub(part, 6, part.n - 7), names, capacity);
		} else if (str_starts(part, STR("$here"))) {
			*VEC_PUSH(a, names, capacity) = STR("Replicas");
		} else if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) {
			*VEC_PUSH(a, names, capacity) = str_cut(&part, '.');
		}
	}
}
