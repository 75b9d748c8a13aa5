/* The access advisor: which services an entity may use by its policies, and when it last did, from the calls that were
 * made
 * ("Refine permissions using last accessed information"); and which of its policies grant a service. */
#include "base/rand.h"
#include "policy/authz.h"
#include "services/iam/gather.h"
#include "services/iam/managed.h"
#include "services/iam/usage.h"

/* ── whom a report is about ───────────────────────────────────────────────────────────────────────────────────── */

struct subjects_of {
	struct {
		struct iam_entity_info *v;
		size_t n;
	} entities; /* users and roles whose calls count */
	size_t capacity;
	struct iam_rec_strings services;
};

static void add_entity(struct call *c, struct subjects_of *s, enum iam_kind kind, const struct iam_rec_entity *e)
{
	*VEC_PUSH(c->arena, &s->entities, &s->capacity) = (struct iam_entity_info){.arn = iam_entity_arn(c, kind, e),
		.name = e->name,
		.type = kind == IAM_USER   ? STR("USER")
			: kind == IAM_ROLE ? STR("ROLE")
					   : STR("GROUP"),
		.id = e->id,
		.path = e->path};
}

static status add_members(struct call *c, struct subjects_of *s, struct str group)
{
	struct iam_rows r = iam_members(c, group);
	while (iam_rows_next(&r)) {
		struct iam_rec_entity u;
		TRY(iam_get(c, IAM_USER, str_dup(c->arena, r.name), &u));
		add_entity(c, s, IAM_USER, &u);
	}
	return iam_rows_end(&r);
}

static status of_policy(struct call *c, struct str arn, struct str text, struct subjects_of *s)
{
	iam_services_of(c, text, &s->services);
	struct iam_rows r = iam_attachments(c, arn);
	while (iam_rows_next(&r)) {
		struct str name = str_dup(c->arena, r.name);
		struct iam_rec_entity e;
		if (str_is(r.value, "group")) {
			TRY(add_members(c, s, name));
		} else if (str_is(r.value, "user") || str_is(r.value, "role")) {
			enum iam_kind kind = str_is(r.value, "user") ? IAM_USER : IAM_ROLE;
			TRY(iam_get(c, kind, name, &e));
			add_entity(c, s, kind, &e);
		}
	}
	return iam_rows_end(&r);
}

static status subjects_of(struct call *c, struct str arn, struct subjects_of *s)
{
	*s = (struct subjects_of){0};
	struct str text;
	status got = iam_policy_text(c->tx, c->arena, c->account, arn, &text);
	if (is_ok(got)) return of_policy(c, arn, text, s);
	if (!status_is(got, STATUS_NOT_FOUND)) return got;
	enum iam_kind kind;
	struct iam_rec_entity e;
	TRY(iam_get_by_arn(c, arn, &kind, &e));
	struct iam_texts texts = {0};
	TRY(iam_gather(c, kind, &e, &texts));
	for (size_t i = 0; i < texts.n; i++) iam_services_of(c, texts.v[i].text, &s->services);
	if (kind == IAM_GROUP) return add_members(c, s, e.name);
	add_entity(c, s, kind, &e);
	return OK;
}

/* ── services ─────────────────────────────────────────────────────────────────────────────────────────────────── */

struct known_service {
	struct str namespace, name;
};

/* The service of this row of the authorization reference; false where an earlier row had its prefix. */
static bool known_service(size_t i, struct known_service *out)
{
	const struct authz_service *s = &authz_services[i];
	out->namespace = authz_str(s->prefix);
	for (size_t j = 0; j < i; j++)
		if (str_eq(authz_str(authz_services[j].prefix), out->namespace)) return false;
	out->name = out->namespace;
	for (size_t j = 0; j < wire_services_length; j++)
		if (str_eq(str_c(wire_services[j]->name), authz_str(s->name)))
			out->name = str_c(wire_services[j]->title);
	return true;
}

/* Uses are noted under the service's signing name; most are its action prefix too. */
static bool is_of(const struct iam_use *u, struct str namespace)
{
	if (str_eq(u->service, namespace)) return true;
	for (size_t i = 0; i < wire_services_length; i++) {
		if (!str_eq(str_c(wire_services[i]->signing_name), u->service)) continue;
		const struct authz_service *a = authz_find(str_c(wire_services[i]->name));
		if (a && str_eq(authz_str(a->prefix), namespace)) return true;
	}
	return false;
}

static void fill(struct call *c, const struct subjects_of *s, const struct iam_uses *uses, bool actions,
	struct iam_service_last_accessed *out)
{
	int32_t entities = 0;
	size_t capacity = 0;
	for (size_t i = 0; i < s->entities.n; i++) {
		bool used = false;
		for (size_t j = 0; j < uses[i].n; j++) {
			const struct iam_use *u = &uses[i].v[j];
			if (!is_of(u, out->service_namespace)) continue;
			used = true;
			if (!out->last_authenticated.has || u->at_ms > out->last_authenticated.ms) {
				out->last_authenticated = SOME_TIME(u->at_ms);
				out->last_authenticated_entity = s->entities.v[i].arn;
				out->last_authenticated_region = u->region;
			}
			if (actions)
				*VEC_PUSH(c->arena, &out->tracked_actions_last_accessed, &capacity) =
					(struct iam_tracked_action_last_accessed){
						u->action, s->entities.v[i].arn, SOME_TIME(u->at_ms), u->region};
		}
		entities += used;
	}
	out->total_authenticated_entities = SOME_I32(entities);
}

/* ── jobs: made at once, kept as what was asked; read when they are got ───────────────────────────────────────── */

status iam_generate_service_last_accessed_details(struct call *c,
	const struct iam_generate_service_last_accessed_details_input *in,
	struct iam_generate_service_last_accessed_details_output *out)
{
	struct subjects_of s;
	TRY(subjects_of(c, in->arn, &s));
	out->job_id = rand_uuid(c->arena);
	struct iam_rec_advisor r = {.arn = in->arn,
		.actions = SOME_BOOL(str_is(in->granularity, "ACTION_LEVEL")),
		.created = SOME_TIME(c->now_ms)};
	store_put(c->tx, iam_key(c->arena, "advisor", c->account, out->job_id), iam_rec_advisor_encode(c->arena, &r));
	return OK;
}

static status job_get(struct call *c, struct str id, struct iam_rec_advisor *out)
{
	struct str bytes;
	*out = (struct iam_rec_advisor){0};
	status s = store_get(c->tx, iam_key(c->arena, "advisor", c->account, id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return IAM_FAIL(c, NO_SUCH_ENTITY, "Job with id %.*s cannot be found.", STR_ARG(id));
	TRY(s);
	return iam_rec_advisor_decode(c->arena, bytes, out);
}

static struct iam_uses *uses_of(struct call *c, const struct subjects_of *s)
{
	struct iam_uses *uses = arena_new_n(c->arena, struct iam_uses, s->entities.n);
	for (size_t i = 0; i < s->entities.n; i++) iam_uses_of(c, s->entities.v[i].arn, &uses[i]);
	return uses;
}

status iam_get_service_last_accessed_details(struct call *c,
	const struct iam_get_service_last_accessed_details_input *in,
	struct iam_get_service_last_accessed_details_output *out)
{
	struct iam_rec_advisor job;
	struct subjects_of s;
	struct iam_page page;
	TRY(job_get(c, in->job_id, &job));
	TRY(subjects_of(c, job.arn, &s));
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	const struct iam_uses *uses = uses_of(c, &s);
	out->job_status = STR("COMPLETED");
	out->job_type = job.actions.v ? STR("ACTION_LEVEL") : STR("SERVICE_LEVEL");
	out->job_creation_date = out->job_completion_date = job.created;
	VEC_PRESENT(c->arena, &out->services_last_accessed);
	size_t capacity = 0;
	for (size_t i = 0; i < authz_services_length; i++) {
		struct known_service k;
		if (!known_service(i, &k) || !iam_services_have(&s.services, k.namespace)) continue;
		if (!iam_page_take(&page, str_fmt(c->arena, "%05zu", i))) continue;
		struct iam_service_last_accessed *o = VEC_PUSH(c->arena, &out->services_last_accessed, &capacity);
		o->service_name = k.name;
		o->service_namespace = k.namespace;
		fill(c, &s, uses, job.actions.v, o);
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return OK;
}

status iam_get_service_last_accessed_details_with_entities(struct call *c,
	const struct iam_get_service_last_accessed_details_with_entities_input *in,
	struct iam_get_service_last_accessed_details_with_entities_output *out)
{
	struct iam_rec_advisor job;
	struct subjects_of s;
	struct iam_page page;
	TRY(job_get(c, in->job_id, &job));
	TRY(subjects_of(c, job.arn, &s));
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	const struct iam_uses *uses = uses_of(c, &s);
	out->job_status = STR("COMPLETED");
	out->job_creation_date = out->job_completion_date = job.created;
	VEC_PRESENT(c->arena, &out->entity_details_list);
	size_t capacity = 0;
	for (size_t i = 0; i < s.entities.n; i++) {
		if (!iam_page_take(&page, str_fmt(c->arena, "%06zu", i))) continue;
		struct iam_entity_details *o = VEC_PUSH(c->arena, &out->entity_details_list, &capacity);
		o->entity_info = &s.entities.v[i];
		for (size_t j = 0; j < uses[i].n; j++) {
			const struct iam_use *u = &uses[i].v[j];
			if (is_of(u, in->service_namespace) && u->at_ms > o->last_authenticated.ms)
				o->last_authenticated = SOME_TIME(u->at_ms);
		}
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return OK;
}

status iam_list_policies_granting_service_access(struct call *c,
	const struct iam_list_policies_granting_service_access_input *in,
	struct iam_list_policies_granting_service_access_output *out)
{
	enum iam_kind kind;
	struct iam_rec_entity e;
	struct iam_texts texts = {0};
	TRY(iam_get_by_arn(c, in->arn, &kind, &e));
	TRY(iam_gather(c, kind, &e, &texts));
	VEC_PRESENT(c->arena, &out->policies_granting_service_access);
	size_t capacity = 0;
	for (size_t i = 0; i < in->service_namespaces.n; i++) {
		struct str namespace = in->service_namespaces.v[i];
		struct iam_list_policies_granting_service_access_entry *o =
			VEC_PUSH(c->arena, &out->policies_granting_service_access, &capacity);
		o->service_namespace = namespace;
		VEC_PRESENT(c->arena, &o->policies);
		size_t room = 0;
		for (size_t j = 0; j < texts.n; j++) {
			const struct iam_text *t = &texts.v[j];
			struct iam_rec_strings granted = {0};
			iam_services_of(c, t->text, &granted);
			if (!iam_services_have(&granted, namespace)) continue;
			bool inline_policy = !str_has(t->arn);
			*VEC_PUSH(c->arena, &o->policies, &room) =
				(struct iam_policy_granting_service_access){.policy_name = t->name,
					.policy_type = inline_policy ? STR("INLINE") : STR("MANAGED"),
					.policy_arn = t->arn,
					.entity_type = !inline_policy         ? STR_NONE
						       : t->owner == IAM_USER ? STR("USER")
						       : t->owner == IAM_ROLE ? STR("ROLE")
									      : STR("GROUP"),
					.entity_name = inline_policy ? t->owner_name : STR_NONE};
		}
	}
	out->is_truncated = SOME_BOOL(false);
	return OK;
}
