/* The sockets inside VPCs and the thread that answers DNS. A VPC has a resolver's socket in its router, and listeners
 * for AWS's services where its endpoints are; connections to these go to the edge as any client's. See dns.h. */
#include "services/ec2/dns.h"
#include "base/log.h"
#include "edge/arrival.h"
#include "services/ec2/endpoint.h"
#include "services/ec2/intent.h"
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORT = 53, EVENTS = 32, PACKET_MAX = 1500, PLACES_MAX = 64 };

/* What is open for one VPC. */
struct served {
	struct served *next;
	char *vpc, *account, *region;
	int resolver; /* -1: none */
	struct {
		char *place, *endpoint; /* endpoint "": the gateways' */
		uint64_t netns;
		int fds[2];
	} places[PLACES_MAX];
	size_t n_places;
};
struct ec2_dns {
	struct cloud *cloud;
	pthread_mutex_t lock; /* guards served and what it holds */
	struct served *served;
	pthread_t thread;
	int epoll, wake;
	bool runs, stopping;
};

static void close_all(struct served *s)
{
	if (s->resolver >= 0) close(s->resolver);
	for (size_t i = 0; i < s->n_places; i++) {
		for (size_t k = 0; k < 2; k++)
			if (s->places[i].fds[k] >= 0) close(s->places[i].fds[k]);
		free(s->places[i].place);
		free(s->places[i].endpoint);
	}
	free(s->vpc);
	free(s->account);
	free(s->region);
	free(s);
}

/* ── answering ── */

static struct str answer(struct ec2_dns *d, struct arena *a, struct served *s, struct str packet)
{
	struct dns_question q;
	struct dns_answers answers = {0};
	struct ec2_rec_vpc vpc;
	unsigned code = DNS_FORMAT_ERROR;
	status st = dns_read(a, packet, &q);
	if (status_is(st, STATUS_INVALID)) return STR_NONE;
	if (is_ok(st)) {
		struct store_tx *tx = store_begin(d->cloud->store, a, true);
		struct ec2_place at = {tx, a, str_c(s->account), str_c(s->region)};
		st = ec2_load(at, &ec2_type_vpc, str_c(s->vpc), &vpc);
		if (is_ok(st)) st = vpc.dns_support.v ? ec2_dns_answer(at, &vpc, &q, &answers, &code) : STATUS(BUSY);
		store_end(tx);
		if (!is_ok(st)) code = status_is(st, STATUS_BUSY) ? DNS_REFUSED : DNS_SERVER_FAILURE;
	}
	return dns_write(a, &q, code, &answers);
}

/* The answer leaves from the address that was asked: IP_PKTINFO tells it and takes it. */
static void on_packet(struct ec2_dns *d, struct served *s)
{
	char packet[PACKET_MAX], control[256];
	struct sockaddr_storage peer;
	struct iovec iov = {packet, sizeof(packet)};
	struct msghdr m = {.msg_name = &peer,
		.msg_namelen = sizeof(peer),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(s->resolver, &m, MSG_DONTWAIT);
	if (n <= 0) return;
	struct arena a;
	arena_init(&a);
	struct str text = answer(d, &a, s, str_n(packet, (size_t)n));
	if (str_has(text)) {
		char *bytes = arena_copy(&a, text.p, text.n);
		iov = (struct iovec){bytes, text.n};
		for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
			if (h->cmsg_level == IPPROTO_IP && h->cmsg_type == IP_PKTINFO) {
				struct in_pktinfo *info = (struct in_pktinfo *)(void *)CMSG_DATA(h);
				info->ipi_spec_dst = info->ipi_addr;
				info->ipi_ifindex = 0;
			}
		if (sendmsg(s->resolver, &m, MSG_DONTWAIT) < 0 && errno != EAGAIN)
			log_warn("ec2", "dns-send", "vpc=%s errno=%d", s->vpc, errno);
	}
	arena_cleanup(&a);
}

static void *run(void *ctx)
{
	struct ec2_dns *d = ctx;
	struct epoll_event events[EVENTS];
	pthread_setname_np(pthread_self(), "ec2-dns");
	for (;;) {
		int n = epoll_wait(d->epoll, events, EVENTS, -1);
		pthread_mutex_lock(&d->lock);
		bool stop = d->stopping;
		for (int i = 0; i < n && !stop; i++)
			for (struct served *s = d->served; s; s = s->next)
				if (s->resolver == events[i].data.fd) {
					on_packet(d, s);
					break;
				}
		pthread_mutex_unlock(&d->lock);
		if (stop) return NULL;
	}
}

/* ── opening ── */

static struct ec2_dns *dns_of(struct cloud *cloud)
{
	return ec2_network_of(cloud)->dns;
}

static void listen_at(struct ec2_dns *d, struct served *s, struct str place, struct str endpoint)
{
	static const uint16_t ports[] = {443, 80};
	for (size_t i = 0; i < s->n_places; i++)
		if (str_eq(str_c(s->places[i].place), place)) return;
	if (s->n_places == PLACES_MAX) return;
	int fds[2] = {-1, -1};
	for (size_t i = 0; i < 2; i++) {
		status st = host_listen(d->cloud->host, place, STR("0.0.0.0"), ports[i], false, &fds[i]);
		if (!is_ok(st)) {
			log_warn("ec2", "endpoint-listen", "place=%.*s port=%u status=%s", STR_ARG(place), ports[i],
				status_name(st));
			fds[i] = -1;
		} else {
			edge_adopt(d->cloud->edge, fds[i]);
			s->places[s->n_places].netns = edge_netns(fds[i]);
		}
	}
	/* A place that does not stand yet is tried again with the VPC's next intent. */
	if (fds[0] < 0 && fds[1] < 0) return;
	s->places[s->n_places].place = ec2_keep(place);
	s->places[s->n_places].endpoint = ec2_keep(endpoint);
	memcpy(s->places[s->n_places++].fds, fds, sizeof(fds));
}

static void open_resolver(struct ec2_dns *d, struct served *s)
{
	int fd;
	struct epoll_event ev = {.events = EPOLLIN};
	status st = host_listen(d->cloud->host, str_c(s->vpc), STR("0.0.0.0"), PORT, true, &fd);
	if (!is_ok(st)) {
		log_warn("ec2", "dns-listen", "vpc=%s status=%s", s->vpc, status_name(st));
		return;
	}
	ev.data.fd = s->resolver = fd;
	if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) log_warn("ec2", "dns-watch", "errno=%d", errno);
}

static struct served *served_for(struct ec2_dns *d, struct ec2_place at, struct str vpc)
{
	for (struct served *s = d->served; s; s = s->next)
		if (str_eq(str_c(s->vpc), vpc)) return s;
	struct served *s = mem_new(sizeof(*s));
	*s = (struct served){.next = d->served,
		.vpc = ec2_keep(vpc),
		.account = ec2_keep(at.account),
		.region = ec2_keep(at.region),
		.resolver = -1};
	d->served = s;
	return s;
}

static struct served *internet_for(struct ec2_dns *d)
{
	struct ec2_place nowhere = {.account = STR(""), .region = STR("")};
	return served_for(d, nowhere, HOST_INTERNET);
}

void ec2_dns_serve(struct cloud *cloud, struct ec2_place at, struct str vpc)
{
	struct ec2_dns *d = dns_of(cloud);
	pthread_mutex_lock(&d->lock);
	struct served *s = served_for(d, at, vpc);
	if (s->resolver < 0) open_resolver(d, s);
	struct ec2_each e = ec2_each(at, &ec2_type_endpoint);
	while (ec2_next(&e)) {
		const struct ec2_rec_endpoint *p = e.item.record;
		if (!str_eq(p->vpc_id, vpc)) continue;
		if (str_is(p->vpc_endpoint_type, "Gateway")) listen_at(d, s, host_place_aws(at.a, vpc), STR(""));
		/* Endpoint services are served by relay.c. */
		bool aws = ec2_endpoint_service_find(at.region, p->service_name) != NULL;
		for (size_t i = 0; aws && i < p->network_interface_ids.n; i++)
			listen_at(d, s, p->network_interface_ids.v[i], e.item.id);
	}
	status st = ec2_each_end(&e);
	if (!is_ok(st)) log_warn("ec2", "endpoint-listen", "status=%s", status_name(st));
	listen_at(d, internet_for(d), HOST_INTERNET, STR(""));
	pthread_mutex_unlock(&d->lock);
}

bool ec2_dns_whose(struct cloud *cloud, struct arena *a, uint64_t netns, struct ec2_dns_place *out)
{
	struct ec2_dns *d = dns_of(cloud);
	bool found = false;
	pthread_mutex_lock(&d->lock);
	for (struct served *s = d->served; s && !found; s = s->next)
		for (size_t i = 0; i < s->n_places && !found; i++) {
			found = s->places[i].netns == netns;
			if (found)
				*out = (struct ec2_dns_place){str_dup(a, str_c(s->account)),
					str_dup(a, str_c(s->region)), str_dup(a, str_c(s->vpc)),
					str_dup(a, str_c(s->places[i].endpoint))};
		}
	pthread_mutex_unlock(&d->lock);
	return found;
}

void ec2_dns_forget(struct cloud *cloud, struct str vpc)
{
	struct ec2_dns *d = dns_of(cloud);
	pthread_mutex_lock(&d->lock);
	for (struct served **p = &d->served; *p;) {
		struct served *s = *p;
		if (str_has(vpc) && !str_eq(str_c(s->vpc), vpc)) {
			p = &s->next;
			continue;
		}
		*p = s->next;
		close_all(s);
	}
	pthread_mutex_unlock(&d->lock);
}

struct ec2_dns *ec2_dns_start(struct cloud *cloud)
{
	struct ec2_dns *d = mem_new(sizeof(*d));
	struct epoll_event ev = {.events = EPOLLIN};
	d->cloud = cloud;
	pthread_mutex_init(&d->lock, NULL);
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	ev.data.fd = d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->epoll >= 0 && d->wake >= 0) epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->wake, &ev);
	if (host_available(cloud->host)) d->runs = pthread_create(&d->thread, NULL, run, d) == 0;
	return d;
}

void ec2_dns_stop(struct ec2_dns *d)
{
	uint64_t one = 1;
	pthread_mutex_lock(&d->lock);
	d->stopping = true;
	pthread_mutex_unlock(&d->lock);
	if (write(d->wake, &one, sizeof(one)) < 0) log_warn("ec2", "dns-wake", "errno=%d", errno);
	if (d->runs) pthread_join(d->thread, NULL);
	while (d->served) {
		struct served *s = d->served;
		d->served = s->next;
		close_all(s);
	}
	close(d->epoll);
	close(d->wake);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
