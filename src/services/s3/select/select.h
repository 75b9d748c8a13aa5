/* S3 Select: a statement of its SQL, read once and run over records ("SQL reference for Amazon S3 Select", Amazon S3
 * User Guide). Pure but for memory: a statement, its nodes and literals live in the arena they were read into; a value
 * that is computed lives in the arena of the record (struct sel_row.arena), which the caller empties between records.
 *
 * Values are typed as the reference tells: MISSING is what a path does not find, NULL what is null. What comes from CSV
 * is text, and counts as a number beside a number. Decimals are doubles. */
#pragma once
#include "base/json.h"
#include "base/vec.h"

enum sel_type {
	SEL_MISSING,
	SEL_NULL,
	SEL_BOOL,
	SEL_INT,
	SEL_FLOAT,
	SEL_STRING,
	SEL_TIME,
	SEL_JSON /* list, struct */
};
enum sel_precision { SEL_YEAR, SEL_MONTH, SEL_DAY, SEL_MINUTE, SEL_SECOND };
struct sel_time {
	int64_t us; /* since 1970, UTC */
	int32_t offset_min;
	bool offset_unknown; /* -00:00 */
	enum sel_precision precision;
	uint8_t digits; /* of the fraction */
};
struct sel_value {
	enum sel_type type;
	bool truth;
	int64_t i;
	double f;
	struct str s;
	struct sel_time time;
	const struct json_value *json;
};

/* Why a statement or a record is refused: AWS's code ("List of SELECT Object Content Error Codes") and a sentence. */
struct sel_error {
	struct str code;
	struct str message;
};

enum sel_op {
	SEL_LITERAL,
	SEL_PATH,
	SEL_NOT,
	SEL_AND,
	SEL_OR,
	SEL_EQ,
	SEL_NE,
	SEL_LT,
	SEL_LE,
	SEL_GT,
	SEL_GE,
	SEL_ADD,
	SEL_SUB,
	SEL_MUL,
	SEL_DIV,
	SEL_MOD,
	SEL_NEGATE,
	SEL_CONCAT,
	SEL_BETWEEN, /* value, low, high */
	SEL_IN,      /* value, then the list */
	SEL_LIKE,    /* text, pattern, escape or none */
	SEL_IS_NULL,
	SEL_IS_MISSING,
	SEL_CASE, /* [operand if simple], pairs of when and then, [else]; see simple and has_else */
	SEL_CAST,
	SEL_CALL,
	SEL_AGGREGATE, /* one argument, or none: COUNT(*) */
};
enum sel_function {
	SEL_F_COALESCE,
	SEL_F_NULLIF,
	SEL_F_CHAR_LENGTH,
	SEL_F_LOWER,
	SEL_F_UPPER,
	SEL_F_SUBSTRING,
	SEL_F_TRIM,     /* text, characters; part tells the side */
	SEL_F_DATE_ADD, /* part */
	SEL_F_DATE_DIFF,
	SEL_F_EXTRACT,
	SEL_F_TO_STRING,
	SEL_F_TO_TIMESTAMP,
	SEL_F_UTCNOW,
	SEL_F_AVG,
	SEL_F_COUNT,
	SEL_F_MAX,
	SEL_F_MIN,
	SEL_F_SUM,
};
enum sel_part {
	SEL_P_YEAR,
	SEL_P_MONTH,
	SEL_P_DAY,
	SEL_P_HOUR,
	SEL_P_MINUTE,
	SEL_P_SECOND,
	SEL_P_TIMEZONE_HOUR,
	SEL_P_TIMEZONE_MINUTE,
	SEL_P_LEADING,
	SEL_P_TRAILING,
	SEL_P_BOTH,
};
struct sel_step {
	enum { SEL_STEP_NAME, SEL_STEP_INDEX, SEL_STEP_ALL } kind;
	struct str name;
	bool quoted; /* "Name": its case counts */
	uint32_t index;
};
struct sel_steps {
	struct sel_step *v;
	size_t n;
};
struct sel_node {
	enum sel_op op;
	enum sel_function function;
	enum sel_part part;
	enum sel_type cast;
	bool negated, simple, has_else;
	struct sel_node **v;
	size_t n;
	struct sel_value literal;
	struct sel_steps path; /* without the alias; empty: the row itself */
	size_t slot;           /* of an aggregate */
	unsigned height;       /* of the tree below; limited, as evaluation is recursive */
};
struct sel_column {
	struct sel_node *node;
	struct str name; /* given by AS, or the path's last name; STR_NONE: _1, _2, … */
};
struct sel_statement {
	bool star;
	struct {
		struct sel_column *v;
		size_t n;
	} columns;
	struct sel_steps from; /* below S3Object */
	struct str alias;
	struct sel_node *where; /* or NULL */
	bool limited;
	uint64_t limit;
	struct {
		struct sel_node **v;
		size_t n;
	} aggregates;
};
enum { SEL_EXPRESSION_MAX = 256 * 1024, SEL_DEPTH_MAX = 300, SEL_HEIGHT_MAX = 1000 };
/* FAILED: *why tells. */
status sel_parse(struct arena *a, struct str text, struct sel_statement *out, struct sel_error *why) MUST_USE;

/* A record. CSV: fields, with names where there is a header; JSON: a value. */
struct sel_row {
	struct arena *arena;
	const struct str *fields;
	size_t n_fields;
	const struct str *names;
	size_t n_names;
	const struct json_value *json;
	int64_t now_ms;
	const struct sel_value *totals; /* of aggregates, once all records are seen; else NULL */
};
status sel_eval(struct sel_row *row, const struct sel_node *n, struct sel_value *out, struct sel_error *why) MUST_USE;
/* Where the row makes WHERE true. */
status sel_matches(struct sel_row *row, const struct sel_statement *s, bool *out, struct sel_error *why) MUST_USE;

/* Running totals, one for each of the statement's aggregates; zeroed to begin with. */
struct sel_total {
	struct sel_value best; /* MIN, MAX: the best so far; SUM, AVG: the sum */
	bool any;
	int64_t count;
	struct buf text; /* heap: what best's text lies in */
};
status sel_count(
	struct sel_row *row, const struct sel_statement *s, struct sel_total *totals, struct sel_error *why) MUST_USE;
void sel_total_value(const struct sel_node *n, const struct sel_total *t, struct sel_value *out);

/* The rows that FROM's path finds in one JSON value, in order: fn is called with each. */
status sel_from(const struct sel_steps *from, const struct json_value *v,
	status (*fn)(void *ctx, const struct json_value *row), void *ctx) MUST_USE;

/* ── values (value.c) ── */
struct sel_value sel_of_json(const struct json_value *v);
/* A number that text says; false where it says none. */
bool sel_number(struct str text, struct sel_value *out);
/* As it is written into CSV; JSON values as JSON. MISSING and NULL: empty. */
void sel_write_text(struct buf *b, const struct sel_value *v);
void sel_write_json(struct buf *b, const struct sel_value *v);
/* -1, 0, 1; false where they cannot be compared. */
bool sel_compare(const struct sel_value *x, const struct sel_value *y, int *out);
status sel_cast(struct arena *a, const struct sel_value *v, enum sel_type to, struct sel_value *out,
	struct sel_error *why) MUST_USE;
status sel_fail(struct sel_error *why, const char *code, const char *message);

/* ── timestamps (timestamp.c) ── */
bool sel_time_read(struct str text, struct sel_time *out);
void sel_time_write(struct buf *b, const struct sel_time *t);
/* TO_STRING's pattern; false where it is none. */
bool sel_time_format(struct buf *b, const struct sel_time *t, struct str pattern);
/* TO_STRING's pattern read backwards: TO_TIMESTAMP's second argument is the same language. */
int64_t sel_time_part(const struct sel_time *t, enum sel_part part);
bool sel_time_add(struct sel_time *t, enum sel_part part, int64_t quantity);
int64_t sel_time_difference(const struct sel_time *from, const struct sel_time *to, enum sel_part part);
/* Days since 1970 of a civil date (proleptic Gregorian), and back. */
int64_t sel_days(int64_t year, unsigned month, unsigned day);
void sel_civil(int64_t days, int64_t *year, unsigned *month, unsigned *day);
