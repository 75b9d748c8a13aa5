/* The one exchange of LDAP that a database server has with virga: a simple bind (RFC 4511, 4.2), which asks whether
 * this password is this user's. Pure. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

enum { RDS_BIND_MAX = 64 << 10 };
struct rds_bind {
	int32_t id;
	bool asks; /* false: an unbind, or another request that is not answered */
	struct str name, password;
};
/* The first message of bytes; *used: its length. NOT_FOUND: not yet whole; INVALID: it is none, or longer than
 * RDS_BIND_MAX. */
status rds_bind_read(struct str bytes, size_t *used, struct rds_bind *out) MUST_USE;
/* why: what the server writes into its log. */
struct str rds_bind_answer(struct arena *a, int32_t id, bool good, struct str why);
