/* Analyzers: made, told of, tagged, deleted ("CreateAnalyzer" and its kin, API reference). Those of external and of
 * unused access are built, with the account as their zone of trust. */
#include "services/accessanalyzer/room.h"

enum {
	TAGS_MAX = 50,
	ANALYZERS_MAX = 1 /* of a type; "Quotas": external access analyzers of an account in a Region */
};

struct str aa_key(struct arena *a, const char *kind, const struct call *c, struct str name)
{
	struct key k = key_for(a, STR("accessanalyzer"), str_c(kind), c->account, c->region);
	if (str_has(name)) key_str(&k, name);
	return key_done(&k);
}

struct str aa_analyzer_arn(struct call *c, struct str name)
{
	return call_arn(c, STR("access-analyzer"), "analyzer/%.*s", STR_ARG(name));
}

status aa_not_found(struct call *c, const char *type, struct str id)
{
	struct accessanalyzer_resource_not_found_exception *x =
		arena_new(c->arena, struct accessanalyzer_resource_not_found_exception);
	status s = AA_FAIL(c, RESOURCE_NOT_FOUND, "The resource %.*s could not be found.", STR_ARG(id));
	x->message = c->failure.message;
	x->resource_id = id;
	x->resource_type = str_c(type);
	call_fail_members(c, x);
	return s;
}

status aa_analyzer_named(struct call *c, struct str name, struct accessanalyzer_rec_analyzer *out)
{
	struct str bytes;
	*out = (struct accessanalyzer_rec_analyzer){0};
	status s = store_get(c->tx, aa_key(c->arena, "analyzer", c, name), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return aa_not_found(c, "Analyzer", name);
	TRY(s);
	return accessanalyzer_rec_analyzer_decode(c->arena, bytes, out);
}

status aa_analyzer_by_arn(struct call *c, struct str arn, struct accessanalyzer_rec_analyzer *out)
{
	ptrdiff_t at = str_find(arn, STR(":analyzer/"));
	struct str name = at < 0 ? STR("") : str_from(arn, (size_t)at + 10);
	if (!name.n || !str_eq(arn, aa_analyzer_arn(c, name))) return aa_not_found(c, "Analyzer", arn);
	return aa_analyzer_named(c, name, out);
}

void aa_analyzer_put(struct call *c, const struct accessanalyzer_rec_analyzer *a)
{
	store_put(c->tx, aa_key(c->arena, "analyzer", c, a->name), accessanalyzer_rec_analyzer_encode(c->arena, a));
}

static status set_tags(struct call *c, struct accessanalyzer_rec_pairs *to, const struct accessanalyzer_tags_map *tags)
{
	struct accessanalyzer_rec_pairs now = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < to->n; i++) *VEC_PUSH(c->arena, &now, &capacity) = to->v[i];
	for (size_t i = 0; i < tags->n; i++) {
		size_t at = 0;
		if ((!c->system_tags && str_istarts(tags->v[i].key, STR("aws:"))) || !tags->v[i].key.n ||
			tags->v[i].key.n > 128 || tags->v[i].value.n > 256)
			return AA_FAIL(c, VALIDATION, "The tag %.*s is not valid.", STR_ARG(tags->v[i].key));
		while (at < now.n && !str_eq(now.v[at].key, tags->v[i].key)) at++;
		struct accessanalyzer_rec_pairs_entry *e =
			at < now.n ? &now.v[at] : VEC_PUSH(c->arena, &now, &capacity);
		*e = (struct accessanalyzer_rec_pairs_entry){tags->v[i].key, tags->v[i].value};
	}
	if (now.n > TAGS_MAX) return AA_FAIL(c, VALIDATION, "A resource may have %d tags at most.", TAGS_MAX);
	*to = now;
	return OK;
}

static struct accessanalyzer_tags_map tags_of(struct call *c, const struct accessanalyzer_rec_analyzer *a)
{
	struct accessanalyzer_tags_map out = {0};
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out);
	for (size_t i = 0; i < a->tags.n; i++)
		*VEC_PUSH(c->arena, &out, &capacity) =
			(struct accessanalyzer_tags_map_entry){a->tags.v[i].key, a->tags.v[i].value};
	return out;
}

struct analyzers {
	struct accessanalyzer_rec_analyzer *v;
	size_t n, capacity;
};

static status all(struct call *c, struct analyzers *out)
{
	struct str from = aa_key(c->arena, "analyzer", c, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct accessanalyzer_rec_analyzer a = {0};
		TRY(accessanalyzer_rec_analyzer_decode(c->arena, str_dup(c->arena, value), &a));
		*VEC_PUSH(c->arena, out, &out->capacity) = a;
	}
	return store_scan_end(scan);
}

status accessanalyzer_create_analyzer(struct call *c, const struct accessanalyzer_create_analyzer_request *in,
	struct accessanalyzer_create_analyzer_response *out)
{
	struct analyzers list = {0};
	struct aa_findings findings;
	size_t capacity = 0;
	bool unused = str_is(in->type, "ACCOUNT_UNUSED_ACCESS");
	if (!str_is(in->type, "ACCOUNT") && !unused)
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "Analyzers of type %.*s are not implemented yet.", STR_ARG(in->type));
	const struct accessanalyzer_unused_access_configuration *conf =
		in->configuration ? in->configuration->unused_access : NULL;
	if (in->configuration && (!unused || !conf))
		return AA_FAIL(c, VALIDATION, "The configuration does not fit the analyzer's type.");
	if (conf && conf->analysis_rule)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Exclusions (analysisRule) are not implemented yet.");
	int32_t age = conf && conf->unused_access_age.has ? conf->unused_access_age.v : 90;
	if (age < 1 || age > 365) return AA_FAIL(c, VALIDATION, "unusedAccessAge must be between 1 and 365 days.");
	TRY(all(c, &list));
	size_t of_type = 0;
	for (size_t i = 0; i < list.n; i++) of_type += str_eq(list.v[i].type, in->type);
	for (size_t i = 0; i < list.n; i++)
		if (str_eq(list.v[i].name, in->analyzer_name))
			return AA_FAIL(c, CONFLICT, "An analyzer with the name %.*s already exists.",
				STR_ARG(in->analyzer_name));
	if (of_type >= ANALYZERS_MAX)
		return AA_FAIL(c, SERVICE_QUOTA_EXCEEDED, "You have reached the quota of %d analyzers of this type.",
			ANALYZERS_MAX);
	struct accessanalyzer_rec_analyzer a = {
		.name = in->analyzer_name, .type = in->type, .created = SOME_TIME(c->now_ms)};
	if (unused) a.age = SOME_I32(age);
	TRY(set_tags(c, &a.tags, &in->tags));
	for (size_t i = 0; i < in->archive_rules.n; i++) {
		struct accessanalyzer_rec_rule r = {
			.name = in->archive_rules.v[i].rule_name, .created = a.created, .updated = a.created};
		TRY(aa_read_filter(c, &in->archive_rules.v[i].filter, &r.filter));
		*VEC_PUSH(c->arena, &a.rules, &capacity) = r;
	}
	TRY(aa_refresh(c, &a, &findings));
	aa_analyzer_put(c, &a);
	out->arn = aa_analyzer_arn(c, a.name);
	return OK;
}

static void tell(
	struct call *c, const struct accessanalyzer_rec_analyzer *a, struct accessanalyzer_analyzer_summary *out)
{
	*out = (struct accessanalyzer_analyzer_summary){
		.arn = aa_analyzer_arn(c, a->name),
		.name = a->name,
		.type = a->type,
		.created_at = a->created,
		.last_resource_analyzed = a->last_resource,
		.last_resource_analyzed_at = a->last_resource.n ? a->scanned : (struct opt_time){0},
		.tags = tags_of(c, a),
		.status = STR("ACTIVE"),
	};
	if (!aa_is_unused(a)) return;
	out->configuration = arena_new(c->arena, struct accessanalyzer_analyzer_configuration);
	out->configuration->unused_access = arena_new(c->arena, struct accessanalyzer_unused_access_configuration);
	out->configuration->unused_access->unused_access_age = a->age;
}

status accessanalyzer_get_analyzer(struct call *c, const struct accessanalyzer_get_analyzer_request *in,
	struct accessanalyzer_get_analyzer_response *out)
{
	struct accessanalyzer_rec_analyzer a;
	TRY(aa_analyzer_named(c, in->analyzer_name, &a));
	out->analyzer = arena_new(c->arena, struct accessanalyzer_analyzer_summary);
	tell(c, &a, out->analyzer);
	return OK;
}

status accessanalyzer_list_analyzers(struct call *c, const struct accessanalyzer_list_analyzers_request *in,
	struct accessanalyzer_list_analyzers_response *out)
{
	struct analyzers list = {0};
	size_t capacity = 0;
	TRY(all(c, &list));
	VEC_PRESENT(c->arena, &out->analyzers);
	for (size_t i = 0; i < list.n; i++)
		if (!str_has(in->type) || str_eq(in->type, list.v[i].type))
			tell(c, &list.v[i], VEC_PUSH(c->arena, &out->analyzers, &capacity));
	return aa_page(c, in->max_results, in->next_token, 100, sizeof(*out->analyzers.v), (void **)&out->analyzers.v,
		&out->analyzers.n, &out->next_token);
}

status accessanalyzer_delete_analyzer(struct call *c, const struct accessanalyzer_delete_analyzer_request *in,
	struct accessanalyzer_delete_analyzer_output *out)
{
	struct accessanalyzer_rec_analyzer a;
	(void)out;
	TRY(aa_analyzer_named(c, in->analyzer_name, &a));
	store_delete(c->tx, aa_key(c->arena, "analyzer", c, a.name));
	struct str from = aa_key(c->arena, "finding", c, a.name), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) store_delete(c->tx, str_dup(c->arena, key));
	return store_scan_end(scan);
}

/* ── tags ── */

status accessanalyzer_tag_resource(struct call *c, const struct accessanalyzer_tag_resource_request *in,
	struct accessanalyzer_tag_resource_response *out)
{
	struct accessanalyzer_rec_analyzer a;
	(void)out;
	TRY(aa_analyzer_by_arn(c, in->resource_arn, &a));
	TRY(set_tags(c, &a.tags, &in->tags));
	aa_analyzer_put(c, &a);
	return OK;
}

status accessanalyzer_untag_resource(struct call *c, const struct accessanalyzer_untag_resource_request *in,
	struct accessanalyzer_untag_resource_response *out)
{
	struct accessanalyzer_rec_analyzer a;
	size_t n = 0;
	(void)out;
	TRY(aa_analyzer_by_arn(c, in->resource_arn, &a));
	for (size_t i = 0; i < a.tags.n; i++) {
		bool drop = false;
		for (size_t k = 0; k < in->tag_keys.n; k++) drop |= str_eq(in->tag_keys.v[k], a.tags.v[i].key);
		if (!drop) a.tags.v[n++] = a.tags.v[i];
	}
	a.tags.n = n;
	aa_analyzer_put(c, &a);
	return OK;
}

status accessanalyzer_list_tags_for_resource(struct call *c,
	const struct accessanalyzer_list_tags_for_resource_request *in,
	struct accessanalyzer_list_tags_for_resource_response *out)
{
	struct accessanalyzer_rec_analyzer a;
	TRY(aa_analyzer_by_arn(c, in->resource_arn, &a));
	out->tags = tags_of(c, &a);
	return OK;
}
