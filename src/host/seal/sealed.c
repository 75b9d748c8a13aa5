/* See sealed.h. */
#include "host/seal/sealed.h"
#include "host/compute/files.h"
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>

enum { TWEAK = 16, PIECE = 64 << 10 };

struct sealed {
	EVP_CIPHER_CTX *shut, *open;
};

struct str sealed_key(struct arena *a, struct str data_key, struct str name)
{
	char *out = arena_alloc(a, SEALED_KEY);
	struct str info = str_cat(a, STR("virga sealed file 1 "), name);
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *x = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	OSSL_PARAM p[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t) "SHA512", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)data_key.p, data_key.n),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.p, info.n),
		OSSL_PARAM_construct_end(),
	};
	INVARIANT(x && data_key.n >= 16 && EVP_KDF_derive(x, (unsigned char *)out, SEALED_KEY, p) == 1);
	EVP_KDF_CTX_free(x);
	EVP_KDF_free(kdf);
	return str_n(out, SEALED_KEY);
}

struct sealed *sealed_new(struct str key)
{
	struct sealed *s = mem_new(sizeof(*s));
	const unsigned char *k = (const unsigned char *)key.p;
	INVARIANT(key.n == SEALED_KEY);
	s->shut = EVP_CIPHER_CTX_new(), s->open = EVP_CIPHER_CTX_new();
	INVARIANT(s->shut && s->open && EVP_EncryptInit_ex(s->shut, EVP_aes_256_xts(), NULL, k, NULL) == 1 &&
		  EVP_DecryptInit_ex(s->open, EVP_aes_256_xts(), NULL, k, NULL) == 1);
	return s;
}

void sealed_free(struct sealed *s)
{
	if (!s) return;
	EVP_CIPHER_CTX_free(s->shut);
	EVP_CIPHER_CTX_free(s->open);
	free(s);
}

/* IEEE Std 1619-2018, 5.1: the data unit's number, little endian. */
static void tweak_of(uint64_t sector, unsigned char out[static TWEAK])
{
	for (unsigned i = 0; i < TWEAK; i++) out[i] = i < 8 ? (unsigned char)(sector >> (8 * i)) : 0;
}

void sealed_shut(const struct sealed *s, uint64_t sector, void *p, size_t n)
{
	unsigned char tweak[TWEAK], *at = p;
	int got;
	INVARIANT(n % SEALED_SECTOR == 0);
	for (size_t i = 0; i < n; i += SEALED_SECTOR) {
		tweak_of(sector++, tweak);
		INVARIANT(EVP_EncryptInit_ex(s->shut, NULL, NULL, NULL, tweak) == 1 &&
			  EVP_EncryptUpdate(s->shut, at + i, &got, at + i, SEALED_SECTOR) == 1);
	}
}

static bool is_hole(const unsigned char *p)
{
	return p[0] == 0 && memcmp(p, p + 1, SEALED_SECTOR - 1) == 0;
}

void sealed_open(const struct sealed *s, uint64_t sector, void *p, size_t n)
{
	unsigned char tweak[TWEAK], *at = p;
	int got;
	INVARIANT(n % SEALED_SECTOR == 0);
	for (size_t i = 0; i < n; i += SEALED_SECTOR, sector++) {
		if (is_hole(at + i)) continue;
		tweak_of(sector, tweak);
		INVARIANT(EVP_DecryptInit_ex(s->open, NULL, NULL, NULL, tweak) == 1 &&
			  EVP_DecryptUpdate(s->open, at + i, &got, at + i, SEALED_SECTOR) == 1);
	}
}

/* ── any place ── by pieces of whole sectors */

struct piece {
	uint64_t first;  /* sector */
	size_t head, n;  /* the wanted bytes within it */
	size_t whole;    /* its bytes, whole sectors */
	bool whole_only; /* nothing but wanted bytes */
};

static struct piece piece_at(uint64_t at, size_t left)
{
	struct piece p = {.first = at / SEALED_SECTOR, .head = at % SEALED_SECTOR};
	p.n = left < PIECE - p.head ? left : PIECE - p.head;
	p.whole = (p.head + p.n + SEALED_SECTOR - 1) / SEALED_SECTOR * SEALED_SECTOR;
	p.whole_only = p.whole == p.n;
	return p;
}

status sealed_read_at(const struct sealed *s, int fd, uint64_t at, void *p, size_t n)
{
	if (!s) return files_read_at(fd, at, p, n);
	char *room = mem_new(PIECE);
	status st = OK;
	for (size_t done = 0; done < n && is_ok(st);) {
		struct piece k = piece_at(at + done, n - done);
		st = files_read_at(fd, k.first * SEALED_SECTOR, room, k.whole);
		if (!is_ok(st)) break;
		sealed_open(s, k.first, room, k.whole);
		memcpy((char *)p + done, room + k.head, k.n);
		done += k.n;
	}
	OPENSSL_cleanse(room, PIECE);
	free(room);
	return st;
}

status sealed_write_at(const struct sealed *s, int fd, uint64_t at, const void *p, size_t n)
{
	if (!s) return files_write_at(fd, at, p, n);
	char *room = mem_new(PIECE);
	status st = OK;
	for (size_t done = 0; done < n && is_ok(st);) {
		struct piece k = piece_at(at + done, n - done);
		if (!k.whole_only) {
			st = files_read_at(fd, k.first * SEALED_SECTOR, room, k.whole);
			if (!is_ok(st)) break;
			sealed_open(s, k.first, room, k.whole);
		}
		memcpy(room + k.head, (const char *)p + done, k.n);
		sealed_shut(s, k.first, room, k.whole);
		st = files_write_at(fd, k.first * SEALED_SECTOR, room, k.whole);
		done += k.n;
	}
	free(room);
	return st;
}
