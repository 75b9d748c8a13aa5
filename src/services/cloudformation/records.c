/* Stacks, resources and events as they are stored. */
#include "base/rand.h"
#include "base/vec.h"
#include "services/cloudformation/internal.h"
#include "store/key.h"

struct key cfn_key(struct arena *a, const char *kind, struct cfn_place p)
{
	return key_for(a, STR("cloudformation"), str_c(kind), p.account, p.region);
}

struct cfn_place cfn_place_of(const struct cloudformation_rec_stack *s)
{
	return (struct cfn_place){s->account, s->region};
}

static struct str stack_key(struct arena *a, struct cfn_place p, struct str id)
{
	struct key k = cfn_key(a, "stack", p);
	key_str(&k, id);
	return key_done(&k);
}

static struct str name_key(struct arena *a, struct cfn_place p, struct str name)
{
	struct key k = cfn_key(a, "name", p);
	key_str(&k, name);
	return key_done(&k);
}

static struct str resource_key(struct arena *a, const struct cloudformation_rec_stack *s, struct str logical_id)
{
	struct key k = cfn_key(a, "resource", cfn_place_of(s));
	key_str(&k, s->id);
	if (str_has(logical_id)) key_str(&k, logical_id);
	return key_done(&k);
}

status cfn_stack_find(struct store_tx *tx, struct arena *a, struct cfn_place p, struct str name_or_id,
	struct cloudformation_rec_stack *out)
{
	struct str id = name_or_id, bytes;
	if (!str_starts(id, STR("arn:"))) TRY(store_get(tx, name_key(a, p, name_or_id), &id));
	TRY(store_get(tx, stack_key(a, p, id), &bytes));
	*out = (struct cloudformation_rec_stack){0};
	return cloudformation_rec_stack_decode(a, bytes, out);
}

void cfn_stack_put(struct store_tx *tx, struct arena *a, const struct cloudformation_rec_stack *s)
{
	struct cfn_place p = cfn_place_of(s);
	store_put(tx, stack_key(a, p, s->id), cloudformation_rec_stack_encode(a, s));
	struct str id;
	bool named = is_ok(store_get(tx, name_key(a, p, s->name), &id)) && str_eq(id, s->id);
	if (!str_is(s->status, "DELETE_COMPLETE"))
		store_put(tx, name_key(a, p, s->name), s->id);
	else if (named)
		store_delete(tx, name_key(a, p, s->name));
}

status cfn_resource_get(struct store_tx *tx, struct arena *a, const struct cloudformation_rec_stack *s,
	struct str logical_id, struct cloudformation_rec_resource *out)
{
	struct str bytes;
	TRY(store_get(tx, resource_key(a, s, logical_id), &bytes));
	*out = (struct cloudformation_rec_resource){0};
	return cloudformation_rec_resource_decode(a, bytes, out);
}

void cfn_resource_put(struct store_tx *tx, struct arena *a, const struct cloudformation_rec_stack *s,
	const struct cloudformation_rec_resource *r)
{
	store_put(tx, resource_key(a, s, r->logical_id), cloudformation_rec_resource_encode(a, r));
}

void cfn_resource_drop(
	struct store_tx *tx, struct arena *a, const struct cloudformation_rec_stack *s, struct str logical_id)
{
	store_delete(tx, resource_key(a, s, logical_id));
}

status cfn_resources_load(
	struct store_tx *tx, struct arena *a, const struct cloudformation_rec_stack *s, struct cfn_resources *out)
{
	struct str from = resource_key(a, s, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	size_t capacity = 0;
	status st = OK;
	*out = (struct cfn_resources){0};
	while (is_ok(st) && store_scan_next(scan, &key, &value)) {
		st = cloudformation_rec_resource_decode(a, str_dup(a, value), VEC_PUSH(a, out, &capacity));
	}
	status ended = store_scan_end(scan);
	return is_ok(st) ? ended : st;
}

void cfn_event(struct store_tx *tx, struct arena *a, struct cloudformation_rec_stack *s,
	const struct cloudformation_rec_resource *r, struct str status_, struct str reason, int64_t now_ms)
{
	struct cloudformation_rec_event e = {
		.id = r ? str_fmt(a, "%.*s-%.*s-%lld", STR_ARG(r->logical_id), STR_ARG(status_), (long long)now_ms)
			: rand_uuid(a),
		.logical_id = r ? r->logical_id : s->name,
		.physical_id = r ? r->physical_id : s->id,
		.type = r ? r->type : STR("AWS::CloudFormation::Stack"),
		.at = SOME_I64(now_ms),
		.status = status_,
		.reason = reason,
		.properties = r ? str_or(r->wanted, r->properties) : STR_NONE,
		.token = s->client_token,
	};
	struct key k = cfn_key(a, "event", cfn_place_of(s));
	key_str(&k, s->id);
	s->events = SOME_I64(s->events.v + 1);
	key_u64(&k, (uint64_t)s->events.v);
	store_put(tx, key_done(&k), cloudformation_rec_event_encode(a, &e));
	cfn_notify(tx, a, s, &e);
}

void cfn_stack_status(struct store_tx *tx, struct arena *a, struct cloudformation_rec_stack *s, const char *status_,
	struct str reason, int64_t now_ms)
{
	s->status = str_c(status_);
	s->reason = reason;
	cfn_event(tx, a, s, NULL, s->status, reason, now_ms);
	cfn_stack_put(tx, a, s);
}

struct str cfn_new_token(struct arena *a)
{
	return rand_text(a, STR("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), 12);
}
