/* Which metrics are known to be known: ListMetrics' record of a metric is renewed every ten minutes, and looking
 * whether that is due cost as much as storing the point. A table in memory remembers what was read; a metric that is
 * not in it, or whose slot another one has taken, is looked up. */
#include "services/cloudwatch/room.h"
#include <pthread.h>
#include <stdlib.h>

enum { SLOTS = 16384 };
struct cw_seen {
	pthread_mutex_t lock;
	uint64_t generation;
	struct {
		struct cw_id id;
		int64_t updated_ms;
	} slots[SLOTS]; /* touched as it is used */
};

struct cw_seen *cw_seen_new(void)
{
	struct cw_seen *s = mem_new(sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void cw_seen_free(struct cw_seen *s)
{
	pthread_mutex_destroy(&s->lock);
	free(s);
}

uint64_t cw_seen_generation(struct cw_seen *s)
{
	pthread_mutex_lock(&s->lock);
	uint64_t generation = s->generation;
	pthread_mutex_unlock(&s->lock);
	return generation;
}

void cw_seen_reset(struct cw_seen *s)
{
	pthread_mutex_lock(&s->lock);
	s->generation++;
	memset(s->slots, 0, sizeof(s->slots));
	pthread_mutex_unlock(&s->lock);
}

int64_t cw_seen_get(struct cw_seen *s, struct cw_id id)
{
	size_t i = id.high % SLOTS;
	pthread_mutex_lock(&s->lock);
	bool same = s->slots[i].id.high == id.high && s->slots[i].id.low == id.low;
	int64_t updated = same ? s->slots[i].updated_ms : 0;
	pthread_mutex_unlock(&s->lock);
	return updated;
}

void cw_seen_put(struct cw_seen *s, uint64_t generation, struct cw_id id, int64_t updated_ms)
{
	size_t i = id.high % SLOTS;
	pthread_mutex_lock(&s->lock);
	if (s->generation == generation) {
		s->slots[i].id = id;
		s->slots[i].updated_ms = updated_ms;
	}
	pthread_mutex_unlock(&s->lock);
}
