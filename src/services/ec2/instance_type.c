/* DescribeInstanceTypes and DescribeInstanceTypeOfferings. */
#include "services/ec2/compute.h"
#include "services/ec2/instance_types.h"

#define T (c->arena)

static struct ec2_ebs_info *ebs_of(struct call *c, const struct ec2_machine_type *m)
{
	struct ec2_ebs_info *e = arena_new(T, struct ec2_ebs_info);
	e->encryption_support = STR("supported");
	e->nvme_support = m->family->xen ? STR("unsupported") : STR("required");
	e->attachment_limit_type = STR("shared");
	e->maximum_ebs_attachments = SOME_I32(m->family->xen ? 39 : 27);
	if (!m->ebs_mbps) {
		e->ebs_optimized_support = STR("unsupported");
		return e;
	}
	e->ebs_optimized_support = STR("default");
	e->ebs_optimized_info = arena_new(T, struct ec2_ebs_optimized_info);
	*e->ebs_optimized_info =
		(struct ec2_ebs_optimized_info){.baseline_bandwidth_in_mbps = SOME_I32((int32_t)m->ebs_mbps),
			.baseline_throughput_in_m_bps = SOME_F64(m->ebs_mbps / 8.0),
			.baseline_iops = SOME_I32((int32_t)m->ebs_iops),
			.maximum_bandwidth_in_mbps = SOME_I32((int32_t)m->ebs_peak_mbps),
			.maximum_throughput_in_m_bps = SOME_F64(m->ebs_peak_mbps / 8.0),
			.maximum_iops = SOME_I32((int32_t)m->ebs_peak_iops)};
	return e;
}

static struct ec2_network_info *network_of(struct call *c, const struct ec2_machine_type *m)
{
	struct ec2_network_info *n = arena_new(T, struct ec2_network_info);
	struct ec2_network_card_info *card = arena_new(T, struct ec2_network_card_info);
	*card = (struct ec2_network_card_info){.network_card_index = SOME_I32(0),
		.network_performance = str_c(m->network),
		.maximum_network_interfaces = SOME_I32((int32_t)m->interfaces),
		.baseline_bandwidth_in_gbps = SOME_F64(m->network_mbps / 1000.0),
		.peak_bandwidth_in_gbps = SOME_F64(m->network_peak_mbps / 1000.0)};
	*n = (struct ec2_network_info){.network_performance = str_c(m->network),
		.maximum_network_interfaces = SOME_I32((int32_t)m->interfaces),
		.maximum_network_cards = SOME_I32(1),
		.default_network_card_index = SOME_I32(0),
		.network_cards = {card, 1},
		.ipv4_addresses_per_interface = SOME_I32((int32_t)m->addresses),
		.ipv6_addresses_per_interface = SOME_I32((int32_t)m->addresses),
		.ipv6_supported = SOME_BOOL(true),
		.ena_support = m->family->xen ? STR("unsupported") : STR("required"),
		.efa_supported = SOME_BOOL(false),
		.encryption_in_transit_supported = SOME_BOOL(false)};
	return n;
}

static struct ec2_v_cpu_info *cpus_of(struct call *c, const struct ec2_machine_type *m)
{
	struct ec2_v_cpu_info *v = arena_new(T, struct ec2_v_cpu_info);
	unsigned threads = m->family->no_threads || m->vcpus == 1 ? 1 : 2, cores = m->vcpus / threads;
	v->default_v_cpus = SOME_I32((int32_t)m->vcpus);
	v->default_cores = SOME_I32((int32_t)cores);
	v->default_threads_per_core = SOME_I32((int32_t)threads);
	size_t capacity = 0;
	/* "CPU options": burstable types of one generation allow no choice; others even numbers up to what they have.
	 */
	for (unsigned n = cores > 1 ? 2 : 1; n <= cores; n += 2)
		*VEC_PUSH(T, &v->valid_cores, &capacity) = SOME_I32((int32_t)n);
	capacity = 0;
	for (unsigned n = 1; n <= threads; n++)
		*VEC_PUSH(T, &v->valid_threads_per_core, &capacity) = SOME_I32((int32_t)n);
	return v;
}

static void storage_of(struct call *c, const struct ec2_machine_type *m, struct ec2_instance_type_info *out)
{
	out->instance_storage_supported = SOME_BOOL(m->disks > 0);
	if (!m->disks) return;
	struct ec2_disk_info *disk = arena_new(T, struct ec2_disk_info);
	*disk = (struct ec2_disk_info){
		.size_in_gb = SOME_I64(m->disk_gb), .count = SOME_I32((int32_t)m->disks), .type = STR("ssd")};
	out->instance_storage_info = arena_new(T, struct ec2_instance_storage_info);
	*out->instance_storage_info =
		(struct ec2_instance_storage_info){.total_size_in_gb = SOME_I64((int64_t)m->disks * m->disk_gb),
			.disks = {disk, 1},
			.nvme_support = m->family->xen ? STR("unsupported") : STR("required"),
			.encryption_support = m->family->xen ? STR("unsupported") : STR("required")};
}

static void gpus_of(struct call *c, const struct ec2_machine_type *m, struct ec2_instance_type_info *out)
{
	if (!m->gpus) return;
	struct ec2_gpu_device_info *gpu = arena_new(T, struct ec2_gpu_device_info);
	gpu->name = str_c(m->family->gpu);
	gpu->manufacturer = STR("NVIDIA");
	gpu->count = SOME_I32((int32_t)m->gpus);
	gpu->memory_info = arena_new(T, struct ec2_gpu_device_memory_info);
	gpu->memory_info->size_in_mi_b = SOME_I32((int32_t)m->family->gpu_mib);
	out->gpu_info = arena_new(T, struct ec2_gpu_info);
	out->gpu_info->gpus.v = gpu;
	out->gpu_info->gpus.n = 1;
	out->gpu_info->total_gpu_memory_in_mi_b = SOME_I32((int32_t)(m->family->gpu_mib * m->gpus));
}

void ec2_machine_type_show(struct call *c, const struct ec2_machine_type *m, struct ec2_instance_type_info *out)
{
	const struct ec2_family *f = m->family;
	*out = (struct ec2_instance_type_info){.instance_type = m->name,
		.current_generation = SOME_BOOL(!f->old),
		.free_tier_eligible = SOME_BOOL(f->free && str_ends(m->name, STR(".micro")) && !f->arm),
		.supported_usage_classes = EC2_STRINGS(T, "on-demand", "spot"),
		.supported_root_device_types = EC2_STRINGS(T, "ebs"),
		.supported_virtualization_types = EC2_STRINGS(T, "hvm"),
		.bare_metal = SOME_BOOL(false),
		.hypervisor = f->xen ? STR("xen") : STR("nitro"),
		.v_cpu_info = cpus_of(c, m),
		.ebs_info = ebs_of(c, m),
		.network_info = network_of(c, m),
		.hibernation_supported = SOME_BOOL(f->hibernates),
		.burstable_performance_supported = SOME_BOOL(f->burstable),
		.dedicated_hosts_supported = SOME_BOOL(!f->burstable || str_is(str_c(f->name), "t3")),
		.auto_recovery_supported = SOME_BOOL(m->disks == 0),
		.nitro_enclaves_support = f->enclaves && m->vcpus >= 4 ? STR("supported") : STR("unsupported"),
		.nitro_tpm_support = f->xen || f->arm ? STR("unsupported") : STR("supported")};
	out->processor_info = arena_new(T, struct ec2_processor_info);
	*out->processor_info = (struct ec2_processor_info){
		.sustained_clock_speed_in_ghz = SOME_F64(f->mhz / 1000.0), .manufacturer = str_c(f->vendor)};
	if (f->arm) {
		out->processor_info->supported_architectures =
			(struct ec2_architecture_type_list)EC2_STRINGS(T, "arm64");
		out->supported_boot_modes = (struct ec2_boot_mode_type_list)EC2_STRINGS(T, "uefi");
	} else if (f->xen) {
		out->processor_info->supported_architectures =
			(struct ec2_architecture_type_list)EC2_STRINGS(T, "x86_64");
		out->supported_boot_modes = (struct ec2_boot_mode_type_list)EC2_STRINGS(T, "legacy-bios");
	} else {
		out->processor_info->supported_architectures =
			(struct ec2_architecture_type_list)EC2_STRINGS(T, "x86_64");
		out->supported_boot_modes = (struct ec2_boot_mode_type_list)EC2_STRINGS(T, "legacy-bios", "uefi");
	}
	out->memory_info = arena_new(T, struct ec2_memory_info);
	out->memory_info->size_in_mi_b = SOME_I64(m->memory_mib);
	out->placement_group_info = arena_new(T, struct ec2_placement_group_info);
	if (f->burstable)
		out->placement_group_info->supported_strategies =
			(struct ec2_placement_group_strategy_list)EC2_STRINGS(T, "partition", "spread");
	else
		out->placement_group_info->supported_strategies =
			(struct ec2_placement_group_strategy_list)EC2_STRINGS(T, "cluster", "partition", "spread");
	storage_of(c, m, out);
	gpus_of(c, m, out);
}

static const char *const type_filters[] = {"auto-recovery-supported", "bare-metal", "burstable-performance-supported",
	"current-generation", "dedicated-hosts-supported",
	"ebs-info.ebs-optimized-info.baseline-bandwidth-in-mbps=EbsInfo.EbsOptimizedInfo.BaselineBandwidthInMbps",
	"ebs-info.ebs-optimized-info.baseline-iops=EbsInfo.EbsOptimizedInfo.BaselineIops",
	"ebs-info.ebs-optimized-info.maximum-bandwidth-in-mbps=EbsInfo.EbsOptimizedInfo.MaximumBandwidthInMbps",
	"ebs-info.ebs-optimized-info.maximum-iops=EbsInfo.EbsOptimizedInfo.MaximumIops",
	"ebs-info.ebs-optimized-support=EbsInfo.EbsOptimizedSupport",
	"ebs-info.encryption-support=EbsInfo.EncryptionSupport", "ebs-info.nvme-support=EbsInfo.NvmeSupport",
	"free-tier-eligible", "hibernation-supported", "hypervisor",
	"instance-storage-info.disk.count=InstanceStorageInfo.Disks.Count",
	"instance-storage-info.disk.size-in-gb=InstanceStorageInfo.Disks.SizeInGB",
	"instance-storage-info.disk.type=InstanceStorageInfo.Disks.Type",
	"instance-storage-info.encryption-support=InstanceStorageInfo.EncryptionSupport",
	"instance-storage-info.nvme-support=InstanceStorageInfo.NvmeSupport",
	"instance-storage-info.total-size-in-gb=InstanceStorageInfo.TotalSizeInGB", "instance-storage-supported",
	"instance-type", "memory-info.size-in-mib=MemoryInfo.SizeInMiB",
	"network-info.efa-supported=NetworkInfo.EfaSupported", "network-info.ena-support=NetworkInfo.EnaSupport",
	"network-info.ipv4-addresses-per-interface=NetworkInfo.Ipv4AddressesPerInterface",
	"network-info.ipv6-addresses-per-interface=NetworkInfo.Ipv6AddressesPerInterface",
	"network-info.ipv6-supported=NetworkInfo.Ipv6Supported",
	"network-info.maximum-network-cards=NetworkInfo.MaximumNetworkCards",
	"network-info.maximum-network-interfaces=NetworkInfo.MaximumNetworkInterfaces",
	"network-info.network-performance=NetworkInfo.NetworkPerformance", "nitro-enclaves-support",
	"nitro-tpm-support", "processor-info.supported-architecture=ProcessorInfo.SupportedArchitectures",
	"processor-info.sustained-clock-speed-in-ghz=ProcessorInfo.SustainedClockSpeedInGhz",
	"supported-boot-mode=SupportedBootModes", "supported-root-device-type=SupportedRootDeviceTypes",
	"supported-usage-class=SupportedUsageClasses", "supported-virtualization-type=SupportedVirtualizationTypes",
	"vcpu-info.default-cores=VCpuInfo.DefaultCores",
	"vcpu-info.default-threads-per-core=VCpuInfo.DefaultThreadsPerCore",
	"vcpu-info.default-vcpus=VCpuInfo.DefaultVCpus", "vcpu-info.valid-cores=VCpuInfo.ValidCores",
	"vcpu-info.valid-threads-per-core=VCpuInfo.ValidThreadsPerCore", NULL};

status ec2_describe_instance_types(struct call *c, const struct ec2_describe_instance_types_input *in,
	struct ec2_describe_instance_types_output *out)
{
	TRY(ec2_filters_check(c, type_filters, &in->filters));
	if (in->instance_types.n && in->max_results.has)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_COMBINATION,
			"The parameter instancesTypes cannot be used with the parameter maxResults");
	struct ec2_machine_type m;
	struct str unknown = STR_NONE;
	for (size_t i = 0; i < in->instance_types.n; i++) {
		struct str name = in->instance_types.v[i];
		if (ec2_machine_type_find(name, &m)) continue;
		unknown = str_has(unknown) ? str_fmt(c->arena, "%.*s, %.*s", STR_ARG(unknown), STR_ARG(name)) : name;
	}
	if (str_has(unknown))
		return call_fail(c, EC2_ERR_INVALID_INSTANCE_TYPE,
			"The following supplied instance types do not exist: [%.*s]", STR_ARG(unknown));
	size_t capacity = 0;
	VEC_PRESENT(c->arena, &out->instance_types);
	for (size_t i = 0; i < ec2_machine_types_length; i++) {
		struct ec2_instance_type_info info;
		m = ec2_machine_type_at(i);
		if (in->instance_types.n && !ec2_listed(&in->instance_types, m.name)) continue;
		ec2_machine_type_show(c, &m, &info);
		if (ec2_filters_match(c->arena, EC2_SHAPE_INSTANCE_TYPE_INFO, type_filters, &in->filters, &info))
			*VEC_PUSH(c->arena, &out->instance_types, &capacity) = info;
	}
	return ec2_page(c, &out->instance_types, sizeof(*out->instance_types.v), in->max_results, in->next_token,
		&out->next_token);
}

static const char *const offering_filters[] = {"instance-type", "location", NULL};

status ec2_describe_instance_type_offerings(struct call *c, const struct ec2_describe_instance_type_offerings_input *in,
	struct ec2_describe_instance_type_offerings_output *out)
{
	struct ec2_zones zones;
	struct str kind = str_or(in->location_type, STR("region"));
	TRY(ec2_filters_check(c, offering_filters, &in->filters));
	TRY(ec2_zones(c->tx, c->arena, c->region, &zones));
	bool region = str_is(kind, "region");
	size_t capacity = 0, n = region ? 1 : str_is(kind, "outpost") ? 0 : zones.n;
	VEC_PRESENT(c->arena, &out->instance_type_offerings);
	for (size_t i = 0; i < ec2_machine_types_length; i++)
		for (size_t k = 0; k < n; k++) {
			struct str place = region                                 ? c->region
					   : str_is(kind, "availability-zone-id") ? zones.v[k].id
										  : zones.v[k].name;
			struct ec2_instance_type_offering o = {ec2_machine_type_at(i).name, kind, place};
			if (ec2_filters_match(
				    c->arena, EC2_SHAPE_INSTANCE_TYPE_OFFERING, offering_filters, &in->filters, &o))
				*VEC_PUSH(c->arena, &out->instance_type_offerings, &capacity) = o;
		}
	return ec2_page(c, &out->instance_type_offerings, sizeof(*out->instance_type_offerings.v), in->max_results,
		in->next_token, &out->next_token);
}
