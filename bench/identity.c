/* What it costs to find out who calls: an access key looked up in the store. Usage: bench_identity [keys] [look-ups] */
#include "identity/identity.h"
#include "clock/clock.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st, (void)type, (void)f;
	return remove(path);
}

static struct principal user(struct arena *a, int64_t i)
{
	return (struct principal){.kind = PRINCIPAL_USER,
		.account = STR("111122223333"),
		.arn = str_fmt(a, "arn:aws:iam::111122223333:user/u%lld", (long long)i),
		.user_id = STR("AIDAEXAMPLEEXAMPLE"),
		.access_key = str_fmt(a, "AKIA%016lld", (long long)i),
		.name = str_fmt(a, "u%lld", (long long)i),
		.session = STR(""),
		.secret = STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
		.session_record = STR("")};
}

static int fill(struct store *s, int64_t keys)
{
	struct arena a;
	arena_init(&a);
	for (int64_t i = 0; i < keys;) {
		struct store_tx *tx = store_begin(s, &a, false);
		for (int64_t end = i + 1000 < keys ? i + 1000 : keys; i < end; i++) {
			struct principal p = user(&a, i);
			identity_key_put(tx, &a, &p, STR(""));
		}
		store_ticket t;
		if (!is_ok(store_commit(tx, &t))) return 1;
		store_end(tx);
		arena_reset(&a);
	}
	arena_cleanup(&a);
	return 0;
}

static int look_up(struct store *s, int64_t keys, int64_t n)
{
	struct arena a;
	arena_init(&a);
	int64_t start = clock_monotonic_us(), found = 0;
	for (int64_t i = 0; i < n; i++) {
		struct sigv4 sig = {.kind = SIG_HEADER,
			.access_key = str_fmt(&a, "AKIA%016lld", (long long)(i * 7919 % keys)),
			.service = STR("sqs"),
			.session_token = STR_NONE};
		struct principal p;
		struct wire_failure why;
		struct store_tx *tx = store_begin(s, &a, true);
		found += is_ok(identity_resolve(tx, &a, &sig, true, 0, &p, &why));
		store_end(tx);
		arena_reset(&a);
	}
	printf("%lld keys: %.0f ns a look-up, transaction included\n", (long long)keys,
		(double)(clock_monotonic_us() - start) * 1000 / (double)n);
	arena_cleanup(&a);
	return found != n;
}

int main(int argc, char **argv)
{
	int64_t keys = 10000, n = 200000;
	if (argc > 1 && !is_ok(str_to_i64(str_c(argv[1]), &keys))) return 2;
	if (argc > 2 && !is_ok(str_to_i64(str_c(argv[2]), &n))) return 2;
	if (keys < 1 || n < 1) return 2;
	char dir[] = "/tmp/virga-bench-XXXXXX";
	struct arena a;
	arena_init(&a);
	struct store *s;
	struct str why;
	struct store_options o = {.dir = mkdtemp(dir), .durability = DURABILITY_RELAXED};
	if (!o.dir || !is_ok(store_open(&o, &a, &s, &why))) return 1;
	int code = fill(s, keys);
	if (!code) code = look_up(s, keys, n);
	store_close(s);
	arena_cleanup(&a);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return code;
}
