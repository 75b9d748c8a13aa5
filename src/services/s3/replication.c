/* PutBucketReplication and its kin. The document has two forms: the old one names a Prefix in each rule, the new one a
 * Filter and a Priority ("Replication configuration file elements": "Backward compatibility"). */
#include "services/s3/replicate.h"
#include "services/s3/version.h"

enum { RULES_MAX = 1000, RULE_ID_MAX = 255 };

static status bad(struct call *c, const char *message)
{
	return call_fail(c, S3_ERR_INVALID_REQUEST, "%s", message);
}

struct str s3_replication_bucket(struct str arn)
{
	struct str rest = arn, part[5];
	for (int i = 0; i < 5; i++) part[i] = str_cut(&rest, ':');
	bool ok = str_is(part[0], "arn") && str_has(part[4]) && str_is(part[2], "s3") && str_empty(part[3]) &&
		  str_empty(part[4]);
	return ok && !str_empty(rest) && str_chr(rest, '/') < 0 ? rest : STR_NONE;
}

struct str s3_replication_prefix(const struct s3_replication_rule *r)
{
	struct str prefix = r->prefix;
	if (r->filter) prefix = r->filter->and ? r->filter->and->prefix : r->filter->prefix;
	return str_or(prefix, STR(""));
}

bool s3_replication_of_kms(const struct s3_replication_rule *r)
{
	const struct s3_source_selection_criteria *s = r->source_selection_criteria;
	return s && s->sse_kms_encrypted_objects && str_is(s->sse_kms_encrypted_objects->status, "Enabled");
}

struct str s3_replication_rule_id(struct arena *a, const struct s3_replication_rules *rules, size_t i)
{
	const struct s3_replication_rule *r = &rules->v[i];
	uint8_t hash[32];
	if (!str_empty(r->id)) return r->id;
	digest_sha256(
		str_fmt(a, "%zu %.*s %.*s", i, STR_ARG(s3_replication_prefix(r)), STR_ARG(r->destination->bucket)),
		hash);
	return str_base64(a, str_n(hash, 27));
}

static status check_destination(struct call *c, const struct s3_rec_bucket *b, const struct s3_destination *d)
{
	struct s3_rec_bucket to;
	struct str name = s3_replication_bucket(d->bucket);
	if (!str_has(name)) return s3_invalid_argument(c, STR("Bucket"), d->bucket, "Invalid bucket ARN.");
	if (str_eq(name, b->name)) return bad(c, "Destination bucket cannot be the same as source bucket.");
	status s = s3_bucket_by_name(c->tx, c->arena, name, &to, NULL);
	if (status_is(s, STATUS_NOT_FOUND)) return bad(c, "Destination bucket must exist.");
	TRY(s);
	if (!str_is(to.versioning, "Enabled")) return bad(c, "Destination bucket must have versioning enabled.");
	if (str_has(d->account) && !str_eq(d->account, to.owner))
		return bad(
			c, "Account ID in the destination configuration must be the owner of the destination bucket.");
	if (d->access_control_translation && !str_has(d->account))
		return bad(c, "Account ID must be specified when AccessControlTranslation is specified.");
	if (d->access_control_translation && !str_is(d->access_control_translation->owner, "Destination"))
		return s3_malformed_xml(c);
	if (d->replication_time && str_is(d->replication_time->status, "Enabled") &&
		(!d->metrics || !str_is(d->metrics->status, "Enabled")))
		return bad(c, "Metrics must be enabled when ReplicationTime is enabled.");
	static const char *const classes[] = {"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA",
		"INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"};
	bool known = !str_has(d->storage_class);
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		known |= str_eq(d->storage_class, str_c(classes[i]));
	return known ? OK : s3_malformed_xml(c);
}

static status check_rule(
	struct call *c, const struct s3_rec_bucket *b, const struct s3_replication_rule *r, bool new_form)
{
	if (r->id.n > RULE_ID_MAX)
		return s3_invalid_argument(c, STR("ID"), r->id, "Rule Id must be no longer than 255.");
	if ((r->filter != NULL) != new_form || (r->filter && str_has(r->prefix)))
		return bad(c, "Rules must all have a Filter, or all have a Prefix.");
	bool markers = r->delete_marker_replication && str_is(r->delete_marker_replication->status, "Enabled");
	if (!new_form) {
		if (!str_has(r->prefix)) return s3_malformed_xml(c);
		if (r->delete_marker_replication)
			return bad(c, "DeleteMarkerReplication cannot be used for this version of Cross Region "
				      "Replication configuration "
				      "schema. Please refer to S3 Developer Guide for more information.");
		if (r->priority.has)
			return bad(c, "Priority cannot be used for this version of Cross Region Replication "
				      "configuration schema. Please "
				      "refer to S3 Developer Guide for more information.");
	} else {
		if (!r->priority.has)
			return bad(c, "Priority must be specified for this version of Cross Region Replication "
				      "configuration schema. Please "
				      "refer to S3 Developer Guide for more information.");
		if (!r->delete_marker_replication)
			return bad(c, "DeleteMarkerReplication must be specified for this version of Cross Region "
				      "Replication configuration "
				      "schema. Please refer to S3 Developer Guide for more information.");
		if (markers && (r->filter->tag || (r->filter->and &&r->filter->and->tags.n)))
			return bad(c, "Delete marker replication is not supported if any Tag filter is specified. "
				      "Please refer to S3 "
				      "Developer Guide for more information.");
		if ((r->filter->tag != NULL) + str_has(r->filter->prefix) + (r->filter->and != NULL) > 1)
			return s3_malformed_xml(c);
	}
	if (s3_replication_prefix(r).n > 1024) return bad(c, "The prefix must not be longer than 1024.");
	/* "This parameter is no longer supported. To replicate existing objects, see Replicating existing objects with S3
	 * Batch Replication" (ReplicationRule); AWS's schema refuses it. */
	if (r->existing_object_replication) return s3_malformed_xml(c);
	if (!r->destination) return s3_malformed_xml(c);
	const struct s3_encryption_configuration *e = r->destination->encryption_configuration;
	if (s3_replication_of_kms(r) && (!e || str_empty(e->replica_kms_key_id)))
		return bad(c, "ReplicaKmsKeyID must be specified if SseKmsEncryptedObjects tag is present.");
	if (e && !s3_replication_of_kms(r))
		return bad(c, "SseKmsEncryptedObjects must be specified if EncryptionConfiguration tag is present.");
	return check_destination(c, b, r->destination);
}

status s3_put_bucket_replication(
	struct call *c, const struct s3_put_bucket_replication_input *in, struct s3_put_bucket_replication_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	const struct s3_replication_configuration *conf = in->replication_configuration;
	if (!conf) return call_fail(c, S3_ERR_MISSING_REQUEST_BODY_ERROR, "Request Body is empty");
	const struct s3_replication_rules *rules = &conf->rules;
	if (!rules->n) return s3_malformed_xml(c);
	if (rules->n > RULES_MAX) return bad(c, "The replication configuration must have no more than 1000 rules.");
	if (!str_starts(conf->role, STR("arn:")) || str_find(conf->role, STR(":role/")) < 0)
		return s3_invalid_argument(c, STR("Role"), conf->role, "Invalid Role ARN.");
	if (!str_is(b.versioning, "Enabled"))
		return bad(c, "Versioning must be 'Enabled' on the bucket to apply a replication configuration");
	bool new_form = rules->v[0].filter != NULL;
	for (size_t i = 0; i < rules->n; i++) {
		const struct s3_replication_rule *r = &rules->v[i];
		TRY(check_rule(c, &b, r, new_form));
		for (size_t j = 0; j < i; j++) {
			const struct s3_replication_rule *o = &rules->v[j];
			if (!str_empty(r->id) && str_eq(r->id, o->id))
				return bad(c, "Rule Id must be unique. Found same Id for more than one rule");
			if (new_form && r->priority.v == o->priority.v)
				return bad(c, "Found duplicate priority in the replication configuration.");
			struct str p = s3_replication_prefix(r), q = s3_replication_prefix(o);
			if (!new_form && (str_starts(p, q) || str_starts(q, p)))
				return bad(c, "Found overlapping prefixes in the replication configuration.");
		}
	}
	s3_replication_measure(c, &b, rules);
	return s3_config_put(c, &b, S3_CONFIG_REPLICATION, STR(""));
}

status s3_get_bucket_replication(
	struct call *c, const struct s3_get_bucket_replication_input *in, struct s3_get_bucket_replication_output *out)
{
	struct s3_rec_bucket b;
	struct s3_put_bucket_replication_input conf;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	status s = s3_config_get(c, &b, S3_CONFIG_REPLICATION, STR(""), &conf);
	if (status_is(s, STATUS_NOT_FOUND)) {
		s = call_fail(c, S3_ERR_REPLICATION_CONFIGURATION_NOT_FOUND_ERROR,
			"The replication configuration was not found");
		call_fail_detail(c, STR("BucketName"), b.name);
		return s;
	}
	TRY(s);
	out->replication_configuration = conf.replication_configuration;
	struct s3_replication_rules *rules = &out->replication_configuration->rules;
	for (size_t i = 0; i < rules->n; i++) rules->v[i].id = s3_replication_rule_id(c->arena, rules, i);
	return OK;
}

status s3_delete_bucket_replication(struct call *c, const struct s3_delete_bucket_replication_input *in,
	struct s3_delete_bucket_replication_output *out)
{
	struct s3_rec_bucket b;
	(void)out;
	TRY(s3_bucket_load(c, in->bucket, in->expected_bucket_owner, &b));
	return s3_config_drop(c, &b, S3_CONFIG_REPLICATION, STR(""), NULL);
}
