/* Reading snapshots: ListSnapshotBlocks, ListChangedBlocks, GetSnapshotBlock. */
#include "call/body.h"
#include "services/ebs/room.h"
#include "vault/vault.h"

#define TOKEN_LIFE_MS ((int64_t)7 * 24 * 3600 * 1000) /* "block tokens expire after seven days" */
enum { PAGE = 10000, DIGEST = 24 };

/* ── tokens ── when it ends, and a digest of what it stands for. */

static struct str token_at(
	struct arena *a, struct str snapshot, int64_t index, const struct ec2_rec_snapshot_block *r, int64_t ends_ms)
{
	uint8_t sum[32], out[8 + DIGEST];
	struct str text = str_fmt(a, "%.*s/%lld/%lld/%.*s", STR_ARG(snapshot), (long long)index, (long long)ends_ms,
		STR_ARG(str_hex(a, r->digest)));
	digest_sha256(text, sum);
	for (unsigned i = 0; i < 8; i++) out[i] = (uint8_t)((uint64_t)ends_ms >> (56 - 8 * i));
	memcpy(out + 8, sum, DIGEST);
	return str_base64(a, str_n(out, sizeof(out)));
}

static bool token_holds(
	struct call *c, struct str token, struct str snapshot, int64_t index, const struct ec2_rec_snapshot_block *r)
{
	struct str bytes;
	uint64_t ends = 0;
	if (!is_ok(str_unbase64(c->arena, token, &bytes)) || bytes.n != 8 + DIGEST) return false;
	for (unsigned i = 0; i < 8; i++) ends = ends << 8 | (uint8_t)bytes.p[i];
	return (int64_t)ends > c->now_ms && str_eq(token, token_at(c->arena, snapshot, index, r, (int64_t)ends));
}

/* ── lists ── */

struct listed {
	int64_t *index;
	struct ec2_rec_snapshot_block *block;
	size_t n, capacity, capacity2;
	struct arena *a;
	size_t max;
};

static bool list_one(void *ctx, int64_t index, const struct ec2_rec_snapshot_block *r)
{
	struct listed *l = ctx;
	if (l->n == l->max) return false;
	struct {
		int64_t *v;
		size_t n;
	} indexes = {l->index, l->n};
	struct {
		struct ec2_rec_snapshot_block *v;
		size_t n;
	} blocks = {l->block, l->n};
	*VEC_PUSH(l->a, &indexes, &l->capacity) = index;
	*VEC_PUSH(l->a, &blocks, &l->capacity2) = *r;
	l->index = indexes.v;
	l->block = blocks.v;
	l->n++;
	return true;
}

/* Where a page begins: the token, else the index that was asked for. */
static status page_start(struct call *c, struct str token, struct opt_i32 start, int64_t *first)
{
	struct str text;
	*first = start.v;
	if (str_empty(token)) return OK;
	if (is_ok(str_unbase64(c->arena, token, &text)) && is_ok(str_to_i64(text, first)) && *first >= 0) return OK;
	return EBS_INVALID(c, "INVALID_PAGE_TOKEN", "The page token is invalid.");
}

static struct str page_token(struct call *c, int64_t next)
{
	return str_base64(c->arena, str_fmt(c->arena, "%lld", (long long)next));
}

status ebs_list_snapshot_blocks(
	struct call *c, const struct ebs_list_snapshot_blocks_input *in, struct ebs_list_snapshot_blocks_output *out)
{
	struct ebs_snapshot s;
	int64_t first, ends = c->now_ms + TOKEN_LIFE_MS;
	size_t max = (size_t)(in->max_results.has ? in->max_results.v : PAGE), capacity = 0;
	TRY(page_start(c, in->next_token, in->starting_block_index, &first));
	TRY(ebs_find(c, in->snapshot_id, &s));
	if (str_has(s.blocks.key)) vault_wipe(s.blocks.key);
	struct listed l = {.a = c->arena, .max = max + 1};
	TRY(ec2_blocks_each(&s.blocks, first, list_one, &l));
	VEC_PRESENT(c->arena, &out->blocks);
	for (size_t i = 0; i < l.n && i < max; i++)
		*VEC_PUSH(c->arena, &out->blocks, &capacity) = (struct ebs_block){SOME_I32((int32_t)l.index[i]),
			token_at(c->arena, in->snapshot_id, l.index[i], &l.block[i], ends)};
	if (l.n > max) out->next_token = page_token(c, l.index[max]);
	out->expiry_time = SOME_TIME(ends);
	out->volume_size = SOME_I64(s.record.volume_size.v);
	out->block_size = SOME_I32(EC2_BLOCK_BYTES);
	return OK;
}

status ebs_list_changed_blocks(
	struct call *c, const struct ebs_list_changed_blocks_input *in, struct ebs_list_changed_blocks_output *out)
{
	struct ebs_snapshot one = {0}, two;
	int64_t first, ends = c->now_ms + TOKEN_LIFE_MS;
	size_t max = (size_t)(in->max_results.has ? in->max_results.v : PAGE), capacity = 0;
	struct listed x = {.a = c->arena, .max = SIZE_MAX}, y = x;
	bool has_one = str_has(in->first_snapshot_id);
	TRY(page_start(c, in->next_token, in->starting_block_index, &first));
	TRY(ebs_find(c, in->second_snapshot_id, &two));
	if (has_one) {
		TRY(ebs_find(c, in->first_snapshot_id, &one));
		if (!str_eq(one.record.volume_id, two.record.volume_id) ||
			!str_eq(one.record.data_key, two.record.data_key))
			return EBS_INVALID(c, "UNRELATED_SNAPSHOTS", "The snapshots are not of the same volume.");
		TRY(ec2_blocks_each(&one.blocks, first, list_one, &x));
	}
	TRY(ec2_blocks_each(&two.blocks, first, list_one, &y));
	VEC_PRESENT(c->arena, &out->changed_blocks);
	for (size_t i = 0, k = 0; i < x.n || k < y.n;) {
		bool in_x = i < x.n && (k == y.n || x.index[i] <= y.index[k]),
		     in_y = k < y.n && (i == x.n || y.index[k] <= x.index[i]);
		int64_t index = in_x ? x.index[i] : y.index[k];
		if (!in_x || !in_y || !str_eq(x.block[i].digest, y.block[k].digest)) {
			if (out->changed_blocks.n == max) {
				out->next_token = page_token(c, index);
				break;
			}
			*VEC_PUSH(c->arena, &out->changed_blocks, &capacity) = (struct ebs_changed_block){
				.block_index = SOME_I32((int32_t)index),
				.first_block_token =
					in_x ? token_at(c->arena, in->first_snapshot_id, index, &x.block[i], ends)
					     : STR_NONE,
				.second_block_token =
					in_y ? token_at(c->arena, in->second_snapshot_id, index, &y.block[k], ends)
					     : STR_NONE};
		}
		i += in_x;
		k += in_y;
	}
	out->expiry_time = SOME_TIME(ends);
	out->volume_size = SOME_I64(two.record.volume_size.v);
	out->block_size = SOME_I32(EC2_BLOCK_BYTES);
	return OK;
}

/* ── GetSnapshotBlock ── */

status ebs_get_snapshot_block(
	struct call *c, const struct ebs_get_snapshot_block_input *in, struct ebs_get_snapshot_block_output *out)
{
	struct ebs_snapshot s;
	struct ec2_rec_snapshot_block r;
	struct str plain;
	uint8_t sum[32];
	TRY(ebs_find(c, in->snapshot_id, &s));
	status st = ec2_block_get(&s.blocks, in->block_index.v, &r);
	if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
	if (!is_ok(st) || !token_holds(c, in->block_token, in->snapshot_id, in->block_index.v, &r))
		return EBS_INVALID(c, "INVALID_BLOCK_TOKEN", "The block token is invalid, or has expired.");
	st = ec2_block_read(&s.blocks, &r, &plain);
	if (str_has(s.blocks.key)) vault_wipe(s.blocks.key);
	TRY(st);
	digest_sha256(plain, sum);
	out->data_length = SOME_I32((int32_t)plain.n);
	out->checksum = str_base64(c->arena, str_n(sum, sizeof(sum)));
	out->checksum_algorithm = STR("SHA256");
	out->block_data = arena_new(c->arena, struct body);
	*out->block_data = (struct body){.size = plain.n, .bytes = plain};
	return OK;
}
