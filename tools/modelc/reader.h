/* Reads the model language (models/README.md) into a struct model. */
#pragma once
#include "modelc/model.h"

enum { MODEL_BYTES_MAX = 16 << 20 };

/* Reads `text` into m; an overlay is read into the same model after its model. `file` is only for messages and must
 * outlive m, as must text. False: m->problem tells what is wrong where. Nothing is resolved yet: see model_check(). */
bool model_read(struct model *m, const char *file, struct str text, bool overlay);
