/* Filters and pages of parameters, for DescribeParameters and GetParametersByPath ("ParameterStringFilter", the
 * reference). */
#include "services/ssm/room.h"

/* What may be filtered by, and how. */
static const struct {
	const char *key, *options[4]; /* the first is the default */
	bool by_path, describe;
} keys[] = {
	{"Name", {"Equals", "BeginsWith", "Contains"}, false, true},
	{"Type", {"Equals", "BeginsWith"}, true, true},
	{"KeyId", {"Equals", "BeginsWith"}, true, true},
	{"Path", {"OneLevel", "Recursive"}, false, true},
	{"Label", {"Equals", "BeginsWith"}, true, false},
	{"Tier", {"Equals"}, false, true},
	{"DataType", {"Equals"}, false, true},
	{"tag:", {"Equals"}, false, true},
};
enum { KEYS = sizeof(keys) / sizeof(*keys) };

static size_t key_index(struct str key)
{
	for (size_t i = 0; i < KEYS; i++)
		if (str_eq(key, str_c(keys[i].key)) ||
			(str_is(str_c(keys[i].key), "tag:") && str_starts(key, STR("tag:"))))
			return i;
	return KEYS;
}

static status check_option(struct call *c, size_t k, struct str option)
{
	struct buf valid = BUF_IN(c->arena);
	for (size_t i = 0; i < 4 && keys[k].options[i]; i++) {
		if (str_eq(option, str_c(keys[k].options[i]))) return OK;
		buf_fmt(&valid, "%s%s", i ? ", " : "", keys[k].options[i]);
	}
	return call_fail(c, SSM_ERR_INVALID_FILTER_OPTION,
		"The following filter option is not valid: %.*s. Valid options include: [%.*s]", STR_ARG(option),
		STR_ARG(buf_done(&valid)));
}

static status check_values(struct call *c, const struct ssm_parameter_string_filter *f)
{
	static const char *const types[] = {"String", "StringList", "SecureString"};
	bool equals = !str_has(f->option) || str_is(f->option, "Equals");
	for (size_t i = 0; i < f->values.n; i++) {
		struct str value = f->values.v[i];
		bool known = false;
		if (str_is(f->key, "Path")) TRY(ps_path_check(c, value));
		if (!str_is(f->key, "Type") || !equals) continue;
		for (size_t j = 0; j < 3; j++) known |= str_eq(value, str_c(types[j]));
		if (!known)
			return call_fail(c, SSM_ERR_INVALID_FILTER_VALUE,
				"The following filter value is not valid: %.*s. Valid values include: [String, "
				"StringList, SecureString]",
				STR_ARG(value));
	}
	return OK;
}

status ps_filters_check(struct call *c, const struct ssm_parameter_string_filter_list *filters, bool by_path)
{
	for (size_t i = 0; i < filters->n; i++) {
		const struct ssm_parameter_string_filter *f = &filters->v[i];
		size_t k = key_index(f->key);
		if (k == KEYS || !(by_path ? keys[k].by_path : keys[k].describe))
			return call_fail(c, SSM_ERR_INVALID_FILTER_KEY,
				"The following filter key is not valid: %.*s. Valid filter keys include: [%s].",
				STR_ARG(f->key),
				by_path ? "Type, KeyId, Label" : "Path, Name, Type, KeyId, Tier, DataType, tag:key");
		for (size_t j = 0; j < i; j++)
			if (str_eq(f->key, filters->v[j].key))
				return call_fail(c, ERR_VALIDATION,
					"The following filter is duplicated in the request: %.*s. A request can "
					"contain only one occurrence of a specific filter.",
					STR_ARG(f->key));
		if (str_has(f->option)) TRY(check_option(c, k, f->option));
		if (!f->values.n && !str_starts(f->key, STR("tag:")))
			return call_fail(c, SSM_ERR_INVALID_FILTER_VALUE,
				"The following filter values are missing: null for filter key %.*s", STR_ARG(f->key));
		TRY(check_values(c, f));
	}
	return OK;
}

/* Names without a slash stand at the root. */
static bool below(struct str name, struct str path, bool recursive)
{
	struct str rest = name;
	if (str_ends(path, STR("/"))) path = str_sub(path, 0, path.n - 1);
	if (path.n && !str_starts(name, path)) return false;
	rest = str_from(name, path.n);
	if (path.n && !str_starts(rest, STR("/"))) return false;
	if (str_starts(rest, STR("/"))) rest = str_from(rest, 1);
	return recursive || str_chr(rest, '/') < 0;
}

static bool compare(struct str text, struct str value, struct str option)
{
	if (str_is(option, "BeginsWith")) return str_starts(text, value);
	return str_is(option, "Contains") ? str_find(text, value) >= 0 : str_eq(text, value);
}

static bool has_tag(const struct ps_parameter *p, struct str key, const struct ssm_parameter_string_filter *f)
{
	for (size_t i = 0; i < p->r.tags.n; i++) {
		if (!str_eq(p->r.tags.v[i].key, key)) continue;
		for (size_t j = 0; j < f->values.n; j++)
			if (str_eq(p->r.tags.v[i].value, f->values.v[j])) return true;
		return !f->values.n;
	}
	return false;
}

static bool value_fits(const struct ps_match *m, struct str key, struct str value, struct str option)
{
	if (str_is(key, "Name")) return compare(m->p.name, value, option);
	if (str_is(key, "Path")) return below(m->p.name, value, str_is(option, "Recursive"));
	if (str_is(key, "Type")) return compare(m->v.type, value, option);
	if (str_is(key, "KeyId")) return str_has(m->v.key_id) && compare(m->v.key_id, value, option);
	if (str_is(key, "Tier")) return str_eq(m->v.tier, value);
	return str_is(key, "DataType") && str_eq(m->v.data_type, value);
}

static bool fits(const struct ps_match *m, const struct ssm_parameter_string_filter *f)
{
	struct str option = str_or(f->option, STR("Equals"));
	if (str_is(f->key, "Label")) return true; /* chose the version */
	if (str_starts(f->key, STR("tag:"))) return has_tag(&m->p, str_from(f->key, 4), f);
	for (size_t i = 0; i < f->values.n; i++)
		if (value_fits(m, f->key, f->values.v[i], option)) return true;
	return false;
}

/* The version that a parameter is judged by: its latest, or the newest with one of the labels; 0 where it has none. */
static int64_t version_of(const struct ps_parameter *p, const struct ssm_parameter_string_filter_list *filters)
{
	for (size_t i = 0; i < filters->n; i++) {
		const struct ssm_parameter_string_filter *f = &filters->v[i];
		if (!str_is(f->key, "Label")) continue;
		int64_t newest = 0;
		for (size_t j = 0; j < f->values.n; j++)
			for (size_t l = 0; l < p->r.labels.n; l++)
				if (compare(p->r.labels.v[l].key, f->values.v[j], str_or(f->option, STR("Equals"))) &&
					p->r.labels.v[l].value.v > newest)
					newest = p->r.labels.v[l].value.v;
		return newest;
	}
	return p->r.version.v;
}

static status examine(struct call *c, struct store_tx *tx, const struct ps_query *q, struct ps_match *m, bool *wanted)
{
	*wanted = false;
	if (str_has(q->path) && !below(m->p.name, q->path, q->recursive)) return OK;
	m->number = version_of(&m->p, q->filters);
	if (!m->number) return OK;
	TRY(ps_version_get(tx, c->arena, &m->p, m->number, &m->v));
	for (size_t i = 0; i < q->filters->n; i++)
		if (!fits(m, &q->filters->v[i])) return OK;
	*wanted = true;
	return OK;
}

status ps_select(
	struct call *c, struct store_tx *tx, const struct ps_query *q, struct ps_matches *out, struct str *next)
{
	struct str prefix = ps_key(c->arena, c->account, c->region, STR_NONE), from = prefix,
		   end = key_after(c->arena, prefix);
	struct str key, bytes, last;
	size_t capacity = 0;
	*out = (struct ps_matches){0};
	*next = STR_NONE;
	/* Below "/" stand also names without a slash; below any other path only names that begin with it. */
	if (str_has(q->path) && q->path.n > 1) {
		from = key_with_prefix(c->arena, prefix, q->path);
		end = key_after_prefix(c->arena, from);
	}
	if (str_has(q->token)) {
		if (!is_ok(str_unbase64(c->arena, q->token, &last)) || !last.n)
			return call_fail(c, SSM_ERR_INVALID_NEXT_TOKEN, "The specified token isn't valid.");
		struct str after = key_next(c->arena, ps_key(c->arena, c->account, c->region, last));
		if (str_cmp(after, from) > 0) from = after;
	}
	struct store_scan *scan = store_scan_begin(tx, from, end, false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &bytes)) {
		struct arena_mark mark = arena_mark(c->arena);
		struct ps_match m = {.p = {.account = c->account, .region = c->region}};
		struct str rest = str_dup(c->arena, str_from(key, prefix.n));
		bool wanted = false;
		s = key_read_str(c->arena, &rest, &m.p.name);
		if (is_ok(s)) s = ssm_rec_parameter_decode(c->arena, str_dup(c->arena, bytes), &m.p.r);
		if (is_ok(s)) s = examine(c, tx, q, &m, &wanted);
		if (!is_ok(s)) break;
		if (!wanted) {
			arena_release(c->arena, mark);
			continue;
		}
		if (out->n == q->limit) {
			*next = str_base64(c->arena, out->v[out->n - 1].p.name);
			break;
		}
		m.p.arn = ps_arn(c->arena, c->region, c->account, m.p.name);
		*VEC_PUSH(c->arena, out, &capacity) = m;
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}
