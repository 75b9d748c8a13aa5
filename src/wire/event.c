/* Event stream messages, written and read. */
#include "wire/event.h"
#include "identity/digest.h"

enum { PRELUDE = 12, OVERHEAD = 16, MESSAGE_MAX = 24 * 1024 * 1024, STRING_TYPE = 7 };

static void put32(struct buf *b, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8) buf_byte(b, (char)(v >> shift));
}

static uint32_t get32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;
	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

void wire_event_write(struct buf *b, const struct wire_header *headers, size_t n, struct str payload)
{
	size_t start = b->n, length = 0;
	for (size_t i = 0; i < n; i++) {
		INVARIANT(headers[i].name.n <= 255 && headers[i].value.n <= INT16_MAX);
		length += 1 + headers[i].name.n + 3 + headers[i].value.n;
	}
	put32(b, (uint32_t)(OVERHEAD + length + payload.n));
	put32(b, (uint32_t)length);
	put32(b, digest_crc32(0, b->p + start, 8));
	for (size_t i = 0; i < n; i++) {
		buf_byte(b, (char)headers[i].name.n);
		buf_str(b, headers[i].name);
		buf_byte(b, STRING_TYPE);
		buf_byte(b, (char)(headers[i].value.n >> 8));
		buf_byte(b, (char)headers[i].value.n);
		buf_str(b, headers[i].value);
	}
	buf_str(b, payload);
	put32(b, digest_crc32(0, b->p + start, b->n - start));
}

/* Bytes of a value of that type without its length; -1: a length of two bytes comes before it; -2: there is no such
 * type. */
static int value_size(unsigned char type)
{
	static const signed char sizes[] = {0, 0, 1, 2, 4, 8, -1, -1, 8, 16};
	return type < sizeof sizes ? sizes[type] : -2;
}

static status read_header(struct str *rest, struct wire_event *out)
{
	if (rest->n < 1) return STATUS(INVALID);
	size_t name = (unsigned char)rest->p[0];
	if (name == 0 || rest->n < 1 + name + 1) return STATUS(INVALID);
	struct wire_header h = {.name = str_n(rest->p + 1, name)};
	unsigned char type = (unsigned char)rest->p[1 + name];
	*rest = str_from(*rest, name + 2);
	int fixed = value_size(type);
	size_t size = (size_t)fixed;
	if (fixed == -2) return STATUS(INVALID);
	if (fixed == -1) {
		if (rest->n < 2) return STATUS(INVALID);
		size = (size_t)((unsigned char)rest->p[0] << 8 | (unsigned char)rest->p[1]);
		*rest = str_from(*rest, 2);
	}
	if (rest->n < size) return STATUS(INVALID);
	h.value = str_n(rest->p, size);
	*rest = str_from(*rest, size);
	if (type == STRING_TYPE && out->n_headers < WIRE_EVENT_HEADERS) out->headers[out->n_headers++] = h;
	return OK;
}

status wire_event_read(struct str *rest, struct wire_event *out)
{
	*out = (struct wire_event){0};
	if (rest->n < PRELUDE) return STATUS(LIMIT);
	uint32_t total = get32(rest->p), headers = get32(rest->p + 4);
	if (digest_crc32(0, rest->p, 8) != get32(rest->p + 8)) return STATUS(CORRUPT);
	if (total < OVERHEAD || total > MESSAGE_MAX || headers > total - OVERHEAD) return STATUS(INVALID);
	if (rest->n < total) return STATUS(LIMIT);
	if (digest_crc32(0, rest->p, total - 4) != get32(rest->p + total - 4)) return STATUS(CORRUPT);
	struct str head = str_n(rest->p + PRELUDE, headers);
	while (head.n) TRY(read_header(&head, out));
	out->payload = str_n(rest->p + PRELUDE + headers, total - OVERHEAD - headers);
	*rest = str_from(*rest, total);
	return OK;
}
