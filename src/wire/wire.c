/* The door of the room: one decode and one encode, handing on to the protocol's reader or writer. */
#include "wire/internal.h"

static status failed(struct wire_failure *why, struct str message)
{
	return wire_fail(why, ERR_SERIALIZATION, message);
}

/* A queue is also addressed by its URL's path (SQS Developer Guide, "Making Query API requests"). */
static void queue_url_from_path(struct arena *a, const struct wire_match *m, const struct wire_request *r, void *in)
{
	const struct wire_tables *t = &m->service->tables;
	uint32_t hint = 0;
	if (r->path.n < 2 || strcmp(m->service->name, "sqs") != 0) return;
	const struct wire_member *url = wire_member_find(t, &t->shapes[m->op->in], STR("QueueUrl"), &hint);
	if (!url || t->shapes[url->shape].kind != WIRE_STRING) return;
	struct str *slot = (struct str *)(void *)((char *)in + url->offset);
	if (!slot->p) *slot = str_fmt(a, "http://%.*s%.*s", STR_ARG(r->host), STR_ARG(r->path));
}

static status read_cbor(
	struct arena *a, const struct wire_match *m, const struct wire_request *r, void *in, struct wire_failure *why)
{
	struct str message = STR("");
	if (r->body.n == 0) return OK;
	return is_ok(wire_cbor_read(
		       a, &m->service->tables, m->op->in, m->protocol == WIRE_AWS_CBOR, r->body, in, &message))
		       ? OK
		       : failed(why, message);
}

status wire_decode(
	struct arena *a, const struct wire_match *m, const struct wire_request *r, void *in, struct wire_failure *why)
{
	const struct wire_tables *t = &m->service->tables;
	struct str message = STR("");
	if (m->op->in == WIRE_NO_SHAPE) return OK;
	if (m->protocol == WIRE_AWS_CBOR) return read_cbor(a, m, r, in, why);
	switch (m->protocol) {
	case WIRE_JSON10:
	case WIRE_JSON11:
		if (str_empty(wire_trim(r->body))) return OK;
		if (!is_ok(wire_json_read(a, t, m->op->in, r->body, in, false, &message))) return failed(why, message);
		return OK;
	case WIRE_QUERY:
	case WIRE_EC2:
		if (!is_ok(wire_query_read(a, t, m->op->in, m->protocol == WIRE_EC2, r->query, r->body, in, &message)))
			return failed(why, message);
		queue_url_from_path(a, m, r, in);
		return OK;
	case WIRE_CBOR:
		return read_cbor(a, m, r, in, why);
	case WIRE_REST_JSON:
	case WIRE_REST_XML:
		return wire_rest_read(a, m, r, in, why);
	}
	return failed(why, STR("Unknown protocol"));
}

static void encode_query(struct buf *b, const struct wire_match *m, const void *out, struct str request_id)
{
	const struct wire_tables *t = &m->service->tables;
	struct str op = wire_str(t, m->op->name), xmlns = m->service->xmlns ? str_c(m->service->xmlns) : STR_NONE;
	struct buf root = BUF_IN(b->arena);
	buf_str(&root, op);
	buf_lit(&root, "Response");
	wire_xml_open(b, buf_done(&root), xmlns);
	if (m->op->out != WIRE_NO_SHAPE) {
		struct buf result = BUF_IN(b->arena);
		if (m->op->result_wrapper) {
			buf_str(&result, wire_str(t, m->op->result_wrapper));
		} else {
			buf_str(&result, op);
			buf_lit(&result, "Result");
		}
		wire_xml_open(b, buf_done(&result), STR_NONE);
		if (out) wire_xml_members(b, t, (struct wire_xml_style){.query = true}, m->op->out, out);
		wire_xml_close(b, buf_done(&result));
	}
	buf_lit(b, "<ResponseMetadata>");
	wire_xml_leaf(b, STR("RequestId"), request_id);
	buf_lit(b, "</ResponseMetadata>");
	wire_xml_close(b, buf_done(&root));
}

static void encode_ec2(struct buf *b, const struct wire_match *m, const void *out, struct str request_id)
{
	const struct wire_tables *t = &m->service->tables;
	struct str root = str_cat(b->arena, wire_str(t, m->op->name), STR("Response"));
	struct str xmlns = m->service->xmlns ? str_c(m->service->xmlns) : STR_NONE;
	buf_lit(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	/* The model gives EC2's namespace without the slash that its responses end it with. */
	if (xmlns.n && !str_ends(xmlns, STR("/"))) xmlns = str_cat(b->arena, xmlns, STR("/"));
	wire_xml_open(b, root, xmlns);
	wire_xml_leaf(b, STR("requestId"), request_id);
	if (m->op->out != WIRE_NO_SHAPE && out)
		wire_xml_members(b, t, (struct wire_xml_style){.millis = true}, m->op->out, out);
	wire_xml_close(b, root);
}

static void encode_cbor(struct buf *b, const struct wire_match *m, const void *out, struct wire_response *r)
{
	bool aws = m->protocol == WIRE_AWS_CBOR;
	if (!aws) wire_add_header(r, STR("smithy-protocol"), STR("rpc-v2-cbor"));
	if (!aws && m->op->out == WIRE_NO_SHAPE) return;
	wire_add_header(r, STR("Content-Type"), aws ? STR("application/x-amz-cbor-1.1") : STR("application/cbor"));
	if (m->op->out == WIRE_NO_SHAPE) return;
	if (out)
		wire_cbor_write(b, &m->service->tables, m->op->out, aws, out);
	else
		buf_lit(b, "\xa0");
}

/* The messages of an output that is an event stream: a body of the service's; NULL where it is none. */
static void *event_stream(const struct wire_match *m, const void *out)
{
	const struct wire_tables *t = &m->service->tables;
	if (!(m->op->flags & WIRE_O_EVENTS) || m->op->out == WIRE_NO_SHAPE || !out) return NULL;
	const struct wire_shape *s = &t->shapes[m->op->out];
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *p = &t->members[s->first + i];
		void *body;
		if (t->shapes[p->shape].kind != WIRE_EVENTS) continue;
		memcpy(&body, (const char *)out + p->offset, sizeof body);
		return body;
	}
	return NULL;
}

void wire_encode(
	struct arena *a, const struct wire_match *m, const void *out, struct str request_id, struct wire_response *r)
{
	const struct wire_tables *t = &m->service->tables;
	struct buf b = BUF_IN(a);
	bool has = m->op->out != WIRE_NO_SHAPE && out;
	*r = (struct wire_response){.code = m->op->response_code ? m->op->response_code : 200};
	if (strcmp(m->service->name, "s3") == 0) {
		wire_add_header(r, STR("x-amz-request-id"), request_id);
		wire_add_header(r, STR("x-amz-id-2"), str_base64(a, request_id));
	} else {
		wire_add_header(r, STR("x-amzn-RequestId"), request_id);
	}
	if (m->protocol == WIRE_AWS_CBOR) {
		encode_cbor(&b, m, out, r);
		r->body = buf_done(&b);
		return;
	}
	switch (m->protocol) {
	case WIRE_REST_JSON:
	case WIRE_REST_XML:
		wire_rest_write(a, m, out, r);
		if (m->op->method == WIRE_HEAD) r->body = STR_NONE;
		return;
	case WIRE_JSON10:
	case WIRE_JSON11:
		if ((r->stream = event_stream(m, out))) {
			wire_add_header(r, STR("Content-Type"), STR("application/vnd.amazon.eventstream"));
			return;
		}
		/* Operations without an output answer an empty object or nothing; SDKs take both. AWS sends nothing
		 * in 1.1. */
		wire_add_header(r, STR("Content-Type"),
			m->protocol == WIRE_JSON10 ? STR("application/x-amz-json-1.0")
						   : STR("application/x-amz-json-1.1"));
		if (has)
			wire_json_write(&b, t, m->op->out, out, false);
		else if (m->protocol == WIRE_JSON10 || m->op->out != WIRE_NO_SHAPE)
			buf_lit(&b, "{}");
		break;
	case WIRE_QUERY:
		wire_add_header(r, STR("Content-Type"), STR("text/xml"));
		encode_query(&b, m, out, request_id);
		break;
	case WIRE_EC2:
		wire_add_header(r, STR("Content-Type"), STR("text/xml;charset=UTF-8"));
		encode_ec2(&b, m, out, request_id);
		break;
	case WIRE_CBOR:
		encode_cbor(&b, m, out, r);
		break;
	}
	r->body = buf_done(&b);
}
