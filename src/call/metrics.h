/* Counters of calls by service and outcome, and the text of /_virga/metrics (Prometheus exposition format 0.0.4). Lock-free
 * on the hot path. */
#pragma once
#include "base/buf.h"
#include "call/call.h"

struct call_metrics;
struct call_metrics *call_metrics_new(void);
void call_metrics_free(struct call_metrics *m);
/* http_status; us: from head to answer. */
void call_metrics_count(struct call_metrics *m, const struct wire_match *match, unsigned http_status, int64_t us);
void call_metrics_text(const struct cloud *cloud, struct buf *out);
