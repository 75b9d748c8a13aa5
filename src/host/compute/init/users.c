/* /etc/passwd and /etc/group, read by hand: a static program cannot load what nsswitch.conf names. passwd(5), group(5).
 */
#include "host/compute/init/init.h"
#include <grp.h>
#include <unistd.h>

#define FILE_MAX (1u << 20)
#define GROUPS_MAX 256

static void copy(char *to, size_t size, struct str s)
{
	snprintf(to, size, "%.*s", STR_ARG(s));
}

bool user_find(const char *name, struct user *out)
{
	struct arena a;
	arena_init(&a);
	bool found = false;
	struct str rest = file_read(&a, "/etc/passwd", FILE_MAX);
	while (str_has(rest) && !found) {
		struct str line = str_cut(&rest, '\n'), who = str_cut(&line, ':');
		if (!str_eq(who, str_c(name))) continue;
		str_cut(&line, ':');
		uint64_t uid, gid;
		if (!is_ok(str_to_u64(str_cut(&line, ':'), &uid)) || !is_ok(str_to_u64(str_cut(&line, ':'), &gid)))
			break;
		*out = (struct user){.uid = (uid_t)uid, .gid = (gid_t)gid};
		str_cut(&line, ':');
		copy(out->name, sizeof(out->name), who);
		copy(out->home, sizeof(out->home), str_cut(&line, ':'));
		copy(out->shell, sizeof(out->shell), str_has(line) && line.n ? line : STR("/bin/sh"));
		found = true;
	}
	arena_cleanup(&a);
	/* An image without the file still has a root. */
	if (found || strcmp(name, "root") != 0) return found;
	*out = (struct user){.name = "root", .home = "/root", .shell = "/bin/sh"};
	return true;
}

static bool is_member(struct str members, const char *name)
{
	while (str_has(members))
		if (str_eq(str_cut(&members, ','), str_c(name))) return true;
	return false;
}

bool user_become(const struct user *u)
{
	struct arena a;
	arena_init(&a);
	gid_t groups[GROUPS_MAX] = {u->gid};
	size_t n = 1;
	struct str rest = file_read(&a, "/etc/group", FILE_MAX);
	while (str_has(rest) && n < GROUPS_MAX) {
		struct str line = str_cut(&rest, '\n');
		str_cut(&line, ':'), str_cut(&line, ':');
		uint64_t gid;
		if (is_ok(str_to_u64(str_cut(&line, ':'), &gid)) && is_member(line, u->name)) groups[n++] = (gid_t)gid;
	}
	arena_cleanup(&a);
	if (setgroups(n, groups) != 0 || setresgid(u->gid, u->gid, u->gid) != 0) return false;
	return setresuid(u->uid, u->uid, u->uid) == 0;
}
