/* SAML responses, with the provider's metadata before them (a zero byte between): they are read or refused without
 * harm, the same each time, and what no certificate vouches for is never good. */
#include "services/sts/saml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A provider without a certificate. */
static const char bare[] =
	"<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" "
	"entityID=\"https://idp.example.com/metadata\"><md:IDPSSODescriptor "
	"protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\"/></md:EntityDescriptor>";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct saml_library *l = saml_library_new();
	struct saml_assertion one = {0}, two = {0};
	struct arena a;
	struct str response = str_n(data, size), metadata = str_cut(&response, '\0');
	if (!l || !str_has(response)) {
		saml_library_free(l);
		return 0; /* this machine has no libxml2, or there is no response */
	}
	arena_init(&a);
	enum saml_verdict v = saml_read(l, &a, response, metadata, &one);
	INVARIANT(saml_read(l, &a, response, metadata, &two) == v);
	INVARIANT(str_eq(one.id, two.id) && str_eq(one.subject, two.subject) && one.attributes.n == two.attributes.n);
	INVARIANT(v != SAML_GOOD || (one.id.n && one.issuer.n));
	INVARIANT(saml_read(l, &a, response, str_c(bare), &two) != SAML_GOOD);
	arena_cleanup(&a);
	saml_library_free(l);
	return 0;
}
