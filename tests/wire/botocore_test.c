/* Real services' messages against AWS's own Python client: botocore_cases.py makes requests with its serializers and
 * reads our responses with its parsers. This program stands between: VIRGA_BOTOCORE_CASES names a file of cases, one
 * JSON object a line; each request is routed, decoded and compared; each result is encoded and printed to
 * VIRGA_BOTOCORE_RESPONSES. */
#include "model.h"

static const struct wire_service *service_of(struct str name)
{
	for (size_t i = 0; i < wire_services_length; i++)
		if (str_eq(name, str_c(wire_services[i]->name))) return wire_services[i];
	return NULL;
}

/* The value helpers of model.h over a real service's tables. */
static struct model *model_over(struct arena *a, const struct wire_service *s)
{
	struct model *m = arena_new(a, struct model);
	m->a = a;
	m->service = *s;
	m->shapes = (struct wire_shape *)(uintptr_t)s->tables.shapes;
	m->members = (struct wire_member *)(uintptr_t)s->tables.members;
	m->n_shapes = s->tables.n_shapes;
	return m;
}

static bool check_request(struct arena *a, const struct wire_service *s, const struct wire_op *op, const struct tree *c)
{
	const struct tree *sent = tree_get(c, "request"), *headers = tree_get(sent, "headers");
	struct model *m = model_over(a, s);
	struct str body;
	if (!is_ok(str_unbase64(a, tree_str(sent, "body"), &body))) return false;
	struct wire_request r = {.method = tree_str(sent, "method"),
		.path = tree_str(sent, "path"),
		.query = tree_str(sent, "query"),
		.host = STR("localhost:4566"),
		.signing_name = str_c(s->signing_name),
		.body = body};
	struct wire_header *h = arena_new_n(a, struct wire_header, headers->n + 1);
	for (size_t i = 0; i < headers->n; i++)
		h[r.n_headers++] = (struct wire_header){headers->k[i], headers->v[i]->s};
	r.headers = h;
	struct wire_match match;
	struct wire_failure why = {0};
	if (!is_ok(wire_route(a, &r, &match, &why)) || match.service != s || match.op != op) {
		fprintf(stderr, "   routed to %.*s of %s\n", STR_ARG(match.op_name),
			match.service ? match.service->name : "nobody");
		return false;
	}
	if (op->in == WIRE_NO_SHAPE) return true;
	void *in = arena_alloc(a, m->shapes[op->in].size);
	if (!is_ok(wire_decode(a, &match, &r, in, &why))) {
		fprintf(stderr, "   %.*s\n", STR_ARG(why.message));
		return false;
	}
	return model_is(m, op->in, tree_get(c, "params"), in, false, false);
}

static void respond(
	struct arena *a, const struct wire_service *s, const struct wire_op *op, const struct tree *c, FILE *f)
{
	struct model *m = model_over(a, s);
	struct wire_match match = {
		.service = s, .op = op, .protocol = (enum wire_protocol)tree_get(c, "protocol")->num};
	struct wire_response r;
	void *out = NULL;
	if (op->out != WIRE_NO_SHAPE) {
		out = arena_alloc(a, m->shapes[op->out].size);
		model_set(m, op->out, tree_get(c, "result"), out, false);
	}
	wire_encode(a, &match, out, STR("the-request-id"), &r);
	struct buf b = BUF_IN(a);
	buf_fmt(&b, "{\"code\":%u,\"headers\":[", r.code);
	for (size_t i = 0; i < r.n_headers + r.n_prefixed; i++) {
		const struct wire_header *h = i < r.n_headers ? &r.headers[i] : &r.prefixed[i - r.n_headers];
		struct tree name = {.kind = T_STR, .s = h->name}, value = {.kind = T_STR, .s = h->value};
		if (i) buf_byte(&b, ',');
		buf_byte(&b, '[');
		tree_print(&b, &name);
		buf_byte(&b, ',');
		tree_print(&b, &value);
		buf_byte(&b, ']');
	}
	buf_lit(&b, "],\"body\":\"");
	buf_base64(&b, r.body);
	buf_lit(&b, "\"}\n");
	(void)fwrite(b.p, 1, b.n, f);
}

TEST(botocore)
{
	const char *cases = getenv("VIRGA_BOTOCORE_CASES"), *responses = getenv("VIRGA_BOTOCORE_RESPONSES");
	if (!cases || !responses) SKIP("run tests/wire/botocore_cases.py");
	FILE *in = fopen(cases, "r"), *out = fopen(responses, "w");
	CHECK(in && out);
	if (!in || !out) return;
	char *line = NULL;
	size_t capacity = 0;
	for (ssize_t n; (n = getline(&line, &capacity, in)) > 0;) {
		struct arena a;
		arena_init(&a);
		struct tree *c = tree_json(&a, str_n(line, (size_t)n));
		const struct wire_service *s = service_of(tree_str(c, "service"));
		const struct wire_op *op = s ? wire_op_find(&s->tables, tree_str(c, "op")) : NULL;
		CHECK(op);
		if (op && !check_request(&a, s, op, c)) {
			test_failed++;
			struct buf b = BUF_IN(&a);
			tree_print(&b, tree_get(c, "params"));
			fprintf(stderr, "request: %s %.*s protocol %g %.600s\n", s->name, STR_ARG(tree_str(c, "op")),
				tree_get(c, "protocol")->num, str_z(&a, buf_done(&b)));
		}
		if (op) respond(&a, s, op, c, out);
		arena_cleanup(&a);
	}
	free(line);
	(void)fclose(in);
	(void)fclose(out);
}
TEST_MAIN()
