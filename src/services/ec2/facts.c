/* Instances as other services' controllers see them, and the word that they have changed. */
#include "services/ec2/capacity.h"
#include "services/ec2/dedicated_host.h"
#include "services/ec2/door.h"
#include "services/ec2/fleet.h"
#include "services/ec2/machine.h"

status ec2_instance_facts(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str instance, struct ec2_instance_facts *out)
{
	struct ec2_place at = {tx, a, account, region};
	struct ec2_rec_instance i;
	struct ec2_instance shape = {0};
	struct ec2_enis enis = {0};
	TRY(ec2_load(at, &ec2_type_instance, instance, &i));
	TRY(ec2_instance_document(a, &i, &shape));
	TRY(ec2_eni_of_instance(at, instance, &enis));
	*out = (struct ec2_instance_facts){.state = ec2_state_name(i.state.v),
		.zone = i.zone,
		.zone_id = shape.placement ? shape.placement->availability_zone_id : STR_NONE,
		.vpc = i.vpc,
		.type = shape.instance_type,
		.image = shape.image_id,
		.reason = i.reason_message,
		.launched_ms = i.launched.ms,
		.impaired = i.state.v == EC2_RUNNING && ec2_zone_is_down(tx, a, i.zone),
		.spot = str_is(shape.instance_lifecycle, "spot"),
		.protected = i.disable_api_termination.v};
	if (enis.n) {
		out->subnet = enis.v[0].subnet_id;
		if (enis.v[0].addresses.n) out->private_ip = enis.v[0].addresses.v[0].private_ip_address;
	}
	return OK;
}

status ec2_run_check(struct call *c, const struct ec2_run_instances_request *in, struct str *why)
{
	struct ec2_run_plan p;
	status s = ec2_run_plan(c, in, &p);
	if (status_is(s, STATUS_FAILED)) *why = c->failure.message;
	return s;
}

void ec2_instance_tell(struct call *c, const struct ec2_rec_instance *i)
{
	struct ec2_instance_event detail = {i->instance_id, ec2_state_name(i->state.v)};
	struct bus_event e = {.kind = "ec2.instance", .account = c->account, .region = c->region, .detail = &detail};
	bus_publish(c->cloud->bus, BUS_COMMITTING, c->tx, &e);
	bool runs = i->state.v == EC2_PENDING || i->state.v == EC2_RUNNING;
	if (str_has(i->capacity_reservation) && !runs)
		ec2_capacity_release(ec2_here(c), i->capacity_reservation, i->instance_id);
	if (str_has(i->dedicated_host) && !runs) ec2_host_release(ec2_here(c), i->dedicated_host, i->instance_id);
	/* Its fleet looks whether it has to be replaced. */
	if (str_has(i->fleet) && !runs) ec2_job_schedule(ec2_here(c), EC2_JOB_FLEET, i->fleet, c->now_ms);
}

status ec2_subnet_place(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str subnet,
	struct ec2_subnet_place *out)
{
	struct ec2_rec_subnet s;
	TRY(ec2_load((struct ec2_place){tx, a, account, region}, &ec2_type_subnet, subnet, &s));
	*out = (struct ec2_subnet_place){s.availability_zone, s.availability_zone_id, s.vpc_id};
	return OK;
}

bool ec2_zone_known(struct store_tx *tx, struct arena *a, struct str region, struct str zone)
{
	struct ec2_zones zones;
	if (!is_ok(ec2_zones(tx, a, region, &zones))) return false;
	for (size_t i = 0; i < zones.n; i++)
		if (str_eq(zones.v[i].name, zone)) return true;
	return false;
}

status ec2_template_name(
	struct call *c, struct str id, struct str name, struct str version, struct ec2_template_named *out)
{
	struct ec2_rec_launch_template t;
	struct ec2_launch_template_version v;
	TRY(ec2_template_find(c, id, name, &t));
	TRY(ec2_template_version(c, &t, version, &v));
	*out = (struct ec2_template_named){t.launch_template_id, t.launch_template_name,
		str_fmt(c->arena, "%lld", (long long)v.version_number.v), v.launch_template_data};
	return OK;
}
