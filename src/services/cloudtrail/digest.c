/* Digests: each hour, for each account and region of a trail, a file that names the log files delivered meanwhile with
 * their hashes, and the digest before it with its hash and signature; signed itself ("CloudTrail digest file
 * structure"). */
#include "identity/digest.h"
#include "base/gzip.h"
#include "base/json.h"
#include "services/cloudtrail/room.h"
#include "vault/vault.h"

struct stream {
	struct str account, region;
};
struct streams {
	struct stream *v;
	size_t n, capacity;
};

static void add_stream(struct call *c, struct streams *l, struct str account, struct str region)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].account, account) && str_eq(l->v[i].region, region)) return;
	*VEC_PUSH(c->arena, l, &l->capacity) = (struct stream){str_dup(c->arena, account), str_dup(c->arena, region)};
}

/* (…, trail, account, region, …): where there are log files, or an earlier digest. */
static status find_streams(struct call *c, const struct cloudtrail_rec_trail *t, const char *what, struct streams *l)
{
	struct str from = ct_trail_key(c->arena, what, t->account, t->region, t->name), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(key, from.n), account, region;
		TRY(key_read_str(c->arena, &rest, &account));
		TRY(key_read_str(c->arena, &rest, &region));
		add_stream(c, l, account, region);
	}
	return store_scan_end(scan);
}

static void text_member(struct buf *b, const char *name, struct str value)
{
	buf_fmt(b, ",\"%s\":", name);
	if (str_has(value))
		json_quote(b, value);
	else
		buf_lit(b, "null");
}

static struct str hex_hash(struct arena *a, struct str bytes)
{
	uint8_t hash[32];
	digest_sha256(bytes, hash);
	return str_hex(a, str_n(hash, sizeof(hash)));
}

/* Writes "logFiles", and takes them off what the next digest tells. */
static status write_files(struct call *c, const struct cloudtrail_rec_trail *t, const struct stream *s, struct buf *b,
	struct opt_time *oldest, struct opt_time *newest)
{
	struct str from = ct_stream_key(c->arena, "file", t, s->account, s->region), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	size_t n = 0;
	buf_lit(b, "[");
	while (store_scan_next(scan, &key, &value)) {
		struct cloudtrail_rec_file f = {0};
		TRY(cloudtrail_rec_file_decode(c->arena, str_dup(c->arena, value), &f));
		buf_str(b, n++ ? STR(",{") : STR("{"));
		buf_lit(b, "\"s3Bucket\":");
		json_quote(b, f.bucket);
		text_member(b, "s3Object", f.key);
		text_member(b, "hashValue", f.hash);
		text_member(b, "hashAlgorithm", STR("SHA-256"));
		text_member(b, "newestEventTime", time_iso8601(c->arena, f.newest.ms, false));
		text_member(b, "oldestEventTime", time_iso8601(c->arena, f.oldest.ms, false));
		buf_byte(b, '}');
		if (!newest->has || f.newest.ms > newest->ms) *newest = f.newest;
		if (!oldest->has || f.oldest.ms < oldest->ms) *oldest = f.oldest;
		store_delete(c->tx, str_dup(c->arena, key));
	}
	buf_byte(b, ']');
	return store_scan_end(scan);
}

/* ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOME_20150801T041500Z.json.gz */
static struct str key_of(struct call *c, const struct cloudtrail_rec_trail *t, const struct stream *s)
{
	struct str day = time_iso8601(c->arena, c->now_ms, false);
	return str_fmt(c->arena,
		"%.*sCloudTrail-Digest/%.*s/%.*s/%.*s/%.*s/%.*s_CloudTrail-Digest_%.*s_%.*s_%.*s_%.*s.json.gz",
		STR_ARG(ct_log_prefix(c->arena, t, s->account)), STR_ARG(s->region), 4, day.p, 2, day.p + 5, 2,
		day.p + 8, STR_ARG(s->account), STR_ARG(s->region), STR_ARG(t->name), STR_ARG(t->region),
		STR_ARG(time_basic(c->arena, c->now_ms)));
}

static status write_digest(struct call *c, const struct cloudtrail_rec_trail *t, const struct stream *s, int64_t since)
{
	struct arena *a = c->arena;
	struct str at = ct_stream_key(a, "digest", t, s->account, s->region), bytes;
	struct cloudtrail_rec_digest before = {0};
	status st = store_get(c->tx, at, &bytes);
	if (is_ok(st))
		st = cloudtrail_rec_digest_decode(a, bytes, &before);
	else if (status_is(st, STATUS_NOT_FOUND))
		st = OK;
	TRY(st);
	struct ct_signer signer;
	TRY(ct_signer(c, t->region, &signer));
	struct str key = key_of(c, t, s), end = time_iso8601(a, c->now_ms, false);
	struct buf files = BUF_IN(a), b = BUF_IN(a);
	struct opt_time oldest = {0}, newest = {0};
	TRY(write_files(c, t, s, &files, &oldest, &newest));
	buf_lit(&b, "{\"awsAccountId\":");
	json_quote(&b, s->account);
	text_member(&b, "digestStartTime", time_iso8601(a, before.end.has ? before.end.ms : since, false));
	text_member(&b, "digestEndTime", end);
	text_member(&b, "digestS3Bucket", t->bucket);
	text_member(&b, "digestS3Object", key);
	text_member(&b, "digestPublicKeyFingerprint", signer.fingerprint);
	text_member(&b, "digestSignatureAlgorithm", STR("SHA256withRSA"));
	text_member(&b, "newestEventTime", newest.has ? time_iso8601(a, newest.ms, false) : STR_NONE);
	text_member(&b, "oldestEventTime", oldest.has ? time_iso8601(a, oldest.ms, false) : STR_NONE);
	text_member(&b, "previousDigestS3Bucket", before.bucket);
	text_member(&b, "previousDigestS3Object", before.key);
	text_member(&b, "previousDigestHashValue", before.hash);
	text_member(&b, "previousDigestHashAlgorithm", before.end.has ? STR("SHA-256") : STR_NONE);
	text_member(&b, "previousDigestSignature", before.signature);
	buf_lit(&b, ",\"logFiles\":");
	buf_str(&b, buf_done(&files));
	buf_byte(&b, '}');
	struct str text = buf_done(&b), hash = hex_hash(a, text);
	struct str to_sign = str_fmt(a, "%.*s\n%.*s/%.*s\n%.*s\n%.*s", STR_ARG(end), STR_ARG(t->bucket), STR_ARG(key),
		STR_ARG(hash), STR_ARG(str_or(before.signature, STR("null"))));
	struct ct_put put = {.key = key, .bytes = gzip_pack(a, text), .signature = ct_sign(a, &signer, to_sign)};
	vault_wipe(signer.private_der);
	struct call put_call = *c; /* becomes the bucket owner's */
	st = ct_bucket_put(&put_call, t, &put);
	c->failure = put_call.failure;
	TRY(st);
	struct cloudtrail_rec_digest now = {
		.bucket = t->bucket, .key = key, .hash = hash, .signature = put.signature, .end = SOME_TIME(c->now_ms)};
	store_put(c->tx, at, cloudtrail_rec_digest_encode(a, &now));
	return OK;
}

status ct_digest(
	struct call *c, const struct cloudtrail_rec_trail *t, const struct cloudtrail_rec_status *st, bool last)
{
	struct streams list = {0};
	int64_t since = st->digested.has && st->digested.ms > t->started.ms ? st->digested.ms : t->started.ms;
	/* "CloudTrail delivers a digest file … even if no API activity occurred", in the home region at least. */
	if (!last) add_stream(c, &list, t->account, t->region);
	TRY(find_streams(c, t, "file", &list));
	if (!last) TRY(find_streams(c, t, "digest", &list));
	for (size_t i = 0; i < list.n; i++) TRY(write_digest(c, t, &list.v[i], since));
	if (!last) return OK;
	/* The chain ends: what comes after begins a new one. */
	struct str from = ct_trail_key(c->arena, "digest", t->account, t->region, t->name), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	while (store_scan_next(scan, &key, &value)) store_delete(c->tx, str_dup(c->arena, key));
	return store_scan_end(scan);
}
