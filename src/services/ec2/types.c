/* Kinds of resources: ids, records, scans. */
#include "base/rand.h"
#include "services/ec2/block_public_access.h"
#include "services/ec2/capacity.h"
#include "services/ec2/dedicated_host.h"
#include "services/ec2/endpoint.h"
#include "services/ec2/event.h"
#include "services/ec2/fleet.h"
#include "services/ec2/flow_log.h"
#include "services/ec2/gateways.h"
#include "services/ec2/insights.h"
#include "services/ec2/instance.h"
#include "services/ec2/private_link.h"
#include "services/ec2/root_volume.h"
#include "services/ec2/subnet_reservation.h"

/* Where one prefix begins another, the longer one stands first. */
const struct ec2_type *const ec2_types[] = {
	&ec2_type_capacity_reservation,
	&ec2_type_dedicated_host,
	&ec2_type_event_window,
	&ec2_type_fleet,
	&ec2_type_image,
	&ec2_type_instance,
	&ec2_type_key_pair,
	&ec2_type_launch_template,
	&ec2_type_placement_group,
	&ec2_type_snapshot,
	&ec2_type_spot_fleet,
	&ec2_type_spot_request,
	&ec2_type_volume,
	&ec2_type_bpa_exclusion,
	&ec2_type_vpc,
	&ec2_type_subnet,
	&ec2_type_subnet_reservation,
	&ec2_type_route_table,
	&ec2_type_internet_gateway,
	&ec2_type_egress_only_gateway,
	&ec2_type_nat_gateway,
	&ec2_type_root_task,
	&ec2_type_security_group,
	&ec2_type_security_group_rule,
	&ec2_type_network_acl,
	&ec2_type_eni,
	&ec2_type_address,
	&ec2_type_dhcp_options,
	&ec2_type_prefix_list,
	&ec2_type_peering,
	&ec2_type_tgw_attachment,
	&ec2_type_tgw_route_table,
	&ec2_type_transit_gateway,
	&ec2_type_vpn_connection,
	&ec2_type_vpn_gateway,
	&ec2_type_customer_gateway,
	&ec2_type_endpoint_service,
	&ec2_type_endpoint_connection,
	&ec2_type_connection_notification,
	&ec2_type_endpoint,
	&ec2_type_flow_log,
	&ec2_type_insights_path,
	&ec2_type_insights_analysis,
};
const size_t ec2_types_length = sizeof(ec2_types) / sizeof(*ec2_types);

struct str ec2_new_id(struct arena *a, const char *prefix)
{
	return str_cat(a, str_c(prefix), str_cat(a, STR("0"), rand_text(a, STR("0123456789abcdef"), 16)));
}

const struct ec2_type *ec2_type_of(struct str id)
{
	for (size_t i = 0; i < ec2_types_length; i++)
		if (str_starts(id, str_c(ec2_types[i]->prefix))) return ec2_types[i];
	return NULL;
}

static struct str key_of(struct ec2_place at, const char *kind, struct str id)
{
	struct key k = key_for(at.a, STR("ec2"), str_c(kind), at.account, at.region);
	key_str(&k, id);
	return key_done(&k);
}

status ec2_load(struct ec2_place at, const struct ec2_type *t, struct str id, void *record)
{
	struct str bytes;
	memset(record, 0, ec2_state_tables.shapes[t->record].size);
	TRY(store_get(at.tx, key_of(at, t->name, id), &bytes));
	return record_decode(at.a, &ec2_state_tables, t->record, bytes, record);
}

status ec2_absent(struct call *c, const struct ec2_type *t, struct str id)
{
	struct str text = str_c(t->absent);
	ptrdiff_t at = str_chr(text, '@');
	INVARIANT(at >= 0);
	return call_fail(
		c, t->not_found, "%.*s%.*s%.*s", (int)at, text.p, STR_ARG(id), STR_ARG(str_from(text, (size_t)at + 1)));
}

static bool is_hex(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!memchr("0123456789abcdef", s.p[i], 16)) return false;
	return true;
}

status ec2_check_id(struct call *c, const struct ec2_type *t, struct str id)
{
	struct str prefix = str_c(t->prefix);
	if (!str_has(id)) {
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter %s ID", t->name);
	}
	struct str rest = str_from(id, prefix.n);
	bool well =
		str_starts(id, prefix) && rest.n && (!t->strict_id || (is_hex(rest) && (rest.n == 8 || rest.n == 17)));
	if (well) return OK;
	return call_fail(c, t->malformed ? t->malformed : (error_id)EC2_ERR_INVALID_PARAMETER_VALUE,
		"Invalid id: \"%.*s\" (expecting \"%s...\")", STR_ARG(id), t->prefix);
}

status ec2_find(struct call *c, const struct ec2_type *t, struct str id, void *record)
{
	TRY(ec2_check_id(c, t, id));
	struct ec2_item item = {.at = ec2_here(c), .id = id, .record = record};
	status s = ec2_load(item.at, t, id, record);
	if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && t->visible && !t->visible(c, &item)))
		return ec2_absent(c, t, id);
	return s;
}

void ec2_put(struct ec2_place at, const struct ec2_type *t, struct str id, const void *record)
{
	store_put(at.tx, key_of(at, t->name, id), record_encode(at.a, &ec2_state_tables, t->record, record));
}

void ec2_drop(struct ec2_place at, const struct ec2_type *t, struct str id)
{
	store_delete(at.tx, key_of(at, t->name, id));
	store_delete(at.tx, key_of(at, "tags", id));
}

struct ec2_each ec2_each(struct ec2_place at, const struct ec2_type *t)
{
	struct key k = key_for(at.a, STR("ec2"), str_c(t->name), at.account, at.region);
	struct str from = key_done(&k);
	return (struct ec2_each){.item = {.at = at},
		.type = t,
		.failed = OK,
		.scan = store_scan_begin(at.tx, from, key_after(at.a, from), false)};
}

bool ec2_next(struct ec2_each *e)
{
	struct str key, value, part;
	struct arena *a = e->item.at.a;
	if (!is_ok(e->failed) || !store_scan_next(e->scan, &key, &value)) return false;
	for (unsigned i = 0; i < 5 && is_ok(e->failed); i++) e->failed = key_read_str(a, &key, &part);
	if (!is_ok(e->failed)) return false;
	e->item.id = str_dup(a, part);
	e->item.record = arena_alloc(a, ec2_state_tables.shapes[e->type->record].size);
	e->failed = record_decode(a, &ec2_state_tables, e->type->record, str_dup(a, value), e->item.record);
	return is_ok(e->failed);
}

status ec2_each_end(struct ec2_each *e)
{
	status s = store_scan_end(e->scan);
	return is_ok(e->failed) ? s : e->failed;
}

status ec2_count(struct ec2_place at, const struct ec2_type *t, size_t *n)
{
	*n = 0;
	struct ec2_each e = ec2_each(at, t);
	while (ec2_next(&e)) ++*n;
	return ec2_each_end(&e);
}

struct str ec2_arn(const struct call *c, struct str account, struct str region, const char *type, struct str id)
{
	return str_fmt(c->arena, "arn:%.*s:ec2:%.*s:%.*s:%s/%.*s", STR_ARG(c->partition), STR_ARG(region),
		STR_ARG(account), type, STR_ARG(id));
}
