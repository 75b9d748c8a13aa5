/* IAM database authentication: "IAM database authentication for MariaDB, MySQL, and PostgreSQL", the guide. A token is
 * a presigned request for Action=connect of the service rds-db, without its scheme; it is a password for 15 minutes. */
#pragma once
#include "services/rds/room.h"

/* What a token has to be for. */
struct rds_token_for {
	struct str account, region, resource_id; /* db-…, cluster-… */
	struct str names[12];                    /* under which it is reached; STR_NONE where fewer */
	int32_t port;
	struct str user;
};
/* True: the token is the signature of somebody who may connect as that user (rds-db:connect). *why otherwise, in `a`.
 * Reads in transactions of its own; blocks. */
bool rds_token_good(
	struct cloud *cloud, struct arena *a, const struct rds_token_for *to, struct str token, struct str *why);
