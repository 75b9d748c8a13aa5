/* Roles that other services keep in an account (Organizations' access role, Identity Center's reserved ones): made,
 * changed and dropped within a transaction of theirs. */
#include "services/iam/internal.h"

static bool has(const struct iam_rec_strings *l, struct str s)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i], s)) return true;
	return false;
}

status iam_role_ensure(struct store_tx *tx, struct arena *a, const struct iam_wanted_role *w, int64_t now_ms)
{
	struct iam_rec_entity e;
	status s = iam_peek(tx, a, IAM_ROLE, w->account, w->name, &e);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (!is_ok(s)) e = (struct iam_rec_entity){.id = iam_new_id(a, "AROA"), .created = SOME_TIME(now_ms)};
	for (size_t i = 0; i < e.attached.n; i++)
		if (!has(&w->attached, e.attached.v[i]))
			iam_attachment_delete_in(tx, a, w->account, e.attached.v[i], "role", w->name);
	for (size_t i = 0; i < w->attached.n; i++)
		iam_attachment_put_in(tx, a, w->account, w->attached.v[i], "role", w->name);
	if (e.boundary.n) iam_attachment_delete_in(tx, a, w->account, e.boundary, "role-boundary", w->name);
	if (w->boundary.n) iam_attachment_put_in(tx, a, w->account, w->boundary, "role-boundary", w->name);
	e.name = w->name;
	e.path = w->path;
	e.trust = w->trust;
	e.description = w->description;
	e.service = w->service;
	e.max_session = SOME_I32(w->max_session_s);
	e.attached = w->attached;
	e.inline_policies = w->documents;
	e.boundary = w->boundary;
	e.tags = w->tags;
	store_put(tx, iam_key(a, "role", w->account, w->name), iam_rec_entity_encode(a, &e));
	iam_changed_in(tx, a, w->account);
	return OK;
}

status iam_role_drop(struct store_tx *tx, struct arena *a, struct str account, struct str name)
{
	struct iam_rec_entity e;
	status s = iam_peek(tx, a, IAM_ROLE, account, name, &e);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	for (size_t i = 0; i < e.attached.n; i++)
		iam_attachment_delete_in(tx, a, account, e.attached.v[i], "role", e.name);
	if (e.boundary.n) iam_attachment_delete_in(tx, a, account, e.boundary, "role-boundary", e.name);
	store_delete(tx, iam_key(a, "role", account, e.name));
	iam_changed_in(tx, a, account);
	return OK;
}
