/* Resolves and judges a model that has been read. */
#pragma once
#include "modelc/model.h"

/* Sorts shapes, operations and errors by name; resolves every reference; finds recursion, payloads and streams; checks
 * what the reader cannot see line by line. False: m->problem. Idempotent only on a model that failed. */
bool model_check(struct model *m);
