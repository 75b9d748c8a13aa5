/* aws-chunked: AWS's published example with and without trailers, in every cut, and everything that must be refused. */
#include "base/buf.h"
#include "identity/chunked.h"
#include "identity/digest.h"
#include "test.h"

/* "Example: PUT Object" of "Transferring Payload in Multiple Chunks": 65 KiB of 'a' in chunks of 64 KiB and 1 KiB. */
#define SECRET STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
#define NOW_MS 1369353600000 /* 2013-05-24T00:00:00Z */
enum { TOTAL = 66560 };

struct upload {
	struct arena arena;
	struct sigv4 s;
	uint8_t key[32];
	struct buf body;
};

static void chunk(struct buf *b, size_t n, const char *signature)
{
	buf_fmt(b, "%zx", n);
	if (signature) buf_fmt(b, ";chunk-signature=%s", signature);
	buf_lit(b, "\r\n");
	if (n == 0) return;
	memset(buf_reserve(b, n), 'a', n);
	b->n += n;
	buf_lit(b, "\r\n");
}

static void begin(struct upload *u, const struct wire_header *headers, size_t n)
{
	arena_init(&u->arena);
	u->body = BUF_IN(&u->arena);
	struct wire_request r = {.method = STR("PUT"),
		.path = STR("/examplebucket/chunkObject.txt"),
		.query = STR_NONE,
		.host = STR("s3.amazonaws.com"),
		.headers = headers,
		.n_headers = n};
	struct wire_failure why = {0};
	CHECK_OK(sigv4_read(&u->arena, &r, true, &u->s, &why));
	CHECK_OK(sigv4_verify(&u->arena, &r, &u->s, true, SECRET, NULL, NOW_MS, u->key, &why));
}

static void begin_plain(struct upload *u)
{
	static const struct wire_header headers[] = {
		{{"Host", 4}, {"s3.amazonaws.com", 16}},
		{{"x-amz-date", 10}, {"20130524T000000Z", 16}},
		{{"x-amz-storage-class", 19}, {"REDUCED_REDUNDANCY", 18}},
		{{"Authorization", 13}, {"AWS4-HMAC-SHA256 "
					 "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
					 "aws4_request,SignedHeaders=content-encoding;content-"
					 "length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-"
					 "amz-storage-class,Signature="
					 "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
						17 + 79 + 125 + 75 - 3}},
		{{"x-amz-content-sha256", 20}, {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", 34}},
		{{"Content-Encoding", 16}, {"aws-chunked", 11}},
		{{"x-amz-decoded-content-length", 28}, {"66560", 5}},
		{{"Content-Length", 14}, {"66824", 5}},
	};
	struct wire_header copy[8];
	memcpy(copy, headers, sizeof(copy));
	copy[3].value.n = strlen(copy[3].value.p);
	begin(u, copy, 8);
	chunk(&u->body, 65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
	chunk(&u->body, 1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497");
	chunk(&u->body, 0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
	buf_lit(&u->body, "\r\n");
}

/* "Example: PUT Object" of "Including Trailing Headers". */
static void begin_trailing(struct upload *u)
{
	const struct wire_header headers[] = {
		{STR("Host"), STR("s3.amazonaws.com")},
		{STR("x-amz-date"), STR("20130524T000000Z")},
		{STR("x-amz-storage-class"), STR("REDUCED_REDUNDANCY")},
		{STR("Authorization"), STR("AWS4-HMAC-SHA256 "
					   "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
					   "aws4_request,SignedHeaders=content-encoding;host;"
					   "x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-"
					   "class;x-amz-trailer,Signature="
					   "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e")},
		{STR("x-amz-content-sha256"), STR("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")},
		{STR("Content-Encoding"), STR("aws-chunked")},
		{STR("x-amz-decoded-content-length"), STR("66560")},
		{STR("x-amz-trailer"), STR("x-amz-checksum-crc32c")},
	};
	begin(u, headers, 8);
	chunk(&u->body, 65536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2");
	chunk(&u->body, 1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7");
	chunk(&u->body, 0, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992");
	buf_lit(&u->body, "x-amz-checksum-crc32c:sOO8/Q==\r\n");
	buf_lit(&u->body,
		"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n");
}

static void begin_unsigned(struct upload *u, const char *declared)
{
	arena_init(&u->arena);
	u->body = BUF_IN(&u->arena);
	u->s = (struct sigv4){
		.kind = SIG_HEADER, .payload = SIG_PAYLOAD_CHUNKED_UNSIGNED_TRAILER, .decoded_length = UINT64_MAX};
	if (declared) CHECK_OK(str_to_u64(str_c(declared), &u->s.decoded_length));
}

struct taken {
	size_t n;
	bool all_a;
};
static status take(void *ctx, const void *p, size_t n)
{
	struct taken *t = ctx;
	const char *c = p;
	for (size_t i = 0; i < n; i++) t->all_a &= c[i] == 'a';
	t->n += n;
	return OK;
}

/* Feeds the body cut at the given place; true when it is accepted whole. */
static bool feed(struct upload *u, struct str body, size_t cut, struct taken *t, struct wire_failure *why)
{
	*t = (struct taken){0, true};
	*why = (struct wire_failure){0};
	struct chunked *c = chunked_new(&u->arena, &u->s, u->key);
	bool good = is_ok(chunked_feed(c, body.p, cut, take, t, why)) &&
		    is_ok(chunked_feed(c, body.p + cut, body.n - cut, take, t, why)) && is_ok(chunked_end(c, why));
	chunked_free(c);
	return good;
}

static bool accepted(struct upload *u, const char *want_code)
{
	struct taken t;
	struct wire_failure why;
	bool good = feed(u, buf_done(&u->body), 0, &t, &why);
	if (!good && want_code) CHECK_STR(why.code, str_c(want_code));
	return good;
}

static void in_every_cut(struct upload *u, size_t decoded)
{
	struct str body = buf_done(&u->body);
	for (size_t cut = 0; cut <= body.n; cut += cut > 200 && cut < 65500 ? 997 : 1) {
		struct taken t;
		struct wire_failure why;
		CHECK(feed(u, body, cut, &t, &why));
		CHECK(t.n == decoded && t.all_a);
	}
	/* byte by byte */
	struct taken t = {0, true};
	struct wire_failure why;
	struct chunked *c = chunked_new(&u->arena, &u->s, u->key);
	for (size_t i = 0; i < body.n; i++) CHECK(is_ok(chunked_feed(c, body.p + i, 1, take, &t, &why)));
	CHECK_OK(chunked_end(c, &why));
	CHECK(t.n == decoded && t.all_a);
}

TEST(awss_example)
{
	struct upload u;
	begin_plain(&u);
	CHECK(u.body.n == 66824);
	in_every_cut(&u, TOTAL);
	arena_cleanup(&u.arena);
}

TEST(awss_example_with_trailers)
{
	struct upload u;
	begin_trailing(&u);
	in_every_cut(&u, TOTAL);
	struct taken t = {0, true};
	struct wire_failure why;
	struct chunked *c = chunked_new(&u.arena, &u.s, u.key);
	CHECK_OK(chunked_feed(c, u.body.p, u.body.n, take, &t, &why));
	CHECK_OK(chunked_end(c, &why));
	size_t n;
	const struct wire_header *h = chunked_trailers(c, &n);
	CHECK(n == 1);
	CHECK_STR(h[0].name, STR("x-amz-checksum-crc32c"));
	CHECK_STR(h[0].value, STR("sOO8/Q=="));
	CHECK_OK(chunked_match_announced(c, STR("X-Amz-Checksum-CRC32C"), &why));
	CHECK(!is_ok(chunked_match_announced(c, STR("x-amz-checksum-crc32"), &why)));
	CHECK_STR(why.code, STR("MalformedTrailerError"));
	CHECK(!is_ok(chunked_match_announced(c, STR_NONE, &why)));
	CHECK(!is_ok(chunked_match_announced(c, STR("x-amz-checksum-crc32c,x-amz-checksum-crc32"), &why)));
	arena_cleanup(&u.arena);
}

/* Every flipped byte that carries meaning has to be noticed; any truncation, too. */
TEST(changed_bodies_are_refused)
{
	void (*const kinds[])(struct upload *) = {begin_plain, begin_trailing};
	for (size_t k = 0; k < 2; k++) {
		struct upload u;
		kinds[k](&u);
		struct str body = buf_done(&u.body);
		struct taken t;
		struct wire_failure why;
		for (size_t at = 0; at<body.n; at += at> 300 && at < 65500 ? 1201 : 1) {
			char was = u.body.p[at];
			u.body.p[at] = (char)(was ^ 1);
			CHECK(!feed(&u, body, 0, &t, &why));
			CHECK(why.id != ERR_NONE && why.message.n > 0);
			u.body.p[at] = was;
			CHECK(!feed(&u, str_sub(body, 0, at), 0, &t, &why));
		}
		u.key[3] ^= 1;
		CHECK(!feed(&u, body, 0, &t, &why));
		CHECK(why.id == ERR_SIGNATURE);
		u.key[3] ^= 1;
		u.s.decoded_length = TOTAL + 1;
		CHECK(!feed(&u, body, 0, &t, &why));
		CHECK_STR(why.code, STR("IncompleteBody"));
		arena_cleanup(&u.arena);
	}
}

TEST(unknown_secret_reads_without_checking)
{
	struct upload u;
	begin_plain(&u);
	u.body.p[40] ^= 1; /* in the first signature */
	u.body.p[40] = u.body.p[40] == 'a' ? 'b' : 'a';
	struct taken t = {0, true};
	struct wire_failure why;
	struct chunked *c = chunked_new(&u.arena, &u.s, NULL);
	CHECK_OK(chunked_feed(c, u.body.p, u.body.n, take, &t, &why));
	CHECK_OK(chunked_end(c, &why));
	CHECK(t.n == TOTAL);
	arena_cleanup(&u.arena);
}

TEST(unsigned_with_trailer)
{
	struct upload u;
	begin_unsigned(&u, "9000");
	chunk(&u.body, 8192, NULL);
	chunk(&u.body, 808, NULL);
	chunk(&u.body, 0, NULL);
	buf_lit(&u.body, "x-amz-checksum-crc64nvme:AAAAAAAAAAA=\r\n\r\n");
	in_every_cut(&u, 9000);
	arena_cleanup(&u.arena);

	begin_unsigned(&u, "0"); /* an empty object without trailers */
	chunk(&u.body, 0, NULL);
	buf_lit(&u.body, "\r\n");
	in_every_cut(&u, 0);
	arena_cleanup(&u.arena);
}

TEST(small_chunks_only_at_the_end)
{
	struct upload u;
	begin_unsigned(&u, "8");
	chunk(&u.body, 3, NULL);
	chunk(&u.body, 5, NULL);
	chunk(&u.body, 0, NULL);
	buf_lit(&u.body, "\r\n");
	struct taken t;
	struct wire_failure why;
	CHECK(!feed(&u, buf_done(&u.body), 0, &t, &why));
	CHECK_STR(why.code, STR("InvalidChunkSizeError"));
	CHECK(why.http_status == 403 && why.n_details == 2);
	CHECK_STR(why.details[0].value, STR("2"));
	CHECK_STR(why.details[1].value, STR("3"));
	arena_cleanup(&u.arena);
}

TEST(malformed_bodies)
{
	static const struct {
		const char *body, *code;
	} cases[] = {
		{"", "IncompleteBody"},
		{"0\r\n", "IncompleteBody"},
		{"3\r\naaa\r\n0\r\n", "IncompleteBody"},
		{"3\naaa\r\n0\r\n\r\n", "IncompleteBody"},
		{"3\r\naaaa\r\n0\r\n\r\n", "IncompleteBody"},
		{"3\r\naa\r\n0\r\n\r\n", "IncompleteBody"},
		{"-1\r\n\r\n", "IncompleteBody"},
		{"\r\n", "IncompleteBody"},
		{"g\r\n\r\n", "IncompleteBody"},
		{"10000000000000000\r\n", "IncompleteBody"},
		{"0x3\r\naaa\r\n0\r\n\r\n", "IncompleteBody"},
		{"3;chunk-signature=zz\r\naaa\r\n0\r\n\r\n", "IncompleteBody"},
		{"3\r\naaa\r\n0\r\n\r\nmore", "IncompleteBody"},
		{"3\r\naaa\r\n0\r\nnocolon\r\n\r\n", "MalformedTrailerError"},
		{"3\r\naaa\r\n0\r\n:value\r\n\r\n", "MalformedTrailerError"},
		{"3\r\naaa\r\n0\r\na b:value\r\n\r\n", "MalformedTrailerError"},
		{"4\r\naaaa\r\n0\r\n\r\n", "IncompleteBody"},
		{"2\r\naa\r\n0\r\n\r\n", "IncompleteBody"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct upload u;
		begin_unsigned(&u, "3");
		buf_str(&u.body, str_c(cases[i].body));
		bool good = accepted(&u, cases[i].code);
		if (good) fprintf(stderr, "case %zu\n", i);
		CHECK(!good);
		arena_cleanup(&u.arena);
	}
	struct upload u;
	begin_unsigned(&u, NULL); /* lines without end */
	buf_lit(&u.body, "3;");
	for (int i = 0; i < 2000; i++) buf_byte(&u.body, 'x');
	CHECK(!accepted(&u, "IncompleteBody"));
	arena_cleanup(&u.arena);
	begin_unsigned(&u, NULL);
	buf_lit(&u.body, "0\r\nname:");
	for (int i = 0; i < 17000; i++) buf_byte(&u.body, 'x');
	CHECK(!accepted(&u, "MalformedTrailerError"));
	arena_cleanup(&u.arena);
	begin_unsigned(&u, NULL);
	buf_lit(&u.body, "0\r\n");
	for (int i = 0; i < 17000; i++) buf_lit(&u.body, "n:\r\n");
	CHECK(!accepted(&u, "MalformedTrailerError"));
	arena_cleanup(&u.arena);
}

TEST_MAIN()
