/* Optional scalars: how generated structs hold numbers, so that presence is explicit. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct opt_bool { bool v, has; };
struct opt_i32 { int32_t v; bool has; };
struct opt_i64 { int64_t v; bool has; };
struct opt_f64 { double v; bool has; };
struct opt_time { int64_t ms; bool has; }; /* milliseconds since 1970-01-01T00:00Z */

#define SOME_BOOL(x) ((struct opt_bool){(x), true})
#define SOME_I32(x) ((struct opt_i32){(x), true})
#define SOME_I64(x) ((struct opt_i64){(x), true})
#define SOME_F64(x) ((struct opt_f64){(x), true})
#define SOME_TIME(x) ((struct opt_time){(x), true})
