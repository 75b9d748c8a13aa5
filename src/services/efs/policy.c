/* File system policies, and what they decide about mounts: the agent mounts for machines that show no credentials, so
 * each question is asked for an anonymous client, as of NFS clients that do not use IAM. "Using IAM to control access
 * to file systems", the guide: without a policy everybody who reaches a mount target has all. ClientRootAccess cannot
 * be taken away: ids map one to one. */
#include "policy/policy.h"
#include "services/efs/policy.h"

static status evaluate(struct call *c, struct policy *policy, struct str arn, struct str action, bool tls,
	struct str point, bool *allowed)
{
	const struct policy *const list[] = {policy};
	struct policy_principal who = {.kind = POLICY_CALLER_ANONYMOUS,
		.account = STR(""),
		.arn = STR(""),
		.user_id = STR(""),
		.name = STR("")};
	struct policy_context x = POLICY_CONTEXT_IN(c->arena);
	policy_context_set_principal(&x, &who);
	policy_context_set_now(&x, c->now_ms);
	policy_context_set(&x, STR("aws:SecureTransport"), tls ? STR("true") : STR("false"));
	policy_context_set(&x, STR("elasticfilesystem:AccessedViaMountTarget"), STR("true"));
	if (str_has(point))
		policy_context_set(&x, STR("elasticfilesystem:AccessPointArn"),
			call_arn(c, STR("elasticfilesystem"), "access-point/%.*s", STR_ARG(point)));
	struct policy_resource r = {.arn = arn, .account = c->account, .policies = {list, 1}, .policy_required = true};
	struct policy_request q = {
		.principal = &who, .action = action, .resources = &r, .n_resources = 1, .context = &x};
	struct policy_subject subject = {0};
	struct policy_decision d;
	*allowed = policy_evaluate(c->arena, &q, &subject, &d);
	return OK;
}

static struct str file_system_arn(struct call *c, struct str id)
{
	return call_arn(c, STR("elasticfilesystem"), "file-system/%.*s", STR_ARG(id));
}

/* A text that is no policy (it was checked when it was put) lets nobody in. */
status efs_policy_access(struct call *c, const struct efs_rec_file_system *f, struct str point,
	struct ec2_rec_strings *out, size_t *capacity)
{
	struct policy_source source = {.type = POLICY_RESOURCE};
	struct policy *policy = NULL;
	struct str arn = file_system_arn(c, f->file_system_id);
	if (!str_has(f->policy)) return OK;
	bool parsed = is_ok(policy_parse(f->policy, &source, &policy, NULL));
	status s = OK;
	for (unsigned tls = 0; tls < 2 && is_ok(s); tls++) {
		bool mounts = false, writes = false;
		if (parsed) s = evaluate(c, policy, arn, STR("elasticfilesystem:ClientMount"), tls, point, &mounts);
		if (parsed && is_ok(s))
			s = evaluate(c, policy, arn, STR("elasticfilesystem:ClientWrite"), tls, point, &writes);
		*VEC_PUSH(c->arena, out, capacity) =
			str_fmt(c->arena, "access %.*s %s %s", STR_ARG(str_or(point, STR("-"))), tls ? "tls" : "plain",
				!mounts  ? "no"
				: writes ? "rw"
					 : "ro");
	}
	if (policy) policy_free(policy);
	return s;
}

status efs_put_file_system_policy(struct call *c, const struct efs_put_file_system_policy_input *in,
	struct efs_put_file_system_policy_output *out)
{
	struct efs_rec_file_system f;
	struct policy_source source = {.type = POLICY_RESOURCE};
	struct policy *p;
	struct policy_error why = {0};
	TRY(efs_file_system(c, in->file_system_id, &f));
	if (!is_ok(policy_parse(in->policy, &source, &p, &why)))
		return efs_fail(c, EFS_ERR_INVALID_POLICY_EXCEPTION, "InvalidPolicyException",
			"The provided policy contains invalid elements: %s", why.message);
	policy_free(p);
	f.policy = in->policy;
	efs_put(c, EFS_FILE_SYSTEM, f.file_system_id, &f);
	TRY(efs_points_tell(c, f.file_system_id));
	ec2_poke_jobs(c);
	out->file_system_id = f.file_system_id;
	out->policy = f.policy;
	return OK;
}

static status there(struct call *c, const struct efs_rec_file_system *f)
{
	if (str_has(f->policy)) return OK;
	return efs_fail(c, EFS_ERR_POLICY_NOT_FOUND, "PolicyNotFound", "File system '%.*s' has no file system policy.",
		STR_ARG(f->file_system_id));
}

status efs_describe_file_system_policy(struct call *c, const struct efs_describe_file_system_policy_input *in,
	struct efs_describe_file_system_policy_output *out)
{
	struct efs_rec_file_system f;
	TRY(efs_file_system(c, in->file_system_id, &f));
	TRY(there(c, &f));
	out->file_system_id = f.file_system_id;
	out->policy = f.policy;
	return OK;
}

status efs_delete_file_system_policy(
	struct call *c, const struct efs_delete_file_system_policy_input *in, struct wire_nothing *out)
{
	struct efs_rec_file_system f;
	(void)out;
	TRY(efs_file_system(c, in->file_system_id, &f));
	if (!str_has(f.policy)) return OK;
	f.policy = STR_NONE;
	efs_put(c, EFS_FILE_SYSTEM, f.file_system_id, &f);
	TRY(efs_points_tell(c, f.file_system_id));
	ec2_poke_jobs(c);
	return OK;
}
