/* The sign-in's pages: a device's user gives name and password (or the operator approves for them), a browser's user is
 * sent back with a code (RFC 6749 4.1.2); and the operator sets passwords, which AWS does by mail. */
#include "base/log.h"
#include "services/sso-oidc/room.h"

struct page {
	struct cloud *cloud;
	struct arena *a;
	const struct edge_request *http;
	struct str form; /* the query of a GET, the body of a POST; a POST without a body has its query */
	struct wire_response *response;
	struct store_tx *tx;
};

static struct str parameter(const struct page *p, struct str name)
{
	struct str rest = p->form;
	while (str_has(rest)) {
		struct str pair = str_cut(&rest, '&'), key = str_cut(&pair, '='), value;
		if (str_eq(key, name) && is_ok(str_uri_decode(p->a, str_has(pair) ? pair : STR(""), true, &value)))
			return value;
	}
	return STR("");
}

static void header(struct page *p, struct str name, struct str value)
{
	p->response->headers[p->response->n_headers++] = (struct wire_header){name, value};
}

static void text_of(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];
		if (ch == '<' || ch == '>' || ch == '&' || ch == '"' || ch == '\'')
			buf_fmt(b, "&#%d;", ch);
		else
			buf_byte(b, ch);
	}
}

static void html(struct page *p, unsigned code, const char *title, struct str inner)
{
	struct buf b = BUF_IN(p->a);
	buf_fmt(&b,
		"<!doctype html><meta charset=utf-8><title>%s</title><style>body{font:16px sans-serif;max-width:24em;"
		"margin:4em auto}input{display:block;width:100%%;margin:.3em 0 1em;padding:.4em;box-sizing:border-box}"
		"</style><h1>%s</h1>",
		title, title);
	buf_str(&b, inner);
	p->response->code = code;
	p->response->body = buf_done(&b);
	header(p, STR("Content-Type"), STR("text/html; charset=utf-8"));
	/* Nothing may frame the form or be loaded by it. */
	header(p, STR("Content-Security-Policy"),
		STR("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"));
}

static void say(struct page *p, unsigned code, const char *title, const char *text)
{
	html(p, code, title, str_fmt(p->a, "<p>%s</p>", text));
}

static void hidden(struct buf *b, const struct page *p, const char *name)
{
	buf_fmt(b, "<input type=hidden name=%s value=\"", name);
	text_of(b, parameter(p, str_c(name)));
	buf_lit(b, "\">");
}

static void ask(struct page *p, unsigned code, const char *why, const char *const *keep, size_t n_keep)
{
	struct buf b = BUF_IN(p->a);
	buf_fmt(&b, "<p>%s</p><form method=post>", why);
	for (size_t i = 0; i < n_keep; i++) hidden(&b, p, keep[i]);
	buf_lit(&b,
		"<label>Username<input name=username autofocus autocomplete=username></label><label>Password<input "
		"name=password type=password autocomplete=current-password></label><button>Sign in</button></form>");
	html(p, code, "Sign in", buf_done(&b));
}

/* ── a transaction around what a page does; run again where it lost ───────────────────────────────────────────── */

static status committed(struct page *p, status (*fn)(struct page *p, const void *ctx), const void *ctx)
{
	for (;;) {
		store_ticket ticket = 0;
		p->tx = store_begin(p->cloud->store, p->a, false);
		status s = fn(p, ctx);
		if (is_ok(s)) s = store_commit(p->tx, &ticket);
		store_end(p->tx);
		p->tx = NULL;
		if (status_is(s, STATUS_CONFLICT)) continue;
		if (is_ok(s)) store_wait(p->cloud->store, ticket);
		return s;
	}
}

/* Name and password of the instance's directory; INVALID where they are not. */
static status check_user(struct page *p, const struct sso_admin_rec_instance *i, struct identitystore_rec_user *u)
{
	status s = identitystore_user_named(p->tx, p->a, i->store, parameter(p, STR("username")), u);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	struct identitystore_rec_user nobody = {0};
	bool good = identitystore_password_is(is_ok(s) ? u : &nobody, parameter(p, STR("password")));
	return is_ok(s) && good ? OK : STATUS(INVALID);
}

/* ── devices ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* ctx: whether the operator approves, without a password. */
static status approve(struct page *p, const void *ctx)
{
	const bool *trusted = ctx;
	struct str hash;
	struct sso_oidc_rec_device r;
	struct sso_admin_rec_instance i;
	struct identitystore_rec_user u;
	TRY(oidc_device(p->tx, p->a, parameter(p, STR("user_code")), &hash, &r));
	if (!str_is(r.state, "pending") || clock_now(p->cloud->clock) >= r.expires.ms) return STATUS(NOT_FOUND);
	TRY(sso_admin_instance(p->tx, p->a, r.instance, &i));
	if (*trusted)
		TRY(identitystore_user_named(p->tx, p->a, i.store, parameter(p, STR("username")), &u));
	else
		TRY(check_user(p, &i, &u));
	r.state = STR("approved");
	r.user = u.id;
	store_put(p->tx, oidc_key(p->a, "device", hash), sso_oidc_rec_device_encode(p->a, &r));
	return OK;
}

static void device(struct page *p, bool post)
{
	static const char *const keep[] = {"user_code"};
	bool trusted = false;
	if (!post) {
		ask(p, 200, "A device asks to act in your name. Sign in to allow it.", keep, 1);
		return;
	}
	status s = committed(p, approve, &trusted);
	if (is_ok(s))
		say(p, 200, "Signed in", "You may close this window.");
	else if (status_is(s, STATUS_INVALID))
		ask(p, 403, "That was not right. Try again.", keep, 1);
	else
		say(p, 404, "No such request", "It may have expired. Start again from your device.");
}

/* ── the browser's flow ───────────────────────────────────────────────────────────────────────────────────────── */

struct authorization {
	struct sso_oidc_rec_client client;
	struct sso_admin_rec_instance instance;
	struct str redirect;
};

/* A redirect goes nowhere but where the client said, its port aside (RFC 8252 7.3). */
static bool same_but_port(struct str x, struct str y)
{
	ptrdiff_t a = str_find(x, STR("://")), b = str_find(y, STR("://"));
	if (a < 0 || b < 0) return false;
	struct str xs = str_from(x, (size_t)a + 3), ys = str_from(y, (size_t)b + 3);
	struct str xh = str_cut(&xs, '/'), yh = str_cut(&ys, '/');
	ptrdiff_t xc = str_rchr(xh, ':'), yc = str_rchr(yh, ':');
	if (xc >= 0) xh = str_sub(xh, 0, (size_t)xc);
	if (yc >= 0) yh = str_sub(yh, 0, (size_t)yc);
	return str_eq(str_sub(x, 0, (size_t)a), str_sub(y, 0, (size_t)b)) && str_eq(xh, yh) &&
	       str_eq(str_or(xs, STR("")), str_or(ys, STR("")));
}

static status read_authorization(struct page *p, struct authorization *z)
{
	TRY(oidc_client(p->tx, p->a, parameter(p, STR("client_id")), &z->client));
	TRY(sso_admin_instance_at(p->tx, p->a, str_or(z->client.issuer, STR("")), &z->instance));
	z->redirect = parameter(p, STR("redirect_uri"));
	bool good = str_is(parameter(p, STR("response_type")), "code") &&
		    str_is(parameter(p, STR("code_challenge_method")), "S256") &&
		    clock_now(p->cloud->clock) < z->client.expires.ms;
	for (size_t i = 0; good && i < z->client.redirect_uris.n; i++)
		if (same_but_port(z->client.redirect_uris.v[i], z->redirect)) return OK;
	return STATUS(NOT_FOUND);
}

static status grant(struct page *p, const void *ctx)
{
	struct str *location = *(struct str *const *)ctx;
	struct authorization z;
	struct identitystore_rec_user u;
	TRY(read_authorization(p, &z));
	TRY(check_user(p, &z.instance, &u));
	struct str code = oidc_new_secret(p->a);
	struct sso_oidc_rec_code r = {.client = z.client.id,
		.instance = z.instance.id,
		.user = u.id,
		.redirect_uri = z.redirect,
		.challenge = parameter(p, STR("code_challenge")),
		.expires = SOME_TIME(clock_now(p->cloud->clock) + OIDC_CODE_MS)};
	store_put(p->tx, oidc_key(p->a, "code", oidc_hash(p->a, code)), sso_oidc_rec_code_encode(p->a, &r));
	struct str state = str_uri_encode(p->a, parameter(p, STR("state")), false);
	*location = str_fmt(p->a, "%.*s%scode=%.*s&state=%.*s", STR_ARG(z.redirect),
		str_chr(z.redirect, '?') < 0 ? "?" : "&", STR_ARG(code), STR_ARG(state));
	return OK;
}

static void authorize(struct page *p, bool post)
{
	static const char *const keep[] = {"client_id", "redirect_uri", "response_type", "code_challenge",
		"code_challenge_method", "state", "scopes"};
	struct str location, *at = &location;
	status s;
	if (post) {
		s = committed(p, grant, &at);
	} else {
		struct authorization z;
		p->tx = store_begin(p->cloud->store, p->a, true);
		s = read_authorization(p, &z);
		store_end(p->tx);
	}
	if (is_ok(s) && post) {
		p->response->code = 302;
		p->response->body = STR("");
		header(p, STR("Location"), location);
	} else if (is_ok(s)) {
		ask(p, 200, "A program asks to act in your name. Sign in to allow it.", keep, 7);
	} else if (status_is(s, STATUS_INVALID)) {
		ask(p, 403, "That was not right. Try again.", keep, 7);
	} else {
		say(p, 400, "Bad request", "The client, its access portal or its redirect is not known.");
	}
}

/* ── the operator ─────────────────────────────────────────────────────────────────────────────────────────────── */

static status set_password(struct page *p, const void *ctx)
{
	(void)ctx;
	struct sso_admin_rec_instance i;
	struct identitystore_rec_user u;
	struct str at = parameter(p, STR("instance"));
	/* Without a word the only instance is meant. */
	TRY(at.n ? sso_admin_instance_at(p->tx, p->a, at, &i) : sso_admin_only_instance(p->tx, p->a, &i));
	TRY(identitystore_user_named(p->tx, p->a, i.store, parameter(p, STR("username")), &u));
	return identitystore_set_password(p->tx, p->a, i.store, u.id, parameter(p, STR("password")));
}

static void operate(struct page *p, status (*fn)(struct page *p, const void *ctx))
{
	bool trusted = true;
	status s = committed(p, fn, &trusted);
	p->response->code = is_ok(s) ? 200 : status_is(s, STATUS_NOT_FOUND) ? 404 : 500;
	p->response->body = is_ok(s) ? STR("{\"done\":true}\n")
				     : STR("{\"error\":\"there is no such request, instance or user\"}\n");
	header(p, STR("Content-Type"), STR("application/json"));
}

void oidc_page(struct cloud *cloud, struct arena *a, const struct edge_request *r, struct str path, struct str body,
	struct wire_response *response)
{
	bool post = str_is(r->method, "POST");
	struct page p = {.cloud = cloud,
		.a = a,
		.http = r,
		.form = post && body.n ? body : str_or(r->query, STR("")),
		.response = response};
	*response = (struct wire_response){.code = 404};
	if (str_is(path, "device"))
		device(&p, post);
	else if (str_is(path, "authorize"))
		authorize(&p, post);
	else if (str_is(path, "approve") && post)
		operate(&p, approve);
	else if (str_is(path, "password") && post)
		operate(&p, set_password);
	else
		say(&p, 404, "No such page", "There is no such page.");
}
