/* The life of versions. Sequences grow with time within a key; a version id holds its sequence, inverted, so that it is found
 * by one get; the version called null is found by a pointer of its own. */
#include "services/s3/version.h"
#include "base/rand.h"
#include "services/s3/lock.h"
#include "services/s3/object.h"

enum { ID_BYTES = 24, ID_LENGTH = 32, MS_SHIFT = 20 };

/* ── ids ── */

static struct str id_make(struct arena *a, uint64_t number)
{
	uint8_t raw[ID_BYTES];
	rand_bytes(raw, sizeof raw);
	for (int i = 0; i < 8; i++) raw[i] = (uint8_t)(number >> (56 - 8 * i));
	/* Scattered, as those of AWS are; the key to it is in the id. */
	for (int i = 0; i < 8; i++) raw[i] ^= raw[8 + i];
	char *text = arena_copy(a, str_base64(a, str_n(raw, sizeof raw)).p, ID_LENGTH);
	for (int i = 0; i < ID_LENGTH; i++) text[i] = text[i] == '+' ? '.' : text[i] == '/' ? '_' : text[i];
	return str_n(text, ID_LENGTH);
}

static bool id_read(struct arena *a, struct str id, uint64_t *number)
{
	struct str raw;
	if (id.n != ID_LENGTH) return false;
	char *text = arena_copy(a, id.p, id.n);
	for (size_t i = 0; i < id.n; i++) text[i] = text[i] == '.' ? '+' : text[i] == '_' ? '/' : text[i];
	if (!is_ok(str_unbase64(a, str_n(text, id.n), &raw)) || raw.n != ID_BYTES) return false;
	*number = 0;
	for (int i = 0; i < 8; i++) *number = *number << 8 | (uint8_t)(raw.p[i] ^ raw.p[8 + i]);
	return true;
}

/* Objects from before the bucket had versions have neither. */
static struct str id_of(const struct s3_rec_object *o) { return str_has(o->version_id) ? o->version_id : STR("null"); }

static uint64_t sequence_of(const struct s3_rec_object *o)
{
	return o->sequence.has ? (uint64_t)o->sequence.v : (uint64_t)o->modified.ms * 1000;
}

struct str s3_version_shown(const struct s3_rec_bucket *b, const struct s3_rec_object *o)
{
	return s3_versioned(b) || str_has(o->version_id) ? id_of(o) : STR_NONE;
}

/* ── finding ── */

static status get_version(struct call *c, const struct s3_rec_bucket *b, struct str key, uint64_t number,
	struct s3_rec_object *out)
{
	struct str bytes;
	*out = (struct s3_rec_object){0};
	TRY(store_get(c->tx, s3_key_version(c->arena, b, key, number), &bytes));
	return s3_rec_object_decode(c->arena, bytes, out);
}

/* The newest below the current object (or the newest of all, where that is a marker). */
static status newest_version(struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *out,
	uint64_t *number)
{
	struct key k = s3_key_space(c->arena, STR("version"), b);
	key_str(&k, key);
	struct str from = key_done(&k), at, value, rest;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	bool any = store_scan_next(scan, &at, &value);
	status s = OK;
	if (any) {
		rest = str_from(at, from.n);
		s = key_read_u64(&rest, number);
	}
	status ended = store_scan_end(scan);
	TRY(ended);
	TRY(s);
	/* Read again by key, so that the transaction is validated against it. */
	return any ? get_version(c, b, key, *number, out) : STATUS(NOT_FOUND);
}

static status null_number(struct call *c, const struct s3_rec_bucket *b, struct str key, uint64_t *number)
{
	struct str bytes, rest;
	TRY(store_get(c->tx, s3_key_null(c->arena, b, key), &bytes));
	rest = bytes;
	return key_read_u64(&rest, number);
}

static void put_null(struct call *c, const struct s3_rec_bucket *b, struct str key, uint64_t number)
{
	struct key k = key_begin(c->arena);
	key_u64(&k, number);
	store_put(c->tx, s3_key_null(c->arena, b, key), key_done(&k));
}

status s3_version_load(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str version_id,
	struct s3_rec_object *out, struct s3_place *place)
{
	struct s3_place here = {.current = true};
	status s = s3_object_load(c, b, key, out);
	bool current = is_ok(s);
	if (!current && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (!str_has(version_id)) {
		if (!current && s3_versioned(b)) {
			here.current = false;
			s = newest_version(c, b, key, out, &here.number);
		}
	} else if (!current || !str_eq(id_of(out), version_id)) {
		here.current = false;
		if (str_is(version_id, "null"))
			s = null_number(c, b, key, &here.number);
		else
			s = id_read(c->arena, version_id, &here.number) ? OK : STATUS(NOT_FOUND);
		if (is_ok(s)) s = get_version(c, b, key, here.number, out);
		if (is_ok(s) && !str_eq(id_of(out), version_id)) s = STATUS(NOT_FOUND);
	}
	if (place) *place = here;
	return s;
}

static status check_id(struct call *c, struct str version_id)
{
	uint64_t number;
	if (!str_has(version_id) || str_is(version_id, "null")) return OK;
	if (str_empty(version_id))
		return s3_invalid_argument(c, STR("versionId"), version_id, "Version id cannot be the empty string");
	if (id_read(c->arena, version_id, &number)) return OK;
	return s3_invalid_argument(c, STR("versionId"), version_id, "Invalid version id specified");
}

status s3_version_find(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str version_id,
	struct s3_rec_object *out, struct s3_place *place)
{
	TRY(check_id(c, version_id));
	status s = s3_version_load(c, b, key, version_id, out, place);
	if (status_is(s, STATUS_NOT_FOUND)) {
		if (!str_has(version_id)) return s3_no_such_key(c, key);
		s = call_fail(c, S3_ERR_NO_SUCH_VERSION, "The specified version does not exist.");
		call_fail_detail(c, STR("Key"), key);
		call_fail_detail(c, STR("VersionId"), version_id);
		return s;
	}
	TRY(s);
	if (!out->marker.v) return OK;
	call_header(c, STR("x-amz-delete-marker"), STR("true"));
	call_header(c, STR("x-amz-version-id"), id_of(out));
	if (!str_has(version_id)) return s3_no_such_key(c, key);
	call_header(c, STR("Last-Modified"), time_rfc822(c->arena, out->modified.ms));
	s = call_fail(c, S3_ERR_METHOD_NOT_ALLOWED, "The specified method is not allowed against this resource.");
	call_fail_detail(c, STR("Method"), c->http->method);
	call_fail_detail(c, STR("ResourceType"), STR("DeleteMarker"));
	return s;
}

/* ── writing ── */

static void put_version(struct call *c, const struct s3_rec_bucket *b, struct str key, uint64_t number,
	const struct s3_rec_object *o)
{
	store_put(c->tx, s3_key_version(c->arena, b, key, number), s3_rec_object_encode(c->arena, o));
	if (str_is(id_of(o), "null")) put_null(c, b, key, number);
}

void s3_version_rewrite(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_place *place,
	const struct s3_rec_object *o)
{
	if (place->current)
		s3_object_rewrite(c, b, key, o);
	else
		put_version(c, b, key, place->number, o);
}

static status drop_version(struct call *c, const struct s3_rec_bucket *b, struct str key, uint64_t number,
	const struct s3_rec_object *o)
{
	store_delete(c->tx, s3_key_version(c->arena, b, key, number));
	if (str_is(id_of(o), "null")) store_delete(c->tx, s3_key_null(c->arena, b, key));
	return s3_object_give_up(c, b, o);
}

/* An older version called null goes, where there is one. */
static status drop_older_null(struct call *c, const struct s3_rec_bucket *b, struct str key)
{
	uint64_t number;
	struct s3_rec_object o;
	status s = null_number(c, b, key, &number);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	TRY(get_version(c, b, key, number, &o));
	return drop_version(c, b, key, number, &o);
}

static void push_down(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *current)
{
	put_version(c, b, key, UINT64_MAX - sequence_of(current), current);
}

/* A sequence above all that this key has. */
static status next_sequence(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *current,
	uint64_t *out)
{
	uint64_t newest = 0, number;
	struct s3_rec_object marker;
	if (current) {
		newest = sequence_of(current);
	} else {
		status s = newest_version(c, b, key, &marker, &number);
		if (is_ok(s)) newest = UINT64_MAX - number;
		if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	}
	/* A place that two buckets which replicate to each other both gave away cannot be shared: one in 2^20 of writes to one
	 * key within one millisecond draws the same. (Sequences of before had 1000 to a millisecond, and clashed each few
	 * thousand writes; all of them are less than any of these.) */
	uint64_t now = ((uint64_t)c->now_ms << MS_SHIFT) + rand_below(1u << MS_SHIFT);
	*out = now > newest ? now : newest + 1 + rand_below(1u << (MS_SHIFT / 2));
	return OK;
}

status s3_version_make_room(struct call *c, const struct s3_rec_bucket *b, struct str key, const struct s3_rec_object *current,
	struct s3_rec_object *fresh)
{
	fresh->version_id = STR_NONE;
	fresh->sequence = (struct opt_i64){0};
	fresh->marker = (struct opt_bool){0};
	fresh->replication = STR_NONE;
	fresh->replications_left = (struct opt_i32){0};
	if (!s3_versioned(b)) return current ? s3_object_give_up(c, b, current) : OK;
	uint64_t sequence;
	TRY(next_sequence(c, b, key, current, &sequence));
	fresh->sequence = SOME_I64((int64_t)sequence);
	bool enabled = str_is(b->versioning, "Enabled");
	fresh->version_id = enabled ? id_make(c->arena, UINT64_MAX - sequence) : STR("null");
	if (!enabled) TRY(drop_older_null(c, b, key));
	if (!current) return OK;
	if (!enabled && str_is(id_of(current), "null")) return s3_object_give_up(c, b, current);
	push_down(c, b, key, current);
	return OK;
}

status s3_version_mark_deleted(struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_deleted *out)
{
	struct s3_rec_object o, marker = {0};
	status s = s3_object_load(c, b, key, &o);
	bool found = is_ok(s);
	if (!found && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (found) store_delete(c->tx, s3_key_object(c->arena, b, key));
	out->found = found;
	if (!s3_versioned(b)) return found ? s3_object_give_up(c, b, &o) : OK;
	TRY(s3_version_make_room(c, b, key, found ? &o : NULL, &marker));
	marker.marker = SOME_BOOL(true);
	marker.modified = SOME_TIME(c->now_ms / 1000 * 1000);
	marker.owner = c->account;
	put_version(c, b, key, UINT64_MAX - sequence_of(&marker), &marker);
	*out = (struct s3_deleted){id_of(&marker), true, true};
	return OK;
}

/* The newest older version becomes the current object, unless it is a marker. */
static status promote(struct call *c, const struct s3_rec_bucket *b, struct str key)
{
	struct s3_rec_object o;
	uint64_t number;
	status s = newest_version(c, b, key, &o, &number);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (o.marker.v) return OK;
	store_delete(c->tx, s3_key_version(c->arena, b, key, number));
	if (str_is(id_of(&o), "null")) store_delete(c->tx, s3_key_null(c->arena, b, key));
	s3_object_rewrite(c, b, key, &o);
	return OK;
}

status s3_version_delete(struct call *c, const struct s3_rec_bucket *b, struct str key, struct str version_id,
	struct s3_deleted *out)
{
	struct s3_rec_object o;
	struct s3_place place;
	TRY(check_id(c, version_id));
	*out = (struct s3_deleted){.version_id = version_id};
	status s = s3_version_load(c, b, key, version_id, &o, &place);
	if (status_is(s, STATUS_NOT_FOUND)) return OK; /* what is not there is deleted already */
	TRY(s);
	TRY(s3_lock_check_delete(c, &o));
	out->marker = o.marker.v;
	out->found = true;
	if (place.current) {
		store_delete(c->tx, s3_key_object(c->arena, b, key));
		TRY(s3_object_give_up(c, b, &o));
		return promote(c, b, key);
	}
	TRY(drop_version(c, b, key, place.number, &o));
	struct s3_rec_object current;
	s = s3_object_load(c, b, key, &current);
	if (is_ok(s)) return OK;
	return status_is(s, STATUS_NOT_FOUND) ? promote(c, b, key) : s;
}

status s3_version_insert(struct call *c, const struct s3_rec_bucket *b, struct str key, struct s3_rec_object *o,
	const struct s3_rec_parts *parts)
{
	struct s3_rec_object current, other;
	uint64_t number, newest = 0, own = sequence_of(o);
	status s = s3_object_load(c, b, key, &current);
	bool found = is_ok(s);
	if (!found && !status_is(s, STATUS_NOT_FOUND)) return s;
	s = get_version(c, b, key, UINT64_MAX - own, &other);
	if (is_ok(s) || (found && sequence_of(&current) == own)) return STATUS(FAILED);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	if (found) {
		newest = sequence_of(&current);
	} else {
		s = newest_version(c, b, key, &other, &number);
		if (is_ok(s)) newest = UINT64_MAX - number;
		else if (!status_is(s, STATUS_NOT_FOUND)) return s;
	}
	if (parts) s3_object_put_parts(c, b, o, parts);
	if (own > newest && found) {
		push_down(c, b, key, &current);
		store_delete(c->tx, s3_key_object(c->arena, b, key));
	}
	if (own > newest && !o->marker.v)
		s3_object_rewrite(c, b, key, o);
	else
		put_version(c, b, key, UINT64_MAX - own, o);
	return OK;
}
