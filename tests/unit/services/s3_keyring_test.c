/* The keyring: what it wraps opens after a restart and after rotations; another vault opens nothing; rewrapping by a new root key
 * keeps every key, so that no body has to be written again. */
#include "test.h"
#include "../store/folder.h"
#include "services/s3/keyring.h"
#include "vault/vault.h"

TEST(generations_and_rewrapping)
{
	uint8_t first[S3_KEY_BYTES], second[S3_KEY_BYTES], got[S3_KEY_BYTES];
	struct vault *v = vault_new_forgetful(), *other = vault_new_forgetful();
	char dir[PATH_MAX];
	struct store *s = folder_open(folder_make(dir), DURABILITY_NONE);
	struct s3_keyring *r, *again;
	CHECK_OK(s3_keyring_open(s, v, &r));
	CHECK(s3_keyring_newest(r, first) == 1);
	CHECK_OK(s3_keyring_rotate(r));
	CHECK(s3_keyring_newest(r, second) == 2);
	CHECK(memcmp(first, second, sizeof first) != 0);
	CHECK_OK(s3_keyring_key(r, 1, got));
	CHECK(memcmp(first, got, sizeof got) == 0);
	CHECK(status_is(s3_keyring_key(r, 0, got), STATUS_CORRUPT) && status_is(s3_keyring_key(r, 3, got), STATUS_CORRUPT));
	CHECK_OK(s3_keyring_open(s, v, &again));
	CHECK(s3_keyring_newest(again, got) == 2 && memcmp(second, got, sizeof got) == 0);
	s3_keyring_free(again);
	CHECK(status_is(s3_keyring_open(s, other, &again), STATUS_CORRUPT));
	CHECK(again == NULL);
	CHECK_OK(s3_keyring_rewrap(r, other));
	CHECK_OK(s3_keyring_open(s, other, &again));
	CHECK_OK(s3_keyring_key(again, 1, got));
	CHECK(memcmp(first, got, sizeof got) == 0);
	s3_keyring_free(again);
	CHECK(status_is(s3_keyring_open(s, v, &again), STATUS_CORRUPT));
	s3_keyring_free(r);
	store_close(s);
	folder_remove(dir);
	vault_close(v);
	vault_close(other);
}

TEST_MAIN()
