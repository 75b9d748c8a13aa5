/* Recycle Bin's contents: snapshots, images and volumes that their owners deleted, until the end of the retention
 * period. What lies there is seen by no other operation: the record has moved to a kind of its own, and comes back as
 * it was. "Recover deleted resources from Recycle Bin", the EBS guide. */
#include "services/ec2/image.h"
#include "services/rbin/door.h"
#include "store/record.h"
#include "wire/shape.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)

/* ── kinds ── */

static status render_snapshot(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_recycled *r = item->record;
	struct ec2_snapshot_recycle_bin_info *out = to;
	struct ec2_rec_snapshot s = {0};
	TRY(ec2_rec_snapshot_decode(c->arena, r->record, &s));
	out->snapshot_id = s.snapshot_id;
	out->description = s.description;
	out->volume_id = s.volume_id;
	return OK;
}

static status render_image(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_recycled *r = item->record;
	struct ec2_image_recycle_bin_info *out = to;
	struct ec2_rec_image i = {0};
	struct ec2_image shape = {0};
	TRY(ec2_rec_image_decode(c->arena, r->record, &i));
	TRY(wire_shape_read(c->arena, &wire_service_ec2.tables, EC2_SHAPE_IMAGE, i.document, &shape));
	out->image_id = i.image_id;
	out->name = shape.name;
	out->description = shape.description;
	return OK;
}

static status render_volume(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_recycled *r = item->record;
	struct ec2_rec_volume v = {0};
	TRY(ec2_rec_volume_decode(c->arena, r->record, &v));
	ec2_show(c->arena, EC2_REC_VOLUME, &v, EC2_SHAPE_VOLUME_RECYCLE_BIN_INFO, to);
	return OK;
}

struct kind {
	const struct ec2_type *was;
	const char *rules; /* the rules' ResourceType */
	struct ec2_type type;
};
static const struct kind kinds[] = {
	{&ec2_type_snapshot, "EBS_SNAPSHOT",
		{.name = "recycled-snapshot",
			.prefix = "snap-",
			.absent = "The snapshot '@' does not exist.",
			.not_found = EC2_ERR_INVALID_SNAPSHOT_NOT_FOUND,
			.malformed = EC2_ERR_INVALID_SNAPSHOT_ID_MALFORMED,
			.record = EC2_REC_RECYCLED,
			.shape = EC2_SHAPE_SNAPSHOT_RECYCLE_BIN_INFO,
			.render = render_snapshot}},
	{&ec2_type_image, "EC2_IMAGE",
		{.name = "recycled-image",
			.prefix = "ami-",
			.absent = "The image id '[@]' does not exist",
			.not_found = EC2_ERR_INVALID_AMIID_NOT_FOUND,
			.malformed = EC2_ERR_INVALID_AMIID_MALFORMED,
			.record = EC2_REC_RECYCLED,
			.shape = EC2_SHAPE_IMAGE_RECYCLE_BIN_INFO,
			.render = render_image}},
	{&ec2_type_volume, "EBS_VOLUME",
		{.name = "recycled-volume",
			.prefix = "vol-",
			.absent = "The volume '@' does not exist.",
			.not_found = EC2_ERR_INVALID_VOLUME_NOT_FOUND,
			.malformed = EC2_ERR_INVALID_VOLUME_ID_MALFORMED,
			.record = EC2_REC_RECYCLED,
			.shape = EC2_SHAPE_VOLUME_RECYCLE_BIN_INFO,
			.render = render_volume}},
};
enum { SNAPSHOT, IMAGE, VOLUME, KINDS };
_Static_assert(sizeof(kinds) / sizeof(*kinds) == KINDS, "a kind each");

static const struct kind *kind_of(struct str id)
{
	for (size_t i = 0; i < KINDS; i++)
		if (str_starts(id, str_c(kinds[i].type.prefix))) return &kinds[i];
	UNREACHABLE();
}

/* ── in ── */

status ec2_recycle(struct call *c, const struct ec2_type *t, struct str id, const void *record, bool *kept)
{
	const struct kind *k = kind_of(id);
	struct ec2_tag_list tags;
	struct ec2_place at = ec2_here(c);
	int32_t days;
	INVARIANT(k->was == t);
	TRY(ec2_tags_get(at, id, &tags));
	struct rbin_pair *pairs = arena_new_n(c->arena, struct rbin_pair, tags.n);
	for (size_t i = 0; i < tags.n; i++) pairs[i] = (struct rbin_pair){tags.v[i].key, tags.v[i].value};
	TRY(rbin_retention(c->tx, c->arena,
		&(struct rbin_resource){c->account, c->region, str_c(k->rules), pairs, tags.n}, &days));
	*kept = days > 0;
	if (!*kept) return OK;
	struct ec2_rec_recycled r = {.record = record_encode(c->arena, &ec2_state_tables, t->record, record),
		.recycle_bin_enter_time = SOME_TIME(c->now_ms),
		.recycle_bin_exit_time = SOME_TIME(c->now_ms + days * DAY_MS)};
	size_t capacity = 0;
	for (size_t i = 0; i < tags.n; i++)
		*VEC_PUSH(c->arena, &r.tags, &capacity) = (struct ec2_rec_pairs_entry){tags.v[i].key, tags.v[i].value};
	ec2_drop(at, t, id);
	ec2_put(at, &k->type, id, &r);
	ec2_job_schedule(at, EC2_JOB_RECYCLE, id, r.recycle_bin_exit_time.ms);
	return OK;
}

status ec2_recycled(struct ec2_place at, struct str id, bool *yes)
{
	struct ec2_rec_recycled r;
	status s = ec2_load(at, &kind_of(id)->type, id, &r);
	*yes = is_ok(s);
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

/* ── out: back, or for good ── */

/* Reads what lies there, and takes it out of the bin. */
static status take_out(struct call *c, const struct kind *k, struct str id, struct ec2_rec_recycled *r, void *record)
{
	TRY(ec2_find(c, &k->type, id, r));
	TRY(record_decode(c->arena, &ec2_state_tables, k->was->record, r->record, record));
	ec2_drop(ec2_here(c), &k->type, id);
	ec2_job_cancel(ec2_here(c), EC2_JOB_RECYCLE, id);
	return OK;
}

static status put_back(
	struct call *c, const struct kind *k, struct str id, const struct ec2_rec_recycled *r, const void *record)
{
	struct ec2_tag_list tags = {0};
	size_t capacity = 0;
	bool system = c->system_tags;
	ec2_put(ec2_here(c), k->was, id, record);
	for (size_t i = 0; i < r->tags.n; i++)
		*VEC_PUSH(c->arena, &tags, &capacity) = (struct ec2_tag){r->tags.v[i].key, r->tags.v[i].value};
	c->system_tags = true; /* they were there */
	status s = ec2_tags_add(c, k->was, id, &tags);
	c->system_tags = system;
	return s;
}

status ec2_recycle_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct ec2_job j;
	struct ec2_rec_recycled r;
	TRY(ec2_job_read(tx, a, job, &j));
	const struct kind *k = kind_of(j.id);
	status s = ec2_load(j.at, &k->type, j.id, &r);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (r.recycle_bin_exit_time.ms > clock_now(cloud->clock)) {
		*again_ms = r.recycle_bin_exit_time.ms;
		return OK;
	}
	if (k == &kinds[SNAPSHOT]) {
		struct ec2_blocks b = {.at = j.at, .snapshot = j.id};
		TRY(ec2_blocks_drop(&b));
	} else if (k == &kinds[VOLUME]) {
		ec2_file_remove(cloud, a, ec2_volume_file(a, j.id));
	}
	ec2_drop(j.at, &k->type, j.id);
	return OK;
}

/* ── operations ── */

#define LIST(c, kind, in, in_ids, out, out_list)                                                                       \
	ec2_describe((c), &(struct ec2_describe){.type = &kinds[kind].type,                                            \
				  .ids = &(in)->in_ids,                                                                \
				  .max_results = (in)->max_results,                                                    \
				  .next_token = (in)->next_token,                                                      \
				  .out = &(out)->out_list,                                                             \
				  .next_out = &(out)->next_token})

status ec2_list_snapshots_in_recycle_bin(struct call *c, const struct ec2_list_snapshots_in_recycle_bin_input *in,
	struct ec2_list_snapshots_in_recycle_bin_output *out)
{
	return LIST(c, SNAPSHOT, in, snapshot_ids, out, snapshots);
}

status ec2_list_images_in_recycle_bin(struct call *c, const struct ec2_list_images_in_recycle_bin_input *in,
	struct ec2_list_images_in_recycle_bin_output *out)
{
	return LIST(c, IMAGE, in, image_ids, out, images);
}

status ec2_list_volumes_in_recycle_bin(struct call *c, const struct ec2_list_volumes_in_recycle_bin_input *in,
	struct ec2_list_volumes_in_recycle_bin_output *out)
{
	return LIST(c, VOLUME, in, volume_ids, out, volumes);
}

status ec2_restore_snapshot_from_recycle_bin(struct call *c,
	const struct ec2_restore_snapshot_from_recycle_bin_input *in,
	struct ec2_restore_snapshot_from_recycle_bin_output *out)
{
	struct ec2_rec_snapshot s = {0};
	struct ec2_rec_recycled r;
	TRY(take_out(c, &kinds[SNAPSHOT], in->snapshot_id, &r, &s));
	TRY(put_back(c, &kinds[SNAPSHOT], s.snapshot_id, &r, &s));
	ec2_share_index(ec2_here(c), s.snapshot_id, &s.permissions);
	ec2_show(c->arena, EC2_REC_SNAPSHOT, &s, EC2_SHAPE_RESTORE_SNAPSHOT_FROM_RECYCLE_BIN_RESULT, out);
	return OK;
}

status ec2_restore_image_from_recycle_bin(struct call *c, const struct ec2_restore_image_from_recycle_bin_input *in,
	struct ec2_restore_image_from_recycle_bin_output *out)
{
	struct ec2_rec_image i = {0};
	struct ec2_image shape = {0};
	struct ec2_rec_recycled r;
	TRY(take_out(c, &kinds[IMAGE], in->image_id, &r, &i));
	TRY(wire_shape_read(c->arena, &wire_service_ec2.tables, EC2_SHAPE_IMAGE, i.document, &shape));
	TRY(ec2_image_name_free(c, shape.name));
	TRY(put_back(c, &kinds[IMAGE], i.image_id, &r, &i));
	ec2_share_index(ec2_here(c), i.image_id, &i.permissions);
	out->return_ = SOME_BOOL(true);
	return OK;
}

status ec2_restore_volume_from_recycle_bin(struct call *c, const struct ec2_restore_volume_from_recycle_bin_input *in,
	struct ec2_restore_volume_from_recycle_bin_output *out)
{
	struct ec2_rec_volume v = {0};
	struct ec2_rec_recycled r;
	TRY(take_out(c, &kinds[VOLUME], in->volume_id, &r, &v));
	TRY(put_back(c, &kinds[VOLUME], v.volume_id, &r, &v));
	/* A modification that was under way goes on. */
	ec2_volume_poke(ec2_here(c), v.volume_id, c->now_ms);
	ec2_poke_jobs(c);
	out->return_ = SOME_BOOL(true);
	return OK;
}
