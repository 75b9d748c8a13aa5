/* What Parameter Store tells the bus, in the transaction that causes it (BUS_COMMITTING). */
#pragma once
#include "base/str.h"

/* "Parameter Store Change": operation is Create, Update, Delete or LabelParameterVersion. */
#define SSM_EVENT_CHANGE "ssm.parameter.change"
struct ssm_change_event {
	struct str arn, name, type, operation, label; /* label: STR_NONE but for labels */
};
/* "Parameter Store Policy Action": an Expiration, ExpirationNotification or NoChangeNotification came due. */
#define SSM_EVENT_POLICY "ssm.parameter.policy"
struct ssm_policy_event {
	struct str arn, name, type, policy_type, policy_text;
};
