/* See folder.h. */
#include "services/kms/folder.h"
#include "base/log.h"
#include "host/host.h"
#include "host/seal/sealed.h"
#include "vault/vault.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TRIES = 40, PAUSE_MS = 25 };

status kms_folder_open(const struct kms_use *u, const struct kms_folder *f, struct kms_refusal *why)
{
	struct str plain, said = STR_NONE;
	TRY(kms_use_decrypt(u, f->data_key, STR_NONE, &f->context, 1, &plain, NULL, why));
	struct str key = sealed_key(u->arena, plain, str_from(f->folder, (size_t)(str_rchr(f->folder, '/') + 1)));
	vault_wipe(plain);
	status s = host_folder_open(u->cloud->host, u->arena, f->folder, key, f->bytes, &said);
	/* One that was closed a moment ago goes on until the last who had it lets go. */
	for (int i = 0; i < TRIES && status_is(s, STATUS_BUSY); i++) {
		nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
		s = host_folder_open(u->cloud->host, u->arena, f->folder, key, f->bytes, &said);
	}
	vault_wipe(key);
	if (is_ok(s)) return OK;
	log_warn("kms", "folder_not_open", "folder=%.*s status=%s why=\"%.*s\"", STR_ARG(f->folder), status_name(s),
		STR_ARG(str_or(said, STR(""))));
	/* FAILED is KMS's alone. */
	return status_is(s, STATUS_FAILED) ? STATUS(IO) : s;
}

/* ── who has them ── */

struct holder {
	struct holder *next;
	int n;
	char folder[128];
};
struct kms_holders {
	pthread_mutex_t lock;
	struct holder *first;
};

struct kms_holders *kms_holders_new(void)
{
	struct kms_holders *h = mem_new(sizeof(*h));
	*h = (struct kms_holders){0};
	pthread_mutex_init(&h->lock, NULL);
	return h;
}

void kms_holders_free(struct kms_holders *h)
{
	while (h->first) {
		struct holder *next = h->first->next;
		free(h->first);
		h->first = next;
	}
	pthread_mutex_destroy(&h->lock);
	free(h);
}

/* Where it is in the list, or would be. */
static struct holder **find(struct kms_holders *h, struct str folder)
{
	struct holder **at = &h->first;
	while (*at && !str_eq(str_c((*at)->folder), folder)) at = &(*at)->next;
	return at;
}

status kms_folder_hold(
	struct kms_holders *h, const struct kms_use *u, const struct kms_folder *f, struct kms_refusal *why)
{
	pthread_mutex_lock(&h->lock);
	status s = kms_folder_open(u, f, why);
	struct holder **at = find(h, f->folder);
	if (is_ok(s) && !*at) {
		*at = mem_new(sizeof(**at));
		**at = (struct holder){0};
		snprintf((*at)->folder, sizeof((*at)->folder), "%.*s", STR_ARG(f->folder));
	}
	if (is_ok(s)) (*at)->n++;
	pthread_mutex_unlock(&h->lock);
	return s;
}

void kms_folder_let_go(struct kms_holders *h, struct cloud *cloud, struct str folder)
{
	pthread_mutex_lock(&h->lock);
	struct holder **at = find(h, folder), *one = *at;
	if (one && --one->n == 0) {
		*at = one->next;
		free(one);
		status s = host_folder_close(cloud->host, folder);
		if (!is_ok(s))
			log_warn("kms", "folder_not_closed", "folder=%.*s status=%s", STR_ARG(folder), status_name(s));
	}
	pthread_mutex_unlock(&h->lock);
}
