/* KMS keys as other services use them (services/kms/keys.h): on a real store, with KMS's own state. */
#include "../store/folder.h"
#include "call/call.h"
#include "kms_state.h"
#include "policy/authz.h"
#include "policy/provider.h"
#include "services/kms/blob.h"
#include "services/kms/keys.h"
#include "store/key.h"
#include "vault/vault.h"

extern const struct service service_kms;
static const struct service *const only[] = {&service_kms};

struct room {
	char dir[PATH_MAX];
	struct arena a;
	struct cloud cloud;
	void *state[1];
	struct store_tx *tx;
	struct kms_use u;
};

static void again(struct room *r, bool commit)
{
	if (commit) {
		store_ticket t;
		CHECK_OK(store_commit(r->tx, &t));
	}
	store_end(r->tx);
	r->tx = r->u.tx = store_begin(r->cloud.store, &r->a, false);
}

static void enter(struct room *r)
{
	*r = (struct room){0};
	folder_make(r->dir);
	arena_init(&r->a);
	struct store_options o = {.dir = r->dir, .durability = DURABILITY_NONE};
	struct str why;
	CHECK_OK(store_open(&o, &r->a, &r->cloud.store, &why));
	r->cloud.clock = clock_new(NULL);
	r->cloud.jobs = jobs_new(r->cloud.store, r->cloud.clock);
	r->cloud.vault = vault_new_forgetful();
	r->cloud.services = only;
	r->cloud.n_services = 1;
	r->cloud.service_state = r->state;
	CHECK_OK(service_kms.start(&r->cloud, &r->state[0]));
	r->tx = store_begin(r->cloud.store, &r->a, false);
	r->u = (struct kms_use){
		&r->cloud, r->tx, &r->a, STR("111122223333"), STR("us-east-1"), clock_now(r->cloud.clock)};
}

static void leave(struct room *r)
{
	store_end(r->tx);
	service_kms.stop(r->state[0]);
	jobs_free(r->cloud.jobs);
	clock_free(r->cloud.clock);
	vault_close(r->cloud.vault);
	store_close(r->cloud.store);
	arena_cleanup(&r->a);
	folder_remove(r->dir);
}

static const struct kms_pair context[] = {{{"aws:s3:arn", 10}, {"arn:aws:s3:::b", 14}}};

TEST(data_keys)
{
	struct room r;
	struct kms_data_key key, other;
	struct kms_refusal why;
	struct str plain, arn;
	enter(&r);
	CHECK_OK(kms_use_data_key(&r.u, STR("alias/aws/s3"), context, 1, 32, &key, &why));
	CHECK(key.plain.n == 32 && key.blob.n <= 32 + KMS_USE_BLOB_MAX);
	CHECK(str_starts(key.key_arn, STR("arn:aws:kms:us-east-1:111122223333:key/")));
	again(&r, true);
	CHECK_OK(kms_use_data_key(&r.u, STR("alias/aws/s3"), context, 1, 32, &other, &why));
	CHECK_STR(other.key_arn, key.key_arn);
	CHECK(!str_eq(other.plain, key.plain));
	CHECK_OK(kms_use_decrypt(&r.u, key.blob, STR_NONE, context, 1, &plain, &arn, &why));
	CHECK_STR(plain, key.plain);
	CHECK_STR(arn, key.key_arn);
	CHECK_OK(kms_use_decrypt(&r.u, key.blob, key.key_arn, context, 1, &plain, NULL, &why));
	CHECK(status_is(kms_use_decrypt(&r.u, key.blob, STR_NONE, NULL, 0, &plain, &arn, &why), STATUS_FAILED));
	CHECK(why.why == KMS_WHY_INVALID_CIPHERTEXT);
	CHECK_STR(why.code, STR("InvalidCiphertextException"));
	CHECK_OK(kms_use_encrypt(&r.u, key.key_arn, NULL, 0, STR("parameter"), &plain, &arn, &why));
	CHECK_OK(kms_use_decrypt(&r.u, plain, STR_NONE, NULL, 0, &plain, NULL, &why));
	CHECK_STR(plain, STR("parameter"));
	leave(&r);
}

TEST(refusals)
{
	struct room r;
	struct kms_data_key key;
	struct kms_refusal why;
	struct str arn, second;
	enter(&r);
	CHECK(status_is(kms_use_data_key(&r.u, STR("alias/mine"), NULL, 0, 32, &key, &why), STATUS_FAILED));
	CHECK(why.why == KMS_WHY_NOT_FOUND);
	CHECK_STR(why.message, STR("Alias arn:aws:kms:us-east-1:111122223333:alias/mine is not found."));
	CHECK(status_is(kms_use_find(&r.u, STR("alias/aws/sqs"), &arn, &why), STATUS_FAILED));
	CHECK(why.why == KMS_WHY_NOT_FOUND);
	CHECK_OK(kms_ensure_managed_key(&r.u, STR("alias/aws/sqs"), &arn, &why));
	CHECK_OK(kms_ensure_managed_key(&r.u, STR("alias/aws/ssm"), &second, &why));
	CHECK(!str_eq(arn, second));
	CHECK_OK(kms_use_find(&r.u, STR("alias/aws/sqs"), &second, &why));
	CHECK_STR(second, arn);
	CHECK(status_is(kms_ensure_managed_key(&r.u, STR("alias/aws/unheard-of"), &arn, &why), STATUS_FAILED));
	CHECK(status_is(
		kms_use_resolve(&r.u, STR("arn:aws:kms:us-west-2:111122223333:key/x"), &arn, &why), STATUS_FAILED));
	CHECK(why.why == KMS_WHY_NOT_FOUND);
	CHECK(status_is(kms_use_resolve(&r.u, STR("arn:aws:s3:::b"), &arn, &why), STATUS_FAILED));
	CHECK(why.why == KMS_WHY_INVALID_INPUT);
	leave(&r);
}

/* As DisableKey and ScheduleKeyDeletion write it. */
static void set_state(struct room *r, struct str arn, struct str state)
{
	struct str bytes;
	struct kms_rec_key k = {0};
	struct key key = key_for(&r->a, STR("kms"), STR("key"), r->u.account, r->u.region);
	key_str(&key, str_from(arn, (size_t)(str_rchr(arn, '/') + 1)));
	CHECK_OK(store_get(r->tx, key_done(&key), &bytes));
	CHECK_OK(kms_rec_key_decode(&r->a, bytes, &k));
	k.state = state;
	store_put(r->tx, key_done(&key), kms_rec_key_encode(&r->a, &k));
}

TEST(states_count_at_once)
{
	struct room r;
	struct kms_data_key key;
	struct kms_refusal why;
	struct str plain;
	enter(&r);
	CHECK_OK(kms_use_data_key(&r.u, STR("alias/aws/s3"), NULL, 0, 32, &key, &why));
	set_state(&r, key.key_arn, STR("Disabled"));
	CHECK(status_is(kms_use_decrypt(&r.u, key.blob, STR_NONE, NULL, 0, &plain, NULL, &why), STATUS_FAILED));
	CHECK(why.why == KMS_WHY_DISABLED);
	set_state(&r, key.key_arn, STR("PendingDeletion"));
	CHECK(status_is(kms_use_data_key(&r.u, key.key_arn, NULL, 0, 32, &key, &why), STATUS_FAILED));
	CHECK(why.why == KMS_WHY_INVALID_STATE);
	leave(&r);
}

/* What S3 would ask for its caller, decided by the policy engine. */
static bool allowed(struct room *r, const struct principal *who, struct str reference, struct str via)
{
	struct call c = {.arena = &r->a,
		.cloud = &r->cloud,
		.tx = r->tx,
		.account = who->account,
		.region = STR("us-east-1"),
		.partition = STR("aws"),
		.principal = *who,
		.now_ms = r->u.now_ms};
	struct authz_demands d = {0};
	CHECK_OK(kms_use_demand(&c, r->tx, &d, reference, STR("kms:GenerateDataKey"), via, context, 1));
	struct policy_principal p = {.kind = POLICY_CALLER_USER,
		.account = who->account,
		.arn = who->arn,
		.user_id = who->user_id,
		.name = who->name};
	struct policy_context k = POLICY_CONTEXT_IN(&r->a);
	policy_context_set_principal(&k, &p);
	policy_context_set_now(&k, r->u.now_ms);
	struct policy_verdict v;
	bool yes = policy_authorize(&r->a, &p, NULL, NULL, &d, &k, false, &v);
	authz_release(&d);
	return yes;
}

TEST(managed_keys_serve_whom_their_service_serves)
{
	struct room r;
	struct kms_refusal why;
	struct str arn;
	enter(&r);
	struct principal user = {.kind = PRINCIPAL_USER,
		.account = STR("111122223333"),
		.name = STR("u"),
		.arn = STR("arn:aws:iam::111122223333:user/u"),
		.user_id = STR("AIDAEXAMPLE")};
	/* Before its first use, and after. */
	CHECK(allowed(&r, &user, STR("alias/aws/s3"), STR("s3")));
	CHECK(!allowed(&r, &user, STR("alias/aws/s3"), STR("sqs")));
	CHECK_OK(kms_ensure_managed_key(&r.u, STR("alias/aws/s3"), &arn, &why));
	CHECK(allowed(&r, &user, STR("alias/aws/s3"), STR("s3")));
	CHECK(allowed(&r, &user, arn, STR("s3")));
	CHECK(!allowed(&r, &user, arn, STR("sqs")));
	struct principal stranger = user;
	stranger.account = STR("444455556666");
	stranger.arn = STR("arn:aws:iam::444455556666:user/u");
	CHECK(!allowed(&r, &stranger, arn, STR("s3")));
	leave(&r);
}

TEST_MAIN()
