/* One-time passwords and JSON Web Tokens against the RFCs' own examples, and what is wrong with near misses. */
#include "base/json.h"
#include "services/iam/internal.h"
#include "services/sts/internal.h"
#include "test.h"

/* RFC 6238, appendix B: SHA-1; the last six of its eight digits. */
TEST(totp)
{
	struct arena a;
	arena_init(&a);
	static const struct {
		int64_t at_s;
		const char *code;
	} vectors[] = {{59, "287082"}, {1111111109, "081804"}, {1111111111, "050471"}, {1234567890, "005924"},
		{2000000000, "279037"}, {20000000000, "353130"}};
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		CHECK_STR(iam_totp(&a, STR("12345678901234567890"), vectors[i].at_s / 30), str_c(vectors[i].code));
	arena_cleanup(&a);
}

/* RFC 7515, appendix A.3. */
#define ES_SIGNED                                                                                                      \
	"eyJhbGciOiJFUzI1NiJ9."                                                                                        \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define ES_SIGNATURE "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define ES_KEYS                                                                                                        \
	"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","          \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}"

static status verify(struct arena *a, struct str token, struct str set)
{
	struct jwt t;
	struct json_value *keys;
	TRY(jwt_read(a, token, &t));
	TRY(json_read(a, set, &keys));
	return jwt_verify(a, &t, keys);
}

TEST(es256)
{
	struct arena a;
	arena_init(&a);
	struct jwt t;
	CHECK_OK(jwt_read(&a, STR(ES_SIGNED "." ES_SIGNATURE), &t));
	CHECK_STR(json_string(json_member(t.claims, STR("iss"))), STR("joe"));
	CHECK_OK(verify(&a, STR(ES_SIGNED "." ES_SIGNATURE), STR(ES_KEYS)));
	/* Another character anywhere in what is signed, or in the signature. */
	struct str good = STR(ES_SIGNED "." ES_SIGNATURE);
	for (size_t i = sizeof("eyJhbGciOiJFUzI1NiJ9."); i + 2 < good.n; i += 7) {
		struct str bad = str_dup(&a, good);
		char *p = arena_copy(&a, bad.p, bad.n);
		if (p[i] == '.') continue;
		p[i] = p[i] == 'A' ? 'B' : 'A';
		CHECK(!is_ok(verify(&a, str_n(p, bad.n), STR(ES_KEYS))));
	}
	CHECK(status_is(verify(&a, good, STR("{\"keys\":[]}")), STATUS_NOT_FOUND));
	CHECK(status_is(verify(&a, good, STR("[]")), STATUS_NOT_FOUND));
	arena_cleanup(&a);
}

TEST(not_tokens)
{
	struct arena a;
	arena_init(&a);
	struct jwt t;
	static const char *const wrong[] = {"", ".", "..", "a.b.c", ES_SIGNED, ES_SIGNED ".",
		ES_SIGNED "." ES_SIGNATURE ".x", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
		"eyJhbGciOiJFUzI1NiJ9.W10.AAAA", "W10.e30.AAAA", "eyJhbGciOiJFUzI1NiIsImNyaXQiOltdfQ.e30.AAAA"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		bool read = is_ok(jwt_read(&a, str_c(wrong[i]), &t));
		/* An empty signature reads, and verifies by no key. */
		CHECK(!read || status_is(verify(&a, str_c(wrong[i]), STR(ES_KEYS)), STATUS_INVALID));
	}
	arena_cleanup(&a);
}

TEST(role_arns)
{
	struct str account, path, name;
	CHECK(sts_role_arn_split(STR("arn:aws:iam::111122223333:role/a/b/ops"), &account, &path, &name));
	CHECK_STR(account, STR("111122223333"));
	CHECK_STR(path, STR("/a/b/"));
	CHECK_STR(name, STR("ops"));
	CHECK(sts_role_arn_split(STR("arn:aws:iam::1:role/ops"), &account, &path, &name));
	CHECK_STR(path, STR("/"));
	static const char *const wrong[] = {"", "arn", "arn:aws:iam::1:role", "arn:aws:iam::1:role/",
		"arn:aws:iam::1:user/ops", "arn:aws:sts::1:role/ops", "role/ops"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK(!sts_role_arn_split(str_c(wrong[i]), &account, &path, &name));
}

TEST_MAIN()
