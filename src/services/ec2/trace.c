/* `virga trace`: ids to interfaces and addresses; the way itself the host tells, from the rules that the kernel has. */
#include "services/ec2/intent.h"
#include "services/ec2/network_door.h"

struct search {
	struct str what;
	struct ec2_rec_eni *found;
	struct str address; /* of the found interface, where an address was asked for */
};

static bool is_it(struct search *s, struct ec2_rec_eni *e)
{
	s->address = STR_NONE;
	if (str_eq(e->network_interface_id, s->what)) return true;
	if (e->attachment && str_has(e->attachment->instance_id) && str_eq(e->attachment->instance_id, s->what))
		return e->attachment->device_index.v == 0;
	for (size_t i = 0; i < e->addresses.n; i++)
		if (str_eq(e->addresses.v[i].private_ip_address, s->what) && str_has(e->place)) {
			s->address = s->what;
			return true;
		}
	return false;
}

/* In all accounts: the command is the machine's own. */
static status find_interface(struct store_tx *tx, struct arena *a, struct search *s)
{
	struct key k = key_begin(a);
	key_str(&k, STR("ec2"));
	key_str(&k, str_c(ec2_type_eni.name));
	struct store_scan *scan = store_scan_begin(tx, key_done(&k), key_after(a, key_done(&k)), false);
	struct str key, value;
	status st = OK;
	while (is_ok(st) && !s->found && store_scan_next(scan, &key, &value)) {
		struct ec2_rec_eni *e = arena_new(a, struct ec2_rec_eni);
		st = ec2_rec_eni_decode(a, str_dup(a, value), e);
		if (is_ok(st) && is_it(s, e)) s->found = e;
	}
	status end = store_scan_end(scan);
	return is_ok(st) ? end : st;
}

static status resolve(
	struct cloud *cloud, struct arena *a, const struct ec2_trace *t, struct host_rec_trace *q, struct str *why)
{
	struct search from = {.what = t->source}, to = {.what = t->destination};
	struct cidr address;
	struct store_tx *tx = store_begin(cloud->store, a, true);
	status s = find_interface(tx, a, &from);
	if (is_ok(s)) s = find_interface(tx, a, &to);
	store_end(tx);
	TRY(s);
	if (from.found) {
		q->source = from.found->network_interface_id;
		q->source_address = from.address;
	} else if (str_is(t->source, "internet")) {
		q->source = t->source;
	} else {
		*why = str_fmt(a, "%.*s is no instance, interface or private address in use", STR_ARG(t->source));
		return STATUS(NOT_FOUND);
	}
	if (to.found && !str_is(t->source, "internet"))
		q->destination = str_or(to.address, to.found->addresses.v[0].private_ip_address);
	else if (to.found)
		q->destination = to.found->addresses.v[0].public;
	else if (is_ok(cidr_parse_address(t->destination, &address)))
		q->destination = t->destination;
	if (str_has(q->destination)) return OK;
	*why = str_fmt(a, "%.*s has no address that %.*s could reach", STR_ARG(t->destination), STR_ARG(t->source));
	return STATUS(NOT_FOUND);
}

status ec2_trace(
	struct cloud *cloud, struct arena *a, const struct ec2_trace *t, struct host_rec_traced *out, struct str *why)
{
	struct host_rec_trace q = {
		.protocol = SOME_I32(t->protocol), .source_port = SOME_I32(49152), .port = SOME_I32(t->port)};
	*why = STR_NONE;
	*out = (struct host_rec_traced){0};
	if (!host_available(cloud->host)) {
		*why = host_why(cloud->host);
		return STATUS(BUSY);
	}
	TRY(resolve(cloud, a, t, &q, why));
	return host_trace(cloud->host, a, &q, out, why);
}
