/* Making a manifest ("Specify criteria to generate a manifest"): the source bucket is walked in one snapshot, and what
 * the filter lets through becomes the job's rows; kept as an object where the request wants it. Of replication all
 * versions count, of everything else the current ones. The role needs s3:PutInventoryConfiguration on the bucket
 * ("Granting permissions for Batch Operations"). */
#include "base/vec.h"
#include "identity/digest.h"
#include "services/s3/config.h"
#include "services/s3/replicate.h"
#include "services/s3/each.h"
#include "services/s3control/batch.h"

struct generate {
	struct batch *b;
	struct batch_rows *rows;
	const struct s3control_job_manifest_generator_filter *f; /* or NULL */
	const struct s3_replication_configuration *replication;  /* or NULL */
	bool versions, replicates;
	struct buf text; /* the manifest as an object; unused where none is wanted */
	bool keep;
};

/* ── the filter ── */

static bool in_list(const struct str *v, size_t n, struct str s)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i], s)) return true;
	return n == 0;
}

static bool name_fits(const struct s3control_key_name_constraint *k, struct str key)
{
	bool fits = !k || k->match_any_prefix.n == 0;
	for (size_t i = 0; k && i < k->match_any_prefix.n; i++) fits |= str_starts(key, k->match_any_prefix.v[i]);
	if (!k || !fits) return fits;
	fits = k->match_any_suffix.n == 0;
	for (size_t i = 0; i < k->match_any_suffix.n; i++) fits |= str_ends(key, k->match_any_suffix.v[i]);
	if (!fits) return false;
	fits = k->match_any_substring.n == 0;
	for (size_t i = 0; i < k->match_any_substring.n; i++) fits |= str_find(key, k->match_any_substring.v[i]) >= 0;
	return fits;
}

static bool under_key(struct str wanted, const struct s3_rec_sse *e)
{
	return !str_has(wanted) || str_eq(wanted, str_or(e->kms_key, STR("")));
}

static bool encrypted_so(const struct s3control_object_encryption_filter *f, const struct s3_rec_sse *e)
{
	if (!e) return f->notsse != NULL;
	if (f->sses3) return str_is(e->algorithm, "AES256");
	if (f->ssec) return str_is(e->algorithm, "customer");
	if (f->dssekms) return str_is(e->algorithm, "aws:kms:dsse") && under_key(f->dssekms->kms_key_arn, e);
	if (!f->ssekms || !str_is(e->algorithm, "aws:kms")) return false;
	return under_key(f->ssekms->kms_key_arn, e) &&
	       (!f->ssekms->bucket_key_enabled.has || f->ssekms->bucket_key_enabled.v == e->bucket_key.v);
}

static bool passes(const struct generate *g, struct str key, const struct s3_rec_object *o)
{
	const struct s3control_job_manifest_generator_filter *f = g->f;
	if (o->marker.v && !g->replicates) return false;
	if (!f) return true;
	if (f->eligible_for_replication.has &&
		f->eligible_for_replication.v != s3_replicate_eligible(g->replication, key, o))
		return false;
	if (f->created_after.has && o->modified.ms <= f->created_after.ms) return false;
	if (f->created_before.has && o->modified.ms >= f->created_before.ms) return false;
	const struct s3control_replication_status_filter_list *s = &f->object_replication_statuses;
	if (!in_list(s->v, s->n, str_or(o->replication, STR("NONE")))) return false;
	if (!name_fits(f->key_name_constraint, key)) return false;
	if (f->object_size_greater_than_bytes.has && o->size.v <= f->object_size_greater_than_bytes.v) return false;
	if (f->object_size_less_than_bytes.has && o->size.v >= f->object_size_less_than_bytes.v) return false;
	const struct s3control_storage_class_list *classes = &f->match_any_storage_class;
	if (!in_list(classes->v, classes->n, str_or(o->storage_class, STR("STANDARD")))) return false;
	bool fits = f->match_any_object_encryption.n == 0;
	for (size_t i = 0; i < f->match_any_object_encryption.n; i++)
		fits |= encrypted_so(&f->match_any_object_encryption.v[i], o->sse);
	return fits;
}

static void column(struct buf *b, struct str s, bool last)
{
	buf_fmt(b, "\"%.*s\"%s", STR_ARG(s), last ? "\n" : ",");
}

static status take(void *ctx, struct str key, const struct s3_rec_object *o, bool latest)
{
	struct generate *g = ctx;
	if (!passes(g, key, o)) return OK;
	struct str version = g->versions ? str_or(o->version_id, STR("null")) : STR_NONE;
	batch_rows_add(g->rows, key, version);
	if (!g->keep) return OK;
	struct arena a;
	arena_init(&a);
	column(&g->text, g->b->job->bucket, false);
	column(&g->text, str_uri_encode(&a, key, true), !g->versions);
	if (g->versions) {
		column(&g->text, version, false);
		column(&g->text, latest ? STR("true") : STR("false"), false);
		column(&g->text, o->marker.v ? STR("true") : STR("false"), true);
	}
	arena_cleanup(&a);
	return OK;
}

/* ── keeping it ── */

static status keep(struct generate *g, const struct s3control_s3_manifest_output_location *to)
{
	struct batch *b = g->b;
	struct str bucket, text = buf_done(&g->text);
	if (!batch_arn_split(to->bucket, &bucket, NULL)) return STATUS(CORRUPT);
	struct s3_put_object_input in = {
		.bucket = bucket,
		.key = str_fmt(b->a, "%.*s%sjob-%.*s/manifest/manifest.csv",
			STR_ARG(str_or(to->manifest_prefix, STR(""))),
			str_empty(to->manifest_prefix) || str_ends(to->manifest_prefix, STR("/")) ? "" : "/",
			STR_ARG(b->job->id)),
		.content_type = STR("text/csv"),
		.expected_bucket_owner = to->expected_manifest_bucket_owner,
	};
	const struct s3control_generated_manifest_encryption *e = to->manifest_encryption;
	if (e && e->sses3) in.server_side_encryption = STR("AES256");
	if (e && e->ssekms) {
		in.server_side_encryption = STR("aws:kms");
		in.ssekms_key_id = e->ssekms->key_id;
	}
	struct inside *i = inside_run(b->cloud, &b->who, "s3", S3_OP_PUT_OBJECT, &in, &text);
	status s = OK;
	if (i->ok) {
		b->job->manifest_arn = str_fmt(
			b->a, "arn:%.*s:s3:::%.*s/%.*s", STR_ARG(b->job->partition), STR_ARG(bucket), STR_ARG(in.key));
		b->job->manifest_e_tag = str_dup(b->a, ((const struct s3_put_object_output *)i->out)->e_tag);
	} else {
		s = batch_fails(b, "ManifestNotWritable", "Writing the generated manifest failed: %.*s (%.*s)",
			STR_ARG(str_sub(i->message, 0, 128)), STR_ARG(i->code));
	}
	inside_free(i);
	return s;
}

/* ── the walk ── */

static status find_source(struct batch *b, struct call *c, struct s3_rec_bucket *from)
{
	const struct s3control_s3_job_manifest_generator *g = b->in->manifest_generator->s3_job_manifest_generator;
	struct str name, why;
	if (!batch_arn_split(g->source_bucket, &name, NULL)) return STATUS(CORRUPT);
	status s = s3_bucket_by_name(c->tx, b->a, name, from, NULL);
	bool there = is_ok(s) && (!str_has(g->expected_bucket_owner) || str_eq(g->expected_bucket_owner, from->owner));
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (!there)
		return batch_fails(
			b, "SourceBucketNotFound", "The source bucket does not exist, or is another owner's");
	if (!inside_may(b->cloud, &b->who, "s3", S3_OP_PUT_BUCKET_INVENTORY_CONFIGURATION, NULL,
		    STR("s3:PutInventoryConfiguration"), g->source_bucket, b->a, &why))
		return batch_fails(b, "ManifestGenerationForbidden", "%.*s", STR_ARG(str_sub(why, 0, 250)));
	b->job->bucket = from->name;
	return OK;
}

status batch_generate(struct batch *b, struct batch_rows *r)
{
	struct call *c = call_for_job(
		b->a, b->cloud, r->tx, b->job->account, b->job->region, STR("batchoperations.s3.amazonaws.com"));
	const struct s3control_s3_job_manifest_generator *asked = b->in->manifest_generator->s3_job_manifest_generator;
	struct s3_rec_bucket from;
	struct s3_put_bucket_replication_input conf;
	TRY(find_source(b, c, &from));
	struct generate g = {.b = b,
		.rows = r,
		.f = asked->filter,
		.versions = str_has(from.versioning),
		.replicates = b->in->operation->s3_replicate_object != NULL,
		.keep = asked->enable_manifest_output.v,
		.text = BUF_HEAP};
	status s = s3_config_get(c, &from, S3_CONFIG_REPLICATION, STR(""), &conf);
	if (!is_ok(s) && !status_is(s, STATUS_NOT_FOUND)) return s;
	if (is_ok(s)) g.replication = conf.replication_configuration;
	s = s3_each_version(c, &from, STR(""), g.replicates, take, &g);
	if (is_ok(s) && g.keep && r->n) s = keep(&g, asked->manifest_output_location);
	buf_cleanup(&g.text);
	return s;
}
