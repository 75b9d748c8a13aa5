/* Making, changing, describing and removing a resource by its recipe: see recipe.h. */
#include "base/vec.h"
#include "services/cloudformation/recipe.h"
#include <time.h>

enum { STILL_USED_MS = 60 * 1000, STILL_MISSED_MS = 60 * 1000, NEXT_BEGINS_MS = 1000 };

static status begin(struct cfn_eval *x, struct cfn_work *w)
{
	struct cfn_recipe *r = arena_new(w->a, struct cfn_recipe);
	*x = (struct cfn_eval){.w = w, .r = r};
	if (is_ok(cfn_recipe_find(w->a, w->type->name, r))) return OK;
	return cfn_fail(w, "Resource type %.*s is not supported by virga yet", STR_ARG(w->type->name));
}

/* Behind the word that a line is about, or its operation. */
static struct str about(const struct cfn_line *l)
{
	struct str rest = l->words, word = str_cut(&rest, ' ');
	return str_cut(&word, '/');
}
static bool is(const struct cfn_line *l, const char *kind)
{
	return str_eq(l->kind, str_c(kind));
}

/* "if:Property", "if:!Property", "if:Property=value": as text; an absent one and "false" are no. */
static bool holds(struct cfn_eval *x, struct str condition)
{
	bool no = str_starts(condition, STR("!"));
	if (no) condition = str_from(condition, 1);
	struct str e = str_cut(&condition, '=');
	const struct json_value *v = cfn_expr(x, e);
	struct str text = json_scalar(v);
	bool yes = v && !str_is(str_or(text, STR("")), "false");
	if (str_has(condition) && str_starts(condition, STR("$")))
		condition = str_or(cfn_expr_text(x, condition), STR(""));
	if (str_has(condition)) yes = v && str_eq(str_or(text, STR("")), condition);
	return yes != no;
}

static bool conditions_hold(struct cfn_eval *x, struct str words)
{
	while (str_has(words)) {
		struct str word = str_cut(&words, ' ');
		if (str_starts(word, STR("->"))) break;
		if (str_starts(word, STR("if:")) && !holds(x, str_from(word, 3))) return false;
	}
	return true;
}

static void put_argument(struct cfn_eval *x, struct json_value *in, struct str word)
{
	ptrdiff_t equals = str_chr(word, '=');
	struct str member = equals < 0 ? word : str_sub(word, 0, (size_t)equals);
	const struct json_value *v = cfn_expr(x, equals < 0 ? word : str_from(word, (size_t)equals + 1));
	if (!v) return;
	struct json_value *object = in;
	while (str_chr(member, '.') >= 0) {
		struct str head = str_cut(&member, '.');
		const struct json_value *there = json_member(object, head);
		struct json_value *next = there ? cfn_copy(x->w->a, there) : cfn_object(x->w->a);
		cfn_set(object, head, next);
		object = next;
	}
	cfn_set(object, member, cfn_copy(x->w->a, v));
}

static bool in_list(struct str list, struct str s)
{
	while (str_has(list))
		if (str_eq(str_cut(&list, ','), s)) return true;
	return false;
}

/* "TableStatus=ACTIVE": what the next call needs. Such states last for milliseconds in virga; no worker waits for long.
 */
static status wait_for(struct cfn_eval *x, struct str state)
{
	struct str path = str_cut(&state, '=');
	for (unsigned i = 0; i < 600; i++) {
		struct cfn_eval other = *x;
		const struct json_value *now = cfn_recipe_now(&other);
		if (now && in_list(state, str_or(json_scalar(cfn_path(now, path)), STR("")))) return OK;
		if (!now && cfn_says_gone(x->w->code)) break;
		struct timespec pause = {.tv_nsec = i < 50 ? 5000000 : 50000000};
		nanosleep(&pause, NULL);
	}
	return cfn_fail(x->w, "Resource %.*s did not stabilize", STR_ARG(x->w->logical_id));
}

/* Does what the words say: "[service:]Operation Member=expression … ok:Codes"; *path: where the answer's interesting
 * part is ("-> Vpcs.0"), or "". The answer is in x->out. */
static status call(struct cfn_eval *x, struct str words, struct str *path)
{
	struct cfn_work *w = x->w;
	struct str op = str_cut(&words, ' '), service = x->r->service, ok = STR(""), fault = STR_NONE;
	struct inside_caller who = w->who;
	struct json_value *in = cfn_object(w->a);
	if (str_chr(op, ':') > 0) service = str_cut(&op, ':');
	if (path) *path = STR("");
	while (str_has(words)) {
		struct str word = str_cut(&words, ' ');
		if (str_is(word, "->")) {
			struct str to = str_cut(&words, ' ');
			if (path) *path = to;
			break;
		}
		if (str_starts(word, STR("ok:"))) ok = str_from(word, 3);
		if (str_starts(word, STR("fault:"))) fault = str_from(word, 6);
		if (str_starts(word, STR("in:")))
			w->who.region = str_or(cfn_expr_text(x, str_from(word, 3)), who.region);
		if (str_starts(word, STR("as:"))) {
			struct str role = cfn_expr_text(x, str_from(word, 3));
			if (!is_ok(cfn_assume(w->cloud, w->a, role, STR("AWSCloudFormation"), &w->who, &w->why))) {
				w->who = who;
				w->code = STR("AccessDenied");
				return STATUS(FAILED);
			}
		}
		if (str_starts(word, STR("wait:"))) TRY(wait_for(x, str_from(word, 5)));
		if (cfn_is_argument(word)) put_argument(x, in, word);
	}
	x->in = in;
	x->out = NULL;
	status s = cfn_do(w, str_z(w->a, service), str_z(w->a, op), in, &x->out);
	w->who = who;
	if (is_ok(s) && str_has(fault) && cfn_path(x->out, fault)) {
		w->code = STR("GeneralServiceException");
		s = cfn_fail(w, "%.*s", STR_ARG(str_or(json_scalar(cfn_path(x->out, fault)), STR("It failed"))));
	}
	while (!is_ok(s) && str_has(ok) && ok.n)
		if (str_eq(str_cut(&ok, ','), w->code)) return OK;
	return s;
}

static status call_line(struct cfn_eval *x, const struct cfn_line *l)
{
	struct str words = l->words;
	if (cfn_line_has_subject(l)) str_cut(&words, ' ');
	status s = call(x, words, NULL);
	/* What is to go and is not there has gone. */
	bool taking = is(l, "gone") || is(l, "drop") || is(l, "unset") || is(l, "before");
	return !is_ok(s) && taking && cfn_says_gone(x->w->code) ? OK : s;
}

/* ── what a recipe can do ─────────────────────────────────────────────────────────────────────────────────────── */

/* Names of the properties that its words read, and (extra) those behind "on:". */
static void names_in(struct arena *a, struct str words, bool extra, struct cfn_names *names, size_t *capacity)
{
	str_cut(&words, ' ');
	while (str_has(words)) {
		struct str word = str_cut(&words, ' ');
		if (str_starts(word, STR("->"))) break;
		if (extra && str_starts(word, STR("on:"))) {
			struct str list = str_from(word, 3);
			while (str_has(list)) *VEC_PUSH(a, names, capacity) = str_cut(&list, ',');
		}
		if (!cfn_is_argument(word)) continue;
		ptrdiff_t equals = str_chr(word, '=');
		cfn_expr_names(a, equals < 0 ? word : str_from(word, (size_t)equals + 1), names, capacity);
	}
}

/* Which properties make the line run: those behind "on:", else all that it reads; of lines over a list's elements the
 * list. */
static struct cfn_names triggers(struct arena *a, const struct cfn_line *l)
{
	struct cfn_names names = {0};
	size_t capacity = 0;
	if (cfn_line_has_subject(l)) {
		*VEC_PUSH(a, &names, &capacity) = about(l);
		return names;
	}
	bool makes = is(l, "create") || is(l, "delete") || is(l, "after");
	for (struct str rest = l->words; str_has(rest) && !makes;) {
		struct str word = str_cut(&rest, ' ');
		if (!str_starts(word, STR("on:"))) continue;
		struct str list = str_from(word, 3);
		while (str_has(list)) *VEC_PUSH(a, &names, &capacity) = str_cut(&list, ',');
		return names;
	}
	names_in(a, l->words, makes, &names, &capacity);
	return names;
}

/* Of a line over a list's elements: what else it reads has changed, so that all elements are done anew. */
static bool all_anew(struct cfn_work *w, const struct cfn_line *l)
{
	struct cfn_names names = {0};
	size_t capacity = 0;
	struct str words = l->words;
	str_cut(&words, ' ');
	names_in(w->a, words, true, &names, &capacity);
	for (size_t i = 0; i < names.n; i++)
		if (cfn_changed(w, str_z(w->a, names.v[i]))) return true;
	return false;
}

static bool listed(struct str words, struct str name)
{
	while (str_has(words))
		if (str_eq(str_cut(&words, ' '), name)) return true;
	return false;
}

static bool taggable(const struct cfn_eval *x)
{
	return str_has(x->w->type->tags) && str_has(cfn_recipe_line(x->r, "tag"));
}

/* Is there a line that does something with this property: when it is made, or (update) when it changes? */
static bool covered(struct cfn_eval *x, struct str property, bool update)
{
	if (str_has(x->w->type->tags) && str_eq(property, x->w->type->tags) && (!update || taggable(x))) return true;
	for (size_t i = 0; i < x->r->n; i++) {
		const struct cfn_line *l = &x->r->v[i];
		if (is(l, "ignore") && listed(l->words, property)) return true;
		bool changing = is(l, "set") || is(l, "update") || (cfn_line_has_subject(l) && !is(l, "fetch"));
		bool making = is(l, "create") || is(l, "after") || is(l, "delete");
		if (!changing && (update || !making)) continue;
		struct cfn_names names = triggers(x->w->a, l);
		size_t capacity = names.n;
		struct str words = l->words;
		str_cut(&words, ' ');
		if (cfn_line_has_subject(l)) names_in(x->w->a, words, true, &names, &capacity);
		if (cfn_names_have(&names, property)) return true;
	}
	return false;
}

static status check_covered(struct cfn_eval *x, bool update)
{
	struct cfn_work *w = x->w;
	struct buf missing = BUF_IN(w->a);
	for (const struct json_value *p = w->properties->first; p; p = p->next) {
		if (covered(x, p->name, update) || (update && !cfn_changed(w, str_z(w->a, p->name)))) continue;
		if (missing.n) buf_lit(&missing, ", ");
		buf_str(&missing, p->name);
	}
	if (!missing.n) return OK;
	w->code = STR("InvalidRequest");
	return cfn_fail(w, "virga does not support %s of %.*s: %.*s",
		update ? "changing these properties" : "these properties", STR_ARG(w->type->name),
		STR_ARG(buf_done(&missing)));
}

/* ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* x->item: the resource as its service describes it. FAILED with code NotFound where it is gone. */
static status describe(struct cfn_eval *x)
{
	struct str line = cfn_recipe_line(x->r, "describe"), path;
	x->item = NULL;
	if (!str_has(line)) return OK;
	status s = call(x, line, &path);
	if (!is_ok(s)) {
		if (cfn_says_gone(x->w->code)) x->w->code = STR("NotFound");
		return s;
	}
	x->item = cfn_path(x->out, path);
	struct str state = cfn_recipe_line(x->r, "gone-state");
	struct str where = str_cut(&state, '=');
	if (x->item && str_has(state)) {
		struct str now = str_or(json_scalar(cfn_path(x->item, where)), STR(""));
		while (str_has(state))
			if (str_eq(str_cut(&state, ','), now)) x->item = NULL;
	}
	if (x->item) return OK;
	x->w->code = STR("NotFound");
	return cfn_fail(x->w, "Resource of type '%.*s' with identifier '%.*s' was not found.",
		STR_ARG(x->w->type->name), STR_ARG(str_or(x->w->physical_id, STR(""))));
}

const struct json_value *cfn_recipe_now(struct cfn_eval *x)
{
	struct cfn_eval other = *x;
	return is_ok(describe(&other)) ? other.item : NULL;
}

/* "fetch Attribute Operation … -> path": what another operation tells of it. */
static void fetch_attributes(struct cfn_eval *x)
{
	for (size_t i = 0; i < x->r->n; i++) {
		if (!is(&x->r->v[i], "fetch")) continue;
		struct str words = x->r->v[i].words, name = str_cut(&words, ' '), path;
		if (!is_ok(call(x, words, &path))) continue;
		const struct json_value *v = cfn_path(x->out, path);
		if (v) cfn_attribute_value(x->w, str_z(x->w->a, name), v);
	}
}

/* Attributes: those that the description has under the same name, and what "attr Name=expression" tells. */
static void tell_attributes(struct cfn_eval *x, const struct json_value *created)
{
	struct cfn_work *w = x->w;
	for (size_t i = 0; i < w->type->n_attributes; i++) {
		struct str name = w->type->attributes[i];
		const struct json_value *v = cfn_path(x->item, name);
		if (!v) v = cfn_path(created, name);
		if (v) cfn_attribute_value(w, str_z(w->a, name), v);
	}
	x->out = created;
	for (size_t i = 0; i < x->r->n; i++) {
		struct str words = x->r->v[i].words;
		if (!is(&x->r->v[i], "attr")) continue;
		struct str name = str_cut(&words, '=');
		const struct json_value *v = cfn_expr(x, words);
		if (v) cfn_attribute_value(w, str_z(w->a, name), v);
	}
}

/* "ready State=available,active fail=failed": PENDING until it is one of these. */
static status ready(struct cfn_eval *x)
{
	struct str words = cfn_recipe_line(x->r, "ready");
	if (!str_has(words)) return OK;
	struct str good = str_cut(&words, ' '), path = str_cut(&good, '=');
	const struct json_value *v = cfn_path(x->item, path);
	struct str now = str_or(json_scalar(v), STR(""));
	while (str_has(good))
		if (str_eq(str_cut(&good, ','), now)) return OK;
	if (str_starts(str_or(words, STR("")), STR("fail="))) {
		struct str bad = str_from(words, 5);
		while (str_has(bad))
			if (str_eq(str_cut(&bad, ','), now))
				return cfn_fail(x->w, "Resource %.*s did not stabilize: its state is %.*s",
					STR_ARG(x->w->logical_id), STR_ARG(now));
	}
	return STATUS(PENDING);
}

status cfn_recipe_settle(struct cfn_work *w)
{
	struct cfn_eval x;
	TRY(begin(&x, w));
	TRY(describe(&x));
	TRY(ready(&x));
	tell_attributes(&x, NULL);
	fetch_attributes(&x);
	return OK;
}

status cfn_recipe_read(struct cfn_work *w)
{
	struct cfn_eval x;
	TRY(begin(&x, w));
	if (!str_has(cfn_recipe_line(x.r, "describe")))
		return cfn_fail(w, "Resources of type %.*s cannot be read", STR_ARG(w->type->name));
	TRY(describe(&x));
	tell_attributes(&x, NULL);
	w->live = cfn_object(w->a);
	for (size_t i = 0; i < w->type->properties.n; i++) {
		struct str name = w->type->properties.v[i].name;
		const struct json_value *v = cfn_path(x.item, name);
		if (v && !str_eq(name, str_or(w->type->tags, STR(""))))
			cfn_put_value(w->live, w->a, str_z(w->a, name), v);
	}
	for (size_t i = 0; i < x.r->n; i++) {
		struct str words = x.r->v[i].words;
		if (!is(&x.r->v[i], "live")) continue;
		struct str name = str_cut(&words, '=');
		const struct json_value *v = cfn_expr(&x, words);
		if (v) cfn_put_value(w->live, w->a, str_z(w->a, name), v);
	}
	return OK;
}

/* ── making ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What an earlier run of the same creation made, found by the stack's tags, in place of create's answer. */
static bool found_by_tags(struct cfn_eval *x)
{
	struct cfn_work *w = x->w;
	struct str find = cfn_recipe_line(x->r, "find"), id = cfn_recipe_line(x->r, "id"),
		   words = cfn_recipe_line(x->r, "describe");
	if (!str_has(find) || !str_has(words) || !str_starts(id, STR("<"))) return false;
	struct str op = str_cut(&words, ' '), path = str_from(words, (size_t)(str_find(words, STR("-> ")) + 3));
	struct str list = path, last = STR("");
	ptrdiff_t dot = str_rchr(list, '.');
	if (dot > 0) list = str_sub(path, 0, (size_t)dot);
	ptrdiff_t id_dot = str_rchr(id, '.');
	last = str_from(id, (size_t)(id_dot < 0 ? 1 : id_dot + 1));
	struct str all = str_fmt(w->a, "%.*s %.*s", STR_ARG(op), STR_ARG(find));
	if (!is_ok(call(x, all, NULL))) return false;
	const struct json_value *items = cfn_path(x->out, list);
	for (const struct json_value *c = items ? items->first : NULL; c; c = c->next) {
		struct str found = json_scalar(cfn_path(c, last));
		if (!str_has(found) || str_eq(found, str_or(w->old_physical_id, STR("")))) continue;
		struct str states = cfn_recipe_line(x->r, "gone-state"), where = str_cut(&states, '=');
		if (str_has(states) && in_list(states, str_or(json_scalar(cfn_path(c, where)), STR("")))) continue;
		w->physical_id = found;
		return true;
	}
	return false;
}

static status take_id(struct cfn_eval *x)
{
	x->w->physical_id = cfn_expr_text(x, cfn_recipe_line(x->r, "id"));
	if (str_has(x->w->physical_id)) return OK;
	return cfn_fail(x->w, "The id of the new %.*s was not told", STR_ARG(x->w->type->name));
}

/* "later:NoSuchBucket": what the creation misses may be what another resource of the stack is about to bring, although
 * the template orders them by no reference. On AWS, where each takes its seconds, such templates pass. others: some were
 * under way when the creation was tried; they may have ended meanwhile, and what waits for them has not begun yet. */
static bool may_come(struct cfn_work *w, struct str words, bool others)
{
	while (str_has(words)) {
		struct str word = str_cut(&words, ' ');
		if (!str_starts(word, STR("later:")) || !in_list(str_from(word, 6), w->code)) continue;
		if (!w->deadline_ms) w->deadline_ms = w->now_ms + STILL_MISSED_MS;
		bool soon = w->now_ms < w->deadline_ms - STILL_MISSED_MS + NEXT_BEGINS_MS;
		return w->now_ms < w->deadline_ms && (soon || others || cfn_others_under_way(w));
	}
	return false;
}

static status make(struct cfn_eval *x)
{
	struct cfn_work *w = x->w;
	/* Not a thing by itself: a policy put on several others. */
	if (!str_has(cfn_recipe_line(x->r, "create"))) return take_id(x);
	for (size_t i = 0; i < x->r->n; i++) {
		const struct cfn_line *l = &x->r->v[i];
		if (!is(l, "create") || !conditions_hold(x, l->words)) continue;
		bool others = str_find(l->words, STR("later:")) >= 0 && cfn_others_under_way(w);
		status s = call_line(x, l);
		if (is_ok(s)) return take_id(x);
		if (may_come(w, l->words, others)) {
			w->not_yet = true;
			return STATUS(PENDING);
		}
		/* A name that only this creation has given away tells that it was here before. */
		if (!w->again || !cfn_says_exists(w->code)) return s;
		struct str recover = cfn_recipe_line(x->r, "recover");
		return str_has(recover) && !is_ok(call(x, recover, NULL)) ? s : take_id(x);
	}
	return cfn_fail(w, "These properties do not make a %.*s", STR_ARG(w->type->name));
}

static bool any_present(const struct cfn_work *w, const struct cfn_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (json_member(w->properties, names->v[i])) return true;
	return false;
}

static const struct json_value *element_key(struct cfn_eval *x, const struct cfn_line *l, const struct json_value *v)
{
	(void)x;
	struct str rest = l->words, word = str_cut(&rest, ' ');
	str_cut(&word, '/');
	return str_has(word) ? cfn_path(v, word) : v;
}

static const struct json_value *same_element(
	struct cfn_eval *x, const struct cfn_line *l, const struct json_value *list, const struct json_value *v)
{
	for (const struct json_value *c = list ? list->first : NULL; c; c = c->next)
		if (cfn_equal(element_key(x, l, c), element_key(x, l, v))) return c;
	return NULL;
}

/* A property that may be one value or a list of them. */
static const struct json_value *as_list(struct arena *a, const struct json_value *v)
{
	if (!v || v->type == JSON_IS_ARRAY) return v;
	struct json_value *list = cfn_list(a);
	cfn_append(list, STR_NONE, cfn_copy(a, v));
	return list;
}

/* An "each" line for what is new or changed, or a "gone"/"drop" line for what is not wanted any more. */
/* all: also for those that are on both sides as they were. */
static status for_elements(struct cfn_eval *x, const struct cfn_line *l, const struct json_value *from,
	const struct json_value *but, bool all)
{
	for (const struct json_value *c = from ? from->first : NULL; c; c = c->next) {
		const struct json_value *there = same_element(x, l, but, c);
		bool again = (is(l, "each") || is(l, "add")) && there && !cfn_equal(there, c);
		if (there && !again && !all) continue;
		x->each = c;
		x->was = there;
		if (conditions_hold(x, l->words)) TRY(call_line(x, l));
	}
	x->each = x->was = NULL;
	return OK;
}

status cfn_recipe_create(struct cfn_work *w)
{
	struct cfn_eval x;
	TRY(begin(&x, w));
	TRY(check_covered(&x, false));
	if (!str_has(w->physical_id) && !(w->again && found_by_tags(&x))) TRY(make(&x));
	const struct json_value *created = x.out;
	struct json_value *before = cfn_object(w->a);
	tell_attributes(&x, created);
	for (size_t i = 0; i < x.r->n; i++) {
		const struct cfn_line *l = &x.r->v[i];
		if (is(l, "each")) {
			TRY(for_elements(&x, l, as_list(w->a, cfn_aliased(&x, w->properties, about(l))), before, true));
		} else if (is(l, "set") || is(l, "after")) {
			struct cfn_names names = triggers(w->a, l);
			x.out = created;
			if ((is(l, "set") && !any_present(w, &names)) || !conditions_hold(&x, l->words)) continue;
			TRY(call_line(&x, l));
		}
	}
	/* What settle cannot see any more is told now. */
	if (!str_has(cfn_recipe_line(x.r, "describe"))) tell_attributes(&x, created);
	return OK;
}

static status retag(struct cfn_eval *x)
{
	if (!taggable(x) || !cfn_tags_changed(x->w, &x->add, &x->del)) return OK;
	struct str untag = cfn_recipe_line(x->r, "untag"), tag = cfn_recipe_line(x->r, "tag");
	if (x->del->length && str_has(untag)) TRY(call(x, untag, NULL));
	return x->add->length || !str_has(untag) ? call(x, tag, NULL) : OK;
}

status cfn_recipe_retag(struct cfn_work *w)
{
	struct cfn_eval x;
	TRY(begin(&x, w));
	return retag(&x);
}

status cfn_recipe_tag_anew(struct cfn_work *w)
{
	struct cfn_eval x;
	TRY(begin(&x, w));
	if (!taggable(&x)) return OK;
	x.add = cfn_tags(w);
	x.del = cfn_list(w->a);
	return call(&x, cfn_recipe_line(x.r, "tag"), NULL);
}

status cfn_recipe_update(struct cfn_work *w)
{
	struct cfn_eval x;
	TRY(begin(&x, w));
	bool all = cfn_equal(w->before, w->properties); /* done once more */
	TRY(check_covered(&x, false));
	TRY(check_covered(&x, true));
	for (size_t i = 0; i < x.r->n; i++) {
		const struct cfn_line *l = &x.r->v[i];
		struct cfn_names names = triggers(w->a, l);
		if (is(l, "each") || is(l, "add") || is(l, "gone") || is(l, "drop")) {
			const struct json_value *now = as_list(w->a, cfn_aliased(&x, w->properties, about(l)));
			const struct json_value *was = as_list(w->a, cfn_aliased(&x, w->before, about(l)));
			bool anew = all_anew(w, l);
			if (is(l, "each") || is(l, "add"))
				TRY(for_elements(&x, l, now, was, is(l, "each") && (all || anew)));
			else
				TRY(for_elements(&x, l, was, now, anew));
		} else if (is(l, "unset")) {
			bool had = json_member(w->before, about(l)) && !json_member(w->properties, about(l));
			if (had && conditions_hold(&x, l->words)) TRY(call_line(&x, l));
		} else if (is(l, "set") || is(l, "update")) {
			bool changed = all && any_present(w, &names);
			for (size_t k = 0; k < names.n; k++) changed |= cfn_changed(w, str_z(w->a, names.v[k]));
			if (changed && conditions_hold(&x, l->words)) TRY(call_line(&x, l));
		}
	}
	return retag(&x);
}

/* ── removing ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/* "wipe ListOperation … -> path then DeleteOperation … $each …": for each of what is listed. */
static status wipe(struct cfn_eval *x, struct str words)
{
	ptrdiff_t then = str_find(words, STR(" then "));
	struct str path;
	status s = call(x, str_sub(words, 0, (size_t)then), &path);
	if (!is_ok(s)) return cfn_says_gone(x->w->code) ? OK : s;
	const struct json_value *all = cfn_path(x->out, path);
	struct cfn_line l = {STR("before"), str_from(words, (size_t)then + 6)};
	for (const struct json_value *c = all ? all->first : NULL; c; c = c->next) {
		x->each = c;
		if (conditions_hold(x, l.words)) TRY(call_line(x, &l));
	}
	x->each = NULL;
	return OK;
}

/* What another resource's end still holds (a balancer's interfaces in a subnet, an address of a network) is asked for
 * again, until its time is over. */
static bool still_used(struct cfn_work *w)
{
	if (!str_is(w->code, "DependencyViolation") && !str_is(w->code, "InvalidIPAddress.InUse")) return false;
	if (!w->deadline_ms) w->deadline_ms = w->now_ms + STILL_USED_MS;
	return w->now_ms < w->deadline_ms;
}

status cfn_recipe_remove(struct cfn_work *w)
{
	struct cfn_eval x;
	TRY(begin(&x, w));
	struct str during = cfn_recipe_line(x.r, "going");
	bool waits = str_has(during) || str_has(cfn_recipe_line(x.r, "gone-state"));
	if (waits) {
		status there = describe(&x);
		if (!is_ok(there)) return str_is(w->code, "NotFound") ? OK : there;
		struct str where = str_has(during) ? str_cut(&during, '=') : STR_NONE;
		struct str now = str_or(json_scalar(cfn_path(x.item, str_or(where, STR("")))), STR(""));
		while (str_has(during))
			if (str_eq(str_cut(&during, ','), now)) return STATUS(PENDING);
	}
	for (size_t i = 0; i < x.r->n; i++) {
		const struct cfn_line *l = &x.r->v[i];
		if (is(l, "drop"))
			TRY(for_elements(&x, l, as_list(w->a, cfn_aliased(&x, w->properties, about(l))), NULL, true));
		else if (is(l, "wipe"))
			TRY(wipe(&x, l->words));
		else if ((is(l, "before") || (is(l, "snapshot") && w->snapshot)) && conditions_hold(&x, l->words))
			TRY(call_line(&x, l));
	}
	for (size_t i = 0; i < x.r->n; i++) {
		const struct cfn_line *l = &x.r->v[i];
		if (!is(l, "delete") || !conditions_hold(&x, l->words)) continue;
		status s = call_line(&x, l);
		if (!is_ok(s) && still_used(w)) return STATUS(PENDING);
		if (!is_ok(s) && !cfn_says_gone(w->code)) return s;
	}
	if (!waits) return OK;
	status there = describe(&x);
	return is_ok(there) ? STATUS(PENDING) : str_is(w->code, "NotFound") ? OK : there;
}
