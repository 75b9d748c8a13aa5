/* Versions of launch templates, at (ec2, launch-template-version, ACCOUNT, REGION, TEMPLATE ID, NUMBER). Their data are
 * kept as text of the API's own shape (wire/shape.h): most of its members only pass through. */
#include "services/ec2/launch_template.h"
#include "wire/shape.h"

#define TABLES (&wire_service_ec2.tables)
enum { VERSIONS_SHOWN = 200 };

status ec2_template_data_check(struct call *c, const struct ec2_request_launch_template_data *data)
{
	if (!data)
		return call_fail(
			c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter LaunchTemplateData");
	struct ec2_machine_type m;
	if (str_has(data->instance_type) && data->instance_requirements)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"You can't specify both InstanceType and InstanceRequirements in the same launch template.");
	if (str_has(data->instance_type) && !ec2_machine_type_find(data->instance_type, &m))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid value '%.*s' for InstanceType.",
			STR_ARG(data->instance_type));
	struct str raw;
	if (str_has(data->user_data) && !is_ok(str_unbase64(c->arena, data->user_data, &raw)))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid BASE64 encoding of user data.");
	return OK;
}

struct ec2_response_launch_template_data *ec2_template_data_taken(
	struct arena *a, const struct ec2_request_launch_template_data *data)
{
	struct ec2_response_launch_template_data *out = arena_new(a, struct ec2_response_launch_template_data);
	ec2_copy(a, TABLES, EC2_SHAPE_REQUEST_LAUNCH_TEMPLATE_DATA, data, TABLES,
		EC2_SHAPE_RESPONSE_LAUNCH_TEMPLATE_DATA, out);
	if (out->metadata_options && !str_has(out->metadata_options->state))
		out->metadata_options->state = STR("pending");
	return out;
}

static struct str key_of(struct call *c, struct str id, int64_t number)
{
	struct key k = key_for(c->arena, STR("ec2"), STR("launch-template-version"), c->account, c->region);
	key_str(&k, id);
	if (number) key_i64(&k, number);
	return key_done(&k);
}

void ec2_template_version_put(struct call *c, const struct ec2_rec_launch_template *t, int64_t number,
	struct str description, const struct ec2_response_launch_template_data *data)
{
	struct ec2_rec_launch_template_version v = {.version_number = SOME_I64(number),
		.version_description = description,
		.create_time = SOME_TIME(c->now_ms / 1000 * 1000),
		.created_by = c->principal.arn,
		.data = wire_shape_write(c->arena, TABLES, EC2_SHAPE_RESPONSE_LAUNCH_TEMPLATE_DATA, data)};
	store_put(
		c->tx, key_of(c, t->launch_template_id, number), ec2_rec_launch_template_version_encode(c->arena, &v));
}

static status read(struct call *c, const struct ec2_rec_launch_template *t, struct str bytes,
	struct ec2_launch_template_version *out)
{
	struct ec2_rec_launch_template_version v = {0};
	TRY(ec2_rec_launch_template_version_decode(c->arena, str_dup(c->arena, bytes), &v));
	*out = (struct ec2_launch_template_version){.launch_template_id = t->launch_template_id,
		.launch_template_name = t->launch_template_name,
		.version_number = v.version_number,
		.version_description = v.version_description,
		.create_time = v.create_time,
		.created_by = v.created_by,
		.default_version = SOME_BOOL(v.version_number.v == t->default_version_number.v),
		.launch_template_data = arena_new(c->arena, struct ec2_response_launch_template_data)};
	return wire_shape_read(
		c->arena, TABLES, EC2_SHAPE_RESPONSE_LAUNCH_TEMPLATE_DATA, v.data, out->launch_template_data);
}

status ec2_template_versions_drop(struct call *c, const struct ec2_rec_launch_template *t)
{
	struct str from = key_of(c, t->launch_template_id, 0), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) store_delete(c->tx, str_dup(c->arena, key));
	return store_scan_end(scan);
}

/* 0: it is none. */
static int64_t number_of(const struct ec2_rec_launch_template *t, struct str version)
{
	int64_t n;
	if (str_empty(version) || str_is(version, "$Default")) return t->default_version_number.v;
	if (str_is(version, "$Latest")) return t->latest_version_number.v;
	return is_ok(str_to_i64(version, &n)) && n > 0 ? n : 0;
}

status ec2_template_version(struct call *c, const struct ec2_rec_launch_template *t, struct str version,
	struct ec2_launch_template_version *out)
{
	struct str bytes;
	int64_t n = number_of(t, version);
	if (n == 0)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"Invalid version '%.*s'. The version must be a number, $Latest or $Default.", STR_ARG(version));
	status s = store_get(c->tx, key_of(c, t->launch_template_id, n), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(c, EC2_ERR_INVALID_LAUNCH_TEMPLATE_ID_VERSION_NOT_FOUND,
			"Could not find launch template version %lld for template %.*s", (long long)n,
			STR_ARG(t->launch_template_id));
	TRY(s);
	return read(c, t, bytes, out);
}

status ec2_create_launch_template_version(struct call *c, const struct ec2_create_launch_template_version_input *in,
	struct ec2_create_launch_template_version_output *out)
{
	struct ec2_rec_launch_template t;
	TRY(ec2_template_find(c, in->launch_template_id, in->launch_template_name, &t));
	TRY(ec2_template_data_check(c, in->launch_template_data));
	struct ec2_response_launch_template_data *data = ec2_template_data_taken(c->arena, in->launch_template_data);
	if (str_has(in->source_version)) {
		/* "The new version inherits the same launch parameters as the source version, except for parameters
		 * that you specify" (CreateLaunchTemplateVersion). */
		struct ec2_launch_template_version source;
		TRY(ec2_template_version(c, &t, in->source_version, &source));
		ec2_replace(TABLES, EC2_SHAPE_RESPONSE_LAUNCH_TEMPLATE_DATA, data, source.launch_template_data);
		data = source.launch_template_data;
		if (str_has(in->launch_template_data->instance_type)) data->instance_requirements = NULL;
		if (in->launch_template_data->instance_requirements) data->instance_type = STR_NONE;
	}
	int64_t number = t.latest_version_number.v + 1;
	t.latest_version_number = SOME_I64(number);
	ec2_template_version_put(c, &t, number, in->version_description, data);
	ec2_put(ec2_here(c), &ec2_type_launch_template, t.launch_template_id, &t);
	out->launch_template_version = arena_new(c->arena, struct ec2_launch_template_version);
	return ec2_template_version(c, &t, str_fmt(c->arena, "%lld", (long long)number), out->launch_template_version);
}

status ec2_delete_launch_template_versions(struct call *c, const struct ec2_delete_launch_template_versions_input *in,
	struct ec2_delete_launch_template_versions_output *out)
{
	struct ec2_rec_launch_template t;
	size_t done = 0, refused = 0;
	if (in->versions.n > VERSIONS_SHOWN)
		return call_fail(
			c, EC2_ERR_INVALID_PARAMETER_VALUE, "You can delete up to 200 launch template versions.");
	TRY(ec2_template_find(c, in->launch_template_id, in->launch_template_name, &t));
	for (size_t i = 0; i < in->versions.n; i++) {
		struct str bytes, version = in->versions.v[i];
		int64_t n = number_of(&t, version);
		status s = n ? store_get(c->tx, key_of(c, t.launch_template_id, n), &bytes) : STATUS(NOT_FOUND);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		if (is_ok(s) && n != t.default_version_number.v) {
			store_delete(c->tx, key_of(c, t.launch_template_id, n));
			*VEC_PUSH(c->arena, &out->successfully_deleted_launch_template_versions, &done) =
				(struct ec2_delete_launch_template_versions_response_success_item){
					t.launch_template_id, t.launch_template_name, SOME_I64(n)};
			continue;
		}
		struct ec2_response_error *e = arena_new(c->arena, struct ec2_response_error);
		*e = is_ok(s) ? (struct ec2_response_error){STR("unexpectedError"),
					STR("The default version of a launch template cannot be deleted.")}
			      : (struct ec2_response_error){STR("launchTemplateVersionDoesNotExist"),
					str_fmt(c->arena, "Could not find launch template version %.*s",
						STR_ARG(version))};
		*VEC_PUSH(c->arena, &out->unsuccessfully_deleted_launch_template_versions, &refused) =
			(struct ec2_delete_launch_template_versions_response_error_item){
				t.launch_template_id, t.launch_template_name, SOME_I64(n), e};
	}
	return OK;
}

static const char *const filters[] = {"create-time", "ebs-optimized=LaunchTemplateData.EbsOptimized",
	"http-endpoint=LaunchTemplateData.MetadataOptions.HttpEndpoint",
	"http-protocol-ipv6=LaunchTemplateData.MetadataOptions.HttpProtocolIpv6",
	"http-tokens=LaunchTemplateData.MetadataOptions.HttpTokens",
	"iam-instance-profile=LaunchTemplateData.IamInstanceProfile.Arn", "image-id=LaunchTemplateData.ImageId",
	"instance-type=LaunchTemplateData.InstanceType", "is-default-version=DefaultVersion",
	"kernel-id=LaunchTemplateData.KernelId",
	"license-configuration-arn=LaunchTemplateData.LicenseSpecifications.LicenseConfigurationArn",
	"network-card-index=LaunchTemplateData.NetworkInterfaces.NetworkCardIndex",
	"ram-disk-id=LaunchTemplateData.RamDiskId", NULL};

struct listing {
	struct call *c;
	const struct ec2_describe_launch_template_versions_input *in;
	struct ec2_launch_template_version_set *out;
	size_t capacity;
};

static void add(struct listing *l, const struct ec2_launch_template_version *v)
{
	if (ec2_filters_match(l->c->arena, EC2_SHAPE_LAUNCH_TEMPLATE_VERSION, filters, &l->in->filters, v))
		*VEC_PUSH(l->c->arena, l->out, &l->capacity) = *v;
}

/* All of a template's, newest first. */
static status add_all(struct listing *l, const struct ec2_rec_launch_template *t)
{
	int64_t min = 1, max = INT64_MAX;
	struct call *c = l->c;
	if (str_has(l->in->min_version) && !is_ok(str_to_i64(l->in->min_version, &min)))
		return call_fail(
			c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid MinVersion '%.*s'.", STR_ARG(l->in->min_version));
	if (str_has(l->in->max_version) && !is_ok(str_to_i64(l->in->max_version, &max)))
		return call_fail(
			c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid MaxVersion '%.*s'.", STR_ARG(l->in->max_version));
	struct str from = key_of(c, t->launch_template_id, 0), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), true);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct ec2_launch_template_version v;
		s = read(c, t, value, &v);
		if (is_ok(s) && v.version_number.v >= min && v.version_number.v <= max) add(l, &v);
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

static status add_listed(struct listing *l, const struct ec2_rec_launch_template *t)
{
	for (size_t i = 0; i < l->in->versions.n; i++) {
		struct ec2_launch_template_version v;
		TRY(ec2_template_version(l->c, t, l->in->versions.v[i], &v));
		add(l, &v);
	}
	return OK;
}

status ec2_describe_launch_template_versions(struct call *c,
	const struct ec2_describe_launch_template_versions_input *in,
	struct ec2_describe_launch_template_versions_output *out)
{
	struct listing l = {.c = c, .in = in, .out = &out->launch_template_versions};
	struct ec2_rec_launch_template t;
	TRY(ec2_filters_check(c, filters, &in->filters));
	if (str_has(in->launch_template_id) || str_has(in->launch_template_name)) {
		TRY(ec2_template_find(c, in->launch_template_id, in->launch_template_name, &t));
		TRY(in->versions.n ? add_listed(&l, &t) : add_all(&l, &t));
	} else {
		/* "To describe all launch templates in your account that are defined as the latest version, … $Latest"
		 */
		for (size_t i = 0; i < in->versions.n; i++)
			if (!str_is(in->versions.v[i], "$Latest") && !str_is(in->versions.v[i], "$Default"))
				return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
					"Invalid version '%.*s': without a launch template only $Latest and $Default.",
					STR_ARG(in->versions.v[i]));
		if (!in->versions.n)
			return call_fail(c, EC2_ERR_MISSING_PARAMETER,
				"You must specify either a launch template ID, a launch template name, or versions.");
		struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_launch_template);
		status s = OK;
		while (is_ok(s) && ec2_next(&e)) s = add_listed(&l, e.item.record);
		TRY(s);
		TRY(ec2_each_end(&e));
	}
	return ec2_page(c, &out->launch_template_versions, sizeof(*out->launch_template_versions.v),
		in->max_results.has ? in->max_results : SOME_I32(VERSIONS_SHOWN), in->next_token, &out->next_token);
}
