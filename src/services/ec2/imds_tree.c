/* What the metadata service tells an instance: its leaves, from which folders follow ("Instance metadata categories",
 * the guide). */
#include "base/json.h"
#include "services/ec2/event.h"
#include "services/ec2/imds.h"

struct leaf {
	struct str path, value;
};
struct leaves {
	struct arena *a;
	struct leaf *v;
	size_t n, capacity;
};

static void leaf(struct leaves *l, struct str value, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void leaf(struct leaves *l, struct str value, const char *fmt, ...)
{
	if (!str_has(value)) return;
	struct buf b = BUF_IN(l->a);
	va_list args;
	va_start(args, fmt);
	buf_vfmt(&b, fmt, args);
	va_end(args);
	*VEC_PUSH(l->a, l, &l->capacity) = (struct leaf){buf_done(&b), value};
}

static struct str number(struct arena *a, int64_t n)
{
	return str_fmt(a, "%lld", (long long)n);
}

/* ── network/interfaces/macs/MAC ── */

static struct str joined(struct arena *a, const struct ec2_group_identifier_list *groups, bool ids)
{
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < groups->n; i++) {
		if (i) buf_byte(&b, '\n');
		buf_str(&b, ids ? groups->v[i].group_id : groups->v[i].group_name);
	}
	return buf_done(&b);
}

static status interfaces(const struct imds_view *v, struct leaves *l)
{
	const struct ec2_instance *s = v->shape;
	for (size_t i = 0; i < s->network_interfaces.n; i++) {
		const struct ec2_instance_network_interface *n = &s->network_interfaces.v[i];
		struct ec2_rec_subnet subnet;
		struct ec2_rec_vpc vpc;
		struct buf addresses = BUF_IN(l->a);
#define AT(name, value) leaf(l, (value), "meta-data/network/interfaces/macs/%.*s/" name, STR_ARG(n->mac_address))
		for (size_t k = 0; k < n->private_ip_addresses.n; k++) {
			if (k) buf_byte(&addresses, '\n');
			buf_str(&addresses, n->private_ip_addresses.v[k].private_ip_address);
		}
		AT("device-number", n->attachment ? number(l->a, n->attachment->device_index.v) : STR_NONE);
		AT("interface-id", n->network_interface_id);
		AT("local-hostname", n->private_dns_name);
		AT("local-ipv4s", buf_done(&addresses));
		AT("mac", n->mac_address);
		AT("owner-id", n->owner_id);
		if (n->association) {
			AT("public-ipv4s", n->association->public_ip);
			AT("public-hostname", n->association->public_dns_name);
			leaf(l, n->private_ip_address, "meta-data/network/interfaces/macs/%.*s/ipv4-associations/%.*s",
				STR_ARG(n->mac_address), STR_ARG(n->association->public_ip));
		}
		AT("security-group-ids", joined(l->a, &n->groups, true));
		AT("security-groups", joined(l->a, &n->groups, false));
		AT("subnet-id", n->subnet_id);
		AT("vpc-id", n->vpc_id);
		if (n->ipv6_addresses.n) AT("ipv6s", n->ipv6_addresses.v[0].ipv6_address);
		if (is_ok(ec2_load(ec2_here(v->c), &ec2_type_subnet, n->subnet_id, &subnet)))
			AT("subnet-ipv4-cidr-block", subnet.cidr_block);
		if (is_ok(ec2_load(ec2_here(v->c), &ec2_type_vpc, n->vpc_id, &vpc))) {
			AT("vpc-ipv4-cidr-block", vpc.cidr_block);
			AT("vpc-ipv4-cidr-blocks", vpc.cidr_block);
		}
#undef AT
	}
	return OK;
}

/* ── the document ── */

static void member(struct buf *b, const char *name, struct str value, bool last)
{
	buf_fmt(b, "  \"%s\" : ", name);
	if (str_has(value))
		json_quote(b, value);
	else
		buf_lit(b, "null");
	buf_str(b, last ? STR("\n") : STR(",\n"));
}

static struct str document(const struct imds_view *v, struct arena *a)
{
	const struct ec2_instance *s = v->shape;
	struct buf b = BUF_IN(a);
	buf_lit(&b, "{\n");
	member(&b, "accountId", v->c->account, false);
	member(&b, "architecture", s->architecture, false);
	member(&b, "availabilityZone", s->placement->availability_zone, false);
	member(&b, "billingProducts", STR_NONE, false);
	member(&b, "devpayProductCodes", STR_NONE, false);
	member(&b, "marketplaceProductCodes", STR_NONE, false);
	member(&b, "imageId", s->image_id, false);
	member(&b, "instanceId", s->instance_id, false);
	member(&b, "instanceType", s->instance_type, false);
	member(&b, "kernelId", s->kernel_id, false);
	member(&b, "pendingTime", time_iso8601(a, s->launch_time.ms, false), false);
	member(&b, "privateIp", s->private_ip_address, false);
	member(&b, "ramdiskId", s->ramdisk_id, false);
	member(&b, "region", v->c->region, false);
	member(&b, "version", STR("2017-09-30"), true);
	buf_lit(&b, "}");
	return buf_done(&b);
}

/* ── all ── */

static status fill(const struct imds_view *v, struct leaves *l)
{
	const struct ec2_instance *s = v->shape;
	struct arena *a = l->a;
	leaf(l, s->image_id, "meta-data/ami-id");
	leaf(l, number(a, s->ami_launch_index.v), "meta-data/ami-launch-index");
	leaf(l, STR("(unknown)"), "meta-data/ami-manifest-path");
	leaf(l, s->root_device_name, "meta-data/block-device-mapping/ami");
	leaf(l, s->root_device_name, "meta-data/block-device-mapping/root");
	for (size_t i = 1; i < s->block_device_mappings.n; i++) {
		struct str d = s->block_device_mappings.v[i].device_name;
		leaf(l, str_starts(d, STR("/dev/")) ? str_from(d, 5) : d, "meta-data/block-device-mapping/ebs%zu", i);
	}
	leaf(l, ec2_events_json(a, v->i, true), "meta-data/events/maintenance/history");
	leaf(l, ec2_events_json(a, v->i, false), "meta-data/events/maintenance/scheduled");
	leaf(l, s->private_dns_name, "meta-data/hostname");
	if (str_has(v->role)) {
		struct str at = time_iso8601(a, v->i->profile_since.ms, false);
		leaf(l,
			str_fmt(a,
				"{\n  \"Code\" : \"Success\",\n  \"LastUpdated\" : \"%.*s\",\n  \"InstanceProfileArn\" "
				": \"%.*s\",\n  "
				"\"InstanceProfileId\" : \"%.*s\"\n}",
				STR_ARG(at), STR_ARG(v->i->profile_arn), STR_ARG(v->i->profile_id)),
			"meta-data/iam/info");
		/* Its value is made when it is asked for: imds.c. */
		leaf(l, STR(""), "meta-data/iam/security-credentials/%.*s", STR_ARG(v->role));
	}
	leaf(l, STR("none"), "meta-data/instance-action");
	leaf(l, s->instance_id, "meta-data/instance-id");
	leaf(l, str_or(s->instance_lifecycle, STR("on-demand")), "meta-data/instance-life-cycle");
	leaf(l, s->instance_type, "meta-data/instance-type");
	leaf(l, s->private_dns_name, "meta-data/local-hostname");
	leaf(l, s->private_ip_address, "meta-data/local-ipv4");
	if (s->network_interfaces.n) leaf(l, s->network_interfaces.v[0].mac_address, "meta-data/mac");
	leaf(l, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<databinding/>"), "meta-data/metrics/vhostmd");
	leaf(l, s->placement->availability_zone, "meta-data/placement/availability-zone");
	leaf(l, s->placement->availability_zone_id, "meta-data/placement/availability-zone-id");
	leaf(l, v->c->region, "meta-data/placement/region");
	if (!str_empty(s->placement->group_name)) leaf(l, s->placement->group_name, "meta-data/placement/group-name");
	leaf(l, STR("default-hvm"), "meta-data/profile");
	if (str_has(s->public_ip_address)) {
		leaf(l, s->public_dns_name, "meta-data/public-hostname");
		leaf(l, s->public_ip_address, "meta-data/public-ipv4");
	}
	if (str_has(s->key_name))
		leaf(l, str_cat(a, v->i->public_key, STR("\n")), "meta-data/public-keys/0/openssh-key");
	leaf(l, v->i->reservation, "meta-data/reservation-id");
	leaf(l, joined(a, &s->security_groups, false), "meta-data/security-groups");
	leaf(l, STR("amazonaws.com"), "meta-data/services/domain");
	leaf(l, v->c->partition, "meta-data/services/partition");
	if (v->i->interrupted.has) {
		struct str at = time_iso8601(a, v->i->interrupted.ms, false);
		leaf(l, str_fmt(a, "{\"action\":\"%.*s\",\"time\":\"%.*s\"}", STR_ARG(v->i->interruption), STR_ARG(at)),
			"meta-data/spot/instance-action");
		if (str_is(v->i->interruption, "terminate")) leaf(l, at, "meta-data/spot/termination-time");
	}
	if (str_is(s->metadata_options->instance_metadata_tags, "enabled"))
		for (size_t i = 0; i < s->tags.n; i++)
			leaf(l, s->tags.v[i].value, "meta-data/tags/instance/%.*s", STR_ARG(s->tags.v[i].key));
	leaf(l, document(v, a), "dynamic/instance-identity/document");
	if (!str_empty(v->i->user_data)) leaf(l, v->i->user_data, "user-data");
	return interfaces(v, l);
}

/* "latest/meta-data/" as a folder: the next parts of all below it, each once; those that go on end in a slash. */
static status folder(const struct leaves *l, struct str prefix, struct str *out)
{
	struct buf b = BUF_IN(l->a);
	struct str last = STR_NONE;
	for (size_t i = 0; i < l->n; i++) {
		if (!str_starts(l->v[i].path, prefix)) continue;
		struct str rest = str_from(l->v[i].path, prefix.n);
		ptrdiff_t slash = str_chr(rest, '/');
		struct str part = slash < 0 ? rest : str_sub(rest, 0, (size_t)slash + 1);
		/* "0=my-key": the way that keys are listed. */
		if (str_is(prefix, "meta-data/public-keys/")) part = STR("0=key");
		if (str_has(last) && str_eq(part, last)) continue;
		if (str_has(last)) buf_byte(&b, '\n');
		buf_str(&b, part);
		last = part;
	}
	if (!str_has(last)) return STATUS(NOT_FOUND);
	*out = buf_done(&b);
	return OK;
}

status imds_get(const struct imds_view *v, struct str path, struct str *out)
{
	struct leaves l = {.a = v->c->arena};
	/* "latest", or a date that names a version. */
	if (!path.n || path.p[0] != '/') return STATUS(NOT_FOUND);
	path = str_from(path, 1);
	if (str_empty(path)) {
		*out = STR("1.0\n2007-01-19\n2011-01-01\n2016-09-02\n2018-09-24\n2021-07-15\nlatest");
		return OK;
	}
	struct str version = str_cut(&path, '/');
	if (!str_is(version, "latest") && !(version.n == 10 && version.p[4] == '-') && !str_is(version, "1.0"))
		return STATUS(NOT_FOUND);
	TRY(fill(v, &l));
	path = str_or(path, STR(""));
	for (size_t i = 0; i < l.n; i++)
		if (str_eq(l.v[i].path, path)) {
			*out = l.v[i].value;
			return OK;
		}
	if (!str_empty(path) && path.p[path.n - 1] != '/') path = str_cat(l.a, path, STR("/"));
	return folder(&l, path, out);
}
