/* Flow logs to CloudWatch Logs: each interface has a stream, each record is an event at the time when it began.
 * "Publish flow logs to CloudWatch Logs", the guide: what may be done there is the role's, which has to trust
 * vpc-flow-logs.amazonaws.com. */
#include "logs.h"
#include "services/ec2/flow_log.h"
#include "services/sts/inside.h"
#include <stdlib.h>

/* PutLogEvents takes 1 MiB, with 26 bytes beside each message. */
enum { EVENTS_AT_ONCE = 2000, BESIDE = 26, BYTES_MAX = 1000000 };

struct delivery {
	struct cloud *cloud;
	struct arena *a;
	struct inside_caller who;
	struct str group, stream, why;
};

static int in_order(const void *x, const void *y)
{
	const struct ec2_rec_flow_line *p = x, *q = y;
	int by_interface = str_cmp(p->interface, q->interface);
	return by_interface ? by_interface : (p->start.ms > q->start.ms) - (p->start.ms < q->start.ms);
}

static bool ask(struct delivery *d, uint32_t op, const void *in, struct str *code)
{
	struct inside *done = inside_run(d->cloud, &d->who, "logs", op, in, NULL);
	bool ok = done->ok;
	*code = ok ? STR("") : str_dup(d->a, done->code);
	inside_free(done);
	return ok || str_is(*code, "ResourceAlreadyExistsException");
}

static bool make_stream(struct delivery *d, struct str *code)
{
	struct logs_create_log_stream_input stream = {.log_group_name = d->group, .log_stream_name = d->stream};
	struct logs_create_log_group_input group = {.log_group_name = d->group};
	if (ask(d, LOGS_OP_CREATE_LOG_STREAM, &stream, code)) return true;
	if (!str_is(*code, "ResourceNotFoundException")) return false;
	return ask(d, LOGS_OP_CREATE_LOG_GROUP, &group, code) && ask(d, LOGS_OP_CREATE_LOG_STREAM, &stream, code);
}

static bool put(struct delivery *d, const struct logs_input_log_events *events)
{
	struct logs_put_log_events_input in = {
		.log_group_name = d->group, .log_stream_name = d->stream, .log_events = *events};
	struct str code;
	bool ok = ask(d, LOGS_OP_PUT_LOG_EVENTS, &in, &code);
	if (!ok && str_is(code, "ResourceNotFoundException"))
		ok = make_stream(d, &code) && ask(d, LOGS_OP_PUT_LOG_EVENTS, &in, &code);
	if (!ok)
		d->why = str_is(code, "AccessDeniedException") ? STR("Access error")
			 : str_is(code, "ThrottlingException") ? STR("Rate limited")
							       : STR("Unknown error");
	return ok;
}

bool ec2_flow_to_cloudwatch(struct cloud *cloud, struct ec2_place at, const struct ec2_rec_flow_log *l,
	const struct ec2_flow_lines *lines, struct str *why)
{
	struct delivery d = {.cloud = cloud, .a = at.a, .group = l->log_group_name};
	struct str refused;
	if (!is_ok(sts_assume_inside(cloud, at.a, at.account, at.region, STR("vpc-flow-logs.amazonaws.com"),
		    l->deliver_logs_permission_arn, STR("flow-logs"), &d.who, &refused))) {
		*why = STR("Access error");
		return false;
	}
	qsort(lines->v, lines->n, sizeof(*lines->v), in_order);
	bool ok = true;
	for (size_t i = 0; i < lines->n;) {
		struct str interface = lines->v[i].interface;
		struct logs_input_log_events events = {0};
		size_t capacity = 0, bytes = 0;
		d.stream = str_fmt(at.a, "%.*s-%.*s", STR_ARG(interface), STR_ARG(str_lower(at.a, l->traffic_type)));
		for (; i < lines->n && str_eq(lines->v[i].interface, interface) && events.n < EVENTS_AT_ONCE; i++) {
			size_t n = lines->v[i].text.n + BESIDE;
			if (bytes + n > BYTES_MAX && events.n) break;
			bytes += n;
			*VEC_PUSH(at.a, &events, &capacity) = (struct logs_input_log_event){
				.timestamp = SOME_I64(lines->v[i].start.ms), .message = lines->v[i].text};
		}
		ok = put(&d, &events) && ok;
	}
	*why = d.why;
	return ok;
}
