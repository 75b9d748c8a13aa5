/* Reading the root key out of a shared credentials file; see environment.h. */
#include "cli/environment.h"
#include <stdio.h>

bool environment_root_key(struct arena *a, struct str data_folder, struct str *key, struct str *secret)
{
	FILE *f = fopen(str_fmt(a, "%.*scredentials", STR_ARG(data_folder)).p, "re");
	if (!f) return false;
	*key = *secret = STR_NONE;
	char text[512];
	while (fgets(text, sizeof(text), f)) {
		struct str line = str_c(text);
		if (str_ends(line, STR("\n"))) line.n--;
		struct str name = str_trim(str_cut(&line, '='));
		if (str_is(name, "aws_access_key_id")) *key = str_dup(a, str_trim(line));
		if (str_is(name, "aws_secret_access_key")) *secret = str_dup(a, str_trim(line));
	}
	fclose(f);
	return str_has(*key) && str_has(*secret);
}
