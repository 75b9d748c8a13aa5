/* Members from one shape to another by their names: records name theirs as the API does. */
#include "services/ec2/room.h"
#include "wire/shape.h"

void ec2_copy(struct arena *a, const struct wire_tables *from_tables, uint16_t from_shape, const void *from,
	const struct wire_tables *to_tables, uint16_t to_shape, void *to)
{
	wire_shape_copy(a, from_tables, from_shape, from, to_tables, to_shape, to);
}

void ec2_show(struct arena *a, uint16_t record, const void *from, uint16_t shape, void *to)
{
	ec2_copy(a, &ec2_state_tables, record, from, &wire_service_ec2.tables, shape, to);
}

void ec2_take(struct arena *a, uint16_t shape, const void *from, uint16_t record, void *to)
{
	ec2_copy(a, &wire_service_ec2.tables, shape, from, &ec2_state_tables, record, to);
}
