/* Inside CloudWatch: Contributor Insights' rules, their minutes and reports. Keys:
 *
 *     ("cloudwatch", "insight-rule", account, region, name)                    record insight_rule
 *     ("cloudwatch", "insight", account, region, name, minute, two numbers)   record insight_minute: a part of the
 * minute */
#pragma once
#include "services/cloudwatch/insights.h"
#include "services/cloudwatch/room.h"

struct str cw_insight_rule_key(struct arena *a, struct str account, struct str region, struct str name);
struct str cw_insight_minutes_key(struct arena *a, struct str account, struct str region, struct str name);

struct cw_insights;
struct cw_insights *cw_insights_new(struct cloud *cloud);
/* Writes what was counted; drops what has become old. */
void cw_insights_flush(struct cw_insights *x, int64_t now_ms);
void cw_insights_reset(struct cw_insights *x);
/* Writes what was counted. */
void cw_insights_free(struct cw_insights *x);
/* collect.c: the collector's; NULL where CloudWatch does not run. */
struct cw_insights *cw_insights_of(struct cloud *cloud);
