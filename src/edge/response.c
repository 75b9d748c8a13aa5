/* A response as libmicrohttpd wants it: bytes, a file by sendfile (read and encrypted where the connection is TLS), or a
 * reader that is asked for pieces. */
#include "edge/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { READER_PIECE = 128 * 1024 };

struct file_source {
	int fd;
	uint64_t offset;
};
struct reader_source {
	int64_t (*read)(void *ctx, uint64_t at, char *p, size_t n);
	void *ctx;
	uint64_t offset;
	struct edge_exchange *x;
};

static ssize_t file_read(void *ctx, uint64_t at, char *p, size_t n)
{
	struct file_source *f = ctx;
	ssize_t got;

	do
		got = pread(f->fd, p, n, (off_t)(f->offset + at));
	while (got < 0 && errno == EINTR);
	/* A file shorter than promised breaks the connection: the client must not take it for whole. */
	return got > 0 ? got : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void file_free(void *ctx)
{
	struct file_source *f = ctx;

	close(f->fd);
	free(f);
}

static ssize_t reader_read(void *ctx, uint64_t at, char *p, size_t n)
{
	struct reader_source *s = ctx;
	int64_t got = s->read(s->ctx, s->offset + at, p, n);

	if (got == EDGE_LATER) return edge_rest(s->x) ? 0 : MHD_CONTENT_READER_END_WITH_ERROR;
	INVARIANT(got <= (int64_t)n);
	if (got < 0) return MHD_CONTENT_READER_END_WITH_ERROR;
	return got == 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)got;
}

static ssize_t no_read(void *ctx, uint64_t at, char *p, size_t n)
{
	(void)ctx, (void)at, (void)p, (void)n;
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* A HEAD's answer without a body may say by header how long the body would be. */
static bool told_length(const struct edge_response *r, uint64_t *out)
{
	if (r->code == 204 || r->code == 304) return false;
	for (size_t i = 0; i < r->n_headers; i++)
		if (str_ieq(r->headers[i].name, STR("content-length")))
			return is_ok(str_to_u64(r->headers[i].value, out)) && *out > 0 && *out < INT64_MAX;
	return false;
}

static struct MHD_Response *body_of(struct edge_exchange *x, const struct edge_response *r, bool no_body)
{
	if (r->kind == EDGE_FILE) {
		if (r->size == 0) return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
		if (no_body) return MHD_create_response_from_callback(r->size, 1, no_read, NULL, NULL);
		int fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
		/* Out of descriptors: the head goes out, then the connection breaks; the client sees that it was cut. */
		if (fd < 0) return MHD_create_response_from_callback(r->size, 1, no_read, NULL, NULL);
		if (!x->request.tls) return MHD_create_response_from_fd_at_offset64(r->size, fd, r->offset);
		struct file_source *f = mem_new(sizeof(*f));
		*f = (struct file_source){fd, r->offset};
		return MHD_create_response_from_callback(r->size, READER_PIECE, file_read, f, file_free);
	}
	if (r->kind == EDGE_READER) {
		/* A size of 0 needs no reader; libmicrohttpd would ask it once. */
		if (r->size == 0) return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
		if (no_body) return MHD_create_response_from_callback(r->size, 1, no_read, NULL, NULL);
		struct reader_source *s = mem_new(sizeof(*s));
		*s = (struct reader_source){r->read, r->read_ctx, r->offset, x};
		size_t piece = r->size < READER_PIECE ? (size_t)r->size : READER_PIECE;
		return MHD_create_response_from_callback(r->size, piece, reader_read, s, free);
	}
	uint64_t told;
	if (no_body && r->bytes.n == 0 && told_length(r, &told))
		return MHD_create_response_from_callback(told, 1, no_read, NULL, NULL);
	union {
		const char *in;
		void *out;
	} p = {r->bytes.n ? r->bytes.p : ""};
	return MHD_create_response_from_buffer(
		r->bytes.n, p.out, r->keep_bytes ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);
}

static bool is_own(struct str name)
{
	switch (name.n) {
	case 4: return str_ieq(name, STR("date"));
	case 10: return str_ieq(name, STR("connection"));
	case 14: return str_ieq(name, STR("content-length"));
	case 17: return str_ieq(name, STR("transfer-encoding"));
	default: return false;
	}
}

/* A value may hold no line end, or it would forge headers. */
static bool add_header(struct MHD_Response *m, const struct edge_header *h)
{
	char name[128], small[512], *value = small;

	if (h->name.n == 0 || h->name.n >= sizeof(name)) return false;
	memcpy(name, h->name.p, h->name.n);
	name[h->name.n] = 0;
	if (h->value.n + 1 >= sizeof(small)) value = mem_new(h->value.n + 2);
	struct str trimmed = str_trim(h->value);
	size_t n = 0;
	for (size_t i = 0; i < trimmed.n; i++) {
		unsigned char c = (unsigned char)trimmed.p[i];
		value[n++] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
	}
	value[n] = 0;
	/* libmicrohttpd refuses an empty value; mostly a header without value says nothing that its absence would not.
	 * An object's own metadata does: a blank, which readers take away, stands for it. */
	if (n == 0 && str_istarts(h->name, STR("x-amz-meta-"))) {
		value[n++] = ' ';
		value[n] = 0;
	}
	bool ok = n == 0 || MHD_add_response_header(m, name, value) == MHD_YES;
	if (value != small) free(value);
	return ok;
}

struct MHD_Response *edge_response_make(struct edge_exchange *x, const struct edge_response *r)
{
	bool no_body = str_is(x->request.method, "HEAD") || r->head_only || r->code == 204 || r->code == 304;
	struct MHD_Response *m = body_of(x, r, no_body);

	INVARIANT(m);
	for (size_t i = 0; i < r->n_headers; i++)
		if (!is_own(r->headers[i].name)) add_header(m, &r->headers[i]);
	if (r->close || atomic_load_explicit(&x->edge->stopping, memory_order_relaxed))
		MHD_add_response_header(m, "Connection", "close");
	return m;
}

struct MHD_Response *edge_response_refusal(void)
{
	static char text[] = "The request's head is malformed.\n";
	struct MHD_Response *m = MHD_create_response_from_buffer(sizeof(text) - 1, text, MHD_RESPMEM_PERSISTENT);

	INVARIANT(m);
	MHD_add_response_header(m, "Content-Type", "text/plain");
	MHD_add_response_header(m, "Connection", "close");
	return m;
}
