/* Where database servers ask whether a token is good: in the place of a server's interface, at a port of the loopback
 * there that only what runs in that place can reach, virga answers simple binds of LDAP (bind.h, token.h). One thread.
 */
#pragma once
#include "services/rds/room.h"

#define RDS_AUTH_ADDRESS "127.0.0.1"
/* Below the ports that a database may have. */
enum { RDS_AUTH_PORT = 389 };

struct rds_auth;
struct rds_auth *rds_auth_new(struct cloud *cloud);
void rds_auth_free(struct rds_auth *s);
/* From now on: who asks in this place asks for that instance. place STR_NONE: nobody any more. Idempotent; blocks
 * shortly. */
void rds_auth_open(struct rds_auth *s, struct str resource_id, struct str place);
