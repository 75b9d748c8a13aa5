/* kill -9 at random instants: a child writes, overwrites and deletes records with bodies (inline and files) in several
 * threads and tells through a pipe what was acknowledged; whatever was must be there, whole, when the folder is opened
 * again, and after the sweep no file is left that no record refers to. */
#include "folder.h"
#include "store/blob.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum { ROUNDS = 60, THREADS = 4, SLOTS = 24 };

/* What a slot holds: filled in memory as far as it was acknowledged. */
struct entry {
	uint64_t sequence;
	struct blob_ref body;
};
struct ack {
	uint32_t thread, slot;
	uint64_t sequence; /* odd: the slot was deleted */
};

static char dir[PATH_MAX];
static struct store *s;
static int pipe_fd;
static uint64_t first_sequence;

static struct str slot_key(struct arena *a, unsigned thread, unsigned slot)
{
	return str_fmt(a, "\x02slot-%u-%02u", thread, slot);
}
static size_t body_size(uint64_t sequence)
{
	static const size_t sizes[] = {0, 100, 5000, 60000, 70000, 300000};
	return sizes[sequence / 2 % 6];
}
static char body_byte(uint64_t sequence, size_t i) { return (char)(sequence * 7 + i / 1000); }

static void child_step(struct arena *a, unsigned thread, uint64_t sequence)
{
	unsigned slot = (unsigned)(sequence / 2 * 7 % SLOTS);
	bool delete = sequence & 1;
	struct entry entry = {.sequence = sequence}, old;
	struct blob_writer *w = NULL;
	if (!delete) {
		size_t n = body_size(sequence);
		char *p = arena_alloc(a, n);
		for (size_t i = 0; i < n; i++) p[i] = body_byte(sequence, i);
		w = blob_writer_new(s, sequence % 3 ? n : UINT64_MAX);
		if (!is_ok(blob_write(w, p, n)) || !is_ok(blob_seal(w, &entry.body))) _exit(3);
	}
	store_ticket t;
	status r;
	do {
		struct store_tx *tx = store_begin(s, a, false);
		struct str v;
		if (is_ok(store_get(tx, slot_key(a, thread, slot), &v))) {
			memcpy(&old, v.p, sizeof old);
			if (!is_ok(blob_release(tx, old.body))) _exit(4);
		}
		if (delete)
			store_delete(tx, slot_key(a, thread, slot));
		else {
			blob_adopt(tx, w);
			store_put(tx, slot_key(a, thread, slot), str_n(&entry, sizeof entry));
		}
		r = store_commit(tx, &t);
	} while (status_is(r, STATUS_CONFLICT));
	if (!is_ok(r)) _exit(5);
	blob_writer_free(w);
	store_wait(s, t);
	struct ack ack = {thread, slot, sequence};
	if (write(pipe_fd, &ack, sizeof ack) != sizeof ack) _exit(6);
}

static void *child_thread(void *arg)
{
	unsigned thread = (unsigned)(uintptr_t)arg;
	struct arena a;
	arena_init(&a);
	/* two writes of a slot, then its deletion, now and then */
	for (uint64_t n = first_sequence;; n += 2) {
		child_step(&a, thread, n);
		if (n / 2 % 5 == 0) child_step(&a, thread, n + 1);
		arena_reset(&a);
	}
	return NULL;
}

static _Noreturn void child(enum store_durability durability)
{
	s = folder_open(dir, durability);
	blob_sweep(s);
	pthread_t t;
	for (uintptr_t i = 1; i < THREADS; i++) pthread_create(&t, NULL, child_thread, (void *)i);
	child_thread(NULL);
	_exit(0);
}

static bool body_is_whole(struct store_tx *tx, const struct entry *e)
{
	size_t n = body_size(e->sequence), got = 0;
	struct blob *b = NULL;
	if (e->body.size != n || !is_ok(blob_open(tx, e->body, &b))) return false;
	char *p = malloc(n + 1);
	bool ok = is_ok(blob_read(b, 0, p, n + 1, &got)) && got == n;
	for (size_t i = 0; ok && i < n; i++) ok = p[i] == body_byte(e->sequence, i);
	free(p);
	blob_close(b);
	return ok;
}

static uint64_t acked[THREADS][SLOTS]; /* the last acknowledged sequence of each slot */

/* Returns the number of bodies that are files. */
static size_t verify(struct arena *a)
{
	size_t files = 0;
	struct store_tx *tx = store_begin(s, a, true);
	for (unsigned thread = 0; thread < THREADS; thread++)
		for (unsigned slot = 0; slot < SLOTS; slot++) {
			struct entry e = {0};
			struct str v;
			uint64_t last = acked[thread][slot];
			status r = store_get(tx, slot_key(a, thread, slot), &v);
			CHECK(is_ok(r) || status_is(r, STATUS_NOT_FOUND));
			if (is_ok(r)) memcpy(&e, v.p, sizeof e);
			if (last & 1) /* deleted; or written again by what was under way when the child died */
				CHECK(!is_ok(r) || e.sequence > last);
			else if (last && is_ok(r))
				CHECK(e.sequence >= last);
			else if (last) /* a deletion that followed was under way */
				CHECK(last / 2 % 5 == 0);
			if (!is_ok(r)) continue;
			CHECK(body_is_whole(tx, &e));
			files += e.body.id != 0 && !e.body.inlined;
		}
	store_end(tx);
	return files;
}

TEST(acknowledged_writes_survive)
{
	struct arena a;
	arena_init(&a);
	folder_make(dir);
	unsigned random = (unsigned)time(NULL);
	size_t total = 0;
	uint64_t largest = 100;
	for (int round = 0; round < ROUNDS && test_failed == 0; round++) {
		int fds[2];
		CHECK(pipe(fds) == 0);
		first_sequence = (largest + 2) / 10 * 10 + 10;
		pid_t pid = fork();
		if (pid == 0) {
			close(fds[0]);
			pipe_fd = fds[1];
			child(round % 3 ? DURABILITY_STRICT : DURABILITY_RELAXED);
		}
		close(fds[1]);
		/* A third dies while it opens, the others while they write. */
		random = random * 1103515245 + 12345;
		bool early = round % 3 == 1;
		struct pollfd first_ack = {.fd = fds[0], .events = POLLIN};
		if (!early) CHECK(poll(&first_ack, 1, 30000) == 1);
		unsigned wait_us = (random >> 8) % (early ? 12000 : 50000);
		struct timespec wait = {.tv_nsec = wait_us * 1000};
		nanosleep(&wait, NULL);
		kill(pid, SIGKILL);
		struct ack ack;
		while (read(fds[0], &ack, sizeof ack) == sizeof ack) {
			total++;
			acked[ack.thread][ack.slot] = ack.sequence;
			if (ack.sequence > largest) largest = ack.sequence;
		}
		close(fds[0]);
		int how = 0;
		waitpid(pid, &how, 0);
		CHECK(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
		s = folder_open(dir, DURABILITY_STRICT);
		size_t files = verify(&a);
		if (round % 4 == 0 || round == ROUNDS - 1) { /* else the next child's sweep is killed, too */
			blob_sweep(s);
			for (int i = 0; i < 500 && folder_blobs(dir) != files; i++) usleep(2000);
			CHECK(folder_blobs(dir) == files);
			CHECK(verify(&a) == files);
		}
		store_close(s);
		arena_reset(&a);
	}
	CHECK(total >= ROUNDS / 3 * 2); /* it did write between the kills */
	printf("%zu acknowledged writes, %d kills\n", total, ROUNDS);
	folder_remove(dir);
	arena_cleanup(&a);
}

TEST_MAIN()
