/* The policies of an entity as texts, and which services a text is about. */
#include "services/iam/gather.h"
#include "base/json.h"
#include "services/iam/managed.h"

static struct iam_text *push(struct call *c, struct iam_texts *out)
{
	return VEC_PUSH(c->arena, out, &out->capacity);
}

status iam_gather(struct call *c, enum iam_kind kind, const struct iam_rec_entity *e, struct iam_texts *out)
{
	for (size_t i = 0; i < e->inline_policies.n; i++)
		*push(c, out) = (struct iam_text){.name = e->inline_policies.v[i].name,
			.text = e->inline_policies.v[i].text,
			.owner = kind,
			.owner_name = e->name};
	for (size_t i = 0; i < e->attached.n; i++) {
		struct str arn = e->attached.v[i], text;
		TRY(iam_policy_text(c->tx, c->arena, c->account, arn, &text));
		ptrdiff_t slash = str_rchr(arn, '/');
		*push(c, out) = (struct iam_text){.name = str_from(arn, (size_t)(slash + 1)),
			.arn = arn,
			.text = text,
			.owner = kind,
			.owner_name = e->name,
			.aws = iam_managed_find(arn) != NULL};
	}
	for (size_t i = 0; i < e->groups.n; i++) {
		struct iam_rec_entity g;
		TRY(iam_get(c, IAM_GROUP, e->groups.v[i], &g));
		TRY(iam_gather(c, IAM_GROUP, &g, out));
	}
	return OK;
}

status iam_get_by_arn(struct call *c, struct str arn, enum iam_kind *kind, struct iam_rec_entity *out)
{
	struct str rest = arn;
	for (int i = 0; i < 5 && str_has(rest); i++) str_cut(&rest, ':');
	if (!str_starts(arn, STR("arn:")) || !str_has(rest))
		return IAM_FAIL(c, INVALID_INPUT, "Invalid ARN: %.*s", STR_ARG(arn));
	static const enum iam_kind kinds[] = {IAM_USER, IAM_GROUP, IAM_ROLE};
	for (size_t i = 0; i < 3; i++) {
		struct str word = str_fmt(c->arena, "%s/", iam_kind_name(kinds[i]));
		if (!str_starts(rest, word)) continue;
		*kind = kinds[i];
		ptrdiff_t slash = str_rchr(rest, '/');
		TRY(iam_get(c, *kind, str_from(rest, (size_t)slash + 1), out));
		if (str_eq(iam_entity_arn(c, *kind, out), arn)) return OK;
		return IAM_FAIL(c, NO_SUCH_ENTITY, "ARN %.*s cannot be found.", STR_ARG(arn));
	}
	return IAM_FAIL(c, INVALID_INPUT, "Invalid Entity Arn: %.*s does not clearly define entity type and name.",
		STR_ARG(arn));
}

static void add_prefix(struct call *c, struct str action, struct iam_rec_strings *out)
{
	struct str rest = action, prefix = str_cut(&rest, ':');
	prefix = str_lower(c->arena, prefix);
	if (!iam_strings_have(out, prefix)) iam_strings_add(c->arena, out, prefix);
}

void iam_services_of(struct call *c, struct str text, struct iam_rec_strings *out)
{
	struct json_value *document;
	if (!is_ok(json_read(c->arena, text, &document))) return;
	const struct json_value *list = json_member(document, STR("Statement"));
	for (const struct json_value *s = json_is(list, JSON_IS_ARRAY) ? list->first : list; s;
		s = json_is(list, JSON_IS_ARRAY) ? s->next : NULL) {
		if (!str_is(json_string(json_member(s, STR("Effect"))), "Allow")) continue;
		const struct json_value *action = json_member(s, STR("Action"));
		if (!action) add_prefix(c, STR("*"), out); /* NotAction leaves nearly all */
		if (json_is(action, JSON_IS_STRING)) add_prefix(c, action->text, out);
		for (const struct json_value *a = json_is(action, JSON_IS_ARRAY) ? action->first : NULL; a; a = a->next)
			add_prefix(c, a->text, out);
	}
}

bool iam_services_have(const struct iam_rec_strings *prefixes, struct str prefix)
{
	return iam_strings_have(prefixes, STR("*")) || iam_strings_have(prefixes, prefix);
}
