/* The vault: wrapping, and the root key's file. */
#include "../store/folder.h"
#include "vault/vault.h"
#include <fcntl.h>

static struct arena a;

static status open_with(const char *dir, struct str passphrase, struct vault **v)
{
	struct vault_options o = {.dir = dir, .passphrase = passphrase};
	struct str why;
	status s = vault_open(&o, &a, v, &why);
	CHECK(is_ok(s) == !str_has(why));
	return s;
}

TEST(wrapping)
{
	arena_init(&a);
	struct vault *v = vault_new_forgetful(), *w = vault_new_forgetful();
	struct str plain, wrapped = vault_wrap(v, &a, STR("where"), STR("the secret"));
	CHECK(wrapped.n == 10 + VAULT_OVERHEAD && str_find(wrapped, STR("secret")) < 0);
	CHECK_OK(vault_unwrap(v, &a, STR("where"), wrapped, &plain));
	CHECK_STR(plain, STR("the secret"));
	vault_wipe(plain);
	CHECK(plain.p[0] == 0 && plain.p[9] == 0);
	CHECK(status_is(vault_unwrap(v, &a, STR("elsewhere"), wrapped, &plain), STATUS_CORRUPT));
	CHECK(status_is(vault_unwrap(v, &a, STR(""), wrapped, &plain), STATUS_CORRUPT));
	CHECK(status_is(vault_unwrap(w, &a, STR("where"), wrapped, &plain), STATUS_CORRUPT));
	for (size_t bit = 0; bit < wrapped.n * 8; bit++) {
		char *p = arena_copy(&a, wrapped.p, wrapped.n);
		p[bit / 8] ^= (char)(1 << bit % 8);
		CHECK(status_is(vault_unwrap(v, &a, STR("where"), str_n(p, wrapped.n), &plain), STATUS_CORRUPT));
	}
	for (size_t n = 0; n < wrapped.n; n++) {
		char *p = arena_copy(&a, wrapped.p, n);
		CHECK(status_is(vault_unwrap(v, &a, STR("where"), str_n(p, n), &plain), STATUS_CORRUPT));
	}
	wrapped = vault_wrap(v, &a, STR(""), STR(""));
	CHECK_OK(vault_unwrap(v, &a, STR(""), wrapped, &plain));
	CHECK(plain.n == 0);
	vault_close(v);
	vault_close(w);
	vault_close(NULL);
	arena_cleanup(&a);
}

static void put(const char *dir, const char *text, mode_t mode)
{
	char path[PATH_MAX + 16];
	snprintf(path, sizeof(path), "%s/root.key", dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0);
	close(fd);
}

TEST(files)
{
	char dir[PATH_MAX];
	arena_init(&a);
	folder_make(dir);
	struct vault *v;
	CHECK_OK(open_with(dir, STR_NONE, &v));
	struct str plain, wrapped = vault_wrap(v, &a, STR("c"), STR("x"));
	vault_close(v);
	CHECK_OK(open_with(dir, STR_NONE, &v));
	CHECK_OK(vault_unwrap(v, &a, STR("c"), wrapped, &plain));
	vault_close(v);
	CHECK(status_is(open_with(dir, STR("passphrase"), &v), STATUS_INVALID));
	const char *bad[] = {"", "\n", "virga-root-key-1\n", "virga-root-key-1 00\n", "virga-root-key-2 00\n",
		"virga-root-key-1 zz\n", "virga-root-passphrase-1\n", "virga-root-passphrase-1 00 00\n",
		"virga-root-key-1 "};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		put(dir, bad[i], 0600);
		CHECK(status_is(open_with(dir, STR_NONE, &v), STATUS_INVALID));
	}
	put(dir, "virga-root-key-1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", 0640);
	CHECK(status_is(open_with(dir, STR_NONE, &v), STATUS_INVALID));
	put(dir, "virga-root-key-1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", 0600);
	CHECK_OK(open_with(dir, STR_NONE, &v));
	vault_close(v);
	folder_remove(dir);
	CHECK(status_is(open_with(dir, STR_NONE, &v), STATUS_IO));
	arena_cleanup(&a);
}

TEST(passphrases)
{
	char dir[PATH_MAX];
	arena_init(&a);
	folder_make(dir);
	struct vault *v;
	CHECK_OK(open_with(dir, STR("correct horse"), &v));
	struct str plain, wrapped = vault_wrap(v, &a, STR("c"), STR("x"));
	vault_close(v);
	CHECK_OK(open_with(dir, STR("correct horse"), &v));
	CHECK_OK(vault_unwrap(v, &a, STR("c"), wrapped, &plain));
	vault_close(v);
	CHECK(status_is(open_with(dir, STR("wrong horse"), &v), STATUS_INVALID));
	CHECK(status_is(open_with(dir, STR_NONE, &v), STATUS_INVALID));
	folder_remove(dir);
	arena_cleanup(&a);
}

TEST(another_root_key_is_told)
{
	char dir[PATH_MAX];
	arena_init(&a);
	folder_make(dir);
	struct store_options o = {.dir = dir, .durability = DURABILITY_NONE};
	struct store *s;
	struct str why;
	CHECK_OK(store_open(&o, &a, &s, &why));
	struct vault *v = vault_new_forgetful(), *w = vault_new_forgetful();
	CHECK_OK(vault_match(v, s, &a));
	CHECK_OK(vault_match(v, s, &a));
	CHECK(status_is(vault_match(w, s, &a), STATUS_CORRUPT));
	vault_close(v);
	vault_close(w);
	store_close(s);
	folder_remove(dir);
	arena_cleanup(&a);
}

TEST_MAIN()
