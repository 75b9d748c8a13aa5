/* Findings and analyzed resources as they are told ("ListFindings", "ListFindingsV2", "UpdateFindings", API reference).
 */
#include "services/accessanalyzer/room.h"

static struct accessanalyzer_principal_map principal_of(struct call *c, const struct accessanalyzer_rec_finding *f)
{
	struct accessanalyzer_principal_map out = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < f->principal.n; i++)
		*VEC_PUSH(c->arena, &out, &capacity) =
			(struct accessanalyzer_principal_map_entry){f->principal.v[i].key, f->principal.v[i].value};
	return out;
}

static struct accessanalyzer_condition_key_map condition_of(struct call *c, const struct accessanalyzer_rec_finding *f)
{
	struct accessanalyzer_condition_key_map out = {0};
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out);
	for (size_t i = 0; i < f->condition.n; i++)
		*VEC_PUSH(c->arena, &out, &capacity) =
			(struct accessanalyzer_condition_key_map_entry){f->condition.v[i].key, f->condition.v[i].value};
	return out;
}

static struct accessanalyzer_finding_source_list source_of(struct call *c, const struct accessanalyzer_rec_finding *f)
{
	struct accessanalyzer_finding_source *s = arena_new(c->arena, struct accessanalyzer_finding_source);
	s->type = f->source;
	return (struct accessanalyzer_finding_source_list){s, 1};
}

/* Analyzer and all its findings, brought up to date. */
static status load(struct call *c, struct str arn, struct accessanalyzer_rec_analyzer *a, struct aa_findings *list)
{
	TRY(aa_analyzer_by_arn(c, arn, a));
	TRY(aa_refresh(c, a, list));
	aa_analyzer_put(c, a);
	return OK;
}

static status filtered(struct call *c, struct str arn, const struct accessanalyzer_filter_criteria_map *filter,
	struct aa_findings *out)
{
	struct accessanalyzer_rec_analyzer a;
	struct accessanalyzer_rec_criteria criteria;
	struct aa_findings list;
	*out = (struct aa_findings){0};
	TRY(aa_read_filter(c, filter, &criteria));
	TRY(load(c, arn, &a, &list));
	for (size_t i = 0; i < list.n; i++)
		if (aa_filter_fits(c->arena, &criteria, &list.v[i]))
			*VEC_PUSH(c->arena, out, &out->capacity) = list.v[i];
	return OK;
}

static status find_one(struct call *c, struct str arn, struct str id, struct accessanalyzer_rec_finding *out)
{
	struct accessanalyzer_rec_analyzer a;
	struct aa_findings list;
	TRY(load(c, arn, &a, &list));
	for (size_t i = 0; i < list.n; i++)
		if (str_eq(list.v[i].id, id)) {
			*out = list.v[i];
			return OK;
		}
	return aa_not_found(c, "Finding", id);
}

#define FILL(c, o, f)                                                                                                  \
	do {                                                                                                           \
		(o)->id = (f)->id;                                                                                     \
		(o)->resource = (f)->resource;                                                                         \
		(o)->resource_type = (f)->type;                                                                        \
		(o)->created_at = (f)->created;                                                                        \
		(o)->analyzed_at = (f)->analyzed;                                                                      \
		(o)->updated_at = (f)->updated;                                                                        \
		(o)->status = (f)->status;                                                                             \
		(o)->resource_owner_account = (f)->owner;                                                              \
	} while (0)
#define FILL_ACCESS(c, o, f)                                                                                           \
	do {                                                                                                           \
		(o)->principal = principal_of((c), (f));                                                               \
		(o)->action = (struct accessanalyzer_action_list){(f)->actions.v, (f)->actions.n};                     \
		(o)->condition = condition_of((c), (f));                                                               \
		(o)->is_public = (f)->public;                                                                          \
		(o)->sources = source_of((c), (f));                                                                    \
		(o)->resource_control_policy_restriction = STR("NOT_APPLICABLE");                                      \
	} while (0)

status accessanalyzer_list_findings(struct call *c, const struct accessanalyzer_list_findings_request *in,
	struct accessanalyzer_list_findings_response *out)
{
	struct aa_findings list;
	size_t capacity = 0;
	struct accessanalyzer_rec_analyzer a;
	TRY(aa_analyzer_by_arn(c, in->analyzer_arn, &a));
	if (aa_is_unused(&a))
		return AA_FAIL(c, VALIDATION, "Use ListFindingsV2 for findings of analyzers of unused access.");
	TRY(filtered(c, in->analyzer_arn, &in->filter, &list));
	VEC_PRESENT(c->arena, &out->findings);
	for (size_t i = 0; i < list.n; i++) {
		struct accessanalyzer_finding_summary *o = VEC_PUSH(c->arena, &out->findings, &capacity);
		FILL(c, o, &list.v[i]);
		FILL_ACCESS(c, o, &list.v[i]);
	}
	return aa_page(c, in->max_results, in->next_token, 100, sizeof(*out->findings.v), (void **)&out->findings.v,
		&out->findings.n, &out->next_token);
}

status accessanalyzer_list_findings_v2(struct call *c, const struct accessanalyzer_list_findings_v2_request *in,
	struct accessanalyzer_list_findings_v2_response *out)
{
	struct aa_findings list;
	size_t capacity = 0;
	TRY(filtered(c, in->analyzer_arn, &in->filter, &list));
	VEC_PRESENT(c->arena, &out->findings);
	for (size_t i = 0; i < list.n; i++) {
		struct accessanalyzer_finding_summary_v2 *o = VEC_PUSH(c->arena, &out->findings, &capacity);
		FILL(c, o, &list.v[i]);
		o->finding_type = str_or(list.v[i].kind, STR("ExternalAccess"));
	}
	return aa_page(c, in->max_results, in->next_token, 100, sizeof(*out->findings.v), (void **)&out->findings.v,
		&out->findings.n, &out->next_token);
}

status accessanalyzer_get_finding(struct call *c, const struct accessanalyzer_get_finding_request *in,
	struct accessanalyzer_get_finding_response *out)
{
	struct accessanalyzer_rec_finding f;
	TRY(find_one(c, in->analyzer_arn, in->id, &f));
	out->finding = arena_new(c->arena, struct accessanalyzer_finding);
	FILL(c, out->finding, &f);
	FILL_ACCESS(c, out->finding, &f);
	return OK;
}

static struct accessanalyzer_finding_details_list details_of(struct call *c, const struct accessanalyzer_rec_finding *f)
{
	struct arena *a = c->arena;
	struct accessanalyzer_finding_details_list out = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < f->services.n; i++) {
		struct accessanalyzer_unused_permission_details *p =
			arena_new(a, struct accessanalyzer_unused_permission_details);
		int64_t ms;
		p->service_namespace = f->services.v[i].key;
		if (is_ok(str_to_i64(f->services.v[i].value, &ms))) p->last_accessed = SOME_TIME(ms);
		VEC_PUSH(a, &out, &capacity)->unused_permission_details = p;
	}
	if (f->services.n) return out;
	struct accessanalyzer_finding_details *d = VEC_PUSH(a, &out, &capacity);
	struct str kind = str_or(f->kind, STR(""));
	if (str_is(kind, "UnusedIAMRole")) {
		d->unused_iam_role_details = arena_new(a, struct accessanalyzer_unused_iam_role_details);
		d->unused_iam_role_details->last_accessed = f->used;
	} else if (str_is(kind, "UnusedIAMUserAccessKey")) {
		d->unused_iam_user_access_key_details =
			arena_new(a, struct accessanalyzer_unused_iam_user_access_key_details);
		d->unused_iam_user_access_key_details->access_key_id = f->key;
		d->unused_iam_user_access_key_details->last_accessed = f->used;
	} else if (str_is(kind, "UnusedIAMUserPassword")) {
		d->unused_iam_user_password_details =
			arena_new(a, struct accessanalyzer_unused_iam_user_password_details);
		d->unused_iam_user_password_details->last_accessed = f->used;
	} else {
		d->external_access_details = arena_new(a, struct accessanalyzer_external_access_details);
		FILL_ACCESS(c, d->external_access_details, f);
	}
	return out;
}

status accessanalyzer_get_finding_v2(struct call *c, const struct accessanalyzer_get_finding_v2_request *in,
	struct accessanalyzer_get_finding_v2_response *out)
{
	struct accessanalyzer_rec_finding f;
	TRY(find_one(c, in->analyzer_arn, in->id, &f));
	FILL(c, out, &f);
	out->finding_type = str_or(f.kind, STR("ExternalAccess"));
	out->finding_details = details_of(c, &f);
	return OK;
}

status accessanalyzer_update_findings(struct call *c, const struct accessanalyzer_update_findings_request *in,
	struct accessanalyzer_update_findings_output *out)
{
	struct accessanalyzer_rec_analyzer a;
	struct aa_findings list;
	(void)out;
	if (!in->ids.n && !str_has(in->resource_arn))
		return AA_FAIL(c, VALIDATION, "Either ids or resourceArn must be specified.");
	TRY(load(c, in->analyzer_arn, &a, &list));
	for (size_t k = 0; k < in->ids.n; k++) {
		bool there = false;
		for (size_t i = 0; i < list.n; i++) there |= str_eq(list.v[i].id, in->ids.v[k]);
		if (!there) return aa_not_found(c, "Finding", in->ids.v[k]);
	}
	for (size_t i = 0; i < list.n; i++) {
		bool meant = str_has(in->resource_arn) && str_eq(list.v[i].resource, in->resource_arn);
		for (size_t k = 0; k < in->ids.n; k++) meant |= str_eq(list.v[i].id, in->ids.v[k]);
		if (!meant || str_is(list.v[i].status, "RESOLVED") || str_eq(list.v[i].status, in->status)) continue;
		list.v[i].status = in->status;
		list.v[i].updated = SOME_TIME(c->now_ms);
		aa_finding_put(c, a.name, &list.v[i]);
	}
	return OK;
}

static struct accessanalyzer_findings_statistics_list unused_statistics(struct call *c, const struct aa_findings *list)
{
	struct arena *a = c->arena;
	size_t capacity = 0;
	int32_t active = 0, archived = 0, resolved = 0;
	struct accessanalyzer_findings_statistics *s = arena_new(a, struct accessanalyzer_findings_statistics);
	struct accessanalyzer_unused_access_findings_statistics *u = s->unused_access_findings_statistics =
		arena_new(a, struct accessanalyzer_unused_access_findings_statistics);
	VEC_PRESENT(a, &u->unused_access_type_statistics);
	for (size_t i = 0; i < list->n; i++) {
		size_t n = 0;
		active += str_is(list->v[i].status, "ACTIVE");
		archived += str_is(list->v[i].status, "ARCHIVED");
		resolved += str_is(list->v[i].status, "RESOLVED");
		if (!str_is(list->v[i].status, "ACTIVE")) continue;
		while (n < u->unused_access_type_statistics.n &&
			!str_eq(u->unused_access_type_statistics.v[n].unused_access_type, list->v[i].kind))
			n++;
		struct accessanalyzer_unused_access_type_statistics *t =
			n < u->unused_access_type_statistics.n
				? &u->unused_access_type_statistics.v[n]
				: VEC_PUSH(a, &u->unused_access_type_statistics, &capacity);
		t->unused_access_type = list->v[i].kind;
		t->total = SOME_I32(t->total.v + 1);
	}
	u->total_active_findings = SOME_I32(active);
	u->total_archived_findings = SOME_I32(archived);
	u->total_resolved_findings = SOME_I32(resolved);
	return (struct accessanalyzer_findings_statistics_list){s, 1};
}

status accessanalyzer_get_findings_statistics(struct call *c,
	const struct accessanalyzer_get_findings_statistics_request *in,
	struct accessanalyzer_get_findings_statistics_response *out)
{
	struct accessanalyzer_rec_analyzer a;
	struct aa_findings list;
	size_t types = 0, n = 0;
	int32_t active = 0, archived = 0, resolved = 0;
	TRY(load(c, in->analyzer_arn, &a, &list));
	if (aa_is_unused(&a)) {
		out->findings_statistics = unused_statistics(c, &list);
		out->last_updated_at = a.scanned;
		return OK;
	}
	struct accessanalyzer_findings_statistics *s = arena_new(c->arena, struct accessanalyzer_findings_statistics);
	struct accessanalyzer_external_access_findings_statistics *e = s->external_access_findings_statistics =
		arena_new(c->arena, struct accessanalyzer_external_access_findings_statistics);
	VEC_PRESENT(c->arena, &e->resource_type_statistics);
	for (size_t i = 0; i < list.n; i++) {
		const struct accessanalyzer_rec_finding *f = &list.v[i];
		bool is_active = str_is(f->status, "ACTIVE");
		active += is_active;
		archived += str_is(f->status, "ARCHIVED");
		resolved += str_is(f->status, "RESOLVED");
		for (n = 0;
			n < e->resource_type_statistics.n && !str_eq(e->resource_type_statistics.v[n].key, f->type);)
			n++;
		struct accessanalyzer_resource_type_statistics_map_entry *t =
			n < e->resource_type_statistics.n ? &e->resource_type_statistics.v[n]
							  : VEC_PUSH(c->arena, &e->resource_type_statistics, &types);
		t->key = f->type;
		t->value.total_active_public = SOME_I32(t->value.total_active_public.v + (is_active && f->public.v));
		t->value.total_active_cross_account =
			SOME_I32(t->value.total_active_cross_account.v + (is_active && !f->public.v));
		t->value.total_active_errors = SOME_I32(0);
	}
	e->total_active_findings = SOME_I32(active);
	e->total_archived_findings = SOME_I32(archived);
	e->total_resolved_findings = SOME_I32(resolved);
	out->findings_statistics = (struct accessanalyzer_findings_statistics_list){s, 1};
	out->last_updated_at = a.scanned;
	return OK;
}

/* ── resources ── */

status accessanalyzer_list_analyzed_resources(struct call *c,
	const struct accessanalyzer_list_analyzed_resources_request *in,
	struct accessanalyzer_list_analyzed_resources_response *out)
{
	struct accessanalyzer_rec_analyzer a;
	struct aa_resources list;
	size_t capacity = 0;
	TRY(aa_analyzer_by_arn(c, in->analyzer_arn, &a));
	TRY(aa_resources(c, &list));
	VEC_PRESENT(c->arena, &out->analyzed_resources);
	for (size_t i = 0; i < list.n; i++) {
		bool again = i && str_eq(list.v[i].arn, list.v[i - 1].arn); /* a bucket's ACL */
		if (again || (str_has(in->resource_type) && !str_eq(in->resource_type, list.v[i].type))) continue;
		*VEC_PUSH(c->arena, &out->analyzed_resources, &capacity) =
			(struct accessanalyzer_analyzed_resource_summary){.resource_arn = list.v[i].arn,
				.resource_owner_account = c->account,
				.resource_type = list.v[i].type};
	}
	return aa_page(c, in->max_results, in->next_token, 100, sizeof(*out->analyzed_resources.v),
		(void **)&out->analyzed_resources.v, &out->analyzed_resources.n, &out->next_token);
}

status accessanalyzer_get_analyzed_resource(struct call *c,
	const struct accessanalyzer_get_analyzed_resource_request *in,
	struct accessanalyzer_get_analyzed_resource_response *out)
{
	struct accessanalyzer_rec_analyzer a;
	struct aa_resources list;
	struct aa_findings findings;
	size_t actions = 0, shared = 0;
	TRY(load(c, in->analyzer_arn, &a, &findings));
	TRY(aa_resources(c, &list));
	const struct aa_resource *r = NULL;
	for (size_t i = 0; i < list.n && !r; i++)
		if (str_eq(list.v[i].arn, in->resource_arn)) r = &list.v[i];
	if (!r) return aa_not_found(c, "AnalyzedResource", in->resource_arn);
	struct accessanalyzer_analyzed_resource *o = out->resource =
		arena_new(c->arena, struct accessanalyzer_analyzed_resource);
	o->resource_arn = r->arn;
	o->resource_type = r->type;
	o->resource_owner_account = c->account;
	o->created_at = a.created;
	o->analyzed_at = o->updated_at = a.scanned;
	o->is_public = SOME_BOOL(false);
	for (size_t i = 0; i < findings.n; i++) {
		const struct accessanalyzer_rec_finding *f = &findings.v[i];
		if (!str_eq(f->resource, r->arn) || str_is(f->status, "RESOLVED")) continue;
		o->is_public.v |= f->public.v;
		o->status = f->status;
		for (size_t k = 0; k < f->actions.n; k++) *VEC_PUSH(c->arena, &o->actions, &actions) = f->actions.v[k];
		*VEC_PUSH(c->arena, &o->shared_via, &shared) = f->source;
	}
	return OK;
}

/* What is asked for is looked at now: as every list does. */
status accessanalyzer_start_resource_scan(struct call *c, const struct accessanalyzer_start_resource_scan_request *in,
	struct accessanalyzer_start_resource_scan_output *out)
{
	struct accessanalyzer_rec_analyzer a;
	struct aa_findings list;
	struct aa_resources resources;
	(void)out;
	TRY(load(c, in->analyzer_arn, &a, &list));
	TRY(aa_resources(c, &resources));
	for (size_t i = 0; i < resources.n; i++)
		if (str_eq(resources.v[i].arn, in->resource_arn)) return OK;
	return aa_not_found(c, "Resource", in->resource_arn);
}
