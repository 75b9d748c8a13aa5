/* See token.h. */
#include "services/rds/token.h"
#include "call/inside.h"
#include "call/signature.h"
#include "identity/identity.h"
#include "identity/sha256.h"

/* "An authentication token … expires 15 minutes after creation", whatever it says. */
enum { LIFE_S = 15 * 60, TOKEN_MAX = 16 << 10 };

static bool refuse(struct str *why, struct str text)
{
	*why = text;
	return false;
}

/* The value of a query parameter, decoded; STR_NONE where it is not there exactly once. */
static struct str parameter(struct arena *a, struct str query, struct str name)
{
	struct str found = STR_NONE, value;
	while (str_has(query)) {
		struct str rest = str_cut(&query, '&'), key = str_cut(&rest, '=');
		if (!str_eq(key, name)) continue;
		if (str_has(found) || !str_has(rest) || !is_ok(str_uri_decode(a, rest, false, &value))) return STR_NONE;
		found = value;
	}
	return found;
}

/* It is a token for this server and user; *request is what was signed. */
static bool is_for(struct arena *a, const struct rds_token_for *to, struct str token, struct wire_request *request,
	struct wire_header *header, struct str *why)
{
	struct str query = token, place = str_cut(&query, '?'), host = str_cut(&place, '/'), port = host;
	bool named = false;
	if (token.n > TOKEN_MAX || !str_has(query)) return refuse(why, STR("the password is no authentication token"));
	struct str name = str_cut(&port, ':');
	for (size_t i = 0; i < sizeof(to->names) / sizeof(*to->names); i++)
		named = named || (str_has(to->names[i]) && str_ieq(name, to->names[i]));
	if (!named || !str_eq(str_or(port, STR("")), str_fmt(a, "%d", to->port)))
		return refuse(why, STR("the token is for another endpoint or port"));
	if (!str_is(str_or(parameter(a, query, STR("Action")), STR("")), "connect"))
		return refuse(why, STR("the token is for another action"));
	if (!str_eq(str_or(parameter(a, query, STR("DBUser")), STR("")), to->user))
		return refuse(why, STR("the token is for another user"));
	*header = (struct wire_header){STR("Host"), host};
	*request = (struct wire_request){.method = STR("GET"),
		.path = STR("/"),
		.query = query,
		.host = host,
		.headers = header,
		.n_headers = 1,
		.body = STR(""),
		.signing_name = STR("rds-db")};
	return true;
}

/* Who signed it, where the signature is good now. */
static bool signer(struct cloud *cloud, struct arena *a, const struct rds_token_for *to, const struct wire_request *r,
	struct principal *out, struct str *why)
{
	struct wire_failure failure = {0};
	struct sigv4 sig;
	uint8_t key[32], nothing[32];
	int64_t now_ms = clock_now(cloud->clock);
	status s = sigv4_read(a, r, false, &sig, &failure);
	if (is_ok(s) && (sig.kind != SIG_QUERY || !str_is(sig.service, "rds-db") || !str_eq(sig.region, to->region)))
		return refuse(why, STR("the token is signed for another service or Region"));
	if (is_ok(s) && sig.expires_s > LIFE_S) sig.expires_s = LIFE_S;
	if (is_ok(s)) {
		struct store_tx *tx = store_begin(cloud->store, a, true);
		s = identity_resolve(tx, a, &sig, cloud->strict, now_ms, out, &failure);
		store_end(tx);
	}
	sha256_once(STR(""), nothing);
	if (is_ok(s))
		s = sigv4_verify(a, r, &sig, false, out->secret, nothing, signature_time(cloud->clock, &sig, now_ms),
			key, &failure);
	if (!is_ok(s)) return refuse(why, str_or(failure.message, STR("the token cannot be verified")));
	out->verified = str_has(out->secret);
	return true;
}

bool rds_token_good(
	struct cloud *cloud, struct arena *a, const struct rds_token_for *to, struct str token, struct str *why)
{
	struct wire_request request;
	struct wire_header header;
	struct inside_caller who = {.region = to->region};
	if (!is_for(a, to, token, &request, &header, why) || !signer(cloud, a, to, &request, &who.principal, why))
		return false;
	/* No policy of a database could let another account's principals in. */
	if (!str_eq(who.principal.account, to->account)) return refuse(why, STR("the token is another account's"));
	struct str arn = str_fmt(a, "arn:aws:rds-db:%.*s:%.*s:dbuser:%.*s/%.*s", STR_ARG(to->region),
		STR_ARG(to->account), STR_ARG(to->resource_id), STR_ARG(to->user));
	return inside_may(cloud, &who, "rds", RDS_OP_DESCRIBE_DB_INSTANCES, NULL, STR("rds-db:connect"), arn, a, why);
}
