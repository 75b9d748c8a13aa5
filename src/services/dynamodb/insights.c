/* Contributor insights: which keys of a table or a global index are accessed and throttled most ("CloudWatch
 * contributor insights for DynamoDB: How it works"). The rules are CloudWatch's, which counts and reports; here is what
 * they are given: for accessed keys read units and three times the write units, for throttled keys each throttled
 * request. PartiQL does not count. A query counts for its partition key; a scan, which asks for no key, for none. */
#include "services/cloudwatch/insights.h"
#include "base/json.h"
#include "services/dynamodb/number.h"
#include "services/dynamodb/service.h"

enum { NAME_BYTES_MAX = 128, RULES = 4 };

/* P or S: by partition key, or by both; C or T: consumed or throttled. */
static const char *const kinds[RULES] = {"PKC", "SKC", "PKT", "SKT"};
enum { PKC, SKC, PKT, SKT };

static bool counts(const struct dynamodb_rec_insight *i, int kind)
{
	return kind == PKT || kind == SKT || str_is(i->mode, "ACCESSED_AND_THROTTLED_KEYS");
}

static const struct dynamodb_rec_insight *find(const struct dynamodb_rec_table *r, struct str index)
{
	for (size_t i = 0; i < r->insights.n; i++)
		if (str_eq(r->insights.v[i].index, index)) return &r->insights.v[i];
	return NULL;
}

/* DynamoDBContributorInsights-PKC-[resource_name]-[creationtimestamp], in what a rule's name has room for. */
static struct str rule_name(
	struct arena *a, const struct dynamodb_rec_table *r, const struct dynamodb_rec_insight *i, int kind)
{
	struct str head = str_fmt(a, "DynamoDBContributorInsights-%s-", kinds[kind]);
	struct str tail = str_fmt(a, "-%lld", (long long)i->since.v);
	struct str name = i->index.n ? str_fmt(a, "%.*s-%.*s", STR_ARG(r->name), STR_ARG(i->index)) : r->name;
	size_t room = NAME_BYTES_MAX - head.n - tail.n;
	return str_fmt(a, "%.*s%.*s%.*s", STR_ARG(head), (int)(name.n < room ? name.n : room), name.p, STR_ARG(tail));
}

/* ── the rules ── */

static const struct dynamodb_rec_schema *schema_of(const struct dynamodb_rec_table *r, struct str index)
{
	for (size_t i = 0; i < r->indexes.n; i++)
		if (index.n && str_eq(r->indexes.v[i].name, index)) return r->indexes.v[i].schema;
	return r->schema;
}

static bool has_rule(const struct dynamodb_rec_table *r, const struct dynamodb_rec_insight *i, int kind)
{
	bool sorted = kind == SKC || kind == SKT;
	return counts(i, kind) && (!sorted || str_has(schema_of(r, i->index)->range));
}

static void make_rule(
	struct work *w, const struct dynamodb_rec_table *r, const struct dynamodb_rec_insight *i, int kind)
{
	const struct dynamodb_rec_schema *schema = schema_of(r, i->index);
	bool sorted = kind == SKC || kind == SKT;
	struct insight_rule rule = {.account = r->account,
		.region = r->region,
		.name = rule_name(w->a, r, i, kind),
		.labels = {schema->hash, schema->range},
		.n_labels = sorted ? 2 : 1};
	struct buf b = BUF_IN(w->a);
	buf_lit(&b, "{\"Schema\":{\"Name\":\"ServiceLogRule\",\"Version\":1},\"Contribution\":{\"Keys\":[");
	for (size_t k = 0; k < rule.n_labels; k++) {
		if (k) buf_byte(&b, ',');
		json_quote(&b, rule.labels[k]);
	}
	buf_lit(&b, "],\"ValueOf\":");
	json_quote(&b, kind == PKT || kind == SKT ? STR("ThrottleCount") : STR("ConsumedThroughputUnits"));
	buf_lit(&b, "},\"AggregateOn\":\"Sum\"}");
	rule.definition = buf_done(&b);
	insights_rule_put(w->tx, w->a, &rule, i->since.v);
}

static void drop_rules(struct work *w, const struct dynamodb_rec_table *r, const struct dynamodb_rec_insight *i)
{
	for (int kind = 0; kind < RULES; kind++)
		insights_rule_drop(w->tx, w->a, r->account, r->region, rule_name(w->a, r, i, kind));
}

void ddb_insights_drop(struct work *w, const struct dynamodb_rec_table *r)
{
	for (size_t i = 0; i < r->insights.n; i++) drop_rules(w, r, &r->insights.v[i]);
}

void ddb_insights_drop_index(struct work *w, struct dynamodb_rec_table *r, struct str index)
{
	struct dynamodb_rec_insights left = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < r->insights.n; i++) {
		if (str_eq(r->insights.v[i].index, index))
			drop_rules(w, r, &r->insights.v[i]);
		else
			*VEC_PUSH(w->a, &left, &capacity) = r->insights.v[i];
	}
	r->insights = left;
}

/* ── counting ── */

static struct str key_text(struct arena *a, const struct value *v)
{
	struct buf b = BUF_IN(a);
	if (v->type == V_N) {
		ddb_number_write(&b, value_str(v));
		return buf_done(&b);
	}
	return v->type == V_B ? str_base64(a, value_str(v)) : value_str(v);
}

static void note(struct work *w, const struct table *t, const struct index *x, const struct value *hash,
	const struct value *range, double value, bool throttled)
{
	const struct dynamodb_rec_table *r = &t->record;
	const struct dynamodb_rec_insight *i = find(r, x ? x->name : STR(""));
	if (!i || !hash || value <= 0 || !w->c) return;
	struct str keys[] = {key_text(w->a, hash), range ? key_text(w->a, range) : STR("")};
	int by_hash = throttled ? PKT : PKC, by_both = throttled ? SKT : SKC;
	if (has_rule(r, i, by_hash))
		insights_note(w->c->cloud, r->account, r->region, rule_name(w->a, r, i, by_hash), keys, 1, value,
			w->c->now_ms);
	if (range && has_rule(r, i, by_both))
		insights_note(w->c->cloud, r->account, r->region, rule_name(w->a, r, i, by_both), keys, 2, value,
			w->c->now_ms);
}

static const struct value *range_in(const struct key_schema *k, const struct value *item)
{
	return str_has(k->range) ? ddb_get(item, k->range) : NULL;
}

void ddb_insights_access(struct work *w, const struct cost *cost, const struct value *item)
{
	const struct table *t = cost->t;
	double factor = cost->writes ? 3 : 1;
	if (!t->record.insights.n) return;
	note(w, t, NULL, ddb_get(item, t->key.hash), range_in(&t->key, item), cost->table * factor, false);
	for (size_t i = 0; i < t->n_indexes; i++) {
		const struct index *x = &t->indexes[i];
		if (cost->used[i] && x->global)
			note(w, t, x, ddb_get(item, x->key.hash), range_in(&x->key, item), cost->index[i] * factor,
				false);
	}
}

void ddb_insights_partition(
	struct work *w, const struct table *t, const struct index *x, const struct value *hash, const struct cost *cost)
{
	if (t->record.insights.n) note(w, t, x, hash, NULL, x ? cost->index[x->position] : cost->table, false);
}

void ddb_insights_throttle(struct work *w, const struct table *t, const struct index *x, const struct value *key)
{
	if (!t->record.insights.n || !key) return;
	const struct key_schema *k = x ? &x->key : &t->key;
	note(w, t, x, ddb_get(key, k->hash), range_in(k, key), 1, true);
}

/* ── the operations ── */

static status open_index(struct work *w, struct str table, struct str index, struct table **t)
{
	TRY(ddb_open_named(w, table, t));
	if (!str_has(index)) return OK;
	const struct index *x = ddb_index(*t, index);
	if (x && x->global) return OK;
	return call_fail(w->c, DYNAMODB_ERR_RESOURCE_NOT_FOUND_EXCEPTION,
		"Requested resource not found: Index: %.*s not found", STR_ARG(index));
}

static status update(struct work *w, const struct dynamodb_update_contributor_insights_input *in,
	struct dynamodb_update_contributor_insights_output *out)
{
	struct table *t;
	struct str index = str_or(in->index_name, STR(""));
	TRY(open_index(w, in->table_name, in->index_name, &t));
	struct dynamodb_rec_table r = ddb_edit(t);
	const struct dynamodb_rec_insight *was = find(&r, index);
	struct dynamodb_rec_insight now = {.index = index,
		.mode = str_or(in->contributor_insights_mode, STR("ACCESSED_AND_THROTTLED_KEYS")),
		.since = was ? was->since : SOME_I64(w->c->now_ms),
		.updated = SOME_I64(w->c->now_ms)};
	bool enable = str_is(in->contributor_insights_action, "ENABLE");
	out->table_name = t->name;
	out->index_name = in->index_name;
	out->contributor_insights_status = enable ? STR("ENABLING") : STR("DISABLING");
	out->contributor_insights_mode = enable ? now.mode : was ? was->mode : STR_NONE;
	ddb_insights_drop_index(w, &r, index);
	if (enable) {
		struct dynamodb_rec_insights all = {0};
		size_t capacity = 0;
		for (size_t i = 0; i < r.insights.n; i++) *VEC_PUSH(w->a, &all, &capacity) = r.insights.v[i];
		*VEC_PUSH(w->a, &all, &capacity) = now;
		r.insights = all;
		for (int kind = 0; kind < RULES; kind++)
			if (has_rule(&r, &now, kind)) make_rule(w, &r, &now, kind);
	}
	ddb_put_table(w, &r);
	ddb_cache(w, &r, false);
	return OK;
}

status dynamodb_update_contributor_insights(struct call *c, const struct dynamodb_update_contributor_insights_input *in,
	struct dynamodb_update_contributor_insights_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, update(&w, in, out));
}

static status describe(struct work *w, const struct dynamodb_describe_contributor_insights_input *in,
	struct dynamodb_describe_contributor_insights_output *out)
{
	struct table *t;
	size_t capacity = 0;
	TRY(open_index(w, in->table_name, in->index_name, &t));
	const struct dynamodb_rec_insight *i = find(&t->record, str_or(in->index_name, STR("")));
	out->table_name = t->name;
	out->index_name = in->index_name;
	out->contributor_insights_status = i ? STR("ENABLED") : STR("DISABLED");
	if (!i) return OK;
	out->contributor_insights_mode = i->mode;
	out->last_update_date_time = SOME_TIME(i->updated.v);
	for (int kind = 0; kind < RULES; kind++)
		if (has_rule(&t->record, i, kind))
			*VEC_PUSH(w->a, &out->contributor_insights_rule_list, &capacity) =
				rule_name(w->a, &t->record, i, kind);
	return OK;
}

status dynamodb_describe_contributor_insights(struct call *c,
	const struct dynamodb_describe_contributor_insights_input *in,
	struct dynamodb_describe_contributor_insights_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, describe(&w, in, out));
}

struct listing {
	struct str after; /* "table/index" of what the last page ended with */
	size_t most, capacity;
};

static bool list_one(struct work *w, struct listing *l, const struct dynamodb_rec_table *r,
	struct dynamodb_list_contributor_insights_output *out)
{
	for (size_t i = 0; i < r->insights.n; i++) {
		const struct dynamodb_rec_insight *x = &r->insights.v[i];
		struct str place = str_fmt(w->a, "%.*s/%.*s", STR_ARG(r->name), STR_ARG(x->index));
		if (str_has(l->after) && str_cmp(place, l->after) <= 0) continue;
		if (out->contributor_insights_summaries.n == l->most) {
			const struct dynamodb_contributor_insights_summary *last =
				&out->contributor_insights_summaries.v[l->most - 1];
			out->next_token = str_base64(w->a, str_fmt(w->a, "%.*s/%.*s", STR_ARG(last->table_name),
								   STR_ARG(str_or(last->index_name, STR("")))));
			return false;
		}
		*VEC_PUSH(w->a, &out->contributor_insights_summaries, &l->capacity) =
			(struct dynamodb_contributor_insights_summary){.table_name = r->name,
				.index_name = x->index.n ? x->index : STR_NONE,
				.contributor_insights_status = STR("ENABLED"),
				.contributor_insights_mode = x->mode};
	}
	return true;
}

static status list(struct work *w, const struct dynamodb_list_contributor_insights_input *in,
	struct dynamodb_list_contributor_insights_output *out)
{
	struct listing l = {.after = STR_NONE, .most = in->max_results.has ? (size_t)in->max_results.v : 100};
	VEC_PRESENT(w->a, &out->contributor_insights_summaries);
	if (str_has(in->next_token) && !is_ok(str_unbase64(w->a, in->next_token, &l.after)))
		return VALIDATION(w, "The provided NextToken is invalid.");
	if (in->max_results.has && in->max_results.v < 1) return VALIDATION(w, "MaxResults must be at least 1.");
	if (str_has(in->table_name)) {
		struct table *t;
		TRY(ddb_open_named(w, in->table_name, &t));
		(void)list_one(w, &l, &t->record, out);
		return OK;
	}
	struct key k = ddb_key(w->a, "table");
	key_str(&k, w->c->account);
	key_str(&k, w->c->region);
	struct str from = key_done(&k), key, bytes;
	struct store_scan *scan = store_scan_begin(w->tx, from, key_after(w->a, from), false);
	status s = OK;
	while (store_scan_next(scan, &key, &bytes)) {
		struct dynamodb_rec_table r = {0};
		s = dynamodb_rec_table_decode(w->a, str_dup(w->a, bytes), &r);
		if (!is_ok(s) || !list_one(w, &l, &r, out)) break;
	}
	status ended = store_scan_end(scan);
	return is_ok(s) ? ended : s;
}

status dynamodb_list_contributor_insights(struct call *c, const struct dynamodb_list_contributor_insights_input *in,
	struct dynamodb_list_contributor_insights_output *out)
{
	struct work w;
	work_begin(&w, c);
	return work_end(&w, list(&w, in, out));
}
