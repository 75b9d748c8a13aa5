/* DynamoDB's numbers: decimal, up to 38 significant digits, exact, magnitudes from 1E-130 to 9.99…E+125 ("Data types:
 * Number"). One form serves storing, keys and comparing: bytes whose memcmp order is the numbers' order and of which
 * each number has exactly one.
 *
 *   class     0x40 negative, 0x80 zero (then nothing follows), 0xc0 positive
 *   exponent  one byte: e + 129 for 0.d1d2… × 10^e; complemented for negative numbers
 *   digits    two in a byte: 1 + the pair; 101 - the pair for negative numbers
 *   end       0x00; 0xff for negative numbers */
#pragma once
#include "base/buf.h"

#define NUMBER_DIGITS 38
#define NUMBER_BYTES_MAX 22

enum number_result { NUMBER_OK, NUMBER_SYNTAX, NUMBER_DIGITS_EXCEEDED, NUMBER_OVERFLOW, NUMBER_UNDERFLOW };

/* The result, or what keeps the text from being a number. *out lives in the arena. */
enum number_result ddb_number_read(struct arena *a, struct str text, struct str *out);
/* As DynamoDB writes numbers: without exponent, without superfluous zeros. */
void ddb_number_write(struct buf *b, struct str number);
/* x + y, or x - y. */
enum number_result ddb_number_add(struct arena *a, struct str x, struct str y, bool subtract, struct str *out);
/* Whole part, toward zero; false where it is past int64_t. */
bool ddb_number_to_i64(struct str number, int64_t *out);
struct str ddb_number_from_i64(struct arena *a, int64_t v);
/* "Item sizes and formats": (significant digits / 2) + 1, and one more for a sign. */
size_t ddb_number_size(struct str number);
/* AWS's sentence for a failure; text: what the client sent. STR_NONE for NUMBER_OK. */
struct str ddb_number_problem(struct arena *a, enum number_result r, struct str text);
/* Are these the bytes of a number? For stored ones. */
bool ddb_number_valid(struct str number);
