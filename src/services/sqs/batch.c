/* What all batch operations check, and how one entry's failure is told. */
#include "services/sqs/sqs_internal.h"

status sqs_check_batch(struct call *c, size_t n, const char *entry_type)
{
	if (n == 0)
		return call_fail(
			c, SQS_ERR_EMPTY_BATCH_REQUEST, "There should be at least one %s in the request.", entry_type);
	if (n > BATCH_MAX)
		return call_fail(c, SQS_ERR_TOO_MANY_ENTRIES_IN_BATCH_REQUEST,
			"Maximum number of entries per request are %d. You have sent %zu.", BATCH_MAX, n);
	return OK;
}

static bool legal_id(struct str id)
{
	if (id.n < 1 || id.n > 80) return false;
	for (size_t i = 0; i < id.n; i++) {
		char ch = id.p[i];
		if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '-' ||
			    ch == '_'))
			return false;
	}
	return true;
}

status sqs_check_batch_ids(struct call *c, const struct str *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!legal_id(ids[i]))
			return call_fail(c, SQS_ERR_INVALID_BATCH_ENTRY_ID,
				"A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
				"It can be at most 80 "
				"letters long.");
		for (size_t k = 0; k < i; k++)
			if (str_eq(ids[i], ids[k]))
				return call_fail(
					c, SQS_ERR_BATCH_ENTRY_IDS_NOT_DISTINCT, "Id %.*s repeated.", STR_ARG(ids[i]));
	}
	return OK;
}

void sqs_batch_failure(
	struct call *c, struct str id, struct sqs_batch_result_error_entry_list *failed, size_t *capacity)
{
	unsigned http_status;
	struct sqs_batch_result_error_entry *e = VEC_PUSH(c->arena, failed, capacity);
	e->id = id;
	e->code = wire_error_code(&c->match, c->failure.id, &http_status);
	e->message = c->failure.message;
	e->sender_fault = SOME_BOOL(http_status < 500);
	c->failure = (struct wire_failure){0};
}
