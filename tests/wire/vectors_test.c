/* AWS's protocol test vectors (see SOURCES.md beside them), in the server's direction: requests must decode to their
 * parameters, results and errors must encode to what the vectors' responses say. Skipped where the vectors are absent:
 * VIRGA_VECTORS names their folder, else ../shared/vectors beside the checkout or its parent. */
#include "left_out.h"
#include "model.h"
#include <dirent.h>

static const char *folder(void)
{
	static const char *const places[] = {"../shared/vectors", "../../shared/vectors"};
	const char *env = getenv("VIRGA_VECTORS");
	if (env) return env;
	for (size_t i = 0; i < 2; i++) {
		DIR *d = opendir(places[i]);
		if (!d) continue;
		closedir(d);
		return places[i];
	}
	return NULL;
}

static struct str read_file(struct arena *a, const char *path)
{
	struct buf b = BUF_IN(a);
	FILE *f = fopen(path, "rb");
	if (!f) return STR_NONE;
	for (size_t n; (n = fread(buf_reserve(&b, 1 << 16), 1, 1 << 16, f)) > 0;) b.n += n;
	fclose(f);
	return buf_done(&b);
}

static size_t passed, failed, left;
static bool used[sizeof left_out / sizeof *left_out];

static bool is_left_out(const char *direction, const char *file, struct str id)
{
	for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++) {
		if (strcmp(left_out[i].direction, direction) != 0 || !str_eq(id, str_c(left_out[i].id)) ||
			strcmp(left_out[i].file, file) != 0)
			continue;
		used[i] = true;
		left++;
		return true;
	}
	return false;
}

static struct str body_of(struct arena *a, const struct model *m, const struct tree *message)
{
	struct str body = str_or(tree_str(message, "body"), STR("")), bytes;
	if (m->service.protocol == WIRE_CBOR && is_ok(str_unbase64(a, body, &bytes))) return bytes;
	return body;
}

/* ── requests ── */
static bool run_input(struct arena *a, const struct tree *suite, const struct tree *c)
{
	struct model *m = model_new(a, suite, tree_get(c, "given"));
	const struct tree *sent = tree_get(c, "serialized"), *headers = tree_get(sent, "headers");
	struct str query = tree_str(sent, "uri"), path = str_cut(&query, '?');
	struct wire_request r = {.method = tree_str(sent, "method"),
		.path = path,
		.query = query,
		.host = STR("localhost"),
		.body = body_of(a, m, sent)};
	struct wire_header *h = arena_new_n(a, struct wire_header, (headers ? headers->n : 0) + 1);
	for (size_t i = 0; headers && i < headers->n; i++)
		h[r.n_headers++] = (struct wire_header){headers->k[i], headers->v[i]->s};
	r.headers = h;
	struct wire_match match = {
		.service = &m->service, .op = &m->op, .protocol = (enum wire_protocol)m->service.protocol};
	struct wire_failure why = {0};
	if (match.protocol & (WIRE_REST_JSON | WIRE_REST_XML)) {
		if (!wire_route_rest(&m->service, &r, &match)) return fprintf(stderr, "   no route\n"), false;
	}
	if (m->op.in == WIRE_NO_SHAPE) return true;
	void *in = arena_alloc(a, m->shapes[m->op.in].size);
	if (!is_ok(wire_decode(a, &match, &r, in, &why)))
		return fprintf(stderr, "   %.*s\n", STR_ARG(why.message)), false;
	bool lenient = !(match.protocol & (WIRE_JSON10 | WIRE_JSON11 | WIRE_CBOR));
	return model_is(m, m->op.in, tree_get(c, "params"), in, false, lenient);
}

/* ── responses ── */
/* What the protocols add around the members, and clients pass over. */
static struct tree *without_ids(struct arena *a, struct tree *t)
{
	static const char *const ids[] = {"RequestId", "requestId", "RequestID", "ResponseMetadata", "HostId"};
	if (!t || t->kind != T_MAP) return t;
	struct tree *o = tree_new(a, T_MAP);
	for (size_t i = 0; i < t->n; i++) {
		bool id = false;
		for (size_t k = 0; k < 5; k++) id |= str_eq(t->k[i], str_c(ids[k]));
		struct tree *v = t->v[i];
		/* "ns#Name:uri" means Name */
		if ((str_is(t->k[i], "__type") || str_is(t->k[i], "code")) && v->kind == T_STR) {
			struct tree *short_name = tree_new(a, T_STR);
			struct str rest = v->s;
			rest = str_from(rest, (size_t)(str_chr(rest, '#') + 1));
			short_name->s = str_cut(&rest, ':');
			v = short_name;
		}
		if (!id) tree_add(a, o, t->k[i], v);
	}
	return o;
}

static bool same_body(struct arena *a, const struct model *m, struct str got, struct str want)
{
	struct str got_root = STR_NONE, want_root = STR_NONE;
	struct tree *g = NULL, *w = NULL;
	bool xml = m->service.protocol & (WIRE_QUERY | WIRE_EC2 | WIRE_REST_XML);
	if (str_eq(got, want)) return true;
	if (m->service.protocol == WIRE_CBOR) {
		g = got.n ? tree_cbor(a, got) : tree_new(a, T_MAP);
		w = want.n ? tree_cbor(a, want) : tree_new(a, T_MAP);
	} else if (xml && str_chr(got, '<') >= 0) {
		g = tree_xml(a, got, &got_root);
		w = tree_xml(a, want, &want_root);
	} else if (!xml) {
		g = got.n ? tree_json(a, got) : tree_new(a, T_MAP);
		w = want.n ? tree_json(a, want) : tree_new(a, T_MAP);
	}
	if (!g) return fprintf(stderr, "   unreadable\n"), false;
	if (!w) return fprintf(stderr, "   the vector's body is unreadable\n"), false;
	if (!str_eq(got_root, want_root))
		return fprintf(stderr, "   root %.*s, not %.*s\n", STR_ARG(got_root), STR_ARG(want_root)), false;
	return tree_same(a, without_ids(a, g), without_ids(a, w));
}

static struct str media_type(struct str s)
{
	return str_trim(str_cut(&s, ';'));
}

static bool same_headers(struct arena *a, const struct wire_response *r, const struct tree *want)
{
	for (size_t i = 0; want && i < want->n; i++) {
		struct str got = STR_NONE, w = want->v[i]->s;
		if (str_ieq(want->k[i], STR("Content-Length"))) continue;
		for (size_t k = 0; k < r->n_headers; k++)
			if (str_ieq(r->headers[k].name, want->k[i])) got = r->headers[k].value;
		for (size_t k = 0; k < r->n_prefixed; k++)
			if (str_ieq(r->prefixed[k].name, want->k[i])) got = r->prefixed[k].value;
		struct tree gt = {.kind = T_STR, .s = got}, wt = {.kind = T_STR, .s = w};
		bool same = str_ieq(want->k[i], STR("Content-Type")) ? str_ieq(media_type(got), media_type(w))
								     : tree_same(a, &gt, &wt);
		if (str_ieq(want->k[i], STR("X-Amzn-Errortype"))) same = str_eq(got, w);
		if (!same)
			return fprintf(stderr, "   header %.*s is «%.*s», not «%.*s»\n", STR_ARG(want->k[i]),
				       STR_ARG(got), STR_ARG(w)),
			       false;
	}
	return true;
}

static bool set_error(struct model *m, const struct tree *c, struct wire_failure *why)
{
	const struct tree *errors = tree_get(tree_get(c, "given"), "errors");
	struct str code = tree_str(c, "errorCode");
	for (uint32_t i = 0; i < m->n_errors; i++) {
		const struct wire_error *e = &m->errors[i];
		bool listed = false;
		for (size_t k = 0; errors && k < errors->n; k++)
			listed |= str_eq(tree_str(errors->v[k], "shape"), wire_str(&m->service.tables, e->name));
		if (!listed || (!str_eq(wire_str(&m->service.tables, e->name), code) &&
				       !str_eq(wire_str(&m->service.tables, e->query_code), code)))
			continue;
		void *members = arena_alloc(m->a, m->shapes[e->shape].size);
		model_set(m, e->shape, tree_get(c, "error"), members, false);
		*why = (struct wire_failure){.id = (error_id)(WIRE_ERR_SERVICE + i),
			.message = tree_str(c, "errorMessage"),
			.members = members};
		return true;
	}
	return false;
}

static bool run_output(struct arena *a, const struct tree *suite, const struct tree *c)
{
	struct model *m = model_new(a, suite, tree_get(c, "given"));
	const struct tree *want = tree_get(c, "response"), *code = tree_get(want, "status_code");
	struct wire_match match = {
		.service = &m->service, .op = &m->op, .protocol = (enum wire_protocol)m->service.protocol};
	struct wire_response r;
	struct wire_failure why = {0};
	if (tree_get(c, "errorCode")) {
		if (!set_error(m, c, &why)) return fprintf(stderr, "   no such error\n"), false;
		wire_encode_error(a, &match, &why, STR("foo-id"), &r);
	} else {
		void *out = NULL;
		if (m->op.out != WIRE_NO_SHAPE) {
			out = arena_alloc(a, m->shapes[m->op.out].size);
			model_set(m, m->op.out, tree_get(c, "result"), out, false);
		}
		struct str id = tree_str(tree_get(want, "headers"), "X-Amzn-Requestid");
		wire_encode(a, &match, out, str_or(id, STR("foo-id")), &r);
	}
	struct str body = body_of(a, m, want);
	bool same = true;
	if (code && r.code != (unsigned)code->num)
		same = (fprintf(stderr, "   status %u, not %g\n", r.code, code->num), false);
	if (!same_headers(a, &r, tree_get(want, "headers"))) same = false;
	if (tree_get(want, "body") && !same_body(a, m, r.body.p ? r.body : STR(""), body)) {
		same = false;
		fprintf(stderr, "   body «%.*s»\n   want «%.*s»\n", STR_ARG(r.body), STR_ARG(body));
	}
	return same;
}

static void run_file(struct arena *a, const char *vectors, const char *direction, const char *name)
{
	struct str text = read_file(a, str_z(a, str_fmt(a, "%s/protocols/%s/%s", vectors, direction, name)));
	struct tree *suites = str_has(text) ? tree_json(a, text) : NULL;
	CHECK(suites);
	bool input = strcmp(direction, "input") == 0;
	for (size_t i = 0; suites && i < suites->n; i++) {
		const struct tree *cases = tree_get(suites->v[i], "cases");
		for (size_t k = 0; cases && k < cases->n; k++) {
			struct str id = tree_str(cases->v[k], "id");
			if (is_left_out(direction, name, id)) continue;
			bool good = input ? run_input(a, suites->v[i], cases->v[k])
					  : run_output(a, suites->v[i], cases->v[k]);
			test_checks++;
			if (good) {
				passed++;
				continue;
			}
			failed++;
			test_failed++;
			fprintf(stderr, "%s/%s: %.*s\n", direction, name, STR_ARG(id));
		}
	}
}

TEST(vectors)
{
	static const char *const files[] = {"ec2.json", "json.json", "json_1_0.json", "json_1_0-query-compatible.json",
		"query.json", "rest-json.json", "rest-xml.json", "smithy-rpc-v2-cbor.json",
		"smithy-rpc-v2-cbor-query-compatible.json", "smithy-rpc-v2-cbor-non-query-compatible.json"};
	const char *vectors = folder();
	if (!vectors) SKIP("no vectors: set VIRGA_VECTORS");
	for (int d = 0; d < 2; d++)
		for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
			struct arena a;
			size_t p = passed, f = failed, l = left;
			arena_init(&a);
			run_file(&a, vectors, d ? "output" : "input", files[i]);
			printf("%s %-46s %3zu passed, %zu failed, %zu left out\n", d ? "output" : "input ", files[i],
				passed - p, failed - f, left - l);
			arena_cleanup(&a);
		}
	printf("%zu vectors passed, %zu failed, %zu left out\n", passed, failed, left);
	/* The list may only shrink: each entry names a vector that exists. */
	CHECK(left <= sizeof left_out / sizeof *left_out);
	for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
		if (!used[i])
			test_failed++, fprintf(stderr, "left out but absent: %s/%s %s\n", left_out[i].direction,
					       left_out[i].file, left_out[i].id);
}
TEST_MAIN()
