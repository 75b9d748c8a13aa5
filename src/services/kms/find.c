/* From what a client calls a key to its record: key id, key ARN, alias name, alias ARN ("Key identifiers (KeyId)", AWS
 * KMS Developer Guide). */
#include "services/kms/room.h"

/* "AWS managed keys": services make theirs on first use. A key for each of these services that virga knows of. */
static const char *const predefined[] = {"acm", "backup", "cloud9", "codebuild", "codecommit", "codepipeline",
	"connect", "dms", "dynamodb", "ebs", "elasticache", "elasticfilesystem", "es", "fsx", "glue", "kafka",
	"kinesis", "kinesisvideo", "lambda", "lex", "lightsail", "memorydb", "mq", "neptune", "rds", "redshift", "s3",
	"secretsmanager", "ses", "sns", "sqs", "ssm", "workspaces", "xray", NULL};

bool kms_alias_is_predefined(struct str name)
{
	struct str prefix = STR("alias/aws/");
	return str_starts(name, prefix) && kms_list_has(predefined, str_from(name, prefix.n));
}

static status no_key(struct kms_scope *s, struct str arn)
{
	return kms_refuse(s, KMS_ERR_NOT_FOUND_EXCEPTION, "Key '%.*s' does not exist", STR_ARG(arn));
}

static status by_id(struct kms_scope *s, struct str account, struct str id, struct kms_key *out)
{
	status st = kms_key_get(s, account, s->region, id, out);
	if (status_is(st, STATUS_NOT_FOUND)) return no_key(s, kms_arn(s->arena, s->region, account, STR("key"), id));
	return st;
}

static status by_alias(struct kms_scope *s, struct str account, struct str name, unsigned how, struct kms_key *out)
{
	struct kms_rec_alias alias;
	status st = kms_alias_get(s, account, s->region, name, &alias);
	if (is_ok(st)) return by_id(s, account, alias.key_id, out);
	if (!status_is(st, STATUS_NOT_FOUND)) return st;
	if (how & KMS_FIND_MANAGED && kms_alias_is_predefined(name) && str_eq(account, s->account))
		return kms_managed_make(s, name, out);
	return kms_refuse(s, KMS_ERR_NOT_FOUND_EXCEPTION, "Alias %.*s is not found.",
		STR_ARG(kms_arn(s->arena, s->region, account, STR(""), name)));
}

/* UUIDs, and mrk- with 32 hexadecimal digits. */
static bool is_key_id(struct str s)
{
	if (s.n != 36) return false;
	size_t i = str_starts(s, STR("mrk-")) ? 4 : 0;
	bool multi = i == 4;
	for (; i < s.n; i++) {
		char c = s.p[i];
		bool dash = !multi && (i == 8 || i == 13 || i == 18 || i == 23);
		if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
			return false;
	}
	return true;
}

static status by_arn(struct kms_scope *s, struct str arn, unsigned how, struct kms_key *out)
{
	struct str rest = arn, part[5] = {{0}};
	for (size_t i = 0; i < 5; i++) {
		part[i] = str_cut(&rest, ':');
		if (!str_has(rest))
			return kms_refuse(s, KMS_ERR_INVALID_ARN_EXCEPTION, "Invalid arn %.*s", STR_ARG(arn));
	}
	struct str account = part[4];
	bool key = str_starts(rest, STR("key/")), alias = str_starts(rest, STR("alias/"));
	if (!str_is(part[2], "kms") || account.n != 12 || (!key && !alias))
		return kms_refuse(s, KMS_ERR_INVALID_ARN_EXCEPTION, "Invalid arn %.*s", STR_ARG(arn));
	if (!str_eq(part[1], s->partition))
		return kms_refuse(s, KMS_ERR_INVALID_ARN_EXCEPTION, "Invalid arn %.*s", STR_ARG(part[1]));
	if (!str_eq(part[3], s->region))
		return kms_refuse(s, KMS_ERR_NOT_FOUND_EXCEPTION, "Invalid arn %.*s", STR_ARG(part[3]));
	if (alias && !(how & KMS_FIND_ALIAS))
		return kms_refuse(s, KMS_ERR_INVALID_ARN_EXCEPTION, "Invalid arn %.*s", STR_ARG(arn));
	if (!str_eq(account, s->account) && !(how & KMS_FIND_FOREIGN)) return no_key(s, arn);
	return key ? by_id(s, account, str_from(rest, 4), out) : by_alias(s, account, rest, how, out);
}

status kms_find(struct kms_scope *s, struct str reference, unsigned how, struct kms_key *out)
{
	if (str_starts(reference, STR("arn:"))) return by_arn(s, reference, how, out);
	if (str_starts(reference, STR("alias/")) && how & KMS_FIND_ALIAS)
		return by_alias(s, s->account, reference, how, out);
	if (!is_key_id(reference))
		return kms_refuse(s, KMS_ERR_NOT_FOUND_EXCEPTION, "Invalid keyId '%.*s'", STR_ARG(reference));
	return by_id(s, s->account, reference, out);
}
