/* `virga reset`: what of EC2's is not a record: snapshots' blocks, volumes' files, and what stands on the host (with
 * what it keeps there: imported images). */
#include "base/log.h"
#include "host/host.h"
#include "services/ec2/dns.h"
#include "services/ec2/imds.h"
#include "services/ec2/intent.h"
#include "services/ec2/private_link.h"
#include "services/ec2/volume.h"
#include "store/blob.h"
#include <dirent.h>
#include <errno.h>
#include <unistd.h>

enum { AT_ONCE = 1000 };

static status drop_some(struct store *store, struct arena *a, size_t *n)
{
	struct key k = key_begin(a);
	key_str(&k, STR("ec2"));
	key_str(&k, STR("snapshot-block"));
	struct str from = key_done(&k), key, value;
	struct store_tx *tx = store_begin(store, a, false);
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	store_ticket ticket;
	status s = OK;
	for (*n = 0; *n < AT_ONCE && is_ok(s) && store_scan_next(scan, &key, &value); ++*n) {
		struct ec2_rec_snapshot_block r = {0};
		s = ec2_rec_snapshot_block_decode(a, str_dup(a, value), &r);
		if (is_ok(s)) s = blob_release(tx, ec2_block_ref(&r));
		store_delete(tx, str_dup(a, key));
	}
	status ended = store_scan_end(scan);
	if (is_ok(s)) s = ended;
	if (is_ok(s)) s = store_commit(tx, &ticket);
	store_end(tx);
	return s;
}

static status drop_blocks(struct store *store)
{
	struct arena a;
	status s;
	size_t n = 0;
	arena_init(&a);
	do {
		s = drop_some(store, &a, &n);
		arena_reset(&a);
	} while (status_is(s, STATUS_CONFLICT) || (is_ok(s) && n == AT_ONCE));
	arena_cleanup(&a);
	return s;
}

/* The folder has nothing but files of volumes and of snapshots that were being taken. */
static void drop_files(struct cloud *cloud)
{
	struct arena a;
	arena_init(&a);
	DIR *d = opendir(ec2_file_path(cloud, &a, STR("ebs")));
	if (!d && errno != ENOENT) log_warn("ec2", "reset", "folder=ebs errno=%d", errno);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.' && unlinkat(dirfd(d), e->d_name, 0) != 0)
			log_warn("ec2", "reset", "file=ebs/%s errno=%d", e->d_name, errno);
	if (d) closedir(d);
	arena_cleanup(&a);
}

status ec2_reset(struct cloud *cloud, void *state, bool gone)
{
	status s = OK;
	(void)state;
	if (!gone) return drop_blocks(cloud->store);
	if (host_available(cloud->host)) {
		ec2_dns_forget(cloud, STR_NONE);
		imds_forget(cloud, STR_NONE);
		ec2_relay_wake(ec2_network_of(cloud)->relay, true);
		ec2_network_of(cloud)->internet = 0;
		s = host_clear(cloud->host);
	}
	drop_files(cloud);
	return s;
}
