/* The credential report ("Generate credential reports for your AWS account"): a CSV of users and what they sign in
 * with, made when it is asked for and kept for four hours. */
#include "services/iam/internal.h"

#define VALID_MS (4 * 3600 * INT64_C(1000))

static void add(struct buf *b, struct str field)
{
	buf_byte(b, ',');
	buf_str(b, field);
}

static struct str when(struct call *c, struct opt_time t, const char *otherwise)
{
	if (!t.has) return str_c(otherwise);
	struct str s = time_iso8601(c->arena, t.ms, false);
	return str_fmt(c->arena, "%.*s+00:00", (int)s.n - 1, s.p);
}

static struct str yes(bool b)
{
	return b ? STR("true") : STR("false");
}

static status add_keys(struct call *c, struct buf *b, const struct iam_rec_entity *e)
{
	for (size_t i = 0; i < 2; i++) {
		if (i >= e->keys.n) {
			buf_lit(b, ",false,N/A,N/A,N/A,N/A");
			continue;
		}
		struct iam_rec_key k;
		struct iam_access_key_last_used used = {0};
		TRY(iam_key_get(c, e, e->keys.v[i], &k));
		iam_key_last_used(c, k.id, &used);
		add(b, yes(k.active.v));
		add(b, when(c, k.created, "N/A"));
		add(b, when(c, used.last_used_date, "N/A"));
		add(b, used.region);
		add(b, used.service_name);
	}
	return OK;
}

static status add_user(struct call *c, struct buf *b, const struct iam_rec_account *a, const struct iam_rec_entity *e)
{
	buf_str(b, e->name);
	add(b, iam_entity_arn(c, IAM_USER, e));
	add(b, when(c, e->created, "N/A"));
	add(b, yes(e->login != NULL));
	int64_t ends = e->login ? iam_password_ends(a, e->login) : 0;
	add(b, e->login ? when(c, e->login->used, "no_information") : STR("N/A"));
	add(b, e->login ? when(c, e->login->changed, "N/A") : STR("N/A"));
	add(b, ends ? when(c, SOME_TIME(ends), "N/A") : STR("N/A"));
	add(b, yes(e->mfa.n > 0));
	TRY(add_keys(c, b, e));
	struct iam_opt_times certificates;
	TRY(iam_signing_certificates_of(c, e->name, &certificates));
	for (size_t i = 0; i < 2; i++) {
		add(b, yes(certificates.active[i]));
		add(b, when(c, certificates.at[i], "N/A"));
	}
	buf_byte(b, '\n');
	return OK;
}

static status make(struct call *c, const struct iam_rec_account *a, struct str *out)
{
	struct buf b = BUF_IN(c->arena);
	buf_lit(&b, "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_"
		    "next_rotation,"
		    "mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_"
		    "last_used_region,"
		    "access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_"
		    "used_date,"
		    "access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,"
		    "cert_2_active,"
		    "cert_2_last_rotated\n");
	/* Nothing is known of the root user: it signs in by no password here and has no keys of IAM's. */
	buf_fmt(&b,
		"<root_account>,arn:%.*s:iam::%.*s:root,not_supported,not_supported,no_information,not_supported,not_"
		"supported,"
		"false,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A\n",
		STR_ARG(c->partition), STR_ARG(c->account));
	struct iam_rows r = iam_rows_begin(c, "user");
	while (iam_rows_next(&r)) {
		struct iam_rec_entity e = {0};
		TRY(iam_rec_entity_decode(c->arena, str_dup(c->arena, r.value), &e));
		TRY(add_user(c, &b, a, &e));
	}
	*out = buf_done(&b);
	return iam_rows_end(&r);
}

status iam_generate_credential_report(struct call *c, const struct iam_generate_credential_report_input *in,
	struct iam_generate_credential_report_output *out)
{
	(void)in;
	struct iam_rec_account a;
	TRY(iam_account_get(c, &a));
	if (a.report.n && c->now_ms < a.reported.ms + VALID_MS) {
		out->state = STR("COMPLETE");
		return OK;
	}
	bool first = !a.report.n;
	TRY(make(c, &a, &a.report));
	a.reported = SOME_TIME(c->now_ms);
	iam_account_put(c, &a);
	out->state = STR("STARTED");
	out->description = first ? STR("No report exists. Starting a new report generation task")
				 : STR("The report has expired. Starting a new report generation task");
	return OK;
}

status iam_get_credential_report(
	struct call *c, const struct iam_get_credential_report_input *in, struct iam_get_credential_report_output *out)
{
	(void)in;
	struct iam_rec_account a;
	TRY(iam_account_get(c, &a));
	if (!a.report.n)
		return IAM_FAIL(c, CREDENTIAL_REPORT_NOT_PRESENT,
			"The report does not exist; GenerateCredentialReport makes one.");
	if (c->now_ms >= a.reported.ms + VALID_MS)
		return IAM_FAIL(c, CREDENTIAL_REPORT_EXPIRED,
			"The report is older than four hours; GenerateCredentialReport makes a new one.");
	out->content = a.report;
	out->report_format = STR("text/csv");
	out->generated_time = a.reported;
	return OK;
}
