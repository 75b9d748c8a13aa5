/* Asking a running virga over HTTP. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#define CLIENT_OPTION                                                                                                  \
	{                                                                                                              \
		"endpoint", "URL", "the running virga (VIRGA_ENDPOINT; http://127.0.0.1:4566)"                         \
	}

/* given: the value of --endpoint or NULL. Without a trailing slash. */
const char *client_endpoint(struct arena *a, const char *given);

struct client_answer {
	long code; /* HTTP status; 0: virga was not reached, `why` tells */
	struct str body;
	const char *why;
};
/* method GET or POST; path as "/_virga/status". */
struct client_answer client_ask(struct arena *a, const char *endpoint, const char *method, const char *path);
/* The same; on failure tells why on standard error and returns false. */
bool client_get(struct arena *a, const char *endpoint, const char *method, const char *path, struct str *body);

/* Members of a JSON object in an answer. STR_NONE, false, 0 where there is no such member. */
struct reply;
struct reply *reply_read(struct str text);
void reply_free(struct reply *v);
struct str reply_text(const struct reply *v, const char *key);
bool reply_true(const struct reply *v, const char *key);
int64_t reply_number(const struct reply *v, const char *key);
/* The i-th element of the array at `key`; NULL past its end. Valid until reply_free of v. */
const struct reply *reply_element(const struct reply *v, const char *key, size_t i);
