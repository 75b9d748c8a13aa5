/* Volumes and snapshots as files: what is copied is the same, snapshots share blocks, sweeps take only what nobody has,
 * and a torn list or block is refused. */
#include "base/rand.h"
#include "host/compute/volume.h"
#include "test.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/virga-volumes-XXXXXX";
static struct arena arena;
static struct volume_snapshots *s;

static const char *at(const char *name)
{
	return str_fmt(&arena, "%s/%s", dir, name).p;
}

static void run_in(const char *line)
{
	char command[512];
	snprintf(command, sizeof(command), "cd %s/snapshots && %s", dir, line);
	CHECK(system(command) == 0);
}

/* The same at each position, different between them. */
static void put(const char *path, uint64_t where, size_t n, uint64_t seed)
{
	char *p = mem_new(n);
	for (size_t i = 0; i + 8 <= n; i += 8) memcpy(p + i, &(uint64_t){seed + i}, 8);
	CHECK_OK(volume_write(path, where, p, n));
	free(p);
}

static bool same(const char *a, const char *b)
{
	char command[512];
	snprintf(command, sizeof(command), "cmp -n 16777216 %s %s", a, b);
	return system(command) == 0;
}

TEST(volumes_are_sparse_and_grow)
{
	uint64_t size, taken;
	arena_init(&arena);
	CHECK(mkdtemp(dir) != NULL);
	CHECK_OK(volume_create(at("a"), 16 << 20));
	CHECK(status_is(volume_create(at("a"), 1), STATUS_BUSY));
	put(at("a"), 3 << 20, 1 << 20, 1);
	put(at("a"), (16 << 20) - 4096, 4096, 2);
	CHECK_OK(volume_size(at("a"), &size, &taken));
	CHECK(size == 16 << 20 && taken >= 1 << 20 && taken < 3 << 20);
	char byte = 1;
	CHECK(status_is(volume_write(at("a"), 16 << 20, &byte, 1), STATUS_INVALID));
	CHECK(status_is(volume_read(at("a"), UINT64_MAX, &byte, 1), STATUS_INVALID));
	CHECK(status_is(volume_grow(at("a"), 1 << 20), STATUS_INVALID));
	CHECK_OK(volume_copy(at("a"), at("b")));
	CHECK(same(at("a"), at("b")));
	CHECK_OK(volume_grow(at("b"), 20 << 20));
	CHECK_OK(volume_size(at("b"), &size, &taken));
	CHECK(size == 20 << 20 && taken < 3 << 20);
	CHECK_OK(volume_remove(at("b")));
	CHECK_OK(volume_remove(at("b")));
	CHECK(status_is(volume_size(at("b"), NULL, NULL), STATUS_NOT_FOUND));
}

TEST(snapshots_share_blocks)
{
	uint64_t added, freed;
	struct volume_snapshot l;
	CHECK_OK(volume_snapshots_open(at("snapshots"), &s));
	CHECK_OK(volume_snapshot_take(s, STR("snap-1"), at("a"), &added));
	CHECK(added == 3ull * VOLUME_BLOCK);
	CHECK(status_is(volume_snapshot_take(s, STR("snap-1"), at("a"), NULL), STATUS_BUSY));
	CHECK(status_is(volume_snapshot_take(s, STR("../x"), at("a"), NULL), STATUS_INVALID));
	put(at("a"), 8 << 20, 4096, 3);
	CHECK_OK(volume_snapshot_take(s, STR("snap-2"), at("a"), &added));
	CHECK(added == VOLUME_BLOCK);
	CHECK_OK(volume_snapshot_load(s, &arena, STR("snap-2"), &l));
	CHECK(l.n == 4 && l.sealed && l.size == 16 << 20 && l.v[2].index == 16 && l.v[3].index == 31);
	CHECK_OK(volume_snapshot_copy(s, STR("snap-2"), STR("snap-3")));
	CHECK_OK(volume_snapshot_remove(s, STR("snap-2")));
	CHECK_OK(volume_snapshot_sweep(s, &freed));
	CHECK(freed == 0);
	CHECK_OK(volume_snapshot_restore(s, STR("snap-3"), at("c"), 32 << 20));
	CHECK(same(at("a"), at("c")));
	uint64_t size, taken;
	CHECK_OK(volume_size(at("c"), &size, &taken));
	CHECK(size == 32 << 20 && taken < 3 << 20);
	CHECK(status_is(volume_snapshot_restore(s, STR("snap-3"), at("d"), 1 << 20), STATUS_INVALID));
	CHECK(status_is(volume_snapshot_restore(s, STR("snap-9"), at("d"), 16 << 20), STATUS_NOT_FOUND));
	CHECK_OK(volume_snapshot_remove(s, STR("snap-3")));
	CHECK_OK(volume_snapshot_sweep(s, &freed));
	CHECK(freed == VOLUME_BLOCK);
	CHECK_OK(volume_snapshot_restore(s, STR("snap-1"), at("d"), 16 << 20));
	CHECK(!same(at("a"), at("d")));
}

TEST(written_block_by_block)
{
	char *block = mem_new(VOLUME_BLOCK), *back = mem_new(VOLUME_BLOCK);
	struct volume_snapshot l;
	memset(block, 'x', VOLUME_BLOCK);
	CHECK_OK(volume_snapshot_begin(s, STR("snap-4"), 16 << 20, STR("snap-1")));
	CHECK(status_is(volume_snapshot_begin(s, STR("snap-4"), 16 << 20, STR_NONE), STATUS_BUSY));
	CHECK_OK(volume_snapshot_put(s, STR("snap-4"), 0, block));
	CHECK(status_is(volume_snapshot_put(s, STR("snap-4"), 32, block), STATUS_INVALID));
	memset(back, 0, VOLUME_BLOCK);
	CHECK_OK(volume_snapshot_put(s, STR("snap-4"), 31, back)); /* zeros: the block goes */
	CHECK_OK(volume_snapshot_load(s, &arena, STR("snap-4"), &l));
	CHECK(!l.sealed && l.n == 3 && l.v[0].index == 0 && l.v[2].index == 7);
	CHECK_OK(volume_snapshot_seal(s, STR("snap-4")));
	CHECK(status_is(volume_snapshot_put(s, STR("snap-4"), 1, block), STATUS_BUSY));
	CHECK(status_is(volume_snapshot_seal(s, STR("snap-4")), STATUS_BUSY));
	CHECK_OK(volume_snapshot_get(s, STR("snap-4"), 0, back));
	CHECK(memcmp(block, back, VOLUME_BLOCK) == 0);
	CHECK(status_is(volume_snapshot_get(s, STR("snap-4"), 1, back), STATUS_NOT_FOUND));
	free(block), free(back);
}

TEST(torn_files_are_refused)
{
	char *back = mem_new(VOLUME_BLOCK);
	struct volume_snapshot l;
	run_in("for f in blocks/*/*; do chmod 600 $f; printf broken | dd of=$f conv=notrunc 2>/dev/null; done");
	CHECK(status_is(volume_snapshot_get(s, STR("snap-4"), 0, back), STATUS_CORRUPT));
	CHECK(status_is(volume_snapshot_restore(s, STR("snap-1"), at("e"), 16 << 20), STATUS_CORRUPT));
	CHECK(access(at("e"), F_OK) != 0);
	run_in("truncate -s -1 lists/snap-1");
	CHECK(status_is(volume_snapshot_load(s, &arena, STR("snap-1"), &l), STATUS_CORRUPT));
	/* While a list cannot be read, nothing is swept. */
	CHECK(!is_ok(volume_snapshot_sweep(s, NULL)));
	free(back);
	volume_snapshots_close(s);
	char command[64];
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CHECK(system(command) == 0);
	arena_cleanup(&arena);
}

TEST_MAIN()
