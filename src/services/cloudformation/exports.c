/* Values that stacks export to each other ("Get exported outputs from a deployed CloudFormation stack"). */
#include "base/vec.h"
#include "services/cloudformation/internal.h"
#include "store/key.h"

static struct str export_key(struct arena *a, struct cfn_place p, struct str name)
{
	struct key k = cfn_key(a, "export", p);
	key_str(&k, name);
	return key_done(&k);
}

static struct str import_key(struct arena *a, struct cfn_place p, struct str name, struct str stack)
{
	struct key k = cfn_key(a, "import", p);
	key_str(&k, name);
	if (str_has(stack)) key_str(&k, stack);
	return key_done(&k);
}

status cfn_export_get(struct store_tx *tx, struct arena *a, struct cfn_place p, struct str name,
	struct cloudformation_rec_export *out)
{
	struct str bytes;
	TRY(store_get(tx, export_key(a, p, name), &bytes));
	*out = (struct cloudformation_rec_export){0};
	return cloudformation_rec_export_decode(a, bytes, out);
}

status cfn_export_users(
	struct store_tx *tx, struct arena *a, struct cfn_place p, struct str name, struct cfn_names *out)
{
	struct str from = import_key(a, p, name, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	size_t capacity = 0;
	*out = (struct cfn_names){0};
	while (store_scan_next(scan, &key, &value)) *VEC_PUSH(a, out, &capacity) = str_dup(a, value);
	return store_scan_end(scan);
}

static const struct cloudformation_rec_output *output_exporting(
	const struct cloudformation_rec_outputs *o, struct str name)
{
	for (size_t i = 0; i < o->n; i++)
		if (str_has(o->v[i].export) && str_eq(o->v[i].export, name)) return &o->v[i];
	return NULL;
}

/* An export that is in use can neither go nor change. */
static status check_leaving(struct store_tx *tx, struct arena *a, const struct cloudformation_rec_stack *s,
	const struct cloudformation_rec_outputs *outputs, struct str *why)
{
	struct cfn_place p = cfn_place_of(s);
	for (size_t i = 0; i < s->outputs.n; i++) {
		const struct cloudformation_rec_output *old = &s->outputs.v[i];
		const struct cloudformation_rec_output *new =
			str_has(old->export) ? output_exporting(outputs, old->export) : NULL;
		struct cfn_names users;
		if (!str_has(old->export) || (new &&str_eq(new->value, old->value))) continue;
		TRY(cfn_export_users(tx, a, p, old->export, &users));
		if (users.n) {
			*why = str_fmt(a,
				new ? "Cannot update export %.*s as it is in use by %.*s"
				    : "Cannot delete export %.*s as it is in use by %.*s",
				STR_ARG(old->export), STR_ARG(users.v[0]));
			return STATUS(FAILED);
		}
		if (!new) store_delete(tx, export_key(a, p, old->export));
	}
	return OK;
}

static status drop_imports(
	struct store_tx *tx, struct arena *a, const struct cloudformation_rec_stack *s, const struct cfn_names *keep)
{
	struct key k = cfn_key(a, "import", cfn_place_of(s));
	struct str from = key_done(&k), key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	while (store_scan_next(scan, &key, &value)) {
		struct str rest = str_from(key, from.n), name;
		if (!str_eq(value, s->name) || !is_ok(key_read_str(a, &rest, &name))) continue;
		if (!cfn_names_have(keep, name)) store_delete(tx, str_dup(a, key));
	}
	return store_scan_end(scan);
}

status cfn_exports_set(struct store_tx *tx, struct arena *a, const struct cloudformation_rec_stack *s,
	const struct cloudformation_rec_outputs *outputs, const struct cfn_names *imports, struct str *why)
{
	struct cfn_place p = cfn_place_of(s);
	TRY(check_leaving(tx, a, s, outputs, why));
	for (size_t i = 0; i < outputs->n; i++) {
		const struct cloudformation_rec_output *o = &outputs->v[i];
		struct cloudformation_rec_export there;
		if (!str_has(o->export)) continue;
		status st = cfn_export_get(tx, a, p, o->export, &there);
		if (is_ok(st) && !str_eq(there.stack, s->id)) {
			*why = str_fmt(a, "Export with name %.*s is already exported by stack %.*s", STR_ARG(o->export),
				STR_ARG(there.stack));
			return STATUS(FAILED);
		}
		if (!is_ok(st) && !status_is(st, STATUS_NOT_FOUND)) return st;
		struct cloudformation_rec_export e = {.name = o->export, .value = o->value, .stack = s->id};
		store_put(tx, export_key(a, p, o->export), cloudformation_rec_export_encode(a, &e));
	}
	TRY(drop_imports(tx, a, s, imports));
	for (size_t i = 0; i < imports->n; i++) store_put(tx, import_key(a, p, imports->v[i], s->id), s->name);
	return OK;
}
