/* The installation's own root key: made once, kept in the store, and told to the user in a file that AWS's tools read
 * ("Configuration and credential file settings in the AWS CLI"). */
#include "base/log.h"
#include "identity/keys.h"
#include "store/key.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct str root_key(struct arena *a)
{
	struct key k = key_begin(a);
	key_str(&k, STR("identity"));
	key_str(&k, STR("root"));
	return key_done(&k);
}

/* The key that there is, or a new one, written in tx. */
static status find_or_make(struct store_tx *tx, struct arena *a, struct principal *out)
{
	struct str bytes;
	status s = store_get(tx, root_key(a), &bytes);
	if (is_ok(s)) {
		struct identity_rec_root r = {0};
		TRY(identity_rec_root_decode(a, bytes, &r));
		struct identity_rec_key k = {0};
		struct str id = str_dup(a, str_or(r.access_key, STR("")));
		s = identity_key_read(tx, a, id, &k);
		if (is_ok(s)) *out = identity_principal_of(&k, id);
		if (!status_is(s, STATUS_NOT_FOUND)) return s;
	}
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	*out = identity_root_of(a, STR("000000000000"), identity_new_key_id(a, false));
	out->secret = identity_new_secret(a);
	identity_key_put(tx, a, out, STR(""));
	store_put(tx, root_key(a),
		identity_rec_root_encode(a, &(struct identity_rec_root){.access_key = out->access_key}));
	return OK;
}

static status write_all(int fd, struct str s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return STATUS(IO);
		s = str_from(s, (size_t)n);
	}
	return fsync(fd) == 0 ? OK : STATUS(IO);
}

/* Under another name first, so that nobody ever reads half a file. */
static status write_credentials(struct store *s, struct arena *a, const struct principal *root)
{
	const char *path = str_fmt(a, "%scredentials", store_dir(s)).p;
	const char *fresh = str_fmt(a, "%scredentials.new", store_dir(s)).p;
	if (access(path, F_OK) == 0) return OK;
	(void)!unlink(fresh);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	status done = fd < 0 ? STATUS(IO) : OK;
	if (fd >= 0) {
		done = write_all(fd, str_fmt(a, "[default]\naws_access_key_id = %.*s\naws_secret_access_key = %.*s\n",
					     STR_ARG(root->access_key), STR_ARG(root->secret)));
		if (close(fd) != 0 || (is_ok(done) && rename(fresh, path) != 0)) done = STATUS(IO);
	}
	if (!is_ok(done)) log_error("identity", "credentials-not-written", "errno=%d", errno);
	return done;
}

status identity_root_key(struct store *s, struct arena *a, struct principal *out)
{
	for (;;) {
		struct store_tx *tx = store_begin(s, a, false);
		store_ticket ticket = 0;
		status done = find_or_make(tx, a, out);
		if (is_ok(done) && store_has_writes(tx)) done = store_commit(tx, &ticket);
		/* What was read lives in the transaction's memory no longer than it. */
		if (is_ok(done)) {
			struct str *strings[] = {&out->account, &out->arn, &out->user_id, &out->access_key, &out->name,
				&out->session, &out->secret, &out->session_record};
			for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
				*strings[i] = str_dup(a, *strings[i]);
		}
		store_end(tx);
		if (status_is(done, STATUS_CONFLICT)) continue;
		TRY(done);
		store_wait(s, ticket);
		return write_credentials(s, a, out);
	}
}
