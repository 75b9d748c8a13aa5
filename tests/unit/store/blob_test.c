/* Bodies: inline and in files, references, crashes between, flipped bits. */
#include "folder.h"
#include "store/blob.h"
#include <fcntl.h>

static char dir[PATH_MAX];
static struct store *s;
static struct arena arena;

static void begin(void)
{
	arena_init(&arena);
	s = folder_open(folder_make(dir), DURABILITY_STRICT);
}
static void end(void)
{
	store_close(s);
	folder_remove(dir);
	arena_cleanup(&arena);
}
static char byte_at(size_t i) { return (char)(i * 31 + (i >> 8) * 7 + (i >> 16)); }
static struct blob_writer *write_body(size_t n, size_t piece, bool hint)
{
	struct blob_writer *w = blob_writer_new(s, hint ? n : UINT64_MAX);
	char *p = malloc(piece);
	for (size_t at = 0; at < n; at += piece) {
		size_t part = n - at < piece ? n - at : piece;
		for (size_t i = 0; i < part; i++) p[i] = byte_at(at + i);
		CHECK_OK(blob_write(w, p, part));
	}
	free(p);
	return w;
}
static void commit(struct store_tx *tx)
{
	store_ticket t = 0;
	CHECK_OK(store_commit(tx, &t));
	store_wait(s, t);
}
static struct blob_ref make(size_t n, size_t piece, bool hint)
{
	struct blob_writer *w = write_body(n, piece, hint);
	struct blob_ref ref = {0};
	CHECK_OK(blob_seal(w, &ref));
	struct store_tx *tx = store_begin(s, &arena, false);
	blob_adopt(tx, w);
	commit(tx);
	blob_writer_free(w);
	return ref;
}
static status open_body(struct blob_ref ref, struct blob **b)
{
	struct store_tx *tx = store_begin(s, &arena, true);
	status r = blob_open(tx, ref, b);
	store_end(tx);
	return r;
}
static bool readable(struct blob_ref ref)
{
	struct blob *b = NULL;
	if (!is_ok(open_body(ref, &b))) return false;
	bool ok = is_ok(blob_verify(b));
	char *p = malloc(ref.size + 100);
	size_t got = 0;
	ok = ok && is_ok(blob_read(b, 0, p, ref.size + 100, &got)) && got == ref.size;
	for (size_t i = 0; ok && i < ref.size; i++) ok = p[i] == byte_at(i);
	for (size_t from = 0; ok && from < ref.size; from += 70001) {
		ok = is_ok(blob_read(b, from, p, 70000, &got)) && got == (ref.size - from < 70000 ? ref.size - from : 70000);
		for (size_t i = 0; ok && i < got; i++) ok = p[i] == byte_at(from + i);
	}
	if (ok && blob_fd(b) >= 0)
		ok = pread(blob_fd(b), p, ref.size, 0) == (ssize_t)ref.size && p[ref.size - 1] == byte_at(ref.size - 1);
	else if (ok)
		ok = blob_bytes(b).n == ref.size;
	free(p);
	blob_close(b);
	return ok;
}
static void wait_for_files(size_t n)
{
	for (int i = 0; i < 300 && folder_blobs(dir) != n; i++) usleep(10000);
	CHECK(folder_blobs(dir) == n);
}

TEST(any_size)
{
	begin();
	const size_t sizes[] = {0, 1, 1000, BLOB_INLINE_MAX - 1, BLOB_INLINE_MAX, BLOB_INLINE_MAX + 1, 65535,
		65536, 65537, 131071, 131072, 131073, 1 << 20, (5 << 20) + 17};
	const size_t pieces[] = {777, 65536, 300000, 1 << 20};
	size_t files = 0;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (size_t j = 0; j < sizeof pieces / sizeof *pieces; j++) {
			struct blob_ref ref = make(sizes[i], pieces[j], j % 2);
			CHECK(ref.size == sizes[i] && ref.inlined == (sizes[i] > 0 && sizes[i] <= BLOB_INLINE_MAX));
			CHECK(readable(ref));
			files += sizes[i] > BLOB_INLINE_MAX;
		}
	CHECK(folder_blobs(dir) == files);
	end();
}

TEST(abandoned_files_go)
{
	begin();
	struct blob_writer *w = write_body(100000, 5000, false);
	CHECK(blob_writer_is_file(w));
	CHECK(folder_blobs(dir) == 1);
	blob_writer_free(w);
	CHECK(folder_blobs(dir) == 0);
	/* adopted by a transaction that ends without commit */
	struct blob_ref ref;
	w = write_body(100000, 5000, true);
	CHECK_OK(blob_seal(w, &ref));
	struct store_tx *tx = store_begin(s, &arena, false);
	blob_adopt(tx, w);
	blob_writer_free(w);
	CHECK(folder_blobs(dir) == 1);
	struct blob *b;
	CHECK_OK(blob_open(tx, ref, &b));
	blob_close(b);
	store_end(tx);
	CHECK(folder_blobs(dir) == 0);
	blob_writer_free(NULL);
	end();
}

TEST(adopt_again_after_conflict)
{
	begin();
	const size_t sizes[] = {100, 100000};
	for (int i = 0; i < 2; i++) {
		struct blob_ref ref;
		struct blob_writer *w = write_body(sizes[i], 5000, true);
		CHECK_OK(blob_seal(w, &ref));
		struct str v;
		store_ticket t;
		struct store_tx *tx = store_begin(s, &arena, false), *other = store_begin(s, &arena, false);
		status r = store_get(tx, STR("\x02k"), &v);
		CHECK(is_ok(r) || status_is(r, STATUS_NOT_FOUND));
		blob_adopt(tx, w);
		store_put(other, STR("\x02k"), STR("x"));
		CHECK_OK(store_commit(other, &t));
		CHECK(status_is(store_commit(tx, &t), STATUS_CONFLICT));
		CHECK(!readable(ref) || !ref.inlined);
		tx = store_begin(s, &arena, false);
		blob_adopt(tx, w);
		commit(tx);
		blob_writer_free(w);
		CHECK(readable(ref));
	}
	end();
}

TEST(a_name_that_is_taken_is_passed_over)
{
	begin();
	struct blob_ref first = make(100000, 5000, true);
	char path[PATH_MAX + 64];
	snprintf(path, sizeof path, "%s/blobs/%02x/%016llx", dir, (unsigned)((first.id + 1) & 0xff),
		(unsigned long long)first.id + 1);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0);
	close(fd);
	struct blob_ref second = make(100000, 5000, true);
	CHECK(second.id == first.id + 2 && readable(first) && readable(second));
	end();
}

TEST(references)
{
	begin();
	const size_t sizes[] = {100, 100000};
	for (int i = 0; i < 2; i++) {
		struct blob_ref ref = make(sizes[i], 5000, true);
		struct store_tx *tx;
		for (int n = 0; n < 2; n++) {
			tx = store_begin(s, &arena, false);
			CHECK_OK(blob_retain(tx, ref));
			commit(tx);
		}
		for (int n = 0; n < 3; n++) {
			CHECK(readable(ref));
			tx = store_begin(s, &arena, false);
			CHECK_OK(blob_release(tx, ref));
			commit(tx);
		}
		wait_for_files(0);
		CHECK(!readable(ref));
		tx = store_begin(s, &arena, false);
		CHECK(status_is(blob_retain(tx, ref), STATUS_NOT_FOUND));
		store_end(tx);
	}
	/* retain and release at once: one of them loses */
	for (int i = 0; i < 2; i++) {
		struct blob_ref ref = make(sizes[i], 5000, true);
		struct store_tx *x = store_begin(s, &arena, false), *y = store_begin(s, &arena, false);
		store_ticket t;
		CHECK_OK(blob_retain(x, ref));
		CHECK_OK(blob_release(y, ref));
		CHECK_OK(store_commit(y, &t));
		CHECK(status_is(store_commit(x, &t), STATUS_CONFLICT));
	}
	end();
}

TEST(readers_keep_what_is_released)
{
	begin();
	const size_t sizes[] = {100, 100000};
	for (int i = 0; i < 2; i++) {
		struct blob_ref ref = make(sizes[i], 5000, true);
		struct store_tx *reader = store_begin(s, &arena, true), *tx = store_begin(s, &arena, false);
		struct str v;
		struct blob *before, *after;
		CHECK(status_is(store_get(reader, STR("\x02none"), &v), STATUS_NOT_FOUND));
		CHECK_OK(open_body(ref, &before));
		CHECK_OK(blob_release(tx, ref));
		commit(tx);
		usleep(300000);
		CHECK_OK(blob_open(reader, ref, &after)); /* its snapshot is older than the release */
		store_end(reader);
		wait_for_files(0);
		CHECK_OK(blob_verify(before));
		CHECK_OK(blob_verify(after));
		blob_close(before);
		blob_close(after);
	}
	end();
}

TEST(sweep_removes_only_what_is_unadopted)
{
	begin();
	struct blob_ref kept = make(100000, 5000, true), lost;
	struct blob_writer *w = write_body(200000, 5000, true);
	CHECK_OK(blob_seal(w, &lost));
	CHECK(folder_blobs(dir) == 2);
	/* What a crash leaves: the file is put back after the writer removed it. */
	char from[PATH_MAX + 64], to[PATH_MAX + 64];
	snprintf(from, sizeof from, "%s/blobs/%02x/%016llx", dir, (unsigned)(lost.id & 0xff), (unsigned long long)lost.id);
	snprintf(to, sizeof to, "%s/saved", dir);
	CHECK(link(from, to) == 0);
	blob_writer_free(w);
	CHECK(link(to, from) == 0);
	store_close(s);
	s = folder_open(dir, DURABILITY_STRICT);
	struct blob_writer *running = write_body(100000, 5000, true); /* of this run: not for the sweep */
	blob_sweep(s);
	wait_for_files(2);
	CHECK(readable(kept));
	struct blob_ref later = {0};
	CHECK_OK(blob_seal(running, &later));
	CHECK(later.id > lost.id);
	blob_writer_free(running);
	CHECK_OK(store_clear(s));
	wait_for_files(0);
	end();
}

TEST(flipped_bits_are_found)
{
	begin();
	for (int place = 0; place < 3; place++) {
		struct blob_ref ref = make(200000, 5000, true);
		char path[PATH_MAX + 64];
		snprintf(path, sizeof path, "%s/blobs/%02x/%016llx", dir, (unsigned)(ref.id & 0xff),
			(unsigned long long)ref.id);
		int fd = open(path, O_RDWR);
		const off_t at[] = {150000, 200001, 200000 + 16 + 9}; /* the body, the table of checksums, the trailer */
		char c;
		CHECK(pread(fd, &c, 1, at[place]) == 1);
		c ^= 4;
		CHECK(pwrite(fd, &c, 1, at[place]) == 1);
		close(fd);
		struct blob *b;
		char p[1000];
		size_t got;
		CHECK_OK(open_body(ref, &b));
		CHECK(status_is(blob_verify(b), STATUS_CORRUPT));
		CHECK(status_is(blob_read(b, 140000, p, sizeof p, &got), STATUS_CORRUPT));
		if (place == 0) CHECK_OK(blob_read(b, 0, p, sizeof p, &got));
		blob_close(b);
		CHECK(truncate(path, 200020) == 0);
		CHECK(status_is(open_body(ref, &b), STATUS_CORRUPT));
	}
	end();
}

TEST_MAIN()
