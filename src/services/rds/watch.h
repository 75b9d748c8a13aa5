/* What runs for RDS between jobs: one thread that looks after the servers and carries connections from this machine's
 * loopback to publicly accessible instances. */
#pragma once
#include "services/rds/room.h"

struct rds;
struct rds *rds_of(struct cloud *cloud);
status rds_start(struct cloud *cloud, struct rds **out) MUST_USE;
void rds_stop(struct rds *s);
/* What answers the servers' questions about tokens: auth.h. */
struct rds_auth *rds_auth_of(struct cloud *cloud);
/* Around the making of the template. */
void rds_lock(struct rds *s);
void rds_unlock(struct rds *s);
/* Whoever has a sealed folder open for a while: crypt.c. */
struct kms_holders *rds_holders_of(struct cloud *cloud);

/* From now on: a listener at loopback:port whose connections go to the instance's interface from the internet, so that
 * gateways, routes, ACLs and groups decide; public_address is the interface's, or several with commas between: each
 * connection goes to one. loopback STR_NONE: none any more. Idempotent. */
void rds_forward(struct rds *s, struct str resource_id, struct str loopback, uint16_t port, struct str public_address);
/* From now on: a listener in that place at 127.0.0.1:port, whose connections go to mysqld.sock in the folder. place
 * STR_NONE: none any more. Idempotent. */
void rds_relay(struct rds *s, struct str resource_id, struct str place, uint16_t port, const char *folder);
/* From now on: when the server of that engine at this socket folder ends, its instance's job runs. path NULL: no more.
 * Idempotent. */
void rds_watch(struct rds *s, struct str resource_id, struct str engine, const char *path, uint16_t port);
