/* AWS::SecretsManager::SecretTargetAttachment: what a client of a database needs to know beside the password is written
 * into the secret ("The structure of Secrets Manager database credential secrets"). */
#include "base/rand.h"
#include "services/cloudformation/handlers.h"

static const char *const written[] = {
	"engine", "host", "port", "dbname", "dbInstanceIdentifier", "dbClusterIdentifier"};

static status describe_target(struct cfn_work *w, struct json_value *to)
{
	struct str type = str_or(cfn_prop(w, "TargetType"), STR("")), id = cfn_prop(w, "TargetId");
	bool cluster = str_is(type, "AWS::RDS::DBCluster");
	const struct json_value *out;
	if (!cluster && !str_is(type, "AWS::RDS::DBInstance"))
		return cfn_fail(w, "virga does not attach secrets to targets of type %.*s yet", STR_ARG(type));
	TRY(cfn_do(w, "rds", cluster ? "DescribeDBClusters" : "DescribeDBInstances",
		cfn_one(w->a, cluster ? "DBClusterIdentifier" : "DBInstanceIdentifier", id), &out));
	const struct json_value *d = cfn_in(out, cluster ? "DBClusters.0" : "DBInstances.0");
	cfn_put(to, w->a, "engine", cfn_at(d, "Engine"));
	cfn_put(to, w->a, "host", cfn_at(d, cluster ? "Endpoint" : "Endpoint.Address"));
	cfn_put_value(to, w->a, "port", cfn_in(d, cluster ? "Port" : "Endpoint.Port"));
	cfn_put(to, w->a, "dbname", cfn_at(d, cluster ? "DatabaseName" : "DBName"));
	cfn_put(to, w->a, cluster ? "dbClusterIdentifier" : "dbInstanceIdentifier", id);
	return OK;
}

/* The secret's object without what an attachment writes, and with `more`. */
static status rewrite(struct cfn_work *w, const struct json_value *more)
{
	struct str secret = cfn_prop(w, "SecretId");
	struct json_value *now, *next = cfn_object(w->a), *in = cfn_one(w->a, "SecretId", secret);
	const struct json_value *out;
	TRY(cfn_do(w, "secretsmanager", "GetSecretValue", in, &out));
	if (!is_ok(json_read(w->a, str_or(cfn_at(out, "SecretString"), STR("")), &now)) || now->type != JSON_IS_OBJECT)
		return cfn_fail(w, "The secret's value is not a JSON object");
	for (const struct json_value *m = now->first; m; m = m->next) {
		bool ours = false;
		for (size_t i = 0; i < sizeof(written) / sizeof(*written); i++)
			ours |= str_eq(m->name, str_c(written[i]));
		if (!ours) cfn_set(next, m->name, cfn_copy(w->a, m));
	}
	for (const struct json_value *m = more->first; m; m = m->next) cfn_set(next, m->name, cfn_copy(w->a, m));
	if (cfn_equal(now, next)) return OK;
	cfn_put(in, w->a, "SecretString", cfn_json(w->a, next));
	cfn_put(in, w->a, "ClientRequestToken", rand_uuid(w->a));
	return cfn_do(w, "secretsmanager", "UpdateSecret", in, NULL);
}

static status attach(struct cfn_work *w)
{
	struct json_value *target = cfn_object(w->a);
	TRY(describe_target(w, target));
	TRY(rewrite(w, target));
	w->physical_id = cfn_prop(w, "SecretId");
	cfn_attribute(w, "Id", w->physical_id);
	return OK;
}

static status detach(struct cfn_work *w)
{
	status s = rewrite(w, cfn_object(w->a));
	return !is_ok(s) && (cfn_says_gone(w->code) || str_is(str_or(w->code, STR("")), "InvalidRequestException")) ? OK
														    : s;
}

const struct cfn_handler cfn_secret_target[] = {
	{"AWS::SecretsManager::SecretTargetAttachment", attach, NULL, attach, detach, NULL},
	{0},
};
