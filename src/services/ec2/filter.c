/* Filters of the Describe operations: a filter's values are alternatives, filters have all to match, '*' and '?' are
 * wildcards ("List and filter using the CLI and API", Amazon EC2 User Guide). They look at what is shown: a type lists
 * the names that its filters may have, each alone ("vpc-id", the member VpcId; "attachment.instance-id", a path), or
 * with the path of members that it stands for ("cidr=CidrBlock"). Lists on the way are searched whole. tag:KEY and
 * tag-key are every taggable shape's. */
#include "services/ec2/room.h"

enum { VALUES_MAX = 200 };

/* vpc-id is VpcId; associations may be named in the singular. */
static bool names_member(struct str part, struct str member)
{
	size_t m = 0;
	for (size_t i = 0; i < part.n; i++) {
		if (part.p[i] == '-') continue;
		if (m == member.n) return false;
		char x = part.p[i], y = member.p[m++];
		if (x >= 'A' && x <= 'Z') x = (char)(x + 32);
		if (y >= 'A' && y <= 'Z') y = (char)(y + 32);
		if (x != y) return false;
	}
	struct str rest = str_from(member, m);
	return !rest.n || str_is(rest, "s") || str_is(rest, "Set") || str_is(rest, "es");
}

static const char *name_of(const char *const *names, struct str filter, struct str *path)
{
	for (size_t i = 0; names && names[i]; i++) {
		struct str rest = str_c(names[i]), name = str_cut(&rest, '=');
		if (!str_eq(name, filter)) continue;
		*path = str_or(rest, name);
		return names[i];
	}
	return NULL;
}

status ec2_filters_check(struct call *c, const char *const *names, const struct ec2_filter_list *filters)
{
	struct str path;
	size_t values = 0;
	for (size_t i = 0; i < filters->n; i++) {
		const struct ec2_filter *f = &filters->v[i];
		bool tag =
			str_starts(f->name, STR("tag:")) || str_is(f->name, "tag-key") || str_is(f->name, "tag-value");
		if (!tag && !name_of(names, f->name, &path))
			return call_fail(
				c, EC2_ERR_INVALID_PARAMETER_VALUE, "The filter '%.*s' is invalid", STR_ARG(f->name));
		values += f->values.n;
	}
	if (values > VALUES_MAX)
		return call_fail(c, EC2_ERR_FILTER_LIMIT_EXCEEDED,
			"The maximum number of filter values specified on a single call is %d", VALUES_MAX);
	return OK;
}

bool ec2_matches_any(const struct ec2_value_string_list *patterns, struct str value)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (str_glob(patterns->v[i], value)) return true;
	return false;
}

struct look {
	const struct wire_tables *t;
	struct arena *a;
	const struct ec2_value_string_list *patterns;
};

static bool scalar_matches(struct look *l, const struct wire_shape *s, const char *p)
{
	switch ((enum wire_kind)s->kind) {
	case WIRE_STRING:
	case WIRE_BLOB:
	case WIRE_DOCUMENT: {
		struct str v;
		memcpy(&v, p, sizeof(v));
		return str_has(v) && ec2_matches_any(l->patterns, v);
	}
	case WIRE_BOOL: {
		struct opt_bool b;
		memcpy(&b, p, sizeof(b));
		return b.has && ec2_matches_any(l->patterns, b.v ? STR("true") : STR("false"));
	}
	case WIRE_I32: {
		struct opt_i32 n;
		memcpy(&n, p, sizeof(n));
		return n.has && ec2_matches_any(l->patterns, str_fmt(l->a, "%d", n.v));
	}
	case WIRE_I64: {
		struct opt_i64 n;
		memcpy(&n, p, sizeof(n));
		return n.has && ec2_matches_any(l->patterns, str_fmt(l->a, "%lld", (long long)n.v));
	}
	case WIRE_TIME: {
		struct opt_time t;
		memcpy(&t, p, sizeof(t));
		return t.has && ec2_matches_any(l->patterns, time_iso8601(l->a, t.ms, true));
	}
	case WIRE_F32:
	case WIRE_F64:
	case WIRE_STRUCT:
	case WIRE_LIST:
	case WIRE_MAP:
	case WIRE_STREAM:
	case WIRE_EVENTS:
		break;
	}
	return false;
}

static bool value_matches(struct look *l, const struct wire_shape *s, const char *p, struct str path)
{
	if (s->kind == WIRE_LIST) {
		const struct wire_list *list = (const struct wire_list *)(const void *)p;
		const struct wire_shape *e = &l->t->shapes[l->t->members[s->first].shape];
		for (size_t i = 0; i < list->n; i++)
			if (value_matches(l, e, (const char *)list->v + i * s->size, path)) return true;
		return false;
	}
	if (s->kind != WIRE_STRUCT) return !str_has(path) && scalar_matches(l, s, p);
	if (!str_has(path)) return false;
	struct str part = str_cut(&path, '.');
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &l->t->members[s->first + i];
		if (!names_member(part, wire_str(l->t, m->name))) continue;
		const struct wire_shape *ms = &l->t->shapes[m->shape];
		const char *at = p + m->offset;
		if (ms->kind == WIRE_STRUCT) {
			memcpy(&at, p + m->offset, sizeof(at));
			if (!at) return false;
		}
		return value_matches(l, ms, at, path);
	}
	return false;
}

static bool tags_match(const struct look *l, const struct wire_shape *s, const char *p, const struct ec2_filter *f)
{
	struct ec2_tag_list tags = {0};
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &l->t->members[s->first + i];
		struct str name = wire_str(l->t, m->name);
		if (str_is(name, "Tags") || str_is(name, "TagSet")) memcpy(&tags, p + m->offset, sizeof(tags));
	}
	struct str key = str_from(f->name, sizeof("tag:") - 1);
	for (size_t i = 0; i < tags.n; i++) {
		const struct ec2_tag *t = &tags.v[i];
		if (str_is(f->name, "tag-key")         ? ec2_matches_any(&f->values, t->key)
			: str_is(f->name, "tag-value") ? ec2_matches_any(&f->values, t->value)
						       : str_eq(t->key, key) && ec2_matches_any(&f->values, t->value))
			return true;
	}
	return false;
}

bool ec2_filters_match(struct arena *a, uint16_t shape, const char *const *names, const struct ec2_filter_list *filters,
	const void *out)
{
	const struct wire_tables *t = &wire_service_ec2.tables;
	for (size_t i = 0; i < filters->n; i++) {
		const struct ec2_filter *f = &filters->v[i];
		struct look l = {t, a, &f->values};
		struct str path;
		bool match;
		if (name_of(names, f->name, &path))
			match = value_matches(&l, &t->shapes[shape], out, path);
		else
			match = tags_match(&l, &t->shapes[shape], out, f);
		if (!match) return false;
	}
	return true;
}
