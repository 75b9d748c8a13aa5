/* Storage that is encrypted at rest. "Encrypting Amazon RDS resources", the guide.
 *
 * An instance, a cluster or a snapshot with a data key has its folder within a sealed one (host.h, decision 0094):
 * rds/NAME/files, which is there as long as rds/NAME is open, and lies in rds/NAME.sealed. Everything else goes by the
 * folder's name, and does not know the difference. An instance's stays open while its key serves; a snapshot's is open
 * while somebody reads or writes it. The data key's encryption context is the resource id of the instance or cluster
 * that the data are, or once were, of: copies keep it. */
#pragma once
#include "services/rds/controller.h"

/* A folder and what opens it; data_key STR_NONE: it is not sealed. id: the context's. */
struct rds_sealed {
	struct str folder, data_key, id;
};
/* Below the data folder: what a folder of this name is called when it is sealed; and whether this is one. */
struct str rds_sealed_folder(struct arena *a, struct str folder);
bool rds_is_sealed(struct str folder);
/* It may be read and written: it is not sealed, or it is open. */
bool rds_folder_there(struct cloud *cloud, struct arena *a, struct str folder);

/* A new data key under the key of that reference (STR_NONE: alias/aws/rds): *key_arn, *data_key. The client's error. */
status rds_crypt_new(
	struct call *c, struct str reference, struct str id, struct str *key_arn, struct str *data_key) MUST_USE;
/* Of the instance that r is about to be: encrypted where `wanted`, or a key is given. */
status rds_crypt_instance(struct call *c, bool wanted, struct str reference, struct rds_rec_instance *r) MUST_USE;
/* The account's own key of RDS, which nobody else may use. */
bool rds_crypt_is_default(struct call *c, struct str key_arn);

/* OK: it may be used. FAILED: its key does not serve (*why); else what the host said: come again. */
status rds_crypt_open(struct call *c, const struct rds_sealed *s, struct str *why) MUST_USE;
void rds_crypt_close(struct cloud *cloud, struct str folder);
/* Opens a folder that several may use at once, and closes it with the last of them. */
status rds_crypt_hold(struct call *c, const struct rds_sealed *s, struct str *why) MUST_USE;
void rds_crypt_let_go(struct cloud *cloud, const struct rds_sealed *s);
/* Takes the folder away, with all that is in it. */
void rds_crypt_remove(struct cloud *cloud, struct arena *a, struct str folder);

/* Before an instance or cluster is looked after: its folder is open, its source's too. *ready false: it is not, the job
 * comes again or has noted that the key does not serve. */
status rds_crypt_ready(struct rds_work *w, bool *ready) MUST_USE;
/* Around what begins with the data of its origin. */
struct rds_sealed rds_crypt_origin(const struct rds_rec_instance *r);
/* An origin's members that say how a snapshot's folder is opened. */
void rds_crypt_from(struct rds_rec_origin *o, const struct rds_rec_snapshot *s);
