/* The head check, on bytes cut into method, target and headers: method LF target LF (name LF value LF)*. */
#include "edge/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct edge_header headers[EDGE_MAX_HEADERS];
	struct str rest = str_n(data, size);
	struct edge_request r = {.headers = headers};

	if (size == 0) return 0;
	r.method = str_cut(&rest, '\n');
	r.target = str_has(rest) ? str_cut(&rest, '\n') : STR("");
	while (str_has(rest) && r.n_headers < EDGE_MAX_HEADERS) {
		struct edge_header *h = &headers[r.n_headers++];
		h->name = str_cut(&rest, '\n');
		h->value = str_has(rest) ? str_cut(&rest, '\n') : STR("");
	}
	for (int http_1_1 = 0; http_1_1 < 2; http_1_1++) {
		if (edge_head_check(&r, http_1_1) != 0) continue;
		/* What passes is unambiguous. */
		INVARIANT(r.path.n > 0 && (r.path.p[0] == '/' || str_is(r.path, "*")));
		INVARIANT(str_chr(r.path, ' ') < 0 && str_chr(r.path, '?') < 0);
		INVARIANT(!(r.chunked && r.content_length >= 0));
		INVARIANT(r.content_length >= -1);
		for (size_t i = 0; i < r.n_headers; i++) INVARIANT(str_chr(r.headers[i].value, '\r') < 0);
	}
	return 0;
}
