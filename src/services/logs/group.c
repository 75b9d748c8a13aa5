/* Log groups: made, listed, deleted, their KMS key, retention, tags and protection. */
#include "call/inside.h"
#include "kms.h"
#include "services/logs/chunk.h"

enum { PAGE = 50, TAGS_MAX = 50 };

static status set_tags(struct call *c, struct logs_rec_group *g, const struct logs_tags *tags)
{
	for (size_t i = 0; i < tags->n; i++) {
		if (str_istarts(tags->v[i].key, STR("aws:")) && !c->system_tags)
			return LOGS_FAIL(
				c, INVALID_PARAMETER, "Tag keys that begin with aws: are reserved for system use.");
		logs_set(c->arena, &g->tags, tags->v[i].key, str_or(tags->v[i].value, STR("")));
	}
	return g->tags.n > TAGS_MAX ? LOGS_FAIL(c, INVALID_PARAMETER, "A log group may have 50 tags at most.") : OK;
}

/* "The CMK must be a symmetric key that is there and enabled", and its policy has to let logs.REGION.amazonaws.com use
 * it for the group ("Encrypt log data in CloudWatch Logs using AWS KMS"). */
static status check_key(struct call *c, struct str key, struct str group)
{
	struct kms_use u = kms_use_of(c);
	struct kms_refusal why;
	struct str arn;
	status s = kms_use_resolve(&u, key, &arn, &why);
	if (status_is(s, STATUS_FAILED) && why.why == KMS_WHY_NOT_FOUND)
		return LOGS_FAIL(c, INVALID_PARAMETER, "The specified KMS Key Id could not be found.");
	if (status_is(s, STATUS_FAILED)) return LOGS_FAIL(c, INVALID_PARAMETER, "%.*s", STR_ARG(why.message));
	TRY(s);
	struct inside_caller who = inside_service(
		c->arena, c->account, c->region, str_fmt(c->arena, "logs.%.*s.amazonaws.com", STR_ARG(c->region)));
	struct str group_arn = logs_group_arn(c->arena, c->account, c->region, group);
	who.trusted = false;
	who.source_arn = group_arn;
	struct kms_encryption_context_type_entry pair = {STR("aws:logs:arn"), group_arn};
	struct kms_generate_data_key_without_plaintext_input in = {
		.key_id = arn, .key_spec = STR("AES_256"), .encryption_context = {&pair, 1}};
	struct inside *i = inside_run(c->cloud, &who, "kms", KMS_OP_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT, &in, NULL);
	bool ok = i->ok;
	inside_free(i);
	if (ok) return OK;
	return LOGS_FAIL(c, ACCESS_DENIED,
		"The specified KMS key does not exist or is not allowed to be used with Arn '%.*s'",
		STR_ARG(group_arn));
}

status logs_create_log_group(
	struct call *c, const struct logs_create_log_group_input *in, struct logs_create_log_group_output *out)
{
	struct str bytes;
	(void)out;
	struct logs_rec_group g = {.name = in->log_group_name,
		.created = SOME_TIME(c->now_ms),
		.class = str_or(in->log_group_class, STR("STANDARD")),
		.protected = in->deletion_protection_enabled,
		.account = c->account,
		.region = c->region};
	if (!str_is(g.class, "STANDARD") && !str_is(g.class, "INFREQUENT_ACCESS"))
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "Log groups of class %.*s are not implemented yet.", STR_ARG(g.class));
	status s = store_get(c->tx, logs_key_of(c->arena, "group", c->account, c->region, g.name), &bytes);
	if (is_ok(s)) return LOGS_FAIL(c, RESOURCE_ALREADY_EXISTS, "The specified log group already exists");
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(set_tags(c, &g, &in->tags));
	if (str_has(in->kms_key_id)) TRY(check_key(c, in->kms_key_id, g.name));
	g.kms_key = in->kms_key_id;
	logs_group_put(c, &g);
	return OK;
}

/* What came before stays as it is: "All previously ingested log data … is not encrypted" by it. */
static status set_key(struct call *c, struct str name, struct str identifier, struct str key)
{
	struct logs_rec_group g;
	struct str group;
	if (str_find(str_or(identifier, STR("")), STR(":query-result:")) >= 0)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Keys for query results are not implemented yet.");
	TRY(logs_group_name(c, name, identifier, &group));
	TRY(logs_group_load(c, group, &g));
	if (str_has(key)) TRY(check_key(c, key, g.name));
	g.kms_key = key;
	logs_group_put(c, &g);
	return OK;
}

status logs_associate_kms_key(
	struct call *c, const struct logs_associate_kms_key_input *in, struct logs_associate_kms_key_output *out)
{
	(void)out;
	return set_key(c, in->log_group_name, in->resource_identifier, in->kms_key_id);
}

status logs_disassociate_kms_key(
	struct call *c, const struct logs_disassociate_kms_key_input *in, struct logs_disassociate_kms_key_output *out)
{
	(void)out;
	return set_key(c, in->log_group_name, in->resource_identifier, STR_NONE);
}

status logs_delete_log_group(
	struct call *c, const struct logs_delete_log_group_input *in, struct logs_delete_log_group_output *out)
{
	struct logs_rec_group g;
	struct logs_streams streams = {0};
	struct logs_subscriptions wanted = {0};
	(void)out;
	TRY(logs_group_load(c, in->log_group_name, &g));
	if (g.protected.v)
		return LOGS_FAIL(c, VALIDATION, "The log group cannot be deleted: deletion protection is enabled.");
	TRY(logs_streams_of(c->tx, c->arena, c->account, c->region, g.name, STR(""), &streams));
	for (size_t i = 0; i < streams.n; i++) {
		size_t n;
		TRY(logs_chunks_drop(c->tx, c->arena, (uint64_t)streams.v[i].id.v, INT64_MAX, SIZE_MAX, &n));
	}
	TRY(logs_drop(c->tx, c->arena, logs_key_in(c->arena, "stream", c->account, c->region, g.name, STR_NONE)));
	TRY(logs_drop(c->tx, c->arena, logs_key_in(c->arena, "filter", c->account, c->region, g.name, STR_NONE)));
	store_delete(c->tx, logs_key_of(c->arena, "transformer", c->account, c->region, g.name));
	TRY(logs_subscriptions_of(c->tx, c->arena, c->account, c->region, g.name, &wanted));
	for (size_t i = 0; i < wanted.n; i++)
		if (wanted.v[i].group.n) TRY(logs_delivery_end(c, g.name, wanted.v[i].name));
	TRY(logs_drop(c->tx, c->arena, logs_key_in(c->arena, "subscription", c->account, c->region, g.name, STR_NONE)));
	store_delete(c->tx, logs_key_of(c->arena, "group", c->account, c->region, g.name));
	return OK;
}

/* ── listing ── */

static status stored_bytes(struct call *c, const struct logs_rec_group *g, int64_t *out)
{
	struct logs_streams streams = {0};
	TRY(logs_streams_of(c->tx, c->arena, g->account, g->region, g->name, STR(""), &streams));
	*out = 0;
	for (size_t i = 0; i < streams.n; i++) {
		struct logs_extent e;
		TRY(logs_extent(c->tx, c->arena, (uint64_t)streams.v[i].id.v, true, &e));
		*out += (int64_t)e.bytes;
	}
	return OK;
}

static status show(struct call *c, const struct logs_rec_group *g, struct logs_log_group *out)
{
	struct str filters = logs_key_in(c->arena, "filter", c->account, c->region, g->name, STR_NONE), key, value;
	int64_t bytes;
	int32_t n = 0;
	struct store_scan *scan = store_scan_begin(c->tx, filters, key_after(c->arena, filters), false);
	while (store_scan_next(scan, &key, &value)) n++;
	TRY(store_scan_end(scan));
	TRY(stored_bytes(c, g, &bytes));
	out->log_group_name = g->name;
	out->creation_time = SOME_I64(g->created.ms);
	out->retention_in_days = g->retention_days;
	out->kms_key_id = g->kms_key;
	out->metric_filter_count = SOME_I32(n);
	out->log_group_arn = logs_group_arn(c->arena, g->account, g->region, g->name);
	out->arn = str_fmt(c->arena, "%.*s:*", STR_ARG(out->log_group_arn));
	out->stored_bytes = SOME_I64(bytes);
	out->log_group_class = g->class;
	out->deletion_protection_enabled = SOME_BOOL(g->protected.v);
	return OK;
}

static bool contains_ignoring_case(struct str s, struct str part)
{
	for (size_t i = 0; i + part.n <= s.n; i++)
		if (str_ieq(str_sub(s, i, part.n), part)) return true;
	return false;
}

static bool among(struct call *c, const struct logs_describe_log_groups_log_group_identifiers *l, struct str name)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i], name) || str_eq(l->v[i], logs_group_arn(c->arena, c->account, c->region, name)))
			return true;
	return l->n == 0;
}

status logs_describe_log_groups(
	struct call *c, const struct logs_describe_log_groups_input *in, struct logs_describe_log_groups_output *out)
{
	struct str space = logs_key(c->arena, "group", c->account, c->region), after, key, value;
	struct str from = key_with_prefix(c->arena, space, str_or(in->log_group_name_prefix, STR("")));
	size_t capacity = 0, most = in->limit.has ? (size_t)in->limit.v : PAGE;
	status s = OK;
	if (str_has(in->log_group_name_prefix) && str_has(in->log_group_name_pattern))
		return LOGS_FAIL(c, INVALID_PARAMETER,
			"LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.");
	TRY(logs_token(c, in->next_token, &after));
	VEC_PRESENT(c->arena, &out->log_groups);
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after_prefix(c->arena, from), false);
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct logs_rec_group g = {0};
		s = logs_rec_group_decode(c->arena, str_dup(c->arena, value), &g);
		if (!is_ok(s) || str_cmp(g.name, after) <= 0 || !among(c, &in->log_group_identifiers, g.name)) continue;
		if (str_has(in->log_group_name_pattern) && !contains_ignoring_case(g.name, in->log_group_name_pattern))
			continue;
		if (str_has(in->log_group_class) && !str_eq(in->log_group_class, g.class)) continue;
		if (out->log_groups.n == most) {
			out->next_token = str_base64(c->arena, out->log_groups.v[most - 1].log_group_name);
			break;
		}
		s = show(c, &g, VEC_PUSH(c->arena, &out->log_groups, &capacity));
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

/* ── retention, protection ── */

status logs_put_retention_policy(
	struct call *c, const struct logs_put_retention_policy_input *in, struct logs_put_retention_policy_output *out)
{
	static const int32_t known[] = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192,
		2557, 2922, 3288, 3653};
	struct logs_rec_group g;
	bool good = false;
	(void)out;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) good = good || known[i] == in->retention_in_days.v;
	if (!good)
		return LOGS_FAIL(c, INVALID_PARAMETER,
			"The retention in days must be one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, "
			"545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653.");
	TRY(logs_group_load(c, in->log_group_name, &g));
	g.retention_days = in->retention_in_days;
	logs_group_put(c, &g);
	return OK;
}

status logs_delete_retention_policy(struct call *c, const struct logs_delete_retention_policy_input *in,
	struct logs_delete_retention_policy_output *out)
{
	struct logs_rec_group g;
	(void)out;
	TRY(logs_group_load(c, in->log_group_name, &g));
	g.retention_days = (struct opt_i32){0};
	logs_group_put(c, &g);
	return OK;
}

status logs_put_log_group_deletion_protection(struct call *c,
	const struct logs_put_log_group_deletion_protection_input *in,
	struct logs_put_log_group_deletion_protection_output *out)
{
	struct logs_rec_group g;
	struct str name;
	(void)out;
	TRY(logs_group_name(c, STR_NONE, in->log_group_identifier, &name));
	TRY(logs_group_load(c, name, &g));
	g.protected = in->deletion_protection_enabled;
	logs_group_put(c, &g);
	return OK;
}

/* ── tags ── */

static void list_tags(struct call *c, const struct logs_rec_group *g, struct logs_tags *out)
{
	size_t capacity = 0;
	VEC_PRESENT(c->arena, out);
	for (size_t i = 0; i < g->tags.n; i++) {
		struct logs_tags_entry *e = VEC_PUSH(c->arena, out, &capacity);
		e->key = g->tags.v[i].key;
		e->value = g->tags.v[i].value;
	}
}

status logs_tag_resource(struct call *c, const struct logs_tag_resource_input *in, struct logs_tag_resource_output *out)
{
	struct logs_rec_group g;
	struct str name;
	(void)out;
	TRY(logs_group_name(c, STR_NONE, in->resource_arn, &name));
	TRY(logs_group_load(c, name, &g));
	TRY(set_tags(c, &g, &in->tags));
	logs_group_put(c, &g);
	return OK;
}

status logs_untag_resource(
	struct call *c, const struct logs_untag_resource_input *in, struct logs_untag_resource_output *out)
{
	struct logs_rec_group g;
	struct str name;
	(void)out;
	TRY(logs_group_name(c, STR_NONE, in->resource_arn, &name));
	TRY(logs_group_load(c, name, &g));
	for (size_t i = 0; i < in->tag_keys.n; i++) logs_set(c->arena, &g.tags, in->tag_keys.v[i], STR_NONE);
	logs_group_put(c, &g);
	return OK;
}

status logs_list_tags_for_resource(struct call *c, const struct logs_list_tags_for_resource_input *in,
	struct logs_list_tags_for_resource_output *out)
{
	struct logs_rec_group g;
	struct str name;
	TRY(logs_group_name(c, STR_NONE, in->resource_arn, &name));
	TRY(logs_group_load(c, name, &g));
	list_tags(c, &g, &out->tags);
	return OK;
}

/* The three that came before them. */
status logs_tag_log_group(
	struct call *c, const struct logs_tag_log_group_input *in, struct logs_tag_log_group_output *out)
{
	struct logs_rec_group g;
	(void)out;
	TRY(logs_group_load(c, in->log_group_name, &g));
	TRY(set_tags(c, &g, &in->tags));
	logs_group_put(c, &g);
	return OK;
}

status logs_untag_log_group(
	struct call *c, const struct logs_untag_log_group_input *in, struct logs_untag_log_group_output *out)
{
	struct logs_rec_group g;
	(void)out;
	TRY(logs_group_load(c, in->log_group_name, &g));
	for (size_t i = 0; i < in->tags.n; i++) logs_set(c->arena, &g.tags, in->tags.v[i], STR_NONE);
	logs_group_put(c, &g);
	return OK;
}

status logs_list_tags_log_group(
	struct call *c, const struct logs_list_tags_log_group_input *in, struct logs_list_tags_log_group_output *out)
{
	struct logs_rec_group g;
	TRY(logs_group_load(c, in->log_group_name, &g));
	list_tags(c, &g, &out->tags);
	return OK;
}
