/* Transactions, however they are asked for: TransactWriteItems or PartiQL's ExecuteTransaction. */
#pragma once
#include "services/dynamodb/service.h"

struct transaction {
	struct mutation *v;
	struct str *on_failure;   /* ReturnValuesOnConditionCheckFailure of each */
	struct refusal *refusals; /* known before: what is wrong with an item or key; id 0: nothing */
	size_t n;
};
/* Runs all, or records TransactionCanceledException with a reason for each. Charges twice each item's units. */
status ddb_transact(struct work *w, struct transaction *t) MUST_USE;
/* The same request was done with this token within ten minutes: *done. FAILED (IdempotentParameterMismatchException)
 * where it was another one. Otherwise the token is noted in this transaction. */
status ddb_transact_token(struct work *w, struct str token, uint64_t digest, bool *done) MUST_USE;
/* ConsumedCapacity per table, of all mutations; reads: as a repeated request is told. */
void ddb_transact_consumed(struct work *w, struct str wanted, const struct transaction *t, bool reads,
	struct dynamodb_consumed_capacity_multiple *out);
uint64_t ddb_digest(uint64_t seed, struct str s);
uint64_t ddb_digest_value(uint64_t seed, const struct value *v);
