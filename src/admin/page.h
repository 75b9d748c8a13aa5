/* Inside the room: one request for one of virga's own pages, and the table of them. */
#pragma once
#include "admin/admin.h"
#include "admin/json.h"
#include "call/dispatch.h"
#include "call/metrics.h"

struct page_request {
	struct cloud *cloud;
	struct arena *arena;
	const struct edge_request *http;
	struct str body;
	struct str path; /* without a trailing slash */
	bool local;      /* the peer is this machine */
	struct buf out;  /* the answer's body */
	unsigned code;   /* 200 unless changed */
	struct str type; /* application/json unless changed */
};

/* A parameter of the query string, decoded; STR_NONE where absent or malformed. */
struct str page_parameter(const struct page_request *r, struct str name);
/* The answer becomes {"error": "…"} with that HTTP status. */
void page_fail(struct page_request *r, unsigned code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Operations with a handler. */
size_t page_done(const struct cloud *cloud, const struct wire_service *s);

/* status.c */
void page_index(struct page_request *r);
void page_status(struct page_request *r);
void page_metrics(struct page_request *r);
void page_ops(struct page_request *r);
void page_ca(struct page_request *r);
void page_sns_certificate(struct page_request *r);
/* change.c */
void page_clock(struct page_request *r);
void page_clock_change(struct page_request *r);
void page_reset(struct page_request *r);
void page_stop(struct page_request *r);
void page_scrub(struct page_request *r);
/* machine.c */
void page_ssh(struct page_request *r);
void page_ami(struct page_request *r);
/* localstack.c */
void page_health(struct page_request *r);
void page_info(struct page_request *r);
void page_init(struct page_request *r);
/* network.c */
void page_fault(struct page_request *r);
void page_fault_change(struct page_request *r);
void page_trace(struct page_request *r);
