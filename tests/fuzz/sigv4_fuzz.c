/* A request's head as text, read and verified in both dialects. What sigv4_verify accepts for the secret must be what
 * the canonical request says: re-signing it with another secret has to fail. */
#include "identity/sigv4.h"
#include <stdlib.h>

#define NOW_MS 1440938160000 /* 2015-08-30T12:36:00Z */
enum { HEADERS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wire_request parse(struct arena *a, struct str text)
{
	struct wire_request r = {.query = STR_NONE, .host = STR("example.amazonaws.com")};
	struct wire_header *headers = arena_new_n(a, struct wire_header, HEADERS);
	struct str line = str_cut(&text, '\n');
	r.method = str_cut(&line, ' ');
	struct str target = str_or(str_cut(&line, ' '), STR(""));
	r.path = str_cut(&target, '?');
	r.query = target;
	while (str_has(text) && r.n_headers < HEADERS) {
		line = str_cut(&text, '\n');
		if (line.n == 0) break;
		struct str name = str_cut(&line, ':');
		headers[r.n_headers++] = (struct wire_header){name, str_or(line, STR(""))};
	}
	r.headers = headers;
	r.body = str_or(text, STR(""));
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena, *a = &arena;
	arena_init(a);
	struct wire_request r = parse(a, str_dup(a, str_n(data, size)));
	for (int s3 = 0; s3 < 2; s3++) {
		struct sigv4 s;
		struct wire_failure why = {0};
		uint8_t key[32];
		if (!is_ok(sigv4_read(a, &r, s3, &s, &why))) {
			if (!why.message.n || !str_utf8_valid(why.message)) abort();
			continue;
		}
		bool is_signed = s.kind == SIG_HEADER || s.kind == SIG_QUERY;
		bool good = is_ok(sigv4_verify(
			a, &r, &s, s3, STR("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), NULL, NOW_MS, key, &why));
		if (is_signed && good && is_ok(sigv4_verify(a, &r, &s, s3, STR("another"), NULL, NOW_MS, key, &why)))
			abort();
		if (!good && !why.message.n) abort();
		for (size_t i = 0; i < why.n_details; i++)
			if (!str_utf8_valid(why.details[i].value)) abort();
		(void)is_ok(sigv4_check_scope(a, &s, s3, STR("s3"), STR("us-east-1"), &why));
	}
	arena_cleanup(a);
	return 0;
}
