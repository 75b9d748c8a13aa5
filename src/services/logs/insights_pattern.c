/* The command pattern: what recurs in the rows' text, with what varies as <*>-like tokens ("pattern"; "Pattern
 * analysis"). AWS clusters by a model of its own; here a row's text is cut into words and what stands between them,
 * words that hold a digit are told by their kind (<Number-1>, <UUID-2>, <IP-3>, <Time-4>), and rows that are then alike
 * but for a few words become one pattern in which those words are <Token-n>. */
#include "base/cidr.h"
#include "base/map.h"
#include "services/logs/insights.h"
#include <math.h>
#include <stdlib.h>

enum { WORDS_MAX = 200, CLUSTERS_MAX = 2000, ALIKE_PERCENT = 70 };

struct word {
	struct str text;  /* or its kind, where it varies */
	bool gap;         /* between words: never varies */
	const char *kind; /* Number, Time, …; NULL: the text counts */
};
struct cluster {
	struct word *v;
	size_t n, count;
	struct str first;     /* the text of its first row */
	struct cluster *next; /* of the same shape */
};
struct clusters {
	struct cluster **v;
	size_t n, capacity;
};

static bool inner(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
	       c == '-' || c == ':' || (unsigned char)c >= 0x80;
}

static bool is_uuid(struct str s)
{
	if (s.n != 36) return false;
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23,
		     hex = str_chr(STR("0123456789abcdefABCDEF"), s.p[i]) >= 0;
		if (dash ? s.p[i] != '-' : !hex) return false;
	}
	return true;
}

/* 2026-11-29, 12:05:00, 2026-11-29T12:05:00.123Z: digits and what parts them in times. */
static bool is_time(struct str s)
{
	size_t digits = 0, marks = 0;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c >= '0' && c <= '9')
			digits++;
		else if (c == ':' || c == '-')
			marks++;
		else if (c != 'T' && c != 'Z' && c != '.')
			return false;
	}
	return marks >= 2 && digits >= 6;
}

static const char *kind_of(struct str s)
{
	struct cidr ip;
	double d;
	bool digit = false;
	for (size_t i = 0; i < s.n; i++) digit = digit || (s.p[i] >= '0' && s.p[i] <= '9');
	if (!digit) return NULL;
	if (is_ok(str_to_f64(s, &d))) return "Number";
	if (is_uuid(s)) return "UUID";
	if (is_time(s)) return "Time";
	return is_ok(cidr_parse_address(s, &ip)) ? "IP" : "Token";
}

static void cut(struct arena *a, struct str s, struct cluster *out)
{
	out->v = arena_new_n(a, struct word, WORDS_MAX);
	out->first = s;
	while (s.n && out->n < WORDS_MAX) {
		size_t i = 1;
		bool gap = !inner(s.p[0]);
		while (i < s.n && inner(s.p[i]) != gap) i++;
		if (out->n == WORDS_MAX - 1) i = s.n;
		struct str text = str_sub(s, 0, i);
		s = str_from(s, i);
		/* A sentence's or a key's last mark does not belong to the word. */
		size_t tail = 0;
		while (!gap && tail + 1 < text.n && str_chr(STR(".:-"), text.p[text.n - 1 - tail]) >= 0) tail++;
		struct str word = str_sub(text, 0, text.n - tail);
		out->v[out->n++] = (struct word){.text = word, .gap = gap, .kind = gap ? NULL : kind_of(word)};
		if (tail && out->n < WORDS_MAX)
			out->v[out->n++] = (struct word){.text = str_from(text, word.n), .gap = true};
	}
}

/* What rows of one pattern have in common: the number of words, what stands between them, and the kinds. */
static struct str shape(struct arena *a, const struct cluster *c)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < c->n; i++) {
		buf_byte(&b, '\1');
		if (c->v[i].gap) buf_str(&b, c->v[i].text);
	}
	return buf_done(&b);
}

static bool same(const struct word *x, const struct word *y)
{
	return x->kind || y->kind ? x->kind == y->kind : str_eq(x->text, y->text);
}

static bool alike(const struct cluster *x, const struct cluster *y)
{
	size_t words = 0, equal = 0;
	for (size_t i = 0; i < x->n; i++) {
		if (x->v[i].gap) continue;
		words++;
		equal += same(&x->v[i], &y->v[i]);
	}
	return equal * 100 >= words * ALIKE_PERCENT;
}

static void put(struct arena *a, struct map *shapes, struct clusters *all, struct cluster *one)
{
	struct str key = shape(a, one);
	struct cluster *first = map_get(shapes, key), *c = first;
	while (c && !alike(c, one)) c = c->next;
	if (c) {
		for (size_t i = 0; i < c->n; i++)
			if (!c->v[i].gap && !same(&c->v[i], &one->v[i])) c->v[i].kind = "Token";
		c->count++;
		return;
	}
	if (all->n == CLUSTERS_MAX) return;
	one->count = 1;
	one->next = first;
	map_set(shapes, key, one);
	*VEC_PUSH(a, all, &all->capacity) = one;
}

static struct str text_of(struct arena *a, const struct cluster *c)
{
	struct buf b = BUF_IN(a);
	unsigned n = 0;
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].kind)
			buf_fmt(&b, "<%s-%u>", c->v[i].kind, ++n);
		else
			buf_str(&b, c->v[i].text);
	}
	return str_or(buf_done(&b), STR(""));
}

/* "@severityLabel: the log severity or level, which indicates the type of information": as the text names it. */
static struct str severity(const struct cluster *c)
{
	static const struct {
		const char *word, *label;
	} all[] = {{"FATAL", "Fatal"}, {"CRITICAL", "Critical"}, {"ERROR", "Error"}, {"WARNING", "Warning"},
		{"WARN", "Warning"}, {"INFO", "Info"}, {"DEBUG", "Debug"}, {"TRACE", "Trace"}};
	for (size_t k = 0; k < sizeof(all) / sizeof(*all); k++)
		for (size_t i = 0; i < c->n; i++)
			if (str_ieq(c->v[i].text, str_c(all[k].word))) return str_c(all[k].label);
	return STR("None");
}

static int by_count(const void *x, const void *y)
{
	const struct cluster *a = *(struct cluster *const *)x, *b = *(struct cluster *const *)y;
	return a->count != b->count ? (a->count < b->count ? 1 : -1) : str_cmp(a->first, b->first);
}

static void name(struct arena *a, struct ins_row *r, struct str what, struct str value)
{
	*VEC_PUSH(a, &r->pairs, &r->pairs.capacity) = (struct ins_pair){what, value};
}

void ins_patterns(struct arena *a, struct ins_rows *rows, const struct ins_expr *of)
{
	struct map shapes;
	struct clusters all = {0};
	struct ins_rows out = {0};
	size_t total = 0;
	map_init(&shapes);
	for (size_t i = 0; i < rows->n; i++) {
		struct str s = ins_text(a, ins_eval(a, &rows->v[i], of));
		if (!str_has(s) || !s.n) continue;
		struct cluster *one = arena_new(a, struct cluster);
		cut(a, str_trim(s), one);
		put(a, &shapes, &all, one);
		total++;
	}
	map_cleanup(&shapes, NULL);
	if (all.n) qsort(all.v, all.n, sizeof(*all.v), by_count);
	for (size_t i = 0; i < all.n; i++) {
		struct ins_row *r = VEC_PUSH(a, &out, &out.capacity);
		struct buf ratio = BUF_IN(a);
		buf_f64(&ratio, round((double)all.v[i]->count / (double)total * 10000) / 10000);
		name(a, r, STR("@pattern"), text_of(a, all.v[i]));
		name(a, r, STR("@sampleCount"), str_fmt(a, "%zu", all.v[i]->count));
		name(a, r, STR("@ratio"), buf_done(&ratio));
		name(a, r, STR("@severityLabel"), severity(all.v[i]));
	}
	*rows = out;
}
