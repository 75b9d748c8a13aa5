/* Queues: create, delete, find, list, purge, and their life in memory. */
#include "base/rand.h"
#include "services/sqs/sqs_internal.h"
#include <stdlib.h>

/* ── names and keys ───────────────────────────────────────────────────────────────────────────────────────────── */

struct str sqs_queue_key(struct arena *a, struct str account, struct str region, struct str name)
{
	struct key k = key_for(a, STR("sqs"), STR("queue"), account, region);
	key_str(&k, name);
	return key_done(&k);
}

struct str sqs_queue_arn(struct arena *a, const struct queue *q)
{
	return str_fmt(a, "arn:%s:sqs:%.*s:%.*s:%.*s",
		str_starts(q->region, STR("cn-"))       ? "aws-cn"
		: str_starts(q->region, STR("us-gov-")) ? "aws-us-gov"
							: "aws",
		STR_ARG(q->region), STR_ARG(q->account), STR_ARG(q->name));
}

/* The client's own host name comes back, so that the URL works from where it stands. */
struct str sqs_queue_url(struct call *c, const struct queue *q)
{
	struct str host = str_empty(c->http->host) ? c->cloud->public_host : c->http->host;
	struct str first = host;
	/* Asked from inside virga (a stack's queue): clients reach its address without TLS, too. */
	bool tls = c->http->tls && !str_is(c->http->peer, "127.0.0.1:0");
	first = str_cut(&first, ':');
	/* A host that carries no region would lose the queue's: other regions than the default are told in the name. */
	if (!str_eq(q->region, c->cloud->default_region) &&
		(str_is(first, "localhost") || str_is(first, "127.0.0.1"))) {
		ptrdiff_t colon = str_rchr(host, ':');
		return str_fmt(c->arena, "%s://sqs.%.*s.localhost%.*s/%.*s/%.*s", tls ? "https" : "http",
			STR_ARG(q->region), STR_ARG(colon < 0 ? STR("") : str_from(host, (size_t)colon)),
			STR_ARG(q->account), STR_ARG(q->name));
	}
	return str_fmt(c->arena, "%s://%.*s/%.*s/%.*s", tls ? "https" : "http", STR_ARG(host), STR_ARG(q->account),
		STR_ARG(q->name));
}

static bool is_account(struct str s)
{
	if (s.n != 12) return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9') return false;
	return true;
}

static status check_name(struct call *c, struct str name, bool fifo)
{
	struct str stem = fifo ? str_sub(name, 0, name.n - 5) : name;
	bool good = name.n >= 1 && name.n <= 80 && stem.n > 0;
	for (size_t i = 0; i < stem.n && good; i++) {
		char ch = stem.p[i];
		good = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '-' ||
		       ch == '_';
	}
	if (good) return OK;
	return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
		fifo ? "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
		       "must end with "
		       ".fifo suffix and be 1 to 80 in length"
		     : "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length");
}

/* ── in memory ────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct str map_key(struct arena *a, struct str account, struct str region, struct str name)
{
	return str_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(account), STR_ARG(region), STR_ARG(name));
}

static struct queue *queue_new(struct sqs *s, struct str record_bytes)
{
	struct queue *q = mem_new(sizeof(*q));
	q->sqs = s;
	pthread_mutex_init(&q->lock, NULL);
	pthread_mutex_init(&q->key_lock, NULL);
	arena_init(&q->arena);
	arena_init(&q->record_arena);
	struct str bytes = str_dup(&q->record_arena, record_bytes);
	INVARIANT(is_ok(sqs_rec_queue_decode(&q->record_arena, bytes, &q->record)));
	q->id = (uint64_t)q->record.id.v;
	q->name = str_dup(&q->arena, q->record.name);
	q->account = str_dup(&q->arena, q->record.account);
	q->region = str_dup(&q->arena, q->record.region);
	q->fifo = q->record.fifo.v;
	q->created_ms = q->record.created.v;
	q->purged_ms = q->record.purged.v;
	atomic_init(&q->references, 1);
	sqs_queue_apply(q);
	return q;
}

void sqs_queue_release(struct queue *q)
{
	if (!q || atomic_fetch_sub(&q->references, 1) != 1) return;
	if (q->loaded) {
		index_cleanup(&q->index);
		map_cleanup(&q->dedup, NULL);
		for (struct seen *s = q->seen_first, *next; s; s = next) {
			next = s->next;
			free(s);
		}
	}
	sqs_forget_keys(q);
	arena_cleanup(&q->record_arena);
	arena_cleanup(&q->arena);
	pthread_mutex_destroy(&q->key_lock);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

struct queue *sqs_queue_by_name(struct sqs *s, struct arena *a, struct str account, struct str region, struct str name)
{
	struct str key = map_key(a, account, region, name);
	pthread_rwlock_rdlock(&s->lock);
	struct queue *q = map_get(&s->queues, key);
	if (q) atomic_fetch_add(&q->references, 1);
	pthread_rwlock_unlock(&s->lock);
	return q;
}

struct queue *sqs_queue_by_arn(struct sqs *s, struct arena *a, struct str arn)
{
	struct str part[6] = {{0}};
	for (int i = 0; i < 5; i++) part[i] = str_cut(&arn, ':');
	if (!str_is(part[0], "arn") || !str_is(part[2], "sqs") || !str_has(arn)) return NULL;
	return sqs_queue_by_name(s, a, part[4], part[3], arn);
}

static status no_such_queue(struct call *c)
{
	return call_fail(c, SQS_ERR_QUEUE_DOES_NOT_EXIST, "The specified queue does not exist.");
}

status sqs_queue_by_url(struct call *c, struct str url, struct queue **out)
{
	struct str region = c->region, path = url;
	ptrdiff_t scheme = str_find(url, STR("://"));
	if (scheme >= 0) {
		path = str_from(url, (size_t)scheme + 3);
		struct str host = str_cut(&path, '/');
		struct wire_host h = wire_read_host(host);
		if (str_has(h.region)) region = h.region;
	}
	/* …/ACCOUNT/NAME, also with /queue/REGION/ before it; a bare name is the caller's own queue. */
	ptrdiff_t slash = str_has(path) ? str_rchr(path, '/') : -1;
	struct str name = slash < 0 ? path : str_from(path, (size_t)slash + 1);
	struct str before = slash < 0 ? STR("") : str_sub(path, 0, (size_t)slash);
	slash = str_rchr(before, '/');
	struct str account = slash < 0 ? before : str_from(before, (size_t)slash + 1);
	before = slash < 0 ? STR("") : str_sub(before, 0, (size_t)slash);
	slash = str_find(before, STR("queue/"));
	if (slash >= 0) region = str_from(before, (size_t)slash + 6);
	if (!is_account(account)) account = c->account;
	*out = str_has(name) ? sqs_queue_by_name(sqs_of(c), c->arena, account, region, name) : NULL;
	return *out ? OK : no_such_queue(c);
}

status sqs_queue_lock(struct call *c, struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	status s = q->deleted ? no_such_queue(c) : sqs_queue_load(q);
	if (!is_ok(s)) pthread_mutex_unlock(&q->lock);
	return s;
}

void sqs_put_queue(struct store_tx *tx, struct arena *a, const struct queue *q, const struct sqs_rec_queue *r)
{
	store_put(tx, sqs_queue_key(a, q->account, q->region, q->name), sqs_rec_queue_encode(a, r));
}

/* ── operations ───────────────────────────────────────────────────────────────────────────────────────────────── */

/* The same name again is fine when every attribute given is what the queue has. */
static status compare(struct call *c, struct queue *q, const struct sqs_create_queue_input *in)
{
	pthread_mutex_lock(&q->lock);
	struct str differs = STR_NONE;
	for (size_t i = 0; i < in->attributes.n && !str_has(differs); i++) {
		struct str name = in->attributes.v[i].key;
		struct str has = sqs_strings_get(&q->record.attributes, name);
		if (!str_has(has)) has = sqs_default_attribute(name);
		if (!str_eq(str_or(has, STR("")), in->attributes.v[i].value)) differs = name;
	}
	pthread_mutex_unlock(&q->lock);
	if (!str_has(differs)) return OK;
	return call_fail(c, SQS_ERR_QUEUE_NAME_EXISTS,
		"A queue already exists with the same name and a different value for attribute %.*s", STR_ARG(differs));
}

static status recently_deleted(struct call *c, struct sqs *s, struct str key)
{
	pthread_rwlock_rdlock(&s->lock);
	int64_t *when = map_get(&s->deleted, key);
	bool recent = when && c->now_ms - *when < 60000 && c->now_ms >= *when;
	pthread_rwlock_unlock(&s->lock);
	if (!recent) return OK;
	return call_fail(c, SQS_ERR_QUEUE_DELETED_RECENTLY,
		"You must wait 60 seconds after deleting a queue before you can create another with the same name.");
}

status sqs_create_queue(struct call *c, const struct sqs_create_queue_input *in, struct sqs_create_queue_output *out)
{
	struct sqs *s = sqs_of(c);
	struct sqs_queue_attribute_map given = in->attributes;
	bool fifo = false, named_fifo = str_ends(in->queue_name, STR(".fifo"));
	for (size_t i = 0; i < given.n; i++)
		if (str_is(given.v[i].key, "FifoQueue")) {
			fifo = str_is(given.v[i].value, "true");
			if (!fifo) return call_fail(c, SQS_ERR_INVALID_ATTRIBUTE_NAME, "Unknown Attribute FifoQueue.");
		}
	TRY(check_name(c, in->queue_name, fifo && named_fifo));
	if (fifo != named_fifo)
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			fifo ? "The name of a FIFO queue can only include alphanumeric characters, hyphens, or "
			       "underscores, must end "
			       "with .fifo suffix and be 1 to 80 in length"
			     : "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length");
	TRY(sqs_check_attributes(c, fifo, &given, NULL));
	if (in->tags.n > TAGS_MAX)
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE, "Too many tags added for queue %.*s.",
			STR_ARG(in->queue_name));

	struct queue *q = sqs_queue_by_name(s, c->arena, c->account, c->region, in->queue_name);
	if (!q) {
		struct str key = map_key(c->arena, c->account, c->region, in->queue_name);
		TRY(recently_deleted(c, s, key));
		struct sqs_rec_queue r = {
			.id = SOME_I64((int64_t)rand_u64() & INT64_MAX),
			.name = in->queue_name,
			.account = c->account,
			.region = c->region,
			.created = SOME_I64(c->now_ms),
			.modified = SOME_I64(c->now_ms),
			.fifo = SOME_BOOL(fifo),
		};
		r.attributes.n = given.n;
		r.attributes.v = arena_new_n(c->arena, struct sqs_rec_strings_entry, given.n);
		for (size_t i = 0; i < given.n; i++)
			r.attributes.v[i] = (struct sqs_rec_strings_entry){given.v[i].key, given.v[i].value};
		r.tags.n = in->tags.n;
		r.tags.v = arena_new_n(c->arena, struct sqs_rec_strings_entry, in->tags.n);
		for (size_t i = 0; i < in->tags.n; i++)
			r.tags.v[i] = (struct sqs_rec_strings_entry){in->tags.v[i].key, in->tags.v[i].value};
		struct str bytes = sqs_rec_queue_encode(c->arena, &r);
		struct queue *fresh = queue_new(s, bytes);

		pthread_rwlock_wrlock(&s->lock);
		q = map_get(&s->queues, key);
		status st = OK;
		if (!q) {
			struct store_tx *tx = store_begin(c->cloud->store, c->arena, false);
			store_put(tx, sqs_queue_key(c->arena, c->account, c->region, in->queue_name), bytes);
			st = sqs_commit(c, tx);
			if (is_ok(st)) {
				map_set(&s->queues, key, fresh);
				free(map_remove(&s->deleted, key));
				q = fresh;
				fresh = NULL;
			}
		}
		if (q) atomic_fetch_add(&q->references, 1);
		pthread_rwlock_unlock(&s->lock);
		bool made = !fresh;
		sqs_queue_release(fresh);
		TRY(st);
		if (made) {
			out->queue_url = sqs_queue_url(c, q);
			sqs_queue_release(q);
			return OK;
		}
	}
	status st = compare(c, q, in);
	if (is_ok(st)) out->queue_url = sqs_queue_url(c, q);
	sqs_queue_release(q);
	return st;
}

/* A queue's messages and what belongs to it, in the store. */
static void drop_contents(struct queue *q, struct arena *a)
{
	static const char *const kinds[] = {"entry", "body", "dedup", "attempt"};
	for (size_t i = 0; i < 4; i++) {
		struct key k = key_begin(a);
		key_str(&k, STR("sqs"));
		key_str(&k, str_c(kinds[i]));
		key_u64(&k, q->id);
		struct str from = key_done(&k);
		/* Should it fail, the messages stay behind unseen: ids of queues are not used again. */
		(void)!is_ok(store_delete_range(q->sqs->cloud->store, from, key_after(a, from)));
	}
}

status sqs_delete_queue(struct call *c, const struct sqs_delete_queue_input *in, struct sqs_delete_queue_output *out)
{
	(void)out;
	struct sqs *s = sqs_of(c);
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	struct str key = map_key(c->arena, q->account, q->region, q->name);
	pthread_rwlock_wrlock(&s->lock);
	pthread_mutex_lock(&q->lock);
	status st = OK;
	if (!q->deleted) {
		struct store_tx *tx = store_begin(c->cloud->store, c->arena, false);
		store_delete(tx, sqs_queue_key(c->arena, q->account, q->region, q->name));
		st = sqs_commit(c, tx);
		if (is_ok(st)) {
			q->deleted = true;
			map_remove(&s->queues, key);
			int64_t *when = mem_new(sizeof(*when));
			*when = c->now_ms;
			free(map_set(&s->deleted, key, when));
			drop_contents(q, c->arena);
			sqs_wake(q, c->now_ms);
		}
	} else {
		st = no_such_queue(c);
	}
	bool gone = is_ok(st);
	pthread_mutex_unlock(&q->lock);
	pthread_rwlock_unlock(&s->lock);
	if (gone) sqs_queue_release(q); /* the state's own */
	sqs_queue_release(q);
	return st;
}

status sqs_get_queue_url(struct call *c, const struct sqs_get_queue_url_input *in, struct sqs_get_queue_url_output *out)
{
	struct str account = str_has(in->queue_owner_aws_account_id) ? in->queue_owner_aws_account_id : c->account;
	struct queue *q = sqs_queue_by_name(sqs_of(c), c->arena, account, c->region, in->queue_name);
	if (!q) return no_such_queue(c);
	out->queue_url = sqs_queue_url(c, q);
	sqs_queue_release(q);
	return OK;
}

status sqs_list_queues(struct call *c, const struct sqs_list_queues_input *in, struct sqs_list_queues_output *out)
{
	if (in->max_results.has && (in->max_results.v < 1 || in->max_results.v > 1000))
		return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE,
			"Value %d for parameter MaxResults is invalid. Reason: Must be an integer from 1 to 1000.",
			in->max_results.v);
	int32_t limit = in->max_results.has ? in->max_results.v : 1000;
	struct key k = key_for(c->arena, STR("sqs"), STR("queue"), c->account, c->region);
	struct str all = key_done(&k), from = all, to = key_after(c->arena, all), key, value;
	if (str_has(in->queue_name_prefix) && in->queue_name_prefix.n)
		from = key_with_prefix(c->arena, all, in->queue_name_prefix);
	if (str_has(in->next_token) && in->next_token.n) {
		struct str name;
		if (!is_ok(str_unbase64(c->arena, in->next_token, &name)))
			return call_fail(c, SQS_ERR_INVALID_PARAMETER_VALUE, "Invalid or expired next token.");
		from = key_next(c->arena, sqs_queue_key(c->arena, c->account, c->region, name));
	}
	struct store_scan *scan = store_scan_begin(c->tx, from, to, false);
	size_t capacity = 0;
	struct queue named = {.account = c->account, .region = c->region};
	while (store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(key, all.n), name;
		if (!is_ok(key_read_str(c->arena, &rest, &name))) break;
		if (str_has(in->queue_name_prefix) && !str_starts(name, in->queue_name_prefix)) break;
		if (out->queue_urls.n == (size_t)limit) {
			/* Only who asked for pages gets a token. */
			if (in->max_results.has) out->next_token = str_base64(c->arena, named.name);
			break;
		}
		named.name = str_dup(c->arena, name);
		*VEC_PUSH(c->arena, &out->queue_urls, &capacity) = sqs_queue_url(c, &named);
	}
	return store_scan_end(scan);
}

status sqs_purge_queue(struct call *c, const struct sqs_purge_queue_input *in, struct sqs_purge_queue_output *out)
{
	(void)out;
	struct queue *q;
	TRY(sqs_queue_by_url(c, in->queue_url, &q));
	status st = sqs_queue_lock(c, q);
	if (is_ok(st)) {
		if (q->purged_ms && c->now_ms - q->purged_ms < 60000 && c->now_ms >= q->purged_ms) {
			st = call_fail(c, SQS_ERR_PURGE_QUEUE_IN_PROGRESS,
				"Only one PurgeQueue operation on %.*s is allowed every 60 seconds.", STR_ARG(q->name));
		} else {
			struct sqs_rec_queue r = q->record;
			r.purged = SOME_I64(c->now_ms);
			struct store_tx *tx = store_begin(c->cloud->store, c->arena, false);
			sqs_put_queue(tx, c->arena, q, &r);
			struct message *m;
			while ((m = index_oldest(&q->index))) {
				sqs_drop_message(tx, c->arena, q, m->seq);
				index_remove(&q->index, m);
			}
			st = sqs_commit(c, tx);
			q->purged_ms = c->now_ms;
			q->record.purged = r.purged;
			if (!is_ok(st)) {
				/* The store refused: what is in it counts. */
				index_cleanup(&q->index);
				map_cleanup(&q->dedup, NULL);
				q->loaded = false;
			}
		}
		sqs_queue_unlock(q);
	}
	sqs_queue_release(q);
	return st;
}

/* ── start and stop ───────────────────────────────────────────────────────────────────────────────────────────── */

static status load_secret(struct sqs *s, struct arena *a)
{
	struct key k = key_begin(a);
	key_str(&k, STR("sqs"));
	key_str(&k, STR("installation"));
	struct store_tx *tx = store_begin(s->cloud->store, a, false);
	struct str bytes;
	struct sqs_rec_installation r = {0};
	status st = store_get(tx, key_done(&k), &bytes);
	if (is_ok(st)) st = sqs_rec_installation_decode(a, bytes, &r);
	if (is_ok(st) && r.secret.n == sizeof(s->secret)) {
		memcpy(s->secret, r.secret.p, sizeof(s->secret));
		store_end(tx);
		return OK;
	}
	rand_bytes(s->secret, sizeof(s->secret));
	r.secret = str_n(s->secret, sizeof(s->secret));
	store_put(tx, key_done(&k), sqs_rec_installation_encode(a, &r));
	store_ticket t;
	st = store_commit(tx, &t);
	store_end(tx);
	return st;
}

static status load_queues(struct sqs *s, struct arena *a)
{
	struct store_tx *tx = store_begin(s->cloud->store, a, true);
	struct key k = key_begin(a);
	key_str(&k, STR("sqs"));
	key_str(&k, STR("queue"));
	struct str from = key_done(&k), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct queue *q = queue_new(s, value);
		map_set(&s->queues, map_key(a, q->account, q->region, q->name), q);
	}
	status st = store_scan_end(scan);
	store_end(tx);
	return st;
}

status sqs_start(struct cloud *cloud, void **state)
{
	struct sqs *s = mem_new(sizeof(*s));
	s->cloud = cloud;
	pthread_rwlock_init(&s->lock, NULL);
	map_init(&s->queues);
	map_init(&s->deleted);
	*state = s;
	struct arena a;
	arena_init(&a);
	status st = load_secret(s, &a);
	if (is_ok(st)) st = load_queues(s, &a);
	arena_cleanup(&a);
	if (is_ok(st)) st = sqs_moves_start(s);
	return st;
}

void sqs_drain(void *state)
{
	struct sqs *s = state;
	atomic_store(&s->draining, true);
	pthread_rwlock_rdlock(&s->lock);
	for (struct map_entry *e = NULL; (e = map_next(&s->queues, e));) {
		struct queue *q = e->value;
		pthread_mutex_lock(&q->lock);
		sqs_wake(q, 0);
		pthread_mutex_unlock(&q->lock);
	}
	pthread_rwlock_unlock(&s->lock);
}

static void release_queue(void *q)
{
	sqs_queue_release(q);
}

/* A timer holds a reference of its own. */
static void drop_timer(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	uint64_t timer = q->timer;
	bool cancelled = timer && clock_cancel(q->sqs->cloud->clock, timer);
	if (cancelled) q->timer = 0;
	pthread_mutex_unlock(&q->lock);
	if (cancelled) sqs_queue_release(q);
}

void sqs_stop(void *state)
{
	struct sqs *s = state;
	for (struct map_entry *e = NULL; (e = map_next(&s->queues, e));) drop_timer(e->value);
	map_cleanup(&s->queues, release_queue);
	map_cleanup(&s->deleted, free);
	pthread_rwlock_destroy(&s->lock);
	free(s);
}

status sqs_reset(struct cloud *cloud, void *state, bool gone)
{
	(void)cloud;
	if (!gone) return OK;
	struct sqs *s = state;
	pthread_rwlock_wrlock(&s->lock);
	for (struct map_entry *e = NULL; (e = map_next(&s->queues, e));) {
		struct queue *q = e->value;
		pthread_mutex_lock(&q->lock);
		q->deleted = true;
		sqs_wake(q, 0);
		pthread_mutex_unlock(&q->lock);
	}
	map_cleanup(&s->queues, release_queue);
	map_cleanup(&s->deleted, free);
	map_init(&s->queues);
	map_init(&s->deleted);
	pthread_rwlock_unlock(&s->lock);
	struct arena a;
	arena_init(&a);
	status st = load_secret(s, &a);
	arena_cleanup(&a);
	return st;
}
