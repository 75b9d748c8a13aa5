/* HTTP/1.1 as the metadata service speaks it: requests without a body, small answers. */
#include "base/buf.h"
#include "services/ec2/imds.h"

static bool header(struct str line, struct str name, struct str *value)
{
	struct str rest = line, key = str_cut(&rest, ':');
	if (!str_has(rest) || !str_ieq(key, name)) return false;
	*value = str_trim(rest);
	return true;
}

static bool is_printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f) return false;
	return true;
}

status imds_read(struct str bytes, struct imds_request *out, size_t *used)
{
	ptrdiff_t end = str_find(bytes, STR("\r\n\r\n"));
	if (end < 0) return bytes.n > IMDS_HEAD_MAX ? STATUS(LIMIT) : STATUS(BUSY);
	if (end > IMDS_HEAD_MAX) return STATUS(LIMIT);
	struct str head = str_sub(bytes, 0, (size_t)end), value;
	*used = (size_t)end + 4;
	*out = (struct imds_request){0};
	struct str line = str_cut(&head, '\n');
	if (line.n && line.p[line.n - 1] == '\r') line.n--;
	if (!is_printable(line)) return STATUS(INVALID);
	struct str rest = line;
	out->method = str_cut(&rest, ' ');
	struct str target = str_cut(&rest, ' ');
	if (!str_has(rest) || !str_starts(rest, STR("HTTP/1.")) || str_chr(rest, ' ') >= 0) return STATUS(INVALID);
	if (str_empty(out->method) || !target.n || target.p[0] != '/') return STATUS(INVALID);
	out->close = str_is(rest, "HTTP/1.0");
	out->path = str_cut(&target, '?');
	while (str_has(head)) {
		line = str_cut(&head, '\n');
		if (line.n && line.p[line.n - 1] == '\r') line.n--;
		if (header(line, STR("x-aws-ec2-metadata-token"), &value)) out->token = value;
		if (header(line, STR("x-aws-ec2-metadata-token-ttl-seconds"), &value)) out->ttl = value;
		if (header(line, STR("x-forwarded-for"), &value)) out->forwarded = true;
		if (header(line, STR("connection"), &value)) out->close = out->close || str_ieq(value, STR("close"));
		if (header(line, STR("transfer-encoding"), &value)) return STATUS(INVALID);
		if (header(line, STR("content-length"), &value)) {
			uint64_t n;
			if (!is_ok(str_to_u64(value, &n)) || n > IMDS_HEAD_MAX) return STATUS(INVALID);
			out->body = (size_t)n;
		}
	}
	return OK;
}

static const char *phrase(unsigned code)
{
	switch (code) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	default:
		return "Internal Server Error";
	}
}

struct str imds_write(struct arena *a, const struct imds_response *r, bool close)
{
	struct buf b = BUF_IN(a), page = BUF_IN(a);
	struct str body = r->body, type = str_or(r->type, STR("text/plain"));
	if (r->code != 200) {
		buf_fmt(&page,
			"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<html><head><title>%u - "
			"%s</title></head><body><h1>%u - "
			"%s</h1></body></html>\n",
			r->code, phrase(r->code), r->code, phrase(r->code));
		body = buf_done(&page);
		type = STR("text/html");
	}
	buf_fmt(&b, "HTTP/1.1 %u %s\r\nServer: EC2ws\r\nContent-Type: %.*s\r\nContent-Length: %zu\r\n", r->code,
		phrase(r->code), STR_ARG(type), body.n);
	if (r->ttl_s) buf_fmt(&b, "X-Aws-Ec2-Metadata-Token-Ttl-Seconds: %lld\r\n", (long long)r->ttl_s);
	if (close) buf_lit(&b, "Connection: close\r\n");
	buf_lit(&b, "\r\n");
	buf_str(&b, body);
	return buf_done(&b);
}
