/* Writing chunks, and reading events of one or many streams in order of time. Chunks overlap where several writers feed
 * a stream, so a reader takes in chunks in order of their earliest event (backwards: their latest) until no chunk to
 * come can hold an event before what it has. */
#include "services/logs/chunk.h"
#include <lz4.h>
#include <stdlib.h>

enum {
	SPAN_MS = 86400000, /* a chunk's events are at most this far apart */
	HEAD_BYTES = 32,
	EVENT_HEAD = 12,
	PIECE = 64 << 10, /* packed by itself: what is packed stays in the processor's cache */
	PIECE_HEAD = 8,
};

static struct str prefix_of(struct arena *a, const char *kind, uint64_t stream)
{
	struct key k = key_begin(a);
	buf_reserve(&k.b, 64);
	key_str(&k, STR("logs"));
	key_str(&k, str_c(kind));
	key_u64(&k, stream);
	return key_done(&k);
}

static struct str key_of(struct arena *a, const char *kind, uint64_t stream, int64_t earliest, uint64_t number)
{
	struct key k = key_begin(a);
	key_append(&k, prefix_of(a, kind, stream));
	key_i64(&k, earliest);
	key_u64(&k, number);
	return key_done(&k);
}

int logs_position_cmp(const struct logs_position *x, const struct logs_position *y)
{
	if (x->at != y->at) return x->at < y->at ? -1 : 1;
	if (x->number != y->number) return x->number < y->number ? -1 : 1;
	if (x->place != y->place) return x->place < y->place ? -1 : 1;
	return x->stream < y->stream ? -1 : x->stream > y->stream;
}

struct head {
	int64_t latest, ingested;
	uint64_t bytes; /* as AWS counts: 26 for each event, and its message */
	uint64_t n;
};
_Static_assert(sizeof(struct head) == HEAD_BYTES, "heads are stored as they are");

/* ── sealing ── */

/* In the size that a chunk begins with: what follows is an envelope of the packed bytes; they are pieces, each its
 * sizes before and after packing (4 bytes each) and its bytes. Older chunks are one piece without sizes. */
#define SEALED 0x80000000u
#define PIECES 0x40000000u

static struct kms_use use_of(struct store_tx *tx, struct arena *a, const struct logs_owner *o)
{
	return (struct kms_use){o->cloud, tx, a, o->group->account, o->group->region, o->now_ms};
}

static struct kms_pair context_of(struct arena *a, const struct logs_owner *o)
{
	return (struct kms_pair){
		STR("aws:logs:arn"), logs_group_arn(a, o->group->account, o->group->region, o->group->name)};
}

static status seal(struct store_tx *tx, struct arena *a, struct logs_owner *o, struct str plain, struct str *out)
{
	struct kms_use u = use_of(tx, a, o);
	struct kms_pair context = context_of(a, o);
	struct str key;
	return kms_envelope_seal(&u, o->group->kms_key, &context, 1, plain, out, &key, &o->why);
}

status logs_sealed_failed(struct call *c, status s, const struct logs_owner *owner)
{
	if (!status_is(s, STATUS_FAILED)) return s;
	return LOGS_FAIL(c, ACCESS_DENIED, "%.*s", STR_ARG(owner->why.message));
}

/* ── writing ── */

struct packer {
	char *piece;
	size_t n;
	struct buf out;
};

static void pack_piece(struct packer *k)
{
	uint32_t sizes[2] = {(uint32_t)k->n};
	if (!k->n) return;
	int bound = LZ4_COMPRESSBOUND((int)k->n);
	char *to = buf_reserve(&k->out, PIECE_HEAD + (size_t)bound);
	int packed = LZ4_compress_default(k->piece, to + PIECE_HEAD, (int)k->n, bound);
	INVARIANT(packed > 0);
	sizes[1] = (uint32_t)packed;
	memcpy(to, sizes, PIECE_HEAD);
	k->out.n += PIECE_HEAD + (size_t)packed;
	k->n = 0;
}

static void pack(struct packer *k, const char *p, size_t n)
{
	while (n) {
		size_t here = PIECE - k->n < n ? PIECE - k->n : n;
		memcpy(k->piece + k->n, p, here);
		k->n += here;
		p += here;
		n -= here;
		if (k->n == PIECE) pack_piece(k);
	}
}

static status pack_events(struct store_tx *tx, struct arena *a, struct logs_owner *owner,
	const struct logs_input_log_event *v, size_t n, struct str *out)
{
	size_t size = 0;
	for (size_t i = 0; i < n; i++) size += EVENT_HEAD + v[i].message.n;
	struct packer k = {.piece = arena_alloc_raw(a, PIECE), .out = BUF_IN(a)};
	uint32_t raw_size = (uint32_t)size | PIECES;
	/* Once, for whatever comes of it: what grew would be copied. */
	buf_reserve(&k.out, 4 + (size / PIECE + 1) * (PIECE_HEAD + (size_t)LZ4_COMPRESSBOUND(PIECE)));
	buf_add(&k.out, &raw_size, 4);
	for (size_t i = 0; i < n; i++) {
		char event_head[EVENT_HEAD];
		uint32_t length = (uint32_t)v[i].message.n;
		memcpy(event_head, &v[i].timestamp.v, 8);
		memcpy(event_head + 8, &length, 4);
		pack(&k, event_head, EVENT_HEAD);
		pack(&k, v[i].message.p, length);
	}
	pack_piece(&k);
	*out = buf_done(&k.out);
	if (!str_has(owner->group->kms_key)) return OK;
	struct str sealed;
	TRY(seal(tx, a, owner, str_from(*out, 4), &sealed));
	raw_size |= SEALED;
	*out = str_cat(a, str_n(&raw_size, 4), sealed);
	return OK;
}

status logs_chunk_put(struct store_tx *tx, struct arena *a, struct logs_owner *owner, uint64_t stream, uint64_t number,
	const struct logs_input_log_event *v, size_t n)
{
	struct head h = {.latest = v[n - 1].timestamp.v, .ingested = owner->now_ms, .n = n};
	struct str data;
	for (size_t i = 0; i < n; i++) h.bytes += 26 + v[i].message.n;
	TRY(pack_events(tx, a, owner, v, n, &data));
	store_put(tx, key_of(a, "head", stream, v[0].timestamp.v, number),
		str_n(arena_copy(a, &h, sizeof(h)), sizeof(h)));
	store_put(tx, key_of(a, "data", stream, v[0].timestamp.v, number), data);
	return OK;
}

status logs_chunk_put_made(struct store_tx *tx, struct arena *a, struct logs_owner *owner, uint64_t stream,
	uint64_t number, const struct logs_input_log_event *v, size_t n)
{
	struct str data;
	TRY(pack_events(tx, a, owner, v, n, &data));
	store_put(tx, key_of(a, "made", stream, v[0].timestamp.v, number), data);
	return OK;
}

/* ── heads ── */

struct chunk {
	int64_t earliest, latest, ingested;
	uint64_t number, stream;
	size_t which; /* in streams */
};
struct chunks {
	struct chunk *v;
	size_t n, capacity;
};

static status read_head(size_t prefix, struct str key, struct str value, struct chunk *c, struct head *h)
{
	struct str rest = str_from(key, prefix);
	TRY(key_read_i64(&rest, &c->earliest));
	TRY(key_read_u64(&rest, &c->number));
	if (value.n != sizeof(*h)) return STATUS(CORRUPT);
	memcpy(h, value.p, sizeof(*h));
	c->latest = h->latest;
	c->ingested = h->ingested;
	return OK;
}

static status gather(struct logs_scan *s, size_t which, struct chunks *out)
{
	uint64_t stream = (uint64_t)s->streams->v[which].id.v;
	struct str prefix = prefix_of(s->a, "head", stream), key, value;
	struct key from = key_begin(s->a), to = key_begin(s->a);
	status st = OK;
	key_append(&from, prefix);
	key_i64(&from, s->from > INT64_MIN + SPAN_MS ? s->from - SPAN_MS : s->from);
	key_append(&to, prefix);
	key_i64(&to, s->to);
	struct store_scan *scan = store_scan_begin(s->tx, key_done(&from), key_done(&to), false);
	while (is_ok(st) && store_scan_next(scan, &key, &value)) {
		struct chunk c = {.stream = stream, .which = which};
		struct head h;
		st = read_head(prefix.n, key, value, &c, &h);
		if (!is_ok(st) || c.latest < s->from) continue;
		if (s->after && (s->backwards ? c.earliest > s->after->at : c.latest < s->after->at)) continue;
		*VEC_PUSH(s->a, out, &out->capacity) = c;
	}
	status end = store_scan_end(scan);
	return is_ok(st) ? end : st;
}

static int by_earliest(const void *x, const void *y)
{
	const struct chunk *a = x, *b = y;
	return a->earliest != b->earliest ? (a->earliest < b->earliest ? -1 : 1)
	       : a->number < b->number    ? -1
					  : a->number > b->number;
}
static int by_latest(const void *x, const void *y)
{
	const struct chunk *a = x, *b = y;
	return a->latest != b->latest  ? (a->latest > b->latest ? -1 : 1)
	       : a->number > b->number ? -1
				       : a->number < b->number;
}
static int forwards(const void *x, const void *y)
{
	return logs_position_cmp(&((const struct logs_event *)x)->position, &((const struct logs_event *)y)->position);
}
static int backwards(const void *x, const void *y)
{
	return forwards(y, x);
}

/* ── one chunk ── */

struct unpacked {
	char *p;
	size_t n, capacity;
};

static status unpack_pieces(struct unpacked *u, struct str packed)
{
	size_t at = 0;
	while (packed.n) {
		uint32_t sizes[2];
		if (packed.n < PIECE_HEAD) return STATUS(CORRUPT);
		memcpy(sizes, packed.p, PIECE_HEAD);
		packed = str_from(packed, PIECE_HEAD);
		if (sizes[0] > u->n - at || sizes[1] > packed.n) return STATUS(CORRUPT);
		if (LZ4_decompress_safe(packed.p, u->p + at, (int)sizes[1], (int)sizes[0]) != (int)sizes[0])
			return STATUS(CORRUPT);
		at += sizes[0];
		packed = str_from(packed, sizes[1]);
	}
	return at == u->n ? OK : STATUS(CORRUPT);
}

static status unpack(struct unpacked *u, struct logs_scan *s, struct arena *scratch, struct str value)
{
	uint32_t size;
	if (value.n < 4) return STATUS(CORRUPT);
	memcpy(&size, value.p, 4);
	struct str packed = str_from(value, 4);
	if (size & SEALED) {
		struct kms_use use = use_of(s->tx, scratch, s->owner);
		struct kms_pair context = context_of(scratch, s->owner);
		size &= ~SEALED;
		TRY(kms_envelope_open(&use, packed, &context, 1, &packed, &s->owner->why));
	}
	bool pieces = size & PIECES;
	size &= ~PIECES;
	if (size > (64u << 20)) return STATUS(CORRUPT);
	if (size > u->capacity) {
		u->p = mem_grow(u->p, size);
		u->capacity = size;
	}
	u->n = size;
	if (pieces) return unpack_pieces(u, packed);
	return LZ4_decompress_safe(packed.p, u->p, (int)packed.n, (int)size) == (int)size ? OK : STATUS(CORRUPT);
}

static bool wanted(const struct logs_scan *s, const struct logs_position *p)
{
	if (p->at < s->from || p->at >= s->to) return false;
	if (!s->after) return true;
	int order = logs_position_cmp(p, s->after);
	return s->backwards ? order < 0 : order > 0;
}

static status take(struct logs_scan *s, const struct chunk *c, const struct unpacked *u, struct arena *scratch)
{
	size_t at = 0;
	uint32_t place = 0;
	s->scanned_bytes += u->n;
	bool hopeless = str_has(s->literal) && !memmem(u->p, u->n, s->literal.p, s->literal.n);
	for (; at < u->n; place++) {
		struct logs_position p = {.number = c->number, .place = place, .stream = c->stream};
		uint32_t length;
		if (u->n - at < EVENT_HEAD) return STATUS(CORRUPT);
		memcpy(&p.at, u->p + at, 8);
		memcpy(&length, u->p + at + 8, 4);
		at += EVENT_HEAD;
		if (u->n - at < length) return STATUS(CORRUPT);
		struct str message = str_n(u->p + at, length);
		at += length;
		if (!wanted(s, &p)) continue;
		s->scanned++;
		if (hopeless) continue;
		if (s->passes) {
			if (str_has(s->literal) && !memmem(message.p, message.n, s->literal.p, s->literal.n)) continue;
			struct arena_mark mark = arena_mark(scratch);
			bool passes = s->passes(s->ctx, scratch, p.at, message);
			arena_release(scratch, mark);
			if (!passes) continue;
		}
		*VEC_PUSH(s->a, &s->out, &s->out.capacity) =
			(struct logs_event){p, c->ingested, s->streams->v[c->which].name, str_dup(s->a, message)};
	}
	return OK;
}

/* ── the scan ── */

/* How many of what was found are sure to come before anything in the chunks to come. */
static size_t settled(const struct logs_scan *s, const struct chunk *next)
{
	if (!next) return s->out.n;
	size_t low = 0, high = s->out.n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		bool sure = s->backwards ? s->out.v[mid].position.at > next->latest
					 : s->out.v[mid].position.at < next->earliest;
		if (sure)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* How many events fit into the limits. */
static size_t fitting(const struct logs_scan *s, size_t n)
{
	size_t bytes = 0, i = 0;
	while (i < n && i < s->limit) {
		bytes += s->out.v[i].message.n + 26;
		if (bytes > s->bytes && i) break;
		i++;
	}
	return i;
}

status logs_scan(struct logs_scan *s)
{
	struct chunks chunks = {0};
	struct unpacked u = {0};
	struct arena scratch;
	status st = OK;
	for (size_t i = 0; i < s->streams->n; i++) TRY(gather(s, i, &chunks));
	if (chunks.n) qsort(chunks.v, chunks.n, sizeof(*chunks.v), s->backwards ? by_latest : by_earliest);
	struct key all = key_begin(s->a);
	key_str(&all, STR("logs"));
	key_str(&all, STR("data"));
	arena_init(&scratch);
	struct store_scan *scan = store_scan_begin(s->tx, key_done(&all), key_after(s->a, key_done(&all)), false);
	struct key others = key_begin(s->a);
	key_str(&others, STR("logs"));
	key_str(&others, STR("made"));
	struct store_scan *made =
		s->made ? store_scan_begin(s->tx, key_done(&others), key_after(s->a, key_done(&others)), false) : NULL;
	for (size_t i = 0; is_ok(st) && i < chunks.n; i++) {
		struct str key, value,
			wanted_key =
				key_of(&scratch, "data", chunks.v[i].stream, chunks.v[i].earliest, chunks.v[i].number);
		store_scan_seek(scan, wanted_key);
		if (!store_scan_next(scan, &key, &value) || !str_eq(key, wanted_key)) {
			st = STATUS(CORRUPT);
			break;
		}
		if (made) {
			wanted_key =
				key_of(&scratch, "made", chunks.v[i].stream, chunks.v[i].earliest, chunks.v[i].number);
			store_scan_seek(made, wanted_key);
			struct str better;
			if (store_scan_next(made, &key, &better) && str_eq(key, wanted_key)) value = better;
		}
		size_t before = s->out.n;
		st = unpack(&u, s, &scratch, value);
		if (is_ok(st)) st = take(s, &chunks.v[i], &u, &scratch);
		arena_reset(&scratch);
		if (!is_ok(st)) break;
		if (s->out.n > before + 1 || (before && s->out.n > before))
			qsort(s->out.v, s->out.n, sizeof(*s->out.v), s->backwards ? backwards : forwards);
		const struct chunk *next = i + 1 < chunks.n ? &chunks.v[i + 1] : NULL;
		size_t sure = settled(s, next), fit = fitting(s, sure);
		if (next && (fit < sure || fit == s->limit)) {
			s->out.n = fit;
			s->more = true;
			break;
		}
	}
	status end = store_scan_end(scan), end_made = made ? store_scan_end(made) : OK;
	arena_cleanup(&scratch);
	free(u.p);
	TRY(st);
	TRY(end);
	TRY(end_made);
	size_t fit = fitting(s, s->out.n);
	s->more = s->more || fit < s->out.n;
	s->out.n = fit;
	return OK;
}

/* ── heads alone ── */

status logs_extent(struct store_tx *tx, struct arena *a, uint64_t stream, bool whole, struct logs_extent *out)
{
	struct str prefix = prefix_of(a, "head", stream), key, value;
	status st = OK;
	*out = (struct logs_extent){0};
	struct chunk c = {0};
	struct head h;
	int64_t newest = 0;
	for (int pass = 0; pass < 2 && is_ok(st); pass++) {
		struct store_scan *scan = store_scan_begin(tx, prefix, key_after(a, prefix), pass == 0);
		bool any = false;
		while (is_ok(st) && store_scan_next(scan, &key, &value)) {
			st = read_head(prefix.n, key, value, &c, &h);
			if (!is_ok(st)) break;
			if (pass == 0) {
				if (!any) newest = c.earliest;
				if (any && c.earliest < newest - SPAN_MS) break;
				out->last = !any || c.latest > out->last ? c.latest : out->last;
				out->ingested = c.ingested > out->ingested ? c.ingested : out->ingested;
			} else {
				if (!any) out->first = c.earliest;
				out->n += h.n;
				out->bytes += h.bytes;
				if (!whole) {
					any = true;
					break;
				}
			}
			any = true;
		}
		status end = store_scan_end(scan);
		if (is_ok(st)) st = end;
	}
	return st;
}

status logs_chunks_drop(struct store_tx *tx, struct arena *a, uint64_t stream, int64_t before, size_t most, size_t *n)
{
	struct str prefix = prefix_of(a, "head", stream), key, value;
	status st = OK;
	*n = 0;
	struct store_scan *scan = store_scan_begin(tx, prefix, key_after(a, prefix), false);
	while (is_ok(st) && *n < most && store_scan_next(scan, &key, &value)) {
		struct chunk c = {0};
		struct head h;
		st = read_head(prefix.n, key, value, &c, &h);
		if (!is_ok(st) || c.earliest >= before) break;
		if (c.latest >= before) continue;
		store_delete(tx, key_of(a, "head", stream, c.earliest, c.number));
		store_delete(tx, key_of(a, "data", stream, c.earliest, c.number));
		store_delete(tx, key_of(a, "made", stream, c.earliest, c.number));
		++*n;
	}
	status end = store_scan_end(scan);
	return is_ok(st) ? end : st;
}
