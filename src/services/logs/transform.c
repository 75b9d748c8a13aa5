/* The processors of a transformer, one after the other ("Processors that you can use"). dateTimeConverter and the
 * parsers of single services' logs are not built, and named where they are asked for. */
#include "services/logs/transform.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { PARSERS_MAX = 5, FIELDS_MAX = 200, REGEXES_MAX = 40 };

struct logs_transformer {
	const struct logs_processors *p;
	struct logs_grok_pattern grok;
	void *regexes[REGEXES_MAX]; /* of substituteString, in order */
	size_t n_regexes;
};

/* ── reading ── */

struct counts {
	unsigned parsers, groks, adds, copies;
};

static const char *missing(const struct logs_processor *p)
{
	return p->date_time_converter ? "dateTimeConverter"
	       : p->parse_cloudfront  ? "parseCloudfront"
	       : p->parse_route53     ? "parseRoute53"
	       : p->parse_to_ocsf     ? "parseToOCSF"
	       : p->parse_postgres    ? "parsePostgres"
	       : p->parse_vpc         ? "parseVPC"
	       : p->parse_waf         ? "parseWAF"
				      : NULL;
}

static unsigned kinds(const struct logs_processor *p)
{
	const void *all[] = {p->add_keys, p->copy_value, p->csv, p->delete_keys, p->grok, p->list_to_map,
		p->lower_case_string, p->move_keys, p->parse_json, p->parse_key_value, p->rename_keys, p->split_string,
		p->substitute_string, p->trim_string, p->type_converter, p->upper_case_string};
	unsigned n = 0;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) n += all[i] != NULL;
	return n;
}

static bool parses(const struct logs_processor *p)
{
	return p->csv || p->grok || p->parse_json || p->parse_key_value;
}

static status substitutions(struct logs_transformer *t, const struct logs_substitute_string *p, struct str *why)
{
	for (size_t i = 0; i < p->entries.n; i++) {
		int code;
		PCRE2_SIZE at;
		struct str from = p->entries.v[i].from;
		*why = STR("A transformer holds too many substitutions.");
		if (t->n_regexes == REGEXES_MAX) return STATUS(INVALID);
		void *r = pcre2_compile(
			(PCRE2_SPTR)from.p, from.n, PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
		*why = STR("The regular expression of substituteString is malformed.");
		if (!r) return STATUS(INVALID);
		t->regexes[t->n_regexes++] = r;
	}
	return OK;
}

static status check(
	struct arena *a, struct logs_transformer *t, const struct logs_processor *p, struct counts *n, struct str *why)
{
	const char *name = missing(p);
	if (name) {
		*why = str_fmt(a, "The processor %s is not implemented yet.", name);
		return STATUS(LIMIT);
	}
	*why = STR("Each processor object must hold exactly one processor.");
	if (kinds(p) != 1) return STATUS(INVALID);
	*why = STR("The first processor in a transformer must be a parser.");
	if (!n->parsers && !parses(p)) return STATUS(INVALID);
	n->parsers += parses(p);
	n->groks += p->grok != NULL;
	n->adds += p->add_keys != NULL;
	n->copies += p->copy_value != NULL;
	*why = STR("A transformer can have five parsers at most, and one grok, addKeys and copyValue processor each.");
	if (n->parsers > PARSERS_MAX || n->groks > 1 || n->adds > 1 || n->copies > 1) return STATUS(INVALID);
	if (p->grok) {
		struct str text;
		status s = logs_grok_read(a, p->grok->match, &t->grok, &text);
		*why = str_fmt(a, "Invalid grok pattern: %.*s.", STR_ARG(text));
		TRY(s);
	}
	return p->substitute_string ? substitutions(t, p->substitute_string, why) : OK;
}

status logs_transformer_read(
	struct arena *a, const struct logs_processors *p, struct logs_transformer **out, struct str *why)
{
	struct logs_transformer *t = *out = arena_new(a, struct logs_transformer);
	struct counts n = {0};
	t->p = p;
	for (size_t i = 0; i < p->n; i++) TRY(check(a, t, &p->v[i], &n, why));
	return OK;
}

void logs_transformer_end(struct logs_transformer *t)
{
	logs_grok_end(&t->grok);
	for (size_t i = 0; i < t->n_regexes; i++) pcre2_code_free(t->regexes[i]);
	t->n_regexes = 0;
}

/* ── running ── */

struct run {
	const struct logs_transformer *t;
	struct arena *a;
	const struct logs_origin *o;
	struct str message;
	struct json_value *root;
	size_t regex; /* the next */
};

static struct str text_at(const struct run *r, struct str source)
{
	if (!str_has(source) || str_is(source, "@message")) return r->message;
	return json_scalar(logs_tree_get(r->root, source));
}

/* Where a parser's fields go: the event itself, or an object in it. */
static struct json_value *place(struct run *r, struct str destination)
{
	if (!str_has(destination)) return r->root;
	struct json_value *v = logs_tree_object(r->a);
	return logs_tree_put(r->a, r->root, destination, v, true) ? v : NULL;
}

static bool parse_json(struct run *r, const struct logs_parse_json *p)
{
	struct json_value *v, *next;
	struct str text = text_at(r, p->source);
	if (!str_has(text) || !is_ok(json_read(r->a, text, &v)) || !json_is(v, JSON_IS_OBJECT)) return false;
	struct json_value *to = place(r, p->destination);
	for (struct json_value *m = v->first; to && m; m = next) {
		next = m->next;
		struct str name = m->name;
		if (name.n && str_chr(name, '.') < 0 && str_chr(name, '[') < 0)
			(void)logs_tree_put(r->a, to, name, m, true);
		else
			logs_tree_append(to, m);
	}
	return to != NULL;
}

static bool parse_key_value(struct run *r, const struct logs_parse_key_value *p)
{
	struct str text = text_at(r, p->source), between = str_or(p->field_delimiter, STR("&")),
		   equals = str_or(p->key_value_delimiter, STR("="));
	struct json_value *to = str_has(text) ? place(r, p->destination) : NULL;
	if (!to) return false;
	while (text.n) {
		ptrdiff_t end = str_find(text, between);
		struct str part = end < 0 ? text : str_sub(text, 0, (size_t)end);
		text = end < 0 ? STR("") : str_from(text, (size_t)end + between.n);
		ptrdiff_t at = str_find(part, equals);
		if (!part.n || (at < 0 && !str_has(p->non_match_value))) continue;
		struct str key = at < 0 ? part : str_sub(part, 0, (size_t)at);
		struct str value = at < 0 ? p->non_match_value : str_from(part, (size_t)at + equals.n);
		if (str_has(p->key_prefix)) key = str_cat(r->a, p->key_prefix, key);
		(void)logs_tree_put(r->a, to, key, logs_tree_text(r->a, value), p->overwrite_if_exists.v);
	}
	return true;
}

static bool csv(struct run *r, const struct logs_csv *p)
{
	struct str text = text_at(r, p->source), delimiter = str_or(p->delimiter, STR(","));
	char quote = p->quote_character.n == 1 ? p->quote_character.p[0] : '"';
	struct json_value *to = str_has(text) ? place(r, p->destination) : NULL;
	if (!to) return false;
	if (str_is(delimiter, "\\t")) delimiter = STR("\t");
	for (size_t column = 0, i = 0; column < FIELDS_MAX && i <= text.n; column++) {
		struct buf b = BUF_IN(r->a);
		bool quoted = i < text.n && text.p[i] == quote;
		for (i += quoted; i < text.n; i++) {
			if (quoted && text.p[i] == quote) {
				if (i + 1 < text.n && text.p[i + 1] == quote)
					i++;
				else {
					quoted = false;
					continue;
				}
			} else if (!quoted && str_starts(str_from(text, i), delimiter)) {
				break;
			}
			buf_byte(&b, text.p[i]);
		}
		bool last = i >= text.n;
		i += delimiter.n;
		struct str name =
			column < p->columns.n ? p->columns.v[column] : str_fmt(r->a, "column_%zu", column + 1);
		if (column < p->columns.n || !p->columns.n)
			(void)logs_tree_put(r->a, to, name, logs_tree_text(r->a, buf_done(&b)), true);
		if (last) break;
	}
	return true;
}

static bool grok(struct run *r, const struct logs_grok *p, const struct logs_grok_pattern *g)
{
	struct str text = text_at(r, p->source);
	if (!str_has(text)) return false;
	pcre2_match_data *m = pcre2_match_data_create_from_pattern(g->regex, NULL);
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_set_match_limit(limits, 100000);
	bool found = pcre2_match(g->regex, (PCRE2_SPTR)text.p, text.n, 0, 0, m, limits) > 0;
	for (size_t i = 0; found && i < g->n; i++) {
		char name[24];
		PCRE2_SIZE *at = pcre2_get_ovector_pointer(m);
		struct buf b = {.p = name, .capacity = sizeof(name), .arena = r->a};
		buf_fmt(&b, "n%zu", i);
		buf_byte(&b, '\0');
		int group = pcre2_substring_number_from_name(g->regex, (PCRE2_SPTR)b.p);
		if (group <= 0 || at[2 * group] == PCRE2_UNSET) continue;
		struct str value = str_sub(text, at[2 * group], at[2 * group + 1] - at[2 * group]);
		(void)logs_tree_put(r->a, r->root, g->fields[i], logs_tree_text(r->a, value), true);
	}
	pcre2_match_context_free(limits);
	pcre2_match_data_free(m);
	return found;
}

/* ── strings ── */

static void each_text(struct run *r, const struct str *keys, size_t n, char how)
{
	for (size_t i = 0; i < n; i++) {
		struct json_value *v = logs_tree_get(r->root, keys[i]);
		if (!json_is(v, JSON_IS_STRING)) continue;
		if (how == 't') {
			v->text = str_trim(v->text);
			continue;
		}
		char *p = arena_copy(r->a, v->text.p, v->text.n);
		for (size_t k = 0; k < v->text.n; k++) {
			if (how == 'l' && p[k] >= 'A' && p[k] <= 'Z') p[k] = (char)(p[k] + 32);
			if (how == 'u' && p[k] >= 'a' && p[k] <= 'z') p[k] = (char)(p[k] - 32);
		}
		v->text.p = p;
	}
}

static void split(struct run *r, const struct logs_split_string *p)
{
	for (size_t i = 0; i < p->entries.n; i++) {
		struct json_value *v = logs_tree_get(r->root, p->entries.v[i].source);
		struct str delimiter = p->entries.v[i].delimiter;
		if (!json_is(v, JSON_IS_STRING)) continue;
		struct str text = v->text;
		*v = (struct json_value){.type = JSON_IS_ARRAY, .name = v->name, .next = v->next};
		for (;;) {
			ptrdiff_t at = str_find(text, delimiter);
			logs_tree_append(v, logs_tree_text(r->a, at < 0 ? text : str_sub(text, 0, (size_t)at)));
			if (at < 0) break;
			text = str_from(text, (size_t)at + delimiter.n);
		}
	}
}

static void substitute(struct run *r, const struct logs_substitute_string *p)
{
	for (size_t i = 0; i < p->entries.n; i++) {
		struct json_value *v = logs_tree_get(r->root, p->entries.v[i].source);
		const void *regex = r->t->regexes[r->regex++];
		struct str to = p->entries.v[i].to;
		if (!json_is(v, JSON_IS_STRING)) continue;
		PCRE2_SIZE room = v->text.n * 2 + to.n * 4 + 1024;
		char *out = arena_alloc_raw(r->a, room);
		pcre2_match_context *limits = pcre2_match_context_create(NULL);
		pcre2_set_match_limit(limits, 100000);
		int code = pcre2_substitute(regex, (PCRE2_SPTR)v->text.p, v->text.n, 0,
			PCRE2_SUBSTITUTE_GLOBAL | PCRE2_SUBSTITUTE_UNSET_EMPTY, NULL, limits, (PCRE2_SPTR)to.p, to.n,
			(PCRE2_UCHAR *)out, &room);
		pcre2_match_context_free(limits);
		if (code > 0) v->text = str_n(out, room);
	}
}

/* ── the event's shape ── */

static struct json_value *copy_of(struct arena *a, const struct json_value *v)
{
	struct json_value *c = arena_copy(a, v, sizeof(*v)), **last = &c->first;
	c->next = NULL;
	for (const struct json_value *k = v->first; k; k = k->next) {
		*last = copy_of(a, k);
		last = &(*last)->next;
	}
	return c;
}

static struct json_value *known(struct run *r, struct str source)
{
	if (str_is(source, "@logGroupName")) return logs_tree_text(r->a, r->o->group);
	if (str_is(source, "@logStreamName") || str_is(source, "@logGroupStream"))
		return logs_tree_text(r->a, r->o->stream);
	if (str_is(source, "@accountId")) return logs_tree_text(r->a, r->o->account);
	if (str_is(source, "@regionName")) return logs_tree_text(r->a, r->o->region);
	struct json_value *v = logs_tree_get(r->root, source);
	return v ? copy_of(r->a, v) : NULL;
}

static void convert(struct run *r, const struct logs_type_converter *p)
{
	for (size_t i = 0; i < p->entries.n; i++) {
		struct json_value *v = logs_tree_get(r->root, p->entries.v[i].key);
		struct str text = json_scalar(v), type = p->entries.v[i].type;
		double d;
		if (!str_has(text)) continue;
		if (str_is(type, "string")) {
			v->type = JSON_IS_STRING;
		} else if (str_is(type, "boolean")) {
			if (!str_ieq(text, STR("true")) && !str_ieq(text, STR("false"))) continue;
			v->type = JSON_IS_BOOL;
			v->truth = str_ieq(text, STR("true"));
		} else if (is_ok(str_to_f64(str_trim(text), &d)) && d - d == 0) {
			struct buf b = BUF_IN(r->a);
			if (str_is(type, "integer") && d > -9e18 && d < 9e18)
				buf_i64(&b, (int64_t)d);
			else
				buf_f64(&b, d);
			v->type = JSON_IS_NUMBER;
			v->text = buf_done(&b);
		}
	}
}

/* "listToMap takes a list of objects that contain key fields, and converts them into a map of target keys." */
static void list_to_map(struct run *r, const struct logs_list_to_map *p)
{
	struct json_value *list = logs_tree_get(r->root, p->source), *to;
	bool last = str_is(str_or(p->flattened_element, STR("first")), "last");
	if (!json_is(list, JSON_IS_ARRAY) || !(to = place(r, p->target))) return;
	for (const struct json_value *e = list->first; e; e = e->next) {
		struct str key = json_scalar(json_member(e, p->key));
		const struct json_value *value = str_has(p->value_key) ? json_member(e, p->value_key) : e;
		if (!str_has(key) || !key.n || !value) continue;
		struct json_value *copy = copy_of(r->a, value), *there = json_member(to, key);
		if (p->flatten.v) {
			if (!there || last) (void)logs_tree_put(r->a, to, key, copy, true);
			continue;
		}
		if (!json_is(there, JSON_IS_ARRAY)) {
			there = arena_new(r->a, struct json_value);
			there->type = JSON_IS_ARRAY;
			if (!logs_tree_put(r->a, to, key, there, true)) continue;
		}
		logs_tree_append(there, copy);
	}
}

static bool process(struct run *r, const struct logs_processor *p)
{
	if (p->parse_json) return parse_json(r, p->parse_json);
	if (p->parse_key_value) return parse_key_value(r, p->parse_key_value);
	if (p->csv) return csv(r, p->csv);
	if (p->grok) return grok(r, p->grok, &r->t->grok);
	if (p->lower_case_string)
		each_text(r, p->lower_case_string->with_keys.v, p->lower_case_string->with_keys.n, 'l');
	if (p->upper_case_string)
		each_text(r, p->upper_case_string->with_keys.v, p->upper_case_string->with_keys.n, 'u');
	if (p->trim_string) each_text(r, p->trim_string->with_keys.v, p->trim_string->with_keys.n, 't');
	if (p->split_string) split(r, p->split_string);
	if (p->substitute_string) substitute(r, p->substitute_string);
	if (p->type_converter) convert(r, p->type_converter);
	if (p->list_to_map) list_to_map(r, p->list_to_map);
	for (size_t i = 0; p->add_keys && i < p->add_keys->entries.n; i++) {
		const struct logs_add_key_entry *e = &p->add_keys->entries.v[i];
		(void)logs_tree_put(r->a, r->root, e->key, logs_tree_text(r->a, e->value), e->overwrite_if_exists.v);
	}
	for (size_t i = 0; p->delete_keys && i < p->delete_keys->with_keys.n; i++)
		(void)logs_tree_take(r->root, p->delete_keys->with_keys.v[i]);
	for (size_t i = 0; p->copy_value && i < p->copy_value->entries.n; i++) {
		const struct logs_copy_value_entry *e = &p->copy_value->entries.v[i];
		struct json_value *v = known(r, e->source);
		if (v) (void)logs_tree_put(r->a, r->root, e->target, v, e->overwrite_if_exists.v);
	}
	for (size_t i = 0; p->move_keys && i < p->move_keys->entries.n; i++) {
		const struct logs_move_key_entry *e = &p->move_keys->entries.v[i];
		struct json_value *v = logs_tree_get(r->root, e->source), *to = logs_tree_get(r->root, e->target);
		/* "target: the key to move to": into an object that is there, else to that name. */
		struct str target = e->target;
		if (v && json_is(to, JSON_IS_OBJECT) && v != to)
			target = str_fmt(r->a, "%.*s.%.*s", STR_ARG(e->target), STR_ARG(v->name));
		if (!v || (logs_tree_get(r->root, target) && !e->overwrite_if_exists.v)) continue;
		struct json_value *copy = copy_of(r->a, v);
		(void)logs_tree_take(r->root, e->source);
		(void)logs_tree_put(r->a, r->root, target, copy, true);
	}
	for (size_t i = 0; p->rename_keys && i < p->rename_keys->entries.n; i++) {
		const struct logs_rename_key_entry *e = &p->rename_keys->entries.v[i];
		struct json_value *v = logs_tree_get(r->root, e->key);
		if (!v || (logs_tree_get(r->root, e->rename_to) && !e->overwrite_if_exists.v)) continue;
		struct json_value *copy = copy_of(r->a, v);
		(void)logs_tree_take(r->root, e->key);
		(void)logs_tree_put(r->a, r->root, e->rename_to, copy, true);
	}
	return true;
}

struct str logs_transform(
	const struct logs_transformer *t, struct arena *a, const struct logs_origin *o, struct str message)
{
	struct run r = {.t = t, .a = a, .o = o, .message = message, .root = logs_tree_object(a)};
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < t->p->n; i++)
		if (!process(&r, &t->p->v[i])) return STR_NONE;
	json_write(&b, r.root);
	return buf_done(&b);
}
