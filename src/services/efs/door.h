/* EFS as EC2's network sees it: where mount targets are. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct store_tx;
enum { EFS_PORT = 2049 };
struct efs_targets {
	struct str *v;
	size_t n;
};
/* The interfaces of all mount targets of all accounts. */
status efs_targets(struct store_tx *tx, struct arena *a, struct efs_targets *out) MUST_USE;
/* The addresses of a file system's mount targets in a VPC, in one zone where one is named. */
status efs_addresses(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str file_system, struct str vpc, struct str zone, struct efs_targets *out) MUST_USE;
