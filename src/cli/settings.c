/* Options and variables of `virga serve`; see settings.h. */
#include "cli/settings.h"
#include "base/vec.h"
#include "cli/folders.h"
#include "vault/vault.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A variable of LocalStack's, with or without its prefix; NULL where it is unset or empty. */
static const char *variable(const char *name)
{
	char prefixed[64];
	snprintf(prefixed, sizeof(prefixed), "LOCALSTACK_%s", name);
	const char *value = getenv(name);
	if (!value || !*value) value = getenv(prefixed);
	return value && *value ? value : NULL;
}

static bool is_true(const char *value)
{
	struct str s = str_c(value);
	return str_is(s, "1") || str_ieq(s, STR("true"));
}

static bool is_false(const char *value)
{
	struct str s = str_c(value);
	return str_is(s, "0") || str_ieq(s, STR("false"));
}

/* LocalStack forgets by default and keeps with PERSISTENCE=1; virga keeps by default, so only an explicit 0 means
 * forgetting. */
static int read_place(struct arena *a, const struct cli_args *args, struct settings *out)
{
	const char *data = args->value[SERVE_DATA], *persistence = variable("PERSISTENCE");
	bool ephemeral = args->value[SERVE_EPHEMERAL];
	if (data && ephemeral) return cli_misused("--data and --ephemeral exclude each other");
	if (!data && persistence && is_false(persistence)) ephemeral = true;
	out->data = ephemeral ? NULL : data ? data : folder_default(a);
	if (out->data && !*out->data) return cli_misused("--data needs a folder");

	const char *durability = args->value[SERVE_DURABILITY];
	/* What goes with the process needs no fsync. */
	out->durability = ephemeral ? DURABILITY_RELAXED : DURABILITY_STRICT;
	if (!durability) return 0;
	if (strcmp(durability, "strict") != 0 && strcmp(durability, "relaxed") != 0)
		return cli_misused("--durability is strict or relaxed");
	out->durability = strcmp(durability, "strict") == 0 ? DURABILITY_STRICT : DURABILITY_RELAXED;
	return 0;
}

static int read_log(const struct cli_args *args, struct settings *out)
{
	const char *debug = variable("DEBUG");
	out->log = debug && is_true(debug) ? LOG_DEBUG : LOG_INFO;
	out->log_format = LOG_TEXT;
	struct str rest = str_c(args->value[SERVE_LOG]);
	while (str_has(rest)) {
		struct str word = str_cut(&rest, ',');
		if (str_is(word, "json") || str_is(word, "text")) {
			out->log_format = str_is(word, "json") ? LOG_JSON : LOG_TEXT;
			continue;
		}
		enum log_level level = log_level_from(word, LOG_DEBUG);
		if (level != log_level_from(word, LOG_OFF))
			return cli_misused("--log is debug, info, warn, error or off, and json");
		out->log = level;
	}
	return 0;
}

/* "s3,sqs"; very old configurations say "s3:4572". */
static void read_services(struct arena *a, struct settings *out)
{
	struct {
		struct str *v;
		size_t n;
	} list = {0};
	size_t capacity = 0;
	struct str rest = str_c(variable("SERVICES"));
	while (str_has(rest)) {
		struct str word = str_cut(&rest, ','), name = str_trim(str_cut(&word, ':'));
		if (!str_empty(name)) *VEC_PUSH(a, &list, &capacity) = name;
	}
	out->enabled = list.v;
	out->n_enabled = list.n;
}

static int read_region(const struct cli_args *args, struct settings *out)
{
	const char *region = args->value[SERVE_REGION];
	if (!region) region = getenv("AWS_DEFAULT_REGION");
	out->region = region && *region ? str_c(region) : STR("us-east-1");
	for (size_t i = 0; i < out->region.n; i++) {
		char c = out->region.p[i];
		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-')
			return cli_misused("'%s' is no region", region);
	}
	return 0;
}

/* A passphrase's own line end is no part of it. */
static int read_passphrase(struct arena *a, const struct cli_args *args, struct settings *out)
{
	const char *file = args->value[SERVE_PASSPHRASE_FILE], *given = getenv("VIRGA_PASSPHRASE");
	char text[1024];
	if (file) {
		FILE *f = fopen(file, "re");
		size_t n = f ? fread(text, 1, sizeof(text), f) : 0;
		if (!f) return cli_fail("cannot read %s: %s", file, strerror(errno));
		fclose(f);
		while (n && (text[n - 1] == '\n' || text[n - 1] == '\r')) n--;
		if (!n || n == sizeof(text)) return cli_misused("%s holds no passphrase of 1 to 1023 bytes", file);
		out->passphrase = str_dup(a, str_n(text, n));
		vault_wipe(str_n(text, sizeof(text)));
	} else if (given && *given) {
		out->passphrase = str_dup(a, str_c(given));
	}
	/* The scripts that virga starts have no business with it. */
	unsetenv("VIRGA_PASSPHRASE");
	return 0;
}

int settings_read(struct arena *a, const struct cli_args *args, struct settings *out)
{
	*out = (struct settings){0};
	out->listen = args->value[SERVE_LISTEN] ? args->value[SERVE_LISTEN] : variable("GATEWAY_LISTEN");
	if (!out->listen) out->listen = "127.0.0.1:4566";
	out->strict = args->value[SERVE_STRICT];
	const char *simulated = getenv("VIRGA_SIMULATED");
	out->simulated = args->value[SERVE_SIMULATED] || (simulated && is_true(simulated));
	const char *vcpu = args->value[SERVE_VCPU] ? args->value[SERVE_VCPU] : getenv("VIRGA_VCPU");
	int64_t percent = 100;
	if (vcpu && *vcpu && (!is_ok(str_to_i64(str_c(vcpu), &percent)) || percent < 1 || percent > 100))
		return cli_misused("a vCPU is 1 to 100 percent of a processor, not \"%s\"", vcpu);
	out->vcpu_percent = (int)percent;
	out->public_host = str_c(getenv("LOCALSTACK_HOST"));
	if (str_empty(out->public_host)) out->public_host = STR_NONE;
	out->init_dir = getenv("VIRGA_INIT_DIR");
	if (out->init_dir && !*out->init_dir) out->init_dir = NULL;
	read_services(a, out);
	int code = read_place(a, args, out);
	if (!code) code = read_log(args, out);
	if (!code) code = read_region(args, out);
	if (!code) code = read_passphrase(a, args, out);
	return code;
}
