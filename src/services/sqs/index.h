/* The messages of one queue, in memory: who is ready, who waits (delayed or in flight), in which order they are handed
 * out. Built from the stored entries when the queue is first touched; every change here follows a committed write of
 * the same change. Not thread-safe: the queue's lock guards it. Knows nothing of bodies. */
#pragma once
#include "base/map.h"

enum message_state { MESSAGE_READY, MESSAGE_DELAYED, MESSAGE_IN_FLIGHT };

struct group;
struct message {
	uint64_t seq;
	int64_t sent_ms;
	int64_t visible_ms;       /* while it waits: when it will be ready */
	int64_t first_receive_ms; /* 0: never */
	uint64_t nonce;           /* of the newest receipt handle */
	uint32_t receives;
	uint32_t wait_at, expiry_at; /* places in the heaps, from 1; 0 none */
	enum message_state state;
	struct group *group;          /* of FIFO queues, else NULL */
	struct message *previous, *next; /* ready list (standard) or the group's list in order of seq */
	struct message *chain;        /* hash */
};

struct group {
	struct str id; /* owned */
	struct message *first, *last;
	uint32_t in_flight, length;
	bool listed;
	struct group *previous, *next; /* groups that can be read from */
};

struct heap {
	struct message **v;
	uint32_t n, capacity;
	size_t place_offset;                       /* of wait_at or expiry_at */
	int64_t (*key)(const struct message *m);
};

struct index {
	bool fifo;
	struct message *ready_first, *ready_last; /* standard */
	struct map groups;                        /* FIFO: id -> struct group * */
	struct group *group_first, *group_last;
	struct heap waiting; /* by visible_ms */
	struct heap expiry;  /* by sent_ms */
	struct message **buckets;
	uint32_t n_buckets, count;
	uint32_t n_ready, n_delayed, n_in_flight;
};

void index_init(struct index *x, bool fifo);
void index_cleanup(struct index *x);
struct message *index_find(const struct index *x, uint64_t seq);
/* A message with seq, sent_ms, state, visible_ms, receives, nonce, first_receive_ms of `m`; copies it. group: FIFO only. */
struct message *index_add(struct index *x, const struct message *m, struct str group);
void index_remove(struct index *x, struct message *m);
/* READY (visible_ms is ignored) or waiting until visible_ms. A message that returns keeps its place in a FIFO group and goes
 * to the end of a standard queue. */
void index_set(struct index *x, struct message *m, enum message_state state, int64_t visible_ms);
/* The next message that may be handed out, or NULL. For FIFO queues `within` continues a batch: the next message of the group
 * that was just read, before other groups. The caller marks it in flight before asking again. */
struct message *index_next(struct index *x, const struct message *within);
/* The waiting message that becomes ready first / the message that was sent first; NULL when there is none. */
struct message *index_first_waiting(const struct index *x);
struct message *index_oldest(const struct index *x);
