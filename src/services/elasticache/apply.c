/* Users and parameters into servers that run, whenever they differ from what the server was told last. */
#include "base/log.h"
#include "services/elasticache/controller.h"

/* A server's refusal is told once, and does not keep the others from what they get. */
static void refused(
	struct cache_work *w, const struct elasticache_rec_node *n, struct str what, const struct resp_value *v)
{
	log_warn("elasticache", "refused", "unit=%.*s node=%.*s what=\"%.*s\" why=\"%.*s\"", STR_ARG(w->u->id),
		STR_ARG(n->name), STR_ARG(what), STR_ARG(v->text));
	cache_event(w->at, w->now_ms, "cache-cluster", n->cluster,
		str_fmt(w->at.a, "Cache node %.*s refused %.*s: %.*s", STR_ARG(n->number), STR_ARG(what),
			STR_ARG(v->text))
			.p);
}

static bool has_line(struct str text, struct str name)
{
	while (str_has(text)) {
		struct str line = str_cut(&text, '\n'), first = str_cut(&line, ' ');
		if (first.n && str_eq(first, name)) return true;
	}
	return false;
}

static status users(struct cache_work *w, struct elasticache_rec_node *n, struct resp *r)
{
	struct str wanted, rest;
	struct resp_value v;
	TRY(cache_users_of(w->at, w->u, &wanted));
	if (str_has(n->users) && str_eq(n->users, wanted)) return OK;
	for (rest = str_or(n->users, STR("")); str_has(rest);) {
		struct str line = str_cut(&rest, '\n'), name = str_cut(&line, ' ');
		if (!name.n || has_line(wanted, name)) continue;
		status s = resp_do(r, w->at.a, &v, "ACL DELUSER %.*s", STR_ARG(name));
		if (!is_ok(s) && !status_is(s, STATUS_INVALID)) return s;
	}
	for (rest = wanted; str_has(rest);) {
		struct str line = str_cut(&rest, '\n'), words = line;
		if (!line.n) continue;
		status s = resp_do(r, w->at.a, &v, "ACL SETUSER %.*s", STR_ARG(line));
		if (status_is(s, STATUS_INVALID))
			refused(w, n, str_cat(w->at.a, STR("the user "), str_cut(&words, ' ')), &v);
		else
			TRY(s);
	}
	n->users = wanted;
	return OK;
}

static status parameters(struct cache_work *w, struct elasticache_rec_node *n, struct resp *r)
{
	struct str wanted = cache_dynamic_settings(w->at.a, w->u, w->g), rest = wanted;
	struct resp_value v;
	n->running_with = cache_static_settings(w->at.a, w->g);
	if (str_has(n->settings) && str_eq(n->settings, wanted)) return OK;
	/* A server that has just started has read them. */
	while (str_has(rest)) {
		struct str line = str_cut(&rest, '\n'), value = line, name = str_cut(&value, ' ');
		if (!line.n) continue;
		if (str_is(value, "\"\"")) value = STR("");
		struct str words[] = {STR("CONFIG"), STR("SET"), name, value};
		TRY(resp_ask(r, w->at.a, words, 4, 5000, &v));
		if (v.kind == RESP_ERROR) refused(w, n, str_cat(w->at.a, STR("the parameter "), name), &v);
	}
	n->settings = wanted;
	return OK;
}

status cache_apply(struct cache_work *w, size_t node)
{
	struct elasticache_rec_node *n = &w->u->nodes.v[node];
	if (!cache_is_redis(w->u)) {
		n->running_with = cache_static_settings(w->at.a, w->g);
		return OK;
	}
	TRY(parameters(w, n, &w->seen[node].r));
	return users(w, n, &w->seen[node].r);
}
