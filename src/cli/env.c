/* `virga env` and `virga ca`: what a shell and a TLS client need to know of virga. */
#include "base/buf.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/environment.h"
#include "cli/folders.h"
#include <stdio.h>

static const struct cli_option env_options[] = {
	CLIENT_OPTION,
	{"account", "ID", "sign as this account's root (12 digits)"},
};
enum { ENV_ENDPOINT, ENV_ACCOUNT };

/* In single quotes, as a shell reads it. */
static void print_export(const char *name, struct str value)
{
	printf("export %s='", name);
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\'')
			fputs("'\\''", stdout);
		else
			putchar(value.p[i]);
	}
	puts("'");
}

static bool is_account(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9') return false;
	return s.n == 12;
}

static int run_env(const struct cli_args *args)
{
	struct str account = str_c(args->value[ENV_ACCOUNT]);
	if (str_has(account) && !is_account(account)) return cli_misused("an account has 12 digits");
	struct arena a;
	arena_init(&a);
	const char *endpoint = client_endpoint(&a, args->value[ENV_ENDPOINT]);
	struct client_answer answer = client_ask(&a, endpoint, "GET", "/_virga/status");
	struct reply *v = answer.code == 200 ? reply_read(answer.body) : NULL;
	struct str data = reply_text(v, "data"), region = reply_text(v, "region"), key = STR("test"),
		   secret = STR("test");
	int code = 0;
	if (!v) fprintf(stderr, "virga: nothing answers at %s yet; these are the defaults\n", endpoint);
	if (reply_true(v, "strict") && !environment_root_key(&a, data, &key, &secret))
		code = cli_fail(
			"it takes issued keys only (--strict), and %.*scredentials cannot be read here", STR_ARG(data));
	if (str_has(account) && !reply_true(v, "strict")) key = account;
	if (code == 0) {
		print_export("AWS_ENDPOINT_URL", str_c(endpoint));
		print_export("AWS_ACCESS_KEY_ID", key);
		print_export("AWS_SECRET_ACCESS_KEY", secret);
		print_export("AWS_DEFAULT_REGION", str_or(region, STR("us-east-1")));
		if (!str_has(data)) data = str_fmt(&a, "%s/", folder_default(&a));
		struct str ca = str_fmt(&a, "%.*sca.pem", STR_ARG(data));
		if (str_starts(str_c(endpoint), STR("https:")))
			print_export("AWS_CA_BUNDLE", ca);
		else
			printf("# for https://: export AWS_CA_BUNDLE='%.*s'\n", STR_ARG(ca));
	}
	reply_free(v);
	arena_cleanup(&a);
	return code;
}

const struct cli_command cli_env = {.name = "env",
	.words = "",
	.summary = "exports for a shell: eval \"$(virga env)\"",
	CLI_OPTIONS(env_options),
	.run = run_env};

/* ── ca ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const struct cli_option ca_options[] = {CLIENT_OPTION};

static int run_ca(const struct cli_args *args)
{
	struct arena a;
	arena_init(&a);
	struct str body;
	bool got = client_get(&a, client_endpoint(&a, args->value[0]), "GET", "/_virga/ca", &body);
	if (got) fwrite(body.p, 1, body.n, stdout);
	arena_cleanup(&a);
	return got ? 0 : 1;
}

const struct cli_command cli_ca = {.name = "ca",
	.words = "",
	.summary = "the certificate authority that https clients have to trust",
	CLI_OPTIONS(ca_options),
	.run = run_ca,
	.more = "    virga ca > virga-ca.pem\n    AWS_CA_BUNDLE=virga-ca.pem aws --endpoint-url https://localhost:4566 "
		"s3 ls"};
