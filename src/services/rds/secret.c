/* The master user's password in Secrets Manager: "Password management with Amazon RDS and AWS Secrets Manager", the
 * guide. RDS makes the secret, and sets a new password every seven days or when it is asked to. */
#include "base/json.h"
#include "base/log.h"
#include "base/rand.h"
#include "call/inside.h"
#include "secretsmanager.h"
#include "services/rds/controller.h"
#include "vault/vault.h"

#define ROTATION_MS (7ll * 24 * 60 * 60 * 1000)
enum { PASSWORD_LENGTH = 28 };

static struct inside_caller rds_itself(struct rds_work *w)
{
	struct inside_caller who = inside_service(w->at.a, w->at.account, w->at.region, STR("rds.amazonaws.com"));
	who.system_tags = true;
	return who;
}

static struct str new_password(struct arena *a)
{
	/* Punctuation that neither URLs nor shells trip over. */
	return rand_text(a, STR("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"), PASSWORD_LENGTH);
}

static struct str value_of(struct rds_work *w, struct str password)
{
	struct buf b = BUF_IN(w->at.a);
	buf_lit(&b, "{\"username\":");
	json_quote(&b, w->r->master_username);
	buf_lit(&b, ",\"password\":");
	json_quote(&b, password);
	buf_lit(&b, "}");
	return buf_done(&b);
}

/* The password of that version, which an earlier run of this job wrote. */
static status written(struct rds_work *w, struct str token, struct str *password)
{
	struct inside_caller who = rds_itself(w);
	struct secretsmanager_get_secret_value_input in = {.secret_id = w->r->secret_name, .version_id = token};
	struct inside *i = inside_run(w->cloud, &who, "secretsmanager", SECRETSMANAGER_OP_GET_SECRET_VALUE, &in, NULL);
	struct json_value *v;
	status s = STATUS(IO);
	if (i->ok && is_ok(json_read(w->at.a,
			     str_dup(w->at.a,
				     ((const struct secretsmanager_get_secret_value_output *)i->out)->secret_string),
			     &v))) {
		*password = json_scalar(json_member(v, STR("password")));
		if (str_has(*password)) s = OK;
	}
	inside_free(i);
	return s;
}

/* token: the version's; the same for a run of the job that is made again, whose password is then the one that was
 * written before, so that no version is current that never was the master user's. */
static status put(struct rds_work *w, struct str token, struct str *password)
{
	struct inside_caller who = rds_itself(w);
	struct secretsmanager_put_secret_value_input in = {
		.secret_id = w->r->secret_name, .secret_string = value_of(w, *password), .client_request_token = token};
	struct inside *i = inside_run(w->cloud, &who, "secretsmanager", SECRETSMANAGER_OP_PUT_SECRET_VALUE, &in, NULL);
	bool again = !i->ok && str_is(i->code, "ResourceExistsException");
	status s = i->ok || again ? OK : STATUS(IO);
	if (i->ok)
		w->r->secret_arn =
			str_dup(w->at.a, ((const struct secretsmanager_put_secret_value_output *)i->out)->arn);
	if (!is_ok(s)) log_warn("rds", "secret", "code=%.*s", STR_ARG(i->code));
	inside_free(i);
	return again ? written(w, token, password) : s;
}

status rds_secret_make(struct rds_work *w)
{
	struct inside_caller who = rds_itself(w);
	struct str password = new_password(w->at.a);
	bool cluster = rds_is_cluster(w->r->dbi_resource_id);
	struct secretsmanager_tag tags[] = {{STR("aws:secretsmanager:owningService"), STR("rds")},
		{cluster ? STR("aws:rds:primaryDBClusterArn") : STR("aws:rds:primaryDBInstanceArn"),
			str_fmt(w->at.a, "arn:aws:rds:%.*s:%.*s:%s:%.*s", STR_ARG(w->at.region), STR_ARG(w->at.account),
				rds_kind_of(w->r->dbi_resource_id)->name, STR_ARG(w->r->db_instance_identifier))}};
	struct secretsmanager_create_secret_input in = {.name = w->r->secret_name,
		.description = str_fmt(w->at.a, "The secret associated with the primary RDS DB %s: %.*s",
			cluster ? "cluster" : "instance", STR_ARG(tags[1].value)),
		.kms_key_id = w->r->secret_key,
		.secret_string = value_of(w, password),
		.client_request_token = rand_uuid(w->at.a),
		.tags = {tags, 2}};
	struct inside *i = inside_run(w->cloud, &who, "secretsmanager", SECRETSMANAGER_OP_CREATE_SECRET, &in, NULL);
	status s = i->ok ? OK : STATUS(IO);
	if (i->ok)
		w->r->secret_arn = str_dup(w->at.a, ((const struct secretsmanager_create_secret_output *)i->out)->arn);
	else if (str_is(i->code, "ResourceExistsException"))
		s = put(w, rand_uuid(w->at.a), &password); /* an earlier run of this job made it */
	else
		log_warn("rds", "secret", "code=%.*s message=\"%.*s\"", STR_ARG(i->code), STR_ARG(i->message));
	inside_free(i);
	TRY(s);
	w->r->verifier = rds_verifier(w->at.a, w->r->engine, password);
	vault_wipe(password);
	w->r->verifier_due = SOME_BOOL(true);
	w->r->secret_status = STR("active");
	w->r->secret_rotate = SOME_TIME(w->now_ms + ROTATION_MS);
	return OK;
}

status rds_secret_rotate(struct rds_work *w)
{
	struct str password = new_password(w->at.a);
	TRY(put(w,
		str_fmt(w->at.a, "%.*s-%016llx", STR_ARG(w->r->dbi_resource_id),
			(unsigned long long)w->r->secret_rotate.ms),
		&password));
	w->r->verifier = rds_verifier(w->at.a, w->r->engine, password);
	vault_wipe(password);
	w->r->verifier_due = SOME_BOOL(true);
	w->r->secret_status = STR("active");
	w->r->secret_rotate = SOME_TIME(w->now_ms + ROTATION_MS);
	rds_instance_event(w->at, w->now_ms, w->r, "configuration change", "The master user password was rotated.");
	return OK;
}

void rds_secret_drop(struct rds_work *w)
{
	struct inside_caller who = rds_itself(w);
	struct secretsmanager_delete_secret_input in = {
		.secret_id = w->r->secret_name, .force_delete_without_recovery = SOME_BOOL(true)};
	if (!str_has(w->r->secret_arn)) return;
	struct inside *i = inside_run(w->cloud, &who, "secretsmanager", SECRETSMANAGER_OP_DELETE_SECRET, &in, NULL);
	if (!i->ok) log_warn("rds", "secret_stays", "code=%.*s", STR_ARG(i->code));
	inside_free(i);
	w->r->secret_arn = w->r->secret_name = w->r->secret_status = STR_NONE;
	w->r->secret_rotate = (struct opt_time){0};
}
