/* #cloud-config, the part of it that needs nothing else: bootcmd, write_files, users, ssh_authorized_keys, hostname,
 * packages (by apt-get), runcmd, in cloud-init's order. Keys that are not done are named on the console. */
#include "host/compute/init/init.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#define ARGV_MAX 64

struct config_run {
	yaml_document_t *d;
	struct arena *a;
	int failed;
};

static struct str scalar(yaml_node_t *n)
{
	return n && n->type == YAML_SCALAR_NODE ? str_n(n->data.scalar.value, n->data.scalar.length) : STR_NONE;
}

static yaml_node_t *member(struct config_run *r, yaml_node_t *map, const char *name)
{
	if (!map || map->type != YAML_MAPPING_NODE) return NULL;
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++)
		if (str_eq(scalar(yaml_document_get_node(r->d, p->key)), str_c(name)))
			return yaml_document_get_node(r->d, p->value);
	return NULL;
}

static size_t length(yaml_node_t *n)
{
	return n && n->type == YAML_SEQUENCE_NODE ? (size_t)(n->data.sequence.items.top - n->data.sequence.items.start)
						  : 0;
}

static yaml_node_t *item(struct config_run *r, yaml_node_t *n, size_t i)
{
	return yaml_document_get_node(r->d, n->data.sequence.items.start[i]);
}

static const char *text(struct config_run *r, yaml_node_t *map, const char *name)
{
	struct str s = scalar(member(r, map, name));
	return str_has(s) ? str_z(r->a, s) : NULL;
}

static void note(struct config_run *r, int code, const char *what)
{
	if (code == 0) return;
	printf("cloud-config: %s: exit code %d\n", what, code);
	fflush(stdout);
	if (!r->failed) r->failed = code;
}

/* A text is the shell's, a list is run as it is. */
static void run_commands(struct config_run *r, yaml_node_t *list)
{
	for (size_t i = 0; i < length(list); i++) {
		yaml_node_t *n = item(r, list, i);
		const char *argv[ARGV_MAX + 1] = {"/bin/sh", "-c", NULL};
		if (n->type == YAML_SCALAR_NODE) {
			argv[2] = str_z(r->a, scalar(n));
		} else {
			size_t count = length(n) < ARGV_MAX ? length(n) : ARGV_MAX;
			for (size_t k = 0; k < count; k++)
				argv[k] = str_z(r->a, str_or(scalar(item(r, n, k)), STR("")));
			argv[count] = NULL;
			if (count == 0) continue;
		}
		note(r, run_wait(argv, -1), argv[0]);
	}
}

static bool set_owner(const char *path, const char *owner)
{
	char name[64], group[64] = "";
	if (!owner) return true;
	struct str rest = str_c(owner), who = str_cut(&rest, ':');
	snprintf(name, sizeof(name), "%.*s", STR_ARG(who)), snprintf(group, sizeof(group), "%.*s", STR_ARG(rest));
	const char *argv[] = {"chown", owner, path, NULL};
	struct user u;
	if (!*group && user_find(name, &u)) return chown(path, u.uid, u.gid) == 0;
	return run_wait(argv, -1) == 0;
}

static void write_files(struct config_run *r, yaml_node_t *list)
{
	for (size_t i = 0; i < length(list); i++) {
		yaml_node_t *n = item(r, list, i);
		const char *path = text(r, n, "path"), *mode = text(r, n, "permissions"),
			   *encoding = text(r, n, "encoding");
		struct str content = str_or(scalar(member(r, n, "content")), STR(""));
		if (!path || *path != '/') {
			note(r, 1, "write_files without an absolute path");
			continue;
		}
		if (encoding && (strcmp(encoding, "b64") == 0 || strcmp(encoding, "base64") == 0)) {
			struct buf b = BUF_IN(r->a);
			for (size_t k = 0; k < content.n; k++)
				if (content.p[k] > ' ') buf_byte(&b, content.p[k]);
			if (!is_ok(str_unbase64(r->a, buf_done(&b), &content))) {
				note(r, 1, path);
				continue;
			}
		} else if (encoding && strcmp(encoding, "text/plain") != 0) {
			note(r, 1, "write_files with an encoding other than base64");
			continue;
		}
		ptrdiff_t slash = str_rchr(str_c(path), '/');
		if (slash > 0) make_folders(str_z(r->a, str_sub(str_c(path), 0, (size_t)slash)), 0755);
		struct str append = scalar(member(r, n, "append"));
		if (str_is(append, "true"))
			content = str_cat(r->a, str_or(file_read(r->a, path, 16u << 20), STR("")), content);
		mode_t bits =
			mode ? (mode_t)strtoul(mode + (str_starts(str_c(mode), STR("0o")) ? 2 : 0), NULL, 8) & 07777
			     : 0644;
		if (!file_write(path, content, bits) || !set_owner(path, text(r, n, "owner"))) note(r, 1, path);
	}
}

static void add_keys(struct config_run *r, const struct user *u, yaml_node_t *list)
{
	if (!length(list)) return;
	const char *folder = str_fmt(r->a, "%s/.ssh", u->home).p, *path = str_fmt(r->a, "%s/authorized_keys", folder).p;
	make_folders(folder, 0700);
	struct buf b = BUF_IN(r->a);
	buf_str(&b, str_or(file_read(r->a, path, 1u << 20), STR("")));
	if (b.n && b.p[b.n - 1] != '\n') buf_byte(&b, '\n');
	for (size_t i = 0; i < length(list); i++) buf_fmt(&b, "%.*s\n", STR_ARG(str_trim(scalar(item(r, list, i)))));
	if (!file_write(path, buf_done(&b), 0600) || chown(folder, u->uid, u->gid) != 0 ||
		chown(path, u->uid, u->gid) != 0)
		note(r, 1, path);
}

static void make_users(struct config_run *r, yaml_node_t *list)
{
	for (size_t i = 0; i < length(list); i++) {
		yaml_node_t *n = item(r, list, i);
		const char *name = n->type == YAML_SCALAR_NODE ? str_z(r->a, scalar(n)) : text(r, n, "name");
		const char *shell = text(r, n, "shell"), *groups = text(r, n, "groups"), *sudo = text(r, n, "sudo");
		struct user u;
		if (!name || strcmp(name, "default") == 0) continue;
		if (!user_find(name, &u)) {
			const char *argv[] = {"useradd", "-m", "-s", shell ? shell : "/bin/sh", name,
				groups ? "-G" : NULL, groups, NULL};
			note(r, run_wait(argv, -1), "useradd");
		}
		if (sudo && strcmp(sudo, "false") != 0) {
			make_folders("/etc/sudoers.d", 0750);
			const char *path = str_fmt(r->a, "/etc/sudoers.d/90-%s", name).p;
			if (!file_write(path, str_fmt(r->a, "%s %s\n", name, sudo), 0440)) note(r, 1, path);
		}
		if (user_find(name, &u)) add_keys(r, &u, member(r, n, "ssh_authorized_keys"));
	}
}

static void install_packages(struct config_run *r, yaml_node_t *list, bool update)
{
	const char *argv[ARGV_MAX + 8] = {"apt-get", "-q", "-y", "update", NULL};
	if (length(list) || update) note(r, run_wait(argv, -1), "apt-get update");
	size_t n = 3;
	argv[n++] = "install";
	for (size_t i = 0; i < length(list) && n < ARGV_MAX; i++) {
		struct str name = scalar(item(r, list, i));
		if (name.n) argv[n++] = str_z(r->a, name);
	}
	argv[n] = NULL;
	if (n > 4) note(r, run_wait(argv, -1), "apt-get install");
}

static void run_all(struct config_run *r, yaml_node_t *root)
{
	static const char *const known[] = {"bootcmd", "write_files", "users", "ssh_authorized_keys", "hostname",
		"packages", "package_update", "runcmd"};
	static const char *const admins[] = {"admin", "ec2-user", "root"};
	for (yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++) {
		struct str key = scalar(yaml_document_get_node(r->d, p->key));
		bool is_known = false;
		for (size_t i = 0; i < sizeof(known) / sizeof(*known) && !is_known; i++)
			is_known = str_eq(key, str_c(known[i]));
		if (!is_known) printf("cloud-config: %.*s is left out\n", STR_ARG(key));
	}
	fflush(stdout);
	run_commands(r, member(r, root, "bootcmd"));
	write_files(r, member(r, root, "write_files"));
	const char *hostname = text(r, root, "hostname");
	if (hostname && (sethostname(hostname, strlen(hostname)) != 0 ||
				!file_write("/etc/hostname", str_fmt(r->a, "%s\n", hostname), 0644)))
		note(r, 1, "hostname");
	make_users(r, member(r, root, "users"));
	for (size_t i = 0; i < sizeof(admins) / sizeof(*admins); i++) {
		struct user u;
		if (!user_find(admins[i], &u)) continue;
		add_keys(r, &u, member(r, root, "ssh_authorized_keys"));
		break;
	}
	install_packages(r, member(r, root, "packages"), str_is(scalar(member(r, root, "package_update")), "true"));
	run_commands(r, member(r, root, "runcmd"));
}

bool cloud_config_run(struct str config, int *failed)
{
	struct arena a;
	yaml_parser_t parser;
	yaml_document_t document;
	arena_init(&a);
	if (!yaml_parser_initialize(&parser)) return false;
	yaml_parser_set_input_string(&parser, (const unsigned char *)config.p, config.n);
	bool good = yaml_parser_load(&parser, &document);
	if (!good)
		printf("cloud-config: line %zu: %s\n", parser.problem_mark.line + 1,
			parser.problem ? parser.problem : "not YAML");
	yaml_node_t *root = good ? yaml_document_get_root_node(&document) : NULL;
	struct config_run r = {.d = &document, .a = &a};
	if (root && root->type == YAML_MAPPING_NODE)
		run_all(&r, root);
	else if (root)
		printf("cloud-config: it has no keys\n"), good = false;
	*failed = r.failed;
	fflush(stdout);
	if (good || root) yaml_document_delete(&document);
	yaml_parser_delete(&parser);
	arena_cleanup(&a);
	return good;
}
