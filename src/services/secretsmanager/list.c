/* ListSecrets and BatchGetSecretValue. */
#include "services/secretsmanager/read.h"
#include "services/secretsmanager/room.h"

enum { PAGE_MAX = 100, BATCH_MAX = 20 };

static status describe(struct call *c, const struct sm_secret *s, struct secretsmanager_secret_list_entry *e)
{
	struct sm_rotation rotation;
	TRY(sm_rotation(c, s, &rotation));
	*e = (struct secretsmanager_secret_list_entry){.arn = s->arn,
		.name = s->name,
		.description = s->r.description,
		.kms_key_id = s->r.kms_key_id,
		.last_changed_date = s->r.changed,
		.last_accessed_date = s->r.accessed,
		.deleted_date = s->r.deletion,
		.created_date = s->r.created,
		.primary_region = s->r.primary_region,
		.owning_service = rotation.owner,
		.rotation_rules = rotation.rules,
		.last_rotated_date = rotation.last,
		.next_rotation_date = rotation.next,
		.secret_versions_to_stages = sm_versions_to_stages(c->arena, s)};
	if (str_has(rotation.owner)) e->rotation_enabled = SOME_BOOL(true);
	if (s->r.tags.n) e->tags = sm_tags_out(c->arena, s);
	return OK;
}

status secretsmanager_list_secrets(struct call *c, const struct secretsmanager_list_secrets_input *in,
	struct secretsmanager_list_secrets_output *out)
{
	struct sm_secrets page;
	struct sm_query q = {.filters = &in->filters,
		.deleted_too = in->include_planned_deletion.v,
		.sort_by = str_or(in->sort_by, STR("created-date")),
		.order = str_or(in->sort_order, STR("desc")),
		.token = in->next_token,
		.limit = in->max_results.has ? (size_t)in->max_results.v : PAGE_MAX};
	TRY(sm_select(c, c->tx, &q, &page, &out->next_token));
	out->secret_list.v = arena_new_n(c->arena, struct secretsmanager_secret_list_entry, page.n);
	out->secret_list.n = page.n;
	for (size_t i = 0; i < page.n; i++) TRY(describe(c, &page.v[i], &out->secret_list.v[i]));
	return OK;
}

/* ── BatchGetSecretValue ──────────────────────────────────────────────────────────────────────────────────────── */

struct batch {
	struct call *c;
	struct secretsmanager_batch_get_secret_value_output *out;
	size_t values, errors; /* capacities */
};

/* One secret's failure is told beside the others' values. */
static void add_error(struct batch *b, struct str id)
{
	struct call *c = b->c;
	unsigned http_status;
	struct secretsmanager_api_error_type *e = VEC_PUSH(c->arena, &b->out->errors, &b->errors);
	e->secret_id = id;
	e->error_code = wire_error_code(&c->match, c->failure.id, &http_status);
	e->message = c->failure.message;
	c->failure = (struct wire_failure){0};
}

static status add(struct batch *b, struct str id, struct sm_secret *s, status found)
{
	struct secretsmanager_get_secret_value_output v;
	status st = is_ok(found) ? sm_read(b->c, s, STR_NONE, STR_NONE, &v) : found;
	if (status_is(st, STATUS_FAILED)) {
		add_error(b, id);
		return OK;
	}
	TRY(st);
	struct secretsmanager_secret_value_entry *e = VEC_PUSH(b->c->arena, &b->out->secret_values, &b->values);
	*e = (struct secretsmanager_secret_value_entry){.arn = v.arn,
		.name = v.name,
		.version_id = v.version_id,
		.secret_binary = v.secret_binary,
		.secret_string = v.secret_string,
		.version_stages = v.version_stages,
		.created_date = v.created_date};
	return OK;
}

status secretsmanager_batch_get_secret_value(struct call *c,
	const struct secretsmanager_batch_get_secret_value_input *in,
	struct secretsmanager_batch_get_secret_value_output *out)
{
	struct batch b = {.c = c, .out = out};
	struct sm_secret s;
	if (!in->secret_id_list.n == !in->filters.n)
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION,
			"Either 'SecretIdList' or 'Filters' must be provided, but not both.");
	if (in->secret_id_list.n && in->max_results.has)
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION,
			"'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.");
	VEC_PRESENT(c->arena, &out->secret_values);
	VEC_PRESENT(c->arena, &out->errors);
	for (size_t i = 0; i < in->secret_id_list.n; i++) {
		struct str id = in->secret_id_list.v[i];
		TRY(add(&b, id, &s, sm_find(c, id, SM_REPLICA_TOO, &s)));
	}
	if (in->secret_id_list.n) return OK;
	struct sm_secrets page;
	struct sm_query q = {.filters = &in->filters,
		.sort_by = STR("created-date"),
		.order = STR("desc"),
		.token = in->next_token,
		.limit = in->max_results.has ? (size_t)in->max_results.v : BATCH_MAX};
	TRY(sm_select(c, c->tx, &q, &page, &out->next_token));
	for (size_t i = 0; i < page.n; i++) TRY(add(&b, page.v[i].arn, &page.v[i], OK));
	return OK;
}
