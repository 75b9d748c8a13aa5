/* The tests' own idea of a message: one tree for JSON (read by yajl), CBOR (a small reader of its own) and XML (expat),
 * so that what the room writes is judged by other code than its own. */
#pragma once
#include "base/buf.h"
#include "test.h"
#include <expat.h>
#include <math.h>
#include <time.h>
#include <yajl/yajl_tree.h>

enum tree_kind { T_NULL, T_BOOL, T_NUM, T_STR, T_LIST, T_MAP };
struct tree {
	enum tree_kind kind;
	bool b;
	double num;
	struct str s;  /* T_STR, and the spelling of T_NUM */
	struct str *k; /* T_MAP: keys; XML: element names */
	struct tree **v;
	size_t n, cap;
};

static inline struct tree *tree_new(struct arena *a, enum tree_kind kind)
{
	struct tree *t = arena_new(a, struct tree);
	t->kind = kind;
	return t;
}
static inline void tree_add(struct arena *a, struct tree *t, struct str key, struct tree *v)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 8;
		struct tree **nv = arena_new_n(a, struct tree *, t->cap);
		struct str *nk = arena_new_n(a, struct str, t->cap);
		if (t->n) {
			memcpy(nv, t->v, t->n * sizeof *nv);
			memcpy(nk, t->k, t->n * sizeof *nk);
		}
		t->v = nv;
		t->k = nk;
	}
	t->k[t->n] = key;
	t->v[t->n++] = v;
}
static inline struct tree *tree_get(const struct tree *t, const char *key)
{
	for (size_t i = 0; t && t->kind == T_MAP && i < t->n; i++)
		if (str_eq(t->k[i], str_c(key))) return t->v[i];
	return NULL;
}
static inline struct str tree_str(const struct tree *t, const char *key)
{
	struct tree *v = tree_get(t, key);
	return v && (v->kind == T_STR || v->kind == T_NUM) ? v->s : STR_NONE;
}

static inline struct tree *tree_from_yajl(struct arena *a, yajl_val y)
{
	struct tree *t;
	switch (y->type) {
	case yajl_t_string:
		t = tree_new(a, T_STR);
		t->s = str_dup(a, str_c(y->u.string));
		return t;
	case yajl_t_number:
		t = tree_new(a, T_NUM);
		t->num = y->u.number.d;
		t->s = str_dup(a, str_c(y->u.number.r));
		return t;
	case yajl_t_true:
	case yajl_t_false:
		t = tree_new(a, T_BOOL);
		t->b = y->type == yajl_t_true;
		return t;
	case yajl_t_array:
		t = tree_new(a, T_LIST);
		for (size_t i = 0; i < y->u.array.len; i++)
			tree_add(a, t, STR_NONE, tree_from_yajl(a, y->u.array.values[i]));
		return t;
	case yajl_t_object:
		t = tree_new(a, T_MAP);
		for (size_t i = 0; i < y->u.object.len; i++)
			tree_add(
				a, t, str_dup(a, str_c(y->u.object.keys[i])), tree_from_yajl(a, y->u.object.values[i]));
		return t;
	case yajl_t_null:
	case yajl_t_any:
		break;
	}
	return tree_new(a, T_NULL);
}
static inline struct tree *tree_json(struct arena *a, struct str text)
{
	char error[256];
	yajl_val y = yajl_tree_parse(str_z(a, text), error, sizeof error);
	if (!y) return NULL;
	struct tree *t = tree_from_yajl(a, y);
	yajl_tree_free(y);
	return t;
}

/* ── XML: an element is a map of its children (attributes as @name), or a string ── */
struct tree_xml {
	struct arena *a;
	struct tree *stack[100];
	struct buf text[100];
	struct str name[100];
	int depth;
	struct tree *root;
	struct str root_name;
};
static inline void tree_xml_start(void *u, const XML_Char *name, const XML_Char **at)
{
	struct tree_xml *x = u;
	struct tree *t = tree_new(x->a, T_MAP);
	for (; *at; at += 2) {
		struct tree *v = tree_new(x->a, T_STR);
		v->s = str_dup(x->a, str_c(at[1]));
		if (strncmp(at[0], "xmlns", 5) != 0) tree_add(x->a, t, str_cat(x->a, STR("@"), str_c(at[0])), v);
	}
	x->stack[x->depth] = t;
	x->text[x->depth] = BUF_IN(x->a);
	x->name[x->depth++] = str_dup(x->a, str_c(name));
}
static inline void tree_xml_end(void *u, const XML_Char *name)
{
	struct tree_xml *x = u;
	(void)name;
	struct tree *t = x->stack[--x->depth];
	struct str text = buf_done(&x->text[x->depth]);
	if (t->n == 0) {
		t->kind = T_STR;
		t->s = text;
	}
	if (x->depth)
		tree_add(x->a, x->stack[x->depth - 1], x->name[x->depth], t);
	else
		x->root = t, x->root_name = x->name[0];
}
static inline void tree_xml_text(void *u, const XML_Char *s, int n)
{
	struct tree_xml *x = u;
	if (x->depth) buf_add(&x->text[x->depth - 1], s, (size_t)n);
}
static inline struct tree *tree_xml(struct arena *a, struct str text, struct str *root)
{
	struct tree_xml x = {.a = a};
	XML_Parser p = XML_ParserCreate(NULL);
	XML_SetUserData(p, &x);
	XML_SetElementHandler(p, tree_xml_start, tree_xml_end);
	XML_SetCharacterDataHandler(p, tree_xml_text);
	bool good = XML_Parse(p, text.p, (int)text.n, 1) == XML_STATUS_OK;
	XML_ParserFree(p);
	*root = x.root_name;
	return good ? x.root : NULL;
}

/* ── CBOR ── */
struct tree_cbor {
	struct arena *a;
	const unsigned char *p, *end;
	bool bad;
};
static inline struct tree *tree_cbor_value(struct tree_cbor *c)
{
	struct tree *t = tree_new(c->a, T_NULL);
	if (c->bad || c->p >= c->end) return c->bad = true, t;
	unsigned major = *c->p >> 5, info = *c->p & 31;
	c->p++;
	uint64_t n = info;
	size_t width = info >= 24 && info <= 27 ? (size_t)1 << (info - 24) : 0;
	if (width) {
		if ((size_t)(c->end - c->p) < width) return c->bad = true, t;
		n = 0;
		for (size_t i = 0; i < width; i++) n = n << 8 | *c->p++;
	}
	bool open = info == 31;
	switch (major) {
	case 0:
		t->kind = T_NUM;
		t->num = (double)n;
		break;
	case 1:
		t->kind = T_NUM;
		t->num = -1 - (double)n;
		break;
	case 2:
	case 3: {
		struct buf b = BUF_IN(c->a);
		t->kind = T_STR;
		while (open && !c->bad) {
			if (c->p < c->end && *c->p == 0xff) {
				c->p++;
				break;
			}
			buf_str(&b, tree_cbor_value(c)->s);
		}
		if (!open) {
			if (n > (uint64_t)(c->end - c->p)) return c->bad = true, t;
			buf_add(&b, c->p, n);
			c->p += n;
		}
		t->s = buf_done(&b);
		break;
	}
	case 4:
	case 5:
		t->kind = major == 4 ? T_LIST : T_MAP;
		for (uint64_t i = 0; !c->bad && (open || i < n); i++) {
			if (open && c->p < c->end && *c->p == 0xff) {
				c->p++;
				break;
			}
			struct str key = major == 5 ? tree_cbor_value(c)->s : STR_NONE;
			tree_add(c->a, t, key, tree_cbor_value(c));
		}
		break;
	case 6:
		return tree_cbor_value(c);
	default:
		if (info == 20 || info == 21) {
			t->kind = T_BOOL;
			t->b = info == 21;
		} else if (info == 25) {
			unsigned e = n >> 10 & 31, f = n & 1023;
			t->kind = T_NUM;
			t->num = e == 31 ? (f ? NAN : INFINITY) : e ? ldexp(1024.0 + f, (int)e - 25) : f * 0x1p-24;
			if (n & 0x8000) t->num = -t->num;
		} else if (info == 26) {
			uint32_t w = (uint32_t)n;
			float f;
			memcpy(&f, &w, 4);
			t->kind = T_NUM;
			t->num = (double)f;
		} else if (info == 27) {
			t->kind = T_NUM;
			memcpy(&t->num, &n, 8);
		}
	}
	return t;
}
static inline struct tree *tree_cbor(struct arena *a, struct str bytes)
{
	struct tree_cbor c = {a, (const unsigned char *)bytes.p, (const unsigned char *)bytes.p + bytes.n, false};
	struct tree *t = tree_cbor_value(&c);
	return c.bad || c.p != c.end ? NULL : t;
}

/* ── comparison ── */
static inline bool tree_time(const char *s, double *out)
{
	struct tm tm = {0};
	const char *rest = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	double fraction = 0;
	if (rest) {
		char *end = NULL;
		if (*rest == '.') fraction = strtod(rest, &end);
		if (end) rest = end;
		int h = 0, m = 0;
		char sign = *rest;
		if (sign == '+' || sign == '-') {
			if (sscanf(rest + 1, "%d:%d", &h, &m) != 2) return false;
		} else if (sign != 'Z') {
			return false;
		}
		*out = (double)timegm(&tm) + fraction - (sign == '-' ? -1 : 1) * (h * 3600 + m * 60);
		return true;
	}
	rest = strptime(s, "%a, %d %b %Y %H:%M:%S", &tm);
	if (!rest) return false;
	if (*rest == '.') fraction = strtod(rest, NULL);
	*out = (double)timegm(&tm) + fraction;
	return true;
}
static inline bool tree_number(const struct tree *t, struct arena *a, double *out)
{
	if (t->kind == T_NUM) {
		*out = t->num;
		return true;
	}
	if (t->kind != T_STR || !t->s.n) return false;
	const char *z = str_z(a, str_trim(t->s));
	char *end;
	*out = strtod(z, &end);
	return (end != z && !*end) || tree_time(z, out);
}
static inline struct str tree_trim(struct str s)
{
	while (s.n && strchr(" \t\r\n", s.p[0])) s = str_from(s, 1);
	while (s.n && strchr(" \t\r\n", s.p[s.n - 1])) s.n--;
	return s;
}
static inline bool tree_empty(const struct tree *t)
{
	return !t || t->kind == T_NULL || (t->kind == T_STR && tree_trim(t->s).n == 0);
}
static inline bool tree_same(struct arena *a, const struct tree *x, const struct tree *y)
{
	double dx, dy;
	if (tree_empty(x) && (tree_empty(y) || y->n == 0)) return tree_empty(y) || y->kind >= T_LIST;
	if (tree_empty(y)) return x->kind >= T_LIST && x->n == 0;
	if (x->kind < T_LIST && y->kind < T_LIST) {
		if (x->kind == T_BOOL || y->kind == T_BOOL) return x->kind == y->kind && x->b == y->b;
		if (x->kind == T_STR && y->kind == T_STR && str_eq(tree_trim(x->s), tree_trim(y->s))) return true;
		return tree_number(x, a, &dx) && tree_number(y, a, &dy) &&
		       (dx == dy || (isnan(dx) && isnan(dy)) || fabs(dx - dy) < 1e-6 * fabs(dx));
	}
	if (x->kind != y->kind) return false;
	if (x->kind == T_LIST) {
		if (x->n != y->n) return false;
		for (size_t i = 0; i < x->n; i++)
			if (!tree_same(a, x->v[i], y->v[i])) return false;
		return true;
	}
	/* Each key's values in turn; entries of XML maps in any order. Nulls are as good as absent. */
	bool *used = arena_new_n(a, bool, y->n);
	for (size_t i = 0; i < x->n; i++) {
		size_t k = 0;
		while (k < y->n && (used[k] || !str_eq(x->k[i], y->k[k]) || !tree_same(a, x->v[i], y->v[k]))) k++;
		if (k == y->n) {
			if (tree_empty(x->v[i]) && x->v[i]->kind == T_NULL) continue;
			return false;
		}
		used[k] = true;
	}
	for (size_t k = 0; k < y->n; k++)
		if (!used[k] && y->v[k]->kind != T_NULL) return false;
	return true;
}
static inline void tree_print(struct buf *b, const struct tree *t)
{
	if (!t) {
		buf_lit(b, "(none)");
		return;
	}
	switch (t->kind) {
	case T_NULL:
		buf_lit(b, "null");
		break;
	case T_BOOL:
		buf_fmt(b, "%s", t->b ? "true" : "false");
		break;
	case T_NUM:
		if (t->s.p)
			buf_str(b, t->s);
		else
			buf_f64(b, t->num);
		break;
	case T_STR: {
		buf_byte(b, '"');
		for (size_t i = 0; i < t->s.n; i++) {
			unsigned char c = (unsigned char)t->s.p[i];
			if (c == '"' || c == '\\') buf_byte(b, '\\');
			if (c < 0x20)
				buf_fmt(b, "\\u%04x", c);
			else
				buf_byte(b, (char)c);
		}
		buf_byte(b, '"');
		break;
	}
	case T_LIST:
	case T_MAP:
		buf_byte(b, t->kind == T_LIST ? '[' : '{');
		for (size_t i = 0; i < t->n; i++) {
			if (i) buf_byte(b, ',');
			if (t->kind == T_MAP) {
				struct tree key = {.kind = T_STR, .s = t->k[i]};
				tree_print(b, &key);
				buf_byte(b, ':');
			}
			tree_print(b, t->v[i]);
		}
		buf_byte(b, t->kind == T_LIST ? ']' : '}');
	}
}
