/* Credentials of an instance's role: sessions of STS, begun as the service ec2.amazonaws.com, which the role has to
 * trust
 * ("IAM roles for Amazon EC2", the guide). */
#include "base/map.h"
#include "call/inside.h"
#include "services/ec2/imds.h"
#include "services/iam/door.h"
#include "sts.h"
#include <pthread.h>
#include <stdlib.h>

#define SESSION_S 3600
/* "We make new credentials available at least five minutes before the expiration of the old credentials." */
#define RENEW_MS ((int64_t)10 * 60 * 1000)

struct session {
	int64_t ends_ms;
	char *text;
	size_t n;
};
struct imds_sessions {
	pthread_mutex_t lock;
	struct map by_name; /* "INSTANCE ROLE" */
};

static void session_free(void *p)
{
	struct session *s = p;
	free(s->text);
	free(s);
}

struct imds_sessions *imds_sessions_new(void)
{
	struct imds_sessions *s = mem_new(sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	map_init(&s->by_name);
	return s;
}

void imds_sessions_free(struct imds_sessions *s)
{
	if (!s) return;
	map_cleanup(&s->by_name, session_free);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

status imds_role(struct store_tx *tx, struct arena *a, struct str account, struct str profile_arn, struct str *role)
{
	struct iam_rec_profile p;
	*role = STR_NONE;
	if (!str_has(profile_arn)) return OK;
	status s =
		iam_profile_peek(tx, a, account, str_from(profile_arn, (size_t)(str_rchr(profile_arn, '/') + 1)), &p);
	if (status_is(s, STATUS_NOT_FOUND)) return OK;
	TRY(s);
	if (!str_empty(p.role)) *role = p.role;
	return OK;
}

static struct str kept(struct imds_sessions *s, struct arena *a, struct str name, int64_t now_ms)
{
	struct str out = STR_NONE;
	pthread_mutex_lock(&s->lock);
	const struct session *k = map_get(&s->by_name, name);
	if (k && k->ends_ms - RENEW_MS > now_ms) out = str_dup(a, str_n(k->text, k->n));
	pthread_mutex_unlock(&s->lock);
	return out;
}

static void keep(struct imds_sessions *s, struct str name, struct str text, int64_t ends_ms)
{
	struct session *k = mem_new(sizeof(*k));
	k->text = mem_new(text.n + 1);
	memcpy(k->text, text.p, text.n);
	k->n = text.n;
	k->ends_ms = ends_ms;
	pthread_mutex_lock(&s->lock);
	struct session *old = map_set(&s->by_name, name, k);
	pthread_mutex_unlock(&s->lock);
	if (old) session_free(old);
}

/* arn:…:role/PATH/NAME. */
static struct str role_arn(struct cloud *cloud, struct arena *a, struct str account, struct str role)
{
	struct iam_rec_entity e;
	struct store_tx *tx = store_begin(cloud->store, a, true);
	status s = iam_peek(tx, a, IAM_ROLE, account, role, &e);
	struct str path = is_ok(s) ? str_dup(a, str_or(e.path, STR("/"))) : STR("/");
	store_end(tx);
	return str_fmt(a, "arn:aws:iam::%.*s:role%.*s%.*s", STR_ARG(account), STR_ARG(path), STR_ARG(role));
}

struct str imds_credentials(struct imds_sessions *s, struct cloud *cloud, struct arena *a, struct ec2_place at,
	struct str instance, struct str role)
{
	struct str name = str_fmt(a, "%.*s %.*s", STR_ARG(instance), STR_ARG(role));
	int64_t now = clock_now(cloud->clock);
	struct str text = kept(s, a, name, now);
	if (str_has(text)) return text;
	struct inside_caller who = inside_service(a, at.account, at.region, STR("ec2.amazonaws.com"));
	who.trusted = false; /* the role's trust policy decides */
	struct sts_assume_role_input in = {.role_arn = role_arn(cloud, a, at.account, role),
		.role_session_name = instance,
		.duration_seconds = SOME_I32(SESSION_S)};
	struct inside *run = inside_run(cloud, &who, "sts", STS_OP_ASSUME_ROLE, &in, NULL);
	struct str updated = time_iso8601(a, now, false);
	if (run->ok) {
		const struct sts_credentials *c = ((const struct sts_assume_role_output *)run->out)->credentials;
		struct str ends = time_iso8601(a, c->expiration.ms, false);
		text = str_fmt(a,
			"{\n  \"Code\" : \"Success\",\n  \"LastUpdated\" : \"%.*s\",\n  \"Type\" : \"AWS-HMAC\",\n  "
			"\"AccessKeyId\" : "
			"\"%.*s\",\n  \"SecretAccessKey\" : \"%.*s\",\n  \"Token\" : \"%.*s\",\n  \"Expiration\" : "
			"\"%.*s\"\n}",
			STR_ARG(updated), STR_ARG(c->access_key_id), STR_ARG(c->secret_access_key),
			STR_ARG(c->session_token), STR_ARG(ends));
		keep(s, name, text, c->expiration.ms);
	} else {
		text = str_fmt(a,
			"{\n  \"Code\" : \"AssumeRoleUnauthorizedAccess\",\n  \"Message\" : \"EC2 cannot assume the "
			"role %.*s. Please "
			"see documentation at "
			"https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html.\",\n  "
			"\"LastUpdated\" : \"%.*s\"\n}",
			STR_ARG(role), STR_ARG(updated));
	}
	inside_free(run);
	return text;
}
