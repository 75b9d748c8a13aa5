/* The codec of stored records, walking a state.model's tables. A record is a sequence of (field number << 3 | wire kind)
 * varints and values, like protocol buffers' wire format: unknown fields are skipped, absent ones stay absent, so old and
 * new records read each other. The outermost record ends in a CRC-32C of its bytes. */
#pragma once
#include "wire/desc.h"

/* Structs, lists and maps within each other; decoders of client input that may be stored must stay below it. A record that
 * is deeper is a broken invariant when encoding and CORRUPT when decoding. */
#define RECORD_DEPTH_MAX 192

struct arena;
struct str record_encode(struct arena *a, const struct wire_tables *t, uint16_t shape, const void *record);
/* *record must be zeroed, of the shape's size. Strings point into `bytes` (which must live as long). CORRUPT for
 * anything that is not a record of this codec. */
status record_decode(struct arena *a, const struct wire_tables *t, uint16_t shape, struct str bytes, void *record) MUST_USE;
