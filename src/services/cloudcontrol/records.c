/* Stored requests, and what was made. */
#include "services/cloudcontrol/room.h"

struct str cloudcontrol_key(
	struct arena *a, const char *kind, struct str account, struct str region, struct str x, struct str y)
{
	struct key k = key_for(a, STR("cloudcontrol"), str_c(kind), account, region);
	if (str_has(x)) key_str(&k, x);
	if (str_has(y)) key_str(&k, y);
	return key_done(&k);
}

status cloudcontrol_request_get(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str token, struct cloudcontrol_rec_request *out)
{
	struct str bytes;
	*out = (struct cloudcontrol_rec_request){0};
	TRY(store_get(tx, cloudcontrol_key(a, "request", account, region, token, STR_NONE), &bytes));
	return cloudcontrol_rec_request_decode(a, bytes, out);
}

void cloudcontrol_request_put(struct store_tx *tx, struct arena *a, const struct cloudcontrol_rec_request *r)
{
	store_put(tx, cloudcontrol_key(a, "request", r->account, r->region, r->token, STR_NONE),
		cloudcontrol_rec_request_encode(a, r));
}

status cloudcontrol_made_get(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str type, struct str identifier, struct cloudcontrol_rec_made *out)
{
	struct str bytes;
	*out = (struct cloudcontrol_rec_made){0};
	TRY(store_get(tx, cloudcontrol_key(a, "made", account, region, type, identifier), &bytes));
	return cloudcontrol_rec_made_decode(a, bytes, out);
}

/* "Handler error codes" (CloudFormation CLI User Guide). */
const char *cloudcontrol_error_code(struct str code)
{
	static const struct {
		const char *word, *means;
	} all[] = {{"NotStabilized", "NotStabilized"}, {"AccessDenied", "AccessDenied"},
		{"Unauthorized", "AccessDenied"}, {"Throttl", "Throttling"}, {"LimitExceeded", "ServiceLimitExceeded"},
		{"QuotaExceeded", "ServiceLimitExceeded"}, {"DependencyViolation", "ResourceConflict"},
		{"DeleteConflict", "ResourceConflict"}, {"InUse", "ResourceConflict"}, {"NotEmpty", "ResourceConflict"},
		{"Validation", "InvalidRequest"}, {"Invalid", "InvalidRequest"}, {"Malformed", "InvalidRequest"},
		{"NotImplemented", "InvalidRequest"}};
	if (!str_has(code)) return "GeneralServiceException";
	if (cfn_says_gone(code)) return "NotFound";
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (str_find(code, str_c(all[i].word)) >= 0) return all[i].means;
	return cfn_says_exists(code) ? "AlreadyExists" : "GeneralServiceException";
}
