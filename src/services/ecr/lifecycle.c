/* Lifecycle policies: checked, kept, and carried out once a day ("Automate the cleanup of images by using lifecycle
 * policies in Amazon ECR", "Lifecycle policy properties"). */
#include "base/json.h"
#include "services/ecr/room.h"

enum { DAY_MS = 24 * 3600 * 1000 };

struct rule {
	int64_t priority, number;
	bool any, tagged, by_age;
	const struct json_value *prefixes, *patterns;
};

static struct str text_at(const struct json_value *v, const char *name)
{
	return str_or(json_scalar(json_member(v, str_c(name))), STR(""));
}

/* NULL, or what is wrong. */
static const char *read_rule(const struct json_value *v, struct rule *r)
{
	const struct json_value *selection = json_member(v, STR("selection"));
	struct str status_ = text_at(selection, "tagStatus"), type = text_at(selection, "countType");
	*r = (struct rule){.any = str_is(status_, "any"),
		.tagged = str_is(status_, "tagged"),
		.by_age = str_is(type, "sinceImagePushed"),
		.prefixes = json_member(selection, STR("tagPrefixList")),
		.patterns = json_member(selection, STR("tagPatternList"))};
	if (!is_ok(str_to_i64(text_at(v, "rulePriority"), &r->priority)) || r->priority < 1) return "rulePriority";
	if (!r->any && !r->tagged && !str_is(status_, "untagged")) return "tagStatus";
	if (!is_ok(str_to_i64(text_at(selection, "countNumber"), &r->number)) || r->number < 1) return "countNumber";
	if (!r->by_age && !str_is(type, "imageCountMoreThan")) return "countType";
	if (r->by_age && !str_is(text_at(selection, "countUnit"), "days")) return "countUnit";
	if (r->tagged != (r->prefixes || r->patterns)) return "tagPrefixList";
	if (!str_is(text_at(json_member(v, STR("action")), "type"), "expire")) return "action";
	return NULL;
}

struct rules {
	struct rule *v;
	size_t n;
};

static const char *read_policy(struct arena *a, struct str text, struct rules *out)
{
	struct json_value *p;
	size_t capacity = 0;
	*out = (struct rules){0};
	if (!is_ok(json_read(a, text, &p))) return "the JSON itself";
	const struct json_value *all = json_member(p, STR("rules"));
	if (!json_is(all, JSON_IS_ARRAY) || !all->length) return "rules";
	for (const struct json_value *v = all->first; v; v = v->next) {
		struct rule r;
		const char *wrong = read_rule(v, &r);
		if (wrong) return wrong;
		size_t at = out->n;
		for (size_t i = 0; i < out->n; i++)
			if (out->v[i].priority == r.priority) return "rulePriority";
		(void)VEC_PUSH(a, out, &capacity);
		for (; at > 0 && out->v[at - 1].priority > r.priority; at--) out->v[at] = out->v[at - 1];
		out->v[at] = r;
	}
	return NULL;
}

static bool one_matches(const struct json_value *list, bool prefix, const struct ecr_rec_texts *tags)
{
	/* "An image has to match all of the list's entries" */
	for (const struct json_value *v = list ? list->first : NULL; v; v = v->next) {
		bool found = false;
		for (size_t i = 0; i < tags->n; i++)
			found |= prefix ? str_starts(tags->v[i], str_or(json_string(v), STR("")))
					: str_glob(str_or(json_string(v), STR("")), tags->v[i]);
		if (!found) return false;
	}
	return true;
}

static bool selects(const struct rule *r, const struct ecr_rec_image *i)
{
	if (r->any) return true;
	if (!r->tagged) return !i->tags.n;
	return i->tags.n && one_matches(r->prefixes, true, &i->tags) && one_matches(r->patterns, false, &i->tags);
}

/* "An image is expired by exactly one or zero rules": one that a rule has looked at no later rule does. */
static status expire(struct store_tx *tx, struct arena *a, const struct ecr_rec_repository *r,
	const struct rules *rules, int64_t now_ms)
{
	struct ecr_images all;
	TRY(ecr_images_load(tx, a, r, &all));
	bool *seen = arena_new_n(a, bool, all.n + 1);
	for (size_t k = 0; k < rules->n; k++) {
		const struct rule *rule = &rules->v[k];
		for (int64_t kept = 0;;) {
			const struct ecr_rec_image *newest = NULL;
			size_t at = 0;
			for (size_t i = 0; i < all.n; i++)
				if (!seen[i] && selects(rule, &all.v[i]) &&
					(!newest || all.v[i].pushed.ms > newest->pushed.ms))
					newest = &all.v[at = i];
			if (!newest) break;
			seen[at] = true;
			bool old = rule->by_age ? now_ms - newest->pushed.ms > rule->number * (int64_t)DAY_MS
						: ++kept > rule->number;
			if (old) TRY(ecr_image_drop(tx, a, r, &all, newest));
		}
	}
	return OK;
}

/* ── the daily job ────────────────────────────────────────────────────────────────────────────────────────────── */

static struct str job_id(struct arena *a, const struct ecr_rec_repository *r)
{
	return str_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(r->account), STR_ARG(r->region), STR_ARG(r->name));
}

void ecr_lifecycle_schedule(struct call *c, const struct ecr_rec_repository *r)
{
	struct job job = {.kind = STR(ECR_LIFECYCLE_JOB),
		.id = job_id(c->arena, r),
		.due_ms = c->now_ms + DAY_MS,
		.payload = STR("")};
	jobs_schedule(c->tx, &job);
}

static status run(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct ecr_rec_repository r;
	struct rules rules;
	struct str rest = job->id, account = str_cut(&rest, '/'), region = str_cut(&rest, '/');
	status s = ecr_repository_get(tx, a, account, region, rest, &r);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (!str_has(r.lifecycle) || read_policy(a, r.lifecycle, &rules)) return OK;
	int64_t now_ms = clock_now(cloud->clock);
	TRY(expire(tx, a, &r, &rules, now_ms));
	r.evaluated = SOME_TIME(now_ms);
	ecr_repository_put(tx, a, &r);
	*again_ms = now_ms + DAY_MS;
	return OK;
}

void ecr_lifecycle_start(struct cloud *cloud)
{
	jobs_register(cloud->jobs, ECR_LIFECYCLE_JOB, run, cloud);
}

/* ── operations ───────────────────────────────────────────────────────────────────────────────────────────────── */

status ecr_put_lifecycle_policy(
	struct call *c, const struct ecr_put_lifecycle_policy_input *in, struct ecr_put_lifecycle_policy_output *out)
{
	struct ecr_rec_repository r;
	struct rules rules;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	const char *wrong = read_policy(c->arena, in->lifecycle_policy_text, &rules);
	if (wrong)
		return ECR_FAIL(c, INVALID_PARAMETER,
			"Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy "
			"validation failure: "
			"%s'",
			wrong);
	r.lifecycle = in->lifecycle_policy_text;
	ecr_repository_put(c->tx, c->arena, &r);
	ecr_lifecycle_schedule(c, &r);
	out->registry_id = r.account;
	out->repository_name = r.name;
	out->lifecycle_policy_text = r.lifecycle;
	return OK;
}

static status policy_there(struct call *c, const struct ecr_rec_repository *r)
{
	if (str_has(r->lifecycle)) return OK;
	return ECR_FAIL(c, LIFECYCLE_POLICY_NOT_FOUND,
		"Lifecycle policy does not exist for the repository with name '%.*s' in the registry with id '%.*s'",
		STR_ARG(r->name), STR_ARG(r->account));
}

status ecr_get_lifecycle_policy(
	struct call *c, const struct ecr_get_lifecycle_policy_input *in, struct ecr_get_lifecycle_policy_output *out)
{
	struct ecr_rec_repository r;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	TRY(policy_there(c, &r));
	out->registry_id = r.account;
	out->repository_name = r.name;
	out->lifecycle_policy_text = r.lifecycle;
	out->last_evaluated_at = r.evaluated;
	return OK;
}

status ecr_delete_lifecycle_policy(struct call *c, const struct ecr_delete_lifecycle_policy_input *in,
	struct ecr_delete_lifecycle_policy_output *out)
{
	struct ecr_rec_repository r;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	TRY(policy_there(c, &r));
	out->registry_id = r.account;
	out->repository_name = r.name;
	out->lifecycle_policy_text = r.lifecycle;
	out->last_evaluated_at = r.evaluated;
	r.lifecycle = STR_NONE;
	ecr_repository_put(c->tx, c->arena, &r);
	return OK;
}
