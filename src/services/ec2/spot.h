/* Spot requests, between their files. */
#pragma once
#include "services/ec2/instance.h"

/* ── spot.c ── */
void ec2_spot_mark(
	struct ec2_rec_spot_request *r, const char *state, const char *code, const char *message, int64_t now_ms);
void ec2_spot_put(struct call *c, const struct ec2_rec_spot_request *r);

/* ── spot_interrupt.c ── */
/* Announces that it ends in two minutes, as its request says; saves it. FAILED: it is no Spot Instance, or it is told
 * already. */
status ec2_spot_interrupt(struct call *c, struct ec2_rec_instance *i) MUST_USE;
/* The request is fulfilled at that time: its instance starts again, or another is launched. r is the caller's to save.
 */
void ec2_spot_try_again(struct call *c, struct ec2_rec_spot_request *r, int64_t at_ms);
#define EC2_JOB_SPOT "ec2.spot"
status ec2_spot_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);
