/* Small work on generated structs: lists of strings, one struct laid over another. */
#include "services/ec2/compute.h"
#include "services/ec2/intent.h"

struct str *ec2_strings(struct arena *a, size_t n, const char *const *texts)
{
	struct str *v = arena_new_n(a, struct str, n);
	for (size_t i = 0; i < n; i++) v[i] = str_c(texts[i]);
	return v;
}

bool ec2_is_among(const struct str *v, size_t n, struct str s)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i], s)) return true;
	return false;
}

/* Is a member's slot set? Structs are behind pointers here. */
static size_t present(const struct wire_shape *s, const char *slot)
{
	switch ((enum wire_kind)s->kind) {
	case WIRE_BOOL:
		return ((const struct opt_bool *)(const void *)slot)->has ? sizeof(struct opt_bool) : 0;
	case WIRE_I32:
		return ((const struct opt_i32 *)(const void *)slot)->has ? sizeof(struct opt_i32) : 0;
	case WIRE_I64:
		return ((const struct opt_i64 *)(const void *)slot)->has ? sizeof(struct opt_i64) : 0;
	case WIRE_F32:
	case WIRE_F64:
		return ((const struct opt_f64 *)(const void *)slot)->has ? sizeof(struct opt_f64) : 0;
	case WIRE_TIME:
		return ((const struct opt_time *)(const void *)slot)->has ? sizeof(struct opt_time) : 0;
	case WIRE_STRUCT:
		return *(void *const *)(const void *)slot ? sizeof(void *) : 0;
	case WIRE_LIST:
	case WIRE_MAP:
		return ((const struct wire_list *)(const void *)slot)->v ? sizeof(struct wire_list) : 0;
	case WIRE_STRING:
	case WIRE_BLOB:
	case WIRE_DOCUMENT:
		return ((const struct str *)(const void *)slot)->p ? sizeof(struct str) : 0;
	case WIRE_STREAM:
	case WIRE_EVENTS:
		break;
	}
	return 0;
}

void ec2_replace(const struct wire_tables *t, uint16_t shape, const void *from, void *to)
{
	const struct wire_shape *s = &t->shapes[shape];
	for (uint32_t i = 0; i < s->count; i++) {
		const struct wire_member *m = &t->members[s->first + i];
		size_t n = present(&t->shapes[m->shape], (const char *)from + m->offset);
		if (n) memcpy((char *)to + m->offset, (const char *)from + m->offset, n);
	}
}

char *ec2_keep(struct str s)
{
	char *z = mem_new(s.n + 1);
	memcpy(z, s.p, s.n);
	return z;
}
