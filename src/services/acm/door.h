/* Certificates as the services see them that serve TLS with them. Within the caller's transaction; any region's ARN may
 * be given, the certificate has to be in the place of the call. */
#pragma once
#include "call/call.h"

struct acm_material {
	struct str domain;
	struct str certificate, chain, key; /* PEM; chain may be empty. Wipe the key once it has served (vault_wipe). */
	bool rsa;
	int64_t not_after_ms;
};
/* NOT_FOUND: no such certificate in this account and region; BUSY: it is not issued (yet, or any more). */
status acm_load(struct cloud *cloud, struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str arn, struct acm_material *out) MUST_USE;
/* NOT_FOUND, BUSY as above; without the key. */
status acm_check(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str arn) MUST_USE;
/* The serial number of the certificate that is served now: 0a:1b:…. NOT_FOUND. */
status acm_serial(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str arn,
	struct str *serial) MUST_USE;
/* user (an ARN) serves the certificate, or does no more: it cannot be deleted meanwhile, and is renewed. OK where it is
 * gone. */
status acm_use(struct store_tx *tx, struct arena *a, struct str account, struct str region, struct str arn,
	struct str user, bool uses) MUST_USE;

/* On the bus, kind "acm.certificate", BUS_COMMITTING: the same ARN has another certificate (renewed, imported again).
 */
struct acm_event {
	struct str arn;
	const struct str *users;
	size_t n_users;
};
