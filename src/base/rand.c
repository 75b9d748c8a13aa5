/* Random bytes from the kernel, fetched in small portions per thread. Bytes are wiped as they are handed out, and a
 * forked child starts with an empty buffer, so that no two processes ever give the same ones. (A child made by a raw
 * clone system call shares its parent's buffer: it must exec before it needs random bytes.) */
#include "base/rand.h"
#include "base/arena.h"
#include <errno.h>
#include <pthread.h>
#include <sys/random.h>

enum { PORTION = 512 };

static _Thread_local struct {
	unsigned char bytes[PORTION];
	size_t left; /* at the buffer's end */
} pool;

static void forget(void)
{
	explicit_bzero(&pool, sizeof pool);
}

__attribute__((constructor)) static void forget_in_children(void)
{
	INVARIANT(pthread_atfork(NULL, NULL, forget) == 0);
}

static void fetch(void *p, size_t n)
{
	char *to = p;
	while (n) {
		ssize_t got = getrandom(to, n, 0);
		if (got < 0) {
			INVARIANT(errno == EINTR);
			continue;
		}
		to += got;
		n -= (size_t)got;
	}
}

void rand_bytes(void *p, size_t n)
{
	if (n > PORTION / 4) {
		fetch(p, n);
		return;
	}
	if (n == 0) return;
	if (pool.left < n) {
		fetch(pool.bytes, PORTION);
		pool.left = PORTION;
	}
	unsigned char *from = pool.bytes + PORTION - pool.left;
	memcpy(p, from, n);
	explicit_bzero(from, n);
	pool.left -= n;
}

uint64_t rand_u64(void)
{
	uint64_t v;
	rand_bytes(&v, sizeof v);
	return v;
}

uint64_t rand_below(uint64_t bound)
{
	INVARIANT(bound > 0);
	/* Drop the first 2^64 mod bound values, so that the rest divides evenly. */
	uint64_t uneven = (0 - bound) % bound;
	uint64_t v;
	do v = rand_u64();
	while (v < uneven);
	return v % bound;
}

struct str rand_text(struct arena *a, struct str alphabet, size_t n)
{
	INVARIANT(alphabet.n > 0 && alphabet.n <= 256);
	char *p = arena_alloc_raw(a, n + 1);
	unsigned even = 256 - 256 % (unsigned)alphabet.n;
	for (size_t i = 0; i < n;) {
		unsigned char random[32];
		size_t want = n - i < sizeof random ? n - i : sizeof random;
		rand_bytes(random, want);
		for (size_t k = 0; k < want; k++)
			if (random[k] < even) p[i++] = alphabet.p[random[k] % alphabet.n];
		explicit_bzero(random, sizeof random);
	}
	p[n] = 0;
	return str_n(p, n);
}

struct str rand_uuid(struct arena *a)
{
	unsigned char b[16];
	rand_bytes(b, sizeof b);
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* version 4 */
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80); /* variant 10 */
	char *p = arena_alloc_raw(a, 37), *to = p;
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
		*to++ = "0123456789abcdef"[b[i] >> 4];
		*to++ = "0123456789abcdef"[b[i] & 15];
	}
	*to = 0;
	return str_n(p, 36);
}
