/* One body, several digests. A small body is digested where it arrives. Past 1 MiB each of the slow ones (MD5, SHA-256,
 * SHA-1) gets a thread of its own, fed through a ring of buffers: memory stays flat, a sender faster than the hash
 * waits. The CRCs stay in the receiving thread, as they cost less than the copy would. */
#include "identity/digest.h"
#include "identity/sha256.h"
#include <openssl/md5.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define THREADS_FROM (1024u * 1024) /* bytes seen before threads are worth starting */
#define SLOT_BYTES (256u * 1024)
enum { SLOTS = 8, LANES = 3 };

struct slot {
	size_t n;
	_Atomic unsigned readers; /* lanes that still have to digest it */
	uint8_t *bytes;
};
struct lane {
	uint32_t what; /* one DIGEST_… */
	struct digester *owner;
	pthread_t thread;
	bool running;
	union {
		MD5_CTX md5;
		SHA256_CTX sha256;
		SHA_CTX sha1;
	} state;
};
struct digester {
	uint32_t wanted;
	uint64_t total;
	uint32_t crc32, crc32c;
	uint64_t crc64nvme;
	struct lane lanes[LANES];
	unsigned n_lanes, n_running;
	/* The ring, once there are threads. The receiving thread fills the slot `filled`; lanes read those before it.
	 */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct slot slots[SLOTS];
	uint64_t filled; /* slots handed over since the start */
	bool threaded, ended;
};

static void lane_begin(struct lane *l)
{
	if (l->what == DIGEST_MD5)
		MD5_Init(&l->state.md5);
	else if (l->what == DIGEST_SHA256)
		SHA256_Init(&l->state.sha256);
	else
		SHA1_Init(&l->state.sha1);
}

static void lane_add(struct lane *l, const void *p, size_t n)
{
	if (l->what == DIGEST_MD5)
		MD5_Update(&l->state.md5, p, n);
	else if (l->what == DIGEST_SHA256)
		SHA256_Update(&l->state.sha256, p, n);
	else
		SHA1_Update(&l->state.sha1, p, n);
}

struct digester *digester_new(uint32_t wanted)
{
	struct digester *d = mem_new(sizeof(*d));
	const uint32_t slow[LANES] = {DIGEST_MD5, DIGEST_SHA256, DIGEST_SHA1};
	d->wanted = wanted;
	for (unsigned i = 0; i < LANES; i++) {
		if (!(wanted & slow[i])) continue;
		struct lane *l = &d->lanes[d->n_lanes++];
		l->what = slow[i];
		l->owner = d;
		lane_begin(l);
	}
	return d;
}

static void *lane_main(void *arg)
{
	struct lane *l = arg;
	struct digester *d = l->owner;
	for (uint64_t next = 0;; next++) {
		pthread_mutex_lock(&d->lock);
		while (d->filled == next && !d->ended) pthread_cond_wait(&d->changed, &d->lock);
		bool none = d->filled == next;
		pthread_mutex_unlock(&d->lock);
		if (none) return NULL;
		struct slot *s = &d->slots[next % SLOTS];
		lane_add(l, s->bytes, s->n);
		if (atomic_fetch_sub(&s->readers, 1) == 1) {
			pthread_mutex_lock(&d->lock);
			pthread_cond_broadcast(&d->changed);
			pthread_mutex_unlock(&d->lock);
		}
	}
}

/* Starts what threads it can; a lane without one is digested by the receiving thread. */
static void start_threads(struct digester *d)
{
	d->threaded = true;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->changed, NULL);
	for (unsigned i = 0; i < d->n_lanes; i++) {
		struct lane *l = &d->lanes[i];
		l->running = pthread_create(&l->thread, NULL, lane_main, l) == 0;
		d->n_running += l->running;
	}
	for (unsigned i = 0; d->n_running && i < SLOTS; i++) d->slots[i].bytes = mem_new(SLOT_BYTES);
}

/* The slot being filled goes to the lanes. */
static void hand_over(struct digester *d)
{
	struct slot *s = &d->slots[d->filled % SLOTS];
	if (s->n == 0) return;
	atomic_store(&s->readers, d->n_running);
	pthread_mutex_lock(&d->lock);
	d->filled++;
	pthread_cond_broadcast(&d->changed);
	struct slot *next = &d->slots[d->filled % SLOTS];
	while (atomic_load(&next->readers)) pthread_cond_wait(&d->changed, &d->lock);
	pthread_mutex_unlock(&d->lock);
	next->n = 0;
}

static void enqueue(struct digester *d, const uint8_t *p, size_t n)
{
	while (n) {
		struct slot *s = &d->slots[d->filled % SLOTS];
		size_t now = SLOT_BYTES - s->n < n ? SLOT_BYTES - s->n : n;
		memcpy(s->bytes + s->n, p, now);
		s->n += now;
		p += now;
		n -= now;
		if (s->n == SLOT_BYTES) hand_over(d);
	}
}

void digester_update(struct digester *d, const void *p, size_t n)
{
	if (n == 0) return;
	d->total += n;
	if (d->wanted & DIGEST_CRC32) d->crc32 = digest_crc32(d->crc32, p, n);
	if (d->wanted & DIGEST_CRC32C) d->crc32c = digest_crc32c(d->crc32c, p, n);
	if (d->wanted & DIGEST_CRC64NVME) d->crc64nvme = digest_crc64nvme(d->crc64nvme, p, n);
	if (d->n_lanes == 0) return;
	if (!d->threaded && d->total > THREADS_FROM) start_threads(d);
	for (unsigned i = 0; i < d->n_lanes; i++)
		if (!d->lanes[i].running) lane_add(&d->lanes[i], p, n);
	if (d->n_running) enqueue(d, p, n);
}

static void stop_threads(struct digester *d)
{
	if (!d->threaded) return;
	pthread_mutex_lock(&d->lock);
	d->ended = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	for (unsigned i = 0; i < d->n_lanes; i++)
		if (d->lanes[i].running) pthread_join(d->lanes[i].thread, NULL);
	for (unsigned i = 0; i < SLOTS; i++) free(d->slots[i].bytes);
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->lock);
	d->threaded = false;
}

void digester_final(struct digester *d, struct digests *out)
{
	if (d->n_running) hand_over(d);
	stop_threads(d);
	*out = (struct digests){.have = d->wanted, .crc32 = d->crc32, .crc32c = d->crc32c, .crc64nvme = d->crc64nvme};
	for (unsigned i = 0; i < d->n_lanes; i++) {
		struct lane *l = &d->lanes[i];
		if (l->what == DIGEST_MD5)
			MD5_Final(out->md5, &l->state.md5);
		else if (l->what == DIGEST_SHA256)
			SHA256_Final(out->sha256, &l->state.sha256);
		else
			SHA1_Final(out->sha1, &l->state.sha1);
	}
	d->n_lanes = d->n_running = 0;
}

void digester_free(struct digester *d)
{
	if (!d) return;
	stop_threads(d);
	free(d);
}

void digest_md5(struct str bytes, uint8_t out[16])
{
	MD5_CTX c;
	MD5_Init(&c);
	MD5_Update(&c, bytes.p, bytes.n);
	MD5_Final(out, &c);
}

void digest_sha256(struct str bytes, uint8_t out[32])
{
	sha256_once(bytes, out);
}

void digest_hmac_sha256(struct str key, struct str bytes, uint8_t out[32])
{
	struct sha256_hmac_key k;
	sha256_hmac_prime(&k, key);
	sha256_hmac(&k, bytes, out);
}
