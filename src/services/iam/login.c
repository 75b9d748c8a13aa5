/* Passwords: login profiles, the account's password policy, ChangePassword. "Set an account password policy for IAM
 * users". Kept as PBKDF2 hashes; nobody can read them back. */
#include "base/rand.h"
#include "services/iam/internal.h"
#include <openssl/evp.h>

#define ROUNDS 20000
#define SALT_BYTES 16
#define HASH_BYTES 32
#define REUSE_MAX 24
#define DAY_MS (24 * 3600 * INT64_C(1000))
#define DEFAULT_LENGTH 8 /* of the policy that holds where the account has none of its own */
#define CUSTOM_LENGTH 6  /* of an own policy that does not say */

static void hash_password(struct str password, struct str salt, uint8_t out[HASH_BYTES])
{
	INVARIANT(PKCS5_PBKDF2_HMAC(password.p, (int)password.n, (const unsigned char *)salt.p, (int)salt.n, ROUNDS,
			  EVP_sha256(), HASH_BYTES, out) == 1);
}

static bool is_password(struct str password, struct str salt, struct str hash)
{
	uint8_t h[HASH_BYTES];
	hash_password(password, salt, h);
	return str_eq_secret(str_n(h, HASH_BYTES), hash);
}

/* ── what a password has to be like ───────────────────────────────────────────────────────────────────────────── */

struct classes {
	bool upper, lower, digit, symbol;
};

static struct classes classes_of(struct str password)
{
	struct classes k = {0};
	for (size_t i = 0; i < password.n; i++) {
		char ch = password.p[i];
		k.upper |= ch >= 'A' && ch <= 'Z';
		k.lower |= ch >= 'a' && ch <= 'z';
		k.digit |= ch >= '0' && ch <= '9';
		k.symbol |= strchr("!@#$%^&*()_+-=[]{}|'", ch) && ch;
	}
	return k;
}

static bool conforms(const struct iam_rec_password_policy *p, struct str password, struct str account)
{
	struct classes k = classes_of(password);
	size_t length = str_utf8_valid(password) ? str_utf8_length(password) : password.n;
	if (!p) {
		int kinds = k.upper + k.lower + k.digit + k.symbol;
		return length >= DEFAULT_LENGTH && kinds >= 3 && !str_ieq(password, account);
	}
	size_t least = p->length.has ? (size_t)p->length.v : CUSTOM_LENGTH;
	return length >= least && (k.upper || !p->upper.v) && (k.lower || !p->lower.v) && (k.digit || !p->numbers.v) &&
	       (k.symbol || !p->symbols.v);
}

static bool was_used(const struct iam_rec_login *l, struct str password, size_t back)
{
	if (is_password(password, l->salt, l->hash)) return true;
	for (size_t i = 0; i < l->history.n && i + 1 < back; i++) {
		struct str h = l->history.v[i];
		if (is_password(password, str_sub(h, 0, SALT_BYTES), str_from(h, SALT_BYTES))) return true;
	}
	return false;
}

/* Sets a password that conforms; remembers those before it as far as any policy may ask. */
static status set_password(struct call *c, struct iam_rec_login *l, struct str password)
{
	struct iam_rec_account a;
	TRY(iam_account_get(c, &a));
	const struct iam_rec_password_policy *p = a.password_policy;
	if (!conforms(p, password, c->account))
		return IAM_FAIL(
			c, PASSWORD_POLICY_VIOLATION, "Password does not conform to the account password policy.");
	if (p && p->reuse.has && l->hash.n && was_used(l, password, (size_t)p->reuse.v))
		return IAM_FAIL(c, PASSWORD_POLICY_VIOLATION,
			"Password does not conform to the account password policy: it was used before.");
	if (l->hash.n) {
		size_t keep = l->history.n < REUSE_MAX ? l->history.n : REUSE_MAX - 1;
		struct str *v = arena_new_n(c->arena, struct str, keep + 1);
		v[0] = str_cat(c->arena, l->salt, l->hash);
		if (keep) memcpy(v + 1, l->history.v, keep * sizeof(*v));
		l->history = (struct iam_rec_blobs){v, keep + 1};
	}
	char *salt = arena_alloc_raw(c->arena, SALT_BYTES), *hash = arena_alloc_raw(c->arena, HASH_BYTES);
	rand_bytes(salt, SALT_BYTES);
	l->salt = str_n(salt, SALT_BYTES);
	hash_password(password, l->salt, (uint8_t *)hash);
	l->hash = str_n(hash, HASH_BYTES);
	l->changed = SOME_TIME(c->now_ms);
	return OK;
}

/* ── login profiles ───────────────────────────────────────────────────────────────────────────────────────────── */

static void profile_out(const struct iam_rec_entity *e, struct iam_login_profile *out)
{
	*out = (struct iam_login_profile){e->name, e->login->created, e->login->reset_required};
	if (!out->password_reset_required.has) out->password_reset_required = SOME_BOOL(false);
}

static status get_with_login(struct call *c, struct str name, struct iam_rec_entity *e)
{
	TRY(iam_get_user_or_caller(c, name, e));
	if (e->login) return OK;
	return IAM_FAIL(c, NO_SUCH_ENTITY, "Login Profile for User %.*s cannot be found.", STR_ARG(e->name));
}

status iam_create_login_profile(
	struct call *c, const struct iam_create_login_profile_input *in, struct iam_create_login_profile_output *out)
{
	struct iam_rec_entity e;
	TRY(iam_get_user_or_caller(c, in->user_name, &e));
	if (e.login)
		return IAM_FAIL(
			c, ENTITY_ALREADY_EXISTS, "Login Profile for user %.*s already exists.", STR_ARG(e.name));
	if (!str_has(in->password))
		return call_fail(c, ERR_VALIDATION, "The request must contain the parameter Password.");
	e.login = arena_new(c->arena, struct iam_rec_login);
	e.login->created = SOME_TIME(c->now_ms);
	e.login->reset_required = SOME_BOOL(in->password_reset_required.v);
	TRY(set_password(c, e.login, in->password));
	iam_put(c, IAM_USER, &e);
	out->login_profile = arena_new(c->arena, struct iam_login_profile);
	profile_out(&e, out->login_profile);
	return OK;
}

status iam_get_login_profile(
	struct call *c, const struct iam_get_login_profile_input *in, struct iam_get_login_profile_output *out)
{
	struct iam_rec_entity e;
	TRY(get_with_login(c, in->user_name, &e));
	out->login_profile = arena_new(c->arena, struct iam_login_profile);
	profile_out(&e, out->login_profile);
	return OK;
}

status iam_update_login_profile(
	struct call *c, const struct iam_update_login_profile_input *in, struct iam_update_login_profile_output *out)
{
	(void)out;
	struct iam_rec_entity e;
	TRY(get_with_login(c, in->user_name, &e));
	if (str_has(in->password)) TRY(set_password(c, e.login, in->password));
	if (in->password_reset_required.has) e.login->reset_required = in->password_reset_required;
	iam_put(c, IAM_USER, &e);
	return OK;
}

status iam_delete_login_profile(
	struct call *c, const struct iam_delete_login_profile_input *in, struct iam_delete_login_profile_output *out)
{
	(void)out;
	struct iam_rec_entity e;
	TRY(get_with_login(c, in->user_name, &e));
	e.login = NULL;
	iam_put(c, IAM_USER, &e);
	return OK;
}

int64_t iam_password_ends(const struct iam_rec_account *a, const struct iam_rec_login *l)
{
	const struct iam_rec_password_policy *p = a->password_policy;
	return p && p->max_age.has ? l->changed.ms + p->max_age.v * DAY_MS : 0;
}

status iam_change_password(
	struct call *c, const struct iam_change_password_input *in, struct iam_change_password_output *out)
{
	(void)out;
	if (c->principal.kind != PRINCIPAL_USER)
		return IAM_FAIL(c, INVALID_USER_TYPE, "Only IAM Users can change their own password");
	struct iam_rec_entity e;
	struct iam_rec_account a;
	TRY(get_with_login(c, c->principal.name, &e));
	TRY(iam_account_get(c, &a));
	if (!is_password(in->old_password, e.login->salt, e.login->hash))
		return call_fail(c, ERR_ACCESS_DENIED, "The old password was incorrect.");
	int64_t ends = iam_password_ends(&a, e.login);
	if (ends && c->now_ms >= ends && a.password_policy->hard_expiry.v)
		return call_fail(c, ERR_ACCESS_DENIED, "The password has expired; an administrator has to reset it.");
	if (str_eq(in->old_password, in->new_password))
		return IAM_FAIL(c, PASSWORD_POLICY_VIOLATION, "The new password must differ from the old one.");
	TRY(set_password(c, e.login, in->new_password));
	e.login->reset_required = SOME_BOOL(false);
	iam_put(c, IAM_USER, &e);
	return OK;
}

/* ── the policy ───────────────────────────────────────────────────────────────────────────────────────────────── */

static status no_policy(struct call *c)
{
	return IAM_FAIL(
		c, NO_SUCH_ENTITY, "The Password Policy with domain name %.*s cannot be found.", STR_ARG(c->account));
}

status iam_update_account_password_policy(struct call *c, const struct iam_update_account_password_policy_input *in,
	struct iam_update_account_password_policy_output *out)
{
	(void)out;
	struct iam_rec_account a;
	TRY(iam_account_get(c, &a));
	/* What is not said goes back to its default: the policy is replaced as a whole. */
	a.password_policy = arena_new(c->arena, struct iam_rec_password_policy);
	*a.password_policy = (struct iam_rec_password_policy){
		.length = in->minimum_password_length,
		.symbols = in->require_symbols,
		.numbers = in->require_numbers,
		.upper = in->require_uppercase_characters,
		.lower = in->require_lowercase_characters,
		.may_change = in->allow_users_to_change_password,
		.max_age = in->max_password_age,
		.reuse = in->password_reuse_prevention,
		.hard_expiry = in->hard_expiry,
	};
	iam_account_put(c, &a);
	return OK;
}

status iam_get_account_password_policy(struct call *c, const struct iam_get_account_password_policy_input *in,
	struct iam_get_account_password_policy_output *out)
{
	(void)in;
	struct iam_rec_account a;
	TRY(iam_account_get(c, &a));
	const struct iam_rec_password_policy *p = a.password_policy;
	if (!p) return no_policy(c);
	out->password_policy = arena_new(c->arena, struct iam_password_policy);
	*out->password_policy = (struct iam_password_policy){
		.minimum_password_length = SOME_I32(p->length.has ? p->length.v : CUSTOM_LENGTH),
		.require_symbols = SOME_BOOL(p->symbols.v),
		.require_numbers = SOME_BOOL(p->numbers.v),
		.require_uppercase_characters = SOME_BOOL(p->upper.v),
		.require_lowercase_characters = SOME_BOOL(p->lower.v),
		.allow_users_to_change_password = SOME_BOOL(p->may_change.v),
		.expire_passwords = SOME_BOOL(p->max_age.has),
		.max_password_age = p->max_age,
		.password_reuse_prevention = p->reuse,
		.hard_expiry = p->hard_expiry,
	};
	return OK;
}

status iam_delete_account_password_policy(struct call *c, const struct iam_delete_account_password_policy_input *in,
	struct iam_delete_account_password_policy_output *out)
{
	(void)in;
	(void)out;
	struct iam_rec_account a;
	TRY(iam_account_get(c, &a));
	if (!a.password_policy) return no_policy(c);
	a.password_policy = NULL;
	iam_account_put(c, &a);
	return OK;
}
