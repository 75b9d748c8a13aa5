/* DNS messages, as much as a VPC's resolver needs: one question read, one answer written. Pure functions. RFC 1035. */
#pragma once
#include "base/buf.h"

enum { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_ANY = 255 };
enum {
	DNS_OK = 0,
	DNS_FORMAT_ERROR = 1,
	DNS_SERVER_FAILURE = 2,
	DNS_NO_SUCH_NAME = 3,
	DNS_NOT_IMPLEMENTED = 4,
	DNS_REFUSED = 5
};
struct dns_question {
	uint16_t id, type, class_;
	bool recursion;
	struct str name; /* lower case, without the final dot; in the arena */
	struct str raw;  /* the question as it was sent: name, type, class */
};
struct dns_answer {
	uint16_t type;
	uint32_t ttl_s;
	struct str data; /* A: 4 bytes, AAAA: 16, PTR: a name */
};
struct dns_answers {
	struct dns_answer *v;
	size_t n;
};
/* INVALID: not even a header, or an answer: say nothing. LIMIT: a query that cannot be understood; out->id is right. */
status dns_read(struct arena *a, struct str packet, struct dns_question *out) MUST_USE;
/* What does not fit into 512 bytes is left out, and the message says so (TC). */
struct str dns_write(struct arena *a, const struct dns_question *q, unsigned code, const struct dns_answers *answers);
