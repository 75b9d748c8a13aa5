/* AttachNetworkInterface and DetachNetworkInterface: a further interface of a running or stopped instance; the
 * network's controller plugs it in. "Network interface attachments for your EC2 instance", the EC2 guide. */
#include "services/ec2/instance.h"

static status check_place(struct call *c, const struct ec2_rec_instance *i, const struct ec2_rec_eni *e, int32_t device)
{
	struct ec2_machine_type type;
	struct ec2_enis have = {0};
	if (e->attachment)
		return call_fail(c, EC2_ERR_INVALID_NETWORK_INTERFACE_IN_USE, "Interface: [%.*s] in use.",
			STR_ARG(e->network_interface_id));
	if (i->state.v != EC2_RUNNING && i->state.v != EC2_STOPPED)
		return call_fail(c, EC2_ERR_INCORRECT_INSTANCE_STATE, "Instance '%.*s' is not 'running' or 'stopped'.",
			STR_ARG(i->instance_id));
	if (!str_eq(i->zone, e->availability_zone))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"You may not attach a network interface to an instance if they are not in the same "
			"availability "
			"zone");
	TRY(ec2_eni_of_instance(ec2_here(c), i->instance_id, &have));
	for (size_t k = 0; k < have.n; k++)
		if (have.v[k].attachment->device_index.v == device)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_VALUE,
				"Instance '%.*s' already has an interface attached at device index '%d'.",
				STR_ARG(i->instance_id), device);
	if (ec2_machine_type_find(ec2_instance_type_of(c->arena, i), &type) && have.n >= type.interfaces)
		return call_fail(c, EC2_ERR_ATTACHMENT_LIMIT_EXCEEDED, "Interface count %zu exceeds the limit for %.*s",
			have.n + 1, STR_ARG(type.name));
	return OK;
}

status ec2_attach_network_interface(struct call *c, const struct ec2_attach_network_interface_input *in,
	struct ec2_attach_network_interface_output *out)
{
	struct ec2_rec_instance i;
	struct ec2_rec_eni e;
	TRY(ec2_find(c, &ec2_type_eni, in->network_interface_id, &e));
	TRY(ec2_find(c, &ec2_type_instance, in->instance_id, &i));
	TRY(check_place(c, &i, &e, in->device_index.v));
	struct ec2_eni_attach how = {.eni = e.network_interface_id,
		.instance = i.instance_id,
		.place = i.instance_id,
		.kind = STR("machine"),
		.device = in->device_index.v};
	TRY(ec2_eni_attach(c, &how, &out->attachment_id));
	out->network_card_index = SOME_I32(0);
	return OK;
}

status ec2_detach_network_interface(
	struct call *c, const struct ec2_detach_network_interface_input *in, struct wire_nothing *out)
{
	struct ec2_rec_eni found;
	bool is = false;
	(void)out;
	struct ec2_each each = ec2_each(ec2_here(c), &ec2_type_eni);
	while (!is && ec2_next(&each)) {
		found = *(const struct ec2_rec_eni *)each.item.record;
		is = found.attachment && str_eq(found.attachment->attachment_id, in->attachment_id);
	}
	TRY(ec2_each_end(&each));
	if (!is)
		return call_fail(c, EC2_ERR_INVALID_ATTACHMENT_ID_NOT_FOUND,
			"The interface attachment '%.*s' does not exist", STR_ARG(in->attachment_id));
	if (found.requester_managed.v || str_empty(found.attachment->instance_id))
		return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED,
			"You are not allowed to manage '%.*s' attachments.", STR_ARG(found.requester_id));
	if (found.attachment->device_index.v == 0)
		return call_fail(c, EC2_ERR_OPERATION_NOT_PERMITTED,
			"The network interface at device index 0 cannot be detached.");
	return ec2_eni_detach(c, found.network_interface_id);
}

status ec2_eni_share(struct ec2_place at, struct str eni, struct str folder, const struct str *points, size_t n)
{
	struct ec2_rec_eni e;
	size_t capacity = 0;
	TRY(ec2_load(at, &ec2_type_eni, eni, &e));
	e.share = folder;
	e.share_points = (struct ec2_rec_strings){0};
	for (size_t i = 0; i < n; i++) *VEC_PUSH(at.a, &e.share_points, &capacity) = points[i];
	ec2_put(at, &ec2_type_eni, eni, &e);
	return ec2_vpc_touch(at, e.vpc_id);
}
