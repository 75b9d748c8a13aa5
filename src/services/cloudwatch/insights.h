/* Contributor Insights, for the services that bring rules of their own ("managed rules": DynamoDB's): who contributes
 * most to something. A rule is a record; what contributes is counted in memory by rule and minute, and written once a
 * minute and at the end, as notes are (metrics.h): counting costs no commit, and a crash loses the last minute's. */
#pragma once
#include "call/call.h"

enum { INSIGHT_KEYS_MAX = 4 };
struct insight_rule {
	struct str account, region, name;
	struct str labels[INSIGHT_KEYS_MAX]; /* of the contributors' keys: attributes' names */
	size_t n_labels;
	struct str definition; /* JSON, as DescribeInsightRules tells it */
};
/* Makes the rule, or replaces it; with tx's commit. */
void insights_rule_put(struct store_tx *tx, struct arena *a, const struct insight_rule *r, int64_t now_ms);
/* With what was counted for it, which goes within the hour. One that is not there is fine. */
void insights_rule_drop(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str name);
/* keys: as many as the rule's labels. What is noted for a rule that is not there goes unheard. Any thread. */
void insights_note(struct cloud *cloud, struct str account, struct str region, struct str rule, const struct str *keys,
	size_t n_keys, double value, int64_t at_ms);
