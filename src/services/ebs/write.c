/* Writing snapshots: StartSnapshot, PutSnapshotBlock, CompleteSnapshot. A snapshot with a parent begins with the
 * parent's blocks. */
#include "call/body.h"
#include "services/ebs/room.h"
#include "vault/vault.h"
#include <stdlib.h>

enum { TIMEOUT_MINUTES = 60, WRITTEN_MS = 60000, GIB_MAX = 65536, BLOCKS_IN_GIB = EC2_GIB / EC2_BLOCK_BYTES };

/* ── StartSnapshot ── */

static void show(const struct ebs_start_snapshot_input *in, const struct ec2_rec_snapshot *s,
	struct ebs_start_snapshot_output *out)
{
	*out = (struct ebs_start_snapshot_output){.description = s->description,
		.snapshot_id = s->snapshot_id,
		.owner_id = s->owner_id,
		.status = s->state,
		.start_time = s->start_time,
		.volume_size = SOME_I64(s->volume_size.v),
		.block_size = SOME_I32(EC2_BLOCK_BYTES),
		.tags = in->tags,
		.parent_snapshot_id = s->parent,
		.kms_key_arn = s->kms_key_id,
		.sse_type = s->encrypted.v ? STR("sse-kms") : STR("none")};
}

/* "If you retry an API request with the same client token and the same request parameters after it has completed
 * successfully, the result of the original request is returned." NOT_FOUND: a new request. */
static status again(struct call *c, const struct ebs_start_snapshot_input *in, struct ebs_start_snapshot_output *out)
{
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_snapshot);
	struct ec2_rec_snapshot found;
	bool is = false;
	if (str_has(in->client_token))
		while (!is && ec2_next(&e)) {
			found = *(const struct ec2_rec_snapshot *)e.item.record;
			is = found.direct.v && str_eq(found.client_token, in->client_token);
		}
	TRY(ec2_each_end(&e));
	if (!is) return STATUS(NOT_FOUND);
	if (found.volume_size.v != in->volume_size.v || !str_eq(found.parent, in->parent_snapshot_id))
		return call_fail(c, EBS_ERR_CONFLICT_EXCEPTION,
			"The client token was used in another request with other parameters.");
	show(in, &found, out);
	return OK;
}

struct sharing {
	const struct ec2_blocks *to;
	status s;
};

static bool share_one(void *ctx, int64_t index, const struct ec2_rec_snapshot_block *r)
{
	struct sharing *k = ctx;
	k->s = ec2_block_share(k->to, index, r);
	return is_ok(k->s);
}

static status from_parent(struct call *c, const struct ebs_start_snapshot_input *in, struct ec2_rec_snapshot *s)
{
	struct ebs_snapshot parent;
	TRY(ebs_find(c, in->parent_snapshot_id, &parent));
	if (!str_eq(parent.record.owner_id, c->account))
		return EBS_INVALID(c, "INVALID_SNAPSHOT_ID", "The parent snapshot has to be the caller's own.");
	if (in->encrypted.has || str_has(in->kms_key_arn))
		return EBS_INVALID(c, "INVALID_PARAMETER_VALUE",
			"You can't specify Encrypted or KmsKeyArn together with ParentSnapshotId.");
	if (in->volume_size.v < parent.record.volume_size.v)
		return EBS_INVALID(c, "INVALID_VOLUME_SIZE",
			"The volume size must be equal to or greater than that of the parent snapshot.");
	s->parent = parent.record.snapshot_id;
	s->volume_id = parent.record.volume_id;
	s->encrypted = parent.record.encrypted;
	s->kms_key_id = parent.record.kms_key_id;
	s->data_key = parent.record.data_key;
	s->data_key_id = parent.record.data_key_id;
	struct ec2_blocks to = {.at = ec2_here(c), .snapshot = s->snapshot_id};
	struct sharing k = {&to, OK};
	TRY(ec2_blocks_each(&parent.blocks, 0, share_one, &k));
	return k.s;
}

static int64_t timeout_ms(const struct ec2_rec_snapshot *s)
{
	return (int64_t)(s->timeout.has ? s->timeout.v : TIMEOUT_MINUTES) * 60 * 1000;
}

status ebs_start_snapshot(
	struct call *c, const struct ebs_start_snapshot_input *in, struct ebs_start_snapshot_output *out)
{
	struct ec2_rec_settings settings;
	struct ec2_tag_list tags = {0};
	size_t capacity = 0;
	status st = again(c, in, out);
	if (!status_is(st, STATUS_NOT_FOUND)) return st;
	if (in->volume_size.v > GIB_MAX)
		return EBS_INVALID(c, "INVALID_VOLUME_SIZE", "The volume size has to be from 1 to %d GiB.", GIB_MAX);
	struct ec2_rec_snapshot s = {.snapshot_id = ec2_new_id(c->arena, ec2_type_snapshot.prefix),
		.volume_id = STR("vol-ffffffff"),
		.state = STR("pending"),
		.start_time = SOME_TIME(c->now_ms),
		.progress = STR("0%"),
		.owner_id = c->account,
		.description = str_or(in->description, STR("")),
		.volume_size = SOME_I32((int32_t)in->volume_size.v),
		.storage_tier = STR("standard"),
		.direct = SOME_BOOL(true),
		.client_token = in->client_token,
		.timeout = in->timeout};
	TRY(ec2_settings_get(ec2_here(c), &settings));
	if (str_has(in->parent_snapshot_id)) {
		TRY(from_parent(c, in, &s));
	} else {
		if (str_has(in->kms_key_arn) && !in->encrypted.v)
			return EBS_INVALID(c, "INVALID_PARAMETER_VALUE", "KmsKeyArn requires Encrypted to be true.");
		s.encrypted = SOME_BOOL(in->encrypted.v || settings.encrypt.v);
		if (s.encrypted.v) {
			s.data_key_id = s.snapshot_id;
			st = ec2_crypt_new(c, in->kms_key_arn, s.data_key_id, &s.kms_key_id, &s.data_key);
			if (status_is(st, STATUS_FAILED))
				return EBS_INVALID(c, "INVALID_CUSTOMER_KEY", "%.*s", STR_ARG(c->failure.message));
			TRY(st);
			if (!ec2_key_may(c, s.kms_key_id, s.data_key_id, EC2_KEY_MAKE | EC2_KEY_GRANT))
				return EBS_FAIL(c, ACCESS_DENIED, access_denied, "DEPENDENCY_ACCESS_DENIED",
					"The requester lacks permission to use the KMS key '%.*s'.",
					STR_ARG(s.kms_key_id));
		}
	}
	ec2_snapshot_put(ec2_here(c), &s);
	for (size_t i = 0; i < in->tags.n; i++)
		*VEC_PUSH(c->arena, &tags, &capacity) = (struct ec2_tag){in->tags.v[i].key, in->tags.v[i].value};
	if (tags.n) {
		st = ec2_tags_add(c, &ec2_type_snapshot, s.snapshot_id, &tags);
		if (status_is(st, STATUS_FAILED))
			return EBS_INVALID(c, "INVALID_TAG", "%.*s", STR_ARG(c->failure.message));
		TRY(st);
	}
	ec2_snapshot_poke(ec2_here(c), s.snapshot_id, c->now_ms + timeout_ms(&s));
	show(in, &s, out);
	return OK;
}

/* ── PutSnapshotBlock ── A block is small, and is sealed under the snapshot's key: its bytes are gathered, not staged.
 */

struct gathered {
	size_t n;
	char bytes[EC2_BLOCK_BYTES];
};

static status gather(void *ctx, struct blob_writer *w, const void *p, size_t n)
{
	struct gathered *g = ctx;
	(void)w;
	if (n > sizeof(g->bytes) - g->n) return STATUS(LIMIT);
	memcpy(g->bytes + g->n, p, n);
	g->n += n;
	return OK;
}

static uint64_t gathered_size(uint64_t plain)
{
	(void)plain;
	return 0;
}

static status gather_end(void *ctx, struct blob_writer *w)
{
	(void)ctx;
	(void)w;
	return OK;
}

status ebs_put_snapshot_block_prepare(struct call *c, const void *in, struct body_plan *plan);
status ebs_put_snapshot_block_prepare(struct call *c, const void *in, struct body_plan *plan)
{
	(void)c;
	(void)in;
	*plan = (struct body_plan){.digests = DIGEST_SHA256,
		.max_size = EC2_BLOCK_BYTES,
		.filter = gather,
		.filter_size = gathered_size,
		.filter_end = gather_end,
		.filter_free = free,
		.filter_ctx = mem_new(sizeof(struct gathered))};
	return OK;
}

status ebs_put_snapshot_block(
	struct call *c, const struct ebs_put_snapshot_block_input *in, struct ebs_put_snapshot_block_output *out)
{
	struct ebs_snapshot s;
	const struct gathered *g = in->block_data ? in->block_data->filter_ctx : NULL;
	if (!g || in->data_length.v != EC2_BLOCK_BYTES || g->n != EC2_BLOCK_BYTES)
		return EBS_INVALID(c, "INVALID_BLOCK", "A block has to have %d bytes.", EC2_BLOCK_BYTES);
	struct str sum = str_base64(c->arena, str_n(in->block_data->digests.sha256, 32));
	if (!str_is(in->checksum_algorithm, "SHA256") || !str_eq(in->checksum, sum))
		return EBS_INVALID(c, "INVALID_BLOCK", "The checksum is not the SHA256 of the block's data.");
	TRY(ebs_find_open(c, in->snapshot_id, &s));
	if (in->block_index.v >= (int64_t)s.record.volume_size.v * BLOCKS_IN_GIB)
		return EBS_INVALID(c, "INVALID_BLOCK", "The block index is beyond the volume's size.");
	status st = ec2_block_write(&s.blocks, c->cloud, in->block_index.v, str_n(g->bytes, g->n));
	if (str_has(s.blocks.key)) vault_wipe(s.blocks.key);
	TRY(st);
	/* Blocks are put side by side: those of one minute have no record in common that they write. */
	bool later = c->now_ms - s.record.written.ms > WRITTEN_MS;
	if (later) {
		s.record.written = SOME_TIME(c->now_ms);
		ec2_snapshot_poke(ec2_here(c), in->snapshot_id, c->now_ms + timeout_ms(&s.record));
	}
	if (in->progress.has) s.record.progress = str_fmt(c->arena, "%d%%", in->progress.v);
	if (later || in->progress.has) ec2_snapshot_put(ec2_here(c), &s.record);
	out->checksum = sum;
	out->checksum_algorithm = STR("SHA256");
	return OK;
}

/* ── CompleteSnapshot ── */

struct counting {
	struct ec2_blocks parent;
	const struct ebs_snapshot *s;
	struct buf sums; /* of the blocks' checksums, where they are wanted */
	bool wanted;
	int64_t n;
	status st;
};

static bool count_one(void *ctx, int64_t index, const struct ec2_rec_snapshot_block *r)
{
	struct counting *k = ctx;
	struct ec2_rec_snapshot_block old;
	struct str plain;
	uint8_t sum[32];
	if (str_has(k->parent.snapshot)) {
		status st = ec2_block_get(&k->parent, index, &old);
		if (is_ok(st) && old.blob.v == r->blob.v && !r->inlined.v && !old.inlined.v) return true;
		if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) k->st = st;
	}
	k->n++;
	if (!k->wanted || !is_ok(k->st)) return is_ok(k->st);
	struct arena_mark mark = arena_mark(k->s->blocks.at.a);
	k->st = ec2_block_read(&k->s->blocks, r, &plain);
	if (is_ok(k->st)) digest_sha256(plain, sum);
	arena_release(k->s->blocks.at.a, mark);
	if (is_ok(k->st)) buf_str(&k->sums, str_n(sum, sizeof(sum)));
	return is_ok(k->st);
}

/* "An aggregated Base-64 SHA256 checksum based on the checksums of each written block … in ascending order of their
 * block index, concatenating them, and then generating the checksum on the entire string using the SHA256 algorithm."
 */
static status check_sum(struct call *c, const struct ebs_complete_snapshot_input *in, struct counting *k)
{
	uint8_t sum[32];
	digest_sha256(str_n(k->sums.p, k->sums.n), sum);
	if (str_eq(in->checksum, str_base64(c->arena, str_n(sum, sizeof(sum))))) return OK;
	return EBS_INVALID(c, "INVALID_BLOCK", "The checksum is not that of the blocks that were written.");
}

status ebs_complete_snapshot(
	struct call *c, const struct ebs_complete_snapshot_input *in, struct ebs_complete_snapshot_output *out)
{
	struct ebs_snapshot s;
	TRY(ebs_find_open(c, in->snapshot_id, &s));
	struct counting k = {.parent = {.at = ec2_here(c), .snapshot = s.record.parent},
		.s = &s,
		.sums = BUF_HEAP,
		.wanted = str_has(in->checksum)};
	status st = ec2_blocks_each(&s.blocks, 0, count_one, &k);
	if (is_ok(st)) st = k.st;
	if (is_ok(st) && k.n != in->changed_blocks_count.v)
		st = EBS_INVALID(c, "INVALID_PARAMETER_VALUE", "%d blocks were told, and %lld were written.",
			in->changed_blocks_count.v, (long long)k.n);
	if (is_ok(st) && k.wanted) st = check_sum(c, in, &k);
	buf_cleanup(&k.sums);
	if (str_has(s.blocks.key)) vault_wipe(s.blocks.key);
	TRY(st);
	s.record.state = STR("completed");
	s.record.progress = STR("100%");
	s.record.completion_time = SOME_TIME(c->now_ms);
	ec2_snapshot_put(ec2_here(c), &s.record);
	out->status = STR("completed");
	return OK;
}
