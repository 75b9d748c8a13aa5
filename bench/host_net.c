/* What a VPC costs: making 50 interfaces, changing a rule, throughput against a bare veth pair in the same run, also
 * with 1,000 rules and with flow logs. Needs root; run it from the repository's root. Arguments: parts to run
 * (interfaces, changes, throughput). Beside the time on the clock stands the processors' time of this process and of the
 * agent, which a busy machine changes less. */
#include "clock/clock.h"
#include "host/lab.h"
#include <time.h>

#define INTERFACES 50
#define CHANGES 41
#define ROUNDS 15
#define TURNS 7
#define GONE_US 1500000u

/* Of a process's first thread: proc(5), /proc/PID/schedstat. */
static int64_t processor_ns(int pid)
{
	char path[64];
	long long ns = 0;
	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	FILE *f = fopen(path, "re");
	if (f && fscanf(f, "%lld", &ns) != 1) ns = 0;
	if (f) fclose(f);
	return ns;
}

/* The child of that name; 0. */
static int child_of(int pid, const char *name)
{
	char path[64], is[32];
	int child, found = 0;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	FILE *f = fopen(path, "re");
	while (f && !found && fscanf(f, "%d", &child) == 1) {
		snprintf(path, sizeof(path), "/proc/%d/comm", child);
		FILE *c = fopen(path, "re");
		if (c && fgets(is, sizeof(is), c) && strncmp(is, name, strlen(name)) == 0) found = child;
		if (c) fclose(c);
	}
	if (f) fclose(f);
	return found;
}

static int64_t used_us(void)
{
	struct timespec own;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
	int keeper = child_of(getpid(), "virga-keeper"), agent = keeper ? child_of(keeper, "virga-agent") : 0;
	return (own.tv_sec * 1000000000LL + own.tv_nsec + (agent ? processor_ns(agent) : 0)) / 1000;
}

/* used: added to; NULL. */
static int64_t apply_us(struct lab *l, struct host_rec_vpc *v, int64_t *used)
{
	int64_t before = used ? used_us() : 0, begun = clock_monotonic_us();
	if (!lab_apply(l, v)) exit(1);
	int64_t took = clock_monotonic_us() - begun;
	if (used) *used += used_us() - before;
	return took;
}

static int by_size(const void *x, const void *y)
{
	int64_t p = *(const int64_t *)x, q = *(const int64_t *)y;
	return p < q ? -1 : p > q;
}

static int64_t median(int64_t *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_size);
	return v[n / 2];
}

static void measure_interfaces(struct lab *l)
{
	int64_t took[TURNS], used = 0;
	for (int turn = 0; turn < TURNS; turn++) {
		struct host_rec_vpc *v = lab_vpc(l, str_fmt(&l->arena, "vpc-many-%d", turn).p, "10.0.0.0/16");
		lab_subnet(l, v, "subnet-a", "10.0.1.0/24");
		lab_rule(l, v, "sg-all", true, 0, "0.0.0.0/0");
		apply_us(l, v, NULL);
		for (int i = 0; i < INTERFACES; i++)
			lab_interface(l, v, str_fmt(&l->arena, "eni-m%d-%d", turn, i).p, "subnet-a",
				str_fmt(&l->arena, "10.0.1.%d", i + 10).p, "sg-all");
		took[turn] = apply_us(l, v, &used);
		if (!is_ok(host_vpc_remove(l->host, v->id))) exit(1);
		/* The kernel takes namespaces apart after it has answered, with locks that the next turn wants. */
		usleep(GONE_US);
	}
	double middle = (double)median(took, TURNS) / 1000;
	printf("%d interfaces with their namespaces   %7.1f ms, best %.1f (median of %d), %.1f ms of the processors\n",
		INTERFACES, middle, (double)took[0] / 1000, TURNS, (double)used / TURNS / 1000);
}

static void measure_changes(struct lab *l, int rules)
{
	struct host_rec_vpc *v = lab_vpc(l, "vpc-change", "10.0.0.0/16");
	int64_t added[CHANGES], removed[CHANGES], used[2] = {0};
	lab_subnet(l, v, "subnet-a", "10.0.1.0/24");
	for (int i = 0; i < rules; i++)
		lab_rule(l, v, "sg-all", false, 1000 + i, str_fmt(&l->arena, "10.1.%d.%d/32", i / 250, i % 250).p);
	lab_rule(l, v, "sg-all", true, 0, "0.0.0.0/0");
	for (int i = 0; i < INTERFACES; i++)
		lab_interface(l, v, str_fmt(&l->arena, "eni-c%d", i).p, "subnet-a",
			str_fmt(&l->arena, "10.0.1.%d", i + 10).p, "sg-all");
	apply_us(l, v, NULL);
	struct host_rec_rules before = v->groups.v[0].rules;
	for (int i = 0; i < CHANGES; i++) {
		lab_rule(l, v, "sg-all", false, 80, "10.0.0.0/8");
		added[i] = apply_us(l, v, &used[0]);
		v->groups.v[0].rules = before;
		removed[i] = apply_us(l, v, &used[1]);
	}
	for (int less = 0; less < 2; less++) {
		int64_t *took = less ? removed : added;
		double middle = (double)median(took, CHANGES) / 1000;
		printf("a rule %s, of %4d, %d interfaces    %7.2f ms, best %.2f (median of %d), %.2f ms of the processors\n",
			less ? "less" : "more", rules, INTERFACES, middle, (double)took[0] / 1000, CHANGES,
			(double)used[less] / CHANGES / 1000);
	}
	if (!is_ok(host_vpc_remove(l->host, v->id))) exit(1);
}

static int64_t flood(struct lab *l, const char *from, const char *to)
{
	struct str s = lab_ask(l, "flood %s %s 5001 1", from, to);
	int64_t v = 0;
	if (!is_ok(str_to_i64(s, &v))) fprintf(stderr, "flood: %.*s\n", STR_ARG(s)), exit(1);
	return v;
}

/* Thousandths of what the other took in the same round. */
static double ratio(const int64_t *x, const int64_t *y)
{
	int64_t of[ROUNDS];
	for (int i = 0; i < ROUNDS; i++) of[i] = y[i] ? x[i] * 1000 / y[i] : 0;
	return (double)median(of, ROUNDS) / 1000;
}

static void measure_throughput(struct lab *l)
{
	const char *bare_a = lab_ns(l, "bare-a"), *bare_b = lab_ns(l, "bare-b");
	int64_t got[4][ROUNDS];
	lab_ask(l,
		"sh ip netns add %s && ip netns add %s && ip link add va mtu 9001 netns %s type veth peer name vb mtu "
		"9001 netns %s",
		bare_a, bare_b, bare_a, bare_b);
	lab_ask(l,
		"sh ip -n %s addr add 10.0.9.1/24 dev va; ip -n %s link set va up; ip -n %s addr add 10.0.9.2/24 dev "
		"vb; ip -n %s link set vb up",
		bare_a, bare_a, bare_b, bare_b);
	struct host_rec_vpc *v = lab_vpc(l, "vpc-speed", "10.0.0.0/16");
	lab_subnet(l, v, "subnet-a", "10.0.1.0/24");
	lab_rule(l, v, "sg-few", true, 0, "0.0.0.0/0");
	lab_rule(l, v, "sg-few", false, 5001, "10.0.0.0/16");
	for (int i = 0; i < 1000; i++) lab_rule(l, v, "sg-many", false, 6000 + i, "10.0.0.0/16");
	lab_rule(l, v, "sg-many", false, 5001, "10.0.0.0/16");
	lab_interface(l, v, "eni-from", "subnet-a", "10.0.1.10", "sg-few");
	lab_interface(l, v, "eni-few", "subnet-a", "10.0.1.11", "sg-few");
	lab_interface(l, v, "eni-many", "subnet-a", "10.0.1.12", "sg-many");
	lab_interface(l, v, "eni-logged", "subnet-a", "10.0.1.13", "sg-few");
	apply_us(l, v, NULL);
	lab_ask(l, "sink %s 10.0.9.2 5001", bare_b);
	lab_ask(l, "sink %s 10.0.1.11 5001", lab_ns(l, "eni-few"));
	lab_ask(l, "sink %s 10.0.1.12 5001", lab_ns(l, "eni-many"));
	lab_ask(l, "sink %s 10.0.1.13 5001", lab_ns(l, "eni-logged"));
	for (int round = 0; round < ROUNDS; round++) {
		const char *from = lab_ns(l, "eni-from"), *to[] = {"10.0.9.2", "10.0.1.11", "10.0.1.12", "10.0.1.13"};
		for (int i = 0; i < 4; i++) {
			v->interfaces.v[3].flow_log = i == 3 ? STR("ALL") : STR_NONE;
			if (i == 0 || i == 3) apply_us(l, v, NULL);
			got[i][round] = flood(l, i ? from : bare_a, to[i]);
		}
	}
	double few = ratio(got[1], got[0]), many = ratio(got[2], got[1]), logged = ratio(got[3], got[1]);
	const char *const what[] = {"a bare veth pair", "through a VPC", "  with 1,000 rules", "  with flow logs"};
	for (int i = 0; i < 4; i++) {
		double of = i == 0 ? 1 : i == 1 ? few : i == 2 ? many : logged;
		printf("%-36s  %7.2f Gbit/s, ratio %.2f of %s (medians of %d rounds)\n", what[i],
			(double)median(got[i], ROUNDS) / 1000, of, i < 2 ? "bare" : "few rules without logs", ROUNDS);
	}
}

static bool asked(int argc, char **argv, const char *part)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], part) == 0) return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	struct lab l;
	if (!lab_begin(&l)) {
		printf("skipped: %s\n", l.skip);
		lab_end(&l);
		return 77;
	}
	if (asked(argc, argv, "interfaces")) measure_interfaces(&l);
	if (asked(argc, argv, "changes")) measure_changes(&l, 10);
	if (asked(argc, argv, "changes")) measure_changes(&l, 1000);
	if (asked(argc, argv, "throughput")) measure_throughput(&l);
	lab_end(&l);
	return 0;
}
