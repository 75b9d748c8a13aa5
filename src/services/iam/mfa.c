/* Virtual MFA devices: seeds, time-based one-time passwords (RFC 6238 over RFC 4226: HMAC-SHA-1, 6 digits, 30 s), and
 * the two consecutive codes that enable a device or set its clock. A code passes once. The seed is answered as text; a
 * QR code as an image is not made: its member stays absent. */
#include "base/rand.h"
#include "services/iam/internal.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define STEP_MS 30000
#define SEED_BYTES 40      /* 64 characters of base32, as AWS's */
#define DEVICES_PER_USER 8 /* "IAM and AWS STS quotas" */
#define WINDOW_CHECK 1     /* steps that a code may be early or late */
#define WINDOW_ENABLE 10   /* steps that a device's clock may be off when it is enabled */
#define WINDOW_RESYNC 120  /* and when it is set: an hour */

struct str iam_totp(struct arena *a, struct str seed, int64_t step)
{
	uint8_t counter[8], mac[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	for (int i = 0; i < 8; i++) counter[i] = (uint8_t)((uint64_t)step >> (56 - 8 * i));
	INVARIANT(HMAC(EVP_sha1(), seed.p, (int)seed.n, counter, sizeof(counter), mac, &length) && length == 20);
	unsigned at = mac[19] & 15u;
	uint32_t number = (uint32_t)(mac[at] & 127) << 24 | (uint32_t)mac[at + 1] << 16 | (uint32_t)mac[at + 2] << 8 |
			  mac[at + 3];
	return str_fmt(a, "%06u", number % 1000000u);
}

static struct str base32(struct arena *a, struct str bytes)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	struct buf b = BUF_IN(a);
	uint64_t bits = 0;
	unsigned n = 0;
	for (size_t i = 0; i < bytes.n; i++) {
		bits = bits << 8 | (uint8_t)bytes.p[i];
		for (n += 8; n >= 5; n -= 5) buf_byte(&b, alphabet[bits >> (n - 5) & 31]);
	}
	INVARIANT(n == 0);
	return buf_done(&b);
}

static status device_peek(
	struct store_tx *tx, struct arena *a, struct str account, struct str serial, struct iam_rec_mfa *out)
{
	struct str bytes;
	*out = (struct iam_rec_mfa){0};
	TRY(store_get(tx, iam_key(a, "mfa", account, serial), &bytes));
	return iam_rec_mfa_decode(a, bytes, out);
}

static status device_get(struct call *c, struct str serial, struct iam_rec_mfa *out)
{
	status s = device_peek(c->tx, c->arena, c->account, serial, out);
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	return IAM_FAIL(c, NO_SUCH_ENTITY, "VirtualMFADevice with serial number %.*s doesn't exist.", STR_ARG(serial));
}

static void device_put(struct store_tx *tx, struct arena *a, struct str account, const struct iam_rec_mfa *d)
{
	store_put(tx, iam_key(a, "mfa", account, d->serial), iam_rec_mfa_encode(a, d));
}

/* A device knows the machine's time; tests that move time make codes of the virtual one. Each has its own last step, so
 * that a code of the one is not made stale by the other's. */
static struct opt_i64 *last_of(struct iam_rec_mfa *d, bool machine)
{
	return machine ? &d->machine_step : &d->last_step;
}

static bool check_at(struct arena *a, struct iam_rec_mfa *d, struct str code, int64_t at_ms, bool machine)
{
	int64_t now = at_ms / STEP_MS + d->drift.v;
	struct opt_i64 *last = last_of(d, machine);
	for (int64_t step = now - WINDOW_CHECK; step <= now + WINDOW_CHECK; step++) {
		if (step <= last->v || !str_eq_secret(iam_totp(a, d->seed, step), code)) continue;
		*last = SOME_I64(step);
		return true;
	}
	return false;
}

status iam_mfa_check(struct store_tx *tx, struct arena *a, struct str account, struct str user, struct str serial,
	struct str code, int64_t now_ms, int64_t offset_ms, bool use)
{
	struct iam_rec_mfa d;
	status s = device_peek(tx, a, account, serial, &d);
	if (status_is(s, STATUS_NOT_FOUND)) return STATUS(INVALID);
	if (is_ok(s) && (str_has(user) ? !str_ieq(d.user, user) : !str_has(d.user))) return STATUS(INVALID);
	TRY(s);
	bool good =
		check_at(a, &d, code, now_ms, false) || (offset_ms && check_at(a, &d, code, now_ms - offset_ms, true));
	if (good && use) device_put(tx, a, account, &d);
	return good ? OK : STATUS(INVALID);
}

struct codes {
	struct str first, second;
};

static bool synchronize_at(
	struct call *c, struct iam_rec_mfa *d, struct codes codes, int64_t window, int64_t at_ms, bool machine)
{
	int64_t now = at_ms / STEP_MS;
	struct opt_i64 *last = last_of(d, machine);
	for (int64_t away = 0; away <= 2 * window; away++) {
		int64_t step = now + (away & 1 ? -(away + 1) / 2 : away / 2);
		if (step <= last->v || !str_eq_secret(iam_totp(c->arena, d->seed, step - 1), codes.first) ||
			!str_eq_secret(iam_totp(c->arena, d->seed, step), codes.second))
			continue;
		*last = SOME_I64(step);
		/* What is within the ordinary window is no drift. */
		int64_t drift = step - now;
		d->drift = SOME_I32(drift >= -WINDOW_CHECK && drift <= WINDOW_CHECK ? 0 : (int32_t)drift);
		return true;
	}
	return false;
}

/* Two consecutive codes tell where the device's clock stands. */
static status synchronize(struct call *c, struct iam_rec_mfa *d, struct str first, struct str second, int64_t window)
{
	struct codes codes = {first, second};
	int64_t offset_ms = clock_offset(c->cloud->clock);
	if (synchronize_at(c, d, codes, window, c->now_ms, false)) return OK;
	if (offset_ms && synchronize_at(c, d, codes, window, c->now_ms - offset_ms, true)) return OK;
	return IAM_FAIL(c, INVALID_AUTHENTICATION_CODE, "Authentication code for device is not valid.");
}

static void device_out(struct call *c, const struct iam_rec_mfa *d, struct iam_virtual_mfa_device *out)
{
	out->serial_number = d->serial;
	out->enable_date = d->enabled;
	if (d->tags.n) iam_tags_out(c, &d->tags, &out->tags);
	struct iam_rec_entity e;
	if (!d->user.n || !is_ok(iam_peek(c->tx, c->arena, IAM_USER, c->account, d->user, &e))) return;
	out->user = arena_new(c->arena, struct iam_user);
	iam_user_out(c, &e, false, out->user);
}

status iam_create_virtual_mfa_device(struct call *c, const struct iam_create_virtual_mfa_device_input *in,
	struct iam_create_virtual_mfa_device_output *out)
{
	struct iam_rec_mfa d = {
		.serial = iam_arn(c, "mfa", in->path, in->virtual_mfa_device_name), .created = SOME_TIME(c->now_ms)};
	struct str bytes;
	status s = store_get(c->tx, iam_key(c->arena, "mfa", c->account, d.serial), &bytes);
	if (is_ok(s))
		return IAM_FAIL(c, ENTITY_ALREADY_EXISTS, "MFADevice entity at the same path and name already exists.");
	if (!status_is(s, STATUS_NOT_FOUND)) return s;
	char *seed = arena_alloc_raw(c->arena, SEED_BYTES);
	rand_bytes(seed, SEED_BYTES);
	d.seed = str_n(seed, SEED_BYTES);
	TRY(iam_tags_set(c, &d.tags, &in->tags));
	device_put(c->tx, c->arena, c->account, &d);
	out->virtual_mfa_device = arena_new(c->arena, struct iam_virtual_mfa_device);
	device_out(c, &d, out->virtual_mfa_device);
	out->virtual_mfa_device->base32_string_seed = base32(c->arena, d.seed);
	return OK;
}

status iam_enable_mfa_device(
	struct call *c, const struct iam_enable_mfa_device_input *in, struct iam_enable_mfa_device_output *out)
{
	(void)out;
	struct iam_rec_entity e;
	struct iam_rec_mfa d;
	TRY(iam_get(c, IAM_USER, in->user_name, &e));
	TRY(device_get(c, in->serial_number, &d));
	if (d.user.n) return IAM_FAIL(c, ENTITY_ALREADY_EXISTS, "MFA Device is already in use.");
	if (e.mfa.n >= DEVICES_PER_USER)
		return IAM_FAIL(c, LIMIT_EXCEEDED, "Cannot exceed quota for MFADevicesPerUser: %d", DEVICES_PER_USER);
	TRY(synchronize(c, &d, in->authentication_code1, in->authentication_code2, WINDOW_ENABLE));
	d.user = e.name;
	d.enabled = SOME_TIME(c->now_ms);
	device_put(c->tx, c->arena, c->account, &d);
	iam_strings_add(c->arena, &e.mfa, d.serial);
	iam_put(c, IAM_USER, &e);
	return OK;
}

static status users_device(
	struct call *c, struct str user, struct str serial, struct iam_rec_entity *e, struct iam_rec_mfa *d)
{
	TRY(iam_get_user_or_caller(c, user, e));
	if (!iam_strings_have(&e->mfa, serial)) return IAM_FAIL(c, NO_SUCH_ENTITY, "MFA Device invalid for user.");
	return device_get(c, serial, d);
}

status iam_resync_mfa_device(
	struct call *c, const struct iam_resync_mfa_device_input *in, struct iam_resync_mfa_device_output *out)
{
	(void)out;
	struct iam_rec_entity e;
	struct iam_rec_mfa d;
	TRY(users_device(c, in->user_name, in->serial_number, &e, &d));
	TRY(synchronize(c, &d, in->authentication_code1, in->authentication_code2, WINDOW_RESYNC));
	device_put(c->tx, c->arena, c->account, &d);
	return OK;
}

status iam_deactivate_mfa_device(
	struct call *c, const struct iam_deactivate_mfa_device_input *in, struct iam_deactivate_mfa_device_output *out)
{
	(void)out;
	struct iam_rec_entity e;
	struct iam_rec_mfa d;
	TRY(users_device(c, in->user_name, in->serial_number, &e, &d));
	iam_strings_drop(&e.mfa, d.serial);
	iam_put(c, IAM_USER, &e);
	d.user = STR_NONE;
	d.enabled = (struct opt_time){0};
	device_put(c->tx, c->arena, c->account, &d);
	return OK;
}

status iam_delete_virtual_mfa_device(struct call *c, const struct iam_delete_virtual_mfa_device_input *in,
	struct iam_delete_virtual_mfa_device_output *out)
{
	(void)out;
	struct iam_rec_mfa d;
	TRY(device_get(c, in->serial_number, &d));
	if (d.user.n) return IAM_FAIL(c, DELETE_CONFLICT, "MFA VirtualDevice in use. Must deactivate first.");
	store_delete(c->tx, iam_key(c->arena, "mfa", c->account, d.serial));
	return OK;
}

status iam_get_mfa_device(
	struct call *c, const struct iam_get_mfa_device_input *in, struct iam_get_mfa_device_output *out)
{
	struct iam_rec_mfa d;
	TRY(device_get(c, in->serial_number, &d));
	if (str_has(in->user_name) && !str_ieq(d.user, in->user_name))
		return IAM_FAIL(c, NO_SUCH_ENTITY, "MFA Device invalid for user.");
	out->serial_number = d.serial;
	out->user_name = d.user;
	out->enable_date = d.enabled;
	return OK;
}

status iam_list_mfa_devices(
	struct call *c, const struct iam_list_mfa_devices_input *in, struct iam_list_mfa_devices_output *out)
{
	struct iam_page page;
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	VEC_PRESENT(c->arena, &out->mfa_devices);
	size_t capacity = 0;
	struct iam_rec_entity e = {0};
	if (str_has(in->user_name) || c->principal.kind != PRINCIPAL_ROOT)
		TRY(iam_get_user_or_caller(c, in->user_name, &e));
	for (size_t i = 0; i < e.mfa.n; i++) {
		struct iam_rec_mfa d;
		TRY(device_get(c, e.mfa.v[i], &d));
		if (!iam_page_take(&page, str_fmt(c->arena, "%04zu", i))) continue;
		*VEC_PUSH(c->arena, &out->mfa_devices, &capacity) =
			(struct iam_mfa_device){e.name, d.serial, d.enabled};
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return OK;
}

status iam_list_virtual_mfa_devices(struct call *c, const struct iam_list_virtual_mfa_devices_input *in,
	struct iam_list_virtual_mfa_devices_output *out)
{
	struct iam_page page;
	TRY(iam_page_begin(c, in->marker, in->max_items, &page));
	VEC_PRESENT(c->arena, &out->virtual_mfa_devices);
	size_t capacity = 0;
	struct iam_rows r = iam_rows_begin(c, "mfa");
	while (!page.truncated && iam_rows_next(&r)) {
		struct iam_rec_mfa d = {0};
		TRY(iam_rec_mfa_decode(c->arena, str_dup(c->arena, r.value), &d));
		if (str_is(in->assignment_status, "Assigned") && !d.user.n) continue;
		if (str_is(in->assignment_status, "Unassigned") && d.user.n) continue;
		if (!iam_page_take(&page, r.name)) continue;
		device_out(c, &d, VEC_PUSH(c->arena, &out->virtual_mfa_devices, &capacity));
	}
	iam_page_end(&page, &out->is_truncated, &out->marker);
	return iam_rows_end(&r);
}

status iam_mfa_renamed(struct call *c, const struct iam_rec_entity *user)
{
	for (size_t i = 0; i < user->mfa.n; i++) {
		struct iam_rec_mfa d;
		TRY(device_get(c, user->mfa.v[i], &d));
		d.user = user->name;
		device_put(c->tx, c->arena, c->account, &d);
	}
	return OK;
}

status iam_tag_mfa_device(
	struct call *c, const struct iam_tag_mfa_device_input *in, struct iam_tag_mfa_device_output *out)
{
	(void)out;
	struct iam_rec_mfa d;
	TRY(device_get(c, in->serial_number, &d));
	TRY(iam_tags_set(c, &d.tags, &in->tags));
	device_put(c->tx, c->arena, c->account, &d);
	return OK;
}

status iam_untag_mfa_device(
	struct call *c, const struct iam_untag_mfa_device_input *in, struct iam_untag_mfa_device_output *out)
{
	(void)out;
	struct iam_rec_mfa d;
	TRY(device_get(c, in->serial_number, &d));
	iam_tags_drop(&d.tags, &in->tag_keys);
	device_put(c->tx, c->arena, c->account, &d);
	return OK;
}

status iam_list_mfa_device_tags(
	struct call *c, const struct iam_list_mfa_device_tags_input *in, struct iam_list_mfa_device_tags_output *out)
{
	struct iam_rec_mfa d;
	TRY(device_get(c, in->serial_number, &d));
	return iam_tags_page(c, &d.tags, in->marker, in->max_items, &out->tags, &out->is_truncated, &out->marker);
}
