/* CloudWatch's metrics of tables, beside what capacity.c tells of units consumed ("DynamoDB metrics and dimensions"):
 * heard of as calls are answered, and every five minutes what is provisioned. */
#include "services/cloudwatch/metrics.h"
#include "services/dynamodb/service.h"

enum { PROVISIONED_MS = 5 * 60 * 1000, TOOK_MAX_MS = 60000 };
static const char provisioned_kind[] = "dynamodb.provisioned";

void ddb_metric(struct cloud *cloud, const struct dynamodb_rec_table *r, const struct index *x, const char *name,
	double value, int64_t at_ms)
{
	struct metric_note n = {.account = r->account,
		.region = r->region,
		.space = STR("AWS/DynamoDB"),
		.name = str_c(name),
		.dimensions = {{STR("TableName"), r->name}},
		.n_dimensions = 1,
		.unit = "Count",
		.value = value,
		.at_ms = at_ms};
	if (x) n.dimensions[n.n_dimensions++] = (struct metric_dimension){STR("GlobalSecondaryIndexName"), x->name};
	metrics_note(cloud, &n);
}

/* ── calls ── */

static void count(
	const struct call *c, struct str table, bool by_operation, const char *name, const char *unit, double value)
{
	struct metric_note n = {.account = c->account,
		.region = c->region,
		.space = STR("AWS/DynamoDB"),
		.name = str_c(name),
		.unit = unit,
		.value = value,
		.at_ms = c->now_ms};
	if (str_has(table)) n.dimensions[n.n_dimensions++] = (struct metric_dimension){STR("TableName"), table};
	if (by_operation)
		n.dimensions[n.n_dimensions++] = (struct metric_dimension){STR("Operation"), c->match.op_name};
	metrics_note(c->cloud, &n);
}

static void failed(const struct call *c, struct str table)
{
	switch (c->failure.id) {
	case DYNAMODB_ERR_PROVISIONED_THROUGHPUT_EXCEEDED_EXCEPTION:
		if (str_has(table)) count(c, table, true, "ThrottledRequests", "Count", 1);
		return;
	case DYNAMODB_ERR_CONDITIONAL_CHECK_FAILED_EXCEPTION:
		/* "A failed conditional write will result in an HTTP 400 … not counted as a user error". */
		if (str_has(table)) count(c, table, false, "ConditionalCheckFailedRequests", "Count", 1);
		return;
	case DYNAMODB_ERR_TRANSACTION_CONFLICT_EXCEPTION:
		if (str_has(table)) count(c, table, false, "TransactionConflict", "Count", 1);
		return;
	default:
		if (c->answered_code == 400) count(c, STR_NONE, false, "UserErrors", "Count", 1);
		if (c->answered_code >= 500 && c->answered_code != 501 && str_has(table))
			count(c, table, true, "SystemErrors", "Count", 1);
	}
}

static void on_call(void *ctx, enum bus_phase phase, struct store_tx *tx, const struct bus_event *e)
{
	const struct call *c = e->detail;
	const void *in = c->match.service == &wire_service_dynamodb ? call_input(c) : NULL, *out = call_output(c);
	struct str account, region, name;
	(void)ctx;
	(void)phase;
	(void)tx;
	if (!in) return;
	struct str table = call_input_string(c, in, "TableName");
	if (str_has(table) && ddb_read_arn(table, &account, &region, &name)) table = name;
	if (c->answered_code >= 400 || !out) {
		failed(c, table);
		return;
	}
	if (!str_has(table)) return;
	switch (c->match.op_index) {
	case DYNAMODB_OP_QUERY:
		count(c, table, true, "ReturnedItemCount", "Count",
			((const struct dynamodb_query_output *)out)->count.v);
		break;
	case DYNAMODB_OP_SCAN:
		count(c, table, true, "ReturnedItemCount", "Count",
			((const struct dynamodb_scan_output *)out)->count.v);
		break;
	case DYNAMODB_OP_GET_ITEM:
	case DYNAMODB_OP_PUT_ITEM:
	case DYNAMODB_OP_UPDATE_ITEM:
	case DYNAMODB_OP_DELETE_ITEM:
		break;
	default:
		return;
	}
	int64_t took = clock_now(c->cloud->clock) - c->now_ms;
	count(c, table, true, "SuccessfulRequestLatency", "Milliseconds",
		took > 0 && took < TOOK_MAX_MS ? (double)took : 0);
}

/* ── what is provisioned ── */

static void provisioned(struct metric_point *points, struct metric *metrics, size_t *n,
	const struct dynamodb_rec_table *r, const struct metric_dimension *d, size_t n_dimensions,
	const struct dynamodb_rec_throughput *t, int64_t now_ms)
{
	static const char *const names[] = {"ProvisionedReadCapacityUnits", "ProvisionedWriteCapacityUnits"};
	for (int i = 0; i < 2; i++) {
		metrics[*n] =
			(struct metric){r->account, r->region, STR("AWS/DynamoDB"), str_c(names[i]), d, n_dimensions};
		points[*n] = (struct metric_point){.metric = &metrics[*n],
			.at_ms = now_ms,
			.unit = "Count",
			.value = (double)(i ? t->write.v : t->read.v)};
		++*n;
	}
}

static status tell_provisioned(void *ctx, struct store_tx *tx, struct arena *a, const struct job *j, int64_t *again_ms)
{
	struct ddb *d = ctx;
	struct dynamodb_rec_chore chore = {0};
	struct dynamodb_rec_table r;
	struct work w = {.a = a, .d = d, .tx = tx};
	TRY(dynamodb_rec_chore_decode(a, j->payload, &chore));
	status s = ddb_find_record(&w, chore.account, chore.region, chore.table, &r);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (r.id.v != chore.id.v || r.on_demand.v || !r.throughput) return OK;
	int64_t now = clock_now(d->cloud->clock);
	size_t n = 0, most = 2 * (1 + r.indexes.n);
	struct metric *metrics = arena_new_n(a, struct metric, most);
	struct metric_point *points = arena_new_n(a, struct metric_point, most);
	struct metric_dimension *table = arena_new_n(a, struct metric_dimension, 1);
	table[0] = (struct metric_dimension){STR("TableName"), r.name};
	provisioned(points, metrics, &n, &r, table, 1, r.throughput, now);
	for (size_t i = 0; i < r.indexes.n; i++) {
		const struct dynamodb_rec_index *x = &r.indexes.v[i];
		if (!x->global.v || !x->throughput) continue;
		struct metric_dimension *of = arena_new_n(a, struct metric_dimension, 2);
		of[0] = table[0];
		of[1] = (struct metric_dimension){STR("GlobalSecondaryIndexName"), x->name};
		provisioned(points, metrics, &n, &r, of, 2, x->throughput, now);
	}
	*again_ms = now + PROVISIONED_MS;
	return metrics_put_in(tx, a, points, n, now);
}

void ddb_metrics_follow(struct work *w, const struct dynamodb_rec_table *r)
{
	if (r->on_demand.v || !r->throughput) return;
	struct dynamodb_rec_chore chore = {.id = r->id, .account = r->account, .region = r->region, .table = r->name};
	jobs_schedule(w->tx, &(struct job){.kind = str_c(provisioned_kind),
				     .id = str_fmt(w->a, "%llx", (unsigned long long)r->id.v),
				     .due_ms = clock_now(w->d->cloud->clock),
				     .payload = dynamodb_rec_chore_encode(w->a, &chore)});
}

void ddb_metrics_start(struct ddb *d)
{
	jobs_register(d->cloud->jobs, provisioned_kind, tell_provisioned, d);
	bus_subscribe(d->cloud->bus, BUS_DONE, "call", on_call, d);
}
