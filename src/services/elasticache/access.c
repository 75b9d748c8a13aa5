/* Who may do what in a server: ElastiCache's users as Redis' own ("Authenticating users with Role-Based Access
 * Control", the guide). Passwords are kept as SHA-256, as Redis takes them, never as they are. */
#include "services/elasticache/room.h"
#include <stdlib.h>

/* "Restricted Redis commands", the guide: the service's own to do. */
#define RESTRICTED                                                                                                     \
	" -acl|setuser -acl|deluser -acl|load -acl|save -bgrewriteaof -bgsave -config -debug -failover -migrate "      \
	"-module"                                                                                                      \
	" -psync -replconf -replicaof -slaveof -save -shutdown -sync -cluster|addslots -cluster|addslotsrange"         \
	" -cluster|bumpepoch -cluster|delslots -cluster|delslotsrange -cluster|failover -cluster|flushslots"           \
	" -cluster|forget -cluster|meet -cluster|replicate -cluster|reset -cluster|saveconfig -cluster|setslot"        \
	" -cluster|set-config-epoch"

static bool word_is(struct str w, const char *const *list)
{
	for (; *list; list++)
		if (str_ieq(w, str_c(*list))) return true;
	return false;
}

/* "Specifying permissions using an access string": Redis' rules without those that are about passwords. */
status cache_access_check(struct call *c, struct str access)
{
	static const char *const plain[] = {"allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands",
		"nocommands", "clearselectors", NULL};
	struct str rest = str_trim(access), first = str_cut(&rest, ' ');
	bool good = str_ieq(first, STR("on")) || str_ieq(first, STR("off"));
	while (good && str_has(rest)) {
		struct str w = str_cut(&rest, ' ');
		if (!w.n) continue;
		bool command = (w.p[0] == '+' || w.p[0] == '-') && w.n > 1;
		for (size_t i = 1; command && i < w.n; i++) {
			char b = w.p[i];
			command = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
				  b == '-' || b == '|' || b == '_' || (b == '@' && i == 1);
		}
		bool pattern = (w.p[0] == '~' || w.p[0] == '&') || str_starts(w, STR("%R~")) ||
			       str_starts(w, STR("%W~")) || str_starts(w, STR("%RW~"));
		for (size_t i = 0; i < w.n; i++) pattern = pattern && w.p[i] > ' ' && w.p[i] < 127;
		good = command || pattern || word_is(w, plain);
	}
	return good ? OK : CACHE_BAD_VALUE(c, "The access string is not valid: %.*s", STR_ARG(access));
}

static void add_user(struct buf *b, const struct elasticache_rec_user *r)
{
	struct str rest = str_trim(r->access_string);
	buf_str(b, r->user_name);
	buf_lit(b, " reset");
	if (r->no_password.v) buf_lit(b, " nopass");
	for (size_t i = 0; i < r->passwords.n; i++) buf_fmt(b, " #%.*s", STR_ARG(r->passwords.v[i]));
	/* Without rules about channels an access string leaves them all open, as before Redis 7. */
	bool channels = str_find(rest, STR("&")) >= 0 || str_find(rest, STR("channels")) >= 0;
	if (!channels) buf_lit(b, " &*");
	buf_fmt(b, " %.*s" RESTRICTED "\n", STR_ARG(rest));
}

static int by_text(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

status cache_users_of(struct cache_place at, const struct elasticache_rec_unit *u, struct str *out)
{
	struct {
		struct str *v;
		size_t n;
	} lines = {0};
	size_t capacity = 0;
	bool has_default = false;
	for (size_t i = 0; i < u->user_groups.n; i++) {
		struct elasticache_rec_user_group g;
		status s = cache_load(at, &cache_kind_user_group, u->user_groups.v[i], &g);
		if (status_is(s, STATUS_NOT_FOUND)) continue;
		TRY(s);
		for (size_t k = 0; k < g.users.n; k++) {
			struct elasticache_rec_user r;
			struct buf b = BUF_IN(at.a);
			s = cache_user_load(at, g.users.v[k], &r);
			if (status_is(s, STATUS_NOT_FOUND)) continue;
			TRY(s);
			has_default = has_default || str_is(r.user_name, "default");
			add_user(&b, &r);
			*VEC_PUSH(at.a, &lines, &capacity) = buf_done(&b);
		}
	}
	if (!has_default) {
		struct elasticache_rec_user r = {.user_name = STR("default"), .access_string = STR("on ~* +@all")};
		struct buf b = BUF_IN(at.a);
		r.passwords = u->tokens;
		r.no_password = SOME_BOOL(u->tokens.n == 0);
		add_user(&b, &r);
		*VEC_PUSH(at.a, &lines, &capacity) = buf_done(&b);
	}
	qsort(lines.v, lines.n, sizeof(*lines.v), by_text);
	struct buf all = BUF_IN(at.a);
	for (size_t i = 0; i < lines.n; i++) buf_str(&all, lines.v[i]);
	*out = buf_done(&all);
	return OK;
}
