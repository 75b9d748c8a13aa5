/* "The rate of lookup requests is limited to two per second, per account, per Region" (LookupEvents, API reference): a
 * bucket of two tokens that fills by the machine's clock, since clients wait by theirs. */
#include "base/map.h"
#include "services/cloudtrail/room.h"
#include <pthread.h>
#include <stdlib.h>

enum { PER_SECOND = 2, KEPT_MAX = 4096 };

struct bucket {
	double tokens;
	int64_t at_us;
};
struct ct_limits {
	pthread_mutex_t lock;
	struct map buckets;
};

struct ct_limits *ct_limits_new(void)
{
	struct ct_limits *l = mem_new(sizeof(*l));
	pthread_mutex_init(&l->lock, NULL);
	map_init(&l->buckets);
	return l;
}

void ct_limits_free(struct ct_limits *l)
{
	map_cleanup(&l->buckets, free);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

bool ct_limits_take(struct ct_limits *l, struct str account, struct str region)
{
	struct arena a;
	arena_init(&a);
	struct str key = str_fmt(&a, "%.*s/%.*s", STR_ARG(account), STR_ARG(region));
	int64_t now = clock_monotonic_us();
	pthread_mutex_lock(&l->lock);
	struct bucket *b = map_get(&l->buckets, key);
	if (!b) {
		if (l->buckets.count >= KEPT_MAX) {
			map_cleanup(&l->buckets, free);
			map_init(&l->buckets);
		}
		b = mem_new(sizeof(*b));
		*b = (struct bucket){PER_SECOND, now};
		map_set(&l->buckets, key, b);
	}
	b->tokens += (double)(now - b->at_us) / 1e6 * PER_SECOND;
	if (b->tokens > PER_SECOND) b->tokens = PER_SECOND;
	b->at_us = now;
	bool take = b->tokens >= 1;
	if (take) b->tokens -= 1;
	pthread_mutex_unlock(&l->lock);
	arena_cleanup(&a);
	return take;
}
