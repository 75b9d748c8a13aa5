/* Talking to a node's HAProxy: one command a connection, its answer until it closes. The socket lies in the node's
 * folder, which virga sees by its path; a path of any length is reached by the folder's descriptor. */
#include "services/elbv2/node.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MAX = 8 << 20, PATIENCE_MS = 3000 };

static int connect_to(struct arena *a, const struct elbv2_socket *s)
{
	const char *path = str_z(a, str_fmt(a, "%s%.*s", store_dir(s->cloud->store), STR_ARG(s->folder)));
	int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	if (dir < 0) return -1;
	snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d/stats", dir);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		close(fd);
		fd = -1;
	}
	close(dir);
	return fd;
}

static bool wait_for(int fd, short what)
{
	struct pollfd p = {.fd = fd, .events = what};
	int n;
	do n = poll(&p, 1, PATIENCE_MS);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

status elbv2_ask(struct arena *a, const struct elbv2_socket *s, struct str command, struct str *answer)
{
	struct buf b = BUF_IN(a);
	struct str line = str_fmt(a, "%.*s\n", STR_ARG(command));
	int fd = connect_to(a, s);
	*answer = STR("");
	if (fd < 0) return STATUS(NOT_FOUND);
	for (size_t done = 0; done < line.n;) {
		ssize_t n = send(fd, line.p + done, line.n - done, MSG_NOSIGNAL);
		if (n > 0) done += (size_t)n;
		if (n >= 0 || errno == EINTR || (errno == EAGAIN && wait_for(fd, POLLOUT))) continue;
		close(fd);
		return STATUS(NOT_FOUND);
	}
	bool ended = false;
	while (!ended && b.n < ANSWER_MAX) {
		ssize_t n = recv(fd, buf_reserve(&b, 16384), 16384, 0);
		if (n > 0) b.n += (size_t)n;
		ended = n == 0;
		if (n >= 0 || errno == EINTR || (errno == EAGAIN && wait_for(fd, POLLIN))) continue;
		break;
	}
	close(fd);
	*answer = buf_done(&b);
	return ended ? OK : STATUS(IO);
}

static int32_t number(struct str s)
{
	int64_t n;
	return is_ok(str_to_i64(s, &n)) && n >= INT32_MIN && n <= INT32_MAX ? (int32_t)n : 0;
}

/* Version 1 of the format: be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state … (Configuration Manual,
 * "server-state-file"). */
void elbv2_read_servers(struct arena *a, struct str text, struct elbv2_rows *out)
{
	enum { FIELDS = 19 };
	size_t capacity = 0;
	*out = (struct elbv2_rows){0};
	while (str_has(text)) {
		struct str rest = str_cut(&text, '\n'), f[FIELDS];
		size_t n = 0;
		if (rest.n < 2 || rest.p[0] == '#') continue;
		while (n < FIELDS && str_has(rest)) f[n++] = str_cut(&rest, ' ');
		if (n < FIELDS) continue;
		*VEC_PUSH(a, out, &capacity) = (struct elbv2_row){.backend = f[1],
			.server = f[3],
			.address = f[4],
			.state = number(f[5]),
			.admin = number(f[6]),
			.check_status = number(f[10]),
			.check_result = number(f[11]),
			.port = number(f[18])};
	}
}

bool elbv2_table_next(struct elbv2_table *t, struct str *line)
{
	if (!str_has(t->head)) {
		t->head = str_cut(&t->rest, '\n');
		if (str_starts(t->head, STR("# "))) t->head = str_from(t->head, 2);
	}
	while (str_has(t->rest)) {
		*line = str_cut(&t->rest, '\n');
		if (line->n) return true;
	}
	return false;
}

struct str elbv2_column(const struct elbv2_table *t, struct str line, const char *name)
{
	struct str head = t->head;
	while (str_has(head) && str_has(line)) {
		struct str key = str_cut(&head, ','), value = str_cut(&line, ',');
		if (str_eq(key, str_c(name))) return value;
	}
	return STR("");
}
