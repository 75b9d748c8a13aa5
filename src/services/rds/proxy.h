/* RDS Proxy: pgbouncer in the proxy's subnets, in front of one instance. "Amazon RDS Proxy", the guide.
 *
 * A proxy is a record under its name; it has a node for each of its subnets, an interface with a server of its own
 * (rds/prx-…/a, b, …). A job for each proxy brings them about and looks after them: addresses of the instance, users
 * and what the server keeps of their passwords, health (proxy_controller.c). */
#pragma once
#include "services/rds/controller.h"

extern const struct rds_kind rds_kind_proxy;
#define RDS_JOB_PROXY "rds.proxy"
status rds_proxy_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms);
void rds_proxy_mark(struct rds_place at, struct str name);
/* Those in front of that instance look at it now. */
void rds_proxies_look(struct rds_place at, const struct rds_rec_instance *r);
status rds_proxy_find(struct call *c, struct str name, struct rds_rec_proxy *out) MUST_USE;
struct str rds_proxy_folder(struct arena *a, const struct rds_rec_proxy *r);
/* True: the password is the one of which PostgreSQL keeps this. */
bool rds_scram_matches(struct arena *a, struct str password, struct str verifier);
/* For `virga reset`. */
status rds_proxies_stop(struct cloud *cloud, struct store_tx *tx, struct arena *a) MUST_USE;
