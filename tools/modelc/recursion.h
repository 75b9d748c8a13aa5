/* Which shapes may contain themselves. */
#pragma once
#include "modelc/model.h"

/* Sets WIRE_S_RECURSIVE on every shape of a checked model from which a way leads back to itself. */
void recursion_mark(struct model *m);
