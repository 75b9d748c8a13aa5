/* Fetching an issuer's keys: plain HTTP to the loopback alone, so that a token cannot make virga speak to the machine's
 * network. Small answers, short waits. */
#include "base/json.h"
#include "edge/loopback.h"
#include "services/sts/internal.h"

#define ANSWER_MAX (256u << 10)
#define WAIT_S 3

static status get_json(struct arena *a, struct str text, struct json_value **out)
{
	struct loopback_url u = {0};
	struct loopback_answer answer = {0};
	if (!is_ok(loopback_url(text, &u))) return STATUS(IO);
	TRY(loopback_ask(a, &u, "GET", STR("Accept: application/json\r\n"), STR_NONE, WAIT_S, ANSWER_MAX, &answer));
	return answer.status == 200 && is_ok(json_read(a, answer.body, out)) ? OK : STATUS(IO);
}

status jwks_fetch(struct arena *a, struct str issuer, struct json_value **out)
{
	struct json_value *discovery;
	struct str base = str_ends(issuer, STR("/")) ? str_sub(issuer, 0, issuer.n - 1) : issuer;
	TRY(get_json(a, str_cat(a, base, STR("/.well-known/openid-configuration")), &discovery));
	/* The document has to be the issuer's own (OpenID Connect Discovery 1.0, section 4.3). */
	if (!str_eq(json_string(json_member(discovery, STR("issuer"))), issuer)) return STATUS(IO);
	struct str keys = json_string(json_member(discovery, STR("jwks_uri")));
	return str_has(keys) ? get_json(a, keys, out) : STATUS(IO);
}
