/* Layers: uploaded in parts, put together and checked by their digest ("InitiateLayerUpload … CompleteLayerUpload"). */
#include "base/rand.h"
#include "identity/digest.h"
#include "services/ecr/room.h"

enum { PART_SIZE = 20 * 1024 * 1024, CHUNK = 256 * 1024 };

static status load_upload(struct call *c, const struct ecr_rec_repository *r, struct str id, struct ecr_rec_upload *out)
{
	struct str bytes;
	status s = store_get(c->tx, ecr_key(c->arena, "upload", r, id), &bytes);
	if (status_is(s, STATUS_NOT_FOUND))
		return ECR_FAIL(c, UPLOAD_NOT_FOUND,
			"The upload with id '%.*s' could not be found in repository '%.*s' in registry '%.*s'",
			STR_ARG(id), STR_ARG(r->name), STR_ARG(r->account));
	TRY(s);
	*out = (struct ecr_rec_upload){0};
	return ecr_rec_upload_decode(c->arena, bytes, out);
}

static void put_upload(struct call *c, const struct ecr_rec_repository *r, const struct ecr_rec_upload *u)
{
	store_put(c->tx, ecr_key(c->arena, "upload", r, u->id), ecr_rec_upload_encode(c->arena, u));
}

/* ("part", …, upload, first byte) */
static struct key part_key(struct call *c, const struct ecr_rec_repository *r, struct str upload)
{
	struct key k = key_begin(c->arena);
	key_append(&k, ecr_key(c->arena, "part", r, upload));
	return k;
}

status ecr_initiate_layer_upload(
	struct call *c, const struct ecr_initiate_layer_upload_input *in, struct ecr_initiate_layer_upload_output *out)
{
	struct ecr_rec_repository r;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	struct ecr_rec_upload u = {.id = rand_uuid(c->arena), .received = SOME_I64(0), .began = SOME_TIME(c->now_ms)};
	put_upload(c, &r, &u);
	out->upload_id = u.id;
	out->part_size = SOME_I64(PART_SIZE);
	return OK;
}

static void free_writer(void *w)
{
	blob_writer_free(w);
}

/* Bytes become a blob of this transaction. */
static status keep(struct call *c, struct blob_writer *w, struct str digest, struct ecr_rec_layer *out)
{
	struct blob_ref ref;
	TRY(blob_seal(w, &ref));
	blob_adopt(c->tx, w);
	*out = (struct ecr_rec_layer){.digest = digest,
		.blob = SOME_I64((int64_t)ref.id),
		.size = SOME_I64((int64_t)ref.size),
		.inlined = SOME_BOOL(ref.inlined)};
	return OK;
}

status ecr_upload_layer_part(
	struct call *c, const struct ecr_upload_layer_part_input *in, struct ecr_upload_layer_part_output *out)
{
	struct ecr_rec_repository r;
	struct ecr_rec_upload u;
	struct ecr_rec_layer part;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	TRY(load_upload(c, &r, in->upload_id, &u));
	if (in->part_first_byte.v != u.received.v || in->part_last_byte.v < in->part_first_byte.v ||
		in->part_last_byte.v - in->part_first_byte.v + 1 != (int64_t)in->layer_part_blob.n)
		return ECR_FAIL(c, INVALID_LAYER_PART,
			"Layer part does not begin with the next byte: expected %lld, and as many bytes as it says",
			(long long)u.received.v);
	struct blob_writer *w = blob_writer_new(c->cloud->store, in->layer_part_blob.n);
	call_at_end(c, free_writer, w);
	TRY(blob_write(w, in->layer_part_blob.p, in->layer_part_blob.n));
	TRY(keep(c, w, STR(""), &part));
	struct key k = part_key(c, &r, u.id);
	key_i64(&k, in->part_first_byte.v);
	store_put(c->tx, key_done(&k), ecr_rec_layer_encode(c->arena, &part));
	u.received = SOME_I64(in->part_last_byte.v + 1);
	put_upload(c, &r, &u);
	out->registry_id = r.account;
	out->repository_name = r.name;
	out->upload_id = u.id;
	out->last_byte_received = in->part_last_byte;
	return OK;
}

static struct blob_ref ref_of(const struct ecr_rec_layer *l)
{
	return (struct blob_ref){(uint64_t)l->blob.v, (uint64_t)l->size.v, l->inlined.v};
}

static status copy_part(struct call *c, const struct ecr_rec_layer *part, struct blob_writer *w, struct digester *d)
{
	struct blob *b;
	char *chunk = arena_alloc(c->arena, CHUNK);
	size_t got = 0;
	TRY(blob_open(c->tx, ref_of(part), &b));
	status s = OK;
	for (uint64_t at = 0; is_ok(s) && at < (uint64_t)part->size.v; at += got) {
		s = blob_read(b, at, chunk, CHUNK, &got);
		if (is_ok(s) && !got) s = STATUS(CORRUPT);
		if (is_ok(s)) digester_update(d, chunk, got);
		if (is_ok(s)) s = blob_write(w, chunk, got);
	}
	blob_close(b);
	return s;
}

struct parts {
	struct ecr_rec_layer *v;
	size_t n;
};

static status load_parts(struct call *c, const struct ecr_rec_repository *r, struct str upload, struct parts *parts,
	struct ecr_rec_texts *keys)
{
	struct key k = part_key(c, r, upload);
	struct str from = key_done(&k), key, value;
	size_t capacity = 0, key_capacity = 0;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) {
		TRY(ecr_rec_layer_decode(c->arena, str_dup(c->arena, value), VEC_PUSH(c->arena, parts, &capacity)));
		*VEC_PUSH(c->arena, keys, &key_capacity) = str_dup(c->arena, key);
	}
	return store_scan_end(scan);
}

status ecr_complete_layer_upload(
	struct call *c, const struct ecr_complete_layer_upload_input *in, struct ecr_complete_layer_upload_output *out)
{
	struct arena *a = c->arena;
	struct ecr_rec_repository r;
	struct ecr_rec_upload u;
	struct ecr_rec_layer layer;
	struct parts parts = {0};
	struct ecr_rec_texts keys = {0};
	struct digests sums;
	struct str bytes;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	TRY(load_upload(c, &r, in->upload_id, &u));
	TRY(load_parts(c, &r, u.id, &parts, &keys));
	if (!parts.n) return ECR_FAIL(c, EMPTY_UPLOAD, "The upload with id '%.*s' has no layer parts", STR_ARG(u.id));
	struct blob_writer *w = blob_writer_new(c->cloud->store, (uint64_t)u.received.v);
	call_at_end(c, free_writer, w);
	struct digester *d = digester_new(DIGEST_SHA256);
	status s = OK;
	for (size_t i = 0; i < parts.n && is_ok(s); i++) s = copy_part(c, &parts.v[i], w, d);
	digester_final(d, &sums);
	digester_free(d);
	TRY(s);
	struct str digest = str_cat(a, STR("sha256:"), str_hex(a, str_n(sums.sha256, sizeof(sums.sha256))));
	const struct ecr_rec_texts given = {in->layer_digests.v, in->layer_digests.n};
	if (!ecr_has_text(&given, digest))
		return ECR_FAIL(c, INVALID_LAYER, "Layer digest '%.*s' does not match that of the parts, '%.*s'",
			STR_ARG(given.v[0]), STR_ARG(digest));
	status there = store_get(c->tx, ecr_key(a, "layer", &r, digest), &bytes);
	if (is_ok(there))
		return ECR_FAIL(c, LAYER_ALREADY_EXISTS, "Layer with digest '%.*s' already exists in the repository",
			STR_ARG(digest));
	if (!status_is(there, STATUS_NOT_FOUND)) return there;
	TRY(keep(c, w, digest, &layer));
	store_put(c->tx, ecr_key(a, "layer", &r, digest), ecr_rec_layer_encode(a, &layer));
	for (size_t i = 0; i < parts.n; i++) {
		TRY(blob_release(c->tx, ref_of(&parts.v[i])));
		store_delete(c->tx, keys.v[i]);
	}
	store_delete(c->tx, ecr_key(a, "upload", &r, u.id));
	out->registry_id = r.account;
	out->repository_name = r.name;
	out->upload_id = u.id;
	out->layer_digest = digest;
	return OK;
}

status ecr_batch_check_layer_availability(struct call *c, const struct ecr_batch_check_layer_availability_input *in,
	struct ecr_batch_check_layer_availability_output *out)
{
	struct ecr_rec_repository r;
	size_t capacity = 0;
	TRY(ecr_repository_load(c, in->registry_id, in->repository_name, &r));
	VEC_PRESENT(c->arena, &out->layers);
	VEC_PRESENT(c->arena, &out->failures);
	for (size_t i = 0; i < in->layer_digests.n; i++) {
		struct ecr_layer *l = VEC_PUSH(c->arena, &out->layers, &capacity);
		struct ecr_rec_layer rec = {0};
		struct str bytes;
		*l = (struct ecr_layer){
			.layer_digest = in->layer_digests.v[i], .layer_availability = STR("UNAVAILABLE")};
		status s = store_get(c->tx, ecr_key(c->arena, "layer", &r, in->layer_digests.v[i]), &bytes);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		TRY(ecr_rec_layer_decode(c->arena, bytes, &rec));
		l->layer_availability = STR("AVAILABLE");
		l->layer_size = rec.size;
		l->media_type = STR("application/vnd.docker.image.rootfs.diff.tar.gzip");
	}
	return OK;
}
