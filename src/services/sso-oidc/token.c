/* Clients, device authorizations and tokens ("IAM Identity Center OIDC API Reference"; RFC 8628, RFC 7636). */
#include "identity/digest.h"
#include "services/sso-oidc/room.h"

_Static_assert(sizeof(struct sso_oidc_invalid_request_exception) == sizeof(struct sso_oidc_access_denied_exception),
	"refuse() fills one as the other");

struct str oidc_key(struct arena *a, const char *kind, struct str id)
{
	struct key k = key_begin(a);
	key_str(&k, STR("sso-oidc"));
	key_str(&k, str_c(kind));
	key_str(&k, id);
	return key_done(&k);
}

struct str oidc_hash(struct arena *a, struct str secret)
{
	uint8_t hash[32];
	digest_sha256(secret, hash);
	return str_hex(a, str_n(hash, sizeof(hash)));
}

struct str oidc_new_secret(struct arena *a)
{
	return rand_text(a, STR("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
}

status oidc_client(struct store_tx *tx, struct arena *a, struct str id, struct sso_oidc_rec_client *out)
{
	struct str bytes;
	*out = (struct sso_oidc_rec_client){0};
	TRY(store_get(tx, oidc_key(a, "client", id), &bytes));
	return sso_oidc_rec_client_decode(a, bytes, out);
}

status oidc_device(
	struct store_tx *tx, struct arena *a, struct str user_code, struct str *hash, struct sso_oidc_rec_device *out)
{
	struct str bytes;
	*out = (struct sso_oidc_rec_device){0};
	TRY(store_get(tx, oidc_key(a, "usercode", user_code), hash));
	TRY(store_get(tx, oidc_key(a, "device", *hash), &bytes));
	return sso_oidc_rec_device_decode(a, bytes, out);
}

static status token_load(
	struct store_tx *tx, struct arena *a, const char *kind, struct str token, struct sso_oidc_rec_token *out)
{
	struct str bytes;
	*out = (struct sso_oidc_rec_token){0};
	TRY(store_get(tx, oidc_key(a, kind, oidc_hash(a, token)), &bytes));
	return sso_oidc_rec_token_decode(a, bytes, out);
}

status sso_oidc_session(
	struct store_tx *tx, struct arena *a, struct str token, int64_t now_ms, struct sso_oidc_session *out)
{
	struct sso_oidc_rec_token t;
	struct identitystore_rec_user u;
	TRY(token_load(tx, a, "token", token, &t));
	if (now_ms >= t.expires.ms) return STATUS(NOT_FOUND);
	TRY(sso_admin_instance(tx, a, t.instance, &out->instance));
	TRY(identitystore_user(tx, a, out->instance.store, t.user, &u));
	out->user = t.user;
	return OK;
}

status sso_oidc_end(struct store_tx *tx, struct arena *a, struct str token)
{
	struct sso_oidc_rec_token t;
	TRY(token_load(tx, a, "token", token, &t));
	store_delete(tx, oidc_key(a, "token", oidc_hash(a, token)));
	if (t.refresh.n) store_delete(tx, oidc_key(a, "refresh", t.refresh));
	return OK;
}

/* ── errors: {"error": …, "error_description": …} (RFC 6749 5.2) ──────────────────────────────────────────────── */

static status refuse(struct call *c, error_id id, const char *error, const char *description)
{
	status s = call_fail(c, id, "%s", description);
	/* Two of the shapes have a reason between the members that all have. */
	if (id == SSO_OIDC_ERR_ACCESS_DENIED_EXCEPTION || id == SSO_OIDC_ERR_INVALID_REQUEST_EXCEPTION) {
		struct sso_oidc_invalid_request_exception *e =
			arena_new(c->arena, struct sso_oidc_invalid_request_exception);
		e->error = str_c(error);
		e->error_description = str_c(description);
		call_fail_members(c, e);
		return s;
	}
	struct sso_oidc_invalid_grant_exception *e = arena_new(c->arena, struct sso_oidc_invalid_grant_exception);
	e->error = str_c(error);
	e->error_description = str_c(description);
	call_fail_members(c, e);
	return s;
}

/* ── registering ──────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_loopback(struct str uri)
{
	return str_starts(uri, STR("http://127.0.0.1")) || str_starts(uri, STR("http://localhost")) ||
	       str_starts(uri, STR("http://[::1]"));
}

status sso_oidc_register_client(
	struct call *c, const struct sso_oidc_register_client_input *in, struct sso_oidc_register_client_output *out)
{
	if (!str_is(in->client_type, "public"))
		return refuse(c, SSO_OIDC_ERR_INVALID_CLIENT_METADATA_EXCEPTION, "invalid_client_metadata",
			"The client type has to be public.");
	for (size_t i = 0; i < in->redirect_uris.n; i++)
		if (!is_loopback(in->redirect_uris.v[i]))
			return refuse(c, SSO_OIDC_ERR_INVALID_REDIRECT_URI_EXCEPTION, "invalid_redirect_uri",
				"Redirects may go to this machine only.");
	struct str secret = oidc_new_secret(c->arena);
	struct sso_oidc_rec_client r = {
		.id = oidc_new_secret(c->arena),
		.secret_hash = oidc_hash(c->arena, secret),
		.name = in->client_name,
		.issued = SOME_TIME(c->now_ms),
		.expires = SOME_TIME(c->now_ms + OIDC_CLIENT_MS),
		.scopes = {in->scopes.v, in->scopes.n},
		.redirect_uris = {in->redirect_uris.v, in->redirect_uris.n},
		.issuer = in->issuer_url,
	};
	store_put(c->tx, oidc_key(c->arena, "client", r.id), sso_oidc_rec_client_encode(c->arena, &r));
	out->client_id = r.id;
	out->client_secret = secret;
	out->client_id_issued_at = SOME_I64(r.issued.ms / 1000);
	out->client_secret_expires_at = SOME_I64(r.expires.ms / 1000);
	return OK;
}

static status require_client(struct call *c, struct str id, struct str secret, struct sso_oidc_rec_client *out)
{
	status s = oidc_client(c->tx, c->arena, id, out);
	bool good =
		is_ok(s) && str_eq_secret(oidc_hash(c->arena, secret), out->secret_hash) && c->now_ms < out->expires.ms;
	if (good) return OK;
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	return refuse(c, SSO_OIDC_ERR_INVALID_CLIENT_EXCEPTION, "invalid_client", "Invalid client provided");
}

status sso_oidc_start_device_authorization(struct call *c, const struct sso_oidc_start_device_authorization_input *in,
	struct sso_oidc_start_device_authorization_output *out)
{
	struct sso_oidc_rec_client client;
	struct sso_admin_rec_instance instance;
	TRY(require_client(c, in->client_id, in->client_secret, &client));
	status s = sso_admin_instance_at(c->tx, c->arena, in->start_url, &instance);
	if (status_is(s, STATUS_NOT_FOUND))
		return refuse(
			c, SSO_OIDC_ERR_INVALID_REQUEST_EXCEPTION, "invalid_request", "Invalid start url provided");
	TRY(s);
	struct str device = oidc_new_secret(c->arena), letters = STR("BCDFGHJKLMNPQRSTVWXZ");
	struct sso_oidc_rec_device r = {
		.user_code = str_fmt(c->arena, "%.*s-%.*s", STR_ARG(rand_text(c->arena, letters, 4)),
			STR_ARG(rand_text(c->arena, letters, 4))),
		.client = client.id,
		.instance = instance.id,
		.expires = SOME_TIME(c->now_ms + OIDC_DEVICE_S * 1000),
		.state = STR("pending"),
	};
	struct str hash = oidc_hash(c->arena, device);
	store_put(c->tx, oidc_key(c->arena, "device", hash), sso_oidc_rec_device_encode(c->arena, &r));
	store_put(c->tx, oidc_key(c->arena, "usercode", r.user_code), hash);
	out->device_code = device;
	out->user_code = r.user_code;
	out->verification_uri = str_fmt(c->arena, "http://%.*s/_virga/sso-oidc/device", STR_ARG(c->cloud->public_host));
	out->verification_uri_complete =
		str_fmt(c->arena, "%.*s?user_code=%.*s", STR_ARG(out->verification_uri), STR_ARG(r.user_code));
	out->expires_in = SOME_I32(OIDC_DEVICE_S);
	out->interval = SOME_I32(OIDC_INTERVAL_S);
	return OK;
}

/* ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool wants_refresh(const struct sso_oidc_rec_client *client)
{
	for (size_t i = 0; i < client->scopes.n; i++)
		if (str_is(client->scopes.v[i], "sso:account:access")) return true;
	return false;
}

static status issue(struct call *c, const struct sso_oidc_rec_client *client, struct str instance, struct str user,
	struct str refresh, struct sso_oidc_create_token_output *out)
{
	bool refreshes = wants_refresh(client);
	int32_t seconds = refreshes ? OIDC_REFRESHED_TOKEN_S : OIDC_TOKEN_S;
	struct sso_oidc_rec_token t = {.client = client->id,
		.instance = instance,
		.user = user,
		.expires = SOME_TIME(c->now_ms + OIDC_REFRESH_MS)};
	if (refreshes && !str_has(refresh)) {
		refresh = oidc_new_secret(c->arena);
		store_put(c->tx, oidc_key(c->arena, "refresh", oidc_hash(c->arena, refresh)),
			sso_oidc_rec_token_encode(c->arena, &t));
	}
	struct str token = oidc_new_secret(c->arena);
	t.expires = SOME_TIME(c->now_ms + seconds * 1000LL);
	t.refresh = str_has(refresh) ? oidc_hash(c->arena, refresh) : STR_NONE;
	store_put(c->tx, oidc_key(c->arena, "token", oidc_hash(c->arena, token)),
		sso_oidc_rec_token_encode(c->arena, &t));
	out->access_token = token;
	out->token_type = STR("Bearer");
	out->expires_in = SOME_I32(seconds);
	out->refresh_token = refresh;
	return OK;
}

static status bad_grant(struct call *c)
{
	return refuse(c, SSO_OIDC_ERR_INVALID_GRANT_EXCEPTION, "invalid_grant", "Invalid grant provided");
}

static status by_device(struct call *c, const struct sso_oidc_rec_client *client, struct str code,
	struct sso_oidc_create_token_output *out)
{
	struct str bytes, hash = oidc_hash(c->arena, str_or(code, STR("")));
	struct sso_oidc_rec_device r = {0};
	status s = store_get(c->tx, oidc_key(c->arena, "device", hash), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return bad_grant(c);
	TRY(s);
	TRY(sso_oidc_rec_device_decode(c->arena, bytes, &r));
	if (!str_eq(r.client, client->id)) return bad_grant(c);
	if (c->now_ms >= r.expires.ms)
		return refuse(c, SSO_OIDC_ERR_EXPIRED_TOKEN_EXCEPTION, "expired_token", "Device code has expired");
	if (str_is(r.state, "denied"))
		return refuse(c, SSO_OIDC_ERR_ACCESS_DENIED_EXCEPTION, "access_denied", "The user denied the request");
	if (!str_is(r.state, "approved"))
		return refuse(c, SSO_OIDC_ERR_AUTHORIZATION_PENDING_EXCEPTION, "authorization_pending",
			"User has not yet authorized the device");
	store_delete(c->tx, oidc_key(c->arena, "device", hash));
	store_delete(c->tx, oidc_key(c->arena, "usercode", r.user_code));
	return issue(c, client, r.instance, r.user, STR_NONE, out);
}

/* RFC 7636 4.6: BASE64URL(SHA256(code_verifier)) */
static struct str challenge_of(struct arena *a, struct str verifier)
{
	uint8_t hash[32];
	digest_sha256(verifier, hash);
	struct str text = str_base64(a, str_n(hash, sizeof(hash)));
	char *p = arena_copy(a, text.p, text.n);
	size_t n = text.n;
	for (size_t i = 0; i < n; i++) p[i] = p[i] == '+' ? '-' : p[i] == '/' ? '_' : p[i];
	while (n && p[n - 1] == '=') n--;
	return str_n(p, n);
}

static status by_code(struct call *c, const struct sso_oidc_rec_client *client,
	const struct sso_oidc_create_token_input *in, struct sso_oidc_create_token_output *out)
{
	struct str bytes, hash = oidc_hash(c->arena, str_or(in->code, STR("")));
	struct sso_oidc_rec_code r = {0};
	status s = store_get(c->tx, oidc_key(c->arena, "code", hash), &bytes);
	if (status_is(s, STATUS_NOT_FOUND)) return bad_grant(c);
	TRY(s);
	TRY(sso_oidc_rec_code_decode(c->arena, bytes, &r));
	bool good = str_eq(r.client, client->id) && c->now_ms < r.expires.ms && str_has(in->redirect_uri) &&
		    str_eq(r.redirect_uri, in->redirect_uri) && str_has(in->code_verifier) &&
		    str_eq(challenge_of(c->arena, in->code_verifier), r.challenge);
	if (!good) return bad_grant(c);
	store_delete(c->tx, oidc_key(c->arena, "code", hash));
	return issue(c, client, r.instance, r.user, STR_NONE, out);
}

static status by_refresh(struct call *c, const struct sso_oidc_rec_client *client, struct str refresh,
	struct sso_oidc_create_token_output *out)
{
	struct sso_oidc_rec_token t;
	status s = token_load(c->tx, c->arena, "refresh", str_or(refresh, STR("")), &t);
	if (status_is(s, STATUS_NOT_FOUND)) return bad_grant(c);
	TRY(s);
	if (!str_eq(t.client, client->id) || c->now_ms >= t.expires.ms) return bad_grant(c);
	return issue(c, client, t.instance, t.user, refresh, out);
}

status sso_oidc_create_token(
	struct call *c, const struct sso_oidc_create_token_input *in, struct sso_oidc_create_token_output *out)
{
	struct sso_oidc_rec_client client;
	TRY(require_client(c, in->client_id, in->client_secret, &client));
	if (str_is(in->grant_type, "urn:ietf:params:oauth:grant-type:device_code"))
		return by_device(c, &client, in->device_code, out);
	if (str_is(in->grant_type, "authorization_code")) return by_code(c, &client, in, out);
	if (str_is(in->grant_type, "refresh_token")) return by_refresh(c, &client, in->refresh_token, out);
	return refuse(c, SSO_OIDC_ERR_UNSUPPORTED_GRANT_TYPE_EXCEPTION, "unsupported_grant_type",
		"Unsupported grant type provided");
}
