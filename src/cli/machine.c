/* `virga ami`: an image from an archive. */
#include "base/buf.h"
#include "cli/cli.h"
#include "cli/client.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_option ami_options[] = {
	CLIENT_OPTION,
	{"name", "NAME", "the image's name (the file's name)"},
	{"region", "REGION", "where it is registered"},
	{"account", "ID", "whose it is (000000000000)"},
};
enum { AMI_ENDPOINT, AMI_NAME, AMI_REGION, AMI_ACCOUNT };

static int run_ami(const struct cli_args *args)
{
	struct arena a;
	if (args->n_words != 2 || strcmp(args->words[0], "import") != 0)
		return cli_misused("ami knows one verb: virga ami import FILE");
	char *file = realpath(args->words[1], NULL);
	if (!file) return cli_fail("there is no file %s", args->words[1]);
	arena_init(&a);
	struct buf path = BUF_IN(&a);
	const char *slash = strrchr(file, '/'), *name = args->value[AMI_NAME] ? args->value[AMI_NAME] : slash + 1;
	buf_fmt(&path, "/_virga/ami?file=%s&name=%s", str_z(&a, str_uri_encode(&a, str_c(file), false)),
		str_z(&a, str_uri_encode(&a, str_c(name), false)));
	if (args->value[AMI_REGION])
		buf_fmt(&path, "&region=%s", str_z(&a, str_uri_encode(&a, str_c(args->value[AMI_REGION]), false)));
	if (args->value[AMI_ACCOUNT])
		buf_fmt(&path, "&account=%s", str_z(&a, str_uri_encode(&a, str_c(args->value[AMI_ACCOUNT]), false)));
	buf_byte(&path, 0);
	struct str body;
	int code = 1;
	if (client_get(&a, client_endpoint(&a, args->value[AMI_ENDPOINT]), "POST", path.p, &body)) {
		struct reply *v = reply_read(body);
		if (v) {
			printf("%.*s\n", STR_ARG(reply_text(v, "image")));
			code = 0;
		}
		reply_free(v);
	}
	free(file);
	arena_cleanup(&a);
	return code;
}

const struct cli_command cli_ami = {
	.name = "ami",
	.words = "import FILE",
	.max_words = 2,
	.summary = "make an image of a root file system's tar or an OCI image",
	CLI_OPTIONS(ami_options),
	.run = run_ami,
};
