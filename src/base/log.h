/* Structured logs: one line per event, JSON or text, to standard error. Fields are key=value pairs; values are escaped.
 * Never pass secrets: no secret keys, no session tokens, no signatures, no bodies. Thread-safe. */
#pragma once
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
enum log_format { LOG_TEXT, LOG_JSON };

/* At start only. The time comes from now_ms (wall clock ms since the epoch), so that logs follow the machine. */
void log_setup(enum log_level level, enum log_format format);
enum log_level log_level_from(struct str name, enum log_level otherwise);
bool log_on(enum log_level level);
/* fields is a printf format that makes "key=value key2=\"va lue\"" pairs; event is a short constant name. Words that
 * are no pair become the field "message". Quote what a client sent: a quote ends its value only before a space or the
 * end. In JSON an unquoted number of fewer than 12 digits, true and false keep their type (an account id has 12 and
 * stays text), all else is text. Writes one line with one write(2); errno is kept. */
void log_event(enum log_level level, const char *room, const char *event, const char *fields, ...)
	__attribute__((format(printf, 4, 5)));
#define log_debug(room, event, ...) (log_on(LOG_DEBUG) ? log_event(LOG_DEBUG, room, event, __VA_ARGS__) : (void)0)
#define log_info(room, event, ...) (log_on(LOG_INFO) ? log_event(LOG_INFO, room, event, __VA_ARGS__) : (void)0)
#define log_warn(room, event, ...) log_event(LOG_WARN, room, event, __VA_ARGS__)
#define log_error(room, event, ...) log_event(LOG_ERROR, room, event, __VA_ARGS__)
