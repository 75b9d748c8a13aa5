/* Typed structs to JSON as audit records (CloudTrail) tell them: names in lower camel case, times in words, without
 * what is secret or bulky. Pure, any thread. */
#pragma once
#include "base/buf.h"
#include "wire/desc.h"

struct wire_audit {
	const char *left_out; /* member names that are never told, separated by blanks; NULL: none */
	bool sets;            /* EC2's way: wire names, lists as {"items":[…]}, times in milliseconds */
	bool as_modelled;     /* S3's: names as they are in the XML; members outside the body are not told */
};
/* The members of the struct as `"a":…,"b":…`, without braces; *comma: whether one is due before the first. Members that
 * are absent, blobs and streams are left out; of sensitive ones it is told that they were there, and no more. */
void wire_audit_members(struct buf *b, const struct wire_tables *t, uint16_t shape, const void *p,
	const struct wire_audit *how, bool *comma);
