/* CloudWatch Logs Insights' query language ("CloudWatch Logs Insights language query syntax"): fields, display, filter,
 * stats, sort, limit, parse, dedup, unnest, pattern, filterIndex, joined by |. Read into a list of commands, run over
 * rows. */
#pragma once
#include "services/logs/chunk.h"

enum ins_kind { INS_NUMBER, INS_STRING, INS_FIELD, INS_CALL, INS_BINARY, INS_NOT, INS_NEGATE, INS_LIKE, INS_IN };
struct ins_expr {
	enum ins_kind kind;
	char op;      /* + - * / % ^ = ! < > l g & | */
	bool negated; /* of LIKE and IN */
	double number;
	struct str text;               /* STRING, FIELD, CALL */
	void *regex;                   /* of LIKE; NULL: text is contained */
	struct ins_expr *first, *next; /* operands */
	size_t n;
};
struct ins_column {
	struct ins_expr *expr;
	struct str name; /* as it is shown */
	bool descending; /* of sort */
};
struct ins_columns {
	struct ins_column *v;
	size_t n, capacity;
};
struct ins_command {
	enum {
		INS_FIELDS,
		INS_DISPLAY,
		INS_FILTER,
		INS_STATS,
		INS_SORT,
		INS_LIMIT,
		INS_PARSE,
		INS_DEDUP,
		INS_UNNEST,
		INS_PATTERN,
	} kind;
	struct ins_columns columns, by; /* by: of stats */
	struct ins_expr *filter;
	uint64_t limit;
	/* parse */
	struct str glob;
	void *regex;
	struct logs_rec_names names;
};
struct ins_query {
	struct {
		struct ins_command *v;
		size_t n, capacity;
	} commands;
	struct {
		void **v;
		size_t n, capacity;
	} regexes;
};
/* INVALID: *why. End it with ins_end in any case. */
status ins_parse(struct arena *a, struct str text, struct ins_query **out, struct str *why) MUST_USE;
void ins_end(struct ins_query *q);

struct ins_pair {
	struct str name, value;
};
struct ins_row {
	const struct logs_event *event; /* NULL: of stats */
	struct str log, ptr;
	struct {
		struct ins_pair *v;
		size_t n, capacity;
	} pairs; /* what commands have named; the last counts */
	struct json_value *json;
	bool json_tried;
	int64_t now_ms; /* when the query runs */
};
struct ins_rows {
	struct ins_row *v;
	size_t n, capacity;
};
/* STR_NONE where the row has none. */
struct str ins_field(struct arena *a, struct ins_row *r, struct str name);
struct ins_value {
	bool has, numeric;
	double number;
	struct str text;
};
struct ins_value ins_eval(struct arena *a, struct ins_row *r, const struct ins_expr *e);
bool ins_true(struct ins_value v);
struct str ins_text(struct arena *a, struct ins_value v);
/* ── insights_value.c ── */
struct str ins_path(struct arena *a, struct json_value *v, struct str path);
struct str ins_path_in_pairs(struct arena *a, const struct ins_row *r, struct str name);
/* Functions of addresses and JSON; t: the arguments as text. False where the name is none of theirs. */
bool ins_special(struct arena *a, struct str name, const struct str *t, struct ins_value *out);
/* ── insights_pattern.c ── Rows of @pattern, @ratio, @sampleCount and @severityLabel instead of those given. */
void ins_patterns(struct arena *a, struct ins_rows *rows, const struct ins_expr *of);

bool ins_regex_matches(const void *regex, struct str s);
/* Runs the commands; out: what is shown, as API rows. default_limit: where no command says. */
void ins_run(struct arena *a, const struct ins_query *q, struct ins_rows *rows, size_t default_limit,
	struct logs_query_results *out, double *matched);
