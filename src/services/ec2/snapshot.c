/* Snapshots: taken of volumes, described, deleted; the job that turns what was copied aside into blocks. */
#include "host/seal/sealed.h"
#include "services/ec2/machine.h"
#include "services/ec2/volume.h"
#include "vault/vault.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const char *const filters[] = {"description", "encrypted", "owner-alias", "owner-id", "progress", "snapshot-id",
	"start-time", "status=State", "storage-tier", "transfer-type", "volume-id", "volume-size", NULL};
const struct ec2_type ec2_type_snapshot = {.name = "snapshot",
	.prefix = "snap-",
	.absent = "The snapshot '@' does not exist.",
	.not_found = EC2_ERR_INVALID_SNAPSHOT_NOT_FOUND,
	.malformed = EC2_ERR_INVALID_SNAPSHOT_ID_MALFORMED,
	.record = EC2_REC_SNAPSHOT,
	.shape = EC2_SHAPE_SNAPSHOT,
	.filters = filters};

void ec2_snapshot_put(struct ec2_place at, const struct ec2_rec_snapshot *s)
{
	ec2_put(at, &ec2_type_snapshot, s->snapshot_id, s);
}

void ec2_snapshot_poke(struct ec2_place at, struct str id, int64_t now_ms)
{
	ec2_job_schedule(at, EC2_JOB_SNAPSHOT, id, now_ms);
}

status ec2_snapshot_usable(
	struct call *c, struct str region, struct str id, struct ec2_rec_snapshot *out, struct str *owner)
{
	struct ec2_place at = ec2_here(c);
	at.region = region;
	TRY(ec2_check_id(c, &ec2_type_snapshot, id));
	status s = ec2_load(at, &ec2_type_snapshot, id, out);
	*owner = c->account;
	if (status_is(s, STATUS_NOT_FOUND)) {
		s = ec2_share_owner(at, id, owner);
		if (is_ok(s)) {
			at.account = str_dup(c->arena, *owner);
			s = ec2_load(at, &ec2_type_snapshot, id, out);
		}
		if (is_ok(s) && !ec2_permitted(&out->permissions, c->account)) s = STATUS(NOT_FOUND);
	}
	return status_is(s, STATUS_NOT_FOUND) ? ec2_absent(c, &ec2_type_snapshot, id) : s;
}

/* ── taking ── */

/* The newest one of the same volume and data key: most of its blocks will be as they were. */
static status parent_of(struct call *c, const struct ec2_rec_volume *v, struct str *parent)
{
	int64_t newest = INT64_MIN;
	struct ec2_each e = ec2_each(ec2_here(c), &ec2_type_snapshot);
	*parent = STR_NONE;
	while (ec2_next(&e)) {
		const struct ec2_rec_snapshot *s = e.item.record;
		if (!str_eq(s->volume_id, v->volume_id) || !str_is(s->state, "completed")) continue;
		if (!str_eq(s->data_key, v->data_key) || s->start_time.ms < newest) continue;
		newest = s->start_time.ms;
		*parent = s->snapshot_id;
	}
	return ec2_each_end(&e);
}

status ec2_snapshot_take(
	struct call *c, const struct ec2_rec_volume *v, struct str description, struct ec2_rec_snapshot *out)
{
	if (str_is(v->state, "creating") || str_is(v->state, "deleting") || str_is(v->state, "error"))
		return call_fail(c, EC2_ERR_INCORRECT_STATE,
			"Snapshot of volume '%.*s' in state '%.*s' cannot be taken.", STR_ARG(v->volume_id),
			STR_ARG(v->state));
	*out = (struct ec2_rec_snapshot){.snapshot_id = ec2_new_id(c->arena, ec2_type_snapshot.prefix),
		.volume_id = v->volume_id,
		.state = STR("pending"),
		.start_time = SOME_TIME(c->now_ms),
		.progress = STR("0%"),
		.owner_id = c->account,
		.description = str_or(description, STR("")),
		.volume_size = v->size,
		.encrypted = SOME_BOOL(v->encrypted.v),
		.kms_key_id = v->kms_key_id,
		.storage_tier = STR("standard"),
		.sealed = v->sealed,
		.data_key = v->data_key,
		.data_key_id = v->data_key_id,
		.base = v->base};
	if (v->encrypted.v) {
		struct kms_use u = kms_use_of(c);
		struct kms_refusal why;
		struct str plain;
		status s = ec2_crypt_open(&u, v->data_key, v->data_key_id, &plain, &why);
		if (!is_ok(s)) return ec2_crypt_refused(c, s, &why);
		vault_wipe(plain);
	}
	TRY(parent_of(c, v, &out->parent));
	/* Machines that have it hold still while it is copied, with what they had not written yet. */
	for (size_t i = 0; i < v->attachments.n; i++)
		ec2_machine_pause(c->cloud, c->arena, v->attachments.v[i].instance_id, true);
	status s = ec2_file_copy(c->cloud, c->arena, ec2_volume_file(c->arena, v->volume_id),
		ec2_snapshot_file(c->arena, out->snapshot_id));
	for (size_t i = 0; i < v->attachments.n; i++)
		ec2_machine_pause(c->cloud, c->arena, v->attachments.v[i].instance_id, false);
	/* No file: nothing was ever written. */
	if (status_is(s, STATUS_NOT_FOUND))
		s = ec2_file_make(c->cloud, c->arena, ec2_snapshot_file(c->arena, out->snapshot_id), 0);
	TRY(s);
	ec2_snapshot_put(ec2_here(c), out);
	ec2_snapshot_poke(ec2_here(c), out->snapshot_id, c->now_ms);
	ec2_poke_jobs(c);
	return OK;
}

static const struct ec2_type *const taggable[] = {&ec2_type_snapshot};

status ec2_create_snapshot(
	struct call *c, const struct ec2_create_snapshot_input *in, struct ec2_create_snapshot_output *out)
{
	struct ec2_rec_volume v;
	struct ec2_rec_snapshot s;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	TRY(ec2_find(c, &ec2_type_volume, in->volume_id, &v));
	TRY(ec2_snapshot_take(c, &v, in->description, &s));
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_snapshot, s.snapshot_id));
	return ec2_describe_one(c, &ec2_type_snapshot, s.snapshot_id, out);
}

status ec2_create_snapshots(
	struct call *c, const struct ec2_create_snapshots_input *in, struct ec2_create_snapshots_output *out)
{
	struct ec2_rec_instance i;
	size_t capacity = 0;
	const struct ec2_instance_specification *spec = in->instance_specification;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (!spec || str_empty(spec->instance_id))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"The request must contain the parameter InstanceSpecification.InstanceId");
	TRY(ec2_find(c, &ec2_type_instance, spec->instance_id, &i));
	for (size_t k = 0; k < i.volumes.n; k++) {
		struct ec2_rec_volume v;
		struct ec2_rec_snapshot s;
		struct ec2_snapshot shown = {0};
		struct ec2_tag_list tags;
		if (k == 0 && spec->exclude_boot_volume.v) continue;
		if (ec2_listed(&spec->exclude_data_volume_ids, i.volumes.v[k].id)) continue;
		TRY(ec2_find(c, &ec2_type_volume, i.volumes.v[k].id, &v));
		TRY(ec2_snapshot_take(c, &v, in->description, &s));
		TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_snapshot, s.snapshot_id));
		if (str_is(in->copy_tags_from_source, "volume")) {
			TRY(ec2_tags_get(ec2_here(c), v.volume_id, &tags));
			TRY(ec2_tags_add(c, &ec2_type_snapshot, s.snapshot_id, &tags));
		}
		TRY(ec2_describe_one(c, &ec2_type_snapshot, s.snapshot_id, &shown));
		struct ec2_snapshot_info *info = VEC_PUSH(c->arena, &out->snapshots, &capacity);
		ec2_copy(c->arena, &wire_service_ec2.tables, EC2_SHAPE_SNAPSHOT, &shown, &wire_service_ec2.tables,
			EC2_SHAPE_SNAPSHOT_INFO, info);
	}
	return OK;
}

/* ── the job ── */

/* Blocks in one run: a transaction of a size that others do not wait for. */
enum { BLOCKS_AT_ONCE = 256 };

static bool is_zero(const char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static status data_key(struct cloud *cloud, struct ec2_place at, const struct ec2_rec_snapshot *s, struct str *key,
	struct kms_refusal *why)
{
	*key = STR_NONE;
	if (!s->encrypted.v) return OK;
	struct kms_use u = ec2_kms_use(cloud, at);
	return ec2_crypt_open(&u, s->data_key, s->data_key_id, key, why);
}

static status one_block(struct cloud *cloud, const struct ec2_blocks *b, const struct ec2_blocks *parent, int64_t index,
	struct str plain)
{
	struct ec2_rec_snapshot_block old;
	if (str_has(parent->snapshot)) {
		status s = ec2_block_get(parent, index, &old);
		if (is_ok(s) && str_eq(old.digest, ec2_block_digest(b, plain))) return ec2_block_share(b, index, &old);
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	}
	return ec2_block_write(b, cloud, index, plain);
}

/* From block *index on, as many as one run may; *index is -1 when all is done. */
static status take_some(struct cloud *cloud, const struct ec2_blocks *b, const struct ec2_blocks *parent,
	const struct sealed *sealed, int fd, int64_t *index)
{
	char *buffer = arena_alloc_raw(b->at.a, EC2_BLOCK_BYTES);
	for (unsigned n = 0; n < BLOCKS_AT_ONCE; n++, ++*index) {
		off_t data = lseek(fd, (off_t)*index * EC2_BLOCK_BYTES, SEEK_DATA);
		if (data < 0) {
			*index = -1;
			return errno == ENXIO ? OK : STATUS(IO);
		}
		*index = data / EC2_BLOCK_BYTES;
		TRY(sealed_read_at(sealed, fd, (uint64_t)*index * EC2_BLOCK_BYTES, buffer, EC2_BLOCK_BYTES));
		if (!is_zero(buffer, EC2_BLOCK_BYTES))
			TRY(one_block(cloud, b, parent, *index, str_n(buffer, EC2_BLOCK_BYTES)));
	}
	return OK;
}

static void complete(struct ec2_place at, struct ec2_rec_snapshot *s, int64_t now_ms)
{
	s->state = STR("completed");
	s->progress = STR("100%");
	s->completion_time = SOME_TIME(now_ms);
	s->bytes = (struct opt_i64){0};
	ec2_snapshot_put(at, s);
}

static status copy_across(struct cloud *cloud, struct ec2_place at, const struct ec2_blocks *to, struct str source);

status ec2_snapshot_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct ec2_job j;
	struct ec2_rec_snapshot s;
	struct kms_refusal why;
	int64_t now = clock_now(cloud->clock);
	TRY(ec2_job_read(tx, a, job, &j));
	status st = ec2_load(j.at, &ec2_type_snapshot, j.id, &s);
	if (status_is(st, STATUS_NOT_FOUND)) {
		ec2_file_remove(cloud, a, ec2_snapshot_file(a, j.id));
		return OK;
	}
	TRY(st);
	if (s.restore_expiry.has && s.restore_expiry.ms <= now && str_is(s.state, "completed")) {
		s.storage_tier = STR("archive");
		s.restore_expiry.has = false;
		ec2_snapshot_put(j.at, &s);
	}
	if (!str_is(s.state, "pending")) {
		ec2_file_remove(cloud, a, ec2_snapshot_file(a, j.id));
		return OK;
	}
	/* One that clients write has its job at its end only: "the snapshot is automatically cancelled"
	 * (StartSnapshot). */
	if (s.direct.v) {
		s.state = STR("error");
		s.state_message = STR("The snapshot was not completed in time.");
		ec2_snapshot_put(j.at, &s);
		return OK;
	}
	if (s.refused.v) {
		s.state = STR("error");
		s.state_message = STR("Given key ID is not accessible");
		ec2_snapshot_put(j.at, &s);
		return OK;
	}
	struct ec2_blocks b = {.at = j.at, .snapshot = j.id}, parent = {.at = j.at, .snapshot = s.parent};
	st = data_key(cloud, j.at, &s, &b.key, &why);
	if (status_is(st, STATUS_FAILED)) {
		s.state = STR("error");
		s.state_message = why.message;
		ec2_snapshot_put(j.at, &s);
		return OK;
	}
	TRY(st);
	parent.key = b.key;
	if (str_has(s.source)) {
		TRY(copy_across(cloud, j.at, &b, s.source));
		complete(j.at, &s, now);
		return OK;
	}
	int fd = open(ec2_file_path(cloud, a, ec2_snapshot_file(a, j.id)), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		s.state = STR("error");
		s.state_message = STR("The copy of the volume is lost.");
		ec2_snapshot_put(j.at, &s);
		return OK;
	}
	int64_t index = s.bytes.v / EC2_BLOCK_BYTES;
	struct sealed *sealed = NULL;
	if (s.sealed.v) {
		struct str file_key = sealed_key(a, b.key, s.volume_id);
		sealed = sealed_new(file_key);
		vault_wipe(file_key);
	}
	st = take_some(cloud, &b, &parent, sealed, fd, &index);
	sealed_free(sealed);
	off_t size = lseek(fd, 0, SEEK_END);
	close(fd);
	if (str_has(b.key)) vault_wipe(b.key);
	TRY(st);
	if (index < 0) {
		/* The copy goes in the next run: this one may have to be made again, when another transaction wins. */
		complete(j.at, &s, now);
		*again_ms = now;
		return OK;
	}
	/* Where to go on is kept in `bytes` until it is complete. */
	s.bytes = SOME_I64(index * EC2_BLOCK_BYTES);
	s.progress = str_fmt(a, "%d%%", size > 0 ? (int)(100 * s.bytes.v / size) : 0);
	ec2_snapshot_put(j.at, &s);
	*again_ms = now;
	return OK;
}

/* ── copies ── */

struct across {
	struct cloud *cloud;
	const struct ec2_blocks *from, *to;
	bool same_key;
	status s;
};

static bool across_one(void *ctx, int64_t index, const struct ec2_rec_snapshot_block *r)
{
	struct across *k = ctx;
	struct str plain;
	if (k->same_key) {
		k->s = ec2_block_share(k->to, index, r);
		return is_ok(k->s);
	}
	k->s = ec2_block_read(k->from, r, &plain);
	if (is_ok(k->s)) k->s = ec2_block_write(k->to, k->cloud, index, plain);
	return is_ok(k->s);
}

static status copy_across(struct cloud *cloud, struct ec2_place at, const struct ec2_blocks *to, struct str source)
{
	struct ec2_blocks from = {.at = at};
	struct ec2_rec_snapshot s;
	struct kms_refusal why;
	from.at.account = str_cut(&source, '/');
	from.at.region = str_cut(&source, '/');
	from.snapshot = source;
	status st = ec2_load(from.at, &ec2_type_snapshot, source, &s);
	if (status_is(st, STATUS_NOT_FOUND)) return OK;
	TRY(st);
	st = data_key(cloud, from.at, &s, &from.key, &why);
	if (status_is(st, STATUS_FAILED)) return STATUS(IO);
	TRY(st);
	struct across k = {cloud, &from, to, !str_has(from.key) && !str_has(to->key), OK};
	TRY(ec2_blocks_each(&from, 0, across_one, &k));
	return k.s;
}

status ec2_snapshot_copy(struct call *c, const struct ec2_copy_snapshot_input *in, struct str owner,
	struct ec2_copy_snapshot_output *out)
{
	struct ec2_rec_snapshot from, to;
	struct ec2_rec_settings settings;
	struct ec2_place at = ec2_here(c);
	at.account = owner;
	at.region = in->source_region;
	status s = ec2_load(at, &ec2_type_snapshot, in->source_snapshot_id, &from);
	if (status_is(s, STATUS_NOT_FOUND)) return ec2_absent(c, &ec2_type_snapshot, in->source_snapshot_id);
	TRY(s);
	if (!str_is(from.state, "completed"))
		return call_fail(
			c, EC2_ERR_INCORRECT_STATE, "Snapshot '%.*s' is not 'completed'.", STR_ARG(from.snapshot_id));
	TRY(ec2_settings_get(ec2_here(c), &settings));
	to = (struct ec2_rec_snapshot){.snapshot_id = ec2_new_id(c->arena, ec2_type_snapshot.prefix),
		.volume_id = STR("vol-ffffffff"), /* "The arbitrary ID should not be used for any purpose" */
		.state = STR("pending"),
		.start_time = SOME_TIME(c->now_ms),
		.progress = STR("0%"),
		.owner_id = c->account,
		.description = str_or(in->description, STR("")),
		.volume_size = from.volume_size,
		.storage_tier = STR("standard"),
		.base = from.base,
		.source = str_fmt(c->arena, "%.*s/%.*s/%.*s", STR_ARG(owner), STR_ARG(in->source_region),
			STR_ARG(from.snapshot_id))};
	bool encrypt = from.encrypted.v || in->encrypted.v || settings.encrypt.v;
	to.encrypted = SOME_BOOL(encrypt);
	if (str_has(in->kms_key_id) && !encrypt)
		return call_fail(c, EC2_ERR_INVALID_PARAMETER_DEPENDENCY,
			"The parameter KmsKeyId requires the parameter Encrypted to be set.");
	if (encrypt) {
		to.data_key_id = to.snapshot_id;
		TRY(ec2_crypt_new(c, in->kms_key_id, to.data_key_id, &to.kms_key_id, &to.data_key));
		if (!ec2_key_may(c, to.kms_key_id, to.data_key_id, EC2_KEY_MAKE | EC2_KEY_GRANT) ||
			(from.encrypted.v && !ec2_key_may(c, from.kms_key_id, from.data_key_id, EC2_KEY_READ)))
			to.refused = SOME_BOOL(true);
	}
	ec2_snapshot_put(ec2_here(c), &to);
	TRY(ec2_tags_specified(c, &in->tag_specifications, &ec2_type_snapshot, to.snapshot_id));
	ec2_snapshot_poke(ec2_here(c), to.snapshot_id, c->now_ms);
	ec2_poke_jobs(c);
	out->snapshot_id = to.snapshot_id;
	return ec2_tags_get(ec2_here(c), to.snapshot_id, &out->tags);
}

status ec2_copy_snapshot(struct call *c, const struct ec2_copy_snapshot_input *in, struct ec2_copy_snapshot_output *out)
{
	struct ec2_rec_snapshot from;
	struct str owner;
	TRY(ec2_specified_only(c, &in->tag_specifications, taggable, 1));
	if (str_empty(in->source_region))
		return call_fail(c, EC2_ERR_MISSING_PARAMETER, "The request must contain the parameter SourceRegion");
	TRY(ec2_snapshot_usable(c, in->source_region, in->source_snapshot_id, &from, &owner));
	return ec2_snapshot_copy(c, in, owner, out);
}
