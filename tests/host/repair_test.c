/* What survives, and what is made good: the agent killed under a connection, rules and links that foreign hands change,
 * a virga that dies without a word. Needs root. */
#include "lab.h"
#include "test.h"
#include <limits.h>
#include <stdatomic.h>

static atomic_int repaired, restarted;

static void on_event(void *ctx, enum host_event_kind kind, const void *detail)
{
	(void)ctx, (void)detail;
	if (kind == HOST_REPAIRED) atomic_fetch_add(&repaired, 1);
	if (kind == HOST_AGENT_RESTARTED) atomic_fetch_add(&restarted, 1);
}

static bool wait_for(atomic_int *what, int times)
{
	for (int i = 0; i < 500 && atomic_load(what) < times; i++) usleep(10000);
	return atomic_load(what) >= times;
}

static struct host_rec_vpc *two_machines(struct lab *l)
{
	struct host_rec_vpc *v = lab_vpc(l, "vpc-repair", "10.0.0.0/16");
	v->internet_gateway = STR("igw-1");
	lab_subnet(l, v, "subnet-a", "10.0.1.0/24");
	lab_subnet(l, v, "subnet-b", "10.0.2.0/24");
	lab_route(l, v, "rtb-main", "0.0.0.0/0", "igw-1");
	lab_rule(l, v, "sg-all", true, 0, "0.0.0.0/0");
	lab_rule(l, v, "sg-all", false, 80, "10.0.0.0/16");
	lab_interface(l, v, "eni-a", "subnet-a", "10.0.1.10", "sg-all");
	lab_interface(l, v, "eni-b", "subnet-b", "10.0.2.10", "sg-all");
	return v;
}

static pid_t agent_pid(struct lab *l)
{
	struct str line = lab_ask(l, "sh pgrep -P $(pgrep -P %d -x virga-keeper) -x virga-agent", (int)getpid());
	int code = 1, pid = 0;
	sscanf(line.p, "%d %d", &code, &pid);
	return code == 0 ? pid : -1;
}

static int changes_of(struct lab *l, struct host_rec_vpc *v)
{
	struct host_rec_applied out = {0};
	v->generation.v++;
	return is_ok(host_vpc_apply(l->host, &l->arena, v, &out, NULL)) ? out.changes.v : -1;
}

static void check_agent_dies(struct lab *l, struct host_rec_vpc *v)
{
	CHECK(changes_of(l, v) > 10);
	CHECK(changes_of(l, v) == 0); /* what stands is left alone */
	CHECK_STR(lab_ask(l, "serve %s 0.0.0.0 80", lab_ns(l, "eni-b")), STR("ok"));
	CHECK_STR(lab_ask(l, "hold %s 10.0.2.10 80 c", lab_ns(l, "eni-a")), STR("ok"));
	pid_t first = agent_pid(l);
	CHECK(first > 0);
	lab_ask(l, "sh kill -9 %d", (int)first);
	CHECK(wait_for(&restarted, 1));
	CHECK_STR(lab_ask(l, "held c"), STR("ok"));
	CHECK(changes_of(l, v) >= 0);
	CHECK_STR(lab_ask(l, "held c"), STR("ok"));
	CHECK(agent_pid(l) > 0 && agent_pid(l) != first);
	/* An interface that was taken out while nobody listened. */
	lab_ask(l, "sh kill -9 %d", (int)agent_pid(l));
	CHECK(wait_for(&restarted, 2));
	struct host_rec_interfaces all = v->interfaces;
	v->interfaces.n = 1;
	CHECK(changes_of(l, v) > 0);
	CHECK(netns_open(str_c(lab_ns(l, "eni-b"))) < 0);
	v->interfaces = all;
	CHECK(changes_of(l, v) > 0);
	CHECK_STR(lab_ask(l, "serve %s 0.0.0.0 80", lab_ns(l, "eni-b")), STR("ok"));
	CHECK_STR(lab_ask(l, "tcp %s - 10.0.2.10 80", lab_ns(l, "eni-a")), STR("ok"));
}

/* Each of these would open, or close, the VPC until somebody looked. */
static void check_foreign_hands(struct lab *l, struct host_rec_vpc *v)
{
	const char *router = lab_ns(l, "vpc-repair");
	const char *harm[] = {"nft flush chain inet virga gates", "nft delete table inet virga",
		"ip route flush table 100", "ip rule flush", "ip link delete eeni-b", "ip link set eeni-a down",
		"nft add rule inet virga self drop", "nft insert rule inet virga arrive drop"};
	CHECK(changes_of(l, v) == 0);
	for (size_t i = 0; i < sizeof(harm) / sizeof(*harm); i++) {
		int before = atomic_load(&repaired);
		CHECK_STR(lab_ask(l, "sh ip netns exec %s %s", router, harm[i]), STR("0 "));
		if (!wait_for(&repaired, before + 1)) fprintf(stderr, "not repaired: %s\n", harm[i]), CHECK(false);
		CHECK_STR(lab_ask(l, "tcp %s - 10.0.2.10 80", lab_ns(l, "eni-a")), STR("ok"));
		CHECK_STR(lab_ask(l, "tcp %s - 10.0.2.10 81", lab_ns(l, "eni-a")), STR("timeout"));
	}
	CHECK(changes_of(l, v) == 0);
}

/* A second virga of the same folder, after the first died, finds all of it. */
static void check_virga_dies(struct lab *l, struct host_rec_vpc *v)
{
	CHECK_STR(lab_ask(l, "hold %s 10.0.2.10 80 d", lab_ns(l, "eni-a")), STR("ok"));
	host_stop(l->host, false);
	CHECK_STR(lab_ask(l, "held d"), STR("ok"));
	(void)v;
}

TEST(survives)
{
	struct lab l;
	if (!lab_begin(&l)) {
		lab_end(&l);
		SKIP(l.skip);
	}
	host_subscribe(l.host, on_event, NULL);
	struct host_rec_vpc *v = two_machines(&l);
	check_agent_dies(&l, v);
	check_foreign_hands(&l, v);
	struct str prefix = str_dup(&l.arena, host_prefix(l.host));
	check_virga_dies(&l, v);
	l.host = NULL;
	rmdir(l.dir);
	/* Nobody will come for it again: the next agent, of whichever virga, takes it away. (Of another process: this one
	 * has given up its capabilities.) */
	char self[PATH_MAX] = "";
	CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	CHECK(str_starts(lab_ask(&l, "sh %s sweeps", self), STR("0 ")));
	CHECK(access(str_fmt(&l.arena, "/run/virga/%.*s", STR_ARG(prefix)).p, F_OK) != 0);
	size_t n = 0;
	netns_list(&l.arena, prefix, &n);
	CHECK(n == 0);
	lab_end(&l);
}

TEST(sweeps)
{
	struct lab l;
	if (!lab_begin(&l)) {
		lab_end(&l);
		SKIP(l.skip);
	}
	CHECK_OK(host_clear(l.host));
	lab_end(&l);
}

TEST_MAIN()
