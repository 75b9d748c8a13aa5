/* What else users sign in with: SSH public keys, signing certificates, service-specific credentials. They are records: the
 * services that take them look them up here. */
#include "services/iam/internal.h"

static struct str record_key(struct call *c, const char *kind, struct str user, struct str id)
{
	struct key k = key_for(c->arena, STR("iam"), str_c(kind), c->account, STR(""));
	if (str_has(user)) key_str(&k, str_lower(c->arena, user));
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

static const char *const kinds[] = {"signing", "ssh", "credential"};
static const char *const words[] = {"delete signing certificate", "delete SSH public key", "delete service specific credentials"};

const char *iam_credentials_left(struct call *c, struct str user)
{
	for (size_t i = 0; i < 3; i++) {
		struct iam_rows r = iam_rows_under(c, record_key(c, kinds[i], user, STR_NONE));
		bool left = iam_rows_next(&r);
		if (!is_ok(iam_rows_end(&r)) || left) return words[i];
	}
	return NULL;
}

status iam_credentials_renamed(struct call *c, struct str from, struct str to)
{
	for (size_t i = 0; i < 3; i++) {
		struct iam_rec_strings ids = {0};
		struct iam_rows r = iam_rows_under(c, record_key(c, kinds[i], from, STR_NONE));
		while (iam_rows_next(&r)) iam_strings_add(c->arena, &ids, str_dup(c->arena, r.name));
		TRY(iam_rows_end(&r));
		for (size_t n = 0; n < ids.n; n++) {
			struct str bytes;
			struct iam_rec_credential k = {0};
			TRY(store_get(c->tx, record_key(c, kinds[i], from, ids.v[n]), &bytes));
			TRY(iam_rec_credential_decode(c->arena, bytes, &k));
			k.user = to;
			store_delete(c->tx, record_key(c, kinds[i], from, ids.v[n]));
			store_put(c->tx, record_key(c, kinds[i], to, ids.v[n]), iam_rec_credential_encode(c->arena, &k));
		}
	}
	return OK;
}
