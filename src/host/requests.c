/* The typed requests of host.h over host_request. */
#include "host/host.h"
#include "host/net/trace.h"
#include <errno.h>
#include <openssl/crypto.h>
#include <unistd.h>

static status send_intent(struct host *h, struct arena *a, enum host_op op, struct str bytes,
	struct host_rec_applied *out, struct str *why)
{
	struct host_ask ask = {.op = op, .request = bytes};
	struct str body;
	TRY(host_request(h, a, &ask, &body, why));
	*out = (struct host_rec_applied){0};
	return host_rec_applied_decode(a, body, out);
}

status host_vpc_apply(struct host *h, struct arena *a, const struct host_rec_vpc *intent, struct host_rec_applied *out,
	struct str *why)
{
	return send_intent(h, a, HOST_OP_VPC_APPLY, host_rec_vpc_encode(a, intent), out, why);
}

status host_tgw_apply(struct host *h, struct arena *a, const struct host_rec_transit_gateway *intent,
	struct host_rec_applied *out, struct str *why)
{
	return send_intent(h, a, HOST_OP_TGW_APPLY, host_rec_transit_gateway_encode(a, intent), out, why);
}

status host_internet_apply(struct host *h, struct arena *a, const struct host_rec_internet *intent,
	struct host_rec_applied *out, struct str *why)
{
	return send_intent(h, a, HOST_OP_INTERNET_APPLY, host_rec_internet_encode(a, intent), out, why);
}

status host_balance_apply(struct host *h, struct arena *a, const struct host_rec_balance *intent, struct str *why)
{
	struct host_ask ask = {.op = HOST_OP_BALANCE, .request = host_rec_balance_encode(a, intent)};
	return host_request(h, a, &ask, NULL, why);
}

status host_balance_count(struct host *h, struct arena *a, struct str place, struct host_rec_balance_counted *out)
{
	struct host_rec_remove r = {.id = place};
	struct host_ask ask = {.op = HOST_OP_BALANCE_COUNT, .request = host_rec_remove_encode(a, &r)};
	struct str body;
	*out = (struct host_rec_balance_counted){0};
	TRY(host_request(h, a, &ask, &body, NULL));
	return host_rec_balance_counted_decode(a, body, out);
}

static status send_remove(struct host *h, enum host_op op, struct str id)
{
	struct arena a;
	arena_init(&a);
	struct host_rec_remove r = {.id = id};
	struct host_ask ask = {.op = op, .request = host_rec_remove_encode(&a, &r)};
	status s = host_request(h, &a, &ask, NULL, NULL);
	arena_cleanup(&a);
	return s;
}

status host_vpc_remove(struct host *h, struct str vpc)
{
	return send_remove(h, HOST_OP_VPC_REMOVE, vpc);
}
status host_tgw_remove(struct host *h, struct str tgw)
{
	return send_remove(h, HOST_OP_TGW_REMOVE, tgw);
}
status host_clear(struct host *h)
{
	return send_remove(h, HOST_OP_CLEAR, STR(""));
}

status host_trace(struct host *h, struct arena *a, const struct host_rec_trace *question, struct host_rec_traced *out,
	struct str *why)
{
	struct host_ask ask = {.op = HOST_OP_TRACE, .request = host_rec_trace_encode(a, question)};
	struct str body;
	TRY(host_request(h, a, &ask, &body, why));
	*out = (struct host_rec_traced){0};
	return host_rec_traced_decode(a, body, out);
}

status host_trace_intents(struct arena *a, const struct host_world *world, const struct host_rec_trace *question,
	struct host_rec_traced *out, struct str *why)
{
	struct str nothing;
	if (!why) why = &nothing;
	const struct model **models = arena_new_n(a, const struct model *, world->n_vpcs);
	for (size_t i = 0; i < world->n_vpcs; i++) {
		struct model *m = arena_new(a, struct model);
		TRY(model_read(a, world->vpcs[i], m, why));
		models[i] = m;
	}
	struct trace_world w = {.vpcs = models, .n_vpcs = world->n_vpcs, .tgws = world->tgws, .n_tgws = world->n_tgws};
	size_t most = world->internet ? world->internet->service_addresses.n : 0;
	struct net_cidr *services = arena_new_n(a, struct net_cidr, most);
	for (size_t i = 0; i < most; i++)
		TRY(net_cidr_read(world->internet->service_addresses.v[i], &services[w.n_services++]));
	w.services = services;
	return trace_packet(a, &w, question, out, why);
}

status host_flows(struct host *h, struct arena *a, struct host_rec_flows *out)
{
	struct host_ask ask = {.op = HOST_OP_FLOWS_COLLECT, .request = STR("")};
	struct str body;
	TRY(host_request(h, a, &ask, &body, NULL));
	*out = (struct host_rec_flows){0};
	return host_rec_flows_decode(a, body, out);
}

struct str host_place_aws(struct arena *a, struct str vpc)
{
	return str_cat(a, vpc, STR(".aws"));
}

static status send_socket(struct host *h, enum host_op op, struct host_rec_socket_at *at, int *fd)
{
	struct arena a;
	arena_init(&a);
	size_t n = 1;
	struct host_ask ask = {.op = op, .request = host_rec_socket_at_encode(&a, at), .fds_out = fd, .n_fds_out = &n};
	status s = host_request(h, &a, &ask, NULL, NULL);
	arena_cleanup(&a);
	if (is_ok(s) && n != 1) return STATUS(IO);
	return s;
}

status host_listen(struct host *h, struct str place, struct str address, uint16_t port, bool udp, int *fd)
{
	struct host_rec_socket_at at = {.place = place, .address = address, .port = SOME_I32(port)};
	at.protocol = udp ? STR("udp") : STR("tcp");
	return send_socket(h, HOST_OP_LISTEN, &at, fd);
}

status host_connect(struct host *h, struct str place, struct str address, uint16_t port, int *fd)
{
	struct host_rec_socket_at at = {
		.place = place, .protocol = STR("tcp"), .address = address, .port = SOME_I32(port)};
	return send_socket(h, HOST_OP_CONNECT, &at, fd);
}

/* The answer comes through a pipe, once it is done: 8 bytes. */
static status send_share(struct host *h, struct str folder, const char *what, uint64_t *bytes)
{
	struct arena a;
	int fd = -1;
	size_t n = 1;
	uint64_t total = 0;
	arena_init(&a);
	struct host_rec_share r = {.folder = folder, .what = str_c(what)};
	struct host_ask ask = {
		.op = HOST_OP_SHARE, .request = host_rec_share_encode(&a, &r), .fds_out = &fd, .n_fds_out = &n};
	status s = host_request(h, &a, &ask, NULL, NULL);
	arena_cleanup(&a);
	if (!is_ok(s)) return s;
	if (n != 1) return STATUS(IO);
	ssize_t got;
	do {
		got = read(fd, &total, sizeof(total));
	} while (got < 0 && errno == EINTR);
	close(fd);
	if (got != sizeof(total)) return STATUS(IO);
	if (bytes) *bytes = total;
	return OK;
}

status host_folder_open(
	struct host *h, struct arena *a, struct str folder, struct str key, uint64_t bytes, struct str *why)
{
	struct host_rec_folder r = {.folder = folder, .key = key, .bytes = SOME_I64((int64_t)bytes)};
	struct host_ask ask = {.op = HOST_OP_FOLDER, .request = host_rec_folder_encode(a, &r)};
	status s = host_request(h, a, &ask, NULL, why);
	OPENSSL_cleanse((void *)(uintptr_t)ask.request.p, ask.request.n);
	return s;
}

status host_folder_close(struct host *h, struct str folder)
{
	struct arena a;
	arena_init(&a);
	struct host_rec_folder r = {.folder = folder};
	struct host_ask ask = {.op = HOST_OP_FOLDER, .request = host_rec_folder_encode(&a, &r)};
	status s = host_request(h, &a, &ask, NULL, NULL);
	arena_cleanup(&a);
	return s;
}

status host_share_measure(struct host *h, struct str folder, uint64_t *bytes)
{
	return send_share(h, folder, "measure", bytes);
}

status host_share_remove(struct host *h, struct str folder)
{
	return send_share(h, folder, "remove", NULL);
}
