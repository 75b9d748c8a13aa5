/* How an instance refresh goes on: old instances are taken out as far as enough healthy ones are left, the group's
 * balance launches their successors, and those have to be warm before more go. */
#include "call/inside.h"
#include "cloudwatch.h"
#include "services/autoscaling/refresh.h"

static const int64_t stuck_ms = 3600000; /* "after one hour without … replacing": it fails */

struct pace {
	struct as_work *w;
	struct as_refresh *f;
	const struct autoscaling_refresh_preferences *p;
	struct str mark;
	int32_t old, waiting; /* to be replaced; of them that may not be touched now */
	int32_t healthy;      /* serve, and are warm if they are new */
	int32_t renewed;      /* of them the new ones */
	int32_t coming;       /* new ones that are not warm yet, and launches */
	int32_t extra;        /* of them beyond the desired capacity */
};

static bool matches(const struct as_group *g, const struct autoscaling_rec_instance *i)
{
	const struct autoscaling_launch_template_specification *t = g->g.launch_template;
	if (str_has(g->g.launch_configuration_name))
		return str_eq(g->g.launch_configuration_name, i->launch_configuration);
	if (!t || !str_has(t->version)) return false;
	bool same = str_has(t->launch_template_id) ? str_eq(t->launch_template_id, i->template_id)
						   : str_eq(t->launch_template_name, i->template_name);
	return same && str_eq(t->version, i->template_version);
}

static bool is_old(const struct pace *k, const struct autoscaling_rec_instance *i)
{
	bool standby = str_is(i->state, "Standby");
	if (i->ended.v || (!as_counts(i) && !standby)) return false;
	if (standby && str_is(k->p->standby_instances, "Ignore")) return false;
	if (i->protected.v && str_is(k->p->scale_in_protected_instances, "Ignore")) return false;
	if (k->p->skip_matching.v && matches(k->w->g, i)) return false;
	/* Turning back, only those that it has brought go. */
	if (k->f->r.rolling_back.v) return str_eq(i->refresh, k->f->s.instance_refresh_id);
	return !str_eq(i->refresh, k->mark);
}

static bool untouchable(const struct pace *k, const struct autoscaling_rec_instance *i)
{
	if (str_is(i->state, "Standby")) return !str_is(k->p->standby_instances, "Terminate");
	return i->protected.v && !str_is(k->p->scale_in_protected_instances, "Refresh");
}

static void count(struct pace *k)
{
	int64_t warmup = k->p->instance_warmup.v * 1000ll;
	k->old = k->waiting = k->healthy = k->renewed = k->coming = k->extra = 0;
	for (size_t i = 0; i < k->w->all->n; i++) {
		const struct autoscaling_rec_instance *r = &k->w->all->v[i];
		if (r->ended.v) continue;
		bool old = is_old(k, r), serves = str_is(r->state, "InService");
		k->old += old;
		k->waiting += old && untouchable(k, r);
		if (!as_counts(r)) continue;
		bool warm = old || !str_eq(r->refresh, k->mark) || r->in_service.ms + warmup <= k->w->now_ms;
		if (serves && warm && r->healthy.v) {
			k->healthy++;
			k->renewed += !old && str_eq(r->refresh, k->mark);
		} else {
			k->coming++;
			if (serves) as_again(k->w, r->in_service.ms + warmup);
		}
		k->extra += r->extra.v;
	}
	for (size_t i = 0; i < k->w->launches->n; i++) {
		if (k->w->launches->v[i].pool.v) continue;
		k->coming++;
		k->extra += k->w->launches->v[i].extra.v;
	}
}

static status take_out(struct pace *k)
{
	struct autoscaling_rec_instance *best = NULL;
	for (size_t i = 0; i < k->w->all->n; i++) {
		struct autoscaling_rec_instance *r = &k->w->all->v[i];
		if (!is_old(k, r) || untouchable(k, r)) continue;
		bool unready = !str_is(r->state, "InService");
		if (!best || unready || r->launched.ms < best->launched.ms) best = r;
	}
	if (!best) return OK;
	/* One that was launched beyond what is desired takes its place. */
	for (size_t i = 0; i < k->w->all->n; i++) {
		struct autoscaling_rec_instance *r = &k->w->all->v[i];
		if (!r->extra.v || !str_is(r->state, "InService")) continue;
		r->extra = SOME_BOOL(false);
		as_instance_put(k->w->g, r);
		break;
	}
	k->f->r.moved = SOME_TIME(k->w->now_ms);
	return as_instance_end(
		k->w, best, STR("an instance was taken out of service in response to an instance refresh."));
}

/* How many may be replaced until the next checkpoint. */
static int32_t until_checkpoint(struct pace *k)
{
	int32_t total = k->f->r.total.v;
	const struct autoscaling_checkpoint_percentages *c = &k->p->checkpoint_percentages;
	size_t at = (size_t)k->f->r.checkpoint.v;
	if (k->f->r.rolling_back.v || at >= c->n) return total;
	return (total * c->v[at].v + 99) / 100;
}

static void tell(struct pace *k, int32_t done)
{
	int32_t total = k->f->r.total.v, percent = total ? done * 100 / total : 100;
	struct autoscaling_instance_refresh *s = &k->f->s;
	if (s->percentage_complete.has && s->percentage_complete.v == percent && s->instances_to_update.has &&
		s->instances_to_update.v == k->old)
		return;
	s->percentage_complete = SOME_I32(percent);
	s->instances_to_update = SOME_I32(k->old);
	struct autoscaling_instance_refresh_live_pool_progress *live =
		arena_new(k->w->g->at.a, struct autoscaling_instance_refresh_live_pool_progress);
	*live = (struct autoscaling_instance_refresh_live_pool_progress){
		s->percentage_complete, s->instances_to_update};
	s->progress_details = arena_new(k->w->g->at.a, struct autoscaling_instance_refresh_progress_details);
	s->progress_details->live_pool_progress = live;
	k->w->changed = true;
}

/* An alarm of the preferences is in ALARM. */
static bool alarmed(struct pace *k, struct str *name)
{
	const struct autoscaling_alarm_specification *spec = k->p->alarm_specification;
	struct as_place at = k->w->g->at;
	bool found = false;
	if (!spec || !spec->alarms.n || k->f->r.rolling_back.v) return false;
	struct cloudwatch_describe_alarms_input in = {
		.alarm_names = {spec->alarms.v, spec->alarms.n}, .state_value = STR("ALARM")};
	struct inside_caller who = inside_service(at.a, at.account, at.region, AS_PRINCIPAL);
	struct inside *i = inside_run(k->w->cloud, &who, "cloudwatch", CLOUDWATCH_OP_DESCRIBE_ALARMS, &in, NULL);
	if (i->ok) {
		const struct cloudwatch_describe_alarms_output *out = i->out;
		found = out->metric_alarms.n > 0;
		if (found) *name = str_dup(at.a, out->metric_alarms.v[0].alarm_name);
	}
	inside_free(i);
	as_again(k->w, k->w->now_ms + 15000);
	return found;
}

static status fails(struct pace *k, struct str reason)
{
	k->w->changed = true;
	if (k->f->r.rolling_back.v) return as_refresh_end(k->w->g, k->f, STR("RollbackFailed"), reason, k->w->now_ms);
	if (k->p->auto_rollback.v && str_has(k->f->r.before))
		return as_refresh_turn(k->w->g, k->f, reason, k->w->now_ms);
	return as_refresh_end(k->w->g, k->f, STR("Failed"), reason, k->w->now_ms);
}

static status finish(struct pace *k)
{
	int64_t now = k->w->now_ms;
	k->w->changed = true;
	if (k->f->r.rolling_back.v) return as_refresh_end(k->w->g, k->f, STR("RollbackSuccessful"), STR_NONE, now);
	if (k->p->bake_time.v > 0 && !str_is(k->f->s.status, "Baking")) {
		k->f->s.status = STR("Baking");
		k->f->r.until = SOME_TIME(now + k->p->bake_time.v * 1000ll);
		as_again(k->w, k->f->r.until.ms);
		as_refresh_put(k->w->g, k->f);
		return OK;
	}
	return as_refresh_end(k->w->g, k->f, STR("Successful"), STR_NONE, now);
}

static status advance(struct pace *k)
{
	struct as_work *w = k->w;
	struct as_group *g = w->g;
	int32_t desired = g->g.desired_capacity.v;
	int32_t least = (desired * k->p->min_healthy_percentage.v + 99) / 100;
	int32_t beyond = desired * (k->p->max_healthy_percentage.v - 100) / 100;
	int32_t done = k->f->r.total.v - k->old, limit = until_checkpoint(k);
	if (k->p->max_healthy_percentage.v > 100 && beyond < 1) beyond = 1;
	/* Where the percentages leave nothing to take, one at a time. */
	bool idle = k->coming == 0 && k->healthy >= desired;
	bool one = idle && beyond == 0 && k->healthy <= least;
	while (done < limit && k->old > k->waiting && (k->healthy > least || one)) {
		/* First launch, then end: what is beyond has to be there. */
		if (beyond > 0 && k->healthy + k->coming <= desired && least >= desired) break;
		TRY(take_out(k));
		one = false;
		count(k);
		done = k->f->r.total.v - k->old;
	}
	int32_t room = k->old - k->waiting;
	while (beyond > k->extra && room > k->extra && done + k->extra < limit && !as_suspended(g, "Launch")) {
		struct as_want want = {
			.extra = true, .why = STR("an instance was launched in response to an instance refresh.")};
		status s = as_launch_one(w, want);
		if (status_is(s, STATUS_BUSY)) break;
		TRY(s);
		k->extra++;
	}
	return OK;
}

status as_refresh_step(struct as_work *w)
{
	struct as_refresh f;
	struct str alarm = STR_NONE;
	status s = as_refresh_newest(w->g, &f);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (!as_refresh_active(&f) || as_suspended(w->g, "InstanceRefresh")) return OK;
	struct pace k = {.w = w, .f = &f, .p = f.s.preferences, .mark = as_refresh_mark(w->g->at.a, &f)};
	count(&k);
	if (str_is(f.s.status, "Cancelling")) {
		if (k.coming) return OK;
		w->changed = true;
		return as_refresh_end(w->g, &f, STR("Cancelled"), STR_NONE, w->now_ms);
	}
	if (alarmed(&k, &alarm))
		return fails(&k, str_fmt(w->g->at.a, "Alarm %.*s is in the ALARM state.", STR_ARG(alarm)));
	if (!f.r.total.has) {
		f.r.total = SOME_I32(k.old);
		f.r.checkpoint = SOME_I32(0);
		if (str_is(f.s.status, "Pending")) f.s.status = STR("InProgress");
		w->changed = true;
	}
	int32_t done = f.r.total.v - k.old;
	tell(&k, k.renewed < done ? k.renewed : done);
	if (f.r.until.has && f.r.until.ms > w->now_ms) {
		as_again(w, f.r.until.ms);
	} else if (k.old == 0 && k.coming == 0) {
		tell(&k, f.r.total.v);
		return finish(&k);
	} else if (done > 0 && done >= until_checkpoint(&k) && k.coming == 0) {
		/* A checkpoint is reached: everything waits. */
		f.r.checkpoint = SOME_I32(f.r.checkpoint.v + 1);
		f.r.until = SOME_TIME(w->now_ms + k.p->checkpoint_delay.v * 1000ll);
		f.r.moved = f.r.until;
		as_again(w, f.r.until.ms);
		w->changed = true;
	} else if (f.r.moved.ms + stuck_ms <= w->now_ms && !k.coming) {
		return fails(&k, STR("The instance refresh made no progress for one hour."));
	} else {
		as_again(w, f.r.moved.ms + stuck_ms);
		TRY(advance(&k));
	}
	if (w->changed) as_refresh_put(w->g, &f);
	return OK;
}
