/* Filters, order and pages of secrets, for ListSecrets and BatchGetSecretValue ("Find secrets in AWS Secrets Manager",
 * the user guide). */
#include "services/secretsmanager/room.h"
#include <stdlib.h>

/* Does a word of the text begin with the prefix? Case counts only where it is told to. */
static bool begins(struct str text, struct str prefix, bool same_case)
{
	return same_case ? str_starts(text, prefix) : str_istarts(text, prefix);
}

static bool any_tag(const struct sm_secret *s, struct str prefix, bool keys, bool values, bool same_case)
{
	for (size_t i = 0; i < s->r.tags.n; i++) {
		if (keys && begins(s->r.tags.v[i].key, prefix, same_case)) return true;
		if (values && begins(s->r.tags.v[i].value, prefix, same_case)) return true;
	}
	return false;
}

static bool any_word(struct str text, struct str word)
{
	for (size_t i = 0; i < text.n; i++) {
		bool starts = i == 0 || strchr(" /_+=.@-:,;", text.p[i - 1]) != NULL;
		if (starts && str_istarts(str_from(text, i), word)) return true;
	}
	return false;
}

/* "all: Breaks the filter value string into words and then searches all attributes for matches. Not case-sensitive." */
static bool all_match(const struct sm_secret *s, struct str value)
{
	for (struct str rest = value; str_has(rest);) {
		struct str word = str_cut(&rest, ' ');
		if (str_empty(word)) continue;
		if (any_word(s->name, word) || any_word(str_or(s->r.description, STR("")), word) ||
			any_tag(s, word, true, true, false) || str_istarts(str_or(s->r.primary_region, STR("")), word))
			return true;
	}
	return false;
}

static bool value_matches(const struct sm_secret *s, struct str key, struct str value)
{
	if (str_is(key, "name")) return begins(s->name, value, true);
	if (str_is(key, "description")) return any_word(str_or(s->r.description, STR("")), value);
	if (str_is(key, "tag-key")) return any_tag(s, value, true, false, true);
	if (str_is(key, "tag-value")) return any_tag(s, value, false, true, true);
	if (str_is(key, "primary-region"))
		return str_has(s->r.primary_region) && begins(s->r.primary_region, value, true);
	if (str_is(key, "all")) return all_match(s, value);
	if (str_is(key, "owning-service")) return str_has(sm_owner(s)) && begins(sm_owner(s), value, true);
	return false;
}

/* Values that begin with "!" exclude; of the others one has to match. */
static bool filter_matches(const struct sm_secret *s, const struct secretsmanager_filter *f)
{
	bool wanted = false, found = false;
	for (size_t i = 0; i < f->values.n; i++) {
		struct str value = f->values.v[i];
		if (str_starts(value, STR("!"))) {
			if (value_matches(s, f->key, str_from(value, 1))) return false;
			continue;
		}
		wanted = true;
		found |= value_matches(s, f->key, value);
	}
	return found || !wanted;
}

bool sm_filters_match(
	struct arena *a, const struct sm_secret *s, const struct secretsmanager_filters_list_type *filters)
{
	(void)a;
	for (size_t i = 0; i < filters->n; i++)
		if (!filter_matches(s, &filters->v[i])) return false;
	return true;
}

/* ── order and pages ──────────────────────────────────────────────────────────────────────────────────────────── */

struct item {
	struct sm_secret s;
	int64_t at; /* what is sorted by; 0 by name */
};

static int ascending(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	if (a->at != b->at) return a->at < b->at ? -1 : 1;
	return str_cmp(a->s.name, b->s.name);
}

static int descending(const void *x, const void *y)
{
	return ascending(y, x);
}

static int64_t sort_value(const struct sm_secret *s, struct str by)
{
	if (str_is(by, "name")) return 0;
	if (str_is(by, "last-accessed-date")) return s->r.accessed.has ? s->r.accessed.ms : 0;
	return str_is(by, "last-changed-date") ? s->r.changed.ms : s->r.created.ms;
}

/* A token is the place of the last secret of its page: its sort value and name. */
static status read_token(struct call *c, struct str token, struct item *last)
{
	struct str text;
	if (is_ok(str_unbase64(c->arena, token, &text))) {
		struct str rest = text, at = str_cut(&rest, ' ');
		last->s.name = rest;
		if (str_has(rest) && is_ok(str_to_i64(at, &last->at))) return OK;
	}
	return call_fail(c, SECRETSMANAGER_ERR_INVALID_NEXT_TOKEN_EXCEPTION, "Invalid Next Token.");
}

status sm_select(
	struct call *c, struct store_tx *tx, const struct sm_query *q, struct sm_secrets *out, struct str *next)
{
	struct {
		struct item *v;
		size_t n;
	} all = {0};
	struct item last;
	size_t capacity = 0, room = 0;
	struct str prefix = sm_region_prefix(c->arena, c->account, c->region), key, value;
	for (size_t i = 0; i < q->filters->n; i++)
		if (!str_has(q->filters->v[i].key) || !q->filters->v[i].values.n)
			return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION,
				"Invalid filter: it needs a key and values.");
	if (str_has(q->token)) TRY(read_token(c, q->token, &last));
	struct store_scan *scan = store_scan_begin(tx, prefix, key_after(c->arena, prefix), false);
	status st = OK;
	while (is_ok(st) && store_scan_next(scan, &key, &value)) {
		struct arena_mark mark = arena_mark(c->arena);
		struct item it = {.s = {.account = c->account, .region = c->region}};
		struct str rest = str_dup(c->arena, str_from(key, prefix.n));
		st = key_read_str(c->arena, &rest, &it.s.name);
		if (is_ok(st)) st = secretsmanager_rec_secret_decode(c->arena, str_dup(c->arena, value), &it.s.r);
		if (!is_ok(st)) break;
		if ((it.s.r.deletion.has && !q->deleted_too) || !sm_filters_match(c->arena, &it.s, q->filters)) {
			arena_release(c->arena, mark);
			continue;
		}
		it.at = sort_value(&it.s, q->sort_by);
		*VEC_PUSH(c->arena, &all, &capacity) = it;
	}
	status end = store_scan_end(scan);
	TRY(st);
	TRY(end);
	int (*order)(const void *, const void *) = str_is(q->order, "asc") ? ascending : descending;
	if (all.n) qsort(all.v, all.n, sizeof(*all.v), order);
	*out = (struct sm_secrets){0};
	*next = STR_NONE;
	for (size_t i = 0; i < all.n; i++) {
		if (str_has(q->token) && order(&all.v[i], &last) <= 0) continue;
		if (out->n == q->limit) {
			const struct item *end_of_page = &all.v[i - 1];
			*next = str_base64(c->arena, str_fmt(c->arena, "%lld %.*s", (long long)end_of_page->at,
							     STR_ARG(end_of_page->s.name)));
			break;
		}
		struct sm_secret *s = VEC_PUSH(c->arena, out, &room);
		*s = all.v[i].s;
		sm_name_arn(c->arena, s);
	}
	return OK;
}
