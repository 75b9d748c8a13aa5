/* Names as a VPC's resolver knows them. "DNS attributes for your VPC", the guide: private names of addresses in the
 * VPC, public names that become private addresses inside, private names of endpoints, AWS's services. Anything else
 * does not exist: nothing here reaches the world's DNS. */
#include "base/rand.h"
#include "services/ec2/dns.h"
#include "services/ec2/endpoint.h"
#include "services/ec2/intent.h"
#include "services/efs/door.h"
#include "services/elbv2/door.h"

/* "The DNS name's TTL is 5 seconds" of databases, 60 of balancers: the shorter one serves both. */
enum { TTL_S = 60, PUBLISHED_TTL_S = 5, ONE_OF_TTL_S = 1 };

struct look {
	struct ec2_place at;
	const struct ec2_rec_vpc *vpc;
	const struct dns_question *q;
	struct dns_answers *out;
	uint32_t ttl_s;
	bool exists;
};

static void add(struct look *l, uint16_t type, struct str data)
{
	size_t capacity = l->out->n;
	l->exists = true;
	if (l->q->type == type || l->q->type == DNS_ANY)
		*VEC_PUSH(l->at.a, l->out, &capacity) = (struct dns_answer){type, l->ttl_s, data};
}

static void add_address(struct look *l, struct cidr address)
{
	if (address.v6)
		add(l, DNS_AAAA, str_dup(l->at.a, str_n(address.addr, 16)));
	else
		add(l, DNS_A, str_dup(l->at.a, str_n(address.addr + 12, 4)));
}

static bool in_vpc(const struct ec2_rec_vpc *vpc, struct cidr address)
{
	return ec2_vpc_holds(vpc, address);
}

/* "ip-10-0-1-5", "ec2-3-80-1-2": the address in a name's first label. */
static bool address_in(struct arena *a, struct str label, const char *prefix, struct cidr *out)
{
	struct str p = str_c(prefix);
	if (!str_starts(label, p)) return false;
	struct str digits = str_from(label, p.n);
	char *z = arena_copy(a, digits.p, digits.n);
	for (size_t i = 0; i < digits.n; i++)
		if (z[i] == '-') z[i] = '.';
	return is_ok(cidr_parse_address(str_n(z, digits.n), out)) && !out->v6;
}

/* VPCs whose private names and public names this one sees as its own: itself and peers that allow it. */
static status peers_allow(struct look *l, struct cidr address, bool *yes)
{
	struct ec2_each e = ec2_each(l->at, &ec2_type_peering);
	struct cidr block;
	*yes = in_vpc(l->vpc, address);
	while (ec2_next(&e)) {
		const struct ec2_rec_peering *p = e.item.record;
		if (!ec2_peering_joins(p, l->vpc->vpc_id) || !str_is(p->code, "active")) continue;
		const struct ec2_rec_peering_end *other = ec2_peering_other(p, l->vpc->vpc_id);
		for (size_t i = 0; other->dns.v && i < other->cidrs.n; i++)
			*yes = *yes || (is_ok(cidr_parse(other->cidrs.v[i], &block)) && cidr_contains(block, address));
	}
	return ec2_each_end(&e);
}

static status private_name(struct look *l, struct str label)
{
	struct cidr address;
	bool yes;
	if (!address_in(l->at.a, label, "ip-", &address)) return OK;
	TRY(peers_allow(l, address, &yes));
	if (yes) add_address(l, address);
	return OK;
}

/* "If the VPC has DNS hostnames enabled, the public name resolves to the private address inside the network". */
static status public_name(struct look *l, struct str label)
{
	struct cidr address, private;
	struct ec2_rec_public_address holder;
	if (!address_in(l->at.a, label, "ec2-", &address)) return OK;
	struct str text = cidr_address_text(l->at.a, address);
	status s = ec2_public_owner(l->at, text, &holder);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	struct ec2_each e =
		ec2_each((struct ec2_place){l->at.tx, l->at.a, holder.account, holder.region}, &ec2_type_eni);
	while (ec2_next(&e)) {
		const struct ec2_rec_eni *n = e.item.record;
		for (size_t i = 0; i < n->addresses.n; i++) {
			bool yes = false;
			if (!str_eq(n->addresses.v[i].public, text)) continue;
			if (is_ok(cidr_parse_address(n->addresses.v[i].private_ip_address, &private))) {
				if (str_eq(n->vpc_id, l->vpc->vpc_id))
					yes = true;
				else
					TRY(peers_allow(l, private, &yes));
			}
			add_address(l, yes ? private : address);
		}
	}
	return ec2_each_end(&e);
}

/* The addresses of an endpoint's interfaces; of those in one zone where a zone is named. */
static status endpoint_addresses(struct look *l, const struct ec2_rec_endpoint *e, struct str zone)
{
	for (size_t i = 0; i < e->network_interface_ids.n; i++) {
		struct ec2_rec_eni n;
		struct cidr address;
		status s = ec2_load(l->at, &ec2_type_eni, e->network_interface_ids.v[i], &n);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		if (str_has(zone) && !str_eq(zone, n.availability_zone)) continue;
		if (is_ok(cidr_parse_address(n.addresses.v[0].private_ip_address, &address))) add_address(l, address);
	}
	return OK;
}

/* Its own name: "vpce-0123-abcd.ec2.us-east-1.vpce.amazonaws.com", "vpce-0123-abcd-us-east-1a.…"; any VPC may ask. */
static status endpoint_name(struct look *l, struct str label)
{
	struct ec2_each e = ec2_each(l->at, &ec2_type_endpoint);
	status s = OK;
	while (is_ok(s) && ec2_next(&e)) {
		const struct ec2_rec_endpoint *p = e.item.record;
		struct str own = str_fmt(l->at.a, "%.*s-%.*s", STR_ARG(e.item.id), STR_ARG(p->suffix));
		if (!str_starts(label, own)) continue;
		struct str zone = label.n > own.n ? str_from(label, own.n + 1) : STR_NONE;
		s = endpoint_addresses(l, p, zone);
	}
	status end = ec2_each_end(&e);
	return is_ok(s) ? end : s;
}

static status service_name(struct look *l)
{
	struct ec2_each e = ec2_each(l->at, &ec2_type_endpoint);
	status s = OK;
	while (is_ok(s) && ec2_next(&e)) {
		const struct ec2_rec_endpoint *p = e.item.record;
		const struct ec2_endpoint_service *service = ec2_endpoint_service_find(l->at.region, p->service_name);
		if (service && p->private_dns_enabled.v && str_eq(p->vpc_id, l->vpc->vpc_id) &&
			ec2_endpoint_service_named(service, l->at.region, l->q->name))
			s = endpoint_addresses(l, p, STR_NONE);
	}
	status end = ec2_each_end(&e);
	TRY(s);
	TRY(end);
	if (l->exists) return OK;
	/* The service's public address: by an internet gateway, or by a gateway endpoint's route. */
	struct cidr address;
	struct str service = STR("");
	for (size_t i = 0; i < ec2_endpoint_services_length; i++)
		if (ec2_endpoint_services[i].gateway &&
			ec2_endpoint_service_named(&ec2_endpoint_services[i], l->at.region, l->q->name))
			service = str_c(ec2_endpoint_services[i].name);
	if (is_ok(cidr_parse_address(ec2_service_address(service), &address))) add_address(l, address);
	return OK;
}

struct str ec2_service_address(struct str service)
{
	if (str_is(service, "s3")) return STR("198.18.1.10");
	if (str_is(service, "dynamodb")) return STR("198.18.2.10");
	return STR("198.18.0.10");
}

/* A load balancer's nodes, by the name that its owner sees: for any VPC. */
static status balancer_name(struct look *l, struct str label)
{
	struct elbv2_addresses found;
	struct cidr address;
	status s = elbv2_addresses(l->at.tx, l->at.a, label, &found);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	for (size_t i = 0; i < found.n; i++)
		if (is_ok(cidr_parse_address(found.v[i], &address))) add_address(l, address);
	return OK;
}

/* "fs-0123….efs.us-east-1.amazonaws.com", or in one zone "us-east-1a.fs-…": the mount targets in this VPC. */
static status file_system_name(struct look *l, bool *is)
{
	struct str rest = l->q->name, first = str_cut(&rest, '.'), zone = STR_NONE;
	struct efs_targets found;
	struct cidr address;
	if (!str_starts(first, STR("fs-")) && str_has(rest)) {
		zone = first;
		first = str_cut(&rest, '.');
	}
	*is = str_starts(first, STR("fs-")) && str_starts(str_or(rest, STR("")), STR("efs."));
	if (!*is) return OK;
	TRY(efs_addresses(l->at.tx, l->at.a, l->at.account, l->at.region, first, l->vpc->vpc_id, zone, &found));
	for (size_t i = 0; i < found.n; i++)
		if (is_ok(cidr_parse_address(found.v[i], &address))) add_address(l, address);
	return OK;
}

/* "5.1.0.10.in-addr.arpa" */
static status reverse_name(struct look *l, struct str name)
{
	struct cidr address;
	bool yes;
	struct str rest = str_sub(name, 0, name.n - sizeof(".in-addr.arpa") + 1), parts[4];
	for (size_t i = 0; i < 4; i++) parts[3 - i] = str_cut(&rest, '.');
	struct str text = str_fmt(l->at.a, "%.*s.%.*s.%.*s.%.*s", STR_ARG(parts[0]), STR_ARG(parts[1]),
		STR_ARG(parts[2]), STR_ARG(parts[3]));
	if (str_has(rest) || !is_ok(cidr_parse_address(text, &address))) return OK;
	TRY(peers_allow(l, address, &yes));
	if (yes) add(l, DNS_PTR, ec2_private_dns_name(l->at.a, l->at.region, text));
	return OK;
}

static status published_name(struct look *l)
{
	struct ec2_rec_published_name r;
	struct cidr address;
	status s = ec2_dns_published(l->at.tx, l->at.a, l->q->name, &r);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	l->exists = true;
	l->ttl_s = r.one_of.v ? ONE_OF_TTL_S : PUBLISHED_TTL_S;
	if (r.one_of.v && r.addresses.n > 1) {
		r.addresses.v += rand_below(r.addresses.n);
		r.addresses.n = 1;
	}
	for (size_t i = 0; i < r.addresses.n; i++)
		if (is_ok(cidr_parse_address(r.addresses.v[i], &address))) add_address(l, address);
	return OK;
}

status ec2_dns_answer(struct ec2_place at, const struct ec2_rec_vpc *vpc, const struct dns_question *q,
	struct dns_answers *out, unsigned *code)
{
	struct look l = {.at = at, .vpc = vpc, .q = q, .out = out, .ttl_s = TTL_S};
	struct str rest = q->name, label = str_cut(&rest, '.');
	struct str inside = str_is(at.region, "us-east-1") ? STR("ec2.internal")
							   : str_fmt(at.a, "%.*s.compute.internal", STR_ARG(at.region));
	*out = (struct dns_answers){0};
	if (str_has(rest) && str_eq(rest, inside))
		TRY(private_name(&l, label));
	else if (str_ends(q->name, STR(".in-addr.arpa")))
		TRY(reverse_name(&l, q->name));
	else if (str_find(str_or(rest, STR("")), STR("elb.")) >= 0 && str_ends(q->name, STR(".localhost")))
		TRY(balancer_name(&l, label));
	else if (str_ends(q->name, STR(".vpce.amazonaws.com")))
		TRY(endpoint_name(&l, label));
	else if (str_ends(q->name, STR(".compute.amazonaws.com")) || str_ends(q->name, STR(".compute-1.amazonaws.com")))
		TRY(public_name(&l, label));
	else if (str_ends(q->name, STR(".amazonaws.com"))) {
		bool files;
		TRY(file_system_name(&l, &files));
		if (!files) TRY(published_name(&l));
		if (!files && !l.exists) TRY(service_name(&l));
	}
	*code = l.exists ? DNS_OK : DNS_NO_SUCH_NAME;
	return OK;
}
