/* Access keys to principals: default, account, issued, temporary, revoked; and the installation's own key. */
#include "../store/folder.h"
#include "identity/identity.h"

#define NOW_MS 1790000000000

struct world {
	struct arena arena;
	char dir[PATH_MAX];
	struct store *store;
	struct principal p;
	struct wire_failure why;
};

static void begin(struct world *w)
{
	arena_init(&w->arena);
	folder_make(w->dir);
	w->store = folder_open(w->dir, DURABILITY_RELAXED);
}

static void end(struct world *w)
{
	store_close(w->store);
	folder_remove(w->dir);
	arena_cleanup(&w->arena);
}

static void put(struct world *w, const struct principal *p, struct str token)
{
	struct store_tx *tx = store_begin(w->store, &w->arena, false);
	store_ticket t;
	identity_key_put(tx, &w->arena, p, token);
	CHECK_OK(store_commit(tx, &t));
	store_end(tx);
}

static bool resolve(struct world *w, struct str key, struct str token, bool strict, int64_t now_ms, const char *service)
{
	struct sigv4 s = {.kind = SIG_HEADER, .access_key = key, .session_token = token, .service = str_c(service)};
	w->why = (struct wire_failure){0};
	struct store_tx *tx = store_begin(w->store, &w->arena, true);
	bool found = is_ok(identity_resolve(tx, &w->arena, &s, strict, now_ms, &w->p, &w->why));
	store_end(tx);
	return found;
}

TEST(keys_that_nobody_issued)
{
	struct world w;
	begin(&w);
	CHECK(resolve(&w, STR("test"), STR_NONE, false, NOW_MS, "sqs"));
	CHECK(w.p.kind == PRINCIPAL_ROOT && !w.p.verified && !str_has(w.p.secret));
	CHECK_STR(w.p.account, STR("000000000000"));
	CHECK_STR(w.p.arn, STR("arn:aws:iam::000000000000:root"));
	CHECK_STR(w.p.user_id, STR("000000000000"));
	CHECK_STR(w.p.access_key, STR("test"));
	CHECK(resolve(&w, STR("123456789012"), STR("any token"), false, NOW_MS, "sqs"));
	CHECK_STR(w.p.account, STR("123456789012"));
	CHECK_STR(w.p.arn, STR("arn:aws:iam::123456789012:root"));
	CHECK(resolve(&w, STR("12345678901x"), STR_NONE, false, NOW_MS, "sqs"));
	CHECK_STR(w.p.account, STR("000000000000"));
	char long_key[300];
	memset(long_key, 'k', sizeof(long_key));
	CHECK(resolve(&w, str_n(long_key, sizeof(long_key)), STR_NONE, false, NOW_MS, "sqs"));

	CHECK(!resolve(&w, STR("test"), STR_NONE, true, NOW_MS, "sqs"));
	CHECK(w.why.id == ERR_UNKNOWN_KEY);
	CHECK_STR(w.why.message, STR("The security token included in the request is invalid."));
	CHECK(!resolve(&w, STR("123456789012"), STR_NONE, true, NOW_MS, "s3"));
	CHECK(w.why.id == ERR_UNKNOWN_KEY && w.why.n_details == 1);
	CHECK_STR(w.why.message, STR("The AWS Access Key Id you provided does not exist in our records."));
	end(&w);
}

TEST(unsigned_requests_are_anonymous)
{
	struct world w;
	begin(&w);
	struct sigv4 s = {.kind = SIG_NONE};
	struct store_tx *tx = store_begin(w.store, &w.arena, true);
	CHECK_OK(identity_resolve(tx, &w.arena, &s, true, NOW_MS, &w.p, &w.why));
	store_end(tx);
	CHECK(w.p.kind == PRINCIPAL_ANONYMOUS);
	CHECK_STR(w.p.account, STR(""));
	end(&w);
}

TEST(issued_keys)
{
	struct world w;
	begin(&w);
	struct arena *a = &w.arena;
	struct principal user = {.kind = PRINCIPAL_USER,
		.account = STR("111122223333"),
		.arn = STR("arn:aws:iam::111122223333:user/div/alice"),
		.user_id = STR("AIDAEXAMPLE"),
		.access_key = identity_new_key_id(a, false),
		.name = STR("alice"),
		.session = STR(""),
		.secret = identity_new_secret(a),
		.session_record = STR("")};
	CHECK(user.access_key.n == 20 && str_starts(user.access_key, STR("AKIA")) && user.secret.n == 40);
	CHECK(str_starts(identity_new_key_id(a, true), STR("ASIA")));
	put(&w, &user, STR(""));
	for (int strict = 0; strict < 2; strict++) {
		CHECK(resolve(&w, user.access_key, STR_NONE, strict, NOW_MS, "sqs"));
		CHECK(w.p.kind == PRINCIPAL_USER);
		CHECK_STR(w.p.account, user.account);
		CHECK_STR(w.p.arn, user.arn);
		CHECK_STR(w.p.user_id, user.user_id);
		CHECK_STR(w.p.access_key, user.access_key);
		CHECK_STR(w.p.name, user.name);
		CHECK_STR(w.p.secret, user.secret);
		CHECK(w.p.expires_ms == 0);
		CHECK(!resolve(&w, user.access_key, STR("a token"), strict, NOW_MS, "sqs"));
		CHECK(w.why.id == ERR_INVALID_TOKEN);
	}
	struct store_tx *tx = store_begin(w.store, a, false);
	store_ticket t;
	identity_key_delete(tx, a, user.access_key);
	CHECK_OK(store_commit(tx, &t));
	store_end(tx);
	/* Also where unknown keys are the default root: this one is known as taken back. */
	for (int strict = 0; strict < 2; strict++) {
		CHECK(!resolve(&w, user.access_key, STR_NONE, strict, NOW_MS, "sqs"));
		CHECK(w.why.id == ERR_UNKNOWN_KEY);
	}
	end(&w);
}

TEST(temporary_keys)
{
	struct world w;
	begin(&w);
	struct arena *a = &w.arena;
	struct str token = identity_new_session_token(a), other = identity_new_session_token(a);
	CHECK(token.n == 256 && !str_eq(token, other));
	struct principal role = {.kind = PRINCIPAL_ASSUMED_ROLE,
		.account = STR("111122223333"),
		.arn = STR("arn:aws:sts::111122223333:assumed-role/ops/bob"),
		.user_id = STR("AROAEXAMPLE:bob"),
		.access_key = identity_new_key_id(a, true),
		.name = STR("ops"),
		.session = STR("bob"),
		.secret = identity_new_secret(a),
		.expires_ms = NOW_MS + 3600000,
		.session_record = STR("\1\2\0\3")};
	put(&w, &role, token);
	CHECK(resolve(&w, role.access_key, token, true, NOW_MS, "sts"));
	CHECK(w.p.kind == PRINCIPAL_ASSUMED_ROLE && w.p.expires_ms == role.expires_ms);
	CHECK_STR(w.p.session, role.session);
	CHECK_STR(w.p.session_record, role.session_record);
	struct str wrong[] = {STR_NONE, STR(""), other, str_sub(token, 0, 255), STR("x")};
	for (size_t i = 0; i < 5; i++) {
		CHECK(!resolve(&w, role.access_key, wrong[i], false, NOW_MS, "sts"));
		CHECK(w.why.id == ERR_INVALID_TOKEN);
	}
	CHECK(resolve(&w, role.access_key, token, true, NOW_MS + 3599999, "sts"));
	CHECK(!resolve(&w, role.access_key, token, true, NOW_MS + 3600000, "s3"));
	CHECK(w.why.id == ERR_EXPIRED_TOKEN);
	CHECK_STR(w.why.message, STR("The provided token has expired."));
	end(&w);
}

TEST(the_installations_own_key)
{
	struct world w;
	begin(&w);
	struct principal first, second;
	CHECK_OK(identity_root_key(w.store, &w.arena, &first));
	CHECK(first.kind == PRINCIPAL_ROOT);
	CHECK_STR(first.arn, STR("arn:aws:iam::000000000000:root"));
	CHECK(first.secret.n == 40);
	char path[PATH_MAX + 32], text[512] = {0};
	snprintf(path, sizeof(path), "%s/credentials", w.dir);
	struct stat st;
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	FILE *f = fopen(path, "re");
	CHECK(f && fread(text, 1, sizeof(text) - 1, f) > 0);
	if (f) fclose(f);
	CHECK_STR(str_c(text), str_fmt(&w.arena, "[default]\naws_access_key_id = %.*s\naws_secret_access_key = %.*s\n",
				       STR_ARG(first.access_key), STR_ARG(first.secret)));

	store_close(w.store);
	CHECK(remove(path) == 0);
	w.store = folder_open(w.dir, DURABILITY_RELAXED);
	CHECK_OK(identity_root_key(w.store, &w.arena, &second));
	CHECK_STR(second.access_key, first.access_key);
	CHECK_STR(second.secret, first.secret);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	CHECK(resolve(&w, first.access_key, STR_NONE, true, NOW_MS, "s3"));
	CHECK(w.p.kind == PRINCIPAL_ROOT);
	CHECK_STR(w.p.secret, first.secret);
	end(&w);
}

TEST_MAIN()
