/* Event subscriptions: what happens to DB instances and snapshots is told by SNS. "Working with Amazon RDS event
 * notification", the guide. Each matching event becomes a job of the transaction that wrote it; the job publishes. */
#include "base/json.h"
#include "base/log.h"
#include "services/rds/room.h"
#include "services/sns/door.h"

enum { SUBSCRIPTIONS_MAX = 20 };
#define PUBLISHER STR("events.rds.amazonaws.com")

const struct rds_kind rds_kind_subscription = {"es", RDS_REC_SUBSCRIPTION};

static bool holds(const struct rds_rec_strings *v, struct str s)
{
	for (size_t i = 0; i < v->n; i++)
		if (str_ieq(v->v[i], s)) return true;
	return false;
}

/* ── telling ── */

/* "Amazon RDS event categories and event messages": the ids of the messages that this RDS tells. */
static const struct {
	const char *text, *id;
} ids[] = {{"DB instance created", "RDS-EVENT-0005"}, {"DB instance deleted", "RDS-EVENT-0003"},
	{"DB instance restarted", "RDS-EVENT-0006"}, {"DB instance stopped", "RDS-EVENT-0087"},
	{"DB instance started", "RDS-EVENT-0088"}, {"Multi-AZ instance failover started.", "RDS-EVENT-0013"},
	{"Multi-AZ instance failover completed", "RDS-EVENT-0049"}, {"Manual snapshot created", "RDS-EVENT-0042"},
	{"Automated snapshot created", "RDS-EVENT-0091"}};

static struct str text_of(struct rds_place at, const struct rds_rec_event *e)
{
	struct buf b = BUF_IN(at.a);
	struct str date = time_iso8601(at.a, e->date.ms, true);
	bool snapshot = str_is(e->source_type, "db-snapshot");
	buf_lit(&b, "{\"Event Source\":");
	json_quote(&b, e->source_type);
	buf_fmt(&b, ",\"Event Time\":\"%.*s %.*s\"", 10, date.p, 12, date.p + 11);
	buf_fmt(&b,
		",\"Identifier Link\":\"https://console.aws.amazon.com/rds/home?region=%.*s#%s:id=%.*s\",\"Source "
		"ID\":",
		STR_ARG(at.region), snapshot ? "snapshot" : "dbinstance", STR_ARG(e->source_identifier));
	json_quote(&b, e->source_identifier);
	buf_lit(&b, ",\"Source ARN\":");
	json_quote(&b, e->source_arn);
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
		if (str_eq(e->message, str_c(ids[i].text)))
			buf_fmt(&b,
				",\"Event ID\":\"http://docs.amazonwebservices.com/AmazonRDS/latest/UserGuide/"
				"USER_Events.html#%s\"",
				ids[i].id);
	buf_lit(&b, ",\"Event Message\":");
	json_quote(&b, e->message);
	buf_lit(&b, "}");
	return buf_done(&b);
}

static bool wants(const struct rds_rec_subscription *s, const struct rds_rec_event *e)
{
	bool category = s->categories.n == 0;
	for (size_t i = 0; i < e->categories.n; i++) category = category || holds(&s->categories, e->categories.v[i]);
	return s->enabled.v && category && (!str_has(s->source_type) || str_eq(s->source_type, e->source_type)) &&
	       (s->sources.n == 0 || holds(&s->sources, e->source_identifier));
}

void rds_event_tell(struct rds_place at, struct str event_name, const struct rds_rec_event *e)
{
	struct rds_each i = rds_each(at, &rds_kind_subscription);
	while (rds_next(&i)) {
		const struct rds_rec_subscription *s = i.record;
		if (!wants(s, e)) continue;
		struct rds_rec_notice n = {.account = at.account,
			.region = at.region,
			.topic = s->sns_topic_arn,
			.message = text_of(at, e),
			.source = e->source_arn};
		jobs_schedule(at.tx, &(struct job){.kind = STR(RDS_JOB_NOTICE),
					     .id = str_fmt(at.a, "%.*s %.*s %.*s %.*s", STR_ARG(at.account),
						     STR_ARG(at.region), STR_ARG(event_name), STR_ARG(i.name)),
					     .payload = rds_rec_notice_encode(at.a, &n)});
	}
	status s = rds_each_end(&i);
	if (!is_ok(s)) log_warn("rds", "subscriptions", "status=%s", status_name(s));
}

status rds_notice_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct rds_rec_notice n = {0};
	(void)again_ms;
	TRY(rds_rec_notice_decode(a, job->payload, &n));
	struct sns_publication p = {.topic_arn = n.topic,
		.message = n.message,
		.subject = STR("RDS Notification Message"),
		.service = PUBLISHER,
		.source_arn = n.source,
		.source_account = n.account,
		.source_owner = n.account};
	status s = sns_publish_in(cloud, tx, a, &p);
	if (status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_INVALID) || status_is(s, STATUS_LIMIT)) {
		log_info("rds", "notice_refused", "topic=%.*s status=%s", STR_ARG(n.topic), status_name(s));
		return OK;
	}
	return s;
}

/* ── operations ── */

static struct str status_of(struct call *c, const struct rds_rec_subscription *r)
{
	struct sns_publication p = {.topic_arn = r->sns_topic_arn,
		.service = PUBLISHER,
		.source_arn = rds_arn(c, &rds_kind_subscription, r->cust_subscription_id),
		.source_account = c->account,
		.source_owner = c->account};
	status s = sns_publication_check(c->cloud, c->tx, c->arena, &p);
	return is_ok(s)                         ? STR("active")
	       : status_is(s, STATUS_NOT_FOUND) ? STR("topic-not-exist")
						: STR("no-permission");
}

static void show(struct call *c, const struct rds_rec_subscription *r, struct rds_event_subscription *out)
{
	struct str date = time_iso8601(c->arena, r->created.ms, true);
	rds_show(c->arena, RDS_REC_SUBSCRIPTION, r, RDS_SHAPE_EVENT_SUBSCRIPTION, out);
	out->customer_aws_id = c->account;
	out->status = status_of(c, r);
	out->subscription_creation_time = str_fmt(c->arena, "%.*s %.*s", 10, date.p, 12, date.p + 11);
	out->source_ids_list = (struct rds_source_ids_list){r->sources.v, r->sources.n};
	out->event_categories_list = (struct rds_event_categories_list){r->categories.v, r->categories.n};
	VEC_PRESENT(c->arena, &out->source_ids_list);
	VEC_PRESENT(c->arena, &out->event_categories_list);
	out->event_subscription_arn = rds_arn(c, &rds_kind_subscription, r->cust_subscription_id);
}

static struct rds_event_subscription *answer(struct call *c, const struct rds_rec_subscription *r)
{
	struct rds_event_subscription *out = arena_new(c->arena, struct rds_event_subscription);
	show(c, r, out);
	return out;
}

static status find(struct call *c, struct str name, struct rds_rec_subscription *r)
{
	status s = rds_load(rds_here(c), &rds_kind_subscription, name, r);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return RDS_FAIL(c, SUBSCRIPTION_NOT_FOUND_FAULT, "Subscription %.*s not found.", STR_ARG(name));
}

static status check_topic(struct call *c, const struct rds_rec_subscription *r)
{
	struct str state = status_of(c, r);
	if (!str_starts(r->sns_topic_arn, STR("arn:")))
		return RDS_FAIL(
			c, SNS_INVALID_TOPIC_FAULT, "SNS topic ARN %.*s is invalid.", STR_ARG(r->sns_topic_arn));
	if (str_is(state, "topic-not-exist"))
		return RDS_FAIL(c, SNS_TOPIC_ARN_NOT_FOUND_FAULT, "The SNS topic ARN %.*s does not exist.",
			STR_ARG(r->sns_topic_arn));
	if (str_is(state, "no-permission"))
		return RDS_FAIL(c, SNS_NO_AUTHORIZATION_FAULT,
			"You do not have permission to publish to the SNS topic ARN %.*s.", STR_ARG(r->sns_topic_arn));
	return OK;
}

static status check_source(struct call *c, struct str type, struct str id)
{
	struct rds_place at = rds_here(c);
	status s = STATUS(NOT_FOUND);
	if (str_is(type, "db-instance")) {
		struct rds_rec_instance r;
		s = rds_load(at, &rds_kind_instance, id, &r);
	} else if (str_is(type, "db-snapshot")) {
		struct rds_rec_snapshot r;
		s = rds_load(at, &rds_kind_snapshot, id, &r);
	}
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return RDS_FAIL(c, SOURCE_NOT_FOUND_FAULT, "The requested source could not be found: %.*s", STR_ARG(id));
}

/* Its type, sources and categories fit together. */
static status check(struct call *c, const struct rds_rec_subscription *r)
{
	if (str_has(r->source_type) && !rds_event_source(r->source_type))
		return RDS_FAIL(
			c, INVALID_PARAMETER_VALUE, "The source type %.*s is not supported.", STR_ARG(r->source_type));
	if (r->sources.n && !str_has(r->source_type))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "SourceIds can't be given without SourceType.");
	for (size_t i = 0; i < r->sources.n; i++) TRY(check_source(c, r->source_type, r->sources.v[i]));
	for (size_t i = 0; i < r->categories.n; i++)
		if (!rds_event_category(r->source_type, r->categories.v[i]))
			return RDS_FAIL(c, SUBSCRIPTION_CATEGORY_NOT_FOUND_FAULT,
				"The event category %.*s does not exist for the source type.",
				STR_ARG(r->categories.v[i]));
	return OK;
}

static status keep(struct call *c, const struct rds_rec_subscription *r, struct rds_event_subscription **out)
{
	rds_put(rds_here(c), &rds_kind_subscription, r->cust_subscription_id, r);
	*out = answer(c, r);
	return OK;
}

status rds_create_event_subscription(struct call *c, const struct rds_create_event_subscription_input *in,
	struct rds_create_event_subscription_output *out)
{
	struct rds_rec_subscription other;
	size_t n = 0;
	TRY(rds_name_check(c, in->subscription_name, "SubscriptionName", 254));
	struct rds_rec_subscription r = {.cust_subscription_id = str_lower(c->arena, in->subscription_name),
		.sns_topic_arn = in->sns_topic_arn,
		.source_type = in->source_type.n ? in->source_type : STR_NONE,
		.sources = {in->source_ids.v, in->source_ids.n},
		.categories = {in->event_categories.v, in->event_categories.n},
		.enabled = SOME_BOOL(!in->enabled.has || in->enabled.v),
		.created = SOME_TIME(c->now_ms)};
	status s = rds_load(rds_here(c), &rds_kind_subscription, r.cust_subscription_id, &other);
	if (is_ok(s))
		return RDS_FAIL(c, SUBSCRIPTION_ALREADY_EXIST_FAULT, "Subscription %.*s already exists.",
			STR_ARG(r.cust_subscription_id));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	struct rds_each e = rds_each(rds_here(c), &rds_kind_subscription);
	while (rds_next(&e)) n++;
	TRY(rds_each_end(&e));
	if (n >= SUBSCRIPTIONS_MAX)
		return RDS_FAIL(c, EVENT_SUBSCRIPTION_QUOTA_EXCEEDED_FAULT,
			"You have reached the maximum number of event subscriptions, %d.", SUBSCRIPTIONS_MAX);
	TRY(check(c, &r));
	TRY(check_topic(c, &r));
	TRY(rds_tags_set(c, &r.tags, in->tags.v, in->tags.n));
	return keep(c, &r, &out->event_subscription);
}

status rds_modify_event_subscription(struct call *c, const struct rds_modify_event_subscription_input *in,
	struct rds_modify_event_subscription_output *out)
{
	struct rds_rec_subscription r;
	TRY(find(c, in->subscription_name, &r));
	if (str_has(in->sns_topic_arn)) r.sns_topic_arn = in->sns_topic_arn;
	if (str_has(in->source_type) && !str_eq(in->source_type, str_or(r.source_type, STR("")))) {
		r.source_type = in->source_type;
		r.sources = (struct rds_rec_strings){0};
		r.categories = (struct rds_rec_strings){0};
	}
	if (in->event_categories.n)
		r.categories = (struct rds_rec_strings){in->event_categories.v, in->event_categories.n};
	if (in->enabled.has) r.enabled = in->enabled;
	TRY(check(c, &r));
	TRY(check_topic(c, &r));
	return keep(c, &r, &out->event_subscription);
}

status rds_delete_event_subscription(struct call *c, const struct rds_delete_event_subscription_input *in,
	struct rds_delete_event_subscription_output *out)
{
	struct rds_rec_subscription r;
	TRY(find(c, in->subscription_name, &r));
	rds_drop(rds_here(c), &rds_kind_subscription, r.cust_subscription_id);
	out->event_subscription = answer(c, &r);
	return OK;
}

status rds_describe_event_subscriptions(struct call *c, const struct rds_describe_event_subscriptions_input *in,
	struct rds_describe_event_subscriptions_output *out)
{
	static const char *const none[] = {NULL};
	struct rds_rec_subscription r;
	size_t capacity = 0;
	TRY(rds_filters_check(c, &in->filters, none));
	if (str_has(in->subscription_name)) {
		TRY(find(c, in->subscription_name, &r));
		show(c, &r, VEC_PUSH(c->arena, &out->event_subscriptions_list, &capacity));
		return OK;
	}
	struct rds_each e = rds_each(rds_here(c), &rds_kind_subscription);
	while (rds_next(&e)) show(c, e.record, VEC_PUSH(c->arena, &out->event_subscriptions_list, &capacity));
	TRY(rds_each_end(&e));
	return rds_page(c, &out->event_subscriptions_list, sizeof(*out->event_subscriptions_list.v), in->max_records,
		in->marker, &out->marker);
}

status rds_add_source_identifier_to_subscription(struct call *c,
	const struct rds_add_source_identifier_to_subscription_input *in,
	struct rds_add_source_identifier_to_subscription_output *out)
{
	struct rds_rec_subscription r;
	TRY(find(c, in->subscription_name, &r));
	if (!str_has(r.source_type))
		return RDS_FAIL(c, INVALID_PARAMETER_COMBINATION, "The subscription has no source type.");
	TRY(check_source(c, r.source_type, in->source_identifier));
	size_t capacity = r.sources.n;
	if (!holds(&r.sources, in->source_identifier))
		*VEC_PUSH(c->arena, &r.sources, &capacity) = in->source_identifier;
	return keep(c, &r, &out->event_subscription);
}

status rds_remove_source_identifier_from_subscription(struct call *c,
	const struct rds_remove_source_identifier_from_subscription_input *in,
	struct rds_remove_source_identifier_from_subscription_output *out)
{
	struct rds_rec_subscription r;
	size_t kept = 0;
	TRY(find(c, in->subscription_name, &r));
	if (!holds(&r.sources, in->source_identifier))
		return RDS_FAIL(c, SOURCE_NOT_FOUND_FAULT, "The requested source could not be found: %.*s",
			STR_ARG(in->source_identifier));
	for (size_t i = 0; i < r.sources.n; i++)
		if (!str_ieq(r.sources.v[i], in->source_identifier)) r.sources.v[kept++] = r.sources.v[i];
	r.sources.n = kept;
	return keep(c, &r, &out->event_subscription);
}
