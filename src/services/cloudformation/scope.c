/* What a template's values are evaluated in: the stack's records, other stacks' exports, secrets and parameters, zones.
 */
#include "base/vec.h"
#include "clock/clock.h"
#include "services/cloudformation/internal.h"
#include "services/iam/door.h"

static bool find(void *ctx, struct str logical_id, struct cfn_live *out)
{
	struct cfn_view *v = ctx;
	if (v->unknown && cfn_names_have(v->unknown, logical_id)) return false;
	for (size_t i = 0; v->resources && i < v->resources->n; i++) {
		const struct cloudformation_rec_resource *r = &v->resources->v[i];
		if (!str_eq(r->logical_id, logical_id)) continue;
		struct json_value *attributes = NULL;
		if (str_has(r->attributes) && !is_ok(json_read(v->scope.a, r->attributes, &attributes)))
			attributes = NULL;
		if (attributes && v->versioned && cfn_names_have(v->versioned, logical_id))
			cfn_set(attributes, STR("LatestVersionNumber"), cfn_text(v->scope.a, STR(CFN_UNKNOWN)));
		*out = (struct cfn_live){.physical_id = r->physical_id, .attributes = attributes};
		return str_has(r->physical_id);
	}
	return false;
}

static status import(void *ctx, struct str name, struct str *value, struct str *why)
{
	struct cfn_view *v = ctx;
	struct arena *a = v->scope.a;
	struct cloudformation_rec_export e = {0};
	struct store_tx *tx = store_begin(v->cloud->store, a, true);
	status s = cfn_export_get(tx, a, v->place, name, &e);
	store_end(tx);
	if (!is_ok(s)) {
		*why = str_fmt(a, "No export named %.*s found.", STR_ARG(name));
		return STATUS(INVALID);
	}
	if (!cfn_names_have(&v->imports, name)) *VEC_PUSH(a, &v->imports, &v->imports_capacity) = name;
	*value = e.value;
	return OK;
}

static status ask(struct cfn_view *v, const char *service, const char *op, const struct json_value *in,
	const char *path, struct str *value, struct str *why)
{
	struct cfn_api_answer answer;
	cfn_api(v->cloud, &v->who, v->scope.a, service, op, in, &answer);
	*value = answer.ok ? cfn_at(answer.out, path) : STR_NONE;
	if (str_has(*value)) return OK;
	*why = answer.ok ? str_fmt(v->scope.a, "Could not read a value of %s", service) : answer.message;
	if (!(*why).n) *why = str_fmt(v->scope.a, "%s failed: %.*s", op, STR_ARG(answer.code));
	return STATUS(INVALID);
}

/* Does the template itself make what the reference names? Then a preview cannot know its value. */
static bool made_here(struct cfn_view *v, struct str name)
{
	const struct json_value *all = v->scope.t->resources;
	if (str_find(name, STR(CFN_UNKNOWN)) >= 0) return true;
	for (const struct json_value *r = all ? all->first : NULL; r; r = r->next) {
		struct str type = json_string(json_member(r, STR("Type"))), ignored;
		const struct json_value *given = cfn_in(r, "Properties.Name"), *own = NULL;
		bool holds = str_is(type, "AWS::SSM::Parameter") || str_is(type, "AWS::SecretsManager::Secret");
		if (!holds || !given || !is_ok(cfn_evaluate(&v->scope, given, &own, &ignored))) continue;
		if (str_eq(str_or(json_scalar(own), STR("")), name)) return true;
	}
	return false;
}

/* ssm:name:version; secretsmanager:id:SecretString:json-key:stage:version; an ARN's colons belong to the id. */
static status resolve_secret(struct cfn_view *v, struct str reference, struct str *value, struct str *why)
{
	struct arena *a = v->scope.a;
	struct str rest = reference, id, part[4] = {{0}};
	if (str_starts(reference, STR("arn:"))) {
		size_t n = 0;
		for (int colons = 0; n < reference.n && (reference.p[n] != ':' || ++colons < 7); n++) continue;
		id = str_sub(reference, 0, n);
		rest = n < reference.n ? str_from(reference, n + 1) : STR_NONE;
	} else {
		id = str_cut(&rest, ':');
	}
	for (int i = 0; i < 4 && str_has(rest); i++) part[i] = str_cut(&rest, ':');
	struct json_value *in = cfn_one(a, "SecretId", id);
	if (part[2].n) cfn_put(in, a, "VersionStage", part[2]);
	if (part[3].n) cfn_put(in, a, "VersionId", part[3]);
	status asked = ask(v, "secretsmanager", "GetSecretValue", in, "SecretString", value, why);
	struct json_value *secret;
	if (!is_ok(asked) && v->scope.preview && made_here(v, id)) {
		*value = str_c(CFN_UNKNOWN);
		return OK;
	}
	TRY(asked);
	if (!part[1].n) return OK;
	if (is_ok(json_read(a, *value, &secret)) && str_has(*value = json_scalar(json_member(secret, part[1]))))
		return OK;
	if (v->scope.preview && made_here(v, id)) { /* the change may bring that key */
		*value = str_c(CFN_UNKNOWN);
		return OK;
	}
	*why = str_fmt(a, "Could not find a value associated with JSONKey in SecretString");
	return STATUS(INVALID);
}

static status resolve(void *ctx, struct str service, struct str reference, struct str *value, struct str *why)
{
	struct cfn_view *v = ctx;
	struct arena *a = v->scope.a;
	if (str_is(service, "secretsmanager")) return resolve_secret(v, reference, value, why);
	if (str_is(service, "ssm") || str_is(service, "ssm-secure")) {
		struct json_value *in = cfn_one(a, "Name", reference);
		if (str_is(service, "ssm-secure")) {
			struct json_value *yes = cfn_text(a, STR("true"));
			cfn_set(in, STR("WithDecryption"), yes);
		}
		status asked = ask(v, "ssm", "GetParameter", in, "Parameter.Value", value, why);
		if (is_ok(asked)) return OK;
		struct str rest = reference, name = str_cut(&rest, ':');
		if (v->scope.preview && made_here(v, name)) {
			*value = str_c(CFN_UNKNOWN);
			return OK;
		}
		*why = str_fmt(a, "Parameters: [%.*s:%.*s] could not be read: %.*s", STR_ARG(service),
			STR_ARG(reference), STR_ARG(*why));
		return asked;
	}
	*why = str_fmt(a, "Dynamic reference to unknown service %.*s", STR_ARG(service));
	return STATUS(INVALID);
}

static const struct json_value *zones(void *ctx, struct str region)
{
	struct cfn_view *v = ctx;
	struct arena *a = v->scope.a;
	struct inside_caller who = v->who;
	struct cfn_api_answer answer;
	who.region = region;
	struct json_value *list = cfn_list(a);
	cfn_api(v->cloud, &who, a, "ec2", "DescribeAvailabilityZones", NULL, &answer);
	if (!answer.ok) return NULL;
	const struct json_value *found = cfn_in(answer.out, "AvailabilityZones");
	for (const struct json_value *z = found ? found->first : NULL; z; z = z->next)
		cfn_append(list, STR_NONE, cfn_text(a, cfn_at(z, "ZoneName")));
	return list;
}

void cfn_view_init(struct cfn_view *v, struct cloud *cloud, struct arena *a, const struct cloudformation_rec_stack *s,
	const struct cfn_template *t, const struct cloudformation_rec_parameters *parameters,
	const struct cfn_resources *resources)
{
	struct json_value *arns = cfn_list(a);
	for (size_t i = 0; i < s->settings->notification_arns.n; i++)
		cfn_append(arns, STR_NONE, cfn_text(a, s->settings->notification_arns.v[i]));
	bool china = str_starts(s->region, STR("cn-"));
	*v = (struct cfn_view){
		.scope = {.a = a,
			.t = t,
			.parameters = cfn_parameters_values(a, t, parameters),
			.account = s->account,
			.region = s->region,
			.partition = china                                   ? STR("aws-cn")
				     : str_starts(s->region, STR("us-gov-")) ? STR("aws-us-gov")
									     : STR("aws"),
			.url_suffix = china ? STR("amazonaws.com.cn") : STR("amazonaws.com"),
			.stack_id = s->id,
			.stack_name = s->name,
			.notification_arns = arns,
			.find = find,
			.import = import,
			.resolve = resolve,
			.zones = zones,
			.ctx = v},
		.cloud = cloud,
		.place = cfn_place_of(s),
		.resources = resources,
	};
}

void cfn_caller_keep(const struct call *c, struct cloudformation_rec_caller *out)
{
	const struct principal *p = &c->principal;
	*out = (struct cloudformation_rec_caller){.kind = SOME_I32((int32_t)p->kind),
		.account = p->account,
		.arn = p->arn,
		.user_id = p->user_id,
		.access_key = p->access_key,
		.name = p->name,
		.session = p->session,
		.session_record = p->session_record};
}

/* What tells whose session it is: policies that name the role as principal look there. */
static struct str session_of(struct cloud *cloud, struct arena *a, struct str role_arn, struct str role_id)
{
	struct iam_rec_session r = {
		.issuer_arn = role_arn, .issuer_id = role_id, .issued = SOME_TIME(clock_now(cloud->clock))};
	return iam_rec_session_encode(a, &r);
}

/* "CloudFormation … uses the role's credentials": a session of the role. */
status cfn_as_role(
	struct cloud *cloud, struct arena *a, struct str role_arn, struct inside_caller *out, struct str *why)
{
	struct inside_caller us =
		inside_service(a, out->principal.account, out->region, STR("cloudformation.amazonaws.com"));
	struct cfn_api_answer answer;
	ptrdiff_t slash = str_rchr(role_arn, '/');
	struct str name = slash < 0 ? role_arn : str_from(role_arn, (size_t)slash + 1);
	cfn_api(cloud, &us, a, "iam", "GetRole", cfn_one(a, "RoleName", name), &answer);
	if (!answer.ok) {
		*why = str_fmt(a, "Role %.*s is invalid or cannot be assumed", STR_ARG(role_arn));
		return STATUS(FAILED);
	}
	struct str trust = str_or(cfn_at(answer.out, "Role.AssumeRolePolicyDocument"), STR(""));
	if (str_find(trust, STR("cloudformation.amazonaws.com")) < 0) {
		*why = str_fmt(a, "Role %.*s is invalid or cannot be assumed", STR_ARG(role_arn));
		return STATUS(FAILED);
	}
	out->principal = (struct principal){.kind = PRINCIPAL_ASSUMED_ROLE,
		.account = out->principal.account,
		.name = name,
		.session = STR("AWSCloudFormation"),
		.arn = str_fmt(a, "arn:aws:sts::%.*s:assumed-role/%.*s/AWSCloudFormation",
			STR_ARG(out->principal.account), STR_ARG(name)),
		.user_id = str_fmt(a, "%.*s:AWSCloudFormation", STR_ARG(cfn_at(answer.out, "Role.RoleId"))),
		.access_key = STR(""),
		.session_record = session_of(
			cloud, a, str_or(cfn_at(answer.out, "Role.Arn"), role_arn), cfn_at(answer.out, "Role.RoleId"))};
	return OK;
}

status cfn_assume(struct cloud *cloud, struct arena *a, struct str role_arn, struct str session,
	struct inside_caller *who, struct str *why)
{
	struct cfn_api_answer answer;
	struct json_value *in = cfn_one(a, "RoleArn", role_arn);
	cfn_api(cloud, who, a, "sts", "AssumeRole", cfn_put(in, a, "RoleSessionName", session), &answer);
	if (!answer.ok) {
		*why = str_has(answer.message) && answer.message.n
			       ? answer.message
			       : str_fmt(a, "Role %.*s cannot be assumed", STR_ARG(role_arn));
		return STATUS(FAILED);
	}
	/* arn:aws:iam::ACCOUNT:role/PATH/NAME; of the session: arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION */
	struct str arn = str_or(cfn_at(answer.out, "AssumedRoleUser.Arn"), STR("")), rest = role_arn, account = STR("");
	for (int i = 0; i < 5 && str_has(rest); i++) account = str_cut(&rest, ':');
	ptrdiff_t slash = str_rchr(role_arn, '/');
	struct str id = str_or(cfn_at(answer.out, "AssumedRoleUser.AssumedRoleId"), STR("")), role_id = id;
	role_id = str_cut(&role_id, ':');
	who->principal = (struct principal){.kind = PRINCIPAL_ASSUMED_ROLE,
		.account = account,
		.name = str_from(role_arn, (size_t)(slash + 1)),
		.session = session,
		.arn = arn,
		.user_id = id,
		.access_key = STR(""),
		.session_record = session_of(cloud, a, role_arn, role_id)};
	return OK;
}

status cfn_who(struct cloud *cloud, struct arena *a, const struct cloudformation_rec_stack *s,
	struct inside_caller *out, struct str *why)
{
	const struct cloudformation_rec_caller *c = s->caller;
	*out = (struct inside_caller){
		.region = s->region, .agent = STR("cloudformation.amazonaws.com"), .system_tags = true};
	/* StackSets, which the organization trusts, makes stacks as the service that it is. */
	if (!c || c->kind.v == PRINCIPAL_SERVICE) {
		*out = inside_service(a, s->account, s->region, STR("cloudformation.amazonaws.com"));
		out->system_tags = true;
		return OK;
	}
	out->principal = (struct principal){.kind = (enum principal_kind)c->kind.v,
		.account = s->account,
		.arn = str_or(c->arn, STR("")),
		.user_id = str_or(c->user_id, STR("")),
		.access_key = str_or(c->access_key, STR("")),
		.name = str_or(c->name, STR("")),
		.session = str_or(c->session, STR("")),
		.session_record = str_or(c->session_record, STR(""))};
	return str_has(s->settings->role_arn) ? cfn_as_role(cloud, a, s->settings->role_arn, out, why) : OK;
}
