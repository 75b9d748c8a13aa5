/* What a client says first: the name that it wants to talk to. Bytes from outside, perhaps not all that will come;
 * nothing is kept. STR_NONE where they do not tell (yet). The result points into them. */
#pragma once
#include "base/str.h"

/* The server name of a TLS ClientHello (RFC 8446 4.1.2, RFC 6066 section 3). */
struct str edge_hello_name(struct str bytes);
/* The value of the Host header of an HTTP/1 head. */
struct str edge_host_name(struct str bytes);
