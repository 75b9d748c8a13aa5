/* DB parameter groups: values that are really written into the servers' settings (settings.c). "Parameter groups for DB
 * instances", the guide: dynamic parameters apply at once or with the next restart, as the request says; static ones
 * with the next restart; and a group that is given to an instance with its next restart. */
#include "services/rds/parameters.h"

enum { CHANGES_MAX = 20 };
#define DEFAULT STR("default.")

status rds_parameter_group_load(struct rds_place at, struct str name, struct rds_rec_parameter_group *out)
{
	status s = rds_load(at, &rds_kind_parameter_group, name, out);
	struct str family = str_istarts(name, DEFAULT) ? str_from(name, 8) : STR("");
	const struct rds_family *f = rds_family_find(str_lower(at.a, family));
	if (!status_is(s, STATUS_NOT_FOUND) || !f) return s;
	*out = (struct rds_rec_parameter_group){.db_parameter_group_name = str_fmt(at.a, "default.%s", f->name),
		.db_parameter_group_family = str_c(f->name),
		.description = str_fmt(at.a, "Default parameter group for %s", f->name)};
	return OK;
}

static const struct rds_family *family_of(const struct rds_rec_parameter_group *g)
{
	const struct rds_family *f = rds_family_find(g->db_parameter_group_family);
	INVARIANT(f);
	return f;
}

static status find(struct call *c, struct str name, struct rds_rec_parameter_group *out)
{
	status s = rds_parameter_group_load(rds_here(c), name, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return RDS_FAIL(c, DB_PARAMETER_GROUP_NOT_FOUND_FAULT, "DBParameterGroup not found: %.*s", STR_ARG(name));
}

status rds_parameter_group_check(struct call *c, struct str name, struct str family)
{
	struct rds_rec_parameter_group g;
	TRY(find(c, name, &g));
	if (str_eq(g.db_parameter_group_family, family)) return OK;
	return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
		"The parameter group %.*s with DBParameterGroupFamily %.*s can't be used for this instance. Please use "
		"a "
		"Parameter Group with DBParameterGroupFamily %.*s",
		STR_ARG(name), STR_ARG(g.db_parameter_group_family), STR_ARG(family));
}

static status check_family(struct call *c, struct str family)
{
	if (rds_family_find(family)) return OK;
	return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "ParameterGroupFamily %.*s is not a valid parameter group family.",
		STR_ARG(family));
}

static void show(struct call *c, const struct rds_rec_parameter_group *r, struct rds_db_parameter_group *out)
{
	rds_show(c->arena, RDS_REC_PARAMETER_GROUP, r, RDS_SHAPE_DB_PARAMETER_GROUP, out);
	out->db_parameter_group_arn = rds_arn(c, &rds_kind_parameter_group, r->db_parameter_group_name);
}

/* A new group of this name. */
static status make(struct call *c, struct str given, struct rds_rec_parameter_group *r, const struct rds_tag_list *tags,
	struct rds_db_parameter_group **out)
{
	struct rds_rec_parameter_group other;
	size_t n = 0;
	/* Names of default groups have a dot, which names of customers' cannot have. */
	TRY(rds_name_check(c, given, "DBParameterGroupName", 255));
	r->db_parameter_group_name = str_lower(c->arena, given);
	status s = rds_parameter_group_load(rds_here(c), r->db_parameter_group_name, &other);
	if (is_ok(s))
		return RDS_FAIL(c, DB_PARAMETER_GROUP_ALREADY_EXISTS_FAULT, "Parameter group %.*s already exists",
			STR_ARG(r->db_parameter_group_name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	struct rds_each e = rds_each(rds_here(c), &rds_kind_parameter_group);
	while (rds_next(&e)) n++;
	TRY(rds_each_end(&e));
	if (n >= RDS_PARAMETER_GROUPS_MAX)
		return RDS_FAIL(c, DB_PARAMETER_GROUP_QUOTA_EXCEEDED_FAULT,
			"The request would result in the user exceeding the allowed number of DB parameter groups.");
	r->tags = (struct rds_rec_pairs){0};
	TRY(rds_tags_set(c, &r->tags, tags->v, tags->n));
	rds_put(rds_here(c), &rds_kind_parameter_group, r->db_parameter_group_name, r);
	*out = arena_new(c->arena, struct rds_db_parameter_group);
	show(c, r, *out);
	return OK;
}

status rds_create_db_parameter_group(struct call *c, const struct rds_create_db_parameter_group_input *in,
	struct rds_create_db_parameter_group_output *out)
{
	struct rds_rec_parameter_group r = {
		.db_parameter_group_family = in->db_parameter_group_family, .description = in->description};
	TRY(check_family(c, in->db_parameter_group_family));
	return make(c, in->db_parameter_group_name, &r, &in->tags, &out->db_parameter_group);
}

status rds_copy_db_parameter_group(struct call *c, const struct rds_copy_db_parameter_group_input *in,
	struct rds_copy_db_parameter_group_output *out)
{
	struct rds_rec_parameter_group r;
	struct str source = in->source_db_parameter_group_identifier;
	if (str_starts(source, STR("arn:"))) source = str_from(source, (size_t)(str_rchr(source, ':') + 1));
	TRY(find(c, source, &r));
	r.description = in->target_db_parameter_group_description;
	return make(c, in->target_db_parameter_group_identifier, &r, &in->tags, &out->db_parameter_group);
}

status rds_delete_db_parameter_group(struct call *c, const struct rds_delete_db_parameter_group_input *in,
	struct rds_delete_db_parameter_group_output *out)
{
	struct rds_rec_parameter_group r;
	(void)out;
	if (str_istarts(in->db_parameter_group_name, STR("default.")))
		return RDS_FAIL(c, INVALID_DB_PARAMETER_GROUP_STATE_FAULT,
			"Default DBParameterGroup cannot be deleted: %.*s", STR_ARG(in->db_parameter_group_name));
	TRY(find(c, in->db_parameter_group_name, &r));
	struct rds_each e = rds_each(rds_here(c), &rds_kind_instance);
	while (rds_next(&e)) {
		const struct rds_rec_instance *i = e.record;
		if (str_eq(i->parameter_group, r.db_parameter_group_name))
			return RDS_FAIL(c, INVALID_DB_PARAMETER_GROUP_STATE_FAULT,
				"One or more database instances are still members of this parameter group %.*s, so the "
				"group "
				"cannot be deleted",
				STR_ARG(r.db_parameter_group_name));
	}
	TRY(rds_each_end(&e));
	rds_drop(rds_here(c), &rds_kind_parameter_group, r.db_parameter_group_name);
	return OK;
}

status rds_describe_db_parameter_groups(struct call *c, const struct rds_describe_db_parameter_groups_input *in,
	struct rds_describe_db_parameter_groups_output *out)
{
	static const char *const none[] = {NULL};
	struct rds_rec_parameter_group r;
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, none));
	if (str_has(in->db_parameter_group_name)) {
		TRY(find(c, in->db_parameter_group_name, &r));
		show(c, &r, VEC_PUSH(c->arena, &out->db_parameter_groups, &capacity));
		return OK;
	}
	for (const struct rds_engine *i = rds_engine_first(); i; i = rds_engine_next(i)) {
		TRY(rds_parameter_group_load(rds_here(c), str_fmt(c->arena, "default.%s", i->family), &r));
		show(c, &r, VEC_PUSH(c->arena, &out->db_parameter_groups, &capacity));
	}
	struct rds_each e = rds_each(rds_here(c), &rds_kind_parameter_group);
	while (rds_next(&e))
		if (!str_istarts(e.name, DEFAULT)) /* kept only for its tags */
			show(c, e.record, VEC_PUSH(c->arena, &out->db_parameter_groups, &capacity));
	TRY(rds_each_end(&e));
	return rds_page(c, &out->db_parameter_groups, sizeof(*out->db_parameter_groups.v), in->max_records, in->marker,
		&out->marker);
}

/* ── parameters ── */

static struct rds_rec_value *value_of(struct rds_rec_parameter_group *g, struct str name)
{
	for (size_t i = 0; i < g->values.n; i++)
		if (str_eq(g->values.v[i].name, name)) return &g->values.v[i];
	return NULL;
}

static void show_parameter(const struct rds_family *f, const struct rds_parameter_info *p,
	const struct rds_rec_value *value, struct rds_parameter *out)
{
	const char *own = rds_parameter_default(f, str_c(p->name));
	*out = (struct rds_parameter){.parameter_name = str_c(p->name),
		.description = *p->description ? str_c(p->description) : STR_NONE,
		.apply_type = p->is_static ? STR("static") : STR("dynamic"),
		.data_type = str_c(p->type),
		.is_modifiable = SOME_BOOL(p->modifiable),
		.source = value ? STR("user")
			  : own ? STR("system")
				: STR("engine-default"),
		.apply_method =
			(value && value->pending.v) || (p->is_static) ? STR("pending-reboot") : STR("immediate")};
	if (*p->allowed) out->allowed_values = str_c(p->allowed);
	if (value)
		out->parameter_value = value->value;
	else if (own)
		out->parameter_value = str_c(own);
}

status rds_describe_db_parameters(struct call *c, const struct rds_describe_db_parameters_input *in,
	struct rds_describe_db_parameters_output *out)
{
	static const char *const names[] = {"parameter-name", NULL};
	struct rds_rec_parameter_group g;
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, names));
	TRY(find(c, in->db_parameter_group_name, &g));
	const struct rds_family *f = family_of(&g);
	for (size_t i = 0; i < *f->n; i++) {
		struct rds_parameter p;
		show_parameter(f, &f->v[i], value_of(&g, str_c(f->v[i].name)), &p);
		if (str_has(in->source) && !str_eq(in->source, p.source)) continue;
		if (rds_filter_passes(&in->filters, "parameter-name", p.parameter_name))
			*VEC_PUSH(c->arena, &out->parameters, &capacity) = p;
	}
	return rds_page(c, &out->parameters, sizeof(*out->parameters.v), in->max_records, in->marker, &out->marker);
}

status rds_describe_engine_default_parameters(struct call *c,
	const struct rds_describe_engine_default_parameters_input *in,
	struct rds_describe_engine_default_parameters_output *out)
{
	size_t capacity = 0;
	TRY(check_family(c, in->db_parameter_group_family));
	struct rds_engine_defaults *d = out->engine_defaults = arena_new(c->arena, struct rds_engine_defaults);
	d->db_parameter_group_family = in->db_parameter_group_family;
	const struct rds_family *f = rds_family_find(in->db_parameter_group_family);
	for (size_t i = 0; i < *f->n; i++)
		show_parameter(f, &f->v[i], NULL, VEC_PUSH(c->arena, &d->parameters, &capacity));
	return rds_page(c, &d->parameters, sizeof(*d->parameters.v), in->max_records, in->marker, &d->marker);
}

static bool among(struct str allowed, struct str value)
{
	struct str rest = allowed;
	while (str_has(rest))
		if (str_ieq(str_cut(&rest, ','), value)) return true;
	return false;
}

/* "lo-hi", where lo may be negative. */
static bool within(struct str allowed, struct str value)
{
	double lo, hi, v;
	ptrdiff_t dash = str_chr(str_from(allowed, 1), '-');
	if (dash < 0 || !is_ok(str_to_f64(str_sub(allowed, 0, (size_t)dash + 1), &lo)) ||
		!is_ok(str_to_f64(str_from(allowed, (size_t)dash + 2), &hi)) || !is_ok(str_to_f64(value, &v)))
		return false;
	return v >= lo && v <= hi;
}

static status check_value(struct call *c, const struct rds_parameter_info *p, struct str value)
{
	static const struct rds_formula_of some = {(int64_t)1 << 30, (int64_t)20 << 30, 2, 5432};
	struct str allowed = str_c(p->allowed), text;
	bool number = strcmp(p->type, "integer") == 0 || strcmp(p->type, "float") == 0;
	int64_t whole;
	bool good = is_ok(rds_formula(c->arena, value, &some, &text));
	for (size_t i = 0; i < value.n; i++) good = good && (unsigned char)value.p[i] >= ' ';
	if (good && number) good = within(allowed, text);
	if (good && strcmp(p->type, "integer") == 0) good = is_ok(str_to_i64(text, &whole));
	if (good && !number && allowed.n) good = among(allowed, text);
	if (good) return OK;
	return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Invalid parameter value: %.*s for: %s allowed values are: %s",
		STR_ARG(value), p->name, *p->allowed ? p->allowed : "text without control characters");
}

static status set_value(struct call *c, struct rds_rec_parameter_group *g, const struct rds_parameter *p)
{
	const struct rds_parameter_info *info = rds_parameter_find(family_of(g), p->parameter_name);
	size_t capacity = g->values.n;
	if (!str_has(p->parameter_name) || !str_has(p->parameter_value) || !str_has(p->apply_method))
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE,
			"The parameters ParameterName, ParameterValue, and ApplyMethod must be provided.");
	if (!info)
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Could not find parameter with name: %.*s",
			STR_ARG(p->parameter_name));
	if (!info->modifiable)
		return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "The parameter %.*s cannot be modified.",
			STR_ARG(p->parameter_name));
	if (info->is_static && str_is(p->apply_method, "immediate"))
		return RDS_FAIL(
			c, INVALID_PARAMETER_COMBINATION, "cannot use immediate apply method for static parameter");
	TRY(check_value(c, info, p->parameter_value));
	struct rds_rec_value *v = value_of(g, p->parameter_name);
	if (!v) v = VEC_PUSH(c->arena, &g->values, &capacity);
	*v = (struct rds_rec_value){.name = p->parameter_name,
		.value = p->parameter_value,
		.pending = SOME_BOOL(str_is(p->apply_method, "pending-reboot"))};
	return OK;
}

status rds_parameter_group_changed(struct call *c, const struct rds_kind *kind, const struct rds_kind *users,
	const struct rds_rec_parameter_group *g)
{
	struct rds_each e = rds_each(rds_here(c), users);
	rds_put(rds_here(c), kind, g->db_parameter_group_name, g);
	while (rds_next(&e)) {
		const struct rds_rec_instance *i = e.record;
		if (str_eq(i->parameter_group, g->db_parameter_group_name))
			rds_mark(rds_here(c), i->dbi_resource_id, 0);
	}
	rds_poke(c);
	return rds_each_end(&e);
}

status rds_parameter_group_changeable(struct call *c, struct str name)
{
	if (!str_istarts(name, STR("default."))) return OK;
	return RDS_FAIL(c, INVALID_DB_PARAMETER_GROUP_STATE_FAULT, "The default parameter group %.*s can't be modified",
		STR_ARG(name));
}

status rds_parameter_number_check(struct call *c, size_t n)
{
	if (n > 0 && n <= CHANGES_MAX) return OK;
	return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Between 1 and %d parameters can be modified in a single request.",
		CHANGES_MAX);
}

status rds_modify_db_parameter_group(struct call *c, const struct rds_modify_db_parameter_group_input *in,
	struct rds_modify_db_parameter_group_output *out)
{
	struct rds_rec_parameter_group g;
	TRY(find(c, in->db_parameter_group_name, &g));
	TRY(rds_parameter_group_changeable(c, in->db_parameter_group_name));
	TRY(rds_parameter_number_check(c, in->parameters.n));
	for (size_t i = 0; i < in->parameters.n; i++) TRY(set_value(c, &g, &in->parameters.v[i]));
	out->db_parameter_group_name = g.db_parameter_group_name;
	return rds_parameter_group_changed(c, &rds_kind_parameter_group, &rds_kind_instance, &g);
}

status rds_reset_db_parameter_group(struct call *c, const struct rds_reset_db_parameter_group_input *in,
	struct rds_reset_db_parameter_group_output *out)
{
	struct rds_rec_parameter_group g;
	bool all = in->reset_all_parameters.v || (!in->reset_all_parameters.has && !in->parameters.n);
	TRY(find(c, in->db_parameter_group_name, &g));
	TRY(rds_parameter_group_changeable(c, in->db_parameter_group_name));
	if (all && in->parameters.n)
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION,
			"ResetAllParameters and a list of parameters can't be given together.");
	if (!all) TRY(rds_parameter_number_check(c, in->parameters.n));
	TRY(rds_parameters_reset(c, &g, &in->parameters));
	if (all) g.values.n = 0;
	out->db_parameter_group_name = g.db_parameter_group_name;
	return rds_parameter_group_changed(c, &rds_kind_parameter_group, &rds_kind_instance, &g);
}

/* ── for cluster_group.c ── */

status rds_parameter_set(struct call *c, struct rds_rec_parameter_group *g, const struct rds_parameter *p)
{
	return set_value(c, g, p);
}

status rds_parameters_reset(struct call *c, struct rds_rec_parameter_group *g, const struct rds_parameters_list *which)
{
	for (size_t i = 0; i < which->n; i++) {
		struct rds_rec_value *v = value_of(g, which->v[i].parameter_name);
		if (!rds_parameter_find(family_of(g), which->v[i].parameter_name))
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Could not find parameter with name: %.*s",
				STR_ARG(which->v[i].parameter_name));
		if (v) *v = g->values.v[--g->values.n];
	}
	return OK;
}

void rds_parameters_show(struct arena *a, const struct rds_rec_parameter_group *g, struct rds_parameters_list *out)
{
	const struct rds_family *f = family_of(g);
	struct rds_rec_parameter_group own = *g;
	size_t capacity = 0;
	for (size_t i = 0; i < *f->n; i++)
		show_parameter(f, &f->v[i], value_of(&own, str_c(f->v[i].name)), VEC_PUSH(a, out, &capacity));
}
