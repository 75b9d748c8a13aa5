/* The public images. All of them are the one root file system that virga builds, Debian 12; the others are there
 * because tools look for images by such names, and say so. */
#include "services/ec2/door.h"
#include "services/ec2/image.h"
#include <openssl/sha.h>

#define ALIAS(what) "Not " what ": Debian 12 made by virga, under the name that " what " is looked for by"
#if defined(__aarch64__)
#define ARCH "arm64"
#define DEBIAN_ARCH "arm64"
#else
#define ARCH "x86_64"
#define DEBIAN_ARCH "amd64"
#endif

static const struct entry {
	const char *name, *description, *owner, *alias;
	const char *parameters[3]; /* SSM's public parameters that hold its id */
} entries[] = {
	{"debian-12-" DEBIAN_ARCH "-virga-1", "Debian 12 (bookworm), a minimal root file system made by virga",
		"136693071363", NULL, {"/aws/service/debian/release/12/latest/" DEBIAN_ARCH, NULL}},
	{"al2023-ami-2023.0.0-virga-kernel-6.1-" ARCH, ALIAS("Amazon Linux 2023"), "137112412989", "amazon",
		{"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-" ARCH,
			"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-" ARCH, NULL}},
	{"amzn2-ami-hvm-2.0-virga-" ARCH "-gp2", ALIAS("Amazon Linux 2"), "137112412989", "amazon",
		{"/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-" ARCH "-gp2",
			"/aws/service/ami-amazon-linux-latest/amzn-ami-hvm-" ARCH "-gp2", NULL}},
	{"ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-" DEBIAN_ARCH "-server-virga", ALIAS("Ubuntu 22.04"), "099720109477",
		NULL,
		{"/aws/service/canonical/ubuntu/server/22.04/stable/current/" DEBIAN_ARCH "/hvm/ebs-gp2/ami-id", NULL}},
	{"ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-" DEBIAN_ARCH "-server-virga", ALIAS("Ubuntu 24.04"),
		"099720109477", NULL,
		{"/aws/service/canonical/ubuntu/server/24.04/stable/current/" DEBIAN_ARCH "/hvm/ebs-gp3/ami-id", NULL}},
};

size_t ec2_public_images(void)
{
	return sizeof(entries) / sizeof(*entries);
}

static struct str id_of(struct arena *a, struct str region, const struct entry *e)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct str text = str_fmt(a, "%.*s %s", STR_ARG(region), e->name);
	SHA256((const unsigned char *)text.p, text.n, digest);
	struct str hex = str_hex(a, str_n(digest, 8));
	return str_fmt(a, "ami-0%.*s", STR_ARG(hex));
}

void ec2_public_image(struct arena *a, struct str region, size_t i, struct ec2_image *out)
{
	const struct entry *e = &entries[i];
	struct ec2_block_device_mapping *root = arena_new(a, struct ec2_block_device_mapping);
	root->device_name = STR("/dev/xvda");
	root->ebs = arena_new(a, struct ec2_ebs_block_device);
	*root->ebs = (struct ec2_ebs_block_device){.delete_on_termination = SOME_BOOL(true),
		.volume_size = SOME_I32(8),
		.volume_type = STR("gp3"),
		.iops = SOME_I32(3000),
		.throughput = SOME_I32(125),
		.encrypted = SOME_BOOL(false)};
	*out = (struct ec2_image){.image_id = id_of(a, region, e),
		.name = str_c(e->name),
		.description = str_c(e->description),
		.owner_id = str_c(e->owner),
		.image_owner_alias = e->alias ? str_c(e->alias) : STR_NONE,
		.image_location = str_fmt(a, "%s/%s", e->alias ? e->alias : e->owner, e->name),
		.creation_date = STR("2026-11-01T00:00:00.000Z"),
		.state = STR("available"),
		.public = SOME_BOOL(true),
		.architecture = STR(ARCH),
		.image_type = STR("machine"),
		.platform_details = STR("Linux/UNIX"),
		.usage_operation = STR("RunInstances"),
		.block_device_mappings = {root, 1},
		.ena_support = SOME_BOOL(true),
		.sriov_net_support = STR("simple"),
		.hypervisor = STR("xen"),
		.virtualization_type = STR("hvm"),
		.boot_mode = STR("uefi-preferred"),
		.imds_support = STR("v2.0"),
		.root_device_name = STR("/dev/xvda"),
		.root_device_type = STR("ebs")};
	VEC_PRESENT(a, &out->tags);
}

bool ec2_public_parameter(struct arena *a, struct str region, struct str name, struct str *value)
{
	for (size_t i = 0; i < ec2_public_images(); i++)
		for (size_t k = 0; entries[i].parameters[k]; k++)
			if (str_eq(name, str_c(entries[i].parameters[k]))) {
				*value = id_of(a, region, &entries[i]);
				return true;
			}
	return false;
}

bool ec2_public_parameter_at(struct arena *a, struct str region, size_t n, struct str *name, struct str *value)
{
	for (size_t i = 0; i < ec2_public_images(); i++)
		for (size_t k = 0; entries[i].parameters[k]; k++)
			if (n-- == 0) {
				*name = str_c(entries[i].parameters[k]);
				*value = id_of(a, region, &entries[i]);
				return true;
			}
	return false;
}
