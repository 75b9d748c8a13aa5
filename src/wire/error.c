/* Errors on the wire. The first half says what code and status each common error has in each family of services: AWS's
 * "Common errors" pages of the query, json and EC2 APIs, and S3's "Error responses". The second half writes the
 * response in each protocol's shape. */
#include "wire/internal.h"

enum family { QUERY, EC2, JSON, S3, FAMILIES };

struct codes {
	struct {
		const char *code;
		unsigned status;
	} in[FAMILIES];
};

/* clang-format off: a table */
static const struct codes common[ERR_COMMON_COUNT] = {
	/* query, ec2,
	   json, S3 */
	[ERR_ACCESS_DENIED] = {{{"AccessDenied", 403}, {"UnauthorizedOperation", 403},
		{"AccessDeniedException", 400}, {"AccessDenied", 403}}},
	[ERR_NOT_IMPLEMENTED] = {{{"NotImplemented", 501}, {"NotImplemented", 501},
		{"NotImplemented", 501}, {"NotImplemented", 501}}},
	[ERR_UNKNOWN_OPERATION] = {{{"InvalidAction", 400}, {"InvalidAction", 400},
		{"UnknownOperationException", 400}, {"MethodNotAllowed", 405}}},
	[ERR_UNKNOWN_SERVICE] = {{{"NotImplemented", 501}, {"NotImplemented", 501},
		{"NotImplemented", 501}, {"NotImplemented", 501}}},
	[ERR_INTERNAL] = {{{"InternalFailure", 500}, {"InternalError", 500},
		{"InternalServerError", 500}, {"InternalError", 500}}},
	[ERR_UNAVAILABLE] = {{{"ServiceUnavailable", 503}, {"Unavailable", 503},
		{"ServiceUnavailableException", 503}, {"ServiceUnavailable", 503}}},
	[ERR_THROTTLED] = {{{"Throttling", 400}, {"RequestLimitExceeded", 503},
		{"ThrottlingException", 400}, {"SlowDown", 503}}},
	[ERR_VALIDATION] = {{{"ValidationError", 400}, {"InvalidParameterValue", 400},
		{"ValidationException", 400}, {"InvalidArgument", 400}}},
	[ERR_SERIALIZATION] = {{{"MalformedInput", 400}, {"InvalidParameterValue", 400},
		{"SerializationException", 400}, {"MalformedXML", 400}}},
	[ERR_MISSING_PARAMETER] = {{{"MissingParameter", 400}, {"MissingParameter", 400},
		{"ValidationException", 400}, {"InvalidRequest", 400}}},
	[ERR_MISSING_AUTHENTICATION] = {{{"MissingAuthenticationToken", 403}, {"AuthFailure", 401},
		{"MissingAuthenticationTokenException", 400}, {"AccessDenied", 403}}},
	[ERR_INCOMPLETE_SIGNATURE] = {{{"IncompleteSignature", 400}, {"IncompleteSignature", 400},
		{"IncompleteSignatureException", 400}, {"AuthorizationHeaderMalformed", 400}}},
	[ERR_SIGNATURE] = {{{"SignatureDoesNotMatch", 403}, {"AuthFailure", 401},
		{"InvalidSignatureException", 400}, {"SignatureDoesNotMatch", 403}}},
	[ERR_UNKNOWN_KEY] = {{{"InvalidClientTokenId", 403}, {"AuthFailure", 401},
		{"UnrecognizedClientException", 400}, {"InvalidAccessKeyId", 403}}},
	[ERR_INVALID_TOKEN] = {{{"InvalidClientTokenId", 403}, {"AuthFailure", 401},
		{"UnrecognizedClientException", 400}, {"InvalidToken", 400}}},
	[ERR_EXPIRED_TOKEN] = {{{"ExpiredToken", 403}, {"RequestExpired", 400},
		{"ExpiredTokenException", 400}, {"ExpiredToken", 400}}},
	[ERR_TIME_SKEWED] = {{{"SignatureDoesNotMatch", 403}, {"RequestExpired", 400},
		{"InvalidSignatureException", 400}, {"RequestTimeTooSkewed", 403}}},
	[ERR_REQUEST_EXPIRED] = {{{"RequestExpired", 400}, {"RequestExpired", 400},
		{"RequestExpired", 400}, {"AccessDenied", 403}}},
	[ERR_TOO_LARGE] = {{{"RequestEntityTooLarge", 413}, {"RequestEntityTooLarge", 413},
		{"RequestEntityTooLargeException", 413}, {"EntityTooLarge", 400}}},
	[ERR_METHOD_NOT_ALLOWED] = {{{"InvalidAction", 405}, {"InvalidAction", 405},
		{"MethodNotAllowedException", 405}, {"MethodNotAllowed", 405}}},
};
/* clang-format on */

static bool is_service(const struct wire_match *m, const char *name)
{
	return m->service && strcmp(m->service->name, name) == 0;
}

static bool speaks_s3(const struct wire_match *m)
{
	if (!m->service) return m->protocol == 0 || m->protocol == WIRE_REST_XML;
	return is_service(m, "s3");
}

static enum family family_of(const struct wire_match *m)
{
	if (speaks_s3(m)) return S3;
	if (m->protocol == WIRE_EC2) return EC2;
	/* S3 Control, Route 53 and CloudFront share the query services' codes. */
	if (m->protocol == WIRE_QUERY || m->protocol == WIRE_REST_XML) return QUERY;
	return JSON;
}

/* Where single services differ from their family. */
static struct str special(const struct wire_match *m, error_id id, unsigned *http)
{
	if (m->service && m->protocol == WIRE_REST_JSON) {
		/* REST services answer these with 403 and 413 as HTTP means them. */
		if (id == ERR_ACCESS_DENIED || id == ERR_SIGNATURE || id == ERR_UNKNOWN_KEY ||
			id == ERR_MISSING_AUTHENTICATION || id == ERR_INVALID_TOKEN || id == ERR_EXPIRED_TOKEN ||
			id == ERR_TIME_SKEWED)
			*http = 403;
		if (id == ERR_THROTTLED) *http = 429;
		if (id == ERR_UNKNOWN_OPERATION) *http = 404;
		if (id == ERR_VALIDATION && is_service(m, "lambda")) return STR("InvalidParameterValueException");
		if (id == ERR_THROTTLED && is_service(m, "lambda")) return STR("TooManyRequestsException");
	}
	/* SDKs retry DynamoDB's throttling by this name (Developer Guide, Error handling). */
	if (id == ERR_THROTTLED && is_service(m, "dynamodb")) return STR("ProvisionedThroughputExceededException");
	if (id == ERR_ACCESS_DENIED && is_service(m, "sns")) return STR("AuthorizationError");
	if (id == ERR_VALIDATION && is_service(m, "logs")) return STR("InvalidParameterException");
	if (id == ERR_VALIDATION && is_service(m, "cloudwatch")) return STR("InvalidParameterValue");
	if (id == ERR_VALIDATION && m->protocol == WIRE_QUERY) {
		if (is_service(m, "sns")) return STR("InvalidParameter");
		if (is_service(m, "rds") || is_service(m, "elasticache") || is_service(m, "redshift"))
			return STR("InvalidParameterValue");
	}
	if (id == ERR_MISSING_PARAMETER && (is_service(m, "sqs") || is_service(m, "cloudwatch")))
		return STR("MissingParameter");
	return STR_NONE;
}

static const struct wire_error *own_error(const struct wire_match *m, error_id id)
{
	if (id < WIRE_ERR_SERVICE || !m->service) return NULL;
	INVARIANT(id - WIRE_ERR_SERVICE < m->service->tables.n_errors);
	return &m->service->tables.errors[id - WIRE_ERR_SERVICE];
}

struct str wire_error_code(const struct wire_match *m, error_id id, unsigned *http_status)
{
	const struct wire_error *e = own_error(m, id);
	if (e) {
		*http_status = e->status;
		bool legacy = m->protocol == WIRE_QUERY || m->protocol == WIRE_EC2;
		return wire_str(&m->service->tables, legacy ? e->query_code : e->code);
	}
	enum family f = family_of(m);
	if (id == ERR_NONE || id >= ERR_COMMON_COUNT) id = ERR_INTERNAL;
	*http_status = common[id].in[f].status;
	return str_or(special(m, id, http_status), str_c(common[id].in[f].code));
}

/* ── the response ── */

static bool is_message(struct str name)
{
	return str_ieq(name, STR("message"));
}

/* The member that holds the message, where the error's shape has one; its wire name is the one clients look for. */
static const struct wire_member *message_member(const struct wire_tables *t, uint16_t shape)
{
	if (shape == WIRE_NO_SHAPE) return NULL;
	const struct wire_shape *s = &t->shapes[shape];
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		if (t->shapes[m->shape].kind == WIRE_STRING && is_message(wire_str(t, m->name))) return m;
	}
	return NULL;
}

struct error {
	const struct wire_match *m;
	const struct wire_failure *why;
	const struct wire_tables *t; /* NULL where the error has no shape */
	uint16_t shape;
	struct str code, message, message_name, request_id;
	bool message_in_members; /* the modelled members hold it already */
	unsigned http;
};

static void xml_members(struct buf *b, const struct error *e, struct wire_xml_style style)
{
	if (e->t && e->why->members) wire_xml_members(b, e->t, style, e->shape, e->why->members);
	for (size_t i = 0; i < e->why->n_details; i++)
		wire_xml_leaf(b, e->why->details[i].name, e->why->details[i].value);
}

static void xml_message(struct buf *b, const struct error *e)
{
	if (!e->message_in_members && e->message.p) wire_xml_leaf(b, STR("Message"), e->message);
}

static void write_s3(struct buf *b, const struct error *e, struct str host_id)
{
	buf_lit(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
	wire_xml_leaf(b, STR("Code"), e->code);
	xml_message(b, e);
	xml_members(b, e, (struct wire_xml_style){.millis = true});
	wire_xml_leaf(b, STR("RequestId"), e->request_id);
	wire_xml_leaf(b, STR("HostId"), host_id);
	buf_lit(b, "</Error>");
}

static void write_ec2(struct buf *b, const struct error *e)
{
	buf_lit(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>");
	wire_xml_leaf(b, STR("Code"), e->code);
	xml_message(b, e);
	xml_members(b, e, (struct wire_xml_style){.millis = true});
	buf_lit(b, "</Error></Errors>");
	wire_xml_leaf(b, STR("RequestID"), e->request_id);
	buf_lit(b, "</Response>");
}

static void write_query(struct buf *b, const struct error *e)
{
	if (e->m->protocol == WIRE_REST_XML) buf_lit(b, "<?xml version=\"1.0\"?>\n");
	wire_xml_open(b, STR("ErrorResponse"),
		e->m->service && e->m->service->xmlns ? str_c(e->m->service->xmlns) : STR_NONE);
	buf_lit(b, "<Error>");
	wire_xml_leaf(b, STR("Type"), e->http >= 500 ? STR("Receiver") : STR("Sender"));
	wire_xml_leaf(b, STR("Code"), e->code);
	xml_message(b, e);
	xml_members(b, e, (struct wire_xml_style){.query = e->m->protocol == WIRE_QUERY});
	buf_lit(b, "</Error>");
	wire_xml_leaf(b, STR("RequestId"), e->request_id);
	buf_lit(b, "</ErrorResponse>");
}

static struct str type_name(struct arena *a, const struct error *e)
{
	if (is_service(e->m, "dynamodb") || is_service(e->m, "dynamodbstreams"))
		return str_cat(a,
			e->why->id >= WIRE_ERR_SERVICE ? STR("com.amazonaws.dynamodb.v20120810#")
						       : STR("com.amazon.coral.service#"),
			e->code);
	if (is_service(e->m, "sqs")) return str_cat(a, STR("com.amazonaws.sqs#"), e->code);
	return e->code;
}

static void write_json(struct arena *a, struct buf *b, const struct error *e)
{
	bool comma = false;
	buf_byte(b, '{');
	if (e->m->protocol != WIRE_REST_JSON) {
		buf_lit(b, "\"__type\":");
		wire_json_string(b, type_name(a, e));
		comma = true;
	}
	if (!e->message_in_members && e->message.p) {
		if (comma) buf_byte(b, ',');
		wire_json_string(b, e->message_name);
		buf_byte(b, ':');
		wire_json_string(b, e->message);
		comma = true;
	}
	if (e->t && e->why->members) wire_json_members(b, e->t, e->shape, e->why->members, &comma);
	for (size_t i = 0; i < e->why->n_details; i++) {
		if (comma) buf_byte(b, ',');
		comma = true;
		wire_json_string(b, e->why->details[i].name);
		buf_byte(b, ':');
		wire_json_string(b, e->why->details[i].value);
	}
	buf_byte(b, '}');
}

static void write_cbor(struct arena *a, struct buf *b, const struct error *e)
{
	buf_byte(b, (char)0xbf); /* a map of indefinite length */
	wire_cbor_text(b, STR("__type"));
	wire_cbor_text(b, type_name(a, e));
	if (!e->message_in_members && e->message.p) {
		wire_cbor_text(b, e->message_name);
		wire_cbor_text(b, e->message);
	}
	if (e->t && e->why->members) wire_cbor_members(b, e->t, e->shape, e->m->protocol == WIRE_AWS_CBOR, e->why->members);
	buf_byte(b, (char)0xff);
}

static struct error describe(const struct wire_match *m, const struct wire_failure *why, struct str request_id)
{
	struct error e = {
		.m = m, .why = why, .shape = WIRE_NO_SHAPE, .request_id = request_id, .message_name = STR("message")};
	const struct wire_error *own = own_error(m, why->id);
	e.code = wire_error_code(m, why->id, &e.http);
	if (str_has(why->code)) {
		e.code = why->code;
		e.http = why->http_status;
	}
	e.message = why->message;
	if (!own || own->shape == WIRE_NO_SHAPE) return e;
	e.t = &m->service->tables;
	e.shape = own->shape;
	const struct wire_member *mm = message_member(e.t, e.shape);
	if (!mm) return e;
	e.message_name = wire_str(e.t, mm->wire_name);
	e.message_in_members =
		why->members && ((const struct str *)(const void *)((const char *)why->members + mm->offset))->p;
	return e;
}

void wire_encode_error(struct arena *a, const struct wire_match *m, const struct wire_failure *why,
	struct str request_id, struct wire_response *r)
{
	struct error e = describe(m, why, request_id);
	struct buf b = BUF_IN(a);
	*r = (struct wire_response){.code = e.http};
	if (speaks_s3(m)) {
		/* Amazon's opaque second id; derived, so that the body and the header agree. */
		struct str host_id = str_base64(a, request_id);
		write_s3(&b, &e, host_id);
		wire_add_header(r, STR("x-amz-request-id"), request_id);
		wire_add_header(r, STR("x-amz-id-2"), host_id);
		wire_add_header(r, STR("Content-Type"), STR("application/xml"));
	} else {
		wire_add_header(r, STR("x-amzn-RequestId"), request_id);
		if (m->protocol == WIRE_AWS_CBOR) {
			write_cbor(a, &b, &e);
			wire_add_header(r, STR("Content-Type"), STR("application/x-amz-cbor-1.1"));
			r->body = buf_done(&b);
			return;
		}
		switch (m->protocol) {
		case WIRE_EC2:
			write_ec2(&b, &e);
			wire_add_header(r, STR("Content-Type"), STR("text/xml;charset=UTF-8"));
			break;
		case WIRE_QUERY:
		case WIRE_REST_XML:
			write_query(&b, &e);
			wire_add_header(r, STR("Content-Type"),
				m->protocol == WIRE_QUERY ? STR("text/xml") : STR("application/xml"));
			break;
		case WIRE_CBOR:
			write_cbor(a, &b, &e);
			wire_add_header(r, STR("smithy-protocol"), STR("rpc-v2-cbor"));
			wire_add_header(r, STR("Content-Type"), STR("application/cbor"));
			break;
		case WIRE_JSON10:
		case WIRE_JSON11:
		case WIRE_REST_JSON:
		default:
			write_json(a, &b, &e);
			wire_add_header(r, STR("x-amzn-ErrorType"), e.code);
			wire_add_header(r, STR("Content-Type"),
				m->protocol == WIRE_REST_JSON ? STR("application/json")
				: m->protocol == WIRE_JSON10  ? STR("application/x-amz-json-1.0")
							      : STR("application/x-amz-json-1.1"));
			break;
		}
		/* awsQueryCompatible: clients of the legacy protocol still look for its codes. */
		if (m->service && m->service->query_compatible && m->protocol != WIRE_QUERY) {
			const struct wire_error *own = own_error(m, why->id);
			struct str code = own ? wire_str(&m->service->tables, own->query_code) : e.code;
			wire_add_header(r, STR("x-amzn-query-error"),
				str_fmt(a, "%.*s;%s", STR_ARG(code), e.http >= 500 ? "Receiver" : "Sender"));
		}
	}
	if (e.t && why->members && (m->protocol & (WIRE_REST_JSON | WIRE_REST_XML)))
		wire_rest_write_headers(a, e.t, e.shape, why->members, r);
	/* RFC 9110 section 6.4.1: answers to HEAD, and 304, have no content. */
	if ((m->op && m->op->method == WIRE_HEAD) || e.http == 304) return;
	r->body = buf_done(&b);
}
