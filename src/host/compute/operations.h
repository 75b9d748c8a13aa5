/* compute's handlers, one line each. Inside compute/ only. */
#pragma once
#include "host/agent.h"

void machine_on_start(struct agent *g, struct agent_request *r);
void machine_on_stop(struct agent *g, struct agent_request *r);
void machine_on_reboot(struct agent *g, struct agent_request *r);
void machine_on_list(struct agent *g, struct agent_request *r);
void machine_on_pause(struct agent *g, struct agent_request *r);
void machine_on_keys(struct agent *g, struct agent_request *r);
void machine_on_nics(struct agent *g, struct agent_request *r);
void machine_on_exec(struct agent *g, struct agent_request *r);
void volume_on_attach(struct agent *g, struct agent_request *r);
void volume_on_detach(struct agent *g, struct agent_request *r);
void volume_on_changed(struct agent *g, struct agent_request *r);
void image_on_list(struct agent *g, struct agent_request *r);
void image_on_import(struct agent *g, struct agent_request *r);
void image_on_remove(struct agent *g, struct agent_request *r);

/* At the end of one that holds keys. */
void request_wipe(struct agent_request *r);
/* "key length\n…\n" of the configuration; control.h. */
struct buf;
struct compute_rec_nics;
void write_nics(struct buf *b, const struct compute_rec_nics *nics);
bool nics_valid(const struct compute_rec_nics *nics);
/* Runs fn in a child with root's privileges, and answers with what it returns and says: for what takes long. fn may not
 * touch the agent. */
void answer_from_child(
	struct agent *g, uint64_t id, status (*fn)(void *ctx, struct arena *a, struct str *why), void *ctx);
