/* Filter patterns ("Filter pattern syntax for metric filters, subscription filters, and filter log events"): terms,
 * JSON selectors, space-delimited fields, and %regular expressions%. Read once, held against any number of messages. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct logs_pattern;
/* In `a`; ends with logs_pattern_end (regular expressions are the library's). INVALID: *why. */
status logs_pattern_read(struct arena *a, struct str text, struct logs_pattern **out, struct str *why) MUST_USE;
void logs_pattern_end(struct logs_pattern *p);
/* What every message that passes holds somewhere; STR_NONE where there is no such text. */
struct str logs_pattern_literal(const struct logs_pattern *p);
bool logs_pattern_all(const struct logs_pattern *p); /* the empty one */
bool logs_pattern_passes(const struct logs_pattern *p, struct arena *scratch, struct str message);
/* "$.a.b" of a JSON message, "$name" of a space-delimited one; STR_NONE. */
struct str logs_pattern_value(const struct logs_pattern *p, struct arena *a, struct str message, struct str selector);
/* What TestMetricFilter tells: each selector or field of the pattern with what it has found. */
struct logs_pattern_found {
	struct str name, value;
};
struct logs_pattern_values {
	struct logs_pattern_found *v;
	size_t n, capacity;
};
void logs_pattern_extract(
	const struct logs_pattern *p, struct arena *a, struct str message, struct logs_pattern_values *out);
