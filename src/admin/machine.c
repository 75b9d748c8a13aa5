/* Pages about machines: a command inside an instance (`virga ssh`), an image from an archive (`virga ami import`). */
#include "admin/page.h"
#include "host/frame.h"
#include "services/ec2/door.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { WORDS_MAX = 256 };

static void refuse(struct page_request *r, status s, struct str why)
{
	if (status_is(s, STATUS_BUSY) && str_empty(why))
		page_fail(r, 409, "compute is simulated: virga does not run as root");
	else if (status_is(s, STATUS_NOT_FOUND))
		page_fail(r, 404, "no such instance runs");
	else
		page_fail(
			r, 400, "%.*s", STR_ARG(str_empty(why) ? STR("it did not work; virga's log tells more") : why));
}

static int32_t number_parameter(struct page_request *r, struct str name)
{
	uint64_t v;
	struct str text = page_parameter(r, name);
	return str_has(text) && is_ok(str_to_u64(text, &v)) && v < 0x8000 ? (int32_t)v : 0;
}

/* The descriptors to whom asked: who listens at that abstract address, and gets the number back that only virga and it
 * know (unix(7); anybody may connect to such an address). */
static status hand_over(struct str name, uint64_t secret, const int *fds, size_t n)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct frame f = {.op = HOST_OP_ANSWER, .id = secret, .n_fds = n, .body = STR("")};
	if (name.n >= sizeof(to.sun_path)) return STATUS(INVALID);
	memcpy(to.sun_path + 1, name.p, name.n);
	memcpy(f.fds, fds, n * sizeof(*fds));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return STATUS(IO);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + name.n);
	status s = connect(fd, (const struct sockaddr *)&to, size) == 0 ? frame_send(fd, &f) : STATUS(IO);
	close(fd);
	return s;
}

static size_t read_words(struct page_request *r, struct str argv[WORDS_MAX])
{
	struct str rest = r->http->query;
	size_t n = 0;
	while (str_has(rest)) {
		struct str pair = str_cut(&rest, '&'), key = str_cut(&pair, '='), value;
		if (!str_is(key, "arg") || n == WORDS_MAX) continue;
		if (is_ok(str_uri_decode(r->arena, str_or(pair, STR("")), true, &value))) argv[n++] = value;
	}
	return n;
}

/* ?instance=i-…&arg=…&arg=…&socket=NAME&secret=NUMBER[&user=…][&tty=1&rows=…&columns=…&term=…]: the command's control
 * socket, and its input, output and error, go to the Unix socket of that abstract name. */
void page_ssh(struct page_request *r)
{
	struct str argv[WORDS_MAX], why = STR_NONE, socket_name = page_parameter(r, STR("socket"));
	struct ec2_command q = {.instance = page_parameter(r, STR("instance")),
		.argv = argv,
		.n = read_words(r, argv),
		.user = page_parameter(r, STR("user")),
		.term = page_parameter(r, STR("term")),
		.tty = str_has(page_parameter(r, STR("tty"))),
		.rows = number_parameter(r, STR("rows")),
		.columns = number_parameter(r, STR("columns"))};
	uint64_t secret;
	int fds[EC2_COMMAND_FDS];
	size_t n_fds = 0;
	if (!str_has(q.instance) || q.n == 0 || !str_has(socket_name) ||
		!is_ok(str_to_u64(str_or(page_parameter(r, STR("secret")), STR("")), &secret))) {
		page_fail(r, 400, "an instance, a command, a socket and a secret are needed");
		return;
	}
	status s = ec2_command_start(r->cloud, r->arena, &q, fds, &n_fds, &why);
	if (!is_ok(s)) {
		refuse(r, s, why);
		return;
	}
	s = hand_over(socket_name, secret, fds, n_fds);
	for (size_t i = 0; i < n_fds; i++) close(fds[i]);
	if (!is_ok(s)) {
		page_fail(r, 400, "nobody listens at that socket on virga's own machine");
		return;
	}
	json_open(&r->out, '{');
	json_close(&r->out, '}');
}

/* ?file=/…&name=…[&region=…][&account=…] */
void page_ami(struct page_request *r)
{
	struct str file = page_parameter(r, STR("file")), name = page_parameter(r, STR("name")), image, why;
	struct str region = str_or(page_parameter(r, STR("region")), r->cloud->default_region);
	struct str account = str_or(page_parameter(r, STR("account")), STR("000000000000"));
	if (str_empty(file) || str_empty(name) || file.p[0] != '/') {
		page_fail(r, 400, "the file's whole path and a name are needed");
		return;
	}
	status s =
		ec2_image_import_file(r->cloud, r->arena, account, region, name, str_z(r->arena, file), &image, &why);
	if (!is_ok(s)) {
		refuse(r, s, why);
		return;
	}
	json_open(&r->out, '{');
	json_key(&r->out, "image");
	json_str(&r->out, image);
	json_close(&r->out, '}');
}
