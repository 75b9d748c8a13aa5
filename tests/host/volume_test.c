/* Volumes as files: sparse, growing, and what is copied is the same. */
#include "base/rand.h"
#include "host/compute/volume.h"
#include "test.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/virga-volumes-XXXXXX";
static struct arena arena;

static const char *at(const char *name)
{
	return str_fmt(&arena, "%s/%s", dir, name).p;
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
	char command[64];
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CHECK(system(command) == 0);
	arena_cleanup(&arena);
}

TEST_MAIN()
