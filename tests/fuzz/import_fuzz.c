/* Names in foreign archives: whatever they are, what comes out stays below the folder. */
#include "host/compute/import.h"
#include <stdint.h>

/* Relative, and none of its parts leads up. */
static bool stays(const char *path)
{
	if (*path == '/') return false;
	for (struct str rest = str_c(path); str_has(rest);) {
		struct str part = str_cut(&rest, '/');
		if (str_is(part, "..")) return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[PATH_MAX], again[PATH_MAX], hidden[PATH_MAX];
	if (!import_path(str_n(data, size), path)) return 0;
	INVARIANT(stays(path));
	INVARIANT(import_path(str_c(path), again) && strcmp(path, again) == 0);
	enum import_kind kind = import_whiteout(path, hidden);
	if (kind == IMPORT_WHITEOUT || kind == IMPORT_OPAQUE) INVARIANT(*hidden && stays(hidden));
	return 0;
}
