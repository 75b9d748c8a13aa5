/* JSON patches that clients send to Cloud Control: a document, a line's end, the patch. What comes of it is a JSON
 * value of the same kind, and the document stays what it was. */
#include "services/cloudcontrol/room.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena a;
	static bool ready;
	if (!ready) arena_init(&a);
	ready = true;
	if (size > 65536) return 0;
	struct str patch_text = str_n((const char *)data, size), text = str_cut(&patch_text, '\n');
	struct json_value *document, *patch, *out, *again;
	struct str why = STR("");
	if (is_ok(json_read(&a, text, &document)) && is_ok(json_read(&a, str_or(patch_text, STR("")), &patch)) &&
		document->type == JSON_IS_OBJECT) {
		struct str before = cfn_json(&a, document);
		status s = cloudcontrol_patch(&a, document, patch, &out, &why);
		INVARIANT(str_eq(before, cfn_json(&a, document)));
		if (is_ok(s)) {
			/* A patch may nest deeper than the reader goes, but what it writes has the members that it
			 * counts. */
			size_t n = 0;
			for (const struct json_value *c = out->first; c; c = c->next) n++;
			INVARIANT(out->type == JSON_IS_OBJECT && n == out->length);
			status read = json_read(&a, cfn_json(&a, out), &again);
			INVARIANT(is_ok(read) || status_is(read, STATUS_LIMIT));
		} else {
			INVARIANT(why.n);
		}
	}
	arena_reset(&a);
	return 0;
}
