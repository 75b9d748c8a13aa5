/* Filters of findings, and archive rules, which are filters that are kept ("Archive rules", "IAM Access Analyzer filter
 * keys"). */
#include "services/accessanalyzer/room.h"

enum { RULES_MAX = 100 };

/* ── filters ── */

static bool is_key(struct str key)
{
	static const char *const keys[] = {"resource", "resourceType", "resourceOwnerAccount", "isPublic", "status",
		"error", "id", "principal.AWS", "principal.Federated", "principal.CanonicalUser", "createdAt",
		"updatedAt", "findingType"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (str_eq(key, str_c(keys[i]))) return true;
	return str_starts(key, STR("condition."));
}

static struct accessanalyzer_rec_strings strings(const struct accessanalyzer_value_list *l)
{
	return (struct accessanalyzer_rec_strings){l->v, l->n};
}

status aa_read_filter(
	struct call *c, const struct accessanalyzer_filter_criteria_map *in, struct accessanalyzer_rec_criteria *out)
{
	size_t capacity = 0;
	*out = (struct accessanalyzer_rec_criteria){0};
	for (size_t i = 0; i < in->n; i++) {
		const struct accessanalyzer_criterion *v = &in->v[i].value;
		if (!is_key(in->v[i].key))
			return AA_FAIL(c, VALIDATION, "The filter key %.*s is not valid.", STR_ARG(in->v[i].key));
		if (!v->eq.n && !v->neq.n && !v->contains.n && !v->exists.has)
			return AA_FAIL(c, VALIDATION, "The filter key %.*s has no operator.", STR_ARG(in->v[i].key));
		*VEC_PUSH(c->arena, out, &capacity) = (struct accessanalyzer_rec_criterion){.key = in->v[i].key,
			.eq = strings(&v->eq),
			.neq = strings(&v->neq),
			.contains = strings(&v->contains),
			.exists = v->exists};
	}
	return OK;
}

static struct str pair(const struct accessanalyzer_rec_pairs *p, struct str key)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->v[i].key, key)) return p->v[i].value;
	return STR_NONE;
}

static struct str value_of(struct arena *a, const struct accessanalyzer_rec_finding *x, struct str key)
{
	if (str_is(key, "resource")) return x->resource;
	if (str_is(key, "resourceType")) return x->type;
	if (str_is(key, "resourceOwnerAccount")) return x->owner;
	if (str_is(key, "isPublic")) return x->public.v ? STR("true") : STR("false");
	if (str_is(key, "status")) return x->status;
	if (str_is(key, "id")) return x->id;
	if (str_is(key, "findingType")) return str_or(x->kind, STR("ExternalAccess"));
	if (str_is(key, "createdAt")) return time_iso8601(a, x->created.ms, false);
	if (str_is(key, "updatedAt")) return time_iso8601(a, x->updated.ms, false);
	if (str_starts(key, STR("principal."))) return pair(&x->principal, str_from(key, 10));
	if (str_starts(key, STR("condition."))) return pair(&x->condition, str_from(key, 10));
	return STR_NONE;
}

static bool one_of(const struct accessanalyzer_rec_strings *l, struct str v)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i], v)) return true;
	return false;
}

static bool part_of(const struct accessanalyzer_rec_strings *l, struct str v)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_find(v, l->v[i]) >= 0) return true;
	return false;
}

bool aa_filter_fits(
	struct arena *a, const struct accessanalyzer_rec_criteria *f, const struct accessanalyzer_rec_finding *x)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct accessanalyzer_rec_criterion *k = &f->v[i];
		struct str v = value_of(a, x, k->key), text = str_or(v, STR(""));
		if (k->eq.n && !one_of(&k->eq, text)) return false;
		if (k->neq.n && one_of(&k->neq, text)) return false;
		if (k->contains.n && !part_of(&k->contains, text)) return false;
		if (k->exists.has && k->exists.v != str_has(v)) return false;
	}
	return true;
}

/* ── archive rules ── */

static struct accessanalyzer_rec_rule *find(struct accessanalyzer_rec_analyzer *a, struct str name)
{
	for (size_t i = 0; i < a->rules.n; i++)
		if (str_eq(a->rules.v[i].name, name)) return &a->rules.v[i];
	return NULL;
}

static void tell(
	struct call *c, const struct accessanalyzer_rec_rule *r, struct accessanalyzer_archive_rule_summary *out)
{
	size_t capacity = 0;
	*out = (struct accessanalyzer_archive_rule_summary){
		.rule_name = r->name, .created_at = r->created, .updated_at = r->updated};
	VEC_PRESENT(c->arena, &out->filter);
	for (size_t i = 0; i < r->filter.n; i++) {
		struct accessanalyzer_filter_criteria_map_entry *e = VEC_PUSH(c->arena, &out->filter, &capacity);
		const struct accessanalyzer_rec_criterion *k = &r->filter.v[i];
		e->key = k->key;
		if (k->eq.n) e->value.eq = (struct accessanalyzer_value_list){k->eq.v, k->eq.n};
		if (k->neq.n) e->value.neq = (struct accessanalyzer_value_list){k->neq.v, k->neq.n};
		if (k->contains.n) e->value.contains = (struct accessanalyzer_value_list){k->contains.v, k->contains.n};
		e->value.exists = k->exists;
	}
}

status accessanalyzer_create_archive_rule(struct call *c, const struct accessanalyzer_create_archive_rule_request *in,
	struct accessanalyzer_create_archive_rule_output *out)
{
	struct accessanalyzer_rec_analyzer a;
	struct accessanalyzer_rec_rules now = {0};
	size_t capacity = 0;
	(void)out;
	TRY(aa_analyzer_named(c, in->analyzer_name, &a));
	if (find(&a, in->rule_name))
		return AA_FAIL(c, CONFLICT, "The archive rule %.*s already exists.", STR_ARG(in->rule_name));
	if (a.rules.n >= RULES_MAX)
		return AA_FAIL(c, SERVICE_QUOTA_EXCEEDED, "An analyzer may have %d archive rules at most.", RULES_MAX);
	struct accessanalyzer_rec_rule r = {
		.name = in->rule_name, .created = SOME_TIME(c->now_ms), .updated = SOME_TIME(c->now_ms)};
	TRY(aa_read_filter(c, &in->filter, &r.filter));
	for (size_t i = 0; i < a.rules.n; i++) *VEC_PUSH(c->arena, &now, &capacity) = a.rules.v[i];
	*VEC_PUSH(c->arena, &now, &capacity) = r;
	a.rules = now;
	aa_analyzer_put(c, &a);
	return OK;
}

status accessanalyzer_update_archive_rule(struct call *c, const struct accessanalyzer_update_archive_rule_request *in,
	struct accessanalyzer_update_archive_rule_output *out)
{
	struct accessanalyzer_rec_analyzer a;
	(void)out;
	TRY(aa_analyzer_named(c, in->analyzer_name, &a));
	struct accessanalyzer_rec_rule *r = find(&a, in->rule_name);
	if (!r) return aa_not_found(c, "ArchiveRule", in->rule_name);
	TRY(aa_read_filter(c, &in->filter, &r->filter));
	r->updated = SOME_TIME(c->now_ms);
	aa_analyzer_put(c, &a);
	return OK;
}

status accessanalyzer_delete_archive_rule(struct call *c, const struct accessanalyzer_delete_archive_rule_request *in,
	struct accessanalyzer_delete_archive_rule_output *out)
{
	struct accessanalyzer_rec_analyzer a;
	(void)out;
	TRY(aa_analyzer_named(c, in->analyzer_name, &a));
	struct accessanalyzer_rec_rule *r = find(&a, in->rule_name);
	if (!r) return aa_not_found(c, "ArchiveRule", in->rule_name);
	size_t at = (size_t)(r - a.rules.v);
	for (size_t i = at; i + 1 < a.rules.n; i++) a.rules.v[i] = a.rules.v[i + 1];
	a.rules.n--;
	aa_analyzer_put(c, &a);
	return OK;
}

status accessanalyzer_get_archive_rule(struct call *c, const struct accessanalyzer_get_archive_rule_request *in,
	struct accessanalyzer_get_archive_rule_response *out)
{
	struct accessanalyzer_rec_analyzer a;
	TRY(aa_analyzer_named(c, in->analyzer_name, &a));
	struct accessanalyzer_rec_rule *r = find(&a, in->rule_name);
	if (!r) return aa_not_found(c, "ArchiveRule", in->rule_name);
	out->archive_rule = arena_new(c->arena, struct accessanalyzer_archive_rule_summary);
	tell(c, r, out->archive_rule);
	return OK;
}

status accessanalyzer_list_archive_rules(struct call *c, const struct accessanalyzer_list_archive_rules_request *in,
	struct accessanalyzer_list_archive_rules_response *out)
{
	struct accessanalyzer_rec_analyzer a;
	size_t capacity = 0;
	TRY(aa_analyzer_named(c, in->analyzer_name, &a));
	VEC_PRESENT(c->arena, &out->archive_rules);
	for (size_t i = 0; i < a.rules.n; i++)
		tell(c, &a.rules.v[i], VEC_PUSH(c->arena, &out->archive_rules, &capacity));
	return aa_page(c, in->max_results, in->next_token, 100, sizeof(*out->archive_rules.v),
		(void **)&out->archive_rules.v, &out->archive_rules.n, &out->next_token);
}

/* "Retroactively applies the archive rule to existing findings that meet the archive rule criteria." */
status accessanalyzer_apply_archive_rule(struct call *c, const struct accessanalyzer_apply_archive_rule_request *in,
	struct accessanalyzer_apply_archive_rule_output *out)
{
	struct accessanalyzer_rec_analyzer a;
	struct aa_findings list;
	(void)out;
	TRY(aa_analyzer_by_arn(c, in->analyzer_arn, &a));
	struct accessanalyzer_rec_rule *r = find(&a, in->rule_name);
	if (!r) return aa_not_found(c, "ArchiveRule", in->rule_name);
	TRY(aa_refresh(c, &a, &list));
	for (size_t i = 0; i < list.n; i++) {
		if (!str_is(list.v[i].status, "ACTIVE") || !aa_filter_fits(c->arena, &r->filter, &list.v[i])) continue;
		list.v[i].status = STR("ARCHIVED");
		list.v[i].updated = SOME_TIME(c->now_ms);
		aa_finding_put(c, a.name, &list.v[i]);
	}
	aa_analyzer_put(c, &a);
	return OK;
}
