/* The named operations of bench_load on SQS and DynamoDB: bodies as templates, one line each.
 * A template is before + entry × batch, joined by commas, + after. In it $ is the operation's argument (queue URL or
 * table), ~ the payload, & a word of this run alone, ! the entry's index; these are filled in once. Per request: % is
 * the key (the number modulo -k), ^ the key's hundred and _ the rest of it, ? the number itself. */
#pragma once
#include "base/arena.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { PAYLOAD_BYTES = 100, ENTRY_MARK = 2 /* goes before each entry but the first; no byte of JSON */ };

struct operation {
	const char *name, *service, *target;
	unsigned batch;
	const char *before, *entry, *after;
};

#define SQS(op) "sqs", "AmazonSQS." op
#define DDB(op) "dynamodb", "DynamoDB_20120810." op
#define KEY "{\"pk\":{\"S\":\"p^\"},\"sk\":{\"N\":\"_\"}}"
#define ITEM "{\"pk\":{\"S\":\"p^\"},\"sk\":{\"N\":\"_\"},\"payload\":{\"S\":\"~\"},\"n\":{\"N\":\"1\"}}"
#define FIFO ",\"MessageGroupId\":\"g%\",\"MessageDeduplicationId\":\"&-?\""

/* Item n of a table is (p followed by n/100, n modulo 100): a partition holds 100 items. */
static const struct operation operations[] = {
	{"sqs-send", SQS("SendMessage"), 1, "", "{\"QueueUrl\":\"$\",\"MessageBody\":\"~\"}", ""},
	{"sqs-send-fifo", SQS("SendMessage"), 1, "", "{\"QueueUrl\":\"$\",\"MessageBody\":\"~\"" FIFO "}", ""},
	{"sqs-send-batch", SQS("SendMessageBatch"), 10, "{\"QueueUrl\":\"$\",\"Entries\":[",
		"{\"Id\":\"e!\",\"MessageBody\":\"~\"}", "]}"},
	{"sqs-send-batch-fifo", SQS("SendMessageBatch"), 10, "{\"QueueUrl\":\"$\",\"Entries\":[",
		"{\"Id\":\"e!\",\"MessageBody\":\"~\"" FIFO "}", "]}"},
	/* Goes on with DeleteMessage of what came; a pair is one request of the result. */
	{"sqs-receive-delete", SQS("ReceiveMessage"), 1, "", "{\"QueueUrl\":\"$\",\"MaxNumberOfMessages\":1}", ""},
	{"ddb-put", DDB("PutItem"), 1, "", "{\"TableName\":\"$\",\"Item\":" ITEM "}", ""},
	{"ddb-get", DDB("GetItem"), 1, "", "{\"TableName\":\"$\",\"Key\":" KEY "}", ""},
	{"ddb-update", DDB("UpdateItem"), 1, "",
		"{\"TableName\":\"$\",\"Key\":" KEY ",\"UpdateExpression\":\"SET n = n + :one\","
		"\"ExpressionAttributeValues\":{\":one\":{\"N\":\"1\"}}}",
		""},
	{"ddb-query", DDB("Query"), 1, "",
		"{\"TableName\":\"$\",\"KeyConditionExpression\":\"pk = :p\","
		"\"ExpressionAttributeValues\":{\":p\":{\"S\":\"p^\"}}}",
		""},
	{"ddb-batch-write", DDB("BatchWriteItem"), 25, "{\"RequestItems\":{\"$\":[",
		"{\"PutRequest\":{\"Item\":" ITEM "}}", "]}}"},
	{"ddb-transact", DDB("TransactWriteItems"), 10, "{\"TransactItems\":[",
		"{\"Put\":{\"TableName\":\"$\",\"Item\":" ITEM "}}", "]}"},
};
#undef SQS
#undef DDB
#undef KEY
#undef ITEM
#undef FIFO

static inline const struct operation *operation_find(const char *name)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		if (strcmp(operations[i].name, name) == 0) return &operations[i];
	return NULL;
}

static inline size_t operation_piece(
	char *out, const char *piece, const char *argument, const char *run, unsigned index)
{
	size_t n = 0;

	for (; *piece; piece++) {
		if (*piece == '$')
			n += (size_t)sprintf(out + n, "%s", argument);
		else if (*piece == '&')
			n += (size_t)sprintf(out + n, "%s", run);
		else if (*piece == '!')
			n += (size_t)sprintf(out + n, "%u", index);
		else if (*piece == '~') {
			memset(out + n, 'x', PAYLOAD_BYTES);
			n += PAYLOAD_BYTES;
		} else
			out[n++] = *piece;
	}
	return n;
}

/* The template of a request; the caller frees it. argument: at most 512 bytes, without the marks above (a queue URL's
 * or table's _ would be taken for one: NULL for it). run: at most 32 bytes. */
static inline char *operation_template(const struct operation *op, const char *argument, const char *run)
{
	if (strlen(argument) > 512 || strpbrk(argument, "%^_?~&!$\"\\")) return NULL;
	char *out = mem_new((op->batch + 2) * 1536);
	size_t n = operation_piece(out, op->before, argument, run, 0);

	for (unsigned i = 0; i < op->batch; i++) {
		if (i) {
			out[n++] = ',';
			out[n++] = ENTRY_MARK;
		}
		n += operation_piece(out + n, op->entry, argument, run, i);
	}
	n += operation_piece(out + n, op->after, argument, run, 0);
	out[n] = 0;
	return out;
}
