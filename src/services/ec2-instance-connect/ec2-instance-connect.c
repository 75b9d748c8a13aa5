/* EC2 Instance Connect: a public key that is good for a minute ("SendSSHPublicKey", the API reference: "the public key
 * remains on the instance for 60 seconds"). The instance's sshd takes it for that user alone. Serial consoles there are
 * none. */
#include "ec2-instance-connect.h"
#include "ec2-instance-connect_state.h"
#include "host/compute/machine.h"
#include "policy/policy.h"
#include "services/ec2/instance.h"
#include "services/ec2/machine.h"
#include "services/ec2/ssh_key.h"
#include "services/ec2/volume.h"

#define JOB "ec2-instance-connect.keys"
enum { KEPT_MS = 60000 };

static const struct service_op operations[EC2_INSTANCE_CONNECT_OP_COUNT] = {
	[EC2_INSTANCE_CONNECT_OP_SEND_SSH_PUBLIC_KEY] = OP(ec2_instance_connect_send_ssh_public_key, OP_BLOCKING),
};

/* ── keys of an instance ── */

static struct key key_of(struct ec2_place at, struct str instance)
{
	struct key k = key_for(at.a, STR("ec2-instance-connect"), STR("key"), at.account, at.region);
	key_str(&k, instance);
	return k;
}

/* Tells the machine those that are good now, and drops the others. *next_ms: when the next one ends; 0: there is none.
 */
static status tell(struct cloud *cloud, struct ec2_place at, struct str instance, int64_t now_ms, int64_t *next_ms)
{
	struct key k = key_of(at, instance);
	struct str from = key_done(&k), key, value;
	struct compute_rec_strings lines = {0};
	struct store_scan *scan = store_scan_begin(at.tx, from, key_after(at.a, from), false);
	size_t capacity = 0;
	status s = OK;
	*next_ms = 0;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct ec2_instance_connect_rec_key r = {0};
		struct str copy = str_dup(at.a, key);
		s = ec2_instance_connect_rec_key_decode(at.a, str_dup(at.a, value), &r);
		if (!is_ok(s)) break;
		if (r.expires.ms <= now_ms) {
			store_delete(at.tx, copy);
			continue;
		}
		if (!*next_ms || r.expires.ms < *next_ms) *next_ms = r.expires.ms;
		*VEC_PUSH(at.a, &lines, &capacity) = str_fmt(at.a, "%.*s %.*s", STR_ARG(r.user), STR_ARG(r.line));
	}
	status end = store_scan_end(scan);
	TRY(s);
	TRY(end);
	s = host_machine_keys(cloud->host, instance, &lines);
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}

static status on_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct ec2_job j;
	TRY(ec2_job_read(tx, a, job, &j));
	return tell(cloud, j.at, j.id, clock_now(cloud->clock), again_ms);
}

/* ── the operation ── */

status ec2_instance_connect_send_ssh_public_key(struct call *c,
	const struct ec2_instance_connect_send_ssh_public_key_input *in,
	struct ec2_instance_connect_send_ssh_public_key_output *out)
{
	struct ec2_rec_instance i;
	struct ssh_public key;
	int64_t next_ms;
	status s = ec2_load(ec2_here(c), &ec2_type_instance, in->instance_id, &i);
	if (status_is(s, STATUS_NOT_FOUND))
		return call_fail(c, EC2_INSTANCE_CONNECT_ERR_EC2_INSTANCE_NOT_FOUND_EXCEPTION,
			"The specified instance was not found.");
	TRY(s);
	if (i.state.v != EC2_RUNNING)
		return call_fail(c, EC2_INSTANCE_CONNECT_ERR_EC2_INSTANCE_STATE_INVALID_EXCEPTION,
			"Unable to connect because the instance is not in a valid state. Connecting to a stopped or "
			"terminated "
			"instance is not supported.");
	if (!is_ok(ssh_public_read(c->arena, in->ssh_public_key, &key)))
		return call_fail(c, EC2_INSTANCE_CONNECT_ERR_INVALID_ARGS_EXCEPTION,
			"The SSH public key is not in a valid format. The supported key formats are RSA and ED25519.");
	if (!ec2_machines_are_real(c->cloud))
		return call_fail(c, EC2_INSTANCE_CONNECT_ERR_EC2_INSTANCE_UNAVAILABLE_EXCEPTION,
			"Compute is simulated: no machine runs behind this instance.");
	struct ec2_instance_connect_rec_key r = {.user = in->instance_os_user,
		.line = ssh_public_line(c->arena, &key, STR("instance-connect")),
		.expires = SOME_TIME(c->now_ms + KEPT_MS)};
	struct key k = key_of(ec2_here(c), in->instance_id);
	key_str(&k, r.user);
	key_str(&k, r.line);
	store_put(c->tx, key_done(&k), ec2_instance_connect_rec_key_encode(c->arena, &r));
	/* The machine has it before the answer; when the transaction is lost, until the job looks. */
	s = tell(c->cloud, ec2_here(c), in->instance_id, c->now_ms, &next_ms);
	if (status_is(s, STATUS_CONFLICT) || status_is(s, STATUS_CORRUPT)) return s;
	if (!is_ok(s))
		return call_fail(c, EC2_INSTANCE_CONNECT_ERR_EC2_INSTANCE_UNAVAILABLE_EXCEPTION,
			"The instance is currently unavailable.");
	ec2_job_schedule(ec2_here(c), JOB, in->instance_id, next_ms);
	out->request_id = c->request_id;
	out->success = SOME_BOOL(true);
	return OK;
}

/* Who may push keys for which user: "ec2:osuser" of policies. */
static status authorize(struct call *c, struct store_tx *tx, const void *in, struct authz_demands *demands,
	struct policy_context *context)
{
	(void)tx;
	(void)demands;
	if (in && c->match.op_index == EC2_INSTANCE_CONNECT_OP_SEND_SSH_PUBLIC_KEY)
		policy_context_set(context, STR("ec2:osuser"),
			((const struct ec2_instance_connect_send_ssh_public_key_input *)in)->instance_os_user);
	return OK;
}

static status start(struct cloud *cloud, void **state)
{
	*state = NULL;
	jobs_register(cloud->jobs, JOB, on_job, cloud);
	return OK;
}

extern const struct service service_ec2_instance_connect;
const struct service service_ec2_instance_connect = {
	.model = &wire_service_ec2_instance_connect, .ops = operations, .start = start, .authorize = authorize};
