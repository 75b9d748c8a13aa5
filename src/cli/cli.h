/* The `virga` command: a table of subcommands, each with its table of options. main.c reads both; a command's run gets
 * what was given. */
#pragma once
#include "base/str.h"

struct cli_option {
	const char *name;     /* "listen": given as --listen VALUE or --listen=VALUE */
	const char *argument; /* what stands for the value in the help; NULL: a switch */
	const char *meaning;
};
#define CLI_OPTIONS_MAX 16
#define CLI_WORDS_MAX 64

struct cli_args {
	const char *value[CLI_OPTIONS_MAX]; /* by the option's index; a switch that was given is ""; NULL: not given */
	const char *words[CLI_WORDS_MAX];   /* arguments that are no options */
	size_t n_words;
};
struct cli_command {
	const char *name;
	const char *words; /* of the usage line, such as "[SERVICE]"; "" where it takes none */
	size_t max_words;
	const char *summary; /* one line */
	const char *more;    /* further lines of `virga help NAME`; may be NULL */
	const struct cli_option *options;
	size_t n_options;
	int (*run)(const struct cli_args *args); /* returns the exit code: 0, 1 failed, 2 misused */
};
#define CLI_OPTIONS(table) .options = (table), .n_options = sizeof(table) / sizeof(*(table))

extern const struct cli_command cli_serve, cli_status, cli_stop, cli_reset, cli_ops, cli_clock, cli_ca, cli_env,
	cli_engines, cli_fault, cli_trace, cli_ssh, cli_ami, cli_sso;

/* "virga: …" to standard error. Returns 1, so that a command can end with it. */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Like cli_fail, with a hint at `virga help`; returns 2. */
int cli_misused(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
