/* Encryption at rest. "At-Rest Encryption in ElastiCache", the guide. What an encrypted replication group has on disk
 * (what its nodes are filled from, and what is kept for the next start) lies in one sealed folder (decision 0094), its
 * nodes' folders in that; an encrypted snapshot lies in one of its own, which is open while somebody reads or writes
 * it. A data key of KMS opens each; KMS is asked when one is opened, not while it is. */
#include "base/log.h"
#include "host/engines/folder.h"
#include "host/host.h"
#include "services/elasticache/controller.h"
#include "services/elasticache/watch.h"
#include "services/kms/folder.h"
#include "vault/vault.h"
#include <stdio.h>
#include <unistd.h>

#define DEFAULT_KEY STR("alias/aws/elasticache")
#define BYTES ((uint64_t)1 << 40) /* of a file, which is sparse */
enum { KEY = 32 };

static struct kms_pair context_of(struct str folder)
{
	return (struct kms_pair){STR("aws:elasticache:id"), str_from(folder, (size_t)(str_rchr(folder, '/') + 1))};
}

status cache_crypt_new(
	struct call *c, struct str reference, struct str folder, struct str *key_arn, struct str *data_key)
{
	struct kms_use u = kms_use_of(c);
	struct kms_pair context = context_of(folder);
	struct kms_data_key key;
	struct kms_refusal why;
	status s = kms_use_data_key(&u, str_or(cache_given(reference), DEFAULT_KEY), &context, 1, KEY, &key, &why);
	if (status_is(s, STATUS_FAILED)) return CACHE_BAD_VALUE(c, "%.*s", STR_ARG(why.message));
	TRY(s);
	vault_wipe(key.plain);
	*key_arn = key.key_arn, *data_key = key.blob;
	return OK;
}

struct str cache_inside(struct arena *a, struct str folder, struct str data_key)
{
	return str_has(data_key) ? str_cat(a, folder, STR("/files")) : folder;
}

static status open_folder(struct call *c, struct kms_holders *through, struct str folder, struct str data_key)
{
	struct kms_use u = kms_use_of(c);
	struct kms_refusal why;
	struct kms_folder f = {.folder = folder, .data_key = data_key, .context = context_of(folder), .bytes = BYTES};
	if (!str_has(data_key) || !cache_real(c->cloud)) return OK;
	TRY(engine_folder_make(cache_path(c->cloud, c->arena, STR("elasticache"), ""), 0700));
	TRY(engine_folder_make(cache_path(c->cloud, c->arena, folder, ""), 0700));
	status s = through ? kms_folder_hold(through, &u, &f, &why) : kms_folder_open(&u, &f, &why);
	if (!status_is(s, STATUS_FAILED)) return s;
	log_warn("elasticache", "not_open", "folder=%.*s why=\"%.*s\"", STR_ARG(folder), STR_ARG(why.message));
	return STATUS(BUSY);
}

status cache_crypt_open(struct call *c, struct str folder, struct str data_key)
{
	if (str_has(data_key) &&
		access(cache_path(c->cloud, c->arena, cache_inside(c->arena, folder, data_key), ""), F_OK) == 0)
		return OK;
	return open_folder(c, NULL, folder, data_key);
}

status cache_crypt_hold(struct call *c, struct str folder, struct str data_key)
{
	return open_folder(c, cache_holders_of(c->cloud), folder, data_key);
}

void cache_crypt_let_go(struct cloud *cloud, struct str folder, struct str data_key)
{
	if (str_has(data_key) && cache_real(cloud)) kms_folder_let_go(cache_holders_of(cloud), cloud, folder);
}

void cache_folder_remove(struct cloud *cloud, struct arena *a, struct str folder)
{
	const char *sealed = cache_path(cloud, a, str_cat(a, folder, STR(".sealed")), "");
	if (access(sealed, F_OK) != 0) {
		engine_folder_remove(cache_path(cloud, a, folder, ""));
		return;
	}
	status s = cache_real(cloud) ? host_folder_close(cloud->host, folder) : OK;
	if (!is_ok(s)) log_warn("elasticache", "not_closed", "folder=%.*s", STR_ARG(folder));
	unlink(sealed);
	unlink(cache_path(cloud, a, str_cat(a, folder, STR(".sealed.new")), ""));
	rmdir(cache_path(cloud, a, folder, ""));
}
