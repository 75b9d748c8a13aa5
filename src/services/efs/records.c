/* EFS's records: read, written, listed; its errors. */
#include "services/efs/room.h"
#include "store/record.h"
#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *name;
	uint16_t record;
	size_t size, file_system; /* where that member is */
} kinds[] = {
	[EFS_FILE_SYSTEM] = {"file-system", EFS_REC_FILE_SYSTEM, sizeof(struct efs_rec_file_system),
		offsetof(struct efs_rec_file_system, file_system_id)},
	[EFS_MOUNT_TARGET] = {"mount-target", EFS_REC_MOUNT_TARGET, sizeof(struct efs_rec_mount_target),
		offsetof(struct efs_rec_mount_target, file_system_id)},
	[EFS_ACCESS_POINT] = {"access-point", EFS_REC_ACCESS_POINT, sizeof(struct efs_rec_access_point),
		offsetof(struct efs_rec_access_point, file_system_id)},
};

status efs_fail(struct call *c, error_id id, const char *code, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	call_fail(c, id, "%s", text);
	/* All of EFS's errors begin with these two members; those with a third one fill it themselves. */
	struct efs_file_system_already_exists *e = arena_new(c->arena, struct efs_file_system_already_exists);
	e->error_code = str_c(code);
	e->message = c->failure.message;
	call_fail_members(c, e);
	return STATUS(FAILED);
}

struct str efs_id(struct str id)
{
	return str_from(id, (size_t)(str_rchr(id, '/') + 1));
}

static struct str key_of(struct call *c, enum efs_kind kind, struct str id)
{
	struct key k = key_for(c->arena, STR("efs"), str_c(kinds[kind].name), c->account, c->region);
	if (str_has(id)) key_str(&k, id);
	return key_done(&k);
}

static status load(struct call *c, enum efs_kind kind, struct str id, void *out)
{
	struct str bytes;
	memset(out, 0, kinds[kind].size);
	TRY(store_get(c->tx, key_of(c, kind, efs_id(id)), &bytes));
	return record_decode(c->arena, &efs_state_tables, kinds[kind].record, bytes, out);
}

status efs_file_system(struct call *c, struct str id, struct efs_rec_file_system *out)
{
	status s = load(c, EFS_FILE_SYSTEM, id, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return efs_fail(c, EFS_ERR_FILE_SYSTEM_NOT_FOUND, "FileSystemNotFound", "File system '%.*s' does not exist.",
		STR_ARG(efs_id(id)));
}

status efs_mount_target(struct call *c, struct str id, struct efs_rec_mount_target *out)
{
	status s = load(c, EFS_MOUNT_TARGET, id, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return efs_fail(c, EFS_ERR_MOUNT_TARGET_NOT_FOUND, "MountTargetNotFound", "Mount target '%.*s' does not exist.",
		STR_ARG(id));
}

status efs_access_point(struct call *c, struct str id, struct efs_rec_access_point *out)
{
	status s = load(c, EFS_ACCESS_POINT, id, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return efs_fail(c, EFS_ERR_ACCESS_POINT_NOT_FOUND, "AccessPointNotFound", "Access Point %.*s does not exist",
		STR_ARG(efs_id(id)));
}

void efs_put(struct call *c, enum efs_kind kind, struct str id, const void *record)
{
	store_put(c->tx, key_of(c, kind, id), record_encode(c->arena, &efs_state_tables, kinds[kind].record, record));
}

void efs_drop(struct call *c, enum efs_kind kind, struct str id)
{
	store_delete(c->tx, key_of(c, kind, id));
}

status efs_all(struct call *c, enum efs_kind kind, struct str file_system, struct efs_all *out)
{
	struct str from = key_of(c, kind, STR_NONE), key, value;
	struct store_scan *scan = store_scan_begin(c->tx, from, key_after(c->arena, from), false);
	size_t capacity = 0;
	status s = OK;
	*out = (struct efs_all){0};
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		char *record = arena_alloc(c->arena, kinds[kind].size);
		struct str of;
		s = record_decode(c->arena, &efs_state_tables, kinds[kind].record, str_dup(c->arena, value), record);
		memcpy(&of, record + kinds[kind].file_system, sizeof(of));
		if (is_ok(s) && (!str_has(file_system) || str_eq(of, file_system)))
			memcpy(vec_push(c->arena, &out->v, &out->n, &capacity, kinds[kind].size), record,
				kinds[kind].size);
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

void efs_page(const struct str *ids, size_t n, struct efs_page *p)
{
	size_t max = p->max.has ? (size_t)p->max.v : 100;
	while (str_has(p->marker) && p->from < n && str_cmp(ids[p->from], p->marker) <= 0) p->from++;
	p->n = n - p->from < max ? n - p->from : max;
	if (p->from + p->n < n && p->n) p->next = ids[p->from + p->n - 1];
}

/* ── door.h ── */

static status each_target(struct store_tx *tx, struct arena *a, struct str from,
	void (*fn)(void *ctx, const struct efs_rec_mount_target *t), void *ctx)
{
	struct str key, value;
	struct store_scan *scan = store_scan_begin(tx, from, key_after(a, from), false);
	status s = OK;
	while (is_ok(s) && store_scan_next(scan, &key, &value)) {
		struct efs_rec_mount_target t = {0};
		s = efs_rec_mount_target_decode(a, str_dup(a, value), &t);
		if (is_ok(s)) fn(ctx, &t);
	}
	status end = store_scan_end(scan);
	return is_ok(s) ? end : s;
}

struct gathering {
	struct arena *a;
	struct efs_targets *out;
	size_t capacity;
	struct str file_system, vpc, zone;
};

static void add_interface(void *ctx, const struct efs_rec_mount_target *t)
{
	struct gathering *g = ctx;
	*VEC_PUSH(g->a, g->out, &g->capacity) = t->network_interface_id;
}

status efs_targets(struct store_tx *tx, struct arena *a, struct efs_targets *out)
{
	struct key k = key_begin(a);
	key_str(&k, STR("efs"));
	key_str(&k, str_c(kinds[EFS_MOUNT_TARGET].name));
	*out = (struct efs_targets){0};
	struct gathering g = {.a = a, .out = out};
	return each_target(tx, a, key_done(&k), add_interface, &g);
}

static void add_address(void *ctx, const struct efs_rec_mount_target *t)
{
	struct gathering *g = ctx;
	if (!str_eq(t->file_system_id, g->file_system) || !str_eq(t->vpc_id, g->vpc)) return;
	if (str_has(g->zone) && !str_eq(t->availability_zone_name, g->zone)) return;
	*VEC_PUSH(g->a, g->out, &g->capacity) = t->ip_address;
}

status efs_addresses(struct store_tx *tx, struct arena *a, struct str account, struct str region,
	struct str file_system, struct str vpc, struct str zone, struct efs_targets *out)
{
	struct key k = key_for(a, STR("efs"), str_c(kinds[EFS_MOUNT_TARGET].name), account, region);
	*out = (struct efs_targets){0};
	struct gathering g = {.a = a, .out = out, .file_system = file_system, .vpc = vpc, .zone = zone};
	return each_target(tx, a, key_done(&k), add_address, &g);
}
