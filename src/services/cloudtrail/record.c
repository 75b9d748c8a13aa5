/* The record of a call, as trails deliver it ("CloudTrail record contents for management, data, and network activity
 * events"). */
#include "base/json.h"
#include "base/rand.h"
#include "services/cloudtrail/room.h"
#include "services/iam/door.h"
#include "sts.h"

struct parts {
	struct call *c;
	const struct ct_class *k;
	const struct cloudtrail_rec_resources *resources;
	struct str name, source, region, parameters, response, code, address, agent;
};

static void member(struct buf *b, const char *name, struct str value)
{
	buf_fmt(b, ",\"%s\":", name);
	json_quote(b, value);
}

static bool failed(const struct call *c)
{
	return str_has(c->failure.message) || c->failure.id != ERR_NONE;
}

/* Errors are told by their names in the model; EC2 says whose fault they are ("Client.InvalidInstanceID.NotFound"). */
static struct str error_code(struct call *c)
{
	const struct wire_tables *t = &c->match.service->tables;
	unsigned code;
	if (!failed(c)) return STR_NONE;
	struct str wire = str_has(c->failure.code) ? c->failure.code : wire_error_code(&c->match, c->failure.id, &code);
	if (c->match.service->protocol == WIRE_EC2)
		return str_fmt(c->arena, "%s.%.*s", c->answered_code >= 500 ? "Server" : "Client", STR_ARG(wire));
	if (str_has(c->failure.code) || c->failure.id < WIRE_ERR_SERVICE || strcmp(c->match.service->name, "s3") == 0)
		return wire;
	return wire_str(t, t->errors[c->failure.id - WIRE_ERR_SERVICE].name);
}

/* Services that name the resources in the record itself. */
static bool names_resources(const struct call *c, const struct ct_class *k)
{
	const char *n = c->match.service->name;
	return k->data != CT_MANAGEMENT || strcmp(n, "s3") == 0 || strcmp(n, "kms") == 0 ||
	       (strcmp(n, "sts") == 0 && c->match.op_index != STS_OP_GET_CALLER_IDENTITY);
}

static void write_resources(struct buf *b, const struct parts *p)
{
	if (!p->resources->n || !names_resources(p->c, p->k)) return;
	buf_lit(b, ",\"resources\":[");
	for (size_t i = 0; i < p->resources->n; i++) {
		const struct cloudtrail_rec_resource *r = &p->resources->v[i];
		buf_str(b, i ? STR(",{") : STR("{"));
		if (r->account.n) {
			buf_lit(b, "\"accountId\":");
			json_quote(b, r->account);
			buf_byte(b, ',');
		}
		buf_lit(b, "\"type\":");
		json_quote(b, r->type);
		buf_lit(b, ",\"ARN\":");
		json_quote(b, r->arn);
		buf_byte(b, '}');
	}
	buf_byte(b, ']');
}

static void write_additional(struct buf *b, const struct parts *p)
{
	struct call *c = p->c;
	if (strcmp(c->match.service->name, "s3") != 0 || !c->http || str_has(ct_invoker(c))) return;
	struct str auth = call_request_header(c, STR("Authorization"));
	buf_lit(b, ",\"additionalEventData\":{");
	if (c->principal.kind != PRINCIPAL_ANONYMOUS)
		buf_fmt(b, "\"SignatureVersion\":\"%s\",\"AuthenticationMethod\":\"%s\",",
			str_starts(str_or(auth, STR("")), STR("AWS ")) ? "SigV2" : "SigV4",
			str_has(auth) ? "AuthHeader" : "QueryString");
	buf_fmt(b, "\"bytesTransferredIn\":%lld,\"bytesTransferredOut\":%llu}",
		(long long)(c->http->content_length > 0 ? c->http->content_length : 0),
		(unsigned long long)c->answered_bytes);
}

static struct str text_of(const struct parts *p, struct str id, struct str shared, struct str account, bool foreign)
{
	struct call *c = p->c;
	struct buf b = BUF_IN(c->arena);
	buf_reserve(&b, 1024 + p->parameters.n + p->response.n);
	buf_lit(&b, "{\"eventVersion\":\"1.11\",\"userIdentity\":");
	ct_identity(&b, c, foreign);
	member(&b, "eventTime", time_iso8601(c->arena, c->now_ms, false));
	member(&b, "eventSource", p->source);
	member(&b, "eventName", p->name);
	member(&b, "awsRegion", p->region);
	member(&b, "sourceIPAddress", p->address);
	member(&b, "userAgent", p->agent);
	if (str_has(p->code)) {
		member(&b, "errorCode", p->code);
		member(&b, "errorMessage", str_sub(str_or(c->failure.message, STR("")), 0, 1024));
	}
	buf_lit(&b, ",\"requestParameters\":");
	buf_str(&b, p->parameters);
	buf_lit(&b, ",\"responseElements\":");
	buf_str(&b, p->response);
	write_additional(&b, p);
	member(&b, "requestID", c->request_id);
	member(&b, "eventID", id);
	buf_fmt(&b, ",\"readOnly\":%s", p->k->read_only ? "true" : "false");
	write_resources(&b, p);
	buf_lit(&b, ",\"eventType\":\"AwsApiCall\"");
	buf_fmt(&b, ",\"managementEvent\":%s", p->k->data == CT_MANAGEMENT ? "true" : "false");
	member(&b, "recipientAccountId", account);
	if (str_has(shared)) member(&b, "sharedEventID", shared);
	member(&b, "eventCategory", p->k->data == CT_MANAGEMENT ? STR("Management") : STR("Data"));
	/* What protects the connection is the edge's; of it only the name that was asked for is known here. */
	if (c->http && c->http->tls) {
		buf_lit(&b, ",\"tlsDetails\":{\"clientProvidedHostHeader\":");
		json_quote(&b, c->http->host);
		buf_byte(&b, '}');
	}
	buf_byte(&b, '}');
	return buf_done(&b);
}

/* The account of whom the call used something, where that is not the caller's: the first such resource's. Where nobody
 * has signed, the role tells where it happens. */
static struct str other_account(const struct parts *p)
{
	for (size_t i = 0; i < p->resources->n; i++) {
		struct str owner = p->resources->v[i].account;
		if (owner.n == 12 && !str_eq(owner, p->c->account)) return owner;
	}
	return STR_NONE;
}

static struct str account_of_role(struct call *c)
{
	const void *in = call_input(c);
	struct str arn = STR_NONE;
	if (!in || strcmp(c->match.service->name, "sts") != 0) return STR_NONE;
	if (c->match.op_index == STS_OP_ASSUME_ROLE_WITH_WEB_IDENTITY)
		arn = ((const struct sts_assume_role_with_web_identity_request *)in)->role_arn;
	else if (c->match.op_index == STS_OP_ASSUME_ROLE_WITH_SAML)
		arn = ((const struct sts_assume_role_with_saml_request *)in)->role_arn;
	for (int i = 0; i < 4 && str_has(arn); i++) str_cut(&arn, ':');
	return str_has(arn) ? str_cut(&arn, ':') : STR_NONE;
}

static struct cloudtrail_rec_event event_of(const struct parts *p, struct str account, struct str shared, bool foreign)
{
	struct call *c = p->c;
	struct str id = rand_uuid(c->arena);
	return (struct cloudtrail_rec_event){
		.id = id,
		.name = p->name,
		.source = p->source,
		.account = account,
		.region = p->region,
		.time = SOME_TIME(c->now_ms),
		.read_only = SOME_BOOL(p->k->read_only),
		.username = foreign ? STR_NONE : ct_username(c),
		.access_key = foreign || !str_has(c->principal.access_key) || !c->principal.access_key.n
				      ? STR_NONE
				      : c->principal.access_key,
		.resources = *p->resources,
		.text = text_of(p, id, shared, account, foreign),
		.data_type = p->k->data == CT_MANAGEMENT ? STR_NONE : ct_data_type((enum ct_data)p->k->data),
		.error = p->code,
		.identity = c->principal.arn,
		.issuer = foreign || c->principal.kind == PRINCIPAL_ANONYMOUS || c->principal.kind == PRINCIPAL_SERVICE
				  ? STR_NONE
				  : iam_issuer_arn(c->arena, &c->principal),
	};
}

size_t ct_events(struct call *c, const struct ct_class *k, const struct cloudtrail_rec_resources *resources, bool done,
	struct cloudtrail_rec_event out[CT_EVENTS_PER_CALL])
{
	struct parts p = {.c = c, .k = k, .resources = resources};
	struct buf parameters = BUF_IN(c->arena), response = BUF_IN(c->arena);
	struct str signing = str_c(c->match.service->signing_name), other = other_account(&p), own = c->account;
	size_t n = 0;
	if (!own.n) own = account_of_role(c);
	if (!own.n && !other.n) return 0;
	p.name = ct_event_name(&c->match);
	p.source = ct_event_source(c->arena, &c->match);
	p.region = ct_is_global(signing) ? STR("us-east-1") : c->region;
	p.address = ct_address(c);
	p.agent = str_has(ct_invoker(c)) ? ct_invoker(c)
					 : str_sub(str_or(call_request_header(c, STR("User-Agent")), STR("")), 0, 1024);
	p.code = done ? error_code(c) : STR_NONE;
	ct_parameters(&parameters, c);
	ct_response(&response, c, k->read_only);
	p.parameters = buf_done(&parameters);
	p.response = buf_done(&response);
	struct str shared = own.n && other.n ? rand_uuid(c->arena) : STR_NONE;
	if (own.n) out[n++] = event_of(&p, own, shared, false);
	if (other.n) out[n++] = event_of(&p, other, shared, true);
	return n;
}
