/* Flow logs: which interfaces are logged, and where what the host tells goes. */
#pragma once
#include "host/host.h"
#include "services/ec2/network.h"

struct ec2_network;
EC2_TYPES_DECLARE(flow_log);

/* Those that are active in a VPC. */
struct ec2_flow_logs {
	struct ec2_rec_flow_log *v;
	size_t n;
};
status ec2_flow_logs_load(struct ec2_place at, struct str vpc, struct ec2_flow_logs *out) MUST_USE;
/* ALL, ACCEPT or REJECT: what of this interface is told; STR_NONE: nothing. */
struct str ec2_flow_logs_of(const struct ec2_flow_logs *logs, const struct ec2_rec_eni *e);
bool ec2_flow_log_covers(const struct ec2_rec_flow_log *l, const struct ec2_rec_eni *e);

/* ── flow_record.c ── */
/* STR_NONE or what is wrong with a format. */
struct str ec2_flow_format_check(struct arena *a, struct str format);
#define EC2_FLOW_FORMAT                                                                                                \
	"${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} " \
	"${bytes} ${start} ${end} ${action} ${log-status}"
struct ec2_flow_about {
	struct str account, region;
	const struct ec2_rec_eni *eni;
	const struct host_rec_flow *flow;
	int64_t now_ms; /* when the host told it */
	int version;    /* the format's; ec2_flow_line's own */
};
/* One line, without its end; a format's names alone as the head of a file. */
void ec2_flow_line(struct buf *out, struct str format, const struct ec2_flow_about *about);
void ec2_flow_head(struct buf *out, struct str format);

/* ── flow_cloudwatch.c ── */
/* To streams eni-…-all (-accept, -reject) of the log group, as the role that the flow log names. False: *why is what
 * DeliverLogsErrorMessage says. May have put some of them: what is told again is told twice. */
struct ec2_flow_lines {
	struct ec2_rec_flow_line *v;
	size_t n;
};
bool ec2_flow_to_cloudwatch(struct cloud *cloud, struct ec2_place at, const struct ec2_rec_flow_log *l,
	const struct ec2_flow_lines *lines, struct str *why) MUST_USE;

/* ── flow_deliver.c ── */
status ec2_flow_logs_start(struct ec2_network *n) MUST_USE;
/* The host is asked for flows each minute as long as there are flow logs: schedules that. */
void ec2_flow_logs_collect(struct ec2_place at, int64_t now_ms);
/* Any thread. */
void ec2_flow_logs_take(struct cloud *cloud, const struct host_rec_flows *flows);
