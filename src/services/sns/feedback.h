/* Telling what became of deliveries. */
#pragma once
#include "services/sns/room.h"

struct sns_outcome {
	const struct sns_rec_message *message;
	bool good;
	unsigned status_code;
	int attempts;
	struct str response; /* the endpoint's, as the log repeats it */
};
/* Counts the delivery, and writes a job that logs it where the topic has a role for that. */
void sns_outcome(struct sns *s, struct store_tx *tx, struct arena *a, const struct sns_rec_topic *t,
	const struct sns_rec_subscription *to, const struct sns_outcome *o);
/* HTTPSuccessFeedbackRoleArn, SQSSuccessFeedbackSampleRate, … */
bool sns_feedback_attribute(struct str name);
void sns_feedback_start(struct sns *s);
