/* Volumes and snapshots, between their files.
 *
 * A volume is a sparse file in the data folder, ebs/vol-…, which a machine has as a block device; a snapshot is a map
 * of blocks of 512 KiB (what the EBS direct APIs call blocks), whose bytes are blobs that snapshots of one volume
 * share. What happens to files happens in jobs, level-triggered: they look at the record, do what is missing, and write
 * what is then. */
#pragma once
#include "services/ec2/compute.h"
#include "services/kms/keys.h"
#include "store/blob.h"

enum { EC2_BLOCK_BYTES = 512 << 10 };
#define EC2_GIB ((int64_t)1 << 30)

/* ── volume_limits.c ── */
/* What a client asks for, made whole: type, size, iops, throughput. */
struct ec2_volume_plan {
	struct str type; /* STR_NONE: gp2 */
	struct opt_i32 size, iops, throughput;
	struct opt_bool multi_attach, encrypted;
	struct str kms_key, snapshot, zone, zone_id, client_token, source, base;
	struct str from_owner; /* the snapshot's: of an image that may be launched; STR_NONE: to be found out */
	/* filled by ec2_volume_plan */
	struct ec2_rec_snapshot from;
	bool has_from;
};
/* "Amazon EBS volume types", the EBS guide. With the client's error. */
status ec2_volume_limits(struct call *c, struct ec2_volume_plan *p) MUST_USE;

/* ── volume.c ── */
/* Reads the snapshot that it comes from, then the limits. */
status ec2_volume_plan(struct call *c, struct ec2_volume_plan *p) MUST_USE;
/* Writes the record (creating, or in use by an attachment that the caller adds) and the job that makes the file. */
status ec2_volume_make(struct call *c, const struct ec2_volume_plan *p, struct ec2_rec_volume *out) MUST_USE;
void ec2_volume_put(struct ec2_place at, const struct ec2_rec_volume *v);
/* In tx: its job runs as soon as the transaction has committed. */
void ec2_volume_poke(struct ec2_place at, struct str id, int64_t now_ms);
struct ec2_rec_attachment *ec2_volume_attachment(const struct ec2_rec_volume *v, struct str instance);
/* For termination: detached at once, or deleted with its instance. */
status ec2_volume_leave(struct ec2_place at, struct str id, struct str instance, int64_t now_ms) MUST_USE;

/* ── volume_crypt.c ── */
/* The key of a new volume or snapshot: *key_arn, and the data key wrapped under `id`. reference: STR_NONE for the
 * account's default. */
status ec2_crypt_new(
	struct call *c, struct str reference, struct str id, struct str *key_arn, struct str *wrapped) MUST_USE;
/* FAILED where the key cannot serve: with *why for the client. plain: 32 bytes, to be wiped. */
status ec2_crypt_open(const struct kms_use *u, struct str wrapped, struct str id, struct str *plain,
	struct kms_refusal *why) MUST_USE;
/* The key of a volume's file on disk (host/seal/sealed.h); STR_NONE of one that is not sealed. To be wiped. Answers as
 * ec2_crypt_open's. */
status ec2_crypt_file(
	const struct kms_use *u, const struct ec2_rec_volume *v, struct str *key, struct kms_refusal *why) MUST_USE;
/* Can machines here have encrypted volumes? With the client's error. */
status ec2_crypt_possible(struct call *c) MUST_USE;
/* For work without a request: the owner's. */
struct kms_use ec2_kms_use(struct cloud *cloud, struct ec2_place at);
/* The client's error for that. */
status ec2_crypt_refused(struct call *c, status s, const struct kms_refusal *why);

/* ── volume_permit.c ── */
enum { EC2_KEY_MAKE = 1, EC2_KEY_READ = 2, EC2_KEY_GRANT = 4 };
/* May the caller make a data key of this KMS key, read one, let an instance use one (uses: of these)? id: of the
 * encryption context. Asks the policies, not the key's state. */
bool ec2_key_may(struct call *c, struct str key_arn, struct str id, unsigned uses);
/* The same of a volume's; true of one that is not encrypted. */
bool ec2_volume_key_may(struct call *c, const struct ec2_rec_volume *v, unsigned uses);
/* Before an instance starts: notes in its record whether its starter may use its volumes' keys. */
status ec2_instance_keys_ask(struct call *c, struct ec2_rec_instance *i) MUST_USE;

/* One block under a data key (AES-256-GCM: IV, tag, ciphertext). */
struct str ec2_crypt_seal(struct arena *a, struct str key, struct str plain);
status ec2_crypt_unseal(struct arena *a, struct str key, struct str sealed, struct str *plain) MUST_USE;
/* Settings of the account in its region: encryption by default, its key. */
status ec2_settings_get(struct ec2_place at, struct ec2_rec_settings *out) MUST_USE;
void ec2_settings_put(struct ec2_place at, const struct ec2_rec_settings *s);

/* ── volume_file.c ── files below the data folder; paths are relative to it, as the host wants them. */
struct str ec2_volume_file(struct arena *a, struct str id);
/* The absolute path, of a relative one. */
const char *ec2_file_path(struct cloud *cloud, struct arena *a, struct str relative);
/* Sparse, of at least this size. */
status ec2_file_make(struct cloud *cloud, struct arena *a, struct str relative, int64_t bytes) MUST_USE;
void ec2_file_remove(struct cloud *cloud, struct arena *a, struct str relative);
/* Holes stay holes. NOT_FOUND where `from` is not there. */
status ec2_file_copy(struct cloud *cloud, struct arena *a, struct str from, struct str to) MUST_USE;

/* ── snapshot_blocks.c ── */
struct ec2_blocks {
	struct ec2_place at; /* the snapshot's owner's */
	struct str snapshot;
	struct str key; /* its data key, where it is encrypted; else STR_NONE */
};
/* NOT_FOUND where the block is all zeros. */
status ec2_block_get(const struct ec2_blocks *b, int64_t index, struct ec2_rec_snapshot_block *out) MUST_USE;
/* The plain bytes of such a record. */
status ec2_block_read(const struct ec2_blocks *b, const struct ec2_rec_snapshot_block *r, struct str *plain) MUST_USE;
/* Seals and keeps; replaces one that is there. */
status ec2_block_write(const struct ec2_blocks *b, struct cloud *cloud, int64_t index, struct str plain) MUST_USE;
/* Takes over another snapshot's block, of the same data key. */
status ec2_block_share(const struct ec2_blocks *b, int64_t index, const struct ec2_rec_snapshot_block *r) MUST_USE;
struct str ec2_block_digest(const struct ec2_blocks *b, struct str plain);
/* Of all, in order of index, from `first` on: fn returns false to stop. */
status ec2_blocks_each(const struct ec2_blocks *b, int64_t first,
	bool (*fn)(void *ctx, int64_t index, const struct ec2_rec_snapshot_block *r), void *ctx) MUST_USE;
/* Where its bytes are. */
struct blob_ref ec2_block_ref(const struct ec2_rec_snapshot_block *r);
status ec2_blocks_drop(const struct ec2_blocks *b) MUST_USE;
/* Writes them all to a file; key: of a sealed one. */
status ec2_blocks_restore(
	const struct ec2_blocks *b, struct cloud *cloud, struct str relative, struct str key) MUST_USE;

/* ── snapshot.c ── */
void ec2_snapshot_put(struct ec2_place at, const struct ec2_rec_snapshot *s);
void ec2_snapshot_poke(struct ec2_place at, struct str id, int64_t now_ms);
/* One of that region that this account may make volumes of: its own, or shared with it. *owner: whose. With the
 * client's error. */
status ec2_snapshot_usable(
	struct call *c, struct str region, struct str id, struct ec2_rec_snapshot *out, struct str *owner) MUST_USE;
/* Begins one of a volume: copies its file aside, so that it is as it was now. Blocks. */
status ec2_snapshot_take(
	struct call *c, const struct ec2_rec_volume *v, struct str description, struct ec2_rec_snapshot *out) MUST_USE;
/* Of a snapshot whose use is decided: its owner's, in the input's region. */
status ec2_snapshot_copy(struct call *c, const struct ec2_copy_snapshot_input *in, struct str owner,
	struct ec2_copy_snapshot_output *out) MUST_USE;
/* The image of this account that stands on it; STR_NONE. (image_make.c) */
status ec2_image_of_snapshot(struct call *c, struct str snapshot, struct str *image) MUST_USE;
struct str ec2_snapshot_file(struct arena *a, struct str id);

/* Modify…Attribute's three ways of naming who is added or removed. */
struct ec2_permission_change {
	struct ec2_rec_permissions add, remove;
};
/* OperationType with UserIds and GroupNames. */
status ec2_permission_listed(struct call *c, struct str operation, const struct str *users, size_t n_users,
	const struct str *groups, size_t n_groups, struct ec2_permission_change *out) MUST_USE;
/* Adds and removes; checks ids and the group. */
status ec2_permission_apply(
	struct call *c, const struct ec2_permission_change *change, struct ec2_rec_permissions *p) MUST_USE;

/* ── share.c ── What is shared with other accounts: snapshots, images. */
bool ec2_permitted(const struct ec2_rec_permissions *p, struct str account);
/* Writes the index of what is shared at all. */
void ec2_share_index(struct ec2_place at, struct str id, const struct ec2_rec_permissions *p);
/* Whose it is; NOT_FOUND where it is shared with nobody. */
status ec2_share_owner(struct ec2_place at, struct str id, struct str *owner) MUST_USE;
/* Of all that is shared in the region, with ids that begin so. */
status ec2_share_each(struct ec2_place at, const char *prefix, bool (*fn)(void *ctx, struct str id, struct str owner),
	void *ctx) MUST_USE;

/* ── recycle.c ── Recycle Bin: what its rules keep of what is deleted. */
/* *kept: a rule keeps it; then its record and tags are gone from where they were, and what belongs to them (blocks,
 * files) stays. */
status ec2_recycle(struct call *c, const struct ec2_type *t, struct str id, const void *record, bool *kept) MUST_USE;
/* Does it lie in the bin? */
status ec2_recycled(struct ec2_place at, struct str id, bool *yes) MUST_USE;
#define EC2_JOB_RECYCLE "ec2.recycle"
status ec2_recycle_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);

/* ── fast_restore.c ── */
status ec2_fast_restores_drop(struct ec2_place at, struct str snapshot) MUST_USE;
/* Is it enabled for this account's volumes in the zone? */
status ec2_fast_restored(struct call *c, struct str snapshot, struct str zone, bool *yes) MUST_USE;

EC2_TYPES_DECLARE(instance);
EC2_TYPES_DECLARE(volume);
EC2_TYPES_DECLARE(snapshot);

/* ── jobs.c ── "ACCOUNT REGION ID" as a job's payload and id. */
struct ec2_job {
	struct ec2_place at;
	struct str id;
};
void ec2_job_schedule(struct ec2_place at, const char *kind, struct str id, int64_t due_ms);
status ec2_job_read(struct store_tx *tx, struct arena *a, const struct job *job, struct ec2_job *out) MUST_USE;
void ec2_job_cancel(struct ec2_place at, const char *kind, struct str id);
/* After the call's commit jobs are looked at at once. */
void ec2_poke_jobs(struct call *c);
#define EC2_JOB_VOLUME "ec2.volume"
#define EC2_JOB_SNAPSHOT "ec2.snapshot"
#define EC2_JOB_MACHINE "ec2.machine"
status ec2_volume_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);
status ec2_snapshot_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);
