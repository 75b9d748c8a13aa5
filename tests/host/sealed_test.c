/* Sealed files: what lies on disk and what is read from it; and machines whose volumes are sealed: nothing of what they
 * write is in the file, agents come and go, it grows, and its sealer goes with it. The second half needs root, FUSE and
 * the machine image. */
#include "host/machines.h"
#include "host/seal/sealed.h"
#include "host/seal/sealer.h"
#include <dirent.h>
#include <signal.h>

#define MARKER "a-marker-that-nobody-else-would-write"

static struct arena arena;
static char path[] = "/tmp/virga-sealed-XXXXXX";

static struct str key_of(const char *name)
{
	return sealed_key(&arena, STR("0123456789abcdef0123456789abcdef"), str_c(name));
}

TEST(reads_what_was_written_and_shows_nothing)
{
	arena_init(&arena);
	enum { SIZE = 1 << 20, AT = 70001, LONG = 200003 };
	int fd = mkstemp(path);
	char *in = arena_alloc(&arena, LONG), *out = arena_alloc(&arena, LONG), raw[2048];
	struct sealed *s = sealed_new(key_of("vol-1")), *other = sealed_new(key_of("vol-2"));
	for (size_t i = 0; i < LONG; i++) in[i] = (char)(i / 7);
	CHECK(fd >= 0 && ftruncate(fd, SIZE) == 0);
	/* Any place, any length; what was never written is zeros. */
	CHECK_OK(sealed_write_at(s, fd, AT, in, LONG));
	CHECK_OK(sealed_read_at(s, fd, AT, out, LONG));
	CHECK(memcmp(in, out, LONG) == 0);
	CHECK_OK(sealed_read_at(s, fd, AT - 1, out, 2));
	CHECK(out[0] == 0 && out[1] == in[0]);
	CHECK_OK(sealed_read_at(s, fd, 0, out, 512));
	for (size_t i = 0; i < 512; i++) CHECK(out[i] == 0);
	/* A part anew, in the midst of a sector. */
	CHECK_OK(sealed_write_at(s, fd, AT + 1000, MARKER, sizeof(MARKER)));
	CHECK_OK(sealed_read_at(s, fd, AT + 1000 - 5, out, sizeof(MARKER) + 10));
	CHECK(memcmp(out, in + 995, 5) == 0 && memcmp(out + 5, MARKER, sizeof(MARKER)) == 0);
	CHECK(memcmp(out + 5 + sizeof(MARKER), in + 1000 + sizeof(MARKER), 5) == 0);
	CHECK(pread(fd, raw, sizeof(raw), AT) == sizeof(raw));
	CHECK(str_find(str_n(raw, sizeof(raw)), STR(MARKER)) < 0);
	/* Another name's key, of the same data key, reads nothing of it. */
	CHECK_OK(sealed_read_at(other, fd, AT + 1000, out, sizeof(MARKER)));
	CHECK(memcmp(out, MARKER, sizeof(MARKER)) != 0);
	/* The same bytes in two sectors are two ciphertexts; past the end there is nothing. */
	memset(in, 'x', 1024);
	CHECK_OK(sealed_write_at(s, fd, 0, in, 1024));
	CHECK(pread(fd, raw, 1024, 0) == 1024 && memcmp(raw, raw + 512, 512) != 0);
	CHECK(!is_ok(sealed_read_at(s, fd, SIZE - 100, out, 200)));
	/* IEEE Std 1619-2018's tweak is the sector's number: a sector elsewhere reads as something else. */
	CHECK(pwrite(fd, raw, 512, 512 * 9) == 512);
	CHECK_OK(sealed_read_at(s, fd, 512 * 9, out, 512));
	CHECK(memcmp(out, in, 512) != 0);
	sealed_free(s), sealed_free(other), sealed_free(NULL);
	close(fd), unlink(path);
}

/* ── machines ── */

static struct bench *bench;

/* By its data alone: holes are large. */
static bool found(const char *name)
{
	static char room[(1 << 20) + sizeof(MARKER)];
	int fd = open(bench_path(bench, name), O_RDONLY | O_CLOEXEC);
	bool is = false;
	for (off_t at = 0; !is && fd >= 0 && (at = lseek(fd, at, SEEK_DATA)) >= 0; at += 1 << 20) {
		ssize_t n = pread(fd, room, sizeof(room), at);
		is = n > 0 && str_find(str_n(room, (size_t)n), STR(MARKER)) >= 0;
	}
	if (fd >= 0) close(fd);
	return is;
}

/* Of the keeper's children: how many are named so, and with a signal. */
static int children(const char *name, int sig)
{
	int n = 0;
	DIR *d = opendir("/proc");
	for (struct dirent *e; d && (e = readdir(d));) {
		char at[64], text[64] = "", other[64];
		int pid = atoi(e->d_name), parent = 0, grand = 0;
		FILE *f;
		snprintf(at, sizeof(at), "/proc/%d/stat", pid);
		if (pid <= 0 || !(f = fopen(at, "r"))) continue;
		bool is = fscanf(f, "%*d (%63[^)]) %*c %d", text, &parent) == 2 && strcmp(text, name) == 0;
		fclose(f);
		snprintf(at, sizeof(at), "/proc/%d/stat", parent);
		if (!is || !(f = fopen(at, "r"))) continue;
		is = fscanf(f, "%*d (%63[^)]) %*c %d", other, &grand) == 2 && grand == getpid();
		fclose(f);
		if (is && sig) kill(pid, sig);
		n += is;
	}
	closedir(d);
	return n;
}

static int sealers(void)
{
	return children("virga-sealer", 0);
}

static bool sealers_are(int n)
{
	for (int64_t end = bench_ms() + 20000; bench_ms() < end;) {
		if (sealers() == n) return true;
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
	return false;
}

static bool runs(const char *line)
{
	int code;
	struct str said = bench_run(bench, "i-s", line, &code);
	if (code != 0) fprintf(stderr, "%s: %d: %.*s\n", line, code, STR_ARG(said));
	return code == 0;
}

TEST(machines_write_sealed)
{
	bench = bench_open();
	if (!bench) SKIP("no machines here");
	const char *without;
	if (!sealer_possible(&without)) SKIP(without);
	int before = sealers(), failed = test_failed;
	struct compute_rec_machine m = bench_machine(bench, "i-s");
	struct compute_rec_volume v = {.id = STR("vol-s"), .file = STR("vol-s"), .device = STR("/dev/sdf")};
	struct str why = STR("");
	CHECK_OK(volume_create(bench_path(bench, "vol-s"), 64 << 20));
	m.root_key = key_of("root");
	CHECK(bench_start(bench, &m) && bench_wait(bench, m.id, "running"));
	if (test_failed > failed) return;
	v.key = key_of("vol-s");
	CHECK_OK(host_machine_attach(bench->h, &bench->a, m.id, &v, &why));
	CHECK(sealers() == before + 2);
	CHECK(runs("mkfs.ext4 -q /dev/xvdf && mkdir /data && mount -t ext4 /dev/xvdf /data"));
	CHECK(runs("echo " MARKER " > /data/it && echo " MARKER " > /root/it && sync"));
	CHECK(!found("vol-s") && !found(m.root.p));
	/* Neither is in what the agent remembers. A file that is not sealed is found by the same grep. */
	CHECK(runs("true"));
	CHECK(system(str_fmt(&bench->a, "printf " MARKER " > %s", bench_path(bench, "control")).p) == 0 &&
		found("control"));
	/* The agent dies; the next finds volumes by their sealers. */
	CHECK(runs("(while [ ! -e /data/end ]; do echo x >> /data/log || exit 9; done) >/dev/null 2>&1 &"));
	CHECK(children("virga-agent", SIGKILL) == 1);
	CHECK(bench_wait(bench, m.id, "running"));
	CHECK(runs("a=$(wc -c < /data/log); sleep .2; b=$(wc -c < /data/log); [ $b -gt $a ]"));
	CHECK(runs("touch /data/end; sync; grep -q " MARKER " /data/it"));
	/* It grows online. */
	CHECK_OK(volume_grow(bench_path(bench, "vol-s"), 128 << 20));
	CHECK_OK(host_machine_volume_changed(bench->h, m.id, &v));
	CHECK(runs("[ $(blockdev --getsize64 /dev/xvdf) = 134217728 ]"));
	/* In use it is not let go; then it is, and its sealer goes. */
	CHECK(status_is(host_machine_detach(bench->h, m.id, v.id), STATUS_BUSY));
	CHECK(runs("umount /data"));
	CHECK_OK(host_machine_detach(bench->h, m.id, v.id));
	CHECK(sealers_are(before + 1));
	/* Again: what was written is there; with another key it is not. */
	CHECK_OK(host_machine_attach(bench->h, &bench->a, m.id, &v, &why));
	CHECK(runs("mount -t ext4 /dev/xvdf /data && grep -q " MARKER " /data/it && umount /data"));
	CHECK_OK(host_machine_detach(bench->h, m.id, v.id));
	v.key = key_of("another");
	CHECK_OK(host_machine_attach(bench->h, &bench->a, m.id, &v, &why));
	CHECK(runs("! mount -t ext4 /dev/xvdf /data"));
	v.key = STR("short");
	v.id = STR("vol-t"), v.device = STR("/dev/sdg");
	CHECK(status_is(host_machine_attach(bench->h, &bench->a, m.id, &v, &why), STATUS_INVALID));
	/* Stopped and started: the root volume is read again. */
	CHECK_OK(host_machine_stop(bench->h, m.id, false));
	CHECK(bench_wait(bench, m.id, "ended") && sealers_are(before));
	m.root_key = key_of("root");
	CHECK(bench_start(bench, &m) && bench_wait(bench, m.id, "running"));
	CHECK(runs("grep -q " MARKER " /root/it"));
	bench_close(bench);
	CHECK(sealers() == before);
}

TEST_MAIN()
