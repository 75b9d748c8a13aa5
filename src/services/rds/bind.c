/* See bind.h. BER as LDAP restricts it (RFC 4511, 5.1): definite lengths, tags of one byte. */
#include "services/rds/bind.h"
#include "base/buf.h"

enum {
	SEQUENCE = 0x30,
	INTEGER = 0x02,
	OCTETS = 0x04,
	ENUMERATED = 0x0a,
	BIND_REQUEST = 0x60,
	BIND_RESPONSE = 0x61,
	SIMPLE = 0x80,
	VERSION = 3,
	SUCCESS = 0,
	INVALID_CREDENTIALS = 49,
	WHY_MAX = 400
};

/* The next element: its tag and content; *at moves behind it. */
static status element(struct str s, size_t *at, unsigned char *tag, struct str *content)
{
	size_t i = *at, n;
	if (s.n - i < 2) return STATUS(NOT_FOUND);
	*tag = (unsigned char)s.p[i++];
	n = (unsigned char)s.p[i++];
	if (n & 0x80) {
		size_t bytes = n & 0x7f;
		if (bytes == 0 || bytes > 4) return STATUS(INVALID);
		if (s.n - i < bytes) return STATUS(NOT_FOUND);
		for (n = 0; bytes; bytes--) n = n << 8 | (unsigned char)s.p[i++];
	}
	if (n > RDS_BIND_MAX) return STATUS(INVALID);
	if (s.n - i < n) return STATUS(NOT_FOUND);
	*content = str_sub(s, i, n);
	*at = i + n;
	return OK;
}

/* Within a message everything has to be there. */
static status part(struct str s, size_t *at, unsigned char tag, struct str *content)
{
	unsigned char found;
	status st = element(s, at, &found, content);
	return is_ok(st) && found == tag ? OK : STATUS(INVALID);
}

static status number(struct str s, size_t *at, int32_t *out)
{
	struct str v;
	int64_t n = 0;
	TRY(part(s, at, INTEGER, &v));
	if (v.n == 0 || v.n > 4 || (v.p[0] & 0x80)) return STATUS(INVALID);
	for (size_t i = 0; i < v.n; i++) n = n << 8 | (unsigned char)v.p[i];
	*out = (int32_t)n;
	return OK;
}

status rds_bind_read(struct str bytes, size_t *used, struct rds_bind *out)
{
	struct str message, body;
	unsigned char tag;
	size_t at = 0, in = 0, field = 0;
	int32_t version;
	*out = (struct rds_bind){0};
	TRY(element(bytes, &at, &tag, &message));
	if (tag != SEQUENCE) return STATUS(INVALID);
	TRY(number(message, &in, &out->id));
	if (!is_ok(element(message, &in, &tag, &body))) return STATUS(INVALID);
	*used = at;
	if (tag != BIND_REQUEST) return OK;
	TRY(number(body, &field, &version));
	if (version != VERSION) return STATUS(INVALID);
	TRY(part(body, &field, OCTETS, &out->name));
	TRY(part(body, &field, SIMPLE, &out->password));
	out->asks = true;
	return OK;
}

static void put(struct buf *b, unsigned char tag, struct str content)
{
	buf_byte(b, (char)tag);
	if (content.n >= 0x80) {
		buf_byte(b, (char)0x82);
		buf_byte(b, (char)(content.n >> 8));
	}
	buf_byte(b, (char)content.n);
	buf_str(b, content);
}

struct str rds_bind_answer(struct arena *a, int32_t id, bool good, struct str why)
{
	struct buf body = BUF_IN(a), message = BUF_IN(a), whole = BUF_IN(a);
	char code = good ? SUCCESS : INVALID_CREDENTIALS;
	char digits[4] = {(char)(id >> 24), (char)(id >> 16), (char)(id >> 8), (char)id};
	put(&body, ENUMERATED, str_n(&code, 1));
	put(&body, OCTETS, STR(""));
	put(&body, OCTETS, str_sub(str_or(why, STR("")), 0, WHY_MAX));
	put(&message, INTEGER, str_n(digits, 4));
	put(&message, BIND_RESPONSE, buf_done(&body));
	put(&whole, SEQUENCE, buf_done(&message));
	return buf_done(&whole);
}
