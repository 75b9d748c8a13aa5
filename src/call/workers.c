/* The pool behind workers.h: a FIFO of jobs and threads that start when a job finds no idle one. */
#include "call/workers.h"
#include "base/arena.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct work {
	void (*fn)(void *);
	void *ctx;
	struct work *next;
};
struct workers {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct work *first, **last;
	pthread_t *threads;
	unsigned max, started, idle, queued;
	bool stopping;
};

static void *worker_main(void *arg)
{
	struct workers *w = arg;
	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->first && !w->stopping) {
			w->idle++;
			pthread_cond_wait(&w->wake, &w->lock);
			w->idle--;
		}
		struct work *job = w->first;
		if (!job) break;
		w->first = job->next;
		if (!w->first) w->last = &w->first;
		w->queued--;
		pthread_mutex_unlock(&w->lock);
		job->fn(job->ctx);
		free(job);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

struct workers *workers_new(unsigned max)
{
	struct workers *w = mem_new(sizeof(*w));
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	w->last = &w->first;
	w->max = max;
	w->threads = mem_new(max * sizeof(*w->threads));
	return w;
}

void workers_free(struct workers *w)
{
	if (!w) return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->started; i++) pthread_join(w->threads[i], NULL);
	/* Queued but never picked up: no thread could be started. */
	while (w->first) {
		struct work *job = w->first;
		w->first = job->next;
		job->fn(job->ctx);
		free(job);
	}
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w->threads);
	free(w);
}

void workers_run(struct workers *w, void (*fn)(void *ctx), void *ctx)
{
	struct work *job = mem_new(sizeof(*job));
	*job = (struct work){fn, ctx, NULL};
	pthread_mutex_lock(&w->lock);
	*w->last = job;
	w->last = &job->next;
	w->queued++;
	if (w->queued > w->idle && w->started < w->max &&
	    pthread_create(&w->threads[w->started], NULL, worker_main, w) == 0)
		w->started++;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}
