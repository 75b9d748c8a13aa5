/* The models' regular expressions, matched whole as AWS's services do (Java's matches()). Compiled once per process. */
#pragma once
#include "base/str.h"

/* `pattern` must live as long as the process (a table's pool). True also for a pattern that PCRE2 cannot compile: a
 * constraint that cannot be read refuses nothing. Any thread. */
bool wire_pattern_matches(struct str pattern, struct str text);
bool wire_pattern_readable(struct str pattern);
