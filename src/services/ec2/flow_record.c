/* Lines of flow logs. "Flow log records", the guide: fields by name, '-' where one does not apply. */
#include "services/ec2/flow_log.h"

static struct str number(struct arena *a, int64_t v)
{
	return str_fmt(a, "%lld", (long long)v);
}

static struct str zone_id(struct arena *a, struct str region, struct str zone)
{
	struct ec2_region_info r = ec2_region_info(a, region);
	for (size_t i = 0; r.zones[i] && zone.n; i++)
		if (r.zones[i] == zone.p[zone.n - 1]) return str_fmt(a, "%s-az%c", r.zone_prefix, r.zone_numbers[i]);
	return STR("-");
}

/* With which version of the records a field came. */
static int version_of(struct str name)
{
	static const struct {
		const char *name;
		int version;
	} later[] = {{"vpc-id", 3}, {"subnet-id", 3}, {"instance-id", 3}, {"tcp-flags", 3}, {"type", 3},
		{"pkt-srcaddr", 3}, {"pkt-dstaddr", 3}, {"region", 4}, {"az-id", 4}, {"sublocation-type", 4},
		{"sublocation-id", 4}, {"pkt-src-aws-service", 5}, {"pkt-dst-aws-service", 5}, {"flow-direction", 5},
		{"traffic-path", 5}, {"reject-reason", 8}};
	for (size_t i = 0; i < sizeof(later) / sizeof(*later); i++)
		if (str_eq(name, str_c(later[i].name))) return later[i].version;
	return 2;
}

/* The value of one field; STR_NONE: there is no such field. */
static struct str field(struct arena *a, struct str name, const struct ec2_flow_about *b)
{
	const struct host_rec_flow *f = b ? b->flow : NULL;
	const struct ec2_rec_eni *e = b ? b->eni : NULL;
	struct str none = STR("-");
	if (str_is(name, "version")) return number(a, b ? b->version : 2);
	if (str_is(name, "account-id")) return f ? b->account : none;
	if (str_is(name, "interface-id")) return f ? e->network_interface_id : none;
	if (str_is(name, "srcaddr") || str_is(name, "pkt-srcaddr")) return f ? f->source : none;
	if (str_is(name, "dstaddr") || str_is(name, "pkt-dstaddr")) return f ? f->destination : none;
	if (str_is(name, "srcport")) return f ? number(a, f->source_port.v) : none;
	if (str_is(name, "dstport")) return f ? number(a, f->destination_port.v) : none;
	if (str_is(name, "protocol")) return f ? number(a, f->protocol.v) : none;
	if (str_is(name, "packets")) return f ? number(a, f->packets.v) : none;
	if (str_is(name, "bytes")) return f ? number(a, f->bytes.v) : none;
	if (str_is(name, "start")) return f ? number(a, (b->now_ms - f->first_ago.v) / 1000) : none;
	if (str_is(name, "end")) return f ? number(a, (b->now_ms - f->last_ago.v) / 1000) : none;
	if (str_is(name, "action")) return f ? (f->accepted.v ? STR("ACCEPT") : STR("REJECT")) : none;
	if (str_is(name, "log-status")) return STR("OK");
	if (str_is(name, "vpc-id")) return f ? e->vpc_id : none;
	if (str_is(name, "subnet-id")) return f ? e->subnet_id : none;
	if (str_is(name, "instance-id"))
		return f && e->attachment && str_has(e->attachment->instance_id) ? e->attachment->instance_id : none;
	if (str_is(name, "region")) return f ? b->region : none;
	if (str_is(name, "az-id")) return f ? zone_id(a, b->region, e->availability_zone) : none;
	if (str_is(name, "type")) return f ? (str_chr(f->source, ':') >= 0 ? STR("IPv6") : STR("IPv4")) : none;
	if (str_is(name, "flow-direction")) return f ? (f->egress.v ? STR("egress") : STR("ingress")) : none;
	if (str_is(name, "reject-reason")) return f && str_is(f->by, "bpa") ? STR("BPA") : none;
	if (str_is(name, "tcp-flags") || str_is(name, "sublocation-type") || str_is(name, "sublocation-id") ||
		str_is(name, "pkt-src-aws-service") || str_is(name, "pkt-dst-aws-service") ||
		str_is(name, "traffic-path"))
		return none;
	return STR_NONE;
}

/* "${srcaddr} ${dstaddr}": the names, one after the other. STR_NONE at the end; n 0 where it is malformed. */
static struct str next_name(struct str *rest)
{
	*rest = str_trim(*rest);
	if (!rest->n) return STR_NONE;
	ptrdiff_t end = str_chr(*rest, '}');
	if (!str_starts(*rest, STR("${")) || end < 0) return STR("");
	struct str name = str_sub(*rest, 2, (size_t)end - 2);
	*rest = str_from(*rest, (size_t)end + 1);
	return name;
}

struct str ec2_flow_format_check(struct arena *a, struct str format)
{
	struct str rest = format, name;
	size_t n = 0;
	while (str_has(name = next_name(&rest))) {
		n++;
		if (!name.n) return STR("The LogFormat has to be a list of fields like ${srcaddr} ${dstaddr}");
		if (!str_has(field(a, name, NULL))) return str_fmt(a, "Unknown fields provided: %.*s", STR_ARG(name));
	}
	return n ? STR_NONE : STR("The LogFormat must not be empty");
}

void ec2_flow_line(struct buf *out, struct str format, const struct ec2_flow_about *about)
{
	struct str rest = format, name;
	struct ec2_flow_about b = *about;
	bool first = true;
	/* "If you create a custom format, the version is the highest version among the specified fields." */
	b.version = 2;
	while (str_has(name = next_name(&rest)) && name.n)
		if (version_of(name) > b.version) b.version = version_of(name);
	rest = format;
	while (str_has(name = next_name(&rest)) && name.n) {
		if (!first) buf_byte(out, ' ');
		first = false;
		buf_str(out, field(out->arena, name, &b));
	}
}

void ec2_flow_head(struct buf *out, struct str format)
{
	struct str rest = format, name;
	bool first = true;
	while (str_has(name = next_name(&rest)) && name.n) {
		if (!first) buf_byte(out, ' ');
		first = false;
		buf_str(out, name);
	}
}
