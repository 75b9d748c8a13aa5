/* See engine.h: virga's side. */
#include "host/engines/engine.h"

static status ask(
	struct host *h, struct arena *a, enum host_op op, struct str request, struct str *body, struct str *why)
{
	struct host_ask q = {.op = op, .request = request};
	return host_request(h, a, &q, body, why);
}

status host_engine_start(struct host *h, struct arena *a, const struct compute_rec_engine *e, struct str *why)
{
	return ask(h, a, HOST_OP_ENGINE_START, compute_rec_engine_encode(a, e), NULL, why);
}

status host_engine_stop(struct host *h, struct str id)
{
	struct arena a;
	arena_init(&a);
	struct compute_rec_machine_id q = {.id = id};
	status s = ask(h, &a, HOST_OP_ENGINE_STOP, compute_rec_machine_id_encode(&a, &q), NULL, NULL);
	arena_cleanup(&a);
	return s;
}

status host_engine_signal(struct host *h, struct str id, int signal)
{
	struct arena a;
	arena_init(&a);
	struct compute_rec_engine_signal q = {.id = id, .signal = SOME_I32(signal)};
	status s = ask(h, &a, HOST_OP_ENGINE_SIGNAL, compute_rec_engine_signal_encode(&a, &q), NULL, NULL);
	arena_cleanup(&a);
	return s;
}

status host_engine_list(struct host *h, struct arena *a, struct compute_rec_engine_statuses *out)
{
	struct str body;
	TRY(ask(h, a, HOST_OP_ENGINE_LIST, STR(""), &body, NULL));
	return compute_rec_engine_statuses_decode(a, body, out);
}

status host_engine_run(struct host *h, struct arena *a, const struct compute_rec_engine *e, const int fds[3],
	int *exit_code, struct str *why)
{
	struct host_ask q = {
		.op = HOST_OP_ENGINE_RUN, .request = compute_rec_engine_encode(a, e), .fds = fds, .n_fds = 3};
	struct str body = STR("");
	TRY(host_request(h, a, &q, &body, why));
	*exit_code = body.n == 1 ? (unsigned char)body.p[0] : 127;
	return OK;
}
