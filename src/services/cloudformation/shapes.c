/* "#name" in a recipe's expressions: values that take more than names to make. */
#include "base/rand.h"
#include "services/cloudformation/recipe.h"

static void move(
	struct arena *a, struct json_value *to, const char *as, const struct json_value *from, const char *name)
{
	cfn_put(to, a, as, json_scalar(json_member(from, str_c(name))));
}

static void add_range(struct arena *a, struct json_value *permission, const char *list_name,
	const struct json_value *rule, const char *as, const char *name)
{
	struct str value = json_scalar(json_member(rule, str_c(name)));
	if (!str_has(value)) return;
	struct json_value *list = cfn_list(a), *range = cfn_one(a, as, value);
	move(a, range, "Description", rule, "Description");
	cfn_append(list, STR_NONE, range);
	cfn_append(permission, str_c(list_name), list);
}

/* A security group's rule ("AWS::EC2::SecurityGroup Ingress"), one of a list or a resource of its own, as
 * IpPermissions. */
static const struct json_value *rule(struct cfn_eval *x)
{
	struct arena *a = x->w->a;
	const struct json_value *r = x->each ? x->each : x->w->properties;
	struct json_value *permission = cfn_object(a), *all = cfn_list(a), *pair = cfn_object(a), *pairs = cfn_list(a);
	move(a, permission, "IpProtocol", r, "IpProtocol");
	move(a, permission, "FromPort", r, "FromPort");
	move(a, permission, "ToPort", r, "ToPort");
	add_range(a, permission, "IpRanges", r, "CidrIp", "CidrIp");
	add_range(a, permission, "Ipv6Ranges", r, "CidrIpv6", "CidrIpv6");
	add_range(a, permission, "PrefixListIds", r, "PrefixListId", "SourcePrefixListId");
	if (!json_member(r, STR("SourcePrefixListId")))
		add_range(a, permission, "PrefixListIds", r, "PrefixListId", "DestinationPrefixListId");
	move(a, pair, "GroupId", r, "SourceSecurityGroupId");
	move(a, pair, "GroupId", r, "DestinationSecurityGroupId");
	move(a, pair, "GroupName", r, "SourceSecurityGroupName");
	if (pair->length) {
		move(a, pair, "UserId", r, "SourceSecurityGroupOwnerId");
		move(a, pair, "Description", r, "Description");
		cfn_append(pairs, STR_NONE, pair);
		cfn_append(permission, STR("UserIdGroupPairs"), pairs);
	}
	cfn_append(all, STR_NONE, permission);
	return all;
}

/* "AWS::EC2::DHCPOptions": its properties as the API's keys. */
/* "Ref returns the ID of the security group if you specified the VpcId property. Otherwise, it returns the name"
 * ("AWS::EC2::SecurityGroup"). */
static const struct json_value *group_ref(struct cfn_eval *x)
{
	struct str id = str_or(cfn_at(x->out, "GroupId"), cfn_at(x->out, "SecurityGroups.0.GroupId"));
	return cfn_text(x->w->a,
		str_has(cfn_prop(x->w, "VpcId")) ? str_or(id, STR("")) : cfn_name(x->w, "GroupName", 255, false));
}

static const struct json_value *dhcp(struct cfn_eval *x)
{
	static const struct {
		const char *property, *key;
	} keys[] = {{"DomainName", "domain-name"}, {"DomainNameServers", "domain-name-servers"},
		{"NtpServers", "ntp-servers"}, {"NetbiosNameServers", "netbios-name-servers"},
		{"NetbiosNodeType", "netbios-node-type"},
		{"Ipv6AddressPreferredLeaseTime", "ipv6-address-preferred-lease-time"}};
	struct arena *a = x->w->a;
	struct json_value *all = cfn_list(a);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const struct json_value *v = cfn_value(x->w, keys[i].property);
		if (!v) continue;
		struct json_value *option = cfn_one(a, "Key", str_c(keys[i].key)), *values = cfn_list(a);
		if (v->type == JSON_IS_ARRAY)
			cfn_put_value(option, a, "Values", v);
		else
			cfn_append(values, STR_NONE, cfn_text(a, json_scalar(v)));
		if (values->length) cfn_append(option, STR("Values"), values);
		cfn_append(all, STR_NONE, option);
	}
	return all;
}

static const struct json_value *text(struct cfn_eval *x, struct str s)
{
	return str_has(s) ? cfn_text(x->w->a, s) : NULL;
}

/* An operation that only reads: its answer, or NULL. */
static const struct json_value *ask(
	struct cfn_eval *x, const char *service, const char *op, const struct json_value *in)
{
	struct cfn_api_answer answer;
	cfn_api(x->w->cloud, &x->w->who, x->w->a, service, op, in, &answer);
	return answer.ok ? answer.out : NULL;
}

static const struct json_value *ask_filtered(struct cfn_eval *x, const char *op, const char *filter, struct str value,
	const char *more, const char *more_value)
{
	struct arena *a = x->w->a;
	struct json_value *in = cfn_object(a), *filters = cfn_list(a);
	const char *names[] = {filter, more};
	struct str values[] = {value, str_c(more_value)};
	for (size_t i = 0; i < 2 && names[i]; i++) {
		struct json_value *f = cfn_one(a, "Name", str_c(names[i])), *list = cfn_list(a);
		cfn_append(list, STR_NONE, cfn_text(a, values[i]));
		cfn_append(f, STR("Values"), list);
		cfn_append(filters, STR_NONE, f);
	}
	cfn_append(in, STR("Filters"), filters);
	return ask(x, "ec2", op, in);
}

/* "IGW|vpc-…", "VGW|vpc-…" as AWS::EC2::VPCGatewayAttachment's Ref has it. */
static const struct json_value *attachment(struct cfn_eval *x)
{
	return text(x, str_fmt(x->w->a, "%s|%.*s", cfn_value(x->w, "VpnGatewayId") ? "VGW" : "IGW",
			       STR_ARG(str_or(cfn_prop(x->w, "VpcId"), STR("")))));
}

/* The rule that this one's creation found to be there already. */
static const struct json_value *same_rule(struct cfn_eval *x)
{
	static const char *const names[] = {"IpProtocol", "FromPort", "ToPort", "CidrIpv6"};
	struct cfn_work *w = x->w;
	struct str group = cfn_prop(w, "GroupId");
	if (!str_has(group)) return NULL;
	const struct json_value *out = ask_filtered(x, "DescribeSecurityGroupRules", "group-id", group, NULL, NULL);
	bool egress = str_is(w->type->name, "AWS::EC2::SecurityGroupEgress");
	const struct json_value *all = cfn_in(out, "SecurityGroupRules");
	for (const struct json_value *r = all ? all->first : NULL; r; r = r->next) {
		bool same = str_eq(str_or(cfn_at(r, "IsEgress"), STR("")), egress ? STR("true") : STR("false")) &&
			    str_eq(str_or(cfn_at(r, "CidrIpv4"), STR("")), str_or(cfn_prop(w, "CidrIp"), STR("")));
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
			same &= !cfn_value(w, names[i]) ||
				str_eq(str_or(cfn_at(r, names[i]), STR("")), str_or(cfn_prop(w, names[i]), STR("")));
		struct str other =
			str_or(cfn_prop(w, "SourceSecurityGroupId"), cfn_prop(w, "DestinationSecurityGroupId"));
		same &= !str_has(other) || str_eq(other, str_or(cfn_at(r, "ReferencedGroupInfo.GroupId"), STR("")));
		if (same) return cfn_in(r, "SecurityGroupRuleId");
	}
	return NULL;
}

/* Of the subnet (a property, or the resource itself): its association with whatever network ACL it has now. */
static const struct json_value *acl_association(struct cfn_eval *x)
{
	struct str subnet = str_or(cfn_prop(x->w, "SubnetId"), x->w->physical_id);
	const struct json_value *out =
		ask_filtered(x, "DescribeNetworkAcls", "association.subnet-id", subnet, NULL, NULL);
	const struct json_value *all = cfn_in(out, "NetworkAcls.0.Associations");
	for (const struct json_value *c = all ? all->first : NULL; c; c = c->next)
		if (str_eq(str_or(cfn_at(c, "SubnetId"), STR("")), subnet)) return cfn_in(c, "NetworkAclAssociationId");
	return NULL;
}

/* The default network ACL of the subnet's VPC. */
static const struct json_value *default_acl(struct cfn_eval *x)
{
	const struct json_value *out = ask_filtered(
		x, "DescribeSubnets", "subnet-id", str_or(cfn_prop(x->w, "SubnetId"), STR("")), NULL, NULL);
	struct str vpc = cfn_at(out, "Subnets.0.VpcId");
	if (!str_has(vpc)) return NULL;
	return cfn_in(
		ask_filtered(x, "DescribeNetworkAcls", "vpc-id", vpc, "default", "true"), "NetworkAcls.0.NetworkAclId");
}

static const struct json_value *secondary_addresses(struct cfn_eval *x)
{
	struct json_value *list = cfn_list(x->w->a);
	const struct json_value *all = cfn_in(x->item, "PrivateIpAddresses");
	for (const struct json_value *c = all ? all->first : NULL; c; c = c->next)
		if (str_is(str_or(cfn_at(c, "Primary"), STR("")), "false"))
			cfn_append(list, STR_NONE, cfn_text(x->w->a, cfn_at(c, "PrivateIpAddress")));
	return list;
}

/* "hosted zone:name", as AWS::EC2::VPCEndpoint's DnsEntries. */
static const struct json_value *dns_entries(struct cfn_eval *x)
{
	struct json_value *list = cfn_list(x->w->a);
	const struct json_value *all = cfn_in(x->item, "DnsEntries");
	for (const struct json_value *c = all ? all->first : NULL; c; c = c->next)
		cfn_append(list, STR_NONE,
			cfn_text(x->w->a,
				str_fmt(x->w->a, "%.*s:%.*s", STR_ARG(str_or(cfn_at(c, "HostedZoneId"), STR(""))),
					STR_ARG(str_or(cfn_at(c, "DnsName"), STR(""))))));
	return list;
}

static const struct json_value *profile_association(struct cfn_eval *x)
{
	const struct json_value *out = ask_filtered(
		x, "DescribeIamInstanceProfileAssociations", "instance-id", x->w->physical_id, "state", "associated");
	return cfn_in(out, "IamInstanceProfileAssociations.0.AssociationId");
}

/* "A managed policy can have up to five versions": the oldest that is not the default, where there are that many. */
static const struct json_value *oldest_version(struct cfn_eval *x)
{
	const struct json_value *out =
		ask(x, "iam", "ListPolicyVersions", cfn_one(x->w->a, "PolicyArn", x->w->physical_id));
	const struct json_value *all = cfn_in(out, "Versions"), *oldest = NULL;
	for (const struct json_value *c = all ? all->first : NULL; c; c = c->next) {
		if (!str_is(str_or(cfn_at(c, "IsDefaultVersion"), STR("")), "false")) continue;
		if (!oldest || str_cmp(cfn_at(c, "CreateDate"), cfn_at(oldest, "CreateDate")) <= 0) oldest = c;
	}
	return json_length(all) >= 5 ? cfn_in(oldest, "VersionId") : NULL;
}

static const struct json_value *url_host(struct cfn_eval *x)
{
	struct str url = str_or(cfn_prop(x->w, "Url"), STR(""));
	return text(x, str_starts(url, STR("https://")) ? str_from(url, 8) : url);
}

/* Of CreateBucket: nothing in us-east-1. */
static const struct json_value *location(struct cfn_eval *x)
{
	return str_is(x->w->region, "us-east-1") ? NULL : text(x, x->w->region);
}

/* "PublicRead" as "public-read". */
static const struct json_value *acl(struct cfn_eval *x)
{
	struct str given = str_or(cfn_prop(x->w, "AccessControl"), STR("Private"));
	struct buf b = BUF_IN(x->w->a);
	if (!str_has(x->w->physical_id) && !cfn_value(x->w, "AccessControl")) return NULL;
	if (str_is(given, "AwsExecRead")) return text(x, STR("aws-exec-read"));
	for (size_t i = 0; i < given.n; i++) {
		char c = given.p[i];
		bool upper = c >= 'A' && c <= 'Z';
		if (upper && i) buf_byte(&b, '-');
		buf_byte(&b, upper ? (char)(c | 32) : c);
	}
	return text(x, buf_done(&b));
}

static const struct json_value *put_member(
	struct cfn_eval *x, struct json_value *to, const char *name, const struct json_value *v)
{
	cfn_put_value(to, x->w->a, name, v);
	return v;
}

/* Prefix, TagFilters and sizes as S3's Filter: by itself where there is one of them, in And where there are more. */
static const struct json_value *s3_filter(struct cfn_eval *x, const struct json_value *r)
{
	struct arena *a = x->w->a;
	struct json_value *filter = cfn_object(a), *both = cfn_object(a);
	const struct json_value *tags = json_member(r, STR("TagFilters"));
	size_t n = json_length(tags);
	n += put_member(x, both, "Prefix", json_member(r, STR("Prefix"))) != NULL;
	n += put_member(x, both, "ObjectSizeGreaterThan", json_member(r, STR("ObjectSizeGreaterThan"))) != NULL;
	n += put_member(x, both, "ObjectSizeLessThan", json_member(r, STR("ObjectSizeLessThan"))) != NULL;
	if (n > 1) {
		put_member(x, both, "Tags", tags);
		cfn_append(filter, STR("And"), both);
		return filter;
	}
	if (json_length(tags)) cfn_append(both, STR("Tag"), cfn_copy(a, tags->first));
	return both;
}

static bool is_named(struct str name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(name, str_c(names[i]))) return true;
	return false;
}

static void put_transition(struct cfn_eval *x, struct json_value *list, const struct json_value *t, bool noncurrent)
{
	struct json_value *to = cfn_object(x->w->a);
	put_member(x, to, "StorageClass", json_member(t, STR("StorageClass")));
	put_member(x, to, noncurrent ? "NoncurrentDays" : "Days", json_member(t, STR("TransitionInDays")));
	put_member(x, to, "Date", json_member(t, STR("TransitionDate")));
	put_member(x, to, "NewerNoncurrentVersions", json_member(t, STR("NewerNoncurrentVersions")));
	cfn_append(list, STR_NONE, to);
}

static struct json_value *lifecycle_rule(struct cfn_eval *x, const struct json_value *r)
{
	static const char *const moved[] = {"ExpirationDate", "ExpirationInDays", "ExpiredObjectDeleteMarker",
		"NoncurrentVersionExpirationInDays", "NoncurrentVersionTransition", "NoncurrentVersionTransitions",
		"Transition", "Transitions", "Prefix", "TagFilters", "ObjectSizeGreaterThan", "ObjectSizeLessThan"};
	struct arena *a = x->w->a;
	struct json_value *rule_ = cfn_object(a), *expiration = cfn_object(a), *transitions = cfn_list(a),
			  *noncurrent = cfn_list(a);
	for (const struct json_value *c = r->first; c; c = c->next)
		if (!is_named(c->name, moved, sizeof(moved) / sizeof(*moved))) cfn_set(rule_, c->name, cfn_copy(a, c));
	put_member(x, expiration, "Date", json_member(r, STR("ExpirationDate")));
	put_member(x, expiration, "Days", json_member(r, STR("ExpirationInDays")));
	put_member(x, expiration, "ExpiredObjectDeleteMarker", json_member(r, STR("ExpiredObjectDeleteMarker")));
	if (expiration->length) cfn_append(rule_, STR("Expiration"), expiration);
	const struct json_value *days = json_member(r, STR("NoncurrentVersionExpirationInDays"));
	if (days)
		cfn_append(rule_, STR("NoncurrentVersionExpiration"), cfn_one(a, "NoncurrentDays", json_scalar(days)));
	const struct json_value *all = json_member(r, STR("Transitions"));
	for (const struct json_value *t = all ? all->first : NULL; t; t = t->next)
		put_transition(x, transitions, t, false);
	if (json_member(r, STR("Transition"))) put_transition(x, transitions, json_member(r, STR("Transition")), false);
	all = json_member(r, STR("NoncurrentVersionTransitions"));
	for (const struct json_value *t = all ? all->first : NULL; t; t = t->next)
		put_transition(x, noncurrent, t, true);
	if (json_member(r, STR("NoncurrentVersionTransition")))
		put_transition(x, noncurrent, json_member(r, STR("NoncurrentVersionTransition")), true);
	if (transitions->length) cfn_append(rule_, STR("Transitions"), transitions);
	if (noncurrent->length) cfn_append(rule_, STR("NoncurrentVersionTransitions"), noncurrent);
	cfn_append(rule_, STR("Filter"), cfn_copy(a, s3_filter(x, r)));
	return rule_;
}

static const struct json_value *lifecycle(struct cfn_eval *x)
{
	struct json_value *to = cfn_object(x->w->a), *rules = cfn_list(x->w->a);
	const struct json_value *all = cfn_in(cfn_value(x->w, "LifecycleConfiguration"), "Rules");
	for (const struct json_value *r = all ? all->first : NULL; r; r = r->next)
		cfn_append(rules, STR_NONE, lifecycle_rule(x, r));
	cfn_append(to, STR("Rules"), rules);
	return to;
}

/* An element whose Prefix and TagFilters go into Filter; of inventories the prefix alone. */
static const struct json_value *filtered(struct cfn_eval *x)
{
	static const char *const moved[] = {"Prefix", "TagFilters"};
	struct json_value *to = cfn_object(x->w->a);
	for (const struct json_value *c = x->each->first; c; c = c->next)
		if (!is_named(c->name, moved, 2)) cfn_set(to, c->name, cfn_copy(x->w->a, c));
	const struct json_value *filter = s3_filter(x, x->each);
	if (filter->length) cfn_set(to, STR("Filter"), cfn_copy(x->w->a, filter));
	return to;
}

/* "If you leave DestinationBucketName out, the bucket itself takes the logs" (LoggingConfiguration). */
static const struct json_value *logging(struct cfn_eval *x)
{
	const struct json_value *given = cfn_aliased(x, x->w->properties, STR("LoggingConfiguration"));
	struct json_value *to = cfn_object(x->w->a);
	cfn_put(to, x->w->a, "TargetBucket", x->w->physical_id);
	cfn_put(to, x->w->a, "TargetPrefix", STR(""));
	for (const struct json_value *c = given ? given->first : NULL; c; c = c->next)
		cfn_set(to, c->name, cfn_copy(x->w->a, c));
	return to;
}

static const struct json_value *notification(struct cfn_eval *x)
{
	const struct json_value *given = cfn_aliased(x, x->w->properties, STR("NotificationConfiguration"));
	struct json_value *to = cfn_object(x->w->a);
	bool bridge = str_is(str_or(cfn_at(cfn_value(x->w, "NotificationConfiguration"),
					    "EventBridgeConfiguration.EventBridgeEnabled"),
				     STR("true")),
		"true");
	for (const struct json_value *c = given ? given->first : NULL; c; c = c->next)
		if (bridge || !str_is(c->name, "EventBridgeConfiguration")) cfn_set(to, c->name, cfn_copy(x->w->a, c));
	return to;
}

/* Older regions have a hyphen behind s3-website ("Website endpoints"). */
static const struct json_value *website_url(struct cfn_eval *x)
{
	static const char *const old[] = {"us-east-1", "us-west-1", "us-west-2", "ap-southeast-1", "ap-southeast-2",
		"ap-northeast-1", "eu-west-1", "sa-east-1", "us-gov-west-1"};
	struct cfn_work *w = x->w;
	bool hyphen = is_named(w->region, old, sizeof(old) / sizeof(*old));
	return text(x, str_fmt(w->a, "http://%.*s.s3-website%c%.*s.amazonaws.com", STR_ARG(w->physical_id),
			       hyphen ? '-' : '.', STR_ARG(w->region)));
}

static const struct json_value *access_point_name(struct cfn_eval *x)
{
	return text(x, cfn_name(x->w, "Name", 50, true));
}

/* When a table's billing becomes provisioned, its indexes need their throughput, too. */
static const struct json_value *index_throughputs(struct cfn_eval *x)
{
	struct arena *a = x->w->a;
	struct json_value *list = cfn_list(a);
	if (str_is(str_or(cfn_prop(x->w, "BillingMode"), STR("PROVISIONED")), "PAY_PER_REQUEST")) return NULL;
	const struct json_value *all = cfn_value(x->w, "GlobalSecondaryIndexes");
	for (const struct json_value *c = all ? all->first : NULL; c; c = c->next) {
		struct json_value *update = cfn_object(a), *index = cfn_one(a, "IndexName", cfn_at(c, "IndexName"));
		if (!json_member(c, STR("ProvisionedThroughput"))) continue;
		put_member(x, index, "ProvisionedThroughput", json_member(c, STR("ProvisionedThroughput")));
		cfn_append(update, STR("Update"), index);
		cfn_append(list, STR_NONE, update);
	}
	return list->length ? list : NULL;
}

/* Replicas need a stream of new and old images ("AWS::DynamoDB::GlobalTable StreamSpecification"). */
static const struct json_value *global_stream(struct cfn_eval *x)
{
	struct arena *a = x->w->a;
	struct str kind = cfn_at(cfn_value(x->w, "StreamSpecification"), "StreamViewType");
	if (json_length(cfn_value(x->w, "Replicas")) > 1) kind = str_or(kind, STR("NEW_AND_OLD_IMAGES"));
	if (!str_has(kind)) return NULL;
	return cfn_put(cfn_one(a, "StreamEnabled", STR("true")), a, "StreamViewType", kind);
}

/* The stack's tags and those of this region's replica. */
static const struct json_value *global_tags(struct cfn_eval *x)
{
	struct json_value *list = cfn_list(x->w->a);
	const struct json_value *own = cfn_expr(x, STR("$here.Tags"));
	for (const struct json_value *t = own ? own->first : NULL; t; t = t->next)
		cfn_append(list, STR_NONE, cfn_copy(x->w->a, t));
	for (const struct json_value *t = x->w->tags->first; t; t = t->next)
		cfn_append(list, STR_NONE, cfn_copy(x->w->a, t));
	return list;
}

/* SecretString as given, or a generated one ("AWS::SecretsManager::Secret GenerateSecretString"). */
static const struct json_value *secret_string(struct cfn_eval *x)
{
	struct arena *a = x->w->a;
	const struct json_value *given = cfn_value(x->w, "SecretString"),
				*generate = cfn_value(x->w, "GenerateSecretString");
	if (given || !generate) return given;
	struct json_value *in = cfn_object(a), *object;
	for (const struct json_value *c = generate->first; c; c = c->next)
		if (!str_is(c->name, "GenerateStringKey") && !str_is(c->name, "SecretStringTemplate"))
			cfn_set(in, c->name, cfn_copy(a, c));
	struct str password = cfn_at(ask(x, "secretsmanager", "GetRandomPassword", in), "RandomPassword");
	struct str template = cfn_at(generate, "SecretStringTemplate"), key = cfn_at(generate, "GenerateStringKey");
	if (!str_has(password) || !str_has(template) || !str_has(key)) return text(x, password);
	if (!is_ok(json_read(a, template, &object)) || object->type != JSON_IS_OBJECT) return NULL;
	cfn_set(object, key, cfn_text(a, password));
	return text(x, cfn_json(a, object));
}

/* A UUID of this creation, the same when it is run again. */
static const struct json_value *token_uuid(struct cfn_eval *x)
{
	struct str hex = str_hex(x->w->a, x->w->token), more = str_hex(x->w->a, str_lower(x->w->a, x->w->token));
	return text(x, str_fmt(x->w->a, "%.*s-%.*s-4%.*s-8%.*s-%.*s", 8, hex.p, 4, hex.p + 8, 3, hex.p + 12, 3,
			       hex.p + 16, 12, more.p));
}

static const struct json_value *random_uuid(struct cfn_eval *x)
{
	return text(x, rand_uuid(x->w->a));
}

/* Of the id, an ARN: what is behind the last ':' or '/'. */
static const struct json_value *last_part(struct cfn_eval *x)
{
	struct str id = str_or(x->w->physical_id, STR(""));
	ptrdiff_t colon = str_rchr(id, ':'), slash = str_rchr(id, '/');
	return text(x, str_from(id, (size_t)((colon > slash ? colon : slash) + 1)));
}

static const struct json_value *topic_name(struct cfn_eval *x)
{
	bool fifo = str_is(str_or(cfn_prop(x->w, "FifoTopic"), STR("")), "true"), named = cfn_value(x->w, "TopicName");
	struct str name = cfn_name(x->w, "TopicName", fifo ? 251 : 256, false);
	return text(x, fifo && !named ? str_cat(x->w->a, name, STR(".fifo")) : name);
}

/* Of a topic's Subscription property: the subscription that it made. */
static const struct json_value *subscription_arn(struct cfn_eval *x)
{
	const struct json_value *out =
		ask(x, "sns", "ListSubscriptionsByTopic", cfn_one(x->w->a, "TopicArn", x->w->physical_id));
	const struct json_value *all = cfn_in(out, "Subscriptions");
	for (const struct json_value *c = all ? all->first : NULL; c; c = c->next)
		if (cfn_equal(json_member(c, STR("Protocol")), json_member(x->each, STR("Protocol"))) &&
			cfn_equal(json_member(c, STR("Endpoint")), json_member(x->each, STR("Endpoint"))))
			return json_member(c, STR("SubscriptionArn"));
	return NULL;
}

/* What a topic has before anybody sets a policy ("Default topic policy"). */
static const struct json_value *default_topic_policy(struct cfn_eval *x)
{
	struct str arn = str_or(json_scalar(x->each), str_or(cfn_prop(x->w, "TopicArn"), STR("")));
	return text(x,
		str_fmt(x->w->a,
			"{\"Version\":\"2008-10-17\",\"Id\":\"__default_policy_ID\",\"Statement\":[{\"Sid\":\"__"
			"default_statement_ID\","
			"\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":[\"SNS:GetTopicAttributes\","
			"\"SNS:SetTopicAttributes\",\"SNS:AddPermission\",\"SNS:RemovePermission\",\"SNS:DeleteTopic\","
			"\"SNS:Subscribe\",\"SNS:ListSubscriptionsByTopic\",\"SNS:Publish\"],\"Resource\":\"%.*s\","
			"\"Condition\":{\"StringEquals\":{\"AWS:SourceOwner\":\"%.*s\"}}}]}",
			STR_ARG(arn), STR_ARG(x->w->account)));
}

/* Of a replica key: the region of its primary. */
static const struct json_value *arn_region(struct cfn_eval *x)
{
	struct str rest = str_or(cfn_prop(x->w, "PrimaryKeyArn"), STR(""));
	for (int i = 0; i < 3 && str_has(rest); i++) str_cut(&rest, ':');
	return str_has(rest) ? text(x, str_cut(&rest, ':')) : NULL;
}

/* "AWS::RDS::DBParameterGroup": its map as the API's list. */
static const struct json_value *db_parameters(struct cfn_eval *x)
{
	const struct json_value *map = cfn_value(x->w, "Parameters");
	struct json_value *all = cfn_list(x->w->a);
	if (!json_is(map, JSON_IS_OBJECT)) return NULL;
	for (const struct json_value *m = map->first; m; m = m->next) {
		struct json_value *p = cfn_one(x->w->a, "ParameterName", m->name);
		cfn_put(p, x->w->a, "ParameterValue", json_scalar(m));
		cfn_put(p, x->w->a, "ApplyMethod", STR("pending-reboot"));
		cfn_append(all, STR_NONE, p);
	}
	return all->length ? all : NULL;
}

/* A cache parameter group's Properties as ModifyCacheParameterGroup has them. */
static const struct json_value *cache_parameters(struct cfn_eval *x)
{
	const struct json_value *map = cfn_value(x->w, "Properties");
	struct json_value *all = cfn_list(x->w->a);
	if (!json_is(map, JSON_IS_OBJECT)) return NULL;
	for (const struct json_value *m = map->first; m; m = m->next) {
		struct json_value *p = cfn_one(x->w->a, "ParameterName", m->name);
		cfn_put(p, x->w->a, "ParameterValue", json_scalar(m));
		cfn_append(all, STR_NONE, p);
	}
	return all->length ? all : NULL;
}

/* "AWS::S3::Bucket ReplicationRule": neither Filter nor Prefix is required; a rule without both is for all objects,
 * which the API wants to be said. */
static const struct json_value *replication(struct cfn_eval *x)
{
	struct arena *a = x->w->a;
	const struct json_value *given = cfn_aliased(x, x->w->properties, STR("ReplicationConfiguration"));
	struct json_value *to = cfn_copy(a, given);
	const struct json_value *rules = json_member(to, STR("Rules"));
	for (struct json_value *r = json_is(rules, JSON_IS_ARRAY) ? rules->first : NULL; r; r = r->next)
		if (r->type == JSON_IS_OBJECT && !json_member(r, STR("Filter")) && !json_member(r, STR("Prefix")))
			cfn_append(r, STR("Prefix"), cfn_text(a, STR("")));
	return to;
}

const struct json_value *cfn_shape(struct cfn_eval *x, struct str name, bool *known)
{
	static const struct {
		const char *name;
		const struct json_value *(*make)(struct cfn_eval *x);
	} shapes[] = {{"rule", rule}, {"dhcp", dhcp}, {"attachment", attachment}, {"same-rule", same_rule},
		{"acl-association", acl_association}, {"default-acl", default_acl},
		{"secondary-addresses", secondary_addresses}, {"dns-entries", dns_entries},
		{"profile-association", profile_association}, {"oldest-version", oldest_version},
		{"url-host", url_host}, {"location", location}, {"acl", acl}, {"lifecycle", lifecycle},
		{"filtered", filtered}, {"logging", logging}, {"notification", notification},
		{"website-url", website_url}, {"access-point-name", access_point_name},
		{"index-throughputs", index_throughputs}, {"global-stream", global_stream},
		{"global-tags", global_tags}, {"secret-string", secret_string}, {"token-uuid", token_uuid},
		{"random-uuid", random_uuid}, {"last-part", last_part}, {"topic-name", topic_name},
		{"subscription-arn", subscription_arn}, {"default-topic-policy", default_topic_policy},
		{"arn-region", arn_region}, {"db-parameters", db_parameters}, {"cache-parameters", cache_parameters},
		{"group-ref", group_ref}, {"replication", replication}, {"group-tags", cfn_group_tags},
		{"group-tags-gone", cfn_group_tags_gone}, {"classic-listeners", cfn_classic_listeners},
		{"engine-version", cfn_engine_version}};
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		*known = str_eq(name, str_c(shapes[i].name));
		if (*known) return x ? shapes[i].make(x) : NULL;
	}
	return NULL;
}
