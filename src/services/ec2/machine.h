/* The machine controller's door: what the compute half of EC2 wants of the host, wherever that is. Without a host (no
 * root) machines are simulated: instances change their states, and their StateReason, console and the log say that
 * nothing runs. All may be called by jobs and OP_BLOCKING handlers; what is asked of a machine that does not stand is
 * OK. */
#pragma once
#include "services/ec2/compute.h"

struct host;
bool ec2_machines_are_real(const struct cloud *cloud);
#define EC2_SIMULATED_CODE "Server.SimulatedCompute"
#define EC2_SIMULATED_TEXT "Compute is simulated: virga runs without root, so no machine stands behind this instance."

/* Holds all its processes still, with what they wrote on disk; or lets them go on. */
void ec2_machine_pause(struct cloud *cloud, struct arena *a, struct str instance, bool paused);
/* BUSY: not now (the device is in use inside): try again. FAILED: its key does not serve. */
status ec2_machine_attach(struct cloud *cloud, struct ec2_place at, struct str instance, const struct ec2_rec_volume *v,
	struct str device) MUST_USE;
status ec2_machine_detach(struct cloud *cloud, struct arena *a, struct str instance, struct str volume) MUST_USE;
/* After its file has grown, or its limits have changed. */
void ec2_machine_volume_changed(
	struct cloud *cloud, struct arena *a, struct str instance, const struct ec2_rec_volume *v, struct str device);

/* The job that brings an instance to what it shall be; see EC2_JOB_MACHINE. */
status ec2_machine_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);

/* The file of its console, below the data folder. */
struct str ec2_console_file(struct arena *a, struct str instance);
/* Whose an instance is, by its id alone: kept from its launch until it is forgotten. place: NOT_FOUND. */
void ec2_machine_index(struct ec2_place at, struct str id, bool there);
status ec2_machine_place(struct store_tx *tx, struct arena *a, struct str id, struct ec2_place *at) MUST_USE;
/* At start: all instances are looked at (after a reboot of the host they start again), and from then on those that the
 * host tells of. */
void ec2_machines_begin(struct cloud *cloud);
/* ── facts.c ── tells on the bus that the record has changed: "ec2.instance", see door.h. */
void ec2_instance_tell(struct call *c, const struct ec2_rec_instance *i);

/* ── monitor.c ── metrics of real instances, by a job that runs every minute */
void ec2_monitor_start(struct cloud *cloud);
void ec2_monitor_ready(struct cloud *cloud);
