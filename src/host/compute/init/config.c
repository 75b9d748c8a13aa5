/* init's configuration: a file of the agent's (control.h tells its form), read once. */
#include "host/compute/init/init.h"
#include <sys/stat.h>
#include <unistd.h>

static struct str dash(struct str s)
{
	return str_is(s, "-") ? STR("") : s;
}

bool config_nics(struct config *c, struct str lines)
{
	struct nic nics[NICS_MAX] = {0};
	size_t n = 0;
	while (str_has(lines)) {
		struct str line = str_cut(&lines, '\n');
		if (str_empty(line)) continue;
		int64_t device, mtu;
		if (n == NICS_MAX || !is_ok(str_to_i64(str_cut(&line, ' '), &device))) return false;
		nics[n].mac = dash(str_cut(&line, ' '));
		if (!is_ok(str_to_i64(str_cut(&line, ' '), &mtu))) return false;
		nics[n].gateway = dash(str_cut(&line, ' '));
		nics[n].gateway6 = dash(str_cut(&line, ' '));
		nics[n].addresses = dash(str_cut(&line, ' '));
		nics[n].addresses6 = dash(line);
		nics[n].device = (int)device, nics[n++].mtu = (int)mtu;
	}
	memcpy(c->nics, nics, sizeof(nics));
	c->n_nics = n;
	return true;
}

static int64_t number(struct str s)
{
	int64_t v = 0;
	return is_ok(str_to_i64(s, &v)) ? v : 0;
}

static void take(struct init *in, struct str key, struct str value)
{
	struct config *c = &in->config;
	if (str_is(key, "id"))
		c->id = value;
	else if (str_is(key, "hostname"))
		c->hostname = value;
	else if (str_is(key, "dns"))
		c->dns = value;
	else if (str_is(key, "domain"))
		c->domain = value;
	else if (str_is(key, "keys"))
		c->keys = value;
	else if (str_is(key, "userdata"))
		c->user_data = value;
	else if (str_is(key, "authority"))
		c->authority = value;
	else if (str_is(key, "authority-hash"))
		c->authority_hash = value;
	else if (str_is(key, "grace"))
		c->grace_ms = number(value);
	else if (str_is(key, "memory"))
		c->memory_bytes = number(value);
	else if (str_is(key, "nics") && !config_nics(c, value))
		console_say(in, "the interfaces' configuration is nonsense");
}

void config_read(struct init *in)
{
	struct stat st;
	if (fstat(INIT_FD_CONFIG, &st) != 0) return;
	char *p = arena_alloc_raw(&in->arena, (size_t)st.st_size + 1);
	ssize_t n = pread(INIT_FD_CONFIG, p, (size_t)st.st_size, 0);
	struct str rest = str_n(p, n > 0 ? (size_t)n : 0);
	close(INIT_FD_CONFIG);
	while (!str_empty(rest)) {
		struct str head = str_cut(&rest, '\n'), key = str_cut(&head, ' ');
		int64_t length;
		if (!is_ok(str_to_i64(head, &length)) || length < 0 || (size_t)length > rest.n) break;
		take(in, key, str_sub(rest, 0, (size_t)length));
		rest = str_from(rest, (size_t)length + 1);
	}
}
