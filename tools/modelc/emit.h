/* What the model compiler writes. Each function appends C text to `out`; the model is checked and named. */
#pragma once
#include "base/buf.h"
#include "modelc/model.h"

/* gen/NAME.h: structs, aliases, prototypes, enumerations. */
void emit_header(const struct model *m, struct buf *out);
/* Forward declarations and definitions of all structs; shared by APIs and records. */
void emit_types(const struct model *m, struct buf *out);
/* The static arrays of struct wire_tables. False after model_fail() where an index does not fit. */
bool emit_arrays(struct model *m, struct buf *out);
/* An initializer of struct wire_tables over those arrays. */
void emit_tables_initializer(const struct model *m, struct buf *out);
/* gen/NAME_tables.c */
bool emit_service_tables(struct model *m, struct buf *out);
/* gen/NAME_state.h and gen/NAME_state.c */
void emit_state_header(const struct model *m, struct buf *out);
bool emit_state_tables(struct model *m, struct buf *out);
/* gen/services.c, over models sorted by name. */
void emit_services(struct model *const *models, size_t n, struct buf *out);

#define EMIT_NOTICE "/* Written by modelc; see models/README.md. */\n"
