/* See driver.h. */
#include "services/rds/driver.h"
#include "services/rds/crypt.h"

const struct rds_driver *rds_driver_of(struct str engine)
{
	static const struct rds_driver *const all[] = {&rds_driver_postgres, &rds_driver_mariadb};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (str_eq(engine, str_c(all[i]->engine))) return all[i];
	if (str_is(engine, "aurora-postgresql")) return &rds_driver_postgres;
	/* Instances of no other engine are made. */
	UNREACHABLE();
}

static const struct rds_driver *of(const struct rds_work *w)
{
	return rds_driver_of(w->r->engine);
}

status rds_node_make(struct rds_work *w, struct rds_rec_node *n, bool *ready, struct str *why)
{
	/* Its data may be a snapshot's whose folder is open only as long as somebody reads there. */
	struct rds_sealed origin = str_is(n->state, "new") ? rds_crypt_origin(w->r) : (struct rds_sealed){0};
	status s = rds_crypt_hold(w->c, &origin, why);
	if (status_is(s, STATUS_FAILED)) return STATUS(INVALID);
	if (status_is(s, STATUS_BUSY)) {
		*ready = false;
		rds_again(w, RDS_LATER_MS);
		return OK;
	}
	TRY(s);
	s = of(w)->node_make(w, n, ready, why);
	rds_crypt_let_go(w->cloud, &origin);
	return s;
}

status rds_node_wait(struct rds_work *w, struct rds_rec_node *n, bool *ready, struct str *why)
{
	status s = rds_node_start(w->cloud, w->at.a, w->r, n, why);
	if (status_is(s, STATUS_NOT_FOUND) || status_is(s, STATUS_BUSY) || status_is(s, STATUS_IO)) {
		rds_again(w, RDS_SOON_MS);
		return OK;
	}
	TRY(s);
	s = of(w)->knock(w, n, why);
	*ready = is_ok(s);
	if (!status_is(s, STATUS_BUSY)) return s;
	bool failing;
	TRY(rds_node_failing(w->cloud, w->at.a, w->r, n->letter, &failing));
	*why = STR("its server does not start: see its log");
	if (failing) return STATUS(INVALID);
	rds_again(w, RDS_SOON_MS);
	return OK;
}

status rds_node_knock(struct rds_work *w, const struct rds_rec_node *n, bool *ready)
{
	status s = of(w)->knock(w, n, NULL);
	*ready = is_ok(s);
	if (!*ready) rds_again(w, RDS_SOON_MS);
	return status_is(s, STATUS_CONFLICT) || status_is(s, STATUS_CORRUPT) ? s : OK;
}

status rds_node_settings(struct rds_work *w, struct rds_rec_node *n, bool starting)
{
	return of(w)->node_settings(w, n, starting);
}

status rds_node_begin(struct rds_work *w, struct rds_rec_node *n, bool *done, struct str *why)
{
	return of(w)->begin(w, n, done, why);
}

status rds_node_tend(struct rds_work *w, struct rds_rec_node *n, struct str *why)
{
	return of(w)->tend(w, n, why);
}

status rds_standby(struct rds_work *w, bool *moved)
{
	return of(w)->standby(w, moved);
}

status rds_failover(struct rds_work *w)
{
	return of(w)->failover(w);
}

bool rds_standby_runs(struct rds_work *w)
{
	return of(w)->standby_runs(w);
}

status rds_source_archive(struct rds_work *w, bool *done)
{
	return of(w)->source_archive(w, done);
}

status rds_promote(struct rds_work *w, bool *done)
{
	return of(w)->promote(w, done);
}

status rds_snapshot_take(
	struct cloud *cloud, struct arena *a, const struct rds_rec_instance *r, struct str folder, struct str *why)
{
	return rds_driver_of(r->engine)->snapshot_take(cloud, a, r, folder, why);
}

status rds_prune(struct rds_work *w, const struct rds_sealed *oldest, struct str *why)
{
	status s = rds_crypt_hold(w->c, oldest, why);
	if (status_is(s, STATUS_FAILED)) return STATUS(INVALID);
	TRY(s);
	s = of(w)->prune(w, oldest->folder, why);
	rds_crypt_let_go(w->cloud, oldest);
	return s;
}

struct str rds_verifier(struct arena *a, struct str engine, struct str password)
{
	return rds_driver_of(engine)->verifier(a, password);
}
