/* Connection notifications: an SNS topic hears of endpoints that connect to an endpoint service, are accepted or
 * rejected, or go. "Receive notifications for endpoint service events", AWS PrivateLink Guide. AWS does not document
 * the message: here it is JSON of what has happened. */
#include "base/json.h"
#include "base/log.h"
#include "services/ec2/private_link.h"
#include "services/ec2/volume.h"
#include "services/sns/door.h"

static const char *const filters[] = {"connection-notification-arn", "connection-notification-id",
	"connection-notification-state", "connection-notification-type", "service-id", "vpc-endpoint-id", NULL};

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	struct ec2_connection_notification *out = to;
	(void)c, (void)item;
	out->connection_notification_type = STR("Topic");
	return OK;
}

const struct ec2_type ec2_type_connection_notification = {.name = "vpc-endpoint-connection-notification",
	.prefix = "vpce-nfn-",
	.absent = "The connection notification ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_CONNECTION_NOTIFICATION,
	.record = EC2_REC_CONNECTION_NOTIFICATION,
	.shape = EC2_SHAPE_CONNECTION_NOTIFICATION,
	.filters = filters,
	.render = render};

/* ── messages ── */

static struct sns_publication publication(
	struct call *c, struct ec2_place at, const struct ec2_rec_connection_notification *n, struct str text)
{
	struct str about = str_or(n->service_id, n->vpc_endpoint_id);
	return (struct sns_publication){.topic_arn = n->connection_notification_arn,
		.message = text,
		.service = STR("vpce.amazonaws.com"),
		.source_arn = ec2_arn(c, at.account, at.region,
			str_has(n->service_id) ? "vpc-endpoint-service" : "vpc-endpoint", about),
		.source_account = at.account};
}

static void member(struct buf *b, const char *name, struct str value)
{
	buf_fmt(b, "%c\"%s\":", b->n > 1 ? ',' : '{', name);
	json_quote(b, value);
}

static status tell_in(struct call *c, struct ec2_place at, struct str service, struct str endpoint, struct str owner,
	struct str event)
{
	struct ec2_each e = ec2_each(at, &ec2_type_connection_notification);
	status s = OK;
	while (is_ok(s) && ec2_next(&e)) {
		const struct ec2_rec_connection_notification *n = e.item.record;
		struct buf b = BUF_IN(c->arena);
		bool meant =
			str_has(n->service_id) ? str_eq(n->service_id, service) : str_eq(n->vpc_endpoint_id, endpoint);
		if (!meant || !ec2_is_among(n->connection_events.v, n->connection_events.n, event)) continue;
		member(&b, "event", event);
		member(&b, "serviceId", service);
		member(&b, "vpcEndpointId", endpoint);
		member(&b, "vpcEndpointOwner", owner);
		member(&b, "time", time_iso8601(c->arena, c->now_ms, false));
		buf_lit(&b, "}");
		struct sns_publication p = publication(c, at, n, buf_done(&b));
		status told = sns_publish_in(c->cloud, c->tx, c->arena, &p);
		if (status_is(told, STATUS_CONFLICT)) s = told;
		/* A topic that went holds no connection up. */
		if (!is_ok(told))
			log_warn("ec2", "connection_not_told", "notification=%.*s why=%s", STR_ARG(e.item.id),
				status_name(told));
	}
	status end = ec2_each_end(&e);
	return is_ok(s) ? end : s;
}

status ec2_connection_tell(
	struct call *c, const struct ec2_rec_endpoint_connection *r, struct str service_owner, const char *event)
{
	struct ec2_place at = ec2_here(c);
	at.account = service_owner;
	TRY(tell_in(c, at, r->service_id, r->vpc_endpoint_id, r->vpc_endpoint_owner, str_c(event)));
	/* Those of the endpoint's owner. */
	if (!str_eq(r->vpc_endpoint_owner, service_owner)) {
		at.account = r->vpc_endpoint_owner;
		TRY(tell_in(c, at, r->service_id, r->vpc_endpoint_id, r->vpc_endpoint_owner, str_c(event)));
	}
	ec2_poke_jobs(c);
	return OK;
}

/* ── what clients ask ── */

static status check_events(struct call *c, const struct ec2_value_string_list *events)
{
	for (size_t i = 0; i < events->n; i++) {
		struct str e = events->v[i];
		if (!str_is(e, "Accept") && !str_is(e, "Connect") && !str_is(e, "Delete") && !str_is(e, "Reject"))
			return call_fail(
				c, EC2_ERR_INVALID_PARAMETER, "The connection event '%.*s' is not valid.", STR_ARG(e));
	}
	if (events->n) return OK;
	return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter ConnectionEvents");
}

static status check_topic(struct call *c, const struct ec2_rec_connection_notification *n)
{
	struct sns_publication p = publication(c, ec2_here(c), n, STR("{}"));
	status s = sns_publication_check(c->cloud, c->tx, c->arena, &p);
	if (!status_is(s, STATUS_NOT_FOUND) && !status_is(s, STATUS_INVALID) && !status_is(s, STATUS_LIMIT)) return s;
	return call_fail(c, EC2_ERR_INVALID_PARAMETER,
		"The SNS topic %.*s does not exist, or does not let vpce.amazonaws.com publish.",
		STR_ARG(n->connection_notification_arn));
}

static status show(struct call *c, struct str id, struct ec2_connection_notification **out)
{
	*out = arena_new(c->arena, struct ec2_connection_notification);
	return ec2_describe_one(c, &ec2_type_connection_notification, id, *out);
}

static void put(struct call *c, const struct ec2_rec_connection_notification *n)
{
	ec2_put(ec2_here(c), &ec2_type_connection_notification, n->connection_notification_id, n);
}

status ec2_create_vpc_endpoint_connection_notification(struct call *c,
	const struct ec2_create_vpc_endpoint_connection_notification_input *in,
	struct ec2_create_vpc_endpoint_connection_notification_output *out)
{
	struct ec2_rec_connection_notification n = {
		.connection_notification_id = ec2_new_id(c->arena, ec2_type_connection_notification.prefix),
		.service_id = in->service_id,
		.vpc_endpoint_id = in->vpc_endpoint_id,
		.connection_notification_arn = in->connection_notification_arn,
		.connection_events = {in->connection_events.v, in->connection_events.n},
		.connection_notification_state = STR("Enabled"),
		.token = in->client_token};
	struct ec2_rec_endpoint_service s;
	struct ec2_rec_endpoint e;
	struct str known = STR_NONE;
	if (str_has(in->service_id) == str_has(in->vpc_endpoint_id))
		return call_fail(
			c, EC2_ERR_INVALID_PARAMETER_COMBINATION, "Specify either ServiceId or VpcEndpointId.");
	if (str_has(in->service_id))
		TRY(ec2_find(c, &ec2_type_endpoint_service, in->service_id, &s));
	else
		TRY(ec2_find(c, &ec2_type_endpoint, in->vpc_endpoint_id, &e));
	TRY(check_events(c, &in->connection_events));
	TRY(check_topic(c, &n));
	struct ec2_each each = ec2_each(ec2_here(c), &ec2_type_connection_notification);
	while (ec2_next(&each)) {
		const struct ec2_rec_connection_notification *o = each.item.record;
		if (str_has(in->client_token) && str_has(o->token) && str_eq(o->token, in->client_token))
			known = each.item.id;
	}
	TRY(ec2_each_end(&each));
	if (!str_has(known)) put(c, &n);
	out->client_token = in->client_token;
	return show(c, str_or(known, n.connection_notification_id), &out->connection_notification);
}

status ec2_modify_vpc_endpoint_connection_notification(struct call *c,
	const struct ec2_modify_vpc_endpoint_connection_notification_input *in,
	struct ec2_modify_vpc_endpoint_connection_notification_output *out)
{
	struct ec2_rec_connection_notification n;
	TRY(ec2_find(c, &ec2_type_connection_notification, in->connection_notification_id, &n));
	if (in->connection_events.n) {
		TRY(check_events(c, &in->connection_events));
		n.connection_events = (struct ec2_rec_strings){in->connection_events.v, in->connection_events.n};
	}
	if (str_has(in->connection_notification_arn)) {
		n.connection_notification_arn = in->connection_notification_arn;
		TRY(check_topic(c, &n));
	}
	put(c, &n);
	out->return_value = SOME_BOOL(true);
	return OK;
}

status ec2_describe_vpc_endpoint_connection_notifications(struct call *c,
	const struct ec2_describe_vpc_endpoint_connection_notifications_input *in,
	struct ec2_describe_vpc_endpoint_connection_notifications_output *out)
{
	struct str one = in->connection_notification_id;
	struct ec2_value_string_list ids = {&one, str_has(one)};
	return ec2_describe(c, &(struct ec2_describe){.type = &ec2_type_connection_notification,
				       .ids = &ids,
				       .filters = &in->filters,
				       .max_results = in->max_results,
				       .next_token = in->next_token,
				       .out = &out->connection_notification_set,
				       .next_out = &out->next_token});
}

status ec2_delete_vpc_endpoint_connection_notifications(struct call *c,
	const struct ec2_delete_vpc_endpoint_connection_notifications_input *in,
	struct ec2_delete_vpc_endpoint_connection_notifications_output *out)
{
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->unsuccessful);
	for (size_t i = 0; i < in->connection_notification_ids.n; i++) {
		struct ec2_rec_connection_notification n;
		struct str id = in->connection_notification_ids.v[i];
		status s = ec2_load(ec2_here(c), &ec2_type_connection_notification, id, &n);
		if (is_ok(s)) {
			ec2_drop(ec2_here(c), &ec2_type_connection_notification, id);
			continue;
		}
		if (!status_is(s, STATUS_NOT_FOUND)) return s;
		struct ec2_unsuccessful_item *u = VEC_PUSH(c->arena, &out->unsuccessful, &capacity);
		u->resource_id = id;
		u->error = arena_new(c->arena, struct ec2_unsuccessful_item_error);
		*u->error = (struct ec2_unsuccessful_item_error){STR("InvalidConnectionNotification"),
			str_fmt(c->arena, "The connection notification ID '%.*s' does not exist", STR_ARG(id))};
	}
	return OK;
}

/* "The entity that is responsible for the endpoint costs": nobody is billed; it is shown. */
status ec2_modify_vpc_endpoint_service_payer_responsibility(struct call *c,
	const struct ec2_modify_vpc_endpoint_service_payer_responsibility_input *in,
	struct ec2_modify_vpc_endpoint_service_payer_responsibility_output *out)
{
	struct ec2_rec_endpoint_service s;
	TRY(ec2_find(c, &ec2_type_endpoint_service, in->service_id, &s));
	s.payer_responsibility = in->payer_responsibility;
	ec2_put(ec2_here(c), &ec2_type_endpoint_service, s.service_id, &s);
	out->return_value = SOME_BOOL(true);
	return OK;
}
