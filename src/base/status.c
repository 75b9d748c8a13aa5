/* Names of the result codes, and the end of a process whose own invariant broke. */
#include "base/status.h"
#include <stdio.h>
#include <stdlib.h>

const char *status_name(status s)
{
	switch (s.code) {
	case STATUS_OK: return "ok";
	case STATUS_FAILED: return "failed";
	case STATUS_PENDING: return "pending";
	case STATUS_NOT_FOUND: return "not found";
	case STATUS_CONFLICT: return "conflict";
	case STATUS_INVALID: return "invalid";
	case STATUS_LIMIT: return "limit";
	case STATUS_IO: return "io";
	case STATUS_CORRUPT: return "corrupt";
	case STATUS_BUSY: return "busy";
	}
	return "unknown";
}

void base_panic(const char *file, int line, const char *what)
{
	fprintf(stderr, "virga: broken invariant at %s:%d: %s\n", file, line, what);
	abort();
}
