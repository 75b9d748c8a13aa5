/* What many of IAM's operations have in common: pages, scans, tags, lists of names. */
#include "services/iam/internal.h"

#define PAGE_DEFAULT 100
#define TAGS_MAX 50

/* ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────── */

status iam_page_begin(struct call *c, struct str marker, struct opt_i32 max_items, struct iam_page *p)
{
	*p = (struct iam_page){.c = c, .most = max_items.has ? (size_t)max_items.v : PAGE_DEFAULT};
	if (!str_has(marker)) return OK;
	if (is_ok(str_unbase64(c->arena, marker, &p->after)) && str_utf8_valid(p->after)) return OK;
	return call_fail(c, ERR_VALIDATION, "Invalid Marker.");
}

bool iam_page_take(struct iam_page *p, struct str name)
{
	if (p->truncated) return false;
	if (str_has(p->after) && str_cmp(name, p->after) <= 0) return false;
	if (p->n == p->most) {
		p->truncated = true;
		return false;
	}
	p->n++;
	p->last = str_dup(p->c->arena, name);
	return true;
}

void iam_page_end(struct iam_page *p, struct opt_bool *is_truncated, struct str *marker)
{
	*is_truncated = SOME_BOOL(p->truncated);
	if (p->truncated) *marker = str_base64(p->c->arena, p->last);
}

struct iam_rows iam_rows_under(struct call *c, struct str encoded)
{
	return (struct iam_rows){
		.scan = store_scan_begin(c->tx, encoded, key_after(c->arena, encoded), false), .arena = c->arena};
}

struct iam_rows iam_rows_begin(struct call *c, const char *kind)
{
	return iam_rows_under(c, iam_key(c->arena, kind, c->account, STR_NONE));
}

bool iam_rows_next(struct iam_rows *r)
{
	struct str key;
	if (!store_scan_next(r->scan, &key, &r->value)) return false;
	r->name = STR("");
	while (key.n && is_ok(key_read_str(r->arena, &key, &r->name))) continue;
	return true;
}

status iam_rows_end(struct iam_rows *r)
{
	return store_scan_end(r->scan);
}

/* ── lists of strings ─────────────────────────────────────────────────────────────────────────────────────────── */

bool iam_strings_have(const struct iam_rec_strings *l, struct str s)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_ieq(l->v[i], s)) return true;
	return false;
}

void iam_strings_add(struct arena *a, struct iam_rec_strings *l, struct str s)
{
	struct str *v = arena_new_n(a, struct str, l->n + 1);
	if (l->n) memcpy(v, l->v, l->n * sizeof(*v));
	v[l->n++] = s;
	l->v = v;
}

bool iam_strings_drop(struct iam_rec_strings *l, struct str s)
{
	for (size_t i = 0; i < l->n; i++) {
		if (!str_ieq(l->v[i], s)) continue;
		memmove(l->v + i, l->v + i + 1, (l->n - i - 1) * sizeof(*l->v));
		l->n--;
		return true;
	}
	return false;
}

/* ── tags ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static ptrdiff_t find_tag(const struct iam_rec_tags *tags, struct str key)
{
	for (size_t i = 0; i < tags->n; i++)
		if (str_ieq(tags->v[i].key, key)) return (ptrdiff_t)i;
	return -1;
}

/* "Tags for IAM resources": keys are unique without case, 50 at most, aws: is reserved. */
status iam_tags_set(struct call *c, struct iam_rec_tags *tags, const struct iam_tag_list_type *add)
{
	struct iam_rec_tags all = {
		.v = arena_new_n(c->arena, struct iam_rec_tags_entry, tags->n + add->n), .n = tags->n};
	if (tags->n) memcpy(all.v, tags->v, tags->n * sizeof(*all.v));
	for (size_t i = 0; i < add->n; i++) {
		struct str key = add->v[i].key, value = add->v[i].value;
		if (!c->system_tags && str_istarts(key, STR("aws:")))
			return IAM_FAIL(
				c, INVALID_INPUT, "Tag keys that begin with 'aws:' are reserved for system use.");
		for (size_t j = 0; j < i; j++)
			if (str_ieq(add->v[j].key, key))
				return IAM_FAIL(c, INVALID_INPUT,
					"Duplicate tag keys found. Please note that Tag keys are case insensitive.");
		ptrdiff_t at = find_tag(&all, key);
		if (at < 0) at = (ptrdiff_t)all.n++;
		all.v[at] = (struct iam_rec_tags_entry){key, value};
	}
	if (all.n > TAGS_MAX) return IAM_FAIL(c, LIMIT_EXCEEDED, "The number of tags has reached the maximum limit.");
	*tags = all;
	return OK;
}

void iam_tags_drop(struct iam_rec_tags *tags, const struct iam_tag_key_list_type *keys)
{
	for (size_t i = 0; i < keys->n; i++) {
		ptrdiff_t at = find_tag(tags, keys->v[i]);
		if (at < 0) continue;
		memmove(tags->v + at, tags->v + at + 1, (tags->n - (size_t)at - 1) * sizeof(*tags->v));
		tags->n--;
	}
}

void iam_tags_out(struct call *c, const struct iam_rec_tags *tags, struct iam_tag_list_type *out)
{
	out->v = arena_new_n(c->arena, struct iam_tag, tags->n);
	out->n = tags->n;
	for (size_t i = 0; i < tags->n; i++) out->v[i] = (struct iam_tag){tags->v[i].key, tags->v[i].value};
}

status iam_tags_page(struct call *c, const struct iam_rec_tags *tags, struct str marker, struct opt_i32 max_items,
	struct iam_tag_list_type *out, struct opt_bool *is_truncated, struct str *next)
{
	struct iam_page page;
	TRY(iam_page_begin(c, marker, max_items, &page));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, out);
	for (size_t i = 0; i < tags->n; i++) {
		if (!iam_page_take(&page, str_fmt(c->arena, "%04zu", i))) continue;
		*VEC_PUSH(c->arena, out, &capacity) = (struct iam_tag){tags->v[i].key, tags->v[i].value};
	}
	iam_page_end(&page, is_truncated, next);
	return OK;
}
