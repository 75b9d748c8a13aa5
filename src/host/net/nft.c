/* See nft.h. */
#include "host/net/nft.h"
#include "base/log.h"
#include "host/net/mnl.h"
#include "host/netns.h"
#include <arpa/inet.h>
#include <dlfcn.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct nft {
	void *library;
	struct nft_ctx *ctx;
	int socket; /* for the generation */
	uint32_t seq;
	__typeof__(nft_ctx_new) *make;
	__typeof__(nft_ctx_free) *end;
	__typeof__(nft_ctx_buffer_error) *buffer_error;
	__typeof__(nft_ctx_buffer_output) *buffer_output;
	__typeof__(nft_ctx_get_error_buffer) *error;
	__typeof__(nft_ctx_get_output_buffer) *output;
	__typeof__(nft_run_cmd_from_buffer) *run;
};

/* POSIX lets dlsym's pointer be read as a function. */
static bool find(const struct nft *n, const char *name, void *function)
{
	void *p = dlsym(n->library, name);
	memcpy(function, &p, sizeof(p));
	return p != NULL;
}

static bool load(struct nft *n)
{
	n->library = dlopen("libnftables.so.1", RTLD_NOW | RTLD_LOCAL);
	return n->library && find(n, "nft_ctx_new", &n->make) && find(n, "nft_ctx_free", &n->end) &&
	       find(n, "nft_ctx_buffer_error", &n->buffer_error) &&
	       find(n, "nft_ctx_buffer_output", &n->buffer_output) && find(n, "nft_ctx_get_error_buffer", &n->error) &&
	       find(n, "nft_ctx_get_output_buffer", &n->output) &&
	       find(n, "nft_run_cmd_from_buffer", &n->run);
}

status nft_open(int netns, struct nft **out)
{
	struct nft *n = mem_new(sizeof(*n));
	struct netns_visit v;
	*out = n;
	n->socket = -1;
	if (!load(n)) {
		log_error("host", "no_libnftables", "why=\"%s\"", n->library ? "it is too old" : dlerror());
		nft_close(n);
		*out = NULL;
		return STATUS(IO);
	}
	status s = netns_enter(&v, netns);
	if (is_ok(s)) {
		n->ctx = n->make(NFT_CTX_DEFAULT); /* its socket belongs to this namespace from now on */
		n->socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
		netns_leave(&v);
	}
	if (!is_ok(s) || !n->ctx || n->buffer_error(n->ctx) != 0 || n->buffer_output(n->ctx) != 0) {
		nft_close(n);
		*out = NULL;
		return STATUS(IO);
	}
	return OK;
}

void nft_close(struct nft *n)
{
	if (!n) return;
	if (n->ctx) n->end(n->ctx);
	if (n->socket >= 0) close(n->socket);
	if (n->library) dlclose(n->library);
	free(n);
}

status nft_run(struct nft *n, const char *commands)
{
	if (n->run(n->ctx, commands) == 0) return OK;
	log_error("host", "nft", "why=\"%s\"", n->error(n->ctx));
	log_debug("host", "nft", "commands=\"%s\"", commands);
	return STATUS(IO);
}

status nft_ask(struct nft *n, struct arena *a, const char *command, struct str *out)
{
	if (n->run(n->ctx, command) != 0) return STATUS(NOT_FOUND);
	*out = str_dup(a, str_c(n->output(n->ctx)));
	return OK;
}

static int read_generation(const struct nlmsghdr *h, void *ctx)
{
	struct nlattr *attr;
	MNL_ATTRS(attr, h, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFTA_GEN_ID) *(uint32_t *)ctx = ntohl(mnl_attr_get_u32(attr));
	}
	return MNL_CB_STOP;
}

uint32_t nft_generation(struct nft *n)
{
	char room[2048] = "";
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
	h->nlmsg_flags = NLM_F_REQUEST;
	h->nlmsg_seq = ++n->seq;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	*g = (struct nfgenmsg){.version = NFNETLINK_V0};
	uint32_t generation = 0;
	if (send(n->socket, h, h->nlmsg_len, 0) < 0) return 0;
	ssize_t got = recv(n->socket, room, sizeof(room), 0);
	if (got > 0) mnl_cb_run(room, (size_t)got, 0, 0, read_generation, &generation);
	return generation;
}
