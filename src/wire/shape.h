/* Structs of the models, whatever they are, kept as text: for services that store what a client gave in shapes with too
 * many members to name each (EC2's launch templates). Pure functions over memory, any thread. */
#pragma once
#include "base/arena.h"
#include "wire/desc.h"

/* The struct as JSON by the members' wire names; what wire_shape_read takes again, also after members were added to the
 * model or dropped from it. */
struct str wire_shape_write(struct arena *a, const struct wire_tables *t, uint16_t shape, const void *p);
/* *p is of the shape's size; members that the text lacks stay as they are. Its strings live in `a` or in text. CORRUPT
 * where the text is no such struct. */
status wire_shape_read(struct arena *a, const struct wire_tables *t, uint16_t shape, struct str text, void *p) MUST_USE;
/* Members by their names, from shape to shape, deep; what is absent in the first or has no like in the other is left
 * alone, as are maps. Strings are not copied. */
void wire_shape_copy(struct arena *a, const struct wire_tables *from_tables, uint16_t from_shape, const void *from,
	const struct wire_tables *to_tables, uint16_t to_shape, void *to);
