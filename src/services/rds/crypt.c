/* See crypt.h. */
#include "services/rds/crypt.h"
#include "base/log.h"
#include "host/engines/folder.h"
#include "host/host.h"
#include "services/kms/folder.h"
#include "services/rds/cluster.h"
#include "vault/vault.h"
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_KEY STR("alias/aws/rds")
#define FILES "/files"
/* Its file is sparse, and does not grow with the instance's storage. */
#define BYTES ((uint64_t)1 << 40)
#define DAY_MS (24ll * 60 * 60 * 1000)
enum { KEY = 32, RECOVERABLE_DAYS = 7 };
#define RECOVERABLE "inaccessible-encryption-credentials-recoverable"

struct str rds_sealed_folder(struct arena *a, struct str folder)
{
	return str_cat(a, folder, STR(FILES));
}

bool rds_is_sealed(struct str folder)
{
	return str_has(folder) && str_ends(folder, STR(FILES));
}

/* The one that is mounted on. */
static struct str outer(struct str folder)
{
	return str_sub(folder, 0, folder.n - STR(FILES).n);
}

bool rds_folder_there(struct cloud *cloud, struct arena *a, struct str folder)
{
	struct stat st;
	return !rds_is_sealed(folder) || stat(rds_path(cloud, a, folder, ""), &st) == 0;
}

static struct kms_pair context_of(struct str id)
{
	return (struct kms_pair){rds_is_cluster(id) ? STR("aws:rds:dbc-id") : STR("aws:rds:db-id"), id};
}

status rds_crypt_new(struct call *c, struct str reference, struct str id, struct str *key_arn, struct str *data_key)
{
	struct kms_use u = kms_use_of(c);
	struct kms_pair context = context_of(id);
	struct kms_data_key key;
	struct kms_refusal why;
	status s = kms_use_data_key(
		&u, str_has(reference) && reference.n ? reference : DEFAULT_KEY, &context, 1, KEY, &key, &why);
	if (status_is(s, STATUS_FAILED))
		return RDS_FAIL(c, KMS_KEY_NOT_ACCESSIBLE_FAULT,
			"The specified KMS key [%.*s] does not exist, is not enabled or you do not have permissions to "
			"access it.",
			STR_ARG(str_or(reference, STR("alias/aws/rds"))));
	TRY(s);
	vault_wipe(key.plain);
	*key_arn = key.key_arn, *data_key = key.blob;
	return OK;
}

status rds_crypt_instance(struct call *c, bool wanted, struct str reference, struct rds_rec_instance *r)
{
	bool given = str_has(reference) && reference.n;
	if (!wanted && !given) return OK;
	return rds_crypt_new(c, reference, r->dbi_resource_id, &r->kms_key_id, &r->data_key);
}

bool rds_crypt_is_default(struct call *c, struct str key_arn)
{
	struct kms_use u = kms_use_of(c);
	struct kms_refusal why;
	struct str own;
	return is_ok(kms_use_find(&u, DEFAULT_KEY, &own, &why)) && str_eq(own, key_arn);
}

/* Through: who holds it then; NULL for a folder that stays open. */
static status open_through(struct call *c, struct kms_holders *through, const struct rds_sealed *s, struct str *why)
{
	struct arena *a = c->arena;
	struct cloud *cloud = c->cloud;
	struct kms_refusal refusal;
	struct kms_use u = kms_use_of(c);
	struct kms_folder f = {
		.folder = outer(s->folder), .data_key = s->data_key, .context = context_of(s->id), .bytes = BYTES};
	*why = STR("a folder cannot be made");
	TRY(engine_folder_make(rds_path(cloud, a, STR("rds"), ""), 0700));
	TRY(engine_folder_make(rds_path(cloud, a, f.folder, ""), 0700));
	status st = through ? kms_folder_hold(through, &u, &f, &refusal) : kms_folder_open(&u, &f, &refusal);
	*why = status_is(st, STATUS_FAILED) ? refusal.message : STR("its encrypted storage cannot be opened");
	return st;
}

status rds_crypt_open(struct call *c, const struct rds_sealed *s, struct str *why)
{
	if (!str_has(s->data_key) || rds_folder_there(c->cloud, c->arena, s->folder)) return OK;
	return open_through(c, NULL, s, why);
}

void rds_crypt_close(struct cloud *cloud, struct str folder)
{
	if (!rds_is_sealed(folder)) return;
	status s = host_folder_close(cloud->host, outer(folder));
	if (!is_ok(s)) log_warn("rds", "not_closed", "folder=%.*s status=%s", STR_ARG(folder), status_name(s));
}

status rds_crypt_hold(struct call *c, const struct rds_sealed *s, struct str *why)
{
	return str_has(s->data_key) ? open_through(c, rds_holders_of(c->cloud), s, why) : OK;
}

void rds_crypt_let_go(struct cloud *cloud, const struct rds_sealed *s)
{
	if (str_has(s->data_key)) kms_folder_let_go(rds_holders_of(cloud), cloud, outer(s->folder));
}

void rds_crypt_remove(struct cloud *cloud, struct arena *a, struct str folder)
{
	struct str around = outer(folder);
	rds_crypt_close(cloud, folder);
	unlink(rds_path(cloud, a, str_cat(a, around, STR(".sealed")), ""));
	unlink(rds_path(cloud, a, str_cat(a, around, STR(".sealed.new")), ""));
	if (rmdir(rds_path(cloud, a, around, "")) != 0) log_warn("rds", "folder_stays", "folder=%.*s", STR_ARG(around));
}

void rds_crypt_from(struct rds_rec_origin *o, const struct rds_rec_snapshot *s)
{
	if (!str_has(s->data_key)) return;
	o->data_key = s->data_key;
	o->key_of = s->dbi_resource_id;
}

struct rds_sealed rds_crypt_origin(const struct rds_rec_instance *r)
{
	const struct rds_rec_origin *o = r->origin;
	return o ? (struct rds_sealed){o->folder, o->data_key, o->key_of} : (struct rds_sealed){.data_key = STR_NONE};
}

/* ── while an instance is looked after ── */

static status tell_members(struct rds_work *w, const char *state)
{
	for (size_t i = 0; rds_is_cluster(w->r->dbi_resource_id) && i < w->r->nodes.n; i++)
		TRY(rds_member_tell(w, &w->r->nodes.v[i], state));
	return OK;
}

/* "Amazon RDS loses access to the KMS key": with backups it can be recovered for seven days, by a start once the key
 * serves again; then, and without, only its backups are left. */
static status lose_key(struct rds_work *w, struct str why)
{
	struct rds_rec_instance *r = w->r;
	const char *state = r->backup_retention_period.v ? RECOVERABLE : "inaccessible-encryption-credentials";
	for (size_t i = 0; i < r->nodes.n; i++) {
		struct rds_rec_node *n = &r->nodes.v[i];
		TRY(rds_node_stop(w->cloud, w->at.a, r, n->letter, false));
		if (rds_is_cluster(r->dbi_resource_id) && !str_is(n->state, "new"))
			n->state = STR("made"), n->lsn = STR_NONE;
	}
	if (rds_is_cluster(r->dbi_resource_id))
		rds_cluster_unwatch(w);
	else
		rds_unattend(w);
	rds_crypt_close(w->cloud, rds_folder(w->at.a, r));
	r->db_instance_status = str_c(state);
	r->key_lost = SOME_TIME(w->now_ms);
	TRY(tell_members(w, state));
	rds_instance_event(w->at, w->now_ms, r, "failure",
		str_fmt(w->at.a, "The KMS key of the storage is not accessible: %.*s", STR_ARG(why)).p);
	rds_again(w, RECOVERABLE_DAYS * DAY_MS);
	return OK;
}

static status wait_for_key(struct rds_work *w)
{
	struct rds_rec_instance *r = w->r;
	if (!str_is(r->db_instance_status, RECOVERABLE)) return OK;
	int64_t end = r->key_lost.ms + RECOVERABLE_DAYS * DAY_MS;
	if (w->now_ms < end) {
		rds_again(w, end - w->now_ms);
		return OK;
	}
	r->db_instance_status = STR("inaccessible-encryption-credentials");
	return tell_members(w, "inaccessible-encryption-credentials");
}

/* The source of a replica, or of a restore to a moment, may not have been looked after yet since virga started. */
static status open_source(struct rds_work *w, struct str *why)
{
	struct rds_rec_origin *o = w->r->origin;
	struct rds_rec_owner owner;
	struct rds_rec_instance from;
	if (!o || !rds_is_sealed(o->log_folder) || rds_folder_there(w->cloud, w->at.a, o->log_folder)) return OK;
	status s = rds_owner(w->at.tx, w->at.a, o->source, &owner);
	if (is_ok(s))
		s = rds_load((struct rds_place){w->at.tx, w->at.a, owner.account, owner.region}, rds_kind_of(o->source),
			owner.name, &from);
	if (status_is(s, STATUS_NOT_FOUND)) return OK; /* what is begun with it will say that it is not there */
	TRY(s);
	return rds_crypt_open(w->c, &(struct rds_sealed){o->log_folder, from.data_key, from.dbi_resource_id}, why);
}

status rds_crypt_ready(struct rds_work *w, bool *ready)
{
	struct rds_rec_instance *r = w->r;
	struct str state = r->db_instance_status, why = STR_NONE, key;
	*ready = true;
	if (!str_has(r->data_key)) return OK;
	if (str_starts(state, STR("inaccessible-encryption"))) {
		*ready = false;
		return wait_for_key(w);
	}
	if (!w->real || str_is(state, "stopped") || str_is(state, "deleting") || str_is(state, "failed")) return OK;
	struct kms_use u = kms_use_of(w->c);
	struct kms_refusal refusal;
	status s = kms_use_resolve(&u, r->kms_key_id, &key, &refusal);
	if (status_is(s, STATUS_FAILED)) why = refusal.message;
	if (is_ok(s))
		s = rds_crypt_open(
			w->c, &(struct rds_sealed){rds_folder(w->at.a, r), r->data_key, r->dbi_resource_id}, &why);
	if (is_ok(s)) s = open_source(w, &why);
	if (is_ok(s)) return OK;
	*ready = false;
	if (status_is(s, STATUS_CONFLICT) || status_is(s, STATUS_CORRUPT)) return s;
	if (status_is(s, STATUS_FAILED)) return lose_key(w, why);
	rds_again(w, RDS_LATER_MS);
	return OK;
}
