/* From an access key to a principal. The record is read for each request: a revoked key is refused by the next one. */
#include "identity/identity.h"
#include "base/log.h"
#include "identity/digest.h"
#include "identity/keys.h"

/* "AccessKey" in the IAM API Reference: 16 to 128 characters. */
enum { KEY_ID_MAX = 128 };

static status refuse(
	struct wire_failure *why, const struct sigv4 *s, error_id id, const char *s3_message, const char *message)
{
	bool s3 = str_is(s->service, "s3");
	*why = (struct wire_failure){.id = id, .message = str_c(s3 ? s3_message : message)};
	if (s3 && id == ERR_UNKNOWN_KEY)
		why->details[why->n_details++] = (struct wire_header){STR("AWSAccessKeyId"), s->access_key};
	return STATUS(FAILED);
}

static status unknown_key(struct wire_failure *why, const struct sigv4 *s)
{
	return refuse(why, s, ERR_UNKNOWN_KEY, "The AWS Access Key Id you provided does not exist in our records.",
		"The security token included in the request is invalid.");
}

static bool is_account(struct str s)
{
	if (s.n != 12) return false;
	for (size_t i = 0; i < 12; i++)
		if (s.p[i] < '0' || s.p[i] > '9') return false;
	return true;
}

struct principal identity_root_of(struct arena *a, struct str account, struct str access_key)
{
	return (struct principal){.kind = PRINCIPAL_ROOT,
		.account = account,
		.user_id = account,
		.access_key = access_key,
		.arn = str_fmt(a, "arn:aws:iam::%.*s:root", STR_ARG(account)),
		.name = STR("root"),
		.session = STR(""),
		.secret = STR_NONE,
		.session_record = STR("")};
}

static status check_token(
	const struct sigv4 *s, const struct identity_rec_key *k, int64_t now_ms, struct wire_failure *why)
{
	static const char s3_invalid[] = "The provided token is malformed or otherwise invalid.";
	static const char invalid[] = "The security token included in the request is invalid.";
	/* A token is hashed also where none is due, so that the time taken tells nothing of the key. */
	uint8_t hash[32];
	digest_sha256(str_or(s->session_token, STR("")), hash);
	bool given = s->session_token.n > 0, due = k->token_hash.n > 0;
	if (given != due) return refuse(why, s, ERR_INVALID_TOKEN, s3_invalid, invalid);
	if (due && !str_eq_secret(str_n(hash, sizeof(hash)), k->token_hash))
		return refuse(why, s, ERR_INVALID_TOKEN, s3_invalid, invalid);
	if (k->expires.has && now_ms >= k->expires.ms)
		return refuse(why, s, ERR_EXPIRED_TOKEN, "The provided token has expired.",
			"The security token included in the request is expired");
	return OK;
}

status identity_resolve(struct store_tx *tx, struct arena *a, const struct sigv4 *s, bool strict, int64_t now_ms,
	struct principal *out, struct wire_failure *why)
{
	if (s->kind != SIG_HEADER && s->kind != SIG_QUERY && s->kind != SIG_V2) {
		*out = (struct principal){
			.kind = PRINCIPAL_ANONYMOUS, .account = STR(""), .arn = STR("*"), .user_id = STR("")};
		return OK;
	}
	if (!strict && is_account(s->access_key)) {
		*out = identity_root_of(a, s->access_key, s->access_key);
		return OK;
	}
	struct identity_rec_key k = {0};
	status got = s->access_key.n > KEY_ID_MAX ? STATUS(NOT_FOUND) : identity_key_read(tx, a, s->access_key, &k);
	if (status_is(got, STATUS_NOT_FOUND)) {
		if (strict) return unknown_key(why, s);
		*out = identity_root_of(a, STR("000000000000"), s->access_key);
		return OK;
	}
	if (!is_ok(got)) {
		log_error("identity", "key-unreadable", "status=%s", status_name(got));
		*why = (struct wire_failure){.id = ERR_INTERNAL, .message = STR("The access key could not be read.")};
		return STATUS(FAILED);
	}
	if (k.revoked.v) return unknown_key(why, s);
	TRY(check_token(s, &k, now_ms, why));
	*out = identity_principal_of(&k, s->access_key);
	return OK;
}
