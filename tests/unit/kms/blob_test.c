/* Ciphertext blobs of KMS: layout, damage, contexts. */
#include "services/kms/blob.h"
#include "test.h"

static struct arena a;
static const uint8_t key[32] = {1, 2, 3}, other_key[32] = {1, 2, 4};
static char id[KMS_BLOB_ID_BYTES] = "0123456789abcdef0123456789abcde";
#define ARN STR("arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555")

static struct str seal(struct str context, struct str plain)
{
	return kms_blob_seal(&a, key, ARN, str_n(id, sizeof(id)), context, plain);
}

static status open_blob(const uint8_t *with, struct str bytes, struct str context, struct str *plain)
{
	struct kms_blob b;
	TRY(kms_blob_read(bytes, &b));
	return kms_blob_open(&a, with, &b, context, plain);
}

TEST(layout)
{
	arena_init(&a);
	struct str blob = seal(STR(""), STR("plain"));
	struct kms_blob b;
	CHECK(blob.n == KMS_BLOB_FIXED_BYTES + ARN.n + 5);
	CHECK_OK(kms_blob_read(blob, &b));
	CHECK_STR(b.key_arn, ARN);
	CHECK_STR(b.material_id, str_n(id, sizeof(id)));
	CHECK(b.header.n == 36 + ARN.n && b.iv.n == 12 && b.tag.n == 16 && b.ciphertext.n == 5);
	CHECK(str_find(blob, STR("plain")) < 0);
	/* The same twice is never the same. */
	CHECK(!str_eq(seal(STR(""), STR("plain")), blob));
	arena_cleanup(&a);
}

TEST(round_trips)
{
	arena_init(&a);
	for (size_t n = 0; n < 5000; n = n * 3 + 1) {
		char *p = arena_alloc(&a, n);
		for (size_t i = 0; i < n; i++) p[i] = (char)(i * 7);
		struct str plain, blob = seal(STR("context"), str_n(p, n));
		CHECK_OK(open_blob(key, blob, STR("context"), &plain));
		CHECK(str_eq(plain, str_n(p, n)));
		CHECK(status_is(open_blob(other_key, blob, STR("context"), &plain), STATUS_INVALID));
		CHECK(status_is(open_blob(key, blob, STR("contexu"), &plain), STATUS_INVALID));
		CHECK(status_is(open_blob(key, blob, STR(""), &plain), STATUS_INVALID));
	}
	arena_cleanup(&a);
}

TEST(every_bit_counts)
{
	arena_init(&a);
	struct str plain, blob = seal(STR("c"), STR("secret"));
	for (size_t bit = 0; bit < blob.n * 8; bit++) {
		char *p = arena_copy(&a, blob.p, blob.n);
		p[bit / 8] ^= (char)(1 << bit % 8);
		CHECK(status_is(open_blob(key, str_n(p, blob.n), STR("c"), &plain), STATUS_INVALID));
	}
	for (size_t n = 0; n < blob.n; n++) {
		char *p = arena_copy(&a, blob.p, n);
		CHECK(status_is(open_blob(key, str_n(p, n), STR("c"), &plain), STATUS_INVALID));
	}
	arena_cleanup(&a);
}

TEST(contexts_are_canonical)
{
	arena_init(&a);
	struct kms_pair one[] = {{STR("b"), STR("2")}, {STR("a"), STR("1")}},
			two[] = {{STR("a"), STR("1")}, {STR("b"), STR("2")}};
	CHECK(str_eq(kms_context_bytes(&a, one, 2), kms_context_bytes(&a, two, 2)));
	CHECK_STR(kms_context_bytes(&a, two, 1), str_n("\0\0\0\1a\0\0\0\1"
						       "1",
							 10));
	CHECK_STR(kms_context_bytes(&a, NULL, 0), STR(""));
	/* Where one ends and the next begins is part of it. */
	struct kms_pair joined[] = {{STR("a"), STR("1b")}, {STR(""), STR("2")}}, moved[] = {{STR("a1"), STR("")}};
	CHECK(!str_eq(kms_context_bytes(&a, two, 2), kms_context_bytes(&a, joined, 2)));
	CHECK(!str_eq(kms_context_bytes(&a, two, 1), kms_context_bytes(&a, moved, 1)));
	arena_cleanup(&a);
}

TEST_MAIN()
