/* Fetching an issuer's keys: plain HTTP to the loopback alone, so that a token cannot make virga speak to the machine's
 * network. Small answers, short waits. */
#include "base/json.h"
#include "services/sts/internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_MAX (256u << 10)
#define WAIT_S 3

struct url {
	struct str host, path;
	uint16_t port;
};

/* http://localhost:8080/path, http://127.0.0.1:8080 */
static status read_url(struct str text, struct url *out)
{
	if (!str_starts(text, STR("http://"))) return STATUS(IO);
	struct str rest = str_from(text, 7);
	ptrdiff_t slash = str_chr(rest, '/');
	struct str place = slash < 0 ? rest : str_sub(rest, 0, (size_t)slash);
	out->path = slash < 0 ? STR("/") : str_from(rest, (size_t)slash);
	out->host = place;
	ptrdiff_t colon = str_rchr(place, ':');
	struct str name = colon < 0 ? place : str_sub(place, 0, (size_t)colon);
	uint64_t port = 80;
	if (colon >= 0) TRY(str_to_u64(str_from(place, (size_t)colon + 1), &port));
	if (!port || port > 65535) return STATUS(IO);
	out->port = (uint16_t)port;
	for (size_t i = 0; i < out->path.n; i++)
		if ((unsigned char)out->path.p[i] <= ' ') return STATUS(IO);
	return str_is(name, "localhost") || str_is(name, "127.0.0.1") || str_ends(name, STR(".localhost")) ? OK
													   : STATUS(IO);
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

static status exchange(struct arena *a, int fd, const struct url *u, struct str *body)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(u->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval wait = {.tv_sec = WAIT_S};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) return STATUS(IO);
	/* HTTP/1.0: the answer ends with the connection, in one piece. */
	TRY(send_all(fd, str_fmt(a, "GET %.*s HTTP/1.0\r\nHost: %.*s\r\nAccept: application/json\r\n\r\n",
				 STR_ARG(u->path), STR_ARG(u->host))));
	struct buf b = BUF_IN(a);
	for (;;) {
		ssize_t n = recv(fd, buf_reserve(&b, 16384), 16384, 0);
		if (n < 0) return STATUS(IO);
		if (n == 0) break;
		b.n += (size_t)n;
		if (b.n > ANSWER_MAX) return STATUS(IO);
	}
	struct str all = buf_done(&b);
	ptrdiff_t end = str_find(all, STR("\r\n\r\n"));
	if (end < 0 || !str_starts(all, STR("HTTP/1.")) || !str_is(str_sub(all, 8, 5), " 200 ")) return STATUS(IO);
	*body = str_from(all, (size_t)end + 4);
	return OK;
}

static status get_json(struct arena *a, struct str text, struct json_value **out)
{
	struct url u = {0};
	struct str body;
	TRY(read_url(text, &u));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return STATUS(IO);
	status s = exchange(a, fd, &u, &body);
	close(fd);
	TRY(s);
	return is_ok(json_read(a, body, out)) ? OK : STATUS(IO);
}

status jwks_fetch(struct arena *a, struct str issuer, struct json_value **out)
{
	struct json_value *discovery;
	struct str base = str_ends(issuer, STR("/")) ? str_sub(issuer, 0, issuer.n - 1) : issuer;
	TRY(get_json(a, str_cat(a, base, STR("/.well-known/openid-configuration")), &discovery));
	/* The document has to be the issuer's own (OpenID Connect Discovery 1.0, section 4.3). */
	if (!str_eq(json_string(json_member(discovery, STR("issuer"))), issuer)) return STATUS(IO);
	struct str keys = json_string(json_member(discovery, STR("jwks_uri")));
	return str_has(keys) ? get_json(a, keys, out) : STATUS(IO);
}
