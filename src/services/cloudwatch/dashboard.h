/* Dashboards in the store. They are the account's, in every region. */
#pragma once
#include "services/cloudwatch/room.h"

/* NOT_FOUND. */
status cw_dashboard_get(struct call *c, struct str name, struct cloudwatch_rec_dashboard *out) MUST_USE;
void cw_dashboard_put(struct call *c, const struct cloudwatch_rec_dashboard *d);
