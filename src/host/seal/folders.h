/* Sealed folders: a folder below the data folder whose files lie in a sealed file beside it, FOLDER.sealed: an ext4,
 * read through a sealer and mounted on the folder, where the host sees it, as what stands on it (machines, engines,
 * virga) is of several namespaces. It holds one folder, "files", and nothing else: who opens FOLDER/files while nothing
 * is mounted finds nothing, and writes nothing in plain.
 *
 * The mount outlives the agent and virga; the next finds it by asking whether something is mounted there. Inside host/
 * only. */
#pragma once
#include "host/agent.h"

struct compute;
/* HOST_OP_FOLDER; see host.h. */
void folders_on(struct agent *g, struct agent_request *r);
/* Unmounts all of the installation. */
void folders_clear(struct compute *c);
