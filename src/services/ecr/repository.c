/* Repositories: made, described, changed, tagged, deleted; their policies ("Amazon ECR private repositories"). */
#include "policy/authz.h"
#include "policy/policy.h"
#include "services/ecr/room.h"

static void tell(struct call *c, const struct ecr_rec_repository *r, struct ecr_repository *out)
{
	struct arena *a = c->arena;
	size_t capacity = 0;
	*out = (struct ecr_repository){.repository_arn = ecr_repository_arn(a, r),
		.registry_id = r->account,
		.repository_name = r->name,
		.repository_uri = str_fmt(a, "%.*s.dkr.ecr.%.*s.amazonaws.com/%.*s", STR_ARG(r->account),
			STR_ARG(r->region), STR_ARG(r->name)),
		.created_at = r->created,
		.image_tag_mutability = r->mutability,
		.image_scanning_configuration = arena_new(a, struct ecr_image_scanning_configuration),
		.encryption_configuration = arena_new(a, struct ecr_encryption_configuration)};
	out->image_scanning_configuration->scan_on_push = SOME_BOOL(r->scan_on_push.v);
	out->encryption_configuration->encryption_type = STR("AES256");
	for (size_t i = 0; i < r->exclusions.n; i++)
		*VEC_PUSH(a, &out->image_tag_mutability_exclusion_filters, &capacity) =
			(struct ecr_image_tag_mutability_exclusion_filter){STR("WILDCARD"), r->exclusions.v[i]};
}

static void set_text(struct arena *a, struct ecr_rec_strings *m, struct str key, struct str value)
{
	size_t capacity = m->n;
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].key, key)) {
			m->v[i].value = value;
			return;
		}
	struct ecr_rec_strings all = {0};
	capacity = 0;
	for (size_t i = 0; i < m->n; i++) *VEC_PUSH(a, &all, &capacity) = m->v[i];
	*VEC_PUSH(a, &all, &capacity) = (struct ecr_rec_strings_entry){key, value};
	*m = all;
}

static status set_tags(struct call *c, struct ecr_rec_repository *r, const struct ecr_tag_list *tags)
{
	size_t own = 0;
	for (size_t i = 0; i < tags->n; i++) {
		if (!c->system_tags && str_istarts(tags->v[i].key, STR("aws:")))
			return ECR_FAIL(c, INVALID_TAG_PARAMETER,
				"Invalid tag parameter: tag keys that begin with aws: are reserved");
		set_text(c->arena, &r->tags, tags->v[i].key, str_or(tags->v[i].value, STR("")));
	}
	for (size_t i = 0; i < r->tags.n; i++) own += !str_starts(r->tags.v[i].key, STR("aws:"));
	if (own > ECR_TAGS_MAX)
		return ECR_FAIL(
			c, TOO_MANY_TAGS, "The list of tags on the repository is over the limit: %d", ECR_TAGS_MAX);
	return OK;
}

static status set_mutability(struct call *c, struct ecr_rec_repository *r, struct str mutability,
	const struct ecr_image_tag_mutability_exclusion_filters *filters)
{
	size_t capacity = 0;
	r->mutability = str_or(mutability, STR("MUTABLE"));
	r->exclusions = (struct ecr_rec_texts){0};
	bool excludes = str_ends(r->mutability, STR("_WITH_EXCLUSION"));
	if (excludes != (filters->n > 0))
		return ECR_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'must "
			"be given with, "
			"and only with, IMMUTABLE_WITH_EXCLUSION or MUTABLE_WITH_EXCLUSION'");
	for (size_t i = 0; i < filters->n; i++) *VEC_PUSH(c->arena, &r->exclusions, &capacity) = filters->v[i].filter;
	return OK;
}

status ecr_create_repository(
	struct call *c, const struct ecr_create_repository_input *in, struct ecr_create_repository_output *out)
{
	struct ecr_rec_repository r;
	if (str_has(in->registry_id) && !str_eq(in->registry_id, c->account))
		return ECR_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter at 'registryId' failed to satisfy constraint: 'must be the "
			"caller's account'");
	status s = ecr_repository_get(c->tx, c->arena, c->account, c->region, in->repository_name, &r);
	if (is_ok(s))
		return ECR_FAIL(c, REPOSITORY_ALREADY_EXISTS,
			"The repository with name '%.*s' already exists in the registry with id '%.*s'",
			STR_ARG(in->repository_name), STR_ARG(c->account));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	if (in->encryption_configuration && !str_is(in->encryption_configuration->encryption_type, "AES256"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "virga does not encrypt repositories by KMS keys yet.");
	r = (struct ecr_rec_repository){.name = in->repository_name,
		.account = c->account,
		.region = c->region,
		.created = SOME_TIME(c->now_ms)};
	if (in->image_scanning_configuration) r.scan_on_push = in->image_scanning_configuration->scan_on_push;
	TRY(set_mutability(c, &r, in->image_tag_mutability, &in->image_tag_mutability_exclusion_filters));
	TRY(set_tags(c, &r, &in->tags));
	ecr_repository_put(c->tx, c->arena, &r);
	out->repository = arena_new(c->arena, struct ecr_repository);
	tell(c, &r, out->repository);
	return OK;
}

status ecr_describe_repositories(
	struct call *c, const struct ecr_describe_repositories_input *in, struct ecr_describe_repositories_output *out)
{
	size_t capacity = 0, skip, at = 0, page = in->max_results.has ? (size_t)in->max_results.v : ECR_PAGE;
	VEC_PRESENT(c->arena, &out->repositories);
	for (size_t i = 0; i < in->repository_names.n; i++) {
		struct ecr_rec_repository r;
		TRY(ecr_repository_load(c, in->registry_id, in->repository_names.v[i], &r));
		tell(c, &r, VEC_PUSH(c->arena, &out->repositories, &capacity));
	}
	if (in->repository_names.n) return OK;
	TRY(ecr_page_from(c, in->next_token, &skip));
	struct key k = key_for(c->arena, STR("ecr"), STR("repository"), str_or(in->registry_id, c->account), c->region);
	struct str from = key_done(&k), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct ecr_rec_repository r = {0};
		if (at++ < skip) continue;
		if (out->repositories.n == page) {
			out->next_token = ecr_page_token(c->arena, at - 1);
			break;
		}
		TRY(ecr_rec_repository_decode(c->arena, str_dup(c->arena, value), &r));
		tell(c, &r, VEC_PUSH(c->arena, &out->repositories, &capacity));
	}
	return store_scan_end(scan);
}

status ecr_delete_repository(
	struct call *c, const struct ecr_delete_repository_input *in, struct ecr_delete_repository_output *out)
{
	struct ecr_rec_repository r;
	struct ecr_images images;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	TRY(ecr_images_load(c->tx, c->arena, &r, &images));
	if (images.n && !in->force.v)
		return ECR_FAIL(c, REPOSITORY_NOT_EMPTY,
			"The repository with name '%.*s' in registry with id '%.*s' cannot be deleted because it still "
			"contains "
			"images",
			STR_ARG(r.name), STR_ARG(r.account));
	TRY(ecr_drop_all(c->tx, c->arena, &r, "image", false));
	TRY(ecr_drop_all(c->tx, c->arena, &r, "layer", true));
	TRY(ecr_drop_all(c->tx, c->arena, &r, "part", true));
	TRY(ecr_drop_all(c->tx, c->arena, &r, "upload", false));
	store_delete(c->tx, ecr_key(c->arena, "repository", &r, STR_NONE));
	out->repository = arena_new(c->arena, struct ecr_repository);
	tell(c, &r, out->repository);
	return OK;
}

status ecr_put_image_tag_mutability(struct call *c, const struct ecr_put_image_tag_mutability_input *in,
	struct ecr_put_image_tag_mutability_output *out)
{
	struct ecr_rec_repository r;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	TRY(set_mutability(c, &r, in->image_tag_mutability, &in->image_tag_mutability_exclusion_filters));
	ecr_repository_put(c->tx, c->arena, &r);
	out->registry_id = r.account;
	out->repository_name = r.name;
	out->image_tag_mutability = r.mutability;
	out->image_tag_mutability_exclusion_filters = in->image_tag_mutability_exclusion_filters;
	return OK;
}

status ecr_put_image_scanning_configuration(struct call *c, const struct ecr_put_image_scanning_configuration_input *in,
	struct ecr_put_image_scanning_configuration_output *out)
{
	struct ecr_rec_repository r;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	r.scan_on_push = in->image_scanning_configuration->scan_on_push;
	ecr_repository_put(c->tx, c->arena, &r);
	out->registry_id = r.account;
	out->repository_name = r.name;
	out->image_scanning_configuration = in->image_scanning_configuration;
	return OK;
}

/* ── policies ─────────────────────────────────────────────────────────────────────────────────────────────────── */

status ecr_set_repository_policy(
	struct call *c, const struct ecr_set_repository_policy_input *in, struct ecr_set_repository_policy_output *out)
{
	struct ecr_rec_repository r;
	struct policy *p;
	struct policy_error why = {0};
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	struct policy_source source = {.type = POLICY_RESOURCE, .label = ecr_repository_arn(c->arena, &r)};
	/* "Resource" is left out in a repository's policy: it is the repository. */
	struct str text = in->policy_text;
	if (!is_ok(policy_parse(text, &source, &p, &why)))
		return ECR_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy "
			"provided' (%s)",
			why.message);
	policy_free(p);
	r.policy = text;
	ecr_repository_put(c->tx, c->arena, &r);
	out->registry_id = r.account;
	out->repository_name = r.name;
	out->policy_text = text;
	return OK;
}

static status policy_there(struct call *c, const struct ecr_rec_repository *r)
{
	if (str_has(r->policy)) return OK;
	return ECR_FAIL(c, REPOSITORY_POLICY_NOT_FOUND,
		"Repository policy does not exist for the repository with name '%.*s' in the registry with id '%.*s'",
		STR_ARG(r->name), STR_ARG(r->account));
}

status ecr_get_repository_policy(
	struct call *c, const struct ecr_get_repository_policy_input *in, struct ecr_get_repository_policy_output *out)
{
	struct ecr_rec_repository r;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	TRY(policy_there(c, &r));
	out->registry_id = r.account;
	out->repository_name = r.name;
	out->policy_text = r.policy;
	return OK;
}

status ecr_delete_repository_policy(struct call *c, const struct ecr_delete_repository_policy_input *in,
	struct ecr_delete_repository_policy_output *out)
{
	struct ecr_rec_repository r;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	TRY(policy_there(c, &r));
	out->registry_id = r.account;
	out->repository_name = r.name;
	out->policy_text = r.policy;
	r.policy = STR_NONE;
	ecr_repository_put(c->tx, c->arena, &r);
	return OK;
}

/* ── tags ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool read_arn(struct str arn, struct str *account, struct str *region, struct str *name)
{
	struct str rest = arn, part[5];
	for (size_t i = 0; i < 5; i++) {
		if (!str_has(rest)) return false;
		part[i] = str_cut(&rest, ':');
	}
	if (!str_has(rest) || !str_is(part[2], "ecr") || !str_starts(rest, STR("repository/"))) return false;
	*region = part[3];
	*account = part[4];
	*name = str_from(rest, 11);
	return true;
}

static status load_arn(struct call *c, struct str arn, struct ecr_rec_repository *r)
{
	struct str account, region, name;
	if (!read_arn(arn, &account, &region, &name) || !str_eq(region, c->region))
		return ECR_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'");
	return ecr_repository_load(c, account, name, r);
}

status ecr_tag_resource(struct call *c, const struct ecr_tag_resource_input *in, struct ecr_tag_resource_output *out)
{
	struct ecr_rec_repository r;
	(void)out;
	TRY(load_arn(c, in->resource_arn, &r));
	TRY(set_tags(c, &r, &in->tags));
	ecr_repository_put(c->tx, c->arena, &r);
	return OK;
}

status ecr_untag_resource(
	struct call *c, const struct ecr_untag_resource_input *in, struct ecr_untag_resource_output *out)
{
	struct ecr_rec_repository r;
	struct ecr_rec_strings kept = {0};
	size_t capacity = 0;
	(void)out;
	TRY(load_arn(c, in->resource_arn, &r));
	const struct ecr_rec_texts keys = {in->tag_keys.v, in->tag_keys.n};
	for (size_t i = 0; i < r.tags.n; i++)
		if (!ecr_has_text(&keys, r.tags.v[i].key)) *VEC_PUSH(c->arena, &kept, &capacity) = r.tags.v[i];
	r.tags = kept;
	ecr_repository_put(c->tx, c->arena, &r);
	return OK;
}

status ecr_list_tags_for_resource(struct call *c, const struct ecr_list_tags_for_resource_input *in,
	struct ecr_list_tags_for_resource_output *out)
{
	struct ecr_rec_repository r;
	size_t capacity = 0;
	TRY(load_arn(c, in->resource_arn, &r));
	VEC_PRESENT(c->arena, &out->tags);
	for (size_t i = 0; i < r.tags.n; i++)
		*VEC_PUSH(c->arena, &out->tags, &capacity) = (struct ecr_tag){r.tags.v[i].key, r.tags.v[i].value};
	return OK;
}

/* ── what the policy step has to know ─────────────────────────────────────────────────────────────────────────── */

status ecr_authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	(void)context;
	/* The reference has the caller's account in the ARN; registryId tells another registry. */
	struct str registry = in ? call_input_string(c, in, "registryId") : STR_NONE;
	for (size_t i = 0; tx && i < demands->n; i++)
		for (size_t j = 0; j < demands->v[i].n; j++) {
			struct policy_resource *p = &demands->v[i].resources[j];
			struct str account, region, name;
			struct ecr_rec_repository r;
			if (!read_arn(p->arn, &account, &region, &name)) continue;
			if (str_has(registry)) account = registry;
			status s = ecr_repository_get(tx, c->arena, account, region, name, &r);
			if (status_is(s, STATUS_NOT_FOUND)) continue;
			TRY(s);
			p->account = r.account;
			p->arn = ecr_repository_arn(c->arena, &r);
			if (str_has(r.policy)) call_attach_policy(c, demands, p, false, r.policy);
			if (!r.tags.n) continue;
			p->context = arena_new(c->arena, struct policy_context);
			*p->context = POLICY_CONTEXT_IN(c->arena);
			for (size_t k = 0; k < r.tags.n; k++)
				policy_context_set_tag(
					p->context, STR("aws:ResourceTag/"), r.tags.v[k].key, r.tags.v[k].value);
		}
	return OK;
}
