/* Existing resources that a stack takes in ("Import AWS resources into a CloudFormation stack"), and reading a resource
 * as it is. */
#include "clock/clock.h"
#include "services/cloudformation/operations.h"
#include "store/key.h"

struct str cfn_import_of(struct arena *a, const struct cloudformation_rec_stack *s, struct str logical_id)
{
	struct json_value *all;
	if (!str_has(s->imports) || !is_ok(json_read(a, s->imports, &all))) return STR_NONE;
	return json_scalar(json_member(all, logical_id));
}

status cfn_read_live(struct cloud *cloud, const struct inside_caller *who, struct arena *a, struct cfn_place p,
	struct str type, struct str physical_id, const struct json_value *properties,
	const struct json_value *attributes, struct cfn_work *w)
{
	struct cfn_type *known = arena_new(a, struct cfn_type);
	const struct cfn_handler *h = cfn_handler_of(type);
	*w = (struct cfn_work){.a = a,
		.cloud = cloud,
		.who = *who,
		.account = p.account,
		.region = p.region,
		.partition = str_starts(p.region, STR("cn-"))       ? STR("aws-cn")
			     : str_starts(p.region, STR("us-gov-")) ? STR("aws-us-gov")
								    : STR("aws"),
		.stack_id = STR(""),
		.stack_name = STR(""),
		.logical_id = STR(""),
		.type = known,
		.token = STR(""),
		.why = STR_NONE,
		.code = STR_NONE,
		.physical_id = physical_id,
		.properties = properties,
		.before = properties,
		.tags = cfn_list(a),
		.attributes = cfn_object(a),
		.now_ms = clock_now(cloud->clock)};
	if (!h || !h->read || !is_ok(cfn_type_find(a, type, known)))
		return cfn_fail(w, "Resources of type %.*s cannot be read", STR_ARG(type));
	for (const struct json_value *c = attributes ? attributes->first : NULL; c; c = c->next)
		cfn_append(w->attributes, c->name, cfn_copy(a, c));
	status s = h->read(w);
	return !is_ok(s) && cfn_says_gone(w->code) ? STATUS(NOT_FOUND) : s;
}

struct str cfn_owner_of(
	struct store_tx *tx, struct arena *a, struct cfn_place p, struct str type, struct str physical_id)
{
	struct key k = cfn_key(a, "resource", p);
	struct str from = key_done(&k), key, value, owner = STR_NONE;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	while (!str_has(owner) && store_scan_next(scan, &key, &value)) {
		struct cloudformation_rec_resource r = {0};
		struct str rest = str_from(key, from.n), stack;
		if (!is_ok(cloudformation_rec_resource_decode(a, value, &r))) continue;
		if (str_eq(str_or(r.type, STR("")), type) && str_eq(str_or(r.physical_id, STR("")), physical_id) &&
			is_ok(key_read_str(a, &rest, &stack)))
			owner = str_dup(a, stack);
	}
	return is_ok(store_scan_end(scan)) ? owner : STR_NONE;
}

/* Properties of the primary identifier, joined as physical ids of several parts are. */
static struct str joined_id(struct arena *a, const struct cfn_type *type,
	const struct cloudformation_resource_to_import *given, const struct json_value *wanted)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < type->n_ids; i++) {
		struct str value = given ? STR_NONE : json_scalar(json_member(wanted, type->ids[i]));
		for (size_t k = 0; given && k < given->resource_identifier.n; k++)
			if (str_eq(given->resource_identifier.v[k].key, type->ids[i]))
				value = given->resource_identifier.v[k].value;
		if (!str_has(value) || str_is(value, CFN_UNKNOWN)) return STR_NONE;
		if (i) buf_byte(&b, '|');
		buf_str(&b, value);
	}
	return type->n_ids ? buf_done(&b) : STR_NONE;
}

status cfn_import_find(struct call *c, const struct inside_caller *who, const struct cfn_imports *imports,
	const struct cfn_type *type, struct str logical_id, const struct json_value *wanted, struct str *physical_id)
{
	struct arena *a = c->arena;
	const struct cloudformation_resource_to_import *given = NULL;
	struct cfn_work w;
	*physical_id = STR_NONE;
	for (size_t i = 0; i < imports->given->n; i++)
		if (str_eq(imports->given->v[i].logical_resource_id, logical_id)) given = &imports->given->v[i];
	if (given && !str_eq(given->resource_type, type->name))
		return call_fail(c, ERR_VALIDATION, "The resource type of %.*s is not that of the template",
			STR_ARG(logical_id));
	if (!given && !imports->existing) return OK;
	struct str id = joined_id(a, type, given, wanted);
	if (given && !str_has(id))
		return call_fail(c, ERR_VALIDATION,
			"ResourceIdentifier of %.*s has to give the primary identifier of its type",
			STR_ARG(logical_id));
	if (!str_has(id)) return OK;
	status s = cfn_read_live(c->cloud, who, a, cfn_call_place(c), type->name, id, wanted, NULL, &w);
	if (!is_ok(s) && !given) return OK; /* it is created, or its creation tells why not */
	if (!is_ok(s))
		return call_fail(c, ERR_VALIDATION, "%.*s cannot be imported: %.*s", STR_ARG(logical_id),
			STR_ARG(str_or(w.why, STR("it was not found"))));
	struct str owner = cfn_owner_of(c->tx, a, cfn_call_place(c), type->name, id);
	if (!str_has(owner)) *physical_id = id;
	if (str_has(owner) && given)
		return call_fail(c, ERR_VALIDATION, "Resource %.*s is already in stack %.*s and cannot be imported",
			STR_ARG(id), STR_ARG(owner));
	return OK;
}
