/* Flow logs of VPCs, subnets and interfaces. "Logging IP traffic using VPC Flow Logs", the guide. They go to S3
 * and CloudWatch Logs; Firehose is refused as long as it does not exist here. */
#include "services/ec2/flow_log.h"

static const char *const filters[] = {"deliver-log-status=DeliverLogsStatus", "flow-log-id", "log-destination-type",
	"log-group-name=LogGroupName", "resource-id", "traffic-type", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_flow_log *r = item->record;
	struct ec2_flow_log *out = to;
	if (!str_is(r->log_destination_type, "s3")) return OK;
	out->destination_options = arena_new(c->arena, struct ec2_destination_options_response);
	*out->destination_options = (struct ec2_destination_options_response){.file_format = STR("plain-text"),
		.hive_compatible_partitions = SOME_BOOL(r->hive.v),
		.per_hour_partition = SOME_BOOL(r->per_hour.v)};
	return OK;
}

const struct ec2_type ec2_type_flow_log = {
	.name = "vpc-flow-log",
	.prefix = "fl-",
	.absent = "The flow log ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_FLOW_LOG_ID_NOT_FOUND,
	.record = EC2_REC_FLOW_LOG,
	.shape = EC2_SHAPE_FLOW_LOG,
	.filters = filters,
	.render = render,
};

bool ec2_flow_log_covers(const struct ec2_rec_flow_log *l, const struct ec2_rec_eni *e)
{
	return str_eq(l->resource_id, e->vpc_id) || str_eq(l->resource_id, e->subnet_id) ||
	       str_eq(l->resource_id, e->network_interface_id);
}

struct str ec2_flow_logs_of(const struct ec2_flow_logs *logs, const struct ec2_rec_eni *e)
{
	bool accept = false, reject = false;
	for (size_t i = 0; i < logs->n; i++) {
		if (!ec2_flow_log_covers(&logs->v[i], e)) continue;
		accept = accept || !str_is(logs->v[i].traffic_type, "REJECT");
		reject = reject || !str_is(logs->v[i].traffic_type, "ACCEPT");
	}
	return accept && reject ? STR("ALL") : accept ? STR("ACCEPT") : reject ? STR("REJECT") : STR_NONE;
}

status ec2_flow_logs_load(struct ec2_place at, struct str vpc, struct ec2_flow_logs *out)
{
	struct ec2_each e = ec2_each(at, &ec2_type_flow_log);
	size_t capacity = 0;
	*out = (struct ec2_flow_logs){0};
	while (ec2_next(&e)) {
		const struct ec2_rec_flow_log *l = e.item.record;
		if (str_eq(l->vpc, vpc)) *VEC_PUSH(at.a, out, &capacity) = *l;
	}
	return ec2_each_end(&e);
}

static status find_resource(struct call *c, struct str type, struct str id, struct str *vpc)
{
	struct ec2_rec_vpc v;
	struct ec2_rec_subnet s;
	struct ec2_rec_eni e;
	if (str_is(type, "VPC")) {
		TRY(ec2_find(c, &ec2_type_vpc, id, &v));
		*vpc = v.vpc_id;
	} else if (str_is(type, "Subnet")) {
		TRY(ec2_find(c, &ec2_type_subnet, id, &s));
		*vpc = s.vpc_id;
	} else if (str_is(type, "NetworkInterface")) {
		TRY(ec2_find(c, &ec2_type_eni, id, &e));
		*vpc = e.vpc_id;
	} else {
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Flow logs of %.*s are not implemented.", STR_ARG(type));
	}
	return OK;
}

static status check_s3(struct call *c, const struct ec2_create_flow_logs_input *in)
{
	if (str_has(in->deliver_logs_permission_arn) || str_has(in->log_group_name))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER,
			"DeliverLogsPermissionArn and LogGroupName are not applicable for s3 delivery");
	if (!str_starts(in->log_destination, STR("arn:")) || str_find(in->log_destination, STR(":s3:::")) < 0)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER, "LogDestination '%.*s' is not the ARN of an S3 bucket",
			STR_ARG(in->log_destination));
	if (in->destination_options && str_is(in->destination_options->file_format, "parquet"))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Flow logs in Parquet are not implemented.");
	return OK;
}

/* The group by its name, or by its ARN, with or without ":*" behind. It need not be there: delivery makes it. */
static status check_cloudwatch(struct call *c, const struct ec2_create_flow_logs_input *in, struct str *group)
{
	*group = in->log_group_name;
	if (str_empty(in->deliver_logs_permission_arn))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs");
	if (!str_starts(in->deliver_logs_permission_arn, STR("arn:")) ||
		str_find(in->deliver_logs_permission_arn, STR(":role/")) < 0)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER,
			"DeliverLogsPermissionArn '%.*s' is not the ARN of a role",
			STR_ARG(in->deliver_logs_permission_arn));
	if (in->destination_options)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER,
			"DestinationOptions are not applicable for cloud-watch-logs delivery");
	if (str_has(in->log_group_name) == str_has(in->log_destination))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER,
			"Specify LogGroupName or LogDestination, and not both, for cloud-watch-logs delivery");
	if (str_has(*group)) return OK;
	struct str head = call_arn(c, STR("logs"), "log-group:");
	*group = str_starts(in->log_destination, head) ? str_from(in->log_destination, head.n) : STR("");
	if (str_ends(*group, STR(":*"))) *group = str_sub(*group, 0, group->n - 2);
	if (!group->n || str_chr(*group, ':') >= 0)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER,
			"LogDestination '%.*s' is not the ARN of a log group of this account and region",
			STR_ARG(in->log_destination));
	return OK;
}

/* *group: of CloudWatch Logs, which is the default. */
static status check_destination(struct call *c, const struct ec2_create_flow_logs_input *in, struct str *group)
{
	*group = STR_NONE;
	if (str_is(in->log_destination_type, "s3"))
		TRY(check_s3(c, in));
	else if (str_is(in->log_destination_type, "kinesis-data-firehose"))
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Flow logs to Firehose are not implemented: LogDestinationType has to be s3 or "
			"cloud-watch-logs.");
	else
		TRY(check_cloudwatch(c, in, group));
	struct str wrong = str_has(in->log_format) ? ec2_flow_format_check(c->arena, in->log_format) : STR_NONE;
	if (str_has(wrong)) return call_fail(c, EC2_ERR_INVALID_PARAMETER, "%.*s", STR_ARG(wrong));
	if (in->max_aggregation_interval.has && in->max_aggregation_interval.v != 60 &&
		in->max_aggregation_interval.v != 600)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER, "MaxAggregationInterval has to be 60 or 600");
	return OK;
}

/* The same resource, traffic and destination twice is FlowLogAlreadyExists. */
static status check_new(struct call *c, const struct ec2_rec_flow_log *l)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_flow_log);
	bool there = false;
	while (ec2_next(&e)) {
		const struct ec2_rec_flow_log *o = e.item.record;
		there = there ||
			(str_eq(o->resource_id, l->resource_id) &&
				str_eq(str_or(o->log_destination, STR("")), str_or(l->log_destination, STR(""))) &&
				str_eq(str_or(o->log_group_name, STR("")), str_or(l->log_group_name, STR(""))) &&
				str_eq(o->traffic_type, l->traffic_type));
	}
	TRY(ec2_each_end(&e));
	if (!there) return OK;
	return call_fail(c, EC2_ERR_FLOW_LOG_ALREADY_EXISTS,
		"Error. There is an existing Flow Log with the same configuration and log destination.");
}

status ec2_create_flow_logs(
	struct call *c, const struct ec2_create_flow_logs_input *in, struct ec2_create_flow_logs_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_flow_log};
	size_t capacity = 0;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	struct str group;
	TRY(check_destination(c, in, &group));
	if (!str_has(in->traffic_type))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter TrafficType");
	out->client_token = in->client_token;
	VEC_PRESENT(c->arena, &out->unsuccessful);
	for (size_t i = 0; i < in->resource_ids.n; i++) {
		struct ec2_rec_flow_log l = {.flow_log_id = ec2_new_id(c->arena, "fl-"),
			.creation_time = SOME_TIME(c->now_ms),
			.resource_id = in->resource_ids.v[i],
			.traffic_type = in->traffic_type,
			.log_destination_type = str_has(group) ? STR("cloud-watch-logs") : STR("s3"),
			.log_destination = in->log_destination,
			.log_group_name = group,
			.deliver_logs_permission_arn = in->deliver_logs_permission_arn,
			.log_format = str_or(in->log_format, STR(EC2_FLOW_FORMAT)),
			.max_aggregation_interval =
				SOME_I32(in->max_aggregation_interval.has ? in->max_aggregation_interval.v : 600),
			.flow_log_status = STR("ACTIVE"),
			.deliver_logs_status = STR("SUCCESS")};
		if (in->destination_options) {
			l.hive = in->destination_options->hive_compatible_partitions;
			l.per_hour = in->destination_options->per_hour_partition;
		}
		TRY(find_resource(c, in->resource_type, l.resource_id, &l.vpc));
		TRY(check_new(c, &l));
		ec2_put(ec2_here(c), &ec2_type_flow_log, l.flow_log_id, &l);
		TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_flow_log, l.flow_log_id));
		TRY(ec2_vpc_touch(ec2_here(c), l.vpc));
		*VEC_PUSH(c->arena, &out->flow_log_ids, &capacity) = l.flow_log_id;
	}
	ec2_flow_logs_collect(ec2_here(c), c->now_ms);
	return OK;
}

status ec2_describe_flow_logs(
	struct call *c, const struct ec2_describe_flow_logs_input *in, struct ec2_describe_flow_logs_output *out)
{
	struct ec2_describe d = {.type = &ec2_type_flow_log,
		.ids = &in->flow_log_ids,
		.filters = &in->filter,
		.max_results = in->max_results,
		.next_token = in->next_token,
		.out = &out->flow_logs,
		.next_out = &out->next_token};
	return ec2_describe(c, &d);
}

status ec2_delete_flow_logs(
	struct call *c, const struct ec2_delete_flow_logs_input *in, struct ec2_delete_flow_logs_output *out)
{
	VEC_PRESENT(c->arena, &out->unsuccessful);
	for (size_t i = 0; i < in->flow_log_ids.n; i++) {
		struct ec2_rec_flow_log l;
		TRY(ec2_find(c, &ec2_type_flow_log, in->flow_log_ids.v[i], &l));
		ec2_drop(ec2_here(c), &ec2_type_flow_log, l.flow_log_id);
		TRY(ec2_vpc_touch(ec2_here(c), l.vpc));
	}
	return OK;
}
