/* Labels of versions ("Working with parameter labels in Parameter Store", the user guide): one label is on one version.
 */
#include "services/ssm/room.h"
#include <stdlib.h>

int64_t ps_label_get(const struct ps_parameter *p, struct str label)
{
	for (size_t i = 0; i < p->r.labels.n; i++)
		if (str_eq(p->r.labels.v[i].key, label)) return p->r.labels.v[i].value.v;
	return 0;
}

static int by_text(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

struct ssm_parameter_label_list ps_labels_of(struct arena *a, const struct ps_parameter *p, int64_t version)
{
	struct ssm_parameter_label_list out = {0};
	size_t capacity = 0;
	VEC_PRESENT(a, &out);
	for (size_t i = 0; i < p->r.labels.n; i++)
		if (p->r.labels.v[i].value.v == version) *VEC_PUSH(a, &out, &capacity) = p->r.labels.v[i].key;
	if (out.n) qsort(out.v, out.n, sizeof(*out.v), by_text);
	return out;
}

/* "Labels can contain letters (case sensitive), numbers, periods (.), hyphens (-), or underscores (_). Labels can't
 * begin with a number, "aws", or "ssm" (not case sensitive)." */
static bool label_fits(struct str label)
{
	if (str_istarts(label, STR("aws")) || str_istarts(label, STR("ssm")) ||
		(label.p[0] >= '0' && label.p[0] <= '9'))
		return false;
	for (size_t i = 0; i < label.n; i++) {
		char b = label.p[i];
		if (!((b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '.' ||
			    b == '-' || b == '_'))
			return false;
	}
	return true;
}

static status find_version(struct call *c, struct str name, struct opt_i64 asked, struct ps_parameter *p,
	int64_t *number, struct ssm_rec_version *v)
{
	struct ps_name n = ps_name_read(c, name);
	if (!n.from_arn) TRY(ps_name_check(c, name, false));
	TRY(ps_find(c, &n, p));
	*number = asked.has ? asked.v : p->r.version.v;
	status s = *number > 0 ? ps_version_get(c->tx, c->arena, p, *number, v) : STATUS(NOT_FOUND);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return call_fail(c, SSM_ERR_PARAMETER_VERSION_NOT_FOUND,
		"Systems Manager could not find version %lld of %.*s. Verify the version and try again.",
		(long long)*number, STR_ARG(p->name));
}

static void attach(struct arena *a, struct ps_parameter *p, struct str label, int64_t version)
{
	for (size_t i = 0; i < p->r.labels.n; i++)
		if (str_eq(p->r.labels.v[i].key, label)) {
			p->r.labels.v[i].value = SOME_I64(version);
			return;
		}
	size_t n = p->r.labels.n;
	struct ssm_rec_labels_entry *v = arena_new_n(a, struct ssm_rec_labels_entry, n + 1);
	for (size_t i = 0; i < n; i++) v[i] = p->r.labels.v[i];
	v[n] = (struct ssm_rec_labels_entry){label, SOME_I64(version)};
	p->r.labels.v = v;
	p->r.labels.n = n + 1;
}

status ssm_label_parameter_version(struct call *c, const struct ssm_label_parameter_version_input *in,
	struct ssm_label_parameter_version_output *out)
{
	struct ps_parameter p;
	struct ssm_rec_version v;
	int64_t number;
	size_t capacity = 0;
	TRY(find_version(c, in->name, in->parameter_version, &p, &number, &v));
	VEC_PRESENT(c->arena, &out->invalid_labels);
	for (size_t i = 0; i < in->labels.n; i++) {
		if (!label_fits(in->labels.v[i])) {
			*VEC_PUSH(c->arena, &out->invalid_labels, &capacity) = in->labels.v[i];
			continue;
		}
		attach(c->arena, &p, in->labels.v[i], number);
		ps_tell_change(c->cloud, c->tx, &p, v.type, STR("LabelParameterVersion"), in->labels.v[i]);
	}
	if (ps_labels_of(c->arena, &p, number).n > PS_LABELS_MAX)
		return call_fail(c, SSM_ERR_PARAMETER_VERSION_LABEL_LIMIT_EXCEEDED,
			"A parameter version can have maximum %d labels.Move one or more labels to another version and "
			"try again.",
			PS_LABELS_MAX);
	ps_put(c->tx, c->arena, &p);
	out->parameter_version = SOME_I64(number);
	return OK;
}

status ssm_unlabel_parameter_version(struct call *c, const struct ssm_unlabel_parameter_version_input *in,
	struct ssm_unlabel_parameter_version_output *out)
{
	struct ps_parameter p;
	struct ssm_rec_version v;
	int64_t number;
	size_t removed = 0, invalid = 0;
	TRY(find_version(c, in->name, in->parameter_version, &p, &number, &v));
	VEC_PRESENT(c->arena, &out->removed_labels);
	VEC_PRESENT(c->arena, &out->invalid_labels);
	for (size_t i = 0; i < in->labels.n; i++) {
		struct str label = in->labels.v[i];
		if (ps_label_get(&p, label) != number) {
			*VEC_PUSH(c->arena, &out->invalid_labels, &invalid) = label;
			continue;
		}
		size_t kept = 0;
		for (size_t j = 0; j < p.r.labels.n; j++)
			if (!str_eq(p.r.labels.v[j].key, label)) p.r.labels.v[kept++] = p.r.labels.v[j];
		p.r.labels.n = kept;
		*VEC_PUSH(c->arena, &out->removed_labels, &removed) = label;
	}
	ps_put(c->tx, c->arena, &p);
	return OK;
}
