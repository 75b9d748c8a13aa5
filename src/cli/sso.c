/* `virga sso`: what IAM Identity Center leaves to mail and browsers: a user's password, and the approval of a device.
 */
#include "cli/cli.h"
#include "cli/client.h"
#include <stdio.h>
#include <string.h>

#define PASSWORD_MAX 1024

static const struct cli_option options[] = {
	{"instance", "ID", "the directory (d-…) or instance, where there are several"},
	CLIENT_OPTION,
};
enum { SSO_INSTANCE, SSO_ENDPOINT };

static struct str encoded(struct arena *a, const char *text)
{
	return str_uri_encode(a, str_c(text), false);
}

/* The first line of standard input: arguments are seen by everybody on the machine. */
static bool read_password(char out[PASSWORD_MAX])
{
	if (!fgets(out, PASSWORD_MAX, stdin)) return false;
	out[strcspn(out, "\r\n")] = 0;
	return *out != 0;
}

static const char *path_of(struct arena *a, const struct cli_args *args, char password[PASSWORD_MAX])
{
	const char *instance = args->value[SSO_INSTANCE] ? args->value[SSO_INSTANCE] : "";
	if (args->n_words == 2 && strcmp(args->words[0], "password") == 0) {
		if (!read_password(password)) return NULL;
		return str_fmt(a, "/_virga/sso-oidc/password?username=%.*s&instance=%.*s&password=%.*s",
			STR_ARG(encoded(a, args->words[1])), STR_ARG(encoded(a, instance)),
			STR_ARG(encoded(a, password)))
			.p;
	}
	if (args->n_words == 3 && strcmp(args->words[0], "approve") == 0)
		return str_fmt(a, "/_virga/sso-oidc/approve?user_code=%.*s&username=%.*s",
			STR_ARG(encoded(a, args->words[1])), STR_ARG(encoded(a, args->words[2])))
			.p;
	return NULL;
}

static int run(const struct cli_args *args)
{
	struct arena a;
	char password[PASSWORD_MAX];
	struct str body;
	arena_init(&a);
	const char *path = path_of(&a, args, password);
	int code = 1;
	if (!path)
		code = cli_misused(
			"sso takes password USER, with the password on standard input, or approve CODE USER");
	else if (client_get(&a, client_endpoint(&a, args->value[SSO_ENDPOINT]), "POST", path, &body))
		code = 0;
	arena_cleanup(&a);
	return code;
}

const struct cli_command cli_sso = {.name = "sso",
	.words = "[password USER|approve CODE USER]",
	.max_words = 3,
	.summary = "set an Identity Center user's password; approve a device's sign-in",
	CLI_OPTIONS(options),
	.run = run,
	.more = "The password is the first line of standard input. CODE is what `aws sso login --use-device-code` "
		"shows."};
