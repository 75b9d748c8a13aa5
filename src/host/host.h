/* The host agent's door: real networks and machines. `virga serve`, started as root, forks a keeper before anything
 * else and then drops its own capabilities; the keeper starts the privileged agent at the first request, and again when
 * it dies. What virga wants of the machine is told as whole desired states (records of host/state.model), which the
 * agent compares with what stands: sending one again is cheap and repairs. Nothing is kept by the agent beyond its
 * life: after HOST_AGENT_RESTARTED everybody sends its intent again. What stands (namespaces, links, machines) outlives
 * a crash of the agent and of virga, and is found again by name.
 *
 * Without root, or where namespaces cannot be made, host_available is false, host_why tells why, and every request
 * answers BUSY: the APIs go on, and say that compute is simulated.
 *
 * Thread rule: everything but host_start, host_open and host_stop may be called by any thread, and blocks until the
 * agent answers (milliseconds; OP_BLOCKING for operations, or a controller's job). */
#pragma once
#include "base/arena.h"
#include "host_state.h"

struct host;

/* Before any thread is made. simulated: do not even try. Never NULL. The caller's process has lost its capabilities
 * when it returns (but for CAP_NET_BIND_SERVICE, and for CAP_DAC_OVERRIDE where keep_files: the data folder is another
 * user's). */
struct host *host_start(bool simulated, bool keep_files);
/* Before host_open: how much of a processor of this machine a vCPU of an instance may use, in percent; 100 where nobody
 * says. Machines that stand keep theirs. */
void host_set_vcpu(struct host *h, int percent);
/* Who the installation is. data: its folder, with a trailing slash. */
void host_open(struct host *h, const char *data, bool ephemeral);
/* From its return on no subscriber is called: before what they belong to is taken apart. NULL is fine. */
void host_silence(struct host *h);
/* Ends the agent. clean: all that stands for this installation goes first (a graceful end); otherwise it stays and is
 * adopted by the next start with the same data folder. NULL is fine. */
void host_stop(struct host *h, bool clean);

bool host_available(const struct host *h); /* h may be NULL: false */
/* Why not, for a person: "virga does not run as root". */
struct str host_why(const struct host *h);
/* "virga-3f9a2c": what the names of this installation's namespaces, cgroups and the like begin with. */
struct str host_prefix(const struct host *h);

/* ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────────
 * All answer OK; INVALID (the intent contradicts itself: *why tells), NOT_FOUND (no such thing stands), IO (the kernel
 * refused, or the agent died meanwhile: send again), BUSY (simulated). why may be NULL. */
status host_vpc_apply(struct host *h, struct arena *a, const struct host_rec_vpc *intent, struct host_rec_applied *out,
	struct str *why) MUST_USE;
/* With all that belongs to it. OK where nothing stands. */
status host_vpc_remove(struct host *h, struct str vpc) MUST_USE;
status host_tgw_apply(struct host *h, struct arena *a, const struct host_rec_transit_gateway *intent,
	struct host_rec_applied *out, struct str *why) MUST_USE;
status host_tgw_remove(struct host *h, struct str tgw) MUST_USE;
status host_internet_apply(struct host *h, struct arena *a, const struct host_rec_internet *intent,
	struct host_rec_applied *out, struct str *why) MUST_USE;
/* A Network Load Balancer's node. NOT_FOUND: its place does not stand. */
status host_balance_apply(
	struct host *h, struct arena *a, const struct host_rec_balance *intent, struct str *why) MUST_USE;
status host_balance_count(
	struct host *h, struct arena *a, struct str place, struct host_rec_balance_counted *out) MUST_USE;
/* Removes everything that stands for this installation: for `virga reset`. */
status host_clear(struct host *h) MUST_USE;
/* Where a packet would go, by the rules that are applied now. */
status host_trace(struct host *h, struct arena *a, const struct host_rec_trace *question, struct host_rec_traced *out,
	struct str *why) MUST_USE;
/* The same of intents that need not be applied: asks nobody, and works where all is simulated. */
struct host_world {
	const struct host_rec_vpc *const *vpcs;
	size_t n_vpcs;
	const struct host_rec_transit_gateway *const *tgws;
	size_t n_tgws;
	const struct host_rec_internet *internet; /* may be NULL */
};
status host_trace_intents(struct arena *a, const struct host_world *world, const struct host_rec_trace *question,
	struct host_rec_traced *out, struct str *why) MUST_USE;

/* What the interfaces with a flow_log have sent and received since this was asked last, one flow and direction a
 * record: for each aggregation interval. Much of it comes as HOST_FLOWS before. */
status host_flows(struct host *h, struct arena *a, struct host_rec_flows *out) MUST_USE;

/* ── sockets in namespaces ─────────────────────────────────────────────────────────────────────────────────────────
 * A place is a namespace of this installation, by what stands in it: a VPC's router (vpc-…: DNS, metadata), its AWS
 * side
 * ("vpc-….aws": gateway endpoints), a machine (i-…), a service's own (eni-…, nat-…: whatever `place` said in the
 * intent), or HOST_INTERNET. */
#define HOST_INTERNET STR("internet")
struct str host_place_aws(struct arena *a, struct str vpc);

/* A socket that lives there, close-on-exec, yours to close. address "0.0.0.0" or "::" for any; listening for TCP, bound
 * for UDP (IP_PKTINFO set, so that the address asked at is known). NOT_FOUND where the place does not stand, BUSY where
 * the port is taken there. */
status host_listen(struct host *h, struct str place, struct str address, uint16_t port, bool udp, int *fd) MUST_USE;
/* A TCP connection from there, non-blocking: its connect is under way or done (poll for POLLOUT, then SO_ERROR). */
status host_connect(struct host *h, struct str place, struct str address, uint16_t port, int *fd) MUST_USE;

/* ── shared file systems ── folders below the data folder that machines mount (state.model: Interface, share). What
 * machines have put there belongs to others than virga: the agent looks, and takes away. folder: "efs/fs-…". Both block
 * until done; OK where it is not there. */
status host_share_measure(struct host *h, struct str folder, uint64_t *bytes) MUST_USE;
status host_share_remove(struct host *h, struct str folder) MUST_USE;

/* ── sealed folders ── of the data folder, whose files lie encrypted (seal/folders.h): FOLDER/files is there once it is
 * open, and lies in FOLDER.sealed, a file of `bytes` that is made when it is not there. The folder has to be there. key:
 * seal/sealed.h's. OK where it is open already. INVALID where there is no FUSE. BUSY where who had it before it was
 * closed still has. It stays open until it is closed, or all that stands is cleared; close is OK where it is not open,
 * and leaves both. */
status host_folder_open(
	struct host *h, struct arena *a, struct str folder, struct str key, uint64_t bytes, struct str *why) MUST_USE;
status host_folder_close(struct host *h, struct str folder) MUST_USE;

/* ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────── */
enum host_event_kind {
	HOST_AGENT_RESTARTED, /* send all intent again; detail NULL */
	HOST_FLOWS,           /* struct host_rec_flows: what would be too much to keep until host_flows */
	HOST_MACHINE_ENDED,   /* struct host_rec_machine_ended */
	HOST_REPAIRED,        /* somebody else had changed what stands, and it is as it should be again; detail NULL */
};
typedef void (*host_event_fn)(void *ctx, enum host_event_kind kind, const void *detail);
/* At start, before the first request. fn runs in the host's event thread, one event at a time; it may make requests. */
void host_subscribe(struct host *h, host_event_fn fn, void *ctx);

/* ── for the rooms of host/ ────────────────────────────────────────────────────────────────────────────────────────
 * One request of any kind: record's bytes, at most HOST_FDS_MAX descriptors along (they stay the caller's). The
 * answer's body is in `a`; descriptors that came with it are written to fds_out (room for *n_fds_out; the rest is
 * closed). */
#define HOST_FDS_MAX 16
enum host_op {
	HOST_OP_HELLO = 1,
	HOST_OP_ANSWER,
	HOST_OP_VPC_APPLY,
	HOST_OP_VPC_REMOVE,
	HOST_OP_TGW_APPLY,
	HOST_OP_TGW_REMOVE,
	HOST_OP_INTERNET_APPLY,
	HOST_OP_CLEAR,
	HOST_OP_TRACE,
	HOST_OP_LISTEN,
	HOST_OP_CONNECT,
	/* compute/ */
	HOST_OP_MACHINE_START,
	HOST_OP_MACHINE_STOP,
	HOST_OP_MACHINE_REBOOT,
	HOST_OP_MACHINE_LIST,
	HOST_OP_MACHINE_PAUSE,
	HOST_OP_MACHINE_KEYS,
	HOST_OP_MACHINE_NICS,
	HOST_OP_MACHINE_EXEC,
	HOST_OP_VOLUME_ATTACH,
	HOST_OP_VOLUME_DETACH,
	HOST_OP_VOLUME_CHANGED,
	HOST_OP_IMAGE_LIST,
	HOST_OP_IMAGE_IMPORT,
	HOST_OP_IMAGE_REMOVE,
	HOST_OP_ENGINE_START,
	HOST_OP_ENGINE_STOP,
	HOST_OP_ENGINE_SIGNAL,
	HOST_OP_ENGINE_LIST,
	HOST_OP_ENGINE_RUN,
	HOST_OP_FLOWS_COLLECT,
	HOST_OP_SHARE,
	HOST_OP_FOLDER,
	HOST_OP_BALANCE,
	HOST_OP_BALANCE_COUNT,
	/* events */
	HOST_OP_FLOWS,
	HOST_OP_MACHINE_ENDED,
	HOST_OP_REPAIRED,
	HOST_OP_COUNT
};
struct host_ask {
	enum host_op op;
	struct str request;
	const int *fds;
	size_t n_fds;
	int *fds_out;
	size_t *n_fds_out;
};
status host_request(
	struct host *h, struct arena *a, const struct host_ask *ask, struct str *body, struct str *why) MUST_USE;
