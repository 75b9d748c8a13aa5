/* Templates' text, read by json.h or by libyaml: see document.h. libyaml's events are taken one by one, so that nothing
 * is built that an alias or a depth past the limit would multiply. */
#include "services/cloudformation/document.h"
#include <yaml.h>

struct reader {
	struct arena *a;
	yaml_parser_t parser;
	size_t nodes;
	struct str *why;
};

static status fail(struct reader *r, const yaml_mark_t *at, const char *what)
{
	*r->why = str_fmt(r->a, "Template format error: YAML not well-formed. (line %zu, column %zu)%s%s", at->line + 1,
		at->column + 1, *what ? ": " : "", what);
	return STATUS(INVALID);
}

/* One event; the caller deletes it. */
static status next(struct reader *r, yaml_event_t *ev)
{
	if (yaml_parser_parse(&r->parser, ev)) return OK;
	return fail(r, &r->parser.problem_mark, "");
}

static struct json_value *new_value(struct reader *r, enum json_type type, const yaml_mark_t *at)
{
	struct json_value *v = arena_new(r->a, struct json_value);
	v->type = type;
	v->at = at->index;
	return v;
}

/* YAML 1.1's booleans, as CloudFormation takes them, and its null. */
static bool is_one_of(struct str s, const char *const *words)
{
	for (; *words; words++)
		if (str_eq(s, str_c(*words))) return true;
	return false;
}

/* Integers and decimals as JSON writes them; what else YAML would call a number (octal, 1_000, .inf) stays the text
 * that was written, which is what a template's author means by it (an account's number with a leading zero, a version).
 */
static bool is_number(struct str s)
{
	size_t i = 0;
	if (i < s.n && s.p[i] == '-') i++;
	size_t digits = i;
	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') i++;
	if (i == digits || (s.p[digits] == '0' && i > digits + 1)) return false;
	if (i < s.n && s.p[i] == '.') {
		size_t fraction = ++i;
		while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') i++;
		if (i == fraction) return false;
	}
	return i == s.n;
}

static struct json_value *scalar(struct reader *r, const yaml_event_t *ev)
{
	static const char *const yes[] = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", NULL};
	static const char *const no[] = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", NULL};
	static const char *const null[] = {"", "~", "null", "Null", "NULL", NULL};
	struct str s = str_dup(r->a, str_n(ev->data.scalar.value, ev->data.scalar.length));
	struct json_value *v = new_value(r, JSON_IS_STRING, &ev->start_mark);
	v->text = s;
	bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && ev->data.scalar.plain_implicit;
	if (!plain) return v;
	if (is_one_of(s, null)) {
		v->type = JSON_IS_NULL;
	} else if (is_one_of(s, yes)) {
		v->type = JSON_IS_BOOL;
		v->truth = true;
		v->text = STR("true");
	} else if (is_one_of(s, no)) {
		v->type = JSON_IS_BOOL;
		v->text = STR("false");
	} else if (is_number(s)) {
		v->type = JSON_IS_NUMBER;
	}
	return v;
}

static struct json_value *text_value(struct reader *r, struct str text, size_t at)
{
	struct json_value *v = arena_new(r->a, struct json_value);
	v->type = JSON_IS_STRING;
	v->text = text;
	v->at = at;
	return v;
}

/* {"Fn::X": inner}; "!Ref" and "!Condition" have no "Fn::". GetAtt's "a.b" is cut at its first dot. */
static struct json_value *wrap(struct reader *r, struct str tag, struct json_value *inner)
{
	struct json_value *v = arena_new(r->a, struct json_value);
	v->type = JSON_IS_OBJECT;
	v->at = inner->at;
	bool bare = str_is(tag, "Ref") || str_is(tag, "Condition");
	inner->name = bare ? tag : str_cat(r->a, STR("Fn::"), tag);
	if (inner->type == JSON_IS_NUMBER || inner->type == JSON_IS_BOOL) inner->type = JSON_IS_STRING;
	ptrdiff_t dot = inner->type == JSON_IS_STRING ? str_chr(inner->text, '.') : -1;
	if (str_is(tag, "GetAtt") && dot > 0) {
		struct json_value *list = arena_new(r->a, struct json_value);
		list->type = JSON_IS_ARRAY;
		list->name = inner->name;
		list->at = inner->at;
		list->first = text_value(r, str_sub(inner->text, 0, (size_t)dot), inner->at);
		list->first->next = text_value(r, str_from(inner->text, (size_t)dot + 1), inner->at);
		list->length = 2;
		inner = list;
	}
	v->first = inner;
	v->length = 1;
	return v;
}

static status read_node(struct reader *r, const yaml_event_t *ev, unsigned depth, struct json_value **out);

static status read_children(struct reader *r, unsigned depth, yaml_event_type_t end, struct json_value *parent)
{
	struct json_value **last = &parent->first;
	bool object = parent->type == JSON_IS_OBJECT;
	for (;;) {
		yaml_event_t ev;
		struct str name = STR_NONE;
		TRY(next(r, &ev));
		if (ev.type == end) {
			yaml_event_delete(&ev);
			return OK;
		}
		status s = OK;
		if (object) {
			if (ev.type != YAML_SCALAR_EVENT)
				s = fail(r, &ev.start_mark, "a key has to be a string");
			else
				name = str_dup(r->a, str_n(ev.data.scalar.value, ev.data.scalar.length));
			if (is_ok(s) && str_is(name, "<<") && ev.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
				s = fail(r, &ev.start_mark, "hash merges are not supported");
			for (struct json_value *c = parent->first; is_ok(s) && c; c = c->next)
				if (str_eq(c->name, name)) s = fail(r, &ev.start_mark, "a key stands twice");
			yaml_event_delete(&ev);
			TRY(s);
			TRY(next(r, &ev));
		}
		struct json_value *child = NULL;
		s = read_node(r, &ev, depth + 1, &child);
		yaml_event_delete(&ev);
		TRY(s);
		if (object) child->name = name;
		*last = child;
		last = &child->next;
		parent->length++;
	}
}

static status tag_of(struct reader *r, const yaml_event_t *ev, struct str *tag)
{
	const yaml_char_t *t = ev->type == YAML_SCALAR_EVENT           ? ev->data.scalar.tag
			       : ev->type == YAML_SEQUENCE_START_EVENT ? ev->data.sequence_start.tag
								       : ev->data.mapping_start.tag;
	*tag = STR_NONE;
	if (!t || strcmp((const char *)t, "!") == 0) return OK;
	struct str name = str_c((const char *)t);
	static const char *const plain[] = {"tag:yaml.org,2002:str", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float",
		"tag:yaml.org,2002:bool", "tag:yaml.org,2002:null", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map",
		NULL};
	if (is_one_of(name, plain)) return OK;
	if (name.p[0] != '!') return fail(r, &ev->start_mark, "an unsupported tag");
	*tag = str_dup(r->a, str_from(name, 1));
	return OK;
}

static status read_node(struct reader *r, const yaml_event_t *ev, unsigned depth, struct json_value **out)
{
	if (ev->type == YAML_ALIAS_EVENT)
		return fail(r, &ev->start_mark, "aliases are not supported in CloudFormation templates");
	if (depth > CFN_DEPTH_MAX || ++r->nodes > CFN_NODES_MAX)
		return fail(r, &ev->start_mark, "the template is too deep");
	struct str tag;
	struct json_value *v;
	TRY(tag_of(r, ev, &tag));
	switch ((int)ev->type) {
	case YAML_SCALAR_EVENT:
		v = scalar(r, ev);
		break;
	case YAML_SEQUENCE_START_EVENT:
		v = new_value(r, JSON_IS_ARRAY, &ev->start_mark);
		TRY(read_children(r, depth, YAML_SEQUENCE_END_EVENT, v));
		break;
	case YAML_MAPPING_START_EVENT:
		v = new_value(r, JSON_IS_OBJECT, &ev->start_mark);
		TRY(read_children(r, depth, YAML_MAPPING_END_EVENT, v));
		break;
	default:
		return fail(r, &ev->start_mark, "");
	}
	*out = str_has(tag) ? wrap(r, tag, v) : v;
	return OK;
}

/* stream start, document start, node, document end, stream end */
static status read_stream(struct reader *r, struct json_value **out)
{
	yaml_event_t ev;
	for (int i = 0; i < 2; i++) {
		TRY(next(r, &ev));
		bool empty = ev.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&ev);
		if (empty) return fail(r, &(yaml_mark_t){0}, "the template is empty");
	}
	TRY(next(r, &ev));
	status s = read_node(r, &ev, 0, out);
	yaml_event_delete(&ev);
	TRY(s);
	for (int i = 0; i < 2; i++) {
		TRY(next(r, &ev));
		bool more = i == 1 && ev.type != YAML_STREAM_END_EVENT;
		yaml_mark_t at = ev.start_mark;
		yaml_event_delete(&ev);
		if (more) return fail(r, &at, "a template is one document");
	}
	return OK;
}

static status read_yaml(struct arena *a, struct str text, struct json_value **out, struct str *why)
{
	struct reader r = {.a = a, .why = why};
	if (!yaml_parser_initialize(&r.parser)) abort();
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.p, text.n);
	status s = read_stream(&r, out);
	yaml_parser_delete(&r.parser);
	return s;
}

status cfn_document_read(struct arena *a, struct str text, struct json_value **out, struct str *why)
{
	if (!str_utf8_valid(text)) {
		*why = STR("Template format error: unsupported encoding; templates are UTF-8");
		return STATUS(INVALID);
	}
	size_t i = 0;
	while (i < text.n && (text.p[i] == ' ' || text.p[i] == '\t' || text.p[i] == '\r' || text.p[i] == '\n')) i++;
	if (i == text.n || text.p[i] != '{') {
		TRY(read_yaml(a, text, out, why));
	} else if (!is_ok(json_read(a, text, out))) {
		/* A flow mapping of YAML begins with '{', too. */
		if (is_ok(read_yaml(a, text, out, why))) return OK;
		*why = STR("Template format error: JSON not well-formed.");
		return STATUS(INVALID);
	}
	if (json_is(*out, JSON_IS_OBJECT)) return OK;
	*why = STR("Template format error: unsupported structure.");
	return STATUS(INVALID);
}
