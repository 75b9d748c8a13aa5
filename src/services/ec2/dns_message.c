/* DNS messages: see dns_message.h. Names in questions may not be compressed here: no resolver compresses a lone
 * question. */
#include "services/ec2/dns_message.h"

enum { HEADER = 12, NAME_MAX_BYTES = 255, LABEL_MAX = 63, UDP_MAX = 512, CLASS_IN = 1 };

static uint16_t u16(struct str s, size_t at)
{
	return (uint16_t)((unsigned char)s.p[at] << 8 | (unsigned char)s.p[at + 1]);
}

static void put16(struct buf *b, unsigned v)
{
	buf_byte(b, (char)(v >> 8));
	buf_byte(b, (char)v);
}

status dns_read(struct arena *a, struct str packet, struct dns_question *out)
{
	struct buf name = BUF_IN(a);
	size_t at = HEADER;
	*out = (struct dns_question){0};
	if (packet.n < HEADER || packet.p[2] & 0x80) return STATUS(INVALID);
	out->id = u16(packet, 0);
	out->recursion = packet.p[2] & 1;
	out->raw = STR("");
	if ((packet.p[2] & 0x78) != 0 || u16(packet, 4) != 1) return STATUS(LIMIT);
	for (;;) {
		if (at >= packet.n) return STATUS(LIMIT);
		size_t n = (unsigned char)packet.p[at++];
		if (n == 0) break;
		if (n > LABEL_MAX || at + n > packet.n || name.n + n + 1 > NAME_MAX_BYTES) return STATUS(LIMIT);
		if (name.n) buf_byte(&name, '.');
		for (size_t i = 0; i < n; i++) {
			char c = packet.p[at + i];
			buf_byte(&name, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
		}
		at += n;
	}
	if (at + 4 > packet.n) return STATUS(LIMIT);
	out->name = buf_done(&name);
	out->type = u16(packet, at);
	out->class_ = u16(packet, at + 2);
	out->raw = str_sub(packet, HEADER, at + 4 - HEADER);
	return out->class_ == CLASS_IN || out->class_ == 255 ? OK : STATUS(LIMIT);
}

static void put_name(struct buf *b, struct str name)
{
	while (str_has(name) && name.n) {
		struct str label = str_cut(&name, '.');
		size_t n = label.n > LABEL_MAX ? LABEL_MAX : label.n;
		buf_byte(b, (char)n);
		buf_add(b, label.p, n);
	}
	buf_byte(b, 0);
}

static struct str record_of(struct arena *a, const struct dns_answer *r)
{
	struct buf b = BUF_IN(a), data = BUF_IN(a);
	if (r->type == DNS_PTR)
		put_name(&data, r->data);
	else
		buf_str(&data, r->data);
	put16(&b, 0xc000 | HEADER); /* the question's name */
	put16(&b, r->type);
	put16(&b, CLASS_IN);
	put16(&b, r->ttl_s >> 16);
	put16(&b, r->ttl_s & 0xffff);
	put16(&b, (unsigned)data.n);
	buf_str(&b, buf_done(&data));
	return buf_done(&b);
}

struct str dns_write(struct arena *a, const struct dns_question *q, unsigned code, const struct dns_answers *answers)
{
	struct buf b = BUF_IN(a), records = BUF_IN(a);
	size_t n = 0;
	bool cut = false;
	for (size_t i = 0; i < answers->n && !cut; i++) {
		struct str r = record_of(a, &answers->v[i]);
		cut = HEADER + q->raw.n + records.n + r.n > UDP_MAX;
		if (cut) break;
		buf_str(&records, r);
		n++;
	}
	put16(&b, q->id);
	put16(&b, 0x8080u | (q->recursion ? 0x0100u : 0) | (cut ? 0x0200u : 0) | (code & 15));
	put16(&b, q->raw.n ? 1 : 0);
	put16(&b, (unsigned)n);
	put16(&b, 0);
	put16(&b, 0);
	buf_str(&b, q->raw);
	buf_str(&b, buf_done(&records));
	return buf_done(&b);
}
