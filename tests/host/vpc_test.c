/* A VPC decides each packet: security groups, network ACLs, routes, gateways; with real packets. Needs root. */
#include "lab.h"
#include "test.h"

/* The tracer's word has to be the packets'. */
static struct str probe(struct lab *l, const char *from, const char *to, int port)
{
	struct str got, why = STR_NONE;
	struct host_rec_trace q = {
		.source = str_c(from), .destination = str_c(to), .port = SOME_I32(port), .protocol = SOME_I32(6)};
	struct host_rec_traced out = {0};
	status s = host_trace(l->host, &l->arena, &q, &out, &why);
	/* What should arrive may take long on a busy machine; what should not is not waited for. */
	got = lab_ask(l, "tcp %s - %s %d %s", lab_ns(l, from), to, port, out.reachable.v ? "5" : "0.4");
	bool reachable = str_is(got, "ok");
	CHECK_OK(s);
	if (is_ok(s) && out.reachable.v != reachable) {
		fprintf(stderr, "%s to %s:%d is %.*s, but traced otherwise:\n", from, to, port, STR_ARG(got));
		for (size_t i = 0; i < out.hops.n; i++)
			fprintf(stderr, "  %.*s %.*s: %.*s\n", STR_ARG(out.hops.v[i].component),
				STR_ARG(out.hops.v[i].by), STR_ARG(out.hops.v[i].text));
	}
	CHECK(!is_ok(s) || out.reachable.v == reachable);
	return got;
}
#define TCP(l, from, to, port) probe((l), from, to, port)

/* Within a subnet the groups decide: also by membership, and at once when a rule changes. */
static void check_groups(struct lab *l)
{
	struct host_rec_vpc *v = lab_vpc(l, "vpc-groups", "10.0.0.0/16");
	lab_subnet(l, v, "subnet-a", "10.0.1.0/24");
	lab_rule(l, v, "sg-web", true, 0, "0.0.0.0/0");
	lab_rule(l, v, "sg-web", false, 80, "sg-client");
	lab_rule(l, v, "sg-client", true, 0, "0.0.0.0/0");
	lab_rule(l, v, "sg-mute", true, 81, "0.0.0.0/0");
	lab_interface(l, v, "eni-web", "subnet-a", "10.0.1.10", "sg-web");
	lab_interface(l, v, "eni-client", "subnet-a", "10.0.1.11", "sg-client");
	lab_interface(l, v, "eni-other", "subnet-a", "10.0.1.12", "sg-web");
	lab_interface(l, v, "eni-mute", "subnet-a", "10.0.1.13", "sg-mute");
	CHECK(lab_apply(l, v));
	for (int port = 80; port <= 81; port++)
		CHECK_STR(lab_ask(l, "serve %s 0.0.0.0 %d", lab_ns(l, "eni-web"), port), STR("ok"));
	CHECK_STR(TCP(l, "eni-client", "10.0.1.10", 80), STR("ok"));
	CHECK_STR(lab_ask(l, "peer %s 80", lab_ns(l, "eni-web")), STR("10.0.1.11"));
	CHECK_STR(TCP(l, "eni-client", "10.0.1.10", 81), STR("timeout"));
	CHECK_STR(TCP(l, "eni-other", "10.0.1.10", 80), STR("timeout")); /* no member of sg-client */
	CHECK_STR(TCP(l, "eni-mute", "10.0.1.10", 80), STR("timeout"));  /* its own group lets it send to 81 only */
	lab_rule(l, v, "sg-web", false, 80, "sg-web");
	CHECK(lab_apply(l, v));
	CHECK_STR(TCP(l, "eni-other", "10.0.1.10", 80), STR("ok"));
	LAB_ADD(l, &v->interfaces.v[3].groups) = STR("sg-client");
	CHECK(lab_apply(l, v));
	CHECK_STR(TCP(l, "eni-mute", "10.0.1.10", 80), STR("ok"));
	/* A forged source goes nowhere. */
	lab_ask(l, "sh ip -n %s addr add 10.0.1.77/32 dev eth0", lab_ns(l, "eni-client"));
	CHECK_STR(lab_ask(l, "tcp %s 10.0.1.77 10.0.1.10 80", lab_ns(l, "eni-client")), STR("timeout"));
	/* Connections that stand outlive the rule that let them in. */
	CHECK_STR(lab_ask(l, "hold %s 10.0.1.10 80 x", lab_ns(l, "eni-client")), STR("ok"));
	v->groups.v[0].rules.n = 1;
	CHECK(lab_apply(l, v));
	CHECK_STR(TCP(l, "eni-client", "10.0.1.10", 80), STR("timeout"));
	CHECK_STR(lab_ask(l, "held x"), STR("ok"));
	CHECK_OK(host_vpc_remove(l->host, v->id));
	CHECK(netns_open(str_c(lab_ns(l, "eni-web"))) < 0);
}

/* ACLs: stateless, numbered, only across a subnet's edge. */
static void check_acls(struct lab *l)
{
	struct host_rec_vpc *v = lab_vpc(l, "vpc-acls", "10.0.0.0/16");
	lab_subnet(l, v, "subnet-a", "10.0.1.0/24");
	lab_subnet(l, v, "subnet-b", "10.0.2.0/24");
	lab_rule(l, v, "sg-all", true, 0, "0.0.0.0/0");
	lab_rule(l, v, "sg-all", false, 0, "0.0.0.0/0");
	lab_interface(l, v, "eni-a1", "subnet-a", "10.0.1.10", "sg-all");
	lab_interface(l, v, "eni-a2", "subnet-a", "10.0.1.11", "sg-all");
	lab_interface(l, v, "eni-b1", "subnet-b", "10.0.2.10", "sg-all");
	CHECK(lab_apply(l, v));
	CHECK_STR(lab_ask(l, "serve %s 0.0.0.0 80", lab_ns(l, "eni-b1")), STR("ok"));
	CHECK_STR(lab_ask(l, "serve %s 0.0.0.0 80", lab_ns(l, "eni-a2")), STR("ok"));
	CHECK_STR(TCP(l, "eni-a1", "10.0.2.10", 80), STR("ok"));
	struct host_rec_acl *acl = &LAB_ADD(l, &v->acls);
	acl->id = STR("acl-b");
	struct host_rec_acl_entry deny = {.number = SOME_I32(90),
		.egress = SOME_BOOL(false),
		.allow = SOME_BOOL(false),
		.protocol = SOME_I32(6),
		.from = SOME_I32(80),
		.to = SOME_I32(80),
		.cidr = STR("10.0.1.10/32")};
	for (size_t i = 0; i < 2; i++) LAB_ADD(l, &acl->entries) = v->acls.v[0].entries.v[i];
	LAB_ADD(l, &acl->entries) = deny;
	v->subnets.v[1].acl = STR("acl-b");
	CHECK(lab_apply(l, v));
	CHECK_STR(TCP(l, "eni-a1", "10.0.2.10", 80), STR("timeout"));
	CHECK_STR(TCP(l, "eni-a2", "10.0.2.10", 80), STR("ok"));
	/* Stateless: without a way out for ephemeral ports no answer comes. */
	acl = &v->acls.v[1];
	acl->entries.v[1].protocol = SOME_I32(17);
	CHECK(lab_apply(l, v));
	CHECK_STR(TCP(l, "eni-a2", "10.0.2.10", 80), STR("timeout"));
	/* Within its subnet no ACL is asked. */
	v->subnets.v[0].acl = STR("acl-b");
	acl->entries.n = 0;
	CHECK(lab_apply(l, v));
	CHECK_STR(TCP(l, "eni-a1", "10.0.1.11", 80), STR("ok"));
	CHECK_STR(TCP(l, "eni-a1", "10.0.2.10", 80), STR("timeout"));
	/* A failed zone is silent. */
	v->subnets.v[0].acl = v->subnets.v[1].acl = STR("acl-open");
	v->subnets.v[1].down = SOME_BOOL(true);
	CHECK(lab_apply(l, v));
	CHECK_STR(TCP(l, "eni-a1", "10.0.2.10", 80), STR("timeout"));
	v->subnets.v[1].down = SOME_BOOL(false);
	CHECK(lab_apply(l, v));
	CHECK_STR(TCP(l, "eni-a1", "10.0.2.10", 80), STR("ok"));
	CHECK_OK(host_vpc_remove(l->host, v->id));
}

/* Public, private and isolated subnets: an elastic address, a NAT gateway out but not in, no way at all. */
static void check_gateways(struct lab *l)
{
	struct host_rec_vpc *v = lab_vpc(l, "vpc-gateways", "10.0.0.0/16");
	v->internet_gateway = STR("igw-1");
	lab_subnet(l, v, "subnet-pub", "10.0.1.0/24")->table = STR("rtb-pub");
	lab_subnet(l, v, "subnet-priv", "10.0.2.0/24")->table = STR("rtb-priv");
	lab_subnet(l, v, "subnet-iso", "10.0.3.0/24");
	lab_rule(l, v, "sg-all", true, 0, "0.0.0.0/0");
	lab_rule(l, v, "sg-all", false, 80, "0.0.0.0/0");
	lab_interface(l, v, "eni-web1", "subnet-pub", "10.0.1.10", "sg-all")->addresses.v[0].public =
		STR("203.0.113.10");
	lab_interface(l, v, "eni-web2", "subnet-pub", "10.0.1.11", "sg-all");
	lab_interface(l, v, "eni-app", "subnet-priv", "10.0.2.10", "sg-all");
	lab_interface(l, v, "eni-db", "subnet-iso", "10.0.3.10", "sg-all");
	struct host_rec_interface *nat = lab_interface(l, v, "eni-nat", "subnet-pub", "10.0.1.99", NULL);
	nat->kind = STR("nat"), nat->place = STR("nat-1");
	nat->addresses.v[0].public = STR("203.0.113.99");
	lab_route(l, v, "rtb-pub", "0.0.0.0/0", "igw-1");
	lab_route(l, v, "rtb-priv", "0.0.0.0/0", "nat-1");
	CHECK(lab_apply(l, v));
	struct host_rec_internet internet = {.generation = SOME_I64(1)};
	LAB_ADD(l, &internet.service_addresses) = STR("52.0.0.0/16");
	struct host_rec_applied applied;
	CHECK_OK(host_internet_apply(l->host, &l->arena, &internet, &applied, NULL));
	const char *world = lab_ns(l, "internet");
	CHECK_STR(lab_ask(l, "serve %s 0.0.0.0 80", world), STR("ok"));
	for (int i = 0; i < 3; i++) {
		const char *at[] = {"eni-web1", "eni-web2", "eni-app"};
		CHECK_STR(lab_ask(l, "serve %s 0.0.0.0 80", lab_ns(l, at[i])), STR("ok"));
	}
	CHECK_STR(TCP(l, "eni-web1", "198.51.100.1", 80), STR("ok"));
	CHECK_STR(lab_ask(l, "peer %s 80", world), STR("203.0.113.10"));
	CHECK_STR(TCP(l, "eni-web1", "52.0.7.8", 80), STR("ok"));          /* a service's address */
	CHECK_STR(TCP(l, "eni-web2", "198.51.100.1", 80), STR("timeout")); /* no public address */
	CHECK_STR(TCP(l, "eni-app", "198.51.100.1", 80), STR("ok"));
	CHECK_STR(lab_ask(l, "peer %s 80", world), STR("203.0.113.99"));
	CHECK_STR(TCP(l, "eni-db", "198.51.100.1", 80), STR("timeout"));
	CHECK_STR(TCP(l, "internet", "203.0.113.10", 80), STR("ok"));
	CHECK_STR(lab_ask(l, "peer %s 80", lab_ns(l, "eni-web1")), STR("198.51.100.1"));
	CHECK_STR(TCP(l, "internet", "203.0.113.99", 80), STR("timeout")); /* NAT: out, not in */
	CHECK_STR(TCP(l, "eni-web1", "203.0.113.10", 80), STR("ok"));      /* by its own public address */
	/* The elastic address moves to the other machine, also for who was connected. */
	CHECK_STR(lab_ask(l, "hold %s 203.0.113.10 80 y", world), STR("ok"));
	v->interfaces.v[0].addresses.v[0].public = STR_NONE;
	v->interfaces.v[1].addresses.v[0].public = STR("203.0.113.10");
	CHECK(lab_apply(l, v));
	CHECK_STR(TCP(l, "internet", "203.0.113.10", 80), STR("ok"));
	CHECK_STR(lab_ask(l, "peer %s 80", lab_ns(l, "eni-web2")), STR("198.51.100.1"));
	CHECK_STR(TCP(l, "eni-web1", "198.51.100.1", 80), STR("timeout"));
	CHECK(!str_is(lab_ask(l, "held y"), "ok"));
	/* virga's own sockets in there: metadata, and a client on the internet. */
	int fd = -1, client = -1;
	CHECK_OK(host_listen(l->host, STR("vpc-gateways"), STR("169.254.169.254"), 80, false, &fd));
	CHECK(status_is(
		host_listen(l->host, STR("vpc-gateways"), STR("169.254.169.254"), 80, false, &client), STATUS_BUSY));
	CHECK_STR(lab_ask(l, "hold %s 169.254.169.254 81 z", lab_ns(l, "eni-app")), STR("timeout"));
	if (fd >= 0) close(fd);
	CHECK_OK(host_connect(l->host, HOST_INTERNET, STR("203.0.113.10"), 80, &client));
	char answer[5] = "";
	for (int i = 0; i < 100 && write(client, "ping", 4) < 0; i++) usleep(10000);
	for (int i = 0; i < 100 && read(client, answer, 4) < 0; i++) usleep(10000);
	CHECK_STR(str_c(answer), STR("ping"));
	if (client >= 0) close(client);
	CHECK_OK(host_vpc_remove(l->host, v->id));
	CHECK(netns_open(str_c(lab_ns(l, "nat-1"))) < 0);
}

/* Three VPCs, two of them with the same addresses; a - b and b - c are peered, a - c are not. */
static void check_peering(struct lab *l)
{
	const char *ids[] = {"vpc-peer-a", "vpc-peer-b", "vpc-peer-c", "vpc-peer-d"};
	const char *cidrs[] = {"10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.1.0.0/16"};
	const char *at[] = {"10.1.1.10", "10.2.1.10", "10.3.1.10", "10.1.1.10"},
		   *enis[] = {"eni-pa", "eni-pb", "eni-pc", "eni-pd"};
	const char *subnets[] = {"10.1.1.0/24", "10.2.1.0/24", "10.3.1.0/24", "10.1.1.0/24"};
	struct host_rec_vpc *v[4];
	for (int i = 0; i < 4; i++) {
		v[i] = lab_vpc(l, ids[i], cidrs[i]);
		lab_subnet(l, v[i], "subnet-x", subnets[i]);
		lab_rule(l, v[i], "sg-all", true, 0, "0.0.0.0/0");
		lab_rule(l, v[i], "sg-all", false, 0, "0.0.0.0/0");
		lab_interface(l, v[i], enis[i], "subnet-x", at[i], "sg-all");
	}
	LAB_ADD(l, &v[0]->peerings) = (struct host_rec_peering){.id = STR("pcx-ab"), .vpc = v[1]->id};
	LAB_ADD(l, &v[1]->peerings) = (struct host_rec_peering){.id = STR("pcx-ab"), .vpc = v[0]->id};
	LAB_ADD(l, &v[1]->peerings) = (struct host_rec_peering){.id = STR("pcx-bc"), .vpc = v[2]->id};
	LAB_ADD(l, &v[2]->peerings) = (struct host_rec_peering){.id = STR("pcx-bc"), .vpc = v[1]->id};
	lab_route(l, v[0], "rtb-main", "10.2.0.0/16", "pcx-ab");
	lab_route(l, v[0], "rtb-main", "10.3.0.0/16", "pcx-ab"); /* in vain */
	lab_route(l, v[1], "rtb-main", "10.1.0.0/16", "pcx-ab");
	lab_route(l, v[1], "rtb-main", "10.3.0.0/16", "pcx-bc");
	lab_route(l, v[2], "rtb-main", "10.2.0.0/16", "pcx-bc");
	lab_route(l, v[2], "rtb-main", "10.1.0.0/16", "pcx-bc");
	for (int i = 0; i < 4; i++) {
		CHECK(lab_apply(l, v[i]));
		CHECK_STR(lab_ask(l, "serve %s 0.0.0.0 80", lab_ns(l, enis[i])), STR("ok"));
	}
	CHECK_STR(TCP(l, "eni-pa", "10.2.1.10", 80), STR("ok"));
	CHECK_STR(lab_ask(l, "peer %s 80", lab_ns(l, "eni-pb")), STR("10.1.1.10"));
	CHECK_STR(TCP(l, "eni-pb", "10.1.1.10", 80), STR("ok"));
	CHECK_STR(lab_ask(l, "peer %s 80", lab_ns(l, "eni-pd")), STR("nobody")); /* the twin heard nothing */
	CHECK_STR(lab_ask(l, "peer %s 80", lab_ns(l, "eni-pa")), STR("10.2.1.10"));
	CHECK_STR(TCP(l, "eni-pc", "10.2.1.10", 80), STR("ok"));
	CHECK_STR(TCP(l, "eni-pa", "10.3.1.10", 80), STR("timeout")); /* not transitive */
	CHECK_STR(TCP(l, "eni-pc", "10.1.1.10", 80), STR("timeout"));
	v[1]->peerings.n = 1;
	v[2]->peerings.n = 0;
	CHECK(lab_apply(l, v[1]));
	CHECK(lab_apply(l, v[2]));
	CHECK_STR(TCP(l, "eni-pc", "10.2.1.10", 80), STR("timeout"));
	CHECK_STR(TCP(l, "eni-pa", "10.2.1.10", 80), STR("ok"));
	for (int i = 0; i < 4; i++) CHECK_OK(host_vpc_remove(l->host, v[i]->id));
}

/* A transit gateway: three VPCs, of which two may speak. */
static void check_transit(struct lab *l)
{
	const char *ids[] = {"vpc-t-a", "vpc-t-b", "vpc-t-c"}, *enis[] = {"eni-ta", "eni-tb", "eni-tc"};
	struct host_rec_vpc *v[3];
	struct host_rec_transit_gateway t = {.id = STR("tgw-1"), .generation = SOME_I64(1)};
	LAB_ADD(l, &t.tables).id = STR("tgw-rtb-1");
	LAB_ADD(l, &t.tables).id = STR("tgw-rtb-2");
	for (int i = 0; i < 3; i++) {
		struct arena *a = &l->arena;
		v[i] = lab_vpc(l, ids[i], str_fmt(a, "10.%d.0.0/16", i + 1).p);
		lab_subnet(l, v[i], "subnet-t", str_fmt(a, "10.%d.1.0/24", i + 1).p);
		lab_rule(l, v[i], "sg-all", true, 0, "0.0.0.0/0");
		lab_rule(l, v[i], "sg-all", false, 0, "0.0.0.0/0");
		lab_interface(l, v[i], enis[i], "subnet-t", str_fmt(a, "10.%d.1.10", i + 1).p, "sg-all");
		lab_route(l, v[i], "rtb-main", "10.0.0.0/8", "tgw-1");
		struct host_rec_attachment *x = &LAB_ADD(l, &v[i]->attachments);
		*x = (struct host_rec_attachment){.id = str_fmt(a, "tgw-attach-%d", i), .transit_gateway = t.id};
		LAB_ADD(l, &x->subnets) = STR("subnet-t");
		LAB_ADD(l, &t.attachments) = (struct host_rec_tgw_attachment){
			.id = x->id, .other = str_c(ids[i]), .table = i == 2 ? STR("tgw-rtb-2") : STR("tgw-rtb-1")};
		LAB_ADD(l, &t.tables.v[0].routes) = (struct host_rec_tgw_route){
			.destination = str_fmt(a, "10.%d.0.0/16", i + 1), .attachment = i == 2 ? STR_NONE : x->id};
		CHECK(lab_apply(l, v[i]));
	}
	struct host_rec_applied applied;
	CHECK_OK(host_tgw_apply(l->host, &l->arena, &t, &applied, NULL));
	for (int i = 0; i < 3; i++) CHECK_STR(lab_ask(l, "serve %s 0.0.0.0 80", lab_ns(l, enis[i])), STR("ok"));
	CHECK_STR(TCP(l, "eni-ta", "10.2.1.10", 80), STR("ok"));
	CHECK_STR(TCP(l, "eni-ta", "10.3.1.10", 80), STR("timeout")); /* a blackhole */
	CHECK_STR(TCP(l, "eni-tc", "10.1.1.10", 80), STR("timeout")); /* its table is empty */
	CHECK_OK(host_tgw_remove(l->host, t.id));
	CHECK_STR(TCP(l, "eni-ta", "10.2.1.10", 80), STR("timeout"));
	for (int i = 0; i < 3; i++) CHECK_OK(host_vpc_remove(l->host, v[i]->id));
}

/* The way to S3 and its like: private addresses, no gateway. And a route through an appliance. */
static void check_endpoints(struct lab *l)
{
	struct host_rec_vpc *v = lab_vpc(l, "vpc-ends", "10.0.0.0/16");
	struct host_rec_prefix_list *list = &LAB_ADD(l, &v->prefix_lists);
	list->id = STR("pl-s3");
	LAB_ADD(l, &list->cidrs) = STR("52.216.0.0/15");
	LAB_ADD(l, &v->gateway_endpoints) = STR("vpce-1");
	lab_route(l, v, "rtb-main", "pl-s3", "vpce-1");
	lab_subnet(l, v, "subnet-a", "10.0.1.0/24");
	lab_subnet(l, v, "subnet-f", "10.0.9.0/24")->table = STR("rtb-f");
	lab_subnet(l, v, "subnet-b", "10.0.2.0/24")->table = STR("rtb-f");
	lab_route(l, v, "rtb-f", "10.9.0.0/16", "eni-gone");
	lab_route(l, v, "rtb-main", "192.0.2.0/24", "eni-firewall");
	lab_rule(l, v, "sg-s3", true, 80, "pl-s3");
	lab_rule(l, v, "sg-all", true, 0, "0.0.0.0/0");
	lab_rule(l, v, "sg-all", false, 0, "0.0.0.0/0");
	lab_interface(l, v, "eni-a", "subnet-a", "10.0.1.10", "sg-s3");
	lab_interface(l, v, "eni-b", "subnet-a", "10.0.1.11", "sg-all");
	lab_interface(l, v, "eni-firewall", "subnet-f", "10.0.9.10", "sg-all")->check = SOME_BOOL(false);
	CHECK(lab_apply(l, v));
	int fd = -1;
	CHECK_OK(host_listen(l->host, host_place_aws(&l->arena, v->id), STR("0.0.0.0"), 81, false, &fd));
	if (fd >= 0) close(fd);
	CHECK_STR(lab_ask(l, "serve %s 0.0.0.0 80", lab_ns(l, "vpc-ends.aws")), STR("ok"));
	CHECK_STR(TCP(l, "eni-a", "52.216.3.4", 80), STR("ok"));
	CHECK_STR(lab_ask(l, "peer %s 80", lab_ns(l, "vpc-ends.aws")), STR("10.0.1.10"));
	CHECK_STR(TCP(l, "eni-b", "52.218.3.4", 80), STR("timeout")); /* no route leads there */
	/* An appliance that knows the address which the route leads to it. */
	lab_ask(l, "sh ip -n %s addr add 192.0.2.7/32 dev lo", lab_ns(l, "eni-firewall"));
	CHECK_STR(lab_ask(l, "serve %s 0.0.0.0 80", lab_ns(l, "eni-firewall")), STR("ok"));
	CHECK_STR(TCP(l, "eni-b", "192.0.2.7", 80), STR("ok"));
	v->interfaces.v[2].check = SOME_BOOL(true);
	CHECK(lab_apply(l, v));
	CHECK_STR(TCP(l, "eni-b", "192.0.2.7", 80), STR("timeout"));
	CHECK_OK(host_vpc_remove(l->host, v->id));
}

static const struct host_rec_flow *find_flow(
	const struct host_rec_flows *f, const char *interface, const char *from, bool egress, bool accepted)
{
	for (size_t i = 0; i < f->flows.n; i++) {
		const struct host_rec_flow *x = &f->flows.v[i];
		if (str_eq(x->interface, str_c(interface)) && str_eq(x->source, str_c(from)) && x->egress.v == egress &&
			x->accepted.v == accepted)
			return x;
	}
	return NULL;
}

/* What was let through, and what was not, is told for each interface that is asked about. */
static void check_flows(struct lab *l)
{
	struct host_rec_vpc *v = lab_vpc(l, "vpc-flows", "10.0.0.0/16");
	lab_subnet(l, v, "subnet-a", "10.0.1.0/24");
	lab_rule(l, v, "sg-web", true, 0, "0.0.0.0/0");
	lab_rule(l, v, "sg-web", false, 80, "0.0.0.0/0");
	lab_interface(l, v, "eni-f1", "subnet-a", "10.0.1.10", "sg-web")->flow_log = STR("ALL");
	lab_interface(l, v, "eni-f2", "subnet-a", "10.0.1.11", "sg-web")->flow_log = STR("ALL");
	lab_interface(l, v, "eni-f3", "subnet-a", "10.0.1.12", "sg-web");
	CHECK(lab_apply(l, v));
	CHECK_STR(lab_ask(l, "serve %s 0.0.0.0 80", lab_ns(l, "eni-f2")), STR("ok"));
	CHECK_STR(TCP(l, "eni-f1", "10.0.1.11", 80), STR("ok"));
	CHECK_STR(TCP(l, "eni-f3", "10.0.1.11", 81), STR("timeout"));
	struct host_rec_flows flows = {0};
	CHECK_OK(host_flows(l->host, &l->arena, &flows));
	const struct host_rec_flow *asked = find_flow(&flows, "eni-f2", "10.0.1.10", false, true);
	const struct host_rec_flow *answered = find_flow(&flows, "eni-f2", "10.0.1.11", true, true);
	const struct host_rec_flow *sent = find_flow(&flows, "eni-f1", "10.0.1.10", true, true);
	const struct host_rec_flow *refused = find_flow(&flows, "eni-f2", "10.0.1.12", false, false);
	CHECK(asked && asked->packets.v >= 4 && asked->bytes.v > 160 && asked->destination_port.v == 80);
	CHECK(answered && answered->source_port.v == 80 && answered->bytes.v > 160);
	CHECK(sent && asked && sent->bytes.v == asked->bytes.v);
	CHECK(refused && refused->destination_port.v == 81 && refused->protocol.v == 6 && str_is(refused->by, "sg"));
	CHECK(refused && refused->last_ago.v >= 0 && refused->last_ago.v < 60000);
	CHECK(!find_flow(&flows, "eni-f3", "10.0.1.12", true, true)); /* nobody asked about it */
	CHECK_OK(host_flows(l->host, &l->arena, &flows));
	CHECK(!find_flow(&flows, "eni-f2", "10.0.1.12", false, false)); /* told once */
	CHECK_OK(host_vpc_remove(l->host, v->id));
}

/* What contradicts itself, or is no id, address or CIDR, changes nothing. */
static void check_bad(struct lab *l)
{
	struct host_rec_vpc *v = lab_vpc(l, "vpc-bad", "10.0.0.0/16");
	lab_subnet(l, v, "subnet-a", "10.0.1.0/24");
	lab_interface(l, v, "eni-a", "subnet-a", "10.0.1.10", "sg-none");
	struct host_rec_applied out;
	struct str why = STR_NONE;
	CHECK(status_is(host_vpc_apply(l->host, &l->arena, v, &out, &why), STATUS_INVALID));
	CHECK(str_has(why));
	v->interfaces.v[0].groups.n = 0;
	v->interfaces.v[0].mac = STR("02:00:00:00:00:zz");
	CHECK(status_is(host_vpc_apply(l->host, &l->arena, v, &out, &why), STATUS_INVALID));
	v->interfaces.v[0].mac = STR("02:00:00:00:00:01");
	v->subnets.v[0].cidr = STR("10.0.1.1/24");
	CHECK(status_is(host_vpc_apply(l->host, &l->arena, v, &out, &why), STATUS_INVALID));
	v->subnets.v[0].cidr = STR("10.0.1.0/24");
	v->id = STR("vpc-1; drop");
	CHECK(status_is(host_vpc_apply(l->host, &l->arena, v, &out, &why), STATUS_INVALID));
	CHECK(netns_open(str_c(lab_ns(l, "vpc-bad"))) < 0);
}

/* Of one lab, because a process gives up its capabilities but once. */
TEST(packets)
{
	struct lab l;
	if (!lab_begin(&l)) {
		lab_end(&l);
		SKIP(l.skip);
	}
	static void (*const parts[])(struct lab *) = {check_groups, check_acls, check_gateways, check_peering,
		check_transit, check_endpoints, check_flows, check_bad};
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) parts[i](&l);
	struct str prefix = host_prefix(l.host), *left;
	size_t n = 0;
	prefix = str_dup(&l.arena, prefix);
	CHECK_OK(host_clear(l.host));
	left = netns_list(&l.arena, prefix, &n);
	CHECK(n == 0 && (left || true));
	lab_end(&l);
}

TEST_MAIN()
