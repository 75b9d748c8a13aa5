/* The blocks of snapshots. A snapshot's map is whole: restoring reads one map, and deleting one frees just what no
 * other snapshot has. Blocks of zeros are not in it. */
#include "host/seal/sealed.h"
#include "services/ec2/volume.h"
#include "store/blob.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

static struct str key_of(const struct ec2_blocks *b, int64_t index)
{
	struct key k = key_for(b->at.a, STR("ec2"), STR("snapshot-block"), b->at.account, b->at.region);
	key_str(&k, b->snapshot);
	if (index >= 0) key_u64(&k, (uint64_t)index);
	return key_done(&k);
}

struct blob_ref ec2_block_ref(const struct ec2_rec_snapshot_block *r)
{
	return (struct blob_ref){.id = (uint64_t)r->blob.v, .size = (uint64_t)r->bytes.v, .inlined = r->inlined.v};
}

status ec2_block_get(const struct ec2_blocks *b, int64_t index, struct ec2_rec_snapshot_block *out)
{
	struct str bytes;
	*out = (struct ec2_rec_snapshot_block){0};
	TRY(store_get(b->at.tx, key_of(b, index), &bytes));
	return ec2_rec_snapshot_block_decode(b->at.a, bytes, out);
}

status ec2_block_read(const struct ec2_blocks *b, const struct ec2_rec_snapshot_block *r, struct str *plain)
{
	struct blob *blob;
	size_t size = (size_t)r->bytes.v, got;
	char *p = arena_alloc_raw(b->at.a, size);
	TRY(blob_open(b->at.tx, ec2_block_ref(r), &blob));
	status s = blob_read(blob, 0, p, size, &got);
	blob_close(blob);
	TRY(s);
	if (got != size) return STATUS(CORRUPT);
	*plain = str_n(p, size);
	return str_has(b->key) ? ec2_crypt_unseal(b->at.a, b->key, *plain, plain) : OK;
}

struct str ec2_block_digest(const struct ec2_blocks *b, struct str plain)
{
	unsigned char *digest = arena_alloc(b->at.a, EVP_MAX_MD_SIZE);
	unsigned n = 0;
	EVP_MD_CTX *x = EVP_MD_CTX_new();
	INVARIANT(x && EVP_DigestInit_ex(x, EVP_sha256(), NULL) == 1);
	/* Of an encrypted one, nothing that tells its content lies in the store. */
	if (str_has(b->key)) INVARIANT(EVP_DigestUpdate(x, b->key.p, b->key.n) == 1);
	INVARIANT(EVP_DigestUpdate(x, plain.p, plain.n) == 1 && EVP_DigestFinal_ex(x, digest, &n) == 1);
	EVP_MD_CTX_free(x);
	return str_n(digest, n);
}

static status release(const struct ec2_blocks *b, int64_t index)
{
	struct ec2_rec_snapshot_block old;
	status s = ec2_block_get(b, index, &old);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	return blob_release(b->at.tx, ec2_block_ref(&old));
}

static void put(const struct ec2_blocks *b, int64_t index, const struct ec2_rec_snapshot_block *r)
{
	store_put(b->at.tx, key_of(b, index), ec2_rec_snapshot_block_encode(b->at.a, r));
}

status ec2_block_write(const struct ec2_blocks *b, struct cloud *cloud, int64_t index, struct str plain)
{
	struct blob_ref ref;
	struct str bytes = str_has(b->key) ? ec2_crypt_seal(b->at.a, b->key, plain) : plain;
	TRY(release(b, index));
	struct blob_writer *w = blob_writer_new(cloud->store, bytes.n);
	status s = blob_write(w, bytes.p, bytes.n);
	if (is_ok(s)) s = blob_seal(w, &ref);
	if (is_ok(s)) {
		blob_adopt(b->at.tx, w);
		put(b, index,
			&(struct ec2_rec_snapshot_block){.blob = SOME_I64((int64_t)ref.id),
				.bytes = SOME_I64((int64_t)ref.size),
				.inlined = SOME_BOOL(ref.inlined),
				.digest = ec2_block_digest(b, plain)});
	}
	blob_writer_free(w);
	return s;
}

status ec2_block_share(const struct ec2_blocks *b, int64_t index, const struct ec2_rec_snapshot_block *r)
{
	TRY(release(b, index));
	TRY(blob_retain(b->at.tx, ec2_block_ref(r)));
	put(b, index, r);
	return OK;
}

status ec2_blocks_each(const struct ec2_blocks *b, int64_t first,
	bool (*fn)(void *ctx, int64_t index, const struct ec2_rec_snapshot_block *r), void *ctx)
{
	struct str all = key_of(b, -1), key, value, part;
	struct store_scan *scan = store_scan_begin(b->at.tx, key_of(b, first), key_after(b->at.a, all), false);
	status s = OK;
	bool more = true;
	while (more && is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct ec2_rec_snapshot_block r = {0};
		uint64_t index = 0;
		for (unsigned i = 0; i < 5 && is_ok(s); i++) s = key_read_str(b->at.a, &key, &part);
		if (is_ok(s)) s = key_read_u64(&key, &index);
		if (is_ok(s)) s = ec2_rec_snapshot_block_decode(b->at.a, str_dup(b->at.a, value), &r);
		if (is_ok(s)) more = fn(ctx, (int64_t)index, &r);
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

struct dropping {
	const struct ec2_blocks *b;
	status s;
};

static bool drop_one(void *ctx, int64_t index, const struct ec2_rec_snapshot_block *r)
{
	struct dropping *d = ctx;
	d->s = blob_release(d->b->at.tx, ec2_block_ref(r));
	store_delete(d->b->at.tx, key_of(d->b, index));
	return is_ok(d->s);
}

status ec2_blocks_drop(const struct ec2_blocks *b)
{
	struct dropping d = {b, OK};
	TRY(ec2_blocks_each(b, 0, drop_one, &d));
	return d.s;
}

struct restoring {
	const struct ec2_blocks *b;
	int fd;
	struct sealed *sealed; /* NULL: plain */
	status s;
};

static bool restore_one(void *ctx, int64_t index, const struct ec2_rec_snapshot_block *r)
{
	struct restoring *k = ctx;
	struct arena_mark mark = arena_mark(k->b->at.a);
	struct str plain;
	k->s = ec2_block_read(k->b, r, &plain);
	if (is_ok(k->s))
		k->s = sealed_write_at(k->sealed, k->fd, (uint64_t)index * EC2_BLOCK_BYTES, plain.p, plain.n);
	arena_release(k->b->at.a, mark);
	return is_ok(k->s);
}

status ec2_blocks_restore(const struct ec2_blocks *b, struct cloud *cloud, struct str relative, struct str key)
{
	struct restoring k = {.b = b, .s = OK};
	k.fd = open(ec2_file_path(cloud, b->at.a, relative), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (k.fd < 0) return STATUS(IO);
	if (str_has(key)) k.sealed = sealed_new(key);
	status s = ec2_blocks_each(b, 0, restore_one, &k);
	sealed_free(k.sealed);
	if (close(k.fd) < 0) return STATUS(IO);
	return is_ok(s) ? k.s : s;
}
