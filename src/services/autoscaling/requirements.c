/* Attribute-based selection of instance types ("Create a mixed instances group using attribute-based instance type
 * selection", the guide): which types meet a group's requirements. Prices here stand in proportion to what a type
 * offers. */
#include "services/autoscaling/requirements.h"
#include "base/vec.h"

struct range {
	bool has_min, has_max;
	double min, max;
};
#define RANGE(r)                                                                                                       \
	((r) ? (struct range){(r)->min.has, (r)->max.has, (double)(r)->min.v, (double)(r)->max.v} : (struct range){0})

static bool within(struct range r, double v)
{
	return !(r.has_min && v < r.min) && !(r.has_max && v > r.max);
}

double as_price(const struct ec2_machine_type *t)
{
	return (double)t->vcpus + (double)t->memory_mib / 4096;
}

static bool any_glob(const struct str *v, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_glob(v[i], name)) return true;
	return false;
}

/* included, excluded, required; what is not said has a default. */
static bool allowed(struct str say, const char *otherwise, bool has)
{
	struct str s = str_or(say, str_c(otherwise));
	return str_is(s, "included") || has == str_is(s, "required");
}

static bool listed(const struct str *v, size_t n, struct str what)
{
	return !n || as_has(v, n, what);
}

static bool accelerators_meet(const struct ec2_machine_type *t, const struct autoscaling_instance_requirements *r)
{
	bool asked = r->accelerator_types.n || r->accelerator_manufacturers.n || r->accelerator_names.n ||
		     r->accelerator_total_memory_mi_b || (r->accelerator_count && r->accelerator_count->min.v > 0);
	if (!within(RANGE(r->accelerator_count), t->gpus)) return false;
	/* "By default, instance types with accelerators are not included". */
	if (!asked) return t->gpus == 0 || (r->accelerator_count && !r->accelerator_count->max.has);
	if (!t->gpus) return false;
	/* A name as the API has it: a100 of "A100". */
	for (size_t i = 0; i < r->accelerator_names.n; i++) {
		if (str_ieq(r->accelerator_names.v[i], str_c(t->family->gpu))) break;
		if (i + 1 == r->accelerator_names.n) return false;
	}
	return listed(r->accelerator_types.v, r->accelerator_types.n, STR("gpu")) &&
	       listed(r->accelerator_manufacturers.v, r->accelerator_manufacturers.n, STR("nvidia")) &&
	       within(RANGE(r->accelerator_total_memory_mi_b), (double)t->gpus * t->family->gpu_mib);
}

static struct str vendor_of(const struct ec2_machine_type *t)
{
	if (t->family->arm) return STR("amazon-web-services");
	return str_find(str_c(t->family->vendor), STR("AMD")) >= 0 ? STR("amd") : STR("intel");
}

bool as_type_meets(const struct ec2_machine_type *t, const struct autoscaling_instance_requirements *r)
{
	double disk_gb = (double)t->disks * t->disk_gb, gib = (double)t->memory_mib / 1024;
	if (r->allowed_instance_types.n && !any_glob(r->allowed_instance_types.v, r->allowed_instance_types.n, t->name))
		return false;
	if (any_glob(r->excluded_instance_types.v, r->excluded_instance_types.n, t->name)) return false;
	if (!within(RANGE(r->v_cpu_count), t->vcpus) || !within(RANGE(r->memory_mi_b), t->memory_mib) ||
		!within(RANGE(r->memory_gi_b_per_v_cpu), gib / t->vcpus) ||
		!within(RANGE(r->network_interface_count), t->interfaces) ||
		!within(RANGE(r->baseline_ebs_bandwidth_mbps), t->ebs_mbps) ||
		!within(RANGE(r->network_bandwidth_gbps), t->network_mbps / 1000.0) ||
		!within(RANGE(r->total_local_storage_gb), disk_gb))
		return false;
	if (!listed(r->cpu_manufacturers.v, r->cpu_manufacturers.n, vendor_of(t))) return false;
	if (!listed(r->instance_generations.v, r->instance_generations.n,
		    t->family->old ? STR("previous") : STR("current")))
		return false;
	if (!allowed(r->bare_metal, "excluded", str_find(t->name, STR(".metal")) >= 0)) return false;
	if (!allowed(r->burstable_performance, "excluded", t->family->burstable)) return false;
	if (!allowed(r->local_storage, "included", t->disks > 0)) return false;
	if (r->local_storage_types.n && t->disks &&
		!listed(r->local_storage_types.v, r->local_storage_types.n, STR("ssd")))
		return false;
	if (r->require_hibernate_support.v && !t->family->hibernates) return false;
	return accelerators_meet(t, r);
}

/* "The price protection threshold … is a percentage higher than an identified … instance type: the lowest priced
 * current generation C, M, or R instance type with your specified attributes": 20 % for On-Demand, 100 % for Spot. */
static double threshold(const struct autoscaling_instance_requirements *r, bool spot)
{
	if (!spot)
		return 1 + (r->on_demand_max_price_percentage_over_lowest_price.has
					   ? r->on_demand_max_price_percentage_over_lowest_price.v
					   : 20) /
				   100.0;
	if (r->max_spot_price_as_percentage_of_optimal_on_demand_price.has)
		return r->max_spot_price_as_percentage_of_optimal_on_demand_price.v / 100.0;
	return 1 + (r->spot_max_price_percentage_over_lowest_price.has
				   ? r->spot_max_price_percentage_over_lowest_price.v
				   : 100) /
			   100.0;
}

static bool is_common(const struct ec2_machine_type *t)
{
	char c = t->name.p[0], d = t->name.n > 1 ? t->name.p[1] : 0;
	return (c == 'c' || c == 'm' || c == 'r') && d >= '0' && d <= '9' && !t->family->old;
}

void as_types_meeting(
	struct arena *a, const struct autoscaling_instance_requirements *r, bool arm, bool spot, struct as_types *out)
{
	struct as_types all = {0};
	double common = 0, any = 0;
	*out = (struct as_types){0};
	for (size_t i = 0; i < ec2_machine_types_length; i++) {
		struct ec2_machine_type t = ec2_machine_type_at(i);
		if (t.family->arm != arm || !as_type_meets(&t, r)) continue;
		double price = as_price(&t);
		if (is_common(&t) && (common <= 0 || price < common)) common = price;
		if (any <= 0 || price < any) any = price;
		*VEC_PUSH(a, &all, &all.capacity) = t;
	}
	double most = (common > 0 ? common : any) * threshold(r, spot);
	for (size_t i = 0; i < all.n; i++)
		if (as_price(&all.v[i]) <= most) *VEC_PUSH(a, out, &out->capacity) = all.v[i];
}

status as_requirements_check(struct call *c, const struct autoscaling_instance_requirements *r)
{
	struct as_types types;
	if (!r->v_cpu_count || !r->v_cpu_count->min.has || !r->memory_mi_b || !r->memory_mi_b->min.has)
		return AS_FAIL(c, "InstanceRequirements must specify VCpuCount.Min and MemoryMiB.Min.");
	if (r->allowed_instance_types.n && r->excluded_instance_types.n)
		return AS_FAIL(c, "AllowedInstanceTypes and ExcludedInstanceTypes cannot both be specified.");
	if (r->max_spot_price_as_percentage_of_optimal_on_demand_price.has &&
		r->spot_max_price_percentage_over_lowest_price.has)
		return AS_FAIL(c, "Only one of MaxSpotPriceAsPercentageOfOptimalOnDemandPrice and "
				  "SpotMaxPricePercentageOverLowestPrice may be specified.");
	if (r->baseline_performance_factors)
		return call_fail(c, ERR_NOT_IMPLEMENTED, "BaselinePerformanceFactors are not implemented.");
	for (int arm = 0; arm < 2; arm++) {
		as_types_meeting(c->arena, r, arm, false, &types);
		if (types.n) return OK;
	}
	return AS_FAIL(c, "No instance types were found that match the instance requirements.");
}
