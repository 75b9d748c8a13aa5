/* Pages that only tell: status, metrics, operations, the certificate authority. */
#include "admin/page.h"
#include "services/sns/door.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void page_index(struct page_request *r)
{
	r->type = STR("text/plain; charset=utf-8");
	buf_lit(&r->out, "virga " VIRGA_VERSION "\n"
			 "GET  /_virga/status\nGET  /_virga/metrics\nGET  /_virga/ops[?service=NAME]\nGET  /_virga/ca\n"
			 "GET  /_virga/clock\nPOST /_virga/clock?advance=DURATION | set=TIME | reset\n"
			 "POST /_virga/reset[?service=NAME]\nPOST /_virga/scrub\nPOST /_virga/stop\n"
			 "GET  /_localstack/health\nGET  /_localstack/info\nGET  /_localstack/init[/ready]\n");
}

static void text(struct buf *b, const char *key, struct str value)
{
	json_key(b, key);
	json_str(b, value);
}

static void number(struct buf *b, const char *key, int64_t value)
{
	json_key(b, key);
	json_i64(b, value);
}

static void flag(struct buf *b, const char *key, bool value)
{
	json_key(b, key);
	json_bool(b, value);
}

static void counts(struct page_request *r, const struct wire_service *s)
{
	json_open(&r->out, '{');
	text(&r->out, "name", str_c(s->name));
	text(&r->out, "title", str_c(s->title));
	flag(&r->out, "enabled", cloud_service_enabled(r->cloud, str_c(s->name)));
	number(&r->out, "done", (int64_t)page_done(r->cloud, s));
	number(&r->out, "total", s->tables.n_ops);
	json_close(&r->out, '}');
}

/* Where things lie and which process it is concerns this machine only. */
void page_status(struct page_request *r)
{
	const struct cloud *c = r->cloud;
	struct buf *b = &r->out;
	json_open(b, '{');
	text(b, "version", STR(VIRGA_VERSION));
	number(b, "uptime_ms", (clock_monotonic_us() - c->started_us) / 1000);
	text(b, "time", time_iso8601(r->arena, clock_now(c->clock), true));
	number(b, "clock_offset_ms", clock_offset(c->clock));
	text(b, "public_host", c->public_host);
	text(b, "region", c->default_region);
	flag(b, "strict", c->strict);
	flag(b, "ephemeral", c->ephemeral);
	if (r->local) {
		text(b, "data", str_c(store_dir(c->store)));
		number(b, "pid", getpid());
	}
	json_key(b, "services");
	json_open(b, '[');
	for (size_t i = 0; i < wire_services_length; i++)
		if (page_done(c, wire_services[i]) > 0) counts(r, wire_services[i]);
	json_close(b, ']');
	json_close(b, '}');
}

void page_metrics(struct page_request *r)
{
	r->type = STR("text/plain; version=0.0.4; charset=utf-8");
	call_metrics_text(r->cloud, &r->out);
}

static void operations(struct page_request *r, const struct wire_service *s)
{
	const struct service *service = cloud_service(r->cloud, str_c(s->name));
	json_open(&r->out, '{');
	text(&r->out, "name", str_c(s->name));
	text(&r->out, "title", str_c(s->title));
	json_key(&r->out, "operations");
	json_open(&r->out, '{');
	for (uint32_t i = 0; i < s->tables.n_ops; i++) {
		json_key_str(&r->out, wire_str(&s->tables, s->tables.ops[i].name));
		json_bool(&r->out, service && service->ops[i].handler);
	}
	json_close(&r->out, '}');
	json_close(&r->out, '}');
}

void page_ops(struct page_request *r)
{
	struct str name = page_parameter(r, STR("service"));
	if (str_has(name)) {
		for (size_t i = 0; i < wire_services_length; i++) {
			if (!str_eq(name, str_c(wire_services[i]->name))) continue;
			operations(r, wire_services[i]);
			return;
		}
		page_fail(r, 404, "virga knows no service '%.*s'", STR_ARG(name));
		return;
	}
	json_open(&r->out, '{');
	json_key(&r->out, "services");
	json_open(&r->out, '[');
	for (size_t i = 0; i < wire_services_length; i++) counts(r, wire_services[i]);
	json_close(&r->out, ']');
	json_close(&r->out, '}');
}

/* By which subscribers check the signatures of notifications. */
void page_sns_certificate(struct page_request *r)
{
	struct str pem = sns_certificate(r->cloud, r->arena);
	if (!str_has(pem)) {
		page_fail(r, 404, "nothing was signed yet");
		return;
	}
	buf_str(&r->out, pem);
	r->type = STR("application/x-pem-file");
}

void page_ca(struct page_request *r)
{
	struct str path = str_fmt(r->arena, "%sca.pem", store_dir(r->cloud->store));
	int fd = open(path.p, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		page_fail(r, 404, "virga serves no TLS here: its data folder holds no certificate authority");
		return;
	}
	char piece[4096];
	for (ssize_t n; (n = read(fd, piece, sizeof(piece))) != 0;) {
		if (n < 0 && errno != EINTR) break;
		if (n > 0) buf_add(&r->out, piece, (size_t)n);
	}
	close(fd);
	r->type = STR("application/x-pem-file");
}
