/* Asking a server on this machine's loopback: see loopback.h. */
#include "edge/loopback.h"
#include "base/buf.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

status loopback_url(struct str text, struct loopback_url *out)
{
	if (!str_starts(text, STR("http://"))) return STATUS(INVALID);
	struct str rest = str_from(text, 7);
	ptrdiff_t slash = str_chr(rest, '/');
	struct str place = slash < 0 ? rest : str_sub(rest, 0, (size_t)slash);
	out->path = slash < 0 ? STR("/") : str_from(rest, (size_t)slash);
	out->host = place;
	ptrdiff_t colon = str_rchr(place, ':');
	struct str name = colon < 0 ? place : str_sub(place, 0, (size_t)colon);
	uint64_t port = 80;
	if (colon >= 0) TRY(str_to_u64(str_from(place, (size_t)colon + 1), &port));
	if (!port || port > 65535) return STATUS(INVALID);
	out->port = (uint16_t)port;
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7f) return STATUS(INVALID);
	return str_is(name, "localhost") || str_is(name, "127.0.0.1") || str_ends(name, STR(".localhost"))
		       ? OK
		       : STATUS(INVALID);
}

static status send_all(int fd, struct str s)
{
	while (s.n) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
		if (n <= 0) return STATUS(IO);
		s = str_from(s, (size_t)n);
	}
	return OK;
}

/* HTTP/1.0: the answer ends with the connection, in one piece. Servers that tell a length and keep the connection are
 * not waited for. */
static bool whole(struct str all, size_t begin)
{
	struct str head = str_sub(all, 0, begin), line;
	uint64_t n;
	while (str_has(head)) {
		line = str_cut(&head, '\n');
		if (!str_istarts(line, STR("content-length:"))) continue;
		struct str value = str_trim(str_from(line, 15));
		if (value.n && value.p[value.n - 1] == '\r') value = str_trim(str_sub(value, 0, value.n - 1));
		return is_ok(str_to_u64(value, &n)) && all.n - begin >= n;
	}
	return false;
}

static status receive(struct arena *a, int fd, size_t max, struct loopback_answer *out)
{
	struct buf b = BUF_IN(a);
	uint64_t code;
	ptrdiff_t end = -1;
	for (;;) {
		ssize_t n = recv(fd, buf_reserve(&b, 16384), 16384, 0);
		if (n < 0) return STATUS(IO);
		if (n == 0) break;
		b.n += (size_t)n;
		if (end < 0) end = str_find(buf_done(&b), STR("\r\n\r\n"));
		if (b.n > max + 16384) return STATUS(LIMIT);
		if (end >= 0 && whole(buf_done(&b), (size_t)end + 4)) break;
	}
	struct str all = buf_done(&b);
	if (end < 0 || !str_starts(all, STR("HTTP/1.")) || !is_ok(str_to_u64(str_sub(all, 9, 3), &code)))
		return STATUS(IO);
	out->status = (unsigned)code;
	out->body = str_from(all, (size_t)end + 4);
	return out->body.n > max ? STATUS(LIMIT) : OK;
}

static status exchange(struct arena *a, int fd, const struct loopback_url *u, const char *method, struct str headers,
	struct str body, int wait_s, size_t max, struct loopback_answer *out)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(u->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval wait = {.tv_sec = wait_s};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) return STATUS(IO);
	struct buf b = BUF_IN(a);
	buf_fmt(&b, "%s %.*s HTTP/1.0\r\nHost: %.*s\r\n", method, STR_ARG(u->path), STR_ARG(u->host));
	buf_str(&b, headers);
	if (str_has(body)) buf_fmt(&b, "Content-Length: %zu\r\n", body.n);
	buf_lit(&b, "Connection: close\r\n\r\n");
	TRY(send_all(fd, buf_done(&b)));
	if (str_has(body)) TRY(send_all(fd, body));
	return receive(a, fd, max, out);
}

status loopback_ask(struct arena *a, const struct loopback_url *u, const char *method, struct str headers,
	struct str body, int wait_s, size_t max, struct loopback_answer *out)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return STATUS(IO);
	status s = exchange(a, fd, u, method, headers, body, wait_s, max, out);
	close(fd);
	return s;
}
