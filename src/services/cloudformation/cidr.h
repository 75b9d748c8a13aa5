/* Fn::Cidr's arithmetic. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* The index-th block with `bits` host bits within an IPv4 or IPv6 block. INVALID where the block is none or has not so
 * many. */
status cfn_cidr_part(struct arena *a, struct str block, unsigned bits, uint64_t index, struct str *out) MUST_USE;
