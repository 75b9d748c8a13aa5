/* Tag policies ("Tag policies", "Tag policy syntax and examples" of the Organizations User Guide): does an effective
 * policy let this request set its tags? Pure, any thread. Removing tags is never refused, nor are tags that begin with
 * aws:. Required tag keys (report_required_tag_for) are for reports and templates; a request without a tag is not
 * refused. */
#pragma once
#include "policy/authz.h"

enum tag_fault { TAG_FAULT_NONE, TAG_FAULT_VALUE, TAG_FAULT_CAPITALIZATION };
/* effective: what comes of all policies that bind the account, operators applied
 * ({"tags":{"costcenter":{"tag_key":…}}}). d tells what is tagged, where the request's own specification does not. *key
 * is the tag that is refused. */
enum tag_fault tag_policy_judge(struct arena *a, struct str effective, const struct wire_match *m, const void *in,
	const struct authz_demands *d, struct str *key);
