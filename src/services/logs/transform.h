/* Log transformers: processors that make a structured event of what was logged ("Transform logs during ingestion").
 * What they made lies beside the original (chunk.h); Insights, and those filters that ask for it, see it in its place.
 */
#pragma once
#include "base/json.h"
#include "services/logs/room.h"

/* ── transform_tree.c ── a JSON value that grows and shrinks; paths as a.b[0].c or a.0.c. */
struct json_value *logs_tree_get(struct json_value *root, struct str path);
/* Makes the objects on the way. False where something there is no object, or the place is taken and not to be
 * overwritten. */
bool logs_tree_put(struct arena *a, struct json_value *root, struct str path, struct json_value *v, bool overwrite);
/* Takes it out; NULL where it is not there. */
struct json_value *logs_tree_take(struct json_value *root, struct str path);
struct json_value *logs_tree_object(struct arena *a);
struct json_value *logs_tree_text(struct arena *a, struct str text);
void logs_tree_append(struct json_value *list, struct json_value *v);

/* ── transform_grok.c ── A grok pattern as a regular expression; names of its groups are n0, n1, … and stand for
 * fields[i]. INVALID: *why. */
struct logs_grok_pattern {
	void *regex;
	struct str *fields;
	size_t n, capacity;
};
status logs_grok_read(struct arena *a, struct str text, struct logs_grok_pattern *out, struct str *why) MUST_USE;
void logs_grok_end(struct logs_grok_pattern *g);

/* ── transform.c ── */
struct logs_transformer;
/* INVALID: *why. LIMIT: a processor that is not built; *why names it. End it with logs_transformer_end in any case. */
status logs_transformer_read(
	struct arena *a, const struct logs_processors *p, struct logs_transformer **out, struct str *why) MUST_USE;
void logs_transformer_end(struct logs_transformer *t);
/* What the processors know beside the message. */
struct logs_origin {
	struct str account, region, group, stream;
};
/* The event as JSON; STR_NONE where it could not be parsed. */
struct str logs_transform(
	const struct logs_transformer *t, struct arena *a, const struct logs_origin *o, struct str message);
