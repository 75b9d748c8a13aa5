/* Unused access: roles, access keys and passwords that nobody used, and permissions for services that a user or role in
 * use did not call, from the uses that IAM notes ("Findings for external and unused access", Unused access).
 * Service-linked roles are not looked at, and nothing is unused before it is as old as the analyzer asks. */
#include "policy/authz.h"
#include "services/accessanalyzer/room.h"
#include "services/iam/gather.h"
#include "services/iam/usage.h"

#define DAY_MS (24ll * 60 * 60 * 1000)

struct look {
	struct call c; /* IAM's: its state, the caller's account */
	int64_t since;
	struct aa_findings *out;
};

static bool old_enough(const struct look *l, struct opt_time created)
{
	return created.has && created.ms < l->since;
}

static struct accessanalyzer_rec_finding *found(
	struct look *l, const char *kind, struct str arn, const char *type, struct str key, struct opt_time used)
{
	struct accessanalyzer_rec_finding *f = VEC_PUSH(l->c.arena, l->out, &l->out->capacity);
	*f = (struct accessanalyzer_rec_finding){
		.id = aa_id(l->c.arena, str_fmt(l->c.arena, "%s\n%.*s\n%.*s", kind, STR_ARG(arn), STR_ARG(key))),
		.resource = arn,
		.type = str_c(type),
		.owner = l->c.account,
		.kind = str_c(kind),
		.key = key,
		.used = used,
		.source = STR("POLICY"),
	};
	return f;
}

/* ── permissions ── */

static bool is_of(const struct iam_use *u, struct str namespace)
{
	if (str_eq(u->service, namespace)) return true;
	for (size_t i = 0; i < wire_services_length; i++) {
		const struct authz_service *a = str_eq(str_c(wire_services[i]->signing_name), u->service)
							? authz_find(str_c(wire_services[i]->name))
							: NULL;
		if (a && str_eq(authz_str(a->prefix), namespace)) return true;
	}
	return false;
}

static status permissions(struct look *l, enum iam_kind kind, const struct iam_rec_entity *e, struct str arn)
{
	struct iam_texts texts = {0};
	struct iam_rec_strings prefixes = {0};
	struct iam_uses uses;
	struct accessanalyzer_rec_pairs unused = {0};
	size_t capacity = 0;
	TRY(iam_gather(&l->c, kind, e, &texts));
	for (size_t i = 0; i < texts.n; i++) iam_services_of(&l->c, texts.v[i].text, &prefixes);
	iam_uses_of(&l->c, arn, &uses);
	for (size_t i = 0; i < prefixes.n; i++) {
		struct opt_time last = {0};
		if (str_is(prefixes.v[i], "*")) continue; /* all of them: there is no telling which are meant */
		for (size_t k = 0; k < uses.n; k++)
			if (is_of(&uses.v[k], prefixes.v[i]) && (!last.has || uses.v[k].at_ms > last.ms))
				last = SOME_TIME(uses.v[k].at_ms);
		if (last.has && last.ms >= l->since) continue;
		*VEC_PUSH(l->c.arena, &unused, &capacity) = (struct accessanalyzer_rec_pairs_entry){
			prefixes.v[i], last.has ? str_fmt(l->c.arena, "%lld", (long long)last.ms) : STR("")};
	}
	if (!unused.n) return OK;
	struct accessanalyzer_rec_finding *f = found(l, "UnusedPermission", arn,
		kind == IAM_ROLE ? "AWS::IAM::Role" : "AWS::IAM::User", STR(""), (struct opt_time){0});
	f->services = unused;
	return OK;
}

/* ── who has them ── */

static status role(struct look *l, const struct iam_rec_entity *e)
{
	struct opt_time used = {0};
	struct str region;
	if (str_has(e->service) || !old_enough(l, e->created)) return OK;
	struct str arn = iam_entity_arn(&l->c, IAM_ROLE, e);
	iam_last_used(&l->c, arn, &used, &region);
	if (used.has && used.ms >= l->since) return permissions(l, IAM_ROLE, e, arn);
	found(l, "UnusedIAMRole", arn, "AWS::IAM::Role", STR(""), used);
	return OK;
}

static status keys(struct look *l, const struct iam_rec_entity *e, struct str arn, bool *any)
{
	for (size_t i = 0; i < e->keys.n; i++) {
		struct iam_rec_key k = {0};
		struct iam_access_key_last_used used = {0};
		struct str bytes;
		TRY(store_get(l->c.tx, iam_key(l->c.arena, "key", l->c.account, e->keys.v[i]), &bytes));
		TRY(iam_rec_key_decode(l->c.arena, bytes, &k));
		iam_key_last_used(&l->c, k.id, &used);
		bool recent = used.last_used_date.has && used.last_used_date.ms >= l->since;
		*any |= recent;
		if (k.active.v && !recent && old_enough(l, k.created))
			found(l, "UnusedIAMUserAccessKey", arn, "AWS::IAM::User", k.id, used.last_used_date);
	}
	return OK;
}

static status user(struct look *l, const struct iam_rec_entity *e)
{
	struct str arn = iam_entity_arn(&l->c, IAM_USER, e);
	bool used = false;
	TRY(keys(l, e, arn, &used));
	if (e->login && old_enough(l, e->login->created) && !(e->login->used.has && e->login->used.ms >= l->since))
		found(l, "UnusedIAMUserPassword", arn, "AWS::IAM::User", STR(""), e->login->used);
	return used && old_enough(l, e->created) ? permissions(l, IAM_USER, e, arn) : OK;
}

static status each(struct look *l, enum iam_kind kind)
{
	struct iam_rows rows = iam_rows_begin(&l->c, iam_kind_name(kind));
	while (iam_rows_next(&rows)) {
		struct iam_rec_entity e = {0};
		TRY(iam_rec_entity_decode(l->c.arena, str_dup(l->c.arena, rows.value), &e));
		TRY(kind == IAM_ROLE ? role(l, &e) : user(l, &e));
	}
	return iam_rows_end(&rows);
}

status aa_unused(struct call *c, const struct accessanalyzer_rec_analyzer *a, struct aa_findings *out)
{
	struct look l = {.c = *c, .since = c->now_ms - a->age.v * DAY_MS, .out = out};
	l.c.state = NULL;
	for (size_t i = 0; i < c->cloud->n_services; i++)
		if (strcmp(c->cloud->services[i]->model->name, "iam") == 0) l.c.state = c->cloud->service_state[i];
	if (!l.c.state) return OK; /* the user left IAM out: there are no identities */
	TRY(each(&l, IAM_ROLE));
	return each(&l, IAM_USER);
}
