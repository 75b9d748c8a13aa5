/* The order of conditions: an entity tag, where one is named, decides alone over its date. */
#include "services/s3/condition.h"

bool s3_e_tag_matches(struct str list, struct str e_tag)
{
	while (str_has(list)) {
		struct str t = str_trim(str_cut(&list, ','));
		if (str_is(t, "*")) return true;
		if (str_starts(t, STR("W/"))) t = str_from(t, 2);
		if (t.n >= 2 && t.p[0] == '"' && t.p[t.n - 1] == '"') t = str_sub(t, 1, t.n - 2);
		if (str_eq(t, e_tag)) return true;
	}
	return false;
}

struct opt_time s3_condition_date(struct str text)
{
	int64_t ms;
	return str_has(text) && is_ok(time_read_http(text, &ms)) ? SOME_TIME(ms) : (struct opt_time){0};
}

/* HTTP dates know seconds. */
static int64_t seconds(int64_t ms)
{
	return ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000);
}

enum s3_verdict s3_conditions_judge(
	const struct s3_conditions *cond, struct str e_tag, int64_t modified_ms, struct str *header)
{
	if (str_has(cond->if_match)) {
		*header = STR("If-Match");
		if (!s3_e_tag_matches(cond->if_match, e_tag)) return S3_PRECONDITION_FAILED;
	} else if (cond->if_unmodified_since.has) {
		*header = STR("If-Unmodified-Since");
		if (seconds(modified_ms) > seconds(cond->if_unmodified_since.ms)) return S3_PRECONDITION_FAILED;
	}
	if (str_has(cond->if_none_match)) {
		*header = STR("If-None-Match");
		if (s3_e_tag_matches(cond->if_none_match, e_tag)) return S3_NOT_MODIFIED;
	} else if (cond->if_modified_since.has) {
		*header = STR("If-Modified-Since");
		if (seconds(modified_ms) <= seconds(cond->if_modified_since.ms)) return S3_NOT_MODIFIED;
	}
	return S3_PROCEED;
}

status s3_precondition_failed(struct call *c, struct str header)
{
	status s = call_fail(
		c, S3_ERR_PRECONDITION_FAILED, "At least one of the pre-conditions you specified did not hold");
	call_fail_detail(c, STR("Condition"), header);
	return s;
}

status s3_write_condition(struct call *c, struct str if_match, struct str if_none_match, struct str key,
	const struct s3_rec_object *existing)
{
	if (str_has(if_none_match)) {
		if (!str_is(str_trim(if_none_match), "*")) return s3_header_not_implemented(c, STR("If-None-Match"));
		if (existing) return s3_precondition_failed(c, STR("If-None-Match"));
	}
	if (str_has(if_match)) {
		if (!existing) return s3_no_such_key(c, key);
		if (!s3_e_tag_matches(if_match, existing->e_tag)) return s3_precondition_failed(c, STR("If-Match"));
	}
	return OK;
}
