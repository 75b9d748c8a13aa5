/* From AWS's names to C's. */
#pragma once
#include "modelc/model.h"

/* "GetObjectACLOutput" to "get_object_acl_output": '_' goes between a lower-case letter or digit and an upper-case
 * one, and before the last of several upper-case letters that a lower-case one follows. Other characters than letters
 * and digits become '_'. Pure ASCII; lives in the arena. */
struct str name_snake(struct arena *a, struct str s);
/* The same in capitals. */
struct str name_constant(struct arena *a, struct str s);
/* Gives every shape, member, operation and error of a checked model its C name. Names that collide within a service
 * get '_' at their end; a map's entry struct and an operation's _input and _output keep theirs. */
bool names_assign(struct model *m);
