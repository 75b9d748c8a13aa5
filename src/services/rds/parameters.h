/* What is known of an engine's parameters, and what a group makes of them. */
#pragma once
#include "services/rds/room.h"

struct rds_parameter_info {
	const char *name;
	const char *type;    /* boolean, integer, float, string */
	const char *allowed; /* "0,1", "0-100", "a,b,c", "" */
	bool is_static, modifiable;
	const char *description;
};
extern const struct rds_parameter_info rds_parameters_postgres15[];
extern const size_t rds_parameters_postgres15_length;
extern const struct rds_parameter_info rds_parameters_mariadb1011[];
extern const size_t rds_parameters_mariadb1011_length;
struct rds_system_value {
	const char *name, *value;
};
struct rds_family {
	const char *name;
	const struct rds_parameter_info *v;
	const size_t *n;
	const struct rds_system_value *defaults;
	size_t n_defaults;
};
/* NULL where there is none. */
const struct rds_family *rds_family_find(struct str name);
const struct rds_parameter_info *rds_parameter_find(const struct rds_family *f, struct str name);
/* What RDS sets where the group does not: "system" values, formulas as the guide writes them; NULL: the engine's own.
 */
const char *rds_parameter_default(const struct rds_family *f, struct str name);

/* ── parameter_group.c ── of groups of any kind: a value; those named back to the defaults; all of them. */
/* A group of that kind was changed: it is written, and each of its users looks at its settings again. */
status rds_parameter_group_changed(struct call *c, const struct rds_kind *kind, const struct rds_kind *users,
	const struct rds_rec_parameter_group *g) MUST_USE;
/* Not a default group; and as many changes as a request may have. */
status rds_parameter_group_changeable(struct call *c, struct str name) MUST_USE;
status rds_parameter_number_check(struct call *c, size_t n) MUST_USE;
status rds_parameter_set(struct call *c, struct rds_rec_parameter_group *g, const struct rds_parameter *p) MUST_USE;
status rds_parameters_reset(
	struct call *c, struct rds_rec_parameter_group *g, const struct rds_parameters_list *which) MUST_USE;
void rds_parameters_show(struct arena *a, const struct rds_rec_parameter_group *g, struct rds_parameters_list *out);

/* ── formula.c ── "Specifying DB parameters", the guide: {DBInstanceClassMemory/32768}, LEAST(…), GREATEST(…), SUM(…).
 */
struct rds_formula_of {
	int64_t memory_bytes, storage_bytes, vcpus, port;
};
/* A plain value comes back as it is. INVALID where it is no formula. */
status rds_formula(struct arena *a, struct str text, const struct rds_formula_of *of, struct str *out) MUST_USE;
/* The value in force for an instance: the group's, else RDS's own; STR_NONE: the engine's. */
struct str rds_parameter_value(
	struct arena *a, const struct rds_rec_parameter_group *g, struct str name, const struct rds_formula_of *of);
