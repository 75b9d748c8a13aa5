/* AWS's own signing test suite, read as a verifier does: from the signed request to canonical request, string to sign
 * and acceptance; and every signed request refused once anything in it is changed. The vectors are not part of this
 * repository: they are looked for in VIRGA_VECTORS and beside the working folder. */
#include "base/buf.h"
#include "identity/sigv4.h"
#include "test.h"
#include <dirent.h>
#include <unistd.h>

#define NOW_MS 1440938160000 /* 2015-08-30T12:36:00Z */

static const char *vectors(void)
{
	static char path[512];
	const char *roots[] = {getenv("VIRGA_VECTORS"), "../shared/vectors", "../../shared/vectors"};
	for (size_t i = 0; i < 3; i++) {
		if (!roots[i]) continue;
		snprintf(path, sizeof(path), "%s/sigv4", roots[i]);
		if (access(path, R_OK) == 0) return path;
	}
	return NULL;
}

static struct str load(struct arena *a, const char *suite, const char *name, const char *file)
{
	struct buf path = BUF_IN(a);
	buf_fmt(&path, "%s/%s/%s/%s", vectors(), suite, name, file);
	buf_byte(&path, 0);
	FILE *f = fopen(path.p, "rb");
	if (!f) return STR_NONE;
	struct buf b = BUF_IN(a);
	size_t n;
	do {
		n = fread(buf_reserve(&b, 4096), 1, 4096, f);
		b.n += n;
	} while (n);
	fclose(f);
	return buf_done(&b);
}

/* The suite's requests are not quite HTTP: bare line feeds, raw UTF-8 and spaces in the target, folded lines. */
static struct wire_request parse(struct arena *a, struct str text)
{
	struct wire_request r = {0};
	struct wire_header *headers = arena_new_n(a, struct wire_header, 64);
	struct str line = str_cut(&text, '\n');
	r.method = str_cut(&line, ' ');
	struct str target = str_sub(line, 0, (size_t)str_rchr(line, ' '));
	r.path = str_cut(&target, '?');
	r.query = target;
	while (text.n) {
		line = str_cut(&text, '\n');
		if (line.n == 0) break;
		if (line.p[0] == ' ') {
			struct str *v = &headers[r.n_headers - 1].value;
			*v = str_cat(a, str_cat(a, *v, STR("\n")), line);
			continue;
		}
		struct str name = str_cut(&line, ':');
		headers[r.n_headers++] = (struct wire_header){name, str_or(line, STR(""))};
		if (str_ieq(name, STR("host"))) r.host = line;
	}
	r.headers = headers;
	r.body = text.n ? text : STR("");
	return r;
}

static struct str member(struct str json, const char *name)
{
	char key[64];
	snprintf(key, sizeof(key), "\"%s\": \"", name);
	ptrdiff_t at = str_find(json, str_c(key));
	if (at < 0) return STR_NONE;
	struct str rest = str_from(json, (size_t)at + strlen(key));
	return str_cut(&rest, '"');
}

struct vector {
	struct wire_request request;
	struct sigv4 s;
	struct str secret;
	bool s3;
};

static bool accepts(struct arena *a, const struct vector *v, const struct wire_request *r)
{
	struct sigv4 s;
	struct wire_failure why;
	uint8_t key[32];
	if (!is_ok(sigv4_read(a, r, false, &s, &why)) || s.kind == SIG_NONE) return false;
	return is_ok(sigv4_verify(a, r, &s, v->s3, v->secret, NULL, NOW_MS, key, &why));
}

static struct str changed(struct arena *a, struct str s, size_t at)
{
	struct str copy = str_dup(a, s);
	char *p = arena_copy(a, copy.p, copy.n);
	p[at] = p[at] == 'x' ? 'y' : 'x';
	return str_n(p, copy.n);
}

static struct str replaced(struct arena *a, struct str s, const char *from, const char *to)
{
	ptrdiff_t at = str_find(s, str_c(from));
	if (at < 0) return STR_NONE;
	struct str head = str_sub(s, 0, (size_t)at), tail = str_from(s, (size_t)at + strlen(from));
	return str_cat(a, str_cat(a, head, str_c(to)), tail);
}

#define REFUSED(request, what)                                                                                         \
	do {                                                                                                           \
		test_checks++;                                                                                         \
		if (accepts(a, v, (request))) {                                                                        \
			test_failed++;                                                                                 \
			fprintf(stderr, "%s %s: accepted with another %s\n", name, form, what);                        \
		}                                                                                                      \
	} while (0)

static void refuse_changes(struct arena *a, const char *name, const char *form, const struct vector *v)
{
	struct wire_request r = v->request;
	r.method = STR("PUT");
	REFUSED(&r, "method");
	r = v->request;
	r.path = str_cat(a, r.path, STR("x"));
	REFUSED(&r, "path");
	r = v->request;
	r.query = str_has(r.query) ? str_cat(a, r.query, STR("&a=b")) : STR("a=b");
	REFUSED(&r, "query");
	r = v->request;
	r.body = STR("another body");
	if (!str_has(v->s.payload_hash)) REFUSED(&r, "body");
	struct wire_header *headers = arena_copy(a, r.headers, r.n_headers * sizeof(*headers));
	r = v->request;
	r.headers = headers;
	for (size_t i = 0; i < r.n_headers; i++) {
		struct str value = headers[i].value, lower = str_lower(a, headers[i].name);
		if (str_is(lower, "authorization")) {
			for (size_t at = value.n - 64; at < value.n; at += 9) {
				headers[i].value = changed(a, value, at);
				REFUSED(&r, "signature");
			}
			const char *edits[][2] = {{"us-east-1", "us-east-2"}, {"/service/", "/other/"},
				{"/20150830/", "/20150831/"}, {"aws4_request", "aws3_request"}, {"host", "hosts"},
				{"AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"}};
			for (size_t e = 0; e < 6; e++) {
				headers[i].value = replaced(a, value, edits[e][0], edits[e][1]);
				REFUSED(&r, edits[e][0]);
			}
		} else if (str_find(v->s.signed_headers, lower) >= 0 && value.n) {
			headers[i].value = changed(a, value, value.n - 1);
			REFUSED(&r, "header");
			if (str_is(lower, "x-amz-date")) {
				headers[i].value = STR("20150830T123601Z");
				REFUSED(&r, "date");
			}
		}
		headers[i].value = value;
	}
	if (v->s.kind == SIG_QUERY) {
		const char *edits[][2] = {{"us-east-1", "us-east-2"}, {"T123600Z", "T123601Z"},
			{"Expires=3600", "Expires=3601"}, {"Signature=", "Signature=0"},
			{"%2Fservice%2F", "%2Fother%2F"}, {"AKIDEXAMPLE", "AKIDEXAMPLF"}};
		for (size_t e = 0; e < 6; e++) {
			r = v->request;
			r.query = replaced(a, r.query, edits[e][0], edits[e][1]);
			CHECK(str_has(r.query));
			REFUSED(&r, edits[e][0]);
		}
		r = v->request;
		r.query = changed(a, r.query, r.query.n - 1);
		REFUSED(&r, "signature");
	}
}

static void check_vector(const char *name, const char *form)
{
	struct arena arena, *a = &arena;
	arena_init(a);
	char file[64];
	snprintf(file, sizeof(file), "%s-signed-request.txt", form);
	struct str context = load(a, "v4", name, "context.json");
	struct vector one = {.request = parse(a, load(a, "v4", name, file)),
			      .secret = member(context, "secret_access_key")},
		      *v = &one;
	v->s3 = str_find(context, STR("\"normalize\": false")) >= 0; /* the only difference between the dialects here */
	struct wire_failure why = {0};
	if (!is_ok(sigv4_read(a, &v->request, false, &v->s, &why))) {
		fprintf(stderr, "%s %s: %.*s\n", name, form, STR_ARG(why.message));
		CHECK(false);
	}
	bool query = strcmp(form, "query") == 0;
	CHECK(v->s.kind == (query ? SIG_QUERY : SIG_HEADER));
	CHECK_STR(v->s.access_key, STR("AKIDEXAMPLE"));
	CHECK_STR(v->s.region, member(context, "region"));
	CHECK_STR(v->s.service, member(context, "service"));
	CHECK_STR(v->s.session_token, member(context, "token"));
	CHECK(v->s.time_ms == NOW_MS);
	CHECK(v->s.expires_s == (query ? 3600 : -1));

	struct sigv4 s = v->s;
	s.token_unsigned = str_find(context, STR("\"omit_session_token\": true")) >= 0;
	struct str hash = s.payload_hash;
	if (!str_has(hash))
		hash = str_find(v->request.body, STR("Param1=value1")) == 0
			       ? STR("9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e")
			       : STR("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	struct str canonical = sigv4_canonical_request(a, &v->request, &s, v->s3, hash);
	snprintf(file, sizeof(file), "%s-canonical-request.txt", form);
	CHECK_STR(canonical, load(a, "v4", name, file));
	snprintf(file, sizeof(file), "%s-string-to-sign.txt", form);
	CHECK_STR(sigv4_string_to_sign(a, &s, canonical), load(a, "v4", name, file));
	snprintf(file, sizeof(file), "%s-signature.txt", form);
	CHECK_STR(s.signature, load(a, "v4", name, file));
	CHECK(accepts(a, v, &v->request));
	v->secret = STR("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEX");
	CHECK(!accepts(a, v, &v->request));
	v->secret = member(context, "secret_access_key");
	refuse_changes(a, name, form, v);
	arena_cleanup(a);
}

static int each(const char *suite, void (*fn)(const char *name, const char *form))
{
	char path[600];
	snprintf(path, sizeof(path), "%s/%s", vectors(), suite);
	DIR *d = opendir(path);
	int n = 0;
	for (struct dirent *e; d && (e = readdir(d));) {
		if (e->d_name[0] == '.') continue;
		fn(e->d_name, "header");
		fn(e->d_name, "query");
		n++;
	}
	if (d) closedir(d);
	return n;
}

TEST(signatures_of_awss_test_suite)
{
	if (!vectors()) SKIP("no test vectors (set VIRGA_VECTORS)");
	CHECK(each("v4", check_vector) >= 30);
}

static void check_v4a(const char *name, const char *form)
{
	struct arena arena;
	arena_init(&arena);
	char file[64];
	snprintf(file, sizeof(file), "%s-signed-request.txt", form);
	struct str text = load(&arena, "v4a", name, file);
	struct wire_request r = parse(&arena, text);
	struct sigv4 s;
	struct wire_failure why = {0};
	if (str_has(text)) /* two of the cases have no request */
		CHECK(status_is(sigv4_read(&arena, &r, false, &s, &why), STATUS_FAILED));
	if (str_has(text)) CHECK(s.kind == SIG_V4A && why.id == ERR_NOT_IMPLEMENTED);
	arena_cleanup(&arena);
}

TEST(multi_region_signatures_are_refused_by_name)
{
	if (!vectors()) SKIP("no test vectors (set VIRGA_VECTORS)");
	CHECK(each("v4a", check_v4a) >= 30);
}

TEST_MAIN()
