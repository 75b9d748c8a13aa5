/* Deletion: a secret waits out its recovery window on the virtual clock, then a durable job destroys it ("Delete an AWS
 * Secrets Manager secret", the user guide). */
#include "services/secretsmanager/room.h"

enum { WINDOW_MIN = 7, WINDOW_MAX = 30 };

static struct str job_id(struct arena *a, const struct sm_secret *s)
{
	return str_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(s->account), STR_ARG(s->region), STR_ARG(s->name));
}

status sm_delete_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct str rest = job->id, account = str_cut(&rest, '/'), region = str_cut(&rest, '/');
	struct sm_secret s;
	status st = sm_load(tx, a, account, region, rest, &s);
	if (status_is(st, STATUS_NOT_FOUND)) return OK;
	TRY(st);
	if (!s.r.deletion.has) return OK;
	if (s.r.deletion.ms > clock_now(cloud->clock)) {
		*again_ms = s.r.deletion.ms;
		return OK;
	}
	return sm_purge(tx, a, &s);
}

/* "If you use ForceDeleteWithoutRecovery with a previously deleted or nonexistent secret, the operation does not return
 * ResourceNotFoundException" (DeleteSecret, the reference). */
static status nothing_to_force(struct call *c, struct str id, struct secretsmanager_delete_secret_output *out)
{
	bool arn = str_starts(id, STR("arn:"));
	out->arn = arn ? id : call_arn(c, STR("secretsmanager"), "secret:%.*s", STR_ARG(id));
	out->name = id;
	out->deletion_date = SOME_TIME(c->now_ms);
	return OK;
}

status secretsmanager_delete_secret(struct call *c, const struct secretsmanager_delete_secret_input *in,
	struct secretsmanager_delete_secret_output *out)
{
	struct sm_secret s;
	bool force = in->force_delete_without_recovery.v;
	if (force && in->recovery_window_in_days.has)
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION,
			"You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.");
	int64_t days = in->recovery_window_in_days.has ? in->recovery_window_in_days.v : WINDOW_MAX;
	if (days < WINDOW_MIN || days > WINDOW_MAX)
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_PARAMETER_EXCEPTION,
			"The RecoveryWindowInDays value must be between %d and %d days (inclusive).", WINDOW_MIN,
			WINDOW_MAX);
	status st = sm_lookup(c, c->tx, in->secret_id, &s);
	if (force && status_is(st, STATUS_NOT_FOUND)) return nothing_to_force(c, in->secret_id, out);
	TRY(sm_find(c, in->secret_id, SM_DELETED_TOO, &s));
	TRY(sm_refuse_managed(c, &s));
	if (s.r.deletion.has && !force)
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_REQUEST_EXCEPTION,
			"You tried to perform the operation on a secret that's currently marked deleted.");
	if (s.r.replicas.n) {
		struct buf b = BUF_IN(c->arena);
		for (size_t i = 0; i < s.r.replicas.n; i++)
			buf_fmt(&b, "%s%.*s", i ? ", " : "", STR_ARG(s.r.replicas.v[i].region));
		return call_fail(c, SECRETSMANAGER_ERR_INVALID_REQUEST_EXCEPTION,
			"You can't delete secret %.*s that still has replica regions [%.*s]", STR_ARG(s.name),
			STR_ARG(buf_done(&b)));
	}
	out->arn = s.arn;
	out->name = s.name;
	if (force) {
		jobs_cancel(c->tx, STR(SM_JOB_DELETE), job_id(c->arena, &s));
		out->deletion_date = SOME_TIME(c->now_ms);
		return sm_purge(c->tx, c->arena, &s);
	}
	s.r.deletion = SOME_TIME(c->now_ms + days * SM_DAY_MS);
	struct job job = {
		.kind = STR(SM_JOB_DELETE), .id = job_id(c->arena, &s), .due_ms = s.r.deletion.ms, .payload = STR("")};
	jobs_schedule(c->tx, &job);
	sm_put(c->tx, c->arena, &s);
	out->deletion_date = s.r.deletion;
	return OK;
}

status secretsmanager_restore_secret(struct call *c, const struct secretsmanager_restore_secret_input *in,
	struct secretsmanager_restore_secret_output *out)
{
	struct sm_secret s;
	TRY(sm_find(c, in->secret_id, SM_DELETED_TOO, &s));
	out->arn = s.arn;
	out->name = s.name;
	if (!s.r.deletion.has) return OK;
	s.r.deletion = (struct opt_time){0};
	jobs_cancel(c->tx, STR(SM_JOB_DELETE), job_id(c->arena, &s));
	return sm_save(c, &s);
}
