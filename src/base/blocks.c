/* A short list under a lock; the newest first, whose bytes are the likeliest to be in the processor's cache. It is the
 * process's, as malloc's own lists are. Under AddressSanitizer nothing is kept, so that use after free is found. */
#include "base/blocks.h"
#include "base/status.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum { MOST = 64, BYTES_MAX = 16 << 20 };

static struct {
	pthread_mutex_t lock;
	size_t n, bytes, idle; /* idle: how few there were since blocks_rest; those at the bottom lay still */
	struct {
		void *p;
		size_t size;
	} v[MOST];
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEEPS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define KEEPS false
#endif
#endif
#ifndef KEEPS
#define KEEPS true
#endif

void *blocks_get(size_t n, size_t *size)
{
	void *p = NULL;
	*size = n;
	if (n >= BLOCKS_FROM && n <= BLOCKS_TO) {
		pthread_mutex_lock(&kept.lock);
		for (size_t i = kept.n; i-- > 0 && !p;) {
			if (kept.v[i].size < n || kept.v[i].size / 4 > n) continue;
			p = kept.v[i].p;
			*size = kept.v[i].size;
			kept.bytes -= *size;
			for (kept.n--; i < kept.n; i++) kept.v[i] = kept.v[i + 1];
			if (kept.n < kept.idle) kept.idle = kept.n;
		}
		pthread_mutex_unlock(&kept.lock);
		if (p) return p;
	}
	p = malloc(n ? n : 1);
	if (!p) base_panic(__FILE__, __LINE__, "out of memory");
	return p;
}

void blocks_put(void *p, size_t size)
{
	if (KEEPS && size >= BLOCKS_FROM && size <= BLOCKS_TO) {
		bool taken = false;
		pthread_mutex_lock(&kept.lock);
		if (kept.n < MOST && kept.bytes + size <= BYTES_MAX) {
			kept.v[kept.n].p = p;
			kept.v[kept.n++].size = size;
			kept.bytes += size;
			taken = true;
		}
		pthread_mutex_unlock(&kept.lock);
		if (taken) return;
	}
	free(p);
}

void blocks_rest(void)
{
	void *gone[MOST];
	size_t n = 0;
	pthread_mutex_lock(&kept.lock);
	for (; n < kept.idle; n++) {
		gone[n] = kept.v[n].p;
		kept.bytes -= kept.v[n].size;
	}
	for (size_t i = n; i < kept.n; i++) kept.v[i - n] = kept.v[i];
	kept.n -= n;
	kept.idle = kept.n;
	pthread_mutex_unlock(&kept.lock);
	while (n) free(gone[--n]);
}
