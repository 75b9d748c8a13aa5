/* What the model compiler knows of one service (or of one service's stored records) between reading and writing:
 * filled by reader.c, resolved by check.c, named by names.c, written by emit_*.c. Everything lives in the model's arena
 * but its two hash maps. */
#pragma once
#include "base/arena.h"
#include "base/map.h"
#include "wire/desc.h"

struct shape;

/* Where a declaration stands. */
struct place {
	const char *file;
	uint32_t line;
};

/* A struct's member; also a list's element and a map's key and value. */
struct member {
	struct place at;
	struct str name, shape_name;
	struct str wire_name;           /* absent: the member's own name */
	struct str query_name, xmlns, prefix; /* absent where not given */
	enum wire_location location;
	enum wire_time_format time;
	bool named, required, flattened, attribute, token, host_label;
	uint32_t number;                /* of a record's field; 0 elsewhere */
	/* check.c */
	struct shape *shape;
	/* names.c */
	struct str c_name;
};

struct shape {
	struct place at;
	struct str name;
	enum wire_kind kind;
	uint16_t flags;                 /* WIRE_S_… */
	enum wire_time_format time;
	bool record, is_float;
	bool has_min, has_max;
	int64_t min, max;               /* a double's bits where is_float */
	struct str pattern;
	struct { struct str *v; size_t n; } enums;
	size_t enums_capacity;
	struct { struct member *v; size_t n; } members;
	size_t members_capacity;
	struct str payload, location_name, xmlns, prefix;
	/* of an exception */
	uint16_t status;
	struct str code, query_code;
	/* check.c */
	uint16_t index;                 /* in the sorted shapes */
	uint16_t payload_index;         /* 1 + the payload member; 0 none */
	uint16_t error_index;           /* 1 + its error; 0 none */
	/* names.c */
	struct str c_name;              /* "s3_put_object_request"; only of structs, lists and maps */
	struct str c_entry;             /* a map's entry struct */
	struct str c_constant;          /* "PUT_OBJECT_REQUEST" */
};

struct error {
	struct place at;
	struct str name, code, query_code;
	uint16_t status;
	struct shape *shape;            /* NULL: no modelled members */
	struct str c_constant;
};

struct op {
	struct place at;
	struct str name, uri;
	struct str in_name, in_xmlns, wrapper, in_shape, out_shape;
	struct { struct str *v; size_t n; } errors;
	size_t errors_capacity;
	uint8_t method, checksum;
	uint16_t code, flags;           /* WIRE_O_… */
	/* check.c */
	struct shape *in, *out;         /* NULL: nothing */
	uint16_t *error_indices;
	/* names.c */
	struct str c_name, c_constant;
};

struct model {
	struct arena arena;
	bool state;                     /* stored records, not an API */
	struct place at;                /* of the service line */
	struct str name, title, id, endpoint, signing, target, version, xmlns;
	uint32_t protocols, protocol;
	bool query_compatible;
	struct { struct shape **v; size_t n; } shapes;
	struct { struct op **v; size_t n; } ops;
	struct { struct error **v; size_t n; } errors;
	size_t shapes_capacity, ops_capacity, errors_capacity;
	struct map shape_names, op_names; /* name to struct shape *, struct op * */
	struct str c_prefix;            /* "s3", or "s3_rec" for records; names.c */
	struct str problem;             /* the first error, as "file:line: message" */
};

void model_init(struct model *m, bool state);
void model_cleanup(struct model *m);
/* Records the first problem; always returns false. */
bool model_fail(struct model *m, struct place at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
