/* Attributes instead of a type: which types have them. "Specify attributes for instance type selection", the guide.
 * Ranges of prices are for fleets to compare; what a type's table does not tell (accelerators' makers and names,
 * baseline performance, encryption in transit) is refused rather than taken for true. */
#include "services/ec2/requirements.h"
#include "services/ec2/volume.h"

#define TABLES (&wire_service_ec2.tables)

static bool within(double v, bool has_min, double min, bool has_max, double max)
{
	return (!has_min || v >= min) && (!has_max || v <= max);
}
#define IN_RANGE(value, range)                                                                                         \
	(!(range) ||                                                                                                   \
		within((value), (range)->min.has, (double)(range)->min.v, (range)->max.has, (double)(range)->max.v))

/* included, required, excluded; otherwise where it is not said. */
static bool has_or_not(struct str wanted, bool has, const char *otherwise)
{
	if (!str_has(wanted)) wanted = str_c(otherwise);
	return str_is(wanted, "required") ? has : str_is(wanted, "excluded") ? !has : true;
}

static bool listed(const struct str *v, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i], name)) return true;
	return false;
}

static bool any_pattern(const struct str *v, size_t n, struct str name)
{
	struct ec2_value_string_list patterns = {(struct str *)(uintptr_t)v, n};
	return ec2_matches_any(&patterns, name);
}

static struct str maker(const struct ec2_machine_type *m)
{
	struct str vendor = str_c(m->family->vendor);
	return str_is(vendor, "Intel") ? STR("intel") : str_is(vendor, "AMD") ? STR("amd") : STR("amazon-web-services");
}

bool ec2_requirements_met(const struct ec2_instance_requirements *r, const struct ec2_machine_type *m)
{
	double gib = m->memory_mib / 1024.0;
	if (!IN_RANGE(m->vcpus, r->v_cpu_count) || !IN_RANGE(m->memory_mib, r->memory_mi_b)) return false;
	if (!IN_RANGE(gib / m->vcpus, r->memory_gi_b_per_v_cpu)) return false;
	if (!IN_RANGE(m->interfaces, r->network_interface_count)) return false;
	if (!IN_RANGE((double)m->disks * m->disk_gb, r->total_local_storage_gb)) return false;
	if (!IN_RANGE(m->ebs_mbps, r->baseline_ebs_bandwidth_mbps)) return false;
	if (!IN_RANGE(m->network_mbps / 1000.0, r->network_bandwidth_gbps)) return false;
	if (!IN_RANGE((double)m->gpus * m->family->gpu_mib, r->accelerator_total_memory_mi_b)) return false;
	/* Without a count, types with accelerators are left out. */
	if (!r->accelerator_count && !r->accelerator_total_memory_mi_b && !r->accelerator_types.n && m->gpus)
		return false;
	if (!IN_RANGE(m->gpus, r->accelerator_count)) return false;
	if (r->accelerator_types.n && !(m->gpus && listed(r->accelerator_types.v, r->accelerator_types.n, STR("gpu"))))
		return false;
	if (r->cpu_manufacturers.n && !listed(r->cpu_manufacturers.v, r->cpu_manufacturers.n, maker(m))) return false;
	struct str generation = m->family->old ? STR("previous") : STR("current");
	if (r->instance_generations.n && !listed(r->instance_generations.v, r->instance_generations.n, generation))
		return false;
	if (any_pattern(r->excluded_instance_types.v, r->excluded_instance_types.n, m->name)) return false;
	if (r->allowed_instance_types.n &&
		!any_pattern(r->allowed_instance_types.v, r->allowed_instance_types.n, m->name))
		return false;
	bool metal = str_find(m->name, STR(".metal")) >= 0;
	if (!has_or_not(r->bare_metal, metal, "excluded")) return false;
	if (!has_or_not(r->burstable_performance, m->family->burstable, "excluded")) return false;
	if (!has_or_not(r->local_storage, m->disks > 0, "included")) return false;
	return !r->require_hibernate_support.v || m->family->hibernates;
}

status ec2_requirements_check(struct call *c, const struct ec2_instance_requirements *r)
{
	if (!r->v_cpu_count || !r->v_cpu_count->min.has || !r->memory_mi_b || !r->memory_mi_b->min.has)
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"InstanceRequirements have to contain VCpuCount and MemoryMiB, each with a minimum.");
	if (r->excluded_instance_types.n && r->allowed_instance_types.n)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"InstanceRequirements cannot contain both AllowedInstanceTypes and ExcludedInstanceTypes.");
	if (r->accelerator_manufacturers.n || r->accelerator_names.n || r->baseline_performance_factors ||
		r->require_encryption_in_transit.v || r->local_storage_types.n)
		return call_fail(c, ERR_NOT_IMPLEMENTED,
			"Accelerators' names and manufacturers, types of local storage, baseline performance and "
			"encryption in "
			"transit are not implemented as InstanceRequirements.");
	return OK;
}

status ec2_get_instance_types_from_instance_requirements(struct call *c,
	const struct ec2_get_instance_types_from_instance_requirements_input *in,
	struct ec2_get_instance_types_from_instance_requirements_output *out)
{
	struct ec2_instance_requirements r = {0};
	size_t capacity = 0;
	if (!in->instance_requirements)
		return call_fail(
			c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter InstanceRequirements");
	ec2_copy(c->arena, TABLES, EC2_SHAPE_INSTANCE_REQUIREMENTS_REQUEST, in->instance_requirements, TABLES,
		EC2_SHAPE_INSTANCE_REQUIREMENTS, &r);
	TRY(ec2_requirements_check(c, &r));
	VEC_PRESENT(c->arena, &out->instance_types);
	for (size_t i = 0; i < ec2_machine_types_length; i++) {
		struct ec2_machine_type m = ec2_machine_type_at(i);
		struct str architecture = m.family->arm ? STR("arm64") : STR("x86_64");
		if (!listed(in->architecture_types.v, in->architecture_types.n, architecture) ||
			!listed(in->virtualization_types.v, in->virtualization_types.n, STR("hvm")))
			continue;
		if (ec2_requirements_met(&r, &m))
			VEC_PUSH(c->arena, &out->instance_types, &capacity)->instance_type = m.name;
	}
	return ec2_page(c, &out->instance_types, sizeof(*out->instance_types.v), in->max_results, in->next_token,
		&out->next_token);
}
