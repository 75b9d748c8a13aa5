/* SAML responses: XML read by libxml2, which is loaded when the first one comes, and signatures checked by a strict
 * profile of XML Signature (SAML Core 5.4). Everything that is read of an assertion comes from below the element that
 * was signed. */
#pragma once
#include "base/arena.h"
#include "base/str.h"
#include "services/iam/door.h"

struct saml_library;
/* The library, loaded at the first call; NULL where the machine has none (Debian: libxml2). Any thread. */
struct saml_library *saml_library_new(void);
void saml_library_free(struct saml_library *l);

struct saml_attribute {
	struct str name;
	struct {
		struct str *v;
		size_t n, capacity;
	} values;
};
struct saml_assertion {
	struct str id, issuer, subject, subject_format, recipient, confirmation_method;
	struct {
		struct str *v;
		size_t n, capacity;
	} audiences;
	struct {
		struct saml_attribute *v;
		size_t n, capacity;
	} attributes;
	int64_t issued_ms, not_before_ms, not_after_ms; /* 0: not said */
	int64_t confirmed_until_ms;
};
enum saml_verdict {
	SAML_GOOD,
	SAML_NO_LIBRARY,
	SAML_MALFORMED, /* no XML, a document type, no response, not exactly one assertion in the clear */
	SAML_REJECTED,  /* the provider says that the user was not authenticated */
	SAML_UNSIGNED,  /* neither the response nor the assertion is signed */
	SAML_FORGED,    /* a signature that is not the provider's over what it covers, or of a form that is not taken */
	SAML_OTHER_ISSUER,
};
/* metadata: the provider's EntityDescriptor. Strings are copied into `a`. */
enum saml_verdict saml_read(
	struct saml_library *l, struct arena *a, struct str response, struct str metadata, struct saml_assertion *out);
