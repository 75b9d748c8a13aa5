/* Policy simulation by the engine that decides real calls, and the condition keys that policies ask for ("Test IAM
 * policies with the IAM policy simulator"). */
#include "base/json.h"
#include "services/iam/gather.h"

struct simulation {
	struct call *c;
	struct {
		struct policy **v;
		size_t n;
	} all; /* to free */
	size_t all_capacity;
	struct {
		const struct policy **v;
		size_t n;
	} identity, boundary, resource;
	size_t identity_capacity, boundary_capacity, resource_capacity;
	bool has_boundary;
	struct iam_rec_strings keys; /* what the policies ask for */
	struct policy_context context;
	struct policy_principal who;
	struct str owner;
};

/* ── which keys a policy asks for ─────────────────────────────────────────────────────────────────────────────── */

static void add_key(struct call *c, struct iam_rec_strings *keys, struct str key)
{
	if (!iam_strings_have(keys, key)) iam_strings_add(c->arena, keys, key);
}

/* ${aws:username}, ${aws:PrincipalTag/team, 'none'} */
static void keys_of_text(struct call *c, struct str text, struct iam_rec_strings *keys)
{
	for (ptrdiff_t at; (at = str_find(text, STR("${"))) >= 0;) {
		text = str_from(text, (size_t)at + 2);
		ptrdiff_t end = str_chr(text, '}');
		if (end < 0) return;
		struct str inside = str_sub(text, 0, (size_t)end);
		inside = str_trim(str_cut(&inside, ','));
		if (inside.n > 1) add_key(c, keys, inside); /* ${*}, ${?} and ${$} are the characters */
		text = str_from(text, (size_t)end + 1);
	}
}

static void keys_of_values(struct call *c, const struct json_value *v, struct iam_rec_strings *keys)
{
	if (json_is(v, JSON_IS_STRING)) keys_of_text(c, v->text, keys);
	for (const struct json_value *e = json_is(v, JSON_IS_ARRAY) ? v->first : NULL; e; e = e->next)
		keys_of_values(c, e, keys);
}

static void keys_of_policy(struct call *c, struct str text, struct iam_rec_strings *keys)
{
	struct json_value *document;
	if (!is_ok(json_read(c->arena, text, &document))) return;
	const struct json_value *list = json_member(document, STR("Statement"));
	bool many = json_is(list, JSON_IS_ARRAY);
	for (const struct json_value *s = many ? list->first : list; s; s = many ? s->next : NULL) {
		keys_of_values(c, json_member(s, STR("Resource")), keys);
		keys_of_values(c, json_member(s, STR("NotResource")), keys);
		const struct json_value *condition = json_member(s, STR("Condition"));
		for (const struct json_value *op = condition ? condition->first : NULL; op; op = op->next)
			for (const struct json_value *k = op->first; k; k = k->next) {
				add_key(c, keys, k->name);
				keys_of_values(c, k, keys);
			}
	}
}

static void keys_out(
	struct call *c, const struct iam_rec_strings *keys, struct iam_context_key_names_result_list_type *out)
{
	out->v = keys->v;
	out->n = keys->n;
	VEC_PRESENT(c->arena, out);
}

static status check_input(struct call *c, const struct iam_simulation_policy_list_type *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct policy_source source = {.type = POLICY_IDENTITY};
		struct policy *p = NULL;
		struct policy_error why = {0};
		if (!is_ok(policy_parse(list->v[i], &source, &p, &why)))
			return IAM_FAIL(c, INVALID_INPUT, "Invalid Input: %s", why.message);
		policy_free(p);
	}
	return OK;
}

status iam_get_context_keys_for_custom_policy(struct call *c,
	const struct iam_get_context_keys_for_custom_policy_input *in,
	struct iam_get_context_keys_for_custom_policy_output *out)
{
	struct iam_rec_strings keys = {0};
	TRY(check_input(c, &in->policy_input_list));
	for (size_t i = 0; i < in->policy_input_list.n; i++) keys_of_policy(c, in->policy_input_list.v[i], &keys);
	keys_out(c, &keys, &out->context_key_names);
	return OK;
}

status iam_get_context_keys_for_principal_policy(struct call *c,
	const struct iam_get_context_keys_for_principal_policy_input *in,
	struct iam_get_context_keys_for_principal_policy_output *out)
{
	enum iam_kind kind;
	struct iam_rec_entity e;
	struct iam_texts texts = {0};
	struct iam_rec_strings keys = {0};
	TRY(iam_get_by_arn(c, in->policy_source_arn, &kind, &e));
	TRY(iam_gather(c, kind, &e, &texts));
	TRY(check_input(c, &in->policy_input_list));
	for (size_t i = 0; i < texts.n; i++) keys_of_policy(c, texts.v[i].text, &keys);
	for (size_t i = 0; i < in->policy_input_list.n; i++) keys_of_policy(c, in->policy_input_list.v[i], &keys);
	keys_out(c, &keys, &out->context_key_names);
	return OK;
}

/* ── simulation ───────────────────────────────────────────────────────────────────────────────────────────────── */

static status add(struct simulation *s, enum policy_type type, struct str label, struct str text)
{
	struct call *c = s->c;
	struct policy_source source = {.type = type, .label = label};
	struct policy *p = NULL;
	struct policy_error why = {0};
	if (!is_ok(policy_parse(text, &source, &p, &why)))
		return IAM_FAIL(c, INVALID_INPUT, "Invalid Input: %s", why.message);
	*VEC_PUSH(c->arena, &s->all, &s->all_capacity) = p;
	if (type == POLICY_IDENTITY)
		*VEC_PUSH(c->arena, &s->identity, &s->identity_capacity) = p;
	else if (type == POLICY_BOUNDARY)
		*VEC_PUSH(c->arena, &s->boundary, &s->boundary_capacity) = p;
	else
		*VEC_PUSH(c->arena, &s->resource, &s->resource_capacity) = p;
	keys_of_policy(c, text, &s->keys);
	return OK;
}

static status add_inputs(struct simulation *s, const struct iam_simulation_policy_list_type *identity,
	const struct iam_simulation_policy_list_type *boundary, struct str resource)
{
	struct arena *a = s->c->arena;
	for (size_t i = 0; i < identity->n; i++)
		TRY(add(s, POLICY_IDENTITY, str_fmt(a, "PolicyInputList.%zu", i + 1), identity->v[i]));
	for (size_t i = 0; i < boundary->n; i++) {
		s->has_boundary = true;
		TRY(add(s, POLICY_BOUNDARY, str_fmt(a, "PermissionsBoundaryPolicyInputList.%zu", i + 1),
			boundary->v[i]));
	}
	return str_has(resource) ? add(s, POLICY_RESOURCE, STR("ResourcePolicy"), resource) : OK;
}

/* Who is meant: a user, else whom the policies belong to, else nobody in particular. */
static status set_caller(struct simulation *s, struct str arn)
{
	struct call *c = s->c;
	struct str rest = arn, part[5] = {{0}};
	s->who = (struct policy_principal){.kind = POLICY_CALLER_USER,
		.account = c->account,
		.arn = str_fmt(
			c->arena, "arn:%.*s:iam::%.*s:user/simulated", STR_ARG(c->partition), STR_ARG(c->account)),
		.user_id = STR("AIDASIMULATED"),
		.name = STR("simulated")};
	if (!str_has(arn)) return OK;
	for (int i = 0; i < 5 && str_has(rest); i++) part[i] = str_cut(&rest, ':');
	if (!str_has(rest)) return IAM_FAIL(c, INVALID_INPUT, "Invalid caller ARN: %.*s", STR_ARG(arn));
	ptrdiff_t slash = str_rchr(rest, '/');
	s->who.arn = arn;
	s->who.account = part[4];
	s->who.name = str_from(rest, (size_t)(slash + 1));
	if (str_starts(rest, STR("role/")) || str_starts(rest, STR("assumed-role/"))) {
		s->who.kind = POLICY_CALLER_ROLE;
		s->who.issuer_arn = arn;
	}
	if (str_is(rest, "root")) s->who.kind = POLICY_CALLER_ROOT;
	return OK;
}

static void set_context(struct simulation *s, const struct iam_context_entry_list_type *entries)
{
	s->context = POLICY_CONTEXT_IN(s->c->arena);
	policy_context_set_now(&s->context, s->c->now_ms);
	policy_context_set_principal(&s->context, &s->who);
	for (size_t i = 0; i < entries->n; i++) {
		const struct iam_context_entry *e = &entries->v[i];
		if (str_has(e->context_key_name))
			policy_context_set_list(
				&s->context, e->context_key_name, e->context_key_values.v, e->context_key_values.n);
	}
}

static struct str word_of(enum policy_outcome o)
{
	return o == POLICY_ALLOWED             ? STR("allowed")
	       : o == POLICY_DENIED_EXPLICITLY ? STR("explicitDeny")
					       : STR("implicitDeny");
}

static void evaluate(
	struct simulation *s, struct str action, struct str resource_arn, struct iam_evaluation_result *out)
{
	struct arena *a = s->c->arena;
	struct policy_resource resource = {
		.arn = resource_arn, .account = s->owner, .policies = {s->resource.v, s->resource.n}};
	struct policy_request request = {.principal = &s->who,
		.action = action,
		.resources = &resource,
		.n_resources = 1,
		.context = &s->context};
	struct policy_subject subject = {.identity = {s->identity.v, s->identity.n},
		.boundary = {s->boundary.v, s->boundary.n},
		.has_boundary = s->has_boundary};
	struct policy_decision d;
	(void)policy_evaluate(a, &request, &subject, &d);
	out->eval_action_name = action;
	out->eval_resource_name = resource_arn;
	out->eval_decision = word_of(d.outcome);
	VEC_PRESENT(a, &out->matched_statements);
	if (d.policy) {
		size_t capacity = 0;
		struct iam_statement *m = VEC_PUSH(a, &out->matched_statements, &capacity);
		m->source_policy_id = str_dup(a, policy_label(d.policy)); /* the policies go before the answer */
		m->source_policy_type = d.by == POLICY_RESOURCE ? STR("resource") : STR("none");
	}
	if (s->has_boundary) {
		out->permissions_boundary_decision_detail =
			arena_new(a, struct iam_permissions_boundary_decision_detail);
		out->permissions_boundary_decision_detail->allowed_by_permissions_boundary =
			SOME_BOOL(d.outcome == POLICY_ALLOWED || d.by != POLICY_BOUNDARY);
	}
	VEC_PRESENT(a, &out->missing_context_values);
	size_t capacity = 0;
	for (size_t i = 0; i < s->keys.n; i++)
		if (!policy_context_get(&s->context, s->keys.v[i]))
			*VEC_PUSH(a, &out->missing_context_values, &capacity) = s->keys.v[i];
}

static status run(struct simulation *s, const struct iam_action_name_list_type *actions,
	const struct iam_resource_name_list_type *resources, struct str marker, struct opt_i32 max_items,
	struct iam_simulate_policy_response *out)
{
	struct iam_page page;
	TRY(iam_page_begin(s->c, marker, max_items, &page));
	VEC_PRESENT(s->c->arena, &out->evaluation_results);
	size_t capacity = 0, all = resources->n ? resources->n : 1;
	for (size_t i = 0; i < actions->n; i++) {
		if (str_chr(actions->v[i], ':') < 0)
			return IAM_FAIL(s->c, INVALID_INPUT, "Invalid action name: %.*s", STR_ARG(actions->v[i]));
		for (size_t j = 0; j < all; j++)
			if (iam_page_take(&page, str_fmt(s->c->arena, "%06zu/%06zu", i, j)))
				evaluate(s, actions->v[i], resources->n ? resources->v[j] : STR("*"),
					VEC_PUSH(s->c->arena, &out->evaluation_results, &capacity));
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return OK;
}

static void cleanup(struct simulation *s)
{
	for (size_t i = 0; i < s->all.n; i++) policy_free(s->all.v[i]);
}

/* The account of 12 digits, or the one in an ARN. */
static struct str owner_of(struct str owner)
{
	for (int i = 0; i < 4 && str_chr(owner, ':') >= 0; i++) str_cut(&owner, ':');
	return str_has(owner) ? str_cut(&owner, ':') : STR("");
}

status iam_simulate_custom_policy(struct call *c, const struct iam_simulate_custom_policy_input *in,
	struct iam_simulate_custom_policy_output *out)
{
	struct simulation s = {.c = c, .owner = owner_of(in->resource_owner)};
	status st = set_caller(&s, in->caller_arn);
	if (is_ok(st))
		st = add_inputs(
			&s, &in->policy_input_list, &in->permissions_boundary_policy_input_list, in->resource_policy);
	if (is_ok(st)) {
		set_context(&s, &in->context_entries);
		st = run(&s, &in->action_names, &in->resource_arns, in->marker, in->max_items, out);
	}
	cleanup(&s);
	return st;
}

static status add_principal(struct simulation *s, struct str arn, struct str caller)
{
	struct call *c = s->c;
	enum iam_kind kind;
	struct iam_rec_entity e;
	struct iam_texts texts = {0};
	TRY(iam_get_by_arn(c, arn, &kind, &e));
	TRY(iam_gather(c, kind, &e, &texts));
	for (size_t i = 0; i < texts.n; i++) TRY(add(s, POLICY_IDENTITY, texts.v[i].name, texts.v[i].text));
	if (e.boundary.n) {
		struct str text;
		s->has_boundary = true;
		TRY(iam_policy_text(c->tx, c->arena, c->account, e.boundary, &text));
		TRY(add(s, POLICY_BOUNDARY, e.boundary, text));
	}
	TRY(set_caller(s, str_has(caller) ? caller : kind == IAM_GROUP ? STR_NONE : arn));
	if (!str_has(caller) && kind != IAM_GROUP) s->who.user_id = e.id;
	return OK;
}

status iam_simulate_principal_policy(struct call *c, const struct iam_simulate_principal_policy_input *in,
	struct iam_simulate_principal_policy_output *out)
{
	struct simulation s = {.c = c, .owner = owner_of(in->resource_owner)};
	status st = add_principal(&s, in->policy_source_arn, in->caller_arn);
	if (is_ok(st))
		st = add_inputs(
			&s, &in->policy_input_list, &in->permissions_boundary_policy_input_list, in->resource_policy);
	if (is_ok(st)) {
		set_context(&s, &in->context_entries);
		st = run(&s, &in->action_names, &in->resource_arns, in->marker, in->max_items, out);
	}
	cleanup(&s);
	return st;
}
