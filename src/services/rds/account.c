/* An account's quotas and the categories of events. */
#include "services/rds/room.h"

static status count(struct call *c, const struct rds_kind *k, int64_t *n)
{
	struct rds_each e = rds_each(rds_here(c), k);
	*n = 0;
	while (rds_next(&e)) {
		const struct rds_rec_snapshot *s = e.record;
		*n += k != &rds_kind_snapshot || str_is(s->snapshot_type, "manual");
	}
	return rds_each_end(&e);
}

status rds_describe_account_attributes(struct call *c, const struct rds_describe_account_attributes_input *in,
	struct rds_describe_account_attributes_output *out)
{
	static const struct {
		const char *name;
		const struct rds_kind *kind;
		int64_t most;
	} quotas[] = {{"DBInstances", &rds_kind_instance, RDS_INSTANCES_MAX},
		{"DBParameterGroups", &rds_kind_parameter_group, RDS_PARAMETER_GROUPS_MAX},
		{"ManualSnapshots", &rds_kind_snapshot, RDS_SNAPSHOTS_MAX},
		{"DBSubnetGroups", &rds_kind_subnet_group, RDS_SUBNET_GROUPS_MAX},
		{"OptionGroups", &rds_kind_option_group, RDS_OPTION_GROUPS_MAX}};
	size_t capacity = 0;
	(void)in;
	for (size_t i = 0; i < sizeof(quotas) / sizeof(*quotas); i++) {
		struct rds_account_quota *q = VEC_PUSH(c->arena, &out->account_quotas, &capacity);
		int64_t used;
		TRY(count(c, quotas[i].kind, &used));
		*q = (struct rds_account_quota){.account_quota_name = str_c(quotas[i].name),
			.used = SOME_I64(used),
			.max = SOME_I64(quotas[i].most)};
	}
	return OK;
}

/* Those that this RDS tells of. */
static const struct {
	const char *type, *categories[9];
} sources[] = {{"db-instance", {"availability", "configuration change", "creation", "deletion", "failover", "failure",
				       "notification", "read replica", NULL}},
	{"db-snapshot", {"creation", NULL}}};
enum { N_SOURCES = sizeof(sources) / sizeof(*sources) };

const char *rds_event_source(struct str type)
{
	for (size_t i = 0; i < N_SOURCES; i++)
		if (str_eq(type, str_c(sources[i].type))) return sources[i].type;
	return NULL;
}

bool rds_event_category(struct str type, struct str category)
{
	for (size_t i = 0; i < N_SOURCES; i++)
		for (size_t k = 0; sources[i].categories[k]; k++)
			if ((!str_has(type) || str_eq(type, str_c(sources[i].type))) &&
				str_ieq(category, str_c(sources[i].categories[k])))
				return true;
	return false;
}

status rds_describe_event_categories(struct call *c, const struct rds_describe_event_categories_input *in,
	struct rds_describe_event_categories_output *out)
{
	static const char *const none[] = {NULL};
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, none));
	for (size_t i = 0; i < N_SOURCES; i++) {
		if (str_has(in->source_type) && !str_eq(in->source_type, str_c(sources[i].type))) continue;
		struct rds_event_categories_map *m = VEC_PUSH(c->arena, &out->event_categories_map_list, &capacity);
		size_t room = 0;
		m->source_type = str_c(sources[i].type);
		for (size_t k = 0; sources[i].categories[k]; k++)
			*VEC_PUSH(c->arena, &m->event_categories, &room) = str_c(sources[i].categories[k]);
	}
	VEC_PRESENT(c->arena, &out->event_categories_map_list);
	return OK;
}

/* The servers are the machine's: nobody but its owner brings them up to date, so nothing waits to be applied. */
status rds_describe_pending_maintenance_actions(struct call *c,
	const struct rds_describe_pending_maintenance_actions_input *in,
	struct rds_describe_pending_maintenance_actions_output *out)
{
	static const char *const names[] = {"db-cluster-id", "db-instance-id", NULL};
	struct rds_rec_instance r;
	TRY(rds_filters_check(c, &in->filters, names));
	if (str_has(in->resource_identifier)) {
		ptrdiff_t colon = str_rchr(in->resource_identifier, ':');
		struct str name = str_from(in->resource_identifier, (size_t)(colon + 1));
		if (colon < 0 || !str_eq(rds_arn(c, &rds_kind_instance, name), in->resource_identifier))
			return RDS_FAIL(c, INVALID_PARAMETER_VALUE, "Invalid resource name: %.*s",
				STR_ARG(in->resource_identifier));
		status s = rds_load(rds_here(c), &rds_kind_instance, name, &r);
		if (status_is(s, STATUS_NOT_FOUND))
			return RDS_FAIL(c, RESOURCE_NOT_FOUND_FAULT, "The resource %.*s was not found.",
				STR_ARG(in->resource_identifier));
		TRY(s);
	}
	VEC_PRESENT(c->arena, &out->pending_maintenance_actions);
	return OK;
}
