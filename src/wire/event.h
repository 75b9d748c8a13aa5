/* Messages of event streams, as "application/vnd.amazon.eventstream" carries them (Amazon Transcribe Developer Guide,
 * "Event stream encoding"): a prelude of two lengths with its CRC, headers, a payload, the message's CRC; all numbers
 * big endian. Pure. */
#pragma once
#include "base/buf.h"
#include "wire/wire.h"

/* Appends one message. Headers are strings (type 7); a name has at most 255 bytes, a value 32767. */
void wire_event_write(struct buf *b, const struct wire_header *headers, size_t n, struct str payload);

enum { WIRE_EVENT_HEADERS = 16 };
struct wire_event {
	struct wire_header headers[WIRE_EVENT_HEADERS]; /* those that are strings */
	size_t n_headers;
	struct str payload;
};
/* Reads one message off *rest; what it tells points into it. LIMIT: more bytes are needed; CORRUPT: a CRC is wrong;
 * INVALID: it is none. */
status wire_event_read(struct str *rest, struct wire_event *out) MUST_USE;
