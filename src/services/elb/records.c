/* Classic Load Balancers in the store. */
#include "services/ec2/instance.h"
#include "services/elb/room.h"

static struct str key_of(struct call *c, struct str name)
{
	struct key k = key_for(c->arena, STR("elb"), STR("balancer"), c->account, c->region);
	if (str_has(name)) key_str(&k, name);
	return key_done(&k);
}

/* An instance that is terminated is deregistered by that. */
static status without_terminated(struct call *c, struct elb_rec_balancer *b)
{
	struct elb_rec_strings now = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < b->instances.n; i++) {
		struct ec2_rec_instance r = {0};
		status s = ec2_load(ec2_here(c), &ec2_type_instance, b->instances.v[i], &r);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		if (is_ok(s) && r.state.v != EC2_TERMINATED) *VEC_PUSH(c->arena, &now, &capacity) = b->instances.v[i];
	}
	b->instances = now;
	return OK;
}

status elb_find(struct call *c, struct str name, struct elb_rec_balancer *out)
{
	struct str bytes;
	*out = (struct elb_rec_balancer){0};
	status s = store_get(c->tx, key_of(c, name), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return ELB_FAIL(
			c, ACCESS_POINT_NOT_FOUND, "There is no ACTIVE Load Balancer named '%.*s'", STR_ARG(name));
	TRY(s);
	TRY(elb_rec_balancer_decode(c->arena, bytes, out));
	return without_terminated(c, out);
}

status elb_all(struct call *c, struct elb_all *out)
{
	struct str from = key_of(c, STR_NONE), key, value;
	size_t capacity = 0;
	*out = (struct elb_all){0};
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct elb_rec_balancer *b = VEC_PUSH(c->arena, out, &capacity);
		*b = (struct elb_rec_balancer){0};
		s = elb_rec_balancer_decode(c->arena, str_dup(c->arena, value), b);
		if (is_ok(s)) s = without_terminated(c, b);
	}
	status end = store_scan_end(scan);
	TRY(s);
	return end;
}

struct elb_rec_listener *elb_listener_at(struct elb_rec_balancer *b, int32_t port)
{
	for (size_t i = 0; i < b->listeners.n; i++)
		if (b->listeners.v[i].port.v == port) return &b->listeners.v[i];
	return NULL;
}

const struct elb_rec_policy *elb_policy_named(const struct elb_rec_balancer *b, struct str name)
{
	for (size_t i = 0; i < b->policies.n; i++)
		if (str_eq(b->policies.v[i].name, name)) return &b->policies.v[i];
	return NULL;
}

bool elb_among(const struct elb_rec_strings *list, struct str s)
{
	for (size_t i = 0; i < list->n; i++)
		if (str_eq(list->v[i], s)) return true;
	return false;
}

void elb_list_set(struct arena *a, struct elb_rec_strings *list, struct str s, bool with)
{
	struct elb_rec_strings now = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < list->n; i++)
		if (!str_eq(list->v[i], s)) *VEC_PUSH(a, &now, &capacity) = list->v[i];
	if (with) *VEC_PUSH(a, &now, &capacity) = s;
	*list = now;
}

struct str elb_pair(const struct elb_rec_pairs *m, struct str key)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].key, key)) return m->v[i].value;
	return STR_NONE;
}

void elb_pair_set(struct arena *a, struct elb_rec_pairs *m, struct str key, struct str value)
{
	struct elb_rec_pairs now = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < m->n; i++)
		if (!str_eq(m->v[i].key, key)) *VEC_PUSH(a, &now, &capacity) = m->v[i];
	if (str_has(value)) *VEC_PUSH(a, &now, &capacity) = (struct elb_rec_pairs_entry){key, value};
	*m = now;
}
