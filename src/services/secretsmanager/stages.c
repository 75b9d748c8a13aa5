/* Staging labels: each is attached to at most one version of a secret, and AWSPREVIOUS follows AWSCURRENT ("What's in a
 * Secrets Manager secret?", the user guide). */
#include "services/secretsmanager/room.h"
#include <stdlib.h>

struct str sm_stage_get(const struct sm_secret *s, struct str stage)
{
	for (size_t i = 0; i < s->r.stages.n; i++)
		if (str_eq(s->r.stages.v[i].key, stage)) return s->r.stages.v[i].value;
	return STR_NONE;
}

void sm_stage_drop(struct sm_secret *s, struct str stage)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->r.stages.n; i++)
		if (!str_eq(s->r.stages.v[i].key, stage)) s->r.stages.v[kept++] = s->r.stages.v[i];
	s->r.stages.n = kept;
}

static void attach(struct arena *a, struct sm_secret *s, struct str stage, struct str version)
{
	sm_stage_drop(s, stage);
	size_t n = s->r.stages.n;
	struct secretsmanager_rec_pairs_entry *v = arena_new_n(a, struct secretsmanager_rec_pairs_entry, n + 1);
	for (size_t i = 0; i < n; i++) v[i] = s->r.stages.v[i];
	v[n] = (struct secretsmanager_rec_pairs_entry){stage, version};
	s->r.stages.v = v;
	s->r.stages.n = n + 1;
}

void sm_stage_move(struct arena *a, struct sm_secret *s, struct str stage, struct str version)
{
	struct str held = sm_stage_get(s, stage);
	if (str_eq(stage, SM_CURRENT) && str_has(held) && !str_eq(held, version)) attach(a, s, SM_PREVIOUS, held);
	attach(a, s, stage, version);
}

static int by_text(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

struct secretsmanager_secret_version_stages_type sm_stages_of(
	struct arena *a, const struct sm_secret *s, struct str version)
{
	struct secretsmanager_secret_version_stages_type out = {0};
	size_t capacity = 0;
	VEC_PRESENT(a, &out);
	for (size_t i = 0; i < s->r.stages.n; i++)
		if (str_eq(s->r.stages.v[i].value, version)) *VEC_PUSH(a, &out, &capacity) = s->r.stages.v[i].key;
	if (out.n) qsort(out.v, out.n, sizeof(*out.v), by_text);
	return out;
}

struct secretsmanager_secret_versions_to_stages_map_type sm_versions_to_stages(
	struct arena *a, const struct sm_secret *s)
{
	struct secretsmanager_secret_versions_to_stages_map_type out = {0};
	size_t capacity = 0;
	for (size_t i = 0; i < s->r.stages.n; i++) {
		struct str version = s->r.stages.v[i].value;
		bool known = false;
		for (size_t j = 0; j < out.n; j++) known |= str_eq(out.v[j].key, version);
		if (known) continue;
		struct secretsmanager_secret_versions_to_stages_map_type_entry *e = VEC_PUSH(a, &out, &capacity);
		e->key = version;
		e->value = sm_stages_of(a, s, version);
	}
	return out;
}
