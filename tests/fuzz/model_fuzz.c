/* The model language's reader and the checks behind it, over any bytes: read as a model, as records, and as an overlay
 * over a small model. Whatever they are, they end in a model or in a message with its place. */
#include "modelc/attributes.c"
#include "modelc/check.c"
#include "modelc/model.c"
#include "modelc/names.c"
#include "modelc/reader.c"
#include "modelc/recursion.c"
#include "modelc/words.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char small[] = "service s \"S\"\n id S\n endpoint s\n signing s\n protocols query\n version 1\n"
			    "op Do\n in In\n out Out\n err Bad\nstruct In\n A String required\n L List\nstruct Out\n"
			    "struct Bad exception\nstring String\n enum a b\nlist List In\n";

static void finish(struct model *m, bool ok)
{
	if (ok) ok = model_check(m) && names_assign(m);
	INVARIANT(ok != str_has(m->problem));
	for (size_t i = 0; ok && i < m->shapes.n; i++)
		for (size_t j = 0; j < m->shapes.v[i]->members.n; j++) INVARIANT(m->shapes.v[i]->members.v[j].shape);
	model_cleanup(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n(data, size);
	struct model m;
	for (int state = 0; state < 2; state++) {
		model_init(&m, state);
		if (state) m.name = STR("records");
		finish(&m, model_read(&m, "fuzz", text, false));
	}
	model_init(&m, false);
	finish(&m, model_read(&m, "small", str_c(small), false) && model_read(&m, "fuzz", text, true));
	return 0;
}
