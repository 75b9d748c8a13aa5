/* RunInstances: the plan made real in the store. The machine controller does the rest after the commit. */
#include "services/ec2/capacity.h"
#include "services/ec2/dedicated_host.h"
#include "services/ec2/machine.h"
#include "wire/shape.h"
#include <openssl/sha.h>

#define TABLES (&wire_service_ec2.tables)
#define TOKEN_MS ((int64_t)24 * 3600 * 1000)

/* ── what is kept of the request ── */

/* "Configure the Instance Metadata Service options": the request, else the account's defaults, else the image's. */
static status metadata_options(struct call *c, const struct ec2_run_plan *p, struct ec2_instance *shape)
{
	struct ec2_rec_settings s;
	TRY(ec2_settings_get(ec2_here(c), &s));
	bool v2 = str_is(p->image.shape.imds_support, "v2.0");
	struct ec2_instance_metadata_options_response *m =
		arena_new(c->arena, struct ec2_instance_metadata_options_response);
	*m = (struct ec2_instance_metadata_options_response){.state = STR("applied"),
		.http_tokens = str_or(s.http_tokens, v2 ? STR("required") : STR("optional")),
		.http_put_response_hop_limit = s.http_hops.has ? s.http_hops : SOME_I32(v2 ? 2 : 1),
		.http_endpoint = str_or(s.http_endpoint, STR("enabled")),
		.http_protocol_ipv6 = STR("disabled"),
		.instance_metadata_tags = str_or(s.http_tags, STR("disabled"))};
	if (p->in.metadata_options) {
		if (p->in.metadata_options->http_put_response_hop_limit.has &&
			(p->in.metadata_options->http_put_response_hop_limit.v < 1 ||
				p->in.metadata_options->http_put_response_hop_limit.v > 64))
			return call_fail(
				c, EC2_ERR_INVALID_PARAMETER_VALUE, "HttpPutResponseHopLimit has to be from 1 to 64.");
		ec2_copy(c->arena, TABLES, EC2_SHAPE_INSTANCE_METADATA_OPTIONS_REQUEST, p->in.metadata_options, TABLES,
			EC2_SHAPE_INSTANCE_METADATA_OPTIONS_RESPONSE, m);
	}
	shape->metadata_options = m;
	return OK;
}

/* "The tenancy of an instance depends on that of its VPC": of a dedicated one's none is shared. */
static struct ec2_placement *placement(struct call *c, const struct ec2_run_plan *p)
{
	struct ec2_placement *out = arena_new(c->arena, struct ec2_placement);
	struct ec2_rec_vpc vpc = {0};
	if (p->in.placement) *out = *p->in.placement;
	out->availability_zone = p->subnet.availability_zone;
	out->availability_zone_id = p->subnet.availability_zone_id;
	out->tenancy = str_or(out->tenancy, STR("default"));
	if (str_is(out->tenancy, "default") && is_ok(ec2_load(ec2_here(c), &ec2_type_vpc, p->subnet.vpc_id, &vpc)) &&
		str_is(vpc.instance_tenancy, "dedicated"))
		out->tenancy = STR("dedicated");
	out->group_name = str_or(out->group_name, STR(""));
	return out;
}

static void cpu_options(struct call *c, const struct ec2_run_plan *p, struct ec2_instance *shape)
{
	unsigned threads = p->type.family->no_threads || p->type.vcpus == 1 ? 1 : 2;
	shape->cpu_options = arena_new(c->arena, struct ec2_cpu_options);
	*shape->cpu_options = (struct ec2_cpu_options){.core_count = SOME_I32((int32_t)(p->type.vcpus / threads)),
		.threads_per_core = SOME_I32((int32_t)threads)};
	if (!p->in.cpu_options) return;
	if (p->in.cpu_options->core_count.has) shape->cpu_options->core_count = p->in.cpu_options->core_count;
	if (p->in.cpu_options->threads_per_core.has)
		shape->cpu_options->threads_per_core = p->in.cpu_options->threads_per_core;
}

static status shape_of(struct call *c, const struct ec2_run_plan *p, struct ec2_instance *shape)
{
	const struct ec2_run_instances_request *in = &p->in;
	bool nitro = !p->type.family->xen;
	*shape = (struct ec2_instance){.architecture = p->image.shape.architecture,
		.client_token = str_or(in->client_token, STR("")),
		.ebs_optimized = SOME_BOOL(in->ebs_optimized.v),
		.ena_support = SOME_BOOL(true),
		.hypervisor = STR("xen"),
		.root_device_name = p->image.shape.root_device_name,
		.root_device_type = STR("ebs"),
		.virtualization_type = STR("hvm"),
		.boot_mode = p->image.shape.boot_mode,
		.current_instance_boot_mode =
			nitro && str_starts(p->image.shape.boot_mode, STR("uefi")) ? STR("uefi") : STR("legacy-bios"),
		.platform_details = STR("Linux/UNIX"),
		.usage_operation = STR("RunInstances"),
		.usage_operation_update_time = SOME_TIME(c->now_ms / 1000 * 1000),
		.image_id = p->image.shape.image_id,
		.key_name = str_empty(in->key_name) ? STR_NONE : in->key_name,
		.instance_type = p->type.name,
		.kernel_id = in->kernel_id,
		.ramdisk_id = in->ramdisk_id,
		.placement = placement(c, p)};
	VEC_PRESENT(c->arena, &shape->product_codes);
	shape->monitoring = arena_new(c->arena, struct ec2_monitoring);
	shape->monitoring->state = in->monitoring && in->monitoring->enabled.v ? STR("enabled") : STR("disabled");
	shape->hibernation_options = arena_new(c->arena, struct ec2_hibernation_options);
	shape->hibernation_options->configured =
		SOME_BOOL(in->hibernation_options && in->hibernation_options->configured.v);
	shape->enclave_options = arena_new(c->arena, struct ec2_enclave_options);
	shape->enclave_options->enabled = SOME_BOOL(in->enclave_options && in->enclave_options->enabled.v);
	shape->maintenance_options = arena_new(c->arena, struct ec2_instance_maintenance_options);
	shape->maintenance_options->auto_recovery =
		str_or(in->maintenance_options ? in->maintenance_options->auto_recovery : STR_NONE, STR("default"));
	shape->private_dns_name_options = arena_new(c->arena, struct ec2_private_dns_name_options_response);
	struct ec2_private_dns_name_options_response *dns = shape->private_dns_name_options;
	*dns = (struct ec2_private_dns_name_options_response){STR("ip-name"), SOME_BOOL(false), SOME_BOOL(false)};
	if (p->in.private_dns_name_options)
		ec2_copy(c->arena, TABLES, EC2_SHAPE_PRIVATE_DNS_NAME_OPTIONS_REQUEST, p->in.private_dns_name_options,
			TABLES, EC2_SHAPE_PRIVATE_DNS_NAME_OPTIONS_RESPONSE, dns);
	shape->capacity_reservation_specification =
		arena_new(c->arena, struct ec2_capacity_reservation_specification_response);
	shape->capacity_reservation_specification->capacity_reservation_preference = STR("open");
	if (p->in.capacity_reservation_specification)
		ec2_copy(c->arena, TABLES, EC2_SHAPE_CAPACITY_RESERVATION_SPECIFICATION,
			p->in.capacity_reservation_specification, TABLES,
			EC2_SHAPE_CAPACITY_RESERVATION_SPECIFICATION_RESPONSE,
			shape->capacity_reservation_specification);
	if (str_has(p->spot_request)) {
		shape->instance_lifecycle = STR("spot");
		shape->spot_instance_request_id = p->spot_request;
	}
	cpu_options(c, p, shape);
	return metadata_options(c, p, shape);
}

/* ── one instance ── */

static status add_volumes(struct call *c, const struct ec2_run_plan *p, struct ec2_rec_instance *i)
{
	size_t capacity = 0;
	for (size_t k = 0; k < p->n_devices; k++) {
		const struct ec2_device *d = &p->devices[k];
		struct ec2_rec_volume v;
		TRY(ec2_volume_make(c, &d->plan, &v));
		v.attachments.v = arena_new(c->arena, struct ec2_rec_attachment);
		v.attachments.n = 1;
		v.attachments.v[0] = (struct ec2_rec_attachment){.instance_id = i->instance_id,
			.device = d->name,
			.state = STR("attaching"),
			.attach_time = SOME_TIME(c->now_ms),
			.delete_on_termination = SOME_BOOL(d->delete_with),
			.volume_id = v.volume_id};
		if (d->root) v.base = p->image.base;
		if (!ec2_volume_key_may(c, &v, EC2_KEY_GRANT)) i->key_refused = SOME_BOOL(true);
		ec2_volume_put(ec2_here(c), &v);
		TRY(ec2_tags_specified(c, &p->in.tag_specifications, &ec2_type_volume, v.volume_id));
		*VEC_PUSH(c->arena, &i->volumes, &capacity) =
			(struct ec2_rec_instance_volume){.device = d->name, .id = v.volume_id};
	}
	return OK;
}

static status had_public(struct call *c, struct ec2_rec_instance *i)
{
	struct ec2_enis enis = {0};
	TRY(ec2_eni_of_instance(ec2_here(c), i->instance_id, &enis));
	for (size_t k = 0; k < enis.n; k++)
		for (size_t a = 0; a < enis.v[k].addresses.n; a++)
			if (str_has(enis.v[k].addresses.v[a].public) && !str_has(enis.v[k].addresses.v[a].allocation))
				i->public_at_launch = SOME_BOOL(true);
	return OK;
}

static struct ec2_capacity_wish wish_of(const struct ec2_run_plan *p, const struct ec2_instance *shape)
{
	return (struct ec2_capacity_wish){p->type.name, p->subnet.availability_zone, shape->placement->tenancy,
		shape->capacity_reservation_specification};
}

static status make_one(struct call *c, const struct ec2_run_plan *p, const struct ec2_instance *like,
	struct str reservation, int32_t index, struct str *id)
{
	const struct ec2_run_instances_request *in = &p->in;
	struct ec2_instance shape = *like;
	struct ec2_rec_instance i = {.instance_id = ec2_new_id(c->arena, ec2_type_instance.prefix),
		.reservation = reservation,
		.desired = STR("running"),
		.state = SOME_I32(EC2_PENDING),
		.user_data = p->user_data,
		.disable_api_termination = SOME_BOOL(in->disable_api_termination.v),
		.disable_api_stop = SOME_BOOL(in->disable_api_stop.v),
		.shutdown_behavior = str_or(in->instance_initiated_shutdown_behavior, STR("stop")),
		.launched = SOME_TIME(c->now_ms / 1000 * 1000),
		.changed = SOME_TIME(c->now_ms),
		.base = p->image.base,
		.public_key = p->public_key,
		.zone = p->subnet.availability_zone,
		.vpc = p->subnet.vpc_id,
		.client_token = in->client_token,
		.spot_request = p->spot_request,
		.fleet = p->fleet};
	if (p->type.family->burstable) {
		const struct ec2_credit_specification_request *k = in->credit_specification;
		TRY(ec2_credits_default(c, str_c(p->type.family->name), &i.credits));
		if (k && str_has(k->cpu_credits)) i.credits = k->cpu_credits;
	}
	if (str_has(p->profile_arn)) {
		i.profile_arn = p->profile_arn;
		i.profile_id = p->profile_id;
		i.profile_association = ec2_new_id(c->arena, "iip-assoc-");
		i.profile_since = SOME_TIME(c->now_ms / 1000 * 1000);
		i.profile_state = STR("associated");
	}
	shape.ami_launch_index = SOME_I32(index);
	shape.placement = arena_new(c->arena, struct ec2_placement);
	*shape.placement = *like->placement;
	TRY(ec2_placement_seat(c, shape.placement));
	ec2_instance_document_put(c->arena, &i, &shape);
	struct ec2_capacity_wish wish = wish_of(p, &shape);
	TRY(ec2_capacity_take(c, &wish, i.instance_id, &i.capacity_reservation));
	TRY(ec2_host_take(c, &i, &shape));
	TRY(ec2_run_interfaces(c, p, i.instance_id));
	TRY(had_public(c, &i));
	TRY(add_volumes(c, p, &i));
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_instance, i.instance_id));
	ec2_machine_index(ec2_here(c), i.instance_id, true);
	ec2_instance_change(c, &i);
	*id = i.instance_id;
	return OK;
}

/* As many as fit: "If you specify a value that is more capacity than Amazon EC2 can launch in the target Availability
 * Zone, Amazon EC2 launches the largest possible number of instances above the specified minimum count." What limits is
 * the subnet's free addresses. */
static status fitting(struct call *c, struct ec2_run_plan *p)
{
	struct cidr block;
	uint32_t taken;
	if (p->in.network_interfaces.n && str_has(p->in.network_interfaces.v[0].network_interface_id)) return OK;
	TRY(ec2_ip_count(ec2_here(c), p->subnet.subnet_id, &taken));
	if (!is_ok(cidr_parse(p->subnet.cidr_block, &block))) return OK;
	int64_t all = ((int64_t)1 << (32 - block.length)) - 5, left = all - taken;
	if (left >= p->count) return OK;
	if (left < p->in.min_count.v)
		return call_fail(c, EC2_ERR_INSUFFICIENT_FREE_ADDRESSES_IN_SUBNET,
			"There are not enough free addresses in subnet '%.*s' to satisfy the requested number of "
			"instances.",
			STR_ARG(p->subnet.subnet_id));
	p->count = (int32_t)left;
	return OK;
}

/* Where it has to be a capacity reservation's: as many as are left there. */
static status reserved(struct call *c, struct ec2_run_plan *p, const struct ec2_instance *shape)
{
	struct ec2_capacity_wish wish = wish_of(p, shape);
	int32_t left;
	TRY(ec2_capacity_left(c, &wish, &left));
	if (left < p->count && left >= p->in.min_count.v) p->count = left;
	TRY(ec2_placement_room(c, shape->placement, &p->type, p->subnet.availability_zone, &left));
	if (left >= p->count) return OK;
	if (left < p->in.min_count.v)
		return call_fail(c, EC2_ERR_INSUFFICIENT_INSTANCE_CAPACITY,
			"We currently do not have sufficient capacity to launch all of the additional requested "
			"instances into "
			"Placement Group '%.*s'.",
			STR_ARG(shape->placement->group_name));
	p->count = left;
	return OK;
}

status ec2_run_make(struct call *c, struct ec2_run_plan *p, struct ec2_reservation *out)
{
	struct ec2_instance shape;
	struct str reservation = ec2_new_id(c->arena, "r-");
	TRY(fitting(c, p));
	TRY(shape_of(c, p, &shape));
	TRY(reserved(c, p, &shape));
	struct str *ids = arena_new_n(c->arena, struct str, (size_t)p->count);
	for (int32_t k = 0; k < p->count; k++) TRY(make_one(c, p, &shape, reservation, k, &ids[k]));
	ec2_image_launched(c, &p->image);
	return ec2_reservation_show(c, reservation, ids, (size_t)p->count, out);
}

/* ── idempotency ── "Ensuring idempotency in Amazon EC2 API requests" ── */

static struct str token_key(struct call *c, struct str token)
{
	struct key k = key_for(c->arena, STR("ec2"), STR("token"), c->account, c->region);
	key_str(&k, token);
	return key_done(&k);
}

static struct str digest_of(struct call *c, const struct ec2_run_instances_request *in)
{
	unsigned char *digest = arena_alloc(c->arena, SHA256_DIGEST_LENGTH);
	struct str text = wire_shape_write(c->arena, TABLES, EC2_SHAPE_RUN_INSTANCES_REQUEST, in);
	SHA256((const unsigned char *)text.p, text.n, digest);
	return str_n(digest, SHA256_DIGEST_LENGTH);
}

/* NOT_FOUND: a new request. */
static status again(struct call *c, struct str token, struct str digest, struct ec2_reservation *out)
{
	struct str bytes;
	struct ec2_rec_token t = {0};
	struct ec2_rec_instance i;
	if (str_empty(token)) return STATUS(NOT_FOUND);
	TRY(store_get(c->tx, token_key(c, token), &bytes));
	TRY(ec2_rec_token_decode(c->arena, bytes, &t));
	if (t.at.ms + TOKEN_MS < c->now_ms) return STATUS(NOT_FOUND);
	if (!str_eq(t.digest, digest))
		return call_fail(c, EC2_ERR_IDEMPOTENT_PARAMETER_MISMATCH,
			"Arguments on this idempotent request are inconsistent with arguments used in previous "
			"request(s).");
	for (size_t k = 0; k < t.instances.n; k++) {
		status s = ec2_load(ec2_here(c), &ec2_type_instance, t.instances.v[k], &i);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		if (!is_ok(s) || str_is(i.desired, "terminated"))
			return call_fail(c, EC2_ERR_IDEMPOTENT_INSTANCE_TERMINATED,
				"The request has been used to launch an instance that was terminated.");
	}
	return ec2_reservation_show(c, t.reservation, t.instances.v, t.instances.n, out);
}

status ec2_run_instances(struct call *c, const struct ec2_run_instances_input *in, struct ec2_run_instances_output *out)
{
	struct ec2_run_plan p;
	struct str digest = digest_of(c, in);
	status s = again(c, in->client_token, digest, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	TRY(ec2_run_plan(c, in, &p));
	TRY(ec2_spot_at_launch(c, &p));
	TRY(ec2_run_make(c, &p, out));
	TRY(ec2_spot_launched(c, &p, out));
	if (str_empty(in->client_token)) return OK;
	struct ec2_rec_token t = {.reservation = out->reservation_id, .digest = digest, .at = SOME_TIME(c->now_ms)};
	size_t capacity = 0;
	for (size_t i = 0; i < out->instances.n; i++)
		*VEC_PUSH(c->arena, &t.instances, &capacity) = out->instances.v[i].instance_id;
	store_put(c->tx, token_key(c, in->client_token), ec2_rec_token_encode(c->arena, &t));
	return OK;
}
