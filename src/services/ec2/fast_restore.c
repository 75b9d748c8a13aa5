/* Fast snapshot restore: which snapshots are enabled in which zones. Here every volume is whole at once, so it changes
 * no speed; volumes that are made meanwhile say that they were restored so. What state one is in follows from the
 * clock. "Amazon EBS fast snapshot restore", the EBS guide. */
#include "services/ec2/volume.h"

/* "It takes 60 minutes per TiB to optimize a snapshot." */
enum { ENABLING_MS = 10000, DISABLING_MS = 10000, MS_IN_GIB = 60 * 60000 / 1024 };

static const char *const filters[] = {
	"availability-zone", "availability-zone-id", "owner-id", "snapshot-id", "state", NULL};

static int64_t optimizing_ms(const struct ec2_rec_fast_restore *r)
{
	return r->enabling_time.ms + ENABLING_MS;
}

static int64_t enabled_ms(const struct ec2_rec_fast_restore *r)
{
	return optimizing_ms(r) + (int64_t)r->size.v * MS_IN_GIB;
}

static const char *state_at(const struct ec2_rec_fast_restore *r, int64_t now_ms)
{
	if (r->disabling_time.has) return now_ms < r->disabling_time.ms + DISABLING_MS ? "disabling" : "disabled";
	if (now_ms < optimizing_ms(r)) return "enabling";
	return now_ms < enabled_ms(r) ? "optimizing" : "enabled";
}

static status render(struct call *c, const struct ec2_item *item, void *to)
{
	const struct ec2_rec_fast_restore *r = item->record;
	struct ec2_describe_fast_snapshot_restore_success_item *out = to;
	const char *state = state_at(r, c->now_ms);
	int64_t until = r->disabling_time.has ? r->disabling_time.ms : c->now_ms;
	out->state = str_c(state);
	if (until >= optimizing_ms(r)) out->optimizing_time = SOME_TIME(optimizing_ms(r));
	if (until >= enabled_ms(r)) out->enabled_time = SOME_TIME(enabled_ms(r));
	if (strcmp(state, "disabled") == 0) out->disabled_time = SOME_TIME(r->disabling_time.ms + DISABLING_MS);
	return OK;
}

/* "disabled" is shown for a while, as a terminated instance is. */
static bool visible(struct call *c, const struct ec2_item *item)
{
	const struct ec2_rec_fast_restore *r = item->record;
	return !r->disabling_time.has || c->now_ms < r->disabling_time.ms + DISABLING_MS + (int64_t)3600 * 1000;
}

static const struct ec2_type type = {.name = "fast-restore",
	.prefix = "snap-",
	.absent = "Fast snapshot restores are not enabled for '@'.",
	.not_found = EC2_ERR_INVALID_SNAPSHOT_NOT_FOUND,
	.record = EC2_REC_FAST_RESTORE,
	.shape = EC2_SHAPE_DESCRIBE_FAST_SNAPSHOT_RESTORE_SUCCESS_ITEM,
	.filters = filters,
	.render = render,
	.visible = visible};

static struct str id_of(struct arena *a, struct str snapshot, struct str zone)
{
	return str_fmt(a, "%.*s/%.*s", STR_ARG(snapshot), STR_ARG(zone));
}

status ec2_describe_fast_snapshot_restores(struct call *c, const struct ec2_describe_fast_snapshot_restores_input *in,
	struct ec2_describe_fast_snapshot_restores_output *out)
{
	return ec2_describe(c, &(struct ec2_describe){.type = &type,
				       .filters = &in->filters,
				       .max_results = in->max_results,
				       .next_token = in->next_token,
				       .out = &out->fast_snapshot_restores,
				       .next_out = &out->next_token});
}

/* The zones that a request names, by name or id. */
static status zones_of(struct call *c, const struct ec2_availability_zone_string_list *names,
	const struct ec2_availability_zone_id_string_list *ids, struct ec2_zone *out, size_t *n)
{
	*n = 0;
	if (!names->n && !ids->n)
		return call_fail(c, EC2_ERR_MISSING_PARAMETER,
			"The request must contain the parameter AvailabilityZone or AvailabilityZoneId");
	for (size_t i = 0; i < names->n; i++) TRY(ec2_zone_find(c, names->v[i], STR_NONE, &out[(*n)++]));
	for (size_t i = 0; i < ids->n; i++) TRY(ec2_zone_find(c, STR_NONE, ids->v[i], &out[(*n)++]));
	return OK;
}

/* Why it cannot be; code STR_NONE where it can. */
struct refusal {
	struct str code, message;
};

static status enable(struct call *c, struct str snapshot, const struct ec2_zone *zone, struct refusal *why,
	struct ec2_rec_fast_restore *r)
{
	struct ec2_rec_snapshot s;
	struct str owner, id = id_of(c->arena, snapshot, zone->name);
	*why = (struct refusal){0};
	TRY(ec2_snapshot_usable(c, c->region, snapshot, &s, &owner));
	if (!str_is(s.state, "completed")) {
		*why = (struct refusal){STR("IncorrectState"),
			str_fmt(c->arena, "Snapshot '%.*s' is not 'completed'.", STR_ARG(snapshot))};
		return OK;
	}
	status st = ec2_load(ec2_here(c), &type, id, r);
	if (is_ok(st) && !r->disabling_time.has) return OK;
	if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
	*r = (struct ec2_rec_fast_restore){.snapshot_id = snapshot,
		.availability_zone = zone->name,
		.availability_zone_id = zone->id,
		.owner_id = owner,
		.state_transition_reason = STR("Client.UserInitiated"),
		.size = s.volume_size,
		.enabling_time = SOME_TIME(c->now_ms)};
	ec2_put(ec2_here(c), &type, id, r);
	return OK;
}

static status disable(struct call *c, struct str snapshot, const struct ec2_zone *zone, struct refusal *why,
	struct ec2_rec_fast_restore *r)
{
	struct str id = id_of(c->arena, snapshot, zone->name);
	*why = (struct refusal){0};
	status s = ec2_load(ec2_here(c), &type, id, r);
	if (status_is(s, STATUS_NOT_FOUND) || (is_ok(s) && r->disabling_time.has)) {
		*why = (struct refusal){STR("InvalidFastSnapshotRestore.NotFound"),
			str_fmt(c->arena, "Fast snapshot restores are not enabled for snapshot '%.*s' in %.*s.",
				STR_ARG(snapshot), STR_ARG(zone->name))};
		return OK;
	}
	TRY(s);
	r->disabling_time = SOME_TIME(c->now_ms);
	r->state_transition_reason = STR("Client.UserInitiated - Lifecycle state transition");
	ec2_put(ec2_here(c), &type, id, r);
	return OK;
}

/* The two operations' shapes are alike but for their names. */
#define CHANGE(c, in, out, act, kind, SHAPE)                                                                           \
	do {                                                                                                           \
		struct ec2_zone *zones = arena_new_n(                                                                  \
			(c)->arena, struct ec2_zone, (in)->availability_zones.n + (in)->availability_zone_ids.n);      \
		size_t n, good = 0, bad = 0;                                                                           \
		TRY(zones_of((c), &(in)->availability_zones, &(in)->availability_zone_ids, zones, &n));                \
		VEC_PRESENT((c)->arena, &(out)->successful);                                                           \
		VEC_PRESENT((c)->arena, &(out)->unsuccessful);                                                         \
		for (size_t i = 0; i < (in)->source_snapshot_ids.n; i++) {                                             \
			struct str snapshot = (in)->source_snapshot_ids.v[i];                                          \
			struct ec2_##kind##_fast_snapshot_restore_error_item *item = NULL;                             \
			size_t errors = 0;                                                                             \
			for (size_t k = 0; k < n; k++) {                                                               \
				struct ec2_rec_fast_restore r = {0};                                                   \
				struct refusal why;                                                                    \
				TRY(act((c), snapshot, &zones[k], &why, &r));                                          \
				if (!str_has(why.code)) {                                                              \
					__typeof__((out)->successful.v) one =                                          \
						VEC_PUSH((c)->arena, &(out)->successful, &good);                       \
					ec2_show((c)->arena, EC2_REC_FAST_RESTORE, &r, SHAPE, one);                    \
					one->state = str_c(state_at(&r, (c)->now_ms));                                 \
					continue;                                                                      \
				}                                                                                      \
				if (!item) item = VEC_PUSH((c)->arena, &(out)->unsuccessful, &bad);                    \
				item->snapshot_id = snapshot;                                                          \
				struct ec2_##kind##_fast_snapshot_restore_state_error_item *e =                        \
					VEC_PUSH((c)->arena, &item->fast_snapshot_restore_state_errors, &errors);      \
				e->availability_zone = zones[k].name;                                                  \
				e->availability_zone_id = zones[k].id;                                                 \
				e->error = arena_alloc((c)->arena, sizeof(*e->error));                                 \
				e->error->code = why.code;                                                             \
				e->error->message = why.message;                                                       \
			}                                                                                              \
		}                                                                                                      \
		return OK;                                                                                             \
	} while (0)

status ec2_enable_fast_snapshot_restores(struct call *c, const struct ec2_enable_fast_snapshot_restores_input *in,
	struct ec2_enable_fast_snapshot_restores_output *out)
{
	CHANGE(c, in, out, enable, enable, EC2_SHAPE_ENABLE_FAST_SNAPSHOT_RESTORE_SUCCESS_ITEM);
}

status ec2_disable_fast_snapshot_restores(struct call *c, const struct ec2_disable_fast_snapshot_restores_input *in,
	struct ec2_disable_fast_snapshot_restores_output *out)
{
	CHANGE(c, in, out, disable, disable, EC2_SHAPE_DISABLE_FAST_SNAPSHOT_RESTORE_SUCCESS_ITEM);
}

status ec2_fast_restores_drop(struct ec2_place at, struct str snapshot)
{
	struct ec2_each e = ec2_each(at, &type);
	while (ec2_next(&e)) {
		const struct ec2_rec_fast_restore *r = e.item.record;
		if (str_eq(r->snapshot_id, snapshot)) ec2_drop(at, &type, e.item.id);
	}
	return ec2_each_end(&e);
}

status ec2_fast_restored(struct call *c, struct str snapshot, struct str zone, bool *yes)
{
	struct ec2_rec_fast_restore r;
	status s = ec2_load(ec2_here(c), &type, id_of(c->arena, snapshot, zone), &r);
	*yes = is_ok(s) && strcmp(state_at(&r, c->now_ms), "enabled") == 0;
	return status_is(s, STATUS_NOT_FOUND) ? OK : s;
}
