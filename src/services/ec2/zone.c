/* Regions and availability zones, and zones that are down. A region that no list has is served all the same, with three
 * zones. */
#include "base/aws_regions.h"
#include "services/ec2/door.h"
#include "services/ec2/room.h"

static const struct ec2_region_info regions[] = {
#define REGION(...) {__VA_ARGS__},
	AWS_REGIONS(REGION)
#undef REGION
};

struct ec2_region_info ec2_region_info(struct arena *a, struct str region)
{
	for (size_t i = 0; i < sizeof(regions) / sizeof(*regions); i++)
		if (str_eq(region, str_c(regions[i].name))) return regions[i];
	const char *name = str_z(a, region);
	return (struct ec2_region_info){name, "abc", name, name, "123", false};
}

static struct str zone_key(struct arena *a, struct str region, struct str zone)
{
	struct key k = key_for(a, STR("ec2"), STR("zone"), STR(""), region);
	key_str(&k, zone);
	return key_done(&k);
}

bool ec2_zone_is_down(struct store_tx *tx, struct arena *a, struct str zone)
{
	struct str bytes;
	return zone.n && is_ok(store_get(tx, zone_key(a, str_sub(zone, 0, zone.n - 1), zone), &bytes));
}

status ec2_zones(struct store_tx *tx, struct arena *a, struct str region, struct ec2_zones *out)
{
	struct ec2_region_info r = ec2_region_info(a, region);
	*out = (struct ec2_zones){0};
	for (size_t i = 0; r.zones[i]; i++) {
		struct ec2_zone *z = &out->v[out->n++];
		z->name = str_fmt(a, "%s%c", r.name, r.zones[i]);
		z->id = str_fmt(a, "%s-az%c", r.zone_prefix, r.zone_numbers[i]);
		z->down = tx && ec2_zone_is_down(tx, a, z->name);
	}
	return OK;
}

bool ec2_zone_state(struct store_tx *tx, struct arena *a, struct str region, struct str id, bool *down)
{
	struct ec2_zones zones;
	if (!is_ok(ec2_zones(tx, a, region, &zones))) return false;
	for (size_t i = 0; i < zones.n; i++)
		if (str_eq(zones.v[i].id, id)) {
			*down = zones.v[i].down;
			return true;
		}
	return false;
}

status ec2_zone_find(struct call *c, struct str name, struct str id, struct ec2_zone *out)
{
	struct ec2_zones zones;
	*out = (struct ec2_zone){0};
	if (str_has(name) && str_has(id))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"The parameter availabilityZone cannot be used with the parameter availabilityZoneId");
	if (!str_has(name) && !str_has(id)) return OK;
	TRY(ec2_zones(c->tx, c->arena, c->region, &zones));
	for (size_t i = 0; i < zones.n; i++)
		if (str_has(name) ? str_eq(zones.v[i].name, name) : str_eq(zones.v[i].id, id)) {
			*out = zones.v[i];
			return OK;
		}
	struct buf all = BUF_IN(c->arena);
	for (size_t i = 0; i < zones.n; i++)
		buf_fmt(&all, "%s%.*s", i ? ", " : "", STR_ARG(str_has(name) ? zones.v[i].name : zones.v[i].id));
	return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
		"Value (%.*s) for parameter availabilityZone%s is invalid. Subnets can currently only be created "
		"in the following availability zones: %.*s.",
		STR_ARG(str_or(name, id)), str_has(name) ? "" : "Id", STR_ARG(buf_done(&all)));
}

status ec2_zone_set(struct store_tx *tx, struct arena *a, struct str zone, bool down, int64_t now_ms)
{
	struct ec2_zones zones;
	struct str region = str_sub(zone, 0, zone.n ? zone.n - 1 : 0), bytes;
	TRY(ec2_zones(NULL, a, region, &zones));
	for (size_t i = 0; i < zones.n; i++) {
		if (!str_eq(zones.v[i].name, zone)) continue;
		status s = store_get(tx, zone_key(a, region, zone), &bytes);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
		struct ec2_rec_zone r = {.since = SOME_TIME(now_ms)};
		if (down)
			store_put(tx, zone_key(a, region, zone), ec2_rec_zone_encode(a, &r));
		else
			store_delete(tx, zone_key(a, region, zone));
		return OK;
	}
	return STATUS(NOT_FOUND);
}

static const char *const region_filters[] = {"endpoint", "opt-in-status", "region-name", NULL};

static bool named(const struct ec2_value_string_list *names, struct str name)
{
	for (size_t i = 0; i < names->n; i++)
		if (str_eq(names->v[i], name)) return true;
	return false;
}

static struct str partition_of(const char *region)
{
	struct str r = str_c(region);
	return str_starts(r, STR("cn-"))       ? STR("aws-cn")
	       : str_starts(r, STR("us-gov-")) ? STR("aws-us-gov")
					       : STR("aws");
}

/* Regions that an account has to opt in to are in use here without it: so they are shown as opted in. */
status ec2_describe_regions(
	struct call *c, const struct ec2_describe_regions_input *in, struct ec2_describe_regions_output *out)
{
	const struct ec2_value_string_list *names = (const void *)&in->region_names;
	size_t capacity = 0, n = sizeof(regions) / sizeof(*regions);
	TRY(ec2_filters_check(c, region_filters, &in->filters));
	for (size_t i = 0; i < names->n; i++) {
		bool known = false;
		for (size_t k = 0; k < n; k++)
			known = known || (str_eq(names->v[i], str_c(regions[k].name)) &&
						 str_eq(partition_of(regions[k].name), c->partition));
		if (!known)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid value '%.*s' for region.",
				STR_ARG(names->v[i]));
	}
	VEC_PRESENT(c->arena, &out->regions);
	for (size_t i = 0; i < n; i++) {
		struct str name = str_c(regions[i].name);
		if (!str_eq(partition_of(regions[i].name), c->partition) || (names->n && !named(names, name))) continue;
		struct ec2_region r = {.region_name = name,
			.endpoint = str_fmt(c->arena, "ec2.%.*s.amazonaws.com%s", STR_ARG(name),
				str_is(c->partition, "aws-cn") ? ".cn" : ""),
			.opt_in_status = regions[i].opt_in ? STR("opted-in") : STR("opt-in-not-required")};
		if (ec2_filters_match(c->arena, EC2_SHAPE_REGION, region_filters, &in->filters, &r))
			*VEC_PUSH(c->arena, &out->regions, &capacity) = r;
	}
	return OK;
}

static const char *const zone_filters[] = {"group-name", "message=Messages.Message", "opt-in-status", "parent-zone-id",
	"parent-zone-name", "region-name", "state", "zone-id", "zone-name", "zone-type", NULL};

static void show_zone(struct call *c, const struct ec2_region_info *r, const struct ec2_zone *z, size_t number,
	struct ec2_availability_zone *out)
{
	*out = (struct ec2_availability_zone){.zone_name = z->name,
		.zone_id = z->id,
		.region_name = c->region,
		.state = z->down ? STR("impaired") : STR("available"),
		.opt_in_status = STR("opt-in-not-required"),
		.group_name = str_fmt(c->arena, "%s-zg-1", r->name),
		.group_long_name = str_fmt(c->arena, "%s 1", r->title),
		.network_border_group = c->region,
		.zone_type = STR("availability-zone")};
	(void)number;
	VEC_PRESENT(c->arena, &out->messages);
	if (z->down) {
		out->messages.v = arena_new(c->arena, struct ec2_availability_zone_message);
		out->messages.n = 1;
		out->messages.v->message =
			str_fmt(c->arena, "The availability zone %.*s is impaired.", STR_ARG(z->name));
	}
}

status ec2_describe_availability_zones(struct call *c, const struct ec2_describe_availability_zones_input *in,
	struct ec2_describe_availability_zones_output *out)
{
	const struct ec2_value_string_list *names = (const void *)&in->zone_names, *ids = (const void *)&in->zone_ids;
	struct ec2_region_info r = ec2_region_info(c->arena, c->region);
	struct ec2_zones zones;
	size_t capacity = 0;
	TRY(ec2_filters_check(c, zone_filters, &in->filters));
	TRY(ec2_zones(c->tx, c->arena, c->region, &zones));
	for (size_t i = 0; i < names->n + ids->n; i++) {
		struct str wanted = i < names->n ? names->v[i] : ids->v[i - names->n];
		bool known = false;
		for (size_t k = 0; k < zones.n; k++)
			known = known || str_eq(i < names->n ? zones.v[k].name : zones.v[k].id, wanted);
		if (!known)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE, "Invalid availability zone: [%.*s]",
				STR_ARG(wanted));
	}
	VEC_PRESENT(c->arena, &out->availability_zones);
	for (size_t i = 0; i < zones.n; i++) {
		if ((names->n && !named(names, zones.v[i].name)) || (ids->n && !named(ids, zones.v[i].id))) continue;
		struct ec2_availability_zone z;
		show_zone(c, &r, &zones.v[i], i, &z);
		if (ec2_filters_match(c->arena, EC2_SHAPE_AVAILABILITY_ZONE, zone_filters, &in->filters, &z))
			*VEC_PUSH(c->arena, &out->availability_zones, &capacity) = z;
	}
	return OK;
}
