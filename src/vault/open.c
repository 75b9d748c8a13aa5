/* The root key's file. One line of text, in one of two forms:
 *     virga-root-key-1 KEY
 *     virga-root-passphrase-1 SALT CHECK
 * all in hexadecimal: 32 bytes of key; 32 of salt, and 32 of HMAC-SHA-256(key, "virga vault check") by which a wrong
 * passphrase is told from damage. */
#include "base/log.h"
#include "base/rand.h"
#include "identity/digest.h"
#include "vault/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "root.key"
#define KEY_WORD "virga-root-key-1"
#define PASSPHRASE_WORD "virga-root-passphrase-1"
#define CHECK_TEXT STR("virga vault check")
enum { ROOT_BYTES = 32, SALT_BYTES = 32, LINE_MAX_BYTES = 256 };

static status derive(struct str passphrase, struct str salt, uint8_t root[ROOT_BYTES])
{
	/* 128 * N * r bytes of memory: 32 MiB. */
	int good = EVP_PBE_scrypt(passphrase.p, passphrase.n, (const uint8_t *)salt.p, salt.n, 1u << 15, 8, 1,
		64u << 20, root, ROOT_BYTES);
	return good == 1 ? OK : STATUS(IO);
}

static status write_file(int dir_fd, const char *name, struct str text)
{
	const char *fresh = FILE_NAME ".new";
	(void)unlinkat(dir_fd, fresh, 0);
	int fd = openat(dir_fd, fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) return STATUS(IO);
	bool good = write(fd, text.p, text.n) == (ssize_t)text.n && fsync(fd) == 0;
	good = close(fd) == 0 && good;
	good = good && renameat(dir_fd, fresh, dir_fd, name) == 0 && fsync(dir_fd) == 0;
	return good ? OK : STATUS(IO);
}

static status make(int dir_fd, const struct vault_options *o, struct arena *a, struct vault *v)
{
	if (!str_has(o->passphrase)) {
		rand_bytes(v->root, ROOT_BYTES);
		struct str hex = str_hex(a, str_n(v->root, ROOT_BYTES)),
			   line = str_fmt(a, KEY_WORD " %.*s\n", STR_ARG(hex));
		status s = write_file(dir_fd, FILE_NAME, line);
		vault_wipe(hex);
		vault_wipe(line);
		return s;
	}
	uint8_t salt[SALT_BYTES], check[32];
	rand_bytes(salt, sizeof(salt));
	TRY(derive(o->passphrase, str_n(salt, sizeof(salt)), v->root));
	digest_hmac_sha256(str_n(v->root, ROOT_BYTES), CHECK_TEXT, check);
	return write_file(dir_fd, FILE_NAME,
		str_fmt(a, PASSPHRASE_WORD " %.*s %.*s\n", STR_ARG(str_hex(a, str_n(salt, sizeof(salt)))),
			STR_ARG(str_hex(a, str_n(check, sizeof(check))))));
}

static status refuse(struct str *why, struct str sentence)
{
	*why = sentence;
	return STATUS(INVALID);
}

static status read_line(
	struct str line, const struct vault_options *o, struct arena *a, struct vault *v, struct str *why)
{
	struct str rest = line, word, first, second, bytes, check;
	if (!str_ends(rest, STR("\n"))) return refuse(why, STR("the root key's file (root.key) is damaged"));
	rest.n--;
	word = str_cut(&rest, ' ');
	if (str_is(word, KEY_WORD)) {
		if (str_has(o->passphrase))
			return refuse(why,
				STR("a passphrase is given, but this data folder's root key is a file (root.key)"));
		if (!str_has(rest) || !is_ok(str_unhex(a, rest, &bytes)) || bytes.n != ROOT_BYTES)
			return refuse(why, STR("the root key's file (root.key) is damaged"));
		memcpy(v->root, bytes.p, ROOT_BYTES);
		vault_wipe(bytes);
		return OK;
	}
	first = str_has(rest) ? str_cut(&rest, ' ') : STR("");
	second = str_or(rest, STR(""));
	if (!str_is(word, PASSPHRASE_WORD) || !is_ok(str_unhex(a, first, &bytes)) || bytes.n != SALT_BYTES ||
		!is_ok(str_unhex(a, second, &check)) || check.n != 32)
		return refuse(why, STR("the root key's file (root.key) is damaged"));
	if (!str_has(o->passphrase))
		return refuse(why, STR("this data folder needs its passphrase: VIRGA_PASSPHRASE or --passphrase-file"));
	TRY(derive(o->passphrase, bytes, v->root));
	uint8_t actual[32];
	digest_hmac_sha256(str_n(v->root, ROOT_BYTES), CHECK_TEXT, actual);
	if (!str_eq_secret(str_n(actual, sizeof(actual)), check))
		return refuse(why, STR("the passphrase is not this data folder's"));
	return OK;
}

static status load(int dir_fd, const struct vault_options *o, struct arena *a, struct vault *v, struct str *why)
{
	int fd = openat(dir_fd, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) return errno == ENOENT ? STATUS(NOT_FOUND) : STATUS(IO);
	char text[LINE_MAX_BYTES];
	struct stat st;
	ssize_t n = fstat(fd, &st) == 0 ? read(fd, text, sizeof(text)) : -1;
	close(fd);
	if (n < 0) return STATUS(IO);
	status s;
	if (st.st_mode & 077)
		s = refuse(why, STR("others may read the root key's file: chmod 600 root.key in the data folder"));
	else
		s = read_line(str_n(text, (size_t)n), o, a, v, why);
	OPENSSL_cleanse(text, sizeof(text));
	return s;
}

status vault_open(const struct vault_options *o, struct arena *a, struct vault **out, struct str *why)
{
	*out = NULL;
	*why = STR_NONE;
	int dir_fd = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0) {
		*why = str_fmt(a, "cannot open %s: %s", o->dir, strerror(errno));
		return STATUS(IO);
	}
	struct vault *v = mem_new(sizeof(*v));
	status s = load(dir_fd, o, a, v, why);
	if (status_is(s, STATUS_NOT_FOUND)) s = make(dir_fd, o, a, v);
	if (!is_ok(s) && !str_has(*why))
		*why = str_fmt(a, "cannot read or make root.key in %s: %s", o->dir, strerror(errno));
	close(dir_fd);
	if (!is_ok(s)) {
		vault_close(v);
		return s;
	}
	*out = v;
	return OK;
}
