/* Commands about EC2's network: fault, trace. */
#include "cli/cli.h"
#include "cli/client.h"
#include <stdio.h>

static const struct cli_option fault_options[] = {CLIENT_OPTION};

static void print_zones(const struct reply *v)
{
	const struct reply *z;
	size_t n = 0;
	for (; (z = reply_element(v, "zones_down", n)); n++) printf("%.*s is down.\n", STR_ARG(reply_text(z, "zone")));
	if (!n) puts("All zones are up.");
}

/* event INSTANCE CODE [AFTER], spot INSTANCE, host HOST [AFTER] */
static int fault_instance(struct arena *a, const struct cli_args *args)
{
	const char *what = args->words[0];
	bool event = strcmp(what, "event") == 0, spot = strcmp(what, "spot") == 0, host = strcmp(what, "host") == 0;
	unsigned least = event ? 3 : 2, most = spot ? 2 : least + 1;
	struct str body;
	if ((!event && !spot && !host) || args->n_words < least || args->n_words > most)
		return cli_misused(
			"fault takes az ZONE down|up, event INSTANCE CODE [AFTER], spot INSTANCE or host HOST [AFTER]");
	const char *after = args->n_words > least ? args->words[least] : "14d";
	const char *path = str_fmt(a, "/_virga/fault?what=%s&id=%.*s&code=%.*s&after=%.*s", what,
		STR_ARG(str_uri_encode(a, str_c(args->words[1]), false)),
		STR_ARG(str_uri_encode(a, event ? str_c(args->words[2]) : STR(""), false)),
		STR_ARG(str_uri_encode(a, str_c(after), false)))
				   .p;
	if (!client_get(a, client_endpoint(a, args->value[0]), "POST", path, &body)) return 1;
	struct reply *v = reply_read(body);
	printf("%.*s\n", STR_ARG(reply_text(v, "done")));
	reply_free(v);
	return 0;
}

static int run_fault(const struct cli_args *args)
{
	struct arena a;
	arena_init(&a);
	struct str body;
	int code = 1;
	const char *path = "/_virga/fault";
	bool change = args->n_words > 0, zone = change && strcmp(args->words[0], "az") == 0;
	if (change && !zone) {
		code = fault_instance(&a, args);
		arena_cleanup(&a);
		return code;
	}
	if (change && args->n_words != 3) {
		arena_cleanup(&a);
		return cli_misused("fault takes az ZONE down, or az ZONE up");
	}
	if (change)
		path = str_fmt(&a, "/_virga/fault?zone=%.*s&state=%.*s",
			STR_ARG(str_uri_encode(&a, str_c(args->words[1]), false)),
			STR_ARG(str_uri_encode(&a, str_c(args->words[2]), false)))
			       .p;
	if (client_get(&a, client_endpoint(&a, args->value[0]), change ? "POST" : "GET", path, &body)) {
		struct reply *v = reply_read(body);
		print_zones(v);
		reply_free(v);
		code = 0;
	}
	arena_cleanup(&a);
	return code;
}

const struct cli_command cli_fault = {.name = "fault",
	.words = "[az ZONE down|up | event INSTANCE CODE [AFTER] | spot INSTANCE | host HOST [AFTER]]",
	.max_words = 4,
	.summary = "let an availability zone, an instance or a Dedicated Host fail",
	CLI_OPTIONS(fault_options),
	.run = run_fault,
	.more = "A zone that is down (us-east-1a) keeps what is in it, but nothing enters or leaves. It stays down "
		"over a\n"
		"restart. Without words: which zones are down.\n"
		"event schedules instance-reboot, system-reboot, system-maintenance, instance-retirement or\n"
		"instance-stop for an instance AFTER that long (14d), in its event window. spot takes a Spot Instance\n"
		"back: it has two minutes, and a persistent request is fulfilled anew ten minutes later. host lets a\n"
		"Dedicated Host fail: its instances move to a new one where host recovery is on, else they are\n"
		"retired AFTER that long."};

static const struct cli_option trace_options[] = {
	{"protocol", "NAME", "tcp, udp, icmp or a number (tcp)"},
	CLIENT_OPTION,
};
enum { TRACE_PROTOCOL, TRACE_ENDPOINT };

static void print_trace(const struct reply *v)
{
	const struct reply *h;
	for (size_t i = 0; (h = reply_element(v, "hops", i)); i++) {
		printf("%s %.*s  %.*s", reply_true(h, "passed") ? "  " : "X ", STR_ARG(reply_text(h, "component")),
			STR_ARG(reply_text(h, "text")));
		if (reply_text(h, "by").n) printf(" (%.*s)", STR_ARG(reply_text(h, "by")));
		printf("  %.*s > %.*s\n", STR_ARG(reply_text(h, "source")), STR_ARG(reply_text(h, "destination")));
	}
	puts(reply_true(v, "reachable") ? "It arrives." : "It does not arrive.");
}

static int run_trace(const struct cli_args *args)
{
	struct arena a;
	arena_init(&a);
	struct str body;
	int code = 1;
	if (args->n_words < 2) {
		arena_cleanup(&a);
		return cli_misused("trace takes a source, a destination and, for TCP and UDP, a port");
	}
	const char *protocol = args->value[TRACE_PROTOCOL];
	struct str path = str_fmt(&a, "/_virga/trace?source=%.*s&destination=%.*s&port=%.*s&protocol=%.*s",
		STR_ARG(str_uri_encode(&a, str_c(args->words[0]), false)),
		STR_ARG(str_uri_encode(&a, str_c(args->words[1]), false)),
		STR_ARG(str_uri_encode(&a, str_c(args->n_words > 2 ? args->words[2] : "0"), false)),
		STR_ARG(str_uri_encode(&a, str_c(protocol ? protocol : "tcp"), false)));
	if (client_get(&a, client_endpoint(&a, args->value[TRACE_ENDPOINT]), "GET", path.p, &body)) {
		struct reply *v = reply_read(body);
		print_trace(v);
		code = reply_true(v, "reachable") ? 0 : 1;
		reply_free(v);
	}
	arena_cleanup(&a);
	return code;
}

const struct cli_command cli_trace = {.name = "trace",
	.words = "SRC DST [PORT]",
	.max_words = 3,
	.summary = "tell hop by hop why a packet arrives or not",
	CLI_OPTIONS(trace_options),
	.run = run_trace,
	.more = "SRC: i-…, eni-…, a private address, internet. DST: the same, or any address. Exit code 0: it "
		"arrives."};
