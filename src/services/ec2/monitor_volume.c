/* Metrics of volumes that real machines have ("Amazon CloudWatch metrics for Amazon EBS"): what each has read and
 * written, every minute, as the host's kernel counts it. Volumes of simulated instances tell nothing. */
#include "services/cloudwatch/metrics.h"
#include "services/ec2/instance.h"
#include "services/ec2/monitor.h"
#include "services/ec2/volume.h"

enum { MINUTE_MS = 60000 };

static struct str key_of(struct arena *a, struct str volume)
{
	struct key k = key_for(a, STR("ec2"), STR("disk-usage"), STR(""), STR(""));
	if (str_has(volume)) key_str(&k, volume);
	return key_done(&k);
}

struct teller {
	struct ec2_place at;
	struct metric_dimension *volume;
	int64_t now_ms;
	struct metric_point points[6];
	size_t n;
};

static void tell(struct teller *t, const char *name, const char *unit, double value)
{
	struct metric *m = arena_new(t->at.a, struct metric);
	*m = (struct metric){t->at.account, t->at.region, STR("AWS/EBS"), str_c(name), t->volume, 1};
	t->points[t->n++] =
		(struct metric_point){.metric = m, .at_ms = t->now_ms - MINUTE_MS, .unit = unit, .value = value};
}

/* Since the last time; all of it, where it was attached anew since. */
static double since(struct opt_i64 now, struct opt_i64 before)
{
	return (double)(now.v >= before.v ? now.v - before.v : now.v);
}

static status tell_disk(
	struct ec2_place at, struct str instance, struct str volume, const struct compute_rec_disk *d, int64_t now_ms)
{
	struct ec2_rec_disk_usage before = {0};
	struct teller t = {.at = at, .now_ms = now_ms, .volume = arena_new(at.a, struct metric_dimension)};
	struct str bytes;
	*t.volume = (struct metric_dimension){STR("VolumeId"), volume};
	status s = store_peek(at.tx, key_of(at.a, volume), &bytes);
	if (is_ok(s)) s = ec2_rec_disk_usage_decode(at.a, bytes, &before);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (!str_eq(before.instance, instance)) before = (struct ec2_rec_disk_usage){0};
	tell(&t, "VolumeReadOps", "Count", since(d->reads, before.reads));
	tell(&t, "VolumeWriteOps", "Count", since(d->writes, before.writes));
	tell(&t, "VolumeReadBytes", "Bytes", since(d->read_bytes, before.read_bytes));
	tell(&t, "VolumeWriteBytes", "Bytes", since(d->written_bytes, before.written_bytes));
	tell(&t, "VolumeTotalReadTime", "Seconds", since(d->read_ms, before.read_ms) / 1000);
	tell(&t, "VolumeTotalWriteTime", "Seconds", since(d->write_ms, before.write_ms) / 1000);
	struct ec2_rec_disk_usage after = {
		instance, d->reads, d->writes, d->read_bytes, d->written_bytes, d->read_ms, d->write_ms};
	store_put(at.tx, key_of(at.a, volume), ec2_rec_disk_usage_encode(at.a, &after));
	return metrics_put_in(at.tx, at.a, t.points, t.n, now_ms);
}

status ec2_monitor_volumes(struct ec2_place at, const struct ec2_rec_instance *i,
	const struct compute_rec_machine_status *s, int64_t now_ms)
{
	for (size_t k = 0; k < s->disks.n; k++) {
		struct str id = s->disks.v[k].id;
		/* The root volume's id is its file's name. */
		id = str_from(id, (size_t)(str_rchr(id, '/') + 1));
		if (str_starts(id, STR("vol-"))) TRY(tell_disk(at, i->instance_id, id, &s->disks.v[k], now_ms));
	}
	return OK;
}

status ec2_monitor_forget_volumes(struct store_tx *tx, struct arena *a)
{
	struct str from = key_of(a, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct ec2_rec_disk_usage r = {0};
		struct ec2_place at;
		struct str copy = str_dup(a, key);
		s = ec2_rec_disk_usage_decode(a, str_dup(a, value), &r);
		if (is_ok(s) && status_is(ec2_machine_place(tx, a, r.instance, &at), STATUS_NOT_FOUND))
			store_delete(tx, copy);
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}
