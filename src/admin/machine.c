/* Pages about machines: a command inside an instance (`virga ssh`), an image from an archive (`virga ami import`). */
#include "admin/page.h"
#include "services/ec2/door.h"

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

static void base64(struct page_request *r, const char *key, struct str bytes)
{
	json_key(&r->out, key);
	json_str(&r->out, str_base64(r->arena, bytes));
}

/* ?instance=i-…&arg=…&arg=… */
void page_ssh(struct page_request *r)
{
	struct str argv[WORDS_MAX], rest = r->http->query, why;
	size_t n = 0;
	struct ec2_command_result out = {0};
	while (str_has(rest)) {
		struct str pair = str_cut(&rest, '&'), key = str_cut(&pair, '='), value;
		if (!str_is(key, "arg") || n == WORDS_MAX) continue;
		if (is_ok(str_uri_decode(r->arena, str_or(pair, STR("")), true, &value))) argv[n++] = value;
	}
	struct str instance = page_parameter(r, STR("instance"));
	if (!str_has(instance) || n == 0) {
		page_fail(r, 400, "an instance and a command are needed");
		return;
	}
	status s = ec2_command_run(r->cloud, r->arena, instance, argv, n, &out, &why);
	if (!is_ok(s)) {
		refuse(r, s, why);
		return;
	}
	json_open(&r->out, '{');
	json_key(&r->out, "exit");
	json_i64(&r->out, out.exit_code);
	base64(r, "output", out.output);
	base64(r, "error", out.error);
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
