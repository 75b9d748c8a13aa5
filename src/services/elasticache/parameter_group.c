/* Cache parameter groups: values that the servers really run with (settings.c). "Configuring engine parameters using
 * parameter groups", the guide. Changes of most parameters are in force at once, of some after a reboot. */
#include "services/elasticache/controller.h"

static bool is_default(struct str name)
{
	return str_istarts(name, STR("default."));
}

/* default.redis7, default.redis7.cluster.on, default.memcached1.6 */
static bool default_group(struct arena *a, struct str name, struct elasticache_rec_parameter_group *out)
{
	static const char *const families[] = {"redis7", "memcached1.6"};
	for (size_t i = 0; i < 2; i++) {
		struct str plain = str_fmt(a, "default.%s", families[i]);
		bool clustered = i == 0 && str_ieq(name, STR("default.redis7.cluster.on"));
		if (!clustered && !str_ieq(name, plain)) continue;
		*out = (struct elasticache_rec_parameter_group){
			.cache_parameter_group_name = clustered ? STR("default.redis7.cluster.on") : plain,
			.cache_parameter_group_family = str_c(families[i]),
			.description =
				clustered ? STR("Customized default parameter group for redis7 with cluster mode on")
					  : str_fmt(a, "Default parameter group for %s", families[i])};
		if (clustered) {
			out->values.v = arena_new(a, struct elasticache_rec_pair);
			out->values.v[out->values.n++] =
				(struct elasticache_rec_pair){STR("cluster-enabled"), STR("yes")};
		}
		return true;
	}
	return false;
}

status cache_parameter_group_load(struct cache_place at, struct str name, struct elasticache_rec_parameter_group *out)
{
	if (default_group(at.a, name, out)) return OK;
	return cache_load(at, &cache_kind_parameter_group, name, out);
}

static status find(struct call *c, struct str name, struct elasticache_rec_parameter_group *out)
{
	status s = cache_parameter_group_load(cache_here(c), name, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return CACHE_FAIL(
		c, CACHE_PARAMETER_GROUP_NOT_FOUND_FAULT, "CacheParameterGroup %.*s not found.", STR_ARG(name));
}

status cache_group_says_clustered(struct call *c, struct str group, bool *yes)
{
	struct elasticache_rec_parameter_group g;
	*yes = false;
	if (!str_has(group)) return OK;
	TRY(find(c, group, &g));
	for (size_t i = 0; i < g.values.n; i++)
		*yes = *yes || (str_is(g.values.v[i].key, "cluster-enabled") && str_is(g.values.v[i].value, "yes"));
	return OK;
}

status cache_parameter_group_for(
	struct call *c, struct str name, const struct cache_engine *e, bool clustered, struct str *out)
{
	struct elasticache_rec_parameter_group g;
	if (!str_has(name)) name = str_fmt(c->arena, "default.%s%s", e->family, clustered ? ".cluster.on" : "");
	TRY(find(c, name, &g));
	if (!str_eq(g.cache_parameter_group_family, str_c(e->family)))
		return CACHE_BAD_COMBINATION(c, "Expected a parameter group of family %s but found one of family %.*s.",
			e->family, STR_ARG(g.cache_parameter_group_family));
	*out = g.cache_parameter_group_name;
	return OK;
}

static void show(
	struct call *c, const struct elasticache_rec_parameter_group *r, struct elasticache_cache_parameter_group *out)
{
	cache_show(c->arena, ELASTICACHE_REC_PARAMETER_GROUP, r, ELASTICACHE_SHAPE_CACHE_PARAMETER_GROUP, out);
	out->is_global = SOME_BOOL(false);
	out->arn = cache_arn(c, &cache_kind_parameter_group, r->cache_parameter_group_name);
}

static status check_family(struct call *c, struct str family)
{
	size_t n;
	cache_parameters(family, &n);
	return n ? OK
		 : CACHE_BAD_VALUE(
			   c, "CacheParameterGroupFamily %.*s is not a valid parameter group family.", STR_ARG(family));
}

status elasticache_create_cache_parameter_group(struct call *c,
	const struct elasticache_create_cache_parameter_group_input *in,
	struct elasticache_create_cache_parameter_group_output *out)
{
	struct elasticache_rec_parameter_group r, other;
	size_t n;
	TRY(check_family(c, in->cache_parameter_group_family));
	/* Default groups' names have a dot, which customers' cannot have. */
	TRY(cache_name_check(c, in->cache_parameter_group_name, "CacheParameterGroupName", 255));
	r = (struct elasticache_rec_parameter_group){
		.cache_parameter_group_name = str_lower(c->arena, in->cache_parameter_group_name),
		.cache_parameter_group_family = in->cache_parameter_group_family,
		.description = in->description};
	status s = cache_parameter_group_load(cache_here(c), r.cache_parameter_group_name, &other);
	if (is_ok(s))
		return CACHE_FAIL(c, CACHE_PARAMETER_GROUP_ALREADY_EXISTS_FAULT,
			"CacheParameterGroup %.*s already exists.", STR_ARG(r.cache_parameter_group_name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(cache_count(cache_here(c), &cache_kind_parameter_group, &n));
	if (n >= CACHE_GROUPS_MAX)
		return CACHE_FAIL(c, CACHE_PARAMETER_GROUP_QUOTA_EXCEEDED_FAULT,
			"The request would exceed the allowed number of cache parameter groups.");
	TRY(cache_tags_set(c, &r.tags, in->tags.v, in->tags.n));
	cache_put(cache_here(c), &cache_kind_parameter_group, r.cache_parameter_group_name, &r);
	out->cache_parameter_group = arena_new(c->arena, struct elasticache_cache_parameter_group);
	show(c, &r, out->cache_parameter_group);
	return OK;
}

/* "1-100", "0-", "a,b,c", mixtures of them; "": anything of one word. */
static bool allows(const struct cache_parameter *p, struct str value)
{
	struct str rest = str_c(p->allowed);
	bool number = strcmp(p->type, "string") != 0;
	double v = 0;
	if (number && !is_ok(str_to_f64(value, &v))) return false;
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] <= ' ' || value.p[i] == '"' || value.p[i] == '\\') return false;
	if (!*p->allowed) return true;
	while (str_has(rest)) {
		struct str part = str_cut(&rest, ',');
		if (str_eq(part, value)) return true;
		ptrdiff_t dash = part.n ? str_chr(str_from(part, 1), '-') : -1;
		double from, to;
		if (!number || dash < 0 || !is_ok(str_to_f64(str_sub(part, 0, (size_t)dash + 1), &from))) continue;
		struct str end = str_from(part, (size_t)dash + 2);
		if (!end.n)
			to = 1e18;
		else if (!is_ok(str_to_f64(end, &to)))
			continue;
		if (v >= from && v <= to) return true;
	}
	return false;
}

static const struct cache_parameter *parameter(struct str family, struct str name)
{
	size_t n;
	const struct cache_parameter *all = cache_parameters(family, &n);
	for (size_t i = 0; i < n; i++)
		if (str_eq(name, str_c(all[i].name))) return &all[i];
	return NULL;
}

static void set(struct call *c, struct elasticache_rec_parameter_group *g, struct str name, struct str value)
{
	size_t capacity = g->values.n;
	for (size_t i = 0; i < g->values.n; i++)
		if (str_eq(g->values.v[i].key, name)) {
			if (str_has(value))
				g->values.v[i].value = value;
			else
				g->values.v[i] = g->values.v[--g->values.n];
			return;
		}
	if (str_has(value)) *VEC_PUSH(c->arena, &g->values, &capacity) = (struct elasticache_rec_pair){name, value};
}

/* Who has the group looks at it. */
static status changed(struct call *c, struct str group)
{
	struct cache_each e = cache_each(cache_here(c), &cache_kind_unit);
	while (cache_next(&e)) {
		const struct elasticache_rec_unit *u = e.record;
		if (str_eq(u->parameter_group, group)) cache_mark(e.at, u->id, 0);
	}
	cache_poke(c);
	return cache_each_end(&e);
}

static status find_own(struct call *c, struct str name, struct elasticache_rec_parameter_group *g)
{
	TRY(find(c, name, g));
	if (!is_default(g->cache_parameter_group_name)) return OK;
	return CACHE_BAD_VALUE(c, "The parameter group %.*s cannot be modified: it is a default one.", STR_ARG(name));
}

status elasticache_modify_cache_parameter_group(struct call *c,
	const struct elasticache_modify_cache_parameter_group_input *in,
	struct elasticache_modify_cache_parameter_group_output *out)
{
	struct elasticache_rec_parameter_group g;
	TRY(find_own(c, in->cache_parameter_group_name, &g));
	if (!in->parameter_name_values.n)
		return CACHE_BAD_VALUE(c, "The parameter ParameterNameValues must be provided and must not be blank.");
	for (size_t i = 0; i < in->parameter_name_values.n; i++) {
		struct str name = in->parameter_name_values.v[i].parameter_name,
			   value = str_or(in->parameter_name_values.v[i].parameter_value, STR(""));
		const struct cache_parameter *p = parameter(g.cache_parameter_group_family, name);
		if (!p) return CACHE_BAD_VALUE(c, "The parameter %.*s does not exist.", STR_ARG(name));
		if (!p->modifiable) return CACHE_BAD_VALUE(c, "The parameter %s cannot be modified.", p->name);
		if (!allows(p, value))
			return CACHE_BAD_VALUE(c, "The value '%.*s' is not valid for the parameter %s. Allowed: %s",
				STR_ARG(value), p->name, p->allowed);
		set(c, &g, str_c(p->name), value);
	}
	cache_put(cache_here(c), &cache_kind_parameter_group, g.cache_parameter_group_name, &g);
	out->cache_parameter_group_name = g.cache_parameter_group_name;
	return changed(c, g.cache_parameter_group_name);
}

status elasticache_reset_cache_parameter_group(struct call *c,
	const struct elasticache_reset_cache_parameter_group_input *in,
	struct elasticache_reset_cache_parameter_group_output *out)
{
	struct elasticache_rec_parameter_group g;
	TRY(find_own(c, in->cache_parameter_group_name, &g));
	if (in->reset_all_parameters.v == (in->parameter_name_values.n > 0))
		return CACHE_BAD_COMBINATION(
			c, "Either ResetAllParameters or ParameterNameValues has to be given, and not both.");
	if (in->reset_all_parameters.v) g.values.n = 0;
	for (size_t i = 0; i < in->parameter_name_values.n; i++) {
		struct str name = in->parameter_name_values.v[i].parameter_name;
		if (!parameter(g.cache_parameter_group_family, name))
			return CACHE_BAD_VALUE(c, "The parameter %.*s does not exist.", STR_ARG(name));
		set(c, &g, name, STR_NONE);
	}
	cache_put(cache_here(c), &cache_kind_parameter_group, g.cache_parameter_group_name, &g);
	out->cache_parameter_group_name = g.cache_parameter_group_name;
	return changed(c, g.cache_parameter_group_name);
}

status elasticache_delete_cache_parameter_group(struct call *c,
	const struct elasticache_delete_cache_parameter_group_input *in,
	struct elasticache_delete_cache_parameter_group_output *out)
{
	struct elasticache_rec_parameter_group g;
	struct str by = STR_NONE;
	(void)out;
	TRY(find_own(c, in->cache_parameter_group_name, &g));
	struct cache_each e = cache_each(cache_here(c), &cache_kind_unit);
	while (cache_next(&e)) {
		const struct elasticache_rec_unit *u = e.record;
		if (str_eq(u->parameter_group, g.cache_parameter_group_name))
			by = str_or(u->replication_group_id, u->cache_cluster_id);
	}
	TRY(cache_each_end(&e));
	if (str_has(by))
		return CACHE_FAIL(c, INVALID_CACHE_PARAMETER_GROUP_STATE_FAULT,
			"One or more cache clusters are still members of this parameter group %.*s, so the group "
			"cannot be "
			"deleted: %.*s",
			STR_ARG(g.cache_parameter_group_name), STR_ARG(by));
	cache_drop(cache_here(c), &cache_kind_parameter_group, g.cache_parameter_group_name);
	return OK;
}

status elasticache_describe_cache_parameter_groups(struct call *c,
	const struct elasticache_describe_cache_parameter_groups_input *in,
	struct elasticache_describe_cache_parameter_groups_output *out)
{
	static const char *const defaults[] = {"default.memcached1.6", "default.redis7", "default.redis7.cluster.on"};
	struct elasticache_rec_parameter_group g;
	size_t capacity = 0;
	if (str_has(in->cache_parameter_group_name)) {
		TRY(find(c, in->cache_parameter_group_name, &g));
		show(c, &g, VEC_PUSH(c->arena, &out->cache_parameter_groups, &capacity));
		return OK;
	}
	for (size_t i = 0; i < 3; i++)
		if (default_group(c->arena, str_c(defaults[i]), &g))
			show(c, &g, VEC_PUSH(c->arena, &out->cache_parameter_groups, &capacity));
	struct cache_each e = cache_each(cache_here(c), &cache_kind_parameter_group);
	while (cache_next(&e)) show(c, e.record, VEC_PUSH(c->arena, &out->cache_parameter_groups, &capacity));
	TRY(cache_each_end(&e));
	return cache_page(c, &out->cache_parameter_groups, sizeof(*out->cache_parameter_groups.v), in->max_records,
		in->marker, &out->marker);
}

static struct elasticache_parameters_list list(
	struct call *c, const struct elasticache_rec_parameter_group *g, struct str source)
{
	struct elasticache_parameters_list out = {0};
	size_t n, capacity = 0;
	const struct cache_parameter *all = cache_parameters(g->cache_parameter_group_family, &n);
	for (size_t i = 0; i < n; i++) {
		struct str value = cache_parameter_value(c->arena, g, &all[i]);
		bool user =
			value.p != all[i].value && !is_default(str_or(g->cache_parameter_group_name, STR("default.")));
		struct str from = user ? STR("user") : STR("system");
		if (str_has(source) && !str_eq(source, from)) continue;
		*VEC_PUSH(c->arena, &out, &capacity) =
			(struct elasticache_parameter){.parameter_name = str_c(all[i].name),
				.parameter_value = value,
				.source = from,
				.data_type = str_c(all[i].type),
				.allowed_values = str_c(all[i].allowed),
				.is_modifiable = SOME_BOOL(all[i].modifiable),
				.minimum_engine_version =
					str_is(g->cache_parameter_group_family, "redis7") ? STR("7.0.0") : STR("1.6.6"),
				.change_type = all[i].reboots ? STR("requires-reboot") : STR("immediate")};
	}
	VEC_PRESENT(c->arena, &out);
	return out;
}

status elasticache_describe_cache_parameters(struct call *c,
	const struct elasticache_describe_cache_parameters_input *in,
	struct elasticache_describe_cache_parameters_output *out)
{
	struct elasticache_rec_parameter_group g;
	TRY(find(c, in->cache_parameter_group_name, &g));
	out->parameters = list(c, &g, cache_given(in->source));
	return cache_page(c, &out->parameters, sizeof(*out->parameters.v), in->max_records, in->marker, &out->marker);
}

status elasticache_describe_engine_default_parameters(struct call *c,
	const struct elasticache_describe_engine_default_parameters_input *in,
	struct elasticache_describe_engine_default_parameters_output *out)
{
	struct elasticache_rec_parameter_group g = {.cache_parameter_group_family = in->cache_parameter_group_family};
	TRY(check_family(c, in->cache_parameter_group_family));
	struct elasticache_engine_defaults *d = out->engine_defaults =
		arena_new(c->arena, struct elasticache_engine_defaults);
	d->cache_parameter_group_family = in->cache_parameter_group_family;
	d->parameters = list(c, &g, STR_NONE);
	return cache_page(c, &d->parameters, sizeof(*d->parameters.v), in->max_records, in->marker, &d->marker);
}
