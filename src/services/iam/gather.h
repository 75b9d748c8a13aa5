/* The policies of an entity as texts: for simulation, reports and the access advisor. */
#pragma once
#include "services/iam/internal.h"

struct iam_text {
	struct str name, arn; /* arn STR_NONE: inline */
	struct str text;
	enum iam_kind owner; /* whose: a user's list has its groups' policies too */
	struct str owner_name;
	bool aws;
};
struct iam_texts {
	struct iam_text *v;
	size_t n, capacity;
};
status iam_gather(struct call *c, enum iam_kind kind, const struct iam_rec_entity *e, struct iam_texts *out) MUST_USE;
/* A user, group or role by its ARN: NoSuchEntity, InvalidInput. */
status iam_get_by_arn(struct call *c, struct str arn, enum iam_kind *kind, struct iam_rec_entity *out) MUST_USE;
/* Service prefixes that the document's Allow statements name, sorted; "*" where all. Added to what is there. */
void iam_services_of(struct call *c, struct str text, struct iam_rec_strings *out);
bool iam_services_have(const struct iam_rec_strings *prefixes, struct str prefix);
