/* Identity providers: OpenID Connect and SAML. STS verifies their tokens by these records. */
#include "base/rand.h"
#include "services/iam/internal.h"
#include <expat.h>

/* "IAM and AWS STS quotas" */
#define PROVIDERS_MAX 100
#define CLIENTS_MAX 100
#define THUMBPRINTS_MAX 5

static status provider_peek(struct store_tx *tx, struct arena *a, const char *kind, struct str account, struct str name,
	struct iam_rec_provider *out)
{
	struct str bytes;
	*out = (struct iam_rec_provider){0};
	TRY(store_get(tx, iam_key(a, kind, account, name), &bytes));
	return iam_rec_provider_decode(a, bytes, out);
}

status iam_oidc_peek(
	struct store_tx *tx, struct arena *a, struct str account, struct str url, struct iam_rec_provider *out)
{
	return provider_peek(tx, a, "oidc", account, url, out);
}

status iam_saml_peek(
	struct store_tx *tx, struct arena *a, struct str account, struct str name, struct iam_rec_provider *out)
{
	return provider_peek(tx, a, "saml", account, name, out);
}

static void provider_put(struct call *c, const char *kind, const struct iam_rec_provider *p)
{
	store_put(c->tx, iam_key(c->arena, kind, c->account, p->name), iam_rec_provider_encode(c->arena, p));
}

static struct str provider_arn(const struct call *c, const char *kind, struct str name)
{
	return iam_arn(c, kind[0] == 'o' ? "oidc-provider" : "saml-provider", STR("/"), name);
}

/* arn:…:oidc-provider/NAME */
static status provider_get(struct call *c, const char *kind, struct str arn, struct iam_rec_provider *out)
{
	struct str word = kind[0] == 'o' ? STR(":oidc-provider/") : STR(":saml-provider/");
	ptrdiff_t at = str_find(arn, word);
	if (at < 0 || !str_starts(arn, STR("arn:")))
		return IAM_FAIL(c, INVALID_INPUT, "Invalid ARN: %.*s", STR_ARG(arn));
	struct str name = str_from(arn, (size_t)at + word.n);
	status s = provider_peek(c->tx, c->arena, kind, c->account, name, out);
	if (is_ok(s) && !str_eq(provider_arn(c, kind, out->name), arn)) s = STATUS(NOT_FOUND);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	if (kind[0] == 'o')
		return IAM_FAIL(c, NO_SUCH_ENTITY, "OpenIDConnect Provider not found for arn %.*s", STR_ARG(arn));
	return IAM_FAIL(c, NO_SUCH_ENTITY, "Manifest not found for arn %.*s", STR_ARG(arn));
}

static status require_room(struct call *c, const char *kind, struct str name)
{
	struct iam_rec_provider p;
	status s = provider_peek(c->tx, c->arena, kind, c->account, name, &p);
	if (is_ok(s))
		return IAM_FAIL(c, ENTITY_ALREADY_EXISTS, "Provider with %s %.*s already exists.",
			kind[0] == 'o' ? "url" : "name", STR_ARG(name));
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	if (iam_count(c, kind, PROVIDERS_MAX) < PROVIDERS_MAX) return OK;
	return IAM_FAIL(c, LIMIT_EXCEEDED, "Cannot exceed quota for %sProvidersPerAccount: %d",
		kind[0] == 'o' ? "OpenIdConnect" : "Saml", PROVIDERS_MAX);
}

/* ── OpenID Connect ───────────────────────────────────────────────────────────────────────────────────────────── */

/* AWS takes https alone; an issuer on the loopback may be plain, for that is what STS here can ask for keys. */
static status split_url(struct call *c, struct str url, struct str *name)
{
	struct str rest = STR_NONE;
	if (str_starts(url, STR("https://"))) {
		rest = str_from(url, 8);
	} else if (str_starts(url, STR("http://"))) {
		rest = str_from(url, 7);
		struct str host = rest;
		host = str_cut(&host, '/');
		host = str_cut(&host, ':');
		if (!str_is(host, "localhost") && !str_is(host, "127.0.0.1") && !str_ends(host, STR(".localhost")))
			rest = STR_NONE;
	}
	if (!str_has(rest) || !rest.n || str_chr(rest, '?') >= 0 || str_chr(rest, '#') >= 0 || rest.p[0] == '/')
		return call_fail(c, ERR_VALIDATION, "Invalid Open ID Connect Provider URL");
	if (str_ends(rest, STR("/"))) rest.n--;
	*name = rest;
	return OK;
}

static status check_thumbprints(struct call *c, const struct iam_thumbprint_list_type *list)
{
	if (list->n > THUMBPRINTS_MAX)
		return IAM_FAIL(
			c, INVALID_INPUT, "Thumbprint list must contain fewer than %d entries.", THUMBPRINTS_MAX + 1);
	for (size_t i = 0; i < list->n; i++) {
		struct str bytes;
		if (!is_ok(str_unhex(c->arena, list->v[i], &bytes)) || bytes.n != 20)
			return IAM_FAIL(
				c, INVALID_INPUT, "Thumbprint must be the 40 hexadecimal digits of a SHA-1 hash.");
	}
	return OK;
}

status iam_create_open_id_connect_provider(struct call *c, const struct iam_create_open_id_connect_provider_input *in,
	struct iam_create_open_id_connect_provider_output *out)
{
	struct iam_rec_provider p = {.created = SOME_TIME(c->now_ms)};
	TRY(split_url(c, in->url, &p.name));
	TRY(require_room(c, "oidc", p.name));
	TRY(check_thumbprints(c, &in->thumbprint_list));
	if (in->client_id_list.n > CLIENTS_MAX)
		return IAM_FAIL(c, LIMIT_EXCEEDED, "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d",
			CLIENTS_MAX);
	for (size_t i = 0; i < in->client_id_list.n; i++)
		if (!iam_strings_have(&p.clients, in->client_id_list.v[i]))
			iam_strings_add(c->arena, &p.clients, in->client_id_list.v[i]);
	p.thumbprints = (struct iam_rec_strings){in->thumbprint_list.v, in->thumbprint_list.n};
	TRY(iam_tags_set(c, &p.tags, &in->tags));
	provider_put(c, "oidc", &p);
	out->open_id_connect_provider_arn = provider_arn(c, "oidc", p.name);
	if (p.tags.n) iam_tags_out(c, &p.tags, &out->tags);
	return OK;
}

status iam_get_open_id_connect_provider(struct call *c, const struct iam_get_open_id_connect_provider_input *in,
	struct iam_get_open_id_connect_provider_output *out)
{
	struct iam_rec_provider p;
	TRY(provider_get(c, "oidc", in->open_id_connect_provider_arn, &p));
	out->url = p.name;
	out->client_id_list = (struct iam_client_id_list_type){p.clients.v, p.clients.n};
	out->thumbprint_list = (struct iam_thumbprint_list_type){p.thumbprints.v, p.thumbprints.n};
	VEC_PRESENT(c->arena, &out->client_id_list);
	VEC_PRESENT(c->arena, &out->thumbprint_list);
	out->create_date = p.created;
	iam_tags_out(c, &p.tags, &out->tags);
	return OK;
}

status iam_delete_open_id_connect_provider(struct call *c, const struct iam_delete_open_id_connect_provider_input *in,
	struct iam_delete_open_id_connect_provider_output *out)
{
	(void)out;
	struct iam_rec_provider p;
	TRY(provider_get(c, "oidc", in->open_id_connect_provider_arn, &p));
	store_delete(c->tx, iam_key(c->arena, "oidc", c->account, p.name));
	return OK;
}

status iam_list_open_id_connect_providers(struct call *c, const struct iam_list_open_id_connect_providers_input *in,
	struct iam_list_open_id_connect_providers_output *out)
{
	(void)in;
	VEC_PRESENT(c->arena, &out->open_id_connect_provider_list);
	size_t capacity = 0;
	struct iam_rows r = iam_rows_begin(c, "oidc");
	while (iam_rows_next(&r)) {
		struct iam_rec_provider p = {0};
		TRY(iam_rec_provider_decode(c->arena, str_dup(c->arena, r.value), &p));
		VEC_PUSH(c->arena, &out->open_id_connect_provider_list, &capacity)->arn =
			provider_arn(c, "oidc", p.name);
	}
	return iam_rows_end(&r);
}

status iam_add_client_id_to_open_id_connect_provider(struct call *c,
	const struct iam_add_client_id_to_open_id_connect_provider_input *in,
	struct iam_add_client_id_to_open_id_connect_provider_output *out)
{
	(void)out;
	struct iam_rec_provider p;
	TRY(provider_get(c, "oidc", in->open_id_connect_provider_arn, &p));
	if (iam_strings_have(&p.clients, in->client_id)) return OK;
	if (p.clients.n >= CLIENTS_MAX)
		return IAM_FAIL(c, LIMIT_EXCEEDED, "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d",
			CLIENTS_MAX);
	iam_strings_add(c->arena, &p.clients, in->client_id);
	provider_put(c, "oidc", &p);
	return OK;
}

status iam_remove_client_id_from_open_id_connect_provider(struct call *c,
	const struct iam_remove_client_id_from_open_id_connect_provider_input *in,
	struct iam_remove_client_id_from_open_id_connect_provider_output *out)
{
	(void)out;
	struct iam_rec_provider p;
	TRY(provider_get(c, "oidc", in->open_id_connect_provider_arn, &p));
	if (iam_strings_drop(&p.clients, in->client_id)) provider_put(c, "oidc", &p);
	return OK;
}

status iam_update_open_id_connect_provider_thumbprint(struct call *c,
	const struct iam_update_open_id_connect_provider_thumbprint_input *in,
	struct iam_update_open_id_connect_provider_thumbprint_output *out)
{
	(void)out;
	struct iam_rec_provider p;
	TRY(provider_get(c, "oidc", in->open_id_connect_provider_arn, &p));
	TRY(check_thumbprints(c, &in->thumbprint_list));
	p.thumbprints = (struct iam_rec_strings){in->thumbprint_list.v, in->thumbprint_list.n};
	provider_put(c, "oidc", &p);
	return OK;
}

/* ── SAML ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

struct metadata {
	XML_Parser parser;
	bool descriptor, certificate;
	int64_t valid_until_ms;
};

static void on_element(void *ctx, const char *name, const char **attributes)
{
	struct metadata *m = ctx;
	const char *local = strrchr(name, ':');
	struct str element = str_c(local ? local + 1 : name);
	if (str_is(element, "X509Certificate")) m->certificate = true;
	if (!str_is(element, "EntityDescriptor")) return;
	m->descriptor = true;
	for (size_t i = 0; attributes[i]; i += 2)
		if (strcmp(attributes[i], "validUntil") == 0 &&
			!is_ok(time_read_iso8601(str_c(attributes[i + 1]), &m->valid_until_ms)))
			m->valid_until_ms = 0;
}

/* No document type: nothing to expand. */
static void on_doctype(void *ctx, const char *name, const char *system, const char *public, int internal)
{
	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	XML_StopParser(((struct metadata *)ctx)->parser, XML_FALSE);
}

static status check_metadata(struct call *c, struct str text, struct iam_rec_provider *p)
{
	struct metadata m = {0};
	XML_Parser parser = XML_ParserCreate(NULL);
	INVARIANT(parser);
	m.parser = parser;
	XML_SetUserData(parser, &m);
	XML_SetStartElementHandler(parser, on_element);
	XML_SetStartDoctypeDeclHandler(parser, on_doctype);
	bool good = XML_Parse(parser, text.p, (int)text.n, 1) == XML_STATUS_OK && m.descriptor && m.certificate;
	XML_ParserFree(parser);
	if (!good) return IAM_FAIL(c, INVALID_INPUT, "Could not parse metadata");
	p->metadata = text;
	p->valid_until = m.valid_until_ms ? SOME_TIME(m.valid_until_ms) : (struct opt_time){0};
	return OK;
}

status iam_create_saml_provider(
	struct call *c, const struct iam_create_saml_provider_input *in, struct iam_create_saml_provider_output *out)
{
	struct iam_rec_provider p = {.name = in->name, .created = SOME_TIME(c->now_ms), .uuid = rand_uuid(c->arena)};
	TRY(require_room(c, "saml", p.name));
	TRY(check_metadata(c, in->saml_metadata_document, &p));
	if (str_has(in->add_private_key))
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "virga does not decrypt SAML assertions: private keys are not taken.");
	TRY(iam_tags_set(c, &p.tags, &in->tags));
	provider_put(c, "saml", &p);
	out->saml_provider_arn = provider_arn(c, "saml", p.name);
	if (p.tags.n) iam_tags_out(c, &p.tags, &out->tags);
	return OK;
}

status iam_get_saml_provider(
	struct call *c, const struct iam_get_saml_provider_input *in, struct iam_get_saml_provider_output *out)
{
	struct iam_rec_provider p;
	TRY(provider_get(c, "saml", in->saml_provider_arn, &p));
	out->saml_metadata_document = p.metadata;
	out->create_date = p.created;
	out->valid_until = p.valid_until;
	out->saml_provider_uuid = p.uuid;
	iam_tags_out(c, &p.tags, &out->tags);
	return OK;
}

status iam_update_saml_provider(
	struct call *c, const struct iam_update_saml_provider_input *in, struct iam_update_saml_provider_output *out)
{
	struct iam_rec_provider p;
	TRY(provider_get(c, "saml", in->saml_provider_arn, &p));
	if (str_has(in->add_private_key) || str_has(in->remove_private_key))
		return call_fail(
			c, ERR_NOT_IMPLEMENTED, "virga does not decrypt SAML assertions: private keys are not taken.");
	if (str_has(in->saml_metadata_document)) TRY(check_metadata(c, in->saml_metadata_document, &p));
	provider_put(c, "saml", &p);
	out->saml_provider_arn = in->saml_provider_arn;
	return OK;
}

status iam_delete_saml_provider(
	struct call *c, const struct iam_delete_saml_provider_input *in, struct iam_delete_saml_provider_output *out)
{
	(void)out;
	struct iam_rec_provider p;
	TRY(provider_get(c, "saml", in->saml_provider_arn, &p));
	store_delete(c->tx, iam_key(c->arena, "saml", c->account, p.name));
	return OK;
}

status iam_list_saml_providers(
	struct call *c, const struct iam_list_saml_providers_input *in, struct iam_list_saml_providers_output *out)
{
	(void)in;
	VEC_PRESENT(c->arena, &out->saml_provider_list);
	size_t capacity = 0;
	struct iam_rows r = iam_rows_begin(c, "saml");
	while (iam_rows_next(&r)) {
		struct iam_rec_provider p = {0};
		TRY(iam_rec_provider_decode(c->arena, str_dup(c->arena, r.value), &p));
		*VEC_PUSH(c->arena, &out->saml_provider_list, &capacity) = (struct iam_saml_provider_list_entry){
			provider_arn(c, "saml", p.name), p.valid_until, p.created};
	}
	return iam_rows_end(&r);
}

/* ── tags ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static status tag(struct call *c, const char *kind, struct str arn, const struct iam_tag_list_type *add,
	const struct iam_tag_key_list_type *drop)
{
	struct iam_rec_provider p;
	TRY(provider_get(c, kind, arn, &p));
	if (add) TRY(iam_tags_set(c, &p.tags, add));
	if (drop) iam_tags_drop(&p.tags, drop);
	provider_put(c, kind, &p);
	return OK;
}

#define PROVIDER_TAGS(kind, name, member)                                                                              \
	status iam_tag_##name(                                                                                         \
		struct call *c, const struct iam_tag_##name##_input *in, struct iam_tag_##name##_output *out)          \
	{                                                                                                              \
		(void)out;                                                                                             \
		return tag(c, kind, in->member, &in->tags, NULL);                                                      \
	}                                                                                                              \
	status iam_untag_##name(                                                                                       \
		struct call *c, const struct iam_untag_##name##_input *in, struct iam_untag_##name##_output *out)      \
	{                                                                                                              \
		(void)out;                                                                                             \
		return tag(c, kind, in->member, NULL, &in->tag_keys);                                                  \
	}                                                                                                              \
	status iam_list_##name##_tags(struct call *c, const struct iam_list_##name##_tags_input *in,                   \
		struct iam_list_##name##_tags_output *out)                                                             \
	{                                                                                                              \
		struct iam_rec_provider p;                                                                             \
		TRY(provider_get(c, kind, in->member, &p));                                                            \
		return iam_tags_page(                                                                                  \
			c, &p.tags, in->marker, in->max_items, &out->tags, &out->is_truncated, &out->marker);          \
	}
PROVIDER_TAGS("oidc", open_id_connect_provider, open_id_connect_provider_arn)
PROVIDER_TAGS("saml", saml_provider, saml_provider_arn)
