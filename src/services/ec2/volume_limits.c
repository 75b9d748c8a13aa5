/* What volumes of each type may be ("Amazon EBS volume types", the EBS guide). */
#include "services/ec2/volume.h"

static const struct limits {
	const char *type;
	int32_t size_min, size_max;
	int32_t iops_min, iops_max, iops_per_gib, iops_default; /* 0: not to be chosen */
	int32_t throughput_min, throughput_max;                 /* MiB/s; 0: not to be chosen */
} limits[] = {
	{"gp3", 1, 65536, 3000, 80000, 500, 3000, 125, 2000},
	{"gp2", 1, 16384, 0, 0, 0, 0, 0, 0},
	{"io1", 4, 16384, 100, 64000, 50, 0, 0, 0},
	{"io2", 4, 65536, 100, 256000, 1000, 0, 0, 0},
	{"st1", 125, 16384, 0, 0, 0, 0, 0, 0},
	{"sc1", 125, 16384, 0, 0, 0, 0, 0, 0},
	{"standard", 1, 1024, 0, 0, 0, 0, 0, 0},
};

#define BAD(c, ...) call_fail((c), EC2_ERR_INVALID_PARAMETER_VALUE, __VA_ARGS__)

/* "Baseline performance scales linearly at 3 IOPS per GiB … between a minimum of 100 … and a maximum of 16,000" (gp2).
 */
static int32_t gp2_iops(int32_t size)
{
	int32_t n = size * 3;
	return n < 100 ? 100 : n > 16000 ? 16000 : n;
}

static status check_iops(struct call *c, const struct limits *l, struct ec2_volume_plan *p)
{
	if (!l->iops_max) {
		if (p->iops.has)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
				"The parameter iops is not supported for %s volumes.", l->type);
		if (str_is(p->type, "gp2")) p->iops = SOME_I32(gp2_iops(p->size.v));
		return OK;
	}
	if (!p->iops.has) {
		if (!l->iops_default)
			return call_fail(c, EC2_ERR_MISSING_PARAMETER,
				"The parameter iops must be specified for %s volumes.", l->type);
		p->iops = SOME_I32(l->iops_default);
		return OK;
	}
	if (p->iops.v < l->iops_min)
		return BAD(c, "Volume iops of %d is too low; minimum is %d.", p->iops.v, l->iops_min);
	if (p->iops.v > l->iops_max)
		return BAD(c, "Volume iops of %d is too high; maximum is %d.", p->iops.v, l->iops_max);
	if (p->iops.v > l->iops_min && (int64_t)p->iops.v > (int64_t)l->iops_per_gib * p->size.v)
		return BAD(c, "Iops to volume size ratio of %.6f is too high; maximum is %d.000000",
			p->iops.v / (double)p->size.v, l->iops_per_gib);
	return OK;
}

static status check_throughput(struct call *c, const struct limits *l, struct ec2_volume_plan *p)
{
	if (!l->throughput_max) {
		if (p->throughput.has)
			return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
				"The parameter throughput is not supported for %s volumes.", l->type);
		return OK;
	}
	if (!p->throughput.has) p->throughput = SOME_I32(l->throughput_min);
	if (p->throughput.v < l->throughput_min)
		return BAD(c, "Throughput value of %d is too low; minimum is %d.", p->throughput.v, l->throughput_min);
	if (p->throughput.v > l->throughput_max)
		return BAD(c, "Throughput value of %d is too high; maximum is %d.", p->throughput.v, l->throughput_max);
	/* "The maximum ratio of provisioned throughput to provisioned IOPS is 0.25 MiB/s per IOPS" (gp3). */
	if (p->throughput.v * 4 > p->iops.v)
		return BAD(c,
			"Throughput (MiBps) to iops ratio of %.6f is too high; maximum is 0.250000 MiBps per iops.",
			p->throughput.v / (double)p->iops.v);
	return OK;
}

status ec2_volume_limits(struct call *c, struct ec2_volume_plan *p)
{
	const struct limits *l = NULL;
	p->type = str_or(p->type, STR("gp2"));
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
		if (str_eq(str_c(limits[i].type), p->type)) l = &limits[i];
	if (!l) return call_fail(c, EC2_ERR_UNKNOWN_VOLUME_TYPE, "Unknown volume type: %.*s", STR_ARG(p->type));
	if (!p->size.has)
		return call_fail(
			c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter size or snapshotId");
	if (p->size.v < l->size_min)
		return BAD(c, "Volume of %dGiB is too small for volume type %s; minimum is %dGiB.", p->size.v, l->type,
			l->size_min);
	if (p->size.v > l->size_max)
		return BAD(c, "Volume of %dGiB is too large for volume type %s; maximum is %dGiB.", p->size.v, l->type,
			l->size_max);
	if (p->multi_attach.v && !str_starts(p->type, STR("io")))
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"The parameter MultiAttachEnabled is not supported for %s volumes.", l->type);
	TRY(check_iops(c, l, p));
	return check_throughput(c, l, p);
}
