/* Dedicated Hosts: allocated, filled by instances of tenancy "host", released. All machines of virga are on one
 * computer: what is kept is who has a place where, as exactly as AWS counts it. "Amazon EC2 Dedicated Hosts", the
 * guide. */
#include "services/ec2/dedicated_host.h"

enum { HOSTS_MAX = 64, QUANTITY_MAX = 32 };

static const char *const filters[] = {"auto-placement", "availability-zone", "availability-zone-id", "client-token",
	"host-reservation-id", "instance-type=HostProperties.InstanceType", "state", "host-id", NULL};
static status render(struct call *c, const struct ec2_item *item, void *out);
const struct ec2_type ec2_type_dedicated_host = {.name = "dedicated-host",
	.prefix = "h-",
	.absent = "The specified host ID '@' does not exist",
	.not_found = EC2_ERR_INVALID_HOST_ID_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_HOST_ID_MALFORMED,
	.record = EC2_REC_DEDICATED_HOST,
	.shape = EC2_SHAPE_HOST,
	.filters = filters,
	.render = render};

/* ── capacity ── A host has the processors of its family's largest type: how many of them instances take, and of a host
 * of one type only such. */

static struct str family_of(const struct ec2_rec_dedicated_host *h)
{
	struct str type = h->instance_type;
	return str_has(h->instance_family) ? h->instance_family : str_cut(&type, '.');
}

static int32_t vcpus_of(struct str family)
{
	int32_t most = 0;
	for (size_t i = 0; i < ec2_machine_types_length; i++) {
		struct ec2_machine_type m = ec2_machine_type_at(i);
		if (str_eq(str_c(m.family->name), family) && (int32_t)m.vcpus > most) most = (int32_t)m.vcpus;
	}
	return most;
}

static int32_t vcpus_of_type(struct str type)
{
	struct ec2_machine_type m;
	return ec2_machine_type_find(type, &m) ? (int32_t)m.vcpus : 0;
}

static int32_t vcpus_left(const struct ec2_rec_dedicated_host *h)
{
	int32_t left = vcpus_of(family_of(h));
	for (size_t i = 0; i < h->used.n; i++) left -= vcpus_of_type(h->used.v[i].instance_type);
	return left < 0 ? 0 : left;
}

static bool takes_type(const struct ec2_rec_dedicated_host *h, struct str type)
{
	struct str family = type;
	if (str_has(h->instance_type)) return str_eq(h->instance_type, type);
	return str_eq(str_cut(&family, '.'), h->instance_family);
}

static void available(struct call *c, const struct ec2_rec_dedicated_host *h, struct ec2_host *out)
{
	struct str family = family_of(h);
	int32_t all = vcpus_of(family), left = vcpus_left(h);
	size_t capacity = 0;
	out->available_capacity = arena_new(c->arena, struct ec2_available_capacity);
	out->available_capacity->available_v_cpus = SOME_I32(left);
	for (size_t i = 0; i < ec2_machine_types_length; i++) {
		struct ec2_machine_type m = ec2_machine_type_at(i);
		if (!takes_type(h, m.name) || !m.vcpus) continue;
		*VEC_PUSH(c->arena, &out->available_capacity->available_instance_capacity, &capacity) =
			(struct ec2_instance_capacity){
				SOME_I32(left / (int32_t)m.vcpus), m.name, SOME_I32(all / (int32_t)m.vcpus)};
	}
}

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_dedicated_host *h = item->record;
	struct ec2_host *out = to;
	struct ec2_machine_type m;
	size_t capacity = 0;
	int32_t all = vcpus_of(family_of(h));
	bool threads =
		str_has(h->instance_type) && ec2_machine_type_find(h->instance_type, &m) ? !m.family->no_threads : true;
	out->owner_id = item->at.account;
	out->allows_multiple_instance_types = str_has(h->instance_type) ? STR("off") : STR("on");
	out->host_properties = arena_new(c->arena, struct ec2_host_properties);
	*out->host_properties = (struct ec2_host_properties){.cores = SOME_I32(threads ? all / 2 : all),
		.instance_type = h->instance_type,
		.instance_family = family_of(h),
		.sockets = SOME_I32(all > 48 ? 2 : 1),
		.total_v_cpus = SOME_I32(all)};
	available(c, h, out);
	VEC_PRESENT(c->arena, &out->instances);
	for (size_t i = 0; i < h->used.n; i++)
		*VEC_PUSH(c->arena, &out->instances, &capacity) = (struct ec2_host_instance){
			h->used.v[i].instance_id, h->used.v[i].instance_type, item->at.account};
	return OK;
}

static void put(struct ec2_place at, const struct ec2_rec_dedicated_host *h)
{
	ec2_put(at, &ec2_type_dedicated_host, h->host_id, h);
}

/* ── instances ── */

static bool is_available(const struct ec2_rec_dedicated_host *h)
{
	return str_is(h->state, "available");
}

static status no_room(struct call *c)
{
	return call_fail(c, EC2_ERR_INSUFFICIENT_CAPACITY_ON_HOST,
		"There is not enough capacity on the Dedicated Host to launch or start the instance.");
}

static status fits(struct call *c, const struct ec2_rec_dedicated_host *h, struct str type, struct str zone)
{
	if (!is_available(h))
		return call_fail(c, EC2_ERR_INVALID_HOST_STATE, "The Dedicated Host '%.*s' is in the state '%.*s'.",
			STR_ARG(h->host_id), STR_ARG(h->state));
	if (!str_eq(h->availability_zone, zone))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
			"The Dedicated Host '%.*s' is in the Availability Zone %.*s, the instance's subnet in %.*s.",
			STR_ARG(h->host_id), STR_ARG(h->availability_zone), STR_ARG(zone));
	if (!takes_type(h, type))
		return call_fail(c, EC2_ERR_UNSUPPORTED_INSTANCE_TYPE_ON_HOST,
			"The instance type '%.*s' is not supported on the Dedicated Host '%.*s'.", STR_ARG(type),
			STR_ARG(h->host_id));
	return OK;
}

status ec2_host_placement_check(struct call *c, const struct ec2_placement *p, struct str type, struct str zone)
{
	struct ec2_rec_dedicated_host h;
	if (!p) return OK;
	bool host = str_is(p->tenancy, "host");
	if (str_has(p->affinity) && !str_is(p->affinity, "default") && !str_is(p->affinity, "host"))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid affinity: %.*s", STR_ARG(p->affinity));
	if (str_has(p->host_resource_group_arn))
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Host resource groups are not implemented.");
	if (!host && (str_has(p->host_id) || str_is(p->affinity, "host")))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"A host ID and an affinity can only be specified with the tenancy 'host'.");
	if (!host || !str_has(p->host_id)) return OK;
	TRY(ec2_find(c, &ec2_type_dedicated_host, p->host_id, &h));
	return fits(c, &h, type, zone);
}

static void seat(struct call *c, struct ec2_rec_dedicated_host *h, struct ec2_rec_instance *i, struct str type)
{
	size_t capacity = h->used.n;
	*VEC_PUSH(c->arena, &h->used, &capacity) = (struct ec2_rec_host_instance){i->instance_id, type};
	put(ec2_here(c), h);
	i->dedicated_host = h->host_id;
}

status ec2_host_take(struct call *c, struct ec2_rec_instance *i, const struct ec2_instance *shape)
{
	const struct ec2_placement *p = shape->placement;
	struct ec2_rec_dedicated_host h;
	if (!p || !str_is(p->tenancy, "host")) return OK;
	bool bound = str_is(p->affinity, "host");
	/* "Affinity host: an instance launched onto a specific host always restarts on the same host if stopped." Else
	 * the named host is that of the first start. */
	struct str named = bound && str_has(i->dedicated_host)    ? i->dedicated_host
			   : bound || !str_has(i->dedicated_host) ? p->host_id
								  : STR_NONE;
	if (str_has(named)) {
		TRY(ec2_find(c, &ec2_type_dedicated_host, named, &h));
		TRY(fits(c, &h, shape->instance_type, i->zone));
		if (vcpus_left(&h) < vcpus_of_type(shape->instance_type)) return no_room(c);
		seat(c, &h, i, shape->instance_type);
		return OK;
	}
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_dedicated_host);
	bool found = false;
	while (ec2_next(&e)) {
		const struct ec2_rec_dedicated_host *o = e.item.record;
		bool last = str_has(i->dedicated_host) && str_eq(o->host_id, i->dedicated_host);
		/* The last one is tried first, whether it takes instances that do not name it or not. */
		if ((!last && (found || !str_is(o->auto_placement, "on"))) || !is_available(o) ||
			!str_eq(o->availability_zone, i->zone) || !takes_type(o, shape->instance_type) ||
			vcpus_left(o) < vcpus_of_type(shape->instance_type))
			continue;
		h = *o;
		found = true;
		if (last) break;
	}
	TRY(ec2_each_end(&e));
	if (!found) return no_room(c);
	/* Read once more, so that two launches at once see each other. */
	TRY(ec2_load(ec2_here(c), &ec2_type_dedicated_host, h.host_id, &h));
	if (vcpus_left(&h) < vcpus_of_type(shape->instance_type)) return no_room(c);
	seat(c, &h, i, shape->instance_type);
	return OK;
}

void ec2_host_release(struct ec2_place at, struct str host, struct str instance)
{
	struct ec2_rec_dedicated_host h;
	size_t kept = 0;
	/* One that was released has nothing to be counted by. */
	if (!is_ok(ec2_load(at, &ec2_type_dedicated_host, host, &h))) return;
	for (size_t i = 0; i < h.used.n; i++)
		if (!str_eq(h.used.v[i].instance_id, instance)) h.used.v[kept++] = h.used.v[i];
	if (kept == h.used.n) return;
	h.used.n = kept;
	put(at, &h);
}

/* ── what clients ask ── */

static status check_shape(struct call *c, struct str type, struct str family)
{
	if (str_has(type) == str_has(family))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"Specify either InstanceType or InstanceFamily, not both.");
	if (str_has(type) ? vcpus_of_type(type) > 0 : vcpus_of(family) > 0) return OK;
	return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid value '%.*s' for %s.",
		STR_ARG(str_has(type) ? type : family), str_has(type) ? "InstanceType" : "InstanceFamily");
}

static bool is_gone(const struct ec2_rec_dedicated_host *h)
{
	return str_starts(h->state, STR("released"));
}

/* Those that one request with this token has allocated. */
static status by_token(struct call *c, struct str token, struct ec2_response_host_id_list *out)
{
	size_t capacity = 0;
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_dedicated_host);
	while (ec2_next(&e)) {
		const struct ec2_rec_dedicated_host *h = e.item.record;
		if (str_has(h->client_token) && str_eq(h->client_token, token))
			*VEC_PUSH(c->arena, out, &capacity) = h->host_id;
	}
	return ec2_each_end(&e);
}

static status check_room(struct call *c, int32_t more)
{
	int32_t n = 0;
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_dedicated_host);
	while (ec2_next(&e)) n += !is_gone(e.item.record);
	TRY(ec2_each_end(&e));
	if (n + more <= HOSTS_MAX) return OK;
	return call_fail(
		c, EC2_ERR_HOST_LIMIT_EXCEEDED, "You have reached the limit of %d Dedicated Hosts.", HOSTS_MAX);
}

status ec2_allocate_hosts(
	struct call *c, const struct ec2_allocate_hosts_input *in, struct ec2_allocate_hosts_output *out)
{
	static const struct ec2_type *const taggable[] = {&ec2_type_dedicated_host};
	struct ec2_zone z;
	size_t capacity = 0;
	int32_t quantity = in->quantity.has ? in->quantity.v : 1;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (str_has(in->outpost_arn) || in->asset_ids.n)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "Dedicated Hosts on Outposts are not implemented.");
	TRY(check_shape(c, in->instance_type, in->instance_family));
	TRY(ec2_zone_find(c, in->availability_zone, in->availability_zone_id, &z));
	if (!str_has(z.name))
		return call_fail(
			c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter AvailabilityZone");
	if (quantity < 1 || quantity > QUANTITY_MAX)
		return call_fail(
			c, EC2_ERR_INVALID_PARAMETER_VALUE, "Value (%d) for parameter quantity is invalid.", quantity);
	if (str_has(in->client_token)) {
		TRY(by_token(c, in->client_token, &out->host_ids));
		if (out->host_ids.n) return OK;
	}
	TRY(ec2_guard(ec2_here(c), STR("dedicated-host"), NULL));
	TRY(check_room(c, quantity));
	for (int32_t i = 0; i < quantity; i++) {
		struct ec2_rec_dedicated_host h = {.host_id = ec2_new_id(c->arena, ec2_type_dedicated_host.prefix),
			.availability_zone = z.name,
			.availability_zone_id = z.id,
			.auto_placement = str_or(in->auto_placement, STR("on")),
			.instance_type = in->instance_type,
			.instance_family = in->instance_family,
			.host_recovery = str_or(in->host_recovery, STR("off")),
			.host_maintenance = str_or(in->host_maintenance, STR("off")),
			.state = STR("available"),
			.allocation_time = SOME_TIME(c->now_ms / 1000 * 1000),
			.client_token = in->client_token};
		put(ec2_here(c), &h);
		TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_dedicated_host, h.host_id));
		*VEC_PUSH(c->arena, &out->host_ids, &capacity) = h.host_id;
	}
	return OK;
}

/* Released ones are shown for an hour, as terminated instances are. */
static bool shown(struct call *c, const struct ec2_item *item)
{
	const struct ec2_rec_dedicated_host *h = item->record;
	return !is_gone(h) || (h->release_time.has && h->release_time.ms + EC2_SHOW_TERMINATED_MS > c->now_ms);
}

status ec2_describe_hosts(
	struct call *c, const struct ec2_describe_hosts_input *in, struct ec2_describe_hosts_output *out)
{
	return ec2_describe(c, &(struct ec2_describe){.type = &ec2_type_dedicated_host,
				       .ids = &in->host_ids,
				       .filters = &in->filter,
				       .max_results = in->max_results,
				       .next_token = in->next_token,
				       .out = &out->hosts,
				       .next_out = &out->next_token,
				       .visible = shown});
}

static void failed(struct call *c, struct ec2_unsuccessful_item_list *l, size_t *capacity, struct str id,
	const char *code, struct str message)
{
	struct ec2_unsuccessful_item *u = VEC_PUSH(c->arena, l, capacity);
	u->resource_id = id;
	u->error = arena_new(c->arena, struct ec2_unsuccessful_item_error);
	*u->error = (struct ec2_unsuccessful_item_error){str_c(code), message};
}

/* NULL: it is not there, and told. */
static struct ec2_rec_dedicated_host *of_list(struct call *c, struct str id, struct ec2_rec_dedicated_host *h,
	struct ec2_unsuccessful_item_list *l, size_t *capacity)
{
	if (is_ok(ec2_load(ec2_here(c), &ec2_type_dedicated_host, id, h)) && !is_gone(h)) return h;
	failed(c, l, capacity, id, "Client.InvalidHostID.NotFound",
		str_fmt(c->arena, "The specified host ID '%.*s' does not exist", STR_ARG(id)));
	return NULL;
}

/* With instances on it a host keeps its type. */
static bool may_become(const struct ec2_rec_dedicated_host *h, struct str type, struct str family)
{
	struct ec2_rec_dedicated_host with = *h;
	if (!str_has(type) && !str_has(family)) return true;
	with.instance_type = type;
	with.instance_family = family;
	if (!str_eq(family_of(&with), family_of(h))) return false;
	for (size_t i = 0; i < h->used.n; i++)
		if (!takes_type(&with, h->used.v[i].instance_type)) return false;
	return true;
}

status ec2_modify_hosts(struct call *c, const struct ec2_modify_hosts_input *in, struct ec2_modify_hosts_output *out)
{
	size_t done = 0, refused = 0;
	VEC_PRESENT(c->arena, &out->successful);
	VEC_PRESENT(c->arena, &out->unsuccessful);
	if (str_has(in->instance_type) || str_has(in->instance_family))
		TRY(check_shape(c, in->instance_type, in->instance_family));
	for (size_t i = 0; i < in->host_ids.n; i++) {
		struct ec2_rec_dedicated_host h;
		if (!of_list(c, in->host_ids.v[i], &h, &out->unsuccessful, &refused)) continue;
		if (!may_become(&h, in->instance_type, in->instance_family)) {
			failed(c, &out->unsuccessful, &refused, h.host_id, "Client.InvalidHostConfiguration",
				str_fmt(c->arena, "The instance type of the Dedicated Host '%.*s' cannot become that.",
					STR_ARG(h.host_id)));
			continue;
		}
		if (str_has(in->instance_type) || str_has(in->instance_family)) {
			h.instance_type = in->instance_type;
			h.instance_family = in->instance_family;
		}
		h.auto_placement = str_or(in->auto_placement, h.auto_placement);
		h.host_recovery = str_or(in->host_recovery, h.host_recovery);
		h.host_maintenance = str_or(in->host_maintenance, h.host_maintenance);
		put(ec2_here(c), &h);
		*VEC_PUSH(c->arena, &out->successful, &done) = h.host_id;
	}
	return OK;
}

/* "You must stop or terminate instances that run on the host before you can release it." */
status ec2_release_hosts(struct call *c, const struct ec2_release_hosts_input *in, struct ec2_release_hosts_output *out)
{
	size_t done = 0, refused = 0;
	VEC_PRESENT(c->arena, &out->successful);
	VEC_PRESENT(c->arena, &out->unsuccessful);
	for (size_t i = 0; i < in->host_ids.n; i++) {
		struct ec2_rec_dedicated_host h;
		if (!of_list(c, in->host_ids.v[i], &h, &out->unsuccessful, &refused)) continue;
		if (h.used.n) {
			failed(c, &out->unsuccessful, &refused, h.host_id, "Client.InvalidHost.Occupied",
				str_fmt(c->arena, "Dedicated host '%.*s' cannot be released as it is occupied.",
					STR_ARG(h.host_id)));
			continue;
		}
		h.state = str_is(h.state, "permanent-failure") ? STR("released-permanent-failure") : STR("released");
		h.release_time = SOME_TIME(c->now_ms / 1000 * 1000);
		put(ec2_here(c), &h);
		*VEC_PUSH(c->arena, &out->successful, &done) = h.host_id;
	}
	return OK;
}
