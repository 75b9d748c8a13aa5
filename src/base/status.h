/* The one result type. A function that can fail returns `status` and is MUST_USE; a plain int cannot stand in
 * for it. STATUS_FAILED means that the client's error was recorded with call_fail(); STATUS_PENDING that the call
 * will be completed later (call_complete()). Everything else is for the caller to translate: rooms below `call`
 * know nothing of AWS's error codes. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum status_code {
	STATUS_OK = 0,
	STATUS_FAILED,    /* a client's error, recorded in the call */
	STATUS_PENDING,   /* accepted; completed later */
	STATUS_NOT_FOUND, /* no such key, file, entry */
	STATUS_CONFLICT,  /* an optimistic transaction lost; run it again */
	STATUS_INVALID,   /* bytes that do not follow their grammar */
	STATUS_LIMIT,     /* a stated limit is passed */
	STATUS_IO,        /* the machine refused; errno is logged where it happened */
	STATUS_CORRUPT,   /* stored bytes fail their checksum or their codec */
	STATUS_BUSY,      /* somebody else holds it (data folder lock, port) */
};

typedef struct status {
	enum status_code code;
} status;

#define OK ((status){STATUS_OK})
#define STATUS(c) ((status){STATUS_##c})
#define MUST_USE __attribute__((warn_unused_result))

static inline bool is_ok(status s) { return s.code == STATUS_OK; }
static inline bool status_is(status s, enum status_code c) { return s.code == c; }

/* Short English name, for logs. */
const char *status_name(status s);

/* Return from the calling function unless `expr` is OK. */
#define TRY(expr)                                                                                                      \
	do {                                                                                                           \
		status try_status_ = (expr);                                                                           \
		if (!is_ok(try_status_)) return try_status_;                                                           \
	} while (0)

/* The impossible: a broken invariant of our own. Never for input. Stays in release builds. */
_Noreturn void base_panic(const char *file, int line, const char *what);
#define INVARIANT(cond) ((cond) ? (void)0 : base_panic(__FILE__, __LINE__, #cond))
#define UNREACHABLE() base_panic(__FILE__, __LINE__, "unreachable")
