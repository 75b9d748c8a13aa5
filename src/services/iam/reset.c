/* What reset drops beside IAM's own records: the keys that the identity room verifies by, long-term and temporary
 * alike. The installation's own root key stays. */
#include "services/iam/internal.h"
#include "services/iam/subject.h"
#include "services/iam/usage.h"

#define KEYS_PER_COMMIT 1000

static status drop_keys(struct cloud *cloud, struct arena *a, struct str from, struct str to, struct str *next)
{
	struct store_tx *tx = store_begin(cloud->store, a, false);
	struct store_scan *scan = store_scan_begin(tx, from, to, false);
	struct str key, value;
	size_t n = 0;
	*next = STR_NONE;
	while (store_scan_next(scan, &key, &value)) {
		struct str kind, id, rest = key;
		if (n++ == KEYS_PER_COMMIT) {
			*next = str_dup(a, key);
			break;
		}
		TRY(key_read_str(a, &rest, &kind));
		TRY(key_read_str(a, &rest, &kind));
		TRY(key_read_str(a, &rest, &id));
		struct principal p;
		struct wire_failure why = {0};
		struct sigv4 s = {.kind = SIG_HEADER, .access_key = id, .service = STR("iam")};
		/* The root key resolves to the root; it is not IAM's. */
		status got = identity_resolve(tx, a, &s, true, 0, &p, &why);
		if (is_ok(got) && p.kind == PRINCIPAL_ROOT) continue;
		store_delete(tx, str_dup(a, key));
	}
	status s = store_scan_end(scan);
	store_ticket ticket = 0;
	if (is_ok(s) && store_has_writes(tx)) s = store_commit(tx, &ticket);
	store_end(tx);
	store_wait(cloud->store, ticket);
	return s;
}

status iam_reset(struct cloud *cloud, void *state, bool gone)
{
	struct iam_state *iam = state;
	iam_usage_forget(iam->usage);
	iam_subjects_forget(iam->subjects);
	if (gone) return OK;
	struct arena a;
	arena_init(&a);
	struct key k = key_begin(&a);
	key_str(&k, STR("identity"));
	key_str(&k, STR("key"));
	struct str from = key_done(&k), to = key_after(&a, from);
	status s = OK;
	while (is_ok(s) && str_has(from)) s = drop_keys(cloud, &a, from, to, &from);
	arena_cleanup(&a);
	return s;
}
