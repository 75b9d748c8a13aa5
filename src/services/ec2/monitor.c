/* Metrics of real instances ("List the available CloudWatch metrics for your instances"): processor, network and disks
 * as the host counts them, every minute where monitoring is detailed, else every five; status checks every minute. They
 * are also told of the instance's Auto Scaling group, and, where monitoring is detailed, of its image and its type. A
 * share of the processor is of what the machine's control group lets it have, over real time: virtual time may have
 * been moved. Simulated instances use nothing, and tell nothing. */
#include "services/ec2/monitor.h"
#include "base/log.h"
#include "host/compute/machine.h"
#include "services/cloudwatch/metrics.h"
#include "services/ec2/instance.h"
#include "services/ec2/machine.h"
#include <unistd.h>

static const char kind[] = "ec2.monitor";
enum { MINUTE_MS = 60000, SETS = 4 };

struct told {
	struct metric_point *v;
	size_t n, capacity;
};
/* An instance's points, each for every set of dimensions. */
struct teller {
	struct ec2_place at;
	int64_t now_ms;
	struct metric_dimension dimensions[SETS][1];
	size_t n_sets;
	struct told out;
};

static void tell(struct teller *t, const char *name, const char *unit, double value)
{
	for (size_t i = 0; i < t->n_sets; i++) {
		struct metric *m = arena_new(t->at.a, struct metric);
		*m = (struct metric){t->at.account, t->at.region, STR("AWS/EC2"), str_c(name), t->dimensions[i], 1};
		*VEC_PUSH(t->at.a, &t->out, &t->out.capacity) = (struct metric_point){
			.metric = m, .at_ms = t->now_ms - MINUTE_MS, .unit = unit, .value = value};
	}
}

static struct str usage_key(struct arena *a, struct str id)
{
	struct key k = key_for(a, STR("ec2"), STR("usage"), STR(""), STR(""));
	key_str(&k, id);
	return key_done(&k);
}

/* What was used since the last time; all of it, where the machine has started anew since. */
static double since(struct opt_i64 now, struct opt_i64 before)
{
	return (double)(now.v >= before.v ? now.v - before.v : now.v);
}

static void tell_usage(
	struct teller *t, const struct compute_rec_machine_status *s, const struct ec2_rec_usage *before, bool first)
{
	long there = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t now_us = clock_monotonic_us(), up_us = s->up_ms.v * 1000;
	int64_t wall = first || before->at.v > now_us || now_us - before->at.v > up_us ? up_us : now_us - before->at.v;
	double cpus = s->cpu_percent.has ? (double)s->cpu_percent.v / 100 : (double)there,
	       busy = since(s->cpu_us, before->cpu_us);
	if (there > 0 && cpus > (double)there) cpus = (double)there;
	if (wall > 0 && cpus > 0) {
		double percent = 100 * busy / ((double)wall * cpus);
		tell(t, "CPUUtilization", "Percent", percent < 100 ? percent : 100);
	}
	tell(t, "NetworkIn", "Bytes", since(s->received_bytes, before->received_bytes));
	tell(t, "NetworkOut", "Bytes", since(s->sent_bytes, before->sent_bytes));
	tell(t, "NetworkPacketsIn", "Count", since(s->received_packets, before->received_packets));
	tell(t, "NetworkPacketsOut", "Count", since(s->sent_packets, before->sent_packets));
	tell(t, "EBSReadBytes", "Bytes", since(s->read_bytes, before->read_bytes));
	tell(t, "EBSWriteBytes", "Bytes", since(s->written_bytes, before->written_bytes));
	tell(t, "EBSReadOps", "Count", since(s->reads, before->reads));
	tell(t, "EBSWriteOps", "Count", since(s->writes, before->writes));
}

static status add_group(struct teller *t, struct str id)
{
	struct ec2_tag_list tags = {0};
	TRY(ec2_tags_get(t->at, id, &tags));
	for (size_t i = 0; i < tags.n; i++)
		if (str_is(tags.v[i].key, "aws:autoscaling:groupName"))
			t->dimensions[t->n_sets++][0] =
				(struct metric_dimension){STR("AutoScalingGroupName"), tags.v[i].value};
	return OK;
}

static status tell_instance(
	struct store_tx *tx, struct arena *a, const struct compute_rec_machine_status *s, int64_t now)
{
	struct teller t = {.now_ms = now, .n_sets = 1};
	struct ec2_rec_instance i;
	struct ec2_instance shape = {0};
	struct ec2_rec_usage before = {0};
	struct str bytes;
	status st = ec2_machine_place(tx, a, s->id, &t.at);
	if (is_ok(st)) st = ec2_load(t.at, &ec2_type_instance, s->id, &i);
	if (status_is(st, STATUS_NOT_FOUND)) return OK; /* an engine's, or one that has just gone */
	TRY(st);
	TRY(ec2_instance_document(a, &i, &shape));
	bool detailed = shape.monitoring && str_is(str_or(shape.monitoring->state, STR("")), "enabled");
	t.dimensions[0][0] = (struct metric_dimension){STR("InstanceId"), s->id};
	TRY(add_group(&t, s->id));
	bool impaired = i.state.v == EC2_RUNNING && ec2_zone_is_down(tx, a, i.zone);
	tell(&t, "StatusCheckFailed", "Count", impaired);
	tell(&t, "StatusCheckFailed_Instance", "Count", impaired);
	tell(&t, "StatusCheckFailed_System", "Count", 0);
	st = store_peek(tx, usage_key(a, s->id), &bytes);
	if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
	bool first = !is_ok(st);
	if (!first) TRY(ec2_rec_usage_decode(a, bytes, &before));
	if (detailed || now / MINUTE_MS % 5 == 0 || now - before.told.ms >= 5 * MINUTE_MS) {
		if (detailed) {
			t.dimensions[t.n_sets++][0] = (struct metric_dimension){STR("ImageId"), shape.image_id};
			t.dimensions[t.n_sets++][0] =
				(struct metric_dimension){STR("InstanceType"), shape.instance_type};
		}
		tell_usage(&t, s, &before, first);
		struct ec2_rec_usage after = {SOME_I64(clock_monotonic_us()), SOME_TIME(now), s->cpu_us, s->read_bytes,
			s->written_bytes, s->reads, s->writes, s->received_bytes, s->sent_bytes, s->received_packets,
			s->sent_packets};
		store_put(tx, usage_key(a, s->id), ec2_rec_usage_encode(a, &after));
	}
	TRY(ec2_monitor_volumes(t.at, &i, s, now));
	return metrics_put_in(tx, a, t.out.v, t.out.n, now);
}

/* Of machines that are gone. */
static status forget(struct store_tx *tx, struct arena *a)
{
	struct key k = key_for(a, STR("ec2"), STR("usage"), STR(""), STR(""));
	struct str from = key_done(&k), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(key, from.n), id;
		struct ec2_place at;
		if (is_ok(key_read_str(a, &rest, &id)) &&
			status_is(ec2_machine_place(tx, a, id, &at), STATUS_NOT_FOUND))
			store_delete(tx, str_dup(a, key));
	}
	return store_scan_end(scan);
}

static status monitor(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	int64_t now = clock_now(cloud->clock);
	struct compute_rec_machine_statuses machines = {0};
	(void)job;
	*again_ms = now - now % MINUTE_MS + MINUTE_MS;
	if (!ec2_machines_are_real(cloud) || !is_ok(host_machine_list(cloud->host, a, &machines))) return OK;
	for (size_t i = 0; i < machines.machines.n; i++)
		if (str_is(machines.machines.v[i].state, "running"))
			TRY(tell_instance(tx, a, &machines.machines.v[i], now));
	TRY(ec2_monitor_forget_volumes(tx, a));
	return forget(tx, a);
}

void ec2_monitor_start(struct cloud *cloud)
{
	jobs_register(cloud->jobs, kind, monitor, cloud);
}

void ec2_monitor_ready(struct cloud *cloud)
{
	struct arena a;
	store_ticket ticket;
	int64_t now = clock_now(cloud->clock);
	if (!ec2_machines_are_real(cloud)) return;
	arena_init(&a);
	struct store_tx *tx = store_begin(cloud->store, &a, false);
	struct job job = {
		.kind = str_c(kind), .id = STR("all"), .due_ms = now - now % MINUTE_MS + MINUTE_MS, .payload = STR("")};
	jobs_schedule(tx, &job);
	status s = store_commit(tx, &ticket);
	/* Lost to the job itself, which goes on by itself. */
	if (!is_ok(s)) log_info("ec2", "monitor_not_scheduled", "status=%s", status_name(s));
	store_end(tx);
	arena_cleanup(&a);
}
