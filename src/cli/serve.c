/* `virga serve`: the composition root. Builds the parts in the order in which they need each other, hands each what it
 * needs, waits for a signal, and takes them apart backwards. */
#include "admin/init.h"
#include "base/blocks.h"
#include "base/log.h"
#include "call/dispatch.h"
#include "call/metrics.h"
#include "call/workers.h"
#include "cli/cli.h"
#include "cli/folders.h"
#include "cli/settings.h"
#include "cli/trim.h"
#include "edge/ca.h"
#include "host/host.h"
#include "store/blob.h"
#include "vault/vault.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORKERS_MAX 32
#define JOB_THREADS 16
#define STOP_GRACE_MS 10000
#define REST_S 5 /* so often memory that nobody wants goes back */
#define NOFILE_MAX (1u << 20)

static const struct cli_option serve_options[] = {
	[SERVE_LISTEN] = {"listen", "ADDRESS:PORT",
		"where it listens, comma-separated (GATEWAY_LISTEN; 127.0.0.1:4566)"},
	[SERVE_DATA] = {"data", "DIR", "the data folder ($XDG_DATA_HOME/virga, ~/.local/share/virga, /var/lib/virga)"},
	[SERVE_EPHEMERAL] = {"ephemeral", NULL, "a data folder that goes when it stops (PERSISTENCE=0)"},
	[SERVE_STRICT] = {"strict", NULL, "only access keys that virga issued"},
	[SERVE_DURABILITY] = {"durability", "strict|relaxed",
		"answer after, or before, data are on stable storage (strict)"},
	[SERVE_REGION] = {"region", "REGION", "where unsigned requests go (AWS_DEFAULT_REGION; us-east-1)"},
	[SERVE_LOG] = {"log", "LEVEL[,json]", "debug, info, warn, error, off (info; DEBUG=1: debug)"},
	[SERVE_PASSPHRASE_FILE] = {"passphrase-file", "FILE",
		"derives the root key (VIRGA_PASSPHRASE; else DIR/root.key holds it)"},
	[SERVE_SIMULATED] = {"simulated", NULL, "no real networks and machines, though it is root (VIRGA_SIMULATED=1)"},
	[SERVE_VCPU] = {"vcpu", "PERCENT",
		"how much of one of this machine's processors a vCPU of an instance may use (VIRGA_VCPU; 100)"},
};
_Static_assert(SERVE_OPTIONS <= CLI_OPTIONS_MAX, "options are kept by index");

struct installation {
	struct arena arena;
	struct settings settings;
	struct folder_ephemeral ephemeral;
	struct cloud cloud;
	struct principal root;
	struct edge_handler inner; /* dispatch's */
	atomic_bool open;          /* the cloud is complete: its edge and public host are known */
};

/* The port answers before edge_start has told which it is: a request of that instant waits until the cloud is complete.
 */
static void *begin_when_open(void *ctx, struct edge_exchange *x, const struct edge_request *r)
{
	struct installation *v = ctx;
	while (!atomic_load_explicit(&v->open, memory_order_acquire)) sched_yield();
	return v->inner.begin(v->inner.ctx, x, r);
}

/* A connection is a descriptor, and so is an open body. */
static void raise_descriptor_limit(void)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) != 0) return;
	rlim_t wanted = l.rlim_max == RLIM_INFINITY || l.rlim_max > NOFILE_MAX ? NOFILE_MAX : l.rlim_max;
	if (l.rlim_cur >= wanted) return;
	l.rlim_cur = wanted;
	if (setrlimit(RLIMIT_NOFILE, &l) != 0) log_warn("cli", "descriptor_limit", "why=\"%s\"", strerror(errno));
}

/* A folder of another user (virga run by sudo in a home) is written as root may. */
static bool is_foreign(const char *folder)
{
	struct stat s;
	return folder && stat(folder, &s) == 0 && s.st_uid != geteuid();
}

/* Those with a folder in services/ that the user did not leave out. */
static void choose_services(struct installation *v)
{
	struct cloud *c = &v->cloud;
	c->enabled = v->settings.enabled;
	c->n_enabled = v->settings.n_enabled;
	const struct service **chosen = arena_new_n(&v->arena, const struct service *, services_length + 1);
	for (size_t i = 0; i < services_length; i++)
		if (cloud_service_enabled(c, str_c(services[i]->model->name))) chosen[c->n_services++] = services[i];
	c->services = chosen;
	for (size_t i = 0; i < c->n_enabled; i++) {
		bool known = false;
		for (size_t k = 0; k < wire_services_length && !known; k++)
			known = str_eq(c->enabled[i], str_c(wire_services[k]->name));
		if (!known) log_warn("cli", "unknown_service", "SERVICES=\"%.*s\"", STR_ARG(c->enabled[i]));
	}
}

static int open_store(struct installation *v)
{
	struct settings *s = &v->settings;
	if (!s->data) {
		if (!is_ok(folder_ephemeral_make(&v->arena, &v->ephemeral)))
			return cli_fail("cannot make a temporary folder: %s", strerror(errno));
		s->data = v->ephemeral.data;
		v->cloud.ephemeral = true;
	}
	if (!is_ok(folder_make(&v->arena, s->data)))
		return cli_fail("cannot make the data folder %s: %s", s->data, strerror(errno));
	struct store_options o = {.dir = s->data, .durability = s->durability};
	struct str why = STR_NONE;
	status st = store_open(&o, &v->arena, &v->cloud.store, &why);
	if (is_ok(st)) return 0;
	return cli_fail("%.*s", STR_ARG(str_or(why, str_c(status_name(st)))));
}

static int open_vault(struct installation *v)
{
	struct vault_options o = {.dir = store_dir(v->cloud.store), .passphrase = v->settings.passphrase};
	struct str why = STR_NONE;
	status s = vault_open(&o, &v->arena, &v->cloud.vault, &why);
	vault_wipe(v->settings.passphrase);
	if (!is_ok(s)) return cli_fail("%.*s", STR_ARG(why));
	s = vault_match(v->cloud.vault, v->cloud.store, &v->arena);
	if (status_is(s, STATUS_CORRUPT))
		return cli_fail("root.key in %s is not the one that its secrets are wrapped by", o.dir);
	return is_ok(s) ? 0 : cli_fail("cannot write to %s", o.dir);
}

static int build_cloud(struct installation *v)
{
	struct cloud *c = &v->cloud;
	c->strict = v->settings.strict;
	c->default_region = v->settings.region;
	int code = open_store(v);
	if (code) return code;
	code = open_vault(v);
	if (code) return code;
	host_open(c->host, store_dir(c->store), c->ephemeral);
	c->clock = clock_new(c->store);
	c->jobs = jobs_new(c->store, c->clock);
	c->bus = bus_new();
	c->workers = workers_new(WORKERS_MAX);
	c->metrics = call_metrics_new();
	if (!is_ok(identity_root_key(c->store, &v->arena, &v->root)))
		return cli_fail("cannot make the root key in %s", store_dir(c->store));
	choose_services(v);
	if (!is_ok(cloud_start_services(c))) return cli_fail("a service did not start; the log tells more");
	jobs_start(c->jobs, JOB_THREADS);
	blob_sweep(c->store);
	return 0;
}

/* One of the addresses that it listens on, as an URL; port 0 is the one that the kernel chose. */
static struct str address_url(struct installation *v, struct str address)
{
	ptrdiff_t colon = str_rchr(address, ':');
	struct str host = colon < 0 ? address : str_sub(address, 0, (size_t)colon);
	struct str port = colon < 0 ? STR("0") : str_from(address, (size_t)colon + 1);
	if (str_is(port, "0")) port = str_fmt(&v->arena, "%u", edge_port(v->cloud.edge));
	return str_fmt(&v->arena, "http://%.*s:%.*s", STR_ARG(host), STR_ARG(port));
}

static void tell(struct installation *v)
{
	struct str rest = str_c(v->settings.listen);
	printf("virga " VIRGA_VERSION ", data in %s%s\n", store_dir(v->cloud.store),
		v->cloud.ephemeral ? " until it stops" : "");
	for (bool first = true; str_has(rest); first = false) {
		struct str address = str_trim(str_cut(&rest, ','));
		/* The edge tells the port of the first one only. */
		if (!first && str_ends(address, STR(":0"))) continue;
		struct str url = address_url(v, address);
		printf("Listening on %.*s\n", STR_ARG(url));
	}
	puts("Ready.");
	fflush(stdout);
}

static struct str local_url(struct installation *v)
{
	struct str rest = str_c(v->settings.listen), address = str_trim(str_cut(&rest, ','));
	if (str_starts(address, STR("0.0.0.0:"))) address = str_cat(&v->arena, STR("127.0.0.1"), str_from(address, 7));
	if (str_starts(address, STR("[::]:"))) address = str_cat(&v->arena, STR("[::1]"), str_from(address, 4));
	return address_url(v, address);
}

static void find_init_hooks(struct installation *v)
{
	struct arena *a = &v->arena;
	const char *own = v->settings.init_dir;
	if (!own) own = str_fmt(a, "%sinit/ready.d", store_dir(v->cloud.store)).p;
	const char *folders[] = {own, "/etc/localstack/init/ready.d"};
	struct str url = local_url(v), key = v->settings.strict ? v->root.access_key : STR("test");
	struct str secret = v->settings.strict ? v->root.secret : STR("test");
	const char *environment[] = {
		str_fmt(a, "AWS_ENDPOINT_URL=%.*s", STR_ARG(url)).p,
		str_fmt(a, "VIRGA_ENDPOINT=%.*s", STR_ARG(url)).p,
		str_fmt(a, "AWS_ACCESS_KEY_ID=%.*s", STR_ARG(key)).p,
		str_fmt(a, "AWS_SECRET_ACCESS_KEY=%.*s", STR_ARG(secret)).p,
		str_fmt(a, "AWS_DEFAULT_REGION=%.*s", STR_ARG(v->settings.region)).p,
		NULL,
	};
	v->cloud.init = init_new(folders, 2, environment);
}

static int start_edge(struct installation *v)
{
	struct cloud *c = &v->cloud;
	struct ca_files ca = {0};
	int64_t machine_ms = clock_now(c->clock) - clock_offset(c->clock);
	if (!is_ok(ca_load(store_dir(c->store), machine_ms, &v->arena, &ca)))
		log_warn("cli", "no_tls", "dir=\"%s\"", store_dir(c->store));
	c->authority = ca.ca_pem;
	c->authority_hash = ca.ca_hash;
	v->inner = dispatch_handler(c);
	struct edge_options o = {
		.listen = v->settings.listen,
		.tls_certificate = ca.cert_pem.p,
		.tls_key = ca.key_pem.p,
		.handler = v->inner,
	};
	o.handler.ctx = v;
	o.handler.begin = begin_when_open;
	struct str why = STR_NONE;
	struct edge *edge = NULL;
	if (!is_ok(edge_start(&o, &edge, &why)))
		return cli_fail("cannot listen on %s: %.*s", v->settings.listen, STR_ARG(why));
	c->edge = edge;
	c->public_host = v->settings.public_host;
	if (!str_has(c->public_host)) c->public_host = str_fmt(&v->arena, "localhost:%u", edge_port(edge));
	find_init_hooks(v);
	atomic_store_explicit(&v->open, true, memory_order_release);
	cloud_ready_services(c);
	return 0;
}

/* Backwards; each part may be missing, when its making failed. */
static void take_apart(struct installation *v)
{
	struct cloud *c = &v->cloud;
	init_free(c->init);
	cloud_drain_services(c);
	if (c->edge) edge_stop(c->edge, STOP_GRACE_MS);
	host_silence(c->host);
	if (c->jobs) jobs_free(c->jobs);
	cloud_stop_services(c);
	host_stop(c->host, true);
	workers_free(c->workers);
	if (c->bus) bus_free(c->bus);
	if (c->clock) clock_free(c->clock);
	call_metrics_free(c->metrics);
	store_close(c->store);
	vault_close(c->vault);
	folder_ephemeral_remove(&v->ephemeral);
}

static int run_serve(const struct cli_args *args)
{
	struct installation v = {.cloud.started_us = clock_monotonic_us()};
	trim_large_blocks();
	arena_init(&v.arena);
	int code = settings_read(&v.arena, args, &v.settings);
	if (code) {
		arena_cleanup(&v.arena);
		return code;
	}
	log_setup(v.settings.log, v.settings.log_format);
	v.cloud.host = host_start(v.settings.simulated, is_foreign(v.settings.data));
	host_set_vcpu(v.cloud.host, v.settings.vcpu_percent);
	raise_descriptor_limit();
	/* Before any thread is made, so that none of them takes a signal. */
	sigset_t wanted;
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGHUP);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	signal(SIGPIPE, SIG_IGN);

	code = build_cloud(&v);
	if (!code) code = start_edge(&v);
	if (!code) {
		tell(&v);
		trim_text();
		init_start(v.cloud.init);
		int caught;
		while ((caught = sigtimedwait(&wanted, NULL, &(struct timespec){.tv_sec = REST_S})) < 0) blocks_rest();
		log_info("cli", "stopping", "signal=%d", caught);
		/* Who cannot wait for answers in flight presses Ctrl-C once more. */
		sigset_t again;
		sigemptyset(&again);
		sigaddset(&again, SIGINT);
		sigprocmask(SIG_UNBLOCK, &again, NULL);
	}
	take_apart(&v);
	arena_cleanup(&v.arena);
	return code;
}

const struct cli_command cli_serve = {.name = "serve",
	.words = "",
	.summary = "start virga; prints Ready. once it answers",
	CLI_OPTIONS(serve_options),
	.run = run_serve,
	.more = "Ends on SIGTERM and SIGINT, when the answers in flight are finished. Scripts in DIR/init/ready.d (or\n"
		"VIRGA_INIT_DIR, and /etc/localstack/init/ready.d) run once it is ready. LocalStack's variables are "
		"understood:\n"
		"GATEWAY_LISTEN, LOCALSTACK_HOST, PERSISTENCE, DEBUG, SERVICES; man virga tells how."};
