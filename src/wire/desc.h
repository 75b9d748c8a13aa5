/* What the model compiler emits and everything generic walks: readers, writers, the validator, the record codec, the
 * fuzz targets. Index-based and free of relocations (only struct wire_tables holds pointers), so that the tables of all
 * services are demand-paged read-only data and an idle service costs nothing.
 *
 * In memory a shape looks so:
 *
 *   kind            as a struct member               as a list element or map value
 *   STRING BLOB     struct str (NULL: absent)        struct str (NULL: null)
 *   DOCUMENT        struct str (raw JSON text)       same
 *   BOOL            struct opt_bool                  same
 *   I32 (byte, short, integer)  struct opt_i32       same
 *   I64             struct opt_i64                   same
 *   F32 F64         struct opt_f64                   same
 *   TIME            struct opt_time                  same
 *   STRUCT          struct X * (NULL: absent)        struct X inline; struct X * where the list or map is SPARSE
 *   LIST            { T *v; size_t n; } inline (v == NULL: absent; see struct wire_list)   same
 *   MAP             { struct entry *v; size_t n; } inline; entry = { struct str key; V value; } same
 *   STREAM          struct body * (a streaming blob payload; see call/body.h)
 *   EVENTS          void * (event streams: NULL in an input; in an output a struct body * of messages, wire/event.h)
 */
#pragma once
#include "base/opt.h"
#include "base/str.h"

/* Input or output of an operation that has none. */
struct wire_nothing {
	char none;
};

enum wire_kind {
	WIRE_STRUCT, WIRE_LIST, WIRE_MAP, WIRE_STRING, WIRE_BLOB, WIRE_BOOL, WIRE_I32, WIRE_I64, WIRE_F32, WIRE_F64,
	WIRE_TIME, WIRE_DOCUMENT, WIRE_STREAM, WIRE_EVENTS,
};
enum wire_time_format { WIRE_TIME_DEFAULT, WIRE_TIME_ISO8601, WIRE_TIME_RFC822, WIRE_TIME_UNIX };
enum wire_location { WIRE_IN_BODY, WIRE_IN_URI, WIRE_IN_QUERY, WIRE_IN_HEADER, WIRE_IN_HEADERS, WIRE_IN_STATUS };
enum wire_protocol {
	WIRE_QUERY = 1, WIRE_EC2 = 2, WIRE_JSON10 = 4, WIRE_JSON11 = 8, WIRE_REST_JSON = 16, WIRE_REST_XML = 32, WIRE_CBOR = 64,
};

/* bits of wire_member.bits */
enum {
	WIRE_M_LOCATION = 0x0007,     /* enum wire_location */
	WIRE_M_TIME = 0x0018,         /* enum wire_time_format << 3 */
	WIRE_M_REQUIRED = 0x0020,
	WIRE_M_FLATTENED = 0x0040,
	WIRE_M_XML_ATTRIBUTE = 0x0080,
	WIRE_M_TOKEN = 0x0100,        /* idempotency token */
	WIRE_M_NAMED = 0x0200,        /* wire_name was given by the model, not defaulted from name */
	WIRE_M_PAYLOAD = 0x0400,      /* this member is the whole HTTP body */
	WIRE_M_HOST_LABEL = 0x0800,
	WIRE_M_SENSITIVE = 0x1000,    /* of the member's shape; never log it */
	WIRE_M_EXTRA = 16,            /* bits >> 16: index in extras, 0 none */
};
#define WIRE_LOCATION(m) ((enum wire_location)((m)->bits & WIRE_M_LOCATION))
#define WIRE_TIME_FORMAT(m) ((enum wire_time_format)(((m)->bits & WIRE_M_TIME) >> 3))

/* A struct's member; also, as pseudo members, a list's element (offset 0, name "member" unless given) and a map's key
 * (offset 0) and value (offset 16). */
struct wire_member { /* 16 bytes */
	uint32_t name;      /* pool; the API's name */
	uint32_t wire_name; /* pool; where it differs (locationName), else == name. In records: the field number */
	uint16_t offset;    /* in the struct or map entry */
	uint16_t shape;
	uint32_t bits;
};
_Static_assert(sizeof(struct wire_member) == 16, "the tables are sized for 16-byte members");

/* bits of wire_shape.flags */
enum {
	WIRE_S_EXCEPTION = 0x0001, WIRE_S_UNION = 0x0002, WIRE_S_FLATTENED = 0x0004, WIRE_S_SENSITIVE = 0x0008,
	WIRE_S_SPARSE = 0x0010, WIRE_S_FAULT = 0x0020 /* the server's error */, WIRE_S_WRAPPER = 0x0040,
	WIRE_S_RECURSIVE = 0x0080 /* may contain itself */, WIRE_S_STREAMING = 0x0100, WIRE_S_EVENTSTREAM = 0x0200,
	WIRE_S_RETRYABLE = 0x0400,
};
struct wire_shape { /* 28 bytes */
	uint8_t kind;        /* enum wire_kind */
	uint8_t time_format; /* enum wire_time_format, for TIME */
	uint16_t flags;
	uint32_t name;       /* pool */
	uint32_t size;       /* sizeof the struct; of one element (LIST) or entry (MAP); of the slot for scalars */
	uint32_t first;      /* first of its members; LIST: the element, MAP: key, value */
	uint16_t count;      /* of members; LIST 1, MAP 2 */
	uint16_t payload;    /* STRUCT: 1 + the member that is the HTTP body; 0 none */
	uint16_t constraint; /* index in constraints; 0 none */
	uint16_t extra;      /* index in extras; 0 none */
	uint16_t error;      /* EXCEPTION: index in errors + 1 */
	uint16_t by_name;    /* STRUCT with more than 8 members: see wire_tables.sorted; else 0 */
};

struct wire_constraint {
	uint8_t has_min, has_max, is_float, pad;
	uint32_t pattern;    /* pool; 0 none */
	uint32_t enum_first; /* in enums */
	uint32_t enum_count; /* 0: no enumeration */
	int64_t min, max;    /* length (bytes for blobs, code points for strings), count, or value; doubles are in the bits */
};
/* Rare attributes. Pool offsets, 0 none. */
struct wire_extra {
	uint32_t query_name;         /* the name in query requests and answers (sqs), in requests (ec2), where it differs */
	uint32_t xmlns_uri, xmlns_prefix;
	uint32_t location_name;      /* a struct shape's own element name */
};

struct wire_error { /* 16 bytes */
	uint32_t name;       /* pool: the shape's name, e.g. NoSuchBucket */
	uint32_t code;       /* pool: the code on the wire, e.g. AWS.SimpleQueueService.NonExistentQueue; == name by default */
	uint32_t query_code; /* pool: code in the legacy query protocol (x-amzn-query-error); == code by default */
	uint16_t status;     /* HTTP */
	uint16_t shape;      /* with modelled members; WIRE_NO_SHAPE for errors that only an overlay names */
};
#define WIRE_NO_SHAPE 0xffffu

enum { WIRE_GET, WIRE_PUT, WIRE_POST, WIRE_DELETE, WIRE_HEAD, WIRE_PATCH, WIRE_OPTIONS, WIRE_METHOD_OTHER };
/* bits of wire_op.flags */
enum {
	WIRE_O_ANONYMOUS = 1,        /* authtype none */
	WIRE_O_STREAM_IN = 2,        /* input payload is a stream */
	WIRE_O_STREAM_OUT = 4,
	WIRE_O_EVENTS = 8,           /* either side is an event stream */
	WIRE_O_MD5_REQUIRED = 16,    /* httpChecksumRequired */
	WIRE_O_READ_ONLY = 32,
	WIRE_O_DEPRECATED = 64,
	WIRE_O_IDEMPOTENT = 128,
	WIRE_O_UNSIGNED_PAYLOAD = 256,
};
struct wire_op {
	uint32_t name;
	uint32_t uri;            /* pool: template with query, e.g. "/{Bucket}/{Key+}?tagging" */
	uint32_t result_wrapper; /* pool; 0 none */
	uint32_t in_name;        /* pool: root element of a rest-xml body; 0 none */
	uint32_t in_xmlns;       /* pool; 0 none */
	uint32_t errors_first;   /* in op_errors */
	uint16_t errors_count;
	uint16_t in, out;        /* shapes; WIRE_NO_SHAPE: nothing */
	uint16_t response_code;  /* 200 by default */
	uint16_t flags;
	uint8_t method;
	uint8_t checksum;        /* 1: request may carry a flexible checksum; 2: and must */
};

/* Everything of one service (or of one service's stored records, or of the protocol vectors' models). */
struct wire_tables {
	/* Pool entry: two bytes of length (little endian), the bytes, a NUL; an offset points at the length. 0 is "". */
	const char *pool;
	const struct wire_shape *shapes;
	const struct wire_member *members;
	const struct wire_constraint *constraints; /* [0] unused */
	const struct wire_extra *extras;           /* [0] unused */
	const uint32_t *enums;                     /* pool offsets */
	const struct wire_error *errors;
	const uint16_t *op_errors;                 /* indices into errors */
	const struct wire_op *ops;                 /* sorted by name */
	const uint16_t *sorted; /* member indices (relative to first) by wire_name; shape.by_name - 1 starts a run of count */
	uint32_t n_shapes, n_members, n_errors, n_ops;
};

struct wire_service {
	struct wire_tables tables;
	const char *name;          /* "s3": the model's file name, also the folder in services/ and the CLI's name */
	const char *title;         /* "Amazon Simple Storage Service" */
	const char *service_id;    /* "S3": as SDKs name it */
	const char *endpoint_prefix;
	const char *signing_name;
	const char *target_prefix; /* X-Amz-Target; NULL where it has none */
	const char *api_version;
	const char *xmlns;         /* NULL where it has none */
	uint32_t protocols;        /* enum wire_protocol, all that it speaks */
	uint32_t protocol;         /* the one that its model puts first */
	bool query_compatible;     /* awsQueryCompatible: x-amzn-query-error is sent */
};

/* All services, sorted by name. */
extern const struct wire_service *const wire_services[];
extern const size_t wire_services_length;

static inline struct str wire_str(const struct wire_tables *t, uint32_t offset)
{
	const unsigned char *p = (const unsigned char *)t->pool + offset;
	return (struct str){(const char *)p + 2, (size_t)p[0] | (size_t)p[1] << 8};
}

/* How generic code sees any list or map, and a map's entry. */
struct wire_list {
	void *v;
	size_t n;
};
struct wire_map_entry {
	struct str key;
	/* the value follows, at offset 16 */
};
