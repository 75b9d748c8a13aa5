/* Long polls: calls that wait for a message without holding a thread, first come first served. */
#include "services/sqs/sqs_internal.h"

void sqs_wait(struct queue *q, struct waiter *w)
{
	w->previous = q->waiter_last;
	w->next = NULL;
	*(q->waiter_last ? &q->waiter_last->next : &q->waiter_first) = w;
	q->waiter_last = w;
	w->listed = true;
}

void sqs_unwait(struct queue *q, struct waiter *w)
{
	if (!w->listed) return;
	*(w->previous ? &w->previous->next : &q->waiter_first) = w->next;
	*(w->next ? &w->next->previous : &q->waiter_last) = w->previous;
	w->listed = false;
}

static void wake_one(struct queue *q, struct waiter *w)
{
	sqs_unwait(q, w);
	call_again(w->call);
}

static void on_timer(void *ctx)
{
	struct queue *q = ctx;
	pthread_mutex_lock(&q->lock);
	q->timer = 0;
	sqs_wake(q, clock_now(q->sqs->cloud->clock));
	pthread_mutex_unlock(&q->lock);
	sqs_queue_release(q);
}

static void set_timer(struct queue *q, int64_t due_ms)
{
	struct clock *clock = q->sqs->cloud->clock;
	if (q->timer) {
		if (q->timer_due_ms <= due_ms) return;
		if (!clock_cancel(clock, q->timer)) return; /* it runs now and will look again */
		sqs_queue_release(q);
	}
	atomic_fetch_add(&q->references, 1);
	q->timer_due_ms = due_ms;
	q->timer = clock_at(clock, due_ms, on_timer, q);
}

void sqs_wake(struct queue *q, int64_t now_ms)
{
	if (!q->waiter_first) return;
	sqs_ripen(q, now_ms);
	bool all = q->deleted || atomic_load(&q->sqs->draining);
	uint32_t ready = q->index.n_ready;
	int64_t next = INT64_MAX;
	for (struct waiter *w = q->waiter_first, *following; w; w = following) {
		following = w->next;
		if (all || w->deadline_ms <= now_ms) {
			wake_one(q, w);
		} else if (ready && index_next(&q->index, NULL)) {
			ready--;
			wake_one(q, w);
		} else if (w->deadline_ms < next) {
			next = w->deadline_ms;
		}
	}
	struct message *m = index_first_waiting(&q->index);
	if (m && m->visible_ms < next) next = m->visible_ms;
	if (q->waiter_first) set_timer(q, next);
}
