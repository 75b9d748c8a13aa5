/* virga's local certificate authority: made once per data folder (ca.key 0600, ca.pem), signs the server's certificate
 * for localhost, *.localhost, *.s3.localhost, *.localhost.localstack.cloud, 127.0.0.1, ::1 and AWS's own endpoints (for
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

/* A certificate for a key that the caller has made, signed by the authority of that folder (made when there is none).
 * names: DNS names, the first of which is the subject's common name. It ends when the authority does, at the latest. */
struct ca_order {
	struct evp_pkey_st *key;
	const struct str *names;
	size_t n_names;
	int64_t now_ms, valid_ms; /* now_ms: the beginning, an hour back */
};
struct ca_signed {
	struct str certificate, ca; /* PEM */
};
status ca_issue(const char *dir, const struct ca_order *o, struct arena *a, struct ca_signed *out) MUST_USE;

/* The same for a new key (P-256), as a server takes it: o->key is not looked at. */
struct ca_server {
	struct str chain, key; /* PEM: the certificate and the authority's; the private key */
};
status ca_issue_server(const char *dir, const struct ca_order *o, struct arena *a, struct ca_server *out) MUST_USE;
