/* The table of virga's own pages, and who may ask for them: anybody who reaches the port may read; only this machine
 * may change, only by POST, and never a browser's page from elsewhere. */
#include "admin/page.h"
#include "base/log.h"
#include <stdarg.h>

struct page {
	struct str path;
	void (*read)(struct page_request *r);   /* GET and HEAD */
	void (*change)(struct page_request *r); /* POST */
};

#define PATH(lit)                                                                                                      \
	{                                                                                                              \
		"" lit, sizeof(lit) - 1                                                                                \
	}
static const struct page pages[] = {
	{PATH("/_virga"), page_index, NULL},
	{PATH("/_virga/status"), page_status, NULL},
	{PATH("/_virga/metrics"), page_metrics, NULL},
	{PATH("/_virga/ops"), page_ops, NULL},
	{PATH("/_virga/ca"), page_ca, NULL},
	{PATH("/_virga/sns.pem"), page_sns_certificate, NULL},
	{PATH("/_virga/clock"), page_clock, page_clock_change},
	{PATH("/_virga/reset"), NULL, page_reset},
	{PATH("/_virga/stop"), NULL, page_stop},
	{PATH("/_virga/scrub"), NULL, page_scrub},
	{PATH("/_virga/ssh"), NULL, page_ssh},
	{PATH("/_virga/ami"), NULL, page_ami},
	{PATH("/_virga/fault"), page_fault, page_fault_change},
	{PATH("/_virga/trace"), page_trace, NULL},
	{PATH("/_localstack/health"), page_health, NULL},
	{PATH("/_localstack/info"), page_info, NULL},
	{PATH("/_localstack/init"), page_init, NULL},
	{PATH("/_localstack/init/ready"), page_init, NULL},
	{PATH("/_localstack/state/reset"), NULL, page_reset},
};

bool admin_owns(struct str path)
{
	static const struct str roots[] = {PATH("/_virga"), PATH("/_localstack")};
	for (size_t i = 0; i < 2; i++)
		if (str_starts(path, roots[i]) && (path.n == roots[i].n || path.p[roots[i].n] == '/')) return true;
	return false;
}

/* A sign-in that a client opens in a browser at its endpoint's /authorize (RFC 6749 4.1.1 with RFC 7636): told from a
 * bucket of that name by what such a request has to say. */
bool admin_is_authorize(const struct edge_request *r)
{
	return str_is(r->path, "/authorize") && str_has(r->query) && str_find(r->query, STR("code_challenge=")) >= 0 &&
	       str_find(r->query, STR("client_id=")) >= 0;
}

/* /_virga/NAME/…: a page of that service. */
static const struct service *page_service(const struct cloud *cloud, struct str *path)
{
	struct str rest = *path;
	if (!str_starts(rest, STR("/_virga/"))) return NULL;
	rest = str_from(rest, sizeof("/_virga/") - 1);
	struct str name = str_cut(&rest, '/');
	const struct service *s = str_has(rest) ? cloud_service(cloud, name) : NULL;
	*path = rest;
	return s && s->page ? s : NULL;
}

struct str page_parameter(const struct page_request *r, struct str name)
{
	struct str rest = r->http->query;
	while (str_has(rest)) {
		struct str pair = str_cut(&rest, '&'), key = str_cut(&pair, '='), value;
		if (str_eq(key, name) && is_ok(str_uri_decode(r->arena, str_has(pair) ? pair : STR(""), true, &value)))
			return value;
	}
	return STR_NONE;
}

void page_fail(struct page_request *r, unsigned code, const char *fmt, ...)
{
	struct buf text = BUF_IN(r->arena);
	va_list args;
	va_start(args, fmt);
	buf_vfmt(&text, fmt, args);
	va_end(args);
	r->code = code;
	r->type = STR("application/json");
	r->out.n = 0;
	json_open(&r->out, '{');
	json_key(&r->out, "error");
	json_str(&r->out, buf_done(&text));
	json_close(&r->out, '}');
}

size_t page_done(const struct cloud *cloud, const struct wire_service *s)
{
	const struct service *service = cloud_service(cloud, str_c(s->name));
	size_t done = 0;
	for (uint32_t i = 0; service && i < s->tables.n_ops; i++) done += service->ops[i].handler != NULL;
	return done;
}

/* "127.0.0.1:51234", "[::1]:51234", "[::ffff:127.0.0.1]:51234". */
static bool peer_is_local(struct str peer)
{
	ptrdiff_t port = str_rchr(peer, ':');
	struct str host = port < 0 ? peer : str_sub(peer, 0, (size_t)port);
	if (str_starts(host, STR("["))) host = str_sub(host, 1, host.n - 2);
	if (str_starts(host, STR("::ffff:"))) host = str_from(host, 7);
	return str_starts(host, STR("127.")) || str_is(host, "::1");
}

static bool from_a_foreign_page(const struct edge_request *http)
{
	struct str origin = edge_header_get(http, STR("Origin")), site = edge_header_get(http, STR("Sec-Fetch-Site"));
	return (str_has(origin) && !origin_is_local(origin)) || str_is(site, "cross-site");
}

static const struct page *find_page(struct str path)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++)
		if (str_eq(pages[i].path, path)) return &pages[i];
	return NULL;
}

static void answer(struct page_request *r)
{
	const struct page *page = find_page(r->path);
	struct str method = r->http->method;
	bool reads = str_is(method, "GET") || str_is(method, "HEAD");
	if (from_a_foreign_page(r->http))
		page_fail(r, 403, "pages of other sites may not ask virga");
	else if (!page)
		page_fail(r, 404, "virga has no such page: %.*s", STR_ARG(r->path));
	else if (reads && page->read)
		page->read(r);
	else if (!str_is(method, "POST") || !page->change)
		page_fail(r, 405, "this page takes %s", !page->change ? "GET" : page->read ? "GET and POST" : "POST");
	else if (!r->local)
		page_fail(r, 403, "only this machine itself may change virga's state");
	else
		page->change(r);
}

void admin_answer(struct cloud *cloud, struct arena *arena, const struct edge_request *http, struct str body,
	struct wire_response *response)
{
	struct str path = admin_is_authorize(http) ? STR("/_virga/sso-oidc/authorize") : http->path, rest = path;
	const struct service *service = page_service(cloud, &rest);
	bool reads = str_is(http->method, "GET") || str_is(http->method, "HEAD");
	/* What is put (signals of machines in VPCs) carries a secret of its own, which the page asks for. */
	bool puts = str_is(http->method, "PUT");
	if (service && !from_a_foreign_page(http) && (reads || puts || peer_is_local(http->peer))) {
		service->page(cloud, arena, http, rest, body, response);
		response->headers[response->n_headers++] = (struct wire_header){STR("Cache-Control"), STR("no-store")};
		return;
	}
	while (path.n > 1 && path.p[path.n - 1] == '/') path.n--;
	struct page_request r = {
		.cloud = cloud,
		.arena = arena,
		.http = http,
		.body = body,
		.path = path,
		.local = peer_is_local(http->peer),
		.out = BUF_IN(arena),
		.code = 200,
		.type = STR("application/json"),
	};
	answer(&r);
	if (str_is(r.type, "application/json")) buf_byte(&r.out, '\n');
	if (r.code >= 400)
		log_info("admin", "refused", "path=\"%.*s\" code=%u peer=%.*s", STR_ARG(path), r.code,
			STR_ARG(http->peer));
	*response = (struct wire_response){.code = r.code, .body = buf_done(&r.out)};
	response->headers[response->n_headers++] = (struct wire_header){STR("Content-Type"), r.type};
	response->headers[response->n_headers++] = (struct wire_header){STR("Cache-Control"), STR("no-store")};
}
