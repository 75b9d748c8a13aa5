/* Stored stack sets, their instances and operations. */
#include "base/vec.h"
#include "services/cloudformation/stack_set.h"

struct str cfn_set_name(struct str name_or_id)
{
	struct str rest = name_or_id;
	return str_cut(&rest, ':');
}

struct cfn_set_place cfn_set_place_of(struct call *c, struct str name_or_id)
{
	return (struct cfn_set_place){c->tx, c->arena, c->account, c->region, cfn_set_name(name_or_id)};
}

static struct key key_of(struct cfn_set_place p, const char *kind)
{
	struct key k = cfn_key(p.a, kind, (struct cfn_place){p.account, p.region});
	key_str(&k, p.name);
	return k;
}

struct str cfn_set_key(struct cfn_set_place p, const char *kind, struct str x, struct str y)
{
	struct key k = key_of(p, kind);
	if (str_has(x)) key_str(&k, x);
	if (str_has(y)) key_str(&k, y);
	return key_done(&k);
}

status cfn_set_get(struct cfn_set_place p, struct cloudformation_rec_stack_set *out)
{
	struct str bytes;
	*out = (struct cloudformation_rec_stack_set){0};
	TRY(store_get(p.tx, cfn_set_key(p, "stackset", STR_NONE, STR_NONE), &bytes));
	return cloudformation_rec_stack_set_decode(p.a, bytes, out);
}

void cfn_set_put(struct cfn_set_place p, const struct cloudformation_rec_stack_set *s)
{
	store_put(p.tx, cfn_set_key(p, "stackset", STR_NONE, STR_NONE), cloudformation_rec_stack_set_encode(p.a, s));
}

status cfn_set_load(struct call *c, struct str name_or_id, struct cloudformation_rec_stack_set *out)
{
	status s = cfn_set_get(cfn_set_place_of(c, name_or_id), out);
	bool other = is_ok(s) && str_chr(name_or_id, ':') >= 0 && !str_eq(out->id, name_or_id);
	if (is_ok(s) && !other && !str_is(out->status, "DELETED")) return OK;
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	return call_fail(
		c, CLOUDFORMATION_ERR_STACK_SET_NOT_FOUND_EXCEPTION, "StackSet %.*s not found", STR_ARG(name_or_id));
}

bool cfn_set_is_service_managed(const struct cloudformation_rec_stack_set *s)
{
	return str_is(str_or(s->permission_model, STR("")), "SERVICE_MANAGED");
}

status cfn_set_instance_get(
	struct cfn_set_place p, struct str account, struct str region, struct cloudformation_rec_set_instance *out)
{
	struct str bytes;
	*out = (struct cloudformation_rec_set_instance){0};
	TRY(store_get(p.tx, cfn_set_key(p, "set-instance", account, region), &bytes));
	return cloudformation_rec_set_instance_decode(p.a, bytes, out);
}

void cfn_set_instance_put(struct cfn_set_place p, const struct cloudformation_rec_set_instance *i)
{
	store_put(p.tx, cfn_set_key(p, "set-instance", i->account, i->region),
		cloudformation_rec_set_instance_encode(p.a, i));
}

void cfn_set_instance_drop(struct cfn_set_place p, struct str account, struct str region)
{
	store_delete(p.tx, cfn_set_key(p, "set-instance", account, region));
}

status cfn_set_instances(struct cfn_set_place p, struct cfn_set_instances *out)
{
	struct str from = cfn_set_key(p, "set-instance", STR_NONE, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(p.tx, from, key_after(p.a, from), false);
	status s = OK;
	*out = (struct cfn_set_instances){0};
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct cloudformation_rec_set_instance *i = VEC_PUSH(p.a, out, &out->capacity);
		*i = (struct cloudformation_rec_set_instance){0};
		s = cloudformation_rec_set_instance_decode(p.a, str_dup(p.a, value), i);
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}

void cfn_set_operation_put(struct cfn_set_place p, const struct cloudformation_rec_set_operation *o)
{
	struct key k = key_of(p, "set-operation");
	key_u64(&k, (uint64_t)o->number.v);
	store_put(p.tx, key_done(&k), cloudformation_rec_set_operation_encode(p.a, o));
}

status cfn_set_operations(struct cfn_set_place p, struct cfn_set_operations *out)
{
	struct str from = cfn_set_key(p, "set-operation", STR_NONE, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(p.tx, from, key_after(p.a, from), true);
	status s = OK;
	*out = (struct cfn_set_operations){0};
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct cloudformation_rec_set_operation *o = VEC_PUSH(p.a, out, &out->capacity);
		*o = (struct cloudformation_rec_set_operation){0};
		s = cloudformation_rec_set_operation_decode(p.a, str_dup(p.a, value), o);
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}
