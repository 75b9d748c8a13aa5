/* File systems that are encrypted at rest ("Encrypting data at rest", the guide): a data key of KMS for each, and a
 * sealed folder of the host (decision 0094) that a job opens when the file system is made and whenever virga starts.
 * While its key does not serve it stays closed, and mounts fail; what is mounted goes on. */
#include "base/log.h"
#include "call/inside.h"
#include "host/host.h"
#include "services/efs/room.h"
#include "services/kms/folder.h"
#include "vault/vault.h"
#include <stdio.h>

#define DEFAULT_KEY STR("alias/aws/elasticfilesystem")
/* A file system has no size; its file is sparse. */
#define BYTES ((uint64_t)1 << 40)
enum { KEY = 32, SOON_MS = 1000, LATER_MS = 60000 };

static struct kms_pair context_of(struct str id)
{
	return (struct kms_pair){STR("aws:elasticfilesystem:filesystem:id"), id};
}

status efs_crypt_new(struct call *c, struct str reference, struct efs_rec_file_system *f)
{
	struct kms_use u = kms_use_of(c);
	struct kms_pair context = context_of(f->file_system_id);
	struct kms_data_key key;
	struct kms_refusal why;
	status s = kms_use_data_key(&u, str_or(reference, DEFAULT_KEY), &context, 1, KEY, &key, &why);
	if (status_is(s, STATUS_FAILED)) return EFS_BAD(c, "%.*s", STR_ARG(why.message));
	TRY(s);
	vault_wipe(key.plain);
	/* "Key policies for encrypted file systems": who creates one needs these, by way of EFS. */
	static const enum kms_act acts[] = {KMS_ACT_MAKE, KMS_ACT_GRANT};
	struct str said;
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (!kms_use_may(c, STR("elasticfilesystem"), acts[i], key.key_arn, &context, 1, &said))
			return call_fail(c, ERR_ACCESS_DENIED, "%.*s", STR_ARG(said));
	f->kms_key_id = key.key_arn;
	f->data_key = key.blob;
	return OK;
}

void efs_open_soon(struct store_tx *tx, struct str account, struct str region, struct str id, int64_t now_ms)
{
	char payload[256];
	int n = snprintf(payload, sizeof(payload), "%.*s %.*s %.*s", STR_ARG(account), STR_ARG(region), STR_ARG(id));
	jobs_schedule(tx,
		&(struct job){
			.kind = STR(EFS_OPEN_JOB), .id = id, .due_ms = now_ms, .payload = str_n(payload, (size_t)n)});
}

static status open_folder(struct call *c, const struct efs_rec_file_system *f, struct kms_refusal *why)
{
	struct kms_use u = kms_use_of(c);
	struct kms_folder folder = {.folder = efs_folder(c->arena, f->file_system_id),
		.data_key = f->data_key,
		.context = context_of(f->file_system_id),
		.bytes = BYTES};
	return kms_folder_open(&u, &folder, why);
}

status efs_open_job(void *ctx, struct store_tx *tx, struct arena *a, const struct job *job, int64_t *again_ms)
{
	struct cloud *cloud = ctx;
	struct str rest = job->payload, account = str_cut(&rest, ' '), region = str_cut(&rest, ' ');
	struct efs_rec_file_system f;
	struct kms_refusal why;
	struct call *c = call_for_job(a, cloud, tx, account, region, STR("elasticfilesystem.amazonaws.com"));
	status s = efs_file_system(c, rest, &f);
	if (status_is(s, STATUS_FAILED)) return OK; /* it has been deleted */
	TRY(s);
	if (!host_available(cloud->host) || !str_has(f.data_key)) return OK;
	s = open_folder(c, &f, &why);
	if (status_is(s, STATUS_CONFLICT)) return s;
	if (!is_ok(s)) {
		bool key = status_is(s, STATUS_FAILED);
		log_warn("efs", "not_open", "file_system=%.*s why=\"%.*s\"", STR_ARG(rest),
			STR_ARG(key ? why.message : STR("the host could not")));
		*again_ms = clock_now(cloud->clock) + (key ? LATER_MS : SOON_MS);
		return OK;
	}
	if (f.opened.v) return OK;
	f.opened = SOME_BOOL(true);
	efs_put(c, EFS_FILE_SYSTEM, f.file_system_id, &f);
	return OK;
}

void efs_open_all(struct cloud *cloud, void *state)
{
	struct arena a;
	store_ticket ticket;
	(void)state;
	if (!host_available(cloud->host)) return;
	arena_init(&a);
	struct store_tx *tx = store_begin(cloud->store, &a, false);
	struct key k = key_begin(&a);
	key_str(&k, STR("efs"));
	key_str(&k, STR("file-system"));
	struct str from = key_done(&k), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(&a, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct efs_rec_file_system f = {0};
		struct str name = str_dup(&a, key), parts[5];
		bool well = is_ok(efs_rec_file_system_decode(&a, str_dup(&a, value), &f)) && str_has(f.data_key);
		for (unsigned n = 0; n < 5 && well; n++) well = is_ok(key_read_str(&a, &name, &parts[n]));
		if (well) efs_open_soon(tx, parts[2], parts[3], f.file_system_id, clock_now(cloud->clock));
	}
	if (!is_ok(store_scan_end(scan)) || !is_ok(store_commit(tx, &ticket)))
		log_warn("efs", "scan_failed", "what=file-systems");
	store_end(tx);
	arena_cleanup(&a);
	jobs_poke(cloud->jobs);
}
