/* What the files of EC2's compute half share: instances, images, volumes, snapshots, keys, templates. "The guide" in
 * these files is the Amazon EC2 User Guide, "the EBS guide" the Amazon EBS User Guide. */
#pragma once
#include "services/ec2/instance_types.h"
#include "services/ec2/room.h"

/* ── lists of strings ── Every generated list of strings is { struct str *v; size_t n; }. */
struct str *ec2_strings(struct arena *a, size_t n, const char *const *texts);
#define EC2_STRINGS(a, ...)                                                                                            \
	{                                                                                                              \
		ec2_strings((a), sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),                          \
			(const char *const[]){__VA_ARGS__}),                                                           \
			sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)                                    \
	}
bool ec2_is_among(const struct str *v, size_t n, struct str s);
#define ec2_listed(list, s) ec2_is_among((list)->v, (list)->n, (s))
/* Every member of `from` that is present replaces that of `to`, whole; both are of this shape. */
void ec2_replace(const struct wire_tables *t, uint16_t shape, const void *from, void *to);

/* ── instance_type.c ── */
void ec2_machine_type_show(struct call *c, const struct ec2_machine_type *m, struct ec2_instance_type_info *out);

/* ── key_pair.c ── by name, with InvalidKeyPair.NotFound. */
status ec2_key_find(struct call *c, struct str name, struct ec2_rec_key_pair *out) MUST_USE;

/* ── launch_template.c ── */
/* By id or by name, one of them; with the client's error. */
status ec2_template_find(struct call *c, struct str id, struct str name, struct ec2_rec_launch_template *out) MUST_USE;
/* version: a number, "$Latest", "$Default"; STR_NONE: the default. */
status ec2_template_version(struct call *c, const struct ec2_rec_launch_template *t, struct str version,
	struct ec2_launch_template_version *out) MUST_USE;

EC2_TYPES_DECLARE(key_pair);
EC2_TYPES_DECLARE(launch_template);
