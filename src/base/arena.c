/* Arenas: a list of growing blocks from which memory is cut off in order. Only what is handed out is zeroed, so that a
 * call that needs little touches little. Under AddressSanitizer everything not handed out is poisoned, and allocations
 * stand apart, so that an overflow within a block is found like one of the heap. */
#include "base/arena.h"
#include "base/blocks.h"
#include "base/status.h"
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
enum { ARENA_GAP = 16 };
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
enum { ARENA_GAP = 0 };
#endif

enum {
	ARENA_ALIGN = 16,
	BLOCK_FIRST = 2 << 10,
	BLOCK_LAST = 1 << 20,
	BLOCK_KEPT = 64 << 10,
};

struct arena_block {
	struct arena_block *older;
	size_t size; /* of the whole, header included */
	alignas(ARENA_ALIGN) char data[];
};
_Static_assert(alignof(max_align_t) <= ARENA_ALIGN, "arena memory is aligned for any type");
_Static_assert(offsetof(struct arena_block, data) % ARENA_ALIGN == 0, "data begins aligned");

static _Noreturn void out_of_memory(void)
{
	base_panic(__FILE__, __LINE__, "out of memory");
}

static size_t step(size_t n)
{
	if (n > SIZE_MAX / 4) out_of_memory();
	if (n == 0) n = 1;
	return ((n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1)) + ARENA_GAP;
}

static void enter(struct arena *a, struct arena_block *b, char *next)
{
	a->block = b;
	a->next = next;
	a->end = b ? (char *)b + b->size : NULL;
	if (b) POISON(next, (size_t)(a->end - next));
}

static void drop(struct arena *a, struct arena_block *b)
{
	a->total -= b->size;
	UNPOISON(b, b->size);
	blocks_put(b, b->size);
}

static void add_block(struct arena *a, size_t need)
{
	size_t whole = need + sizeof(struct arena_block);
	size_t size = a->block ? a->block->size * 2 : BLOCK_FIRST;
	while (size < whole && size < BLOCK_LAST) size *= 2;
	if (size > BLOCK_LAST) size = BLOCK_LAST;
	if (size < whole) size = whole;
	struct arena_block *b = blocks_get(size, &size);
	b->older = a->block;
	b->size = size;
	a->total += size;
	enter(a, b, b->data);
}

void arena_init(struct arena *a)
{
	*a = (struct arena){0};
}

void arena_reset(struct arena *a)
{
	struct arena_block *kept = NULL;
	for (struct arena_block *b = a->block, *older; b; b = older) {
		older = b->older;
		if (!kept && b->size <= BLOCK_KEPT)
			kept = b;
		else
			drop(a, b);
	}
	if (kept) kept->older = NULL;
	enter(a, kept, kept ? kept->data : NULL);
}

void arena_cleanup(struct arena *a)
{
	for (struct arena_block *b = a->block, *older; b; b = older) {
		older = b->older;
		drop(a, b);
	}
	*a = (struct arena){0};
}

void *arena_alloc_raw(struct arena *a, size_t n)
{
	size_t need = step(n);
	if ((size_t)(a->end - a->next) < need) add_block(a, need);
	char *p = a->next;
	a->next += need;
	UNPOISON(p, n);
	return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
	return memset(arena_alloc_raw(a, n), 0, n);
}

bool arena_extend(struct arena *a, void *p, size_t old_size, size_t new_size)
{
	char *begin = p;
	size_t need = step(new_size);
	if (begin + step(old_size) != a->next || (size_t)(a->end - begin) < need) return false;
	a->next = begin + need;
	UNPOISON(begin, new_size);
	return true;
}

void *arena_copy(struct arena *a, const void *p, size_t n)
{
	void *to = arena_alloc_raw(a, n);
	if (n) memcpy(to, p, n);
	return to;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t n;
	if (__builtin_mul_overflow(count, size, &n)) out_of_memory();
	return arena_alloc(a, n);
}

struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){a->block, a->next};
}

void arena_release(struct arena *a, struct arena_mark m)
{
	struct arena_block *b = a->block;
	while (b != m.block) {
		INVARIANT(b != NULL);
		struct arena_block *older = b->older;
		drop(a, b);
		b = older;
	}
	enter(a, b, m.next);
}

void *mem_new(size_t n)
{
	void *p = calloc(1, n ? n : 1);
	if (!p) out_of_memory();
	return p;
}

void *mem_grow(void *p, size_t n)
{
	void *q = realloc(p, n ? n : 1);
	if (!q) out_of_memory();
	return q;
}
