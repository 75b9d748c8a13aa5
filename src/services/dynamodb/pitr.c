/* Continuous backups and point-in-time recovery ("Point-in-time backups for DynamoDB"). What a table was is read from
 * its history (history.h). AWS can restore to five minutes ago at the latest; here there is no lag, so until now. */
#include "services/dynamodb/copy.h"
#include "services/dynamodb/history.h"

static status find(struct work *w, struct str name_or_arn, struct table **out)
{
	struct str name = STR_NONE;
	TRY(ddb_table_name(w, name_or_arn, &name));
	status s = ddb_find(w, w->c->account, w->c->region, name, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return call_fail(w->c, DYNAMODB_ERR_TABLE_NOT_FOUND_EXCEPTION, "Table not found: %.*s", STR_ARG(name));
}

/* Every table has continuous backups on AWS; point-in-time recovery is off until it is asked for. */
static struct dynamodb_continuous_backups_description *describe(struct work *w, const struct dynamodb_rec_table *r)
{
	struct dynamodb_continuous_backups_description *d =
		arena_new(w->a, struct dynamodb_continuous_backups_description);
	struct dynamodb_point_in_time_recovery_description *p = d->point_in_time_recovery_description =
		arena_new(w->a, struct dynamodb_point_in_time_recovery_description);
	int64_t first, last;
	bool on = ddb_history_range(r, w->c->now_ms, &first, &last);
	d->continuous_backups_status = STR("ENABLED");
	p->point_in_time_recovery_status = on ? STR("ENABLED") : STR("DISABLED");
	if (on) {
		p->recovery_period_in_days = SOME_I32(r->pitr_days.has ? r->pitr_days.v : 35);
		p->earliest_restorable_date_time = SOME_TIME(first * 1000);
		p->latest_restorable_date_time = SOME_TIME(last * 1000);
	}
	return d;
}

static status describe_backups(struct work *w, const struct dynamodb_describe_continuous_backups_input *in,
	struct dynamodb_describe_continuous_backups_output *out)
{
	struct table *t;
	TRY(find(w, in->table_name, &t));
	out->continuous_backups_description = describe(w, &t->record);
	return OK;
}

status dynamodb_describe_continuous_backups(struct call *c, const struct dynamodb_describe_continuous_backups_input *in,
	struct dynamodb_describe_continuous_backups_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, describe_backups(&w, in, out));
}

static void poke(void *ctx)
{
	jobs_poke(ctx);
}

static status update(struct work *w, const struct dynamodb_update_continuous_backups_input *in,
	struct dynamodb_update_continuous_backups_output *out)
{
	struct table *t;
	const struct dynamodb_point_in_time_recovery_specification *p = in->point_in_time_recovery_specification;
	TRY(find(w, in->table_name, &t));
	struct dynamodb_rec_table r = ddb_edit(t);
	if (!p->point_in_time_recovery_enabled.v && p->recovery_period_in_days.has)
		return VALIDATION(w,
			"One or more parameter values were invalid: RecoveryPeriodInDays can only be specified "
			"when PointInTimeRecoveryEnabled is true");
	if (p->point_in_time_recovery_enabled.v) {
		if (!r.pitr_since.has) {
			r.pitr_since = SOME_I64(w->c->now_ms);
			ddb_history_begin(w, &r);
		}
		if (p->recovery_period_in_days.has) r.pitr_days = p->recovery_period_in_days;
	} else if (r.pitr_since.has) {
		r.pitr_since = (struct opt_i64){0};
		r.pitr_days = (struct opt_i32){0};
		ddb_history_drop(w, &r);
		call_after_commit(w->c, poke, w->c->cloud->jobs);
	}
	ddb_put_table(w, &r);
	out->continuous_backups_description = describe(w, &r);
	return OK;
}

status dynamodb_update_continuous_backups(struct call *c, const struct dynamodb_update_continuous_backups_input *in,
	struct dynamodb_update_continuous_backups_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, update(&w, in, out));
}

/* ── RestoreTableToPointInTime ── */

struct restoring {
	struct copy *x;
	const struct work *w;
	const struct table *t;
};

static status restore_item(void *ctx, const struct past *p)
{
	struct restoring *r = ctx;
	if (!p->to.n) return OK;
	TRY(ddb_restore_item(r->x, r->t, p->to));
	return copy_step(r->x, r->w);
}

/* Whole seconds: what changed within the second of a time that has a fraction is taken as it was after it. */
static status choose_time(struct work *w, const struct dynamodb_restore_table_to_point_in_time_input *in,
	const struct dynamodb_rec_table *r, int64_t *at_s)
{
	int64_t first, last;
	if (!ddb_history_range(r, w->c->now_ms, &first, &last))
		return call_fail(w->c, DYNAMODB_ERR_POINT_IN_TIME_RECOVERY_UNAVAILABLE_EXCEPTION,
			"Point in time recovery is not enabled for table '%.*s'", STR_ARG(r->name));
	bool latest = in->use_latest_restorable_time.v;
	if (latest == in->restore_date_time.has)
		return VALIDATION(w, latest ? "One or more parameter values were invalid: Both RestoreDateTime and "
					      "UseLatestRestorableTime cannot be specified at the same time"
					    : "One or more parameter values were invalid: Either RestoreDateTime or "
					      "UseLatestRestorableTime must be specified");
	*at_s = latest ? INT64_MAX : (in->restore_date_time.ms + 999) / 1000;
	if (latest || (*at_s >= first && in->restore_date_time.ms / 1000 <= last)) return OK;
	return call_fail(w->c, DYNAMODB_ERR_INVALID_RESTORE_TIME_EXCEPTION,
		"An invalid restore time was specified. RestoreDateTime must be between EarliestRestorableDateTime and "
		"LatestRestorableDateTime.");
}

static status restore(struct work *w, struct copy *x, const struct dynamodb_restore_table_to_point_in_time_input *in,
	struct dynamodb_restore_table_to_point_in_time_output *out)
{
	struct table *source;
	struct dynamodb_rec_table r;
	int64_t at_s = 0;
	struct overrides o = {
		.table = in->target_table_name,
		.billing = in->billing_mode_override,
		.throughput = in->provisioned_throughput_override,
		.global = &in->global_secondary_index_override,
		.local = &in->local_secondary_index_override,
		.sse = in->sse_specification_override,
	};
	if (!str_has(in->source_table_name) && !str_has(in->source_table_arn))
		return VALIDATION(w,
			"One or more parameter values were invalid: Either SourceTableName or SourceTableArn "
			"must be specified");
	TRY(find(w, str_has(in->source_table_arn) ? in->source_table_arn : in->source_table_name, &source));
	TRY(choose_time(w, in, &source->record, &at_s));
	TRY(ddb_restore_record(w, &source->record, &o, &r));
	struct table *t = ddb_table_of(w, &r);
	struct restoring step = {x, w, t};
	TRY(copy_one(w, x, ddb_restore_announce, &r));
	copy_begin(x, w);
	TRY(copy_commit(x, ddb_history_read(w, source, at_s, at_s, restore_item, &step)));
	TRY(copy_one(w, x, ddb_restore_finish, &r));
	out->table_description = ddb_describe(w, &r, STR("CREATING"));
	return OK;
}

status dynamodb_restore_table_to_point_in_time(struct call *c,
	const struct dynamodb_restore_table_to_point_in_time_input *in,
	struct dynamodb_restore_table_to_point_in_time_output *out)
{
	struct work w;
	struct copy x;
	copy_open(&x, &w, c);
	return copy_close(&x, &w, restore(&w, &x, in, out));
}
