/* Kinesis's large numbers: hash keys of 128 bits, and sequence numbers of 186 bits in decimal. Pure. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

__extension__ typedef unsigned __int128 kinesis_u128;
#define KINESIS_HASH_MAX (~(kinesis_u128)0)

/* False where the text is no number or past 2^128 - 1. */
bool kinesis_hash_read(struct str text, kinesis_u128 *out);
struct str kinesis_hash_text(struct arena *a, kinesis_u128 v);
/* The MD5 of a partition key ("Data record", the guide). */
kinesis_u128 kinesis_hash_of(struct str partition_key);
/* As 16 bytes, big endian, and back (which takes exactly 16). */
struct str kinesis_hash_bytes(struct arena *a, kinesis_u128 v);
kinesis_u128 kinesis_hash_from(struct str bytes);

/* Opaque to clients, but numbers in decimal that rise within a shard and from a shard to its children: bit 185, the
 * milliseconds of the shard's creation, the record's counter, the shard's number. Counter 0 is the shard's beginning.
 */
struct kinesis_sequence {
	int64_t created_ms;
	uint64_t counter, shard;
};
struct str kinesis_sequence_text(struct arena *a, const struct kinesis_sequence *s);
/* False where it is none of ours. */
bool kinesis_sequence_read(struct str text, struct kinesis_sequence *out);
