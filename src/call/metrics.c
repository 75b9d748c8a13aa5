/* Counters per service and status class, a latency histogram, and their text form. */
#include "call/metrics.h"
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { CLASSES = 6, BUCKETS = 12 };
static const int64_t bucket_us[BUCKETS] = {50, 100, 250, 500, 1000, 2500, 5000, 10000, 50000, 250000, 1000000, 5000000};

struct service_counters {
	_Atomic uint64_t by_class[CLASSES];
	_Atomic uint64_t buckets[BUCKETS + 1];
	_Atomic uint64_t sum_us;
};
struct call_metrics {
	struct service_counters none; /* calls whose service is not known */
	struct service_counters *services;
};

struct call_metrics *call_metrics_new(void)
{
	struct call_metrics *m = mem_new(sizeof(*m));
	m->services = mem_new((wire_services_length + 1) * sizeof(*m->services));
	return m;
}

void call_metrics_free(struct call_metrics *m)
{
	if (!m) return;
	free(m->services);
	free(m);
}

static size_t service_index(const struct wire_service *s)
{
	size_t low = 0, high = wire_services_length;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = strcmp(wire_services[mid]->name, s->name);
		if (order == 0) return mid;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return wire_services_length;
}

void call_metrics_count(struct call_metrics *m, const struct wire_match *match, unsigned http_status, int64_t us)
{
	struct service_counters *s = match && match->service ? &m->services[service_index(match->service)] : &m->none;
	unsigned class = http_status / 100 < CLASSES ? http_status / 100 : 0;
	atomic_fetch_add_explicit(&s->by_class[class], 1, memory_order_relaxed);
	size_t b = 0;
	while (b < BUCKETS && us > bucket_us[b]) b++;
	atomic_fetch_add_explicit(&s->buckets[b], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->sum_us, (uint64_t)(us > 0 ? us : 0), memory_order_relaxed);
}

static void service_text(struct buf *out, const char *name, struct service_counters *s)
{
	uint64_t total = 0;
	for (size_t b = 0; b <= BUCKETS; b++) total += atomic_load_explicit(&s->buckets[b], memory_order_relaxed);
	if (!total) return;
	for (unsigned c = 0; c < CLASSES; c++) {
		uint64_t n = atomic_load_explicit(&s->by_class[c], memory_order_relaxed);
		if (n)
			buf_fmt(out, "virga_calls_total{service=\"%s\",status=\"%uxx\"} %lu\n", name, c,
				(unsigned long)n);
	}
	uint64_t below = 0;
	for (size_t b = 0; b < BUCKETS; b++) {
		below += atomic_load_explicit(&s->buckets[b], memory_order_relaxed);
		buf_fmt(out, "virga_call_seconds_bucket{service=\"%s\",le=\"%g\"} %lu\n", name,
			(double)bucket_us[b] / 1e6, (unsigned long)below);
	}
	buf_fmt(out, "virga_call_seconds_bucket{service=\"%s\",le=\"+Inf\"} %lu\n", name, (unsigned long)total);
	buf_fmt(out, "virga_call_seconds_sum{service=\"%s\"} %.6f\n", name,
		(double)atomic_load_explicit(&s->sum_us, memory_order_relaxed) / 1e6);
	buf_fmt(out, "virga_call_seconds_count{service=\"%s\"} %lu\n", name, (unsigned long)total);
}

static void gauge(struct buf *out, const char *name, const char *type, uint64_t value)
{
	buf_fmt(out, "# TYPE %s %s\n%s %lu\n", name, type, name, (unsigned long)value);
}

void call_metrics_text(const struct cloud *cloud, struct buf *out)
{
	struct call_metrics *m = cloud->metrics;
	buf_lit(out, "# HELP virga_calls_total Answered calls by service and status class.\n# TYPE virga_calls_total "
		     "counter\n");
	buf_lit(out, "# HELP virga_call_seconds Time from a request's head to its answer.\n# TYPE virga_call_seconds "
		     "histogram\n");
	service_text(out, "none", &m->none);
	for (size_t i = 0; i < wire_services_length; i++) service_text(out, wire_services[i]->name, &m->services[i]);

	struct store_metrics s;
	store_metrics(cloud->store, &s);
	gauge(out, "virga_store_commits_total", "counter", s.commits);
	gauge(out, "virga_store_conflicts_total", "counter", s.conflicts);
	gauge(out, "virga_store_syncs_total", "counter", s.syncs);
	gauge(out, "virga_store_gets_total", "counter", s.gets);
	gauge(out, "virga_store_scans_total", "counter", s.scans);
	gauge(out, "virga_store_memory_bytes", "gauge", s.memory_bytes);
	gauge(out, "virga_store_disk_bytes", "gauge", s.disk_bytes);

	/* What was asked of malloc, the store's memory too; and what malloc has of the kernel for it. */
	struct mallinfo2 heap = mallinfo2();
	gauge(out, "virga_heap_used_bytes", "gauge", heap.uordblks + heap.hblkhd);
	gauge(out, "virga_heap_held_bytes", "gauge", heap.arena + heap.hblkhd);

	struct edge_metrics e = {0};
	if (cloud->edge) edge_metrics(cloud->edge, &e);
	gauge(out, "virga_connections_total", "counter", e.connections);
	gauge(out, "virga_connections_open", "gauge", e.open_connections);
	gauge(out, "virga_requests_total", "counter", e.requests);
	gauge(out, "virga_bad_requests_total", "counter", e.bad_requests);
	gauge(out, "virga_received_bytes_total", "counter", e.bytes_in);
	gauge(out, "virga_sent_bytes_total", "counter", e.bytes_out);
	gauge(out, "virga_uptime_seconds", "gauge", (uint64_t)(clock_monotonic_us() - cloud->started_us) / 1000000);
}
