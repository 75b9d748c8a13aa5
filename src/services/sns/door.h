/* The door by which other services publish: S3's events, CloudTrail's deliveries, alarms. */
#pragma once
#include "call/call.h"

struct sns_publication {
	struct str topic_arn, message, subject; /* subject may be STR_NONE */
	struct str service;                     /* who publishes: s3.amazonaws.com */
	struct str source_arn, source_account;  /* aws:SourceArn, aws:SourceAccount of the topic's policy */
	/* The service publishes by a role of source_account (a service-linked one, or one that it was given): a topic of
	 * that account needs no policy for it. */
	bool by_role;
	struct str source_owner;                /* aws:SourceOwner, where the service acts for it (alarms); else STR_NONE */
};
/* OK: the topic takes it. NOT_FOUND: there is no such topic. LIMIT: it is a FIFO topic, which takes no such messages.
 * INVALID: its policy does not let the service publish. */
status sns_publication_check(
	struct cloud *cloud, struct store_tx *tx, struct arena *a, const struct sns_publication *p) MUST_USE;
/* Checks, and publishes with tx's commit; jobs_poke after it delivers at once. */
status sns_publish_in(
	struct cloud *cloud, struct store_tx *tx, struct arena *a, const struct sns_publication *p) MUST_USE;
/* The certificate, PEM, of what signs notifications; STR_NONE where nothing was signed yet. */
struct str sns_certificate(struct cloud *cloud, struct arena *a);
