/* Reading and verifying SAML responses. A signature is taken only in the form that SAML prescribes: one reference to
 * the signed element's ID, which nothing else has, enveloped-signature and exclusive canonicalization as its only
 * transforms, SHA-2, RSA by a certificate of the provider's metadata (keys that the message brings along do not count).
 */
#include "base/buf.h"
#include "base/log.h"
#include "base/vec.h"
#include "clock/clock.h"
#include "services/sts/saml.h"
#include <dlfcn.h>
#include <libxml/c14n.h>
#include <libxml/parser.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>

#define NS_PROTOCOL "urn:oasis:names:tc:SAML:2.0:protocol"
#define NS_ASSERTION "urn:oasis:names:tc:SAML:2.0:assertion"
#define NS_METADATA "urn:oasis:names:tc:SAML:2.0:metadata"
#define NS_SIGNATURE "http://www.w3.org/2000/09/xmldsig#"
#define EXCLUSIVE "http://www.w3.org/2001/10/xml-exc-c14n#"
#define PREFIXES_MAX 32

struct saml_library {
	pthread_mutex_t lock;
	bool tried;
	void *handle;
	void (*init_parser)(void);
	xmlDocPtr (*read_memory)(const char *, int, const char *, const char *, int);
	void (*free_doc)(xmlDocPtr);
	xmlNodePtr (*root)(const xmlDoc *);
	int (*canonicalize)(xmlDocPtr, xmlC14NIsVisibleCallback, void *, int, xmlChar **, int, xmlOutputBufferPtr);
	xmlOutputBufferPtr (*output)(xmlOutputWriteCallback, xmlOutputCloseCallback, void *, xmlCharEncodingHandlerPtr);
	int (*output_close)(xmlOutputBufferPtr);
};

struct saml_library *saml_library_new(void)
{
	struct saml_library *l = mem_new(sizeof(*l));
	pthread_mutex_init(&l->lock, NULL);
	return l;
}

void saml_library_free(struct saml_library *l)
{
	if (!l) return;
	pthread_mutex_destroy(&l->lock);
	/* The library stays: unloading libxml2 while its thread data lives is not safe. */
	free(l);
}

static bool find(const struct saml_library *l, const char *name, void *function)
{
	void *p = dlsym(l->handle, name);
	memcpy(function, &p, sizeof(p));
	return p != NULL;
}

static bool load(struct saml_library *l)
{
	pthread_mutex_lock(&l->lock);
	if (!l->tried) {
		l->tried = true;
		void *handle = l->handle = dlopen("libxml2.so.2", RTLD_NOW | RTLD_LOCAL);
		if (handle &&
			!(find(l, "xmlInitParser", &l->init_parser) && find(l, "xmlReadMemory", &l->read_memory) &&
				find(l, "xmlFreeDoc", &l->free_doc) && find(l, "xmlDocGetRootElement", &l->root) &&
				find(l, "xmlC14NExecute", &l->canonicalize) &&
				find(l, "xmlOutputBufferCreateIO", &l->output) &&
				find(l, "xmlOutputBufferClose", &l->output_close)))
			l->handle = NULL;
		if (l->handle)
			l->init_parser();
		else
			log_warn("sts", "no-libxml2", "libxml2.so.2 cannot be loaded: SAML is refused");
	}
	bool there = l->handle != NULL;
	pthread_mutex_unlock(&l->lock);
	return there;
}

/* ── walking ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is(const xmlNode *n, const char *ns, const char *name)
{
	return n && n->type == XML_ELEMENT_NODE && n->ns && n->ns->href && strcmp((const char *)n->ns->href, ns) == 0 &&
	       strcmp((const char *)n->name, name) == 0;
}

static xmlNode *child(const xmlNode *of, const char *ns, const char *name)
{
	for (xmlNode *n = of ? of->children : NULL; n; n = n->next)
		if (is(n, ns, name)) return n;
	return NULL;
}

static xmlNode *next_of(const xmlNode *after, const char *ns, const char *name)
{
	for (xmlNode *n = after->next; n; n = n->next)
		if (is(n, ns, name)) return n;
	return NULL;
}

static size_t count(const xmlNode *of, const char *ns, const char *name)
{
	size_t n = 0;
	for (xmlNode *i = of->children; i; i = i->next) n += is(i, ns, name);
	return n;
}

/* All text of an element, as canonicalization sees it: comments do not cut it short. STR_NONE where it has elements. */
static struct str text_of(struct arena *a, const xmlNode *of)
{
	struct buf b = BUF_IN(a);
	if (!of) return STR_NONE;
	for (const xmlNode *n = of->children; n; n = n->next) {
		if (n->type == XML_ELEMENT_NODE || n->type == XML_ENTITY_REF_NODE) return STR_NONE;
		if (n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE)
			buf_str(&b, str_c((const char *)n->content));
	}
	return buf_done(&b);
}

static struct str trimmed(struct arena *a, const xmlNode *of)
{
	struct str s = text_of(a, of);
	while (s.n && strchr(" \t\r\n", s.p[0])) s = str_from(s, 1);
	while (s.n && strchr(" \t\r\n", s.p[s.n - 1])) s.n--;
	return s;
}

static struct str attribute(struct arena *a, const xmlNode *of, const char *name)
{
	for (const xmlAttr *p = of ? of->properties : NULL; p; p = p->next)
		if (!p->ns && strcmp((const char *)p->name, name) == 0)
			return p->children ? str_dup(a, str_c((const char *)p->children->content)) : STR("");
	return STR_NONE;
}

static int64_t time_of(struct arena *a, const xmlNode *of, const char *name)
{
	struct str s = attribute(a, of, name);
	int64_t ms;
	return str_has(s) && is_ok(time_read_iso8601(s, &ms)) ? ms : 0;
}

static xmlDoc *parse(struct saml_library *l, struct str text)
{
	int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA;
	xmlDoc *doc = text.n && text.n < INT32_MAX ? l->read_memory(text.p, (int)text.n, NULL, NULL, options) : NULL;
	if (doc && (doc->intSubset || doc->extSubset || !l->root(doc))) {
		l->free_doc(doc);
		return NULL;
	}
	return doc;
}

/* ── canonical bytes ──────────────────────────────────────────────────────────────────────────────────────────── */

struct visible {
	const xmlNode *top, *without;
};

static int is_visible(void *ctx, xmlNode *node, xmlNode *parent)
{
	const struct visible *v = ctx;
	bool owned = node && (node->type == XML_NAMESPACE_DECL || node->type == XML_ATTRIBUTE_NODE);
	for (const xmlNode *n = owned ? parent : node; n; n = n->parent) {
		if (n == v->without) return 0;
		if (n == v->top) return 1;
	}
	return 0;
}

static int collect(void *ctx, const char *p, int n)
{
	buf_add(ctx, p, (size_t)n);
	return n;
}

static int no_close(void *ctx)
{
	(void)ctx;
	return 0;
}

/* transform: the element that says how, and may name inclusive prefixes. */
static bool canonical(struct saml_library *l, struct arena *a, xmlDoc *doc, const struct visible *v,
	const xmlNode *transform, struct buf *out)
{
	xmlChar *prefixes[PREFIXES_MAX + 1] = {0};
	const xmlNode *inclusive = child(transform, EXCLUSIVE, "InclusiveNamespaces");
	struct str rest = inclusive ? attribute(a, inclusive, "PrefixList") : STR_NONE;
	size_t n = 0;
	while (str_has(rest)) {
		struct str prefix = str_cut(&rest, ' ');
		if (!prefix.n) continue;
		if (n == PREFIXES_MAX) return false;
		char *copy = arena_alloc(a, prefix.n + 1);
		memcpy(copy, prefix.p, prefix.n);
		prefixes[n++] = (xmlChar *)copy;
	}
	struct visible context = *v;
	xmlOutputBuffer *o = l->output(collect, no_close, out, NULL);
	if (!o) return false;
	int done = l->canonicalize(doc, is_visible, &context, XML_C14N_EXCLUSIVE_1_0, n ? prefixes : NULL, 0, o);
	return l->output_close(o) >= 0 && done >= 0;
}

/* ── signatures ───────────────────────────────────────────────────────────────────────────────────────────────── */

static const EVP_MD *digest_named(struct str algorithm)
{
	if (str_is(algorithm, "http://www.w3.org/2001/04/xmlenc#sha256")) return EVP_sha256();
	if (str_is(algorithm, "http://www.w3.org/2001/04/xmldsig-more#sha384")) return EVP_sha384();
	return str_is(algorithm, "http://www.w3.org/2001/04/xmlenc#sha512") ? EVP_sha512() : NULL;
}

static const EVP_MD *signature_named(struct str algorithm)
{
	if (str_is(algorithm, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256")) return EVP_sha256();
	if (str_is(algorithm, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384")) return EVP_sha384();
	return str_is(algorithm, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512") ? EVP_sha512() : NULL;
}

/* Base64 with line breaks. */
static bool decode(struct arena *a, const xmlNode *of, struct str *out)
{
	struct str text = text_of(a, of);
	struct buf b = BUF_IN(a);
	for (size_t i = 0; i < text.n; i++)
		if (!strchr(" \t\r\n", text.p[i])) buf_byte(&b, text.p[i]);
	return str_has(text) && is_ok(str_unbase64(a, buf_done(&b), out));
}

static bool has_id(struct arena *a, const xmlNode *n, struct str id, size_t *times)
{
	for (; n; n = n->next) {
		if (n->type != XML_ELEMENT_NODE) continue;
		static const char *const names[] = {"ID", "Id", "id"};
		for (size_t i = 0; i < 3; i++) *times += str_eq(attribute(a, n, names[i]), id);
		if (!has_id(a, n->children, id, times)) return false;
		if (*times > 1) return false;
	}
	return true;
}

/* "Reference": to this element, by no other transforms than these two. */
static const xmlNode *check_reference(struct arena *a, const xmlNode *root, const xmlNode *signed_, const xmlNode *info)
{
	struct str id = attribute(a, signed_, "ID");
	size_t times = 0;
	if (count(info, NS_SIGNATURE, "Reference") != 1 || !id.n) return NULL;
	if (!has_id(a, root, id, &times) || times != 1) return NULL;
	const xmlNode *reference = child(info, NS_SIGNATURE, "Reference");
	struct str uri = attribute(a, reference, "URI");
	if (!str_starts(uri, STR("#")) || !str_eq(str_from(uri, 1), id)) return NULL;
	const xmlNode *transforms = child(reference, NS_SIGNATURE, "Transforms");
	if (!transforms || count(transforms, NS_SIGNATURE, "Transform") != 2) return NULL;
	const xmlNode *first = child(transforms, NS_SIGNATURE, "Transform"),
		      *second = next_of(first, NS_SIGNATURE, "Transform");
	bool good = str_is(attribute(a, first, "Algorithm"), NS_SIGNATURE "enveloped-signature") &&
		    str_is(attribute(a, second, "Algorithm"), EXCLUSIVE);
	return good ? reference : NULL;
}

static bool digest_matches(struct saml_library *l, struct arena *a, xmlDoc *doc, const xmlNode *signed_,
	const xmlNode *signature, const xmlNode *reference)
{
	const xmlNode *transforms = child(reference, NS_SIGNATURE, "Transforms");
	const xmlNode *transform = next_of(child(transforms, NS_SIGNATURE, "Transform"), NS_SIGNATURE, "Transform");
	const EVP_MD *md = digest_named(attribute(a, child(reference, NS_SIGNATURE, "DigestMethod"), "Algorithm"));
	struct visible v = {signed_, signature};
	struct buf bytes = BUF_IN(a);
	struct str told;
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n;
	if (!md || !decode(a, child(reference, NS_SIGNATURE, "DigestValue"), &told)) return false;
	if (!canonical(l, a, doc, &v, transform, &bytes)) return false;
	if (EVP_Digest(buf_done(&bytes).p, bytes.n, hash, &n, md, NULL) != 1) return false;
	return told.n == n && memcmp(told.p, hash, n) == 0;
}

static bool verified_by(struct str certificate, const EVP_MD *md, struct str bytes, struct str signature)
{
	const unsigned char *p = (const unsigned char *)certificate.p;
	X509 *x = d2i_X509(NULL, &p, (long)certificate.n);
	EVP_PKEY *key = x ? X509_get0_pubkey(x) : NULL;
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	bool good = key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
		    EVP_DigestVerifyInit(m, NULL, md, NULL, key) == 1 &&
		    EVP_DigestVerify(m, (const unsigned char *)signature.p, signature.n, (const unsigned char *)bytes.p,
			    bytes.n) == 1;
	EVP_MD_CTX_free(m);
	X509_free(x);
	return good;
}

struct trusted {
	struct str issuer;
	struct {
		struct str *v; /* DER */
		size_t n, capacity;
	} certificates;
};

static bool is_signed(
	struct saml_library *l, struct arena *a, xmlDoc *doc, const xmlNode *signed_, const struct trusted *t)
{
	const xmlNode *signature = child(signed_, NS_SIGNATURE, "Signature");
	const xmlNode *info = child(signature, NS_SIGNATURE, "SignedInfo");
	if (count(signed_, NS_SIGNATURE, "Signature") != 1 || !info) return false;
	const xmlNode *method = child(info, NS_SIGNATURE, "CanonicalizationMethod");
	const EVP_MD *md = signature_named(attribute(a, child(info, NS_SIGNATURE, "SignatureMethod"), "Algorithm"));
	const xmlNode *reference = check_reference(a, l->root(doc), signed_, info);
	struct buf bytes = BUF_IN(a);
	struct visible v = {info, NULL};
	struct str value;
	if (!md || !reference || !str_is(attribute(a, method, "Algorithm"), EXCLUSIVE)) return false;
	if (!decode(a, child(signature, NS_SIGNATURE, "SignatureValue"), &value)) return false;
	if (!digest_matches(l, a, doc, signed_, signature, reference)) return false;
	if (!canonical(l, a, doc, &v, method, &bytes)) return false;
	for (size_t i = 0; i < t->certificates.n; i++)
		if (verified_by(t->certificates.v[i], md, buf_done(&bytes), value)) return true;
	return false;
}

/* ── the provider's metadata ──────────────────────────────────────────────────────────────────────────────────── */

static void read_metadata(struct saml_library *l, struct arena *a, struct str text, struct trusted *t)
{
	xmlDoc *doc = parse(l, text);
	if (!doc) return;
	const xmlNode *entity = l->root(doc), *role = child(entity, NS_METADATA, "IDPSSODescriptor");
	t->issuer = attribute(a, entity, "entityID");
	for (const xmlNode *k = child(role, NS_METADATA, "KeyDescriptor"); k;
		k = next_of(k, NS_METADATA, "KeyDescriptor")) {
		if (str_is(attribute(a, k, "use"), "encryption")) continue;
		const xmlNode *info = child(k, NS_SIGNATURE, "KeyInfo");
		for (const xmlNode *d = child(info, NS_SIGNATURE, "X509Data"); d;
			d = next_of(d, NS_SIGNATURE, "X509Data")) {
			struct str der;
			if (decode(a, child(d, NS_SIGNATURE, "X509Certificate"), &der))
				*VEC_PUSH(a, &t->certificates, &t->certificates.capacity) = der;
		}
	}
	l->free_doc(doc);
}

/* ── the assertion ────────────────────────────────────────────────────────────────────────────────────────────── */

static void read_subject(struct arena *a, const xmlNode *subject, struct saml_assertion *out)
{
	const xmlNode *name = child(subject, NS_ASSERTION, "NameID");
	const xmlNode *confirmation = child(subject, NS_ASSERTION, "SubjectConfirmation");
	const xmlNode *data = child(confirmation, NS_ASSERTION, "SubjectConfirmationData");
	out->subject = trimmed(a, name);
	out->subject_format = attribute(a, name, "Format");
	out->confirmation_method = attribute(a, confirmation, "Method");
	out->recipient = attribute(a, data, "Recipient");
	out->confirmed_until_ms = time_of(a, data, "NotOnOrAfter");
}

static void read_attributes(struct arena *a, const xmlNode *statement, struct saml_assertion *out)
{
	const xmlNode *at = child(statement, NS_ASSERTION, "Attribute");
	for (; at; at = next_of(at, NS_ASSERTION, "Attribute")) {
		struct saml_attribute *x = VEC_PUSH(a, &out->attributes, &out->attributes.capacity);
		x->name = str_or(attribute(a, at, "Name"), STR(""));
		const xmlNode *v = child(at, NS_ASSERTION, "AttributeValue");
		for (; v; v = next_of(v, NS_ASSERTION, "AttributeValue"))
			*VEC_PUSH(a, &x->values, &x->values.capacity) = str_or(trimmed(a, v), STR(""));
	}
}

static void read_assertion(struct arena *a, const xmlNode *n, struct saml_assertion *out)
{
	const xmlNode *conditions = child(n, NS_ASSERTION, "Conditions");
	*out = (struct saml_assertion){.id = attribute(a, n, "ID"),
		.issuer = trimmed(a, child(n, NS_ASSERTION, "Issuer")),
		.issued_ms = time_of(a, n, "IssueInstant"),
		.not_before_ms = time_of(a, conditions, "NotBefore"),
		.not_after_ms = time_of(a, conditions, "NotOnOrAfter")};
	read_subject(a, child(n, NS_ASSERTION, "Subject"), out);
	const xmlNode *r = child(conditions, NS_ASSERTION, "AudienceRestriction");
	for (; r; r = next_of(r, NS_ASSERTION, "AudienceRestriction"))
		for (const xmlNode *u = child(r, NS_ASSERTION, "Audience"); u; u = next_of(u, NS_ASSERTION, "Audience"))
			*VEC_PUSH(a, &out->audiences, &out->audiences.capacity) = str_or(trimmed(a, u), STR(""));
	const xmlNode *s = child(n, NS_ASSERTION, "AttributeStatement");
	for (; s; s = next_of(s, NS_ASSERTION, "AttributeStatement")) read_attributes(a, s, out);
}

static bool succeeded(struct arena *a, const xmlNode *response)
{
	const xmlNode *code = child(child(response, NS_PROTOCOL, "Status"), NS_PROTOCOL, "StatusCode");
	return str_is(attribute(a, code, "Value"), "urn:oasis:names:tc:SAML:2.0:status:Success");
}

static enum saml_verdict read_response(
	struct saml_library *l, struct arena *a, xmlDoc *doc, const struct trusted *t, struct saml_assertion *out)
{
	const xmlNode *response = l->root(doc);
	if (!is(response, NS_PROTOCOL, "Response")) return SAML_MALFORMED;
	if (!succeeded(a, response)) return SAML_REJECTED;
	if (count(response, NS_ASSERTION, "Assertion") != 1) return SAML_MALFORMED;
	const xmlNode *assertion = child(response, NS_ASSERTION, "Assertion");
	bool whole = child(response, NS_SIGNATURE, "Signature"), part = child(assertion, NS_SIGNATURE, "Signature");
	if (!whole && !part) return SAML_UNSIGNED;
	/* What is signed has to be right; either covers the assertion. */
	if (whole && !is_signed(l, a, doc, response, t)) return SAML_FORGED;
	if (part && !is_signed(l, a, doc, assertion, t)) return SAML_FORGED;
	read_assertion(a, assertion, out);
	return str_has(t->issuer) && str_eq(out->issuer, t->issuer) ? SAML_GOOD : SAML_OTHER_ISSUER;
}

enum saml_verdict saml_read(
	struct saml_library *l, struct arena *a, struct str response, struct str metadata, struct saml_assertion *out)
{
	struct trusted t = {0};
	if (!load(l)) return SAML_NO_LIBRARY;
	xmlDoc *doc = parse(l, response);
	if (!doc) return SAML_MALFORMED;
	read_metadata(l, a, metadata, &t);
	enum saml_verdict v = read_response(l, a, doc, &t, out);
	l->free_doc(doc);
	return v;
}
