/* A root key that was lost would be made anew, and all that it had wrapped would answer errors one by one: better to
 * say so at start. The store keeps a sentence that only its own root key unwraps. */
#include "store/key.h"
#include "store/store.h"
#include "vault/vault.h"

#define CONTEXT STR("vault match")
#define SENTENCE STR("this root key wrapped this store's secrets")

status vault_match(const struct vault *v, struct store *s, struct arena *a)
{
	struct key key = key_begin(a);
	struct str wrapped, plain;
	key_str(&key, STR("vault"));
	key_str(&key, STR("match"));
	struct store_tx *tx = store_begin(s, a, false);
	status st = store_get(tx, key_done(&key), &wrapped);
	if (is_ok(st)) {
		st = vault_unwrap(v, a, CONTEXT, wrapped, &plain);
	} else if (status_is(st, STATUS_NOT_FOUND)) {
		store_ticket t;
		store_put(tx, key_done(&key), vault_wrap(v, a, CONTEXT, SENTENCE));
		st = store_commit(tx, &t);
		if (is_ok(st)) store_wait(s, t);
	}
	store_end(tx);
	return st;
}
