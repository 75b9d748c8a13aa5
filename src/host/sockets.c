/* Sockets opened inside namespaces and handed to virga, which so needs no route into them. */
#include "host/internal.h"
#include "host/netns.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* INVALID unless it is an address and a port. */
static status read_address(const struct host_rec_socket_at *at, struct arena *a, union address *out, socklen_t *size)
{
	if (!at->port.has || at->port.v < 0 || at->port.v > 65535 || !str_has(at->address)) return STATUS(INVALID);
	in_port_t port = htons((uint16_t)at->port.v);
	const char *text = str_z(a, at->address);
	*out = (union address){0};
	if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
		out->v4.sin_family = AF_INET, out->v4.sin_port = port;
		*size = sizeof(out->v4);
		return OK;
	}
	if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) != 1) return STATUS(INVALID);
	out->v6.sin6_family = AF_INET6, out->v6.sin6_port = port;
	*size = sizeof(out->v6);
	return OK;
}

static int listening(int netns, const union address *at, socklen_t size, bool udp)
{
	int yes = 1, family = at->any.sa_family;
	int fd = netns_socket(netns, family, udp ? SOCK_DGRAM : SOCK_STREAM, 0);
	if (fd < 0) return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
	if (udp && family == AF_INET) setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &yes, sizeof(yes));
	if (udp && family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof(yes));
	if (bind(fd, &at->any, size) == 0 && (udp || listen(fd, BACKLOG) == 0)) return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

static int connected(int netns, const union address *at, socklen_t size)
{
	int fd = netns_socket(netns, at->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, &at->any, size) == 0 || errno == EINPROGRESS) return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

static void open_socket(struct agent *g, struct agent_request *r, bool listens)
{
	struct host_rec_socket_at at = {0};
	union address address;
	socklen_t size = 0;
	status s = host_rec_socket_at_decode(r->arena, r->body, &at);
	if (is_ok(s) && !(str_is(at.protocol, "tcp") || (listens && str_is(at.protocol, "udp")))) s = STATUS(INVALID);
	if (is_ok(s)) s = read_address(&at, r->arena, &address, &size);
	if (!is_ok(s)) {
		agent_answer(g, r->id, STATUS(INVALID), STR("no such address"), STR_NONE, NULL, 0);
		return;
	}
	int netns = netns_open(netns_name(r->arena, agent_prefix(g), at.place));
	if (netns < 0) {
		agent_answer(g, r->id, STATUS(NOT_FOUND), STR("no such place stands"), STR_NONE, NULL, 0);
		return;
	}
	int fd = listens ? listening(netns, &address, size, str_is(at.protocol, "udp"))
			 : connected(netns, &address, size);
	int why = errno;
	close(netns);
	if (fd >= 0) {
		agent_answer(g, r->id, OK, STR_NONE, STR_NONE, &fd, 1);
		close(fd);
	} else
		agent_answer(g, r->id, why == EADDRINUSE ? STATUS(BUSY) : STATUS(IO), str_c(strerror(why)), STR_NONE,
			NULL, 0);
}

void socket_listen(struct agent *g, struct agent_request *r)
{
	open_socket(g, r, true);
}
void socket_connect(struct agent *g, struct agent_request *r)
{
	open_socket(g, r, false);
}
