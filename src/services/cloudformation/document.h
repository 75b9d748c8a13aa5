/* A template's text, in JSON or YAML, as a tree of JSON values ("Template formats", CloudFormation User Guide). */
#pragma once
#include "base/json.h"

/* "Template body size: 51,200 bytes", "1 MB in an Amazon S3 object" ("Understand CloudFormation quotas"). */
enum { CFN_BODY_MAX = 51200, CFN_OBJECT_MAX = 1 << 20, CFN_DEPTH_MAX = 64, CFN_NODES_MAX = 200000 };

/* JSON when the first byte that is no white space is '{', YAML 1.1 otherwise. The short forms of functions (!Ref x,
 * !GetAtt a.b) become their long ones ({"Ref": "x"}, {"Fn::GetAtt": ["a", "b"]}); numbers and booleans of YAML are
 * told from strings as YAML 1.1 does where they are not quoted. Aliases, merges, binary, omap, pairs, set and timestamp
 * are not taken, as on AWS. INVALID: *why, in `a`, tells what and where. The tree is in `a` and may point into text. */
status cfn_document_read(struct arena *a, struct str text, struct json_value **out, struct str *why) MUST_USE;
