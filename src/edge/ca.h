/* virga's local certificate authority: made once per data folder (ca.key 0600, ca.pem), signs the server's certificate for
 * localhost, *.localhost, *.s3.localhost, *.localhost.localstack.cloud, 127.0.0.1, ::1 and AWS's own endpoints (for
 * machines in VPCs, which trust the authority). ECDSA P-256; 10 years; the server's own 825 days, renewed at start when
 * under 30 days remain. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct ca_files {
	struct str ca_pem, cert_pem /* server chain */, key_pem;
	struct str ca_hash; /* of its name: as OpenSSL names files in a folder of certificates, less ".0" */
};
/* dir with trailing slash. Reads or makes; texts in `a`. now_ms: machine time. */
status ca_load(const char *dir, int64_t now_ms, struct arena *a, struct ca_files *out) MUST_USE;
