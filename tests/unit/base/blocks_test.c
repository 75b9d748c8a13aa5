/* Large blocks: what is given back is given again, within limits, and goes when nobody wants it; from several threads.
 */
#include "base/blocks.h"
#include "test.h"
#include <pthread.h>

TEST(sizes)
{
	size_t sizes[] = {0, 1, 4096, BLOCKS_FROM - 1, BLOCKS_FROM, 1 << 20, BLOCKS_TO, BLOCKS_TO + 1};
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			size_t size;
			char *p = blocks_get(sizes[i], &size);
			CHECK(size >= sizes[i] && (size == sizes[i] || size / 4 <= sizes[i]));
			memset(p, 0x5a, size);
			blocks_put(p, size);
		}
	for (int i = 0; i < 3; i++) blocks_rest();
}

TEST(more_than_is_kept)
{
	enum { N = 200 };
	void *p[N];
	size_t size[N];
	for (int i = 0; i < N; i++) memset(p[i] = blocks_get(BLOCKS_FROM, &size[i]), i, BLOCKS_FROM);
	for (int i = 0; i < N; i++) blocks_put(p[i], size[i]);
	blocks_rest(); /* the first call begins the watch, the second gives back what lay still */
	void *again = blocks_get(BLOCKS_FROM, &size[0]);
	blocks_rest();
	blocks_put(again, size[0]);
	blocks_rest();
	blocks_rest();
}

static void *hammer(void *arg)
{
	unsigned char mark = *(unsigned char *)arg;
	for (int i = 0; i < 2000; i++) {
		size_t size;
		unsigned char *p = blocks_get((size_t)BLOCKS_FROM + (size_t)(i % 7) * 4096, &size);
		p[0] = p[size - 1] = mark;
		if (i % 64 == 0) blocks_rest();
		if (p[0] != mark || p[size - 1] != mark) return arg;
		blocks_put(p, size);
	}
	return NULL;
}

TEST(threads)
{
	pthread_t t[4];
	unsigned char marks[4] = {1, 2, 3, 4};
	for (int i = 0; i < 4; i++) CHECK(pthread_create(&t[i], NULL, hammer, &marks[i]) == 0);
	for (int i = 0; i < 4; i++) {
		void *wrong;
		CHECK(pthread_join(t[i], &wrong) == 0 && wrong == NULL);
	}
	blocks_rest();
	blocks_rest();
}

TEST_MAIN()
