/* A disk that fills up and gets room again: large commits and bodies are refused, small ones pass for longer, reads go on,
 * and nothing needs a restart. On a small tmpfs in a mount namespace of our own; skipped where that is not allowed. */
#include "folder.h"
#include "store/blob.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

static struct store *s;
static struct arena a;

static status put(struct str key, size_t n)
{
	store_ticket t;
	struct store_tx *tx = store_begin(s, &a, false);
	if (n > 0)
		store_put(tx, key, str_n(arena_alloc(&a, n), n));
	else
		store_delete(tx, key);
	status r = store_commit(tx, &t);
	if (is_ok(r)) store_wait(s, t);
	return r;
}
static status write_body(size_t n)
{
	char piece[4096] = {0};
	struct blob_writer *w = blob_writer_new(s, UINT64_MAX);
	struct blob_ref ref;
	status r = OK;
	for (size_t i = 0; is_ok(r) && i < n; i += sizeof piece) r = blob_write(w, piece, sizeof piece);
	if (is_ok(r)) r = blob_seal(w, &ref);
	blob_writer_free(w);
	return r;
}
static status get(struct str key)
{
	struct store_tx *tx = store_begin(s, &a, true);
	struct str v;
	status r = store_get(tx, key, &v);
	store_end(tx);
	return r;
}
static void wait_for_look(void) { usleep(30000); }

TEST(full_disk)
{
	char dir[PATH_MAX], path[PATH_MAX + 16];
	folder_make(dir);
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		mount("none", dir, "tmpfs", 0, "size=16m") != 0) {
		rmdir(dir);
		SKIP("needs the right to mount");
	}
	arena_init(&a);
	s = folder_open(dir, DURABILITY_STRICT);
	CHECK_OK(put(STR("\x02" "before"), 10000));
	CHECK_OK(write_body(300000));
	snprintf(path, sizeof path, "%s/filler", dir);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	static char piece[4096];
	size_t n = 0;
	while (write(fd, piece, sizeof piece) == sizeof piece) n += sizeof piece;
	wait_for_look();
	for (int i = 0; i < 3; i++) CHECK(status_is(put(STR("\x02" "x"), 10000), STATUS_IO));
	CHECK(status_is(put(STR("\x02" "x"), 10), STATUS_IO));
	CHECK(status_is(write_body(300000), STATUS_IO));
	CHECK_OK(get(STR("\x02" "before")));
	/* a little room: small commits and deletions only */
	CHECK(ftruncate(fd, (off_t)n - (1 << 20)) == 0);
	wait_for_look();
	CHECK(status_is(put(STR("\x02" "x"), 10000), STATUS_IO));
	CHECK(status_is(write_body(300000), STATUS_IO));
	CHECK_OK(put(STR("\x02" "small"), 10));
	CHECK_OK(put(STR("\x02" "before"), 0));
	/* enough of it */
	CHECK(ftruncate(fd, 0) == 0);
	close(fd);
	wait_for_look();
	CHECK_OK(put(STR("\x02" "after"), 10000));
	CHECK_OK(write_body(300000));
	store_close(s);
	s = folder_open(dir, DURABILITY_STRICT);
	CHECK_OK(get(STR("\x02" "small")));
	CHECK_OK(get(STR("\x02" "after")));
	CHECK(status_is(get(STR("\x02" "before")), STATUS_NOT_FOUND) && status_is(get(STR("\x02" "x")), STATUS_NOT_FOUND));
	store_close(s);
	umount(dir);
	rmdir(dir);
	arena_cleanup(&a);
}

TEST_MAIN()
