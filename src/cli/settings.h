/* How virga is to run: from the options of `virga serve`, then from the environment (the variables that LocalStack's
 * users set are understood, also with the prefix LOCALSTACK_), then by default. */
#pragma once
#include "base/arena.h"
#include "base/log.h"
#include "cli/cli.h"
#include "store/store.h"

enum {
	SERVE_LISTEN,
	SERVE_DATA,
	SERVE_EPHEMERAL,
	SERVE_STRICT,
	SERVE_DURABILITY,
	SERVE_REGION,
	SERVE_LOG,
	SERVE_PASSPHRASE_FILE,
	SERVE_SIMULATED,
	SERVE_VCPU,
	SERVE_OPTIONS
};

struct settings {
	const char *listen;
	const char *data; /* NULL: ephemeral */
	bool strict;
	bool simulated; /* networks and machines */
	int vcpu_percent;
	enum store_durability durability;
	struct str region;
	struct str public_host; /* STR_NONE: localhost and the port that it listens on */
	struct str *enabled;    /* SERVICES; none: all */
	size_t n_enabled;
	const char *init_dir;  /* VIRGA_INIT_DIR; NULL: the data folder's init/ready.d */
	struct str passphrase; /* of the vault; STR_NONE: its root key is a file. To be wiped once used */
	enum log_level log;
	enum log_format log_format;
};
/* Returns 0, or the exit code after telling what is wrong. What *out points to lives in `a`, the arguments or the
 * environment. */
int settings_read(struct arena *a, const struct cli_args *args, struct settings *out);
