/* What AWS's test suite does not cover: S3's dialect, times, presigned lives, required headers, malformed and foreign
 * authentication, scopes; each with the code and the wording of AWS. */
#include "base/buf.h"
#include "identity/digest.h"
#include "identity/sigv4.h"
#include "test.h"

#define SECRET STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
#define NOW_MS 1369353600000 /* 2013-05-24T00:00:00Z */
#define MINUTE 60000

struct request {
	struct arena arena;
	struct wire_header headers[24];
	struct wire_request r;
	struct sigv4 s;
	struct wire_failure why;
	uint8_t key[32];
};

static void begin(struct request *q, const char *method, const char *path, const char *query)
{
	*q = (struct request){0};
	arena_init(&q->arena);
	q->r = (struct wire_request){.method = str_c(method),
		.path = str_c(path),
		.query = str_c(query),
		.headers = q->headers,
		.body = STR("")};
}

static void header(struct request *q, const char *name, const char *value)
{
	q->headers[q->r.n_headers++] = (struct wire_header){str_c(name), str_c(value)};
}

static void set(struct request *q, const char *name, struct str value)
{
	for (size_t i = 0; i < q->r.n_headers; i++)
		if (str_ieq(q->headers[i].name, str_c(name))) q->headers[i].value = value;
}

static bool read(struct request *q, bool s3)
{
	q->why = (struct wire_failure){0};
	return is_ok(sigv4_read(&q->arena, &q->r, s3, &q->s, &q->why));
}

static bool passes(struct request *q, bool s3, int64_t now_ms)
{
	return read(q, s3) && is_ok(sigv4_verify(&q->arena, &q->r, &q->s, s3, SECRET, NULL, now_ms, q->key, &q->why));
}

/* Signs as a client would, so that cases of our own have a right signature to begin with. */
static struct str signature(struct request *q, bool s3)
{
	struct arena *a = &q->arena;
	struct str payload = q->s.payload_hash;
	uint8_t hash[32], key[32], mac[32];
	if (!str_has(payload)) {
		digest_sha256(q->r.body, hash);
		payload = str_hex(a, str_n(hash, 32));
	}
	sigv4_signing_key(SECRET, q->s.date, q->s.region, q->s.service, key);
	digest_hmac_sha256(str_n(key, 32),
		sigv4_string_to_sign(a, &q->s, sigv4_canonical_request(a, &q->r, &q->s, s3, payload)), mac);
	return str_hex(a, str_n(mac, 32));
}

static void sign_header(struct request *q, const char *service, const char *signed_headers)
{
	bool s3 = strcmp(service, "s3") == 0;
	struct str zeros = STR("0000000000000000000000000000000000000000000000000000000000000000");
	struct str head = str_fmt(&q->arena,
		"AWS4-HMAC-SHA256 "
		"Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/%s/aws4_request,SignedHeaders=%s,Signature=",
		service, signed_headers);
	set(q, "authorization", str_cat(&q->arena, head, zeros));
	CHECK(read(q, s3));
	set(q, "authorization", str_cat(&q->arena, head, signature(q, s3)));
}

/* An S3 GET, rightly signed at NOW_MS. */
static void begin_s3(struct request *q)
{
	begin(q, "GET", "/bucket/key", NULL);
	header(q, "Host", "localhost:4566");
	header(q, "x-amz-date", "20130524T000000Z");
	header(q, "x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	header(q, "Authorization", "");
	sign_header(q, "s3", "host;x-amz-content-sha256;x-amz-date");
}

static void begin_sqs(struct request *q)
{
	begin(q, "POST", "/", NULL);
	header(q, "Host", "localhost:4566");
	header(q, "x-amz-date", "20130524T000000Z");
	header(q, "Authorization", "");
	q->r.body = STR("Action=ListQueues");
	sign_header(q, "sqs", "host;x-amz-date");
}

static void refused(struct request *q, error_id id, const char *code, const char *message)
{
	CHECK(q->why.id == id);
	CHECK_STR(str_or(q->why.code, STR("")), str_c(code ? code : ""));
	CHECK(!code || q->why.http_status >= 400);
	CHECK(str_find(q->why.message, str_c(message)) >= 0);
	if (str_find(q->why.message, str_c(message)) < 0) fprintf(stderr, "  got «%.*s»\n", STR_ARG(q->why.message));
}

static struct str detail(const struct request *q, const char *name)
{
	for (size_t i = 0; i < q->why.n_details; i++)
		if (str_eq(q->why.details[i].name, str_c(name))) return q->why.details[i].value;
	return STR_NONE;
}

/* "Examples: Signature Calculations" in the S3 API Reference. */
TEST(s3s_published_examples)
{
	struct request q;
	begin(&q, "GET", "/test.txt", NULL);
	header(&q, "Host", "examplebucket.s3.amazonaws.com");
	header(&q, "Authorization",
		"AWS4-HMAC-SHA256 "
		"Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;"
		"x-amz-content-sha256;x-amz-date,Signature="
		"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
	header(&q, "Range", "bytes=0-9");
	header(&q, "x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	header(&q, "x-amz-date", "20130524T000000Z");
	CHECK(passes(&q, true, NOW_MS));
	arena_cleanup(&q.arena);

	begin(&q, "PUT", "/test%24file.text", NULL);
	header(&q, "Host", "examplebucket.s3.amazonaws.com");
	header(&q, "Date", "Fri, 24 May 2013 00:00:00 GMT");
	header(&q, "Authorization",
		"AWS4-HMAC-SHA256 "
		"Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=date;host;"
		"x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature="
		"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
	header(&q, "x-amz-date", "20130524T000000Z");
	header(&q, "x-amz-storage-class", "REDUCED_REDUNDANCY");
	header(&q, "x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
	q.r.body = STR("Welcome to Amazon S3.");
	CHECK(passes(&q, true, NOW_MS));
	arena_cleanup(&q.arena);

	begin(&q, "GET", "/", "lifecycle");
	header(&q, "Host", "examplebucket.s3.amazonaws.com");
	header(&q, "Authorization",
		"AWS4-HMAC-SHA256 "
		"Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;"
		"x-amz-content-sha256;x-amz-date,Signature="
		"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
	header(&q, "x-amz-date", "20130524T000000Z");
	header(&q, "x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	CHECK(passes(&q, true, NOW_MS));
	q.r.query = STR("max-keys=2&prefix=J");
	set(&q, "authorization",
		STR("AWS4-HMAC-SHA256 "
		    "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;"
		    "x-amz-content-sha256;x-amz-date,Signature="
		    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
	CHECK(passes(&q, true, NOW_MS));
	arena_cleanup(&q.arena);
}

/* "Authenticating Requests: Using Query Parameters". */
static const char presigned[] =
	"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_"
	"request"
	"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
	"aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

TEST(s3s_presigned_example_and_its_life)
{
	struct request q;
	begin(&q, "GET", "/test.txt", presigned);
	header(&q, "Host", "examplebucket.s3.amazonaws.com");
	CHECK(passes(&q, true, NOW_MS));
	CHECK(passes(&q, true, NOW_MS + 86400000));
	CHECK(passes(&q, true, NOW_MS - 14 * MINUTE));
	CHECK(!passes(&q, true, NOW_MS + 86400001));
	refused(&q, ERR_REQUEST_EXPIRED, "AccessDenied", "Request has expired");
	CHECK_STR(detail(&q, "X-Amz-Expires"), STR("86400"));
	CHECK_STR(detail(&q, "Expires"), STR("2013-05-25T00:00:00Z"));
	CHECK(!passes(&q, true, NOW_MS - 16 * MINUTE));
	refused(&q, ERR_ACCESS_DENIED, NULL, "Request is not valid yet");
	/* the times hold although nobody knows the secret */
	CHECK(read(&q, true));
	CHECK(is_ok(sigv4_verify(&q.arena, &q.r, &q.s, true, STR_NONE, NULL, NOW_MS, q.key, &q.why)));
	CHECK(!is_ok(sigv4_verify(&q.arena, &q.r, &q.s, true, STR_NONE, NULL, NOW_MS + 86400001, q.key, &q.why)));
	arena_cleanup(&q.arena);
}

static void with_query(struct request *q, const char *from, const char *to)
{
	struct str all = str_c(presigned);
	ptrdiff_t at = str_find(all, str_c(from));
	CHECK(at >= 0);
	q->r.query = str_cat(&q->arena, str_cat(&q->arena, str_sub(all, 0, (size_t)at), str_c(to)),
		str_from(all, (size_t)at + strlen(from)));
}

TEST(presigned_parameters)
{
	static const struct {
		const char *from, *to, *message;
	} cases[] = {
		{"Expires=86400", "Expires=604801", "X-Amz-Expires must be less than a week (in seconds)"},
		{"Expires=86400", "Expires=99999999999999999999",
			"X-Amz-Expires must be less than a week (in seconds)"},
		{"Expires=86400", "Expires=0", "X-Amz-Expires must be"},
		{"Expires=86400", "Expires=-1", "X-Amz-Expires must be non-negative"},
		{"Expires=86400", "Expires=1h", "X-Amz-Expires should be a number"},
		{"&X-Amz-Expires=86400", "", "requires the X-Amz-Algorithm, X-Amz-Credential"},
		{"X-Amz-Algorithm=AWS4-HMAC-SHA256&", "", "requires the X-Amz-Algorithm, X-Amz-Credential"},
		{"AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1", "X-Amz-Algorithm only supports"},
		{"20130524T000000Z", "2013-05-24", "X-Amz-Date must be in the ISO8601 Long Format"},
		{"20130524T000000Z", "20130230T000000Z", "X-Amz-Date must be in the ISO8601 Long Format"},
		{"%2Fus-east-1", "", "the Credential is mal-formed"},
		{"aws4_request", "aws3_request", "the Credential is mal-formed"},
		{"%2F20130524", "%2F20130523", "Invalid credential date \"20130523\""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct request q;
		begin(&q, "GET", "/test.txt", NULL);
		header(&q, "Host", "examplebucket.s3.amazonaws.com");
		with_query(&q, cases[i].from, cases[i].to);
		CHECK(!read(&q, true));
		refused(&q, ERR_INCOMPLETE_SIGNATURE, "AuthorizationQueryParametersError", cases[i].message);
		arena_cleanup(&q.arena);
	}
}

TEST(unsigned_headers)
{
	struct request q;
	begin_s3(&q);
	CHECK(passes(&q, true, NOW_MS));
	header(&q, "X-Amz-Acl", "public-read");
	header(&q, "X-Amz-Meta-A", "b");
	header(&q, "Cache-Control", "no-store");
	CHECK(!passes(&q, true, NOW_MS));
	refused(&q, ERR_ACCESS_DENIED, NULL, "There were headers present in the request which were not signed");
	CHECK_STR(detail(&q, "HeadersNotSigned"), STR("x-amz-acl, x-amz-meta-a"));
	arena_cleanup(&q.arena);

	begin_s3(&q);
	sign_header(&q, "s3", "x-amz-content-sha256;x-amz-date");
	CHECK(!passes(&q, true, NOW_MS));
	CHECK_STR(detail(&q, "HeadersNotSigned"), STR("host"));
	sign_header(&q, "s3", "host;x-amz-date"); /* its value is signed as the payload's hash */
	CHECK(passes(&q, true, NOW_MS));
	arena_cleanup(&q.arena);

	begin_sqs(&q);
	sign_header(&q, "sqs", "x-amz-date");
	CHECK(!passes(&q, false, NOW_MS));
	refused(&q, ERR_SIGNATURE, NULL, "'Host' or ':authority' must be a 'SignedHeader'");
	arena_cleanup(&q.arena);
}

TEST(skewed_clocks)
{
	struct request q;
	begin_s3(&q);
	CHECK(passes(&q, true, NOW_MS + 15 * MINUTE) && passes(&q, true, NOW_MS - 15 * MINUTE));
	for (int side = -1; side <= 1; side += 2) {
		CHECK(!passes(&q, true, NOW_MS + side * (15 * MINUTE + 1000)));
		refused(&q, ERR_TIME_SKEWED, "RequestTimeTooSkewed",
			"The difference between the request time and the current time is too large.");
		CHECK_STR(detail(&q, "RequestTime"), STR("20130524T000000Z"));
		CHECK_STR(detail(&q, "MaxAllowedSkewMilliseconds"), STR("900000"));
	}
	arena_cleanup(&q.arena);
	begin_sqs(&q);
	CHECK(!passes(&q, false, NOW_MS + 16 * MINUTE));
	refused(&q, ERR_TIME_SKEWED, NULL,
		"Signature expired: 20130524T000000Z is now earlier than 20130524T000100Z (20130524T001600Z - 15 "
		"min.)");
	CHECK(!passes(&q, false, NOW_MS - 16 * MINUTE));
	refused(&q, ERR_TIME_SKEWED, NULL,
		"Signature not yet current: 20130524T000000Z is still later than 20130523T235900Z (20130523T234400Z + "
		"15 min.)");
	arena_cleanup(&q.arena);
}

TEST(date_header_where_there_is_no_x_amz_date)
{
	static const char *const dates[] = {"Fri, 24 May 2013 00:00:00 GMT", "20130524T000000Z"};
	for (size_t i = 0; i < 2; i++) {
		struct request q;
		begin(&q, "POST", "/", NULL);
		header(&q, "Host", "localhost");
		header(&q, "Date", dates[i]);
		header(&q, "Authorization", "");
		sign_header(&q, "sqs", "date;host");
		CHECK(q.s.time_ms == NOW_MS);
		CHECK(passes(&q, false, NOW_MS));
		set(&q, "date", STR("yesterday"));
		CHECK(!read(&q, false));
		refused(&q, ERR_INCOMPLETE_SIGNATURE, NULL,
			"Date must be in ISO-8601 'basic format'. Got 'yesterday'.");
		CHECK(!read(&q, true));
		refused(&q, ERR_ACCESS_DENIED, NULL, "AWS authentication requires a valid Date or x-amz-date header");
		arena_cleanup(&q.arena);
	}
}

TEST(malformed_headers)
{
	static const struct {
		const char *value, *s3_code, *s3_message, *message;
	} cases[] = {
		{"AWS4-HMAC-SHA256 Credential=A/20130524/us-east-1/s3/aws4_request", "AuthorizationHeaderMalformed",
			"requires three components: Credential, SignedHeaders, and Signature.",
			"Authorization header requires 'Signature' parameter. Authorization header requires "
			"'SignedHeaders' parameter."},
		{"AWS4-HMAC-SHA256", "AuthorizationHeaderMalformed", "requires three components",
			"Authorization header requires 'Credential' parameter."},
		{"AWS4-HMAC-SHA256 Credential=A/20130524/us-east-1/aws4_request,SignedHeaders=host,Signature=0",
			"AuthorizationHeaderMalformed",
			"expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
			"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
			"got "
			"'A/20130524/us-east-1/aws4_request'"},
		{"AWS4-HMAC-SHA256 Credential=A/B/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=0",
			"AuthorizationHeaderMalformed", "the Credential is mal-formed",
			"Credential must have exactly 5"},
		{"AWS4-HMAC-SHA256 Credential=A/20130524/us-east-\xff/s3/aws4_request,SignedHeaders=host,Signature=0",
			"AuthorizationHeaderMalformed", "the Credential is mal-formed", "Credential must have exactly 5"},
		{"AWS4-HMAC-SHA256 Credential=, A,SignedHeaders=host,Signature=0", "AuthorizationHeaderMalformed",
			"\"A\" is malformed",
			"'A' not a valid key=value pair (missing equal-sign) in Authorization header"},
		{"AWS4-HMAC-SHA256 Signature=0,Signature=1", "AuthorizationHeaderMalformed", "is malformed",
			"'Signature' is repeated"},
		{"Basic dTpw", "InvalidArgument", "Unsupported Authorization Type",
			"Authorization header requires 'Credential' parameter."},
		{"AWS4-HMAC-SHA384 Credential=a", "InvalidArgument", "Unsupported Authorization Type",
			"Unsupported AWS 'algorithm'"},
		{"AWS AKIAIOSFODNN7EXAMPLE", "InvalidArgument", "Expected AwsAccessKeyId:signature",
			"Please use AWS4-HMAC-SHA256."},
		{"", "InvalidArgument", "Unsupported Authorization Type",
			"Authorization header requires 'Credential' parameter."},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct request q;
		begin_s3(&q);
		set(&q, "authorization", str_c(cases[i].value));
		CHECK(!read(&q, true));
		refused(&q, ERR_INCOMPLETE_SIGNATURE, cases[i].s3_code, cases[i].s3_message);
		CHECK(!read(&q, false));
		refused(&q, ERR_INCOMPLETE_SIGNATURE, NULL, cases[i].message);
		arena_cleanup(&q.arena);
	}
}

/* "Object GET" and "Query String Request Authentication" in "Signing and Authenticating REST Requests". */
TEST(version_2)
{
	static const char secret[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
	const int64_t then_ms = 1175024202000; /* Tue, 27 Mar 2007 19:36:42 +0000 */
	struct request q;
	uint8_t key[32];
	begin(&q, "GET", "/photos/puppy.jpg", NULL);
	q.r.host = STR("johnsmith.s3.amazonaws.com");
	header(&q, "Date", "Tue, 27 Mar 2007 19:36:42 +0000");
	header(&q, "Authorization", "AWS AKIAIOSFODNN7EXAMPLE:bWq2s1WEIj+Ydj0vQ697zp+IXMU=");
	CHECK(read(&q, true) && q.s.kind == SIG_V2);
	CHECK_STR(q.s.access_key, STR("AKIAIOSFODNN7EXAMPLE"));
	struct wire_failure why = {0};
	CHECK_OK(sigv4_verify(&q.arena, &q.r, &q.s, true, str_c(secret), NULL, then_ms, key, &why));
	CHECK(!is_ok(sigv4_verify(&q.arena, &q.r, &q.s, true, STR("other"), NULL, then_ms, key, &why)));
	CHECK_STR(why.code, STR("SignatureDoesNotMatch"));
	CHECK(!is_ok(sigv4_verify(&q.arena, &q.r, &q.s, true, str_c(secret), NULL, then_ms + 3600000, key, &why)));
	CHECK_STR(why.code, STR("RequestTimeTooSkewed"));
	arena_cleanup(&q.arena);

	begin(&q, "GET", "/photos/puppy.jpg",
		"AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620");
	q.r.host = STR("johnsmith.s3.amazonaws.com");
	CHECK(read(&q, true) && q.s.kind == SIG_V2);
	CHECK_OK(sigv4_verify(&q.arena, &q.r, &q.s, true, str_c(secret), NULL, then_ms, key, &why));
	CHECK(!is_ok(sigv4_verify(&q.arena, &q.r, &q.s, true, str_c(secret), NULL, 1175139620000, key, &why)));
	CHECK_STR(why.message, STR("Request has expired"));
	q.r.path = STR("/photos/kitten.jpg");
	CHECK(!is_ok(sigv4_verify(&q.arena, &q.r, &q.s, true, str_c(secret), NULL, then_ms, key, &why)));
	arena_cleanup(&q.arena);
}

TEST(other_ways_to_authenticate)
{
	struct request q;
	begin(&q, "GET", "/b/k", "AWSAccessKeyId=AKIA&Expires=1141889120&Signature=vjbyPxybdZaNmGa%2ByT272YEAiv4%3D");
	header(&q, "Host", "localhost");
	CHECK(!read(&q, false) && q.s.kind == SIG_V2);
	refused(&q, ERR_INCOMPLETE_SIGNATURE, NULL, "Please use AWS4-HMAC-SHA256.");
	CHECK(read(&q, true) && q.s.kind == SIG_V2); /* S3 still takes it */
	q.r.query = STR("Signature=mine&other=1"); /* a parameter by chance of the same name */
	CHECK(read(&q, true) && q.s.kind == SIG_NONE);
	arena_cleanup(&q.arena);

	begin(&q, "GET", "/test.txt", presigned);
	header(&q, "Host", "examplebucket.s3.amazonaws.com");
	header(&q, "Authorization", "AWS4-HMAC-SHA256 a=b");
	CHECK(!read(&q, true));
	refused(&q, ERR_INCOMPLETE_SIGNATURE, "InvalidArgument", "Only one auth mechanism allowed");
	arena_cleanup(&q.arena);

	begin(&q, "POST", "/bucket", NULL);
	header(&q, "Content-Type", "multipart/form-data; boundary=x");
	CHECK(read(&q, true) && q.s.kind == SIG_POST_FORM);
	CHECK(is_ok(sigv4_verify(&q.arena, &q.r, &q.s, true, STR_NONE, NULL, NOW_MS, q.key, &q.why)));
	CHECK(read(&q, false) && q.s.kind == SIG_NONE);
	arena_cleanup(&q.arena);
}

TEST(payloads)
{
	static const struct {
		const char *value;
		enum sig_payload payload;
	} kinds[] = {
		{"UNSIGNED-PAYLOAD", SIG_PAYLOAD_UNSIGNED},
		{"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", SIG_PAYLOAD_CHUNKED},
		{"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", SIG_PAYLOAD_CHUNKED_TRAILER},
		{"STREAMING-UNSIGNED-PAYLOAD-TRAILER", SIG_PAYLOAD_CHUNKED_UNSIGNED_TRAILER},
	};
	for (size_t i = 0; i < 4; i++) {
		struct request q;
		begin_s3(&q);
		header(&q, "x-amz-decoded-content-length", "12");
		set(&q, "x-amz-content-sha256", str_c(kinds[i].value));
		sign_header(&q, "s3", "host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length");
		CHECK(passes(&q, true, NOW_MS));
		CHECK(q.s.payload == kinds[i].payload && q.s.decoded_length == 12);
		set(&q, "x-amz-decoded-content-length", STR("-1"));
		CHECK(!read(&q, true));
		q.r.n_headers--;
		CHECK(read(&q, true) == (i == 0));
		if (i)
			refused(&q, ERR_VALIDATION, "MissingContentLength",
				"You must provide the Content-Length HTTP header.");
		arena_cleanup(&q.arena);
	}
	struct request q;
	begin_s3(&q);
	set(&q, "x-amz-content-sha256", STR("abc"));
	CHECK(!read(&q, true));
	refused(&q, ERR_INCOMPLETE_SIGNATURE, "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD");
	q.headers[2].name = STR("x-other");
	CHECK(!read(&q, true));
	refused(&q, ERR_INCOMPLETE_SIGNATURE, "InvalidRequest",
		"Missing required header for this request: x-amz-content-sha256");
	arena_cleanup(&q.arena);

	begin_s3(&q); /* the body differs from what was announced */
	uint8_t hash[32];
	digest_sha256(STR("other"), hash);
	CHECK(read(&q, true));
	CHECK(!is_ok(sigv4_verify(&q.arena, &q.r, &q.s, true, SECRET, hash, NOW_MS, q.key, &q.why)));
	refused(&q, ERR_SIGNATURE, "XAmzContentSHA256Mismatch", "header does not match what was computed.");
	arena_cleanup(&q.arena);

	begin_sqs(&q);
	CHECK(passes(&q, false, NOW_MS));
	q.r.body = STR("Action=DeleteQueue");
	CHECK(!passes(&q, false, NOW_MS));
	refused(&q, ERR_SIGNATURE, NULL,
		"The request signature we calculated does not match the signature you provided. Check your AWS Secret "
		"Access Key");
	arena_cleanup(&q.arena);
}

/* S3's key is the path, whatever it looks like; the others' path is normalised and encoded again. */
TEST(paths)
{
	static const struct {
		const char *path, *s3, *other;
	} cases[] = {
		{"/bucket/a//b/../c/./", "/bucket/a//b/../c/./", "/bucket/a/c/"},
		{"/a%20b", "/a%20b", "/a%2520b"},
		{"/a%2fb%7e*", "/a/b~%2A", "/a%252fb%257e%2A"},
		{"/a+b=c@d", "/a%2Bb%3Dc%40d", "/a%2Bb%3Dc%40d"},
		{"/100%", "/100%25", "/100%25"},
		{"/%zz", "/%25zz", "/%25zz"},
		{"", "/", "/"},
		{"/..", "/..", "/"},
		{"/a/..//../b", "/a/..//../b", "/b"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct request q;
		begin(&q, "GET", cases[i].path, NULL);
		for (int s3 = 0; s3 < 2; s3++) {
			struct str text = sigv4_canonical_request(
				&q.arena, &q.r, &(struct sigv4){.kind = SIG_HEADER}, s3, STR("H"));
			str_cut(&text, '\n');
			CHECK_STR(str_cut(&text, '\n'), str_c(s3 ? cases[i].s3 : cases[i].other));
		}
		arena_cleanup(&q.arena);
	}
}

TEST(queries)
{
	static const struct {
		const char *query, *canonical;
	} cases[] = {
		{"b=2&a=1&a=0&a", "a=&a=0&a=1&b=2"},
		{"acl", "acl="},
		{"", ""},
		{"&&a=1&", "a=1"},
		{"k=a=b", "k=a%3Db"},
		{"prefix=a%2Fb%20c&delimiter=/", "delimiter=%2F&prefix=a%2Fb%20c"},
		{"Z=1&a=2&A=3", "A=3&Z=1&a=2"},
		{"a=%e1%88%b4", "a=%E1%88%B4"},
		{"a-b=1&a=2", "a=2&a-b=1"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct request q;
		begin(&q, "GET", "/", cases[i].query);
		struct str text =
			sigv4_canonical_request(&q.arena, &q.r, &(struct sigv4){.kind = SIG_HEADER}, true, STR("H"));
		str_cut(&text, '\n');
		str_cut(&text, '\n');
		CHECK_STR(str_cut(&text, '\n'), str_c(cases[i].canonical));
		arena_cleanup(&q.arena);
	}
}

TEST(a_plus_signed_either_way)
{
	for (int space = 0; space < 2; space++) {
		struct request q;
		begin(&q, "GET", "/bucket", "prefix=a+b");
		header(&q, "Host", "localhost");
		header(&q, "x-amz-date", "20130524T000000Z");
		header(&q, "x-amz-content-sha256", "UNSIGNED-PAYLOAD");
		header(&q, "Authorization", "");
		q.r.query = space ? STR("prefix=a%20b") : STR("prefix=a%2Bb");
		sign_header(&q, "s3", "host;x-amz-content-sha256;x-amz-date");
		q.r.query = STR("prefix=a+b");
		CHECK(passes(&q, true, NOW_MS));
		q.r.query = STR("prefix=a+c");
		CHECK(!passes(&q, true, NOW_MS));
		arena_cleanup(&q.arena);
	}
}

TEST(s3_tells_what_it_signed)
{
	struct request q;
	begin_s3(&q);
	q.r.method = STR("PUT");
	CHECK(!passes(&q, true, NOW_MS));
	refused(&q, ERR_SIGNATURE, NULL, "Check your key and signing method.");
	CHECK_STR(detail(&q, "AWSAccessKeyId"), STR("AKIAIOSFODNN7EXAMPLE"));
	CHECK(str_starts(detail(&q, "CanonicalRequest"), STR("PUT\n/bucket/key\n\nhost:localhost:4566\n")));
	CHECK(str_starts(detail(&q, "CanonicalRequestBytes"), STR("50 55 54 0a 2f")));
	CHECK(str_starts(
		detail(&q, "StringToSign"), STR("AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/")));
	CHECK(q.why.n_details == 6);
	arena_cleanup(&q.arena);
}

TEST(failures_are_text_whatever_was_sent)
{
	struct request q;
	begin_s3(&q);
	header(&q, "x-amz-meta-\xff", "v");
	CHECK(!passes(&q, true, NOW_MS));
	CHECK_STR(detail(&q, "HeadersNotSigned"), STR("x-amz-meta-?"));
	set(&q, "authorization", STR("AWS4-HMAC-SHA256 \xfe"));
	for (int s3 = 0; s3 < 2; s3++) {
		CHECK(!read(&q, s3));
		CHECK(str_utf8_valid(q.why.message) && q.why.message.n > 0);
	}
	set(&q, "authorization", STR("Basic \x80"));
	CHECK(!read(&q, true));
	CHECK_STR(detail(&q, "ArgumentValue"), STR("Basic ?"));
	arena_cleanup(&q.arena);
	begin_s3(&q);
	set(&q, "host", STR("\xc0\x80"));
	CHECK(!passes(&q, true, NOW_MS));
	CHECK(str_find(detail(&q, "CanonicalRequest"), STR("host:??\n")) > 0);
	CHECK(str_find(detail(&q, "CanonicalRequestBytes"), STR("3a c0 80 0a")) > 0);
	arena_cleanup(&q.arena);
}

TEST(scopes)
{
	struct request q;
	begin_s3(&q);
	CHECK(passes(&q, true, NOW_MS));
	CHECK(is_ok(sigv4_check_scope(&q.arena, &q.s, true, STR("s3"), STR("us-east-1"), &q.why)));
	CHECK(is_ok(sigv4_check_scope(&q.arena, &q.s, true, STR_NONE, STR_NONE, &q.why)));
	CHECK(!is_ok(sigv4_check_scope(&q.arena, &q.s, true, STR("s3"), STR("eu-west-1"), &q.why)));
	refused(&q, ERR_INCOMPLETE_SIGNATURE, "AuthorizationHeaderMalformed",
		"The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'");
	CHECK_STR(detail(&q, "Region"), STR("eu-west-1"));
	CHECK(!is_ok(sigv4_check_scope(&q.arena, &q.s, false, STR("sqs"), STR_NONE, &q.why)));
	refused(&q, ERR_SIGNATURE, NULL, "Credential should be scoped to correct service: 'sqs'.");
	arena_cleanup(&q.arena);
}

/* More keys than the cache has places, again and again: never another's key. */
TEST(cached_keys)
{
	struct request q;
	begin_sqs(&q);
	struct str right = q.headers[2].value;
	for (int round = 0; round < 3; round++) {
		set(&q, "authorization", right);
		CHECK(passes(&q, false, NOW_MS));
		for (int i = 0; i < 100; i++) {
			struct str secret = str_fmt(&q.arena, "secret number %d", i);
			CHECK(!is_ok(sigv4_verify(&q.arena, &q.r, &q.s, false, secret, NULL, NOW_MS, q.key, &q.why)));
		}
	}
	char long_secret[200];
	memset(long_secret, 's', sizeof(long_secret));
	CHECK(!is_ok(sigv4_verify(&q.arena, &q.r, &q.s, false, str_n(long_secret, 200), NULL, NOW_MS, q.key, &q.why)));
	CHECK(!is_ok(sigv4_verify(&q.arena, &q.r, &q.s, false, STR(""), NULL, NOW_MS, q.key, &q.why)));
	arena_cleanup(&q.arena);
}

TEST_MAIN()
