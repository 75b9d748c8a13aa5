/* Volumes and their snapshots, as files. A volume is a sparse file: blocks never written take no room. A snapshot is a
 * list of the 512 KiB blocks that hold anything (the unit of the EBS direct APIs), each a file named by its SHA-256 in
 * a store that all snapshots of an installation share: so a second snapshot of a volume adds what has changed and
 * nothing else, and copies cost nothing. Needs no privileges and no agent.
 *
 * A snapshot is whole once its list stands (written beside, then renamed, after its blocks were synced); what a crash
 * leaves of one that was begun is removed by volume_snapshot_sweep. Thread rule: any thread, any number at a time;
 * sweep takes a lock against them. Answers: OK, NOT_FOUND, INVALID (out of range), BUSY (it is there already, or is
 * sealed), CORRUPT (a block's content is not what its name says), IO. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#define VOLUME_BLOCK (512u << 10)
#define SNAPSHOT_HASH 32

/* ── volumes ── paths are whole ones */
/* BUSY when it is there. Its bytes read as zeros. */
status volume_create(const char *path, uint64_t size) MUST_USE;
/* Only upwards: INVALID for less than it has. A machine that has it open learns by host_machine_volume_changed. */
status volume_grow(const char *path, uint64_t size) MUST_USE;
status volume_remove(const char *path) MUST_USE; /* OK when it is not there */
/* Its size, and the bytes that it really takes. Either may be NULL. */
status volume_size(const char *path, uint64_t *size, uint64_t *taken) MUST_USE;
/* Plain access; INVALID past the end. */
status volume_read(const char *path, uint64_t at, void *p, size_t n) MUST_USE;
status volume_write(const char *path, uint64_t at, const void *p, size_t n) MUST_USE;
/* Another volume with the same bytes. */
status volume_copy(const char *from, const char *to) MUST_USE;

/* ── snapshots ── */
struct volume_snapshots; /* the store of an installation's snapshots */
struct volume_snapshot_block {
	uint32_t index; /* at index * VOLUME_BLOCK of the volume */
	uint8_t hash[SNAPSHOT_HASH];
};
struct volume_snapshot {
	uint64_t size;                   /* of its volume, bytes */
	struct volume_snapshot_block *v; /* by index, ascending; blocks of zeros are left out */
	size_t n;
	bool sealed; /* complete; one that is being written block by block is not */
};

/* dir is made when it is not there. */
status volume_snapshots_open(const char *dir, struct volume_snapshots **out) MUST_USE;
void volume_snapshots_close(struct volume_snapshots *s); /* NULL is fine */

/* Of a volume as it is now; pause the machine that writes to it (host_machine_pause), or what is written meanwhile may
 * be in it or not. *added: bytes of blocks that no other snapshot had; may be NULL. */
status volume_snapshot_take(struct volume_snapshots *s, struct str id, const char *volume, uint64_t *added) MUST_USE;
/* A new volume of `size` bytes, at least the snapshot's. */
status volume_snapshot_restore(struct volume_snapshots *s, struct str id, const char *volume, uint64_t size) MUST_USE;
/* The same content under another id. */
status volume_snapshot_copy(struct volume_snapshots *s, struct str from, struct str to) MUST_USE;
/* OK when it is not there. Blocks that nobody else has go at the next sweep. */
status volume_snapshot_remove(struct volume_snapshots *s, struct str id) MUST_USE;
/* The list, in the arena. */
status volume_snapshot_load(
	struct volume_snapshots *s, struct arena *a, struct str id, struct volume_snapshot *out) MUST_USE;
/* Removes blocks that no snapshot has, and the leavings of crashes. *freed bytes; may be NULL. */
status volume_snapshot_sweep(struct volume_snapshots *s, uint64_t *freed) MUST_USE;

/* Block by block, as the EBS direct APIs do. Begin makes an unsealed one, of a parent's blocks where one is named
 * (STR_NONE: empty). Put replaces the block at index: exactly VOLUME_BLOCK bytes. Seal makes it immutable. Get fills
 * VOLUME_BLOCK bytes, of a sealed one; NOT_FOUND where the block holds nothing. */
status volume_snapshot_begin(struct volume_snapshots *s, struct str id, uint64_t size, struct str parent) MUST_USE;
status volume_snapshot_put(struct volume_snapshots *s, struct str id, uint32_t index, const void *block) MUST_USE;
status volume_snapshot_seal(struct volume_snapshots *s, struct str id) MUST_USE;
status volume_snapshot_get(struct volume_snapshots *s, struct str id, uint32_t index, void *block) MUST_USE;
