/* Operations of other services asked for with JSON instead of typed structs, by the API's own names: what resource
 * handlers are written in. {"QueueName": "q", "Attributes": {…}} in, {"QueueUrl": "…"} out. */
#pragma once
#include "base/json.h"
#include "call/inside.h"

/* Both ways by members' names (not by the names on the wire; where only the case differs, that does); texts do for
 * numbers and booleans. *unknown: names of members that are left out because there is no such, or "". */
void *cfn_api_input(
	struct arena *a, const struct wire_tables *t, uint16_t shape, const struct json_value *v, struct str *unknown);
struct json_value *cfn_api_output(struct arena *a, const struct wire_tables *t, uint16_t shape, const void *v);

struct cfn_api_answer {
	bool ok;
	const struct json_value *out; /* an object, when ok */
	struct str code, message;     /* otherwise */
	unsigned http_status;
	struct str request_id;
};
/* NULL: no such service or operation. *input: the shape of what it takes. */
const struct wire_tables *cfn_api_tables(struct str service, struct str op, uint16_t *input);
/* Whether virga has that operation. */
bool cfn_api_built(struct str service, struct str op);
/* Fails where `in` has members that the operation does not. service: "sqs"; op: "CreateQueue", which has to be in its
 * model. Blocks; everything in `a`. */
void cfn_api(struct cloud *cloud, const struct inside_caller *who, struct arena *a, const char *service, const char *op,
	const struct json_value *in, struct cfn_api_answer *answer);
/* With the body of a streaming input. */
void cfn_api_body(struct cloud *cloud, const struct inside_caller *who, struct arena *a, const char *service,
	const char *op, const struct json_value *in, const struct str *body, struct cfn_api_answer *answer);
