/* Issued access keys in the store, and what new ones look like. */
#include "identity/keys.h"
#include "base/rand.h"
#include "identity/digest.h"
#include "store/key.h"

static struct str key_of(struct arena *a, struct str access_key)
{
	struct key k = key_begin(a);
	key_str(&k, STR("identity"));
	key_str(&k, STR("key"));
	key_str(&k, access_key);
	return key_done(&k);
}

status identity_key_read(struct store_tx *tx, struct arena *a, struct str access_key, struct identity_rec_key *out)
{
	struct str bytes;
	TRY(store_peek(tx, key_of(a, access_key), &bytes));
	return identity_rec_key_decode(a, bytes, out);
}

struct principal identity_principal_of(const struct identity_rec_key *k, struct str access_key)
{
	struct str nothing = STR("");
	return (struct principal){.kind = (enum principal_kind)k->kind.v,
		.account = str_or(k->account, nothing),
		.arn = str_or(k->arn, nothing),
		.user_id = str_or(k->user_id, nothing),
		.access_key = access_key,
		.name = str_or(k->name, nothing),
		.session = str_or(k->session, nothing),
		.secret = str_or(k->secret, nothing),
		.expires_ms = k->expires.has ? k->expires.ms : 0,
		.session_record = str_or(k->session_record, nothing)};
}

void identity_key_put(struct store_tx *tx, struct arena *a, const struct principal *p, struct str session_token)
{
	INVARIANT(p->access_key.n && p->secret.n);
	struct identity_rec_key k = {.kind = SOME_I32((int32_t)p->kind),
		.account = p->account,
		.arn = p->arn,
		.user_id = p->user_id,
		.name = p->name,
		.session = p->session,
		.secret = p->secret,
		.session_record = p->session_record.n ? p->session_record : STR_NONE};
	uint8_t hash[32];
	if (session_token.n) {
		digest_sha256(session_token, hash);
		k.token_hash = str_n(hash, sizeof(hash));
	}
	if (p->expires_ms) k.expires = SOME_TIME(p->expires_ms);
	store_put(tx, key_of(a, p->access_key), identity_rec_key_encode(a, &k));
}

void identity_key_delete(struct store_tx *tx, struct arena *a, struct str access_key)
{
	struct identity_rec_key k = {.revoked = SOME_BOOL(true)};
	store_put(tx, key_of(a, access_key), identity_rec_key_encode(a, &k));
}

status identity_key_account(struct store_tx *tx, struct arena *a, struct str access_key, struct str *account)
{
	struct identity_rec_key k = {0};
	TRY(identity_key_read(tx, a, access_key, &k));
	if (k.revoked.v) return STATUS(NOT_FOUND);
	*account = k.account;
	return OK;
}

struct str identity_new_key_id(struct arena *a, bool temporary)
{
	struct str random = rand_text(a, STR("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), 16);
	return str_cat(a, temporary ? STR("ASIA") : STR("AKIA"), random);
}

static struct str random_base64(struct arena *a, size_t bytes)
{
	char *p = arena_alloc_raw(a, bytes);
	rand_bytes(p, bytes);
	return str_base64(a, str_n(p, bytes));
}

struct str identity_new_secret(struct arena *a)
{
	return random_base64(a, 30);
}

struct str identity_new_session_token(struct arena *a)
{
	return random_base64(a, 192);
}
