/* Items in Ion text ("Amazon Ion 1.0 Specification"; "Amazon S3 import formats for DynamoDB"): what an import takes, and
 * what value_text.h writes. */
#pragma once
#include "services/dynamodb/value.h"

/* "$ion_1_0 {Item:{…}}", the version marker being optional. The bytes are a client's own. Strings are S, decimals,
 * integers and floats N, booleans BOOL, blobs B, lists L, structs M, nulls NULL, and lists annotated $dynamodb_SS,
 * $dynamodb_NS or $dynamodb_BS sets. Symbols, timestamps, clobs and s-expressions are no values of DynamoDB's: false,
 * as for all that is not Ion. */
bool ddb_ion_read(struct arena *a, struct str line, struct value *item);
