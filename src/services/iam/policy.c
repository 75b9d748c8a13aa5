/* Managed policies and their versions; the index of what they are attached to; what documents have to be like. */
#include "services/iam/internal.h"
#include "services/iam/managed.h"

/* "IAM and AWS STS quotas" */
#define MANAGED_MAX 6144
#define VERSIONS_MAX 5
#define POLICIES_MAX 5000 /* what Service Quotas raises 1,500 to at most */

/* ── documents ────────────────────────────────────────────────────────────────────────────────────────────────── */

status iam_check_document(struct call *c, struct str text, enum policy_type type, size_t most, struct str label)
{
	struct policy_source source = {.type = type, .max_size = 0, .label = label};
	struct policy *p = NULL;
	struct policy_error why = {0};
	if (!is_ok(policy_parse(text, &source, &p, &why)))
		return IAM_FAIL(c, MALFORMED_POLICY_DOCUMENT, "%s", why.message);
	policy_free(p);
	if (!most || policy_size(text) <= most) return OK;
	if (type == POLICY_TRUST)
		return IAM_FAIL(c, LIMIT_EXCEEDED, "Cannot exceed quota for ACLSizePerRole: %zu", most);
	return IAM_FAIL(c, LIMIT_EXCEEDED, "Cannot exceed quota for PolicySize: %zu", most);
}

struct str iam_document_out(struct call *c, struct str text)
{
	return str_has(text) ? str_uri_encode(c->arena, text, false) : text;
}

/* ── attachments ──────────────────────────────────────────────────────────────────────────────────────────────── */

static struct str attachment_key(
	struct arena *a, struct str account, struct str arn, const char *kind, struct str name)
{
	struct key k = key_for(a, STR("iam"), STR("attachment"), account, STR(""));
	key_str(&k, arn);
	if (kind) key_str(&k, str_c(kind));
	if (kind) key_str(&k, str_lower(a, name));
	return key_done(&k);
}

void iam_attachment_put_in(struct store_tx *tx, struct arena *a, struct str account, struct str arn, const char *kind,
	struct str name)
{
	store_put(tx, attachment_key(a, account, arn, kind, name), str_c(kind));
}

void iam_attachment_delete_in(struct store_tx *tx, struct arena *a, struct str account, struct str arn,
	const char *kind, struct str name)
{
	store_delete(tx, attachment_key(a, account, arn, kind, name));
}

void iam_attachment_put(struct call *c, struct str arn, const char *kind, struct str name)
{
	iam_attachment_put_in(c->tx, c->arena, c->account, arn, kind, name);
}

void iam_attachment_delete(struct call *c, struct str arn, const char *kind, struct str name)
{
	iam_attachment_delete_in(c->tx, c->arena, c->account, arn, kind, name);
}

struct iam_rows iam_attachments(struct call *c, struct str arn)
{
	return iam_rows_under(c, attachment_key(c->arena, c->account, arn, NULL, STR_NONE));
}

struct iam_attachment_counts iam_attachment_count(struct call *c, struct str arn)
{
	struct iam_attachment_counts n = {0};
	struct iam_rows r = iam_attachments(c, arn);
	while (iam_rows_next(&r)) {
		if (str_ends(r.value, STR("-boundary")))
			n.boundaries++;
		else
			n.policies++;
	}
	(void)!is_ok(iam_rows_end(&r));
	return n;
}

/* ── managed policies ─────────────────────────────────────────────────────────────────────────────────────────── */

static struct str policy_arn(const struct call *c, const struct iam_rec_policy *p)
{
	return iam_arn(c, "policy", p->path, p->name);
}

status iam_policy_peek(
	struct store_tx *tx, struct arena *a, struct str account, struct str arn, struct iam_rec_policy *out)
{
	/* arn:PARTITION:iam::ACCOUNT:policy/PATH/NAME; names are unique whatever their path. */
	struct str rest = arn, part[5];
	for (int i = 0; i < 5; i++) {
		if (!str_has(rest)) return STATUS(NOT_FOUND);
		part[i] = str_cut(&rest, ':');
	}
	if (!str_is(part[2], "iam") || !str_eq(part[4], account) || !str_has(rest) || !str_starts(rest, STR("policy/")))
		return STATUS(NOT_FOUND);
	ptrdiff_t slash = str_rchr(rest, '/');
	struct str name = str_from(rest, (size_t)slash + 1), path = str_sub(rest, 6, (size_t)slash - 5), bytes;
	*out = (struct iam_rec_policy){0};
	TRY(store_get(tx, iam_key(a, "policy", account, name), &bytes));
	TRY(iam_rec_policy_decode(a, bytes, out));
	return str_eq(out->name, name) && str_eq(out->path, path) ? OK : STATUS(NOT_FOUND);
}

static status policy_get(struct call *c, struct str arn, struct iam_rec_policy *out)
{
	status s = iam_policy_peek(c->tx, c->arena, c->account, arn, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	if (iam_managed_find(arn))
		return call_fail(c, ERR_ACCESS_DENIED, "AWS managed policies cannot be changed: %.*s", STR_ARG(arn));
	return IAM_FAIL(c, NO_SUCH_ENTITY, "Policy %.*s was not found.", STR_ARG(arn));
}

/* AWS's own as if they were records, so that they read alike. */
void iam_managed_record(struct call *c, const struct iam_managed *m, struct iam_rec_policy *out)
{
	struct iam_rec_version *v = arena_new(c->arena, struct iam_rec_version);
	*v = (struct iam_rec_version){.id = STR("v1"), .text = m->document, .created = SOME_TIME(m->created_ms)};
	*out = (struct iam_rec_policy){.name = m->name,
		.path = m->path,
		.id = m->id,
		.created = SOME_TIME(m->created_ms),
		.updated = SOME_TIME(m->created_ms),
		.default_version = STR("v1"),
		.versions = {v, 1},
		.description = m->description};
}

static status policy_read(struct call *c, struct str arn, struct iam_rec_policy *out, bool *aws)
{
	const struct iam_managed *m = iam_managed_find(arn);
	*aws = m != NULL;
	if (!m) return policy_get(c, arn, out);
	iam_managed_record(c, m, out);
	return OK;
}

static void policy_put(struct call *c, const struct iam_rec_policy *p)
{
	store_put(c->tx, iam_key(c->arena, "policy", c->account, p->name), iam_rec_policy_encode(c->arena, p));
	iam_changed(c);
}

static const struct iam_rec_version *version_of(const struct iam_rec_policy *p, struct str id)
{
	for (size_t i = 0; i < p->versions.n; i++)
		if (str_eq(p->versions.v[i].id, id)) return &p->versions.v[i];
	return NULL;
}

status iam_policy_text(struct store_tx *tx, struct arena *a, struct str account, struct str arn, struct str *text)
{
	const struct iam_managed *m = iam_managed_find(arn);
	if (m) {
		*text = m->document;
		return OK;
	}
	struct iam_rec_policy p;
	TRY(iam_policy_peek(tx, a, account, arn, &p));
	const struct iam_rec_version *v = version_of(&p, p.default_version);
	INVARIANT(v);
	*text = v->text;
	return OK;
}

status iam_require_attachable(struct call *c, struct str arn)
{
	struct iam_rec_policy p;
	if (iam_managed_find(arn)) return OK;
	status s = iam_policy_peek(c->tx, c->arena, c->account, arn, &p);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	if (!str_starts(arn, STR("arn:"))) return IAM_FAIL(c, INVALID_INPUT, "ARN %.*s is not valid.", STR_ARG(arn));
	return IAM_FAIL(c, NO_SUCH_ENTITY, "Policy %.*s does not exist or is not attachable.", STR_ARG(arn));
}

void iam_policy_out(struct call *c, const struct iam_rec_policy *p, bool whole, struct iam_policy *out)
{
	out->policy_name = p->name;
	out->policy_id = p->id;
	out->path = p->path;
	struct str aws_arn = iam_managed_arn(c->arena, p->path, p->name);
	const struct iam_managed *m = iam_managed_find(aws_arn);
	out->arn = m && str_eq(m->id, p->id) ? aws_arn : policy_arn(c, p);
	struct iam_attachment_counts n = iam_attachment_count(c, out->arn);
	out->attachment_count = SOME_I32((int32_t)n.policies);
	out->permissions_boundary_usage_count = SOME_I32((int32_t)n.boundaries);
	out->default_version_id = p->default_version;
	out->is_attachable = SOME_BOOL(true);
	out->create_date = p->created;
	out->update_date = p->updated;
	if (!whole) return;
	out->description = p->description;
	iam_tags_out(c, &p->tags, &out->tags);
}

static void version_out(struct call *c, const struct iam_rec_policy *p, const struct iam_rec_version *v, bool text,
	struct iam_policy_version *out)
{
	out->version_id = v->id;
	out->is_default_version = SOME_BOOL(str_eq(v->id, p->default_version));
	out->create_date = v->created;
	if (text) out->document = iam_document_out(c, v->text);
}

status iam_create_policy(struct call *c, const struct iam_create_policy_input *in, struct iam_create_policy_output *out)
{
	struct str bytes;
	status s = store_get(c->tx, iam_key(c->arena, "policy", c->account, in->policy_name), &bytes);
	if (is_ok(s))
		return IAM_FAIL(c, ENTITY_ALREADY_EXISTS,
			"A policy called %.*s already exists. Duplicate names are not allowed.",
			STR_ARG(in->policy_name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(iam_check_document(c, in->policy_document, POLICY_IDENTITY, MANAGED_MAX, in->policy_name));
	if (iam_count(c, "policy", POLICIES_MAX) >= POLICIES_MAX)
		return IAM_FAIL(c, LIMIT_EXCEEDED, "Cannot exceed quota for PoliciesPerAccount: %d", POLICIES_MAX);
	struct iam_rec_version *v = arena_new(c->arena, struct iam_rec_version);
	*v = (struct iam_rec_version){.id = STR("v1"), .text = in->policy_document, .created = SOME_TIME(c->now_ms)};
	struct iam_rec_policy p = {
		.name = in->policy_name,
		.path = str_or(in->path, STR("/")),
		.id = iam_new_id(c->arena, "ANPA"),
		.created = SOME_TIME(c->now_ms),
		.updated = SOME_TIME(c->now_ms),
		.description = in->description,
		.default_version = STR("v1"),
		.next_version = SOME_I32(2),
		.versions = {v, 1},
	};
	TRY(iam_tags_set(c, &p.tags, &in->tags));
	policy_put(c, &p);
	out->policy = arena_new(c->arena, struct iam_policy);
	iam_policy_out(c, &p, true, out->policy);
	out->policy->description = STR_NONE;
	return OK;
}

status iam_get_policy(struct call *c, const struct iam_get_policy_input *in, struct iam_get_policy_output *out)
{
	struct iam_rec_policy p;
	bool aws;
	TRY(policy_read(c, in->policy_arn, &p, &aws));
	out->policy = arena_new(c->arena, struct iam_policy);
	iam_policy_out(c, &p, true, out->policy);
	return OK;
}

status iam_delete_policy(struct call *c, const struct iam_delete_policy_input *in, struct iam_delete_policy_output *out)
{
	(void)out;
	struct iam_rec_policy p;
	TRY(policy_get(c, in->policy_arn, &p));
	struct iam_attachment_counts n = iam_attachment_count(c, in->policy_arn);
	if (n.policies + n.boundaries)
		return IAM_FAIL(c, DELETE_CONFLICT, "Cannot delete a policy attached to entities.");
	if (p.versions.n > 1)
		return IAM_FAIL(c, DELETE_CONFLICT,
			"This policy has more than one version. Before you delete a policy, you must delete the "
			"policy's versions. "
			"The default version is deleted with the policy.");
	/* Attached meanwhile: the one who commits later sees the other. */
	struct str all = attachment_key(c->arena, c->account, in->policy_arn, NULL, STR_NONE);
	store_require_empty(c->tx, all, key_after(c->arena, all));
	store_delete(c->tx, iam_key(c->arena, "policy", c->account, p.name));
	iam_changed(c);
	return OK;
}

status iam_list_policies(struct call *c, const struct iam_list_policies_input *in, struct iam_list_policies_output *out)
{
	bool local = !str_is(in->scope, "AWS"), aws = !str_is(in->scope, "Local");
	struct iam_page page;
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->policies);
	/* The account's own sort before AWS's: markers begin with a letter that says which. */
	struct iam_rows r = iam_rows_begin(c, "policy");
	size_t next_aws = 0;
	for (;;) {
		struct iam_rec_policy p = {0};
		struct str name;
		if (local && iam_rows_next(&r)) {
			TRY(iam_rec_policy_decode(c->arena, str_dup(c->arena, r.value), &p));
			name = str_cat(c->arena, STR("1"), r.name);
		} else if (aws && next_aws < iam_managed_count) {
			local = false;
			iam_managed_record(c, &iam_managed_policies[next_aws], &p);
			name = str_fmt(c->arena, "2%05zu", next_aws++);
		} else {
			break;
		}
		if (!str_starts(p.path, str_or(in->path_prefix, STR("/")))) continue;
		struct iam_policy o = {0};
		iam_policy_out(c, &p, false, &o);
		bool boundaries = str_is(in->policy_usage_filter, "PermissionsBoundary");
		bool permissions = str_is(in->policy_usage_filter, "PermissionsPolicy");
		if (in->only_attached.v && !o.attachment_count.v && !o.permissions_boundary_usage_count.v) continue;
		if (boundaries && !o.permissions_boundary_usage_count.v) continue;
		if (permissions && !o.attachment_count.v) continue;
		if (!iam_page_take(&page, name)) {
			if (page.truncated) break;
			continue;
		}
		*VEC_PUSH(c->arena, &out->policies, &capacity) = o;
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return iam_rows_end(&r);
}

/* ── versions ─────────────────────────────────────────────────────────────────────────────────────────────────── */

status iam_create_policy_version(
	struct call *c, const struct iam_create_policy_version_input *in, struct iam_create_policy_version_output *out)
{
	struct iam_rec_policy p;
	TRY(policy_get(c, in->policy_arn, &p));
	TRY(iam_check_document(c, in->policy_document, POLICY_IDENTITY, MANAGED_MAX, p.name));
	if (p.versions.n >= VERSIONS_MAX)
		return IAM_FAIL(c, LIMIT_EXCEEDED,
			"A managed policy can have up to %d versions. Before you create a new version, you must delete "
			"an existing version.",
			VERSIONS_MAX);
	struct iam_rec_version *v = arena_new_n(c->arena, struct iam_rec_version, p.versions.n + 1);
	memcpy(v, p.versions.v, p.versions.n * sizeof(*v));
	struct iam_rec_version *made = &v[p.versions.n++];
	*made = (struct iam_rec_version){.id = str_fmt(c->arena, "v%d", p.next_version.v),
		.text = in->policy_document,
		.created = SOME_TIME(c->now_ms)};
	p.versions.v = v;
	p.next_version.v++;
	if (in->set_as_default.v) p.default_version = made->id;
	p.updated = SOME_TIME(c->now_ms);
	policy_put(c, &p);
	out->policy_version = arena_new(c->arena, struct iam_policy_version);
	version_out(c, &p, made, false, out->policy_version);
	return OK;
}

static status no_version(struct call *c, struct str arn, struct str id)
{
	return IAM_FAIL(c, NO_SUCH_ENTITY, "Policy %.*s version %.*s does not exist or is not attachable.",
		STR_ARG(arn), STR_ARG(id));
}

status iam_get_policy_version(
	struct call *c, const struct iam_get_policy_version_input *in, struct iam_get_policy_version_output *out)
{
	struct iam_rec_policy p;
	bool aws;
	TRY(policy_read(c, in->policy_arn, &p, &aws));
	const struct iam_rec_version *v = version_of(&p, in->version_id);
	if (!v) return no_version(c, in->policy_arn, in->version_id);
	out->policy_version = arena_new(c->arena, struct iam_policy_version);
	version_out(c, &p, v, true, out->policy_version);
	return OK;
}

status iam_delete_policy_version(
	struct call *c, const struct iam_delete_policy_version_input *in, struct iam_delete_policy_version_output *out)
{
	(void)out;
	struct iam_rec_policy p;
	TRY(policy_get(c, in->policy_arn, &p));
	const struct iam_rec_version *v = version_of(&p, in->version_id);
	if (!v) return no_version(c, in->policy_arn, in->version_id);
	if (str_eq(v->id, p.default_version))
		return IAM_FAIL(c, DELETE_CONFLICT, "Cannot delete the default version of a policy.");
	size_t at = (size_t)(v - p.versions.v);
	memmove(p.versions.v + at, p.versions.v + at + 1, (p.versions.n - at - 1) * sizeof(*p.versions.v));
	p.versions.n--;
	policy_put(c, &p);
	return OK;
}

status iam_set_default_policy_version(struct call *c, const struct iam_set_default_policy_version_input *in,
	struct iam_set_default_policy_version_output *out)
{
	(void)out;
	struct iam_rec_policy p;
	TRY(policy_get(c, in->policy_arn, &p));
	if (!version_of(&p, in->version_id)) return no_version(c, in->policy_arn, in->version_id);
	p.default_version = in->version_id;
	p.updated = SOME_TIME(c->now_ms);
	policy_put(c, &p);
	return OK;
}

status iam_list_policy_versions(
	struct call *c, const struct iam_list_policy_versions_input *in, struct iam_list_policy_versions_output *out)
{
	struct iam_rec_policy p;
	bool aws;
	TRY(policy_read(c, in->policy_arn, &p, &aws));
	struct iam_page page;
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	size_t capacity = 0;
	for (size_t i = p.versions.n; i-- > 0;) {
		if (!iam_page_take(&page, str_fmt(c->arena, "%04zu", p.versions.n - i))) continue;
		version_out(c, &p, &p.versions.v[i], false, VEC_PUSH(c->arena, &out->versions, &capacity));
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return OK;
}

/* ── tags ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

status iam_tag_policy(struct call *c, const struct iam_tag_policy_input *in, struct iam_tag_policy_output *out)
{
	(void)out;
	struct iam_rec_policy p;
	TRY(policy_get(c, in->policy_arn, &p));
	TRY(iam_tags_set(c, &p.tags, &in->tags));
	policy_put(c, &p);
	return OK;
}

status iam_untag_policy(struct call *c, const struct iam_untag_policy_input *in, struct iam_untag_policy_output *out)
{
	(void)out;
	struct iam_rec_policy p;
	TRY(policy_get(c, in->policy_arn, &p));
	iam_tags_drop(&p.tags, &in->tag_keys);
	policy_put(c, &p);
	return OK;
}

status iam_list_policy_tags(
	struct call *c, const struct iam_list_policy_tags_input *in, struct iam_list_policy_tags_output *out)
{
	struct iam_rec_policy p;
	bool aws;
	TRY(policy_read(c, in->policy_arn, &p, &aws));
	return iam_tags_page(c, &p.tags, in->marker, in->max_items, &out->tags, &out->is_truncated, &out->marker);
}
