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

static int run_fault(const struct cli_args *args)
{
	struct arena a;
	arena_init(&a);
	struct str body;
	int code = 1;
	const char *path = "/_virga/fault";
	bool change = args->n_words > 0;
	if (change && (args->n_words != 3 || strcmp(args->words[0], "az") != 0)) {
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
	.words = "[az ZONE down|up]",
	.max_words = 3,
	.summary = "let an availability zone fail, or come back",
	CLI_OPTIONS(fault_options),
	.run = run_fault,
	.more = "A zone that is down (us-east-1a) keeps what is in it, but nothing enters or leaves. It stays down "
		"over a\n"
		"restart. Without words: which zones are down."};

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
