/* Trails: made, changed, deleted, told of ("CreateTrail" and its kin, API reference). */
#include "services/cloudtrail/room.h"
#include "services/organizations/door.h"
#include "services/s3/names.h"
#include "services/sns/door.h"

/* "Creating a trail for an organization": the management account's, in an organization with all features that trusts
 * CloudTrail. Log files of every account are then below the organization's id. */
static status set_organization(struct call *c, struct cloudtrail_rec_trail *t, struct opt_bool wanted)
{
	struct organizations_place place = {0};
	struct str service = STR("cloudtrail.amazonaws.com");
	if (!wanted.has || wanted.v == t->organization.v) return OK;
	t->organization = wanted;
	t->organization_id = STR_NONE;
	if (!wanted.v) return OK;
	TRY(organizations_place(c->tx, c->arena, c->account, &place));
	if (!str_has(place.id))
		return CT_FAIL(c, ORGANIZATIONS_NOT_IN_USE, "The account %.*s is not a member of an organization.",
			STR_ARG(c->account));
	if (!str_eq(place.master, c->account)) {
		if (organizations_delegate(c->tx, c->arena, place.id, c->account, service))
			return call_fail(c, ERR_NOT_IMPLEMENTED,
				"Organization trails by delegated administrators are not implemented yet; the "
				"management "
				"account's are.");
		return CT_FAIL(c, NOT_ORGANIZATION_MASTER_ACCOUNT,
			"The account %.*s is not the management account of its organization.", STR_ARG(c->account));
	}
	if (!organizations_has_all_features(c->tx, c->arena, place.id))
		return CT_FAIL(c, ORGANIZATION_NOT_IN_ALL_FEATURES_MODE,
			"The organization %.*s does not have all features enabled.", STR_ARG(place.id));
	if (!organizations_trusts(c->tx, c->arena, place.id, service))
		return CT_FAIL(c, CLOUD_TRAIL_ACCESS_NOT_ENABLED,
			"Trusted access of cloudtrail.amazonaws.com is not enabled in organization %.*s.",
			STR_ARG(place.id));
	t->organization_id = place.id;
	return OK;
}

/* The topic by its name or ARN; it has to let CloudTrail publish ("Amazon SNS topic policy for CloudTrail"). */
static status set_topic(struct call *c, struct cloudtrail_rec_trail *t, struct str name)
{
	if (!str_has(name)) return OK;
	t->topic = STR_NONE;
	if (!name.n) return OK;
	t->topic = str_starts(name, STR("arn:")) ? name : call_arn(c, STR("sns"), "%.*s", STR_ARG(name));
	struct sns_publication p = {.topic_arn = t->topic,
		.service = STR("cloudtrail.amazonaws.com"),
		.source_arn = ct_trail_arn(c->arena, t),
		.source_account = t->account};
	status s = sns_publication_check(c->cloud, c->tx, c->arena, &p);
	if (is_ok(s)) return OK;
	if (status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_INVALID) || status_is(s, STATUS_LIMIT))
		return CT_FAIL(
			c, INSUFFICIENT_SNS_TOPIC_POLICY, "SNS Topic does not exist or the topic policy is incorrect!");
	return s;
}

static struct str topic_name(const struct cloudtrail_rec_trail *t)
{
	ptrdiff_t colon = str_has(t->topic) ? str_rchr(t->topic, ':') : -1;
	return colon < 0 ? STR_NONE : str_from(t->topic, (size_t)colon + 1);
}

static status check_places(struct call *c, struct str bucket, struct str prefix)
{
	if (!s3_name_was_bucket(bucket))
		return CT_FAIL(c, INVALID_S3_BUCKET_NAME, "Bucket name %.*s is not valid.", STR_ARG(bucket));
	if (str_has(prefix) && prefix.n > 200)
		return CT_FAIL(c, INVALID_S3_PREFIX, "Prefix must be no longer than 200 characters.");
	return OK;
}

static status check_flags(struct call *c, const struct cloudtrail_rec_trail *t)
{
	if (t->multi.v && !t->global.v)
		return CT_FAIL(
			c, INVALID_PARAMETER_COMBINATION, "Multi-Region trail must include global service events.");
	return OK;
}

static status check_new(struct call *c, const struct cloudtrail_rec_trail *t)
{
	struct ct_trail_list list = {0};
	struct cloudtrail_rec_trail there;
	status s = ct_trail_get(c->tx, c->arena, t->account, t->region, t->name, &there);
	if (is_ok(s))
		return CT_FAIL(c, TRAIL_ALREADY_EXISTS, "Trail %.*s already exists for customer: %.*s",
			STR_ARG(t->name), STR_ARG(t->account));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(ct_trails_of(c, true, &list));
	for (size_t i = 0; i < list.n; i++)
		if (str_eq(list.v[i].name, t->name))
			return CT_FAIL(c, TRAIL_ALREADY_EXISTS, "Trail %.*s already exists for customer: %.*s",
				STR_ARG(t->name), STR_ARG(t->account));
	if (list.n >= CT_TRAILS_MAX)
		return CT_FAIL(c, MAXIMUM_NUMBER_OF_TRAILS_EXCEEDED, "User: %.*s already has %zu trails in %.*s.",
			STR_ARG(t->account), list.n, STR_ARG(t->region));
	return OK;
}

status cloudtrail_create_trail(
	struct call *c, const struct cloudtrail_create_trail_request *in, struct cloudtrail_create_trail_response *out)
{
	TRY(ct_check_trail_name(c, in->name));
	TRY(check_places(c, in->s3_bucket_name, in->s3_key_prefix));
	struct cloudtrail_rec_trail t = {
		.name = in->name,
		.account = c->account,
		.region = c->region,
		.bucket = in->s3_bucket_name,
		.prefix = str_has(in->s3_key_prefix) && in->s3_key_prefix.n ? in->s3_key_prefix : STR_NONE,
		.global = SOME_BOOL(!in->include_global_service_events.has || in->include_global_service_events.v),
		.multi = SOME_BOOL(in->is_multi_region_trail.v),
		.validation = SOME_BOOL(in->enable_log_file_validation.v),
		.kms_key = str_has(in->kms_key_id) && in->kms_key_id.n ? in->kms_key_id : STR_NONE,
		.organization = SOME_BOOL(false),
		.logging = SOME_BOOL(false),
	};
	TRY(check_flags(c, &t));
	TRY(check_new(c, &t));
	TRY(set_organization(c, &t, in->is_organization_trail));
	TRY(ct_logs_set(c, &t, in->cloud_watch_logs_log_group_arn, in->cloud_watch_logs_role_arn));
	TRY(ct_tags_set(c, &t, &in->tags_list));
	TRY(set_topic(c, &t, in->sns_topic_name));
	TRY(ct_bucket_check(c, &t));
	ct_trail_put(c, &t);
	*out = (struct cloudtrail_create_trail_response){
		.name = t.name,
		.s3_bucket_name = t.bucket,
		.s3_key_prefix = t.prefix,
		.sns_topic_name = topic_name(&t),
		.sns_topic_arn = t.topic,
		.include_global_service_events = t.global,
		.is_multi_region_trail = t.multi,
		.trail_arn = ct_trail_arn(c->arena, &t),
		.log_file_validation_enabled = t.validation,
		.kms_key_id = t.kms_key,
		.is_organization_trail = t.organization,
		.cloud_watch_logs_log_group_arn = t.log_group,
		.cloud_watch_logs_role_arn = t.log_role,
	};
	return OK;
}

status cloudtrail_update_trail(
	struct call *c, const struct cloudtrail_update_trail_request *in, struct cloudtrail_update_trail_response *out)
{
	struct cloudtrail_rec_trail t;
	TRY(ct_trail_find_home(c, in->name, &t));
	TRY(set_organization(c, &t, in->is_organization_trail));
	TRY(ct_logs_set(c, &t, in->cloud_watch_logs_log_group_arn, in->cloud_watch_logs_role_arn));
	if (str_has(in->s3_bucket_name)) t.bucket = in->s3_bucket_name;
	if (str_has(in->s3_key_prefix)) t.prefix = in->s3_key_prefix.n ? in->s3_key_prefix : STR_NONE;
	if (in->include_global_service_events.has) t.global = in->include_global_service_events;
	if (in->is_multi_region_trail.has) t.multi = in->is_multi_region_trail;
	if (in->enable_log_file_validation.has) t.validation = in->enable_log_file_validation;
	if (str_has(in->kms_key_id)) t.kms_key = in->kms_key_id.n ? in->kms_key_id : STR_NONE;
	TRY(check_places(c, t.bucket, t.prefix));
	TRY(check_flags(c, &t));
	TRY(set_topic(c, &t, in->sns_topic_name));
	TRY(ct_bucket_check(c, &t));
	ct_trail_put(c, &t);
	*out = (struct cloudtrail_update_trail_response){
		.name = t.name,
		.s3_bucket_name = t.bucket,
		.s3_key_prefix = t.prefix,
		.sns_topic_name = topic_name(&t),
		.sns_topic_arn = t.topic,
		.include_global_service_events = t.global,
		.is_multi_region_trail = t.multi,
		.trail_arn = ct_trail_arn(c->arena, &t),
		.log_file_validation_enabled = t.validation,
		.kms_key_id = t.kms_key,
		.is_organization_trail = t.organization,
		.cloud_watch_logs_log_group_arn = t.log_group,
		.cloud_watch_logs_role_arn = t.log_role,
	};
	return OK;
}

static status drop_space(struct call *c, struct str space)
{
	struct str key, value;
	struct store_scan *scan = store_scan_begin(c->tx, space, key_after(c->arena, space), false);
	while (store_scan_next(scan, &key, &value)) store_delete(c->tx, str_dup(c->arena, key));
	return store_scan_end(scan);
}

status cloudtrail_delete_trail(
	struct call *c, const struct cloudtrail_delete_trail_request *in, struct cloudtrail_delete_trail_response *out)
{
	static const char *const kinds[] = {"trail", "status", "file", "digest", "pending", "logs"};
	struct cloudtrail_rec_trail t;
	(void)out;
	TRY(ct_trail_find_home(c, in->name, &t));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		TRY(drop_space(c, ct_trail_key(c->arena, kinds[i], t.account, t.region, t.name)));
	ct_deliver_schedule(c, &t, false);
	call_after_commit(c, ct_trails_reload, c->state);
	return OK;
}

/* ── telling ── */

static void tell(struct call *c, const struct cloudtrail_rec_trail *t, struct cloudtrail_trail *out)
{
	*out = (struct cloudtrail_trail){
		.name = t->name,
		.s3_bucket_name = t->bucket,
		.s3_key_prefix = t->prefix,
		.sns_topic_name = topic_name(t),
		.sns_topic_arn = t->topic,
		.include_global_service_events = t->global,
		.is_multi_region_trail = t->multi,
		.home_region = t->region,
		.trail_arn = ct_trail_arn(c->arena, t),
		.log_file_validation_enabled = t->validation,
		.kms_key_id = t->kms_key,
		.has_custom_event_selectors = SOME_BOOL(t->selectors.n || t->advanced.n),
		.has_insight_selectors = SOME_BOOL(false),
		.is_organization_trail = t->organization,
		.cloud_watch_logs_log_group_arn = t->log_group,
		.cloud_watch_logs_role_arn = t->log_role,
	};
}

status cloudtrail_get_trail(
	struct call *c, const struct cloudtrail_get_trail_request *in, struct cloudtrail_get_trail_response *out)
{
	struct cloudtrail_rec_trail t;
	TRY(ct_trail_find(c, in->name, &t));
	out->trail = arena_new(c->arena, struct cloudtrail_trail);
	tell(c, &t, out->trail);
	return OK;
}

static bool named(struct call *c, const struct cloudtrail_trail_name_list *names, const struct cloudtrail_rec_trail *t)
{
	for (size_t i = 0; i < names->n; i++)
		if (str_eq(names->v[i], t->name) || str_eq(names->v[i], ct_trail_arn(c->arena, t))) return true;
	return names->n == 0;
}

status cloudtrail_describe_trails(struct call *c, const struct cloudtrail_describe_trails_request *in,
	struct cloudtrail_describe_trails_response *out)
{
	struct ct_trail_list list = {0};
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->trail_list);
	for (size_t i = 0; i < in->trail_name_list.n; i++)
		if (!str_starts(in->trail_name_list.v[i], STR("arn:")))
			TRY(ct_check_trail_name(c, in->trail_name_list.v[i]));
	TRY(ct_trails_of(c, !in->include_shadow_trails.has || in->include_shadow_trails.v, &list));
	for (size_t i = 0; i < list.n; i++)
		if (named(c, &in->trail_name_list, &list.v[i]))
			tell(c, &list.v[i], VEC_PUSH(c->arena, &out->trail_list, &capacity));
	return OK;
}

status cloudtrail_list_trails(
	struct call *c, const struct cloudtrail_list_trails_request *in, struct cloudtrail_list_trails_response *out)
{
	struct ct_trail_list list = {0};
	size_t capacity = 0;
	(void)in; /* five trails a region: there is never a second page */
	VEC_PRESENT(c->arena, &out->trails);
	TRY(ct_trails_everywhere(c, &list));
	for (size_t i = 0; i < list.n; i++)
		*VEC_PUSH(c->arena, &out->trails, &capacity) = (struct cloudtrail_trail_info){
			ct_trail_arn(c->arena, &list.v[i]), list.v[i].name, list.v[i].region};
	return OK;
}
