/* main(): finds the subcommand, reads its options by its table, runs it; help and version. */
#include "cli/cli.h"
#include <stdarg.h>
#include <stdio.h>

static int run_help(const struct cli_args *args);
static int run_version(const struct cli_args *args);

static const struct cli_command cli_version = {
	.name = "version", .words = "", .summary = "print the version", .run = run_version};
static const struct cli_command cli_help = {.name = "help",
	.words = "[COMMAND]",
	.max_words = 1,
	.summary = "tell what there is, or more of a command",
	.run = run_help};

static const struct cli_command *const commands[] = {&cli_serve, &cli_status, &cli_stop, &cli_reset, &cli_ops,
	&cli_clock, &cli_fault, &cli_trace, &cli_ca, &cli_env, &cli_engines, &cli_ssh, &cli_ami, &cli_sso, &cli_version,
	&cli_help};
#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

static int complain(int code, const char *hint, const char *fmt, va_list args)
{
	fputs("virga: ", stderr);
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\n%s", hint);
	return code;
}

int cli_fail(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int code = complain(1, "", fmt, args);
	va_end(args);
	return code;
}

int cli_misused(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int code = complain(2, "`virga help COMMAND` tells more.\n", fmt, args);
	va_end(args);
	return code;
}

static const struct cli_command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0) return commands[i];
	return NULL;
}

static int run_version(const struct cli_args *args)
{
	(void)args;
	puts("virga " VIRGA_VERSION);
	return 0;
}

static void print_options(const struct cli_command *c)
{
	for (size_t i = 0; i < c->n_options; i++) {
		const struct cli_option *o = &c->options[i];
		int n = printf("  --%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
		printf("%*s%s\n", n < 28 ? 28 - n : 1, "", o->meaning);
	}
}

static int run_help(const struct cli_args *args)
{
	if (args->n_words > 0) {
		const struct cli_command *c = find_command(args->words[0]);
		if (!c) return cli_misused("there is no command '%s'", args->words[0]);
		const char *options = c->n_options ? " [OPTION…]" : "", *space = *c->words ? " " : "";
		printf("virga %s%s%s%s: %s\n", c->name, options, space, c->words, c->summary);
		if (c->more) printf("\n%s\n", c->more);
		if (c->n_options) puts("");
		print_options(c);
		return 0;
	}
	puts("virga: an AWS-compatible cloud on one machine\n\nvirga COMMAND [OPTION…]\n");
	for (size_t i = 0; i < N_COMMANDS; i++) {
		int n = printf("  %s %s", commands[i]->name, commands[i]->words);
		printf("%*s%s\n", n < 44 ? 44 - n : 1, "", commands[i]->summary);
	}
	puts("\nCommands that speak to a running virga find it by --endpoint URL or VIRGA_ENDPOINT;\n"
	     "http://127.0.0.1:4566 without either. `virga help COMMAND` tells more, so does man virga.");
	return 0;
}

/* Puts the option at argv[*i] into `out`. Returns 0, or the exit code of a misuse. */
static int read_option(const struct cli_command *c, int argc, char **argv, int *i, struct cli_args *out)
{
	struct str text = str_c(argv[*i] + 2), name = str_cut(&text, '=');
	for (size_t k = 0; k < c->n_options; k++) {
		const struct cli_option *o = &c->options[k];
		if (!str_eq(name, str_c(o->name))) continue;
		if (!o->argument && str_has(text)) return cli_misused("--%s takes no value", o->name);
		if (o->argument && !str_has(text) && *i + 1 >= argc)
			return cli_misused("--%s needs %s", o->name, o->argument);
		out->value[k] = !o->argument ? "" : str_has(text) ? text.p : argv[++*i];
		return 0;
	}
	return cli_misused("%s knows no option --%.*s", c->name, STR_ARG(name));
}

static int read_args(const struct cli_command *c, int argc, char **argv, struct cli_args *out)
{
	bool only_words = false;
	for (int i = 0; i < argc; i++) {
		bool dashes = !only_words && str_starts(str_c(argv[i]), STR("--"));
		if (dashes && !argv[i][2]) {
			only_words = true;
		} else if (dashes) {
			int code = read_option(c, argc, argv, &i, out);
			if (code) return code;
		} else if (out->n_words >= c->max_words) {
			return cli_misused("%s does not know what to do with '%s'", c->name, argv[i]);
		} else {
			out->words[out->n_words++] = argv[i];
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "help";
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) name = "version";
	const struct cli_command *c = find_command(name);
	if (!c) return cli_misused("there is no command '%s'", name);

	struct cli_args args = {0};
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0) continue;
		args.words[args.n_words++] = name;
		return run_help(&args);
	}
	int code = read_args(c, argc > 2 ? argc - 2 : 0, argv + 2, &args);
	if (code == 0) code = c->run(&args);
	/* Output that could not be written (a full disk, a closed pipe) is a failure too. */
	if (fflush(stdout) != 0 || ferror(stdout)) return code ? code : cli_fail("could not write the output");
	return code;
}
