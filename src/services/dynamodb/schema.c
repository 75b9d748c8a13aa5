/* What CreateTable and UpdateTable are given: keys, attribute definitions, indexes, throughput, streams, tags; checked
 * as AWS checks them, and turned into records. */
#include "services/dynamodb/service.h"

#define INVALID "One or more parameter values were invalid: "

/* ── definitions and keys ── */

static struct str list_names(struct arena *a, const struct dynamodb_rec_definitions *d)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < d->n; i++) {
		if (i) buf_lit(&b, ", ");
		buf_str(&b, d->v[i].name);
	}
	return buf_done(&b);
}

status ddb_check_definitions(
	struct work *w, const struct dynamodb_attribute_definitions *in, struct dynamodb_rec_definitions *out)
{
	size_t capacity = 0;
	for (size_t i = 0; i < in->n; i++) {
		for (size_t j = 0; j < i; j++)
			if (str_eq(in->v[i].attribute_name, in->v[j].attribute_name))
				return VALIDATION(w, INVALID "Duplicate attribute definition: %.*s",
					STR_ARG(in->v[i].attribute_name));
		*VEC_PUSH(w->a, out, &capacity) =
			(struct dynamodb_rec_definition){in->v[i].attribute_name, in->v[i].attribute_type};
	}
	return OK;
}

static struct str type_of(const struct dynamodb_rec_definitions *d, struct str name)
{
	for (size_t i = 0; i < d->n; i++)
		if (str_eq(d->v[i].name, name)) return d->v[i].type;
	return STR_NONE;
}

static status check_schema(struct work *w, const struct dynamodb_key_schema *in,
	const struct dynamodb_rec_definitions *d, struct dynamodb_rec_schema **out)
{
	struct buf keys = BUF_IN(w->a);
	if (in->n == 0 || !str_is(in->v[0].key_type, "HASH"))
		return VALIDATION(w, "Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
	if (in->n > 2)
		return VALIDATION(w, "1 validation error detected: Value at 'keySchema' failed to satisfy constraint: "
				     "Member must have length "
				     "less than or equal to 2");
	if (in->n == 2 && !str_is(in->v[1].key_type, "RANGE"))
		return VALIDATION(w, "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
	if (in->n == 2 && str_eq(in->v[0].attribute_name, in->v[1].attribute_name))
		return VALIDATION(w, "Both the Hash Key and the Range Key element in the KeySchema have the same name");
	bool all = true;
	for (size_t i = 0; i < in->n; i++) {
		if (i) buf_lit(&keys, ", ");
		buf_str(&keys, in->v[i].attribute_name);
		if (!str_has(type_of(d, in->v[i].attribute_name))) all = false;
	}
	if (!all)
		return VALIDATION(w,
			INVALID "Some index key attributes are not defined in AttributeDefinitions. Keys: [%.*s], "
				"AttributeDefinitions: [%.*s]",
			STR_ARG(buf_done(&keys)), STR_ARG(list_names(w->a, d)));
	*out = arena_new(w->a, struct dynamodb_rec_schema);
	(*out)->hash = in->v[0].attribute_name;
	(*out)->hash_type = type_of(d, (*out)->hash);
	if (in->n == 2) {
		(*out)->range = in->v[1].attribute_name;
		(*out)->range_type = type_of(d, (*out)->range);
	}
	return OK;
}

static void note_key(struct work *w, struct dynamodb_rec_definitions *used, size_t *capacity, struct str name)
{
	if (str_has(name) && !str_has(type_of(used, name))) {
		struct dynamodb_rec_definition *d = VEC_PUSH(w->a, used, capacity);
		d->name = name;
		d->type = STR("S");
	}
}

status ddb_check_all_defined(struct work *w, const struct dynamodb_rec_table *r)
{
	struct dynamodb_rec_definitions used = {0};
	size_t capacity = 0;
	note_key(w, &used, &capacity, r->schema->hash);
	note_key(w, &used, &capacity, r->schema->range);
	for (size_t i = 0; i < r->indexes.n; i++) {
		note_key(w, &used, &capacity, r->indexes.v[i].schema->hash);
		note_key(w, &used, &capacity, r->indexes.v[i].schema->range);
	}
	if (used.n == r->definitions.n) return OK;
	if (r->indexes.n == 0)
		return VALIDATION(w, INVALID
			"Number of attributes in KeySchema does not exactly match number of attributes defined in "
			"AttributeDefinitions");
	return VALIDATION(w,
		INVALID "Some AttributeDefinitions are not used. AttributeDefinitions: [%.*s], keys used: [%.*s]",
		STR_ARG(list_names(w->a, &r->definitions)), STR_ARG(list_names(w->a, &used)));
}

/* ── throughput ── */

status ddb_check_throughput(struct work *w, const struct dynamodb_provisioned_throughput *p, bool on_demand,
	struct str place, struct dynamodb_rec_throughput **out)
{
	if (on_demand) {
		if (p && (p->read_capacity_units.v || p->write_capacity_units.v))
			return VALIDATION(w, INVALID
				"Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
				"PAY_PER_REQUEST");
		return OK;
	}
	if (!p) {
		if (str_has(place))
			return VALIDATION(
				w, INVALID "ProvisionedThroughput is not specified for index: %.*s", STR_ARG(place));
		return VALIDATION(w, INVALID "ReadCapacityUnits and WriteCapacityUnits must both be specified when "
					     "BillingMode is PROVISIONED");
	}
	*out = arena_new(w->a, struct dynamodb_rec_throughput);
	(*out)->read = SOME_I64(p->read_capacity_units.v);
	(*out)->write = SOME_I64(p->write_capacity_units.v);
	return OK;
}

/* ── indexes ── */

static status check_projection(struct work *w, const struct dynamodb_projection *p, struct dynamodb_rec_index *out)
{
	if (!p || !str_has(p->projection_type)) return VALIDATION(w, INVALID "Unknown ProjectionType: null");
	bool include = str_is(p->projection_type, "INCLUDE");
	if (!include && p->non_key_attributes.v)
		return VALIDATION(w, INVALID "ProjectionType is %.*s, but NonKeyAttributes is specified",
			STR_ARG(p->projection_type));
	if (include && !p->non_key_attributes.n)
		return VALIDATION(w, INVALID "ProjectionType is INCLUDE, but NonKeyAttributes is not specified");
	out->projection = p->projection_type;
	out->non_key.v = p->non_key_attributes.v;
	out->non_key.n = p->non_key_attributes.n;
	return OK;
}

status ddb_check_new_index(struct work *w, struct str name, const struct dynamodb_key_schema *schema,
	const struct dynamodb_projection *projection, bool global, const struct dynamodb_rec_definitions *definitions,
	const struct dynamodb_rec_table *r, struct dynamodb_rec_index *out)
{
	size_t same = 0;
	if (!ddb_name_valid(name))
		return VALIDATION(w, "Invalid table/index name.  Table/index names must be between 3 and 255 "
				     "characters long, and may contain "
				     "only the characters a-z, A-Z, 0-9, '_', '-', and '.'");
	for (size_t i = 0; i < r->indexes.n; i++) {
		if (str_eq(r->indexes.v[i].name, name))
			return VALIDATION(w, INVALID "Duplicate index name: %.*s", STR_ARG(name));
		if (r->indexes.v[i].global.v == global) same++;
	}
	if (same >= (global ? GLOBAL_INDEXES_MAX : LOCAL_INDEXES_MAX))
		return VALIDATION(w, INVALID "Number of %sSecondaryIndexes exceeds per-table limit of %d",
			global ? "Global" : "Local", global ? GLOBAL_INDEXES_MAX : LOCAL_INDEXES_MAX);
	*out = (struct dynamodb_rec_index){.name = name, .global = SOME_BOOL(global), .status = STR("ACTIVE")};
	TRY(check_schema(w, schema, definitions, &out->schema));
	if (!global) {
		if (!str_has(out->schema->range))
			return VALIDATION(
				w, INVALID "Index KeySchema does not have a range key for index: %.*s", STR_ARG(name));
		if (!str_eq(out->schema->hash, r->schema->hash))
			return VALIDATION(w,
				INVALID
				"Table KeySchema and index KeySchema do not have the same hash key for index: %.*s",
				STR_ARG(name));
	}
	return check_projection(w, projection, out);
}

static status check_local(
	struct work *w, const struct dynamodb_create_table_input *in, struct dynamodb_rec_table *r, size_t *capacity)
{
	const struct dynamodb_local_secondary_index_list *l = &in->local_secondary_indexes;
	if (l->v && l->n == 0) return VALIDATION(w, INVALID "List of LocalSecondaryIndexes is empty");
	if (l->n && !str_has(r->schema->range))
		return VALIDATION(w,
			INVALID "Table KeySchema does not have a range key, which is required when specifying a "
				"LocalSecondaryIndex");
	for (size_t i = 0; i < l->n; i++) {
		struct dynamodb_rec_index x;
		TRY(ddb_check_new_index(
			w, l->v[i].index_name, &l->v[i].key_schema, l->v[i].projection, false, &r->definitions, r, &x));
		x.id = SOME_I64(++r->next_index.v);
		*VEC_PUSH(w->a, &r->indexes, capacity) = x;
	}
	return OK;
}

static status check_global(
	struct work *w, const struct dynamodb_create_table_input *in, struct dynamodb_rec_table *r, size_t *capacity)
{
	const struct dynamodb_global_secondary_index_list *l = &in->global_secondary_indexes;
	if (l->v && l->n == 0) return VALIDATION(w, INVALID "List of GlobalSecondaryIndexes is empty");
	for (size_t i = 0; i < l->n; i++) {
		struct dynamodb_rec_index x;
		TRY(ddb_check_new_index(
			w, l->v[i].index_name, &l->v[i].key_schema, l->v[i].projection, true, &r->definitions, r, &x));
		TRY(ddb_check_throughput(w, l->v[i].provisioned_throughput, r->on_demand.v, x.name, &x.throughput));
		x.id = SOME_I64(++r->next_index.v);
		*VEC_PUSH(w->a, &r->indexes, capacity) = x;
	}
	return OK;
}

/* ── streams and tags ── */

status ddb_check_stream(struct work *w, const struct dynamodb_stream_specification *s)
{
	if (!s) return OK;
	if (!s->stream_enabled.v && str_has(s->stream_view_type))
		return VALIDATION(w, INVALID "StreamViewType can only be specified when StreamEnabled is true");
	if (s->stream_enabled.v && !str_has(s->stream_view_type))
		return VALIDATION(w, INVALID "StreamViewType must be specified when StreamEnabled is true");
	return OK;
}

/* "Tagging restrictions in DynamoDB". */
status ddb_check_tags(struct work *w, const struct dynamodb_tag_list *tags)
{
	for (size_t i = 0; i < tags->n; i++) {
		if (!w->c->system_tags && str_istarts(tags->v[i].key, STR("aws:")))
			return VALIDATION(w, INVALID "Tag keys starting with 'aws:' are reserved for system use");
		for (size_t j = 0; j < i; j++)
			if (str_eq(tags->v[i].key, tags->v[j].key))
				return VALIDATION(w, INVALID "Duplicate tag key: %.*s", STR_ARG(tags->v[i].key));
	}
	if (tags->n > 50) return VALIDATION(w, INVALID "Too many tags: a resource can have at most 50");
	return OK;
}

/* ── CreateTable ── */

status ddb_check_create(struct work *w, const struct dynamodb_create_table_input *in, struct dynamodb_rec_table *r)
{
	size_t capacity = 0;
	r->on_demand = SOME_BOOL(str_is(in->billing_mode, "PAY_PER_REQUEST"));
	r->billing_told = SOME_BOOL(str_has(in->billing_mode));
	TRY(ddb_check_throughput(w, in->provisioned_throughput, r->on_demand.v, STR_NONE, &r->throughput));
	TRY(ddb_check_definitions(w, &in->attribute_definitions, &r->definitions));
	TRY(check_schema(w, &in->key_schema, &r->definitions, &r->schema));
	TRY(check_local(w, in, r, &capacity));
	TRY(check_global(w, in, r, &capacity));
	TRY(ddb_check_all_defined(w, r));
	TRY(ddb_check_stream(w, in->stream_specification));
	return ddb_check_tags(w, &in->tags);
}
