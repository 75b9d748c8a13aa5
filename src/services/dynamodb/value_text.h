/* Attribute values as text outside the API: DynamoDB JSON, as exports write and imports read it, and Ion ("DynamoDB table
 * export output format"). */
#pragma once
#include "base/json.h"
#include "services/dynamodb/value.h"

/* {"S":"…"}; an item: {"name":{"S":"…"},…}. */
void ddb_json_value(struct buf *b, const struct value *v);
void ddb_json_item(struct buf *b, const struct value *item);
/* The item of a parsed {"name":{"S":"…"},…}; false: *why says what is wrong. */
bool ddb_json_read(struct arena *a, const struct json_value *in, struct value *item, struct str *why);
void ddb_ion_value(struct buf *b, const struct value *v);
void ddb_ion_item(struct buf *b, const struct value *item);
