/* The memory form of a shape (see the top of wire/desc.h), as C text. */
#pragma once
#include "modelc/model.h"

/* The C type of a struct's member of this shape, with the space or '*' that goes before the name. */
struct str layout_member(struct arena *a, const struct shape *s);
/* The same for an element of a list or a value of a map `of`. */
struct str layout_element(struct arena *a, const struct shape *of, const struct shape *s);
/* sizeof what wire_shape.size counts: the struct, the list's element, the map's entry, the scalar's slot. */
struct str layout_sizeof(struct arena *a, const struct shape *s);
