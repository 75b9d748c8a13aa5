/* `virga engines`: the programs of Debian's that services run, and the image that machines start from; installed when
 * they are wanted, not before. Speaks to no running virga. */
#include "cli/cli.h"
#include "host/compute/image.h"
#include "host/compute/spawn.h"
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

struct engine {
	const char *name, *packages, *program, *serves;
};
static const struct engine engines[] = {
	{"haproxy", "haproxy", "/usr/sbin/haproxy", "Elastic Load Balancing"},
	{"postgresql", "postgresql", "/usr/lib/postgresql/15/bin/postgres", "RDS and Aurora for PostgreSQL"},
	{"pgbouncer", "pgbouncer", "/usr/sbin/pgbouncer", "RDS Proxy"},
	{"mariadb", "mariadb-server-core mariadb-backup mariadb-client", "/usr/sbin/mariadbd", "RDS for MariaDB"},
	{"redis", "redis-server", "/usr/bin/redis-server", "ElastiCache for Redis"},
	{"memcached", "memcached", "/usr/bin/memcached", "ElastiCache for Memcached"},
	{"knot", "knot", "/usr/sbin/knotd", "Route 53"},
	{"machine-image", "mmdebstrap e2fsprogs", NULL, "EC2 instances (Debian 12, built once by mmdebstrap)"},
};
#define N_ENGINES (sizeof(engines) / sizeof(*engines))

static bool is_there(const struct engine *e)
{
	return e->program ? access(e->program, X_OK) == 0 : image_default_ready();
}

static int list(void)
{
	for (size_t i = 0; i < N_ENGINES; i++)
		printf("  %-15s %-14s %s\n", engines[i].name, is_there(&engines[i]) ? "installed" : "not installed",
			engines[i].serves);
	return 0;
}

static int run(const char *const argv[])
{
	fflush(stdout);
	return spawn_wait(argv, "/", STDOUT_FILENO);
}

/* What a package starts for the whole machine would take ports and memory, and is not what virga runs: its services
 * stay off (invoke-rc.d(8) asks policy-rc.d). */
static int install_packages(const char *packages)
{
	char command[512];
	snprintf(command, sizeof(command),
		"export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1; p=/usr/sbin/policy-rc.d; made=; "
		"[ -e $p ] || { printf '#!/bin/sh\\nexit 101\\n' > $p; chmod 755 $p; made=1; }; "
		"apt-get -q install -y --no-install-recommends %s || { apt-get -q update && apt-get -q install -y "
		"--no-install-recommends %s; }; code=$?; [ -z \"$made\" ] || rm -f $p; exit $code",
		packages, packages);
	const char *argv[] = {"/bin/sh", "-c", command, NULL};
	return run(argv);
}

static int install(const char *name)
{
	const struct engine *e = NULL;
	for (size_t i = 0; i < N_ENGINES; i++)
		if (strcmp(engines[i].name, name) == 0) e = &engines[i];
	if (!e) return cli_misused("there is no engine '%s': `virga engines` lists them", name);
	if (is_there(e)) {
		printf("%s is installed\n", e->name);
		return 0;
	}
	if (geteuid() != 0) return cli_fail("this needs root: sudo virga engines install %s", e->name);
	if (e->program || access("/usr/bin/mmdebstrap", X_OK) != 0 || access("/usr/sbin/mke2fs", X_OK) != 0) {
		int code = install_packages(e->packages);
		if (code != 0) return cli_fail("apt-get could not install %s (exit code %d)", e->packages, code);
	}
	if (!e->program) {
		struct arena a;
		struct str why = STR("");
		arena_init(&a);
		puts("building the machine image: 15 seconds to some minutes");
		fflush(stdout);
		status s = image_default_build(&a, STDERR_FILENO, &why);
		int code = is_ok(s) ? 0 : cli_fail("%.*s", STR_ARG(why));
		arena_cleanup(&a);
		if (code) return code;
	}
	if (!is_there(e))
		return cli_fail("%s was installed, but %s is not there", e->packages,
			e->program ? e->program : IMAGE_CACHE IMAGE_DEFAULT);
	printf("%s is installed\n", e->name);
	return 0;
}

static int run_engines(const struct cli_args *args)
{
	const char *what = args->n_words ? args->words[0] : "list";
	if (strcmp(what, "list") == 0 && args->n_words < 2) return list();
	if (strcmp(what, "install") == 0 && args->n_words == 2) return install(args->words[1]);
	return cli_misused("engines knows: list, install NAME");
}

const struct cli_command cli_engines = {.name = "engines",
	.words = "[list|install NAME]",
	.max_words = 2,
	.summary = "the programs that services run: what is there, and installing one",
	.run = run_engines,
	.more = "Databases, caches, balancers and the root file system of EC2 instances come from Debian's packages, "
		"each when\n"
		"it is first wanted. An API call that needs one which is absent says so."};
